// SPDX-License-Identifier: AGPL-3.0-only
//! Scenarios that others wrote: what a released or current SIPp loads compiles, on its own and with the flags that its
//! needs name; what none loads is refused for a reason.
//!
//! Where the corpus is absent the tests say so and pass.
#![expect(
    clippy::disallowed_methods,
    reason = "a test reads its data; the crate itself does not"
)]

mod corpus;

use gossipper_bytecode::TwinRole;
use gossipper_compiler::diag::Severity;
use gossipper_compiler::{Compiled, Missing, Options, compile};
use std::collections::BTreeMap;

/// A scenario of the corpus.
struct Entry {
    file: String,
    /// Whether some SIPp loads it.
    accepted: bool,
    /// Client or server, as SIPp decides.
    mode: serde_json::Value,
    needs: Vec<String>,
    bytes: Vec<u8>,
}

fn entries() -> Option<Vec<Entry>> {
    let folder = corpus::folder()?;
    let manifest = std::fs::read_to_string(folder.join("manifest.jsonl")).expect("manifest");
    let entries = manifest.lines().filter_map(|line| {
        let entry: serde_json::Value = serde_json::from_str(line).expect("one JSON object a line");
        if entry["kind"] != "scenario" {
            return None;
        }
        let file = entry["file"].as_str().expect("file").to_owned();
        let needs = entry["needs"].as_array().cloned().unwrap_or_default();
        Some(Entry {
            accepted: entry["accepted_by_sipp"] == true || entry["accepted_by_sipp_3_7_7"] == true,
            mode: entry["mode"].clone(),
            needs: needs
                .iter()
                .filter_map(|need| Some(need.as_str()?.to_owned()))
                .collect(),
            bytes: std::fs::read(folder.join(&file)).expect("listed file"),
            file,
        })
    });
    Some(entries.collect())
}

impl Entry {
    /// Names that `-key` must define for SIPp to load the file.
    fn keys(&self) -> Vec<(String, Vec<u8>)> {
        let names = self
            .needs
            .iter()
            .filter_map(|need| need.strip_prefix("-key "));
        names
            .map(|name| (name.to_owned(), b"value".to_vec()))
            .collect()
    }

    fn check(&self) -> Compiled {
        let options = Options {
            name: self.file.clone(),
            missing: Missing::Warn,
            ..Options::default()
        };
        compile(&self.file, &self.bytes, &options)
    }
}

/// The errors.
fn errors(compiled: &Compiled) -> Vec<String> {
    let errors = compiled
        .diagnostics
        .iter()
        .filter(|d| d.severity == Severity::Error);
    errors
        .map(|d| {
            let at = compiled.source.line_col(d.primary.start);
            format!("{}:{}: {} {}", at.line, at.col, d.code, d.message)
        })
        .collect()
}

#[test]
fn what_sipp_loads_compiles_without_the_flags_of_its_run() {
    let Some(entries) = entries() else {
        return;
    };
    let mut refused: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut count = 0;
    for entry in entries.iter().filter(|entry| entry.accepted) {
        let compiled = entry.check();
        let found = errors(&compiled);
        if !found.is_empty() {
            refused.insert(&entry.file, found);
        }
        let Some(program) = &compiled.program else {
            continue;
        };
        count += 1;
        let commanded = program.twin_role() == Some(TwinRole::Commanded);
        let mode = match program.mode() {
            // A command opens its calls; the manifest says what follows.
            _ if commanded && program.needs_destination() => "client",
            gossipper_bytecode::Mode::Client => "client",
            gossipper_bytecode::Mode::Server => "server",
        };
        assert_eq!(entry.mode, mode, "{}", entry.file);
        let twin = entry.needs.iter().any(|need| need == "-3pcc");
        assert_eq!(compiled.needs.twin, twin, "{}", entry.file);
        // Each -key that SIPp asks for is one that we ask for.
        for (key, _) in entry.keys() {
            assert!(
                compiled.needs.keys.contains(&key),
                "{}: {key} is not in {:?}",
                entry.file,
                compiled.needs
            );
        }
    }
    assert!(
        refused.is_empty(),
        "{} refused: {refused:#?}",
        refused.len()
    );
    assert!(count >= 700, "only {count} compile");
}

#[test]
fn what_sipp_loads_compiles_with_the_flags_that_its_needs_name() {
    let Some(entries) = entries() else {
        return;
    };
    let mut refused: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.accepted) {
        let needs = entry.check().needs;
        let options = Options {
            name: entry.file.clone(),
            keys: needs
                .keys
                .iter()
                .map(|key| (key.clone(), b"value".to_vec()))
                .collect(),
            injection: needs
                .injection
                .keys()
                .map(|name| match name.as_str() {
                    "" => "any.csv".to_owned(),
                    name => name.to_owned(),
                })
                .collect(),
            ..Options::default()
        };
        assert!(
            needs.are_met_by(&options.keys, &options.injection),
            "{}",
            entry.file
        );
        let found = errors(&compile(&entry.file, &entry.bytes, &options));
        if !found.is_empty() {
            refused.insert(&entry.file, found);
        }
        // A run without what it needs is refused.
        let bare = Options {
            name: entry.file.clone(),
            ..Options::default()
        };
        let compiled = compile(&entry.file, &entry.bytes, &bare);
        assert!(
            compiled.program.is_none() || (needs.keys.is_empty() && needs.injection.is_empty()),
            "{}: {needs}",
            entry.file
        );
    }
    assert!(
        refused.is_empty(),
        "{} refused: {refused:#?}",
        refused.len()
    );
}

/// What is wrong with each file that no SIPp loads: the end of its name, the code, the line.
const REFUSED: &[(&str, &str, u32)] = &[
    // A variable that is named once.
    ("rustpbx/tests/sipp/register.xml", "G0303", 35),
    // A `<send>` that does not end.
    ("uac-transcribe-our-creds-fail-low-balance.xml", "G0013", 87),
    // Optional receives and nothing mandatory behind them.
    ("sipp-scenarios/uac_register.xml", "G0503", 30),
    ("siphon/sipp/cancel_uac.xml", "G0503", 49),
    ("siphon/sipp/failure_route_uas.xml", "G0503", 32),
    // `<ipsec_setup>` is an action of somebody's own.
    ("siphon/sipp/ipsec/volte_register.xml", "G0401", 70),
];

#[test]
fn what_no_sipp_loads_is_refused_for_a_reason_and_at_its_place() {
    let Some(entries) = entries() else {
        return;
    };
    let mut count = 0;
    for entry in entries.iter().filter(|entry| !entry.accepted) {
        let compiled = entry.check();
        assert!(
            compiled.program.is_none(),
            "{}: SIPp refuses it",
            entry.file
        );
        let known = REFUSED.iter().find(|(end, ..)| entry.file.ends_with(end));
        let Some((_, code, line)) = known else {
            panic!("{}: {:?}", entry.file, errors(&compiled));
        };
        let first = compiled
            .diagnostics
            .iter()
            .find(|d| d.severity == Severity::Error)
            .expect("an error");
        let at = compiled.source.line_col(first.primary.start).line;
        assert_eq!(
            (first.code.to_string().as_str(), at),
            (*code, *line),
            "{}: {}",
            entry.file,
            first.message
        );
        count += 1;
    }
    assert_eq!(count, REFUSED.len());
}
