//! Batches on their way to the disk: temporary files and ledger lines, one sync, renames, folder sync.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use super::files::Pending;
use super::folder::{FolderArchive, failed, revision_path, sha256_hex, unread};
use super::raw::RawPacker;
use super::{Adopted, ArchiveError, Batch, GROUP, Kept, Line, RawPoll};
use crate::disk::LONGEST_NAME;
use crate::model::{EntryKey, Post, PostPath};
use crate::post;

/// Up to this many files are synced one by one; for more, one sync of the file system is cheaper.
const SYNC_SINGLY: usize = 4;

impl FolderArchive {
    pub(super) fn write_batches(&self, batches: Vec<Batch>) -> Result<Vec<Vec<Line>>, ArchiveError> {
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
    pub(super) fn write_group(&self, batches: Vec<Batch>) -> Result<Vec<Vec<Line>>, ArchiveError> {
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
        let path = if let Some((path, number)) = &kept.replaces {
            if let Some(number) = number {
                let file = self.root.join(path.as_str());
                let former = self.disk.read(&file, 0).map_err(|e| unread(&file, e))?;
                line.rev = Some(self.keep_former(kept.post.key, *number, &former, pending)?);
            }
            path.clone()
        } else {
            let (path, former) = self.free_path(&kept.post, taken)?;
            if let Some(former) = former {
                line.rev = Some(self.keep_former(kept.post.key, 1, &former, pending)?);
            }
            path
        };
        let text = post::to_text(&kept.post);
        self.write_temporary(&self.root.join(path.as_str()), text.as_bytes(), pending)?;
        Ok(Line { path: Some(path.to_string()), sha256: Some(sha256_hex(text.as_bytes())), ..line })
    }

    /// Copies what a post is about to replace to the former versions; says under which number.
    fn keep_former(
        &self,
        key: EntryKey,
        from: u32,
        former: &[u8],
        pending: &mut Vec<Pending>,
    ) -> Result<u32, ArchiveError> {
        let number = self.free_number(key, from, former)?;
        self.write_temporary(&self.root.join(revision_path(key, number)), former, pending)?;
        Ok(number)
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

    /// The shortest name that is free, or already this entry's; and what lies there, unless that is nothing, cut short, or
    /// the very same.
    fn free_path(
        &self,
        post: &Post,
        taken: &mut HashSet<PostPath>,
    ) -> Result<(PostPath, Option<Vec<u8>>), ArchiveError> {
        for digits in [8, 16, 64] {
            let Some(path) = post::path(post, self.layout, digits) else { break };
            let file = self.root.join(path.as_str());
            let former = match self.disk.read(&file, 0) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => None,
                Err(e) => return Err(failed(&file, "written", e)),
                Ok(bytes) => Some(bytes).filter(|bytes| post::is_whole(bytes)),
            };
            if former.as_ref().is_some_and(|bytes| key_of_post(&path, bytes) != Some(post.key)) {
                continue;
            }
            // Another post of the group may be about to take it.
            if taken.insert(path.clone()) {
                return Ok((path, former.filter(|bytes| bytes != post::to_text(post).as_bytes())));
            }
        }
        Err(ArchiveError::NoName(post.key))
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

    pub(super) fn make_parent(&self, path: &Path) -> Result<(), ArchiveError> {
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

    pub(super) fn sync_folders(&self, folders: &BTreeSet<PathBuf>) -> Result<(), ArchiveError> {
        folders.iter().try_for_each(|folder| self.disk.sync_folder(folder).map_err(|e| failed(folder, "synced", e)))
    }

    /// A new folder is durable only when its parent is.
    pub(super) fn folders_above(&self, file: &Path) -> impl Iterator<Item = PathBuf> {
        file.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root)).map(Path::to_owned)
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
    pub(super) fn keep_name(&self, path: &Path) -> Result<(), ArchiveError> {
        let folder = path.parent().unwrap_or(&self.root);
        self.disk.sync_folder(folder).map_err(|e| failed(folder, "synced", e))
    }
}

/// `a/b.md` as `a/b-2.md`; a name that would be too long is cut before the number.
fn numbered(path: &PostPath, number: u32) -> Option<PostPath> {
    let (folder, name) = path.as_str().split_at(path.as_str().rfind('/').map_or(0, |slash| slash + 1));
    let (stem, ending) = name.split_at(name.rfind('.').unwrap_or(name.len()));
    let end = format!("-{number}{ending}");
    let stem = &stem[..stem.floor_char_boundary(LONGEST_NAME.saturating_sub(end.len()))];
    PostPath::parse(&format!("{folder}{stem}{end}"))
}

fn key_of_post(path: &PostPath, bytes: &[u8]) -> Option<EntryKey> {
    post::read(path.as_str(), bytes).ok().map(|post| post.key)
}
