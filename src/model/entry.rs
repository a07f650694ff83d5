use url::Url;

use super::{FeedId, Timestamp};

/// A file that belongs to an entry, such as a podcast episode.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Enclosure {
    /// Absolute `http` or `https` address.
    pub url: String,
    /// Media type, when the feed names one.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Bytes, when the feed names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
}

/// One entry of a feed in our terms: link absolute, body safe, date sane.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The feed that brought it.
    pub feed: FeedId,
    /// Atom `id`, RSS `guid`, JSON Feed `id` as received; `None` when absent.
    pub guid: Option<String>,
    /// The page it is about: absolute, http(s), tracking included.
    pub link: Option<Url>,
    /// Plain text, never empty.
    pub title: String,
    /// True when the title was made from the first words of the body.
    pub title_is_made: bool,
    /// The entry's own author.
    pub author: Option<String>,
    /// The entry's categories, in order, without repeats.
    pub categories: Vec<String>,
    /// BCP 47, from entry, feed or config.
    pub language: Option<String>,
    /// The date the post gets.
    pub date: Timestamp,
    /// The date the entry claims, when it claims one we can read.
    pub claimed: Option<Timestamp>,
    /// The date's text as received.
    pub claimed_text: Option<String>,
    /// True when `date` is first sight because the claim could not be used.
    pub date_is_made: bool,
    /// When the entry says it was changed.
    pub updated: Option<Timestamp>,
    /// Files that belong to it.
    pub enclosures: Vec<Enclosure>,
    /// Plain text.
    pub rights: Option<String>,
    /// Safe HTML on one line.
    pub body: String,
}
