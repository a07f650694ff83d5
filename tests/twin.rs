//! The index as plain maps: what sled's has to agree with, and what torture runs over.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

use feedmill::history::History;
use feedmill::identity::{Alias, Identity, Known, Tombstone};
use feedmill::index::{Committed, FeedState, Index, IndexError, Takedown};
use feedmill::model::{EntryKey, FeedId, Fingerprint, Found, LedgerPosition, Record, Timestamp, TopicId};

/// Everything that an index remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pub records: BTreeMap<EntryKey, Record>,
    pub aliases: BTreeMap<Fingerprint, EntryKey>,
    /// Members of each topic rule, newest first, then by key.
    pub order: BTreeMap<Fingerprint, BTreeSet<(Reverse<Timestamp>, EntryKey)>>,
    pub complete: BTreeSet<Fingerprint>,
    /// Keys and marks of forgotten entries.
    pub forgotten: BTreeMap<Vec<u8>, EntryKey>,
    pub traces: BTreeMap<EntryKey, Record>,
    /// Forgotten entries, the latest first; their marks are above.
    pub takedowns: BTreeMap<(Reverse<Timestamp>, EntryKey), Takedown>,
    pub ledger: LedgerPosition,
    pub published: BTreeMap<TopicId, Fingerprint>,
    pub feeds: BTreeMap<FeedId, FeedState>,
    /// By generation.
    pub histories: BTreeMap<String, History>,
    /// Which takedowns were struck.
    pub struck: Option<Fingerprint>,
}

/// How far a commit came that was cut short: the steps come in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    Aliases,
    Order,
    Records,
    Ledger,
}

/// An index in memory.
#[derive(Debug, Default)]
pub struct Twin(Mutex<Memory>);

impl Twin {
    pub fn of(memory: Memory) -> Self {
        Self(Mutex::new(memory))
    }

    pub fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().expect("memory")
    }
}

impl Memory {
    fn found(&self, key: EntryKey) -> Option<Found> {
        Some(Found { key, record: self.records.get(&key)?.clone() })
    }

    fn by_alias(&self, alias: Option<Alias>) -> Option<Found> {
        self.found(*self.aliases.get(&alias?.fingerprint())?)
    }

    fn known(&self, id: &Identity) -> Known {
        let mut known = Known {
            guid: self.by_alias(id.guid_alias()),
            url: id.plain.and_then(|key| self.found(key)).or_else(|| self.by_alias(id.url_alias())),
            pair: self.by_alias(id.pair_alias()),
            text: self.by_alias(id.text_alias()),
            discriminated: self.found(id.discriminated),
            apart: self.found(id.discriminated).and_then(|_| self.found(id.apart)),
            forgotten: false,
            taken_down: Vec::new(),
            published: id
                .usable_id()
                .and_then(|guid| self.aliases.get(&Alias::Published(guid.to_owned()).fingerprint()).copied()),
        };
        let under = |mark: &[u8]| Ok::<_, std::convert::Infallible>(self.tombstone(mark));
        known.add_forgotten(id, under).expect("in memory");
        known
    }

    fn tombstone(&self, mark: &[u8]) -> Option<Tombstone> {
        let key = *self.forgotten.get(mark)?;
        let entry = |record: &Record| Tombstone::Entry(Box::new(Found { key, record: record.clone() }));
        Some(self.traces.get(&key).map_or(Tombstone::Bare, entry))
    }

