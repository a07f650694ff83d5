//! What was taken down stays away: whatever comes back, stops in the middle, or was published before.

use std::fs;
use std::path::PathBuf;

use chrono::DateTime;

use crate::house::{DATE, House, assert_valid_atom, copy, files, item, rss, write};

const ONE: &str = "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: all }]";

fn entry(n: usize, title: &str) -> String {
    let (link, guid) = (format!("https://example.org/{n}"), format!("urn:test:{n}"));
    item(title, &link, &guid, DATE, &format!("<p>text {n}.</p>"))
}

fn entries(numbers: std::ops::Range<usize>) -> String {
    let day = |n: usize| DateTime::from_timestamp(1_600_000_000 + i64::try_from(n).expect("small") * 86_400, 0);
    let dated = |n: usize| entry(n, &format!("Title {n}.")).replace(DATE, &day(n).expect("date").to_rfc2822());
    rss(&numbers.map(dated).collect::<String>())
}

/// A post of another maker.
fn post(title: &str, link: &str) -> String {
    format!("---\nlayout: post\ntitle: \"{title}\"\ndate: 2021-07-28\nfrom: {link}\ncategories: [ A ]\n---\nold text\n")
}

/// The ledger's file of the month.
fn month(house: &House) -> PathBuf {
    let files = files(&house.path("data/archive/_ledger"));
    files.into_iter().find(|f| f.to_string_lossy().contains("/20")).expect("month")
}

fn add_lines(house: &House, lines: &str) {
    let file = month(house);
    let text = fs::read_to_string(&file).expect("ledger") + lines;
    write(&file, text.as_bytes());
}

/// Files below `data` outside ledger and index that hold a word, raw ones unpacked.
fn holding(house: &House, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for file in files(&house.path("data")) {
        let name = file.strip_prefix(house.path("data")).expect("below").display().to_string();
        let bytes = fs::read(&file).expect("file");
        let text = if name.contains("_raw/") { zstd::decode_all(&bytes[..]).unwrap_or_default() } else { bytes };
        if !name.starts_with("index") && !name.contains("_ledger") && String::from_utf8_lossy(&text).contains(word) {
            found.push(name);
        }
    }
    found
}

fn forget(house: &House, what: &str) {
    house.run(["forget", what, "--reason", "asked to"]).success();
}

#[test]
fn an_import_leaves_out_what_was_taken_down() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", rss(&(entry(1, "Title 1") + &entry(2, "Title 2"))));
    house.run(["poll"]).success();
    // It came under a second address, too.
    house.serves("/a.xml", rss(&entry(1, "Title 1").replace("example.org/1", "example.org/moved")));
    house.run(["poll"]).summary("1 read (1 duplicate)").success();
    forget(&house, "https://example.org/1");
    house.write("old/_posts/one.md", post("Title 1", "http://example.org/1?utm_source=x").as_bytes());
    house.write("old/_posts/two.md", post("Another title", "https://example.org/moved").as_bytes());
    house.write("old/_posts/three.md", post("Title 3", "https://example.org/3").as_bytes());
    let run = house.run(["import", "old"]).code(4);
    assert_eq!(
        run.stderr,
        "warning: `_posts/one.md`: its article was taken down and does not come back; delete the file\n\
         warning: `_posts/two.md`: its article was taken down and does not come back; delete the file\n"
    );
    let told = "imported 1 post: 0 known before, 0 unreadable, 0 entries held by several files, 2 taken down before";
    assert_eq!(run.stdout.trim_end(), told);
    let atom = house.read("data/public/all/atom.xml");
    assert!(!atom.contains("Title 1") && !atom.contains("Another") && atom.contains("Title 3"), "{atom}");
    assert_eq!((holding(&house, "Title 1"), holding(&house, "Another title")), (vec![], vec![]));
    house.run(["reindex"]).success();
    house.run(["publish"]).success();
    assert_eq!(house.read("data/public/all/atom.xml"), atom);
    house.run(["verify", "--deep"]).success();
}

