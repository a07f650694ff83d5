//! What is wrong with the config, collected while it is read and given lines at the end.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::raw::{self, Node};
use super::{Problem, Source};

/// More than a person reads at once; finding a line costs a reading of its file.
const MOST: usize = 100;

/// A place in the config.
#[derive(Clone, Debug)]
pub(super) struct Spot {
    /// Index of the source.
    pub file: usize,
    /// Number of the node or key; see [`raw::line`].
    pub number: usize,
    /// Such as `feeds[0].remove[1]`.
    pub path: String,
}

/// Values that may stand only once, with the place where each stands first.
pub(super) type Taken = HashMap<String, Spot>;

struct Note {
    spot: Spot,
    /// For files that have no nodes.
    line: Option<usize>,
    text: String,
    /// Another place that the text speaks of.
    first: Option<Spot>,
}

/// Sources, environment, and the problems so far.
pub(super) struct Notes<'a> {
    sources: &'a [Source<'a>],
    /// Answers for environment variables.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Says where a path leads when links are followed.
    pub real: &'a dyn Fn(&Path) -> PathBuf,
    list: RefCell<Vec<Note>>,
}

impl<'a> Notes<'a> {
    pub fn new(
        sources: &'a [Source<'a>],
        env: &'a dyn Fn(&str) -> Option<String>,
        real: &'a dyn Fn(&Path) -> PathBuf,
    ) -> Self {
        Self { sources, env, real, list: RefCell::default() }
    }

    /// The sources as nodes; `None` for each that is no YAML.
    pub fn parse(&self) -> Vec<Option<Node>> {
        let parse = |(file, source): (usize, &Source<'_>)| match raw::parse(source.text) {
            Ok(node) => Some(node),
            Err(broken) => {
                let spot = Spot { file, number: 0, path: String::new() };
                self.list.borrow_mut().push(Note { spot, line: broken.line, text: broken.text, first: None });
                None
            }
        };
        self.sources.iter().enumerate().map(parse).collect()
    }

    pub fn add(&self, spot: &Spot, text: impl Into<String>) {
        self.push(spot, text.into(), None);
    }

    /// A problem that has to do with a place further up.
    pub fn add_second(&self, spot: &Spot, text: impl Into<String>, first: &Spot) {
        self.push(spot, text.into(), Some(first.clone()));
    }

    fn push(&self, spot: &Spot, text: String, first: Option<Spot>) {
        self.list.borrow_mut().push(Note { spot: spot.clone(), line: None, text, first });
    }

    /// Whether so much is wrong that a suggestion is not worth a search.
    pub fn is_full(&self) -> bool {
        self.list.borrow().len() >= MOST
    }

    /// The problems in the order of their places, cut to a number that can be read.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut list = self.list.take();
        list.sort_by_key(|note| (note.spot.file, note.spot.number));
        let rest = list.len().saturating_sub(MOST);
        list.truncate(MOST);
        let mut problems: Vec<_> = list.into_iter().map(|note| self.problem(note)).collect();
        if rest > 0 {
            let text = format!("and {rest} more");
            problems.push(Problem { file: self.name(0), line: None, path: String::new(), text });
        }
        problems
    }

    fn problem(&self, note: Note) -> Problem {
        let text = match note.first {
            Some(first) => format!("{}; first at {}", note.text, self.place(&first)),
            None => note.text,
        };
        Problem {
            file: self.name(note.spot.file),
            line: note.line.or_else(|| self.line(&note.spot)),
            path: note.spot.path,
            text,
        }
    }

    /// `config/feeds.yaml:22`
    fn place(&self, spot: &Spot) -> String {
        let name = self.name(spot.file);
        self.line(spot).map_or_else(|| name.clone(), |line| format!("{name}:{line}"))
    }

    fn name(&self, file: usize) -> String {
        self.sources.get(file).map_or_else(String::new, |source| source.name.to_owned())
    }

    fn line(&self, spot: &Spot) -> Option<usize> {
        raw::line(self.sources.get(spot.file)?.text, spot.number)
    }
}

/// A text of the config in backticks: on one line, and not too long.
pub(super) fn quote(text: &str) -> String {
    let mut quoted: String = text.chars().take(80).flat_map(shown).collect();
    if text.chars().nth(80).is_some() {
        quoted.push('…');
    }
    format!("`{quoted}`")
}

/// Control and bidi characters as escapes.
fn shown(c: char) -> impl Iterator<Item = char> {
    let is_odd =
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let (plain, escaped) = if is_odd { (None, Some(c.escape_default())) } else { (Some(c), None) };
    plain.into_iter().chain(escaped.into_iter().flatten())
}
