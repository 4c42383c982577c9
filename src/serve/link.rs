//! The socket of one client, with what a plain socket lacks: a limit to how long an answer may wait
//! for a client that does not read, and an end that does not take the answer back.
//!
//! A socket that is closed over bytes nobody read is reset, and the reset overtakes the answer: a
//! client that was refused in the middle of its body would see a broken connection instead of the
//! reason. So such a socket is read on for a moment after its last answer (RFC 9112 §9.6).

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::Sleep,
};

/// How long a client may send on unheard after its last answer.
const LINGER: Duration = Duration::from_secs(2);

/// What is left of a link: its socket, once the connection on it has ended. Locked for a move.
#[derive(Default)]
pub(super) struct Remains(Mutex<Option<TcpStream>>);

impl Remains {
    /// Reads on until the client has closed its side, for a moment at most. A connection that was
    /// switched to another protocol is still in use and left nothing.
    pub(super) async fn linger(&self) {
        let stream = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut stream) = stream else { return };
        let listen_on = async {
            // Done already, but where the connection ended with an error of the client's.
            let _ = stream.shutdown().await;
            let mut scrap = [0; 4096];
            while stream.read(&mut scrap).await.is_ok_and(|count| count > 0) {}
        };
        let _ = tokio::time::timeout(LINGER, listen_on).await;
    }
}

/// Whether bytes wait on a link for their client. The link and the answer on it are polled by one task.
#[derive(Clone, Default)]
pub(super) struct Backlog(Arc<AtomicBool>);

impl Backlog {
    fn note(&self) {
        self.0.store(true, Relaxed);
    }

    /// The answer was not asked further: its task looks again.
    fn clear(&self, cx: &Context<'_>) {
        self.0.store(false, Relaxed);
        cx.waker().wake_by_ref();
    }

    /// The answer, which waits while bytes of it do.
    pub(super) fn hold_back<B>(&self, body: B) -> HeldBack<B> {
        HeldBack { body, backlog: self.clone() }
    }
}

/// A body that is told when its client keeps it waiting.
pub(super) trait Held: Body {
    /// Bytes of it still wait for the client: it is not asked for more.
    fn held(self: Pin<&mut Self>);
}

pin_project_lite::pin_project! {
    /// The body of an answer of HTTP/1.1, one part at a time: hyper alone would take 64 KiB of it ahead
    /// of a client that does not read.
    pub(super) struct HeldBack<B> {
        #[pin]
        body: B,
        backlog: Backlog,
    }
}

impl<B: Held<Data = Bytes>> Body for HeldBack<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let held = self.project();
        // The link wakes this task when the client has taken what waits.
        if held.backlog.0.load(Relaxed) {
            held.body.held();
            return Poll::Pending;
        }
        held.body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The socket of one client.
pub(super) struct Link {
    /// There until dropped.
    stream: Option<TcpStream>,
    stall: Duration,
    /// Runs while the client does not take what is written.
    stalled: Option<Pin<Box<Sleep>>>,
    backlog: Backlog,
    remains: Arc<Remains>,
}

impl Link {
    /// A socket whose client may leave bytes untaken for so long.
    pub(super) fn new(stream: TcpStream, stall: Duration, remains: Arc<Remains>) -> Self {
        Self { stream: Some(stream), stall, stalled: None, backlog: Backlog::default(), remains }
    }

    /// Tells whether bytes wait on it.
    pub(super) fn backlog(&self) -> Backlog {
        self.backlog.clone()
    }

    fn stream(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(self.stream.as_mut().expect("there until dropped"))
    }

    /// What came of writing; a client that takes nothing for too long is given up.
    fn watch<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            if self.stalled.take().is_some() {
                self.backlog.clear(cx);
            }
            return written;
        }
        self.backlog.note();
        let stall = self.stall;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall)));
        timer.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Link {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Link {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.stream().poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream().poll_write_vectored(cx, bytes);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        *self.remains.0.lock().unwrap_or_else(PoisonError::into_inner) = self.stream.take();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        task::{Wake, Waker},
    };

    use http_body_util::Full;

    use super::*;

    impl Held for Full<Bytes> {
        fn held(self: Pin<&mut Self>) {}
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Relaxed);
        }
    }

    #[test]
    fn an_answer_waits_while_bytes_of_it_wait_and_its_task_hears_when_they_are_gone() {
        let (backlog, woken) = (Backlog::default(), Arc::new(Woken::default()));
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        let mut body = backlog.hold_back(Full::<Bytes>::from("answer"));
        let mut poll = |cx: &mut Context<'_>| -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Pin::new(&mut body).poll_frame(cx)
        };
        backlog.note();
        assert!(poll(&mut cx).is_pending());
        assert!(!woken.0.load(Relaxed));
        backlog.clear(&cx);
        assert!(woken.0.load(Relaxed));
        let Poll::Ready(Some(Ok(frame))) = poll(&mut cx) else { panic!("the answer goes on") };
        assert_eq!(frame.into_data().expect("data"), "answer");
    }
}
