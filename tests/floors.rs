//! Imports point down; outside crates have one door each; nothing pure touches the world.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::house::files;

/// Each module and its floor.
const FLOORS: &[(&str, u8)] = &[
    ("model", 0),
    ("config", 1),
    ("history", 1),
    ("identity", 1),
    ("normalize", 1),
    ("output", 1),
    ("plan", 1),
    ("post", 1),
    ("read", 1),
    ("schedule", 1),
    ("pace", 1),
    ("topic", 1),
    ("archive", 2),
    ("clock", 2),
    ("disk", 2),
    ("fetch", 2),
    ("index", 2),
    ("site", 2),
    ("keep", 3),
    ("maintain", 3),
    ("poll", 3),
    ("publish", 3),
    ("takedown", 3),
    ("control", 4),
    ("watch", 3),
    ("daemon", 4),
    ("hubs", 4),
    ("metrics", 4),
    ("serve", 4),
    ("systemd", 4),
    ("app", 5),
    ("cli", 5),
    ("lib", 5),
    ("log", 5),
    ("main", 5),
];

/// Which files may name an outside crate.
const DOORS: &[(&str, &[&str])] = &[
    ("feed_rs", &["read/parse.rs"]),
    (
        "reqwest",
        &[
            "fetch/http.rs",
            "fetch/http/clients.rs",
            "fetch/http/freshness.rs",
            "fetch/http/headers.rs",
            "fetch/http/hook.rs",
            "fetch/http/resolver.rs",
            "fetch/http/trouble.rs",
        ],
    ),
    ("sled", &["index/sled.rs", "index/sled/entries.rs", "index/sled/state.rs", "index/sled/store.rs"]),
    ("atom_syndication", &["output/atom.rs", "output/atom/alarms.rs"]),
    ("rss", &["output/rss.rs"]),
    ("cron", &["schedule/calendar.rs"]),
    ("serde_yaml", &["config/raw.rs", "post/read.rs"]),
    ("ammonia", &["normalize/html.rs"]),
    ("lol_html", &["normalize/rewrite.rs"]),
    ("postcard", &["index/sled/state.rs", "index/sled/stored.rs"]),
    ("mimalloc", &["main.rs"]),
    (
        "rustix",
        &["archive/folder.rs", "clock.rs", "disk.rs", "fetch/file.rs", "serve.rs", "serve/files.rs", "serve/wire.rs"],
    ),
    ("askama", &["output/page.rs", "output/page/status.rs"]),
    ("hanconv", &["topic/form.rs"]),
    ("similar", &["output/diff.rs"]),
    ("zstd", &["archive/raw.rs", "fetch/decode.rs", "fetch/decode/held.rs"]),
    ("brotli_decompressor", &["fetch/decode.rs"]),
    ("unicode_width", &["watch/table.rs"]),
    ("brotli", &["serve/packed.rs"]),
    ("prometheus_client", &["metrics.rs"]),
    ("psl", &["poll/address.rs"]),
    ("indicatif", &["cli.rs"]),
    ("clap", &["cli.rs", "cli/manual.rs", "main.rs"]),
    ("clap_complete", &["cli.rs", "cli/manual.rs"]),
    ("clap_mangen", &["cli/manual.rs"]),
    ("glob", &["app/files.rs"]),
    ("sd_notify", &["systemd.rs"]),
    ("tracing", &["app.rs", "app/", "cli.rs", "control.rs", "control/", "daemon.rs", "daemon/", "hubs.rs", "log.rs"]),
    ("tracing_subscriber", &["log.rs"]),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Each file, relative to `src`, with its code: comments and unit tests left out.
fn code() -> BTreeMap<String, String> {
    let root = source();
    let names = files(&root).into_iter().filter(|f| f.extension().is_some_and(|e| e == "rs"));
    names
        .filter(|f| !f.components().any(|c| c.as_os_str() == "tests") && f.file_name().is_none_or(|n| n != "tests.rs"))
        .map(|f| {
            let text = fs::read_to_string(&f).expect("source");
            let text = text.split("#[cfg(test)]\nmod tests {").next().expect("code");
            let lines: Vec<&str> = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
            (f.strip_prefix(&root).expect("below").to_string_lossy().into_owned(), lines.join("\n"))
        })
        .collect()
}

fn module(file: &str) -> &str {
    file.split(['/', '.']).next().expect("module")
}

fn floor(module: &str) -> u8 {
    FLOORS
        .iter()
        .find(|(name, _)| *name == module)
        .unwrap_or_else(|| panic!("`{module}` has no floor: add it to FLOORS"))
        .1
}

/// The modules of this crate that a file names.
fn uses(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in text.split("crate::").skip(1) {
        let names = part
            .strip_prefix('{')
            .map_or_else(|| vec![part], |list| list.split('}').next().unwrap_or("").split(',').collect());
        for name in names {
            let name: String = name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if FLOORS.iter().any(|(known, _)| *known == name) {
                found.push(name);
            }
        }
    }
    found
}

/// A file that is longer usually holds two nouns.
const LONGEST: usize = 500;

#[test]
fn no_file_needs_a_second_noun() {
    let long = code().into_iter().map(|(file, text)| (file, text.lines().count())).filter(|(_, n)| *n > LONGEST);
    assert_eq!(long.collect::<Vec<_>>(), [], "lines without comments and unit tests, {LONGEST} at most");
}

#[test]
fn imports_point_down() {
    for (file, text) in code() {
        let own = module(&file);
        for used in uses(&text) {
            if used == own || own == "lib" {
                continue;
            }
            let (from, to) = (floor(own), floor(&used));
            // The disk is what the archive and the site both stand on.
            let fine = to < from || used == "disk" || (to == from && matches!(from, 1 | 3 | 4 | 5));
            assert!(fine, "src/{file} (floor {from}) uses `{used}` (floor {to})");
        }
    }
}

fn reaches(edges: &BTreeMap<String, Vec<String>>, from: &str, to: &str, seen: &mut Vec<String>) -> bool {
    edges.get(from).into_iter().flatten().any(|next| {
        next == to
            || (!seen.contains(next) && {
                seen.push(next.clone());
                reaches(edges, next, to, seen)
            })
    })
}

#[test]
fn modules_of_one_floor_have_no_cycle() {
    let mut edges: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, text) in code() {
        let own = module(&file).to_owned();
        let used = uses(&text).into_iter().filter(|used| *used != own);
        edges.entry(own.clone()).or_default().extend(used);
    }
    for module in edges.keys().filter(|m| *m != "lib" && *m != "main") {
        assert!(!reaches(&edges, module, module, &mut Vec::new()), "`{module}` leads back to itself");
    }
}

