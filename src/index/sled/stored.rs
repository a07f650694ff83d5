//! How records, places and what a store says of itself are written as bytes.

use crate::history::{History, Version};
use crate::index::Takedown;
use crate::model::{EntryKey, FeedId, Fingerprint, LedgerEnd, LedgerPosition, Record, Timestamp, TopicId};

/// Version of everything kept here; another version is rebuilt from the archive.
pub(super) const VERSION: u8 = 2;

/// What the store of entries says of itself. sled may forget the end of a damaged file without a
/// word, so a store that holds fewer rows than it says is not believed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Meta {
    pub(super) version: u8,
    pub(super) records: u64,
    pub(super) aliases: u64,
    pub(super) order: u64,
    pub(super) forgotten: u64,
    /// How far the ledger was known when the last record was put.
    pub(super) ledger: LedgerPosition,
}

/// A record as it is stored.
#[derive(serde::Serialize, serde::Deserialize)]
struct Stored {
    path: String,
    feed: Option<String>,
    also: Vec<String>,
    title: Fingerprint,
    text: Fingerprint,
    claimed: Option<i64>,
    date: i64,
    seen: i64,
    guid: Option<Fingerprint>,
    link: Option<Fingerprint>,
    aliases: u32,
    revisions: u32,
    revised: Option<i64>,
    id: Option<String>,
    rule: u8,
}

/// A history as it is stored.
#[derive(serde::Serialize, serde::Deserialize)]
struct StoredHistory {
    sealed: u64,
    pending: Vec<StoredVersion>,
    young: Vec<StoredVersion>,
    newest: i64,
    ledger: LedgerPosition,
}

/// Key, number of the revision, when it was seen, whether it is news.
type StoredVersion = ([u8; 32], u32, i64, bool);

/// The bytes of a history.
pub(super) fn history_bytes(history: &History) -> Result<Vec<u8>, String> {
    let version = |v: &Version| (*v.key.bytes(), v.rev, v.seen.millis(), v.is_news);
    let stored = StoredHistory {
        sealed: history.sealed,
        pending: history.pending.iter().map(version).collect(),
        young: history.young.iter().map(version).collect(),
        newest: history.newest.millis(),
        ledger: history.ledger.clone(),
    };
    postcard::to_extend(&stored, vec![VERSION]).map_err(|e| e.to_string())
}

/// A history from its bytes.
pub(super) fn history(value: &[u8]) -> Option<History> {
    let stored: StoredHistory = postcard::from_bytes(value.strip_prefix(&[VERSION])?).ok()?;
    let version = |(key, rev, seen, is_news): StoredVersion| {
        Some(Version { key: EntryKey::from_bytes(&key)?, rev, seen: Timestamp::from_millis(seen), is_news })
    };
    Some(History {
        sealed: stored.sealed,
        pending: stored.pending.into_iter().map(version).collect::<Option<_>>()?,
        young: stored.young.into_iter().map(version).collect::<Option<_>>()?,
        newest: Timestamp::from_millis(stored.newest),
        ledger: stored.ledger,
    })
}

/// The bytes of a record.
pub(super) fn encode(record: &Record) -> Result<Vec<u8>, String> {
    let stored = Stored {
        path: record.path.clone(),
        feed: record.feed.as_ref().map(ToString::to_string),
        also: record.also.iter().map(ToString::to_string).collect(),
        title: record.title,
        text: record.text,
        claimed: record.claimed.map(Timestamp::millis),
        date: record.date.millis(),
        seen: record.seen.millis(),
        guid: record.guid,
        link: record.link,
        aliases: record.aliases,
        revisions: record.revisions,
        revised: record.revised.map(Timestamp::millis),
        id: record.id.clone(),
        rule: record.rule,
    };
    postcard::to_extend(&stored, vec![VERSION]).map_err(|e| e.to_string())
}

/// A record from its bytes; the error is the cause.
pub(super) fn decode(value: &[u8]) -> Result<Record, String> {
    let Some((&VERSION, bytes)) = value.split_first() else {
        return Err("a record has another version".to_owned());
    };
    let stored: Stored = postcard::from_bytes(bytes).map_err(|e| format!("a record cannot be read: {e}"))?;
    Ok(Record {
        path: stored.path,
        feed: stored.feed.as_deref().and_then(FeedId::parse),
        also: stored.also.iter().filter_map(|feed| FeedId::parse(feed)).collect(),
        title: stored.title,
        text: stored.text,
        claimed: stored.claimed.map(Timestamp::from_millis),
        date: Timestamp::from_millis(stored.date),
        seen: Timestamp::from_millis(stored.seen),
        guid: stored.guid,
        link: stored.link,
        aliases: stored.aliases,
        revisions: stored.revisions,
        revised: stored.revised.map(Timestamp::from_millis),
        id: stored.id,
        rule: stored.rule,
    })
}

/// Length of a place in the order (bytes).
pub(super) const PLACE: usize = 16 + 8 + 32;

/// Newest first, then key: rule, inverted milliseconds, key.
pub(super) fn place(rule: Fingerprint, date: Timestamp, key: EntryKey) -> Vec<u8> {
    let mut place = Vec::with_capacity(PLACE);
    place.extend_from_slice(rule.bytes());
    place.extend_from_slice(&latest_first(date));
    place.extend_from_slice(key.bytes());
    place
}

