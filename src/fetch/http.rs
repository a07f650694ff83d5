//! The HTTP client.
//!
//! Redirects are followed here and not by reqwest: each hop is judged by the guard and sent through the client that
//! fits the verdict, a redirect to another scheme is recognised, and one time limit covers all of it.

use std::error::Error;
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, ClientBuilder, Response, StatusCode};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::error::{FetchError, RedirectTrouble, RetryAfter, Stage, Status, words};
use super::guard::{Guard, NotPublic, Refusal, Way};
use super::shown::shown;
use super::{Body, Fetch, Fetched, Limits};
use crate::model::{FeedSource, Validators};

/// Feeds first, anything else rather than nothing: some servers answer 406 to a list without `*/*`.
const ACCEPT: &str = "application/atom+xml, application/rss+xml, application/feed+json;q=0.9, \
                      application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, */*;q=0.5";
/// Redirects of one fetch.
const MAX_HOPS: usize = 10;
/// Name resolution, TCP and TLS of one hop.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// A connection is kept for the other feeds of a host, not for the next round.
const IDLE_LIMIT: Duration = Duration::from_secs(15);
/// A longer `ETag` is none, and sending it back would earn a 431. In bytes.
const MAX_VALIDATOR: usize = 2048;
/// A longer header value is not kept beside an entry. In bytes.
const MAX_KEPT: usize = 4096;
/// What a later reader of the archive may want to know of an answer. `content-encoding` is there only when it could
/// not be undone.
const KEPT: [HeaderName; 12] = [
    header::DATE,
    header::SERVER,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::ETAG,
    header::LAST_MODIFIED,
    header::CACHE_CONTROL,
    header::EXPIRES,
    header::AGE,
    header::RETRY_AFTER,
    header::LINK,
];

/// Fetches `http` and `https` feeds.
pub struct HttpFetch {
    guard: Arc<Guard>,
    /// Connects to what the guard lets pass.
    guarded: Client,
    /// Connects anywhere; asked only for hosts and ports that `fetch.allow` lists. A resolver does not learn the
    /// port, so one client could not serve both.
    listed: Client,
    /// No certificate can be checked on this machine.
    rootless: bool,
    timeout: Duration,
    max_body: u64,
}

impl HttpFetch {
    /// Makes the client; fails when the User-Agent is no header value.
    ///
    /// On a machine without CA certificates, as bare containers are, `http` works and `https` says what is missing.
    pub fn new(limits: &Limits) -> Result<Self, FetchError> {
        let guard = Arc::new(Guard::new(&limits.allow));
        let agent = HeaderValue::from_bytes(limits.user_agent.as_bytes())
            .map_err(|_| FetchError::Setup("fetch.user_agent holds characters that no header may hold".to_owned()))?;
        let build = |guard: Option<&Arc<Guard>>, rootless| {
            let builder = settings(agent.clone(), CONNECT_LIMIT.min(limits.timeout));
            let builder = match guard {
                Some(guard) => builder.dns_resolver(Resolver { guard: guard.clone() }),
                None => builder,
            };
            if rootless { builder.tls_certs_only([]).build() } else { builder.build() }
        };
        let setup = |error| FetchError::Setup(deepest(&error));
        let (guarded, rootless) = match build(Some(&guard), false) {
            Ok(client) => (client, false),
            Err(_) => (build(Some(&guard), true).map_err(setup)?, true),
        };
        let listed = if guard.lists_hosts() { build(None, rootless).map_err(setup)? } else { guarded.clone() };
        Ok(Self { guard, guarded, listed, rootless, timeout: limits.timeout, max_body: limits.max_body })
    }
}

/// What every client has.
fn settings(agent: HeaderValue, connect_limit: Duration) -> ClientBuilder {
    Client::builder()
        .user_agent(agent)
        .default_headers(HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(ACCEPT))]))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // `http_proxy` in the environment would let the proxy choose the address.
        .no_proxy()
        .connect_timeout(connect_limit)
        .pool_idle_timeout(IDLE_LIMIT)
        .pool_max_idle_per_host(1)
        // A server with one odd header line still has a feed.
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
}

