//! Answers that fail.

use super::*;

#[tokio::test]
async fn a_body_cut_short_is_an_error() {
    let gzip = hex("1f8b0800000000000203b3292a2eb6cb48cdc9c9");
    for (bytes, received) in [
        (b"HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 100\r\n\r\n<rss>".to_vec(), 5),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<rss>\r\n".to_vec(), 5),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<r".to_vec(), 2),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<rss>\r\nzz\r\n".to_vec(), 5),
        (answer("200 OK", "Content-Encoding: gzip\r\n", &gzip), 0),
    ] {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let origin = Origin::saying(bytes).await;
        match ask(&origin, "/").await {
            Err(error @ FetchError::Cut { received: got, .. }) => {
                assert!(got == received || text.contains("gzip"), "{text}: {error}");
                assert!(error.is_transient());
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    let origin = Origin::start(|_| vec![Step::Send(HELLO[..45].to_vec()), Step::Reset]).await;
    let sentence = said(&origin, "/").await;
    assert!(sentence.contains("was cut off after 6 bytes: Connection reset"), "{sentence}");
}

#[tokio::test]
async fn a_compressed_body_cut_anywhere_is_an_error() {
    for (encoding, bytes) in ENCODED {
        let headers = format!("Content-Encoding: {encoding}\r\n");
        let whole = hex(bytes);
        // The document is complete, its transfer is not.
        let mut longer = answer("200 OK", &headers, &[&whole[..], b"more"].concat());
        longer.truncate(longer.len() - 4);
        let origin = Origin::saying(longer).await;
        let fetched = ask(&origin, "/").await;
        assert!(matches!(fetched, Err(FetchError::Cut { .. })), "{encoding}: {fetched:?}");
        for length in 1..whole.len() {
            let origin = Origin::saying(answer("200 OK", &headers, &whole[..length])).await;
            let fetched = ask(&origin, "/").await;
            assert!(matches!(fetched, Err(FetchError::Cut { .. })), "{encoding} {length}: {fetched:?}");
        }
    }
}

#[tokio::test]
async fn no_answer_is_a_sentence() {
    let origin = Origin::saying("").await;
    assert_eq!(
        said(&origin, "/").await,
        "`127.0.0.1:PORT` broke the connection off without an answer: connection closed before message completed"
    );
    let origin = Origin::saying("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\r\n").await;
    assert_eq!(
        said(&origin, "/").await,
        "`127.0.0.1:PORT` sent something that is not HTTP: invalid HTTP version parsed"
    );
    let origin = Origin::start(|_| vec![Step::Reset]).await;
    let sentence = said(&origin, "/").await;
    assert!(sentence.starts_with("`127.0.0.1:PORT` broke the connection off"), "{sentence}");
}

#[tokio::test]
async fn nobody_there_is_a_sentence() {
    let at = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let limits = limits(vec![Allow::HostPort("127.0.0.1".to_owned(), at.port())]);
    let error = ask_with(&limits, &format!("http://{at}/"), &Validators::default()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("no connection to `{at}`: Connection refused"));
    let url = "http://nowhere.invalid/?key=s3cret";
    let error = ask_with(&limits, url, &Validators::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::Dns { .. }), "{error}");
    assert!(error.to_string().starts_with("`nowhere.invalid` has no address: "), "{error}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn every_wait_ends() {
    let drip = || Step::Drip(b"x".to_vec(), Duration::from_millis(20));
    let origin = Origin::start(move |path| match path {
        "/hang" => vec![Step::Hang],
        "/head" => vec![Step::Send(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), drip()],
        "/body" => vec![Step::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), drip()],
        "/hop" => vec![Step::Send(answer("302 Found", "Location: /hang\r\n", b""))],
        _ => vec![Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec()), Step::Hang],
    })
    .await;
    let limits = Limits { timeout: Duration::from_secs(1), ..allowing(&origin) };
    let waits = [
        ("/hang", "no answer from"),
        ("/hop", "no answer from"),
        ("/head", "no answer from"),
        ("/body", "no complete answer from"),
        ("/stall", "no complete answer from"),
    ];
    futures_util::future::join_all(waits.map(async |(path, words)| {
        let error = ask_with(&limits, &origin.url(path), &Validators::default()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{words} `{}` within 1s (fetch.timeout)", origin.at));
        assert!(error.is_transient());
    }))
    .await;
}

#[tokio::test]
async fn a_connection_that_never_comes_is_a_sentence() {
    // The TLS greeting is never answered.
    let origin = Origin::start(|_| vec![Step::Hang]).await;
    let limits = Limits { timeout: Duration::from_millis(300), ..allowing(&origin) };
    let url = origin.url("/").replace("http:", "https:");
    let error = ask_with(&limits, &url, &Validators::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn a_body_may_be_as_large_as_allowed_and_no_larger() {
    let origin = Origin::start(|path| {
        let length: usize = path[1..].parse().unwrap();
        vec![Step::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), Step::Repeat(vec![b'x'; 1024], length / 1024)]
    })
    .await;
    assert_eq!(body(&origin, "/1048576").await.bytes.len(), 1 << 20);
    let too_large = "is larger than 1 MiB; if that is right, raise fetch.max_body";
    assert!(said(&origin, "/1049600").await.ends_with(too_large));
    // A length that is only claimed is not waited for, and nothing is reserved for it.
    let origin = Origin::saying("HTTP/1.1 200 OK\r\nContent-Length: 9999999999999\r\n\r\nx").await;
    assert!(said(&origin, "/").await.ends_with(too_large));
}

#[tokio::test]
async fn who_is_late_or_slow_is_left_before_the_time_is_up() {
    let drip = |pause| Step::Drip(b"x".to_vec(), Duration::from_millis(pause));
    let origin = Origin::start(move |path| match path {
        "/hang" => vec![Step::Hang],
        "/hop" => vec![Step::Send(answer("302 Found", "Location: /hang\r\n", b""))],
        "/head" => vec![Step::Send(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), drip(20)],
        "/stall" => vec![Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec()), Step::Hang],
        _ => vec![Step::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), drip(20)],
    })
    .await;
    let min_rate = MinRate { bytes: 1000, within: Duration::from_millis(400) };
    let limits = Limits { first_byte: Duration::from_millis(400), min_rate, ..allowing(&origin) };
    let late = "no answer from `AT` within 400ms";
    let slow = "`AT` is too slow: N bytes within 400ms; it is asked again next time";
    let waits = [("/hang", late), ("/hop", late), ("/head", late), ("/stall", slow), ("/drip", slow)];
    futures_util::future::join_all(waits.map(async |(path, words)| {
        let error = ask_with(&limits, &origin.url(path), &Validators::default()).await.unwrap_err();
        assert!(error.is_transient());
        if let FetchError::Slow { bytes, .. } = error {
            let expected = words.replace("AT", &origin.at.to_string()).replace('N', &bytes.to_string());
            assert_eq!(error.to_string(), expected);
            assert_eq!(bytes == 0, path == "/stall");
        } else {
            assert_eq!(error.to_string(), words.replace("AT", &origin.at.to_string()), "{path}");
        }
    }))
    .await;
}

