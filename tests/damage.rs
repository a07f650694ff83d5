//! Damaged stores of the index: each heals at the next run, and a disk that does not work is no damage.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use crate::house::{DATE, House, Run, files, item, rss};

const CONFIG: &str = "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: all }]";
const ENTRIES: usize = 150;
const STORES: [&str; 2] = ["state", "entries"];

fn items(numbers: std::ops::Range<usize>) -> String {
    let entry = |i: usize| {
        let (link, text) = (format!("https://example.org/{i}"), format!("<p>text {i} {}</p>", "long ".repeat(50)));
        item(&format!("Entry {i}"), &link, &format!("guid-{i}"), DATE, &text)
    };
    rss(&numbers.map(entry).collect::<String>())
}

/// A house whose index was closed whole, and a copy of that index beside it.
struct Ward {
    house: House,
    posts: BTreeMap<String, String>,
    public: String,
    ledger: usize,
}

impl Ward {
    fn new() -> Self {
        let house = House::new();
        house.config(CONFIG).serves("/a.xml", items(0..ENTRIES));
        house.run(["poll"]).success();
        // The second opening leaves sled's snapshot.
        house.run(["poll", "--force"]).success();
        copy(&house.path("data/index"), &house.path("whole"));
        let (posts, public, ledger) = (house.posts(), house.read("data/public/all/atom.xml"), house.ledger().len());
        assert_eq!((posts.len(), ledger), (ENTRIES, ENTRIES));
        Self { house, posts, public, ledger }
    }

    /// Damages a store of the whole index, and looks at the runs after that.
    #[track_caller]
    fn heals(&self, case: &str, store: &str, damage: impl FnOnce(&Path)) -> Run {
        let index = self.house.path("data/index");
        fs::remove_dir_all(&index).expect("removed");
        copy(&self.house.path("whole"), &index);
        damage(&index.join(store));
        let run = self.house.run(["poll"]);
        assert_eq!(run.code, 0, "{store}, {case}: {}", run.stderr);
        assert!(run.stdout.ends_with("1 not modified\n"), "{store}, {case}: {}{}", run.stdout, run.stderr);
        self.is_as_before(&format!("{store}, {case}"));
        run
    }

    fn is_as_before(&self, case: &str) {
        let house = &self.house;
        let run = house.run(["poll", "--force"]);
        let wanted = format!("1 read ({ENTRIES} duplicates)\n");
        assert!(run.stdout.ends_with(&wanted) && run.stderr.is_empty(), "{case}: {}{}", run.stdout, run.stderr);
        let run = house.run(["verify", "--deep"]);
        assert_eq!(run.code, 0, "{case}: {}", run.stderr);
        assert_eq!(house.posts(), self.posts, "{case}");
        assert_eq!(house.ledger().len(), self.ledger, "{case}");
        assert_eq!(house.read("data/public/all/atom.xml"), self.public, "{case}");
    }

    /// Like [`Self::heals`], and the run says what was set aside.
    #[track_caller]
    fn says(&self, case: &str, store: &str, damage: impl FnOnce(&Path)) {
        let run = self.heals(case, store, damage);
        let told = format!("`data/index/{store}` could not be used: ");
        assert!(run.stderr.contains(&told), "{store}, {case}: {}", run.stderr);
        assert!(self.house.path(&format!("data/index/{store}.damaged-1")).exists(), "{store}, {case}");
    }
}

/// Copies a folder with the times of its files.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folder");
    for entry in fs::read_dir(from).expect("folder") {
        let (from, to) = {
            let e = entry.expect("entry");
            (e.path(), to.join(e.file_name()))
        };
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).expect("copied");
            let time = fs::metadata(&from).and_then(|facts| facts.modified()).expect("time");
            File::options().write(true).open(&to).and_then(|f| f.set_modified(time)).expect("time set");
        }
    }
}

fn put(path: &Path, bytes: &[u8]) {
    File::create(path).expect("file").write_all(bytes).expect("written");
}