/// Looks names up and keeps to itself every address that the guard refuses. The connection goes to exactly what is
/// returned here, so a name that answers differently a second later gains nothing.
struct Resolver {
    guard: Arc<Guard>,
}

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let guard = self.guard.clone();
        Box::pin(async move {
            let (mut open, mut refused) = (Vec::new(), None);
            for address in tokio::net::lookup_host((name.as_str(), 0)).await? {
                match guard.address(address.ip()) {
                    Ok(()) => open.push(address),
                    Err(found) => refused = refused.or(Some(found)),
                }
            }
            match refused {
                Some(found) if open.is_empty() => Err(found.into()),
                _ => Ok(Box::new(open.into_iter()) as Box<dyn Iterator<Item = SocketAddr> + Send>),
            }
        })
    }
}

impl Fetch for HttpFetch {
    async fn get(&self, source: &FeedSource, validators: &Validators) -> Result<Fetched, FetchError> {
        if !matches!(source.url.scheme(), "http" | "https") {
            let cause = "only http, https and file addresses can be".to_owned();
            return Err(FetchError::Address { url: shown(&source.url), cause });
        }
        let now = Instant::now();
        // Thirty days stand for "no limit" where the sum would overflow.
        let until = now.checked_add(self.timeout).unwrap_or(now + Duration::from_hours(720));
        let asking = Asking { fetch: self, until, validators, plain: false };
        match asking.follow(&source.url).await {
            // `deflate` without its zlib frame, padding behind gzip: better uncompressed than not at all.
            Err(FetchError::Encoding { .. }) => Asking { plain: true, ..asking }.follow(&source.url).await,
            outcome => outcome,
        }
    }
}

/// One fetch.
struct Asking<'a> {
    fetch: &'a HttpFetch,
    until: Instant,
    validators: &'a Validators,
    /// Ask for the body without compression.
    plain: bool,
}

