//! Pages and server functions as HTTP tells them: the status of what is not there and of what is
//! refused, plain forms brought back, lines that are whole without scripts.

use rondo::{
    model::user::{Role, UserDraft},
    server::admin::Principal,
};

use crate::world::{Answer, World};

const PASSWORD: &str = "round and round it goes";

/// A browser of somebody who is signed in: a world and its cookie.
struct Browser {
    world: World,
    cookie: String,
}

impl Browser {
    async fn of_owner() -> Self {
        let world = World::start("providers: []").await;
        let ana = UserDraft {
            username: "ana".into(),
            display_name: String::new(),
            password: PASSWORD.into(),
            role: Role::Owner,
        };
        world.admin.users().create(&Principal::system("test"), ana).await.expect("a person");
        let body = format!("username=ana&password={}", PASSWORD.replace(' ', "+"));
        let answer = form(&world, "/rpc/session/login", "", "/login", &body).await;
        let cookie = answer.header("set-cookie").expect("a session").split(';').next().expect("a pair").to_owned();
        Self { world, cookie }
    }

    async fn page(&self, path: &str) -> Answer {
        self.page_with(path, "").await
    }

    async fn page_with(&self, path: &str, more_cookies: &str) -> Answer {
        let cookie = &self.cookie;
        self.world
            .raw(&format!(
                "GET {path} HTTP/1.1\r\nhost: gate.test:3000\r\naccept: text/html\r\ncookie: {cookie}; {more_cookies}\r\nconnection: close\r\n\r\n"
            ))
            .await
    }

    /// What the client sends: JSON, and it takes none but JSON.
    async fn call(&self, path: &str, json: &str) -> Answer {
        let cookie = &self.cookie;
        self.world
            .raw(&format!(
                "POST {path} HTTP/1.1\r\nhost: gate.test:3000\r\naccept: application/json\r\ncontent-type: application/json\r\n\
                 cookie: {cookie}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{json}",
                json.len()
            ))
            .await
    }

    /// What a browser without scripts sends.
    async fn form(&self, path: &str, page: &str, body: &str) -> Answer {
        form(&self.world, path, &self.cookie, page, body).await
    }
}

