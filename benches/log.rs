//! Figures of the request log: `make bench SCENARIO=log`, or `cargo bench --bench log`.
//!
//! Rows per second and CPU per row of writing; p95 of each filter of the log's page at random places, of the count
//! beside it and of a search for text; the time to drop the oldest day. On SQLite, in a directory of its own, or on
//! the PostgreSQL that DATABASE_URL names (its log is emptied by the last figure, bit by bit). ROWS (2,000,000) says
//! how many rows to seed first.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::time::{Duration, Instant};

use rondo::{
    model::{
        id::{ApiKeyId, GroupId, ProviderId, RequestId},
        request_log::{Outcome, RequestDetail, RequestFilter},
    },
    serve::seed::{self, Seeds, named},
    server::store::{LogLimits, Options, Store},
};
use uuid::Uuid;

const DAY_MS: i64 = 86_400_000;
const DAYS: u32 = 30;
const ASKS: u64 = 60;
const WRITTEN: usize = 200_000;

fn main() {
    let rows = std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(2_000_000);
    let url = std::env::var("DATABASE_URL").unwrap_or_else(|_| "sqlite:".to_owned());
    let directory = std::env::temp_dir().join(format!("rondo-bench-log-{}", std::process::id()));
    let options = Options { url: url.parse().expect("DATABASE_URL is an address"), data_dir: directory.clone() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    runtime.block_on(async {
        let store = Store::open(&options).await.expect("the store opens");
        store.migrate().await.expect("the store migrates");
        store.limit_request_log(LogLimits { days: DAYS + 1, bytes: 4 << 30 });
        writing(&store).await;
        reading(&store, rows).await;
        store.close().await;
    });
    let _ = std::fs::remove_dir_all(directory);
}

/// Batches as the recorder writes them, one after the other.
async fn writing(store: &Store) {
    let mut seeds = Seeds::new(7);
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let rows: Vec<RequestDetail> = (0..WRITTEN as i64).map(|n| seeds.request(now_ms - 40_000 + n / 5)).collect();
    let (began, used) = (Instant::now(), cpu());
    for batch in rows.chunks(500) {
        store.append_requests(batch, 0).await.expect("appended");
    }
    let (took, used) = (began.elapsed(), cpu() - used);
    let each = used.as_secs_f64() * 1e6 / WRITTEN as f64;
    println!("write            {:>9.0} rows/s  {each:>6.2} µs CPU a row", WRITTEN as f64 / took.as_secs_f64());
}

async fn reading(store: &Store, rows: u64) {
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let began = Instant::now();
    seed::fill(store, rows, DAYS, now_ms, |_| {}).await.expect("seeded");
    let bytes = store.request_log_bytes().await.expect("told");
    println!(
        "seed             {rows} rows in {:.1} s, {:.0} bytes a row",
        began.elapsed().as_secs_f64(),
        bytes as f64 / rows as f64
    );
    for (name, filter) in filters(now_ms) {
        let mut pages = Vec::new();
        for ask in 0..ASKS {
            // The newest page, then pages anywhere in the log.
            let back = i64::try_from(ask).unwrap_or(0) * i64::from(DAYS) * DAY_MS / ASKS as i64;
            let before = (ask > 0).then(|| RequestId(Uuid::from_u128(((now_ms - back) as u128) << 80)));
            let began = Instant::now();
            let found = store.search(&RequestFilter { before, limit: 50, ..filter.clone() }).await.expect("searched");
            pages.push((began.elapsed(), found.requests.len()));
        }
        let began = Instant::now();
        let count = store.count_requests(&filter).await.expect("counted");
        let counted = began.elapsed();
        let found: usize = pages.iter().map(|(_, rows)| rows).sum();
        let mut times: Vec<Duration> = pages.into_iter().map(|(took, _)| took).collect();
        let (first, p95) = (times[0], p95(&mut times));
        println!(
            "{name:<16} p95 {:>7.1} ms  newest {:>6.1} ms  count {:>6.1} ms ({}{})  {found} rows seen",
            ms(p95),
            ms(first),
            ms(counted),
            count.rows,
            if count.more { "+" } else { "" }
        );
    }
    let mut drops = Vec::new();
    for day in 0..10 {
        let began = Instant::now();
        let gone = store.trim_requests(now_ms + (i64::from(day) + 2) * DAY_MS).await.expect("dropped");
        if gone > 0 {
            drops.push(began.elapsed());
        }
    }
    println!("drop a day       p95 {:>7.1} ms  of {} days", ms(p95(&mut drops)), drops.len());
}

fn filters(now_ms: i64) -> Vec<(&'static str, RequestFilter)> {
    let none = RequestFilter::default;
    vec![
        ("all", none()),
        ("time", RequestFilter { from_ms: Some(now_ms - 9 * DAY_MS), to_ms: Some(now_ms - 2 * DAY_MS), ..none() }),
        ("group", RequestFilter { group: Some(GroupId(named(1, 7))), ..none() }),
        ("provider", RequestFilter { provider: Some(ProviderId(named(3, 11))), ..none() }),
        ("key", RequestFilter { api_key: Some(ApiKeyId(named(2, 39))), ..none() }),
        ("status 200", RequestFilter { status: Some(200), ..none() }),
        ("status 502", RequestFilter { status: Some(502), ..none() }),
        ("status 418 rare", RequestFilter { status: Some(418), ..none() }),
        ("status 599 none", RequestFilter { status: Some(599), ..none() }),
        ("outcome", RequestFilter { outcome: Some(Outcome::Interrupted), ..none() }),
        ("model", RequestFilter { model: Some("llama-4".into()), ..none() }),
        ("key and status", RequestFilter { api_key: Some(ApiKeyId(named(2, 39))), status: Some(502), ..none() }),
        ("text often", RequestFilter { text: Some("upstream_TIMEOUT".into()), ..none() }),
        ("text rare", RequestFilter { text: Some("internal error 77123".into()), ..none() }),
        ("text none", RequestFilter { text: Some("100%_nowhere".into()), ..none() }),
    ]
}

fn p95(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get((times.len() * 95).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// User and system time of this process, to a hundredth of a second; nothing where there is no /proc.
fn cpu() -> Duration {
    let told = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = told.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
