//! What the document itself says about its entries, to the byte, taken beside the parser.
//!
//! The archive keeps the source of each entry, so that a later, better reader can make the post
//! again; and a few facts that feed-rs drops stand only there.

use std::borrow::Cow;

use encoding_rs::{Encoding, ISO_2022_JP};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::extras::{self, Elements, Fact, Kind, Names, Tag};

/// What a document says outside its entries is kept up to this size: feeds that say more (RSS 1.0
/// lists each item's address in its channel) lose pieces of that, never of an entry.
const REST: usize = 64 * 1024;

const RSS: &str = "http://purl.org/rss/1.0/";
const ATOM: &str = "http://www.w3.org/2005/Atom";

/// What the document says about one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// The element, start tag to end tag, or the JSON object, exactly as received.
    pub source: String,
    /// RSS: `isPermaLink` of the guid, when it is written.
    pub guid_is_permalink: Option<bool>,
    /// RSS 1.0: `rdf:about`, the only id its items have.
    pub about: Option<String>,
    /// The article's own address behind a redirector: `origLink` of `FeedBurner` and Pheedo.
    pub orig_link: Option<String>,
    /// The date as written: of publication, else of creation, else of the last change.
    pub raw_date: Option<String>,
    /// RSS `guid`, Atom and JSON Feed `id`.
    pub guid: Option<String>,
    /// Title; markup in it as written.
    pub title: Option<String>,
}

/// The entries of a document in their order, and what is around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragments {
    /// What is needed to read a fragment alone.
    pub envelope: Envelope,
    /// One per entry.
    pub entries: Vec<Fragment>,
}

/// A document without its entries: the tags around them with all their namespaces, `xml:base` and
/// `xml:lang`, and what the feed says about itself (language, authors), which entries inherit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    text: String,
    /// Behind the innermost start tag.
    head: usize,
    /// Where entries go.
    at: usize,
}

impl Envelope {
    /// A document with this one entry.
    pub fn wrap(&self, source: &str) -> String {
        [&self.text[..self.at], source, &self.text[self.at..]].concat()
    }

    /// Only the tags, for reading entries of a document whose own words are broken.
    #[must_use]
    pub fn bare(&self) -> Self {
        let text = [&self.text[..self.head], &self.text[self.at..]].concat();
        Self { text, head: self.head, at: self.head }
    }

    /// As it is stored: itself a document of the feed's format, with no entry.
    pub fn as_text(&self) -> &str {
        &self.text
    }

    /// From what [`Self::as_text`] gave.
    pub fn from_text(text: &str) -> Option<Self> {
        // An entry that is a document by itself has nothing around it.
        match text {
            "" => Some(Self::default()),
            json if json.starts_with('{') => of(json).map(|found| found.envelope),
            xml => Walk::begin(xml).map(|mut walk| walk.through().envelope),
        }
    }

    fn new(start: &str, rest: &str, end: &str) -> Self {
        Self { text: [start, rest, end].concat(), head: start.len(), at: start.len() + rest.len() }
    }
}

/// Finds the entries of RSS of any version, Atom or JSON Feed. Of a broken document it gives those
/// that are complete; `None` when it is none of these formats.
pub fn of(text: &str) -> Option<Fragments> {
    let text = text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_ascii_whitespace());
    if text.starts_with('{') {
        return json(text);
    }
    let mut walk = Walk::begin(text)?;
    let found = walk.through();
    if !found.entries.is_empty() {
        return Some(found);
    }
    let entries = walk.strays();
    // What is between them is not what the feed says about itself.
    let envelope = if entries.is_empty() { found.envelope } else { found.envelope.bare() };
    Some(Fragments { envelope, entries })
}

/// Keeps what is said between entries. The pieces must not run together: `<` and `b>` are no tag.
fn say(rest: &mut String, piece: &str) {
    if !piece.trim_ascii().is_empty() && rest.len() + piece.len() < REST {
        if !rest.is_empty() {
            rest.push('\n');
        }
        rest.push_str(piece);
    }
}

/// The text of a document: UTF-16 by its byte order mark; UTF-8; else as the XML declaration says.
pub fn decoded(body: &[u8]) -> Option<Cow<'_, str>> {
    if let Some((encoding, mark)) = Encoding::for_bom(body) {
        return encoding.decode_without_bom_handling_and_without_replacement(&body[mark..]);
    }
    // A label that contradicts the bytes it is written in (`utf-16`) says nothing. GB2312 and GBK
    // are decoded as GB 18030 by the Encoding Standard itself.
    let declared = declared(body).filter(|e| e.is_ascii_compatible() || *e == ISO_2022_JP);
    match str::from_utf8(body) {
        // Seven-bit bytes are valid UTF-8 whatever they mean.
        Ok(text) if declared != Some(ISO_2022_JP) => Some(text.into()),
        _ => declared?.decode_without_bom_handling_and_without_replacement(body),
    }
}

