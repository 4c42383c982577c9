//! The scripted provider itself, spoken to directly: a fault that does not happen proves nothing.

use std::{net::Ipv4Addr, process::Stdio, time::Duration};

use rondo::serve::chaos::{Chaos, Content, CutBy, Door, Form, Framing, Options, Script, Words};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::world::{Answer, read_answer};

async fn start(script: Script) -> Chaos {
    let options = Options { name: "a".to_owned(), ..Options::default() };
    let chaos = Chaos::start((Ipv4Addr::LOCALHOST, 0).into(), options).await.expect("a port");
    chaos.play(script);
    chaos
}

async fn ask(chaos: &Chaos, request: &str) -> Answer {
    let mut stream = TcpStream::connect(chaos.address).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("sent");
    read_answer(&mut stream).await
}

async fn get(chaos: &Chaos, path: &str) -> Answer {
    ask(chaos, &format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await
}

async fn put(chaos: &Chaos, path: &str, body: &str) -> Answer {
    let length = body.len();
    ask(
        chaos,
        &format!("PUT {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"),
    )
    .await
}

#[tokio::test]
async fn every_cut_is_on_the_wire_what_it_is_called() {
    let script = |by| Script { body: Content::Bytes(1_000), ..Script::cut_after(400, by) };
    for by in [CutBy::Close, CutBy::Reset, CutBy::HalfClose] {
        let answer = get(&start(script(by)).await, "/").await;
        assert_eq!((answer.status, answer.body.len(), answer.complete), (200, 400, false), "{by:?}");
    }
    let bad_chunk = Script { framing: Framing::Chunked, ..script(CutBy::BadChunk) };
    let answer = get(&start(bad_chunk).await, "/").await;
    assert_eq!((answer.body.len(), answer.complete), (400, false));
    assert_eq!(get(&start(Script::cut(CutBy::Reset)).await, "/").await.status, 0, "not even a head");

    let chaos = start(script(CutBy::Reset)).await;
    let mut stream = TcpStream::connect(chaos.address).await.expect("a connection");
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let end = stream.read_to_end(&mut Vec::new()).await.expect_err("no clean end");
    assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(chaos.counters().cut, 1);
}

#[tokio::test]
async fn one_that_hangs_notices_when_its_client_leaves() {
    let chaos = start(Script::cut_after(10, CutBy::Hang)).await;
    let mut stream = TcpStream::connect(chaos.address).await.expect("a connection");
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let counters = chaos.until(|counters| counters.cut == 1).await;
    assert_eq!((counters.open, counters.left), (1, 0));
    drop(stream);
    chaos.until(|counters| counters.left == 1 && counters.open == 0).await;
}

#[tokio::test]
async fn a_closed_door_refuses_a_full_one_hangs_and_an_open_one_serves_again() {
    let chaos = start(Script::default()).await;
    chaos.set_door(Door::REFUSE).await;
    let error = TcpStream::connect(chaos.address).await.expect_err("refused");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    chaos.set_door(Door::HANG).await;
    let hangs = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(chaos.address)).await;
    assert!(hangs.is_err(), "{hangs:?}");
    chaos.set_door(Door::Open).await;
    assert_eq!(get(&chaos, "/v1/models").await.status, 200);
    assert_eq!(put(&chaos, "/_chaos/door", r#"{"refuse":{"for_ms":50}}"#).await.status, 200);
    while get_or_refused(&chaos).await {}
    while !get_or_refused(&chaos).await {}
}

/// Whether somebody answers.
async fn get_or_refused(chaos: &Chaos) -> bool {
    tokio::task::yield_now().await;
    TcpStream::connect(chaos.address).await.is_ok()
}

#[tokio::test]
async fn a_request_may_bring_its_own_script_for_the_provider_it_names() {
    let chaos = start(Script::default()).await;
    let with = |script: &str| format!("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-chaos: {script}\r\n\r\n");
    assert_eq!(ask(&chaos, &with(r#"{"status":503}"#)).await.status, 503);
    assert_eq!(ask(&chaos, &with(r#"{"on":"a","status":503}"#)).await.status, 503);
    assert_eq!(ask(&chaos, &with(r#"{"on":"b","status":503}"#)).await.status, 200);
    let refused = ask(&chaos, &with(r#"{"statsu":503}"#)).await;
    assert!(refused.status == 400 && refused.text().contains("statsu"), "{refused:?}");
}

#[tokio::test]
async fn scripts_for_all_are_played_round_and_round_and_what_came_is_told() {
    let chaos = start(Script::default()).await;
    assert_eq!(put(&chaos, "/_chaos", r#"[{"status":500},{"status":429},{}]"#).await.status, 200);
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(get(&chaos, "/x?y").await.status);
    }
    assert_eq!(statuses, [500, 429, 200, 500, 429, 200]);
    let told: serde_json::Value = serde_json::from_slice(&get(&chaos, "/_chaos").await.body).expect("JSON");
    assert_eq!((told["counters"]["requests"].as_u64(), told["scripts"][1]["status"].as_u64()), (Some(6), Some(429)));
    assert!(told["last"][5]["head"].as_str().expect("a head").starts_with("GET /x?y HTTP/1.1\r\n"));
    assert_eq!(put(&chaos, "/_chaos", r#"[{"status":"high"}]"#).await.status, 400);
    ask(&chaos, "DELETE /_chaos HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert_eq!((chaos.counters().requests, get(&chaos, "/").await.status), (0, 200));
}

#[tokio::test]
async fn an_echo_tells_what_was_received() {
    let chaos = start(Script { body: Content::Echo, ..Script::default() }).await;
    let answer = ask(&chaos, "POST /a HTTP/1.1\r\nX-One: 1\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc").await;
    let told: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!((told["method"].as_str(), told["target"].as_str()), (Some("POST"), Some("/a")));
    assert_eq!(told["headers"][0], serde_json::json!(["X-One", "1"]));
    assert_eq!(told["body_sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[tokio::test]
async fn a_slow_body_takes_its_time_and_a_stream_its_pauses() {
    let slow = Script { body: Content::Bytes(1_000), bytes_per_second: 4_000, ..Script::default() };
    let began = std::time::Instant::now();
    let answer = get(&start(slow).await, "/").await;
    assert_eq!((answer.body.len(), answer.complete), (1_000, true));
    assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
    let words = Words { count: 5, interval_ms: 20, ..Words::default() };
    let began = std::time::Instant::now();
    let answer = get(&start(Script::events(Form::Plain, words)).await, "/").await;
    assert_eq!((answer.text().matches("data: ").count(), answer.complete), (6, true));
    assert!(began.elapsed() >= Duration::from_millis(80), "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_program_says_where_it_listens_and_does_what_it_is_told() {
    let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_rondo"))
        .args(["chaos", "--script", r#"{"status":418}"#])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(program.stdout.take().expect("piped")).lines();
    let line = lines.next_line().await.expect("readable").expect("a line");
    let address = line.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("sent");
    assert_eq!(read_answer(&mut stream).await.status, 418);
}
