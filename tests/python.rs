//! The archive read by a program that knows nothing but `ARCHIVE.md`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::house::{DATE, House, item, rss};

const TWO: &str = "feeds: [{ id: a, name: '甲 \"A\"', url: '{server}/a.xml' }, { id: b, name: B, url: '{server}/b.xml' }]\n\
                   topics: [{ id: all, limit: 100 }]";

/// Ids, titles and times of a feed, in its order.
type Shown = Vec<(String, String, Option<String>, Option<String>)>;

fn shown(atom: &str) -> Shown {
    let feed = feed_rs::parser::parse(atom.as_bytes()).expect("Atom");
    let time = |time: Option<chrono::DateTime<chrono::Utc>>| time.map(|time| time.to_rfc3339());
    let entry = |e: feed_rs::model::Entry| {
        (e.id, e.title.map(|t| t.content).unwrap_or_default(), time(e.published), time(e.updated))
    };
    feed.entries.into_iter().map(entry).collect()
}

/// What the script says of an archive: its entries, and the newest of them as Atom.
fn read(archive: &Path, newest: usize) -> Option<(Vec<Value>, Shown)> {
    if !Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("skipped: `python3` is not installed");
        return None;
    }
    let folder = tempfile::tempdir().expect("folder");
    let atom = folder.path().join("atom.xml");
    let output = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/read_archive.py"))
        .arg(archive)
        .arg(newest.to_string())
        .arg(&atom)
        .env("PYTHONIOENCODING", "utf-8")
        .output()
        .expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let entries = serde_json::from_slice(&output.stdout).expect("JSON");
    Some((entries, shown(&fs::read_to_string(atom).expect("atom"))))
}

/// Two feeds: a shared link, an entry of both, ids of every kind, no link, no date, one revision.
fn house() -> House {
    let house = House::new();
    let plain = |n: u32| format!("<p>text {n}</p>");
    let shared = "https://example.org/shared";
    let first = item("Shared 1", shared, "s1", DATE, &plain(1))
        + &item("Shared 2", shared, "s2", DATE, &plain(2))
        + &item(
            "Own id {{ x }} &amp;amp; \"q\" \\ 字",
            "https://example.org/1?utm_source=x",
            "tag:example.org,2021:1",
            DATE,
            &plain(3),
        )
        + &item("No link", "", "n1", "Thu, 29 Jul 2021 00:00:00 GMT", &plain(4))
        + &item("No date: a # b", "https://example.org/2", "", "", &plain(5))
        + &item("To be revised", "https://example.org/3", "r", "Tue, 27 Jul 2021 11:01:00.500 GMT", &plain(6));
    let other = item("Own id, elsewhere", "http://example.org/1", "x1", DATE, &plain(7))
        + &item(
            "Only B",
            "https://example.org/4",
            "https://example.org/4",
            "Fri, 30 Jul 2021 11:01:00 +0800",
            &plain(8),
        );
    house.config(TWO).serves("/a.xml", rss(&first)).serves("/b.xml", rss(&other));
    house.run(["init", "."]).success();
    house.run(["poll"]).summary("2 read (7 new posts, 1 duplicate)").success();
    house.serves("/a.xml", rss(&first.replace("To be revised", "Revised").replace("text 6", "text six")));
    house.run(["poll"]).success();
    house
}

fn keys(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["key"].as_str().expect("key")).collect()
}

