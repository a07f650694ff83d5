//! How many documents wait to be kept: each may be large, so those who ask must not run ahead of those who keep. That
//! nothing changed is a few bytes, and may wait in any number.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts documents that wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Backlog(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    waiting: AtomicUsize,
    freed: Notify,
}

/// A document that waits; it is counted until this is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Counted>);

impl Backlog {
    /// One more waits.
    pub(super) fn place(&self) -> Place {
        self.0.waiting.fetch_add(1, Ordering::Relaxed);
        Place(Arc::clone(&self.0))
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Returns when one was kept since the last call.
    pub(super) async fn freed(&self) {
        self.0.freed.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.freed.notify_one();
    }
}
