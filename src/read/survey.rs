//! Everything that a document says about its entries, found without a parser.

use memchr::memmem;
use url::Url;

use super::bodies::Bodies;
use super::damage::Damage;
use super::element::Element;
use super::envelope::{Envelope, say};
use super::facts::{self, Place};
use super::names::{Part, Space};
use super::outline::Walk;
use super::{RawEntry, RawMeta, RawText, chars, person, tags, texts};

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// What a parser drops; the texts are its own.
    Facts,
    /// All of it.
    Everything,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Survey<'t> {
    /// Where the root begins.
    pub root: usize,
    pub is_atom: bool,
    pub entries: Vec<RawEntry>,
    /// Beside each entry whether its own format gives it a title, a text and a link, so that a
    /// parser which finds none has missed it.
    pub has: Vec<Has>,
    pub meta: RawMeta,
    /// Whom entries without author inherit.
    pub authors: Vec<String>,
    pub envelope: Envelope,
    pub damages: Vec<Damage>,
    /// Entries of the document, those beyond the limit too.
    pub total: usize,
    /// A text stands in it as XHTML. feed-rs writes that anew without the escapes in attributes, so
    /// that `title="&quot; onclick=&quot;…"` becomes a handler: such a document is read here alone.
    pub has_xhtml: bool,
    /// Everything was read.
    pub is_whole: bool,
    /// Long texts that the parser need not see.
    pub bodies: Bodies<'t>,
}

impl Survey<'_> {
    fn checked(self) -> Self {
        Self { envelope: self.envelope.checked(), ..self }
    }
}

/// What an entry has in its format's own words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Has {
    pub title: bool,
    pub text: bool,
    pub link: bool,
}

/// Surveys a document of any XML feed format; `None` when it is none.
pub(super) fn of<'t>(text: &'t str, base: &Url, most: usize, reading: Reading) -> Option<Survey<'t>> {
    // One with XHTML is read here alone, and should not be gone through again for that.
    let may_be_xhtml =
        ["\"xhtml\"", "'xhtml'"].iter().any(|kind| memmem::find(text.as_bytes(), kind.as_bytes()).is_some());
    if reading == Reading::Facts && may_be_xhtml {
        let survey = surveyed(text, base, most, Reading::Everything)?;
        if survey.has_xhtml {
            return Some(survey.checked());
        }
    }
    Some(surveyed(text, base, most, reading)?.checked())
}

fn surveyed<'t>(text: &'t str, base: &Url, most: usize, mut reading: Reading) -> Option<Survey<'t>> {
    let mut walk = Walk::begin(text)?;
    let is_atom = walk.family.is_atom();
    let root = walk.around.first().map_or(0, |root| root.at.start);
    let mut survey = Survey { root, is_atom, ..Survey::default() };
    let mut rest = String::new();
    let mut from = walk.around.first().map_or(0, |root| root.at.end);
    let mut elements = Vec::new();
    let (mut outer, mut known) = (None, 0);
    while let Some(item) = walk.next(&mut elements) {
        let outside = from.max(walk.around.last().map_or(0, |tag| tag.at.end));
        say(&mut rest, text.get(outside..item.at.start).unwrap_or_default());
        from = item.at.end;
        survey.total += 1;
        if survey.total > most {
            continue;
        }
        if known != walk.around.len() {
            (outer, known) = (bases(&walk, base), walk.around.len());
        }
        let own = facts::base(item.tag.attribute("xml:base"), outer.as_ref().unwrap_or(base));
        let place = Place { base, own_base: own.as_ref().or(outer.as_ref()) };
        let has = own_words(&elements);
        if is_atom && elements.iter().any(texts::is_xhtml) {
            survey.has_xhtml = true;
            // Nothing of the document was read by halves yet.
            if survey.entries.is_empty() {
                reading = Reading::Everything;
            }
        }
        for damage in elements.iter().filter_map(|element| damage_of(element, is_atom)) {
            walk.note(damage);
        }
        let mut entry = facts::of(&item, &elements, place, text);
        let strict = if reading == Reading::Everything { Has::default() } else { has };
        read_texts(&mut entry, &elements, place, is_atom, strict);
        if reading == Reading::Facts {
            survey.bodies.take_all(&elements);
        }
        survey.entries.push(entry);
        survey.has.push(has);
    }
    if survey.total > most {
        walk.note(Damage::Many);
    }
    let outside = from.max(walk.around.last().map_or(0, |tag| tag.at.end));
    say(&mut rest, before_the_end(&text[outside.min(text.len())..], &walk));
    survey.envelope = Envelope::around(&walk, &rest);
    meta(&walk, &mut survey);
    survey.damages = walk.damages;
    survey.is_whole = reading == Reading::Everything;
    Some(survey)
}

/// The envelope of a document without entries.
pub(super) fn envelope(text: &str) -> Option<Envelope> {
    let nowhere = Url::parse("about:blank").ok()?;
    surveyed(text, &nowhere, 0, Reading::Facts).map(|survey| survey.envelope)
}

/// What stands before the end tags of the elements around the entries.
fn before_the_end<'t>(text: &'t str, walk: &Walk<'_>) -> &'t str {
    let ends = |name: &str| tags::Tags::of(text).find(|tag| tag.kind == super::tag::Kind::Close && tag.name == name);
    let innermost = walk.around.last().and_then(|tag| ends(tag.name));
    innermost.map_or("", |end| &text[..end.at.start])
}

