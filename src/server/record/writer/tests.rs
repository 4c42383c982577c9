//! Batches, a store that is slow or gone, and the end.

use tokio::sync::oneshot;

use super::*;
use crate::{
    model::request_log::Outcome,
    server::record::{
        Recorder,
        sample::{NOON_MS, Shelf, request},
    },
};

/// A recorder whose writer runs, and how to stop it.
struct Bench {
    recorder: Recorder,
    shelf: Shelf,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Bench {
    fn start(queue: usize) -> Self {
        let (recorder, writer) = Recorder::new(queue);
        let (shelf, (stop, stopped)) = (Shelf::default(), oneshot::channel());
        let task = tokio::spawn(writer.run(shelf.clone(), async { drop(stopped.await) }));
        Self { recorder, shelf, stop, task }
    }

    fn record(&self, numbers: std::ops::Range<u128>) {
        numbers.for_each(|number| self.recorder.record(request(number, NOON_MS, Outcome::Served, 1)));
    }

    async fn stop(self) -> (Recorder, Shelf) {
        let _ = self.stop.send(());
        self.task.await.expect("no panic");
        (self.recorder, self.shelf)
    }
}

async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

#[tokio::test(start_paused = true)]
async fn few_rows_wait_for_others_and_many_do_not() {
    let bench = Bench::start(10_000);
    bench.record(0..3);
    wait(LINGER / 2).await;
    assert_eq!(bench.shelf.batches(), []);
    wait(LINGER).await;
    assert_eq!(bench.shelf.batches(), [(3, 0)]);
    bench.record(3..1_203);
    wait(LINGER / 2).await;
    assert!(bench.shelf.numbers().len() >= 1_003, "full batches go at once");
    wait(LINGER).await;
    let sizes: Vec<usize> = bench.shelf.batches().iter().map(|batch| batch.0).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 1_203, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size <= BATCH));
}

#[tokio::test(start_paused = true)]
async fn rows_keep_their_order() {
    let bench = Bench::start(10_000);
    bench.shelf.set(false, Duration::from_millis(70));
    for part in 0..50 {
        bench.record(part * 100..(part + 1) * 100);
        wait(Duration::from_millis(30)).await;
    }
    let (_, shelf) = bench.stop().await;
    assert_eq!(shelf.numbers(), (0..5_000).collect::<Vec<u128>>());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_comes_back_gets_every_row_that_was_kept_and_the_number_of_those_that_were_not() {
    let bench = Bench::start(100);
    bench.shelf.set(true, Duration::ZERO);
    for part in 0..100_u128 {
        bench.record(part * 50..(part + 1) * 50);
        wait(Duration::from_millis(20)).await;
    }
    let dropped = bench.recorder.dropped_rows();
    assert!(dropped > 0);
    bench.shelf.set(false, Duration::ZERO);
    wait(Duration::from_secs(60)).await;
    bench.record(5_000..5_001);
    let (recorder, shelf) = bench.stop().await;
    let gaps: u64 = shelf.batches().iter().map(|batch| batch.1).sum();
    assert_eq!(recorder.dropped_rows(), dropped);
    assert_eq!(gaps, dropped);
    assert_eq!(shelf.numbers().len() as u64 + gaps, 5_001);
    assert_eq!(recorder.totals(NOON_MS).total, 5_001);
}

#[tokio::test(start_paused = true)]
async fn a_batch_the_store_never_takes_is_given_up_and_counted_with_the_gap_before_it() {
    let bench = Bench::start(5);
    bench.shelf.set(true, Duration::ZERO);
    // Five fit, three are dropped before the writer has a turn.
    bench.record(0..8);
    wait(Duration::from_secs(300)).await;
    assert_eq!(bench.recorder.dropped_rows(), 8);
    bench.shelf.set(false, Duration::ZERO);
    bench.record(8..10);
    let (_, shelf) = bench.stop().await;
    assert_eq!(shelf.batches(), [(2, 8)]);
}

#[tokio::test(start_paused = true)]
async fn stopping_writes_what_is_left() {
    let bench = Bench::start(10_000);
    bench.record(0..2_500);
    let (recorder, shelf) = bench.stop().await;
    assert_eq!(shelf.numbers().len(), 2_500);
    recorder.record(request(1, NOON_MS, Outcome::Served, 1));
    assert_eq!(recorder.dropped_rows(), 1, "after the end rows are counted as lost");
}

#[tokio::test(start_paused = true)]
async fn stopping_does_not_wait_for_a_store_that_is_gone() {
    let bench = Bench::start(10_000);
    bench.shelf.set(true, Duration::ZERO);
    bench.record(0..1_200);
    let began = Instant::now();
    let (recorder, shelf) = bench.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!((recorder.dropped_rows(), shelf.numbers().len()), (1_200, 0));
}

#[tokio::test(start_paused = true)]
async fn the_live_tail_follows_while_the_store_hangs() {
    let bench = Bench::start(10_000);
    bench.shelf.set(false, Duration::from_secs(3_600));
    let mut tail = bench.recorder.subscribe();
    bench.record(0..3);
    wait(Duration::from_secs(1)).await;
    bench.record(3..5);
    wait(Duration::from_secs(1)).await;
    let numbers: Vec<u128> = bench.recorder.recent(10).iter().map(|detail| detail.row.id.0.as_u128()).collect();
    assert_eq!(numbers, [4, 3, 2, 1, 0]);
    assert_eq!(tail.recv().await.expect("a row").row.id.0.as_u128(), 0);
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_every_recorder_is_gone() {
    let (recorder, writer) = Recorder::new(10);
    let shelf = Shelf::default();
    let task = tokio::spawn(writer.run(shelf.clone(), pending()));
    recorder.record(request(1, NOON_MS, Outcome::Served, 1));
    drop(recorder);
    task.await.expect("no panic");
    assert_eq!(shelf.numbers(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_store_ten_times_too_slow_holds_no_request_up_and_every_row_is_kept_or_counted() {
    const ROWS: u128 = 150_000;
    let bench = Bench::start(4_000);
    // 500 rows a second, and 5,000 come.
    bench.shelf.set(false, Duration::from_secs(1));
    for tick in 0..ROWS / 50 {
        let before = Instant::now();
        bench.record(tick * 50..(tick + 1) * 50);
        assert_eq!(before.elapsed(), Duration::ZERO, "recording waits for nothing");
        wait(Duration::from_millis(10)).await;
    }
    assert_eq!(u128::from(bench.recorder.totals(NOON_MS).total), ROWS, "statistics hear of every request");
    let (recorder, shelf) = bench.stop().await;
    let gaps: u64 = shelf.batches().iter().map(|batch| batch.1).sum();
    let written = shelf.numbers().len() as u64;
    assert!((15_000..30_000).contains(&written), "as many as the store took, and the queue: {written}");
    assert_eq!(gaps, recorder.dropped_rows(), "every row that was lost is told in a gap");
    assert_eq!(u128::from(written + gaps), ROWS);
    assert_eq!(u128::from(recorder.totals(NOON_MS).total), ROWS);
}
