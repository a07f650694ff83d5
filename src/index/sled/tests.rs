//! The index against a map that is held in memory.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Damage, Guard, SledIndex};
use crate::identity::Alias;
use crate::index::{Committed, Index, Remember, Takedown};
use crate::model::{EntryKey, FeedId, Fingerprint, Found, LedgerEnd, Record, Timestamp, TopicId};

/// What is done to the index.
#[derive(Clone, Debug)]
enum Step {
    /// An entry with this number gets this date and, in the topic or not, one alias more.
    Put(u8, i64, bool),
    Forget(u8),
    Clear,
    /// Closed and opened again; with its marks, or so that it is tried first.
    Reopen(bool),
    /// The topic gets exactly the entries there are.
    Topic,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..12u8, -3..3i64, any::<bool>()).prop_map(|(n, date, is)| Step::Put(n, date, is)),
        2 => (0..12u8).prop_map(Step::Forget),
        1 => Just(Step::Clear),
        2 => any::<bool>().prop_map(Step::Reopen),
        1 => Just(Step::Topic),
    ]
}

fn rule() -> Fingerprint {
    Fingerprint::of("rule")
}

fn key(number: u8) -> EntryKey {
    EntryKey::of(&number.to_string())
}

fn alias(number: u8, date: i64) -> Alias {
    Alias::Guid(FeedId::parse("a").expect("id"), format!("{number}-{date}"))
}

fn record(number: u8, date: i64) -> Record {
    let text = Fingerprint::of(&number.to_string());
    Record {
        path: format!("_posts/{number}.md"),
        feed: FeedId::parse("a"),
        also: Vec::new(),
        title: text,
        text,
        claimed: None,
        date: Timestamp::from_millis(date),
        seen: Timestamp::from_millis(date),
        guid: None,
        link: None,
        aliases: 0,
        revisions: 0,
        revised: None,
        id: None,
        rule: 6,
    }
}

/// The twin in memory.
#[derive(Default)]
struct Model {
    records: BTreeMap<EntryKey, (u8, i64)>,
    aliases: BTreeMap<(u8, i64), EntryKey>,
    topic: BTreeMap<EntryKey, i64>,
}

impl Model {
    fn newest(&self) -> Vec<EntryKey> {
        let mut order: Vec<(i64, EntryKey)> = self.topic.iter().map(|(key, date)| (-date, *key)).collect();
        order.sort();
        order.into_iter().map(|(_, key)| key).collect()
    }
}

async fn run(steps: Vec<Step>) {
    let home = tempfile::tempdir().expect("folder");
    let mut index = Some(SledIndex::open(home.path()).expect("index"));
    let mut model = Model::default();
    let mut length = 0;
    for step in steps {
        let open = index.as_ref().expect("open");
        match step {
            Step::Put(number, date, belongs) => {
                length += 1;
                let remember = Remember {
                    key: key(number),
                    record: record(number, date),
                    aliases: vec![alias(number, date)],
                    topics: vec![(rule(), belongs)],
                };
                let ledger = vec![LedgerEnd::at("2026-11.jsonl", length)];
                let complete = vec![rule()];
                let topics = vec![(TopicId::parse("t").expect("id"), rule())];
                let committed = Committed { records: vec![remember], topics, ledger, complete, ..Committed::default() };
                open.commit(committed).await.expect("committed");
                model.records.insert(key(number), (number, date));
                model.aliases.insert((number, date), key(number));
                model.topic.remove(&key(number));
                if belongs {
                    model.topic.insert(key(number), date);
                }
            }
            Step::Forget(number) => {
                let marks = vec![alias(number, 0).fingerprint()];
                let (when, topics) = (Timestamp::from_millis(0), Vec::new());
                let trace = Some(record(number, 0));
                let takedown = Takedown { key: key(number), when, id: None, topics, marks, trace };
                open.forget(takedown).await.expect("forgotten");
                model.records.remove(&key(number));
                model.topic.remove(&key(number));
            }
            Step::Clear => {
                open.clear().await.expect("cleared");
                model = Model::default();
                length = 0;
            }
            Step::Reopen(marked) => {
                drop(index.take());
                if !marked {
                    for store in ["state", "entries"] {
                        let _ = std::fs::remove_file(home.path().join(format!("{store}.closed")));
                    }
                }
                let opened = SledIndex::open_with(home.path(), &Guard::Thread, &Damage::default()).expect("index");
                assert_eq!(opened.healed(), Vec::<String>::new());
                index = Some(opened);
            }
            Step::Topic => {
                let members = model.records.iter().map(|(key, (_, date))| (Timestamp::from_millis(*date), *key));
                open.put_topic(rule(), members.collect()).await.expect("put");
                model.topic = model.records.iter().map(|(key, (_, date))| (*key, *date)).collect();
            }
        }
        agrees(index.as_ref().expect("open"), &model, length).await;
    }
}

async fn agrees(index: &SledIndex, model: &Model, length: u64) {
    let records = model.records.iter().map(|(key, (n, date))| Found { key: *key, record: record(*n, *date) });
    assert_eq!(index.all().await.expect("all"), records.collect::<Vec<_>>());
    for ((number, date), key) in &model.aliases {
        let found = index.find(&alias(*number, *date)).await.expect("found").map(|found| found.key);
        assert_eq!(found, Some(*key).filter(|key| model.records.contains_key(key)));
    }
    let newest = index.newest(rule(), 100).await.expect("newest").unwrap_or_default();
    assert_eq!(newest.into_iter().map(|found| found.key).collect::<Vec<_>>(), model.newest());
    let known = index.ledger().await.expect("ledger").iter().map(|end| end.length).sum::<u64>();
    assert_eq!(known, length);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_index_is_a_map(steps in prop::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(run(steps));
    }
}
