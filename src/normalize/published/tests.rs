#![allow(clippy::unwrap_used)]
use proptest::prelude::*;
use url::Url;

use crate::model::{Enclosure, EntryKey, Post, Timestamp};
use crate::normalize::html::{Cuts, based, body, for_readers, is_clean, published};

fn base() -> Option<Url> {
    Url::parse("https://example.org/2021/07/story.html").ok()
}

/// What readers get of an entry: the post is made first, as it is kept.
fn out(received: &str) -> String {
    let post = body(received, base().as_ref(), &Cuts::none());
    let out = published(&post, base().as_ref()).into_owned();
    assert!(is_clean(&out), "{out}");
    assert_eq!(published(&out, base().as_ref()), out, "not final");
    out
}

#[test]
fn what_needs_nothing_stays_as_written() {
    for same in [
        "",
        "text",
        "<p><figure><img src='https://a.b/c.jpg' alt=\"x > y\" /></figure></p>",
        "<figure><a href=\"https://a.b/\"><img src=\"https://a.b/c.jpg?a=1&amp;b=2\"></a><figcaption>x</figcaption></figure>",
        "<ul><li></li></ul><p></p><p><br></p>",
        "<a href=\"#n1\">1</a><a href=\"mailto:a@b.c\">m</a>",
        "<table><tr><td></td><td class=\"post\">x</td></tr></table>",
        "<p class=\"share-price\">The share price is what it was.</p>",
        "<video controls src=\"https://a.b/c.mp4\"></video>",
        "<a href=\"https://example.org/x\">https://example.org/x</a>",
        "<img src=\"https://a.b/star.gif\"><img src=\"https://a.b/star.gif\"><img src=\"https://a.b/star.gif\">",
    ] {
        assert_eq!(out(same), same);
    }
}

#[test]
fn addresses_are_absolute() {
    for (received, readers) in [
        ("<a href=\"/x?a&amp;b\">x</a>", "<a href=\"https://example.org/x?a&amp;b\">x</a>"),
        ("<img alt='\"' src='c.png'/>", "<img alt='\"' src=\"https://example.org/2021/07/c.png\"/>"),
        (
            "<picture><source srcset=\"a.webp 1x, //h.org/b.webp 2x\"><img src=\"//h.org/a.jpg\"></picture>",
            "<picture><source srcset=\"https://example.org/2021/07/a.webp 1x, https://h.org/b.webp 2x\">\
             <img src=\"https://h.org/a.jpg\"></picture>",
        ),
        (
            "<video poster=\"p.jpg\"><source src=\"v.mp4\"><track src=\"t.vtt\"></video>",
            "<video poster=\"https://example.org/2021/07/p.jpg\" controls>\
             <source src=\"https://example.org/2021/07/v.mp4\"><track src=\"https://example.org/2021/07/t.vtt\"></video>",
        ),
        ("<blockquote cite=\"/q\">x</blockquote>", "<blockquote cite=\"https://example.org/q\">x</blockquote>"),
        ("<a href=\"https:/x\">x</a>", "<a href=\"https://example.org/x\">x</a>"),
        ("<img srcset=\"http:/h.org/a.jpg 1x\">", "<img srcset=\"http://h.org/a.jpg 1x\" src=\"http://h.org/a.jpg\">"),
        ("<img src=\"/{x}.png\">", "<img src=\"https://example.org/%7Bx%7D.png\">"),
        (
            "<img src=\"c.png\" alt=\"{{x}}\">",
            "<img src=\"https://example.org/2021/07/c.png\" alt=\"&#123;&#123;x}}\">",
        ),
    ] {
        assert_eq!(out(received), readers, "{received}");
    }
}

