//! Takes over the posts of other makers, without changing a byte.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::archive::{Adopted, Archive, ArchiveError, Batch, Line, Op};
use crate::identity;
use crate::model::{EntryKey, LedgerPosition, PostPath, Timestamp};
use crate::post::{self, ForeignPost, Oddity};

/// Files taken over in one durable step.
const BATCH: usize = 5_000;

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
    /// Entries that several files hold: all files are kept, the earliest stands for the entry.
    pub several: Vec<String>,
    /// How many files had which oddity.
    pub oddities: BTreeMap<Oddity, usize>,
}

/// Takes over every post below `folder`; `progress` is told files done and files in all.
pub async fn folder<A: Archive>(
    archive: &A,
    folder: &Path,
    now: Timestamp,
    progress: impl Fn(usize, usize),
) -> Result<Imported, ImportError> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    // `import x/_posts` means the same as `import x`.
    let root = match folder.file_name().and_then(|name| name.to_str()) {
        Some("_posts" | "archived") => folder.parent().unwrap_or(folder),
        _ => folder,
    };
    let known = known(archive).await?;
    let mut done = Imported::default();
    let mut keys: BTreeMap<EntryKey, Vec<String>> = BTreeMap::new();
    let mut count = 0;
    for chunk in files.chunks(BATCH) {
        let mut batch = Batch::default();
        for file in chunk {
            match read(root, file)? {
                Ok(found) => {
                    for note in &found.post.notes {
                        *done.oddities.entry(*note).or_default() += 1;
                    }
                    keys.entry(found.line.key).or_default().push(found.path.to_string());
                    if known.contains(&(found.line.key, crate::archive::sha256_hex(&found.bytes))) {
                        done.known += 1;
                    } else {
                        batch.adopted.push(Adopted {
                            path: found.path,
                            bytes: found.bytes,
                            line: Line { seen: now, ..found.line },
                        });
                    }
                }
                Err(sentence) => done.unreadable.push(sentence),
            }
        }
        done.taken += batch.adopted.len();
        count += chunk.len();
        if !batch.is_empty() {
            archive.write_all(batch).await?;
        }
        progress(count, files.len());
    }
    let several = keys.into_values().filter(|paths| paths.len() > 1);
    done.several =
        several.map(|paths| format!("one entry in {} files: `{}`", paths.len(), paths.join("`, `"))).collect();
    Ok(done)
}

struct FoundPost {
    path: PostPath,
    bytes: Vec<u8>,
    post: ForeignPost,
    line: Line,
}

/// Reads a file as a post; the inner error is a sentence for the report.
fn read(root: &Path, file: &Path) -> Result<Result<FoundPost, String>, ImportError> {
    let relative = file.strip_prefix(root).unwrap_or(file);
    let Some(path) = relative.to_str().and_then(PostPath::parse) else {
        return Ok(Err(format!("`{}`: the name is not UTF-8", file.display())));
    };
    let kind = file.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    if !matches!(kind.as_str(), "md" | "markdown" | "html" | "htm") {
        return Ok(Err(format!("`{path}`: neither Markdown nor HTML; convert it, or keep it elsewhere")));
    }
    let bytes = fs::read(file).map_err(|cause| ImportError::Read { path: file.to_owned(), cause })?;
    let post = match post::foreign(path.as_str(), &bytes) {
        Ok(post) if post.notes.contains(&Oddity::NoFrontMatter) => {
            return Ok(Err(format!("`{path}`: {}", Oddity::NoFrontMatter)));
        }
        Ok(post) => post,
        Err(error) => return Ok(Err(format!("`{path}`: {error}"))),
    };
    // Ours name their key where it does not follow from the link.
    let own = std::str::from_utf8(&bytes).ok().and_then(|text| post::from_text(text).ok());
    let key = own.map_or_else(|| post::foreign_key(path.as_str(), post.from.as_ref()), |own| own.key);
    let line = Line { canon: Some(identity::VERSION), ..Line::new(Op::Import, Timestamp::default(), key) };
    Ok(Ok(FoundPost { path, bytes, post, line }))
}

/// What the ledger says is kept: keys with checksums, so that an import can be repeated.
async fn known<A: Archive>(archive: &A) -> Result<BTreeSet<(EntryKey, String)>, ArchiveError> {
    let lines = archive.lines_after(&LedgerPosition::default()).await?;
    Ok(lines.into_iter().filter_map(|line| Some((line.key, line.sha256?))).collect())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), ImportError> {
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
            collect(&path, files)?;
        } else if kind.is_file() && may_be_post(&path) {
            files.push(path);
        }
    }
    Ok(())
}

/// Markdown anywhere, and whatever else lies where posts lie: what cannot be read there is named.
fn may_be_post(path: &Path) -> bool {
    let markdown = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("md") || e.eq_ignore_ascii_case("markdown"));
    markdown || path.components().any(|part| part.as_os_str() == "_posts" || part.as_os_str() == "archived")
}
