//! One played provider: OpenAI's chat completions, plain and streamed, in a mood that follows a score.

use std::{
    convert::Infallible,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::stream;
use rand::RngExt;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Who is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Slow and always there.
    Adagio,
    /// Fast, and in trouble twice a minute.
    Presto,
}

/// What a provider does with a request at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Playing,
    /// Every request ends in 500.
    Broken,
    /// 429 with the seconds until it is over.
    Spent(u64),
}

impl Part {
    /// The mood at this second of the show; the score repeats every minute.
    fn mood(self, second: u64) -> Mood {
        match (self, second % 60) {
            (Self::Presto, 10..26) => Mood::Broken,
            (Self::Presto, now @ 46..54) => Mood::Spent(54 - now),
            _ => Mood::Playing,
        }
    }

    /// Time until the first word, and between words, in milliseconds.
    fn tempo(self) -> (std::ops::Range<u64>, std::ops::Range<u64>) {
        match self {
            Self::Adagio => (180..520, 35..80),
            Self::Presto => (60..160, 10..30),
        }
    }
}

struct Player {
    part: Part,
    began: Instant,
}

/// Answers on `listener` until it is dropped.
pub(super) async fn play(listener: TcpListener, part: Part) -> io::Result<()> {
    let player = Arc::new(Player { part, began: Instant::now() });
    let routes = Router::new().route("/v1/chat/completions", post(complete)).route("/v1/models", get(models));
    axum::serve(listener, routes.with_state(player)).await
}

async fn models() -> Response {
    answer(
        &json!({ "object": "list", "data": [{ "id": "demo-1", "object": "model", "created": 1, "owned_by": "rondo" }] }),
    )
}

async fn complete(State(player): State<Arc<Player>>, body: Bytes) -> Response {
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let (first, between) = player.part.tempo();
    match player.part.mood(player.began.elapsed().as_secs()) {
        Mood::Broken => return refusal(StatusCode::INTERNAL_SERVER_ERROR, "a string broke"),
        Mood::Spent(seconds) => {
            let mut response = refusal(StatusCode::TOO_MANY_REQUESTS, "out of breath");
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            return response;
        }
        Mood::Playing => {}
    }
    pause(first).await;
    let words = phrase();
    if asked["stream"] == json!(true) { streamed(words, between) } else { plain(&words) }
}

async fn pause(range: std::ops::Range<u64>) {
    let ms = rand::rng().random_range(range);
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

/// An answer of four to sixteen words.
fn phrase() -> Vec<&'static str> {
    const WORDS: [&str; 8] = ["round", "and", "round", "the", "theme", "comes", "home", "again"];
    let mut rng = rand::rng();
    let length = rng.random_range(4..17);
    (0..length).map(|_| WORDS[rng.random_range(0..WORDS.len())]).collect()
}

fn plain(words: &[&str]) -> Response {
    answer(&json!({
        "id": "chatcmpl-demo", "object": "chat.completion", "created": 1, "model": "demo-1",
        "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": words.join(" ") } }],
        "usage": usage(words.len()),
    }))
}

fn streamed(words: Vec<&'static str>, between: std::ops::Range<u64>) -> Response {
    let count = words.len();
    let mut events: Vec<String> =
        words.iter().map(|word| event(&json!({ "content": format!("{word} ") }), &Value::Null)).collect();
    events.push(event(&json!({}), &usage(count)));
    events.push("data: [DONE]\n\n".to_owned());
    let body = stream::unfold(events.into_iter(), move |mut rest| {
        let between = between.clone();
        async move {
            let next = rest.next()?;
            pause(between).await;
            Some((Ok::<_, Infallible>(Bytes::from(next)), rest))
        }
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(body)).into_response()
}

fn event(delta: &Value, usage: &Value) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": null });
    let chunk = json!({
        "id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": 1, "model": "demo-1",
        "choices": [choice], "usage": usage,
    });
    format!("data: {chunk}\n\n")
}

fn usage(words: usize) -> Value {
    json!({ "prompt_tokens": 12, "completion_tokens": words, "total_tokens": 12 + words })
}

fn answer(body: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn refusal(status: StatusCode, message: &str) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    (status, headers, json!({ "error": { "type": "demo", "message": message } }).to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presto_breaks_and_recovers_within_a_minute_and_adagio_never_does() {
        assert_eq!(Part::Presto.mood(0), Mood::Playing);
        assert_eq!(Part::Presto.mood(12), Mood::Broken);
        assert_eq!(Part::Presto.mood(30), Mood::Playing);
        assert_eq!(Part::Presto.mood(107), Mood::Spent(7));
        assert!((0..120).all(|second| Part::Adagio.mood(second) == Mood::Playing));
    }

    #[test]
    fn a_phrase_has_words() {
        assert!((4..17).contains(&phrase().len()));
    }
}
