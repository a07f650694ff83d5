//! Post to text and back; file names.

mod foreign;
mod front;
mod name;
mod read;
mod strict;
mod write;

use std::collections::HashSet;

use crate::identity::canonical_url;
use crate::model::{Entry, EntryKey, FeedSource, Post, Timestamp};

pub use foreign::{ForeignPost, Oddity, foreign};
pub use name::{Layout, path};
pub use read::{PostError, from_text};
pub use write::{TAIL, is_whole, to_text};

/// Makes the post of an entry: what the archive keeps of it.
pub fn from_entry(entry: Entry, key: EntryKey, source: &FeedSource) -> Post {
    let tags = std::iter::once(&source.name).chain(&source.tags).chain(&entry.categories);
    let mut seen = HashSet::new();
    let tags = tags.filter(|tag| seen.insert(*tag)).cloned().collect();
    Post {
        title: entry.title,
        date: entry.date,
        author: entry.author.unwrap_or_else(|| source.name.clone()),
        from: entry.link.map(String::from).unwrap_or_default(),
        tags,
        categories: vec![source.name.clone()],
        updated: entry.updated.filter(|updated| *updated != entry.date),
        lang: entry.language,
        enclosures: entry.enclosures,
        claimed: entry
            .claimed_text
            .or_else(|| entry.claimed.map(Timestamp::rfc3339_millis))
            .filter(|_| entry.date_is_made),
        key,
        body: entry.body,
    }
}

/// Reads any post of the archive: strictly as ours, else as another maker's.
///
/// A post of another maker without a usable date has that of 1970 here; the index knows when it
/// was first seen.
pub fn read(path: &str, bytes: &[u8]) -> Result<Post, PostError> {
    if let Some(Ok(post)) = std::str::from_utf8(bytes).ok().map(from_text) {
        return Ok(post);
    }
    Ok(from_foreign(path, foreign(path, bytes)?))
}

/// The post of another maker as ours would be.
pub fn from_foreign(path: &str, foreign: ForeignPost) -> Post {
    Post {
        key: foreign_key(path, foreign.from.as_ref()),
        from: foreign.from.map(String::from).unwrap_or_default(),
        title: foreign.title,
        date: foreign.date.unwrap_or_default(),
        author: foreign.author.unwrap_or_default(),
        tags: foreign.tags,
        categories: foreign.categories,
        updated: None,
        lang: foreign.lang,
        enclosures: Vec::new(),
        claimed: None,
        body: foreign.body,
    }
}

/// The key of a post of another maker: that of its link, else SHA-256 of `file:` and its path.
pub fn foreign_key(path: &str, from: Option<&url::Url>) -> EntryKey {
    let canonical = from.and_then(canonical_url);
    canonical.map_or_else(|| EntryKey::of(&format!("file:{path}")), |canonical| EntryKey::of(canonical.as_str()))
}

/// The key that follows from a post's `from`; posts whose key is another one name it.
fn key_of_link(from: &str) -> Option<EntryKey> {
    let url = url::Url::parse(from).ok()?;
    canonical_url(&url).map(|canonical| EntryKey::of(canonical.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Enclosure;
    use proptest::prelude::*;

    fn post(title: &str, from: &str, body: &str) -> Post {
        Post {
            title: title.into(),
            date: Timestamp::parse_rfc3339("2021-07-28T11:01:00Z").expect("date"),
            author: "自由亚洲电台".into(),
            from: from.into(),
            tags: vec!["自由亚洲电台".into()],
            categories: vec!["自由亚洲电台".into()],
            updated: None,
            lang: None,
            enclosures: vec![],
            claimed: None,
            key: key_of_link(from).unwrap_or_else(|| EntryKey::of("x")),
            body: body.into(),
        }
    }

    #[test]
    fn the_plain_form_has_the_seven_keys_and_nothing_else() {
        let text = to_text(&post("标题", "https://example.org/a", "<p>文</p>"));
        assert_eq!(
            text,
            "---\nlayout: post\ntitle: \"标题\"\ndate: 2021-07-28T11:01:00.000Z\nauthor: 自由亚洲电台\n\
             from: https://example.org/a\ntags: [ 自由亚洲电台 ]\ncategories: [ 自由亚洲电台 ]\n---\n\
             <!--1627470060000-->\n[标题](https://example.org/a)\n------\n\n<div>\n<p>文</p>\n</div>\n"
        );
    }

    #[test]
    fn every_optional_key_comes_back() {
        let full = Post {
            updated: Timestamp::parse_rfc3339("2021-07-29T00:00:00Z"),
            lang: Some("no".into()),
            enclosures: vec![Enclosure {
                url: "https://example.org/a.mp3".into(),
                media_type: Some("audio/mpeg".into()),
                length: Some(7),
            }],
            claimed: Some("32 Foo 2021 # x: y".into()),
            key: EntryKey::of("another"),
            tags: vec!["a, b".into(), "[c]".into(), "yes".into(), "12:30".into()],
            ..post("t", "https://example.org/a", "")
        };
        assert_eq!(from_text(&to_text(&full)).expect("post"), full);
    }

    proptest! {
        #[test]
        fn a_post_comes_back_from_its_text(
            title in "\\PC{0,30}|.{0,30}", author in ".{1,20}", tag in ".{1,20}",
            body in "(<p>\\PC{0,40}</p>){0,3}", linked in any::<bool>(),
        ) {
            let given = Post {
                author,
                tags: vec!["甲".into(), tag],
                ..post(&title, if linked { "https://example.org/a?b=(c)&d={e}" } else { "" }, &body)
            };
            prop_assert_eq!(from_text(&to_text(&given)).expect("readable"), given);
        }
    }
}
