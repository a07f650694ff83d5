//! Posts, ledger and what else the archive keeps: the truth that everything can be rebuilt from.

mod files;
mod folder;
mod group;
mod ledger;
mod raw;
mod recover;
mod takedown;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::PathBuf;

pub use folder::FolderArchive;
pub(crate) use folder::sha256_hex;
pub use ledger::{FeedLine, FeedOp, Line, Op, SourceLine, Trace};
pub use raw::{RawAnswer, RawFragment, RawPoll};

use crate::model::{EntryKey, LedgerPosition, Post, PostPath, Timestamp};
use crate::post::PostError;

/// Why the archive could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The disk refused to be read.
    #[error("`{}` cannot be read: {cause}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The disk refused to be written; nothing of the batch counts as kept.
    #[error("`{}` cannot be {what}: {cause}; nothing of this poll was marked as seen", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a participle.
        what: &'static str,
        /// The system's words.
        cause: std::io::Error,
    },
    /// Another process writes it.
    #[error(
        "`{}` is in use by another feedmill, which has another `storage.index`; wait for it or stop it",
        path.display()
    )]
    InUse {
        /// The archive.
        path: PathBuf,
    },
    /// A post file cannot be read as a post.
    #[error("`{path}` cannot be read as a post: {cause}; mend it or restore it from a backup")]
    Post {
        /// Relative to the archive.
        path: String,
        /// Why.
        cause: PostError,
    },
    /// A file of the archive other than a post is not what it has to be.
    #[error("`{}` is damaged: {cause}; restore it from a backup", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// No free name was found for a post.
    #[error("no free file name for the post with key {0}")]
    NoName(EntryKey),
}

impl ArchiveError {
    /// True when a file is not there, which is another thing than a disk that does not answer.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Read { cause, .. } if cause.kind() == std::io::ErrorKind::NotFound)
    }
}

/// A post to be read.
#[derive(Clone, Debug)]
pub struct PostAt {
    /// Where it lies.
    pub path: PostPath,
    /// We wrote it: one that is cut short is none.
    pub is_ours: bool,
}

/// A post to be written.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The post.
    pub post: Post,
    /// Where it lies already, and the number under which that version is to be kept; `None` when
    /// the post is new.
    pub replaces: Option<(PostPath, Option<u32>)>,
    /// Its ledger line; path and checksum are filled in by the archive.
    pub line: Line,
}

/// A post of another maker, to be taken over without changing a byte.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// Where it shall lie; a number is added when that is another post's place.
    pub path: PostPath,
    /// The file.
    pub bytes: Vec<u8>,
    /// Its ledger line; the path is filled in by the archive, and the checksum where it is missing.
    pub line: Line,
}

/// Most batches that are written with one sync, so that only so many at the ledger's end can be half done.
pub const GROUP: usize = 64;

/// What one poll of a feed adds, written in one go or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// New and revised posts.
    pub posts: Vec<Kept>,
    /// Posts of other makers.
    pub adopted: Vec<Adopted>,
    /// Ledger lines that belong to no post of this batch.
    pub notes: Vec<Line>,
    /// Ledger lines that are about feeds.
    pub feeds: Vec<FeedLine>,
    /// What the source says about itself, when that changed.
    pub source: Option<SourceLine>,
    /// Where the new and revised entries came from, as received.
    pub raw: Option<RawPoll>,
}

impl Batch {
    /// True when there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.posts.is_empty()
            && self.adopted.is_empty()
            && self.notes.is_empty()
            && self.feeds.is_empty()
            && self.source.is_none()
    }

    /// The month whose ledger file its lines go into, `2026-11`.
    fn month(&self) -> Option<String> {
        let posts = self.posts.iter().map(|kept| &kept.line).chain(self.adopted.iter().map(|adopted| &adopted.line));
        let lines = posts.chain(&self.notes).map(|line| line.seen);
        let seen = lines.chain(self.feeds.iter().map(|line| line.seen)).next();
        seen.or(self.source.as_ref().map(|line| line.seen)).map(Timestamp::month)
    }
}

/// The facts of the site that are fixed at the first run.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SiteFacts {
    /// Version of the archive's format.
    pub format: u32,
    /// Host name in `tag:` URIs (RFC 4151).
    pub tag_authority: String,
    /// Day in `tag:` URIs, `2026-11-22`.
    pub tag_date: String,
}

