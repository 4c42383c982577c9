//! Every server function: by POST only, closed to strangers and to other sites.

use std::{fs, path::Path};

use axum::http::Method;
use leptos::server_fn::axum::server_fn_paths;

use crate::world::World;

/// What somebody may ask who is not signed in: whether they are, and to be let in or out.
const OPEN: [&str; 4] = ["/rpc/session/viewer", "/rpc/session/login", "/rpc/session/logout", "/rpc/setup/"];
/// Changes nothing but how the next page looks in that browser.
const HARMLESS: &str = "/rpc/preferences";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_and_another_site_get_nothing_from_any_server_function() {
    let world = World::start("providers: []").await;
    let paths: Vec<(&str, Method)> = server_fn_paths().collect();
    assert!(paths.len() > 30, "they are registered: {paths:?}");
    for (path, method) in paths {
        assert!(path.starts_with("/rpc/"), "{path} is outside of the proxy's space");
        assert_eq!(method, Method::POST, "{path}: a change by GET passes every check of origin");
        if path == HARMLESS {
            continue;
        }
        let call = async |header: &str| {
            world
                .raw(&format!(
                    "POST {path} HTTP/1.1\r\nhost: rondo\r\naccept: application/json\r\n{header}\
                     content-type: application/x-www-form-urlencoded\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                ))
                .await
        };
        let stranger = call("").await;
        let open = OPEN.iter().any(|open| path.starts_with(open));
        assert!(open || stranger.status >= 400, "{path}: {} {}", stranger.status, stranger.text());
        let foreign = call("sec-fetch-site: cross-site\r\n").await;
        assert!(foreign.status >= 400, "{path}: {} {}", foreign.status, foreign.text());
        assert!(foreign.header("set-cookie").is_none(), "{path}");
    }
}

#[test]
fn the_body_of_every_server_function_passes_the_door() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api");
    let mut seen = 0;
    for entry in fs::read_dir(folder).expect("the folder of server functions") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a source file");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for function in code.split("#[server").skip(1) {
            if function.contains(&format!("endpoint = \"{}\"", HARMLESS.trim_start_matches("/rpc/"))) {
                continue;
            }
            seen += 1;
            assert!(function.starts_with("(client = Browser, "), "{}: it would miss a quiet refusal", path.display());
            let body = function.split_once("async fn ").map_or("", |(_, body)| body);
            let end = body.find("\n}\n").unwrap_or(body.len());
            // The recent exceptions are read by the log's own function, which asks.
            let asks = ["session::", "list_requests(filter)"].iter().any(|door| body[..end].contains(door));
            assert!(asks, "{}: {}", path.display(), &body[..end]);
        }
    }
    assert!(seen > 30, "{seen} functions were read");
}
