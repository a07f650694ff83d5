//! Takes over the posts of other makers, without changing a byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::try_join;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::archive::{Adopted, Archive, ArchiveError, Batch, Line, Op, sha256_hex};
use crate::config::Config;
use crate::identity::{self, Alias};
use crate::index::Index;
use crate::maintain::ingest::{self, IngestError};
use crate::maintain::look::{Looked, Looker, PART, READERS};
use crate::model::{EntryKey, Fingerprint, LedgerPosition, PostPath, Timestamp};
use crate::post::{self, Oddity};

/// Files taken over in one durable step, while those after them are read.
const BATCH: usize = 2_500;

/// Folders that hold no posts of other makers, whatever is in them.
const NOT_POSTS: &[&str] = &["_revisions", "_ledger", "_raw", "_site", "node_modules"];

/// Why an import stopped.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The folder cannot be read.
    #[error("`{}` cannot be read: {cause}", path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The archive cannot be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// What was taken over could not be put into the index.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// A thread that read posts was stopped.
    #[error("reading was stopped by a mistake in the program: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Files taken over.
    pub taken: usize,
    /// Files that had been taken over before.
    pub known: usize,
    /// Files that could not be read as posts, with the reason.
    pub unreadable: Vec<String>,
    /// Files whose entry was taken down, in sentences.
    pub forgotten: Vec<String>,
    /// Entries that several files hold: all files are kept, the earliest stands for the entry.
    pub several: Vec<String>,
    /// How many files had which oddity.
    pub oddities: BTreeMap<Oddity, usize>,
}

/// Takes over every post below `folder`; `progress` is told files done and files in all.
///
/// What is written is put into the index at once, so that nothing is read twice.
pub async fn folder<I: Index, A: Archive>(
    index: &I,
    archive: &A,
    config: &Arc<Config>,
    folder: &Path,
    now: Timestamp,
    progress: impl Fn(usize, usize),
) -> Result<Imported, ImportError> {
    // `import x/_posts` means the same as `import x`.
    let root = match folder.file_name().and_then(|name| name.to_str()) {
        Some("_posts" | "archived") => folder.parent().unwrap_or(folder),
        _ => folder,
    };
    let (mut files, mut unreadable) = (Vec::new(), Vec::new());
    collect(folder, root, &mut files, &mut unreadable)?;
    files.sort();
    let reader = Reader { root: root.to_owned(), now, looker: Looker::new(config) };
    let mut gathered = Gathered { known: known(archive).await?, ..Gathered::default() };
    gathered.done.unreadable = unreadable;
    let mut chunks = files.chunks(BATCH);
    let mut next = match chunks.next() {
        Some(chunk) => Some((chunk.len(), reader.read_all(chunk).await?)),
        None => None,
    };
    let mut count = 0;
    while let Some((length, found)) = next.take() {
        let following = async {
            let Some(chunk) = chunks.next() else { return Ok(None) };
            Ok(Some((chunk.len(), reader.read_all(chunk).await?)))
        };
        let kept = gathered.leave_out(index, found).await?;
        let (batch, looked) = gathered.sort_out(kept);
        ((), next) = try_join(write(index, archive, config, batch, looked), following).await?;
        count += length;
        progress(count, files.len());
    }
    Ok(gathered.told())
}

/// Writes a batch, then puts it into the index.
async fn write<I: Index, A: Archive>(
    index: &I,
    archive: &A,
    config: &Arc<Config>,
    batch: Batch,
    mut looked: Vec<Option<Looked>>,
) -> Result<(), ImportError> {
    if batch.is_empty() {
        return Ok(());
    }
    let wanted: Vec<PostPath> = batch.adopted.iter().map(|adopted| adopted.path.clone()).collect();
    let lines = archive.write_all(vec![batch]).await?.swap_remove(0);
    for ((line, wanted), looked) in lines.iter().zip(wanted).zip(&mut looked) {
        // A name may tell title and day, and this file got another one.
        if line.path.as_deref() != Some(wanted.as_str()) {
            *looked = Looker::new(config).at_lines(archive, std::slice::from_ref(line)).await?.pop().flatten();
        }
    }
    Ok(ingest::take_written(index, archive, config, &lines, looked).await?)
}

