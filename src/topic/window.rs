//! Which of a topic's posts its current feed shows, and which of them stand for others.

use std::collections::HashMap;
use std::time::Duration;

use super::form;
use crate::model::{EntryKey, Timestamp, Topic};

/// Equal titles further apart are two stories.
const SAME_STORY: Duration = Duration::from_hours(3 * 24);

/// A post that may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its key.
    pub key: EntryKey,
    /// Its date.
    pub date: Timestamp,
    /// Who brought it; `None` when nobody knows, and then it is neither counted nor folded.
    pub source: Option<String>,
    /// Its [`title`]; looked at by topics that fold.
    pub title: String,
}

/// A post that is shown, by its place among the candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The place.
    pub at: usize,
    /// Places of those that tell the same story and are not shown themselves, oldest first.
    pub related: Vec<usize>,
}

/// What the current feed shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// In the order of the candidates.
    pub shown: Vec<Shown>,
    /// False when older candidates could change it.
    pub is_full: bool,
}

/// A title as it is compared: its letters and digits, folded. Empty titles tell no story.
pub fn title(text: &str) -> String {
    form::title(text)
}

/// Chooses among a topic's newest posts, given newest first.
///
/// - `per_feed_limit` leaves out what a source brings beyond it; older posts of others move up.
/// - `max_age` counts from the newest post, so that time alone changes no file.
/// - `fold`: of posts with one title that different sources bring within three days the earliest is
///   shown, so that a reader sees the story once, when it is new; the others are related to it. A
///   source that repeats a title (a daily column) begins a new story each time.
///   A story of a source that has no room is told by the next.
/// - What `must_show` picks is hidden by none of the limits, and takes no place from others; of a story
///   it is enough that one is shown.
pub fn window(topic: &Topic, candidates: &[Candidate], must_show: impl Fn(&Candidate) -> bool) -> Window {
    let stories = if topic.fold { stories(candidates) } else { Stories::default() };
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut shown: Vec<Shown> = Vec::new();
    let mut places = 0;
    let is_young = |candidate: &Candidate| {
        let newest = candidates.first().map_or(candidate.date, |first| first.date);
        topic.max_age.is_none_or(|age| within(candidate.date, newest, age))
    };
    for (at, candidate) in candidates.iter().enumerate() {
        if stories.is_told_by.contains_key(&at) {
            continue;
        }
        let mut story = vec![at];
        story.extend(stories.related.get(&at).into_iter().flatten());
        let brought = |at: &usize| candidates[*at].source.as_deref();
        let has_room = |at: &usize| {
            let count = brought(at).and_then(|source| counts.get(source)).copied().unwrap_or_default();
            topic.per_feed_limit.is_none_or(|most| count < most)
        };
        let teller = story.iter().position(has_room);
        let fits = teller.is_some() && places < topic.limit && is_young(candidate);
        if fits || story.iter().any(|at| must_show(&candidates[*at])) {
            places += usize::from(fits);
            let at = story.remove(teller.unwrap_or_default());
            if let Some(source) = brought(&at) {
                *counts.entry(source).or_default() += 1;
            }
            shown.push(Shown { at, related: story });
        }
    }
    shown.sort_by_key(|shown| shown.at);
    let is_full = candidates.last().is_some_and(|last| {
        let is_over = places >= topic.limit || !is_young(last);
        let oldest = shown.last().map_or(last.date, |shown| candidates[shown.at].date);
        is_over && !(topic.fold && within(last.date, oldest, SAME_STORY))
    });
    Window { shown, is_full }
}

fn within(earlier: Timestamp, later: Timestamp, span: Duration) -> bool {
    u128::from(later.millis().abs_diff(earlier.millis())) <= span.as_millis()
}

#[derive(Default)]
struct Stories {
    /// Who is shown in the place of whom.
    is_told_by: HashMap<usize, usize>,
    related: HashMap<usize, Vec<usize>>,
}

