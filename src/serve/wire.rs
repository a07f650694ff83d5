//! A connection as the HTTP library sees it: counted, and with our headers on what the library answers by itself.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::guests::{Guest, Phase};

/// A stream, and what passes over it.
pub(super) struct Wire {
    stream: Arc<TcpStream>,
    guest: Arc<Guest>,
    turn: Arc<Turn>,
    /// Ours, in place of a head of the library's, that did not go out yet.
    waiting: Vec<u8>,
}

/// Whose answer is on the wire.
#[derive(Default)]
pub(super) struct Turn {
    /// The service was asked, and its answer is not out yet.
    ours: AtomicBool,
    /// The service's answer was handed over in full.
    ended: AtomicBool,
}

impl Turn {
    pub(super) fn begin(&self) {
        self.ended.store(false, Ordering::Relaxed);
        self.ours.store(true, Ordering::Relaxed);
    }

    /// To be called when the answer's body is used up.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// To be called when nothing is left to be written.
    fn flushed(&self) -> bool {
        self.ended.swap(false, Ordering::Relaxed) && self.ours.swap(false, Ordering::Relaxed)
    }
}

impl Wire {
    pub(super) fn new(stream: Arc<TcpStream>, guest: Arc<Guest>, turn: Arc<Turn>) -> Self {
        Self { stream, guest, turn, waiting: Vec::new() }
    }

    /// Waits until the stream takes something of `parts`.
    fn write(&self, cx: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(cx))?;
            match self.stream.try_write_vectored(parts) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    if let Ok(n) = result {
                        self.guest.takes(n);
                    }
                    return Poll::Ready(result);
                }
            }
        }
    }

    fn write_waiting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let n = ready!(self.write(cx, &[IoSlice::new(&self.waiting)]))?;
            self.waiting.drain(..n);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(cx))?;
            match self.stream.try_read(bytes.initialize_unfilled()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(n) => {
                    bytes.advance(n);
                    if n > 0 && self.guest.phase().0 == Phase::Idle {
                        self.guest.enter(Phase::Asking);
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.write_waiting(cx))?;
        if self.turn.ours.load(Ordering::Relaxed) {
            return self.write(cx, parts);
        }
        // All of ours is out and no request was heard: this is the library's word on a head that it cannot read.
        let theirs: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.waiting = super::secured(&theirs);
        Poll::Ready(Ok(theirs.len()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_waiting(cx))?;
        if self.turn.flushed() {
            self.guest.enter(Phase::Idle);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_waiting(cx))?;
        Poll::Ready(rustix::net::shutdown(&*self.stream, rustix::net::Shutdown::Write).map_err(Into::into))
    }
}
