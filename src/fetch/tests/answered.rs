//! What an answer brings, from redirects too.

use super::*;

#[tokio::test]
async fn a_body_comes_with_what_is_worth_keeping() {
    let headers = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: application/rss+xml; charset=gb2312\r\n\
                   ETag: \"1\"\r\nLink: </a>; rel=hub\r\nLink: </b>; rel=self\r\nX-Powered-By: PHP\r\n\
                   Set-Cookie: a=b\r\nCache-Control: max-age=60\r\n";
    let origin = Origin::saying(answer("203 Non-Authoritative Information", headers, b"<rss/>")).await;
    let body = body(&origin, "/feed#top").await;
    assert_eq!(body.bytes, b"<rss/>");
    assert_eq!(body.content_type.as_deref(), Some("application/rss+xml; charset=gb2312"));
    assert_eq!((body.status, body.moved), (203, None));
    assert_eq!(body.base.as_str(), origin.url("/feed"));
    assert_eq!(body.validators, Validators { etag: Some("\"1\"".to_owned()), last_modified: None, from: None });
    let kept: Vec<_> = body.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(
        kept,
        [
            "date: Sun, 06 Nov 1994 08:49:37 GMT",
            "content-type: application/rss+xml; charset=gb2312",
            "etag: \"1\"",
            "cache-control: max-age=60",
            "link: </a>; rel=hub",
            "link: </b>; rel=self",
        ]
    );
}

#[tokio::test]
async fn a_304_refreshes_the_validators() {
    let origin =
        Origin::saying("HTTP/1.1 304 Not Modified\r\nETag: W/\"2\"\r\nCache-Control: max-age=60\r\n\r\n").await;
    let known = Validators { etag: Some("\"1\"".to_owned()), last_modified: Some("then".to_owned()), from: None };
    let fetched = ask_with(&allowing(&origin), &origin.url("/"), &known).await;
    let validators =
        Validators { etag: Some("W/\"2\"".to_owned()), last_modified: Some("then".to_owned()), from: None };
    assert_eq!(fetched, Ok(Fetched::NotModified { validators, freshness: Some(Duration::from_mins(1)), moved: None }));
    assert_eq!(
        said(&origin, "/").await,
        "`http://127.0.0.1:PORT/` answered 304 Not Modified although nothing was known of it yet"
    );
}

