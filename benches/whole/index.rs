//! The index by itself: records without posts.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use feedmill::config::{self, Source};
use feedmill::identity::{Alias, Identity, canonical_url, text_fingerprint, title_fingerprint};
use feedmill::index::{Committed, Index, Remember, SledIndex};
use feedmill::model::{Dedup, EntryKey, FeedId, Fingerprint, Record, Timestamp};
use feedmill::topic;
use url::Url;

use crate::meter;
use crate::ours::{House, folder};
use crate::random::Random;
use crate::record;

/// Records that are put at a time, and entries that are looked up at a time as those of one feed are.
const PORTION: usize = 5_000;
const FEED: usize = 20;

/// For each number of records: an index of them, opened by another process.
pub fn run(sizes: &[usize], out: Option<&Path>) {
    let mut rows = record::Record::new(out, "index");
    let tool = std::env::current_exe().expect("own path");
    for &size in sizes {
        let scratch = folder();
        let (at, said) = (scratch.path().join("index"), scratch.path().join("out"));
        let at = at.to_str().expect("a path");
        let size = size.to_string();
        let filled = meter::run(&tool, &["index-fill", at, &size], &said);
        assert_eq!(filled.code, 0, "the index could not be filled");
        let read = meter::run(&tool, &["index-read", at, &size], &said);
        assert_eq!(read.code, 0, "the index could not be read");
        let text = std::fs::read_to_string(&said).expect("figures");
        let [open, known, unknown] = serde_json::from_str::<[f64; 3]>(&text).expect("three figures");
        rows.row(&[
            ("records", size),
            ("fill_s", format!("{:.2}", filled.wall)),
            ("fill_peak_mib", format!("{:.1}", filled.peak)),
            ("open_ms", format!("{:.2}", open * 1e3)),
            ("known_per_s", format!("{known:.0}")),
            ("unknown_per_s", format!("{unknown:.0}")),
            ("read_peak_mib", format!("{:.1}", read.peak)),
            ("disk_mib", format!("{:.1}", disk(Path::new(at)))),
        ]);
    }
}

/// Puts records that no ledger knows beside those of a poll.
pub fn stuff(house: &House, records: usize) {
    let tool = std::env::current_exe().expect("own path");
    let (index, config) = (house.path("index"), house.path("feedmill.yaml"));
    let paths = [index.to_str().expect("a path"), config.to_str().expect("a path")];
    let cost = meter::run(&tool, &["index-fill", paths[0], &records.to_string(), paths[1]], &house.path("out"));
    assert_eq!(cost.code, 0, "the index could not be filled");
}

/// The child that fills an index; with a config its topics know that none of the records is theirs.
pub fn fill(at: &Path, records: usize, config: Option<&Path>) {
    let text = config.map(|file| std::fs::read_to_string(file).expect("a config"));
    let config = text.map(|text| config::read(&[Source { name: "config", text: &text }], &|_| None).expect("a config"));
    let topics = config.map(|config| topic::rules(&config.topics)).unwrap_or_default();
    block_on(async {
        let index = SledIndex::open(at).expect("an index");
        let ledger = index.ledger().await.expect("a position");
        for first in (0..records).step_by(PORTION) {
            let some = first..records.min(first + PORTION);
            let remember =
                |at| Remember { topics: topics.iter().map(|(_, rule)| (*rule, false)).collect(), ..entry(at) };
            let mut committed = Committed { ledger: ledger.clone(), topics: topics.clone(), ..Committed::default() };
            committed.records = some.map(remember).collect();
            committed.records.sort_by_key(|remember| remember.key);
            index.commit(committed).await.expect("committed");
        }
    });
}

/// The child that opens an index and looks entries up; it prints seconds and lookups per second.
pub fn read(at: &Path, records: usize) {
    block_on(async {
        let start = Instant::now();
        let index = SledIndex::open(at).expect("an index");
        // The store of entries is opened with the first question.
        index.record(&EntryKey::of("none")).await.expect("an answer");
        let open = start.elapsed().as_secs_f64();
        let mut random = Random::of(&[6]);
        let mut rates = [0.0; 2];
        for (rate, first) in rates.iter_mut().zip([0, records]) {
            let lookups = records.min(100_000);
            let feeds: Vec<Vec<Identity>> = (0..lookups / FEED)
                .map(|_| (0..FEED).map(|_| identity(first + random.below(records))).collect())
                .collect();
            let start = Instant::now();
            for feed in &feeds {
                let known = black_box(index.records(feed).await.expect("answers"));
                assert!(known.iter().all(|known| known.url.is_some() == (first == 0)), "the index forgot");
            }
            *rate = (feeds.len() * FEED) as f64 / start.elapsed().as_secs_f64();
        }
        println!("{}", serde_json::to_string(&[open, rates[0], rates[1]]).expect("json"));
    });
}

fn identity(at: usize) -> Identity {
    let link = Url::parse(&format!("https://site{}.example/archive/{at}.html", at % 1000)).expect("url");
    let canonical = canonical_url(&link);
    let plain = canonical.as_ref().map(|canonical| EntryKey::of(canonical.as_str()));
    Identity {
        feed: FeedId::parse(&format!("feed{}", at % 1000)).expect("id"),
        canonical,
        plain,
        discriminated: EntryKey::of(&format!("discriminated {at}")),
        guid: Some(format!("https://site{}.example/?p={at}", at % 1000)),
        title: title_fingerprint(&format!("title {at}")),
        text: text_fingerprint(&format!("text {at}")).0,
        claimed: Some(date(at)),
        apart: EntryKey::of("apart"),
        guid_is_link: false,
        sign: None,
        link_is_shared: false,
        pair_is_void: false,
        text_is_telling: true,
        dedup: Dedup::Auto,
    }
}

fn date(at: usize) -> Timestamp {
    Timestamp::from_millis(1_500_000_000_000 + i64::try_from(at).expect("small") * 60_000)
}

/// What the index keeps of an entry that came with a guid and a long text.
fn entry(at: usize) -> Remember {
    let id = identity(at);
    let key = id.plain.expect("a link");
    let aliases = [id.guid_alias(), id.text_alias(), id.guid.clone().map(Alias::Published)];
    let record = Record {
        path: format!("_posts/2017/07/2017-07-14-title-{at}-{}.md", &key.hex()[..8]),
        feed: Some(id.feed.clone()),
        also: Vec::new(),
        title: id.title,
        text: id.text,
        claimed: id.claimed,
        date: date(at),
        seen: date(at),
        guid: id.guid_fingerprint(),
        link: id.canonical.as_ref().map(|canonical| Fingerprint::of(canonical.as_str())),
        aliases: 0,
        revisions: 0,
        revised: None,
        id: id.guid.clone(),
        rule: 6,
    };
    Remember { key, record, aliases: aliases.into_iter().flatten().collect(), topics: Vec::new() }
}

fn disk(folder: &Path) -> f64 {
    let output = std::process::Command::new("du").arg("-sk").arg(folder).output().expect("du");
    let said = String::from_utf8_lossy(&output.stdout);
    said.split_whitespace().next().and_then(|word| word.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

/// Runs what is asynchronous.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime").block_on(work)
}
