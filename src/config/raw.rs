//! YAML text to plain nodes, and nodes back to their lines. The only file that knows `serde_yaml`.
//!
//! `serde_yaml` gives a position only with an error. So nodes and keys are numbered in the order in which they
//! are read, and a line is found by reading the text again and failing on purpose at the wanted number.
//!
//! It also turns `1.10` into the number 1.1 before anyone can ask for the text. So the text is read twice:
//! once for the shape, once for the scalars as they were written.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::notes::quote;

/// A value of the file.
#[derive(Debug)]
pub(super) struct Node {
    /// Its place in the order of reading; see [`line()`].
    pub number: usize,
    /// What stands there.
    pub value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    /// No value, `~` or `null`.
    Nothing,
    /// Any other scalar, spelt as in the file: `1.10`, `true`, `text`.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file; a key may stand twice.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Entry {
    pub key: String,
    /// The number of the key; see [`line()`].
    pub number: usize,
    pub node: Node,
}

/// Why a text is no YAML.
#[derive(Debug, PartialEq)]
pub(super) struct Broken {
    /// From 1.
    pub line: Option<usize>,
    pub text: String,
}

impl Entry {
    /// The number that leads to the best line: that of the value, or of the key when the value begins below it.
    pub fn best_number(&self) -> usize {
        match self.node.value {
            Value::Text(_) => self.node.number,
            Value::Nothing | Value::List(_) | Value::Map(_) => self.number,
        }
    }
}

/// Reads a text.
pub(super) fn parse(text: &str) -> Result<Node, Broken> {
    let text = without_bom(text);
    if let Some((before, found)) = first_control(text) {
        let line = before.matches('\n').count() + 1;
        return Err(Broken::new(
            Some(line),
            &format!("the control character U+{:04X} may not stand here", u32::from(found)),
        ));
    }
    // A value takes at least a byte, so only aliases can go beyond this.
    let walk = Walk::up_to(text.len().saturating_mul(4).saturating_add(10_000));
    let mut root = match walk.run(text) {
        Ok(root) => root,
        Err(error) if walk.has_stopped() => {
            return Err(Broken::new(line_of(&error, text), "the aliases (`*name`) make it too large"));
        }
        Err(error) => return Err(explain(&error, text)),
    };
    Spell(&mut root).deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|error| explain(&error, text))?;
    Ok(root)
}

/// The line, from 1, of a node or key of a text that [`parse`] accepts.
pub(super) fn line(text: &str, number: usize) -> Option<usize> {
    line_of(&Walk::up_to(number).run(without_bom(text)).err()?, text)
}

fn line_of(error: &serde_yaml::Error, text: &str) -> Option<usize> {
    error.location().map(|location| location.line().min(last_line(text)))
}

/// The end of a text, behind its last line break, is not a line that an editor shows.
fn last_line(text: &str) -> usize {
    text.lines().count().max(1)
}

fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The first character that YAML forbids, with the text before it.
fn first_control(text: &str) -> Option<(&str, char)> {
    let is_forbidden = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let at = text.find(is_forbidden)?;
    Some((text.get(..at)?, text.get(at..)?.chars().next()?))
}

fn explain(error: &serde_yaml::Error, text: &str) -> Broken {
    let at = error.location().map(|place| (place.line(), place.column()));
    let message = error.to_string();
    // Ours are the only messages with a path before them.
    if let Some(ours) = [BAD_KEY, BAD_TAG].into_iter().find(|ours| message.contains(ours)) {
        return Broken::new(line_of(error, text), &format!("expected {ours}"));
    }
    // The only message without a place.
    if message.contains("more than one document") {
        let second = serde_yaml::Deserializer::from_str(text).nth(1);
        let line = second.and_then(|second| line_of(&second.deserialize_any(Stop).err()?, text));
        return Broken::new(line, "a second document begins here; keep to one, and begin its keys in one column");
    }
    Broken::from_message(&message, at, text)
}

/// One reading of a text; fails at the node or key with the number `stop`.
struct Walk {
    next: Cell<usize>,
    stop: usize,
}

impl Walk {
    fn up_to(stop: usize) -> Self {
        Self { next: Cell::new(0), stop }
    }

    fn run(&self, text: &str) -> Result<Node, serde_yaml::Error> {
        NodeSeed(self).deserialize(serde_yaml::Deserializer::from_str(text))
    }

    fn step(&self) -> Option<usize> {
        let number = self.next.get();
        self.next.set(number + 1);
        (number < self.stop).then_some(number)
    }

    fn has_stopped(&self) -> bool {
        self.next.get() > self.stop
    }
}

struct NodeSeed<'w>(&'w Walk);

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Node, D::Error> {
        match self.0.step() {
            Some(number) => Ok(Node { number, value: from.deserialize_any(Shape(self.0))? }),
            None => from.deserialize_any(Stop).map(|never| match never {}),
        }
    }
}

struct KeySeed<'w>(&'w Walk);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = (usize, String);

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        match self.0.step() {
            Some(number) => Ok((number, from.deserialize_str(Key)?)),
            None => from.deserialize_any(Stop).map(|never| match never {}),
        }
    }
}

/// Accepts nothing: the error carries the position.
struct Stop;

impl Visitor<'_> for Stop {
    type Value = Infallible;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("to stop here")
    }
}

