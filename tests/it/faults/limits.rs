//! 429: whoever asks to be left alone is left alone.

use std::time::Duration;

use rondo::{
    model::health::HealthState,
    serve::chaos::{Chaos, Script},
};

use super::{PATH, Trio, caller::Caller, failures, long};

fn spent(seconds: u32) -> Script {
    Script::status(429, r#"{"error":{"message":"slow down"}}"#).with_header("retry-after", &seconds.to_string())
}

#[tokio::test]
async fn of_a_storm_of_429_two_requests_at_most_reach_the_credential_in_the_time_it_asked_for() {
    let trio = Trio::start("llm", spent(5)).await;
    // A little less than the five seconds, which begin with the first answer.
    let pauses = long(1, 60);
    for pause in 1..=pauses {
        let heard = trio.steady(Duration::from_millis(4_800)).await;
        assert_eq!(failures(&heard), 0);
        let reached = trio.bad.counters().requests;
        assert!(reached <= 2 * pause, "{reached} in {pause} pauses");
    }
    assert!(trio.bad.counters().requests > 0);
    assert_eq!(trio.state_of_bad().await, HealthState::Cooling);
}

#[tokio::test]
async fn when_everybody_answers_429_so_does_the_gateway_at_once_with_the_smallest_wait_and_no_traffic() {
    let trio = Trio::start("llm", spent(9)).await;
    trio.good[0].play(spent(30));
    trio.good[1].play(spent(12));
    let mut caller = Caller::of(&trio.world);
    let first = caller.post(PATH).await;
    assert_eq!((first.status, first.header("retry-after"), first.attempts), (429, "9", 3));
    let everybody = || [&trio.good[0], &trio.good[1], &trio.bad].map(Chaos::counters).map(|counters| counters.requests);
    assert_eq!(everybody(), [1, 1, 1]);
    let mut took = Vec::new();
    for _ in 0..long(100, 5_000) {
        let heard = caller.post(PATH).await;
        assert_eq!((heard.status, heard.code().as_str()), (429, "upstream_rate_limited"));
        let wait: u64 = heard.header("retry-after").parse().expect("seconds");
        assert!((1..=9).contains(&wait), "{wait}");
        took.push(heard.took);
        if heard.header("retry-after") == "1" {
            break;
        }
    }
    took.sort();
    let median = took[took.len() / 2];
    assert!(median <= Duration::from_millis(5), "{median:?}");
    assert_eq!(everybody(), [1, 1, 1], "nobody was asked again");
}
