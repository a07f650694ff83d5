//! Many feeds at a time: who is asked when, and in which order what they bring is kept.
//!
//! The field runs as a task of its own, so that nobody who keeps or publishes delays who is asked. A feed is with the field
//! while it waits and while it is asked, and out from then until it is given back.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use url::Url;

use super::address::{self, Holds};
use super::backlog::Backlog;
use super::document::{Asked, Asker, FeedError};
use super::job::{Answered, Back, Job, LastAsked};
use super::queue::Queue;
use super::timetable::{Clocks, Timetable};
use super::{FeedReport, Options, Stop};
use crate::clock::Clock;
use crate::config::Fetch as Limits;
use crate::fetch::{self, Fetch};
use crate::index::FeedState;
use crate::model::{FeedId, Timestamp};
use crate::pace::Wake;

/// A finished feed waits this long for those before it, so that an article which two feeds bring
/// in the same round goes to the same feed whichever server is faster today. Who takes longer takes
/// no slot of `fetch.concurrency` any more, so that hanging servers keep nobody else waiting.
const PATIENCE: Duration = Duration::from_secs(1);
/// Feeds in flight, slow ones among them, and documents that wait to be kept, as a multiple of `fetch.concurrency`.
const SLOW: usize = 4;

/// What the field is told.
#[derive(Debug)]
pub enum Order<F> {
    /// Ask these now, in the order of their ids; a feed that is out is not asked twice, but in the way that is wanted now
    /// where it still waits for its turn.
    Ask(Vec<Job>),
    /// These are back: ask each when its time has come. One without a time is not asked any more.
    Wait(Vec<(Job, Option<Wake>)>),
    /// From now on these are all the feeds there are, but for those that are out, asked in this way and with these limits.
    Renew(Vec<(Job, Option<Wake>)>, Arc<F>, Box<Limits>),
}

/// How busy the field is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Feeds that are due and wait for their host's turn or for a slot.
    pub waiting: usize,
    /// Feeds that are being asked.
    pub in_flight: usize,
}

/// Those who ask.
pub(super) struct Field<F, C> {
    fetch: Arc<F>,
    clock: Arc<C>,
    concurrency: usize,
    /// `fetch.min_interval`.
    min_interval: Duration,
    timetable: Timetable,
    queue: Queue,
    /// Feeds in the queue, with the addresses to ask.
    waiting: HashMap<usize, (Job, Vec<Url>, Instant)>,
    in_flight: BTreeMap<usize, Flight>,
    ready: BTreeMap<usize, Answered>,
    /// What goes back without having been asked.
    passed: VecDeque<Back>,
    out: HashSet<FeedId>,
    /// Documents that wait to be kept.
    backlog: Backlog,
    /// Bodies that wait to be read.
    bodies: Backlog,
    running: JoinSet<Asked>,
    tasks: HashMap<tokio::task::Id, usize>,
    readers: Arc<Semaphore>,
    holds: Holds,
    asked: LastAsked,
    next: usize,
    load: tokio::sync::watch::Sender<Load>,
}

/// A feed that is being asked.
#[derive(Debug)]
struct Flight {
    job: Job,
    since: Instant,
    began: Timestamp,
    waited: Duration,
    host: String,
}

impl Flight {
    fn is_young(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < PATIENCE
    }
}

