//! So many requests to one host at a time, and some time between them, on every hop.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};
use url::Url;

/// Hosts that are remembered before those that nobody waits for are forgotten.
const REMEMBERED: usize = 1024;

/// The host that is spared: one name and, where it is not the scheme's own, one port.
pub fn host(url: &Url) -> String {
    let name = url.host_str().unwrap_or_default().trim_end_matches('.');
    match url.port() {
        // `http` and `https` are one machine.
        None | Some(80 | 443) => name.to_owned(),
        Some(port) => format!("{name}:{port}"),
    }
}

/// All hosts that were asked of late.
#[derive(Debug)]
pub(super) struct Hosts {
    per_host: usize,
    delay: Duration,
    known: Mutex<HashMap<String, Arc<Host>>>,
}

#[derive(Debug)]
struct Host {
    free: Arc<Semaphore>,
    /// When the next request may begin.
    next: Mutex<Instant>,
}

/// The right to ask a host, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Hosts {
    /// Takes `fetch.per_host` and `fetch.host_delay`.
    pub(super) fn new(per_host: usize, delay: Duration) -> Self {
        Self { per_host: per_host.max(1), delay, known: Mutex::default() }
    }

    /// Waits until a host may be asked. Whoever holds a turn gives it up before it waits for another.
    pub(super) async fn turn(&self, url: &Url) -> Turn {
        let host = self.host(url);
        // Nobody closes the semaphore.
        let permit = Arc::clone(&host.free).acquire_owned().await.ok();
        sleep_until(host.begin(self.delay)).await;
        Turn { _permit: permit }
    }

    fn host(&self, url: &Url) -> Arc<Host> {
        let mut hosts = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= REMEMBERED && hosts.len().is_power_of_two() {
            let now = Instant::now();
            hosts.retain(|_, host| Arc::strong_count(host) > 1 || host.is_used(self.per_host, now));
        }
        let new = || Host { free: Arc::new(Semaphore::new(self.per_host)), next: Mutex::new(Instant::now()) };
        Arc::clone(hosts.entry(host(url)).or_insert_with(|| Arc::new(new())))
    }
}

impl Host {
    /// When this request begins; the next one begins later.
    fn begin(&self, delay: Duration) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = (*next).max(Instant::now());
        *next = at + delay;
        at
    }

    fn is_used(&self, per_host: usize, now: Instant) -> bool {
        self.free.available_permits() < per_host || *self.next.lock().unwrap_or_else(PoisonError::into_inner) > now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn http_and_https_of_a_name_are_one_host() {
        for (address, name) in [
            ("http://a.example/x", "a.example"),
            ("https://A.example./y", "a.example"),
            ("https://a.example:443/", "a.example"),
            ("http://a.example:443/", "a.example"),
            ("http://a.example:8080/", "a.example:8080"),
            ("http://[::1]:8080/", "[::1]:8080"),
        ] {
            assert_eq!(host(&url(address)), name, "{address}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn requests_begin_a_second_apart_and_one_at_a_time() {
        let hosts = Arc::new(Hosts::new(1, Duration::from_secs(1)));
        let start = Instant::now();
        let ask = |address: &'static str, lasts: u64| {
            let hosts = Arc::clone(&hosts);
            tokio::spawn(async move {
                let turn = hosts.turn(&url(address)).await;
                let begun = start.elapsed().as_secs();
                tokio::time::sleep(Duration::from_secs(lasts)).await;
                drop(turn);
                begun
            })
        };
        let asked = [
            ask("http://a.example/1", 0),
            ask("https://a.example/2", 5),
            ask("http://a.example/3", 0),
            ask("http://b.example/1", 0),
        ];
        let mut begun = Vec::new();
        for task in asked {
            begun.push(task.await.unwrap());
        }
        assert_eq!(begun, [0, 1, 6, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_that_nobody_asks_are_forgotten() {
        let hosts = Hosts::new(1, Duration::from_secs(1));
        for n in 0..5 * REMEMBERED {
            drop(hosts.turn(&url(&format!("http://h{n}.example/"))).await);
            tokio::time::advance(Duration::from_millis(10)).await;
        }
        let kept = hosts.known.lock().unwrap().len();
        assert!(kept <= REMEMBERED, "{kept}");
    }
}
