//! `docs/config.md` against the program: keys, defaults, examples.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use feedmill::config::{self, Config, Source};

use super::markdown::{page, rows, section, spans};

/// A key as the page tells of it.
#[derive(Debug)]
struct Key {
    name: String,
    /// The cell of the default.
    default: String,
    /// The value behind "for example".
    example: Option<String>,
}

/// The tables: heading, and the path of what they are about.
const TABLES: [(&str, &str); 7] = [
    ("The file", ""),
    ("`site`", "site"),
    ("`storage`", "storage"),
    ("`server`", "server"),
    ("`fetch`", "fetch"),
    ("A feed", "feeds"),
    ("A topic", "topics"),
];

/// Defaults that follow from other values, so they cannot be written down.
const DERIVED: [&str; 9] = [
    "site.title: the host of `url`",
    "site.author: the `title`",
    "feeds.schedule: the file's `schedule`",
    "feeds.timezone: the file's `timezone`",
    "feeds.proxy: `fetch.proxy`",
    "topics.title: the `id`",
    "storage: `{}`",
    "server: `{}`",
    "fetch: `{}`",
];

fn tables() -> BTreeMap<&'static str, Vec<Key>> {
    let text = page("docs/config.md");
    let key = |row: Vec<String>| {
        let example = row[2].split("or example ").nth(1).and_then(|rest| spans(rest).into_iter().next());
        Key { name: spans(&row[0]).concat(), default: row[1].clone(), example }
    };
    TABLES.map(|(title, path)| (path, rows(&section(&text, title)).into_iter().map(key).collect())).into()
}

fn read(text: &str) -> Result<Config, Vec<String>> {
    let env = |name: &str| match name {
        "PWD" => Some("/srv".to_owned()),
        "LWN_PASSWORD" => Some("secret".to_owned()),
        _ => None,
    };
    let problems = |problems: Vec<config::Problem>| problems.iter().map(ToString::to_string).collect();
    config::read(&[Source { name: "c", text }], &env).map_err(problems)
}

/// A config in which each place holds these lines besides what is required.
fn text(lines: &BTreeMap<&str, Vec<String>>) -> String {
    let of = |path: &str| lines.get(path).cloned().unwrap_or_default();
    let mut out = String::new();
    let _ = writeln!(out, "{}", of("").join("\n"));
    for section in ["site", "storage", "server", "fetch"] {
        let _ = writeln!(out, "{section}:");
        for line in of(section) {
            let _ = writeln!(out, "  {line}");
        }
    }
    for list in ["feeds", "topics"] {
        let _ = writeln!(out, "{list}:\n  -");
        for line in of(list) {
            let _ = writeln!(out, "    {line}");
        }
    }
    out
}

/// What must be there, from the examples of the page.
fn required() -> BTreeMap<&'static str, Vec<String>> {
    let line = |key: &Key| Some(format!("{}: {}", key.name, key.example.as_ref()?));
    let of = |keys: Vec<Key>| keys.iter().filter(|key| key.default == "required").filter_map(line).collect();
    tables().into_iter().map(|(path, keys)| (path, of(keys))).collect()
}

#[test]
fn the_reference_has_every_key_and_no_other() {
    for (path, keys) in tables() {
        let mut lines = required();
        lines.entry(path).or_default().push("qqqqqqqqqqqqqqqq: 1".to_owned());
        let problems = read(&text(&lines)).expect_err("an unknown key");
        assert_eq!(problems.len(), 1, "{problems:?}");
        let (_, known) = problems[0].split_once("; known here: ").expect("a list of keys");
        let known: BTreeSet<&str> = known.split(", ").collect();
        assert_eq!(
            keys.iter().map(|key| key.name.as_str()).collect::<BTreeSet<_>>(),
            known,
            "docs/config.md, `{path}`"
        );
        assert_eq!(keys.len(), known.len(), "docs/config.md, `{path}`: a key stands twice");
    }
}

