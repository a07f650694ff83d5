//! The archive as Jekyll builds it: hostile entries, posts of other makers, both YAML dialects.
//!
//! Needs Debian's `jekyll` (which brings `ruby`); without it each test says so and passes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use feedmill::model::{EntryKey, Post, Timestamp};
use feedmill::post;
use lol_html::{Settings, element, end_tag, rewrite_str, text};

use crate::house::{DATE, House, Run, files};

/// An entry that means harm, or only looks like it. Everything is the text meant, not XML.
#[derive(Clone, Default)]
struct Hostile {
    title: String,
    link: String,
    author: String,
    tags: Vec<String>,
    body: String,
    enclosure: String,
}

/// Texts that YAML, Liquid, kramdown, HTML, XML or a file system would take for something else.
#[rustfmt::skip]
fn tricky() -> Vec<String> {
    let mut texts: Vec<String> = [
        // YAML
        "yes", "NO", "On", "y", "n", "null", "Null", "~", "true", "12:30", "12:30:45", "2021-01-01", "2021-01-01 10:00:00",
        "1_000", "0x1F", "0o17", "017", "1e3", ".inf", "-.INF", ".nan", "1,000", "=", "<<", "!!ruby/object:Gem::Installer",
        "!!ruby/object:Gem::Installer i: x", "--- !ruby/object:Object", "&a", "*a", "- x", "? x", ": x", "a: b", "a:", ":a",
        "a #b", "#", "\"", "'", "\"a\" b", "'a' b", "\\", "\\u0041", "a\\", "%TAG ! x", "@x", "`x`", "|", ">", "[a, b]",
        "[图] 新闻", "{a: b}", "a, b", "a: [b", "}", "...", "---", "--- a", "记者: 某某", "x\" # y", "{\"a\": \"b\"}",
        // Liquid
        "{{ site.time }} {% include /etc/passwd %}", "{% raw %}", "{% endraw %} {% nosuchtag %} {{ 'x' | nosuchfilter }}",
        "{{", "{%", "{{ content }}", "{%- comment -%}",
        // kramdown
        "{: onclick=\"alert(1)\"}", "{::options parse_block_html=\"true\" template=\"/etc/passwd\" /}", "{::nomarkdown}<b>",
        "*a* _b_ **c** `d` ~~e~~ $$f$$ [g](javascript:alert(1)) ![h](i) [^1] :smile:", "# a", "1. a", "    a", "a -- b --- c...",
        "<<a>> \"b\" 'c'", "| a | b |", "[a]: https://example.org/",
        // HTML and XML
        "</h1></header></article><script>alert(1)</script>", "<x onclick=alert(1)>", "<img src=x onerror=alert(1)>",
        "\" onmouseover=\"alert(1)", "' autofocus onfocus='alert(1)", "</title><script>alert(1)</script>", "]]>", "<![CDATA[",
        "<!--", "-->", "&lt;script&gt;", "&amp;amp;", "&", "<", "<plaintext>", "</textarea>", "<svg/onload=alert(1)>",
        // names of files
        "CON", "NUL", "aux.txt", "COM1", "../../../etc/passwd", "..", ".", "a/b\\c", "a?b#c%41:d", "-a-", ".hidden", "_a", "~", "#a",
        // letters
        "café", "cafe\u{301}", "한글", "\u{1112}\u{1161}\u{11AB}", "abc\u{202E}gpj.exe", "\u{200F}שלום\u{200E}",
        "\u{2066}a\u{2069}", "\u{200B}a\u{200D}b\u{FEFF}c", "👨‍👩‍👧‍👦🏳️‍🌈", "𠮷野家", "ＱＱ①½Ⅷﬁ", "ㅤ", "a\u{3000}b", "a\u{A0}b",
        "\u{E000}", "！？…", "!!!", "a\u{AD}b", "ﷺ", "İı", "z\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}",
        // what XML forbids or breaks lines
        "a\u{1}b\u{8}c\u{1B}[31md\u{7F}\u{85}e", "a\u{2028}b\u{2029}c", "a\u{FFFE}b\u{FFFF}c\u{1FFFE}d", "a\tb\nc",
    ]
    .map(str::to_owned)
    .into();
    texts.extend(["字".repeat(85), "a".repeat(300), "é".repeat(200), "巨大".repeat(20_000), "<".repeat(2_000)]);
    texts
}

