//! Bytes to text, whatever they are called.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{BIG5, Encoding, GB18030, GBK, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::ReadError;
use super::mixed::{self, Runs};

/// Bytes that the detector sees: it reads 8 MB a second.
const SAMPLE: usize = 64 * 1024;

/// Bytes of ASCII that it sees beside each run of others.
const CONTEXT: usize = 16;

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

/// Gzip or deflate data that nobody declared, unpacked; `most` bounds the result.
pub(super) fn unpacked(body: &[u8], most: usize) -> Result<Cow<'_, [u8]>, ReadError> {
    let most = most.min(body.len().saturating_mul(PACKED).max(LEAST));
    let mut body = Cow::Borrowed(body);
    // Servers that pack what is packed already do it once or twice more at most.
    for _ in 0..3 {
        let Some(packing) = Packing::of(&body) else { break };
        // Counted first: what is too large is never held.
        let mut count = Count(0);
        let counted = io::copy(&mut packing.unpack(&body).take(most as u64 + 1), &mut count);
        if count.0 > most {
            return Err(ReadError::TooLarge);
        }
        let mut out = Vec::with_capacity(count.0);
        // It ends as it did before.
        let _ = packing.unpack(&body).take(count.0 as u64).read_to_end(&mut out);
        match counted {
            // It only looked like that.
            _ if matches!(packing, Packing::Deflate) && (counted.is_err() || !begins_like_a_feed(&out)) => break,
            Ok(_) => {}
            // What was unpacked before the end went missing may hold whole entries.
            Err(_) if !out.is_empty() => {}
            Err(error) => return Err(ReadError::Packed(error.to_string())),
        }
        body = Cow::Owned(out);
    }
    Ok(body)
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

/// How bytes are packed.
#[derive(Clone, Copy, Debug)]
enum Packing {
    /// From this byte on: PHP scripts send blank lines before what a handler packs.
    Gzip(usize),
    Zlib(usize),
    /// Without any frame (what some servers take `deflate` for).
    Deflate,
}

impl Packing {
    fn of(body: &[u8]) -> Option<Self> {
        let start = body.iter().position(|b| !b.is_ascii_whitespace())?;
        match body[start..] {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip(start)),
            [0x78, flags, ..] if (0x7800 + u16::from(flags)) % 31 == 0 => Some(Self::Zlib(start)),
            [b'<' | b'{' | 0 | 0xef | 0xfe | 0xff, ..] => None,
            _ => {
                let is_text = |b: &u8| matches!(b, b'\t' | b'\n' | b'\r' | b' '..0x7f);
                (!body[..body.len().min(CONTEXT)].iter().all(is_text)).then_some(Self::Deflate)
            }
        }
    }

    fn unpack(self, body: &[u8]) -> Box<dyn Read + '_> {
        use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
        match self {
            Self::Gzip(start) => Box::new(MultiGzDecoder::new(&body[start..])),
            Self::Zlib(start) => Box::new(ZlibDecoder::new(&body[start..])),
            Self::Deflate => Box::new(DeflateDecoder::new(body)),
        }
    }
}

fn begins_like_a_feed(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start(), [b'<' | b'{', ..] | [0xef, 0xbb, 0xbf, ..])
}

/// The text of a document.
///
/// In this order: the operator's word; a byte order mark; UTF-32 and UTF-16 by the zeros in the
/// first tag; valid UTF-8, which wins over any legacy label; UTF-8 with bytes of something else in
/// it; HTTP's charset (RFC 7303 section 3) and the XML declaration, first of them the one under which
/// no byte is malformed; detection. Never U+FFFD where another reading has none.
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
    // Seven-bit bytes are valid UTF-8 whatever they mean; XML itself knows no escape character.
    if memchr::memchr(0x1b, body).is_some_and(|at| body[at..].starts_with(b"\x1b$"))
        && let Some(decoded) = believed(body, ISO_2022_JP, 0)
    {
        return decoded;
    }
    if let Ok(text) = simdutf8::basic::from_utf8(body) {
        return Decoded { text: text.into(), charset: UTF_8.name() };
    }
    by_labels(body, labels)
}

