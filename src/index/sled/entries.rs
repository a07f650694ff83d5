//! The big store: records, what leads to them, and their order in topics.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sled::{Db, Tree};

use super::mark::{self, Mark};
use super::store::{self, broken, damaged};
use super::stored::{self, Meta, PLACE, VERSION, decode, encode, is_within, key_of_place, place};
use crate::identity::{Alias, Identity, Known, Tombstone};
use crate::index::{Committed, IndexError, Remember, Takedown};
use crate::model::{EntryKey, Fingerprint, Found, LedgerPosition, Record, Timestamp, TopicId};

/// Where it keeps what it says of itself.
const SELF: &[u8] = b"meta";

/// The store, open.
#[derive(Debug)]
pub(super) struct Entries {
    path: PathBuf,
    trees: Trees,
    meta: Mutex<Meta>,
    /// Last, so that it is written when the store is closed.
    _mark: Mark,
}

#[derive(Debug)]
struct Trees {
    records: Tree,
    aliases: Tree,
    order: Tree,
    /// Rules that were applied to every record there is.
    rules: Tree,
    /// Keys and marks of forgotten entries.
    forgotten: Tree,
    /// Forgotten entries, the latest first.
    takedowns: Tree,
    db: Db,
}

impl Trees {
    fn of(path: &Path, db: Db) -> Result<Self, IndexError> {
        let tree = |name: &str| db.open_tree(name).map_err(|e| broken(path, "opened", &e));
        Ok(Self {
            records: tree("records")?,
            aliases: tree("aliases")?,
            order: tree("order")?,
            rules: tree("rules")?,
            forgotten: tree("forgotten")?,
            takedowns: tree("takedowns")?,
            db,
        })
    }
}

impl Entries {
    /// Opens the store, making it where there is none. It has to know at least so much of the ledger.
    pub(super) fn open(path: &Path, known: &LedgerPosition) -> Result<Self, IndexError> {
        let entries = Self::open_anyway(path)?;
        if is_within(known, &entries.meta().ledger) {
            Ok(entries)
        } else {
            Err(damaged(path, "it does not hold what was put into it last"))
        }
    }

    /// Opens the store, making it where there is none, however much it knows.
    pub(super) fn open_anyway(path: &Path) -> Result<Self, IndexError> {
        mark::lift(path)?;
        let db = store::open_in_time(path)?;
        store::caught(path, || {
            let meta = meta(path, &db)?;
            if meta.is_none() && db.was_recovered() {
                return Err(damaged(path, "it does not say what it holds"));
            }
            let is_new = meta.is_none();
            let meta = Mutex::new(meta.unwrap_or_else(|| Meta { version: VERSION, ..Meta::default() }));
            let trees = Trees::of(path, db)?;
            let entries = Self { path: path.to_owned(), trees, meta, _mark: Mark::of(path) };
            if is_new {
                entries.put_meta(&entries.meta())?;
                entries.settle()?;
            }
            Ok(entries)
        })
    }

    /// How far the ledger was known when the last record was put.
    pub(super) fn ledger(&self) -> LedgerPosition {
        self.meta().ledger.clone()
    }

    pub(super) fn found(&self, key: EntryKey) -> Result<Option<Found>, IndexError> {
        let value = self.trees.records.get(key.bytes()).map_err(|e| self.unread(&e))?;
        value.map(|value| Ok(Found { key, record: self.decode(&value)? })).transpose()
    }

    /// What an alias leads to.
    pub(super) fn by_alias(&self, alias: Option<Alias>) -> Result<Option<Found>, IndexError> {
        let Some(alias) = alias else { return Ok(None) };
        match self.alias(&alias)? {
            Some(key) => self.found(key),
            None => Ok(None),
        }
    }

    fn alias(&self, alias: &Alias) -> Result<Option<EntryKey>, IndexError> {
        let value = self.trees.aliases.get(alias.fingerprint().bytes()).map_err(|e| self.unread(&e))?;
        let key = |value: &[u8]| EntryKey::from_bytes(value).ok_or_else(|| self.damaged("an alias leads nowhere"));
        value.map(|value| key(&value)).transpose()
    }

