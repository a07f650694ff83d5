//! Documents that mean harm, and what comes out of them: of the real program, of Jekyll, and in a browser.
//!
//! They lie in `feeds/`, with what is expected of each in `feeds/manifest.yaml`; those that are too large to lie there are
//! made in `large.rs`.

mod browser;
mod html;
mod jekyll;
mod large;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::house::{House, Page, Run};

const FEEDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile/feeds");

/// Stands in the documents for the test's server.
const BEACON: &str = "beacon.test";

/// What the program may use at most, far beyond what it needs: what a bomb needs is more. Seconds are of the processor.
const LIMITS: &str = "ulimit -v 6000000; ulimit -t 300; exec \"$0\" \"$@\"";

/// What the manifest says of a document.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    #[serde(rename = "why")]
    _why: String,
    entries: u64,
    titles: Option<Vec<String>>,
    #[serde(default)]
    keeps: Vec<String>,
    #[serde(default)]
    never: Vec<String>,
    error: Option<String>,
    content_type: Option<String>,
}

/// A document; its name is the id and the name of its feed.
struct Document {
    name: String,
    group: String,
    body: Vec<u8>,
    told: Told,
}

/// All of them, as a server at this address gives them.
fn documents(server: &str) -> Vec<Document> {
    let manifest = fs::read_to_string(Path::new(FEEDS).join("manifest.yaml")).expect("manifest");
    let manifest = manifest.replace(BEACON, server);
    let manifest: BTreeMap<String, Told> = serde_yaml::from_str(&manifest).expect("manifest");
    let listed: BTreeSet<_> = manifest.keys().map(|path| Path::new(FEEDS).join(path)).collect();
    let found: BTreeSet<_> = crate::house::files(Path::new(FEEDS)).into_iter().collect();
    let unlisted: Vec<_> = found.difference(&listed).filter(|path| !path.ends_with("manifest.yaml")).collect();
    assert!(unlisted.is_empty(), "not in the manifest: {unlisted:?}");
    let document = |(path, told): (String, Told)| {
        let (group, file) = path.split_once('/').expect("a folder");
        let name = file.split('.').next().expect("a name").to_owned();
        let body = fs::read(Path::new(FEEDS).join(&path)).expect("document");
        Document { name, group: group.to_owned(), body: replaced(&body, BEACON, server), told }
    };
    manifest.into_iter().map(document).collect()
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memmem::find(rest, from.as_bytes()) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to.as_bytes());
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// A house whose server gives these documents, one feed each, and a topic for each of several groups beside one of all.
fn house_of(house: House, documents: &[Document]) -> House {
    let server = house.server();
    let mut config = format!(
        "site: {{ title: Test, url: 'https://news.example.org/' }}\n\
         fetch: {{ allow: ['{server}'], min_interval: 0s, host_delay: 0s, per_host: 32 }}\nfeeds:\n"
    );
    let mut topics: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for document in documents {
        let name = &document.name;
        let content_type = document.told.content_type.as_deref();
        let headers = content_type.map(|kind| ("Content-Type".to_owned(), kind.to_owned()));
        let headers = headers.into_iter().collect();
        house.serves_page(&format!("/{name}"), Page { status: 200, headers, body: document.body.clone() });
        let _ = writeln!(config, "- {{ id: {name}, name: '{name}', url: 'http://{server}/{name}' }}");
        topics.entry(&document.group).or_default().push(name);
    }
    config.push_str("topics:\n- { id: all, limit: 10000 }\n");
    if topics.len() == 1 {
        topics.clear();
    }
    for (group, feeds) in topics {
        let _ = writeln!(config, "- {{ id: of-{group}, feeds: [{}], limit: 10000 }}", feeds.join(", "));
    }
    house.write("config.yaml", config.as_bytes());
    house.run(["init", "."]).success();
    house
}

/// What became of a feed.
#[derive(Default)]
struct Outcome {
    new: u64,
    revised: u64,
    error: Option<String>,
}

