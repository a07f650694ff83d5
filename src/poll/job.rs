//! A feed on its way between those who ask and those who keep.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::address::{self, Holds};
use super::backlog::Place;
use super::document::Asked;
use super::report::FeedReport;
use super::{Options, why_closed};
use crate::config::Feed;
use crate::index::FeedState;
use crate::model::{FeedId, Timestamp};
use crate::pace::{self, Past, Runs, Wake};

/// A feed that is to be asked, with what is remembered of it.
#[derive(Clone, Debug)]
pub struct Job {
    /// The feed.
    pub feed: Arc<Feed>,
    /// What is remembered of it.
    pub state: FeedState,
    /// How it is asked.
    pub options: Options,
    /// When it was last asked, by a clock that nobody sets.
    pub(super) asked: Option<Instant>,
}

impl Job {
    /// A feed as it is asked at its times.
    pub fn new(feed: Arc<Feed>, state: FeedState) -> Self {
        Self { feed, state, options: Options::default(), asked: None }
    }

    pub(super) fn id(&self) -> &FeedId {
        &self.feed.source.id
    }

    /// The machine slept: the last time it was asked is so much longer ago.
    pub(super) fn slept(&mut self, time: Duration) {
        self.asked = self.asked.and_then(|asked| asked.checked_sub(time));
    }

    /// The machine's clock was set: what it called the time of the last poll is told anew, by how long ago that was.
    pub(super) fn set_clock(&mut self, now: Timestamp) {
        let Some(asked) = self.asked else { return };
        let ago = i64::try_from(asked.elapsed().as_millis()).unwrap_or(i64::MAX);
        let then = now.millis().saturating_sub(ago);
        let FeedState { polled, tried, .. } = &mut self.state;
        if tried > polled {
            (*tried, *polled) = (Some(then), polled.map(|polled| polled.min(then)));
        } else {
            (*polled, *tried) = (Some(then), tried.map(|tried| tried.min(then)));
        }
    }

    /// When it is asked next; `None` when its schedule has no run left.
    pub(super) fn wake(&self, min_interval: Duration, now: Timestamp) -> Option<Wake> {
        wake(&self.feed, &self.state, &Holds::default(), min_interval, now)
    }

    /// The report of a feed whose last poll is less than `min_interval` ago.
    pub(super) fn recent(&self, min_interval: Duration, now: Timestamp) -> Option<FeedReport> {
        let polled = self.state.polled.filter(|_| !self.feed.source.is_file() && !self.options.force)?;
        // A last poll in the future is a clock that was set back, no reason to wait.
        let since = u64::try_from(now.millis() - polled).ok().map(Duration::from_millis)?;
        let wait = min_interval.checked_sub(since).filter(|wait| !wait.is_zero())?;
        let reason = format!("polled {} s ago; again in {} s, or with --force", since.as_secs(), wait.as_secs());
        Some(FeedReport::skipped(self.id(), reason, pace::later(now, wait)))
    }

    pub(super) fn closed(&self, wake: Wake) -> FeedReport {
        FeedReport::skipped(self.id(), why_closed(wake), wake.at)
    }
}

/// When each feed was last asked, by a clock that nobody sets. Whoever holds it knows that also when what was kept of an answer
/// is lost.
#[derive(Clone, Debug, Default)]
pub struct LastAsked(Arc<Mutex<HashMap<FeedId, Instant>>>);

impl LastAsked {
    fn times(&self) -> MutexGuard<'_, HashMap<FeedId, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The feed is asked now.
    pub(super) fn put(&self, feed: &FeedId, now: Instant) {
        self.times().insert(feed.clone(), now);
    }

    /// The job, which knows it too.
    pub(super) fn told(&self, job: Job) -> Job {
        let asked = self.times().get(job.id()).copied();
        Job { asked: asked.max(job.asked), ..job }
    }
}

/// When a feed is asked next; `None` when its schedule has no run left.
pub(super) fn wake(
    feed: &Feed,
    state: &FeedState,
    holds: &Holds,
    min_interval: Duration,
    now: Timestamp,
) -> Option<Wake> {
    let closed = holds.open(address::of(&feed.source, state), state, now).err();
    let past = Past {
        polled: state.last_try(),
        failures: state.failures,
        closed,
        pace: state.pace.clone(),
        entries: state.entries,
        active: state.active.map(Timestamp::from_millis),
    };
    let runs = Runs::of(feed.source.id.as_str(), &feed.schedule);
    // A file of the operator's disk needs no sparing.
    let min_interval = if feed.source.is_file() { Duration::ZERO } else { min_interval };
    pace::next(runs, &past, min_interval, now)
}

/// What comes back for a feed.
#[derive(Debug)]
pub enum Back {
    /// It was asked.
    Asked(Box<Answered>),
    /// It may not be asked yet.
    Skipped(Box<Job>, Box<FeedReport>),
    /// It was asked at that time and had not answered when the field was told to stop.
    Stopped(Box<Job>, Timestamp),
    /// The machine's clock was set by so many milliseconds; what waits was planned anew.
    ClockSet(i64),
}

impl Back {
    /// True when keeping it writes neither to the archive nor to the records.
    pub fn is_light(&self) -> bool {
        match self {
            Self::Asked(answered) => answered.place.is_none(),
            Self::Skipped(..) | Self::Stopped(..) | Self::ClockSet(_) => true,
        }
    }
}

/// A feed that was asked, and what that came to.
#[derive(Debug)]
pub struct Answered {
    pub(super) job: Job,
    pub(super) asked: Asked,
    /// How long fetching and reading took.
    pub(super) took: Duration,
    /// How long it had waited for its host's turn and for a slot.
    pub(super) waited: Duration,
    /// When it was asked.
    pub(super) began: Timestamp,
    /// Where it brought a document.
    pub(super) place: Option<Place>,
}