/// Bodies that would run something, or break out of the page around them.
#[rustfmt::skip]
fn bodies() -> Vec<String> {
    let mut bodies: Vec<String> = [
        "<p onclick=\"alert(1)\">a</p>{: onclick=\"alert(1)\"}",
        "<p>a</p>\n{: onclick=\"alert(1)\"}\n",
        "{::options parse_block_html=\"true\" /}\n\n<div markdown=\"1\">\n*a* <script>alert(1)</script>\n</div>",
        "<p markdown=\"1\">**a**</p><div markdown=\"block\">\n# b\n</div>",
        "</div></div></article></main><script>alert(1)</script>",
        "<div><p><b>unclosed <i>tags",
        "</p></b></body></html><p>a",
        "---\n\n---\ntitle: x\nlayout: none\n---\n<p>a</p>\n---\n",
        "]]><script>alert(1)</script><![CDATA[",
        "<style>body{display:none}</style><textarea>a",
        "<!-- a",
        "<plaintext>a",
        "<svg onload=\"alert(1)\"><script>alert(1)</script></svg><math><mtext></mtext></math>",
        "<a href=\"javascript:alert(1)\">a</a><a href=\"&#106;avascript:alert(1)\">b</a><img src=\"x\" onerror=\"alert(1)\">",
        "<iframe src=\"https://example.org/\"></iframe><object data=\"x\"></object><embed src=\"x\">",
        "<base href=\"https://evil.example/\"><meta http-equiv=\"refresh\" content=\"0;url=https://evil.example/\"><link rel=\"stylesheet\" href=\"x\">",
        "<form action=\"https://evil.example/\"><input autofocus onfocus=\"alert(1)\"><button>a</button></form>",
        "{% include /etc/passwd %}{{ site.time }}{% raw %}<p>{{ 'x' | nosuchfilter }}</p>{% for i in (1..1000000000) %}x{% endfor %}",
        "<p>a</p>\n------\n\n<div>\n<p>b</p>\n</div>\n",
        "<pre>a\n\n    b\n</pre>\n\n    c\n\n~~~ruby\nsystem('x')\n~~~\n",
        "<p title=\"&quot; onmouseover=&quot;alert(1)\" style=\"position:fixed;background:url(javascript:alert(1))\">a</p>",
        "<p><figure class=\"image\" style=\"width:1500px;\"><img src=\"/relative.jpg\" alt=\"\"/></figure></p>",
        "<table><tr><td><script>alert(1)</script>a</table>",
        "<p>\u{202E}a\u{0}b\u{8}c</p>",
        "",
    ]
    .map(str::to_owned)
    .into();
    bodies.push(format!("{}a{}", "<div>".repeat(3_000), "</div>".repeat(3_000)));
    bodies.push(format!("{}a", "<b><i><u>".repeat(3_000)));
    // Jekyll's Markdown would need minutes for this one.
    bodies.push("<p>中国科技巨头<b>腾讯</b>旗下<a href=\"https://example.org/?a=1&amp;b=2\">微信</a></p>".repeat(4_000));
    bodies
}

/// Links that are none, or that would end what they stand in.
#[rustfmt::skip]
fn links() -> Vec<String> {
    [
        "https://example.org/l1?a={{site}}&b={%x%}&c=\"><script>alert(1)</script>",
        "javascript:alert(1)//https://example.org/",
        "data:text/html,<script>alert(1)</script>",
        "https://example.org/l2 a b'onmouseover='alert(1)",
        "https://user:secret@example.org/l3",
        "//example.org/l4",
        "https://例え.jp/新闻/(1)[2]",
        "https://example.org/l5#a: b #c",
        "https://example.org/l6,a,[b],{c}|d^e`f\\g",
        "https://example.org/l7:",
    ]
    .map(str::to_owned)
    .into()
}

