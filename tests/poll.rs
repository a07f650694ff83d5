//! Polling: what is kept, what is told, what a second poll leaves alone.

use std::fs;

use crate::house::{DATE, House, Page, files, item, rss};

const ONE: &str = "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: all }]";

fn two_items() -> String {
    rss(&(item("One", "https://example.org/1", "g1", DATE, "<p>first</p>")
        + &item("Two", "https://example.org/2", "g2", DATE, "<p>second</p>")))
}

#[test]
fn new_entries_become_posts_and_a_second_poll_touches_nothing() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", two_items());
    house.run(["poll"]).summary("1 read (2 new posts)").says(&[]).success();
    assert_eq!(house.posts().len(), 2);
    let before = house.snapshot();
    house.run(["poll"]).summary("1 not modified").success();
    house.run(["poll", "--force"]).summary("1 read (2 duplicates)").success();
    assert_eq!(house.snapshot(), before);
}

#[test]
fn validators_go_back_as_they_came() {
    let house = House::new();
    house.config(ONE);
    let headers = vec![("ETag".into(), "W/\"odd\"x".into()), ("Last-Modified".into(), "yesterday".into())];
    house.serves_page("/a.xml", Page { status: 200, headers, body: two_items().into_bytes() });
    house.run(["poll"]).success();
    house.run(["poll"]).summary("1 not modified").success();
    let second = &house.requests()[1];
    assert_eq!(second.headers.get("if-none-match").map(String::as_str), Some("W/\"odd\"x"));
    assert_eq!(second.headers.get("if-modified-since").map(String::as_str), Some("yesterday"));
    assert!(second.headers["user-agent"].starts_with("feedmill/"));
}

#[test]
fn an_entry_of_two_feeds_is_one_post_whose_other_carrier_is_noted() {
    let house = House::new();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }, { id: b, name: B, url: '{server}/b.xml' }]");
    let entry = |link: &str, text: &str| rss(&item("One", link, "", DATE, text));
    house.serves("/a.xml", entry("https://example.org/1", "<p>full</p>"));
    house.serves("/b.xml", entry("http://example.org/1?utm_source=rss", "<p>teaser</p>"));
    house.run(["poll"]).summary("2 read (1 new post, 1 duplicate)").success();
    assert_eq!(house.posts().len(), 1);
    let ops: Vec<_> = house.ledger().iter().map(|l| (l["op"].clone(), l["feed"].clone())).collect();
    assert_eq!(ops, [("add".into(), "a".into()), ("also".into(), "b".into())]);
    house.run(["poll", "--force"]).summary("2 read (2 duplicates)").success();
    assert_eq!(house.ledger().len(), 2, "noted once");
}

#[test]
fn a_changed_text_is_a_revision_at_the_same_path() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", rss(&item("One", "https://example.org/1", "g1", DATE, "<p>first</p>")));
    house.run(["poll"]).success();
    let before = house.posts();
    house.serves("/a.xml", rss(&item("One, corrected", "https://example.org/1", "g1", DATE, "<p>better</p>")));
    house.run(["poll"]).summary("1 read (1 revised)").success();
    let after = house.posts();
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let (path, post) = after.first_key_value().expect("post");
    assert!(post.contains("One, corrected") && post.contains("<p>better</p>") && post.contains("\nupdated: "));
    let key = house.ledger()[0]["key"].as_str().expect("key").to_owned();
    assert_eq!(&house.read(&format!("data/archive/_revisions/{key}/1.md")), &before[path]);
    assert!(house.read("data/public/all/atom.xml").contains("One, corrected"));
}

