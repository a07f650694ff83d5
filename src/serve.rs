//! The published files over HTTP, and pages that are made when somebody asks.
//!
//! Small on purpose: GET and HEAD of regular files below one folder, with validators made from the content. A file is
//! opened once per request and served from that handle, or from memory under the hash of its bytes, so replacing it by
//! rename never mixes two versions. TLS is left to a proxy.

mod accepts;
mod answer;
mod files;
mod guests;
mod packed;
mod pages;
#[cfg(test)]
mod tests;
mod wire;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use answer::Served;
use files::Files;
use guests::{Guest, Guests, Phase, Place, Rooms};
use packed::Packed;
pub use pages::{Page, Pages};
use wire::{Turn, Wire};

/// What clients may take of us.
#[derive(Clone, Copy)]
struct Limits {
    rooms: Rooms,
    /// For the whole head of a request, from its first byte, and half as long again.
    head: Duration,
    /// A connection that asks nothing for so long is closed.
    idle: Duration,
    /// Bytes that a reader has to take in `idle`; the system's own memory (`SENDING`) is filled before any wait is seen.
    least: u64,
    /// How long answers under way may take after the stop signal.
    stop: Duration,
}

const LIMITS: Limits = Limits {
    rooms: Rooms { all: 512, each: 64, patience: Duration::from_secs(30) },
    head: Duration::from_secs(10),
    idle: Duration::from_mins(1),
    least: 60 << 10,
    stop: Duration::from_secs(5),
};

/// Bytes of a request's head.
const HEAD_SIZE: usize = 16 << 10;
/// Bytes that the system holds for a reader (it doubles the number); what one costs that takes nothing. By itself it
/// would take megabytes, and say nothing while a slow reader empties them.
const SENDING: usize = 128 << 10;
/// How long, and for how many bytes, a client may go on after its last answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_SIZE: usize = 256 << 10;
/// How long to wait when the system has no more file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// On every answer, whatever its status.
const SECURITY: [(HeaderName, HeaderValue); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; img-src http: https:; media-src http: https:; style-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

/// Serves the files below `root`, and before them what `pages` has (`()` has none), until `stop` is ready; then takes
/// no more connections, lets answers under way finish for a few seconds, and returns.
///
/// `root` need not exist yet: what is not there is 404.
pub async fn run(listener: TcpListener, root: PathBuf, pages: impl Pages, stop: impl Future<Output = ()> + Send) {
    serve(listener, Some(root), pages, stop, LIMITS).await;
}

/// Like [`run`], for pages alone.
pub async fn run_pages(listener: TcpListener, pages: impl Pages, stop: impl Future<Output = ()> + Send) {
    serve(listener, None, pages, stop, LIMITS).await;
}

async fn serve<P: Pages>(
    listener: TcpListener,
    root: Option<PathBuf>,
    pages: P,
    stop: impl Future<Output = ()> + Send,
    limits: Limits,
) {
    // Every connection takes it over. Where it cannot be set, slow readers cost more.
    let _ = rustix::net::sockopt::set_socket_send_buffer_size(&listener, SENDING);
    let served = Arc::new(Served { files: root.map(Files::new), packed: Arc::new(Packed::new()), pages });
    let guests = Arc::new(Guests::new(limits.rooms));
    let (stopping, stopped) = watch::channel(false);
    let mut open = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let Ok((stream, from)) = listener.accept().await else {
                // A client that left before it was accepted costs nothing; a lack of file handles passes, and sooner
                // so when somebody who asks nothing gives one back.
                guests.part_with_one();
                sleep(ACCEPT_PAUSE).await;
                return None;
            };
            Some((stream, guests.welcome(from.ip()).await?))
        };
        let welcomed = tokio::select! {
            () = &mut stop => break,
            welcomed = next => welcomed,
        };
        while open.try_join_next().is_some() {}
        if let Some((stream, place)) = welcomed {
            open.spawn(converse(stream, served.clone(), stopped.clone(), limits, place));
        }
    }
    drop(listener);
    stopping.send_replace(true);
    let _ = timeout(limits.stop, async { while open.join_next().await.is_some() {} }).await;
    open.shutdown().await;
}

/// One connection, until it ends, has to go, or the server stops.
async fn converse<P: Pages>(
    stream: TcpStream,
    served: Arc<Served<P>>,
    mut stopped: watch::Receiver<bool>,
    limits: Limits,
    place: Place,
) {
    // Answers are written in one piece, so waiting for more to send only makes them late.
    let _ = stream.set_nodelay(true);
    let (stream, turn) = (Arc::new(stream), Arc::new(Turn::default()));
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        place.guest.enter(Phase::Answered);
        let (served, turn) = (served.clone(), turn.clone());
        async move { Ok::<_, Infallible>(served.answer(&request, turn).await) }
    });
    let wire = Wire::new(stream.clone(), place.guest.clone(), turn.clone());
    let connection = http1::Builder::new()
        // `overdue` watches all of its times.
        .header_read_timeout(None)
        .max_buf_size(HEAD_SIZE)
        .serve_connection(TokioIo::new(wire), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        // Errors are the client's: it left, or what it sent is not HTTP.
        _ = connection.as_mut() => true,
        _ = stopped.wait_for(|stopped| *stopped) => false,
        () = place.guest.out.notified() => return,
        phase = overdue(&place.guest, limits) => {
            if phase != Phase::Asking {
                return;
            }
            let late = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            let _ = stream.try_write(&secured(late));
            true
        }
    };
    if ended {
        place.guest.enter(Phase::Idle);
        tokio::select! {
            () = place.guest.out.notified() => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
            _ = timeout(LINGER, part(&stream)) => {}
        }
        return;
    }
    // `serve` ends the task when this takes too long.
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Says that nothing more comes, and takes what the client still sends: with bytes of it unread, the system would
/// break the connection off, and our last answer could be lost.
async fn part(stream: &TcpStream) -> io::Result<()> {
    rustix::net::shutdown(stream, rustix::net::Shutdown::Write)?;
    let (mut bytes, mut left) = ([0; 4096], LINGER_SIZE);
    while left > 0 {
        stream.readable().await?;
        match stream.try_read(&mut bytes) {
            Ok(0) => break,
            Ok(n) => left = left.saturating_sub(n),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits until a connection is in one phase for too long.
async fn overdue(guest: &Guest, limits: Limits) -> Phase {
    let (mut taken, mut counted) = (guest.taken(), Instant::now());
    loop {
        sleep(limits.head / 2).await;
        let (phase, age) = guest.phase();
        let is_over = match phase {
            Phase::Idle => age >= limits.idle,
            Phase::Asking => age >= limits.head,
            Phase::Answered => {
                age >= limits.idle && counted.elapsed() >= limits.idle && {
                    let before = std::mem::replace(&mut taken, guest.taken());
                    counted = Instant::now();
                    taken - before < limits.least
                }
            }
        };
        if is_over {
            return phase;
        }
    }
}

/// A head that the HTTP library or nobody made, with our headers in it.
fn secured(head: &[u8]) -> Vec<u8> {
    let end = head.windows(2).position(|pair| pair == b"\r\n").map_or(head.len(), |at| at + 2);
    let mut whole = head[..end].to_vec();
    for (name, value) in SECURITY {
        whole.extend([name.as_ref(), value.as_bytes()].join(&b": "[..]));
        whole.extend(b"\r\n");
    }
    whole.extend(&head[end..]);
    whole
}
