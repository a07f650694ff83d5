//! Which topics a post belongs to, and which of a topic's posts its current feed shows.

mod filter;
mod form;
mod window;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use memchr::memmem::Finder;

use crate::model::{FeedId, FeedSelection, Fingerprint, Pattern, Place, Post, Topic, TopicId};
use crate::normalize::plain;
pub use filter::Filter;
use form::fold;
pub use window::{Candidate, Shown, Window, title, window};

/// Version of matching: a change makes every topic match anew.
const VERSION: u32 = 2;

/// The rules of topics, made ready for many posts.
#[derive(Clone, Debug, Default)]
pub struct Matcher {
    /// Of the topics and of those they include, which come first.
    rules: Vec<Rule>,
    /// Which of them each topic is.
    topics: Vec<usize>,
    /// Where any of the rules looks for words.
    title: bool,
    body: bool,
    tags: bool,
}

#[derive(Clone, Debug)]
struct Rule {
    name: Fingerprint,
    /// It picks posts itself, and does not only gather what others pick.
    picks: bool,
    feeds: FeedSelection,
    any: Vec<Word>,
    all: Vec<Word>,
    none: Vec<Word>,
    regex: Option<Pattern>,
    places: Vec<Place>,
    languages: Vec<String>,
    speakers: Arc<[FeedId]>,
    includes: Vec<usize>,
}

/// A word as it is looked for.
#[derive(Clone, Debug)]
struct Word {
    finder: Finder<'static>,
    /// It begins, it ends with a Latin letter or a digit.
    first: bool,
    last: bool,
}

/// What the rules look at in a post.
struct Subject<'p> {
    /// Folded.
    title: String,
    body: String,
    tags: String,
    /// As they are.
    post: &'p Post,
    text: &'p str,
    feed: Option<&'p FeedId>,
}

impl Matcher {
    /// Of these topics.
    pub fn new<'a>(topics: impl IntoIterator<Item = &'a Topic>) -> Self {
        let mut matcher = Self::default();
        let mut known = HashMap::new();
        for topic in topics {
            let at = matcher.add(topic, &mut known);
            matcher.topics.push(at);
        }
        let looks_at = |place| matcher.rules.iter().any(|rule| rule.has_words() && rule.places.contains(&place));
        let (title, body, tags) = (looks_at(Place::Title), looks_at(Place::Body), looks_at(Place::Tags));
        Self { title, body, tags, ..matcher }
    }

    /// Where the rule of a topic is; it is added behind those it includes.
    fn add(&mut self, topic: &Topic, known: &mut HashMap<Fingerprint, usize>) -> usize {
        let name = rule(topic);
        if let Some(at) = known.get(&name) {
            return *at;
        }
        let includes = topic.includes.iter().map(|included| self.add(included, known)).collect();
        self.rules.push(Rule::of(topic, name, includes));
        known.insert(name, self.rules.len() - 1);
        self.rules.len() - 1
    }

    /// For each topic, in their order, its rule and whether the post that `feed` brought belongs to it.
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
            post,
            text,
            feed,
        };
        let mut takes = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            takes.push(rule.takes(&subject, &takes));
        }
        self.by_topic(&takes)
    }

    /// The same for whatever this feed brought; `None` when a rule has to look at the post.
    pub fn belongs_by_feed(&self, feed: &FeedId) -> Option<Vec<(Fingerprint, bool)>> {
        let mut takes = Vec::with_capacity(self.rules.len());
        for rule in &self.rules {
            if rule.has_words() || !rule.languages.is_empty() {
                return None;
            }
            takes.push(rule.picks && rule.draws_on(Some(feed)) || rule.includes_any(&takes));
        }
        Some(self.by_topic(&takes))
    }

    fn by_topic(&self, takes: &[bool]) -> Vec<(Fingerprint, bool)> {
        self.topics.iter().map(|at| (self.rules[*at].name, takes[*at])).collect()
    }
}