/// What an import has seen so far.
#[derive(Default)]
struct Gathered {
    /// What the ledger had before.
    known: BTreeSet<(EntryKey, String)>,
    keys: BTreeMap<EntryKey, Vec<String>>,
    done: Imported,
}

impl Gathered {
    /// Names what is no post, and posts of entries that were taken down; the rest is kept.
    async fn leave_out<I: Index>(
        &mut self,
        index: &I,
        found: Vec<Result<FoundPost, String>>,
    ) -> Result<Vec<FoundPost>, IngestError> {
        let mut posts = Vec::with_capacity(found.len());
        for found in found {
            match found {
                Ok(found) => posts.push(found),
                Err(sentence) => self.done.unreadable.push(sentence),
            }
        }
        let gone = index.forgotten(posts.iter().map(FoundPost::marks).collect()).await?;
        let (gone, kept): (Vec<_>, Vec<_>) = posts.into_iter().zip(gone).partition(|(_, is_gone)| *is_gone);
        self.done.forgotten.extend(gone.into_iter().map(|(found, _)| {
            format!("`{}`: its article was taken down and does not come back; delete the file", found.adopted.path)
        }));
        Ok(kept.into_iter().map(|(found, _)| found).collect())
    }

    /// Counts what was found, and keeps what has to be written.
    fn sort_out(&mut self, found: Vec<FoundPost>) -> (Batch, Vec<Option<Looked>>) {
        let mut batch = Batch::default();
        let mut looked = Vec::new();
        for found in found {
            for note in found.notes {
                *self.done.oddities.entry(note).or_default() += 1;
            }
            let adopted = found.adopted;
            let key = adopted.line.key;
            self.keys.entry(key).or_default().push(adopted.path.to_string());
            if self.known.contains(&(key, adopted.line.sha256.clone().unwrap_or_default())) {
                self.done.known += 1;
            } else {
                batch.adopted.push(adopted);
                looked.push(Some(found.looked));
            }
        }
        self.done.taken += batch.adopted.len();
        (batch, looked)
    }

    fn told(mut self) -> Imported {
        let several = self.keys.into_values().filter(|paths| paths.len() > 1);
        let sentence = |paths: Vec<String>| format!("one entry in {} files: `{}`", paths.len(), paths.join("`, `"));
        self.done.several = several.map(sentence).collect();
        self.done
    }
}

struct FoundPost {
    adopted: Adopted,
    notes: Vec<Oddity>,
    looked: Looked,
}

impl FoundPost {
    /// Its key, and what else a forgotten entry would be recognised by.
    fn marks(&self) -> (EntryKey, Vec<Fingerprint>) {
        let key = self.adopted.line.key;
        let Some(url) = self.looked.canonical.clone() else { return (key, Vec::new()) };
        // A link that entries share is no mark of one that has a key of its own.
        let by_url = (EntryKey::of(url.as_str()) == key).then(|| Alias::Url(url.clone()));
        let aliases = [Some(Alias::Pair(url, self.looked.title)), by_url];
        (key, aliases.iter().flatten().map(Alias::fingerprint).collect())
    }
}

/// Reads files as posts.
#[derive(Clone)]
struct Reader {
    /// What the paths of posts are relative to.
    root: PathBuf,
    now: Timestamp,
    looker: Looker,
}

impl Reader {
    /// Reads many files, several at a time, and answers in their order.
    async fn read_all(&self, files: &[PathBuf]) -> Result<Vec<Result<FoundPost, String>>, ImportError> {
        let parts = stream::iter(files.chunks(PART)).map(async |files| {
            let (reader, files) = (self.clone(), files.to_vec());
            let read = tokio::task::spawn_blocking(move || files.iter().map(|file| reader.read(file)).collect());
            read.await
        });
        let parts: Vec<Vec<_>> = parts.buffered(READERS).try_collect().await?;
        Ok(parts.into_iter().flatten().collect())
    }

