//! The door to feed-rs.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use feed_rs::model;
use feed_rs::parser::Builder;
use memchr::{memchr, memchr_iter, memchr2, memchr3_iter, memmem};
use url::Url;

use super::bodies::{Bodies, Marks};
use super::{RawEntry, RawLink, RawMeta, RawText, ReadFeed};

/// A document up to this size (bytes) costs little, whatever its tags hold.
const SMALL: usize = 128 * 1024;

/// More attributes than any tag of a feed has.
const ATTRIBUTES: usize = 256;

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
    if text.len() > SMALL && is_crowded(text.as_bytes()) {
        return None;
    }
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

/// True where a tag has so many attributes that comparing each with each costs more than the document, or where that cannot
/// be said. Tags are found as the parser finds them: a quote anywhere in one hides a `>`.
fn is_crowded(text: &[u8]) -> bool {
    let mut at = 0;
    while let Some(from) = memchr(b'<', &text[at..]).map(|found| at + found) {
        let rest = &text[from..];
        let behind = |start: usize, end: &[u8]| Some(start + memmem::find(rest.get(start..)?, end)? + end.len());
        let length = match rest {
            [b'<', b'!', b'-', b'-', ..] => behind(4, b"-->"),
            [b'<', b'!', b'[', ..] => behind(9, b"]]>"),
            // One with declarations, or with a `>` in quotes, is no feed's of that size.
            [b'<', b'!', ..] => tag_length(rest).filter(|end| memchr2(b'>', b'[', rest) == Some(*end - 1)),
            [b'<', b'?', ..] => behind(2, b"?>"),
            _ => tag_length(rest).filter(|end| !has_many_attributes(&rest[..*end])),
        };
        let Some(length) = length else { return true };
        at = from + length;
    }
    false
}

fn tag_length(rest: &[u8]) -> Option<usize> {
    let mut quote = None;
    let end = memchr3_iter(b'>', b'"', b'\'', rest).find(|at| match (quote, rest[*at]) {
        (None, b'>') => true,
        (None, byte) => {
            quote = Some(byte);
            false
        }
        (Some(open), byte) => {
            quote = quote.filter(|_| byte != open);
            false
        }
    });
    Some(end? + 1)
}

/// A long tag may have a picture in it; it is the attributes that are counted.
fn has_many_attributes(tag: &[u8]) -> bool {
    tag.len() > 1024 && memchr_iter(b'=', tag).count() > ATTRIBUTES
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
