//! A disk in memory that fails when told to, and that forgets what was not synced when the power goes.
//!
//! It is harsher than real file systems: a synced file's name is lost with its folder, a synced
//! folder's own name with the folder above, and names that were not synced are lost one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use feedmill::disk::Disk;

use super::faults::{Does, Fate, Faults, Turn};
use crate::newsroom::Dice;

/// The disk as one process sees it.
#[derive(Debug)]
pub struct FaultDisk {
    pub platter: Arc<Mutex<Platter>>,
    pub faults: Arc<Faults>,
    /// Whether the platform can sync everything at once.
    pub syncs_all: bool,
}

/// What is on the disk, and what would be after a power loss.
#[derive(Clone, Debug)]
pub struct Platter {
    names: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    /// Changes of names that `durable` does not have yet.
    pending: Vec<Naming>,
    files: BTreeMap<u64, Content>,
    next: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Folder,
    File(u64),
}

#[derive(Clone, Debug)]
struct Content {
    now: Arc<Vec<u8>>,
    synced: Arc<Vec<u8>>,
    /// So many bytes from its beginning on were not touched since.
    intact: usize,
}

#[derive(Clone, Debug)]
enum Naming {
    Make(PathBuf, Node),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl Naming {
    /// The folder whose names it changes; nothing here renames from one folder into another.
    fn folder(&self) -> &Path {
        let (Self::Make(path, _) | Self::Remove(path) | Self::Rename(_, path)) = self;
        path.parent().expect("a folder")
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Make(path, node) => {
                names.insert(path.clone(), *node);
            }
            Self::Remove(path) => {
                names.remove(path);
            }
            Self::Rename(from, to) => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
        }
    }
}

impl Platter {
    /// A disk with nothing but the folder `/`.
    pub fn empty() -> Self {
        let root = BTreeMap::from([(PathBuf::from("/"), Node::Folder)]);
        Self { names: root.clone(), durable: root, pending: Vec::new(), files: BTreeMap::new(), next: 0 }
    }

    /// Every file with its bytes.
    pub fn files(&self) -> BTreeMap<PathBuf, Arc<Vec<u8>>> {
        let file = |(path, node): (&PathBuf, &Node)| match node {
            Node::File(id) => Some((path.clone(), Arc::clone(&self.files[id].now))),
            Node::Folder => None,
        };
        self.names.iter().filter_map(file).collect()
    }

    /// Somebody else puts a file here.
    pub fn put(&mut self, path: &str, bytes: &[u8]) {
        let path = Path::new(path);
        self.make_folder(path.parent().expect("a folder"));
        self.open(path).expect("a file").put(0, bytes);
        self.sync_all();
    }

    /// The power goes and comes back.
    pub fn lose_power(&mut self, fate: Fate) {
        let mut dice = Dice(if let Fate::Mixed(seed) = fate { seed } else { 0 });
        match fate {
            Fate::Kept => {}
            Fate::Lost => {
                self.names = self.durable.clone();
                self.files.values_mut().for_each(|file| file.now = Arc::clone(&file.synced));
            }
            Fate::Torn => self.files.values_mut().for_each(|file| file.tear(2)),
            Fate::Mixed(_) => {
                self.names = self.survivors(&mut dice);
                self.files.values_mut().for_each(|file| file.tear(dice.below(5)));
            }
        }
        // What lies in a folder that is gone cannot be reached.
        let names = self.names.clone();
        let reachable = |path: &Path| path.ancestors().all(|part| names.contains_key(part));
        self.names.retain(|path, _| reachable(path));
        self.durable = self.names.clone();
        self.pending.clear();
        self.files.values_mut().for_each(Content::sync);
    }

    /// The durable names with some of the later changes: one that is lost takes along those that
    /// follow from it.
    fn survivors(&self, dice: &mut Dice) -> BTreeMap<PathBuf, Node> {
        let mut names = self.durable.clone();
        let mut lost: BTreeSet<&Path> = BTreeSet::new();
        for change in &self.pending {
            let paths: Vec<&Path> = match change {
                Naming::Make(path, _) | Naming::Remove(path) => vec![path],
                Naming::Rename(from, to) => vec![from, to],
            };
            if dice.below(2) == 0 || paths.iter().any(|path| lost.contains(path)) {
                lost.extend(paths);
            } else {
                change.apply(&mut names);
            }
        }
        names
    }

    fn missing(path: &Path) -> io::Error {
        io::Error::new(io::ErrorKind::NotFound, path.display().to_string())
    }

    fn id(&self, path: &Path) -> io::Result<u64> {
        match self.names.get(path) {
            Some(Node::File(id)) => Ok(*id),
            Some(Node::Folder) => Err(io::Error::new(io::ErrorKind::IsADirectory, path.display().to_string())),
            None => Err(Self::missing(path)),
        }
    }

    fn change(&mut self, change: Naming) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    fn make_folder(&mut self, folder: &Path) {
        let mut above: Vec<&Path> = folder.ancestors().collect();
        above.reverse();
        for part in above {
            if !self.names.contains_key(part) {
                self.change(Naming::Make(part.to_owned(), Node::Folder));
            }
        }
    }

    /// The file of a name, made when there is none.
    fn open(&mut self, path: &Path) -> io::Result<&mut Content> {
        if !self.names.contains_key(path) {
            let folder = path.parent().expect("a folder");
            if self.names.get(folder) != Some(&Node::Folder) {
                return Err(Self::missing(folder));
            }
            self.next += 1;
            let empty = Arc::new(Vec::new());
            self.files.insert(self.next, Content { now: Arc::clone(&empty), synced: empty, intact: 0 });
            self.change(Naming::Make(path.to_owned(), Node::File(self.next)));
        }
        let id = self.id(path)?;
        Ok(self.files.get_mut(&id).expect("file"))
    }

    fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        if self.names.get(folder) != Some(&Node::Folder) {
            return Err(Self::missing(folder));
        }
        let Self { pending, durable, .. } = self;
        pending.retain(|change| {
            let is_here = change.folder() == folder;
            if is_here {
                change.apply(durable);
            }
            !is_here
        });
        Ok(())
    }

    fn sync_all(&mut self) {
        self.durable = self.names.clone();
        self.pending.clear();
        self.files.values_mut().for_each(Content::sync);
    }
}

impl Content {
    fn sync(&mut self) {
        self.synced = Arc::clone(&self.now);
        self.intact = self.now.len();
    }

    /// Cuts the file and writes behind that.
    fn put(&mut self, at: usize, bytes: &[u8]) {
        let mut all = self.now.to_vec();
        all.resize(at, 0);
        all.extend_from_slice(bytes);
        self.now = Arc::new(all);
        self.intact = self.intact.min(at);
    }

    /// What is left of bytes that were not synced.
    fn tear(&mut self, how: usize) {
        if self.now == self.synced {
            return;
        }
        let (now, intact) = (&self.now, self.intact);
        self.now = match how {
            0 => Arc::clone(&self.synced),
            1 => Arc::clone(now),
            // The new bytes end in the middle.
            2 => Arc::new(now[..intact + (now.len() - intact) / 2].to_vec()),
            // The length is there and the bytes are not.
            3 => Arc::new([&now[..intact], &vec![0; now.len() - intact]].concat()),
            // It was cut, and that is all.
            _ => Arc::new(now[..intact].to_vec()),
        };
    }
}

impl FaultDisk {
    /// Runs a step that is done wholly or not at all.
    fn step<T>(
        &self,
        what: &str,
        path: &Path,
        does: Does,
        work: impl FnOnce(&mut Platter) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut platter = self.platter.lock().expect("platter");
        match self.faults.turn(|| format!("{what} {}", path.display()), does) {
            Turn::Well => work(&mut platter),
            Turn::Refuse(error) | Turn::Halve(error) => Err(error),
            Turn::Deny(error) => work(&mut platter).and(Err(error)),
        }
    }

    /// Runs a write, which can be done by half.
    fn fill(
        &self,
        what: &str,
        path: &Path,
        bytes: &[u8],
        work: impl FnOnce(&mut Platter, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut platter = self.platter.lock().expect("platter");
        // Cutting a file needs no room.
        let does = if bytes.is_empty() { Does::Change } else { Does::Fill };
        match self.faults.turn(|| format!("{what} {}", path.display()), does) {
            Turn::Well => work(&mut platter, bytes),
            Turn::Refuse(error) => Err(error),
            Turn::Halve(error) => work(&mut platter, &bytes[..bytes.len() / 2]).and(Err(error)),
            Turn::Deny(error) => work(&mut platter, bytes).and(Err(error)),
        }
    }
}

impl Disk for FaultDisk {
    fn read(&self, path: &Path, from: u64) -> io::Result<Vec<u8>> {
        self.step("read", path, Does::Read, |platter| {
            let bytes = &platter.files[&platter.id(path)?].now;
            Ok(bytes.get(usize::try_from(from).expect("small")..).unwrap_or_default().to_vec())
        })
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        self.step("length of", path, Does::Read, |platter| match platter.names.get(path) {
            Some(Node::File(id)) => Ok(Some(platter.files[id].now.len() as u64)),
            Some(Node::Folder) => Ok(Some(0)),
            None => Ok(None),
        })
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        self.step("list", folder, Does::Read, |platter| {
            let below = platter.names.range(folder.to_owned()..).map(|(path, _)| path);
            let below = below.take_while(|path| path.starts_with(folder));
            Ok(below.filter(|path| path.parent() == Some(folder)).cloned().collect())
        })
    }

    fn is_folder(&self, path: &Path) -> io::Result<bool> {
        self.step("kind of", path, Does::Read, |platter| Ok(platter.names.get(path) == Some(&Node::Folder)))
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        let is_there = self.platter.lock().expect("platter").names.contains_key(folder);
        let does = if is_there { Does::Read } else { Does::Fill };
        self.step("make", folder, does, |platter| {
            platter.make_folder(folder);
            Ok(())
        })
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.fill("write", path, bytes, |platter, bytes| {
            platter.open(path)?.put(0, bytes);
            Ok(())
        })
    }

    fn append(&self, path: &Path, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.fill("append to", path, bytes, |platter, bytes| {
            platter.open(path)?.put(usize::try_from(at).expect("small"), bytes);
            Ok(())
        })
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.step("sync", path, Does::Change, |platter| {
            let id = platter.id(path)?;
            platter.files.get_mut(&id).expect("file").sync();
            Ok(())
        })
    }

    fn sync_all(&self, root: &Path) -> io::Result<bool> {
        if !self.syncs_all {
            return Ok(false);
        }
        self.step("sync all below", root, Does::Change, |platter| {
            platter.sync_all();
            Ok(true)
        })
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.step("sync the names in", folder, Does::Change, |platter| platter.sync_folder(folder))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("rename", to, Does::Change, |platter| {
            platter.id(from)?;
            platter.change(Naming::Rename(from.to_owned(), to.to_owned()));
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step("remove", path, Does::Change, |platter| {
            match platter.id(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                other => other?,
            };
            platter.change(Naming::Remove(path.to_owned()));
            Ok(())
        })
    }
}
