//! Path tricks: whatever a client writes, a request stays at its provider and below its base path.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rondo::serve::chaos::{Content, Script};

use super::alone;
use crate::properties;

/// Ways to write a segment that climbs.
const CLIMBS: [&str; 14] = [
    "..",
    ".",
    "%2e%2e",
    "%2E%2e",
    ".%2e",
    "%2e.",
    "%2E",
    "%252e%252e",
    "%252e.",
    "..;",
    "..;a=b",
    "%2e%2e;x",
    "..%3b",
    "%252e%252e%253ba",
];
/// Ways to write what parts segments.
const PARTS: [&str; 6] = ["/", "%2f", "%2F", "%5c", "%5C", "%252f"];
/// What is refused wherever it stands.
const BROKEN: [&str; 12] =
    ["/%00", "/a%00b", "/%0d%0a", "/%0a", "/%7f", "/%zz", "/%2", "/%", "/%5c", "/a%5Cb", "/%1b[0m", "/%2500%00"];
/// What looks like a trick and is none: it passes byte for byte.
const HARMLESS: [&str; 24] = [
    "",
    "/",
    "//",
    "///x",
    "/...",
    "/a..b",
    "/.well-known/x",
    "/v1/x.",
    "/~",
    "/@evil.example/x",
    "//@evil.example/x",
    "//evil.example/x",
    "/http://evil.example/x",
    "/:80/x",
    "/x:80",
    "/a%2Fb",
    "/a%252Fb",
    "/100%25",
    "/%E6%9C%88",
    "/a;b=c/d",
    "/a,b",
    "/x?y=/../..",
    "/x?@evil.example",
    "/%c0%ae%c0%ae/x",
];

/// Every climbing segment, parted in every way, at the beginning, in the middle and at the end.
fn climbing() -> Vec<String> {
    let mut tails = Vec::new();
    for climb in CLIMBS {
        for part in PARTS {
            tails.push(format!("/{climb}{part}x"));
            tails.push(format!("/a{part}{climb}{part}{climb}{part}b"));
            tails.push(format!("/a{part}{climb}"));
        }
    }
    tails
}

#[tokio::test]
async fn two_hundred_and_fifty_path_tricks_reach_nobody_and_what_is_none_passes_untouched() {
    let (provider, world) = alone("llm", Script { body: Content::Echo, ..Script::default() }).await;
    let climbing = climbing();
    let tricks: Vec<&str> = climbing.iter().map(String::as_str).chain(BROKEN).collect();
    assert!(tricks.len() >= 250, "{}", tricks.len());
    for tail in &tricks {
        let answer = world.get(&format!("/api/proxy/prod{tail}")).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_path"), "{tail}");
    }
    assert_eq!(provider.counters().requests, 0);
    for tail in HARMLESS {
        assert_eq!(world.get(&format!("/api/proxy/prod{tail}")).await.status, 200, "{tail}");
        let seen = provider.seen().pop().expect("a request");
        assert_eq!(seen.target(), format!("/base{tail}"));
        assert_eq!(seen.header("host"), Some(provider.address.to_string().as_str()), "{tail}");
    }
    assert_eq!(provider.counters().requests as usize, HARMLESS.len());
}

/// What random tails are made of: everything that parts, climbs, encodes or names a host.
const PIECES: [&str; 32] = [
    "/",
    "/",
    "//",
    "..",
    ".",
    "%2e",
    "%2E",
    "%252e",
    "%2f",
    "%2F",
    "%252f",
    "%5c",
    "%255c",
    "%25",
    "%",
    ";",
    "%3b",
    ":",
    "@",
    "?",
    "#",
    "&",
    "a",
    "v1",
    "%00",
    "%c0%ae",
    "%E6%9C%88",
    "key=x",
    "[",
    "~",
    "+",
    "..;/",
];

#[test]
fn in_a_million_random_paths_none_leaves_its_provider_or_its_base_path() {
    let mut rng = StdRng::seed_from_u64(20_260_101);
    let (mut passed, mut tail) = (0, String::new());
    const CASES: usize = 1_000_000;
    for _ in 0..CASES {
        tail.clear();
        tail.push('/');
        for _ in 0..rng.random_range(0..10) {
            tail.push_str(PIECES[rng.random_range(0..PIECES.len())]);
        }
        passed += usize::from(properties::stays(&tail));
    }
    assert!(passed > CASES / 10 && passed < CASES * 9 / 10, "{passed} of {CASES} passed: both kinds are asked");
}