fn entries() -> Vec<Hostile> {
    let mut entries = Vec::new();
    for (i, text) in tricky().into_iter().enumerate() {
        let short = text.len() < 1_000;
        entries.push(Hostile {
            link: if i % 7 == 0 { String::new() } else { format!("https://example.org/t{i}") },
            author: if short { text.clone() } else { String::new() },
            tags: if short { vec![text.clone(), format!("{text}, x"), "../a/..".into()] } else { vec![] },
            body: format!("<p>text {i}</p>"),
            title: text,
            ..Hostile::default()
        });
    }
    for (i, body) in bodies().into_iter().enumerate() {
        let link = format!("https://example.org/b{i}");
        entries.push(Hostile { title: format!("Body {i}"), link, body, ..Hostile::default() });
    }
    for (i, link) in links().into_iter().enumerate() {
        let enclosure = link.replace("/l", "/e");
        let body = format!("<p>link {i}</p>");
        entries.push(Hostile { title: format!("Link {i}"), link, enclosure, body, ..Hostile::default() });
    }
    for i in 0..3 {
        let (link, body) = (format!("https://example.org/same{i}"), format!("<p>same {i}</p>"));
        entries.push(Hostile { title: "Same title, same day".into(), link, body, ..Hostile::default() });
    }
    entries
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// What a title or tag of RSS says is HTML.
fn html(text: &str) -> String {
    xml(&xml(text))
}

/// A text without what strict XML refuses: the reader mends a document as a whole or not at all.
fn legal(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\0'..='\u{8}' | '\u{B}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')).collect()
}

fn rss_item((i, e): (usize, &Hostile)) -> String {
    let date = match i % 11 {
        0 => String::new(),
        1 => "<pubDate>Wed, 28 Jul 2121 11:01:00 GMT</pubDate>".into(),
        2 => "<pubDate>]]&gt; {{ x }}: # \"32 Foo\"</pubDate>".into(),
        _ => format!("<pubDate>{DATE}</pubDate>"),
    };
    let tags: Vec<String> = e.tags.iter().map(|tag| format!("<category>{}</category>", html(tag))).collect();
    let tags = tags.concat();
    let enclosure = if e.enclosure.is_empty() {
        String::new()
    } else {
        format!(
            "<enclosure url=\"{}\" length=\"7\" type=\"audio/mpeg&quot; onplay=&quot;alert(1)\"/>",
            xml(&e.enclosure)
        )
    };
    format!(
        "<item><title>{}</title><link>{}</link><guid isPermaLink=\"false\">g{i}</guid>{date}<dc:creator>{}</dc:creator>\
         {tags}{enclosure}<content:encoded>{}</content:encoded></item>",
        html(&e.title),
        xml(&e.link),
        html(&e.author),
        xml(&e.body)
    )
}

fn atom_entry((i, e): (usize, &Hostile)) -> String {
    let tags: Vec<String> = e.tags.iter().map(|tag| format!("<category term=\"{}\"/>", xml(tag))).collect();
    let tags = tags.concat();
    format!(
        "<entry><title type=\"text\">{}</title><id>tag:example.org,2021:atom/{i}</id><updated>2021-07-28T11:01:00Z</updated>\
         <link href=\"{}\"/><author><name>{}</name></author>{tags}<content type=\"html\">{}</content></entry>",
        xml(&e.title),
        xml(&e.link.replace("example.org", "atom.example")),
        if e.author.trim().is_empty() { "x".into() } else { xml(&e.author) },
        xml(&e.body)
    )
}

fn rss(entries: &[Hostile]) -> String {
    let items: String = entries.iter().enumerate().map(rss_item).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\"><channel><title>F</title><link>https://example.org/</link>\
         <description>d</description><language>no</language>{items}</channel></rss>"
    )
}

fn atom(entries: &[Hostile]) -> String {
    let entries: String = entries.iter().enumerate().map(atom_entry).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><feed xmlns=\"http://www.w3.org/2005/Atom\" xml:lang=\"ar\"><title>G</title>\
         <id>tag:example.org,2021:feed</id><updated>2021-07-28T11:01:00Z</updated>{}</feed>",
        legal(&entries)
    )
}

