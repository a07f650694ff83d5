//! Through proxies, with real ones: microsocks and tinyproxy. Where they are not installed, the tests say so.

#![expect(clippy::disallowed_methods, reason = "a test's files need no care")]
#![expect(clippy::print_stdout, reason = "a skipped test says so")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::NamedTempFile;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::secure::{Authority, NOW, Secure};
use super::*;
use crate::model::Route;

/// A running proxy.
struct Running {
    child: Child,
    at: SocketAddr,
    log: NamedTempFile,
    _config: NamedTempFile,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const LOGIN: (&str, &str) = ("ann", "Pr0xyPassw0rd");

impl Running {
    /// A SOCKS5 proxy.
    async fn microsocks(has_login: bool) -> Option<Self> {
        let at = free_port();
        let mut command = Command::new("microsocks");
        command.args(["-i", "127.0.0.1", "-p", &at.port().to_string()]);
        if has_login {
            command.args(["-u", LOGIN.0, "-P", LOGIN.1]);
        }
        Self::start(command, at, NamedTempFile::new().unwrap()).await
    }

    /// An HTTP proxy.
    async fn tinyproxy(has_login: bool) -> Option<Self> {
        let (at, config) = (free_port(), NamedTempFile::new().unwrap());
        let login = if has_login { format!("BasicAuth {} {}\n", LOGIN.0, LOGIN.1) } else { String::new() };
        let text =
            format!("Port {}\nListen 127.0.0.1\nTimeout 30\nMaxClients 50\nLogLevel Connect\n{login}", at.port());
        std::fs::write(config.path(), text).unwrap();
        let mut command = Command::new("tinyproxy");
        command.args(["-d", "-c"]).arg(config.path());
        Self::start(command, at, config).await
    }

    async fn start(mut command: Command, at: SocketAddr, config: NamedTempFile) -> Option<Self> {
        let log = NamedTempFile::new().unwrap();
        let out = || Stdio::from(log.reopen().unwrap());
        let name = command.get_program().to_string_lossy().into_owned();
        let Ok(child) = command.stdin(Stdio::null()).stdout(out()).stderr(out()).spawn() else {
            println!("skipped: `{name}` is not installed");
            return None;
        };
        let running = Self { child, at, log, _config: config };
        for _ in 0..500 {
            if TcpStream::connect(at).await.is_ok() {
                return Some(running);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{name} does not listen: {}", running.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log.path()).unwrap()
    }

    /// How often the log names the port of an address.
    fn mentions(&self, url: &str) -> usize {
        let port = Url::parse(url).unwrap().port().unwrap();
        self.log().matches(&format!(":{port}")).count()
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.at)
    }

    fn url_with_login(&self, scheme: &str) -> String {
        format!("{scheme}://{}:{}@{}", LOGIN.0, LOGIN.1, self.at)
    }
}

fn free_port() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn proxy(url: &str) -> Proxy {
    Proxy::new(Url::parse(url).unwrap()).unwrap()
}

fn through(url: &str, limits: Limits) -> Limits {
    Limits { proxy: Some(proxy(url)), ..limits }
}

/// The addresses of this machine may be asked.
fn open() -> Limits {
    limits(vec![Allow::Network("127.0.0.0/8".parse().unwrap()), Allow::Network("::1/128".parse().unwrap())])
}

/// For which every name leads to this machine; counts the look-ups.
fn leading_here(limits: &Limits, asked: &Arc<AtomicUsize>) -> HttpFetch {
    let asked = asked.clone();
    HttpFetch::with(
        limits,
        Arc::new(move |_| {
            asked.fetch_add(1, Ordering::Relaxed);
            Box::pin(async { Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]) })
        }),
    )
    .unwrap()
}

fn is_whole(fetched: &Result<Fetched, FetchError>) -> bool {
    matches!(fetched, Ok(Fetched::Body(body)) if body.bytes == b"<rss>hello</rss>")
}

