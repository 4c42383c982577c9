//! `GET …/models` of a group: what its members serve, in one list.
//!
//! A client that lists models wants to know what it may ask the group for, and whichever member
//! happened to be drawn knows only its own. So all that may be drawn are asked at once, for a
//! bounded time; names are those the client has to use, and each is listed once. The list is kept for
//! a minute, for one table and for all clients; a key with model globs sees its own part of it.
//!
//! A member that fails, is slow or answers something else is left out. When nobody answers, the
//! request goes the ordinary way and fails as any other would.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, StreamExt, stream::FuturesOrdered};
use globset::GlobSet;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, timeout_at};

use super::{
    Shared,
    attempt::{Answered, Ask, Attempted, attempt},
    call::Call,
    entry::Watch,
    inbound::Payload,
    select::{Candidate, Draw},
    verdict::{self, Next},
};
use crate::{
    model::{
        drill::Fault,
        group::GroupKind,
        id::GroupId,
        request_log::{Attempt, AttemptOutcome},
    },
    server::{
        health::{
            cooldown,
            passive::{self, Told},
        },
        routing::table::{Group, Provider},
        upstream::pool::Freshness,
    },
};

/// How long a list is kept, milliseconds.
const KEPT_MS: u64 = 60_000;
/// How long members may take together.
const WAIT: Duration = Duration::from_secs(5);
/// Members asked at the same time.
const AT_ONCE: usize = 16;
/// Largest page of one member's list, bytes.
const PAGE_BYTES: usize = 4 << 20;
/// Pages of one member's list.
const PAGES: usize = 10;
/// Lists kept; beyond it all are dropped and asked for again.
const LISTS: usize = 1_024;
/// How the record tells why a member was asked.
const CHOSEN: &str = "asked for its part of the list";
/// Without a version Anthropic's API answers nothing; others ignore it.
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// Whose list it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// OpenAI's and Anthropic's: `{"data": [{"id": …}]}`.
    Data,
    /// Gemini's: `{"models": [{"name": "models/…"}]}`.
    Gemini,
}

/// One model: the name that clients use, and what its provider says about it.
#[derive(Clone, Debug, PartialEq)]
struct Listed {
    name: String,
    about: Map<String, Value>,
}

/// Lists kept for a while. Cheap to look at; a list that is missing is asked for by one request
/// while the others wait for it.
#[derive(Default)]
pub struct ModelLists {
    /// Held to find or make a slot, never across an await.
    slots: Mutex<HashMap<(GroupId, String), Arc<Slot>>>,
}

/// Locked by the request that asks the members: the others wait for its list.
type Slot = tokio::sync::Mutex<Option<Kept>>;

struct Kept {
    revision: i64,
    at_ms: u64,
    models: Arc<Vec<Listed>>,
}

impl ModelLists {
    fn slot(&self, group: GroupId, path: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= LISTS {
            slots.clear();
        }
        slots.entry((group, path.to_owned())).or_default().clone()
    }
}

/// Whether the request asks for a list that is to be put together: several members, or a key that
/// may see a part only.
pub fn asked_for(group: &Group, call: &Call, allowed: Option<&GlobSet>) -> Option<Shape> {
    if group.kind != GroupKind::Llm || call.method != Method::GET || call.query().is_some() {
        return None;
    }
    let shape = match call.tail() {
        "/models" | "/v1/models" => Shape::Data,
        "/v1beta/models" => Shape::Gemini,
        _ => return None,
    };
    let members = group.members.iter().filter(|member| member.provider.enabled && member.priority > 0).count();
    (members > 1 || (members == 1 && allowed.is_some())).then_some(shape)
}