/// A moment so that later ones sort first.
fn latest_first(moment: Timestamp) -> [u8; 8] {
    // The sign bit is turned so that years before 1970 sort below those after it.
    let ascending = moment.millis().cast_unsigned() ^ (1 << 63);
    (!ascending).to_be_bytes()
}

/// The row of a takedown: its place, the latest first, and its value.
pub(super) fn takedown_row(takedown: &Takedown) -> Result<(Vec<u8>, Vec<u8>), String> {
    let topics: Vec<&str> = takedown.topics.iter().map(TopicId::as_str).collect();
    let value = postcard::to_extend(&(&takedown.id, topics), vec![VERSION]).map_err(|e| e.to_string())?;
    Ok(([&latest_first(takedown.when)[..], takedown.key.bytes()].concat(), value))
}

/// A takedown from its row; its marks are rows of their own.
pub(super) fn takedown(place: &[u8], value: &[u8]) -> Option<Takedown> {
    let (when, key) = place.split_first_chunk::<8>()?;
    let millis = (!u64::from_be_bytes(*when) ^ (1 << 63)).cast_signed();
    let (_, value) = value.split_first().filter(|(version, _)| **version == VERSION)?;
    let (id, topics): (Option<String>, Vec<String>) = postcard::from_bytes(value).ok()?;
    let topics = topics.iter().filter_map(|topic| TopicId::parse(topic)).collect();
    let key = EntryKey::from_bytes(key)?;
    Some(Takedown { key, when: Timestamp::from_millis(millis), id, topics, marks: Vec::new(), trace: None })
}

/// The rule at the beginning of a place.
pub(super) fn rule_of_place(place: &[u8]) -> Option<Fingerprint> {
    place.get(..16).and_then(Fingerprint::from_bytes)
}

/// The key at the end of a place.
pub(super) fn key_of_place(place: &[u8]) -> Option<EntryKey> {
    place.get(24..).and_then(EntryKey::from_bytes)
}

/// True when everything that `less` knows of the ledger is known to `more`, too.
pub(super) fn is_within(less: &LedgerPosition, more: &LedgerPosition) -> bool {
    less.iter().all(|end| more.iter().any(|known| known.file == end.file && known.length >= end.length))
}

/// How far both know the ledger.
pub(super) fn common(a: &LedgerPosition, b: &LedgerPosition) -> LedgerPosition {
    let known = |end: &LedgerEnd| b.iter().find(|other| other.file == end.file);
    a.iter().filter_map(|end| Some(end.min(known(end)?).clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let print = Fingerprint::of("x");
        Record {
            path: "_posts/x.md".into(),
            feed: FeedId::parse("a"),
            also: vec![FeedId::parse("b").expect("id")],
            title: print,
            text: print,
            claimed: Some(Timestamp::from_millis(-1)),
            date: Timestamp::from_millis(1),
            seen: Timestamp::from_millis(2),
            guid: Some(print),
            link: None,
            aliases: 4,
            revisions: 3,
            revised: None,
            id: Some("urn:x".into()),
            rule: 6,
        }
    }

    #[test]
    fn a_record_comes_back_and_no_part_of_it_does() {
        let bytes = encode(&record()).expect("bytes");
        assert_eq!(decode(&bytes), Ok(record()));
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length} of {}", bytes.len());
        }
        let mut other = bytes;
        other[0] = VERSION + 1;
        assert!(decode(&other).is_err());
    }

    #[test]
    fn a_history_comes_back_also_from_what_a_former_version_wrote() {
        let version = Version { key: EntryKey::of("x"), rev: 1, seen: Timestamp::from_millis(5), is_news: true };
        let whole = History {
            sealed: 3,
            pending: vec![version],
            ledger: vec![LedgerEnd::at("2026-11", 7)],
            ..History::default()
        };
        let mut bytes = history_bytes(&whole).expect("bytes");
        assert_eq!(history(&bytes), Some(whole.clone()));
        // It ended with a time.
        bytes.extend([0x80, 0x01]);
        assert_eq!(history(&bytes), Some(whole));
    }

    #[test]
    fn places_sort_newest_first_then_by_key() {
        let rule = Fingerprint::of("rule");
        let at = |millis, key: &str| place(rule, Timestamp::from_millis(millis), EntryKey::of(key));
        assert!(at(2, "x") < at(1, "x") && at(1, "x") < at(-1, "x"));
        assert_eq!(at(1, "x") < at(1, "y"), EntryKey::of("x") < EntryKey::of("y"));
        assert_eq!(key_of_place(&at(1, "x")), Some(EntryKey::of("x")));
        assert_eq!(key_of_place(b"short"), None);
    }

    #[test]
    fn positions_compare_file_by_file() {
        let at = |list: &[(&str, u64)]| list.iter().map(|(f, n)| LedgerEnd::at(*f, *n)).collect::<LedgerPosition>();
        let (old, new) = (at(&[("2026-10", 5)]), at(&[("2026-10", 7), ("2026-11", 3)]));
        assert!(is_within(&old, &new) && !is_within(&new, &old) && is_within(&at(&[]), &old));
        assert_eq!(common(&old, &new), old);
        assert_eq!(common(&at(&[("2026-11", 9)]), &new), at(&[("2026-11", 3)]));
    }
}
