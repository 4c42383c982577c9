//! The REST API: a walk over its whole table, and the answers programs rely on.

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode, header},
};
use http_body_util::BodyExt;
use rondo::{
    model::{id::UserId, user::Role},
    server::{
        rest::{BASE, endpoints::ENDPOINTS, router},
        session::{Sessions, Site},
    },
};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::stand::{Stand, owner};

struct Api {
    stand: Stand,
    router: Router,
}

impl Api {
    async fn new() -> Self {
        let stand = Stand::new().await;
        stand.person("root", Role::Owner).await;
        let sessions = Sessions::new(stand.admin.clone(), Site::default());
        let router = router(stand.admin.clone(), sessions);
        Self { stand, router }
    }

    async fn token(&self, role: Role) -> String {
        let user: UserId = self.stand.person(&format!("the-{role}"), role).await.id;
        self.stand.admin.tokens().create(&owner(), user, &format!("token of {role}"), None).await.expect("made").1
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, axum::http::HeaderMap, Value) {
        let response = self.router.clone().oneshot(request).await.expect("a router answers");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        let value = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        (parts.status, parts.headers, value)
    }

    async fn call(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> (StatusCode, axum::http::HeaderMap, Value) {
        self.send(request(method, path, &[("authorization", &format!("Bearer {token}"))], body)).await
    }
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: Value) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(format!("{BASE}{path}")).header("host", "rondo.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    request.header(header::CONTENT_TYPE, "application/json").body(body).expect("a request")
}

fn concrete(path: &str) -> String {
    path.replace("{id}", "01890000-0000-7000-8000-000000000000")
}

#[tokio::test]
async fn every_endpoint_answers_every_role_as_the_table_says() {
    let api = Api::new().await;
    for role in Role::ALL {
        let token = api.token(role).await;
        for endpoint in ENDPOINTS {
            let (status, _, body) =
                api.call(&token, endpoint.method.clone(), &concrete(endpoint.path), Value::Null).await;
            let refused = status == StatusCode::FORBIDDEN;
            assert_eq!(
                refused,
                !endpoint.allows(role),
                "{role} {} {}: {status} {body}",
                endpoint.method,
                endpoint.path
            );
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{role} {} {}", endpoint.method, endpoint.path);
            assert!(!status.is_server_error(), "{role} {} {}: {status} {body}", endpoint.method, endpoint.path);
        }
    }
}

#[tokio::test]
async fn nobody_gets_anything_without_a_session_or_a_token() {
    let api = Api::new().await;
    for endpoint in ENDPOINTS {
        let plain = request(endpoint.method.clone(), &concrete(endpoint.path), &[], Value::Null);
        let (status, headers, body) = api.send(plain).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{} {}", endpoint.method, endpoint.path);
        assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(body["code"], "unauthenticated");
    }
    let (status, ..) = api.send(request(Method::GET, "/nothing/here", &[], Value::Null)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn another_site_changes_nothing_even_with_a_cookie() {
    let api = Api::new().await;
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.method != Method::GET) {
        for foreign in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("origin", "null")] {
            let cookie = ("cookie", "rondo_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
            let (status, _, body) = api
                .send(request(endpoint.method.clone(), &concrete(endpoint.path), &[cookie, foreign], Value::Null))
                .await;
            assert_eq!(
                (status, &body["code"]),
                (StatusCode::FORBIDDEN, &json!("cross_site")),
                "{} {}",
                endpoint.method,
                endpoint.path
            );
        }
    }
}

#[tokio::test]
async fn a_record_is_changed_with_the_revision_it_was_read_at() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let provider = json!({"name": "alpha", "base_url": "https://api.example.com", "credentials": [{"label": "main", "secret": "sk-canary-0123456789"}]});
    let (status, headers, created) = api.call(&token, Method::POST, "/providers", provider.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{created}");
    let etag = headers[header::ETAG].to_str().expect("text").to_owned();
    let path = format!("/providers/{}", created["id"].as_str().expect("an id"));
    let mut edited = json!({"name": "alpha", "base_url": "https://api.example.com", "website": "https://example.com",
        "credentials": [{"id": created["credentials"][0]["id"], "label": "main"}]});
    let bearer = format!("Bearer {token}");
    let put = |etag: &str, body: &Value| {
        request(Method::PUT, &path, &[("authorization", &bearer), ("if-match", etag)], body.clone())
    };
    let (status, _, body) = api.call(&token, Method::PUT, &path, edited.clone()).await;
    assert_eq!((status, body["problems"][0]["field"].as_str()), (StatusCode::UNPROCESSABLE_ENTITY, Some("If-Match")));
    let (status, headers, _) = api.send(put(&etag, &edited)).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(headers[header::ETAG], etag.as_str());
    let (status, headers, body) = api.send(put(&etag, &edited)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(
        (body["code"].as_str(), body["by"].as_str(), body["status"].as_i64()),
        (Some("conflict"), Some("the-admin"), Some(409))
    );
    edited["base_ulr"] = json!("x");
    let (status, _, body) = api.send(put(&etag, &edited)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(body["detail"].as_str().expect("text").contains("base_ulr"), "{body}");
    let (_, _, listed) = api.call(&token, Method::GET, "/providers?search=ALPH", Value::Null).await;
    assert_eq!(listed["total"], 1);
    assert!(!listed.to_string().contains("canary"));
}

#[tokio::test]
async fn a_mistake_is_told_by_field_in_a_problem_document() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let (status, _, body) = api.call(&token, Method::POST, "/groups", json!({"name": "", "slug": "Prod_1"})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let fields: Vec<&str> =
        body["problems"].as_array().expect("problems").iter().filter_map(|p| p["field"].as_str()).collect();
    assert_eq!(fields, ["name", "slug"]);
    assert_eq!(body["problems"][1]["issue"], json!({"code": "invalid_slug", "suggestion": "prod-1"}));
    let plain = Request::builder()
        .method(Method::POST)
        .uri(format!("{BASE}/groups"))
        .header("authorization", format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "text/plain")
        .body(Body::from("{}"))
        .expect("a request");
    let (status, _, body) = api.send(plain).await;
    assert_eq!(
        (status, body["problems"][0]["field"].as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, Some("Content-Type"))
    );
}

#[tokio::test]
async fn the_declarative_file_goes_in_and_comes_out_over_rest() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let send = async |path: &str, text: &str| {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{BASE}{path}"))
            .header("authorization", format!("Bearer {token}"))
            .body(Body::from(text.to_owned()))
            .expect("a request");
        api.send(request).await
    };
    let file =
        "providers: [{ name: alpha, base_url: 'https://a.example.com', credentials: [{ label: main, secret: sk-1 }] }]";
    let (status, _, body) = send("/config?dry_run=true", file).await;
    assert_eq!((status, &body["revision"]), (StatusCode::OK, &Value::Null), "{body}");
    let (status, _, body) = send("/config", file).await;
    assert!(status == StatusCode::OK && body["revision"].is_i64(), "{body}");
    let (_, headers, exported) = api.call(&token, Method::GET, "/config", Value::Null).await;
    assert!(headers[header::CONTENT_TYPE].to_str().expect("text").starts_with("application/yaml"));
    assert!(
        exported.as_str().expect("text").contains("name: alpha") && !exported.as_str().expect("text").contains("sk-1")
    );
    let spy = "providers: [{ name: beta, base_url: 'https://b.example.com', credentials: [{ label: main, secret_env: PATH }] }]";
    let (status, _, body) = send("/config", spy).await;
    assert_eq!(
        status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "the server's environment is not for files from the network: {body}"
    );
}
