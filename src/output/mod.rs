//! Posts to the bytes of published feeds.

mod atom;
mod diff;
mod history;

use crate::model::{Post, Timestamp};

pub use atom::{atom, sealed};
pub use diff::difference;
pub use history::{Sealed, struck};

/// What a published feed says about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Channel {
    /// Id of the feed, a `tag:` URI.
    pub id: String,
    /// Title.
    pub title: String,
    /// Who publishes it.
    pub publisher: String,
    /// Language of the site.
    pub language: Option<String>,
    /// Where this very document is.
    pub self_url: String,
    /// The newest sealed document of its history (RFC 5005 section 4).
    pub previous: Option<String>,
    /// What `updated` says while the feed has no entries.
    pub founded: Timestamp,
}

/// A post as it is published.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// Id of the entry.
    pub id: String,
    /// The post; its body is safe and its addresses are absolute.
    pub post: Post,
    /// The latest of date, claimed update and revision.
    pub updated: Timestamp,
    /// Where it came from.
    pub source: Option<SourceFacts>,
    /// Other articles that tell the same story: name of the source, link.
    pub related: Vec<(String, String)>,
}

/// An entry that was taken down (RFC 6721): readers drop it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The id it was published under.
    pub id: String,
    /// When it was taken down.
    pub when: Timestamp,
}

/// What is said about the feed an entry came from (RFC 4287 section 4.2.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFacts {
    /// The feed's own id, else its address, else one made of its name in the config.
    pub id: String,
    /// The feed's title, else its name in the config.
    pub title: String,
    /// Where the feed is.
    pub url: Option<String>,
    /// The site it belongs to.
    pub link: Option<String>,
    /// Rights.
    pub rights: Option<String>,
    /// Address of a picture.
    pub icon: Option<String>,
}
