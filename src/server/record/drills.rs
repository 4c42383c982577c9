//! What requests that met the fault of a drill came to: counted as they are recorded, so a report
//! misses nothing that the log may have to drop.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use super::histogram::{Histogram, Sum};
use crate::model::{
    drill::DrillReport,
    id::DrillId,
    request_log::{Outcome, RequestDetail},
};

/// Drills whose counts are kept.
const KEPT: usize = 256;

/// Counts by drill. A request that met none only has its attempts looked through.
#[derive(Debug, Default)]
pub(super) struct Drills {
    /// Newest last. Held for a few additions, by requests that met a drill and by readers.
    kept: Mutex<VecDeque<(DrillId, Tally)>>,
}

#[derive(Debug, Default)]
struct Tally {
    report: DrillReport,
    added: Histogram,
}

impl Drills {
    /// Counts a request under every drill it met.
    pub(super) fn add(&self, detail: &RequestDetail) {
        for (index, attempt) in detail.attempts.iter().enumerate() {
            let Some(drill) = attempt.drill else { continue };
            let first = detail.attempts[..index].iter().all(|before| before.drill != Some(drill));
            if first {
                self.count(drill, detail);
            }
        }
    }

    /// What was counted under a drill; all zero of one that nobody met.
    pub(super) fn report(&self, drill: DrillId) -> DrillReport {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, tally)) = kept.iter().find(|(known, _)| *known == drill) else { return DrillReport::default() };
        let mut sum = Sum::default();
        sum.add(&tally.added);
        let added_p50_us = (tally.added.count() > 0).then(|| sum.quantile(50));
        DrillReport { added_p50_us, ..tally.report }
    }

    fn count(&self, drill: DrillId, detail: &RequestDetail) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().rposition(|(known, _)| *known == drill).unwrap_or_else(|| {
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back((drill, Tally::default()));
            kept.len() - 1
        });
        let tally = &mut kept[at].1;
        tally.report.met += 1;
        match detail.row.outcome {
            Outcome::Served | Outcome::Saved => {
                tally.report.saved += 1;
                tally.added.add(added_us(drill, detail));
            }
            Outcome::Failed | Outcome::RateLimited => tally.report.failed += 1,
            Outcome::Interrupted => tally.report.interrupted += 1,
            Outcome::ClientLeft | Outcome::ClientError => tally.report.client += 1,
        }
    }
}

/// What the faulty attempts cost: from the start of each to the start of the next.
fn added_us(drill: DrillId, detail: &RequestDetail) -> u64 {
    let pairs = detail.attempts.windows(2).filter(|pair| pair[0].drill == Some(drill));
    pairs.map(|pair| pair[1].started_us.saturating_sub(pair[0].started_us)).sum()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{
        super::sample::{NOON_MS, attempted, request},
        *,
    };
    use crate::model::request_log::AttemptOutcome;

    const DRILL: DrillId = DrillId(Uuid::from_u128(9));

    /// A request whose first attempt met the drill and whose second began `after_us` later.
    fn met(number: u128, outcome: Outcome, after_us: u64) -> RequestDetail {
        let tried = [(1, AttemptOutcome::ServerError), (2, AttemptOutcome::Answered)];
        let mut detail = attempted(request(number, NOON_MS, outcome, 50_000), &tried);
        detail.attempts[0].drill = Some(DRILL);
        detail.attempts[1].started_us = after_us;
        detail
    }

    #[test]
    fn a_report_counts_each_request_once_by_what_its_client_saw() {
        let drills = Drills::default();
        for (number, outcome) in
            (0..).zip([Outcome::Saved, Outcome::Saved, Outcome::Failed, Outcome::Interrupted, Outcome::ClientLeft])
        {
            drills.add(&met(number, outcome, 4_000));
        }
        drills.add(&request(9, NOON_MS, Outcome::Served, 5));
        let mut twice = met(10, Outcome::Saved, 4_000);
        twice.attempts[1].drill = Some(DRILL);
        drills.add(&twice);
        let report = drills.report(DRILL);
        assert_eq!((report.met, report.saved, report.failed, report.interrupted, report.client), (6, 3, 1, 1, 1));
        assert_eq!(report.noticed(), 2);
        assert!(report.added_p50_us.is_some_and(|us| us.abs_diff(4_000) < 160), "{report:?}");
    }

    #[test]
    fn a_drill_nobody_met_has_an_empty_report() {
        assert_eq!(Drills::default().report(DRILL), DrillReport::default());
    }
}
