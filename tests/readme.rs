//! README, its pages, the shipped configs and `contrib` stay true.

mod commands;
mod config;
mod markdown;
mod nginx;
mod recipes;
mod trouble;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use self::markdown::{PAGES, anchor, links, page, root, section, sections};
use crate::house::Run;

/// Runs `check` over a config, with the variables that the pages name.
fn check(config: &Path) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_feedmill"));
    command.current_dir(root()).arg("--config").arg(config).arg("check");
    Run::of(&command.env("API_KEY", "k").output().expect("the program runs"))
}

#[test]
fn shipped_configs_are_good() {
    for config in ["config/feedmill.yaml", "config/demo.yaml"] {
        let run = check(Path::new(config)).success();
        assert!(run.stderr.is_empty(), "{config}: {}", run.stderr);
    }
}

#[test]
fn every_config_of_the_pages_is_good() {
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("config.yaml");
    let all: Vec<_> = PAGES.iter().flat_map(|name| sections(&page(name))).flat_map(|section| section.blocks).collect();
    let configs: Vec<_> = all.iter().filter(|block| block.language == "yaml").collect();
    assert!(configs.len() >= 7, "{}", configs.len());
    for config in configs {
        crate::house::write(&file, config.text.as_bytes());
        check(&file).success();
    }
}

#[test]
fn every_link_leads_somewhere() {
    let others = ["ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/performance.md"];
    for name in PAGES.into_iter().chain(others) {
        for link in links(&page(name)) {
            let (file, wanted) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { name.into() } else { Path::new(name).with_file_name("").join(file) };
            assert!(root().join(&target).exists(), "{name} links `{link}`: there is no such file");
            if !wanted.is_empty() {
                let titles =
                    sections(&page(&target.to_string_lossy())).into_iter().map(|section| anchor(&section.title));
                assert!(titles.into_iter().any(|title| title == wanted), "{name} links `{link}`: no such heading");
            }
        }
    }
}

#[test]
fn the_contents_of_a_page_name_all_its_sections() {
    for name in PAGES {
        let text = page(name);
        let sections = sections(&text);
        let named: BTreeSet<String> = links(&text.split("\n## ").next().expect("contents").replace("](#", "]( #"))
            .iter()
            .filter_map(|link| Some(link.trim().strip_prefix('#')?.to_owned()))
            .collect();
        let there: BTreeSet<String> = sections.iter().skip(1).map(|section| anchor(&section.title)).collect();
        assert_eq!(named, there, "{name}");
    }
}

#[test]
fn every_file_of_contrib_is_linked() {
    let named: Vec<String> = PAGES.iter().flat_map(|name| links(&page(name))).collect();
    for file in crate::house::files(&root().join("contrib")) {
        let name = file.file_name().expect("name").to_string_lossy().into_owned();
        // They belong to the file whose name they begin with.
        if name.ends_with(".dockerignore") || name.ends_with("-test.yml") {
            continue;
        }
        assert!(named.iter().any(|link| link.ends_with(&format!("contrib/{name}"))), "no page links contrib/{name}");
    }
}

/// Tools that know these formats; each says what is wrong.
#[test]
fn what_judges_files_of_contrib_finds_them_right() {
    for (tool, args) in [
        ("caddy", &["validate", "--adapter", "caddyfile", "--config", "contrib/Caddyfile"][..]),
        ("promtool", &["check", "rules", "contrib/prometheus-alerts.yml"]),
        ("promtool", &["test", "rules", "contrib/prometheus-alerts-test.yml"]),
    ] {
        match Command::new(tool).current_dir(root()).args(args).output() {
            Ok(done) => assert!(done.status.success(), "{tool}: {}", String::from_utf8_lossy(&done.stderr)),
            Err(_) => println!("skipped: {tool} is not here"),
        }
    }
}

#[test]
fn ci_finds_the_command_that_runs_the_tests() {
    let blocks = section(&page("README.md"), "Quick start").blocks;
    let texts: Vec<&str> =
        blocks.iter().filter(|block| block.language == "sh").map(|block| block.text.as_str()).collect();
    assert_eq!(texts.first(), Some(&"cargo run --locked -- --config config/demo.yaml poll\n"));
    assert_eq!(texts.last(), Some(&"cargo test --locked\n"));
    // As .ci/run looks for it.
    let readme = page("README.md");
    let first = readme.lines().find(|line| line.starts_with("cargo test"));
    assert_eq!(first, Some("cargo test --locked"));
}
