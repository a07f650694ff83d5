//! The HTTP client.
//!
//! Redirects are followed here and not by reqwest: each hop is judged by the guard and sent through the client that
//! fits the verdict, a redirect to another scheme is recognised, and one time limit covers all of it.

mod clients;
mod freshness;
mod headers;
mod hook;
mod open;
mod resolver;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{self, HeaderName, HeaderValue};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use tokio::time::{Instant, timeout_at};
use url::Url;

use self::clients::{Clients, IDLE_LIMIT, Pair};
use self::freshness::freshness;
pub use self::freshness::freshness_of;
pub use self::headers::redirected;
use self::headers::{as_received, kept, target, text, validators};
pub use self::hook::{Hook, HookError};
use self::open::Open;
use self::resolver::Lookup;
use self::trouble::{broken, find, unsent};
use super::decode::{DecodeError, Decoder};
use super::error::{FetchError, RedirectTrouble, RetryAfter, Stage, Status};
use super::guard::{Guard, NotPublic, Refusal, Way};
use super::hosts::{self, Hosts, Turn};
use super::login;
use super::shown::shown;
use super::{Body, Fetch, Fetched, Limits, MinRate, Spared};
use crate::model::{FeedSource, Proxy, Route, Secret, Validators};

/// Redirects of one fetch.
const MAX_HOPS: usize = 10;
/// Name resolution, TCP and TLS of one hop.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Lines of a head; their bytes are bounded by hyper (about 400 KiB), and in HTTP/2 by [`MAX_HEAD`].
const MAX_HEADERS: usize = 256;
/// Bytes of a head in HTTP/2.
const MAX_HEAD: u32 = 64 << 10;

/// Fetches `http` and `https` feeds.
pub struct HttpFetch {
    guard: Arc<Guard>,
    clients: Clients,
    hosts: Hosts,
    open: Open,
    /// `fetch.proxy`.
    proxy: Option<Proxy>,
    timeout: Duration,
    first_byte: Duration,
    min_rate: MinRate,
    max_body: u64,
}

impl HttpFetch {
    /// Makes the client; fails when the User-Agent is no header value, or `ca_file` holds no certificates.
    ///
    /// On a machine without CA certificates, as bare containers are, `http` works and `https` says what is missing.
    pub fn new(limits: &Limits) -> Result<Self, FetchError> {
        Self::with(limits, resolver::of_the_system())
    }

    /// Like [`Self::new`], with another way to look names up.
    pub(super) fn with(limits: &Limits, lookup: Lookup) -> Result<Self, FetchError> {
        let &Limits { timeout, first_byte, min_rate, max_body, .. } = limits;
        let guard = Arc::new(Guard::new(&limits.allow));
        let connect_limit = CONNECT_LIMIT.min(timeout);
        let (agent, ca_file) = (&limits.user_agent, limits.ca_file.as_deref());
        let clients = Clients::new(guard.clone(), lookup, agent, connect_limit, limits.per_host, ca_file)?;
        let hosts = Hosts::new(limits.per_host, limits.host_delay);
        let open = Open::new(IDLE_LIMIT.saturating_add(timeout));
        Ok(Self { guard, clients, hosts, open, proxy: limits.proxy.clone(), timeout, first_byte, min_rate, max_body })
    }

    /// The proxy that a feed goes through.
    fn proxy_of<'a>(&'a self, source: &'a FeedSource) -> Option<&'a Proxy> {
        match &source.access.route {
            Route::Usual => self.proxy.as_ref(),
            Route::Direct => None,
            Route::Through(proxy) => Some(proxy),
        }
    }
}

impl Fetch for HttpFetch {
    async fn get(&self, source: &FeedSource, validators: &Validators) -> Result<Fetched, FetchError> {
        self.get_sparing(source, validators, &|_| None).await
    }

    async fn get_sparing(
        &self,
        source: &FeedSource,
        validators: &Validators,
        spared: &Spared<'_>,
    ) -> Result<Fetched, FetchError> {
        if !matches!(source.url.scheme(), "http" | "https") {
            let cause = "only http, https and file addresses can be".to_owned();
            return Err(FetchError::Address { url: shown(&source.url), cause });
        }
        let now = Instant::now();
        // Thirty days stand for "no limit" where the sum would overflow.
        let until = now.checked_add(self.timeout).unwrap_or(now + Duration::from_hours(720));
        let proxy = self.proxy_of(source);
        let own = login::headers(&source.access).await?;
        let mut asking = Asking {
            fetch: self,
            clients: &self.clients.of(proxy)?,
            proxy,
            home: &source.url,
            own: &own,
            until,
            validators,
            spared,
            plain: false,
        };
        match asking.follow(&source.url).await {
            // Better uncompressed than not at all.
            Err(FetchError::Encoding { .. }) => Asking { plain: true, ..asking }.follow(&source.url).await,
            outcome => outcome,
        }
    }
}