fn cut(path: &Path, length: u64) {
    File::options().write(true).open(path).expect("file").set_len(length).expect("cut");
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).expect("facts").len()
}

fn snapshot(store: &Path) -> std::path::PathBuf {
    let is_snapshot = |f: &std::path::PathBuf| f.file_name().is_some_and(|n| n.to_string_lossy().starts_with("snap."));
    files(store).into_iter().find(is_snapshot).expect("a snapshot")
}

/// Writes the mark of a store that was closed whole, for the files as they are.
fn mark(store: &Path) {
    let mut text = String::new();
    for file in files(store) {
        let facts = fs::metadata(&file).expect("facts");
        let time = facts.modified().expect("time").duration_since(std::time::UNIX_EPOCH).expect("time").as_nanos();
        let name = file.strip_prefix(store).expect("below").display();
        writeln!(text, "{name} {} {time}", facts.len()).expect("text");
    }
    put(&store.with_extension("closed"), text.as_bytes());
}

#[test]
fn what_is_lost_or_garbage_is_set_aside_and_made_anew() {
    let ward = Ward::new();
    for store in STORES {
        ward.says("empty folder", store, |at| {
            fs::remove_dir_all(at).expect("removed");
            fs::create_dir(at).expect("made");
        });
        ward.says("a file in its place", store, |at| {
            fs::remove_dir_all(at).expect("removed");
            put(at, b"x");
        });
        ward.says("zero-length db", store, |at| cut(&at.join("db"), 0));
        ward.says("no db", store, |at| fs::remove_file(at.join("db")).expect("removed"));
        ward.says("garbage db", store, |at| put(&at.join("db"), &vec![0x5a; 70_000]));
        ward.says("garbage conf", store, |at| put(&at.join("conf"), b"garbage, garbage, garbage"));
        ward.says("zero-length files", store, |at| files(at).iter().for_each(|f| cut(f, 0)));
        ward.says("a folder for db", store, |at| {
            fs::remove_file(at.join("db")).expect("removed");
            fs::create_dir(at.join("db")).expect("made");
        });
        ward.heals("no conf", store, |at| fs::remove_file(at.join("conf")).expect("removed"));
        ward.heals("empty conf", store, |at| cut(&at.join("conf"), 0));
        ward.heals("no folder", store, |at| fs::remove_dir_all(at).expect("removed"));
    }
    ward.heals("both gone", "entries", |at| fs::remove_dir_all(at.parent().expect("index")).expect("removed"));
}

#[test]
fn a_store_without_its_snapshot_is_whole() {
    let ward = Ward::new();
    for store in STORES {
        let heals = |case: &str, damage: fn(&Path)| {
            let run = ward.heals(case, store, |at| damage(&snapshot(at)));
            assert!(run.stderr.contains("without its snapshot it could"), "{store}, {case}: {}", run.stderr);
        };
        heals("cut snapshot", |at| cut(at, length(at) / 2));
        heals("empty snapshot", |at| cut(at, 0));
        heals("garbage snapshot", |at| put(at, &[7; 900]));
        heals("flipped snapshot", |at| flip(at, length(at) / 2, 1));
        let run = ward.heals("no snapshot", store, |at| fs::remove_file(snapshot(at)).expect("removed"));
        assert_eq!(run.stderr, "", "{store}");
    }
}

fn flip(path: &Path, at: u64, bytes: usize) {
    let file = File::options().read(true).write(true).open(path).expect("file");
    let mut block = vec![0; bytes];
    let read = file.read_at(&mut block, at).expect("read");
    block[..read].iter_mut().for_each(|byte| *byte ^= 0x5a);
    file.write_all_at(&block[..read], at).expect("written");
}

