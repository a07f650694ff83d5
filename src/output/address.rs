//! Addresses and media types in the strict forms that formats ask for.

use std::borrow::Cow;
use std::fmt::Write;

use url::Url;

use crate::model::Enclosure;

/// The address as a URI (RFC 3986), the same bytes where it is one already. `None` when it is no
/// web address: what the formats call a link is one.
pub(super) fn uri(address: &str) -> Option<String> {
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    if address.bytes().all(is_uri) && is_escaped(address) {
        return Some(address.to_owned());
    }
    let mut out = String::with_capacity(address.len());
    let mut rest = url.as_str();
    while let Some(c) = rest.chars().next() {
        let (part, after) = rest.split_at(c.len_utf8());
        rest = after;
        match c {
            '%' if !is_escaped(&format!("%{}", rest.get(..2).unwrap_or_default())) => out.push_str("%25"),
            _ if part.bytes().all(is_uri) => out.push_str(part),
            _ => part.bytes().for_each(|b| {
                let _ = write!(out, "%{b:02X}");
            }),
        }
    }
    Some(out)
}

fn is_uri(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b)
}

/// Two hex digits after every `%`.
fn is_escaped(address: &str) -> bool {
    let mut parts = address.split('%');
    parts.next();
    parts.all(|part| part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2)
}

/// The type of an enclosure: as its feed says it, else by the ending of its address. RSS and JSON
/// Feed want one.
pub(super) fn media_type(enclosure: &Enclosure) -> Cow<'_, str> {
    let said = enclosure.media_type.as_deref().map(str::trim).filter(|said| is_media_type(said));
    said.map_or_else(|| Cow::Borrowed(by_ending(&enclosure.url)), Cow::Borrowed)
}

fn is_media_type(text: &str) -> bool {
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    let bare = text.split(';').next().unwrap_or_default().trim();
    text.is_ascii()
        && !text.contains(|c: char| c.is_ascii_control())
        && bare.split_once('/').is_some_and(|(kind, name)| is_name(kind) && is_name(name))
}

fn by_ending(address: &str) -> &'static str {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let ending = path.rsplit('/').next().and_then(|file| file.rsplit_once('.')).map_or("", |(_, ending)| ending);
    match ending.to_ascii_lowercase().as_str() {
        "mp3" => "audio/mpeg",
        "m4a" | "m4b" => "audio/mp4",
        "ogg" | "oga" | "opus" => "audio/ogg",
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "mp4" | "m4v" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "svg" => "image/svg+xml",
        "pdf" => "application/pdf",
        "epub" => "application/epub+zip",
        "zip" => "application/zip",
        "torrent" => "application/x-bittorrent",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_uris_and_those_that_are_stay() {
        for same in ["https://example.org/a?b=c&d=%E5%BE%AE#e", "http://EXAMPLE.org", "https://example.org/[1]"] {
            assert_eq!(uri(same).as_deref(), Some(same));
        }
        for (address, wanted) in [
            ("https://example.org/a b", "https://example.org/a%20b"),
            (
                "https://例子.example/微信?q=微|{x}",
                "https://xn--fsqu00a.example/%E5%BE%AE%E4%BF%A1?q=%E5%BE%AE%7C%7Bx%7D",
            ),
            ("https://example.org/100%/x%2", "https://example.org/100%25/x%252"),
            ("https://example.org/%微", "https://example.org/%25%E5%BE%AE"),
        ] {
            assert_eq!(uri(address).as_deref(), Some(wanted), "{address}");
        }
        for none in ["", "mailto:a@b.example", "javascript:x", "/a"] {
            assert_eq!(uri(none), None, "{none}");
        }
    }

    #[test]
    fn media_types_are_said_or_seen() {
        let of = |url: &str, said: Option<&str>| {
            media_type(&Enclosure { url: url.into(), media_type: said.map(str::to_owned), length: None }).into_owned()
        };
        assert_eq!(of("https://a.example/x.MP3?y=z.pdf", None), "audio/mpeg");
        assert_eq!(of("https://a.example/x", None), "application/octet-stream");
        assert_eq!(of("https://a.example/x.mp3", Some("audio/x-m4a")), "audio/x-m4a");
        assert_eq!(of("https://a.example/x.mp3", Some("mp3")), "audio/mpeg");
        assert_eq!(of("https://a.example/x.mp3", Some("audio/ mpeg")), "audio/mpeg");
        assert_eq!(of("https://a.example/x", Some("text/html; charset=utf-8")), "text/html; charset=utf-8");
    }
}
