//! The shell blocks of the README, run as they stand: with the real binary as `feedmill` and `cargo run --locked --`, in a
//! home of their own, against a server on loopback that has the documents of the feeds they name.

mod home;
mod socks;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use self::home::Home;
use super::markdown::{Block, PAGES, Section, page, root, sections, spans};
use crate::house::files;

/// What the README calls the article that it forgets.
const ARTICLE: &str = "https://www.rfa.org/mandarin/yataibaodao/jingmao/ql1-07282021070147.html";

/// Blocks of the README that are not run here, each with its reason.
fn is_left_to_others(block: &Block) -> bool {
    // This test is a part of what it would start.
    block.text == "cargo test --locked\n"
        // It changes the machine; `nginx.rs` runs what it installs.
        || block.text.contains("sudo ")
}

/// What has come of a section, when it was followed: what it says must be so.
type Outcome = fn(&Home, &str);

fn outcomes() -> BTreeMap<&'static str, Outcome> {
    BTreeMap::from([
        ("Quick start", quick_start as Outcome),
        ("Your own feeds", your_own_feeds),
        ("Archive RFA Mandarin", archive),
        ("A planet for a community", planet),
        ("Through Tor", tor),
        ("From GitHub Actions", actions),
        ("Taking over an old archive", old_archive),
        ("Forgetting an article", forgetting),
    ])
}

fn quick_start(home: &Home, said: &str) {
    assert!(said.contains("polled 5 feeds in "), "{said}");
    assert!(!files(&home.path("feedmill/data/demo/archive/_posts")).is_empty());
    for file in ["atom.xml", "rss.xml", "feed.json", "index.html"] {
        assert!(home.path("feedmill/data/demo/public/tencent").join(file).is_file(), "{file}");
    }
    assert!(said.contains("<title>腾讯 · Tencent</title>"), "{said}");
}

fn your_own_feeds(home: &Home, said: &str) {
    assert!(said.contains("the config is good: 1 feed, 1 topic\n"), "{said}");
    assert!(said.contains("1 read (2 new posts)"), "{said}");
    assert!(said.contains("STATE") && said.contains("LWN"), "{said}");
    assert_eq!(home.posts("news").len(), 2);
    assert_eq!(home.read("news/data/public/rust/atom.xml").matches("<entry").count(), 1);
}

fn archive(home: &Home, said: &str) {
    assert!(said.contains("1 read (2 new posts)") && said.contains("checked 2 posts: all is well"), "{said}");
    assert!(home.read("rfa/data/archive/ARCHIVE.md").contains("Canonical URL"));
    assert_eq!(home.git("rfa", &["status", "--porcelain"]), "", "all that matters is in git");
    let kept = home.git("rfa", &["ls-files"]);
    assert_eq!(kept.matches("_posts/").count(), 2, "{kept}");
    assert!(!kept.contains("data/index") && !kept.contains("data/public"), "{kept}");
}

fn planet(home: &Home, said: &str) {
    assert!(said.contains("added 1 feed to the config") && said.contains("added feed `"), "{said}");
    assert!(said.contains("the config is good: 4 feeds, 2 topics") && said.contains("4 read (4 new posts)"), "{said}");
    let page = home.read("planet/data/public/all/index.html");
    let atom = home.read("planet/data/public/all/atom.xml");
    for name in ["ada", "ben", "cara", "dora"] {
        assert!(page.contains(&format!("{name} writes")) && atom.contains(&format!("{name} writes")), "{name}: {page}");
    }
    // Of Ben's there is an excerpt only.
    assert_eq!((atom.matches("<summary").count(), atom.matches("<content").count()), (4, 3), "{atom}");
    assert_eq!(home.read("planet/data/public/sources.opml").matches("xmlUrl=").count(), 4);
}

fn tor(home: &Home, said: &str) {
    assert!(said.contains("note: feeds `lwn`, `far` go through a proxy"), "{said}");
    assert!(said.contains("3 read (4 new posts)"), "{said}");
    let asked = home.asked.lock().expect("names").clone();
    let asked: Vec<(&str, &str)> = asked.iter().map(|(who, name)| (who.as_str(), name.as_str())).collect();
    assert_eq!(asked, [("", "lwn.net"), ("far", "far.example.net")]);
}

