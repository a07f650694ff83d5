//! Posts that somebody edits: they stay as they are, are shown as they are, and nothing is written over them.

use crate::house::{DATE, House, item, rss};

const CONFIG: &str = "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: t }]";

/// The feed as it is at its `nth` poll: entries stay the same, the document changes.
fn feed(nth: usize) -> String {
    let entry = |n: usize| {
        let link = format!("https://example.org/{n}");
        item(&format!("T{n}"), &link, &format!("g{n}"), DATE, &format!("<p>text {n}</p>"))
    };
    rss(&format!("<generator>{nth}</generator>{}", (0..6).map(entry).collect::<String>()))
}

/// Ways to edit a post that a person or an editor has.
const EDITS: [fn(&str) -> String; 6] = [
    |text| format!("{text}\nNote: the source has been taken offline.\n"),
    |text| text.trim_end().to_owned(),
    |text| text.replace('\n', "\r\n"),
    |text| text.replace("<div>\n", "").replace("\n</div>", ""),
    |text| format!("{text}\n\n"),
    |text| text.replace("T5", "T5 (corrected)"),
];

/// A house in which every post was edited, and what they look like.
fn edited() -> (House, std::collections::BTreeMap<String, String>) {
    let house = House::new();
    house.config(CONFIG).serves("/a.xml", feed(0));
    house.run(["poll"]).summary("1 read (6 new posts)").success();
    for (path, text) in house.posts() {
        let number = (0..6).find(|n| text.contains(&format!("example.org/{n})"))).expect("number");
        house.write(&format!("data/archive/{path}"), EDITS[number](&text).as_bytes());
    }
    let posts = house.posts();
    (house, posts)
}

#[test]
fn an_edited_post_stays_and_is_no_new_entry() {
    let (house, posts) = edited();
    house.serves("/a.xml", feed(1));
    house.run(["poll"]).summary("1 read (6 duplicates)").says(&[]).success();
    assert_eq!(house.posts(), posts);
    assert_eq!(house.ledger().len(), 6);
}

#[test]
fn an_edited_post_is_shown_after_the_index_was_made_anew() {
    let (house, posts) = edited();
    house.serves("/a.xml", rss(""));
    std::fs::remove_dir_all(house.path("data/index")).expect("removed");
    house.run(["poll"]).success();
    house.run(["verify"]).success();
    let shown = house.read("data/public/t/atom.xml");
    for number in 0..6 {
        assert!(shown.contains(&format!("text {number}")), "{number}\n{shown}");
    }
    assert!(shown.contains("T5 (corrected)") && !shown.contains("taken offline"), "{shown}");
    crate::house::assert_valid_atom(house.path("data/public/t/atom.xml").to_str().expect("path"));
    assert_eq!(house.posts(), posts);
}

#[test]
fn an_edited_post_that_nothing_knows_is_kept_as_a_former_version() {
    let (house, posts) = edited();
    // Neither index nor ledger: as if the posts alone had been copied here while the program ran.
    std::fs::remove_dir_all(house.path("data/archive/_ledger")).expect("removed");
    let away = house.path("away");
    std::fs::rename(house.path("data/archive/_posts"), &away).expect("aside");
    std::fs::remove_dir_all(house.path("data/index")).expect("removed");
    house.serves("/a.xml", rss(&item("Other", "https://example.org/other", "other", DATE, "<p>other</p>")));
    house.run(["poll"]).success();
    crate::house::copy(&away, &house.path("data/archive/_posts"));
    house.serves("/a.xml", feed(2));
    house.run(["poll"]).summary("1 read (6 new posts)").success();
    let kept: Vec<Vec<u8>> = crate::house::files(&house.path("data/archive/_revisions"))
        .iter()
        .map(|file| std::fs::read(file).expect("read"))
        .collect();
    for text in posts.values() {
        let is_there = house.posts().values().any(|post| post == text) || kept.contains(&text.clone().into_bytes());
        assert!(is_there, "{text}");
    }
    house.run(["verify", "--deep"]).success();
}