/// Posts as other programs and people leave them: name, text.
#[rustfmt::skip]
fn foreign_posts() -> Vec<(&'static str, Vec<u8>)> {
    let body = "<!--NaN-->\n[t](https://example.org/)\n------\n\n<div>\n<p>a</p>\n</div>\n";
    let front = |lines: &str| format!("---\nlayout: post\n{lines}\n---\n{body}").into_bytes();
    vec![
        ("_posts/2019-05-28-a | “b” 'c' \"d\" ＱＱ.md", front("title: \"a\"\ndate: NaN\ncomments: True\ntags: [ 甲 ]\ncategories: [ 甲 ]")),
        ("_posts/2019-05-29-no date.md", front("title: \"no date\"\ndate:")),
        ("_posts/2019-05-30-bad date.md", front("title: \"bad date\"\ndate: 2020-13-45")),
        ("_posts/2019-13-45-bad name.md", front("title: \"bad name\"")),
        ("_posts/2019-05-31-day.md", front("title: \"day\"\ndate: 2019-05-31")),
        ("_posts/2019-06-01-zone.md", front("title: \"zone\"\ndate: 2019-06-01T23:10:04+02:00")),
        ("_posts/2019-06-02-not yaml.md", front("title: \"He said \"hi\" ok\"\nauthor: 记者: 某某\ndate: 2019-06-02T00:00:00Z")),
        ("_posts/2019-06-03-brackets.md", front("title: [图] 新闻\ndate: 2019-06-03T00:00:00Z")),
        ("_posts/2019-06-04-tab.md", front("title: tab\n\ttags: [ x ]")),
        ("_posts/2019-06-05-bare.md", b"no front matter\n".to_vec()),
        ("_posts/2019-06-06-scalar.md", b"---\njust words\n---\n<p>a</p>\n".to_vec()),
        ("_posts/2019-06-07-list.md", b"---\n- a\n- b\n---\n<p>a</p>\n".to_vec()),
        ("_posts/2019-06-08-object.md", front("title: !ruby/object:Gem::Installer {}\nauthor: *a")),
        ("_posts/2019-06-09-types.md", front("title: 2021\ntags: yes no\ncategories: 5\nslug: 7\nexcerpt_separator: 1\nlang: [ a ]\nfrom: 3\nenclosures: 4")),
        ("_posts/2019-06-10-obeyed.md", front("title: obeyed\npermalink: /index.html\nlayout: nope\npublished: false\nrender_with_liquid: true")),
        ("_posts/2019-06-11-liquid.md", b"---\ntitle: liquid\n---\n<p>{% include nothing %}{{ 1 | nosuchfilter }}{% raw %}{% nosuchtag %}</p>\n".to_vec()),
        ("_posts/2019-06-12-kramdown.md", b"---\ntitle: kramdown\n---\n{::options template=\"/etc/passwd\" /}\n\n*a*\n{: onclick=\"alert(1)\"}\n\n<div markdown=\"1\">*b*</div>\n".to_vec()),
        ("_posts/2019-06-13-unbalanced.md", b"---\ntitle: unbalanced\n---\n<p>a</div></div></article></main><textarea>\n".to_vec()),
        ("_posts/2019-06-14-a?b#c%41:d.md", front("title: signs")),
        ("_posts/2019-06-15-a?b.md", front("title: twin one")),
        ("_posts/2019-06-15-a#b.md", front("title: twin two")),
        ("_posts/2019-06-16-！？.md", front("title: only signs")),
        ("_posts/2019-06-17-crlf.md", "\u{FEFF}---\r\nlayout: post\r\ntitle: \"crlf\"\r\ndate: 2019-06-17T00:00:00Z\r\n---\r\n<p>a</p>\r\n".into()),
        ("_posts/2019-06-18-bytes.md", b"---\ntitle: \"bytes\xFF\xB0\"\n---\n<p>\xC4\xE3</p>\n".to_vec()),
        ("_posts/2019-06-19-control.md", b"---\ntitle: \"control\x08\x1B\"\n---\n<p>\x00\x08</p>\n".to_vec()),
        ("_posts/2019-06-20-empty.md", Vec::new()),
        ("oped2/_posts/2019-05-31-day.md", front("title: \"day elsewhere\"\ndate: 2019-05-31")),
        ("archived/2021-11-21/2021-11-21-a | b.md", front("title: \"archived\"\ndate: NaN")),
        ("archived/2021-11-21/2021-11-21-words.md", b"---\njust words\n---\n<p>a</p>\n".to_vec()),
        ("archived/2021-11-21/notes.md", front("title: \"notes\"\npermalink: \"\"")),
    ]
}

