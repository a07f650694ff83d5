//! Which topics a post belongs to.

use std::borrow::Cow;

use memchr::memmem::Finder;
use unicode_normalization::UnicodeNormalization;

use crate::model::{FeedId, FeedSelection, Fingerprint, Place, Post, Topic, TopicId};
use crate::normalize::plain;

/// Version of matching: a change makes every topic match anew.
const VERSION: u32 = 1;

/// The rules of topics, made ready for many posts.
#[derive(Clone, Debug)]
pub struct Matcher {
    rules: Vec<Rule>,
    /// Where any of the rules looks for words.
    title: bool,
    body: bool,
    tags: bool,
}

#[derive(Clone, Debug)]
struct Rule {
    name: Fingerprint,
    feeds: FeedSelection,
    any: Vec<Word>,
    all: Vec<Word>,
    none: Vec<Word>,
    places: Vec<Place>,
}

/// A word as it is looked for.
#[derive(Clone, Debug)]
struct Word {
    finder: Finder<'static>,
    /// It begins, it ends with a Latin letter or a digit.
    first: bool,
    last: bool,
}

/// What the rules look at in a post, folded.
struct Subject {
    title: String,
    body: String,
    tags: String,
}

impl Matcher {
    /// Of these topics.
    pub fn new<'a>(topics: impl IntoIterator<Item = &'a Topic>) -> Self {
        let rules: Vec<Rule> = topics.into_iter().map(Rule::of).collect();
        let looks_at = |place| rules.iter().any(|rule| rule.has_words() && rule.places.contains(&place));
        let (title, body, tags) = (looks_at(Place::Title), looks_at(Place::Body), looks_at(Place::Tags));
        Self { rules, title, body, tags }
    }

    /// For each rule, in the order of the topics, whether the post that `feed` brought belongs to it.
    pub fn belongs(&self, post: &Post, feed: Option<&FeedId>) -> Vec<(Fingerprint, bool)> {
        let text = if self.body { Cow::Owned(plain(&post.body)) } else { Cow::Borrowed("") };
        self.belongs_by_text(post, &text, feed)
    }

    /// The same, for whoever has the plain text of the body already.
    pub fn belongs_by_text(&self, post: &Post, text: &str, feed: Option<&FeedId>) -> Vec<(Fingerprint, bool)> {
        let folded = |wanted: bool, text: &str| if wanted { fold(text) } else { String::new() };
        let subject = Subject {
            title: folded(self.title, &post.title),
            body: folded(self.body, text),
            tags: if self.tags { fold(&post.tags.join("\n")) } else { String::new() },
        };
        self.rules.iter().map(|rule| (rule.name, rule.takes(&subject, feed))).collect()
    }
}

impl Rule {
    fn of(topic: &Topic) -> Self {
        let words = |words: &[String]| words.iter().map(|word| Word::of(word)).collect();
        Self {
            name: rule(topic),
            feeds: topic.feeds.clone(),
            any: words(&topic.any),
            all: words(&topic.all),
            none: words(&topic.none),
            places: topic.places.clone(),
        }
    }

    fn has_words(&self) -> bool {
        !(self.any.is_empty() && self.all.is_empty() && self.none.is_empty())
    }

    fn takes(&self, subject: &Subject, feed: Option<&FeedId>) -> bool {
        let from_feed = match &self.feeds {
            FeedSelection::All => true,
            FeedSelection::Except(feeds) => feed.is_none_or(|feed| !feeds.contains(feed)),
            FeedSelection::Some(feeds) => feed.is_some_and(|feed| feeds.contains(feed)),
        };
        let occurs = |word: &Word| self.places.iter().any(|place| word.is_in(subject.text(*place)));
        from_feed
            && (self.any.is_empty() || self.any.iter().any(occurs))
            && self.all.iter().all(occurs)
            && !self.none.iter().any(occurs)
    }
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

impl Word {
    fn of(word: &str) -> Self {
        let word = fold(word);
        Self {
            first: word.chars().next().is_some_and(is_latin),
            last: word.chars().next_back().is_some_and(is_latin),
            finder: Finder::new(&word).into_owned(),
        }
    }

    /// Substring search; an end of the word that is a Latin letter or a digit must be the end of a
    /// word in the text too: `Rust` is not in `trust`, but it is in `用Rust写`.
    fn is_in(&self, text: &str) -> bool {
        let length = self.finder.needle().len();
        if length == 0 {
            return false;
        }
        self.finder.find_iter(text.as_bytes()).any(|at| {
            let before = || text[..at].chars().next_back().is_some_and(is_latin);
            let after = || text[at + length..].chars().next().is_some_and(is_latin);
            !(self.first && before() || self.last && after())
        })
    }
}

/// Names what decides membership, so that a changed rule is seen as another one.
pub fn rule(topic: &Topic) -> Fingerprint {
    let list = |feeds: &[FeedId]| feeds.iter().map(FeedId::as_str).collect::<Vec<_>>().join(",");
    let feeds = match &topic.feeds {
        FeedSelection::All => "*".to_owned(),
        FeedSelection::Except(feeds) => format!("*-{}", list(feeds)),
        FeedSelection::Some(feeds) => list(feeds),
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
            assert_eq!(Word::of(word).is_in(&fold(text)), wanted, "{word} in {text}");
        }
    }
}
