//! Bytes to text, whatever they are called.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, Encoding, GB18030, GBK, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::ReadError;

/// Bytes that the detector sees: it reads 8 MB a second.
const SAMPLE: usize = 64 * 1024;

/// A label under which more than one byte in this many is malformed was a lie.
const TOLERATED: usize = 1_000;

/// What is packed without saying so may unpack to this many times its size, or to [`LEAST`].
const PACKED: usize = 200;
const LEAST: usize = 1 << 20;

/// A document as text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded<'b> {
    /// Without byte order mark.
    pub text: Cow<'b, str>,
    /// The name of the encoding it was read in.
    pub charset: &'static str,
}

/// What was said about the encoding outside of the bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Labels<'l> {
    /// The operator's word; it overrules all others.
    pub configured: Option<&'l str>,
    /// `Content-Type` of the answer.
    pub content_type: Option<&'l str>,
}

/// Gzip or zlib data that nobody declared, unpacked; `most` bounds the result.
pub(super) fn unpacked(body: &[u8], most: usize) -> Result<Cow<'_, [u8]>, ReadError> {
    let most = most.min(body.len().saturating_mul(PACKED).max(LEAST));
    let mut body = Cow::Borrowed(body);
    // Servers that pack what is packed already do it once more at most.
    for _ in 0..2 {
        let Some(first) = unpacking(&body) else { break };
        // Counted first: what is too large is never held.
        let mut count = Count(0);
        let counted = io::copy(&mut first.take(most as u64 + 1), &mut count);
        if count.0 > most {
            return Err(ReadError::TooLarge);
        }
        let mut out = Vec::with_capacity(count.0);
        // It ends as it did before.
        if let Some(again) = unpacking(&body) {
            let _ = again.take(count.0 as u64).read_to_end(&mut out);
        }
        match counted {
            Ok(_) => {}
            // What was unpacked before the end went missing may hold whole entries.
            Err(_) if !out.is_empty() => {}
            Err(error) => return Err(ReadError::Packed(error.to_string())),
        }
        body = Cow::Owned(out);
    }
    Ok(body)
}

fn unpacking(body: &[u8]) -> Option<Box<dyn Read + '_>> {
    match body {
        [0x1f, 0x8b, 8, ..] => Some(Box::new(flate2::read::MultiGzDecoder::new(body))),
        [0x78, flags, ..] if (0x7800 + u16::from(*flags)) % 31 == 0 => {
            Some(Box::new(flate2::read::ZlibDecoder::new(body)))
        }
        _ => None,
    }
}

/// How many bytes were written.
struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The text of a document.
///
/// In this order: the operator's word; a byte order mark; UTF-32 and UTF-16 by the zeros in the
/// first tag; HTTP's charset (RFC 7303 section 3); the XML declaration; valid UTF-8, which wins over
/// any legacy label; detection. Never U+FFFD where another reading has none.
pub(super) fn text<'b>(body: &'b [u8], labels: Labels<'_>) -> Decoded<'b> {
    if let Some(encoding) = labels.configured.and_then(|label| encoding_for(label.as_bytes())) {
        let (_, mark) = Encoding::for_bom(body).unwrap_or((encoding, 0));
        return with_replacement(&body[mark..], encoding);
    }
    if let Some(decoded) = wide(body) {
        return decoded;
    }
    if let Some((encoding, mark)) = Encoding::for_bom(body) {
        return with_replacement(&body[mark..], encoding);
    }
    let http = labels.content_type.and_then(charset).and_then(|label| encoding_for(label.as_bytes()));
    let declared = declared(body);
    // Seven-bit bytes are valid UTF-8 whatever they mean; XML itself knows no escape character.
    if memchr::memchr(0x1b, body).is_some_and(|at| body[at..].starts_with(b"\x1b$"))
        && let Some(decoded) = believed(body, ISO_2022_JP)
    {
        return decoded;
    }
    if let Ok(text) = simdutf8::basic::from_utf8(body) {
        return Decoded { text: text.into(), charset: UTF_8.name() };
    }
    if is_nearly_utf8(body) {
        return with_replacement(body, UTF_8);
    }
    for encoding in [http, declared].into_iter().flatten().filter(|e| *e != UTF_16BE && *e != UTF_16LE) {
        if let Some(decoded) = believed(body, encoding) {
            return decoded;
        }
    }
    if let Some(decoded) = believed(body, UTF_8) {
        return decoded;
    }
    detected(body, http.or(declared))
}

