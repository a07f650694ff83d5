//! The complete history of a topic (RFC 5005): which versions lie in which sealed document, and which are still
//! shown by the current feed.
//!
//! Additions and revisions come in the order of the ledger. A hundred of them make a document, which never changes
//! again; the current feed shows the rest, and whatever is young, so that there is no hole between the two.
//!
//! What a feed's first document brought is never young, however lately it arrived: it is what the feed had before anybody
//! here followed it. A hundred feeds that are new at once would make a current feed of thousands of entries that no reader
//! swallows, and one new feed would pour its past over everybody who follows the topic. Its documents hold all of it.

use crate::model::{EntryKey, Fingerprint, LedgerPosition, Timestamp};

/// Versions in a sealed document.
pub const SEALED: usize = 100;
/// The current feed shows what arrived so long before the newest arrival (milliseconds): whoever looks once a day has
/// two chances to see it.
const YOUNG: i64 = 48 * 3_600_000;

/// A version of an entry, as a ledger line tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The entry.
    pub key: EntryKey,
    /// Number of the revision; 0 as it was added.
    pub rev: u32,
    /// When it was written.
    pub seen: Timestamp,
    /// It arrived here when it was new. What was taken over from another archive, or stood in a feed's first document, is
    /// no news, and may be ten thousand at a time.
    pub is_news: bool,
}

/// How far a topic's history goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Sealed documents; they are numbered from 1.
    pub sealed: u64,
    /// Versions that are not sealed yet, in the order of the ledger.
    pub pending: Vec<Version>,
    /// Sealed versions that are young.
    pub young: Vec<Version>,
    /// When the newest version arrived.
    pub newest: Timestamp,
    /// How far the ledger was read for it.
    pub ledger: LedgerPosition,
}

impl History {
    /// Takes the next version in.
    pub fn take(&mut self, version: Version) {
        if version.is_news {
            self.newest = self.newest.max(version.seen);
        }
        self.pending.push(version);
    }

    /// The versions of the next document, while there are enough.
    pub fn full(&self) -> Option<&[Version]> {
        self.pending.get(..SEALED)
    }

    /// The next document is on its way: its number from now on is `sealed`.
    pub fn seal(&mut self) {
        let since = self.newest.millis() - YOUNG;
        let rest = self.pending.split_off(SEALED.min(self.pending.len()));
        self.young.extend(std::mem::replace(&mut self.pending, rest));
        self.young.retain(|version| version.is_news && version.seen.millis() >= since);
        self.sealed += 1;
    }

    /// Forgets what is no longer young.
    pub fn age(&mut self) {
        let since = self.newest.millis() - YOUNG;
        self.young.retain(|version| version.seen.millis() >= since);
    }

    /// The entries that the current feed shows whatever its limits say.
    pub fn shown(&self) -> impl Iterator<Item = EntryKey> {
        self.pending.iter().chain(&self.young).map(|version| version.key)
    }
}

/// The name of a generation of documents: another rule, another address, another way of publishing or another
/// rendering begins a new one, because documents never change.
pub fn generation(parts: &[&str]) -> String {
    Fingerprint::of(&parts.join("\n")).hex()[..12].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn version(n: i64, hours: i64, is_news: bool) -> Version {
        Version { key: EntryKey::of(&n.to_string()), rev: 0, seen: Timestamp::from_millis(hours * HOUR), is_news }
    }

    fn taken(versions: impl Iterator<Item = Version>) -> (History, Vec<Vec<Version>>) {
        let (mut history, mut documents) = (History::default(), Vec::new());
        for version in versions {
            history.take(version);
            while let Some(full) = history.full() {
                documents.push(full.to_vec());
                history.seal();
            }
        }
        history.age();
        (history, documents)
    }

    #[test]
    fn a_hundred_make_a_document_and_the_rest_is_shown() {
        let all: Vec<Version> = (0..250).map(|n| version(n, n * 24, true)).collect();
        let (history, documents) = taken(all.iter().copied());
        assert_eq!((history.sealed, documents.len(), history.pending.len()), (2, 2, 50));
        assert_eq!(documents.concat(), all[..200]);
        assert_eq!(history.pending, all[200..]);
        assert_eq!(history.young, [], "what is sealed is older than two days");
    }

    #[test]
    fn what_is_young_is_shown_although_it_is_sealed() {
        // A thousand a day, for five days.
        let all: Vec<Version> = (0..5000).map(|n| version(n, n * 24 / 1000, true)).collect();
        let (history, _) = taken(all.iter().copied());
        let shown: Vec<EntryKey> = history.shown().collect();
        let since = all[4999].seen.millis() - 48 * HOUR;
        let young: Vec<_> = all.iter().filter(|version| version.seen.millis() >= since).collect();
        assert!(young.len() > 2000 && young.iter().all(|version| shown.contains(&version.key)));
        assert!(shown.len() <= young.len() + SEALED, "{}", shown.len());
    }

    #[test]
    fn what_was_taken_over_is_no_news() {
        let imported = (0..950).map(|n| version(n, 1000, false));
        let (history, documents) = taken(imported.chain([version(2000, 10, true)]));
        assert_eq!((documents.len(), history.pending.len(), history.young.len()), (9, 51, 0));
        assert_eq!(history.newest.millis(), 10 * HOUR);
    }

    #[test]
    fn generations_differ_by_every_part() {
        let name = generation(&["a", "b"]);
        assert_eq!(name.len(), 12);
        assert!(name != generation(&["a", "c"]) && name != generation(&["ab"]) && name == generation(&["a", "b"]));
    }
}
