//! Talking to the operator: the control socket, and the signal to reload.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::request::{Answer, Request, Work};
use super::{Edges, House, STOPPED, unable};
use crate::config::{Config, Feed};
use crate::control::{Command, FIRST_LINE, LONGEST_COMMAND, Line, Socket};
use crate::maintain::explain;
use crate::model::Topic;
use crate::poll::{Options, Stop};
use crate::systemd;

/// How long to wait when the system has no more file handles.
const ACCEPT_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);
/// Operators that are talked to at a time.
const MOST: usize = 32;

/// Answers on the control socket until it is told to stop.
pub(super) async fn listen<E: Edges>(socket: Socket, house: Arc<House<E>>, mut stop: Stop) {
    let mut talks = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.wait() => break,
            Some(_) = talks.join_next() => {}
            accepted = socket.accept(), if talks.len() < MOST => match accepted {
                Ok(stream) => {
                    talks.spawn(talk(stream, Arc::clone(&house)));
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            },
        }
    }
    // Who waits for an answer is told why there is none; the work does that.
    drop(socket);
    while talks.join_next().await.is_some() {}
}

/// One operator, from the greeting to the last line. One who leaves leaves the work to be done.
async fn talk<E: Edges>(stream: UnixStream, house: Arc<House<E>>) {
    let _ = converse(stream, &house).await;
}

async fn converse<E: Edges>(stream: UnixStream, house: &House<E>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    write(&mut writer, &Line::Hello { pid: std::process::id(), archive: house.archive.clone() }).await?;
    let mut text = String::new();
    let mut reader = BufReader::new(reader.take(LONGEST_COMMAND));
    timeout(FIRST_LINE, reader.read_line(&mut text)).await??;
    let mut lines = match serde_json::from_str(&text) {
        Ok(command) => ask(house, command).await,
        Err(_) => refused(vec!["the daemon does not know this command; it may be of another version".to_owned()], 1),
    };
    while let Some(line) = lines.recv().await {
        write(&mut writer, &line).await?;
    }
    Ok(())
}

async fn write(writer: &mut tokio::net::unix::OwnedWriteHalf, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    writer.write_all(text.as_bytes()).await
}

fn refused(texts: Vec<String>, code: u8) -> UnboundedReceiver<Line> {
    let (answer, lines) = Answer::new();
    answer.refused(texts, code);
    lines
}

/// Begins to do what is asked; the answer comes line by line.
async fn ask<E: Edges>(house: &House<E>, command: Command) -> UnboundedReceiver<Line> {
    let Some(poller) = house.poller.borrow().clone() else {
        let trouble = house.trouble.borrow().clone().unwrap_or_default();
        return match command {
            // How they were.
            Command::Status => status(house).await,
            _ => refused(vec![unable(&trouble)], 1),
        };
    };
    let config = &poller.config;
    let work = match command {
        Command::Poll { feeds, force, dry_run } => match named_feeds(config, &feeds) {
            Ok(feeds) => Work::Poll { feeds, options: Options { force, dry_run } },
            Err(sentence) => return refused(vec![sentence], 2),
        },
        Command::Publish { topics } => match named_topics(config, &topics) {
            Ok(topics) => Work::Publish { topics },
            Err(sentence) => return refused(vec![sentence], 2),
        },
        Command::Forget { what, reason } => Work::Forget { what, reason },
        Command::Reload => return reload(house).await,
        Command::Status => return status(house).await,
        Command::Explain { what } => {
            let (answer, lines) = Answer::new();
            match explain::entry(&*poller.index, &*poller.archive, &what).await {
                Ok(text) => answer.text(&text),
                Err(error) => answer.failed(&error.to_string(), if error.is_unknown() { 2 } else { 1 }),
            }
            return lines;
        }
    };
    send(house, work).await
}

async fn status<E: Edges>(house: &House<E>) -> UnboundedReceiver<Line> {
    let (answer, lines) = Answer::new();
    match house.survey().await {
        Some(survey) => answer.stands(&survey.feeds, survey.now),
        None => answer.failed("how the feeds are cannot be read at the moment; the daemon's log says why", 1),
    }
    lines
}

async fn send<E: Edges>(house: &House<E>, what: Work<E::Fetch>) -> UnboundedReceiver<Line> {
    let (answer, lines) = Answer::new();
    if let Err(error) = house.requests.send(Request { what, answer }).await {
        error.0.answer.failed(STOPPED, 1);
    }
    lines
}

/// Reads the config again. The new one holds as a whole, or the old one stays, with the reasons.
async fn reload<E: Edges>(house: &House<E>) -> UnboundedReceiver<Line> {
    let _turn = house.reloading.lock().await;
    let Some(old) = house.poller.borrow().as_ref().map(|poller| Arc::clone(&poller.config)) else {
        return refused(vec!["archive and index are being opened again; try again in a minute".to_owned()], 1);
    };
    let config = match house.edges.config() {
        Ok(config) => config,
        Err(mut problems) => {
            problems.push("the old config stays in force".to_owned());
            return refused(problems, 3);
        }
    };
    let mut fixed = fixed(&old, &config);
    if !fixed.is_empty() {
        fixed.push("the old config stays in force".to_owned());
        return refused(fixed, 3);
    }
    let made = house.edges.fetcher(&config).and_then(|fetch| Ok((fetch, house.edges.hook(&config)?)));
    match made {
        Ok((fetch, hook)) => send(house, Work::Renew { config, fetch, hook }).await,
        Err(sentence) => refused(vec![sentence, "the old config stays in force".to_owned()], 3),
    }
}

/// SIGHUP: what comes of it is in the log.
pub(super) async fn reload_by_signal<E: Edges>(house: Arc<House<E>>) {
    systemd::reloading();
    let mut lines = reload(&house).await;
    systemd::ready();
    while let Some(line) = lines.recv().await {
        match line {
            Line::Text { text } => tracing::info!("{text}"),
            Line::Failed { texts, .. } => texts.iter().for_each(|text| tracing::error!("{text}")),
            _ => {}
        }
    }
}

/// What cannot change while the daemon runs, and did.
fn fixed(old: &Config, new: &Config) -> Vec<String> {
    let changed = [
        ("storage", old.storage != new.storage),
        ("server.listen", old.server.listen != new.server.listen),
        ("server.socket", old.server.socket != new.server.socket),
        ("server.metrics", old.server.metrics != new.server.metrics),
    ];
    let changed = changed.into_iter().filter(|(_, changed)| *changed);
    changed.map(|(key, _)| format!("`{key}` changed: that takes a new start of the daemon, not a reload")).collect()
}

fn named_feeds(config: &Config, names: &[String]) -> Result<Vec<Feed>, String> {
    if names.is_empty() {
        return Ok(config.feeds.iter().filter(|feed| feed.enabled).cloned().collect());
    }
    let find = |name: &String| {
        let feed = config.feeds.iter().find(|feed| feed.source.id.as_str() == name);
        feed.cloned().ok_or_else(|| unknown("feed", name))
    };
    names.iter().map(find).collect()
}

fn named_topics(config: &Config, names: &[String]) -> Result<Vec<Topic>, String> {
    if names.is_empty() {
        return Ok(config.topics.clone());
    }
    let find = |name: &String| {
        let topic = config.topics.iter().find(|topic| topic.id.as_str() == name);
        topic.cloned().ok_or_else(|| unknown("topic", name))
    };
    names.iter().map(find).collect()
}

fn unknown(what: &str, name: &str) -> String {
    format!(
        "unknown {what} `{name}`: the running daemon's config has none of that id; if the file does, `feedmill reload`"
    )
}
