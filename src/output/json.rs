//! JSON Feed 1.1 (jsonfeed.org).

use serde::Serialize;

use super::{Channel, Deleted, Published, SourceFacts, address, legal, title};
use crate::model::{Format, Publish};

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "JSON Feed's own names")]
struct Feed {
    version: &'static str,
    title: String,
    home_page_url: String,
    feed_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    authors: Vec<Author>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hubs: Vec<Hub>,
    #[serde(rename = "_feedmill", skip_serializing_if = "Option::is_none")]
    extension: Option<Takedowns>,
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Hub {
    #[serde(rename = "type")]
    kind: &'static str,
    url: String,
}

/// What JSON Feed has no word for: entries that were taken down, as in RFC 6721.
#[derive(Serialize)]
struct Takedowns {
    deleted: Vec<Gone>,
}

#[derive(Serialize)]
struct Gone {
    id: String,
    when: String,
}

#[derive(Serialize)]
struct Author {
    name: String,
}

#[derive(Serialize)]
struct Item {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_url: Option<String>,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_html: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    date_published: String,
    date_modified: String,
    authors: Vec<Author>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment>,
    #[serde(rename = "_feedmill", skip_serializing_if = "Option::is_none")]
    extension: Option<Provenance>,
}

#[derive(Serialize)]
struct Attachment {
    url: String,
    mime_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_in_bytes: Option<u64>,
}

/// Where an entry came from, for which JSON Feed has no word.
#[derive(Serialize)]
struct Provenance {
    source: Source,
}

#[derive(Serialize)]
struct Source {
    id: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    feed_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    home_page_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rights: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icon: Option<String>,
}

/// The JSON Feed of a topic.
pub fn json(channel: &Channel, entries: &[Published], deleted: &[Deleted]) -> Vec<u8> {
    let gone = |entry: &Deleted| Gone { id: legal(&entry.id), when: entry.when.rfc3339_millis() };
    let feed = Feed {
        version: "https://jsonfeed.org/version/1.1",
        title: title(&channel.title),
        home_page_url: channel.page(),
        feed_url: channel.address(Format::Json),
        language: channel.language.clone(),
        authors: author(&channel.publisher),
        hubs: channel.hubs.iter().map(|url| Hub { kind: "WebSub", url: url.clone() }).collect(),
        extension: (!deleted.is_empty()).then(|| Takedowns { deleted: deleted.iter().map(gone).collect() }),
        items: entries.iter().map(item).collect(),
    };
    // Plain values into memory: this cannot fail.
    let mut bytes = serde_json::to_vec_pretty(&feed).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

fn item(published: &Published) -> Item {
    let post = &published.post;
    let excerpt = legal(&published.excerpt);
    let link = published.link();
    let is_full = published.shown == Publish::Full;
    Item {
        id: legal(&published.id),
        // Many readers know only the first, and the second says that the page is not ours.
        external_url: link.clone(),
        url: link,
        title: title(&post.title),
        content_html: is_full.then(|| legal(&post.body)),
        content_text: (!is_full).then(|| excerpt.clone()),
        summary: (is_full && !excerpt.is_empty()).then_some(excerpt),
        date_published: post.date.rfc3339_millis(),
        date_modified: published.updated.rfc3339_millis(),
        authors: author(&post.author),
        tags: published.tags(),
        language: published.language(),
        attachments: attachments(published),
        extension: published.source.as_ref().map(|facts| Provenance { source: source(facts) }),
    }
}

fn attachments(published: &Published) -> Vec<Attachment> {
    let attachment = |enclosure: &crate::model::Enclosure| {
        Some(Attachment {
            url: address::uri(&enclosure.url)?,
            mime_type: address::media_type(enclosure).into_owned(),
            size_in_bytes: enclosure.length,
        })
    };
    published.post.enclosures.iter().filter_map(attachment).collect()
}

fn source(facts: &SourceFacts) -> Source {
    let uri = |found: &Option<String>| address::uri(found.as_deref()?);
    Source {
        id: legal(&facts.id),
        title: title(&facts.title),
        feed_url: uri(&facts.url),
        home_page_url: uri(&facts.link),
        rights: facts.rights.as_deref().map(title),
        icon: uri(&facts.icon),
    }
}

fn author(name: &str) -> Vec<Author> {
    vec![Author { name: title(name) }]
}
