//! The tags of a document as they were written, and the facts that stand beside the parser.
//!
//! A scanner and no parser: it knows comments, CDATA, processing instructions, the DOCTYPE and
//! quoted attributes, and nothing else. It hands out slices of the document, so a fragment is what
//! was received to the byte, and it goes on where a strict parser has to stop.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;
use memchr::{memchr, memchr2, memchr3};

/// Attributes looked at per tag; hostile tags carry 200,000 of them.
const ATTRIBUTES: usize = 256;

/// Namespace declarations in force at most, so that looking one up has a bound.
const DECLARATIONS: usize = 128;

/// Open elements that are remembered; deeper ones are only counted.
const DEPTH: usize = 64;

/// A DOCTYPE larger than this is not kept.
const DOCTYPE: usize = 16 * 1024;

/// What a tag does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Open,
    Close,
    /// `<item/>`: both at once.
    Empty,
}

/// A tag of the document.
#[derive(Clone, Debug)]
pub(super) struct Tag<'t> {
    pub kind: Kind,
    /// From `<` to behind `>`.
    pub at: Range<usize>,
    /// With its prefix.
    pub name: &'t str,
    attributes: &'t str,
}

impl<'t> Tag<'t> {
    /// Prefix (empty when there is none) and local name.
    pub fn split(&self) -> (&'t str, &'t str) {
        self.name.split_once(':').unwrap_or(("", self.name))
    }

    /// The local name.
    pub fn local(&self) -> &'t str {
        self.split().1
    }

    /// Names and values as written.
    fn attributes(&self) -> impl Iterator<Item = (&'t str, &'t str)> + use<'t> {
        let mut rest = self.attributes;
        std::iter::from_fn(move || {
            let (name, after) = rest.split_once('=')?;
            let after = after.trim_start();
            let (value, after) = match after.as_bytes().first()? {
                b'"' => after[1..].split_once('"')?,
                b'\'' => after[1..].split_once('\'')?,
                _ => after.split_at(after.find(|c: char| c.is_ascii_whitespace()).unwrap_or(after.len())),
            };
            rest = after;
            // Behind an attribute without value (`<item checked id="1">`) stands the real name.
            Some((name.split_ascii_whitespace().next_back().unwrap_or_default(), value))
        })
        .take(ATTRIBUTES)
    }

    /// True for this local name in any case: old feeds write `<ITEM>`.
    pub fn is(&self, local: &str) -> bool {
        self.local().eq_ignore_ascii_case(local)
    }

    /// As a start tag.
    pub fn as_start(&self, text: &'t str) -> Cow<'t, str> {
        match self.kind {
            Kind::Empty => [&text[self.at.start..self.at.end - 2], ">"].concat().into(),
            _ => text[self.at.clone()].into(),
        }
    }

    /// The value of an attribute; its name in any case, as feeds write `ispermalink`.
    pub fn attribute(&self, name: &str) -> Option<&'t str> {
        self.attributes().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// The tags of a document in order. Ends early where the document is broken inside of markup.
#[derive(Clone, Debug)]
pub(super) struct Tags<'t> {
    text: &'t str,
    at: usize,
    /// Where the DOCTYPE stands, once it was passed.
    pub doctype: Option<Range<usize>>,
}

impl<'t> Tags<'t> {
    pub fn of(text: &'t str) -> Self {
        Self { text, at: 0, doctype: None }
    }

