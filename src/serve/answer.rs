//! From a request to its answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};

use super::accepts::{self, Accepts, Known, is_browser, media_type};
use super::files::{Files, Found, Opened, Tag};
use super::packed::{Form, Packed};
use super::pages::{Page, Pages};
use super::wire::Turn;
use crate::fetch::date;
use crate::model::Timestamp;

/// Readers and proxies may keep a feed for five minutes: a third of the shortest time between two polls, so a reader
/// is never much later than the poll itself, and cheap to ask again, since the `ETag` stays while the bytes do.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");
/// Kept, but asked for again each time: it says how things are now.
const NOW: HeaderValue = HeaderValue::from_static("no-cache");
/// Files up to so many bytes are sent from memory.
const WHOLE: u64 = 2 << 20;
/// Below that, packing saves less than a packet.
const SMALL: u64 = 512;
/// Above that, packing costs more memory than it is worth.
const LARGE: u64 = 16 << 20;

/// All that is served.
pub(super) struct Served<P> {
    pub(super) files: Option<Files>,
    pub(super) packed: Arc<Packed>,
    pub(super) pages: P,
}

/// What is sent behind the head.
pub(super) struct Bytestream {
    source: Source,
    // Says when the answer is handed over.
    turn: Option<Arc<Turn>>,
}

enum Source {
    Whole(Bytes),
    Pieces(UnsyncBoxBody<Bytes, io::Error>),
}

impl Drop for Bytestream {
    fn drop(&mut self) {
        if let Some(turn) = &self.turn {
            turn.end();
        }
    }
}

impl Body for Bytestream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.source {
            Source::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Source::Pieces(pieces) => Pin::new(pieces).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.source, Source::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Pieces(_) => SizeHint::default(),
        }
    }
}

type Answer = Response<Bytestream>;

/// What is at an address, before it is known in which form it is sent.
struct Content {
    tag: Tag,
    length: u64,
    kind: &'static str,
    cache: HeaderValue,
    modified: Option<Timestamp>,
    source: Place,
}

enum Place {
    File(Opened),
    Memory(Bytes),
}

impl Content {
    fn is_feed(&self) -> bool {
        matches!(media_type(self.kind), "application/atom+xml" | "application/rss+xml")
    }

    fn is_packable(&self) -> bool {
        let kind = media_type(self.kind);
        let is_text = kind.starts_with("text/") || kind.ends_with("xml") || kind.ends_with("json");
        is_text && (SMALL..=LARGE).contains(&self.length)
    }

    /// What brings all bytes; blocks.
    fn reader(&self) -> impl FnOnce() -> io::Result<Vec<u8>> + Send + use<> {
        let (file, memory) = match &self.source {
            Place::File(file) => (Some(file.clone()), None),
            Place::Memory(bytes) => (None, Some(bytes.clone())),
        };
        move || file.map_or_else(|| Ok(memory.unwrap_or_default().to_vec()), |file| file.read())
    }
}

impl<P: Pages> Served<P> {
    /// The answer to a request.
    pub(super) async fn answer<B: Body>(&self, request: &Request<B>, turn: Arc<Turn>) -> Answer {
        turn.begin();
        let mut response = self.chosen(request).await;
        let headers = response.headers_mut();
        for (name, value) in super::SECURITY {
            headers.insert(name, value);
        }
        if !request.body().is_end_stream() {
            // Nobody reads it, so nothing behind it can be understood.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if request.method() == Method::HEAD {
            // The length of the body that GET would bring stays in the headers.
            response.body_mut().source = Source::Whole(Bytes::new());
        }
        response.body_mut().turn = Some(turn);
        response
    }

