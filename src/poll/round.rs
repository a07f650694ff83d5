//! Many feeds at a time: who is asked when, and what is kept in which order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::address::{self, Holds};
use super::document::{Asked, Asker, FeedError};
use super::queue::Queue;
use super::report::FeedReport;
use super::{Options, PollError, Poller, Stop, why_closed};
use crate::archive::{Archive, FeedLine, SourceLine};
use crate::clock::Clock;
use crate::config::{Feed, Fetch as Limits};
use crate::fetch::{self, Fetch};
use crate::index::{FeedState, Index};
use crate::model::{EntryKey, FeedId, FeedMeta, Timestamp};

/// A finished feed waits this long for those before it, so that an article which two feeds bring
/// in the same round goes to the same feed whichever server is faster today. Who takes longer takes
/// no slot of `fetch.concurrency` any more, so that hanging servers keep nobody else waiting.
const PATIENCE: Duration = Duration::from_secs(1);
/// Feeds in flight, slow ones among them, as a multiple of `fetch.concurrency`.
const SLOW: usize = 4;

/// A round and what it gathers.
pub(super) struct Round<'a> {
    /// Sorted by id; everything else names a feed by its place here.
    pub(super) feeds: Vec<&'a Feed>,
    /// What is remembered of each feed.
    pub(super) known: Vec<FeedState>,
    pub(super) holds: Holds,
    pub(super) sources: Vec<SourceLine>,
    pub(super) changed: Vec<(FeedId, FeedState)>,
    /// Ledger lines about feeds.
    pub(super) lines: Vec<FeedLine>,
    pub(super) reports: Vec<FeedReport>,
    pub(super) options: Options,
    pub(super) would_be_new: HashSet<EntryKey>,
    concurrency: usize,
    queue: Queue,
    /// The addresses to ask, of feeds that wait.
    addresses: HashMap<usize, Vec<Url>>,
    stop: Stop,
}

impl<'a> Round<'a> {
    pub(super) fn new(
        limits: &Limits,
        feeds: Vec<&'a Feed>,
        sources: Vec<SourceLine>,
        options: Options,
        stop: Stop,
    ) -> Self {
        Self {
            known: Vec::with_capacity(feeds.len()),
            feeds,
            holds: Holds::default(),
            sources,
            changed: Vec::new(),
            lines: Vec::new(),
            reports: Vec::new(),
            options,
            would_be_new: HashSet::new(),
            concurrency: limits.concurrency.max(1),
            queue: Queue::new(limits.per_host, limits.host_delay),
            addresses: HashMap::new(),
            stop,
        }
    }

    /// Lets a feed wait for its turn, or says why it is not asked.
    pub(super) fn line_up(&mut self, place: usize, now: Timestamp) {
        let (feed, state) = (self.feeds[place], &self.known[place]);
        let all = address::of(&feed.source, state);
        let open = if self.options.force { Ok(all) } else { self.holds.open(all, state, now) };
        match open {
            Ok(addresses) => {
                self.queue.push(&queue_name(&addresses, place), place);
                self.addresses.insert(place, addresses);
            }
            Err(wake) => self.reports.push(FeedReport::skipped(&feed.source.id, why_closed(wake), wake.at)),
        }
    }

    /// The next feed to ask, if there is a slot for it.
    fn next(&mut self, in_flight: &BTreeMap<usize, Flight>) -> Option<(usize, Vec<Url>)> {
        if !self.has_slot(in_flight) {
            return None;
        }
        let place = self.queue.pop(Instant::now())?;
        Some((place, self.addresses.remove(&place).unwrap_or_default()))
    }

    fn has_slot(&self, in_flight: &BTreeMap<usize, Flight>) -> bool {
        let young = in_flight.values().filter(|flight| flight.is_young()).count();
        young < self.concurrency && in_flight.len() < SLOW * self.concurrency
    }

    /// A feed is back: its host may be asked again, or wants to be left alone.
    fn landed(&mut self, flight: &Flight, place: usize, asked: &Asked, now: Timestamp) {
        self.queue.done(&flight.host);
        let mut told = FeedState::default();
        for (address, error) in &asked.failed {
            address::note_failure(&mut told, address, error, now);
        }
        self.holds.learn(&told);
        if self.options.force {
            return;
        }
        for held in told.held.values() {
            for waiting in self.queue.hold(&held.host) {
                debug_assert_ne!(waiting, place, "a feed is asked once");
                self.line_up(waiting, now);
            }
        }
    }

