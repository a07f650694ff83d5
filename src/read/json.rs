//! JSON Feed 1.0 and 1.1 as people write it: ids that are numbers, tags in one text, no version,
//! raw line feeds, commas too many, a document that ends in the middle.
//!
//! The document is taken apart by its brackets first, so each item is read alone and a bad one
//! costs itself; what can be read of that one is in `loose`. feed-rs is not asked here: it refuses the
//! whole document for any of these, and of a good one it reads nothing that is not read here.

use std::collections::HashSet;
use std::ops::Range;

use serde_json::{Deserializer, Map, Value};
use url::Url;

use super::damage::Damage;
use super::element::ELEMENTS;
use super::envelope::{Envelope, REST};
use super::{RawDate, RawEntry, RawLink, RawMeta, RawText, loose};
use crate::model::Enclosure;

/// What a JSON document says.
#[derive(Debug, Default)]
pub(super) struct JsonFeed {
    pub entries: Vec<RawEntry>,
    pub meta: RawMeta,
    /// Names for entries without author.
    pub authors: Vec<String>,
    pub envelope: Envelope,
    pub damages: Vec<Damage>,
    /// Items that could not be read, each with the reason.
    pub lost: Vec<String>,
    pub total: usize,
}

/// True for a document that begins like a JSON object.
pub(super) fn is_json(text: &str) -> bool {
    begin(text).starts_with('{')
}

fn begin(text: &str) -> &str {
    text.trim_start_matches(|c: char| c == '\u{feff}' || c.is_ascii_whitespace())
}

/// The JSON in a document that begins with something else: a warning of PHP, `callback(`, `[`.
pub(super) fn within(text: &str) -> Option<&str> {
    let list = loose::list(text)?;
    let start = text[..list.start].find('{')?;
    Some(&text[start..])
}

/// Reads a document; `None` when it has no list of items.
pub(super) fn read(text: &str, base: &Url, most: usize) -> Option<JsonFeed> {
    let text = begin(text);
    let (members, end) = members(text);
    let is_whole = end.is_some();
    let list = list_of_items(text, &members).cloned();
    let is_listed = list.is_some();
    let list = list.or_else(|| loose::list(text).map(|at| at.end..text.len()))?;
    // Brackets that were miscounted leave items behind; a second document is another matter.
    let is_left = |end: usize| !begin(&text[end..]).starts_with('{') && loose::next_item(text, end).is_some();
    let is_only = lists(text, &members).filter(|at| has_object(text, at)).count() <= 1;
    let is_sound = is_listed && is_only && end.is_some_and(|end| !is_left(end));
    let mut feed = JsonFeed { envelope: around(text, &list, is_sound), ..JsonFeed::default() };
    let end = Some(list.end).filter(|_| is_sound);
    let mut items = Items::of(text, list.start + 1, end);
    for (number, (at, value)) in items.by_ref().enumerate() {
        feed.total += 1;
        if number < most {
            feed.take(&text[at], value, base);
        }
    }
    let said = members.iter().filter(|(key, _)| is_listed && *key != "items");
    let mut said: Map<String, Value> =
        said.filter_map(|(key, at)| Some(((*key).to_owned(), lenient(&text[at.clone()])?.0))).collect();
    if !is_sound {
        for (word, value) in
            [&text[..list.start], &text[items.at.min(text.len())..]].map(loose::object).into_iter().flatten()
        {
            said.entry(word).or_insert(value);
        }
    }
    feed.meta = meta(&said);
    feed.authors = authors(&said);
    if !items.is_whole || !(is_whole || text.trim_ascii_end().ends_with('}')) {
        feed.damages.push(Damage::CutOff);
    }
    if !items.is_clean || !is_sound {
        feed.damages.push(Damage::Refused);
    }
    if feed.total > most {
        feed.damages.push(Damage::Many);
    }
    feed.damages.sort_unstable();
    feed.damages.dedup();
    Some(feed)
}

