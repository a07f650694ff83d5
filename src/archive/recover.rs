//! What an unclean stop left half done is finished or taken back.
//!
//! A batch writes temporary files and ledger lines, syncs, and only then renames. So only the last
//! batch of the ledger can be half done, and each of its lines can be finished exactly when the
//! temporary file that it promises is whole.

use std::collections::BTreeSet;
use std::path::Path;

use super::files::LastBatch;
use super::folder::{FolderArchive, failed, revision_path, sha256_hex, unread};
use super::raw::RawPoll;
use super::{ArchiveError, Line, Op};
use crate::disk::temporary;

impl FolderArchive {
    /// Mends the last batch and sweeps up what it left; says what was done.
    pub(super) fn recover_now(&self) -> Result<Vec<String>, ArchiveError> {
        if !self.is_unclean()? {
            return Ok(Vec::new());
        }
        let mut said = Vec::new();
        let cut = self.ledger_files().cut_torn()?;
        if cut > 0 {
            said.push(format!("an unclean stop left a torn line at the end of {cut} ledger files; it was cut off"));
        }
        if let Some(batch) = self.ledger_files().last_batch()? {
            let (kept, finished) = self.finish(&batch)?;
            let dropped = batch.lines.len() - kept.len();
            if finished > 0 {
                said.push(format!(
                    "an unclean stop left {finished} posts under temporary names; they were put in place"
                ));
            }
            if dropped > 0 {
                self.rewrite(&batch, &kept)?;
                said.push(format!("an unclean stop left {dropped} ledger lines without posts; they were dropped, the entries come again"));
            }
            self.finish_raw(&batch, &kept)?;
            for line in kept.iter().filter(|line| line.op == Op::Forget) {
                self.take_down(line)?;
            }
            self.make_durable(&batch, &kept)?;
        }
        for folder in ["_posts", "_revisions", "_raw", "_ledger"] {
            self.sweep(&self.root.join(folder))?;
        }
        Ok(said)
    }

    /// Puts in place what can be; the lines whose posts are there now, and how many had to be moved.
    ///
    /// Where nothing of the batch is in place, its sync may not have come to its end: whatever looks
    /// whole by luck is given up with the rest, so that post, former version and raw stay together.
    fn finish(&self, batch: &LastBatch) -> Result<(Vec<Line>, usize), ArchiveError> {
        let was_synced = self.was_synced(batch)?;
        let mut kept = Vec::new();
        let mut finished = 0;
        for line in &batch.lines {
            let (Some(path), Some(sum)) = (&line.path, &line.sha256) else {
                kept.push(line.clone());
                continue;
            };
            if !was_synced {
                continue;
            }
            if let (Op::Revise, Some(number)) = (line.op, line.rev) {
                let copy = self.root.join(revision_path(line.key, number));
                if self.exists(&temporary(&copy))? {
                    self.put_in_place(&copy)?;
                }
            }
            let file = self.root.join(path);
            if self.holds(&temporary(&file), sum)? {
                self.put_in_place(&file)?;
                finished += 1;
                kept.push(line.clone());
            } else if self.exists(&file)? {
                kept.push(line.clone());
            }
        }
        Ok((kept, finished))
    }

    /// True when a file of the batch has its last name, which comes after the sync.
    fn was_synced(&self, batch: &LastBatch) -> Result<bool, ArchiveError> {
        for line in &batch.lines {
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

    fn rewrite(&self, batch: &LastBatch, kept: &[Line]) -> Result<(), ArchiveError> {
        let mut bytes = self.disk.read(&batch.file, 0).map_err(|e| unread(&batch.file, e))?;
        bytes.truncate(usize::try_from(batch.start).unwrap_or(usize::MAX));
        for line in kept {
            let text = serde_json::to_string(line).map_err(|e| failed(&batch.file, "written", e.into()))?;
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(b'\n');
        }
        self.replace(&batch.file, &bytes)
    }

    /// The raw file of the batch is whole or it is nothing.
    fn finish_raw(&self, batch: &LastBatch, kept: &[Line]) -> Result<(), ArchiveError> {
        let Some(line) = kept.iter().find(|line| line.path.is_some()) else { return Ok(()) };
        let Some(feed) = &line.feed else { return Ok(()) };
        debug_assert!(!batch.lines.is_empty());
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
    fn make_durable(&self, batch: &LastBatch, kept: &[Line]) -> Result<(), ArchiveError> {
        if self.disk.sync_all(&self.root).map_err(|e| failed(&self.root, "synced", e))? {
            return Ok(());
        }
        let mut folders = BTreeSet::new();
        for file in [batch.file.clone(), batch.file.with_file_name("sources.jsonl")] {
            if self.exists(&file)? {
                self.disk.sync(&file).map_err(|e| failed(&file, "synced", e))?;
                folders.extend(self.folders_above(&file));
            }
        }
        for line in kept {
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

fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.starts_with('.') && path.extension().is_some_and(|e| e == "tmp")
}
