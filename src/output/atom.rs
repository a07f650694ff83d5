//! The door to atom_syndication: Atom 1.0 (RFC 4287).

mod alarms;

use std::collections::BTreeMap;

pub use alarms::alarms;

use atom_syndication as xml;

use super::history::{sorted, tombstone};
use super::{Channel, Deleted, Published, Sealed, SourceFacts, address, legal, title};
use crate::model::{Format, Publish, Timestamp};

/// The namespace of tombstones (RFC 6721 section 2).
pub(super) const TOMBSTONES: &str = "http://purl.org/atompub/tombstones/1.0";

/// The namespace of archived feeds (RFC 5005 section 4).
const HISTORY: &str = "http://purl.org/syndication/history/1.0";

/// The Atom document of a topic.
pub fn atom(channel: &Channel, entries: &[Published], deleted: &[Deleted]) -> Vec<u8> {
    let tombstones = ("at".to_owned(), TOMBSTONES.to_owned());
    let namespaces = if deleted.is_empty() { BTreeMap::new() } else { BTreeMap::from([tombstones]) };
    let media_type = Some(Format::Atom.media_type());
    let mut links = vec![
        link("self", &channel.address(Format::Atom), media_type),
        link("alternate", &channel.page(), Some("text/html")),
    ];
    links.extend(channel.hubs.iter().map(|hub| link("hub", hub, None)));
    links.extend(channel.previous.as_ref().map(|previous| link("prev-archive", previous, media_type)));
    let feed = xml::Feed {
        title: xml::Text::plain(title(&channel.title)),
        id: channel.id.clone(),
        updated: date(channel.updated(entries, deleted)),
        authors: vec![person(&channel.publisher)],
        generator: Some(xml::Generator { value: "feedmill".into(), ..Default::default() }),
        links,
        lang: channel.language.clone(),
        entries: entries.iter().map(entry).collect(),
        namespaces,
        ..Default::default()
    };
    let document = written(&feed, 1, size(entries));
    completed(document, entries, &deleted.iter().map(tombstone).collect::<String>())
}

/// A sealed document of a topic's history.
pub fn sealed(facts: &Sealed, entries: &[Published], deleted: &[Deleted]) -> Vec<u8> {
    let links =
        [("self", Some(&facts.self_url)), ("current", Some(&facts.current)), ("prev-archive", facts.previous.as_ref())];
    let atom = Some(Format::Atom.media_type());
    let feed = xml::Feed {
        title: xml::Text::plain(legal(&facts.title)),
        id: facts.id.clone(),
        updated: date(facts.updated),
        authors: vec![person(&facts.publisher)],
        links: links.into_iter().filter_map(|(rel, href)| Some(link(rel, href?, atom))).collect(),
        entries: entries.iter().map(entry).collect(),
        // Declared whether or not there is a tombstone yet, so that one can be put in.
        namespaces: BTreeMap::from([("at".to_owned(), TOMBSTONES.to_owned()), ("fh".to_owned(), HISTORY.to_owned())]),
        ..Default::default()
    };
    let tombstones = sorted(deleted.iter().map(tombstone));
    let document = written(&feed, 3, size(entries));
    completed(document, entries, &format!("\n <fh:archive/>{tombstones}"))
}

/// About how long a document of these entries becomes, so that it need not be moved while it grows.
fn size(entries: &[Published]) -> usize {
    entries.iter().map(|entry| 2048 + entry.post.body.len() * 5 / 4).sum()
}