const BAD_KEY: &str = "a plain text as key";
const BAD_TAG: &str = "a value without a tag such as `!name`";

struct Key;

impl Visitor<'_> for Key {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(BAD_KEY)
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

/// Reads the shape; scalars stay empty until [`Spell`].
struct Shape<'w>(&'w Walk);

impl<'de> Visitor<'de> for Shape<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Text(String::new()))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Text(String::new()))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Text(String::new()))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Value, E> {
        Ok(Value::Text(String::new()))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Value, E> {
        Ok(Value::Text(String::new()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Text(String::new()))
    }

    fn visit_str<E>(self, _: &str) -> Result<Value, E> {
        Ok(Value::Text(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = items.next_element_seed(NodeSeed(self.0))? {
            nodes.push(node);
        }
        Ok(Value::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((number, key)) = items.next_key_seed(KeySeed(self.0))? {
            let node = items.next_value_seed(NodeSeed(self.0))?;
            entries.push(Entry { key, number, node });
        }
        Ok(Value::Map(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Value, A::Error> {
        Err(A::Error::custom(BAD_TAG))
    }
}

/// Fills in the scalars of a shape, spelt as in the file.
struct Spell<'n>(&'n mut Node);

impl<'de> DeserializeSeed<'de> for Spell<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        match &mut self.0.value {
            Value::Nothing => IgnoredAny::deserialize(from).map(drop),
            Value::Text(text) => String::deserialize(from).map(|spelt| *text = spelt),
            Value::List(_) => from.deserialize_seq(self),
            Value::Map(_) => from.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Spell<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the same value again")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if let Value::List(nodes) = &mut self.0.value {
            for node in nodes {
                items.next_element_seed(Spell(node))?;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if let Value::Map(entries) = &mut self.0.value {
            for entry in entries {
                items.next_key::<IgnoredAny>()?;
                items.next_value_seed(Spell(&mut entry.node))?;
            }
        }
        Ok(())
    }
}

impl Broken {
    pub(super) fn new(line: Option<usize>, text: &str) -> Self {
        Self { line, text: format!("broken YAML: {text}") }
    }

    /// From the parser's message (`did not … at line 2 column 2, while parsing … at line 1 column 4`) and the
    /// line and column, from 1, that it names first.
    pub(super) fn from_message(message: &str, at: Option<(usize, usize)>, text: &str) -> Self {
        let (problem, context) = message.split_once(", while ").unwrap_or((message, ""));
        let problem = problem.split(" at line ").next().unwrap_or(problem);
        let here = at.map(|(line, _)| line.min(last_line(text)));
        let begun = begun_in(context).or(here);
        match problem {
            "mapping values are not allowed in this context" => {
                let hint = if has_wide_colon(text, here) { "; `：` is not `:`" } else { "" };
                Self::new(here, &format!("a `:` where none may stand; check the indentation, or quote the value{hint}"))
            }
            "found character that cannot start any token" | "did not find expected node content" => {
                match at.and_then(|at| char_at(text, at)) {
                    Some('\t') => Self::new(here, "a tab in the indentation; use blanks"),
                    Some(found) => {
                        let found = quote(&found.to_string());
                        Self::new(here, &format!("a value may not begin with {found}; put it in quotes"))
                    }
                    None => Self::new(here, problem),
                }
            }
            "found unexpected end of stream" => Self::new(begun, "the quote that opens here is never closed"),
            "could not find expected ':'" => Self::new(begun, "a key without `:`"),
            "did not find expected ',' or ']'" => Self::new(here, &unclosed('[', begun)),
            "did not find expected ',' or '}'" => Self::new(here, &unclosed('{', begun)),
            "did not find expected key" | "did not find expected '-' indicator" => {
                Self::new(here, "this does not fit what stands above it; check indentation and quotes")
            }
            "did not find expected alphabetic or numeric character" | "unknown anchor" => {
                let sign = if context.contains("anchor") { '&' } else { '*' };
                Self::new(here, &format!("a value that begins with `{sign}` needs quotes"))
            }
            "found unknown escape character" => {
                Self::new(here, "an unknown escape in double quotes; use single quotes, or double the backslash")
            }
            "recursion limit exceeded" => Self::new(here, "nested too deeply"),
            "repetition limit exceeded" => Self::new(here, "too many aliases (`*name`)"),
            _ => Self::new(here, problem),
        }
    }
}

fn unclosed(bracket: char, line: Option<usize>) -> String {
    let opened = line.map_or_else(String::new, |line| format!(" of line {line}"));
    format!("a `,` is missing here, or the `{bracket}`{opened} is not closed")
}

/// The line in `parsing a flow sequence at line 1 column 4`.
fn begun_in(context: &str) -> Option<usize> {
    context.split_once(" at line ")?.1.split(' ').next()?.parse().ok()
}

fn char_at(text: &str, (line, column): (usize, usize)) -> Option<char> {
    text.lines().nth(line.checked_sub(1)?)?.chars().nth(column.checked_sub(1)?)
}

/// Whether a full-width colon stands in the line or the one before.
fn has_wide_colon(text: &str, line: Option<usize>) -> bool {
    line.is_some_and(|line| text.lines().take(line).skip(line.saturating_sub(2)).any(|line| line.contains('：')))
}