/// The list as this client sees it, and the attempts that were made for it: none where it was kept. `None` when no
/// member answered.
pub async fn answer(
    shared: &Shared,
    group: &Group,
    revision: i64,
    call: &Call,
    watch: Watch,
    shape: Shape,
    allowed: Option<&GlobSet>,
) -> Option<(Bytes, Vec<Attempt>)> {
    let slot = shared.model_lists.slot(group.id, call.tail());
    let mut kept = slot.lock().await;
    let now_ms = shared.clock.now_ms();
    let fresh = kept.as_ref().filter(|kept| kept.revision == revision && now_ms.saturating_sub(kept.at_ms) < KEPT_MS);
    let (models, attempts) = match fresh {
        Some(kept) => (kept.models.clone(), Vec::new()),
        None => {
            let (models, attempts) = gather(shared, group, call, watch, shape).await?;
            let models = Arc::new(models);
            *kept = Some(Kept { revision, at_ms: now_ms, models: models.clone() });
            (models, attempts)
        }
    };
    drop(kept);
    let visible = models.iter().filter(|model| allowed.is_none_or(|allowed| allowed.is_match(&model.name)));
    Some((Bytes::from(render(shape, visible).to_string()), attempts))
}

/// An attempt at this provider that began then and ends now.
fn attempt_at(provider: &Provider, watch: Watch, started_us: u64, outcome: AttemptOutcome, detail: String) -> Attempt {
    Attempt {
        provider: provider.id,
        provider_name: provider.name.to_string(),
        credential: None,
        outcome,
        status: None,
        started_us,
        first_byte_us: None,
        first_output_us: None,
        ended_us: watch.elapsed_us().saturating_sub(started_us),
        choice: None,
        chosen: CHOSEN.to_owned(),
        detail,
        drill: None,
        skipped: Vec::new(),
    }
}

/// Asks every member that may be drawn; `None` when none of them answered with a list.
async fn gather(
    shared: &Shared,
    group: &Group,
    call: &Call,
    watch: Watch,
    shape: Shape,
) -> Option<(Vec<Listed>, Vec<Attempt>)> {
    let deadline = Instant::now() + WAIT;
    let mut members = 0..group.members.len();
    let mut asked = FuturesOrdered::new();
    let (mut models, mut known, mut answered, mut attempts) = (Vec::new(), HashSet::new(), false, Vec::new());
    loop {
        while asked.len() < AT_ONCE
            && let Some(member) = members.next()
        {
            let asking = async move {
                let (mut made, started_us) = (Vec::new(), watch.elapsed_us());
                let list = timeout_at(deadline, ask(shared, group, member, call, watch, shape, &mut made)).await;
                if list.is_err() {
                    let detail = format!("no list within {} s", WAIT.as_secs());
                    let provider = &group.members[member].provider;
                    made.push(attempt_at(provider, watch, started_us, AttemptOutcome::FirstByteTimeout, detail));
                }
                (list.ok().flatten(), made)
            };
            asked.push_back(asking.boxed());
        }
        let Some((list, made)) = asked.next().await else { break };
        attempts.extend(made);
        if let Some(list) = list {
            answered = true;
            models.extend(list.into_iter().filter(|model: &Listed| known.insert(model.name.clone())));
        }
    }
    answered.then_some((models, attempts))
}

/// What one member serves, under the names that clients use; `None` when it does not say.
async fn ask(
    shared: &Shared,
    group: &Group,
    member: usize,
    call: &Call,
    watch: Watch,
    shape: Shape,
    made: &mut Vec<Attempt>,
) -> Option<Vec<Listed>> {
    let provider = &group.members[member].provider;
    let mut models = Vec::new();
    let mut query = None;
    for _ in 0..PAGES {
        let page_call = call.asking_for(headers_of(call), query.take());
        let page = ask_page(shared, group, member, &page_call, watch, made).await?;
        models.extend(read(shape, &page)?.into_iter().flat_map(|model| names(provider, model)));
        query = next_page(shape, &page);
        if query.is_none() {
            break;
        }
    }
    Some(models)
}

