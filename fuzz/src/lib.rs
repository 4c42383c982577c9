//! What must hold for any bytes that a stranger sends: one function for each fuzz target, which
//! returns when it holds and panics when it does not.
//!
//! `make fuzz` feeds them what libFuzzer finds; `tests/it/seeds.rs` includes this file and replays
//! the committed seeds on the stable toolchain, and `tests/it/faults/paths.rs` asks the first one a
//! million times.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, header};
use rondo::{
    model::{
        group::{Group, GroupDraft, Member},
        id::{CredentialId, GroupId, ProviderId, RequestId},
        name::{BaseUrl, Slug},
        price::PriceTable,
        provider::{AuthStyle, HeaderRules, Provider, ProviderDraft},
        rate_limit::UpstreamLimits,
    },
    server::{
        admin::transfer,
        health::{board::Board, cooldown, credential::CredentialState},
        proxy::{
            attempt,
            call::Call,
            dialect::Dialect,
            headers,
            hold::{self, Ruling},
            usage,
        },
        routing::{
            compile::Compiler,
            table::{self, Presented},
        },
        secret::seal::MasterKey,
        store::{Snapshot, StoredProvider},
        upstream::guard::AddressPolicy,
    },
};
use uuid::Uuid;

/// Base path of the provider that paths are sent to.
const BASE: &str = "/base/v1";

/// The path splitter: `data` is the rest of a request target behind the group's slug. What is
/// accepted reaches the provider's host below its base path, whoever decodes it up to twice.
pub fn path(data: &[u8]) {
    if let Ok(tail) = std::str::from_utf8(data) {
        stays(tail);
    }
}

/// Judges one tail; whether it was accepted.
pub fn stays(tail: &str) -> bool {
    let target = target_of(tail);
    if let Some(target) = &target {
        judge(tail, target);
    }
    target.is_some()
}

/// Where a request behind `tail` goes at the provider; `None` when it is refused.
fn target_of(tail: &str) -> Option<Uri> {
    let uri: Uri = format!("/api/proxy/prod{tail}").parse().ok()?;
    let (mut head, ()) = Request::new(()).into_parts();
    head.uri = uri;
    let peer = SocketAddr::from(([192, 0, 2, 9], 1234));
    let call = Call::parse(head, peer, &[]).ok()?;
    attempt::target(BASE, call.tail(), call.query(), None)
}

fn judge(tail: &str, target: &Uri) {
    assert!(target.scheme().is_none() && target.authority().is_none(), "{tail:?} names a host: {target}");
    let below = target.path().strip_prefix(BASE).unwrap_or_else(|| panic!("{tail:?} leaves the base path: {target}"));
    let slug_goes_on = below.is_empty() || below.starts_with('/');
    assert!(slug_goes_on, "{tail:?} makes the base path another: {target}");
    for rounds in 0..=2 {
        let decoded = decode(below.as_bytes(), rounds);
        assert!(!climbs(&decoded), "{tail:?}, decoded {rounds} times, climbs: {target}");
        assert!(!decoded.contains(&0), "{tail:?}, decoded {rounds} times, holds a NUL: {target}");
    }
}

/// So many rounds of percent-decoding, as a server would that leaves broken escapes as they are.
fn decode(bytes: &[u8], rounds: u32) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rounds {
        let mut decoded = Vec::with_capacity(bytes.len());
        let mut rest = &bytes[..];
        while let Some((&first, after)) = rest.split_first() {
            let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
            let value = digits.filter(|text| !text.starts_with('+')).and_then(|text| u8::from_str_radix(text, 16).ok());
            match value {
                Some(value) if first == b'%' => {
                    decoded.push(value);
                    rest = &after[2..];
                }
                _ => {
                    decoded.push(first);
                    rest = after;
                }
            }
        }
        bytes = decoded;
    }
    bytes
}

