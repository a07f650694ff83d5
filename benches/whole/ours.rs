//! feedmill in a fresh folder, as anybody would run it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;
use tempfile::TempDir;

use crate::meter::{self, Cost};

/// Requests under way at a time, for all that is measured.
pub const IN_FLIGHT: usize = 64;

/// Topics of a poll; together they hold all feeds.
const TOPICS: usize = 10;

/// A folder with a config.
#[derive(Debug)]
pub struct House {
    folder: TempDir,
}

/// What `poll --json` says at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct Summary {
    pub feeds: usize,
    pub polled: usize,
    pub not_modified: usize,
    pub failed: usize,
    pub new: usize,
    pub duplicate: usize,
}

impl House {
    /// With these feeds, and topics to match.
    pub fn new(urls: &[String]) -> Self {
        let house = Self { folder: folder() };
        let mut topics = vec![String::new(); TOPICS];
        let mut feeds = String::new();
        for (at, url) in urls.iter().enumerate() {
            let _ = writeln!(feeds, "  - {{ id: feed{at}, name: Feed {at}, url: \"{url}\" }}");
            let _ = write!(topics[at % TOPICS], "feed{at}, ");
        }
        let topics = topics.iter().enumerate().filter(|(_, feeds)| !feeds.is_empty());
        let topics: Vec<_> = topics.map(|(at, feeds)| format!("{{ id: topic{at}, feeds: [{feeds}] }}")).collect();
        house.configure(&feeds, &topics);
        house
    }

    /// Writes the config.
    pub fn configure(&self, feeds: &str, topics: &[String]) {
        let mut text = format!(
            "site: {{ title: Measured, url: \"https://news.example/\", language: en }}\n\
             storage: {{ archive: archive, index: index, public: public }}\n\
             server: {{ listen: \"127.0.0.1:{LISTEN}\", socket: feedmill.sock }}\n\
             fetch: {{ allow: [\"127.0.0.0/8\"], concurrency: {IN_FLIGHT}, per_host: {IN_FLIGHT}, host_delay: 0s, \
             min_interval: 0s }}\nschedule: \"0 0 1 1 *\"\nfeeds:\n{feeds}topics:\n"
        );
        for topic in topics {
            let _ = writeln!(text, "  - {topic}");
        }
        put(&self.path("feedmill.yaml"), &text);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program and says what that cost; standard output lies in `out` then.
    pub fn run(&self, args: &[&str]) -> Cost {
        let folder = self.folder.path().to_str().expect("a temporary folder");
        let all = [&["-C", folder, "--config", "feedmill.yaml", "-q"], args].concat();
        meter::run(program(), &all, &self.path("out"))
    }

    /// One poll of all feeds.
    pub fn poll(&self) -> (Cost, Summary) {
        let cost = self.run(&["poll", "--json"]);
        let out = fs::read_to_string(self.path("out")).expect("output");
        let last: Value = out.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or_default();
        let summary = serde_json::from_value(last["summary"].clone());
        let summary = summary.unwrap_or_else(|_| panic!("no summary; the program ended with {}: {out}", cost.code));
        (cost, summary)
    }

    /// The links of all posts, as their files say them, and how many posts there are.
    pub fn links(&self) -> (BTreeSet<String>, usize) {
        let posts = files(&self.path("archive/_posts"));
        let link = |post: &PathBuf| {
            let mut lines = BufReader::new(File::open(post).expect("a post")).lines().map_while(Result::ok);
            let line = lines.find(|line| line.starts_with("from: ")).expect("a link");
            line.trim_start_matches("from: ").trim_matches('"').to_owned()
        };
        (posts.keys().map(link).collect(), posts.len())
    }

    /// Every file outside the index, with its time and size.
    pub fn state(&self) -> BTreeMap<PathBuf, (SystemTime, u64)> {
        let mut all = files(&self.path("archive"));
        all.extend(files(&self.path("public")));
        all
    }
}

/// Where a daemon listens that is measured.
pub const LISTEN: u16 = 18_471;

/// The release binary that belongs to this tool.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_feedmill"))
}

/// A new folder on the disk that is measured: `BENCH_DIR`, else the system's for temporary files.
pub fn folder() -> TempDir {
    let root = std::env::var_os("BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    TempDir::with_prefix_in("feedmill-bench-", root).expect("a folder of our own")
}

/// Writes a file.
pub fn put(path: &Path, text: &str) {
    File::create(path).and_then(|mut file| file.write_all(text.as_bytes())).expect("a file of our own");
}

fn files(folder: &Path) -> BTreeMap<PathBuf, (SystemTime, u64)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry.expect("a folder that stays");
            let facts = entry.metadata().expect("a file that stays");
            if facts.is_dir() {
                folders.push(entry.path());
            }
            found.insert(entry.path(), (facts.modified().expect("a time"), facts.len()));
        }
    }
    found.retain(|path, _| !path.is_dir());
    found
}