async fn form(world: &World, path: &str, cookie: &str, page: &str, body: &str) -> Answer {
    world
        .raw(&format!(
            "POST {path} HTTP/1.1\r\nhost: gate.test:3000\r\naccept: text/html\r\nreferer: http://gate.test:3000{page}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncookie: {cookie}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ))
        .await
}

const NOBODY: &str = "019ab2c0-0000-7000-8000-000000000000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_404() {
    let browser = Browser::of_owner().await;
    let stranger =
        |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\naccept: text/html\r\nconnection: close\r\n\r\n");
    for path in ["/setup", "/setup?token=", "/setup?token=guessed", "/nowhere", "/admin/nowhere"] {
        let answer = browser.world.raw(&stranger(path)).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains("does not exist"), "{path} says so as a page");
    }
    for thing in ["providers", "groups", "requests"] {
        for id in [NOBODY, "no-id"] {
            let path = format!("/admin/{thing}/{id}");
            assert_eq!(browser.page(&path).await.status, 404, "{path}");
        }
    }
    for path in ["/admin", "/admin/providers", "/admin/providers/new", "/admin/requests", "/setup"] {
        assert_eq!(browser.page(path).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_has_its_status_and_what_a_form_expects_stays_quiet() {
    let browser = Browser::of_owner().await;
    let invalid = browser.call("/rpc/groups/create", r#"{"draft":{"name":"","slug":"A b"}}"#).await;
    assert_eq!((invalid.status, invalid.header("rondo-refused")), (200, Some("422")), "{}", invalid.text());
    assert!(invalid.text().contains(r#""code":"invalid""#));

    let made = browser.call("/rpc/groups/create", r#"{"draft":{"name":"One","slug":"one"}}"#).await;
    assert_eq!((made.status, made.header("rondo-refused")), (200, None), "{}", made.text());
    let made: serde_json::Value = serde_json::from_slice(&made.body).expect("a group");
    let stale = format!(r#"{{"id":{},"revision":1,"draft":{{"name":"Two","slug":"one"}}}}"#, made["id"]);
    let conflict = browser.call("/rpc/groups/update", &stale).await;
    assert_eq!((conflict.status, conflict.header("rondo-refused")), (200, Some("409")), "{}", conflict.text());

    let gone = format!(r#"{{"id":"{NOBODY}","revision":1,"draft":{{"name":"Two","slug":"two"}}}}"#);
    assert_eq!(browser.call("/rpc/groups/update", &gone).await.status, 404);
    assert_eq!(browser.call("/rpc/groups/create", "{").await.status, 400, "arguments that cannot be read");
    let stranger = Browser { cookie: String::new(), ..browser };
    assert_eq!(stranger.call("/rpc/groups/create", r#"{"draft":{"name":"x","slug":"x"}}"#).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_plain_form_comes_back_with_what_was_typed_and_never_a_secret() {
    let browser = Browser::of_owner().await;
    let body = "basics[name]=Al+pha&basics[website]=&basics[base_url]=ftp%3A%2F%2Fx&basics[auth]=x-api-key&basics[secret]=sk-canary-4711";
    let sent = browser.form("/rpc/providers/save", "/admin/providers/new", body).await;
    assert_eq!((sent.status, sent.header("location")), (302, Some("http://gate.test:3000/admin/providers/new")));
    let brought = sent.header("set-cookie").expect("what was typed").split(';').next().expect("a pair").to_owned();
    assert!(sent.header("set-cookie").expect("a cookie").contains("HttpOnly; SameSite=Strict"));

    let page = browser.page_with("/admin/providers/new", &brought).await;
    let html = page.text();
    assert!(
        html.contains(r#"value="Al pha""#) && html.contains(r#"value="ftp://x""#),
        "the typed text stands in its controls"
    );
    assert!(html.contains("aria-invalid"), "the fields at fault are marked");
    assert!(!html.contains("canary") && !brought.contains("canary"), "no secret travels");
    assert!(page.header("set-cookie").expect("taken away").starts_with("rondo_returned=;"), "it is shown once");
    assert!(
        !browser.page("/admin/providers/new").await.text().contains("ftp://x"),
        "without the cookie it starts afresh"
    );

    let refused = browser.form("/rpc/session/login", "/login", "username=ana&password=wrong").await;
    let brought = refused.header("set-cookie").expect("who tried").split(';').next().expect("a pair").to_owned();
    let page = browser.page_with("/login", &brought).await.text();
    assert!(page.contains(r#"value="ana""#) && page.contains("role=\"alert\"") && !page.contains("wrong\""));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prices_are_edited_without_scripts_and_what_was_typed_is_never_markup() {
    const PAGE: &str = "/admin/settings?tab=prices";
    let browser = Browser::of_owner().await;
    assert!(browser.page(PAGE).await.text().contains("No prices yet"));
    let lines = "gpt-4*%2C+2%2C+8%0Ax%3C%2Ftextarea%3E%26lt%3B%2C+1%2C+2";
    let saved = browser.form("/rpc/prices/save", PAGE, &format!("revision=0&currency=eur&lines={lines}")).await;
    assert_eq!((saved.status, saved.header("set-cookie")), (302, None));
    let page = browser.page(PAGE).await.text();
    assert!(page.contains("gpt-4*, 2, 8\nx&lt;/textarea>&amp;lt;, 1, 2"), "{page}");
    assert!(page.contains(r#"value="EUR""#) && !page.contains("No prices yet"));

    let typo = "revision=1&currency=EUR&lines=gpt-4*%2C+2%2C+8%0Agpt-5%2C+2%2C5%2C+10";
    let refused = browser.form("/rpc/prices/save", PAGE, typo).await;
    let brought = refused.header("set-cookie").expect("what was typed").split(';').next().expect("a pair").to_owned();
    let page = browser.page_with(PAGE, &brought).await.text();
    assert!(page.contains("line 2") && page.contains("gpt-5, 2,5, 10"), "{page}");
    assert!(browser.page(PAGE).await.text().contains("gpt-4*, 2, 8"), "the table is as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_for_clients_are_whole_without_scripts() {
    let browser = Browser::of_owner().await;
    let made = browser.call("/rpc/groups/create", r#"{"draft":{"name":"One","slug":"one"}}"#).await;
    let made: serde_json::Value = serde_json::from_slice(&made.body).expect("a group");
    let page = browser.page(&format!("/admin/groups/{}", made["id"].as_str().expect("an id"))).await.text();
    assert!(page.contains("http://gate.test:3000/api/proxy/one"));

    let settings = [("RONDO_PUBLIC_URL", "https://gate.example.com")];
    let world = World::start_with("groups: [{ name: One, slug: one }]", &settings).await;
    let login =
        world.raw("GET /login HTTP/1.1\r\nhost: x\r\naccept: text/html\r\nconnection: close\r\n\r\n").await.text();
    assert!(login.contains(r#"data-origin="https://gate.example.com""#));
    assert!(login.matches("gate.example.com").count() > 1, "where one signs in is said without scripts");
}
