use std::collections::BTreeMap;

use crate::model::{Timestamp, Validators};
use crate::pace::Pace;

/// What is remembered of a feed between polls. Times are milliseconds since the epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct FeedState {
    /// The feed's address in the config, to which `validators` belong.
    pub url: String,
    /// From the last answer whose entries are all kept.
    pub validators: Validators,
    /// Those of its other addresses: mirrors, or the address it moved to.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub elsewhere: BTreeMap<String, Validators>,
    /// SHA-256 (hex) of the last document whose entries are all kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Names the settings by which it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<String>,
    /// When the last poll began.
    pub polled: Option<i64>,
    /// When it was last tried, whether or not a request was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tried: Option<i64>,
    /// When the last new entry came.
    pub last_new: Option<i64>,
    /// Failed polls since the last good one.
    pub failures: u32,
    /// When the first of them was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing: Option<i64>,
    /// What the last of them said, as one sentence without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it last showed life: a new entry came, kept or left out, or, of the document that was read first, its newest
    /// entry's date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<i64>,
    /// Since when its documents come cut short, or hold more than `max_entries`; `None` while they come whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<i64>,
    /// When a document last shared no entry with the one before it, so that some in between were probably missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<i64>,
    /// Addresses at which somebody wants to be left alone (`Retry-After`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub held: BTreeMap<String, Held>,
    /// Addresses that answered 410 Gone, and when they were last asked.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub gone: BTreeMap<String, i64>,
    /// The address it moved to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<String>,
    /// When that was settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_since: Option<i64>,
    /// The address that permanent redirects led to at the last poll.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moving: Option<String>,
    /// When a document was last read, other than the one before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<i64>,
    /// How many entries it held, also those that the feed's words leave out.
    pub entries: usize,
    /// By what its first and its last entries can be recognised, where the feed has words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<String>,
    /// How many of them were new.
    pub news: usize,
    /// What its publisher says about when to ask.
    pub pace: Pace,
}

/// A host that wants to be left alone.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Held {
    /// Who said so; a redirect may have led there.
    pub host: String,
    /// Until when.
    pub until: i64,
}

impl FeedState {
    /// What to ask an address with.
    pub fn validators_of(&self, address: &str) -> Validators {
        let known = if address == self.url { Some(&self.validators) } else { self.elsewhere.get(address) };
        known.cloned().unwrap_or_default()
    }

    /// Remembers what an address answered with.
    pub fn put_validators(&mut self, address: &str, validators: Validators) {
        if address == self.url {
            self.validators = validators;
        } else if validators == Validators::default() {
            self.elsewhere.remove(address);
        } else {
            self.elsewhere.insert(address.to_owned(), validators);
        }
    }

    /// Asks every address afresh next time.
    pub fn forget_validators(&mut self) {
        self.validators = Validators::default();
        self.elsewhere.clear();
        self.body = None;
    }

    /// When it was last polled or tried.
    pub fn last_try(&self) -> Option<Timestamp> {
        self.polled.max(self.tried).map(Timestamp::from_millis)
    }
}
