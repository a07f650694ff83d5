//! The door to sled.
//!
//! Two stores: a small one for the state of feeds, and the big one for entries, opened only when a
//! feed has something to say. sled's own `flush` does not reach the disk's cache (sled#1452), so
//! each commit also syncs the store's file.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use sled::{Batch, Db, Tree};

use super::{Committed, FeedState, Index, IndexError, Remember, Takedown};
use crate::identity::{Alias, Identity, Known};
use crate::model::{EntryKey, FeedId, Fingerprint, Found, LedgerPosition, Record, Timestamp, TopicId};

/// Version of everything kept here; another version is rebuilt from the archive.
const VERSION: u8 = 1;

/// Bytes of pages kept in memory: sled's default is 1 GiB.
const CACHE: u64 = 64 << 20;

/// Where the state store keeps how far the ledger is known.
const LEDGER: &[u8] = b"ledger";

/// … and under this and its id what a topic was last made from.
const PUBLISHED: &[u8] = b"published:";

/// The index in a folder of the local disk.
#[derive(Clone, Debug)]
pub struct SledIndex {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    state: Db,
    entries: OnceLock<Entries>,
    /// Held as long as the index is open.
    _lock: File,
}

#[derive(Clone, Debug)]
struct Entries {
    db: Db,
    records: Tree,
    aliases: Tree,
    order: Tree,
    rules: Tree,
    /// Keys and marks of forgotten entries.
    forgotten: Tree,
    /// Forgotten entries, the latest first.
    takedowns: Tree,
}

/// A record as it is stored.
#[derive(serde::Serialize, serde::Deserialize)]
struct Stored {
    path: String,
    feed: Option<String>,
    also: Vec<String>,
    title: Fingerprint,
    text: Fingerprint,
    claimed: Option<i64>,
    date: i64,
    seen: i64,
    guid: Option<Fingerprint>,
    link: Option<Fingerprint>,
    revisions: u32,
    revised: Option<i64>,
    id: Option<String>,
    rule: u8,
}

impl SledIndex {
    /// Opens the index below `root`, making it if it does not exist.
    pub fn open(root: &Path) -> Result<Self, IndexError> {
        fs::create_dir_all(root).map_err(|e| failed(root, "made", e))?;
        let lock = lock(root)?;
        let state = open_store(&root.join("state"))?;
        if !root.join("entries").join("db").exists() {
            // The store of entries is lost: what the other knows of the ledger is no longer true.
            state.remove(LEDGER).map_err(|e| failed(root, "written", e))?;
        }
        let shared = Shared { root: root.to_owned(), state, entries: OnceLock::new(), _lock: lock };
        Ok(Self { shared: Arc::new(shared) })
    }

    fn entries(&self) -> Result<&Entries, IndexError> {
        if let Some(entries) = self.shared.entries.get() {
            return Ok(entries);
        }
        let path = self.shared.root.join("entries");
        let db = open_store(&path)?;
        let tree = |name: &str| db.open_tree(name).map_err(|e| failed(&path, "opened", e));
        let entries = Entries {
            records: tree("records")?,
            aliases: tree("aliases")?,
            order: tree("order")?,
            rules: tree("rules")?,
            forgotten: tree("forgotten")?,
            takedowns: tree("takedowns")?,
            db: db.clone(),
        };
        Ok(self.shared.entries.get_or_init(|| entries))
    }

    fn found(&self, key: EntryKey) -> Result<Option<Found>, IndexError> {
        let entries = self.entries()?;
        let value = entries.records.get(key.bytes()).map_err(|e| failed(&self.shared.root, "read", e))?;
        value.map(|value| Ok(Found { key, record: decode(&self.shared.root, &value)? })).transpose()
    }

    fn alias(&self, alias: &Alias) -> Result<Option<EntryKey>, IndexError> {
        let value = self
            .entries()?
            .aliases
            .get(alias.fingerprint().bytes())
            .map_err(|e| failed(&self.shared.root, "read", e))?;
        Ok(value.and_then(|value| EntryKey::from_bytes(&value)))
    }

