//! What an entry says beside its texts, and feed-rs drops or misreads: who wrote it, when, under
//! which id, with which files.

use url::Url;

use super::element::Element;
use super::names::{FIRST_UPDATE, Part, Space};
use super::outline::Item;
use super::tags::children;
use super::{RawDate, RawEntry, RawLink, RawOrigin, RawText, chars, person};
use crate::model::Enclosure;

/// The longest base that is believed (bytes): each address below it gets a copy.
pub const LONGEST_BASE: usize = 1_024;

/// Where an element stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'p> {
    /// Where the document came from.
    pub base: &'p Url,
    /// The `xml:base` in force at the entry.
    pub own_base: Option<&'p Url>,
}

impl Place<'_> {
    fn absolute(&self, address: &str) -> String {
        let base = self.own_base.unwrap_or(self.base);
        base.join(address).map_or_else(|_| address.to_owned(), String::from)
    }
}

/// The base that a tag sets for what is in it.
pub(super) fn base(attribute: Option<&str>, outer: &Url) -> Option<Url> {
    let written = chars::value(attribute.filter(|base| base.len() <= LONGEST_BASE)?);
    outer.join(&written).ok().filter(|url| url.as_str().len() <= LONGEST_BASE && !url.cannot_be_a_base())
}

/// The address of a document as the base of what is in it; only a redirect leads to one so long that it is cut.
pub(super) fn document_base(address: &Url) -> Url {
    let mut base = address.clone();
    if base.as_str().len() > LONGEST_BASE {
        base.set_query(None);
        base.set_fragment(None);
    }
    if base.as_str().len() > LONGEST_BASE {
        return base.join("/").map_or(base, |mut server| {
            // Which fails only where there is no server.
            let _ = server.set_username("").and_then(|()| server.set_password(None));
            server
        });
    }
    base
}

/// Joins the addresses of links with the base of their entry.
pub(super) fn make_absolute(links: &mut [RawLink], place: Place<'_>) {
    for link in links {
        link.href = place.absolute(&link.href);
    }
}

/// An entry with everything but its title, its texts and its links.
pub(super) fn of(item: &Item<'_>, elements: &[Element<'_>], place: Place<'_>, text: &str) -> RawEntry {
    let mut entry = RawEntry {
        language: item.tag.attribute("xml:lang").map(|lang| chars::value(lang).into_owned()),
        source: Some(text[item.at.clone()].to_owned()),
        base: place.own_base.cloned(),
        ..RawEntry::default()
    };
    let mut fallback = Vec::new();
    for element in elements {
        take(element, place, &mut entry, &mut fallback);
    }
    if entry.guid.is_none() {
        // RSS 1.0 has no other id; CDF has neither.
        entry.guid = item.tag.attribute("rdf:about").map(|about| chars::value(about).into_owned());
    }
    if entry.authors.is_empty() {
        entry.authors = fallback;
    }
    if entry.authors.is_empty()
        && let Some(origin) = &entry.origin
    {
        // RFC 4287 section 4.1.2: an entry without author has its source's.
        entry.authors.clone_from(&origin.authors);
    }
    if let Some(href) = item.tag.attribute("href") {
        entry.links.push(RawLink { href: chars::value(href).into_owned(), rel: None });
    }
    if let Some(date) = item.tag.attribute("lastmod") {
        entry.dates.push(RawDate { rank: FIRST_UPDATE + 1, text: chars::value(date).into_owned() });
    }
    entry.dates.sort_by_key(|date| date.rank);
    entry
}

