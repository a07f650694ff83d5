//! What servers do wrong, and what is said of it.

use std::io::Write;
use std::time::Duration;

use crate::house::{DATE, item, rss};
use crate::origin::Step;

/// A path without `/`, what its server does, and what comes of it: a sentence in which `URL` stands for the address and
/// `AT` for the server, or `new: 1`.
pub type Misdeed = (&'static str, Vec<Step>, String);

const OK: &str = "HTTP/1.1 200 OK\r\nETag: \"1\"\r\n";
const TOO_LARGE: &str = "`URL` is larger than 1 MiB; if that is right, raise fetch.max_body";
const LONG_HEAD: &str = "`AT` sends a head that is too long, more than 256 lines or 400 KiB; is it a feed's server?";
const LATE: &str = "no answer from `AT` within 2s (fetch.first_byte)";
const UNFINISHED: &str = "no complete answer from `AT` within 4s (fetch.timeout)";
const NO_FEED: &str = "not a feed that can be read: neither RSS nor Atom nor JSON Feed";

/// A feed of one entry.
pub fn feed(n: usize) -> String {
    rss(&item(&format!("Entry {n}"), &format!("https://example.org/{n}"), "", DATE, "<p>text</p>"))
}

pub fn answer(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<Step> {
    let body = body.as_ref();
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nETag: \"1\"\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n");
    send([head.as_bytes(), body].concat())
}

fn send(bytes: impl AsRef<[u8]>) -> Vec<Step> {
    vec![Step::Send(bytes.as_ref().to_vec())]
}

/// Some bytes, and then something else.
fn then(bytes: impl AsRef<[u8]>, next: Step) -> Vec<Step> {
    vec![Step::Send(bytes.as_ref().to_vec()), next]
}

fn endless(text: &str) -> Step {
    Step::Repeat(text.as_bytes().repeat(4096), 100_000)
}

fn drip(text: &str) -> Step {
    Step::Drip(text.as_bytes().to_vec(), Duration::from_millis(20))
}

fn packed(codings: &str, body: &[u8]) -> Vec<Step> {
    answer("200 OK", &format!("Content-Encoding: {codings}\r\n"), body)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("packed");
    encoder.finish().expect("packed")
}

/// 2 GiB of zeros in 2 MiB.
fn gzip_bomb() -> Vec<u8> {
    gzip(&vec![0; 64 << 20]).repeat(32)
}

/// 512 MiB of zeros, with a window of so many bits.
fn zstd_bomb(window: u32) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("encoder");
    encoder.window_log(window).expect("window");
    for _ in 0..512 {
        encoder.write_all(&vec![0; 1 << 20]).expect("packed");
    }
    encoder.finish().expect("packed")
}

