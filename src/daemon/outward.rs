//! What the daemon tells the world while it works: numbers, hubs, systemd, and how things stand.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::config::Config;
use crate::fetch::Hook;
use crate::hubs::Hubs;
use crate::metrics::{Alarms, Metrics, States};
use crate::model::{AlarmKind, Condition, FeedStatus, StatusSummary, Timestamp};
use crate::poll::{FeedReport, Load, Outcome, Stop};
use crate::publish;

/// A heart that beats more often than this tells nobody more.
const BEAT: Duration = Duration::from_mins(1);

/// Told by those who work; tells whoever listens. Nobody who works waits for any of it.
#[derive(Debug)]
pub(super) struct Outward {
    pub(super) metrics: Arc<Metrics>,
    hubs: Mutex<Option<Running>>,
    /// Why nothing can be published, if that is so.
    pub(super) unpublished: watch::Sender<Option<String>>,
    /// Posts that came since the start.
    posts: AtomicU64,
    beaten: Mutex<Option<Instant>>,
}

/// The hubs of a config, and the signal that ends them.
#[derive(Debug)]
struct Running {
    hubs: Arc<Hubs>,
    end: watch::Sender<bool>,
}

impl Outward {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            metrics: Arc::new(Metrics::new(now)),
            hubs: Mutex::default(),
            unpublished: watch::Sender::new(None),
            posts: AtomicU64::new(0),
            beaten: Mutex::default(),
        }
    }

    /// From now on these are the feeds and the hubs; what the former hubs were not told yet, the new ones are.
    pub(super) fn renew(&self, config: &Config, hook: Hook) {
        let ids: Vec<&str> = config.feeds.iter().map(|feed| feed.source.id.as_str()).collect();
        self.metrics.set_feeds(&ids);
        let hubs = Arc::new(Hubs::new(&config.server, hook).with_metrics(Arc::clone(&self.metrics)));
        let (end, mut ended) = Stop::new();
        let running = Running { hubs: Arc::clone(&hubs), end };
        let former = self.hubs.lock().unwrap_or_else(PoisonError::into_inner).replace(running);
        if let Some(former) = former {
            hubs.changed(&former.hubs.untold());
            let _ = former.end.send(true);
        }
        tokio::spawn(async move { hubs.run(ended.wait()).await });
    }

    /// Nobody is told anything any more.
    pub(super) fn end(&self) {
        if let Some(running) = self.hubs.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = running.end.send(true);
        }
    }

    fn with_hubs(&self, tell: impl FnOnce(&Hubs)) {
        if let Some(running) = &*self.hubs.lock().unwrap_or_else(PoisonError::into_inner) {
            tell(&running.hubs);
        }
    }

    /// A feed was polled, and what it brought is kept; that took so long.
    pub(super) fn polled(&self, report: &FeedReport, kept_in: Duration, now: Timestamp) {
        self.metrics.polled(report, now);
        if report.outcome != Outcome::Skipped {
            self.metrics.waited(report.waited);
        }
        if report.new + report.revised > 0 {
            self.metrics.kept(kept_in);
            self.posts.fetch_add(report.new as u64, Ordering::Relaxed);
        }
        if matches!(report.outcome, Outcome::Polled | Outcome::NotModified) {
            self.beat();
        }
    }

    fn beat(&self) {
        let mut beaten = self.beaten.lock().unwrap_or_else(PoisonError::into_inner);
        if beaten.is_none_or(|at| at.elapsed() >= BEAT) {
            *beaten = Some(Instant::now());
            self.with_hubs(Hubs::heartbeat);
        }
    }

    /// Topics were published in so long.
    pub(super) fn published(&self, done: &publish::Outcome, took: Duration, now: Timestamp) {
        self.metrics.published(took, now, done.changed);
        self.unpublished.send_if_modified(|trouble| trouble.take().is_some());
        self.changed(done);
    }

    /// This was published, whatever was not.
    pub(super) fn changed(&self, done: &publish::Outcome) {
        self.with_hubs(|hubs| hubs.changed(&done.feeds));
        done.unreadable.iter().for_each(|unreadable| tracing::warn!("{unreadable}"));
    }

    /// How busy those are who ask.
    pub(super) fn load(&self, load: Load) {
        self.metrics.queue(load.waiting, load.in_flight);
    }

    /// How the feeds are, and how large the archive was at the start and its ledger is now.
    pub(super) fn stands(&self, feeds: &[FeedStatus], ledger_bytes: u64, posts_at_start: usize) {
        let all = StatusSummary::of(feeds);
        let count = |state| all.count(state);
        self.metrics.states(States {
            ok: count(Condition::Ok) + count(Condition::New),
            failing: count(Condition::Failing),
            gone: count(Condition::Gone),
            held: count(Condition::Held),
            disabled: count(Condition::Disabled),
        });
        let alarms = |kind| feeds.iter().flat_map(|feed| &feed.alarms).filter(|alarm| alarm.kind == kind).count();
        self.metrics.alarms(Alarms {
            silent: alarms(AlarmKind::Silent),
            failing: alarms(AlarmKind::Failing),
            moved: alarms(AlarmKind::Moved),
            gone: alarms(AlarmKind::Gone),
            cut: alarms(AlarmKind::Cut),
            gap: alarms(AlarmKind::Gap),
        });
        for feed in feeds {
            let succeeded = feed.polled.filter(|_| feed.failures == 0);
            self.metrics.remembered(&feed.feed, succeeded, feed.failing_since);
        }
        let came = usize::try_from(self.posts.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        self.metrics.archive(ledger_bytes, posts_at_start.saturating_add(came));
    }

    /// A word for `systemctl status`.
    pub(super) fn summary(feeds: &[FeedStatus]) -> String {
        let all = StatusSummary::of(feeds);
        let alarms = feeds.iter().map(|feed| feed.alarms.len()).sum::<usize>();
        format!("{} feeds, {} failing, {alarms} alarms", feeds.len(), all.count(Condition::Failing))
    }
}
