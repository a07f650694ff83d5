//! The beginning of a text, for those who look over a list.

use unicode_segmentation::UnicodeSegmentation;

/// Graphemes of an excerpt, about three lines.
const LENGTH: usize = 300;

/// The beginning of a plain text, cut between two words where it has words.
pub fn excerpt(text: &str) -> String {
    excerpt_of_start(text).unwrap_or_else(|| text.trim().to_owned())
}

/// The excerpt of a text that begins like this and may go on; `None` where this is too short to tell.
pub fn excerpt_of_start(text: &str) -> Option<String> {
    let text = text.trim();
    let cut = place_of_grapheme(text, LENGTH)?;
    let head = &text[..cut];
    // Chinese has no blanks, and what stands behind the last one may be all of the text.
    let is_between = text[cut..].starts_with(char::is_whitespace);
    let end = head.rfind(char::is_whitespace).filter(|at| !is_between && *at > cut / 2).unwrap_or(cut);
    Some(format!("{}…", head[..end].trim_end()))
}

/// Where the grapheme of this number begins, if there are so many.
fn place_of_grapheme(text: &str, number: usize) -> Option<usize> {
    for (count, (at, c)) in text.char_indices().enumerate() {
        if !is_alone(c) {
            return text.grapheme_indices(true).nth(number).map(|(at, _)| at);
        }
        if count == number {
            return Some(at);
        }
    }
    None
}

/// Among its like a grapheme of its own: no control, nothing that joins (UAX 29). Most texts have nothing else.
fn is_alone(c: char) -> bool {
    matches!(c,
        ' '..='~' | '\u{A1}'..='\u{AC}' | '\u{AE}'..='\u{2FF}' | '\u{370}'..='\u{482}' | '\u{48A}'..='\u{52F}'
        | '\u{2010}'..='\u{2027}' | '\u{3001}'..='\u{3029}' | '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FE}'
        | '\u{4E00}'..='\u{9FFF}' | '\u{FF01}'..='\u{FF5E}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn graphemes_are_counted_as_uax_29_says(
            text in "[ -~é«αЖж—“、あア字Ａ０]{0,40}|[a字\u{301}\u{200D}\u{3099}\r\n👩🇨🇳각\u{AD}]{0,20}|\\PC{0,30}|.{0,30}", number in 0_usize..40,
        ) {
            let by_rule = text.grapheme_indices(true).nth(number).map(|(at, _)| at);
            prop_assert_eq!(place_of_grapheme(&text, number), by_rule);
        }

        #[test]
        fn a_beginning_is_enough(text in "[ -~字]{250,400}|(字\u{301}|👩\u{200D}👧|a ){200,500}", more in "\\PC{0,10}") {
            if let Some(excerpt) = excerpt_of_start(&text) {
                prop_assert_eq!(super::excerpt(&format!("{text}{more}")), excerpt);
            }
        }
    }

    #[test]
    fn whatever_stands_alone_does_so_beside_all_its_like() {
        let all: Vec<char> = ('\0'..=char::MAX).filter(|c| is_alone(*c)).collect();
        let text: String = all.iter().chain(all.iter().rev()).collect();
        assert_eq!(text.graphemes(true).count(), 2 * all.len());
    }

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
