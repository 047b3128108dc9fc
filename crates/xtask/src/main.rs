// SPDX-License-Identifier: AGPL-3.0-only
//! Automation tasks, run as `cargo xtask NAME`.
//!
//! | Task | Does |
//! | --- | --- |
//! | `docs [--check]` | writes the documents that are made from tables, or says which are out of date |
//! | `bench [--quick]` | all measurements, into `target/bench/result.json` and `chart.svg` |
//! | `bench PART... [--quick]` | some of them: `--counts`, `--floor`, `--vs-sipp`, `--clean-rate`, `--held`, `--media`, `--shards` |
//! | `bench [PART...] --publish` | the same, and copies result and chart to `docs/bench` when they are whole |
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
                     cargo xtask bench [--counts] [--floor] [--vs-sipp] [--clean-rate] [--held] [--media] [--shards] [--quick] [--publish]\n       \
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

/// Measures the parts that are named, or all.
fn measure(options: &[&str]) -> Result<()> {
    let (parts, scale, publish) = options_of_bench(options)?;
    bench::measure(&parts, scale, publish)
}

/// What is to be measured, for how long, and whether it is to be published.
fn options_of_bench(options: &[&str]) -> Result<(Vec<Part>, Scale, bool)> {
    let (mut named, mut scale, mut publish) = (Vec::new(), Scale::Full, false);
    for option in options {
        match *option {
            "--quick" => scale = Scale::Quick,
            "--publish" => publish = true,
            flag => match Part::ALL.iter().find(|part| part.flag() == flag) {
                Some(part) => named.push(*part),
                None => bail!("{USAGE}"),
            },
        }
    }
    // Always in the order of the whole bench.
    let wanted = |part: &Part| named.is_empty() || named.contains(part);
    Ok((
        Part::ALL.into_iter().filter(wanted).collect(),
        scale,
        publish,
    ))
}

/// The root of the repository.
fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_measured_in_one_order_and_all_without_a_name() {
        let of = |options: &[&str]| options_of_bench(options).expect("known options");
        assert_eq!(of(&[]), (Part::ALL.to_vec(), Scale::Full, false));
        assert_eq!(
            of(&["--quick", "--held", "--floor"]),
            (vec![Part::Floor, Part::Held], Scale::Quick, false)
        );
        assert_eq!(of(&["--publish"]), (Part::ALL.to_vec(), Scale::Full, true));
        assert!(options_of_bench(&["--floor", "--faster"]).is_err());
        for part in Part::ALL {
            assert!(USAGE.contains(&format!("[{}]", part.flag())), "{part:?}");
        }
    }
}