fn is_here(program: &str) -> bool {
    let here = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !here {
        println!("skipped: `{program}` is not installed");
    }
    here
}

/// Builds a site without a word of complaint and returns the folder it is in.
fn build(archive: &Path, to: PathBuf, locale: &str, more: &[&str]) -> PathBuf {
    let output = Command::new("jekyll")
        .arg("build")
        .args(["--source".as_ref(), archive.as_os_str(), "--destination".as_ref(), to.as_os_str()])
        .args(more)
        .env("LC_ALL", locale)
        .env("TZ", "Asia/Shanghai")
        .output()
        .expect("jekyll runs");
    let log = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let words = ["warning", "error", "conflict", "exception", "deprecat", "skipping"];
    let complaints: Vec<&str> =
        log.lines().filter(|line| words.iter().any(|word| line.to_lowercase().contains(word))).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    to
}

/// The page of each post, by the part of its name that no other post has.
fn pages(site: &Path) -> BTreeMap<String, String> {
    let pages = files(site).into_iter().filter(|f| f.file_name().is_some_and(|name| name == "index.html"));
    pages
        .filter_map(|page| {
            let folder = page.parent()?.strip_prefix(site).ok()?;
            // Year, month, day and name; other sites put categories before them.
            folder.components().nth(3)?;
            let name = folder.file_name()?.to_str()?.to_owned();
            let mark = name.rsplit('-').next()?.to_owned();
            Some((mark, fs::read_to_string(&page).expect("page")))
        })
        .collect()
}

fn decoded(text: &str) -> String {
    html_escape::decode_html_entities(text).into_owned()
}

/// What stands in the head of every page of ours.
const METAS: usize = 6;

/// The text of the first heading; panics when anything in the page could run or lead away.
fn checked(page: &str, own_metas: usize) -> String {
    let heading = RefCell::new(String::new());
    let done = Rc::new(Cell::new(false));
    let metas = RefCell::new(0);
    let handlers = [
        element!("*", |found| {
            let name = found.tag_name();
            let bad = [
                "script", "iframe", "object", "embed", "form", "input", "button", "base", "svg", "math", "style",
                "textarea",
            ];
            assert!(!bad.contains(&name.as_str()), "<{name}> in {page}");
            *metas.borrow_mut() += usize::from(name == "meta");
            for attribute in found.attributes() {
                let (key, value) = (attribute.name(), decoded(&attribute.value()).to_lowercase());
                assert!(!key.starts_with("on"), "{key} in {page}");
                assert!(key != "markdown" && key != "autofocus", "{key} in {page}");
                if matches!(key.as_str(), "href" | "src" | "srcset" | "poster" | "action" | "data" | "formaction") {
                    let plain: String = value.chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect();
                    let scheme = plain.split_once(':').map(|(scheme, _)| scheme).unwrap_or_default();
                    let known =
                        scheme.contains(['/', '?', '#', '%']) || matches!(scheme, "" | "http" | "https" | "mailto");
                    assert!(known, "{key}={value} in {page}");
                }
            }
            Ok(())
        }),
        element!("h1", |found| {
            let done = Rc::clone(&done);
            if let Some(handlers) = found.end_tag_handlers() {
                handlers.push(end_tag!(move |_| {
                    done.set(true);
                    Ok(())
                }));
            }
            Ok(())
        }),
        text!("h1", |chunk| {
            if !done.get() {
                heading.borrow_mut().push_str(chunk.as_str());
            }
            Ok(())
        }),
    ];
    let settings =
        handlers.into_iter().fold(Settings::new().with_strict(false), Settings::append_element_content_handler);
    rewrite_str(page, settings).expect("a page that can be read");
    assert_eq!(*metas.borrow(), own_metas, "more than the layout's: {page}");
    decoded(&heading.into_inner())
}

/// The part of a post's name that no other post has: the digits of the key at its end.
fn mark(path: &str) -> String {
    path.trim_end_matches(".md").rsplit(['-', '/']).next().expect("name").to_owned()
}