    /// Everything that is known of what an entry can be recognised by.
    pub(super) fn known(&self, id: &Identity) -> Result<Known, IndexError> {
        let by_key = |key: Option<EntryKey>| key.map_or(Ok(None), |key| self.found(key));
        let url = match by_key(id.plain)? {
            Some(found) => Some(found),
            None => self.by_alias(id.url_alias())?,
        };
        let discriminated = by_key(Some(id.discriminated))?;
        let mut known = Known {
            guid: self.by_alias(id.guid_alias())?,
            url,
            pair: self.by_alias(id.pair_alias())?,
            text: self.by_alias(id.text_alias())?,
            apart: by_key(Some(id.apart).filter(|_| discriminated.is_some()))?,
            discriminated,
            forgotten: false,
            taken_down: Vec::new(),
            published: match id.usable_id() {
                Some(guid) => self.alias(&Alias::Published(guid.to_owned()))?,
                None => None,
            },
        };
        if self.meta().forgotten > 0 {
            known.add_forgotten(id, |mark| self.tombstone(mark))?;
        }
        Ok(known)
    }

    /// What is left of a forgotten entry under its key, or under the fingerprint of an alias.
    fn tombstone(&self, mark: &[u8]) -> Result<Option<Tombstone>, IndexError> {
        let row = |mark: &[u8]| self.trees.forgotten.get(mark).map_err(|e| self.unread(&e));
        let Some(value) = row(mark)? else { return Ok(None) };
        let (key, trace) = match EntryKey::from_bytes(mark) {
            Some(key) => (key, Some(value)),
            None => match EntryKey::from_bytes(&value) {
                Some(key) => (key, row(&value)?),
                None => return Ok(Some(Tombstone::Bare)),
            },
        };
        match trace {
            Some(trace) if *trace != [VERSION] => {
                Ok(Some(Tombstone::Entry(Box::new(Found { key, record: self.decode(&trace)? }))))
            }
            _ => Ok(Some(Tombstone::Bare)),
        }
    }

    /// Which keys are of forgotten entries, or have one of their marks beside them.
    pub(super) fn forgotten(&self, keys: &[(EntryKey, Vec<Fingerprint>)]) -> Result<Vec<bool>, IndexError> {
        if self.meta().forgotten == 0 {
            return Ok(vec![false; keys.len()]);
        }
        let is_there = |mark: &[u8]| self.trees.forgotten.contains_key(mark).map_err(|e| self.unread(&e));
        let mut found = Vec::with_capacity(keys.len());
        for (key, marks) in keys {
            let mut is_gone = is_there(key.bytes())?;
            for mark in marks {
                is_gone = is_gone || is_there(mark.bytes())?;
            }
            found.push(is_gone);
        }
        Ok(found)
    }

    /// Forgets an entry: its key and its marks say so from now on.
    pub(super) fn forget(&self, takedown: &Takedown) -> Result<(), IndexError> {
        let key = takedown.key;
        let mut meta = self.meta();
        let refused = |e: String| store::refused(&self.path, "written", e);
        let (row, value) = stored::takedown_row(takedown).map_err(refused)?;
        self.trees.takedowns.insert(row, value).map_err(|e| self.unwritten(&e))?;
        let trace = takedown.trace.as_ref().map_or_else(|| Ok(vec![VERSION]), encode).map_err(refused)?;
        let marks = takedown.marks.iter().map(|mark| (mark.bytes().to_vec(), key.bytes().to_vec()));
        for (mark, value) in std::iter::once((key.bytes().to_vec(), trace)).chain(marks) {
            put(&self.trees.forgotten, mark, &value, &mut meta.forgotten).map_err(|e| self.unwritten(&e))?;
        }
        let mut places = Vec::new();
        for place in self.trees.order.iter().keys() {
            let place = place.map_err(|e| self.unread(&e))?;
            if key_of_place(&place) == Some(key) {
                places.push(place.to_vec());
            }
        }
        let record = self.trees.records.contains_key(key.bytes()).map_err(|e| self.unread(&e))?;
        // It never says that it holds more than it does, whenever it is stopped.
        meta.records -= u64::from(record).min(meta.records);
        self.remove_places(&places, &mut meta)?;
        self.trees.records.remove(key.bytes()).map_err(|e| self.unwritten(&e))?;
        self.settle()
    }

