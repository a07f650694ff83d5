//! Which element is which: namespaces as feeds write them, and the words of all feed formats.

use super::tag::{Kind, Tag};

/// Namespace declarations in force at most, so that looking one up has a bound.
const DECLARATIONS: usize = 128;

/// The vocabulary that a name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// The feed's own format.
    Core,
    /// The other feed format: Atom's names in RSS, RSS's in Atom.
    Guest,
    Content,
    DublinCore,
    Terms,
    Media,
    Itunes,
    FeedBurner,
    Syndication,
    Xhtml,
    Rdf,
    Other,
}

/// What an element says about a feed or an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `item`, `entry`.
    Entry,
    /// An element around entries, or around facts of an entry: what is in it counts as if it stood
    /// outside.
    Around,
    /// A list of JSON Feed's kind, `media:group`, `media:content`: around facts, and a fact itself.
    MediaContent,
    Id,
    Title,
    Link,
    Summary,
    Content,
    Category,
    Author,
    /// The lower, the nearer to first publication.
    Date(u8),
    Enclosure,
    /// Where an entry was before: RSS and Atom `source`.
    Origin,
    Rights,
    Language,
    OrigLink,
    Thumbnail,
    Icon,
    Image,
    Ttl,
    SkipHours,
    SkipDays,
    Period,
    Frequency,
    /// Nothing that anybody asks for.
    Unknown,
}

/// Dates from this number on are of the last change, not of publication.
pub(super) const FIRST_UPDATE: u8 = 5;

impl Part {
    /// True for an element whose text is HTML as often as not.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Title | Self::Summary | Self::Content)
    }
}

/// A namespace, recognised in spite of the scheme, `www.`, case and the last `/` or `#`.
const SPACES: &[(&str, Known)] = &[
    ("purl.org/rss/1.0", Known::Rss),
    ("my.netscape.com/rdf/simple/0.9", Known::Rss),
    ("channel.netscape.com/rdf/simple/0.9", Known::Rss),
    ("my.netscape.com/publish/formats/rss-0.91.dtd", Known::Rss),
    ("backend.userland.com/rss", Known::Rss),
    ("backend.userland.com/rss2", Known::Rss),
    ("backend.userland.com/rss091", Known::Rss),
    ("backend.userland.com/rss092", Known::Rss),
    ("blogs.law.harvard.edu/tech/rss", Known::Rss),
    ("cyber.law.harvard.edu/rss/rss.html", Known::Rss),
    ("purl.org/net/rss1.1", Known::Rss),
    ("w3.org/2005/atom", Known::Atom),
    ("purl.org/atom/ns", Known::Atom),
    ("purl.org/atom/app", Known::Is(Space::Other)),
    ("example.com/newformat", Known::Atom),
    ("example.com/necho", Known::Atom),
    ("purl.org/echo", Known::Atom),
    ("purl.org/pie", Known::Atom),
    ("uri/of/echo/namespace", Known::Atom),
    ("purl.org/rss/1.0/modules/content", Known::Is(Space::Content)),
    ("purl.org/dc/elements/1.1", Known::Is(Space::DublinCore)),
    ("purl.org/dc/elements/1.0", Known::Is(Space::DublinCore)),
    ("purl.org/dc/terms", Known::Is(Space::Terms)),
    ("search.yahoo.com/mrss", Known::Is(Space::Media)),
    ("video.search.yahoo.com/mrss", Known::Is(Space::Media)),
    ("tools.search.yahoo.com/mrss", Known::Is(Space::Media)),
    ("itunes.com/dtds/podcast-1.0.dtd", Known::Is(Space::Itunes)),
    ("example.com/dtds/podcast-1.0.dtd", Known::Is(Space::Itunes)),
    ("rssnamespace.org/feedburner/ext/1.0", Known::Is(Space::FeedBurner)),
    ("pheedo.com/namespace/pheedo", Known::Is(Space::FeedBurner)),
    ("purl.org/rss/1.0/modules/syndication", Known::Is(Space::Syndication)),
    ("w3.org/1999/xhtml", Known::Is(Space::Xhtml)),
    ("w3.org/1999/02/22-rdf-syntax-ns", Known::Is(Space::Rdf)),
];

/// Prefixes that mean the same in every feed, for those that declare them wrong or not at all.
const PREFIXES: &[(&str, Known)] = &[
    ("rss", Known::Rss),
    ("atom", Known::Atom),
    ("atom10", Known::Atom),
    ("a10", Known::Atom),
    ("content", Known::Is(Space::Content)),
    ("dc", Known::Is(Space::DublinCore)),
    ("dcterms", Known::Is(Space::Terms)),
    ("dct", Known::Is(Space::Terms)),
    ("media", Known::Is(Space::Media)),
    ("itunes", Known::Is(Space::Itunes)),
    ("feedburner", Known::Is(Space::FeedBurner)),
    ("pheedo", Known::Is(Space::FeedBurner)),
    ("sy", Known::Is(Space::Syndication)),
    ("xhtml", Known::Is(Space::Xhtml)),
    ("rdf", Known::Is(Space::Rdf)),
];

