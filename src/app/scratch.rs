//! Where a dry run remembers what nobody needs afterwards.

use std::fs::{self, DirBuilder};
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::index::IndexError;

/// A folder that is removed when it is no longer needed.
pub(super) struct ScratchFolder(PathBuf);

impl ScratchFolder {
    /// A new one, for this user alone. Nobody can foresee its name, and none that another run left is taken.
    pub(super) fn make() -> Result<Self, IndexError> {
        loop {
            let random = RandomState::new().hash_one(std::process::id());
            let path = std::env::temp_dir().join(format!("feedmill-dry-run-{random:016x}"));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(IndexError::Store { path, what: "made", cause: error.to_string() }),
            }
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        // What cannot be removed lies among other temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// True where there is no index yet.
pub(super) fn is_new(index: &Path) -> bool {
    match fs::read_dir(index) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn each_is_a_new_one_for_this_user_and_goes_when_it_is_dropped() {
        let (one, other) = (ScratchFolder::make().expect("made"), ScratchFolder::make().expect("made"));
        assert_ne!(one.path(), other.path());
        assert_eq!(fs::metadata(one.path()).expect("facts").permissions().mode() & 0o777, 0o700);
        let path = one.path().to_owned();
        drop(one);
        assert!(!path.exists() && other.path().exists());
    }
}
