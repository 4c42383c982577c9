//! Health of providers over time: what this process saw, on its way to the store, and what the
//! events of all processes come to.
//!
//! A process writes what it finds (at its start, and once a day so that old rows may go) and every
//! change; beside that it says every few seconds that it is there. What lies outside of the time a
//! process was there is unknown: neither up nor down.

use std::collections::{HashMap, VecDeque};

use crate::{
    model::{
        health::{HealthEvent, HealthState, Standing, Uptime},
        id::ProviderId,
    },
    server::store::{HealthRow, NodeRun},
};

/// Rows that may wait while the store takes none; then the oldest go.
const WAITING: usize = 10_000;
/// How often a state that does not change is written down again, milliseconds.
const AGAIN_MS: i64 = 86_400_000;

/// Rows on their way to the store.
#[derive(Debug, Default)]
pub(super) struct History {
    number: i64,
    waiting: VecDeque<HealthRow>,
    /// When each provider's state was last written down.
    written_ms: HashMap<ProviderId, i64>,
}

impl History {
    /// A change, or a state as it was found.
    pub(super) fn add(&mut self, node: i64, event: HealthEvent, changed: bool) {
        self.number += 1;
        self.written_ms.insert(event.provider, event.at_ms);
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(HealthRow { node, number: self.number, changed, event });
    }

    /// Whether a provider's state has to be written down (again).
    pub(super) fn is_due(&self, provider: ProviderId, now_ms: i64) -> bool {
        self.written_ms.get(&provider).is_none_or(|written_ms| now_ms - written_ms >= AGAIN_MS)
    }

    /// Rows the store does not have.
    pub(super) fn waiting(&self) -> Vec<HealthRow> {
        self.waiting.iter().cloned().collect()
    }

    /// The store has all rows up to this one.
    pub(super) fn written(&mut self, number: i64) {
        self.waiting.retain(|row| row.number > number);
    }
}

/// What a provider was from one moment to another, as one process saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// From then, unix milliseconds.
    pub from_ms: i64,
    /// Until then.
    pub to_ms: i64,
    /// What it was.
    pub state: HealthState,
}

/// The stretches of one provider: from each row to the next of the same process, and to that one's end.
pub fn stretches(rows: &[HealthRow], runs: &[NodeRun]) -> Vec<Stretch> {
    let mut found = Vec::new();
    for run in runs {
        let own: Vec<&HealthRow> = rows.iter().filter(|row| row.node == run.node).collect();
        for (at, row) in own.iter().enumerate() {
            let to_ms = own.get(at + 1).map_or(run.seen_ms, |next| next.event.at_ms);
            if to_ms > row.event.at_ms {
                found.push(Stretch { from_ms: row.event.at_ms, to_ms, state: row.event.state });
            }
        }
    }
    found.sort_unstable_by_key(|stretch| stretch.from_ms);
    found
}

/// How long it was up, down, off and unknown between two moments. With several processes their views
/// are added up: each counts for the time it was there; unknown is only what none of them saw.
pub fn uptime(stretches: &[Stretch], from_ms: i64, to_ms: i64) -> Uptime {
    let mut sum = Uptime { from_ms, to_ms, ..Uptime::default() };
    let mut seen_until_ms = from_ms;
    let mut unknown_ms = 0;
    for stretch in stretches {
        let (start, end) = (stretch.from_ms.max(from_ms), stretch.to_ms.min(to_ms));
        if end <= start {
            continue;
        }
        match Standing::of(stretch.state) {
            Standing::Up => sum.up_ms += end - start,
            Standing::Down => sum.down_ms += end - start,
            Standing::Off => sum.off_ms += end - start,
        }
        unknown_ms += (start - seen_until_ms).max(0);
        seen_until_ms = seen_until_ms.max(end);
    }
    sum.unknown_ms = unknown_ms + (to_ms - seen_until_ms).max(0);
    sum
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::health::HealthReason;

    const PROVIDER: ProviderId = ProviderId(Uuid::from_u128(1));

    fn row(node: i64, at_ms: i64, state: HealthState) -> HealthRow {
        let event = HealthEvent { provider: PROVIDER, at_ms, state, reason: HealthReason::None };
        HealthRow { node, number: at_ms, changed: true, event }
    }

    fn run(node: i64, started_ms: i64, seen_ms: i64) -> NodeRun {
        NodeRun { node, started_ms, seen_ms }
    }

    #[test]
    fn the_time_between_two_processes_is_unknown_and_not_up() {
        let rows =
            [row(1, 0, HealthState::Healthy), row(1, 60, HealthState::Unhealthy), row(2, 200, HealthState::Healthy)];
        let all = stretches(&rows, &[run(1, 0, 100), run(2, 200, 400)]);
        let sum = uptime(&all, 0, 400);
        assert_eq!((sum.up_ms, sum.down_ms, sum.unknown_ms, sum.off_ms), (60 + 200, 40, 100, 0));
        assert_eq!(sum.ratio(), Some(260.0 / 300.0));
    }

    #[test]
    fn only_what_lies_within_the_window_counts() {
        let all = stretches(&[row(1, 0, HealthState::Degraded), row(1, 50, HealthState::Disabled)], &[run(1, 0, 100)]);
        let sum = uptime(&all, 40, 200);
        assert_eq!((sum.up_ms, sum.off_ms, sum.unknown_ms), (10, 50, 100));
        assert_eq!(uptime(&[], 0, 10), Uptime { from_ms: 0, to_ms: 10, unknown_ms: 10, ..Uptime::default() });
        assert_eq!(uptime(&[], 0, 10).ratio(), None);
    }

    #[test]
    fn several_processes_are_added_up_and_together_leave_less_unknown() {
        let rows = [row(1, 0, HealthState::Healthy), row(2, 50, HealthState::Cooling)];
        let all = stretches(&rows, &[run(1, 0, 100), run(2, 50, 150)]);
        let sum = uptime(&all, 0, 200);
        assert_eq!((sum.up_ms, sum.down_ms, sum.unknown_ms), (100, 100, 50));
    }

    #[test]
    fn a_state_is_written_again_after_a_day() {
        let mut history = History::default();
        assert!(history.is_due(PROVIDER, 0));
        history.add(1, row(1, 0, HealthState::Healthy).event, false);
        assert!(!history.is_due(PROVIDER, AGAIN_MS - 1));
        assert!(history.is_due(PROVIDER, AGAIN_MS));
        assert_eq!(history.waiting().len(), 1);
        history.written(1);
        assert_eq!(history.waiting(), []);
    }

    #[test]
    fn a_store_that_is_gone_for_long_costs_the_oldest_rows() {
        let mut history = History::default();
        for at_ms in 0..WAITING as i64 + 5 {
            history.add(1, row(1, at_ms, HealthState::Healthy).event, true);
        }
        let waiting = history.waiting();
        assert_eq!((waiting.len(), waiting[0].event.at_ms), (WAITING, 5));
    }
}
