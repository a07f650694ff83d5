//! Texts in every encoding, with labels that are right, wrong or missing, packed or not.
#![no_main]

use std::io::Write;

use encoding_rs::Encoding;
use feedmill::read::{Hints, RawText, ReadFeed};
use feedmill_fuzz::{base, checked};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use libfuzzer_sys::fuzz_target;

const LABELS: [&str; 16] = [
    "utf-8",
    "gb2312",
    "gbk",
    "gb18030",
    "big5",
    "shift_jis",
    "euc-jp",
    "iso-2022-jp",
    "euc-kr",
    "koi8-r",
    "windows-1251",
    "windows-1252",
    "iso-8859-2",
    "utf-16le",
    "utf-16be",
    "us-ascii",
];

/// How the document is sent.
struct Sent<'d> {
    written_in: &'d str,
    declared: Option<&'d str>,
    content_type: Option<String>,
    configured: Option<String>,
    packed: u8,
    text: String,
    junk: &'d [u8],
}

impl<'d> Sent<'d> {
    fn from(data: &'d [u8]) -> Option<Self> {
        let (head, rest) = data.split_at_checked(6)?;
        let label = |byte: u8| LABELS.get(usize::from(byte % 24)).copied();
        let written_in = LABELS[usize::from(head[0] % 16)];
        let right = |byte: u8| if byte >= 128 { Some(written_in) } else { label(byte) };
        let (signs, junk) = rest.split_at(rest.len() - usize::from(head[5] % 8).min(rest.len()));
        Some(Self {
            written_in,
            declared: right(head[1]),
            content_type: right(head[2]).map(|label| format!("text/xml; charset={label}")),
            configured: right(head[3]).filter(|_| head[3] % 2 == 1).map(str::to_owned),
            packed: head[4],
            text: written(signs, encoding(written_in)),
            junk,
        })
    }

    fn document(&self, text: &str) -> String {
        let declared = self.declared.map(|label| format!(" encoding='{label}'")).unwrap_or_default();
        format!(
            "<?xml version='1.0'{declared}?><rss version='2.0'><channel><item><guid>1</guid>\
             <title>{text}</title></item></channel></rss>"
        )
    }

    /// True when what is said of the encoding is so.
    fn is_honest(&self) -> bool {
        let is_it = |label: &str| encoding(label) == encoding(self.written_in);
        let http = self.content_type.as_deref().and_then(|text| text.split_once('=')).map(|(_, label)| label);
        let told = [self.configured.as_deref(), http, self.declared].into_iter().flatten().next();
        // `us-ascii` promises that there is nothing else; nobody who writes more can mean it.
        let is_kept = self.written_in != "us-ascii" || self.text.is_ascii();
        told.is_some_and(is_it) && is_kept
    }
}

fn encoding(label: &str) -> &'static Encoding {
    Encoding::for_label(label.as_bytes()).expect("label")
}

fn bytes(text: &str, label: &str) -> Vec<u8> {
    match label {
        "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        label => encoding(label).encode(text).0.into_owned(),
    }
}

/// The characters that two bytes each stand for, as far as the encoding has them and they come back.
fn written(signs: &[u8], encoding: &'static Encoding) -> String {
    let all = signs.chunks_exact(2).filter_map(|two| char::from_u32(u32::from(u16::from_be_bytes([two[0], two[1]]))));
    let legal = all.filter(|c| !c.is_control() && !c.is_whitespace() && !"<>&".contains(*c));
    let legal = legal.filter(|c| !matches!(c, '\u{fffd}'..='\u{ffff}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}'));
    let comes_back = |c: &char| {
        let text = c.to_string();
        let (bytes, _, is_lost) = encoding.encode(&text);
        !is_lost && encoding.output_encoding().decode_without_bom_handling(&bytes).0 == text
    };
    legal.filter(comes_back).collect()
}

fn packed(bytes: Vec<u8>, how: u8) -> Vec<u8> {
    let gzip = |bytes: &[u8]| {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(bytes).expect("written");
        out.finish().expect("gzip")
    };
    let zlib = |bytes: &[u8]| {
        let mut out = ZlibEncoder::new(Vec::new(), Compression::fast());
        out.write_all(bytes).expect("written");
        out.finish().expect("zlib")
    };
    match how {
        0..4 => gzip(&bytes),
        4..8 => zlib(&bytes),
        8..12 => gzip(&zlib(&bytes)),
        12..16 => gzip(&gzip(&bytes)),
        _ => bytes,
    }
}

fn title(feed: &ReadFeed) -> &str {
    match feed.entries.first().and_then(|entry| entry.title.as_ref()) {
        Some(RawText::Plain(text) | RawText::Markup(text)) => text,
        None => "",
    }
}

/// Much of it reads as UTF-8, as a text in no other encoding does but one syllable said again and again. The reader takes that
/// for UTF-8 with a few bad bytes, whatever the label says.
fn may_be_utf8(bytes: &[u8]) -> bool {
    let foreign = |bytes: &[u8]| bytes.iter().filter(|byte| !byte.is_ascii()).count();
    let valid: usize = bytes.utf8_chunks().map(|chunk| foreign(chunk.valid().as_bytes())).sum();
    valid * 4 > foreign(bytes)
}

fuzz_target!(|data: &[u8]| {
    let Some(sent) = Sent::from(data) else { return };
    let hints =
        Hints { content_type: sent.content_type.clone(), encoding: sent.configured.clone(), ..Hints::at(base()) };
    let sound = bytes(&sent.document(&sent.text), sent.written_in);
    let found = checked(&packed(sound.clone(), sent.packed), &hints);
    // Bytes that happen to be UTF-8 are read as such, except where the operator says otherwise.
    let is_open = sent.configured.is_some() || !may_be_utf8(&sound) || sent.written_in == "utf-8";
    if sent.is_honest() && is_open {
        let found = found.expect("a feed");
        assert_eq!(title(&found), sent.text, "{}: {}", sent.written_in, found.charset);
    }
    // A few bytes that belong to nothing.
    let (before, after) = sound.split_at(sound.len() / 2);
    checked(&packed([before, sent.junk, after].concat(), sent.packed), &hints);
});
