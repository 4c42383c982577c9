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

/// A log of 450 requests, the oldest of them with words a spreadsheet would run.
async fn logged(api: &Api) -> Vec<String> {
    let mut seeds = rondo::serve::seed::Seeds::new(3);
    let mut requests: Vec<_> = (0..450).map(|n| seeds.request(1_700_000_000_000 + n)).collect();
    requests[0].row.path = "=HYPERLINK(\"http://evil\",\"100%_\")".into();
    requests[0].user_agent = "two\r\nlines".into();
    api.stand.foundation.store.append_requests(&requests, 7).await.expect("written");
    let mut ids: Vec<String> = requests.iter().map(|detail| detail.row.id.to_string()).collect();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids
}

#[tokio::test]
async fn the_log_is_exported_whole_as_csv_and_as_json_lines() {
    let api = Api::new().await;
    let ids = logged(&api).await;
    let token = api.token(Role::Viewer).await;
    let watch = "01890000-0000-7000-8000-000000000001";
    let (status, headers, body) =
        api.call(&token, Method::GET, &format!("/requests/export?watch={watch}"), Value::Null).await;
    assert_eq!(
        (status, &headers[header::CONTENT_TYPE]),
        (StatusCode::OK, &"text/csv; charset=utf-8".parse().expect("a value"))
    );
    assert_eq!(headers[header::CONTENT_DISPOSITION], "attachment; filename=\"requests.csv\"");
    let text = body.as_str().expect("text");
    assert!(text.starts_with("id,time,group,"), "{}", &text[..80]);
    let found: Vec<&str> =
        text.lines().filter_map(|line| ids.iter().map(String::as_str).find(|id| line.starts_with(id))).collect();
    assert_eq!(found, ids, "every row, newest first");
    assert!(text.contains("\"'=HYPERLINK(\"\"http://evil\"\",\"\"100%_\"\")\""), "a formula is text");
    assert!(text.contains("\"two\r\nlines\""), "a line break stays inside of its field");
    let id = watch.parse().expect("an id");
    let told = api.stand.admin.requests().export_progress(&owner(), id).expect("allowed").expect("known");
    assert_eq!((told.rows, told.ended), (450, true));

    let (_, headers, body) =
        api.call(&token, Method::GET, "/requests/export?format=ndjson&text=100%25_", Value::Null).await;
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-ndjson");
    assert_eq!(body["row"]["id"], ids[449].as_str(), "one line is one value");
    let (status, ..) = api.call(&token, Method::GET, "/requests/export?format=xml", Value::Null).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn an_export_that_is_ended_breaks_off() {
    let api = Api::new().await;
    logged(&api).await;
    let watch = uuid::Uuid::from_u128(9);
    let requests = api.stand.admin.requests();
    let mut export = requests.export(&owner(), Default::default(), Some(watch)).expect("allowed");
    assert_eq!(export.next().await.expect("a page").expect("read").len(), 200);
    requests.end_export(&owner(), watch).expect("allowed");
    assert_eq!(export.next().await.expect("an error").expect_err("ended").to_string(), "the export was ended");
    assert!(export.next().await.is_none());
    drop(export);
    let told = requests.export_progress(&owner(), watch).expect("allowed").expect("known");
    assert_eq!((told.rows, told.ended), (200, true));
}

#[tokio::test]
async fn a_range_that_no_row_can_be_in_names_its_field() {
    let api = Api::new().await;
    let ids = logged(&api).await;
    let token = api.token(Role::Viewer).await;
    let year_one = -62_135_596_800_000_i64;
    for (query, field) in [
        (format!("from_ms={year_one}"), "from_ms"),
        ("to_ms=999999999999999".to_owned(), "to_ms"),
        ("from_ms=2000&to_ms=1000".to_owned(), "to_ms"),
        ("status=1000".to_owned(), "status"),
        (format!("text={}", "x".repeat(201)), "text"),
    ] {
        for path in ["/requests", "/requests/count", "/requests/export"] {
            let (status, _, body) = api.call(&token, Method::GET, &format!("{path}?{query}"), Value::Null).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {query}: {body}");
            assert!(body.to_string().contains(&format!("\"{field}\"")), "{path} {query}: {body}");
        }
    }
    let (_, _, page) = api.call(&token, Method::GET, "/requests?limit=2", Value::Null).await;
    assert_eq!((page["rows"][0]["id"].as_str(), page["lost"].as_u64()), (Some(ids[0].as_str()), Some(0)));
    let (_, _, all) = api.call(&token, Method::GET, &format!("/requests?id={}", ids[3]), Value::Null).await;
    assert_eq!(all["rows"].as_array().map(Vec::len), Some(1));
    let (_, _, count) = api.call(&token, Method::GET, "/requests/count", Value::Null).await;
    assert_eq!(count, json!({"rows": 450, "more": false}));
}
