//! How many posts each topic would hold, by the posts themselves: the index knows only rules that were applied.

use std::collections::HashMap;
use std::sync::Arc;

use crate::archive::{Archive, Line, Op};
use crate::config::Config;
use crate::maintain::ingest::IngestError;
use crate::maintain::look::Looker;
use crate::model::{EntryKey, LedgerPosition};

/// So many posts are in memory at a time.
const PORTION: usize = 5_000;

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// Posts that can be read.
    pub posts: usize,
    /// For each topic of the config, in its order, how many of them match.
    pub topics: Vec<usize>,
}

/// Reads every post that the ledger names. Nothing is written.
pub async fn count<A: Archive>(archive: &A, config: &Arc<Config>) -> Result<Matches, IngestError> {
    let lines = kept(archive.lines_after(&LedgerPosition::default()).await?);
    let looker = Looker::new(config);
    let mut matches = Matches { posts: 0, topics: vec![0; config.topics.len()] };
    for portion in lines.chunks(PORTION) {
        for post in looker.at_lines(archive, portion).await?.into_iter().flatten() {
            matches.posts += 1;
            for (count, (_, belongs)) in matches.topics.iter_mut().zip(post.topics) {
                *count += usize::from(belongs);
            }
        }
    }
    Ok(matches)
}

/// One line for each entry that is there: of several posts with one key the first.
fn kept(lines: Vec<Line>) -> Vec<Line> {
    let mut kept: Vec<Option<Line>> = Vec::new();
    let mut places: HashMap<EntryKey, usize> = HashMap::new();
    for line in lines {
        if line.op == Op::Forget {
            if let Some(at) = places.remove(&line.key) {
                kept[at] = None;
            }
        } else if line.path.is_some() && !places.contains_key(&line.key) {
            places.insert(line.key, kept.len());
            kept.push(Some(line));
        }
    }
    kept.into_iter().flatten().collect()
}