/// 64 MiB of `x`, with a window of 24 bits, the largest there is on the web.
fn brotli_bomb() -> Vec<u8> {
    let hex = "cfffff7f0024f0e2b14072effff9ffff0f8004401c1680eefd3fffffff01900088c302d0bdffe7ffff3f00\
               1200715800baf7ff03";
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

fn utf16(text: &str) -> Vec<u8> {
    text.replace("UTF-8", "UTF-16").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// All of them.
pub fn all() -> Vec<Misdeed> {
    let said = [too_much(), too_late(), broken_off(), garbage(), led_astray(), no_feed()].concat();
    let said = said.into_iter().map(|(path, steps, said)| (path, steps, said.to_owned()));
    let good = odd_and_good().into_iter().map(|(path, steps)| (path, steps, "new: 1".to_owned()));
    said.chain(led_inside()).chain(good).collect()
}

type Said = (&'static str, Vec<Step>, &'static str);

fn too_much() -> Vec<Said> {
    let window =
        "`URL` cannot be decompressed: Frame requires too much memory for decoding; its server has to mend that";
    let chunked = format!("{OK}Transfer-Encoding: chunked\r\n\r\n5;");
    vec![
        ("gzip-bomb", packed("gzip", &gzip_bomb()), TOO_LARGE),
        ("gzip-gzip-bomb", packed("gzip, gzip", &gzip(&gzip_bomb())), TOO_LARGE),
        ("zstd-bomb", packed("zstd", &zstd_bomb(20)), TOO_LARGE),
        ("zstd-window", packed("zstd", &zstd_bomb(27)), window),
        ("brotli-bomb", packed("br", &brotli_bomb()), TOO_LARGE),
        ("endless", then(format!("{OK}\r\n<rss><channel>"), endless("<item><title>t</title></item>")), TOO_LARGE),
        ("claimed", send(format!("{OK}Content-Length: 99999999999\r\n\r\n<rss>")), TOO_LARGE),
        ("head-lines", then(OK, endless("X-A: b\r\n")), LONG_HEAD),
        ("head-line", then(format!("{OK}X-A: "), endless("b")), LONG_HEAD),
        (
            "chunk-extension",
            then(chunked, endless("x")),
            "`URL` was cut off after 0 bytes: chunk extensions over limit",
        ),
    ]
}

fn too_late() -> Vec<Said> {
    vec![
        ("silence", vec![Step::Hang], LATE),
        ("interim", vec![drip("HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n")], LATE),
        ("drip-head", then(OK, drip("X")), LATE),
        ("drip-body", then(format!("{OK}\r\n"), drip("x")), UNFINISHED),
        ("stall", then(format!("{OK}Content-Length: 99\r\n\r\n<rss>"), Step::Hang), UNFINISHED),
    ]
}

fn broken_off() -> Vec<Said> {
    let early = "`URL` was cut off after 5 bytes: end of file before message length reached";
    vec![
        (
            "nothing",
            send(""),
            "`AT` broke the connection off without an answer: connection closed before message completed",
        ),
        (
            "reset-head",
            then(OK, Step::Reset),
            "`AT` broke the connection off without an answer: Connection reset by peer",
        ),
        (
            "reset-body",
            then(format!("{OK}Content-Length: 99\r\n\r\n<rss>"), Step::Reset),
            "`URL` was cut off after 5 bytes: Connection reset by peer",
        ),
        ("long-length", send(format!("{OK}Content-Length: 99\r\n\r\n<rss>")), early),
        ("short-length", send(format!("{OK}Content-Length: 100\r\n\r\n{}", feed(1))), NO_FEED),
        (
            "half-gzip",
            packed("gzip", &gzip(feed(2).as_bytes())[..100]),
            "`URL` was cut off after 64 bytes: its compressed form ends early",
        ),
        ("half-chunk", send(format!("{OK}Transfer-Encoding: chunked\r\n\r\nff\r\n<rss>")), early),
    ]
}

fn garbage() -> Vec<Said> {
    let chunked = |rest: &str| send(format!("{OK}Transfer-Encoding: chunked\r\n\r\n{rest}"));
    vec![
        (
            "chunk-garbage",
            chunked("<rss>\r\n"),
            "`URL` was cut off after 0 bytes: Invalid chunk size line: missing size digit",
        ),
        (
            "chunk-huge",
            chunked("ffffffffffffffffff\r\n<rss>"),
            "`URL` was cut off after 0 bytes: invalid chunk size: overflow",
        ),
        (
            "two-lengths",
            send(format!("{OK}Content-Length: 6\r\nContent-Length: 7\r\n\r\n<rss/>")),
            "`AT` sent something that is not HTTP: invalid content-length parsed",
        ),
        (
            "no-gzip",
            packed("gzip", b"<rss>not packed at all</rss>"),
            "`URL` cannot be decompressed: deflate decompression error: incorrect header check; its server has to mend that",
        ),
        (
            "ssh",
            send("SSH-2.0-OpenSSH_9.2\r\n\r\n"),
            "`AT` sent something that is not HTTP: invalid HTTP version parsed",
        ),
    ]
}

fn redirect(to: &str) -> Vec<Step> {
    answer("302 Found", &format!("Location: {to}\r\n"), "")
}

fn led_astray() -> Vec<Said> {
    vec![
        ("loop", redirect("/loop"), "`URL` redirects in a circle; some servers do that to readers without cookies"),
        (
            "ring",
            redirect("/ring-2"),
            "`http://AT/ring-2` redirects in a circle; some servers do that to readers without cookies",
        ),
        (
            "ring-2",
            redirect("/ring"),
            "`http://AT/ring` redirects in a circle; some servers do that to readers without cookies",
        ),
        ("hops-11", redirect("/hops-10"), "`http://AT/hops-1` redirects more than 10 times"),
        (
            "nowhere",
            answer("301 Moved Permanently", "", ""),
            "`URL` redirects to nowhere (301 Moved Permanently without a Location)",
        ),
        (
            "to-file",
            redirect("file:///etc/passwd"),
            "`URL` redirects to a `file:` address; only http and https are followed",
        ),
        (
            "to-ftp",
            redirect("ftp://127.0.0.1/a"),
            "`URL` redirects to a `ftp:` address; only http and https are followed",
        ),
        (
            "to-data",
            redirect("data:text/xml,<rss/>"),
            "`URL` redirects to a `data:` address; only http and https are followed",
        ),
        (
            "to-metadata",
            redirect("http://169.254.169.254/latest/meta-data/"),
            "`URL` redirects to `169.254.169.254:80`: `169.254.169.254` is a cloud metadata address",
        ),
        (
            "to-this-machine",
            redirect("http://0.0.0.0:1/"),
            "`URL` redirects to `0.0.0.0:1`: `0.0.0.0` is a private address (this machine)",
        ),
    ]
}

/// Redirects to what a private network may hold, in every spelling: where to, as what it is seen, and what it is.
fn led_inside() -> Vec<Misdeed> {
    const LOOPBACK: &str = "a private address (loopback)";
    let is = |host: &str, class: &str| format!("`{host}` is {class}");
    [
        ("to-private", "10.0.0.1", "10.0.0.1", is("10.0.0.1", "a private address")),
        ("to-loopback", "127.0.0.1", "127.0.0.1", is("127.0.0.1", LOOPBACK)),
        ("to-loopback-name", "localhost", "localhost", format!("`localhost` leads to `127.0.0.1`, {LOOPBACK}")),
        ("to-loopback-short", "127.1", "127.0.0.1", is("127.0.0.1", LOOPBACK)),
        ("to-loopback-number", "2130706433", "127.0.0.1", is("127.0.0.1", LOOPBACK)),
        ("to-loopback-hex", "0x7f.0.0.1", "127.0.0.1", is("127.0.0.1", LOOPBACK)),
        ("to-loopback-octal", "0177.0.0.1", "127.0.0.1", is("127.0.0.1", LOOPBACK)),
        ("to-loopback-v6", "[::1]", "[::1]", is("[::1]", LOOPBACK)),
        (
            "to-loopback-mapped",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            format!("`[::ffff:7f00:1]` leads to `127.0.0.1`, {LOOPBACK}"),
        ),
        ("to-loopback-nat64", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", is("[64:ff9b::7f00:1]", LOOPBACK)),
        ("to-loopback-6to4", "[2002:7f00:1::]", "[2002:7f00:1::]", is("[2002:7f00:1::]", LOOPBACK)),
        ("to-link-local", "[fe80::1]", "[fe80::1]", is("[fe80::1]", "a private address (link-local)")),
        ("to-unique-local", "[fd00::1]", "[fd00::1]", is("[fd00::1]", "a private address (unique local)")),
        ("to-carrier-grade", "100.64.0.1", "100.64.0.1", is("100.64.0.1", "a private address (carrier-grade NAT)")),
    ]
    .into_iter()
    .map(|(path, to, seen, said)| {
        let listed = if path == "to-loopback-mapped" { "127.0.0.1" } else { seen };
        let rest = format!("if it is yours, add `{listed}:1` to fetch.allow");
        let said = format!("`URL` redirects to `{seen}:1`: {said}; {rest}");
        (path, redirect(&format!("http://{to}:1/")), said)
    })
    .collect()
}

fn no_feed() -> Vec<Said> {
    let status = |status: &str| answer(status, "", "<p>no</p>");
    let page = "<!DOCTYPE html><html><head><title>x</title></head><body>x</body></html>";
    let linked =
        "<!DOCTYPE html><html><head><link rel=alternate type=application/rss+xml href=/feed.xml></head></html>";
    vec![
        (
            "204",
            send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
            "`URL` gave an empty answer (204 No Content)",
        ),
        ("205", answer("205 Reset Content", "", ""), "`URL` gave an empty answer (205 Reset Content)"),
        (
            "206",
            answer("206 Partial Content", "Content-Range: bytes 0-5/9\r\n", "<rss/>"),
            "`URL` answered 206 Partial Content although the whole feed was asked for",
        ),
        (
            "304",
            send("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"),
            "`URL` answered 304 Not Modified although nothing was known of it yet",
        ),
        (
            "401",
            status("401 Unauthorized"),
            "`URL` answered 401 Unauthorized; are the feed's `username` and `password_file` right?",
        ),
        (
            "403",
            status("403 Forbidden"),
            "`URL` answered 403 Forbidden; it refuses this reader, perhaps because of fetch.user_agent",
        ),
        (
            "404",
            status("404 Not Found"),
            "`URL` answered 404 Not Found; if the feed has moved, `feedmill add` finds it from its site's address",
        ),
        (
            "410",
            status("410 Gone"),
            "`URL` answered 410 Gone; the feed has ended and is asked once a month from now on",
        ),
        (
            "429",
            status("429 Too Many Requests"),
            "`URL` answered 429 Too Many Requests; let its `schedule` or fetch.host_delay be longer",
        ),
        (
            "500",
            status("500 Internal Server Error"),
            "`URL` answered 500 Internal Server Error; the trouble is at its server, it is asked again later",
        ),
        (
            "503",
            status("503 Service Unavailable"),
            "`URL` answered 503 Service Unavailable; the trouble is at its server, it is asked again later",
        ),
        ("empty", answer("200 OK", "", ""), "`URL` gave an empty answer (200 OK)"),
        ("blank", answer("200 OK", "", " \r\n"), "the answer is empty"),
        (
            "html",
            answer("200 OK", "Content-Type: application/rss+xml\r\n", page),
            "the answer is an HTML page, not a feed; look in the page for its feed's address",
        ),
        (
            "html-links",
            answer("200 OK", "", linked),
            "the answer is an HTML page, not a feed; it links `http://AT/feed.xml`",
        ),
        ("picture", answer("200 OK", "", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01"), NO_FEED),
        (
            "json",
            answer("200 OK", "", r#"{"error": "no"}"#),
            "not a feed that can be read: JSON without a list of `items`",
        ),
    ]
}

fn odd_and_good() -> Vec<(&'static str, Vec<Step>)> {
    let marked = [&[0xff, 0xfe][..], &utf16(&feed(5))].concat();
    vec![
        ("gzip-gzip", packed("gzip, gzip", &gzip(&gzip(feed(3).as_bytes())))),
        ("gzip-gzip-once", packed("gzip, gzip", &gzip(feed(4).as_bytes()))),
        ("utf-16", answer("200 OK", "", marked)),
        ("utf-16-unmarked", answer("200 OK", "Content-Type: text/xml\r\n", utf16(&feed(6)))),
        ("http-1-0", send(format!("HTTP/1.0 200 OK\nETag: \"1\"\n\n{}", feed(7)))),
        ("no-length", send(format!("{OK}\r\n{}", feed(8)))),
        ("silent-gzip", answer("200 OK", "Content-Type: text/xml\r\n", gzip(feed(9).as_bytes()))),
        ("hops-10", redirect("/hops-9")),
    ]
}
