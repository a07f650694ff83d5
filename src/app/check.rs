//! `check`: what the config means, without writing anything.

use std::fmt::Write;
use std::time::Duration;

use super::{App, AppError, runtime};
use crate::archive::FolderArchive;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::maintain::{access, matches};
use crate::model::Topic;
use crate::schedule::Spread;

impl App {
    /// When each feed is polled next, and what the topics match.
    pub fn check(&self) -> Result<String, AppError> {
        const RUNS: usize = 5;
        let mut out = String::new();
        let mut now = SystemClock.now();
        let start = now;
        for feed in &self.config.feeds {
            let id = &feed.source.id;
            let state = if feed.enabled { "" } else { ", disabled" };
            let _ = writeln!(out, "feed `{id}` ({}{state})", feed.schedule);
            if feed.schedule.is_auto() {
                let least = self.config.fetch.min_interval.max(Duration::from_mins(1));
                let _ = writeln!(
                    out,
                    "  by the feed's own rhythm: at most every {} min, at least once a day; `feedmill status` shows the next time",
                    least.as_secs().div_ceil(60)
                );
                continue;
            }
            now = start;
            for _ in 0..RUNS {
                let Some(next) = feed.schedule.next(now, Spread::of(id.as_str())) else { break };
                let _ = writeln!(out, "  {}", feed.schedule.local(next));
                now = next;
            }
        }
        out.push_str(&self.matches()?);
        if is_provisional(&self.config.site.url) {
            let url = &self.config.site.url;
            let _ = writeln!(
                out,
                "note: published ids carry the host of site.url for ever, and `{url}` is not one that lasts; \
                 set the real address before the first poll"
            );
        }
        for note in access::notes(&self.config, &self.limits()) {
            let _ = writeln!(out, "note: {note}");
        }
        let (feeds, topics) = (self.config.feeds.len(), self.config.topics.len());
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let _ = writeln!(out, "the config is good: {feeds} feed{}, {topics} topic{}", plural(feeds), plural(topics));
        Ok(out)
    }

    /// What each topic matches, by the archive: opening the index would write.
    fn matches(&self) -> Result<String, AppError> {
        let Config { storage, topics, .. } = &*self.config;
        if topics.is_empty() {
            return Ok(String::new());
        }
        if !storage.archive.exists() {
            return Ok(format!("no post matches a topic yet: there is no `{}`\n", storage.archive.display()));
        }
        let archive = FolderArchive::new(storage.archive.clone(), storage.layout);
        let found = runtime()?.block_on(matches::count(&archive, &self.config))?;
        let line = |(topic, count): (&Topic, &usize)| {
            let plural = if found.posts == 1 { "post matches" } else { "posts match" };
            format!("topic `{}`: {count} of {} {plural}\n", topic.id, found.posts)
        };
        Ok(topics.iter().zip(&found.topics).map(line).collect())
    }
}

/// A host that will not stay the site's: an IP address, this machine, or a name from a manual.
fn is_provisional(url: &url::Url) -> bool {
    let example = |host: &str| host == "localhost" || host.split('.').rev().nth(1) == Some("example");
    match url.host() {
        Some(url::Host::Domain(host)) => example(host),
        _ => true,
    }
}
