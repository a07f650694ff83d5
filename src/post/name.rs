//! The file name of a post: readable, and safe on Linux, macOS and Windows.

use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

use crate::model::{EntryKey, Post, PostPath, Timestamp};

/// How posts lie below `_posts/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Layout {
    /// `_posts/2021/07/…`
    #[default]
    Month,
    /// `_posts/…`
    Flat,
}

/// Longest title in a name (bytes): a name holds at most 255, a key up to 64 of them.
const TITLE_BYTES: usize = 120;

static GAP: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[^\p{L}\p{M}\p{N}]+").ok());

/// Where a post lies, with the first `digits` hex digits of its key in the name.
pub fn path(post: &Post, layout: Layout, digits: usize) -> Option<PostPath> {
    name_parts(&post.title, post.date, post.key, layout, digits)
}

fn name_parts(title: &str, date: Timestamp, key: EntryKey, layout: Layout, digits: usize) -> Option<PostPath> {
    let day = date.day();
    let hex = key.hex();
    let slug = slug(title);
    let folder = match layout {
        Layout::Month => format!("_posts/{}/", date.month().replace('-', "/")),
        Layout::Flat => "_posts/".to_owned(),
    };
    let parts = [day.as_str(), &slug, &hex[..digits.min(64)]];
    let name = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    PostPath::parse(&format!("{folder}{name}.md"))
}

/// Letters, marks and digits of the title; every run of other characters is one `-`.
fn slug(title: &str) -> String {
    let nfc: String = title.nfc().collect();
    let Some(gap) = GAP.as_ref() else { return String::new() };
    let joined = gap.replace_all(&nfc, "-");
    let joined = joined.trim_matches('-');
    let end = joined
        .grapheme_indices(true)
        .map(|(at, grapheme)| at + grapheme.len())
        .take_while(|end| *end <= TITLE_BYTES)
        .last()
        .unwrap_or(0);
    joined[..end].trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(title: &str) -> String {
        let date = Timestamp::parse_rfc3339("2021-07-28T11:01:00Z").expect("date");
        name_parts(title, date, EntryKey::of("x"), Layout::Flat, 8).expect("path").to_string()
    }

    #[test]
    fn names_follow_the_title() {
        assert_eq!(named("微信等 腾讯！"), "_posts/2021-07-28-微信等-腾讯-2d711642.md");
        assert_eq!(named("../../etc/passwd"), "_posts/2021-07-28-etc-passwd-2d711642.md");
        assert_eq!(named("CON"), "_posts/2021-07-28-CON-2d711642.md");
        assert_eq!(named("!!!"), "_posts/2021-07-28-2d711642.md");
        assert_eq!(named("cafe\u{301}"), "_posts/2021-07-28-café-2d711642.md");
    }

    #[test]
    fn long_titles_are_cut_on_a_grapheme() {
        let name = named(&"字".repeat(100));
        assert_eq!(name, format!("_posts/2021-07-28-{}-2d711642.md", "字".repeat(40)));
        let zalgo = format!("a{}", "\u{301}".repeat(500));
        assert_eq!(named(&zalgo), "_posts/2021-07-28-2d711642.md");
    }
}
