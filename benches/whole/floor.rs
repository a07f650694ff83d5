//! The floor: the least that a client in Rust can do, with the same libraries and the same number of requests in flight.
//!
//! `parse` fetches conditionally, inflates, parses with feed-rs and knows each link by its hash. `write` also writes a
//! file for each new entry, without waiting for the disk.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::{fs, str};

use feed_rs::model::Entry;
use feedmill::model::EntryKey;
use flate2::read::GzDecoder;
use reqwest::{Client, StatusCode};
use sha2::{Digest, Sha256};

use crate::ours::IN_FLIGHT;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    Parse,
    Write,
}

struct Floor {
    mode: Mode,
    folder: PathBuf,
    urls: Vec<String>,
    next: AtomicUsize,
    etags: HashMap<String, String>,
    seen: Mutex<HashSet<[u8; 32]>>,
    /// What goes into the files of the next run.
    new_etags: Mutex<String>,
    new_links: Mutex<String>,
}

/// One poll: `urls` in the folder says of what.
pub fn poll(mode: Mode, folder: &Path) {
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let etags = read("etags");
    let pairs = etags.lines().filter_map(|line| line.split_once(' '));
    let floor = Arc::new(Floor {
        mode,
        folder: folder.to_owned(),
        urls: read("urls").lines().map(str::to_owned).collect(),
        next: AtomicUsize::new(0),
        etags: pairs.map(|(url, etag)| (url.to_owned(), etag.to_owned())).collect(),
        seen: Mutex::new(read("links").lines().map(hash).collect()),
        new_etags: Mutex::default(),
        new_links: Mutex::default(),
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("runtime");
    let client = Client::builder().pool_max_idle_per_host(IN_FLIGHT).build().expect("client");
    runtime.block_on(async {
        let tasks = (0..IN_FLIGHT).map(|_| tokio::spawn(work(Arc::clone(&floor), client.clone())));
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("no panic");
        }
    });
    let put = |name: &str, text: &Mutex<String>, add: bool| {
        let mut file =
            File::options().create(true).append(add).write(true).truncate(!add).open(folder.join(name)).expect("file");
        file.write_all(text.lock().expect("no panic").as_bytes()).expect("written");
    };
    put("etags", &floor.new_etags, false);
    put("links", &floor.new_links, true);
}

async fn work(floor: Arc<Floor>, client: Client) {
    while let Some(url) = floor.urls.get(floor.next.fetch_add(1, Relaxed)) {
        let mut request = client.get(url).header("accept-encoding", "gzip");
        let former = floor.etags.get(url);
        if let Some(etag) = former {
            request = request.header("if-none-match", etag);
        }
        let answer = request.send().await.expect("an answer");
        let etag = answer.headers().get("etag").and_then(|etag| etag.to_str().ok()).expect("an ETag");
        floor.new_etags.lock().expect("no panic").push_str(&format!("{url} {etag}\n"));
        if answer.status() == StatusCode::NOT_MODIFIED {
            continue;
        }
        let packed = answer.error_for_status().expect("200").bytes().await.expect("a body");
        let mut document = Vec::new();
        GzDecoder::new(&packed[..]).read_to_end(&mut document).expect("sound gzip");
        for entry in feed_rs::parser::parse(&document[..]).expect("a sound feed").entries {
            floor.keep(entry);
        }
    }
}

impl Floor {
    fn keep(&self, entry: Entry) {
        let is_page = |rel: Option<&str>| rel.is_none_or(|rel| rel == "alternate");
        let link = entry.links.iter().find(|link| is_page(link.rel.as_deref()));
        let link = link.map_or(&entry.id, |link| &link.href);
        let key = hash(link);
        if !self.seen.lock().expect("no panic").insert(key) {
            return;
        }
        self.new_links.lock().expect("no panic").push_str(&format!("{link}\n"));
        if self.mode == Mode::Parse {
            return;
        }
        let date =
            entry.published.or(entry.updated).map(|date| date.format("%Y-%m-%d").to_string()).unwrap_or_default();
        let title = entry.title.map(|title| title.content).unwrap_or_default().replace('"', "\\\"");
        let body = entry.content.and_then(|content| content.body).or(entry.summary.map(|text| text.content));
        let body = body.unwrap_or_default();
        let text =
            format!("---\nlayout: post\ntitle: \"{title}\"\ndate: {date}\nfrom: {link}\n---\n<div>\n{body}\n</div>\n");
        let name = EntryKey::from_bytes(&key).expect("32 bytes").hex();
        let mut file =
            File::create(self.folder.join("posts").join(format!("{date}-{}.md", &name[..16]))).expect("a new file");
        file.write_all(text.as_bytes()).expect("written");
    }
}

fn hash(link: &str) -> [u8; 32] {
    Sha256::digest(link.as_bytes()).into()
}
