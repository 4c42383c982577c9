//! `/_chaos`: scripts for all requests, what came, and the door, for programs that are not in Rust.
//!
//! | request | does |
//! |---|---|
//! | `GET /_chaos` | name, scripts, counters, the heads of the last requests |
//! | `PUT /_chaos` | takes a script or a list of scripts |
//! | `PUT /_chaos/door` | takes `"open"`, `{"refuse":{"for_ms":5000}}` or `{"hang":{"for_ms":5000}}` |
//! | `DELETE /_chaos` | back to ordinary answers, counters to zero |

use std::{io, sync::PoisonError};

use serde_json::json;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{Counters, Door, Shared, received::Received, script};

/// Heads that `GET /_chaos` shows.
const SHOWN: usize = 20;

/// Whether a request is for the control endpoint; it is neither remembered nor counted.
pub(super) fn claims(request: &Received) -> bool {
    matches!(request.target(), "/_chaos" | "/_chaos/door")
}

/// Does what it asks; whether the connection may serve again.
pub(super) async fn answer<S: AsyncWrite + Unpin>(
    line: &mut S,
    shared: &Shared,
    request: &Received,
) -> io::Result<bool> {
    let (status, body) = match obey(shared, request) {
        Ok(body) => (200, body),
        Err(reason) => (400, json!({ "error": reason }).to_string()),
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} Controlled\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    line.write_all(format!("{head}{body}").as_bytes()).await?;
    line.flush().await?;
    Ok(!request.closes())
}

fn obey(shared: &Shared, request: &Received) -> Result<String, String> {
    match (request.method(), request.target()) {
        ("GET", "/_chaos") => Ok(told(shared)),
        ("PUT", "/_chaos") if shared.options.director.is_some() => Err("it is directed by its own program".to_owned()),
        ("PUT", "/_chaos") => {
            shared.play(script::read(&request.body).map_err(|error| error.to_string())?);
            Ok(told(shared))
        }
        ("PUT", "/_chaos/door") => {
            let door: Door = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
            shared.door.0.send_replace(door);
            Ok(told(shared))
        }
        ("DELETE", "/_chaos") => {
            shared.play(Vec::new());
            shared.seen().clear();
            shared.count(|counters| *counters = Counters { open: counters.open, ..Counters::default() });
            Ok(told(shared))
        }
        _ => Err("GET, PUT or DELETE /_chaos, or PUT /_chaos/door".to_owned()),
    }
}

fn told(shared: &Shared) -> String {
    let scripts = shared.score.lock().unwrap_or_else(PoisonError::into_inner).scripts.clone();
    let seen = shared.seen();
    let last: Vec<_> = seen.iter().skip(seen.len().saturating_sub(SHOWN)).collect();
    json!({
        "name": shared.options.name, "scripts": scripts, "counters": *shared.counters.borrow(),
        "door": *shared.door.0.borrow(), "last": last,
    })
    .to_string()
}
