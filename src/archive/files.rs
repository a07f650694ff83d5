//! The ledger's files: appended to, read from a known place on, cut where a line is torn.

use std::io;
use std::path::{Path, PathBuf};

use super::folder::{failed, unread};
use super::{ArchiveError, Line};
use crate::disk::Disk;
use crate::model::{Fingerprint, LedgerEnd, LedgerPosition, Timestamp};

/// The ledger's end is looked for in blocks of this size (bytes), doubled until it is found.
const BLOCK: u64 = 4 << 10;

/// So much before a place in a ledger file is its mark (bytes): three lines and more.
const MARKED: usize = 1 << 10;

/// The ledger is read in blocks of this size (bytes) where nobody needs all of it.
const LARGE: usize = 4 << 20;

/// A file that is written, but not part of the archive yet.
pub(super) struct Pending {
    /// Where its bytes are now.
    pub(super) written: PathBuf,
    /// Where they belong.
    pub(super) last: PathBuf,
    /// A ledger file, written at its place.
    pub(super) is_ledger: bool,
    /// Length of a ledger file before this batch.
    pub(super) before: u64,
}

/// The files below `_ledger`.
pub(super) struct LedgerFiles<'a> {
    disk: &'a dyn Disk,
    root: &'a Path,
}

/// The end of the ledger: the batches that may be half done, and where they begin.
pub(super) struct Tail {
    pub(super) file: PathBuf,
    pub(super) start: u64,
    pub(super) lines: Vec<TailLine>,
}

/// A line as it stands there; one about a feed, and no entry, belongs to no batch.
pub(super) struct TailLine {
    pub(super) text: Vec<u8>,
    pub(super) line: Option<Line>,
}

impl Tail {
    /// The lines about entries, batch by batch: those that were written at the same time for the same feed.
    pub(super) fn batches(&self) -> Vec<Vec<&Line>> {
        let lines: Vec<&Line> = self.lines.iter().filter_map(|tail| tail.line.as_ref()).collect();
        lines.chunk_by(|a, b| is_same_batch(a, b)).map(<[_]>::to_vec).collect()
    }
}

fn is_same_batch(a: &Line, b: &Line) -> bool {
    a.seen == b.seen && a.feed == b.feed
}

impl<'a> LedgerFiles<'a> {
    pub(super) fn new(disk: &'a dyn Disk, root: &'a Path) -> Self {
        Self { disk, root }
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.root.join("_ledger")
    }

    /// Appends lines after the last whole one; a torn one, left by a crash, is cut off.
    pub(super) fn append<T: serde::Serialize>(
        &self,
        name: &str,
        lines: &[T],
        pending: &mut Vec<Pending>,
    ) -> Result<(), ArchiveError> {
        let file = self.folder().join(name);
        let mut text = String::new();
        for line in lines {
            text.push_str(&serde_json::to_string(line).map_err(|e| failed(&file, "written", e.into()))?);
            text.push('\n');
        }
        let folder = self.folder();
        self.disk.make_folder(&folder).map_err(|e| failed(&folder, "made", e))?;
        let before = self.whole_length(&file).map_err(|e| unread(&file, e))?;
        pending.push(Pending { written: file.clone(), last: file.clone(), is_ledger: true, before });
        self.disk.append(&file, before, text.as_bytes()).map_err(|e| failed(&file, "written", e))
    }

    /// The length of a file up to and with its last line feed.
    fn whole_length(&self, file: &Path) -> io::Result<u64> {
        Ok(self.end(file)?.0)
    }

    /// The same, and the mark of what stands before that place.
    fn end(&self, file: &Path) -> io::Result<(u64, Option<Fingerprint>)> {
        let Some(length) = self.disk.length(file)? else { return Ok((0, None)) };
        let mut block = BLOCK;
        loop {
            let start = length.saturating_sub(block);
            let tail = self.disk.read(file, start)?;
            match tail.iter().rposition(|b| *b == b'\n') {
                Some(at) if start == 0 || at >= MARKED => {
                    let marked = &tail[(at + 1).saturating_sub(MARKED)..=at];
                    return Ok((start + at as u64 + 1, Some(mark(marked))));
                }
                None if start == 0 => return Ok((0, None)),
                _ => block *= 2,
            }
        }
    }

