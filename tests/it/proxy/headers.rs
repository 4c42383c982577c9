//! Which headers pass, on real sockets (gateway.md §8).

use super::{group_of, group_with};
use crate::world::{
    World,
    peer::{Peer, Seen, Speaks, answer},
    provider::{Provider, json, with_headers},
};

#[tokio::test]
async fn repeated_headers_stay_repeated_and_in_order_both_ways() {
    let provider = Provider::start(with_headers(
        200,
        "x-many: 1\r\nvary: accept\r\nx-many: 2\r\nx-many: 1\r\nlink: </a>\r\nlink: </b>\r\n",
        "{}",
    ))
    .await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let answer = world
        .raw(&format!(
            "GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nconnection: close\r\naccept: a\r\nx-many: 1\r\naccept: b\r\nx-many: 2\r\nx-empty:\r\n\r\n",
            world.key
        ))
        .await;
    let values = |head: &str, name: &str| -> Vec<String> {
        let lines = head.lines().filter_map(|line| line.split_once(": ").or_else(|| line.split_once(':')));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).collect()
    };
    assert_eq!(values(&answer.head, "x-many"), ["1", "2", "1"]);
    assert_eq!(values(&answer.head, "link"), ["</a>", "</b>"]);
    let seen = provider.seen().remove(0);
    assert_eq!(values(&seen, "x-many"), ["1", "2"]);
    assert_eq!(values(&seen, "accept"), ["a", "b"]);
    assert_eq!(values(&seen, "x-empty"), [""]);
}

#[tokio::test]
async fn what_a_connection_header_names_ends_at_the_gateway_both_ways() {
    let provider = Provider::start(with_headers(
        200,
        "connection: x-private, keep-alive\r\nkeep-alive: timeout=5\r\nx-private: 1\r\nproxy-authenticate: Basic\r\ntrailer: x\r\nx-public: 1\r\n",
        "{}",
    ))
    .await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let answer = world
        .raw(&format!(
            "GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nconnection: close, X-Secret\r\nconnection: authorization\r\nx-secret: 1\r\nproxy-authorization: Basic x\r\nproxy-connection: close\r\nte: trailers\r\ntrailer: x\r\nx-public: 1\r\n\r\n",
            world.key
        ))
        .await;
    for gone in ["x-private", "keep-alive", "proxy-authenticate", "trailer"] {
        assert!(answer.header(gone).is_none(), "{gone} in {}", answer.head);
    }
    assert_eq!(answer.header("x-public"), Some("1"));
    let seen = provider.seen().remove(0).to_ascii_lowercase();
    for gone in ["x-secret", "proxy-authorization", "proxy-connection", "\r\nte:", "trailer", "\r\nconnection:"] {
        assert!(!seen.contains(gone), "{gone} in {seen}");
    }
    assert!(seen.contains("x-public: 1") && seen.contains("authorization: bearer sk-secret-of-alpha"), "{seen}");
}

