//! The clients of the HTTP library: one pair for the direct way, and one for each proxy.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Certificate, Client};

use super::resolver::{Lookup, Resolver};
use super::trouble::deepest;
use super::{MAX_HEAD, MAX_HEADERS};
use crate::fetch::decode::ACCEPTED;
use crate::fetch::error::{FetchError, words};
use crate::fetch::guard::Guard;
use crate::model::Proxy;

/// Feeds first, anything else rather than nothing: some servers answer 406 to a list without `*/*`.
const ACCEPT: &str = "application/atom+xml, application/rss+xml, application/feed+json;q=0.9, \
                      application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, */*;q=0.5";
/// A connection is kept for the other feeds of a host, not for the next round.
pub(super) const IDLE_LIMIT: Duration = Duration::from_secs(15);

/// Two clients of one way. A resolver does not learn the port, so one client could not serve both.
#[derive(Clone)]
pub(super) struct Pair {
    /// Connects to what the guard lets pass.
    pub(super) guarded: Client,
    /// Connects anywhere; asked only for hosts and ports that `fetch.allow` lists.
    pub(super) listed: Client,
}

/// All clients.
pub(super) struct Clients {
    recipe: Recipe,
    direct: Pair,
    proxied: Mutex<HashMap<Proxy, Pair>>,
}

/// What each client is made of.
struct Recipe {
    guard: Arc<Guard>,
    lookup: Lookup,
    agent: HeaderValue,
    connect_limit: Duration,
    /// Connections to one host that are kept for its next feeds.
    per_host: usize,
    /// Of `fetch.ca_file`.
    certificates: Vec<Certificate>,
    /// This machine has no certificates of its own.
    rootless: bool,
}

impl Clients {
    /// Fails when the User-Agent is no header value, or the file with certificates is of no use.
    pub(super) fn new(
        guard: Arc<Guard>,
        lookup: Lookup,
        agent: &str,
        connect_limit: Duration,
        per_host: usize,
        ca_file: Option<&Path>,
    ) -> Result<Self, FetchError> {
        let agent = HeaderValue::from_bytes(agent.as_bytes())
            .map_err(|_| FetchError::Setup("fetch.user_agent holds characters that no header may hold".to_owned()))?;
        let certificates = ca_file.map_or(Ok(Vec::new()), certificates)?;
        let mut recipe = Recipe { guard, lookup, agent, connect_limit, per_host, certificates, rootless: false };
        let direct = recipe.pair(None).or_else(|_| {
            recipe.rootless = true;
            recipe.pair(None)
        })?;
        Ok(Self { recipe, direct, proxied: Mutex::default() })
    }

    /// True when no certificate can be checked here.
    pub(super) fn is_rootless(&self) -> bool {
        self.recipe.rootless && self.recipe.certificates.is_empty()
    }

    /// A client that goes anywhere, for addresses that no stranger chose.
    pub(super) fn unguarded(&self, proxy: Option<&Proxy>) -> Result<Client, FetchError> {
        self.recipe.client(proxy, false)
    }

    /// The clients of one way; those of a proxy are made when it is first needed.
    pub(super) fn of(&self, proxy: Option<&Proxy>) -> Result<Pair, FetchError> {
        let Some(proxy) = proxy else { return Ok(self.direct.clone()) };
        let mut proxied = self.proxied.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pair) = proxied.get(proxy) {
            return Ok(pair.clone());
        }
        let pair = self.recipe.pair(Some(proxy))?;
        proxied.insert(proxy.clone(), pair.clone());
        Ok(pair)
    }
}

impl Recipe {
    fn pair(&self, proxy: Option<&Proxy>) -> Result<Pair, FetchError> {
        let guarded = self.client(proxy, true)?;
        let listed = if self.guard.lists_hosts() { self.client(proxy, false)? } else { guarded.clone() };
        Ok(Pair { guarded, listed })
    }

    fn client(&self, proxy: Option<&Proxy>, is_guarded: bool) -> Result<Client, FetchError> {
        let setup = |error: reqwest::Error| FetchError::Setup(deepest(&error));
        let mut builder = Client::builder()
            .user_agent(self.agent.clone())
            .default_headers(HeaderMap::from_iter([
                (header::ACCEPT, HeaderValue::from_static(ACCEPT)),
                (header::ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED)),
            ]))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // `http_proxy` in the environment would let the proxy choose the address.
            .no_proxy()
            .connect_timeout(self.connect_limit)
            .pool_idle_timeout(IDLE_LIMIT)
            .pool_max_idle_per_host(self.per_host)
            .http1_max_headers(MAX_HEADERS)
            .http2_max_header_list_size(MAX_HEAD)
            // A server with one odd header line still has a feed.
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_allow_obsolete_multiline_headers_in_responses(true);
        if let Some(proxy) = proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.reveal().clone()).map_err(setup)?);
        }
        if is_guarded {
            // Where the proxy lies is the operator's choice.
            let proxy = proxy.and_then(|proxy| proxy.reveal().host_str()).map(str::to_ascii_lowercase);
            let (guard, lookup) = (self.guard.clone(), self.lookup.clone());
            builder = builder.dns_resolver(Resolver { guard, lookup, proxy });
        }
        let certificates = self.certificates.iter().cloned();
        let builder = match (self.rootless, self.certificates.is_empty()) {
            (true, _) => builder.tls_certs_only(certificates),
            (false, false) => builder.tls_certs_merge(certificates),
            (false, true) => builder,
        };
        builder.build().map_err(setup)
    }
}

/// Reads `fetch.ca_file`.
fn certificates(path: &Path) -> Result<Vec<Certificate>, FetchError> {
    let failed =
        |cause: &str| FetchError::Setup(format!("`{}` (fetch.ca_file) cannot be used: {cause}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| failed(words(&error.to_string())))?;
    let found = Certificate::from_pem_bundle(&bytes).map_err(|error| failed(&deepest(&error)))?;
    if found.is_empty() {
        return Err(failed("it holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)"));
    }
    // Whether they can be read is seen when they are used.
    let tried = Client::builder().no_proxy().tls_certs_only(found.iter().cloned()).build();
    tried.map_err(|_| failed("one of its certificates cannot be read"))?;
    Ok(found)
}