    /// True when the files hold all that is known of them, as far as the marks tell.
    pub(super) fn holds(&self, known: &LedgerPosition) -> Result<bool, ArchiveError> {
        for end in known {
            let file = self.folder().join(&end.file);
            let failed = |e| unread(&file, e);
            if self.whole_length(&file).map_err(failed)? < end.length {
                return Ok(false);
            }
            let Some(known) = end.mark else { continue };
            let start = end.length.saturating_sub(MARKED as u64);
            let length = usize::try_from(end.length - start).unwrap_or(MARKED);
            if mark(&self.disk.read_part(&file, start, length).map_err(failed)?) != known {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The ledger's month files, sorted by name.
    fn months(&self) -> Result<Vec<PathBuf>, ArchiveError> {
        let folder = self.folder();
        let mut files = self.disk.list(&folder).map_err(|e| unread(&folder, e))?;
        files.retain(|path| is_month_file(path));
        Ok(files)
    }

    /// The file that a line of this time goes into: its month's, but never an older one than there is, so that the
    /// order of the files is the order of writing.
    pub(super) fn file_for(&self, seen: Timestamp) -> Result<String, ArchiveError> {
        let own = format!("{}.jsonl", seen.month());
        let newest = self.months()?.pop().map(|path| file_name(&path));
        Ok(newest.filter(|newest| *newest > own).unwrap_or(own))
    }

    /// Cuts off what a crash left behind the last whole line; says of how many files.
    pub(super) fn cut_torn(&self) -> Result<usize, ArchiveError> {
        let mut cut = 0;
        for file in self.months()?.into_iter().chain([self.folder().join("sources.jsonl")]) {
            let whole = self.whole_length(&file).map_err(|e| unread(&file, e))?;
            if self.disk.length(&file).map_err(|e| unread(&file, e))?.is_some_and(|length| length > whole) {
                self.disk.append(&file, whole, b"").map_err(|e| failed(&file, "written", e))?;
                self.disk.sync(&file).map_err(|e| failed(&file, "synced", e))?;
                cut += 1;
            }
        }
        Ok(cut)
    }

    /// How long each file is, torn lines left out.
    pub(super) fn position(&self) -> Result<LedgerPosition, ArchiveError> {
        self.months()?
            .into_iter()
            .map(|path| {
                let (length, mark) = self.end(&path).map_err(|e| unread(&path, e))?;
                Ok(LedgerEnd { file: file_name(&path), length, mark })
            })
            .collect()
    }

    /// Lines that a position does not know, in the order of the files.
    pub(super) fn lines_after(&self, known: &LedgerPosition) -> Result<Vec<Line>, ArchiveError> {
        let mut lines = Vec::new();
        for path in self.months()? {
            let name = file_name(&path);
            let start = length_of(known, &name);
            let bytes = self.disk.read(&path, start).map_err(|e| unread(&path, e))?;
            lines.extend(whole_lines(&bytes).filter_map(|(_, line)| serde_json::from_slice(line).ok()));
        }
        Ok(lines)
    }

    /// The next lines that a position does not know, some of them, and the position behind them. There are no more when
    /// the position stays where it was.
    pub(super) fn some_lines_after(&self, known: &LedgerPosition) -> Result<(Vec<Line>, LedgerPosition), ArchiveError> {
        let (mut lines, mut position) = (Vec::new(), known.clone());
        for path in self.months()? {
            let name = file_name(&path);
            let start = length_of(known, &name);
            let mut most = LARGE;
            let bytes = loop {
                let bytes = self.disk.read_part(&path, start, most).map_err(|e| unread(&path, e))?;
                // A line that is longer than the block.
                if bytes.len() < most || bytes.contains(&b'\n') {
                    break bytes;
                }
                most *= 2;
            };
            let mut whole = start;
            for (at, line) in whole_lines(&bytes) {
                whole = start + (at + line.len() + 1) as u64;
                lines.extend(serde_json::from_slice::<Line>(line).ok());
            }
            if whole > start {
                position.retain(|end| end.file != name);
                position.push(LedgerEnd::at(name, whole));
                position.sort();
                return Ok((lines, position));
            }
        }
        Ok((lines, position))
    }

    /// The lines of the last batches, so many of them.
    pub(super) fn tail(&self, batches: usize) -> Result<Option<Tail>, ArchiveError> {
        let Some(file) = self.months()?.pop() else { return Ok(None) };
        let length = self.whole_length(&file).map_err(|e| unread(&file, e))?;
        let mut block = LARGE as u64;
        loop {
            let from = length.saturating_sub(block);
            let bytes = self.disk.read(&file, from).map_err(|e| unread(&file, e))?;
            let mut all: Vec<(u64, TailLine)> = whole_lines(&bytes)
                // The first line of a block may have begun before it.
                .skip(usize::from(from > 0))
                .map(|(at, text)| {
                    (from + at as u64, TailLine { text: text.to_owned(), line: serde_json::from_slice(text).ok() })
                })
                .collect();
            if let Some(first) = beginning(&all, batches).or((from == 0).then_some(0)) {
                let start = all.get(first).map_or(length, |(at, _)| *at);
                let lines = all.drain(first..).map(|(_, line)| line).collect();
                return Ok(Some(Tail { file, start, lines }));
            }
            block *= 2;
        }
    }
}

/// Where so many batches at the end begin; `None` when there may be more of them further up.
fn beginning(lines: &[(u64, TailLine)], batches: usize) -> Option<usize> {
    let (mut seen, mut after): (usize, Option<(usize, &Line)>) = (0, None);
    for (place, (_, tail)) in lines.iter().enumerate().rev() {
        let Some(line) = &tail.line else { continue };
        if after.is_none_or(|(_, after)| !is_same_batch(line, after)) {
            if seen == batches {
                return after.map(|(place, _)| place);
            }
            seen += 1;
        }
        after = Some((place, line));
    }
    None
}

/// Lines that end in a line feed, with their offsets.
fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    bytes.split_inclusive(|b| *b == b'\n').filter_map(move |line| {
        let start = at;
        at += line.len();
        Some((start, line.strip_suffix(b"\n")?))
    })
}

fn length_of(known: &LedgerPosition, name: &str) -> u64 {
    known.iter().find(|end| end.file == name).map_or(0, |end| end.length)
}

fn mark(bytes: &[u8]) -> Fingerprint {
    Fingerprint::of(&String::from_utf8_lossy(bytes))
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// `2026-11.jsonl`
fn is_month_file(path: &Path) -> bool {
    let name = file_name(path);
    let Some(month) = name.strip_suffix(".jsonl") else { return false };
    month.len() == 7 && month.bytes().enumerate().all(|(i, b)| if i == 4 { b == b'-' } else { b.is_ascii_digit() })
}
