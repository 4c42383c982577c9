//! The list of providers as a screen shows it: searched, filtered by health, sorted and cut here,
//! so that a browser gets one page of ten thousand and not all of them.

use std::collections::{HashMap, HashSet};

use super::{Providers, row};
use crate::{
    model::{
        error::ApiResult,
        group::Group,
        health::{HealthState, ProviderHealth},
        id::ProviderId,
        page::{ListQuery, Page},
        provider::{Provider, ProviderLine},
        stats::{ProviderStats, Range},
        user::Permission,
    },
    server::admin::{Live, Principal, paging},
};

/// A provider on its way to a line.
struct Found<'a> {
    provider: &'a Provider,
    health: Option<ProviderHealth>,
}

impl Found<'_> {
    fn state(&self) -> HealthState {
        self.health.as_ref().map_or(HealthState::unknown(self.provider.enabled), |health| health.state)
    }
}

impl Providers<'_> {
    /// A page of lines; sorts by `name` (the default), `requests`, `success` or `p95` of the last day,
    /// and knows the states `healthy`, `trouble` and `off`.
    pub async fn lines(self, who: &Principal, query: ListQuery) -> ApiResult<Page<ProviderLine>> {
        who.require(Permission::View)?;
        let snapshot = self.0.snapshot().await?;
        let live = self.0.live();
        let mut day = live.map(|live| day(live, self.0.now_ms())).unwrap_or_default();
        let drained = drained(&snapshot.groups);
        let providers = snapshot.providers.iter().map(|stored| &stored.provider);
        let mut found: Vec<Found> = providers
            .filter(|provider| super::is_searched(provider, &query))
            .map(|provider| {
                let groups: &[Group] = if drained.contains(&provider.id) { &snapshot.groups } else { &[] };
                Found { provider, health: live.map(|live| live.board.view(provider, groups, live.clock.now_ms())) }
            })
            .collect();
        let counts = paging::keep_state(&mut found, &query, |found| found.state().segment());
        sort(&mut found, &day, &query.sort);
        let Page { rows, total, .. } = paging::page(found, &query);
        let line = |found: Found| ProviderLine {
            row: row(found.provider, &snapshot),
            day: day.remove(&found.provider.id),
            health: found.health,
        };
        Ok(Page { rows: rows.into_iter().map(line).collect(), total, counts })
    }
}

/// Who was asked in the last 24 hours.
fn day(live: &Live, now_ms: i64) -> HashMap<ProviderId, ProviderStats> {
    let overview = live.recorder.overview(Range::Day, None, now_ms);
    overview.providers.into_iter().filter_map(|stats| Some((stats.provider?, stats))).collect()
}

/// Providers with a weight in no group of theirs. Found in one pass, because the board walks all
/// members of all groups for each provider it is told the groups of.
fn drained(groups: &[Group]) -> HashSet<ProviderId> {
    let members = || groups.iter().flat_map(|group| &group.members);
    let weighted: HashSet<_> = members().filter(|member| member.priority > 0).map(|member| member.provider).collect();
    members().map(|member| member.provider).filter(|provider| !weighted.contains(provider)).collect()
}

/// Smallest first; equals in the order of names.
fn sort(found: &mut [Found], day: &HashMap<ProviderId, ProviderStats>, column: &str) {
    let figure = |found: &Found| {
        let stats = day.get(&found.provider.id);
        match column {
            "requests" => stats.map_or(0, |stats| stats.attempts),
            "p95" => stats.map_or(0, |stats| stats.first_byte.p95_us),
            // Parts in a billion, and those without a judged attempt before all others.
            "success" => stats.and_then(ProviderStats::success_rate).map_or(0, |rate| 1 + (rate * 1e9) as u64),
            _ => 0,
        }
    };
    found.sort_by_cached_key(|found| (figure(found), paging::by_name(&found.provider.name)));
}
