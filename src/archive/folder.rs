//! The archive as a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::files::LedgerFiles;
use super::{Archive, ArchiveError, Batch, Line, PostAt, RawPoll, SiteFacts, SourceLine};
use crate::disk::{Disk, LocalDisk};
use crate::model::{EntryKey, LedgerPosition, Post, PostPath, Timestamp, hex};
use crate::post::{self, Layout};

/// A file below a folder of this name is a post: ours, and the other layout that other makers have.
const POST_FOLDERS: [&str; 2] = ["_posts", "archived"];

/// Says that a batch may be half written; its absence at a start saves looking for what it left.
const UNCLEAN: &str = "_ledger/.unclean";

/// An archive in a folder of a disk.
#[derive(Clone, Debug)]
pub struct FolderArchive {
    pub(super) root: PathBuf,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) layout: Layout,
    /// Whether this run has left its mark that a batch may be half written.
    marked: Arc<AtomicBool>,
    /// Keeps other processes from writing, once this one does.
    lock: Arc<Mutex<Option<File>>>,
}

impl FolderArchive {
    /// An archive below `root` on this machine's disk; folders are made when something is written.
    pub fn new(root: PathBuf, layout: Layout) -> Self {
        Self::on(Arc::new(LocalDisk), root, layout)
    }

    /// An archive on another disk.
    pub fn on(disk: Arc<dyn Disk>, root: PathBuf, layout: Layout) -> Self {
        Self { root, disk, layout, marked: Arc::default(), lock: Arc::default() }
    }

    /// Makes sure that the archive can be written, before anything is fetched for it.
    pub fn ready(&self) -> Result<(), ArchiveError> {
        for folder in ["_posts", "_ledger"] {
            let folder = self.root.join(folder);
            self.disk.make_folder(&folder).map_err(|e| failed(&folder, "made", e))?;
            // Asked, not tried: a trial file would touch the folder at every poll.
            let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
            rustix::fs::access(&folder, access).map_err(|e| failed(&folder, "written", e.into()))?;
        }
        Ok(())
    }

    /// Keeps the archive for this process: of two that write at the same time one would cut off the other's lines. The
    /// lock of the index does not, for each may have its own. Whoever only reads need not ask.
    pub fn hold(&self) -> Result<(), ArchiveError> {
        const TRIES: u32 = 50;
        const PAUSE: Duration = Duration::from_millis(20);
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_some() {
            return Ok(());
        }
        let folder = self.root.join("_ledger");
        self.disk.make_folder(&folder).map_err(|e| failed(&folder, "made", e))?;
        for attempt in 1.. {
            match self.disk.lock(&folder) {
                Ok(held) => {
                    *lock = held;
                    break;
                }
                // A process that is being started holds what its parent let go, until it is another program.
                Err(TryLockError::WouldBlock) if attempt < TRIES => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(ArchiveError::InUse { path: self.root.clone() }),
                Err(TryLockError::Error(e)) => return Err(unread(&folder, e)),
            }
        }
        Ok(())
    }

