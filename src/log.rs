//! What the program tells its operator, one event a line on standard error: for people, or as JSON for machines.
//!
//! Events of other crates are left out: they speak of sockets, not of feeds.

use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Number, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::clock::{Clock, SystemClock};
use crate::model::Timestamp;

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people: `warning: feed … failed feed=lwn`.
    #[default]
    Human,
    /// The same, with the time at the beginning (RFC 3339, UTC, seconds).
    Timed,
    /// One object a line: `time` (RFC 3339, UTC, milliseconds), `level` (`error`, `warning`, `info`, `debug`),
    /// `message`, and the fields of the event beside them.
    Json,
}

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Least {
    /// Warnings and errors.
    Warnings,
    /// Also what was done.
    #[default]
    News,
    /// Also what is of use when something is looked for.
    Details,
}

/// Sends events to standard error from now on. The first call counts.
pub fn start(format: Format, least: Least) {
    let is_colored = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    let lines = Lines::new(format, is_colored, SystemClock, io::stderr());
    // Only tests start it twice, in one process.
    let _ = tracing::subscriber::set_global_default(subscriber(lines, least));
}

fn subscriber<C: Clock + 'static, W: Write + Send + 'static>(lines: Lines<C, W>, least: Least) -> impl Subscriber {
    let least = match least {
        Least::Warnings => LevelFilter::WARN,
        Least::News => LevelFilter::INFO,
        Least::Details => LevelFilter::DEBUG,
    };
    let ours = Targets::new().with_target(env!("CARGO_CRATE_NAME"), least);
    tracing_subscriber::registry().with(lines.with_filter(ours))
}

/// Writes events as lines.
struct Lines<C, W> {
    format: Format,
    is_colored: bool,
    clock: C,
    out: Mutex<W>,
}

impl<C: Clock, W: Write> Lines<C, W> {
    fn new(format: Format, is_colored: bool, clock: C, out: W) -> Self {
        Self { format, is_colored, clock, out: Mutex::new(out) }
    }
}

impl<S: Subscriber, C: Clock + 'static, W: Write + Send + 'static> Layer<S> for Lines<C, W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut told = Told::default();
        event.record(&mut told);
        let level = *event.metadata().level();
        let mut line = match self.format {
            Format::Human => told.for_people(None, level, self.is_colored),
            Format::Timed => told.for_people(Some(self.clock.now()), level, self.is_colored),
            Format::Json => told.into_json(self.clock.now(), level),
        };
        line.push('\n');
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody is left to be told that nobody listens.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
    }
}

/// The message of an event and its fields, in their order.
#[derive(Default)]
struct Told {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Told {
    fn keep(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => self.fields.push((name, value)),
        }
    }

    fn for_people(&self, at: Option<Timestamp>, level: Level, is_colored: bool) -> String {
        let mut line = String::new();
        if let Some(at) = at {
            let _ = write!(line, "{} ", at.utc().format("%Y-%m-%dT%H:%M:%SZ"));
        }
        let label = match level {
            Level::ERROR => Some((anstyle::AnsiColor::Red, "error")),
            Level::WARN => Some((anstyle::AnsiColor::Yellow, "warning")),
            _ => None,
        };
        if let Some((color, label)) = label {
            let style = anstyle::Style::new().bold().fg_color(Some(color.into()));
            let label = if is_colored { format!("{style}{label}:{style:#} ") } else { format!("{label}: ") };
            line.push_str(&label);
        }
        line.push_str(&one_line(&self.message));
        for (name, value) in &self.fields {
            let _ = match value {
                Value::String(text) if is_plain(text) => write!(line, " {name}={text}"),
                Value::String(text) => write!(line, " {name}={}", quoted(text)),
                value => write!(line, " {name}={value}"),
            };
        }
        line
    }

