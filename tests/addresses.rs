//! Where a feed is asked: validators go back to whoever gave them, and hosts that want to be left alone are, wherever
//! redirects and mirrors lead.

use crate::house::{House, Page};
use crate::polite::{entries, redirect, two_names};

fn status(status: u16) -> Page {
    Page { status, headers: vec![], body: vec![] }
}

/// Since then: what was asked, and whether with validators.
fn asked(house: &House, since: usize) -> Vec<(String, bool)> {
    let asked = house.requests().split_off(since).into_iter();
    asked.map(|request| (request.to, request.headers.contains_key("if-none-match"))).collect()
}

#[test]
fn validators_go_only_to_the_address_that_gave_them() {
    let (house, one, other) = two_names("feeds: [{ id: a, name: A, url: '{server}/a' }]");
    house.serves("/a", entries(0..2));
    house.run(["poll"]).success();
    // A page that is never modified says so to everybody.
    house.serves_page("/a", redirect(&format!("http://{other}/home"))).serves_page("/home", status(304));
    let before = house.requests().len();
    for _ in 0..3 {
        let run = house.run(["poll"]).summary("1 failed").code(4);
        assert!(run.stderr.contains("although nothing was known of it yet"), "{}", run.stderr);
    }
    let expected = [(format!("{one}/a"), true), (format!("{other}/home"), false)];
    assert_eq!(asked(&house, before), [&expected[..]; 3].concat());
    assert!(!house.read("data/archive/_ledger/state.json").contains("moved"));
}

#[test]
fn a_feed_that_always_lies_elsewhere_is_asked_there_with_its_validators() {
    let (house, one, other) = two_names("feeds: [{ id: a, name: A, url: '{server}/a' }]");
    let elsewhere = Page { status: 302, ..redirect(&format!("http://{other}/b")) };
    house.serves_page("/a", elsewhere).serves("/b", entries(0..2));
    house.run(["poll"]).success();
    let before = house.requests().len();
    let state = house.snapshot();
    house.run(["poll"]).summary("1 not modified").success();
    assert_eq!(house.snapshot(), state);
    // So does a clone of the archive.
    std::fs::remove_dir_all(house.path("data/index")).expect("index");
    house.run(["poll"]).summary("1 not modified").success();
    let expected = [(format!("{one}/a"), false), (format!("{other}/b"), true)];
    assert_eq!(asked(&house, before), [&expected[..]; 2].concat());
}

#[test]
fn a_stranger_stays_one_while_nothing_changes() {
    for has_etag in [true, false] {
        let (house, _, other) = two_names("feeds: [{ id: a, name: A, url: '{server}/a' }]");
        house.serves("/a", entries(0..2));
        house.run(["poll"]).success();
        let casino = Page::of(entries(100..102));
        let headers = if has_etag { casino.headers } else { vec![] };
        house.serves_page("/a", redirect(&format!("http://{other}/casino")));
        house.serves_page("/casino", Page { headers, ..Page::of(entries(100..102)) });
        for _ in 0..4 {
            let run = house.run(["poll"]).success();
            assert!(run.stderr.contains("that is another domain and holds no entry"), "{}", run.stderr);
        }
        assert!(!house.read("data/archive/_ledger/state.json").contains("moved"));
    }
}

#[test]
fn the_same_document_at_a_new_address_is_the_same_feed() {
    let (house, _, other) = two_names("feeds: [{ id: a, name: A, url: '{server}/a' }]");
    house.serves("/a", entries(0..2));
    house.run(["poll"]).success();
    house.serves_page("/a", redirect(&format!("http://{other}/b"))).serves("/b", entries(0..2));
    assert_eq!(house.run(["poll"]).summary("1 not modified").success().stderr, "");
    let run = house.run(["poll"]).summary("1 not modified").success();
    assert!(run.stderr.contains(&format!("it is asked at `http://{other}/b` from now on")), "{}", run.stderr);
}

fn busy() -> Page {
    Page { headers: vec![("Retry-After".into(), "3600".into())], ..status(429) }
}

#[test]
fn a_host_that_wants_to_be_left_alone_is_not_asked_for_the_mirror_that_it_holds() {
    let house = House::new();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a', mirrors: ['{server}/m'] }]");
    house.serves_page("/a", busy()).serves("/m", entries(0..2));
    house.run(["poll"]).summary("1 failed").code(4);
    assert_eq!(house.requests().len(), 1);
    house.run(["poll"]).summary("1 skipped").success();
    assert_eq!(house.requests().len(), 1);
    house.run(["poll", "--force"]).summary("1 read (2 new posts)").success();
}

#[test]
fn no_redirect_leads_to_a_host_that_wants_to_be_left_alone() {
    let (house, one, other) = two_names(
        "feeds: [{ id: a, name: A, url: '{server}/a' }, { id: b, name: B, url: '{other}/b' }, \
         { id: c, name: C, url: '{other}/c' }]",
    );
    house.serves_page("/a", busy()).serves("/x", entries(0..2));
    for path in ["/b", "/c"] {
        house.serves_page(path, redirect(&format!("http://{one}/x")));
    }
    house.run(["poll", "a"]).summary("1 failed").code(4);
    let run = house.run(["poll", "b"]).summary("1 failed").code(4);
    assert!(run.stderr.contains(&format!("`{one}` asks to be left alone until ")), "{}", run.stderr);
    assert_eq!(asked(&house, 1), [(format!("{other}/b"), false)]);
    // It is known from now on where that one leads.
    let run = house.run(["-v", "poll", "b"]).summary("1 skipped").success();
    assert!(run.stdout.contains("its host asks to be left alone until"), "{}", run.stdout);
    house.run(["poll", "c", "--force"]).summary("1 read (2 new posts)").success();
}
