//! The archive as a folder: temporary files and ledger lines, one sync, renames, folder sync.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Archive, ArchiveError, Batch, Kept, Line, SiteFacts, SourceLine};
use crate::model::{EntryKey, LedgerPosition, Post, PostPath, Timestamp, hex};
use crate::post::{self, Layout};

/// Up to this many files are synced one by one; for more, one sync of the file system is cheaper.
const SYNC_SINGLY: usize = 4;

/// An archive in a folder of the local disk.
#[derive(Clone, Debug)]
pub struct FolderArchive {
    root: PathBuf,
    layout: Layout,
}

/// A file written under a temporary name, and the name it will take.
struct Pending {
    temporary: PathBuf,
    last: PathBuf,
}

impl FolderArchive {
    /// An archive below `root`; folders are made when something is written.
    pub fn new(root: PathBuf, layout: Layout) -> Self {
        Self { root, layout }
    }

    /// Makes sure that the archive can be written, before anything is fetched for it.
    pub fn ready(&self) -> Result<(), ArchiveError> {
        for folder in ["_posts", "_ledger"] {
            let folder = self.root.join(folder);
            fs::create_dir_all(&folder).map_err(|e| failed(&folder, "made", e))?;
            // Asked, not tried: a trial file would touch the folder at every poll.
            let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
            rustix::fs::access(&folder, access).map_err(|e| failed(&folder, "written", e.into()))?;
        }
        Ok(())
    }

    fn write_batch(&self, batch: Batch) -> Result<Vec<Line>, ArchiveError> {
        let mut pending = Vec::new();
        let mut lines = Vec::new();
        for kept in batch.posts {
            lines.push(self.prepare(kept, &mut pending)?);
        }
        lines.extend(batch.notes);
        let mut appended = self.append_ledger(&lines)?;
        if let Some(source) = &batch.source {
            appended.push(append(&self.ledger_folder().join("sources.jsonl"), &json_line(source)?)?);
        }
        self.sync(&pending, &appended)?;
        let mut folders = BTreeSet::new();
        for file in &pending {
            fs::rename(&file.temporary, &file.last).map_err(|e| failed(&file.last, "put in place", e))?;
            // A new folder is durable only when its parent is.
            folders.extend(file.last.ancestors().skip(1).take_while(|f| f.starts_with(&self.root)).map(Path::to_owned));
        }
        if !appended.is_empty() {
            folders.insert(self.ledger_folder());
        }
        folders.iter().try_for_each(|folder| sync_folder(folder))?;
        Ok(lines)
    }

    /// Writes a post under a temporary name and completes its ledger line.
    fn prepare(&self, kept: Kept, pending: &mut Vec<Pending>) -> Result<Line, ArchiveError> {
        let path = match &kept.replaces {
            Some((path, number)) => {
                let former =
                    fs::read(self.root.join(path.as_str())).map_err(|e| unread(&self.root.join(path.as_str()), e))?;
                let copy = self.root.join(format!("_revisions/{}/{number}.md", kept.post.key));
                pending.push(write_temporary(&copy, &former)?);
                path.clone()
            }
            None => self.free_path(&kept.post)?,
        };
        let text = post::to_text(&kept.post);
        pending.push(write_temporary(&self.root.join(path.as_str()), text.as_bytes())?);
        Ok(Line { path: Some(path.to_string()), sha256: Some(sha256_hex(text.as_bytes())), ..kept.line })
    }