/// Where posts and their ledger are kept.
pub trait Archive: Send + Sync {
    /// Writes batches durably, [`GROUP`] of them with one sync, and returns the ledger lines of each as written, posts
    /// first.
    fn write_all(&self, batches: Vec<Batch>) -> impl Future<Output = Result<Vec<Vec<Line>>, ArchiveError>> + Send;
    /// Says that everything written so far is whole and known.
    fn settle(&self) -> impl Future<Output = Result<(), ArchiveError>> + Send;
    /// Finishes or takes back what an unclean stop left half done; says what was done.
    fn recover(&self) -> impl Future<Output = Result<Vec<String>, ArchiveError>> + Send;
    /// Reads one post.
    fn read(&self, path: &PostPath) -> impl Future<Output = Result<Post, ArchiveError>> + Send;
    /// Takes an entry down: its line is written, then its post, its former versions and its raw
    /// fragments go. Killed in the middle, it is finished by the next `recover`. Says which raw files were damaged and
    /// went whole.
    fn forget(&self, line: Line) -> impl Future<Output = Result<Vec<String>, ArchiveError>> + Send;
    /// Removes what there is of entries that were taken down elsewhere, or came back since. Doing it again does no harm.
    /// Says which raw files were damaged and went whole.
    fn remove_forgotten(
        &self,
        keys: BTreeSet<EntryKey>,
    ) -> impl Future<Output = Result<Vec<String>, ArchiveError>> + Send;
    /// Reads many posts; `None` where there is no path, no file, or no whole post in it.
    fn read_many(
        &self,
        paths: Vec<Option<PostAt>>,
    ) -> impl Future<Output = Result<Vec<Option<Post>>, ArchiveError>> + Send;
    /// A former version of a post; `None` when it was not kept.
    fn former(&self, key: &EntryKey, number: u32) -> impl Future<Output = Result<Option<Post>, ArchiveError>> + Send;
    /// Every post file below `_posts` and `archived`, sorted.
    fn post_paths(&self) -> impl Future<Output = Result<Vec<PostPath>, ArchiveError>> + Send;
    /// Every raw file, oldest month first.
    fn raw_paths(&self) -> impl Future<Output = Result<Vec<String>, ArchiveError>> + Send;
    /// Reads a raw file.
    fn raw(&self, path: &str) -> impl Future<Output = Result<RawPoll, ArchiveError>> + Send;
    /// SHA-256 of a file, hex.
    fn checksum(&self, path: &PostPath) -> impl Future<Output = Result<String, ArchiveError>> + Send;
    /// Which of these posts are gone.
    fn missing(&self, paths: BTreeSet<String>) -> impl Future<Output = Result<BTreeSet<String>, ArchiveError>> + Send;
    /// Which of these posts are lost: gone or empty or, where the flag says that we wrote it, cut short.
    fn lost(
        &self,
        paths: BTreeMap<String, bool>,
    ) -> impl Future<Output = Result<BTreeSet<String>, ArchiveError>> + Send;
    /// How long the ledger is now.
    fn position(&self) -> impl Future<Output = Result<LedgerPosition, ArchiveError>> + Send;
    /// True when the ledger holds all that is known of it: nothing is shorter than that, or says something else there.
    fn holds(&self, known: LedgerPosition) -> impl Future<Output = Result<bool, ArchiveError>> + Send;
    /// The ledger lines after a position, in order of writing; torn lines are left out.
    fn lines_after(&self, known: &LedgerPosition) -> impl Future<Output = Result<Vec<Line>, ArchiveError>> + Send;
    /// The next lines after a position, a few megabytes of them, and the position behind them; it stays the same when
    /// there are no more. A whole ledger may be larger than memory.
    fn some_lines_after(
        &self,
        known: &LedgerPosition,
    ) -> impl Future<Output = Result<(Vec<Line>, LedgerPosition), ArchiveError>> + Send;
    /// All lines about sources, oldest first.
    fn sources(&self) -> impl Future<Output = Result<Vec<SourceLine>, ArchiveError>> + Send;
    /// The site's facts; at the first run made from authority and day.
    fn site_facts(
        &self,
        authority: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<SiteFacts, ArchiveError>> + Send;
    /// The text of `state.json`, if it exists.
    fn state(&self) -> impl Future<Output = Result<Option<String>, ArchiveError>> + Send;
    /// Replaces `state.json` when the text differs.
    fn put_state(&self, text: String) -> impl Future<Output = Result<(), ArchiveError>> + Send;
}