#[test]
fn the_lines_of_another_clone_bring_nothing_back() {
    let (one, two) = (House::new(), House::new());
    for (house, title) in [(&one, "First"), (&two, "Second")] {
        house.config(ONE).serves("/a.xml", rss(&(entry(1, title) + &entry(2, "Other"))));
        house.run(["poll"]).success();
    }
    forget(&one, "https://example.org/1");
    copy(&two.path("data/archive/_posts"), &one.path("data/archive/_posts"));
    copy(&two.path("data/archive/_raw"), &one.path("data/archive/_raw"));
    add_lines(&one, &fs::read_to_string(month(&two)).expect("ledger"));
    assert!(!holding(&one, "Second").is_empty());
    one.run(["publish"]).success();
    assert_eq!(one.read("data/public/all/atom.xml").matches("<entry").count(), 1);
    assert_eq!(holding(&one, "Second"), Vec::<String>::new());
    one.run(["reindex"]).success();
    one.run(["publish"]).success();
    assert_eq!(holding(&one, "Second"), Vec::<String>::new());
    one.run(["verify"]).success();
}

#[test]
fn a_takedown_of_another_clone_removes_what_lies_here() {
    let (one, two) = (House::new(), House::new());
    for (house, title) in [(&one, "First"), (&two, "Second")] {
        house.config(ONE).serves("/a.xml", rss(&(entry(1, title) + &entry(2, "Other"))));
        house.run(["poll"]).success();
    }
    two.serves("/a.xml", rss(&(entry(1, "Second time") + &entry(2, "Other"))));
    two.run(["poll"]).summary("1 read (1 revised, 1 duplicate)").success();
    forget(&one, "https://example.org/1");
    let kinds = ["_posts", "_revisions", "_raw"];
    let is_there = |kind: &&str| holding(&two, "Second").iter().any(|name| name.contains(*kind));
    assert!(kinds.iter().all(is_there), "{:?}", holding(&two, "Second"));
    // As a union merge leaves it: the lines of the other clone behind one's own.
    add_lines(&two, &fs::read_to_string(month(&one)).expect("ledger"));
    two.run(["poll"]).success();
    assert_eq!(holding(&two, "Second"), Vec::<String>::new());
    assert!(holding(&two, "Other").iter().any(|name| name.contains("_raw")), "the other fragment stays");
    two.run(["verify"]).success();
}

#[test]
fn a_damaged_raw_file_does_not_stop_a_takedown() {
    for damage in [0, 40] {
        let house = House::new();
        house.config(ONE).serves("/a.xml", rss(&(entry(1, "Title 1") + &entry(2, "Title 2"))));
        house.run(["poll"]).success();
        let raw = files(&house.path("data/archive/_raw")).pop().expect("raw");
        let bytes = fs::read(&raw).expect("raw");
        write(&raw, &bytes[..damage]);
        let run = house.run(["forget", "https://example.org/1", "--reason", "asked to"]).success();
        let name = raw.strip_prefix(house.path("data/archive")).expect("below").display().to_string();
        let told = format!("`{name}` is damaged: ");
        assert!(run.stdout.contains(&told) && run.stdout.contains("; it was removed whole"), "{}", run.stdout);
        assert!(!raw.exists());
        house.run(["poll", "--force"]).summary("1 read (2 duplicates)").success();
        // So it is when the takedown is finished after an unclean stop.
        write(&raw, &bytes[..damage]);
        house.write("data/archive/_ledger/.unclean", b"");
        let run = house.run(["poll"]).success();
        assert!(run.stderr.contains(&told) && !raw.exists(), "{}", run.stderr);
        house.run(["verify", "--deep"]).success();
    }
}

/// Files that a topic leaves when it is taken out of the config.
const LEFT: [&str; 4] = ["atom.xml", "rss.xml", "feed.json", "index.html"];

const TWO: &str = "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\n\
                   topics: [{ id: all, limit: 3 }, { id: left, limit: 3, formats: [atom, rss, json] }, { id: other, none: ['Title 104.'], formats: [rss] }]";

fn with_a_topic_that_left() -> House {
    let house = House::new();
    house.config(TWO).serves("/a.xml", entries(0..105));
    house.run(["poll"]).success();
    house.config(ONE);
    house.run(["poll"]).success();
    house.write("data/public/left/notes.html", b"what somebody else keeps there");
    house
}

