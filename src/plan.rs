//! Which entries of a document are new, revised, known or left out.

use crate::identity::{Alias, Decision, Identity, Known, decide};
use crate::model::{Entry, EntryKey, FeedId, Record, Revisions};

/// An entry that has to be written.
#[derive(Clone, Debug)]
pub struct Change {
    /// The entry.
    pub entry: Entry,
    /// What it can be recognised by.
    pub identity: Identity,
    /// Its key.
    pub key: EntryKey,
    /// The rule that decided.
    pub rule: u8,
    /// What is remembered of it; `None` for a new entry.
    pub former: Option<Record>,
    /// For a new entry: the id it is published under, where that is its own.
    pub id: Option<String>,
    /// Its place in the document.
    pub place: usize,
}

/// A known entry that came in another way than before.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// Its key.
    pub key: EntryKey,
    /// The rule that decided.
    pub rule: u8,
    /// What it came with.
    pub identity: Identity,
    /// What is remembered of it.
    pub record: Record,
    /// The feed did not bring it and was not known to carry it.
    pub also: bool,
    /// The guid is new for this entry.
    pub new_guid: bool,
    /// The address is new for this entry.
    pub new_address: bool,
}

/// What has to happen for one document.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Entries never seen before, by claimed date, then key.
    pub new: Vec<Change>,
    /// Known entries with a new title or text, in the same order.
    pub revised: Vec<Change>,
    /// Known entries that are to be noted in the ledger.
    pub sightings: Vec<Sighting>,
    /// Entries that are known and unchanged.
    pub duplicates: usize,
    /// Posts whose text changes so often that changes are no longer kept, by path.
    pub flapping: Vec<String>,
    /// How many entries came under another guid or address once more, so often that it is no longer noted.
    pub unsteady: usize,
    /// The feed dealt its ids anew: guids were not believed.
    pub id_reset: bool,
}

/// A text that changed this often holds a clock or a counter.
pub const MOST_REVISIONS: u32 = 24;

/// An entry that came under another guid or address this often gets a new one at every poll. None of them comes again,
/// so to note it would help nobody to recognise it.
pub const MOST_ALIASES: u32 = 24;

/// Decides for every entry of one document what has to happen.
pub fn entries(entries: Vec<Entry>, ids: Vec<Identity>, known: &[Known], revisions: Revisions) -> Plan {
    let decisions = decide(&ids, known);
    let mut plan = Plan { id_reset: decisions.id_reset, ..Plan::default() };
    let found = entries.into_iter().zip(ids).zip(known).zip(decisions.list);
    for (place, (((entry, identity), known), decision)) in found.enumerate() {
        let Decision { key, rule, known: former, repeats } = decision;
        match former {
            _ if repeats || known.forgotten || known.taken_down.contains(&key) => plan.duplicates += 1,
            None => {
                let free = known.published.is_none_or(|holder| holder == key);
                let id = identity.usable_id().filter(|_| free).map(str::to_owned);
                plan.new.push(Change { entry, identity, key, rule, former: None, id, place });
            }
            Some(record) if is_revision(&identity, &record) && revisions != Revisions::Ignore => {
                if record.revisions >= MOST_REVISIONS {
                    plan.duplicates += 1;
                    plan.flapping.push(record.path);
                    continue;
                }
                plan.revised.push(Change { entry, identity, key, rule, former: Some(record), id: None, place });
            }
            Some(record) => {
                plan.duplicates += 1;
                match sighting(identity, key, rule, record) {
                    Some(sighting) if !sighting.also && sighting.record.aliases >= MOST_ALIASES => plan.unsteady += 1,
                    sighting => plan.sightings.extend(sighting),
                }
            }
        }
    }
    let order = |change: &Change| (change.entry.claimed, change.key);
    plan.new.sort_by_key(order);
    plan.revised.sort_by_key(order);
    plan.sightings.sort_by_key(|s| (s.identity.claimed, s.key));
    plan
}

/// Only the feed that brought an entry revises it: another feed's summary of the same article is
/// not a new version of it.
fn is_revision(identity: &Identity, record: &Record) -> bool {
    record.feed.as_ref() == Some(&identity.feed) && (identity.title != record.title || identity.text != record.text)
}

fn sighting(identity: Identity, key: EntryKey, rule: u8, record: Record) -> Option<Sighting> {
    let carries = |feed: &FeedId| record.feed.as_ref() == Some(feed) || record.also.contains(feed);
    let also = !carries(&identity.feed);
    let own = record.feed.as_ref() == Some(&identity.feed);
    // Under another feed's guid the entry is found from the first `also` on.
    let new_guid = identity.guid.is_some() && if own { identity.guid_fingerprint() != record.guid } else { also };
    let new_address = is_new_address(&identity, key, &record);
    (also || new_guid || new_address).then_some(Sighting { key, rule, identity, record, also, new_guid, new_address })
}

/// An address that leads to the entry neither as its plain key nor as its last link.
pub fn is_new_address(identity: &Identity, key: EntryKey, record: &Record) -> bool {
    identity.canonical.is_some()
        && !identity.link_is_shared
        && identity.plain != Some(key)
        && identity.link_fingerprint() != record.link
}

/// Everything that leads to an entry under what it came with now.
pub fn aliases(identity: &Identity, key: EntryKey, new_address: bool) -> Vec<Alias> {
    let pair = identity.pair_alias().filter(|_| identity.plain != Some(key));
    let url = identity.url_alias().filter(|_| new_address);
    [identity.guid_alias(), pair, url, identity.text_alias()].into_iter().flatten().collect()
}
