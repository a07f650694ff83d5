//! Servers that misbehave and documents that mean harm (`documents`), against the real program: each misdeed costs one
//! sentence, and nobody else anything.

#[cfg(target_os = "linux")]
mod costs;
mod documents;
mod misdeeds;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use self::misdeeds::{answer, feed};

use crate::house::{House, Run};
use crate::origin::Origin;

/// A server of all misdeeds, and of redirects that count down to a feed.
async fn villain() -> Origin {
    let paths: BTreeMap<_, _> = misdeeds::all().into_iter().map(|(path, steps, _)| (path, steps)).collect();
    Origin::start(move |path| {
        let path = path.trim_start_matches('/');
        match path.strip_prefix("hops-").and_then(|n| n.parse::<usize>().ok()) {
            Some(0) => answer("200 OK", "", feed(0)),
            Some(n) => answer("302 Found", &format!("Location: /hops-{}\r\n", n - 1), ""),
            None => paths.get(path).cloned().unwrap_or_else(|| answer("404 Not Found", "", "")),
        }
    })
    .await
}

/// What each feed came to: its error, or how many entries it brought.
fn outcomes(run: &Run) -> BTreeMap<String, String> {
    let reports = run.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("json"));
    let outcome = |report: serde_json::Value| {
        let feed = report["feed"].as_str()?.to_owned();
        let error = report["error"].as_str().map(str::to_owned);
        Some((feed, error.unwrap_or_else(|| format!("new: {}", report["new"]))))
    };
    reports.filter_map(outcome).collect()
}

async fn poll(house: &House) -> Run {
    let mut command = house.command();
    let output = tokio::task::spawn_blocking(move || command.args(["poll", "--json"]).output()).await;
    Run::of(&output.expect("runs").expect("runs"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_misdeed_is_one_sentence_and_leaves_no_validators() {
    let (origin, house) = (villain().await, House::new());
    let at = origin.at.to_string();
    let mut config = format!(
        "site: {{ url: 'https://n.example.org/' }}\n\
         fetch: {{ allow: ['{at}'], min_interval: 0s, host_delay: 0s, per_host: 100, concurrency: 100, max_body: 1MiB, \
         timeout: 4s, first_byte: 2s }}\nfeeds:\n"
    );
    let mut expected = BTreeMap::new();
    for (path, _, said) in misdeeds::all() {
        let url = format!("http://{at}/{path}");
        let _ = writeln!(config, "- {{ id: {path}, name: '{path}', url: '{url}' }}");
        let said = said.replace("URL", &url).replace("`AT`", &format!("`{at}`")).replace("//AT/", &format!("//{at}/"));
        let said = if said == "new: 1" { said } else { format!("feed `{path}`: {said}") };
        expected.insert(path.to_owned(), said);
    }
    house.write("config.yaml", config.as_bytes());
    let run = poll(&house).await.code(4);
    let found = outcomes(&run);
    for (path, said) in &expected {
        assert_eq!(found.get(path), Some(said));
    }
    assert_eq!(found.len(), expected.len());
    let mut told: Vec<_> = run.stderr.lines().map(|line| line.trim_start_matches("warning: ").to_owned()).collect();
    let mut failed: Vec<_> = expected.values().filter(|said| *said != "new: 1").cloned().collect();
    told.sort();
    failed.sort();
    assert_eq!(told, failed, "each sentence is told once");

    // Asked again, nobody is told that something is known of a feed that brought nothing.
    let before = origin.requests().len();
    poll(&house).await.code(4);
    let mut conditional = 0;
    for request in &origin.requests()[before..] {
        let request = String::from_utf8_lossy(request);
        let path = request.split([' ', '/']).nth(2).expect("path");
        let is_good = expected.get(path).is_some_and(|said| said == "new: 1") || path.starts_with("hops-");
        assert!(is_good || !request.contains("if-none-match"), "{request}");
        conditional += usize::from(request.contains("if-none-match"));
    }
    assert!(conditional >= 8, "{conditional}");
}
