//! Takes entries that were taken down out of documents that nobody makes again: the one way in which those change.

use super::history::told;
use super::{Outcome, PublishError, Publisher};
use crate::archive::{Archive, SiteFacts};
use crate::index::Index;
use crate::model::{Fingerprint, Timestamp};
use crate::output::{self, Deleted};
use crate::site::Replaced;

impl<I: Index, A: Archive> Publisher<'_, I, A> {
    /// Strikes all entries that were ever taken down, whatever was struck before.
    pub async fn strike_everywhere(&self, now: Timestamp) -> Result<(), PublishError> {
        let deleted = self.deleted(&self.site_facts(now).await?).await?;
        self.strike(&deleted, &mut Outcome::default()).await
    }

    /// Strikes them where others were taken down than had been when that was done last, in whatever order they came.
    pub(super) async fn strike_new(&self, facts: &SiteFacts, outcome: &mut Outcome) -> Result<(), PublishError> {
        let deleted = self.deleted(facts).await?;
        if deleted.is_empty() || self.index.struck().await? == Some(all_of(&deleted)) {
            return Ok(());
        }
        self.strike(&deleted, outcome).await
    }

    async fn deleted(&self, facts: &SiteFacts) -> Result<Vec<Deleted>, PublishError> {
        Ok(self.index.takedowns().await?.iter().map(|takedown| told(takedown, facts)).collect())
    }

    /// Looks through the sealed documents of all generations, also of topics that the config no longer has.
    async fn strike(&self, deleted: &[Deleted], outcome: &mut Outcome) -> Result<(), PublishError> {
        for path in self.site.files("")?.into_iter().filter(|path| path.contains("/history/")) {
            outcome.changed += usize::from(self.strike_out(&path, deleted)?);
        }
        Ok(self.index.put_struck(all_of(deleted)).await?)
    }

    /// True when a document held one of the entries.
    fn strike_out(&self, path: &str, deleted: &[Deleted]) -> Result<bool, PublishError> {
        let document = self.site.read(path)?;
        let Some(bytes) = output::struck(&document, deleted) else { return Ok(false) };
        Ok(self.site.replace(path, &bytes)? == Replaced::Changed)
    }
}

/// Names a set of takedowns.
fn all_of(deleted: &[Deleted]) -> Fingerprint {
    let mut ids: Vec<&str> = deleted.iter().map(|gone| gone.id.as_str()).collect();
    ids.sort_unstable();
    Fingerprint::of(&ids.join("\n"))
}