/// The namespaces that feed-rs reads entries and texts from, to the letter.
const STRICT: &[&str] =
    &["http://purl.org/rss/1.0/", "http://www.w3.org/2005/Atom", "http://purl.org/rss/1.0/modules/content/"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    Rss,
    Atom,
    Is(Space),
}

fn lookup(table: &[(&str, Known)], name: &str) -> Option<Known> {
    table.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, known)| *known)
}

fn known_uri(uri: &str) -> Option<Known> {
    let uri = uri.trim();
    let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let rest = rest.get(..4).filter(|www| www.eq_ignore_ascii_case("www.")).map_or(rest, |_| &rest[4..]);
    lookup(SPACES, rest.trim_end_matches(['/', '#']))
}

/// A name's vocabulary, and whether feed-rs takes it for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    pub space: Space,
    pub is_plain: bool,
}

#[derive(Clone, Copy, Debug)]
struct Declared<'t> {
    prefix: &'t str,
    uri: &'t str,
    resolved: Resolved,
}

/// The namespaces in force at a place of the document.
#[derive(Clone, Debug)]
pub(super) struct Names<'t> {
    declared: Vec<Declared<'t>>,
    is_atom: bool,
    /// A namespace that nobody knows but the feed is written in.
    own: Option<&'t str>,
}

impl<'t> Names<'t> {
    pub fn of(is_atom: bool) -> Self {
        Self { declared: Vec::new(), is_atom, own: None }
    }

    /// Takes over the declarations of a tag; the mark gives them back.
    pub fn enter(&mut self, tag: &Tag<'t>) -> usize {
        let mark = self.declared.len();
        if declares(tag) {
            let room = DECLARATIONS.saturating_sub(mark);
            let new: Vec<_> = declarations(tag).take(room).map(|(p, uri)| self.declare(p, uri)).collect();
            self.declared.extend(new);
        }
        mark
    }

    /// Forgets what was declared since the mark.
    pub fn leave(&mut self, mark: usize) {
        self.declared.truncate(mark);
    }

    /// The names of the feed are those of the namespace of this tag, whatever it is.
    pub fn adopt(&mut self, tag: &Tag<'t>) {
        let (prefix, _) = tag.split();
        let declared = self.declared.iter().rev().find(|d| d.prefix == prefix).copied();
        let Some(Declared { uri, resolved, .. }) = declared else { return };
        if uri.is_empty() || !matches!(resolved.space, Space::Other | Space::Guest) {
            return;
        }
        self.own = Some(uri);
        for known in &mut self.declared {
            if known.uri == uri {
                known.resolved = Resolved { space: Space::Core, is_plain: false };
            }
        }
    }

