//! Published files: replaced whole, and only when their bytes change.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
}

impl Site {
    /// Published files below `root`.
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// True when the file is there.
    pub fn has(&self, relative: &str) -> bool {
        self.root.join(relative).is_file()
    }

    /// Replaces a file by rename, so that a reader sees a complete one at every instant.
    pub fn replace(&self, relative: &str, bytes: &[u8]) -> Result<Replaced, SiteError> {
        let path = self.root.join(relative);
        if fs::read(&path).is_ok_and(|old| old == bytes) {
            return Ok(Replaced::Equal);
        }
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(|e| failed(folder, "made", e))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let temporary = folder.join(format!(".{name}.tmp"));
        let write = || -> io::Result<()> {
            let mut file = File::create(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        write().map_err(|e| failed(&temporary, "written", e))?;
        fs::rename(&temporary, &path).map_err(|e| failed(&path, "put in place", e))?;
        Ok(Replaced::Changed)
    }
}

fn failed(path: &Path, what: &'static str, cause: io::Error) -> SiteError {
    SiteError { path: path.to_owned(), what, cause }
}