fn hostile_house() -> House {
    let house = House::new();
    house.config(
        "feeds:\n  - { id: a, name: '../a//{{ x }} {% y %}: #<b>\"', url: '{server}/a.xml', tags: ['a.b/../c', 'no'] }\n  \
         - { id: b, name: '..', url: '{server}/b.xml' }\ntopics: [{ id: all }]",
    );
    house.serves("/a.xml", rss(&entries())).serves("/b.xml", atom(&entries()));
    house.run(["init", "."]).success();
    let run = house.run(["poll"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    house
}

/// Every entry is kept; the one link that is the same in both feeds is one entry.
#[track_caller]
fn posts_of(house: &House) -> BTreeMap<String, Post> {
    let posts = house.posts();
    assert_eq!(posts.len(), 2 * entries().len() - 1);
    posts.into_iter().map(|(path, text)| (path, post::from_text(&text).expect("post"))).collect()
}

#[track_caller]
fn every_post_has_its_page(posts: &BTreeMap<String, Post>, site: &Path) {
    let pages = pages(site);
    for (path, post) in posts {
        let page = pages.get(&mark(path)).unwrap_or_else(|| panic!("no page for {path}"));
        assert_eq!(checked(page, METAS), post.title, "{path}");
    }
}

#[test]
fn a_new_house_is_complete_and_a_second_init_changes_nothing() {
    let house = House::new();
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_feedmill"))
            .current_dir(house.path(""))
            .env_remove("FEEDMILL_CONFIG")
            .args(args)
            .output();
        Run::of(&output.expect("the program runs"))
    };
    let first = run(&["init", "new house"]).says(&[]).success();
    assert!(
        first.stdout.contains("wrote `config/feedmill.yaml`\n") && first.stdout.contains("next: "),
        "{}",
        first.stdout
    );
    let check = run(&["-C", "new house", "check"]).says(&[]).success();
    assert!(
        check.stdout.contains("1 feeds, 2 topics") || check.stdout.contains("1 feed, 2 topics"),
        "{}",
        check.stdout
    );
    let before: Vec<_> =
        files(&house.path("new house")).into_iter().map(|f| (fs::read(&f).expect("file"), f)).collect();
    let second = run(&["init", "new house"]).says(&[]).success();
    assert_eq!(second.stdout.lines().count(), before.len());
    assert!(
        second.stdout.lines().all(|line| line.starts_with("left `") && line.ends_with("` alone: it exists")),
        "{}",
        second.stdout
    );
    let after: Vec<_> = files(&house.path("new house")).into_iter().map(|f| (fs::read(&f).expect("file"), f)).collect();
    assert_eq!(before, after);
    house.write("in the way", b"");
    let refused = run(&["init", "in the way"]).code(1);
    assert!(refused.stderr.starts_with("error: `in the way` cannot be made: "), "{}", refused.stderr);
}

#[test]
fn hostile_entries_break_neither_the_build_nor_a_page() {
    if !is_here("jekyll") {
        return;
    }
    let house = hostile_house();
    let posts = posts_of(&house);
    let archive = house.path("data/archive");
    let site = build(&archive, house.path("site"), "C", &[]);
    every_post_has_its_page(&posts, &site);
    let found = pages(&site);
    assert_eq!(found.len(), posts.len(), "one page for each post");
    for (path, post) in &posts {
        let page = &found[&mark(path)];
        assert!(page.contains(&post.body), "the body of {path} is shown as it is");
        assert!(page.contains("default-src 'none'"), "{path}");
        let source = format!("<a href=\"{}\" rel=", html_escape::encode_quoted_attribute(&post.from));
        let shown = html_escape::decode_html_entities(page);
        assert_eq!(shown.contains(&*html_escape::decode_html_entities(&source)), !post.from.is_empty(), "{path}");
    }
    // Every page is reached from the page of its month, and that from the start page.
    let start = fs::read_to_string(site.join("index.html")).expect("start page");
    let months: Vec<PathBuf> =
        files(&site).into_iter().filter(|f| f.components().count() == site.components().count() + 3).collect();
    let mut reached = 0;
    for month in months {
        let page = fs::read_to_string(&month).expect("month");
        checked(&page, METAS);
        let address = month.strip_prefix(&site).expect("below").with_file_name("").to_string_lossy().into_owned();
        assert!(start.contains(&format!("href=\"/{address}\"")), "{address}");
        for href in page.split("<li>").skip(1).map(|li| li.split("href=\"").nth(1).and_then(|h| h.split('"').next())) {
            let href = decoded(href.expect("link"));
            let path = url::Url::parse(&format!("http://x{href}")).expect("address");
            // Nothing in our names means something in a form.
            let (path, _) = url::form_urlencoded::parse(path.path().as_bytes()).next().expect("path");
            let file = site.join(path.trim_start_matches('/')).join("index.html");
            assert!(file.exists(), "{href} leads nowhere");
            reached += 1;
        }
    }
    assert_eq!(reached, posts.len());
}

#[test]
fn without_the_plugin_the_posts_are_built_all_the_same() {
    if !is_here("jekyll") {
        return;
    }
    let house = hostile_house();
    let posts = posts_of(&house);
    // Jekyll reads names in the locale; only the plugin says UTF-8 whatever that is.
    let site = build(&house.path("data/archive"), house.path("site"), "C.UTF-8", &["--safe"]);
    every_post_has_its_page(&posts, &site);
    let start = fs::read_to_string(site.join("index.html")).expect("start page");
    assert_eq!(start.matches("<li>").count(), posts.len(), "one list of all");
}

#[test]
fn the_posts_stand_in_any_other_jekyll_site() {
    if !is_here("jekyll") {
        return;
    }
    let house = hostile_house();
    // Jekyll's Markdown takes minutes for a long body on one line.
    let posts: BTreeMap<String, Post> =
        posts_of(&house).into_iter().filter(|(_, post)| post.body.len() + post.title.len() < 64_000).collect();
    for path in posts.keys() {
        house.write(&format!("other/{path}"), house.read(&format!("data/archive/{path}")).as_bytes());
    }
    house.write("other/_config.yml", b"timezone: UTC\nstrict_front_matter: true\npermalink: pretty\nencoding: utf-8\n");
    house.write("other/_layouts/post.html", b"<body><h1>{{ page.title | escape }}</h1>{{ content }}</body>");
    let site = build(&house.path("other"), house.path("site"), "C.UTF-8", &[]);
    let pages = pages(&site);
    for (path, post) in &posts {
        let page = pages.get(&mark(path)).unwrap_or_else(|| panic!("no page for {path}"));
        assert_eq!(checked(page, 0), post.title, "{path}");
        if !post.from.is_empty() {
            let link = page.split("<p><a href=\"").nth(1).and_then(|rest| rest.split_once("\">")).expect("link line").1;
            let shown = |text: &str| text.replace([' ', '\u{200E}', '\u{200F}'], "");
            let heading = decoded(link.split("</a>").next().expect("end"));
            assert_eq!(shown(&heading), shown(&post.title), "{path}");
        }
    }
}

#[test]
fn posts_of_other_makers_are_built_too() {
    if !is_here("jekyll") {
        return;
    }
    let house = House::new();
    house.run(["init", "."]).success();
    let posts = foreign_posts();
    for (path, text) in &posts {
        house.write(&format!("data/archive/{path}"), text);
    }
    let site = build(&house.path("data/archive"), house.path("site"), "C", &[]);
    let pages: Vec<PathBuf> =
        files(&site).into_iter().filter(|f| f.components().count() == site.components().count() + 5).collect();
    assert_eq!(pages.len(), posts.len(), "{pages:#?}");
    let titles: Vec<String> = pages.iter().map(|page| heading(&fs::read_to_string(page).expect("page"))).collect();
    for title in [
        "a",
        "no date",
        "bad date",
        "bad name",
        "He said \"hi\" ok",
        "[图] 新闻",
        "2021",
        "obeyed",
        "twin one",
        "twin two",
        "day",
        "day elsewhere",
        "archived",
        "notes",
    ] {
        assert!(titles.iter().any(|t| t == title), "{title}: {titles:#?}");
    }
    let page = |title: &str| {
        let at = titles.iter().position(|t| t == title).expect(title);
        (pages[at].strip_prefix(&site).expect("below").to_owned(), fs::read_to_string(&pages[at]).expect("page"))
    };
    // The day of the file's name stands in for a date that is none.
    assert!(page("a").0.starts_with("2019/05/28") && page("no date").0.starts_with("2019/05/29"));
    assert!(page("zone").0.starts_with("2019/06/01") && page("bad name").0.starts_with("1970/01/01"));
    assert!(page("archived").0.starts_with("2021/11/21") && page("notes").0.starts_with("2021/11/21"));
    assert!(page("He said \"hi\" ok").1.contains("<bdi>记者: 某某</bdi>"));
    assert!(page("liquid").1.contains("{% include nothing %}"));
    assert!(page("kramdown").1.contains("<em>a</em>"), "Markdown is read where there is no HTML");
}

fn heading(page: &str) -> String {
    decoded(page.split("<h1 dir=\"auto\">").nth(1).and_then(|rest| rest.split("</h1>").next()).expect("heading"))
}

#[test]
fn ruby_reads_the_same_front_matter() {
    if !is_here("ruby") {
        return;
    }
    let house = hostile_house();
    let mut posts: BTreeMap<PathBuf, Post> =
        posts_of(&house).into_iter().map(|(path, post)| (house.path("data/archive").join(path), post)).collect();
    // Besides what feeds can bring: everything that a value can be.
    for (i, text) in tricky().into_iter().enumerate() {
        let date = Timestamp::parse_rfc3339("2021-07-28T11:01:00Z").expect("date");
        let made = Post {
            title: text.clone(),
            date,
            author: text.clone(),
            from: if i % 2 == 0 { String::new() } else { text.clone() },
            tags: vec![
                text.clone(),
                format!("{text}, {text}"),
                format!("a {text}"),
                format!("{text} 字"),
                format!("{i}{text}"),
            ],
            categories: vec![text.clone()],
            updated: Some(date),
            lang: Some(text.clone()),
            enclosures: vec![],
            claimed: Some(text),
            key: EntryKey::of("x"),
            body: String::new(),
        };
        let name = format!("made/{i}.md");
        house.write(&name, post::to_text(&made).as_bytes());
        posts.insert(house.path(&name), made);
    }
    let script = "require 'json'; require 'psych'; require 'date'\n\
        found = STDIN.read.split(\"\\n\").to_h do |path|\n\
        front = Psych.safe_load(File.read(path, encoding: 'utf-8')[/\\A---\\n(.*?)\\n---\\n/m, 1], permitted_classes: [Date, Time])\n\
        [path, front.transform_values { |v| v.is_a?(Time) ? v.utc.strftime('%Y-%m-%dT%H:%M:%S.%LZ') : v }]\n\
        end\n\
        puts JSON.generate(found)";
    let paths: Vec<String> = posts.keys().map(|path| path.to_string_lossy().into_owned()).collect();
    let list = house.path("paths.txt");
    house.write("paths.txt", paths.join("\n").as_bytes());
    let output = Command::new("ruby")
        .args(["-e", script])
        .env("LC_ALL", "C.UTF-8")
        .stdin(fs::File::open(list).expect("list"))
        .output()
        .expect("ruby runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: BTreeMap<PathBuf, serde_json::Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    for (path, post) in &posts {
        let text = fs::read_to_string(path).expect("post");
        assert_eq!(&post::from_text(&text).expect("post"), post, "serde_yaml: {text}");
        let ruby = &found[path];
        let mut wanted = serde_json::json!({
            "layout": "post", "title": post.title, "date": post.date.rfc3339_millis(), "author": post.author,
            "from": post.from, "tags": post.tags, "categories": post.categories,
        });
        let more = [
            ("updated", post.updated.map(Timestamp::rfc3339_millis)),
            ("lang", post.lang.clone()),
            ("claimed", post.claimed.clone()),
        ];
        for (key, value) in more {
            if let Some(value) = value {
                wanted[key] = value.into();
            }
        }
        if !post.enclosures.is_empty() {
            wanted["enclosures"] = serde_json::to_value(&post.enclosures).expect("enclosures");
        }
        if text.contains("\nkey: ") {
            wanted["key"] = post.key.hex().into();
        }
        assert_eq!(ruby, &wanted, "Psych: {text}");
    }
}
