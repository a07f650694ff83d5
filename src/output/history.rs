//! Sealed documents of a topic's history (RFC 5005 section 4), and how a takedown changes them.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};

use memchr::memmem::Finder;

use super::Deleted;
use super::atom::{ENTRY, TOMBSTONES};
use crate::model::{Format, Timestamp};
use crate::normalize;

/// What a sealed document says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The id of the topic's feed: all documents are parts of it.
    pub id: String,
    /// A title that never changes.
    pub title: String,
    /// Whoever is responsible, in words that never change.
    pub publisher: String,
    /// When the last of its versions arrived.
    pub updated: Timestamp,
    /// Where it is.
    pub self_url: String,
    /// The current feed.
    pub current: String,
    /// The document before it.
    pub previous: Option<String>,
}

/// How each entry of a document ends.
const END: &[u8] = b"\n </entry>";
const TOMBSTONE: &[u8] = b"\n <at:deleted-entry ";

/// A tombstone (RFC 6721), as it stands before the first entry.
pub(super) fn tombstone(entry: &Deleted) -> String {
    let id = normalize::legal(&entry.id);
    let id = html_escape::encode_double_quoted_attribute(&id);
    format!("\n <at:deleted-entry ref=\"{id}\" when=\"{}\"/>", entry.when.rfc3339_millis())
}

/// Tombstones in one order, whenever each of them came; each once.
pub(super) fn sorted(tombstones: impl Iterator<Item = String>) -> String {
    tombstones.collect::<BTreeSet<String>>().into_iter().collect()
}

/// True when the document of a topic shows one of the entries.
pub fn shows(format: Format, document: &[u8], deleted: &[Deleted]) -> bool {
    let gone: HashSet<Cow<'_, str>> = deleted.iter().map(|entry| normalize::legal(&entry.id)).collect();
    let is_gone = |id: &str| gone.contains(id);
    match format {
        Format::Atom => struck(document, deleted).is_some(),
        Format::Rss => String::from_utf8_lossy(document).split("<guid").skip(1).any(|rest| {
            let guid = rest.split("</guid>").next().and_then(|guid| guid.split_once('>'));
            guid.is_some_and(|(_, id)| is_gone(&html_escape::decode_html_entities(id)))
        }),
        Format::Json => {
            let feed: serde_json::Value = serde_json::from_slice(document).unwrap_or_default();
            let items = feed["items"].as_array().into_iter().flatten();
            items.filter_map(|item| item["id"].as_str()).any(is_gone)
        }
    }
}

/// An Atom document without the entries that were taken down; `None` when it holds none of them.
pub fn struck(document: &[u8], deleted: &[Deleted]) -> Option<Vec<u8>> {
    let gone: HashMap<Cow<'_, str>, &Deleted> =
        deleted.iter().map(|entry| (normalize::legal(&entry.id), entry)).collect();
    let start = Finder::new(ENTRY).find(document)?;
    let (head, mut rest) = document.split_at(start);
    let (mut entries, mut told) = (Vec::new(), Vec::new());
    while rest.starts_with(ENTRY) {
        let end = Finder::new(END).find(rest)? + END.len();
        let (entry, after) = rest.split_at(end);
        match id_of(entry).and_then(|id| gone.get(id.as_str())) {
            Some(entry) => told.push(tombstone(entry)),
            None => entries.extend_from_slice(entry),
        }
        rest = after;
    }
    if told.is_empty() {
        return None;
    }
    let known = Finder::new(TOMBSTONE).find(head).unwrap_or(head.len());
    let (head, tombstones) = head.split_at(known);
    let tombstones = String::from_utf8_lossy(tombstones);
    let lines = sorted(tombstones.split_inclusive("/>").map(str::to_owned).chain(told));
    Some([&declared(head), lines.as_bytes(), &entries, rest].concat())
}

/// The beginning of a document in which tombstones may stand: a current feed without any does not declare their words.
fn declared(head: &[u8]) -> Cow<'_, [u8]> {
    const FEED: &[u8] = b"\n<feed ";
    match Finder::new(FEED).find(head) {
        Some(at) if Finder::new("xmlns:at=").find(head).is_none() => {
            let (before, after) = head.split_at(at + FEED.len());
            Cow::Owned([before, format!("xmlns:at=\"{TOMBSTONES}\" ").as_bytes(), after].concat())
        }
        _ => Cow::Borrowed(head),
    }
}

/// The id of an entry.
fn id_of(entry: &[u8]) -> Option<String> {
    const OPEN: &[u8] = b"\n  <id>";
    let start = Finder::new(OPEN).find(entry)? + OPEN.len();
    let text = entry.get(start..)?;
    let text = std::str::from_utf8(&text[..Finder::new(b"</id>").find(text)?]).ok()?;
    Some(html_escape::decode_html_entities(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EntryKey, Post, Publish};
    use crate::output::{Published, sealed};

    fn entry(id: &str, title: &str) -> Published {
        let post = Post {
            title: title.to_owned(),
            date: Timestamp::from_millis(1000),
            author: "A".to_owned(),
            from: String::new(),
            tags: Vec::new(),
            categories: Vec::new(),
            updated: None,
            lang: None,
            enclosures: Vec::new(),
            claimed: None,
            key: EntryKey::of(id),
            // Whatever a publisher writes looks like our own marks only on the outside.
            body: "<p>\n <entry>\n  <id>urn:b</id>\n </entry>\n <at:deleted-entry </p>".to_owned(),
        };
        let (shown, updated) = (Publish::Full, Timestamp::from_millis(1000));
        Published { id: id.to_owned(), post, shown, excerpt: String::new(), updated, source: None, related: vec![] }
    }

    fn facts() -> Sealed {
        Sealed {
            id: "tag:x,2026:topic/a".to_owned(),
            title: "a".to_owned(),
            publisher: "x".to_owned(),
            updated: Timestamp::from_millis(5000),
            self_url: "https://x.example/a/history/g/2.xml".to_owned(),
            current: "https://x.example/a/atom.xml".to_owned(),
            previous: Some("https://x.example/a/history/g/1.xml".to_owned()),
        }
    }

    fn gone(id: &str) -> Deleted {
        Deleted { id: id.to_owned(), when: Timestamp::from_millis(9000) }
    }

    #[test]
    fn a_document_without_an_entry_is_the_one_that_is_made_without_it() {
        let (a, b, c) = (entry("urn:a", "A"), entry("urn:b?x=1&y='\"<>", "B"), entry("urn:c", "C"));
        let whole = sealed(&facts(), &[a.clone(), b.clone(), a.clone(), c.clone()], &[]);
        let first = struck(&whole, &[gone("urn:none"), gone(&b.id)]).expect("it was there");
        assert_eq!(
            String::from_utf8(first.clone()),
            String::from_utf8(sealed(&facts(), &[a.clone(), a.clone(), c.clone()], &[gone(&b.id)]))
        );
        // Both versions of an entry go.
        let second = struck(&first, &[gone("urn:a")]).expect("it was there");
        assert_eq!(
            String::from_utf8(second.clone()),
            String::from_utf8(sealed(&facts(), std::slice::from_ref(&c), &[gone("urn:a"), gone(&b.id)]))
        );
        let last = struck(&second, &[gone("urn:c")]).expect("it was there");
        assert_eq!(
            String::from_utf8(last.clone()),
            String::from_utf8(sealed(&facts(), &[], &[gone("urn:a"), gone(&b.id), gone("urn:c")]))
        );
        assert_eq!(struck(&last, &[gone("urn:a")]), None);
        assert_eq!(struck(&whole, &[gone("urn:none")]), None);
    }
}
