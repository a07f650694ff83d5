//! The beginning of a text, for those who look over a list.

use unicode_segmentation::UnicodeSegmentation;

/// Graphemes of an excerpt, about three lines.
const LENGTH: usize = 300;

/// The beginning of a plain text, cut between two words where it has words.
pub fn excerpt(text: &str) -> String {
    let text = text.trim();
    let Some((cut, _)) = text.grapheme_indices(true).nth(LENGTH) else { return text.to_owned() };
    let head = &text[..cut];
    // Chinese has no blanks, and what stands behind the last one may be all of the text.
    let is_between = text[cut..].starts_with(char::is_whitespace);
    let end = head.rfind(char::is_whitespace).filter(|at| !is_between && *at > cut / 2).unwrap_or(cut);
    format!("{}…", head[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_ends_between_words_or_graphemes() {
        assert_eq!(excerpt(" short "), "short");
        assert_eq!(excerpt(&"字".repeat(300)), "字".repeat(300));
        assert_eq!(excerpt(&"字".repeat(301)), format!("{}…", "字".repeat(300)));
        let family = "👩\u{200D}👩\u{200D}👧";
        assert_eq!(excerpt(&family.repeat(400)), format!("{}…", family.repeat(300)));
        assert_eq!(excerpt(&"word ".repeat(80)), format!("{}…", "word ".repeat(60).trim_end()));
        assert_eq!(excerpt(&"words ".repeat(80)), format!("{}…", "words ".repeat(50).trim_end()));
        assert_eq!(excerpt(&format!("one {}", "字".repeat(400))), format!("one {}…", "字".repeat(296)));
    }
}
