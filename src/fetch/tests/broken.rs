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
async fn tls_trouble_is_a_sentence() {
    let origin = Origin::saying("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let url = origin.url("/").replace("http:", "https:");
    let error = ask_with(&allowing(&origin), &url, &Validators::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::Tls { .. }), "{error:?}");
    let sentence = error.to_string();
    assert!(sentence.starts_with(&format!("no secure connection to `{}`: ", origin.at)), "{sentence}");
    let origin = Origin::saying("").await;
    let url = origin.url("/").replace("http:", "https:");
    let error = ask_with(&allowing(&origin), &url, &Validators::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::Tls { .. }), "{error:?}");
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
async fn a_bomb_stops_at_the_limit() {
    let before = peak_memory();
    let bomb = gzip_bomb(512 << 20);
    assert!(bomb.len() < 4 << 20);
    let made = peak_memory();
    let origin = Origin::saying(answer("200 OK", "Content-Encoding: gzip\r\n", &bomb)).await;
    let sentence = said(&origin, "/").await;
    assert!(sentence.ends_with("is larger than 1 MiB; if that is right, raise fetch.max_body"), "{sentence}");
    assert_eq!(origin.requests().len(), 1);
    // Other tests run beside this one, hence the room; the bomb is 512 MiB.
    assert!(peak_memory() - made < 128 << 10, "{before} {made} {} KiB", peak_memory());
}

/// The most memory this process ever had, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// So many `x`, compressed 1:159 by hand: one literal, then "258 bytes from one byte before" again and again.
fn gzip_bomb(size: usize) -> Vec<u8> {
    struct Bits(Vec<u8>, usize);
    impl Bits {
        fn put(&mut self, text: &str) {
            for bit in text.bytes() {
                if self.1.is_multiple_of(8) {
                    self.0.push(0);
                }
                *self.0.last_mut().unwrap() |= (bit - b'0') << (self.1 % 8);
                self.1 += 1;
            }
        }
    }
    let mut bits = Bits(hex("1f8b08000000000002ff"), 0);
    // Last block, fixed codes (RFC 1951 section 3.2.6); Huffman codes go in highest bit first.
    bits.put("110");
    bits.put("10101000");
    for _ in 0..size / 258 {
        bits.put("1100010100000");
    }
    bits.put("0000000");
    bits.0
}
