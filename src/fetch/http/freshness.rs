//! For how long an answer calls itself good, RFC 9111 section 4.2.

use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::headers::text;
use crate::fetch::date;

/// What a larger number counts as, RFC 9111 section 1.2.2.
const MOST: u64 = 1 << 31;

/// The rest of an answer's time; zero when it is over, `None` when nothing is said or nothing may be kept.
///
/// `s-maxage` and `proxy-revalidate` speak to caches that many share.
pub(super) fn freshness(headers: &HeaderMap) -> Option<Duration> {
    let mut lifetime = None;
    for value in headers.get_all(header::CACHE_CONTROL) {
        for directive in value.to_str().unwrap_or_default().split(',') {
            let (name, argument) =
                directive.split_once('=').map_or((directive, None), |(name, text)| (name, Some(text)));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" => return None,
                // With an argument it is about single headers.
                "no-cache" if argument.is_none() => return None,
                // The first one counts, and what is no number is no time.
                "max-age" => lifetime = lifetime.or(Some(seconds(argument.unwrap_or_default()).unwrap_or(0))),
                _ => {}
            }
        }
    }
    let lifetime = lifetime.or_else(|| until_expiry(headers))?;
    let age = text(headers, &header::AGE).and_then(|age| seconds(&age)).unwrap_or(0);
    Some(Duration::from_secs(lifetime.saturating_sub(age)))
}

/// For how long an answer with these header lines, each a name and a value, calls itself good (RFC 9111 section 4.2).
///
/// As for an answer that came over HTTP: at most 2^31 seconds, and lines that HTTP does not know are passed over.
pub fn freshness_of<'l>(lines: impl IntoIterator<Item = (&'l str, &'l str)>) -> Option<Duration> {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    freshness(&headers)
}

/// Seconds from `Date` to `Expires`; what is no date, such as `0`, means "over".
fn until_expiry(headers: &HeaderMap) -> Option<u64> {
    let expires = text(headers, &header::EXPIRES)?;
    let moment = |name: &HeaderName| date::parse(&text(headers, name)?);
    let Some(expires) = date::parse(&expires) else { return Some(0) };
    let millis = expires.millis().saturating_sub(moment(&header::DATE)?.millis());
    Some(u64::try_from(millis / 1000).unwrap_or(0).min(MOST))
}

fn seconds(text: &str) -> Option<u64> {
    let digits = text.trim().trim_matches('"');
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(MOST).min(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_how_long_it_is_good() {
        const DATE: &str = "Date: Sun, 06 Nov 1994 08:00:00 GMT";
        for (lines, expected) in [
            (&[][..], None),
            (&["Cache-Control: public"], None),
            (&["Cache-Control: max-age=600"], Some(600)),
            (&["Cache-Control: public, Max-Age = \"600\", must-revalidate"], Some(600)),
            (&["Cache-Control: public", "Cache-Control: max-age=600"], Some(600)),
            (&["Cache-Control: max-age=600, max-age=5"], Some(600)),
            (&["Cache-Control: max-age=600", "Age: 100"], Some(500)),
            (&["Cache-Control: max-age=600", "Age: 700"], Some(0)),
            (&["Cache-Control: max-age=600", "Age: old"], Some(600)),
            (&["Cache-Control: max-age=0"], Some(0)),
            (&["Cache-Control: max-age=soon"], Some(0)),
            (&["Cache-Control: max-age=-1"], Some(0)),
            (&["Cache-Control: max-age=99999999999999999999999"], Some(MOST)),
            (&["Cache-Control: s-maxage=600"], None),
            (&["Cache-Control: s-maxage=5, max-age=600"], Some(600)),
            (&["Cache-Control: max-age=600, no-store"], None),
            (&["Cache-Control: no-cache, max-age=600"], None),
            (&["Cache-Control: no-cache=\"Set-Cookie\", max-age=600"], Some(600)),
            (&[DATE, "Expires: Sun, 06 Nov 1994 08:10:00 GMT"], Some(600)),
            (&[DATE, "Expires: Sun, 06 Nov 1994 08:10:00 GMT", "Age: 60"], Some(540)),
            (&[DATE, "Expires: Sun, 06 Nov 1994 07:00:00 GMT"], Some(0)),
            (&[DATE, "Expires: 0"], Some(0)),
            (&[DATE, "Expires: -1", "Cache-Control: max-age=600"], Some(600)),
            (&["Expires: Sun, 06 Nov 1994 08:10:00 GMT"], None),
        ] {
            let found = freshness_of(lines.iter().filter_map(|line| line.split_once(": ")));
            assert_eq!(found, expected.map(Duration::from_secs), "{lines:?}");
        }
    }
}
