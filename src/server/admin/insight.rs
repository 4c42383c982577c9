//! What there is to see: statistics, health, the audit trail. Read only.

use std::collections::HashMap;

use super::{Admin, Live, Principal, paging, refusal};
use crate::{
    model::{
        audit::AuditRow,
        error::{ApiError, ApiResult},
        health::{HealthEvent, HealthHistory, ProviderHealth},
        id::{GroupId, ProviderId},
        page::Stretch,
        provider::Provider,
        stats::{Dimension, Overview, ProviderColumn, ProviderStats, Range, StatsAnswer, StatsQuery},
        user::Permission,
    },
    server::{
        record::{history, inquiry::Inquiry},
        store::{HealthRow, NodeRun, Snapshot},
    },
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
        self.mark_unknown(live, &mut overview).await;
        overview.currency.clone_from(&snapshot.prices.currency);
        overview.health = health(live, &snapshot);
        overview.events = self.events(live, now_ms).await;
        Ok(overview)
    }

    /// Marks the columns in which no process was there: nothing is known of them, neither up nor down.
    async fn mark_unknown(self, live: &Live, overview: &mut Overview) {
        let Some(first) = overview.buckets.first() else { return };
        // A log that cannot be read leaves columns as they are: a gap that is not proven is not claimed.
        let Ok(mut runs) = self.0.store().node_runs(first.at_ms).await else { return };
        note_this_run(live, &mut runs, overview.at_ms);
        for (column, bucket) in overview.buckets.iter().enumerate() {
            let end_ms = bucket.at_ms + overview.step_ms;
            let seen = runs.iter().any(|run| run.started_ms < end_ms && run.seen_ms >= bucket.at_ms);
            for stats in &mut overview.providers {
                if let Some(column) = stats.columns.get_mut(column) {
                    column.unknown = !seen && column.answered + column.failed == 0;
                }
            }
        }
    }

    /// The last changes of health; those before this process' start come from the store, if it answers.
    async fn events(self, live: &Live, now_ms: i64) -> Vec<HealthEvent> {
        let mut events = live.board.recent(EVENTS);
        let missing = EVENTS - events.len();
        let before_ms = live.clock.epoch_unix_ms();
        if missing > 0 {
            let earlier = self.0.store().health_changes(before_ms, missing as u32).await.unwrap_or_default();
            events.extend(earlier.into_iter().filter(|event| event.at_ms >= now_ms - 30 * DAY_MS));
        }
        events
    }

    /// Figures of any stretch of time, told apart by what was asked for. Read from the store and, for
    /// what is not written down yet, from memory: nothing that was counted is missing.
    pub async fn find(self, who: &Principal, query: StatsQuery) -> ApiResult<StatsAnswer> {
        who.require(Permission::View)?;
        let Some(live) = self.0.live() else { return Ok(StatsAnswer::default()) };
        let by = query.by;
        let now_ms = self.0.now_ms();
        let inquiry =
            Inquiry::of(query, &live.recorder.calendar(), now_ms).map_err(|problems| ApiError::Invalid { problems })?;
        let open = live.recorder.open_rollups(inquiry.step, inquiry.from_ms, inquiry.to_ms, now_ms);
        let mut sums = inquiry.answer();
        open.rows.iter().filter(|row| inquiry.takes(row)).for_each(|row| sums.add(row));
        for filter in inquiry.filters() {
            let rows = self.0.store().find_rollups(&filter).await.map_err(refusal::of_store)?;
            rows.iter().filter(|row| !open.replaces(row)).for_each(|row| sums.add(row));
        }
        let mut answer = sums.finish();
        if let Some(by) = by {
            name(&mut answer, by, &self.0.snapshot().await?);
        }
        Ok(answer)
    }
}