#[test]
fn one_broken_feed_is_one_sentence_and_the_others_are_polled() {
    let house = House::new();
    house.config(
        "feeds:\n- { id: empty, name: E, url: '{server}/empty' }\n- { id: good, name: G, url: '{server}/good' }\n\
         - { id: html, name: H, url: '{server}/html' }\n- { id: missing, name: M, url: '{server}/missing' }",
    );
    house
        .serves("/good", two_items())
        .serves("/empty", "")
        .serves("/html", "<!DOCTYPE html><html><body>x</body></html>");
    let run = house.run(["poll"]).summary("1 read (2 new posts), 3 failed").code(4);
    let lines: Vec<&str> = run.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("warning: feed `empty`: ") && lines[0].contains("empty answer"), "{}", lines[0]);
    assert_eq!(
        lines[1],
        "warning: feed `html`: the answer is an HTML page, not a feed; look in the page for its feed's address"
    );
    assert!(lines[2].starts_with("warning: feed `missing`: ") && lines[2].contains("404"), "{}", lines[2]);
}

#[test]
fn an_unreachable_feed_is_a_failure_of_its_own() {
    let house = House::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address").port();
    house.write(
        "config.yaml",
        format!(
            "site: {{ url: 'https://n.example.org/' }}\nfetch: {{ allow: ['127.0.0.1:{port}'], min_interval: 0s, host_delay: 0s }}\n\
             feeds: [{{ id: gone, name: G, url: 'http://127.0.0.1:{port}/' }}]"
        )
        .as_bytes(),
    );
    let run = house.run(["poll"]).summary("1 failed").code(4);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
}

#[test]
fn private_addresses_are_refused_unless_allowed() {
    let house = House::new();
    house.write(
        "config.yaml",
        b"site: { url: 'https://n.example.org/' }\nfeeds: [{ id: p, name: P, url: 'http://127.0.0.1:9/' }]",
    );
    let run = house.run(["poll"]).code(4);
    assert!(run.stderr.contains("fetch.allow"), "{}", run.stderr);
}

#[test]
fn json_is_one_object_a_line_and_a_summary() {
    let house = House::new();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }, { id: b, name: B, url: '{server}/none' }]");
    house.serves("/a.xml", two_items());
    let run = house.run(["poll", "--json"]).code(4);
    let lines: Vec<serde_json::Value> = run.stdout.lines().map(|l| serde_json::from_str(l).expect("json")).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        lines[0],
        serde_json::json!({"feed": "a", "outcome": "polled", "new": 2, "revised": 0, "duplicate": 0, "rejected": 0, "repaired": false, "error": null})
    );
    assert_eq!((&lines[1]["outcome"], lines[1]["error"].is_string()), (&"failed".into(), true));
    let summary = &lines[2]["summary"];
    let total = ["polled", "not_modified", "skipped", "failed"]
        .iter()
        .map(|k| summary[k].as_u64().expect("number"))
        .sum::<u64>();
    assert_eq!(Some(total), summary["feeds"].as_u64());
    assert_eq!(summary["new"], 2);
    assert!(summary["seconds"].is_number());
}

#[test]
fn include_and_exclude_say_which_entries_are_kept() {
    let house = House::new();
    let feed = "feeds: [{ id: a, name: A, url: '{server}/a.xml', include: [腾讯, rust], exclude: [广告] }]";
    let one = |n: u32, title: &str, body: &str| {
        item(title, &format!("https://example.org/{n}"), &format!("g{n}"), DATE, body)
    };
    house.config(feed).serves(
        "/a.xml",
        rss(&(one(1, "騰訊停牌", "<p>x</p>")
            + &one(2, "About", "<p>why Rust</p>")
            + &one(3, "trust", "<p>x</p>")
            + &one(4, "腾讯", "<p>廣告</p>"))),
    );
    house.run(["poll"]).summary("1 read (2 new posts)").success();
    assert_eq!(house.posts().len(), 2);
    // What is wanted from now on is still there, so it is read again without being asked for.
    house.config(&feed.replace(", exclude: [广告]", ""));
    house.run(["poll"]).summary("1 read (1 new post, 2 duplicates)").success();
    house.run(["poll"]).summary("1 not modified").success();
}

