//! Why a fetch failed, as one sentence each.

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use super::date;
use super::guard::Refusal;
use crate::model::Timestamp;

/// Why a fetch brought nothing.
///
/// Each prints as one sentence that names the address, the cause and, where there is one, the next step. Addresses
/// are kept as `shown` writes them, so no message holds a password or a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The HTTP client, or its encrypted half, does not work here; a whole sentence.
    #[error("{0}")]
    Setup(String),
    /// Not an address that can be asked.
    #[error("`{url}` cannot be fetched: {cause}")]
    Address {
        /// The address.
        url: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The guard says no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The name leads to no address.
    #[error("`{host}` has no address: {cause}; is the name still right, and does name resolution work here?")]
    Dns {
        /// The name.
        host: String,
        /// What the resolver said.
        cause: String,
    },
    /// No connection.
    #[error("no connection to `{at}`: {cause}")]
    Connect {
        /// Host and port.
        at: String,
        /// What the system said.
        cause: String,
    },
    /// No connection through a proxy.
    #[error("no connection to `{at}` through the proxy `{proxy}`: {cause}")]
    Proxy {
        /// Host and port.
        at: String,
        /// The proxy, without name and password.
        proxy: String,
        /// What the system or the proxy said, and the next step.
        cause: String,
    },
    /// A connection, but no encrypted one.
    #[error("no secure connection to `{at}`: {cause}")]
    Tls {
        /// Host and port.
        at: String,
        /// What the TLS library said.
        cause: String,
    },
    /// It took too long.
    #[error("{stage} `{at}` within {limit:?}{}", stage.setting())]
    Timeout {
        /// Host and port.
        at: String,
        /// What was being waited for.
        stage: Stage,
        /// The limit that was passed.
        limit: Duration,
    },
    /// It keeps coming, but hardly.
    #[error("`{at}` is too slow: {bytes} bytes within {within:?} (fetch.min_rate); it is asked again next time")]
    Slow {
        /// Host and port.
        at: String,
        /// What came.
        bytes: u64,
        /// In how long.
        within: Duration,
    },
    /// The head of the answer has no end, or a very distant one.
    #[error("`{at}` sends a head that is too long, more than {limit} lines or 400 KiB; is it a feed's server?")]
    Headers {
        /// Host and port.
        at: String,
        /// How many lines are taken.
        limit: usize,
    },
    /// The connection ended before an answer came.
    #[error("`{at}` broke the connection off without an answer: {cause}")]
    NoAnswer {
        /// Host and port.
        at: String,
        /// What the HTTP library said.
        cause: String,
    },
    /// What came back is not HTTP.
    #[error("`{at}` sent something that is not HTTP: {cause}")]
    NotHttp {
        /// Host and port.
        at: String,
        /// What the HTTP library said.
        cause: String,
    },
    /// A status that brings no feed.
    #[error("`{url}` answered {status}{}", advice(*.status, .retry_after.as_ref()))]
    Status {
        /// The address that answered.
        url: String,
        /// The status code with its name.
        status: Status,
        /// When the server wants to be asked again.
        retry_after: Option<RetryAfter>,
    },
    /// A redirect that cannot be followed.
    #[error("`{url}` redirects {trouble}")]
    Redirect {
        /// The address that redirected.
        url: String,
        /// What is wrong with the redirect.
        trouble: RedirectTrouble,
    },
    /// 304 to a request that did not ask "has it changed?".
    #[error("`{0}` answered 304 Not Modified although nothing was known of it yet")]
    NotModifiedUnasked(String),
    /// 206 to a request for the whole.
    #[error("`{0}` answered 206 Partial Content although the whole feed was asked for")]
    Partial(String),
    /// Success without a body.
    #[error("`{url}` gave an empty answer ({status})")]
    Empty {
        /// The address that answered.
        url: String,
        /// The status code with its name.
        status: Status,
    },
    /// The body is longer than allowed.
    #[error("`{url}` is larger than {}; if that is right, raise fetch.max_body", bytes(*.limit))]
    TooLarge {
        /// The address.
        url: String,
        /// `fetch.max_body`, in bytes.
        limit: u64,
    },
    /// The body is a film, or an archive of programs.
    #[error("`{url}` brings data that no text can be, {bytes} bytes of it; is it a feed's address?")]
    NoText {
        /// The address.
        url: String,
        /// How much came.
        bytes: u64,
    },
    /// The body ended early.
    #[error("`{url}` was cut off after {received} bytes: {cause}")]
    Cut {
        /// The address.
        url: String,
        /// How many bytes had come, decoded.
        received: u64,
        /// What the HTTP library said.
        cause: String,
    },
    /// The body is not what its Content-Encoding says.
    #[error("`{url}` cannot be decompressed: {cause}; its server has to mend that")]
    Encoding {
        /// The address.
        url: String,
        /// What the decoder said.
        cause: String,
    },
    /// The host wants to be left alone (`Retry-After`). It may be one that a redirect leads to.
    #[error("`{url}` is not asked: `{host}` asks to be left alone until {}; it is asked then, or with --force", until.rfc3339_millis())]
    Held {
        /// The address.
        url: String,
        /// Who asked for that.
        host: String,
        /// Until when.
        until: Timestamp,
    },
    /// A `file:` feed that cannot be read.
    #[error("`{path}` cannot be read: {cause}")]
    File {
        /// The path.
        path: String,
        /// What the system said.
        cause: String,
    },
}

