//! What went wrong, from the errors of the HTTP library.

use std::error::Error;
use std::io;
use std::time::Duration;

use url::Url;

use super::{MAX_HEADERS, place};
use crate::fetch::error::{FetchError, Stage, words};
use crate::fetch::shown;
use crate::model::{Proxy, Timestamp};

/// How the TLS library begins.
const BAD_CERTIFICATE: &str = "invalid peer certificate: ";

/// Why no answer came.
pub(super) fn unsent(url: &Url, error: &reqwest::Error, connect_limit: Duration, proxy: Option<&Proxy>) -> FetchError {
    let (at, cause) = (place(url), deepest(error));
    // `socks5` looks the server's name up here.
    let is_dns = causes(error).any(|cause| cause.to_string() == "error resolving for socks proxy");
    if let Some(proxy) = proxy
        && (error.is_dns() || error.is_connect())
        && !error.is_timeout()
        && !is_dns
        && !cause.starts_with(BAD_CERTIFICATE)
    {
        return FetchError::Proxy { at, proxy: proxy.to_string(), cause: proxy_said(&cause) };
    }
    if is_dns || error.is_dns() {
        let host = url.host_str().unwrap_or_default().to_owned();
        let words = cause.strip_prefix("failed to lookup address information: ");
        return FetchError::Dns { host, cause: words.unwrap_or(&cause).to_owned() };
    }
    if error.is_timeout() {
        return FetchError::Timeout { at, stage: Stage::Connecting, limit: connect_limit };
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
        return FetchError::Tls { at, cause: unsafe_because(&cause) };
    }
    if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse_too_large) {
        return FetchError::Headers { at, limit: MAX_HEADERS };
    }
    if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
        return FetchError::NotHttp { at, cause };
    }
    // In HTTP/2 what is found out here is `detected`, and what the server says is `received`.
    if cause.contains("error detected: unspecific protocol error") {
        let cause = "HTTP/2 against its rules, or a head of more than 64 KiB".to_owned();
        return FetchError::NotHttp { at, cause };
    }
    FetchError::NoAnswer { at, cause }
}

/// Why there is no way through a proxy, with the next step.
fn proxy_said(cause: &str) -> String {
    if ["user/pass authentication", "credentials not accepted", "authorization required"]
        .iter()
        .any(|w| cause.contains(w))
    {
        let form = "`socks5h://name:${PASSWORD}@host:port`";
        return format!("it wants a name and a password, or others; they stand in its address, as in {form}");
    }
    let Some(rest) = cause.strip_prefix("SOCKS error: ").or_else(|| cause.strip_prefix("tunnel error: ")) else {
        return format!("{cause}; does it run?");
    };
    match rest {
        "failed to create underlying connection" => "it cannot be reached; does it run?".to_owned(),
        "unsuccessful" => "it does not connect there; does it let this pass?".to_owned(),
        "general server failure"
        | "connection not allowed"
        | "network unreachable"
        | "host unreachable"
        | "connection refused"
        | "ttl expired" => format!("it says `{rest}`; does it let this pass?"),
        _ => format!("its answer is of no use ({rest}); is it a proxy of this kind?"),
    }
}

/// What the TLS library says, in words for an operator.
fn unsafe_because(cause: &str) -> String {
    let Some(rest) = cause.strip_prefix(BAD_CERTIFICATE) else {
        return match cause {
            // Mostly HTTP, which has no such record.
            "received corrupt message of type InvalidContentType" => {
                "it does not speak TLS; does the address begin with `http:`?".to_owned()
            }
            "tls handshake eof" => "it hung up in the middle of the handshake; does it speak TLS?".to_owned(),
            other => other.to_owned(),
        };
    };
    // `BadSignature`: an authority of the same name vouches for it.
    if matches!(rest, "UnknownIssuer" | "BadSignature") {
        return "nobody known here vouches for its certificate; if you do, put its authority's certificate into \
                fetch.ca_file"
            .to_owned();
    }
    if let Some(day) = day_after(rest, "is not valid after ") {
        return format!("its certificate ended on {day}");
    }
    if let Some(day) = day_after(rest, "is not valid before ") {
        return format!("its certificate begins on {day}; is the clock right here?");
    }
    for_others(rest).unwrap_or_else(|| format!("its certificate is not valid: {rest}"))
}

/// The day of a Unix time that follows some words.
fn day_after(text: &str, words: &str) -> Option<String> {
    let (_, rest) = text.split_once(words)?;
    let seconds: i64 = rest.split(' ').next()?.parse().ok()?;
    let written = Timestamp::from_millis(seconds.checked_mul(1000)?).rfc3339_millis();
    written.split('T').next().map(str::to_owned)
}

/// `certificate not valid for name "a"; certificate is only valid for DnsName("b") or DnsName("c")`.
fn for_others(text: &str) -> Option<String> {
    const SHOWN: usize = 3;
    let quoted = |text: &str| text.split('"').skip(1).step_by(2).map(|name| format!("`{name}`")).collect::<Vec<_>>();
    let (wanted, has) = text.strip_prefix("certificate not valid for name ")?.split_once(';')?;
    let (wanted, mut names) = (quoted(wanted).concat(), quoted(has));
    let others = if names.len() > SHOWN { " and others" } else { "" };
    names.truncate(SHOWN);
    let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
    Some(format!("its certificate is for {names}{others}, not for {wanted}"))
}

/// Why a body did not come to its end.
pub(super) fn broken(url: &Url, received: u64, error: &reqwest::Error) -> FetchError {
    FetchError::Cut { url: shown(url), received, cause: deepest(error) }
}

/// The first error of a kind among an error and its causes.
pub(super) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// What lies at the bottom: reqwest's own words hold the address with its secrets, and only repeat that it failed.
pub(super) fn deepest(error: &(dyn Error + 'static)) -> String {
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
