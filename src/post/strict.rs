//! The fast reader of posts that are as the archive writes them.
//!
//! It takes exactly the lines of the writer, in their order, and nothing that two readers of YAML could take for two things:
//! of these a reader for all of YAML says the same, at ten times the cost. Whatever was edited is left to that one.

use super::key_of_link;
use super::write::{is_plain, must_escape};
use crate::model::{Enclosure, EntryKey, Post, Timestamp};

/// Front matter as the writer makes it, and what follows it.
pub(super) fn read(text: &str) -> Option<(Post, &str)> {
    let mut lines = Lines { rest: text.strip_prefix("---\nlayout: post\n")? };
    let title = quoted(lines.value("title")?)?;
    let date = moment(lines.value("date")?)?;
    let author = scalar(lines.value("author")?)?;
    let from = scalar(lines.value("from")?)?;
    let tags = list(lines.value("tags")?)?;
    let categories = list(lines.value("categories")?)?;
    let updated = lines.optional("updated", moment)?;
    let lang = lines.optional("lang", scalar)?;
    let enclosures = lines.optional("enclosures", enclosures)?.unwrap_or_default();
    let claimed = lines.optional("claimed", quoted)?;
    let key = lines.optional("key", |value| EntryKey::from_hex(&quoted(value)?))?;
    let rest = lines.rest.strip_prefix("---\n")?;
    let key = key.or_else(|| key_of_link(&from))?;
    let body = String::new();
    Some((Post { title, date, author, from, tags, categories, updated, lang, enclosures, claimed, key, body }, rest))
}

/// What is left of the front matter.
struct Lines<'a> {
    rest: &'a str,
}

impl<'a> Lines<'a> {
    /// The value of the next line, which has to have this key.
    fn value(&mut self, key: &str) -> Option<&'a str> {
        let line = self.rest.strip_prefix(key)?.strip_prefix(": ")?;
        let (value, rest) = line.split_at(memchr::memchr(b'\n', line.as_bytes())?);
        self.rest = &rest[1..];
        Some(value)
    }

    /// The same for a line that may be missing; `None` when it is there and cannot be used.
    #[expect(clippy::option_option, reason = "no line is another thing than one that cannot be used")]
    fn optional<T>(&mut self, key: &str, read: impl FnOnce(&'a str) -> Option<T>) -> Option<Option<T>> {
        match self.value(key) {
            Some(value) => read(value).map(Some),
            None => Some(None),
        }
    }
}

/// `2021-07-28T11:01:00.000Z`
fn moment(value: &str) -> Option<Timestamp> {
    const FORM: &[u8] = b"0000-00-00T00:00:00.000Z";
    let is_form = |(b, form): (u8, &u8)| if *form == b'0' { b.is_ascii_digit() } else { b == *form };
    let has_form = value.len() == FORM.len() && value.bytes().zip(FORM).all(is_form);
    Timestamp::parse_rfc3339(value).filter(|_| has_form)
}

fn scalar(value: &str) -> Option<String> {
    if is_plain(value, false) { Some(value.to_owned()) } else { quoted(value) }
}

fn quoted(value: &str) -> Option<String> {
    let (text, rest) = quoted_start(value)?;
    rest.is_empty().then_some(text)
}

/// A string in double quotes, and what follows it.
fn quoted_start(value: &str) -> Option<(String, &str)> {
    let mut rest = value.strip_prefix('"')?;
    let mut text = String::new();
    loop {
        let (part, after) = rest.split_at(memchr::memchr2(b'"', b'\\', rest.as_bytes())?);
        if part.chars().any(must_escape) {
            return None;
        }
        if text.is_empty() {
            text.reserve_exact(part.len());
        }
        text.push_str(part);
        let Some(escape) = after.strip_prefix('\\') else { return Some((text, &after[1..])) };
        let digits = match escape.as_bytes().first()? {
            b'"' | b'\\' => 0,
            b'u' => 4,
            b'U' => 8,
            _ => return None,
        };
        rest = escape.get(1 + digits..)?;
        if digits == 0 {
            text.push_str(&escape[..1]);
        } else {
            let digits = escape.get(1..=digits).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
            text.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
        }
    }
}

