//! Addresses that may stand in a body: of the web, relative, and for links of mail.

use std::fmt::Write as _;

use url::Url;

use super::BRACE;
use crate::normalize::room::room;
use crate::normalize::text;

fn starts_with_scheme(value: &str, mail: bool) -> bool {
    let begins = |scheme: &str| value.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    begins("https:") || begins("http:") || (mail && begins("mailto:"))
}

/// A web address, or one without any scheme. What stands before the first `/`, `?` or `#` of the
/// latter has no colon, and no character reference that could become one: browsers read
/// `&#106;avascript&colon;` and `java&Tab;script:` as a scheme.
pub fn proves(value: &str, mail: bool) -> bool {
    let value = value.trim_matches([' ', '\t', '\n', '\r']);
    if starts_with_scheme(value, mail) {
        return true;
    }
    if value.contains(BRACE) {
        return proves(&value.replace(BRACE, "%7B"), mail);
    }
    let mut rest = value.split(['/', '?', '#']).next().unwrap_or(value);
    while let Some(at) = rest.find(['&', ':', '\t', '\n', '\r']) {
        match rest[at..].strip_prefix("&amp;") {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

/// The address made absolute when it is relative and the base is known; `None` when it leads anywhere
/// but the web. An address of a place in the same text (`#note-1`) stays as it is: the place is in the post.
pub fn address(value: &str, base: Option<&Url>, mail: bool) -> Option<String> {
    // browsers drop white space at the ends, and tabs and line breaks anywhere
    let value: String = value
        .trim_matches(|c: char| c <= ' ')
        .chars()
        .filter(|c| !c.is_ascii_control() && text::is_legal(*c))
        .collect();
    let base = base.filter(|base| matches!(base.scheme(), "http" | "https"));
    match Url::parse(&value) {
        Ok(_) => starts_with_scheme(&value, mail).then_some(value),
        Err(url::ParseError::RelativeUrlWithoutBase) => match base {
            _ if value.is_empty() => None,
            Some(base) if !value.starts_with('#') => base.join(&value).ok().map(String::from),
            _ => Some(bare(&value)).filter(|kept| proves(&kept.replace('&', "&amp;"), mail)),
        },
        Err(_) => None,
    }
}

/// The address in a form that needs no character references but `&amp;`.
fn bare(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            ' ' | '"' | '<' | '>' | '`' | '{' | '}' => _ = write!(out, "%{:02X}", u32::from(c)),
            '\u{A0}' => out.push_str("%C2%A0"),
            _ => out.push(c),
        }
    }
    out
}

/// The candidates of a `srcset`, split as the HTML standard splits them: an address may hold commas, and so may brackets
/// behind it.
pub fn candidates(value: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = value;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len());
        let (address, after) = rest.split_at(end);
        let trimmed = address.trim_end_matches(',');
        if trimmed.len() < address.len() {
            rest = after;
            return Some((trimmed, ""));
        }
        let mut is_in_brackets = false;
        let is_end = |c: char| {
            is_in_brackets = c == '(' || is_in_brackets && c != ')';
            c == ',' && !is_in_brackets
        };
        let comma = after.find(is_end).unwrap_or(after.len());
        rest = &after[comma..];
        Some((address, after[..comma].trim()))
    })
}

pub fn proves_all(value: &str) -> bool {
    // a reference could hide a blank or a comma, and so a candidate
    let simple = |(at, _)| {
        let rest: &str = &value[at..];
        rest.starts_with("&amp;") || rest.starts_with(BRACE)
    };
    // no size has brackets, and a reader that does not know of them finds other candidates behind them
    value.match_indices('&').all(simple)
        && candidates(value).all(|(address, size)| proves(address, false) && !size.contains('('))
}

pub fn sources(value: &str, base: Option<&Url>) -> Option<String> {
    sources_by(value, |candidate| address(candidate, base, false))
}

/// The address as browsers resolve it on the page at `base`: `https:/x` is a place of a server whose pages are https, and
/// `http:/x` and `https:\\x` are other servers. In any other place they would lead elsewhere.
pub fn resolved(value: &str, base: &Url, mail: bool) -> Option<String> {
    let is_web = |made: &String| made.starts_with("https://") || made.starts_with("http://");
    let kept = address(value, Some(base), mail);
    if kept.as_ref().is_some_and(is_web) || !starts_with_scheme(value.trim_matches(|c: char| c <= ' '), false) {
        return kept;
    }
    base.join(value).ok().map(String::from).filter(is_web)
}

/// The same for each candidate of a `srcset`.
pub fn sources_resolved(value: &str, base: &Url) -> Option<String> {
    sources_by(value, |candidate| resolved(candidate, base, false))
}

