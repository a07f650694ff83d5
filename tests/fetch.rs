//! Asking, with the real program: ways to servers, secrets, servers that misbehave.

use crate::house::House;

#[test]
fn a_check_says_whom_the_guard_sees_by_name_only() {
    let house = House::new();
    let feed = |id: &str, more: &str| format!("- {{ id: {id}, name: {id}, url: 'https://{id}.example.org/'{more} }}\n");
    let config = |proxy: &str, feeds: &str| {
        house.write("config.yaml", format!("site: {{ url: 'https://n.example/' }}\n{proxy}feeds:\n{feeds}").as_bytes());
        let said = house.run(["check"]).success().stdout;
        let notes: Vec<_> = said.lines().filter_map(|line| line.strip_prefix("note: ")).collect();
        notes.join("\n").replace(
            " through a proxy, which looks names up itself; the guard against private addresses sees only what stands in \
             an address there, not where a name leads",
            " unseen",
        )
    };
    let tor = "fetch: { proxy: 'socks5h://127.0.0.1:9050' }\n";
    let (a, b) = (feed("a", ""), feed("b", ", proxy: none"));
    assert_eq!(config("", &(a.clone() + &b)), "");
    assert_eq!(config("fetch: { proxy: 'socks5://127.0.0.1:9050' }\n", &a), "");
    assert_eq!(config(tor, &(a.clone() + &b)), "feed `a` goes unseen");
    assert_eq!(config("", &feed("a", ", proxy: 'http://p.example.org:3128'")), "feed `a` goes unseen");
    assert_eq!(config(tor, &(a.clone() + &feed("c", ""))), "feeds `a`, `c` go unseen");
    let many: String = ["a", "c", "d", "e", "f"].map(|id| feed(id, "")).concat();
    assert_eq!(config(tor, &many), "feed `a` and 4 others go unseen");
    assert_eq!(config(tor, "- { id: f, name: F, url: 'file:///srv/a.xml' }\n"), "");
}