/// Where it hits, sled answers with an error, a panic, or with fewer rows and no word; some bytes
/// hold nothing.
#[test]
fn flipped_and_cut_bytes_anywhere_heal() {
    let ward = Ward::new();
    for store in STORES {
        let size = length(&ward.house.path("whole").join(store).join("db"));
        // Behind its last row a store is full of zeros.
        let db = fs::read(ward.house.path("whole").join(store).join("db")).expect("db");
        let used = db.iter().rposition(|b| *b != 0).expect("bytes") as u64;
        println!("{store}: {used} bytes of {size}");
        assert!(used > 100 && size >= used);
        for part in 0..8 {
            let at = used * part / 8 + part;
            ward.heals(&format!("1 byte at {at}"), store, |store| flip(&store.join("db"), at, 1));
            ward.heals(&format!("64 bytes at {at}"), store, |store| flip(&store.join("db"), at, 64));
            ward.heals(&format!("cut at {at}"), store, |store| cut(&store.join("db"), at));
            if part % 2 == 0 {
                let size = 4096;
                ward.heals(&format!("{size} bytes at {at}"), store, |store| flip(&store.join("db"), at, size));
                ward.heals(&format!("cut at {at}, no snapshot"), store, |store| {
                    fs::remove_file(snapshot(store)).expect("removed");
                    cut(&store.join("db"), at);
                });
            }
        }
    }
}

fn sled(store: &Path) -> sled::Db {
    sled::open(store).expect("store")
}

#[test]
fn rows_that_went_without_a_word_are_missed() {
    let ward = Ward::new();
    for tree in ["records", "aliases", "order"] {
        ward.says(&format!("rows of {tree} gone"), "entries", |at| {
            let db = sled(at);
            let tree = db.open_tree(tree).expect("tree");
            let key = tree.iter().keys().nth(7).expect("row").expect("key");
            tree.remove(key).expect("removed");
        });
    }
}

#[test]
fn another_version_is_made_anew() {
    let ward = Ward::new();
    ward.says("version of entries", "entries", |at| {
        let db = sled(at);
        let meta = db.get("meta").expect("read").expect("meta");
        let text = String::from_utf8_lossy(&meta).replace("\"version\":2", "\"version\":9");
        db.insert("meta", text.as_bytes()).expect("written");
    });
    ward.says("version of state", "state", |at| {
        sled(at).insert("version", &[9]).expect("written");
    });
    ward.says("no version of state", "state", |at| {
        sled(at).remove("version").expect("written");
    });
    ward.says("version of a record", "entries", |at| {
        let tree = sled(at).open_tree("records").expect("tree");
        let (key, mut value) = tree.iter().next().expect("row").expect("record");
        value[0] = 9;
        tree.insert(key, value).expect("written");
    });
    ward.says("a feed's state", "state", |at| {
        sled(at).insert("feed:a", "{").expect("written");
    });
}

/// The mark fits, so the store is believed; what is wrong comes out in the middle of the poll.
#[test]
fn damage_found_in_the_middle_of_a_poll_heals_in_the_same_run() {
    let ward = Ward::new();
    let house = &ward.house;
    for forgets_last in [false, true] {
        let store = house.path("data/index/entries");
        let db = sled(&store);
        if forgets_last {
            let meta = db.get("meta").expect("read").expect("meta");
            let mut meta: serde_json::Value = serde_json::from_slice(&meta).expect("JSON");
            meta["ledger"] = serde_json::json!([{ "file": "0000-00.jsonl", "length": 1, "mark": null }]);
            db.insert("meta", meta.to_string().as_bytes()).expect("written");
        } else {
            let tree = db.open_tree("records").expect("tree");
            let (key, value) = tree.iter().next().expect("row").expect("record");
            tree.insert(key, &value[..value.len() / 2]).expect("written");
        }
        drop(db);
        mark(&store);
        let run = house.run(["poll", "--force", "--json"]).success();
        assert!(run.stderr.contains("`data/index/entries` could not be used"), "{}", run.stderr);
        assert_eq!(run.stdout.lines().count(), 2, "{}", run.stdout);
        assert!(run.stdout.contains(&format!("\"duplicate\":{ENTRIES}")), "{}", run.stdout);
        ward.is_as_before("in the middle");
    }
}

