// SPDX-License-Identifier: AGPL-3.0-only
//! The scenarios of the corpus, with what the command line must give each.

use std::path::Path;

/// A scenario that someone wrote.
pub(crate) struct Scenario {
    /// Its file, from the folder of the corpus.
    pub(crate) file: String,
    /// Injection files that it names, or one of any name.
    pub(crate) injection: Vec<String>,
    /// What `-key` must define.
    pub(crate) keys: Vec<(String, Vec<u8>)>,
}

/// All of them, in the order of the manifest.
pub(crate) fn all(folder: &Path) -> Vec<Scenario> {
    let manifest = std::fs::read_to_string(folder.join("manifest.jsonl")).expect("manifest");
    let entries = manifest.lines().map(|line| {
        serde_json::from_str::<serde_json::Value>(line).expect("one JSON object a line")
    });
    entries
        .filter(|entry| entry["kind"] == "scenario")
        .map(|entry| {
            let needs = entry["needs"].as_array().map(Vec::as_slice);
            let needs = needs
                .unwrap_or_default()
                .iter()
                .filter_map(|need| need.as_str());
            let named = |flag: &'static str| {
                needs
                    .clone()
                    .filter_map(move |need| need.strip_prefix(flag))
            };
            Scenario {
                file: entry["file"].as_str().expect("file").to_owned(),
                injection: named("-inf")
                    .map(|name| match name.trim() {
                        "" => "any.csv".to_owned(),
                        name => name.to_owned(),
                    })
                    .collect(),
                keys: named("-key ")
                    .map(|name| (name.to_owned(), b"value".to_vec()))
                    .collect(),
            }
        })
        .collect()
}
