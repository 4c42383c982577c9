//! A script on the wire: the head, the body in its framing and at its speed, and the place where it breaks.

use std::{
    io,
    time::{Duration, Instant},
};

use http::StatusCode;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use super::{
    api::{self, Beat},
    received::{Inbox, Received},
    script::{Content, Cut, CutBy, Events, Form, Framing, Script, Words},
};

/// Bytes written at once where nothing else limits them.
const SLICE: usize = 64 * 1024;

/// A connection whose TCP side can be reached, to reset it.
pub(super) trait Line: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Line for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Line for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was given whole; the connection may serve again.
    Whole,
    /// It was given whole; the connection ends.
    WholeAndClosed,
    /// It broke as the script says; the connection ends.
    Cut,
    /// It broke, and the connection stays until the client leaves.
    Hung,
}

/// The body of an answer, before framing.
enum Body {
    Text(String),
    Filler(u64),
    Beats(Form, Words),
    Raw(String),
}

/// How its end is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Chunked,
    Length(u64),
    Close,
}

/// Answers `request`. An error says that the client left, or that its connection failed.
pub(super) async fn perform<S: Line>(
    line: &mut S,
    inbox: &mut Inbox,
    request: &Received,
    script: &Script,
) -> io::Result<Ended> {
    let (kind, body) = compose(request, &script.body);
    let frame = frame(script.framing, &body);
    let closes = frame == Frame::Close || request.closes();
    let mut performance = Performance { line, inbox, script, frame, written: 0, began: Instant::now() };
    performance.pause(Duration::from_millis(script.delay_ms)).await?;
    if let Some(Cut { by, after_bytes: None }) = script.cut {
        return performance.break_off(by).await;
    }
    if let Body::Raw(text) = body {
        performance.write(text.as_bytes()).await?;
        return Ok(Ended::WholeAndClosed);
    }
    performance.write(head(script, kind, frame, closes).as_bytes()).await?;
    performance.body(&body).await?;
    if let Some(Cut { by, .. }) = script.cut {
        return performance.break_off(by).await;
    }
    if frame == Frame::Chunked {
        performance.write(b"0\r\n\r\n").await?;
    }
    if let Some(after_ms) = script.close_after_ms {
        performance.pause(Duration::from_millis(after_ms)).await?;
        return Ok(Ended::WholeAndClosed);
    }
    Ok(if closes { Ended::WholeAndClosed } else { Ended::Whole })
}

/// What the answer says, and its media type.
fn compose(request: &Received, content: &Content) -> (&'static str, Body) {
    const JSON: &str = "application/json";
    const EVENTS: &str = "text/event-stream";
    match content {
        Content::Api(words) => match api::asked(request) {
            Some((form, true)) => (EVENTS, Body::Beats(form, words.clone())),
            Some((form, false)) => (JSON, Body::Text(api::whole(form, words).to_string())),
            None if api::asks_for_models(request) => (JSON, Body::Text(api::models().to_string())),
            None => (JSON, Body::Text(request.echo().to_string())),
        },
        Content::Events(Events { form, words }) => (EVENTS, Body::Beats(*form, words.clone())),
        Content::Echo => (JSON, Body::Text(request.echo().to_string())),
        Content::Text(text) => (JSON, Body::Text(text.clone())),
        Content::Bytes(count) => ("application/octet-stream", Body::Filler(*count)),
        Content::Raw(text) => ("", Body::Raw(text.clone())),
    }
}

fn frame(framing: Framing, body: &Body) -> Frame {
    let length = match body {
        Body::Text(text) => Some(text.len() as u64),
        Body::Filler(count) => Some(*count),
        Body::Beats(..) | Body::Raw(_) => None,
    };
    match (framing, length) {
        (Framing::Chunked, _) | (Framing::Auto, None) => Frame::Chunked,
        (Framing::Auto | Framing::Length, Some(length)) => Frame::Length(length),
        (Framing::Close | Framing::Length, _) => Frame::Close,
    }
}

