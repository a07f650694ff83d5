//! A disk in memory that never fails and forgets nothing.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use feedmill::disk::Disk;

/// Files by path; a folder has no bytes.
#[derive(Debug, Default)]
pub struct MemoryDisk(Mutex<BTreeMap<PathBuf, Option<Vec<u8>>>>);

impl MemoryDisk {
    /// The files below a folder.
    pub fn below(&self, folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let all = self.0.lock().expect("disk");
        let files = all.iter().filter(|(path, _)| path.starts_with(folder));
        files.filter_map(|(path, bytes)| Some((path.clone(), bytes.clone()?))).collect()
    }

    fn with<T>(&self, path: &Path, work: impl FnOnce(&mut Vec<u8>) -> T) -> io::Result<T> {
        let mut all = self.0.lock().expect("disk");
        match all.get_mut(path) {
            Some(Some(bytes)) => Ok(work(bytes)),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Disk for MemoryDisk {
    fn read(&self, path: &Path, from: u64) -> io::Result<Vec<u8>> {
        self.with(path, |bytes| bytes.get(usize::try_from(from).expect("small")..).unwrap_or_default().to_vec())
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        Ok(self.0.lock().expect("disk").get(path).map(|bytes| bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let all = self.0.lock().expect("disk");
        let below = all.range(folder.to_owned()..).map(|(path, _)| path).take_while(|path| path.starts_with(folder));
        Ok(below.filter(|path| path.parent() == Some(folder)).cloned().collect())
    }

    fn is_folder(&self, path: &Path) -> io::Result<bool> {
        Ok(self.0.lock().expect("disk").get(path) == Some(&None))
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let mut all = self.0.lock().expect("disk");
        for folder in folder.ancestors() {
            all.entry(folder.to_owned()).or_insert(None);
        }
        Ok(())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().expect("disk").insert(path.to_owned(), Some(bytes.to_vec()));
        Ok(())
    }

    fn append(&self, path: &Path, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut all = self.0.lock().expect("disk");
        let file = all.entry(path.to_owned()).or_insert(None).get_or_insert_default();
        file.resize(usize::try_from(at).expect("small"), 0);
        file.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.with(path, |_| ())
    }

    fn sync_all(&self, _: &Path) -> io::Result<bool> {
        Ok(true)
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut all = self.0.lock().expect("disk");
        let bytes = all.remove(from).ok_or(io::ErrorKind::NotFound)?;
        all.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.lock().expect("disk").remove(path);
        Ok(())
    }
}
