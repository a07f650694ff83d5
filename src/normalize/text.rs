//! Plain text of HTML, and the characters that may be in any text.

use std::borrow::Cow;

use super::soup::{Token, Tokens};

/// The text without the characters that must not get further: what XML 1.0 forbids, other control
/// characters and noncharacters, byte order marks, and the controls that reorder text (they make
/// `exe.gpj` out of `jpg.exe`). U+0085, U+2028 and U+2029 become line breaks.
pub fn legal(text: &str) -> Cow<'_, str> {
    if all_legal(text) {
        return Cow::Borrowed(text);
    }
    let fitted = |c| match c {
        '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        _ => Some(c).filter(|c| is_legal(*c)),
    };
    Cow::Owned(text.chars().filter_map(fitted).collect())
}

fn all_legal(text: &str) -> bool {
    const STEP: usize = 64;
    text.as_bytes().chunks(STEP).enumerate().all(|(step, bytes)| {
        if !is_suspect(bytes) {
            return true;
        }
        let from = text.ceil_char_boundary(step * STEP);
        let to = text.ceil_char_boundary(step * STEP + bytes.len());
        text[from..to].chars().all(is_legal)
    })
}

/// May begin a character that is not legal. Without a branch, so that it becomes vector code.
fn is_suspect(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |suspect, &b| {
        let control = b < 0x20 && b != b'\t' && b != b'\n' && b != b'\r';
        suspect | control | (b == 0x7F) | (b == 0xC2) | (b == 0xE2) | (b >= 0xEF)
    })
}

/// A character that may stand in a text as it is.
pub(super) fn is_legal(c: char) -> bool {
    !matches!(c,
        '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{7F}'..='\u{9F}'
        | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        | '\u{FDD0}'..='\u{FDEF}' | '\u{FEFF}')
        && u32::from(c) & 0xFFFE != 0xFFFE
}

/// Plain text: no tags, no scripts and style sheets, character references decoded, every run of white
/// space one blank. The end of a block and `<br>` count as white space.
pub fn plain(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    for token in Tokens::new(html) {
        match token {
            Token::Text(part) => decode_to(part, Place::Text, &mut text),
            Token::Start(tag) | Token::End(tag) if !is_inline(tag.name) => text.push(' '),
            _ => {}
        }
    }
    let text = legal(&text);
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Elements whose tags do not part words. Unknown ones are blocks: a blank too many is better than
/// two words glued together.
fn is_inline(name: &str) -> bool {
    const INLINE: &[&str] = &[
        "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "del", "dfn", "em", "font", "i", "ins",
        "kbd", "label", "mark", "nobr", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong",
        "sub", "sup", "time", "tt", "u", "var", "wbr",
    ];
    INLINE.iter().any(|inline| inline.eq_ignore_ascii_case(name))
}

/// Where a text stands: in a value, browsers leave `&copy=1` alone.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Text,
    Value,
}

/// The value of an attribute with its character references decoded, as browsers do it.
pub(super) fn value(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    decode_to(text, Place::Value, &mut out);
    Cow::Owned(out)
}

fn decode_to(text: &str, place: Place, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let reference = &rest[at + 1..];
        rest = if reference.starts_with('#') { numeric_to(reference, out) } else { named_to(reference, place, out) };
    }
    out.push_str(rest);
}

fn numeric_to<'a>(reference: &'a str, out: &mut String) -> &'a str {
    let Some((c, length)) = numeric(reference) else {
        out.push('&');
        return reference;
    };
    // no replacement character for what stands for nothing: it would only look like damage
    out.extend(c);
    &reference[length..]
}

/// The character of a numeric reference (given from its `#`) and the length of the reference; no
/// character for a surrogate or the like. U+0080 to U+009F mean what they do in windows-1252.
pub(super) fn numeric(reference: &str) -> Option<(Option<char>, usize)> {
    let body = reference.strip_prefix('#')?;
    let (digits, radix) = match body.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (body, 10),
    };
    let count = digits.bytes().take_while(|b| char::from(*b).is_digit(radix)).count();
    if count == 0 {
        return None;
    }
    let significant = digits[..count].trim_start_matches('0');
    let number = match significant.len() {
        0 => 0,
        1..=8 => u32::from_str_radix(significant, radix).ok()?,
        _ => u32::MAX,
    };
    let length = reference.len() - digits.len() + count;
    let length = length + usize::from(digits[count..].starts_with(';'));
    let c = match number {
        0x80..=0x9F => Some(WINDOWS_1252[number as usize - 0x80]),
        _ => char::from_u32(number).filter(|c| *c != '\0'),
    };
    Some((c, length))
}

const WINDOWS_1252: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}', '\u{90}', '‘', '’',
    '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
];

fn named_to<'a>(reference: &'a str, place: Place, out: &mut String) -> &'a str {
    let length = reference.bytes().take_while(u8::is_ascii_alphanumeric).count();
    let (name, rest) = reference.split_at(length);
    if let Some(rest) = rest.strip_prefix(';')
        && name_to(name, out)
    {
        return rest;
    }
    let is_value = |rest: &str| rest.starts_with(|c: char| c == '=' || c.is_ascii_alphanumeric());
    let legacy = LEGACY.iter().filter(|legacy| name.starts_with(**legacy)).max_by_key(|l| l.len());
    if let Some(legacy) = legacy
        && (place == Place::Text || !is_value(&reference[legacy.len()..]))
        && name_to(legacy, out)
    {
        return &reference[legacy.len()..];
    }
    out.push('&');
    reference
}

fn name_to(name: &str, out: &mut String) -> bool {
    let whole = format!("&{name};");
    let decoded = html_escape::decode_html_entities(&whole);
    let known = decoded != whole;
    if known {
        out.push_str(&decoded);
    }
    known
}

/// Names that browsers decode without a semicolon too.
const LEGACY: &[&str] = &[
    "amp", "lt", "gt", "quot", "nbsp", "AMP", "LT", "GT", "QUOT", "iexcl", "cent", "pound", "curren", "yen", "brvbar",
    "sect", "uml", "copy", "COPY", "ordf", "laquo", "not", "shy", "reg", "REG", "macr", "deg", "plusmn", "sup2",
    "sup3", "acute", "micro", "para", "middot", "cedil", "sup1", "ordm", "raquo", "frac14", "frac12", "frac34",
    "iquest", "Agrave", "Aacute", "Acirc", "Atilde", "Auml", "Aring", "AElig", "Ccedil", "Egrave", "Eacute", "Ecirc",
    "Euml", "Igrave", "Iacute", "Icirc", "Iuml", "ETH", "Ntilde", "Ograve", "Oacute", "Ocirc", "Otilde", "Ouml",
    "times", "Oslash", "Ugrave", "Uacute", "Ucirc", "Uuml", "Yacute", "THORN", "szlig", "agrave", "aacute", "acirc",
    "atilde", "auml", "aring", "aelig", "ccedil", "egrave", "eacute", "ecirc", "euml", "igrave", "iacute", "icirc",
    "iuml", "eth", "ntilde", "ograve", "oacute", "ocirc", "otilde", "ouml", "divide", "oslash", "ugrave", "uacute",
    "ucirc", "uuml", "yacute", "thorn", "yuml",
];

/// The text with `&`, `<`, `>` and `"` written as character references.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            _ => out.push(c),
        }
    }
    out
}
