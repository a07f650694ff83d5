//! Published files: replaced whole, and only when their bytes change.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{Disk, LocalDisk, found, temporary};

/// Why a published file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be {what}: {cause}; published files are made again at the next run", path.display())]
pub struct SiteError {
    path: PathBuf,
    what: &'static str,
    cause: io::Error,
}

/// What happened to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// It had these bytes already, and was not touched.
    Equal,
    /// It has new bytes.
    Changed,
}

/// Files that are written, but not in place yet.
#[derive(Debug, Default)]
struct Staged {
    /// Where they belong.
    files: BTreeSet<PathBuf>,
    /// Folders whose names have to be durable.
    folders: BTreeSet<PathBuf>,
}

/// Up to so many are synced one by one; for more, one sync of the file system is cheaper.
const SYNC_SINGLY: usize = 4;

/// The folder of published files.
#[derive(Clone, Debug)]
pub struct Site {
    root: PathBuf,
    disk: Arc<dyn Disk>,
    /// Whether the root is known to be there for good.
    founded: Arc<AtomicBool>,
    staged: Arc<Mutex<Staged>>,
}

impl Site {
    /// Published files below `root` on this machine's disk.
    pub fn new(root: PathBuf) -> Self {
        Self::on(Arc::new(LocalDisk), root)
    }

    /// Published files on another disk.
    pub fn on(disk: Arc<dyn Disk>, root: PathBuf) -> Self {
        Self { root, disk, founded: Arc::default(), staged: Arc::default() }
    }

    /// True when the file is there.
    pub fn has(&self, relative: &str) -> bool {
        matches!(self.disk.length(&self.root.join(relative)), Ok(Some(_)))
    }

    /// A published file.
    pub fn read(&self, relative: &str) -> Result<Vec<u8>, SiteError> {
        let path = self.root.join(relative);
        self.disk.read(&path, 0).map_err(|e| failed(&path, "read", e))
    }

    /// The files below a folder, sorted, without those that are being written.
    pub fn files(&self, folder: &str) -> Result<Vec<String>, SiteError> {
        let path = self.root.join(folder);
        let mut files = Vec::new();
        for entry in self.disk.list(&path).map_err(|e| failed(&path, "read", e))? {
            let name = entry.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let relative = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            if name.starts_with('.') {
                continue;
            }
            if self.disk.is_folder(&entry).map_err(|e| failed(&entry, "read", e))? {
                files.extend(self.files(&relative)?);
            } else {
                files.push(relative);
            }
        }
        files.sort();
        Ok(files)
    }

    /// Replaces a file by rename, so that a reader sees a complete one at every instant.
    pub fn replace(&self, relative: &str, bytes: &[u8]) -> Result<Replaced, SiteError> {
        let replaced = self.stage(relative, bytes)?;
        self.settle()?;
        Ok(replaced)
    }

    /// Removes a file; one that is not there is no failure.
    pub fn remove(&self, relative: &str) -> Result<(), SiteError> {
        let path = self.root.join(relative);
        self.disk.remove(&path).map_err(|e| failed(&path, "removed", e))?;
        let folder = path.parent().unwrap_or(&self.root);
        self.disk.sync_folder(folder).map_err(|e| failed(folder, "synced", e))
    }

    /// Writes a file that is to replace another when all that is staged is settled.
    pub fn stage(&self, relative: &str, bytes: &[u8]) -> Result<Replaced, SiteError> {
        if !self.founded.load(Ordering::Relaxed) {
            found(&*self.disk, &self.root).map_err(|e| failed(&self.root, "made", e))?;
            self.founded.store(true, Ordering::Relaxed);
        }
        let path = self.root.join(relative);
        // What has another length need not be read.
        let has_length = self.disk.length(&path).is_ok_and(|length| length == Some(bytes.len() as u64));
        let is_equal = has_length && self.disk.read(&path, 0).is_ok_and(|old| old == bytes);
        if !is_equal {
            let folder = path.parent().unwrap_or(&self.root);
            self.disk.make_folder(folder).map_err(|e| failed(folder, "made", e))?;
            let written = temporary(&path);
            self.disk.write(&written, bytes).map_err(|e| failed(&written, "written", e))?;
        }
        let mut staged = self.staged();
        // The index remembers that this was published; after a power loss it has to be true, also
        // where a former run wrote the file and failed here.
        let folders = path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root));
        staged.folders.extend(folders.map(Path::to_owned));
        if is_equal {
            staged.files.remove(&path);
        } else {
            staged.files.insert(path);
        }
        Ok(if is_equal { Replaced::Equal } else { Replaced::Changed })
    }

    /// Puts what is staged in place, durably: whatever the index remembers of it comes after this.
    pub fn settle(&self) -> Result<(), SiteError> {
        let Staged { files, folders } = std::mem::take(&mut *self.staged());
        let sync_all = || self.disk.sync_all(&self.root).map_err(|e| failed(&self.root, "synced", e));
        if files.len() <= SYNC_SINGLY || !sync_all()? {
            for path in &files {
                let written = temporary(path);
                self.disk.sync(&written).map_err(|e| failed(&written, "synced", e))?;
            }
        }
        for path in &files {
            self.disk.rename(&temporary(path), path).map_err(|e| failed(path, "put in place", e))?;
        }
        if folders.len() <= SYNC_SINGLY || !sync_all()? {
            // Those below come first, as they are named in those above.
            for folder in folders.iter().rev() {
                self.disk.sync_folder(folder).map_err(|e| failed(folder, "synced", e))?;
            }
        }
        Ok(())
    }

    fn staged(&self) -> MutexGuard<'_, Staged> {
        self.staged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failed(path: &Path, what: &'static str, cause: io::Error) -> SiteError {
    SiteError { path: path.to_owned(), what, cause }
}
