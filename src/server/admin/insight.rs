//! What there is to see: statistics, health, the audit trail. Read only.

use super::{Admin, Live, Principal, paging, refusal};
use crate::{
    model::{
        audit::AuditRow,
        error::ApiResult,
        health::{HealthEvent, ProviderHealth},
        id::GroupId,
        page::Stretch,
        provider::Provider,
        stats::{Overview, ProviderColumn, ProviderStats, Range},
        user::Permission,
    },
    server::store::Snapshot,
};

/// Statistics.
#[derive(Clone, Copy)]
pub struct Stats<'a>(pub(super) &'a Admin);

impl Stats<'_> {
    /// Everything the dashboard shows of a range, for one group or all.
    pub async fn overview(self, who: &Principal, range: Range, group: Option<GroupId>) -> ApiResult<Overview> {
        who.require(Permission::View)?;
        let now_ms = self.0.now_ms();
        let Some(live) = self.0.live() else {
            return Ok(Overview { range, group, at_ms: now_ms, ..Overview::default() });
        };
        let snapshot = self.0.snapshot().await?;
        let mut overview = live.recorder.overview(range, group, now_ms);
        for stats in &mut overview.providers {
            let known = snapshot.providers.iter().find(|stored| Some(stored.provider.id) == stats.provider);
            if let Some(stored) = known {
                stats.name.clone_from(&stored.provider.name);
                stats.color = stored.provider.color;
            }
        }
        add_idle(&mut overview, &snapshot, group);
        overview.health = health(live, &snapshot);
        overview.events = live.board.recent(EVENTS);
        Ok(overview)
    }
}

/// Adds the providers that were not asked in the range: a strip without traffic is news too, and
/// their health needs a name.
fn add_idle(overview: &mut Overview, snapshot: &Snapshot, group: Option<GroupId>) {
    let members = group.and_then(|id| snapshot.groups.iter().find(|group| group.id == id)).map(|group| &group.members);
    for stored in &snapshot.providers {
        let provider = &stored.provider;
        let inside = members.is_none_or(|members| members.iter().any(|member| member.provider == provider.id));
        if inside && !overview.providers.iter().any(|stats| stats.provider == Some(provider.id)) {
            overview.providers.push(ProviderStats {
                provider: Some(provider.id),
                name: provider.name.clone(),
                color: provider.color,
                columns: vec![ProviderColumn::default(); overview.buckets.len()],
                ..ProviderStats::default()
            });
        }
    }
}

/// Changes of health that the dashboard shows.
const EVENTS: usize = 50;

/// Health of providers.
#[derive(Clone, Copy)]
pub struct Health<'a>(pub(super) &'a Admin);

impl Health<'_> {
    /// Every provider's health now, in the order of names.
    pub async fn all(self, who: &Principal) -> ApiResult<Vec<ProviderHealth>> {
        who.require(Permission::View)?;
        let snapshot = self.0.snapshot().await?;
        Ok(self.0.live().map(|live| health(live, &snapshot)).unwrap_or_default())
    }

    /// Changes of health, newest first.
    pub fn events(self, who: &Principal) -> ApiResult<Vec<HealthEvent>> {
        who.require(Permission::View)?;
        Ok(self.0.live().map(|live| live.board.recent(crate::server::health::board::EVENTS)).unwrap_or_default())
    }
}

fn health(live: &Live, snapshot: &Snapshot) -> Vec<ProviderHealth> {
    let now_ms = live.clock.now_ms();
    let mut providers: Vec<&Provider> = snapshot.providers.iter().map(|stored| &stored.provider).collect();
    providers.sort_by_cached_key(|provider| paging::by_name(&provider.name));
    providers.into_iter().map(|provider| live.board.view(provider, &snapshot.groups, now_ms)).collect()
}

/// The audit trail.
#[derive(Clone, Copy)]
pub struct Audit<'a>(pub(super) &'a Admin);

impl Audit<'_> {
    /// A stretch of the trail before a row, newest first.
    pub async fn list(self, who: &Principal, before: Option<i64>) -> ApiResult<Stretch<AuditRow>> {
        who.require(Permission::ReadAudit)?;
        self.0.store().audit(before, 50).await.map_err(refusal::of_store)
    }
}
