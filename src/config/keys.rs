//! The keys of one mapping, taken out one by one.
//!
//! Whatever is wrong is noted and a stand-in returned, so that one mistake hides no other; a config with notes
//! is never used. A key without a value counts as not written. Keys that nobody asked for are unknown.

use std::collections::HashMap;

use super::notes::{Notes, Spot, Taken, quote};
use super::raw::{Entry, Node, Value};
use super::values::{self, Bad};

pub(super) struct Keys<'a> {
    /// Where problems go.
    pub notes: &'a Notes<'a>,
    /// The mapping.
    spot: Spot,
    entries: &'a [Entry],
    asked: Vec<&'static str>,
    missing: Vec<&'static str>,
    /// Stands for something that is no mapping, which has been noted.
    is_standin: bool,
}

impl<'a> Keys<'a> {
    /// The keys of a whole file.
    pub fn of_file(notes: &'a Notes<'a>, file: usize, root: &'a Node) -> Self {
        Self::open(notes, Spot { file, number: root.number, path: String::new() }, Some(root))
    }

    fn open(notes: &'a Notes<'a>, spot: Spot, node: Option<&'a Node>) -> Self {
        let (entries, is_standin) = match node.map(|node| &node.value) {
            Some(Value::Map(entries)) => (entries.as_slice(), false),
            None | Some(Value::Nothing) => (&[][..], false),
            Some(other) => {
                notes.add(&spot, format!("expected a mapping, found {}", name_of(other)));
                (&[][..], true)
            }
        };
        Self { notes, spot, entries, asked: Vec::new(), missing: Vec::new(), is_standin }
    }

