//! The archive as the truth: what is written, in which order, and what heals.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::daemon::Daemon;
use crate::house::{DATE, House, Run, copy, item, rss};

const ONE: &str = "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: all }]";

fn entries(n: usize) -> String {
    rss(&(0..n)
        .map(|i| {
            item(
                &format!("Entry {i}"),
                &format!("https://example.org/{i}"),
                &format!("g{i}"),
                DATE,
                &format!("<p>text {i}</p>"),
            )
        })
        .collect::<String>())
}

#[test]
fn ledger_and_site_facts_are_written() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", entries(2));
    house.run(["poll"]).success();
    let ledger = house.ledger();
    assert_eq!(ledger.len(), 2);
    for line in &ledger {
        let post =
            fs::read(house.path(&format!("data/archive/{}", line["path"].as_str().expect("path")))).expect("post");
        let sum = feedmill::model::hex(&<sha2::Sha256 as sha2::Digest>::digest(&post));
        assert_eq!(line["sha256"], sum);
        assert_eq!(
            (&line["op"], &line["feed"], &line["rule"], &line["canon"]),
            (&"add".into(), &"a".into(), &6.into(), &1.into())
        );
    }
    assert!(
        house
            .read("data/archive/_ledger/site.json")
            .starts_with(r#"{"format":1,"tag_authority":"news.example.org","tag_date":"20"#)
    );
    assert!(house.read("data/archive/_ledger/sources.jsonl").contains(r#""title":"Feed""#));
    assert!(house.read("data/archive/_ledger/state.json").contains("etag"));
}

#[test]
fn a_lost_index_and_lost_public_files_come_back_to_the_same_bytes() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", entries(3));
    house.run(["poll"]).success();
    let before = house.snapshot().into_iter().map(|(p, (bytes, _))| (p, bytes)).collect::<Vec<_>>();
    fs::remove_dir_all(house.path("data/index")).expect("removed");
    fs::remove_dir_all(house.path("data/public")).expect("removed");
    // The validators are in the archive: not even the feed is read again.
    let run = house.run(["poll"]).summary("1 not modified").success();
    assert!(run.stderr.contains("the index did not know 3 lines"), "{}", run.stderr);
    let after = house.snapshot().into_iter().map(|(p, (bytes, _))| (p, bytes)).collect::<Vec<_>>();
    assert_eq!(before, after);
    house.run(["poll", "--force"]).summary("1 read (3 duplicates)").success();
}

#[test]
fn a_clone_of_the_archive_polls_conditionally_adds_nothing_and_publishes_the_same_bytes() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", entries(3));
    house.run(["poll"]).success();
    let elsewhere = House::new();
    // The feed is where it was; only the machine is another one.
    elsewhere.write("config.yaml", house.read("config.yaml").as_bytes());
    copy(&house.path("data/archive"), &elsewhere.path("data/archive"));
    elsewhere.run(["poll"]).summary("1 not modified").success();
    assert!(house.requests().last().expect("request").headers.contains_key("if-none-match"));
    assert_eq!(elsewhere.read("data/public/all/atom.xml"), house.read("data/public/all/atom.xml"));
    elsewhere.run(["poll", "--force"]).summary("1 read (3 duplicates)").success();
    assert_eq!(elsewhere.ledger(), house.ledger());
}

#[test]
fn of_two_clones_that_were_merged_the_earliest_post_stands() {
    let (one, two) = (House::new(), House::new());
    for (house, title) in [(&one, "First"), (&two, "Second")] {
        house.config(ONE).serves("/a.xml", rss(&item(title, "https://example.org/0", "g0", DATE, "<p>x</p>")));
        house.run(["poll"]).success();
    }
    // A union merge: both posts, both lines, in any order.
    copy(&two.path("data/archive/_posts"), &one.path("data/archive/_posts"));
    let month = |house: &House| {
        let files = crate::house::files(&house.path("data/archive/_ledger"));
        files.into_iter().find(|f| f.to_string_lossy().contains("/20")).expect("month")
    };
    let merged = fs::read_to_string(month(&two)).expect("ledger") + &fs::read_to_string(month(&one)).expect("ledger");
    one.write(&month(&one).strip_prefix(one.path("")).expect("below").to_string_lossy(), merged.as_bytes());
    one.run(["reindex"]).success();
    one.run(["publish"]).success();
    let atom = one.read("data/public/all/atom.xml");
    assert!(atom.contains("<title>First</title>") && !atom.contains("<title>Second</title>"), "{atom}");
}

