//! Two clones of an archive that were merged as git merges them.

use std::fs;

use crate::house::{DATE, House, copy, item, rss};

const CONFIG: &str = "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: t }]";

fn feed(numbers: &[u32]) -> String {
    let entry = |n: &u32| {
        let link = format!("https://example.org/{n}");
        item(&format!("T{n}"), &link, &format!("g{n}"), DATE, &format!("<p>text {n}</p>"))
    };
    rss(&numbers.iter().map(entry).collect::<String>())
}

/// The only month of a ledger.
pub fn month(house: &House) -> std::path::PathBuf {
    let is_month = |file: &std::path::PathBuf| {
        let name = file.file_name().expect("name").to_string_lossy();
        name.contains('-') && name.ends_with(".jsonl")
    };
    crate::house::files(&house.path("data/archive/_ledger")).into_iter().find(is_month).expect("month")
}

#[test]
fn lines_of_another_clone_are_known_wherever_they_stand() {
    let (ours, theirs) = (House::new(), House::new());
    ours.config(CONFIG).serves("/a.xml", feed(&[1, 2, 3]));
    theirs.config(CONFIG);
    ours.run(["poll"]).success();
    copy(&ours.path("data/archive"), &theirs.path("data/archive"));
    let common = fs::read_to_string(month(&ours)).expect("ledger");
    // They bring entries and take one down; ours bring others.
    theirs.serves("/a.xml", feed(&[1, 2, 3, 10, 11]));
    theirs.run(["poll"]).success();
    theirs.run(["forget", "https://example.org/1", "--reason", "asked"]).success();
    ours.serves("/a.xml", feed(&[1, 2, 3, 20, 21, 22, 23, 24, 25]));
    ours.run(["poll"]).success();
    let added = |house: &House| fs::read_to_string(month(house)).expect("ledger")[common.len()..].to_owned();
    let merged = format!("{common}{}{}", added(&theirs), added(&ours));
    crate::house::write(&month(&ours), merged.as_bytes());
    copy(&theirs.path("data/archive/_posts"), &ours.path("data/archive/_posts"));
    let gone = ours.posts().into_iter().find(|(_, text)| text.contains("text 1<")).expect("post").0;
    fs::remove_file(ours.path(&format!("data/archive/{gone}"))).expect("removed");
    ours.serves("/a.xml", feed(&[1, 2, 3, 20, 21, 22, 23, 24, 25, 10, 11]));
    let run = ours.run(["poll"]).success();
    assert!(run.stderr.contains("the index knew lines that the ledger does not hold"), "{}", run.stderr);
    assert_eq!(ours.posts().len(), 10);
    let shown = ours.read("data/public/t/atom.xml");
    for number in [2, 3, 10, 11, 20, 25] {
        assert!(shown.contains(&format!("text {number}&lt;")), "{number}\n{shown}");
    }
    assert!(!shown.contains("text 1&lt;"), "{shown}");
    let ledger = fs::read_to_string(month(&ours)).expect("ledger");
    assert_eq!(ledger.matches("\"op\":\"add\"").count(), 3 + 2 + 6, "nothing is new for it");
    ours.run(["verify", "--deep"]).success();
    // From then on it is known.
    assert_eq!(ours.run(["poll", "--force"]).success().stderr, "");
}
