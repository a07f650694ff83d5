//! What the daemon does with feeds that come back: one after the other it keeps them, gives them their next time, publishes
//! what changed, and answers the operator. Whatever writes to archive, index or public files happens here, so that nothing
//! of it overlaps.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::outward::Outward;
use super::request::{Answer, Request, Work as Asked};
use super::{DaemonError, STOPPED};
use crate::archive::{Archive, GROUP};
use crate::clock::Clock;
use crate::config::{Config, Feed};
use crate::fetch::{Fetch, Hook};
use crate::index::Index;
use crate::model::{FeedId, Timestamp, Topic};
use crate::pace::{Wake, Why};
use crate::poll::{
    Answered, Asking, Back, Desk, FeedReport, Job, LastAsked, Load, Options, Order, Orders, Outcome, PollError, Poller,
    Stop,
};
use crate::publish::{self, PublishError, Publisher};
use crate::site::Site;
use crate::takedown::{self, TakedownError};

/// States of feeds are stored together, so long after the first.
const SAVE: Duration = Duration::from_secs(1);
/// What a clone of the archive needs is one file; with thousands of feeds it is not written anew for each of them.
const SAVE_ALL: Duration = Duration::from_mins(1);
/// Published when nothing came for so long …
const QUIET: Duration = Duration::from_secs(2);
/// … or so long after the first thing that came.
const PATIENCE: Duration = Duration::from_secs(30);
/// Publishing takes at most this part of the time.
const SHARE: u32 = 4;
/// After that it goes on, however long it takes.
const LONGEST_REST: Duration = Duration::from_mins(5);
/// After public files could not be written.
const RETRY: Duration = Duration::from_mins(1);

/// How publishing ended.
enum Published {
    Done(publish::Outcome),
    Failed(String),
    Stopped,
}

/// The daemon at work.
pub(super) struct Work<F, I, A, C> {
    desk: Desk<F, I, A, C>,
    site: Site,
    outward: Arc<Outward>,
    orders: Orders<F>,
    backs: mpsc::UnboundedReceiver<Back>,
    /// What came back while topics were published, and has to wait for that.
    late: VecDeque<Back>,
    /// Enabled feeds of the config.
    feeds: HashMap<FeedId, Arc<Feed>>,
    rounds: Vec<Round>,
    save_at: Option<Instant>,
    save_all_at: Option<Instant>,
    news: News,
    poller: watch::Sender<Option<Poller<F, I, A, C>>>,
    stop: Stop,
}

/// Feeds that somebody asked to be polled.
struct Round {
    pending: HashMap<FeedId, Options>,
    answer: Answer,
    started: Instant,
}

impl Round {
    fn is_dry(&self) -> bool {
        self.pending.values().any(|options| options.dry_run)
    }
}

/// What was kept and is not published yet.
struct News {
    first: Option<Instant>,
    last: Instant,
    not_before: Instant,
}

impl News {
    fn came(&mut self) {
        self.last = Instant::now();
        self.first.get_or_insert(self.last);
    }

    /// When to publish.
    fn due(&self, load: Load) -> Option<Instant> {
        let first = self.first?;
        let is_idle = load == Load::default();
        let at = if is_idle { self.last } else { (self.last + QUIET).min(first + PATIENCE) };
        Some(at.max(self.not_before))
    }
}