impl Rule {
    fn of(topic: &Topic, name: Fingerprint, includes: Vec<usize>) -> Self {
        let words = |words: &[String]| words.iter().map(|word| Word::of(word)).collect();
        Self {
            name,
            picks: topic.picks,
            feeds: topic.feeds.clone(),
            any: words(&topic.any),
            all: words(&topic.all),
            none: words(&topic.none),
            regex: topic.regex.clone(),
            places: topic.places.clone(),
            languages: topic.languages.clone(),
            speakers: Arc::clone(&topic.speakers),
            includes,
        }
    }

    fn has_words(&self) -> bool {
        !(self.any.is_empty() && self.all.is_empty() && self.none.is_empty() && self.regex.is_none())
    }

    /// `taken` says what the rules before this one take.
    fn takes(&self, subject: &Subject, taken: &[bool]) -> bool {
        self.speaks(subject)
            && (self.picks(subject) || self.includes_any(taken))
            && !self.none.iter().any(|word| self.finds(word, subject))
    }

    fn includes_any(&self, taken: &[bool]) -> bool {
        self.includes.iter().any(|at| taken.get(*at) == Some(&true))
    }

    fn draws_on(&self, feed: Option<&FeedId>) -> bool {
        match &self.feeds {
            FeedSelection::All => true,
            FeedSelection::Except(feeds) => feed.is_none_or(|feed| !feeds.contains(feed)),
            FeedSelection::Some(feeds) => feed.is_some_and(|feed| feeds.contains(feed)),
        }
    }

    fn picks(&self, subject: &Subject) -> bool {
        self.picks
            && self.draws_on(subject.feed)
            && (self.any.is_empty() || self.any.iter().any(|word| self.finds(word, subject)))
            && self.all.iter().all(|word| self.finds(word, subject))
            && self.regex.as_ref().is_none_or(|regex| self.places.iter().any(|place| subject.fits(regex, *place)))
    }

    fn finds(&self, word: &Word, subject: &Subject) -> bool {
        self.places.iter().any(|place| word.is_in(subject.folded(*place)))
    }

    /// The language of the post, else of its feed, is one of those wanted. What nobody says is none.
    fn speaks(&self, subject: &Subject) -> bool {
        let of_feed = || subject.feed.is_some_and(|feed| self.speakers.binary_search(feed).is_ok());
        self.languages.is_empty() || subject.post.lang.as_ref().map_or_else(of_feed, |tag| speaks(&self.languages, tag))
    }
}

/// Whether a language tag is in one of these ranges, by basic filtering (RFC 4647 section 3.3.1): `zh`
/// takes `zh-Hans`, which does not take `zh`.
pub fn speaks(ranges: &[String], tag: &str) -> bool {
    let is_in = |range: &String| {
        tag.get(..range.len()).is_some_and(|start| start.eq_ignore_ascii_case(range))
            && matches!(tag.as_bytes().get(range.len()), None | Some(b'-'))
    };
    ranges.iter().any(is_in)
}

impl Subject<'_> {
    fn folded(&self, place: Place) -> &str {
        match place {
            Place::Title => &self.title,
            Place::Body => &self.body,
            Place::Tags => &self.tags,
        }
    }

    /// A regular expression says itself how exact it is, so it is tried on the text as it stands; and on
    /// the folded one, so that it finds the other script and width too.
    fn fits(&self, regex: &Pattern, place: Place) -> bool {
        let as_it_is = match place {
            Place::Title => regex.is_in(&self.post.title),
            Place::Body => regex.is_in(self.text),
            Place::Tags => self.post.tags.iter().any(|tag| regex.is_in(tag)),
        };
        as_it_is || regex.is_in(self.folded(place))
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
    named(topic, &mut HashMap::new())
}

