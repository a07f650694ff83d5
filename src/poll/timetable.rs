//! Which feed is due when.
//!
//! Waiting goes by a clock that nobody sets. When the machine's clock is set, every time is computed anew from how long ago each
//! feed was really asked, and whoever is overdue then is asked within a while, not all at once: a jump of years neither
//! floods the web nor stalls the daemon.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::job::Job;
use crate::clock::Clock;
use crate::model::{FeedId, Timestamp};
use crate::pace;
use crate::schedule::Spread;

/// Waits are cut into pieces, so that a clock that was set is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A clock that differs by less was corrected, not set.
const CORRECTION: i64 = 5_000;
/// Who is overdue after the clock was set is asked within this time.
const CATCH_UP: Duration = Duration::from_mins(10);

/// Feeds that wait for their time.
#[derive(Debug)]
pub(super) struct Timetable {
    min_interval: Duration,
    by_time: BTreeMap<(Instant, FeedId), Job>,
    times: HashMap<FeedId, Instant>,
    /// What the clocks said at one moment.
    last: Clocks,
}

/// All clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    awake: Instant,
    asleep: Duration,
    machine: Timestamp,
}

impl Clocks {
    pub(super) fn look(clock: &impl Clock) -> Self {
        Self { awake: Instant::now(), asleep: clock.asleep(), machine: clock.now() }
    }
}

impl Timetable {
    pub(super) fn new(min_interval: Duration, now: Clocks) -> Self {
        Self { min_interval, by_time: BTreeMap::new(), times: HashMap::new(), last: now }
    }

    pub(super) fn set_min_interval(&mut self, min_interval: Duration) {
        self.min_interval = min_interval;
    }

    /// Enters a feed, in place of what was entered of it before.
    pub(super) fn enter(&mut self, job: Job, at: Timestamp, now: Timestamp) {
        let wait = Duration::from_millis(u64::try_from(at.millis().saturating_sub(now.millis())).unwrap_or(0));
        self.enter_at(job, Instant::now() + wait);
    }

    fn enter_at(&mut self, job: Job, at: Instant) {
        // However many years have passed by the machine's clock: nobody is asked twice in `min_interval`.
        let spared = job.asked.map(|asked| asked + self.min_interval).filter(|_| !job.feed.source.is_file());
        let at = spared.map_or(at, |spared| at.max(spared));
        self.remove(job.id());
        self.times.insert(job.id().clone(), at);
        self.by_time.insert((at, job.id().clone()), job);
    }

    pub(super) fn remove(&mut self, feed: &FeedId) {
        if let Some(at) = self.times.remove(feed) {
            self.by_time.remove(&(at, feed.clone()));
        }
    }

    pub(super) fn clear(&mut self) {
        self.times.clear();
        self.by_time.clear();
    }

    /// Takes out the feeds whose time has come, in the order of their times.
    pub(super) fn due(&mut self) -> Vec<Job> {
        let now = Instant::now();
        let mut due = Vec::new();
        while let Some(first) = self.by_time.first_entry().filter(|first| first.key().0 <= now) {
            let job = first.remove();
            self.times.remove(job.id());
            due.push(job);
        }
        due
    }

    /// When the next one is due, or the clock has to be looked at; `None` when nobody waits.
    pub(super) fn wakes(&self) -> Option<Instant> {
        let ((at, _), _) = self.by_time.first_key_value()?;
        Some((*at).min(Instant::now() + LONGEST_WAIT))
    }

    /// Compares the clocks. Where the machine's was set, or the machine slept, every time is computed anew; says by how many
    /// milliseconds it was set.
    pub(super) fn set_clock(&mut self, now: Clocks) -> Option<i64> {
        let slept = now.asleep.saturating_sub(self.last.asleep);
        let passed = now.awake.saturating_duration_since(self.last.awake) + slept;
        let by = now.machine.millis().saturating_sub(self.last.machine.millis()).saturating_sub(millis(passed));
        let is_set = by.abs() > CORRECTION;
        if !is_set && millis(slept) <= CORRECTION {
            return None;
        }
        self.last = now;
        let now = now.machine;
        for mut job in std::mem::take(&mut self.by_time).into_values() {
            self.times.remove(job.id());
            job.slept(slept);
            if is_set {
                job.set_clock(now);
            }
            if let Some(wake) = job.wake(self.min_interval, now) {
                self.enter_anew(job, wake.at, now);
            }
        }
        is_set.then_some(by)
    }

    fn enter_anew(&mut self, job: Job, at: Timestamp, now: Timestamp) {
        let at = if at <= now { pace::later(now, Spread::of(job.id().as_str()).within(CATCH_UP)) } else { at };
        let wait = Duration::from_millis(u64::try_from(at.millis() - now.millis()).unwrap_or(0));
        self.enter_at(job, Instant::now() + wait);
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