impl<F, I, A, C> Work<F, I, A, C>
where
    F: Fetch + 'static,
    I: Index + 'static,
    A: Archive + 'static,
    C: Clock + 'static,
{
    /// Polls, publishes and answers until it is told to stop; then what was answered is kept, and all is stored.
    pub(super) async fn run(
        poller: &Poller<F, I, A, C>,
        site: &Site,
        outward: &Arc<Outward>,
        current: &watch::Sender<Option<Poller<F, I, A, C>>>,
        asked: &LastAsked,
        requests: &mut mpsc::Receiver<Request<F>>,
        stop: &Stop,
    ) -> Result<(), DaemonError> {
        let (halt, halted) = Stop::new();
        let asking = Asking::begin(poller, asked.clone(), halted);
        let mut load = asking.load();
        let (orders, backs) = asking.parts();
        let now = Instant::now();
        let mut work = Self {
            desk: Desk::open(poller.clone()).await?,
            site: site.clone(),
            outward: Arc::clone(outward),
            orders,
            backs,
            late: VecDeque::new(),
            feeds: enabled(&poller.config),
            rounds: Vec::new(),
            save_at: None,
            save_all_at: None,
            news: News { first: Some(now), last: now, not_before: now },
            poller: current.clone(),
            stop: stop.clone(),
        };
        let done = work.until_stopped(&mut load, requests, &halt).await;
        // Also where something went wrong: nobody keeps what would come.
        let _ = halt.send(true);
        done
    }

    async fn until_stopped(
        &mut self,
        load: &mut watch::Receiver<Load>,
        requests: &mut mpsc::Receiver<Request<F>>,
        halt: &watch::Sender<bool>,
    ) -> Result<(), DaemonError> {
        let jobs = self.all_jobs().await?;
        self.orders.send(Order::Wait(jobs));
        let (mut stop, mut is_stopping) = (self.stop.clone(), false);
        loop {
            let busy = *load.borrow_and_update();
            self.outward.load(busy);
            let publish_at = self.news.due(busy).filter(|_| !is_stopping);
            let next = [self.save_at, self.save_all_at, publish_at].into_iter().flatten().min();
            tokio::select! {
                backs = next_backs(&mut self.late, &mut self.backs) => match backs {
                    backs if backs.is_empty() && is_stopping => break,
                    backs if backs.is_empty() => return Err(DaemonError::NobodyAsks),
                    backs => self.take(backs).await?,
                },
                Some(request) = requests.recv() => match request {
                    Request { answer, .. } if is_stopping => answer.failed(STOPPED, 1),
                    request => self.answer(request).await?,
                },
                Ok(()) = load.changed() => {}
                () = stop.wait(), if !is_stopping => {
                    is_stopping = true;
                    let _ = halt.send(true);
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    self.save().await?;
                    if publish_at.is_some_and(|at| at <= Instant::now()) {
                        self.publish_news().await?;
                    }
                }
            }
            self.finish_rounds().await?;
        }
        for round in self.rounds.drain(..) {
            round.answer.failed(STOPPED, 1);
        }
        self.desk.save(true).await?;
        Ok(())
    }

    async fn take(&mut self, backs: Vec<Back>) -> Result<(), DaemonError> {
        let mut asked = Vec::with_capacity(backs.len());
        for back in backs {
            match back {
                Back::Asked(answered) => asked.push(*answered),
                Back::Skipped(job, report) => {
                    if !report.dry_run {
                        self.outward.polled(&report, Duration::ZERO, self.desk.poller.clock.now());
                    }
                    self.give_back(*job, report.again).await?;
                    self.tell(&report);
                }
                Back::Stopped(job, began) => self.desk.note_stopped(&job, began),
                Back::ClockSet(by) => {
                    let seconds = by / 1000;
                    tracing::warn!(
                        "the clock of this machine was set by {seconds} s; every feed got its next time anew"
                    );
                }
            }
        }
        self.keep(asked).await
    }

    async fn keep(&mut self, answered: Vec<Answered>) -> Result<(), DaemonError> {
        let began = Instant::now();
        let kept = self.desk.keep(answered).await?;
        let each = began.elapsed() / u32::try_from(kept.len().max(1)).unwrap_or(u32::MAX);
        for (job, report) in kept {
            // What a dry run found is for whoever asked alone: it stays to be found.
            if !report.dry_run {
                self.outward.polled(&report, each, self.desk.poller.clock.now());
                log(&report);
                // Also where nothing was new: that a feed carries a known entry, too, can bring it into a topic.
                if report.outcome == Outcome::Polled {
                    self.news.came();
                }
                let now = Instant::now();
                self.save_at.get_or_insert(now + SAVE);
                self.save_all_at.get_or_insert(now + SAVE_ALL);
            }
            self.give_back(job, None).await?;
            self.tell(&report);
        }
        Ok(())
    }

    /// The field gets a feed back, as the config has it now, for its next time. One that was held back may wait for longer, but
    /// comes no sooner: somebody may have asked for it beside its schedule.
    async fn give_back(&mut self, job: Job, not_before: Option<Timestamp>) -> Result<(), PollError> {
        let Some(feed) = self.feeds.get(&job.feed.source.id) else {
            self.orders.send(Order::Wait(vec![(job, None)]));
            return Ok(());
        };
        let job = if **feed == *job.feed { job } else { self.desk.job(feed, Options::default()).await? };
        let held = |wake: Wake| match not_before {
            Some(at) if wake.at < at => Wake { at, why: Why::Held },
            _ => wake,
        };
        let wake = self.desk.poller.next(&job).map(held);
        self.orders.send(Order::Wait(vec![(job, wake)]));
        Ok(())
    }

    async fn all_jobs(&self) -> Result<Vec<(Job, Option<Wake>)>, PollError> {
        let jobs = self.desk.jobs(self.feeds.values().cloned().collect(), Options::default()).await?;
        let with_wake = |job: Job| {
            let wake = self.desk.poller.next(&job);
            (job, wake)
        };
        Ok(jobs.into_iter().map(with_wake).collect())
    }

    async fn save(&mut self) -> Result<(), PollError> {
        let now = Instant::now();
        let is_due = |at: &Option<Instant>| at.is_some_and(|at| at <= now);
        let (some, all) = (is_due(&self.save_at), is_due(&self.save_all_at));
        if some || all {
            self.desk.save(all).await?;
            self.save_at = None;
        }
        if all {
            self.save_all_at = None;
        }
        Ok(())
    }

    async fn publish_news(&mut self) -> Result<(), DaemonError> {
        let started = Instant::now();
        self.news.first = None;
        let topics = self.desk.poller.config.topics.clone();
        let done = self.publish(topics, false).await?;
        let rest = (started.elapsed() * SHARE).min(LONGEST_REST);
        self.news.not_before = self.news.not_before.max(Instant::now() + rest);
        if matches!(done, Published::Stopped) {
            self.news.came();
        }
        Ok(())
    }

    /// Publishes, on a thread of its own: large topics take seconds, and meanwhile feeds that bring nothing new are given
    /// back for their next time. What brings something waits, so that nothing is published half. Public files that cannot be
    /// written keep nothing from being archived.
    async fn publish(&mut self, topics: Vec<Topic>, all: bool) -> Result<Published, DaemonError> {
        let (poller, site, mut stop) = (self.desk.poller.clone(), self.site.clone(), self.stop.clone());
        let began = Instant::now();
        let runtime = tokio::runtime::Handle::current();
        let mut publishing = tokio::task::spawn_blocking(move || {
            let Poller { config, index, archive, clock, .. } = &poller;
            let publisher = Publisher { config, index: &**index, archive: &**archive, site: &site };
            let mut outcome = publish::Outcome::default();
            let done = runtime.block_on(async {
                tokio::select! {
                    done = publisher.publish(&topics, all, clock.now(), &mut outcome) => Some(done),
                    // What was written until then is whole, and the rest stays due.
                    () = stop.wait() => None,
                }
            });
            (done, outcome)
        });
        let mut is_open = true;
        let done = loop {
            tokio::select! {
                done = &mut publishing => break done,
                back = self.backs.recv(), if is_open => match back {
                    Some(back) if back.is_light() => self.take(vec![back]).await?,
                    Some(back) => self.late.push_back(back),
                    None => is_open = false,
                },
            }
        };
        let (done, outcome) = done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        match done {
            Some(Ok(())) => {
                self.outward.published(&outcome, began.elapsed(), self.desk.poller.clock.now());
                Ok(Published::Done(outcome))
            }
            Some(Err(error)) if error.is_of_files() => Ok(Published::Failed(self.unpublished(&outcome, &error))),
            Some(Err(error)) => {
                self.outward.changed(&outcome);
                Err(error.into())
            }
            None => Ok(Published::Stopped),
        }
    }

    /// Public files could not be written: what could is told, and the rest tried again. Says why.
    fn unpublished(&mut self, outcome: &publish::Outcome, error: &PublishError) -> String {
        let sentence = error.to_string();
        tracing::error!("{sentence}");
        self.outward.changed(outcome);
        self.outward.unpublished.send_replace(Some(sentence.clone()));
        self.news.came();
        self.news.not_before = Instant::now() + RETRY;
        sentence
    }

    /// Tells those who wait for this feed.
    fn tell(&mut self, report: &FeedReport) {
        for round in &mut self.rounds {
            let is_waited_for = round.pending.keys().find(|id| id.as_str() == report.feed).cloned();
            if let Some(id) = is_waited_for {
                round.pending.remove(&id);
                round.answer.report(report);
            }
        }
    }

    /// Whoever has heard of all its feeds gets what they brought published.
    async fn finish_rounds(&mut self) -> Result<(), DaemonError> {
        while let Some(done) = self.rounds.iter().position(|round| round.pending.is_empty()) {
            let round = self.rounds.remove(done);
            let topics = self.desk.poller.config.topics.clone();
            match self.publish(topics, false).await? {
                Published::Done(published) => round.answer.polled(&published.unreadable, round.started.elapsed()),
                Published::Stopped => round.answer.failed(STOPPED, 1),
                Published::Failed(sentence) => round.answer.failed(&sentence, 1),
            }
        }
        if !self.rounds.iter().any(Round::is_dry) {
            self.desk.end_dry_runs();
        }
        Ok(())
    }

    async fn answer(&mut self, request: Request<F>) -> Result<(), DaemonError> {
        let Request { what, answer } = request;
        match what {
            Asked::Poll { feeds, options } => self.poll(feeds, options, answer).await,
            Asked::Publish { topics } => {
                match self.publish(topics, true).await? {
                    Published::Done(done) => answer.published(&done),
                    Published::Stopped => answer.failed(STOPPED, 1),
                    Published::Failed(sentence) => answer.failed(&sentence, 1),
                }
                Ok(())
            }
            Asked::Forget { what, reason } => {
                let began = Instant::now();
                let mut published = publish::Outcome::default();
                let done = takedown::entry(&self.desk.poller, &self.site, &what, &reason, &mut published).await;
                match done {
                    Ok(said) => {
                        self.outward.published(&published, began.elapsed(), self.desk.poller.clock.now());
                        answer.text(&said);
                    }
                    Err(error) if error.is_unknown() => answer.failed(&error.to_string(), 2),
                    // It is forgotten; what still shows it goes with the next publication.
                    Err(TakedownError::Publish(error)) if error.is_of_files() => {
                        answer.failed(&self.unpublished(&published, &error), 1);
                    }
                    Err(error) => {
                        self.outward.changed(&published);
                        answer.failed(&error.to_string(), 1);
                        return Err(error.into());
                    }
                }
                Ok(())
            }
            Asked::Renew { config, fetch, hook } => self.renew(config, fetch, hook, &answer).await,
        }
    }

    async fn poll(&mut self, feeds: Vec<Feed>, options: Options, answer: Answer) -> Result<(), DaemonError> {
        let pending = feeds.iter().map(|feed| (feed.source.id.clone(), options)).collect();
        self.rounds.push(Round { pending, answer, started: Instant::now() });
        let feeds = feeds.into_iter().map(Arc::new).collect();
        let jobs = self.desk.jobs(feeds, options).await?;
        self.orders.send(Order::Ask(jobs));
        Ok(())
    }

    /// From now on another config holds.
    async fn renew(
        &mut self,
        config: Arc<Config>,
        fetch: Arc<F>,
        hook: Hook,
        answer: &Answer,
    ) -> Result<(), DaemonError> {
        let old = self.desk.renew(Arc::clone(&config), Arc::clone(&fetch));
        self.outward.renew(&config, hook);
        self.poller.send_replace(Some(self.desk.poller.clone()));
        self.feeds = enabled(&config);
        let jobs = self.all_jobs().await?;
        self.orders.send(Order::Renew(jobs, fetch, Box::new(config.fetch.clone())));
        self.ask_again(&config).await?;
        self.news.came();
        answer.text(&difference(&old, &config));
        Ok(())
    }

    /// What somebody waits for lost its turn.
    async fn ask_again(&mut self, config: &Config) -> Result<(), PollError> {
        let mut jobs = Vec::new();
        for round in &mut self.rounds {
            let known: HashSet<&FeedId> = config.feeds.iter().map(|feed| &feed.source.id).collect();
            round.pending.retain(|id, _| known.contains(id));
            for feed in &config.feeds {
                if let Some(options) = round.pending.get(&feed.source.id) {
                    jobs.push(self.desk.job(&Arc::new(feed.clone()), *options).await?);
                }
            }
        }
        self.orders.send(Order::Ask(jobs));
        Ok(())
    }
}

