//! What Prometheus may know, and the page that tells it.
//!
//! Only configured feed ids are labels of an unbounded set, and a feed that leaves the config takes its series along.
//! No host, address or sentence of a publisher is ever one.

use std::collections::HashSet;
use std::future::Future;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};
use tokio::net::TcpListener;

use crate::model::Timestamp;
use crate::poll::{FeedReport, Outcome};
use crate::serve::{self, Page, Pages};

/// Whose label values are known when the program is built.
type Counters = Family<[(&'static str, &'static str); 1], Counter>;
type Gauges = Family<[(&'static str, &'static str); 1], Gauge>;
type ByFeed = Family<[(&'static str, String); 1], Gauge<f64, AtomicU64>>;
/// Unix time in seconds, with its milliseconds.
type Time = Gauge<f64, AtomicU64>;

/// Seconds; from an answer nearby to `fetch.timeout` and what is beyond it.
const FETCHING: [f64; 11] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0];
/// Seconds; from a batch in memory to a disk in trouble, and from one topic to all of them anew.
const WORKING: [f64; 10] = [0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0, 120.0];
/// Seconds; from no wait at all to a host with a thousand feeds.
const WAITING: [f64; 10] = [0.001, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];

/// How many feeds there are of each state; each feed is of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct States {
    /// The last poll went well, or there was none yet.
    pub ok: usize,
    /// The last poll failed.
    pub failing: usize,
    /// The publisher says that it is gone for good (410).
    pub gone: usize,
    /// The publisher asked to be left alone for some time (`Retry-After`).
    pub held: usize,
    /// `enabled: false`.
    pub disabled: usize,
}

/// How many alarms there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarms {
    /// Feeds without anything new for much longer than their habit.
    pub silent: usize,
    /// Feeds that fail for a day or more.
    pub failing: usize,
    /// Feeds that moved to another address.
    pub moved: usize,
    /// Feeds that are gone for good.
    pub gone: usize,
    /// Feeds whose documents end too early.
    pub cut: usize,
    /// Feeds of which entries were probably missed between two polls.
    pub gap: usize,
}

/// How telling a hub ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ping {
    /// It took note.
    Taken,
    /// It did not answer as it should, and will be told again.
    Retried,
    /// It was told often enough.
    Failed,
}

/// All that is counted and measured.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    polls: Counters,
    entries: Counters,
    fetching: Histogram,
    keeping: Histogram,
    publishing: Histogram,
    waiting: Histogram,
    queued: Gauge,
    asked: Gauge,
    tasks: Gauge,
    states: Gauges,
    alarms: Gauges,
    ledger: Gauge,
    posts: Gauge,
    succeeded: ByFeed,
    failing: ByFeed,
    published: Time,
    changed: Counter,
    pings: Counters,
    /// The ids that may be labels.
    feeds: Mutex<HashSet<String>>,
}

