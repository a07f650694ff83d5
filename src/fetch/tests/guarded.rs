//! What may not be asked, and what goes another way.

#![expect(clippy::disallowed_methods, reason = "a test's files need no care")]

use super::*;

#[tokio::test]
async fn nothing_private_is_asked() {
    let origin = Origin::saying(HELLO).await;
    let port = origin.at.port();
    for host in
        ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "0.0.0.0", "0", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]"]
    {
        let url = format!("http://{host}:{port}/");
        let error = ask_with(&limits(Vec::new()), &url, &Validators::default()).await.unwrap_err();
        assert!(matches!(error, FetchError::Refused(_)), "{host}: {error}");
    }
    let url = format!("http://localhost:{port}/");
    let error = ask_with(&limits(Vec::new()), &url, &Validators::default()).await.unwrap_err();
    let sentence = error.to_string().replace("::1", "127.0.0.1");
    assert_eq!(
        sentence,
        format!(
            "`localhost` leads to `127.0.0.1`, a private address (loopback); if it is yours, add `localhost:{port}` \
             to fetch.allow"
        )
    );
    assert!(!error.is_transient());
    assert_eq!(origin.requests().len(), 0);
}

#[tokio::test]
async fn a_listed_name_is_asked_on_its_port_only() {
    let (origin, other) = (Origin::saying(HELLO).await, Origin::saying(HELLO).await);
    let limits = limits(vec![Allow::HostPort("localhost".to_owned(), origin.at.port())]);
    let fetch = HttpFetch::new(&limits).unwrap();
    let ask = async |host: &str, port: u16| {
        fetch.get(&source(&format!("http://{host}:{port}/")), &Validators::default()).await
    };
    assert!(ask("localhost", origin.at.port()).await.is_ok());
    for (host, port) in
        [("localhost", other.at.port()), ("127.0.0.1", origin.at.port()), ("127.0.0.1", other.at.port())]
    {
        assert!(matches!(ask(host, port).await, Err(FetchError::Refused(_))), "{host}:{port}");
    }
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn a_listed_network_is_asked_on_every_port() {
    let origin = Origin::saying(HELLO).await;
    let limits =
        limits(vec![Allow::Network("127.0.0.0/8".parse().unwrap()), Allow::Network("::1/128".parse().unwrap())]);
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{host}:{}/", origin.at.port());
        assert!(ask_with(&limits, &url, &Validators::default()).await.is_ok(), "{host}");
    }
}

#[tokio::test]
async fn ipv6_works_where_there_is_some() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let origin = Origin::listen("[::1]:0", |_| vec![Step::Send(HELLO.to_vec())]).await;
    assert_eq!(body(&origin, "/").await.bytes, b"<rss>hello</rss>");
    let error = ask_with(&limits(Vec::new()), &origin.url("/"), &Validators::default()).await.unwrap_err();
    let listed = origin.at;
    assert_eq!(
        error.to_string(),
        format!("`[::1]` is a private address (loopback); if it is yours, add `{listed}` to fetch.allow")
    );
}

#[tokio::test]
async fn a_redirect_from_an_allowed_port_to_another_is_refused() {
    let inner = Origin::saying(HELLO).await;
    let port = inner.at.port();
    for host in ["127.0.0.1", "localhost", "2130706433", "[::ffff:7f00:1]"] {
        let origin = Origin::saying(answer("302 Found", &format!("Location: http://{host}:{port}/in\r\n"), b"")).await;
        let error = ask(&origin, "/out").await.unwrap_err();
        let FetchError::Refused(refusal) = &error else { panic!("{error}") };
        assert_eq!((refusal.port, refusal.via.clone()), (port, Some(origin.url("/out"))));
        if host == "127.0.0.1" {
            assert_eq!(
                error.to_string(),
                format!(
                    "`{}` redirects to `{}`: `127.0.0.1` is a private address (loopback); if it is yours, add `{}` \
                     to fetch.allow",
                    origin.url("/out"),
                    inner.at,
                    inner.at
                )
            );
        }
    }
    assert_eq!(inner.requests().len(), 0);
}

#[tokio::test]
async fn each_scheme_has_its_own_way() {
    let origin = Origin::saying(HELLO).await;
    let fetcher = Fetcher::new(&allowing(&origin)).unwrap();
    let got = fetcher.get(&source(&origin.url("/")), &Validators::default()).await;
    assert!(matches!(got, Ok(Fetched::Body(_))));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xml");
    std::fs::write(&path, "<rss/>").unwrap();
    let url = Url::from_file_path(&path).unwrap();
    let Ok(Fetched::Body(body)) = fetcher.get(&source(url.as_str()), &Validators::default()).await else { panic!() };
    assert_eq!((body.bytes.as_slice(), body.base), (&b"<rss/>"[..], url));
    let error = fetcher.get(&source("ftp://ann:pw@example.org/a"), &Validators::default()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`ftp://example.org/a` cannot be fetched: only http, https and file addresses can be"
    );
    // And no redirect leads to a file.
    let origin =
        Origin::saying(answer("301 x", &format!("Location: {}\r\n", Url::from_file_path(&path).unwrap()), b"")).await;
    let fetcher = Fetcher::new(&allowing(&origin)).unwrap();
    let error = fetcher.get(&source(&origin.url("/")), &Validators::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::Redirect { .. }), "{error}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_connection_goes_to_what_was_judged_and_nowhere_else() {
    use std::net::IpAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    let inner = Origin::saying(HELLO).await;
    let port = inner.at.port();
    let open = Origin::listen(&format!("127.0.0.2:{port}"), |_| vec![Step::Send(HELLO.to_vec())]).await;
    // Both addresses, then only the one that is refused; a name under `closed` leads where nobody listens, too.
    let asked = AtomicUsize::new(0);
    let lookup = move |name: &str| {
        let first: IpAddr = if name.starts_with("closed") { [127, 0, 0, 3] } else { [127, 0, 0, 2] }.into();
        let inner = IpAddr::from([127, 0, 0, 1]);
        let ips = match asked.fetch_add(1, Ordering::Relaxed) {
            0 | 2 => vec![inner, first],
            _ => vec![inner],
        };
        Box::pin(async move { Ok(ips) }) as std::pin::Pin<Box<dyn Future<Output = std::io::Result<_>> + Send>>
    };
    let limits = limits(vec![Allow::Network("127.0.0.2/31".parse().unwrap())]);
    let fetch = HttpFetch::with(&limits, Arc::new(lookup)).unwrap();
    let ask = async |host: &str| {
        fetch.get(&source(&format!("http://{host}.example.org:{port}/")), &Validators::default()).await
    };
    assert!(matches!(ask("turncoat").await, Ok(Fetched::Body(_))));
    let refused = ask("turncoat").await;
    assert!(matches!(refused, Err(FetchError::Refused(_))), "{refused:?}");
    let nobody = ask("closed").await;
    assert!(matches!(nobody, Err(FetchError::Connect { .. })), "{nobody:?}");
    assert_eq!((open.connections(), inner.connections()), (1, 0));
}
