//! Word to those who asked for it: hubs that a feed has changed (W3C WebSub), and whoever waits for a heartbeat that
//! a round went well.
//!
//! The flows only say what happened; [`Hubs::run`] sends it in its own time, so that no hub can keep a poll waiting. What
//! was not sent when the program ends is not sent at all: subscribers get it with the feed's next change.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Notify;
use url::Url;

use crate::config::Server;
use crate::fetch::{Hook, shown};
use crate::metrics::{Metrics, Ping};
use crate::model::SecretUrl;

/// Between the tries of one hub: five within an hour.
const WAITS: [Duration; 4] =
    [Duration::from_mins(1), Duration::from_mins(4), Duration::from_mins(15), Duration::from_mins(40)];

/// Addresses that wait for one hub at a time: some twenty megabytes.
const MOST: usize = 100_000;

/// Tells hubs and the heartbeat's receiver.
#[derive(Debug)]
pub struct Hubs {
    hook: Hook,
    all: Vec<Hub>,
    heart: Heart,
    waits: [Duration; WAITS.len()],
    metrics: Option<Arc<Metrics>>,
}

#[derive(Debug)]
struct Hub {
    url: Url,
    /// Each changed address once.
    waiting: Mutex<BTreeMap<Url, Waiting>>,
    news: Notify,
    /// Somebody was told that it does not work.
    is_ailing: AtomicBool,
}

/// What is known of an address that waits.
#[derive(Debug, Default)]
struct Waiting {
    /// Tries of the hub that failed while it waited.
    failed: usize,
    /// It is being told of now, and did not change since.
    is_going: bool,
}

#[derive(Debug)]
struct Heart {
    url: Option<SecretUrl>,
    beat: Notify,
    is_ailing: AtomicBool,
}

impl Hubs {
    /// For the hubs and the heartbeat of a config.
    pub fn new(server: &Server, hook: Hook) -> Self {
        let hub = |url: &Url| Hub {
            url: url.clone(),
            waiting: Mutex::default(),
            news: Notify::new(),
            is_ailing: AtomicBool::new(false),
        };
        let heart = Heart { url: server.heartbeat_url.clone(), beat: Notify::new(), is_ailing: AtomicBool::new(false) };
        Self { hook, all: server.hubs.iter().map(hub).collect(), heart, waits: WAITS, metrics: None }
    }

    /// The same with other waits between the five tries.
    #[must_use]
    pub fn with_waits(self, waits: [Duration; WAITS.len()]) -> Self {
        Self { waits, ..self }
    }