#[test]
fn a_short_script_reads_what_the_program_wrote() {
    let house = house();
    let archive = house.path("data/archive");
    let Some((entries, atom)) = read(&archive, 100) else { return };
    let ledger = house.ledger();
    let adds: Vec<&Value> = ledger.iter().filter(|line| line["op"] == "add").collect();
    assert_eq!(entries.len(), adds.len());
    for line in adds {
        let entry = entries.iter().find(|entry| entry["key"] == line["key"]).expect("an entry for each line");
        assert_eq!((&entry["path"], &entry["feed"]), (&line["path"], &line["feed"]));
        let revised = ledger.iter().filter(|l| l["op"] == "revise" && l["key"] == line["key"]).count();
        assert_eq!(entry["revisions"], revised);
        let text = house.read(&format!("data/archive/{}", line["path"].as_str().expect("path")));
        let post = feedmill::post::from_text(&text).expect("post");
        assert_eq!(entry["title"], post.title);
        assert_eq!(entry["date"], post.date.rfc3339_millis());
        if let Some(id) = line.get("id") {
            assert_eq!(&entry["id"], id);
        }
    }
    assert_eq!(entries.iter().filter(|entry| entry["revisions"] == 1).count(), 1);
    assert_eq!(atom, shown(&house.read("data/public/all/atom.xml")), "the same feed");
    // Fewer: the newest.
    let (_, newest) = read(&archive, 3).expect("python");
    assert_eq!(newest, atom[..3]);
}

#[test]
fn posts_of_other_makers_and_takedowns_are_read_too() {
    let house = house();
    let archive = house.path("data/archive");
    let post = |title: &str, date: &str, from: &str| {
        let text = format!(
            "---\nlayout: post\ntitle: \"{title}\"\n{date}comments: True\nfrom: {from}\n---\n<!--NaN-->\n<p>old</p>\n"
        );
        text.into_bytes()
    };
    house.write("old/_posts/2020-01-01-字 | \"x\".md", &post("Old", "date: NaN\n", "https://example.org/old"));
    house.write("old/_posts/2020-01-03-later.md", &post("Later copy", "", "https://example.org/old"));
    house.write("old/archived/2020-01-02/2020-01-02-day.md", &post("Day \\\"q\\\"", "date: 2020-01-02\n", ""));
    house.write(
        "old/_posts/2020-01-05-zone.md",
        &post("Zone", "date: 2020-01-05T01:00:00+08:00\n", "https://example.org/zone"),
    );
    house.write("old/_posts/2020-01-06-known.md", &post("Known", "", "https://example.org/1"));
    house.run(["import", "old"]).success();
    house.run(["forget", "https://example.org/4", "--reason", "asked \"for\""]).success();
    house.run(["publish"]).success();
    let Some((entries, atom)) = read(&archive, 100) else { return };
    // A copy of what a feed brought is no entry of its own, and of two copies the earlier stands.
    assert_eq!(entries.len(), 7 - 1 + 3);
    let titles: Vec<&str> = entries.iter().skip(6).map(|entry| entry["title"].as_str().expect("title")).collect();
    assert_eq!(titles, ["Zone", "Day \"q\"", "Old"]);
    assert_eq!(atom, shown(&house.read("data/public/all/atom.xml")), "the same feed");
}

#[test]
fn what_does_not_count_is_left_out() {
    let house = house();
    let archive = house.path("data/archive");
    let Some((before, _)) = read(&archive, 0) else { return };
    let line = |entry: &Value, op: &str, more: &str| {
        format!("{{\"op\":\"{op}\",\"seen\":\"2037-01-01T00:00:00.000Z\",\"key\":{}{more}}}\n", entry["key"])
    };
    let gone = house.path(&format!("data/archive/{}", before[1]["path"].as_str().expect("path")));
    fs::remove_file(gone).expect("removed");
    let text = line(&before[0], "forget", ",\"reason\":\"asked\",\"marks\":[]")
        + &line(&before[2], "add", ",\"path\":\"_posts/absent.md\"")
        + &line(&before[2], "unknown", "")
        + "{\"op\":\"moved\",\"seen\":\"2037-01-01T00:00:00.000Z\",\"feed\":\"a\",\"url\":\"https://example.org/new\"}\n"
        + "{\"op\":\"add\",\"seen\":\"2037-01-01T00:00:00.000Z\",\"key\":\"torn";
    let mut file =
        OpenOptions::new().append(true).create(true).open(archive.join("_ledger/2037-01.jsonl")).expect("ledger");
    file.write_all(text.as_bytes()).expect("written");
    let (after, atom) = read(&archive, 100).expect("python");
    assert_eq!(keys(&after), keys(&before[2..]), "one forgotten, one without its file");
    assert_eq!(atom.len(), after.len());
}
