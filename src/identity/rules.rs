//! The rules that say which known entry an entry is, or that it is new.

use std::collections::{BTreeSet, HashMap};

use super::{Alias, Identity};
use crate::model::{Dedup, EntryKey, Fingerprint, Found, Record};

/// What the index knows under each thing an entry can be recognised by.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Under the feed's guid.
    pub guid: Option<Found>,
    /// Under the plain key of the link, or under the link as a former address.
    pub url: Option<Found>,
    /// Under link and title.
    pub pair: Option<Found>,
    /// Under title, text and claimed day.
    pub text: Option<Found>,
    /// Under the key with discriminator.
    pub discriminated: Option<Found>,
    /// Under the key of all it has, where the one with discriminator is known.
    pub apart: Option<Found>,
    /// A forgotten entry, of which nothing else is known, is recognised by one of these ways.
    pub forgotten: bool,
    /// Those among the found ones that were forgotten: only what the rules need is known of them.
    pub taken_down: Vec<EntryKey>,
    /// Who is published under the entry's guid.
    pub published: Option<EntryKey>,
}

/// What is left of a forgotten entry under something that it was recognised by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tombstone {
    /// What the rules need to tell another entry from it.
    Entry(Box<Found>),
    /// Nothing: whatever shares the mark is it.
    Bare,
}

impl Known {
    /// Every record that was found and is not of a forgotten entry.
    pub fn found(&self) -> impl Iterator<Item = &Found> {
        let found = [&self.guid, &self.url, &self.pair, &self.text, &self.discriminated, &self.apart];
        let found = found.into_iter().flatten();
        found.filter(|found| !self.taken_down.contains(&found.key))
    }

    /// Drops the records of posts that are gone.
    pub fn drop_paths(&mut self, gone: &BTreeSet<String>) {
        let Self { guid, url, pair, text, discriminated, apart, .. } = self;
        for found in [guid, url, pair, text, discriminated, apart] {
            found.take_if(|found| gone.contains(&found.record.path));
        }
    }

    /// Adds forgotten entries where no other one is known: the same rules tell whether an entry is one of them. `under`
    /// looks a key or the fingerprint of an alias up.
    pub fn add_forgotten<E>(
        &mut self,
        id: &Identity,
        under: impl Fn(&[u8]) -> Result<Option<Tombstone>, E>,
    ) -> Result<(), E> {
        let mark = |alias: Option<Alias>| alias.map(|alias| alias.fingerprint().bytes().to_vec());
        let key = |key: Option<EntryKey>| key.map(|key| key.bytes().to_vec());
        let ways = [
            (&mut self.guid, [mark(id.guid_alias()), None]),
            (&mut self.url, [key(id.plain), mark(id.url_alias())]),
            (&mut self.pair, [mark(id.pair_alias()), None]),
            (&mut self.text, [mark(id.text_alias()), None]),
            (&mut self.discriminated, [key(Some(id.discriminated)), None]),
            (&mut self.apart, [key(Some(id.apart)), None]),
        ];
        for (found, marks) in ways {
            for mark in marks.into_iter().flatten() {
                match under(&mark)? {
                    Some(Tombstone::Entry(entry)) if found.is_none() => {
                        self.taken_down.push(entry.key);
                        *found = Some(*entry);
                    }
                    Some(Tombstone::Bare) => self.forgotten = true,
                    _ => {}
                }
            }
        }
        if let (None, Some(id)) = (self.published, id.usable_id()) {
            let mark = Alias::Published(id.to_owned()).fingerprint();
            if let Some(Tombstone::Entry(entry)) = under(mark.bytes())? {
                self.published = Some(entry.key);
            }
        }
        Ok(())
    }
}

/// What was decided about one entry of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The entry's key.
    pub key: EntryKey,
    /// The rule that decided, 2 to 6.
    pub rule: u8,
    /// What is remembered of the key; `None` for a new entry.
    pub known: Option<Record>,
    /// An earlier entry of the same document has the same key.
    pub repeats: bool,
}

/// What was decided about a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decisions {
    /// One for each entry.
    pub list: Vec<Decision>,
    /// The feed dealt its ids anew: guids were not believed.
    pub id_reset: bool,
}

/// From this many matches by guid on, a document can show that the feed dealt its ids anew.
const RESET_FROM: usize = 5;
/// … when more than this share of them disagree in title and text (percent).
const RESET_SHARE: usize = 30;