fn sources_by(value: &str, address: impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut out = String::new();
    let most = value.len() + room(value.len());
    for (candidate, size) in candidates(value) {
        let Some(kept) = address(candidate) else {
            continue;
        };
        let kept = bare(&kept);
        if kept.starts_with(',') || kept.ends_with(',') {
            continue;
        }
        if out.len() + kept.len() > most {
            break;
        }
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push_str(&kept);
        let number = size.strip_suffix(['w', 'x', 'h']).unwrap_or_default();
        if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            out.push(' ');
            out.push_str(size);
        }
    }
    (!out.is_empty()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in [
            "",
            "x",
            "a b.png",
            "/a:b",
            "?a:b",
            "#a:b",
            "//h/p",
            "http://h",
            "HTTPS://h/?a=b&c",
            " https://h ",
            "a&amp;b/c:d",
            "/++plone++x/y",
            "&#123;id}",
            "&#123;a/b:c",
            "?a&b",
        ] {
            assert!(proves(good, false), "{good}");
        }
        for bad in [
            "javascript:x",
            "x:y",
            "java\tscript:x",
            "&#106;avascript:x",
            "javascript&colon;x",
            "a&b",
            "data:x",
            "mailto:a@b.c",
            "\u{1}javascript:x",
            "a&amp;b:c",
            "&Tab;x",
            "&#123;:x",
        ] {
            assert!(!proves(bad, false), "{bad}");
        }
        assert!(proves("MailTo:a@b.c", true));
    }

    #[test]
    fn addresses_become_absolute() {
        let base = Url::parse("https://h.org/a/b?c").ok();
        let keep = |value: &str| address(value, base.as_ref(), true);
        for (value, kept) in [
            ("x", "https://h.org/a/x"),
            ("//g/x", "https://g/x"),
            ("?d", "https://h.org/a/b?d"),
            ("#n", "#n"),
            (" http://G/Ä b ", "http://G/Ä b"),
            ("ht\ntp://g/", "http://g/"),
            ("mailto:a@b.c", "mailto:a@b.c"),
        ] {
            assert_eq!(keep(value).as_deref(), Some(kept));
        }
        for none in ["", " ", "javascript:x", "java\nscript:x", "http://", "tel:1", "\u{1}data:x"] {
            assert_eq!(keep(none), None, "{none}");
        }
        let file = Url::parse("file:///etc/").ok();
        assert_eq!(address("passwd", file.as_ref(), false).as_deref(), Some("passwd"));
    }

    #[test]
    fn addresses_of_a_scheme_and_no_server_are_what_they_are_on_their_page() {
        let base = Url::parse("https://h.org/a/b").expect("base");
        for (value, made) in [
            ("https:/x/y", Some("https://h.org/x/y")),
            ("https:y", Some("https://h.org/a/y")),
            ("http:/x/y", Some("http://x/y")),
            ("https:\\\\x\\y", Some("https://x/y")),
            ("HTTPS://X/", Some("https://x/")),
            ("https:/\u{fffd}x/y", Some("https://h.org/%EF%BF%BDx/y")),
            ("http:", None),
            ("https://g/x", Some("https://g/x")),
            ("#n", Some("#n")),
            ("javascript:x", None),
        ] {
            assert_eq!(resolved(value, &base, true).as_deref(), made, "{value}");
        }
        assert_eq!(
            sources_resolved("https:/x 1x, y 2x", &base).as_deref(),
            Some("https://h.org/x 1x, https://h.org/a/y 2x")
        );
    }

    #[test]
    fn source_sets() {
        for good in
            ["a 1x", "a.jpg 1x, b.jpg 2x", "a_(1).jpg 1x, b(,c).jpg 2x", "https://h/w_1,h_2/a 100w", "a?b&amp;c 1x", ""]
        {
            assert!(proves_all(good), "{good}");
        }
        for bad in
            ["javascript:x", "a 1x, x:y 2x", "a 1x,x:y 2x", "a&#32;1x&#44;x:y", "a, data:x", "a (,/b),x:y", "a (, x:y"]
        {
            assert!(!proves_all(bad), "{bad}");
        }
        let base = Url::parse("https://h.org/").ok();
        let keep = |value: &str| sources(value, base.as_ref());
        assert_eq!(
            keep("a 1x, //g/b,c 2.5x , d,e 3x y:z,f").as_deref(),
            Some("https://h.org/a 1x, https://g/b,c 2.5x, https://h.org/d,e, https://h.org/f")
        );
        assert_eq!(keep("https://g/\u{a0}<{ 1x").as_deref(), Some("https://g/%C2%A0%3C%7B 1x"));
        assert_eq!(keep("data:x 1x, javascript:y"), None);
        assert_eq!(keep("a (,/b),javascript:x, (c) 2x").as_deref(), Some("https://h.org/a, https://h.org/(c) 2x"));
    }
}