impl<F: Fetch + 'static, C: Clock + 'static> Field<F, C> {
    pub(super) fn new(fetch: Arc<F>, clock: Arc<C>, limits: &Limits, holds: Holds, asked: LastAsked) -> Self {
        Self {
            timetable: Timetable::new(limits.min_interval, Clocks::look(&*clock)),
            fetch,
            clock,
            concurrency: limits.concurrency.max(1),
            min_interval: limits.min_interval,
            queue: Queue::new(limits.per_host, limits.host_delay),
            waiting: HashMap::new(),
            in_flight: BTreeMap::new(),
            ready: BTreeMap::new(),
            passed: VecDeque::new(),
            out: HashSet::new(),
            backlog: Backlog::default(),
            bodies: Backlog::default(),
            running: JoinSet::new(),
            tasks: HashMap::new(),
            readers: Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, NonZero::get))),
            holds,
            asked,
            next: 0,
            load: tokio::sync::watch::Sender::default(),
        }
    }

    /// Watches how busy the field is.
    pub(super) fn load(&self) -> tokio::sync::watch::Receiver<Load> {
        self.load.subscribe()
    }

    /// Asks until nobody gives orders any more and all is answered. Told to stop, it asks nobody any more; what was answered
    /// still comes back.
    pub(super) async fn run(
        mut self,
        mut orders: mpsc::UnboundedReceiver<Order<F>>,
        backs: mpsc::UnboundedSender<Back>,
        mut stop: Stop,
    ) {
        let mut is_open = true;
        let mut stopped = false;
        let (backlog, bodies) = (self.backlog.clone(), self.bodies.clone());
        loop {
            self.start_what_is_due();
            while let Some(back) = self.take_back() {
                if backs.send(back).is_err() {
                    // Nobody keeps anything any more.
                    return;
                }
            }
            if (stopped || !is_open && self.waiting.is_empty()) && self.is_idle() {
                return;
            }
            let tick = self.tick();
            tokio::select! {
                biased;
                () = stop.wait(), if !stopped => {
                    stopped = true;
                    self.stop();
                }
                order = orders.recv(), if is_open && !stopped => match order {
                    Some(order) => self.obey(order),
                    None => is_open = false,
                },
                Some(done) = self.running.join_next_with_id() => self.land(done),
                () = backlog.freed(), if self.is_ahead() => {}
                () = bodies.freed(), if self.is_ahead() => {}
                () = sleep_until(tick.unwrap_or_else(Instant::now)), if tick.is_some() => {}
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.in_flight.is_empty() && self.ready.is_empty() && self.passed.is_empty()
    }

    fn obey(&mut self, order: Order<F>) {
        match order {
            Order::Ask(mut jobs) => {
                jobs.sort_by(|a, b| a.id().cmp(b.id()));
                // Whoever waits for its turn already is asked as it is wanted now.
                let forced: HashSet<&FeedId> = jobs.iter().filter(|job| job.options.force).map(Job::id).collect();
                for (waiting, ..) in self.waiting.values_mut() {
                    waiting.options.force |= forced.contains(waiting.id());
                }
                for job in jobs {
                    if !self.out.contains(job.id()) {
                        self.timetable.remove(job.id());
                        self.line_up(job);
                    }
                }
            }
            Order::Wait(jobs) => {
                for (job, wake) in jobs {
                    self.out.remove(job.id());
                    self.enter(job, wake);
                }
            }
            Order::Renew(jobs, fetch, limits) => {
                self.fetch = fetch;
                self.concurrency = limits.concurrency.max(1);
                self.min_interval = limits.min_interval;
                self.timetable.set_min_interval(limits.min_interval);
                self.queue.set_limits(limits.per_host, limits.host_delay);
                self.timetable.clear();
                self.queue.clear();
                for (_, (job, ..)) in self.waiting.drain() {
                    self.out.remove(job.id());
                }
                for (job, wake) in jobs {
                    if !self.out.contains(job.id()) {
                        self.enter(job, wake);
                    }
                }
            }
        }
    }

    fn enter(&mut self, job: Job, wake: Option<Wake>) {
        self.holds.learn(&job.state, self.clock.now());
        let job = self.asked.told(job);
        match wake {
            Some(wake) => self.timetable.enter(job, wake.at, self.clock.now()),
            None => self.timetable.remove(job.id()),
        }
    }

    /// Feeds whose time has come line up, and whoever's turn it is is asked.
    fn start_what_is_due(&mut self) {
        if let Some(by) = self.timetable.set_clock(Clocks::look(&*self.clock)) {
            self.passed.push_back(Back::ClockSet(by));
        }
        for job in self.timetable.due() {
            self.line_up(job);
        }
        while self.has_slot() {
            let Some(place) = self.queue.pop(Instant::now()) else { break };
            let Some((job, addresses, since)) = self.waiting.remove(&place) else { continue };
            let host = queue_name(&addresses, job.id());
            let (fetch, clock, readers) = (self.fetch.clone(), self.clock.clone(), self.readers.clone());
            let (backlog, bodies) = (self.backlog.clone(), self.bodies.clone());
            let holds = self.holds.clone();
            let asker = Asker { fetch, clock, job: job.clone(), readers, backlog, bodies, holds };
            let task = self.running.spawn(asker.ask(addresses));
            self.tasks.insert(task.id(), place);
            let now = Instant::now();
            self.asked.put(job.id(), now);
            let job = Job { asked: Some(now), ..job };
            let began = self.clock.now();
            self.in_flight.insert(place, Flight { job, since: now, began, waited: now - since, host });
        }
        let load = Load { waiting: self.waiting.len(), in_flight: self.in_flight.len() };
        self.load.send_if_modified(|known| std::mem::replace(known, load) != load);
    }

    /// Lets a feed wait for its turn, or says why it is not asked.
    fn line_up(&mut self, job: Job) {
        let now = self.clock.now();
        self.out.insert(job.id().clone());
        let all = address::of(&job.feed.source, &job.state);
        let open = if job.options.force { Ok(all) } else { self.holds.open(all, &job.state, now) };
        let skipped = job.recent(self.min_interval, now);
        match (skipped, open) {
            (Some(report), _) => self.pass(job, report),
            (None, Ok(addresses)) => {
                self.queue.push(&queue_name(&addresses, job.id()), self.next);
                self.waiting.insert(self.next, (job, addresses, Instant::now()));
                self.next += 1;
            }
            (None, Err(wake)) => {
                let report = job.closed(wake);
                self.pass(job, report);
            }
        }
    }

    fn pass(&mut self, job: Job, report: FeedReport) {
        let report = FeedReport { dry_run: job.options.dry_run, ..report };
        let job = Job { options: Options::default(), ..job };
        self.passed.push_back(Back::Skipped(Box::new(job), Box::new(report)));
    }

    fn has_slot(&self) -> bool {
        let in_flight = self.in_flight.len();
        let has_young_slot = || {
            let now = Instant::now();
            self.in_flight.values().filter(|flight| flight.is_young(now)).count() < self.concurrency
        };
        in_flight < SLOW * self.concurrency && !self.is_ahead() && (in_flight < self.concurrency || has_young_slot())
    }

    /// So much waits to be read and kept that nobody is asked until some of it was.
    fn is_ahead(&self) -> bool {
        let most = SLOW * self.concurrency;
        self.backlog.is_full(most) || self.bodies.is_full(most)
    }

    /// A feed is back: its host may be asked again, or wants to be left alone.
    fn land(&mut self, done: Result<(tokio::task::Id, Asked), tokio::task::JoinError>) {
        let (task, asked) = match done {
            Ok((task, asked)) => (task, Ok(asked)),
            Err(error) => (error.id(), Err(FeedError::Task(error.to_string()))),
        };
        let Some(place) = self.tasks.remove(&task) else { return };
        let Some(Flight { job, since, began, waited, host }) = self.in_flight.remove(&place) else { return };
        let stopped = |error| Asked { failed: vec![(job.feed.source.url.clone(), error)], answered: None };
        let mut asked = asked.unwrap_or_else(stopped);
        self.queue.done(&host);
        if !job.options.force {
            self.send_away(&asked);
        }
        let document = asked.answered.as_mut().and_then(|(_, answer)| answer.place.take());
        self.ready.insert(place, Answered { job, asked, took: since.elapsed(), waited, began, place: document });
    }

    /// Feeds that wait for the turn of a host which wants to be left alone wait no longer.
    fn send_away(&mut self, asked: &Asked) {
        let now = self.clock.now();
        let mut told = FeedState::default();
        for (address, error) in &asked.failed {
            address::note_failure(&mut told, address, error, now);
        }
        for held in told.held.values() {
            for place in self.queue.hold(&held.host) {
                if let Some((job, ..)) = self.waiting.remove(&place) {
                    self.line_up(job);
                }
            }
        }
    }

    /// The next feed to keep: the first that is ready, unless one before it is still in flight and
    /// younger than the patience.
    fn next_in_order(&self) -> Option<usize> {
        let first = *self.ready.keys().next()?;
        let now = Instant::now();
        let blocked = self.in_flight.range(..first).any(|(_, flight)| flight.is_young(now));
        (!blocked).then_some(first)
    }

    fn take_back(&mut self) -> Option<Back> {
        if let Some(passed) = self.passed.pop_front() {
            return Some(passed);
        }
        let first = self.next_in_order()?;
        self.ready.remove(&first).map(|answered| Back::Asked(Box::new(answered)))
    }

    /// When there is something to do, besides answers that come in.
    fn tick(&self) -> Option<Instant> {
        let is_full = !self.has_slot();
        let wakes = self.queue.wakes().filter(|_| !is_full);
        // In the order of asking, the first that is young will be old before all others.
        let young = (is_full || !self.ready.is_empty()).then(|| {
            let now = Instant::now();
            self.in_flight.values().find(|flight| flight.is_young(now)).map(|flight| flight.since + PATIENCE)
        });
        let young = young.flatten();
        [wakes, young, self.timetable.wakes()].into_iter().flatten().min()
    }

    /// Feeds that have not answered were asked all the same.
    fn stop(&mut self) {
        self.timetable.clear();
        self.queue.clear();
        self.waiting.clear();
        self.running.abort_all();
        self.tasks.clear();
        self.passed.clear();
        let asked = std::mem::take(&mut self.in_flight).into_values();
        self.passed.extend(asked.map(|flight| Back::Stopped(Box::new(flight.job), flight.began)));
    }
}

/// Files of the operator's disk have no host to spare.
fn queue_name(addresses: &[Url], feed: &FeedId) -> String {
    let host = addresses.first().filter(|url| url.scheme() != "file").map(fetch::host);
    host.unwrap_or_else(|| format!("file {feed}"))
}
