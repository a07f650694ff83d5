//! The tags of an XML document as they were written.
//!
//! A scanner and no parser: it knows comments, CDATA, processing instructions, the DOCTYPE and
//! quoted attributes, and nothing else. It hands out slices of the document, so a fragment is what
//! was received to the byte, and it goes on where a strict parser has to stop: whatever is begun
//! and never ended counts as text.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memchr, memchr2, memchr3, memmem};

/// Attributes looked at per tag; hostile tags carry 200,000 of them.
const ATTRIBUTES: usize = 256;

/// Elements looked at inside of an author or an image; each may look for its end in vain.
const CHILDREN: usize = 32;

/// A DOCTYPE larger than this is not kept.
const DOCTYPE: usize = 16 * 1024;

static SECTION_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"]]>"));
static SECTION: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"<![CDATA["));

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
    /// Where the local name begins in it.
    local: usize,
    /// As written, blanks included.
    pub attributes: &'t str,
}

impl<'t> Tag<'t> {
    /// Prefix (empty when there is none) and local name.
    pub fn split(&self) -> (&'t str, &'t str) {
        (&self.name[..self.local.saturating_sub(1)], self.local())
    }

    /// The local name.
    pub fn local(&self) -> &'t str {
        &self.name[self.local..]
    }

    /// Names and values as written.
    pub fn attributes(&self) -> impl Iterator<Item = (&'t str, &'t str)> + use<'t> {
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

    /// The value of an attribute as written; its name in any case, as feeds write `ispermalink`.
    pub fn attribute(&self, name: &str) -> Option<&'t str> {
        if self.attributes.is_empty() {
            return None;
        }
        self.attributes().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// The tags of a document in order.
#[derive(Clone, Debug)]
pub(super) struct Tags<'t> {
    text: &'t str,
    at: usize,
    /// Where the DOCTYPE stands, once it was passed.
    doctype: Option<Range<usize>>,
    /// True once a CDATA section was met that its author forgot to end.
    pub runaway: bool,
    /// What was looked for to the end of the text in vain is not looked for again.
    over: Over,
    /// Where the next `]]>` was last looked for, and where that one ends.
    section: Range<usize>,
    /// The same of `-->`.
    comment: Range<usize>,
    /// A start tag was read.
    has_begun: bool,
}

/// From where on a kind of markup finds no end any more.
#[derive(Clone, Copy, Debug)]
struct Over {
    comments: usize,
    sections: usize,
    declarations: usize,
    instructions: usize,
}

impl Over {
    const NEVER: Self =
        Self { comments: usize::MAX, sections: usize::MAX, declarations: usize::MAX, instructions: usize::MAX };
}

