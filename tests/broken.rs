//! Feeds as they should not be: what is complete is kept, and what is missing is said.

use std::io::Write;

use crate::house::{DATE, House, Page, item, rss};

const ONE: &str = "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]\ntopics: [{ id: all }]";

fn two() -> String {
    rss(&(item("One", "https://example.org/1", "g1", DATE, "<p>一</p>")
        + &item("Two", "https://example.org/2", "g2", DATE, "<p>二</p>")))
}

fn titles(house: &House) -> Vec<String> {
    let title = |text: &String| text.lines().find_map(|line| line.strip_prefix("title: ")).map(str::to_owned);
    let mut titles: Vec<String> = house.posts().values().filter_map(title).collect();
    titles.sort();
    titles
}

/// The one line of `--json` about the only feed.
fn report(run: &crate::house::Run) -> serde_json::Value {
    serde_json::from_str(run.stdout.lines().next().expect("a line")).expect("json")
}

#[test]
fn a_broken_feed_is_repaired_and_reported_as_such() {
    let house = House::new();
    let broken = two().replacen("</title>", "", 2).replace("One", "One & only");
    house.config(ONE).serves("/a.xml", broken);
    let run = house.run(["poll", "--json"]).success();
    let report = report(&run);
    assert_eq!(
        (&report["new"], &report["repaired"], &report["error"]),
        (&2.into(), &true.into(), &serde_json::Value::Null)
    );
    assert_eq!(titles(&house), ["\"One & only\"", "\"Two\""]);
    // The same entries from a sound document are the same entries.
    house.serves("/a.xml", two().replace("One", "One &amp; only"));
    let run = house.run(["poll", "--json"]).success();
    assert_eq!(self::report(&run)["duplicate"], 2);
}

#[test]
fn a_document_that_is_cut_off_leaves_no_validators() {
    let house = House::new();
    let whole = two();
    house.config(ONE).serves("/a.xml", &whole[..whole.len() - 60]);
    let run = house.run(["poll"]).summary("1 read (1 new post)");
    assert!(
        run.stderr.contains("feed `a`: the document is cut off; what is missing waits for the next poll"),
        "{}",
        run.stderr
    );
    house.serves("/a.xml", &whole);
    house.run(["poll"]).summary("1 read (1 new post, 1 duplicate)").success();
    let asked = house.requests();
    assert!(asked.iter().all(|request| !request.headers.contains_key("if-none-match")), "{asked:?}");
    house.run(["poll"]).summary("1 not modified").success();
}

#[test]
fn a_feed_with_too_many_entries_says_how_many_and_leaves_no_validators() {
    let house = House::new();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a.xml', max_entries: 1 }]\ntopics: [{ id: all }]");
    house.serves("/a.xml", two());
    let run = house.run(["poll"]).summary("1 read (1 new post)");
    assert!(
        run.stderr.contains("feed `a`: it holds 2 entries, of which 1 were read; raise `max_entries`"),
        "{}",
        run.stderr
    );
    house.run(["poll"]).summary("1 read (1 duplicate)").success();
}

#[test]
fn a_page_instead_of_a_feed_names_the_feeds_that_it_links() {
    let house = House::new();
    let page = "<!DOCTYPE html><html><head><link rel=alternate type=application/rss+xml href=/feed.xml></head></html>";
    house.config(ONE).serves("/a.xml", page);
    let run = house.run(["poll"]).code(4);
    let sentence = "the answer is an HTML page, not a feed; it links `http://127.0.0.1";
    assert!(run.stderr.contains(sentence) && run.stderr.contains("/feed.xml`"), "{}", run.stderr);
}

#[test]
fn bytes_are_read_in_the_encoding_they_are_in() {
    let text = rss(&item(
        "自由亚洲电台普通话频道",
        "https://example.org/1",
        "g1",
        DATE,
        "<p>每天为您报道中国与世界各地的新闻。</p>",
    ));
    let gbk = encoding_rs::GB18030.encode(&text.replace("UTF-8", "gb2312")).0.into_owned();
    let unlabelled = encoding_rs::GB18030.encode(&text.replace(" encoding=\"UTF-8\"", "")).0.into_owned();
    let lying = text.replace("UTF-8", "gb2312").into_bytes();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).expect("written");
    let packed = gzip.finish().expect("gzip");
    for (what, body) in [("declared", gbk), ("in HTTP", unlabelled.clone()), ("lying", lying), ("packed", packed)] {
        let house = House::new();
        let headers = vec![("Content-Type".to_owned(), "text/xml; charset=gb2312".to_owned())];
        house.config(ONE).serves_page("/a.xml", Page { status: 200, headers, body });
        house.run(["poll"]).summary("1 read (1 new post)").success();
        assert_eq!(titles(&house), ["\"自由亚洲电台普通话频道\""], "{what}");
    }
    let house = House::new();
    house.config("feeds: [{ id: a, name: A, url: '{server}/a.xml', encoding: gbk }]\ntopics: [{ id: all }]");
    house.serves("/a.xml", unlabelled);
    house.run(["poll"]).summary("1 read (1 new post)").success();
    assert_eq!(titles(&house), ["\"自由亚洲电台普通话频道\""]);
}

