// SPDX-License-Identifier: AGPL-3.0-only
//! Every capture of the corpus becomes scenarios that compile without a warning and replay what was captured.
//!
//! Skipped, loudly, where there is no corpus.

mod common;

use gossipper_capture::{ReadOptions, read};
use gossipper_pcap2scenario::{Options, convert};
use std::path::{Path, PathBuf};

fn corpus() -> Option<PathBuf> {
    let root = match std::env::var_os("GOSSIPPER_CORPUS") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus"),
    };
    let folder = root.join("captures");
    if folder.is_dir() {
        return Some(folder);
    }
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    {
        eprintln!("SKIPPED: no corpus at {}", folder.display());
    }
    None
}

#[test]
fn every_call_of_the_corpus_makes_the_round_trip() {
    let Some(folder) = corpus() else {
        return;
    };
    let mut captures = 0;
    let mut calls = 0;
    for source in std::fs::read_dir(folder).expect("readable") {
        for entry in std::fs::read_dir(source.expect("readable").path()).expect("readable") {
            let path = entry.expect("readable").path();
            let bytes = std::fs::read(&path).expect("readable");
            let capture = read(&bytes, &ReadOptions::default())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let options = Options {
                source: path
                    .file_name()
                    .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
                ..Options::default()
            };
            let conversion = convert(&capture, &options);
            common::round_trip(&conversion, false);
            captures += 1;
            calls += conversion.calls.len();
        }
    }
    assert!(
        captures >= 17 && calls >= 20,
        "{captures} captures, {calls} calls"
    );
}
