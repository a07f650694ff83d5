//! The archive as a folder: temporary files and ledger lines, one sync, renames, folder sync.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest, Sha256};

use super::files::{LedgerFiles, Pending};
use super::raw::RawPacker;
use super::{Adopted, Archive, ArchiveError, Batch, GROUP, Kept, Line, PostAt, RawPoll, SiteFacts, SourceLine};
use crate::disk::{Disk, LocalDisk};
use crate::model::{EntryKey, LedgerPosition, Post, PostPath, Timestamp, hex};
use crate::post::{self, Layout};

/// Up to this many files are synced one by one; for more, one sync of the file system is cheaper.
const SYNC_SINGLY: usize = 4;

/// A file below a folder of this name is a post: ours, and the other layout that other makers have.
const POST_FOLDERS: [&str; 2] = ["_posts", "archived"];

/// Says that a batch may be half written; its absence at a start saves looking for what it left.
const UNCLEAN: &str = "_ledger/.unclean";

/// An archive in a folder of a disk.
#[derive(Clone, Debug)]
pub struct FolderArchive {
    pub(super) root: PathBuf,
    pub(super) disk: Arc<dyn Disk>,
    layout: Layout,
    /// Whether this run has left its mark that a batch may be half written.
    marked: Arc<AtomicBool>,
}

impl FolderArchive {
    /// An archive below `root` on this machine's disk; folders are made when something is written.
    pub fn new(root: PathBuf, layout: Layout) -> Self {
        Self::on(Arc::new(LocalDisk), root, layout)
    }

    /// An archive on another disk.
    pub fn on(disk: Arc<dyn Disk>, root: PathBuf, layout: Layout) -> Self {
        Self { root, disk, layout, marked: Arc::default() }
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

    fn write_batches(&self, batches: Vec<Batch>) -> Result<Vec<Vec<Line>>, ArchiveError> {
        let mut written = Vec::with_capacity(batches.len());
        let mut batches = batches.into_iter().peekable();
        while let Some(first) = batches.next() {
            // Only the ledger's last file can hold what is half done, so a group goes into one file.
            let month = first.month();
            let mut group = vec![first];
            while let Some(next) = batches.next_if(|next| group.len() < GROUP && next.month() == month) {
                group.push(next);
            }
            written.extend(self.write_group(group)?);
        }
        Ok(written)
    }

    /// Writes batches with one sync before the renames and one after.
    fn write_group(&self, batches: Vec<Batch>) -> Result<Vec<Vec<Line>>, ArchiveError> {
        self.mark()?;
        let mut pending = Vec::new();
        let lines = match self.prepare_all(batches, &mut pending) {
            Ok(lines) => lines,
            Err(error) => {
                // Nothing has its final name yet: what was written so far is taken back. Where even
                // that fails, the next start finds the marker and does it.
                let _ = self.take_back(&pending);
                return Err(error);
            }
        };
        for file in pending.iter().filter(|file| !file.is_ledger) {
            self.disk.rename(&file.written, &file.last).map_err(|e| failed(&file.last, "put in place", e))?;
        }
        let folders: BTreeSet<&Path> = pending.iter().filter_map(|file| file.last.parent()).collect();
        // Posts of a year lie in twelve folders, and another maker's layout may have one for every day.
        if folders.len() <= SYNC_SINGLY
            || !self.disk.sync_all(&self.root).map_err(|e| failed(&self.root, "synced", e))?
        {
            self.sync_folders(&folders.into_iter().map(Path::to_owned).collect())?;
        }
        Ok(lines)
    }

    /// Says durably, once per run, that a batch may be half written. It has to be on the disk before
    /// anything of the batch is: after a power loss nobody would look for what is left of it.
    fn mark(&self) -> Result<(), ArchiveError> {
        if self.marked.load(Ordering::Relaxed) {
            return Ok(());
        }
        crate::disk::found(&*self.disk, &self.root).map_err(|e| failed(&self.root, "made", e))?;
        let marker = self.root.join(UNCLEAN);
        self.make_parent(&marker)?;
        self.disk.write(&marker, b"").map_err(|e| failed(&marker, "written", e))?;
        self.sync_folders(&self.folders_above(&marker).collect())?;
        self.marked.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// A new folder is durable only when its parent is.
    pub(super) fn folders_above(&self, file: &Path) -> impl Iterator<Item = PathBuf> {
        file.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root)).map(Path::to_owned)
    }

    pub(super) fn sync_folders(&self, folders: &BTreeSet<PathBuf>) -> Result<(), ArchiveError> {
        folders.iter().try_for_each(|folder| self.disk.sync_folder(folder).map_err(|e| failed(folder, "synced", e)))
    }

