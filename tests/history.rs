//! The complete archive of a topic as feeds (RFC 5005): whoever walks from the current feed backwards sees every entry.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;

use crate::house::{House, assert_valid_atom, item, rss};
use crate::world::World;

/// A day in the past, by number.
fn date(day: i64) -> String {
    DateTime::from_timestamp(1_600_000_000 + day * 86_400, 0).expect("date").to_rfc2822()
}

fn entry(n: usize, title: &str) -> String {
    // Dates in an order of their own.
    let day = i64::try_from(n * 7919 % 1009).expect("small");
    item(title, &format!("https://example.org/{n}"), &format!("urn:test:{n}"), &date(day), &format!("<p>text {n}</p>"))
}

fn entries(numbers: impl Iterator<Item = usize>) -> String {
    rss(&numbers.map(|n| entry(n, &format!("T{n}"))).collect::<String>())
}

/// One Atom document: its links by `rel`, its entries by id, its tombstones.
struct Document {
    links: BTreeMap<String, String>,
    titles: Vec<(String, String)>,
    gone: Vec<String>,
    is_archive: bool,
}

fn read(text: &str) -> Document {
    let feed = feed_rs::parser::parse(text.as_bytes()).expect("a feed");
    let links = feed.links.iter().map(|link| (link.rel.clone().unwrap_or_default(), link.href.clone())).collect();
    let titles = feed.entries.iter().map(|entry| (entry.id.clone(), entry.title.clone().expect("title").content));
    let gone = text.split("<at:deleted-entry ref=\"").skip(1).filter_map(|rest| rest.split('"').next());
    Document {
        links,
        titles: titles.collect(),
        gone: gone.map(str::to_owned).collect(),
        is_archive: text.contains("\n <fh:archive/>"),
    }
}

/// Walks from the current feed to the first document: the current one first.
fn walk(house: &House, topic: &str) -> Vec<Document> {
    let place = |url: &str| format!("data/public/{}", url.strip_prefix("https://news.example.org/").expect("ours"));
    let mut documents = vec![read(&house.read(&format!("data/public/{topic}/atom.xml")))];
    assert!(!documents[0].is_archive);
    let mut next = documents[0].links.get("prev-archive").cloned();
    while let Some(url) = next {
        let document = read(&house.read(&place(&url)));
        assert!(document.is_archive, "{url}");
        assert_eq!(document.links["self"], url);
        assert_eq!(document.links["current"], format!("https://news.example.org/{topic}/atom.xml"));
        next = document.links.get("prev-archive").cloned();
        documents.push(document);
    }
    documents
}

fn ids(documents: &[Document]) -> BTreeSet<String> {
    documents.iter().flat_map(|document| document.titles.iter().map(|(id, _)| id.clone())).collect()
}

fn all_ids(numbers: impl Iterator<Item = usize>) -> BTreeSet<String> {
    numbers.map(|n| format!("urn:test:{n}")).collect()
}

const TWO: &str = "feeds: [{ id: a, name: A, url: '{server}/a' }]\n\
                   topics: [{ id: all, limit: 10 }, { id: odd, limit: 10, any: [T1, T3, T5, T7, T9, T11, T33] }]";

/// Every file below the topic's history, with its bytes.
fn sealed(house: &House, topic: &str) -> BTreeMap<String, String> {
    let root = house.path(&format!("data/public/{topic}/history"));
    let files = crate::house::files(&root).into_iter();
    files.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).expect("file"))).collect()
}

#[test]
fn whoever_walks_back_sees_every_entry_and_there_is_no_hole() {
    let house = House::new();
    house.config(TWO);
    let mut known = 0;
    let mut before = BTreeMap::new();
    // 799 entries in seven polls.
    for upto in [1, 99, 100, 101, 350, 600, 799] {
        house.serves("/a", entries(known..upto));
        house.run(["poll"]).success();
        let documents = walk(&house, "all");
        assert_eq!(ids(&documents), all_ids(0..upto), "after {upto}");
        assert_eq!(documents.len() - 1, upto / 100, "after {upto}");
        assert!(documents[1..].iter().all(|document| document.titles.len() == 100));
        let after = sealed(&house, "all");
        assert!(before.iter().all(|(path, text)| after.get(path) == Some(text)), "a sealed document has changed");
        before = after;
        known = upto;
    }
    let odd = walk(&house, "odd");
    assert_eq!(ids(&odd), all_ids([1, 3, 5, 7, 9, 11, 33].into_iter()));
    // Index and published files come back to the same bytes from the archive alone.
    let bytes = house.read("data/public/all/atom.xml");
    std::fs::remove_dir_all(house.path("data/public")).expect("removed");
    house.run(["publish"]).success();
    assert_eq!((sealed(&house, "all"), house.read("data/public/all/atom.xml")), (before.clone(), bytes.clone()));
    std::fs::remove_dir_all(house.path("data/index")).expect("removed");
    std::fs::remove_dir_all(house.path("data/public")).expect("removed");
    house.run(["publish"]).success();
    assert_eq!((sealed(&house, "all"), house.read("data/public/all/atom.xml")), (before, bytes));
    let snapshot = house.snapshot();
    house.run(["publish"]).success();
    assert_eq!(house.snapshot(), snapshot, "made again, and equal: not touched");
}

