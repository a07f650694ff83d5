//! The nginx configs that the README tells of, run by nginx in front of a daemon and of published files.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::markdown::{page, root, section};
use crate::daemon::Daemon;
use crate::house::{DATE, House, item, rss};

/// A running nginx; stopped at the end of its test.
struct Nginx {
    child: Child,
    folder: PathBuf,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Nginx {
    /// `None` where nginx is not here. `servers` is what the README has the user install; it listens on sockets below
    /// `folder`, since its own ports belong to the machine.
    fn start(folder: &Path, servers: &str) -> Option<Self> {
        if Command::new("nginx").arg("-v").output().is_err() {
            println!("skipped: nginx is not here");
            return None;
        }
        let at = folder.display();
        // Workers read what belongs to whoever runs the tests.
        let user = if is_root() { "user root;" } else { "" };
        let config = format!(
            "daemon off; worker_processes 1; {user} pid {at}/pid; error_log {at}/error.log;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log off; client_body_temp_path {at}/t1; proxy_temp_path {at}/t2; fastcgi_temp_path {at}/t3; \
             uwsgi_temp_path {at}/t4; scgi_temp_path {at}/t5;\n{servers}\n}}\n"
        );
        let file = folder.join("nginx.conf");
        crate::house::write(&file, config.as_bytes());
        let nginx = |args: &[&str]| {
            let mut command = Command::new("nginx");
            command.arg("-c").arg(&file).arg("-p").arg(folder).args(["-e", "stderr"]).args(args);
            command
        };
        let tested = nginx(&["-t"]).output().expect("nginx");
        let said = String::from_utf8_lossy(&tested.stderr).into_owned();
        assert!(tested.status.success() && !said.contains("[warn]"), "{said}\n{config}");
        let child = nginx(&[]).stderr(Stdio::null()).spawn().expect("nginx");
        let started = Self { child, folder: folder.to_owned() };
        for _ in 0..300 {
            if UnixStream::connect(folder.join("plain.sock")).is_ok() {
                return Some(started);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("nginx does not listen: {}", std::fs::read_to_string(folder.join("error.log")).unwrap_or_default());
    }

    /// The whole answer over the socket without TLS.
    fn get(&self, path: &str) -> String {
        let mut stream = UnixStream::connect(self.folder.join("plain.sock")).expect("connected");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: news.example.org\r\nConnection: close\r\n\r\n").expect("asked");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answered");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout == b"0\n")
}

/// A header of an answer, whatever its case.
fn header(answer: &str, name: &str) -> String {
    let mut headers = answer.lines().filter_map(|line| line.split_once(": "));
    let found = headers.find(|(found, _)| found.eq_ignore_ascii_case(name));
    found.unwrap_or_else(|| panic!("no {name}: {answer}")).1.trim().to_owned()
}

/// Puts sockets below a folder in place of the ports of a config, once for IPv4 and IPv6.
fn on_sockets(config: &str, folder: &Path) -> String {
    let at = folder.display();
    let lines = config.lines().filter(|line| !line.trim_start().starts_with("listen [::]:"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let moved = text
        .replace("listen 443 ssl;", &format!("listen unix:{at}/tls.sock ssl;"))
        .replace("listen 80;", &format!("listen unix:{at}/plain.sock;"));
    assert!(!moved.contains("listen 80") && !moved.contains("listen 443"), "{moved}");
    moved
}

fn published() -> House {
    let house = House::new();
    house.config(
        "server: { listen: '127.0.0.1:0' }\nfeeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: t }]",
    );
    house.serves("/a.xml", rss(&item("One", "https://example.org/1", "g1", DATE, "<p>x</p>")));
    house.run(["poll"]).success();
    house
}

#[test]
fn the_config_of_contrib_puts_the_daemon_behind_tls() {
    let house = published();
    let folder = house.path("nginx");
    std::fs::create_dir_all(&folder).expect("folder");
    let daemon = Daemon::start(&house);
    let made = rcgen::generate_simple_self_signed(["news.example.org".to_owned()]).expect("certificate");
    crate::house::write(&folder.join("fullchain.pem"), made.cert.pem().as_bytes());
    crate::house::write(&folder.join("privkey.pem"), made.signing_key.serialize_pem().as_bytes());
    let live = "/etc/letsencrypt/live/news.example.org";
    let config = page("contrib/nginx.conf");
    assert!(config.contains("server 127.0.0.1:8080;") && config.contains(live), "{config}");
    let config = config.replace(live, &folder.display().to_string()).replace("127.0.0.1:8080", &daemon.address);
    let Some(nginx) = Nginx::start(&folder, &on_sockets(&config, &folder)) else { return };

    let answer = nginx.get("/t/atom.xml");
    assert!(
        answer.contains("301 Moved") && answer.contains("Location: https://news.example.org/t/atom.xml\r\n"),
        "{answer}"
    );
    let ask = |path: &str, more: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--include", "--cacert"]).arg(folder.join("fullchain.pem"));
        curl.arg("--unix-socket").arg(folder.join("tls.sock")).args(more);
        curl.arg(format!("https://news.example.org{path}")).output()
    };
    let Ok(health) = ask("/health", &[]) else {
        println!("skipped: curl is not here");
        return;
    };
    let health = String::from_utf8_lossy(&health.stdout).into_owned();
    assert!(health.contains("\"status\""), "{health}");
    let text = |path: &str, more: &[&str]| String::from_utf8_lossy(&ask(path, more).expect("curl").stdout).into_owned();
    let feed = text("/t/atom.xml", &[]);
    assert!(feed.contains("<title>One</title>"), "{feed}");
    // What the daemon says of its files goes through as it is.
    let tag = header(&feed, "etag");
    let again = text("/t/atom.xml", &["--header", &format!("If-None-Match: {tag}")]);
    assert!(tag.starts_with('"') && again.starts_with("HTTP/1.1 304 "), "{again}");
    drop(nginx);
    assert_eq!(daemon.terminate(), 0);
}

#[test]
fn the_config_of_the_readme_serves_published_files_as_what_they_are() {
    let house = published();
    let folder = house.path("nginx");
    std::fs::create_dir_all(&folder).expect("folder");
    let recipe = section(&page("README.md"), "Behind nginx");
    let block = recipe.blocks.iter().find(|block| block.language == "nginx").expect("a config");
    assert!(block.text.contains("root /srv/feedmill/data/public;"), "{}", block.text);
    let config = block.text.replace("/srv/feedmill/data/public", &house.path("data/public").display().to_string());
    let Some(nginx) = Nginx::start(&folder, &on_sockets(&config, &folder)) else { return };
    for (path, wanted) in [
        ("/", "text/html; charset=utf-8"),
        ("/t/", "text/html; charset=utf-8"),
        ("/feed.css", "text/css; charset=utf-8"),
        ("/t/atom.xml", "application/xml; charset=utf-8"),
        ("/opml.xml", "application/xml; charset=utf-8"),
        ("/t/feed.json", "application/feed+json"),
    ] {
        let answer = nginx.get(path);
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains(&format!("Content-Type: {wanted}\r\n")),
            "{path}: {answer}"
        );
    }
}

#[test]
fn what_the_recipe_installs_is_there() {
    let recipe = section(&page("README.md"), "Behind nginx");
    let script = &recipe.blocks.iter().find(|block| block.text.contains("sudo ")).expect("commands").text;
    let named: Vec<&str> = script.split_whitespace().filter_map(|word| word.strip_prefix("~/feedmill/")).collect();
    assert_eq!(named, ["contrib/nginx.conf"]);
    assert!(root().join(named[0]).is_file());
    assert!(
        page("contrib/nginx.conf").contains("server_name news.example.org;"),
        "the name that the recipe has replaced"
    );
}
