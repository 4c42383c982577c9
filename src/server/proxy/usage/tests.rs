//! Every protocol, what is not believed, and that the split of the bytes changes nothing.

use http::Response;
use proptest::{prelude::*, test_runner::RngSeed};

use super::{include::Injection, sieve::Sieve, *};

const SSE: &str = "text/event-stream; charset=utf-8";
const JSON: &str = "application/json";

fn head(kind: &str) -> Parts {
    let response = Response::builder().header(header::CONTENT_TYPE, kind).body(());
    response.expect("a head").into_parts().0
}

fn tell(kind: &str, dialect: Dialect, answer: &str) -> Option<Usage> {
    read(&head(kind), dialect, [answer.as_bytes()])
}

/// Input, output, cached, reasoning, as the provider counted them.
fn counted(input: u64, output: u64, cached: Option<u64>, reasoning: Option<u64>) -> Option<Usage> {
    Some(Usage { input: Some(input), output: Some(output), cached, reasoning, estimated: false })
}

const CHAT: &str = r#"{"id":"c1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1200,"completion_tokens":40,"total_tokens":1240,"prompt_tokens_details":{"cached_tokens":1024,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":30}},"system_fingerprint":null}"#;
const CHAT_STREAM: &str = concat!(
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}],\"usage\":null}\n\n",
    "data: {\"choices\":[{\"delta\":{\"content\":\"a \\\"usage\\\":{\\\"prompt_tokens\\\":9}\"}}],\"usage\":null}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":10}}\n\n",
    "data: [DONE]\n\n",
);
const RESPONSES_STREAM: &str = concat!(
    "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"usage\":null}}\n\n",
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"Hi\"}\n\n",
    "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"metadata\":{\"usage\":{\"input_tokens\":1}},",
    "\"output\":[{\"usage\":{\"output_tokens\":1}}],\"usage\":{\"input_tokens\":75,\"input_tokens_details\":{\"cached_tokens\":64},",
    "\"output_tokens\":1186,\"output_tokens_details\":{\"reasoning_tokens\":1024},\"total_tokens\":1261}}}\n\n",
);
const ANTHROPIC_STREAM: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"content\":[],\"usage\":",
    "{\"input_tokens\":25,\"cache_creation_input_tokens\":100,\"cache_read_input_tokens\":1000,\"output_tokens\":1,",
    "\"cache_creation\":{\"ephemeral_5m_input_tokens\":100}}}}\r\n\r\n",
    "event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\r\n\r\n",
    "event: message_delta\r\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":15}}\r\n\r\n",
    "event: message_stop\r\ndata: {\"type\":\"message_stop\"}\r\n\r\n",
);
const GEMINI: &str = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"usageMetadata":{"promptTokenCount":1}}}}]}}],"usageMetadata":{"promptTokenCount":50,"candidatesTokenCount":20,"thoughtsTokenCount":30,"cachedContentTokenCount":40,"toolUsePromptTokenCount":5,"totalTokenCount":105,"promptTokensDetails":[{"modality":"TEXT","tokenCount":50}]},"modelVersion":"gemini-2.5"}"#;

#[test]
fn openai_is_read_in_all_its_forms() {
    assert_eq!(tell(JSON, Dialect::Chat, CHAT), counted(1200, 40, Some(1024), Some(30)));
    assert_eq!(tell(SSE, Dialect::Chat, CHAT_STREAM), counted(7, 3, None, None));
    assert_eq!(tell(SSE, Dialect::Responses, RESPONSES_STREAM), counted(75, 1186, Some(64), Some(1024)));
    let response = r#"{"id":"r","output":[],"usage":{"input_tokens":5,"output_tokens":2,"total_tokens":7}}"#;
    assert_eq!(tell(JSON, Dialect::Responses, response), counted(5, 2, None, None));
    let vectors =
        r#"{"object":"list","data":[{"embedding":[0.1,-2.5e-3]}],"usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    assert_eq!(tell(JSON, Dialect::Unknown, vectors), counted(8, 0, None, None));
}

