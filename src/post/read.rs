//! The reader of posts; the second door to serde_yaml.

use serde_yaml::{Mapping, Value};

use super::key_of_link;
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
}

/// Reads the text of a post file.
pub fn from_text(text: &str) -> Result<Post, PostError> {
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

/// What stands between the `<div>` and `</div>` lines of the writer.
fn body(rest: &str) -> &str {
    let start = rest.find("\n<div>\n").map_or(0, |at| at + "\n<div>\n".len());
    let inner = &rest[start..];
    let inner = inner.strip_suffix('\n').unwrap_or(inner);
    inner.strip_suffix("</div>").map_or(inner, |inner| inner.strip_suffix('\n').unwrap_or(inner))
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
