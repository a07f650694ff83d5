//! One feed from fetch to archive, and all feeds with limits.

mod address;
mod asking;
mod backlog;
mod document;
mod field;
mod hidden;
mod job;
mod keeping;
mod queue;
mod report;
mod timetable;

use std::collections::HashSet;
use std::sync::Arc;

pub use asking::{Asking, Orders};
pub use field::{Load, Order};
pub use job::{Answered, Back, Job, LastAsked};
pub use keeping::Desk;
pub use report::{FeedReport, Outcome};

use self::address::Holds;
use crate::archive::{Archive, ArchiveError, GROUP};
use crate::clock::Clock;
use crate::config::{Config, Feed};
use crate::fetch::Fetch;
use crate::index::{FeedState, Index, IndexError};
use crate::maintain::state::StateFile;
use crate::model::FeedId;
use crate::pace::{Wake, Why};

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

impl<F, I, A, C> Clone for Poller<F, I, A, C> {
    fn clone(&self) -> Self {
        Self {
            config: Arc::clone(&self.config),
            fetch: Arc::clone(&self.fetch),
            index: Arc::clone(&self.index),
            archive: Arc::clone(&self.archive),
            clock: Arc::clone(&self.clock),
        }
    }
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
        feeds: Vec<&Feed>,
        options: Options,
        stop: Stop,
        mut report: impl FnMut(&FeedReport),
    ) -> Result<Vec<FeedReport>, PollError> {
        let mut desk = Desk::open(self.clone()).await?;
        let feeds = feeds.into_iter().map(|feed| Arc::new(feed.clone())).collect();
        let jobs = desk.jobs(feeds, options).await?;
        let holds = self.holds(&jobs, &desk).await?;
        let (orders, mut backs) = Asking::start(self, holds, LastAsked::default(), stop).parts();
        // Nobody else gives orders, so the field ends when these are done.
        orders.send(Order::Ask(jobs));
        drop(orders);
        let mut reports = Vec::new();
        let mut some = Vec::new();
        while backs.recv_many(&mut some, GROUP).await > 0 {
            let mut asked = Vec::with_capacity(some.len());
            let mut done = Vec::with_capacity(some.len());
            for back in some.drain(..) {
                match back {
                    Back::Asked(answered) => asked.push(*answered),
                    Back::Skipped(_, skipped) => done.push(*skipped),
                    Back::Stopped(job, began) => desk.note_stopped(&job, began),
                    Back::ClockSet(_) => {}
                }
            }
            done.extend(desk.keep(asked).await?.into_iter().map(|(_, report)| report));
            done.iter().for_each(&mut report);
            reports.extend(done);
        }
        if !options.dry_run {
            desk.save(true).await?;
        }
        reports.sort_by(|a, b| a.feed.cmp(&b.feed));
        Ok(reports)
    }

    /// Which hosts want to be left alone, also those that told other feeds so: nobody knows where redirects will lead.
    async fn holds(&self, jobs: &[Job], desk: &Desk<F, I, A, C>) -> Result<Holds, PollError> {
        let (holds, now) = (Holds::default(), self.clock.now());
        for job in jobs {
            holds.learn(&job.state, now);
        }
        let polled: HashSet<&FeedId> = jobs.iter().map(Job::id).collect();
        let others = self.config.feeds.iter().filter(|feed| !polled.contains(&feed.source.id)).collect();
        for state in desk.stored(others).await? {
            holds.learn(&state, now);
        }
        Ok(holds)
    }

    /// When a feed is asked next, by what its job knows.
    pub fn next(&self, job: &Job) -> Option<Wake> {
        job.wake(self.config.fetch.min_interval, self.clock.now())
    }

    /// What is remembered of every feed of the config, in its order, and when each is asked next; nothing is written.
    pub async fn remembered(&self) -> Result<Vec<(FeedState, Option<Wake>)>, PollError> {
        let file = StateFile::parse(self.archive.state().await?.as_deref());
        let now = self.clock.now();
        let ids = self.config.feeds.iter().map(|feed| feed.source.id.clone()).collect();
        let remembered = self.index.feed_states(ids).await?;
        let known = self.config.feeds.iter().zip(remembered);
        let states: Vec<FeedState> = known.map(|(feed, state)| state_of(feed, state, &file)).collect();
        let holds = Holds::default();
        for state in &states {
            holds.learn(state, now);
        }
        let wakes = states
            .iter()
            .zip(&self.config.feeds)
            .map(|(state, feed)| job::wake(feed, state, &holds, self.config.fetch.min_interval, now));
        let wakes: Vec<Option<Wake>> = wakes.collect();
        Ok(states.into_iter().zip(wakes).collect())
    }
}

/// What is remembered of a feed, by the index or else by the archive.
fn state_of(feed: &Feed, remembered: Option<FeedState>, file: &StateFile) -> FeedState {
    let state = remembered.or_else(|| file.get(&feed.source.id)).unwrap_or_default();
    let url = feed.source.url.as_str();
    // All of it belongs to an address; another address has to be asked afresh.
    if state.url == url {
        state
    } else {
        FeedState { url: url.to_owned(), last_new: state.last_new, ..FeedState::default() }
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