    pub fn commit(&mut self, committed: Committed, until: Until) {
        let misses = !committed.records.is_empty();
        if misses {
            self.complete.retain(|rule| committed.topics.iter().any(|(_, applied)| applied == rule));
        }
        let mut records: Vec<_> = committed.records.iter().collect();
        // Of two that claim one alias the later key has it, in whatever order they come.
        records.sort_by_key(|remember| remember.key);
        for remember in records {
            for alias in &remember.aliases {
                self.aliases.insert(alias.fingerprint(), remember.key);
            }
            if until == Until::Aliases {
                continue;
            }
            let date = |record: &Record| (Reverse(record.date), remember.key);
            for (rule, belongs) in &remember.topics {
                let members = self.order.entry(*rule).or_default();
                members.retain(|(_, key)| *key != remember.key);
                if *belongs {
                    members.insert(date(&remember.record));
                }
            }
            if until >= Until::Records {
                self.records.insert(remember.key, remember.record.clone());
            }
        }
        if until >= Until::Records {
            self.complete.extend(committed.complete);
        }
        if until < Until::Ledger {
            return;
        }
        self.ledger = committed.ledger;
        if misses {
            self.published.retain(|topic, _| committed.topics.iter().any(|(applied, _)| applied == topic));
        }
        for topic in committed.stale {
            self.published.remove(&topic);
        }
    }

    pub fn forget(&mut self, takedown: &Takedown) {
        let key = &takedown.key;
        self.forgotten.insert(key.bytes().to_vec(), *key);
        self.forgotten.extend(takedown.marks.iter().map(|mark| (mark.bytes().to_vec(), *key)));
        self.traces.remove(key);
        self.traces.extend(takedown.trace.clone().map(|trace| (*key, trace)));
        let told = Takedown { marks: Vec::new(), trace: None, ..takedown.clone() };
        self.takedowns.insert((Reverse(takedown.when), *key), told);
        for members in self.order.values_mut() {
            members.retain(|(_, member)| member != key);
        }
        self.records.remove(key);
        self.published.clear();
    }

    /// The first step of emptying: the index knows that it knows nothing.
    pub fn forget_ledger(&mut self) {
        self.ledger.clear();
        self.published.clear();
        self.histories.clear();
        self.struck = None;
    }

    pub fn clear(&mut self) {
        *self = Self { feeds: std::mem::take(&mut self.feeds), ..Self::default() };
    }

    /// The store of entries is gone; what the other one knew of the ledger, and of files that were
    /// made from it, goes with it.
    pub fn lose_entries(&mut self) {
        self.clear();
    }

    fn newest(&self, rule: Fingerprint, limit: usize) -> Option<Vec<Found>> {
        if !self.complete.contains(&rule) {
            return None;
        }
        let members = self.order.get(&rule).into_iter().flatten().take(limit);
        Some(members.filter_map(|(_, key)| self.found(*key)).collect())
    }

    fn put_topic(&mut self, rule: Fingerprint, members: Vec<(Timestamp, EntryKey)>) {
        let members = members.into_iter().map(|(date, key)| (Reverse(date), key)).collect();
        self.order.insert(rule, members);
        self.complete.insert(rule);
    }
}

impl Index for Twin {
    async fn records(&self, ids: &[Identity]) -> Result<Vec<Known>, IndexError> {
        let memory = self.memory();
        Ok(ids.iter().map(|id| memory.known(id)).collect())
    }

    async fn commit(&self, committed: Committed) -> Result<(), IndexError> {
        self.memory().commit(committed, Until::Ledger);
        Ok(())
    }

    async fn forget(&self, takedown: Takedown) -> Result<(), IndexError> {
        self.memory().forget(&takedown);
        Ok(())
    }

    async fn forgotten(&self, keys: Vec<(EntryKey, Vec<Fingerprint>)>) -> Result<Vec<bool>, IndexError> {
        let forgotten = &self.memory().forgotten;
        let is_gone = |(key, marks): &(EntryKey, Vec<Fingerprint>)| {
            forgotten.contains_key(&key.bytes()[..])
                || marks.iter().any(|mark| forgotten.contains_key(&mark.bytes()[..]))
        };
        Ok(keys.iter().map(is_gone).collect())
    }

    async fn taken_down(&self, topic: &TopicId, limit: usize) -> Result<Vec<Takedown>, IndexError> {
        let memory = self.memory();
        let of_topic = memory.takedowns.values().filter(|takedown| takedown.topics.contains(topic));
        Ok(of_topic.take(limit).cloned().collect())
    }

