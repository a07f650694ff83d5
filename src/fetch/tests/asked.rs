//! What a request says.

#![expect(clippy::disallowed_methods, reason = "a test's files need no care")]

use super::*;
use crate::model::{Login, Password, Secret};

/// A whole request to `HOST`, with what is said to a feed's own server only.
fn head(path: &str, own: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\n{own}accept: application/atom+xml, application/rss+xml, application/feed+json;q=0.9, \
         application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, */*;q=0.5\r\n\
         user-agent: feedmill/test (+https://news.example.org/)\r\n\
         accept-encoding: gzip, br, zstd, deflate\r\nhost: HOST\r\n\r\n"
    )
}

fn heads(origin: &Origin) -> Vec<String> {
    let texts = (0..origin.requests().len()).map(|n| origin.request(n));
    texts.map(|text| text.replace(&origin.at.to_string(), "HOST")).collect()
}

#[tokio::test]
async fn a_request_says_who_we_are_and_nothing_else() {
    let origin = Origin::saying(HELLO).await;
    body(&origin, "/feed?a=1").await;
    assert_eq!(heads(&origin), [head("/feed?a=1", "")]);
    let known = Validators { etag: Some("W/\"1\"".to_owned()), last_modified: Some("then".to_owned()), from: None };
    ask_with(&allowing(&origin), &origin.url("/"), &known).await.unwrap();
    assert_eq!(heads(&origin)[1], head("/", "if-none-match: W/\"1\"\r\nif-modified-since: then\r\n"));
}

#[tokio::test]
async fn what_is_for_a_feeds_own_server_goes_to_no_other() {
    let cookie = "Set-Cookie: a=b; Path=/\r\n";
    let other = Origin::saying(answer("200 OK", cookie, b"<rss/>")).await;
    let away = other.url("/end");
    let origin = Origin::start(move |path| {
        let to = if path == "/a" { "/b" } else { &away };
        vec![Step::Send(answer("301 Moved Permanently", &format!("{cookie}Location: {to}\r\n"), b""))]
    })
    .await;
    let mut limits = allowing(&origin);
    limits.allow.extend(allowing(&other).allow);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "s3cret\r\n").unwrap();
    let mut source = source(&origin.url("/a"));
    source.access.headers = vec![
        ("x-key".to_owned(), Secret::new("abc")),
        ("user-agent".to_owned(), Secret::new("mine")),
        ("cookie".to_owned(), Secret::new("session=1")),
    ];
    let own = "x-key: abc\r\nuser-agent: mine\r\ncookie: session=1\r\nauthorization: Basic YW5uOnMzY3JldA==\r\n";
    let fetch = HttpFetch::new(&limits).unwrap();
    for (n, password) in
        [Password::Given(Secret::new("s3cret")), Password::File(file.path().to_owned())].into_iter().enumerate()
    {
        source.access.login = Some(Login { username: "ann".to_owned(), password });
        fetch.get(&source, &Validators::default()).await.unwrap();
        let ours = |path| head(path, own).replace("user-agent: feedmill/test (+https://news.example.org/)\r\n", "");
        assert_eq!(heads(&origin)[2 * n..], [ours("/a"), ours("/b")]);
        assert_eq!(heads(&other)[n..], [head("/end", "")]);
    }
}

#[tokio::test]
async fn a_password_file_of_no_use_is_a_sentence_and_nothing_is_asked() {
    let origin = Origin::saying(HELLO).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut source = source(&origin.url("/"));
    let password = Password::File(file.path().to_owned());
    source.access.login = Some(Login { username: "ann".to_owned(), password });
    let fetch = HttpFetch::new(&allowing(&origin)).unwrap();
    for (text, cause) in [
        ("", "it should hold a password and is empty"),
        ("\n", "it should hold a password and is empty"),
        ("s3cret\nand more\n", "it should hold a password on its first line and nothing else"),
        ("\u{0}\u{0}", "it should hold a password on its first line and nothing else"),
    ] {
        std::fs::write(file.path(), text).unwrap();
        let error = fetch.get(&source, &Validators::default()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("`{}` cannot be read: {cause}", file.path().display()));
        assert!(!error.was_asked());
    }
    source.access.login =
        Some(Login { username: "ann".to_owned(), password: Password::File("/nowhere/password".into()) });
    let error = fetch.get(&source, &Validators::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "`/nowhere/password` cannot be read: No such file or directory");
    assert_eq!(origin.connections(), 0);
}

#[tokio::test]
async fn validators_come_back_byte_for_byte() {
    for etag in [&b"\"plain\""[..], b"W/\"x\"", b"unquoted", b"\"a, b\"", b"\"\xff\xe5\xbe\xae\"", b"\"\"", b"W/\"\""] {
        let modified = "yesterday, perhaps";
        let mut headers = b"ETag:  ".to_vec();
        headers.extend_from_slice(etag);
        headers.extend_from_slice(b" \r\nLast-Modified: yesterday, perhaps\r\n");
        let (start, rest) = HELLO.split_at(17);
        let origin = Origin::saying([start, &headers, rest].concat()).await;
        let first = body(&origin, "/").await.validators;
        assert_eq!(first.last_modified.as_deref(), Some(modified));
        // Through the state file and back.
        let kept: Validators = serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap();
        ask_with(&allowing(&origin), &origin.url("/"), &kept).await.unwrap();
        let again = origin.requests().remove(1);
        let line = [b"if-none-match: ", etag, b"\r\n"].concat();
        assert!(again.windows(line.len()).any(|part| part == line), "{etag:?}");
        assert!(origin.request(1).contains("if-modified-since: yesterday, perhaps\r\n"));
    }
}

#[tokio::test]
async fn validators_that_no_header_can_hold_are_left_out() {
    let origin = Origin::saying(HELLO).await;
    let odd =
        Validators { etag: Some("\"a\r\nX-Y: z\"".to_owned()), last_modified: Some("微信".to_owned()), from: None };
    ask_with(&allowing(&origin), &origin.url("/"), &odd).await.unwrap();
    assert!(!origin.request(0).contains("if-"));
}

#[tokio::test]
async fn name_and_password_stay_with_their_server_and_out_of_what_is_kept() {
    let other = Origin::saying(HELLO).await;
    let away = other.url("/c");
    let origin = Origin::start(move |path| {
        let to = if path == "/a" { "/b" } else { &away };
        vec![Step::Send(answer("301 Moved Permanently", &format!("Location: {to}\r\n"), b""))]
    })
    .await;
    let mut limits = allowing(&origin);
    limits.allow.extend(allowing(&other).allow);
    let url = origin.url("/a").replace("http://", "http://ann:s3cret@");
    let Ok(Fetched::Body(body)) = ask_with(&limits, &url, &Validators::default()).await else { panic!() };
    assert!(origin.request(0).contains("authorization: Basic YW5uOnMzY3JldA==\r\n"));
    assert!(origin.request(1).contains("authorization: Basic YW5uOnMzY3JldA==\r\n"));
    assert!(!other.request(0).contains("authorization"));
    assert!(!other.request(0).contains("referer"));
    assert_eq!(body.base.as_str(), other.url("/c"));
    assert_eq!(body.moved.unwrap().as_str(), other.url("/c"));
}

#[tokio::test]
async fn cookies_are_not_sent_back() {
    let origin = Origin::saying(answer("200 OK", "Set-Cookie: a=b; Path=/\r\n", b"x")).await;
    let fetch = HttpFetch::new(&allowing(&origin)).unwrap();
    for _ in 0..2 {
        fetch.get(&source(&origin.url("/")), &Validators::default()).await.unwrap();
    }
    assert!(!origin.request(1).contains("cookie"));
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let origin = Origin::start(|_| vec![Step::Send(answer("200 OK", "Connection: keep-alive\r\n", b"x"))]).await;
    let fetch = HttpFetch::new(&allowing(&origin)).unwrap();
    for path in ["/a", "/b", "/c"] {
        fetch.get(&source(&origin.url(path)), &Validators::default()).await.unwrap();
    }
    assert_eq!((origin.requests().len(), origin.connections()), (3, 1));
}

#[tokio::test]
async fn a_connection_that_was_closed_meanwhile_costs_no_feed() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let origin = Origin::start(move |path| {
        let n = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // The second request comes over a connection that the server is done with, and so do all to `/never`.
        if n == 1 || path == "/never" {
            return Vec::new();
        }
        vec![Step::Send(answer("200 OK", "Connection: keep-alive\r\n", b"x"))]
    })
    .await;
    let fetch = HttpFetch::new(&allowing(&origin)).unwrap();
    for path in ["/a", "/b"] {
        let fetched = fetch.get(&source(&origin.url(path)), &Validators::default()).await;
        assert!(matches!(fetched, Ok(Fetched::Body(_))), "{fetched:?}");
    }
    assert_eq!((origin.requests().len(), origin.connections()), (3, 2));
    // Once, and only where a connection was kept.
    let error = fetch.get(&source(&origin.url("/never")), &Validators::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::NoAnswer { .. }), "{error}");
    assert_eq!(origin.requests().len(), 5);
    let error = fetch.get(&source(&origin.url("/never")), &Validators::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::NoAnswer { .. }), "{error}");
    assert_eq!(origin.requests().len(), 6);
}

#[tokio::test]
#[ignore = "a helper"]
async fn helper_asks_a_server() {
    let Ok(address) = std::env::var("FEEDMILL_TEST_ORIGIN") else { return };
    let limits = limits(vec![Allow::Network("127.0.0.0/8".parse().unwrap())]);
    let fetched = ask_with(&limits, &format!("http://{address}/direct"), &Validators::default()).await;
    assert!(matches!(fetched, Ok(Fetched::Body(_))), "{fetched:?}");
}

#[tokio::test]
async fn a_proxy_in_the_environment_is_ignored() {
    let (origin, proxy) = (Origin::saying(HELLO).await, Origin::saying(HELLO).await);
    let names = ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"];
    let mut environment: Vec<_> = names.map(|name| (name, proxy.url("/"))).into();
    environment.push(("FEEDMILL_TEST_ORIGIN", origin.at.to_string()));
    helped("helper_asks_a_server", environment).await;
    assert_eq!((origin.requests().len(), proxy.requests().len()), (1, 0));
}

#[cfg(not(target_vendor = "apple"))]
#[tokio::test]
#[ignore = "a helper"]
async fn helper_asks_securely() {
    let Ok(address) = std::env::var("FEEDMILL_TEST_ORIGIN") else { return };
    let limits = limits(vec![Allow::Network("127.0.0.0/8".parse().unwrap())]);
    let error = ask_with(&limits, &format!("https://{address}/"), &Validators::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "this machine has no CA certificates to check https with; install ca-certificates");
}

// Apple's certificates do not come from files.
#[cfg(not(target_vendor = "apple"))]
#[tokio::test]
async fn without_certificates_http_still_works() {
    let origin = Origin::saying(HELLO).await;
    let environment = vec![
        ("SSL_CERT_FILE", "/dev/null".to_owned()),
        ("SSL_CERT_DIR", "/dev/null".to_owned()),
        ("FEEDMILL_TEST_ORIGIN", origin.at.to_string()),
    ];
    helped("helper_asks_a_server", environment.clone()).await;
    helped("helper_asks_securely", environment).await;
    assert_eq!(origin.requests().len(), 1);
}
