//! The audience of the demo: about three questions a second, a third of them streamed.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rand::RngExt;
use tokio::{net::TcpStream, task::JoinSet};

/// Questions that may be open at once; a gateway that hangs does not pile them up.
const AT_ONCE: usize = 32;

/// Asks until it is dropped.
pub(super) async fn ask(gateway: SocketAddr, group: &str, key: &str) {
    let path = format!("/api/proxy/{group}/v1/chat/completions");
    let mut open = JoinSet::new();
    loop {
        let (wait, streamed) = {
            let mut rng = rand::rng();
            (rng.random_range(120..550), rng.random_range(0..3) == 0)
        };
        tokio::time::sleep(Duration::from_millis(wait)).await;
        while open.try_join_next().is_some() {}
        if open.len() < AT_ONCE
            && let Some(question) = question(gateway, &path, key, streamed)
        {
            open.spawn(hear(gateway, question));
        }
    }
}

fn question(gateway: SocketAddr, path: &str, key: &str, streamed: bool) -> Option<Request<Full<Bytes>>> {
    let body =
        format!(r#"{{"model":"demo-1","stream":{streamed},"messages":[{{"role":"user","content":"Once more?"}}]}}"#);
    Request::post(path)
        .header(header::HOST, gateway.to_string())
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, "rondo-demo")
        .body(Full::from(body))
        .ok()
}

/// Reads an answer to its end. What went wrong is seen in the back office, which is what the demo is for.
async fn hear(gateway: SocketAddr, question: Request<Full<Bytes>>) {
    let Ok(stream) = TcpStream::connect(gateway).await else { return };
    let Ok((mut sender, connection)) = http1::handshake(TokioIo::new(stream)).await else { return };
    let exchange = async move {
        let Ok(answer) = sender.send_request(question).await else { return };
        let mut body = answer.into_body();
        while let Some(Ok(_)) = body.frame().await {}
    };
    let (_closed, ()) = tokio::join!(connection, exchange);
}