/// One page, with the next credential of the member where one is refused or used up.
async fn ask_page(
    shared: &Shared,
    group: &Group,
    member: usize,
    call: &Call,
    watch: Watch,
    made: &mut Vec<Attempt>,
) -> Option<Value> {
    let clock = &shared.clock;
    let mut draw = Draw::open(group, &shared.limiter, None, 0, false);
    let ask = Ask {
        call,
        id: watch.id,
        place: None,
        model: None,
        injection: None,
        identity: true,
        rules: &group.outcome_rules,
        streams: false,
        first_output_timeout: None,
    };
    loop {
        let mut candidate = draw.only(member, clock.now_ms(), clock.now_ns())?;
        candidate.permit.meet_drill(clock.now_ms());
        let started_us = watch.elapsed_us();
        let attempted = attempt(&ask, &candidate, &mut Payload::empty(), Freshness::Any).await;
        made.extend(recorded(&attempted, &candidate, watch, started_us));
        match attempted {
            Attempted::Answer(answered) => {
                learn(shared, &mut candidate, &answered);
                if answered.outcome == AttemptOutcome::Answered {
                    return serde_json::from_slice(&whole(*answered).await?).ok();
                }
                if verdict::next(answered.outcome, true) != Next::AnyOther {
                    return None;
                }
            }
            Attempted::Failed { outcome, .. } => {
                candidate.permit.report(clock.now_ms(), outcome);
                return None;
            }
            Attempted::Inbound(_) => return None,
        }
    }
}

/// How the record tells of an attempt; the body of an answer is still to come.
fn recorded(attempted: &Attempted, candidate: &Candidate, watch: Watch, started_us: u64) -> Option<Attempt> {
    let (outcome, detail, seen) = match attempted {
        Attempted::Answer(answered) => (answered.outcome, answered.detail.to_owned(), Some(answered.seen)),
        Attempted::Failed { outcome, detail, seen, .. } => (*outcome, detail.clone(), *seen),
        Attempted::Inbound(_) => return None,
    };
    Some(Attempt {
        credential: candidate.credential().map(|credential| credential.id),
        status: seen.map(|seen| seen.status.as_u16()),
        first_byte_us: seen.map(|seen| watch.until_us(seen.at).saturating_sub(started_us)),
        drill: candidate.permit.met().filter(|met| met.fault != Fault::Truncate).map(|met| met.drill),
        ..attempt_at(&candidate.provider, watch, started_us, outcome, detail)
    })
}

/// A list says as much about its provider's health as any other answer.
fn learn(shared: &Shared, candidate: &mut Candidate, answered: &Answered) {
    let now_ms = shared.clock.now_ms();
    candidate.permit.report(now_ms, answered.outcome);
    let body = answered.content.peeked.as_deref().unwrap_or_default();
    let asked_ms = (answered.head.status.as_u16() >= 400)
        .then(|| cooldown::read(&answered.head.headers, body, shared.unix_ms(now_ms)))
        .flatten();
    let credential = candidate.credential().map_or_else(|| candidate.provider.state.keyless(), |one| &one.state);
    let told = Told { status: Some(answered.head.status.as_u16()), retry_after_ms: asked_ms };
    if candidate.permit.may_teach(credential) {
        passive::learn(credential, answered.outcome, told, now_ms);
    }
}

/// The whole body, unless it is too large or breaks.
async fn whole(answered: Answered) -> Option<Bytes> {
    let mut body = BytesMut::from(answered.content.peeked.as_deref().unwrap_or_default());
    let Some((mut rest, lease)) = answered.content.rest else { return Some(body.freeze()) };
    while let Some(frame) = rest.frame().await {
        if let Ok(data) = frame.ok()?.into_data() {
            body.extend_from_slice(&data);
        }
        if body.len() > PAGE_BYTES {
            return None;
        }
    }
    lease.release();
    Some(body.freeze())
}

/// What members are asked with: nothing of one client's own, since the list is for all.
fn headers_of(call: &Call) -> HeaderMap {
    let version = call.headers.get(ANTHROPIC_VERSION).cloned();
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(ANTHROPIC_VERSION, version.unwrap_or_else(|| HeaderValue::from_static("2023-06-01")));
    headers
}

/// The models of one page; `None` when it is no list of this shape.
fn read(shape: Shape, page: &Value) -> Option<Vec<Listed>> {
    let (list, key) = match shape {
        Shape::Data => ("data", "id"),
        Shape::Gemini => ("models", "name"),
    };
    let models = page.get(list)?.as_array()?.iter().filter_map(|model| {
        let about = model.as_object()?.clone();
        let name = about.get(key)?.as_str()?;
        let name = if shape == Shape::Gemini { name.strip_prefix("models/").unwrap_or(name) } else { name };
        Some(Listed { name: name.to_owned(), about })
    });
    Some(models.collect())
}