    fn declare(&self, prefix: &'t str, uri: &'t str) -> Declared<'t> {
        let known = known_uri(uri);
        let by_prefix = || lookup(PREFIXES, prefix).filter(|_| !prefix.is_empty());
        let is_plain = STRICT.contains(&uri) || !known.is_some_and(|known| self.matters(known));
        let resolved = if uri.is_empty() && prefix.is_empty() {
            // `xmlns=""` takes a namespace back.
            Resolved { space: Space::Core, is_plain: true }
        } else if self.own == Some(uri) {
            Resolved { space: Space::Core, is_plain: false }
        } else if let Some(known) = known {
            Resolved { space: self.space_of(known), is_plain }
        } else if let Some(known) = by_prefix() {
            Resolved { space: self.space_of(known), is_plain: false }
        } else {
            Resolved { space: Space::Other, is_plain: !uri.is_empty() }
        };
        Declared { prefix, uri, resolved }
    }

    /// True for vocabularies whose names feed-rs has to read right.
    fn matters(&self, known: Known) -> bool {
        matches!(self.space_of(known), Space::Core | Space::Content)
    }

    fn space_of(&self, known: Known) -> Space {
        match known {
            Known::Is(space) => space,
            Known::Rss if self.is_atom => Space::Guest,
            Known::Atom if !self.is_atom => Space::Guest,
            Known::Rss | Known::Atom => Space::Core,
        }
    }

    /// The vocabulary of a tag's name.
    pub fn resolve(&self, tag: &Tag<'t>) -> Resolved {
        let (prefix, _) = tag.split();
        if declares(tag)
            && let Some((_, uri)) = declarations(tag).find(|(declared, _)| *declared == prefix)
        {
            return self.declare(prefix, uri).resolved;
        }
        if let Some(declared) = self.declared.iter().rev().find(|d| d.prefix == prefix) {
            return declared.resolved;
        }
        if prefix.is_empty() {
            return Resolved { space: Space::Core, is_plain: true };
        }
        // feed-rs takes an undeclared prefix for none at all: `media:title` becomes the title.
        let space = lookup(PREFIXES, prefix).map_or(Space::Other, |known| self.space_of(known));
        Resolved { space, is_plain: false }
    }

    /// What the element is, and whether feed-rs takes it for the same.
    pub fn part(&self, tag: &Tag<'t>) -> (Part, Resolved) {
        let mut resolved = self.resolve(tag);
        let part = part(resolved.space, tag.local(), self.is_atom);
        if resolved.space == Space::Core && self.is_borrowed(part, tag) {
            resolved.space = Space::Guest;
        }
        (part, resolved)
    }

    /// True for a word of the other format that stands in this one without its namespace: RSS with
    /// `summary`, Atom with `description`.
    fn is_borrowed(&self, part: Part, tag: &Tag<'t>) -> bool {
        match part {
            Part::Id => tag.is("guid") == self.is_atom,
            Part::Summary => self.is_atom == (tag.is("description") || tag.is("abstract")),
            Part::Content => !self.is_atom,
            _ => false,
        }
    }

    /// True for a start tag of an entry.
    pub fn begins_entry(&self, tag: &Tag<'t>) -> bool {
        tag.kind != Kind::Close && is_entry_name(tag.local()) && self.part(tag).0 == Part::Entry
    }

    /// True for an end tag of an element around entries.
    pub fn ends_around(&self, tag: &Tag<'t>) -> bool {
        tag.kind == Kind::Close && is_around_name(tag.local()) && self.part(tag).0 == Part::Around
    }
}

/// True for a tag that may declare namespaces.
fn declares(tag: &Tag<'_>) -> bool {
    memchr::memchr_iter(b'x', tag.attributes.as_bytes()).any(|at| tag.attributes.as_bytes()[at..].starts_with(b"xmlns"))
}

/// `item` and `entry`, before anybody looks at namespaces.
pub(super) fn is_entry_name(local: &str) -> bool {
    local.eq_ignore_ascii_case("item") || local.eq_ignore_ascii_case("entry")
}

/// The names of roots and channels.
pub(super) fn is_around_name(local: &str) -> bool {
    ["channel", "rss", "feed", "rdf"].iter().any(|name| local.eq_ignore_ascii_case(name))
}

fn declarations<'t>(tag: &Tag<'t>) -> impl Iterator<Item = (&'t str, &'t str)> + use<'t> {
    tag.attributes().filter_map(|(name, uri)| match name.split_once(':') {
        Some(("xmlns", prefix)) => Some((prefix, uri)),
        None if name == "xmlns" => Some(("", uri)),
        _ => None,
    })
}

/// The words of all formats, in lower case: RSS 0.90 to 2.0, Atom 0.3 and 1.0, CDF, and the
/// extensions that say what those leave out.
fn part(space: Space, local: &str, is_atom: bool) -> Part {
    let mut buffer = [0; 16];
    let Some(name) = lower(local, &mut buffer) else { return Part::Unknown };
    match space {
        Space::Core | Space::Guest => core(name, space == Space::Guest, is_atom),
        Space::Content if name == "encoded" => Part::Content,
        Space::DublinCore | Space::Terms => dublin_core(name),
        Space::Media => media(name),
        Space::Itunes => itunes(name),
        Space::FeedBurner if name == "origlink" => Part::OrigLink,
        Space::Syndication => match name {
            "updateperiod" => Part::Period,
            "updatefrequency" => Part::Frequency,
            _ => Part::Unknown,
        },
        Space::Xhtml if matches!(name, "body" | "div") => Part::Content,
        Space::Rdf if name == "rdf" => Part::Around,
        _ => Part::Unknown,
    }
}

