//! `state.json`: what a fresh clone of the archive needs to poll conditionally.

use std::collections::BTreeMap;

use crate::index::FeedState;
use crate::model::{FeedId, Validators};

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
        let kept = self.feeds.get(feed.as_str())?;
        Some(FeedState { url: kept.url.clone(), validators: kept.validators.clone(), ..FeedState::default() })
    }

    /// Takes over what is known of a feed now. A feed without validators needs no line.
    pub fn put(&mut self, feed: &FeedId, state: &FeedState) {
        if state.validators.is_empty() {
            self.feeds.remove(feed.as_str());
        } else {
            let kept = Kept { url: state.url.clone(), validators: state.validators.clone() };
            self.feeds.insert(feed.to_string(), kept);
        }
    }

    /// The text of the file.
    pub fn to_text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}
