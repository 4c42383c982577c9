//! What the next request would do: the answer comes true, says why, and changes nothing.

use rondo::model::{
    api_key::{ApiKeyDraft, Scope},
    explain::{ExplainQuery, Explanation, LimitName, MemberVerdict},
    group::PathPolicy,
    rate_limit::KeyLimits,
    request_log::SkipReason,
};

use super::{group_of, group_with};
use crate::world::{
    World,
    provider::{Act, Provider, json, with_headers},
};
use tokio::io::AsyncWriteExt;

async fn ask(world: &World, query: ExplainQuery) -> Explanation {
    let group = world.group("prod").await;
    world.live().groups().explain(&world.who, group, &query).expect("an explanation")
}

fn of<'a>(explanation: &'a Explanation, name: &str) -> &'a MemberVerdict {
    explanation.members.iter().find(|member| member.name == name).expect("the member")
}

fn in_line(explanation: &Explanation) -> Vec<&str> {
    explanation.members.iter().filter(|member| member.place.is_some()).map(|member| member.name.as_str()).collect()
}

#[tokio::test]
async fn what_is_said_of_the_next_request_is_what_it_does() {
    let (a, b, c) = (
        Provider::start(json(200, r#""a""#)).await,
        Provider::start(json(200, r#""b""#)).await,
        Provider::start(json(200, r#""c""#)).await,
    );
    let world = World::start(&group_of(&[("a", a.address, 50), ("b", b.address, 30), ("c", c.address, 20)])).await;
    for _ in 0..20 {
        let said = ask(&world, ExplainQuery::default()).await;
        let answer = world.post("/api/proxy/prod/v1/chat/completions", "{}").await;
        assert_eq!(answer.header("x-proxy-provider"), Some(in_line(&said)[0]));
    }
    let said = ask(&world, ExplainQuery::default()).await;
    assert_eq!(said.members.iter().filter(|member| member.place.is_some()).count(), 3);
    let shares = ["a", "b", "c"].map(|name| (of(&said, name).share * 100.0).round());
    assert_eq!(shares, [50.0, 30.0, 20.0]);
    assert!(of(&said, "a").credential.is_some() && of(&said, "a").credit.is_some());
}

#[tokio::test]
async fn asking_moves_no_credit_and_takes_no_token_and_no_trial() {
    let (a, b) = (Provider::start(json(200, "{}")).await, Provider::start(json(200, "{}")).await);
    let file = group_of(&[("a", a.address, 100), ("b", b.address, 100)]);
    let world = World::start(&file).await;
    let limits = KeyLimits { rpm: Some(60), burst: Some(1), ..KeyLimits::default() };
    let draft = ApiKeyDraft { name: "narrow".into(), scope: Scope::Global, limits, ..ApiKeyDraft::default() };
    world.new_key(draft).await;
    let keys = world.admin.api_keys().list(&world.who, Default::default()).await.expect("keys").rows;
    let narrow = keys.iter().find(|key| key.name == "narrow").expect("the key").id;
    let query = ExplainQuery { api_key: Some(narrow), ..ExplainQuery::default() };
    let first = ask(&world, query.clone()).await;
    for _ in 0..50 {
        let again = ask(&world, query.clone()).await;
        assert_eq!((again.refused, &again.members), (None, &first.members), "nothing has moved");
    }
    assert_eq!(a.count() + b.count(), 0);
}

#[tokio::test]
async fn a_member_that_is_passed_over_is_told_with_its_reason_and_its_end() {
    let cooling = Provider::start(with_headers(429, "retry-after: 30\r\n", "{}")).await;
    let failing = Provider::start(json(500, "{}")).await;
    let good = Provider::start(json(200, "{}")).await;
    let spare = Provider::start(json(200, "{}")).await;
    let members = [
        ("cooling", cooling.address, 900),
        ("failing", failing.address, 800),
        ("good", good.address, 100),
        ("drained", good.address, 0),
        ("spare", spare.address, 10),
    ];
    let file = group_with("llm", "    strategy: priority\n", &members)
        .replace("{ provider: spare, priority: 10 }", "{ provider: spare, priority: 10, tier: 2 }");
    let world = World::start(&file).await;
    for _ in 0..8 {
        assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 200);
    }
    let said = ask(&world, ExplainQuery::default()).await;
    assert_eq!(in_line(&said), ["good", "spare"], "a tier waits for the one before it");
    let skipped = |name: &str| (of(&said, name).skipped, of(&said, name).until_ms.is_some_and(|at| at > said.at_ms));
    assert_eq!(skipped("cooling"), (Some(SkipReason::Cooling), true));
    assert_eq!(skipped("failing"), (Some(SkipReason::Unhealthy), true));
    assert_eq!(skipped("drained"), (Some(SkipReason::Drained), false));
}

#[tokio::test]
async fn a_reached_limit_is_named() {
    let only = Provider::start(json(200, "{}")).await;
    let file = group_of(&[("only", only.address, 100)])
        .replace("    timeouts:", "    limits: { rpm: 1, concurrency: 5 }\n    timeouts:");
    let world = World::start(&file).await;
    assert_eq!(world.post("/api/proxy/prod/v1/x", "{}").await.status, 200);
    let said = ask(&world, ExplainQuery::default()).await;
    let only = of(&said, "only");
    assert_eq!(only.skipped, Some(SkipReason::Full));
    assert_eq!(only.full.map(|full| (full.limit, full.most)), Some((LimitName::Rpm, 1)));
    assert!(in_line(&said).is_empty());
}

#[tokio::test]
async fn as_many_as_may_be_in_flight_are_told_of_a_credential_and_of_a_key() {
    let only = Provider::start(Act::Hang).await;
    let file = group_of(&[("only", only.address, 100)])
        .replace("secret: sk-secret-of-only }", "secret: sk-secret-of-only, limits: { concurrency: 1 } }")
        .replace("first_byte_ms: 400", "first_byte_ms: 60000");
    let world = World::start(&file).await;
    let limits = KeyLimits { rpm: Some(0), concurrency: 1, ..KeyLimits::default() };
    let draft = ApiKeyDraft { name: "one".into(), scope: Scope::Global, limits, ..ApiKeyDraft::default() };
    let secret = world.new_key(draft).await;
    let keys = world.admin.api_keys().list(&world.who, Default::default()).await.expect("keys").rows;
    let query =
        ExplainQuery { api_key: keys.iter().find(|key| key.name == "one").map(|key| key.id), ..Default::default() };
    let before = ask(&world, query.clone()).await;
    assert_eq!((&before.refused, in_line(&before).as_slice()), (&None, ["only"].as_slice()));
    let mut client = world.connect().await;
    let request = format!(
        "POST /api/proxy/prod/v1/x HTTP/1.1\r\nhost: x\r\nx-api-key: {secret}\r\ncontent-length: 2\r\n\r\n{{}}"
    );
    client.write_all(request.as_bytes()).await.expect("sent");
    while only.count() == 0 {
        tokio::task::yield_now().await;
    }
    let said = ask(&world, query).await;
    let refused = said.refused.as_ref().expect("its one place is taken");
    assert_eq!((refused.status, refused.code.as_str()), (429, "rate_limited"));
    assert!(refused.message.contains("at once"), "{}", refused.message);
    let only = of(&said, "only");
    assert_eq!((only.skipped, only.place), (Some(SkipReason::Full), None));
    assert_eq!(only.full.map(|full| (full.limit, full.most)), Some((LimitName::Concurrency, 1)));
}

#[tokio::test]
async fn a_request_that_would_be_refused_is_told_so_with_its_code() {
    let only = Provider::start(json(200, "{}")).await;
    let world = World::start(&group_of(&[("only", only.address, 100)]).replace("everything", "inference")).await;
    let files = ExplainQuery { path: "/v1/files".into(), ..ExplainQuery::default() };
    let refused = ask(&world, files).await.refused.expect("not a path of inference");
    assert_eq!((refused.status, refused.code.as_str()), (403, "path_forbidden"));
    let draft = ApiKeyDraft {
        name: "reader".into(),
        scope: Scope::Global,
        path_policy: Some(PathPolicy::ReadOnly),
        models: vec!["small-*".into()],
        allowed_ips: vec!["10.0.0.0/8".into()],
        ..ApiKeyDraft::default()
    };
    world.new_key(draft).await;
    let keys = world.admin.api_keys().list(&world.who, Default::default()).await.expect("keys").rows;
    let reader = keys.iter().find(|key| key.name == "reader").map(|key| key.id);
    let with = |query: ExplainQuery| ExplainQuery { api_key: reader, ..query };
    let code = async |query: ExplainQuery| ask(&world, with(query)).await.refused.map(|refused| refused.code);
    assert_eq!(code(ExplainQuery::default()).await.as_deref(), Some("path_forbidden"));
    let get = ExplainQuery { method: "GET".into(), path: "/v1/models".into(), ..ExplainQuery::default() };
    assert_eq!(code(get.clone()).await, None);
    let large = ExplainQuery { model: Some("large-1".into()), ..get.clone() };
    assert_eq!(code(large).await.as_deref(), Some("model_forbidden"));
    let foreign = ExplainQuery { client_ip: Some([192, 0, 2, 1].into()), ..get };
    assert_eq!(code(foreign).await.as_deref(), Some("ip_forbidden"));
    let climbing = ExplainQuery { path: "/v1/../x".into(), ..ExplainQuery::default() };
    assert_eq!(code(climbing).await.as_deref(), Some("invalid_path"));
    assert_eq!(only.count(), 0);
}
