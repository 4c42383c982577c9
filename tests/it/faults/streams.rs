//! Event streams that fail before or after content.

use rondo::serve::chaos::{Content, CutBy, Form, Script, Words};

use super::{Trio, caller::Caller, failures, long};

/// Where each form is spoken.
const FORMS: [(Form, &str); 3] = [
    (Form::Openai, "/api/proxy/prod/v1/chat/completions"),
    (Form::Anthropic, "/api/proxy/prod/v1/messages"),
    (Form::Gemini, "/api/proxy/prod/v1beta/models/m:streamGenerateContent?alt=sse"),
];

#[tokio::test]
async fn a_stream_that_breaks_after_content_ends_with_an_error_event_and_is_not_repeated() {
    for (form, path) in FORMS {
        for by in [CutBy::Reset, CutBy::Close, CutBy::BadChunk, CutBy::Hang] {
            let trio = Trio::start("llm", Script::default()).await;
            let words = Words { count: 20, interval_ms: 2, ..Words::default() };
            let broken = Script { body: Content::Api(words), ..Script::cut_after(1_200, by) };
            trio.bad.play_round(vec![broken, Script::default()]);
            let mut caller = Caller::of(&trio.world);
            let mut cut = 0;
            for _ in 0..long(12, 600) {
                let heard = caller.post_for_stream(path).await;
                let text = heard.text();
                if heard.complete {
                    assert!(!text.contains("upstream_interrupted"), "{form:?} {by:?}: {text}");
                    continue;
                }
                cut += 1;
                assert_eq!((heard.status, heard.header("x-proxy-provider")), (200, "bad"), "{form:?} {by:?}");
                assert!(text.contains("round ") && text.contains("upstream_interrupted"), "{form:?} {by:?}: {text}");
                for end in ["[DONE]", "message_stop", "\"STOP\""] {
                    assert!(!text.contains(end), "{form:?} {by:?}: {text}");
                }
            }
            assert_eq!(cut, trio.bad.counters().cut, "{form:?} {by:?}");
            assert!(cut >= 2, "{form:?} {by:?}");
            let asked: u64 = [&trio.bad, &trio.good[0], &trio.good[1]].iter().map(|one| one.counters().requests).sum();
            assert_eq!(asked, long(12, 600), "{form:?} {by:?}: nothing was asked twice");
        }
    }
}

#[tokio::test]
async fn a_stream_that_begins_with_an_error_or_says_nothing_is_given_by_another_provider() {
    let error = Words { error_after: Some(0), ..Words::default() };
    let empty = Words { count: 0, ..Words::default() };
    for (form, path) in FORMS {
        for words in [error.clone(), empty.clone()] {
            let trio = Trio::start("llm", Script::events(form, words.clone())).await;
            let mut caller = Caller::of(&trio.world);
            let mut heard = Vec::new();
            for _ in 0..long(60, 3_000) {
                heard.push(caller.post_for_stream(path).await);
            }
            assert_eq!(failures(&heard), 0, "{form:?} {words:?}");
            for one in &heard {
                let text = one.text();
                assert!(text.contains("again ") && !text.to_lowercase().contains("overloaded"), "{form:?}: {text}");
                assert_eq!(text.matches("comes ").count(), 1, "{form:?}: once, not twice: {text}");
            }
            assert!(trio.bad.counters().requests >= 1, "{form:?} {words:?}: it was tried");
        }
    }
}

#[tokio::test]
async fn an_error_event_after_content_reaches_the_client_once_and_nothing_follows() {
    for (form, path) in FORMS {
        let words = Words { error_after: Some(3), ..Words::default() };
        let trio = Trio::start("llm", Script::events(form, words)).await;
        let mut caller = Caller::of(&trio.world);
        let mut met = 0;
        for _ in 0..long(12, 600) {
            let heard = caller.post_for_stream(path).await;
            let text = heard.text();
            if heard.header("x-proxy-provider") != "bad" {
                assert!(heard.complete && text.contains("again "), "{form:?}: {text}");
                continue;
            }
            met += 1;
            assert!(text.contains("round ") && text.to_lowercase().contains("overloaded"), "{form:?}: {text}");
            assert!(!text.contains("[DONE]") && !text.contains("again "), "{form:?}: {text}");
            assert_eq!(text.matches("round and").count() + text.matches("\"round \"").count(), 2, "{form:?}: {text}");
        }
        assert!(met >= 2, "{form:?}");
    }
}