#[test]
fn lazy_pictures_are_real() {
    for (received, readers) in [
        // a messenger's articles: no `src` at all
        (
            "<p><img class=\"rich\" data-ratio=\"0.6\" data-src=\"https://mm.example.cn/a/640?wx_fmt=png\" data-w=\"1080\"></p>",
            "<p><img class=\"rich\" data-ratio=\"0.6\" data-w=\"1080\" src=\"https://mm.example.cn/a/640?wx_fmt=png\"></p>",
        ),
        // a blog's plugin: stand-in, candidates, and a twin for readers without scripts
        (
            "<figure><img class=\"lazyload\" src=\"data:image/svg+xml;x\" data-src=\"https://w.org/a-300x200.jpg\" \
             data-srcset=\"https://w.org/a-300x200.jpg 300w, https://w.org/a.jpg 900w\" data-sizes=\"auto\" alt=\"A\">\
             <noscript><img src=\"https://w.org/a-300x200.jpg\" alt=\"A\"></noscript></figure>",
            "<figure><img class=\"lazyload\" alt=\"A\" src=\"https://w.org/a-300x200.jpg\" \
             srcset=\"https://w.org/a-300x200.jpg 300w, https://w.org/a.jpg 900w\"></figure>",
        ),
        // the twin before it, in a link of its own
        (
            "<noscript><a href=\"https://w.org/\"><img src=\"https://w.org/a.jpg\"></a></noscript>\
             <a href=\"https://w.org/\"><img src=\"https://w.org/blank.gif\" data-lazy-src=\"https://w.org/a.jpg?w=9\"></a>",
            "<a href=\"https://w.org/\"><img src=\"https://w.org/a.jpg\"></a>",
        ),
        // a stand-in that says nothing, and the twin
        (
            "<p><img src=\"data:x\" alt=\"A\"><noscript><img src=\"https://w.org/a.jpg\" alt=\"A\"></noscript></p>",
            "<p><img src=\"https://w.org/a.jpg\" alt=\"A\"></p>",
        ),
        // old jQuery plugins
        (
            "<img src=\"/img/grey.gif\" data-original=\"photo.jpg\" width=\"600\" height=\"400\">",
            "<img src=\"https://example.org/2021/07/photo.jpg\" width=\"600\" height=\"400\">",
        ),
        // candidates only
        (
            "<img data-srcset=\"/s.jpg 300w, /l.jpg 900w\" alt=\"\">",
            "<img alt=\"\" srcset=\"https://example.org/s.jpg 300w, https://example.org/l.jpg 900w\" \
             src=\"https://example.org/l.jpg\">",
        ),
        (
            "<picture><source data-srcset=\"/a.webp\"><img src=\"/spacer.gif\"></picture>",
            "<picture><source srcset=\"https://example.org/a.webp\"><img src=\"https://example.org/a.webp\"></picture>",
        ),
        // an editor's notes
        (
            "<img alt=\"\" data-attrs=\"{&quot;src&quot;:&quot;https://s.org/a.png&quot;,&quot;height&quot;:3}\">",
            "<img alt=\"\" data-attrs=\"&#123;&quot;src&quot;:&quot;https://s.org/a.png&quot;,&quot;height&quot;:3}\" src=\"https://s.org/a.png\">",
        ),
        // switches are no addresses
        ("<img src=\"https://a.b/c.jpg\" data-lazy=\"true\">", "<img src=\"https://a.b/c.jpg\" data-lazy=\"true\">"),
        // neighbours are no twins: other pictures, and the same one in a row
        (
            "<img src=\"https://a.b/i?id=1\"><img data-src=\"https://a.b/i?id=2\">",
            "<img src=\"https://a.b/i?id=1\"><img src=\"https://a.b/i?id=2\">",
        ),
        (
            "<img data-src=\"https://a.b/1.gif\"><img data-src=\"https://a.b/1.gif\">",
            "<img src=\"https://a.b/1.gif\"><img src=\"https://a.b/1.gif\">",
        ),
        (
            "<img data-src=\"https://a.b/1.jpg\"><p>x</p><img src=\"https://a.b/1.jpg\">",
            "<img src=\"https://a.b/1.jpg\"><p>x</p><img src=\"https://a.b/1.jpg\">",
        ),
    ] {
        assert_eq!(out(received), readers, "{received}");
    }
}

