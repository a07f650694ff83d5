//! The door to feed-rs.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use feed_rs::model;
use feed_rs::parser::Builder;
use url::Url;

use super::{RawEntry, RawLink, RawMeta, RawText, ReadFeed};

thread_local! {
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// True on a thread that is inside the parser, where a panic is expected and caught.
pub fn is_reading() -> bool {
    READING.get()
}

/// Reads an XML document as feed-rs understands it; `None` when it refuses it or panics: feed-rs 3.0
/// panics on some author names and durations, and a panic must cost nothing but this reading.
///
/// Of an entry only id, title, texts, links and rights are taken; the rest is in the survey.
pub(super) fn strict(text: &str, base: &Url) -> Option<ReadFeed> {
    // A parser is good for one document: after an error inside an entry the next use panics.
    let parser = Builder::new()
        .base_uri(Some(base.as_str()))
        .sanitize_content(false)
        // Without this feed-rs invents ids, a random one for an entry without link and title.
        .id_generator(|_, _, _| String::new())
        // Dates are read beside it, and its own way of reading them takes five regular expressions.
        .timestamp_parser(|_| None)
        .build();
    READING.set(true);
    let parsed = catch_unwind(AssertUnwindSafe(|| parser.parse(text.as_bytes())));
    READING.set(false);
    Some(from_feed(parsed.ok()?.ok()?))
}

fn from_feed(feed: model::Feed) -> ReadFeed {
    // RSS titles carry HTML without saying so; Atom says what it carries.
    let rss = feed.feed_type != model::FeedType::Atom;
    let page = feed.links.into_iter().find(|link| matches!(link.rel.as_deref(), None | Some("alternate")));
    let meta = RawMeta {
        title: feed.title.map(|t| raw_text(t, rss)),
        link: page.map(|link| link.href),
        language: feed.language,
        ..RawMeta::default()
    };
    let entries = feed.entries.into_iter().map(|entry| from_entry(entry, rss)).collect();
    ReadFeed { meta, entries, ..ReadFeed::default() }
}

fn from_entry(entry: model::Entry, rss: bool) -> RawEntry {
    let pages = entry.links.into_iter().filter(|link| link.target.is_none());
    let pages = pages.filter(|link| link.rel.as_deref() != Some("enclosure"));
    RawEntry {
        guid: Some(entry.id).filter(|id| !id.trim().is_empty()),
        links: pages.map(|link| RawLink { href: link.href, rel: link.rel }).collect(),
        title: entry.title.map(|t| raw_text(t, rss)).filter(is_said),
        content: entry.content.and_then(raw_content).filter(is_said),
        summary: entry.summary.map(|t| raw_text(t, rss)).filter(is_said),
        rights: entry.rights.map(|t| raw_text(t, rss)),
        ..RawEntry::default()
    }
}

fn is_said(text: &RawText) -> bool {
    let (RawText::Plain(text) | RawText::Markup(text)) = text;
    !text.trim().is_empty()
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