    /// When there is something to do, besides answers that come in.
    fn tick(&self, in_flight: &BTreeMap<usize, Flight>, is_ready: bool) -> Option<Instant> {
        let is_full = !self.has_slot(in_flight);
        let wakes = self.queue.wakes().filter(|_| !is_full);
        let young = in_flight.values().filter(|flight| flight.is_young()).map(|flight| flight.since + PATIENCE);
        wakes.into_iter().chain(young.filter(|_| is_ready || is_full)).min()
    }

    /// A line for `sources.jsonl`, when the feed says something else of itself than before.
    pub(super) fn new_source_line(&self, feed: &Feed, meta: FeedMeta, seen: Timestamp) -> Option<SourceLine> {
        let line = SourceLine::new(seen, &feed.source, meta);
        let last = self.sources.iter().rfind(|known| known.feed == line.feed);
        (!last.is_some_and(|last| last.says_the_same(&line))).then_some(line)
    }
}

/// Files of the operator's disk have no host to spare.
fn queue_name(addresses: &[Url], place: usize) -> String {
    let host = addresses.first().filter(|url| url.scheme() != "file").map(fetch::host);
    host.unwrap_or_else(|| format!("file {place}"))
}

/// A feed that is being asked.
struct Flight {
    since: Instant,
    host: String,
}

impl Flight {
    fn is_young(&self) -> bool {
        self.since.elapsed() < PATIENCE
    }
}

impl<F, I, A, C> Poller<F, I, A, C>
where
    F: Fetch + 'static,
    I: Index,
    A: Archive,
    C: Clock + 'static,
{
    /// Fetches and reads many feeds at a time, and keeps them one after the other.
    pub(super) async fn run(
        &self,
        round: &mut Round<'_>,
        report: &mut impl FnMut(&FeedReport),
    ) -> Result<(), PollError> {
        let mut running = JoinSet::new();
        let mut tasks = HashMap::new();
        let mut in_flight: BTreeMap<usize, Flight> = BTreeMap::new();
        let mut ready = BTreeMap::new();
        let mut stop = round.stop.clone();
        let mut stopped = false;
        let mut told = round.reports.len();
        loop {
            while let Some((place, addresses)) = round.next(&in_flight) {
                let host = queue_name(&addresses, place);
                in_flight.insert(place, Flight { since: Instant::now(), host });
                let task = running.spawn(self.asker(round, place).ask(addresses));
                tasks.insert(task.id(), place);
            }
            while let Some(place) = next_in_order(&ready, &in_flight) {
                if let Some((asked, took)) = ready.remove(&place) {
                    let done = self.keep(place, asked, took, round).await?;
                    round.reports.push(done);
                }
            }
            round.reports[told..].iter().for_each(&mut *report);
            told = round.reports.len();
            if running.is_empty() && ready.is_empty() && round.queue.is_empty() {
                return Ok(());
            }
            let tick = round.tick(&in_flight, !ready.is_empty());
            tokio::select! {
                Some(done) = running.join_next_with_id() => {
                    let (task, asked) = match done {
                        Ok((task, asked)) => (task, Ok(asked)),
                        Err(error) => (error.id(), Err(FeedError::Task(error.to_string()))),
                    };
                    let Some(place) = tasks.remove(&task) else { continue };
                    let Some(flight) = in_flight.remove(&place) else { continue };
                    let stopped = |error| Asked {
                        failed: vec![(round.feeds[place].source.url.clone(), error)],
                        answered: None,
                    };
                    let asked = asked.unwrap_or_else(stopped);
                    round.landed(&flight, place, &asked, self.clock.now());
                    ready.insert(place, (asked, flight.since.elapsed()));
                }
                // Feeds that have not answered come again at the next poll.
                () = stop.wait(), if !stopped => {
                    stopped = true;
                    round.queue.clear();
                    in_flight.clear();
                    running.abort_all();
                    tasks.clear();
                }
                () = sleep_until(tick.unwrap_or_else(Instant::now)), if tick.is_some() => {}
            }
        }
    }

    fn asker(&self, round: &Round<'_>, place: usize) -> Asker<F, C> {
        Asker {
            fetch: self.fetch.clone(),
            clock: self.clock.clone(),
            feed: round.feeds[place].clone(),
            state: round.known[place].clone(),
            force: round.options.force,
        }
    }
}

/// The next feed to keep: the first that is ready, unless one before it is still in flight and
/// younger than the patience.
fn next_in_order<T>(ready: &BTreeMap<usize, T>, in_flight: &BTreeMap<usize, Flight>) -> Option<usize> {
    let first = *ready.keys().next()?;
    let blocked = in_flight.range(..first).any(|(_, flight)| flight.is_young());
    (!blocked).then_some(first)
}