impl JsonFeed {
    /// One item; `value` where it was written as JSON has to be.
    fn take(&mut self, source: &str, value: Option<Value>, base: &Url) {
        let item = match value {
            Some(Value::Object(item)) => Some(item),
            Some(_) => None,
            None => {
                self.damages.push(Damage::Refused);
                match serde_json::from_str(&cleaned(source)) {
                    Ok(item) => Some(item),
                    Err(_) => Some(loose::object(source))
                        .filter(|item| ["id", "url", "title"].iter().any(|word| item.contains_key(*word))),
                }
            }
        };
        match item {
            Some(item) => self.entries.push(entry(&item, source, base)),
            None => self.lost.push(format!("item {} of the document is no JSON object", self.total)),
        }
    }
}

/// The items of a list, good and bad.
struct Items<'t> {
    text: &'t str,
    at: usize,
    /// Where the list ends, when its brackets can be believed.
    end: Option<usize>,
    /// The list ends as it has to.
    is_whole: bool,
    /// Nothing stands between items that does not belong there.
    is_clean: bool,
    /// Where the next item after a place was found.
    next: Option<(usize, Option<usize>)>,
}

impl<'t> Items<'t> {
    fn of(text: &'t str, at: usize, end: Option<usize>) -> Self {
        Self { text, at, end, is_whole: false, is_clean: true, next: None }
    }

    /// Where the next item begins, at or behind a place.
    fn next_item(&mut self, from: usize) -> Option<usize> {
        match self.next {
            Some((asked, found)) if asked <= from && found.is_none_or(|found| from <= found) => found,
            _ => {
                let found = loose::next_item(self.text, from);
                self.next = Some((from, found));
                found
            }
        }
    }

    /// Where a broken item ends: by its own brackets, unless another begins before that; `None` when the
    /// document ends in it.
    fn broken_end(&mut self, from: usize) -> Option<usize> {
        let next = self.next_item(from + 1);
        let is_object = self.text[from..].starts_with('{');
        // Nobody looks behind the next item: a row of open brackets would be read to its end for each of them.
        let near = &self.text[..next.unwrap_or(self.text.len())];
        let own = value_end(near, from).filter(|_| is_object);
        let last = || {
            let is_ended = self.text.trim_ascii_end().ends_with(['}', ']']);
            self.text.rfind(']').filter(|end| is_ended && *end > from)
        };
        let end = own.or(next).or_else(last)?;
        let text = self.text[from..end].trim_end_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        Some(from + text.len().max(1))
    }
}

impl Iterator for Items<'_> {
    type Item = (Range<usize>, Option<Value>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let at = skip(self.text, self.at, b",");
            self.at = at;
            let rest = &self.text[at..];
            let first = *rest.as_bytes().first()?;
            if first == b']' {
                // Not the end of the list, when items come behind it.
                let next = if self.end == Some(at + 1) { None } else { self.next_item(at + 1) };
                let Some(next) = next else {
                    self.is_whole = true;
                    return None;
                };
                (self.at, self.is_clean) = (next, false);
                continue;
            }
            let mut values = Deserializer::from_str(rest).into_iter::<Value>();
            let value = values.next().and_then(Result::ok);
            let end = at + values.byte_offset();
            // An item whose bracket was lost begins with a name.
            let is_name = first == b'"' && self.text[skip(self.text, end, b"")..].starts_with(':');
            // A list in it that lost its end holds the items that follow.
            let swallows = self.end.is_none() && value.as_ref().is_some_and(loose::holds_items);
            if value.is_some() && !is_name && !swallows {
                self.at = end;
                return Some((at..end, value));
            }
            self.is_clean = false;
            self.at = self.broken_end(at)?;
            if first == b'{' || is_name {
                return Some((at..self.at, None));
            }
        }
    }
}

/// The envelope that a stored one was.
pub(super) fn envelope(text: &str) -> Option<Envelope> {
    let (members, end) = members(text);
    Some(around(text, list_of_items(text, &members)?, end.is_some()))
}

/// Where the items are, should there be several lists of that name: in the first that begins with an object, since items
/// behind its end are found as well; else in the longest.
fn list_of_items<'m>(text: &str, members: &'m [(&str, Range<usize>)]) -> Option<&'m Range<usize>> {
    let first = lists(text, members).find(|at| has_object(text, at));
    first.or_else(|| lists(text, members).max_by_key(|at| at.len()))
}