#[test]
fn every_version_lies_in_its_document() {
    let house = House::new();
    house.config(TWO).serves("/a", entries(0..60));
    house.run(["poll"]).success();
    // Twenty get another title, before and after the first hundred is full.
    let changed = |from: usize, word: &str| {
        rss(&(from..from + 20).map(|n| entry(n, &format!("T{n} {word}"))).collect::<String>())
    };
    house.serves("/a", changed(0, "changed"));
    house.run(["poll"]).summary("1 read (20 revised)").success();
    house.serves("/a", changed(10, "again"));
    house.run(["poll"]).summary("1 read (20 revised)").success();
    house.serves("/a", entries(60..90));
    house.run(["poll"]).success();
    let documents = walk(&house, "all");
    assert_eq!(documents.len(), 2, "60 + 20 + 20 + 30 versions");
    let first: Vec<&str> = documents[1].titles.iter().map(|(_, title)| title.as_str()).collect();
    // An imaginary reader of a document in the order of the ledger.
    let count = |title: &str| first.iter().filter(|known| **known == title).count();
    assert_eq!((count("T5"), count("T5 changed")), (1, 1));
    assert_eq!((count("T15"), count("T15 changed"), count("T15 again")), (1, 1, 1));
    assert_eq!((count("T25"), count("T25 again")), (1, 1));
    let before = sealed(&house, "all");
    std::fs::remove_dir_all(house.path("data/index")).expect("removed");
    house.run(["publish"]).success();
    assert_eq!(sealed(&house, "all"), before);
}

#[test]
fn a_takedown_leaves_an_empty_mark_in_the_document() {
    let house = House::new();
    house.config(TWO).serves("/a", entries(0..250));
    house.run(["poll"]).success();
    let before = sealed(&house, "all");
    assert!(before.values().any(|text| text.contains("text 0&lt;")), "it is sealed, for it has the earliest date");
    house.run(["forget", "https://example.org/0", "--reason", "asked to"]).success();
    let documents = walk(&house, "all");
    assert!(!ids(&documents).contains("urn:test:0"));
    let marks: Vec<usize> = documents[1..].iter().map(|document| document.gone.len()).collect();
    assert_eq!(marks.iter().sum::<usize>(), 1, "{marks:?}");
    let after = sealed(&house, "all");
    assert_eq!(after.iter().filter(|(path, text)| before[*path] != **text).count(), 1, "only one document changed");
    for path in after.keys() {
        assert_valid_atom(path);
    }
    assert!(after.values().all(|text| !text.contains("text 0<") && !text.contains("text 0&lt;")));
    // Made again, it is the same.
    std::fs::remove_dir_all(house.path("data/index")).expect("removed");
    std::fs::remove_dir_all(house.path("data/public")).expect("removed");
    house.run(["publish"]).success();
    assert_eq!(sealed(&house, "all"), after);
}

#[test]
fn another_rule_begins_another_generation_and_the_old_one_stays() {
    let house = House::new();
    house.config(TWO).serves("/a", entries(0..230));
    house.run(["poll"]).success();
    let before = sealed(&house, "all");
    assert_eq!(before.len(), 2);
    house.config(&TWO.replace("id: all, limit: 10", "id: all, limit: 10, none: [T13]"));
    house.run(["publish"]).success();
    let documents = walk(&house, "all");
    let expected: BTreeSet<String> = all_ids((0..230).filter(|n| *n != 13));
    assert_eq!(ids(&documents), expected);
    let after = sealed(&house, "all");
    assert_eq!(after.len(), 4);
    assert!(before.iter().all(|(path, text)| after.get(path) == Some(text)));
    // A takedown reaches the documents that no topic shows any more.
    let gone = "https://example.org/0";
    assert!(before.values().any(|text| text.contains(gone)));
    house.run(["forget", gone, "--reason", "asked to"]).success();
    let struck = sealed(&house, "all");
    assert!(struck.values().all(|text| !text.contains(&format!("{gone}\""))), "all four know nothing of it");
    // Back again, the old generation goes on where it was.
    house.config(TWO).serves("/a", entries(230..310));
    house.run(["poll"]).success();
    assert_eq!(ids(&walk(&house, "all")), all_ids(1..310));
    assert_eq!(sealed(&house, "all").len(), 5);
}

