//! sled's index against plain maps: the same operations, the same answers.

use std::collections::BTreeMap;

use proptest::prelude::*;
use url::Url;

use feedmill::identity::{Alias, Identity, canonical_url};
use feedmill::index::{Committed, FeedState, Index, Remember, SledIndex, Takedown};
use feedmill::model::{
    CanonicalUrl, Dedup, EntryKey, FeedId, Fingerprint, Found, Record, Timestamp, TopicId, Validators,
};

use crate::twin::Twin;

#[derive(Clone, Debug)]
enum Operation {
    Commit {
        records: Vec<(Record, EntryKey, Vec<Alias>, Vec<bool>)>,
        ledger: u64,
        rules: usize,
        stale: usize,
        complete: usize,
    },
    Forget(EntryKey, Vec<Alias>, usize, Option<Box<Record>>),
    Clear,
    /// With those of the records that there are.
    PutTopic(Fingerprint, Vec<EntryKey>),
    PutPublished(TopicId, Fingerprint),
    PutStates(Vec<(FeedId, FeedState)>),
    Reopen,
    LoseEntries,
}

const MANY: usize = 6;

/// Few of everything, so that they meet.
fn few<T: Clone + std::fmt::Debug + 'static>(of: impl Fn(usize) -> T) -> impl Strategy<Value = T> {
    prop::sample::select((0..MANY).map(of).collect::<Vec<_>>())
}

fn url(n: usize) -> CanonicalUrl {
    canonical_url(&Url::parse(&format!("https://example.org/{n}")).expect("address")).expect("canonical")
}

/// Plain keys of the addresses, and others.
fn key(n: usize) -> EntryKey {
    if n.is_multiple_of(2) { EntryKey::of(url(n / 2).as_str()) } else { EntryKey::of(&format!("discriminated {n}")) }
}

fn feed(n: usize) -> FeedId {
    FeedId::parse(&format!("feed-{}", n % 3)).expect("id")
}

fn topic(n: usize) -> TopicId {
    // One id begins with another.
    TopicId::parse(["t", "t-t", "other"][n % 3]).expect("id")
}

fn print(n: usize) -> Fingerprint {
    Fingerprint::of(&format!("print {n}"))
}

fn rule(n: usize) -> Fingerprint {
    Fingerprint::of(&format!("rule {}", n % 3))
}

/// The first `n` topics with their rules.
fn topics(n: usize) -> Vec<(TopicId, Fingerprint)> {
    (0..n).map(|n| (topic(n), rule(n))).collect()
}

fn guid(n: usize) -> String {
    format!("https://example.org/guid-{}", n % 3)
}

/// Before, at and after 1970, and as far as dates go.
fn time() -> impl Strategy<Value = Timestamp> {
    prop::sample::select(vec![-62_135_596_800_000, -86_400_001, -1, 0, 1, 1_627_470_060_000, 253_402_300_799_000])
        .prop_map(Timestamp::from_millis)
}

fn alias() -> impl Strategy<Value = Alias> {
    prop_oneof![
        (few(feed), few(guid)).prop_map(|(feed, guid)| Alias::Guid(feed, guid)),
        few(url).prop_map(Alias::Url),
        (few(url), few(print)).prop_map(|(url, title)| Alias::Pair(url, title)),
        few(guid).prop_map(Alias::Published),
        (few(feed), few(print), time()).prop_map(|(feed, text, day)| Alias::Text(feed, text, text, day.day())),
    ]
}

prop_compose! {
    fn record()(
        (path, feed, also) in (0..MANY, prop::option::of(few(feed)), prop::collection::vec(few(feed), 0..3)),
        (title, text, guid, link) in (few(print), few(print), prop::option::of(few(print)), prop::option::of(few(print))),
        (claimed, date, seen, revised) in (prop::option::of(time()), time(), time(), prop::option::of(time())),
        (aliases, revisions, id, rule) in (any::<u32>(), any::<u32>(), prop::option::of(".{0,20}"), any::<u8>()),
    ) -> Record {
        Record { path: format!("_posts/字-{path}.md"), feed, also, title, text, claimed, date, seen, guid, link, aliases, revisions, revised, id, rule }
    }
}

fn operation() -> impl Strategy<Value = Operation> {
    let remembered =
        (record(), few(key), prop::collection::vec(alias(), 0..4), prop::collection::vec(any::<bool>(), 3));
    let commit = (prop::collection::vec(remembered, 0..6), any::<u64>(), 0..4_usize, 0..4_usize, 0..4_usize).prop_map(
        |(records, ledger, rules, stale, complete)| Operation::Commit { records, ledger, rules, stale, complete },
    );
    let state =
        (any::<bool>(), prop::option::of(any::<i64>()), any::<u32>()).prop_map(|(known, polled, failures)| FeedState {
            url: "https://example.org/feed".into(),
            validators: Validators { etag: known.then(|| "W/\"odd\u{e9}\"".into()), last_modified: None, from: None },
            polled,
            last_new: polled,
            failures,
            ..FeedState::default()
        });
    prop_oneof![
        8 => commit,
        2 => (few(key), prop::collection::vec(alias(), 0..3), 0..3_usize, prop::option::of(record()))
            .prop_map(|(key, marks, n, trace)| Operation::Forget(key, marks, n, trace.map(Box::new))),
        1 => Just(Operation::Clear),
        2 => (few(rule), prop::collection::vec(few(key), 0..5)).prop_map(|(rule, members)| Operation::PutTopic(rule, members)),
        2 => (few(topic), few(print)).prop_map(|(topic, from)| Operation::PutPublished(topic, from)),
        2 => prop::collection::vec((few(feed), state), 0..3).prop_map(Operation::PutStates),
        2 => Just(Operation::Reopen),
        1 => Just(Operation::LoseEntries),
    ]
}

