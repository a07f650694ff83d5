//! Commands over the archive: explain, forget, import, reindex, verify, add.

use std::fs;

use crate::house::{DATE, House, Page, files, item, rss};

const ONE: &str = "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: all }]";

fn entry(n: u32, text: &str) -> String {
    item(&format!("Title {n}"), &format!("https://example.org/{n}"), &format!("g{n}"), DATE, &format!("<p>{text}</p>"))
}

#[test]
fn explain_tells_rule_key_and_aliases() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", rss(&entry(1, "x")));
    house.run(["poll"]).success();
    let run = house.run(["explain", "http://example.org/1?utm_source=x"]).success();
    let key = house.ledger()[0]["key"].as_str().expect("key").to_owned();
    for part in [
        "canonical URL  https://example.org/1 (version 1)",
        &key,
        "post           _posts/",
        "rule 6",
        "guid `g1`",
        "to override",
    ] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
    let path = house.posts().keys().next().expect("post").clone();
    assert!(house.run(["explain", &path]).success().stdout.contains(&key));
    assert!(house.run(["explain", "https://example.org/other"]).success().stdout.contains("would be new"));
    house.run(["explain", "nothing"]).code(2);
}

#[test]
fn a_forgotten_entry_is_gone_and_never_comes_back() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", rss(&(entry(1, "first") + &entry(2, "other"))));
    house.run(["poll"]).success();
    house.serves("/a.xml", rss(&(entry(1, "second version") + &entry(2, "other"))));
    house.run(["poll"]).summary("1 read (1 revised, 1 duplicate)").success();
    house.run(["forget", "https://example.org/1", "--reason", "asked for"]).success();
    let left = |house: &House| {
        let archive = house.path("data/archive");
        let texts = files(&archive).into_iter().filter(|f| !f.to_string_lossy().contains("_ledger"));
        texts.filter(|f| String::from_utf8_lossy(&fs::read(f).expect("file")).contains("Title 1")).count()
    };
    assert_eq!(left(&house), 0);
    assert!(files(&house.path("data/archive/_revisions")).is_empty());
    assert_eq!(house.posts().len(), 1);
    assert!(!house.read("data/public/all/atom.xml").contains("Title 1"));
    let last = house.ledger().pop().expect("line");
    assert_eq!((&last["op"], &last["reason"]), (&"forget".into(), &"asked for".into()));
    // The same entry under its link, another link with its guid, and its link with another guid.
    let disguises = [
        entry(1, "first"),
        item("Title 1", "https://example.org/new", "g1", DATE, ""),
        item("New", "http://example.org/1", "g9", DATE, "y"),
    ];
    for disguise in disguises {
        house.serves("/a.xml", rss(&(disguise + &entry(2, "other"))));
        house.run(["poll", "--force"]).summary("1 read (2 duplicates)").success();
    }
    house.run(["reindex"]).success();
    house.serves("/a.xml", rss(&(entry(1, "first") + &entry(2, "other"))));
    house.run(["poll", "--force"]).summary("1 read (2 duplicates)").success();
    assert!(house.run(["explain", "https://example.org/1"]).success().stdout.contains("forgotten (asked for)"));
    house.run(["verify", "--deep"]).success();
}

