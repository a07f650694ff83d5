//! A month of a daemon with fifty feeds and everything that goes wrong on the web and on a machine: servers that are down,
//! busy, silent, gone, moved, or cut their documents; restarts; clocks that are set by years. Time is paused, disk and index
//! are in memory, and a seed makes the same month again: `FEEDMILL_SEED=17 cargo test month`. `FEEDMILL_SEEDS` says how many
//! months are played.

mod disk;
mod town;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use feedmill::archive::FolderArchive;
use feedmill::config::{self, Config, Source};
use feedmill::daemon;
use feedmill::poll::{Poller, Stop};
use feedmill::post;
use feedmill::site::Site;
use tokio::time::sleep_until;

use self::disk::MemoryDisk;
use self::town::{Asked, DAY, HOUR, MINUTE, MONTH, Machine, Town};
use crate::newsroom::Dice;
use crate::twin::Twin;

/// How long a daemon that was stopped is away at most.
const AWAY: u64 = 3 * HOUR;
/// Whoever is overdue when the clock was set is asked within ten minutes; a minute for the work.
const LATE: u64 = 11 * MINUTE;

/// What happens to the machine.
#[derive(Debug)]
struct Fate {
    /// When the daemon is stopped, and for how long.
    stops: Vec<(u64, u64)>,
    /// When the clock is set, and by how many milliseconds it is wrong from then on.
    clock: Vec<(u64, i64)>,
}

impl Fate {
    fn of(dice: &mut Dice) -> Self {
        let mut stops: Vec<(u64, u64)> =
            (0..dice.below(4)).map(|_| (dice.moment(MONTH), MINUTE + dice.moment(AWAY - MINUTE))).collect();
        stops.sort_unstable();
        stops.retain(|(at, _)| *at + AWAY < MONTH);
        stops.dedup_by(|b, a| b.0 < a.0 + a.1 + HOUR);
        let mut clock = Vec::new();
        if dice.one_in(2) {
            for _ in 0..=dice.below(2) {
                let at = dice.moment(MONTH - 3 * DAY);
                let years = i64::try_from(dice.below(3)).expect("few") * 7;
                let by = (years * 365 * 24 + 1 + i64::try_from(dice.below(30)).expect("few")) * 3_600_000;
                clock.push((at, if dice.one_in(2) { by } else { -by }));
                clock.push((at + 1 + dice.moment(2 * DAY), 0));
            }
            clock.sort_unstable();
        }
        Self { stops, clock }
    }

    fn stopped_between(&self, from: u64, to: u64) -> bool {
        self.stops.iter().any(|(at, away)| *at <= to && at + away >= from)
    }

    fn set_between(&self, from: u64, to: u64) -> bool {
        self.clock.iter().any(|(at, _)| *at + MINUTE >= from && *at <= to)
    }
}

struct Month {
    poller: Poller<Town, Twin, FolderArchive, Machine>,
    disk: Arc<MemoryDisk>,
    fate: Fate,
}

impl Month {
    fn of(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let fate = Fate::of(&mut dice);
        let town = Town::of(&mut dice);
        let text = format!("site: {{ url: 'https://news.example.net/' }}\nfeeds:\n{}", town.config());
        let config: Config = config::read(&[Source { name: "c", text: &text }], &|_| None).expect("config");
        let disk = Arc::new(MemoryDisk::default());
        let poller = Poller {
            clock: Arc::new(Machine::new(town.start)),
            fetch: Arc::new(town),
            index: Arc::new(Twin::default()),
            archive: Arc::new(FolderArchive::on(disk.clone(), "/archive".into(), config.storage.layout)),
            config: Arc::new(config),
        };
        Self { poller, disk, fate }
    }

    async fn play(&self) {
        let start = self.poller.fetch.start;
        let at = |second: u64| sleep_until(start + Duration::from_secs(second));
        let clock = async {
            for (second, wrong) in &self.fate.clock {
                at(*second).await;
                self.poller.clock.wrong.store(*wrong, Ordering::Relaxed);
            }
        };
        let daemon = async {
            let ends = self.fate.stops.iter().copied().chain([(MONTH, 0)]);
            for (end, away) in ends {
                let site = Site::on(self.disk.clone(), "/public".into());
                let (sender, stop) = Stop::new();
                let ended = async {
                    at(end).await;
                    let _ = sender.send(true);
                };
                let (done, ()) = tokio::join!(daemon::work(&self.poller, &site, &stop), ended);
                done.expect("a month without trouble at home");
                at(end + away).await;
            }
        };
        tokio::join!(clock, daemon);
    }

    fn titles(&self) -> Vec<String> {
        let posts = self.disk.below("/archive/_posts");
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        posts.iter().map(|(_, bytes)| post::from_text(&text(bytes)).expect("readable").title).collect()
    }