/// The base that root and channel set.
fn bases(walk: &Walk<'_>, base: &Url) -> Option<Url> {
    let set = |outer: Option<Url>, tag: &super::tag::Tag<'_>| {
        facts::base(tag.attribute("xml:base"), outer.as_ref().unwrap_or(base)).or(outer)
    };
    walk.around.iter().fold(None, set)
}

/// Reads of an entry what the strict parser will not.
fn read_texts(entry: &mut RawEntry, elements: &[Element<'_>], place: Place<'_>, is_atom: bool, strict: Has) {
    if !strict.title {
        entry.title = texts::text(elements, Part::Title, is_atom);
    }
    if !strict.text {
        entry.content = texts::text(elements, Part::Content, is_atom);
        entry.summary = texts::text(elements, Part::Summary, is_atom);
    }
    if !strict.link {
        entry.links.extend(texts::links(elements));
        facts::make_absolute(&mut entry.links, place);
    }
}

fn own_words(elements: &[Element<'_>]) -> Has {
    let own = |part: Part| elements.iter().any(|e| e.part == part && e.rank() == 0 && !e.is_blank());
    let link =
        |e: &Element<'_>| e.part == Part::Link && e.rank() == 0 && (!e.is_blank() || e.tag.attributes.contains("href"));
    Has { title: own(Part::Title), text: own(Part::Content) || own(Part::Summary), link: elements.iter().any(link) }
}

/// What feed-rs would read wrong of an element without saying so.
fn damage_of(element: &Element<'_>, is_atom: bool) -> Option<Damage> {
    let is_own = element.rank() == 0;
    let kind = || element.tag.attribute("type").unwrap_or_default().trim();
    match element.part {
        Part::Title | Part::Summary | Part::Content if is_own && is_atom => match kind() {
            "xhtml" => None,
            _ if element.has_tags || chars::has_lost_start(element.inner) => Some(Damage::Markup),
            "" | "text" | "text/plain" if chars::has_foreign_reference(element.inner) => Some(Damage::Reference),
            _ if element.tag.attribute("mode").is_some() => Some(Damage::Namespace),
            "html" | "" | "text" => None,
            _ => texts::is_packed(element, is_atom).then_some(Damage::Packed),
        },
        Part::Title | Part::Summary | Part::Content | Part::Id | Part::Link
            if is_own && (element.has_tags || chars::has_lost_start(element.inner)) =>
        {
            Some(Damage::Markup)
        }
        _ => None,
    }
}

/// What the feed says about itself.
fn meta(walk: &Walk<'_>, survey: &mut Survey<'_>) {
    let is_atom = survey.is_atom;
    let meta = &mut survey.meta;
    let own: Vec<Element<'_>> = walk.meta.iter().filter(|e| e.space != Space::Itunes).cloned().collect();
    meta.title = texts::text(&own, Part::Title, is_atom);
    meta.language = walk.around.iter().find_map(|tag| tag.attribute("xml:lang")).map(|l| chars::value(l).into_owned());
    for element in &walk.meta {
        let text = || Some(chars::text(element.inner)).filter(|text| !text.is_empty());
        match element.part {
            Part::Id => meta.id = text().or(meta.id.take()),
            Part::Link => link(element, meta),
            Part::Language if !is_atom || element.rank() > 0 => meta.language = text().or(meta.language.take()),
            Part::Rights => meta.rights = text().map(RawText::Markup).or(meta.rights.take()),
            Part::Icon => meta.icon = text().or(meta.icon.take()),
            Part::Image if meta.icon.is_none() => meta.icon = child(element, "url"),
            Part::Author if is_own_author(element, is_atom) => survey.authors.extend(person::name(element.inner)),
            Part::Ttl => meta.pace.ttl = text().and_then(|text| text.parse().ok()),
            Part::SkipHours => meta.pace.skip_hours = listed(element, "hour"),
            Part::SkipDays => meta.pace.skip_days = listed(element, "day"),
            Part::Period => meta.pace.period = text(),
            Part::Frequency => meta.pace.frequency = text().and_then(|text| text.parse().ok()),
            _ => {}
        }
    }
    if meta.link.is_none() {
        // CDF names the page in an attribute of the channel.
        let href = walk.around.last().and_then(|tag| tag.attribute("href"));
        meta.link = href.map(|href| chars::value(href).into_owned());
    }
}

/// Atom's feed authors and RSS 1.0's `dc:creator`; RSS 2.0's editor is no author.
fn is_own_author(element: &Element<'_>, is_atom: bool) -> bool {
    if is_atom { element.rank() == 0 } else { element.space == Space::DublinCore }
}

fn link(element: &Element<'_>, meta: &mut RawMeta) {
    let href = element.tag.attribute("href").map(|href| chars::value(href).into_owned());
    let rel = element.tag.attribute("rel").map(str::trim);
    match (rel, href) {
        (Some("self"), Some(href)) => meta.feed = Some(href),
        (Some("hub"), Some(href)) => meta.hubs.push(href),
        (None | Some("alternate" | ""), Some(href)) if meta.link.is_none() => meta.link = Some(href),
        (None, None) if element.rank() == 0 => {
            meta.link = Some(chars::text(element.inner)).filter(|link| !link.is_empty()).or(meta.link.take());
        }
        _ => {}
    }
}

fn child(element: &Element<'_>, name: &str) -> Option<String> {
    let (_, inner) = tags::children(element.inner).find(|(tag, _)| tag.is(name))?;
    Some(chars::text(inner)).filter(|text| !text.is_empty())
}

fn listed(element: &Element<'_>, name: &str) -> Vec<String> {
    let named = tags::children(element.inner).filter(|(tag, _)| tag.is(name));
    named.map(|(_, inner)| chars::text(inner)).collect()
}
