//! Bodies: kept as received, published as readers need them.

use crate::house::{DATE, House, item, rss};

fn bodies(house: &House) -> Vec<String> {
    let atom = house.read("data/public/t/atom.xml");
    let parsed = feed_rs::parser::parse(atom.as_bytes()).expect("feed-rs reads it");
    parsed.entries.into_iter().map(|entry| entry.content.and_then(|c| c.body).unwrap_or_default()).collect()
}

#[test]
fn only_what_leaves_is_changed() {
    let house = House::new();
    let body = "<figure><img src=\"/blank.gif\" data-src=\"/p/1.jpg\"/><figcaption>x</figcaption></figure>\
                <p><a href=\"../more.html\">more</a><img src=\"https://pixel.example.net/x\" width=\"1\" height=\"1\"/></p>";
    house
        .config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: t }]")
        .serves("/a.xml", rss(&item("One", "https://example.org/2021/07/1.html", "g", DATE, body)));
    house.run(["poll"]).success();
    let (_, post) = house.posts().pop_first().expect("post");
    assert!(post.contains(&format!("<div>\n{body}\n</div>")), "{post}");
    assert_eq!(
        bodies(&house),
        ["<figure><img src=\"https://example.org/p/1.jpg\"/><figcaption>x</figcaption></figure>\
          <p><a href=\"https://example.org/2021/more.html\">more</a></p>"]
    );
}

#[test]
fn addresses_without_a_page_begin_at_the_source() {
    let house = House::new();
    let feed = rss(&item("One", "", "tag:example.org,2021:1", DATE, "<img src=\"/1.jpg\"/>")).replacen(
        "<channel>",
        "<channel><link>https://blog.example.org/</link>",
        1,
    );
    house.config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: t }]").serves("/a.xml", feed);
    house.run(["poll"]).success();
    let body = bodies(&house).concat();
    assert!(body.starts_with("<img src=\"http") && body.ends_with("/1.jpg\"/>"), "{body}");
}

#[test]
fn a_video_without_a_text_has_a_picture_and_a_link() {
    let house = House::new();
    let entry = "<entry><id>yt:video:aB3_-xyz012</id><title>Film</title><published>2021-07-28T11:01:00Z</published>\
        <link rel=\"alternate\" href=\"https://www.youtube.com/watch?v=aB3_-xyz012\"/><media:group>\
        <media:content url=\"https://www.youtube.com/v/aB3_-xyz012?version=3\" type=\"application/x-shockwave-flash\"/>\
        <media:thumbnail url=\"https://i1.ytimg.com/vi/aB3_-xyz012/hqdefault.jpg\"/></media:group></entry>";
    let feed = format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\" xmlns:media=\"http://search.yahoo.com/mrss/\"><title>C</title>{entry}</feed>"
    );
    house.config("feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: t }]").serves("/a.xml", feed);
    house.run(["poll"]).success();
    assert_eq!(
        bodies(&house),
        ["<p><a href=\"https://www.youtube.com/watch?v=aB3_-xyz012\">\
          <img src=\"https://i.ytimg.com/vi/aB3_-xyz012/hqdefault.jpg\" alt=\"\"/><br/>\
          ▶ https://www.youtube.com/watch?v=aB3_-xyz012</a></p>"]
    );
}
