//! One feed from fetch to archive, and all feeds with limits.

mod address;
mod document;
mod keeping;
mod queue;
mod report;
mod round;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

pub use report::{FeedReport, Outcome};

use self::address::Holds;
use self::round::Round;
use crate::archive::{Archive, ArchiveError, Batch};
use crate::clock::Clock;
use crate::config::{Config, Feed};
use crate::fetch::{self, Fetch};
use crate::index::{FeedState, Index, IndexError};
use crate::maintain::state::StateFile;
use crate::model::FeedId;
use crate::pace::{self, Past, Runs, Wake, Why};

/// Why a whole poll stopped. What one feed does wrong is in its report instead.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// Nothing can be kept.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Nothing can be remembered.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// How to poll.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Poll feeds whose last poll is recent too, and ask without validators.
    pub force: bool,
    /// Write nothing.
    pub dry_run: bool,
}

/// The signal to end; whoever holds one can wait for it.
#[derive(Clone, Debug)]
pub struct Stop(tokio::sync::watch::Receiver<bool>);

impl Stop {
    /// A signal, and the sender that gives it by sending `true`.
    pub fn new() -> (tokio::sync::watch::Sender<bool>, Self) {
        let (sender, receiver) = tokio::sync::watch::channel(false);
        (sender, Self(receiver))
    }