#[test]
fn the_feeds_that_showed_a_forgotten_entry_say_that_it_is_gone() {
    let house = House::new();
    house.config(
        "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: all }, { id: one, any: ['Title 1'] }, { id: two, any: ['Title 2'] }]",
    );
    house.serves("/a.xml", rss(&(entry(1, "first") + &entry(2, "other"))));
    house.run(["poll"]).success();
    let id = |name: &str| {
        let atom = house.read(&format!("data/public/{name}/atom.xml"));
        let (_, entry) = atom.split_once("<entry>").expect("entry");
        entry.split_once("<id>").and_then(|(_, id)| id.split_once("</id>")).expect("id").0.to_owned()
    };
    let shown = id("one");
    house.run(["forget", "https://example.org/1", "--reason", "asked for"]).success();
    let when = house.ledger().pop().expect("line")["seen"].as_str().expect("seen").to_owned();
    let tombstone = format!("<at:deleted-entry ref=\"{shown}\" when=\"{when}\"");
    let has = |name: &str| house.read(&format!("data/public/{name}/atom.xml")).contains(&tombstone);
    assert_eq!((has("all"), has("one"), has("two")), (true, true, false), "{}", house.read("data/public/one/atom.xml"));
    // The archive alone gives the same bytes back.
    let before: Vec<String> = ["all", "one", "two"].map(|t| house.read(&format!("data/public/{t}/atom.xml"))).into();
    fs::remove_dir_all(house.path("data/index")).expect("removed");
    fs::remove_dir_all(house.path("data/public")).expect("removed");
    house.run(["reindex"]).success();
    house.run(["publish"]).success();
    let after: Vec<String> = ["all", "one", "two"].map(|t| house.read(&format!("data/public/{t}/atom.xml"))).into();
    assert_eq!(before, after);
}

#[test]
fn posts_of_other_makers_are_taken_over_and_known() {
    let house = House::new();
    let post = |title: &str, link: &str| {
        format!(
            "---\nlayout: post\ntitle: \"{title}\"\ndate: 2020-01-02\ncomments: True\nfrom: {link}\ncategories: [ A ]\n---\nold text\n"
        )
    };
    house.write("old/_posts/2020-01-02-one.md", post("Old one", "http://example.org/1").as_bytes());
    house.write(
        "old/archived/2020-01-02/two | \"odd\".md",
        post("Old two", "https://example.org/2?utm_source=x").as_bytes(),
    );
    house.write("old/_posts/copy.md", post("Old one", "https://example.org/1").as_bytes());
    house.write("old/README.md", b"no front matter");
    house.write("old/_posts/2011-01-01-page.textile", b"---\ntitle: x\n---\nh1. x\n");
    house.config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: of-a, feeds: [a] }]");
    house
        .run(["import", "nothing"])
        .code(1)
        .says(&["error: `nothing` cannot be read: No such file or directory (os error 2)"]);
    let run = house.run(["import", "old"]).code(4);
    assert!(
        run.stdout.contains("imported 3 posts: 0 known before, 2 unreadable, 1 entry held by several files"),
        "{}",
        run.stdout
    );
    for (from, to) in [
        ("old/_posts/copy.md", "_posts/copy.md"),
        ("old/archived/2020-01-02/two | \"odd\".md", "archived/2020-01-02/two | \"odd\".md"),
    ] {
        assert_eq!(house.read(from), house.read(&format!("data/archive/{to}")));
    }
    assert!(house.run(["import", "old"]).code(4).stdout.contains("imported 0 posts: 3 known before"));
    house.serves("/a.xml", rss(&(entry(1, "now") + &entry(2, "now") + &entry(3, "new"))));
    house.run(["poll"]).summary("1 read (1 new post, 2 duplicates)").success();
    let atom = house.read("data/public/of-a/atom.xml");
    assert_eq!(atom.matches("<entry").count(), 3, "two old entries and the new one: {atom}");
    house.run(["verify", "--deep"]).success();
    // Another file under an occupied name.
    house.write("more/_posts/copy.md", post("Another", "https://example.org/9").as_bytes());
    house.run(["import", "more"]).success();
    assert!(house.path("data/archive/_posts/copy-2.md").exists());
    house.run(["reindex"]).success();
    house.run(["poll", "--force"]).summary("1 read (3 duplicates)").success();
}

