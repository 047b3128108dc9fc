// SPDX-License-Identifier: AGPL-3.0-only
//! The dashboard in docs/ asks for metrics and labels that a run has.

mod place;

use place::{BINARY, Place, metrics_at};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;

/// The expressions of all panels.
fn expressions() -> Vec<String> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/grafana-dashboard.json"
    );
    let text = std::fs::read_to_string(path).expect("the dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().expect("targets"))
        .map(|target| target["expr"].as_str().expect("an expression").to_owned())
        .collect()
}

/// The names of metrics in an expression.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    expression
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("gossipper_"))
}

#[test]
fn every_panel_asks_for_what_a_run_serves() {
    let place = Place::new();
    // Nobody calls it; it serves all the same.
    let mut run = place
        .command(
            BINARY,
            "sipp -sn uas -i 127.0.0.1 -p 0 -prometheus_addr 127.0.0.1:0",
        )
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut notes = BufReader::new(run.stderr.take().expect("piped"));
    let (_, address) = metrics_at(&mut notes);
    // Times are there after the first second.
    let page = loop {
        let mut stream = TcpStream::connect(&address).expect("it serves");
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\n\r\n")
            .expect("it reads");
        let mut page = String::new();
        stream.read_to_string(&mut page).expect("it answers");
        if page.contains("gossipper_answer_seconds_bucket") {
            break page;
        }
    };
    run.kill().expect("it runs");
    run.wait().expect("it ends");
    let served: BTreeSet<_> = page
        .lines()
        .filter(|line| line.starts_with("# TYPE "))
        .filter_map(|line| line.split(' ').nth(2))
        .collect();
    let expressions = expressions();
    assert!(expressions.len() > 20, "{}", expressions.len());
    for expression in &expressions {
        assert!(names(expression).next().is_some(), "{expression}");
        for name in names(expression) {
            let family = name.strip_suffix("_bucket").unwrap_or(name);
            assert!(served.contains(family), "{name} of {expression}");
        }
    }
}
