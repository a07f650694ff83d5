//! Small answers that want to become large, and large ones.
//!
//! The servers run here, and each answer is taken in a process of its own, whose memory is looked at in the end.

#![expect(clippy::print_stdout, reason = "how much it was is worth a look")]

use std::io::Write;

use super::*;

/// What `fetch.max_body` is for these: a little less than its default, since the brotli bomb has no more.
const MAX_BODY: u64 = 63 << 20;
/// How much more memory than before none of them may cost, in KiB. The least that all must keep is 64 MiB.
const MOST: u64 = 56 << 10;

#[tokio::test]
#[ignore = "a helper"]
async fn helper_takes_a_bomb() {
    let Ok(url) = std::env::var("FEEDMILL_TEST_BOMB") else { return };
    let small = format!("{}/small", url.rsplit_once('/').unwrap().0);
    // A busy machine takes its time over them, and that is not what is looked at.
    let (timeout, first_byte) = (Duration::from_mins(5), Duration::from_mins(1));
    let limits = limits(vec![Allow::Network("127.0.0.0/8".parse().unwrap())]);
    let limits = Limits { max_body: MAX_BODY, timeout, first_byte, ..limits };
    // What client and threads need anyway.
    ask_with(&limits, &small, &Validators::default()).await.unwrap();
    let before = peak_memory();
    let sentence = ask_with(&limits, &url, &Validators::default()).await.unwrap_err();
    println!("peak +{} KiB; {sentence}", peak_memory() - before);
    assert!(peak_memory() - before < MOST, "{} KiB more for: {sentence}", peak_memory() - before);
}

/// The most memory this process ever had, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Bytes that no packer makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(length).collect()
}

/// 2 GiB of zeros in 2 MiB, as 32 members.
fn gzip_bomb() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    encoder.finish().unwrap().repeat(32)
}

/// 256 MiB of zeros, with a window of so many bits.
fn zstd_bomb(window: u32) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(window).unwrap();
    for _ in 0..256 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    encoder.finish().unwrap()
}

/// 64 MiB of `x`, with a window of 24 bits, the largest there is on the web.
const BROTLI_BOMB: &str = "cfffff7f0024f0e2b14072effff9ffff0f8004401c1680eefd3fffffff01900088c302d0bdffe7ffff3f00\
                           1200715800baf7ff03";

fn hostile() -> Vec<(&'static str, &'static str, Vec<u8>, &'static str)> {
    let gzip = gzip_bomb();
    assert!(gzip.len() < 5 << 19, "{}", gzip.len());
    let mut twice = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    twice.write_all(&gzip).unwrap();
    let too_large = "is larger than 63 MiB; if that is right, raise fetch.max_body";
    vec![
        ("/gzip", "gzip", gzip, too_large),
        ("/gzip-twice", "gzip, gzip", twice.finish().unwrap(), too_large),
        ("/brotli", "br", hex(BROTLI_BOMB), too_large),
        ("/zstd", "zstd", zstd_bomb(23), too_large),
        ("/zstd-window", "zstd", zstd_bomb(27), "cannot be decompressed"),
    ]
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_hostile_answer_costs_much_memory() {
    let bombs = hostile();
    let mut cases: Vec<_> = bombs.iter().map(|(path, _, _, said)| (*path, *said)).collect();
    cases.extend([
        ("/endless", "is larger than 63 MiB"),
        ("/empty-members", "is larger than 63 MiB"),
        ("/head", "sends a head that is too long"),
        ("/claimed", "is larger than 63 MiB"),
        ("/film", "brings data that no text can be"),
    ]);
    let nothing = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best()).finish().unwrap();
    let origin = Origin::start(move |path| match path {
        "/small" => vec![Step::Send(HELLO.to_vec())],
        "/endless" => vec![Step::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), Step::Repeat(vec![b'x'; 65536], 9000)],
        "/empty-members" => vec![
            Step::Send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n".to_vec()),
            Step::Repeat(nothing.repeat(2000), 9000),
        ],
        "/head" => vec![Step::Send(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), Step::Repeat(vec![b'x'; 65536], 9000)],
        "/film" => vec![Step::Send(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()), Step::Repeat(noise(4 << 20), 15)],
        "/claimed" => vec![Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999\r\n\r\nx".to_vec())],
        _ => {
            let (_, encoding, bytes, _) = bombs.iter().find(|bomb| bomb.0 == path).unwrap();
            vec![Step::Send(answer("200 OK", &format!("Content-Encoding: {encoding}\r\n"), bytes))]
        }
    })
    .await;
    for (path, sentence) in cases {
        let said = helped("helper_takes_a_bomb", vec![("FEEDMILL_TEST_BOMB", origin.url(path))]).await;
        assert!(said.contains(sentence), "{path}: {said}");
        println!("{path}: {}", said.lines().find(|line| line.starts_with("peak")).unwrap_or_default());
    }
}
