//! What the program remembers between polls; all of it can be rebuilt from the archive.

mod feed_state;
mod sled;

use std::future::Future;
use std::path::PathBuf;

pub use feed_state::{FeedState, Held};
pub use sled::{Damage, SledIndex, TRY_STORE, is_working, try_store};

use crate::history::History;
use crate::identity::{Alias, Identity, Known};
use crate::model::{EntryKey, FeedId, Fingerprint, Found, LedgerPosition, Record, Timestamp, TopicId};

/// Why the index could not be used.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// Another process holds it.
    #[error("`{}` is in use by another feedmill (pid {pid}); wait for it or stop it", path.display())]
    InUse {
        /// The index folder.
        path: PathBuf,
        /// Whoever wrote the lock file.
        pid: String,
    },
    /// A store cannot be believed; opened again, the index makes it anew from the archive.
    #[error("`{}` is damaged: {cause}; the next run makes it anew from the archive", path.display())]
    Damaged {
        /// The store's folder.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// The disk or the store refused.
    #[error("`{}` cannot be {what}: {cause}", path.display())]
    Store {
        /// The index folder.
        path: PathBuf,
        /// What was tried, as a participle.
        what: &'static str,
        /// The store's words.
        cause: String,
    },
}

/// A record to be put into the index, with what leads to it.
#[derive(Clone, Debug)]
pub struct Remember {
    /// The entry's key.
    pub key: EntryKey,
    /// What to remember.
    pub record: Record,
    /// What else leads to it from now on.
    pub aliases: Vec<Alias>,
    /// For each topic rule whether the entry belongs to it now.
    pub topics: Vec<(Fingerprint, bool)>,
}

/// An entry that was taken down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takedown {
    /// The entry's key.
    pub key: EntryKey,
    /// When that was.
    pub when: Timestamp,
    /// The id it was published under, where that was its own.
    pub id: Option<String>,
    /// The topics that showed it.
    pub topics: Vec<TopicId>,
    /// Fingerprints of the aliases it would be recognised by.
    pub marks: Vec<Fingerprint>,
    /// What the rules of identity need to tell another entry from it; without it whatever shares a mark is it.
    pub trace: Option<Record>,
}

/// One poll's worth of memory.
#[derive(Clone, Debug, Default)]
pub struct Committed {
    /// The records.
    pub records: Vec<Remember>,
    /// Today's topics with their rules, which were applied to the records. Topics and rules that are
    /// not among them miss these records from now on: they have to be made anew when they come back.
    pub topics: Vec<(TopicId, Fingerprint)>,
    /// How far the ledger is known after this.
    pub ledger: LedgerPosition,
    /// Topics whose published files are stale from now on.
    pub stale: Vec<TopicId>,
    /// Topic rules that have been applied to every record there is.
    pub complete: Vec<Fingerprint>,
}

