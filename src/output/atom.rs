//! The door to atom_syndication: Atom 1.0 (RFC 4287).

use std::collections::BTreeMap;

use atom_syndication as xml;

use super::history::{sorted, tombstone};
use super::{Channel, Deleted, Published, Sealed, SourceFacts};
use crate::model::Timestamp;

const ATOM: &str = "application/atom+xml";

/// The namespace of tombstones (RFC 6721 section 2).
const TOMBSTONES: &str = "http://purl.org/atompub/tombstones/1.0";

/// The namespace of archived feeds (RFC 5005 section 4).
const HISTORY: &str = "http://purl.org/syndication/history/1.0";

/// The Atom document of a topic.
pub fn atom(channel: &Channel, entries: &[Published], deleted: &[Deleted]) -> Vec<u8> {
    let moments = entries.iter().map(|entry| entry.updated).chain(deleted.iter().map(|entry| entry.when));
    let updated = moments.max().unwrap_or(channel.founded);
    let tombstones = ("at".to_owned(), TOMBSTONES.to_owned());
    let namespaces = if deleted.is_empty() { BTreeMap::new() } else { BTreeMap::from([tombstones]) };
    let mut links = vec![link("self", &channel.self_url, Some(ATOM))];
    links.extend(channel.previous.as_ref().map(|previous| link("prev-archive", previous, Some(ATOM))));
    let feed = xml::Feed {
        title: xml::Text::plain(legal(&channel.title)),
        id: channel.id.clone(),
        updated: date(updated),
        authors: vec![person(&channel.publisher)],
        generator: Some(xml::Generator { value: "feedmill".into(), ..Default::default() }),
        links,
        lang: channel.language.clone(),
        entries: entries.iter().map(entry).collect(),
        namespaces,
        ..Default::default()
    };
    with_extensions(written(&feed), &deleted.iter().map(tombstone).collect::<String>())
}

/// A sealed document of a topic's history.
pub fn sealed(facts: &Sealed, entries: &[Published], deleted: &[Deleted]) -> Vec<u8> {
    let links =
        [("self", Some(&facts.self_url)), ("current", Some(&facts.current)), ("prev-archive", facts.previous.as_ref())];
    let feed = xml::Feed {
        title: xml::Text::plain(legal(&facts.title)),
        id: facts.id.clone(),
        updated: date(facts.updated),
        authors: vec![person(&facts.publisher)],
        links: links.into_iter().filter_map(|(rel, href)| Some(link(rel, href?, Some(ATOM)))).collect(),
        entries: entries.iter().map(entry).collect(),
        // Declared whether or not there is a tombstone yet, so that one can be put in.
        namespaces: BTreeMap::from([("at".to_owned(), TOMBSTONES.to_owned()), ("fh".to_owned(), HISTORY.to_owned())]),
        ..Default::default()
    };
    let tombstones = sorted(deleted.iter().map(tombstone));
    with_extensions(written(&feed), &format!("\n <fh:archive/>{tombstones}"))
}

fn written(feed: &xml::Feed) -> Vec<u8> {
    let config = xml::WriteConfig { write_document_declaration: true, indent_size: Some(1) };
    // Writing into memory cannot fail.
    let mut bytes = feed.write_with_config(Vec::new(), config).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

/// Puts extensions before the first entry: RFC 4287's schema has entries last, and atom_syndication
/// writes extensions behind them. Nothing before that entry can look like one, for it is escaped.
fn with_extensions(document: Vec<u8>, extensions: &str) -> Vec<u8> {
    if extensions.is_empty() {
        return document;
    }
    let first = memchr::memmem::find(&document, b"\n <entry>");
    let Some(at) = first.or_else(|| memchr::memmem::rfind(&document, b"\n</feed>")) else { return document };
    [&document[..at], extensions.as_bytes(), &document[at..]].concat()
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
