//! Makes the index again from the archive.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::archive::{Archive, ArchiveError, Batch, Line, Op};
use crate::config::Config;
use crate::identity;
use crate::index::Index;
use crate::maintain::ingest::{self, IngestError};
use crate::model::{LedgerPosition, Timestamp};

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reindexed {
    /// Ledger lines read.
    pub lines: usize,
    /// Posts that had no ledger line and got one.
    pub adopted: usize,
    /// What was out of the ordinary.
    pub said: Vec<String>,
}

/// Posts without a line get one in portions of this size.
const PORTION: usize = 5_000;

/// Empties the index and reads the whole archive. Killed in the middle, it is finished by the next
/// run: the index then knows that it does not know the whole ledger.
pub async fn archive<I: Index, A: Archive>(
    index: &I,
    archive: &A,
    config: &Arc<Config>,
    now: Timestamp,
    progress: impl Fn(usize, usize),
) -> Result<Reindexed, IngestError> {
    index.clear().await?;
    let adopted = adopt_strays(archive, now).await?;
    let said = ingest::remove_forgotten(index, archive).await?;
    let lines = ingest::catch_up(index, archive, config, progress).await?;
    Ok(Reindexed { lines, adopted, said })
}

/// Gives a ledger line to posts that have none, such as those copied into the archive by hand; says to how many.
async fn adopt_strays<A: Archive>(archive: &A, now: Timestamp) -> Result<usize, IngestError> {
    let lines = archive.lines_after(&LedgerPosition::default()).await?;
    let named: BTreeSet<&str> = lines.iter().filter_map(|line| line.path.as_deref()).collect();
    let mut strays = archive.post_paths().await?;
    strays.retain(|path| !named.contains(path.as_str()));
    let mut adopted = 0;
    for portion in strays.chunks(PORTION) {
        let mut notes = Vec::new();
        for path in portion {
            let post = match archive.read(path).await {
                Ok(post) => post,
                // A link that leads nowhere, or somebody removed it just now.
                Err(error) if error.is_absence() => continue,
                // A disk that does not answer must not look like a file that is no post.
                Err(error @ ArchiveError::Read { .. }) => return Err(error.into()),
                Err(_) => continue,
            };
            notes.push(Line {
                path: Some(path.to_string()),
                sha256: Some(archive.checksum(path).await?),
                canon: Some(identity::VERSION),
                ..Line::new(Op::Import, now, post.key)
            });
        }
        adopted += notes.len();
        if !notes.is_empty() {
            archive.write_all(vec![Batch { notes, ..Batch::default() }]).await?;
        }
    }
    Ok(adopted)
}