fn core(name: &str, guest: bool, is_atom: bool) -> Part {
    match name {
        "item" | "entry" => Part::Entry,
        // `items` lists addresses in RSS 1.0; here and there it holds the items themselves.
        "channel" | "rss" | "feed" | "rdf" => Part::Around,
        "guid" | "id" => Part::Id,
        "title" => Part::Title,
        "link" => Part::Link,
        "description" | "summary" | "abstract" | "tagline" | "subtitle" => Part::Summary,
        "content" | "encoded" | "body" | "fullitem" => Part::Content,
        "category" => Part::Category,
        "author" => Part::Author,
        "managingeditor" if !guest && !is_atom => Part::Author,
        "pubdate" | "published" => Part::Date(0),
        "issued" => Part::Date(1),
        "date" => Part::Date(2),
        "created" => Part::Date(4),
        "updated" => Part::Date(FIRST_UPDATE),
        "modified" | "lastmod" | "lastbuilddate" => Part::Date(FIRST_UPDATE + 1),
        "enclosure" => Part::Enclosure,
        "source" => Part::Origin,
        "rights" | "copyright" => Part::Rights,
        "language" => Part::Language,
        "icon" | "logo" => Part::Icon,
        "image" => Part::Image,
        "ttl" => Part::Ttl,
        "skiphours" => Part::SkipHours,
        "skipdays" => Part::SkipDays,
        _ => Part::Unknown,
    }
}

fn dublin_core(name: &str) -> Part {
    match name {
        "title" => Part::Title,
        "creator" | "author" => Part::Author,
        "subject" => Part::Category,
        "description" | "abstract" => Part::Summary,
        "language" => Part::Language,
        "rights" => Part::Rights,
        "issued" => Part::Date(1),
        "date" => Part::Date(2),
        "available" => Part::Date(3),
        "created" => Part::Date(4),
        "modified" => Part::Date(FIRST_UPDATE + 1),
        _ => Part::Unknown,
    }
}

fn media(name: &str) -> Part {
    match name {
        "group" => Part::Around,
        "content" => Part::MediaContent,
        "title" => Part::Title,
        "description" => Part::Summary,
        "thumbnail" => Part::Thumbnail,
        "credit" => Part::Author,
        _ => Part::Unknown,
    }
}

fn itunes(name: &str) -> Part {
    match name {
        "title" => Part::Title,
        "author" => Part::Author,
        "summary" | "subtitle" => Part::Summary,
        "image" => Part::Thumbnail,
        _ => Part::Unknown,
    }
}

/// A name in lower case, without asking for memory; `None` for one longer than any that is known.
fn lower<'b>(name: &str, buffer: &'b mut [u8; 16]) -> Option<&'b str> {
    let into = buffer.get_mut(..name.len())?;
    into.copy_from_slice(name.as_bytes());
    into.make_ascii_lowercase();
    str::from_utf8(into).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::tags::Tags;

    fn parts(is_atom: bool, document: &str) -> Vec<(Part, bool)> {
        let mut tags = Tags::of(document);
        let mut names = Names::of(is_atom);
        let root = tags.next().expect("root");
        names.enter(&root);
        names.adopt(&root);
        tags.map(|tag| names.part(&tag)).map(|(part, resolved)| (part, resolved.is_plain)).collect()
    }

    #[test]
    fn names_mean_what_their_namespace_says() {
        let rss = "<rss xmlns:c='http://purl.org/rss/1.0/modules/content/' xmlns:x='urn:x' xmlns:atom='http://www.w3.org/2005/Atom' \
                   xmlns:dc='http://purl.org/dc/elements/1.1/'><guid><c:encoded><x:title><atom:link><dc:creator><X:TITLE><PUBDATE>";
        let expected = [
            (Part::Id, true),
            (Part::Content, true),
            (Part::Unknown, true),
            (Part::Link, true),
            (Part::Author, true),
            (Part::Unknown, false),
            (Part::Date(0), true),
        ];
        assert_eq!(parts(false, rss), expected);
    }

    #[test]
    fn names_are_read_though_their_namespace_is_wrong() {
        let undeclared = "<rss><dc:date><media:title><content:encoded><foo:title>";
        let expected = [(Part::Date(2), false), (Part::Title, false), (Part::Content, false), (Part::Unknown, false)];
        assert_eq!(parts(false, undeclared), expected);
        let odd = "<rss xmlns='HTTPS://www.purl.org/rss/1.0' xmlns:content='urn:wrong'><title><content:encoded>";
        assert_eq!(parts(false, odd), [(Part::Title, false), (Part::Content, false)]);
        let empty = "<rss xmlns:dc='' xmlns:x=''><dc:date><x:title>";
        assert_eq!(parts(false, empty), [(Part::Date(2), false), (Part::Unknown, false)]);
        let old = "<feed xmlns='http://purl.org/atom/ns#'><entry><issued>";
        assert_eq!(parts(true, old), [(Part::Entry, false), (Part::Date(1), false)]);
        let own = "<feed xmlns='urn:my-own'><entry><title xmlns=''>";
        assert_eq!(parts(true, own), [(Part::Entry, false), (Part::Title, true)]);
    }
}
