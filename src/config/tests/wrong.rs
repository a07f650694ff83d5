use std::fmt::Write;
use std::time::{Duration, Instant};

use super::right::ALL_KEYS;
use super::{SITE, env, lines, problems, problems_of, read_all};
use crate::config::read;

/// Lines of `text => problem`; `⏎`, `␍`, `⇥` and `␇` stand for control characters.
fn table(lines: &str) -> impl Iterator<Item = (String, String)> {
    let spelt = [("⏎", "\n"), ("␍", "\r"), ("⇥", "\t"), ("␇", "\u{7}")];
    lines.lines().filter_map(move |line| {
        let line = spelt.iter().fold(line.to_owned(), |line, (sign, c)| line.replace(sign, c));
        line.split_once(" => ").map(|(text, problem)| (text.to_owned(), problem.to_owned()))
    })
}

const BROKEN: &str = r#"
a: b: c => :1: broken YAML: a `:` where none may stand; check the indentation, or quote the value
site：⏎  url: x => :2: broken YAML: a `:` where none may stand; check the indentation, or quote the value; `：` is not `:`
a:⏎⇥- b => :2: broken YAML: a tab in the indentation; use blanks
a:␍⏎⇥- b => :2: broken YAML: a tab in the indentation; use blanks
a: 1⏎b: @x => :2: broken YAML: a value may not begin with `@`; put it in quotes
a: , => :1: broken YAML: a value may not begin with `,`; put it in quotes
a: 1⏎b: "x⏎c: 1⏎d: 2 => :2: broken YAML: the quote that opens here is never closed
a: "x" y => :1: broken YAML: this does not fit what stands above it; check indentation and quotes
- a⏎b: c => :2: broken YAML: this does not fit what stands above it; check indentation and quotes
a: 1⏎foo⏎b: 2 => :2: broken YAML: a key without `:`
a: [1,⏎ 2⏎b: 3 => :3: broken YAML: a `,` is missing here, or the `[` of line 1 is not closed
a: {b⏎⏎ => :2: broken YAML: a `,` is missing here, or the `{` of line 1 is not closed
feeds: [*] => :1: broken YAML: a value that begins with `*` needs quotes
feeds: *all => :1: broken YAML: a value that begins with `*` needs quotes
a: & => :1: broken YAML: a value that begins with `&` needs quotes
a: "\s" => :1: broken YAML: an unknown escape in double quotes; use single quotes, or double the backslash
a: !secret x => :1: broken YAML: expected a value without a tag such as `!name`
a: 1⏎? [b]⏎: c => :2: broken YAML: expected a plain text as key
a: 1⏎---⏎b: 2 => :3: broken YAML: a second document begins here; keep to one, and begin its keys in one column
a: 1⏎--- => :2: broken YAML: a second document begins here; keep to one, and begin its keys in one column
  a: 1⏎b: 2 => :2: broken YAML: a second document begins here; keep to one, and begin its keys in one column
a: 1⏎b: x␇y => :2: broken YAML: the control character U+0007 may not stand here
a: > x => :1: broken YAML: did not find expected comment or line break
"#;

#[test]
fn yaml_that_is_broken() {
    for (text, expected) in table(BROKEN) {
        assert_eq!(problems_of(&text), format!("c.yaml{expected}"), "{text}");
    }
}

#[test]
fn bombs_are_refused() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for n in 1..20 {
        let _ = writeln!(laughs, "a{n}: &a{n} [{}]", vec![format!("*a{}", n - 1); 9].join(", "));
    }
    let squares = format!("a: &a [{}]\nb: [{}]", "x, ".repeat(3000), "*a, ".repeat(3000));
    let deep = "[".repeat(10_000);
    let own = "a: &a [*a]";
    for (text, expected) in [
        (laughs.as_str(), "broken YAML: the aliases (`*name`) make it too large"),
        (squares.as_str(), "broken YAML: the aliases (`*name`) make it too large"),
        (deep.as_str(), "broken YAML: nested too deeply"),
        (own, "broken YAML: nested too deeply"),
    ] {
        let start = Instant::now();
        let problems = problems_of(text);
        assert!(problems.ends_with(expected), "{problems}");
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

const KEYS: &str = r"
topc: 1 => :2: unknown key `topc`; did you mean `topics`?
Feeds: [] => :2: unknown key `Feeds`; did you mean `feeds`?
<<: {} => :2: `<<` (merging) is not understood; write the keys out
server:⏎  hub: x => :3: server: unknown key `hub`; did you mean `hubs`?
server:⏎  certificate: x => :3: server: unknown key `certificate`; known here: listen, socket, metrics, hubs, heartbeat_url
1: a => :2: unknown key `1`; known here: site, storage, server, fetch, timezone, schedule, include, feeds, topics
topics:⏎- title: x => :3: topics[0]: `id` is missing
feeds:⏎- tags: x => :3: feeds[0]: `id`, `name` and `url` are missing
feeds:⏎-⏎- id: a⏎  nmae: A⏎  url: 'http://a' => :3: feeds[0]: `id`, `name` and `url` are missing⏎c.yaml:5: feeds[1]: unknown key `nmae`; did you mean `name`?
fetch:⏎  timeout: 3s⏎  allow: []⏎  timeout: 4s => :5: fetch: the key `timeout` stands twice; first at c.yaml:3
site: {} => :2: the key `site` stands twice; first at c.yaml:1
feeds: []⏎feeds: []⏎feeds: [] => :3: the key `feeds` stands twice; first at c.yaml:2⏎c.yaml:4: the key `feeds` stands twice; first at c.yaml:2
";

#[test]
fn keys_that_are_unknown_missing_or_double() {
    for (text, expected) in table(KEYS) {
        assert_eq!(problems(&text), format!("c.yaml{expected}"), "{text}");
    }
    assert_eq!(problems_of(""), "c.yaml:1: site: `url` is missing");
    assert_eq!(problems_of("# nothing\n"), "c.yaml:1: site: `url` is missing");
    assert_eq!(problems_of("feeds: []"), "c.yaml:1: site: `url` is missing");
    assert_eq!(problems_of("storage: {}\n\nsite:\n  title: x"), "c.yaml:3: site: `url` is missing");
}

const KINDS: &str = r"
server: 5 => :2: server: expected a mapping, found a text
server:⏎  - listen: x => :2: server: expected a mapping, found a list
server:⏎  listen:⏎    a: b => :3: server.listen: expected a text, found a mapping
fetch:⏎  allow:⏎    a: b => :3: fetch.allow: expected a list of texts, found a mapping
topics:⏎- id: a⏎  any:⏎  - x⏎  - [y] => :6: topics[0].any[1]: expected a text, found a list
topics:⏎- id: a⏎  any: [x, ~] => :4: topics[0].any[1]: expected a text, found nothing; if the text `null` or `~` is meant, put it in quotes
feeds:⏎  id: a => :2: feeds: expected a list of mappings, found a mapping; begin each of the feeds with `- `
topics: a => :2: topics: expected a list of mappings, found a text; begin each of the topics with `- `
feeds:⏎- http://a => :3: feeds[0]: expected a mapping, found a text
";

#[test]
fn values_of_the_wrong_kind() {
    for (text, expected) in table(KINDS) {
        assert_eq!(problems(&text), format!("c.yaml{expected}"), "{text}");
    }
    assert_eq!(problems_of("- a"), "c.yaml:1: expected a mapping, found a list");
    assert_eq!(problems_of("site: https://a"), "c.yaml:1: site: expected a mapping, found a text");
}

const VALUES: &str = r#"
storage: { layout: mnth } => storage.layout: `mnth`: not one of month, flat; did you mean `month`?
storage: { index: ./data//public/ } => storage.public: archive, index and public must be different folders; first at c.yaml:2
storage: { index: a/../data/./public } => storage.public: archive, index and public must be different folders; first at c.yaml:2
storage: { public: data } => storage.public: `archive` lies in `public`, which everybody may read; give each a folder of its own⏎c.yaml:2: storage.public: `index` lies in `public`, which everybody may read; give each a folder of its own
storage: { index: data/public/index } => storage.index: `index` lies in `public`, which everybody may read; give each a folder of its own
storage: { archive: data/index/../index/a } => storage.archive: `archive` lies in `index`, which may be deleted at any time; give each a folder of its own
storage: { index: ~/x } => storage.index: `~/x`: `~` is not expanded; write the whole path, or `${HOME}`
storage: { index: '' } => storage.index: is empty
server: { listen: 8080 } => server.listen: `8080`: not an IP address with a port; write it like `127.0.0.1:8080` or `[::1]:8080`
server: { metrics: 9464 } => server.metrics: `9464`: not an IP address with a port; write it like `127.0.0.1:8080` or `[::1]:8080`
server: { metrics: '127.0.0.1:8080' } => server.metrics: is the address of `listen` too; give it a port of its own
server: { socket: ~/s } => server.socket: `~/s`: `~` is not expanded; write the whole path, or `${HOME}`
server: { hubs: [hub.example.org] } => server.hubs[0]: not a whole address; it begins with one of http, https
server: { hubs: 'ftp://hub.example.org' } => server.hubs: the address must begin with one of http, https
server: { hubs: ['https://a/#x'] } => server.hubs[0]: the address of a hub cannot have a `#` part; remove it
server: { hubs: ['https://a', 'https://A:443/'] } => server.hubs[1]: stands twice
server: { hubs: ['https://a/${TOKEN}'] } => server.hubs[0]: feeds name their hubs to everybody; take the `${NAME}` out of it
server: { heartbeat_url: 'file:///x' } => server.heartbeat_url: the address must begin with one of http, https
server: { heartbeat_url: '${TOKEN}' } => server.heartbeat_url: not a whole address; it begins with one of http, https
server: { heartbeat_url: 'https://a:${TOKEN}@b/' } => server.heartbeat_url: user name and password may not stand in an address; remove them
fetch: { concurrency: 0 } => fetch.concurrency: `0`: must be a whole number from 1 to 1000
fetch: { concurrency: 1.5 } => fetch.concurrency: `1.5`: must be a whole number from 1 to 1000
fetch: { timeout: 30 } => fetch.timeout: `30`: not a duration; write it like `30s`, `15m`, `1h30m` or `500ms`
fetch: { timeout: 0s } => fetch.timeout: `0s`: must be from 1ms to 3600s
fetch: { max_body: 64M } => fetch.max_body: `64M`: not a size; write it like `64MiB`, `500KB` or `1000` (bytes)
fetch: { max_body: 0 } => fetch.max_body: `0`: must be from 1 to 4294967296 bytes
fetch: { user_agent: 'x {name}' } => fetch.user_agent: `x {name}`: in braces stands either `{version}` or `{site.url}`
fetch: { user_agent: 新闻 } => fetch.user_agent: `新闻`: may hold printable ASCII only
fetch: { allow: nas.local } => fetch.allow: `nas.local`: not an address to allow; write it like `nas.local:8080`, `[::1]:9000`, `192.168.7.5` or `192.168.7.0/24`
fetch: { allow: [192.168.7.5/24] } => fetch.allow[0]: `192.168.7.5/24`: the address has bits beyond its length; did you mean `192.168.7.0/24`?
fetch: { min_rate: 512 } => fetch.min_rate: `512`: not a rate; write it like `512B/s` or `2KiB/s`
fetch: { min_rate: 2GiB/s } => fetch.min_rate: `2GiB/s`: must be from 0 to 1073741824 bytes a second
fetch: { first_byte: 0s } => fetch.first_byte: `0s`: must be from 1ms to 3600s
fetch: { per_host: 0 } => fetch.per_host: `0`: must be a whole number from 1 to 1000
fetch: { host_delay: 2h } => fetch.host_delay: `2h`: must be from 0ns to 3600s
fetch: { proxy: '127.0.0.1:9050' } => fetch.proxy: not a proxy; write it like `socks5h://127.0.0.1:9050` or `http://proxy.example.org:3128` (http, https, socks5 or socks5h), or `none`
fetch: { proxy: 'socks4://127.0.0.1:9050' } => fetch.proxy: not a proxy; write it like `socks5h://127.0.0.1:9050` or `http://proxy.example.org:3128` (http, https, socks5 or socks5h), or `none`
fetch: { proxy: 'socks5h://127.0.0.1' } => fetch.proxy: not a proxy; write it like `socks5h://127.0.0.1:9050` or `http://proxy.example.org:3128` (http, https, socks5 or socks5h), or `none`
fetch: { proxy: 'http://p.example.org:3128/path' } => fetch.proxy: not a proxy; write it like `socks5h://127.0.0.1:9050` or `http://proxy.example.org:3128` (http, https, socks5 or socks5h), or `none`
feeds: [{ id: a, name: A, url: 'http://a', proxy: tor }] => feeds[0].proxy: not a proxy; write it like `socks5h://127.0.0.1:9050` or `http://proxy.example.org:3128` (http, https, socks5 or socks5h), or `none`
feeds: [{ id: a, name: A, url: 'http://a', headers: x }] => feeds[0].headers: expected a mapping, found a text
feeds: [{ id: a, name: A, url: 'http://a', headers: { X-A: [b] } }] => feeds[0].headers.X-A: expected a text, found a list
feeds: [{ id: a, name: A, url: 'http://a', headers: { 'X A': b } }] => feeds[0].headers.X A: this is no name of a header
feeds: [{ id: a, name: A, url: 'http://a', headers: { X-A: b, x-a: c } }] => feeds[0].headers.x-a: stands twice
feeds: [{ id: a, name: A, url: 'http://a', headers: { X-A: '新闻' } }] => feeds[0].headers.X-A: a header may hold printable ASCII only
feeds: [{ id: a, name: A, url: 'http://a', headers: { Host: b } }] => feeds[0].headers.Host: feedmill says this itself; remove the header
feeds: [{ id: a, name: A, url: 'http://a', username: 'a:b', password_file: x }] => feeds[0].username: a name to log in with holds no `:` and is a single line
feeds: [{ id: a, name: A, url: 'http://a', username: a }] => feeds[0].username: `password_file` or `password: ${NAME}` is missing
feeds: [{ id: a, name: A, url: 'http://a', password_file: a }] => feeds[0].password_file: `username` is missing
feeds: [{ id: a, name: A, url: 'http://a', password: '${TOKEN}' }] => feeds[0].password: `username` is missing
feeds: [{ id: a, name: A, url: 'http://a', username: a, password: '${TOKEN}', password_file: b }] => feeds[0].password: `password_file` says it too; keep one of the two
feeds: [{ id: a, name: A, url: 'http://a', username: a, password: geheim }] => feeds[0].password: a password does not stand in a config; use `${NAME}` or `password_file`
feeds: [{ id: a, name: A, url: 'http://a', username: a, password_file: b, headers: { Authorization: c } }] => feeds[0].headers: `username` makes the header `Authorization`; keep one of the two
schedule: 0 9 * * 8 => schedule: `0 9 * * 8`: weekday 8 does not exist
timezone: Asia/Shangai => timezone: `Asia/Shangai`: no such time zone; did you mean `Asia/Shanghai`?
timezone: new york => timezone: `new york`: no such time zone; did you mean `America/New_York`?
timezone: utc => timezone: `utc`: no such time zone; did you mean `UTC`?
timezone: GMT+8 => timezone: `GMT+8`: no such time zone; write it like `Asia/Shanghai` or `UTC`
feeds: [{ id: RFA, name: A, url: 'http://a' }]⏎topics: [{ id: a, feeds: RFA }] => feeds[0].id: `RFA`: an id has 1 to 64 of the characters a-z, 0-9 and -
topics: [{ id: index.html }] => topics[0].id: `index.html`: an id has 1 to 64 of the characters a-z, 0-9 and -
feeds: [{ id: a, name: "A\nB", url: 'http://a' }] => feeds[0].name: `A\nB`: must be a single line
feeds: [{ id: a, name: A, url: 'ftp://a/b' }] => feeds[0].url: the address must begin with one of http, https, file
feeds: [{ id: a, name: A, url: www.rfa.org/rss }] => feeds[0].url: not a whole address; it begins with one of http, https, file
feeds: [{ id: a, name: A, url: 'http://' }] => feeds[0].url: not an address: empty host
feeds: [{ id: a, name: A, url: 'https://me:pw@a/b' }] => feeds[0].url: user name and password may not stand in an address; remove them
feeds: [{ id: a, name: A, url: 'file:data/a.xml' }] => feeds[0].url: the working folder is not known; write the whole path, such as `file:///srv/a.xml`
feeds: [{ id: a, name: A, url: 'file://data/a.xml' }] => feeds[0].url: a `file:` address names no host; write it like `file:///srv/a.xml` or `file:data/a.xml`
feeds: [{ id: a, name: A, url: 'http://a', enabled: yes }] => feeds[0].enabled: `yes`: not one of true, false
feeds: [{ id: a, name: A, url: 'http://a', language: zh_CN }] => feeds[0].language: `zh_CN`: not a language tag; write it like `en` or `zh-Hans`
topics: [{ id: a, limit: 10001 }] => topics[0].limit: `10001`: must be a whole number from 1 to 10000
topics: [{ id: a, any: [x, ' '] }] => topics[0].any[1]: is empty
topics: [{ id: a, in: [titel] }] => topics[0].in[0]: `titel`: not one of title, body, tags; did you mean `title`?
feeds: [{ id: a, name: A, url: 'http://a', publish: links }] => feeds[0].publish: `links`: not one of full, excerpt, link, none; did you mean `link`?
topics: [{ id: a, formats: [atom, json1] }] => topics[0].formats[1]: `json1`: not one of atom, rss, json; did you mean `json`?
topics: [{ id: a, formats: [] }] => topics[0].formats: an empty list selects nothing; leave the key out for the default
topics: [{ id: a, in: [] }] => topics[0].in: an empty list selects nothing; leave the key out for the default
topics: [{ id: a, feeds: [] }] => topics[0].feeds: an empty list selects nothing; leave the key out for the default
topics: [{ id: a, regex: 'a(b' }] => topics[0].regex: `a(b`: not a regular expression: unclosed group
topics: [{ id: a, regex: '\w{9}{9}{9}{9}' }] => topics[0].regex: `\w{9}{9}{9}{9}`: not a regular expression: compiled regex exceeds size limit of 4194304 bytes
topics: [{ id: a, languages: [zh_CN] }] => topics[0].languages[0]: `zh_CN`: not a language tag; write it like `en` or `zh-Hans`
topics: [{ id: a, max_age: 30 }] => topics[0].max_age: `30`: not a duration; write it like `30s`, `15m`, `1h30m` or `500ms`
topics: [{ id: a, per_feed_limit: 0 }] => topics[0].per_feed_limit: `0`: must be a whole number from 1 to 10000
topics: [{ id: a, fold: 1 }] => topics[0].fold: `1`: not one of true, false
topics: [{ id: a, topics: [bb] }, { id: b }] => topics[0].topics[0]: unknown topic `bb`; did you mean `b`?
topics: [{ id: a, topics: a }] => topics[0].topics: a circle: `a` includes `a`; take one of them out
topics: [{ id: a, languages: [en], regexp: x }] => topics[0]: unknown key `regexp`; did you mean `regex`?
topics: [{ id: a, feeds: [nobody] }] => topics[0].feeds: unknown feed `nobody`
"#;

#[test]
fn values_that_cannot_be() {
    for (text, expected) in table(VALUES) {
        assert_eq!(problems(&text), format!("c.yaml:2: {expected}"), "{text}");
    }
    assert_eq!(
        problems_of("site: { url: 'https://a/?b' }"),
        "c.yaml:1: site.url: the address of the site cannot have a `?` or `#` part; remove it"
    );
    assert_eq!(
        problems_of("site: { url: 'file:///a' }"),
        "c.yaml:1: site.url: the address must begin with one of http, https"
    );
}

#[test]
fn bad_selectors_and_regexes_stand_at_their_place() {
    let text = "feeds:\n- id: a\n  name: A\n  url: http://a\n  remove:\n  - p\n  - 'p['\n  remove_text: '('\n";
    let problems = problems(text);
    let starts = ["c.yaml:8: feeds[0].remove[1]: `p[`: ", "c.yaml:9: feeds[0].remove_text: `(`: "];
    assert_eq!(problems.lines().count(), 2, "{problems}");
    for (line, start) in problems.lines().zip(starts) {
        assert!(line.starts_with(start) && line.len() > start.len(), "{line}");
    }
}

#[test]
fn feeds_and_topics_are_told_apart() {
    let text = "feeds:
- { id: a, name: A, url: 'http://a/x' }
- { id: a, name: B, url: 'http://b/' }
- { id: c, name: A, url: 'http://c/' }
- { id: d, name: D, url: 'HTTP://A:80/x#y' }
topics:
- id: t
- id: u
- id: t
";
    assert_eq!(
        problems(text),
        "c.yaml:4: feeds[1].id: another feed has this id; first at c.yaml:3\n\
         c.yaml:5: feeds[2].name: another feed has this name; first at c.yaml:3\n\
         c.yaml:6: feeds[3].url: another feed has this address; first at c.yaml:3\n\
         c.yaml:10: topics[2].id: another topic has this id; first at c.yaml:8"
    );
}

#[test]
fn topics_cannot_include_each_other() {
    assert_eq!(
        problems(
            "topics:\n- { id: a, topics: [b] }\n- { id: b, topics: [d, c] }\n- { id: c, topics: [a] }\n- { id: d }\n"
        ),
        "c.yaml:5: topics[2].topics[0]: a circle: `a` includes `b` includes `c` includes `a`; take one of them out"
    );
    let chain = (0..20).fold(String::from("topics:\n"), |mut text, n| {
        let _ = writeln!(text, "- {{ id: t{n}, topics: [t{}] }}", (n + 1).min(20));
        text
    });
    assert_eq!(
        problems(&format!("{chain}- id: t20\n")),
        "c.yaml:18: topics[15].topics[0]: more than 16 topics that include each other in a chain"
    );
    // what stands in a file that cannot be read may well be the topic that seems unknown
    let main = format!("{SITE}topics: [{{ id: t, topics: [u] }}]\n");
    let result = read_all(&[("c.yaml", &main), ("f/a.yaml", "topics:\n\t- x\n")]);
    assert_eq!(lines(result), "f/a.yaml:2: broken YAML: a tab in the indentation; use blanks");
}

#[test]
fn problems_with_variables() {
    assert_eq!(
        problems("server: { listen: '${LISTEN}:${PORT}' }"),
        "c.yaml:2: server.listen: not set in the environment: `LISTEN`, `PORT`"
    );
    for text in ["${}", "${A B}", "${A", "${1A}"] {
        assert_eq!(
            problems(&format!("topics: [{{ id: a, any: '{text}' }}]")),
            "c.yaml:2: topics[0].any: after `${` comes the name of an environment variable and `}`; \
             write `$${` for a plain `${`"
        );
    }
    assert_eq!(problems("topics: [{ id: a, any: '${EMPTY}' }]"), "c.yaml:2: topics[0].any: `${EMPTY}` is empty");
    assert_eq!(
        problems("include: ['${ROOT}/*.yaml', '']"),
        "c.yaml:2: include[0]: `${…}` cannot be used here\nc.yaml:2: include[1]: is empty"
    );
}

#[test]
fn secrets_are_not_repeated() {
    for text in [
        "feeds: [{ id: a, name: A, url: 'ftp://x/${TOKEN}' }]",
        "feeds: [{ id: a, name: A, url: 'http://geheim:x@y/' }]",
        "feeds: [{ id: a, name: A, url: 'geheim:x@y/' }]",
        "feeds: [{ id: a, name: A, url: 'http://x:geheim/' }]",
        "feeds: [{ id: a, name: A, url: [geheim] }, geheim]",
        "feeds: [{ id: a, name: A, url: 'http://x/?${TOKEN}' }, { id: b, name: B, url: 'http://x/?${TOKEN}' }]",
        "feeds: geheim",
        "fetch: { timeout: '${TOKEN}' }",
        "fetch: { proxy: 'http://a:geheim@p/x' }",
        "fetch: { proxy: 'ftp://a:${TOKEN}@p' }",
        "feeds: [{ id: a, name: A, url: 'http://x', username: a, password: geheim }]",
        "feeds: [{ id: a, name: A, url: 'http://x', username: a, password: ['${TOKEN}'] }]",
        "feeds: [{ id: a, name: A, url: 'http://x', password: '${TOKEN}' }]",
        "feeds: [{ id: a, name: A, url: 'http://x', headers: { Host: '${TOKEN}' } }]",
        "feeds: [{ id: a, name: A, url: 'http://x', headers: { 'X A': 'geheim' } }]",
        "feeds: [{ id: a, name: A, url: 'http://x', proxy: '${TOKEN}' }]",
        "timezone: ${TOKEN}",
        "schedule: ${TOKEN} 8",
    ] {
        let problems = problems(text);
        assert!(!problems.contains("geheim"), "{problems}");
    }
}

#[test]
fn problems_of_included_files() {
    let main =
        format!("{SITE}feeds: [{{ id: a, name: A, url: 'http://a/' }}]\ntopics: [{{ id: t, feeds: [a, bb] }}]\n");
    let result = read_all(&[
        ("c.yaml", &main),
        ("f/a.yaml", "topics: []\nsite: { url: 'http://x' }\nfeedz: []\n"),
        ("f/b.yaml", "feeds:\n- { id: a, name: B, url: 'http://b/' }\n"),
        ("f/c.yaml", "- id: c"),
    ]);
    assert_eq!(
        lines(result),
        "c.yaml:3: topics[0].feeds: unknown feed `bb`\n\
         f/a.yaml:2: site: belongs in the main file; an included one holds only `feeds` and `topics`\n\
         f/a.yaml:3: unknown key `feedz`; did you mean `feeds`?\n\
         f/b.yaml:2: feeds[0].id: another feed has this id; first at c.yaml:2\n\
         f/c.yaml:1: expected a mapping, found a list"
    );
    // What stands in a file that cannot be read may well be the feed that seems unknown.
    let result = read_all(&[("c.yaml", &format!("{main}shedule: x\n")), ("f/a.yaml", "feeds:\n\t- x\n")]);
    assert_eq!(
        lines(result),
        "c.yaml:4: unknown key `shedule`; did you mean `schedule`?\n\
         f/a.yaml:2: broken YAML: a tab in the indentation; use blanks"
    );
}

#[test]
fn ten_mistakes_give_ten_sentences() {
    let text = "site:
  titel: 新闻汇编
  url: https://news.example.org/
server: { listen: localhost:8080 }
fetch:
  timeout: 30
  allow: [192.168.7.9/24]
timezone: Asia/Shangai
feeds:
  - id: rfa-mandarin
    name: 自由亚洲电台
    url: https://me:geheim@www.rfa.org/rss/
  - id: LWN
    name: LWN
    url: https://lwn.net/headlines/rss
    schedule: 0 9 * * 8
topics:
  - id: tencent
    feeds: [rfa-mandrin]
    any: [腾讯, [微信]]
";
    assert_eq!(
        problems_of(text),
        "c.yaml:2: site: unknown key `titel`; did you mean `title`?\n\
         c.yaml:4: server.listen: `localhost:8080`: not an IP address with a port; write it like `127.0.0.1:8080` or `[::1]:8080`\n\
         c.yaml:6: fetch.timeout: `30`: not a duration; write it like `30s`, `15m`, `1h30m` or `500ms`\n\
         c.yaml:7: fetch.allow[0]: `192.168.7.9/24`: the address has bits beyond its length; did you mean `192.168.7.0/24`?\n\
         c.yaml:8: timezone: `Asia/Shangai`: no such time zone; did you mean `Asia/Shanghai`?\n\
         c.yaml:12: feeds[0].url: user name and password may not stand in an address; remove them\n\
         c.yaml:13: feeds[1].id: `LWN`: an id has 1 to 64 of the characters a-z, 0-9 and -\n\
         c.yaml:16: feeds[1].schedule: `0 9 * * 8`: weekday 8 does not exist\n\
         c.yaml:19: topics[0].feeds: unknown feed `rfa-mandrin`; did you mean `rfa-mandarin`?\n\
         c.yaml:20: topics[0].any[1]: expected a text, found a list"
    );
    assert_eq!(read(&[], &env).unwrap_err()[0].to_string(), "config: there is none to read");
}

#[test]
fn a_hundred_problems_are_enough() {
    let feeds = (0..2000).fold(String::from("feeds:\n"), |mut text, n| {
        let _ = writeln!(text, "- id: feed-{n}\n  name: Feed {n}\n  url: http://{n}.example.org/\n  tag: x");
        text
    });
    let topics = (0..2000).map(|n| format!("fed-{n}")).collect::<Vec<_>>().join(", ");
    let text = format!("{SITE}{feeds}topics: [{{ id: a, feeds: [{topics}] }}]");
    let start = Instant::now();
    let problems = read_all(&[("c.yaml", &text)]).unwrap_err();
    assert_eq!(problems.len(), 101);
    assert_eq!(problems[99].to_string(), "c.yaml:402: feeds[99]: unknown key `tag`; did you mean `tags`?");
    assert_eq!(problems[100].to_string(), "c.yaml: and 3900 more");
    assert!(start.elapsed() < Duration::from_mins(1));
}

#[test]
fn a_torn_config_gives_problems_with_lines() {
    for (at, _) in ALL_KEYS.char_indices().step_by(5) {
        let (before, after) = ALL_KEYS.split_at(at);
        let hole = after.char_indices().nth(3).map_or("", |(end, _)| &after[end..]);
        for text in [before.to_owned(), format!("{before}{hole}")] {
            if let Err(problems) = read_all(&[("c.yaml", &text)]) {
                assert!(!problems.is_empty() && problems.iter().all(|problem| problem.line.is_some()), "{text}");
            }
        }
    }
}
