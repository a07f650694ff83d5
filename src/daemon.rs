//! Every feed at its times, and the published files over HTTP, until a signal says stop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::archive::Archive;
use crate::clock::Clock;
use crate::config::Feed;
use crate::fetch::Fetch;
use crate::index::Index;
use crate::model::Timestamp;
use crate::poll::{Options, PollError, Poller, Stop};
use crate::publish::{PublishError, Publisher};
use crate::schedule::Spread;
use crate::serve;
use crate::site::Site;

/// Why the daemon stopped.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The address cannot be listened on.
    #[error("`{address}` cannot be listened on: {cause}; change `server.listen`, or stop what uses it")]
    Listen {
        /// `server.listen`.
        address: SocketAddr,
        /// The system's words.
        cause: std::io::Error,
    },
    /// Signals cannot be waited for.
    #[error("signals cannot be waited for: {0}")]
    Signals(std::io::Error),
    /// A poll stopped.
    #[error(transparent)]
    Poll(#[from] PollError),
    /// Publishing stopped.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Waits are cut into pieces, so that a clock that was set is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Runs until SIGTERM or SIGINT.
pub async fn run<F, I, A, C>(poller: &Poller<F, I, A, C>, site: &Site, say: impl Fn(String)) -> Result<(), DaemonError>
where
    F: Fetch + 'static,
    I: Index,
    A: Archive,
    C: Clock + 'static,
{
    let config = &poller.config;
    let address = config.server.listen;
    let listener = TcpListener::bind(address).await.map_err(|cause| DaemonError::Listen { address, cause })?;
    let (sender, stop) = Stop::new();
    let mut terminate = signal(SignalKind::terminate()).map_err(DaemonError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(DaemonError::Signals)?;
    let signals = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // Nobody left to tell is no failure.
        let _ = sender.send(true);
    };
    let address = listener.local_addr().unwrap_or(address);
    say(format!(
        "serving `{}` on http://{address}/, polling {} feeds",
        config.storage.public.display(),
        config.feeds.len()
    ));
    let mut serving = stop.clone();
    let server = serve::run(listener, config.storage.public.clone(), async move { serving.wait().await });
    let ((), (), done) = tokio::join!(signals, server, polling(poller, site, stop, &say, &sender));
    say("stopped".to_owned());
    done
}

/// Polls what is due, publishes, and sleeps until the next feed is due.
async fn polling<F, I, A, C>(
    poller: &Poller<F, I, A, C>,
    site: &Site,
    stop: Stop,
    say: &impl Fn(String),
    end: &tokio::sync::watch::Sender<bool>,
) -> Result<(), DaemonError>
where
    F: Fetch + 'static,
    I: Index,
    A: Archive,
    C: Clock + 'static,
{
    let done = rounds(poller, site, stop, say).await;
    // A poll that cannot keep anything ends the daemon; the server goes with it.
    let _ = end.send(true);
    done
}

async fn rounds<F, I, A, C>(
    poller: &Poller<F, I, A, C>,
    site: &Site,
    mut stop: Stop,
    say: &impl Fn(String),
) -> Result<(), DaemonError>
where
    F: Fetch + 'static,
    I: Index,
    A: Archive,
    C: Clock + 'static,
{
    let config = &poller.config;
    let publisher = Publisher { config, index: &*poller.index, archive: &*poller.archive, site };
    publisher.topics(&config.topics, false, poller.clock.now()).await?;
    let mut last = Vec::with_capacity(config.feeds.len());
    for feed in &config.feeds {
        last.push(poller.last_poll(feed).await?);
    }
    let mut plan = Timetable::new(&config.feeds, &last, poller.clock.now());
    loop {
        let now = poller.clock.now();
        let due = plan.due(&config.feeds, now);
        if !due.is_empty() {
            let reports = poller.all(due, Options::default(), stop.clone(), |_| {}).await?;
            for report in &reports {
                say(line(report));
            }
            for unreadable in publisher.topics(&config.topics, false, poller.clock.now()).await?.unreadable {
                say(format!("warning: {unreadable}"));
            }
        }
        let wait = plan.wait(poller.clock.now()).min(LONGEST_WAIT);
        tokio::select! {
            () = stop.wait() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

fn line(report: &crate::poll::FeedReport) -> String {
    match &report.error {
        Some(error) => format!("warning: {error}"),
        None => report.log_line(),
    }
}

/// When each enabled feed is due next.
#[derive(Debug)]
struct Timetable {
    next: BTreeMap<usize, Timestamp>,
    made: Timestamp,
}

impl Timetable {
    /// Feeds that were never polled, or whose time passed while nobody ran, are due at once.
    fn new(feeds: &[Feed], last: &[Option<Timestamp>], now: Timestamp) -> Self {
        let first = |feed: &Feed, last: Option<Timestamp>| match last {
            None => Some(now),
            Some(last) => next_run(feed, last.min(now)),
        };
        let enabled = feeds.iter().zip(last).enumerate().filter(|(_, (feed, _))| feed.enabled);
        Self { next: enabled.filter_map(|(i, (feed, last))| Some((i, first(feed, *last)?))).collect(), made: now }
    }

    /// Takes out the feeds that are due and enters their next runs.
    fn due<'a>(&mut self, feeds: &'a [Feed], now: Timestamp) -> Vec<&'a Feed> {
        if now < self.made {
            // The clock was set back: times computed before that would make feeds wait for it.
            *self = Self::new(feeds, &vec![Some(now); feeds.len()], now);
        }
        self.made = now;
        let due: Vec<usize> = self.next.iter().filter(|(_, at)| **at <= now).map(|(i, _)| *i).collect();
        for i in &due {
            match next_run(&feeds[*i], now) {
                Some(next) => self.next.insert(*i, next),
                None => self.next.remove(i),
            };
        }
        due.into_iter().map(|i| &feeds[i]).collect()
    }

    fn wait(&self, now: Timestamp) -> Duration {
        let Some(next) = self.next.values().min() else { return LONGEST_WAIT };
        Duration::from_millis(u64::try_from(next.millis() - now.millis()).unwrap_or(0))
    }
}

fn next_run(feed: &Feed, now: Timestamp) -> Option<Timestamp> {
    feed.schedule.next(now, Spread::of(feed.source.id.as_str()))
}
