//! The entries of a document and the elements in them, found in broken documents too.
//!
//! One pass over the tags, with the words of the feed formats in hand: a title cannot hold an item,
//! so a title whose end was forgotten ends where the next element of the item begins. That is what
//! a general parser cannot know, however forgiving it is. Everything handed out is a slice.

use std::ops::Range;

use super::damage::Damage;
use super::element::{ELEMENTS, Element, first_repeat, keep};
use super::names::{Names, Part, Space, is_around_name, is_entry_name};
use super::tag::{Kind, Tag};
use super::tags::Tags;

/// Elements open inside of each other at most before a parser is not trusted with the document.
pub(super) const DEPTH: usize = 256;

/// Bytes of `xml:base` in force at one place at most: each link below gets a copy of them.
const BASES: usize = 4 * 1024;

/// Bytes that are looked through for ends that are not there, as a multiple of the document: a
/// hostile one forgets 100,000 of them.
const VAIN: usize = 16;

/// A second entry inside of an entry's element means that an end is missing; one may be content.
const NESTED: usize = 2;

/// The formats, by where entries stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// RSS with its items in a channel.
    Rss,
    /// Items beside the channel: RSS 0.90 and 1.0. Items in a channel without root: CDF.
    Rdf,
    /// Atom of any version.
    Atom,
    /// One Atom entry alone.
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

    pub fn is_atom(self) -> bool {
        matches!(self, Self::Atom | Self::Entry)
    }
}

/// An entry of the document.
#[derive(Clone, Debug)]
pub(super) struct Item<'t> {
    /// Its start tag.
    pub tag: Tag<'t>,
    /// From its first to behind its last byte.
    pub at: Range<usize>,
}

/// A walk through a document, entry by entry.
#[derive(Clone, Debug)]
pub(super) struct Walk<'t> {
    pub text: &'t str,
    pub family: Family,
    /// The root, and the channel where there is one.
    pub around: Vec<Tag<'t>>,
    /// What the feed says about itself.
    pub meta: Vec<Element<'t>>,
    /// Sorted, each once.
    pub damages: Vec<Damage>,
    tags: Tags<'t>,
    names: Names<'t>,
    /// A tag that was read and belongs to what comes next.
    pending: Option<Tag<'t>>,
    /// Bytes looked through in vain.
    vain: usize,
    /// Between entries; an element there cannot hold one.
    is_outside: bool,
    root_is_closed: bool,
    /// Bytes of `xml:base` that are in force.
    bases: usize,
    /// Of `meta`, what stands behind the last entry; `None` before the first.
    behind: Option<usize>,
}

/// Where an element ends.
struct End {
    /// Its text goes up to here.
    inner: usize,
    /// The document goes on from here.
    next: usize,
    has_tags: bool,
}

impl<'t> Walk<'t> {
    /// Goes to the root; `None` when it is none of these formats.
    pub fn begin(text: &'t str) -> Option<Self> {
        let mut tags = Tags::of(text);
        let (root, family) = tags.find_map(|tag| Family::of(&tag).map(|family| (tag, family)))?;
        let mut names = Names::of(family.is_atom());
        names.enter(&root);
        // The root of RSS 1.0 is RDF's; its channel says what the feed's names are.
        if !root.is("RDF") {
            names.adopt(&root);
        }
        let mut walk = Self {
            text,
            family,
            around: Vec::new(),
            meta: Vec::new(),
            damages: Vec::new(),
            tags,
            names,
            pending: None,
            vain: 0,
            is_outside: true,
            root_is_closed: root.kind == Kind::Empty,
            bases: root.attribute("xml:base").map_or(0, str::len),
            behind: None,
        };
        if family == Family::Entry {
            walk.pending = Some(root);
        } else {
            walk.case(&root, &["rss", "RDF", "channel", "feed"]);
            walk.around.push(root);
        }
        Some(walk)
    }

