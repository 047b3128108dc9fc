// SPDX-License-Identifier: AGPL-3.0-only
//! What SIPp does, rule by rule, and what proves that we do it too: `testdata/differential/coverage.toml`.
//!
//! Only tests read it, and they see to it that everything a rule names exists.
use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use crate::sipp_cases::{Suite, anchors, read_toml};
use crate::sipp_refusals;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    rule: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    says: String,
    #[serde(default)]
    cases: Vec<String>,
    #[serde(default)]
    refused: Vec<String>,
    /// `FILE::FUNCTION`.
    #[serde(default)]
    tests: Vec<String>,
    #[serde(default)]
    compat: Vec<String>,
}

#[test]
fn every_rule_is_proved_by_something_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let table: Table =
        read_toml(&root.join("testdata/differential/coverage.toml")).expect("coverage.toml");
    let suite = Suite::load(&root).expect("the suite of this workspace");
    let entries = sipp_refusals::load(&root).expect("refused.toml");
    let anchors = anchors();
    let mut sources: HashMap<&str, String> = HashMap::new();
    let mut faults = Vec::new();
    for (index, rule) in table.rule.iter().enumerate() {
        let says = &rule.says;
        if table.rule[..index].iter().any(|other| other.says == *says) {
            faults.push(format!("{says}: there twice"));
        }
        if rule.cases.is_empty() && rule.refused.is_empty() && rule.tests.is_empty() {
            faults.push(format!("{says}: nothing proves it"));
        }
        let missing_cases = rule.cases.iter().filter(|name| suite.case(name).is_none());
        faults.extend(missing_cases.map(|name| format!("{says}: no case {name}")));
        for name in &rule.refused {
            if !entries.iter().any(|entry| entry.name == *name) {
                faults.push(format!("{says}: no entry {name}"));
            }
        }
        let missing_anchors = rule.compat.iter().filter(|name| !anchors.contains(name));
        faults.extend(missing_anchors.map(|name| format!("{says}: no heading {name}")));
        for test in &rule.tests {
            let Some((file, function)) = test.split_once("::") else {
                faults.push(format!("{says}: {test} names no function"));
                continue;
            };
            let source = sources
                .entry(file)
                .or_insert_with(|| std::fs::read_to_string(root.join(file)).unwrap_or_default());
            if !source.contains(&format!("#[test]\nfn {function}("))
                && !source.contains(&format!("#[test]\n    fn {function}("))
            {
                faults.push(format!("{says}: no test {test}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Every source of the workspace, joined.
fn sources(root: &Path) -> String {
    let mut folders: Vec<_> = ["vm", "compiler", "runtime", "cli", "crates"]
        .map(|name| root.join(name))
        .into();
    let mut joined = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") {
                joined.push_str(&std::fs::read_to_string(&path).expect("readable source"));
            }
        }
    }
    joined
}

#[test]
fn every_defect_in_the_document_is_decided_linked_and_proved() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let document = std::fs::read_to_string(root.join("docs/compat.md")).expect("docs/compat.md");
    let (suite, anchors, sources) = (
        Suite::load(&root).expect("the suite of this workspace"),
        anchors(),
        sources(&root),
    );
    let (_, table) = document
        .split_once("## SIPp's defects, one by one")
        .expect("the table of defects");
    let mut rows = 0;
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(2) {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 4, "{row}");
        assert!(
            cells[1].starts_with("mended") || cells[1].starts_with("kept"),
            "{row}"
        );
        if let Some((_, link)) = cells[2].split_once("](#") {
            assert!(
                anchors.contains(&link.trim_end_matches(')').to_owned()),
                "{row}"
            );
        }
        let mut proofs = cells[3].split('`').skip(1).step_by(2).peekable();
        assert!(proofs.peek().is_some(), "{row}");
        for proof in proofs {
            assert!(
                suite.case(proof).is_some() || sources.contains(&format!("fn {proof}()")),
                "{proof} is neither a case nor a test: {row}"
            );
        }
        rows += 1;
    }
    assert!(rows > 30, "{rows}");
}