/// The lists of that name. A sign of two bytes in the place of one must not be cut in half.
fn lists<'m>(text: &str, members: &'m [(&str, Range<usize>)]) -> impl Iterator<Item = &'m Range<usize>> {
    let named = members.iter().filter(|(key, _)| *key == "items").map(|(_, at)| at);
    named.filter(|at| text[at.start..].starts_with('['))
}

fn has_object(text: &str, list: &Range<usize>) -> bool {
    begin(&text[list.start + 1..list.end]).starts_with('{')
}

fn around(text: &str, items: &Range<usize>, is_whole: bool) -> Envelope {
    let (start, rest) = (&text[..=items.start], &text[items.end..]);
    if is_whole && start.len() + rest.len() <= REST {
        Envelope::new(start, "", &["]", rest.trim_ascii_end()].concat())
    } else {
        Envelope::new("{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"\",\"items\":[", "", "]}")
    }
}

/// Keys of an object with the places of their values, and where it ends.
fn members(text: &str) -> (Vec<(&str, Range<usize>)>, Option<usize>) {
    let mut found = Vec::new();
    let mut at = skip(text, 0, b"{");
    loop {
        at = skip(text, at, b",");
        match text.as_bytes().get(at) {
            Some(b'"') => {}
            Some(b'}') => return (found, Some(at + 1)),
            _ => return (found, None),
        }
        let Some(end) = value_end(text, at) else { return (found, None) };
        let key = &text[at + 1..end - 1];
        let from = skip(text, end, b":");
        let Some(end) = value_end(text, from) else {
            found.push((key, from..text.len()));
            return (found, None);
        };
        found.push((key, from..end));
        at = end;
    }
}

/// Passes over white space and these signs.
fn skip(text: &str, from: usize, signs: &[u8]) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    from + rest.iter().take_while(|b| b.is_ascii_whitespace() || signs.contains(b)).count()
}

