//! Builds the edges from the config and runs a command.

mod check;
mod edges;
mod error;
mod feeds;
mod files;
mod scratch;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

pub use error::AppError;

use self::edges::LocalEdges;
use self::scratch::ScratchFolder;
use crate::archive::{Archive, FolderArchive};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, Feed, Source};
use crate::control::{Client, Command, ControlError, Line};
use crate::daemon;
use crate::fetch::{Fetcher, Limits, MinRate};
use crate::index::{Damage, Index, IndexError, SledIndex};
use crate::maintain::explain;
use crate::maintain::heal;
use crate::maintain::import::Imported;
use crate::maintain::ingest::{self};
use crate::maintain::reindex::{self, Reindexed};
use crate::maintain::replay::{self, Replayed};
use crate::maintain::verify::{self, Verified};
use crate::model::{FeedStatus, Timestamp, Topic};
use crate::poll::{FeedReport, Options, PollError, Poller, Stop};
use crate::publish::{self, PublishError, Publisher};
use crate::site::Site;
use crate::takedown::{self};
use crate::watch;

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
    /// The main config file.
    path: PathBuf,
}

/// What an import did.
#[derive(Debug)]
pub enum Import {
    /// Posts were taken over.
    Posts(Imported),
    /// Feeds were appended to the config.
    Feeds {
        /// Ids of the new ones.
        added: Vec<String>,
        /// Ids of those that were there.
        known: Vec<String>,
        /// What was left out, and why.
        skipped: Vec<String>,
    },
}

/// The edges on one machine.
pub type LocalPoller = Poller<Fetcher, SledIndex, FolderArchive, SystemClock>;

impl App {
    /// Reads the config: the file given, else `$FEEDMILL_CONFIG`, else `config/feedmill.yaml`.
    pub fn load(path: Option<PathBuf>) -> Result<Self, AppError> {
        let path = path
            .or_else(|| std::env::var_os("FEEDMILL_CONFIG").map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from("config/feedmill.yaml"));
        let texts = files::texts(&path).map_err(AppError::Config)?;
        let sources: Vec<Source> = texts.iter().map(|(name, text)| Source { name, text }).collect();
        let env = |name: &str| match name {
            // The shell's `PWD` knows nothing of `-C`.
            "PWD" => std::env::current_dir().ok().map(|folder| folder.display().to_string()),
            name => std::env::var(name).ok(),
        };
        let config = config::read_here(&sources, &env, &files::real).map_err(AppError::Config)?;
        Ok(Self { config: Arc::new(config), path })
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
        mut report: impl FnMut(&FeedReport),
    ) -> Result<Polled, AppError> {
        if let Some(daemon) = self.running()? {
            return Self::poll_beside(daemon, names, options, report);
        }
        let start = Instant::now();
        let feeds = self.feeds(names)?;
        // Where there is no index, a dry run remembers in a place that goes with it.
        let wanted = options.dry_run && scratch::is_new(&self.config.storage.index);
        let scratch = wanted.then(ScratchFolder::make).transpose()?;
        let index = scratch.as_ref().map_or(self.config.storage.index.as_path(), ScratchFolder::path);
        let mut done = Polled::default();
        self.over(index, !options.dry_run, async |poller| {
            if options.dry_run {
                done.healed = fill_new_index(poller).await?;
            } else {
                poller.archive.hold().map_err(PollError::from)?;
                done.healed = heal(poller).await?;
            }
            // Where the index had to be made anew in the middle, what was reported before stands.
            let reports = &mut done.reports;
            let is_done = |feed: &&Feed| reports.iter().any(|report| report.feed == feed.source.id.as_str());
            let rest = feeds.iter().copied().filter(|feed| !is_done(feed)).collect();
            let (_never, stop) = Stop::new();
            let keep = |done: &FeedReport| {
                report(done);
                reports.push(done.clone());
            };
            poller.all(rest, options, stop, keep).await?;
            if !options.dry_run {
                done.unreadable = publish_stale(poller).await?.unreadable;
            }
            Ok(())
        })?;
        done.reports.sort_by(|a, b| a.feed.cmp(&b.feed));
        done.seconds = start.elapsed().as_secs_f64();
        Ok(done)
    }

    /// The daemon that holds the data, if one does.
    fn running(&self) -> Result<Option<Client>, AppError> {
        Ok(Client::connect(&self.config.server.socket, &self.config.storage.archive)?)
    }

    /// Lets the daemon poll, and shows its progress.
    fn poll_beside(
        daemon: Client,
        names: &[String],
        options: Options,
        mut report: impl FnMut(&FeedReport),
    ) -> Result<Polled, AppError> {
        let Options { force, dry_run } = options;
        let mut done = Polled::default();
        let command = Command::Poll { feeds: names.to_vec(), force, dry_run };
        let last = daemon.ask(&command, |line| {
            if let Line::Report(polled) = line {
                let polled = FeedReport::from(*polled);
                report(&polled);
                done.reports.push(polled);
            }
        })?;
        if let Line::Polled { unreadable, seconds } = last {
            (done.unreadable, done.seconds) = (unreadable, seconds);
        }
        done.reports.sort_by(|a, b| a.feed.cmp(&b.feed));
        Ok(done)
    }

