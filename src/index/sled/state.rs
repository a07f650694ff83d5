//! The small store: feeds, published topics, and how far the ledger is known.

use std::path::{Path, PathBuf};

use sled::{Batch, Db};

use super::mark::{self, Mark};
use super::store::{self, broken, damaged};
use super::stored::{self, VERSION};
use crate::history::History;
use crate::index::{Committed, FeedState, IndexError};
use crate::model::{FeedId, Fingerprint, LedgerPosition, TopicId};

/// Where it keeps how far the ledger is known.
const LEDGER: &[u8] = b"ledger";

/// Where it keeps which takedowns were struck from published documents.
const STRUCK: &[u8] = b"struck";

/// Where it keeps its version.
const SELF: &[u8] = b"version";

const FEED: &str = "feed:";
const PUBLISHED: &str = "published:";
const HISTORY: &str = "history:";

/// The store, open.
#[derive(Debug)]
pub(super) struct State {
    path: PathBuf,
    db: Db,
    /// Last, so that it is written when the store is closed.
    _mark: Mark,
}

impl State {
    /// Opens the store, making it where there is none; says whether it was made.
    pub(super) fn open(path: &Path) -> Result<(Self, bool), IndexError> {
        mark::lift(path)?;
        let db = store::open_in_time(path)?;
        let is_new = store::caught(path, || {
            if version(path, &db)?.is_some() {
                return Ok(false);
            }
            if db.was_recovered() {
                return Err(damaged(path, "it does not say what it is"));
            }
            db.insert(SELF, &[VERSION]).map_err(|e| broken(path, "written", &e))?;
            store::settle(&db, path)?;
            Ok(true)
        })?;
        Ok((Self { path: path.to_owned(), db, _mark: Mark::of(path) }, is_new))
    }

    /// How far the ledger is known. What cannot be read is not known.
    pub(super) fn ledger(&self) -> Result<LedgerPosition, IndexError> {
        let value = self.db.get(LEDGER).map_err(|e| broken(&self.path, "read", &e))?;
        Ok(value.and_then(|value| serde_json::from_slice(&value).ok()).unwrap_or_default())
    }

