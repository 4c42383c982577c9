//! A provider that does what the test says, on a real socket, byte for byte.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

/// What a provider does with a request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Sends these bytes; the connection stays open.
    Send(Vec<u8>),
    /// Sends these bytes and closes.
    SendAndClose(Vec<u8>),
    /// Closes without a byte.
    Close,
    /// Closes with a reset.
    Reset,
    /// Never answers.
    Hang,
    /// Takes its time before it does that.
    Late(Duration, Box<Act>),
    /// Sends a part, waits to be told, sends the rest.
    InSteps(Vec<Vec<u8>>, Arc<Notify>),
    /// What this says of each request.
    Each(Arc<dyn Fn(&Turn<'_>) -> Act + Send + Sync>),
}

/// Which request it is.
pub(crate) struct Turn<'a> {
    /// Head and body as they came.
    pub(crate) request: &'a str,
    /// Its number at this provider, from 1.
    pub(crate) number: usize,
    /// Its number on its connection, from 1.
    pub(crate) on_connection: usize,
}

/// Acts as this says of each request.
pub(crate) fn each(act: impl Fn(&Turn<'_>) -> Act + Send + Sync + 'static) -> Act {
    Act::Each(Arc::new(act))
}

/// A scripted provider.
pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
    /// Told when a client closes its side while an answer is under way.
    pub(crate) abandoned: Arc<Notify>,
    task: JoinHandle<()>,
}

/// A plain JSON answer.
pub(crate) fn json(status: u16, body: &str) -> Act {
    with_headers(status, "", body)
}

/// A JSON answer with more headers, each line ended by CRLF.
pub(crate) fn with_headers(status: u16, headers: &str, body: &str) -> Act {
    Act::Send(
        format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{headers}\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}

/// The head of a chunked event stream.
pub(crate) fn sse_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec()
}

/// One chunk.
pub(crate) fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

impl Provider {
    /// Starts with one act for every request.
    pub(crate) async fn start(act: Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (seen, abandoned) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn({
            let (seen, abandoned, connections) = (seen.clone(), abandoned.clone(), connections.clone());
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Relaxed);
                    tokio::spawn(serve(stream, seen.clone(), act.clone(), abandoned.clone()));
                }
            }
        });
        Self { address, seen, connections, abandoned, task }
    }

    /// An address where nothing listens.
    pub(crate) async fn nowhere() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("an address")
    }

    /// Requests it got, heads and bodies as they came.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("not poisoned").clone()
    }

    /// How many connections were opened to it.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }

    /// How many requests it got.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().expect("not poisoned").len()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>, act: Act, abandoned: Arc<Notify>) {
    let mut buffer = Vec::new();
    let mut on_connection = 0;
    while let Some(request) = read_request(&mut stream, &mut buffer).await {
        let number = {
            let mut seen = seen.lock().expect("not poisoned");
            seen.push(request.clone());
            seen.len()
        };
        on_connection += 1;
        let mut now = act.clone();
        while let Act::Each(_) | Act::Late(..) = now {
            now = match now {
                Act::Each(says) => says(&Turn { request: &request, number, on_connection }),
                Act::Late(time, then) => {
                    tokio::time::sleep(time).await;
                    *then
                }
                other => other,
            };
        }
        let written = match now {
            Act::Send(bytes) => stream.write_all(&bytes).await,
            Act::SendAndClose(bytes) => {
                let _ = stream.write_all(&bytes).await;
                return;
            }
            Act::Close => return,
            Act::Reset => {
                let _ = stream.set_zero_linger();
                return;
            }
            Act::Hang => {
                let _ = stream.read(&mut [0; 1]).await;
                abandoned.notify_one();
                return;
            }
            Act::InSteps(steps, go) => in_steps(&mut stream, steps, &go, &abandoned).await,
            Act::Each(_) | Act::Late(..) => unreachable!("resolved above"),
        };
        if written.is_err() {
            abandoned.notify_one();
            return;
        }
    }
}

async fn in_steps(stream: &mut TcpStream, steps: Vec<Vec<u8>>, go: &Notify, abandoned: &Notify) -> std::io::Result<()> {
    for (index, step) in steps.into_iter().enumerate() {
        if index > 0 {
            let mut byte = [0; 1];
            tokio::select! {
                () = go.notified() => {}
                _ = stream.read(&mut byte) => {
                    abandoned.notify_one();
                    return Err(std::io::ErrorKind::ConnectionReset.into());
                }
            }
        }
        stream.write_all(&step).await?;
    }
    Ok(())
}

/// One request, head and body, as text.
async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = request_end(buffer) {
            let request: Vec<u8> = buffer.drain(..end).collect();
            return Some(String::from_utf8_lossy(&request).into_owned());
        }
        let mut part = vec![0; 16 * 1024];
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&part[..count]),
        }
    }
}

fn request_end(buffer: &[u8]) -> Option<usize> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
    if text.contains("transfer-encoding: chunked") {
        let end = buffer[head..].windows(5).position(|window| window == b"0\r\n\r\n")?;
        return Some(head + end + 5);
    }
    let length =
        text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok()).unwrap_or(0);
    (buffer.len() >= head + length).then_some(head + length)
}