#[test]
fn keys_of_an_older_canonicaliser_are_reached_under_todays_addresses() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", entries(1));
    house.run(["poll"]).success();
    // As if a former version had kept another spelling of the address: another key, named in the post.
    let line = house.ledger().pop().expect("line");
    let (key, path) = (line["key"].as_str().expect("key"), line["path"].as_str().expect("path"));
    let older = feedmill::model::EntryKey::of("http://example.org/0").hex();
    let post = house.read(&format!("data/archive/{path}")).replacen(
        "\n---\n<!--",
        &format!("\nkey: \"{older}\"\n---\n<!--"),
        1,
    );
    house.write(&format!("data/archive/{path}"), post.as_bytes());
    let month = crate::house::files(&house.path("data/archive/_ledger"))
        .into_iter()
        .find(|f| f.to_string_lossy().contains("/20"))
        .expect("month");
    let text = fs::read_to_string(&month)
        .expect("ledger")
        .replace(key, &older)
        .replace("\"canon\":1", "\"canon\":0")
        .replace("\"guid\":\"g0\",", "");
    house.write(&month.strip_prefix(house.path("")).expect("below").to_string_lossy(), text.as_bytes());
    house.run(["reindex"]).success();
    house.run(["poll", "--force"]).summary("1 read (1 duplicate)").success();
    assert_eq!(house.posts().len(), 1);
}

#[test]
fn posts_that_the_index_missed_are_not_written_twice() {
    // As after a crash between files and records: the archive is ahead of the index.
    let house = House::new();
    house.config(ONE).serves("/a.xml", entries(1));
    house.run(["poll"]).success();
    let index = house.path("data/index");
    let saved = house.path("saved-index");
    copy(&index, &saved);
    house.serves("/a.xml", entries(3));
    house.run(["poll"]).summary("1 read (2 new posts, 1 duplicate)").success();
    fs::remove_dir_all(&index).expect("removed");
    copy(&saved, &index);
    house.run(["poll", "--force"]).summary("1 read (3 duplicates)").success();
    assert_eq!(house.posts().len(), 3);
    assert_eq!(house.ledger().len(), 3);
    assert_eq!(house.read("data/public/all/atom.xml").matches("<entry").count(), 3);
}

#[test]
fn a_post_that_was_deleted_comes_back_while_its_feed_carries_it() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", entries(2));
    house.run(["poll"]).success();
    let before = house.posts();
    let lost = before.keys().next().expect("post");
    fs::remove_file(house.path(&format!("data/archive/{lost}"))).expect("removed");
    house.run(["poll", "--force"]).summary("1 read (1 new post, 1 duplicate)").success();
    assert_eq!(house.posts(), before);
}

#[test]
fn a_torn_ledger_line_is_cut_off_before_the_next_one() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", entries(1));
    house.run(["poll"]).success();
    let ledger = crate::house::files(&house.path("data/archive/_ledger"))
        .into_iter()
        .find(|f| f.to_string_lossy().contains("20"))
        .expect("month");
    let whole = fs::read_to_string(&ledger).expect("ledger");
    house.write(
        &ledger.strip_prefix(house.path("")).expect("below").to_string_lossy(),
        format!("{whole}{{\"op\":\"add\",\"se").as_bytes(),
    );
    house.serves("/a.xml", entries(2));
    house.run(["poll"]).summary("1 read (1 new post, 1 duplicate)").success();
    assert_eq!(house.ledger().len(), 2);
}