#[test]
fn pure_floors_touch_nothing() {
    let forbidden = [
        "async fn",
        "async move",
        ".await",
        "tokio",
        "std::fs",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "SystemTime",
        "Instant",
        "Utc::now",
        "std::env::var",
        "std::process",
        "std::thread",
    ];
    for (file, text) in code().into_iter().filter(|(f, _)| floor(module(f)) <= 1) {
        for word in forbidden {
            assert!(!text.contains(word), "src/{file} is pure, but names `{word}`");
        }
    }
}

#[test]
fn every_outside_crate_has_one_door() {
    for (file, text) in code() {
        for (outside, doors) in DOORS {
            let named = text.contains(&format!("{outside}::")) || text.contains(&format!("use {outside};"));
            let own = text.contains(&format!("mod {outside}"))
                || text.contains(&format!("pub use {outside}::"))
                || text.contains(&format!("self::{outside}"));
            assert!(
                !named
                    || own
                    || doors.iter().any(|door| file == *door || door.ends_with('/') && file.starts_with(door)),
                "src/{file} names `{outside}`; its door is {doors:?}"
            );
        }
    }
}

#[test]
fn the_house_list_is_complete() {
    let lib = fs::read_to_string(source().join("lib.rs")).expect("lib.rs");
    for (module, _) in FLOORS.iter().filter(|(m, _)| !matches!(*m, "lib" | "main")) {
        assert!(lib.contains(&format!("pub mod {module};")), "lib.rs lacks `{module}`");
    }
}
