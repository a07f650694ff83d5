//! JSON that is none: where the next item of a broken list begins, and what can be read of an item.
//!
//! A quote too many turns texts into structure and structure into text, to the end of the document.
//! So nothing is counted here: an item begins where an object begins with a word of JSON Feed, and a
//! member of it goes up to the next such word.

use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Map, Value};

/// What an item says, beside its id.
const SAID: [&str; 7] = ["url", "external_url", "title", "content_html", "content_text", "summary", "date_published"];

/// The other words of items and of feeds.
const WORDS: [&str; 17] = [
    "id",
    "image",
    "banner_image",
    "date_modified",
    "author",
    "authors",
    "tags",
    "language",
    "attachments",
    "version",
    "home_page_url",
    "feed_url",
    "description",
    "icon",
    "favicon",
    "hubs",
    "items",
];

/// Texts, in which quotes may stand; other members end at the first.
const TEXTS: [&str; 5] = ["title", "content_html", "content_text", "summary", "description"];

/// So many brackets may be followed to the end of a text in vain; where more are open, the names in them count as names
/// of what is around, and the time stays in proportion to the text.
const VAIN: usize = 64;

/// Where in a broken document its list of items begins, and the word before it.
pub(super) fn list(text: &str) -> Option<Range<usize>> {
    let (at, _) = members(text).find(|(at, word)| *word == "items" && text[at.end..].starts_with('['))?;
    Some(at)
}

/// Where the next object begins that is an item.
pub(super) fn next_item(text: &str, from: usize) -> Option<usize> {
    let starts = memchr::memchr_iter(b'{', text.as_bytes().get(from..)?).map(|at| from + at);
    starts.into_iter().find(|at| begins_item(&text[*at..]))
}

fn begins_item(text: &str) -> bool {
    let inside = &text[1..];
    let Some(word) = word(inside.trim_ascii_start()) else { return false };
    if word.0 != "id" && !SAID.contains(&word.0) {
        return false;
    }
    match Deserializer::from_str(text).into_iter::<Map<String, Value>>().next() {
        // An author or an attachment has an address too, and some have ids.
        Some(Ok(object)) => is_item(&object),
        // The next one is broken as well.
        _ => {
            word.0 == "id" && {
                let own = &inside[..memchr::memchr(b'{', inside.as_bytes()).unwrap_or(inside.len())];
                members(own).any(|(_, word)| SAID.contains(&word))
            }
        }
    }
}

/// True for an object with items in one of its lists.
pub(super) fn holds_items(value: &Value) -> bool {
    let lists = value.as_object().into_iter().flat_map(Map::values).filter_map(Value::as_array);
    lists.flatten().filter_map(Value::as_object).any(is_item)
}

fn is_item(object: &Map<String, Value>) -> bool {
    object.contains_key("id") && SAID.iter().any(|word| object.contains_key(*word))
}

/// The members of a broken object that can be told from each other.
pub(super) fn object(text: &str) -> Map<String, Value> {
    let mut found = Map::new();
    let mut places = members(text).peekable();
    while let Some((at, word)) = places.next() {
        let end = places.peek().map_or(text.len(), |(next, _)| next.start);
        if let Some(value) = value(&text[at.end..end], TEXTS.contains(&word)) {
            found.entry(word).or_insert(value);
        }
    }
    found
}

/// The words of the format that stand as names of members, each up to where its value begins.
fn members(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut from = 0;
    let mut vain = 0;
    std::iter::from_fn(move || {
        while let Some(at) = next_name(text, from) {
            let rest = &text[at..];
            let Some((word, used)) = word(rest) else {
                from = at + rest.chars().next().map_or(1, char::len_utf8);
                continue;
            };
            let value = &rest[used..];
            from = at + used;
            if value.starts_with(['{', '[']) && vain < VAIN {
                // The names in it are its own.
                let mut values = Deserializer::from_str(value).into_iter::<IgnoredAny>();
                match values.next() {
                    Some(Ok(_)) => from += values.byte_offset(),
                    _ => vain += 1,
                }
            }
            return Some((at..at + used, word));
        }
        None
    })
}

/// Where a name may begin: at a quote that is no part of a text, or bare behind a bracket or comma.
fn next_name(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    (from..bytes.len()).find(|at| match bytes[*at] {
        b'"' | b'\'' => *at == 0 || bytes[at - 1] != b'\\',
        b'a'..=b'z' => bytes[..*at].trim_ascii_end().last().is_none_or(|b| b"{,".contains(b)),
        _ => false,
    })
}

/// The word that a text begins with as the name of a member, and the bytes up to its value.
fn word(text: &str) -> Option<(&'static str, usize)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let name = &text[quote.map_or(0, |_| 1)..];
    let length = name.bytes().take_while(|b| b.is_ascii_alphabetic() || *b == b'_').count();
    let word = *SAID.iter().chain(&WORDS).find(|word| name[..length].eq_ignore_ascii_case(word))?;
    let rest = match quote {
        Some(quote) => name[length..].strip_prefix(quote)?,
        None => &name[length..],
    };
    let rest = rest.trim_ascii_start();
    // Where the colon was forgotten a text follows all the same.
    let value =
        rest.strip_prefix(':').or_else(|| rest.starts_with(['"', '[']).then_some(rest).filter(|_| quote.is_some()))?;
    Some((word, text.len() - value.trim_ascii_start().len()))
}

