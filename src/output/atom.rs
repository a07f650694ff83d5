//! The door to atom_syndication: Atom 1.0 (RFC 4287).

use std::collections::BTreeMap;

use atom_syndication as xml;

use super::{Channel, Deleted, Published, SourceFacts};
use crate::model::Timestamp;

/// The namespace of tombstones (RFC 6721 section 2).
const TOMBSTONES: &str = "http://purl.org/atompub/tombstones/1.0";

/// The Atom document of a topic.
pub fn atom(channel: &Channel, entries: &[Published], deleted: &[Deleted]) -> Vec<u8> {
    let moments = entries.iter().map(|entry| entry.updated).chain(deleted.iter().map(|entry| entry.when));
    let updated = moments.max().unwrap_or(channel.founded);
    let tombstones = ("at".to_owned(), TOMBSTONES.to_owned());
    let namespaces = if deleted.is_empty() { BTreeMap::new() } else { BTreeMap::from([tombstones]) };
    let feed = xml::Feed {
        title: xml::Text::plain(legal(&channel.title)),
        id: channel.id.clone(),
        updated: date(updated),
        authors: vec![person(&channel.publisher)],
        generator: Some(xml::Generator { value: "feedmill".into(), ..Default::default() }),
        links: vec![link("self", &channel.self_url, Some("application/atom+xml"))],
        lang: channel.language.clone(),
        entries: entries.iter().map(entry).collect(),
        namespaces,
        ..Default::default()
    };
    let config = xml::WriteConfig { write_document_declaration: true, indent_size: Some(1) };
    // Writing into memory cannot fail.
    let mut bytes = feed.write_with_config(Vec::new(), config).unwrap_or_default();
    bytes.push(b'\n');
    if deleted.is_empty() { bytes } else { with_tombstones(bytes, deleted) }
}

/// Puts tombstones before the first entry: RFC 4287's schema has entries last, and atom_syndication
/// writes extensions behind them. Nothing before that entry can look like one, for it is escaped.
fn with_tombstones(document: Vec<u8>, deleted: &[Deleted]) -> Vec<u8> {
    let first = memchr::memmem::find(&document, b"\n <entry>");
    let Some(at) = first.or_else(|| memchr::memmem::rfind(&document, b"\n</feed>")) else { return document };
    let tombstone = |entry: &Deleted| {
        let id = legal(&entry.id);
        let id = html_escape::encode_double_quoted_attribute(&id);
        format!("\n <at:deleted-entry ref=\"{id}\" when=\"{}\"/>", entry.when.rfc3339_millis())
    };
    let all: String = deleted.iter().map(tombstone).collect();
    [&document[..at], all.as_bytes(), &document[at..]].concat()
}

fn entry(published: &Published) -> xml::Entry {
    let post = &published.post;
    let mut links = Vec::new();
    if !post.from.is_empty() {
        links.push(link("alternate", &post.from, None));
    }
    for (source, address) in &published.related {
        let related = link("related", address, None);
        links.push(xml::Link { title: Some(legal(source)), ..related });
    }
    for enclosure in &post.enclosures {
        let mut related = link("enclosure", &enclosure.url, enclosure.media_type.as_deref());
        related.length = enclosure.length.map(|bytes| bytes.to_string());
        links.push(related);
    }
    xml::Entry {
        title: xml::Text::plain(legal(&post.title)),
        id: published.id.clone(),
        updated: date(published.updated),
        authors: vec![person(&post.author)],
        categories: post.tags.iter().map(|tag| category(tag)).collect(),
        links,
        published: Some(date(post.date)),
        rights: None,
        source: published.source.as_ref().map(|facts| source(facts, published.updated)),
        content: Some(xml::Content {
            lang: post.lang.clone(),
            value: Some(legal(&post.body)),
            content_type: Some("html".into()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn source(facts: &SourceFacts, updated: Timestamp) -> xml::Source {
    let mut links: Vec<_> = facts.url.iter().map(|address| link("self", address, None)).collect();
    links.extend(facts.link.as_ref().map(|address| link("alternate", address, None)));
    xml::Source {
        title: xml::Text::plain(legal(&facts.title)),
        id: facts.id.clone(),
        updated: date(updated),
        icon: facts.icon.clone(),
        links,
        rights: facts.rights.as_deref().map(|rights| xml::Text::plain(legal(rights))),
        ..Default::default()
    }
}

fn person(name: &str) -> xml::Person {
    xml::Person { name: legal(name), ..Default::default() }
}

fn category(term: &str) -> xml::Category {
    xml::Category { term: legal(term), ..Default::default() }
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

/// The writer passes characters on that XML forbids, and a post may have been edited by hand.
fn legal(text: &str) -> String {
    crate::normalize::legal(text).into_owned()
}