#[tokio::test]
async fn statuses_without_a_feed_are_sentences() {
    let origin = Origin::start(|path| {
        let (status, headers) = match path {
            "/404?token=abc" => ("404 Nix", ""),
            "/410" => ("410 Gone", ""),
            "/429" => ("429 x", "Retry-After: 120\r\n"),
            "/503" => ("503 x", "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
            "/204" => ("204 x", ""),
            "/206" => ("206 x", "Content-Range: bytes 0-0/9\r\n"),
            "/200" => ("200 x", ""),
            "/299" => ("299 x", ""),
            "/305" => ("305 x", "Location: /b\r\n"),
            _ => ("403 x", ""),
        };
        let body: &[u8] = if matches!(path, "/204" | "/200") { b"" } else { b"x" };
        vec![Step::Send(answer(status, headers, body))]
    })
    .await;
    for (path, expected) in [
        (
            "/404?token=abc",
            "`http://127.0.0.1:PORT/404?token=…` answered 404 Not Found; if the feed has moved, `feedmill add` finds it from its site's address",
        ),
        (
            "/410",
            "`http://127.0.0.1:PORT/410` answered 410 Gone; the feed has ended and is asked once a month from now on",
        ),
        ("/429", "`http://127.0.0.1:PORT/429` answered 429 Too Many Requests and asks to wait 120s"),
        (
            "/503",
            "`http://127.0.0.1:PORT/503` answered 503 Service Unavailable and asks to wait until \
             Sun, 06 Nov 1994 08:49:37 GMT",
        ),
        ("/204", "`http://127.0.0.1:PORT/204` gave an empty answer (204 No Content)"),
        ("/200", "`http://127.0.0.1:PORT/200` gave an empty answer (200 OK)"),
        ("/206", "`http://127.0.0.1:PORT/206` answered 206 Partial Content although the whole feed was asked for"),
        ("/305", "`http://127.0.0.1:PORT/305` answered 305 Use Proxy"),
        (
            "/403",
            "`http://127.0.0.1:PORT/403` answered 403 Forbidden; it refuses this reader, perhaps because of \
             fetch.user_agent",
        ),
    ] {
        assert_eq!(said(&origin, path).await, expected);
    }
    assert_eq!(body(&origin, "/299").await.status, 299);
    assert!(ask(&origin, "/410").await.unwrap_err().is_gone());
    let busy = ask(&origin, "/429").await.unwrap_err();
    assert_eq!(busy.retry_after(crate::model::Timestamp::default()), Some(Duration::from_mins(2)));
}

#[tokio::test]
async fn every_encoding_is_undone() {
    for (encoding, bytes) in ENCODED {
        let headers = format!("Content-Encoding: {encoding}\r\n");
        let origin = Origin::saying(answer("200 OK", &headers, &hex(bytes))).await;
        let body = body(&origin, "/").await;
        assert_eq!(body.bytes, b"<rss>hello</rss>", "{encoding}");
        assert!(body.headers.is_empty());
    }
}

#[tokio::test]
async fn what_cannot_be_undone_stays_as_it_is() {
    let gzip = hex(ENCODED[0].1);
    for encoding in ["", "Content-Encoding: x-odd\r\n", "Content-Encoding: gzip, x-odd\r\n"] {
        let origin = Origin::saying(answer("200 OK", encoding, &gzip)).await;
        let body = body(&origin, "/").await;
        assert_eq!(body.bytes, gzip, "{encoding}");
        assert_eq!(body.headers.len(), usize::from(!encoding.is_empty()), "{encoding}");
    }
}

#[tokio::test]
async fn an_encoding_named_twice_is_undone() {
    let once = hex(ENCODED[0].1);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &once).unwrap();
    let twice = encoder.finish().unwrap();
    let lines = "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n";
    for (encoding, bytes) in [("Content-Encoding: gzip, gzip\r\n", &twice), (lines, &twice), (lines, &once)] {
        let origin = Origin::saying(answer("200 OK", encoding, bytes)).await;
        assert_eq!(body(&origin, "/").await.bytes, b"<rss>hello</rss>", "{encoding}");
        assert_eq!(origin.requests().len(), 1);
    }
    let origin = Origin::saying(answer("200 OK", "Content-Encoding: gzip, gzip, gzip, gzip\r\n", &once)).await;
    assert_eq!(
        said(&origin, "/").await,
        "`http://127.0.0.1:PORT/` cannot be decompressed: it is compressed 4 times over; its server has to mend that"
    );
}

#[tokio::test]
async fn deflate_without_its_frame_is_undone() {
    // Common, and neither browsers nor curl mind.
    let raw = hex("b3292a2eb6cb48cdc9c9b7d1073101");
    let origin = Origin::saying(answer("200 OK", "Content-Encoding: deflate\r\n", &raw)).await;
    assert_eq!(body(&origin, "/").await.bytes, b"<rss>hello</rss>");
}

#[tokio::test]
async fn broken_compression_is_asked_for_again_without() {
    let broken = b"<rss>not gzip at all</rss>";
    let count = std::sync::atomic::AtomicUsize::new(0);
    let origin = Origin::start(move |_| {
        let first = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        let bytes = if first { answer("200 OK", "Content-Encoding: gzip\r\n", broken) } else { HELLO.to_vec() };
        vec![Step::Send(bytes)]
    })
    .await;
    assert_eq!(body(&origin, "/").await.bytes, b"<rss>hello</rss>");
    assert!(origin.request(1).contains("accept-encoding: identity\r\n"));
    assert_eq!(origin.request(1).matches("accept-encoding").count(), 1);

    let origin = Origin::saying(answer("200 OK", "Content-Encoding: gzip\r\n", broken)).await;
    let sentence = said(&origin, "/").await;
    assert!(sentence.starts_with("`http://127.0.0.1:PORT/` cannot be decompressed: "), "{sentence}");
    assert_eq!(origin.requests().len(), 2);
}

