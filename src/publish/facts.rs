//! What publishing needs of the archive and the config, ready to be asked for each entry.

use std::collections::HashMap;
use std::sync::Arc;

use crate::archive::{Line, Op, SiteFacts, SourceLine};
use crate::config::Config;
use crate::history::Version;
use crate::model::{FeedId, Publish};

/// The site, and what is known of feeds.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) site: SiteFacts,
    /// What each feed said of itself, earliest first.
    sources: HashMap<String, Vec<SourceLine>>,
    /// Feeds that are not published in full.
    limited: HashMap<FeedId, Publish>,
}

impl Facts {
    /// Of the site and its sources, of which the earliest lines come first. Several documents are made from them at a time.
    pub(super) fn new(site: SiteFacts, lines: Vec<SourceLine>, config: &Config) -> Arc<Self> {
        let mut sources: HashMap<String, Vec<SourceLine>> = HashMap::new();
        for line in lines {
            sources.entry(line.feed.clone()).or_default().push(line);
        }
        let limited = config.feeds.iter().filter(|feed| feed.publish != Publish::Full);
        let limited = limited.map(|feed| (feed.source.id.clone(), feed.publish)).collect();
        Arc::new(Self { site, sources, limited })
    }

    /// What a feed said of itself, earliest first.
    pub(super) fn sources(&self, feed: &str) -> &[SourceLine] {
        self.sources.get(feed).map_or(&[], Vec::as_slice)
    }

    /// How much others see of a feed.
    pub(super) fn shown(&self, feed: Option<&FeedId>) -> Publish {
        feed.and_then(|feed| self.limited.get(feed)).copied().unwrap_or(Publish::Full)
    }

    /// The version that a line tells of.
    pub(super) fn version(&self, line: &Line) -> Version {
        Version { key: line.key, rev: line.rev.unwrap_or(0), seen: line.seen, is_news: self.is_news(line) }
    }

    fn is_news(&self, line: &Line) -> bool {
        match line.op {
            Op::Import => false,
            // A feed's first document and what it says of itself are written in one go, at one time.
            Op::Add => {
                let first = line.feed.as_deref().and_then(|feed| self.sources(feed).first());
                first.is_none_or(|first| first.seen != line.seen)
            }
            _ => true,
        }
    }
}