/// Topics that several others include are named once: otherwise each more of them could double the work.
fn named(topic: &Topic, known: &mut HashMap<*const Topic, Fingerprint>) -> Fingerprint {
    let list = |feeds: &[FeedId]| feeds.iter().map(FeedId::as_str).collect::<Vec<_>>().join(",");
    let feeds = match &topic.feeds {
        FeedSelection::All => "*".to_owned(),
        FeedSelection::Except(feeds) => format!("*-{}", list(feeds)),
        FeedSelection::Some(feeds) => list(feeds),
    };
    let mut included = Vec::with_capacity(topic.includes.len());
    for other in &topic.includes {
        let at = Arc::as_ptr(other);
        let name = match known.get(&at) {
            Some(name) => *name,
            None => named(other, known),
        };
        known.insert(at, name);
        included.push(name.hex());
    }
    let Topic { picks, any, all, none, places, languages, speakers, .. } = topic;
    let regex = topic.regex.as_ref().map(Pattern::as_str);
    Fingerprint::of(&format!(
        "{VERSION}\n{picks}\n{feeds}\n{any:?}\n{all:?}\n{none:?}\n{regex:?}\n{places:?}\n{languages:?}\n\
         {speakers:?}\n{included:?}"
    ))
}

/// Latin letters reach to U+024F; ideographs begin far above.
fn is_latin(c: char) -> bool {
    c.is_ascii_digit() || (c.is_alphabetic() && u32::from(c) < 0x250)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EntryKey, Timestamp};

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
            ("騰訊控股", "腾讯", true),
            ("腾讯控股", "騰訊", true),
            ("台灣", "臺湾", true),
        ];
        for (text, word, wanted) in cases {
            assert_eq!(Word::of(word).is_in(&fold(text)), wanted, "{word} in {text}");
        }
    }

    #[test]
    fn rules_about_feeds_alone_need_no_post() {
        let feed = |id: &str| FeedId::parse(id).expect("id");
        let of = |id: &str, feeds| Topic { feeds, ..topic(id) };
        let some = of("some", FeedSelection::Some([feed("a")].into()));
        let except = of("except", FeedSelection::Except([feed("a")].into()));
        let gathered = Topic { picks: false, includes: vec![Arc::new(some.clone())], ..topic("gathered") };
        let topics = [topic("all"), some, except, gathered];
        let matcher = Matcher::new(&topics);
        for id in ["a", "b"] {
            let known = matcher.belongs_by_feed(&feed(id)).expect("no post is needed");
            assert_eq!(known, matcher.belongs(&post("x", None), Some(&feed(id))), "{id}");
        }
        let words = Topic { none: vec!["x".into()], ..topic("words") };
        let german = Topic { languages: vec!["de".into()], ..topic("german") };
        for looks in [words, german] {
            assert_eq!(Matcher::new(&[looks, topics[0].clone()]).belongs_by_feed(&feed("a")), None);
        }
    }

    /// A topic of every post.
    pub(super) fn topic(id: &str) -> Topic {
        Topic {
            id: TopicId::parse(id).expect("id"),
            title: id.into(),
            picks: true,
            feeds: FeedSelection::All,
            any: vec![],
            all: vec![],
            none: vec![],
            regex: None,
            places: vec![Place::Title, Place::Body],
            languages: vec![],
            speakers: Arc::new([]),
            includes: vec![],
            limit: 50,
            max_age: None,
            per_feed_limit: None,
            fold: false,
            formats: crate::model::Format::ALL.to_vec(),
            changes: false,
        }
    }

    fn post(title: &str, lang: Option<&str>) -> Post {
        Post {
            title: title.into(),
            date: Timestamp::default(),
            author: String::new(),
            from: String::new(),
            tags: vec!["News".into()],
            categories: vec![],
            updated: None,
            lang: lang.map(str::to_owned),
            enclosures: vec![],
            claimed: None,
            key: EntryKey::of("x"),
            body: "<p>a <b>body</b></p>".into(),
        }
    }

    fn takes(topic: &Topic, post: &Post, feed: Option<&str>) -> bool {
        let feed = feed.and_then(FeedId::parse);
        Matcher::new([topic]).belongs(post, feed.as_ref())[0].1
    }

    #[test]
    fn regular_expressions_see_the_text_and_its_folded_form() {
        let with = |regex: &str, title: &str, place: Place| {
            let regex = Some(Pattern::parse(regex).expect("regex"));
            takes(&Topic { regex, places: vec![place], ..topic("t") }, &post(title, None), None)
        };
        for (regex, title, wanted) in [
            ("腾讯|微信", "騰訊停牌", true),
            ("騰訊", "騰訊停牌", true),
            ("[A-Z]{3}", "the BBC", true),
            ("[A-Z]{3}", "the news", false),
            (r"\bai\b", "ＡＩ 时代", true),
            (r"\d{4}年", "２０２１年", true),
            ("^x", "a\nx", false),
        ] {
            assert_eq!(with(regex, title, Place::Title), wanted, "{regex} in {title}");
        }
        assert!(with("a body", "x", Place::Body) && !with("a body", "x", Place::Title));
        assert!(with("^news$", "x", Place::Tags));
    }

    #[test]
    fn languages_are_the_posts_else_the_feeds() {
        let of = |id: &str| FeedId::parse(id).expect("id");
        let zh = Topic { languages: vec!["ZH".into(), "en-GB".into()], speakers: Arc::new([of("a")]), ..topic("t") };
        for (lang, feed, wanted) in [
            (Some("zh-Hans-CN"), None, true),
            (Some("zh"), Some("b"), true),
            (Some("zho"), None, false),
            (Some("en-gb"), None, true),
            (Some("en"), Some("a"), false),
            (None, Some("a"), true),
            (None, Some("b"), false),
            (None, Some("c"), false),
            (None, None, false),
        ] {
            assert_eq!(takes(&zh, &post("x", lang), feed), wanted, "{lang:?} {feed:?}");
        }
    }

    #[test]
    fn topics_gather_what_others_pick() {
        let rust = Arc::new(Topic { any: vec!["rust".into()], ..topic("rust") });
        let go = Arc::new(Topic { any: vec!["go".into()], none: vec!["away".into()], ..topic("go") });
        let both = Arc::new(Topic { picks: false, includes: vec![Arc::clone(&rust), go], ..topic("both") });
        let more =
            Topic { any: vec!["zig".into()], none: vec!["spam".into()], includes: vec![both.clone()], ..topic("more") };
        for (title, in_both, in_more) in [
            ("Rust", true, true),
            ("Go", true, true),
            ("Go away", false, false),
            ("Zig", false, true),
            ("Rust spam", true, false),
            ("Java", false, false),
        ] {
            let belongs = Matcher::new([&*both, &more, &*rust]).belongs(&post(title, None), None);
            let belongs: Vec<bool> = belongs.into_iter().map(|(_, belongs)| belongs).collect();
            assert_eq!(belongs, [in_both, in_more, title.contains("Rust")], "{title}");
        }
    }

    #[test]
    fn everything_that_decides_changes_the_name_of_a_rule() {
        let plain = topic("t");
        let id = FeedId::parse("a").expect("id");
        let inner = |any: &str| vec![Arc::new(Topic { any: vec![any.into()], ..topic("inner") })];
        let others = [
            Topic { picks: false, ..plain.clone() },
            Topic { feeds: FeedSelection::Some(vec![id.clone()]), ..plain.clone() },
            Topic { any: vec!["x".into()], ..plain.clone() },
            Topic { all: vec!["x".into()], ..plain.clone() },
            Topic { none: vec!["x".into()], ..plain.clone() },
            Topic { regex: Pattern::parse("x").ok(), ..plain.clone() },
            Topic { places: vec![Place::Tags], ..plain.clone() },
            Topic { languages: vec!["x".into()], ..plain.clone() },
            Topic { speakers: Arc::new([id]), ..plain.clone() },
            Topic { includes: inner("x"), ..plain.clone() },
            Topic { includes: inner("y"), ..plain.clone() },
        ];
        let mut names: Vec<Fingerprint> = others.iter().chain([&plain]).map(rule).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 12);
        // and nothing else does
        let shown = Topic {
            id: TopicId::parse("u").expect("id"),
            limit: 1,
            max_age: Some(std::time::Duration::ZERO),
            per_feed_limit: Some(1),
            fold: true,
            changes: true,
            ..plain.clone()
        };
        assert_eq!(rule(&shown), rule(&plain));
    }
}