fn actions(home: &Home, _: &str) {
    let pushed = [
        "--git-dir",
        home.house.path("news.git").to_str().expect("path"),
        "show",
        "main:.github/workflows/feedmill.yml",
    ]
    .map(str::to_owned);
    let shown = Command::new("git").args(pushed).output().expect("git");
    assert_eq!(String::from_utf8_lossy(&shown.stdout), page("contrib/github-actions.yml"));
}

fn old_archive(home: &Home, said: &str) {
    assert!(
        said.contains("added 1 feed to the config") && said.contains("imported 1 post: 0 known before, 0 unreadable"),
        "{said}"
    );
    assert!(
        said.contains("1 read (1 new post, 1 duplicate)") && said.contains("checked 2 posts: all is well"),
        "{said}"
    );
    let old = home.read("old-archive/_posts/2020-01-02-old.md");
    assert_eq!(home.read("blog/data/archive/_posts/2020-01-02-old.md"), old);
    let atom = home.read("blog/data/public/all/atom.xml");
    assert!(atom.contains("Old words") && atom.matches("<entry").count() == 2, "{atom}");
}

fn forgetting(home: &Home, said: &str) {
    assert!(
        said.contains("forgotten: `") && said.contains("1 read (1 duplicate") || said.contains("not modified"),
        "{said}"
    );
    let posts = home.posts("rfa");
    assert!(posts.len() == 1 && posts[0].contains("另一篇"), "{posts:?}");
    assert!(!home.read("rfa/data/public/all/atom.xml").contains("微信"));
    assert!(
        files(&home.path("rfa/data/archive/_ledger"))
            .iter()
            .any(|file| { fs::read_to_string(file).is_ok_and(|text| text.contains("asked by its author")) })
    );
    assert_eq!(home.git("rfa", &["rev-list", "--count", "HEAD"]), "2");
    assert_eq!(home.git("rfa", &["status", "--porcelain"]), "");
}

/// Whether something of a section is run here.
fn is_followed(section: &Section) -> bool {
    section.blocks.iter().any(|block| block.is_for_shell() && !is_left_to_others(block))
}

#[test]
fn the_readme_does_what_it_says() {
    if Command::new("git").arg("--version").output().is_err() {
        println!("skipped: git is not here");
        return;
    }
    let home = Home::new();
    let mut outcomes = outcomes();
    for section in sections(&page("README.md")).iter().filter(|section| is_followed(section)) {
        home.lead(if section.title == "Through Tor" { &["lwn.net", "far.example.net"] } else { &[] });
        let said = home.follow(section);
        let outcome =
            outcomes.remove(section.title.as_str()).unwrap_or_else(|| panic!("what does `{}` bring?", section.title));
        outcome(&home, &said);
    }
    assert!(outcomes.is_empty(), "{:?}", outcomes.keys());
}

#[test]
fn only_the_readme_has_blocks_for_a_shell() {
    for name in PAGES.into_iter().skip(1) {
        for section in sections(&page(name)) {
            assert!(
                !section.blocks.iter().any(Block::is_for_shell),
                "{name}: nobody runs the blocks of `{}`",
                section.title
            );
        }
    }
}

#[test]
fn files_that_the_readme_names_in_code_exist() {
    let init = tempfile::tempdir().expect("folder");
    let done = Command::new(env!("CARGO_BIN_EXE_feedmill")).arg("init").arg(init.path()).output().expect("runs");
    assert!(done.status.success());
    let readme = sections(&page("README.md"));
    let texts = readme.iter().flat_map(|section| spans(&section.text));
    let blocks = readme
        .iter()
        .flat_map(|section| &section.blocks)
        .flat_map(|block| block.text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let named: BTreeSet<String> = texts
        .chain(blocks)
        .filter(|word| word.starts_with("contrib/") || word.starts_with("config/") || word.starts_with("docs/"))
        .collect();
    assert!(named.len() >= 3, "{named:?}");
    for name in named {
        assert!(root().join(&name).exists() || init.path().join(&name).exists(), "the README names `{name}`");
    }
}
