//! What the parts of a poll cost, on twenty entries as one feed brings them.
//!
//! Compare rows of one run; figures of two machines, or of two runs on a busy one, say nothing.

#![allow(clippy::format_push_string, reason = "text of feeds reads best as it will be")]

#[path = "whole/corpus.rs"]
#[allow(dead_code, reason = "the measurement of the whole uses the rest")]
mod corpus;
#[path = "whole/random.rs"]
#[allow(dead_code, reason = "the measurement of the whole uses the rest")]
mod random;
#[path = "whole/text.rs"]
#[allow(dead_code, reason = "the measurement of the whole uses the rest")]
mod text;

use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use feedmill::config::{self, Config, Source};
use feedmill::identity::{self, Alias, Identity, canonical_url};
use feedmill::index::{Committed, Index, Remember, SledIndex};
use feedmill::model::{Entry, EntryKey, FeedSource, Format, Post, Publish, Record, Timestamp};
use feedmill::normalize;
use feedmill::output::{self, Channel, Published, Sealed};
use feedmill::post::{self, Layout};
use feedmill::read::{self, Hints, RawEntry};
use feedmill::topic::Matcher;
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

/// Entries of a feed.
const ENTRIES: usize = 20;

/// Records that the index holds before it is measured.
const RECORDS: usize = 10_000;