    fn into_json(self, at: Timestamp, level: Level) -> String {
        let level = match level {
            Level::ERROR => "error",
            Level::WARN => "warning",
            Level::INFO => "info",
            _ => "debug",
        };
        let own = [("time", at.rfc3339_millis()), ("level", level.to_owned()), ("message", self.message)];
        let mut object: Map<String, Value> =
            own.into_iter().map(|(name, text)| (name.to_owned(), Value::String(text))).collect();
        for (name, value) in self.fields {
            object.entry(name).or_insert(value);
        }
        Value::Object(object).to_string()
    }
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.keep(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.keep(field, Value::String(value.to_owned()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, Value::Bool(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, Number::from_f64(value).map_or(Value::Null, Value::Number));
    }
}

/// A sentence stays on its line and in its order, whatever a publisher put into it.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_harmful(c) { ' ' } else { c }).collect()
}

/// What ends lines, moves cursors or turns the order of words round.
fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

/// Whether a value can be told from what follows it.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || is_harmful(c) || matches!(c, '"' | '='))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        let _ = match c {
            '"' | '\\' => write!(quoted, "\\{c}"),
            '\n' => write!(quoted, "\\n"),
            c if is_harmful(c) => write!(quoted, "{}", c.escape_unicode()),
            c => write!(quoted, "{c}"),
        };
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    struct Then;

    impl Clock for Then {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_627_470_060_250)
        }
    }

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written while `work` runs.
    fn written(format: Format, least: Least, work: impl FnOnce()) -> String {
        let page = Page::default();
        let lines = Lines::new(format, false, Then, page.clone());
        tracing::subscriber::with_default(subscriber(lines, least), work);
        String::from_utf8(page.0.lock().unwrap().clone()).unwrap()
    }

    fn a_round() {
        tracing::debug!(waits = 3, "looking");
        tracing::info!(feed = %"lwn", outcome = "polled", new = 57, repaired = true, took = 0.25, "polled");
        tracing::warn!(feed = "a", "feed `a`: no answer within 20s");
        tracing::error!("the disk is full");
        tracing::error!(target: "hyper", "not ours");
    }

    #[test]
    fn one_event_is_one_line() {
        assert_eq!(
            written(Format::Timed, Least::News, a_round),
            "2021-07-28T11:01:00Z polled feed=lwn outcome=polled new=57 repaired=true took=0.25\n\
             2021-07-28T11:01:00Z warning: feed `a`: no answer within 20s feed=a\n\
             2021-07-28T11:01:00Z error: the disk is full\n"
        );
        assert_eq!(
            written(Format::Human, Least::Warnings, a_round),
            "warning: feed `a`: no answer within 20s feed=a\nerror: the disk is full\n"
        );
        assert!(written(Format::Human, Least::Details, a_round).starts_with("looking waits=3\n"));
    }

    #[test]
    fn machines_get_an_object_a_line() {
        assert_eq!(
            written(Format::Json, Least::News, a_round).lines().next().unwrap(),
            "{\"time\":\"2021-07-28T11:01:00.250Z\",\"level\":\"info\",\"message\":\"polled\",\"feed\":\"lwn\",\
             \"outcome\":\"polled\",\"new\":57,\"repaired\":true,\"took\":0.25}"
        );
        let own = written(Format::Json, Least::News, || tracing::warn!(level = "info", took = f64::NAN, "x"));
        assert_eq!(
            own,
            "{\"time\":\"2021-07-28T11:01:00.250Z\",\"level\":\"warning\",\"message\":\"x\",\"took\":null}\n"
        );
    }

    /// Titles, names and addresses are strangers' words.
    const EVIL: &str = "x\n2021-07-28T11:01:00Z error: all\r\u{1b}[2J\u{7}\u{85}\u{2028}is lost \u{202e}\" level=error";

    #[test]
    fn no_stranger_writes_a_line_of_their_own() {
        let strange = || tracing::warn!(title = EVIL, name = %EVIL, empty = "", "{EVIL}");
        for format in [Format::Human, Format::Timed, Format::Json] {
            let text = written(format, Least::News, strange);
            assert_eq!(text.lines().count(), 1, "{text}");
            let body = text.trim_end_matches('\n');
            assert!(!body.contains(|c: char| c.is_ascii_control()), "{body:?}");
            if format == Format::Json {
                let object: Value = serde_json::from_str(body).unwrap();
                assert_eq!((&object["title"], &object["message"]), (&Value::from(EVIL), &Value::from(EVIL)));
                assert_eq!(object["level"], "warning");
            } else {
                assert!(!body.contains(is_harmful), "{body:?}");
                assert!(body.contains(" title=\"x\\n2021"), "{body}");
                assert!(body.ends_with(" empty=\"\""), "{body}");
            }
        }
    }

    #[test]
    fn a_terminal_gets_colors() {
        let told = Told { message: "x".to_owned(), fields: vec![] };
        assert_eq!(told.for_people(None, Level::WARN, true), "\u{1b}[1m\u{1b}[33mwarning:\u{1b}[0m x");
        assert_eq!(told.for_people(None, Level::INFO, true), "x");
    }
}
