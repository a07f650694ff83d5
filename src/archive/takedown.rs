//! What a takedown removes: the one exception to "never changed afterwards".

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::folder::{FolderArchive, failed, unread};
use super::raw::RawPoll;
use super::{ArchiveError, Line, Op};
use crate::model::{EntryKey, LedgerPosition, PostPath};

/// What the ledger names of some entries.
#[derive(Default)]
struct Named {
    posts: BTreeSet<String>,
    raw: BTreeSet<String>,
}

impl FolderArchive {
    /// Removes the post, its former versions and its raw fragments. Doing it again does no harm. Says which raw files
    /// went whole.
    pub(super) fn take_down(&self, line: &Line) -> Result<Vec<String>, ArchiveError> {
        self.take_all_down(&BTreeSet::from([line.key]))
    }

    /// Does that for several entries, with one look through the ledger.
    pub(super) fn take_all_down(&self, keys: &BTreeSet<EntryKey>) -> Result<Vec<String>, ArchiveError> {
        let named = self.named(keys)?;
        let posts = named.posts.iter().filter_map(|path| PostPath::parse(path));
        let mut files: BTreeSet<PathBuf> = posts.map(|path| self.root.join(path.as_str())).collect();
        let mut folders = BTreeSet::new();
        for key in keys {
            let folder = self.root.join(format!("_revisions/{key}"));
            files.extend(self.disk.list(&folder).map_err(|e| unread(&folder, e))?);
            folders.insert(folder);
        }
        for file in &files {
            self.disk.remove(file).map_err(|e| failed(file, "removed", e))?;
        }
        let raw: Vec<PathBuf> = named.raw.iter().map(|path| self.root.join(path)).collect();
        let mut said = Vec::new();
        for file in &raw {
            said.extend(self.without_fragments(file, keys)?);
        }
        // All folders, whatever was still to be done in them: a former run may have failed here.
        folders.extend(files.iter().chain(&raw).filter_map(|file| file.parent()).map(Path::to_owned));
        for folder in folders {
            if self.disk.is_folder(&folder).map_err(|e| unread(&folder, e))? {
                self.disk.sync_folder(&folder).map_err(|e| failed(&folder, "synced", e))?;
            }
        }
        Ok(said)
    }

    /// Where posts and fragments of entries lie. A path that another entry has taken since is not theirs any more.
    fn named(&self, keys: &BTreeSet<EntryKey>) -> Result<Named, ArchiveError> {
        let (mut named, mut position) = (Named::default(), LedgerPosition::default());
        loop {
            let (lines, next) = self.ledger_files().some_lines_after(&position)?;
            if next == position {
                return Ok(named);
            }
            position = next;
            for line in lines.into_iter().filter(|line| line.op != Op::Forget) {
                if keys.contains(&line.key) {
                    named.raw.extend(line.feed.map(|feed| RawPoll::path_of(&feed, line.seen)));
                    named.posts.extend(line.path);
                } else if let Some(path) = line.path {
                    named.posts.remove(&path);
                }
            }
        }
    }

    /// Takes fragments out of a raw file. One that is damaged cannot be sifted and may hold them, so it goes whole, as
    /// raw files may; then a sentence says so.
    fn without_fragments(&self, file: &Path, keys: &BTreeSet<EntryKey>) -> Result<Option<String>, ArchiveError> {
        let Some(_) = self.disk.length(file).map_err(|e| unread(file, e))? else { return Ok(None) };
        let bytes = self.disk.read(file, 0).map_err(|e| unread(file, e))?;
        let mut poll = match RawPoll::from_bytes(&bytes) {
            Ok(poll) => poll,
            Err(cause) => {
                self.disk.remove(file).map_err(|e| failed(file, "removed", e))?;
                let name = file.strip_prefix(&self.root).unwrap_or(file).display();
                return Ok(Some(format!(
                    "`{name}` is damaged: {cause}; it was removed whole, since what was taken down may stand in it"
                )));
            }
        };
        let before = poll.fragments.len();
        poll.fragments.retain(|fragment| !keys.contains(&fragment.key));
        if poll.fragments.is_empty() {
            self.disk.remove(file).map_err(|e| failed(file, "removed", e))?;
        } else if poll.fragments.len() < before {
            self.replace(file, &poll.to_bytes().map_err(|e| failed(file, "written", e))?)?;
        }
        Ok(None)
    }
}
