//! What publishing needs of the archive and the config, ready to be asked for each entry.

use std::collections::HashMap;

use crate::archive::{Line, Op, SiteFacts, SourceLine};
use crate::config::Config;
use crate::history::Version;
use crate::model::{FeedId, Publish};

/// The site, and what is known of feeds.
pub(super) struct Facts<'a> {
    pub(super) site: &'a SiteFacts,
    /// What each feed said of itself, earliest first.
    sources: HashMap<&'a str, Vec<&'a SourceLine>>,
    /// Feeds that are not published in full.
    limited: HashMap<&'a FeedId, Publish>,
}

impl<'a> Facts<'a> {
    /// Of the site and its sources, of which the earliest lines come first.
    pub(super) fn new(site: &'a SiteFacts, lines: &'a [SourceLine], config: &'a Config) -> Self {
        let mut sources: HashMap<&str, Vec<&SourceLine>> = HashMap::new();
        for line in lines {
            sources.entry(&line.feed).or_default().push(line);
        }
        let limited = config.feeds.iter().filter(|feed| feed.publish != Publish::Full);
        Self { site, sources, limited: limited.map(|feed| (&feed.source.id, feed.publish)).collect() }
    }

    /// What a feed said of itself, earliest first.
    pub(super) fn sources(&self, feed: &str) -> &[&'a SourceLine] {
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