#[test]
fn pixels_go() {
    for (received, readers) in [
        ("<p>a</p><img src=\"https://a.b/x\" width=\"1\" height=\"1\" alt=\"\">", "<p>a</p>"),
        ("<p>a</p><p><img src=\"https://a.b/x\" style=\"width:1px;height:1px\"/></p>", "<p>a</p>"),
        ("a<img src=\"https://a.b/x\" height=\"0\">", "a"),
        ("a<div class=\"blogger-post-footer\"><img width='1' height='1' src='https://b.org/tracker/1-2'/></div>", "a"),
        ("a<img src=\"http://feeds.feedburner.com/~r/x/~4/y\" height=\"1\" width=\"1\"/>", "a"),
        (
            "a<a rel=\"nofollow\" href=\"http://feeds.wordpress.com/1.0/goc/x/\"><img src=\"http://feeds.wordpress.com/1.0/c/x/\"></a>",
            "a",
        ),
        ("a<img src=\"https://pixel.w.com/b.gif?host=x\">", "a"),
        ("a<noscript><iframe src=\"https://www.googletagmanager.com/ns.html?id=x\"></iframe></noscript>", "a"),
        (
            "<table><tr><td><img width=1 height=1 src=x></td><td>a</td></tr></table>",
            "<table><tbody><tr><td></td><td>a</td></tr></tbody></table>",
        ),
        // pictures that are none
        (
            "<img src=\"https://a.b/line.png\" width=\"600\" height=\"1\">",
            "<img src=\"https://a.b/line.png\" width=\"600\" height=\"1\">",
        ),
        (
            "<img src=\"https://a.b/c.jpg\" width=\"1\" style=\"width:100%\">",
            "<img src=\"https://a.b/c.jpg\" width=\"1\" style=\"width:100%\">",
        ),
    ] {
        assert_eq!(out(received), readers, "{received}");
    }
}

#[test]
fn widgets_go_and_articles_stay() {
    for (received, readers) in [
        (
            "<p>a</p><div class=\"sharedaddy sd-sharing-enabled\"><h3>Share this:</h3><ul><li><a href=\"https://b.org/?share=x\">X</a></li></ul></div>",
            "<p>a</p>",
        ),
        (
            "<p>a</p><div class=\"feedflare\"><a href=\"http://feeds.feedburner.com/~ff/x\"><img src=\"http://feeds.feedburner.com/~ff/y\"></a></div>",
            "<p>a</p>",
        ),
        (
            "<p>a</p><p class=\"button-wrapper\"><a class=\"button\" href=\"https://x.sub.org/p/y?a=b&amp;action=share\"><span>Share</span></a></p>",
            "<p>a</p>",
        ),
        ("<p>a</p><ul><li><a href=\"https://twitter.com/intent/tweet?text=x\">Tweet</a></li></ul>", "<p>a</p>"),
        ("<p>a</p><div class=\"bdsharebuttonbox\"><a href=\"#\">分享到微博</a></div>", "<p>a</p>"),
        ("a<iframe src=\"https://www.facebook.com/plugins/like.php?href=x\"></iframe>", "a"),
    ] {
        assert_eq!(out(received), readers, "{received}");
    }
    // a theme that calls its whole article so
    let article = format!("<div class=\"social-share-wrapper\"><p>{}</p></div>", "news ".repeat(100));
    assert_eq!(out(&article), article);
    let words =
        format!("<a href=\"https://twitter.com/intent/tweet?text=x\">{}</a>", "a quotation to tweet ".repeat(9));
    assert_eq!(out(&words), words);
}

#[test]
fn frames_are_links() {
    let video = "<a href=\"https://www.youtube.com/watch?v=aB3\"><img src=\"https://i.ytimg.com/vi/aB3/hqdefault.jpg\" alt=\"\"/>\
                 <br/>▶ https://www.youtube.com/watch?v=aB3</a>";
    for (received, readers) in [
        (
            "<figure class=\"wp-block-embed\"><div><iframe src=\"https://www.youtube.com/embed/aB3?feature=oembed\" allowfullscreen></iframe></div></figure>",
            format!("<figure class=\"wp-block-embed\"><div> {video} </div></figure>"),
        ),
        ("<p>a<iframe data-src=\"//www.youtube-nocookie.com/embed/aB3\"></iframe>b</p>", format!("<p>a {video} b</p>")),
        (
            "<iframe src=\"https://player.vimeo.com/video/12?title=0\"></iframe>",
            "<a href=\"https://vimeo.com/12\">▶ https://vimeo.com/12</a>".into(),
        ),
        (
            "<iframe src=\"https://maps.example.com/embed?x=1&amp;y=2\"></iframe>",
            "<a href=\"https://maps.example.com/embed?x=1&amp;y=2\">https://maps.example.com/embed?x=1&amp;y=2</a>"
                .into(),
        ),
        ("a<iframe src=\"javascript:x\"></iframe>", "a".into()),
        // somebody's own words stay
        (
            "<a href=\"https://www.youtube.com/embed/aB3\">the video</a>",
            "<a href=\"https://www.youtube.com/embed/aB3\">the video</a>".into(),
        ),
    ] {
        assert_eq!(out(received), readers, "{received}");
    }
}

