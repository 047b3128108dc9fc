// SPDX-License-Identifier: AGPL-3.0-only
//! Scenarios that others wrote: what a released or current SIPp loads compiles, or needs a later version and says so.
//!
//! Where the corpus is absent the test says so and passes.
#![expect(
    clippy::disallowed_methods,
    reason = "a test reads its data; the crate itself does not"
)]

mod corpus;

use gossipper_bytecode::TwinRole;
use gossipper_compiler::diag::Severity;
use gossipper_compiler::{Options, compile};
use std::collections::BTreeMap;

/// Names that `-key` must define for SIPp to load the file.
fn keys(needs: &serde_json::Value) -> Vec<(String, Vec<u8>)> {
    let needs = needs.as_array().map(Vec::as_slice).unwrap_or_default();
    needs
        .iter()
        .filter_map(|need| need.as_str()?.strip_prefix("-key "))
        .map(|name| (name.to_owned(), b"value".to_vec()))
        .collect()
}

/// Names of the injection files that SIPp needed to load the file: one of any name, or those the scenario names.
fn injection(needs: &serde_json::Value) -> Vec<String> {
    let needs = needs.as_array().map(Vec::as_slice).unwrap_or_default();
    needs
        .iter()
        .filter_map(|need| match need.as_str()?.strip_prefix("-inf")? {
            "" => Some("any.csv".to_owned()),
            name => Some(name.trim_start().to_owned()),
        })
        .collect()
}

#[test]
fn what_sipp_loads_compiles_or_needs_a_later_version() {
    let Some(folder) = corpus::folder() else {
        return;
    };
    let manifest = std::fs::read_to_string(folder.join("manifest.jsonl")).expect("manifest");
    let (mut compiled_count, mut later_count) = (0, 0);
    let mut other: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in manifest.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).expect("one JSON object a line");
        if entry["kind"] != "scenario" {
            continue;
        }
        let file = entry["file"].as_str().expect("file");
        let accepted = entry["accepted_by_sipp"] == true || entry["accepted_by_sipp_3_7_7"] == true;
        let bytes = std::fs::read(folder.join(file)).expect("listed file");
        let options = Options {
            keys: keys(&entry["needs"]),
            injection: injection(&entry["needs"]),
            name: file.to_owned(),
            ..Options::default()
        };
        let compiled = compile(file, &bytes, &options);
        if let Some(program) = compiled.program {
            compiled_count += 1;
            assert!(accepted, "{file}: SIPp refuses it");
            let commanded = program.twin_role() == Some(TwinRole::Commanded);
            let mode = match program.mode() {
                // A command opens its calls; the manifest says what follows.
                _ if commanded && program.needs_destination() => "client",
                gossipper_bytecode::Mode::Client => "client",
                gossipper_bytecode::Mode::Server => "server",
            };
            assert_eq!(entry["mode"], mode, "{file}");
            continue;
        }
        let errors: Vec<String> = compiled
            .diagnostics
            .iter()
            .filter(|d| d.severity == Severity::Error)
            .filter(|d| !(800..900).contains(&d.code.number()))
            .map(|d| {
                let at = compiled.source.line_col(d.primary.start);
                format!("{}:{}: {} {}", at.line, at.col, d.code, d.message)
            })
            .collect();
        if errors.is_empty() {
            later_count += 1;
        } else if accepted {
            other.insert(file.to_owned(), errors);
        }
    }
    #[expect(clippy::print_stderr, reason = "the figures are worth reading")]
    {
        eprintln!("{compiled_count} scenarios compile, {later_count} need a later version");
    }
    assert!(
        other.is_empty(),
        "{} refused for another reason: {other:#?}",
        other.len()
    );
    assert!(compiled_count >= 380, "only {compiled_count} compile");
}
