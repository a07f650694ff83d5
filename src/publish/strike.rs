//! Takes entries that were taken down out of documents that nobody makes again: the one way in which those change.

use std::collections::BTreeSet;

use super::history::told;
use super::{Outcome, PublishError, Publisher};
use crate::archive::{Archive, SiteFacts};
use crate::index::Index;
use crate::model::{Fingerprint, Format, Timestamp};
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

    /// Looks through the sealed documents of all generations, and what topics left that the config no longer has.
    async fn strike(&self, deleted: &[Deleted], outcome: &mut Outcome) -> Result<(), PublishError> {
        let mut folders = BTreeSet::new();
        for path in self.site.files("")? {
            if path.contains("/history/") {
                outcome.changed += usize::from(self.strike_out(&path, deleted)?);
            } else if let Some((folder, _)) = path.split_once('/') {
                folders.insert(folder.to_owned());
            }
        }
        for folder in
            folders.iter().filter(|folder| self.config.topics.iter().all(|topic| topic.id.as_str() != **folder))
        {
            outcome.changed += self.strike_left(folder, deleted)?;
        }
        Ok(self.index.put_struck(all_of(deleted)).await?)
    }

    /// What a topic left goes on without the entries where it can say so, in Atom; else it goes. Says how many files
    /// changed. The page tells nobody which entries it shows: it goes first, as long as the feeds say it.
    fn strike_left(&self, folder: &str, deleted: &[Deleted]) -> Result<usize, PublishError> {
        let mut showing = Vec::new();
        for format in Format::ALL {
            let path = format!("{folder}/{}", format.file());
            if self.site.has(&path) && output::shows(format, &self.site.read(&path)?, deleted) {
                showing.push((format, path));
            }
        }
        if showing.is_empty() {
            return Ok(0);
        }
        self.site.remove(&format!("{folder}/index.html"))?;
        for (format, path) in &showing {
            match format {
                Format::Atom => drop(self.strike_out(path, deleted)?),
                Format::Rss | Format::Json => self.site.remove(path)?,
            }
        }
        Ok(showing.len())
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
