use std::borrow::Borrow;
use std::fmt;

use url::Url;

use super::Access;

/// The name of a feed in config, index and ledger: `[a-z0-9-]+`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedId(String);

impl FeedId {
    /// Accepts `[a-z0-9-]+`, at most 64 characters: the id becomes part of file names.
    pub fn parse(text: &str) -> Option<Self> {
        is_id(text).then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

pub(super) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl Borrow<str> for FeedId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FeedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What entries of a feed are recognised by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dedup {
    /// All six rules.
    #[default]
    Auto,
    /// The link alone: rules 4 and 6.
    Url,
    /// The guid alone: rules 2 and 6, as if the entries had no link.
    Guid,
}

/// What happens when a known entry comes with another title or text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revisions {
    /// The post takes the new version, the former one is kept beside it.
    #[default]
    Keep,
    /// The post takes the new version, the former one goes.
    Replace,
    /// The post stays as it is.
    Ignore,
}

/// How much of a feed's entries is published; the archive keeps all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Publish {
    /// The whole body.
    #[default]
    Full,
    /// The beginning of the text, with the link.
    Excerpt,
    /// Title and link.
    Link,
    /// Nothing, in no topic.
    None,
}

/// A feed we read, as configured.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedSource {
    /// Its name in config, index and ledger.
    pub id: FeedId,
    /// Author, tag and category of its posts; unique in a config.
    pub name: String,
    /// Where it is fetched: `http`, `https` or `file`.
    pub url: Url,
    /// Language of entries that do not name their own (BCP 47).
    pub language: Option<String>,
    /// Tags that every post of the feed gets.
    pub tags: Vec<String>,
    /// What its entries are recognised by.
    pub dedup: Dedup,
    /// What a changed entry does.
    pub revisions: Revisions,
    /// How it is asked.
    pub access: Access,
}

impl FeedSource {
    /// The address, unless it holds a secret, or is a path of the operator's disk, which nobody else can use and
    /// which differs between clones of one archive.
    pub fn public_url(&self) -> Option<&Url> {
        Some(&self.url).filter(|_| !self.is_file() && !self.access.secret_address)
    }

    /// True for a file of the operator's disk.
    pub fn is_file(&self) -> bool {
        self.url.scheme() == "file"
    }

    /// The feed at another of its addresses, where only its own server gets headers and login.
    #[must_use]
    pub fn at(&self, address: &Url) -> Self {
        let mut source = Self { url: address.clone(), ..self.clone() };
        if address.origin() != self.url.origin() {
            source.access.headers.clear();
            source.access.login = None;
        }
        source
    }
}

/// What a feed says about itself, for `atom:source`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedMeta {
    /// Plain text.
    pub title: Option<String>,
    /// The feed's own Atom id.
    pub id: Option<String>,
    /// The site the feed belongs to (absolute).
    pub link: Option<String>,
    /// BCP 47, as the feed wrote it.
    pub language: Option<String>,
    /// Plain text.
    pub rights: Option<String>,
    /// Address of a picture.
    pub icon: Option<String>,
}

/// ETag and Last-Modified of an answer, exactly as received (RFC 9110 section 8.8).
///
/// Header values may hold any octets: each byte is kept as the character of the same number
/// (ISO 8859-1), so that it can be sent back byte for byte.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Validators {
    /// ETag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Last-Modified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    /// Who answered with them, where redirects led to another address than the one that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

impl Validators {
    /// True when there is nothing to ask conditionally with.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }

    /// True when they are the same, whoever answered with them.
    pub fn say_the_same(&self, other: &Self) -> bool {
        (&self.etag, &self.last_modified) == (&other.etag, &other.last_modified)
    }
}