#[test]
fn other_rules_of_identity_are_applied_to_what_is_still_there() {
    let house = House::new();
    let feed = "feeds: [{ id: a, name: A, url: '{server}/a.xml', dedup: url }]";
    let entry = |n: u32| item(&format!("T{n}"), "https://example.org/", &format!("g{n}"), DATE, &format!("<p>{n}</p>"));
    house.config(feed).serves("/a.xml", rss(&(0..10).map(entry).collect::<String>()));
    house.run(["poll"]).summary("1 read (1 new post, 9 duplicates)").success();
    house.config(&feed.replace(", dedup: url", ""));
    house.run(["poll"]).summary("1 read (9 new posts, 1 duplicate)").success();
}

#[test]
fn entries_that_are_left_out_show_too_whether_some_were_missed() {
    let house = House::new();
    let feed = "feeds: [{ id: a, name: A, url: '{server}/a.xml', include: [rare] }]";
    house.config(feed);
    let serve = |numbers: std::ops::Range<u32>, rare: &[u32]| {
        let one = |n: u32| {
            let title = if rare.contains(&n) { "rare" } else { "usual" };
            item(title, &format!("https://example.org/{n}"), &format!("g{n}"), DATE, &format!("<p>{n}</p>"))
        };
        house.serves("/a.xml", rss(&numbers.rev().map(one).collect::<String>()));
    };
    let poll = || house.run(["poll"]).success();
    let missed = |n: usize| format!("none of its {n} entries was there at the last reading");
    serve(0..60, &[]);
    assert_eq!(poll().stderr, "");
    // The one that is wanted is new, and below it stands what was left out last time.
    serve(10..70, &[65]);
    assert_eq!(poll().summary("1 read (1 new post)").stderr, "");
    serve(200..250, &[]);
    let run = poll();
    assert!(run.stderr.contains(&missed(50)), "{}", run.stderr);
    serve(240..270, &[]);
    assert_eq!(poll().stderr, "");
    serve(300..330, &[310]);
    let run = poll();
    assert!(run.stderr.contains(&missed(30)), "{}", run.stderr);
    // What is left out or wanted from now on was there all the same.
    house.config(&feed.replace("rare", "usual"));
    assert_eq!(poll().stderr, "");
    house.config(&feed.replace(", include: [rare]", ""));
    serve(325..360, &[]);
    assert_eq!(poll().stderr, "");
}

#[test]
fn a_document_that_is_whole_again_ends_the_alarm_that_it_comes_cut() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", two_items());
    let is_cut = || house.run(["status"]).stdout.contains("alarm (cut)");
    for headers in [Page::of(two_items()).headers, Vec::new()] {
        house.serves_page("/a.xml", Page { headers: headers.clone(), ..Page::of(two_items()) });
        house.run(["poll", "--force"]).success();
        house.serves("/a.xml", two_items().replace("</item></channel></rss>", ""));
        house.run(["poll"]).success();
        assert!(is_cut());
        house.serves_page("/a.xml", Page { headers, ..Page::of(two_items()) });
        house.run(["poll"]).summary("1 not modified").success();
        assert!(!is_cut());
    }
}

#[test]
fn dry_run_tells_and_writes_nothing() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", two_items());
    house.config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }, { id: b, name: B, url: '{server}/a.xml?b' }]");
    house.serves("/a.xml?b", two_items());
    house.run(["poll", "--dry-run"]).summary("2 read (2 posts would be new, 2 duplicates)").success();
    assert!(!house.path("data").exists());
    house.run(["poll"]).summary("2 read (2 new posts, 2 duplicates)").success();
}

#[test]
fn a_dry_run_knows_the_archive_without_an_index() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", two_items());
    house.run(["poll"]).success();
    let index = house.path("data/index");
    fs::remove_dir_all(&index).expect("removed");
    house.run(["poll", "--dry-run", "--force"]).summary("1 read (2 duplicates)").success();
    assert!(!index.exists());
    fs::create_dir(&index).expect("an empty folder");
    house.run(["poll", "--dry-run", "--force"]).summary("1 read (2 duplicates)").success();
    assert!(files(&index).is_empty(), "{:?}", files(&index));
}

