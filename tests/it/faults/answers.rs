//! Answers that break off, lie or lead elsewhere.

use rondo::{
    model::request_log::{Outcome, RequestFilter},
    serve::chaos::{Content, CutBy, Framing, Script},
};

use super::{PATH, Trio, alone, asked, caller::Caller, chaos, failures, long};

/// An answer of 4,000 bytes that breaks in its middle.
fn broken(framing: Framing, by: CutBy) -> Script {
    Script { body: Content::Bytes(4_000), framing, ..Script::cut_after(2_000, by) }
}

#[tokio::test]
async fn an_answer_that_breaks_is_never_ended_cleanly_and_never_repeated() {
    for (framing, by) in [
        (Framing::Length, CutBy::Reset),
        (Framing::Chunked, CutBy::Close),
        (Framing::Length, CutBy::HalfClose),
        (Framing::Chunked, CutBy::BadChunk),
        (Framing::Chunked, CutBy::Hang),
        (Framing::Length, CutBy::Hang),
    ] {
        let what = format!("{by:?}, {framing:?}");
        // Two of three answers are whole: a provider that breaks more would soon not be asked.
        let trio = Trio::start("llm", Script::default()).await;
        trio.bad.play_round(vec![Script::default(), broken(framing, by), Script::default()]);
        let heard = trio.asked(long(160, 15_000), 8).await;
        let cut: Vec<_> = heard.iter().filter(|heard| !heard.complete).collect();
        assert!(cut.len() >= 5, "{what}: {} were cut", cut.len());
        assert_eq!(cut.len() as u64, trio.bad.counters().cut, "{what}: every client noticed");
        for one in cut.iter().copied() {
            assert_eq!((one.status, one.header("x-proxy-provider"), one.attempts), (200, "bad", 1), "{what}");
            assert!(one.body.len() <= 2_000 && one.body.iter().all(|byte| *byte == b'x'), "{what}");
        }
        assert_eq!(failures(&heard), cut.len(), "{what}: all others are whole");
        let asked: u64 = [&trio.bad, &trio.good[0], &trio.good[1]].iter().map(|one| one.counters().requests).sum();
        assert_eq!(asked, heard.len() as u64, "{what}: nothing was asked twice");
        let filter = RequestFilter { limit: 200, outcome: Some(Outcome::Interrupted), ..RequestFilter::default() };
        trio.world.log(heard.len().min(200)).await;
        let rows = trio.world.live().requests().list(&trio.world.who, filter).await.expect("the log").rows;
        assert_eq!(rows.len(), cut.len().min(200), "{what}");
        assert!(rows.iter().all(|row| row.attempts == 1), "{what}");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_502_and_the_next_request_is_fine() {
    let huge = Script { head_bytes: 1024 * 1024, ..Script::default() };
    let two_lengths = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}x";
    for (what, script) in [
        ("a head of a MiB", huge),
        ("a status of letters", Script::raw("HTTP/1.1 abc OK\r\ncontent-length: 2\r\n\r\n{}")),
        ("a status of two digits", Script::raw("HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\n{}")),
        ("another protocol", Script::raw("SSH-2.0-OpenSSH_9.9\r\n")),
        ("two lengths", Script::raw(two_lengths)),
        ("a length that is none", Script::raw("HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n{}")),
        ("a header without a name", Script::raw("HTTP/1.1 200 OK\r\n: x\r\ncontent-length: 2\r\n\r\n{}")),
    ] {
        let (provider, world) = alone("llm", Script::default()).await;
        provider.play_round(vec![script, Script::default()]);
        let mut caller = Caller::of(&world);
        for round in 0..2 {
            let bad = caller.post(PATH).await;
            assert_eq!((bad.status, bad.complete), (502, true), "{what} in round {round}: {}", bad.text());
            assert!(bad.code().starts_with("upstream_"), "{what}: {}", bad.code());
            let next = caller.post(PATH).await;
            assert_eq!((next.status, next.complete), (200, true), "{what} in round {round}: {}", next.text());
        }
        assert_eq!(provider.counters().requests, 4, "{what}");
    }
}

#[tokio::test]
async fn a_length_that_lies_harms_no_other_request() {
    let too_long = Script::status(200, "four").with_header("content-length", "400");
    let too_short = Script::status(200, "more than four").with_header("content-length", "4");
    let (provider, world) = alone("llm", Script::default()).await;
    let cut = Script { close_after_ms: Some(0), ..too_long };
    provider.play_round(vec![cut, Script::default(), too_short, Script::default()]);
    let mut caller = Caller::of(&world);
    for _ in 0..long(10, 1_000) {
        let heard = caller.post(PATH).await;
        assert_eq!((heard.text().as_str(), heard.complete), ("four", false), "less than was announced");
        assert!(caller.post(PATH).await.text().contains("chatcmpl"));
        let heard = caller.post(PATH).await;
        assert_eq!((heard.text().as_str(), heard.complete), ("more", true), "more than was announced");
        let heard = caller.post(PATH).await;
        assert!(heard.complete && heard.text().contains("chatcmpl"), "{}", heard.text());
    }
}

#[tokio::test]
async fn huge_heads_leave_the_memory_flat() {
    let (provider, world) = alone("llm", Script::default()).await;
    let huge = || Script { head_bytes: 1024 * 1024, ..Script::default() };
    // One in three: the provider stays in.
    provider.play_round(vec![Script::default(), Script::default(), huge()]);
    asked(&world, 30, 2).await;
    let before = resident_bytes();
    let heard = asked(&world, long(300, 6_000), 2).await;
    assert_eq!(failures(&heard), heard.len() / 3);
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown <= 16 * 1024 * 1024, "{grown} bytes more after {} MiB of heads", heard.len() / 3);
}

/// Memory of this process, the gateway and its providers together.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("pages");
    pages * 4096
}

#[tokio::test]
async fn a_redirect_to_another_host_is_passed_on_and_not_followed() {
    let elsewhere = chaos("elsewhere").await;
    let target = format!("http://{}/stolen", elsewhere.address);
    for status in [301, 302, 303, 307, 308] {
        let (provider, world) = alone("llm", Script::status(status, "").with_header("location", &target)).await;
        let heard = Caller::of(&world).post(PATH).await;
        assert_eq!((heard.status, heard.header("location")), (status, target.as_str()));
        assert_eq!(provider.counters().requests, 1);
    }
    assert_eq!(elsewhere.counters().connections, 0, "nobody came with the credential");
}