#[tokio::test]
async fn odd_headers_do_not_cost_the_feed() {
    let odd = "HTTP/1.1 200 OK\r\nno colon here\r\nContent-Type : text/xml\r\nX-\u{e9}: \u{e9}\r\n\
               Folded: a\r\n  b\r\nContent-Length: 6\r\n\r\n<rss/>";
    let origin = Origin::saying(odd).await;
    assert_eq!(body(&origin, "/").await.bytes, b"<rss/>");
    let origin = Origin::saying("HTTP/1.0 200 OK\n\n<rss/>").await;
    assert_eq!(body(&origin, "/").await.bytes, b"<rss/>");
}

#[tokio::test]
async fn redirects_are_followed_and_say_whether_they_last() {
    let origin = Origin::start(|path| {
        let (status, to) = match path {
            "/a" => ("301 x", "b"),
            "/b" => ("308 x", "//127.0.0.1:PORT/c#part"),
            "/t" => ("302 x", "/b"),
            "/u" => ("301 x", "/t"),
            "/s" => ("303 x", "?q"),
            "/s?q" => ("307 x", "/c"),
            "/m" => ("300 x", "/c"),
            "/raw" => ("301 x", "/\u{e5}\u{be}\u{ae} x"),
            _ => return vec![Step::Send(HELLO.to_vec())],
        };
        vec![Step::Send(
            format!("HTTP/1.1 {status}\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
                .replace("//127.0.0.1:PORT", "")
                .chars()
                .map(|c| u8::try_from(c).unwrap())
                .collect(),
        )]
    })
    .await;
    for (path, base, lasting) in [
        ("/a", "/c", true),
        ("/t", "/c", false),
        ("/u", "/c", false),
        ("/s", "/c", false),
        ("/m", "/c", false),
        ("/c", "/c", false),
        ("/raw", "/%E5%BE%AE%20x", true),
    ] {
        let body = body(&origin, path).await;
        assert_eq!(body.base.as_str(), origin.url(base), "{path}");
        assert_eq!(body.moved.is_some(), lasting, "{path}");
    }
}

#[tokio::test]
async fn redirects_that_lead_nowhere_are_sentences() {
    let origin = Origin::start(|path| {
        let location = match path {
            "/loop" => "Location: /loop\r\n".to_owned(),
            "/file" => "Location: file:///etc/passwd\r\n".to_owned(),
            "/gopher" => "Location: gopher://127.0.0.1/\r\n".to_owned(),
            "/none" => String::new(),
            "/bad" => "Location: http://[::1/?token=s3cret\r\n".to_owned(),
            _ => format!("Location: /{}\r\n", path[1..].parse::<u32>().unwrap() - 1),
        };
        vec![Step::Send(answer(if path == "/0" { "200 OK" } else { "302 Found" }, &location, b"x"))]
    })
    .await;
    let origin_0 = Origin::start(|path| {
        let hops: u32 = path[1..].parse().unwrap();
        vec![Step::Send(if hops == 0 {
            HELLO.to_vec()
        } else {
            answer("302 Found", &format!("Location: /{}\r\n", hops - 1), b"")
        })]
    })
    .await;
    for (path, expected) in [
        ("/loop", "in a circle; some servers do that to readers without cookies"),
        ("/file", "to a `file:` address; only http and https are followed"),
        ("/gopher", "to a `gopher:` address; only http and https are followed"),
        ("/none", "to nowhere (302 Found without a Location)"),
        ("/bad", "to something that is no address: invalid IPv6 address"),
    ] {
        assert_eq!(said(&origin, path).await, format!("`http://127.0.0.1:PORT{path}` redirects {expected}"));
    }
    assert_eq!(body(&origin_0, "/10").await.status, 200);
    assert_eq!(said(&origin_0, "/11").await, "`http://127.0.0.1:PORT/1` redirects more than 10 times");
}
