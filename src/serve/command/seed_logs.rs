//! `rondo seed-logs`: made-up rows for the request log, straight into segments, while no server runs on them.

use clap::Args;

use super::{Failure, flags::StorageFlags, output::Output};
use crate::{
    serve::{
        foundation::{Foundation, StartError},
        seed,
    },
    server::{config::Settings, store::LogLimits},
};

/// Rows between two lines of progress.
const TELL: u64 = 1_000_000;

#[derive(Args)]
pub(super) struct Arguments {
    /// Rows
    #[arg(long, default_value_t = 10_000_000)]
    rows: u64,
    /// Days before now over which they lie
    #[arg(long, default_value_t = 30)]
    days: u32,
    #[command(flatten)]
    storage: StorageFlags,
}

pub(super) async fn run(arguments: Arguments, out: Output) -> Result<(), Failure> {
    let settings = Settings::of_process(arguments.storage.values)?;
    let store = Foundation::open_store(&settings).await?;
    store.migrate().await.map_err(StartError::from)?;
    store.limit_request_log(LogLimits { days: settings.log.request_days, bytes: settings.log.request_bytes });
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let told = |rows: u64| {
        if rows.is_multiple_of(TELL) {
            out.aside(&format!("{rows} rows"));
        }
    };
    let seeded = seed::fill(&store, arguments.rows, arguments.days, now_ms, told).await;
    seeded.map_err(StartError::from)?;
    let bytes = store.request_log_bytes().await.map_err(StartError::from)?;
    store.close().await;
    out.line(&format!("{} rows, {bytes} bytes", arguments.rows));
    Ok(())
}
