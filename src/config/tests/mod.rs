#![allow(clippy::unwrap_used, clippy::expect_used)]

mod right;
mod wrong;

use std::collections::BTreeMap;

use super::{Config, Problem, Source, read};

const SITE: &str = "site: { url: https://news.example.org }\n";

fn env(name: &str) -> Option<String> {
    let values = BTreeMap::from([
        ("HOST", "feeds.example.org"),
        ("TOKEN", "geheim"),
        ("ROOT", "/srv"),
        ("URL", "https://feeds.example.org/geheim"),
        ("EMPTY", ""),
        ("MANY", "7"),
        ("TRICK", "${TOKEN}: [x"),
    ]);
    values.get(name).map(|value| (*value).to_owned())
}

/// Reads a main file, and others that it includes.
fn read_all(texts: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
    let sources: Vec<_> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    read(&sources, &env)
}

/// What is printed for a text that stands below line 1, which holds the site.
fn problems(text: &str) -> String {
    problems_of(&format!("{SITE}{text}"))
}

fn problems_of(text: &str) -> String {
    lines(read_all(&[("c.yaml", text)]))
}

fn lines(result: Result<Config, Vec<Problem>>) -> String {
    let problems = result.expect_err("there should be problems");
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
