//! A takedown from end to end: archive and index, then every published file.

use crate::archive::{Archive, ArchiveError};
use crate::clock::Clock;
use crate::fetch::Fetch;
use crate::index::Index;
use crate::maintain::forget::{self, ForgetError, Forgotten};
use crate::maintain::ingest::{self, IngestError};
use crate::poll::Poller;
use crate::publish::{Outcome, PublishError, Publisher};
use crate::site::Site;

/// Why an entry was not taken down, or not everywhere.
#[derive(Debug, thiserror::Error)]
pub enum TakedownError {
    /// It could not be found or forgotten.
    #[error(transparent)]
    Forget(#[from] ForgetError),
    /// The index could not take in the ledger's line.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A published file still shows it.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl TakedownError {
    /// True when nothing is known under the name given.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Forget(ForgetError::Unknown(_)))
    }
}

/// Takes an entry down; says which post that was, and what was out of the ordinary. What was published for it stands in
/// `outcome`, also where something failed.
pub async fn entry<F, I, A, C>(
    poller: &Poller<F, I, A, C>,
    site: &Site,
    what: &str,
    reason: &str,
    outcome: &mut Outcome,
) -> Result<String, TakedownError>
where
    F: Fetch + 'static,
    I: Index,
    A: Archive,
    C: Clock + 'static,
{
    let Poller { config, index, archive, clock, .. } = poller;
    let now = clock.now();
    let Forgotten { path, was_gone, mut said } = forget::entry(&**index, &**archive, config, what, reason, now).await?;
    // The ledger has grown by a line that the index knows.
    ingest::catch_up(&**index, &**archive, config, |_, _| {}).await?;
    archive.settle().await?;
    let publisher = Publisher { config, index: &**index, archive: &**archive, site };
    let struck = publisher.strike_everywhere(now).await;
    // A document that cannot be struck must not keep the entry in today's feeds as well.
    publisher.publish(&config.topics, false, now, outcome).await?;
    struck?;
    said.push(if was_gone {
        format!("`{path}` was taken down already; whatever there was of it in archive and published files is gone now")
    } else {
        format!("forgotten: `{path}`, its former versions and its sources are gone")
    });
    Ok(said.join("\n"))
}
