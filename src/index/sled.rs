//! The door to sled.
//!
//! Two stores: a small one for the state of feeds, and the big one for entries, opened only when a
//! feed has something to say. A store that was not closed whole is tried before it is believed, and
//! one that is damaged is set aside: what it held comes back from the archive.

mod entries;
mod mark;
mod mend;
mod probe;
mod state;
mod store;
mod stored;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use self::entries::Entries;
use self::mend::{mend, set_aside};
use self::probe::Guard;
use self::state::State;
use self::store::{caught, damaged, refused};
use self::stored::common;
use super::{Committed, FeedState, Index, IndexError, Takedown};
use crate::history::History;
use crate::identity::{Alias, Identity, Known};
use crate::model::{EntryKey, FeedId, Fingerprint, Found, LedgerPosition, Record, Timestamp, TopicId};

pub use self::probe::{COMMAND as TRY_STORE, run as try_store};
pub use self::store::is_working;

/// Work that takes longer than this hangs: sled waits for ever for a thread of its own that gave up.
const PATIENCE: Duration = Duration::from_mins(30);

/// Characters of a cause that are shown.
const SHOWN: usize = 200;

/// The two stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    State,
    Entries,
}

impl Kind {
    /// Its folder below the index.
    fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Entries => "entries",
        }
    }
}

/// The index in a folder of the local disk.
#[derive(Clone, Debug)]
pub struct SledIndex {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    state: Arc<State>,
    entries: Arc<RwLock<Option<Entries>>>,
    healed: Vec<String>,
    /// Stores that turned out damaged since they were opened, with the cause.
    damaged: Mutex<Vec<(Kind, String)>>,
    /// Held as long as the index is open; the last to go.
    _lock: File,
}

/// What was found damaged while the index was open; the next opening sets it aside.
#[derive(Clone, Debug, Default)]
pub struct Damage(Vec<(Kind, String)>);

impl Damage {
    /// True when nothing was.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl SledIndex {
    /// Opens the index below `root`, making it if it does not exist. Stores are tried in a thread.
    pub fn open(root: &Path) -> Result<Self, IndexError> {
        Self::open_with(root, &Guard::Thread, &Damage::default())
    }

    /// Opens the index below `root`; stores are tried in a process of this program, which has the
    /// command [`TRY_STORE`]. What was found damaged before is set aside.
    pub fn open_guarded(root: &Path, program: PathBuf, damage: &Damage) -> Result<Self, IndexError> {
        Self::open_with(root, &Guard::Process(program), damage)
    }

