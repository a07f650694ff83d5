//! The door to similar: what changed between two versions of a post, for people.

use std::fmt::Write;

use similar::{Algorithm, ChangeTag, TextDiff, TextDiffConfig};

use crate::model::{Post, Timestamp};
use crate::normalize::plain;

/// Texts of more words than this are compared by sentences: the comparison grows with the product
/// of length and difference.
const MOST_WORDS: usize = 5_000;

/// Where more sentences than this lie between the first and the last that changed, all of them count as changed.
const MOST_SENTENCES: usize = 4_000;

/// Unchanged words shown on both sides of a change.
const CONTEXT: usize = 6;

/// The difference of title and text as HTML, deleted words in `del`, new ones in `ins`; `None` when
/// neither changed.
pub fn difference(former: &Post, current: &Post, revised: Timestamp) -> Option<String> {
    let title = (former.title != current.title).then(|| marked(&former.title, &current.title));
    let (before, after) = (plain(&former.body), plain(&current.body));
    let text = (before != after).then(|| marked(&before, &after));
    if title.is_none() && text.is_none() {
        return None;
    }
    let time = revised.rfc3339_millis();
    let mut out = format!("<blockquote class=\"change\"><p><time datetime=\"{time}\">{}</time></p>", revised.day());
    for part in [title, text].into_iter().flatten() {
        let _ = write!(out, "<p>{part}</p>");
    }
    out.push_str("</blockquote>");
    Some(out)
}

/// Changed words with some context around them; `…` stands for what stayed.
fn marked(before: &str, after: &str) -> String {
    let mut config = TextDiff::configure();
    config.algorithm(Algorithm::Patience);
    let words = before.split_whitespace().count().max(after.split_whitespace().count());
    let letters = before.chars().count().max(after.chars().count());
    // Chinese text has no blanks: there every character counts as a word.
    let out = if words.max(letters / 4) <= MOST_WORDS {
        shown(&config.diff_unicode_words(before, after))
    } else {
        let (old, new) = (sentences(before), sentences(after));
        if old.len().max(new.len()) <= MOST_SENTENCES {
            shown(&config.diff_slices(&old, &new))
        } else {
            long(&config, &old, &new)
        }
    };
    out.replace("</del><del>", "").replace("</ins><ins>", "").replace('{', "&#123;")
}

/// Of very many sentences only those between the first and the last that changed are compared.
fn long(config: &TextDiffConfig, old: &[&str], new: &[&str]) -> String {
    let start = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let most = old.len().min(new.len()) - start;
    let end = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(old, new)| old == new).count();
    let (old_to, new_to) = (old.len() - end, new.len() - end);
    let (from, beyond) = (start.saturating_sub(CONTEXT), end.saturating_sub(CONTEXT));
    let mut out = if from > 0 { "… ".to_owned() } else { String::new() };
    if old_to.max(new_to) - start <= MOST_SENTENCES {
        out += &shown(&config.diff_slices(&old[from..old.len() - beyond], &new[from..new.len() - beyond]));
    } else {
        let text = |sentences: &[&str]| html_escape::encode_text(&sentences.concat()).into_owned();
        let (gone, come) = (text(&old[start..old_to]), text(&new[start..new_to]));
        out.extend([&text(&old[from..start]), "<del>", &gone, "</del><ins>", &come, "</ins>"]);
        out += &text(&old[old_to..old.len() - beyond]);
    }
    if beyond > 0 {
        out.push_str(" …");
    }
    out
}

/// The changes with what is around them.
fn shown(diff: &TextDiff<'_, '_, '_, str>) -> String {
    let mut out = String::new();
    let mut last_end = 0;
    for group in diff.grouped_ops(CONTEXT) {
        let Some(first) = group.first() else { continue };
        if first.old_range().start > last_end {
            out.push_str("… ");
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let text = html_escape::encode_text(change.value());
            let _ = match change.tag() {
                ChangeTag::Delete => write!(out, "<del>{text}</del>"),
                ChangeTag::Insert => write!(out, "<ins>{text}</ins>"),
                ChangeTag::Equal => write!(out, "{text}"),
            };
        }
        last_end = group.last().map_or(0, |op| op.old_range().end);
    }
    if last_end < diff.old_slices().len() {
        out.push_str(" …");
    }
    out
}

fn sentences(text: &str) -> Vec<&str> {
    text.split_inclusive(['.', '!', '?', '。', '！', '？', '\n']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deleted_and_new_words_are_marked_with_some_context() {
        assert_eq!(marked("the old house", "the new house"), "the <del>old</del><ins>new</ins> house");
        assert_eq!(marked("微信暂停注册", "微信恢复注册"), "微信<del>暂停</del><ins>恢复</ins>注册");
        let long = "word ".repeat(30);
        let changed = marked(&format!("{long}end"), &format!("{long}finish"));
        assert!(changed.starts_with("… ") && changed.ends_with("<del>end</del><ins>finish</ins>"), "{changed}");
        // Of very many sentences only the first and the last that are the same are left out.
        let text = |odd: &str| {
            let sentence = |n| format!("{}{n}. ", if n % 2 == 0 { "Word" } else { odd });
            format!(
                "{}{}{}",
                "Begin. ".repeat(5_000),
                (0..32_000).map(sentence).collect::<String>(),
                "End. ".repeat(5_000)
            )
        };
        let (before, after) = (text("old"), text("new"));
        let changed = marked(&before, &after);
        assert_eq!(changed.matches("<del>").count(), 1);
        assert!(changed.contains("</del><ins>") && changed.starts_with("…  Begin."), "{}", &changed[..80]);
        assert!(changed.len() < before.len() + after.len());
        // What changed little is shown as little, however long it is.
        let little = marked(&before, &before.replace("Word16000.", "Word here."));
        assert!(little.len() < 400 && little.contains("<del> Word16000.</del><ins> Word here.</ins>"), "{little}");
        assert_eq!(marked("a", "<b>{"), "<del>a</del><ins>&lt;b&gt;&#123;</ins>");
    }
}
