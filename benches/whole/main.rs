//! Measures the whole program, beside a floor and as what it works on grows.
//!
//! `just bench` prints a table; `just bench-series` makes the figures of `docs/performance.md`. Each measured program
//! is a process of its own; this tool starts itself again as server of the feeds, as floor and as meter.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool that reports to people")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]
#![allow(clippy::format_push_string, reason = "text of feeds reads best as it will be")]

mod corpus;
mod floor;
mod growth;
mod index;
mod meter;
mod origin;
mod ours;
mod posts;
mod random;
mod record;
mod rounds;
mod serving;
mod text;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::corpus::Corpus;

/// The program's own allocator, so that the floor has it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser, Debug)]
#[command(about = "Measures feedmill as a whole")]
struct Arguments {
    /// Cargo says this.
    #[arg(long, hide = true, global = true)]
    bench: bool,
    #[command(subcommand)]
    series: Option<Series>,
}

#[derive(Subcommand, Debug)]
enum Series {
    /// Cold, warm and changed polls in interleaved rounds against the floor.
    Rounds(rounds::Options),
    /// Polls of more and more feeds.
    Sizes {
        #[arg(long, value_delimiter = ',', default_value = "100,300,1000,3000,10000")]
        feeds: Vec<usize>,
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// An index of more and more records.
    Index {
        #[arg(long, value_delimiter = ',', default_value = "10000,30000,100000,300000,1000000,2000000")]
        records: Vec<usize>,
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Reindexing, and a topic with a new rule, over more and more posts.
    Topics {
        #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000,1000000")]
        posts: Vec<usize>,
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Servers that take their time.
    Latency {
        #[arg(long, default_value_t = 1000)]
        feeds: usize,
        #[arg(long, value_delimiter = ',', default_value = "100,200,300")]
        waits: Vec<u64>,
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// A fresh clone of an archive until its first request.
    Clone {
        #[arg(long, default_value_t = 20_000)]
        posts: usize,
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// The daemon's server beside nginx.
    Serving {
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        #[arg(long, default_value_t = 5)]
        seconds: usize,
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// What is measured on.
    Machine { out: PathBuf },
    #[command(hide = true)]
    Origin { feeds: usize, seed: u64, latency: u64 },
    #[command(hide = true)]
    Floor { mode: floor::Mode, folder: PathBuf },
    #[command(hide = true)]
    IndexFill { at: PathBuf, records: usize, config: Option<PathBuf> },
    #[command(hide = true)]
    IndexRead { at: PathBuf, records: usize },
    #[command(hide = true)]
    ArchiveFill { at: PathBuf, posts: usize },
    #[command(hide = true)]
    Meter {
        output: PathBuf,
        program: String,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() {
    let arguments = Arguments::parse();
    match arguments.series {
        Some(series) => run(series),
        None if arguments.bench => {
            eprintln!("the whole is measured with `just bench` and `just bench-series`");
        }
        None => smoke(),
    }
}

/// Everything once and small, to see that it works; `cargo test` asks for it.
fn smoke() {
    let scratch = ours::folder();
    let out = |name: &str| Some(scratch.path().join(name));
    rounds::run(&rounds::Options { feeds: 30, rounds: 1, seed: 1, latency: 0, records: 1000, out: out("rounds") });
    run(Series::Sizes { feeds: vec![10], rounds: 1, out: out("sizes") });
    run(Series::Index { records: vec![1000], out: out("index") });
    run(Series::Topics { posts: vec![200], rounds: 1, out: out("topics") });
    run(Series::Latency { feeds: 10, waits: vec![20], rounds: 1, out: out("latency") });
    run(Series::Clone { posts: 200, rounds: 1, out: out("clone") });
    run(Series::Machine { out: scratch.path().join("machine") });
}

fn run(series: Series) {
    match series {
        Series::Rounds(options) => rounds::run(&options),
        Series::Sizes { feeds, rounds, out } => growth::sizes(&feeds, rounds, out.as_deref()),
        Series::Index { records, out } => index::run(&records, out.as_deref()),
        Series::Topics { posts, rounds, out } => posts::topics(&posts, rounds, out.as_deref()),
        Series::Latency { feeds, waits, rounds, out } => growth::latency(feeds, &waits, rounds, out.as_deref()),
        Series::Clone { posts, rounds, out } => posts::clone(posts, rounds, out.as_deref()),
        Series::Serving { rounds, seconds, out } => serving::run(rounds, seconds, out.as_deref()),
        Series::Machine { out } => record::machine(&out),
        Series::Origin { feeds, seed, latency } => {
            origin::serve(&Corpus::new(feeds, seed), Duration::from_millis(latency));
        }
        Series::Floor { mode, folder } => floor::poll(mode, &folder),
        Series::IndexFill { at, records, config } => index::fill(&at, records, config.as_deref()),
        Series::IndexRead { at, records } => index::read(&at, records),
        Series::ArchiveFill { at, posts } => posts::fill(&at, posts),
        Series::Meter { output, program, args } => meter::child(&output, &program, &args),
    }
}