impl<'t> Tags<'t> {
    pub fn of(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            doctype: None,
            runaway: false,
            over: Over::NEVER,
            section: 0..0,
            comment: 0..0,
            has_begun: false,
        }
    }

    /// Behind the last tag that was read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Goes on from another place.
    pub fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// The DOCTYPE, which may declare entities.
    pub fn doctype(&self) -> Option<&'t str> {
        self.text.get(self.doctype.clone()?).filter(|text| text.len() <= DOCTYPE)
    }

    fn bytes(&self) -> &'t [u8] {
        self.text.as_bytes()
    }

    /// Behind the next `end`, looked for from `from`.
    fn behind(&self, from: usize, end: &[u8]) -> Option<usize> {
        let rest = self.bytes().get(from..)?;
        memmem::find(rest, end).map(|at| from + at + end.len())
    }

    /// Behind the `<!…` that begins at `from`; behind its first bytes where it never ends.
    fn declaration(&mut self, from: usize) -> usize {
        let rest = &self.bytes()[from..];
        if rest.starts_with(b"<!--") {
            let end = self.comment_end(from + 4);
            self.runaway |= end.is_none();
            end.unwrap_or(from + 4)
        } else if rest.starts_with(b"<![CDATA[") {
            let end = self.cdata_end(from + 9);
            self.runaway |= end.is_none();
            end.unwrap_or(from + 9)
        } else {
            let over = self.over.declarations;
            // Behind the root nothing is declared.
            let end = if from < over && !self.has_begun { self.doctype_end(from + 2) } else { None };
            self.over.declarations = end.map_or(over.min(from), |_| over);
            if let Some(end) = end
                && rest.get(2..9).is_some_and(|word| word.eq_ignore_ascii_case(b"doctype"))
            {
                self.doctype.get_or_insert(from..end);
            }
            end.unwrap_or(from + 2)
        }
    }

    /// Behind the comment whose text begins at `from`; `None` when nobody ended it: it runs into the
    /// next one, or out of its entry.
    fn comment_end(&mut self, from: usize) -> Option<usize> {
        if from >= self.over.comments {
            return None;
        }
        if from < self.comment.start || from + 3 > self.comment.end {
            let Some(end) = self.behind(from, b"-->") else {
                self.over.comments = from;
                return None;
            };
            self.comment = from..end;
        }
        let end = self.comment.end;
        let text = &self.bytes()[from..end];
        let runs_on = memmem::find(text, b"<!--").is_some() || leaves_entry(text);
        (!runs_on).then_some(end)
    }

    /// Behind the CDATA section whose text begins at `from`; `None` when nobody ended it.
    fn cdata_end(&mut self, from: usize) -> Option<usize> {
        if from >= self.over.sections {
            return None;
        }
        if from < self.section.start || from + 3 > self.section.end {
            let end = SECTION_END.find(&self.bytes()[from..]).map(|at| from + at + b"]]>".len());
            let Some(end) = end else {
                self.over.sections = from;
                return None;
            };
            self.section = from..end;
        }
        let end = self.section.end;
        (!swallows_entries(&self.bytes()[from..end])).then_some(end)
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

    /// The `>` of a start tag whose name begins before `from`; `None` when it is no tag: another
    /// one begins before it ends.
    fn tag_end(&self, from: usize) -> Option<usize> {
        let rest = &self.bytes()[from..];
        let end = memchr2(b'>', b'<', rest)?;
        if memchr2(b'"', b'\'', &rest[..end]).is_none() {
            return (rest[end] == b'>').then_some(from + end);
        }
        let mut at = from;
        loop {
            let next = at + memchr3(b'>', b'"', b'\'', &self.bytes()[at..])?;
            let before = &self.bytes()[at..next];
            if memchr(b'<', before).is_some() {
                return None;
            }
            match self.bytes()[next] {
                b'>' => return Some(next),
                // Only behind `=` does a quote begin a value.
                quote if before.trim_ascii_end().ends_with(b"=") => {
                    at = self.value_end(next, quote).unwrap_or(next) + 1;
                }
                _ => at = next + 1,
            }
        }
    }

    /// The quote that ends a value. A value that runs over markup into the next tag's quote was
    /// never ended: behind a real end stands a blank or the end of the tag.
    fn value_end(&self, open: usize, quote: u8) -> Option<usize> {
        let from = open + 1;
        let end = from + memchr(quote, &self.bytes()[from..])?;
        let follows = self.bytes().get(end + 1).is_some_and(|b| b.is_ascii_whitespace() || b"/>?".contains(b));
        (follows || memchr(b'<', &self.bytes()[from..end]).is_none()).then_some(end)
    }

    /// The places of the end tag of an element that holds nothing but text and CDATA, from where the
    /// walk is: that is most of them, and needs no look at tags.
    pub fn plain_end(&mut self, name: &str) -> Option<Range<usize>> {
        let mut at = self.at;
        loop {
            let from = at + memchr(b'<', &self.bytes()[at..])?;
            let rest = &self.bytes()[from..];
            if let Some(closing) = rest.strip_prefix(b"</") {
                let end = from + b"</".len() + name.len();
                let is_own = closing.starts_with(name.as_bytes()) && self.bytes().get(end) == Some(&b'>');
                return is_own.then_some(from..end + 1);
            }
            if !rest.starts_with(b"<![CDATA[") {
                return None;
            }
            at = self.cdata_end(from + b"<![CDATA[".len())?;
        }
    }

    /// The place of the end tag of an element with sound markup in it, and how deep that is: the
    /// first end tag of its name, where a quick look at what is before it finds nothing that makes
    /// the matter harder. The error is how many bytes were looked at in vain; then the tags have to
    /// be taken one by one.
    pub fn markup_end(&self, name: &str) -> Result<(Range<usize>, usize), usize> {
        let rest = &self.bytes()[self.at..];
        let closing = ["</", name, ">"].concat();
        let end = memmem::find(rest, closing.as_bytes()).ok_or(rest.len())?;
        let inside = &rest[..end];
        // A base of its own is counted where tags are taken one by one.
        let deepest = sound_depth(inside, name).filter(|_| memmem::find(inside, b":base").is_none());
        let at = self.at + end;
        deepest.map(|deepest| (at..at + closing.len(), deepest)).ok_or(end)
    }

    fn close_tag(&mut self, from: usize) -> Option<Tag<'t>> {
        let end = from + 2 + memchr2(b'>', b'<', &self.bytes()[from + 2..])?;
        let name = self.text[from + 2..end].trim_ascii();
        // `</item<title>`: the `>` was forgotten.
        let end = if self.bytes()[end] == b'>' { end + 1 } else { end };
        self.at = end;
        Some(Tag { kind: Kind::Close, at: from..end, name, local: local_of(name), attributes: "" })
    }

    fn start_tag(&mut self, from: usize) -> Option<Tag<'t>> {
        let end = self.tag_end(from + 1)?;
        self.at = end + 1;
        self.has_begun = true;
        let inside = &self.text[from + 1..end];
        let (kind, inside) = inside.strip_suffix('/').map_or((Kind::Open, inside), |inside| (Kind::Empty, inside));
        let split =
            inside.bytes().position(|b| b.is_ascii_whitespace() || b"\"'=".contains(&b)).unwrap_or(inside.len());
        let (name, attributes) = inside.split_at(split);
        Some(Tag { kind, at: from..end + 1, name, local: local_of(name), attributes })
    }
}