prop_compose! {
    fn identity()(
        feed in few(feed), canonical in prop::option::of(few(url)), discriminated in few(key), guid in prop::option::of(few(guid)),
        title in few(print), text in few(print), claimed in prop::option::of(time()), text_is_telling in any::<bool>(),
    ) -> Identity {
        Identity {
            plain: canonical.as_ref().map(|url| EntryKey::of(url.as_str())),
            feed, canonical, discriminated, guid, title, text, claimed, text_is_telling,
            apart: EntryKey::of("apart"), guid_is_link: false, sign: None, link_is_shared: false, pair_is_void: false, dedup: Dedup::Auto,
        }
    }
}

/// A commit as the program makes them: each key once, each record applied to all of today's rules,
/// which are complete when there is no other record.
fn committed(operation: &Operation, known: &[Found]) -> Option<Committed> {
    let Operation::Commit { records, ledger, rules, stale, complete } = operation else { return None };
    let is_all = known.iter().all(|found| records.iter().any(|(_, key, ..)| *key == found.key));
    let topics = topics(*rules);
    let by_key: BTreeMap<EntryKey, Remember> = records
        .iter()
        .map(|(record, key, aliases, belongs)| {
            let belongs = topics.iter().zip(belongs).map(|((_, rule), belongs)| (*rule, *belongs)).collect();
            (*key, Remember { key: *key, record: record.clone(), aliases: aliases.clone(), topics: belongs })
        })
        .collect();
    Some(Committed {
        records: by_key.into_values().rev().collect(),
        complete: topics.iter().take(*complete).filter(|_| is_all).map(|(_, rule)| *rule).collect(),
        stale: (0..*stale).map(topic).collect(),
        ledger: vec![feedmill::model::LedgerEnd::at("2026-09.jsonl", *ledger)],
        topics,
    })
}

async fn apply<I: Index>(index: &I, operation: &Operation) {
    let done = match operation.clone() {
        Operation::Commit { .. } => {
            let known = index.all().await.expect("records");
            index.commit(committed(operation, &known).expect("commit")).await
        }
        Operation::Forget(key, marks, n, trace) => {
            let marks = marks.iter().map(Alias::fingerprint).collect();
            let when = Timestamp::from_millis(i64::try_from(n).expect("small") * 1_000 - 1_000);
            let takedown = Takedown {
                key,
                when,
                id: (n > 0).then(|| format!("id {n}")),
                topics: vec![topic(n)],
                marks,
                trace: trace.map(|trace| *trace),
            };
            index.forget(takedown).await
        }
        Operation::Clear => index.clear().await,
        Operation::PutTopic(rule, keys) => {
            let mut members = Vec::new();
            for key in keys {
                members.extend(index.record(&key).await.expect("record").map(|record| (record.date, key)));
            }
            index.put_topic(rule, members).await
        }
        Operation::PutPublished(topic, from) => index.put_published(&topic, from).await,
        Operation::PutStates(states) => index.put_feed_states(states).await,
        Operation::Reopen | Operation::LoseEntries => Ok(()),
    };
    done.expect("done");
}

/// Everything that can be asked, as text.
async fn answers<I: Index>(index: &I, ids: &[Identity], aliases: &[Alias]) -> Vec<String> {
    let mut answers = Vec::new();
    macro_rules! ask {
        ($($call:tt)*) => { answers.push(format!("{}: {:?}", stringify!($($call)*), index.$($call)*.await)) };
    }
    ask!(all());
    ask!(some_after(None, 2));
    ask!(some_after(Some(key(1)), 2));
    ask!(ledger());
    ask!(records(ids));
    ask!(takedowns());
    ask!(struck());
    ask!(forgotten(
        (0..MANY).map(|n| (key(n), aliases.iter().map(Alias::fingerprint).take(n % 2).collect())).collect()
    ));
    for alias in aliases {
        ask!(find(alias));
    }
    for n in 0..MANY {
        ask!(record(&key(n)));
        ask!(by_path(&format!("_posts/字-{n}.md")));
    }
    for n in 0..3 {
        ask!(taken_down(&topic(n), 2));
        ask!(newest(rule(n), 0));
        ask!(newest(rule(n), 2));
        ask!(newest(rule(n), 100));
        ask!(members(rule(n), (0..MANY).map(|m| (Timestamp::default(), key(m))).collect()));
        ask!(history(&format!("topic/{n}")));
        ask!(published(&topic(n)));
        ask!(feed_state(&feed(n)));
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sled_remembers_what_maps_remember(
        operations in prop::collection::vec(operation(), 1..24),
        ids in prop::collection::vec(identity(), 4),
        aliases in prop::collection::vec(alias(), 8),
    ) {
        let folder = tempfile::tempdir().expect("folder");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        let mut sled = Some(SledIndex::open(folder.path()).expect("index"));
        let twin = Twin::default();
        for operation in &operations {
            if matches!(operation, Operation::Reopen | Operation::LoseEntries) {
                sled = None;
                if matches!(operation, Operation::LoseEntries) {
                    // It is made when it is first needed.
                    let _ = std::fs::remove_dir_all(folder.path().join("entries"));
                    twin.memory().lose_entries();
                }
            }
            let sled = sled.get_or_insert_with(|| SledIndex::open(folder.path()).expect("index"));
            let (got, wanted) = runtime.block_on(async {
                apply(sled, operation).await;
                apply(&twin, operation).await;
                (answers(sled, &ids, &aliases).await, answers(&twin, &ids, &aliases).await)
            });
            for (got, wanted) in got.iter().zip(&wanted) {
                prop_assert_eq!(got, wanted, "after {:?}", operation);
            }
        }
    }
}