#[test]
fn a_recent_poll_is_not_repeated() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", two_items());
    let config = house.read("config.yaml").replace("min_interval: 0s", "min_interval: 1h");
    house.write("config.yaml", config.as_bytes());
    house.run(["poll"]).summary("1 read (2 new posts)").success();
    house.run(["poll"]).summary("1 skipped").success();
    house.run(["poll", "--force"]).summary("1 read (2 duplicates)").success();
}

#[test]
fn unknown_names_are_wrong_usage() {
    let house = House::new();
    house.config(ONE);
    house.run(["poll", "b"]).code(2).says(&["error: unknown feed `b`; the config has `a`"]);
}

#[test]
fn ten_mistakes_are_ten_sentences() {
    let house = House::new();
    house.write(
        "config.yaml",
        b"site: { titel: x, url: 'https://x/' }\nserver: { listen: nowhere }\nfetch: { timeout: soon, max_body: much }\n\
          timezone: Mars/Olympus\nfeeds:\n- { id: A, name: A, url: 'https://a.example/' }\n\
          - { id: b, name: B, url: nowhere, schedule: '0 9 * * 8' }\ntopics:\n- { id: t, feeds: [c], limit: 0 }\n",
    );
    let run = house.run(["check"]).code(3);
    assert_eq!(run.stderr.lines().count(), 11, "{}", run.stderr);
    assert!(run.stderr.ends_with("10 problems in the config; nothing was started\n"), "{}", run.stderr);
    assert!(!house.path("data").exists());
}

#[test]
fn folders_that_are_one_or_lie_in_each_other_are_refused_however_they_are_spelled() {
    let house = House::new();
    fs::create_dir_all(house.path("data/archive")).expect("folder");
    std::os::unix::fs::symlink("data", house.path("www")).expect("link");
    let here = house.path("data/archive");
    let same = "archive, index and public must be different folders; first at config.yaml:3";
    let served = "`archive` lies in `public`, which everybody may read; give each a folder of its own";
    for (storage, wanted) in [
        ("public: data".to_owned(), vec![("public", served), ("public", &served.replace("archive", "index"))]),
        ("public: www".to_owned(), vec![("public", served), ("public", &served.replace("archive", "index"))]),
        ("public: www/archive".to_owned(), vec![("public", same)]),
        (format!("public: '{}'", here.display()), vec![("public", same)]),
        ("index: www/new, public: www/a/../new".to_owned(), vec![("public", same)]),
        ("archive: www/public/a/b".to_owned(), vec![("archive", served)]),
    ] {
        house.config(&format!("storage: {{ {storage} }}"));
        let said: Vec<String> =
            wanted.iter().map(|(key, text)| format!("error: config.yaml:3: storage.{key}: {text}")).collect();
        let run = house.run(["check"]).code(3);
        let lines: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!(lines, said, "{storage}");
    }
    // An archive may be a whole site, with what is published in it.
    house.config("storage: { archive: www, public: data/feeds }");
    house.run(["check"]).success();
}

#[test]
fn check_shows_the_next_five_runs() {
    let house = House::new();
    house.config(
        "schedule: '0 6 * * 1-5'\ntimezone: Asia/Shanghai\nfeeds: [{ id: a, name: A, url: 'https://a.example/' }]",
    );
    let run = house.run(["check"]).success();
    assert_eq!(
        run.stdout.lines().filter(|l| l.contains("06:00:") && l.contains("+08:00")).count(),
        5,
        "{}",
        run.stdout
    );
    assert!(!house.path("data").exists());
}