#[test]
fn a_poll_without_news_opens_only_the_small_store_and_a_clean_stop_is_believed() {
    let ward = Ward::new();
    let house = &ward.house;
    let facts = || {
        let store = house.path("data/index/entries");
        let mark = store.with_extension("closed");
        let time = |path: &Path| fs::metadata(path).and_then(|facts| facts.modified()).expect("time");
        (
            fs::read_to_string(&mark).expect("mark"),
            time(&mark),
            files(&store).iter().map(|f| time(f)).collect::<Vec<_>>(),
        )
    };
    let before = facts();
    house.run(["poll"]).summary("1 not modified").success().says(&[]);
    assert_eq!(facts(), before);
    // Both marks say what the files are: at the next start nothing is tried.
    for store in STORES {
        let store = house.path("data/index").join(store);
        let told = fs::read_to_string(store.with_extension("closed")).expect("mark");
        mark(&store);
        assert_eq!(told, fs::read_to_string(store.with_extension("closed")).expect("mark"));
    }
    // Without them all is tried, and found to be well.
    for store in STORES {
        fs::remove_file(house.path("data/index").join(store).with_extension("closed")).expect("removed");
    }
    house.run(["poll", "--force"]).success().says(&[]);
}

#[test]
fn an_older_copy_of_the_store_of_entries_learns_what_it_missed() {
    let ward = Ward::new();
    let house = &ward.house;
    house.serves("/a.xml", items(0..ENTRIES + 5));
    house.run(["poll"]).success();
    let index = house.path("data/index");
    fs::remove_dir_all(index.join("entries")).expect("removed");
    copy(&house.path("whole/entries"), &index.join("entries"));
    for marked in [true, false] {
        if !marked {
            let _ = fs::remove_file(index.join("entries.closed"));
        }
        let wanted = format!("1 read ({} duplicates)", ENTRIES + 5);
        house.run(["poll", "--force"]).summary(&wanted).success();
        assert_eq!(house.posts().len(), ENTRIES + 5);
        house.run(["verify", "--deep"]).success();
    }
}

#[test]
fn a_lost_state_polls_conditionally_and_knows_the_ledger() {
    let ward = Ward::new();
    let run = ward.heals("no folder", "state", |at| fs::remove_dir_all(at).expect("removed"));
    // The store of entries knows how far it knows the ledger.
    assert_eq!(run.stderr, "");
}

/// Makes a FIFO: opening one to read hangs for ever.
fn fifo(path: &Path) {
    let _ = fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
}

#[test]
fn a_store_that_hangs_is_left_behind() {
    let ward = Ward::new();
    ward.says("hanging conf", "entries", |at| fifo(&at.join("conf")));
}

#[test]
fn a_snapshot_that_hangs_is_left_behind() {
    let ward = Ward::new();
    let run = ward.heals("hanging snapshot", "state", |at| fifo(&snapshot(at)));
    assert!(run.stderr.contains("could not be read within"), "{}", run.stderr);
}

/// What the index has to be after a disk refused: the same, and nothing set aside.
fn nothing_is_set_aside(house: &House) {
    for entry in fs::read_dir(house.path("data/index")).expect("index") {
        let name = entry.expect("entry").file_name().into_string().expect("name");
        assert!(!name.contains("damaged"), "{name}");
    }
}

#[test]
fn a_disk_with_read_errors_is_not_damage() {
    // Reading the first page of one's own memory fails with EIO.
    if fs::read("/proc/self/mem").err().and_then(|e| e.raw_os_error()) != Some(5) {
        println!("skipped: no file here fails with EIO");
        return;
    }
    let ward = Ward::new();
    for store in STORES {
        let db = ward.house.path("data/index").join(store).join("db");
        fs::rename(&db, db.with_extension("away")).expect("moved");
        std::os::unix::fs::symlink("/proc/self/mem", &db).expect("link");
        let run = ward.house.run(["poll", "--force"]).code(1);
        assert!(run.stderr.contains(store) && run.stderr.contains("os error 5"), "{}", run.stderr);
        nothing_is_set_aside(&ward.house);
        fs::remove_file(&db).expect("removed");
        fs::rename(db.with_extension("away"), &db).expect("moved");
        ward.is_as_before("after EIO");
    }
}

