//! The ways in which a document is read give the same: over the corpora beside the project, and over texts that the parser
//! need not see.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut paths: Vec<_> = folder.read_dir().into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

/// Text without tags and white space, for comparing.
fn words(text: &str) -> String {
    let outside = text.split('<').enumerate().map(|(i, t)| t.split_once('>').filter(|_| i > 0).map_or(t, |(_, t)| t));
    let text: String = outside.collect();
    html_escape::decode_html_entities(&text).chars().filter(|c| !c.is_whitespace()).collect()
}

/// What differs between the sound reading of a document and others of it: each entry alone in its
/// envelope, and the survey without a parser.
fn differences(body: &[u8], whole: &ReadFeed) -> Vec<String> {
    let mut out = Vec::new();
    let envelope = Envelope::from_text(whole.envelope.as_deref().unwrap_or_default()).expect("envelope");
    for entry in &whole.entries {
        let document = envelope.wrap(entry.source.as_deref().unwrap_or_default());
        let alone = read(&document).map(|feed| feed.entries);
        let alone = alone.as_ref().ok().and_then(|entries| entries.first());
        // An entry of a broken document may be sound when it stands alone.
        let same = alone.is_some_and(|alone| {
            let is_like =
                || alone.guid == entry.guid && words(said(alone.title.as_ref())) == words(said(entry.title.as_ref()));
            alone == entry || (!whole.repairs.is_empty() && is_like())
        });
        if !same {
            out.push(format!("read alone it differs: {}\n{entry:?}\n{alone:?}", document.len()));
        }
    }
    let text = decode::text(body, decode::Labels::default()).text.into_owned();
    if !is_read_alike(decode::without_declaration(&text)) {
        out.push("the parser reads it otherwise without its bodies".to_owned());
    }
    if !whole.repairs.is_empty() || json::is_json(&text) {
        return out;
    }
    let survey = survey::of(&text, &base(), usize::MAX, Reading::Everything).expect("survey");
    for (entry, surveyed) in whole.entries.iter().zip(&survey.entries) {
        for (what, parsed, found) in [
            ("title", &entry.title, &surveyed.title),
            ("content", &entry.content, &surveyed.content),
            ("summary", &entry.summary, &surveyed.summary),
        ] {
            if words(said(parsed.as_ref())) != words(said(found.as_ref())) {
                out.push(format!("{what}: {parsed:?}, {found:?}"));
            }
        }
        let links = |entry: &RawEntry| entry.links.iter().map(|link| link.href.clone()).collect::<Vec<_>>();
        if links(entry).first() != links(surveyed).first() {
            out.push(format!("links: {:?}, {:?}", links(entry), links(surveyed)));
        }
    }
    out
}

/// The first and the last state of each history, and every other file; `FEEDMILL_ALL=1`: each.
#[test]
#[expect(clippy::print_stderr, reason = "says what was skipped")]
fn real_documents_are_read_the_same_in_every_way() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    for corpus in ["real", "histories", "feedparser"] {
        let mut all = Vec::new();
        files(&corpora.join(corpus), &mut all);
        if all.is_empty() {
            eprintln!("skipped: no {corpus}");
        }
        if std::env::var_os("FEEDMILL_ALL").is_none() && corpus == "histories" {
            let last: Vec<_> = all.windows(2).map(|pair| pair[0].parent() != pair[1].parent()).collect();
            let mut at = 0;
            all.retain(|path| {
                at += 1;
                path.ends_with("000.xml") || last.get(at).copied().unwrap_or(true)
            });
        }
        let mut wrong = Vec::new();
        let (mut documents, mut entries, mut repaired) = (0, 0, 0);
        for path in all {
            let body = std::fs::read(&path).expect("file");
            let Ok(whole) = feed(&body, &Hints::at(base())) else { continue };
            documents += 1;
            entries += whole.entries.len();
            repaired += usize::from(!whole.repairs.is_empty());
            let found = differences(&body, &whole);
            if !found.is_empty() {
                wrong.push(format!("{}: {}", path.display(), found.join("\n  ")));
            }
        }
        eprintln!("{corpus}: {documents} documents ({repaired} repaired), {entries} entries");
        assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// True when it makes no difference that the parser is shown marks in the place of bodies.
fn is_read_alike(text: &str) -> bool {
    let Some(mut survey) = survey::of(text, &base(), usize::MAX, Reading::Facts) else { return true };
    let marked = parse::strict(text, &base(), &mut survey.bodies);
    let whole = parse::whole(text, &base());
    marked.map(|feed| (feed.meta, feed.entries)) == whole.map(|feed| (feed.meta, feed.entries))
}

/// One of them is long enough for a mark.
const BODIES: [&str; 24] = [
    "The quick brown fox jumps over the lazy dog, and again, and again, until nobody wants to read it any more at all. \u{3000}",
    "\u{3000}\u{3000}中文，测试。每天为您报道中国与世界各地的新闻，并提供深入的分析与评论，每天为您报道中国与世界各地的新闻。",
    "<![CDATA[",
    "]]>",
    "<![CDATA[<p>a</p>\r\n",
    "&lt;p&gt;",
    "&amp;nbsp;",
    "&nbsp;",
    "&#8230;",
    "&#x201c;",
    "&#0;",
    "&#150;",
    " & ",
    "<p>",
    "</p>",
    "<br/>",
    "<!--",
    "-->",
    "\"",
    " \u{fdd0}0 ",
    "\u{92}",
    " ",
    "\n",
    "?>",
];

const TEXTS: [&str; 12] = [
    "description",
    "content:encoded",
    "title",
    "link",
    "media:description",
    "itunes:summary",
    "content",
    "content type='html'",
    "content type=\"xhtml\"",
    "content type='text/plain'",
    "summary",
    "summary type='xht&#109;l'",
];

proptest! {
    #[test]
    fn bodies_make_no_difference_to_the_parser(
        is_atom: bool,
        items in prop::collection::vec(
            prop::collection::vec(
                (0..TEXTS.len(), prop::collection::vec((0..BODIES.len(), 0..4_usize), 0..5), 0..40_usize), 0..5), 0..4),
    ) {
        let mut text = String::from(if is_atom {
            "<feed xmlns='http://www.w3.org/2005/Atom' xmlns:media='http://search.yahoo.com/mrss/'><title>t</title>"
        } else {
            "<rss version='2.0' xmlns:content='http://purl.org/rss/1.0/modules/content/' \
             xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd'><channel><title>t</title>"
        });
        let entry = if is_atom { "entry" } else { "item" };
        for elements in items {
            text.extend(["<", entry, ">"]);
            for (name, pieces, odd) in elements {
                let name = TEXTS[name];
                text.extend(["<", name, ">"]);
                for (piece, kind) in pieces {
                    // Sound bodies more often than not.
                    let piece = match kind {
                        0 => BODIES[piece].to_owned(),
                        1 => format!("<![CDATA[{}]]>", BODIES[piece % 2].repeat(2)),
                        2 => format!("&lt;p&gt;{}&amp;amp; ", BODIES[piece % 2].repeat(2)),
                        _ => BODIES[piece % 2].repeat(2),
                    };
                    text.push_str(&piece);
                }
                text.extend(["</", name.split(' ').next().unwrap_or_default(), ">"]);
                if let Some(piece) = BODIES.get(odd) {
                    text.push_str(piece);
                }
            }
            text.extend(["</", entry, ">"]);
        }
        text.push_str(if is_atom { "</feed>" } else { "</channel></rss>" });
        prop_assert!(is_read_alike(&text), "{}", text);
    }
}