/// Whether a server that resolves dot segments, parameters and backslashes would step out of where it began.
fn climbs(path: &[u8]) -> bool {
    let mut depth = 0_i64;
    for segment in path.split(|byte| matches!(byte, b'/' | b'\\')) {
        match segment.split(|byte| *byte == b';').next().unwrap_or_default() {
            b".." => depth -= 1,
            b"." | b"" => {}
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

/// The header filter, both ways: `data` is header lines. Nothing that belongs to one hop, to the
/// gateway or to the other side passes, and the provider gets exactly one credential, its own.
pub fn headers(data: &[u8]) {
    let client = lines(data);
    to_provider(&client);
    for succeeded in [true, false] {
        let mut answer = client.clone();
        headers::from_provider(&mut answer, succeeded);
        for name in [
            "connection",
            "transfer-encoding",
            "keep-alive",
            "set-cookie",
            "content-security-policy",
            "server",
            "x-proxy-provider",
            "x-proxy-provider-id",
        ] {
            assert!(!answer.contains_key(name), "{name} reached the client");
        }
        assert!(!answer.keys().any(|name| name.as_str().starts_with("access-control-")), "{answer:?}");
        for name in named_by_connection(&client) {
            assert!(!answer.contains_key(&name), "{name} is of one hop only");
        }
    }
}

fn to_provider(client: &HeaderMap) {
    let provider = provider();
    let credential = table::Credential {
        id: CredentialId(Uuid::nil()),
        key: 1,
        weight: 100,
        limits: UpstreamLimits::default(),
        state: Arc::new(CredentialState::new(CredentialId(Uuid::nil()))),
        presented: Presented::Header(HeaderName::from_static("x-api-key"), HeaderValue::from_static("of-the-provider")),
    };
    let sent = headers::to_provider(client, &provider, Some(&credential), RequestId(Uuid::nil()), true);
    let all = |name: &str| sent.get_all(name).iter().collect::<Vec<_>>();
    assert_eq!(all("host"), ["api.example.com:8443"]);
    assert_eq!(all("x-api-key"), ["of-the-provider"]);
    assert_eq!(all("x-team"), ["ours"]);
    assert_eq!(all("x-request-id").len(), 1);
    for name in [
        "authorization",
        "api-key",
        "x-goog-api-key",
        "cookie",
        "forwarded",
        "via",
        "connection",
        "transfer-encoding",
        "content-length",
        "proxy-authorization",
        "x-forwarded-for",
        "expect",
        "x-unwanted",
    ] {
        assert!(!sent.contains_key(name), "{name} reached the provider");
    }
    for name in named_by_connection(client) {
        let ours = matches!(name.as_str(), "host" | "te" | "x-api-key" | "x-team" | "x-request-id" | "accept-encoding");
        assert!(ours || !sent.contains_key(&name), "{name} is of one hop only");
    }
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let values = headers.get_all("connection").iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(str::trim);
    let hops = names.map(str::to_ascii_lowercase).filter(|name| name != "close" && name != "keep-alive");
    hops.filter_map(|name| name.parse().ok()).collect()
}

/// A provider as requests meet it: it sets one header and takes another away.
fn provider() -> Arc<table::Provider> {
    let id = ProviderId(Uuid::from_u128(1));
    let rules =
        HeaderRules { set: [("x-team".to_owned(), "ours".to_owned())].into(), remove: vec!["x-unwanted".into()] };
    let draft = ProviderDraft { auth: AuthStyle::None, headers: rules, ..ProviderDraft::default() };
    let stored = Provider {
        id,
        name: "alpha".to_owned(),
        website: draft.website,
        base_url: BaseUrl::parse("http://api.example.com:8443/base").expect("an address"),
        auth: draft.auth,
        enabled: true,
        headers: draft.headers,
        models: draft.models,
        timeouts: draft.timeouts,
        limits: draft.limits,
        tls: draft.tls,
        connection: draft.connection,
        color: 1,
        credentials: Vec::new(),
        revision: 1,
        created_at_ms: 0,
        updated_at_ms: 0,
    };
    let snapshot = Snapshot {
        revision: 1,
        providers: vec![StoredProvider { provider: stored, sealed: Vec::new() }],
        groups: vec![group(id)],
        api_keys: Vec::new(),
        prices: PriceTable::default(),
    };
    let mut compiler = Compiler::new(MasterKey::from_bytes([7; 32]), Board::new(0), AddressPolicy::default());
    let (table, faults) = compiler.compile(snapshot, 0);
    assert!(faults.is_empty(), "{faults:?}");
    table.group("prod").expect("the group").members[0].provider.clone()
}

fn group(provider: ProviderId) -> Group {
    let draft = GroupDraft::default();
    Group {
        id: GroupId(Uuid::from_u128(2)),
        name: "Production".to_owned(),
        slug: Slug::parse("prod").expect("a slug"),
        description: draft.description,
        kind: draft.kind,
        strategy: draft.strategy,
        enabled: true,
        path_policy: draft.path_policy,
        failover: draft.failover,
        anonymous: draft.anonymous,
        allowed_origins: draft.allowed_origins,
        hide_provider_headers: false,
        sticky: draft.sticky,
        outcome_rules: draft.outcome_rules,
        websocket: draft.websocket,
        stream_usage: draft.stream_usage,
        log_bodies: draft.log_bodies,
        members: vec![Member { provider, priority: 100, tier: 1 }],
        revision: 1,
        created_at_ms: 0,
        updated_at_ms: 0,
    }
}

/// How long a provider asks to be left alone: `data` is header lines, an empty line and a body. Any
/// answer is a pause within a second and a day.
pub fn retry_after(data: &[u8]) {
    let end = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((data, &[][..]), |end| (&data[..end], &data[end + 2..]));
    let headers = lines(head);
    // Now, the beginning and both ends of time.
    for now_unix_ms in [1_767_225_600_000, 0, i64::MIN, i64::MAX] {
        for pause in [cooldown::read(&headers, body, now_unix_ms), cooldown::read_retry_after(&headers, now_unix_ms)] {
            let bounds = cooldown::SHORTEST_MS..=cooldown::LONGEST_MS;
            assert!(pause.is_none_or(|pause| bounds.contains(&pause)), "{:?}", pause.map(Duration::from_millis));
        }
    }
}

/// The hold of a stream: `data` is a byte that says where the stream is split, and the stream. In
/// every dialect there is a ruling, and it is the same wherever the bytes are split.
pub fn hold(data: &[u8]) {
    let Some((&at, stream)) = data.split_first() else { return };
    let (early, late) = stream.split_at(usize::from(at) % (stream.len() + 1));
    for dialect in Dialect::ALL {
        let whole = hold::rule(dialect, [stream]);
        assert_ne!(whole, Ruling::Wait, "{dialect:?} waits for ever");
        assert_eq!(hold::rule(dialect, [early, late]), whole, "{dialect:?}, split at {}", early.len());
        assert_eq!(hold::rule(dialect, stream.chunks(1)), whole, "{dialect:?}, byte by byte");
    }
}

/// The usage of an answer: `data` is a byte that says where the answer is split, and the answer. As JSON
/// and as an event stream, what is read is the same wherever the bytes are split, and no count is absurd.
pub fn usage(data: &[u8]) {
    let Some((&at, answer)) = data.split_first() else { return };
    let (early, late) = answer.split_at(usize::from(at) % (answer.len() + 1));
    for kind in ["application/json", "text/event-stream"] {
        let response = Response::builder().header(header::CONTENT_TYPE, kind).body(()).expect("a head");
        let head = response.into_parts().0;
        for dialect in [Dialect::Chat, Dialect::Gemini] {
            let whole = usage::read(&head, dialect, [answer]);
            assert_eq!(usage::read(&head, dialect, [early, late]), whole, "{kind}, split at {}", early.len());
            assert_eq!(usage::read(&head, dialect, answer.chunks(1)), whole, "{kind}, byte by byte");
            assert!(whole.and_then(|usage| usage.total()).is_none_or(|tokens| tokens < 10_000_000_000), "{whole:?}");
        }
    }
}

/// The declarative file: any text is read or refused with one line.
pub fn import(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(error) = transfer::check(text) {
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
    }
}

fn lines(data: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(100) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) =
            (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(line[colon + 1..].trim_ascii()));
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}
