//! The reader of posts; the second door to serde_yaml.

use std::fmt;

use serde::de::{Deserialize, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_yaml::{Mapping, Value};

use super::{key_of_link, strict};
use crate::model::{Enclosure, EntryKey, Post, Timestamp};

/// Why a file cannot be read as a post.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PostError {
    /// It does not begin with front matter.
    #[error("no front matter between two lines `---`")]
    NoFrontMatter,
    /// The front matter is not a YAML mapping.
    #[error("the front matter is not YAML: {0}")]
    Yaml(String),
    /// A needed key is missing or has another type.
    #[error("the front matter has no usable `{0}`")]
    Key(&'static str),
    /// Bytes that are no text, such as a picture.
    #[error("not a text file")]
    NotText,
    /// Neither front matter nor anything else.
    #[error("the file is empty")]
    Empty,
}

/// Reads the text of a post file.
pub fn from_text(text: &str) -> Result<Post, PostError> {
    match strict::read(text) {
        Some((post, rest)) => Ok(Post { body: body(rest).to_owned(), ..post }),
        None => by_yaml(text),
    }
}

/// The same for front matter in any words.
pub(super) fn by_yaml(text: &str) -> Result<Post, PostError> {
    let (front, rest) = split(text).ok_or(PostError::NoFrontMatter)?;
    let front: Mapping = serde_yaml::from_str(front).map_err(|e| PostError::Yaml(e.to_string()))?;
    let from = string(&front, "from").unwrap_or_default();
    let key = string(&front, "key").and_then(|hex| EntryKey::from_hex(&hex)).or_else(|| key_of_link(&from));
    let date = string(&front, "date").ok_or(PostError::Key("date"))?;
    Ok(Post {
        title: string(&front, "title").ok_or(PostError::Key("title"))?,
        date: Timestamp::parse_rfc3339(&date).ok_or(PostError::Key("date"))?,
        author: string(&front, "author").unwrap_or_default(),
        tags: strings(&front, "tags"),
        categories: strings(&front, "categories"),
        updated: string(&front, "updated").and_then(|t| Timestamp::parse_rfc3339(&t)),
        lang: string(&front, "lang"),
        enclosures: enclosures(&front),
        claimed: string(&front, "claimed"),
        key: key.ok_or(PostError::Key("key"))?,
        body: body(rest).to_owned(),
        from,
    })
}

fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let front = text.strip_prefix("---\n")?;
    let end = front.find("\n---\n")?;
    Some((&front[..=end], &front[end + "\n---\n".len()..]))
}

/// What stands between the `<div>` and `</div>` lines of the writer; what somebody noted below them is not the entry's.
fn body(rest: &str) -> &str {
    let start = memchr::memmem::find(rest.as_bytes(), b"\n<div>\n").map_or(0, |at| at + "\n<div>\n".len());
    let inner = &rest[start..];
    if let Some(inner) = inner.strip_suffix(super::TAIL) {
        return inner;
    }
    let is_end = |at: &usize| inner[at + "\n</div>".len()..].lines().next().is_none_or(|line| line.trim().is_empty());
    match memchr::memmem::rfind_iter(inner.as_bytes(), b"\n</div>").find(is_end) {
        Some(end) => &inner[..end],
        None => inner.strip_suffix('\n').unwrap_or(inner),
    }
}

fn string(front: &Mapping, key: &str) -> Option<String> {
    text(front.get(key)?)
}

