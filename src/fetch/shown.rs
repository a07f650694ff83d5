//! Addresses as messages may show them.

use std::fmt::Write;

use url::Url;

/// How much of an address a message shows, in characters.
const LONGEST: usize = 200;

/// The address without what could be a secret: no name and password, no fragment, and `…` for each value of the
/// query, and each part of the path, that a token could be. Never longer than about 200 characters.
pub fn shown(url: &Url) -> String {
    let mut text = format!("{}:", url.scheme());
    if let Some(host) = url.host_str() {
        text.push_str("//");
        text.push_str(host);
        if let Some(port) = url.port() {
            let _ = write!(text, ":{port}");
        }
    } else if url.scheme() == "file" {
        text.push_str("//");
    }
    if url.cannot_be_a_base() {
        // `data:`, `mailto:` and the like: what follows can be anything.
        text.push('…');
        return text;
    }
    for part in url.path().split('/').skip(1) {
        text.push('/');
        text.push_str(if url.scheme() != "file" && is_token(part, 20) { "…" } else { part });
    }
    if let Some(query) = url.query() {
        let mut before = '?';
        for pair in query.split('&') {
            text.push(before);
            before = '&';
            match pair.split_once('=') {
                Some((key, value)) if is_secret_key(key) || is_token(value, 12) => {
                    text.push_str(key);
                    text.push_str("=…");
                }
                None if is_token(pair, 12) => text.push('…'),
                _ => text.push_str(pair),
            }
        }
    }
    cut(text)
}

fn cut(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(at);
        text.push('…');
    }
    text
}

/// Names under which keys travel; a harmless value hidden too many is no loss.
fn is_secret_key(key: &str) -> bool {
    const PARTS: [&str; 13] =
        ["auth", "code", "cred", "hash", "jwt", "key", "pass", "pwd", "secret", "session", "sig", "token", "user"];
    let key = key.to_ascii_lowercase();
    key == "sid" || key == "t" || PARTS.iter().any(|part| key.contains(part))
}

/// True when a stretch of the given number of letters and digits holds both, as random keys do and words do not.
fn is_token(text: &str, length: usize) -> bool {
    // `%E5%BE%AE` is a Chinese word, not a key.
    if text.contains('%') {
        return false;
    }
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|run| {
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        run.len() >= length && digits > 0 && digits < run.len()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out() {
        for (url, expected) in [
            ("https://example.org/feed.xml", "https://example.org/feed.xml"),
            ("https://ann:s3cret@example.org:8443/feed#top", "https://example.org:8443/feed"),
            (
                "https://example.org/?format=rss&token=abc&auth_key=x",
                "https://example.org/?format=rss&token=…&auth_key=…",
            ),
            ("https://example.org/?q=rust&s=Zx81kd0w2mPq", "https://example.org/?q=rust&s=…"),
            ("https://example.org/?Zx81kd0w2mPqZx81", "https://example.org/?…"),
            ("https://example.org/private-1f3d5b7a9c1f3d5b7a9c/basic.ics", "https://example.org/…/basic.ics"),
            ("https://example.org/2021/07/%E5%BE%AE%E4%BF%A1", "https://example.org/2021/07/%E5%BE%AE%E4%BF%A1"),
            (
                "https://example.org/arc/outboundfeeds/mandarin/rss/",
                "https://example.org/arc/outboundfeeds/mandarin/rss/",
            ),
            (
                "file:///home/ann/feeds/1f3d5b7a9c1f3d5b7a9c1f3d.xml",
                "file:///home/ann/feeds/1f3d5b7a9c1f3d5b7a9c1f3d.xml",
            ),
            ("data:text/plain,secret", "data:…"),
        ] {
            assert_eq!(shown(&Url::parse(url).unwrap()), expected);
        }
    }

    #[test]
    fn a_long_address_is_cut() {
        let url = Url::parse(&format!("https://example.org/{}", "a".repeat(5000))).unwrap();
        assert_eq!(shown(&url).chars().count(), LONGEST + 1);
    }
}
