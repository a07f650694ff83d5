//! A store that was not closed whole is tried; one that cannot be believed is set aside.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::mark;
use super::probe::{Guard, Verdict};
use super::store::{self, refused};
use super::{Kind, SHOWN};
use crate::index::IndexError;

/// So many stores that were set aside are kept: for whoever wants to know what happened.
const KEPT: usize = 2;

/// What a trial write holds (bytes): sled writes in pieces of this size.
const TRIAL: usize = 512 << 10;

/// Makes sure that the store can be opened, or is not there any more; says what was mended.
///
/// A damaged snapshot can be made again from the rest. But where the rest is damaged, sled comes up
/// without it as if the store were empty: what comes out is tried like the first.
pub(super) fn mend(guard: &Guard, kind: Kind, path: &Path) -> Result<Option<String>, IndexError> {
    if !path.exists() || mark::fits(path) {
        return Ok(None);
    }
    let Verdict::Suspect(cause) = guard.try_store(kind, path)? else { return Ok(None) };
    disk_answers(path)?;
    if drop_snapshots(path)? && matches!(guard.try_store(kind, path)?, Verdict::Sound) {
        let name = path.display();
        return Ok(Some(format!("`{name}` could not be opened: {}; without its snapshot it could", shown(&cause))));
    }
    set_aside(path, &cause).map(Some)
}

/// Moves a damaged store out of the way; says so. Everything in it comes back from the archive.
pub(super) fn set_aside(path: &Path, cause: &str) -> Result<String, IndexError> {
    disk_answers(path)?;
    mark::lift(path)?;
    let mut former = former(path);
    let number = former.last().map_or(1, |(number, _)| number + 1);
    let aside = aside(path, number);
    fs::rename(path, &aside).map_err(|e| refused(path, "set aside", e))?;
    former.push((number, aside.clone()));
    for (_, old) in former.iter().rev().skip(KEPT) {
        let removed = if old.is_dir() { fs::remove_dir_all(old) } else { fs::remove_file(old) };
        removed.map_err(|e| refused(old, "removed", e))?;
    }
    Ok(format!(
        "`{}` could not be used: {}; it was set aside as `{}`, and what it held is taken from the archive",
        path.display(),
        shown(cause),
        aside.display()
    ))
}

/// Damage is told from a disk that does not do its work by asking the disk: it has to give every
/// byte of the store and take a few. Its failure is the error, and nothing is thrown away.
fn disk_answers(path: &Path) -> Result<(), IndexError> {
    let store = path.to_owned();
    let answer = store::within(store::limit(path), move || {
        for file in store::files(&store) {
            read_through(&file).map_err(|e| refused(&file, "read", e))?;
        }
        let trial = store.with_extension("trial");
        let written = File::create(&trial).and_then(|mut file| {
            file.write_all(&vec![0; TRIAL])?;
            file.sync_all()
        });
        let removed = fs::remove_file(&trial);
        written.and(removed).map_err(|e| refused(&trial, "written", e))
    });
    answer.unwrap_or_else(|| Err(refused(path, "read", "the disk does not answer")))
}

fn read_through(file: &Path) -> io::Result<()> {
    let mut file = File::open(file)?;
    let mut block = vec![0; TRIAL];
    while file.read(&mut block)? > 0 {}
    Ok(())
}

/// Removes sled's snapshots; says whether there were any.
fn drop_snapshots(path: &Path) -> Result<bool, IndexError> {
    let mut dropped = false;
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let file = entry.path();
        if entry.file_name().to_string_lossy().starts_with("snap.") && !file.is_dir() {
            fs::remove_file(&file).map_err(|e| refused(&file, "removed", e))?;
            dropped = true;
        }
    }
    Ok(dropped)
}

/// Stores that were set aside before, by number.
fn former(path: &Path) -> Vec<(u32, PathBuf)> {
    let prefix = format!("{}.damaged-", path.file_name().unwrap_or_default().to_string_lossy());
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok());
    let numbered = entries.into_iter().flatten().flatten().filter_map(|entry| {
        let number = entry.file_name().to_str()?.strip_prefix(&prefix)?.parse().ok()?;
        Some((number, entry.path()))
    });
    let mut found: Vec<(u32, PathBuf)> = numbered.collect();
    found.sort();
    found
}

fn aside(path: &Path, number: u32) -> PathBuf {
    path.with_extension(format!("damaged-{number}"))
}

/// A cause is a part of a sentence, whatever the store's bytes put into it.
fn shown(cause: &str) -> String {
    let line = cause.lines().next().unwrap_or_default();
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_few_are_kept() {
        let home = tempfile::tempdir().expect("folder");
        let store = home.path().join("entries");
        for number in 1..=4 {
            fs::create_dir_all(&store).expect("folder");
            let told = set_aside(&store, "a\nreason").expect("set aside");
            assert!(told.contains(&format!("entries.damaged-{number}`")) && told.contains(": a; "), "{told}");
        }
        let kept: Vec<u32> = former(&store).into_iter().map(|(number, _)| number).collect();
        assert_eq!(kept, [3, 4]);
    }

    #[test]
    fn a_disk_that_does_not_give_the_bytes_is_not_damage() {
        let home = tempfile::tempdir().expect("folder");
        let store = home.path().join("entries");
        fs::create_dir_all(&store).expect("folder");
        assert!(disk_answers(&store).is_ok());
        // Reading the first page of one's own memory fails with EIO.
        std::os::unix::fs::symlink("/proc/self/mem", store.join("db")).expect("link");
        if fs::read("/proc/self/mem").is_err_and(|e| e.raw_os_error() == Some(5)) {
            assert!(matches!(set_aside(&store, "x"), Err(IndexError::Store { .. })));
            assert!(store.exists());
        }
    }
}
