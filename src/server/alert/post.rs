//! Carries one message to one channel, once. Ten seconds for all of it, no redirect followed, no
//! proxy of the environment, at most 4 KiB of an answer read.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, header};

use super::{
    channel::{Message, OpenChannel, Reply, judge, outgoing},
    smtp,
};
use crate::{
    model::alert::ChannelKind,
    server::upstream::{guard::AddressPolicy, single::Single},
};

/// How long one try may take.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Read of an answer.
const REPLY_BYTES: usize = 4 * 1024;

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Fault {
    /// Status of the answer, or reply code of the mail server.
    pub status: Option<u16>,
    /// In one line. May repeat what the service said: see [`OpenChannel::redact`].
    pub detail: String,
    /// Whether another try may go better.
    pub retryable: bool,
}

impl Fault {
    /// The service answered and did not take it.
    pub(super) fn refused(status: u16, said: &str) -> Self {
        let told = if said.trim().is_empty() { String::new() } else { format!(": {said}") };
        let retryable = matches!(status, 200..300 | 408 | 429 | 500..);
        Self { status: Some(status), detail: format!("the service answered {status}{told}"), retryable }
    }

    /// The service is somewhere else.
    pub(super) fn redirected(status: u16) -> Self {
        let detail = format!("the service answered {status}: redirects are not followed, enter the final address");
        Self { status: Some(status), detail, retryable: false }
    }

    /// No answer.
    pub(super) fn unreached(reason: impl ToString) -> Self {
        Self { status: None, detail: reason.to_string(), retryable: true }
    }

    /// Nothing was sent, and nothing would change by trying again.
    pub(super) fn unsendable(reason: impl ToString) -> Self {
        Self { status: None, detail: reason.to_string(), retryable: false }
    }
}

/// Carries messages. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Post {
    single: Single,
}

impl Post {
    /// Messages go only where `policy` allows, as requests to providers do.
    pub fn new(policy: Arc<AddressPolicy>) -> Self {
        Self { single: Single::new(policy, PATIENCE) }
    }

    /// Tries once. The answer is the status; a fault tells nothing that is secret.
    pub async fn send(&self, channel: &OpenChannel, message: &Message, now_ms: i64) -> Result<u16, Fault> {
        let tried = async {
            match channel.channel.settings.kind {
                ChannelKind::Email => smtp::send(&self.single, channel, message).await,
                _ => self.post(channel, message, now_ms).await,
            }
        };
        let late = || Fault::unreached(format!("no answer within {} s", PATIENCE.as_secs()));
        let result = tokio::time::timeout(PATIENCE, tried).await.unwrap_or_else(|_| Err(late()));
        result.map_err(|fault| Fault { detail: channel.redact(&fault.detail), ..fault })
    }

    async fn post(&self, channel: &OpenChannel, message: &Message, now_ms: i64) -> Result<u16, Fault> {
        let outgoing = outgoing(channel, message, now_ms);
        let mut request = Request::post(outgoing.target.as_str())
            .header(header::HOST, channel.url.origin.authority())
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .header(header::ACCEPT, "*/*")
            .header(header::USER_AGENT, concat!("rondo/", env!("CARGO_PKG_VERSION")));
        for (name, value) in &outgoing.headers {
            request = request.header(*name, value);
        }
        // The error would repeat the address.
        let request = request
            .body(Bytes::from(outgoing.body))
            .map_err(|_| Fault::unsendable("the address of this channel cannot be sent; enter it again"))?;
        let answer = self.single.exchange(&channel.url.origin, channel.ca_file(), request, REPLY_BYTES).await;
        let answer = answer.map_err(Fault::unreached)?;
        let reply = Reply { status: answer.status, body: String::from_utf8_lossy(&answer.body).into_owned() };
        judge(channel.channel.settings.kind, &reply).map(|()| reply.status)
    }
}
