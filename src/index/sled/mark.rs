//! The mark beside a store that says it was closed whole, and what its files were then.
//!
//! A store without a mark, or whose files are others now, is looked at more carefully before it is
//! opened: a process may have been killed, a copy may be torn.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::store;
use crate::index::IndexError;

/// Writes the mark when it is dropped: a store keeps it as its last field, behind what is open.
#[derive(Debug)]
pub(super) struct Mark {
    store: PathBuf,
}

impl Mark {
    /// The mark of a store that is open from now on.
    pub(super) fn of(store: &Path) -> Self {
        Self { store: store.to_owned() }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // Without it the next start only takes longer.
        let _ = File::create(file(&self.store)).and_then(|mut file| file.write_all(facts(&self.store).as_bytes()));
    }
}

/// True when the store was closed whole and nobody touched it since.
pub(super) fn fits(store: &Path) -> bool {
    fs::read_to_string(file(store)).is_ok_and(|text| text == facts(store))
}

/// Takes the mark away, durably: from now on the store counts as open.
pub(super) fn lift(store: &Path) -> Result<(), IndexError> {
    let file = file(store);
    match fs::remove_file(&file) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        done => done.map_err(|e| store::refused(&file, "removed", e))?,
    }
    let folder = file.parent().unwrap_or(store);
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| store::refused(folder, "synced", e))
}

fn file(store: &Path) -> PathBuf {
    store.with_extension("closed")
}

/// Names, lengths and times of the store's files.
fn facts(store: &Path) -> String {
    let mut text = String::new();
    for file in store::files(store) {
        let Ok(facts) = fs::metadata(&file) else { continue };
        let time = facts.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        let name = file.strip_prefix(store).unwrap_or(&file).display();
        let _ = writeln!(text, "{name} {} {}", facts.len(), time.unwrap_or_default().as_nanos());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_fits_until_something_is_touched() {
        let home = tempfile::tempdir().expect("folder");
        let store = home.path().join("entries");
        fs::create_dir_all(store.join("blobs")).expect("folders");
        let put = |name: &str, text: &str| File::create(store.join(name)).expect("file").write_all(text.as_bytes());
        put("db", "bytes").expect("written");
        assert!(!fits(&store));
        drop(Mark::of(&store));
        assert!(fits(&store));
        put("blobs/1", "x").expect("written");
        assert!(!fits(&store));
        drop(Mark::of(&store));
        assert!(fits(&store));
        File::options().append(true).open(store.join("db")).expect("file").write_all(b"x").expect("written");
        assert!(!fits(&store));
        drop(Mark::of(&store));
        lift(&store).expect("lifted");
        lift(&store).expect("lifted again");
        assert!(!fits(&store));
    }
}
