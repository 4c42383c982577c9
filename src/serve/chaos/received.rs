//! A request as it came, read by hand: the bytes of the head are evidence.

use std::io;

use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A head longer than this is not read on.
const HEAD_BYTES: usize = 1024 * 1024;

/// A whole request.
#[derive(Clone, Debug)]
pub struct Received {
    /// From the request line to the last header, without the empty line.
    pub head: String,
    /// The body, without its chunks.
    pub body: Vec<u8>,
}

/// What is remembered of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// From the request line to the last header.
    pub head: String,
    /// Length of the body.
    pub body_bytes: u64,
}

impl Received {
    /// The method.
    pub fn method(&self) -> &str {
        self.word(0)
    }

    /// The request target as it was written.
    pub fn target(&self) -> &str {
        self.word(1)
    }

    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target().split('?').next().unwrap_or_default()
    }

    fn word(&self, index: usize) -> &str {
        self.head.lines().next().and_then(|line| line.split(' ').nth(index)).unwrap_or_default()
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether the connection ends with this exchange.
    pub(super) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    /// What is remembered of it.
    pub(super) fn seen(&self) -> Seen {
        Seen { head: self.head.clone(), body_bytes: self.body.len() as u64 }
    }

    /// The request as the answer `echo` tells it.
    pub(super) fn echo(&self) -> Value {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let headers: Vec<(&str, &str)> = fields.map(|(name, value)| (name, value.trim())).collect();
        let sha256: String = Sha256::digest(&self.body).iter().map(|byte| format!("{byte:02x}")).collect();
        json!({
            "method": self.method(), "target": self.target(), "headers": headers,
            "body_bytes": self.body.len(), "body_sha256": sha256,
        })
    }
}

impl Seen {
    /// The request target as it was written.
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Bytes that came and were not asked for yet.
#[derive(Default)]
pub(super) struct Inbox {
    pub(super) bytes: Vec<u8>,
    /// Bytes read since the count was last taken.
    pub(super) uncounted: u64,
}

impl Inbox {
    /// Reads more; `false` at the end.
    pub(super) async fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<bool> {
        let count = stream.read_buf(&mut self.bytes).await?;
        self.uncounted += count as u64;
        Ok(count > 0)
    }

    /// The next request; `None` when no other comes. A head or a body that breaks off is an error.
    pub(super) async fn request<S>(&mut self, stream: &mut S) -> io::Result<Option<Received>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let end = loop {
            if let Some(end) = find(&self.bytes, b"\r\n\r\n") {
                break end;
            }
            if self.bytes.len() > HEAD_BYTES {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if !self.fill(stream).await? {
                return if self.bytes.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        };
        let head = String::from_utf8_lossy(&self.bytes[..end]).into_owned();
        self.bytes.drain(..end + 4);
        if header(&head, "expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let body = match header(&head, "transfer-encoding") {
            Some(_) => self.chunks(stream).await?,
            None => {
                let length = header(&head, "content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
                self.take(stream, length).await?
            }
        };
        Ok(Some(Received { head, body }))
    }

    async fn take(&mut self, stream: &mut (impl AsyncRead + Unpin), length: usize) -> io::Result<Vec<u8>> {
        while self.bytes.len() < length {
            if !self.fill(stream).await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.bytes.drain(..length).collect())
    }

    async fn line(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.bytes, b"\r\n") {
                let line = String::from_utf8_lossy(&self.bytes[..end]).into_owned();
                self.bytes.drain(..end + 2);
                return Ok(line);
            }
            if !self.fill(stream).await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn chunks(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line(stream).await?;
            let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16);
            let size = size.map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            if size == 0 {
                // Trailers, up to the empty line.
                while !self.line(stream).await?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.take(stream, size).await?);
            self.line(stream).await?;
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &str) -> io::Result<Option<Received>> {
        let mut stream = tokio::io::join(text.as_bytes(), tokio::io::sink());
        Inbox::default().request(&mut stream).await
    }

    #[tokio::test]
    async fn a_request_is_read_by_length_and_by_chunks() {
        let plain = read("POST /a?b HTTP/1.1\r\nHost: x\r\ncontent-length: 2\r\n\r\nhi").await.expect("read");
        let plain = plain.expect("a request");
        assert_eq!((plain.method(), plain.target(), plain.header("host")), ("POST", "/a?b", Some("x")));
        assert_eq!(plain.body, b"hi");
        let chunked = "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2;x\r\nhi\r\n1\r\n!\r\n0\r\na: b\r\n\r\n";
        assert_eq!(read(chunked).await.expect("read").expect("a request").body, b"hi!");
    }

    #[tokio::test]
    async fn an_end_between_requests_is_none_and_within_one_an_error() {
        assert!(read("").await.expect("an end").is_none());
        for text in ["GET / HT", "POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nhi"] {
            assert!(read(text).await.is_err(), "{text}");
        }
    }
}
