//! Ids and names for feeds that come without one that fits.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use url::{Host, Url};

/// Longest id, as `FeedId` has it.
const LONGEST: usize = 64;
/// Longest id made of a title; longer ones are cut between words.
const NICE: usize = 40;

/// An id for a feed: of its name where that is in Latin letters, else of host and path
/// (`https://www.rfa.org/mandarin/rss` is `rfa-mandarin`), with `-2`, `-3` … when it is taken.
pub fn id_for(name: &str, url: &Url, taken: &dyn Fn(&str) -> bool) -> String {
    let id = of_name(name).or_else(|| of_address(url)).unwrap_or_else(|| "feed".to_owned());
    first_free(&id, taken, |n| {
        let number = format!("-{n}");
        format!("{}{number}", cut(&id, LONGEST - number.len()))
    })
}

/// A name for a feed: its title on one line, or its host when it has none; with the host, then a number behind it
/// when it is taken. Names become author, tag and category of posts, so a config has each only once.
pub fn name_for(title: &str, url: &Url, taken: &dyn Fn(&str) -> bool) -> String {
    let host = url.host_str().map_or("feed", |host| host.strip_prefix("www.").unwrap_or(host));
    let title = one_line(title);
    let name = if title.is_empty() { host.to_owned() } else { title };
    first_free(&name, taken, |n| match n {
        2 if name != host => format!("{name} ({host})"),
        n => format!("{name} {n}"),
    })
}

fn first_free(wish: &str, taken: &dyn Fn(&str) -> bool, other: impl Fn(u64) -> String) -> String {
    let others = (2..).map(other);
    std::iter::once(wish.to_owned()).chain(others).find(|text| !taken(text)).unwrap_or_default()
}

pub(super) fn one_line(text: &str) -> String {
    let text = text.replace(|c: char| c.is_control() || c == '\u{feff}', " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `None` for names that are not in Latin letters or say nothing.
fn of_name(name: &str) -> Option<String> {
    const EMPTY: [&str; 10] =
        ["blog", "feed", "feeds", "home", "index", "latest", "news", "rss", "rss-feed", "untitled"];
    let plain = latin(name);
    let letters = plain.chars().filter(|c| c.is_alphabetic());
    let (latin, other): (Vec<_>, Vec<_>) = letters.partition(char::is_ascii);
    let id = cut(&words(&plain), NICE).to_owned();
    (latin.len() >= 2 && other.len() * 4 <= latin.len() && !EMPTY.contains(&id.as_str())).then_some(id)
}

/// Lower case, without accents.
fn latin(text: &str) -> String {
    let mut out = String::new();
    for c in text.nfkd().filter(|c| !is_combining_mark(*c) && !matches!(c, '\'' | '’')).flat_map(char::to_lowercase) {
        match c {
            'ß' => out.push_str("ss"),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            'ø' => out.push('o'),
            'ł' => out.push('l'),
            'đ' | 'ð' => out.push('d'),
            'ı' => out.push('i'),
            c => out.push(c),
        }
    }
    out
}

/// Runs of letters and digits with a `-` between them.
fn words(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

/// At most so many characters of an ASCII text, cut before a `-` where there is one.
fn cut(id: &str, most: usize) -> &str {
    let head = id.get(..most).unwrap_or(id);
    let is_between = head.len() == id.len() || id[head.len()..].starts_with('-');
    let end = if is_between { head.len() } else { head.rfind('-').unwrap_or(head.len()) };
    head[..end].trim_matches('-')
}

fn of_address(url: &Url) -> Option<String> {
    const HOST_NOISE: [&str; 10] = ["www", "feeds", "feed", "rss", "atom", "blog", "m", "api", "cdn", "xml"];
    const SECOND_LEVEL: [&str; 9] = ["co", "com", "net", "org", "edu", "gov", "ac", "gob", "or"];
    const PATH_NOISE: [&str; 20] = [
        "feed",
        "feeds",
        "rss",
        "rss2",
        "atom",
        "rdf",
        "xml",
        "json",
        "index",
        "arc",
        "outboundfeeds",
        "all",
        "main",
        "default",
        "latest",
        "category",
        "tag",
        "blog",
        "en",
        "public",
    ];
    let host = match url.host()? {
        Host::Domain(domain) => {
            let mut labels: Vec<_> = domain.split('.').filter(|label| !label.is_empty()).collect();
            let end = if labels.len() > 1 { labels.pop().unwrap_or_default() } else { "" };
            if end.len() == 2 && labels.len() > 1 && labels.last().is_some_and(|label| SECOND_LEVEL.contains(label)) {
                labels.pop();
            }
            let mut telling: Vec<_> = labels.iter().copied().filter(|label| !HOST_NOISE.contains(label)).collect();
            if telling.is_empty() {
                telling = labels;
            }
            words(&telling.join("-"))
        }
        address => words(&address.to_string()),
    };
    let segments = url.path_segments().into_iter().flatten();
    let segments = segments.map(|segment| segment.rsplit_once('.').map_or(segment, |(stem, _)| stem));
    let mut segments = segments.filter(|segment| !segment.contains('%')).map(words);
    let is_telling = |word: &String| {
        (2..=24).contains(&word.len())
            && word.contains(|c: char| c.is_ascii_alphabetic())
            && !PATH_NOISE.contains(&word.as_str())
    };
    let word = segments.rfind(is_telling);
    let id = word.map_or_else(|| host.clone(), |word| format!("{host}-{word}"));
    Some(cut(&id, LONGEST).to_owned()).filter(|id| !id.is_empty())
}
