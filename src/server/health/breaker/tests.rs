//! Each sentence of the table, and what holds under any sequence of events.

use proptest::{prelude::*, test_runner::RngSeed};
use rand::{SeedableRng, rngs::StdRng};

use super::*;

const PASS: Admission = Admission::Pass { factor: 1.0 };

/// A breaker, a clock and a random source, in the words of the table.
struct Bench {
    breaker: Breaker,
    now_ms: u64,
    rng: StdRng,
}

impl Bench {
    fn new() -> Self {
        Self { breaker: Breaker::new(0), now_ms: 0, rng: StdRng::seed_from_u64(11) }
    }

    fn after(&mut self, ms: u64) -> &mut Self {
        self.now_ms += ms;
        self
    }

    fn report(&mut self, verdict: Verdict, trial: Option<u32>) -> Report {
        self.breaker.on_result(self.now_ms, verdict, trial, &mut self.rng)
    }

    fn succeed(&mut self, times: u32) -> &mut Self {
        (0..times).for_each(|_| _ = self.report(Verdict::Success, None));
        self
    }

    fn fail(&mut self, times: u32) -> &mut Self {
        (0..times).for_each(|_| _ = self.report(Verdict::Failure, None));
        self
    }

    fn admit(&mut self) -> Admission {
        self.breaker.admit(self.now_ms, &mut self.rng)
    }

    fn state(&mut self) -> State {
        self.breaker.advance(self.now_ms, &mut self.rng);
        self.breaker.state()
    }

    /// How long it is open from now on, after which it is half-open.
    fn sit_out(&mut self) -> u64 {
        let until_ms = self.breaker.reopens_at_ms().expect("it is open");
        let length = until_ms - self.breaker.since_ms();
        self.now_ms = until_ms;
        length
    }

    fn trial(&mut self) -> u32 {
        match self.admit() {
            Admission::Trial { number } => number,
            other => panic!("expected a trial, got {other:?}"),
        }
    }

    fn try_once(&mut self, verdict: Verdict) -> &mut Self {
        let number = self.trial();
        self.report(verdict, Some(number));
        self
    }

    /// Trips it, and brings it to RECOVERING.
    fn recover(&mut self) -> &mut Self {
        self.fail(CONSECUTIVE);
        self.sit_out();
        self.try_once(Verdict::Success).try_once(Verdict::Success);
        assert_eq!(self.breaker.state(), State::Recovering);
        self
    }
}

#[test]
fn a_new_provider_is_healthy_and_does_not_ramp_up() {
    let mut bench = Bench::new();
    assert_eq!(bench.state(), State::Healthy);
    assert_eq!(bench.admit(), PASS);
}

#[test]
fn five_failures_in_a_row_trip_it() {
    let mut bench = Bench::new();
    bench.fail(4);
    assert_eq!(bench.state(), State::Healthy);
    let report = bench.report(Verdict::Failure, None);
    assert_eq!(report.transition, Some(Transition { from: State::Healthy, to: State::Open }));
}

#[test]
fn a_success_ends_the_row() {
    let mut bench = Bench::new();
    bench.succeed(20).fail(4).succeed(1).fail(4);
    assert_ne!(bench.state(), State::Open);
}

#[test]
fn a_success_rate_under_half_of_ten_trips_it() {
    let mut bench = Bench::new();
    for _ in 0..4 {
        bench.fail(1).succeed(1);
    }
    bench.fail(1);
    assert_eq!(bench.state(), State::Healthy, "nine samples are too few");
    bench.fail(1);
    assert_eq!(bench.state(), State::Open, "four of ten");
}

#[test]
fn half_of_ten_is_enough_to_stay_and_under_four_fifths_is_degraded() {
    let mut bench = Bench::new();
    for _ in 0..5 {
        bench.fail(1).succeed(1);
    }
    assert_eq!(bench.state(), State::Degraded);
    assert_eq!(bench.admit(), Admission::Pass { factor: 0.5 });
}

#[test]
fn four_fifths_is_healthy() {
    let mut bench = Bench::new();
    bench.succeed(8).fail(2);
    assert_eq!(bench.state(), State::Healthy);
    bench.fail(1);
    assert_eq!(bench.state(), State::Degraded);
}

#[test]
fn samples_older_than_a_minute_do_not_count() {
    let mut bench = Bench::new();
    bench.fail(3).succeed(1).fail(3).succeed(1).after(60_000).fail(2);
    assert_eq!(bench.state(), State::Healthy);
}

