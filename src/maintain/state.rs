//! `state.json`: what a fresh clone of the archive needs to poll conditionally.

use std::collections::BTreeMap;

use crate::index::FeedState;
use crate::model::{FeedId, Timestamp, Validators};

/// The file, sorted by feed so that it changes only where something changed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StateFile {
    format: u32,
    feeds: BTreeMap<String, Kept>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Kept {
    url: String,
    #[serde(flatten)]
    validators: Validators,
    /// The address it moved to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moved: Option<String>,
    /// By address.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    elsewhere: BTreeMap<String, Validators>,
    /// Addresses that ended, and when they last said so (RFC 3339).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    gone: BTreeMap<String, String>,
}

impl Default for StateFile {
    fn default() -> Self {
        Self { format: 1, feeds: BTreeMap::new() }
    }
}

impl StateFile {
    /// Reads the text. One that cannot be read counts as absent: every feed is then asked once
    /// without validators, which loses nothing.
    pub fn parse(text: Option<&str>) -> Self {
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// What it says of a feed.
    pub fn get(&self, feed: &FeedId) -> Option<FeedState> {
        let Kept { url, validators, moved, elsewhere, gone } = self.feeds.get(feed.as_str())?.clone();
        let when = |(url, when): (String, String)| Some((url, Timestamp::parse_rfc3339(&when)?.millis()));
        let gone = gone.into_iter().filter_map(when).collect();
        Some(FeedState { url, validators, elsewhere, gone, moved, ..FeedState::default() })
    }

    /// Takes over what is known of a feed now; true when that changed something. A feed of which there is nothing to say
    /// needs no line.
    pub fn put(&mut self, feed: &FeedId, state: &FeedState) -> bool {
        let when = |(url, when): (&String, &i64)| (url.clone(), Timestamp::from_millis(*when).rfc3339_millis());
        let kept = Kept {
            url: state.url.clone(),
            validators: state.validators.clone(),
            moved: state.moved.clone(),
            elsewhere: state.elsewhere.clone(),
            gone: state.gone.iter().map(when).collect(),
        };
        if kept == (Kept { url: state.url.clone(), ..Kept::default() }) {
            self.feeds.remove(feed.as_str()).is_some()
        } else {
            let known = self.feeds.insert(feed.to_string(), kept);
            known.as_ref() != self.feeds.get(feed.as_str())
        }
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