impl Metrics {
    /// Nothing counted yet, by a program that started at `now`.
    pub fn new(now: Timestamp) -> Self {
        let mut all = Registry::with_prefix("feedmill");
        let build = Gauges::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        put(&mut all, "build_info", "The version that runs", build);
        let started = Time::default();
        started.set(seconds(now));
        put(&mut all, "start_time_seconds", "When the daemon started, in Unix time", started);
        let times = |buckets: &[f64]| Histogram::new(buckets.iter().copied());
        let metrics = Self {
            polls: put(&mut all, "polls", "Polls of feeds, by how they ended", Family::default()),
            entries: put(&mut all, "entries", "Entries in documents that were read", Family::default()),
            fetching: put(&mut all, "fetch_seconds", "Time to fetch and read a feed", times(&FETCHING)),
            keeping: put(&mut all, "keep_seconds", "Time to make the entries of a batch durable", times(&WORKING)),
            publishing: put(&mut all, "publish_seconds", "Time to publish what changed", times(&WORKING)),
            waiting: put(
                &mut all,
                "host_wait_seconds",
                "Time that feeds waited for their host's turn",
                times(&WAITING),
            ),
            queued: put(&mut all, "queue_feeds", "Feeds that are due and not asked yet", Gauge::default()),
            asked: put(&mut all, "in_flight_feeds", "Feeds that are being asked", Gauge::default()),
            tasks: put(&mut all, "tasks", "Tasks of the program that are not done", Gauge::default()),
            states: put(&mut all, "feeds", "Configured feeds, by state", Family::default()),
            alarms: put(&mut all, "alarms", "What the operator should look at, by kind", Family::default()),
            ledger: put(&mut all, "ledger_bytes", "Size of the archive's ledger", Gauge::default()),
            posts: put(&mut all, "posts", "Posts in the archive", Gauge::default()),
            succeeded: put(
                &mut all,
                "feed_last_success_timestamp_seconds",
                "When a feed last answered with something readable or with 304, in Unix time",
                Family::default(),
            ),
            failing: put(
                &mut all,
                "feed_failing_since_timestamp_seconds",
                "Since when all polls of a feed fail, in Unix time; absent while they do not",
                Family::default(),
            ),
            published: put(
                &mut all,
                "last_publish_timestamp_seconds",
                "When publishing last went well, changed or not, in Unix time",
                Time::default(),
            ),
            changed: put(&mut all, "published_files_changed", "Public files that were replaced", Counter::default()),
            pings: put(&mut all, "hub_pings", "Attempts to tell a hub, by how they ended", Family::default()),
            registry: all,
            feeds: Mutex::default(),
        };
        // Prometheus sees a rise only from a number that was there before.
        for outcome in [Outcome::Polled, Outcome::NotModified, Outcome::Skipped, Outcome::Failed] {
            let _ = metrics.polls.get_or_create(&[("outcome", name(outcome))]);
        }
        metrics.count_entries([0; 4]);
        for ping in [Ping::Taken, Ping::Retried, Ping::Failed] {
            let _ = metrics.pings.get_or_create(&[("outcome", result(ping))]);
        }
        metrics.states(States::default());
        metrics.alarms(Alarms::default());
        metrics
    }

    /// Takes over which feeds are configured; the series of others end here.
    pub fn set_feeds(&self, ids: &[&str]) {
        let mut feeds = self.feeds();
        let wanted: HashSet<String> = ids.iter().map(|id| (*id).to_owned()).collect();
        for gone in feeds.difference(&wanted) {
            let label = [("feed", gone.clone())];
            self.succeeded.remove(&label);
            self.failing.remove(&label);
        }
        *feeds = wanted;
    }

    /// What is remembered of a feed from before the start: its last success, and since when it fails.
    pub fn remembered(&self, feed: &str, succeeded: Option<Timestamp>, failing: Option<Timestamp>) {
        if !self.feeds().contains(feed) {
            return;
        }
        let label = [("feed", feed.to_owned())];
        if let Some(at) = succeeded {
            self.succeeded.get_or_create(&label).set(seconds(at));
        }
        match failing {
            Some(at) => {
                self.failing.get_or_create(&label).set(seconds(at));
            }
            None => {
                self.failing.remove(&label);
            }
        }
    }

    /// A poll of a feed that ended at `at`.
    pub fn polled(&self, report: &FeedReport, at: Timestamp) {
        self.polls.get_or_create(&[("outcome", name(report.outcome))]).inc();
        if report.outcome == Outcome::Skipped {
            return;
        }
        self.fetching.observe(report.took.as_secs_f64());
        self.count_entries([report.new, report.revised, report.duplicate, report.rejected]);
        if report.outcome != Outcome::Failed {
            self.remembered(&report.feed, Some(at), None);
        } else if self.failing.get(&[("feed", report.feed.clone())]).is_none() {
            self.remembered(&report.feed, None, Some(at));
        }
    }

    fn count_entries(&self, counts: [usize; 4]) {
        for (outcome, count) in ["new", "revised", "duplicate", "rejected"].into_iter().zip(counts) {
            self.entries.get_or_create(&[("outcome", outcome)]).inc_by(count as u64);
        }
    }

