//! The config: YAML text to values that need no further checking, or the list of all that is wrong with it.
//!
//! `raw` turns text into nodes, `keys` takes values out of a mapping, `values` and `units` know what a single value
//! may be, `notes` collects what is wrong, `check` holds every key with its default, `folders` compares those of
//! `storage`, and `gather` finds the topics that topics include.

pub mod append;
mod check;
mod folders;
mod gather;
mod keys;
mod notes;
mod raw;
mod units;
mod values;

#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::model::{FeedId, FeedSource, Proxy, Publish, SecretUrl, Topic};
use crate::normalize::html::Cuts;
use crate::post::Layout;
use crate::schedule::Schedule;

/// A text of the config.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The name shown in problems, such as its path.
    pub name: &'a str,
    /// YAML.
    pub text: &'a str,
}

/// All of the config.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What is published, and where.
    pub site: Site,
    /// Where files are kept.
    pub storage: Storage,
    /// The HTTP server of the daemon.
    pub server: Server,
    /// How feeds are asked.
    pub fetch: Fetch,
    /// In the order of the files; the enabled and the others.
    pub feeds: Vec<Feed>,
    /// In the order of the files.
    pub topics: Vec<Topic>,
}

impl Config {
    /// How much of this feed's entries is published; entries of no feed are shown whole.
    pub fn shown(&self, feed: Option<&FeedId>) -> Publish {
        let feed = self.feeds.iter().find(|known| Some(&known.source.id) == feed);
        feed.map_or(Publish::Full, |feed| feed.publish)
    }
}

/// What is published, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Publisher of the topic feeds; the host of `url` if the config has none.
    pub title: String,
    /// Where `storage.public` is reachable: `http` or `https`, ends with `/`.
    pub url: Url,
    /// Author of the topic feeds.
    pub author: Option<String>,
    /// Language of the topic feeds (BCP 47).
    pub language: Option<String>,
}

/// Where files are kept: three different folders, relative to the working directory or absolute. Neither archive nor
/// index lies in `public`, and the archive not in the index.
#[derive(Clone, Debug, PartialEq)]
pub struct Storage {
    /// Posts and ledger.
    pub archive: PathBuf,
    /// The index, and all that changes without news.
    pub index: PathBuf,
    /// The published files.
    pub public: PathBuf,
    /// Where new posts are put.
    pub layout: Layout,
    /// Whether the source fragments of entries are kept beside the posts.
    pub raw: bool,
}

/// The HTTP server of the daemon.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// The control socket, relative to the working directory or absolute.
    pub socket: PathBuf,
    /// Where numbers for Prometheus are given, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// WebSub hubs that are told of changes, each once: `http` or `https`, nothing secret in them, for feeds name them.
    pub hubs: Vec<Url>,
    /// Fetched after each round that went well: `http` or `https`.
    pub heartbeat_url: Option<SecretUrl>,
}

/// How feeds are asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetch {
    /// Feeds polled at the same time, 1 to 1,000.
    pub concurrency: usize,
    /// Of these, at one host; 1 to 1,000.
    pub per_host: usize,
    /// Between two requests to one host.
    pub host_delay: Duration,
    /// For a whole exchange; never zero.
    pub timeout: Duration,
    /// From a request to the head of its answer; never zero.
    pub first_byte: Duration,
    /// Bytes a second that a body must bring on average over ten seconds; 0 for any.
    pub min_rate: u64,
    /// Largest answer in bytes, after decompression; never zero.
    pub max_body: u64,
    /// Printable ASCII.
    pub user_agent: String,
    /// The way to all servers of feeds that do not say otherwise.
    pub proxy: Option<Proxy>,
    /// Certificates (PEM) that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// Private addresses that may be polled all the same.
    pub allow: Vec<Allow>,
    /// Between two polls of a feed; zero means no limit.
    pub min_interval: Duration,
}

/// Private addresses that may be polled.
#[derive(Clone, Debug, PartialEq)]
pub enum Allow {
    /// A host name (lower case) or the text of an IP address (no brackets), with a port.
    HostPort(String, u16),
    /// All ports of these addresses.
    Network(ipnet::IpNet),
}

/// A feed with what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// Its id, name and address, and what its posts get.
    pub source: FeedSource,
    /// Whether it is polled.
    pub enabled: bool,
    /// When it is polled.
    pub schedule: Schedule,
    /// One of these words must occur in an entry, unless the list is empty.
    pub include: Vec<String>,
    /// None of these words may occur in an entry.
    pub exclude: Vec<String>,
    /// What is taken out of its entries.
    pub cuts: Cuts,
    /// The encoding of its bytes, whatever they are called: a label of the Encoding Standard.
    pub encoding: Option<String>,
    /// Entries of a document that are read at most.
    pub max_entries: usize,
    /// How much of its entries is published.
    pub publish: Publish,
}

/// Something wrong in the config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Name of the [`Source`].
    pub file: String,
    /// From 1; `None` when nothing in the file stands for it.
    pub line: Option<usize>,
    /// The key, such as `topics[5].feeds`; empty for the file as a whole.
    pub path: String,
    /// Cause and next step; never a secret.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.text)
    }
}

/// The `include` patterns of the main file, for the caller to expand and read.
///
/// What is wrong with them, or with the file, is left to [`read`].
pub fn includes(text: &str) -> Vec<String> {
    // Reading a thousand feeds twice is a twentieth of a poll that brings nothing.
    if !text.contains("include") {
        return Vec::new();
    }
    raw::parse(text).map(|root| keys::texts_of(&root, "include")).unwrap_or_default()
}

/// Reads the config: the first source is the main file, the others are included by it.
///
/// `env` answers for the environment variables that the config names as `${NAME}`.
/// The list of problems is sorted by place and holds at most 100 and a line that counts the rest.
pub fn read(sources: &[Source<'_>], env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Vec<Problem>> {
    read_here(sources, env, &Path::to_path_buf)
}

/// As [`read`], on a disk: `real` says where a path leads when links are followed, as far as there is something.
pub fn read_here(
    sources: &[Source<'_>],
    env: &dyn Fn(&str) -> Option<String>,
    real: &dyn Fn(&Path) -> PathBuf,
) -> Result<Config, Vec<Problem>> {
    if sources.is_empty() {
        let text = "there is none to read".to_owned();
        return Err(vec![Problem { file: "config".to_owned(), line: None, path: String::new(), text }]);
    }
    let notes = notes::Notes::new(sources, env, real);
    let config = check::config(&notes, &notes.parse());
    let problems = notes.into_problems();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}