impl Asking<'_> {
    async fn follow(&self, first: &Url) -> Result<Fetched, FetchError> {
        let mut asked = vec![first.clone()];
        let mut lasting = true;
        let mut url = first.clone();
        loop {
            let response = self.send(&url, asked.iter().rev().nth(1)).await?;
            let status = response.status();
            if !matches!(status.as_u16(), 300..=303 | 307 | 308) {
                let moved = lasting && asked.len() > 1;
                return self.read(&url, response, moved).await;
            }
            lasting &= matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT);
            let trouble = |trouble| FetchError::Redirect { url: shown(&url), trouble };
            let next = target(&url, status, response.headers()).map_err(trouble)?;
            if asked.contains(&next) {
                return Err(trouble(RedirectTrouble::Loop));
            }
            if asked.len() > MAX_HOPS {
                return Err(trouble(RedirectTrouble::TooMany(MAX_HOPS)));
            }
            asked.push(next.clone());
            url = next;
        }
    }

    /// Judges an address, then asks it. `via` is the address that redirected here.
    async fn send(&self, url: &Url, via: Option<&Url>) -> Result<Response, FetchError> {
        let refused = |refusal| FetchError::Refused(Box::new(Refusal { via: via.map(shown), ..refusal }));
        let client = match self.fetch.guard.judge(url).map_err(refused)? {
            Way::Listed => &self.fetch.listed,
            Way::Guarded => &self.fetch.guarded,
        };
        if self.fetch.rootless && url.scheme() == "https" {
            let cause = "this machine has no CA certificates to check https with; install ca-certificates";
            return Err(FetchError::Setup(cause.to_owned()));
        }
        let mut request = client.get(url.clone());
        for (name, value) in [
            (header::IF_NONE_MATCH, &self.validators.etag),
            (header::IF_MODIFIED_SINCE, &self.validators.last_modified),
        ] {
            if let Some(value) = value.as_deref().and_then(as_received) {
                request = request.header(name, value);
            }
        }
        if self.plain {
            request = request.header(header::ACCEPT_ENCODING, "identity");
        }
        let sent = timeout_at(self.until, request.send()).await.map_err(|_| self.late(url, Stage::Answer))?;
        sent.map_err(|error| match find::<NotPublic>(&error) {
            Some(found) => refused(Refusal {
                host: url.host_str().unwrap_or_default().to_owned(),
                port: url.port_or_known_default().unwrap_or_default(),
                found: *found,
                via: None,
            }),
            None => self.unsent(url, &error),
        })
    }

    /// An answer that is no redirect.
    async fn read(&self, url: &Url, response: Response, moved: bool) -> Result<Fetched, FetchError> {
        let code = response.status();
        let status = Status { code: code.as_u16(), name: code.canonical_reason().unwrap_or_default() };
        let headers = response.headers();
        let mut validators =
            Validators { etag: mark(headers, &header::ETAG), last_modified: mark(headers, &header::LAST_MODIFIED) };
        match status.code {
            304 if self.validators.is_empty() => {
                return Err(FetchError::NotModifiedUnasked(shown(url)));
            }
            304 => {
                validators.etag = validators.etag.or_else(|| self.validators.etag.clone());
                validators.last_modified = validators.last_modified.or_else(|| self.validators.last_modified.clone());
                return Ok(Fetched::NotModified { validators });
            }
            204 | 205 => {
                return Err(FetchError::Empty { url: shown(url), status });
            }
            206 => return Err(FetchError::Partial(shown(url))),
            200..=299 => {}
            _ => {
                let retry_after = text(headers, &header::RETRY_AFTER).as_deref().and_then(RetryAfter::parse);
                return Err(FetchError::Status { url: shown(url), status, retry_after });
            }
        }
        let content_type = text(headers, &header::CONTENT_TYPE);
        let headers = kept(headers);
        let bytes = self.body(url, response).await?;
        if bytes.is_empty() {
            return Err(FetchError::Empty { url: shown(url), status });
        }
        let base = public(url);
        let moved = moved.then(|| base.clone());
        Ok(Fetched::Body(Body { bytes, content_type, base, status: status.code, validators, headers, moved }))
    }

    /// The body, decoded while it streams, so that a small bomb cannot become large here.
    async fn body(&self, url: &Url, mut response: Response) -> Result<Vec<u8>, FetchError> {
        let limit = self.fetch.max_body;
        let too_large = || FetchError::TooLarge { url: shown(url), limit };
        // Known only for bodies that are not compressed; it may save a download, and nothing is reserved for it.
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        loop {
            let next = timeout_at(self.until, response.chunk()).await.map_err(|_| self.late(url, Stage::Body))?;
            let Some(chunk) = next.map_err(|error| broken(url, bytes.len(), &error))? else {
                return Ok(bytes);
            };
            if (bytes.len() + chunk.len()) as u64 > limit {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
    }

    fn late(&self, url: &Url, stage: Stage) -> FetchError {
        FetchError::Timeout { at: place(url), stage, limit: self.fetch.timeout }
    }

    /// Why no answer came.
    fn unsent(&self, url: &Url, error: &reqwest::Error) -> FetchError {
        let (at, cause) = (place(url), deepest(error));
        if error.is_dns() {
            let host = url.host_str().unwrap_or_default().to_owned();
            let words = cause.strip_prefix("failed to lookup address information: ");
            return FetchError::Dns { host, cause: words.unwrap_or(&cause).to_owned() };
        }
        if error.is_timeout() {
            let limit = CONNECT_LIMIT.min(self.fetch.timeout);
            return FetchError::Timeout { at, stage: Stage::Connecting, limit };
        }
        if error.is_builder() {
            return FetchError::Address { url: shown(url), cause };
        }
        if error.is_connect() {
            // What the kernel reports has a number; the rest comes from the TLS library.
            let system = find::<io::Error>(error).is_some_and(|error| error.raw_os_error().is_some());
            let plain = url.scheme() == "http" || system;
            if plain {
                return FetchError::Connect { at, cause };
            }
            let cause = match cause.strip_prefix("invalid peer certificate: ") {
                Some("UnknownIssuer") => "nobody known here vouches for its certificate".to_owned(),
                Some(rest) => format!("its certificate is not valid: {rest}"),
                None => cause,
            };
            return FetchError::Tls { at, cause };
        }
        if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
            return FetchError::NotHttp { at, cause };
        }
        FetchError::NoAnswer { at, cause }
    }
}

