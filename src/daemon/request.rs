//! What the operator asks of a running daemon, and what comes back for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::config::{Config, Feed};
use crate::control::Line;
use crate::fetch::Hook;
use crate::model::{FeedStatus, Timestamp, Topic};
use crate::poll::{FeedReport, Options};
use crate::publish;

/// Something to do between two feeds.
pub(super) struct Request<F> {
    pub(super) what: Work<F>,
    pub(super) answer: Answer,
}

/// What to do.
pub(super) enum Work<F> {
    Poll { feeds: Vec<Feed>, options: Options },
    Publish { topics: Vec<Topic> },
    Forget { what: String, reason: String },
    Renew { config: Arc<Config>, fetch: Arc<F>, hook: Hook },
}

/// Where the answer goes, line by line. Whoever asked may have left.
#[derive(Clone, Debug)]
pub(super) struct Answer(mpsc::UnboundedSender<Line>);

impl Answer {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Line>) {
        let (sender, lines) = mpsc::unbounded_channel();
        (Self(sender), lines)
    }

    fn send(&self, line: Line) {
        let _ = self.0.send(line);
    }

    pub(super) fn report(&self, report: &FeedReport) {
        self.send(Line::Report(Box::new(report.into())));
    }

    pub(super) fn polled(&self, unreadable: &[String], took: Duration) {
        self.send(Line::Polled { unreadable: unreadable.to_vec(), seconds: took.as_secs_f64() });
    }

    pub(super) fn published(&self, done: &publish::Outcome) {
        self.send(Line::Published { changed: done.changed, unreadable: done.unreadable.clone() });
    }

    pub(super) fn stands(&self, feeds: &[FeedStatus], now: Timestamp) {
        for feed in feeds {
            self.send(Line::Status(Box::new(feed.clone())));
        }
        self.send(Line::Now { now });
    }

    pub(super) fn text(&self, text: &str) {
        self.send(Line::Text { text: text.to_owned() });
    }

    pub(super) fn failed(&self, text: &str, code: u8) {
        self.refused(vec![text.to_owned()], code);
    }

    pub(super) fn refused(&self, texts: Vec<String>, code: u8) {
        self.send(Line::Failed { texts, code });
    }
}
