//! Gathers what rules look at: health from the board, traffic from the statistics, use from the caps.

use std::collections::HashMap;

use super::rules::finding::{CapKind, CapSeen, Measure, Measured, ProviderSeen, Seen, Traffic, measures};
use crate::{
    model::{
        alert::{Rule, RuleKind},
        rate_limit::UpstreamLimits,
    },
    server::{
        health::{board::Board, clock::Clock},
        limit::caps::{Account, Allowance, Caps},
        record::{Recorder, Window},
        routing::{Routing, table::Table},
    },
};

/// Where everything is read.
#[derive(Clone)]
pub struct Views {
    /// The table in force: names, limits.
    pub routing: Routing,
    /// Health of providers.
    pub board: Board,
    /// Statistics.
    pub recorder: Recorder,
    /// What was used of caps.
    pub caps: Caps,
    /// The clock all of them are read with.
    pub clock: Clock,
}

/// Somebody with a cap.
pub(super) struct Capped {
    account: Account,
    name: String,
    allowance: Allowance,
    link: String,
}

impl Views {
    /// Now, unix milliseconds, by a clock that nobody sets.
    pub(super) fn now_ms(&self) -> i64 {
        self.clock.unix_ms(self.clock.now_ms())
    }

    /// Everything as it is now, as far as these rules ask for it.
    pub(super) fn look(&self, rules: &[Rule], capped: &[Capped]) -> Seen {
        let now_ms = self.clock.now_ms();
        let table = self.routing.load();
        let providers = table.providers.iter().map(|provider| ProviderSeen {
            id: provider.id,
            name: provider.name.clone(),
            // Without its groups: whether it is drained is no matter here, and finding out walks them all.
            health: self.board.view(provider, &[], now_ms),
            labels: provider.credentials.iter().map(|one| (one.id, one.label.clone())).collect(),
        });
        let mut seen = Seen {
            at_ms: self.clock.unix_ms(now_ms),
            providers: providers.collect(),
            groups: table.stored_groups.iter().map(|group| (group.id, group.slug.to_string())).collect(),
            dropped_rows: self.recorder.dropped_rows(),
            ..Seen::default()
        };
        self.measure(rules, &mut seen);
        if rules.iter().any(|rule| rule.settings.enabled && rule.settings.kind == RuleKind::CapNear) {
            seen.caps = capped.iter().flat_map(|one| self.uses(one)).collect();
        }
        seen
    }

    /// Each length of window is added up once, whatever number of rules asks for it.
    fn measure(&self, rules: &[Rule], seen: &mut Seen) {
        let at_ms = seen.at_ms;
        let mut windows: HashMap<u32, Window> = HashMap::new();
        for rule in rules.iter().filter(|rule| rule.settings.enabled && rule.settings.kind.is_measured()) {
            for measure in measures(&rule.settings, seen) {
                let window =
                    windows.entry(measure.minutes).or_insert_with(|| self.recorder.window(measure.minutes, at_ms));
                seen.measured.insert(measure, measured(window, measure));
            }
        }
    }

    fn uses(&self, one: &Capped) -> Vec<CapSeen> {
        let (day, month) = self.caps.used(one.account, self.clock.now_ns());
        let caps = [
            (CapKind::RequestsPerDay, day.requests, one.allowance.requests_per_day),
            (CapKind::RequestsPerMonth, month.requests, one.allowance.requests_per_month),
            (CapKind::TokensPerDay, day.tokens, one.allowance.tokens_per_day),
            (CapKind::TokensPerMonth, month.tokens, one.allowance.tokens_per_month),
        ];
        let set = caps.into_iter().filter(|(_, _, most)| *most > 0);
        set.map(|(cap, used, most)| CapSeen {
            account: one.account.to_string(),
            name: one.name.clone(),
            cap,
            used: u64::try_from(used).unwrap_or(0),
            most,
            link: one.link.clone(),
        })
        .collect()
    }
}

fn measured(window: &Window, measure: Measure) -> Measured {
    let tally = match measure.traffic {
        Traffic::All => Some(&window.all),
        Traffic::Provider(id) => window.providers.get(&id),
        Traffic::Group(id) => window.groups.get(&id),
    };
    tally.map_or_else(Measured::default, |tally| Measured {
        answered: tally.answered,
        failed: tally.failed,
        p95_us: tally.p95_us,
    })
}

/// Everybody with a cap in this table.
pub(super) fn capped(table: &Table) -> Vec<Capped> {
    let mut all = Vec::new();
    let mut add = |account, name: &str, allowance: Allowance, link: String| {
        if !allowance.is_unlimited() {
            all.push(Capped { account, name: name.to_owned(), allowance, link });
        }
    };
    for key in table.keys() {
        add(Account::ApiKey(key.id), &key.name, Allowance::from(&key.limits), "/admin/api-keys".to_owned());
    }
    let of = |limits: &UpstreamLimits| Allowance::from(limits);
    for provider in &table.providers {
        let link = format!("/admin/providers/{}", provider.id);
        add(Account::Provider(provider.id), &provider.name, of(&provider.limits), link.clone());
        for credential in &provider.credentials {
            let name = format!("{} / {}", provider.name, credential.label);
            add(Account::Credential(credential.id), &name, of(&credential.limits), link.clone());
        }
    }
    for group in table.stored_groups.iter().filter(|group| group.anonymous.allowed) {
        let link = format!("/admin/groups/{}", group.id);
        add(Account::Anonymous(group.id), group.slug.as_str(), Allowance::from(&group.anonymous.limits), link);
    }
    all
}