/// Gives series the names that their keys have now; what was deleted has none.
fn name(answer: &mut StatsAnswer, by: Dimension, snapshot: &Snapshot) {
    let names: HashMap<String, &str> = match by {
        Dimension::Provider => {
            let providers = snapshot.providers.iter().map(|stored| &stored.provider);
            providers.map(|provider| (provider.id.to_string(), provider.name.as_str())).collect()
        }
        Dimension::Group => snapshot.groups.iter().map(|group| (group.id.to_string(), group.name.as_str())).collect(),
        Dimension::ApiKey => {
            snapshot.api_keys.iter().map(|stored| (stored.key.id.to_string(), stored.key.name.as_str())).collect()
        }
        Dimension::Model | Dimension::Status => HashMap::new(),
    };
    for series in &mut answer.series {
        if let Some(name) = names.get(&series.key) {
            series.name = (*name).to_owned();
        }
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
/// Changes in the history of one provider.
const HISTORY: usize = 500;
const DAY_MS: i64 = 86_400_000;

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

    /// How long a provider was up in the last 24 hours, 7 days and 30 days, and what changed.
    pub async fn history(self, who: &Principal, id: ProviderId) -> ApiResult<HealthHistory> {
        who.require(Permission::View)?;
        let snapshot = self.0.snapshot().await?;
        if !snapshot.providers.iter().any(|stored| stored.provider.id == id) {
            return Err(ApiError::NotFound { what: "provider".into() });
        }
        let past = self.past(Some(id)).await?;
        Ok(past.of(id, HISTORY))
    }

    /// The same of every provider, without what changed.
    pub async fn uptimes(self, who: &Principal) -> ApiResult<Vec<HealthHistory>> {
        who.require(Permission::View)?;
        let (snapshot, past) = (self.0.snapshot().await?, self.past(None).await?);
        Ok(snapshot.providers.iter().map(|stored| past.of(stored.provider.id, 0)).collect())
    }

    /// What all nodes saw of one provider, or of all.
    async fn past(self, id: Option<ProviderId>) -> ApiResult<Past> {
        let now_ms = self.0.now_ms();
        // What a process found is written again each day: two days more than asked for miss no state.
        let since_ms = now_ms - 32 * DAY_MS;
        let mut rows = self.0.store().health_since(id, since_ms).await.map_err(refusal::of_store)?;
        let mut runs = self.0.store().node_runs(since_ms).await.map_err(refusal::of_store)?;
        if let Some(live) = self.0.live() {
            // This process may have seen what the store has not been told.
            let (node, unwritten) = live.recorder.unwritten_health(id);
            let known = rows.iter().filter(|row| row.node == node).map(|row| row.number).max().unwrap_or(0);
            rows.extend(unwritten.into_iter().filter(|row| row.number > known));
            note_this_run(live, &mut runs, now_ms);
        }
        Ok(Past { rows, runs, now_ms })
    }

    /// Changes of health, newest first.
    pub fn events(self, who: &Principal) -> ApiResult<Vec<HealthEvent>> {
        who.require(Permission::View)?;
        Ok(self.0.live().map(|live| live.board.recent(crate::server::health::board::EVENTS)).unwrap_or_default())
    }
}

/// This process is there now, whatever the store has heard of it yet.
fn note_this_run(live: &Live, runs: &mut Vec<NodeRun>, now_ms: i64) {
    let node = live.recorder.node();
    match runs.iter_mut().find(|run| run.node == node) {
        Some(run) => run.seen_ms = now_ms,
        None => runs.push(NodeRun { node, started_ms: live.clock.epoch_unix_ms().min(now_ms), seen_ms: now_ms }),
    }
}

/// What all nodes saw, and when each of them was there to see.
struct Past {
    rows: Vec<HealthRow>,
    runs: Vec<NodeRun>,
    now_ms: i64,
}

impl Past {
    /// The past of one provider, with so many changes at most.
    fn of(&self, id: ProviderId, most: usize) -> HealthHistory {
        let rows: Vec<HealthRow> = self.rows.iter().filter(|row| row.event.provider == id).cloned().collect();
        let stretches = history::stretches(&rows, &self.runs);
        let uptime = |days: i64| history::uptime(&stretches, self.now_ms - days * DAY_MS, self.now_ms);
        let uptime = [uptime(1), uptime(7), uptime(30)];
        let changed = rows.into_iter().filter(|row| row.changed && row.event.at_ms >= self.now_ms - 30 * DAY_MS);
        let mut events: Vec<HealthEvent> = changed.map(|row| row.event).collect();
        events.sort_by_key(|event| std::cmp::Reverse(event.at_ms));
        events.truncate(most);
        HealthHistory { provider: id, uptime, events }
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
