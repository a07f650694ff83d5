//! Which topics a post belongs to.

use unicode_normalization::UnicodeNormalization;

use crate::model::{FeedId, FeedSelection, Fingerprint, Place, Post, Topic, TopicId};
use crate::normalize::plain;

/// Version of matching: a change makes every topic match anew.
const VERSION: u32 = 1;

/// What a topic looks at in a post.
#[derive(Clone, Debug)]
pub struct Subject {
    feed: Option<FeedId>,
    title: String,
    body: String,
    tags: String,
}

impl Subject {
    /// Of a post that `feed` brought.
    pub fn of_post(post: &Post, feed: Option<&FeedId>) -> Self {
        Self {
            feed: feed.cloned(),
            title: fold(&post.title),
            body: fold(&plain(&post.body)),
            tags: fold(&post.tags.join("\n")),
        }
    }
}

/// True when the post belongs to the topic.
pub fn belongs(subject: &Subject, topic: &Topic) -> bool {
    let from_feed = match &topic.feeds {
        FeedSelection::All => true,
        FeedSelection::Some(feeds) => subject.feed.as_ref().is_some_and(|feed| feeds.contains(feed)),
    };
    let occurs = |word: &String| topic.places.iter().any(|place| contains(subject.text(*place), &fold(word)));
    from_feed
        && (topic.any.is_empty() || topic.any.iter().any(occurs))
        && topic.all.iter().all(occurs)
        && !topic.none.iter().any(occurs)
}

impl Subject {
    fn text(&self, place: Place) -> &str {
        match place {
            Place::Title => &self.title,
            Place::Body => &self.body,
            Place::Tags => &self.tags,
        }
    }
}

/// Topics with the names of their rules.
pub fn rules(topics: &[Topic]) -> Vec<(TopicId, Fingerprint)> {
    topics.iter().map(|topic| (topic.id.clone(), rule(topic))).collect()
}

/// Names what decides membership, so that a changed rule is seen as another one.
pub fn rule(topic: &Topic) -> Fingerprint {
    let feeds = match &topic.feeds {
        FeedSelection::All => "*".to_owned(),
        FeedSelection::Some(feeds) => feeds.iter().map(FeedId::as_str).collect::<Vec<_>>().join(","),
    };
    let Topic { any, all, none, places, .. } = topic;
    Fingerprint::of(&format!("{VERSION}\n{feeds}\n{any:?}\n{all:?}\n{none:?}\n{places:?}"))
}

/// One form for texts that read the same: NFKC, lower case.
///
/// Normalising is most of the cost of an import; ASCII, ideographs and full-width forms, which are
/// nearly all of a Chinese or English text, do not need it.
fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        // A letter may take the mark that follows it, so it is folded together with that.
        let alone = rest.peek().is_none_or(|(_, next)| simple(*next).is_some());
        if let Some(folded) = simple(c).filter(|_| alone) {
            out.push(folded);
            continue;
        }
        let mut end = at + c.len_utf8();
        while let Some((at, c)) = rest.next_if(|(_, c)| simple(*c).is_none()) {
            end = at + c.len_utf8();
        }
        out.extend(text[at..end].nfkc().flat_map(char::to_lowercase));
    }
    out
}

/// The folded form of a character that needs no table.
fn simple(c: char) -> Option<char> {
    match c {
        '\0'..='\x7F' => Some(c.to_ascii_lowercase()),
        '\u{4E00}'..='\u{9FFF}' | '\u{3001}' | '\u{3002}' => Some(c),
        '\u{3000}' => Some(' '),
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).map(|c| c.to_ascii_lowercase()),
        _ => None,
    }
}

/// Substring search; an end of the word that is a Latin letter or a digit must be the end of a
/// word in the text too: `Rust` is not in `trust`, but it is in `用Rust写`.
fn contains(text: &str, word: &str) -> bool {
    if word.is_empty() {
        return false;
    }
    let first = word.chars().next().is_some_and(is_latin);
    let last = word.chars().next_back().is_some_and(is_latin);
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(is_latin);
        let after = text[at + word.len()..].chars().next().is_some_and(is_latin);
        !(first && before || last && after)
    })
}

/// Latin letters reach to U+024F; ideographs begin far above.
fn is_latin(c: char) -> bool {
    c.is_ascii_digit() || (c.is_alphabetic() && u32::from(c) < 0x250)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn folding_is_nfkc_in_lower_case(text in "[a-zA-Z\\u{300}-\\u{310}一-十，。Ａ-Ｚ\\u{3000}éÅﬁ①ｶﾞ가 ]{0,30}|\\PC{0,30}") {
            let whole: String = text.nfkc().flat_map(char::to_lowercase).collect();
            prop_assert_eq!(fold(&text), whole);
        }
    }

    #[test]
    fn words_match_as_people_mean_them() {
        let cases = [
            ("用Rust写", "rust", true),
            ("I trust you", "Rust", false),
            ("rusty", "Rust", false),
            ("ＷｅＣｈａｔ 微信", "wechat", true),
            ("微信支付", "微信", true),
            ("C++ is", "C++", true),
            ("ABC++", "C++", false),
            ("Élan vital", "élan", true),
            ("2021年", "2021", true),
            ("12021", "2021", false),
            ("rust trust rust", "rust", true),
            ("", "x", false),
        ];
        for (text, word, wanted) in cases {
            assert_eq!(contains(&fold(text), &fold(word)), wanted, "{word} in {text}");
        }
    }
}