/// Why a body did not come to its end.
fn broken(url: &Url, received: usize, error: &reqwest::Error) -> FetchError {
    let (url, cause) = (shown(url), deepest(error));
    // hyper speaks of the transfer, a bare i/o error of the decompression.
    if find::<hyper::Error>(error).is_some() {
        return FetchError::Cut { url, received, cause };
    }
    // The zlib decoder calls input that ends early `BufError`, the others say what they mean.
    let early = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof || cause.contains("BufError");
    if find::<io::Error>(error).is_some_and(early) {
        return FetchError::Cut { url, received, cause: "its compressed form ends early".to_owned() };
    }
    FetchError::Encoding { url, cause }
}

/// Where a redirect leads.
fn target(url: &Url, status: StatusCode, headers: &HeaderMap) -> Result<Url, RedirectTrouble> {
    let Some(location) = headers.get(header::LOCATION) else {
        let name = status.canonical_reason().unwrap_or_default();
        return Err(RedirectTrouble::Nowhere(Status { code: status.as_u16(), name }));
    };
    // Many servers send `/路径` unescaped, in UTF-8 or not.
    let mut text = String::new();
    for &byte in location.as_bytes() {
        if byte.is_ascii() {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    let mut next = url.join(&text).map_err(|error| RedirectTrouble::Unreadable(error.to_string()))?;
    if !matches!(next.scheme(), "http" | "https") {
        return Err(RedirectTrouble::Scheme(next.scheme().to_owned()));
    }
    next.set_fragment(None);
    // The operator's name and password go to the operator's server only, and nobody else's go anywhere.
    let (name, password) = if next.origin() == url.origin() { (url.username(), url.password()) } else { ("", None) };
    // Both fail only for addresses without a host, which http does not have.
    let _ = next.set_username(name);
    let _ = next.set_password(password);
    Ok(next)
}

/// The address without what must not reach posts: name, password, fragment.
fn public(url: &Url) -> Url {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    url
}

/// `example.org:443`.
fn place(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

/// Header bytes as characters of the same number.
fn latin1(value: &HeaderValue) -> String {
    value.as_bytes().iter().copied().map(char::from).collect()
}

/// The way back from [`latin1`]; `None` for what no header can have brought.
fn as_received(text: &str) -> Option<HeaderValue> {
    let bytes = text.chars().map(|c| u8::try_from(c).ok()).collect::<Option<Vec<u8>>>()?;
    HeaderValue::from_bytes(&bytes).ok()
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(latin1).filter(|text| !text.is_empty())
}

fn mark(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    text(headers, name).filter(|text| text.len() <= MAX_VALIDATOR)
}

fn kept(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut kept = Vec::new();
    for name in &KEPT {
        for value in headers.get_all(name).iter().filter(|value| value.len() <= MAX_KEPT) {
            kept.push((name.as_str().to_owned(), latin1(value)));
        }
    }
    kept
}

/// The first error of a kind among an error and its causes.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// What lies at the bottom: reqwest's own words hold the address with its secrets, and only repeat that it failed.
fn deepest(error: &(dyn Error + 'static)) -> String {
    words(&causes(error).last().unwrap_or(error).to_string()).to_owned()
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error: &&'a (dyn Error + 'static)| {
        // An i/o error that wraps another error skips it in `source`.
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}