/// One fetch.
struct Asking<'a> {
    fetch: &'a HttpFetch,
    clients: &'a Pair,
    proxy: Option<&'a Proxy>,
    /// The address that is asked first, whose server alone gets `own`.
    home: &'a Url,
    own: &'a [(String, Secret)],
    until: Instant,
    validators: &'a Validators,
    spared: &'a Spared<'a>,
    /// Ask for the body without compression.
    plain: bool,
}

impl Asking<'_> {
    async fn follow(&mut self, first: &Url) -> Result<Fetched, FetchError> {
        let mut asked = vec![first.clone()];
        let mut lasting = true;
        let mut url = first.clone();
        loop {
            self.spare(&url)?;
            // Held until this hop is over.
            let _turn = self.turn(&url).await;
            // Somebody may have been told while this one waited.
            self.spare(&url)?;
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

    /// Fails where the host wants to be left alone.
    fn spare(&self, url: &Url) -> Result<(), FetchError> {
        let held = |until| Err(FetchError::Held { url: shown(url), host: hosts::host(url), until });
        (self.spared)(url).map_or(Ok(()), held)
    }

    /// Waits until the host may be asked; whose turn it is not yet is not late.
    async fn turn(&mut self, url: &Url) -> Turn {
        let since = Instant::now();
        let turn = self.fetch.hosts.turn(url).await;
        self.until += since.elapsed();
        turn
    }

    /// Judges an address, then asks it. `via` is the address that redirected here.
    async fn send(&self, url: &Url, via: Option<&Url>) -> Result<Response, FetchError> {
        let refused = |refusal| FetchError::Refused(Box::new(Refusal { via: via.map(shown), ..refusal }));
        let guard = &self.fetch.guard;
        // Whoever resolves the name behind a proxy does not ask this guard.
        let judged = self.proxy.map_or_else(|| guard.judge(url), |proxy| guard.judge_name(url, proxy));
        let client = match judged.map_err(refused)? {
            Way::Listed => &self.clients.listed,
            Way::Guarded => &self.clients.guarded,
        };
        if self.fetch.clients.is_rootless() && url.scheme() == "https" {
            let cause = "this machine has no CA certificates to check https with; install ca-certificates";
            return Err(FetchError::Setup(cause.to_owned()));
        }
        let again = |error: &FetchError| matches!(error, FetchError::NoAnswer { .. }) && self.fetch.open.take(url);
        let response = match self.once(client, url, via).await {
            Err(error) if again(&error) => self.once(client, url, via).await,
            response => response,
        }?;
        self.fetch.open.note(url);
        Ok(response)
    }

    async fn once(&self, client: &Client, url: &Url, via: Option<&Url>) -> Result<Response, FetchError> {
        let request = self.dressed(client.get(url.clone()), url);
        let first_byte = Instant::now() + self.fetch.first_byte;
        let sent = timeout_at(self.until.min(first_byte), request.send()).await.map_err(|_| {
            if first_byte < self.until {
                FetchError::Timeout { at: place(url), stage: Stage::FirstByte, limit: self.fetch.first_byte }
            } else {
                self.late(url, Stage::Answer)
            }
        })?;
        sent.map_err(|error| match find::<NotPublic>(&error) {
            Some(found) => FetchError::Refused(Box::new(Refusal {
                host: url.host_str().unwrap_or_default().to_owned(),
                port: url.port_or_known_default().unwrap_or_default(),
                found: *found,
                via: via.map(shown),
            })),
            None => unsent(url, &error, CONNECT_LIMIT.min(self.fetch.timeout), self.proxy),
        })
    }

    /// A request with its headers.
    fn dressed(&self, mut request: RequestBuilder, url: &Url) -> RequestBuilder {
        if url.origin() == self.home.origin() {
            for (name, value) in self.own {
                let name = HeaderName::from_bytes(name.as_bytes());
                if let (Ok(name), Ok(mut value)) = (name, HeaderValue::from_str(value.reveal())) {
                    value.set_sensitive(true);
                    request = request.header(name, value);
                }
            }
        }
        let known = self.known_of(url);
        for (name, value) in [(header::IF_NONE_MATCH, &known.etag), (header::IF_MODIFIED_SINCE, &known.last_modified)] {
            if let Some(value) = value.as_deref().and_then(as_received) {
                request = request.header(name, value);
            }
        }
        if self.plain {
            request = request.header(header::ACCEPT_ENCODING, "identity");
        }
        request
    }

    /// The validators, for the address that answered with them: any other would take them for its own.
    fn known_of(&self, url: &Url) -> Validators {
        let (url, home) = (public(url), public(self.home));
        let is_from = self.validators.from.as_deref().unwrap_or(home.as_str()) == url.as_str();
        if is_from { self.validators.clone() } else { Validators::default() }
    }

    /// An answer that is no redirect.
    async fn read(&self, url: &Url, response: Response, moved: bool) -> Result<Fetched, FetchError> {
        let code = response.status();
        let status = Status { code: code.as_u16(), name: code.canonical_reason().unwrap_or_default() };
        let headers = response.headers();
        let (mut validators, freshness, known) = (validators(headers), freshness(headers), self.known_of(url));
        validators.from = Some(public(url)).filter(|from| *from != public(self.home)).map(String::from);
        match status.code {
            304 if known.is_empty() => {
                return Err(FetchError::NotModifiedUnasked(shown(url)));
            }
            304 => {
                validators.etag = validators.etag.or(known.etag);
                validators.last_modified = validators.last_modified.or(known.last_modified);
                return Ok(Fetched::NotModified { validators, freshness, moved: moved.then(|| public(url)) });
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
        let encodings = headers.get_all(header::CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        let decoder = Decoder::new(encodings, self.fetch.max_body).map_err(|error| self.undecoded(url, 0, error))?;
        let headers = kept(headers, decoder.is_undoing());
        let bytes = self.body(url, response, decoder).await?;
        if bytes.is_empty() {
            return Err(FetchError::Empty { url: shown(url), status });
        }
        let base = public(url);
        let moved = moved.then(|| base.clone());
        Ok(Fetched::Body(Body {
            bytes,
            content_type,
            base,
            status: status.code,
            validators,
            freshness,
            headers,
            moved,
        }))
    }

    /// The body, decoded while it streams, so that a small bomb cannot become large here.
    async fn body(&self, url: &Url, mut response: Response, mut decoder: Decoder) -> Result<Vec<u8>, FetchError> {
        let limit = self.fetch.max_body;
        // Compression may make a body a little longer, and nothing may come in for ever of which nothing comes out.
        let most = if decoder.is_undoing() { limit.saturating_add(limit / 64 + 4096) } else { limit };
        let too_large = || FetchError::TooLarge { url: shown(url), limit };
        // It may save a download, and nothing is reserved for it.
        if response.content_length().is_some_and(|length| length > most) {
            return Err(too_large());
        }
        let mut came = 0;
        let mut pace = Pace::new(self.fetch.min_rate);
        loop {
            let next = timeout_at(self.until.min(pace.until), response.chunk()).await;
            let Ok(next) = next else {
                if Instant::now() >= self.until {
                    return Err(self.late(url, Stage::Body));
                }
                pace.judge().map_err(|bytes| self.slow(url, bytes))?;
                continue;
            };
            let Some(chunk) = next.map_err(|error| broken(url, decoder.len(), &error))? else {
                let received = decoder.len();
                return decoder.finish().map_err(|error| self.undecoded(url, received, error));
            };
            came += chunk.len() as u64;
            if came > most {
                return Err(too_large());
            }
            pace.add(chunk.len() as u64).map_err(|bytes| self.slow(url, bytes))?;
            let pushed = decoder.push(&chunk);
            pushed.map_err(|error| self.undecoded(url, decoder.len(), error))?;
        }
    }

    fn undecoded(&self, url: &Url, received: u64, error: DecodeError) -> FetchError {
        let (url, limit) = (shown(url), self.fetch.max_body);
        match error {
            DecodeError::Broken(cause) => FetchError::Encoding { url, cause },
            DecodeError::TooLarge => FetchError::TooLarge { url, limit },
            DecodeError::NoText(bytes) => FetchError::NoText { url, bytes },
            DecodeError::Cut => FetchError::Cut { url, received, cause: "its compressed form ends early".to_owned() },
        }
    }

    fn slow(&self, url: &Url, bytes: u64) -> FetchError {
        FetchError::Slow { at: place(url), bytes, within: self.fetch.min_rate.within }
    }

    fn late(&self, url: &Url, stage: Stage) -> FetchError {
        FetchError::Timeout { at: place(url), stage, limit: self.fetch.timeout }
    }
}

/// What comes within a stretch of time; each stretch must bring enough.
struct Pace {
    rate: MinRate,
    until: Instant,
    bytes: u64,
}

impl Pace {
    fn new(rate: MinRate) -> Self {
        Self { rate, until: Instant::now() + rate.within, bytes: 0 }
    }

    fn add(&mut self, bytes: u64) -> Result<(), u64> {
        // Bytes that come after the end of a stretch do not count for it.
        if Instant::now() >= self.until {
            self.judge()?;
        }
        self.bytes += bytes;
        Ok(())
    }

    /// Begins the next stretch, or says how little the last one brought.
    fn judge(&mut self) -> Result<(), u64> {
        if self.bytes < self.rate.bytes {
            return Err(self.bytes);
        }
        *self = Self::new(self.rate);
        Ok(())
    }
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
