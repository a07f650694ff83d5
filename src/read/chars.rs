//! Character data of XML as people write it: what a text means, and how it is written again.

use std::borrow::Cow;

use memchr::{memchr, memchr2, memmem};

use super::tags::{SECTION, is_section};

/// The longest name of a reference that is looked up: HTML's longest has 31 letters.
const LONGEST_NAME: usize = 32;

/// Character data as a parser hands it out: CDATA opened, comments dropped, references resolved
/// once; tags and unknown references stay as they are written. White space at the ends is dropped.
pub(super) fn text(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    read(inner.trim(), Mode::Text, &mut out);
    trimmed(out)
}

/// Markup that stands in a text as it is: its references are its own, and CDATA in it is text when
/// `cdata_is_text` says so, else markup too.
pub(super) fn markup(inner: &str, cdata_is_text: bool) -> String {
    let mut out = String::with_capacity(inner.len());
    read(inner.trim(), if cdata_is_text { Mode::Markup } else { Mode::Soup }, &mut out);
    trimmed(out)
}

/// An attribute's value with its references resolved and white space at the ends dropped.
pub(super) fn value(written: &str) -> Cow<'_, str> {
    let written = written.trim();
    if memchr(b'&', written.as_bytes()).is_none() { written.into() } else { text(written).into() }
}

/// True when a text holds a reference that XML does not know, such as `&nbsp;`.
pub(super) fn has_foreign_reference(inner: &str) -> bool {
    let mut rest = inner;
    while let Some(at) = memchr2(b'&', b'<', rest.as_bytes()) {
        rest = &rest[at..];
        if is_section(rest.as_bytes()) {
            rest = rest.find("]]>").map_or("", |end| &rest[end..]);
            continue;
        }
        let name = rest[1..].split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        if rest.starts_with('&')
            && rest[1 + name.len()..].starts_with(';')
            && !matches!(name, "amp" | "lt" | "gt" | "quot" | "apos")
        {
            return true;
        }
        rest = &rest[1..];
    }
    false
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Text,
    Markup,
    Soup,
}

fn read(inner: &str, mode: Mode, out: &mut String) {
    let mut rest = inner;
    let mut comments_end = true;
    while let Some(at) = memchr2(b'<', b'&', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let used = if is_section(rest.as_bytes()) {
            let section = &rest[SECTION..];
            let end = section.find("]]>");
            let inside = end.map_or_else(|| without_half_end(section), |end| &section[..end]);
            match mode {
                Mode::Markup => out.push_str(&html_escape::encode_text(inside)),
                Mode::Text | Mode::Soup => out.push_str(inside),
            }
            end.map_or(rest.len(), |end| SECTION + end + "]]>".len())
        } else if let Some(comment) = rest.strip_prefix("<!--") {
            // One that never ends is no comment: what stands in it is not lost.
            let end = if comments_end { comment.find("-->") } else { None };
            comments_end = end.is_some();
            "<!--".len() + end.map_or(0, |end| end + "-->".len())
        } else if mode == Mode::Text
            && let Some((resolved, used)) = reference(rest)
        {
            out.push_str(&resolved);
            used
        } else {
            out.push_str(&rest[..1]);
            1
        };
        rest = &rest[used..];
    }
    // The end of a CDATA section whose start was lost.
    out.push_str(rest.trim_end().strip_suffix("]]>").unwrap_or(rest));
}

/// The text of a CDATA section that was not ended as it must be.
fn without_half_end(section: &str) -> &str {
    let section = section.trim_end();
    ["]]&gt;", "]]", "]>"].iter().find_map(|end| section.strip_suffix(end)).unwrap_or(section)
}

/// True for a text that ends like a CDATA section, and none begins there.
pub(super) fn has_lost_start(inner: &str) -> bool {
    let Some(before) = inner.trim_ascii_end().strip_suffix("]]>") else { return false };
    // Where another section ends before this end, it must begin behind that.
    let last = memmem::find_iter(before.as_bytes(), "]]>").last().unwrap_or_default();
    memmem::find(&before.as_bytes()[last..], b"<![CDATA[").is_none()
}

