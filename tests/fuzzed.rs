//! The fuzz targets without a fuzzer: each runs over its seeds, and over what dice make of them. `just fuzz` goes on from there.
//!
//! A program of its own, because the targets name the crates of a fuzzer: here those names mean this program.

#![allow(clippy::pedantic, unused_attributes, unused_imports, reason = "the targets are programs of another workspace")]

extern crate self as feedmill_fuzz;
extern crate self as libfuzzer_sys;

#[path = "../fuzz/src/lib.rs"]
mod shared;

pub use shared::*;

/// What a fuzzer makes a program of is a function here.
#[macro_export]
macro_rules! fuzz_target {
    (|$data:ident: &[u8]| $body:block) => {
        /// What has to hold of any bytes.
        pub fn target($data: &[u8]) {
            $body
        }
    };
}

#[path = "../fuzz/fuzz_targets"]
mod targets {
    pub mod config;
    pub mod decode;
    pub mod header;
    pub mod html;
    pub mod post;
    pub mod read;
    pub mod salvage;
    pub mod url;
}

/// Changed copies of each seed.
const CHANGED: u64 = 200;

/// SplitMix64: the same bytes on every machine.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) >> 1).expect("64 bits")
    }

    /// Some bytes of a text become others, go, come twice, or change places.
    fn changed(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.next() % 6 {
            let at = self.next() % (bytes.len() + 1);
            let to = (at + self.next() % 16).min(bytes.len());
            match self.next() % 4 {
                0 => bytes.insert(at, self.next().to_le_bytes()[0]),
                1 => drop(bytes.drain(at..to)),
                2 => bytes.splice(at..at, seed[at.min(seed.len())..to.min(seed.len())].to_vec()).for_each(drop),
                _ => bytes[at..to].reverse(),
            }
        }
        bytes
    }
}

fn run(name: &str, target: fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let files = std::fs::read_dir(&folder).expect("seeds").map(|file| file.expect("file").path());
    let mut seeds: Vec<_> = files.map(|file| std::fs::read(file).expect("seed")).collect();
    seeds.sort();
    assert!(!seeds.is_empty(), "`{}` holds no seeds", folder.display());
    for (number, seed) in seeds.iter().enumerate() {
        target(seed);
        let mut dice = Dice(number as u64);
        for _ in 0..CHANGED {
            let changed = dice.changed(seed);
            let held = std::panic::catch_unwind(|| target(&changed));
            assert!(held.is_ok(), "{name}: {}", changed.escape_ascii());
        }
    }
}

#[test]
fn config() {
    run("config", targets::config::target);
}

#[test]
fn decode() {
    run("decode", targets::decode::target);
}

#[test]
fn header() {
    run("header", targets::header::target);
}

#[test]
fn html() {
    run("html", targets::html::target);
}

#[test]
fn post() {
    run("post", targets::post::target);
}

#[test]
fn read() {
    run("read", targets::read::target);
}

#[test]
fn salvage() {
    run("salvage", targets::salvage::target);
}

#[test]
fn url() {
    run("url", targets::url::target);
}