#[test]
fn attachments_of_a_json_feed_are_enclosures_not_links() {
    let house = House::new();
    house.config("feeds: [{ id: j, name: J, url: '{server}/j.json' }]");
    let feed = serde_json::json!({
        "version": "https://jsonfeed.org/version/1.1", "title": "J",
        "items": [{
            "id": "1", "title": "Horn", "content_text": "listen", "date_published": "2021-07-28T11:01:00Z",
            "attachments": [{ "url": "https://example.org/one.mp3", "mime_type": "audio/mpeg", "size_in_bytes": 7 }]
        }]
    });
    house.serves("/j.json", feed.to_string());
    house.run(["poll"]).summary("1 read (1 new post)").success();
    let (_, post) = house.posts().pop_first().expect("post");
    assert!(post.contains("\nfrom: \"\"\n"), "{post}");
    assert!(
        post.contains(r#"enclosures: [{"url":"https://example.org/one.mp3","type":"audio/mpeg","length":7}]"#),
        "{post}"
    );
}

#[test]
fn paths_of_the_operators_disk_are_not_published() {
    let house = House::new();
    house.write("feeds/a.xml", two_items().as_bytes());
    house.config("feeds: [{ id: a, name: A, url: 'file:feeds/a.xml' }]\ntopics: [{ id: all }]");
    house.run(["poll"]).summary("1 read (2 new posts)").success();
    house.run(["poll"]).summary("1 not modified").success();
    for file in ["public/all/atom.xml", "archive/_ledger/sources.jsonl", "archive/_ledger/state.json"] {
        assert!(!house.read(&format!("data/{file}")).contains("file:"), "{file}");
    }
}

#[test]
fn ids_and_addresses_that_are_dealt_anew_each_time_do_not_fill_the_ledger() {
    let house = House::new();
    house.config(ONE);
    let serve = |n: usize, text: &str| {
        let guids = item("Of a new guid", "https://example.org/1", &format!("g{n}"), DATE, &format!("<p>{text} 1</p>"));
        let link = format!("https://example.org/2?token={n}");
        house.serves("/a.xml", rss(&(guids + &item("Of a new link", &link, "g", DATE, &format!("<p>{text} 2</p>")))));
    };
    let told = "warning: feed `a`: 2 of its entries came under more than 24 guids or addresses, and further ones are not \
                noted; let its `dedup` be `url` or `guid`, whichever stays the same";
    for n in 0..=24 {
        serve(n, "text");
        let run = house.run(["poll"]).success();
        assert_eq!(run.stderr, "", "{n}");
    }
    let ledger = house.ledger();
    assert_eq!(ledger.len(), 2 + 2 * 24);
    // What is no longer noted is recognised all the same, and the archive alone gives the count back.
    serve(25, "text");
    house.run(["poll"]).summary("1 read (2 duplicates)").says(&[told]).success();
    house.run(["reindex"]).success();
    serve(26, "text");
    house.run(["poll"]).summary("1 read (2 duplicates)").says(&[told]).success();
    assert_eq!(house.ledger(), ledger);
    serve(27, "other text");
    house.run(["poll"]).summary("1 read (2 revised)").says(&[]).success();
    assert_eq!(house.posts().len(), 2);
    // What the sentence advises helps.
    let ledger = house.ledger().len();
    house.serves("/a.xml", rss(&item("Of a new guid", "https://example.org/1", "g28", DATE, "<p>other text 1</p>")));
    let config = house.read("config.yaml");
    house.write("config.yaml", config.replace("name: A,", "name: A, dedup: url,").as_bytes());
    house.run(["poll"]).summary("1 read (1 duplicate)").says(&[]).success();
    let link = item("Of a new link", "https://example.org/2?token=28", "g", DATE, "<p>other text 2</p>");
    house.serves("/a.xml", rss(&link));
    house.write("config.yaml", config.replace("name: A,", "name: A, dedup: guid,").as_bytes());
    house.run(["poll"]).summary("1 read (1 duplicate)").says(&[]).success();
    assert_eq!(house.ledger().len(), ledger);
}
