//! Servers to which a connection may still be open.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

/// Servers that are remembered before those that answered long ago are forgotten.
const REMEMBERED: usize = 1024;

/// Who answered when. A server may close a connection at the very moment at which it is used again; then nothing was
/// asked yet, and the request is made once more over a new one.
pub(super) struct Open {
    /// How long a connection may be kept.
    kept: Duration,
    answered: Mutex<HashMap<String, Instant>>,
}

impl Open {
    pub(super) fn new(kept: Duration) -> Self {
        Self { kept, answered: Mutex::default() }
    }

    /// A server answers.
    pub(super) fn note(&self, url: &Url) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if answered.len() >= REMEMBERED {
            answered.retain(|_, at| at.elapsed() < self.kept);
        }
        answered.insert(url.origin().ascii_serialization(), Instant::now());
    }

    /// True once when a connection to the server may have been kept.
    pub(super) fn take(&self, url: &Url) -> bool {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.remove(&url.origin().ascii_serialization()).is_some_and(|at| at.elapsed() < self.kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_open_for_some_time_after_an_answer() {
        let url = |text: &str| Url::parse(text).unwrap();
        let open = Open::new(Duration::from_secs(15));
        assert!(!open.take(&url("http://a.example/")));
        open.note(&url("http://a.example/1"));
        assert!(!open.take(&url("https://a.example/1")) && !open.take(&url("http://a.example:81/1")));
        assert!(open.take(&url("http://a.example:80/2")));
        assert!(!open.take(&url("http://a.example/2")), "only once");
        open.note(&url("http://a.example/3"));
        tokio::time::advance(Duration::from_secs(15)).await;
        assert!(!open.take(&url("http://a.example/3")));
        for n in 0..3 * REMEMBERED {
            open.note(&url(&format!("http://{n}.example/")));
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert!(open.answered.lock().unwrap().len() <= REMEMBERED);
    }
}
