//! What two places are compared by.

use std::collections::BTreeMap;
use std::path::Path;

use feedmill::archive::RawPoll;

use super::place::{ARCHIVE, Place};

/// Everything that has to be the same after the same happened: a text under a name.
pub type Form = BTreeMap<String, String>;

/// The times of two runs, of which the later one counts as the earlier one.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub early: i64,
    pub late: i64,
}

impl Times {
    fn made_equal(self, text: &str) -> String {
        let moment = |millis| feedmill::model::Timestamp::from_millis(millis).rfc3339_millis()[..19].to_owned();
        let (early, late) = (moment(self.early), moment(self.late));
        // As RSS and pages write it.
        let shown = |text: &str, form: &str| {
            let time = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").expect("a moment");
            time.format(form).to_string()
        };
        let rfc822 = |text: &str| shown(text, "%a, %d %b %Y %H:%M:%S GMT");
        let page = |text: &str| shown(text, "%Y-%m-%d %H:%M UTC");
        let compact = |text: &str| text.replace(['-', ':'], "");
        text.replace(&late, &early)
            .replace(&compact(&late), &compact(&early))
            .replace(&rfc822(&late), &rfc822(&early))
            .replace(&page(&late), &page(&early))
            .replace(&self.late.to_string(), &self.early.to_string())
    }
}

/// Posts, former versions, raw, ledger and published files. Where times differ, checksums of the
/// ledger and compressed bytes differ, too: there the raw files' contents are compared.
pub fn form(place: &Place, times: Option<Times>) -> Form {
    let mut form = Form::new();
    let equal = |text: &str| times.map_or_else(|| text.to_owned(), |times| times.made_equal(text));
    for (path, bytes) in place.platter.files() {
        let name = path.display().to_string();
        let text = String::from_utf8_lossy(&bytes);
        if is_ledger(&path) {
            for line in text.lines() {
                let line = ledger_line(line, times.is_some());
                *form.entry(format!("line {}", equal(&line))).or_default() += "I";
            }
        } else if path.extension().is_some_and(|e| e == "zst") {
            let raw = RawPoll::from_bytes(&bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
            for fragment in raw.fragments {
                let answer = format!("{:?}", raw.answer);
                let text = form.entry(format!("raw of {} {:?} {:?}", fragment.key, fragment.op, fragment.rev));
                *text.or_default() += &equal(&(answer + &fragment.source));
            }
            if times.is_none() {
                form.insert(name, format!("{bytes:?}"));
            }
        } else if let Some((topic, _)) = name.split_once("/history/") {
            for entry in entries(&text) {
                form.insert(format!("{topic} has had {}", equal(entry)), String::new());
            }
        } else {
            if let Some(topic) = name.strip_suffix("/atom.xml") {
                for entry in entries(&text) {
                    form.insert(format!("{topic} has had {}", equal(entry)), String::new());
                }
            }
            form.insert(equal(&name), equal(&text));
        }
    }
    form
}

/// Id and time of each entry of an Atom document. History has them in the order of the ledger, and what was stopped and
/// written again stands further down there; what matters is that none is missing.
fn entries(document: &str) -> impl Iterator<Item = &str> {
    document.split("<entry").skip(1).map(|entry| {
        let from = entry.find("<id>").expect("an id");
        let to = entry.find("</updated>").expect("a time");
        &entry[from.min(to)..to.max(from)]
    })
}

fn is_ledger(path: &Path) -> bool {
    path.starts_with(format!("{ARCHIVE}/_ledger")) && path.extension().is_some_and(|e| e == "jsonl")
}

/// A line without the time at which it was written.
fn ledger_line(line: &str, without_sums: bool) -> String {
    let mut line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    let fields = line.as_object_mut().expect("an object");
    fields.remove("seen");
    if without_sums {
        fields.remove("sha256");
    }
    line.to_string()
}

/// Names that differ between two forms, with both texts.
pub fn difference(wanted: &Form, got: &Form) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = wanted.keys().chain(got.keys()).collect();
    let differ = |name: &&String| {
        let (wanted, got) = (wanted.get(*name), got.get(*name));
        let short = |text: Option<&String>| {
            text.map_or("nothing".to_owned(), |text| format!("`{}`", text.chars().take(300).collect::<String>()))
        };
        (wanted != got).then(|| format!("{name}: wanted {}, got {}", short(wanted), short(got)))
    };
    names.iter().filter_map(differ).collect()
}

/// What must not be, at any moment, under a final name: a file that is neither as before nor as
/// after, or none where there was one. Only the ledger may have an end that comes to nothing.
pub fn torn(place: &Place, before: &Place, after: &Place) -> Vec<String> {
    let (before, now, after) = (before.platter.files(), place.platter.files(), after.platter.files());
    let is_final = |path: &Path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let mut found = Vec::new();
    for (path, bytes) in now.iter().filter(|(path, _)| is_final(path)) {
        let former = before.get(path);
        let fine = if is_ledger(path) {
            former.is_none_or(|former| bytes.starts_with(former))
        } else {
            [former, after.get(path)].contains(&Some(bytes))
        };
        if !fine {
            found.push(format!("{} is neither as before nor as after: {} bytes", path.display(), bytes.len()));
        }
    }
    let gone = before.keys().filter(|path| is_final(path) && after.contains_key(*path) && !now.contains_key(*path));
    found.extend(gone.map(|path| format!("{} is gone", path.display())));
    found
}
