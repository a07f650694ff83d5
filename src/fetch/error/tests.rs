use super::*;
use crate::fetch::guard::{Class, NotPublic};

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now = Timestamp::from_millis(784_111_777_000);
    let wait = |text: &str| RetryAfter::parse(text).map(|wish| wish.wait(now).as_secs());
    assert_eq!(wait("120"), Some(120));
    assert_eq!(wait(" 0 "), Some(0));
    assert_eq!(wait("99999999999999999999999"), Some(u64::MAX));
    assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
    assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
    assert_eq!(wait("-5"), None);
    assert_eq!(wait("1.5"), None);
    assert_eq!(wait("soon"), None);
    assert_eq!(wait(""), None);
}

#[test]
fn statuses_say_what_to_do() {
    let error = |code, name, retry_after| FetchError::Status {
        url: "https://a.example/".to_owned(),
        status: Status { code, name },
        retry_after,
    };
    let gone = error(410, "Gone", None);
    assert!(gone.is_gone() && !gone.is_transient());
    assert_eq!(
        gone.to_string(),
        "`https://a.example/` answered 410 Gone; the feed has ended and is asked once a month from now on"
    );
    let busy = error(429, "Too Many Requests", Some(RetryAfter::Seconds(120)));
    assert!(busy.is_transient());
    assert_eq!(busy.retry_after(Timestamp::default()), Some(Duration::from_mins(2)));
    assert_eq!(busy.to_string(), "`https://a.example/` answered 429 Too Many Requests and asks to wait 120s");
    assert_eq!(
        error(599, "", None).to_string(),
        "`https://a.example/` answered 599; the trouble is at its server, it is asked again later"
    );
    assert!(!error(404, "Not Found", None).is_transient());
}

#[test]
fn every_status_is_transient_or_not_and_says_what_to_do() {
    for (code, name, is_transient, said) in [
        (400, "Bad Request", false, ""),
        (401, "Unauthorized", false, "; are the feed's `username` and `password_file` right?"),
        (403, "Forbidden", false, "; it refuses this reader, perhaps because of fetch.user_agent"),
        (404, "Not Found", false, "; if the feed has moved, `feedmill add` finds it from its site's address"),
        (407, "Proxy Authentication Required", false, "; a proxy wants a name and a password"),
        (408, "Request Timeout", true, ""),
        (410, "Gone", false, "; the feed has ended and is asked once a month from now on"),
        (429, "Too Many Requests", true, "; let its `schedule` or fetch.host_delay be longer"),
        (500, "Internal Server Error", true, "; the trouble is at its server, it is asked again later"),
        (502, "Bad Gateway", true, "; the trouble is at its server, it is asked again later"),
    ] {
        let url = "https://a.example/feed".to_owned();
        let error = FetchError::Status { url, status: Status { code, name }, retry_after: None };
        assert_eq!(error.to_string(), format!("`https://a.example/feed` answered {code} {name}{said}"));
        assert_eq!(error.is_transient(), is_transient, "{code}");
    }
}

#[test]
fn every_class_is_transient_or_not_and_one_sentence() {
    let at = || "a.example:443".to_owned();
    let url = || "https://a.example/feed".to_owned();
    let cause = || "x".to_owned();
    let within = Duration::from_secs(20);
    let late = |stage| FetchError::Timeout { at: at(), stage, limit: within };
    let status = Status { code: 200, name: "OK" };
    let found = NotPublic { ip: None, class: Class::LocalName };
    let refusal = Box::new(Refusal { host: "a.lan".to_owned(), port: 80, found, via: None });
    let proxy = "http://p:80".to_owned();
    let transient = [
        FetchError::Dns { host: "a.example".to_owned(), cause: cause() },
        FetchError::Connect { at: at(), cause: cause() },
        FetchError::Proxy { at: at(), proxy, cause: cause() },
        late(Stage::Connecting),
        late(Stage::FirstByte),
        late(Stage::Answer),
        late(Stage::Body),
        FetchError::Slow { at: at(), bytes: 7, within },
        FetchError::NoAnswer { at: at(), cause: cause() },
        FetchError::Empty { url: url(), status },
        FetchError::Cut { url: url(), received: 7, cause: cause() },
    ];
    let lasting = [
        FetchError::Setup(cause()),
        FetchError::Address { url: url(), cause: cause() },
        FetchError::Refused(refusal),
        FetchError::Tls { at: at(), cause: cause() },
        FetchError::Headers { at: at(), limit: 256 },
        FetchError::NotHttp { at: at(), cause: cause() },
        FetchError::Redirect { url: url(), trouble: RedirectTrouble::TooMany(10) },
        FetchError::NotModifiedUnasked(url()),
        FetchError::Partial(url()),
        FetchError::TooLarge { url: url(), limit: 64 << 20 },
        FetchError::NoText { url: url(), bytes: 7 },
        FetchError::Encoding { url: url(), cause: cause() },
        FetchError::File { path: "/a".to_owned(), cause: cause() },
    ];
    assert!(transient.iter().all(FetchError::is_transient));
    assert!(!lasting.iter().any(FetchError::is_transient));
    let said: Vec<String> = transient.iter().chain(&lasting).map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "`a.example` has no address: x; is the name still right, and does name resolution work here?",
            "no connection to `a.example:443`: x",
            "no connection to `a.example:443` through the proxy `http://p:80`: x",
            "no connection to `a.example:443` within 20s",
            "no answer from `a.example:443` within 20s (fetch.first_byte)",
            "no answer from `a.example:443` within 20s (fetch.timeout)",
            "no complete answer from `a.example:443` within 20s (fetch.timeout)",
            "`a.example:443` is too slow: 7 bytes within 20s (fetch.min_rate); it is asked again next time",
            "`a.example:443` broke the connection off without an answer: x",
            "`https://a.example/feed` gave an empty answer (200 OK)",
            "`https://a.example/feed` was cut off after 7 bytes: x",
            "x",
            "`https://a.example/feed` cannot be fetched: x",
            "`a.lan` is a name of a private network; if it is yours, add `a.lan:80` to fetch.allow",
            "no secure connection to `a.example:443`: x",
            "`a.example:443` sends a head that is too long, more than 256 lines or 400 KiB; is it a feed's server?",
            "`a.example:443` sent something that is not HTTP: x",
            "`https://a.example/feed` redirects more than 10 times",
            "`https://a.example/feed` answered 304 Not Modified although nothing was known of it yet",
            "`https://a.example/feed` answered 206 Partial Content although the whole feed was asked for",
            "`https://a.example/feed` is larger than 64 MiB; if that is right, raise fetch.max_body",
            "`https://a.example/feed` brings data that no text can be, 7 bytes of it; is it a feed's address?",
            "`https://a.example/feed` cannot be decompressed: x; its server has to mend that",
            "`/a` cannot be read: x",
        ]
    );
}