const CONFIG: &str = "
site: { title: Measured, url: \"https://news.example/\", language: en }
feeds:
  - { id: feed, name: Feed, url: \"https://site.example/feed\" }
topics:
  - { id: words, feeds: [\"*\"], any: [香港, 隐私, Rust, privacy, library] }
  - { id: all, feeds: [\"*\"] }
";

static FEED: LazyLock<Config> =
    LazyLock::new(|| config::read(&[Source { name: "config", text: CONFIG }], &|_| None).expect("a sound config"));

fn source() -> &'static FeedSource {
    &FEED.feeds[0].source
}

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-22T00:00:00Z").expect("time")
}

/// Twenty entries of feeds in all formats, as they are read.
fn raw() -> Vec<RawEntry> {
    let corpus = corpus::Corpus::new(ENTRIES, 1);
    let read = |feed| {
        let hints = Hints::at(source().url.clone());
        read::feed(corpus.document(feed, 0).as_bytes(), &hints).expect("a sound feed").entries
    };
    (0..ENTRIES).flat_map(|feed| read(feed).into_iter().take(1)).collect()
}

fn entries() -> Vec<Entry> {
    let entry = |raw| normalize::entry(source(), &FEED.feeds[0].cuts, &source().url, raw, None, now());
    raw().into_iter().map(|raw| entry(raw).expect("an entry")).collect()
}

fn posts() -> Vec<Post> {
    let entries = entries();
    let keys = identity::keys(&entries, source().dedup);
    entries
        .into_iter()
        .zip(keys)
        .map(|(entry, id)| post::from_entry(entry, id.plain.expect("a link"), source()))
        .collect()
}

#[divan::bench]
fn normalize_entries(bencher: Bencher) {
    let (raw, cuts) = (raw(), &FEED.feeds[0].cuts);
    bencher.counter(ItemsCount::new(ENTRIES)).with_inputs(|| raw.clone()).bench_values(|raw| {
        let entry = |raw| normalize::entry(source(), cuts, &source().url, raw, None, now()).expect("an entry");
        raw.into_iter().map(entry).collect::<Vec<_>>()
    });
}

#[divan::bench]
fn canonical_urls(bencher: Bencher) {
    let links: Vec<_> = entries().into_iter().filter_map(|entry| entry.link).collect();
    bencher.counter(ItemsCount::new(ENTRIES)).bench(|| links.iter().map(canonical_url).collect::<Vec<_>>());
}

#[divan::bench]
fn identity_keys(bencher: Bencher) {
    let entries = entries();
    bencher.counter(ItemsCount::new(ENTRIES)).bench(|| identity::keys(&entries, source().dedup));
}

#[divan::bench]
fn topics_of_posts(bencher: Bencher) {
    let (posts, matcher) = (posts(), Matcher::new(&FEED.topics));
    let belongs = |post| matcher.belongs(post, Some(&source().id));
    bencher.counter(ItemsCount::new(ENTRIES)).bench(|| posts.iter().map(belongs).collect::<Vec<_>>());
}

#[divan::bench]
fn posts_from_entries(bencher: Bencher) {
    let entries = entries();
    let key = EntryKey::of("key");
    bencher
        .counter(ItemsCount::new(ENTRIES))
        .with_inputs(|| entries.clone())
        .bench_values(|all| all.into_iter().map(|entry| post::from_entry(entry, key, source())).collect::<Vec<_>>());
}

#[divan::bench]
fn posts_to_text(bencher: Bencher) {
    let posts = posts();
    bencher.counter(ItemsCount::new(ENTRIES)).bench(|| posts.iter().map(post::to_text).collect::<Vec<_>>());
}

#[divan::bench]
fn post_paths(bencher: Bencher) {
    let posts = posts();
    let path = |post| post::path(post, Layout::Month, 8);
    bencher.counter(ItemsCount::new(ENTRIES)).bench(|| posts.iter().map(path).collect::<Vec<_>>());
}

#[divan::bench]
fn posts_from_text(bencher: Bencher) {
    let texts: Vec<String> = posts().iter().map(post::to_text).collect();
    let read = |text: &String| post::from_text(text).expect("a post");
    bencher.counter(ItemsCount::new(ENTRIES)).bench(|| texts.iter().map(read).collect::<Vec<_>>());
}

#[divan::bench(args = [Format::Atom, Format::Rss, Format::Json])]
fn topic_feed(bencher: Bencher, format: Format) {
    let (channel, entries) = (channel(), published());
    bencher.counter(ItemsCount::new(ENTRIES)).bench(|| output::feed(format, &channel, &entries, &[]));
}

#[divan::bench]
fn sealed_document(bencher: Bencher) {
    let (facts, entries) = (sealed(), published());
    bencher.counter(ItemsCount::new(ENTRIES)).bench(|| output::sealed(&facts, &entries, &[]));
}

/// A poll that brings nothing new asks this.
#[divan::bench]
fn index_knows(bencher: Bencher) {
    let store = Store::new();
    let mut round = 0;
    bencher.counter(ItemsCount::new(ENTRIES)).bench_local(|| {
        round = (round + ENTRIES) % (RECORDS - ENTRIES);
        store.runtime.block_on(store.index.records(&store.identities[round..round + ENTRIES])).expect("answers")
    });
}

/// A poll that brings twenty new entries puts this.
#[divan::bench(sample_size = 1, sample_count = 50)]
fn index_commits(bencher: Bencher) {
    let store = Store::new();
    let mut next = RECORDS;
    let inputs = || {
        next += ENTRIES;
        Committed { records: remember(next..next + ENTRIES), ..Committed::default() }
    };
    bencher
        .counter(ItemsCount::new(ENTRIES))
        .with_inputs(inputs)
        .bench_local_values(|committed| store.runtime.block_on(store.index.commit(committed)).expect("committed"));
}

/// An index with records.
struct Store {
    runtime: Runtime,
    index: SledIndex,
    identities: Vec<Identity>,
    _folder: tempfile::TempDir,
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = Runtime::new().expect("runtime");
        let index = SledIndex::open(folder.path()).expect("an index");
        let committed = Committed { records: remember(0..RECORDS), ..Committed::default() };
        runtime.block_on(index.commit(committed)).expect("committed");
        Self { runtime, index, identities: identities(0..RECORDS), _folder: folder }
    }
}

/// What entries that exist by their numbers only are recognised by.
fn identities(numbers: std::ops::Range<usize>) -> Vec<Identity> {
    let like = entries().swap_remove(0);
    let entry = |at| Entry {
        link: format!("https://site.example/{at}.html").parse().ok(),
        guid: Some(format!("https://site.example/?p={at}")),
        ..like.clone()
    };
    // Entries of one document may not be alike, so each is its own here.
    numbers.flat_map(|at| identity::keys(&[entry(at)], source().dedup)).collect()
}

fn remember(numbers: std::ops::Range<usize>) -> Vec<Remember> {
    let remember = |id: Identity| Remember {
        key: id.plain.expect("a link"),
        aliases: [id.guid_alias(), id.guid.clone().map(Alias::Published)].into_iter().flatten().collect(),
        topics: Vec::new(),
        record: Record {
            path: "_posts/2021/07/2021-07-28-title-00000000.md".to_owned(),
            feed: Some(id.feed.clone()),
            also: Vec::new(),
            title: id.title,
            text: id.text,
            claimed: id.claimed,
            date: now(),
            seen: now(),
            guid: id.guid_fingerprint(),
            link: id.link_fingerprint(),
            aliases: 0,
            revisions: 0,
            revised: None,
            id: id.guid,
            rule: 6,
        },
    };
    let mut all: Vec<Remember> = identities(numbers).into_iter().map(remember).collect();
    all.sort_by_key(|remember| remember.key);
    all
}

fn published() -> Vec<Published> {
    let published = |post: Post| Published {
        id: post.from.clone(),
        shown: Publish::Full,
        excerpt: output::excerpt(&normalize::plain(&post.body)),
        updated: post.date,
        source: None,
        related: Vec::new(),
        post,
    };
    posts().into_iter().map(published).collect()
}

fn channel() -> Channel {
    Channel {
        id: "tag:news.example,2026-11-22:topic/all".to_owned(),
        title: "All".to_owned(),
        publisher: "Measured".to_owned(),
        language: Some("en".to_owned()),
        folder: "https://news.example/all/".to_owned(),
        hubs: Vec::new(),
        previous: None,
        founded: now(),
    }
}

fn sealed() -> Sealed {
    Sealed {
        id: "tag:news.example,2026-11-22:topic/all".to_owned(),
        title: "All".to_owned(),
        publisher: "Measured".to_owned(),
        updated: now(),
        self_url: "https://news.example/all/history/0/2.xml".to_owned(),
        current: "https://news.example/all/atom.xml".to_owned(),
        previous: None,
    }
}
