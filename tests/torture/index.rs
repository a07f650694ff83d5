//! An index that fails when told to, before its work, after it, or in the middle.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use feedmill::history::History;
use feedmill::identity::{Alias, Identity, Known};
use feedmill::index::{Committed, FeedState, Index, IndexError, SledIndex, Takedown};
use feedmill::model::{EntryKey, FeedId, Fingerprint, Found, LedgerPosition, Record, Timestamp, TopicId};

use super::faults::{Does, Faults, Turn};
use crate::twin::{Twin, Until};

/// What an index has done when its process is stopped in the middle of something.
pub trait Halves: Index {
    fn half_commit(&self, committed: Committed, part: usize) -> impl Future<Output = Result<(), IndexError>> + Send;
    fn half_clear(&self) -> impl Future<Output = Result<(), IndexError>> + Send;
}

impl Halves for Twin {
    async fn half_commit(&self, committed: Committed, part: usize) -> Result<(), IndexError> {
        let until = [Until::Aliases, Until::Order, Until::Records][part % 3];
        self.memory().commit(committed, until);
        Ok(())
    }

    async fn half_clear(&self) -> Result<(), IndexError> {
        self.memory().forget_ledger();
        Ok(())
    }
}

impl Halves for SledIndex {
    async fn half_commit(&self, committed: Committed, _: usize) -> Result<(), IndexError> {
        let ledger = self.ledger().await?;
        self.commit(Committed { ledger, stale: Vec::new(), ..committed }).await
    }

    async fn half_clear(&self) -> Result<(), IndexError> {
        Ok(())
    }
}

/// An index whose calls are counted and spoiled together with those to the disk.
#[derive(Debug)]
pub struct FaultIndex<I> {
    pub inner: Arc<I>,
    pub faults: Arc<Faults>,
}

fn store(cause: &io::Error) -> IndexError {
    IndexError::Store { path: PathBuf::from("index"), what: "used", cause: cause.to_string() }
}

impl<I: Halves> FaultIndex<I> {
    async fn step<T>(
        &self,
        what: &str,
        does: Does,
        work: impl Future<Output = Result<T, IndexError>>,
        half: impl Future<Output = Result<(), IndexError>>,
    ) -> Result<T, IndexError> {
        match self.faults.turn(|| format!("index: {what}"), does) {
            Turn::Well => work.await,
            Turn::Refuse(error) => Err(store(&error)),
            Turn::Halve(error) => half.await.and(Err(store(&error))),
            Turn::Deny(error) => work.await.and(Err(store(&error))),
        }
    }

    async fn read<T>(&self, what: &str, work: impl Future<Output = Result<T, IndexError>>) -> Result<T, IndexError> {
        self.step(what, Does::Read, work, nothing()).await
    }
}

fn nothing() -> impl Future<Output = Result<(), IndexError>> {
    std::future::ready(Ok(()))
}

impl<I: Halves> Index for FaultIndex<I> {
    async fn records(&self, ids: &[Identity]) -> Result<Vec<Known>, IndexError> {
        self.read("records", self.inner.records(ids)).await
    }

    async fn commit(&self, committed: Committed) -> Result<(), IndexError> {
        let part = self.faults.calls().len();
        let half = self.inner.half_commit(committed.clone(), part);
        self.step("commit", Does::Fill, self.inner.commit(committed), half).await
    }

    async fn forget(&self, takedown: Takedown) -> Result<(), IndexError> {
        self.step("forget", Does::Fill, self.inner.forget(takedown), nothing()).await
    }

    async fn forgotten(&self, keys: Vec<(EntryKey, Vec<Fingerprint>)>) -> Result<Vec<bool>, IndexError> {
        self.read("forgotten", self.inner.forgotten(keys)).await
    }

    async fn taken_down(&self, topic: &TopicId, limit: usize) -> Result<Vec<Takedown>, IndexError> {
        self.read("taken_down", self.inner.taken_down(topic, limit)).await
    }

    async fn takedowns(&self) -> Result<Vec<Takedown>, IndexError> {
        self.read("takedowns", self.inner.takedowns()).await
    }

    async fn struck(&self) -> Result<Option<Fingerprint>, IndexError> {
        self.read("struck", self.inner.struck()).await
    }

    async fn put_struck(&self, takedowns: Fingerprint) -> Result<(), IndexError> {
        self.step("put_struck", Does::Fill, self.inner.put_struck(takedowns), nothing()).await
    }

    async fn clear(&self) -> Result<(), IndexError> {
        self.step("clear", Does::Fill, self.inner.clear(), self.inner.half_clear()).await
    }

    async fn find(&self, alias: &Alias) -> Result<Option<Found>, IndexError> {
        self.read("find", self.inner.find(alias)).await
    }

    async fn by_path(&self, path: &str) -> Result<Option<Found>, IndexError> {
        self.read("by_path", self.inner.by_path(path)).await
    }

    async fn record(&self, key: &EntryKey) -> Result<Option<Record>, IndexError> {
        self.read("record", self.inner.record(key)).await
    }

    async fn by_keys(&self, keys: Vec<EntryKey>) -> Result<Vec<Option<Found>>, IndexError> {
        self.read("by_keys", self.inner.by_keys(keys)).await
    }

    async fn some_after(&self, key: Option<EntryKey>, most: usize) -> Result<Vec<Found>, IndexError> {
        self.read("some_after", self.inner.some_after(key, most)).await
    }

    async fn all(&self) -> Result<Vec<Found>, IndexError> {
        self.read("all", self.inner.all()).await
    }

    async fn newest(&self, rule: Fingerprint, limit: usize) -> Result<Option<Vec<Found>>, IndexError> {
        self.read("newest", self.inner.newest(rule, limit)).await
    }

    async fn put_topic(&self, rule: Fingerprint, members: Vec<(Timestamp, EntryKey)>) -> Result<(), IndexError> {
        self.step("put_topic", Does::Fill, self.inner.put_topic(rule, members), nothing()).await
    }

    async fn published(&self, topic: &TopicId) -> Result<Option<Fingerprint>, IndexError> {
        self.read("published", self.inner.published(topic)).await
    }

    async fn put_published(&self, topic: &TopicId, from: Fingerprint) -> Result<(), IndexError> {
        self.step("put_published", Does::Fill, self.inner.put_published(topic, from), nothing()).await
    }

    async fn members(&self, rule: Fingerprint, entries: Vec<(Timestamp, EntryKey)>) -> Result<Vec<bool>, IndexError> {
        self.read("members", self.inner.members(rule, entries)).await
    }

    async fn history(&self, generation: &str) -> Result<Option<History>, IndexError> {
        self.read("history", self.inner.history(generation)).await
    }

    async fn put_history(&self, generation: &str, history: History) -> Result<(), IndexError> {
        self.step("put_history", Does::Fill, self.inner.put_history(generation, history), nothing()).await
    }

    async fn ledger(&self) -> Result<LedgerPosition, IndexError> {
        self.read("ledger", self.inner.ledger()).await
    }

    async fn feed_state(&self, feed: &FeedId) -> Result<Option<FeedState>, IndexError> {
        self.read("feed_state", self.inner.feed_state(feed)).await
    }

    async fn put_feed_states(&self, states: Vec<(FeedId, FeedState)>) -> Result<(), IndexError> {
        self.step("put_feed_states", Does::Fill, self.inner.put_feed_states(states), nothing()).await
    }
}
