//! Topics that include others: ids to the topics themselves.

use std::collections::HashMap;
use std::sync::Arc;

use super::notes::{Notes, Spot, Taken, quote};
use super::values;
use crate::model::{Topic, TopicId};

/// A chain of topics that is longer is a mistake; and each link is a call.
const DEEPEST: usize = 16;

/// A topic with the ids of those it includes, which may stand further down.
pub(super) struct Draft {
    pub topic: Topic,
    /// Ids and where each stands.
    pub includes: Vec<(String, Spot)>,
}

/// The topics, each with those it includes. `known` is there unless a file with topics could not be read.
pub(super) fn topics(notes: &Notes<'_>, drafts: &[Draft], known: Option<&Taken>) -> Vec<Topic> {
    let places: HashMap<TopicId, usize> = drafts.iter().enumerate().map(|(at, d)| (d.topic.id.clone(), at)).collect();
    let place = |id: &str| places.get(id).copied();
    for (id, spot) in drafts.iter().flat_map(|draft| &draft.includes) {
        // An id that is bad itself counts too, or it would be two problems.
        if place(id).is_none() && known.is_some_and(|known| !known.contains_key(id)) {
            let ids = places.keys().map(TopicId::as_str);
            let hint = if notes.is_full() { String::new() } else { values::did_you_mean(id, ids) };
            notes.add(spot, format!("unknown topic {}{hint}", quote(id)));
        }
    }
    let mut gather = Gather { notes, drafts, done: HashMap::new(), open: Vec::new() };
    let made: Vec<Arc<Topic>> = (0..drafts.len()).map(|at| gather.topic(at, &place)).collect();
    drop(gather);
    made.into_iter().map(Arc::unwrap_or_clone).collect()
}

struct Gather<'a, 'n> {
    notes: &'a Notes<'n>,
    drafts: &'a [Draft],
    done: HashMap<usize, Arc<Topic>>,
    /// The chain that leads to where we are.
    open: Vec<usize>,
}

impl Gather<'_, '_> {
    fn topic(&mut self, at: usize, place: &impl Fn(&str) -> Option<usize>) -> Arc<Topic> {
        if let Some(done) = self.done.get(&at) {
            return Arc::clone(done);
        }
        let drafts = self.drafts;
        self.open.push(at);
        let mut included = Vec::new();
        for (id, spot) in &drafts[at].includes {
            let Some(other) = place(id) else { continue };
            if let Some(from) = self.open.iter().position(|open| *open == other) {
                let chain = self.open[from..].iter().chain([&other]);
                let chain: Vec<String> = chain.map(|at| format!("`{}`", drafts[*at].topic.id)).collect();
                self.notes.add(spot, format!("a circle: {}; take one of them out", chain.join(" includes ")));
            } else if self.open.len() >= DEEPEST {
                self.notes.add(spot, format!("more than {DEEPEST} topics that include each other in a chain"));
            } else {
                let other = self.topic(other, place);
                if !included.iter().any(|known: &Arc<Topic>| known.id == other.id) {
                    included.push(other);
                }
            }
        }
        self.open.pop();
        let topic = Arc::new(Topic { includes: included, ..drafts[at].topic.clone() });
        self.done.insert(at, Arc::clone(&topic));
        topic
    }
}
