//! The few things the archive and the site do to a disk, behind one trait, so that a test can make
//! any of them fail.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::model::Fingerprint;

/// The longest name that file systems take, in bytes.
pub const LONGEST_NAME: usize = 255;

/// A disk. Each call is one step that can fail by itself.
pub trait Disk: Send + Sync + Debug {
    /// The bytes of a file, from an offset on.
    fn read(&self, path: &Path, from: u64) -> io::Result<Vec<u8>>;
    /// At most so many bytes of a file, from a place on.
    fn read_part(&self, path: &Path, from: u64, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.read(path, from)?;
        bytes.truncate(most);
        Ok(bytes)
    }
    /// The length of a file; `None` when there is none.
    fn length(&self, path: &Path) -> io::Result<Option<u64>>;
    /// Files and folders in a folder; none where there is no folder.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    /// True when a path leads to a folder.
    fn is_folder(&self, path: &Path) -> io::Result<bool>;
    /// Makes a folder and those above it.
    fn make_folder(&self, folder: &Path) -> io::Result<()>;
    /// Makes or empties a file and writes it, without syncing.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Cuts a file to a length, or makes it, and writes behind that, without syncing.
    fn append(&self, path: &Path, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes a file's bytes durable.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// Makes everything on the file system durable, where the platform can; says whether it did.
    fn sync_all(&self, root: &Path) -> io::Result<bool>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Gives a file another name; a file of that name goes.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file; one that is not there is no failure.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Keeps a folder for this process as long as what is returned lives; nothing is returned where there are no locks.
    fn lock(&self, _folder: &Path) -> Result<Option<File>, TryLockError> {
        Ok(None)
    }
}

/// The disk of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalDisk;

impl Disk for LocalDisk {
    fn read(&self, path: &Path, from: u64) -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn read_part(&self, path: &Path, from: u64, most: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(most as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        match fs::symlink_metadata(path) {
            Ok(facts) => Ok(Some(facts.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    }

    fn is_folder(&self, path: &Path) -> io::Result<bool> {
        match fs::metadata(path) {
            Ok(facts) => Ok(facts.is_dir()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        File::create(path)?.write_all(bytes)
    }

    fn append(&self, path: &Path, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.set_len(at)?;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_all(&self, root: &Path) -> io::Result<bool> {
        #[cfg(target_os = "linux")]
        {
            rustix::fs::syncfs(File::open(root)?)?;
            Ok(true)
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = root;
            Ok(false)
        }
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The folder itself is locked: a file for that would be one more to be kept out of git.
    fn lock(&self, folder: &Path) -> Result<Option<File>, TryLockError> {
        let folder = File::open(folder).map_err(TryLockError::Error)?;
        match folder.try_lock() {
            Ok(()) => Ok(Some(folder)),
            Err(TryLockError::WouldBlock) => Err(TryLockError::WouldBlock),
            // Some network file systems cannot.
            Err(TryLockError::Error(_)) => Ok(None),
        }
    }
}

/// Makes the folder that everything of an archive or a site lies in, with a durable name: what is
/// synced inside a folder is gone all the same when the folder's own name is.
///
/// The folders above are synced although they were there: a former run may have made them and come
/// no further.
pub fn found(disk: &dyn Disk, root: &Path) -> io::Result<()> {
    disk.make_folder(root)?;
    for above in root.ancestors().skip(1) {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        match disk.sync_folder(above) {
            // Whoever may not read a folder did not make it; and where the system mounts on demand
            // (autofs), folders cannot be synced.
            Err(e) if matches!(e.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput) => {}
            done => done?,
        }
    }
    Ok(())
}

/// The name of a file while it is being written: it begins with a dot, so that Jekyll, git and
/// readers pass it over, and is the same for the same file, so that an unclean stop can be mended.
/// Where a name leaves no room for that, its hash stands for it.
pub fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = format!(".{name}.tmp");
    if temporary.len() <= LONGEST_NAME {
        return path.with_file_name(temporary);
    }
    path.with_file_name(format!(".{}.tmp", Fingerprint::of(&name).hex()))
}

/// True for the name of a file that is being written.
pub fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.starts_with('.') && path.extension().is_some_and(|e| e == "tmp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_room_for_its_temporary_name_however_long_its_own_is() {
        let of = |length: usize| temporary(&Path::new("_posts").join("汉".repeat(length / 3)));
        assert_eq!(temporary(Path::new("_posts/a.md")), Path::new("_posts/.a.md.tmp"));
        assert_eq!(of(249).file_name().expect("name").len(), 249 + 5);
        for length in [252, 255] {
            let temporary = of(length);
            assert!(is_temporary(&temporary) && temporary.file_name().expect("name").len() <= LONGEST_NAME);
            assert_eq!(temporary.parent(), Some(Path::new("_posts")));
        }
        assert_ne!(of(252), of(255));
    }
}
