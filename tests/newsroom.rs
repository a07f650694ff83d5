//! Feeds whose content changes all the time, and the truth about what an archive has to hold of it.
//!
//! An entry leaves its feeds only after a poll that came to its end has met its last version, so
//! everything that was ever served has to be kept, whatever happened to the polls in between.

use std::collections::{BTreeMap, BTreeSet};

use feedmill::model::Post;

use crate::house::{DATE, item, rss};

/// Numbers that look random and are the same for the same seed (splitmix64).
#[derive(Debug)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `below` - 1.
    pub fn below(&mut self, below: usize) -> usize {
        usize::try_from(self.next() % below.max(1) as u64).expect("small")
    }

    /// A moment of such a time.
    pub fn moment(&mut self, of: u64) -> u64 {
        self.next() % of.max(1)
    }

    pub fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }
}

pub const FEEDS: [&str; 4] = ["a", "b", "c", "d"];

/// What may happen to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Its text is edited.
    Edited,
    /// Its title is edited.
    Renamed,
    /// Its guid changes, its text is edited.
    Dealt,
    /// Its link changes, its guid is an address and stays.
    Moved,
    /// Others have the same link; its text is edited.
    Shared,
    /// Another feed carries it, too, with a teaser; its text is edited.
    Copied,
    /// It has no date; its text is edited.
    Undated,
}

const KINDS: [Kind; 7] =
    [Kind::Edited, Kind::Renamed, Kind::Dealt, Kind::Moved, Kind::Shared, Kind::Copied, Kind::Undated];

/// An article. Each of its versions has a number that stands in its text or title.
#[derive(Debug)]
struct Article {
    kind: Kind,
    feed: usize,
    version: usize,
    is_in: bool,
}

/// More versions than an archive keeps (24) would be no fair truth.
const MOST_VERSIONS: usize = 12;

/// A document that somebody may ask for: the version of each article in it.
pub type Edition = BTreeMap<usize, usize>;

#[derive(Debug)]
pub struct Newsroom {
    dice: Dice,
    articles: Vec<Article>,
    /// Articles that were in a document that somebody was given.
    served: BTreeSet<usize>,
    /// Article and version that a poll met which came to its end, by feed.
    confirmed: [BTreeSet<(usize, usize)>; FEEDS.len()],
}

impl Newsroom {
    pub fn new(seed: u64) -> Self {
        let confirmed = std::array::from_fn(|_| BTreeSet::new());
        Self { dice: Dice(seed), articles: Vec::new(), served: BTreeSet::new(), confirmed }
    }

    /// Time passes: articles come, change and go.
    pub fn change(&mut self) {
        for _ in 0..self.dice.below(4) {
            let kind = KINDS[self.dice.below(KINDS.len())];
            let feed = self.dice.below(FEEDS.len());
            self.articles.push(Article { kind, feed, version: 1, is_in: true });
        }
        for number in 0..self.articles.len() {
            if !self.articles[number].is_in {
                continue;
            }
            if self.is_confirmed(number) && self.dice.one_in(4) {
                self.articles[number].is_in = false;
            } else if self.articles[number].version < MOST_VERSIONS && self.dice.one_in(6) {
                self.articles[number].version += 1;
            }
        }
    }

    /// True when every feed that carries it was met with its last version.
    fn is_confirmed(&self, number: usize) -> bool {
        let carriers = (0..FEEDS.len()).filter(|feed| self.carries(*feed, number));
        carriers.into_iter().all(|feed| self.confirmed[feed].contains(&(number, self.articles[number].version)))
    }

    fn carries(&self, feed: usize, number: usize) -> bool {
        let article = &self.articles[number];
        article.is_in && (article.feed == feed || (article.kind == Kind::Copied && copier(article.feed) == feed))
    }

    /// A feed's document now, with what is in it; it counts as served.
    pub fn serve(&mut self, feed: usize) -> (String, Edition) {
        let inside: Vec<usize> = (0..self.articles.len()).filter(|number| self.carries(feed, *number)).collect();
        self.served.extend(&inside);
        let items: String = inside.iter().map(|number| self.written(feed, *number)).collect();
        (rss(&items), inside.into_iter().map(|number| (number, self.articles[number].version)).collect())
    }

    /// A poll that came to its end has met this edition.
    pub fn confirm(&mut self, feed: usize, edition: &Edition) {
        self.confirmed[feed].extend(edition.iter().map(|(number, version)| (*number, *version)));
    }

    /// … and those of all feeds.
    pub fn confirm_all(&mut self, editions: &[Edition]) {
        for (feed, edition) in editions.iter().enumerate() {
            self.confirm(feed, edition);
        }
    }

