//! Real feeds in successive states, polled state by state through the real road, against the truth beside them.

use std::fs;
use std::path::{Path, PathBuf};

use feedmill::identity;
use feedmill::model::Post;

use crate::world::World;

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

/// What polling one history gave: posts kept, and every state's failure.
fn poll(folder: &Path, truth: &Truth) -> (Vec<Post>, Vec<String>) {
    let world = World::new("feeds: [{ id: f, name: F, url: 'https://feed.example.org/feed' }]\ntopics: [{ id: all }]");
    let mut failures = Vec::new();
    for state in &truth.series {
        world.at(state.time * 1000).serve("f", fs::read(folder.join(&state.file)).expect("state"));
        let errors = world.poll().into_iter().filter_map(|report| report.error);
        failures.extend(errors.map(|error| format!("{}: {error}", state.file)));
    }
    (world.posts(), failures)
}

/// True entries that no post stands for, by link or title.
fn lost<'a>(truth: &'a Truth, posts: &[Post]) -> Vec<&'a TrueEntry> {
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