/// How deep markup is in which every start has its end; `None` where that cannot be said at a glance,
/// or where an entry or another element of this name is in it.
fn sound_depth(markup: &[u8], name: &str) -> Option<usize> {
    let (mut open, mut deepest) = (0_usize, 0);
    let mut is_start = false;
    for next in memchr::memchr2_iter(b'<', b'>', markup) {
        if markup[next] == b'>' {
            open -= usize::from(is_start && markup[next - 1] == b'/');
            is_start = false;
            continue;
        }
        let closes = markup.get(next + 1) == Some(&b'/');
        let written = markup.get(next + 1 + usize::from(closes)..)?;
        if !written.first()?.is_ascii_alphabetic() || is_hard(written, name) {
            return None;
        }
        is_start = !closes;
        open = if closes { open.checked_sub(1)? } else { open + 1 };
        deepest = deepest.max(open);
    }
    (open == 0).then_some(deepest)
}

/// True where `written` begins with the name of an entry, in any namespace, or with this name.
fn is_hard(written: &[u8], name: &str) -> bool {
    let (mut local, mut length) = (0, 0);
    for byte in written {
        match byte {
            b' ' | b'<' | b'>' | b'/' | b'\n' | b'\t' | b'\r' => break,
            b':' => local = length + 1,
            _ => {}
        }
        length += 1;
    }
    let is = |name: &[u8], from: usize| length - from == name.len() && written[from..length].eq_ignore_ascii_case(name);
    is(b"item", local) || is(b"entry", local) || is(name.as_bytes(), 0)
}

/// Behind the first colon of a name.
fn local_of(name: &str) -> usize {
    name.bytes().position(|b| b == b':').map_or(0, |colon| colon + 1)
}

/// The elements directly in a piece of markup, with what is between their tags.
pub(super) fn children(markup: &str) -> impl Iterator<Item = (Tag<'_>, &str)> {
    let mut tags = Tags::of(markup);
    std::iter::from_fn(move || {
        loop {
            let tag = tags.next()?;
            let from = tag.at.end;
            match tag.kind {
                Kind::Close => continue,
                Kind::Empty => return Some((tag, &markup[from..from])),
                Kind::Open => {}
            }
            let back = tags.clone();
            let end = tags.find(|next| next.kind == Kind::Close && next.name == tag.name);
            let inner = if let Some(end) = end {
                &markup[from..end.at.start]
            } else {
                tags = back;
                &markup[from..]
            };
            return Some((tag, inner));
        }
    })
    .take(CHILDREN)
}