#[test]
fn old_formats_and_other_ways_of_writing_are_read() {
    let atom03 = "<feed version='0.3' xmlns='http://purl.org/atom/ns#'><entry><title mode='escaped' type='text/html'>A &amp;lt; B</title>\
        <link rel='alternate' href='https://example.org/1'/><issued>2021-07-28T11:01:00+08:00</issued>\
        <content type='text/html' mode='escaped'>&lt;p>x&lt;/p></content></entry></feed>";
    let cdf = "<CHANNEL HREF='https://example.org/'><ITEM HREF='https://example.org/1' LASTMOD='2021-07-28T03:01:00Z'>\
        <TITLE>A &lt; B</TITLE><ABSTRACT>&lt;p&gt;x&lt;/p&gt;</ABSTRACT></ITEM></CHANNEL>";
    let json = r#"{"items":[{"id":5,"url":"https://example.org/1","title":"A < B","content_html":"<p>x</p>","date_published":"2021-07-28 03:01:00"}]}"#;
    for document in [atom03, cdf, json] {
        let house = House::new();
        house.config(ONE).serves("/a.xml", document);
        house.run(["poll"]).summary("1 read (1 new post)").success();
        let posts = house.posts();
        let text = posts.values().next().expect("post");
        assert!(text.contains("title: \"A < B\"\ndate: 2021-07-28T03:01:00.000Z\n"), "{text}");
        assert!(text.contains("from: https://example.org/1\n") && text.contains("<p>x</p>"), "{text}");
    }
}

#[test]
fn entries_of_nothing_are_told_in_one_sentence() {
    let house = House::new();
    house.config(ONE).serves("/a.xml", two().replace("<item>", &format!("{}<item>", "<item/>".repeat(3_000))));
    let run = house.run(["poll"]).summary("1 read (2 new posts, 6000 entries rejected)").success();
    let told: Vec<&str> = run.stderr.lines().filter(|line| line.contains("left out")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].ends_with("neither title nor text nor link nor id (and so were 5999 more)"), "{told:?}");
    // So it is with what is no entry at all.
    house.serves("/a.xml", format!("{{\"items\":[{{\"id\":\"1\",\"title\":\"x\"}}{}]}}", ",1".repeat(3_000)));
    let run = house.run(["poll"]).summary("1 read (1 new post)").success();
    let told: Vec<&str> = run.stderr.lines().filter(|line| !line.contains("at the last reading")).collect();
    assert_eq!(told.len(), 6, "{told:?}");
    assert_eq!(told[0], "warning: feed `a`: item 2 of the document is no JSON object");
    assert_eq!(told[5], "warning: feed `a`: 2995 more of its entries could not be read");
}

/// Two hundred kilobytes of each, in a hundred entries, were twenty megabytes of posts and sixty of what is published.
#[test]
fn what_a_feed_says_at_length_is_not_written_at_length_into_each_entry() {
    let house = House::new();
    let long = "A".repeat(200_000);
    let entry = |n: usize| {
        format!(
            "<entry><id>urn:e:{n}</id><title>t{n}</title><updated>2021-07-28T11:01:00Z</updated><content>x</content></entry>"
        )
    };
    let document = format!(
        "<feed xmlns='http://www.w3.org/2005/Atom'><title>{long}</title><id>urn:x:{long}</id><icon>https://a.b/{long}</icon>\
         <link href='https://a.b/{long}'/><rights>{long}</rights><author><name>{long}</name></author>\
         <updated>2021-07-28T11:01:00Z</updated>{}</feed>",
        (0..100).map(entry).collect::<String>()
    );
    house.config(ONE).serves("/a.xml", &document);
    house.run(["poll"]).summary("1 read (100 new posts)").success();
    let size = |folder: &str| {
        let files = crate::house::files(&house.path(folder));
        files.iter().map(|file| std::fs::metadata(file).expect("file").len()).sum::<u64>()
    };
    assert!(size("data/archive/_posts") < 1_000_000, "{}", size("data/archive/_posts"));
    assert!(size("data/public") < 4_000_000, "{}", size("data/public"));
}

/// A post whose link is as long as no link is, kept by a former version: the body's addresses do not get a copy each.
#[test]
fn a_long_link_of_a_kept_post_does_not_grow_into_its_addresses() {
    let house = House::new();
    let body = "<p>x</p>".to_owned() + &"<img src=\"x\"/>".repeat(50);
    house.config(ONE).serves("/a.xml", rss(&item("One", "https://example.org/1", "g1", DATE, &body)));
    house.run(["poll"]).success();
    let (path, text) = house.posts().into_iter().next().expect("a post");
    let long = format!("https://example.org/{}/1", "a".repeat(100_000));
    house.write(&format!("data/archive/{path}"), text.replace("https://example.org/1", &long).as_bytes());
    for cached in ["data/index", "data/public"] {
        std::fs::remove_dir_all(house.path(cached)).expect("removed");
    }
    house.run(["publish"]).success();
    let atom = house.read("data/public/all/atom.xml");
    assert!(atom.matches("img src").count() == 50 && atom.len() < 500_000, "{}", atom.len());
}