    /// Reads a file as a post; the error is a sentence for the report.
    fn read(&self, file: &Path) -> Result<FoundPost, String> {
        let relative = file.strip_prefix(&self.root).unwrap_or(file);
        let Some(path) = relative.to_str().and_then(PostPath::parse) else {
            return Err(format!("`{}`: the name is not UTF-8", file.display()));
        };
        let kind = file.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        if !matches!(kind.as_str(), "md" | "markdown" | "html" | "htm") {
            return Err(format!("`{path}`: neither Markdown nor HTML; convert it, or keep it elsewhere"));
        }
        let bytes = fs::read(file).map_err(|cause| format!("`{path}` cannot be read: {cause}"))?;
        let foreign = match post::foreign(path.as_str(), &bytes) {
            Ok(post) if post.notes.contains(&Oddity::NoFrontMatter) => {
                return Err(format!("`{path}`: {}", Oddity::NoFrontMatter));
            }
            Ok(post) => post,
            Err(error) => return Err(format!("`{path}`: {error}")),
        };
        let notes = foreign.notes.clone();
        // Ours name their key where it does not follow from the link.
        let own = std::str::from_utf8(&bytes).ok().and_then(|text| post::from_text(text).ok());
        let post = own.unwrap_or_else(|| post::from_foreign(path.as_str(), foreign));
        let line = Line {
            canon: Some(identity::VERSION),
            sha256: Some(sha256_hex(&bytes)),
            ..Line::new(Op::Import, self.now, post.key)
        };
        let looked = self.looker.at(&post, None);
        Ok(FoundPost { adopted: Adopted { path, bytes, line }, notes, looked })
    }
}

/// What the ledger says is kept and the archive still has: keys with checksums, so that an import can be repeated, and
/// restores what was deleted.
async fn known<A: Archive>(archive: &A) -> Result<BTreeSet<(EntryKey, String)>, ArchiveError> {
    let lines = archive.lines_after(&LedgerPosition::default()).await?;
    let missing = archive.missing(lines.iter().filter_map(|line| line.path.clone()).collect()).await?;
    let kept = lines.into_iter().filter(|line| line.path.as_ref().is_some_and(|path| !missing.contains(path)));
    Ok(kept.filter_map(|line| Some((line.key, line.sha256?))).collect())
}

/// Finds files that may be posts. A folder below that cannot be read costs itself only.
fn collect(
    folder: &Path,
    root: &Path,
    files: &mut Vec<PathBuf>,
    unreadable: &mut Vec<String>,
) -> Result<(), ImportError> {
    let failed = |cause| ImportError::Read { path: folder.to_owned(), cause };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(failed)?;
        let path = entry.path();
        if name.starts_with('.') || NOT_POSTS.contains(&name.as_str()) {
            continue;
        }
        if kind.is_dir() {
            if let Err(error) = collect(&path, root, files, unreadable) {
                unreadable.push(error.to_string());
            }
        } else if kind.is_file() && may_be_post(path.strip_prefix(root).unwrap_or(&path)) {
            files.push(path);
        }
    }
    Ok(())
}

/// Markdown anywhere, and whatever else lies where posts lie: what cannot be read there is named. The path is relative to
/// what is imported, which may itself lie below a folder of such a name.
fn may_be_post(path: &Path) -> bool {
    let markdown = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("md") || e.eq_ignore_ascii_case("markdown"));
    markdown || path.components().any(|part| part.as_os_str() == "_posts" || part.as_os_str() == "archived")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Source};
    use crate::disk::{Disk, LocalDisk};

    #[tokio::test]
    async fn a_file_that_cannot_be_read_costs_itself_only() {
        let folder = tempfile::tempdir().expect("folder");
        let (gone, there) = (folder.path().join("_posts/gone.md"), folder.path().join("_posts/there.md"));
        LocalDisk.make_folder(&folder.path().join("_posts")).expect("made");
        LocalDisk.write(&there, b"---\ntitle: x\nfrom: https://example.org/1\n---\nx\n").expect("written");
        let source = Source { name: "c", text: "site: { url: 'https://news.example.org/' }" };
        let looker = Looker::new(&Arc::new(config::read(&[source], &|_| None).expect("config")));
        let reader = Reader { root: folder.path().to_owned(), now: Timestamp::default(), looker };
        let found = reader.read_all(&[gone, there]).await.expect("read");
        let said: Vec<_> = found.iter().map(|found| found.as_ref().map(|post| post.adopted.path.as_str())).collect();
        let sentence = "`_posts/gone.md` cannot be read: No such file or directory (os error 2)".to_owned();
        assert_eq!(said, [Err(&sentence), Ok("_posts/there.md")]);
    }
}