    fn bytes(&self) -> &'t [u8] {
        self.text.as_bytes()
    }

    /// Behind the next `end`, looked for from `from`.
    fn behind(&self, from: usize, end: &[u8]) -> Option<usize> {
        let rest = self.bytes().get(from..)?;
        memmem::find(rest, end).map(|at| from + at + end.len())
    }

    /// Behind the `<!…` that begins at `from`.
    fn declaration(&mut self, from: usize) -> Option<usize> {
        let rest = &self.bytes()[from..];
        if rest.starts_with(b"<!--") {
            self.behind(from + 4, b"-->")
        } else if rest.starts_with(b"<![CDATA[") {
            self.behind(from + 9, b"]]>")
        } else {
            let end = self.doctype_end(from + 2)?;
            if rest.get(2..9).is_some_and(|word| word.eq_ignore_ascii_case(b"doctype")) {
                self.doctype.get_or_insert(from..end);
            }
            Some(end)
        }
    }

    /// Behind the `>` of a DOCTYPE: declarations, quotes and comments inside `[…]` are passed over.
    fn doctype_end(&self, mut at: usize) -> Option<usize> {
        let mut nested = 0_usize;
        loop {
            let byte = *self.bytes().get(at)?;
            at += 1;
            match byte {
                b'"' | b'\'' => at += memchr(byte, &self.bytes()[at..])? + 1,
                b'<' if self.bytes()[at..].starts_with(b"!--") => at = self.behind(at + 3, b"-->")?,
                b'<' | b'[' => nested += 1,
                b']' => nested = nested.saturating_sub(1),
                b'>' if nested == 0 => return Some(at),
                b'>' => nested -= 1,
                _ => {}
            }
        }
    }

    /// The `>` of a start tag, looked for from `at`: one inside of quotes is part of a value.
    fn tag_end(&self, mut at: usize) -> Option<usize> {
        loop {
            at += memchr3(b'>', b'"', b'\'', &self.bytes()[at..])?;
            match self.bytes()[at] {
                b'>' => return Some(at),
                quote => at += memchr(quote, &self.bytes()[at + 1..])? + 2,
            }
        }
    }
}

impl<'t> Iterator for Tags<'t> {
    type Item = Tag<'t>;

    fn next(&mut self) -> Option<Tag<'t>> {
        loop {
            let from = self.at + memchr(b'<', &self.bytes()[self.at..])?;
            match *self.bytes().get(from + 1)? {
                b'!' => self.at = self.declaration(from)?,
                b'?' => self.at = self.behind(from + 2, b"?>")?,
                b'/' => {
                    let end = from + 2 + memchr(b'>', &self.bytes()[from + 2..])?;
                    self.at = end + 1;
                    let name = self.text[from + 2..end].trim_ascii();
                    return Some(Tag { kind: Kind::Close, at: from..end + 1, name, attributes: "" });
                }
                first if first.is_ascii_alphabetic() || first == b'_' || first == b':' || first >= 0x80 => {
                    let end = self.tag_end(from + 2)?;
                    self.at = end + 1;
                    let inside = &self.text[from + 1..end];
                    let (kind, inside) =
                        inside.strip_suffix('/').map_or((Kind::Open, inside), |inside| (Kind::Empty, inside));
                    let split = inside
                        .bytes()
                        .position(|b| b.is_ascii_whitespace() || b"\"'=".contains(&b))
                        .unwrap_or(inside.len());
                    let (name, attributes) = inside.split_at(split);
                    return Some(Tag { kind, at: from..end + 1, name, attributes });
                }
                // `a < b` is text, though it ought to be escaped.
                _ => self.at = from + 1,
            }
        }
    }
}

/// The elements of a document as far as somebody looks into them, each level told apart.
///
/// An end tag closes the nearest open element of its name and all that is open in it; one without
/// such an element is passed over. In a well-formed document that is what a parser does; in a
/// broken one the damage stays within the entry that is broken.
#[derive(Clone, Debug)]
pub(super) struct Elements<'t> {
    tags: Tags<'t>,
    open: Vec<&'t str>,
    /// How many are open below those.
    deeper: usize,
    /// The end tag that stopped the last walk, and the level of the element it belongs to.
    ended: Option<(usize, Range<usize>)>,
}

impl<'t> Elements<'t> {
    pub fn of(text: &'t str) -> Self {
        Self { tags: Tags::of(text), open: Vec::new(), deeper: 0, ended: None }
    }

    /// Goes to the next tag that is wanted, wherever it stands: its element is at level 0.
    pub fn first<F>(&mut self, wanted: impl Fn(&Tag<'t>) -> Option<F>) -> Option<(Tag<'t>, F)> {
        let (tag, found) = self.tags.find_map(|tag| wanted(&tag).map(|found| (tag, found)))?;
        self.open = vec![tag.name];
        self.deeper = 0;
        Some((tag, found))
    }

    /// The DOCTYPE, which may declare entities.
    pub fn doctype(&self) -> Option<&'t str> {
        let at = self.tags.doctype.clone()?;
        self.tags.text.get(at).filter(|text| text.len() <= DOCTYPE)
    }

