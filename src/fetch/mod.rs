//! Asks for feeds: over HTTP, conditionally and behind a guard, or from a local file.

pub mod date;
mod decode;
mod error;
mod file;
mod guard;
mod hosts;
mod http;
mod login;
#[cfg(test)]
mod origin;
mod shown;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

pub use error::{FetchError, RedirectTrouble, RetryAfter, Stage, Status};
pub use guard::{Class, Guard, NotPublic, Refusal, Way};
pub use hosts::host;
pub use http::{Hook, HookError, HttpFetch, freshness_of, redirected};
pub use login::try_login;
pub use shown::shown;

use crate::config::Allow;
use crate::model::{FeedSource, Proxy, Timestamp, Validators};

/// Says until when the host of an address wants to be left alone.
pub type Spared<'a> = dyn Fn(&Url) -> Option<Timestamp> + Send + Sync + 'a;

/// The edge to the network: bytes of a feed, or word that nothing is new.
pub trait Fetch: Send + Sync {
    /// Asks once, conditionally when validators are given. Nothing is remembered between calls.
    fn get(
        &self,
        source: &FeedSource,
        validators: &Validators,
    ) -> impl Future<Output = Result<Fetched, FetchError>> + Send;

    /// Like [`Self::get`], but goes to no host that wants to be left alone, wherever redirects lead; who follows none has
    /// nothing to ask about.
    fn get_sparing(
        &self,
        source: &FeedSource,
        validators: &Validators,
        _spared: &Spared<'_>,
    ) -> impl Future<Output = Result<Fetched, FetchError>> + Send {
        self.get(source, validators)
    }
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The same as last time.
    NotModified {
        /// The request's, refreshed by what the 304 carried (RFC 9110 section 15.4.5).
        validators: Validators,
        /// As in [`Body`].
        freshness: Option<Duration>,
        /// As in [`Body`].
        moved: Option<Url>,
    },
    /// A document.
    Body(Body),
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The document, its `Content-Encoding` undone; complete, and at most `max_body` bytes.
    pub bytes: Vec<u8>,
    /// `Content-Type` as received; `None` for files.
    pub content_type: Option<String>,
    /// Where it came from in the end, without name and password: the base of relative addresses.
    pub base: Url,
    /// 200, or another success; 200 for files.
    pub status: u16,
    /// For the next request.
    pub validators: Validators,
    /// For how long it is good from now on, by what it says itself (RFC 9111 section 4.2); `None` when it does not say
    /// so, or asks not to be kept.
    pub freshness: Option<Duration>,
    /// The headers worth keeping beside an archived entry, names in lower case, in a fixed order.
    pub headers: Vec<(String, String)>,
    /// The new address when there were redirects and each was permanent (301, 308); without name and password.
    pub moved: Option<Url>,
}

/// Bounds of one fetch.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections to one host at a time.
    pub per_host: usize,
    /// Between two requests to one host.
    pub host_delay: Duration,
    /// For the whole exchange: redirects, body and all.
    pub timeout: Duration,
    /// From a request to the head of its answer.
    pub first_byte: Duration,
    /// Of a body.
    pub min_rate: MinRate,
    /// Bytes, decoded.
    pub max_body: u64,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// Private addresses that may be asked all the same.
    pub allow: Vec<Allow>,
    /// The way to all servers of feeds that do not say otherwise.
    pub proxy: Option<Proxy>,
    /// Certificates (PEM) that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
}

/// The least that a body must bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinRate {
    /// So many bytes, as they come over the wire,
    pub bytes: u64,
    /// in each stretch of this length.
    pub within: Duration,
}

impl MinRate {
    /// So many bytes a second, seen over ten.
    pub fn per_second(bytes: u64) -> Self {
        Self { bytes: bytes.saturating_mul(10), within: Duration::from_secs(10) }
    }
}

/// Fetches each feed by the scheme of its address.
pub struct Fetcher {
    http: HttpFetch,
    max_body: u64,
}

impl Fetcher {
    /// Fails only where [`HttpFetch::new`] does.
    pub fn new(limits: &Limits) -> Result<Self, FetchError> {
        Ok(Self { http: HttpFetch::new(limits)?, max_body: limits.max_body })
    }
}

impl Fetch for Fetcher {
    async fn get(&self, source: &FeedSource, validators: &Validators) -> Result<Fetched, FetchError> {
        self.get_sparing(source, validators, &|_| None).await
    }

    async fn get_sparing(
        &self,
        source: &FeedSource,
        validators: &Validators,
        spared: &Spared<'_>,
    ) -> Result<Fetched, FetchError> {
        if source.is_file() {
            return file::get(&source.url, validators, self.max_body).await;
        }
        self.http.get_sparing(source, validators, spared).await
    }
}
