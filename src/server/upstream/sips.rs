//! A connection that is read in small parts.
//!
//! hyper doubles its read buffer with every read that fills it, up to 400 KiB, and keeps it for as long as
//! the client takes to read what is in it. Read in parts that never fill the first buffer, an exchange holds
//! one part of the answer for each step on its way, however large the answer and slow the client. Heads may
//! still be longer: the buffer grows until a head is whole.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf, Take};

/// Bytes of one read: one less than the buffer that hyper starts with, so that it does not grow.
const SIP_BYTES: u64 = 8 * 1024 - 1;

/// A connection, read in small parts.
pub(super) struct Sips<T>(Take<T>);

impl<T: AsyncRead> Sips<T> {
    pub(super) fn of(connection: T) -> Self {
        Self(connection.take(SIP_BYTES))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Sips<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.set_limit(SIP_BYTES);
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Sips<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self.0.get_mut()).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(self.0.get_mut()).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.get_ref().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.0.get_mut()).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.0.get_mut()).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test]
    async fn a_read_takes_a_small_part_and_the_next_one_goes_on_behind_it() {
        let (mut far, near) = tokio::io::duplex(64 * 1024);
        let sent: Vec<u8> = (0..20_000u32).map(|at| at as u8).collect();
        far.write_all(&sent).await.expect("room in the pipe");
        let (mut sips, mut got, mut sizes) = (Sips::of(near), Vec::new(), Vec::new());
        while got.len() < sent.len() {
            let mut part = vec![0; 64 * 1024];
            let count = sips.read(&mut part).await.expect("bytes");
            sizes.push(count);
            got.extend_from_slice(&part[..count]);
        }
        assert_eq!(got, sent);
        assert_eq!(sizes, [8_191, 8_191, 3_618]);
    }
}
