//! Every feed at its times, and the published files over HTTP, until a signal says stop.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::archive::Archive;
use crate::clock::Clock;
use crate::fetch::Fetch;
use crate::index::Index;
use crate::model::Timestamp;
use crate::pace;
use crate::poll::{FeedReport, Options, PollError, Poller, Stop};
use crate::publish::{PublishError, Publisher};
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

const MINUTE: Duration = Duration::from_mins(1);

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
    let server = serve::run(listener, config.storage.public.clone(), (), async move { serving.wait().await });
    let ((), (), done) = tokio::join!(signals, server, polling(poller, site, stop, &say, &sender));
    say("stopped".to_owned());
    done
}

/// Polls what is due, publishes, and sleeps until the next feed is due, until it is told to stop.
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

/// Polls what is due, publishes, and sleeps until the next feed is due: all that the daemon does but serve.
pub async fn rounds<F, I, A, C>(
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
    let mut plan = Timetable::new(poller).await?;
    loop {
        let due = plan.due(poller).await?;
        if !due.is_empty() {
            let feeds = due.iter().map(|place| &config.feeds[*place]).collect();
            let reports = poller.all(feeds, Options::default(), stop.clone(), |_| {}).await?;
            for report in &reports {
                say(line(report));
            }
            plan.enter(poller, &due, &reports).await?;
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

fn line(report: &FeedReport) -> String {
    match &report.error {
        Some(error) => format!("warning: {error}"),
        None => report.log_line(),
    }
}

/// When each enabled feed is due next.
#[derive(Debug)]
struct Timetable {
    /// By the feed's place in the config.
    next: BTreeMap<usize, Timestamp>,
    made: Timestamp,
}

impl Timetable {
    /// Feeds that were never polled, or whose time passed while nobody ran, are due at once.
    async fn new<F, I, A, C>(poller: &Poller<F, I, A, C>) -> Result<Self, PollError>
    where
        F: Fetch + 'static,
        I: Index,
        A: Archive,
        C: Clock + 'static,
    {
        let mut next = BTreeMap::new();
        for (place, feed) in poller.config.feeds.iter().enumerate().filter(|(_, feed)| feed.enabled) {
            if let Some(wake) = poller.wake(feed).await? {
                next.insert(place, wake.at);
            }
        }
        Ok(Self { next, made: poller.clock.now() })
    }

    /// The feeds that are due.
    async fn due<F, I, A, C>(&mut self, poller: &Poller<F, I, A, C>) -> Result<Vec<usize>, PollError>
    where
        F: Fetch + 'static,
        I: Index,
        A: Archive,
        C: Clock + 'static,
    {
        let now = poller.clock.now();
        if now < self.made {
            // The clock was set back: times computed before that would make feeds wait for it.
            *self = Self::new(poller).await?;
        }
        self.made = now;
        Ok(self.next.iter().filter(|(_, at)| **at <= now).map(|(place, _)| *place).collect())
    }

    /// Enters the next times of feeds that were polled.
    async fn enter<F, I, A, C>(
        &mut self,
        poller: &Poller<F, I, A, C>,
        places: &[usize],
        reports: &[FeedReport],
    ) -> Result<(), PollError>
    where
        F: Fetch + 'static,
        I: Index,
        A: Archive,
        C: Clock + 'static,
    {
        for place in places {
            let feed = &poller.config.feeds[*place];
            let report = reports.iter().find(|report| report.feed == feed.source.id.as_str());
            // Another feed's word may keep this one waiting.
            let again = report.and_then(|report| report.again);
            match poller.wake(feed).await? {
                // Whatever went wrong, nobody is asked twice in a minute for it.
                Some(wake) => {
                    let soonest = report.map_or_else(|| pace::later(poller.clock.now(), MINUTE), |_| wake.at);
                    self.next.insert(*place, wake.at.max(soonest).max(again.unwrap_or(wake.at)))
                }
                None => self.next.remove(place),
            };
        }
        Ok(())
    }

    fn wait(&self, now: Timestamp) -> Duration {
        let Some(next) = self.next.values().min() else { return LONGEST_WAIT };
        Duration::from_millis(u64::try_from(next.millis() - now.millis()).unwrap_or(0))
    }
}
