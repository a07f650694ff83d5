//! Puts right what an unclean stop, a lost index, or an archive restored from an older copy left.

use std::sync::Arc;

use crate::archive::Archive;
use crate::config::Config;
use crate::index::Index;
use crate::maintain::ingest::{self, IngestError};
use crate::maintain::reindex;
use crate::model::Timestamp;

/// Mends the archive first, then brings the index up to it; says what was done.
pub async fn all<I: Index, A: Archive>(
    index: &I,
    archive: &A,
    config: &Arc<Config>,
    now: Timestamp,
) -> Result<Vec<String>, IngestError> {
    let mut said = archive.recover().await?;
    let known = index.ledger().await?;
    let knows_too_much = !archive.holds(known.clone()).await?;
    if knows_too_much {
        // What the index knows of the feeds may hide entries that are gone with the lines.
        forget_validators(index, config).await?;
    }
    let lines = if knows_too_much || known.is_empty() {
        let done = reindex::archive(index, archive, config, now, |_, _| {}).await?;
        if done.adopted > 0 {
            said.push(format!("{} posts had no line in the ledger; they got one", done.adopted));
        }
        said.extend(done.said);
        done.lines
    } else {
        said.extend(ingest::remove_forgotten(index, archive).await?);
        ingest::catch_up(index, archive, config, |_, _| {}).await?
    };
    if knows_too_much {
        said.push(format!(
            "the index knew lines that the ledger does not hold; it was made anew from {lines} lines, and every feed is read again"
        ));
    } else if lines > 0 {
        said.push(format!("the index did not know {lines} lines of the ledger; it took them in"));
    }
    Ok(said)
}

async fn forget_validators<I: Index>(index: &I, config: &Config) -> Result<(), IngestError> {
    let mut states = Vec::new();
    for feed in &config.feeds {
        let id = &feed.source.id;
        if let Some(mut state) = index.feed_state(id).await? {
            state.forget_validators();
            states.push((id.clone(), state));
        }
    }
    Ok(index.put_feed_states(states).await?)
}
