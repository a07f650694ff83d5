//! What an unclean stop left half done is finished or taken back.
//!
//! A group of batches writes temporary files and ledger lines, syncs, and only then renames. So only
//! the last batches of the ledger can be half done, as many as a group has at most, and each of their
//! lines can be finished exactly when the temporary file that it promises is whole.
//!
//! Whether a batch was synced is seen from the last one on: a file that has its last name says that its batch was, and
//! with it all before. Those of its own group shared the sync, and a former group was complete before this one began.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use super::files::Tail;
use super::folder::{FolderArchive, failed, revision_path, sha256_hex, unread};
use super::raw::RawPoll;
use super::{ArchiveError, GROUP, Line, Op};
use crate::disk::{is_temporary, temporary};
use crate::model::EntryKey;

/// What became of a batch.
#[derive(Default)]
struct Finished<'l> {
    /// Lines whose posts are there now.
    kept: Vec<&'l Line>,
    /// Lines whose posts are not.
    lost: Vec<&'l Line>,
    /// How many posts were put in place.
    moved: usize,
}

impl FolderArchive {
    /// Mends the last batches and sweeps up what it left; says what was done.
    pub(super) fn recover_now(&self) -> Result<Vec<String>, ArchiveError> {
        if !self.is_unclean()? {
            return Ok(Vec::new());
        }
        // What another process is at is not what an unclean stop left.
        self.hold()?;
        let mut said = Vec::new();
        let cut = self.ledger_files().cut_torn()?;
        if cut > 0 {
            said.push(format!("an unclean stop left a torn line at the end of {cut} ledger files; it was cut off"));
        }
        if let Some(tail) = self.ledger_files().tail(GROUP)? {
            self.mend(&tail, &mut said)?;
        }
        for folder in ["_posts", "_revisions", "_raw", "_ledger"] {
            self.sweep(&self.root.join(folder))?;
        }
        Ok(said)
    }

    fn mend(&self, tail: &Tail, said: &mut Vec<String>) -> Result<(), ArchiveError> {
        let (batches, mut finished, mut lost) = (tail.batches(), 0, HashSet::new());
        // The posts of entries that were taken down are gone for good reason.
        let forgotten: HashSet<EntryKey> =
            batches.iter().flatten().filter(|line| line.op == Op::Forget).map(|line| line.key).collect();
        let synced = self.count_synced(&batches)?;
        for (place, batch) in batches.iter().enumerate() {
            let done = self.finish(batch, place < synced, place + 1 == batches.len(), &forgotten)?;
            finished += done.moved;
            self.finish_raw(&done.kept)?;
            lost.extend(done.lost.into_iter().map(std::ptr::from_ref::<Line>));
        }
        if finished > 0 {
            said.push(format!("an unclean stop left {finished} posts under temporary names; they were put in place"));
        }
        if !lost.is_empty() {
            let dropped = lost.len();
            self.rewrite(tail, |line| lost.contains(&std::ptr::from_ref(line)))?;
            said.push(format!(
                "an unclean stop left {dropped} ledger lines without posts; they were dropped, the entries come again"
            ));
        }
        // Whoever takes an entry down writes nothing else with it.
        for line in batches.last().into_iter().flatten().filter(|line| line.op == Op::Forget) {
            said.extend(self.take_down(line)?);
        }
        self.make_durable(tail)
    }