fn declared(body: &[u8]) -> Option<&'static Encoding> {
    let body = body.trim_ascii_start().strip_prefix(b"<?xml")?;
    let end = body.iter().take(512).position(|b| *b == b'>')?;
    let (_, value) = str::from_utf8(&body[..end]).ok()?.split_once("encoding")?;
    let label = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = label.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    Encoding::for_label(label[1..].split(quote).next()?.as_bytes())
}

/// The formats, by where entries stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    /// `item` in the first `channel` of the root.
    Rss,
    /// `item` in the root: RSS 0.90 and 1.0, CDF.
    Rdf,
    /// `entry` in `feed`.
    Atom,
    /// `entry` alone.
    Entry,
}

impl Family {
    /// Junk before the root (a PHP warning in HTML) is passed over until a root of ours comes.
    fn of(tag: &Tag) -> Option<Self> {
        const ROOTS: [(&str, Family); 5] = [
            ("rss", Family::Rss),
            ("RDF", Family::Rdf),
            ("channel", Family::Rdf),
            ("feed", Family::Atom),
            ("entry", Family::Entry),
        ];
        ROOTS.iter().find(|(name, _)| tag.kind != Kind::Close && tag.is(name)).map(|(_, family)| *family)
    }

    fn is_atom(self) -> bool {
        matches!(self, Self::Atom | Self::Entry)
    }
}

/// A walk through the elements that hold entries.
struct Walk<'t> {
    text: &'t str,
    elements: Elements<'t>,
    names: Names<'t>,
    family: Family,
    root: Tag<'t>,
}

impl<'t> Walk<'t> {
    fn begin(text: &'t str) -> Option<Self> {
        let mut elements = Elements::of(text);
        let (root, family) = elements.first(Family::of)?;
        let mut names = Names::of(if family.is_atom() { ATOM } else { RSS });
        names.enter(&root);
        // The root of RSS 1.0 is RDF's; until the channel comes, names without prefix are RSS's.
        names.adopt(if root.is("RDF") { "" } else { root.split().0 });
        Some(Self { text, elements, names, family, root })
    }

    /// The document as its format has it.
    fn through(&mut self) -> Fragments {
        let root = self.root.clone();
        let mut start = [self.elements.doctype().unwrap_or_default(), &root.as_start(self.text)].concat();
        let mut end = format!("</{}>", root.name);
        let (entries, rest) = match self.family {
            Family::Entry => {
                let entries = self.entry(&root, 0).into_iter().collect();
                return Fragments { envelope: Envelope::default(), entries };
            }
            Family::Rdf | Family::Atom => self.gather(&root, 0),
            Family::Rss => match std::iter::from_fn(|| self.elements.child(&root, 1)).find(|tag| tag.is("channel")) {
                None => Default::default(),
                Some(channel) => {
                    start += &channel.as_start(self.text);
                    end = format!("</{}>{end}", channel.name);
                    self.enter_channel(&channel);
                    self.gather(&channel, 1)
                }
            },
        };
        Fragments { envelope: Envelope::new(&start, &rest, &end), entries }
    }

    fn enter_channel(&mut self, channel: &Tag<'t>) {
        self.names.enter(channel);
        self.names.adopt(channel.split().0);
    }

    /// The entries among the children of an element at this level, and all else that it says.
    fn gather(&mut self, parent: &Tag<'t>, level: usize) -> (Vec<Fragment>, String) {
        let name = if self.family.is_atom() { "entry" } else { "item" };
        let mut entries = Vec::new();
        let mut rest = String::new();
        let mut from = parent.at.end;
        while let Some(child) = self.elements.child(parent, level + 1) {
            if child.is(name) && self.names.is_core(&child) {
                say(&mut rest, &self.text[from..child.at.start]);
                entries.extend(self.entry(&child, level + 1));
                from = self.elements.at();
            } else if self.family == Family::Rdf && child.is("channel") {
                self.enter_channel(&child);
            }
        }
        if let Some(end) = self.elements.end(parent, level) {
            // An entry that was cut off by this very tag took it along.
            say(&mut rest, self.text.get(from..end.start).unwrap_or_default());
        }
        (entries, rest)
    }

