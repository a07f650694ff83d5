//! A place that processes come and go in: a disk, a memory, feeds and a time that outlive them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use feedmill::archive::{Archive, FolderArchive};
use feedmill::clock::Clock;
use feedmill::config::{self, Config, Source};
use feedmill::disk::Disk;
use feedmill::fetch::{Body, Fetch, FetchError, Fetched};
use feedmill::index::SledIndex;
use feedmill::maintain::{forget, heal, import, ingest, reindex, verify};
use feedmill::model::{FeedSource, Fingerprint, Timestamp, Validators};
use feedmill::poll::{Options, Poller, Stop};
use feedmill::publish::Publisher;
use feedmill::site::Site;

use super::disk::{FaultDisk, Platter};
use super::faults::Faults;
use super::index::{FaultIndex, Halves};
use crate::twin::{Memory, Twin};

/// What a process is started for; each does what the command of that name does.
#[derive(Clone, Debug)]
pub enum Work {
    Poll,
    Forget(&'static str),
    Import(PathBuf),
    Reindex,
    /// Fails when something is found.
    Verify,
}

/// What lasts between processes.
#[derive(Clone, Debug)]
pub struct Place {
    pub config: Arc<Config>,
    pub platter: Platter,
    pub remembered: Remembered,
    /// Milliseconds.
    pub time: i64,
    /// Documents by feed.
    pub feeds: BTreeMap<&'static str, String>,
    /// Whether the platform can sync everything at once.
    pub syncs_all: bool,
}

/// Where the index is.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one a run")]
pub enum Remembered {
    InMaps(Memory),
    InSled(tempfile::TempDir),
}

impl Clone for Remembered {
    fn clone(&self) -> Self {
        match self {
            Self::InMaps(memory) => Self::InMaps(memory.clone()),
            Self::InSled(folder) => {
                let copy = tempfile::tempdir().expect("folder");
                crate::house::copy(folder.path(), copy.path());
                Self::InSled(copy)
            }
        }
    }
}

/// Serves each document with a validator, and nothing to those who have it.
#[derive(Debug)]
struct Served(BTreeMap<&'static str, String>);

impl Fetch for Served {
    async fn get(&self, source: &FeedSource, validators: &Validators) -> Result<Fetched, FetchError> {
        let document = self.0.get(source.id.as_str()).cloned().unwrap_or_default();
        let etag = Some(format!("\"{}\"", Fingerprint::of(&document).hex()));
        if validators.etag == etag {
            return Ok(Fetched::NotModified { validators: validators.clone(), freshness: None, moved: None });
        }
        Ok(Fetched::Body(Body {
            bytes: document.into_bytes(),
            content_type: None,
            base: source.url.clone(),
            status: 200,
            validators: Validators { etag, last_modified: None, from: None },
            freshness: None,
            headers: vec![],
            moved: None,
        }))
    }
}

#[derive(Debug)]
struct Stands(i64);

impl Clock for Stands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0)
    }
}

type Process<I> = Poller<Served, FaultIndex<I>, FolderArchive, Stands>;

pub const ARCHIVE: &str = "/data/archive";
pub const PUBLIC: &str = "/data/public";

impl Place {
    /// Nothing has run here yet.
    pub fn new(feeds_and_topics: &str) -> Self {
        let text = format!(
            "site: {{ url: 'https://news.example.net/' }}\nfetch: {{ min_interval: 0s, host_delay: 0s }}\n{feeds_and_topics}"
        );
        Self {
            config: Arc::new(config::read(&[Source { name: "c", text: &text }], &|_| None).expect("config")),
            platter: Platter::empty(),
            remembered: Remembered::InMaps(Memory::default()),
            time: 1_790_000_000_000,
            feeds: BTreeMap::new(),
            syncs_all: true,
        }
    }

    pub fn serve(&mut self, feed: &'static str, document: String) -> &mut Self {
        self.feeds.insert(feed, document);
        self
    }

    pub fn later(&mut self, seconds: i64) -> &mut Self {
        self.time += seconds * 1000;
        self
    }