    /// Lets the daemon do something that ends with a text.
    fn text_beside(daemon: Client, command: &Command) -> Result<String, AppError> {
        match daemon.ask(command, |_| {})? {
            Line::Text { text } => Ok(text),
            _ => Ok(String::new()),
        }
    }

    /// Lets the running daemon read its config again; says what that brought.
    pub fn reload(&self) -> Result<String, AppError> {
        match self.running()? {
            Some(daemon) => Self::text_beside(daemon, &Command::Reload),
            None => Err(AppError::NoDaemon { socket: self.config.server.socket.clone() }),
        }
    }

    /// Rebuilds the published files of these topics, or of all.
    pub fn publish(&self, names: &[String]) -> Result<publish::Outcome, AppError> {
        if let Some(daemon) = self.running()? {
            let last = daemon.ask(&Command::Publish { topics: names.to_vec() }, |_| {})?;
            let Line::Published { changed, unreadable } = last else { return Ok(publish::Outcome::default()) };
            return Ok(publish::Outcome { changed, unreadable, ..publish::Outcome::default() });
        }
        let topics = self.topics(names)?;
        self.with_poller(true, async |poller| {
            heal(poller).await?;
            let now = poller.clock.now();
            Ok(publisher(poller, &self.site()).topics(&topics, true, now).await?)
        })
    }

    /// Tells which entry an address or a post is, and why.
    pub fn explain(&self, what: &str) -> Result<String, AppError> {
        if let Some(daemon) = self.running()? {
            return Self::text_beside(daemon, &Command::Explain { what: what.to_owned() });
        }
        self.with_poller(false, async |poller| {
            heal(poller).await?;
            Ok(explain::entry(&*poller.index, &*poller.archive, what).await?)
        })
    }

    /// Takes an entry down; says which post that was, and what was out of the ordinary.
    pub fn forget(&self, what: &str, reason: &str) -> Result<String, AppError> {
        if let Some(daemon) = self.running()? {
            let command = Command::Forget { what: what.to_owned(), reason: reason.to_owned() };
            return Self::text_beside(daemon, &command);
        }
        self.with_poller(true, async |poller| {
            heal(poller).await?;
            // Nobody tells hubs but the daemon.
            let mut published = publish::Outcome::default();
            Ok(takedown::entry(poller, &self.site(), what, reason, &mut published).await?)
        })
    }

    /// Makes posts again from their sources and compares.
    pub fn replay(&self) -> Result<Replayed, AppError> {
        runtime()?.block_on(async {
            let archive = FolderArchive::new(self.config.storage.archive.clone(), self.config.storage.layout);
            Ok(replay::archive(&archive, &self.config).await.map_err(PollError::from)?)
        })
    }

    /// Makes the index again from the archive.
    pub fn reindex(&self, progress: impl Fn(usize, usize)) -> Result<Reindexed, AppError> {
        self.with_poller(true, async |poller| {
            poller.archive.recover().await.map_err(PollError::from)?;
            let now = poller.clock.now();
            let done = reindex::archive(&*poller.index, &*poller.archive, &self.config, now, &progress).await?;
            poller.archive.settle().await.map_err(PollError::from)?;
            Ok(done)
        })
    }

    /// Checks every post.
    pub fn verify(&self, deep: bool, progress: impl Fn(usize, usize)) -> Result<Verified, AppError> {
        self.with_poller(false, async |poller| {
            heal(poller).await?;
            Ok(verify::archive(&*poller.index, &*poller.archive, deep, &progress).await?)
        })
    }

    /// Polls and serves until a signal says stop.
    pub fn daemon(&self) -> Result<(), AppError> {
        // Told before the index is opened, which would only say that somebody has it.
        if let Ok(Some(other)) = self.running() {
            let path = self.config.server.socket.clone();
            return Err(ControlError::Taken { path, pid: other.pid().to_string() }.into());
        }
        let runtime = runtime()?;
        let done = runtime.block_on(async {
            // What turns out damaged here is opened anew without it, as later on.
            let edges = LocalEdges::new(self.path.clone());
            let poller = match edges.open_app(self).await {
                Err(error) if edges.has_damage() => {
                    tracing::warn!("{error}");
                    edges.open_app(self).await?
                }
                opened => opened?,
            };
            Ok(daemon::run(edges, poller, self.site()).await?)
        });
        // Nobody waits for a thread that hangs in a disk.
        runtime.shutdown_background();
        done
    }

    /// How it stands with each feed, what needs somebody first, and when that was so; only the index is opened.
    pub fn status(&self) -> Result<(Vec<FeedStatus>, Timestamp), AppError> {
        if let Some(daemon) = self.running()? {
            let mut feeds = Vec::new();
            let last = daemon.ask(&Command::Status, |line| {
                if let Line::Status(feed) = line {
                    feeds.push(*feed);
                }
            })?;
            let now = if let Line::Now { now } = last { now } else { SystemClock.now() };
            return Ok((feeds, now));
        }
        self.with_poller(false, async |poller| Ok((watch::survey(poller).await?, poller.clock.now())))
    }

