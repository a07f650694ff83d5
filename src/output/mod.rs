//! Posts to the bytes of published feeds.

mod address;
mod atom;
mod diff;
mod excerpt;
mod history;
mod json;
mod opml;
mod page;
mod rss;

use crate::model::{Format, Post, Publish, Timestamp};
use crate::normalize;

pub use atom::{alarms, atom, sealed};
pub use diff::difference;
pub use excerpt::{excerpt, excerpt_of_start};
pub use history::{Sealed, shows, struck};
pub use json::json;
pub use opml::{Outline, opml};
pub use page::{TopicLink, index_page, status_page, topic_page};
pub use rss::rss;

/// What makes feeds legible in a browser: the root's `feed.css`.
pub const FEED_CSS: &str = include_str!("feed.css");

/// The document of a topic in one format.
pub fn feed(format: Format, channel: &Channel, entries: &[Published], deleted: &[Deleted]) -> Vec<u8> {
    match format {
        Format::Atom => atom(channel, entries, deleted),
        // There is no way to tell readers of RSS of a takedown; the item is gone.
        Format::Rss => rss(channel, entries),
        Format::Json => json(channel, entries, deleted),
    }
}

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
    /// The topic's folder on the web, with a slash at the end.
    pub folder: String,
    /// Hubs that tell subscribers of changes (W3C WebSub section 4).
    pub hubs: Vec<String>,
    /// The newest sealed document of its history (RFC 5005 section 4).
    pub previous: Option<String>,
    /// What `updated` says while the feed has no entries.
    pub founded: Timestamp,
}

impl Channel {
    /// Where the document of a format is.
    fn address(&self, format: Format) -> String {
        format!("{}{}", self.folder, format.file())
    }

    /// The page about the topic.
    fn page(&self) -> String {
        format!("{}index.html", self.folder)
    }

    /// When the newest of what is shown was changed.
    fn updated(&self, entries: &[Published], deleted: &[Deleted]) -> Timestamp {
        let moments = entries.iter().map(|entry| entry.updated).chain(deleted.iter().map(|entry| entry.when));
        moments.max().unwrap_or(self.founded)
    }
}

/// Who speaks on the status page and in the alarm feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    /// How its ids begin, with a colon at the end: `tag:news.example.org,2026-11-22:`.
    pub tag: String,
    /// Title of the site.
    pub title: String,
    /// Who publishes it.
    pub publisher: String,
    /// Language of the site.
    pub language: Option<String>,
    /// Where it is on the web, with a slash at the end.
    pub url: String,
    /// The date of an alarm of which nobody knows since when it stands.
    pub founded: Timestamp,
}

impl Station {
    /// Where the status page is.
    fn page(&self) -> String {
        format!("{}status", self.url)
    }
}

/// A post as it is published.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// Id of the entry.
    pub id: String,
    /// The post; its body is safe and its addresses are absolute. What is not shown is empty.
    pub post: Post,
    /// How much of it is shown.
    pub shown: Publish,
    /// The beginning of its text, plain; empty when not even that is shown.
    pub excerpt: String,
    /// The latest of date, claimed update and revision.
    pub updated: Timestamp,
    /// Where it came from.
    pub source: Option<SourceFacts>,
    /// Other articles that tell the same story: name of the source, link.
    pub related: Vec<(String, String)>,
}

impl Published {
    fn language(&self) -> Option<String> {
        normalize::language(self.post.lang.as_deref()?)
    }

    /// The page it is about, as an address that every reader takes.
    fn link(&self) -> Option<String> {
        address::uri(&self.post.from)
    }

    fn tags(&self) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        for tag in &self.post.tags {
            let tag = legal(tag);
            if !tag.trim().is_empty() && !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        tags
    }
}

/// The writers pass characters on that XML forbids, and a post may have been edited by hand.
fn legal(text: &str) -> String {
    normalize::legal(text).into_owned()
}

/// A title on one line: a post may have been edited, and some readers keep line breaks.
fn title(text: &str) -> String {
    legal(text).split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The beginning of an XML document that lies so many folders below the root, as no writer makes it.
fn xml_head(depth: usize) -> Vec<u8> {
    let root = "../".repeat(depth);
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<?xml-stylesheet type=\"text/css\" href=\"{root}feed.css\"?>\n"
    )
    .into_bytes()
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
