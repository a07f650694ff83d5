//! Plain text of HTML.

use memchr::memchr;

use super::soup::{Token, Tokens};
use super::text::{NEAR, Place, behind_plain, is_legal, reference_to};

/// Plain text: no tags, no scripts and style sheets, character references decoded, every run of white
/// space one blank. The end of a block and `<br>` count as white space.
///
/// Fingerprints that are kept for ever are made of it: what it gives for a text never changes.
pub fn plain(html: &str) -> String {
    let mut words = Words { out: String::with_capacity(html.len()), is_apart: false };
    let mut decoded = String::new();
    for token in Tokens::new(html) {
        match token {
            Token::Text(mut rest) => {
                while let Some(at) = memchr(b'&', rest.as_bytes()) {
                    words.push(&rest[..at]);
                    decoded.clear();
                    rest = reference_to(&rest[at + 1..], Place::Text, &mut decoded);
                    words.push(&decoded);
                }
                words.push(rest);
            }
            Token::Start(tag) | Token::End(tag) if !is_inline(tag.name) => words.is_apart = true,
            _ => {}
        }
    }
    words.out
}

/// Legal text with one blank between words, written piece by piece.
struct Words {
    out: String,
    /// White space came since the last word.
    is_apart: bool,
}

impl Words {
    fn push(&mut self, text: &str) {
        let bytes = text.as_bytes();
        // What begins here is not written yet; it is legal, and has no white space but single blanks.
        let mut from = 0;
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at..].first_chunk().is_some_and(is_ascii_words) {
                at += NEAR;
                continue;
            }
            let to = bytes.len().min(at + NEAR);
            while at < to {
                at = behind_plain(bytes, at, to);
                if at >= to {
                    break;
                }
                if bytes[at] == b' ' && bytes.get(at + 1) != Some(&b' ') {
                    at += 1;
                    continue;
                }
                let Some(c) = text[at..].chars().next() else { break };
                let is_line = matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}');
                let is_blank = is_line || is_legal(c) && c.is_whitespace();
                if is_blank || !is_legal(c) {
                    self.write(&text[from..at]);
                    self.is_apart |= is_blank;
                    from = at + c.len_utf8();
                }
                at += c.len_utf8();
            }
        }
        self.write(&text[from..]);
    }

    /// Writes what has no white space but single blanks.
    fn write(&mut self, text: &str) {
        let inner = text.strip_prefix(' ').unwrap_or(text);
        self.is_apart |= inner.len() < text.len();
        if inner.is_empty() {
            return;
        }
        if self.is_apart && !self.out.is_empty() {
            self.out.push(' ');
        }
        let words = inner.strip_suffix(' ').unwrap_or(inner);
        self.out.push_str(words);
        self.is_apart = words.len() < inner.len();
    }
}

/// ASCII without control characters and without two blanks in a row, the last byte only looked at for
/// that. Without a branch, so that it becomes vector code.
fn is_ascii_words(bytes: &[u8; NEAR + 1]) -> bool {
    let mut all = true;
    for at in 0..NEAR {
        let (a, b) = (bytes[at], bytes[at + 1]);
        all &= (b' '..0x7F).contains(&a) & !((a == b' ') & (b == b' '));
    }
    all
}

/// Elements whose tags do not part words. Unknown ones are blocks: a blank too many is better than
/// two words glued together.
fn is_inline(name: &str) -> bool {
    const LONGEST: usize = 7;
    let mut lower = [0; LONGEST];
    let Some(lower) = lower.get_mut(..name.len()) else { return false };
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    matches!(
        &*lower,
        b"a" | b"abbr"
            | b"acronym"
            | b"b"
            | b"bdi"
            | b"bdo"
            | b"big"
            | b"cite"
            | b"code"
            | b"del"
            | b"dfn"
            | b"em"
            | b"font"
            | b"i"
            | b"ins"
            | b"kbd"
            | b"label"
            | b"mark"
            | b"nobr"
            | b"q"
            | b"rp"
            | b"rt"
            | b"ruby"
            | b"s"
            | b"samp"
            | b"small"
            | b"span"
            | b"strike"
            | b"strong"
            | b"sub"
            | b"sup"
            | b"time"
            | b"tt"
            | b"u"
            | b"var"
            | b"wbr"
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::text::{decode_to, legal};
    use super::*;

    proptest! {
        #[test]
        fn plain_text_is_what_its_steps_give(html in SOUP, from in 0..40_usize) {
            // at every distance from the bounds of what is looked at together
            for html in [format!("{}{html}", "a".repeat(from)), format!("{}{html}{html}", "文".repeat(from))] {
                prop_assert_eq!(plain(&html), plain_by_steps(&html), "{}", html);
            }
        }
    }

    /// Plain text as it was first made, step by step; fingerprints of then are still compared.
    fn plain_by_steps(html: &str) -> String {
        let mut text = String::new();
        for token in Tokens::new(html) {
            match token {
                Token::Text(part) => decode_to(part, Place::Text, &mut text),
                Token::Start(tag) | Token::End(tag) if !is_inline(tag.name) => text.push(' '),
                _ => {}
            }
        }
        let words: Vec<String> = legal(&text).split_whitespace().map(str::to_owned).collect();
        words.join(" ")
    }

    /// Such texts with markup and references among them.
    const SOUP: &str = "(([a文，“ \\t\n]{0,40}[\u{b}\u{1f}\u{7f}\u{85}\u{9f}\u{a0}\u{ad}\u{1680}\u{2000}\u{2008}\u{200a}\u{200b}\u{200f}\u{2027}\u{2028}\u{202e}\u{202f}\u{205f}\u{2060}\u{2065}\u{2066}\u{206a}\u{3000}\u{3001}\u{fdd0}\u{feff}\u{fffd}\u{fffe}\u{1f3fe}\u{1fffe}é😀 ]{0,3})|</?(p|b|br/|script|td|i a=\"b > c\")>|&(amp|lt|nbsp|#160|#8232|#12288|#x202e|#9|hellip|nosuch|copy|#55357|#)[; x]){0,12}";

    #[test]
    fn plain_text() {
        for (html, text) in [
            ("", ""),
            ("<p>a</p><p>b</p>", "a b"),
            ("a<br>b<br/>c", "a b c"),
            ("<b>b</b>old<i>er</i>", "bolder"),
            ("<table><tr><td>a<td>b</table>", "a b"),
            ("a<script>x()</script><style>p{}</style><!-- c -->b", "a b"),
            ("  a \u{a0}\u{3000}\n b&nbsp;&#12288;c ", "a b c"),
            ("AT&amp;T &lt;b&gt; &eacute;&#233;&#xE9; &hellip;", "AT&T <b> ééé …"),
            ("AT&T, R&D; &copy 2021 &nosuch; &", "AT&T, R&D; © 2021 &nosuch; &"),
            ("&#147;x&#148; &#128;", "“x” €"),
            ("&#55357;&#56832; &#55357;x &#0; &#x110000; &#99999999999;", "😀 x"),
            ("&#x202e;a&#8232;b&#31;", "a b"),
            ("1 < 2 and 3 <4", "1 < 2 and 3 <4"),
            ("cut off <a href=\"http://x", "cut off"),
            ("unclosed <a href=\"x>quote</a> goes on", "unclosed quote goes on"),
            ("How to use <script> tags", "How to use tags"),
            ("<p title=\"a > b\">x</p>", "x"),
            ("中文<b>加粗</b>文字", "中文加粗文字"),
        ] {
            assert_eq!(plain(html), text, "{html}");
        }
    }
}