/// The text of bytes that are no valid UTF-8.
fn by_labels<'b>(body: &'b [u8], labels: Labels<'_>) -> Decoded<'b> {
    let http = labels.content_type.and_then(charset).and_then(|label| promised_by(label.as_bytes()));
    let named: Vec<_> = [http, declared(body)].into_iter().flatten().collect();
    let runs = Runs::of(body);
    // XML without a label is UTF-8.
    let is_utf8 = runs.are_utf8() || named.iter().all(|e| *e == UTF_8) && runs.may_be_utf8(|| guess(body));
    let mut others: Vec<_> = named.into_iter().filter(|e| ![UTF_8, UTF_16BE, UTF_16LE].contains(e)).collect();
    // `iso-8859-1` is what servers say by themselves, and no byte contradicts it.
    others.sort_by_key(|encoding| *encoding == WINDOWS_1252);
    let likely = others.iter().copied().find(|encoding| runs.may_be(encoding));
    if is_utf8 {
        let text = mixed::text(body, |rest| likely.unwrap_or_else(|| guess(rest)));
        return Decoded { text: text.into(), charset: UTF_8.name() };
    }
    for tolerated in [0, body.len() / TOLERATED] {
        let mut plausible = others.iter().filter(|e| runs.may_be(e));
        if let Some(decoded) = plausible.find_map(|e| believed(body, e, tolerated)) {
            return decoded;
        }
    }
    detected(body, likely.or(others.first().copied()))
}

/// Under this label, when few enough bytes are malformed under it.
fn believed<'b>(body: &'b [u8], encoding: &'static Encoding, tolerated: usize) -> Option<Decoded<'b>> {
    let (text, malformed) = encoding.decode_without_bom_handling(body);
    let is_good = !malformed || tolerated > 0 && text.matches('\u{fffd}').count() <= tolerated;
    is_good.then_some(Decoded { text, charset: encoding.name() })
}

fn with_replacement<'b>(body: &'b [u8], encoding: &'static Encoding) -> Decoded<'b> {
    let (text, _) = encoding.decode_without_bom_handling(body);
    Decoded { text, charset: encoding.name() }
}

/// What the bytes look like. Of the detector's answer, the label that was a lie, and the encodings
/// of Chinese, the one with the fewest malformed bytes counts.
fn detected<'b>(body: &'b [u8], label: Option<&'static Encoding>) -> Decoded<'b> {
    let guess = guess(body);
    let candidates = [Some(guess), label, Some(UTF_8), Some(GB18030), Some(BIG5), Some(WINDOWS_1252)];
    let read = candidates.into_iter().flatten().map(|encoding| with_replacement(body, encoding));
    // Of equals the first: the detector knows more than the order does.
    let best = read.min_by_key(|decoded| decoded.text.matches('\u{fffd}').count());
    best.unwrap_or_else(|| with_replacement(body, guess))
}

/// The detector's answer. It is shown the bytes that are no ASCII with a little of what is around
/// them: in a long page of English they may stand anywhere.
fn guess(body: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let (mut from, mut shown) = (0, 0);
    for run in mixed::runs(body) {
        let end = (run.end + CONTEXT).min(body.len());
        let sample = &body[run.start.saturating_sub(CONTEXT).max(from).min(end)..end];
        shown += sample.len();
        detector.feed(sample, false);
        from = end;
        if shown > SAMPLE {
            break;
        }
    }
    detector.feed(b"", true);
    detector.guess(None, Utf8Detection::Deny)
}

