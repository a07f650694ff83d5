//! The sample workflow: its own scripts, run by fresh clones of one repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_yaml::Value;

use crate::house::{DATE, House, Run, item, rss};

fn workflow() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/github-actions.yml");
    serde_yaml::from_str(&std::fs::read_to_string(path).expect("the workflow")).expect("YAML")
}

/// The script of a step.
fn script(step: &str) -> String {
    let workflow = workflow();
    let steps = workflow["jobs"]["poll"]["steps"].as_sequence().expect("steps").clone();
    let found = steps.into_iter().find(|found| found["name"] == step).expect("the step");
    found["run"].as_str().expect("a script").to_owned()
}

fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=me", "-c", "user.email=me@localhost"]).args(args);
    let done = command.env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", folder).output().expect("git");
    assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// A repository that `feedmill init` has set up, and the feeds it polls.
struct Project {
    house: House,
}

impl Project {
    /// `None` where git is not here.
    fn start() -> Option<Self> {
        if Command::new("git").arg("--version").output().is_err() {
            println!("skipped: git is not here");
            return None;
        }
        let house = House::new();
        let first = house.path("first");
        house.run(["init", "first"]).success();
        house.config(
            "feeds: [{ id: a, name: A, url: '{server}/a.xml' }, { id: b, name: B, url: '{server}/b.xml' }]\n\
             topics: [{ id: t }]",
        );
        std::fs::rename(house.path("config.yaml"), first.join("config/feedmill.yaml")).expect("config");
        git(house.path(".").as_path(), &["init", "--quiet", "--bare", "--initial-branch=main", "origin.git"]);
        git(&first, &["init", "--quiet", "--initial-branch=main"]);
        git(&first, &["add", "."]);
        git(&first, &["commit", "--quiet", "--message", "Set up"]);
        git(&first, &["push", "--quiet", "../origin.git", "main"]);
        let project = Self { house };
        project.serve("a", &["One"]);
        project.serve("b", &["Two"]);
        Some(project)
    }

    fn serve(&self, feed: &str, titles: &[&str]) {
        let one = |title: &&str| item(title, &format!("https://example.org/{title}"), title, DATE, "<p>x</p>");
        self.house.serves(&format!("/{feed}.xml"), rss(&titles.iter().map(one).collect::<String>()));
    }

    /// A runner's fresh machine.
    fn clone(&self, name: &str) -> PathBuf {
        // As actions/checkout does it.
        let origin = format!("file://{}", self.house.path("origin.git").display());
        git(&self.house.path("."), &["clone", "--quiet", "--depth=1", &origin, name]);
        self.house.path(name)
    }

    fn commits(&self) -> String {
        git(&self.house.path("origin.git"), &["rev-list", "--count", "main"])
    }
}

/// Runs a step of the workflow as GitHub does.
fn step(clone: &Path, step: &str) -> Run {
    let program = Path::new(env!("CARGO_BIN_EXE_feedmill")).parent().expect("folder").display().to_string();
    let path = format!("{program}:{}", std::env::var("PATH").unwrap_or_default());
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &script(step)]).current_dir(clone);
    bash.env("PATH", path).env("HOME", clone).env("GIT_CONFIG_NOSYSTEM", "1").env_remove("FEEDMILL_CONFIG");
    Run::of(&bash.output().expect("bash"))
}

#[test]
fn the_second_run_on_a_fresh_machine_asks_only_for_what_is_new_and_commits_nothing() {
    let Some(project) = Project::start() else { return };
    let first = project.clone("one");
    step(&first, "Poll").success().summary("2 read (2 new posts)");
    step(&first, "Keep").success();
    assert_eq!(project.commits(), "2");

    let asked = project.house.requests().len();
    let second = project.clone("two");
    step(&second, "Poll").success().summary("2 not modified");
    let requests = project.house.requests().split_off(asked);
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|request| request.headers.contains_key("if-none-match")), "{requests:?}");
    let said = step(&second, "Keep").success().stdout;
    assert_eq!((said.as_str(), project.commits().as_str()), ("nothing new\n", "2"));

    project.serve("a", &["One", "Three"]);
    let third = project.clone("three");
    step(&third, "Poll").success().summary("1 not modified, 1 read (1 new post, 1 duplicate)");
    step(&third, "Keep").success();
    assert_eq!(project.commits(), "3");
}

#[test]
fn a_feed_that_fails_costs_only_itself() {
    let Some(project) = Project::start() else { return };
    project.house.serves_page("/b.xml", crate::house::Page { status: 500, headers: vec![], body: vec![] });
    let clone = project.clone("one");
    let run = step(&clone, "Poll").success().summary("1 read (1 new post), 1 failed");
    assert!(run.stderr.contains("warning: feed `b`: "), "{}", run.stderr);
    step(&clone, "Keep").success();
    assert_eq!(project.commits(), "2");

    // What is no feed's failure is the run's.
    project.house.write("one/config/feedmill.yaml", b"feeds: 7\n");
    step(&clone, "Poll").code(1);
}

#[test]
fn what_two_machines_brought_at_a_time_is_kept_together() {
    let Some(project) = Project::start() else { return };
    let first = project.clone("one");
    step(&first, "Poll").success();
    step(&first, "Keep").success();

    let (left, right) = (project.clone("left"), project.clone("right"));
    project.serve("a", &["One", "Three"]);
    step(&left, "Poll").success();
    project.serve("b", &["Two", "Four"]);
    step(&right, "Poll").success();
    step(&left, "Keep").success();
    step(&right, "Keep").success();

    let last = project.clone("last");
    step(&last, "Poll").success();
    let posts = crate::house::files(&last.join("data/archive/_posts"));
    let titles: Vec<String> = ["One", "Two", "Three", "Four"]
        .into_iter()
        .filter(|title| posts.iter().any(|post| post.to_string_lossy().contains(&format!("-{title}-"))))
        .map(str::to_owned)
        .collect();
    assert_eq!(titles, ["One", "Two", "Three", "Four"], "{posts:?}");
    assert_eq!(posts.len(), 4, "{posts:?}");
    let verified = Command::new(env!("CARGO_BIN_EXE_feedmill")).current_dir(&last).args(["verify", "--deep"]).output();
    Run::of(&verified.expect("runs")).success();
}

#[test]
fn no_step_shows_a_secret_and_only_one_run_goes_at_a_time() {
    let workflow = workflow();
    assert_eq!(workflow["concurrency"]["cancel-in-progress"], Value::Bool(false));
    assert!(workflow["concurrency"]["group"].as_str().is_some_and(|group| !group.contains("${{")));
    for step in workflow["jobs"]["poll"]["steps"].as_sequence().expect("steps") {
        // An expression inside a script is written into it, and into the log.
        let script = step["run"].as_str().unwrap_or_default();
        assert!(!script.contains("${{") && !script.contains("set -x"), "{script}");
    }
}
