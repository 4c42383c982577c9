//! One connection: request after request, each with its script.

use std::{io, sync::Arc};

use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{
    Shared, control,
    perform::{Ended, Line, perform},
    received::{Inbox, Received},
    script::Script,
};

/// Serves a connection to its end.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _open = Open::count(&shared);
    // Off, the first event of a stream would wait 40 ms for Nagle.
    let _ = stream.set_nodelay(true);
    match shared.options.tls.clone() {
        None => exchanges(stream, &shared).await,
        Some(config) => match TlsAcceptor::from(config).accept(stream).await {
            Ok(stream) => exchanges(stream, &shared).await,
            Err(_) => shared.count(|counters| counters.failed_handshakes += 1),
        },
    }
}

/// Counts a connection while it is open.
struct Open<'a>(&'a Shared);

impl<'a> Open<'a> {
    fn count(shared: &'a Shared) -> Self {
        shared.count(|counters| {
            counters.connections += 1;
            counters.open += 1;
        });
        Self(shared)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.count(|counters| counters.open -= 1);
    }
}

async fn exchanges<S: Line>(mut line: S, shared: &Shared) {
    let mut inbox = Inbox::default();
    loop {
        let request = inbox.request(&mut line).await;
        let bytes = std::mem::take(&mut inbox.uncounted);
        shared.count(|counters| counters.received_bytes += bytes);
        let Ok(Some(request)) = request else { return };
        let goes_on = if control::claims(&request) {
            control::answer(&mut line, shared, &request).await
        } else {
            exchange(&mut line, &mut inbox, shared, &request).await
        };
        if !goes_on.unwrap_or(false) {
            return;
        }
    }
}

/// One scripted answer; whether the connection may serve again.
async fn exchange<S: Line>(line: &mut S, inbox: &mut Inbox, shared: &Shared, request: &Received) -> io::Result<bool> {
    shared.remember(request);
    let script = shared.script_for(request);
    let script = script.unwrap_or_else(|error| Script::status(400, &format!("x-chaos: {error}\n")));
    match perform(line, inbox, request, &script).await {
        Ok(Ended::Whole) => {
            shared.count(|counters| counters.answered += 1);
            return Ok(true);
        }
        Ok(Ended::WholeAndClosed) => {
            shared.count(|counters| counters.answered += 1);
            line.shutdown().await?;
        }
        Ok(Ended::Cut) => shared.count(|counters| counters.cut += 1),
        Ok(Ended::Hung) => {
            shared.count(|counters| counters.cut += 1);
            while inbox.fill(line).await.unwrap_or(false) {}
            shared.count(|counters| counters.left += 1);
        }
        Err(_) => shared.count(|counters| counters.left += 1),
    }
    Ok(false)
}