    /// The latest entries that were taken down out of a topic.
    pub(super) fn taken_down(&self, topic: &TopicId, limit: usize) -> Result<Vec<Takedown>, IndexError> {
        let mut found = Vec::new();
        for item in &self.trees.takedowns {
            let (row, value) = item.map_err(|e| self.unread(&e))?;
            let takedown = stored::takedown(&row, &value).ok_or_else(|| self.damaged("a takedown cannot be read"))?;
            if takedown.topics.contains(topic) {
                found.push(takedown);
            }
            if found.len() == limit {
                break;
            }
        }
        Ok(found)
    }

    /// Every takedown, the latest first.
    pub(super) fn takedowns(&self) -> Result<Vec<Takedown>, IndexError> {
        let rows = self.trees.takedowns.iter().map(|item| {
            let (row, value) = item.map_err(|e| self.unread(&e))?;
            stored::takedown(&row, &value).ok_or_else(|| self.damaged("a takedown cannot be read"))
        });
        rows.collect()
    }

    /// Every rule that has places in the order.
    fn ordered_rules(&self) -> Result<Vec<Fingerprint>, IndexError> {
        let mut rules = Vec::new();
        let mut from = Vec::new();
        while let Some(item) = self.trees.order.range(from..).next() {
            let (place, _) = item.map_err(|e| self.unread(&e))?;
            let rule = stored::rule_of_place(&place).ok_or_else(|| self.damaged("a place cannot be read"))?;
            rules.push(rule);
            from = [&rule.bytes()[..], &[u8::MAX; PLACE]].concat();
        }
        Ok(rules)
    }

    /// Rules that were not applied to the records of a commit miss them from now on.
    fn outdate_rules(&self, committed: &Committed) -> Result<(), IndexError> {
        if committed.records.is_empty() {
            return Ok(());
        }
        let mut outdated = Vec::new();
        for rule in self.trees.rules.iter().keys() {
            let rule = rule.map_err(|e| self.unread(&e))?;
            if !committed.topics.iter().any(|(_, applied)| rule == applied.bytes()) {
                outdated.push(rule);
            }
        }
        for rule in outdated {
            self.trees.rules.remove(rule).map_err(|e| self.unwritten(&e))?;
        }
        Ok(())
    }

    /// Puts records, with all that leads to them. Rows go in sorted by key and one by one: sled is
    /// faster so than with a batch, which it shuffles and holds in memory until its end.
    pub(super) fn commit(&self, committed: &Committed) -> Result<(), IndexError> {
        let mut meta = self.meta();
        let mut sorted: Vec<&Remember> = committed.records.iter().collect();
        sorted.sort_by_key(|r| r.key);
        let mut aliases = BTreeMap::new();
        let mut places: BTreeMap<Vec<u8>, bool> = BTreeMap::new();
        for remember in &sorted {
            aliases.extend(remember.aliases.iter().map(|alias| (*alias.fingerprint().bytes(), *remember.key.bytes())));
            let former = self.found(remember.key)?;
            // A place holds the date: one that changed would show the entry twice, also under a rule
            // that is not in the config today.
            if let Some(former) = former.as_ref().filter(|former| former.record.date != remember.record.date) {
                for rule in self.ordered_rules()? {
                    places.insert(place(rule, former.record.date, remember.key), false);
                }
            }
            for (rule, belongs) in &remember.topics {
                if *belongs || former.is_some() {
                    places.insert(place(*rule, remember.record.date, remember.key), *belongs);
                }
            }
        }
        self.outdate_rules(committed)?;
        let gone: Vec<Vec<u8>> = places.iter().filter(|(_, is)| !**is).map(|(place, _)| place.clone()).collect();
        self.remove_places(&gone, &mut meta)?;
        // Aliases and order first: a record that is there has all that leads to it.
        for (alias, key) in aliases {
            put(&self.trees.aliases, alias, &key, &mut meta.aliases).map_err(|e| self.unwritten(&e))?;
        }
        for (place, _) in places.into_iter().filter(|(_, belongs)| *belongs) {
            put(&self.trees.order, place, &[], &mut meta.order).map_err(|e| self.unwritten(&e))?;
        }
        for remember in sorted {
            let value = encode(&remember.record).map_err(|e| store::refused(&self.path, "written", e))?;
            put(&self.trees.records, remember.key.bytes(), &value, &mut meta.records)
                .map_err(|e| self.unwritten(&e))?;
        }
        for rule in &committed.complete {
            self.trees.rules.insert(rule.bytes(), &[VERSION]).map_err(|e| self.unwritten(&e))?;
        }
        meta.ledger.clone_from(&committed.ledger);
        self.put_meta(&meta)?;
        self.settle()
    }

