//! What counts readers or asks them to share: told by its shape, because a list would never end.

use std::sync::LazyLock;

use regex::Regex;

/// Longer texts (bytes) are no widget, whatever they are called.
pub(super) const LONGEST: usize = 240;
/// The text of a link that shares (bytes).
pub(super) const LONGEST_LINK: usize = 60;

/// Names that begin like this belong to widgets of sharing and their like.
const MAKERS: &[&str] = &[
    "sharedaddy",
    "sd-sharing",
    "sd-like",
    "jp-relatedposts",
    "addtoany",
    "a2a_",
    "addthis",
    "feedflare",
    "ssba",
    "shariff",
    "heateor_sss",
    "essb_",
    "mashsb",
    "swp_social",
    "jiathis",
    "bdshare",
    "bshare",
    "fb-like",
    "fb-share",
    "twitter-share",
    "subscription-widget",
    "kg-signup-card",
];

/// Words that a name made of `share` or `social` may hold beside it.
const AROUND: &[&str] = &[
    "area",
    "article",
    "bar",
    "block",
    "bottom",
    "box",
    "button",
    "buttons",
    "container",
    "entry",
    "footer",
    "group",
    "icon",
    "icons",
    "item",
    "items",
    "like",
    "likes",
    "link",
    "links",
    "list",
    "media",
    "menu",
    "nav",
    "network",
    "networks",
    "panel",
    "post",
    "section",
    "share",
    "shares",
    "sharing",
    "social",
    "this",
    "toolbar",
    "tools",
    "top",
    "widget",
    "wp",
    "wrap",
    "wrapper",
];

/// True when no class of the text could be that of a widget; most bodies hold none of these.
pub(super) fn has_none(html: &str) -> bool {
    // one pass with vector code; a list of searches is as slow as all the rest
    static HINTS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&HINTS_OF_WIDGETS.join("|")).ok());
    !HINTS.as_ref().is_none_or(|hints| hints.is_match(html))
}

const HINTS_OF_WIDGETS: &[&str] = &[
    "shar",
    "Shar",
    "SHAR",
    "social",
    "Social",
    "SOCIAL",
    "like",
    "Like",
    "jp-relatedposts",
    "addtoany",
    "a2a_",
    "addthis",
    "feedflare",
    "ssba",
    "heateor_sss",
    "essb_",
    "mashsb",
    "jiathis",
    "subscription-widget",
    "kg-signup-card",
    "sd-",
];

/// True when one of the names in `class` is that of a widget.
pub(super) fn is_widget(class: &str) -> bool {
    class.split_ascii_whitespace().any(|name| {
        let lower = name.to_ascii_lowercase();
        MAKERS.iter().any(|maker| lower.starts_with(maker)) || shares(name)
    })
}

/// Made of words only that say so: `share-buttons`, `postShare`, but not `share-price` or `social-post`.
fn shares(name: &str) -> bool {
    let words = words(name);
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let around = words.iter().all(|word| AROUND.contains(&word.as_str()));
    let asks =
        has(&["share", "sharing"]) || (has(&["social", "like"]) && has(&["button", "buttons", "icons", "links"]));
    around && asks
}

fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || c.is_ascii_uppercase() {
            words.push(String::new());
        }
        if c.is_ascii_alphanumeric() {
            words.last_mut().unwrap_or(&mut String::new()).push(c.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Host and path of a web address.
fn parts(address: &str) -> Option<(&str, &str)> {
    let rest = ["https://", "http://", "//"].iter().find_map(|scheme| address.strip_prefix(scheme))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    Some((host, path))
}

/// The path without query and fragment.
fn bare(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default()
}

/// An address that shares the page it stands in.
pub(super) fn is_share_link(address: &str) -> bool {
    let Some((host, path)) = parts(address) else {
        return address.starts_with("mailto:?");
    };
    let host = host.strip_prefix("www.").or_else(|| host.strip_prefix("m.")).unwrap_or(host);
    let plain = bare(path).trim_end_matches('/');
    match host {
        "facebook.com" => matches!(plain, "/sharer" | "/sharer.php" | "/sharer/sharer.php" | "/share.php"),
        "twitter.com" | "x.com" => matches!(plain, "/share" | "/intent/tweet" | "/intent/post"),
        "t.me" | "telegram.me" => plain == "/share/url" || plain == "/share",
        "wa.me" => plain.is_empty() && path.contains("text="),
        "api.whatsapp.com" | "web.whatsapp.com" => plain == "/send" && path.contains("text="),
        "linkedin.com" => matches!(plain, "/shareArticle" | "/sharing/share-offsite" | "/cws/share"),
        "reddit.com" => plain == "/submit",
        "tumblr.com" => matches!(plain, "/share" | "/share/link" | "/widgets/share/tool"),
        "pinterest.com" => plain.starts_with("/pin/create"),
        "service.weibo.com" | "v.t.sina.com.cn" => plain.starts_with("/share"),
        "connect.qq.com" => plain.starts_with("/widget/shareqq"),
        "sns.qzone.qq.com" => plain.contains("share"),
        "addtoany.com" | "addthis.com" => true,
        "threads.net" | "bsky.app" => plain.starts_with("/intent/"),
        "social-plugins.line.me" => plain == "/lineit/share",
        "news.ycombinator.com" => plain == "/submitlink",
        "feeds.feedburner.com" => path.starts_with("/~ff/"),
        _ => path.contains('?') && path.ends_with("action=share"),
    }
}

/// A frame that counts or likes and shows nothing.
pub(super) fn is_widget_frame(address: &str) -> bool {
    let Some((host, path)) = parts(address) else { return false };
    let host = host.strip_prefix("www.").unwrap_or(host);
    match host {
        "facebook.com" => path.starts_with("/plugins/like") || path.starts_with("/plugins/share"),
        "platform.twitter.com" => path.starts_with("/widgets/tweet_button") || path.starts_with("/widgets/follow"),
        _ => is_tracker(address),
    }
}

/// Hosts of the largest counters. All others are told by their shape.
const COUNTERS: &[&str] = &[
    "doubleclick.net",
    "google-analytics.com",
    "googletagmanager.com",
    "scorecardresearch.com",
    "quantserve.com",
    "hm.baidu.com",
    "feeds.wordpress.com",
];

/// An address that is asked for only to count readers.
pub(super) fn is_tracker(address: &str) -> bool {
    let Some((host, path)) = parts(address) else { return false };
    let plain = bare(path);
    let last = plain.rsplit('/').next().unwrap_or_default();
    let (stem, extension) = last.rsplit_once('.').unwrap_or((last, ""));
    let is_picture = matches!(extension, "jpg" | "jpeg" | "png" | "webp" | "avif" | "svg");
    let counts = |word: &str| {
        matches!(
            word,
            "pixel" | "beacon" | "stats" | "analytics" | "tracking" | "tracker" | "counter" | "metrics" | "telemetry"
        )
    };
    let of = |counter: &str| host.strip_suffix(counter).is_some_and(|left| left.is_empty() || left.ends_with('.'));
    (host.split('.').next().is_some_and(counts) && !is_picture)
        || COUNTERS.iter().any(|counter| of(counter))
        || (host.ends_with("facebook.com") && plain == "/tr")
        || (host == "feeds.feedburner.com" && plain.starts_with("/~"))
        || plain == "/_/stat"
        || (matches!(extension, "" | "gif" | "php" | "aspx")
            && (counts(stem) || matches!(stem, "open" | "track" | "count" | "hit" | "hits" | "1x1"))
            && (!extension.is_empty() || matches!(stem, "pixel" | "beacon")))
}

/// A picture that stands where another one will be, or keeps a place.
pub(super) fn is_placeholder(address: &str) -> bool {
    let plain = bare(address);
    let last = plain.rsplit('/').next().unwrap_or_default();
    let Some((stem, "gif" | "png" | "svg")) = last.rsplit_once('.') else { return false };
    let stem = stem.to_ascii_lowercase();
    matches!(
        stem.as_str(),
        "blank"
            | "spacer"
            | "transparent"
            | "empty"
            | "pixel"
            | "1x1"
            | "1x1.trans"
            | "grey"
            | "gray"
            | "loading"
            | "placeholder"
            | "lazy"
            | "lazyload"
            | "lazy_placeholder"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_widgets() {
        for widget in [
            "sharedaddy sd-sharing-enabled",
            "addtoany_share_save_container addtoany_content",
            "x share-buttons",
            "shareButtons",
            "post-share",
            "social-icons",
            "wp-block-social-links",
            "bdsharebuttonbox",
            "share",
            "like-button",
        ] {
            assert!(is_widget(widget), "{widget}");
            assert!(!has_none(&format!("<div class=\"{widget}\">")), "{widget}");
        }
        for other in [
            "",
            "share-price",
            "market_share",
            "shared",
            "social-post",
            "social",
            "shareholder-list",
            "post",
            "likewise",
            "share-image",
            "article social-housing",
        ] {
            assert!(!is_widget(other), "{other}");
        }
        for maker in MAKERS {
            assert!(!has_none(maker), "{maker}");
        }
    }

    #[test]
    fn addresses_that_share() {
        for share in [
            "https://www.facebook.com/sharer/sharer.php?u=x",
            "https://twitter.com/intent/tweet?text=x",
            "https://t.me/share/url?url=x",
            "https://wa.me/?text=x",
            "https://service.weibo.com/share/share.php?url=x",
            "https://x.substack.com/p/y?utm_source=substack&action=share",
            "mailto:?subject=x",
        ] {
            assert!(is_share_link(share), "{share}");
        }
        for other in [
            "https://www.facebook.com/somebody",
            "https://twitter.com/somebody/status/1",
            "https://t.me/somebody",
            "https://example.org/share",
            "mailto:a@b.c",
            "/share",
        ] {
            assert!(!is_share_link(other), "{other}");
        }
    }

    #[test]
    fn addresses_that_count() {
        for tracker in [
            "https://pixel.example.org/x?y",
            "http://feeds.feedburner.com/~r/a/~4/b",
            "https://feeds.wordpress.com/1.0/comments/a/1/",
            "https://www.facebook.com/tr?id=1",
            "https://medium.com/_/stat?event=x",
            "https://a.b/pixel.gif?id=1",
            "https://stats.wordpress.com/b.gif?x",
            "https://ad.doubleclick.net/ad/x",
            "https://a.b/counter.php?id=1",
            "https://www.googletagmanager.com/ns.html?id=x",
        ] {
            assert!(is_tracker(tracker), "{tracker}");
        }
        for other in [
            "https://pixel.example.org/photo.jpg",
            "https://a.b/photo.gif",
            "https://a.b/track.jpg",
            "https://notdoubleclick.net/a.gif",
            "https://a.b/open",
            "x/pixel.gif",
        ] {
            assert!(!is_tracker(other), "{other}");
        }
        assert!(is_placeholder("/images/spacer.gif") && is_placeholder("https://a.b/blank.png?x"));
        assert!(!is_placeholder("https://a.b/blank.jpg") && !is_placeholder("blank"));
    }
}