fn take(element: &Element<'_>, place: Place<'_>, entry: &mut RawEntry, fallback: &mut Vec<String>) {
    let text = || Some(chars::text(element.inner)).filter(|text| !text.is_empty());
    match element.part {
        Part::Id if element.space == Space::Core || entry.guid.is_none() => {
            if let Some(id) = text() {
                entry.guid = Some(id);
                entry.guid_is_permalink = element.tag.attribute("isPermaLink").and_then(truth);
            }
        }
        Part::Author => {
            // A podcast's `itunes:author` says the show as often as a person.
            let names = if element.space == Space::Itunes { fallback } else { &mut entry.authors };
            names.extend(person::name(element.inner));
        }
        Part::Category => entry.categories.extend(category(element)),
        Part::Date(rank) => entry.dates.extend(text().map(|text| RawDate { rank, text })),
        Part::Enclosure | Part::MediaContent => entry.enclosures.extend(enclosure(element, place, "url")),
        Part::Link if is_enclosure(element) => entry.enclosures.extend(enclosure(element, place, "href")),
        Part::Origin => entry.origin = origin(element),
        Part::OrigLink => entry.orig_link = text().or(entry.orig_link.take()),
        Part::Language => entry.language = text().or(entry.language.take()),
        Part::Rights => entry.rights = text().map(RawText::Markup).or(entry.rights.take()),
        Part::Thumbnail if entry.thumbnail.is_none() => {
            let address = element.tag.attribute("url").or_else(|| element.tag.attribute("href"));
            entry.thumbnail = address.map(|address| place.absolute(&chars::value(address)));
        }
        Part::Content | Part::Summary => {
            if let Some(language) = element.tag.attribute("xml:lang") {
                entry.language = Some(chars::value(language).into_owned());
            }
            let outer = place.own_base.unwrap_or(place.base);
            if let Some(base) = base(element.tag.attribute("xml:base"), outer) {
                entry.base = Some(base);
            }
        }
        _ => {}
    }
}

fn is_enclosure(element: &Element<'_>) -> bool {
    element.tag.attribute("rel").is_some_and(|rel| rel.trim().eq_ignore_ascii_case("enclosure"))
}

/// Atom's label or term, RSS's text.
fn category(element: &Element<'_>) -> Option<String> {
    let attribute = |name| element.tag.attribute(name).map(|value| chars::value(value).into_owned());
    let said = attribute("label").filter(|label| !label.is_empty()).or_else(|| attribute("term"));
    said.or_else(|| Some(chars::text(element.inner))).filter(|text| !text.is_empty())
}

fn enclosure(element: &Element<'_>, place: Place<'_>, address: &str) -> Option<Enclosure> {
    let attribute = |name| element.tag.attribute(name).map(chars::value).filter(|value| !value.is_empty());
    let length = attribute("length").or_else(|| attribute("fileSize"));
    Some(Enclosure {
        url: place.absolute(&attribute(address)?),
        media_type: attribute("type").map(std::borrow::Cow::into_owned),
        length: length.and_then(|bytes| bytes.parse().ok()),
    })
}

/// RSS: the text and `url` of `source`. Atom: its title, links, id and authors.
fn origin(element: &Element<'_>) -> Option<RawOrigin> {
    let mut origin = RawOrigin::default();
    if !element.has_tags {
        origin.title = Some(chars::text(element.inner)).filter(|text| !text.is_empty());
        origin.feed = element.tag.attribute("url").map(|url| chars::value(url).into_owned());
    }
    for (tag, inner) in children(element.inner).filter(|_| element.has_tags) {
        let text = || Some(chars::text(inner)).filter(|text| !text.is_empty());
        match tag.local() {
            "title" => origin.title = text(),
            "id" => origin.id = text(),
            "author" => origin.authors.extend(person::name(inner)),
            "link" => {
                let href = tag.attribute("href").map(|href| chars::value(href).into_owned());
                match tag.attribute("rel") {
                    Some("self") => origin.feed = href,
                    None | Some("alternate") => origin.link = href,
                    _ => {}
                }
            }
            _ => {}
        }
    }
    (origin != RawOrigin::default()).then_some(origin)
}

fn truth(value: &str) -> Option<bool> {
    match value.trim() {
        yes if yes.eq_ignore_ascii_case("true") => Some(true),
        no if no.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