/// The query of the next page, where there is one.
fn next_page(shape: Shape, page: &Value) -> Option<String> {
    let (name, value) = match shape {
        Shape::Data => ("after_id", page.get("has_more")?.as_bool()?.then(|| page.get("last_id"))?),
        Shape::Gemini => ("pageToken", page.get("nextPageToken")),
    };
    let value = value?.as_str().filter(|value| !value.is_empty())?;
    // Nothing that would end the parameter: what a provider says is not put into a query unseen.
    let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:@/=".contains(&byte));
    plain.then(|| format!("{name}={value}"))
}

/// The names under which clients may ask this provider for one of its models.
fn names(provider: &Provider, model: Listed) -> Vec<Listed> {
    let mapped = provider.model_map.iter().filter(|(_, theirs)| **theirs == model.name).map(|(ours, _)| ours.clone());
    let mut names: Vec<String> = mapped.collect();
    names.sort_unstable();
    // Its own name reaches it unless that is mapped to another, or not among those served.
    if !provider.model_map.contains_key(&model.name) && provider.serves(Some(&model.name)) {
        names.insert(0, model.name);
    }
    names.into_iter().map(|name| Listed { name, about: model.about.clone() }).collect()
}

/// The list, readable by the libraries of OpenAI and of Anthropic alike, or by Gemini's.
fn render<'a>(shape: Shape, models: impl Iterator<Item = &'a Listed>) -> Value {
    let named = |model: &Listed, key: &str, name: String| {
        let mut about = model.about.clone();
        about.insert(key.to_owned(), Value::String(name));
        Value::Object(about)
    };
    match shape {
        Shape::Data => {
            let data: Vec<Value> = models.map(|model| named(model, "id", model.name.clone())).collect();
            let id = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
            let (first, last) = (id(data.first()), id(data.last()));
            json!({"object": "list", "data": data, "has_more": false, "first_id": first, "last_id": last})
        }
        Shape::Gemini => {
            let models: Vec<Value> =
                models.map(|model| named(model, "name", format!("models/{}", model.name))).collect();
            json!({ "models": models })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_either_shape_is_read_and_written_again() {
        let page = json!({"object": "list", "data": [{"id": "a", "owned_by": "x"}, {"id": 5}, "odd", {"id": "b"}]});
        let models = read(Shape::Data, &page).expect("a list");
        assert_eq!(models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let list = render(Shape::Data, models.iter());
        assert_eq!(list["data"], json!([{"id": "a", "owned_by": "x"}, {"id": "b"}]));
        assert_eq!((&list["first_id"], &list["last_id"], &list["has_more"]), (&json!("a"), &json!("b"), &json!(false)));
        let gemini = json!({"models": [{"name": "models/gemini-pro", "version": "1"}]});
        let models = read(Shape::Gemini, &gemini).expect("a list");
        assert_eq!(models[0].name, "gemini-pro");
        assert_eq!(render(Shape::Gemini, models.iter()), gemini);
    }

    #[test]
    fn what_is_no_list_is_left_out() {
        for page in [json!({}), json!([]), json!({"data": {}}), json!({"error": {"message": "no"}}), json!("x")] {
            assert_eq!(read(Shape::Data, &page), None, "{page}");
        }
        assert_eq!(read(Shape::Gemini, &json!({"data": [{"id": "a"}]})), None);
    }

    #[test]
    fn the_next_page_is_asked_for_and_nothing_else_gets_into_the_query() {
        let more = |last: &str| next_page(Shape::Data, &json!({"data": [], "has_more": true, "last_id": last}));
        assert_eq!(more("claude-3").as_deref(), Some("after_id=claude-3"));
        for odd in ["", "a&key=x", "a b", "a#b", "ü"] {
            assert_eq!(more(odd), None, "{odd}");
        }
        assert_eq!(next_page(Shape::Data, &json!({"data": [], "has_more": false, "last_id": "x"})), None);
        assert_eq!(next_page(Shape::Data, &json!({"data": []})), None);
        let token = next_page(Shape::Gemini, &json!({"models": [], "nextPageToken": "Ch=="}));
        assert_eq!(token.as_deref(), Some("pageToken=Ch=="));
    }
}
