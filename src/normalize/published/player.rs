//! Frames of known players as links to the page of what they play, with a picture where there is one.

use url::Url;

use super::tag::escaped;

/// What a player plays.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Player {
    /// A page for people.
    pub page: String,
    /// Address of a picture.
    pub picture: Option<String>,
}

impl Player {
    /// Of the address that a frame or an enclosure names.
    pub fn of(address: &str) -> Option<Self> {
        let whole = if address.starts_with("//") { format!("https:{address}") } else { address.to_owned() };
        let url = Url::parse(&whole).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let parts: Vec<&str> = url.path_segments()?.filter(|part| !part.is_empty()).collect();
        let host = url.host_str()?;
        let host = host.strip_prefix("www.").or_else(|| host.strip_prefix("m.")).unwrap_or(host);
        let page = match (host, parts.as_slice()) {
            ("youtube.com" | "youtube-nocookie.com", ["embed" | "v" | "e", id, ..]) => return youtube(id, &url),
            ("player.vimeo.com", ["video", id]) => match parameter(&url, "h") {
                Some(hash) if is_id(id) => format!("https://vimeo.com/{id}/{hash}"),
                _ => format!("https://vimeo.com/{}", known(id)?),
            },
            ("player.bilibili.com", [.., "player.html"]) | ("bilibili.com", ["blackboard", ..]) => {
                let id = parameter(&url, "bvid").or_else(|| Some(format!("av{}", parameter(&url, "aid")?)))?;
                format!("https://www.bilibili.com/video/{id}")
            }
            ("w.soundcloud.com", ["player", ..]) => soundcloud(&url, &whole),
            ("open.spotify.com", ["embed" | "embed-podcast", kind, id]) => {
                format!("https://open.spotify.com/{}/{}", known(kind)?, known(id)?)
            }
            ("embed.podcasts.apple.com", _) => format!("https://podcasts.apple.com{}", url.path()),
            ("dailymotion.com", ["embed", "video", id]) => {
                let id = known(id)?;
                return Some(Self {
                    page: format!("https://www.dailymotion.com/video/{id}"),
                    picture: Some(format!("https://www.dailymotion.com/thumbnail/video/{id}")),
                });
            }
            ("player.youku.com", ["embed", id]) => {
                let id = id.trim_end_matches('=');
                format!("https://v.youku.com/v_show/id_{}.html", known(id)?)
            }
            ("v.qq.com", [.., "player.html"]) => format!("https://v.qq.com/x/page/{}.html", parameter(&url, "vid")?),
            _ => return None,
        };
        Some(Self { page, picture: None })
    }

    /// Of the page of a video that has a picture.
    pub fn of_page(address: &str) -> Option<Self> {
        let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let host = url.host_str()?;
        let mut parts = url.path_segments()?;
        match (host.strip_prefix("www.").or_else(|| host.strip_prefix("m.")).unwrap_or(host), parts.next()?) {
            ("youtube.com", "watch") => Some(Self::of_youtube(&parameter(&url, "v")?)),
            ("youtube.com", "shorts" | "live") => Some(Self::of_youtube(known(parts.next()?)?)),
            ("youtu.be", id) => Some(Self::of_youtube(known(id)?)),
            _ => None,
        }
    }

    fn of_youtube(id: &str) -> Self {
        Self {
            page: format!("https://www.youtube.com/watch?v={id}"),
            picture: Some(format!("https://i.ytimg.com/vi/{id}/hqdefault.jpg")),
        }
    }

    /// A link to the page, with the picture in it. Inline, because frames stand in paragraphs.
    pub fn html(&self) -> String {
        let page = escaped(&self.page);
        let picture = self.picture.as_ref().map(|picture| format!("<img src=\"{}\" alt=\"\"/><br/>", escaped(picture)));
        format!("<a href=\"{page}\">{}▶ {page}</a>", picture.unwrap_or_default())
    }
}

fn youtube(id: &str, url: &Url) -> Option<Player> {
    if id == "videoseries" {
        let list = parameter(url, "list")?;
        return Some(Player { page: format!("https://www.youtube.com/playlist?list={list}"), picture: None });
    }
    let mut player = Player::of_youtube(known(id)?);
    if let Some(start) = parameter(url, "start").filter(|start| start.bytes().all(|b| b.is_ascii_digit())) {
        player.page.extend(["&t=", &start]);
    }
    Some(player)
}