    /// A feed waited so long for its host's turn.
    pub fn waited(&self, time: Duration) {
        self.waiting.observe(time.as_secs_f64());
    }

    /// A batch of entries became durable in that time.
    pub fn kept(&self, time: Duration) {
        self.keeping.observe(time.as_secs_f64());
    }

    /// Publishing went well in that time, was done at `at`, and replaced so many files.
    pub fn published(&self, time: Duration, at: Timestamp, changed: usize) {
        self.publishing.observe(time.as_secs_f64());
        self.published.set(seconds(at));
        self.changed.inc_by(changed as u64);
    }

    /// How many feeds wait to be asked, and how many are being asked.
    pub fn queue(&self, waiting: usize, in_flight: usize) {
        self.queued.set(whole(waiting));
        self.asked.set(whole(in_flight));
    }

    /// How many tasks the program has; a number that only grows is a leak.
    pub fn tasks(&self, alive: usize) {
        self.tasks.set(whole(alive));
    }

    /// How the feeds are.
    pub fn states(&self, states: States) {
        let States { ok, failing, gone, held, disabled } = states;
        let all = [("ok", ok), ("failing", failing), ("gone", gone), ("held", held), ("disabled", disabled)];
        for (state, count) in all {
            self.states.get_or_create(&[("state", state)]).set(whole(count));
        }
    }

    /// What is wrong.
    pub fn alarms(&self, alarms: Alarms) {
        let Alarms { silent, failing, moved, gone, cut, gap } = alarms;
        let all =
            [("silent", silent), ("failing", failing), ("moved", moved), ("gone", gone), ("cut", cut), ("gap", gap)];
        for (kind, count) in all {
            self.alarms.get_or_create(&[("kind", kind)]).set(whole(count));
        }
    }

    /// How large the archive is.
    pub fn archive(&self, ledger_bytes: u64, posts: usize) {
        self.ledger.set(i64::try_from(ledger_bytes).unwrap_or(i64::MAX));
        self.posts.set(whole(posts));
    }

    /// A hub was told of a change.
    pub fn pinged(&self, ping: Ping) {
        self.pings.get_or_create(&[("outcome", result(ping))]).inc();
    }

    /// All of it in Prometheus' text format, version 0.0.4.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // A string takes everything.
        let _ = prometheus_text::encode(&mut text, &self.registry);
        text
    }

    fn feeds(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers `GET /metrics` until `stop` is ready. The listener should be of the loopback interface: the page names every
/// feed.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>, stop: impl Future<Output = ()> + Send) {
    serve::run_pages(listener, Only(metrics), stop).await;
}

struct Only(Arc<Metrics>);

impl Pages for Only {
    async fn page(&self, path: &str) -> Option<Page> {
        let body = (path == "/metrics").then(|| self.0.render())?;
        Some(Page { status: 200, content_type: prometheus_text::CONTENT_TYPE, body: body.into_bytes() })
    }
}

/// Registers a metric and gives it back.
fn put<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Polled => "polled",
        Outcome::NotModified => "not_modified",
        Outcome::Skipped => "skipped",
        Outcome::Failed => "failed",
    }
}