    /// Returns when the signal was given; never, when nobody is left to give it.
    pub async fn wait(&mut self) {
        if self.0.wait_for(|stop| *stop).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Everything a poll touches.
#[derive(Debug)]
pub struct Poller<F, I, A, C> {
    /// Feeds and topics.
    pub config: Arc<Config>,
    /// Where bytes come from.
    pub fetch: Arc<F>,
    /// What is remembered.
    pub index: Arc<I>,
    /// What is kept.
    pub archive: Arc<A>,
    /// What time it is.
    pub clock: Arc<C>,
}

impl<F, I, A, C> Poller<F, I, A, C>
where
    F: Fetch + 'static,
    I: Index,
    A: Archive,
    C: Clock + 'static,
{
    /// Polls the feeds, keeps what is new, and reports each feed as it is done.
    ///
    /// Feeds are kept in the order of their ids, a hanging one aside, so that the result does not
    /// depend on which server answers first.
    pub async fn all(
        &self,
        mut feeds: Vec<&Feed>,
        options: Options,
        stop: Stop,
        mut report: impl FnMut(&FeedReport),
    ) -> Result<Vec<FeedReport>, PollError> {
        let mut states = StateFile::parse(self.archive.state().await?.as_deref());
        let sources = self.archive.sources().await?;
        feeds.sort_by(|a, b| a.source.id.cmp(&b.source.id));
        let mut round = Round::new(&self.config.fetch, feeds, sources, options, stop);
        for feed in &round.feeds {
            round.known.push(self.feed_state(feed, &states).await?);
        }
        round.holds = self.holds(&round, &states).await?;
        for place in 0..round.feeds.len() {
            let recent = self.recent(round.feeds[place], &round.known[place]).filter(|_| !options.force);
            match recent {
                Some(skipped) => round.reports.push(skipped),
                None => round.line_up(place, self.clock.now()),
            }
        }
        round.reports.iter().for_each(&mut report);
        self.run(&mut round, &mut report).await?;
        let Round { feeds, changed, lines, mut reports, .. } = round;
        if !options.dry_run {
            if !lines.is_empty() {
                self.archive.write_all(Batch { feeds: lines, ..Batch::default() }).await?;
            }
            let on_the_web = |id: &FeedId| feeds.iter().any(|f| f.source.id == *id && f.source.public_url().is_some());
            for (feed, state) in changed.iter().filter(|(feed, _)| on_the_web(feed)) {
                states.put(feed, state);
            }
            self.index.put_feed_states(changed).await?;
            self.archive.put_state(states.to_text()).await?;
            self.archive.settle().await?;
        }
        reports.sort_by(|a, b| a.feed.cmp(&b.feed));
        Ok(reports)
    }

    /// Which hosts want to be left alone, also those that told another feed so.
    async fn holds(&self, round: &Round<'_>, states: &StateFile) -> Result<Holds, PollError> {
        let mut holds = Holds::default();
        round.known.iter().for_each(|state| holds.learn(state));
        let polled: HashSet<&FeedId> = round.feeds.iter().map(|feed| &feed.source.id).collect();
        let hosts: HashSet<String> = round.feeds.iter().map(|feed| fetch::host(&feed.source.url)).collect();
        for feed in &self.config.feeds {
            if !polled.contains(&feed.source.id) && hosts.contains(&fetch::host(&feed.source.url)) {
                holds.learn(&self.feed_state(feed, states).await?);
            }
        }
        Ok(holds)
    }

    /// What is remembered of a feed; a fresh index learns it from the archive.
    async fn feed_state(&self, feed: &Feed, states: &StateFile) -> Result<FeedState, IndexError> {
        let id = &feed.source.id;
        let state = match self.index.feed_state(id).await? {
            Some(state) => state,
            None => states.get(id).unwrap_or_default(),
        };
        let url = feed.source.url.as_str();
        // All of it belongs to an address; another address has to be asked afresh.
        if state.url == url {
            Ok(state)
        } else {
            Ok(FeedState { url: url.to_owned(), last_new: state.last_new, ..FeedState::default() })
        }
    }

    /// When a feed is asked next; `None` when its schedule has no run left.
    pub async fn wake(&self, feed: &Feed) -> Result<Option<Wake>, PollError> {
        let state = self.feed_state(feed, &StateFile::parse(None)).await?;
        Ok(self.wake_of(feed, &state, &Holds::default()))
    }

    /// What is remembered of every feed of the config, in its order, and when each is asked next; nothing is written.
    pub async fn remembered(&self) -> Result<Vec<(FeedState, Option<Wake>)>, PollError> {
        let file = StateFile::parse(self.archive.state().await?.as_deref());
        let (mut states, mut holds) = (Vec::with_capacity(self.config.feeds.len()), Holds::default());
        for feed in &self.config.feeds {
            let state = self.feed_state(feed, &file).await?;
            holds.learn(&state);
            states.push(state);
        }
        let wakes = states.iter().zip(&self.config.feeds).map(|(state, feed)| self.wake_of(feed, state, &holds));
        let wakes: Vec<Option<Wake>> = wakes.collect();
        Ok(states.into_iter().zip(wakes).collect())
    }

    fn wake_of(&self, feed: &Feed, state: &FeedState, holds: &Holds) -> Option<Wake> {
        let now = self.clock.now();
        let closed = holds.open(address::of(&feed.source, state), state, now).err();
        let past = Past { polled: state.last_try(), failures: state.failures, closed, pace: state.pace.clone() };
        let runs = Runs::of(feed.source.id.as_str(), &feed.schedule);
        // A file of the operator's disk needs no sparing.
        let min_interval = if feed.source.is_file() { Duration::ZERO } else { self.config.fetch.min_interval };
        pace::next(runs, &past, min_interval, now)
    }

    /// The report of a feed whose last poll is less than `min_interval` ago.
    fn recent(&self, feed: &Feed, state: &FeedState) -> Option<FeedReport> {
        let polled = state.polled.filter(|_| !feed.source.is_file())?;
        let (now, min_interval) = (self.clock.now(), self.config.fetch.min_interval);
        // A last poll in the future is a clock that was set back, no reason to wait.
        let since = u64::try_from(now.millis() - polled).ok().map(Duration::from_millis)?;
        let wait = min_interval.checked_sub(since).filter(|wait| !wait.is_zero())?;
        let reason = format!("polled {} s ago; again in {} s, or with --force", since.as_secs(), wait.as_secs());
        Some(FeedReport::skipped(&feed.source.id, reason, pace::later(now, wait)))
    }
}

/// Why a feed is not asked, for people.
fn why_closed(wake: Wake) -> String {
    let until = wake.at.rfc3339_millis();
    match wake.why {
        Why::Gone => format!("it answered 410 Gone; it is asked again on {}, or with --force", wake.at.day()),
        _ => format!("its host asks to be left alone until {until}; or use --force"),
    }
}