/// True for UTF-8 in which a character was cut in half: a text in a legacy encoding has no run of
/// valid characters beyond ASCII.
fn is_nearly_utf8(body: &[u8]) -> bool {
    const ENOUGH: usize = 8;
    let (mut good, mut bad) = (0, 0);
    for chunk in body.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good >= ENOUGH && bad <= 1 + good / 50
}

/// Under this label, when few enough bytes are malformed under it.
fn believed<'b>(body: &'b [u8], encoding: &'static Encoding) -> Option<Decoded<'b>> {
    let (text, malformed) = encoding.decode_without_bom_handling(body);
    if !malformed {
        return Some(Decoded { text, charset: encoding.name() });
    }
    let replaced = text.matches('\u{fffd}').count();
    (replaced * TOLERATED <= body.len()).then_some(Decoded { text, charset: encoding.name() })
}

fn with_replacement<'b>(body: &'b [u8], encoding: &'static Encoding) -> Decoded<'b> {
    let (text, _) = encoding.decode_without_bom_handling(body);
    Decoded { text, charset: encoding.name() }
}

/// What the bytes look like. Of the detector's answer, the label that was a lie, and the encodings
/// of Chinese, the one with the fewest malformed bytes counts.
fn detected<'b>(body: &'b [u8], label: Option<&'static Encoding>) -> Decoded<'b> {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    let start = body.iter().position(|b| !b.is_ascii()).unwrap_or_default().saturating_sub(SAMPLE / 4);
    let sample = &body[start..body.len().min(start + SAMPLE)];
    detector.feed(sample, true);
    let guess = detector.guess(None, Utf8Detection::Allow);
    let candidates = [Some(guess), label, Some(UTF_8), Some(GB18030), Some(BIG5), Some(WINDOWS_1252)];
    let read = candidates.into_iter().flatten().map(|encoding| with_replacement(body, encoding));
    // Of equals the first: the detector knows more than the order does.
    let best = read.min_by_key(|decoded| decoded.text.matches('\u{fffd}').count());
    best.unwrap_or_else(|| with_replacement(body, guess))
}

/// UTF-16 and UTF-32 without a mark, by the zeros around the first `<`; UTF-32 with one, which the
/// Encoding Standard does not know.
fn wide(body: &[u8]) -> Option<Decoded<'static>> {
    let (be, skip) = match body {
        [0, 0, 0xfe, 0xff, ..] => (true, 4),
        [0xff, 0xfe, 0, 0, ..] => (false, 4),
        [0, 0, 0, b'<', ..] => (true, 0),
        [b'<', 0, 0, 0, ..] => (false, 0),
        [0, b'<', 0, ..] => return Some(owned(body, UTF_16BE)),
        [b'<', 0, _, 0, ..] => return Some(owned(body, UTF_16LE)),
        _ => return None,
    };
    let number = |four: &[u8]| {
        let four = [four[0], four[1], four[2], four[3]];
        if be { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) }
    };
    let signs = body[skip..].chunks_exact(4).map(|four| char::from_u32(number(four)).unwrap_or('\u{fffd}'));
    Some(Decoded { text: Cow::Owned(signs.collect()), charset: if be { "UTF-32BE" } else { "UTF-32LE" } })
}

fn owned(body: &[u8], encoding: &'static Encoding) -> Decoded<'static> {
    let decoded = with_replacement(body, encoding);
    Decoded { text: Cow::Owned(decoded.text.into_owned()), charset: decoded.charset }
}

/// The encoding of a label, as browsers read it; GB2312 and GBK as GB18030, which holds both.
fn encoding_for(label: &[u8]) -> Option<&'static Encoding> {
    let encoding = Encoding::for_label(label).or_else(|| match label.to_ascii_lowercase().as_slice() {
        // Names that are in no standard and in some feeds.
        b"u16" | b"utf16" | b"utf_16" => Some(UTF_16LE),
        b"big5hkscs" => Some(BIG5),
        b"cp936" | b"ms936" | b"euc-cn" | b"euccn" => Some(GB18030),
        b"utf8mb4" | b"utf_8" => Some(UTF_8),
        _ => None,
    })?;
    Some(if encoding == GBK { GB18030 } else { encoding })
}