/// Tells which candidates tell a story that an earlier one has told.
fn stories(candidates: &[Candidate]) -> Stories {
    let mut stories = Stories::default();
    // for each title the candidates that began a story, latest last
    let mut begun: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, candidate) in candidates.iter().enumerate().rev() {
        if candidate.title.is_empty() || candidate.source.is_none() {
            continue;
        }
        let begun = begun.entry(&candidate.title).or_default();
        begun.retain(|first| within(candidates[*first].date, candidate.date, SAME_STORY));
        let brought = |by: usize| candidates[by].source == candidate.source;
        let told = |first: &usize| {
            let others = stories.related.get(first).into_iter().flatten();
            !brought(*first) && !others.copied().any(brought)
        };
        match begun.iter().rev().copied().find(|first| told(first)) {
            Some(first) => {
                stories.is_told_by.insert(at, first);
                stories.related.entry(first).or_default().push(at);
            }
            None => begun.push(at),
        }
    }
    stories
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::topic::tests::topic as every;

    fn topic() -> Topic {
        Topic { limit: 5, ..every("t") }
    }

    /// `a3:title`: brought by `a` three hours before the newest; oldest last.
    fn candidates(all: &str) -> Vec<Candidate> {
        let each = all.split_whitespace().map(|one| {
            let (who, title) = one.split_once(':').unwrap_or((one, one));
            let (source, hours) = who.split_at(1);
            Candidate {
                key: EntryKey::of(one),
                date: Timestamp::from_millis(1_000_000_000_000 - hours.parse::<i64>().expect("hours") * 3_600_000),
                source: Some(source.to_owned()).filter(|source| source != "?"),
                title: super::title(title),
            }
        });
        each.collect()
    }

    /// What is shown, with the related ones in brackets, and `…` when it wants more.
    fn shows(topic: &Topic, all: &str, must: &str) -> String {
        let candidates = candidates(all);
        let names: Vec<&str> = all.split_whitespace().map(|one| one.split(':').next().unwrap_or(one)).collect();
        let must: Vec<EntryKey> = must.split_whitespace().map(EntryKey::of).collect();
        let window = window(topic, &candidates, |candidate| must.contains(&candidate.key));
        let mut out: Vec<String> = Vec::new();
        for shown in &window.shown {
            let related: Vec<&str> = shown.related.iter().map(|at| names[*at]).collect();
            let related = if related.is_empty() { String::new() } else { format!("[{}]", related.join(",")) };
            out.push(format!("{}{related}", names[shown.at]));
        }
        if !window.is_full {
            out.push("…".into());
        }
        out.join(" ")
    }

    #[test]
    fn the_newest_up_to_the_limit() {
        assert_eq!(shows(&topic(), "a0 b1 a2 a3 a4 a5 b6", ""), "a0 b1 a2 a3 a4");
        assert_eq!(shows(&topic(), "a0 b1", ""), "a0 b1 …");
        assert_eq!(shows(&topic(), "", ""), "…");
    }

    #[test]
    fn a_loud_source_leaves_room() {
        let topic = Topic { per_feed_limit: Some(2), ..topic() };
        assert_eq!(shows(&topic, "a0 a1 a2 a3 b4 a5 c6 b7 b8", ""), "a0 a1 b4 c6 b7");
        assert_eq!(shows(&topic, "a0 a1 a2 a3 b4", ""), "a0 a1 b4 …");
        assert_eq!(shows(&topic, "?0 ?1 ?2 ?3", ""), "?0 ?1 ?2 ?3 …", "nobody knows that it is one source");
    }

    #[test]
    fn the_old_goes_by_the_newest_not_by_the_clock() {
        let topic = Topic { max_age: Some(Duration::from_hours(3)), ..topic() };
        assert_eq!(shows(&topic, "a1 b2 a4 a5 b6", ""), "a1 b2 a4");
    }

    #[test]
    fn what_must_be_shown_is_and_takes_no_place() {
        let all = "a0 a1 a2 b3 b4 c5 c6 d7 e8";
        assert_eq!(shows(&Topic { limit: 2, ..topic() }, all, "a0 b4 c6"), "a0 a1 b4 c6");
        assert_eq!(shows(&Topic { per_feed_limit: Some(1), ..topic() }, all, "a1 a2"), "a0 a1 a2 b3 c5 d7 e8");
        assert_eq!(shows(&Topic { max_age: Some(Duration::from_hours(1)), ..topic() }, all, "d7"), "a0 a1 d7");
    }

    #[test]
    fn a_story_is_shown_once_where_it_began() {
        let topic = Topic { fold: true, ..topic() };
        assert_eq!(shows(&topic, "c0:騰訊停牌 b1:腾讯停牌！ a2:「腾讯」停牌 a80:x", ""), "a2[b1,c0] a80 …");
        // within three days
        assert_eq!(shows(&topic, "b0:x a72:x", ""), "a72[b0] …");
        assert_eq!(shows(&topic, "b0:x a73:x", ""), "b0 a73 …");
        // a daily column of two sources
        assert_eq!(
            shows(&topic, "b0:news a1:news b24:news a25:news b48:news a49:news", ""),
            "a1[b0] a25[b24] a49[b48] …"
        );
        // titles without a letter, and sources that nobody knows
        assert_eq!(shows(&topic, "b0:… a1:… ?2:x a3:x", ""), "b0 a1 ?2 a3 …");
        assert_eq!(shows(&topic, "b0:x a1:x", "b0:x"), "a1[b0] …", "the story is there");
        assert_eq!(shows(&Topic { limit: 1, ..topic.clone() }, "c0 b1:x a2:x", "b1:x"), "c0 a2[b1] …", "and is now");
        let quiet = Topic { per_feed_limit: Some(1), ..topic.clone() };
        assert_eq!(shows(&quiet, "a0 b1:x a2:x c3:x", ""), "a0 c3[a2,b1] …");
        assert_eq!(shows(&quiet, "a0 b1:x a2:x", ""), "a0 b1[a2] …", "its source has no room");
        assert_eq!(shows(&quiet, "a0 a2:x", "a2:x"), "a0 a2 …");
        // what is older may have told the story before
        assert_eq!(shows(&Topic { limit: 1, ..topic.clone() }, "b0:x a1:y", ""), "b0 …");
        assert_eq!(shows(&Topic { limit: 1, ..topic }, "b0:x a1:y c80:z", ""), "b0");
    }

    proptest! {
        #[test]
        fn nothing_that_must_be_shown_is_hidden_and_nothing_is_there_twice(
            each in prop::collection::vec((0..4_u8, 0..6_i64, 0..4_u8, any::<bool>()), 0..40),
            limit in 1..10_usize,
            per_feed_limit in prop::option::of(1..4_usize),
            days in prop::option::of(1..6_u64),
            fold: bool,
        ) {
            let max_age = days.map(|days| Duration::from_hours(days * 24));
            let topic = Topic { limit, max_age, per_feed_limit, fold, ..topic() };
            let mut hours = 0;
            let candidates: Vec<Candidate> = each.iter().enumerate().map(|(n, (source, gap, title, _))| {
                hours += gap * 6;
                Candidate {
                    key: EntryKey::of(&n.to_string()),
                    date: Timestamp::from_millis(1_000_000_000_000 - hours * 3_600_000),
                    source: Some(source.to_string()).filter(|source| source != "0"),
                    title: Some(title.to_string()).filter(|title| title != "0").unwrap_or_default(),
                }
            }).collect();
            let must = |candidate: &Candidate| {
                candidates.iter().position(|one| one == candidate).is_some_and(|at| each[at].3)
            };
            let window = window(&topic, &candidates, must);
            let mut told: Vec<usize> = Vec::new();
            let mut free = 0;
            for shown in &window.shown {
                free += usize::from(!std::iter::once(&shown.at).chain(&shown.related).any(|at| each[*at].3));
                told.push(shown.at);
                told.extend(&shown.related);
                let source = |at: &usize| &candidates[*at].source;
                prop_assert!(shown.related.iter().all(|at| fold && source(at) != source(&shown.at)));
            }
            prop_assert!(free <= limit);
            prop_assert!(window.shown.is_sorted_by_key(|shown| shown.at));
            let all = told.len();
            told.sort_unstable();
            told.dedup();
            prop_assert_eq!(told.len(), all, "twice");
            prop_assert!((0..each.len()).filter(|at| each[*at].3).all(|at| told.contains(&at)), "hidden");
            if per_feed_limit.is_none() && max_age.is_none() {
                prop_assert!(window.shown.len() >= limit || told.len() == each.len(), "a place is left");
            }
        }
    }
}
