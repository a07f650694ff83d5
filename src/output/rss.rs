//! The door to rss: RSS 2.0 with content, Dublin Core, Media RSS and Atom's links.

use std::collections::BTreeMap;

use rss as xml;
use xml::extension::atom::{AtomExtension, Link};
use xml::extension::dublincore::DublinCoreExtension;
use xml::extension::{Extension, ExtensionMap};

use super::{Channel, Published, address, legal};
use crate::model::{Enclosure, Format, Publish, Timestamp};

/// Media RSS: for what `enclosure` cannot hold, since an item has only one.
const MEDIA: &str = "http://search.yahoo.com/mrss/";

/// The RSS document of a topic.
pub fn rss(channel: &Channel, entries: &[Published]) -> Vec<u8> {
    let link = |rel: &str, href: &str, mime_type: Option<&str>| Link {
        rel: rel.into(),
        href: href.into(),
        mime_type: mime_type.map(Into::into),
        ..Default::default()
    };
    let mut links = vec![link("self", &channel.address(Format::Rss), Some(Format::Rss.media_type()))];
    links.extend(channel.hubs.iter().map(|hub| link("hub", hub, None)));
    let media = ("media".to_owned(), MEDIA.to_owned());
    let has_media = entries.iter().any(|entry| entry.post.enclosures.len() > 1);
    let document = xml::Channel {
        title: title(&channel.title),
        link: channel.page(),
        // The element has to be there, and a feed has no other text about itself.
        description: title(&format!("{} · {}", channel.title, channel.publisher)),
        language: channel.language.clone(),
        last_build_date: Some(date(channel.updated(entries, &[]))),
        generator: Some("feedmill".into()),
        docs: Some("https://www.rssboard.org/rss-specification".into()),
        items: entries.iter().map(item).collect(),
        atom_ext: Some(AtomExtension { links }),
        dublin_core_ext: Some(DublinCoreExtension {
            publishers: vec![title(&channel.publisher)],
            ..Default::default()
        }),
        namespaces: has_media.then_some(media).into_iter().collect(),
        ..Default::default()
    };
    // Writing into memory cannot fail.
    let bytes = document.pretty_write_to(Vec::new(), b' ', 1).unwrap_or_default();
    let root = memchr::memmem::find(&bytes, b"<rss").unwrap_or_default();
    let mut out = super::xml_head(1);
    out.extend_from_slice(&bytes[root..]);
    out.push(b'\n');
    out
}

fn item(published: &Published) -> xml::Item {
    let post = &published.post;
    let link = published.link();
    let files: Vec<File> = post.enclosures.iter().filter_map(File::of).collect();
    let source = published.source.as_ref();
    let feed = source.and_then(|source| address::uri(source.url.as_deref()?));
    let dublin_core = DublinCoreExtension {
        creators: vec![title(&post.author)],
        languages: published.language().into_iter().collect(),
        rights: source.and_then(|source| source.rights.as_deref()).map(title).into_iter().collect(),
        // `source` wants the address of a feed; one read from a file has none.
        sources: source.filter(|_| feed.is_none()).map(|source| title(&source.title)).into_iter().collect(),
        ..Default::default()
    };
    xml::Item {
        title: Some(title(&post.title)),
        description: Some(&published.excerpt).filter(|text| !text.is_empty()).map(|text| description(text)),
        author: None,
        categories: published.tags().iter().map(|tag| xml::Category { name: title(tag), domain: None }).collect(),
        enclosure: File::first(&files).map(File::enclosure),
        guid: Some(xml::Guid { value: legal(&published.id), permalink: link.as_ref() == Some(&published.id) }),
        link,
        pub_date: Some(date(post.date)),
        source: feed.map(|url| xml::Source { url, title: source.map(|source| title(&source.title)) }),
        content: (published.shown == Publish::Full).then(|| legal(&post.body)),
        extensions: extensions(published, &files),
        dublin_core_ext: Some(dublin_core),
        ..Default::default()
    }
}

/// RSS does not say whether a title is a text or HTML, and readers take it for either. A word joiner behind each `<` that
/// would begin a tag shows the same in both, and begins none.
fn title(text: &str) -> String {
    let text = super::title(text);
    let mut parts = text.split('<');
    let mut inert = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        inert.push('<');
        if part.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            inert.push('\u{2060}');
        }
        inert.push_str(part);
    }
    inert
}

/// Readers take it for HTML.
fn description(excerpt: &str) -> String {
    html_escape::encode_text(&legal(excerpt)).into_owned()
}

/// An enclosure with all that RSS wants to know of it.
struct File<'a> {
    url: String,
    media_type: String,
    of: &'a Enclosure,
}

impl<'a> File<'a> {
    fn of(enclosure: &'a Enclosure) -> Option<Self> {
        let media_type = address::media_type(enclosure).into_owned();
        Some(Self { url: address::uri(&enclosure.url)?, media_type, of: enclosure })
    }

    /// The one that an item may have: what is to be heard or seen comes before its pictures.
    fn first(files: &[Self]) -> Option<&Self> {
        let plays = |file: &&Self| file.media_type.starts_with("audio/") || file.media_type.starts_with("video/");
        files.iter().find(plays).or(files.first())
    }

    /// The RSS Advisory Board asks for a length of 0 where it is not known.
    fn enclosure(&self) -> xml::Enclosure {
        xml::Enclosure {
            url: self.url.clone(),
            length: self.of.length.unwrap_or_default().to_string(),
            mime_type: self.media_type.clone(),
        }
    }

    fn media(&self) -> Extension {
        let mut attrs =
            BTreeMap::from([("url".to_owned(), self.url.clone()), ("type".to_owned(), self.media_type.clone())]);
        attrs.extend(self.of.length.map(|bytes| ("fileSize".to_owned(), bytes.to_string())));
        Extension { name: "media:content".into(), attrs, ..Default::default() }
    }
}

fn extensions(published: &Published, files: &[File]) -> ExtensionMap {
    let mut found = ExtensionMap::new();
    if files.len() > 1 {
        let media = files.iter().map(File::media).collect();
        found.insert("media".into(), BTreeMap::from([("content".into(), media)]));
    }
    if published.updated != published.post.date {
        let updated = Extension {
            name: "atom:updated".into(),
            value: Some(published.updated.rfc3339_millis()),
            ..Default::default()
        };
        found.insert("atom".into(), BTreeMap::from([("updated".into(), vec![updated])]));
    }
    found
}

/// RFC 822 with four digits for the year, as RSS asks.
fn date(time: Timestamp) -> String {
    time.utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_same_as_text_and_as_html() {
        for plain in ["Rust 2.0 <3", "1 < 2 << 3", "<", "a&lt;b", "中文"] {
            assert_eq!(title(plain), plain);
        }
        for (written, inert) in [
            ("<script>x</script>", "<\u{2060}script>x<\u{2060}/script>"),
            ("a <!-- b <?c <<d", "a <\u{2060}!-- b <\u{2060}?c <<\u{2060}d"),
        ] {
            assert_eq!(title(written), inert);
            assert_eq!(title(inert), inert);
        }
    }
}
