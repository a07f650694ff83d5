//! Titles and other short texts as plain text.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use unicode_segmentation::UnicodeSegmentation;

use super::text::legal;
use crate::read::RawText;

/// Made titles end after this many graphemes.
const MADE_TITLE: usize = 60;

/// Only names that HTML has: `Vec<T>` in a title is not markup.
static TAG: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let names = "a|abbr|acronym|b|bdi|bdo|big|blink|br|center|cite|code|del|dfn|div|em|font|h[1-6]|i|img|ins|kbd|mark\
                 |nobr|p|q|rp|rt|ruby|s|samp|script|small|span|strike|strong|style|sub|sup|time|tt|u|var|wbr";
    Regex::new(&format!(r#"(?i)</?(?:{names})(?:\s(?:[^<>"']|"[^"]*"|'[^']*')*)?/?>"#)).ok()
});

/// The text without tags and entities, on one line, legal in XML.
pub(super) fn of(raw: &RawText) -> String {
    let text = match raw {
        RawText::Plain(text) => Cow::Borrowed(text.as_str()),
        RawText::Markup(text) => without_markup(text),
    };
    one_line(&legal(&text))
}

fn without_markup(text: &str) -> Cow<'_, str> {
    let bare = match TAG.as_ref() {
        Some(tag) if text.contains('<') => tag.replace_all(text, ""),
        _ => Cow::Borrowed(text),
    };
    if bare.contains('&') { html_escape::decode_html_entities(&bare).into_owned().into() } else { bare }
}

/// Runs of ASCII white space become one blank; an ideographic space is part of a Chinese title.
fn one_line(text: &str) -> String {
    text.trim().split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first words of a text, for entries without a title.
pub(super) fn first_words(text: &str) -> String {
    let text = one_line(text);
    let Some((cut, _)) = text.grapheme_indices(true).nth(MADE_TITLE) else { return text };
    let head = &text[..cut];
    // A Latin word is not cut in two; Chinese text has no blanks to cut at.
    let end = head.rfind(' ').filter(|at| *at > cut / 2).unwrap_or(cut);
    format!("{}…", &head[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markup(text: &str) -> String {
        of(&RawText::Markup(text.into()))
    }

    #[test]
    fn html_in_a_title_vanishes_and_other_angles_stay() {
        assert_eq!(markup("a <b>c</b> &amp; d"), "a c & d");
        assert_eq!(markup("Vec<T> in Rust"), "Vec<T> in Rust");
        assert_eq!(markup("1 < 2"), "1 < 2");
        assert_eq!(markup("x<br/>y\n\t z"), "xy z");
        assert_eq!(markup(r#"<a href="a>b">t</a>"#), "t");
        assert_eq!(of(&RawText::Plain("&amp;".into())), "&amp;");
    }

    #[test]
    fn made_titles_are_cut_on_a_grapheme_and_if_possible_on_a_word() {
        let long = "字".repeat(70);
        assert_eq!(first_words(&long), format!("{}…", "字".repeat(60)));
        let words = "word ".repeat(20);
        assert!(first_words(&words).ends_with("word…"));
        assert_eq!(first_words("short"), "short");
    }
}
