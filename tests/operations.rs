//! What the operator and other programs get: logs, the man page, completions.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::house::House;

const FAILING: &str = "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]";

#[test]
fn warnings_are_sentences_for_people_and_objects_for_machines() {
    let house = House::new();
    house.config(FAILING);
    let said = house.run(["-q", "poll"]).code(4).stderr;
    let sentence = said.strip_prefix("warning: ").expect("a warning").trim_end();
    assert!(sentence.starts_with("feed `a`: ") && !sentence.contains('\n'), "{said}");

    let json = house.run(["--log-format", "json", "poll"]).code(4).stderr;
    let objects: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert_eq!(objects.len(), 1, "{json}");
    assert_eq!(objects[0]["level"], "warning");
    assert!(objects[0]["message"].as_str().expect("text").starts_with("feed `a`: "), "{json}");
}

#[test]
fn problems_of_the_config_are_objects_too() {
    let house = House::new();
    house.config("topcs: []\nfeds: []");
    let json = house.run(["--log-format", "json", "check"]).code(3).stderr;
    let messages: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert_eq!(messages.len(), 2, "{json}");
    assert!(messages.iter().all(|line| line["level"] == "error"), "{json}");
    assert_eq!(messages[0]["message"], "config.yaml:3: unknown key `topcs`; did you mean `topics`?");
}

#[test]
fn what_others_may_reach_is_noted_by_check() {
    let house = House::new();
    house.config("server: { metrics: '0.0.0.0:9464' }");
    let said = house.run(["check"]).success().stdout;
    assert!(said.contains("note: whoever reaches `0.0.0.0:9464` (server.metrics) reads the numbers"), "{said}");
    house.config("server: { metrics: '127.0.0.1:9464' }");
    let said = house.run(["check"]).success().stdout;
    assert!(!said.contains("9464"), "{said}");
}

fn feedmill(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_feedmill")).args(args).output().expect("runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Commands and long flags, as `--help` shows them.
fn words_of_help(command: &[&str]) -> BTreeSet<String> {
    let help = feedmill(&[command, &["--help"]].concat());
    let mut words = BTreeSet::new();
    for line in help.lines() {
        let flag = line.split_whitespace().find(|word| word.starts_with("--") && word.len() > 3);
        words.extend(flag.filter(|_| line.starts_with("  ")).map(|flag| flag.trim_end_matches(',').to_owned()));
    }
    let commands = help.split("Commands:\n").nth(1).unwrap_or_default();
    for line in commands.lines().take_while(|line| !line.is_empty()) {
        let name = line.split_whitespace().next().filter(|name| *name != "help" && !line.starts_with("   "));
        let Some(name) = name else { continue };
        words.insert(name.to_owned());
        words.extend(words_of_help(&[command, &[name]].concat()));
    }
    words
}

#[test]
fn man_page_and_completions_know_every_command_and_flag() {
    let words = words_of_help(&[]);
    for word in ["poll", "export", "opml", "--dry-run", "--reason", "--deep", "--log-format", "completions"] {
        assert!(words.contains(word), "{words:?}");
    }
    let page = feedmill(&["man"]).replace('\\', "");
    for word in &words {
        assert!(page.contains(word.as_str()), "the man page does not name `{word}`");
    }
    for command in ["poll", "export opml", "completions"] {
        assert!(page.contains(&format!("\n.SS feedmill {command}\n")), "{page}");
    }
    assert!(!page.contains("replay") && !page.contains("try-store"), "hidden commands stay hidden");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = feedmill(&["completions", shell]);
        for word in &words {
            // Fish writes flags without their dashes.
            assert!(script.contains(word.trim_start_matches('-')), "{shell} does not complete `{word}`");
        }
        assert!(!script.contains("replay") && !script.contains("try-store"), "hidden commands stay hidden");
    }
}

#[test]
fn the_shell_and_man_take_what_is_made_for_them() {
    let folder = tempfile::tempdir().expect("folder");
    for (args, tool, flags) in [
        (&["man"][..], "man", &["--warnings=all", "-l"][..]),
        (&["completions", "bash"], "bash", &["-n"]),
        (&["completions", "zsh"], "zsh", &["-n"]),
        (&["completions", "fish"], "fish", &["-n"]),
    ] {
        let file = folder.path().join(args.join("-"));
        crate::house::write(&file, feedmill(args).as_bytes());
        match Command::new(tool).args(flags).arg(&file).env("MANPAGER", "cat").output() {
            Ok(done) => {
                let said = String::from_utf8_lossy(&done.stderr);
                assert!(done.status.success() && said.is_empty(), "{tool}: {said}");
            }
            Err(_) => println!("skipped: {tool} is not here"),
        }
    }
}

#[test]
fn systemd_finds_the_service_right_and_shut_off() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let unit = std::fs::read_to_string(root.join("contrib/feedmill.service")).expect("unit");
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("feedmill.service");
    // It looks whether the program is there.
    let unit = unit.replace("/usr/local/bin/feedmill", env!("CARGO_BIN_EXE_feedmill"));
    crate::house::write(&file, unit.as_bytes());
    let analyze = |args: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command.args(args).arg(&file).env("SYSTEMD_PAGER", "cat").output().ok()
    };
    let Some(version) = analyze(&["--version"]) else {
        println!("skipped: systemd-analyze is not here");
        return;
    };
    let verified = analyze(&["verify"]).expect("systemd-analyze");
    let said = String::from_utf8_lossy(&verified.stderr);
    let version = String::from_utf8_lossy(&version.stdout).lines().next().unwrap_or_default().to_owned();
    assert!(verified.status.success() && said.is_empty(), "{version}: {said}");
    // Tenths: the exposure is at most 2.0.
    let security = analyze(&["security", "--offline=true", "--threshold=20"]).expect("systemd-analyze");
    let table = String::from_utf8_lossy(&security.stdout);
    assert!(
        table.contains("Overall exposure level"),
        "{version}: {table}{}",
        String::from_utf8_lossy(&security.stderr)
    );
    assert!(security.status.success(), "{version}: {table}");
}
