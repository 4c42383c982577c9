//! A recorded request sent again: to one provider or through its group, with the body that was kept or another.
//!
//! It is a request like any other: it asks a provider, may cost money, and leaves a row of its own in the log. Who
//! sent it stands in the audit trail before it goes.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Response, header};
use http_body_util::BodyExt;

use super::{Principal, Requests, layout, refusal};
use crate::{
    model::{
        body::KeptBody,
        error::{ApiError, ApiResult},
        id::{GroupId, RequestId},
        problem::{Issue, Validate},
        replay::{ReplayDraft, Replayed},
        request_log::RequestDetail,
        user::Permission,
    },
    server::{
        proxy::{
            ReplyBody,
            replay::{Again, NotSent},
        },
        record::bodies::TakenBody,
    },
};

/// Nobody waits longer for an answer; what came until then is shown.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is shown of an answer, bytes; the rest is read and left out.
const SHOWN: usize = 1 << 20;
/// A path as long as this was cut by the log.
const CUT_PATH: usize = 512;

impl Requests<'_> {
    /// Sends a request of the log again.
    pub async fn replay(self, who: &Principal, id: RequestId, draft: ReplayDraft) -> ApiResult<Replayed> {
        who.require(Permission::Operate)?;
        draft.validate().map_err(|problems| ApiError::Invalid { problems })?;
        let detail = self.get(who, id).await?;
        let group = detail.row.group.ok_or_else(|| ApiError::NotFound { what: "group of the request".into() })?;
        let again = self.again(who, &detail, draft).await?;
        let to = again.only.map_or_else(|| "group".to_owned(), |provider| provider.to_string());
        let told = serde_json::json!({"request": id.to_string(), "to": to}).to_string();
        let noted = self.0.store().note(who.name(), self.0.now_ms(), "request.replay", &id.to_string(), &told).await;
        noted.map_err(refusal::of_store)?;
        let sending = self.send(group, again);
        tokio::time::timeout(PATIENCE * 2, sending).await.unwrap_or_else(|_| Err(not_there("answer of the replay")))
    }

    /// The same to be looked at: JSON with a line for each value.
    pub async fn show_replay(self, who: &Principal, id: RequestId, draft: ReplayDraft) -> ApiResult<Replayed> {
        let mut replayed = self.replay(who, id, draft).await?;
        let text = replayed.body.text.take();
        replayed.body.text = text.map(|text| layout::lay_out(&text).unwrap_or(text));
        Ok(replayed)
    }

    async fn again(self, who: &Principal, detail: &RequestDetail, draft: ReplayDraft) -> ApiResult<Again> {
        let ReplayDraft { provider, body, content_type } = draft;
        if detail.row.path.len() >= CUT_PATH {
            let message = "it was too long to be recorded whole".to_owned();
            return Err(ApiError::invalid("path", Issue::Unreadable { message }));
        }
        let (body, kept_type) = match body {
            Some(pasted) => (pasted, None),
            None if detail.row.request_bytes == 0 => (String::new(), None),
            None => self.kept(who, detail.row.id).await?,
        };
        let content_type = content_type.or(kept_type).filter(|kind| !kind.is_empty());
        let mut headers = HeaderMap::new();
        if !body.is_empty() {
            let kind = content_type.unwrap_or_else(|| "application/json".to_owned());
            let kind = HeaderValue::try_from(kind);
            headers.insert(
                header::CONTENT_TYPE,
                kind.map_err(|_| ApiError::invalid("content_type", Issue::InvalidHeader))?,
            );
        }
        let agent = concat!("rondo-replay/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        // Anthropic's API answers nothing without a version; others ignore it.
        headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        let method = Method::from_bytes(detail.row.method.as_bytes());
        let method = method.map_err(|_| ApiError::invalid("method", Issue::InvalidMethod))?;
        Ok(Again { method, path: detail.row.path.clone(), headers, body: Bytes::from(body), only: provider })
    }

    /// The body that was kept, where it is whole.
    async fn kept(self, who: &Principal, id: RequestId) -> ApiResult<(String, Option<String>)> {
        let missing = || ApiError::invalid("body", Issue::BodyNotKept);
        let kept = match self.bodies(who, id).await {
            Ok(bodies) => bodies.request,
            Err(ApiError::NotFound { .. }) => return Err(missing()),
            Err(error) => return Err(error),
        };
        let KeptBody { content_type, truncated, text, redacted, .. } = kept;
        // Where a secret was no text, what stands in its place is no JSON: the provider would blame the request.
        let is_broken = redacted > 0
            && content_type.contains("json")
            && text.as_deref().is_some_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_err());
        if truncated || is_broken {
            return Err(ApiError::invalid("body", Issue::BodyIncomplete));
        }
        Ok((text.ok_or_else(missing)?, Some(content_type)))
    }

    async fn send(self, group: GroupId, again: Again) -> ApiResult<Replayed> {
        let live = self.0.live().ok_or_else(|| not_there("running gateway"))?;
        let started = Instant::now();
        let (id, response) = live.proxy.replay(group, again).await.map_err(|reason| match reason {
            NotSent::NoGroup => not_there("group"),
            NotSent::NoMember => ApiError::invalid("provider", Issue::Unknown),
            NotSent::Refused(error) => ApiError::invalid("path", Issue::Unreadable { message: error.to_string() }),
        })?;
        Ok(gather(id, response, started).await)
    }
}

fn not_there(what: &str) -> ApiError {
    ApiError::NotFound { what: what.to_owned() }
}

/// Reads an answer to its end, or as long as anybody waits.
async fn gather(id: RequestId, response: Response<ReplyBody>, started: Instant) -> Replayed {
    let micros = || u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let (head, mut body) = response.into_parts();
    let head_us = micros();
    let (mut held, mut truncated) = (BytesMut::new(), false);
    let reading = async {
        loop {
            let data = match body.frame().await {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(_)) => return false,
                None => return true,
            };
            let fits = data.len().min(SHOWN - held.len());
            held.extend_from_slice(&data[..fits]);
            truncated |= fits < data.len();
        }
    };
    let complete = tokio::time::timeout(PATIENCE, reading).await.unwrap_or(false);
    let value = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let content_type = head.headers.get(header::CONTENT_TYPE).map(value).unwrap_or_default();
    let encoded = head.headers.contains_key(header::CONTENT_ENCODING);
    let taken = TakenBody { bytes: held.freeze(), truncated, content_type, encoded };
    Replayed {
        id,
        status: head.status.as_u16(),
        headers: head.headers.iter().map(|(name, text)| (name.as_str().to_owned(), value(text))).collect(),
        head_us,
        total_us: micros(),
        complete,
        body: taken.keep(),
    }
}
