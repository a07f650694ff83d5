//! The link of an entry made comparable.

use std::fmt::Write;

use url::Url;

use crate::model::CanonicalUrl;

/// Version of these rules. Keys follow from them, so a change of any rule is a new version, and
/// keys made under an older one are migrated, never forgotten.
pub const VERSION: u32 = 1;

/// Wrappers inside wrappers are opened this often.
const UNWRAP_LIMIT: usize = 16;

/// Query parameters that only say where a reader came from. `*` at the end: any ending.
const TRACKING: &[&str] = &[
    "utm_*",
    "mtm_*",
    "pk_*",
    "piwik_*",
    "hsa_*",
    "at_*",
    "ns_*",
    "wt_*",
    "oly_*",
    "fb_*",
    "__hs*",
    "_hs*",
    "stm_*",
    "fbclid",
    "gclid",
    "gclsrc",
    "dclid",
    "gbraid",
    "wbraid",
    "msclkid",
    "yclid",
    "ysclid",
    "twclid",
    "ttclid",
    "li_fat_id",
    "igshid",
    "igsh",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "_ga",
    "_gl",
    "spm",
    "xtor",
    "ocid",
    "cmpid",
    "s_cid",
    "ncid",
    "maca",
    "vero_id",
    "vero_conv",
    "wickedid",
    "wt.mc_id",
    "wt.zmc",
    "_openstat",
    "rb_clickid",
    "srsltid",
    "guccounter",
    "guce_referrer",
    "guce_referrer_sig",
    "ref_src",
    "ref_url",
    "share_source",
    "share_medium",
    "cvid",
    "ftag",
    "intcid",
    "taid",
    "mbid",
];

/// Parameters that are tracking only with this value.
const TRACKING_VALUES: &[(&str, &str)] = &[
    ("ref", "rss"),
    ("source", "rss"),
    ("src", "rss"),
    ("from", "rss"),
    ("partner", "rss"),
    ("emc", "rss"),
    ("cmp", "rss"),
    ("feature", "rss"),
    ("campaign", "rss"),
    ("origin", "rss"),
    ("via", "rss"),
    ("medium", "rss"),
];

/// Hosts and paths of redirectors, and the parameter that holds the target.
const REDIRECTORS: &[(&str, &str, &[&str])] = &[
    ("www.google.com", "/url", &["url", "q"]),
    ("google.com", "/url", &["url", "q"]),
    ("www.google.com", "/alerts/url", &["url", "q"]),
    ("www.facebook.com", "/l.php", &["u"]),
    ("l.facebook.com", "/l.php", &["u"]),
    ("lm.facebook.com", "/l.php", &["u"]),
    ("l.instagram.com", "/", &["u"]),
    ("www.youtube.com", "/redirect", &["q"]),
    ("out.reddit.com", "/", &["url"]),
    ("t.umblr.com", "/redirect", &["z"]),
    ("href.li", "/", &["url"]),
    ("vk.com", "/away.php", &["to"]),
    ("away.vk.com", "/away.php", &["to"]),
    ("duckduckgo.com", "/l/", &["uddg"]),
    ("getpocket.com", "/redirect", &["url"]),
    ("slack-redir.net", "/link", &["url"]),
    ("www.bing.com", "/news/apiclick.aspx", &["url"]),
    ("link.zhihu.com", "/", &["target"]),
    ("link.juejin.cn", "/", &["target"]),
    ("www.douban.com", "/link2/", &["url"]),
    ("weibo.cn", "/sinaurl", &["u", "toasturl"]),
    ("link.csdn.net", "/", &["target"]),
    ("www.jianshu.com", "/go-wild", &["url"]),
    ("exit.sc", "/", &["url"]),
    ("steamcommunity.com", "/linkfilter/", &["url", "u"]),
];