    /// Everything of a group that comes before the first rename.
    fn prepare_all(&self, batches: Vec<Batch>, pending: &mut Vec<Pending>) -> Result<Vec<Vec<Line>>, ArchiveError> {
        let ledger = self.ledger_files();
        let (mut written, mut sources, mut feeds) = (Vec::with_capacity(batches.len()), Vec::new(), Vec::new());
        let (mut taken, mut packer) = (HashSet::new(), None);
        for mut batch in batches {
            let mut lines = Vec::with_capacity(batch.posts.len() + batch.notes.len());
            for kept in batch.posts {
                lines.push(self.prepare(kept, &mut taken, pending)?);
            }
            for adopted in batch.adopted {
                lines.push(self.adopt(adopted, &mut taken, pending)?);
            }
            if let Some(raw) = &mut batch.raw {
                self.prepare_raw(raw, &lines, &mut packer, pending)?;
            }
            lines.extend(batch.notes);
            sources.extend(batch.source);
            feeds.extend(batch.feeds);
            written.push(lines);
        }
        // What its entries say of the source has to be known wherever their lines are.
        if !sources.is_empty() {
            ledger.append("sources.jsonl", &sources, pending)?;
        }
        if let Some(first) = written.iter().flatten().next() {
            let file = ledger.file_for(first.seen)?;
            ledger.append(&file, &written.iter().flatten().collect::<Vec<_>>(), pending)?;
        }
        if let Some(first) = feeds.first() {
            ledger.append(&ledger.file_for(first.seen)?, &feeds, pending)?;
        }
        if !self.sync(pending)? {
            // What gets its last name must not outlive what belongs to it.
            self.sync_folders(&pending.iter().flat_map(|file| self.folders_above(&file.written)).collect())?;
        }
        Ok(written)
    }

    fn prepare_raw(
        &self,
        raw: &mut RawPoll,
        lines: &[Line],
        packer: &mut Option<RawPacker>,
        pending: &mut Vec<Pending>,
    ) -> Result<(), ArchiveError> {
        for fragment in &mut raw.fragments {
            fragment.rev = lines.iter().find(|line| line.key == fragment.key).and_then(|line| line.rev);
        }
        let path = self.root.join(raw.path());
        let bytes = match packer {
            Some(packer) => packer.pack(raw),
            None => RawPacker::new().and_then(|new| packer.insert(new).pack(raw)),
        };
        self.write_temporary(&path, &bytes.map_err(|e| failed(&path, "written", e))?, pending)
    }

    /// Writes a post under a temporary name and completes its ledger line.
    fn prepare(
        &self,
        kept: Kept,
        taken: &mut HashSet<PostPath>,
        pending: &mut Vec<Pending>,
    ) -> Result<Line, ArchiveError> {
        let mut line = kept.line;
        let path = match &kept.replaces {
            Some((path, number)) => {
                if let Some(number) = number {
                    let file = self.root.join(path.as_str());
                    let former = self.disk.read(&file, 0).map_err(|e| unread(&file, e))?;
                    let number = self.free_number(kept.post.key, *number, &former)?;
                    let copy = self.root.join(revision_path(kept.post.key, number));
                    self.write_temporary(&copy, &former, pending)?;
                    line.rev = Some(number);
                }
                path.clone()
            }
            None => self.free_path(&kept.post, taken)?,
        };
        let text = post::to_text(&kept.post);
        self.write_temporary(&self.root.join(path.as_str()), text.as_bytes(), pending)?;
        Ok(Line { path: Some(path.to_string()), sha256: Some(sha256_hex(text.as_bytes())), ..line })
    }

