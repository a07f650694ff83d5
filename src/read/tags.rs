//! The tags of an XML document as they were written.
//!
//! A scanner and no parser: it knows comments, CDATA, processing instructions, the DOCTYPE and
//! quoted attributes, and nothing else. It hands out slices of the document, so a fragment is what
//! was received to the byte, and it goes on where a strict parser has to stop: whatever is begun
//! and never ended counts as text.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memchr, memchr2, memchr3, memmem, memrchr};

use super::tag::{Kind, Tag};

/// Elements looked at inside of an author or an image; each may look for its end in vain.
const CHILDREN: usize = 32;

/// A DOCTYPE larger than this is not kept.
const DOCTYPE: usize = 16 * 1024;

/// Bytes of `<![CDATA[`.
pub(super) const SECTION: usize = 9;

static SECTION_START: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"<![CDATA["));
static SECTION_END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"]]>"));

/// The tags of a document in order.
#[derive(Clone, Debug)]
pub(super) struct Tags<'t> {
    text: &'t str,
    at: usize,
    /// Where the DOCTYPE stands, once it was passed.
    doctype: Option<Range<usize>>,
    /// True once a comment or CDATA section was met that its author forgot to end.
    pub runaway: bool,
    /// True behind the first start tag: no DOCTYPE comes any more.
    is_inside: bool,
    /// A DOCTYPE that never ends is not looked at again.
    is_endless: bool,
    comments: Sought,
    sections: Sought,
    instructions: Sought,
    entries: Sought,
}

/// What was looked for last, so that it is looked for once, however often the same is asked.
#[derive(Clone, Copy, Debug, Default)]
struct Sought {
    from: usize,
    /// Where it was found; the end of the text when it was not.
    at: usize,
}

impl Sought {
    /// Where the next one begins, at or behind `from`.
    fn next(&mut self, text: &[u8], from: usize, find: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
        if from < self.from || from > self.at || self.at == 0 {
            let rest = text.get(from..)?;
            *self = Self { from, at: find(rest).map_or(text.len(), |at| from + at) };
        }
        Some(self.at).filter(|at| *at < text.len())
    }
}

