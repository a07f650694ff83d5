//! Published files: replaced whole, and only when their bytes change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, LocalDisk, make_durably, temporary};

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

/// The folder of published files.
#[derive(Clone, Debug)]
pub struct Site {
    root: PathBuf,
    disk: Arc<dyn Disk>,
}

impl Site {
    /// Published files below `root` on this machine's disk.
    pub fn new(root: PathBuf) -> Self {
        Self::on(Arc::new(LocalDisk), root)
    }

    /// Published files on another disk.
    pub fn on(disk: Arc<dyn Disk>, root: PathBuf) -> Self {
        Self { root, disk }
    }

    /// True when the file is there.
    pub fn has(&self, relative: &str) -> bool {
        matches!(self.disk.length(&self.root.join(relative)), Ok(Some(_)))
    }

    /// Replaces a file by rename, so that a reader sees a complete one at every instant.
    pub fn replace(&self, relative: &str, bytes: &[u8]) -> Result<Replaced, SiteError> {
        let path = self.root.join(relative);
        if self.disk.read(&path, 0).is_ok_and(|old| old == bytes) {
            return Ok(Replaced::Equal);
        }
        let folder = path.parent().unwrap_or(&self.root);
        make_durably(&*self.disk, folder).map_err(|e| failed(folder, "made", e))?;
        let written = temporary(&path);
        self.disk.write(&written, bytes).map_err(|e| failed(&written, "written", e))?;
        self.disk.sync(&written).map_err(|e| failed(&written, "synced", e))?;
        self.disk.rename(&written, &path).map_err(|e| failed(&path, "put in place", e))?;
        // The index remembers that this was published; after a power loss it has to be true. A
        // former run may have made the folders and not come further.
        for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root)) {
            self.disk.sync_folder(folder).map_err(|e| failed(folder, "synced", e))?;
        }
        Ok(Replaced::Changed)
    }
}

fn failed(path: &Path, what: &'static str, cause: io::Error) -> SiteError {
    SiteError { path: path.to_owned(), what, cause }
}
