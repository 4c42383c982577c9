//! Use of daily and monthly caps: added to by every node, never overwritten.

use std::sync::Arc;

use rondo::server::store::{CapUse, Store};

use super::{contracts, place::Place};

contracts![
    use_is_added_and_the_totals_come_back,
    two_nodes_that_add_at_once_lose_nothing,
    only_this_day_and_month_are_brought_back,
    periods_long_over_are_forgotten,
];

fn used(account: &str, period: &str, requests: i64, tokens: i64) -> CapUse {
    CapUse { account: account.into(), period: period.into(), ends_at_ms: 1_000, requests, tokens }
}

async fn use_is_added_and_the_totals_come_back(store: Store, _: Arc<Place>) {
    let first = [used("key:b", "2026-11-23", 2, 10), used("key:a", "2026-11-23", 1, 0)];
    let mut totals = store.add_cap_uses(&first).await.expect("added");
    totals.sort();
    assert_eq!(totals, [used("key:a", "2026-11-23", 1, 0), used("key:b", "2026-11-23", 2, 10)]);
    let totals = store.add_cap_uses(&[used("key:b", "2026-11-23", -1, 5)]).await.expect("added");
    assert_eq!(totals, [used("key:b", "2026-11-23", 1, 15)]);
    assert_eq!(store.add_cap_uses(&[]).await.expect("nothing to do"), []);
}

async fn two_nodes_that_add_at_once_lose_nothing(store: Store, place: Arc<Place>) {
    let other = place.open().await;
    // More rows than one statement takes, in orders that would deadlock if they were kept.
    let uses: Vec<CapUse> = (0..150).map(|number| used(&format!("key:{number:03}"), "2026-11", 1, 1)).collect();
    let backwards: Vec<CapUse> = uses.iter().rev().cloned().collect();
    tokio::join!(
        async {
            for _ in 0..10 {
                store.add_cap_uses(&uses).await.expect("added here");
            }
        },
        async {
            for _ in 0..10 {
                other.add_cap_uses(&backwards).await.expect("added there");
            }
        }
    );
    let totals = store.cap_uses("2026-11-23", "2026-11").await.expect("read");
    assert_eq!(totals.len(), 150);
    assert!(totals.iter().all(|total| (total.requests, total.tokens) == (20, 20)), "{totals:?}");
    other.close().await;
}

async fn only_this_day_and_month_are_brought_back(store: Store, _: Arc<Place>) {
    let uses = ["2026-11-22", "2026-11-23", "2026-10", "2026-11"].map(|period| used("key:a", period, 1, 0));
    store.add_cap_uses(&uses).await.expect("added");
    let mut found = store.cap_uses("2026-11-23", "2026-11").await.expect("read");
    found.sort();
    assert_eq!(found, [used("key:a", "2026-11", 1, 0), used("key:a", "2026-11-23", 1, 0)]);
}

async fn periods_long_over_are_forgotten(store: Store, _: Arc<Place>) {
    let late = CapUse { ends_at_ms: 2_000, ..used("key:a", "2026-11", 1, 0) };
    store.add_cap_uses(&[used("key:a", "2026-11-23", 1, 0), late.clone()]).await.expect("added");
    assert_eq!(store.forget_cap_uses(2_000).await.expect("forgotten"), 1);
    assert_eq!(store.cap_uses("2026-11-23", "2026-11").await.expect("read"), [late]);
}