#[test]
fn a_store_that_may_not_be_read_is_not_damage() {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65534;
    let ward = Ward::new();
    let house = &ward.house;
    // What the test makes is its own; root may read everything, so the program runs as nobody.
    let is_root = fs::metadata(house.path("")).expect("facts").uid() == 0;
    let mut all = Vec::new();
    below(&house.path(""), &mut all);
    let run = || {
        let mut command = house.command();
        if is_root {
            command.uid(NOBODY);
        }
        Run::of(&command.args(["poll", "--force"]).output().expect("the program runs"))
    };
    if is_root {
        for path in &all {
            std::os::unix::fs::chown(path, Some(NOBODY), None).expect("owner");
        }
    }
    for store in STORES {
        let db = house.path("data/index").join(store).join("db");
        fs::set_permissions(&db, fs::Permissions::from_mode(0o000)).expect("mode");
        let refused = run().code(1);
        assert!(refused.stderr.contains("os error 13"), "{}", refused.stderr);
        nothing_is_set_aside(house);
        fs::set_permissions(&db, fs::Permissions::from_mode(0o600)).expect("mode");
        run().success().summary(&format!("1 read ({ENTRIES} duplicates)")).says(&[]);
    }
}

fn below(path: &Path, found: &mut Vec<std::path::PathBuf>) {
    found.push(path.to_owned());
    for entry in fs::read_dir(path).into_iter().flatten() {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// A small file system that goes when it is dropped; `None` without the right to mount one.
struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    fn on(path: &'a Path, size: &str) -> Option<Self> {
        fs::create_dir_all(path).expect("folder");
        let size = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(path).output();
        mounted.is_ok_and(|done| done.status.success()).then_some(Self(path))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).output();
    }
}

#[test]
fn a_full_disk_is_not_damage() {
    let house = House::new();
    let index = house.path("data/index");
    let Some(_disk) = SmallDisk::on(&index, "6m") else {
        println!("skipped: no small file system can be mounted here");
        return;
    };
    house.config(CONFIG).serves("/a.xml", items(0..ENTRIES));
    house.run(["poll"]).success();
    let ballast = index.join("ballast");
    let mut file = File::create(&ballast).expect("file");
    while file.write_all(&[1; 4096]).is_ok() {}
    drop(file);
    house.serves("/a.xml", items(0..ENTRIES + 60));
    for doubted in [false, true] {
        if doubted {
            let _ = fs::remove_file(index.join("entries.closed"));
            let _ = fs::remove_file(index.join("state.closed"));
        }
        let run = house.run(["poll"]).code(1);
        assert!(run.stderr.contains("os error 28") || run.stderr.contains("StorageFull"), "{}", run.stderr);
        nothing_is_set_aside(&house);
    }
    fs::remove_file(&ballast).expect("removed");
    house.run(["poll"]).success();
    nothing_is_set_aside(&house);
    assert_eq!(house.posts().len(), ENTRIES + 60);
    assert_eq!(house.ledger().len(), ENTRIES + 60);
    house.run(["verify", "--deep"]).success();
}

#[test]
fn a_dry_run_over_a_damaged_index_still_tells_the_truth() {
    let ward = Ward::new();
    cut(&ward.house.path("data/index/entries/db"), 0);
    let run = ward.house.run(["poll", "--force", "--dry-run"]).success();
    assert!(run.stdout.ends_with(&format!("1 read ({ENTRIES} duplicates)\n")), "{}", run.stdout);
    assert_eq!((ward.house.posts(), ward.house.ledger().len()), (ward.posts.clone(), ward.ledger));
}