/// What was being waited for when time ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Name resolution, TCP and TLS.
    Connecting,
    /// The head of an answer, counted from its request.
    FirstByte,
    /// The head of an answer, when redirects have used up the time.
    Answer,
    /// The rest of the body.
    Body,
}

impl Stage {
    fn setting(self) -> &'static str {
        match self {
            Self::Connecting => "",
            Self::FirstByte => " (fetch.first_byte)",
            Self::Answer | Self::Body => " (fetch.timeout)",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connecting => "no connection to",
            Self::FirstByte | Self::Answer => "no answer from",
            Self::Body => "no complete answer from",
        })
    }
}

/// An HTTP status code; prints with its name, `404 Not Found`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The number.
    pub code: u16,
    /// Its usual name, or nothing.
    pub name: &'static str,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if self.name.is_empty() { Ok(()) } else { write!(f, " {}", self.name) }
    }
}

/// Why a redirect is not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedirectTrouble {
    /// Back to an address that was asked already.
    Loop,
    /// More than this many hops.
    TooMany(usize),
    /// To neither `http` nor `https`.
    Scheme(String),
    /// 3xx without a Location.
    Nowhere(Status),
    /// The Location is no address.
    Unreadable(String),
}

impl fmt::Display for RedirectTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loop => write!(f, "in a circle; some servers do that to readers without cookies"),
            Self::TooMany(limit) => write!(f, "more than {limit} times"),
            Self::Scheme(scheme) => write!(f, "to a `{scheme}:` address; only http and https are followed"),
            Self::Nowhere(status) => write!(f, "to nowhere ({status} without a Location)"),
            Self::Unreadable(cause) => write!(f, "to something that is no address: {cause}"),
        }
    }
}

/// `Retry-After`, RFC 9110 section 10.2.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// So many seconds after the answer.
    Seconds(u64),
    /// At this moment.
    At(Timestamp),
}

impl RetryAfter {
    /// Reads the header: seconds or an HTTP date; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            // More digits than fit are "very long", not "no wish at all".
            return Some(Self::Seconds(text.parse().unwrap_or(u64::MAX)));
        }
        date::parse(text).map(Self::At)
    }

    /// How long to wait from `now`; zero when the moment is past.
    pub fn wait(self, now: Timestamp) -> Duration {
        match self {
            Self::Seconds(seconds) => Duration::from_secs(seconds),
            Self::At(at) => Duration::from_millis(u64::try_from(at.millis() - now.millis()).unwrap_or(0)),
        }
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) => write!(f, "asks to wait {seconds}s"),
            Self::At(at) => write!(f, "asks to wait until {}", date::format(*at)),
        }
    }
}