    /// All entries wherever they stand, for documents that have none in their place: items outside
    /// of the channel, RSS 1.0 written like 2.0, an element of the channel that is never closed.
    fn strays(mut self) -> Vec<Fragment> {
        let mut entries = Vec::new();
        self.elements = Elements::of(self.text);
        let is_entry = |names: &Names, tag: &Tag| {
            (tag.kind != Kind::Close && (tag.is("item") || tag.is("entry")) && names.is_core(tag)).then_some(())
        };
        while let Some((tag, ())) = self.elements.first(|tag| is_entry(&self.names, tag)) {
            entries.extend(self.entry(&tag, 0));
        }
        entries
    }

    /// One entry; `None` when it is not complete.
    fn entry(&mut self, tag: &Tag<'t>, level: usize) -> Option<Fragment> {
        let mark = self.names.enter(tag);
        let mut entry = Fragment { about: tag.attribute("rdf:about").map(extras::text), ..Fragment::default() };
        let mut rank = u8::MAX;
        let guid = if self.family.is_atom() { "id" } else { "guid" };
        while let Some(child) = self.elements.child(tag, level + 1) {
            let Some(fact) = Fact::of(child.local(), guid) else { continue };
            if matches!(fact, Fact::Guid | Fact::Title) && !self.names.is_core(&child) {
                continue;
            }
            while self.elements.child(&child, level + 2).is_some() {}
            let Some(end) = self.elements.end(&child, level + 1) else { continue };
            let value = extras::text(&self.text[child.at.end..end.start]);
            if value.is_empty() {
                continue;
            }
            // Of two the later counts, as it does in feed-rs.
            match fact {
                Fact::Guid => {
                    entry.guid = Some(value);
                    entry.guid_is_permalink = child.attribute("isPermaLink").and_then(truth);
                }
                Fact::Title => entry.title = Some(value),
                Fact::OrigLink => entry.orig_link = Some(value),
                Fact::Date(new) if new < rank => (rank, entry.raw_date) = (new, Some(value)),
                Fact::Date(_) => {}
            }
        }
        self.names.leave(mark);
        let end = self.elements.end(tag, level)?;
        self.text[tag.at.start..end.end].clone_into(&mut entry.source);
        Some(entry)
    }
}

fn truth(value: &str) -> Option<bool> {
    match value.trim() {
        yes if yes.eq_ignore_ascii_case("true") => Some(true),
        no if no.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The parts of a JSON Feed that are looked at, as they are written.
#[derive(Deserialize)]
struct JsonFeed<'t> {
    #[serde(borrow)]
    items: &'t RawValue,
}

#[derive(Default, Deserialize)]
struct JsonItem<'t> {
    #[serde(borrow, default)]
    id: Option<&'t RawValue>,
    #[serde(borrow, default)]
    title: Option<&'t RawValue>,
    #[serde(borrow, default)]
    date_published: Option<&'t RawValue>,
    #[serde(borrow, default)]
    date_modified: Option<&'t RawValue>,
}

fn json(text: &str) -> Option<Fragments> {
    let feed: JsonFeed = serde_json::from_str(text).ok()?;
    let items: Vec<&RawValue> = serde_json::from_str(feed.items.get()).ok()?;
    // The array is a slice of the text: behind its `[` is where entries go.
    let at = feed.items.get().as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let (start, rest) = (text.get(..=at)?, text.get(at + feed.items.get().len()..)?);
    let envelope = if start.len() + rest.len() <= REST {
        Envelope::new(start, "", &["]", rest.trim_ascii_end()].concat())
    } else {
        Envelope::new("{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"\",\"items\":[", "", "]}")
    };
    let entries = items.iter().filter(|item| item.get().starts_with('{')).map(|item| json_item(item.get())).collect();
    Some(Fragments { envelope, entries })
}

fn json_item(source: &str) -> Fragment {
    let item: JsonItem = serde_json::from_str(source).unwrap_or_default();
    let text = |value: Option<&RawValue>| match value?.get() {
        string if string.starts_with('"') => serde_json::from_str(string).ok(),
        // An id may be a number; what else stands there is no fact.
        number => number.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then(|| number.to_owned()),
    };
    Fragment {
        source: source.to_owned(),
        guid: text(item.id),
        title: text(item.title),
        raw_date: text(item.date_published).or_else(|| text(item.date_modified)),
        ..Fragment::default()
    }
}

#[cfg(test)]
mod tests;
