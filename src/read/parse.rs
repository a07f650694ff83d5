//! The door to feed-rs.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use feed_rs::model;
use feed_rs::parser::Builder;
use url::Url;

use super::{RawEntry, RawLink, RawMeta, RawText, ReadError, ReadFeed};
use crate::model::{Enclosure, Timestamp};

thread_local! {
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// True on a thread that is inside the parser, where a panic is expected and caught.
pub fn is_reading() -> bool {
    READING.get()
}

/// Reads a document as feed-rs understands it, panics included: feed-rs 3.0 panics on some author
/// names, durations and encodings, and a panic must cost this feed only.
pub(super) fn strict(body: &[u8], base: &Url) -> Result<ReadFeed, ReadError> {
    // A parser is good for one document: after an error inside an entry the next use panics.
    let parser = Builder::new()
        .base_uri(Some(base.as_str()))
        .sanitize_content(false)
        // Without this feed-rs invents ids, a random one for an entry without link and title.
        .id_generator(|_, _, _| String::new())
        .build();
    READING.set(true);
    let parsed = catch_unwind(AssertUnwindSafe(|| parser.parse(body)));
    READING.set(false);
    match parsed {
        Ok(Ok(feed)) => Ok(from_feed(feed)),
        Ok(Err(error)) => Err(ReadError::Refused(error.to_string())),
        Err(_) => Err(ReadError::Panicked),
    }
}

fn from_feed(feed: model::Feed) -> ReadFeed {
    // RSS titles carry HTML without saying so; Atom and JSON Feed say what they carry.
    let rss = !matches!(feed.feed_type, model::FeedType::Atom | model::FeedType::JSON);
    let meta = RawMeta {
        title: feed.title.map(|t| raw_text(t, rss)),
        id: Some(feed.id).filter(|id| !id.trim().is_empty()),
        link: feed
            .links
            .iter()
            .find(|link| matches!(link.rel.as_deref(), None | Some("alternate")))
            .map(|link| link.href.clone()),
        language: feed.language,
        rights: feed.rights.map(|t| raw_text(t, rss)),
        icon: feed.icon.or(feed.logo).map(|image| image.uri),
    };
    let json = feed.feed_type == model::FeedType::JSON;
    let inherited = names(feed.authors);
    let entries = feed.entries.into_iter().map(|entry| {
        let mut entry = from_entry(entry, rss, json);
        if entry.authors.is_empty() {
            // RFC 4287 section 4.2.1: an entry without author has the feed's.
            entry.authors.clone_from(&inherited);
        }
        entry
    });
    ReadFeed { meta, entries: entries.collect(), envelope: None }
}

fn from_entry(entry: model::Entry, rss: bool, json: bool) -> RawEntry {
    let mut enclosures = Vec::new();
    let mut links = Vec::new();
    for link in entry.links {
        if link.target.is_some() {
            continue;
        }
        // feed-rs hands over JSON Feed's attachments as links; only they have a media type there.
        if link.rel.as_deref() == Some("enclosure") || (json && link.media_type.is_some()) {
            enclosures.push(Enclosure { url: link.href, media_type: link.media_type, length: link.length });
        } else {
            links.push(RawLink { href: link.href, rel: link.rel });
        }
    }
    for content in entry.media.into_iter().flat_map(|media| media.content) {
        let Some(url) = content.url else { continue };
        enclosures.push(Enclosure {
            url: url.into(),
            media_type: content.content_type.map(|t| t.to_string()),
            length: content.size,
        });
    }
    RawEntry {
        guid: Some(entry.id).filter(|id| !id.trim().is_empty()),
        links,
        title: entry.title.map(|t| raw_text(t, rss)),
        content: entry.content.and_then(raw_content),
        summary: entry.summary.map(|t| raw_text(t, rss)),
        authors: names(entry.authors),
        categories: entry
            .categories
            .into_iter()
            .map(|c| c.label.filter(|l| !l.trim().is_empty()).unwrap_or(c.term))
            .collect(),
        language: entry.language,
        published: entry.published.map(Timestamp::from),
        updated: entry.updated.map(Timestamp::from),
        enclosures,
        rights: entry.rights.map(|t| raw_text(t, rss)),
        base: entry.base.and_then(|base| Url::parse(&base).ok()),
        raw_date: None,
        source: None,
    }
}

fn names(people: Vec<model::Person>) -> Vec<String> {
    people.into_iter().filter_map(|person| person.name.or(person.email)).collect()
}

fn raw_text(text: model::Text, rss: bool) -> RawText {
    if rss || text.content_type.subty().as_str() != "plain" {
        RawText::Markup(text.content)
    } else {
        RawText::Plain(text.content)
    }
}

fn raw_content(content: model::Content) -> Option<RawText> {
    let body = content.body?;
    Some(match content.content_type.subty().as_str() {
        "plain" => RawText::Plain(body),
        _ => RawText::Markup(body),
    })
}
