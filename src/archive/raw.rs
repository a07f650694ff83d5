//! Source fragments as received: one small compressed file per poll that brought something.

use std::io;

use crate::model::{EntryKey, Timestamp};

use super::ledger::{Op, hex_key, moment};

/// What a poll keeps of the answer itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RawAnswer {
    /// The feed's id in the config.
    pub feed: String,
    /// Where it came from in the end; absent for a file of the operator's disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// When it was received.
    #[serde(with = "moment")]
    pub seen: Timestamp,
    /// HTTP status.
    pub status: u16,
    /// Headers worth keeping, names in lower case.
    pub headers: Vec<(String, String)>,
    /// SHA-256 of the body, decompressed, hex.
    pub sha256: String,
    /// The encoding that the body was read in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// What stood around the entries: with it a fragment is a document again.
    pub envelope: String,
}

/// The source of one entry.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RawFragment {
    /// The entry's key.
    #[serde(with = "hex_key")]
    pub key: EntryKey,
    /// `add` or `revise`.
    pub op: Op,
    /// Number of the revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<u32>,
    /// The element or object as received, in UTF-8.
    pub source: String,
}

/// A raw file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawPoll {
    /// The first line.
    pub answer: RawAnswer,
    /// The lines after it.
    pub fragments: Vec<RawFragment>,
}

/// Level 1 is three times faster than the default and makes files a tenth larger.
const LEVEL: i32 = 1;

/// More than this is no raw file of ours (bytes, decompressed).
const MOST: usize = 1 << 30;

/// Makes the bytes of raw files; what it needs for that is the same memory for all of them.
pub(super) struct RawPacker {
    compressor: zstd::bulk::Compressor<'static>,
    text: Vec<u8>,
}

impl RawPacker {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { compressor: zstd::bulk::Compressor::new(LEVEL)?, text: Vec::new() })
    }

    pub(super) fn pack(&mut self, poll: &RawPoll) -> io::Result<Vec<u8>> {
        self.text.clear();
        serde_json::to_writer(&mut self.text, &poll.answer)?;
        for fragment in &poll.fragments {
            self.text.push(b'\n');
            serde_json::to_writer(&mut self.text, fragment)?;
        }
        self.text.push(b'\n');
        self.compressor.compress(&self.text)
    }
}

impl RawPoll {
    /// Where it lies, relative to the archive.
    pub fn path(&self) -> String {
        Self::path_of(&self.answer.feed, self.answer.seen)
    }

    /// Where the file of a poll lies: `_raw/2026/11/<feed>-<UTC time>.jsonl.zst`.
    pub fn path_of(feed: &str, seen: Timestamp) -> String {
        let time = seen.rfc3339_millis().replace(['-', ':', '.'], "");
        format!("_raw/{}/{feed}-{time}.jsonl.zst", seen.month().replace('-', "/"))
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        RawPacker::new()?.pack(self)
    }

    /// Reads a file's bytes again.
    pub fn from_bytes(bytes: &[u8]) -> io::Result<Self> {
        let mut text = Vec::new();
        let reader = zstd::stream::Decoder::new(bytes)?;
        io::Read::read_to_end(&mut io::Read::take(reader, MOST as u64), &mut text)?;
        let text = String::from_utf8(text).map_err(io::Error::other)?;
        let mut lines = text.lines();
        let answer = serde_json::from_str(lines.next().unwrap_or_default())?;
        let fragments = lines.map(serde_json::from_str).collect::<Result<_, _>>()?;
        Ok(Self { answer, fragments })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_file_comes_back() {
        let poll = RawPoll {
            answer: RawAnswer {
                feed: "rfa".into(),
                url: Some("https://example.org/feed".into()),
                seen: Timestamp::parse_rfc3339("2026-11-22T06:11:31.250Z").expect("time"),
                status: 200,
                headers: vec![("etag".into(), "\"x\"".into())],
                sha256: "00".into(),
                charset: Some("UTF-8".into()),
                envelope: "<rss>".into(),
            },
            fragments: vec![RawFragment {
                key: EntryKey::of("x"),
                op: Op::Add,
                rev: None,
                source: "<item>\n字</item>".into(),
            }],
        };
        assert_eq!(poll.path(), "_raw/2026/11/rfa-20261122T061131250Z.jsonl.zst");
        assert_eq!(RawPoll::from_bytes(&poll.to_bytes().expect("bytes")).expect("raw"), poll);
    }
}
