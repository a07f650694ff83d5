//! The real binary, killed at random moments while its feeds change: what the server served is kept,
//! once and whole.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use feedmill::archive::RawPoll;
use feedmill::model::Post;
use feedmill::post;

use crate::house::{House, Page, files, ledger};
use crate::newsroom::{Dice, Edition, FEEDS, Newsroom};

const CONFIG: &str = "feeds:
- { id: a, name: A, url: '{server}/a' }
- { id: b, name: B, url: '{server}/b' }
- { id: c, name: C, url: '{server}/c' }
- { id: d, name: D, url: '{server}/d' }
topics: [{ id: all, limit: 10000 }, { id: few, any: [Article 1], limit: 20 }, { id: changes, changes: true }]";

/// The feeds, and what of them was given out in this run.
struct Desk {
    news: Newsroom,
    dice: Dice,
    given: BTreeMap<usize, Edition>,
    /// Nothing changes any more.
    is_closed: bool,
}

/// Where the kills hit, and what was seen of their traces.
#[derive(Debug, Default)]
struct Figures {
    kills: usize,
    before_the_first_answer: usize,
    while_fetching: usize,
    while_keeping: usize,
    while_publishing: usize,
    in_reindex_or_publish: usize,
    with_a_lost_index: usize,
    /// Kills that left the mark of a batch under way, and temporary files.
    left_unclean: usize,
    left_unfinished_files: usize,
    /// Runs that were faster than the kill.
    finished: usize,
    /// Runs that found something to put right.
    healed: usize,
}

struct Loop {
    house: House,
    desk: Arc<Mutex<Desk>>,
    dice: Dice,
    figures: Figures,
    /// How long a whole run takes, and its part after the last answer.
    whole: Duration,
    after_answers: Duration,
    /// Files that were found whole, with their lengths and times.
    checked: BTreeMap<PathBuf, (u64, std::time::SystemTime)>,
}

impl Loop {
    fn new(seed: u64) -> Self {
        let house = House::new();
        house.config(CONFIG);
        let desk = Desk { news: Newsroom::new(seed), dice: Dice(seed + 1), given: BTreeMap::new(), is_closed: false };
        let desk = Arc::new(Mutex::new(desk));
        for (feed, name) in FEEDS.iter().enumerate() {
            let desk = Arc::clone(&desk);
            house.serves_fresh(&format!("/{name}"), move || {
                let mut desk = desk.lock().expect("desk");
                // Feeds change while they are polled, too.
                if !desk.is_closed && desk.dice.one_in(8) {
                    desk.news.change();
                }
                let (document, edition) = desk.news.serve(feed);
                desk.given.insert(feed, edition);
                Page::of(document)
            });
        }
        let (whole, after_answers) = (Duration::from_millis(300), Duration::from_millis(150));
        let checked = BTreeMap::new();
        Self { house, desk, dice: Dice(seed + 2), figures: Figures::default(), whole, after_answers, checked }
    }

    /// A run that is killed, unless it ends before that.
    fn run(&mut self) {
        self.desk.lock().expect("desk").news.change();
        let index_is_lost = self.dice.one_in(20);
        if index_is_lost {
            // Opening and filling it anew is killed like everything else.
            let _ = fs::remove_dir_all(self.house.path("data/index"));
        }
        let command = match self.dice.below(16) {
            0 => "reindex",
            1 => "publish",
            _ => "poll",
        };
        let mut child = self.start(command);
        if command == "poll" && self.dice.one_in(2) {
            self.wait_for_answers(&mut child);
            std::thread::sleep(self.moment(self.after_answers));
        } else {
            std::thread::sleep(self.moment(self.whole));
        }
        child.kill().expect("killed");
        let status = child.wait().expect("the program");
        if status.code().is_some() {
            assert_eq!(status.code(), Some(0), "{}", self.house.read("said"));
            self.figures.finished += 1;
            if command == "poll" {
                self.confirm();
            }
            return;
        }
        self.figures.kills += 1;
        self.figures.with_a_lost_index += usize::from(index_is_lost);
        *self.phase(command)(&mut self.figures) += 1;
        let left = files(&self.house.path("data/archive"));
        self.figures.left_unclean += usize::from(left.iter().any(|file| file.ends_with(".unclean")));
        let is_unfinished = |file: &PathBuf| file.extension().is_some_and(|e| e == "tmp");
        self.figures.left_unfinished_files += usize::from(left.iter().any(is_unfinished));
        self.nothing_is_torn();
    }