/// Polls within the limits; the outcome of each feed.
fn poll(house: &House, args: &[&str]) -> BTreeMap<String, Outcome> {
    let mut command = Command::new("sh");
    command.current_dir(house.path("")).env_remove("FEEDMILL_CONFIG");
    command.args(["-c", LIMITS, env!("CARGO_BIN_EXE_feedmill"), "--config", "config.yaml", "poll", "--json"]);
    let run = Run::of(&command.args(args).output().expect("the program runs"));
    assert!(run.code == 0 || run.code == 4, "{}: {}", run.code, run.stderr);
    let reports = run.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("json"));
    let outcome = |report: serde_json::Value| {
        let count = |what: &str| report[what].as_u64().expect("a number");
        let feed = report["feed"].as_str()?.to_owned();
        let error = report["error"].as_str().map(str::to_owned);
        Some((feed, Outcome { new: count("new"), revised: count("revised"), error }))
    };
    reports.filter_map(outcome).collect()
}

/// The texts of the posts that each feed brought.
fn posts_of(house: &House) -> BTreeMap<String, Vec<String>> {
    let mut posts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in house.ledger() {
        let Some(path) = line["path"].as_str().filter(|_| line["op"] == "add") else { continue };
        let feed = line["feed"].as_str().expect("a feed").to_owned();
        posts.entry(feed).or_default().push(house.read(&format!("data/archive/{path}")));
    }
    posts
}

#[test]
fn documents_that_mean_harm_do_none() {
    let house = House::new();
    let documents = documents(house.server());
    let house = house_of(house, &documents);
    let before = rules::places(&house);

    // Whoever comes first has the entry, so the claimed one is asked for first.
    let first = poll(&house, &["claimed"]);
    let mut outcomes = poll(&house, &[]);
    outcomes.get_mut("claimed").expect("asked").new += first["claimed"].new;
    let posts = posts_of(&house);
    for document in &documents {
        expected(document, &outcomes[&document.name], posts.get(&document.name).map_or(&[], Vec::as_slice));
    }
    rules::places_are_right(&house, &before);
    rules::posts_are_right(&house);
    rules::published_is_right(&house, &documents);
    let asked = house.requests();
    let asked: Vec<_> = asked.iter().filter(|request| request.to.contains("pwned")).collect();
    assert!(asked.is_empty(), "{asked:?}");

    // Asked again, nothing is new, and nothing is touched.
    let kept = house.snapshot();
    for (feed, outcome) in poll(&house, &["--force"]) {
        assert_eq!((outcome.new, outcome.revised), (0, 0), "{feed}");
    }
    assert_eq!(house.snapshot(), kept);
    house.run(["verify", "--deep"]).success();

    browser::nothing_runs(&house, jekyll::sites(&house));
}

/// What the manifest says of one document.
#[track_caller]
fn expected(document: &Document, outcome: &Outcome, posts: &[String]) {
    let Document { name, told, .. } = document;
    assert_eq!(outcome.new, told.entries, "{name}: {:?}", outcome.error);
    assert_eq!(posts.len() as u64, told.entries, "{name}");
    match (&told.error, &outcome.error) {
        (None, None) => {}
        (Some(wanted), Some(error)) => assert!(error.contains(wanted), "{name}: {error}"),
        (wanted, error) => panic!("{name}: {wanted:?}, {error:?}"),
    }
    if let Some(titles) = &told.titles {
        let title = |text: &String| feedmill::post::from_text(text).expect("post").title;
        let mut found: Vec<_> = posts.iter().map(title).collect();
        let mut wanted = titles.clone();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "{name}");
    }
    for kept in &told.keeps {
        assert!(posts.iter().any(|text| text.contains(kept)), "{name}: {kept:?} is not in {posts:#?}");
    }
    for never in &told.never {
        assert!(!posts.iter().any(|text| text.contains(never)), "{name}: {never:?} is in {posts:#?}");
    }
}
