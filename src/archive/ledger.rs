//! One JSON object a line: what was written, when, and by which rule.

use crate::model::{EntryKey, FeedMeta, FeedSource, Fingerprint, Record, Timestamp};

/// What a ledger line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// A new post.
    Add,
    /// A post took a new version.
    Revise,
    /// A post of another maker was taken over.
    Import,
    /// An entry was taken down: its post is gone and it does not come back.
    Forget,
    /// Another address or guid leads to a known entry.
    Alias,
    /// Another feed carries a known entry.
    Also,
}

/// A line of the ledger. Each `op` uses its own subset of the fields.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Line {
    /// What it tells.
    pub op: Op,
    /// When it was written (RFC 3339, milliseconds).
    #[serde(with = "moment")]
    pub seen: Timestamp,
    /// The entry's key.
    #[serde(with = "hex_key")]
    pub key: EntryKey,
    /// Where the post lies, relative to the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// SHA-256 of the post file, hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The feed that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<String>,
    /// The rule of identity that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<u8>,
    /// Number of the revision, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<u32>,
    /// The guid it came with, where the guid is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guid: Option<String>,
    /// Canonical addresses besides the post's own that lead to the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The id it is published under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why it was taken down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The topics that showed an entry when it was taken down, by their ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<String>,
    /// What a forgotten entry would be recognised by, as hashes that tell nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<String>,
    /// By what another entry is told from a forgotten one, as hashes, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    /// Version of the canonicaliser that made the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canon: Option<u32>,
}

/// What the rules of identity need of an entry, as 32 hex digits each, and the moment that it claimed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Trace {
    /// Of the title.
    pub title: String,
    /// Of the text.
    pub text: String,
    /// Of the guid it last came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guid: Option<String>,
    /// Of the address it last came with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// RFC 3339, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed: Option<String>,
}

impl Trace {
    /// Of what the index remembers.
    pub fn of(record: &Record) -> Self {
        Self {
            title: record.title.hex(),
            text: record.text.hex(),
            guid: record.guid.as_ref().map(Fingerprint::hex),
            link: record.link.as_ref().map(Fingerprint::hex),
            claimed: record.claimed.map(Timestamp::rfc3339_millis),
        }
    }
}

impl Line {
    /// A line with only what every op has.
    pub fn new(op: Op, seen: Timestamp, key: EntryKey) -> Self {
        Self {
            op,
            seen,
            key,
            path: None,
            sha256: None,
            feed: None,
            rule: None,
            rev: None,
            guid: None,
            aliases: Vec::new(),
            id: None,
            reason: None,
            topics: Vec::new(),
            marks: Vec::new(),
            trace: None,
            canon: None,
        }
    }
}

/// What a ledger line about a feed, and no entry, tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeedOp {
    /// It has a new address.
    Moved,
    /// Its address answered 410 Gone.
    Gone,
}

/// A line of the ledger that is about a feed; whoever reads entries passes it over, for it has no key.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FeedLine {
    /// What it tells.
    pub op: FeedOp,
    /// When it was written (RFC 3339, milliseconds).
    #[serde(with = "moment")]
    pub seen: Timestamp,
    /// The feed's id in the config.
    pub feed: String,
    /// The new address, or the one that is gone.
    pub url: String,
}

/// What a source said about itself from a time on.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SourceLine {
    /// From when.
    #[serde(with = "moment")]
    pub seen: Timestamp,
    /// The feed's id in the config.
    pub feed: String,
    /// The feed's name in the config.
    pub name: String,
    /// Where it was fetched; absent for a file of the operator's disk and an address with a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its Atom id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Its language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Its rights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rights: Option<String>,
    /// Its picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
}

impl SourceLine {
    /// A line for what the feed says now.
    pub fn new(seen: Timestamp, source: &FeedSource, meta: FeedMeta) -> Self {
        Self {
            seen,
            feed: source.id.to_string(),
            name: source.name.clone(),
            url: source.public_url().map(ToString::to_string),
            title: meta.title,
            id: meta.id,
            link: meta.link,
            language: meta.language,
            rights: meta.rights,
            icon: meta.icon,
        }
    }

    /// True when both say the same, whenever they said it.
    pub fn says_the_same(&self, other: &Self) -> bool {
        Self { seen: other.seen, ..self.clone() } == *other
    }
}

pub(super) mod moment {
    use crate::model::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&time.rfc3339_millis())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(from)?;
        Timestamp::parse_rfc3339(&text).ok_or_else(|| D::Error::custom("not an RFC 3339 time"))
    }
}

pub(super) mod hex_key {
    use crate::model::EntryKey;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(key: &EntryKey, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&key.hex())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<EntryKey, D::Error> {
        let text = String::deserialize(from)?;
        EntryKey::from_hex(&text).ok_or_else(|| D::Error::custom("not 64 hex digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_only_what_it_has_to_say() {
        let seen = Timestamp::parse_rfc3339("2026-11-22T00:00:00Z").expect("time");
        let key = EntryKey::of("x");
        let line = Line { feed: Some("a".into()), rule: Some(4), ..Line::new(Op::Also, seen, key) };
        let text = serde_json::to_string(&line).expect("json");
        assert_eq!(
            text,
            format!(r#"{{"op":"also","seen":"2026-11-22T00:00:00.000Z","key":"{key}","feed":"a","rule":4}}"#)
        );
        assert_eq!(serde_json::from_str::<Line>(&text).expect("line"), line);
    }
}
