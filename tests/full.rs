//! A disk that has no room left in the middle of a poll: with room again, nothing is lost or twice.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use feedmill::post;

use crate::house::{DATE, House, files, item, rss};
use crate::newsroom::Dice;

/// A small file system in memory, gone at the end.
struct Small(PathBuf);

impl Small {
    /// Says so and does nothing where mounting is not allowed.
    fn mount(folder: &Path) -> Option<Self> {
        fs::create_dir_all(folder).expect("folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(folder);
        match mount.output() {
            Ok(done) if done.status.success() => Some(Self(folder.to_owned())),
            Ok(done) => {
                println!("skipped: mounting needs root: {}", String::from_utf8_lossy(&done.stderr).trim());
                None
            }
            Err(error) => {
                println!("skipped: there is no `mount` here: {error}");
                None
            }
        }
    }

    /// Leaves so much room (KiB) beyond what is used.
    fn leave(&self, room: u64) {
        let used = Command::new("df").args(["-k", "--output=used"]).arg(&self.0).output().expect("df");
        let used =
            String::from_utf8_lossy(&used.stdout).lines().nth(1).and_then(|line| line.trim().parse::<u64>().ok());
        let size = format!("remount,size={}k", used.expect("a number") + room);
        let done = Command::new("mount").args(["-o", &size]).arg(&self.0).status().expect("mount");
        assert!(done.success(), "{size}");
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Entries with texts that do not compress.
fn entries(from: u64, to: u64, version: u64) -> String {
    let text = |n: u64| {
        let mut dice = Dice(n * 100 + version);
        (0..600).map(|_| dice.next().to_string() + " ").collect::<String>()
    };
    let entry = |n: u64| {
        item(
            &format!("Entry {n}"),
            &format!("https://example.org/{n}"),
            &format!("g{n}"),
            DATE,
            &format!("<p>{}</p>", text(n)),
        )
    };
    (from..to).map(entry).collect()
}

const TWO: &str = "feeds: [{ id: a, name: A, url: '{server}/a' }, { id: b, name: B, url: '{server}/b' }]\n\
                   topics: [{ id: all, limit: 1000 }]";

fn serve_first(house: &House) {
    house.config(TWO).serves("/a", rss(&entries(0, 6, 1))).serves("/b", rss(&entries(3, 12, 1)));
}

fn serve_second(house: &House) {
    house.serves("/a", rss(&(entries(0, 3, 2) + &entries(20, 40, 1)))).serves("/b", rss(&entries(30, 60, 1)));
}

/// Posts and former versions; when a version was seen first is another time in each house.
fn kept(house: &House) -> Vec<(String, String)> {
    let root = house.path("data/archive");
    let all = ["_posts", "_revisions"].map(|folder| files(&root.join(folder)));
    let all = all.into_iter().flatten().map(|file| {
        let text = fs::read_to_string(&file).expect("post");
        let timeless = text.lines().filter(|line| !line.starts_with("updated: ")).collect::<Vec<_>>().join("\n");
        (file.strip_prefix(&root).expect("below").display().to_string(), timeless)
    });
    all.collect()
}

/// Polls with less room than it takes, again and again with a little more; then with enough.
fn fill(folders: &[&str]) {
    let undisturbed = House::new();
    serve_first(&undisturbed);
    undisturbed.run(["poll"]).success();
    serve_second(&undisturbed);
    undisturbed.run(["poll"]).success();

    let house = House::new();
    let mounts: Option<Vec<Small>> = folders.iter().map(|folder| Small::mount(&house.path(folder))).collect();
    let Some(mounts) = mounts else { return };
    serve_first(&house);
    let mut failed = [0, 0];
    for (poll, failed) in failed.iter_mut().enumerate() {
        if poll == 1 {
            serve_second(&house);
        }
        for room in [4, 8, 16, 32, 64, 96, 160, 240, 400, 600, 800] {
            for mount in &mounts {
                mount.leave(room);
            }
            let run = house.run(["poll"]);
            if run.code == 0 {
                continue;
            }
            *failed += 1;
            assert_eq!(run.code, 1, "{room} KiB: {} {}", run.stdout, run.stderr);
            assert_eq!(run.stderr.lines().filter(|line| !line.starts_with("warning: ")).count(), 1, "{}", run.stderr);
            assert!(run.stderr.contains("error: `") && run.stderr.contains("No space left"), "{}", run.stderr);
            for file in files(&house.path("data/archive/_posts")) {
                let is_hidden = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
                assert!(is_hidden || post::is_whole(&fs::read(&file).expect("post")), "{}", file.display());
            }
        }
        for mount in &mounts {
            mount.leave(16 << 10);
        }
        house.run(["poll"]).success();
    }
    println!("{folders:?}: {} and {} polls had no room", failed[0], failed[1]);
    assert!(failed.iter().all(|failed| *failed > 0), "nothing was full");
    assert_eq!(kept(&house), kept(&undisturbed));
    let ops = |house: &House| {
        let mut ops: Vec<String> =
            house.ledger().iter().map(|l| format!("{} {} {}", l["op"], l["key"], l["rev"])).collect();
        ops.sort();
        ops
    };
    assert_eq!(ops(&house), ops(&undisturbed));
    house.run(["verify", "--deep"]).says(&[]).success();
    let published = house.read("data/public/all/atom.xml");
    assert_eq!(published.matches("<entry").count(), house.posts().len());
    let is_hidden = |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    assert_eq!(files(&house.path("data/archive")).iter().filter(|file| is_hidden(file)).count(), 0);
    house.run(["poll", "--force"]).summary("2 read (53 duplicates)").success();
}

#[test]
fn no_room_for_posts() {
    fill(&["data/archive"]);
}

#[test]
fn no_room_for_the_index() {
    fill(&["data/index"]);
}

#[test]
fn no_room_for_published_files() {
    fill(&["data/public"]);
}

#[test]
fn no_room_for_anything() {
    fill(&["data"]);
}

#[test]
fn no_room_for_posts_and_index_beside_each_other() {
    fill(&["data/archive", "data/index"]);
}