fn post(from: &str, body: &str, enclosures: &[(&str, &str)]) -> Post {
    let enclosures = enclosures.iter().map(|(url, kind)| Enclosure {
        url: (*url).into(),
        media_type: Some((*kind).to_owned()).filter(|kind| !kind.is_empty()),
        length: None,
    });
    Post {
        title: "t".into(),
        date: Timestamp::default(),
        author: String::new(),
        from: from.into(),
        tags: vec![],
        categories: vec![],
        updated: None,
        lang: None,
        enclosures: enclosures.collect(),
        claimed: None,
        key: EntryKey::from_hex(&"0".repeat(64)).unwrap(),
        body: body.into(),
    }
}

#[test]
fn videos_and_episodes_have_something_to_open() {
    let video = "<p><a href=\"https://www.youtube.com/watch?v=aB3\"><img src=\"https://i.ytimg.com/vi/aB3/hqdefault.jpg\" alt=\"\"/>\
                 <br/>▶ https://www.youtube.com/watch?v=aB3</a></p>";
    let episode = "https://c.org/e%201.mp3?x=1&y";
    for (post, readers) in [
        (post("https://www.youtube.com/watch?v=aB3", "<p>about</p>", &[]), format!("{video}<p>about</p>")),
        (
            post("https://c.org/1", "", &[("https://www.youtube.com/v/aB3?version=3", "application/x-shockwave-flash")]),
            video.to_owned(),
        ),
        (post("https://youtu.be/aB3", "<img src=\"/own.jpg\">", &[]), "<img src=\"https://example.org/own.jpg\">".into()),
        (
            post("https://c.org/1", "", &[(episode, "audio/mpeg"), ("https://c.org/c.jpg", "image/jpeg")]),
            "<p><audio controls preload=\"none\" src=\"https://c.org/e%201.mp3?x=1&amp;y\"></audio><br/>\
             <a href=\"https://c.org/e%201.mp3?x=1&amp;y\">▶ e%201.mp3</a></p><p><img src=\"https://c.org/c.jpg\" alt=\"\"/></p>"
                .into(),
        ),
        (post("https://c.org/1", "", &[("https://c.org/a.pdf", "")]), "<p><a href=\"https://c.org/a.pdf\">▶ a.pdf</a></p>".into()),
        (post("https://c.org/1", "<p>notes</p>", &[(episode, "audio/mpeg")]), "<p>notes</p>".into()),
        (post("https://c.org/1", "", &[]), String::new()),
    ] {
        let made = for_readers(&post, base().as_ref()).into_owned();
        assert_eq!(made, readers);
        assert!(is_clean(&made));
        assert_eq!(for_readers(&Post { body: made.clone(), ..post }, base().as_ref()), made, "not final");
    }
}

/// The pieces that the pass looks at, in any order and however nested.
fn pieces() -> impl Strategy<Value = String> {
    let words = |list: &'static [&'static str]| prop::sample::select(list);
    let address = words(&[
        "",
        " ",
        "x.jpg",
        "/a/b.jpg",
        "//h/p.jpg",
        "https://h/p.jpg?w=1",
        "https://h/p.jpg",
        "blank.gif",
        "data:x",
        "javascript:x",
        "https://www.youtube.com/embed/aB3",
        "//player.vimeo.com/video/1",
        "https://pixel.h/x",
        "#n",
        "{x}",
        "a&amp;b c",
        "&quot;`",
        "https://twitter.com/intent/tweet?x",
        "a.jpg 1x, b.jpg 2x",
        "true",
        "http://[",
        "https://www.facebook.com/plugins/like.php",
    ]);
    let name = words(&[
        "src",
        "data-src",
        "data-original",
        "srcset",
        "data-srcset",
        "href",
        "poster",
        "cite",
        "width=\"1\" height",
        "class=\"share\" id",
        "style=\"width:1px;height:1px\" alt",
        "data-sizes",
        "controls data-lazy",
    ]);
    let pair = (name, address.clone()).prop_map(|(name, address)| format!(" {name}=\"{address}\""));
    let tag = words(&[
        "img",
        "img",
        "a",
        "div",
        "p",
        "picture",
        "source",
        "video",
        "noscript",
        "iframe",
        "ul",
        "li",
        "td",
        "blockquote",
        "span",
        "audio",
    ]);
    let start = (tag.clone(), prop::collection::vec(pair, 0..3), words(&[">", ">", "/>"]))
        .prop_map(|(tag, pairs, end)| format!("<{tag}{}{end}", pairs.concat()));
    let end = tag.prop_map(|tag| format!("</{tag}>"));
    let link = address.prop_map(|address| format!("<a href=\"{address}\">{address}</a>"));
    let text = words(&["text ", " ", "\n", "<", "&nbsp;", "{", "中文"]).prop_map(str::to_owned);
    let piece = prop_oneof![3 => start, 2 => end, 1 => link, 1 => text];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_leaves_is_clean_and_final(raw in pieces(), based: bool, kept: bool) {
        let base = base().filter(|_| based);
        let raw = if kept { body(&raw, base.as_ref(), &Cuts::none()) } else { raw };
        let once = published(&raw, base.as_ref());
        prop_assert!(is_clean(&once), "{}", once);
        prop_assert!(!once.contains(['\n', '\r', '{']), "not one line");
        prop_assert_eq!(published(&once, base.as_ref()), &*once);
    }

    #[test]
    fn any_text_can_leave(raw: String) {
        let once = published(&raw, base().as_ref());
        prop_assert!(is_clean(&once));
        prop_assert_eq!(published(&once, base().as_ref()), &*once);
    }
}