/// Takes TLS off and passes the rest on: an `https` proxy before an `http` one.
async fn behind_tls(authority: &Authority, to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(authority.server(&["localhost"], NOW, &[])));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let (Ok(mut stream), Ok(mut inner)) = (acceptor.accept(stream).await, TcpStream::connect(to).await)
                else {
                    return;
                };
                let _ = copy_bidirectional(&mut stream, &mut inner).await;
            });
        }
    });
    at
}

#[tokio::test]
async fn every_kind_of_proxy_leads_to_the_server_and_none_to_it_directly() {
    let (Some(socks), Some(http)) = (Running::microsocks(false).await, Running::tinyproxy(false).await) else { return };
    let authority = Authority::new("ours");
    let file = authority.file();
    let (plain, secure) =
        (Origin::saying(HELLO).await, Secure::start(authority.server(&["localhost"], NOW, &["h2", "http/1.1"])).await);
    let https = behind_tls(&authority, http.at).await;
    let listed = vec![
        Allow::HostPort("localhost".to_owned(), plain.at.port()),
        Allow::HostPort("localhost".to_owned(), secure.at.port()),
    ];
    let limits = Limits { ca_file: Some(file.path().to_owned()), ..limits(listed) };
    let targets = [format!("http://localhost:{}/plain", plain.at.port()), secure.url("/secure")];
    for (url, proxy) in [
        (socks.url("socks5"), &socks),
        (socks.url("socks5h"), &socks),
        (http.url("http"), &http),
        (format!("https://localhost:{}", https.port()), &http),
    ] {
        let fetch = HttpFetch::new(&through(&url, limits.clone())).unwrap();
        for target in &targets {
            let mentions = || proxy.mentions(target);
            let before = mentions();
            let fetched = fetch.get(&source(target), &Validators::default()).await;
            assert!(is_whole(&fetched), "{url} {target}: {fetched:?}");
            assert!(mentions() > before, "{url} {target}: {}", proxy.log());
            let before = mentions();
            let mut directly = source(target);
            directly.access.route = Route::Direct;
            assert!(is_whole(&fetch.get(&directly, &Validators::default()).await));
            assert_eq!(mentions(), before, "{url} {target}");
        }
    }
    // And a feed alone may go another way than the rest.
    let fetch = HttpFetch::new(&limits).unwrap();
    let mut alone = source(&targets[0]);
    alone.access.route = Route::Through(proxy(&socks.url("socks5h")));
    let before = socks.mentions(&targets[0]);
    assert!(is_whole(&fetch.get(&source(&targets[0]), &Validators::default()).await));
    assert_eq!(socks.mentions(&targets[0]), before);
    assert!(is_whole(&fetch.get(&alone, &Validators::default()).await));
    assert!(socks.mentions(&targets[0]) > before);
}

#[tokio::test]
async fn socks5_looks_names_up_here_and_socks5h_leaves_it_to_the_proxy() {
    let Some(proxy) = Running::microsocks(false).await else { return };
    let origin = Origin::saying(HELLO).await;
    let port = origin.at.port();
    let asked = Arc::new(AtomicUsize::new(0));
    let fetch = |url: &str| leading_here(&through(url, open()), &asked);
    let target = source(&format!("http://feeds.example.org:{port}/"));
    let fetched = fetch(&proxy.url("socks5")).get(&target, &Validators::default()).await;
    assert!(is_whole(&fetched), "{fetched:?}");
    assert!(proxy.log().contains(&format!("127.0.0.1:{port}")), "{}", proxy.log());
    assert!(!proxy.log().contains("feeds.example.org"), "{}", proxy.log());
    assert_eq!(asked.load(Ordering::Relaxed), 1);

    // A name under `.invalid` leads nowhere, so what comes back shows that the proxy was given it.
    let target = source(&format!("http://feeds.invalid:{port}/"));
    let error = fetch(&proxy.url("socks5h")).get(&target, &Validators::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::Proxy { .. }), "{error}");
    assert_eq!(asked.load(Ordering::Relaxed), 1, "the name was looked up here");
    assert_eq!(
        error.to_string().split_once(": ").unwrap().1,
        "it says `general server failure`; does it let this pass?",
    );
    assert_eq!(origin.requests().len(), 1);
    // Where it is looked up here, the sentence is about the name.
    let limits = through(&proxy.url("socks5"), open());
    let error = ask_with(&limits, "http://feeds.invalid/", &Validators::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::Dns { .. }), "{error}");
}