/// `[ a, "b, c" ]`
fn list(value: &str) -> Option<Vec<String>> {
    let mut rest = value.strip_prefix("[ ")?.strip_suffix(" ]")?;
    let mut items = Vec::new();
    if rest.is_empty() {
        return Some(items);
    }
    loop {
        let item;
        (item, rest) = if rest.starts_with('"') {
            quoted_start(rest)?
        } else {
            let (item, after) = rest.split_at(rest.find(", ").unwrap_or(rest.len()));
            (Some(item.to_owned()).filter(|item| is_plain(item, true))?, after)
        };
        items.push(item);
        if rest.is_empty() {
            return Some(items);
        }
        rest = rest.strip_prefix(", ")?;
    }
}

/// JSON whose strings mean the same in YAML.
fn enclosures(value: &str) -> Option<Vec<Enclosure>> {
    if value.chars().any(|c| c == '\\' || must_escape(c)) {
        return None;
    }
    let found: Vec<Enclosure> = serde_json::from_str(value).ok()?;
    (serde_json::to_string(&found).ok()? == value).then_some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::read::by_yaml;
    use super::super::{from_text, to_text};
    use super::*;

    fn texts() -> impl Strategy<Value = String> {
        let telling: &[&str] =
            &["yes", "~", "a: b", "a #b", "12:30", "[x]", "微信", "a, b", "\"", "\\", "\u{2028}", "é\u{85}", "1_0", ""];
        prop_oneof![prop::sample::select(telling).prop_map(str::to_owned), "\\PC{0,12}", ".{0,12}", "[a-z: #,]{0,8}"]
    }

    fn posts() -> impl Strategy<Value = Post> {
        let lists = || prop::collection::vec(texts(), 0..4);
        let moments = || (0_i64..4_102_444_800_000).prop_map(Timestamp::from_millis);
        let media = (texts(), prop::option::of(texts()), prop::option::of(any::<u64>()));
        let enclosure = media.prop_map(|(url, media_type, length)| Enclosure { url, media_type, length });
        let links = prop_oneof![texts(), "https://[a-z]{1,8}\\.example/\\PC{0,8}"];
        let texts_of = (texts(), texts(), links, lists(), lists());
        let more = (
            prop::option::of(moments()),
            prop::option::of(texts()),
            prop::collection::vec(enclosure, 0..3),
            prop::option::of(texts()),
            any::<bool>(),
        );
        (texts_of, moments(), more, "(<p>\\PC{0,8}</p>){0,2}").prop_map(|(of, date, more, body)| {
            let (title, author, from, tags, categories) = of;
            let (updated, lang, enclosures, claimed, has_key) = more;
            let key = key_of_link(&from).filter(|_| !has_key).unwrap_or_else(|| EntryKey::of(&title));
            Post { title, date, author, from, tags, categories, updated, lang, enclosures, claimed, key, body }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn both_readers_say_the_same_of_what_was_written(post in posts()) {
            let text = to_text(&post);
            let is_bare = post.enclosures.iter().flat_map(|file| [Some(&file.url), file.media_type.as_ref()]).flatten()
                .all(|text| !text.contains(|c: char| c == '"' || c == '\\' || must_escape(c)));
            prop_assert_eq!(read(&text).is_some(), is_bare, "{}", text);
            prop_assert_eq!(from_text(&text), by_yaml(&text));
        }

        #[test]
        fn both_readers_say_the_same_of_what_was_edited(
            post in posts(), edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..3, texts()), 1..4),
        ) {
            let mut text = to_text(&post);
            for (place, length, put) in edits {
                let end = text.find("\n---\n").map_or(text.len(), |end| end + 5);
                let from = text.floor_char_boundary(place.index(end + 1));
                let to = text.ceil_char_boundary((from + length).min(text.len()));
                text.replace_range(from..to, &put);
            }
            if read(&text).is_some() {
                prop_assert_eq!(from_text(&text), by_yaml(&text));
            }
        }
    }
}
