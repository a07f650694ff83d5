//! The headers of an answer.

use std::fmt::Write;

use reqwest::StatusCode;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::fetch::error::{RedirectTrouble, Status};
use crate::model::Validators;

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

/// `ETag` and `Last-Modified`.
pub(super) fn validators(headers: &HeaderMap) -> Validators {
    Validators { etag: mark(headers, &header::ETAG), last_modified: mark(headers, &header::LAST_MODIFIED), from: None }
}

/// Where a redirect leads.
pub(super) fn target(url: &Url, status: StatusCode, headers: &HeaderMap) -> Result<Url, RedirectTrouble> {
    let Some(location) = headers.get(header::LOCATION) else {
        let name = status.canonical_reason().unwrap_or_default();
        return Err(RedirectTrouble::Nowhere(Status { code: status.as_u16(), name }));
    };
    redirected(url, location.as_bytes())
}

/// Where a `Location` leads from an address: to a web address without a fragment, and with a name and a password only
/// where they are those of the address and the server is the same.
pub fn redirected(url: &Url, location: &[u8]) -> Result<Url, RedirectTrouble> {
    // Many servers send `/路径` unescaped, in UTF-8 or not.
    let mut text = String::new();
    for &byte in location {
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

/// Header bytes as characters of the same number.
fn latin1(value: &HeaderValue) -> String {
    value.as_bytes().iter().copied().map(char::from).collect()
}

/// The way back from [`latin1`]; `None` for what no header can have brought.
pub(super) fn as_received(text: &str) -> Option<HeaderValue> {
    let bytes = text.chars().map(|c| u8::try_from(c).ok()).collect::<Option<Vec<u8>>>()?;
    HeaderValue::from_bytes(&bytes).ok()
}

pub(super) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(latin1).filter(|text| !text.is_empty())
}

fn mark(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    text(headers, name).filter(|text| text.len() <= MAX_VALIDATOR)
}

/// What is kept beside an entry; without `Content-Encoding` when it was undone.
pub(super) fn kept(headers: &HeaderMap, undone: bool) -> Vec<(String, String)> {
    let mut kept = Vec::new();
    for name in KEPT.iter().filter(|name| !undone || **name != header::CONTENT_ENCODING) {
        for value in headers.get_all(name).iter().filter(|value| value.len() <= MAX_KEPT) {
            kept.push((name.as_str().to_owned(), latin1(value)));
        }
    }
    kept
}
