//! What a takedown removes: the one exception to "never changed afterwards".

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::folder::{FolderArchive, failed, unread};
use super::raw::RawPoll;
use super::{ArchiveError, Line};
use crate::model::{EntryKey, LedgerPosition, PostPath};

impl FolderArchive {
    /// Removes the post, its former versions and its raw fragments. Doing it again does no harm. Says which raw files
    /// went whole.
    pub(super) fn take_down(&self, line: &Line) -> Result<Vec<String>, ArchiveError> {
        let lines = self.ledger_files().lines_after(&LedgerPosition::default())?;
        let of_entry = || lines.iter().filter(|other| other.key == line.key);
        let posts = of_entry().filter_map(|line| line.path.as_deref()).filter_map(PostPath::parse);
        let mut files: BTreeSet<PathBuf> = posts.map(|path| self.root.join(path.as_str())).collect();
        let folder = self.root.join(format!("_revisions/{}", line.key));
        files.extend(self.disk.list(&folder).map_err(|e| unread(&folder, e))?);
        for file in &files {
            self.disk.remove(file).map_err(|e| failed(file, "removed", e))?;
        }
        let raw = of_entry().filter_map(|line| Some(RawPoll::path_of(line.feed.as_ref()?, line.seen)));
        let raw: BTreeSet<PathBuf> = raw.map(|path| self.root.join(path)).collect();
        let mut said = Vec::new();
        for file in &raw {
            said.extend(self.without_fragments(file, line.key)?);
        }
        // All folders, whatever was still to be done in them: a former run may have failed here.
        let mut folders = BTreeSet::from([folder]);
        folders.extend(files.iter().chain(&raw).filter_map(|file| file.parent()).map(Path::to_owned));
        for folder in folders {
            if self.disk.is_folder(&folder).map_err(|e| unread(&folder, e))? {
                self.disk.sync_folder(&folder).map_err(|e| failed(&folder, "synced", e))?;
            }
        }
        Ok(said)
    }

    /// Takes an entry's fragments out of a raw file. One that is damaged cannot be sifted and may hold them, so it goes
    /// whole, as raw files may; then a sentence says so.
    fn without_fragments(&self, file: &Path, key: EntryKey) -> Result<Option<String>, ArchiveError> {
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
        poll.fragments.retain(|fragment| fragment.key != key);
        if poll.fragments.is_empty() {
            self.disk.remove(file).map_err(|e| failed(file, "removed", e))?;
        } else if poll.fragments.len() < before {
            self.replace(file, &poll.to_bytes().map_err(|e| failed(file, "written", e))?)?;
        }
        Ok(None)
    }
}
