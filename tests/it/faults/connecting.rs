//! Before the first byte: refused, hanging, silent, reset.

use std::time::Duration;

use rondo::{
    model::health::HealthState,
    serve::chaos::{CutBy, Door, Script},
};

use super::{
    CONNECT_MS, PATH, SILENCE_MS, SLACK, Trio, alone, asked, caller::Caller, extra_attempts, failures, long, slowest,
    steady_time, trials_in,
};

#[tokio::test]
async fn refused_connections_fail_no_client_and_end_after_five() {
    let trio = Trio::start("llm", Script::default()).await;
    trio.bad.set_door(Door::REFUSE).await;
    let heard = trio.steady(steady_time()).await;
    assert_eq!(failures(&heard), 0);
    let attempts = extra_attempts(&heard);
    assert!((1..=5 + trials_in(steady_time())).contains(&attempts), "{attempts}");
    assert!(slowest(&heard) <= Duration::from_millis(CONNECT_MS), "{:?}", slowest(&heard));
    assert_eq!((trio.bad.counters().connections, trio.state_of_bad().await), (0, HealthState::Unhealthy));
}

#[tokio::test]
async fn connections_that_hang_delay_by_their_timeout_and_end_after_five() {
    let trio = Trio::start("llm", Script::default()).await;
    trio.bad.set_door(Door::HANG).await;
    let heard = trio.steady(steady_time()).await;
    assert_eq!(failures(&heard), 0);
    let attempts = extra_attempts(&heard);
    assert!((1..=5 + trials_in(steady_time())).contains(&attempts), "{attempts}");
    assert!(slowest(&heard) >= Duration::from_millis(CONNECT_MS), "it did hang");
    assert!(slowest(&heard) <= Duration::from_millis(CONNECT_MS) + SLACK, "{:?}", slowest(&heard));
}

#[tokio::test]
async fn silence_before_the_first_byte_fails_no_client_of_a_language_model() {
    let trio = Trio::start("llm", Script::cut(CutBy::Hang)).await;
    let heard = trio.steady(steady_time()).await;
    assert_eq!(failures(&heard), 0);
    let asked = trio.bad.counters().requests;
    assert!((1..=5 + trials_in(steady_time())).contains(&asked), "{asked}");
    assert!(slowest(&heard) <= Duration::from_millis(SILENCE_MS) + SLACK, "{:?}", slowest(&heard));
}

#[tokio::test]
async fn silence_before_the_first_byte_is_504_at_the_timeout_where_a_repeat_could_do_harm() {
    let (provider, world) = alone("generic", Script::cut(CutBy::Hang)).await;
    let heard = Caller::of(&world).post(PATH).await;
    assert_eq!((heard.status, heard.code().as_str(), heard.attempts), (504, "upstream_ambiguous", 1));
    let timeout = Duration::from_millis(SILENCE_MS);
    assert!((timeout..=timeout + SLACK).contains(&heard.took), "{:?}", heard.took);
    assert_eq!(provider.counters().requests, 1);
}

#[tokio::test]
async fn a_reset_before_any_byte_fails_no_client() {
    for by in [CutBy::Reset, CutBy::Close, CutBy::HalfClose] {
        let trio = Trio::start("llm", Script::cut(by)).await;
        let heard = trio.asked(long(300, 15_000), 1).await;
        assert_eq!(failures(&heard), 0, "{by:?}");
        assert!((1..=6).contains(&trio.bad.counters().requests), "{by:?} {:?}", trio.bad.counters());
    }
}

/// The race that every pool has: the provider closes an idle connection while a request is on its way.
#[tokio::test]
async fn a_connection_that_is_closed_while_it_idles_is_no_502_in_ten_thousand_requests() {
    let ending = |close_after_ms| Script { close_after_ms: Some(close_after_ms), ..Script::status(200, "{}") };
    let (provider, world) = alone("llm", Script::default()).await;
    provider.play_round(vec![ending(0), Script::status(200, "{}"), ending(1), ending(2), ending(0)]);
    let heard = asked(&world, 10_000, 4).await;
    assert_eq!((failures(&heard), heard.len()), (0, 10_000));
    let counters = provider.counters();
    assert!(counters.connections > 2_000, "connections did close: {counters:?}");
}
