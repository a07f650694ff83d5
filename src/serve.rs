//! The published files over HTTP.
//!
//! Small on purpose: GET and HEAD of regular files below one folder, with validators made from the content. A file is
//! opened once per request and served from that handle, so replacing it by rename never mixes two versions.

mod files;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::fetch::date;
use files::{Files, Found, Opened};

/// What clients may take of us.
#[derive(Clone, Copy)]
struct Limits {
    /// Connections at one time; more wait in the system's queue.
    connections: usize,
    /// For the whole head of a request.
    head: Duration,
    /// A connection that asks nothing and takes nothing for so long is closed: idle ones, and readers too slow to be
    /// readers (below about 1 KiB/s).
    idle: Duration,
    /// How long answers under way may take after the stop signal.
    stop: Duration,
}

const LIMITS: Limits = Limits {
    connections: 512,
    head: Duration::from_secs(10),
    idle: Duration::from_mins(1),
    stop: Duration::from_secs(5),
};

/// Bytes of a request's head.
const HEAD_SIZE: usize = 16 << 10;
/// How long to wait when the system has no more file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Readers and proxies may keep a feed for five minutes: a third of the shortest time between two polls, so a reader
/// is never much later than the poll itself, and cheap to ask again, since the `ETag` stays while the bytes do.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");
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

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Serves the files below `root` until `stop` is ready; then takes no more connections, lets answers under way
/// finish for a few seconds, and returns.
///
/// `root` need not exist yet: what is not there is 404.
pub async fn run(listener: TcpListener, root: PathBuf, stop: impl Future<Output = ()> + Send) {
    serve(listener, root, stop, LIMITS).await;
}

async fn serve(listener: TcpListener, root: PathBuf, stop: impl Future<Output = ()> + Send, limits: Limits) {
    let files = Arc::new(Files::new(root));
    let slots = Arc::new(Semaphore::new(limits.connections));
    let (stopping, stopped) = watch::channel(false);
    let mut open = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let slot = slots.clone().acquire_owned().await.map_err(io::Error::other)?;
            Ok((listener.accept().await?.0, slot))
        };
        let accepted: io::Result<_> = tokio::select! {
            () = &mut stop => break,
            accepted = next => accepted,
        };
        while open.try_join_next().is_some() {}
        match accepted {
            Ok((stream, slot)) => {
                open.spawn(converse(stream, files.clone(), stopped.clone(), limits, slot));
            }
            // A client that left before it was accepted costs nothing; no free file handles do pass.
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
    drop(listener);
    stopping.send_replace(true);
    let _ = timeout(limits.stop, async { while open.join_next().await.is_some() {} }).await;
    open.shutdown().await;
}

/// One connection, until it ends, is idle too long, or the server stops.
async fn converse(
    stream: TcpStream,
    files: Arc<Files>,
    mut stopped: watch::Receiver<bool>,
    limits: Limits,
    _slot: OwnedSemaphorePermit,
) {
    let progress = Arc::new(AtomicU64::new(0));
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let (files, progress) = (files.clone(), progress.clone());
        async move { Ok::<_, Infallible>(answer(&request, files, progress).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(HEAD_SIZE)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut seen = 0;
    loop {
        tokio::select! {
            // Errors are the client's: it left, or what it sent is not HTTP.
            _ = connection.as_mut() => return,
            _ = stopped.wait_for(|stopped| *stopped) => break,
            () = sleep(limits.idle) => {
                let now = progress.load(Ordering::Relaxed);
                if now == seen {
                    return;
                }
                seen = now;
            }
        }
    }
    // `run` ends the task when this takes too long.
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

async fn answer<B>(request: &Request<B>, files: Arc<Files>, progress: Arc<AtomicU64>) -> Response<Body> {
    progress.fetch_add(1, Ordering::Relaxed);
    let mut response = if matches!(*request.method(), Method::GET | Method::HEAD) {
        found(request, files, progress).await
    } else {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        response
    };
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.insert(name, value);
    }
    if request.method() == Method::HEAD {
        // The length of the body that GET would bring stays in the headers.
        *response.body_mut() = empty();
    }
    response
}

async fn found<B>(request: &Request<B>, files: Arc<Files>, progress: Arc<AtomicU64>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let opened = tokio::task::spawn_blocking(move || files.open(&path)).await.map_err(io::Error::other);
    match opened.flatten() {
        Ok(Found::File(file)) => whole(request, file, progress),
        Ok(Found::Folder { to }) => {
            let mut response = plain(StatusCode::MOVED_PERMANENTLY, "");
            if let Ok(to) = HeaderValue::try_from(to) {
                response.headers_mut().insert(header::LOCATION, to);
            }
            response
        }
        Ok(Found::Nothing) => plain(StatusCode::NOT_FOUND, "there is nothing here\n"),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read\n"),
    }
}

/// A file, or word that the client has it already.
fn whole<B>(request: &Request<B>, file: Opened, progress: Arc<AtomicU64>) -> Response<Body> {
    let known = is_known(request.headers(), &file);
    let mut response = Response::new(empty());
    let headers = response.headers_mut();
    // Both are made of plain letters and digits, so neither conversion fails.
    if let (Ok(etag), Ok(modified)) =
        (HeaderValue::try_from(&file.etag), HeaderValue::try_from(date::format(file.modified)))
    {
        headers.insert(header::ETAG, etag);
        headers.insert(header::LAST_MODIFIED, modified);
    }
    headers.insert(header::CACHE_CONTROL, CACHE);
    let is_feed = matches!(media_type(file.content_type), "application/atom+xml" | "application/rss+xml");
    if is_feed {
        headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    }
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    // Browsers show a feed by its own name as source text, and as XML with its style sheet.
    let shown =
        if is_feed && is_browser(request.headers()) { "application/xml; charset=utf-8" } else { file.content_type };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(shown));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.length));
    if request.method() == Method::GET {
        let chunks = futures_util::stream::try_unfold(file, move |file| {
            progress.fetch_add(1, Ordering::Relaxed);
            async move {
                if file.is_done() {
                    return Ok(None);
                }
                let next = tokio::task::spawn_blocking(move || file.next());
                let (bytes, file) = next.await.map_err(io::Error::other)??;
                Ok(Some((Frame::data(Bytes::from(bytes)), file)))
            }
        });
        *response.body_mut() = BodyExt::boxed_unsync(StreamBody::new(chunks));
    }
    response
}

fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default()
}

/// Browsers ask for pages and name no feed; readers do.
fn is_browser(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let accepted: Vec<&str> = accepted.flat_map(|list| list.split(',')).map(|kind| media_type(kind).trim()).collect();
    let is_feed = |kind: &&str| matches!(*kind, "application/atom+xml" | "application/rss+xml");
    accepted.contains(&"text/html") && !accepted.iter().any(is_feed)
}

/// RFC 9110 section 13.2.2: `If-None-Match` decides alone when it is there.
fn is_known(headers: &HeaderMap, file: &Opened) -> bool {
    if headers.contains_key(header::IF_NONE_MATCH) {
        return headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|list| {
            // Our tags hold no comma, so cutting a foreign tag at one does no harm. The comparison is the weak one.
            list.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == file.etag)
        });
    }
    let since = headers.get(header::IF_MODIFIED_SINCE).and_then(|value| date::parse(value.to_str().ok()?));
    // HTTP dates have no milliseconds.
    since.is_some_and(|since| file.modified.millis().div_euclid(1000) <= since.millis().div_euclid(1000))
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Full::from(text).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    // What is not there yet may be there in a minute.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}