    async fn chosen<B: Body>(&self, request: &Request<B>) -> Answer {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are answered here\n");
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        if !request.body().is_end_stream() {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "no request here has a body\n");
        }
        // RFC 9112 section 3.2.
        let hosts = request.headers().get_all(header::HOST).iter().count();
        if hosts > 1 || hosts == 0 && request.version() >= Version::HTTP_11 {
            return plain(StatusCode::BAD_REQUEST, "a request names one host\n");
        }
        let headers = request.headers();
        match self.pages.page(request.uri().path()).await {
            Some(page) => self.page(headers, page).await,
            None => self.file(headers, request.uri().path()).await,
        }
    }

    async fn page(&self, headers: &HeaderMap, page: Page) -> Answer {
        let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = Bytes::from(page.body);
        let content = Content {
            tag: Tag::of(&body),
            length: body.len() as u64,
            kind: page.content_type,
            cache: NOW,
            modified: None,
            source: Place::Memory(body),
        };
        if status == StatusCode::OK {
            return self.content(headers, content).await;
        }
        let mut response = self.sent(headers, content).await;
        response.headers_mut().remove(header::ETAG);
        *response.status_mut() = status;
        response
    }

    async fn file(&self, headers: &HeaderMap, path: &str) -> Answer {
        let found = match &self.files {
            Some(files) => files.open(path).await,
            None => Ok(Found::Nothing),
        };
        match found {
            Ok(Found::File(file)) => {
                let content = Content {
                    tag: file.tag,
                    length: file.length,
                    kind: file.content_type,
                    cache: CACHE,
                    modified: Some(file.modified),
                    source: Place::File(file),
                };
                self.content(headers, content).await
            }
            Ok(Found::Folder) => {
                let mut response = plain(StatusCode::MOVED_PERMANENTLY, "");
                // Relative, so that it holds behind a proxy that serves us under another path.
                let last = path.rsplit('/').next().unwrap_or_default();
                if let Ok(to) = HeaderValue::try_from(format!("./{last}/")) {
                    response.headers_mut().insert(header::LOCATION, to);
                }
                response
            }
            Ok(Found::Nothing) => plain(StatusCode::NOT_FOUND, "there is nothing here\n"),
            Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read\n"),
        }
    }

    /// A content, or word that the client has it already.
    async fn content(&self, headers: &HeaderMap, content: Content) -> Answer {
        let held = match accepts::known(headers, Accepts::of(headers), |form| content.tag.quoted(form)) {
            Known::Yes(form) => Some(form),
            Known::No => None,
            // RFC 9110 section 13.2.2: `If-None-Match` decides alone when it is there.
            Known::Unasked => (!is_newer(headers, content.modified)).then_some(Form::Plain),
        };
        if let Some(form) = held {
            let mut response = whole(Bytes::new());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            describe(response.headers_mut(), &content, form);
            return response;
        }
        self.sent(headers, content).await
    }

    async fn sent(&self, headers: &HeaderMap, content: Content) -> Answer {
        let packed = if content.is_packable() {
            self.packed.packed(content.tag, Accepts::of(headers).packed(), content.reader()).await
        } else {
            None
        };
        let (form, length, mut response) = match packed {
            Some((form, bytes)) => (form, bytes.len() as u64, whole(bytes)),
            None => match self.as_it_is(&content).await {
                Ok(response) => (Form::Plain, content.length, response),
                Err(_) => return plain(StatusCode::INTERNAL_SERVER_ERROR, "the file cannot be read\n"),
            },
        };
        let described = response.headers_mut();
        describe(described, &content, form);
        if let Some(coding) = form.coding() {
            described.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        // Browsers show a feed by its own name as source text, and as XML with its style sheet.
        let browses = content.is_feed() && is_browser(headers);
        let shown = if browses { "application/xml; charset=utf-8" } else { content.kind };
        described.insert(header::CONTENT_TYPE, HeaderValue::from_static(shown));
        described.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        response
    }

    async fn as_it_is(&self, content: &Content) -> io::Result<Answer> {
        match &content.source {
            Place::Memory(bytes) => Ok(whole(bytes.clone())),
            Place::File(_) if content.length <= WHOLE => {
                let bytes = self.packed.plain(content.tag, content.reader()).await;
                bytes.map(whole).ok_or_else(|| io::ErrorKind::Other.into())
            }
            Place::File(file) => Ok(pieces(file.clone())),
        }
    }
}

/// What 200 and 304 have in common (RFC 9110 section 15.4.5).
fn describe(headers: &mut HeaderMap, content: &Content, form: Form) {
    // Both are made of plain letters and digits, so neither conversion fails.
    if let Ok(etag) = HeaderValue::try_from(content.tag.quoted(form)) {
        headers.insert(header::ETAG, etag);
    }
    if let Some(Ok(modified)) = content.modified.map(|time| HeaderValue::try_from(date::format(time))) {
        headers.insert(header::LAST_MODIFIED, modified);
    }
    headers.insert(header::CACHE_CONTROL, content.cache.clone());
    let vary = match (content.is_feed(), content.is_packable()) {
        (true, true) => "Accept, Accept-Encoding",
        (true, false) => "Accept",
        (false, true) => "Accept-Encoding",
        (false, false) => return,
    };
    headers.insert(header::VARY, HeaderValue::from_static(vary));
}

/// False when `If-Modified-Since` says that the client has it.
fn is_newer(headers: &HeaderMap, modified: Option<Timestamp>) -> bool {
    let since = headers.get(header::IF_MODIFIED_SINCE).and_then(|value| date::parse(value.to_str().ok()?));
    let (Some(since), Some(modified)) = (since, modified) else { return true };
    // HTTP dates have no milliseconds.
    modified.millis().div_euclid(1000) > since.millis().div_euclid(1000)
}

fn whole(bytes: Bytes) -> Answer {
    Response::new(Bytestream { source: Source::Whole(bytes), turn: None })
}

/// A large file, a piece of it in memory at a time.
fn pieces(file: Opened) -> Answer {
    let pieces = futures_util::stream::try_unfold((file, 0), |(file, at)| async move {
        let next = tokio::task::spawn_blocking(move || Ok((file.read_at(at)?, file)));
        let (bytes, file) = next.await.map_err(io::Error::other).flatten()?;
        let at = at + bytes.len() as u64;
        Ok((!bytes.is_empty()).then(|| (Frame::data(Bytes::from(bytes)), (file, at))))
    });
    let source = Source::Pieces(BodyExt::boxed_unsync(StreamBody::new(pieces)));
    Response::new(Bytestream { source, turn: None })
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut response = whole(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(text.len()));
    // What is not there yet may be there in a minute.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