    /// The shortest name that is free, or already this entry's.
    fn free_path(&self, post: &Post) -> Result<PostPath, ArchiveError> {
        for digits in [8, 16, 64] {
            let Some(path) = post::path(post, self.layout, digits) else { break };
            let file = self.root.join(path.as_str());
            match fs::read(&file) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(path),
                Err(e) => return Err(failed(&file, "written", e)),
                Ok(bytes) if key_of_post(&bytes) == Some(post.key) => return Ok(path),
                Ok(_) => {}
            }
        }
        Err(ArchiveError::NoName(post.key))
    }

    fn append_ledger(&self, lines: &[Line]) -> Result<Vec<PathBuf>, ArchiveError> {
        let Some(first) = lines.first() else { return Ok(Vec::new()) };
        let mut text = String::new();
        for line in lines {
            text.push_str(&json_line(line)?);
        }
        let file = self.ledger_folder().join(format!("{}.jsonl", first.seen.month()));
        Ok(vec![append(&file, &text)?])
    }

    fn sync(&self, pending: &[Pending], appended: &[PathBuf]) -> Result<(), ArchiveError> {
        if pending.len() > SYNC_SINGLY && sync_file_system(&self.root)? {
            return Ok(());
        }
        let written = pending.iter().map(|file| &file.temporary).chain(appended);
        for path in written {
            File::open(path).and_then(|file| file.sync_all()).map_err(|e| failed(path, "synced", e))?;
        }
        Ok(())
    }

    fn ledger_folder(&self) -> PathBuf {
        self.root.join("_ledger")
    }

    /// The ledger's month files, sorted by name.
    fn ledger_files(&self) -> Result<Vec<PathBuf>, ArchiveError> {
        let folder = self.ledger_folder();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(unread(&folder, e)),
        };
        let mut files: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_month_file(path)).collect();
        files.sort();
        Ok(files)
    }

    fn ledger_position(&self) -> Result<LedgerPosition, ArchiveError> {
        self.ledger_files()?
            .into_iter()
            .map(|path| {
                let length = fs::metadata(&path).map_err(|e| unread(&path, e))?.len();
                Ok((file_name(&path), length))
            })
            .collect()
    }

    fn ledger_after(&self, known: &LedgerPosition) -> Result<Vec<Line>, ArchiveError> {
        let mut lines = Vec::new();
        for path in self.ledger_files()? {
            let name = file_name(&path);
            let start = known.iter().find(|(file, _)| *file == name).map_or(0, |(_, length)| *length);
            let text = read_from(&path, start)?;
            // A torn last line was never acknowledged; it is not part of the ledger.
            lines.extend(text.lines().filter_map(|line| serde_json::from_str(line).ok()));
        }
        Ok(lines)
    }

    fn read_small(&self, relative: &str) -> Result<Option<String>, ArchiveError> {
        let path = self.root.join(relative);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(unread(&path, e)),
        }
    }

    fn replace_small(&self, relative: &str, text: &str) -> Result<(), ArchiveError> {
        if self.read_small(relative)?.as_deref() == Some(text) {
            return Ok(());
        }
        let file = write_temporary(&self.root.join(relative), text.as_bytes())?;
        File::open(&file.temporary).and_then(|f| f.sync_all()).map_err(|e| failed(&file.temporary, "synced", e))?;
        fs::rename(&file.temporary, &file.last).map_err(|e| failed(&file.last, "put in place", e))?;
        sync_folder(&self.ledger_folder())
    }

    fn facts(&self, authority: &str, now: Timestamp) -> Result<SiteFacts, ArchiveError> {
        let relative = "_ledger/site.json";
        if let Some(text) = self.read_small(relative)? {
            return serde_json::from_str(&text)
                .map_err(|e| ArchiveError::Damaged { path: self.root.join(relative), cause: e.to_string() });
        }
        let facts = SiteFacts { format: 1, tag_authority: authority.to_owned(), tag_date: now.day() };
        self.replace_small(relative, &json_line(&facts)?)?;
        Ok(facts)
    }

    fn read_post(&self, path: &PostPath) -> Result<Post, ArchiveError> {
        let file = self.root.join(path.as_str());
        let text = fs::read_to_string(&file).map_err(|e| unread(&file, e))?;
        post::from_text(&text).map_err(|cause| ArchiveError::Post { path: path.to_string(), cause })
    }

    fn source_lines(&self) -> Result<Vec<SourceLine>, ArchiveError> {
        let text = self.read_small("_ledger/sources.jsonl")?.unwrap_or_default();
        let mut lines: Vec<SourceLine> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        lines.sort_by_key(|line| line.seen);
        Ok(lines)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, ArchiveError> + Send + 'static,
    ) -> Result<T, ArchiveError> {
        let archive = self.clone();
        tokio::task::spawn_blocking(move || work(&archive))
            .await
            .map_err(|e| failed(&self.root, "used", io::Error::other(e)))?
    }
}

impl Archive for FolderArchive {
    async fn write_all(&self, batch: Batch) -> Result<Vec<Line>, ArchiveError> {
        self.blocking(move |archive| archive.write_batch(batch)).await
    }

    async fn read(&self, path: &PostPath) -> Result<Post, ArchiveError> {
        let path = path.clone();
        self.blocking(move |archive| archive.read_post(&path)).await
    }

    async fn missing(&self, mut paths: BTreeSet<String>) -> Result<BTreeSet<String>, ArchiveError> {
        self.blocking(move |archive| {
            // Only a clear "not there" counts: a disk that does not answer has lost nothing.
            let gone = |path: &str| {
                let found = fs::symlink_metadata(archive.root.join(path));
                found.is_err_and(|e| e.kind() == io::ErrorKind::NotFound)
            };
            paths.retain(|path| gone(path));
            Ok(paths)
        })
        .await
    }

