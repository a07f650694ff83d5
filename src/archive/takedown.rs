//! What a takedown removes: the one exception to "never changed afterwards".

use std::path::Path;

use super::folder::{FolderArchive, failed, unread};
use super::raw::RawPoll;
use super::{ArchiveError, Line};
use crate::model::{EntryKey, LedgerPosition, PostPath};

impl FolderArchive {
    /// Removes the post, its former versions and its raw fragments. Doing it again does no harm.
    pub(super) fn take_down(&self, line: &Line) -> Result<(), ArchiveError> {
        let lines = self.ledger_files().lines_after(&LedgerPosition::default())?;
        let of_entry = || lines.iter().filter(|other| other.key == line.key);
        for path in of_entry().filter_map(|line| line.path.as_deref()).filter_map(PostPath::parse) {
            self.remove(&self.root.join(path.as_str()))?;
        }
        let folder = self.root.join(format!("_revisions/{}", line.key));
        for file in self.disk.list(&folder).map_err(|e| unread(&folder, e))? {
            self.remove(&file)?;
        }
        for other in of_entry() {
            if let Some(feed) = &other.feed {
                self.without_fragments(&self.root.join(RawPoll::path_of(feed, other.seen)), line.key)?;
            }
        }
        Ok(())
    }

    fn without_fragments(&self, file: &Path, key: EntryKey) -> Result<(), ArchiveError> {
        let Some(_) = self.disk.length(file).map_err(|e| unread(file, e))? else { return Ok(()) };
        let bytes = self.disk.read(file, 0).map_err(|e| unread(file, e))?;
        let mut poll = RawPoll::from_bytes(&bytes).map_err(|e| unread(file, e))?;
        let before = poll.fragments.len();
        poll.fragments.retain(|fragment| fragment.key != key);
        if poll.fragments.is_empty() {
            self.remove(file)
        } else if poll.fragments.len() < before {
            self.replace(file, &poll.to_bytes().map_err(|e| failed(file, "written", e))?)
        } else {
            Ok(())
        }
    }

    fn remove(&self, file: &Path) -> Result<(), ArchiveError> {
        self.disk.remove(file).map_err(|e| failed(file, "removed", e))?;
        match file.parent() {
            Some(folder) if self.disk.is_folder(folder).map_err(|e| unread(folder, e))? => {
                self.disk.sync_folder(folder).map_err(|e| failed(folder, "synced", e))
            }
            _ => Ok(()),
        }
    }
}
