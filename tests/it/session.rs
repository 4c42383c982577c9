//! Sign-in, sessions and access tokens on a real store.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::{Request, request::Parts};
use rondo::{
    model::{
        error::{ApiError, ApiResult},
        user::{LoginDraft, PasswordChange, Role, UserPatch},
    },
    server::session::{ClientAddress, Principal, Sessions, Site},
};

use crate::stand::{PASSWORD, Stand, owner};

fn parts(method: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri("/rpc/x").header("host", "127.0.0.1:3000");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut parts = request.body(()).expect("a request").into_parts().0;
    parts.extensions.insert(ClientAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    parts
}

fn draft(username: &str, password: &str) -> LoginDraft {
    LoginDraft { username: username.into(), password: password.into() }
}

async fn sign_in(sessions: &Sessions, username: &str, presented: &[(&str, &str)]) -> String {
    let signed_in =
        sessions.login(draft(username, PASSWORD), &parts("POST", presented)).await.expect("the right password");
    let header = signed_in.set_cookie.to_str().expect("text").to_owned();
    assert!(header.contains("HttpOnly; SameSite=Lax"), "{header}");
    header.split(';').next().expect("a pair").to_owned()
}

async fn whoami(sessions: &Sessions, cookie: &str) -> ApiResult<Principal> {
    sessions.of_person(&parts("GET", &[("cookie", cookie)])).await
}

#[tokio::test]
async fn a_session_lasts_until_it_is_ended_and_each_sign_in_makes_a_new_one() {
    let stand = Stand::new().await;
    stand.person("ana", Role::Admin).await;
    let sessions = Sessions::new(stand.admin.clone(), Site::default());
    let first = sign_in(&sessions, "Ana", &[]).await;
    assert_eq!(whoami(&sessions, &first).await.expect("signed in").name(), "ana");
    let second = sign_in(&sessions, "ana", &[("cookie", &first)]).await;
    assert_ne!(first, second);
    assert_eq!(whoami(&sessions, &first).await.expect_err("rotated"), ApiError::Unauthenticated);
    let gone = sessions.logout(&parts("POST", &[("cookie", &second)])).await.expect("signed out");
    assert!(gone.to_str().expect("text").contains("Max-Age=0"));
    assert_eq!(whoami(&sessions, &second).await.expect_err("ended"), ApiError::Unauthenticated);
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_look_the_same_and_are_slowed_down() {
    let stand = Stand::new().await;
    stand.person("ana", Role::Admin).await;
    let sessions = Sessions::new(stand.admin.clone(), Site::default());
    let attempt = async |name: &str| sessions.login(draft(name, "wrong password"), &parts("POST", &[])).await.map(drop);
    assert_eq!(attempt("nobody").await, Err(ApiError::BadCredentials));
    // A slow machine may spend the first short waits on checking passwords; they double.
    let mut waits = false;
    for tried in 1..=12 {
        let refused = attempt("ana").await.expect_err("wrong");
        waits = matches!(refused, ApiError::TooManyTries { .. });
        assert!(waits || refused == ApiError::BadCredentials, "{refused:?}");
        assert!(!waits || tried > 5, "five tries are free");
        if waits {
            break;
        }
    }
    assert!(waits);
    let right = sessions.login(draft("ana", PASSWORD), &parts("POST", &[])).await.map(drop);
    assert!(matches!(right, Err(ApiError::TooManyTries { .. })), "the right password waits as well");
}

#[tokio::test]
async fn another_site_can_neither_sign_in_nor_act() {
    let stand = Stand::new().await;
    stand.person("ana", Role::Admin).await;
    let sessions = Sessions::new(stand.admin.clone(), Site::default());
    let cookie = sign_in(&sessions, "ana", &[]).await;
    for foreign in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        let act = sessions.of_person(&parts("POST", &[("cookie", &cookie), foreign])).await.map(drop);
        assert_eq!(act, Err(ApiError::CrossSite));
        let login = sessions.login(draft("ana", PASSWORD), &parts("POST", &[foreign])).await.map(drop);
        assert_eq!(login, Err(ApiError::CrossSite));
    }
}

#[tokio::test]
async fn https_has_a_cookie_that_no_other_host_can_set() {
    let stand = Stand::new().await;
    stand.person("ana", Role::Admin).await;
    let site = Site { https: true, origin: Some("https://gate.example.com".into()) };
    let sessions = Sessions::new(stand.admin.clone(), site);
    let signed_in = sessions.login(draft("ana", PASSWORD), &parts("POST", &[])).await.expect("signed in");
    let cookie = signed_in.set_cookie.to_str().expect("text").to_owned();
    assert!(
        cookie.starts_with("__Host-rondo=") && cookie.ends_with("; Secure") && cookie.contains("Path=/;"),
        "{cookie}"
    );
}

#[tokio::test]
async fn sessions_end_with_the_role_the_password_and_the_access() {
    let stand = Stand::new().await;
    stand.person("root", Role::Owner).await;
    let ana = stand.person("ana", Role::Admin).await;
    let sessions = Sessions::new(stand.admin.clone(), Site::default());
    let cookie = sign_in(&sessions, "ana", &[]).await;
    let patch = |role, enabled| UserPatch { display_name: String::new(), role, enabled };
    stand.admin.users().update(&owner(), ana.id, patch(Role::Viewer, true)).await.expect("changed");
    assert!(whoami(&sessions, &cookie).await.is_err(), "a new role");
    let cookie = sign_in(&sessions, "ana", &[]).await;
    let who = whoami(&sessions, &cookie).await.expect("signed in");
    let wrong = PasswordChange { current: "not it".into(), new: "another long phrase".into() };
    assert!(stand.admin.users().change_own_password(&who, wrong).await.is_err());
    assert!(whoami(&sessions, &cookie).await.is_ok());
    let change = PasswordChange { current: PASSWORD.into(), new: "another long phrase".into() };
    stand.admin.users().change_own_password(&who, change).await.expect("changed");
    assert!(whoami(&sessions, &cookie).await.is_err(), "a new password");
    stand.admin.users().update(&owner(), ana.id, patch(Role::Viewer, false)).await.expect("changed");
    let refused = sessions.login(draft("ana", "another long phrase"), &parts("POST", &[])).await.map(drop);
    assert_eq!(refused, Err(ApiError::BadCredentials));
}

#[tokio::test]
async fn an_access_token_acts_for_its_person_until_it_is_revoked() {
    let stand = Stand::new().await;
    let ana = stand.person("ana", Role::Operator).await;
    let sessions = Sessions::new(stand.admin.clone(), Site::default());
    let (token, secret) = stand.admin.tokens().create(&owner(), ana.id, "ci", None).await.expect("made");
    let with = async |secret: &str| {
        sessions.of_program_or_person(&parts("POST", &[("authorization", &format!("Bearer {secret}"))])).await
    };
    let who = with(&secret).await.expect("valid");
    assert_eq!((who.name(), who.role()), ("ana", Role::Operator));
    assert!(secret.ends_with(&token.hint[token.hint.len() - 4..]) && token.hint.len() < 16, "{}", token.hint);
    let client = stand.admin.api_keys().create(&owner(), crate::stand::key_draft("client")).await.expect("made");
    assert!(with(&client.secret).await.is_err(), "a client's key opens no admin endpoint");
    assert!(with("rdadm_nonsense").await.is_err());
    stand.admin.tokens().revoke(&owner(), "ci").await.expect("revoked");
    assert_eq!(with(&secret).await.expect_err("revoked"), ApiError::Unauthenticated);
    let trail = stand.admin.audit().list(&owner(), None).await.expect("the trail").rows;
    let told: Vec<_> = trail.iter().map(|row| (row.action.as_str(), row.object.as_str())).collect();
    assert!(told.contains(&("token.create", "ci")) && told.contains(&("token.revoke", "ci")), "{told:?}");
    assert!(trail.iter().all(|row| !row.object.contains("access_token")), "a hash tells nobody anything: {told:?}");
}