    fn written(&self, feed: usize, number: usize) -> String {
        let Article { kind, feed: of, version, .. } = self.articles[number];
        let address = format!("https://example.org/{number}");
        let mut title = format!("Article {number}");
        let mut link = address.clone();
        let mut guid = format!("guid-{number}");
        let mut date = DATE;
        let mut text = format!("{}{version}", mark(number));
        match kind {
            Kind::Renamed => {
                title = format!("Article {number}, version {version}");
                text = mark(number);
            }
            Kind::Dealt => guid = format!("guid-{number}-{version}"),
            Kind::Moved => {
                guid = format!("{address}/guid");
                link = format!("{address}/at-{version}");
                text = mark(number);
            }
            // A link that two feeds share is one article.
            Kind::Shared => link = format!("https://example.org/shared-in-{}/{}", FEEDS[of], number / 16),
            Kind::Copied if of != feed => {
                link = format!("http://example.org/{number}?utm_source=copy");
                guid = format!("copy-{number}");
                text = format!("{}teaser", mark(number));
            }
            Kind::Edited | Kind::Copied => {}
            Kind::Undated => date = "",
        }
        item(&title, &link, &guid, date, &format!("<p>{text}</p>"))
    }

    pub fn served(&self) -> usize {
        self.served.len()
    }

    /// What is wrong with an archive after a poll that met everything there is. `former` are the
    /// former versions.
    pub fn judge(&self, posts: &[Post], former: &[Post]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut by_number: BTreeMap<usize, Vec<&Post>> = BTreeMap::new();
        for post in posts {
            by_number.entry(number_of(post)).or_default().push(post);
        }
        for number in &self.served {
            let kept = by_number.remove(number).unwrap_or_default();
            match kept[..] {
                [] => {
                    wrong.push(format!("lost: {} in feed {}", self.named(*number), FEEDS[self.articles[*number].feed]));
                }
                [post] => wrong.extend(self.judge_one(*number, post, former)),
                _ => wrong.push(format!("{} posts of {}", kept.len(), self.named(*number))),
            }
        }
        wrong.extend(by_number.keys().map(|number| format!("never served, but kept: {}", self.named(*number))));
        wrong
    }

    fn judge_one(&self, number: usize, post: &Post, former: &[Post]) -> Vec<String> {
        let article = &self.articles[number];
        let owner = FEEDS.iter().position(|feed| post.categories == [feed.to_uppercase()]).expect("a feed");
        let carried: Vec<usize> = versions(&self.confirmed[owner], number);
        if carried.last() != Some(&article.version) {
            return vec![format!("{}: the last poll did not meet version {}", self.named(number), article.version)];
        }
        let mut kept: Vec<&Post> = former.iter().filter(|former| number_of(former) == number).collect();
        kept.push(post);
        let has = |version: usize| kept.iter().any(|post| self.is_version(number, owner, version, post));
        let mut wrong: Vec<String> = carried
            .into_iter()
            .filter(|version| !has(*version))
            .map(|version| format!("{}: version {version} is lost", self.named(number)))
            .collect();
        if !self.is_version(number, owner, article.version, post) {
            wrong.push(format!("{}: the post is not version {}: {}", self.named(number), article.version, post.body));
        }
        wrong
    }

    fn is_version(&self, number: usize, owner: usize, version: usize, post: &Post) -> bool {
        match self.articles[number].kind {
            Kind::Renamed => post.title.ends_with(&format!("version {version}")),
            // A new address is no new version.
            Kind::Moved => true,
            Kind::Copied if self.articles[number].feed != owner => {
                post.body.contains(&format!("{}teaser", mark(number)))
            }
            _ => post.body.contains(&format!("{}{version}<", mark(number))),
        }
    }

    fn named(&self, number: usize) -> String {
        match self.articles.get(number) {
            Some(article) => format!("article {number} ({:?})", article.kind),
            None => format!("article {number}"),
        }
    }
}

/// The feed that copies the articles of another one.
fn copier(feed: usize) -> usize {
    (feed + 1) % FEEDS.len()
}

fn versions(confirmed: &BTreeSet<(usize, usize)>, number: usize) -> Vec<usize> {
    confirmed.range((number, 0)..=(number, usize::MAX)).map(|(_, version)| *version).collect()
}

/// What every version of an article has in its text.
fn mark(number: usize) -> String {
    format!("article number {number}, version ")
}

fn number_of(post: &Post) -> usize {
    let number = post.body.split("article number ").nth(1).and_then(|rest| rest.split(',').next());
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{post:?}"))
}
