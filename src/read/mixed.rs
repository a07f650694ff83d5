//! UTF-8 with something else in it: a title that came from another table of the database, a text that
//! was cut in the middle of a character.
//!
//! Bytes beyond ASCII come in runs. A run that is valid UTF-8 is UTF-8: in no other encoding are many
//! of them so by chance. So one bad title costs the other entries nothing.

use std::ops::Range;

use encoding_rs::{
    Encoding, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_10, ISO_8859_13, ISO_8859_14, ISO_8859_15, ISO_8859_16,
    MACINTOSH, WINDOWS_1250, WINDOWS_1252, WINDOWS_1254, WINDOWS_1257, WINDOWS_1258,
};

/// Encodings of Latin letters, where ASCII stands between most others.
const LATIN: [&Encoding; 14] = [
    WINDOWS_1250,
    WINDOWS_1252,
    WINDOWS_1254,
    WINDOWS_1257,
    WINDOWS_1258,
    ISO_8859_2,
    ISO_8859_3,
    ISO_8859_4,
    ISO_8859_10,
    ISO_8859_13,
    ISO_8859_14,
    ISO_8859_15,
    ISO_8859_16,
    MACINTOSH,
];

/// A run of this many bytes is no word of a Latin script.
const LONG: usize = 3;

/// Characters that are valid by chance in a text of another encoding.
const CHANCE: usize = 8;

/// The bytes of a text that are no ASCII, counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Runs {
    /// Runs that are valid UTF-8 but for a byte here and there, and those that are not.
    good: usize,
    bad: usize,
    /// Characters of the good ones that are valid, and their bytes.
    characters: usize,
    valid: usize,
    /// All bytes.
    bytes: usize,
    /// Bytes in long runs.
    long: usize,
}

impl Runs {
    pub fn of(body: &[u8]) -> Self {
        let mut counted = Self::default();
        for at in runs(body) {
            let run = &body[at];
            let valid: usize = run.utf8_chunks().map(|chunk| chunk.valid().len()).sum();
            if valid * 4 > run.len() * 3 {
                counted.good += 1;
                counted.valid += valid;
                counted.characters += run.utf8_chunks().map(|chunk| chunk.valid().chars().count()).sum::<usize>();
            } else {
                counted.bad += 1;
            }
            counted.bytes += run.len();
            counted.long += if run.len() >= LONG { run.len() } else { 0 };
        }
        counted
    }

    /// True for UTF-8 with a few bad bytes, whatever the label says: Chinese has few runs and long ones,
    /// English many and short ones.
    pub fn are_utf8(self) -> bool {
        let are_most = self.good > self.bad && self.valid * 4 > self.bytes;
        self.characters >= CHANCE && (are_most || self.valid * 2 > self.bytes)
    }

    /// True where nothing speaks against UTF-8, though not much for it: as many runs or bytes, or else
    /// letters of a Latin script, which never make a character of UTF-8 by chance.
    pub fn may_be_utf8(self, other: impl Fn() -> &'static Encoding) -> bool {
        self.good > 0 && (self.good >= self.bad || self.valid * 2 > self.bytes || is_latin(other()))
    }

    /// False for a Latin encoding over bytes that are not Latin: it has a letter for each of them, so
    /// no byte ever says that it is wrong.
    pub fn may_be(self, encoding: &Encoding) -> bool {
        !is_latin(encoding) || self.long * 2 <= self.bytes
    }
}

fn is_latin(encoding: &Encoding) -> bool {
    LATIN.contains(&encoding)
}

/// The places of bytes beyond ASCII.
pub(super) fn runs(body: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + Encoding::ascii_valid_up_to(&body[at..]);
        let run = body[start..].iter().position(u8::is_ascii).unwrap_or(body.len() - start);
        at = start + run;
        (run > 0).then_some(start..at)
    })
}

/// The text of a document in UTF-8, and what is no UTF-8 in it in the encoding that is `guess`ed for
/// these bytes.
pub(super) fn text(body: &[u8], guess: impl Fn(&[u8]) -> &'static Encoding) -> String {
    let pieces = || body.split_inclusive(|b| matches!(b, b'<' | b'>'));
    let bad: Vec<u8> = pieces().filter(|piece| str::from_utf8(piece).is_err()).flatten().copied().collect();
    let encoding = guess(&bad);
    let mut out = String::with_capacity(body.len());
    for piece in pieces() {
        match str::from_utf8(piece) {
            Ok(text) => out.push_str(text),
            Err(_) => mend(piece, encoding, &mut out),
        }
    }
    out
}

/// Text between two tags that is no UTF-8, or not all of it.
fn mend(piece: &[u8], encoding: &'static Encoding, out: &mut String) {
    let whole = joined(piece);
    let piece = whole.as_deref().unwrap_or(piece);
    if Runs::of(piece).good == 0 && !is_cut(piece) {
        return out.push_str(&read(piece, encoding));
    }
    let mut from = 0;
    for run in runs(piece) {
        let bytes = &piece[run.clone()];
        out.push_str(&String::from_utf8_lossy(&piece[from..run.start]));
        // Behind good characters the bad one is what was left of a character.
        let is_foreign = bytes.utf8_chunks().all(|chunk| chunk.valid().is_empty()) && !is_cut(bytes);
        out.push_str(&if is_foreign { read(bytes, encoding) } else { String::from_utf8_lossy(bytes) });
        from = run.end;
    }
    out.push_str(&String::from_utf8_lossy(&piece[from..]));
}

/// True for the first bytes of characters whose last ones are missing.
fn is_cut(piece: &[u8]) -> bool {
    piece.utf8_chunks().all(|chunk| chunk.invalid().len() != 1)
}

fn read<'p>(piece: &'p [u8], encoding: &'static Encoding) -> std::borrow::Cow<'p, str> {
    let mut encodings = [encoding, WINDOWS_1252].into_iter();
    let clean = encodings.find_map(|e| e.decode_without_bom_handling_and_without_replacement(piece));
    clean.unwrap_or_else(|| String::from_utf8_lossy(piece))
}

/// With characters that were written as their two halves of UTF-16, as Java and `MySQL` do it (CESU-8).
fn joined(piece: &[u8]) -> Option<Vec<u8>> {
    let half = |three: &[u8]| match *three {
        [0xed, high @ 0xa0..=0xbf, low @ 0x80..=0xbf] => {
            Some(0xd000 | u16::from(high & 0x3f) << 6 | u16::from(low & 0x3f))
        }
        _ => None,
    };
    memchr::memchr(0xed, piece)?;
    let mut out = Vec::with_capacity(piece.len());
    let mut at = 0;
    while at < piece.len() {
        let halves = piece.get(at..at + 6).and_then(|six| Some([half(&six[..3])?, half(&six[3..])?]));
        let character = halves.and_then(|two| String::from_utf16(&two).ok());
        match character {
            Some(character) => out.extend_from_slice(character.as_bytes()),
            None => out.push(piece[at]),
        }
        at += if halves.is_some() { 6 } else { 1 };
    }
    Some(out)
}
