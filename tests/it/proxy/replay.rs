//! A recorded request sent again: to whom, with what, and what is told of it.

use rondo::model::{
    error::ApiError,
    problem::{Issue, Problem},
    replay::ReplayDraft,
    request_log::Outcome,
    user::{Permission, Role},
};

use super::group_with;
use crate::{
    admin::viewer,
    world::{
        World,
        provider::{Act, Provider, chunk, json, sse_head},
    },
};

const CHAT: &str = "/api/proxy/prod/v1/chat/completions";
const ASKED: &str = r#"{"model":"m","messages":[]}"#;
const KEPT: &str = "    log_bodies: true\n";

async fn pair(more: &str) -> (Provider, Provider, World) {
    let alpha = Provider::start(json(200, r#"{"from":"alpha"}"#)).await;
    let beta = Provider::start(json(418, r#"{"from":"beta"}"#)).await;
    let file = group_with("llm", more, &[("alpha", alpha.address, 100), ("beta", beta.address, 0)]);
    let world =
        World::start(&file.replace("provider: beta, priority: 0", "provider: beta, priority: 1, tier: 2")).await;
    (alpha, beta, world)
}

fn to(provider: Option<rondo::model::id::ProviderId>, body: Option<&str>) -> ReplayDraft {
    ReplayDraft { provider, body: body.map(str::to_owned), content_type: None }
}

#[tokio::test]
async fn a_request_is_sent_again_through_its_group_or_to_one_provider_with_the_body_that_was_kept() {
    let (alpha, beta, world) = pair(KEPT).await;
    world.post(CHAT, ASKED).await;
    let recorded = world.log(1).await.remove(0);
    let ids = world.provider_ids().await;
    // The writer may still be at it.
    let mut again = world.live().requests().replay(&world.who, recorded.row.id, to(None, None)).await;
    for _ in 0..500 {
        if again.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        again = world.live().requests().replay(&world.who, recorded.row.id, to(None, None)).await;
    }
    let again = again.expect("replayed");
    assert_eq!((again.status, again.complete, again.body.text.as_deref()), (200, true, Some(r#"{"from":"alpha"}"#)));
    assert!(alpha.seen()[1].ends_with(&format!("\r\n\r\n{ASKED}")));
    assert!(alpha.seen()[1].contains("sk-secret-of-alpha"), "with the provider's credential");
    let draft = to(Some(ids["beta"]), Some("{}"));
    let other = world.live().requests().replay(&world.who, recorded.row.id, draft).await.expect("replayed");
    assert_eq!((other.status, other.body.text.as_deref()), (418, Some(r#"{"from":"beta"}"#)));
    assert!(other.headers.contains(&("x-proxy-provider".into(), "beta".into())), "{:?}", other.headers);
    assert!(beta.seen()[0].ends_with("\r\n\r\n{}"));
    let rows = world.log(3).await;
    assert_eq!((rows[0].row.id, rows[1].row.id), (other.id, again.id), "each has a row of its own");
    assert_eq!((rows[1].row.outcome, rows[0].row.provider_name.as_str()), (Outcome::Served, "beta"));
    assert_eq!(rows[0].row.api_key, None, "it counts against nobody");
    let audit = world.admin.audit().list(&world.who, None).await.expect("the trail").rows;
    assert!(audit.iter().any(|row| row.action == "request.replay" && row.object == recorded.row.id.to_string()));
}

#[tokio::test]
async fn what_was_not_kept_has_to_be_pasted() {
    let (alpha, _beta, world) = pair("").await;
    world.post(CHAT, ASKED).await;
    let id = world.log(1).await.remove(0).row.id;
    let refused = world.live().requests().replay(&world.who, id, to(None, None)).await.expect_err("nothing to send");
    let wanted = ApiError::Invalid { problems: vec![Problem::new("body", Issue::BodyNotKept)] };
    assert_eq!((refused, alpha.count()), (wanted, 1));
    let again = world.live().requests().replay(&world.who, id, to(None, Some(ASKED))).await.expect("replayed");
    assert_eq!((again.status, alpha.count()), (200, 2));
    let stranger = rondo::model::id::ProviderId(uuid::Uuid::nil());
    let refused = world.live().requests().replay(&world.who, id, to(Some(stranger), Some("{}"))).await;
    assert_eq!(refused, Err(ApiError::invalid("provider", Issue::Unknown)));
}

#[tokio::test]
async fn a_body_of_which_only_the_beginning_is_there_is_not_sent() {
    let alpha = Provider::start(json(200, "{}")).await;
    let file = group_with("llm", KEPT, &[("alpha", alpha.address, 100)]);
    let world = World::start_with(&file, &[("RONDO_BODY_LOG_LIMIT", "1KiB")]).await;
    world.post(CHAT, &format!("{{\"model\":\"m\",\"x\":\"{}\"}}", "y".repeat(2_000))).await;
    let id = world.log(1).await.remove(0).row.id;
    let incomplete = ApiError::invalid("body", Issue::BodyIncomplete);
    for _ in 0..500 {
        let refused = world.live().requests().replay(&world.who, id, to(None, None)).await.expect_err("not sent");
        if refused == incomplete {
            assert_eq!(alpha.count(), 1);
            return;
        }
        assert_eq!(refused, ApiError::invalid("body", Issue::BodyNotKept), "until it is written");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the body was not written");
}

#[tokio::test]
async fn a_stream_that_breaks_is_shown_as_far_as_it_came() {
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n";
    let mut bytes = sse_head();
    bytes.extend(chunk(event));
    let alpha = Provider::start(Act::Send(bytes)).await;
    let world = World::start(&group_with("llm", "", &[("alpha", alpha.address, 100)])).await;
    world.post(CHAT, ASKED).await;
    let id = world.log(1).await.remove(0).row.id;
    let draft = to(None, Some(r#"{"model":"m","stream":true}"#));
    let again = world.live().requests().replay(&world.who, id, draft).await.expect("replayed");
    let text = again.body.text.expect("text");
    assert!(text.starts_with(event) && text.contains("upstream_interrupted"), "{text}");
    assert_eq!((again.status, again.complete), (200, false));
}

#[tokio::test]
async fn who_may_not_read_bodies_has_to_paste_one_and_who_may_only_look_sends_nothing() {
    let (alpha, _beta, world) = pair(KEPT).await;
    world.post(CHAT, ASKED).await;
    let recorded = world.log(1).await.remove(0).row.id;
    let requests = world.live().requests();
    let refused = requests.replay(&viewer(Role::Operator), recorded, to(None, None)).await;
    assert!(matches!(refused, Err(ApiError::Forbidden { permission: Permission::ReadBodies })), "{refused:?}");
    let refused = requests.replay(&viewer(Role::Viewer), recorded, to(None, Some("{}"))).await;
    assert!(matches!(refused, Err(ApiError::Forbidden { permission: Permission::Operate })), "{refused:?}");
    assert_eq!(alpha.count(), 1, "neither reached a provider");
    let sent = requests.replay(&viewer(Role::Operator), recorded, to(None, Some("{}"))).await.expect("sent");
    assert_eq!((sent.status, alpha.count()), (200, 2));
    world.stop().await;
}