/// UTF-16 and UTF-32 without a mark, by the zeros around the first `<` or `{`; UTF-32 with one, which the
/// Encoding Standard does not know.
fn wide(body: &[u8]) -> Option<Decoded<'static>> {
    let (be, skip) = match body {
        [0, 0, 0xfe, 0xff, ..] => (true, 4),
        [0xff, 0xfe, 0, 0, ..] => (false, 4),
        [0, 0, 0, b'<', ..] => (true, 0),
        [b'<', 0, 0, 0, ..] => (false, 0),
        [0, b'<' | b'{', 0, ..] => return Some(owned(body, UTF_16BE)),
        [b'<' | b'{', 0, _, 0, ..] => return Some(owned(body, UTF_16LE)),
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

/// What a label says about bytes beyond ASCII; `us-ascii` says that there are none.
fn promised_by(label: &[u8]) -> Option<&'static Encoding> {
    let is_ascii = [&b"us-ascii"[..], b"ascii", b"ansi_x3.4-1968"].iter().any(|name| label.eq_ignore_ascii_case(name));
    encoding_for(label).filter(|_| !is_ascii)
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
    promised_by(label.trim().as_bytes()).filter(|e| e.is_ascii_compatible() || *e == ISO_2022_JP)
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
    fn few_letters_beyond_ascii_are_read() {
        const ENGLISH: &str = "The quick brown fox jumps over the lazy dog and writes a long story about it. ";
        for label in ["utf-8", "us-ascii"] {
            let text =
                document(label, &[&ENGLISH.repeat(40), "An entrée at the café, as Élodie said. ", ENGLISH].concat());
            assert_eq!(read(&encoded(&text, "windows-1252"), None, None).0, text, "{label}");
        }
        let chinese = document("x", &[&ENGLISH.repeat(4_000), CHINESE].concat());
        assert_eq!(read(&encoded(&chinese, "gbk"), None, None).0, chinese);
    }

    #[test]
    fn one_right_character_among_wrong_ones_stays_right() {
        let (text, charset) = read(b"<rss>It\xe2\x80\x99s \x93so\x94, caf\xe9 \x96 \xe9l\xe8ve</rss>", None, None);
        assert_eq!((text.as_str(), charset), ("<rss>It’s “so”, café – élève</rss>", "UTF-8"));
    }

    #[test]
    fn a_label_of_latin_letters_is_no_word_on_others() {
        for (label, text) in [("gb2312", CHINESE), ("big5", TRADITIONAL), ("windows-1251", RUSSIAN), ("euc-kr", KOREAN)]
        {
            let latin = Some("text/xml; charset=iso-8859-1");
            let right = document(label, text);
            assert_eq!(read(&encoded(&right, label), latin, None).0, right, "{label}");
            let wrong = document("iso-8859-1", text);
            assert_eq!(read(&encoded(&wrong, label), None, None).0, wrong, "{label}");
        }
    }

    #[test]
    fn of_two_labels_http_has_the_first_word() {
        let polish = document("koi8-r", "Zażółć gęślą jaźń");
        let http = Some("text/xml; charset=iso-8859-2");
        assert_eq!(read(&encoded(&polish, "iso-8859-2"), http, None), (polish, "ISO-8859-2"));
        // The bytes may contradict it, and then what is foreign in UTF-8 is not read by it either.
        let mixed = [document("gb2312", &CHINESE.repeat(9)).as_bytes(), &encoded(CHINESE, "gbk")].concat();
        let (text, charset) = read(&mixed, http, None);
        assert!(charset == "UTF-8" && text.ends_with(CHINESE), "{charset}: {text}");
        let russian = document("koi8-r", RUSSIAN);
        assert_eq!(read(&encoded(&russian, "koi8-r"), http, None), (russian, "KOI8-R"));
    }

    #[test]
    fn bytes_of_another_encoding_cost_their_own_text_alone() {
        let cases: [(&[u8], &str); 6] = [
            (b"caf\xe9", "café"),
            (b"\x93so\x94", "“so”"),
            (b"\xd7\xd4\xd3\xc9\xd1\xc7\xd6\xde\xb5\xe7\xcc\xa8", "自由亚洲电台"),
            // A character cut in half, alone and behind others.
            (b"News \xe4\xb8", "News \u{fffd}"),
            (b"\xe8\x87\xaa\xe7\x94", "自\u{fffd}"),
            // Java's way of writing what is beyond 16 bits.
            (b"\xed\xa0\xbd\xed\xb8\x80!", "😀!"),
        ];
        for (bytes, expected) in cases {
            let text = document("utf-8", &format!("{CHINESE}</title><title>@</title><title>{TRADITIONAL}"));
            let (before, after) = text.split_once('@').expect("a place");
            let body = [before.as_bytes(), bytes, after.as_bytes()].concat();
            assert_eq!(read(&body, None, None), (text.replace('@', expected), "UTF-8"));
        }
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
        let behind_blanks = [b"\r\n \n", &gzip[..]].concat();
        assert_eq!(unpacked(&behind_blanks, 1 << 20).expect("blanks"), text.as_bytes());
        let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        bare.write_all(text.as_bytes()).expect("written");
        assert_eq!(unpacked(&bare.finish().expect("deflate"), 1 << 20).expect("bare"), text.as_bytes());
        for other in [&b"\x01no"[..], b"\xb5\xc4 <rss>", b"K\xb4\x04\x00", b"plain"] {
            assert_eq!(unpacked(other, 1 << 20).expect("not packed"), other);
        }
    }

    #[test]
    fn the_declaration_goes_once_it_is_followed() {
        assert_eq!(without_declaration("\n<?xml version='1.0' encoding='gbk'?><a/>"), "<a/>");
        assert_eq!(without_declaration("<?xml-stylesheet x?><a/>"), "<?xml-stylesheet x?><a/>");
        assert_eq!(without_declaration("<?xml <a/>"), "<?xml <a/>");
    }
}