/// True for a text in which an entry ends before one begins.
fn leaves_entry(text: &[u8]) -> bool {
    let first = |tags: [&[u8]; 2]| tags.into_iter().filter_map(|tag| memmem::find(text, tag)).min();
    let begins = || first([b"<item", b"<entry"]).unwrap_or(usize::MAX);
    first([b"</item", b"</entry"]).is_some_and(|ends| ends < begins())
}

/// True for the text of a CDATA section that runs over an end or a beginning of an entry into the next
/// CDATA section: somebody forgot its end, and a strict parser would swallow an entry without a word.
fn swallows_entries(text: &[u8]) -> bool {
    let Some(next) = SECTION.find(text) else { return false };
    let before = &text[..next];
    [&b"</item"[..], b"<item", b"</entry", b"<entry", b"</ITEM"].iter().any(|tag| memmem::find(before, tag).is_some())
}

impl<'t> Iterator for Tags<'t> {
    type Item = Tag<'t>;

    fn next(&mut self) -> Option<Tag<'t>> {
        loop {
            let from = self.at + memchr(b'<', self.bytes().get(self.at..)?)?;
            let tag = match *self.bytes().get(from + 1)? {
                b'!' => {
                    self.at = self.declaration(from);
                    continue;
                }
                b'?' => {
                    let over = self.over.instructions;
                    let end = if from < over { self.behind(from + 2, b"?>") } else { None };
                    self.over.instructions = end.map_or(over.min(from), |_| over);
                    self.at = end.unwrap_or(from + 2);
                    continue;
                }
                b'/' => self.close_tag(from),
                first if first.is_ascii_alphabetic() || first == b'_' || first == b':' || first >= 0x80 => {
                    self.start_tag(from)
                }
                // `a < b` is text, though it ought to be escaped.
                _ => None,
            };
            if tag.is_some() {
                return tag;
            }
            self.at = from + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(document: &str) -> Vec<(Kind, &str)> {
        Tags::of(document).map(|tag| (tag.kind, tag.name)).collect()
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

    #[test]
    fn what_never_ends_is_text() {
        use Kind::{Close, Open};
        let cases: [(&str, &[(Kind, &str)]); 9] = [
            ("<a><!-- x <b>", &[(Open, "a"), (Open, "b")]),
            ("<a><![CDATA[ x <b>", &[(Open, "a"), (Open, "b")]),
            ("<a><? x <b>", &[(Open, "a"), (Open, "b")]),
            ("<a><!DOCTYPE x <b", &[(Open, "a")]),
            ("<a href=\"x>y</a><b c=\"d\">", &[(Open, "a"), (Close, "a"), (Open, "b")]),
            ("<a href=\"x < y\">z</a>", &[(Open, "a"), (Close, "a")]),
            ("</a<b>", &[(Close, "a"), (Open, "b")]),
            ("a <b and <c>", &[(Open, "c")]),
            ("<a it's>b</a>", &[(Open, "a"), (Close, "a")]),
        ];
        for (document, expected) in cases {
            assert_eq!(names(document), expected, "{document}");
        }
    }

    #[test]
    fn a_comment_that_leaves_its_entry_was_never_ended() {
        for document in ["<item><!-- a</item><item><b/></item><!-- x -->", "<item><!-- a</item><item>b --></item>"] {
            let items = names(document).into_iter().filter(|(_, name)| *name == "item").count();
            assert_eq!(items, 4, "{document}");
        }
        assert_eq!(names("<a><!-- <item>x</item> --></a>").len(), 2);
        // Behind the root nothing is declared.
        assert_eq!(names("<a><!DOCTYPE x <b></a>").len(), 3);
    }

    #[test]
    fn a_section_that_swallows_entries_was_never_ended() {
        let document = "<item><d><![CDATA[one</d></item><item><d><![CDATA[two <p>]]></d></item>";
        let mut tags = Tags::of(document);
        assert_eq!(tags.by_ref().filter(|tag| tag.kind == Kind::Close).count(), 4);
        assert!(tags.runaway);
        let between = "<![CDATA[<item><d><![CDATA[two]]></d></item>";
        assert_eq!(names(between).len(), 4);
        let about_xml = "<d><![CDATA[write &lt;![CDATA[ or <![CDATA[ so ]]></d>";
        assert_eq!(names(about_xml), [(Kind::Open, "d"), (Kind::Close, "d")]);
    }
}
