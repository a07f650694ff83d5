//! Builds the edges from the config and runs a command.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::archive::{Archive, FolderArchive};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, Feed, Problem, Source};
use crate::daemon::{self, DaemonError};
use crate::fetch::{FetchError, Fetcher, Limits};
use crate::index::{IndexError, SledIndex};
use crate::maintain::ingest::{self, IngestError};
use crate::model::Topic;
use crate::poll::{FeedReport, Options, PollError, Poller, Stop};
use crate::publish::{self, PublishError, Publisher};
use crate::schedule::Spread;
use crate::site::Site;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// `-C` names no folder.
    #[error("`{}` cannot be entered: {cause}", path.display())]
    Directory {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        cause: std::io::Error,
    },
    /// The config has problems.
    #[error("{} problems in the config", .0.len())]
    Config(Vec<Problem>),
    /// A name on the command line is not in the config.
    #[error("unknown {what} `{name}`; the config has {known}")]
    Unknown {
        /// `feed` or `topic`.
        what: &'static str,
        /// As given.
        name: String,
        /// What there is.
        known: String,
    },
    /// The program could not start its threads.
    #[error("the program cannot start: {0}")]
    Start(std::io::Error),
    /// The client could not be built.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A poll stopped.
    #[error(transparent)]
    Poll(#[from] PollError),
    /// Publishing stopped.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Taking over the archive stopped.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The daemon stopped.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
}

impl AppError {
    /// 1 the program failed, 2 wrong usage, 3 the config has problems.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 3,
            Self::Unknown { .. } | Self::Directory { .. } => 2,
            _ => 1,
        }
    }
}

/// What a poll did.
#[derive(Debug, Default)]
pub struct Polled {
    /// One report per feed, by id.
    pub reports: Vec<FeedReport>,
    /// What was put right before polling.
    pub healed: Vec<String>,
    /// Posts that could not be read for publishing.
    pub unreadable: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

/// The program with its config.
#[derive(Debug)]
pub struct App {
    config: Arc<Config>,
}

/// The edges on one machine.
pub type LocalPoller = Poller<Fetcher, SledIndex, FolderArchive, SystemClock>;

impl App {
    /// Reads the config: the file given, else `$FEEDMILL_CONFIG`, else `config/feedmill.yaml`.
    pub fn load(path: Option<PathBuf>) -> Result<Self, AppError> {
        let path = path
            .or_else(|| std::env::var_os("FEEDMILL_CONFIG").map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from("config/feedmill.yaml"));
        let texts = texts(&path).map_err(AppError::Config)?;
        let sources: Vec<Source> = texts.iter().map(|(name, text)| Source { name, text }).collect();
        let env = |name: &str| match name {
            // The shell's `PWD` knows nothing of `-C`.
            "PWD" => std::env::current_dir().ok().map(|folder| folder.display().to_string()),
            name => std::env::var(name).ok(),
        };
        let config = config::read(&sources, &env).map_err(AppError::Config)?;
        Ok(Self { config: Arc::new(config) })
    }

    /// How many feeds `poll` with these names polls.
    pub fn count(&self, names: &[String]) -> usize {
        self.feeds(names).map_or(0, |feeds| feeds.len())
    }

    /// Polls feeds once and publishes what changed.
    pub fn poll(
        &self,
        names: &[String],
        options: Options,
        report: impl FnMut(&FeedReport),
    ) -> Result<Polled, AppError> {
        let start = Instant::now();
        let feeds = self.feeds(names)?;
        let runtime = runtime()?;
        runtime.block_on(async {
            let poller = self.poller(!options.dry_run)?;
            let mut done = Polled::default();
            if !options.dry_run {
                done.healed = heal(&poller).await?;
            }
            let (_never, stop) = Stop::new();
            done.reports = poller.all(feeds, options, stop, report).await?;
            if !options.dry_run {
                done.unreadable = publish_stale(&poller).await?.unreadable;
            }
            done.seconds = start.elapsed().as_secs_f64();
            Ok(done)
        })
    }

    /// Rebuilds the published files of these topics, or of all.
    pub fn publish(&self, names: &[String]) -> Result<publish::Outcome, AppError> {
        let topics = self.topics(names)?;
        runtime()?.block_on(async {
            let poller = self.poller(true)?;
            heal(&poller).await?;
            let now = poller.clock.now();
            Ok(publisher(&poller, &self.site()).topics(&topics, true, now).await?)
        })
    }

    /// Polls and serves until a signal says stop.
    pub fn daemon(&self, say: impl Fn(String) + Send + Sync) -> Result<(), AppError> {
        runtime()?.block_on(async {
            let poller = self.poller(true)?;
            for line in heal(&poller).await? {
                say(line);
            }
            Ok(daemon::run(&poller, &self.site(), say).await?)
        })
    }

    /// When each feed is polled next.
    pub fn check(&self) -> String {
        const RUNS: usize = 5;
        let mut out = String::new();
        let mut now = SystemClock.now();
        let start = now;
        for feed in &self.config.feeds {
            let id = &feed.source.id;
            let state = if feed.enabled { "" } else { ", disabled" };
            let _ = writeln!(out, "feed `{id}` ({}{state})", feed.schedule);
            now = start;
            for _ in 0..RUNS {
                let Some(next) = feed.schedule.next(now, Spread::of(id.as_str())) else { break };
                let _ = writeln!(out, "  {}", feed.schedule.local(next));
                now = next;
            }
        }
        if is_provisional(&self.config.site.url) {
            let url = &self.config.site.url;
            let _ = writeln!(
                out,
                "note: published ids carry the host of site.url for ever, and `{url}` is not one that lasts; \
                 set the real address before the first poll"
            );
        }
        let (feeds, topics) = (self.config.feeds.len(), self.config.topics.len());
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let _ = writeln!(out, "the config is good: {feeds} feed{}, {topics} topic{}", plural(feeds), plural(topics));
        out
    }