/// What the reference at the beginning stands for, and how many bytes it takes: a number, or one of
/// HTML's names, which feeds use though XML knows five.
fn reference(rest: &str) -> Option<(Cow<'static, str>, usize)> {
    let body = rest.strip_prefix('&')?;
    let end = body.bytes().take(LONGEST_NAME).position(|b| b == b';')?;
    let used = end + 2;
    // Those of XML are nearly all there are, and need no look into HTML's table.
    match &body[..end] {
        "lt" => return Some(("<".into(), used)),
        "gt" => return Some((">".into(), used)),
        "amp" => return Some(("&".into(), used)),
        "quot" => return Some(("\"".into(), used)),
        _ => {}
    }
    let Some(code) = code(&body[..end]) else {
        let named = &rest[..used];
        let resolved = html_escape::decode_html_entities(named);
        return (resolved != named).then(|| (resolved.into_owned().into(), used));
    };
    // UTF-16 written as two references (JavaScript's `escape` and its like).
    if (0xD800..0xDC00).contains(&code) {
        let (low, more) = low_surrogate(&rest[used..])?;
        let joined = 0x1_0000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        return Some((String::from(char::from_u32(joined)?).into(), used + more));
    }
    match char::from_u32(code)? {
        // A character that XML forbids even as a reference.
        c if c < ' ' && !matches!(c, '\t' | '\n' | '\r') => Some(("".into(), used)),
        c => Some((String::from(c).into(), used)),
    }
}

/// True for a text with characters that nobody writes: U+0092 is windows-1252's 146, a curly quote.
pub(super) fn has_controls(text: &str) -> bool {
    let is_control = |at: usize| text.as_bytes().get(at + 1).is_some_and(|b| (0x80..0xa0).contains(b));
    memchr::memchr_iter(0xc2, text.as_bytes()).any(is_control)
}

/// A control character as the number of windows-1252 that it is, as browsers take references to it
/// (HTML section 13.2.5.80).
fn from_windows(c: char) -> char {
    let Some(byte) = u8::try_from(u32::from(c)).ok().filter(|byte| (0x80..0xa0).contains(byte)) else { return c };
    let (decoded, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(std::slice::from_ref(&byte));
    decoded.chars().next().unwrap_or(c)
}

/// The number in `#20013` or `#x4E2D`.
fn code(name: &str) -> Option<u32> {
    let number = name.strip_prefix('#')?;
    match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok(),
        None => number.parse().ok(),
    }
}

fn low_surrogate(rest: &str) -> Option<(u32, usize)> {
    let body = rest.strip_prefix('&')?;
    let end = body.bytes().take(LONGEST_NAME).position(|b| b == b';')?;
    let code = code(&body[..end]).filter(|code| (0xDC00..0xE000).contains(code))?;
    Some((code, end + 2))
}

fn trimmed(text: String) -> String {
    let text = if has_controls(&text) { text.chars().map(from_windows).collect() } else { text };
    match text.trim() {
        same if same.len() == text.len() => text,
        shorter => shorter.to_owned(),
    }
}

/// The text, or as much of it as a short text has, with a sign that it was longer.
pub fn short(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.truncate(text.trim_end().len());
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_a_parser_hands_out() {
        let cases = [
            (" a\n", "a"),
            ("a &lt;b&gt; &#65;&#x42; &amp;amp;", "a <b> AB &amp;"),
            ("<![CDATA[ a &amp; <b> ]]>c<!-- no --><i>d</i>", "a &amp; <b> c<i>d</i>"),
            ("<![CDATA[a", "a"),
            ("<![CDATA[a]]", "a"),
            ("a<!-- b", "a b"),
            ("<![CDATA[]]>", ""),
            ("<![cdata[a&b]]>", "a&b"),
            ("a]]> ", "a"),
            ("<![CDATA[a]]>]]>", "a"),
            ("a[b[0]]>1", "a[b[0]]>1"),
            // A bare ampersand, an unknown name, a number without end: text.
            ("AT&T & &unknown; &#12", "AT&T & &unknown; &#12"),
            ("caf&eacute;&nbsp;&hellip;", "café\u{a0}…"),
            ("&#xD83D;&#xDE00; &#55357;&#56832;", "😀 😀"),
            // Half of a pair, and what XML forbids.
            ("a&#xD83D;b&#0;c&#11;d", "a&#xD83D;bcd"),
            ("&#150; &#x92; \u{92}", "– ’ ’"),
        ];
        for (inner, expected) in cases {
            assert_eq!(text(inner), expected, "{inner}");
        }
    }

    #[test]
    fn markup_keeps_its_references() {
        let inner = "<p>a &lt; b &nbsp;</p><![CDATA[<br>]]><!-- x -->";
        assert_eq!(markup(inner, true), "<p>a &lt; b &nbsp;</p>&lt;br&gt;");
        assert_eq!(markup(inner, false), "<p>a &lt; b &nbsp;</p><br>");
    }

    #[test]
    fn foreign_references_are_those_of_html() {
        assert!(has_foreign_reference("a &nbsp; b") && has_foreign_reference("<![CDATA[x]]>&eacute;"));
        assert!(!has_foreign_reference("a &amp; &#8230; & b &c <![CDATA[&nbsp;]]>"));
    }
}
