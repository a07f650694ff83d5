//! The client for the operator's own addresses: hubs, and whoever waits for a heartbeat.
//!
//! They stand in the config and lead where the operator wants, on a private network too. So nothing is guarded here, and
//! no redirect is followed: where it led would be somebody else's choice.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, RequestBuilder, header};
use url::{Url, form_urlencoded};

use super::clients::Clients;
use super::resolver;
use super::trouble::unsent;
use crate::fetch::Limits;
use crate::fetch::error::{FetchError, Status};
use crate::fetch::guard::Guard;
use crate::model::{Proxy, SecretUrl};

/// For a whole exchange.
const LIMIT: Duration = Duration::from_secs(10);

/// Why word did not arrive: a cause that names no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct HookError {
    /// For a sentence that names the address before it, or does not.
    pub cause: String,
    /// The same request may well succeed later without anybody doing something.
    pub is_transient: bool,
}

/// Asks addresses of the config, through `fetch.proxy`, as the same program that asks for feeds.
#[derive(Debug)]
pub struct Hook {
    client: Client,
    proxy: Option<Proxy>,
    is_rootless: bool,
}

impl Hook {
    /// Fails where [`super::HttpFetch::new`] does.
    pub fn new(limits: &Limits) -> Result<Self, FetchError> {
        let guard = Arc::new(Guard::new(&[]));
        let (agent, ca_file) = (&limits.user_agent, limits.ca_file.as_deref());
        let clients = Clients::new(guard, resolver::of_the_system(), agent, LIMIT, 1, ca_file)?;
        let client = clients.unguarded(limits.proxy.as_ref())?;
        Ok(Self { client, proxy: limits.proxy.clone(), is_rootless: clients.is_rootless() })
    }

    /// Posts a form; any success is fine, and what is answered is not read.
    pub async fn post(&self, url: &Url, form: &[(&str, &str)]) -> Result<(), HookError> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self.client.post(url.clone()).body(body);
        self.send(url, request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")).await
    }

    /// Fetches an address that nobody may see; any success is fine, and what is answered is not read.
    pub async fn get(&self, url: &SecretUrl) -> Result<(), HookError> {
        let url = url.reveal();
        self.send(url, self.client.get(url.clone())).await.map_err(|error| {
            let host = url.host_str().filter(|host| !host.is_empty());
            HookError { cause: host.map_or(error.cause.clone(), |host| error.cause.replace(host, "…")), ..error }
        })
    }

    async fn send(&self, url: &Url, request: RequestBuilder) -> Result<(), HookError> {
        if self.is_rootless && url.scheme() == "https" {
            let cause = "this machine has no CA certificates to check https with; install ca-certificates".to_owned();
            return Err(HookError { cause, is_transient: false });
        }
        let request = request.header(header::ACCEPT, "*/*").header(header::ACCEPT_ENCODING, "identity");
        let later = |cause: String| HookError { cause, is_transient: true };
        let response = match tokio::time::timeout(LIMIT, request.send()).await {
            Ok(sent) => sent.map_err(|error| later(cause(unsent(url, &error, LIMIT, self.proxy.as_ref()))))?,
            Err(_) => return Err(later(format!("no answer within {LIMIT:?}"))),
        };
        let code = response.status();
        let status = Status { code: code.as_u16(), name: code.canonical_reason().unwrap_or_default() };
        match status.code {
            200..=299 => Ok(()),
            300..=399 => {
                let cause = format!("it answered {status}; redirects are not followed here, write the new address");
                Err(HookError { cause, is_transient: false })
            }
            408 | 421 | 425 | 429 | 500..=599 => Err(later(format!("it answered {status}"))),
            _ => Err(HookError { cause: format!("it answered {status}"), is_transient: false }),
        }
    }
}

/// The cause without the address.
fn cause(error: FetchError) -> String {
    match error {
        FetchError::Dns { cause, .. } => format!("its name has no address: {cause}"),
        FetchError::Connect { cause, .. } => format!("no connection: {cause}"),
        FetchError::Proxy { proxy, cause, .. } => format!("no connection through the proxy `{proxy}`: {cause}"),
        FetchError::Tls { cause, .. } => format!("no secure connection: {cause}"),
        FetchError::Timeout { limit, .. } => format!("no connection within {limit:?}"),
        FetchError::NotHttp { .. } => "its answer is not HTTP".to_owned(),
        FetchError::Address { .. } => "the address cannot be asked".to_owned(),
        _ => "it broke the connection off without an answer".to_owned(),
    }
}
