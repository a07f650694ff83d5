//! Which entry something is, and why.

use std::fmt::Write;

use url::Url;

use crate::archive::{Archive, Line, Op};
use crate::identity::{self, canonical_url};
use crate::index::Index;
use crate::maintain::forget::{self, ForgetError};
use crate::model::{EntryKey, Found, LedgerPosition};

/// What each rule says, by its number.
fn rule(number: u8) -> &'static str {
    match number {
        2 => "the feed's guid is known",
        3 => "link and title are known",
        4 => "the link is known",
        5 => "the feed brought the same title and text on the same day under another address",
        _ => "none of the rules 2 to 5 found a known entry",
    }
}

/// Tells what is known of an address or of the path of a post.
pub async fn entry<I: Index, A: Archive>(index: &I, archive: &A, what: &str) -> Result<String, ForgetError> {
    let mut out = String::new();
    if let Some(canonical) = Url::parse(what).ok().as_ref().and_then(canonical_url) {
        let key = EntryKey::of(canonical.as_str());
        let _ = writeln!(out, "canonical URL  {canonical} (version {})", identity::VERSION);
        let _ = writeln!(out, "its plain key  {key}");
    }
    let lines = archive.lines_after(&LedgerPosition::default()).await?;
    match forget::find(index, what).await? {
        Some(found) => known(&mut out, &found, &lines),
        None => unknown(&mut out, what, &lines)?,
    }
    Ok(out)
}

fn known(out: &mut String, found: &Found, lines: &[Line]) {
    let record = &found.record;
    let _ = writeln!(out, "key            {}", found.key);
    let _ = writeln!(out, "post           {}", record.path);
    let _ = writeln!(out, "first seen     {}", record.seen);
    match &record.feed {
        Some(feed) => {
            let _ = writeln!(out, "brought by     feed `{feed}`, new by rule {}: {}", record.rule, rule(record.rule));
        }
        None => {
            let _ = writeln!(out, "brought by     an import; posts of other makers are never revised");
        }
    }
    for line in lines.iter().filter(|line| line.key == found.key) {
        let _ = writeln!(out, "{}", told(line));
    }
    if let Some(feed) = &record.feed {
        let _ = writeln!(out, "to override    set `dedup: url` or `dedup: guid` for feed `{feed}` in the config");
    }
}

/// A ledger line in words.
fn told(line: &Line) -> String {
    let feed = line.feed.as_deref().map(|feed| format!(" from feed `{feed}`")).unwrap_or_default();
    let rule = line.rule.map(|number| format!(", rule {number}: {}", rule(number))).unwrap_or_default();
    let guid = line.guid.as_deref().map(|guid| format!(", guid `{guid}`")).unwrap_or_default();
    let aliases =
        if line.aliases.is_empty() { String::new() } else { format!(", also at {}", line.aliases.join(", ")) };
    let what = match line.op {
        Op::Add => "added".to_owned(),
        Op::Revise => format!("revision {}", line.rev.unwrap_or_default()),
        Op::Import => "imported".to_owned(),
        Op::Forget => format!("forgotten ({})", line.reason.as_deref().unwrap_or("no reason given")),
        Op::Alias => "came in another way".to_owned(),
        Op::Also => "duplicate".to_owned(),
    };
    format!("{}     {what}{feed}{rule}{guid}{aliases}", line.seen.day())
}

/// A forgotten entry still has its line; anything else would be new.
fn unknown(out: &mut String, what: &str, lines: &[Line]) -> Result<(), ForgetError> {
    let key = Url::parse(what).ok().as_ref().and_then(canonical_url).map(|canonical| EntryKey::of(canonical.as_str()));
    let forgotten = lines.iter().filter(|line| line.op == Op::Forget);
    let mut forgotten = forgotten.filter(|line| Some(line.key) == key || line.path.as_deref() == Some(what));
    match (forgotten.next(), key) {
        (Some(line), _) => {
            let _ = writeln!(out, "{}", told(line));
        }
        (None, Some(_)) => {
            let _ = writeln!(
                out,
                "no post has this address: an entry that brings it would be new by rule 6, unless its guid, or its title and text, are known"
            );
        }
        (None, None) => return Err(ForgetError::Unknown(what.to_owned())),
    }
    Ok(())
}