#[test]
fn hostile_bodies_cost_little() {
    for hostile in [
        "<div class=\"share\">".repeat(200) + &"x".repeat(300) + &"</div>".repeat(200),
        "<a href=\"https://www.youtube.com/embed/a\">".repeat(200) + &"</a>".repeat(200),
        "<img data-src=\"https://h/a.jpg\"><img src=\"https://h/a.jpg\">".repeat(5000),
        format!("<img srcset=\"{}\">", "/a 1x, ".repeat(20_000)),
        format!("<p>{}</p>", "<img src=\"/x\" width=\"1\" height=\"1\">".repeat(20_000)),
        format!("<img {} src=\"x\">", "data-src=\"x\" ".repeat(5000)),
    ] {
        let hostile = hostile.repeat(10);
        let made = published(&hostile, base().as_ref());
        assert!(is_clean(&made));
        assert!(made.len() <= hostile.len() * 20);
    }
}

/// Each relative address gets a copy of the base: a link of a megabyte would make gigabytes of a small body.
#[test]
fn addresses_add_little_to_a_body() {
    let bases = [20, 2_000, 8_000, 1 << 20].map(|length| format!("https://example.org/{}/", "b".repeat(length)));
    for part in [
        "<img src=\"x\"/>",
        "<img src=x onerror=1>",
        "<a href=\"y\">z</a>",
        "<img data-src=\"x.png\"/>",
        "<q cite=\"x\">y</q>",
        "<video poster=\"x\"><source src=\"y\"></video>",
        "<iframe src=\"x\"></iframe>",
        "<picture><source srcset=\"a 1x, b 2x\"><img src=\"c\"></picture>",
    ] {
        for (times, base) in [3, 200].into_iter().flat_map(|times| bases.iter().map(move |base| (times, base))) {
            let received = part.repeat(times);
            let most = received.len() * 40 + (64 << 10);
            let base = Url::parse(base).ok();
            let kept = body(&received, base.as_ref(), &Cuts::none());
            assert!(kept.len() < most, "{part}: {} of {}", kept.len(), received.len());
            let own = based(received.clone(), base.as_ref().unwrap(), None);
            assert!(own.len() < most, "{part}: {} of {}", own.len(), received.len());
            for post in [kept, received.clone()] {
                let shown = published(&post, base.as_ref());
                assert!(shown.len() < most, "{part}: {} of {}", shown.len(), received.len());
                assert!(is_clean(&shown));
            }
        }
    }
    // One `srcset` is bounded by itself.
    let received = format!("<img srcset=\"{}\"/>", "a 1x,".repeat(2_000));
    let base = Url::parse(&format!("https://example.org/{}/", "b".repeat(1_900))).ok();
    assert!(published(&received, base.as_ref()).len() < received.len() * 20);
}

/// A gallery in a folder whose name is long because it is Chinese loses nothing.
#[test]
fn many_relative_addresses_are_all_absolute() {
    let folder = format!("https://example.org/{}/", "%E4%B8%AD".repeat(25));
    let picture = |n: usize| format!("<img src=\"{n:03}.jpg\">");
    let received: String = (0..700).map(picture).collect();
    let base = Url::parse(&format!("{folder}1.html?{}", "q".repeat(5_000))).ok();
    let shown = published(&received, base.as_ref());
    assert_eq!(shown.matches(&folder).count(), 700);
}