    fn open_with(root: &Path, guard: &Guard, damage: &Damage) -> Result<Self, IndexError> {
        fs::create_dir_all(root).map_err(|e| refused(root, "made", e))?;
        let lock = lock(root)?;
        let mut healed = Vec::new();
        for (kind, cause) in &damage.0 {
            let path = root.join(kind.name());
            if path.exists() {
                healed.push(set_aside(&path, cause)?);
            }
        }
        let path = root.join(Kind::State.name());
        healed.extend(mend(guard, Kind::State, &path)?);
        let (state, is_new) = or_anew(&path, &mut healed, || State::open(&path))?;
        let path = root.join(Kind::Entries.name());
        let entries = if path.exists() && mark::fits(&path) && !is_new {
            None
        } else if path.exists() {
            healed.extend(mend(guard, Kind::Entries, &path)?);
            let entries = or_anew(&path, &mut healed, || Entries::open_anyway(&path))?;
            agree(&state, is_new, &entries)?;
            Some(entries)
        } else {
            // The store of entries is lost: what the other knows of the ledger is no longer true.
            state.forget_ledger()?;
            None
        };
        let shared = Shared {
            root: root.to_owned(),
            state: Arc::new(state),
            entries: Arc::new(RwLock::new(entries)),
            healed,
            damaged: Mutex::default(),
            _lock: lock,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What was put right when the index was opened, in sentences.
    pub fn healed(&self) -> Vec<String> {
        self.shared.healed.clone()
    }

    /// What turned out damaged since then. The failure that told so is no reason to stop: opened
    /// again with this, the index is whole.
    pub fn damage(&self) -> Damage {
        Damage(self.shared.damaged.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn path(&self, kind: Kind) -> PathBuf {
        self.shared.root.join(kind.name())
    }

    fn state<T>(&self, work: impl FnOnce(&State) -> Result<T, IndexError>) -> Result<T, IndexError> {
        let done = caught(&self.path(Kind::State), || work(&self.shared.state));
        self.noted(Kind::State, done)
    }

    fn entries<T>(&self, work: impl FnOnce(&Entries) -> Result<T, IndexError>) -> Result<T, IndexError> {
        let path = self.path(Kind::Entries);
        self.noted(Kind::Entries, self.opened(&path).and_then(|()| caught(&path, || self.on_entries(work))))
    }

    /// Opens the store of entries where that has not happened yet.
    fn opened(&self, path: &Path) -> Result<(), IndexError> {
        let slot = &self.shared.entries;
        if slot.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let known = self.state(State::ledger)?;
        let mut slot = slot.write().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            *slot = Some(Entries::open(path, &known)?);
        }
        Ok(())
    }

    fn on_entries<T>(&self, work: impl FnOnce(&Entries) -> Result<T, IndexError>) -> Result<T, IndexError> {
        match &*self.shared.entries.read().unwrap_or_else(PoisonError::into_inner) {
            Some(entries) => work(entries),
            None => Err(refused(&self.shared.root, "used", "it is being made anew")),
        }
    }

    /// Remembers damage. The store is then neither closed nor marked: closing it would work on it.
    fn noted<T>(&self, kind: Kind, done: Result<T, IndexError>) -> Result<T, IndexError> {
        if let Err(IndexError::Damaged { cause, .. }) = &done {
            let mut damaged = self.shared.damaged.lock().unwrap_or_else(PoisonError::into_inner);
            if !damaged.iter().any(|(known, _)| *known == kind) {
                damaged.push((kind, cause.clone()));
                match kind {
                    Kind::State => std::mem::forget(Arc::clone(&self.shared.state)),
                    Kind::Entries => std::mem::forget(Arc::clone(&self.shared.entries)),
                }
            }
        }
        done
    }

    fn commit_now(&self, committed: &Committed) -> Result<(), IndexError> {
        self.entries(|entries| entries.commit(committed))?;
        self.state(|state| state.put_ledger(committed))
    }

    /// The store of entries is not emptied, but made anew: sled never gives room back.
    fn clear_now(&self) -> Result<(), IndexError> {
        // The position first: whatever happens then, the index knows that it knows nothing.
        self.state(State::forget_ledger)?;
        let path = self.path(Kind::Entries);
        let mut slot = self.shared.entries.write().unwrap_or_else(PoisonError::into_inner);
        *slot = None;
        if path.exists() {
            mark::lift(&path)?;
            fs::remove_dir_all(&path).map_err(|e| refused(&path, "removed", e))?;
        }
        *slot = Some(Entries::open_anyway(&path)?);
        Ok(())
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let index = self.clone();
        let work = tokio::task::spawn_blocking(move || work(&index));
        if let Ok(done) = tokio::time::timeout(PATIENCE, work).await {
            return done.map_err(|e| refused(&self.shared.root, "used", e))?;
        }
        // Which of the two it waits for is not known.
        let late = || damaged(&self.shared.root, "no answer within half an hour");
        let _ = self.noted(Kind::State, Err::<(), _>(late()));
        self.noted(Kind::Entries, Err(late()))
    }
}

impl Index for SledIndex {
    async fn records(&self, ids: &[Identity]) -> Result<Vec<Known>, IndexError> {
        let ids = ids.to_vec();
        self.blocking(move |index| index.entries(|entries| ids.iter().map(|id| entries.known(id)).collect())).await
    }

    async fn commit(&self, committed: Committed) -> Result<(), IndexError> {
        self.blocking(move |index| index.commit_now(&committed)).await
    }

    async fn forget(&self, takedown: Takedown) -> Result<(), IndexError> {
        self.blocking(move |index| {
            // Topics that the config does not have today may show the entry when they come back.
            index.state(State::forget_published)?;
            index.entries(|entries| entries.forget(&takedown))
        })
        .await
    }

    async fn forgotten(&self, keys: Vec<(EntryKey, Vec<Fingerprint>)>) -> Result<Vec<bool>, IndexError> {
        self.blocking(move |index| index.entries(|entries| entries.forgotten(&keys))).await
    }

    async fn taken_down(&self, topic: &TopicId, limit: usize) -> Result<Vec<Takedown>, IndexError> {
        let topic = topic.clone();
        self.blocking(move |index| index.entries(|entries| entries.taken_down(&topic, limit))).await
    }

    async fn takedowns(&self) -> Result<Vec<Takedown>, IndexError> {
        self.blocking(|index| index.entries(Entries::takedowns)).await
    }

    async fn struck(&self) -> Result<Option<Fingerprint>, IndexError> {
        self.blocking(|index| index.state(State::struck)).await
    }

    async fn put_struck(&self, takedowns: Fingerprint) -> Result<(), IndexError> {
        self.blocking(move |index| index.state(|state| state.put_struck(takedowns))).await
    }

    async fn clear(&self) -> Result<(), IndexError> {
        self.blocking(Self::clear_now).await
    }

    async fn find(&self, alias: &Alias) -> Result<Option<Found>, IndexError> {
        let alias = alias.clone();
        self.blocking(move |index| index.entries(|entries| entries.by_alias(Some(alias)))).await
    }

    async fn by_path(&self, path: &str) -> Result<Option<Found>, IndexError> {
        let path = path.to_owned();
        self.blocking(move |index| index.entries(|entries| entries.by_path(&path))).await
    }

    async fn record(&self, key: &EntryKey) -> Result<Option<Record>, IndexError> {
        let key = *key;
        let found = self.blocking(move |index| index.entries(|entries| entries.found(key))).await?;
        Ok(found.map(|found| found.record))
    }

    async fn by_keys(&self, keys: Vec<EntryKey>) -> Result<Vec<Option<Found>>, IndexError> {
        let find = |entries: &Entries| keys.into_iter().map(|key| entries.found(key)).collect();
        self.blocking(move |index| index.entries(find)).await
    }

    async fn some_after(&self, key: Option<EntryKey>, most: usize) -> Result<Vec<Found>, IndexError> {
        self.blocking(move |index| index.entries(|entries| entries.some_after(key, most))).await
    }

    async fn all(&self) -> Result<Vec<Found>, IndexError> {
        self.blocking(|index| index.entries(Entries::all)).await
    }

    async fn newest(&self, rule: Fingerprint, limit: usize) -> Result<Option<Vec<Found>>, IndexError> {
        self.blocking(move |index| index.entries(|entries| entries.newest(rule, limit))).await
    }

    async fn put_topic(&self, rule: Fingerprint, members: Vec<(Timestamp, EntryKey)>) -> Result<(), IndexError> {
        self.blocking(move |index| index.entries(|entries| entries.put_topic(rule, members))).await
    }

    async fn published(&self, topic: &TopicId) -> Result<Option<Fingerprint>, IndexError> {
        let topic = topic.clone();
        self.blocking(move |index| index.state(|state| state.published(&topic))).await
    }

    async fn put_published(&self, topic: &TopicId, from: Fingerprint) -> Result<(), IndexError> {
        let topic = topic.clone();
        self.blocking(move |index| index.state(|state| state.put_published(&topic, from))).await
    }

    async fn members(&self, rule: Fingerprint, entries: Vec<(Timestamp, EntryKey)>) -> Result<Vec<bool>, IndexError> {
        self.blocking(move |index| index.entries(|store| store.members(rule, &entries))).await
    }

    async fn history(&self, generation: &str) -> Result<Option<History>, IndexError> {
        let generation = generation.to_owned();
        self.blocking(move |index| index.state(|state| state.history(&generation))).await
    }

    async fn put_history(&self, generation: &str, history: History) -> Result<(), IndexError> {
        let generation = generation.to_owned();
        self.blocking(move |index| index.state(|state| state.put_history(&generation, &history))).await
    }

    async fn ledger(&self) -> Result<LedgerPosition, IndexError> {
        self.blocking(|index| index.state(State::ledger)).await
    }

    async fn feed_state(&self, feed: &FeedId) -> Result<Option<FeedState>, IndexError> {
        let feed = feed.clone();
        self.blocking(move |index| index.state(|state| state.feed(&feed))).await
    }

    async fn feed_states(&self, feeds: Vec<FeedId>) -> Result<Vec<Option<FeedState>>, IndexError> {
        self.blocking(move |index| index.state(|state| feeds.iter().map(|feed| state.feed(feed)).collect())).await
    }

    async fn put_feed_states(&self, states: Vec<(FeedId, FeedState)>) -> Result<(), IndexError> {
        self.blocking(move |index| index.state(|state| state.put_feeds(&states))).await
    }
}

/// Opens a store; a damaged one is set aside, and an empty one takes its place.
fn or_anew<T>(
    path: &Path,
    healed: &mut Vec<String>,
    open: impl Fn() -> Result<T, IndexError>,
) -> Result<T, IndexError> {
    match open() {
        Err(IndexError::Damaged { cause, .. }) => {
            healed.push(set_aside(path, &cause)?);
            open()
        }
        done => done,
    }
}

/// After an unclean stop only so much of the ledger is known as both stores know.
fn agree(state: &State, is_new: bool, entries: &Entries) -> Result<(), IndexError> {
    let (known, held) = (state.ledger()?, entries.ledger());
    // A new store of states takes the other's word: the published files are made anew in any case.
    let both = if is_new { held } else { common(&known, &held) };
    match both {
        both if both == known => Ok(()),
        both if both.is_empty() => state.forget_ledger(),
        both => state.put_ledger(&Committed { ledger: both, ..Committed::default() }),
    }
}

/// Our own lock: sled's says only in words that another process holds it.
fn lock(root: &Path) -> Result<File, IndexError> {
    const TRIES: u32 = 50;
    const PAUSE: Duration = Duration::from_millis(20);
    let own = std::process::id().to_string();
    for _ in 1..TRIES {
        match try_lock(root) {
            // A process that is being started holds what its parent let go, until it is another program.
            Err(IndexError::InUse { pid, .. }) if pid == own => std::thread::sleep(PAUSE),
            done => return done,
        }
    }
    try_lock(root)
}

fn try_lock(root: &Path) -> Result<File, IndexError> {
    let path = root.join("lock");
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = options.map_err(|e| refused(&path, "opened", e))?;
    match file.try_lock() {
        Ok(()) => {
            let pid = std::process::id().to_string();
            let written = file.set_len(0).and_then(|()| file.write_all(pid.as_bytes()));
            written.map_err(|e| refused(&path, "written", e))?;
            Ok(file)
        }
        Err(fs::TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = file.read_to_string(&mut pid);
            Err(IndexError::InUse { path: root.to_owned(), pid })
        }
        Err(fs::TryLockError::Error(e)) => Err(refused(&path, "locked", e)),
    }
}