/// True for a label under which bytes can be read.
pub fn is_encoding(label: &str) -> bool {
    encoding_for(label.as_bytes()).is_some()
}

/// The charset of a `Content-Type`.
fn charset(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(value.trim().trim_matches(['"', '\'']).trim())
}

/// The encoding that the XML declaration names. One that contradicts the bytes it is written in
/// (`utf-16`) says nothing.
fn declared(body: &[u8]) -> Option<&'static Encoding> {
    let head = &body[..body.len().min(1_024)];
    let from = memchr::memmem::find(head, b"<?xml")?;
    let body = &head[from..];
    let end = body.iter().position(|b| *b == b'>')?;
    let declaration: String = body[..end].iter().map(|b| char::from(*b)).collect();
    let (_, value) = declaration.split_once("encoding")?;
    let label = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = label.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let label = label[1..].split(quote).next()?;
    encoding_for(label.trim().as_bytes()).filter(|e| e.is_ascii_compatible() || *e == ISO_2022_JP)
}

/// The text without its XML declaration, which names an encoding that it is not in any more.
pub(super) fn without_declaration(text: &str) -> &str {
    let start = text.trim_start();
    if !start.starts_with("<?xml") || !start[5..].starts_with(|c: char| c.is_ascii_whitespace()) {
        return text;
    }
    start.split_once("?>").map_or(text, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHINESE: &str = "自由亚洲电台普通话频道，每天为您报道中国与世界各地的新闻，并提供深入的分析与评论。";
    const TRADITIONAL: &str = "自由亞洲電臺粵語頻道，每天為您報導中國與世界各地的新聞，並提供深入的分析與評論。";
    const JAPANESE: &str = "これは日本語の文章です。ニュースを毎日お届けします。東京の天気は晴れでしょう。";
    const KOREAN: &str = "이것은 한국어 문장입니다. 매일 새로운 소식을 전해 드립니다. 서울의 날씨는 맑겠습니다.";
    const RUSSIAN: &str = "Это русский текст. Каждый день мы публикуем новости и подробные обзоры событий в мире.";

    fn encoded(text: &str, label: &str) -> Vec<u8> {
        Encoding::for_label(label.as_bytes()).expect(label).encode(text).0.into_owned()
    }

    fn read(body: &[u8], content_type: Option<&str>, configured: Option<&str>) -> (String, &'static str) {
        let decoded = text(body, Labels { configured, content_type });
        (decoded.text.into_owned(), decoded.charset)
    }

    fn document(label: &str, text: &str) -> String {
        format!("<?xml version=\"1.0\" encoding=\"{label}\"?><rss><title>{text}</title></rss>")
    }

    #[test]
    fn every_encoding_is_read_by_its_label_wherever_that_stands_and_without_one() {
        let table = [
            ("gb2312", CHINESE),
            ("gbk", CHINESE),
            ("gb18030", CHINESE),
            ("big5", TRADITIONAL),
            ("shift_jis", JAPANESE),
            ("euc-jp", JAPANESE),
            ("iso-2022-jp", JAPANESE),
            ("euc-kr", KOREAN),
            ("koi8-r", RUSSIAN),
            ("windows-1251", RUSSIAN),
        ];
        for (label, text) in table {
            let declared = encoded(&document(label, text), label);
            assert!(read(&declared, None, None).0.contains(text), "{label} declared");
            let bare = encoded(&document("x", text).replace(" encoding=\"x\"", ""), label);
            let http = format!("text/xml; Charset = \"{label}\"").replace("Charset =", "charset=");
            assert!(read(&bare, Some(&http), None).0.contains(text), "{label} in HTTP");
            assert!(read(&bare, None, Some(label)).0.contains(text), "{label} configured");
            assert!(read(&bare, None, None).0.contains(text), "{label} detected");
        }
    }

    #[test]
    fn bytes_win_over_labels_that_lie() {
        let utf8 = document("gb2312", CHINESE);
        assert_eq!(read(utf8.as_bytes(), Some("text/xml; charset=iso-8859-1"), None), (utf8.clone(), "UTF-8"));
        let gb = encoded(&document("utf-8", CHINESE), "gbk");
        let (text, charset) = read(&gb, Some("text/xml; charset=utf-8"), None);
        assert!(text.contains(CHINESE), "{charset}: {text}");
        // A last character that was cut in half is no reason for another encoding.
        let cut = &utf8.as_bytes()[..=utf8.len() - "。</title></rss>".len()];
        let (text, charset) = read(cut, Some("text/xml; charset=iso-8859-1"), None);
        assert!(text.contains("自由亚洲电台") && charset == "UTF-8", "{text}");
        // GBK beyond GB2312, and GB18030's four bytes, under the oldest label.
        let rare = document("gb2312", "朱镕基 㐀 𠀀");
        assert_eq!(read(&encoded(&rare, "gb18030"), None, None), (rare, "gb18030"));
        let win = encoded(&document("iso-8859-1", "“quoted” – café"), "windows-1252");
        assert!(read(&win, None, None).0.contains("“quoted” – café"));
    }

    #[test]
    fn wide_encodings_are_seen_at_their_zeros() {
        let plain = document("x", "字a").replace(" encoding=\"x\"", "");
        let le: Vec<u8> = plain.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = plain.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let le4: Vec<u8> = plain.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        let be4: Vec<u8> = plain.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
        let marked = |mark: &[u8], body: &[u8]| [mark, body].concat();
        for (body, charset) in [
            (le.clone(), "UTF-16LE"),
            (be.clone(), "UTF-16BE"),
            (le4.clone(), "UTF-32LE"),
            (be4.clone(), "UTF-32BE"),
            (marked(b"\xff\xfe", &le), "UTF-16LE"),
            (marked(b"\xfe\xff", &be), "UTF-16BE"),
            (marked(b"\xff\xfe\0\0", &le4), "UTF-32LE"),
            (marked(b"\0\0\xfe\xff", &be4), "UTF-32BE"),
            (marked(b"\xef\xbb\xbf", plain.as_bytes()), "UTF-8"),
        ] {
            // Whatever the label says.
            assert_eq!(read(&body, Some("text/xml; charset=gb2312"), None), (plain.clone(), charset));
        }
        let lying = document("utf-16", CHINESE);
        assert_eq!(read(lying.as_bytes(), None, None), (lying, "UTF-8"));
    }

    #[test]
    fn packed_bytes_are_unpacked_to_a_bound() {
        use std::io::Write;
        let text = document("utf-8", CHINESE);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(text.as_bytes()).expect("written");
        let gzip = gzip.finish().expect("gzip");
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(&gzip).expect("written");
        assert_eq!(unpacked(&gzip, 1 << 20).expect("gzip"), text.as_bytes());
        assert_eq!(unpacked(&zlib.finish().expect("zlib"), 1 << 20).expect("twice"), text.as_bytes());
        assert_eq!(unpacked(text.as_bytes(), 1 << 20).expect("plain"), text.as_bytes());
        assert_eq!(unpacked(&gzip, 10), Err(ReadError::TooLarge));
        assert!(matches!(unpacked(&gzip[..12], 1 << 20), Err(ReadError::Packed(_))));
        assert!(!unpacked(&gzip[..gzip.len() - 9], 1 << 20).expect("cut off").is_empty());
    }

    #[test]
    fn the_declaration_goes_once_it_is_followed() {
        assert_eq!(without_declaration("\n<?xml version='1.0' encoding='gbk'?><a/>"), "<a/>");
        assert_eq!(without_declaration("<?xml-stylesheet x?><a/>"), "<?xml-stylesheet x?><a/>");
        assert_eq!(without_declaration("<?xml <a/>"), "<?xml <a/>");
    }
}
