//! A body as readers get it: absolute addresses, real pictures, players as links, no pixels, no widgets.
//!
//! One pass over what the strict scan proved, so that its grammar is all there is; a body that needs
//! nothing is not copied. Posts stay as they are: this is only for what leaves.

mod picture;
mod player;
mod tag;
mod widget;

use std::borrow::Cow;

use url::Url;

use super::{allow, html, room, text};
use crate::model::{Enclosure, Post};
use picture::{Picture, absolute, is_absolute, make_real};
use player::Player;
use tag::{StartTag, escaped, name_of, written};
use widget::{is_share_link, is_tracker, is_widget, is_widget_frame};

/// The body, changed for readers. Takes HTML that the scan proved.
pub(super) fn readable<'a>(html: &'a str, base: Option<&Url>) -> Cow<'a, str> {
    let base = room::usable(base).filter(|base| matches!(base.scheme(), "http" | "https"));
    let mut pass = Pass {
        html,
        base,
        room: room::room(html.len()),
        has_widgets: !widget::has_none(html),
        out: String::new(),
        copied: 0,
        open: Vec::with_capacity(32),
        content: 0,
        text: 0,
        picture: None,
        source: None,
    };
    pass.run();
    pass.finish()
}

struct Pass<'a, 'b> {
    html: &'a str,
    /// As long as there is room for what it adds.
    base: Option<&'b Url>,
    room: usize,
    /// Some class may be that of a widget.
    has_widgets: bool,
    out: String,
    /// How much of `html` is in `out`, changed or not.
    copied: usize,
    open: Vec<Open<'a>>,
    /// Texts and media so far, and bytes of text.
    content: usize,
    text: usize,
    /// The last picture, as long as no other content came.
    picture: Option<Picture>,
    /// The candidates of the last `source` of an open `picture`.
    source: Option<String>,
}

struct Open<'a> {
    name: &'a str,
    /// Where it begins in the output, once everything before it is copied, and in the input.
    at: usize,
    from: usize,
    /// Where its content begins in the input.
    inside: usize,
    content: usize,
    text: usize,
    kind: Kind<'a>,
    /// Something inside went.
    lost: bool,
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    Plain,
    Widget,
    ShareLink,
    /// A link whose text may be its address (as written): what is left of a frame.
    Bare(&'a str),
}

impl<'a> Pass<'a, '_> {
    fn run(&mut self) {
        let bytes = self.html.as_bytes();
        let mut at = 0;
        while let Some(next) = memchr::memchr(b'<', &bytes[at..]) {
            self.text(at, at + next);
            at += next;
            let end = at + tag_length(&bytes[at..]);
            if bytes.get(at + 1) == Some(&b'/') {
                self.end(at, end);
            } else {
                self.start(at, end);
            }
            at = end;
        }
        self.text(at, bytes.len());
    }

    fn finish(mut self) -> Cow<'a, str> {
        if self.copied == 0 {
            return Cow::Borrowed(self.html);
        }
        self.out.push_str(&self.html[self.copied..]);
        Cow::Owned(self.out)
    }

    fn text(&mut self, from: usize, to: usize) {
        let length = self.html[from..to].trim_ascii().len();
        if length > 0 {
            self.content += 1;
            self.text += length;
            self.picture = None;
        }
    }

    fn start(&mut self, from: usize, to: usize) {
        let html = self.html;
        let whole = &html[from..to];
        let name = name_of(whole);
        let is_void = allow::element(name.as_bytes()).is_some_and(|element| element.void);
        let mut kind = Kind::Plain;
        if self.has_widgets && written(whole, "class").is_some_and(is_widget) {
            kind = Kind::Widget;
        }
        let at = self.out.len() + (from - self.copied);
        match name {
            "a" => kind = self.link(whole, from, to, kind),
            "img" => self.image(whole, from, to),
            "video" | "audio" | "source" | "track" => self.medium(whole, from, to),
            "blockquote" | "q" | "ins" | "del" if whole.contains("cite=") => {
                let mut tag = StartTag::parse(whole);
                absolute(&mut tag, self.base);
                self.put_tag(&tag, from, to);
            }
            "hr" => self.content += 1,
            "picture" => self.source = None,
            _ => {}
        }
        if !is_void {
            let (content, text) = (self.content, self.text);
            self.open.push(Open { name, at, from, inside: to, content, text, kind, lost: false });
        }
    }

    fn link(&mut self, whole: &'a str, from: usize, to: usize, kind: Kind<'a>) -> Kind<'a> {
        let Some(address) = written(whole, "href").map(text::value) else { return kind };
        if !is_absolute(&address) {
            let mut tag = StartTag::parse(whole);
            absolute(&mut tag, self.base);
            self.put_tag(&tag, from, to);
        }
        match kind {
            Kind::Plain if is_share_link(&address) => Kind::ShareLink,
            Kind::Plain => Kind::Bare(whole),
            kind => kind,
        }
    }

    fn image(&mut self, whole: &str, from: usize, to: usize) {
        let mut tag = StartTag::parse(whole);
        let in_picture = self.open.last().is_some_and(|open| open.name == "picture");
        let source = if in_picture { self.source.take() } else { None };
        let Some(picture) = Picture::of(&mut tag, source.as_deref(), self.base) else {
            self.drop(from, to);
            return;
        };
        if self.picture.as_ref().is_some_and(|last| last.is_twin_of(&picture)) {
            self.picture = None;
            self.drop(from, to);
            return;
        }
        self.put_tag(&tag, from, to);
        self.content += 1;
        self.picture = Some(picture);
    }

    fn medium(&mut self, whole: &str, from: usize, to: usize) {
        let mut tag = StartTag::parse(whole);
        make_real(&mut tag, self.base);
        absolute(&mut tag, self.base);
        // without them a reader cannot start what a script started
        if matches!(tag.name, "video" | "audio") && !tag.has("controls") {
            tag.flag("controls");
        }
        if tag.name == "source" {
            self.source = tag.get("srcset").map(Cow::into_owned);
        } else {
            self.picture = None;
        }
        self.put_tag(&tag, from, to);
        self.content += usize::from(tag.name != "track");
    }

    fn end(&mut self, from: usize, to: usize) {
        let Some(open) = self.open.pop() else { return };
        let is_small = |most: usize| self.text - open.text <= most;
        let goes = match open.kind {
            Kind::Widget => is_small(widget::LONGEST),
            Kind::ShareLink => is_small(widget::LONGEST_LINK),
            Kind::Bare(tag) => self.frame(tag, &open, from, to),
            Kind::Plain => false,
        };
        // what only held something that went goes too
        if goes || (open.lost && self.content == open.content && may_go(open.name)) {
            self.text = open.text;
            self.content = open.content;
            self.cut(&open, to);
            if let Some(outer) = self.open.last_mut() {
                outer.lost = true;
            }
        }
    }

    /// A link that stands for a frame: true when it goes altogether.
    fn frame(&mut self, tag: &str, open: &Open<'a>, from: usize, to: usize) -> bool {
        let shown = self.html[open.inside..from].trim_ascii();
        if !shown.starts_with(['h', '/']) || shown.len() > 2048 || shown.contains('<') {
            return false;
        }
        let address = written(tag, "href").map(text::value).unwrap_or_default();
        if text::value(shown) != address {
            return false;
        }
        if is_widget_frame(&address) {
            return true;
        }
        if let Some(player) = Player::of(&address) {
            self.cut(open, to);
            self.out.push_str(&player.html());
        }
        false
    }

    /// Writes a tag anew if it was changed, and if there is room for what it is longer now.
    fn put_tag(&mut self, tag: &StartTag, from: usize, to: usize) {
        if !tag.is_changed {
            return;
        }
        self.out.push_str(&self.html[self.copied..from]);
        self.copied = from;
        let at = self.out.len();
        tag.write_to(&mut self.out);
        let more = (self.out.len() - at).saturating_sub(to - from);
        if let Some(left) = self.room.checked_sub(more) {
            (self.room, self.copied) = (left, to);
        } else {
            self.out.truncate(at);
            self.base = None;
        }
    }

    /// Leaves out a part that holds no end tag.
    fn drop(&mut self, from: usize, to: usize) {
        self.out.push_str(&self.html[self.copied..from]);
        self.copied = to;
        if let Some(outer) = self.open.last_mut() {
            outer.lost = true;
        }
    }

    /// Leaves out an element that ends here.
    fn cut(&mut self, open: &Open, to: usize) {
        if open.at <= self.out.len() {
            self.out.truncate(open.at);
        } else {
            self.out.push_str(&self.html[self.copied..open.from]);
        }
        self.copied = to;
        self.picture = None;
    }
}