#[tokio::test]
async fn a_body_that_brings_enough_may_take_its_time() {
    // Longer than several stretches, each of which brings more than the least.
    let piece = || Step::Drip(vec![b'x'; 4096], Duration::from_millis(20));
    let origin = Origin::start(move |_| {
        vec![Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 163840\r\n\r\n".to_vec()), piece()]
    })
    .await;
    let min_rate = MinRate { bytes: 1, within: Duration::from_millis(200) };
    let limits = Limits { first_byte: Duration::from_secs(10), min_rate, ..allowing(&origin) };
    let fetched = ask_with(&limits, &origin.url("/"), &Validators::default()).await;
    assert!(matches!(&fetched, Ok(Fetched::Body(body)) if body.bytes.len() == 163_840), "{fetched:?}");
}

#[tokio::test]
async fn a_head_without_end_is_a_sentence() {
    let line = || Step::Repeat(b"X-A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n".to_vec(), 1_000_000);
    let origin = Origin::start(move |path| match path {
        "/lines" => vec![Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()), line()],
        "/line" => vec![Step::Send(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), Step::Repeat(vec![b'x'; 4096], 10_000)],
        "/status" => vec![Step::Send(b"HTTP/1.1 200 ".to_vec()), Step::Repeat(vec![b'x'; 4096], 10_000)],
        "/interim" => vec![Step::Repeat(b"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n".to_vec(), 200), Step::Hang],
        many => {
            let lines = "X: y\r\n".repeat(many[1..].parse().unwrap());
            vec![Step::Send(answer("200 OK", &lines, b"x"))]
        }
    })
    .await;
    for path in ["/lines", "/line", "/status", "/300"] {
        assert_eq!(
            said(&origin, path).await,
            "`127.0.0.1:PORT` sends a head that is too long, more than 256 lines or 400 KiB; is it a feed's server?",
            "{path}"
        );
    }
    assert_eq!(body(&origin, "/200").await.bytes, b"x");
    let limits = Limits { first_byte: Duration::from_millis(300), ..allowing(&origin) };
    let error = ask_with(&limits, &origin.url("/interim"), &Validators::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn chunked_garbage_is_a_sentence() {
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for rest in [
        "ffffffffffffffffff\r\n<rss>",
        "-5\r\n<rss>\r\n0\r\n\r\n",
        "<rss>\r\n",
        "5\r\n<rss>XX",
        "5 5\r\n<rss>\r\n0\r\n\r\n",
    ] {
        let origin = Origin::saying(format!("{head}{rest}")).await;
        let fetched = ask(&origin, "/").await;
        assert!(matches!(fetched, Err(FetchError::Cut { .. })), "{rest}: {fetched:?}");
    }
    // Its extensions have no end.
    let origin = Origin::start(move |_| {
        vec![Step::Send(head.as_bytes().to_vec()), Step::Send(b"5;".to_vec()), Step::Repeat(vec![b'x'; 4096], 10_000)]
    })
    .await;
    let fetched = ask(&origin, "/").await;
    assert!(matches!(fetched, Err(FetchError::Cut { .. })), "{fetched:?}");
}

#[tokio::test]
async fn more_than_was_promised_is_left_unread() {
    let origin = Origin::saying("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<rss/>and more").await;
    assert_eq!(body(&origin, "/").await.bytes, b"<rss/>");
    for lengths in ["Content-Length: 6\r\nContent-Length: 7\r\n", "Content-Length: many\r\n"] {
        let origin = Origin::saying(format!("HTTP/1.1 200 OK\r\n{lengths}\r\n<rss/>")).await;
        let fetched = ask(&origin, "/").await;
        assert!(matches!(fetched, Err(FetchError::NotHttp { .. })), "{fetched:?}");
    }
}