/// What has come back, as much of it as is kept together, what had to wait first; nothing when nobody asks any more.
async fn next_backs(late: &mut VecDeque<Back>, backs: &mut mpsc::UnboundedReceiver<Back>) -> Vec<Back> {
    if late.is_empty() {
        let mut some = Vec::new();
        backs.recv_many(&mut some, GROUP).await;
        return some;
    }
    late.drain(..late.len().min(GROUP)).collect()
}

fn enabled(config: &Config) -> HashMap<FeedId, Arc<Feed>> {
    let enabled = config.feeds.iter().filter(|feed| feed.enabled);
    enabled.map(|feed| (feed.source.id.clone(), Arc::new(feed.clone()))).collect()
}

/// What a new config brought, in a sentence.
fn difference(old: &Config, new: &Config) -> String {
    let feeds = |config: &Config| -> BTreeMap<FeedId, Feed> {
        config.feeds.iter().map(|feed| (feed.source.id.clone(), feed.clone())).collect()
    };
    let (before, after) = (feeds(old), feeds(new));
    let added = after.keys().filter(|id| !before.contains_key(*id)).count();
    let gone = before.keys().filter(|id| !after.contains_key(*id)).count();
    let changed = after.iter().filter(|(id, feed)| before.get(*id).is_some_and(|old| old != *feed)).count();
    let topics = new.topics.iter().filter(|topic| !old.topics.contains(topic)).count();
    format!(
        "the new config holds: {} feeds ({added} new, {gone} gone, {changed} changed), {} topics ({topics} new or changed)",
        after.len(),
        new.topics.len()
    )
}

/// One line for a poll of a feed, and one for each thing that its operator should know.
fn log(report: &FeedReport) {
    let FeedReport { feed, outcome, new, revised, duplicate, rejected, took, .. } = report;
    let took = (took.as_secs_f64() * 1000.0).round() / 1000.0;
    match (&report.error, &report.repairs) {
        (Some(error), _) => tracing::warn!(feed, outcome = outcome.name(), took, "{error}"),
        (None, Some(repaired)) => {
            tracing::info!(feed, outcome = outcome.name(), new, revised, duplicate, rejected, repaired, took, "polled");
        }
        (None, None) => {
            tracing::info!(feed, outcome = outcome.name(), new, revised, duplicate, rejected, took, "polled");
        }
    }
    report.notes.iter().for_each(|note| tracing::warn!(feed, "{note}"));
}
