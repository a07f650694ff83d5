//! A sled store in its folder: opened under a deadline, its panics caught, its errors told apart.

use std::cell::Cell;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use sled::Db;

use crate::index::IndexError;

/// Bytes of pages kept in memory: sled's default is 1 GiB.
const CACHE: u64 = 64 << 20;

/// An open that takes longer than this, and a second for each [`PER_SECOND`] bytes, hangs. A million
/// entries (1.3 GB) open within 2 s; a disk may sleep, and a small machine may be busy.
const LIMIT: Duration = Duration::from_secs(10);

/// Bytes of a store that may take another second.
const PER_SECOND: u64 = 16 << 20;

/// Whoever held the store's file a moment ago may need this long to let go of it.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

thread_local! {
    static WORKING: Cell<bool> = const { Cell::new(false) };
}

/// True on a thread that is inside the store, where a panic is expected and caught.
pub fn is_working() -> bool {
    WORKING.get() || thread::current().name().is_some_and(|name| name.starts_with("sled-io-"))
}

/// Runs work on a store; a panic in it is damage, told in its words.
pub(super) fn caught<T>(path: &Path, work: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    let before = WORKING.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    WORKING.set(before);
    done.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        Err(damaged(path, format!("its reader gave up ({})", words.lines().next().unwrap_or_default())))
    })
}

/// Work on a thread of its own; `None` when it is not done in time. The thread is then left alone.
pub(super) fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    // Without a thread there is nothing to wait for, and nobody to do the work.
    let started = thread::Builder::new().spawn(move || {
        let _ = sender.send(work());
    });
    started.ok().and_then(|_| receiver.recv_timeout(limit).ok())
}

/// How long opening a store may take.
pub(super) fn limit(path: &Path) -> Duration {
    let bytes: u64 = files(path).iter().filter_map(|file| Some(fs::metadata(file).ok()?.len())).sum();
    LIMIT + Duration::from_secs(bytes / PER_SECOND)
}

/// Opens a store under the deadline.
pub(super) fn open_in_time(path: &Path) -> Result<Db, IndexError> {
    let (limit, store) = (limit(path), path.to_owned());
    let opened = within(limit, move || open(&store));
    opened.unwrap_or_else(|| {
        let cause = format!("no answer within {} s; the next run looks at it more carefully", limit.as_secs());
        Err(IndexError::Store { path: path.to_owned(), what: "opened", cause })
    })
}

/// Opens a store, making it where there is none.
pub(super) fn open(path: &Path) -> Result<Db, IndexError> {
    let start = Instant::now();
    loop {
        let opened = caught(path, || {
            let config = sled::Config::new().path(path).cache_capacity(CACHE).flush_every_ms(None);
            config.open().map_err(|e| broken(path, "opened", &e))
        });
        match opened {
            Err(error) if is_lock(&error) && start.elapsed() < LOCK_PATIENCE => {
                thread::sleep(Duration::from_millis(20));
            }
            done => return done,
        }
    }
}

/// One flush, and the sync that sled leaves out (sled#1452).
pub(super) fn settle(db: &Db, path: &Path) -> Result<(), IndexError> {
    db.flush().map_err(|e| broken(path, "written", &e))?;
    let file = path.join("db");
    File::open(&file).and_then(|f| f.sync_all()).map_err(|e| refused(&file, "synced", e))
}

/// A store's files, and those in its folders; links are followed, what is no file is left out.
pub(super) fn files(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// What went wrong in sled: damage, which a rebuild mends, or a disk that does not do its work.
pub(super) fn broken(path: &Path, what: &'static str, error: &sled::Error) -> IndexError {
    match error {
        sled::Error::Io(cause) if !is_damage(cause) => refused(path, what, cause),
        sled::Error::Io(cause) => damaged(path, cause),
        sled::Error::Corruption { .. } => damaged(path, "a checksum does not agree"),
        sled::Error::Unsupported(cause) | sled::Error::ReportableBug(cause) => damaged(path, cause),
        sled::Error::CollectionNotFound(_) => damaged(path, "a part of it is not there"),
    }
}

/// True where the bytes are wrong. Whatever else the system says (no space, no right, no answer of
/// the disk) is no reason to throw a store away.
fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::UnexpectedEof
        | Kind::InvalidData
        | Kind::InvalidInput
        | Kind::NotFound
        | Kind::AlreadyExists
        | Kind::IsADirectory
        | Kind::NotADirectory
        | Kind::NotSeekable => true,
        // sled's own words, but for those about its lock.
        Kind::Other => error.raw_os_error().is_none() && !error.to_string().contains(LOCK),
        _ => false,
    }
}

/// How sled says that somebody else has the file.
const LOCK: &str = "could not acquire lock";

fn is_lock(error: &IndexError) -> bool {
    matches!(error, IndexError::Store { cause, .. } if cause.contains(LOCK))
}

/// A store that cannot be believed.
pub(super) fn damaged(path: &Path, cause: impl std::fmt::Display) -> IndexError {
    IndexError::Damaged { path: path.to_owned(), cause: cause.to_string() }
}

/// A disk that does not do its work.
pub(super) fn refused(path: &Path, what: &'static str, cause: impl std::fmt::Display) -> IndexError {
    IndexError::Store { path: path.to_owned(), what, cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_and_a_disk_that_does_not_answer_are_told_apart() {
        let of = |error: io::Error| broken(Path::new("x"), "read", &sled::Error::Io(error));
        let os = io::Error::from_raw_os_error;
        // EIO, ENOSPC, EDQUOT, EACCES, EROFS, EMFILE, ENOMEM, ESTALE, ETIMEDOUT
        for code in [5, 28, 122, 13, 30, 24, 12, 116, 110] {
            let error = of(os(code));
            assert!(matches!(error, IndexError::Store { .. }), "{code}: {error:?}");
            // sled keeps the first failure and hands out copies that know only the kind.
            let copy = of(io::Error::new(os(code).kind(), "copy"));
            assert!(matches!(copy, IndexError::Store { .. }), "{code}: {copy:?}");
        }
        for kind in [io::ErrorKind::UnexpectedEof, io::ErrorKind::InvalidData, io::ErrorKind::NotFound] {
            assert!(matches!(of(kind.into()), IndexError::Damaged { .. }), "{kind}");
        }
        assert!(matches!(of(io::Error::other("could not acquire lock on \"db\"")), IndexError::Store { .. }));
        assert!(matches!(of(io::Error::other("odd bytes")), IndexError::Damaged { .. }));
    }

    #[test]
    fn a_panic_is_damage_in_its_own_words() {
        let done: Result<(), _> = caught(Path::new("x"), || panic!("no page {}", 7));
        assert!(matches!(done, Err(IndexError::Damaged { cause, .. }) if cause.contains("no page 7")));
        assert!(!is_working());
    }

    #[test]
    fn what_hangs_is_left_alone() {
        assert_eq!(within(Duration::from_mins(1), || 1), Some(1));
        let (sender, receiver) = mpsc::channel::<()>();
        assert_eq!(within(Duration::from_millis(20), move || receiver.recv()), None);
        drop(sender);
    }
}