fn advice(status: Status, retry_after: Option<&RetryAfter>) -> String {
    if let Some(wish) = retry_after {
        return format!(" and {wish}");
    }
    match status.code {
        401 => "; are the feed's `username` and `password_file` right?",
        403 => "; it refuses this reader, perhaps because of fetch.user_agent",
        404 => "; if the feed has moved, `feedmill add` finds it from its site's address",
        407 => "; a proxy wants a name and a password",
        410 => "; the feed has ended and is asked once a month from now on",
        429 => "; let its `schedule` or fetch.host_delay be longer",
        500..=599 => "; the trouble is at its server, it is asked again later",
        _ => "",
    }
    .to_owned()
}

/// `64 MiB` where it comes out even, else bytes.
fn bytes(count: u64) -> String {
    match count {
        0 => "0 bytes".to_owned(),
        n if n.is_multiple_of(1 << 20) => format!("{} MiB", n >> 20),
        n if n.is_multiple_of(1 << 10) => format!("{} KiB", n >> 10),
        n => format!("{n} bytes"),
    }
}

/// What the system said, without its number: `Connection refused (os error 111)`.
pub(super) fn words(text: &str) -> &str {
    text.split_once(" (os error ").map_or(text, |(words, _)| words)
}

impl FetchError {
    /// False when nothing was sent: such a failure is none of the publisher's.
    pub fn was_asked(&self) -> bool {
        !matches!(self, Self::Setup(_) | Self::Address { .. } | Self::Refused(_) | Self::File { .. })
    }

    /// True when the same request may well succeed a little later without anybody doing something.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Dns { .. }
            | Self::Connect { .. }
            | Self::Proxy { .. }
            | Self::Timeout { .. }
            | Self::Slow { .. }
            | Self::NoAnswer { .. }
            | Self::Empty { .. }
            | Self::Held { .. }
            | Self::Cut { .. } => true,
            // 408 Request Timeout, 421 Misdirected Request, 425 Too Early, 429 Too Many Requests.
            Self::Status { status, retry_after, .. } => {
                matches!(status.code, 408 | 421 | 425 | 429 | 500..=599)
                    || (retry_after.is_some() && status.code != 410)
            }
            Self::Setup(_)
            | Self::Address { .. }
            | Self::Refused(_)
            | Self::Tls { .. }
            | Self::NotHttp { .. }
            | Self::Headers { .. }
            | Self::Redirect { .. }
            | Self::NotModifiedUnasked(_)
            | Self::Partial(_)
            | Self::TooLarge { .. }
            | Self::NoText { .. }
            | Self::Encoding { .. }
            | Self::File { .. } => false,
        }
    }

    /// How long the server asks to be left alone, counted from `now`; the caller bounds it.
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => retry_after.map(|wish| wish.wait(now)),
            Self::Held { until, .. } => Some(RetryAfter::At(*until).wait(now)),
            _ => None,
        }
    }

    /// The host that answered so, where it was an answer, or that wants to be left alone.
    pub fn host(&self) -> Option<String> {
        match self {
            Self::Held { host, .. } => Some(host.clone()),
            Self::Status { url, .. } => url::Url::parse(url).ok().map(|url| super::host(&url)),
            _ => None,
        }
    }

    /// True for 410 Gone: the publisher says that the feed has ended.
    pub fn is_gone(&self) -> bool {
        self.status() == Some(410)
    }

    /// The status of an answer that brought no feed.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } | Self::Empty { status, .. } => Some(status.code),
            _ => None,
        }
    }
}