    /// The same, counted.
    #[must_use]
    pub fn with_metrics(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    fn count(&self, ping: Ping) {
        if let Some(metrics) = &self.metrics {
            metrics.pinged(ping);
        }
    }

    /// These feeds have changed. Returns at once; an address that waits already waits once.
    pub fn changed(&self, feeds: &[Url]) {
        for hub in self.all.iter().filter(|_| !feeds.is_empty()) {
            if hub.take(feeds) > 0 {
                hub.ail(&format!("has {MOST} feeds waiting; it will not hear of the others that changed"));
            }
            hub.news.notify_one();
        }
    }

    /// A round went well. Returns at once; beats that come faster than they are sent are one.
    pub fn heartbeat(&self) {
        self.heart.beat.notify_one();
    }

    /// What no hub, or not every one, was told yet: for the successor after a reload.
    pub fn untold(&self) -> Vec<Url> {
        let mut all: Vec<Url> =
            self.all.iter().flat_map(|hub| hub.waiting().keys().cloned().collect::<Vec<_>>()).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Sends what there is to say until `stop` is ready; then it ends at once.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let hubs = join_all(self.all.iter().map(|hub| self.tend(hub)));
        tokio::select! {
            () = stop => {}
            _ = async { tokio::join!(hubs, self.beat()) } => {}
        }
    }

    async fn tend(&self, hub: &Hub) {
        let mut failures = 0;
        loop {
            if hub.waiting().is_empty() {
                failures = 0;
                hub.news.notified().await;
                continue;
            }
            let Err(cause) = self.tell(hub).await else {
                continue;
            };
            failures += 1;
            tracing::debug!(hub = %shown(&hub.url), failures, "not reached: {cause}");
            if hub.give_up(self.waits.len() + 1) {
                self.count(Ping::Failed);
                hub.ail(&format!(
                    "was not reached in {} tries: {cause}; its subscribers get what changed with the next change",
                    self.waits.len() + 1
                ));
            }
            let wait = self.waits[(failures - 1).min(self.waits.len() - 1)];
            if !hub.waiting().is_empty() {
                tokio::time::sleep(wait).await;
            }
        }
    }

    /// Tells a hub of all that waits for it, up to the first failure that may pass.
    async fn tell(&self, hub: &Hub) -> Result<(), String> {
        let mut is_refused = false;
        while let Some(feed) = hub.next() {
            // One address a request: hubs do not agree on how several are written. They do not agree on
            // the name of the field either: `hub.url` is PubSubHubbub's, `hub.topic` is what younger ones take.
            let form = [("hub.mode", "publish"), ("hub.url", feed.as_str()), ("hub.topic", feed.as_str())];
            match self.hook.post(&hub.url, &form).await {
                Ok(()) => {
                    self.count(Ping::Taken);
                    tracing::debug!(hub = %shown(&hub.url), feed = %feed, "told of a change");
                }
                Err(error) if error.is_transient => {
                    self.count(Ping::Retried);
                    return Err(error.cause);
                }
                Err(error) => {
                    self.count(Ping::Failed);
                    is_refused = true;
                    hub.ail(&format!("takes no word of `{feed}`: {error}; is it right in server.hubs?"));
                }
            }
            hub.done(&feed);
        }
        if !is_refused && hub.is_ailing.swap(false, Ordering::Relaxed) {
            tracing::info!("hub `{}` takes word again", shown(&hub.url));
        }
        Ok(())
    }

    async fn beat(&self) {
        let heart = &self.heart;
        let Some(url) = &heart.url else { return std::future::pending().await };
        loop {
            heart.beat.notified().await;
            match self.hook.get(url).await {
                Ok(()) => {
                    if heart.is_ailing.swap(false, Ordering::Relaxed) {
                        tracing::info!("the heartbeat (server.heartbeat_url) arrives again");
                    }
                }
                Err(error) if !heart.is_ailing.swap(true, Ordering::Relaxed) => {
                    tracing::warn!("the heartbeat (server.heartbeat_url) does not arrive: {error}");
                }
                Err(error) => tracing::debug!("the heartbeat (server.heartbeat_url) does not arrive: {error}"),
            }
        }
    }
}

impl Hub {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<Url, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets feeds wait; says how many found no place.
    fn take(&self, feeds: &[Url]) -> usize {
        let mut waiting = self.waiting();
        let mut left_out = 0;
        for feed in feeds {
            if waiting.len() < MOST || waiting.contains_key(feed) {
                // What changed again is to be told again, for as long as anything new.
                waiting.insert(feed.clone(), Waiting::default());
            } else {
                left_out += 1;
            }
        }
        left_out
    }

    /// The address to tell of next; it goes on waiting until it is [`Self::done`].
    fn next(&self) -> Option<Url> {
        let mut waiting = self.waiting();
        let mut first = waiting.first_entry()?;
        first.get_mut().is_going = true;
        Some(first.key().clone())
    }

    /// Told, unless it changed in the meantime.
    fn done(&self, feed: &Url) {
        let mut waiting = self.waiting();
        if waiting.get(feed).is_some_and(|feed| feed.is_going) {
            waiting.remove(feed);
        }
    }

    /// Counts a failed try for all that waits; says whether that was the last one for some of it.
    fn give_up(&self, tries: usize) -> bool {
        let mut waiting = self.waiting();
        let before = waiting.len();
        waiting.retain(|_, feed| {
            *feed = Waiting { failed: feed.failed + 1, is_going: false };
            feed.failed < tries
        });
        waiting.len() < before
    }

    /// One sentence for a time in which it does not work.
    fn ail(&self, sentence: &str) {
        let hub = shown(&self.url);
        if self.is_ailing.swap(true, Ordering::Relaxed) {
            tracing::debug!("hub `{hub}` {sentence}");
        } else {
            tracing::warn!("hub `{hub}` {sentence}");
        }
    }
}