/// As after a crash between the sync and the renames: files under temporary names, lines written.
fn undo_renames(house: &House, posts: &std::collections::BTreeMap<String, String>) {
    for path in posts.keys() {
        let path = house.path(&format!("data/archive/{path}"));
        let name = path.file_name().expect("name").to_string_lossy().into_owned();
        fs::rename(&path, path.with_file_name(format!(".{name}.tmp"))).expect("renamed");
    }
    house.write("data/archive/_ledger/.unclean", b"");
    fs::remove_dir_all(house.path("data/index")).expect("removed");
}

#[test]
fn a_batch_that_was_synced_is_finished() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", entries(3));
    house.run(["poll"]).success();
    let (posts, ledger) = (house.posts(), house.ledger());
    undo_renames(&house, &posts);
    let run = house.run(["poll", "--force"]).summary("1 read (3 duplicates)").success();
    assert!(run.stderr.contains("3 posts under temporary names"), "{}", run.stderr);
    assert_eq!(house.posts(), posts);
    assert_eq!(house.ledger(), ledger);
}

#[test]
fn a_batch_that_was_not_synced_is_taken_back_and_comes_again() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", entries(3));
    house.run(["poll"]).success();
    let posts = house.posts();
    undo_renames(&house, &posts);
    let torn = posts.keys().next().expect("post").replace("2021-07-28", ".2021-07-28") + ".tmp";
    house.write(&format!("data/archive/{torn}"), b"---\nlayout: po");
    let run = house.run(["poll", "--force"]).summary("1 read (1 new post, 2 duplicates)").success();
    assert!(run.stderr.contains("1 ledger lines without posts"), "{}", run.stderr);
    assert_eq!(house.posts(), posts);
    assert_eq!(house.ledger().len(), 3);
    assert!(!house.path(&format!("data/archive/{torn}")).exists());
}

#[test]
fn a_post_of_a_former_batch_that_somebody_deleted_costs_no_line() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", entries(1));
    house.run(["poll"]).success();
    let first = house.posts();
    house.serves("/a.xml", entries(2));
    house.run(["poll"]).success();
    let ledger = house.ledger();
    for path in first.keys() {
        fs::remove_file(house.path(&format!("data/archive/{path}"))).expect("removed");
    }
    house.write("data/archive/_ledger/.unclean", b"");
    let run = house.run(["poll"]).success();
    assert_eq!(run.stderr, "");
    assert_eq!(house.ledger(), ledger);
}

#[test]
fn a_version_that_was_replaced_since_then_costs_no_line() {
    let house = House::new();
    house.config(
        "storage: { raw: none }\nfeeds: [{ id: a, name: A, url: '{server}/a.xml', revisions: replace }]\ntopics: [{ id: all }]",
    );
    for text in ["one", "two", "three"] {
        house.serves("/a.xml", rss(&item("Entry", "https://example.org/0", "g0", DATE, &format!("<p>{text}</p>"))));
        house.run(["poll"]).success();
    }
    let ledger = house.ledger();
    assert_eq!(ledger.len(), 3);
    house.write("data/archive/_ledger/.unclean", b"");
    let run = house.run(["poll"]).summary("1 not modified").success();
    assert_eq!(run.stderr, "");
    assert_eq!(house.ledger(), ledger);
}

#[test]
fn a_post_that_somebody_deleted_costs_no_line_where_no_sources_are_kept() {
    let house = House::new();
    house.config(&format!("storage: {{ raw: none }}\n{ONE}"));
    house.serves("/a.xml", entries(1)).run(["poll"]).success();
    let first = house.posts();
    house.serves("/a.xml", entries(2)).run(["poll"]).success();
    let ledger = house.ledger();
    for path in first.keys() {
        fs::remove_file(house.path(&format!("data/archive/{path}"))).expect("removed");
    }
    house.write("data/archive/_ledger/.unclean", b"");
    let run = house.run(["poll"]).summary("1 not modified").success();
    assert_eq!(run.stderr, "");
    assert_eq!(house.ledger(), ledger);
}