    /// Together in one batch: a ledger that is known always has its topics published or marked.
    ///
    /// So are topics that the config does not have today: they miss these records, and may come back.
    pub(super) fn put_ledger(&self, committed: &Committed) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        batch.insert(LEDGER, self.json(&committed.ledger)?);
        for topic in &committed.stale {
            batch.remove(published_key(topic).as_bytes());
        }
        if !committed.records.is_empty() {
            for key in self.db.scan_prefix(PUBLISHED).keys() {
                let key = key.map_err(|e| broken(&self.path, "read", &e))?;
                if !committed.topics.iter().any(|(topic, _)| key == published_key(topic).as_bytes()) {
                    batch.remove(key);
                }
            }
        }
        self.apply(batch)
    }

    /// Forgets which topics are published: an entry went, and they may have shown it.
    pub(super) fn forget_published(&self) -> Result<(), IndexError> {
        let batch = self.without_published(Batch::default())?;
        self.apply(batch)
    }

    fn without_published(&self, mut batch: Batch) -> Result<Batch, IndexError> {
        for key in self.db.scan_prefix(PUBLISHED).keys() {
            batch.remove(key.map_err(|e| broken(&self.path, "read", &e))?);
        }
        Ok(batch)
    }

    /// Forgets the ledger, which topics are published, and how far their histories go.
    pub(super) fn forget_ledger(&self) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        batch.remove(LEDGER);
        batch.remove(STRUCK);
        for key in self.db.scan_prefix(HISTORY).keys() {
            batch.remove(key.map_err(|e| broken(&self.path, "read", &e))?);
        }
        let batch = self.without_published(batch)?;
        self.apply(batch)
    }

    /// What a topic's files were made from.
    pub(super) fn published(&self, topic: &TopicId) -> Result<Option<Fingerprint>, IndexError> {
        let value = self.db.get(published_key(topic)).map_err(|e| broken(&self.path, "read", &e))?;
        Ok(value.and_then(|value| postcard::from_bytes(&value).ok()))
    }

    pub(super) fn put_published(&self, topic: &TopicId, from: Fingerprint) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        batch.insert(published_key(topic).as_bytes(), from.bytes());
        self.apply(batch)
    }

    /// How far a history goes. One that cannot be read is begun anew.
    pub(super) fn history(&self, generation: &str) -> Result<Option<History>, IndexError> {
        let value = self.db.get(format!("{HISTORY}{generation}")).map_err(|e| broken(&self.path, "read", &e))?;
        Ok(value.and_then(|value| stored::history(&value)))
    }

    pub(super) fn put_history(&self, generation: &str, history: &History) -> Result<(), IndexError> {
        let value = stored::history_bytes(history).map_err(|e| store::refused(&self.path, "written", e))?;
        let mut batch = Batch::default();
        batch.insert(format!("{HISTORY}{generation}").as_bytes(), value);
        self.apply(batch)
    }

    /// Which set of takedowns was struck.
    pub(super) fn struck(&self) -> Result<Option<Fingerprint>, IndexError> {
        let value = self.db.get(STRUCK).map_err(|e| broken(&self.path, "read", &e))?;
        Ok(value.and_then(|value| Fingerprint::from_bytes(&value)))
    }

    pub(super) fn put_struck(&self, takedowns: Fingerprint) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        batch.insert(STRUCK, &takedowns.bytes()[..]);
        self.apply(batch)
    }

    /// What is remembered of a feed. What cannot be read is taken from the archive's `state.json`.
    pub(super) fn feed(&self, feed: &FeedId) -> Result<Option<FeedState>, IndexError> {
        let value = self.db.get(format!("{FEED}{feed}")).map_err(|e| broken(&self.path, "read", &e))?;
        Ok(value.and_then(|value| serde_json::from_slice(&value).ok()))
    }

    pub(super) fn put_feeds(&self, states: &[(FeedId, FeedState)]) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        for (feed, state) in states {
            batch.insert(format!("{FEED}{feed}").as_bytes(), self.json(state)?);
        }
        self.apply(batch)
    }

    fn json(&self, value: &impl serde::Serialize) -> Result<Vec<u8>, IndexError> {
        serde_json::to_vec(value).map_err(|e| store::refused(&self.path, "written", e))
    }

    fn apply(&self, batch: Batch) -> Result<(), IndexError> {
        self.db.apply_batch(batch).map_err(|e| broken(&self.path, "written", &e))?;
        store::settle(&self.db, &self.path)
    }
}

/// Reads all there is, as a trial.
pub(super) fn check(path: &Path, db: &Db) -> Result<(), IndexError> {
    if version(path, db)?.is_none() {
        return Err(damaged(path, "it does not say what it is"));
    }
    for item in db.iter() {
        let (key, value) = item.map_err(|e| broken(path, "read", &e))?;
        let is_readable = if key == LEDGER {
            serde_json::from_slice::<LedgerPosition>(&value).is_ok()
        } else if key.starts_with(FEED.as_bytes()) {
            serde_json::from_slice::<FeedState>(&value).is_ok()
        } else {
            true
        };
        if !is_readable {
            return Err(damaged(path, format!("`{}` cannot be read", String::from_utf8_lossy(&key))));
        }
    }
    Ok(())
}

/// The version the store says it has; another one than ours is damage.
fn version(path: &Path, db: &Db) -> Result<Option<u8>, IndexError> {
    match db.get(SELF).map_err(|e| broken(path, "read", &e))?.as_deref() {
        None => Ok(None),
        Some(&[VERSION]) => Ok(Some(VERSION)),
        Some(other) => Err(damaged(path, format!("its version is {other:?}, not {VERSION}"))),
    }
}

fn published_key(topic: &TopicId) -> String {
    format!("{PUBLISHED}{topic}")
}
