//! Clients that hold on to what they do not use.

use std::time::{Duration, Instant};

use rondo::server::config::Settings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{asked, caller::Heard, chaos, failures, file, long};
use crate::world::World;

/// A head must be whole within thirty seconds; the short form has less patience.
fn head_patience() -> Duration {
    long(Duration::from_secs(4), Duration::from_secs(30))
}

fn p99(heard: &[Heard]) -> Duration {
    let mut took: Vec<_> = heard.iter().map(|heard| heard.took).collect();
    took.sort();
    took[took.len() * 99 / 100]
}

/// A connection whose head never ends; how long it was kept.
async fn half_a_head(mut stream: TcpStream) -> Duration {
    let began = Instant::now();
    stream.write_all(b"POST /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-slow: ").await.expect("sent");
    let mut answer = Vec::new();
    let _reset_or_end = stream.read_to_end(&mut answer).await;
    began.elapsed()
}

#[tokio::test]
async fn a_thousand_half_heads_are_closed_after_half_a_minute_and_nobody_else_waits() {
    let provider = chaos("bad").await;
    let file = file("llm", &[("bad", format!("http://{}", provider.address))]);
    let patient = |settings: &mut Settings| settings.web.patience.head = head_patience();
    let world = World::start_changed(&file, &[], patient).await;
    let before = asked(&world, 1_000, 4).await;
    let mut slow = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        slow.spawn(half_a_head(world.connect().await));
    }
    let mut during = Vec::new();
    for _ in 0..long(2, 20) {
        during.extend(asked(&world, 1_000, 4).await);
    }
    assert_eq!(failures(&before) + failures(&during), 0);
    // A millisecond of noise on either side is no delay.
    let most = p99(&before).max(Duration::from_millis(5)) * 2;
    assert!(p99(&during) <= most, "{:?} became {:?}", p99(&before), p99(&during));
    for kept in slow.join_all().await {
        assert!(kept <= head_patience() + Duration::from_secs(1), "{kept:?}");
    }
}
