//! What a request says it takes and has.

use hyper::header::{self, HeaderMap};

use super::packed::Form;

/// The codings of RFC 9110 section 12.5.3 that a client takes, with their weights in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accepts {
    brotli: u16,
    gzip: u16,
    /// `None` when nothing is said of it: then anything else that is taken is better.
    plain: Option<u16>,
}

impl Accepts {
    /// Reads `Accept-Encoding`. Without it a client may take anything, but not all of them do.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let (mut brotli, mut gzip, mut plain, mut rest) = (None, None, None, 0);
        for part in list(headers, &header::ACCEPT_ENCODING) {
            let (name, weight) = weighed(part);
            match name.to_ascii_lowercase().as_str() {
                "br" => brotli = Some(weight),
                "gzip" | "x-gzip" => gzip = Some(weight),
                "identity" => plain = Some(weight),
                "*" => rest = weight,
                _ => {}
            }
        }
        Self { brotli: brotli.unwrap_or(rest), gzip: gzip.unwrap_or(rest), plain }
    }

    fn weight(self, form: Form) -> u16 {
        match form {
            Form::Brotli => self.brotli,
            Form::Gzip => self.gzip,
            // Better bytes that a client says it cannot take than none: what it wants may not be made yet.
            Form::Plain => self.plain.unwrap_or(1).max(1),
        }
    }

    /// The packed forms that are at least as welcome as the bytes themselves, the best one first.
    pub(super) fn packed(self) -> impl Iterator<Item = Form> {
        let both = if self.gzip > self.brotli { [Form::Gzip, Form::Brotli] } else { [Form::Brotli, Form::Gzip] };
        both.into_iter().filter(move |form| self.weight(*form) >= self.weight(Form::Plain))
    }

    /// True when the client can read that form.
    pub(super) fn takes(self, form: Form) -> bool {
        self.weight(form) > 0
    }
}

/// Browsers ask for pages and name no feed; readers do.
pub(super) fn is_browser(headers: &HeaderMap) -> bool {
    let (mut pages, mut feeds) = (false, false);
    for kind in list(headers, &header::ACCEPT).map(media_type) {
        pages |= kind == "text/html";
        feeds |= matches!(kind, "application/atom+xml" | "application/rss+xml");
    }
    pages && !feeds
}

/// What `If-None-Match` says of a representation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// There is no such header.
    Unasked,
    /// The client has none of ours.
    No,
    /// It has this one, or says `*`.
    Yes(Form),
}

/// RFC 9110 section 13.1.2. `tag` gives the quoted tag of each form.
///
/// Only forms that the client takes count: a shared cache asks with the tags of all that it holds, and sends on the
/// one that the 304 names (RFC 9111 section 4.3.1).
pub(super) fn known(headers: &HeaderMap, accepts: Accepts, tag: impl Fn(Form) -> String) -> Known {
    if !headers.contains_key(header::IF_NONE_MATCH) {
        return Known::Unasked;
    }
    let forms = [Form::Brotli, Form::Gzip, Form::Plain].map(|form| (form, tag(form)));
    let mut found = None;
    // Our tags hold no comma, so cutting a foreign tag at one does no harm. The comparison is the weak one.
    for part in list(headers, &header::IF_NONE_MATCH) {
        if part == "*" {
            return Known::Yes(Form::Plain);
        }
        let part = part.strip_prefix("W/").unwrap_or(part);
        let same = forms.iter().find(|(form, tag)| tag == part && accepts.takes(*form));
        found = found.or(same.map(|(form, _)| *form));
    }
    found.map_or(Known::No, Known::Yes)
}

pub(super) fn media_type(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
}

fn list<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).flat_map(|list| list.split(',')).map(str::trim)
}

/// A name and its weight in thousandths; a weight that cannot be read is none.
fn weighed(part: &str) -> (&str, u16) {
    let (name, rest) = part.split_once(';').unwrap_or((part, ""));
    let q = rest.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    (name.trim(), q.map_or(1000, thousandths))
}

/// RFC 9110 section 12.4.2: `0` or `1`, and up to three digits behind a point.
fn thousandths(q: &str) -> u16 {
    let (whole, part) = q.split_once('.').unwrap_or((q, ""));
    let plain = part.len() <= 3 && part.bytes().all(|c| c.is_ascii_digit());
    match (whole, format!("{part:0<3}").parse::<u16>()) {
        ("0", Ok(part)) if plain => part,
        ("1", Ok(0)) if plain => 1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &header::HeaderName, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name.clone(), line.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_most_welcome_form_comes_first() {
        for (lines, expected) in [
            (&[][..], &[][..]),
            (&[""], &[]),
            (&["gzip, deflate, br, zstd"], &["br", "gzip"]),
            (&["gzip"], &["gzip"]),
            (&["x-gzip"], &["gzip"]),
            (&["GZIP;Q=1", "br ; q=0.5"], &["gzip", "br"]),
            (&["br;q=0, gzip"], &["gzip"]),
            (&["*"], &["br", "gzip"]),
            (&["*;q=0.5, br;q=0"], &["gzip"]),
            (&["gzip;q=0.5, identity"], &[]),
            (&["gzip;q=0.5, identity;q=0.4, br;q=0.3"], &["gzip"]),
            (&["identity;q=0, br"], &["br"]),
            (&["gzip;q=0.001"], &["gzip"]),
            (&["gzip;q=0.000"], &[]),
            (&["gzip;q=2"], &[]),
            (&["gzip;q=1.001"], &[]),
            (&["gzip;q=x"], &[]),
            (&["gzip;q=0.0001"], &[]),
            (&["gzipped, brr"], &[]),
        ] {
            let accepts = Accepts::of(&with(&header::ACCEPT_ENCODING, lines));
            let names: Vec<_> = accepts.packed().filter_map(Form::coding).collect();
            assert_eq!(names, expected, "{lines:?}");
        }
    }

    #[test]
    fn a_form_that_the_client_has_and_takes_is_known() {
        let tag = |form| match form {
            Form::Plain => "\"a\"".to_owned(),
            Form::Gzip => "\"a-gzip\"".to_owned(),
            Form::Brotli => "\"a-br\"".to_owned(),
        };
        let known = |encoding: &str, tags: &[&str]| {
            let accepts = Accepts::of(&with(&header::ACCEPT_ENCODING, &[encoding]));
            super::known(&with(&header::IF_NONE_MATCH, tags), accepts, tag)
        };
        assert_eq!(known("br, gzip", &[]), Known::Unasked);
        assert_eq!(known("br, gzip", &[""]), Known::No);
        assert_eq!(known("br, gzip", &["\"b\", W/\"a-gzip\""]), Known::Yes(Form::Gzip));
        assert_eq!(known("br, gzip", &["\"b\"", "\"a\""]), Known::Yes(Form::Plain));
        assert_eq!(known("gzip", &["\"a-br\""]), Known::No);
        assert_eq!(known("gzip", &["\"a-br\", \"a-gzip\""]), Known::Yes(Form::Gzip));
        assert_eq!(known("", &["\"a-gzip\""]), Known::No);
        assert_eq!(known("", &["*"]), Known::Yes(Form::Plain));
    }
}