fn result(ping: Ping) -> &'static str {
    match ping {
        Ping::Taken => "taken",
        Ping::Retried => "retried",
        Ping::Failed => "failed",
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of this age fit into 53 bits")]
fn seconds(at: Timestamp) -> f64 {
    at.millis() as f64 / 1000.0
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000 + 250)
    }

    fn report(feed: &str, outcome: Outcome) -> FeedReport {
        FeedReport {
            feed: feed.to_owned(),
            outcome,
            new: 0,
            revised: 0,
            duplicate: 0,
            rejected: 0,
            repaired: false,
            error: None,
            notes: Vec::new(),
            reason: None,
            again: None,
            repairs: None,
            took: Duration::from_millis(300),
            waited: Duration::ZERO,
            dry_run: false,
        }
    }

    /// Series of one metric come in no order; metrics do.
    fn sorted(text: &str) -> Vec<String> {
        let mut parts = Vec::<Vec<&str>>::new();
        for line in text.lines() {
            match parts.last_mut() {
                Some(part) if !line.starts_with("# HELP") => part.push(line),
                _ => parts.push(vec![line]),
            }
        }
        for part in parts.iter_mut().filter(|part| !part[1].ends_with(" histogram")) {
            part[2..].sort_unstable();
        }
        parts.concat().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn everything_is_told_in_prometheus_text_format() {
        let metrics = Metrics::new(at(1_700_000_000));
        metrics.set_feeds(&["lwn", "rfa"]);
        let new = FeedReport { new: 3, revised: 1, duplicate: 40, rejected: 2, ..report("lwn", Outcome::Polled) };
        metrics.polled(&new, at(1_700_000_100));
        metrics.polled(&report("lwn", Outcome::NotModified), at(1_700_000_200));
        metrics.polled(&report("lwn", Outcome::Skipped), at(1_700_000_300));
        metrics.polled(&report("rfa", Outcome::Failed), at(1_700_000_400));
        metrics.polled(&report("rfa", Outcome::Failed), at(1_700_000_500));
        metrics.waited(Duration::from_secs(2));
        metrics.kept(Duration::from_millis(20));
        metrics.published(Duration::from_millis(500), at(1_700_000_600), 5);
        metrics.tasks(7);
        metrics.queue(7, 4);
        metrics.states(States { ok: 1, failing: 1, gone: 0, held: 0, disabled: 2 });
        metrics.alarms(Alarms { failing: 1, ..Alarms::default() });
        metrics.archive(12_345, 678);
        metrics.pinged(Ping::Retried);
        metrics.pinged(Ping::Taken);
        let wanted = include_str!("metrics/golden.txt").replace("{version}", env!("CARGO_PKG_VERSION"));
        assert_eq!(sorted(&metrics.render()).join("\n") + "\n", wanted);
    }

    #[test]
    fn the_alert_rules_name_metrics_that_exist() {
        let rules = include_str!("../contrib/prometheus-alerts.yml");
        let known = include_str!("metrics/golden.txt");
        let mut named = 0;
        for rest in rules.split("feedmill_").skip(1) {
            let name: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            assert!(known.contains(&format!("# TYPE feedmill_{name} ")), "feedmill_{name}");
            named += 1;
        }
        assert!(named > 5);
    }

    #[tokio::test]
    async fn the_listener_answers_at_one_address_only() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener, Arc::new(Metrics::new(at(0))), std::future::pending()));
        for (path, status) in [("/metrics", "200"), ("/", "404"), ("/metrics/", "404")] {
            let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
            let asked = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            stream.write_all(asked.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            let type_of_metrics = "content-type: text/plain; version=0.0.4; charset=utf-8\r\n";
            assert_eq!(answer.contains(type_of_metrics), status == "200", "{answer}");
        }
        server.abort();
    }

    #[test]
    fn series_of_a_feed_end_with_the_feed() {
        let metrics = Metrics::new(at(0));
        metrics.set_feeds(&["a", "b"]);
        metrics.remembered("a", Some(at(1)), Some(at(2)));
        metrics.remembered("b", Some(at(1)), None);
        assert!(metrics.render().contains("feed_failing_since_timestamp_seconds{feed=\"a\"} 2.25"));
        metrics.polled(&report("a", Outcome::NotModified), at(3));
        assert!(!metrics.render().contains("feed_failing_since_timestamp_seconds{"));
        metrics.set_feeds(&["b"]);
        // A poll that was under way while the config changed.
        metrics.polled(&report("a", Outcome::Polled), at(4));
        metrics.polled(&report("a", Outcome::Failed), at(5));
        let text = metrics.render();
        assert!(!text.contains("\"a\"") && text.contains("{feed=\"b\"} 1.25"), "{text}");
    }
}
