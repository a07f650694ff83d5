use sha2::{Digest, Sha256};

use super::{EntryKey, FeedId, Timestamp};

/// A short hash that says whether two texts are the same: 16 bytes of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Of a text.
    pub fn of(text: &str) -> Self {
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        let mut head = [0; 16];
        head.copy_from_slice(&digest[..16]);
        Self(head)
    }

    /// The 16 bytes.
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// From raw bytes; `None` unless there are 16.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// From 32 hex digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        // An entry key is the same kind of text, twice as long.
        let whole = super::EntryKey::from_hex(&format!("{text}{text}"))?;
        whole.bytes()[..16].try_into().ok().map(Self)
    }

    /// 32 lower-case hex digits.
    pub fn hex(&self) -> String {
        super::key::hex(&self.0)
    }
}

/// What the index remembers of a key. All of it can be read again from post and ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where the post lies, relative to the archive.
    pub path: String,
    /// The feed that brought it; `None` for posts of other makers.
    pub feed: Option<FeedId>,
    /// Other feeds that carried it, as noted in the ledger.
    pub also: Vec<FeedId>,
    /// Of the NFKC title.
    pub title: Fingerprint,
    /// Of the body's text.
    pub text: Fingerprint,
    /// The date the entry claimed, if it claimed a usable one.
    pub claimed: Option<Timestamp>,
    /// The post's date.
    pub date: Timestamp,
    /// First sight.
    pub seen: Timestamp,
    /// Of the guid it last came with.
    pub guid: Option<Fingerprint>,
    /// Of the canonical URL it last came with.
    pub link: Option<Fingerprint>,
    /// How often the ledger noted that it came under another guid or address.
    pub aliases: u32,
    /// How often it was revised.
    pub revisions: u32,
    /// When it was last revised.
    pub revised: Option<Timestamp>,
    /// The published id, where it is not the `tag:` URI made from the key.
    pub id: Option<String>,
    /// The rule that made it an entry of its own.
    pub rule: u8,
}

/// A record with its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The key.
    pub key: EntryKey,
    /// What is remembered of it.
    pub record: Record,
}

/// How much of each ledger file is known, sorted by name.
pub type LedgerPosition = Vec<LedgerEnd>;

/// How far a ledger file is known. Two are the same where they are the same place.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct LedgerEnd {
    /// Name of the file.
    pub file: String,
    /// Bytes, up to and with a line feed.
    pub length: u64,
    /// Of what stands before that place: a file that was merged is long enough, and says something else there.
    pub mark: Option<Fingerprint>,
}

impl LedgerEnd {
    /// A place in a file, whatever stands there.
    pub fn at(file: impl Into<String>, length: u64) -> Self {
        Self { file: file.into(), length, mark: None }
    }
}

impl PartialEq for LedgerEnd {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for LedgerEnd {}

impl PartialOrd for LedgerEnd {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LedgerEnd {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (&self.file, self.length).cmp(&(&other.file, other.length))
    }
}