#[test]
fn anthropic_counts_its_cache_beside_the_input_and_its_output_at_the_end() {
    assert_eq!(tell(SSE, Dialect::Anthropic, ANTHROPIC_STREAM), counted(1125, 15, Some(1000), None));
    let message = r#"{"type":"message","content":[{"type":"tool_use","input":{"usage":{"input_tokens":1,"output_tokens":1}}}],"usage":{"input_tokens":10,"output_tokens":4,"cache_read_input_tokens":0}}"#;
    assert_eq!(tell(JSON, Dialect::Anthropic, message), counted(10, 4, Some(0), None));
}

#[test]
fn gemini_is_read_plain_in_events_and_in_a_list() {
    let expected = counted(55, 50, Some(40), Some(30));
    assert_eq!(tell(JSON, Dialect::Gemini, GEMINI), expected);
    let first = r#"{"candidates":[{"content":{"parts":[{"text":"x"}]}}],"usageMetadata":{"promptTokenCount":50,"totalTokenCount":50}}"#;
    let events = format!("data: {first}\r\n\r\ndata: {GEMINI}\r\n\r\n");
    assert_eq!(tell(SSE, Dialect::Gemini, &events), expected);
    assert_eq!(tell(JSON, Dialect::Gemini, &format!("[{first}\n,\r\n{GEMINI}\n]")), expected);
}

#[test]
fn counts_that_others_keep_apart_are_added_up() {
    let beside = r#"{"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":115,"completion_tokens_details":{"reasoning_tokens":100}}}"#;
    assert_eq!(tell(JSON, Dialect::Chat, beside), counted(10, 105, None, Some(100)));
    let hits = r#"{"usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_cache_hit_tokens":6,"prompt_cache_miss_tokens":4}}"#;
    assert_eq!(tell(JSON, Dialect::Chat, hits), counted(10, 5, Some(6), None));
    let growing = concat!(
        "data: {\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":1}}\n\n",
        "data: {\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":9}}\n\n",
    );
    assert_eq!(tell(SSE, Dialect::Chat, growing), counted(4, 9, None, None), "the last says it all");
}

#[test]
fn a_usage_that_cannot_be_is_not_believed() {
    for usage in [
        r#"{"prompt_tokens":-5,"completion_tokens":3}"#,
        r#"{"prompt_tokens":5,"completion_tokens":3.5}"#,
        r#"{"prompt_tokens":"5","completion_tokens":3}"#,
        r#"{"prompt_tokens":5,"completion_tokens":1000000001}"#,
        r#"{"prompt_tokens":5,"completion_tokens":99999999999999999999999}"#,
        r#"{"prompt_tokens":5 "completion_tokens":3}"#,
        r#"{"prompt_tokens":5,"completion_tokens":[3]}"#,
        r#"{}"#,
        "null",
        "7",
        "\"{}\"",
        "[{\"prompt_tokens\":5,\"completion_tokens\":3}]",
    ] {
        let answer = format!("{{\"choices\":[],\"usage\":{usage}}}");
        assert_eq!(tell(JSON, Dialect::Chat, &answer), None, "{usage}");
    }
    let long = format!("{{\"usage\":{{\"prompt_tokens\":5,\"completion_tokens\":3,\"x\":\"{}\"}}}}", "y".repeat(5_000));
    assert_eq!(tell(JSON, Dialect::Chat, &long), None);
    let more_cached = r#"{"usage":{"prompt_tokens":5,"completion_tokens":3,"cached_tokens":6,"reasoning_tokens":4}}"#;
    assert_eq!(tell(JSON, Dialect::Chat, more_cached), counted(5, 3, None, None), "a part is not more than the whole");
}