    fn feeds(&self, names: &[String]) -> Result<Vec<&Feed>, AppError> {
        if names.is_empty() {
            return Ok(self.config.feeds.iter().filter(|feed| feed.enabled).collect());
        }
        let find = |name: &String| self.config.feeds.iter().find(|feed| feed.source.id.as_str() == name);
        let known = || list(self.config.feeds.iter().map(|feed| feed.source.id.as_str()));
        names
            .iter()
            .map(|name| {
                find(name).ok_or_else(|| AppError::Unknown { what: "feed", name: name.clone(), known: known() })
            })
            .collect()
    }

    fn topics(&self, names: &[String]) -> Result<Vec<Topic>, AppError> {
        if names.is_empty() {
            return Ok(self.config.topics.clone());
        }
        let find = |name: &String| self.config.topics.iter().find(|topic| topic.id.as_str() == name).cloned();
        let known = || list(self.config.topics.iter().map(|topic| topic.id.as_str()));
        names
            .iter()
            .map(|name| {
                find(name).ok_or_else(|| AppError::Unknown { what: "topic", name: name.clone(), known: known() })
            })
            .collect()
    }

    fn poller(&self, will_write: bool) -> Result<LocalPoller, AppError> {
        let Config { storage, fetch, .. } = &*self.config;
        let archive = FolderArchive::new(storage.archive.clone(), storage.layout);
        // Before anything is fetched or marked as seen.
        if will_write {
            archive.ready().map_err(PollError::from)?;
        }
        let limits = Limits {
            timeout: fetch.timeout,
            max_body: fetch.max_body,
            user_agent: fetch.user_agent.clone(),
            allow: fetch.allow.clone(),
        };
        Ok(Poller {
            config: Arc::clone(&self.config),
            fetch: Arc::new(Fetcher::new(&limits)?),
            index: Arc::new(SledIndex::open(&storage.index)?),
            archive: Arc::new(archive),
            clock: Arc::new(SystemClock),
        })
    }

    fn site(&self) -> Site {
        Site::new(self.config.storage.public.clone())
    }
}

/// Mends what an unclean stop left, in the archive first, then between archive and index.
async fn heal(poller: &LocalPoller) -> Result<Vec<String>, AppError> {
    let mut healed = poller.archive.recover().await.map_err(PollError::from)?;
    let lines = ingest::catch_up(&*poller.index, &*poller.archive, &poller.config, |_, _| {}).await?;
    if lines > 0 {
        healed.push(format!("the index did not know {lines} lines of the ledger; it took them in"));
    }
    Ok(healed)
}

/// Publishes the topics that changed.
async fn publish_stale(poller: &LocalPoller) -> Result<publish::Outcome, PublishError> {
    let site = Site::new(poller.config.storage.public.clone());
    publisher(poller, &site).topics(&poller.config.topics, false, poller.clock.now()).await
}

/// The publisher over a poller's edges.
pub fn publisher<'a>(poller: &'a LocalPoller, site: &'a Site) -> Publisher<'a, SledIndex, FolderArchive> {
    Publisher { config: &poller.config, index: &*poller.index, archive: &*poller.archive, site }
}

fn runtime() -> Result<tokio::runtime::Runtime, AppError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(AppError::Start)
}

/// The main config file and those it includes, with their names.
fn texts(path: &Path) -> Result<Vec<(String, String)>, Vec<Problem>> {
    let main = read_text(path)?;
    let mut texts = vec![(path.display().to_string(), main)];
    for pattern in config::includes(&texts[0].1) {
        let paths = glob::glob(&pattern).map_err(|e| vec![problem(path, "include", &format!("`{pattern}`: {e}"))])?;
        let mut found: Vec<PathBuf> = paths.filter_map(Result::ok).collect();
        found.sort();
        if found.is_empty() && !pattern.contains(['*', '?', '[']) {
            return Err(vec![problem(path, "include", &format!("`{pattern}`: no such file"))]);
        }
        for file in found {
            let text = read_text(&file)?;
            texts.push((file.display().to_string(), text));
        }
    }
    Ok(texts)
}

fn read_text(path: &Path) -> Result<String, Vec<Problem>> {
    std::fs::read_to_string(path).map_err(|e| vec![problem(path, "", &format!("cannot be read: {e}"))])
}

fn problem(file: &Path, path: &str, text: &str) -> Problem {
    Problem { file: file.display().to_string(), line: None, path: path.to_owned(), text: text.to_owned() }
}

/// A host that will not stay the site's: an IP address, this machine, or a name from a manual.
fn is_provisional(url: &url::Url) -> bool {
    let example = |host: &str| host == "localhost" || host.split('.').rev().nth(1) == Some("example");
    match url.host() {
        Some(url::Host::Domain(host)) => example(host),
        _ => true,
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 10;
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => "none".to_owned(),
        n if n > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
        _ => names.join(", "),
    }
}

/// A sentence stays on its line, whatever a publisher put into it.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