    /// A process does its work and ends, whatever happens to it.
    pub fn run(&mut self, work: &Work, faults: &Arc<Faults>) -> Result<(), String> {
        match std::mem::replace(&mut self.remembered, Remembered::InMaps(Memory::default())) {
            Remembered::InMaps(memory) => {
                let twin = Arc::new(Twin::of(memory));
                let done = self.process(Arc::clone(&twin), work, faults);
                self.remembered = Remembered::InMaps(twin.memory().clone());
                done
            }
            Remembered::InSled(folder) => {
                let index = SledIndex::open(folder.path()).map_err(said);
                let done = index.and_then(|index| self.process(Arc::new(index), work, faults));
                self.remembered = Remembered::InSled(folder);
                done
            }
        }
    }

    pub fn run_well(&mut self, work: &Work) -> &mut Self {
        self.run(work, &Arc::default()).unwrap_or_else(|e| panic!("{work:?}: {e}"));
        self
    }

    fn process<I: Halves>(&mut self, index: Arc<I>, work: &Work, faults: &Arc<Faults>) -> Result<(), String> {
        let platter = Arc::new(Mutex::new(self.platter.clone()));
        let disk = FaultDisk { platter: Arc::clone(&platter), faults: Arc::clone(faults), syncs_all: self.syncs_all };
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let process = Poller {
            fetch: Arc::new(Served(self.feeds.clone())),
            index: Arc::new(FaultIndex { inner: index, faults: Arc::clone(faults) }),
            archive: Arc::new(FolderArchive::on(Arc::clone(&disk), ARCHIVE.into(), self.config.storage.layout)),
            clock: Arc::new(Stands(self.time)),
            config: Arc::clone(&self.config),
        };
        let site = Site::on(disk, PUBLIC.into());
        // With one thread for all that blocks, the calls come in the same order each time.
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).enable_all().build();
        let done = runtime.expect("runtime").block_on(perform(&process, &site, work));
        self.platter = platter.lock().expect("platter").clone();
        done
    }
}

/// What the commands do; `app.rs` has them with the edges of a real machine.
async fn perform<I: Halves>(process: &Process<I>, site: &Site, work: &Work) -> Result<(), String> {
    let Poller { config, index, archive, clock, .. } = process;
    let (index, archive, now) = (&**index, &**archive, clock.now());
    match work {
        Work::Poll => {
            heal::all(index, archive, config, now).await.map_err(said)?;
            let (_never, stop) = Stop::new();
            let feeds = config.feeds.iter().collect();
            let reports = process.all(feeds, Options::default(), stop, |_| {}).await.map_err(said)?;
            assert!(reports.iter().all(|report| report.error.is_none()), "{reports:?}");
            publish(process, site, false).await
        }
        Work::Forget(what) => {
            heal::all(index, archive, config, now).await.map_err(said)?;
            forget::entry(index, archive, config, what, "asked for", now).await.map_err(said)?;
            ingest::catch_up(index, archive, config, |_, _| {}).await.map_err(said)?;
            archive.settle().await.map_err(said)?;
            publish(process, site, true).await
        }
        Work::Import(folder) => {
            heal::all(index, archive, config, now).await.map_err(said)?;
            import::folder(index, archive, config, folder, now, |_, _| {}).await.map_err(said)?;
            ingest::catch_up(index, archive, config, |_, _| {}).await.map_err(said)?;
            archive.settle().await.map_err(said)?;
            publish(process, site, false).await
        }
        Work::Reindex => {
            archive.recover().await.map_err(said)?;
            reindex::archive(index, archive, config, now, |_, _| {}).await.map_err(said)?;
            archive.settle().await.map_err(said)
        }
        Work::Verify => {
            let found = verify::archive(index, archive, true, |_, _| {}).await.map_err(said)?.findings;
            if found.is_empty() { Ok(()) } else { Err(found.join("; ")) }
        }
    }
}

async fn publish<I: Halves>(process: &Process<I>, site: &Site, all: bool) -> Result<(), String> {
    let Poller { config, index, archive, clock, .. } = process;
    let publisher = Publisher { config, index: &**index, archive: &**archive, site };
    let done = publisher.topics(&config.topics, all, clock.now()).await.map_err(said)?;
    assert!(done.unreadable.is_empty(), "{:?}", done.unreadable);
    Ok(())
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}