#[test]
fn files_with_the_longest_names_are_taken_over() {
    let house = House::new();
    house.config(ONE);
    let post = |n: usize| format!("---\ntitle: Post {n}\nfrom: https://example.org/{n}\n---\ntext {n}\n");
    // A file system takes 255 bytes; a post in Chinese comes near with eighty characters.
    let names: Vec<String> = [200, 247, 248, 252].iter().map(|n| format!("_posts/{}.md", "x".repeat(*n))).collect();
    let chinese = format!("_posts/2020-01-02-{}.md", "汉".repeat(80));
    for (n, name) in names.iter().chain([&chinese]).enumerate() {
        house.write(&format!("old/{name}"), post(n).as_bytes());
    }
    let run = house.run(["import", "old"]).success();
    assert!(run.stdout.contains("imported 5 posts"), "{}", run.stdout);
    for name in names.iter().chain([&chinese]) {
        assert_eq!(house.read(&format!("old/{name}")), house.read(&format!("data/archive/{name}")));
    }
    // Other posts under names that are taken: the number has to find room.
    for (n, name) in names.iter().chain([&chinese]).enumerate() {
        house.write(&format!("more/{name}"), post(n + 10).as_bytes());
    }
    let run = house.run(["import", "more"]).success();
    assert!(run.stdout.contains("imported 5 posts"), "{}", run.stdout);
    assert!(house.path(&format!("data/archive/_posts/{}-2.md", "x".repeat(250))).exists());
    assert_eq!(house.posts().len(), 10);
    house.run(["verify", "--deep"]).success();
}

#[test]
fn the_samples_of_real_archives_are_taken_over_whole() {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/archive");
    if !samples.is_dir() {
        println!("skipped: the folder ../shared/corpora/archive is not here");
        return;
    }
    let house = House::new();
    house.config(ONE);
    let run = house.run(["import", samples.to_str().expect("path")]).success();
    let all = files(&samples);
    assert!(
        run.stdout.contains(&format!("imported {} posts: 0 known before, 0 unreadable", all.len())),
        "{}",
        run.stdout
    );
    for file in all {
        let taken = house.path("data/archive").join(file.strip_prefix(&samples).expect("below"));
        assert_eq!(fs::read(&file).expect("sample"), fs::read(&taken).expect("taken"), "{}", taken.display());
    }
    house.run(["verify", "--deep"]).success();
}

#[test]
fn reindex_and_publish_give_back_the_same_public_bytes() {
    let house = House::new();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }, { id: b, name: B, url: '{server}/b.xml' }]\ntopics: [{ id: all }, { id: one, any: [better] }]");
    house.serves("/a.xml", rss(&(entry(1, "x") + &entry(2, "y")))).serves("/b.xml", rss(&entry(2, "teaser")));
    house.run(["poll"]).success();
    house.serves("/a.xml", rss(&(entry(1, "better") + &entry(2, "y"))));
    house.run(["poll"]).success();
    let public = |house: &House| ["all", "one"].map(|topic| house.read(&format!("data/public/{topic}/atom.xml")));
    let before = public(&house);
    fs::remove_dir_all(house.path("data/index")).expect("removed");
    fs::remove_dir_all(house.path("data/public")).expect("removed");
    house.run(["reindex"]).success();
    house.run(["publish"]).success();
    assert_eq!(public(&house), before);
    house.run(["poll", "--force"]).summary("2 read (3 duplicates)").success();
    house.run(["verify", "--deep"]).success();
}

#[test]
fn verify_names_what_is_wrong() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", rss(&(entry(1, "x") + &entry(2, "y") + &entry(3, "z"))));
    house.run(["poll"]).success();
    let paths: Vec<String> = house.posts().keys().cloned().collect();
    fs::remove_file(house.path(&format!("data/archive/{}", paths[0]))).expect("removed");
    let edited = house.read(&format!("data/archive/{}", paths[1])).replace("<p>", "<p>edited ");
    house.write(&format!("data/archive/{}", paths[1]), edited.as_bytes());
    house.write(
        "data/archive/_posts/2020-01-01-stray.md",
        b"---\ntitle: Stray\nfrom: https://example.org/stray\n---\ntext\n",
    );
    let run = house.run(["verify", "--deep"]).code(1);
    for part in ["but it is gone", "its bytes are not those that were written", "no ledger line names it"] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    assert!(run.stdout.ends_with("checked 3 posts: 3 findings\n"), "{}", run.stdout);
    assert!(house.run(["reindex"]).success().stdout.contains("1 post without a line got one"));
}

