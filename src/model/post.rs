use std::fmt;

use super::{Enclosure, EntryKey, Timestamp};

/// Where a post lies: relative to the archive, `/` between the parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PostPath(String);

impl PostPath {
    /// Accepts relative paths that stay below the archive. A backslash is part of a name, as other
    /// makers wrote it, but may not lead upwards where it separates.
    pub fn parse(text: &str) -> Option<Self> {
        let stays = text.split('/').all(|part| !part.is_empty() && part != ".");
        let climbs = text.split(['/', '\\']).any(|part| part == "..");
        (stays && !climbs && !text.contains('\0')).then(|| Self(text.to_owned()))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PostPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One kept entry, as its file says it.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// Plain text.
    pub title: String,
    /// UTC; names the file.
    pub date: Timestamp,
    /// The entry's author, else the feed's name.
    pub author: String,
    /// The link as received, or empty.
    pub from: String,
    /// The feed's name, its configured tags, the entry's categories.
    pub tags: Vec<String>,
    /// The feed's name.
    pub categories: Vec<String>,
    /// When the entry says it was changed, if that differs from `date`.
    pub updated: Option<Timestamp>,
    /// BCP 47.
    pub lang: Option<String>,
    /// Files that belong to it.
    pub enclosures: Vec<Enclosure>,
    /// The date as received, when it could not be used.
    pub claimed: Option<String>,
    /// The entry's key; written into the file only when it does not follow from `from`.
    pub key: EntryKey,
    /// Safe HTML on one line.
    pub body: String,
}
