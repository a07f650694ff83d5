//! Cutting the tags out of HTML, XML and what only looks like it.
//!
//! It is no parser: it never fails, and passes over the text once, whatever the text is. (`normalize::soup`
//! does more, but `normalize` builds on `read`.)

use std::borrow::Cow;

/// A tag of HTML or XML, well or ill formed.
pub struct Tag<'t> {
    name: &'t str,
    /// `</name>`.
    pub is_end: bool,
    /// `<name/>`.
    pub is_empty: bool,
    /// As written.
    attributes: Vec<(&'t str, &'t str)>,
}

impl<'t> Tag<'t> {
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value of an attribute in any case, character references decoded, blanks at the ends dropped; `None`
    /// when it is missing or blank. As in HTML the first of several counts, and an unknown reference stays.
    pub fn get(&self, name: &str) -> Option<Cow<'t, str>> {
        let (_, value) = self.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        let value = match html_escape::decode_html_entities(*value) {
            Cow::Borrowed(value) => Cow::Borrowed(value.trim()),
            Cow::Owned(value) => Cow::Owned(value.trim().to_owned()),
        };
        Some(value).filter(|value| !value.is_empty())
    }
}

/// The tags of a text, in order; those in comments, declarations and scripts left out.
pub struct Tags<'t> {
    text: &'t str,
    /// Always behind an ASCII character.
    at: usize,
    /// No comment ends behind `at`, so nobody looks for an end again.
    comments_are_over: bool,
}

impl<'t> Tags<'t> {
    pub fn new(text: &'t str) -> Self {
        Self { text, at: 0, comments_are_over: false }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take_until(&mut self, ends: impl Fn(u8) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.bytes().position(ends).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn skip_comment(&mut self) {
        // from the second `-` on, for `<!-->` is a comment too
        if self.comments_are_over {
            return;
        }
        match self.rest().find("-->") {
            Some(end) => self.at += end + 3,
            None => self.comments_are_over = true,
        }
    }

    /// Scripts and the like hold no markup; an unclosed one takes the rest of the page, as in browsers.
    fn skip_raw(&mut self, name: &str) {
        const RAW: [&str; 7] = ["script", "style", "textarea", "xmp", "iframe", "noembed", "noframes"];
        if RAW.iter().any(|raw| raw.eq_ignore_ascii_case(name)) {
            let rest = self.rest();
            let is_end =
                |at: usize| rest.get(at + 2..at + 2 + name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name));
            self.at += rest.match_indices("</").map(|(at, _)| at).find(|at| is_end(*at)).unwrap_or(rest.len());
        }
    }

    /// A tag from its name on; `None` when the text breaks off in it.
    fn tag(&mut self, is_end: bool) -> Option<Tag<'t>> {
        let name = self.take_until(|b| b.is_ascii_whitespace() || matches!(b, b'/' | b'>' | b'<'));
        let mut tag = Tag { name, is_end, is_empty: false, attributes: Vec::new() };
        loop {
            match self.peek()? {
                b'>' => {
                    self.at += 1;
                    return Some(tag);
                }
                // The next tag: this one was never closed.
                b'<' => return Some(tag),
                b'/' => {
                    tag.is_empty = true;
                    self.at += 1;
                }
                b if b.is_ascii_whitespace() => self.at += 1,
                _ => {
                    tag.is_empty = false;
                    tag.attributes.push(self.attribute());
                }
            }
        }
    }

    fn attribute(&mut self) -> (&'t str, &'t str) {
        let from = self.at;
        self.at += usize::from(matches!(self.peek(), Some(b'=')));
        self.take_until(|b| b.is_ascii_whitespace() || matches!(b, b'/' | b'>' | b'=' | b'<'));
        let name = &self.text[from..self.at];
        self.take_until(|b| !b.is_ascii_whitespace());
        if self.peek() != Some(b'=') {
            return (name, "");
        }
        self.at += 1;
        self.take_until(|b| !b.is_ascii_whitespace());
        match self.peek() {
            Some(quote @ (b'"' | b'\'')) => {
                self.at += 1;
                (name, self.quoted(quote))
            }
            _ => (name, self.take_until(|b| b.is_ascii_whitespace() || b == b'>')),
        }
    }

    /// A value behind its opening quote. One that was never closed runs on to a quote of the next attribute or
    /// tag (seen in feed lists written by hand); then it ends where it should have.
    fn quoted(&mut self, quote: u8) -> &'t str {
        let rest = self.rest();
        let Some(length) = rest.find(char::from(quote)) else {
            return self.take_until(|b| b.is_ascii_whitespace() || b == b'>');
        };
        let value = &rest[..length];
        if let Some(short) = before_next_outline(value).or_else(|| before_next_attribute(value)) {
            self.at += short.len();
            return short;
        }
        self.at += length + 1;
        value
    }
}

/// `http://a/feed` of `http://a/feed/> <outline text=`.
fn before_next_outline(value: &str) -> Option<&str> {
    let starts = |at: usize| value.get(at..at + 9).is_some_and(|tag| tag.to_ascii_lowercase().trim_end() == "<outline");
    let at = value.match_indices('<').map(|(at, _)| at).find(|at| starts(*at))?;
    let before = value[..at].trim_end().strip_suffix('>')?;
    Some(before.strip_suffix('/').unwrap_or(before))
}

/// `News` of `News xmlUrl=`.
fn before_next_attribute(value: &str) -> Option<&str> {
    const NAMES: [&str; 7] = ["xmlurl", "htmlurl", "text", "title", "type", "description", "version"];
    let (before, name) = value.strip_suffix('=')?.rsplit_once(|c: char| c.is_ascii_whitespace())?;
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name)).then_some(before)
}

impl<'t> Iterator for Tags<'t> {
    type Item = Tag<'t>;

    fn next(&mut self) -> Option<Tag<'t>> {
        loop {
            self.at += self.rest().find('<')? + 1;
            match self.peek()? {
                b'!' if self.rest().starts_with("!--") => {
                    self.at += 1;
                    self.skip_comment();
                }
                b'!' | b'?' => self.at += self.rest().find('>')?,
                b'/' if self.rest()[1..].starts_with(|c: char| c.is_ascii_alphabetic()) => {
                    self.at += 1;
                    return self.tag(true);
                }
                b if b.is_ascii_alphabetic() => {
                    let tag = self.tag(false)?;
                    self.skip_raw(tag.name);
                    return Some(tag);
                }
                _ => {}
            }
        }
    }
}
