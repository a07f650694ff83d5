//! The characters that may be in any text, and what stands for characters in HTML.

use std::borrow::Cow;

use memchr::memchr;

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
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].first_chunk().is_some_and(is_ascii_text) {
            at += NEAR;
            continue;
        }
        let to = bytes.len().min(at + NEAR);
        while at < to {
            at = behind_plain(bytes, at, to);
            if at < to {
                let Some(c) = text[at..].chars().next().filter(|c| is_legal(*c)) else { return false };
                at += c.len_utf8();
            }
        }
    }
    true
}

/// Bytes that are looked at together.
pub(super) const NEAR: usize = 32;

/// ASCII that is legal. Without a branch, so that it becomes vector code.
fn is_ascii_text(bytes: &[u8; NEAR]) -> bool {
    let is_text = |b: u8| (b' '..0x7F).contains(&b) | (b == b'\t') | (b == b'\n') | (b == b'\r');
    bytes.iter().fold(true, |all, b| all & is_text(*b))
}

/// Goes on from the beginning of a character over those that are legal and no white space.
pub(super) fn behind_plain(bytes: &[u8], mut at: usize, to: usize) -> usize {
    while at < to {
        match PLAIN[usize::from(bytes[at])] {
            0 => break,
            length => at += usize::from(length),
        }
    }
    at
}

/// The lengths of characters by their first bytes; 0 for one that may be illegal or white space.
static PLAIN: [u8; 256] = {
    let mut lengths = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        lengths[byte] = match byte {
            0x21..=0x7E => 1,
            0xC3..=0xDF => 2,
            0xE0 | 0xE4..=0xEE => 3,
            _ => 0,
        };
        byte += 1;
    }
    lengths
};

/// A character that may stand in a text as it is.
pub(super) fn is_legal(c: char) -> bool {
    !matches!(c,
        '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{7F}'..='\u{9F}'
        | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        | '\u{FDD0}'..='\u{FDEF}' | '\u{FEFF}')
        && u32::from(c) & 0xFFFE != 0xFFFE
}

/// Where a text stands: in a value, browsers leave `&copy=1` alone.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Place {
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

pub(super) fn decode_to(text: &str, place: Place, out: &mut String) {
    let mut rest = text;
    while let Some(at) = memchr(b'&', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = reference_to(&rest[at + 1..], place, out);
    }
    out.push_str(rest);
}

/// Writes what the reference stands for that begins here, behind its `&`; what follows it is left.
pub(super) fn reference_to<'a>(reference: &'a str, place: Place, out: &mut String) -> &'a str {
    if reference.starts_with('#') { numeric_to(reference, out) } else { named_to(reference, place, out) }
}

fn numeric_to<'a>(reference: &'a str, out: &mut String) -> &'a str {
    let Some((c, length)) = character(reference) else {
        out.push('&');
        return reference;
    };
    // no replacement character for what stands for nothing: it would only look like damage
    out.extend(c);
    &reference[length..]
}

/// The text without numeric references that stand for no character; two that stand for the halves of
/// one (`&#55357;&#56832;`, as old software wrote emoji) become that character.
pub(super) fn mended(text: &str) -> Cow<'_, str> {
    if !text.contains("&#") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("&#") {
        let reference = &rest[at + 1..];
        out.push_str(&rest[..at]);
        rest = reference;
        match numeric(reference) {
            Some((number, _)) if number == 0 || char::from_u32(number).is_none() => {
                rest = numeric_to(reference, &mut out);
            }
            _ => out.push('&'),
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character of a numeric reference (given from its `#`), if it stands for one, and the length of
/// the reference. U+0080 to U+009F mean what they do in windows-1252.
fn character(reference: &str) -> Option<(Option<char>, usize)> {
    let (number, length) = numeric(reference)?;
    let c = match number {
        0 => None,
        0x80..=0x9F => Some(WINDOWS_1252[number as usize - 0x80]),
        0xD800..=0xDBFF => {
            let second = reference[length..].strip_prefix('&').and_then(numeric);
            if let Some((low @ 0xDC00..=0xDFFF, more)) = second {
                let joined = 0x1_0000 + ((number - 0xD800) << 10) + (low - 0xDC00);
                return Some((char::from_u32(joined), length + 1 + more));
            }
            None
        }
        _ => char::from_u32(number),
    };
    Some((c, length))
}

/// The number of a numeric reference (given from its `#`), and the length of the reference.
pub(super) fn numeric(reference: &str) -> Option<(u32, usize)> {
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
    Some((number, length + usize::from(digits[count..].starts_with(';'))))
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
    // Looking them up means asking for memory twice, and these are nearly all there are.
    let common = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "nbsp" => '\u{a0}',
        _ => '\0',
    };
    if common != '\0' {
        out.push(common);
        return true;
    }
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

/// The text with what means something in text or in a value written as character references.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '`' => out.push_str("&#96;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn fast_scans_find_what_slow_ones_find(text in ODD) {
            prop_assert_eq!(all_legal(&text), text.chars().all(is_legal));
        }
    }

    /// Texts of characters from the borders of what is legal and what is white space.
    const ODD: &str = "([a文，“ ]{0,70}[\\t\\n\u{1f}\u{7f}\u{85}\u{9f}\u{a0}\u{ad}\u{1680}\u{2000}\u{2008}\u{200f}\u{2027}\u{2028}\u{202e}\u{202f}\u{205f}\u{2065}\u{2066}\u{2069}\u{206a}\u{3000}\u{3001}\u{fd3f}\u{fdcf}\u{fdd0}\u{fdef}\u{fdf0}\u{fefe}\u{feff}\u{ff00}\u{fffd}\u{fffe}\u{1f3fe}\u{1fffd}\u{1fffe}\u{10fffd}\u{10ffff}]{0,2}){0,3}";

    #[test]
    fn legal_text_is_not_touched() {
        for same in ["", "a\tb\nc\r\n", "中文，“测试”…　。", "é\u{a0}ß", "\u{200f}שלום", "😀👩‍💻", "\u{fffd}"]
        {
            assert!(matches!(legal(same), Cow::Borrowed(kept) if kept == same), "{same}");
        }
    }

    #[test]
    fn illegal_characters_go() {
        assert_eq!(legal("a\0\u{b}\u{1f}\u{7f}\u{80}\u{9f}b"), "ab");
        assert_eq!(legal("a\u{85}b\u{2028}c\u{2029}d"), "a\nb\nc\nd");
        assert_eq!(legal("\u{feff}a\u{fffe}\u{ffff}\u{fdd0}\u{1ffff}\u{10fffe}b"), "ab");
        assert_eq!(legal("jpg\u{202e}exe\u{202c}\u{2066}\u{2069}"), "jpgexe");
        // wherever it stands in a long text
        for before in 0..200 {
            let text = format!("{}é\u{202e}{}", "文".repeat(before), "x".repeat(70));
            assert_eq!(legal(&text), text.replace('\u{202e}', ""));
        }
    }

    #[test]
    fn values_are_not_text() {
        assert_eq!(value("?a=1&copy=2&amp;b&ampc;&lt"), "?a=1&copy=2&b&ampc;<");
        assert_eq!(value("&#106;s&colon;"), "js:");
    }

    #[test]
    fn references_to_nothing_are_mended() {
        assert_eq!(mended("a&#0;b&#xD83D;&#xDE00;c&#xDE00;&#65;&#x;&amp;"), "ab😀c&#65;&#x;&amp;");
    }
}