    async fn takedowns(&self) -> Result<Vec<Takedown>, IndexError> {
        Ok(self.memory().takedowns.values().cloned().collect())
    }

    async fn struck(&self) -> Result<Option<Fingerprint>, IndexError> {
        Ok(self.memory().struck)
    }

    async fn put_struck(&self, takedowns: Fingerprint) -> Result<(), IndexError> {
        self.memory().struck = Some(takedowns);
        Ok(())
    }

    async fn clear(&self) -> Result<(), IndexError> {
        self.memory().clear();
        Ok(())
    }

    async fn find(&self, alias: &Alias) -> Result<Option<Found>, IndexError> {
        Ok(self.memory().by_alias(Some(alias.clone())))
    }

    async fn by_path(&self, path: &str) -> Result<Option<Found>, IndexError> {
        Ok(self.all().await?.into_iter().find(|found| found.record.path == path))
    }

    async fn record(&self, key: &EntryKey) -> Result<Option<Record>, IndexError> {
        Ok(self.memory().records.get(key).cloned())
    }

    async fn by_keys(&self, keys: Vec<EntryKey>) -> Result<Vec<Option<Found>>, IndexError> {
        let memory = self.memory();
        Ok(keys.into_iter().map(|key| memory.found(key)).collect())
    }

    async fn some_after(&self, key: Option<EntryKey>, most: usize) -> Result<Vec<Found>, IndexError> {
        let memory = self.memory();
        let behind = memory.records.iter().filter(|(other, _)| key.is_none_or(|key| **other > key)).take(most);
        Ok(behind.map(|(key, record)| Found { key: *key, record: record.clone() }).collect())
    }

    async fn all(&self) -> Result<Vec<Found>, IndexError> {
        let memory = self.memory();
        Ok(memory.records.iter().map(|(key, record)| Found { key: *key, record: record.clone() }).collect())
    }

    async fn newest(&self, rule: Fingerprint, limit: usize) -> Result<Option<Vec<Found>>, IndexError> {
        Ok(self.memory().newest(rule, limit))
    }

    async fn put_topic(&self, rule: Fingerprint, members: Vec<(Timestamp, EntryKey)>) -> Result<(), IndexError> {
        self.memory().put_topic(rule, members);
        Ok(())
    }

    async fn published(&self, topic: &TopicId) -> Result<Option<Fingerprint>, IndexError> {
        Ok(self.memory().published.get(topic).copied())
    }

    async fn put_published(&self, topic: &TopicId, from: Fingerprint) -> Result<(), IndexError> {
        self.memory().published.insert(topic.clone(), from);
        Ok(())
    }

    async fn members(&self, rule: Fingerprint, entries: Vec<(Timestamp, EntryKey)>) -> Result<Vec<bool>, IndexError> {
        let memory = self.memory();
        let members = memory.order.get(&rule).filter(|_| memory.complete.contains(&rule));
        let is_member = |(date, key)| members.is_some_and(|members| members.contains(&(Reverse(date), key)));
        Ok(entries.into_iter().map(is_member).collect())
    }

    async fn history(&self, generation: &str) -> Result<Option<History>, IndexError> {
        Ok(self.memory().histories.get(generation).cloned())
    }

    async fn put_history(&self, generation: &str, history: History) -> Result<(), IndexError> {
        self.memory().histories.insert(generation.to_owned(), history);
        Ok(())
    }

    async fn ledger(&self) -> Result<LedgerPosition, IndexError> {
        Ok(self.memory().ledger.clone())
    }

    async fn feed_state(&self, feed: &FeedId) -> Result<Option<FeedState>, IndexError> {
        Ok(self.memory().feeds.get(feed).cloned())
    }

    async fn put_feed_states(&self, states: Vec<(FeedId, FeedState)>) -> Result<(), IndexError> {
        self.memory().feeds.extend(states);
        Ok(())
    }
}