    /// Says durably, once per run, that a batch may be half written. It has to be on the disk before
    /// anything of the batch is: after a power loss nobody would look for what is left of it.
    pub(super) fn mark(&self) -> Result<(), ArchiveError> {
        if self.marked.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.hold()?;
        crate::disk::found(&*self.disk, &self.root).map_err(|e| failed(&self.root, "made", e))?;
        let marker = self.root.join(UNCLEAN);
        self.make_parent(&marker)?;
        self.disk.write(&marker, b"").map_err(|e| failed(&marker, "written", e))?;
        self.sync_folders(&self.folders_above(&marker).collect())?;
        self.marked.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Only a clear answer counts: a disk that does not answer has lost nothing.
    fn is_lost(&self, file: &Path, is_ours: bool) -> bool {
        match self.disk.length(file) {
            Ok(None | Some(0)) => true,
            Ok(Some(length)) if is_ours => {
                let is_cut = |from| self.disk.read(file, from).is_ok_and(|bytes| !post::is_whole(&bytes));
                // The end alone tells it of a post that nobody edited.
                is_cut(length.saturating_sub(post::TAIL.len() as u64)) && is_cut(0)
            }
            _ => false,
        }
    }

    /// Forgets that a batch was under way; the next start need not look for what it left.
    fn settle_now(&self) -> Result<(), ArchiveError> {
        let marker = self.root.join(UNCLEAN);
        match self.disk.length(&marker) {
            Ok(None) => Ok(()),
            _ => match self.hold() {
                // The mark is somebody else's.
                Err(ArchiveError::InUse { .. }) => Ok(()),
                held => held.and_then(|()| self.disk.remove(&marker).map_err(|e| failed(&marker, "removed", e))),
            },
        }?;
        self.marked.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// True when the last run ended in the middle of something.
    pub(super) fn is_unclean(&self) -> Result<bool, ArchiveError> {
        let marker = self.root.join(UNCLEAN);
        Ok(self.disk.length(&marker).map_err(|e| unread(&marker, e))?.is_some())
    }

    pub(super) fn ledger_files(&self) -> LedgerFiles<'_> {
        LedgerFiles::new(&*self.disk, &self.root)
    }

    fn read_small(&self, relative: &str) -> Result<Option<String>, ArchiveError> {
        let path = self.root.join(relative);
        match self.disk.read(&path, 0) {
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(unread(&path, e)),
        }
    }

    fn replace_small(&self, relative: &str, text: &str) -> Result<(), ArchiveError> {
        let path = self.root.join(relative);
        if self.read_small(relative)?.as_deref() == Some(text) {
            return self.keep_name(&path);
        }
        self.replace(&path, text.as_bytes())
    }

    fn facts(&self, authority: &str, now: Timestamp) -> Result<SiteFacts, ArchiveError> {
        let relative = "_ledger/site.json";
        if let Some(text) = self.read_small(relative)? {
            // Ids are published that are made of it.
            self.keep_name(&self.root.join(relative))?;
            return serde_json::from_str(&text)
                .map_err(|e| ArchiveError::Damaged { path: self.root.join(relative), cause: e.to_string() });
        }
        let facts = SiteFacts { format: 1, tag_authority: authority.to_owned(), tag_date: now.day() };
        let text = serde_json::to_string(&facts).map_err(|e| failed(&self.root, "written", e.into()))?;
        self.replace_small(relative, &(text + "\n"))?;
        Ok(facts)
    }

    fn read_post(&self, path: &PostPath) -> Result<Post, ArchiveError> {
        parsed(path, &self.read_bytes(path)?)
    }

    fn read_bytes(&self, path: &PostPath) -> Result<Vec<u8>, ArchiveError> {
        let file = self.root.join(path.as_str());
        self.disk.read(&file, 0).map_err(|e| unread(&file, e))
    }

    /// One of many: what is no post is `None`, but a disk that does not answer is an error.
    fn read_one(&self, at: &PostAt) -> Result<Option<Post>, ArchiveError> {
        match self.read_bytes(&at.path) {
            Ok(bytes) if at.is_ours && !post::is_whole(&bytes) => Ok(None),
            Ok(bytes) => Ok(parsed(&at.path, &bytes).ok()),
            Err(error) if error.is_absence() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn walk(&self, folder: &Path, in_posts: bool, found: &mut Vec<PostPath>) -> Result<(), ArchiveError> {
        for path in self.disk.list(folder).map_err(|e| unread(folder, e))? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let below = in_posts || POST_FOLDERS.contains(&name.as_str());
            // Jekyll's own folders, former versions and the ledger begin with `_`.
            if name.starts_with('.') || (name.starts_with('_') && !below) {
                continue;
            }
            if self.disk.is_folder(&path).map_err(|e| unread(&path, e))? {
                self.walk(&path, below, found)?;
            } else if below
                && path.extension().is_some_and(|e| e == "md" || e == "markdown" || e == "html" || e == "htm")
            {
                found.extend(path.strip_prefix(&self.root).ok().and_then(Path::to_str).and_then(PostPath::parse));
            }
        }
        Ok(())
    }

    fn walk_raw(&self, folder: &Path, found: &mut Vec<String>) -> Result<(), ArchiveError> {
        for path in self.disk.list(folder).map_err(|e| unread(folder, e))? {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.ends_with(".jsonl.zst") && !name.starts_with('.') {
                found.extend(path.strip_prefix(&self.root).ok().and_then(Path::to_str).map(str::to_owned));
            } else if self.disk.is_folder(&path).map_err(|e| unread(&path, e))? {
                self.walk_raw(&path, found)?;
            }
        }
        Ok(())
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, ArchiveError> + Send + 'static,
    ) -> Result<T, ArchiveError> {
        let archive = self.clone();
        tokio::task::spawn_blocking(move || work(&archive))
            .await
            .map_err(|e| failed(&self.root, "used", io::Error::other(e)))?
    }
}

impl Archive for FolderArchive {
    async fn write_all(&self, batches: Vec<Batch>) -> Result<Vec<Vec<Line>>, ArchiveError> {
        self.blocking(move |archive| archive.write_batches(batches)).await
    }

    async fn settle(&self) -> Result<(), ArchiveError> {
        self.blocking(Self::settle_now).await
    }

    async fn recover(&self) -> Result<Vec<String>, ArchiveError> {
        self.blocking(Self::recover_now).await
    }

    async fn read(&self, path: &PostPath) -> Result<Post, ArchiveError> {
        let path = path.clone();
        self.blocking(move |archive| archive.read_post(&path)).await
    }

    async fn forget(&self, line: Line) -> Result<Vec<String>, ArchiveError> {
        self.blocking(move |archive| {
            archive.write_group(vec![Batch { notes: vec![line.clone()], ..Batch::default() }])?;
            archive.take_down(&line)
        })
        .await
    }

    async fn remove_forgotten(&self, keys: BTreeSet<EntryKey>) -> Result<Vec<String>, ArchiveError> {
        self.blocking(move |archive| archive.take_all_down(&keys)).await
    }

    async fn read_many(&self, posts: Vec<Option<PostAt>>) -> Result<Vec<Option<Post>>, ArchiveError> {
        self.blocking(move |archive| {
            let read = |at: Option<PostAt>| at.map_or(Ok(None), |at| archive.read_one(&at));
            posts.into_iter().map(read).collect()
        })
        .await
    }

    async fn former(&self, key: &EntryKey, number: u32) -> Result<Option<Post>, ArchiveError> {
        let path = PostPath::parse(&revision_path(*key, number));
        self.blocking(move |archive| {
            let Some(path) = path else { return Ok(None) };
            match archive.disk.length(&archive.root.join(path.as_str())) {
                Ok(None) => Ok(None),
                _ => archive.read_post(&path).map(Some),
            }
        })
        .await
    }

    async fn post_paths(&self) -> Result<Vec<PostPath>, ArchiveError> {
        self.blocking(|archive| {
            let mut paths = Vec::new();
            archive.walk(&archive.root, false, &mut paths)?;
            paths.sort();
            Ok(paths)
        })
        .await
    }

    async fn raw_paths(&self) -> Result<Vec<String>, ArchiveError> {
        self.blocking(|archive| {
            let mut paths = Vec::new();
            archive.walk_raw(&archive.root.join("_raw"), &mut paths)?;
            Ok(paths)
        })
        .await
    }

    async fn raw(&self, path: &str) -> Result<RawPoll, ArchiveError> {
        let file = self.root.join(path);
        self.blocking(move |archive| {
            let bytes = archive.disk.read(&file, 0).map_err(|e| unread(&file, e))?;
            RawPoll::from_bytes(&bytes).map_err(|e| unread(&file, e))
        })
        .await
    }

    async fn checksum(&self, path: &PostPath) -> Result<String, ArchiveError> {
        let path = path.clone();
        self.blocking(move |archive| {
            let file = archive.root.join(path.as_str());
            Ok(sha256_hex(&archive.disk.read(&file, 0).map_err(|e| unread(&file, e))?))
        })
        .await
    }

    async fn missing(&self, mut paths: BTreeSet<String>) -> Result<BTreeSet<String>, ArchiveError> {
        self.blocking(move |archive| {
            // Only a clear "not there" counts: a disk that does not answer has lost nothing.
            paths.retain(|path| matches!(archive.disk.length(&archive.root.join(path)), Ok(None)));
            Ok(paths)
        })
        .await
    }

    async fn lost(&self, paths: BTreeMap<String, bool>) -> Result<BTreeSet<String>, ArchiveError> {
        self.blocking(move |archive| {
            let is_lost = |(path, is_ours): &(String, bool)| archive.is_lost(&archive.root.join(path), *is_ours);
            Ok(paths.into_iter().filter(is_lost).map(|(path, _)| path).collect())
        })
        .await
    }

    async fn position(&self) -> Result<LedgerPosition, ArchiveError> {
        self.blocking(|archive| archive.ledger_files().position()).await
    }

    async fn holds(&self, known: LedgerPosition) -> Result<bool, ArchiveError> {
        self.blocking(move |archive| archive.ledger_files().holds(&known)).await
    }

    async fn lines_after(&self, known: &LedgerPosition) -> Result<Vec<Line>, ArchiveError> {
        let known = known.clone();
        self.blocking(move |archive| archive.ledger_files().lines_after(&known)).await
    }

    async fn some_lines_after(&self, known: &LedgerPosition) -> Result<(Vec<Line>, LedgerPosition), ArchiveError> {
        let known = known.clone();
        self.blocking(move |archive| archive.ledger_files().some_lines_after(&known)).await
    }

    async fn sources(&self) -> Result<Vec<SourceLine>, ArchiveError> {
        self.blocking(|archive| {
            let text = archive.read_small("_ledger/sources.jsonl")?.unwrap_or_default();
            let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
            let mut lines: Vec<SourceLine> = lines.collect();
            lines.sort_by_key(|line| line.seen);
            Ok(lines)
        })
        .await
    }

    async fn site_facts(&self, authority: &str, now: Timestamp) -> Result<SiteFacts, ArchiveError> {
        let authority = authority.to_owned();
        self.blocking(move |archive| archive.facts(&authority, now)).await
    }

    async fn state(&self) -> Result<Option<String>, ArchiveError> {
        self.blocking(|archive| archive.read_small("_ledger/state.json")).await
    }

    async fn put_state(&self, text: String) -> Result<(), ArchiveError> {
        self.blocking(move |archive| archive.replace_small("_ledger/state.json", &text)).await
    }
}

pub(super) fn unread(path: &Path, cause: io::Error) -> ArchiveError {
    ArchiveError::Read { path: path.to_owned(), cause }
}

pub(super) fn failed(path: &Path, what: &'static str, cause: io::Error) -> ArchiveError {
    ArchiveError::Write { path: path.to_owned(), what, cause }
}

fn parsed(path: &PostPath, bytes: &[u8]) -> Result<Post, ArchiveError> {
    post::read(path.as_str(), bytes).map_err(|cause| ArchiveError::Post { path: path.to_string(), cause })
}

/// Where a former version lies.
pub(super) fn revision_path(key: EntryKey, number: u32) -> String {
    format!("_revisions/{key}/{number}.md")
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