impl<'t> Tags<'t> {
    pub fn of(text: &'t str) -> Self {
        let none = Sought::default();
        Self {
            text,
            at: 0,
            doctype: None,
            runaway: false,
            is_inside: false,
            is_endless: false,
            comments: none,
            sections: none,
            instructions: none,
            entries: none,
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

    /// Behind the `<!…` or `<?…` that begins at `from`; behind its first bytes where it never ends.
    fn declaration(&mut self, from: usize) -> usize {
        let rest = &self.bytes()[from..];
        let (begin, end) = if rest.starts_with(b"<!--") {
            (4, self.comment_end(from + 4))
        } else if is_section(rest) {
            (SECTION, self.section_end(from + SECTION))
        } else if rest.starts_with(b"<?") {
            (2, self.instruction_end(from + 2))
        } else {
            return self.doctype_at(from).unwrap_or_else(|| self.behind_bogus(from + 2));
        };
        end.unwrap_or(from + begin)
    }

    /// Behind the comment whose text begins at `from`; `None` when nobody ended it.
    fn comment_end(&mut self, from: usize) -> Option<usize> {
        let end = self.comments.next(self.text.as_bytes(), from, |rest| memmem::find(rest, b"-->"))?;
        let is_forgotten = self.swallows_entries(from, end);
        self.runaway |= is_forgotten;
        (!is_forgotten).then_some(end + 3)
    }

    /// True for a comment that runs out of its entry into the next comment: somebody forgot its end.
    /// One around whole entries was meant so.
    fn swallows_entries(&mut self, from: usize, end: usize) -> bool {
        let Some(entry) = self.next_entry(from).filter(|entry| *entry < end) else { return false };
        self.bytes()[entry..].starts_with(b"</") || memmem::find(&self.bytes()[from..end], b"<!--").is_some()
    }

    /// Where the next tag of an entry stands.
    fn next_entry(&mut self, from: usize) -> Option<usize> {
        self.entries.next(self.text.as_bytes(), from, entry_tag)
    }

    /// Behind the CDATA section whose text begins at `from`; `None` when nobody ended it.
    fn section_end(&mut self, from: usize) -> Option<usize> {
        let end = self.sections.next(self.text.as_bytes(), from, |rest| SECTION_END.find(rest));
        let end = end.filter(|end| !self.runs_on(from, *end));
        self.runaway |= end.is_none();
        Some(end? + 3)
    }

    /// True for a CDATA section that runs over the end of its element or over a tag of an entry into
    /// the next section: somebody forgot its end, and a strict parser would swallow all of it without
    /// a word.
    fn runs_on(&self, from: usize, end: usize) -> bool {
        let Some(next) = SECTION_START.find(&self.bytes()[from..end]) else { return false };
        let text = &self.bytes()[from..from + next];
        let own = self.opened_before(from - SECTION).map(|name| ["</", name].concat());
        own.is_some_and(|own| memmem::find(text, own.as_bytes()).is_some()) || entry_tag(text).is_some()
    }

    /// The name of the start tag right before a place.
    fn opened_before(&self, at: usize) -> Option<&'t str> {
        const LONGEST: usize = 256;
        let before = self.bytes()[..at].trim_ascii_end();
        let tail = &before[before.len().saturating_sub(LONGEST)..];
        let open = before.len() - tail.len() + memrchr(b'<', tail.strip_suffix(b">")?)?;
        let name = self.bytes()[open + 1..before.len() - 1].split(u8::is_ascii_whitespace).next()?;
        let is_start = name.first().is_some_and(u8::is_ascii_alphabetic);
        self.text.get(open + 1..open + 1 + name.len()).filter(|_| is_start)
    }

    /// Behind the processing instruction whose text begins at `from`.
    fn instruction_end(&mut self, from: usize) -> Option<usize> {
        let end = self.instructions.next(self.text.as_bytes(), from, |rest| memmem::find(rest, b"?>"))?;
        let is_one = self.next_entry(from).is_none_or(|entry| entry > end);
        is_one.then_some(end + 2)
    }

    /// Behind the DOCTYPE that begins at `from`.
    fn doctype_at(&mut self, from: usize) -> Option<usize> {
        let word = self.bytes().get(from + 2..from + 9)?;
        if self.is_inside || self.is_endless || !word.eq_ignore_ascii_case(b"doctype") {
            return None;
        }
        let end = self.doctype_end(from + 2);
        self.is_endless = end.is_none();
        self.doctype.get_or_insert(from..end?);
        end
    }

    /// Behind the `>` of something like a declaration, as HTML reads it; where another tag begins
    /// before that it is text.
    fn behind_bogus(&self, from: usize) -> usize {
        let rest = &self.bytes()[from..];
        let end = memchr2(b'>', b'<', rest).filter(|end| rest[*end] == b'>');
        end.map_or(from, |end| from + end + 1)
    }

    /// Behind the `>` of a DOCTYPE: declarations, quotes and comments inside `[…]` are passed over.
    fn doctype_end(&self, mut at: usize) -> Option<usize> {
        let mut nested = 0_usize;
        loop {
            let byte = *self.bytes().get(at)?;
            at += 1;
            match byte {
                b'"' | b'\'' => at += memchr(byte, &self.bytes()[at..])? + 1,
                b'<' if self.bytes()[at..].starts_with(b"!--") => {
                    at += 3;
                    at += memmem::find(&self.bytes()[at..], b"-->")? + 3;
                }
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
        let behind = &self.bytes()[end + 1..];
        let follows = behind.first().is_some_and(|b| b.is_ascii_whitespace() || *b == b'>')
            || behind.starts_with(b"/>")
            || behind.starts_with(b"?>");
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
            if !is_section(rest) {
                return None;
            }
            at = self.section_end(from + SECTION)?;
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
        (self.at, self.is_inside) = (end + 1, true);
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

/// `<![CDATA[`, in small letters too.
pub(super) fn is_section(rest: &[u8]) -> bool {
    rest.get(..SECTION).is_some_and(|start| start.eq_ignore_ascii_case(b"<![CDATA["))
}

/// Where the first tag of an entry begins.
fn entry_tag(text: &[u8]) -> Option<usize> {
    let is_of_entry = |at: &usize| {
        let rest = &text[at + 1..];
        let rest = rest.strip_prefix(b"/").unwrap_or(rest);
        let end = rest.iter().position(|b| !b.is_ascii_alphanumeric() && !b"_-:".contains(b)).unwrap_or(rest.len());
        let local = rest[..end].rsplit(|b| *b == b':').next().unwrap_or_default();
        local.eq_ignore_ascii_case(b"item") || local.eq_ignore_ascii_case(b"entry")
    };
    memchr::memchr_iter(b'<', text).find(is_of_entry)
}

impl<'t> Iterator for Tags<'t> {
    type Item = Tag<'t>;

    fn next(&mut self) -> Option<Tag<'t>> {
        loop {
            let from = self.at + memchr(b'<', self.bytes().get(self.at..)?)?;
            let tag = match *self.bytes().get(from + 1)? {
                b'!' | b'?' => {
                    self.at = self.declaration(from);
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
mod tests;