/// Makes a link comparable; `None` for what is not http or https.
///
/// What is kept is kept on purpose: case and slashes of the path, other parameters in their order,
/// real fragments. Two addresses that a server may treat differently stay different.
pub fn canonical_url(link: &Url) -> Option<CanonicalUrl> {
    let mut url = link.clone();
    for _ in 0..UNWRAP_LIMIT {
        match redirect_target(&url).or_else(|| amp_target(&url)) {
            Some(target) => url = target,
            None => break,
        }
    }
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let mut text = format!("https://{}", url.host_str()?);
    // Either scheme's default port goes, because the scheme itself is not kept.
    if let Some(port) = url.port().filter(|port| !matches!(port, 80 | 443)) {
        let _ = write!(text, ":{port}");
    }
    text.push_str(&escaped(url.path(), |b| b == b'/'));
    // Escapes come first: `%75tm_source` is a tracking parameter too.
    let query = url.query().map(|q| without_tracking(&escaped(q, |b| matches!(b, b'/' | b'?')))).unwrap_or_default();
    if !query.is_empty() {
        text.push('?');
        text.push_str(&query);
    }
    let fragment = url.fragment().map(|f| escaped(f, |b| matches!(b, b'/' | b'?' | b'#'))).unwrap_or_default();
    let fragment = real_fragment(&fragment);
    if !fragment.is_empty() {
        text.push('#');
        text.push_str(fragment);
    }
    Some(CanonicalUrl::new(text))
}

fn redirect_target(url: &Url) -> Option<Url> {
    let host = url.host_str()?;
    let outlook = host.ends_with(".safelinks.protection.outlook.com");
    let names: &[&str] = if outlook {
        &["url"]
    } else {
        REDIRECTORS.iter().find(|(h, path, _)| *h == host && *path == url.path()).map(|(_, _, names)| *names)?
    };
    let target = |name: &&str| url.query_pairs().find(|(n, _)| n == name).map(|(_, value)| value.into_owned());
    names.iter().find_map(target).and_then(|text| web(&text))
}

/// AMP addresses are opened only on the two known caches; `/amp/` in a path may be anything.
fn amp_target(url: &Url) -> Option<Url> {
    let host = url.host_str()?;
    let rest = if matches!(host, "www.google.com" | "google.com") {
        url.path().strip_prefix("/amp/")?
    } else if host.ends_with(".cdn.ampproject.org") {
        ["/c/", "/v/", "/i/", "/wp/"].iter().find_map(|kind| url.path().strip_prefix(kind))?
    } else {
        return None;
    };
    let (scheme, address) = rest.strip_prefix("s/").map_or(("http", rest), |rest| ("https", rest));
    let mut target = web(&format!("{scheme}://{address}"))?;
    if !target.host_str()?.contains('.') {
        return None;
    }
    target.set_query(url.query());
    target.set_fragment(url.fragment());
    Some(target)
}

fn web(text: &str) -> Option<Url> {
    Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
}

fn without_tracking(query: &str) -> String {
    let kept: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !is_tracking(pair)).collect();
    kept.join("&")
}

fn is_tracking(pair: &str) -> bool {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let name = name.to_ascii_lowercase();
    let value = value.to_ascii_lowercase();
    let by_name = TRACKING.iter().any(|known| match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *known,
    });
    by_name
        || TRACKING_VALUES.contains(&(name.as_str(), value.as_str()))
        || (name == "source" && value.starts_with("rss-"))
}

/// The part of a fragment that names a place: no text directive, no campaign.
fn real_fragment(fragment: &str) -> &str {
    let fragment = fragment.split(":~:").next().unwrap_or_default();
    let campaign = !fragment.is_empty() && fragment.split('&').all(is_tracking);
    if campaign { "" } else { fragment }
}

/// One spelling for all that mean the same octets: escapes in upper case, unreserved
/// characters plain, everything that RFC 3986 does not allow here escaped.
fn escaped(part: &str, also: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(part.len());
    let bytes = part.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = bytes.get(at + 1..at + 3).filter(|_| byte == b'%').and_then(hex_pair);
        match escaped {
            Some(octet) if is_unreserved(octet) => out.push(char::from(octet)),
            Some(octet) => push_escape(&mut out, octet),
            None if is_unreserved(byte) || is_sub_delim(byte) || also(byte) => out.push(char::from(byte)),
            None => push_escape(&mut out, byte),
        }
        at += if escaped.is_some() { 3 } else { 1 };
    }
    out
}