/// Decides for each entry of one document which entry it is.
///
/// Rules 2 to 4 run over the whole document first, because rule 5 and 6 depend on which known
/// entries are still in it. The result does not depend on the order of the entries except between
/// entries that cannot be told apart.
pub fn decide(document: &[Identity], known: &[Known]) -> Decisions {
    let reset = is_id_reset(document, known);
    let mut matched: Vec<Option<(&Found, u8)>> = document
        .iter()
        .zip(known)
        .map(|(entry, known)| by_guid(entry, known, reset).or_else(|| by_pair(entry, known)))
        .collect();
    let mut taken: HashMap<EntryKey, usize> = HashMap::new();
    for (i, found) in matched.iter().enumerate() {
        if let Some((found, _)) = found {
            taken.entry(found.key).or_insert(i);
        }
    }
    for (i, (entry, known)) in document.iter().zip(known).enumerate() {
        if matched[i].is_none() {
            matched[i] = by_url(entry, known, |key| taken.get(&key).map(|at| &document[*at]));
        }
    }
    one_entry_each(document, &mut matched);
    for (found, _) in matched.iter().flatten() {
        taken.entry(found.key).or_insert(usize::MAX);
    }
    let mut decisions: Vec<Decision> = Vec::with_capacity(document.len());
    let mut met: HashMap<EntryKey, &Identity> = HashMap::new();
    for ((entry, known), matched) in document.iter().zip(known).zip(matched) {
        let found = matched.or_else(|| by_text(entry, known, |key| taken.contains_key(&key)));
        let (key, rule, record) = match found {
            Some((found, rule)) => (found.key, rule, Some(found.record.clone())),
            None => new_key(entry, known, reset),
        };
        let (key, rule, record) = match met.get(&key) {
            // A guid that was given to a second entry made the same key.
            Some(other) if is_other(entry, other) => key_apart(entry, known),
            _ => (key, rule, record),
        };
        let repeats = met.insert(key, entry).is_some();
        decisions.push(Decision { key, rule, known: record, repeats });
    }
    Decisions { list: decisions, id_reset: reset }
}

/// Of several entries that were taken for one known entry only the nearest to it is that entry: the
/// others would count as repeated, and be lost. Which one is does not depend on their order.
fn one_entry_each(document: &[Identity], matched: &mut [Option<(&Found, u8)>]) {
    let mut nearest: HashMap<EntryKey, usize> = HashMap::new();
    let distance = |i: usize, found: &Found, rule: u8| {
        let (entry, record) = (&document[i], &found.record);
        (rule, entry.text != record.text, entry.title != record.title, !same_claim(entry, record), entry.discriminated)
    };
    for (i, found) in matched.iter().enumerate() {
        let Some((found, rule)) = found else { continue };
        let at = nearest.entry(found.key).or_insert(i);
        if matched[*at].is_some_and(|(other, of)| distance(i, found, *rule) < distance(*at, other, of)) {
            *at = i;
        }
    }
    for (i, found) in matched.iter_mut().enumerate() {
        let Some(key) = found.map(|(found, _)| found.key) else { continue };
        let is_other = is_other(&document[i], &document[nearest[&key]]);
        found.take_if(|_| is_other);
    }
}

/// True when two entries of a document cannot be one.
fn is_other(entry: &Identity, other: &Identity) -> bool {
    let same_sign = entry.sign.is_none() || other.sign.is_none() || entry.sign == other.sign;
    let same = entry.title == other.title && entry.text == other.text && same_sign;
    entry.dedup != Dedup::Url && !same
}

/// True when the feed dealt its ids anew: many matches by guid, and too many of them say nothing
/// in common with what the guid stood for. One that came at the same moment and is known as nothing else was rewritten.
fn is_id_reset(document: &[Identity], known: &[Known]) -> bool {
    let matches: Vec<bool> = document
        .iter()
        .zip(known)
        .filter_map(|(entry, known)| {
            let found = known.guid.as_ref()?;
            let is_another = known.url.as_ref().is_some_and(|other| other.key != found.key);
            let agrees = same_content(entry, &found.record) || (same_claim(entry, &found.record) && !is_another);
            Some(!agrees)
        })
        .collect();
    let disagree = matches.iter().filter(|d| **d).count();
    matches.len() >= RESET_FROM && disagree * 100 > matches.len() * RESET_SHARE
}

/// Rule 2: the feed knows the guid.
fn by_guid<'a>(entry: &Identity, known: &'a Known, reset: bool) -> Option<(&'a Found, u8)> {
    let found = known.guid.as_ref().filter(|_| !reset && entry.dedup != Dedup::Url)?;
    let record = &found.record;
    let agrees = same_content(entry, record) || same_claim(entry, record);
    // A strong guid is believed even where all text changed; but not where the link changed too:
    // that is one constant guid over a row of articles.
    let same_link = entry.link_fingerprint() == record.link;
    (agrees || (entry.guid_is_strong() && same_link)).then_some((found, 2))
}

/// Rule 3: link and title are known. Keeps entries of a shared link apart.
fn by_pair<'a>(entry: &Identity, known: &'a Known) -> Option<(&'a Found, u8)> {
    if entry.dedup != Dedup::Auto {
        return None;
    }
    let plain = known.url.as_ref().filter(|found| found.record.title == entry.title);
    let found = plain.or(known.pair.as_ref())?;
    let record = &found.record;
    let distinct = entry.pair_is_void && (record.text != entry.text || is_apart(entry, record));
    (!distinct && !is_next_issue(entry, known, found)).then_some((found, 3))
}