    /// Behind the last tag that was read.
    pub fn at(&self) -> usize {
        self.tags.at
    }

    /// The next child of `parent`, whose children stand at `level`.
    pub fn child(&mut self, parent: &Tag<'t>, level: usize) -> Option<Tag<'t>> {
        while parent.kind == Kind::Open && self.open.len() >= level {
            let Some(tag) = self.tags.next() else {
                self.open.clear();
                self.ended = None;
                break;
            };
            match tag.kind {
                Kind::Close if self.deeper > 0 => self.deeper -= 1,
                Kind::Close => {
                    if let Some(closed) = self.open.iter().rposition(|name| name.eq_ignore_ascii_case(tag.name)) {
                        self.open.truncate(closed);
                        self.ended = Some((closed, tag.at));
                    }
                }
                kind => {
                    let here = self.deeper == 0 && self.open.len() == level;
                    if kind == Kind::Open && self.open.len() < DEPTH {
                        self.open.push(tag.name);
                    } else if kind == Kind::Open {
                        self.deeper += 1;
                    }
                    if here {
                        return Some(tag);
                    }
                }
            }
        }
        None
    }

    /// The end tag of an element at this level, all of whose children were read.
    pub fn end(&self, tag: &Tag<'t>, level: usize) -> Option<Range<usize>> {
        match tag.kind {
            Kind::Empty => Some(tag.at.end..tag.at.end),
            _ => self.ended.clone().filter(|(ended, _)| *ended == level).map(|(_, at)| at),
        }
    }
}

/// Which names belong to the feed format itself, and which to an extension.
#[derive(Clone, Debug)]
pub(super) struct Names<'t> {
    declared: Vec<(&'t str, &'t str)>,
    /// The namespace the feed itself is in, whatever it calls it.
    own: Option<&'t str>,
    own_prefix: &'t str,
    /// The namespace of the format that feed-rs knows.
    known: &'static str,
}

impl<'t> Names<'t> {
    pub fn of(known: &'static str) -> Self {
        Self { declared: Vec::new(), own: None, own_prefix: "", known }
    }

    /// Takes over the declarations of a tag; the mark gives them back.
    pub fn enter(&mut self, tag: &Tag<'t>) -> usize {
        let mark = self.declared.len();
        let room = DECLARATIONS.saturating_sub(mark);
        let declarations = tag.attributes().filter_map(|(name, uri)| match name.split_once(':') {
            Some(("xmlns", prefix)) => Some((prefix, uri)),
            None if name == "xmlns" => Some(("", uri)),
            _ => None,
        });
        self.declared.extend(declarations.take(room));
        mark
    }

    /// Forgets what was declared since the mark.
    pub fn leave(&mut self, mark: usize) {
        self.declared.truncate(mark);
    }

    /// The names of the feed are those of this prefix and its namespace.
    pub fn adopt(&mut self, prefix: &'t str) {
        self.own_prefix = prefix;
        self.own = self.namespace(prefix);
    }

    fn namespace(&self, prefix: &str) -> Option<&'t str> {
        let (_, uri) = self.declared.iter().rev().find(|(p, _)| *p == prefix)?;
        Some(*uri).filter(|uri| !uri.is_empty())
    }

    /// True for `title`, false for `media:title`.
    pub fn is_core(&self, tag: &Tag<'t>) -> bool {
        let (prefix, _) = tag.split();
        let declares = |name: &str| match name.split_once(':') {
            Some(("xmlns", declared)) => declared == prefix,
            _ => prefix.is_empty() && name == "xmlns",
        };
        let here = tag.attributes().find(|(name, _)| declares(name)).map(|(_, uri)| uri);
        match here.or_else(|| self.namespace(prefix)) {
            Some(uri) => Some(uri) == self.own || uri == self.known,
            None => prefix.is_empty() || prefix == self.own_prefix,
        }
    }
}