#[test]
fn degraded_heals_at_nine_of_ten() {
    let mut bench = Bench::new();
    bench.succeed(7).fail(3);
    assert_eq!(bench.state(), State::Degraded);
    bench.succeed(19);
    assert_eq!(bench.state(), State::Degraded, "26 of 29");
    bench.succeed(1);
    assert_eq!(bench.state(), State::Healthy, "27 of 30");
}

#[test]
fn degraded_heals_after_a_quiet_minute() {
    let mut bench = Bench::new();
    bench.succeed(7).fail(3).after(59_999);
    assert_eq!(bench.breaker.peek(bench.now_ms), Admission::Pass { factor: 0.5 });
    bench.after(1);
    assert_eq!(bench.breaker.peek(bench.now_ms), PASS);
    assert_eq!(bench.state(), State::Healthy);
}

#[test]
fn degraded_trips_by_the_same_rule() {
    let mut bench = Bench::new();
    bench.succeed(7).fail(3);
    assert_eq!(bench.state(), State::Degraded);
    bench.fail(2);
    assert_eq!(bench.state(), State::Open, "five in a row");
}

#[test]
fn recovering_trips_by_the_same_rule() {
    let mut bench = Bench::new();
    bench.recover().fail(4);
    assert_eq!(bench.state(), State::Recovering);
    bench.fail(1);
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn an_open_breaker_refuses_until_its_time() {
    let mut bench = Bench::new();
    bench.fail(5);
    let until_ms = bench.breaker.reopens_at_ms().expect("it is open");
    assert!((5_000..=10_000).contains(&until_ms), "{until_ms}");
    assert_eq!(bench.admit(), Admission::Refuse { until_ms });
    bench.now_ms = until_ms - 1;
    assert_eq!(bench.admit(), Admission::Refuse { until_ms });
    bench.now_ms = until_ms;
    assert!(matches!(bench.admit(), Admission::Trial { .. }));
}

#[test]
fn times_of_being_open_double_up_to_five_minutes_with_equal_jitter() {
    let mut bench = Bench::new();
    bench.fail(5);
    for longest in [10, 20, 40, 80, 160, 300, 300] {
        let length = bench.sit_out();
        assert!((longest * 500..=longest * 1_000).contains(&length), "{length} ms of {longest} s");
        bench.try_once(Verdict::Failure);
    }
}

#[test]
fn jitter_differs_between_gateways() {
    let lengths: std::collections::HashSet<u64> = (0..50)
        .map(|seed| {
            let mut bench = Bench { rng: StdRng::seed_from_u64(seed), ..Bench::new() };
            bench.fail(5).sit_out()
        })
        .collect();
    assert!(lengths.len() > 40);
}

#[test]
fn a_single_member_is_never_out_for_longer_than_thirty_seconds() {
    let mut bench = Bench::new();
    bench.breaker.configure(120_000, true);
    bench.fail(5);
    for _ in 0..8 {
        assert!(bench.sit_out() <= 30_000);
        bench.try_once(Verdict::Failure);
    }
}

#[test]
fn becoming_the_single_member_shortens_an_outage_under_way() {
    let mut bench = Bench::new();
    bench.fail(5);
    for _ in 0..6 {
        bench.sit_out();
        bench.try_once(Verdict::Failure);
    }
    let since_ms = bench.breaker.since_ms();
    bench.breaker.configure(120_000, true);
    assert_eq!(bench.breaker.reopens_at_ms(), Some(since_ms + 30_000));
}

#[test]
fn half_open_lets_one_request_through_at_a_time() {
    let mut bench = Bench::new();
    bench.fail(5).sit_out();
    let number = bench.trial();
    assert_eq!(bench.admit(), Admission::Busy);
    bench.report(Verdict::Success, Some(number));
    assert!(matches!(bench.admit(), Admission::Trial { .. }));
    assert_eq!(bench.admit(), Admission::Busy);
}

#[test]
fn two_successes_bring_it_back_with_an_empty_window() {
    let mut bench = Bench::new();
    bench.fail(5).sit_out();
    bench.try_once(Verdict::Success);
    assert_eq!(bench.state(), State::HalfOpen);
    bench.try_once(Verdict::Success);
    assert_eq!(bench.state(), State::Recovering);
    assert_eq!(bench.breaker.tally(bench.now_ms), Tally::default());
    assert_eq!(bench.breaker.consecutive_failures(), 0);
}

#[test]
fn one_failed_trial_opens_it_again_for_longer() {
    let mut bench = Bench::new();
    bench.fail(5).sit_out();
    bench.try_once(Verdict::Success).try_once(Verdict::Failure);
    assert_eq!(bench.state(), State::Open);
    assert!(bench.sit_out() >= 10_000, "k = 1: 10 to 20 s");
}

#[test]
fn a_silent_trial_opens_it_again() {
    let mut bench = Bench::new();
    bench.breaker.configure(3_000, false);
    bench.fail(5).sit_out();
    let number = bench.trial();
    bench.after(3_000);
    assert_eq!(bench.admit(), Admission::Busy);
    bench.after(1);
    assert!(matches!(bench.admit(), Admission::Refuse { .. }));
    assert!(bench.sit_out() >= 10_000);
    bench.trial();
    bench.report(Verdict::Success, Some(number));
    assert!(bench.breaker.has_trial_in_flight(), "the late answer of an old trial decides nothing");
}

#[test]
fn a_neutral_trial_gives_its_place_back_and_decides_nothing() {
    let mut bench = Bench::new();
    bench.fail(5).sit_out();
    bench.try_once(Verdict::Neutral);
    assert_eq!(bench.state(), State::HalfOpen);
    let number = bench.trial();
    bench.breaker.release(number);
    assert!(matches!(bench.admit(), Admission::Trial { .. }));
}

#[test]
fn answers_from_before_the_outage_neither_close_nor_prolong_it() {
    let mut bench = Bench::new();
    bench.fail(5);
    let until_ms = bench.breaker.reopens_at_ms();
    bench.succeed(3).fail(7);
    assert_eq!(bench.breaker.reopens_at_ms(), until_ms);
    bench.sit_out();
    bench.trial();
    bench.succeed(3).fail(7);
    assert_eq!(bench.state(), State::HalfOpen);
}

#[test]
fn the_weight_ramps_up_over_thirty_seconds() {
    let mut bench = Bench::new();
    bench.recover();
    for (after_ms, factor) in [(0, 0.1), (2_000, 0.1), (7_000, 0.3), (6_000, 0.5), (14_999, 29_999.0 / 30_000.0)] {
        assert_eq!(bench.after(after_ms).admit(), Admission::Pass { factor });
    }
    bench.after(1);
    assert_eq!(bench.state(), State::Healthy);
}

#[test]
fn ten_minutes_of_health_forgive_earlier_outages() {
    let mut bench = Bench::new();
    bench.recover().after(30_000);
    assert_eq!(bench.state(), State::Healthy);
    bench.after(600_000).fail(5);
    assert!(bench.sit_out() <= 10_000, "k = 0");

    let mut bench = Bench::new();
    bench.recover().after(30_000);
    assert_eq!(bench.state(), State::Healthy);
    bench.after(599_999).fail(5);
    assert!(bench.sit_out() >= 10_000, "k = 1");
}

#[test]
fn ten_minutes_of_health_count_though_it_declines_slowly_afterwards() {
    let mut bench = Bench::new();
    bench.recover().after(30_000);
    assert_eq!(bench.state(), State::Healthy);
    bench.after(600_000).succeed(7).fail(3);
    assert_eq!(bench.state(), State::Degraded);
    bench.fail(2);
    assert!(bench.sit_out() <= 10_000, "k = 0: it was healthy for ten minutes before it was degraded");
}

#[test]
fn a_check_that_passes_brings_the_trial_forward_and_closes_nothing() {
    let mut bench = Bench::new();
    bench.fail(5).sit_out();
    bench.try_once(Verdict::Failure);
    bench.after(4_999);
    assert_eq!(bench.breaker.invite(bench.now_ms, &mut bench.rng), None, "never sooner than any breaker reopens");
    bench.after(1);
    let moved = bench.breaker.invite(bench.now_ms, &mut bench.rng);
    assert_eq!(moved, Some(Transition { from: State::Open, to: State::HalfOpen }));
    assert_eq!(bench.breaker.factor(bench.now_ms), 0.0);
    bench.try_once(Verdict::Failure);
    assert!(bench.sit_out() >= 20_000, "k = 2: an invitation forgives nothing");
}

#[test]
fn a_body_that_breaks_turns_its_sample_into_a_failure() {
    let mut bench = Bench::new();
    let sample = bench.report(Verdict::Success, None).sample.expect("a success is a sample");
    bench.breaker.correct(0, sample, &mut bench.rng);
    assert_eq!(bench.breaker.tally(0), Tally { samples: 1, successes: 0 });
}

#[test]
fn a_provider_whose_every_body_breaks_has_failures_in_a_row() {
    let mut bench = Bench::new();
    for _ in 0..5 {
        let sample = bench.report(Verdict::Success, None).sample.expect("a success is a sample");
        bench.breaker.correct(bench.now_ms, sample, &mut bench.rng);
    }
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn a_trial_whose_body_breaks_was_a_failed_trial() {
    let mut bench = Bench::new();
    bench.fail(5).sit_out();
    let number = bench.trial();
    let sample = bench.report(Verdict::Success, Some(number)).sample.expect("a success is a sample");
    bench.breaker.correct(bench.now_ms, sample, &mut bench.rng);
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn a_trial_under_way_when_the_outage_begins_anew_keeps_its_place_and_decides_nothing() {
    let mut bench = Bench::new();
    bench.fail(5).sit_out();
    let first = bench.trial();
    let sample = bench.report(Verdict::Success, Some(first)).sample.expect("a success is a sample");
    let second = bench.trial();
    bench.breaker.correct(bench.now_ms, sample, &mut bench.rng);
    assert_eq!(bench.state(), State::Open);
    assert_eq!(bench.breaker.admit_probe(bench.now_ms, &mut bench.rng), Admission::Busy);
    bench.report(Verdict::Success, Some(second));
    assert_eq!(bench.state(), State::Open);
    assert!(matches!(bench.breaker.admit_probe(bench.now_ms, &mut bench.rng), Admission::Trial { .. }));
}

#[test]
fn in_a_panic_one_probe_passes_early_and_its_failure_prolongs_nothing() {
    let mut bench = Bench::new();
    bench.fail(5);
    let until_ms = bench.breaker.reopens_at_ms();
    let Admission::Trial { number } = bench.breaker.admit_probe(0, &mut bench.rng) else { panic!("no probe") };
    assert_eq!(bench.breaker.admit_probe(0, &mut bench.rng), Admission::Busy);
    assert!(matches!(bench.admit(), Admission::Refuse { .. }), "other requests wait as before");
    bench.report(Verdict::Failure, Some(number));
    assert_eq!((bench.state(), bench.breaker.reopens_at_ms()), (State::Open, until_ms));
}

#[test]
fn in_a_panic_a_probe_that_succeeds_half_opens_it() {
    let mut bench = Bench::new();
    bench.fail(5);
    let Admission::Trial { number } = bench.breaker.admit_probe(0, &mut bench.rng) else { panic!("no probe") };
    bench.report(Verdict::Success, Some(number));
    assert_eq!(bench.state(), State::HalfOpen);
    bench.try_once(Verdict::Success);
    assert_eq!(bench.state(), State::Recovering);
}

#[test]
fn a_little_background_noise_ejects_nobody() {
    let mut bench = Bench::new();
    let mut noise = StdRng::seed_from_u64(3);
    for _ in 0..100_000 {
        let verdict = if noise.random_bool(0.02) { Verdict::Failure } else { Verdict::Success };
        bench.after(10).report(verdict, None);
        assert_ne!(bench.breaker.state(), State::Open);
    }
}

#[test]
fn seventy_percent_errors_trip_it_within_thirty_attempts() {
    let mut late = 0;
    for seed in 0..300 {
        let mut bench = Bench::new();
        let mut noise = StdRng::seed_from_u64(seed);
        let attempts = (1..).find(|_| {
            let verdict = if noise.random_bool(0.7) { Verdict::Failure } else { Verdict::Success };
            bench.after(20).report(verdict, None);
            bench.breaker.state() == State::Open
        });
        late += u32::from(attempts.is_none_or(|attempts| attempts > 30));
    }
    assert!(late <= 6, "{late} of 300 took longer: luck, within two in a hundred");
}

/// Whether the table has an arrow from here to there.
fn is_legal(from: State, to: State) -> bool {
    use State::{Degraded, HalfOpen, Healthy, Open, Recovering};
    from == to
        || match from {
            Healthy => matches!(to, Open | Degraded),
            Degraded => matches!(to, Open | Healthy),
            Open => matches!(to, HalfOpen),
            HalfOpen => matches!(to, Open | Recovering),
            Recovering => matches!(to, Open | Healthy),
        }
}

/// One long life: a hundred thousand random events, each looked at from outside.
#[test]
fn a_hundred_thousand_steps_stay_within_the_table() {
    let mut bench = Bench { rng: StdRng::seed_from_u64(29), ..Bench::new() };
    let mut chance = StdRng::seed_from_u64(31);
    let timeout_ms = 20_000;
    bench.breaker.configure(timeout_ms, false);
    let mut in_flight: Vec<(Option<u32>, u64)> = Vec::new();
    // Health comes in spells, so that every state is visited.
    let (mut goodness, mut visits) = (1.0, std::collections::HashMap::new());
    for step in 0..100_000_u32 {
        if step % 500 == 0 {
            goodness = [1.0, 0.9, 0.7, 0.3, 0.0, 1.0][chance.random_range(0..6)];
        }
        let before = bench.breaker.state();
        // One arrow a touch: time first, then the event.
        bench.after(chance.random_range(0..400));
        bench.breaker.advance(bench.now_ms, &mut bench.rng);
        let between = bench.breaker.state();
        assert!(is_legal(before, between), "step {step}: time moved it from {before:?} to {between:?}");
        match chance.random_range(0..20) {
            0..9 => match bench.admit() {
                Admission::Pass { .. } => in_flight.push((None, bench.now_ms)),
                Admission::Trial { number } => in_flight.push((Some(number), bench.now_ms)),
                Admission::Busy | Admission::Refuse { .. } => {}
            },
            9 => {
                if let Admission::Trial { number } = bench.breaker.admit_probe(bench.now_ms, &mut bench.rng) {
                    in_flight.push((Some(number), bench.now_ms));
                }
            }
            10 => _ = bench.breaker.invite(bench.now_ms, &mut bench.rng),
            11 => bench.breaker.configure(timeout_ms, chance.random_bool(0.5)),
            _ if in_flight.is_empty() => {}
            _ => {
                let (trial, _) = in_flight.swap_remove(chance.random_range(0..in_flight.len()));
                let verdict = match chance.random_bool(0.05) {
                    true => Verdict::Neutral,
                    false if chance.random_bool(goodness) => Verdict::Success,
                    false => Verdict::Failure,
                };
                let sample = bench.report(verdict, trial).sample;
                if let Some(sample) = sample.filter(|_| chance.random_bool(0.02)) {
                    assert!(is_legal(between, bench.breaker.state()));
                    bench.breaker.correct(bench.now_ms, sample, &mut bench.rng);
                }
            }
        }
        let after = bench.breaker.state();
        let probed = between == State::Open && after == State::HalfOpen;
        assert!(is_legal(between, after) || probed, "step {step}: {between:?} to {after:?}");
        *visits.entry(format!("{after:?}")).or_insert(0) += 1;
        let factor = bench.breaker.factor(bench.now_ms);
        assert!((0.0..=1.0).contains(&factor), "step {step}: {factor}");
        assert_eq!(factor == 0.0, matches!(after, State::Open | State::HalfOpen), "step {step}");
        if let Some(until_ms) = bench.breaker.reopens_at_ms() {
            let length = until_ms - bench.breaker.since_ms();
            assert!((5_000..=300_000).contains(&length), "step {step}: open for {length} ms");
        }
        let now_ms = bench.now_ms;
        let alive = |(trial, started): &&(Option<u32>, u64)| trial.is_some() && now_ms <= started + timeout_ms;
        let trials: Vec<_> = in_flight.iter().filter(alive).collect();
        let out = matches!(after, State::Open | State::HalfOpen);
        assert!(!out || trials.len() <= 1, "step {step}: {trials:?} at once");
    }
    assert_eq!(visits.len(), 5, "every state was visited: {visits:?}");
}

/// Anything that can happen to a breaker.
#[derive(Clone, Debug)]
enum Event {
    Wait(u64),
    Admit,
    Probe,
    /// Ends the oldest (or newest) request in flight.
    End {
        newest: bool,
        verdict: Verdict,
    },
    /// Breaks the body of an answer that was taken for a success.
    Break,
    Configure {
        alone: bool,
    },
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![4 => Just(Verdict::Failure), 4 => Just(Verdict::Success), 1 => Just(Verdict::Neutral)]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0_u64..2_000).prop_map(Event::Wait),
        1 => (0_u64..700_000).prop_map(Event::Wait),
        8 => Just(Event::Admit),
        1 => Just(Event::Probe),
        8 => (any::<bool>(), verdict()).prop_map(|(newest, verdict)| Event::End { newest, verdict }),
        1 => Just(Event::Break),
        1 => any::<bool>().prop_map(|alone| Event::Configure { alone }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, rng_seed: RngSeed::Fixed(5), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens(events in prop::collection::vec(event(), 1..400), timeout_ms in 1_u64..200_000, seed in any::<u64>()) {
        let mut bench = Bench { rng: StdRng::seed_from_u64(seed), ..Bench::new() };
        let mut in_flight: Vec<Option<u32>> = Vec::new();
        let mut samples = Vec::new();
        bench.breaker.configure(timeout_ms, false);
        // The trial that has been given out and neither ended nor been given up.
        let mut trial: Option<(u32, u64)> = None;
        for event in events {
            let before = bench.breaker.clone();
            match event {
                Event::Wait(ms) => { bench.after(ms); }
                Event::Configure { alone } => bench.breaker.configure(timeout_ms, alone),
                Event::Admit | Event::Probe => {
                    let early = matches!(event, Event::Probe);
                    let peeked = before.peek(bench.now_ms);
                    let admission = if early {
                        bench.breaker.admit_probe(bench.now_ms, &mut bench.rng)
                    } else {
                        bench.admit()
                    };
                    match admission {
                        Admission::Pass { factor } => {
                            prop_assert!(factor > 0.0 && factor <= 1.0);
                            prop_assert!(!matches!(bench.breaker.state(), State::Open | State::HalfOpen));
                            in_flight.push(None);
                        }
                        Admission::Trial { number } => {
                            if let Some((other, started_ms)) = trial {
                                prop_assert!(other != number);
                                prop_assert!(bench.now_ms > started_ms + timeout_ms, "two trials in flight");
                            }
                            if !early {
                                let reopens_at_ms = before.reopens_at_ms().unwrap_or(0);
                                prop_assert!(bench.now_ms >= reopens_at_ms, "admitted before its time");
                                prop_assert_eq!(bench.breaker.state(), State::HalfOpen);
                            }
                            trial = Some((number, bench.now_ms));
                            in_flight.push(Some(number));
                        }
                        Admission::Busy => prop_assert!(bench.breaker.has_trial_in_flight()),
                        Admission::Refuse { until_ms } => {
                            prop_assert_eq!(bench.breaker.state(), State::Open);
                            prop_assert!(until_ms > bench.now_ms);
                            prop_assert!(until_ms <= bench.now_ms + OPEN_LONGEST_MS);
                        }
                    }
                    // Looking and asking agree, but for a silent trial, which only asking ends.
                    if !early && peeked != admission {
                        prop_assert_eq!(peeked, Admission::Busy);
                    }
                }
                Event::End { newest, verdict } => {
                    if in_flight.is_empty() { continue }
                    let ended = in_flight.remove(if newest { in_flight.len() - 1 } else { 0 });
                    let report = bench.report(verdict, ended);
                    samples.extend(report.sample);
                    if ended.is_some() && ended == trial.map(|trial| trial.0) { trial = None; }
                    prop_assert_eq!(report.sample.is_some(), verdict == Verdict::Success);
                }
                Event::Break => {
                    if let Some(sample) = samples.pop() {
                        bench.breaker.correct(bench.now_ms, sample, &mut bench.rng);
                    }
                }
            }
            let tally = bench.breaker.tally(bench.now_ms);
            prop_assert!(tally.successes <= tally.samples);
            let passes = !matches!(bench.breaker.state(), State::Open | State::HalfOpen);
            prop_assert_eq!(bench.breaker.factor(bench.now_ms) > 0.0, passes);
            if passes {
                prop_assert!(bench.breaker.consecutive_failures() < CONSECUTIVE || before.state() != bench.breaker.state());
            }
        }
        // Left alone for long enough, and then answering, everything heals.
        bench.after(OPEN_LONGEST_MS.max(200_001));
        bench.state();
        bench.after(OPEN_LONGEST_MS);
        for _ in 0..30 {
            match bench.admit() {
                Admission::Trial { number } => _ = bench.report(Verdict::Success, Some(number)),
                Admission::Pass { .. } => { bench.succeed(1); }
                other => prop_assert!(false, "stuck: {:?}", other),
            }
        }
        bench.after(90_000);
        prop_assert_eq!(bench.state(), State::Healthy);
        prop_assert_eq!(bench.admit(), PASS);
    }
}
