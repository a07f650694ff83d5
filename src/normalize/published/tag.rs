//! A start tag of proved HTML, taken apart so that it can be changed.

use std::borrow::Cow;

use crate::normalize::{allow, text};

/// What the strict scan proved is the whole grammar: names in lower case, values in quotes.
pub(super) struct StartTag<'a> {
    pub name: &'a str,
    attributes: Vec<Attribute<'a>>,
    /// What stands behind the last attribute: `>`, `/>` or ` />`.
    tail: &'a str,
    pub is_changed: bool,
}

struct Attribute<'a> {
    name: Cow<'a, str>,
    value: Value<'a>,
}

enum Value<'a> {
    None,
    /// With its character references, between these quotes.
    Written(&'a str, char),
    /// Plain.
    New(String),
}

impl<'a> StartTag<'a> {
    /// Of a tag from `<` to `>`.
    pub fn parse(whole: &'a str) -> Self {
        let mut written = Attributes::of(whole);
        let attributes = written
            .by_ref()
            .map(|(name, value)| {
                let value = value.map_or(Value::None, |(value, quote)| Value::Written(value, quote));
                Attribute { name: Cow::Borrowed(name), value }
            })
            .collect();
        Self { name: name_of(whole), attributes, tail: written.rest, is_changed: false }
    }

    pub fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|attribute| attribute.name == name)
    }

    /// The plain value; empty when it has none.
    pub fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let attribute = self.attributes.iter().find(|attribute| attribute.name == name)?;
        Some(match &attribute.value {
            Value::None => Cow::Borrowed(""),
            Value::Written(written, _) => text::value(written),
            Value::New(plain) => Cow::Borrowed(plain),
        })
    }

    pub fn set(&mut self, name: &'static str, plain: String) {
        let value = Value::New(plain);
        match self.attributes.iter_mut().find(|attribute| attribute.name == name) {
            Some(attribute) => attribute.value = value,
            None => self.attributes.push(Attribute { name: Cow::Borrowed(name), value }),
        }
        self.is_changed = true;
    }

    /// Adds an attribute without a value.
    pub fn flag(&mut self, name: &'static str) {
        self.attributes.push(Attribute { name: Cow::Borrowed(name), value: Value::None });
        self.is_changed = true;
    }

    pub fn remove(&mut self, name: &str) {
        let before = self.attributes.len();
        self.attributes.retain(|attribute| attribute.name != name);
        self.is_changed |= self.attributes.len() < before;
    }

    /// The tag as it is now; what was not touched stays as written.
    pub fn write_to(&self, out: &mut String) {
        out.extend(["<", self.name]);
        for Attribute { name, value } in &self.attributes {
            out.extend([" ", name]);
            match value {
                Value::None => {}
                Value::Written(written, quote) => {
                    out.push('=');
                    out.push(*quote);
                    out.push_str(written);
                    out.push(*quote);
                }
                Value::New(plain) => out.extend(["=\"", &escaped(plain), "\""]),
            }
        }
        out.push_str(if self.tail.is_empty() { ">" } else { self.tail });
    }
}

/// The name of a tag.
pub(super) fn name_of(whole: &str) -> &str {
    &whole[1..name_end(whole, 1)]
}

fn name_end(whole: &str, from: usize) -> usize {
    let in_name = |b: &u8| !matches!(b, b' ' | b'\t' | b'\n' | b'/' | b'>' | b'=');
    from + whole.as_bytes()[from..].iter().take_while(|b| in_name(b)).count()
}

/// The value of an attribute as written, without taking the whole tag apart.
pub(super) fn written<'a>(whole: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = Attributes::of(whole).find(|attribute| attribute.0 == name)?;
    Some(value.map_or("", |(value, _)| value))
}

/// Names with values as written and their quotes.
struct Attributes<'a> {
    rest: &'a str,
}

impl<'a> Attributes<'a> {
    fn of(whole: &'a str) -> Self {
        Self { rest: &whole[name_end(whole, 1)..] }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, Option<(&'a str, char)>);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.trim_ascii_start();
        let end = name_end(rest, 0);
        if end == 0 {
            return None;
        }
        let (name, rest) = rest.split_at(end);
        self.rest = rest;
        let Some(quote) = rest.strip_prefix('=').and_then(|rest| rest.chars().next()) else {
            return Some((name, None));
        };
        let (value, rest) = rest[1 + quote.len_utf8()..].split_once(quote)?;
        self.rest = rest;
        Some((name, Some((value, quote))))
    }
}

/// A plain text as it may stand in a body and in its values.
pub(super) fn escaped(plain: &str) -> String {
    text::escape(plain).replace('{', allow::BRACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_touched_stays_as_written() {
        for same in [
            "<br>",
            "<br/>",
            "<br />",
            "<p class=\"a\" title='b \"c\" > d'>",
            "<video controls src=\"a&amp;b\" loop>",
            "<img alt=\"\" data-x src='/'/>",
        ] {
            let mut out = String::new();
            StartTag::parse(same).write_to(&mut out);
            assert_eq!(out, same);
        }
    }

    #[test]
    fn changing() {
        let mut tag = StartTag::parse("<img src='a&amp;b' data-src alt=\"&#123;\"/>");
        assert_eq!(tag.get("src").as_deref(), Some("a&b"));
        assert_eq!(tag.get("data-src").as_deref(), Some(""));
        assert_eq!(tag.get("class"), None);
        tag.remove("class");
        assert!(!tag.is_changed);
        tag.set("src", "x?{&\"".into());
        tag.set("title", "`".into());
        tag.remove("data-src");
        assert!(tag.is_changed && !tag.has("data-src"));
        let mut out = String::new();
        tag.write_to(&mut out);
        assert_eq!(out, "<img src=\"x?&#123;&amp;&quot;\" alt=\"&#123;\" title=\"&#96;\"/>");
    }
}