/// A child of an entry that holds a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Guid,
    Title,
    OrigLink,
    /// The lower, the nearer to first publication.
    Date(u8),
}

impl Fact {
    /// By local name. `guid` and `title` count only as names of the format itself.
    pub fn of(local: &str, guid: &str) -> Option<Self> {
        const FACTS: [(&str, Fact); 9] = [
            ("title", Fact::Title),
            ("pubDate", Fact::Date(0)),
            ("published", Fact::Date(0)),
            ("issued", Fact::Date(1)),
            ("date", Fact::Date(2)),
            ("created", Fact::Date(3)),
            ("updated", Fact::Date(4)),
            ("modified", Fact::Date(5)),
            ("origLink", Fact::OrigLink),
        ];
        if local.eq_ignore_ascii_case(guid) {
            return Some(Self::Guid);
        }
        FACTS.iter().find(|(name, _)| name.eq_ignore_ascii_case(local)).map(|(_, fact)| *fact)
    }
}

/// Character data as a parser hands it out: CDATA opened, comments dropped, references resolved
/// once; tags and unknown references stay as they are written. White space at the ends is dropped.
pub(super) fn text(inner: &str) -> String {
    let mut rest = inner.trim();
    let mut out = String::with_capacity(rest.len());
    while let Some(at) = memchr2(b'<', b'&', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (piece, used) = piece(rest);
        out.push_str(&piece);
        rest = &rest[used..];
    }
    out.push_str(rest);
    match out.trim() {
        trimmed if trimmed.len() == out.len() => out,
        trimmed => trimmed.to_owned(),
    }
}

/// What the `<` or `&` at the beginning stands for, and how many bytes that is.
fn piece(rest: &str) -> (Cow<'_, str>, usize) {
    let until = |from: usize, end: &str| rest[from..].find(end).map_or(rest.len(), |at| from + at);
    let behind = |at: usize, end: &str| (at + end.len()).min(rest.len());
    if rest.starts_with("<![CDATA[") {
        let end = until(9, "]]>");
        (rest[9..end].into(), behind(end, "]]>"))
    } else if rest.starts_with("<!--") {
        ("".into(), behind(until(4, "-->"), "-->"))
    } else if let Some((c, used)) = reference(rest) {
        (String::from(c).into(), used)
    } else {
        (rest[..1].into(), 1)
    }
}

/// A numeric reference or one of XML's five names.
fn reference(rest: &str) -> Option<(char, usize)> {
    let body = rest.strip_prefix('&')?;
    let end = body.bytes().take(12).position(|b| b == b';')?;
    let name = &body[..end];
    let c = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some((c, end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_a_parser_hands_out() {
        let cases = [
            (" a\n", "a"),
            ("a &lt;b&gt; &#65;&#x42; &nbsp; & &#0 &#xD800; &amp;amp;", "a <b> AB &nbsp; & &#0 &#xD800; &amp;"),
            ("<![CDATA[ a &amp; <b> ]]>c<!-- no --><i>d</i>", "a &amp; <b> c<i>d</i>"),
            ("<![CDATA[a", "a"),
            ("a<!-- b", "a"),
            ("<![CDATA[]]>", ""),
        ];
        for (inner, expected) in cases {
            assert_eq!(text(inner), expected, "{inner}");
        }
    }

    #[test]
    fn tags_are_told_from_what_looks_like_tags() {
        let document = "<?xml ?a>?><!DOCTYPE r [<!-- ' --><!ENTITY e '<x>]>'>]><r:a b='>' c = \"'/>\" d=e/f\n>\
                        1 < 2<!-- <x> --><![CDATA[<x>]]><b/></r:a ><中 x>";
        let tags: Vec<_> = Tags::of(document).collect();
        let names: Vec<_> = tags.iter().map(|tag| (tag.kind, tag.name)).collect();
        assert_eq!(names, [(Kind::Open, "r:a"), (Kind::Empty, "b"), (Kind::Close, "r:a"), (Kind::Open, "中")]);
        let attributes: Vec<_> = tags[0].attributes().collect();
        assert_eq!(attributes, [("b", ">"), ("c", "'/>"), ("d", "e/f")]);
    }
}
