//! Checks against listeners on the loopback; the clock is a number.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use uuid::Uuid;

use super::*;
use crate::{
    model::{id::CredentialId, provider::Protocol},
    server::{
        health::{board::Board, credential::Refusal, credential::Standing},
        upstream::{connect::Connector, guard::AddressPolicy},
    },
};

/// A provider with one credential, and the path it is checked by.
struct Upstream {
    state: Arc<ProviderState>,
    pool: Arc<Pool>,
    credential: Arc<CredentialState>,
    path: Option<&'static str>,
}

impl Checked for Upstream {
    fn state(&self) -> &Arc<ProviderState> {
        &self.state
    }

    fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    fn credentials(&self) -> impl Iterator<Item = &Arc<CredentialState>> {
        std::iter::once(&self.credential)
    }

    fn check(&self, _: Option<&CredentialState>) -> Option<Request<Outbound>> {
        let request = Request::get(self.path?).header("host", "upstream").body(Outbound::Held(Bytes::new()));
        Some(request.expect("a request"))
    }

    fn proof(&self, _: &CredentialState) -> Option<Request<Outbound>> {
        self.check(None)
    }
}

/// Answers every connection with these bytes; an empty answer only accepts.
async fn listener(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

async fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address")
}

fn upstream(address: SocketAddr, path: Option<&'static str>) -> Arc<Upstream> {
    let board = Board::new(0);
    let connector = Connector {
        host: address.ip().to_string(),
        port: address.port(),
        tls: None,
        protocol: Protocol::Http1,
        egress: None,
        policy: Arc::new(AddressPolicy { allow_private: true, own_listeners: Vec::new() }),
        timeout: Duration::from_secs(1),
    };
    Arc::new(Upstream {
        state: board.provider(ProviderId(Uuid::from_u128(1))),
        pool: Pool::new(connector),
        credential: board.credential(CredentialId(Uuid::from_u128(2))),
        path,
    })
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

/// Ticks every second of a stretch of time, and lets every check end.
async fn run(upstream: &Arc<Upstream>, seconds: std::ops::Range<u64>) {
    let mut checker = Checker::new();
    for second in seconds {
        checker.tick(second * 1_000, 0, std::slice::from_ref(upstream));
        checker.settle().await;
    }
}

/// Ticks every second of the first half minute without use, until the first check has ended.
async fn first_check(upstream: &Arc<Upstream>) {
    let mut checker = Checker::new();
    let checked = (300..=330).any(|second| {
        checker.tick(second * 1_000, 0, std::slice::from_ref(upstream));
        !checker.running.is_empty()
    });
    assert!(checked, "within thirty seconds");
    checker.settle().await;
}

fn trip(upstream: &Upstream, now_ms: u64, outcome: AttemptOutcome) {
    for _ in 0..5 {
        upstream.state.admit(now_ms).expect("it passes").report(now_ms, outcome);
    }
    assert_eq!(upstream.state.breaker_state(), State::Open);
}

fn samples(upstream: &Upstream, second: u64) -> (u32, u32) {
    let tally = upstream.state.breaker().tally(second * 1_000);
    (tally.samples, tally.successes)
}

#[tokio::test]
async fn a_provider_in_use_is_left_alone_and_one_unused_for_five_minutes_is_checked() {
    let dead = upstream(nowhere().await, None);
    run(&dead, 0..300).await;
    assert_eq!(samples(&dead, 299), (0, 0), "not yet unused for five minutes");
    first_check(&dead).await;
    assert_eq!(samples(&dead, 331), (1, 0));
    drop(dead.state.admit(331_000));
    run(&dead, 331..600).await;
    assert_eq!(samples(&dead, 331), (1, 0), "a request came by: it is in use again");
}

#[tokio::test]
async fn a_provider_that_is_gone_is_taken_out_before_a_client_meets_it() {
    let dead = upstream(nowhere().await, None);
    run(&dead, 300..300 + 5 * 38 + 30).await;
    assert_eq!(dead.state.breaker_state(), State::Open);
    assert_eq!(dead.state.last_failure(), Some(AttemptOutcome::Connect));
}

#[tokio::test]
async fn a_connection_says_nothing_about_answers_and_is_no_sample() {
    let alive = upstream(listener("").await, None);
    run(&alive, 300..400).await;
    assert_eq!(samples(&alive, 400), (0, 0));
}

#[tokio::test]
async fn a_connection_ends_a_row_of_failed_connections_only() {
    for (outcome, left) in [(AttemptOutcome::Connect, 0), (AttemptOutcome::ServerError, 4)] {
        let alive = upstream(listener("").await, None);
        for _ in 0..4 {
            alive.state.admit(0).expect("it passes").report(0, outcome);
        }
        run(&alive, 300..340).await;
        assert_eq!(alive.state.breaker().consecutive_failures(), left, "{outcome:?}");
    }
}

#[tokio::test]
async fn a_check_that_gets_as_far_as_the_failures_did_brings_the_trial_forward() {
    use AttemptOutcome as O;
    for (path, outcome, expected) in [
        (None, O::Connect, State::HalfOpen),
        (None, O::Tls, State::HalfOpen),
        (None, O::ServerError, State::Open),
        (None, O::FirstByteTimeout, State::Open),
        (Some("/v1/models"), O::ServerError, State::HalfOpen),
        (Some("/v1/models"), O::Connect, State::HalfOpen),
    ] {
        let back = upstream(listener(OK).await, path);
        trip(&back, 0, outcome);
        // Long outages are what a check is for: the breaker alone would wait for minutes.
        for _ in 0..5 {
            let until_ms = back.state.breaker().reopens_at_ms().expect("it is open");
            back.state.admit(until_ms).expect("a trial").report(until_ms, outcome);
        }
        let opened_s = back.state.breaker().since_ms().div_ceil(1_000);
        run(&back, opened_s..opened_s + 70).await;
        assert_eq!(back.state.breaker_state(), expected, "{outcome:?} by {path:?}");
        assert_eq!(back.state.factor((opened_s + 70) * 1_000), 0.0, "a check closes nothing");
    }
}

#[tokio::test]
async fn a_failed_check_prolongs_no_outage() {
    let dead = upstream(nowhere().await, None);
    trip(&dead, 0, AttemptOutcome::Connect);
    let until_ms = dead.state.breaker().reopens_at_ms();
    run(&dead, 0..4).await;
    apply(&dead.state, Found::Ended(AttemptOutcome::Connect, None), 1_000);
    assert_eq!(dead.state.breaker().reopens_at_ms(), until_ms);
}

#[tokio::test]
async fn the_answer_to_a_named_path_counts_as_the_table_has_it() {
    for (answer, expected, standing) in [
        (OK, (1, 1), Standing::Ready),
        ("HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n", (1, 1), Standing::Ready),
        ("HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n", (1, 0), Standing::Ready),
        ("HTTP/1.1 401 X\r\ncontent-length: 0\r\n\r\n", (0, 0), Standing::Ready),
        ("SSH-2.0\r\n\r\n", (1, 0), Standing::Ready),
    ] {
        let checked = upstream(listener(answer).await, Some("/v1/models"));
        first_check(&checked).await;
        assert_eq!(samples(&checked, 331), expected, "{answer}");
        assert_eq!(checked.credential.standing(331_000), standing, "{answer}");
    }
    let limited = "HTTP/1.1 429 X\r\nretry-after: 100\r\ncontent-length: 0\r\n\r\n";
    let limited = upstream(listener(limited).await, Some("/v1/models"));
    first_check(&limited).await;
    assert!(matches!(limited.credential.standing(331_000), Standing::Cooling { .. }));
    assert_eq!(samples(&limited, 331), (0, 0));
}

#[tokio::test]
async fn a_free_request_decides_about_a_suspect_credential() {
    use Refusal::{Credential, Perhaps};
    let refused = "HTTP/1.1 401 X\r\ncontent-length: 0\r\n\r\n";
    let forbidden = "HTTP/1.1 403 X\r\ncontent-length: 0\r\n\r\n";
    let absent = "HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n";
    let google =
        "HTTP/1.1 400 X\r\ncontent-length: 52\r\n\r\n{\"error\":{\"details\":[{\"reason\":\"API_KEY_INVALID\"}]}}";
    let path = Some("/v1/models");
    for (path, answer, refusal, fails) in [
        (path, OK, Credential, false),
        (path, refused, Credential, true),
        (path, refused, Perhaps, true),
        (path, forbidden, Perhaps, true),
        (path, google, Perhaps, true),
        (path, absent, Credential, true),
        (path, absent, Perhaps, false),
        (None, OK, Credential, true),
        (None, OK, Perhaps, false),
    ] {
        let one = upstream(listener(answer).await, path);
        drop(one.state.admit(1_000));
        (0..2).for_each(|_| one.credential.refused(1_000, refusal));
        run(&one, 1..3).await;
        assert_eq!(one.credential.has_failed(3_000), fails, "{answer:?} by {path:?} after {refusal:?}");
        assert!(!one.credential.needs_check(3_000));
    }
}

#[tokio::test]
async fn a_failed_credential_comes_back_within_five_minutes_of_being_mended() {
    let mended = upstream(listener(OK).await, Some("/v1/models"));
    mended.credential.decide(0, Finding::Refused);
    run(&mended, 0..300).await;
    assert!(mended.credential.has_failed(299_000));
    run(&mended, 300..302).await;
    assert_eq!(mended.credential.standing(302_000), Standing::Ready);
}

#[tokio::test]
async fn no_more_than_eight_checks_run_at_once() {
    let address = listener("").await;
    let board = Board::new(0);
    let many: Vec<_> = (0..40)
        .map(|number| {
            let one = upstream(address, Some("/never-answered"));
            let state = board.provider(ProviderId(Uuid::from_u128(number)));
            let (pool, credential) = (one.pool.clone(), one.credential.clone());
            Arc::new(Upstream { state, pool, credential, path: one.path })
        })
        .collect();
    let mut checker = Checker::new();
    for second in 300..330 {
        checker.tick(second * 1_000, 0, &many);
        assert!(checker.running.len() <= AT_ONCE, "{}", checker.running.len());
    }
    assert_eq!(checker.running.len(), AT_ONCE);
}