    fn by_alias(&self, alias: Option<Alias>) -> Result<Option<Found>, IndexError> {
        let Some(alias) = alias else { return Ok(None) };
        match self.alias(&alias)? {
            Some(key) => self.found(key),
            None => Ok(None),
        }
    }

    fn known(&self, id: &Identity) -> Result<Known, IndexError> {
        let by_key = |key: Option<EntryKey>| key.map_or(Ok(None), |key| self.found(key));
        let url = match by_key(id.plain)? {
            Some(found) => Some(found),
            None => self.by_alias(id.url_alias())?,
        };
        Ok(Known {
            guid: self.by_alias(id.guid_alias())?,
            url,
            pair: self.by_alias(id.pair_alias())?,
            text: self.by_alias(id.text_alias())?,
            discriminated: by_key(Some(id.discriminated))?,
            forgotten: self.is_forgotten(id)?,
            published: match id.usable_id() {
                Some(guid) => self.alias(&Alias::Published(guid.to_owned()))?,
                None => None,
            },
        })
    }

    /// True when an entry that was forgotten would be recognised as this one.
    fn is_forgotten(&self, id: &Identity) -> Result<bool, IndexError> {
        let forgotten = &self.entries()?.forgotten;
        if forgotten.is_empty() {
            return Ok(false);
        }
        let keys = [id.plain, Some(id.discriminated)].into_iter().flatten().map(|key| key.bytes().to_vec());
        let aliases = [id.guid_alias(), id.url_alias(), id.pair_alias(), id.text_alias()];
        let marks = aliases.into_iter().flatten().map(|alias| alias.fingerprint().bytes().to_vec());
        for mark in keys.chain(marks) {
            if forgotten.contains_key(mark).map_err(|e| failed(&self.shared.root, "read", e))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn forget_now(&self, takedown: &Takedown) -> Result<(), IndexError> {
        let key = takedown.key;
        let entries = self.entries()?;
        let wrong = |e: sled::Error| failed(&self.shared.root, "written", e);
        // Topics that the config does not have today may show the entry when they come back.
        let mut stale = Batch::default();
        for item in self.shared.state.scan_prefix(PUBLISHED).keys() {
            stale.remove(item.map_err(wrong)?);
        }
        self.shared.state.apply_batch(stale).map_err(wrong)?;
        self.settle(&self.shared.state, "state")?;
        let mut forgotten = Batch::default();
        forgotten.insert(key.bytes(), &[VERSION]);
        for mark in &takedown.marks {
            forgotten.insert(mark.bytes(), &[VERSION]);
        }
        entries.forgotten.apply_batch(forgotten).map_err(wrong)?;
        let topics: Vec<&str> = takedown.topics.iter().map(TopicId::as_str).collect();
        let value = postcard::to_extend(&(&takedown.id, topics), vec![VERSION]);
        let value = value.map_err(|e| failed(&self.shared.root, "written", e))?;
        let place = [&latest_first(takedown.when)[..], key.bytes()].concat();
        entries.takedowns.insert(place, value).map_err(wrong)?;
        let mut order = Batch::default();
        for item in entries.order.iter().keys() {
            let place = item.map_err(wrong)?;
            if place.get(24..) == Some(key.bytes()) {
                order.remove(place);
            }
        }
        entries.order.apply_batch(order).map_err(wrong)?;
        entries.records.remove(key.bytes()).map_err(wrong)?;
        self.settle(&entries.db, "entries")
    }

    fn taken_down_now(&self, topic: &TopicId, limit: usize) -> Result<Vec<Takedown>, IndexError> {
        let unread = |e: &dyn std::fmt::Display| failed(&self.shared.root, "read", e);
        let mut found = Vec::new();
        for item in &self.entries()?.takedowns {
            let (place, value) = item.map_err(|e| unread(&e))?;
            let takedown = decode_takedown(&place, &value).ok_or_else(|| unread(&"a takedown has another form"))?;
            if found.len() < limit && takedown.topics.contains(topic) {
                found.push(takedown);
            }
        }
        Ok(found)
    }

    fn clear_now(&self) -> Result<(), IndexError> {
        let wrong = |e: sled::Error| failed(&self.shared.root, "written", e);
        // The position first: whatever happens then, the index knows that it knows nothing.
        self.shared.state.remove(LEDGER).map_err(wrong)?;
        for item in self.shared.state.scan_prefix(PUBLISHED).keys() {
            self.shared.state.remove(item.map_err(wrong)?).map_err(wrong)?;
        }
        self.settle(&self.shared.state, "state")?;
        let entries = self.entries()?;
        for tree in
            [&entries.records, &entries.aliases, &entries.order, &entries.rules, &entries.forgotten, &entries.takedowns]
        {
            tree.clear().map_err(wrong)?;
        }
        self.settle(&entries.db, "entries")
    }

    fn commit_now(&self, committed: &Committed) -> Result<(), IndexError> {
        let entries = self.entries()?;
        let mut records = Batch::default();
        let mut aliases = Batch::default();
        let mut order = Batch::default();
        // sled writes sorted batches several times faster than shuffled ones.
        let mut sorted: Vec<&Remember> = committed.records.iter().collect();
        sorted.sort_by_key(|r| r.key);
        for remember in sorted {
            records.insert(remember.key.bytes(), encode(&self.shared.root, &remember.record)?);
            let former = self.found(remember.key)?.filter(|former| former.record.date != remember.record.date);
            for alias in &remember.aliases {
                aliases.insert(alias.fingerprint().bytes(), remember.key.bytes());
            }
            // A place holds the date: one that changed would show the entry twice, also under a rule
            // that is not in the config today.
            if let Some(former) = &former {
                for rule in self.ordered_rules()? {
                    order.remove(place(rule, former.record.date, remember.key));
                }
            }
            for (rule, belongs) in &remember.topics {
                let place = place(*rule, remember.record.date, remember.key);
                if *belongs { order.insert(place, &[]) } else { order.remove(place) }
            }
        }
        let apply = |tree: &Tree, batch| tree.apply_batch(batch).map_err(|e| failed(&self.shared.root, "written", e));
        apply(&entries.rules, self.outdated_rules(committed)?)?;
        // Aliases and order first: a record that is there has all that leads to it.
        apply(&entries.aliases, aliases)?;
        apply(&entries.order, order)?;
        apply(&entries.records, records)?;
        let mut complete = Batch::default();
        for rule in &committed.complete {
            complete.insert(rule.bytes(), &[VERSION]);
        }
        apply(&entries.rules, complete)?;
        self.settle(&entries.db, "entries")?;
        self.put_ledger(committed)
    }

    /// Every rule that has places in the order.
    fn ordered_rules(&self) -> Result<Vec<Fingerprint>, IndexError> {
        let order = &self.entries()?.order;
        let mut rules = Vec::new();
        let mut from = Vec::new();
        while let Some(item) = order.range(from..).next() {
            let (place, _) = item.map_err(|e| failed(&self.shared.root, "read", e))?;
            let Some(rule) = place.get(..16).and_then(Fingerprint::from_bytes) else { break };
            rules.push(rule);
            from = [&rule.bytes()[..], &[u8::MAX; PLACE]].concat();
        }
        Ok(rules)
    }

    /// Rules that miss the records of a commit.
    fn outdated_rules(&self, committed: &Committed) -> Result<Batch, IndexError> {
        let mut outdated = Batch::default();
        if committed.records.is_empty() {
            return Ok(outdated);
        }
        for rule in self.entries()?.rules.iter().keys() {
            let rule = rule.map_err(|e| failed(&self.shared.root, "read", e))?;
            if !committed.topics.iter().any(|(_, applied)| rule == applied.bytes()) {
                outdated.remove(rule);
            }
        }
        Ok(outdated)
    }

    /// Together in one batch: a ledger that is known always has its topics published or marked.
    fn put_ledger(&self, committed: &Committed) -> Result<(), IndexError> {
        let value = serde_json::to_vec(&committed.ledger).map_err(|e| failed(&self.shared.root, "written", e))?;
        let mut batch = Batch::default();
        batch.insert(LEDGER, value);
        for topic in &committed.stale {
            batch.remove(published_key(topic));
        }
        if !committed.records.is_empty() {
            for published in self.shared.state.scan_prefix(PUBLISHED).keys() {
                let published = published.map_err(|e| failed(&self.shared.root, "read", e))?;
                if !committed.topics.iter().any(|(topic, _)| published == published_key(topic)) {
                    batch.remove(published);
                }
            }
        }
        self.shared.state.apply_batch(batch).map_err(|e| failed(&self.shared.root, "written", e))?;
        self.settle(&self.shared.state, "state")
    }

    /// One flush, and the sync that sled leaves out.
    fn settle(&self, db: &Db, store: &str) -> Result<(), IndexError> {
        db.flush().map_err(|e| failed(&self.shared.root, "written", e))?;
        let file = self.shared.root.join(store).join("db");
        File::open(&file).and_then(|f| f.sync_all()).map_err(|e| failed(&file, "synced", e))
    }

    fn newest_now(&self, rule: Fingerprint, limit: usize) -> Result<Option<Vec<Found>>, IndexError> {
        let entries = self.entries()?;
        let complete = entries.rules.contains_key(rule.bytes()).map_err(|e| failed(&self.shared.root, "read", e))?;
        if !complete {
            return Ok(None);
        }
        let mut newest = Vec::new();
        for item in entries.order.scan_prefix(rule.bytes()).take(limit) {
            let (place, _) = item.map_err(|e| failed(&self.shared.root, "read", e))?;
            if let Some(key) = place.get(24..).and_then(EntryKey::from_bytes) {
                newest.extend(self.found(key)?);
            }
        }
        Ok(Some(newest))
    }

    fn put_topic_now(&self, rule: Fingerprint, members: Vec<(Timestamp, EntryKey)>) -> Result<(), IndexError> {
        let entries = self.entries()?;
        let mut order = Batch::default();
        for item in entries.order.scan_prefix(rule.bytes()).keys() {
            order.remove(item.map_err(|e| failed(&self.shared.root, "read", e))?);
        }
        let mut places: Vec<Vec<u8>> = members.into_iter().map(|(date, key)| place(rule, date, key)).collect();
        places.sort();
        for place in places {
            order.insert(place, &[]);
        }
        entries.order.apply_batch(order).map_err(|e| failed(&self.shared.root, "written", e))?;
        entries.rules.insert(rule.bytes(), &[VERSION]).map_err(|e| failed(&self.shared.root, "written", e))?;
        self.settle(&entries.db, "entries")
    }

    fn put_states_now(&self, states: Vec<(FeedId, FeedState)>) -> Result<(), IndexError> {
        let mut batch = Batch::default();
        for (feed, state) in states {
            let value = serde_json::to_vec(&state).map_err(|e| failed(&self.shared.root, "written", e))?;
            batch.insert(format!("feed:{feed}").as_bytes(), value);
        }
        self.shared.state.apply_batch(batch).map_err(|e| failed(&self.shared.root, "written", e))?;
        self.settle(&self.shared.state, "state")
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let index = self.clone();
        tokio::task::spawn_blocking(move || work(&index)).await.map_err(|e| failed(&self.shared.root, "used", e))?
    }
}

impl Index for SledIndex {
    async fn records(&self, ids: &[Identity]) -> Result<Vec<Known>, IndexError> {
        let ids = ids.to_vec();
        self.blocking(move |index| ids.iter().map(|id| index.known(id)).collect()).await
    }

    async fn commit(&self, committed: Committed) -> Result<(), IndexError> {
        self.blocking(move |index| index.commit_now(&committed)).await
    }

    async fn forget(&self, takedown: Takedown) -> Result<(), IndexError> {
        self.blocking(move |index| index.forget_now(&takedown)).await
    }

    async fn taken_down(&self, topic: &TopicId, limit: usize) -> Result<Vec<Takedown>, IndexError> {
        let topic = topic.clone();
        self.blocking(move |index| index.taken_down_now(&topic, limit)).await
    }

    async fn clear(&self) -> Result<(), IndexError> {
        self.blocking(Self::clear_now).await
    }

    async fn find(&self, alias: &Alias) -> Result<Option<Found>, IndexError> {
        let alias = alias.clone();
        self.blocking(move |index| index.by_alias(Some(alias))).await
    }

    async fn by_path(&self, path: &str) -> Result<Option<Found>, IndexError> {
        let path = path.to_owned();
        Ok(self.all().await?.into_iter().find(|found| found.record.path == path))
    }

    async fn record(&self, key: &EntryKey) -> Result<Option<Record>, IndexError> {
        let key = *key;
        self.blocking(move |index| Ok(index.found(key)?.map(|found| found.record))).await
    }

    async fn all(&self) -> Result<Vec<Found>, IndexError> {
        self.blocking(|index| {
            let items = index.entries()?.records.iter();
            items
                .map(|item| {
                    let (key, value) = item.map_err(|e| failed(&index.shared.root, "read", e))?;
                    let key = EntryKey::from_bytes(&key)
                        .ok_or_else(|| failed(&index.shared.root, "read", "a key is not 32 bytes"))?;
                    Ok(Found { key, record: decode(&index.shared.root, &value)? })
                })
                .collect()
        })
        .await
    }

    async fn newest(&self, rule: Fingerprint, limit: usize) -> Result<Option<Vec<Found>>, IndexError> {
        self.blocking(move |index| index.newest_now(rule, limit)).await
    }

    async fn put_topic(&self, rule: Fingerprint, members: Vec<(Timestamp, EntryKey)>) -> Result<(), IndexError> {
        self.blocking(move |index| index.put_topic_now(rule, members)).await
    }

    async fn published(&self, topic: &TopicId) -> Result<Option<Fingerprint>, IndexError> {
        let key = published_key(topic);
        self.blocking(move |index| {
            let value = index.shared.state.get(key).map_err(|e| failed(&index.shared.root, "read", e))?;
            Ok(value.and_then(|value| postcard::from_bytes(&value).ok()))
        })
        .await
    }

    async fn put_published(&self, topic: &TopicId, from: Fingerprint) -> Result<(), IndexError> {
        let key = published_key(topic);
        self.blocking(move |index| {
            index.shared.state.insert(key, from.bytes()).map_err(|e| failed(&index.shared.root, "written", e))?;
            index.settle(&index.shared.state, "state")
        })
        .await
    }

    async fn ledger(&self) -> Result<LedgerPosition, IndexError> {
        self.blocking(|index| {
            let value = index.shared.state.get(LEDGER).map_err(|e| failed(&index.shared.root, "read", e))?;
            Ok(value.and_then(|value| serde_json::from_slice(&value).ok()).unwrap_or_default())
        })
        .await
    }

    async fn feed_state(&self, feed: &FeedId) -> Result<Option<FeedState>, IndexError> {
        let feed = feed.clone();
        self.blocking(move |index| {
            let value =
                index.shared.state.get(format!("feed:{feed}")).map_err(|e| failed(&index.shared.root, "read", e))?;
            Ok(value.and_then(|value| serde_json::from_slice(&value).ok()))
        })
        .await
    }

    async fn put_feed_states(&self, states: Vec<(FeedId, FeedState)>) -> Result<(), IndexError> {
        self.blocking(move |index| index.put_states_now(states)).await
    }
}

/// Length of a place in the order (bytes).
const PLACE: usize = 16 + 8 + 32;

/// Newest first, then key: rule, inverted milliseconds, key.
fn place(rule: Fingerprint, date: Timestamp, key: EntryKey) -> Vec<u8> {
    let mut place = Vec::with_capacity(PLACE);
    place.extend_from_slice(rule.bytes());
    place.extend_from_slice(&latest_first(date));
    place.extend_from_slice(key.bytes());
    place
}

/// A moment so that later ones sort first.
fn latest_first(moment: Timestamp) -> [u8; 8] {
    // The sign bit is turned so that years before 1970 sort below those after it.
    let ascending = moment.millis().cast_unsigned() ^ (1 << 63);
    (!ascending).to_be_bytes()
}

fn decode_takedown(place: &[u8], value: &[u8]) -> Option<Takedown> {
    let (when, key) = place.split_first_chunk::<8>()?;
    let millis = (!u64::from_be_bytes(*when) ^ (1 << 63)).cast_signed();
    let (_, value) = value.split_first().filter(|(version, _)| **version == VERSION)?;
    let (id, topics): (Option<String>, Vec<String>) = postcard::from_bytes(value).ok()?;
    let topics = topics.iter().filter_map(|topic| TopicId::parse(topic)).collect();
    Some(Takedown {
        key: EntryKey::from_bytes(key)?,
        when: Timestamp::from_millis(millis),
        id,
        topics,
        marks: Vec::new(),
    })
}

fn published_key(topic: &TopicId) -> Vec<u8> {
    [PUBLISHED, topic.to_string().as_bytes()].concat()
}

fn open_store(path: &Path) -> Result<Db, IndexError> {
    sled::Config::new()
        .path(path)
        .cache_capacity(CACHE)
        .flush_every_ms(None)
        .open()
        .map_err(|e| failed(path, "opened", e))
}

/// Our own lock: sled's says only in words that another process holds it.
fn lock(root: &Path) -> Result<File, IndexError> {
    let path = root.join("lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|e| failed(&path, "opened", e))?;
    match file.try_lock() {
        Ok(()) => {
            let pid = std::process::id().to_string();
            let written = file.set_len(0).and_then(|()| file.write_all(pid.as_bytes()));
            written.map_err(|e| failed(&path, "written", e))?;
            Ok(file)
        }
        Err(fs::TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            Err(IndexError::InUse { path: root.to_owned(), pid })
        }
        Err(fs::TryLockError::Error(e)) => Err(failed(&path, "locked", e)),
    }
}

fn encode(root: &Path, record: &Record) -> Result<Vec<u8>, IndexError> {
    let stored = Stored {
        path: record.path.clone(),
        feed: record.feed.as_ref().map(ToString::to_string),
        also: record.also.iter().map(ToString::to_string).collect(),
        title: record.title,
        text: record.text,
        claimed: record.claimed.map(Timestamp::millis),
        date: record.date.millis(),
        seen: record.seen.millis(),
        guid: record.guid,
        link: record.link,
        revisions: record.revisions,
        revised: record.revised.map(Timestamp::millis),
        id: record.id.clone(),
        rule: record.rule,
    };
    postcard::to_extend(&stored, vec![VERSION]).map_err(|e| failed(root, "written", e))
}

fn decode(root: &Path, value: &[u8]) -> Result<Record, IndexError> {
    let Some((&VERSION, bytes)) = value.split_first() else {
        return Err(failed(root, "read", "a record has another version; run `feedmill reindex`"));
    };
    let stored: Stored = postcard::from_bytes(bytes).map_err(|e| failed(root, "read", e))?;
    Ok(Record {
        path: stored.path,
        feed: stored.feed.as_deref().and_then(FeedId::parse),
        also: stored.also.iter().filter_map(|feed| FeedId::parse(feed)).collect(),
        title: stored.title,
        text: stored.text,
        claimed: stored.claimed.map(Timestamp::from_millis),
        date: Timestamp::from_millis(stored.date),
        seen: Timestamp::from_millis(stored.seen),
        guid: stored.guid,
        link: stored.link,
        revisions: stored.revisions,
        revised: stored.revised.map(Timestamp::from_millis),
        id: stored.id,
        rule: stored.rule,
    })
}

fn failed(path: &Path, what: &'static str, cause: impl std::fmt::Display) -> IndexError {
    IndexError::Store { path: path.to_owned(), what, cause: cause.to_string() }
}