    async fn position(&self) -> Result<LedgerPosition, ArchiveError> {
        self.blocking(Self::ledger_position).await
    }

    async fn lines_after(&self, known: &LedgerPosition) -> Result<Vec<Line>, ArchiveError> {
        let known = known.clone();
        self.blocking(move |archive| archive.ledger_after(&known)).await
    }

    async fn sources(&self) -> Result<Vec<SourceLine>, ArchiveError> {
        self.blocking(Self::source_lines).await
    }

    async fn site_facts(&self, authority: &str, now: Timestamp) -> Result<SiteFacts, ArchiveError> {
        let authority = authority.to_owned();
        self.blocking(move |archive| archive.facts(&authority, now)).await
    }

    async fn state(&self) -> Result<Option<String>, ArchiveError> {
        self.blocking(|archive| archive.read_small("_ledger/state.json")).await
    }

    async fn put_state(&self, text: String) -> Result<(), ArchiveError> {
        self.blocking(move |archive| archive.replace_small("_ledger/state.json", &text)).await
    }
}

fn unread(path: &Path, cause: io::Error) -> ArchiveError {
    ArchiveError::Read { path: path.to_owned(), cause }
}

fn failed(path: &Path, what: &'static str, cause: io::Error) -> ArchiveError {
    ArchiveError::Write { path: path.to_owned(), what, cause }
}

fn json_line<T: serde::Serialize>(value: &T) -> Result<String, ArchiveError> {
    let mut text = serde_json::to_string(value)
        .map_err(|e| ArchiveError::Damaged { path: PathBuf::from("_ledger"), cause: e.to_string() })?;
    text.push('\n');
    Ok(text)
}

fn key_of_post(bytes: &[u8]) -> Option<EntryKey> {
    post::from_text(std::str::from_utf8(bytes).ok()?).ok().map(|post| post.key)
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// `2026-11.jsonl`
fn is_month_file(path: &Path) -> bool {
    let name = file_name(path);
    let Some(month) = name.strip_suffix(".jsonl") else { return false };
    month.len() == 7 && month.bytes().enumerate().all(|(i, b)| if i == 4 { b == b'-' } else { b.is_ascii_digit() })
}

/// Temporary names begin with a dot, so that Jekyll, git and readers pass them over.
fn write_temporary(last: &Path, bytes: &[u8]) -> Result<Pending, ArchiveError> {
    let folder = last.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|e| failed(folder, "made", e))?;
    let temporary = folder.join(format!(".{}.tmp", file_name(last)));
    File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes))
        .map_err(|e| failed(&temporary, "written", e))?;
    Ok(Pending { temporary, last: last.to_owned() })
}

/// Appends after the last whole line: a torn one, left by a crash, is cut off first.
fn append(path: &Path, text: &str) -> Result<PathBuf, ArchiveError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|e| failed(folder, "made", e))?;
    let go = || -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let whole = whole_lines_length(&mut file)?;
        file.set_len(whole)?;
        if let Err(error) = file.write_all(text.as_bytes()) {
            // Half a batch in the ledger would claim posts that were never put in place.
            file.set_len(whole)?;
            return Err(error);
        }
        Ok(())
    };
    go().map_err(|e| failed(path, "written", e))?;
    Ok(path.to_owned())
}

/// The length of a file up to and with its last line feed.
fn whole_lines_length(file: &mut File) -> io::Result<u64> {
    const STEP: u64 = 4096;
    let mut end = file.seek(SeekFrom::End(0))?;
    while end > 0 {
        let start = end.saturating_sub(STEP);
        let mut block = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.take(end - start).read_to_end(&mut block)?;
        if let Some(at) = block.iter().rposition(|b| *b == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn read_from(path: &Path, start: u64) -> Result<String, ArchiveError> {
    let go = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = go().map_err(|e| unread(path, e))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn sync_folder(folder: &Path) -> Result<(), ArchiveError> {
    File::open(folder).and_then(|f| f.sync_all()).map_err(|e| failed(folder, "synced", e))
}

/// Syncs the whole file system below `root`, where the platform can; says whether it did.
fn sync_file_system(root: &Path) -> Result<bool, ArchiveError> {
    #[cfg(target_os = "linux")]
    {
        let folder = File::open(root).map_err(|e| failed(root, "opened", e))?;
        rustix::fs::syncfs(&folder).map_err(|e| failed(root, "synced", e.into()))?;
        Ok(true)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = root;
        Ok(false)
    }
}