    /// Puts in place what can be.
    ///
    /// Where nothing says that the batch was synced, its sync may not have come to its end: whatever looks
    /// whole by luck is given up with the rest, so that post, former version and raw stay together.
    fn finish<'l>(
        &self,
        batch: &[&'l Line],
        was_synced: bool,
        is_last: bool,
        forgotten: &HashSet<EntryKey>,
    ) -> Result<Finished<'l>, ArchiveError> {
        let mut done = Finished::default();
        for &line in batch {
            let (Some(path), Some(sum)) = (&line.path, &line.sha256) else {
                done.kept.push(line);
                continue;
            };
            if forgotten.contains(&line.key) {
                done.kept.push(line);
                continue;
            }
            if !was_synced {
                done.lost.push(line);
                continue;
            }
            if let Some(number) = line.rev {
                let copy = self.root.join(revision_path(line.key, number));
                if self.exists(&temporary(&copy))? {
                    self.put_in_place(&copy)?;
                }
            }
            let file = self.root.join(path);
            if self.holds(&temporary(&file), sum)? {
                self.put_in_place(&file)?;
                done.moved += 1;
                done.kept.push(line);
            } else if !is_last || self.exists(&file)? {
                // Of a former batch whose sync came to its end a post can only be gone by somebody's hand: readers pass
                // the line over, and what knows the ledger by its length goes on knowing it.
                done.kept.push(line);
            } else {
                done.lost.push(line);
            }
        }
        Ok(done)
    }

    /// How many batches, from the first on, were synced for certain: all up to the last one that shows it. Of those before
    /// it nothing may be left to show it: a later version took the post over, or somebody deleted it.
    fn count_synced(&self, batches: &[Vec<&Line>]) -> Result<usize, ArchiveError> {
        for (place, batch) in batches.iter().enumerate().rev() {
            if self.shows_sync(batch)? {
                return Ok(place + 1);
            }
        }
        Ok(0)
    }

    /// True when a file of the batch has its last name, which comes after the sync.
    fn shows_sync(&self, batch: &[&Line]) -> Result<bool, ArchiveError> {
        for line in batch {
            let (Some(path), Some(sum)) = (&line.path, &line.sha256) else { continue };
            let file = self.root.join(path);
            // A new post that was edited by hand since then is in place, too.
            let is_new = line.op != Op::Revise && self.exists(&file)? && !self.exists(&temporary(&file))?;
            if is_new || self.holds(&file, sum)? {
                return Ok(true);
            }
            let copy = line.rev.map(|number| revision_path(line.key, number));
            let raw = line.feed.as_ref().map(|feed| RawPoll::path_of(feed, line.seen));
            for beside in [copy, raw].into_iter().flatten() {
                if self.exists(&self.root.join(beside))? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Writes the end of the ledger again without some lines.
    fn rewrite(&self, tail: &Tail, is_lost: impl Fn(&Line) -> bool) -> Result<(), ArchiveError> {
        let mut bytes = self.disk.read(&tail.file, 0).map_err(|e| unread(&tail.file, e))?;
        bytes.truncate(usize::try_from(tail.start).unwrap_or(usize::MAX));
        for kept in tail.lines.iter().filter(|tail| !tail.line.as_ref().is_some_and(&is_lost)) {
            bytes.extend_from_slice(&kept.text);
            bytes.push(b'\n');
        }
        self.replace(&tail.file, &bytes)
    }

    /// The raw file of the batch is whole or it is nothing.
    fn finish_raw(&self, kept: &[&Line]) -> Result<(), ArchiveError> {
        let Some(line) = kept.iter().find(|line| line.path.is_some()) else { return Ok(()) };
        let Some(feed) = &line.feed else { return Ok(()) };
        let file = self.root.join(RawPoll::path_of(feed, line.seen));
        let written = temporary(&file);
        if self.exists(&written)? {
            let bytes = self.disk.read(&written, 0).map_err(|e| unread(&written, e))?;
            if RawPoll::from_bytes(&bytes).is_ok() {
                self.put_in_place(&file)?;
            }
        }
        Ok(())
    }

    /// What is in place need not be there for good: the last sync may be what failed.
    fn make_durable(&self, tail: &Tail) -> Result<(), ArchiveError> {
        if self.disk.sync_all(&self.root).map_err(|e| failed(&self.root, "synced", e))? {
            return Ok(());
        }
        let mut folders = BTreeSet::new();
        for file in [tail.file.clone(), tail.file.with_file_name("sources.jsonl")] {
            if self.exists(&file)? {
                self.disk.sync(&file).map_err(|e| failed(&file, "synced", e))?;
                folders.extend(self.folders_above(&file));
            }
        }
        for line in tail.batches().into_iter().flatten() {
            let copy = line.rev.map(|number| revision_path(line.key, number));
            let raw = line.feed.as_ref().map(|feed| RawPoll::path_of(feed, line.seen));
            for path in [line.path.clone(), copy, raw].into_iter().flatten() {
                let file = self.root.join(path);
                if self.exists(&file)? {
                    folders.extend(self.folders_above(&file));
                }
            }
        }
        self.sync_folders(&folders)
    }

    /// Removes temporary files that belong to nothing.
    fn sweep(&self, folder: &Path) -> Result<(), ArchiveError> {
        for path in self.disk.list(folder).map_err(|e| unread(folder, e))? {
            if is_temporary(&path) {
                self.disk.remove(&path).map_err(|e| failed(&path, "removed", e))?;
            } else if path.extension().is_none_or(|e| !matches!(e.to_str(), Some("md" | "jsonl" | "json" | "zst")))
                && self.disk.is_folder(&path).map_err(|e| unread(&path, e))?
            {
                self.sweep(&path)?;
            }
        }
        Ok(())
    }

    fn holds(&self, file: &Path, sum: &str) -> Result<bool, ArchiveError> {
        Ok(self.exists(file)? && sha256_hex(&self.disk.read(file, 0).map_err(|e| unread(file, e))?) == sum)
    }

    fn exists(&self, file: &Path) -> Result<bool, ArchiveError> {
        Ok(self.disk.length(file).map_err(|e| unread(file, e))?.is_some())
    }
}
