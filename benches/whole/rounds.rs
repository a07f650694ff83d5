//! The whole against the floor, in rounds in which the order is another each time.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use clap::Args;

use crate::corpus::Corpus;
use crate::floor::Mode;
use crate::index;
use crate::meter::{self, Cost};
use crate::origin::{Answers, Origin};
use crate::ours::{House, Summary, folder, put};
use crate::random::Random;
use crate::record::{Record, median};

#[derive(Args, Debug)]
pub struct Options {
    /// How many feeds.
    #[arg(long, default_value_t = 1000)]
    pub feeds: usize,
    /// How often everything is measured.
    #[arg(long, default_value_t = 5)]
    pub rounds: usize,
    /// Makes feeds and order; the same number makes the same ones.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Milliseconds that the server waits before each answer.
    #[arg(long, default_value_t = 0)]
    pub latency: u64,
    /// Records that are put into the index before a last series of warm polls.
    #[arg(long, default_value_t = 0)]
    pub records: usize,
    /// CSV file that the figures are added to.
    #[arg(long)]
    pub out: Option<std::path::PathBuf>,
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Client {
    Feedmill,
    FloorParse,
    FloorWrite,
}

impl Client {
    const ALL: [Self; 3] = [Self::Feedmill, Self::FloorParse, Self::FloorWrite];

    pub fn name(self) -> &'static str {
        match self {
            Self::Feedmill => "feedmill",
            Self::FloorParse => "floor_parse",
            Self::FloorWrite => "floor_write",
        }
    }
}

/// What is served, and what has to come out.
pub struct Stand {
    pub origin: Origin,
    urls: Vec<String>,
    truth: [BTreeSet<String>; 2],
    entries: usize,
}

impl Stand {
    pub fn new(feeds: usize, seed: u64, latency: u64) -> Self {
        let corpus = Corpus::new(feeds, seed);
        let origin = Origin::start(feeds, seed, Duration::from_millis(latency));
        let urls = (0..feeds).map(|feed| origin.url(&corpus.path(feed))).collect();
        Self { origin, urls, truth: [corpus.links(0), corpus.links(1)], entries: corpus.entries(0) }
    }

    pub fn house(&self) -> House {
        House::new(&self.urls)
    }

    fn changing(&self) -> usize {
        (0..self.urls.len()).filter(|feed| Corpus::changes(*feed)).count()
    }

    /// What the server has to have answered when so many feeds were read.
    fn expect(&self, full: usize, what: &str) {
        let expected = Answers { full, not_modified: self.urls.len() - full };
        assert_eq!(self.origin.answers(), expected, "answers while {what}");
    }

    /// The links that were kept are exactly those there are.
    fn judge(&self, found: &BTreeSet<String>, kept: usize, version: usize) {
        let truth = &self.truth[version];
        let (missing, unexpected) = (truth.difference(found).count(), found.difference(truth).count());
        let duplicates = kept - found.len();
        assert!(
            missing + unexpected + duplicates == 0,
            "of {} entries, {missing} are missing, {unexpected} are unexpected, {duplicates} are duplicates",
            truth.len()
        );
    }

