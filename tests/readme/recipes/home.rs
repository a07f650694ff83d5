//! A home in which the README is followed: `feedmill` and `cargo` lead to the real binary, feeds to a server on loopback.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use super::super::markdown::{Block, Section, page, root};
use super::socks::socks;
use super::{ARTICLE, is_left_to_others};
use crate::daemon::Daemon;
use crate::house::{DATE, House, Run, copy, files, item, rss, write};

/// Where the feeds of recipes are.
const HOSTS: [&str; 8] = [
    "www.rfa.org",
    "lwn.net",
    "ada.example.org",
    "ben.example.net",
    "cara.example.org",
    "dora.example.org",
    "near.example.net",
    "far.example.net",
];

/// A home in which the README is followed.
pub struct Home {
    pub house: House,
    /// Names that were asked for through the proxy, with who asked.
    pub asked: Arc<Mutex<BTreeSet<(String, String)>>>,
    proxy: String,
    folder: PathBuf,
}

impl Home {
    pub fn new() -> Self {
        let house = House::new();
        let asked = Arc::default();
        let proxy = socks(house.server().to_owned(), Arc::clone(&asked));
        let home = Self { folder: house.path("home"), house, asked, proxy };
        home.serve();
        home.furnish();
        home
    }

    /// The documents of all feeds that recipes name.
    fn serve(&self) {
        let feed = |titles: &[(&str, &str)]| {
            rss(&titles
                .iter()
                .map(|(title, link)| item(title, link, link, DATE, &format!("<p>{}</p>", "text ".repeat(99))))
                .collect::<String>())
        };
        let rfa = feed(&[("微信等多个平台暂停注册", ARTICLE), ("另一篇", "https://www.rfa.org/mandarin/2.html")]);
        let lwn = feed(&[("Rust in the kernel", "https://lwn.net/1"), ("Something else", "https://lwn.net/2")]);
        let of = |name: &str| feed(&[(&format!("{name} writes"), &format!("https://{name}.example.org/1"))]);
        self.house.serves("/www.rfa.org/arc/outboundfeeds/mandarin/rss/", rfa);
        self.house.serves("/lwn.net/headlines/rss", &lwn).serves("/headlines/rss", lwn);
        self.house.serves("/ada.example.org/feed.xml", of("ada")).serves("/ben.example.net/atom.xml", of("ben"));
        self.house.serves("/cara.example.org/feed.xml", of("cara")).serves("/dora.example.org/feed.xml", of("dora"));
        let page = "<html><head><title>Cara</title><link rel=\"alternate\" type=\"application/rss+xml\" href=\"feed.xml\"></head></html>";
        self.house.serves("/cara.example.org/", page);
        self.house.serves("/feed.xml", of("far")).serves("/near.example.net/feed.xml", of("near"));
    }

    /// What lies in a user's home before.
    fn furnish(&self) {
        // feedmill's source, as far as a recipe touches it.
        for part in ["contrib", "data/samples", "config"] {
            copy(&root().join(part), &self.folder.join("feedmill").join(part));
        }
        let demo = page("config/demo.yaml").replace("listen: 127.0.0.1:8080", "listen: 127.0.0.1:0");
        write(&self.folder.join("feedmill/config/demo.yaml"), demo.as_bytes());
        let opml = "<opml version=\"2.0\"><body><outline text=\"Dora\" xmlUrl=\"https://dora.example.org/feed.xml\"/></body></opml>";
        write(&self.folder.join("members.opml"), opml.as_bytes());
        let subs = "[{\"name\": \"自由亚洲电台\", \"url\": \"https://www.rfa.org/arc/outboundfeeds/mandarin/rss/\"}]";
        write(&self.folder.join("subs.json"), subs.as_bytes());
        let post = format!(
            "---\nlayout: post\ntitle: \"Old words\"\ndate: 2020-01-02\ncomments: True\nfrom: {ARTICLE}\ncategories: [ 自由亚洲电台 ]\n---\nold text\n"
        );
        write(&self.folder.join("old-archive/_posts/2020-01-02-old.md"), post.as_bytes());
        let done = Command::new("git")
            .args(["init", "--quiet", "--bare", "--initial-branch=main"])
            .arg(self.house.path("news.git"))
            .status();
        assert!(done.expect("git").success());
        self.tool("cargo", "test \"$1 $2 $3\" = \"run --locked --\"\nshift 3\nexec feedmill \"$@\"\n");
    }

    fn tool(&self, name: &str, script: &str) {
        let file = self.path(".cargo/bin").join(name);
        write(&file, format!("#!/bin/sh\nset -eu\n{script}").as_bytes());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("executable");
    }