#[test]
fn stated_defaults_are_those_of_the_program() {
    let left_out = read(&text(&required())).expect("a good config");
    let mut lines = required();
    let mut derived = BTreeSet::new();
    let mut stated = 0;
    for (path, keys) in tables() {
        for key in keys.iter().filter(|key| key.default != "required" && key.default != "none") {
            let name = format!("{path}.{}: {}", key.name, key.default);
            let name = name.trim_start_matches('.').to_owned();
            // `feeds` and `topics` hold here what the other keys need; their emptiness is told elsewhere.
            if DERIVED.contains(&name.as_str()) || ["feeds: `[]`", "topics: `[]`"].contains(&name.as_str()) {
                derived.insert(name);
                continue;
            }
            let value = spans(&key.default);
            assert_eq!(format!("`{}`", value.concat()), key.default, "`{path}`: no default can be read from this cell");
            lines.entry(path).or_default().push(format!("{}: {}", key.name, value[0]));
            stated += 1;
        }
    }
    let written = read(&text(&lines)).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(written, left_out);
    assert_eq!(derived.len(), DERIVED.len() + 2, "{derived:?}");
    assert!(stated > 40, "{stated}");
    // What is left out altogether is no other thing than what is empty.
    let bare = "site: { url: 'https://news.example.org/' }";
    assert_eq!(read(bare), read(&format!("{bare}\nstorage: {{}}\nserver: {{}}\nfetch: {{}}\nfeeds: []\ntopics: []")));
}

#[test]
fn derived_defaults_are_those_of_the_program() {
    let config = read(&text(&required())).expect("a good config");
    assert_eq!(config.site.title, "news.example.org");
    assert_eq!(config.topics[0].title, config.topics[0].id.as_str());
    let mut lines = required();
    lines.entry("").or_default().extend(["schedule: '0 9 * * *'".to_owned(), "timezone: Asia/Tokyo".to_owned()]);
    let above = read(&text(&lines)).expect("a good config").feeds[0].schedule.clone();
    let mut lines = required();
    lines.entry("feeds").or_default().extend(["schedule: '0 9 * * *'".to_owned(), "timezone: Asia/Tokyo".to_owned()]);
    assert_eq!(read(&text(&lines)).expect("a good config").feeds[0].schedule, above);
}

#[test]
fn a_key_without_a_default_changes_something_and_so_does_every_example() {
    let without = read(&text(&required())).expect("a good config");
    let mut tried = 0;
    for (path, keys) in tables() {
        for key in keys.iter().filter(|key| key.default != "required") {
            let Some(example) = &key.example else {
                assert_ne!(key.default, "none", "`{path}.{}` needs an example", key.name);
                continue;
            };
            let mut lines = required();
            let place = lines.entry(path).or_default();
            place.push(format!("{}: {example}", key.name));
            // A login has two halves.
            match key.name.as_str() {
                "username" => place.push("password_file: secrets/lwn".to_owned()),
                "password_file" | "password" => place.push("username: me".to_owned()),
                _ => {}
            }
            let with = read(&text(&lines)).unwrap_or_else(|problems| panic!("{path}.{}: {problems:#?}", key.name));
            assert_ne!(with, without, "{path}.{}", key.name);
            tried += 1;
        }
    }
    assert!(tried > 30, "{tried}");
}

#[test]
fn commented_keys_of_the_shipped_configs_show_their_defaults() {
    let tables = tables();
    for file in ["config/feedmill.yaml", "src/maintain/init/feedmill.yaml"] {
        let mut place = "";
        let mut seen = 0;
        for line in page(file).lines().filter_map(|line| line.strip_prefix("# ").map(str::to_owned)) {
            let (name, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.split("  #").next().unwrap_or_default().trim();
            place = TABLES.iter().map(|(_, path)| *path).find(|path| *path == name).unwrap_or(place);
            let Some(key) = tables[place].iter().find(|key| key.name == name.trim() && line.starts_with("  ")) else {
                continue;
            };
            let shown = [spans(&key.default).concat(), key.example.clone().unwrap_or_default()];
            // What has no default shows what it may look like.
            let is_free = key.default == "none" || value.is_empty();
            assert!(is_free || shown.contains(&value.to_owned()), "{file}: `{name}: {value}` is neither of {shown:?}");
            seen += 1;
        }
        assert!(seen > 12, "{file}: {seen}");
    }
}
