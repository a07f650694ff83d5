//! Any bytes under any hints.
#![no_main]

use feedmill::read::Hints;
use feedmill_fuzz::{base, checked};
use libfuzzer_sys::fuzz_target;

const CONTENT_TYPES: [&str; 8] = [
    "text/xml",
    "text/xml; charset=gbk",
    "application/rss+xml; charset=\"utf-8\"",
    "text/html; charset=iso-8859-1",
    "application/feed+json",
    "text/plain; charset=utf-16",
    "; charset=",
    "text/xml; charset=x-user-defined",
];
const ENCODINGS: [&str; 4] = ["gb2312", "utf-16le", "iso-2022-jp", "no such"];
const LANGUAGES: [&str; 4] = ["zh-CN", "de", "", "xx-\u{fffd}"];

/// The last byte chooses the hints, so that seeds are plain documents.
fn hints(choice: u8) -> Hints {
    let of = |list: &[&str], at: usize| list.get(at).map(|text| (*text).to_owned());
    let choice = usize::from(choice);
    Hints {
        content_type: of(&CONTENT_TYPES, choice % 16),
        encoding: of(&ENCODINGS, (choice / 16).wrapping_sub(1)),
        language: of(&LANGUAGES, choice % 5),
        max_entries: if choice % 7 == 6 { choice % 3 } else { Hints::MAX_ENTRIES },
        ..Hints::at(base())
    }
}

fuzz_target!(|data: &[u8]| {
    checked(data, &Hints::at(base()));
    if let Some((choice, body)) = data.split_last() {
        checked(body, &hints(*choice));
    }
});
