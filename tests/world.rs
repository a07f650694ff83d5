//! A world in one process: feeds are strings, the clock is a number, the archive is real.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use feedmill::archive::FolderArchive;
use feedmill::clock::Clock;
use feedmill::config::{self, Source};
use feedmill::fetch::{Body, Fetch, FetchError, Fetched};
use feedmill::index::SledIndex;
use feedmill::model::{FeedSource, Post, Timestamp, Validators};
use feedmill::poll::{FeedReport, Options, Poller, Stop};
use feedmill::post;
use feedmill::publish::{Outcome, Publisher};
use feedmill::site::Site;

/// Serves documents by feed id, always whole.
#[derive(Default)]
pub struct Documents(Mutex<HashMap<String, Vec<u8>>>);

impl Fetch for Documents {
    async fn get(&self, source: &FeedSource, _: &Validators) -> Result<Fetched, FetchError> {
        Ok(Fetched::Body(Body {
            bytes: self.0.lock().expect("documents").get(source.id.as_str()).cloned().unwrap_or_default(),
            content_type: None,
            base: source.url.clone(),
            status: 200,
            validators: Validators::default(),
            freshness: None,
            headers: vec![],
            moved: None,
        }))
    }
}

/// A clock that stands until it is told otherwise.
pub struct Stands(AtomicI64);

impl Clock for Stands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

pub type WorldPoller = Poller<Documents, SledIndex, FolderArchive, Stands>;

pub struct World {
    pub home: tempfile::TempDir,
    pub poller: WorldPoller,
    runtime: tokio::runtime::Runtime,
}

/// New, revised, duplicate.
pub type Counts = (usize, usize, usize);

impl World {
    /// With feeds and topics as in a config file.
    pub fn new(rest: &str) -> Self {
        let home = tempfile::tempdir().expect("folder");
        let text = format!("site: {{ url: 'https://news.example.net/' }}\nfetch: {{ host_delay: 0s }}\n{rest}");
        let config = config::read(&[Source { name: "c", text: &text }], &|_| None).expect("config");
        let poller = Poller {
            fetch: Arc::default(),
            index: Arc::new(SledIndex::open(&home.path().join("index")).expect("index")),
            archive: Arc::new(FolderArchive::new(home.path().join("archive"), config.storage.layout)),
            clock: Arc::new(Stands(AtomicI64::new(1_790_000_000_000))),
            config: Arc::new(config),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Self { home, poller, runtime: runtime.expect("runtime") }
    }

    /// One feed, named `f`, with settings such as `, dedup: url`.
    pub fn one(settings: &str) -> Self {
        Self::new(&format!("feeds: [{{ id: f, name: F, url: 'https://feed.example.org/feed'{settings} }}]"))
    }

    pub fn at(&self, time: i64) -> &Self {
        self.poller.clock.0.store(time, Ordering::Relaxed);
        self
    }

    pub fn serve(&self, feed: &str, document: impl AsRef<[u8]>) -> &Self {
        self.poller.fetch.0.lock().expect("documents").insert(feed.to_owned(), document.as_ref().to_vec());
        self
    }

    /// Polls every feed; reports by feed id.
    pub fn poll(&self) -> Vec<FeedReport> {
        let later = self.poller.clock.now().millis() + 3_600_000;
        self.at(later);
        let feeds = self.poller.config.feeds.iter().collect();
        let options = Options { force: true, dry_run: false };
        self.runtime.block_on(self.poller.all(feeds, options, Stop::new().1, |_| {})).expect("poll")
    }

    /// Publishes what changed; the published files lie in `public`.
    pub fn publish(&self) -> Outcome {
        let site = Site::new(self.home.path().join("public"));
        let Poller { config, index, archive, clock, .. } = &self.poller;
        let publisher = Publisher { config, index: &**index, archive: &**archive, site: &site };
        self.runtime.block_on(publisher.topics(&config.topics, false, clock.now())).expect("published")
    }

    /// Serves a document as the only feed and polls.
    pub fn step(&self, document: impl AsRef<[u8]>) -> Counts {
        let reports = self.serve("f", document).poll();
        counts(&reports[0])
    }

    pub fn posts(&self) -> Vec<Post> {
        let files = crate::house::files(&self.home.path().join("archive/_posts"));
        files.iter().map(|f| post::from_text(&std::fs::read_to_string(f).expect("post")).expect("readable")).collect()
    }

    pub fn ledger(&self) -> Vec<serde_json::Value> {
        crate::house::ledger(&self.home.path().join("archive"))
    }
}

pub fn counts(report: &FeedReport) -> Counts {
    assert!(report.error.is_none(), "{report:?}");
    (report.new, report.revised, report.duplicate)
}