/// Behind the value that begins here, by its brackets and quotes; always further on than `from`.
fn value_end(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open = 0_usize;
    let mut at = from;
    loop {
        match *bytes.get(at)? {
            b'"' => {
                at += 1;
                while *bytes.get(at)? != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'{' | b'[' => open += 1,
            b'}' | b']' if open > 0 => open -= 1,
            // The end of what is around: a value is missing here.
            b'}' | b']' | b',' if open == 0 => return Some(at.max(from + 1)).filter(|end| text.is_char_boundary(*end)),
            _ if open == 0 => {
                let word = bytes[at..].iter().take_while(|b| !b",]} \t\r\n".contains(b)).count();
                return Some(at + word.max(1)).filter(|end| text.is_char_boundary(*end));
            }
            _ => {}
        }
        at += 1;
        if open == 0 {
            return Some(at);
        }
    }
}

/// A value, and whether it was written as JSON has to be.
fn lenient(source: &str) -> Option<(Value, bool)> {
    match serde_json::from_str(source) {
        Ok(value) => Some((value, true)),
        Err(_) => serde_json::from_str(&cleaned(source)).ok().map(|value| (value, false)),
    }
}

/// Without raw control characters and halves of characters in texts, and without commas before a
/// closing bracket.
fn cleaned(source: &str) -> String {
    let source = &without_halves(source);
    let mut out = String::with_capacity(source.len());
    let mut is_text = false;
    let mut is_escaped = false;
    for c in source.chars() {
        match c {
            '"' if !is_escaped => is_text = !is_text,
            '}' | ']' if !is_text => {
                let kept = out.trim_end().trim_end_matches(',').len();
                out.truncate(kept);
            }
            _ => {}
        }
        is_escaped = is_text && c == '\\' && !is_escaped;
        match c {
            '\n' if is_text => out.push_str("\\n"),
            c if c < ' ' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Without escapes of surrogates that have no partner: whoever cuts a text by UTF-16 units leaves
/// half of an emoji at its end (RFC 8259 section 8.2).
fn without_halves(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        // An escape is a backslash and what it escapes.
        let mut end = rest.char_indices().nth(2).map_or(rest.len(), |(end, _)| end);
        let kept = match surrogate(rest) {
            None => true,
            Some(0xD800..=0xDBFF) => {
                let is_pair = matches!(surrogate(&rest[6..]), Some(0xDC00..=0xDFFF));
                end = if is_pair { 12 } else { 6 };
                is_pair
            }
            Some(_) => {
                end = 6;
                false
            }
        };
        out.push_str(if kept { &rest[..end] } else { "" });
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// The surrogate whose escape stands at the beginning.
fn surrogate(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok().filter(|unit| (0xD800..=0xDFFF).contains(unit))
}

fn entry(item: &Map<String, Value>, source: &str, base: &Url) -> RawEntry {
    let text = |key: &str| said(item, key);
    let links = ["url", "external_url"].into_iter().filter_map(text);
    let dates = [("date_published", 0), ("date_modified", super::names::FIRST_UPDATE)];
    let plain = |key: &str| text(key).map(RawText::Plain);
    RawEntry {
        guid: text("id"),
        links: links.map(|link| RawLink { href: absolute(base, &link), rel: None }).collect(),
        title: plain("title"),
        content: text("content_html").map(RawText::Markup).or_else(|| plain("content_text")),
        summary: plain("summary"),
        authors: authors(item),
        categories: list(item.get("tags")),
        language: text("language"),
        enclosures: attachments(item, base),
        thumbnail: text("image").or_else(|| text("banner_image")).map(|image| absolute(base, &image)),
        dates: dates.into_iter().filter_map(|(key, rank)| Some(RawDate { rank, text: text(key)? })).collect(),
        source: Some(source.to_owned()),
        ..RawEntry::default()
    }
}

fn absolute(base: &Url, address: &str) -> String {
    base.join(address).map_or_else(|_| address.to_owned(), String::from)
}

fn meta(feed: &Map<String, Value>) -> RawMeta {
    let text = |key: &str| said(feed, key);
    let hubs = feed.get("hubs").and_then(Value::as_array).into_iter().flatten();
    RawMeta {
        title: text("title").map(RawText::Plain),
        link: text("home_page_url"),
        feed: text("feed_url"),
        language: text("language"),
        icon: text("favicon").or_else(|| text("icon")),
        hubs: hubs.filter_map(|hub| said(hub.as_object()?, "url")).collect(),
        ..RawMeta::default()
    }
}

/// A member as text; a number counts as one.
fn said(object: &Map<String, Value>, key: &str) -> Option<String> {
    let text = match object.get(key)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// Version 1.1's `authors`, version 1.0's `author`; a bare name in place of an object.
fn authors(object: &Map<String, Value>) -> Vec<String> {
    let many = object.get("authors").and_then(Value::as_array).into_iter().flatten();
    let (mut names, mut seen) = (Vec::new(), HashSet::new());
    for author in many.chain(object.get("author")) {
        let name = match author {
            Value::Object(author) => said(author, "name"),
            Value::String(name) => Some(name.trim().to_owned()).filter(|name| !name.is_empty()),
            _ => None,
        };
        names.extend(name.filter(|name| seen.insert(name.clone())));
    }
    names.truncate(ELEMENTS);
    names
}

/// A list, or one text with commas.
fn list(value: Option<&Value>) -> Vec<String> {
    let texts: Vec<&str> = match value {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => text.split(',').collect(),
        _ => Vec::new(),
    };
    let texts = texts.into_iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    texts.take(ELEMENTS).collect()
}

fn attachments(item: &Map<String, Value>, base: &Url) -> Vec<Enclosure> {
    let found = item.get("attachments").and_then(Value::as_array).into_iter().flatten();
    let read = |attachment: &Value| {
        let attachment = attachment.as_object()?;
        Some(Enclosure {
            url: absolute(base, &said(attachment, "url")?),
            media_type: said(attachment, "mime_type"),
            length: said(attachment, "size_in_bytes").and_then(|bytes| bytes.parse().ok()),
        })
    };
    found.filter_map(read).take(ELEMENTS).collect()
}

#[cfg(test)]
mod tests;