    /// The DOCTYPE, which may declare entities.
    pub fn doctype(&self) -> Option<&'t str> {
        self.tags.doctype()
    }

    pub fn note(&mut self, damage: Damage) {
        if let Err(at) = self.damages.binary_search(&damage) {
            self.damages.insert(at, damage);
        }
    }

    /// The next entry that is complete, and its elements.
    pub fn next(&mut self, elements: &mut Vec<Element<'t>>) -> Option<Item<'t>> {
        let item = self.find_entry(elements);
        self.settle();
        if item.is_some() {
            self.behind = Some(self.meta.len());
        }
        item
    }

    fn find_entry(&mut self, elements: &mut Vec<Element<'t>>) -> Option<Item<'t>> {
        loop {
            let Some(tag) = self.pending.take().or_else(|| self.tags.next()) else {
                if self.tags.runaway {
                    self.note(Damage::Unclosed);
                }
                if !self.root_is_closed {
                    self.note(Damage::CutOff);
                }
                return None;
            };
            if tag.kind == Kind::Close {
                let root = self.around.first();
                self.root_is_closed |= root.is_some_and(|root| tag.name.eq_ignore_ascii_case(root.name));
                let is_entry = is_entry_name(tag.local()) && self.names.part(&tag).0 == Part::Entry;
                if let Some(item) = is_entry.then(|| self.headless(&tag, elements)).flatten() {
                    return Some(item);
                }
                continue;
            }
            match self.part_of(&tag) {
                (Part::Entry, _) => {
                    elements.clear();
                    let is_alone = self.around.is_empty();
                    let item = self.item(tag, elements);
                    self.root_is_closed |= is_alone && item.is_some();
                    if item.is_some() {
                        return item;
                    }
                }
                (Part::Around, _) => self.enter_around(tag),
                (Part::Unknown, _) => self.skip(&tag),
                (part, space) => {
                    let element = self.element(tag, part, space);
                    if self.meta.len() < ELEMENTS {
                        self.meta.push(element);
                    }
                }
            }
        }
    }

    /// An entry whose start tag is missing: its elements stand outside of all entries, and then it
    /// ends. Those of the first entry begin where what the feed said is said again.
    fn headless(&mut self, end: &Tag<'t>, elements: &mut Vec<Element<'t>>) -> Option<Item<'t>> {
        let from = self.behind.or_else(|| first_repeat(&self.meta))?;
        let own = &self.meta[from..];
        let has = |part: Part| own.iter().any(|element| element.part == part && !element.is_blank());
        let is_entry = has(Part::Title) && [Part::Link, Part::Id, Part::Summary, Part::Content].into_iter().any(has);
        let start = own.first().filter(|_| is_entry)?.tag.at.start;
        elements.clear();
        elements.extend(self.meta.drain(from..));
        self.note(Damage::Unclosed);
        let tag = end.as_forgotten_start(start);
        Some(Item { tag, at: start..end.at.end })
    }

    /// What stands behind an entry adds to what the feed says of itself, and replaces nothing of it: it
    /// may belong to an entry that is broken.
    fn settle(&mut self) {
        let late = self.behind.map(|from| self.meta.split_off(from)).unwrap_or_default();
        for element in late {
            let is_new = element.tag.attribute("rel").is_some() || self.meta.iter().all(|e| e.part != element.part);
            if is_new {
                self.meta.push(element);
            }
        }
    }

    fn enter_around(&mut self, tag: Tag<'t>) {
        self.names.enter(&tag);
        self.names.adopt(&tag);
        self.bases += tag.attribute("xml:base").map_or(0, str::len);
        // A second channel stands beside the first, not in it; a `media:group` is around facts only.
        let is_around = self.family != Family::Entry && is_around_name(tag.local());
        if is_around && self.around.len() < 2 && tag.kind == Kind::Open {
            self.around.push(tag);
        }
    }

    /// What the tag is, with a note where feed-rs would take it for something else.
    fn part_of(&mut self, tag: &Tag<'t>) -> (Part, Space) {
        let (part, resolved) = self.names.part(tag);
        if part != Part::Unknown {
            if !resolved.is_plain {
                self.note(Damage::Namespace);
            }
            self.case(tag, NAMES);
        }
        (part, resolved.space)
    }

    /// Notes a name that is only right in another case.
    fn case(&mut self, tag: &Tag<'t>, names: &[&str]) {
        let local = tag.local();
        if local.bytes().any(|b| b.is_ascii_uppercase()) && !names.contains(&local) {
            self.note(Damage::Case);
        }
    }

    /// One entry; `None` when the document ends in it.
    fn item(&mut self, tag: Tag<'t>, elements: &mut Vec<Element<'t>>) -> Option<Item<'t>> {
        let from = tag.at.start;
        if tag.kind == Kind::Empty {
            let at = tag.at.clone();
            return Some(Item { tag, at });
        }
        let mark = self.names.enter(&tag);
        let base = tag.attribute("xml:base").map_or(0, str::len);
        (self.bases, self.is_outside) = (self.bases + base, false);
        let end = self.children(&tag, elements);
        (self.bases, self.is_outside) = (self.bases - base, true);
        self.names.leave(mark);
        Some(Item { at: from..end?, tag })
    }

    /// The elements of an entry up to where it ends.
    fn children(&mut self, item: &Tag<'t>, elements: &mut Vec<Element<'t>>) -> Option<usize> {
        loop {
            let Some(tag) = self.pending.take().or_else(|| self.tags.next()) else {
                self.note(Damage::CutOff);
                return None;
            };
            if tag.kind == Kind::Close {
                if tag.name.eq_ignore_ascii_case(item.name) {
                    return Some(tag.at.end);
                }
                if self.names.ends_around(&tag) {
                    return Some(self.ends_before(tag));
                }
                // The end of an element around facts, or of none.
                continue;
            }
            let (part, space) = self.part_of(&tag);
            match part {
                Part::Entry => return Some(self.ends_before(tag)),
                Part::Around => {
                    self.names.enter(&tag);
                }
                Part::Unknown => self.skip(&tag),
                Part::MediaContent => {
                    let inner = &self.text[tag.at.end..tag.at.end];
                    keep(Element { part, space, tag, inner, has_tags: false }, elements);
                }
                part => {
                    let element = self.element(tag, part, space);
                    keep(element, elements);
                }
            }
        }
    }

    /// The entry was not closed: it ends where the next thing begins.
    fn ends_before(&mut self, tag: Tag<'t>) -> usize {
        self.note(Damage::Unclosed);
        let at = tag.at.start;
        self.pending = Some(tag);
        at
    }

    /// An element and its text.
    fn element(&mut self, tag: Tag<'t>, part: Part, space: Space) -> Element<'t> {
        let from = tag.at.end;
        if tag.kind == Kind::Empty {
            return Element { part, space, inner: &self.text[from..from], tag, has_tags: false };
        }
        let end = match self.end(&tag) {
            Some(end) => end,
            None => self.end_by_words(&tag, part),
        };
        self.tags.go_to(end.next);
        Element { part, space, inner: &self.text[from..end.inner.max(from)], tag, has_tags: end.has_tags }
    }

    /// Passes over an element that nobody asks for; where its end is missing only its tag.
    fn skip(&mut self, tag: &Tag<'t>) {
        if tag.kind == Kind::Open
            && let Some(end) = self.end(tag)
        {
            self.tags.go_to(end.next);
        }
    }

    /// The end tag that belongs to a start tag, elements of the same name in it counted.
    fn end(&mut self, tag: &Tag<'t>) -> Option<End> {
        if let Some(end) = self.tags.plain_end(tag.name) {
            return Some(End { inner: end.start, next: end.end, has_tags: false });
        }
        if self.vain / VAIN > self.text.len() {
            return None;
        }
        match self.tags.markup_end(tag.name) {
            Ok((end, deepest)) if deepest <= DEPTH => {
                return Some(End { inner: end.start, next: end.end, has_tags: deepest > 0 });
            }
            Ok((end, _)) => self.vain += end.end - self.tags.at(),
            Err(looked) => self.vain += looked,
        }
        let back = self.tags.at();
        let end = self.balanced_end(tag);
        if end.is_none() {
            self.vain += self.tags.at() - back;
        }
        self.tags.go_to(back);
        if end.is_none() {
            self.note(Damage::Unclosed);
        }
        end
    }

    fn balanced_end(&mut self, tag: &Tag<'t>) -> Option<End> {
        let (mut open, mut deepest, mut same, mut entries) = (0_usize, 0, 0_usize, 0_usize);
        let mut bases = self.bases + tag.attribute("xml:base").map_or(0, str::len);
        let mut has_tags = false;
        while let Some(next) = self.tags.next() {
            let is_same = next.name.eq_ignore_ascii_case(tag.name);
            let is_entry = is_entry_name(next.local());
            match next.kind {
                Kind::Close if is_same && same == 0 => {
                    if deepest > DEPTH || bases > BASES {
                        self.note(Damage::Depth);
                    }
                    return Some(End { inner: next.at.start, next: next.at.end, has_tags });
                }
                Kind::Close => {
                    open = open.saturating_sub(1);
                    same -= usize::from(is_same);
                    if is_entry {
                        entries = entries.checked_sub(1)?;
                    } else if entries == 0 && self.names.ends_around(&next) {
                        return None;
                    }
                }
                _ if is_entry && self.is_outside && self.names.begins_entry(&next) => return None,
                kind => {
                    has_tags = true;
                    if has_base(&next) {
                        bases += next.attribute("xml:base").map_or(0, str::len);
                    }
                    if kind == Kind::Open {
                        open += 1;
                        deepest = deepest.max(open);
                        same += usize::from(is_same);
                        entries += usize::from(is_entry);
                        if entries >= NESTED {
                            return None;
                        }
                    }
                }
            }
        }
        None
    }

    /// Where an element ends whose own end is missing: at the first end tag of its name, or where
    /// something begins or ends that cannot be in it.
    fn end_by_words(&mut self, tag: &Tag<'t>, part: Part) -> End {
        let back = self.tags.at();
        let mut has_tags = false;
        // Cut off in the middle of it, unless something ends it.
        let mut ends = (self.text.len(), self.text.len());
        while let Some(next) = self.tags.next() {
            if next.kind == Kind::Close {
                if next.name.eq_ignore_ascii_case(tag.name) {
                    ends = (next.at.start, next.at.end);
                    break;
                }
                if !is_entry_name(next.local()) && !self.names.ends_around(&next) {
                    continue;
                }
            } else if !self.cannot_be_in(part, &next) {
                has_tags = true;
                continue;
            }
            ends = (next.at.start, next.at.start);
            break;
        }
        self.tags.go_to(back);
        End { inner: ends.0, next: ends.1, has_tags }
    }

    /// True for a start tag that begins the next element of an entry rather than markup in a text.
    fn cannot_be_in(&self, part: Part, tag: &Tag<'t>) -> bool {
        let (next, resolved) = self.names.part(tag);
        match next {
            // Prefixes are XML's: HTML has none.
            Part::Unknown => (part == Part::Title || !part.is_text()) && tag.name.contains(':'),
            // A title may be XHTML in a `div`, which elsewhere is the text.
            Part::Content if resolved.space == Space::Xhtml && tag.is("div") && part.is_text() => false,
            // Words that HTML has too; there they have attributes, or mean other things.
            Part::Link | Part::Title if part.is_text() && part != Part::Title => tag.attributes.trim().is_empty(),
            Part::Summary | Part::Content | Part::Origin | Part::Image
                if part.is_text() && part != Part::Title && resolved.space != Space::Content =>
            {
                tag.is("description") || tag.is("content")
            }
            _ => true,
        }
    }
}

/// Looks for `:base` before anybody takes the attributes apart.
fn has_base(tag: &Tag<'_>) -> bool {
    memchr::memchr_iter(b':', tag.attributes.as_bytes()).any(|at| tag.attributes.as_bytes()[at..].starts_with(b":base"))
}

/// Names that are written with capitals where they are right.
const NAMES: &[&str] = &[
    "pubDate",
    "lastBuildDate",
    "managingEditor",
    "skipHours",
    "skipDays",
    "updatePeriod",
    "updateFrequency",
    "origLink",
    "RDF",
];
