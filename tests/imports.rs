//! Taking over the posts of other makers again, and from anywhere.

use std::fs;

use crate::house::{House, files};

fn post(n: usize) -> String {
    format!("---\nlayout: post\ntitle: \"T{n}\"\ndate: 2020-01-02\nfrom: https://example.org/{n}\n---\nold text\n")
}

fn with_two_posts(folder: &str) -> House {
    let house = House::new();
    house.config("feeds: []\ntopics: [{ id: all }]");
    for n in [1, 2] {
        house.write(&format!("{folder}/_posts/2020-01-02-{n}.md"), post(n).as_bytes());
    }
    house
}

#[test]
fn a_file_that_was_deleted_is_taken_over_again() {
    let house = with_two_posts("old");
    house.run(["import", "old"]).success();
    fs::remove_file(house.path("data/archive/_posts/2020-01-02-1.md")).expect("removed");
    house.run(["verify"]).code(1);
    let run = house.run(["import", "old"]).success();
    assert!(run.stdout.contains("imported 1 post: 1 known before"), "{}", run.stdout);
    assert_eq!(house.read("data/archive/_posts/2020-01-02-1.md"), post(1));
    house.run(["verify", "--deep"]).success();
    assert!(house.run(["import", "old"]).success().stdout.contains("imported 0 posts: 2 known before"));
}

#[test]
fn a_folder_below_one_of_posts_has_only_its_own_posts() {
    for above in ["archived/blog", "_posts/blog"] {
        let house = with_two_posts(above);
        house.write(&format!("{above}/pictures/one.jpg"), b"a picture");
        let run = house.run(["import", above]).success();
        assert!(run.stdout.contains("imported 2 posts: 0 known before, 0 unreadable"), "{}", run.stdout);
        assert_eq!(files(&house.path("data/archive/_posts")).len(), 2);
        // What lies among the posts is named all the same.
        house.write(&format!("{above}/_posts/two.jpg"), b"a picture");
        house.run(["import", &format!("{above}/_posts")]).code(4);
    }
}
