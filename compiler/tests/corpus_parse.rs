// SPDX-License-Identifier: AGPL-3.0-only
//! Scenarios that others wrote: whatever a released or current SIPp loads, the parser reads without an error.
//!
//! Where the corpus is absent the test says so and passes.
#![expect(
    clippy::disallowed_methods,
    reason = "a test reads its data; the crate itself does not"
)]

mod corpus;

use gossipper_compiler::diag::{Diagnostics, Severity};
use gossipper_compiler::parse::parse;
use gossipper_compiler::source::SourceFile;
use std::collections::BTreeMap;
use std::path::Path;

struct Entry {
    file: String,
    accepted: bool,
    bytes: Vec<u8>,
}

fn scenarios(folder: &Path) -> Vec<Entry> {
    let manifest = std::fs::read_to_string(folder.join("manifest.jsonl")).expect("manifest");
    let mut found = Vec::new();
    for line in manifest.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).expect("one JSON object a line");
        if entry["kind"] != "scenario" {
            continue;
        }
        let file = entry["file"].as_str().expect("file").to_owned();
        let bytes = std::fs::read(folder.join(&file)).expect("listed file");
        let accepted = entry["accepted_by_sipp"] == true || entry["accepted_by_sipp_3_7_7"] == true;
        found.push(Entry {
            file,
            accepted,
            bytes,
        });
    }
    found
}

/// Codes of the errors found in a file.
fn errors(entry: &Entry) -> Vec<String> {
    let source = SourceFile::new(&entry.file, entry.bytes.as_slice()).expect("small");
    let mut diags = Diagnostics::new(false);
    let scenario = parse(&source, &mut diags);
    assert!(
        scenario.is_some() || diags.has_errors(),
        "{}: refused without a reason",
        entry.file
    );
    diags
        .iter()
        .filter(|d| d.severity == Severity::Error)
        .map(|d| {
            let at = source.line_col(d.primary.start);
            format!("{}:{}: {} {}", at.line, at.col, d.code, d.message)
        })
        .collect()
}

#[test]
fn what_sipp_loads_is_read_without_an_error() {
    let Some(folder) = corpus::folder() else {
        return;
    };
    let entries = scenarios(&folder);
    assert!(
        entries.len() > 700,
        "the corpus has 725 scenarios, found {}",
        entries.len()
    );
    let refused: BTreeMap<_, _> = entries
        .iter()
        .filter(|entry| entry.accepted)
        .map(|entry| (entry.file.as_str(), errors(entry)))
        .filter(|(_, errors)| !errors.is_empty())
        .collect();
    assert!(
        refused.is_empty(),
        "{} refused: {refused:#?}",
        refused.len()
    );
}

#[test]
fn what_no_sipp_loads_is_refused_for_the_same_reason() {
    let Some(folder) = corpus::folder() else {
        return;
    };
    // The sixth mentions a variable only once, which the parser does not look at.
    let known = [
        ("uac-transcribe-our-creds-fail-low-balance.xml", "G0013"),
        ("uac_register.xml", "G0503"),
        ("cancel_uac.xml", "G0503"),
        ("failure_route_uas.xml", "G0503"),
        ("volte_register.xml", "G0401"),
    ];
    let entries = scenarios(&folder);
    for (name, code) in known {
        let refused = |entry: &&Entry| !entry.accepted && entry.file.ends_with(&format!("/{name}"));
        let entry = entries.iter().find(refused).expect(name);
        let errors = errors(entry);
        assert!(
            errors.iter().any(|error| error.contains(code)),
            "{name}: {errors:?}"
        );
    }
}