    /// Text that must be there.
    pub fn required<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, Bad>) -> Option<T> {
        if self.find(key).is_none() {
            self.missing.push(key);
        }
        self.optional(key, read)
    }

    /// Text that may be there.
    pub fn optional<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, Bad>) -> Option<T> {
        let entry = self.find(key)?;
        let spot = self.spot_of(key);
        if let Value::Text(text) = &entry.node.value {
            return self.value(&spot, text, read);
        }
        self.notes.add(&spot, format!("expected a text, found {}", name_of(&entry.node.value)));
        None
    }

    /// Text that has a default.
    pub fn or<T>(&mut self, key: &'static str, default: T, read: impl Fn(&str) -> Result<T, Bad>) -> T {
        self.optional(key, read).unwrap_or(default)
    }

    /// A list of texts; a single text is a list of one. Empty when not written.
    pub fn list<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, Bad>) -> Vec<T> {
        self.list_at(key, read).into_iter().map(|(value, _)| value).collect()
    }

    /// A list of texts that has a default and makes no sense when empty.
    pub fn list_or<T>(&mut self, key: &'static str, default: Vec<T>, read: impl Fn(&str) -> Result<T, Bad>) -> Vec<T> {
        let list = self.list(key, read);
        self.refuse_empty(key);
        if list.is_empty() { default } else { list }
    }

    /// A list of texts with their places.
    pub fn list_at<T>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, Bad>) -> Vec<(T, Spot)> {
        let texts = self.texts(key).into_iter();
        texts.filter_map(|(text, spot)| Some((self.value(&spot, text, &read)?, spot))).collect()
    }

    /// A list of texts as they are written, `${NAME}` included.
    pub fn texts(&mut self, key: &'static str) -> Vec<(&'a str, Spot)> {
        let Some(entry) = self.find(key) else { return Vec::new() };
        let spot = self.spot_of(key);
        match &entry.node.value {
            Value::Text(text) => vec![(text, spot)],
            Value::List(nodes) => {
                let text = |(index, node): (usize, &'a Node)| {
                    let spot = spot.item(index, node);
                    if let Value::Text(text) = &node.value {
                        return Some((text.as_str(), spot));
                    }
                    self.notes.add(&spot, format!("expected a text, found {}", name_of(&node.value)));
                    None
                };
                nodes.iter().enumerate().filter_map(text).collect()
            }
            other => {
                self.notes.add(&spot, format!("expected a list of texts, found {}", name_of(other)));
                Vec::new()
            }
        }
    }

    /// Whether a key has a value.
    pub fn is_written(&mut self, key: &'static str) -> bool {
        self.find(key).is_some()
    }

    /// Notes `key: []`.
    pub fn refuse_empty(&mut self, key: &'static str) {
        if self.find(key).is_some_and(|entry| matches!(&entry.node.value, Value::List(nodes) if nodes.is_empty())) {
            self.refuse(key, "an empty list selects nothing; leave the key out for the default");
        }
    }

    /// A mapping of texts whose keys are names of the operator's choice; empty when not written.
    pub fn named<T>(
        &mut self,
        key: &'static str,
        read: impl Fn(&str, &str) -> Result<(String, T), Bad>,
    ) -> Vec<(String, T)> {
        let Some(entry) = self.find(key) else { return Vec::new() };
        let Value::Map(entries) = &entry.node.value else {
            self.refuse(key, format!("expected a mapping, found {}", name_of(&entry.node.value)));
            return Vec::new();
        };
        let mut named: Vec<(String, T)> = Vec::new();
        for entry in entries {
            let spot =
                Spot { number: entry.best_number(), ..self.spot_of(key).key(quote(&entry.key).trim_matches('`')) };
            let Value::Text(text) = &entry.node.value else {
                self.notes.add(&spot, format!("expected a text, found {}", name_of(&entry.node.value)));
                continue;
            };
            let Some((name, value)) = self.value(&spot, text, |text| read(&entry.key, text)) else { continue };
            if named.iter().any(|(other, _)| *other == name) {
                self.notes.add(&spot, "stands twice");
            }
            named.push((name, value));
        }
        named
    }

    /// A mapping; when it is not written, one without keys.
    pub fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Keys<'a>) -> T) -> T {
        let node = self.find(key).map(|entry| &entry.node);
        let mut keys = Keys::open(self.notes, self.spot_of(key), node);
        keys.is_standin |= self.is_standin;
        let value = read(&mut keys);
        keys.end();
        value
    }

    /// A list of mappings; empty when not written.
    pub fn sections<T>(&mut self, key: &'static str, mut read: impl FnMut(&mut Keys<'a>) -> Option<T>) -> Vec<T> {
        let Some(entry) = self.find(key) else { return Vec::new() };
        let spot = self.spot_of(key);
        let Value::List(nodes) = &entry.node.value else {
            let found = name_of(&entry.node.value);
            self.notes
                .add(&spot, format!("expected a list of mappings, found {found}; begin each of the {key} with `- `"));
            return Vec::new();
        };
        let section = |(index, node): (usize, &'a Node)| {
            let mut keys = Keys::open(self.notes, spot.item(index, node), Some(node));
            let value = read(&mut keys);
            keys.end();
            value
        };
        nodes.iter().enumerate().filter_map(section).collect()
    }

    /// The text of a key with its variables filled in, right or wrong.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        match &self.find(key)?.node.value {
            Value::Text(text) => values::fill(text, self.notes.env).ok(),
            _ => None,
        }
    }

    /// True when a key has a value, right or wrong.
    pub fn has(&mut self, key: &'static str) -> bool {
        self.find(key).is_some()
    }

    /// Notes `sentence` if the value was taken before, else takes it.
    pub fn unique(&mut self, key: &'static str, value: String, taken: &mut Taken, sentence: &str) {
        let spot = self.spot_of(key);
        if let Some(first) = taken.get(&value) {
            self.notes.add_second(&spot, sentence, first);
        } else {
            taken.insert(value, spot);
        }
    }

    /// A value that was made of a key, or a note.
    pub fn accept<T>(&mut self, key: &'static str, made: Result<T, Bad>) -> Option<T> {
        let (Bad::Shown(reason) | Bad::Hidden(reason)) = match made {
            Ok(value) => return Some(value),
            Err(bad) => bad,
        };
        self.refuse(key, reason);
        None
    }

    /// Notes a problem with a key.
    pub fn refuse(&mut self, key: &'static str, text: impl Into<String>) {
        self.notes.add(&self.spot_of(key), text);
    }

    /// Notes a problem with keys that belong elsewhere.
    pub fn forbid(&mut self, keys: &[&'static str], text: &str) {
        for key in keys {
            if self.entries.iter().any(|entry| entry.key == *key) {
                self.refuse(key, text);
            }
            self.asked.push(key);
        }
    }

    /// Notes the keys that are unknown, stand twice, or are missing. Comes last.
    pub fn end(mut self) {
        let mut first: HashMap<&str, usize> = HashMap::new();
        for entry in self.entries {
            let spot = Spot { number: entry.number, ..self.spot.clone() };
            if let Some(number) = first.get(entry.key.as_str()) {
                let first = Spot { number: *number, ..spot.clone() };
                let text = format!("the key {} stands twice", quote(&entry.key));
                self.notes.add_second(&spot, text, &first);
                continue;
            }
            first.insert(&entry.key, entry.number);
            if !self.asked.contains(&entry.key.as_str()) {
                let text = self.unknown(&entry.key);
                self.notes.add(&spot, text);
            }
        }
        if !self.missing.is_empty() && !self.is_standin {
            let verb = if self.missing.len() == 1 { "is" } else { "are" };
            self.notes.add(&self.spot, format!("{} {verb} missing", and(&self.missing)));
        }
    }

    fn unknown(&mut self, key: &str) -> String {
        let quoted = quote(key);
        if key == "<<" {
            return format!("{quoted} (merging) is not understood; write the keys out");
        }
        if self.notes.is_full() {
            return format!("unknown key {quoted}");
        }
        match values::nearest(key, self.asked.iter().copied()) {
            Some(meant) => {
                self.missing.retain(|missing| *missing != meant);
                format!("unknown key {quoted}; did you mean `{meant}`?")
            }
            None => format!("unknown key {quoted}; known here: {}", self.asked.join(", ")),
        }
    }

    fn find(&mut self, key: &'static str) -> Option<&'a Entry> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        find(self.entries, key)
    }

    /// Where the value of a key stands, or would stand.
    pub fn spot_of(&self, key: &str) -> Spot {
        let number = find(self.entries, key).map_or(self.spot.number, Entry::best_number);
        Spot { number, ..self.spot.key(key) }
    }

    /// A text with its variables filled in and read, or a note.
    fn value<T>(&self, spot: &Spot, text: &str, read: impl Fn(&str) -> Result<T, Bad>) -> Option<T> {
        let problem = match values::fill(text, self.notes.env) {
            Err(unset) => unset,
            Ok(filled) if filled.trim().is_empty() && filled == text => "is empty".to_owned(),
            Ok(filled) if filled.trim().is_empty() => format!("{} is empty", quote(text)),
            Ok(filled) => match read(&filled) {
                Ok(value) => return Some(value),
                Err(Bad::Hidden(reason)) => reason,
                // What comes from the environment may be a secret.
                Err(Bad::Shown(reason)) if filled != text => {
                    format!("{}: {}", quote(text), reason.replace(&filled, text))
                }
                Err(Bad::Shown(reason)) => format!("{}: {reason}", quote(text)),
            },
        };
        self.notes.add(spot, problem);
        None
    }
}