/// The head. A header that the script names takes the place of our own: lengths may lie.
fn head(script: &Script, kind: &str, frame: Frame, closes: bool) -> String {
    let ours = [
        ("content-type", Some(kind.to_owned())),
        ("transfer-encoding", (frame == Frame::Chunked).then(|| "chunked".to_owned())),
        ("content-length", if let Frame::Length(length) = frame { Some(length.to_string()) } else { None }),
        ("connection", closes.then(|| "close".to_owned())),
    ];
    let named = |name: &str| script.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
    let known = StatusCode::from_u16(script.status).ok().and_then(|status| status.canonical_reason());
    let mut head = format!("HTTP/1.1 {} {}\r\n", script.status, known.unwrap_or("Scripted"));
    for (name, value) in ours.iter().filter(|(name, _)| !named(name)) {
        if let Some(value) = value {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    for (name, value) in &script.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if script.head_bytes > 0 {
        let filler = "x".repeat(usize::try_from(script.head_bytes).unwrap_or(0));
        head.push_str(&format!("x-filler: {filler}\r\n"));
    }
    head.push_str("\r\n");
    head
}

/// One answer on its way.
struct Performance<'a, S> {
    line: &'a mut S,
    inbox: &'a mut Inbox,
    script: &'a Script,
    frame: Frame,
    /// Bytes of the body written.
    written: u64,
    began: Instant,
}

impl<S: Line> Performance<'_, S> {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.line.write_all(bytes).await?;
        self.line.flush().await
    }

    /// The body to its end, or to the place of the cut.
    async fn body(&mut self, body: &Body) -> io::Result<()> {
        match body {
            Body::Text(text) => self.part(text.as_bytes()).await.map(drop),
            Body::Filler(count) => self.filler(*count).await,
            Body::Beats(form, words) => self.beats(*form, words).await,
            Body::Raw(_) => Ok(()),
        }
    }

    async fn filler(&mut self, count: u64) -> io::Result<()> {
        let filler = vec![b'x'; SLICE];
        let mut left = usize::try_from(count).unwrap_or(usize::MAX);
        while left > 0 {
            let slice = left.min(SLICE);
            if !self.part(&filler[..slice]).await? {
                return Ok(());
            }
            left -= slice;
        }
        Ok(())
    }

    async fn beats(&mut self, form: Form, words: &Words) -> io::Result<()> {
        for beat in api::beats(form, words) {
            let event = match beat {
                Beat::Event(event) => event,
                Beat::Word(index) => {
                    if index > 0 {
                        self.pause(Duration::from_millis(words.interval_ms)).await?;
                    }
                    api::event(form, words, index)
                }
            };
            if !self.part(event.as_bytes()).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// A part of the body, in its framing and at its speed; `false` once the place of the cut is reached.
    async fn part(&mut self, bytes: &[u8]) -> io::Result<bool> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = self.script.cut.and_then(|cut| cut.after_bytes).map_or(u64::MAX, |after| after - self.written);
            let slice = rest.len().min(self.slice()).min(usize::try_from(room).unwrap_or(usize::MAX));
            if slice == 0 {
                return Ok(false);
            }
            self.keep_pace().await?;
            if self.frame == Frame::Chunked {
                let chunk = [format!("{slice:x}\r\n").as_bytes(), &rest[..slice], b"\r\n"].concat();
                self.write(&chunk).await?;
            } else {
                self.write(&rest[..slice]).await?;
            }
            self.written += slice as u64;
            rest = &rest[slice..];
        }
        Ok(true)
    }

    /// Bytes written at once: a twentieth of a second's worth where there is a speed.
    fn slice(&self) -> usize {
        match self.script.bytes_per_second {
            0 => SLICE,
            speed => usize::try_from(speed / 20).unwrap_or(SLICE).clamp(1, SLICE),
        }
    }

    async fn keep_pace(&mut self) -> io::Result<()> {
        let speed = self.script.bytes_per_second;
        if speed == 0 {
            return Ok(());
        }
        let due = Duration::from_secs_f64(self.written as f64 / speed as f64);
        self.pause(due.saturating_sub(self.began.elapsed())).await
    }

    /// Waits, unless the client leaves meanwhile.
    async fn pause(&mut self, time: Duration) -> io::Result<()> {
        if time.is_zero() {
            return Ok(());
        }
        let over = tokio::time::sleep(time);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return Ok(()),
                more = self.inbox.fill(self.line) => if !more? {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                },
            }
        }
    }

    async fn break_off(&mut self, by: CutBy) -> io::Result<Ended> {
        match by {
            CutBy::Hang => return Ok(Ended::Hung),
            CutBy::HalfClose => {
                self.line.shutdown().await?;
                return Ok(Ended::Hung);
            }
            // It takes effect when the connection is dropped.
            CutBy::Reset => self.line.tcp().set_zero_linger()?,
            CutBy::Close => {}
            CutBy::BadChunk => self.write(b"no size\r\n").await?,
        }
        Ok(Ended::Cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_the_script_names_takes_the_place_of_ours() {
        let script = Script::status(200, "four").with_header("Content-Length", "400");
        let head = head(&script, "text/plain", Frame::Length(4), false);
        assert_eq!(head, "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nContent-Length: 400\r\n\r\n");
    }

    #[test]
    fn a_length_that_is_not_known_ends_with_chunks_or_with_the_connection() {
        let stream = Body::Beats(Form::Openai, Words::default());
        assert_eq!(frame(Framing::Auto, &stream), Frame::Chunked);
        assert_eq!(frame(Framing::Length, &stream), Frame::Close);
        assert_eq!(frame(Framing::Auto, &Body::Filler(7)), Frame::Length(7));
        assert_eq!(frame(Framing::Close, &Body::Filler(7)), Frame::Close);
    }
}