#[test]
fn a_takedown_reaches_topics_that_the_config_no_longer_has() {
    let house = with_a_topic_that_left();
    let other = fs::read(house.path("data/public/other/rss.xml")).expect("feed");
    for file in LEFT {
        assert!(house.read(&format!("data/public/left/{file}")).contains("text 104."), "{file}");
    }
    forget(&house, "https://example.org/104");
    assert_eq!((holding(&house, "text 104."), holding(&house, "Title 104.")), (vec![], vec![]));
    // The current feed goes on, and says so; what cannot say so is gone.
    let atom = house.read("data/public/left/atom.xml");
    assert!(atom.contains("<at:deleted-entry ref=\"urn:test:104\"") && atom.contains("Title 103."), "{atom}");
    roxmltree::Document::parse(&atom).expect("well-formed");
    assert_valid_atom(&house.path("data/public/left/atom.xml").to_string_lossy());
    let left = |file: &str| house.path(&format!("data/public/left/{file}")).exists();
    assert_eq!(LEFT.map(left), [true, false, false, false]);
    assert!(left("notes.html"), "only what feedmill made is removed");
    assert_eq!(fs::read(house.path("data/public/other/rss.xml")).expect("feed"), other, "it never showed the entry");
}

#[test]
fn a_takedown_that_arrives_late_is_struck_from_sealed_documents() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", entries(0..150));
    house.run(["poll"]).success();
    forget(&house, "https://example.org/0");
    assert!(!holding(&house, "text 1.").is_empty());
    // Somebody took it down long ago, in a clone that is merged now.
    let line = house.ledger().into_iter().find(|line| line["guid"] == "urn:test:1").expect("line");
    let (key, path) = (line["key"].as_str().expect("key"), line["path"].as_str().expect("path"));
    let text = format!(
        "{{\"op\":\"forget\",\"seen\":\"2020-01-01T00:00:00.000Z\",\"key\":\"{key}\",\"path\":\"{path}\",\
         \"id\":\"urn:test:1\",\"topics\":[\"all\"]}}\n"
    );
    add_lines(&house, &text);
    house.run(["poll"]).success();
    assert_eq!(holding(&house, "text 1."), Vec::<String>::new());
}

/// A file that no takedown gets past.
fn in_the_way(house: &House) -> PathBuf {
    let way = house.path("data/public/left/history/0.xml");
    std::os::unix::fs::symlink("nowhere", &way).expect("link");
    way
}

#[test]
fn a_takedown_that_stopped_can_be_repeated() {
    let house = with_a_topic_that_left();
    let what = "https://example.org/0";
    let way = in_the_way(&house);
    house.run(["forget", what, "--reason", "asked to"]).code(1);
    fs::remove_file(way).expect("removed");
    assert!(!holding(&house, "text 0.").is_empty());
    let lines = house.ledger().len();
    let run = house.run(["forget", what, "--reason", "again"]).success();
    assert!(run.stdout.contains("was taken down already"), "{}", run.stdout);
    assert_eq!(holding(&house, "text 0."), Vec::<String>::new());
    assert_eq!(house.ledger().len(), lines, "nothing is new");
    // By its path, too; and whatever is put back from a backup goes again.
    let path = house.ledger().pop().expect("line")["path"].as_str().expect("path").to_owned();
    house.write(&format!("data/archive/{path}"), post("Title 0.", what).as_bytes());
    house.run(["forget", &path, "--reason", "again"]).success();
    assert_eq!(holding(&house, "Title 0."), Vec::<String>::new());
    house.run(["forget", "https://example.org/nowhere", "--reason", "x"]).code(2);
}

#[test]
fn what_cannot_be_struck_keeps_nothing_else_from_being_published() {
    let house = with_a_topic_that_left();
    in_the_way(&house);
    let shown = |word: &str| house.read("data/public/all/atom.xml").contains(word);
    assert!(shown("Title 104."));
    house.run(["forget", "https://example.org/104", "--reason", "asked to"]).code(1);
    assert!(!shown("Title 104.") && shown("at:deleted-entry"), "{}", house.read("data/public/all/atom.xml"));
    house.serves("/a.xml", entries(100..110));
    house.run(["poll"]).code(1);
    assert!(shown("Title 109."), "{}", house.read("data/public/all/atom.xml"));
}

#[test]
fn a_takedown_that_stopped_is_finished_by_the_next_publication() {
    let house = with_a_topic_that_left();
    let way = in_the_way(&house);
    house.run(["forget", "https://example.org/0", "--reason", "asked to"]).code(1);
    fs::remove_file(way).expect("removed");
    house.run(["poll"]).success();
    assert_eq!(holding(&house, "text 0."), Vec::<String>::new());
}

#[test]
fn verify_misses_no_file_of_what_was_taken_down() {
    let house = House::new();
    house.config(ONE);
    for name in ["one", "two"] {
        house.write(&format!("old/_posts/{name}.md"), post(name, "https://example.org/1").as_bytes());
    }
    house.run(["import", "old"]).success();
    forget(&house, "https://example.org/1");
    let run = house.run(["verify"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
}