    /// The newest entries of a rule; `None` when it was never applied to all there is.
    pub(super) fn newest(&self, rule: Fingerprint, limit: usize) -> Result<Option<Vec<Found>>, IndexError> {
        if !self.trees.rules.contains_key(rule.bytes()).map_err(|e| self.unread(&e))? {
            return Ok(None);
        }
        let mut newest = Vec::new();
        for item in self.trees.order.scan_prefix(rule.bytes()).keys().take(limit) {
            if let Some(key) = key_of_place(&item.map_err(|e| self.unread(&e))?) {
                newest.extend(self.found(key)?);
            }
        }
        Ok(Some(newest))
    }

    /// Which of these entries belong to a rule.
    pub(super) fn members(
        &self,
        rule: Fingerprint,
        entries: &[(Timestamp, EntryKey)],
    ) -> Result<Vec<bool>, IndexError> {
        if !self.trees.rules.contains_key(rule.bytes()).map_err(|e| self.unread(&e))? {
            return Ok(vec![false; entries.len()]);
        }
        let is_member = |(date, key): &(Timestamp, EntryKey)| self.trees.order.contains_key(place(rule, *date, *key));
        entries.iter().map(|entry| is_member(entry).map_err(|e| self.unread(&e))).collect()
    }

    /// Applies a rule to all there is.
    pub(super) fn put_topic(&self, rule: Fingerprint, members: Vec<(Timestamp, EntryKey)>) -> Result<(), IndexError> {
        let mut meta = self.meta();
        let former = self.trees.order.scan_prefix(rule.bytes()).keys();
        let former: Result<Vec<_>, _> = former.map(|place| place.map(|place| place.to_vec())).collect();
        self.remove_places(&former.map_err(|e| self.unread(&e))?, &mut meta)?;
        let mut places: Vec<Vec<u8>> = members.into_iter().map(|(date, key)| place(rule, date, key)).collect();
        places.sort();
        for place in places {
            put(&self.trees.order, place, &[], &mut meta.order).map_err(|e| self.unwritten(&e))?;
        }
        self.trees.rules.insert(rule.bytes(), &[VERSION]).map_err(|e| self.unwritten(&e))?;
        self.put_meta(&meta)?;
        self.settle()
    }

    /// The entry whose post lies at a path.
    pub(super) fn by_path(&self, path: &str) -> Result<Option<Found>, IndexError> {
        let is_it = |found: &Result<Found, IndexError>| found.as_ref().map_or(true, |found| found.record.path == path);
        self.trees.records.iter().map(|item| self.row(item)).find(is_it).transpose()
    }

    /// The next records behind a key.
    pub(super) fn some_after(&self, key: Option<EntryKey>, most: usize) -> Result<Vec<Found>, IndexError> {
        let from = key.map_or(Bound::Unbounded, |key| Bound::Excluded(key.bytes().to_vec()));
        self.trees.records.range((from, Bound::Unbounded)).take(most).map(|item| self.row(item)).collect()
    }

    /// Every record, in key order.
    pub(super) fn all(&self) -> Result<Vec<Found>, IndexError> {
        self.trees.records.iter().map(|item| self.row(item)).collect()
    }

    fn row(&self, item: sled::Result<(sled::IVec, sled::IVec)>) -> Result<Found, IndexError> {
        let (key, value) = item.map_err(|e| self.unread(&e))?;
        let key = EntryKey::from_bytes(&key).ok_or_else(|| self.damaged("a key is not 32 bytes"))?;
        Ok(Found { key, record: self.decode(&value)? })
    }

