//! The last minutes in a few numbers, for rules that watch them.

use std::collections::HashMap;

use super::Rollup;
use crate::{
    model::{
        id::{GroupId, ProviderId},
        stats::Range,
    },
    server::record::{histogram::Sum, intake::MINUTE_MS},
};

/// What happened in the last minutes, the present one included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// All requests.
    pub all: Tally,
    /// Requests by group.
    pub groups: HashMap<GroupId, Tally>,
    /// Attempts by provider.
    pub providers: HashMap<ProviderId, Tally>,
}

/// What is judged, and how long it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// That succeeded.
    pub answered: u64,
    /// That failed.
    pub failed: u64,
    /// P95 of the time to first byte, microseconds.
    pub p95_us: u64,
}

/// A tally on its way.
#[derive(Default)]
struct Adding {
    tally: Tally,
    first_byte: Sum,
}

impl Adding {
    fn done(mut self) -> Tally {
        self.tally.p95_us = self.first_byte.quantile(95);
        self.tally
    }
}

impl Rollup {
    /// The last `minutes`, at most sixty.
    pub(in crate::server::record) fn window(&self, minutes: u32, now_ms: i64) -> Window {
        let grain = self.grain(Range::Hour);
        let newest = grain.number(now_ms.div_euclid(MINUTE_MS));
        let first = newest - i64::from(minutes.clamp(1, 60)) + 1;
        let mut all = Adding::default();
        let mut groups: HashMap<GroupId, Adding> = HashMap::new();
        let mut providers: HashMap<ProviderId, Adding> = HashMap::new();
        for number in first..=newest {
            for (group, cell) in grain.requests_by_group(number) {
                for adding in
                    [Some(&mut all), group.map(|group| groups.entry(group).or_default())].into_iter().flatten()
                {
                    adding.tally.answered += cell.counts.served + cell.counts.saved;
                    adding.tally.failed += cell.counts.failed;
                    adding.first_byte.add(&cell.latency.first_byte);
                }
            }
            for (provider, cell) in grain.attempts(number, None) {
                let adding = providers.entry(provider).or_default();
                adding.tally.answered += cell.counts.served;
                adding.tally.failed += cell.counts.failed;
                adding.first_byte.add(&cell.latency.first_byte);
            }
        }
        Window {
            all: all.done(),
            groups: groups.into_iter().map(|(id, adding)| (id, adding.done())).collect(),
            providers: providers.into_iter().map(|(id, adding)| (id, adding.done())).collect(),
        }
    }
}
