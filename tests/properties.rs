//! What must not matter does not matter: the order of feeds, how entries are split into polls.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::house::{item, rss};
use crate::world::World;

/// An entry drawn at random: few links, guids and titles, so that they meet.
#[derive(Clone, Debug)]
struct Drawn {
    link: u32,
    day: u32,
    text: u32,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    (0..12_u32, 1..28_u32, 0..3_u32).prop_map(|(link, day, text)| Drawn { link, day, text })
}

/// An item whose link, guid and title belong together, as a sane publisher writes it.
fn written(entry: &Drawn) -> String {
    let Drawn { link, day, text } = entry;
    item(
        &format!("Title {link}"),
        &format!("https://example.org/{link}"),
        &format!("g{link}"),
        &format!("{day:02} Jul 2021 11:01:00 GMT"),
        &format!("<p>text {text}</p>"),
    )
}

fn one_of_each(entries: &[Drawn]) -> Vec<Drawn> {
    let by_link: BTreeMap<u32, Drawn> = entries.iter().map(|entry| (entry.link, entry.clone())).collect();
    by_link.into_values().collect()
}

fn document(entries: &[Drawn]) -> String {
    rss(&entries.iter().map(written).collect::<String>())
}

/// Bytes of every post, by path.
fn posts(world: &World) -> BTreeMap<String, String> {
    let root = world.home.path().join("archive/_posts");
    let files = crate::house::files(&root);
    files
        .into_iter()
        .map(|f| {
            (f.strip_prefix(&root).expect("below").display().to_string(), std::fs::read_to_string(&f).expect("post"))
        })
        .collect()
}

fn feeds(ids: &[&str]) -> String {
    let list: Vec<String> =
        ids.iter().map(|id| format!("{{ id: {id}, name: {id}, url: 'https://{id}.example.net/feed' }}")).collect();
    format!("feeds: [{}]", list.join(", "))
}

/// An item whose parts meet those of others at random, as a careless publisher writes it.
fn careless() -> impl Strategy<Value = String> {
    let guid = prop_oneof![
        Just(String::new()),
        (0..4_u32).prop_map(|n| format!("g{n}")),
        (0..4_u32).prop_map(|n| format!("https://example.org/guid/{n}"))
    ];
    (0..3_u32, guid, 0..3_u32, 1..4_u32, 0..6_u32).prop_map(|(link, guid, title, day, text)| {
        item(
            &format!("Title {title}"),
            &format!("https://example.org/{link}"),
            &guid,
            &format!("{day:02} Jul 2021 11:01:00 GMT"),
            &format!("<p>text {text}</p>"),
        )
    })
}

/// Every text that the archive holds, as a post or as a former version of one.
fn texts(world: &World) -> String {
    let files =
        ["_posts", "_revisions"].map(|folder| crate::house::files(&world.home.path().join("archive").join(folder)));
    files.into_iter().flatten().map(|file| std::fs::read_to_string(file).expect("post")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_a_feed_does_with_guids_links_and_titles_every_text_is_kept(
        documents in prop::collection::vec(prop::collection::vec(careless(), 0..6), 1..5),
    ) {
        let world = World::one("");
        for entries in documents {
            world.step(rss(&entries.concat()));
            let kept = texts(&world);
            for entry in entries {
                let text = entry.split("<![CDATA[").nth(1).and_then(|rest| rest.split("]]").next()).expect("text");
                prop_assert!(kept.contains(text), "{text} of {entry} is lost");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_order_of_feeds_does_not_matter(a in prop::collection::vec(drawn(), 0..8), b in prop::collection::vec(drawn(), 0..8)) {
        let (a, b) = (one_of_each(&a), one_of_each(&b));
        let poll = |ids: &[&str]| {
            let world = World::new(&feeds(ids));
            world.serve("a", document(&a)).serve("b", document(&b)).poll();
            posts(&world)
        };
        prop_assert_eq!(poll(&["a", "b"]), poll(&["b", "a"]));
    }

    #[test]
    fn splitting_entries_into_polls_does_not_matter(entries in prop::collection::vec(drawn(), 1..12), cut in 0..12_usize) {
        let entries = one_of_each(&entries);
        let (first, second) = entries.split_at(cut.min(entries.len()));
        let together = World::one("");
        together.step(document(&entries));
        let split = World::one("");
        split.step(document(first));
        split.step(document(second));
        prop_assert_eq!(posts(&split), posts(&together));
    }

    #[test]
    fn the_order_of_entries_does_not_matter_and_polling_twice_adds_nothing(entries in prop::collection::vec(drawn(), 1..10)) {
        let entries = one_of_each(&entries);
        let reversed: Vec<Drawn> = entries.iter().rev().cloned().collect();
        let forwards = World::one("");
        forwards.step(document(&entries));
        let backwards = World::one("");
        backwards.step(document(&reversed));
        prop_assert_eq!(posts(&forwards), posts(&backwards));
        prop_assert_eq!(forwards.step(document(&reversed)), (0, 0, entries.len()));
        prop_assert_eq!(forwards.ledger().len(), entries.len());
    }
}