    /// The number under which a former version is kept: another version's file stays, whatever was
    /// forgotten of it.
    fn free_number(&self, key: EntryKey, from: u32, former: &[u8]) -> Result<u32, ArchiveError> {
        let mut number = from;
        loop {
            let file = self.root.join(revision_path(key, number));
            match self.disk.read(&file, 0) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(number),
                Err(e) => return Err(unread(&file, e)),
                Ok(bytes) if bytes == former => return Ok(number),
                Ok(_) => number += 1,
            }
        }
    }

    /// Takes a file over as it is; one that lies there already is not written again.
    fn adopt(
        &self,
        adopted: Adopted,
        taken: &mut HashSet<PostPath>,
        pending: &mut Vec<Pending>,
    ) -> Result<Line, ArchiveError> {
        let mut path = adopted.path.clone();
        for number in 2.. {
            let file = self.root.join(path.as_str());
            let taken = !taken.insert(path.clone());
            match self.disk.read(&file, 0) {
                Ok(bytes) if bytes == adopted.bytes && !taken => break,
                Err(e) if e.kind() == io::ErrorKind::NotFound && !taken => {
                    self.write_temporary(&file, &adopted.bytes, pending)?;
                    break;
                }
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(failed(&file, "written", e)),
                // Another post has this name.
                _ => path = numbered(&adopted.path, number).ok_or(ArchiveError::NoName(adopted.line.key))?,
            }
        }
        let sha256 = adopted.line.sha256.unwrap_or_else(|| sha256_hex(&adopted.bytes));
        Ok(Line { path: Some(path.to_string()), sha256: Some(sha256), ..adopted.line })
    }

    /// The shortest name that is free, or already this entry's.
    fn free_path(&self, post: &Post, taken: &mut HashSet<PostPath>) -> Result<PostPath, ArchiveError> {
        for digits in [8, 16, 64] {
            let Some(path) = post::path(post, self.layout, digits) else { break };
            if !self.is_free_for(&path, post)? {
                continue;
            }
            // Another post of the group may be about to take it.
            if taken.insert(path.clone()) {
                return Ok(path);
            }
        }
        Err(ArchiveError::NoName(post.key))
    }

    fn is_free_for(&self, path: &PostPath, post: &Post) -> Result<bool, ArchiveError> {
        let file = self.root.join(path.as_str());
        match self.disk.read(&file, 0) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(e) => Err(failed(&file, "written", e)),
            Ok(bytes) => Ok(key_of_post(&bytes) == Some(post.key) || !post::is_whole(&bytes)),
        }
    }

    /// Only a clear answer counts: a disk that does not answer has lost nothing.
    fn is_lost(&self, file: &Path, is_ours: bool) -> bool {
        match self.disk.length(file) {
            Ok(None | Some(0)) => true,
            Ok(Some(length)) if is_ours => {
                let from = length.saturating_sub(post::TAIL.len() as u64);
                self.disk.read(file, from).is_ok_and(|tail| !post::is_whole(&tail))
            }
            _ => false,
        }
    }

    fn write_temporary(&self, last: &Path, bytes: &[u8], pending: &mut Vec<Pending>) -> Result<(), ArchiveError> {
        let written = crate::disk::temporary(last);
        pending.push(Pending { written: written.clone(), last: last.to_owned(), is_ledger: false, before: 0 });
        let done = match self.disk.write(&written, bytes) {
            // Most files go into folders that are there.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.make_parent(last)?;
                self.disk.write(&written, bytes)
            }
            done => done,
        };
        done.map_err(|e| failed(&written, "written", e))
    }

    fn make_parent(&self, path: &Path) -> Result<(), ArchiveError> {
        let folder = path.parent().unwrap_or(&self.root);
        self.disk.make_folder(folder).map_err(|e| failed(folder, "made", e))
    }

    /// Syncs the files; says whether their names are durable, too.
    fn sync(&self, pending: &[Pending]) -> Result<bool, ArchiveError> {
        if pending.len() > SYNC_SINGLY && self.disk.sync_all(&self.root).map_err(|e| failed(&self.root, "synced", e))? {
            return Ok(true);
        }
        for file in pending {
            self.disk.sync(&file.written).map_err(|e| failed(&file.written, "synced", e))?;
        }
        Ok(false)
    }

    /// Undoes what was prepared: temporary files go, ledger files get their former length.
    fn take_back(&self, pending: &[Pending]) -> io::Result<()> {
        for file in pending {
            if file.is_ledger {
                self.disk.append(&file.written, file.before, b"")?;
            } else {
                self.disk.remove(&file.written)?;
            }
        }
        Ok(())
    }

    /// Forgets that a batch was under way; the next start need not look for what it left.
    fn settle_now(&self) -> Result<(), ArchiveError> {
        let marker = self.root.join(UNCLEAN);
        match self.disk.length(&marker) {
            Ok(None) => Ok(()),
            _ => self.disk.remove(&marker).map_err(|e| failed(&marker, "removed", e)),
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

    /// Replaces a file whole and durably.
    pub(super) fn replace(&self, path: &Path, bytes: &[u8]) -> Result<(), ArchiveError> {
        let mut pending = Vec::new();
        self.write_temporary(path, bytes, &mut pending)?;
        self.sync(&pending)?;
        self.put_in_place(path)
    }

    /// Gives a temporary file its last name, durably.
    pub(super) fn put_in_place(&self, path: &Path) -> Result<(), ArchiveError> {
        self.disk.rename(&crate::disk::temporary(path), path).map_err(|e| failed(path, "put in place", e))?;
        self.keep_name(path)
    }

    /// Makes a file's name durable. One that is there already need not be: a former run may have
    /// failed between renaming and this.
    fn keep_name(&self, path: &Path) -> Result<(), ArchiveError> {
        let folder = path.parent().unwrap_or(&self.root);
        self.disk.sync_folder(folder).map_err(|e| failed(folder, "synced", e))
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

    async fn forget(&self, line: Line) -> Result<(), ArchiveError> {
        self.blocking(move |archive| {
            archive.write_group(vec![Batch { notes: vec![line.clone()], ..Batch::default() }])?;
            archive.take_down(&line)
        })
        .await
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

/// `a/b.md` as `a/b-2.md`.
fn numbered(path: &PostPath, number: u32) -> Option<PostPath> {
    let (stem, ending) =
        path.as_str().rsplit_once('.').filter(|(_, e)| !e.contains('/')).unwrap_or((path.as_str(), ""));
    let dot = if ending.is_empty() { "" } else { "." };
    PostPath::parse(&format!("{stem}-{number}{dot}{ending}"))
}

/// Where a former version lies.
pub(super) fn revision_path(key: EntryKey, number: u32) -> String {
    format!("_revisions/{key}/{number}.md")
}

pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn key_of_post(bytes: &[u8]) -> Option<EntryKey> {
    post::from_text(std::str::from_utf8(bytes).ok()?).ok().map(|post| post.key)
}
