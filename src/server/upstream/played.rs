//! A provider that is only played: the peer of a connection that never leaves this process.
//!
//! A drill's fault is spoken as HTTP over a pipe, so that everything behind the connection (timeouts,
//! parsing, verdicts, failover, the record) meets it as it would meet the real one. What is sent into
//! the pipe, the credential too, is read and forgotten here.

use std::{future::Future, sync::Arc};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::{
    connect::ConnectFault,
    pool::{Lease, Pool},
};

/// Bytes that may wait in the pipe, each way.
const PIPE: usize = 16 * 1024;

/// What the played provider does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Reads the request, sends these bytes (an HTTP/1.1 answer with `Connection: close`), closes.
    Answer(String),
    /// Reads the request and says nothing.
    Silence,
}

/// A connection to the played provider; it hangs up when `until` comes.
pub async fn lease(
    pool: &Arc<Pool>,
    act: Act,
    until: impl Future<Output = ()> + Send + 'static,
) -> Result<Lease, ConnectFault> {
    let (ours, theirs) = tokio::io::duplex(PIPE);
    // It ends with its connection, or before: the exchange holds the other end of the pipe.
    tokio::spawn(async move {
        tokio::select! {
            () = play(theirs, act) => {}
            () = until => {}
        }
    });
    pool.lease_over(ours).await
}

async fn play(stream: DuplexStream, act: Act) {
    let (mut request, mut answer) = tokio::io::split(stream);
    if let Act::Answer(text) = act {
        let mut first = [0; 1];
        // Not before the request has begun: an answer to nothing is no answer.
        if request.read_exact(&mut first).await.is_err() {
            return;
        }
        let _gone_is_fine = answer.write_all(text.as_bytes()).await;
        let _gone_is_fine = answer.shutdown().await;
    }
    let _until_the_end = tokio::io::copy(&mut request, &mut tokio::io::sink()).await;
}