#[test]
fn a_link_that_leads_nowhere_stops_nothing() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", rss(&entry(1, "x")));
    house.run(["poll"]).success();
    std::os::unix::fs::symlink("nowhere.md", house.path("data/archive/_posts/2020-01-01-link.md")).expect("a link");
    let run = house.run(["verify"]).code(1);
    assert!(run.stderr.contains("`_posts/2020-01-01-link.md`: a link that leads to no file"), "{}", run.stderr);
    fs::remove_dir_all(house.path("data/index")).expect("removed");
    let run = house.run(["poll"]).summary("1 not modified").success();
    assert_eq!(run.stderr, "warning: the index did not know 1 lines of the ledger; it took them in\n");
    assert_eq!(house.ledger().len(), 1);
}

#[test]
fn only_posts_that_got_a_line_are_counted() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", rss(&entry(1, "x")));
    house.run(["poll"]).success();
    house.write("data/archive/_posts/2020-01-01-empty.md", b"");
    house.write("data/archive/_posts/2020-01-01-stray.md", b"---\ntitle: Stray\n---\ntext\n");
    let run = house.run(["reindex"]).success();
    assert!(run.stdout.contains("1 post without a line got one"), "{}", run.stdout);
    let run = house.run(["reindex"]).success();
    assert!(!run.stdout.contains("without a line"), "{}", run.stdout);
}

#[test]
fn feeds_are_added_and_comments_survive() {
    let house = House::new();
    house.config("# my feeds\nfeeds:\n  # the first\n  - id: a\n    name: A\n    url: '{server}/a.xml'");
    house
        .serves("/a.xml", rss(""))
        .serves("/b.xml", rss("").replace("<title>Feed</title>", "<title>Second Blog</title>"));
    let page = "<html><head><link rel=alternate type=application/rss+xml href=/b.xml></head></html>";
    house.serves_page("/", Page { status: 200, headers: vec![], body: page.into() });
    let server = house
        .read("config.yaml")
        .split("url: '")
        .nth(2)
        .expect("url")
        .split("/a.xml")
        .next()
        .expect("server")
        .to_owned();
    let run = house.run(["add", &format!("{server}/")]).success();
    assert_eq!(
        run.stdout,
        "added feed `second-blog`; `feedmill check` shows when it is polled, `feedmill reload` tells it to a running daemon\n"
    );
    let config = house.read("config.yaml");
    assert!(
        config.contains("# my feeds\nfeeds:\n  # the first\n  - id: a\n") && config.contains("  - id: second-blog\n"),
        "{config}"
    );
    assert!(house.run(["add", &format!("{server}/b.xml")]).code(1).stderr.contains("the config has it already"));
    let opml = format!(
        "<opml><body><outline text='Third & more' xmlUrl='{server}/c.xml'><outline text=x xmlUrl='{server}/a.xml'></body></opml>"
    );
    house.write("list.opml", opml.as_bytes());
    assert_eq!(house.run(["import", "list.opml"]).success().stdout, "added 1 feed to the config, 1 there before\n");
    house.write("subs.json", format!("[{{\"site\": \"Fourth\", \"url\": \"{server}/d.xml\"}}]").as_bytes());
    assert_eq!(house.run(["import", "subs.json"]).success().stdout, "added 1 feed to the config\n");
    house.run(["check"]).success();
}

#[test]
fn posts_are_made_again_from_their_sources() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", rss(&(entry(1, "x") + &entry(2, "y"))));
    house.run(["poll"]).success();
    house.serves("/a.xml", rss(&(entry(1, "better") + &entry(2, "y"))));
    house.run(["poll"]).summary("1 read (1 revised, 1 duplicate)").success();
    assert_eq!(house.run(["replay"]).success().stdout, "replayed: 2 the same, 0 different\n");
    let config = house.read("config.yaml").replace("name: A", "name: A, remove: [p]");
    house.write("config.yaml", config.as_bytes());
    let run = house.run(["replay"]).code(1);
    assert!(run.stderr.contains("body would differ"), "{}", run.stderr);
}