/// Elements that mean nothing when empty. Cells do: they keep the columns.
fn may_go(name: &str) -> bool {
    !matches!(
        name,
        "table" | "tbody" | "thead" | "tfoot" | "tr" | "td" | "th" | "caption" | "colgroup" | "video" | "audio"
    )
}

/// The length of a tag, whose values may hold `>`.
fn tag_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(next) = memchr::memchr3(b'>', b'"', b'\'', &bytes[at..]) {
        at += next + 1;
        if bytes[at - 1] == b'>' {
            return at;
        }
        at += memchr::memchr(bytes[at - 1], &bytes[at..]).map_or(bytes.len() - at, |quote| quote + 1);
    }
    bytes.len()
}

/// What the body of a post lacks and its enclosures know: the picture of a video, and something to
/// open where there is no text at all.
pub(super) fn complement(post: &Post, body: &str) -> Option<String> {
    let has_picture = ["<img", "<video", "<audio"].iter().any(|tag| body.contains(tag));
    if has_picture {
        return None;
    }
    let addresses = || post.enclosures.iter().map(|enclosure| enclosure.url.as_str());
    let video = Player::of_page(&post.from).or_else(|| addresses().find_map(Player::of));
    if let Some(player) = video.filter(|player| player.picture.is_some()) {
        return Some(format!("<p>{}</p>{body}", player.html()));
    }
    if !super::plain(html::beginning(body, 512)).is_empty() || !super::plain(body).is_empty() {
        return None;
    }
    let shown: String = post.enclosures.iter().filter(|enclosure| !is_tracker(&enclosure.url)).map(shown).collect();
    (!shown.is_empty()).then(|| format!("{body}{shown}"))
}

fn shown(enclosure: &Enclosure) -> String {
    let address = escaped(&enclosure.url);
    let kind = enclosure.media_type.as_deref().unwrap_or_default();
    if kind.starts_with("image/") {
        return format!("<p><img src=\"{address}\" alt=\"\"/></p>");
    }
    let path = enclosure.url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
    let link = format!("<a href=\"{address}\">▶ {}</a>", escaped(name));
    match kind.split('/').next() {
        Some(element @ ("audio" | "video")) => {
            format!("<p><{element} controls preload=\"none\" src=\"{address}\"></{element}><br/>{link}</p>")
        }
        _ => format!("<p>{link}</p>"),
    }
}

#[cfg(test)]
mod tests;