#[test]
fn what_the_model_or_the_client_wrote_is_no_usage() {
    for answer in [
        r#"{"choices":[{"message":{"content":"\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3}"}}]}"#,
        r#"{"choices":[{"message":{"content":"x\\","usage":{"prompt_tokens":5,"completion_tokens":3}}}]}"#,
        r#"{"choices":[{"usage":{"prompt_tokens":5,"completion_tokens":3}}]}"#,
        r#"{"content":[{"input":{"message":{"usage":{"input_tokens":5,"output_tokens":3}}}}]}"#,
        r#"{"metadata":{"usage":{"prompt_tokens":5,"completion_tokens":3}}}"#,
        r#"{"x":"usage","y":{"prompt_tokens":5,"completion_tokens":3}}"#,
        r#"{"x":["usage",{"prompt_tokens":5,"completion_tokens":3}]}"#,
        r#"["usage",{"prompt_tokens":5,"completion_tokens":3}]"#,
        r#"{"us\u0061ge":{"prompt_tokens":5,"completion_tokens":3}}"#,
        r#""{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3}}""#,
        "usage: {\"prompt_tokens\":5}",
        "",
    ] {
        assert_eq!(tell(JSON, Dialect::Chat, answer), None, "{answer}");
        assert_eq!(tell(SSE, Dialect::Gemini, &format!("data: {answer}\n\n")), None, "{answer}");
    }
}

#[test]
fn what_cannot_be_read_is_unknown() {
    let mut gzip = head(JSON);
    gzip.headers.insert(header::CONTENT_ENCODING, http::HeaderValue::from_static("gzip"));
    assert_eq!(read(&gzip, Dialect::Chat, [CHAT.as_bytes()]), None);
    assert_eq!(tell("text/html", Dialect::Chat, CHAT), None);
    let mut failed = head(JSON);
    failed.status = StatusCode::BAD_GATEWAY;
    assert_eq!(read(&failed, Dialect::Chat, [CHAT.as_bytes()]), None);
    assert!(Meter::new(&head(JSON), GroupKind::Generic, Dialect::Unknown, None).is_none());
    assert!(Meter::new(&head(JSON), GroupKind::Generic, Dialect::Chat, None).is_some());
    assert_eq!(tell(JSON, Dialect::Chat, &CHAT[..CHAT.len() / 2]), None, "it broke off");
}