#[test]
fn what_was_imported_is_in_the_history_and_not_in_the_window() {
    let house = House::new();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a' }]\ntopics: [{ id: all, limit: 5 }]");
    for n in 0..230 {
        let day = n % 28 + 1;
        let text = format!(
            "---\ntitle: P{n}\ndate: 2019-01-{day:02}T00:00:00Z\nfrom: https://old.example.org/{n}\n---\ntext\n"
        );
        house.write(&format!("old/_posts/2019-01-{day:02}-p{n}.md"), text.as_bytes());
    }
    house.run(["import", "old"]).success();
    house.serves("/a", entries(0..3));
    house.run(["poll"]).success();
    let documents = walk(&house, "all");
    assert_eq!(documents.len(), 3);
    assert_eq!(ids(&documents).len(), 233);
    assert!(documents[0].titles.len() <= 5 + 33, "{}", documents[0].titles.len());
}

#[test]
fn a_reader_that_looks_once_a_day_misses_none_of_a_thousand() {
    const HOUR: i64 = 3_600_000;
    let world = World::new(
        "feeds: [{ id: f, name: F, url: 'https://feed.example.org/feed' }]\ntopics: [{ id: all, limit: 20 }]",
    );
    let start = 1_790_000_000_000;
    let mut seen = BTreeSet::new();
    for day in 0..4_i64 {
        for poll in 0..4_i64 {
            let first = usize::try_from(day * 1000 + poll * 250).expect("small");
            world.at(start + (day * 24 + poll * 6) * HOUR).serve("f", entries(first..first + 250)).poll();
            world.publish();
            // The reader comes before the last poll of a day, each day a little later.
            if poll == 2 {
                let text = std::fs::read_to_string(world.home.path().join("public/all/atom.xml")).expect("published");
                let shown = read(&text).titles;
                assert!(shown.len() < 2600, "{}", shown.len());
                seen.extend(shown.into_iter().map(|(id, _)| id));
            }
        }
    }
    // What the feed had before it was first read has to be walked to.
    assert!(seen.is_superset(&all_ids(250..3750)) && seen.is_subset(&all_ids(0..3750)));
}

#[test]
fn what_a_feed_had_before_it_was_first_read_is_in_the_history_and_not_in_the_window() {
    let house = House::new();
    house.config(
        "feeds: [{ id: a, name: A, url: '{server}/a' }, { id: b, name: B, url: '{server}/b' }]\n\
         topics: [{ id: all, limit: 5 }]",
    );
    house.serves("/a", entries(0..230));
    house.run(["poll", "a"]).success();
    let shown = |house: &House| walk(house, "all")[0].titles.len();
    assert!((30..=35).contains(&shown(&house)), "30 that are not sealed, and the newest");
    // What comes later is shown, and what a feed that joins has is not.
    house.serves("/a", entries(200..300)).serves("/b", entries(300..600));
    house.run(["poll", "a"]).success();
    house.run(["poll", "b"]).success();
    let documents = walk(&house, "all");
    assert_eq!(ids(&documents), all_ids(0..600));
    assert!(ids(&documents[..1]).is_superset(&all_ids(230..300)));
    assert!((70..=75).contains(&shown(&house)), "{}", shown(&house));
    // A revision is news of whatever it revises.
    house.serves("/b", rss(&(300..310).map(|n| entry(n, &format!("T{n} changed"))).collect::<String>()));
    house.run(["poll", "b"]).summary("1 read (10 revised)").success();
    let before = house.read("data/public/all/atom.xml");
    assert_eq!(before.matches(" changed</title>").count(), 10);
    // It follows from the archive alone.
    std::fs::remove_dir_all(house.path("data/index")).expect("removed");
    std::fs::remove_dir_all(house.path("data/public")).expect("removed");
    house.run(["publish"]).success();
    assert_eq!(house.read("data/public/all/atom.xml"), before);
}

#[test]
fn a_clock_that_was_set_back_does_not_change_the_order_of_the_ledger() {
    let world = World::one("");
    let november = 1_795_132_800_000;
    world.at(november + 20 * 86_400_000).serve("f", entries(0..2)).poll();
    world.at(november).serve("f", entries(2..4)).poll();
    let ledger = world.home.path().join("archive/_ledger");
    let months =
        |name: &std::path::PathBuf| name.file_name().is_some_and(|name| name.to_string_lossy().starts_with("2026-"));
    let files: Vec<_> = crate::house::files(&ledger).into_iter().filter(months).collect();
    assert_eq!(files, [ledger.join("2026-12.jsonl")]);
    let links: Vec<_> = world.ledger().iter().map(|line| line["guid"].clone()).collect();
    assert_eq!(links.len(), 4);
    assert!(links[..2].contains(&"urn:test:0".into()) && links[2..].contains(&"urn:test:2".into()), "{links:?}");
}