#[tokio::test]
async fn a_provider_sets_nothing_on_the_gateways_origin() {
    let provider = Provider::start(with_headers(
        200,
        "set-cookie: a=b\r\nset-cookie: c=d\r\nalt-svc: h3=\":443\"\r\nstrict-transport-security: max-age=1\r\nserver: x\r\nvia: 1.1 x\r\nclear-site-data: \"*\"\r\naccess-control-allow-origin: *\r\naccess-control-allow-credentials: true\r\ncontent-security-policy: x\r\nx-request-id: theirs\r\nx-proxy-provider: theirs\r\nx-ratelimit-remaining: 9\r\nx-ratelimit-remaining-tokens: 9\r\netag: \"1\"\r\n",
        "<script>alert(1)</script>",
    ))
    .await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let answer = world.get("/api/proxy/prod/x").await;
    for gone in [
        "set-cookie",
        "alt-svc",
        "strict-transport-security",
        "server",
        "via",
        "clear-site-data",
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "x-ratelimit-remaining",
        "x-ratelimit-remaining-tokens",
    ] {
        assert!(answer.header(gone).is_none(), "{gone} in {}", answer.head);
    }
    assert_eq!(answer.header("x-proxy-provider"), Some("alpha"));
    assert_eq!(answer.header("content-security-policy"), Some("sandbox; default-src 'none'"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("etag"), Some("\"1\""));
    assert!(answer.header("x-request-id").is_some_and(|id| id != "theirs"));
}

#[tokio::test]
async fn a_request_id_is_the_gateways_own_and_the_same_everywhere() {
    let provider = Provider::start(json(200, "{}")).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let answer = world
        .raw(&format!(
            "GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nx-request-id: mine\r\nconnection: close\r\n\r\n",
            world.key
        ))
        .await;
    let id = answer.header("x-request-id").expect("an id").to_owned();
    let seen = provider.seen().remove(0);
    assert!(seen.contains(&format!("x-request-id: {id}\r\n")) && !seen.contains("mine"), "{seen}");
    assert_eq!(world.log(1).await[0].row.id.to_string(), id);
    // Errors of the gateway itself have one too, and say it in the body.
    let refused = world.get("/api/proxy/none/x").await;
    let id = refused.header("x-request-id").expect("an id");
    assert!(refused.text().contains(id));
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_may_read_the_answer_and_no_other() {
    let provider =
        Provider::start(with_headers(200, "access-control-allow-origin: https://evil.example\r\n", "{}")).await;
    let more = "    allowed_origins: [\"https://app.example\"]\n";
    let world = World::start(&group_with("llm", more, &[("alpha", provider.address, 100)])).await;
    let ask = async |method: &str, origin: &str, more: &str| {
        world
            .raw(&format!(
                "{method} /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\norigin: {origin}\r\n{more}connection: close\r\n\r\n"
            ))
            .await
    };
    let key = format!("x-api-key: {}\r\n", world.key);
    let answer = ask("GET", "https://app.example", &key).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert!(answer.header("vary").is_some_and(|vary| vary.contains("origin")));
    let other = ask("GET", "https://evil.example", &key).await;
    assert_eq!((other.status, other.header("access-control-allow-origin")), (200, None));
    // An error is readable too, or the page sees only that something failed.
    let refused = ask("GET", "https://app.example", &key.replace("rd_", "rd_x")).await;
    assert_eq!(refused.status, 401);
    let asks = "access-control-request-method: POST\r\naccess-control-request-headers: content-type\r\n";
    let preflight = ask("OPTIONS", "https://app.example", asks).await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-methods")), (204, Some("POST")));
    assert_eq!(preflight.header("access-control-allow-headers"), Some("content-type"));
    let foreign = ask("OPTIONS", "https://evil.example", asks).await;
    assert!(foreign.header("access-control-allow-origin").is_none());
    assert_eq!(provider.count(), 2, "a preflight asks nobody");
}

#[tokio::test]
async fn a_location_of_the_provider_is_rewritten_and_a_foreign_one_passes() {
    for (location, expected) in [
        ("http://SELF/base/v1/x?a=1", "/api/proxy/prod/v1/x?a=1"),
        ("/base/v1/x", "/api/proxy/prod/v1/x"),
        ("/base", "/api/proxy/prod"),
        ("/based/x", "/based/x"),
        ("/other", "/other"),
        ("//SELF/base/x", "//SELF/base/x"),
        ("http://other.example/base/x", "http://other.example/base/x"),
        ("relative", "relative"),
    ] {
        let peer = Peer::start(Speaks::Http1, None, move |seen: Seen| async move {
            let mut response = answer(201, "{}");
            let location = location.replace("SELF", seen.header("host").unwrap_or_default());
            response.headers_mut().insert("location", location.parse().expect("a value"));
            response
        })
        .await;
        let address = peer.address.to_string();
        let world = World::start(&group_of(&[("alpha", peer.address, 100)])).await;
        let answered = world.post("/api/proxy/prod/v1/x", "{}").await;
        assert_eq!(answered.header("location"), Some(expected.replace("SELF", &address).as_str()), "{location}");
    }
}

#[tokio::test]
async fn headers_a_provider_sets_or_removes_are_set_and_removed() {
    let provider = Provider::start(json(200, "{}")).await;
    let file = group_of(&[("alpha", provider.address, 100)]).replace(
        "    timeouts:",
        "    headers: { set: { x-org: acme, accept: application/json }, remove: [user-agent, x-gone] }\n    timeouts:",
    );
    let world = World::start(&file).await;
    world
        .raw(&format!(
            "GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nuser-agent: me\r\nx-gone: 1\r\nx-org: other\r\naccept: text/html\r\nconnection: close\r\n\r\n",
            world.key
        ))
        .await;
    let seen = provider.seen().remove(0);
    assert!(seen.contains("x-org: acme\r\n") && seen.contains("accept: application/json\r\n"), "{seen}");
    for gone in ["user-agent", "x-gone", "other", "text/html"] {
        assert!(!seen.contains(gone), "{gone} in {seen}");
    }
}

#[tokio::test]
async fn the_trace_of_a_client_passes_untouched_where_no_traces_are_made() {
    let provider = Provider::start(json(200, "{}")).await;
    let world = World::start(&group_of(&[("alpha", provider.address, 100)])).await;
    let trace = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\ntracestate: a=1\r\n";
    world
        .raw(&format!(
            "GET /api/proxy/prod/x HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n{trace}connection: close\r\n\r\n",
            world.key
        ))
        .await;
    let seen = provider.seen().remove(0);
    assert!(seen.contains(trace), "{seen}");
}
