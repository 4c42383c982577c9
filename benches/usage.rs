//! What reading the usage of an answer costs: `cargo bench --bench usage`.
//!
//! Per frame as it passes, beside what building the JSON of the same frame would cost.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::{hint::black_box, time::Instant};

use bytes::Bytes;
use http::{Response, header, response::Parts};
use rondo::server::proxy::{
    dialect::Dialect,
    usage::{read, sieve::Sieve},
};

const ROUNDS: u32 = 200;

fn main() {
    let event = |tail: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012\",\"object\":\"chat.completion.chunk\",\"created\":1767268800,\"model\":\"gpt-4.1-2025-04-14\",\"service_tier\":\"default\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\" token\"}},\"logprobs\":null,\"finish_reason\":null}}]{tail}}}\n\n"
        )
    };
    let plain: Vec<Bytes> = (0..1_000).map(|_| Bytes::from(event(""))).collect();
    let with_null: Vec<Bytes> = (0..1_000).map(|_| Bytes::from(event(",\"usage\":null"))).collect();
    let text = "A line of text with \\\"quotes\\\" and a break.\\n".repeat(6_000);
    let answer = format!(
        "{{\"choices\":[{{\"message\":{{\"content\":\"{text}\"}}}}],\"usage\":{{\"prompt_tokens\":9,\"completion_tokens\":9}}}}"
    );
    let vector: Vec<String> = (0..1_536).map(|number| format!("-0.00{number:04}8712345")).collect();
    let vectors = format!(
        "{{\"data\":[{{\"embedding\":[{}]}}],\"usage\":{{\"prompt_tokens\":9,\"total_tokens\":9}}}}",
        vector.join(",")
    );
    let frames = |text: &str| text.as_bytes().chunks(16 * 1024).map(Bytes::copy_from_slice).collect::<Vec<_>>();
    println!("{:<44}{:>12}{:>12}{:>12}", "", "bytes", "ns a frame", "MB/s");
    measure("event of a stream", &plain, "text/event-stream");
    measure("event of a stream, \"usage\":null", &with_null, "text/event-stream");
    measure("16 KiB of an answer in JSON", &frames(&answer), "application/json");
    measure("16 KiB of a vector in JSON", &frames(&vectors), "application/json");
    time("event through the sieve", &with_null, |frames| {
        let mut sieve = Sieve::default();
        frames.iter().for_each(|frame| drop(black_box(sieve.pass(frame.clone()))));
    });
    time("event built as JSON, for comparison", &with_null, |frames| {
        for frame in frames {
            let json: serde_json::Value = serde_json::from_slice(&frame[6..]).expect("JSON");
            black_box(json);
        }
    });
}

fn measure(name: &str, frames: &[Bytes], kind: &str) {
    let head = head(kind);
    time(name, frames, |frames| {
        black_box(read(&head, Dialect::Chat, frames.iter().map(|frame| &frame[..])));
    });
}

fn head(kind: &str) -> Parts {
    Response::builder().header(header::CONTENT_TYPE, kind).body(()).expect("a head").into_parts().0
}

fn time(name: &str, frames: &[Bytes], run: impl Fn(&[Bytes])) {
    let bytes: usize = frames.iter().map(Bytes::len).sum();
    run(frames);
    let started = Instant::now();
    (0..ROUNDS).for_each(|_| run(frames));
    let nanos = started.elapsed().as_nanos() as f64 / f64::from(ROUNDS);
    let each = nanos / frames.len() as f64;
    println!("{name:<44}{:>12}{each:>12.0}{:>12.0}", bytes / frames.len(), bytes as f64 / nanos * 1_000.0);
}
