//! Providers that answer with errors, often, seldom, or all of them for a while.

use std::time::{Duration, Instant};

use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use rondo::{
    model::health::HealthState,
    serve::chaos::{Chaos, Door, Script},
};

use super::{PATH, TICK, Trio, caller::Caller, extra_attempts, failures, long, state_of};

fn broken() -> Script {
    Script::status(500, r#"{"error":{"message":"a string broke"}}"#)
}

/// A round of a thousand scripts of which so many are broken, in an order that is always the same.
fn mixed(broken_of_thousand: usize, seed: u64) -> Vec<Script> {
    let mut round: Vec<Script> =
        (0..1_000).map(|index| if index < broken_of_thousand { broken() } else { Script::default() }).collect();
    round.shuffle(&mut StdRng::seed_from_u64(seed));
    round
}

#[tokio::test]
async fn errors_at_every_request_trip_after_five_and_at_seventy_percent_after_thirty() {
    for (share, most) in [(1_000, 5), (700, 30)] {
        let trio = Trio::start("llm", Script::default()).await;
        trio.bad.play_round(mixed(share, 1));
        let heard = trio.asked(long(600, 15_000), 1).await;
        assert_eq!(failures(&heard), 0, "at {share} of a thousand");
        assert_eq!(trio.state_of_bad().await, HealthState::Unhealthy);
        let reached = trio.bad.counters().requests;
        assert!(reached <= most + long(2, 60), "{reached} attempts at {share} of a thousand");
        let amplification = 1.0 + extra_attempts(&heard) as f64 / heard.len() as f64;
        assert!(amplification <= 1.2, "{amplification}");
    }
}

#[tokio::test]
async fn two_percent_of_background_errors_take_nobody_out() {
    let trio = Trio::start("llm", Script::default()).await;
    let everybody = [&trio.good[0], &trio.good[1], &trio.bad];
    for (seed, provider) in (2..).zip(everybody) {
        provider.play_round(mixed(20, seed));
    }
    let (mut asked, mut failed) = (0, 0);
    while asked < long(5_000, 100_000) {
        let heard = trio.asked(1_000, 4).await;
        asked += heard.len();
        failed += failures(&heard);
        for name in ["one", "two", "bad"] {
            assert_eq!(state_of(&trio.world, name).await, HealthState::Healthy, "{name} after {asked}");
        }
    }
    assert!(failed * 2_000 <= asked, "{failed} of {asked} clients saw an error");
    let shares = everybody.map(Chaos::counters).map(|counters| counters.requests);
    let fair = asked as u64 / 3;
    assert!(shares.iter().all(|share| share.abs_diff(fair) < fair / 20), "{shares:?}");
}

#[tokio::test]
async fn after_an_outage_of_everybody_clients_are_served_within_fifteen_seconds() {
    let trio = Trio::start("llm", Script::default()).await;
    let everybody = [&trio.good[0], &trio.good[1], &trio.bad];
    for provider in everybody {
        provider.set_door(Door::REFUSE).await;
    }
    let during = trio.steady(long(Duration::from_secs(4), Duration::from_secs(60))).await;
    assert_eq!(failures(&during), during.len(), "nobody is there");
    assert!(during.iter().all(|heard| matches!(heard.status, 502 | 503)), "and that is what clients are told");
    for provider in everybody {
        provider.set_door(Door::Open).await;
    }
    let returned = Instant::now();
    let mut caller = Caller::of(&trio.world);
    let mut in_a_row = 0;
    while in_a_row < 50 {
        let served = caller.post(PATH).await.status == 200;
        in_a_row = if served { in_a_row + 1 } else { 0 };
        assert!(returned.elapsed() < Duration::from_secs(15), "{in_a_row} in a row by now");
        tokio::time::sleep(TICK).await;
    }
}