/// The page itself where the frame names it; mostly it names something for machines only.
fn soundcloud(url: &Url, frame: &str) -> String {
    let named = url.query_pairs().find(|(name, _)| name == "url").map(|(_, value)| value.into_owned());
    let is_page = |address: &String| {
        let host = Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned));
        matches!(host.as_deref(), Some("soundcloud.com" | "www.soundcloud.com")) && address.starts_with("https://")
    };
    named.filter(is_page).unwrap_or_else(|| frame.to_owned())
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).filter(|value| is_id(value))
}

fn known(id: &str) -> Option<&str> {
    Some(id).filter(|id| is_id(id))
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn players() {
        for (frame, page, picture) in [
            (
                "https://www.youtube.com/embed/aB3_-xyz012?feature=oembed&start=42",
                "https://www.youtube.com/watch?v=aB3_-xyz012&t=42",
                "https://i.ytimg.com/vi/aB3_-xyz012/hqdefault.jpg",
            ),
            (
                "//www.youtube-nocookie.com/embed/aB3_-xyz012",
                "https://www.youtube.com/watch?v=aB3_-xyz012",
                "https://i.ytimg.com/vi/aB3_-xyz012/hqdefault.jpg",
            ),
            (
                "https://www.youtube.com/v/aB3_-xyz012?version=3",
                "https://www.youtube.com/watch?v=aB3_-xyz012",
                "https://i.ytimg.com/vi/aB3_-xyz012/hqdefault.jpg",
            ),
            ("https://www.youtube.com/embed/videoseries?list=PL1", "https://www.youtube.com/playlist?list=PL1", ""),
            ("https://player.vimeo.com/video/123?h=ab&color=0", "https://vimeo.com/123/ab", ""),
            ("https://player.vimeo.com/video/123", "https://vimeo.com/123", ""),
            ("//player.bilibili.com/player.html?bvid=BV1xx&page=1", "https://www.bilibili.com/video/BV1xx", ""),
            ("https://player.bilibili.com/player.html?aid=17", "https://www.bilibili.com/video/av17", ""),
            (
                "https://w.soundcloud.com/player/?url=https%3A//soundcloud.com/a/b&color=x",
                "https://soundcloud.com/a/b",
                "",
            ),
            (
                "https://w.soundcloud.com/player/?url=https%3A//api.soundcloud.com/tracks/1",
                "https://w.soundcloud.com/player/?url=https%3A//api.soundcloud.com/tracks/1",
                "",
            ),
            ("https://open.spotify.com/embed/episode/4x?utm_source=o", "https://open.spotify.com/episode/4x", ""),
            (
                "https://embed.podcasts.apple.com/us/podcast/x/id1?i=2",
                "https://podcasts.apple.com/us/podcast/x/id1",
                "",
            ),
            (
                "https://www.dailymotion.com/embed/video/x8",
                "https://www.dailymotion.com/video/x8",
                "https://www.dailymotion.com/thumbnail/video/x8",
            ),
            ("https://player.youku.com/embed/XNA==", "https://v.youku.com/v_show/id_XNA.html", ""),
            ("https://v.qq.com/txp/iframe/player.html?vid=a1", "https://v.qq.com/x/page/a1.html", ""),
        ] {
            let picture = Some(picture.to_owned()).filter(|picture| !picture.is_empty());
            assert_eq!(Player::of(frame), Some(Player { page: page.into(), picture }), "{frame}");
        }
        for none in [
            "https://www.youtube.com/embed/",
            "https://www.youtube.com/embed/a%22b",
            "https://www.youtube.com/watch?v=x",
            "https://player.bilibili.com/player.html?bvid=a/b",
            "https://maps.example.org/embed?x",
            "javascript:x",
            "embed/x",
        ] {
            assert_eq!(Player::of(none), None, "{none}");
        }
    }

    #[test]
    fn pages_of_videos() {
        let page = |address| Player::of_page(address).map(|player| player.page);
        let watch = Some("https://www.youtube.com/watch?v=x-1".to_owned());
        for address in
            ["https://www.youtube.com/watch?v=x-1&t=3", "https://m.youtube.com/shorts/x-1", "https://youtu.be/x-1?si=y"]
        {
            assert_eq!(page(address), watch);
        }
        assert_eq!(page("https://www.youtube.com/@channel"), None);
        assert_eq!(page("https://example.org/watch?v=x-1"), None);
    }
}