impl Spot {
    fn key(&self, key: &str) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { path, ..*self }
    }

    fn item(&self, index: usize, node: &Node) -> Self {
        Self { path: format!("{}[{index}]", self.path), number: node.number, ..*self }
    }
}

/// The texts of a list in a file, whatever else is wrong with it.
pub(super) fn texts_of(root: &Node, key: &str) -> Vec<String> {
    let Value::Map(entries) = &root.value else { return Vec::new() };
    let nodes = match find(entries, key).map(|entry| &entry.node) {
        Some(Node { value: Value::List(nodes), .. }) => nodes.as_slice(),
        Some(node) => std::slice::from_ref(node),
        None => &[],
    };
    let text = |node: &Node| match &node.value {
        Value::Text(text) => Some(text.clone()),
        _ => None,
    };
    nodes.iter().filter_map(text).collect()
}

fn find<'a>(entries: &'a [Entry], key: &str) -> Option<&'a Entry> {
    entries.iter().find(|entry| entry.key == key).filter(|entry| !matches!(entry.node.value, Value::Nothing))
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Nothing => "nothing; if the text `null` or `~` is meant, put it in quotes",
        Value::Text(_) => "a text",
        Value::List(_) => "a list",
        Value::Map(_) => "a mapping",
    }
}

/// `a`, `b` and `c`.
fn and(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
