//! One form for texts that read the same: half width, lower case, simplified characters.

use std::sync::LazyLock;

use hanconv::RawDictionary;
use unicode_normalization::UnicodeNormalization;

/// NFKC, lower case, Traditional to Simplified.
///
/// Normalising is most of the cost of an import; ASCII, ideographs and full-width forms, which are
/// nearly all of a Chinese or English text, do not need it.
pub(super) fn fold(text: &str) -> String {
    let characters = &*CHARACTERS;
    let mut out = String::with_capacity(text.len());
    let mut rest = text.char_indices().map(|(at, c)| (at, simple(c, characters)));
    let mut here = rest.next();
    while let Some((from, folded)) = here {
        here = rest.next();
        // A letter may take the mark that follows it, so it is folded together with that.
        let alone = here.is_none_or(|(_, next)| next.is_some());
        if let Some(folded) = folded.filter(|_| alone) {
            out.push(folded);
            continue;
        }
        while let Some((_, None)) = here {
            here = rest.next();
        }
        let to = here.map_or(text.len(), |(at, _)| at);
        let folded = text[from..to].nfkc().flat_map(char::to_lowercase);
        out.extend(folded.map(|c| characters.simplified(c)));
    }
    out
}

/// The letters and digits of a folded text: titles that differ in blanks, quotes and dashes are the same.
pub(super) fn title(text: &str) -> String {
    fold(text).chars().filter(|c| c.is_alphanumeric()).collect()
}

/// The folded form of a character that needs no table but that of ideographs.
fn simple(c: char, characters: &Characters) -> Option<char> {
    match c {
        '\0'..='\x7F' => Some(c.to_ascii_lowercase()),
        '\u{4E00}'..='\u{9FFF}' => characters.basic.get(c as usize - FIRST as usize).copied(),
        '\u{3001}' | '\u{3002}' => Some(c),
        '\u{3000}' => Some(' '),
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).map(|c| c.to_ascii_lowercase()),
        _ => None,
    }
}

/// The ideographs of the basic plane, but for those that are made for compatibility.
const FIRST: char = '\u{3400}';
const LAST: char = '\u{9FFF}';

/// The character table of `OpenCC` (Apache-2.0), of which the constant is all that gets into the program.
const TABLE: &str = RawDictionary::TSCharacters.text();

static CHARACTERS: LazyLock<Characters> = LazyLock::new(|| Characters::of(TABLE));

/// Traditional to simplified characters: those of the basic plane by their number, because nearly all
/// of a Chinese text is looked up, and the few others in order.
struct Characters {
    basic: Box<[char]>,
    rare: Vec<(char, char)>,
}

impl Characters {
    /// Of lines with a character, a tab, and what it may become, the likeliest first.
    fn of(table: &str) -> Self {
        let mut characters = Self { basic: (FIRST..=LAST).collect(), rare: Vec::new() };
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split_whitespace().filter_map(|word| word.chars().next());
            let (Some(from), Some(to)) = (words.next(), words.next()) else { continue };
            match Self::place(from) {
                Some(place) => characters.basic[place] = to,
                None => characters.rare.push((from, to)),
            }
        }
        characters.rare.sort_unstable();
        // what one character becomes may become another: 薴, 苧, 苎
        for place in 0..characters.basic.len() {
            while let next = characters.simplified(characters.basic[place])
                && next != characters.basic[place]
            {
                characters.basic[place] = next;
            }
        }
        characters
    }

    fn place(c: char) -> Option<usize> {
        (FIRST..=LAST).contains(&c).then(|| c as usize - FIRST as usize)
    }

    fn simplified(&self, c: char) -> char {
        if let Some(place) = Self::place(c) {
            return self.basic[place];
        }
        if c < '\u{F900}' {
            return c;
        }
        self.rare.binary_search_by_key(&c, |pair| pair.0).map_or(c, |at| self.rare[at].1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn folding_is_nfkc_in_lower_case_and_simplified(
            text in "[a-zA-Z\\u{300}-\\u{310}一-十龍-龜，。Ａ-Ｚ\\u{3000}éÅﬁ①ｶﾞ가\\u{F900}-\\u{F910}𠁞 ]{0,30}|\\PC{0,30}"
        ) {
            let whole: String = text.nfkc().flat_map(char::to_lowercase).map(|c| CHARACTERS.simplified(c)).collect();
            prop_assert_eq!(fold(&text), whole);
        }

        #[test]
        fn folding_is_final(text in "[一-龥㐀-䶵A-Za-z]{0,40}") {
            prop_assert_eq!(fold(&fold(&text)), fold(&text));
        }
    }

    #[test]
    fn traditional_reads_as_simplified() {
        for (traditional, simplified) in [
            ("騰訊與微信", "腾讯与微信"),
            ("臺灣國會後", "台湾国会后"),
            ("WeChat 裏", "wechat 里"),
            ("Ａ龍", "a龙"),
            ("简体不变", "简体不变"),
            ("にほんご 日本語", "にほんご 日本语"),
        ] {
            assert_eq!(fold(traditional), simplified);
        }
        assert!(CHARACTERS.basic.iter().zip(FIRST..=LAST).filter(|(to, from)| **to != *from).count() > 2500);
    }

    #[test]
    fn titles() {
        assert_eq!(title("「騰訊」 暫停 註冊！"), title("腾讯：暂停注册"));
        assert_eq!(title("It’s—done."), title("IT'S DONE"));
        assert_eq!(title("…"), "");
    }
}