/// A value and what is left around it.
fn value(written: &str, is_text: bool) -> Option<Value> {
    let mut written = written.trim_ascii();
    if let Some(Ok(value)) = Deserializer::from_str(written).into_iter::<Value>().next()
        && !(is_text && value.is_string())
    {
        return Some(value);
    }
    // Up to three brackets that belong to what is around.
    for _ in 0..4 {
        written = written.trim_end_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        if let Ok(value) = serde_json::from_str(written) {
            return Some(value);
        }
        match written.strip_suffix(['}', ']']) {
            Some(rest) if !rest.is_empty() => written = rest,
            _ => break,
        }
    }
    let quote = written.chars().next().filter(|c| matches!(c, '"' | '\''));
    let inside = quote.map_or(written, |_| &written[1..]);
    let inside = match (is_text, quote) {
        (true, Some(quote)) => inside.strip_suffix(quote).unwrap_or(inside),
        (true, None) => inside.strip_suffix('"').unwrap_or(inside),
        // A bracket here is the structure of something that nobody can read any more.
        (false, _) => inside.split(['"', '\'', ',', '{', '[', '\n']).next().unwrap_or_default(),
    };
    let text = unescaped(inside);
    (!matches!(text.trim(), "" | "null" | "undefined" | "NaN")).then_some(Value::String(text))
}

/// A text with its escapes resolved, those too that JSON does not know.
pub(super) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(sign) = rest.chars().next() else { break };
        rest = &rest[sign.len_utf8()..];
        match sign {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' | 'f' => out.push(' '),
            'u' => {
                let (character, used) = unit(rest);
                out.push(character);
                rest = &rest[used..];
            }
            other => out.push(other),
        }
    }
    out + rest
}

/// The character behind `\u`, and the bytes it takes; a half one has no meaning.
fn unit(text: &str) -> (char, usize) {
    let hex = |text: &str| u16::from_str_radix(text.get(..4)?, 16).ok();
    let Some(first) = hex(text) else { return ('\u{fffd}', 0) };
    let second = text.get(4..).and_then(|rest| rest.strip_prefix("\\u")).and_then(hex);
    let pair = [first, second.unwrap_or_default()];
    match char::decode_utf16(pair).next() {
        Some(Ok(character)) => (character, if character.len_utf16() == 2 { 10 } else { 4 }),
        _ => ('\u{fffd}', 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_a_broken_object_are_told_apart() {
        let cases = [
            (
                r#"{"id":"1","title":"He said "hi", and "bye"","url":"u"}"#,
                r#"{"id":"1","title":"He said \"hi\", and \"bye\"","url":"u"}"#,
            ),
            (r#"{"id":"1,"title":"x","url":u"}"#, r#"{"id":"1","title":"x","url":"u"}"#),
            (
                r#"{"id" "1" "title":"x"  "tags":["a","b"] "url":"u"#,
                r#"{"id":"1","title":"x","tags":["a","b"],"url":"u"}"#,
            ),
            (r#"{'id':'1',title:'it\'s',url:"u",content_text:undefined}"#, r#"{"id":"1","title":"it's","url":"u"}"#),
            (
                r#"{"id":7,"title":"a\ud83d","summary":"\ud83d\ude00 \x \u12","content_html":"<a href=\"title\":>"}"#,
                r#"{"id":7,"title":"a�","summary":"😀 x �12","content_html":"<a href=\"title\":>"}"#,
            ),
            (
                r#""id":"1","authors":[{"name":"A"}],"title":"x}]}"#,
                r#"{"id":"1","authors":[{"name":"A"}],"title":"x"}"#,
            ),
            (
                r#"{"author":{"name":"A","url":"a"},"url":"u","title":"x" x}"#,
                r#"{"author":{"name":"A","url":"a"},"url":"u","title":"x\" x"}"#,
            ),
            (r#"{"tags":["title","url"],"x":"summary","title":"t"#, r#"{"tags":["title","url"],"title":"t"}"#),
        ];
        for (written, expected) in cases {
            let expected: Value = serde_json::from_str(expected).expect(expected);
            assert_eq!(Value::Object(object(written)), expected, "{written}");
        }
    }

    #[test]
    fn open_brackets_are_not_followed_for_ever() {
        let text = "{\"items\":[".repeat(50_000);
        assert_eq!(object(&text).get("items"), None);
        assert_eq!(members(&text).count(), 50_000);
    }

    #[test]
    fn items_are_told_from_other_objects() {
        let text = r#"{"id":"1","authors":[{"url":"a"},{"id":1,"name":"b"}],"x":{"title":5},"url":"u"},{"title":"t","id":"2"}"#;
        assert_eq!(next_item(text, 0), Some(0));
        assert_eq!(next_item(text, 1), text.find("{\"title\":\"t"));
        assert_eq!(next_item(r#"  {"id":"1","title":"a"b"}"#, 0), Some(2));
        assert_eq!(list(r#"{"title":"a "b" , "items" : [{"#), Some(18..28));
    }
}