    fn check(&self) {
        let town = &self.poller.fetch;
        let titles = self.titles();
        let kept: BTreeSet<&str> = titles.iter().map(String::as_str).collect();
        assert_eq!(kept.len(), titles.len(), "nothing twice");
        for title in town.shown.lock().expect("shown").iter() {
            assert!(kept.contains(title.as_str()), "`{title}` was shown and is lost");
        }
        let asked = town.asked.lock().expect("asked");
        self.is_polite(&asked);
        for feed in &town.feeds {
            let mine: Vec<&Asked> = asked.iter().filter(|asked| asked.feed == feed.number).collect();
            self.is_in_time(feed, &mine);
            if feed.faults.is_empty() {
                // It was looked at often enough, whatever happened to the machine.
                let seen_by = MONTH - 2 * DAY;
                for n in (0..feed.posts.len()).filter(|n| feed.posts[*n] < seen_by) {
                    assert!(kept.contains(feed.title(n).as_str()), "`{}` was never seen: {feed:?}", feed.title(n));
                }
            }
        }
    }

    fn is_polite(&self, asked: &[Asked]) {
        let (mut hosts, mut addresses): (BTreeMap<_, Vec<_>>, BTreeMap<_, Vec<_>>) = Default::default();
        for one in asked {
            hosts.entry(&one.host).or_default().push(one);
            addresses.entry(&one.url).or_default().push(one);
        }
        for (host, mut log) in hosts {
            log.sort_by_key(|one| one.began);
            // The second address of a feed waits for its host inside the fetch (`fetch::hosts`), which is not played here.
            let town = &self.poller.fetch;
            log.retain(|one| !town.feeds[one.feed].has_moved());
            for pair in log.windows(2) {
                assert!(pair[1].began >= pair[0].ended, "{host} is asked twice at a time: {pair:?}");
                assert!(pair[1].began >= pair[0].began + 1000, "{host} is asked twice in a second: {pair:?}");
                let wanted = pair[0].ended + pair[0].wait * 1000;
                let (from, to) = (pair[0].began / 1000, pair[1].began / 1000);
                let excused = self.fate.set_between(from, to)
                    || !self.fate.clock.is_empty() && self.fate.stopped_between(from, to);
                assert!(pair[1].began >= wanted || excused, "{host} wanted to be left alone: {pair:?}");
            }
        }
        for (url, log) in addresses {
            for pair in log.windows(2) {
                let (from, to) = (pair[0].began / 1000, pair[1].began / 1000);
                // After a start, all that is known of the past is what a clock said that was wrong.
                let excused = !self.fate.clock.is_empty() && self.fate.stopped_between(from, to);
                assert!(to - from >= 15 * MINUTE - 1 || excused, "{url} is asked within min_interval: {pair:?}");
            }
            let gone = log.iter().filter(|one| one.gone).count();
            assert!(gone <= 1 + self.fate.clock.len() + self.fate.stops.len(), "{url} is gone and asked {gone} times");
        }
    }

    /// A feed that answers is asked at its times: never much later, and not in floods.
    fn is_in_time(&self, feed: &town::Feed, asked: &[&Asked]) {
        let (least, most) = feed.rhythm.bounds(feed.hint);
        let upsets = (self.fate.stops.len() + self.fate.clock.len()) as u64;
        // After a failure it is asked sooner than it would be, a dozen times until that is once a day, and at both of its
        // addresses where it moved.
        let at_most = MONTH / least + 3 * upsets + 5 + 30 * feed.faults.len() as u64;
        assert!(asked.len() as u64 <= at_most, "asked {} times, {at_most} at most: {feed:?}", asked.len());
        if !feed.faults.is_empty() {
            // A neighbour may ask for the whole host to be left alone.
            let neighbours = self.poller.fetch.feeds.iter().filter(|other| other.host() == feed.host());
            let over = neighbours.flat_map(|other| &other.faults).map(|fault| fault.to).max().expect("faults");
            // Back-off and hints end after a day, and nobody is given up.
            if over + 3 * DAY + most < MONTH && !feed.is_gone() {
                assert!(
                    asked.iter().any(|one| one.good && one.began / 1000 > over),
                    "never asked again: {feed:?} {:?} {asked:?}",
                    self.fate
                );
            }
            return;
        }
        let mut times: Vec<u64> = asked.iter().map(|one| one.began / 1000).collect();
        times.insert(0, 0);
        times.push(MONTH);
        for pair in times.windows(2) {
            let mut patience = most + LATE;
            if self.fate.stopped_between(pair[0], pair[1]) {
                patience += AWAY;
                // All that a start knows of the last poll may be what a wrong clock said.
                patience += if self.fate.clock.is_empty() { 0 } else { most + LATE };
            }
            if self.fate.set_between(pair[0], pair[1]) {
                patience += most + LATE;
            }
            assert!(
                pair[1] - pair[0] <= patience,
                "not asked from {} to {}: {:?} {feed:?}",
                pair[0],
                pair[1],
                self.fate
            );
        }
    }
}

fn play(seed: u64) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("runtime");
    let month = runtime.block_on(async {
        let month = Month::of(seed);
        month.play().await;
        month
    });
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| month.check()));
    assert!(checked.is_ok(), "to see it again: FEEDMILL_SEED={seed} cargo test --test main month");
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn a_month_loses_nothing_floods_nobody_and_forgets_nobody() {
    if let Some(seed) = number("FEEDMILL_SEED") {
        return play(seed);
    }
    let seeds = number("FEEDMILL_SEEDS").unwrap_or(20);
    let began = std::time::Instant::now();
    let next = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        break;
                    }
                    play(seed);
                }
            });
        }
    });
    println!("{seeds} months in {:.1} s", began.elapsed().as_secs_f64());
}
