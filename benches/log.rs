//! Figures of the request log and of the dashboard over it: `make bench SCENARIO=log`, on SQLite and on PostgreSQL, or
//! `cargo bench --bench log` on one of them.
//!
//! Rows per second and CPU per row of writing; p50 and p95 of each filter of the log's page, for its first page and
//! for pages further back, and of the count beside it; the same of what the dashboard asks; the time in which the
//! retention removes a day. All of it is asked of the services of a server that runs, as the pages ask. What is above
//! its limit makes the command fail; a search for text has none: it reads a bounded stretch and goes on when asked.
//!
//! On SQLite, in a directory of its own, or on the PostgreSQL that DATABASE_URL names (its log is emptied by the last
//! figure, bit by bit). ROWS (10,000,000) says how many rows to seed first.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::{
    collections::BTreeMap,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use rondo::{
    model::{
        id::{ApiKeyId, GroupId, ProviderId, RequestId},
        request_log::{LogPage, Outcome, RequestDetail, RequestFilter},
        stats::Range,
    },
    serve::{
        foundation::Foundation,
        run::Running,
        seed::{self, Seeds, named},
        upkeep,
    },
    server::{
        admin::{Admin, ApplyOptions, Principal},
        config::{Settings, Sources},
        record::Recorder,
        store::{LogLimits, Store},
    },
};
use uuid::Uuid;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
const DAYS: u32 = 30;
/// How often a first page, a page further back, a count and a dashboard are asked for.
const ASKS: usize = 40;
const WRITTEN: usize = 200_000;
/// Requests of a seeded hour of statistics: of the last day, and of those before.
const PER_HOUR: (i64, i64) = (2_000, 120);
/// What an installation must keep to, milliseconds.
const FILTER_MS: f64 = 200.0;
const DASHBOARD_MS: f64 = 100.0;
const DAY_GONE_MS: f64 = 100.0;