/// A document that lies so many folders below the root, and will be about so long.
fn written(feed: &xml::Feed, depth: usize, size: usize) -> Vec<u8> {
    let config = xml::WriteConfig { write_document_declaration: false, indent_size: Some(1) };
    let mut head = super::xml_head(depth);
    head.reserve(size);
    // Writing into memory cannot fail.
    let mut bytes = feed.write_with_config(head, config).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// What an entry begins with. No text of a feed can look like it: `<` is escaped there.
pub(super) const ENTRY: &[u8] = b"\n <entry";

/// Gives each entry its `xml:lang`, which `atom_syndication` has for feeds only, and puts extensions before the first
/// entry: RFC 4287's schema has entries last, and `atom_syndication` writes extensions behind them.
fn completed(document: Vec<u8>, entries: &[Published], extensions: &str) -> Vec<u8> {
    if extensions.is_empty() && entries.iter().all(|entry| entry.post.lang.is_none()) {
        return document;
    }
    let mut out = Vec::with_capacity(document.len() + extensions.len() + 32 * entries.len());
    let mut copied = 0;
    let mut put = |at: usize, more: &[u8]| {
        out.extend_from_slice(&document[copied..at]);
        out.extend_from_slice(more);
        copied = at;
    };
    let first = memchr::memmem::find(&document, ENTRY);
    if let Some(at) = first.or_else(|| memchr::memmem::rfind(&document, b"\n</feed>")) {
        put(at, extensions.as_bytes());
    }
    for (at, entry) in memchr::memmem::find_iter(&document, ENTRY).zip(entries) {
        if let Some(language) = entry.language() {
            put(at + ENTRY.len(), format!(" xml:lang=\"{language}\"").as_bytes());
        }
    }
    put(document.len(), b"");
    out
}

fn entry(published: &Published) -> xml::Entry {
    let post = &published.post;
    let mut links = Vec::new();
    links.extend(published.link().map(|address| link("alternate", &address, None)));
    for (source, address) in &published.related {
        let related = link("related", address, None);
        links.push(xml::Link { title: Some(legal(source)), ..related });
    }
    for enclosure in &post.enclosures {
        let Some(address) = address::uri(&enclosure.url) else { continue };
        let mut related = link("enclosure", &address, Some(&address::media_type(enclosure)));
        related.length = enclosure.length.map(|bytes| bytes.to_string());
        links.push(related);
    }
    xml::Entry {
        title: xml::Text::plain(title(&post.title)),
        id: legal(&published.id),
        updated: date(published.updated),
        authors: vec![person(&post.author)],
        categories: published.tags().into_iter().map(category).collect(),
        links,
        published: Some(date(post.date)),
        rights: None,
        source: published.source.as_ref().map(|facts| source(facts, published.updated)),
        summary: Some(&published.excerpt).filter(|text| !text.is_empty()).map(|text| xml::Text::plain(legal(text))),
        content: content(published),
        ..Default::default()
    }
}

/// RFC 4287 section 4.1.2 wants content where there is no page to go to.
fn content(published: &Published) -> Option<xml::Content> {
    let (value, content_type) = match published.shown {
        Publish::Full => (legal(&published.post.body), "html"),
        _ if published.link().is_some() => return None,
        _ => (legal(&published.excerpt), "text"),
    };
    Some(xml::Content { value: Some(value), content_type: Some(content_type.into()), ..Default::default() })
}

fn source(facts: &SourceFacts, updated: Timestamp) -> xml::Source {
    let linked = |rel, found: &Option<String>| Some(link(rel, &address::uri(found.as_deref()?)?, None));
    let links = [linked("self", &facts.url), linked("alternate", &facts.link)].into_iter().flatten().collect();
    xml::Source {
        title: xml::Text::plain(title(&facts.title)),
        id: legal(&facts.id),
        updated: date(updated),
        icon: facts.icon.as_deref().and_then(address::uri),
        links,
        rights: facts.rights.as_deref().map(|rights| xml::Text::plain(legal(rights))),
        ..Default::default()
    }
}

fn person(name: &str) -> xml::Person {
    xml::Person { name: legal(name), ..Default::default() }
}

fn category(term: String) -> xml::Category {
    xml::Category { term, ..Default::default() }
}

fn link(rel: &str, href: &str, media_type: Option<&str>) -> xml::Link {
    xml::Link {
        href: href.to_owned(),
        rel: rel.to_owned(),
        mime_type: media_type.map(str::to_owned),
        ..Default::default()
    }
}

fn date(time: Timestamp) -> xml::FixedDateTime {
    time.utc().fixed_offset()
}
