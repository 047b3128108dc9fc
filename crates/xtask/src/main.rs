// SPDX-License-Identifier: AGPL-3.0-only
//! Automation tasks, run as `cargo xtask NAME`.
//!
//! | Task | Does |
//! | --- | --- |
//! | `docs [--check]` | writes the documents that are made from tables, or says which are out of date |
//! | `bench [--quick]` | all measurements, into `target/bench/result.json` and `chart.svg` |
//! | `bench PART [--quick]` | one of them: `--counts`, `--floor`, `--vs-sipp`, `--clean-rate`, `--held`, `--media`, `--shards` |
//! | `bench FILTER` | the instruction counts whose name contains it |
//! | `bench --check` | instruction counts against the committed ones |
//! | `bench --bless` | writes the committed ones |
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
use bench::{Part, Scale};
use std::path::PathBuf;

const USAGE: &str = "usage: cargo xtask docs [--check]\n       \
                     cargo xtask bench [--counts | --floor | --vs-sipp | --clean-rate | --held | --media | --shards] [--quick]\n       \
                     cargo xtask bench FILTER | --check | --bless\n       \
                     cargo xtask mirror [--filter TEXT] [--variant NAME] [--report FILE] [--show]";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["docs"] => docs::write(),
        ["docs", "--check"] => docs::check(),
        ["bench", "--check"] => bench::baseline::check(),
        ["bench", "--bless"] => bench::baseline::bless(),
        ["bench", filter] if !filter.starts_with('-') => bench::count(Some(filter)),
        ["bench", ref options @ ..] => measure(options),
        ["mirror", ref arguments @ ..] => mirror::run(arguments),
        ["-h" | "--help" | "help"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("{USAGE}"),
    }
}

/// Measures the part that is named, or all.
fn measure(options: &[&str]) -> Result<()> {
    let (part, scale) = match *options {
        [] => (None, Scale::Full),
        ["--quick"] => (None, Scale::Quick),
        [part] => (Some(part), Scale::Full),
        [part, "--quick"] => (Some(part), Scale::Quick),
        _ => bail!("{USAGE}"),
    };
    match part {
        None => bench::measure(&Part::ALL, scale),
        Some("--counts") => bench::measure(&[Part::Counts], scale),
        Some("--floor") => bench::measure(&[Part::Floor], scale),
        Some("--vs-sipp") => bench::measure(&[Part::Versus], scale),
        Some("--clean-rate") => bench::measure(&[Part::CleanRate], scale),
        Some("--held") => bench::measure(&[Part::Held], scale),
        Some("--media") => bench::measure(&[Part::Media], scale),
        Some("--shards") => bench::measure(&[Part::Shards], scale),
        Some(_) => bail!("{USAGE}"),
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
