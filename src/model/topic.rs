use std::borrow::Borrow;
use std::fmt;

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

/// A named selection of posts, published as feeds.
#[derive(Clone, Debug, PartialEq)]
pub struct Topic {
    /// Its name and the first part of its addresses.
    pub id: TopicId,
    /// What readers see.
    pub title: String,
    /// Which feeds it draws on.
    pub feeds: FeedSelection,
    /// At least one of these words must occur, unless the list is empty.
    pub any: Vec<String>,
    /// Each of these words must occur.
    pub all: Vec<String>,
    /// None of these words may occur.
    pub none: Vec<String>,
    /// Where words are looked for.
    pub places: Vec<Place>,
    /// How many entries the current feed shows.
    pub limit: usize,
    /// Show what changed in revised entries.
    pub changes: bool,
}
