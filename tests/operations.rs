//! What the operator's other programs get: logs.

use serde_json::Value;

use crate::house::House;

const FAILING: &str = "feeds: [{ id: a, name: A, url: '{server}/a.xml' }]";

#[test]
fn warnings_are_sentences_for_people_and_objects_for_machines() {
    let house = House::new();
    house.config(FAILING);
    let said = house.run(["-q", "poll"]).code(4).stderr;
    let sentence = said.strip_prefix("warning: ").expect("a warning").trim_end();
    assert!(sentence.starts_with("feed `a`: ") && !sentence.contains('\n'), "{said}");

    let json = house.run(["--log-format", "json", "poll"]).code(4).stderr;
    let objects: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert_eq!(objects.len(), 1, "{json}");
    assert_eq!(objects[0]["level"], "warning");
    assert!(objects[0]["message"].as_str().expect("text").starts_with("feed `a`: "), "{json}");
}

#[test]
fn problems_of_the_config_are_objects_too() {
    let house = House::new();
    house.config("topcs: []\nfeds: []");
    let json = house.run(["--log-format", "json", "check"]).code(3).stderr;
    let messages: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    assert_eq!(messages.len(), 2, "{json}");
    assert!(messages.iter().all(|line| line["level"] == "error"), "{json}");
    assert_eq!(messages[0]["message"], "config.yaml:3: unknown key `topcs`; did you mean `topics`?");
}

#[test]
fn what_others_may_reach_is_noted_by_check() {
    let house = House::new();
    house.config("server: { metrics: '0.0.0.0:9464' }");
    let said = house.run(["check"]).success().stdout;
    assert!(said.contains("note: whoever reaches `0.0.0.0:9464` (server.metrics) reads the numbers"), "{said}");
    house.config("server: { metrics: '127.0.0.1:9464' }");
    let said = house.run(["check"]).success().stdout;
    assert!(!said.contains("9464"), "{said}");
}
