use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use regex::{Regex, RegexBuilder};

use super::FeedId;
use super::feed::is_id;

/// The name of a topic in config and in its addresses: `[a-z0-9-]+`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(String);

impl TopicId {
    /// Accepts `[a-z0-9-]+`, at most 64 characters.
    pub fn parse(text: &str) -> Option<Self> {
        is_id(text).then(|| Self(text.to_owned()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for TopicId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which feeds a topic draws on.
#[derive(Clone, Debug, PartialEq)]
pub enum FeedSelection {
    /// `"*"`: every feed, and posts that belong to none.
    All,
    /// These feeds, sorted.
    Some(Vec<FeedId>),
}

/// Where a topic looks for its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The entry's title.
    Title,
    /// The text of the body.
    Body,
    /// The post's tags.
    Tags,
}

/// A regular expression; compared by its text.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// Larger programs (bytes) are no selection of posts; a bound on the memory of each topic.
    const LARGEST: usize = 4 << 20;

    /// Compiles a text; the error is the whole message of the compiler.
    pub fn parse(text: &str) -> Result<Self, regex::Error> {
        RegexBuilder::new(text).size_limit(Self::LARGEST).build().map(Self)
    }

    /// The text it was made of.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// True when it matches anywhere in a text. The time is linear in the text.
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// A named selection of posts, published as feeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    /// Its name and the first part of its addresses.
    pub id: TopicId,
    /// What readers see.
    pub title: String,
    /// True when `feeds`, words or `regex` pick posts; false when the topic only gathers others.
    pub picks: bool,
    /// Which feeds it draws on.
    pub feeds: FeedSelection,
    /// At least one of these words must occur, unless the list is empty.
    pub any: Vec<String>,
    /// Each of these words must occur.
    pub all: Vec<String>,
    /// None of these words may occur, in posts of other topics neither.
    pub none: Vec<String>,
    /// Must match too.
    pub regex: Option<Pattern>,
    /// Where words and `regex` are looked for.
    pub places: Vec<Place>,
    /// Only posts in one of these languages (BCP 47), those of other topics too; unless the list is empty.
    pub languages: Vec<String>,
    /// Feeds that are in one of these languages by the config, sorted: for posts that do not say theirs.
    pub speakers: Arc<[FeedId]>,
    /// Topics whose posts belong to this one too.
    pub includes: Vec<Arc<Topic>>,
    /// How many entries the current feed shows.
    pub limit: usize,
    /// How much older than the newest entry others may be.
    pub max_age: Option<Duration>,
    /// How many entries of one feed the current feed shows.
    pub per_feed_limit: Option<usize>,
    /// Show what several feeds bring under one title once.
    pub fold: bool,
    /// Show what changed in revised entries.
    pub changes: bool,
}