fn push_escape(out: &mut String, octet: u8) {
    let _ = write!(out, "%{octet:02X}");
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    if !pair.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn is_sub_delim(byte: u8) -> bool {
    b"!$&'()*+,;=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(text: &str) -> String {
        canonical_url(&Url::parse(text).expect("url")).expect("web").as_str().to_owned()
    }

    #[test]
    fn one_address_in_many_spellings() {
        let cases = [
            ("http://Example.ORG", "https://example.org/"),
            ("http://example.org:80/a", "https://example.org/a"),
            ("https://example.org:443/a", "https://example.org/a"),
            ("http://example.org:443/a", "https://example.org/a"),
            ("https://example.org:8443/a", "https://example.org:8443/a"),
            ("https://user:pw@example.org/a", "https://example.org/a"),
            ("https://例え.jp/新闻", "https://xn--r8jz45g.jp/%E6%96%B0%E9%97%BB"),
            ("https://example.org/%e6%96%b0", "https://example.org/%E6%96%B0"),
            ("https://example.org/%7Ejo/%41", "https://example.org/~jo/A"),
            ("https://example.org/a|b[1]", "https://example.org/a%7Cb%5B1%5D"),
            ("https://example.org/100%", "https://example.org/100%25"),
            ("https://example.org/a?", "https://example.org/a"),
            ("https://example.org/a?utm_source=x&id=7&UTM_Medium=y", "https://example.org/a?id=7"),
            ("https://example.org/a?fbclid=x", "https://example.org/a"),
            ("https://example.org/a?xtor=RSS-3", "https://example.org/a"),
            ("https://p.dw.com/p/1?maca=chi-rss-chi-all-1127-rdf", "https://p.dw.com/p/1"),
            ("https://example.org/a?ref=rss&b=1", "https://example.org/a?b=1"),
            ("https://example.org/a?ref=7", "https://example.org/a?ref=7"),
            ("https://example.org/a?source=rss----abc---4", "https://example.org/a"),
            ("https://example.org/a?b=2&a=1", "https://example.org/a?b=2&a=1"),
            ("https://example.org/a#", "https://example.org/a"),
            ("https://example.org/a#:~:text=foo", "https://example.org/a"),
            ("https://example.org/a#s2:~:text=foo", "https://example.org/a#s2"),
            ("https://example.org/a#xtor=RSS-3208", "https://example.org/a"),
            ("https://example.org/a#comment-4", "https://example.org/a#comment-4"),
            ("https://example.org/A/B/", "https://example.org/A/B/"),
            ("https://example.org//a", "https://example.org//a"),
        ];
        for (given, wanted) in cases {
            assert_eq!(canonical(given), wanted, "{given}");
        }
    }

    #[test]
    fn wrappers_that_hold_their_target_are_opened() {
        let wanted = "https://example.org/a?b=1";
        for given in [
            "https://www.google.com/url?rct=j&sa=t&url=http://example.org/a%3Fb%3D1&ct=ga",
            "https://l.facebook.com/l.php?u=https%3A%2F%2Fexample.org%2Fa%3Fb%3D1%26fbclid%3Dx&h=1",
            "https://www.google.com/amp/s/example.org/a?b=1",
            "https://example-org.cdn.ampproject.org/c/s/example.org/a?b=1",
        ] {
            assert_eq!(canonical(given), wanted, "{given}");
        }
        assert_eq!(canonical("https://www.google.com/url?q=javascript:x"), "https://www.google.com/url?q=javascript:x");
        assert_eq!(canonical("https://example.org/amp/s/a"), "https://example.org/amp/s/a");
    }

    proptest! {
        #[test]
        fn canonical_is_idempotent(path in ".{0,40}", query in ".{0,40}", fragment in ".{0,20}") {
            let mut url = Url::parse("http://Example.org/").expect("url");
            url.set_path(&path);
            url.set_query(Some(&query));
            url.set_fragment(Some(&fragment));
            if let Some(once) = canonical_url(&url) {
                let twice = canonical_url(&Url::parse(once.as_str()).expect("canonical parses")).expect("web");
                prop_assert_eq!(once, twice);
            }
        }
    }
}