#[test]
fn a_stream_without_a_count_is_estimated_and_says_so() {
    let mut meter = Meter::new(&head(SSE), GroupKind::Llm, Dialect::Chat, Some(30)).expect("readable");
    meter.feed(b"data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n");
    assert_eq!(meter.usage(), None, "nothing was written yet");
    meter.feed(b": keepalive\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"cho");
    let guess = Usage { input: Some(30), output: Some(2), estimated: true, ..Usage::default() };
    assert_eq!(meter.usage(), Some(guess));
    let early = &ANTHROPIC_STREAM[..ANTHROPIC_STREAM.find("event: message_delta").expect("there")];
    let told = Usage { estimated: true, ..counted(1125, 1, Some(1000), None).expect("some") };
    assert_eq!(tell(SSE, Dialect::Anthropic, early), Some(told), "what was told stays");
    assert_eq!(tell(SSE, Dialect::Unknown, "data: 1\n\ndata: 2\n\n"), None, "no base");
    assert_eq!(estimate(&Bytes::from_static(b"123456789")), Some(3));
    assert_eq!(
        estimate(&Bytes::from_static(b"{\"url\":\"data:image/png;base64,AAAA\"}")),
        None,
        "a picture is no text"
    );
}

#[test]
fn memory_does_not_grow_with_the_answer() {
    let mut finder = Finder::default();
    let mut tally = Tally::default();
    let block = "x".repeat(1 << 16);
    finder.feed(b"{\"a\":\"", &mut tally);
    (0..100).for_each(|_| finder.feed(block.as_bytes(), &mut tally));
    finder.feed(b"\",\"usage\":{\"prompt_tokens\":1,\"x\":\"", &mut tally);
    (0..100).for_each(|_| finder.feed(block.as_bytes(), &mut tally));
    assert!(finder.kept_bytes() < 16 * 1024, "{}", finder.kept_bytes());
}

#[test]
fn asking_for_usage_touches_no_other_byte() {
    let plan = |body: &str| {
        #[derive(serde::Deserialize)]
        struct Body<'a> {
            #[serde(borrow, default, deserialize_with = "include::present")]
            stream_options: Option<&'a serde_json::value::RawValue>,
        }
        let options = serde_json::from_str::<Body<'_>>(body).expect("JSON").stream_options;
        let Injection { place, text } = Injection::plan(body, options)?;
        Some([&body[..place.start], text, &body[place.end..]].concat())
    };
    for (body, asked) in [
        (r#" { "stream" : true }"#, r#" {"stream_options":{"include_usage":true}, "stream" : true }"#),
        (r#"{"stream_options":null,"a":1e2}"#, r#"{"stream_options":{"include_usage":true},"a":1e2}"#),
        (r#"{"stream_options": { } }"#, r#"{"stream_options": {"include_usage":true} }"#),
        (r#"{"stream_options":{"x":[1]}}"#, r#"{"stream_options":{"include_usage":true,"x":[1]}}"#),
        (r#"{"stream_options":{"include_usage": false}}"#, r#"{"stream_options":{"include_usage": true}}"#),
        (r#"{"stream_options":{"include_usage":null}}"#, r#"{"stream_options":{"include_usage":true}}"#),
    ] {
        assert_eq!(plan(body).as_deref(), Some(asked), "{body}");
    }
    for body in [r#"{"stream_options":{"include_usage":true}}"#, r#"{"stream_options":5}"#, r#"{"stream_options":"x"}"#]
    {
        assert_eq!(plan(body), None, "{body}");
    }
}

fn sieved<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut sieve = Sieve::default();
    let mut out: Vec<u8> = parts.into_iter().flat_map(|part| sieve.pass(Bytes::copy_from_slice(part))).collect();
    out.extend_from_slice(&sieve.end());
    out
}

#[test]
fn only_the_event_that_the_gateway_asked_for_is_taken_out() {
    let extra =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3,\"total_tokens\":10}}\n\n";
    let expected = CHAT_STREAM.replace(extra, "");
    assert_eq!(sieved([CHAT_STREAM.as_bytes()]), expected.as_bytes());
    let crlf = |text: &str| text.replace('\n', "\r\n");
    assert_eq!(sieved([crlf(CHAT_STREAM).as_bytes()]), crlf(&expected).as_bytes());
    for kept in [
        "data: {\"choices\":[],\"prompt_filter_results\":[],\"usage\":null}\n\n".to_owned(),
        "data: {\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1}}\n\n".to_owned(),
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}".to_owned(),
        ": the usage of this\n\nevent: x\ndata: usage\n\n".to_owned(),
        format!("data: {{\"choices\":[],\"usage\":{{\"x\":\"{}\"}}}}\n\ndata: z\n\n", "y".repeat(40_000)),
        "data: a\r\rdata: {\"choices\":[],\"usage\":{}}\r\r".to_owned(),
    ] {
        for size in [1, 7, 9_000, kept.len()] {
            assert_eq!(sieved(kept.as_bytes().chunks(size)), kept.as_bytes(), "{size}");
        }
    }
}

fn streams() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        CHAT,
        CHAT_STREAM,
        RESPONSES_STREAM,
        ANTHROPIC_STREAM,
        GEMINI,
        "data: ",
        "\n\n",
        "\r\n",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        ",",
        ":",
        "\"usage\":",
        "\"usage\": {\"prompt_tokens\":3,\"completion_tokens\":4}",
        "{\"choices\":[],\"usage\":{\"completion_tokens\":4}}",
        "\"message\":{",
        "null",
    ]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, rng_seed: RngSeed::Fixed(11), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_split_of_the_bytes_changes_no_usage(stream in streams(), size in 1_usize..40, events in any::<bool>()) {
        let head = head(if events { SSE } else { JSON });
        let whole = read(&head, Dialect::Chat, [stream.as_bytes()]);
        prop_assert_eq!(read(&head, Dialect::Chat, stream.as_bytes().chunks(1)), whole);
        prop_assert_eq!(read(&head, Dialect::Chat, stream.as_bytes().chunks(size)), whole);
    }

    #[test]
    fn the_split_of_the_bytes_changes_nothing_of_what_the_sieve_lets_through(stream in streams(), size in 1_usize..40) {
        let whole = sieved([stream.as_bytes()]);
        prop_assert_eq!(&sieved(stream.as_bytes().chunks(1)), &whole);
        prop_assert_eq!(&sieved(stream.as_bytes().chunks(size)), &whole);
    }
}