    /// Cold, warm, changed: what each cost. The house stays as it is after that.
    pub fn ours(&self) -> (House, Vec<(&'static str, Cost)>) {
        let house = self.house();
        let feeds = self.urls.len();
        self.origin.turn_to(0);
        let (cold, summary) = house.poll();
        self.expect(feeds, "cold");
        let new = self.truth[0].len();
        let expected = Summary { feeds, polled: feeds, new, duplicate: self.entries - new, ..Summary::default() };
        assert_eq!(summary, expected, "cold");
        let (found, kept) = house.links();
        self.judge(&found, kept, 0);
        let warm = self.warm(&house);
        self.origin.turn_to(1);
        let (changed, summary) = house.poll();
        self.expect(self.changing(), "changed");
        assert_eq!((summary.failed, summary.new), (0, self.truth[1].len() - new), "changed");
        let (found, kept) = house.links();
        self.judge(&found, kept, 1);
        (house, vec![("cold", cold), ("warm", warm), ("changed", changed)])
    }

    /// A poll that has to bring nothing and touch nothing outside the index.
    fn warm(&self, house: &House) -> Cost {
        let before = house.state();
        let (cost, summary) = house.poll();
        self.expect(0, "warm");
        let feeds = self.urls.len();
        assert_eq!(summary, Summary { feeds, not_modified: feeds, ..Summary::default() }, "warm");
        assert!(before == house.state(), "a warm poll touched files outside the index");
        cost
    }

    /// The floor in a folder: cold, warm, changed.
    pub fn floor(&self, mode: Mode, at: &Path) -> Vec<(&'static str, Cost)> {
        put(&at.join("urls"), &self.urls.join("\n"));
        fs::create_dir_all(at.join("posts")).expect("a folder");
        let phases = [("cold", 0, self.urls.len()), ("warm", 0, 0), ("changed", 1, self.changing())];
        let mut costs = Vec::new();
        for (phase, version, full) in phases {
            self.origin.turn_to(version);
            costs.push((phase, floor_once(mode, at)));
            self.expect(full, phase);
            let links = fs::read_to_string(at.join("links")).expect("links");
            let found: BTreeSet<String> = links.lines().map(str::to_owned).collect();
            self.judge(&found, links.lines().count(), version);
        }
        costs
    }
}

fn floor_once(mode: Mode, at: &Path) -> Cost {
    let mode = if mode == Mode::Parse { "parse" } else { "write" };
    let program = std::env::current_exe().expect("own path");
    let cost = meter::run(&program, &["floor", mode, at.to_str().expect("a path")], &at.join("out"));
    assert_eq!(cost.code, 0, "the floor failed");
    cost
}

/// Measures, prints what came out and adds it to the file.
pub fn run(options: &Options) {
    let Options { feeds, rounds, seed, latency, records, ref out } = *options;
    let mut record = Record::new(out.as_deref(), "rounds");
    eprintln!("making {feeds} feeds");
    let stand = Stand::new(feeds, seed, latency);
    let mut costs: BTreeMap<(&str, Client), Vec<Cost>> = BTreeMap::new();
    let mut note = |round: usize, phase, client: Client, cost: Cost| {
        costs.entry((phase, client)).or_default().push(cost);
        record.row(&[
            ("feeds", feeds.to_string()),
            ("latency_ms", latency.to_string()),
            ("round", round.to_string()),
            ("client", client.name().to_owned()),
            ("phase", phase.to_owned()),
            ("wall_s", format!("{:.4}", cost.wall)),
            ("cpu_s", format!("{:.4}", cost.cpu)),
            ("peak_mib", format!("{:.1}", cost.peak)),
        ]);
    };
    let mut order = Client::ALL;
    let mut random = Random::of(&[seed, 5]);
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        random.shuffle(&mut order);
        for client in order {
            let scratch = folder();
            let costs = match client {
                Client::Feedmill => stand.ours().1,
                Client::FloorParse => stand.floor(Mode::Parse, scratch.path()),
                Client::FloorWrite => stand.floor(Mode::Write, scratch.path()),
            };
            for (phase, cost) in costs {
                note(round, phase, client, cost);
            }
        }
    }
    if records > 0 {
        eprintln!("putting {records} records into the index");
        let (house, _) = stand.ours();
        index::stuff(&house, records);
        // Where topics have to be looked at again, that is not the poll's work.
        house.poll();
        stand.origin.turn_to(1);
        let scratch = folder();
        stand.floor(Mode::Parse, scratch.path());
        for round in 1..=rounds {
            note(round, "full", Client::Feedmill, stand.warm(&house));
            note(round, "full", Client::FloorParse, floor_once(Mode::Parse, scratch.path()));
            stand.origin.turn_to(1);
        }
    }
    print(&costs);
}

/// What is measured of a run.
type Measure = fn(&Cost) -> f64;

fn print(costs: &BTreeMap<(&str, Client), Vec<Cost>>) {
    let wall: Measure = |cost| cost.wall;
    let cpu: Measure = |cost| cost.cpu;
    let peak: Measure = |cost| cost.peak;
    let of = |phase, client, measure: Measure| {
        costs.get(&(phase, client)).map(|costs| median(&costs.iter().map(measure).collect::<Vec<_>>()))
    };
    println!("{:8} {:12} {:>9} {:>9} {:>9}", "phase", "client", "wall s", "cpu s", "peak MiB");
    for phase in ["cold", "warm", "changed", "full"] {
        for client in Client::ALL {
            let measured = (of(phase, client, wall), of(phase, client, cpu), of(phase, client, peak));
            let (Some(wall), Some(cpu), Some(peak)) = measured else { continue };
            println!("{phase:8} {:12} {wall:9.3} {cpu:9.3} {peak:9.1}", client.name());
        }
    }
    println!();
    let ratios = [
        ("cold: CPU / floor_parse", "cold", cpu, Client::FloorParse),
        ("cold: wall / floor_write", "cold", wall, Client::FloorWrite),
        ("cold: peak memory / floor_write", "cold", peak, Client::FloorWrite),
        ("warm: CPU / floor_parse", "warm", cpu, Client::FloorParse),
        ("warm: wall / floor_parse", "warm", wall, Client::FloorParse),
        ("changed: CPU / floor_write", "changed", cpu, Client::FloorWrite),
        ("warm, full index: CPU / floor_parse", "full", cpu, Client::FloorParse),
        ("warm, full index: wall / floor_parse", "full", wall, Client::FloorParse),
    ];
    for (name, phase, measure, floor) in ratios {
        let pair = of(phase, Client::Feedmill, measure).zip(of(phase, floor, measure));
        if let Some((ours, floor)) = pair {
            println!("{name:37} {:6.2}", ours / floor);
        }
    }
}
