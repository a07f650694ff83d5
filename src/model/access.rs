//! How a feed is asked that does not answer everybody.

use std::fmt;
use std::path::PathBuf;

use url::Url;

/// A text that no message, log or output shows: its `Debug` form is `…`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the wire only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// An address that no message, log or output shows: its `Debug` form is `…`.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Url);

impl SecretUrl {
    /// Keeps an address.
    pub fn new(url: Url) -> Self {
        Self(url)
    }

    /// The address itself, for the wire only.
    pub fn reveal(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// How a feed is asked. Headers and login go to its own server with each request, and to no other server ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Names in lower case, each once.
    pub headers: Vec<(String, Secret)>,
    /// Basic authentication.
    pub login: Option<Login>,
    /// The way to all servers of this feed.
    pub route: Route,
    /// The addresses hold what came from the environment, such as a key, and are shown to nobody.
    pub secret_address: bool,
    /// What came from there, behind their hosts.
    pub keys: Vec<Secret>,
    /// Other addresses of the feed, tried in this order where its own brings nothing.
    pub mirrors: Vec<Url>,
}

/// A name with its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Without `:`.
    pub username: String,
    /// Not empty.
    pub password: Password,
}

/// A password, or where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// A file's only line; read for each request, so that it can be changed.
    File(PathBuf),
    /// What the config took from the environment.
    Given(Secret),
}

/// The way to a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Route {
    /// What `fetch.proxy` says.
    #[default]
    Usual,
    /// Without a proxy.
    Direct,
    /// Through this proxy.
    Through(Proxy),
}

/// A proxy with host and port; shown without name and password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Proxy(Url);

impl Proxy {
    /// Takes `http`, `https`, `socks5` and `socks5h` addresses that hold host and port and no path.
    pub fn new(url: Url) -> Option<Self> {
        let known = matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h");
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        let placed = url.host_str().is_some_and(|host| !host.is_empty()) && url.port_or_known_default().is_some();
        (known && bare && placed).then_some(Self(url))
    }

    /// The whole address, for the wire only.
    pub fn reveal(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = (self.0.host_str().unwrap_or_default(), self.0.port_or_known_default().unwrap_or_default());
        write!(f, "{}://{host}:{port}", self.0.scheme())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
