//! Long texts of a sound document, which are read here while the parser is shown a mark in their place.
//!
//! Most of a document is the bodies of its entries, and feed-rs spends most of its time on them though
//! it does nothing but hand them out. A body that holds only character data of which nothing is in
//! doubt (text, sound references, CDATA sections) is therefore taken out. The parser still reads
//! everything else, and still is the one to say which element is the text of which entry.
//!
//! Nothing can be read otherwise than without this. A mark that the parser hands out as a whole text
//! shows that it was reading an element's content at that place, and it would have read the body there
//! and come out of it in the same state, with the text that is put back. That holds from the first
//! mark to the last. Where one mark is not handed out (the parser refused the document, took the
//! element for something else, or had another one for the same text), the document is read as it is.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;

use memchr::{memchr, memchr2, memmem};

use super::element::Element;
use super::names::Part;

/// Shorter texts (bytes) are not worth a mark.
const LONG: usize = 128;

/// Begins a mark: no character, so no author writes it.
const MARK: &str = "\u{fdd0}";

/// Bytes of the longest reference that is sound beyond doubt.
const REFERENCE: usize = 12;

/// The long texts of a document.
#[derive(Clone, Debug, Default)]
pub(super) struct Bodies<'t> {
    list: Vec<Body<'t>>,
}

#[derive(Clone, Debug)]
struct Body<'t> {
    at: Range<usize>,
    text: Cow<'t, str>,
}

impl<'t> Bodies<'t> {
    /// Takes the body and the summary of an entry.
    pub fn take_all(&mut self, elements: &[Element<'t>]) {
        for part in [Part::Content, Part::Summary] {
            let mut own = elements.iter().rev().filter(|element| element.part == part && element.rank() == 0);
            if let Some(element) = own.next() {
                self.take(element);
            }
        }
    }

    /// Takes the text of an element, if it is long, and nothing of how a parser reads it is in doubt.
    fn take(&mut self, element: &Element<'t>) {
        if element.inner.len() < LONG || element.has_tags {
            return;
        }
        if let Some(text) = character_data(element.inner) {
            let from = element.tag.at.end;
            self.list.push(Body { at: from..from + element.inner.len(), text });
        }
    }

    /// The document with marks in the place of its bodies; `None` when there are none, or when it has
    /// something like a mark itself.
    pub fn marked(&mut self, document: &'t str) -> Option<(String, Marks<'_, 't>)> {
        if self.list.is_empty() || memmem::find(document.as_bytes(), MARK.as_bytes()).is_some() {
            return None;
        }
        self.list.sort_by_key(|body| body.at.start);
        let mut out = String::new();
        let mut from = 0;
        for (number, body) in self.list.iter().enumerate() {
            out.push_str(document.get(from..body.at.start)?);
            // The blanks show whether the parser trims this text.
            write!(out, " {MARK}{number} ").ok()?;
            from = body.at.end;
        }
        out.push_str(&document[from..]);
        Some((out, Marks { bodies: &self.list, is_met: vec![false; self.list.len()] }))
    }
}

/// Which of the marks the parser handed out.
pub(super) struct Marks<'b, 't> {
    bodies: &'b [Body<'t>],
    is_met: Vec<bool>,
}

impl Marks<'_, '_> {
    /// Where there are none.
    pub fn none() -> Self {
        Self { bodies: &[], is_met: Vec::new() }
    }

    /// The text that the parser would have handed out in place of this one.
    pub fn put_back(&mut self, text: String) -> String {
        let number = text.trim_ascii().strip_prefix(MARK).and_then(|number| number.parse::<usize>().ok());
        let Some((number, body)) = number.and_then(|number| Some((number, self.bodies.get(number)?))) else {
            return text;
        };
        self.is_met[number] = true;
        let is_trimmed = !text.starts_with(' ');
        if is_trimmed { body.text.trim().to_owned() } else { body.text.clone().into_owned() }
    }

    /// True when every mark was handed out.
    pub fn are_met(&self) -> bool {
        self.is_met.iter().all(|is_met| *is_met)
    }
}

/// Character data as a strict parser reads it; `None` where anything in it is not sound, or not simple.
fn character_data(inner: &str) -> Option<Cow<'_, str>> {
    const START: &str = "<![CDATA[";
    const END: &str = "]]>";
    let mut out = String::new();
    let mut rest = inner;
    while let Some(at) = memchr2(b'<', b'&', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(section) = rest.strip_prefix(START) {
            let end = memmem::find(section.as_bytes(), END.as_bytes())?;
            let behind = &section[end + END.len()..];
            if behind.is_empty() && out.is_empty() {
                return Some(Cow::Borrowed(&section[..end]));
            }
            out.push_str(&section[..end]);
            rest = behind;
        } else {
            if out.capacity() == 0 {
                out.reserve(inner.len());
            }
            rest = &rest[reference(rest, &mut out)?..];
        }
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}

/// Writes what a reference stands for, and tells its length. Names that XML does not know stay as they
/// are written.
fn reference(rest: &str, out: &mut String) -> Option<usize> {
    let window = &rest.as_bytes()[..rest.len().min(REFERENCE)];
    let end = memchr(b';', window)?;
    let name = rest.get(1..end).filter(|_| window[0] == b'&')?;
    match name {
        "lt" => out.push('<'),
        "gt" => out.push('>'),
        "amp" => out.push('&'),
        "quot" => out.push('"'),
        "apos" => out.push('\''),
        _ => match name.strip_prefix('#') {
            Some(number) => {
                let (digits, radix) = number.strip_prefix('x').map_or((number, 10), |digits| (digits, 16));
                let is_number = digits.bytes().all(|b| char::from(b).is_digit(radix));
                let code = u32::from_str_radix(digits, radix).ok().filter(|code| is_number && *code > 0)?;
                out.push(char::from_u32(code)?);
            }
            None if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric()) => out.push_str(&rest[..=end]),
            None => return None,
        },
    }
    Some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_beyond_doubt_is_read() {
        for (inner, expected) in [
            ("<![CDATA[ a&amp;b ]]>", Some(" a&amp;b ")),
            ("\n<![CDATA[a]]>b<![CDATA[]]> ", Some("\nab ")),
            ("a &lt;p&gt; &amp;amp; &quot;&apos; &#65;&#x42; &nbsp;", Some("a <p> &amp; \"' AB &nbsp;")),
            ("a]]>b > c", Some("a]]>b > c")),
            ("a & b", None),
            ("a &b", None),
            ("&;", None),
            ("&a b;", None),
            ("&#0;", None),
            ("&#X41;", None),
            ("&#+65;", None),
            ("&#xD83D;", None),
            ("a<br/>b", None),
            ("<!-- a -->b", None),
            ("<![cdata[a]]>", None),
            ("<![CDATA[a", None),
        ] {
            assert_eq!(character_data(inner).as_deref(), expected, "{inner}");
        }
    }
}
