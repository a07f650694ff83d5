//! How much waits to be read or kept: documents may be large, so those who ask must not run ahead of those who keep. That
//! nothing changed is a few bytes, and may wait in any number.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Documents that wait may hold so much text together (bytes) before nobody is asked any more.
const BYTES: usize = 32 << 20;
/// What was on its way then is still read up to here. Beyond it even the first in line has to wait, and may miss its turn.
const MOST: usize = 2 * BYTES;

/// Counts documents that wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Backlog(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    documents: AtomicUsize,
    bytes: AtomicUsize,
    freed: Notify,
    room: Notify,
}

/// A document that waits; it is counted until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    counted: Arc<Counted>,
    bytes: usize,
}

impl Backlog {
    /// One more waits, which holds so much text.
    pub(super) fn place(&self, bytes: usize) -> Place {
        self.0.documents.fetch_add(1, Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        Place { counted: Arc::clone(&self.0), bytes }
    }

    /// True when so many documents wait, or fewer that are large.
    pub(super) fn is_full(&self, documents: usize) -> bool {
        self.0.documents.load(Ordering::Relaxed) >= documents || self.0.bytes.load(Ordering::Relaxed) >= BYTES
    }

    /// Returns when another document may be read.
    pub(super) async fn room(&self) {
        loop {
            let freed = self.0.room.notified();
            if self.0.bytes.load(Ordering::Relaxed) < MOST {
                return;
            }
            freed.await;
        }
    }

    /// Returns when one was kept since the last call.
    pub(super) async fn freed(&self) {
        self.0.freed.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.counted.documents.fetch_sub(1, Ordering::Relaxed);
        self.counted.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.counted.freed.notify_one();
        self.counted.room.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn it_is_full_of_many_documents_or_of_large_ones() {
        let backlog = Backlog::default();
        let small: Vec<Place> = (0..3).map(|_| backlog.place(100)).collect();
        assert_eq!((backlog.is_full(4), backlog.is_full(3)), (false, true));
        let large = backlog.place(BYTES - 300);
        assert!(backlog.is_full(1000));
        drop(large);
        backlog.freed().await;
        assert!(!backlog.is_full(4));
        drop(small);
        assert!(!backlog.is_full(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_read_waits_for_room() {
        let backlog = Backlog::default();
        backlog.room().await;
        let (one, other) = (backlog.place(BYTES), backlog.place(MOST));
        let moment = Duration::from_secs(9);
        assert!(timeout(moment, backlog.room()).await.is_err());
        drop(one);
        assert!(timeout(moment, backlog.room()).await.is_err());
        let (room, ()) = tokio::join!(timeout(moment, backlog.room()), async { drop(other) });
        assert!(room.is_ok());
    }
}
