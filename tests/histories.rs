//! Real feeds in successive states, polled state by state through the real road, against the truth beside them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use feedmill::archive::FolderArchive;
use feedmill::clock::Clock;
use feedmill::config::{self, Config, Source};
use feedmill::fetch::{Body, Fetch, FetchError, Fetched};
use feedmill::index::SledIndex;
use feedmill::model::{FeedSource, Timestamp, Validators};
use feedmill::poll::{Options, Outcome, Poller, Stop};
use feedmill::post::Layout;
use feedmill::{identity, post};

/// Serves one state of a feed.
struct Shown(Mutex<Vec<u8>>);

impl Fetch for Shown {
    async fn get(&self, source: &FeedSource, _: &Validators) -> Result<Fetched, FetchError> {
        Ok(Fetched::Body(Body {
            bytes: self.0.lock().expect("bytes").clone(),
            content_type: None,
            base: source.url.clone(),
            status: 200,
            validators: Validators::default(),
            headers: vec![],
            moved: None,
        }))
    }
}

/// A clock that stands where the state was seen.
struct Stands(AtomicI64);

impl Clock for Stands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

#[derive(serde::Deserialize)]
struct Truth {
    entries: usize,
    contested: usize,
    series: Vec<State>,
    #[serde(rename = "truth")]
    list: Vec<TrueEntry>,
}

#[derive(serde::Deserialize)]
struct State {
    file: String,
    time: i64,
}

#[derive(serde::Deserialize, Debug)]
struct TrueEntry {
    link: Option<String>,
    guid: Option<String>,
    title: Option<String>,
}

fn histories() -> Option<Vec<PathBuf>> {
    let root = std::env::var_os("FEEDMILL_HISTORIES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/histories"), PathBuf::from);
    let Ok(entries) = fs::read_dir(&root) else {
        println!("skipped: {} is not here", root.display());
        return None;
    };
    let mut folders: Vec<PathBuf> =
        entries.map(|e| e.expect("entry").path()).filter(|p| p.join("truth.json").is_file()).collect();
    folders.sort();
    Some(folders)
}

fn config() -> Config {
    let text = "site: { url: 'https://news.example.org/' }\n\
                feeds: [{ id: f, name: F, url: 'https://feed.example.org/feed' }]\ntopics: [{ id: all }]";
    config::read(&[Source { name: "c", text }], &|_| None).expect("config")
}

/// What polling one history gave: posts kept, and every state's failure.
fn poll(folder: &Path, truth: &Truth) -> (Vec<feedmill::model::Post>, Vec<String>) {
    let home = tempfile::tempdir().expect("folder");
    let poller = Poller {
        config: Arc::new(config()),
        fetch: Arc::new(Shown(Mutex::default())),
        index: Arc::new(SledIndex::open(&home.path().join("index")).expect("index")),
        archive: Arc::new(FolderArchive::new(home.path().join("archive"), Layout::Month)),
        clock: Arc::new(Stands(AtomicI64::new(0))),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    let mut failures = Vec::new();
    for state in &truth.series {
        *poller.fetch.0.lock().expect("bytes") = fs::read(folder.join(&state.file)).expect("state");
        poller.clock.0.store(state.time * 1000, Ordering::Relaxed);
        let feeds = poller.config.feeds.iter().collect();
        let options = Options { force: true, dry_run: false };
        let reports = runtime.block_on(poller.all(feeds, options, Stop::new().1, |_| {})).expect("poll");
        let failed = reports.iter().filter(|r| r.outcome == Outcome::Failed).filter_map(|r| r.error.clone());
        failures.extend(failed.map(|error| format!("{}: {error}", state.file)));
    }
    let files = crate::house::files(&home.path().join("archive/_posts"));
    let posts = files.iter().map(|f| post::from_text(&fs::read_to_string(f).expect("post")).expect("readable"));
    (posts.collect(), failures)
}

/// True entries that no post stands for, by link or title.
fn lost<'a>(truth: &'a Truth, posts: &[feedmill::model::Post]) -> Vec<&'a TrueEntry> {
    let canonical = |text: &str| url::Url::parse(text).ok().as_ref().and_then(identity::canonical_url);
    let kept = |entry: &&TrueEntry| {
        let link = entry.link.as_deref().and_then(canonical).or_else(|| entry.guid.as_deref().and_then(canonical));
        posts
            .iter()
            .any(|p| (link.is_some() && canonical(&p.from) == link) || entry.title.as_deref() == Some(p.title.as_str()))
    };
    truth.list.iter().filter(|entry| !kept(entry)).collect()
}

#[test]
fn every_history_comes_out_exact() {
    let Some(folders) = histories() else { return };
    let mut wrong = Vec::new();
    for folder in folders {
        let truth: Truth =
            serde_json::from_str(&fs::read_to_string(folder.join("truth.json")).expect("truth")).expect("json");
        let (posts, failures) = poll(&folder, &truth);
        let name = folder.file_name().expect("name").to_string_lossy().into_owned();
        let exact = (truth.entries..=truth.entries + truth.contested).contains(&posts.len());
        let lost = lost(&truth, &posts);
        println!(
            "{} {name}: {} entries, {} contested, {} archived, {} lost, {} failed states",
            if exact && lost.is_empty() { "exact" } else { "WRONG" },
            truth.entries,
            truth.contested,
            posts.len(),
            lost.len(),
            failures.len()
        );
        for line in failures.iter().take(3) {
            println!("    {line}");
        }
        for entry in lost.iter().take(5) {
            println!("    lost: {entry:?}");
        }
        if !exact || !lost.is_empty() {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}
