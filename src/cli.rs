//! Commands and flags, progress, summaries.

mod manual;
mod summary;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use self::summary::{Summary, counted};
use crate::app::{App, AppError, Import};
use crate::config::append::AppendError;
use crate::control::ControlError;
use crate::log::{self, Least};
use crate::model::StatusSummary;
use crate::poll::{FeedReport, Options};
use crate::{index, maintain, watch};

/// Where `--help` shows what every command takes, so that a command's own options stand by themselves.
const EVERYWHERE: &str = "Options of every command";

/// Polls feeds, keeps every entry for ever as a readable post, republishes merged feeds by topic.
#[derive(Debug, Parser)]
#[command(name = "feedmill", version, max_term_width = 100)]
pub struct Cli {
    /// Work in this folder: paths in the config are relative to it.
    #[arg(short = 'C', value_name = "DIR", global = true, help_heading = EVERYWHERE)]
    directory: Option<PathBuf>,
    /// The config file [default: `$FEEDMILL_CONFIG`, else config/feedmill.yaml].
    #[arg(long, value_name = "FILE", global = true, help_heading = EVERYWHERE)]
    config: Option<PathBuf>,
    /// Say more: one line per feed.
    #[arg(short, long, global = true, conflicts_with = "quiet", help_heading = EVERYWHERE)]
    verbose: bool,
    /// Say nothing but what went wrong.
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    quiet: bool,
    /// How warnings, errors and the daemon's log are written to standard error.
    #[arg(long, value_name = "FORMAT", global = true, value_enum, default_value_t, help_heading = EVERYWHERE)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

/// A line of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    /// For people.
    #[default]
    Human,
    /// One object a line, for machines.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Poll feeds once, keep what is new, publish what changed.
    Poll(PollArgs),
    /// Poll every feed at its times and serve the published files until stopped.
    Daemon,
    /// Let the running daemon read its config again; it keeps the old one and says why, if the new one has problems.
    Reload,
    /// Rebuild the published files from the archive.
    Publish {
        /// Topics to publish, by id [default: all].
        #[arg(value_name = "TOPIC")]
        topics: Vec<String>,
    },
    /// Set up a folder: a commented config, an archive that Jekyll builds, a systemd unit. What exists is left alone.
    Init {
        /// The folder.
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Tell which entry an address or a post is, and why it counts as that.
    Explain {
        /// Address of an article, or path of a post.
        #[arg(value_name = "URL-or-POST")]
        what: String,
    },
    /// Find the feed behind an address and append it to the config; comments survive.
    Add {
        /// Address of a feed, or of a page that links one.
        url: String,
    },
    /// Take over an archive of posts (a folder), or append the feeds of an OPML or subs.json file.
    Import {
        /// Folder or file.
        path: PathBuf,
    },
    /// Print what other programs can take over.
    Export {
        #[command(subcommand)]
        what: Export,
    },
    /// Take an entry down: its post goes, the ledger remembers, it never comes back.
    Forget {
        /// Address of the article, or path of its post.
        #[arg(value_name = "URL-or-POST")]
        what: String,
        /// Why; the ledger keeps it.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Make the index again from the archive.
    Reindex,
    /// Check every post: readable, name, date and key agree, the index knows it.
    Verify {
        /// Compare the checksums of the ledger too.
        #[arg(long)]
        deep: bool,
    },
    /// For developers: make posts again from their sources, report what comes out differently.
    #[command(hide = true)]
    Replay,
    /// Show how it stands with each feed: last poll, last new entry, next poll, and what needs somebody. Nothing is polled.
    Status {
        /// Print one JSON object per feed, then a summary.
        #[arg(long)]
        json: bool,
    },
    /// Validate the config, show when each feed is polled next and how many posts each topic matches; nothing is written.
    Check,
    /// Print a script that lets a shell complete commands and flags.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the man page.
    Man,
    /// Asked by another process of this program: say whether a store of the index can be read.
    #[command(name = index::TRY_STORE, hide = true)]
    TryStore { kind: String, path: PathBuf },
}

#[derive(Debug, Subcommand)]
enum Export {
    /// The feeds of the config as OPML, nested by topic.
    Opml,
}

#[derive(Debug, Args)]
struct PollArgs {
    /// Feeds to poll, by id [default: every enabled one].
    #[arg(value_name = "FEED")]
    feeds: Vec<String>,
    /// Poll feeds whose last poll is recent too, and ask for the whole document.
    #[arg(long)]
    force: bool,
    /// Show what would be new; write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object per feed, then a summary.
    #[arg(long)]
    json: bool,
}

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Volume {
    Quiet,
    Normal,
    Verbose,
}

/// Runs the command line.
pub fn run(cli: Cli) -> ExitCode {
    let volume = match (cli.quiet, cli.verbose) {
        (true, _) => Volume::Quiet,
        (_, true) => Volume::Verbose,
        _ => Volume::Normal,
    };
    let least = match volume {
        Volume::Quiet => Least::Warnings,
        Volume::Normal => Least::News,
        Volume::Verbose => Least::Details,
    };
    let format = match (cli.log_format, &cli.command) {
        (LogFormat::Json, _) => log::Format::Json,
        // What runs for months is read by its times.
        (LogFormat::Human, Command::Daemon) => log::Format::Timed,
        (LogFormat::Human, _) => log::Format::Human,
    };
    log::start(format, least);
    let done = match (cli.directory.as_deref().map(std::env::set_current_dir), cli.command) {
        (Some(Err(error)), _) => Err(AppError::Directory { path: cli.directory.unwrap_or_default(), cause: error }),
        // There is no config yet.
        (_, Command::Init { dir }) => init(&dir, volume),
        (_, Command::Completions { shell }) => {
            print(&manual::completions(shell));
            Ok(ExitCode::SUCCESS)
        }
        (_, Command::Man) => manual::page().map_err(AppError::Start).map(|page| {
            print(&page);
            ExitCode::SUCCESS
        }),
        (_, Command::TryStore { kind, path }) => Ok(try_store(&kind, &path)),
        (_, command) => App::load(cli.config).and_then(|app| dispatch(&app, command, volume)),
    };
    done.unwrap_or_else(|error| {
        say_error(&error, cli.log_format);
        ExitCode::from(error.exit_code())
    })
}

fn dispatch(app: &App, command: Command, volume: Volume) -> Result<ExitCode, AppError> {
    match command {
        Command::Poll(args) => return poll(app, &args, volume),
        Command::Daemon => app.daemon()?,
        Command::Reload => say(volume, Volume::Normal, &app.reload()?),
        Command::Publish { topics } => return publish(app, &topics, volume),
        Command::Init { dir } => return init(&dir, volume),
        Command::Explain { what } => print(&app.explain(&what)?),
        Command::Add { url } => add(app, &url, volume)?,
        Command::Import { path } => return import(app, &path, volume),
        Command::Export { what: Export::Opml } => print(&app.export_opml()),
        Command::Forget { what, reason } => say(volume, Volume::Normal, &app.forget(&what, &reason)?),
        Command::Reindex => reindex(app, volume)?,
        Command::Verify { deep } => return verify(app, deep, volume),
        Command::Replay => return replay(app, volume),
        Command::Status { json } => return status(app, json),
        Command::Check => print(&app.check()?),
        // Told without a config.
        Command::Completions { .. } | Command::Man => {}
        Command::TryStore { kind, path } => return Ok(try_store(&kind, &path)),
    }
    Ok(ExitCode::SUCCESS)
}

/// The exit code of what found nothing wrong, or something.
fn unless(wrong: &[String], code: ExitCode) -> ExitCode {
    if wrong.is_empty() { ExitCode::SUCCESS } else { code }
}

fn publish(app: &App, topics: &[String], volume: Volume) -> Result<ExitCode, AppError> {
    let outcome = app.publish(topics)?;
    warn_all(&outcome.unreadable);
    say(volume, Volume::Normal, &format!("published: {} changed", counted(outcome.changed, "file")));
    Ok(unless(&outcome.unreadable, ExitCode::from(4)))
}

fn add(app: &App, url: &str, volume: Volume) -> Result<(), AppError> {
    for id in app.add(url)? {
        let next = "`feedmill check` shows when it is polled, `feedmill reload` tells it to a running daemon";
        say(volume, Volume::Normal, &format!("added feed `{id}`; {next}"));
    }
    Ok(())
}

fn reindex(app: &App, volume: Volume) -> Result<(), AppError> {
    let bar = counting("lines", volume);
    let done = app.reindex(|at, all| advance(&bar, at, all))?;
    bar.finish_and_clear();
    warn_all(&done.said);
    let lines = counted(done.lines, "ledger line");
    let adopted = match done.adopted {
        0 => String::new(),
        posts => format!(", {} without a line got one", counted(posts, "post")),
    };
    say(volume, Volume::Normal, &format!("the index was made again from {lines}{adopted}"));
    Ok(())
}

fn verify(app: &App, deep: bool, volume: Volume) -> Result<ExitCode, AppError> {
    let bar = counting("posts", volume);
    let done = app.verify(deep, |at, all| advance(&bar, at, all))?;
    bar.finish_and_clear();
    warn_all(&done.findings);
    let found = match done.findings.len() {
        0 => "all is well".to_owned(),
        findings => counted(findings, "finding"),
    };
    say(volume, Volume::Normal, &format!("checked {}: {found}", counted(done.posts, "post")));
    Ok(unless(&done.findings, ExitCode::FAILURE))
}

fn replay(app: &App, volume: Volume) -> Result<ExitCode, AppError> {
    let done = app.replay()?;
    warn_all(&done.different);
    say(volume, Volume::Normal, &format!("replayed: {} the same, {} different", done.same, done.different.len()));
    Ok(unless(&done.different, ExitCode::FAILURE))
}

fn poll(app: &App, args: &PollArgs, volume: Volume) -> Result<ExitCode, AppError> {
    let options = Options { force: args.force, dry_run: args.dry_run };
    let bar = progress(app, args, volume);
    let done = app.poll(&args.feeds, options, |report| {
        if args.json {
            print(&json(report));
        } else if volume == Volume::Verbose {
            bar.suspend(|| print(&report.log_line()));
        }
        bar.suspend(|| warn_about(report, volume));
        bar.inc(1);
    });
    bar.finish_and_clear();
    let done = done?;
    warn_all(&done.healed);
    warn_all(&done.unreadable);
    let summary = Summary::of(&done.reports, done.seconds);
    if args.json {
        print(&json(&serde_json::json!({ "summary": summary })));
    } else {
        say(volume, Volume::Normal, &summary.sentence(args.dry_run));
    }
    Ok(if summary.failed > 0 { ExitCode::from(4) } else { ExitCode::SUCCESS })
}

fn status(app: &App, as_json: bool) -> Result<ExitCode, AppError> {
    let (feeds, now) = app.status()?;
    if as_json {
        for feed in &feeds {
            print(&json(feed));
        }
        print(&json(&serde_json::json!({ "summary": StatusSummary::of(&feeds) })));
    } else {
        print(&watch::table(&feeds, now));
    }
    Ok(ExitCode::SUCCESS)
}

fn try_store(kind: &str, path: &Path) -> ExitCode {
    index::try_store(kind, path);
    ExitCode::SUCCESS
}

fn init(dir: &Path, volume: Volume) -> Result<ExitCode, AppError> {
    let files = maintain::init::init(dir)?;
    for file in &files {
        say(volume, Volume::Normal, &file.to_string());
    }
    if files.iter().any(|file| !file.left_alone) {
        say(
            volume,
            Volume::Normal,
            "next: set `site.url` in config/feedmill.yaml and `url` in data/archive/_config.yml, then `feedmill check` and `feedmill poll`",
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn import(app: &App, path: &Path, volume: Volume) -> Result<ExitCode, AppError> {
    let bar = counting("files", volume);
    let done = app.import(path, |at, all| advance(&bar, at, all))?;
    bar.finish_and_clear();
    match done {
        Import::Posts(done) => {
            warn_all(&done.unreadable);
            warn_all(&done.forgotten);
            if volume == Volume::Verbose {
                done.several.iter().for_each(|line| print(line));
            }
            for (oddity, count) in &done.oddities {
                say(volume, Volume::Verbose, &format!("{count} with: {oddity}"));
            }
            let gone = match done.forgotten.len() {
                0 => String::new(),
                gone => format!(", {gone} taken down before"),
            };
            say(
                volume,
                Volume::Normal,
                &format!(
                    "imported {}: {} known before, {} unreadable, {} held by several files{gone}",
                    counted(done.taken, "post"),
                    done.known,
                    done.unreadable.len(),
                    if done.several.len() == 1 {
                        "1 entry".to_owned()
                    } else {
                        format!("{} entries", done.several.len())
                    }
                ),
            );
            let is_whole = done.unreadable.is_empty() && done.forgotten.is_empty();
            Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::from(4) })
        }
        Import::Feeds { added, known, skipped } => {
            warn_all(&skipped);
            let was_known = if known.is_empty() { String::new() } else { format!(", {} there before", known.len()) };
            say(volume, Volume::Normal, &format!("added {} to the config{was_known}", counted(added.len(), "feed")));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A bar for long work on the archive, whose length is known only when it begins.
fn counting(what: &'static str, volume: Volume) -> ProgressBar {
    if volume == Volume::Quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(&format!("{{bar:30}} {{pos}}/{{len}} {what} {{elapsed}}"));
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn advance(bar: &ProgressBar, at: usize, all: usize) {
    bar.set_length(all as u64);
    bar.set_position(at as u64);
}

/// A bar on a terminal, nothing elsewhere.
fn progress(app: &App, args: &PollArgs, volume: Volume) -> ProgressBar {
    if volume == Volume::Quiet || args.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} feeds {elapsed}");
    let bar = ProgressBar::new(app.count(&args.feeds) as u64);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn warn_about(report: &FeedReport, volume: Volume) {
    // A feed that failed is told even to those who asked for quiet: cron mails what is said.
    if let Some(error) = &report.error {
        warn(error);
    }
    if volume == Volume::Quiet {
        return;
    }
    warn_all(&report.notes);
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn say(volume: Volume, from: Volume, line: &str) {
    if volume >= from {
        print(line);
    }
}

/// To standard output. A closed pipe is the reader's choice, not a failure.
fn print(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", line.trim_end());
}

fn say_error(error: &AppError, format: LogFormat) {
    if let AppError::Control(ControlError::Refused { texts, .. }) = error {
        for text in texts {
            tracing::error!("{text}");
        }
        return;
    }
    let AppError::Config(problems) = error else {
        tracing::error!("{error}");
        // Lines to be copied: a line of the log is one line.
        if let AppError::Append { cause: AppendError::ByHand(lines), .. } = error {
            print(lines);
        }
        return;
    };
    for problem in problems {
        tracing::error!("{problem}");
    }
    // A count is one more line for people, and one object too many for machines.
    if format == LogFormat::Human {
        let count = counted(problems.len(), "problem");
        let _ = writeln!(std::io::stderr().lock(), "{count} in the config; nothing was started");
    }
}

fn warn(line: &str) {
    tracing::warn!("{line}");
}

fn warn_all(lines: &[String]) {
    for line in lines {
        warn(line);
    }
}