/// The memory. Every write may be repeated without harm.
pub trait Index: Send + Sync {
    /// What is known under everything the entries can be recognised by, one answer an identity.
    fn records(&self, ids: &[Identity]) -> impl Future<Output = Result<Vec<Known>, IndexError>> + Send;
    /// Puts records durably.
    fn commit(&self, committed: Committed) -> impl Future<Output = Result<(), IndexError>> + Send;
    /// Forgets an entry: its record goes, and whatever it would be recognised by (its key and its
    /// marks) says so from now on. All published files are stale.
    fn forget(&self, takedown: Takedown) -> impl Future<Output = Result<(), IndexError>> + Send;
    /// Which of these keys are of forgotten entries, or have a mark beside them by which one would be recognised; one
    /// answer a key.
    fn forgotten(
        &self,
        keys: Vec<(EntryKey, Vec<Fingerprint>)>,
    ) -> impl Future<Output = Result<Vec<bool>, IndexError>> + Send;
    /// The latest entries that were taken down out of a topic, newest first; their marks and traces are left out.
    fn taken_down(
        &self,
        topic: &TopicId,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Takedown>, IndexError>> + Send;
    /// Every entry that was taken down, newest first; their marks are left out.
    fn takedowns(&self) -> impl Future<Output = Result<Vec<Takedown>, IndexError>> + Send;
    /// Which set of takedowns was last struck from published documents that nobody makes again.
    fn struck(&self) -> impl Future<Output = Result<Option<Fingerprint>, IndexError>> + Send;
    /// Remembers which set of takedowns was struck.
    fn put_struck(&self, takedowns: Fingerprint) -> impl Future<Output = Result<(), IndexError>> + Send;
    /// Empties the index of everything that the archive's ledger says.
    fn clear(&self) -> impl Future<Output = Result<(), IndexError>> + Send;
    /// What an alias leads to.
    fn find(&self, alias: &Alias) -> impl Future<Output = Result<Option<Found>, IndexError>> + Send;
    /// The entry whose post lies at a path.
    fn by_path(&self, path: &str) -> impl Future<Output = Result<Option<Found>, IndexError>> + Send;
    /// The record of a key.
    fn record(&self, key: &EntryKey) -> impl Future<Output = Result<Option<Record>, IndexError>> + Send;
    /// The records of many keys, one answer a key.
    fn by_keys(&self, keys: Vec<EntryKey>) -> impl Future<Output = Result<Vec<Option<Found>>, IndexError>> + Send;
    /// The next records behind a key, in key order, at most so many; all of them may be more than memory holds.
    fn some_after(
        &self,
        key: Option<EntryKey>,
        most: usize,
    ) -> impl Future<Output = Result<Vec<Found>, IndexError>> + Send;
    /// Every record, in key order.
    fn all(&self) -> impl Future<Output = Result<Vec<Found>, IndexError>> + Send;
    /// The newest entries of a topic rule: newest date first, then key. `None` when the rule was
    /// never applied to the whole archive.
    fn newest(
        &self,
        rule: Fingerprint,
        limit: usize,
    ) -> impl Future<Output = Result<Option<Vec<Found>>, IndexError>> + Send;
    /// Applies a rule to the whole archive: these keys, with their dates, are all that belong to it.
    fn put_topic(
        &self,
        rule: Fingerprint,
        members: Vec<(Timestamp, EntryKey)>,
    ) -> impl Future<Output = Result<(), IndexError>> + Send;
    /// What a topic's published files were last made from; `None` when they are stale.
    fn published(&self, topic: &TopicId) -> impl Future<Output = Result<Option<Fingerprint>, IndexError>> + Send;
    /// Remembers what a topic's published files were made from.
    fn put_published(&self, topic: &TopicId, from: Fingerprint) -> impl Future<Output = Result<(), IndexError>> + Send;
    /// Which of these entries, with their dates, belong to a rule now; none where the rule was never applied to the
    /// whole archive.
    fn members(
        &self,
        rule: Fingerprint,
        entries: Vec<(Timestamp, EntryKey)>,
    ) -> impl Future<Output = Result<Vec<bool>, IndexError>> + Send;
    /// How far the history of a generation goes; `None` when it was never begun.
    fn history(&self, generation: &str) -> impl Future<Output = Result<Option<History>, IndexError>> + Send;
    /// Remembers how far a history goes.
    fn put_history(&self, generation: &str, history: History) -> impl Future<Output = Result<(), IndexError>> + Send;
    /// How far the ledger is known.
    fn ledger(&self) -> impl Future<Output = Result<LedgerPosition, IndexError>> + Send;
    /// What is remembered of a feed.
    fn feed_state(&self, feed: &FeedId) -> impl Future<Output = Result<Option<FeedState>, IndexError>> + Send;
    /// What is remembered of many feeds, one answer a feed.
    fn feed_states(
        &self,
        feeds: Vec<FeedId>,
    ) -> impl Future<Output = Result<Vec<Option<FeedState>>, IndexError>> + Send {
        async move {
            let mut states = Vec::with_capacity(feeds.len());
            for feed in &feeds {
                states.push(self.feed_state(feed).await?);
            }
            Ok(states)
        }
    }
    /// Remembers the state of feeds.
    fn put_feed_states(&self, states: Vec<(FeedId, FeedState)>) -> impl Future<Output = Result<(), IndexError>> + Send;
}
