//! What receivers may do to us: hang, redirect, answer too much, be a place we must not reach.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rondo::{
    model::{
        alert::{Channel, ChannelDraft, ChannelKind, ChannelSettings, Delivery, DeliveryState},
        provider::SecretInput,
    },
    server::{
        alert::{Messenger, Postmark, channel::OpenChannel, post::PATIENCE},
        upstream::guard::AddressPolicy,
    },
};

use super::header;
use crate::{
    stand::{Stand, owner},
    world::provider::{Act, Provider, json, with_headers},
};

pub(super) fn draft(kind: ChannelKind, url: &str, secret: Option<&str>) -> ChannelDraft {
    let settings = ChannelSettings { name: "ops".into(), ..ChannelSettings::of(kind) };
    ChannelDraft { settings, url: Some(SecretInput::new(url)), secret: secret.map(SecretInput::new) }
}

pub(super) async fn stored(stand: &Stand, draft: ChannelDraft) -> Channel {
    stand.admin.alerts().create_channel(&owner(), draft).await.expect("a good channel")
}

async fn test(act: Act) -> (Delivery, Provider) {
    let receiver = Provider::start(act).await;
    let stand = Stand::new().await;
    let url = format!("http://{}/hook/tell-nobody-9Ae1", receiver.address);
    let channel = stored(&stand, draft(ChannelKind::Webhook, &url, None)).await;
    (stand.admin.alerts().test_channel(&owner(), channel.id).await.expect("a try"), receiver)
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let elsewhere = Provider::start(json(200, "{}")).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: http://{}/\r\n", elsewhere.address);
        let (told, receiver) = test(with_headers(status, &location, "{}")).await;
        assert_eq!((told.state, told.status, told.attempts), (DeliveryState::Failed, Some(status), 1));
        assert!(told.detail.contains("redirects are not followed"), "{}", told.detail);
        assert_eq!(receiver.count(), 1);
    }
    assert_eq!(elsewhere.count(), 0);
}

#[tokio::test]
async fn a_receiver_that_hangs_is_given_up_in_ten_seconds() {
    let started = Instant::now();
    let (told, _receiver) = test(Act::Hang).await;
    assert_eq!((told.state, told.status), (DeliveryState::Failed, None));
    assert!(told.detail.contains("no answer within 10 s"), "{}", told.detail);
    assert!(started.elapsed() < PATIENCE + Duration::from_secs(3));
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let mut endless = b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n".to_vec();
    endless.extend(vec![b'x'; 64 * 1024]);
    let (told, _receiver) = test(Act::Send(endless)).await;
    assert_eq!((told.state, told.status), (DeliveryState::Sent, Some(200)), "{}", told.detail);
}

#[tokio::test]
async fn what_is_no_answer_says_what_it_is() {
    for (act, status, words) in [
        (json(500, "out of order"), Some(500), "out of order"),
        (json(404, "no such hook"), Some(404), "no such hook"),
        (Act::Close, None, "closed the connection"),
        (Act::SendAndClose(b"SSH-2.0-OpenSSH_9\r\n".to_vec()), None, "not valid HTTP"),
    ] {
        let (told, _receiver) = test(act).await;
        assert_eq!((told.state, told.status), (DeliveryState::Failed, status), "{words}");
        assert!(told.detail.contains(words), "{}", told.detail);
        assert!(!told.detail.contains("tell-nobody"), "the address is a secret: {}", told.detail);
    }
}

#[tokio::test]
async fn a_receiver_that_repeats_the_address_does_not_get_it_into_the_history() {
    let (told, _receiver) = test(json(400, "unknown hook /hook/tell-nobody-9Ae1")).await;
    assert!(told.detail.contains("unknown hook …"), "{}", told.detail);
}

#[tokio::test]
async fn a_request_says_who_sends_it_and_nothing_else_of_us() {
    let (_, receiver) = test(json(200, "{}")).await;
    let request = &receiver.seen()[0];
    assert!(request.starts_with("POST /hook/tell-nobody-9Ae1 HTTP/1.1\r\n"), "{request}");
    assert!(header(request, "user-agent").expect("one").starts_with("rondo/"));
    assert_eq!(header(request, "host"), Some(receiver.address.to_string().as_str()));
    assert_eq!(header(request, "content-type"), Some("application/json; charset=utf-8"));
    for unwanted in ["referer", "cookie", "authorization", "accept-encoding"] {
        assert_eq!(header(request, unwanted), None, "{unwanted}");
    }
}

#[tokio::test]
async fn messages_go_only_where_requests_may_go() {
    let stand = Stand::new().await;
    for (url, allow_private, words) in [
        ("http://169.254.169.254/latest", true, "link-local"),
        ("http://127.0.0.1:9/", false, "RONDO_ALLOW_PRIVATE_UPSTREAMS"),
    ] {
        let channel = stored(&stand, draft(ChannelKind::Webhook, url, None)).await;
        let alerting = stand.foundation.store.alerting().await.expect("read");
        let stored = alerting.channels.iter().find(|one| one.channel.id == channel.id).expect("stored");
        let open = OpenChannel::open(stored, &stand.foundation.master).expect("our own");
        let policy = AddressPolicy { allow_private, own_listeners: vec![] };
        let told = Messenger::new(Arc::new(policy), Postmark::default()).test(&open, 0).await;
        assert_eq!(told.state, DeliveryState::Failed);
        assert!(told.detail.contains(words), "{}", told.detail);
        stand.admin.alerts().delete_channel(&owner(), channel.id).await.expect("gone");
    }
}
