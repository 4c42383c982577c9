//! Bodies that fit, that do not, and a store that is slow or gone.

use tokio::sync::oneshot;

use super::*;
use crate::{
    model::request_log::Outcome,
    server::record::{
        Recorder,
        sample::{NOON_MS, Shelf, request},
    },
};

fn bodies(bytes: usize) -> Box<TakenBodies> {
    let body = TakenBody { bytes: vec![b'x'; bytes].into(), ..TakenBody::default() };
    Box::new(TakenBodies { request: body, response: TakenBody::default() })
}

fn record(recorder: &Recorder, number: u128, bytes: usize) {
    recorder.record_with(request(number, NOON_MS, Outcome::Served, 1), None, Some(bodies(bytes)));
}

fn run(recorder: &Recorder, shelf: &Shelf) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let (stop, stopped) = oneshot::channel();
    let writer = recorder.body_writer().expect("the first to ask");
    (stop, tokio::spawn(writer.run(shelf.clone(), async { drop(stopped.await) })))
}

#[tokio::test(start_paused = true)]
async fn bodies_are_written_and_their_bytes_given_back() {
    let ((recorder, _rows), shelf) = (Recorder::new(1_000), Shelf::default());
    let (stop, task) = run(&recorder, &shelf);
    assert!(recorder.body_writer().is_none(), "one writes");
    for number in 0..100 {
        record(&recorder, number, 10_000);
    }
    assert_eq!(recorder.queued_body_bytes(), 1_000_000);
    let _ = stop.send(());
    task.await.expect("no panic");
    assert_eq!((shelf.count(), recorder.queued_body_bytes(), recorder.dropped_bodies()), (100, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn when_too_much_waits_bodies_go_rows_stay_and_say_so() {
    let (recorder, _rows) = Recorder::new(1_000);
    let mut tail = Vec::new();
    for number in 0..100 {
        record(&recorder, number, 1 << 20);
        tail.push(recorder.dropped_bodies());
    }
    assert_eq!(recorder.dropped_bodies(), 36, "the budget is 64 MiB");
    assert_eq!((tail[63], tail[64]), (0, 1));
    assert_eq!((recorder.queued_rows(), recorder.dropped_rows()), (100, 0));
}

#[tokio::test(start_paused = true)]
async fn bodies_are_dropped_before_the_first_row_is() {
    let (recorder, _rows) = Recorder::new(100);
    for number in 0..120 {
        record(&recorder, number, 10);
    }
    assert_eq!(recorder.dropped_rows(), 20);
    assert_eq!(recorder.dropped_bodies(), 70, "from half of the queue on, and with the rows that were lost");
    assert_eq!(recorder.queued_body_bytes(), 500);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_bodies_is_asked_again_and_then_they_are_counted() {
    let ((recorder, _rows), shelf) = (Recorder::new(1_000), Shelf::default());
    shelf.set(true, Duration::ZERO);
    let (stop, task) = run(&recorder, &shelf);
    record(&recorder, 1, 10);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((recorder.dropped_bodies(), recorder.queued_body_bytes()), (1, 0));
    shelf.set(false, Duration::ZERO);
    record(&recorder, 2, 10);
    let _ = stop.send(());
    task.await.expect("no panic");
    assert_eq!((shelf.count(), recorder.dropped_bodies()), (1, 1));
}

#[test]
fn text_is_kept_without_its_secrets_and_anything_else_by_its_size_alone() {
    let keep = |bytes: &'static [u8], encoded| {
        TakenBody { bytes: Bytes::from_static(bytes), truncated: true, content_type: "a/b".into(), encoded }.keep()
    };
    let text = keep(b"{\"password\":\"abc\"", false);
    assert_eq!((text.text.as_deref(), text.redacted, text.bytes), (Some("{\"password\":\"(redacted)\""), 1, 17));
    assert_eq!(keep("月".as_bytes(), false).text.as_deref(), Some("月"));
    assert_eq!(keep(&"月".as_bytes()[..2], false).text.as_deref(), Some(""), "half a character is left out");
    for (bytes, encoded) in [(&b"\x89PNG\r\n"[..], false), (b"a\0b", false), (b"text", true)] {
        let kept = keep(bytes, encoded);
        assert_eq!((kept.text, kept.bytes), (None, bytes.len() as u64));
    }
}