#[tokio::test]
async fn socks5_is_guarded_by_address() {
    let Some(proxy) = Running::microsocks(false).await else { return };
    let origin = Origin::saying(HELLO).await;
    let limits = through(&proxy.url("socks5"), limits(Vec::new()));
    let url = format!("http://feeds.example.org:{}/", origin.at.port());
    let fetch = leading_here(&limits, &Arc::default());
    let error = fetch.get(&source(&url), &Validators::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::Refused(_)), "{error}");
    assert_eq!(
        error.to_string().replace(&origin.at.port().to_string(), "PORT"),
        "`feeds.example.org` leads to `127.0.0.1`, a private address (loopback); if it is yours, add \
         `feeds.example.org:PORT` to fetch.allow"
    );
    assert_eq!((proxy.mentions(&url), origin.connections()), (0, 0));
}

#[tokio::test]
async fn what_is_private_by_its_look_is_not_asked_through_a_proxy_either() {
    let (Some(socks), Some(http)) = (Running::microsocks(false).await, Running::tinyproxy(false).await) else { return };
    let inner = Origin::saying(HELLO).await;
    let port = inner.at.port();
    let private =
        ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "localhost"];
    for url in [socks.url("socks5"), socks.url("socks5h"), http.url("http")] {
        for host in private {
            let limits = through(&url, limits(Vec::new()));
            let error = ask_with(&limits, &format!("http://{host}:{port}/"), &Validators::default()).await.unwrap_err();
            assert!(matches!(error, FetchError::Refused(_)), "{url} {host}: {error}");
        }
        // Nor when a redirect leads there.
        for host in private {
            let to = format!("Location: http://{host}:{port}/\r\n");
            let origin = Origin::saying(answer("302 Found", &to, b"")).await;
            let error = ask_with(&through(&url, allowing(&origin)), &origin.url("/"), &Validators::default()).await;
            assert!(matches!(error, Err(FetchError::Refused(_))), "{url} {host}: {error:?}");
            assert_eq!(origin.requests().len(), 1);
        }
    }
    let url = inner.url("/");
    assert_eq!((inner.connections(), socks.mentions(&url), http.mentions(&url)), (0, 0, 0));
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_gets_it_and_nobody_else() {
    let (Some(socks), Some(http)) = (Running::microsocks(true).await, Running::tinyproxy(true).await) else { return };
    let authority = Authority::new("ours");
    let file = authority.file();
    let (plain, secure) =
        (Origin::saying(HELLO).await, Secure::start(authority.server(&["localhost"], NOW, &[])).await);
    let listed = vec![
        Allow::HostPort("localhost".to_owned(), plain.at.port()),
        Allow::HostPort("localhost".to_owned(), secure.at.port()),
    ];
    let limits = Limits { ca_file: Some(file.path().to_owned()), ..limits(listed) };
    let targets = [format!("http://localhost:{}/", plain.at.port()), secure.url("/")];
    for (scheme, proxy) in [("socks5", &socks), ("socks5h", &socks), ("http", &http)] {
        for target in &targets {
            let with = through(&proxy.url_with_login(scheme), limits.clone());
            assert!(is_whole(&ask_with(&with, target, &Validators::default()).await), "{scheme} {target}");
            let wrong = proxy.url_with_login(scheme).replace(LOGIN.1, "Wr0ngPassw0rd");
            for url in [proxy.url(scheme), wrong] {
                let error = ask_with(&through(&url, limits.clone()), target, &Validators::default()).await.unwrap_err();
                let sentence = error.to_string();
                let by_status = matches!(error, FetchError::Status { status: Status { code: 407 | 401, .. }, .. });
                assert!(by_status || matches!(error, FetchError::Proxy { .. }), "{error:?}");
                assert!(!format!("{sentence} {error:?}").contains("Passw0rd"), "{error:?}");
                let expected = match (by_status, url.contains("Wr0ng")) {
                    (false, _) if scheme == "http" && url.contains("Wr0ng") => {
                        "it does not connect there; does it let this pass?"
                    }
                    (false, _) => {
                        "it wants a name and a password, or others; they stand in its address, as in \
                         `socks5h://name:${PASSWORD}@host:port`"
                    }
                    (true, false) => "answered 407 Proxy Authentication Required; a proxy wants a name and a password",
                    // So tinyproxy says.
                    (true, true) => "answered 401 Unauthorized; it wants a name and a password",
                };
                assert!(sentence.ends_with(expected), "{scheme} {target}: {sentence}");
            }
        }
    }
    assert!(plain.requests().len() == 3 && secure.requests().len() == 3);
    for n in 0..3 {
        assert!(!plain.request(n).contains("authorization"), "{}", plain.request(n));
        assert!(secure.requests().iter().all(|headers| !headers.keys().any(|key| key.as_str().contains("auth"))));
    }
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_a_sentence() {
    let (nobody, origin) = (free_port(), Origin::saying(HELLO).await);
    for scheme in ["http", "https", "socks5", "socks5h"] {
        for target in [origin.url("/"), origin.url("/").replace("http:", "https:")] {
            let limits = through(&format!("{scheme}://ann:Pr0xyPassw0rd@{nobody}"), allowing(&origin));
            let error = ask_with(&limits, &target, &Validators::default()).await.unwrap_err();
            assert!(error.is_transient());
            assert_eq!(
                error.to_string(),
                format!(
                    "no connection to `{}` through the proxy `{scheme}://{nobody}`: {}; does it run?",
                    origin.at,
                    if scheme.starts_with("socks") { "it cannot be reached" } else { "Connection refused" }
                )
            );
        }
    }
    assert_eq!(origin.connections(), 0);
}

#[tokio::test]
async fn a_proxy_that_hangs_or_babbles_ends_within_its_limit() {
    let proxy = Origin::start(|path| match path {
        _ if path.starts_with("http://babble") || path.starts_with("babble") => {
            vec![Step::Send(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec())]
        }
        _ => vec![Step::Hang],
    })
    .await;
    for scheme in ["http", "socks5h"] {
        for url in ["http://hang.example.org/", "https://hang.example.org/", "https://babble.example.org/"] {
            let limits = Limits { timeout: Duration::from_millis(400), ..limits(Vec::new()) };
            let limits = through(&format!("{scheme}://{}", proxy.at), limits);
            let error = ask_with(&limits, url, &Validators::default()).await.unwrap_err();
            let is_late = matches!(error, FetchError::Timeout { .. });
            assert!(is_late || matches!(error, FetchError::Proxy { .. }), "{scheme} {url}: {error:?}");
            println!("{scheme} {url}: {error}");
        }
    }
}

#[tokio::test]
#[ignore = "a helper"]
async fn helper_asks_through_a_proxy() {
    let Ok(address) = std::env::var("FEEDMILL_TEST_PROXY") else { return };
    let limits = through(&format!("http://{address}"), limits(Vec::new()));
    let fetched = ask_with(&limits, "http://feeds.example.org/", &Validators::default()).await;
    assert!(is_whole(&fetched), "{fetched:?}");
}

#[tokio::test]
async fn the_environment_does_not_lead_past_a_proxy() {
    let proxy = Origin::saying(HELLO).await;
    let environment = vec![
        ("FEEDMILL_TEST_PROXY", proxy.at.to_string()),
        ("NO_PROXY", "*".to_owned()),
        ("no_proxy", "feeds.example.org".to_owned()),
        ("http_proxy", "http://127.0.0.1:9".to_owned()),
        ("ALL_PROXY", "socks5h://127.0.0.1:9".to_owned()),
    ];
    helped("helper_asks_through_a_proxy", environment).await;
    assert!(proxy.request(0).starts_with("GET http://feeds.example.org/ HTTP/1.1\r\n"), "{}", proxy.request(0));
}
