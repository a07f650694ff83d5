//! README and shipped configs stay true.

use std::path::Path;
use std::process::Command;

use crate::house::Run;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn check(config: &Path) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_feedmill"))
        .current_dir(root())
        .arg("--config")
        .arg(config)
        .arg("check")
        .output();
    Run::of(&output.expect("the program runs"))
}

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("README")
}

#[test]
fn shipped_configs_are_good() {
    for config in ["config/feedmill.yaml", "config/demo.yaml"] {
        let run = check(Path::new(config)).success();
        assert!(run.stderr.is_empty(), "{config}: {}", run.stderr);
    }
}

#[test]
fn every_config_of_the_readme_is_good() {
    let folder = tempfile::tempdir().expect("folder");
    let readme = readme();
    let blocks: Vec<&str> =
        readme.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().expect("end")).collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        let file = folder.path().join("config.yaml");
        std::io::Write::write_all(&mut std::fs::File::create(&file).expect("file"), block.as_bytes()).expect("written");
        check(&file).success();
    }
}

#[test]
fn the_readme_names_every_command() {
    let help = Command::new(env!("CARGO_BIN_EXE_feedmill")).arg("--help").output().expect("runs");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let commands = help.split("Commands:\n").nth(1).expect("commands").lines().take_while(|l| !l.trim().is_empty());
    // A narrow terminal breaks descriptions; only names stand at this margin.
    let at_margin = commands.filter(|l| l.starts_with("  ") && !l.starts_with("   "));
    let names: Vec<&str> =
        at_margin.filter_map(|l| l.split_whitespace().next()).filter(|name| *name != "help").collect();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        assert!(readme().contains(&format!("`feedmill {name}")), "the README does not name `{name}`");
    }
}