fn strings(front: &Mapping, key: &str) -> Vec<String> {
    match front.get(key) {
        Some(Value::Sequence(items)) => items.iter().filter_map(text).collect(),
        Some(value) => text(value).into_iter().collect(),
        None => Vec::new(),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn enclosures(front: &Mapping) -> Vec<Enclosure> {
    front.get("enclosures").and_then(|value| serde_yaml::from_value(value.clone()).ok()).unwrap_or_default()
}

/// A value of anybody's front matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// Null.
    Nothing,
    /// A string.
    Text(String),
    /// A list of strings.
    List(Vec<String>),
    /// What YAML takes for a number, a truth value, a mapping or a list of such. Whoever wrote
    /// `title: 1e3` or `title: [图]` meant the characters: they are to be read as written.
    AsWritten,
}

/// The mapping of anybody's front matter, in its order. Unlike a `Mapping` it may hold a key twice.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) Vec<(String, Field)>);

/// Anybody's front matter as YAML; `None` when it is none, or would take too long.
pub(super) fn fields(front: &str) -> Option<Fields> {
    if front.trim().is_empty() {
        return Some(Fields::default());
    }
    if !is_tame(front) {
        return None;
    }
    serde_yaml::from_str(front).ok()
}

/// Nobody's front matter is longer than this, or needs more of what makes the YAML reader slow:
/// its time grows with the square of the depth (16,000 times `[` take 0.2 s), and a list of
/// references to a list has the product of both lengths (16 KiB are enough for 9 million items).
const MOST_BYTES: usize = 16 * 1024;
const MOST_OPENED: usize = 256;
const MOST_REFERENCES: usize = 8;

fn is_tame(front: &str) -> bool {
    let count = |wanted: &[u8]| front.bytes().filter(|b| wanted.contains(b)).count();
    front.len() <= MOST_BYTES && count(b"[{") <= MOST_OPENED && count(b"*") <= MOST_REFERENCES
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_unit<E>(self) -> Result<Fields, E> {
        Ok(Fields::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some((key, value)) = map.next_entry()? {
            if let Field::Text(key) = key {
                fields.push((key, value));
            }
        }
        Ok(Fields(fields))
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Field, E> {
        Ok(Field::Nothing)
    }

    fn visit_str<E>(self, text: &str) -> Result<Field, E> {
        Ok(Field::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Field, E> {
        Ok(Field::AsWritten)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Field, E> {
        Ok(Field::AsWritten)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Field, E> {
        Ok(Field::AsWritten)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Field, E> {
        Ok(Field::AsWritten)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Field, E> {
        Ok(Field::AsWritten)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Field, E> {
        Ok(Field::AsWritten)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Field, A::Error> {
        let mut texts = Some(Vec::new());
        while let Some(item) = seq.next_element()? {
            texts = match (texts, item) {
                (Some(mut texts), Field::Text(text)) => {
                    texts.push(text);
                    Some(texts)
                }
                (Some(mut texts), Field::List(inner)) => {
                    texts.extend(inner);
                    Some(texts)
                }
                (texts, Field::Nothing) => texts,
                _ => None,
            };
        }
        Ok(texts.map_or(Field::AsWritten, Field::List))
    }

    /// `author: { name: … }` means the name; other mappings are read as written (`[ a: b ]` is one).
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Field, A::Error> {
        let mut found = Field::AsWritten;
        while let Some((key, value)) = map.next_entry::<Field, Field>()? {
            if let (Field::Text(key), Field::Text(_)) = (&key, &value)
                && key == "name"
            {
                found = value;
            }
        }
        Ok(found)
    }

    /// A value with a tag of its own: `!x value`.
    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Field, A::Error> {
        let (_, value) = data.variant::<String>()?;
        value.newtype_variant()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(yaml: &str) -> Field {
        fields(&format!("x: {yaml}\n")).and_then(|fields| fields.0.into_iter().next()).expect("field").1
    }

    #[test]
    fn values_are_strings_lists_or_as_written() {
        let text = |t: &str| Field::Text(t.into());
        let list = |items: &[&str]| Field::List(items.iter().map(|i| (*i).to_owned()).collect());
        assert_eq!(field("甲"), text("甲"));
        assert_eq!(field("2020-01-01"), text("2020-01-01"));
        assert_eq!(field("\"a\\\"b\""), text("a\"b"));
        assert_eq!(field("!x 甲"), text("甲"));
        assert_eq!(field("{ name: 甲, email: a@b.c }"), text("甲"));
        assert_eq!(field("|\n  a\n  b"), text("a\nb\n"));
        assert_eq!(field("[ 甲, 乙 ]"), list(&["甲", "乙"]));
        assert_eq!(field("\n- 甲\n- [ 乙, 丙 ]\n-"), list(&["甲", "乙", "丙"]));
        assert_eq!(field("[]"), list(&[]));
        assert_eq!(field("~"), Field::Nothing);
        for written in ["1e3", "0x1f", "2020", "-7", "true", ".nan", "[ 1, b ]", "[ a: b ]", "{ a: b }"] {
            assert_eq!(field(written), Field::AsWritten, "{written}");
        }
    }

    #[test]
    fn a_key_may_stand_twice_and_only_mappings_are_front_matter() {
        assert_eq!(fields("a: 1\na: b\n2: c\n").expect("fields").0.len(), 2);
        assert!(fields("").expect("fields").0.is_empty());
        assert!(fields("# nothing\n").is_none_or(|fields| fields.0.is_empty()));
        for not in ["a: b: c", "- a", "text", "a: \"b\" c", "a: @x", "\ta: b", "a: \u{8}"] {
            assert!(fields(not).is_none(), "{not}");
        }
    }

    #[test]
    fn bombs_do_not_go_off() {
        assert!(fields(&format!("x: {}", "[".repeat(250))).is_none());
        assert!(fields(&format!("x: {}", "- ".repeat(8_000))).is_none());
        let laughs = "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: &d [*c,*c]\ne: [*d,*d]\n";
        let most = fields(laughs).expect("tame").0.pop().expect("field").1;
        assert_eq!(most, Field::List(vec!["x".to_owned(); 32]));
        for bomb in ["[".repeat(MOST_OPENED + 1), "*a ".repeat(MOST_REFERENCES + 1), "y".repeat(MOST_BYTES)] {
            assert!(!is_tame(&format!("x: {bomb}")));
        }
    }
}
