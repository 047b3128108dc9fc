// SPDX-License-Identifier: AGPL-3.0-only
//! Automation tasks, run as `cargo xtask NAME`.
//!
//! | Task | Does |
//! | --- | --- |
//! | `docs [--check]` | writes the documents that are made from tables, or says which are out of date |
//! | `bench [FILTER]` | instruction counts and bytes per idle call |
//! | `bench --vs-sipp` | CPU time per call and memory per held call, beside SIPp |
//! | `bench --clean-rate` | the highest rate without a failed call or a repetition, of both |
//! | `mirror` | every scenario of the corpus against its derived peer, beside SIPp |
//!
//! Not for anything that a plain cargo command does; those are recipes of the justfile.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    reason = "a command line tool talks to its terminal"
)]

mod bench;
mod docs;
mod mirror;

use anyhow::{Result, bail};
use std::path::PathBuf;

const USAGE: &str = "usage: cargo xtask docs [--check]\n       \
                     cargo xtask bench [FILTER]\n       \
                     cargo xtask bench --vs-sipp\n       \
                     cargo xtask bench --clean-rate\n       \
                     cargo xtask mirror [--filter TEXT] [--variant NAME] [--report FILE] [--show]";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["docs"] => docs::write(),
        ["docs", "--check"] => docs::check(),
        ["bench"] => bench::count(None),
        ["bench", "--vs-sipp"] => bench::versus::run(),
        ["bench", "--clean-rate"] => bench::clean_rate::run(),
        ["bench", filter] if !filter.starts_with('-') => bench::count(Some(filter)),
        ["mirror", ref arguments @ ..] => mirror::run(arguments),
        ["-h" | "--help" | "help"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("{USAGE}"),
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
