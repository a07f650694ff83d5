//! The two real posts come out byte for byte, and the three articles meet in one topic.

use std::fs;
use std::path::{Path, PathBuf};

use crate::house::{House, rss};

/// The folder of the real documents, when it lies beside the checkout.
fn seeds() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/seeds");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: the folder ../shared/seeds is not here");
    None
}

fn seed(folder: &Path, start: &str) -> String {
    let mut entries = fs::read_dir(folder).expect("seeds");
    let found = entries.find_map(|e| {
        let path = e.expect("entry").path();
        path.file_name()?.to_string_lossy().starts_with(start).then_some(path)
    });
    fs::read_to_string(found.expect("seed")).expect("text")
}

/// The feed item a post of the format was made from.
fn item_of(post: &str, date: &str) -> String {
    let field =
        |name: &str| post.lines().find_map(|l| l.strip_prefix(name)).expect("field").trim_matches('"').to_owned();
    let body = post.split_once("<div>\n").expect("body").1.strip_suffix("\n</div>\n").expect("end");
    format!(
        "<item><title>{}</title><link>{}</link><pubDate>{date}</pubDate><content:encoded><![CDATA[{body}]]></content:encoded></item>",
        field("title: "),
        field("from: ")
    )
}

#[test]
fn seed_posts_come_out_byte_for_byte() {
    let Some(folder) = seeds() else { return };
    let (first, second) = (seed(&folder, "000"), seed(&folder, "001"));
    let items = item_of(&first, "Wed, 28 Jul 2021 11:01:00 GMT") + &item_of(&second, "Mon, 06 Sep 2021 10:23:00 +0000");
    let house = House::new();
    house.serves("/rfa.xml", rss(&items));
    house.config("feeds: [{ id: rfa-mandarin, name: 自由亚洲电台, url: '{server}/rfa.xml' }]");
    house.run(["poll"]).summary("1 read (2 new posts)").success();
    let posts = house.posts();
    let name = "_posts/2021/07/2021-07-28-微信等多个平台暂停注册-腾讯音乐月内弃独家版权-5b4accd2.md";
    assert_eq!(posts.get(name), Some(&first), "{:?}", posts.keys());
    assert!(posts.values().any(|post| *post == second));
    assert_eq!(posts.len(), 2);
}

#[test]
fn three_articles_meet_in_one_topic_without_the_widget() {
    let Some(folder) = seeds() else { return };
    let (first, second, german) = (seed(&folder, "000"), seed(&folder, "001"), seed(&folder, "002"));
    let chinese =
        item_of(&first, "Wed, 28 Jul 2021 11:01:00 GMT") + &item_of(&second, "Mon, 06 Sep 2021 10:23:00 +0000");
    let mut paragraphs = german.split("\n\n");
    let title = paragraphs.next().expect("title");
    let text = paragraphs.nth(1).expect("text");
    let body = format!(
        "<p>{text}</p>\n<div class=\"kksr\"><div>Click to rate this post!</div> <span>[Total: 0 Average: 0]</span></div>"
    );
    let item = format!(
        "<item><title>{title}</title><link>https://blog.example.de/wechat/</link><pubDate>Wed, 28 Jul 2021 08:00:00 +0200</pubDate>\
         <content:encoded><![CDATA[{body}]]></content:encoded></item>"
    );
    let house = House::new();
    house.serves("/rfa.xml", rss(&chinese)).serves("/de.xml", rss(&item));
    house.config(
        "feeds:\n- { id: rfa, name: 自由亚洲电台, url: '{server}/rfa.xml', language: zh-Hans }\n\
         - { id: de, name: Blog, url: '{server}/de.xml', language: de, remove: ['div.kksr'] }\n\
         topics: [{ id: tencent, title: 腾讯, any: [腾讯, 微信, WeChat, Tencent] }]",
    );
    house.run(["poll"]).summary("2 read (3 new posts)").success();
    let atom = house.read("data/public/tencent/atom.xml");
    assert_eq!(atom.matches("<entry").count(), 3);
    assert!(atom.contains("微信等多个平台暂停注册 腾讯音乐月内弃独家版权"));
    assert!(atom.contains("WeChat von Tencent setzt die Registrierung"));
    assert!(!atom.contains("Click to rate"), "the widget is cut out");
    // The body's own relative picture is absolute now.
    assert!(atom.contains("https://www.rfa.org/++plone++rfa-resources/img/icon-zoom.png"));
}