/// Rule 4: the link is known. `taken_by` tells which entry of this document already is a known one.
fn by_url<'a, 'd>(
    entry: &Identity,
    known: &'a Known,
    taken_by: impl Fn(EntryKey) -> Option<&'d Identity>,
) -> Option<(&'a Found, u8)> {
    let found = known.url.as_ref()?;
    if entry.dedup == Dedup::Url {
        return Some((found, 4));
    }
    let record = &found.record;
    let same_feed = record.feed.as_ref() == Some(&entry.feed);
    // Two teasers may be the same by chance, and two that are empty always are.
    let same_text = entry.text == record.text && (same_content(entry, record) || same_claim(entry, record));
    if let Some(other) = taken_by(found.key) {
        // Another entry of this document is the known one already.
        return (!is_other(entry, other)).then_some((found, 4));
    }
    // Whoever has an article taken down may see it come again in other words; of the same moment it is the same one.
    let is_gone = known.taken_down.contains(&found.key) && same_claim(entry, record);
    let is_another = entry.title != record.title && !same_text && same_feed && guids_differ(entry, record);
    let reused = !is_gone && (is_another || is_next_issue(entry, known, found));
    if entry.link_is_shared {
        // Several entries of this document have the link: it says little here.
        let same_text = same_text && !is_apart(entry, record);
        return (same_text || (same_feed && same_claim(entry, record) && !reused)).then_some((found, 4));
    }
    (!reused).then_some((found, 4))
}

/// Rule 5: the same entry under a new address.
fn by_text<'a>(entry: &Identity, known: &'a Known, in_document: impl Fn(EntryKey) -> bool) -> Option<(&'a Found, u8)> {
    let found = known.text.as_ref()?;
    let record = &found.record;
    let same = entry.title == record.title && entry.text == record.text && entry.text_is_telling;
    (same && !guids_differ(entry, record) && !in_document(found.key)).then_some((found, 5))
}

/// Rule 6: a new entry.
fn new_key(entry: &Identity, known: &Known, reset: bool) -> (EntryKey, u8, Option<Record>) {
    if let Some(plain) = entry.plain.filter(|_| known.url.is_none() && !entry.link_is_shared) {
        return (plain, 6, None);
    }
    match &known.discriminated {
        Some(found) if !has_its_key(entry, &found.record, reset) => key_apart(entry, known),
        found => (entry.discriminated, 6, found.as_ref().map(|found| found.record.clone())),
    }
}

/// Rule 6 where another entry has the key already.
fn key_apart(entry: &Identity, known: &Known) -> (EntryKey, u8, Option<Record>) {
    (entry.apart, 6, known.apart.as_ref().map(|found| found.record.clone()))
}

/// True when a known entry under the key with discriminator is this one: a guid may have been dealt again, and a title may
/// come twice a day.
fn has_its_key(entry: &Identity, record: &Record, reset: bool) -> bool {
    if entry.guid.is_none() {
        let dated = entry.claimed.is_some() && record.claimed.is_some();
        return entry.text == record.text || !dated || same_claim(entry, record);
    }
    let is_believed = entry.guid_is_strong() && !reset && entry.link_fingerprint() == record.link;
    same_content(entry, record) || same_claim(entry, record) || is_believed
}

/// The title says that it is the same, or a text that is long enough to say so.
fn same_content(entry: &Identity, record: &Record) -> bool {
    entry.title == record.title || (entry.text == record.text && entry.text_is_telling)
}

/// The next issue of what always has one title and address, and stands in its document alone: guid, text and date are others.
/// Under its old title what was taken down is not believed to be another.
fn is_next_issue(entry: &Identity, known: &Known, found: &Found) -> bool {
    let record = &found.record;
    let another_moment = entry.claimed.is_some() && record.claimed.is_some() && !same_claim(entry, record);
    record.feed.as_ref() == Some(&entry.feed)
        && guids_differ(entry, record)
        && entry.text != record.text
        && another_moment
        && !known.taken_down.contains(&found.key)
}

/// Another entry of the same link, title and text, as far as a record can tell: another guid, if any, at another moment.
fn is_apart(entry: &Identity, record: &Record) -> bool {
    let dated = entry.claimed.is_some() && record.claimed.is_some();
    let same_guid = entry.guid.is_some() && entry.guid_fingerprint() == record.guid;
    entry.sign.is_some() && dated && !same_claim(entry, record) && !same_guid
}

fn same_claim(entry: &Identity, record: &Record) -> bool {
    entry.claimed.is_some() && entry.claimed == record.claimed
}

/// Both have a valid guid, and they are not the same. A guid that spells the link changes with it.
fn guids_differ(entry: &Identity, record: &Record) -> bool {
    let guid: Option<Fingerprint> = entry.guid_fingerprint().filter(|_| !entry.guid_is_link);
    guid.is_some() && record.guid.is_some() && guid != record.guid
}