#[test]
fn one_archive_is_written_by_one_process_whatever_index_it_has() {
    let house = House::new();
    let own = |name: &str| format!("server: {{ listen: '127.0.0.1:0', socket: data/{name}.sock }}\n{ONE}");
    house.config(&own("other")).serves("/a.xml", entries(2));
    let config = house.read("config.yaml");
    house.write(
        "other.yaml",
        format!("{config}storage: {{ index: data/other, public: data/other-public }}\n").as_bytes(),
    );
    let beside = |args: &[&str]| {
        let mut feedmill = std::process::Command::new(env!("CARGO_BIN_EXE_feedmill"));
        let done = feedmill.current_dir(house.path("")).args(["--config", "other.yaml"]).args(args).output();
        Run::of(&done.expect("runs"))
    };
    house.config(&own("own"));
    let daemon = Daemon::start(&house);
    daemon.polled("a", "polled");
    let told = "error: `data/archive` is in use by another feedmill, which has another `storage.index`; wait for it or stop it";
    let asked = house.requests().len();
    beside(&["poll", "--force"]).code(1).says(&[told]);
    assert_eq!(house.requests().len(), asked, "nothing is fetched that could not be kept");
    beside(&["forget", "https://example.org/1", "--reason", "x"]).code(1).says(&[told]);
    assert!(beside(&["daemon"]).code(1).stderr.trim_end().ends_with(told));
    // Whoever only reads is let in as soon as nothing is half done.
    while house.path("data/archive/_ledger/.unclean").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    for args in [&["verify"][..], &["explain", "https://example.org/1"], &["publish"], &["reindex"], &["status"]] {
        beside(args).success();
    }
    beside(&["poll", "--force", "--dry-run"]).summary("1 read (2 duplicates)").success();
    // What the daemon has half done is its own.
    house.write("data/archive/_ledger/.unclean", b"").write("data/archive/_posts/.new.md.tmp", b"half");
    beside(&["verify"]).code(1).says(&[told]);
    assert!(house.path("data/archive/_posts/.new.md.tmp").exists());
    assert_eq!(daemon.terminate(), 0);
    beside(&["poll", "--force"]).summary("1 read (2 duplicates)").success();
    assert_eq!(house.ledger().len(), 2);
    let hidden = crate::house::files(&house.path("data/archive")).into_iter();
    let hidden = hidden.filter(|file| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')));
    assert_eq!(hidden.collect::<Vec<_>>(), [] as [std::path::PathBuf; 0]);
}

#[test]
fn an_unwritable_archive_stops_before_anything_is_marked() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", entries(1));
    // A file where the folder has to be stops root too; permissions alone would not.
    house.write("data/archive/_posts", b"in the way");
    let run = house.run(["poll"]).code(1);
    assert!(run.stderr.contains("_posts") && run.stderr.lines().count() == 1, "{}", run.stderr);
    assert!(house.requests().is_empty(), "nothing was fetched");
    fs::remove_file(house.path("data/archive/_posts")).expect("removed");
    house.run(["poll"]).summary("1 read (1 new post)").success();
}

#[test]
fn a_month_folder_that_cannot_be_made_loses_nothing() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", entries(1));
    house.write("data/archive/_posts/2021", b"in the way");
    let run = house.run(["poll"]).code(1);
    assert!(run.stderr.contains("nothing of this poll was marked as seen"), "{}", run.stderr);
    fs::remove_file(house.path("data/archive/_posts/2021")).expect("removed");
    house.run(["poll"]).summary("1 read (1 new post)").success();
}

#[test]
fn files_are_readable_by_others() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", entries(1));
    house.run(["poll"]).success();
    let mode = fs::metadata(house.path("data/public/all/atom.xml")).expect("file").permissions().mode();
    assert_eq!(mode & 0o444, 0o444, "{mode:o}");
}
