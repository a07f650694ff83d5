//! Names of people, out of what feeds write where a person belongs.

use super::chars;
use super::tags::{children, is_section};

/// Signs around an address or between it and a name.
const AROUND: &[char] = &['(', ')', '<', '>', '[', ']', '（', '）', '〈', '〉', '《', '》', '【', '】', '"', '\''];
const BETWEEN: &[char] = &[':', '：', ',', '，', ';', '；', '、', '|', '/', '-', '–', '—', '·'];

/// The name in an element that stands for a person: Atom's with `name`, `email` and `uri`, or RSS's
/// text that mixes a name with an address.
pub(super) fn name(inner: &str) -> Option<String> {
    if !inner.contains('<') || is_section(inner.trim_start().as_bytes()) {
        return from_text(&chars::text(inner));
    }
    let mut email = None;
    for (tag, inner) in children(inner) {
        let text = || Some(chars::text(inner)).filter(|text| !text.is_empty());
        if tag.is("name")
            && let Some(name) = text().as_deref().and_then(from_text)
        {
            return Some(name);
        }
        if tag.is("email") {
            email = email.or_else(text);
        }
    }
    // Neither: a text with markup in it.
    email.or_else(|| from_text(&chars::text(inner)).filter(|text| !text.contains('<')))
}

/// The name in a text: `a@b.c (Name)`, `Name <a@b.c>`, `记者（a@b.c）`; the address where there is
/// nothing else.
pub(super) fn from_text(text: &str) -> Option<String> {
    let text = text.trim();
    let Some((start, end)) = address(text) else { return Some(text.to_owned()).filter(|text| !text.is_empty()) };
    let found = &text[start..end];
    let before = &text[..start];
    let mut parts = vec![trimmed(before.trim_end().strip_suffix("mailto:").unwrap_or(before))];
    // Two people in one element are rare, but there are newsrooms that do it.
    let mut rest = &text[end..];
    while let Some((start, end)) = address(rest) {
        parts.push(trimmed(&rest[..start]));
        rest = &rest[end..];
    }
    parts.push(trimmed(rest));
    parts.retain(|part| !part.is_empty());
    Some(if parts.is_empty() { found.to_owned() } else { parts.join(" ") })
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || AROUND.contains(&c) || BETWEEN.contains(&c))
}

/// The first e-mail address in a text (only the characters that addresses in feeds have).
fn address(text: &str) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let is_local = |b: &u8| b.is_ascii_alphanumeric() || b"._%+-".contains(b);
    let is_host = |b: &u8| b.is_ascii_alphanumeric() || b".-".contains(b);
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'@', &bytes[from..]).map(|at| from + at) {
        let local = bytes[from..at].iter().rev().take_while(|b| is_local(b)).count();
        let host = bytes[at + 1..].iter().take_while(|b| is_host(b)).count();
        let name = &bytes[at + 1..at + 1 + host];
        let host = host - name.iter().rev().take_while(|b| b".-".contains(b)).count();
        if local > 0 && name[..host].contains(&b'.') {
            return Some((at - local, at + 1 + host));
        }
        from = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_addresses() {
        let cases = [
            ("noreply@blogger.com (王小明)", "王小明"),
            ("记者王小明（wang@example.com）", "记者王小明"),
            ("a@b.com，王小明", "王小明"),
            ("自由亚洲电台：a@b.com", "自由亚洲电台"),
            ("记者： a@b.com 责编： c@d.com", "记者 责编"),
            ("Jane Doe &lt;jane@example.org&gt;", "Jane Doe"),
            ("mailto:jane@example.org", "jane@example.org"),
            ("jane@example.org", "jane@example.org"),
            ("<![CDATA[ Jane ]]>", "Jane"),
            ("@jane", "@jane"),
            ("a@b", "a@b"),
            ("<name> Jane </name><email>j@example.org</email>", "Jane"),
            ("<email>j@example.org</email>", "j@example.org"),
            ("<atom:name>Jane</atom:name>", "Jane"),
        ];
        for (written, expected) in cases {
            assert_eq!(name(written).as_deref(), Some(expected), "{written}");
        }
        assert_eq!(name(" "), None);
        assert_eq!(name("<name></name>"), None);
    }
}
