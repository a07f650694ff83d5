//! The door to feed-rs.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use feed_rs::model;
use feed_rs::parser::Builder;
use url::Url;

use super::bodies::{Bodies, Marks};
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
/// Of an entry only id, title, texts, links and rights are taken; the rest is in the survey, and so are
/// the `bodies`, which feed-rs is not shown as long as that makes no difference.
pub(super) fn strict<'t>(text: &'t str, base: &Url, bodies: &mut Bodies<'t>) -> Option<ReadFeed> {
    if let Some((marked, mut marks)) = bodies.marked(text) {
        let parsed = parsed(&marked, base).map(|feed| from_feed(feed, &mut marks));
        if parsed.is_some() && marks.are_met() {
            return parsed;
        }
    }
    whole(text, base)
}

/// The same, of the document as it is.
pub(super) fn whole(text: &str, base: &Url) -> Option<ReadFeed> {
    parsed(text, base).map(|feed| from_feed(feed, &mut Marks::none()))
}

fn parsed(text: &str, base: &Url) -> Option<model::Feed> {
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
    parsed.ok()?.ok()
}

fn from_feed(feed: model::Feed, marks: &mut Marks<'_, '_>) -> ReadFeed {
    // RSS titles carry HTML without saying so; Atom says what it carries.
    let rss = feed.feed_type != model::FeedType::Atom;
    let page = feed.links.into_iter().find(|link| matches!(link.rel.as_deref(), None | Some("alternate")));
    let meta = RawMeta {
        title: feed.title.map(|t| raw_text(t, rss)),
        link: page.map(|link| link.href),
        language: feed.language,
        ..RawMeta::default()
    };
    let entries = feed.entries.into_iter().map(|entry| from_entry(entry, rss, marks)).collect();
    ReadFeed { meta, entries, ..ReadFeed::default() }
}

fn from_entry(entry: model::Entry, rss: bool, marks: &mut Marks<'_, '_>) -> RawEntry {
    let pages = entry.links.into_iter().filter(|link| link.target.is_none());
    let pages = pages.filter(|link| link.rel.as_deref() != Some("enclosure"));
    let content = entry.content.map(|content| with_body(content, marks));
    let summary = entry.summary.map(|summary| with_text(summary, marks));
    RawEntry {
        guid: Some(entry.id).filter(|id| !id.trim().is_empty()),
        links: pages.map(|link| RawLink { href: link.href, rel: link.rel }).collect(),
        title: entry.title.map(|t| raw_text(t, rss)).filter(is_said),
        content: content.and_then(raw_content).filter(is_said),
        summary: summary.map(|t| raw_text(t, rss)).filter(is_said),
        rights: entry.rights.map(|t| raw_text(t, rss)),
        ..RawEntry::default()
    }
}

/// XHTML is written anew by feed-rs, so that its mark is no whole text: it counts as not met.
fn with_body(content: model::Content, marks: &mut Marks<'_, '_>) -> model::Content {
    let is_anew = content.content_type.subty().as_str() == "xhtml";
    let body = content.body.map(|body| if is_anew { body } else { marks.put_back(body) });
    model::Content { body, ..content }
}

fn with_text(text: model::Text, marks: &mut Marks<'_, '_>) -> model::Text {
    let is_anew = text.content_type.subty().as_str() == "xhtml";
    let content = if is_anew { text.content } else { marks.put_back(text.content) };
    model::Text { content, ..text }
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
