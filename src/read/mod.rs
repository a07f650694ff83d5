//! Any bytes a feed sends, to one shape.
//!
//! So far feed-rs alone reads; repairing and salvaging broken documents come with their own files.

mod date;
mod extras;
pub mod fragments;
pub mod list;
pub mod page;
mod parse;

pub use parse::is_reading;

use url::Url;

use crate::model::{Enclosure, Timestamp};

/// What is known about the bytes from outside.
#[derive(Clone, Debug)]
pub struct Hints {
    /// The address the document came from, after redirects: relative links start here.
    pub base: Url,
}

/// A feed as it could be read.
#[derive(Clone, Debug, Default)]
pub struct ReadFeed {
    /// What the feed says about itself.
    pub meta: RawMeta,
    /// Its entries in document order.
    pub entries: Vec<RawEntry>,
    /// What stands around the entries, where the document could be taken apart.
    pub envelope: Option<String>,
}

/// What a feed says about itself, before any of it is believed.
#[derive(Clone, Debug, Default)]
pub struct RawMeta {
    /// Title.
    pub title: Option<RawText>,
    /// Atom `id`.
    pub id: Option<String>,
    /// The site.
    pub link: Option<String>,
    /// BCP 47.
    pub language: Option<String>,
    /// Rights.
    pub rights: Option<RawText>,
    /// Address of a picture.
    pub icon: Option<String>,
}

/// Text of a feed together with how it is to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawText {
    /// To be shown as it stands.
    Plain(String),
    /// HTML, or RSS text that may hold HTML.
    Markup(String),
}

/// A link of an entry, as the feed wrote it.
#[derive(Clone, Debug)]
pub struct RawLink {
    /// Absolute wherever the document has a base.
    pub href: String,
    /// Atom's `rel`.
    pub rel: Option<String>,
}

/// An entry as parsed, before any of it is believed.
#[derive(Clone, Debug, Default)]
pub struct RawEntry {
    /// Atom `id`, RSS `guid`, JSON Feed `id`.
    pub guid: Option<String>,
    /// Links that may be the page of the entry (comments excluded).
    pub links: Vec<RawLink>,
    /// Title.
    pub title: Option<RawText>,
    /// Full text.
    pub content: Option<RawText>,
    /// Teaser.
    pub summary: Option<RawText>,
    /// Names.
    pub authors: Vec<String>,
    /// Terms or labels.
    pub categories: Vec<String>,
    /// BCP 47.
    pub language: Option<String>,
    /// First publication as claimed.
    pub published: Option<Timestamp>,
    /// Last change as claimed.
    pub updated: Option<Timestamp>,
    /// Files.
    pub enclosures: Vec<Enclosure>,
    /// Rights.
    pub rights: Option<RawText>,
    /// `xml:base` of the content.
    pub base: Option<Url>,
    /// The date's text as received.
    pub raw_date: Option<String>,
    /// The element or object as received.
    pub source: Option<String>,
}

/// Why a document cannot be read as a feed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReadError {
    /// Zero bytes, or nothing but white space.
    #[error("the answer is empty")]
    Empty,
    /// A web page.
    #[error("the answer is an HTML page, not a feed; look in the page for its feed's address")]
    Html,
    /// The document holds entry markers, but no entry could be read.
    #[error("the document holds entries, but none could be read")]
    NoEntries,
    /// The parser refused it.
    #[error("not a feed that can be read: {0}")]
    Refused(String),
    /// The parser panicked on it.
    #[error("not a feed that can be read: the parser failed on it")]
    Panicked,
}

/// Reads a feed of any format.
///
/// A document with entry markers but no entries is an error, never an empty feed: otherwise a
/// parser that knows a format only by half (feed-rs: Atom 0.3) would lose entries in silence.
pub fn feed(body: &[u8], hints: &Hints) -> Result<ReadFeed, ReadError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(ReadError::Empty);
    }
    match parse::strict(body, &hints.base) {
        Ok(feed) if feed.entries.is_empty() && has_entry_marker(body) => Err(ReadError::NoEntries),
        Err(_) if looks_like_html(body) => Err(ReadError::Html),
        Ok(mut feed) => {
            attach_sources(&mut feed, body);
            Ok(feed)
        }
        Err(error) => Err(error),
    }
}

/// Puts beside each entry what the document itself says of it: by position where the parser and
/// the document agree on every guid, else by guids that occur once.
fn attach_sources(feed: &mut ReadFeed, body: &[u8]) {
    let Some(text) = fragments::decoded(body) else { return };
    let Some(found) = fragments::of(&text) else { return };
    let guid = |fragment: &fragments::Fragment| {
        fragment.guid.as_deref().map(str::trim).filter(|g| !g.is_empty()).map(str::to_owned)
    };
    let same = |(entry, fragment): (&RawEntry, &fragments::Fragment)| entry.guid == guid(fragment);
    let aligned = feed.entries.len() == found.entries.len() && feed.entries.iter().zip(&found.entries).all(same);
    feed.envelope = Some(found.envelope.as_text().to_owned());
    if aligned {
        for (entry, fragment) in feed.entries.iter_mut().zip(found.entries) {
            entry.raw_date = fragment.raw_date;
            entry.source = Some(fragment.source);
        }
        return;
    }
    for entry in &mut feed.entries {
        let mut matches = found.entries.iter().filter(|f| entry.guid.is_some() && guid(f) == entry.guid);
        if let (Some(fragment), None) = (matches.next(), matches.next()) {
            entry.raw_date.clone_from(&fragment.raw_date);
            entry.source = Some(fragment.source.clone());
        }
    }
}

fn has_entry_marker(body: &[u8]) -> bool {
    let has = |marker: &[u8]| body.windows(marker.len()).any(|w| w.eq_ignore_ascii_case(marker));
    has(b"<item") || has(b"<entry")
}

fn looks_like_html(body: &[u8]) -> bool {
    let head = String::from_utf8_lossy(&body[..body.len().min(2048)]).to_ascii_lowercase();
    head.contains("<!doctype html") || head.contains("<html")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<ReadFeed, ReadError> {
        feed(body.as_bytes(), &Hints { base: Url::parse("https://example.org/feed").expect("url") })
    }

    #[test]
    fn says_what_a_document_is_instead_of_a_feed() {
        assert_eq!(read(" \n ").unwrap_err(), ReadError::Empty);
        assert_eq!(read("<!DOCTYPE html><html><body>hi</body></html>").unwrap_err(), ReadError::Html);
        assert!(matches!(read("hello").unwrap_err(), ReadError::Refused(_)));
    }

    #[test]
    fn never_takes_an_unknown_format_for_an_empty_feed() {
        let atom03 = r#"<feed version="0.3" xmlns="http://purl.org/atom/ns#"><title>t</title>
            <entry><title>one</title><id>a</id></entry></feed>"#;
        assert_eq!(read(atom03).unwrap_err(), ReadError::NoEntries);
    }

    #[test]
    fn an_empty_feed_is_a_feed() {
        let rss = r#"<rss version="2.0"><channel><title>t</title></channel></rss>"#;
        assert!(read(rss).expect("feed").entries.is_empty());
    }

    #[test]
    fn a_panic_of_the_parser_is_an_error() {
        let rss = "<rss version=\"2.0\"><channel><title>t</title><item><title>x</title>\
                   <author>记者王小明（wang@example.com）</author></item></channel></rss>";
        assert_eq!(read(rss).unwrap_err(), ReadError::Panicked);
    }
}