    /// Places go only after the store has said that it holds fewer of them.
    fn remove_places(&self, places: &[Vec<u8>], meta: &mut Meta) -> Result<(), IndexError> {
        if places.is_empty() {
            return self.put_meta(meta);
        }
        let before = meta.order;
        meta.order = before.saturating_sub(places.len() as u64);
        self.put_meta(meta)?;
        let mut gone = 0;
        for place in places {
            let former = self.trees.order.remove(place).map_err(|e| self.unwritten(&e))?;
            gone += u64::from(former.is_some());
        }
        meta.order = before.saturating_sub(gone);
        self.put_meta(meta)
    }

    fn put_meta(&self, meta: &Meta) -> Result<(), IndexError> {
        let value = serde_json::to_vec(meta).map_err(|e| store::refused(&self.path, "written", e))?;
        self.trees.db.insert(SELF, value).map_err(|e| self.unwritten(&e))?;
        Ok(())
    }

    fn settle(&self) -> Result<(), IndexError> {
        store::settle(&self.trees.db, &self.path)
    }

    fn meta(&self) -> MutexGuard<'_, Meta> {
        // A panic under it has made the store count as damaged already.
        self.meta.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn decode(&self, value: &[u8]) -> Result<Record, IndexError> {
        decode(value).map_err(|cause| self.damaged(&cause))
    }

    fn damaged(&self, cause: &str) -> IndexError {
        damaged(&self.path, cause)
    }

    fn unread(&self, error: &sled::Error) -> IndexError {
        broken(&self.path, "read", error)
    }

    fn unwritten(&self, error: &sled::Error) -> IndexError {
        broken(&self.path, "written", error)
    }
}

/// Puts a row and counts it when it is new.
fn put(tree: &Tree, key: impl AsRef<[u8]>, value: &[u8], count: &mut u64) -> sled::Result<()> {
    if tree.insert(key, value)?.is_none() {
        *count += 1;
    }
    Ok(())
}

fn meta(path: &Path, db: &Db) -> Result<Option<Meta>, IndexError> {
    let Some(value) = db.get(SELF).map_err(|e| broken(path, "read", &e))? else { return Ok(None) };
    let meta: Meta = serde_json::from_slice(&value).map_err(|e| damaged(path, e))?;
    if meta.version != VERSION {
        return Err(damaged(path, format!("its version is {}, not {VERSION}", meta.version)));
    }
    Ok(Some(meta))
}

/// Reads all there is, as a trial. A store that holds fewer rows than it says has lost some; one that
/// holds more was stopped while rows were put, and says so from now on.
pub(super) fn check(path: &Path, db: &Db) -> Result<(), IndexError> {
    let says = meta(path, db)?.ok_or_else(|| damaged(path, "it does not say what it holds"))?;
    let trees = Trees::of(path, db.clone())?;
    let holds = Meta {
        records: rows(path, &trees.records, |key, value| key.len() == 32 && decode(value).is_ok())?,
        aliases: rows(path, &trees.aliases, |key, value| key.len() == 16 && value.len() == 32)?,
        order: rows(path, &trees.order, |key, _| key_of_place(key).is_some())?,
        forgotten: rows(path, &trees.forgotten, |_, _| true)?,
        ..says.clone()
    };
    rows(path, &trees.rules, |key, _| key.len() == 16)?;
    rows(path, &trees.takedowns, |row, value| stored::takedown(row, value).is_some())?;
    let counts = |meta: &Meta| [meta.records, meta.aliases, meta.order, meta.forgotten];
    for (holds, says) in counts(&holds).into_iter().zip(counts(&says)) {
        if holds < says {
            return Err(damaged(path, format!("of {says} rows it holds {holds}")));
        }
    }
    if holds != says {
        let value = serde_json::to_vec(&holds).map_err(|e| store::refused(path, "written", e))?;
        db.insert(SELF, value).map_err(|e| broken(path, "written", &e))?;
        store::settle(db, path)?;
    }
    Ok(())
}

/// How many rows a tree holds, all of which have to be good.
fn rows(path: &Path, tree: &Tree, is_good: impl Fn(&[u8], &[u8]) -> bool) -> Result<u64, IndexError> {
    let mut count = 0;
    for item in tree {
        // At the first failure: sled gives the same one for ever.
        let (key, value) = item.map_err(|e| broken(path, "read", &e))?;
        if !is_good(&key, &value) {
            return Err(damaged(path, "a row cannot be read"));
        }
        count += 1;
    }
    Ok(count)
}