fn main() -> ExitCode {
    let rows = std::env::var("ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(10_000_000);
    let directory = std::env::temp_dir().join(format!("rondo-bench-log-{}", std::process::id()));
    let settings = settings(&directory);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    let figures = runtime.block_on(async {
        let mut figures = Figures::default();
        let store = open(&settings).await;
        writing(&store).await;
        let now_ms = seeding(&store, rows).await;
        store.close().await;
        let running = Running::start(&settings).await.expect("a server");
        let page = Page { admin: running.admin.clone(), who: Principal::system("bench"), now_ms };
        log(&page, &mut figures).await;
        dashboard(&page, &mut figures).await;
        running.stop().await;
        let store = open(&settings).await;
        retention(&store, now_ms, &mut figures).await;
        store.close().await;
        figures
    });
    let _ = std::fs::remove_dir_all(directory);
    figures.verdict()
}

/// Those of a server in this directory, on the database of DATABASE_URL or on SQLite.
fn settings(directory: &Path) -> Settings {
    let mut environment = BTreeMap::from([
        ("RONDO_DATA_DIR".to_owned(), directory.display().to_string()),
        ("RONDO_LISTEN".to_owned(), "127.0.0.1:0".to_owned()),
        ("RONDO_REQUEST_LOG_DAYS".to_owned(), (DAYS + 1).to_string()),
        ("RONDO_REQUEST_LOG_SIZE".to_owned(), "8GiB".to_owned()),
    ]);
    environment.extend(std::env::var("DATABASE_URL").ok().map(|url| ("DATABASE_URL".to_owned(), url)));
    let sources = Sources { environment, flags: BTreeMap::new(), working_dir: std::env::temp_dir() };
    Settings::load(&sources).expect("good settings")
}

/// A store that keeps what the server would keep, with a configuration in it.
async fn open(settings: &Settings) -> Store {
    let foundation = Foundation::open(settings).await.expect("a foundation");
    foundation
        .store
        .limit_request_log(LogLimits { days: settings.log.request_days, bytes: settings.log.request_bytes });
    let providers: Vec<_> = (0..12)
        .map(|n| serde_json::json!({"name": format!("provider {n}"), "base_url": "https://api.example.com", "auth": "none"}))
        .collect();
    let members: Vec<_> = (0..12).map(|n| serde_json::json!({"provider": format!("provider {n}")})).collect();
    let groups: Vec<_> = (0..8)
        .map(|n| serde_json::json!({"name": format!("Team {n}"), "slug": format!("team-{n}"), "providers": members}))
        .collect();
    let file = serde_json::json!({"providers": providers, "groups": groups}).to_string();
    let (who, options) = (Principal::system("bench"), ApplyOptions::default());
    foundation.admin().transfer().apply(&who, &file, options).await.expect("a good file");
    foundation.store
}

/// Batches as the recorder writes them, one after the other.
async fn writing(store: &Store) {
    let mut seeds = Seeds::new(7);
    let now_ms = now_ms();
    let rows: Vec<RequestDetail> = (0..WRITTEN as i64).map(|n| seeds.request(now_ms - 40_000 + n / 5)).collect();
    let (began, used) = (Instant::now(), cpu());
    for batch in rows.chunks(500) {
        store.append_requests(batch, 0).await.expect("appended");
    }
    let (took, used) = (began.elapsed(), cpu() - used);
    let each = used.as_secs_f64() * 1e6 / WRITTEN as f64;
    println!("write {:.0} rows/s, {each:.2} µs CPU of this process a row", WRITTEN as f64 / took.as_secs_f64());
}

/// Rows and statistics of the last thirty days; returns when they end.
async fn seeding(store: &Store, rows: u64) -> i64 {
    let now_ms = now_ms();
    let began = Instant::now();
    seed::fill(store, rows, DAYS, now_ms, |_| {}).await.expect("seeded");
    let (took, bytes) = (began.elapsed(), store.request_log_bytes().await.expect("told"));
    println!("seed {rows} rows in {:.1} s, {:.0} bytes a row", took.as_secs_f64(), bytes as f64 / rows as f64);
    let began = Instant::now();
    statistics(store, now_ms).await;
    println!("seed statistics of {DAYS} days in {:.1} s", began.elapsed().as_secs_f64());
    now_ms
}

/// What a process that counted for thirty days would have written down, hour by hour.
async fn statistics(store: &Store, now_ms: i64) {
    // Nobody writes its rows: it only counts.
    let (recorder, _) = Recorder::new(1);
    let keeper = recorder.keeper(store.clone(), now_ms - i64::from(DAYS) * DAY_MS);
    let mut seeds = Seeds::new(11);
    for hour in (1..=i64::from(DAYS) * 24).rev() {
        let from_ms = now_ms - hour * HOUR_MS;
        let requests = if hour <= 24 { PER_HOUR.0 } else { PER_HOUR.1 };
        for number in 0..requests {
            recorder.record(seeds.request(from_ms + number * HOUR_MS / requests));
        }
        keeper.flush(from_ms + HOUR_MS).await.expect("written");
    }
}

/// The services as a page asks them.
struct Page {
    admin: Admin,
    who: Principal,
    /// The end of what was seeded.
    now_ms: i64,
}

impl Page {
    /// A page of the log, and how long it took.
    async fn search(&self, filter: RequestFilter) -> (Duration, LogPage<RequestDetail>) {
        let began = Instant::now();
        let page = self.admin.requests().search(&self.who, filter).await.expect("searched");
        (began.elapsed(), page)
    }

    /// The count beside it.
    async fn count(&self, filter: &RequestFilter) -> (Duration, String) {
        let began = Instant::now();
        let count = self.admin.requests().count(&self.who, filter.clone()).await.expect("counted");
        (began.elapsed(), format!("{}{}", count.rows, if count.more { "+" } else { "" }))
    }

    /// All that the dashboard asks: its figures, the requests that went wrong, what is alerted.
    async fn dashboard(&self, range: Range, group: Option<GroupId>) -> Duration {
        let began = Instant::now();
        self.admin.stats().overview(&self.who, range, group).await.expect("an overview");
        for outcome in [Outcome::Saved, Outcome::Failed, Outcome::Interrupted] {
            let filter = RequestFilter { outcome: Some(outcome), limit: 8, ..RequestFilter::default() };
            self.search(filter).await;
        }
        self.admin.alerts().firing(&self.who).await.expect("alerts");
        began.elapsed()
    }
}

async fn log(page: &Page, figures: &mut Figures) {
    let newest = page.search(RequestFilter { limit: 200, ..RequestFilter::default() }).await.1;
    let known = newest.rows.last().expect("rows were seeded").row.id;
    for (name, filter) in filters(page.now_ms, known) {
        let limit = filter.text.is_none().then_some(FILTER_MS);
        let filter = RequestFilter { limit: 50, ..filter };
        let (mut first, mut later, mut counts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut seen, mut cut, mut counted) = (0, 0, String::new());
        for ask in 0..ASKS {
            let (took, found) = page.search(filter.clone()).await;
            first.push(took);
            seen += found.rows.len();
            cut += usize::from(found.reached_ms.is_some());
            // Anywhere in what the filter leaves of the log.
            let from_ms = filter.from_ms.unwrap_or(page.now_ms - i64::from(DAYS) * DAY_MS);
            let back_ms = (page.now_ms - from_ms) / (ASKS as i64 + 1) * (ask as i64 + 1);
            let before = RequestId(Uuid::from_u128(((page.now_ms - back_ms) as u128) << 80));
            let (took, found) = page.search(RequestFilter { before: Some(before), ..filter.clone() }).await;
            later.push(took);
            seen += found.rows.len();
            cut += usize::from(found.reached_ms.is_some());
            let (took, told) = page.count(&filter).await;
            counts.push(took);
            counted = told;
        }
        figures.note(&format!("{name}: first page"), first, limit, "");
        figures.note(&format!("{name}: further back"), later, limit, &format!("{seen} rows seen"));
        figures.note(&format!("{name}: count"), counts, limit, &counted);
        // A search gives up after 150 ms and goes on when it is asked again: in time, but not whole.
        if cut * 20 > 2 * ASKS {
            println!("    {name}: {cut} of {} pages stopped before they were full", 2 * ASKS);
            figures.broken.extend(limit.map(|_| format!("{name}: pages that stopped early")));
        }
    }
}

/// Each filter that the page offers, and a few together.
fn filters(now_ms: i64, known: RequestId) -> Vec<(&'static str, RequestFilter)> {
    let none = RequestFilter::default;
    let since = |minutes: i64| RequestFilter { from_ms: Some(now_ms - minutes * MINUTE_MS), ..none() };
    let key = Some(ApiKeyId(named(2, 39)));
    vec![
        ("all", none()),
        ("last 30 min", since(30)),
        ("last hour", since(60)),
        ("last 24 hours", since(24 * 60)),
        ("last 7 days", since(7 * 24 * 60)),
        ("group", RequestFilter { group: Some(GroupId(named(1, 7))), ..none() }),
        ("provider", RequestFilter { provider: Some(ProviderId(named(3, 11))), ..none() }),
        ("key", RequestFilter { api_key: key, ..none() }),
        ("status 200", RequestFilter { status: Some(200), ..none() }),
        ("status 502", RequestFilter { status: Some(502), ..none() }),
        ("status 418, rare", RequestFilter { status: Some(418), ..none() }),
        ("status 599, none", RequestFilter { status: Some(599), ..none() }),
        ("outcome", RequestFilter { outcome: Some(Outcome::Interrupted), ..none() }),
        ("model", RequestFilter { model: Some("llama-4".into()), ..none() }),
        ("request id", RequestFilter { id: Some(known), ..none() }),
        ("key and status", RequestFilter { api_key: key, status: Some(502), ..none() }),
        ("group in 24 hours", RequestFilter { group: Some(GroupId(named(1, 7))), ..since(24 * 60) }),
        ("text, often", RequestFilter { text: Some("upstream_TIMEOUT".into()), ..none() }),
        ("text, rare", RequestFilter { text: Some("internal error 77123".into()), ..none() }),
        ("text, none", RequestFilter { text: Some("100%_nowhere".into()), ..none() }),
    ]
}

async fn dashboard(page: &Page, figures: &mut Figures) {
    let one = Some(GroupId(named(1, 3)));
    for (name, range) in [("1 h", Range::Hour), ("24 h", Range::Day), ("7 d", Range::Week), ("30 d", Range::Month)] {
        for (whose, group) in [("all groups", None), ("one group", one)] {
            let mut times = Vec::new();
            for _ in 0..ASKS {
                times.push(page.dashboard(range, group).await);
            }
            figures.note(&format!("dashboard: {name}, {whose}"), times, Some(DASHBOARD_MS), "");
        }
    }
}

/// Removes day after day as the server does it, all of its housekeeping included.
async fn retention(store: &Store, now_ms: i64, figures: &mut Figures) {
    let mut times = Vec::new();
    for day in 0..20 {
        let before = store.request_log_bytes().await.expect("told");
        let began = Instant::now();
        upkeep::tidy(store, now_ms + (day + 2) * DAY_MS).await.expect("tidied");
        let took = began.elapsed();
        if store.request_log_bytes().await.expect("told") < before {
            times.push(took);
        }
    }
    assert!(times.len() >= 10, "only {} days went", times.len());
    let days = format!("{} days", times.len());
    figures.note("retention: a day goes", times, Some(DAY_GONE_MS), &days);
}

/// What was measured, and whether all of it held.
#[derive(Default)]
struct Figures {
    broken: Vec<String>,
}

impl Figures {
    fn note(&mut self, name: &str, mut times: Vec<Duration>, limit_ms: Option<f64>, more: &str) {
        times.sort_unstable();
        let (p50, p95) = (percentile(&times, 50), percentile(&times, 95));
        let held = limit_ms.is_none_or(|limit| p95 <= limit);
        let (verdict, limit) = match (limit_ms, held) {
            (None, _) => ("    ", String::new()),
            (Some(limit), true) => ("ok  ", format!("(at most {limit:.0})")),
            (Some(limit), false) => ("NOT ", format!("(at most {limit:.0})")),
        };
        println!("{verdict}{name:<34} p50 {p50:>7.1} ms  p95 {p95:>7.1} ms {limit:<14} {more}");
        if !held {
            self.broken.push(name.to_owned());
        }
    }

    fn verdict(self) -> ExitCode {
        if self.broken.is_empty() {
            return ExitCode::SUCCESS;
        }
        println!("beyond their limits: {}", self.broken.join("; "));
        ExitCode::FAILURE
    }
}

/// The time within which so many of a hundred were done, milliseconds; times are sorted.
fn percentile(times: &[Duration], percent: usize) -> f64 {
    let at = (times.len() * percent).div_ceil(100).saturating_sub(1);
    times.get(at).copied().unwrap_or_default().as_secs_f64() * 1e3
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// User and system time of this process, to a hundredth of a second; nothing where there is no /proc.
fn cpu() -> Duration {
    let told = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = told.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