    fn feeds(&self, names: &[String]) -> Result<Vec<&Feed>, AppError> {
        if names.is_empty() {
            return Ok(self.config.feeds.iter().filter(|feed| feed.enabled).collect());
        }
        let find = |name: &String| self.config.feeds.iter().find(|feed| feed.source.id.as_str() == name);
        let known = || list_of(self.config.feeds.iter().map(|feed| feed.source.id.as_str()));
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
        let known = || list_of(self.config.topics.iter().map(|topic| topic.id.as_str()));
        names
            .iter()
            .map(|name| {
                find(name).ok_or_else(|| AppError::Unknown { what: "topic", name: name.clone(), known: known() })
            })
            .collect()
    }

    fn with_poller<T>(
        &self,
        will_write: bool,
        work: impl AsyncFnMut(&LocalPoller) -> Result<T, AppError>,
    ) -> Result<T, AppError> {
        self.over(&self.config.storage.index, will_write, work)
    }

    /// Does work over the edges. Where the index turns out damaged, it is opened anew without what is
    /// damaged, and the work is done again, once.
    fn over<T>(
        &self,
        index: &Path,
        will_write: bool,
        mut work: impl AsyncFnMut(&LocalPoller) -> Result<T, AppError>,
    ) -> Result<T, AppError> {
        let mut damage = Damage::default();
        loop {
            let runtime = runtime()?;
            let poller = self.poller(will_write, index, &damage)?;
            let done = runtime.block_on(work(&poller));
            let found = poller.index.damage();
            if found.is_empty() {
                return done;
            }
            // A thread may hang in the damaged store: nobody waits for it.
            runtime.shutdown_background();
            match done {
                Err(_) if damage.is_empty() => damage = found,
                done => return done,
            }
        }
    }

    fn poller(&self, will_write: bool, index: &Path, damage: &Damage) -> Result<LocalPoller, AppError> {
        let Config { storage, .. } = &*self.config;
        let archive = FolderArchive::new(storage.archive.clone(), storage.layout);
        // Before anything is fetched or marked as seen.
        if will_write {
            archive.ready().map_err(PollError::from)?;
        }
        let limits = self.limits();
        let index = match std::env::current_exe() {
            Ok(program) => SledIndex::open_guarded(index, program, damage),
            Err(_) => SledIndex::open(index),
        };
        let index = index.map_err(|error| self.held(error))?;
        Ok(Poller {
            config: Arc::clone(&self.config),
            fetch: Arc::new(Fetcher::new(&limits)?),
            index: Arc::new(index),
            archive: Arc::new(archive),
            clock: Arc::new(SystemClock),
        })
    }

    /// Tells more of whoever has the index open.
    fn held(&self, error: IndexError) -> AppError {
        match error {
            IndexError::InUse { path: index, pid } => {
                let socket = self.config.server.socket.clone();
                AppError::Held { index, pid, socket, answers: matches!(self.running(), Ok(Some(_))) }
            }
            error => error.into(),
        }
    }

    fn limits(&self) -> Limits {
        let fetch = &self.config.fetch;
        Limits {
            per_host: fetch.per_host,
            host_delay: fetch.host_delay,
            timeout: fetch.timeout,
            first_byte: fetch.first_byte,
            min_rate: MinRate::per_second(fetch.min_rate),
            max_body: fetch.max_body,
            user_agent: fetch.user_agent.clone(),
            allow: fetch.allow.clone(),
            proxy: fetch.proxy.clone(),
            ca_file: fetch.ca_file.clone(),
        }
    }

    fn site(&self) -> Site {
        Site::new(self.config.storage.public.clone())
    }
}

/// Mends what an unclean stop left, in the archive first, then between archive and index. What the
/// index itself had to mend was mended when it was opened.
async fn heal(poller: &LocalPoller) -> Result<Vec<String>, AppError> {
    let mut said = poller.index.healed();
    said.extend(heal::all(&*poller.index, &*poller.archive, &poller.config, poller.clock.now()).await?);
    Ok(said)
}

/// For a dry run, which mends nothing else: an index that is new, or had to be made anew, learns the archive.
async fn fill_new_index(poller: &LocalPoller) -> Result<Vec<String>, AppError> {
    let said = poller.index.healed();
    if !said.is_empty() || poller.index.ledger().await.map_err(PollError::from)?.is_empty() {
        ingest::catch_up(&*poller.index, &*poller.archive, &poller.config, |_, _| {}).await?;
    }
    Ok(said)
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

fn list_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 10;
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => "none".to_owned(),
        n if n > SHOWN => format!("{} and {} more", names[..SHOWN].join(", "), n - SHOWN),
        _ => names.join(", "),
    }
}