    fn start(&self, command: &str) -> Child {
        self.desk.lock().expect("desk").given.clear();
        let said = File::create(self.house.path("said")).expect("file");
        let told = File::create(self.house.path("told")).expect("file");
        self.house.command().args([command, "-v"]).stderr(said).stdout(told).spawn().expect("the program runs")
    }

    /// Until every feed was asked for.
    fn wait_for_answers(&self, child: &mut Child) {
        while self.desk.lock().expect("desk").given.len() < FEEDS.len() && child.try_wait().expect("program").is_none()
        {
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn moment(&mut self, within: Duration) -> Duration {
        let micros = usize::try_from(within.as_micros()).expect("short");
        Duration::from_micros(self.dice.below(micros.max(1)) as u64)
    }

    /// How far the run has come, as far as it shows.
    fn phase(&self, command: &str) -> fn(&mut Figures) -> &mut usize {
        if command != "poll" {
            return |figures| &mut figures.in_reindex_or_publish;
        }
        let kept = self.house.read("told").lines().filter(|line| line.starts_with("feed=")).count();
        match (self.desk.lock().expect("desk").given.len(), kept) {
            (0, _) => |figures| &mut figures.before_the_first_answer,
            (_, kept) if kept == FEEDS.len() => |figures| &mut figures.while_publishing,
            (given, _) if given == FEEDS.len() => |figures| &mut figures.while_keeping,
            _ => |figures| &mut figures.while_fetching,
        }
    }

    /// A run that nobody kills, and what it met.
    fn run_well(&mut self) {
        let start = Instant::now();
        let mut child = self.start("poll");
        self.wait_for_answers(&mut child);
        let answered = start.elapsed();
        let status = child.wait().expect("the program");
        assert_eq!(status.code(), Some(0), "{}", self.house.read("said"));
        // The kills keep to how long it takes as the archive grows.
        self.whole = start.elapsed();
        self.after_answers = start.elapsed().saturating_sub(answered);
        self.confirm();
    }

    /// The run came to its end: what it was given counts as met.
    fn confirm(&mut self) {
        self.figures.healed += usize::from(!self.house.read("said").is_empty());
        let mut desk = self.desk.lock().expect("desk");
        let given = std::mem::take(&mut desk.given);
        assert_eq!(given.len(), FEEDS.len());
        for (feed, edition) in &given {
            desk.news.confirm(*feed, edition);
        }
    }

    /// Nothing under a final name is empty or cut short, at any moment.
    fn nothing_is_torn(&mut self) {
        for file in files(&self.house.path("data/archive")).into_iter().chain(files(&self.house.path("data/public"))) {
            let facts = fs::metadata(&file).expect("file");
            let seen = (facts.len(), facts.modified().expect("time"));
            if self.checked.get(&file) != Some(&seen) {
                is_whole(&file, &fs::read(&file).expect("file"));
                self.checked.insert(file, seen);
            }
        }
    }

    fn posts(&self, folder: &str) -> Vec<Post> {
        let files = files(&self.house.path("data/archive").join(folder));
        files.into_iter().map(|file| read_post(&file, &fs::read(&file).expect("post"))).collect()
    }

    /// After the last poll everything that was ever served is there.
    fn judge(&mut self) {
        self.desk.lock().expect("desk").is_closed = true;
        self.run_well();
        let before = self.house.snapshot();
        self.house.run(["poll"]).summary("4 not modified").says(&[]).success();
        assert_eq!(self.house.snapshot(), before, "nothing new touches nothing");
        self.nothing_is_torn();
        let names = files(&self.house.path("data/archive")).into_iter().chain(files(&self.house.path("data/public")));
        let hidden: Vec<PathBuf> = names.filter(|f| is_hidden(f)).collect();
        assert_eq!(hidden, Vec::<PathBuf>::new(), "nothing unfinished is left");
        let (posts, former) = (self.posts("_posts"), self.posts("_revisions"));
        let wrong = self.desk.lock().expect("desk").news.judge(&posts, &former);
        assert!(wrong.is_empty(), "{wrong:#?}");
        let lines = ledger(&self.house.path("data/archive"));
        let adds = lines.iter().filter(|line| line["op"] == "add").count();
        assert_eq!(adds, posts.len(), "each post has one line that added it");
        self.house.run(["verify", "--deep"]).says(&[]).success();
        self.published(posts.len());
        println!(
            "{:?}\n{} articles served, {} posts, {} former versions, {} ledger lines; nothing lost, torn or twice",
            self.figures,
            self.desk.lock().expect("desk").news.served(),
            posts.len(),
            former.len(),
            lines.len()
        );
    }

    /// The published files are complete, and come back to the same bytes.
    fn published(&self, posts: usize) {
        let published =
            || ["all", "few", "changes"].map(|topic| self.house.read(&format!("data/public/{topic}/atom.xml")));
        let before = published();
        let feed = feed_rs::parser::parse(before[0].as_bytes()).expect("well-formed");
        assert_eq!(feed.entries.len(), posts.min(10_000), "every post is published");
        fs::remove_dir_all(self.house.path("data/index")).expect("removed");
        fs::remove_dir_all(self.house.path("data/public")).expect("removed");
        self.house.run(["reindex"]).success();
        self.house.run(["publish"]).success();
        for (before, now) in before.iter().zip(published()) {
            assert_eq!(*before, now, "archive and config give the same bytes");
        }
        self.house.run(["poll", "--force"]).says(&[]).success();
        assert_eq!(files(&self.house.path("data/archive/_posts")).len(), posts);
    }
}

fn is_hidden(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn read_post(file: &Path, bytes: &[u8]) -> Post {
    let text = std::str::from_utf8(bytes).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let post = post::from_text(text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    assert!(post::is_whole(bytes), "{} is cut short", file.display());
    post
}

fn is_whole(file: &Path, bytes: &[u8]) {
    let name = file.display().to_string();
    if is_hidden(file) {
        return;
    }
    match file.extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "md" => drop(read_post(file, bytes)),
        "zst" => drop(RawPoll::from_bytes(bytes).unwrap_or_else(|e| panic!("{name}: {e}"))),
        "json" => drop(serde_json::from_slice::<serde_json::Value>(bytes).unwrap_or_else(|e| panic!("{name}: {e}"))),
        "css" => assert!(bytes.ends_with(b"}\n"), "{name} is cut short"),
        "html" => assert!(bytes.ends_with(b"</html>\n"), "{name} is cut short"),
        "opml" => assert!(bytes.ends_with(b"</opml>\n"), "{name} is cut short"),
        "xml" if file.ends_with("opml.xml") => assert!(bytes.ends_with(b"</opml>\n"), "{name} is cut short"),
        "xml" => drop(feed_rs::parser::parse(bytes).unwrap_or_else(|e| panic!("{name}: {e}"))),
        "jsonl" => {
            let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            for line in bytes[..whole].split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
                assert!(serde_json::from_slice::<serde_json::Value>(line).is_ok(), "{name} holds a torn line");
            }
        }
        other => panic!("{name}: what is {other}?"),
    }
}

/// 25 kills, or as many as `just kill-loop` asks for.
#[test]
fn a_killed_program_loses_nothing() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let kills = number("FEEDMILL_KILLS").unwrap_or(25);
    let seed = number("FEEDMILL_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("{kills} kills, seed {seed} (FEEDMILL_SEED)");
    let mut run = Loop::new(seed);
    while (run.figures.kills as u64) < kills {
        run.run();
        if run.dice.one_in(6) {
            run.run_well();
        }
    }
    run.judge();
}