    /// Makes `feedmill` the real binary before which the addresses of the world, in its arguments and its config, are led to
    /// where their documents are. Hosts of `through` keep their names, for a proxy to look up.
    pub fn lead(&self, through: &[&str]) {
        let server = self.house.server();
        let rule = |host: &&str| {
            if through.contains(host) {
                return format!("s,https://{host}/,http://{host}/,g\n");
            }
            // Articles keep their addresses: those are asked for by nobody.
            format!("s,https://{host}/(arc|headlines|feed|atom|$),http://{server}/{host}/\\1,g\n")
        };
        let rules: String = HOSTS.iter().map(rule).collect();
        write(&self.house.path("rules"), format!("{rules}s,127.0.0.1:9050,{},g\n", self.proxy).as_bytes());
        let (rules, program) = (self.house.path("rules"), env!("CARGO_BIN_EXE_feedmill"));
        self.tool(
            "feedmill",
            &format!(
                "lead='sed -E -f {}'\n\
                 for word do shift; set -- \"$@\" \"$(printf %s \"$word\" | $lead)\"; done\n\
                 config=config/feedmill.yaml\n\
                 if [ -f $config ]; then\n\
                 $lead -i $config\n\
                 grep -q '^fetch:' $config || echo 'fetch:' >> $config\n\
                 grep -q '^  allow:' $config || sed -i 's|^fetch:$|fetch:\\n  allow: [\"{server}\"]\\n  host_delay: 0s\\n  min_interval: 0s|' $config\n\
                 fi\n\
                 exec {program} \"$@\"\n",
                rules.display()
            ),
        );
    }

    fn shell(&self, script: &str, folder: &Path) -> Command {
        let mut shell = Command::new("sh");
        let path = format!("{}:{}", self.path(".cargo/bin").display(), std::env::var("PATH").unwrap_or_default());
        shell
            .args(["-euc", script])
            .current_dir(folder)
            .env("HOME", &self.folder)
            .env("PATH", path)
            .env_remove("FEEDMILL_CONFIG");
        for who in ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"] {
            shell.env(who, "me");
        }
        let origin = format!("url.file://{}.insteadOf", self.house.path("news.git").display());
        shell.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_COUNT", "1");
        shell.env("GIT_CONFIG_KEY_0", origin).env("GIT_CONFIG_VALUE_0", "git@github.com:me/news.git");
        shell
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Names of the posts below a folder.
    pub fn posts(&self, folder: &str) -> Vec<String> {
        let files = files(&self.path(folder).join("data/archive/_posts"));
        files.iter().map(|file| file.file_name().expect("name").to_string_lossy().into_owned()).collect()
    }

    pub fn git(&self, folder: &str, args: &[&str]) -> String {
        let done = Command::new("git").arg("-C").arg(self.path(folder)).args(args).output().expect("git");
        assert!(done.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// Does what a section says, block after block; gives what it printed, and what its daemon answered.
    pub fn follow(&self, section: &Section) -> String {
        let mut folder = if section.title == "Quick start" { self.path("feedmill") } else { self.folder.clone() };
        let mut said = String::new();
        for block in section.blocks.iter().filter(|block| !is_left_to_others(block)) {
            match block.language.as_str() {
                "sh" if block.text.ends_with(" daemon\n") => said.push_str(&self.visit(section, block, &folder)),
                "sh" => said.push_str(&self.type_in(section, block, &mut folder)),
                "yaml" => write_down(block, &folder),
                "crontab" => self.wait_for_cron(block),
                _ => {}
            }
        }
        said
    }

    /// Runs a block in the folder that the block before left.
    fn type_in(&self, section: &Section, block: &Block, folder: &mut PathBuf) -> String {
        let script = format!("{}pwd > {}\n", block.text, self.house.path("pwd").display());
        let run = Run::of(&self.shell(&script, folder).output().expect("a shell"));
        assert_eq!(run.code, 0, "{}:\n{}\n{}{}", section.title, block.text, run.stdout, run.stderr);
        *folder = self.house.read("pwd").trim_end().into();
        run.stdout
    }

    /// Runs what cron would run; it mails whatever is said on standard error.
    fn wait_for_cron(&self, block: &Block) {
        let (behind_time, _) = block.text.match_indices(' ').nth(4).expect("five fields");
        let (time, command) = block.text.split_at(behind_time);
        feedmill::schedule::Schedule::parse(time, chrono_tz::Tz::UTC).expect("a cron line");
        // All that cron knows of a path.
        let run = self.shell(command, &self.folder).env("PATH", "/usr/bin:/bin").output();
        let run = Run::of(&run.expect("a shell"));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", block.text);
    }

    /// Starts a daemon as a block says, looks at the pages that the section tells of, and stops it.
    fn visit(&self, section: &Section, block: &Block, folder: &Path) -> String {
        let daemon = Daemon::spawn(&mut self.shell(&format!("exec {}", block.text), folder));
        let told = section.text.split("<http://127.0.0.1:8080").skip(1).filter_map(|rest| rest.split('>').next());
        let mut said = String::new();
        for path in told {
            let answer = daemon.get(path, "");
            assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
            said.push_str(&answer);
        }
        assert_eq!(daemon.terminate(), 0);
        said
    }
}

/// A config with its file's name in its first line.
fn write_down(block: &Block, folder: &Path) {
    let first = block.text.lines().next().unwrap_or_default();
    write(&folder.join(first.strip_prefix("# ").expect("a file's name")), block.text.as_bytes());
}
