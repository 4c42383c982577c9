//! What to do when a group has nobody left. Pure.
//!
//! Every member out: waiting for the breakers would turn a short outage of all into a long one, so
//! a trickle of requests probes them early. Every member cooling: nothing is sent, because limits
//! do not reset sooner for being asked.

use super::breaker::Admission;

/// What one member of a group can offer now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Offer {
    /// What its breaker says.
    pub admission: Admission,
    /// When its first credential is ready, if all wait; monotone milliseconds.
    pub cooling_until_ms: Option<u64>,
}

/// The state of a group without a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panic {
    /// Every member is out: let [`Valve`] choose who probes; `Retry-After` is the earliest reopening.
    AllOpen {
        /// Monotone milliseconds.
        reopens_at_ms: u64,
    },
    /// Every member that is not out waits for a limit: 429 at once, no upstream traffic.
    AllCooling {
        /// The earliest is ready, or reopens, then; monotone milliseconds.
        until_ms: u64,
    },
}

/// Judges the members that are switched on and have weight; `None` while one can take a request, or
/// when there is no member at all.
pub fn assess(now_ms: u64, offers: impl IntoIterator<Item = Offer>) -> Option<Panic> {
    let (mut cooling, mut open): (Option<u64>, Option<u64>) = (None, None);
    for offer in offers {
        let earlier = |slot: Option<u64>, at: u64| Some(slot.map_or(at, |slot| slot.min(at)));
        match (offer.admission, offer.cooling_until_ms) {
            (Admission::Pass { .. } | Admission::Trial { .. }, None) => return None,
            (Admission::Pass { .. } | Admission::Trial { .. }, Some(until_ms)) => cooling = earlier(cooling, until_ms),
            (Admission::Refuse { until_ms }, _) => open = earlier(open, until_ms),
            (Admission::Busy, _) => open = earlier(open, now_ms),
        }
    }
    match (cooling, open) {
        (Some(cool_ms), open) => Some(Panic::AllCooling { until_ms: open.map_or(cool_ms, |at_ms| at_ms.min(cool_ms)) }),
        (None, Some(reopens_at_ms)) => Some(Panic::AllOpen { reopens_at_ms }),
        (None, None) => None,
    }
}

/// Lets 10 % of offered requests through, and at least one a second. One per group.
#[derive(Clone, Copy, Debug, Default)]
pub struct Valve {
    offered: u32,
    last_ms: Option<u64>,
}

impl Valve {
    /// Whether this request may probe.
    pub fn admit(&mut self, now_ms: u64) -> bool {
        self.offered = self.offered.saturating_add(1);
        let waited = self.last_ms.is_none_or(|last| now_ms.saturating_sub(last) >= 1_000);
        let admitted = waited || self.offered >= 10;
        if admitted {
            self.offered = 0;
            self.last_ms = Some(now_ms);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;
    use crate::server::health::breaker::{Breaker, Verdict};

    const PASS: Admission = Admission::Pass { factor: 1.0 };

    fn offer(admission: Admission, cooling_until_ms: Option<u64>) -> Offer {
        Offer { admission, cooling_until_ms }
    }

    #[test]
    fn a_group_with_somebody_left_does_not_panic() {
        assert_eq!(assess(0, [offer(PASS, None), offer(Admission::Refuse { until_ms: 5 }, None)]), None);
        assert_eq!(assess(0, []), None);
    }

    #[test]
    fn everybody_out_names_the_earliest_reopening() {
        let offers =
            [offer(Admission::Refuse { until_ms: 9_000 }, None), offer(Admission::Refuse { until_ms: 7_000 }, Some(1))];
        assert_eq!(assess(0, offers), Some(Panic::AllOpen { reopens_at_ms: 7_000 }));
    }

    #[test]
    fn everybody_cooling_names_the_smallest_remaining_time() {
        let cooling = [offer(PASS, Some(9_000)), offer(PASS, Some(4_000))];
        let with = |until_ms| cooling.into_iter().chain([offer(Admission::Refuse { until_ms }, None)]);
        assert_eq!(assess(0, cooling), Some(Panic::AllCooling { until_ms: 4_000 }));
        assert_eq!(assess(0, with(8_000)), Some(Panic::AllCooling { until_ms: 4_000 }));
        assert_eq!(assess(0, with(2_000)), Some(Panic::AllCooling { until_ms: 2_000 }), "one reopens before");
    }

    #[test]
    fn the_valve_lets_one_in_ten_through_and_one_a_second() {
        let mut valve = Valve::default();
        let busy = (0..1_000).filter(|_| valve.admit(500)).count();
        assert_eq!(busy, 100);
        let mut valve = Valve::default();
        let slow = (0..40).filter(|number| valve.admit(number * 250)).count();
        assert_eq!(slow, 10);
    }

    #[test]
    fn an_outage_of_all_ends_within_seconds_of_their_return() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut members = [Breaker::new(0), Breaker::new(0)];
        let mut valve = Valve::default();
        let (mut asked_in_vain, mut first_served_ms) = (0, None);
        // 50 requests a second; both are gone for the first minute.
        for now_ms in (0..95_000).step_by(20) {
            let mut admitted = members.iter_mut().enumerate().find_map(|(member, breaker)| {
                let admission = breaker.admit(now_ms, &mut rng);
                matches!(admission, Admission::Pass { .. } | Admission::Trial { .. }).then_some((member, admission))
            });
            if admitted.is_none() && valve.admit(now_ms) {
                let member = rng.random_range(0..2);
                admitted = Some((member, members[member].admit_probe(now_ms, &mut rng)));
            }
            let Some((member, admission)) = admitted else { continue };
            let trial = if let Admission::Trial { number } = admission { Some(number) } else { None };
            let verdict = if now_ms < 60_000 { Verdict::Failure } else { Verdict::Success };
            members[member].on_result(now_ms, verdict, trial, &mut rng);
            match verdict {
                Verdict::Success => first_served_ms = first_served_ms.or(Some(now_ms)),
                _ => asked_in_vain += 1,
            }
        }
        assert!(first_served_ms.is_some_and(|at_ms| at_ms <= 61_000), "{first_served_ms:?}");
        // Ten until both are out, then one request in ten and the breakers' own trials.
        assert!(asked_in_vain <= 10 + 300 + 20, "{asked_in_vain} of 3,000");
        assert!(members.iter().any(|breaker| breaker.factor(95_000) == 1.0));
    }
}
