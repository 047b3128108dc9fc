// SPDX-License-Identifier: AGPL-3.0-only
//! `cargo xtask bench`: what a run costs, in figures that can be repeated.
//!
//! Instruction counts come from callgrind and are the same on every run of the same build; they decide whether a change
//! made something cheaper ([`baseline`]). CPU time beside SIPp ([`versus`]), the rate that is held ([`clean_rate`]), calls held
//! open ([`held`]), packets of audio ([`media`]), two shards against one ([`shards`]) and the floor below all of them tell how much
//! that matters in a whole program. What was measured is
//! printed as Markdown and written as JSON and as a chart ([`result`]).

pub(crate) mod baseline;
mod chart;
mod clean_rate;
mod held;
mod media;
mod process;
mod result;
mod shards;
mod versus;

use crate::root;
use anyhow::{Context as _, Result, bail};
use result::Results;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The runner has to be of the version that `benches/Cargo.toml` names.
const RUNNER_VERSION: &str = "0.20.0";

/// How much time a measurement may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scale {
    /// About a quarter of an hour in all.
    Full,
    /// A few minutes in all: shorter runs, fewer of them.
    Quick,
}

/// A part of the bench.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// Instructions, and bytes per idle call.
    Counts,
    /// The loopback interface without SIP.
    Floor,
    /// CPU time and memory beside SIPp.
    Versus,
    /// The highest rate without a failed call or a repetition.
    CleanRate,
    /// Very many calls held open.
    Held,
    /// Packets of audio: what they cost, and how evenly they leave.
    Media,
    /// Two shards against one.
    Shards,
}

impl Part {
    pub(crate) const ALL: [Self; 7] = [
        Self::Counts,
        Self::Floor,
        Self::Versus,
        Self::CleanRate,
        Self::Held,
        Self::Media,
        Self::Shards,
    ];
}

/// Measures the parts, prints them, and leaves a result and a chart in `target/bench`.
pub(crate) fn measure(parts: &[Part], scale: Scale) -> Result<()> {
    let mut results = Results::new()?;
    for part in parts {
        match part {
            Part::Counts => {
                let counts = baseline::counted()?;
                results.put("instructions", serde_json::to_value(counts)?);
                results.put("idle", idle()?);
            }
            Part::Floor => results.put("floor", floor()?),
            Part::Versus => versus::run(scale, &mut results)?,
            Part::CleanRate => clean_rate::run(scale, &mut results)?,
            Part::Held => held::run(scale, &mut results)?,
            Part::Media => media::run(scale, &mut results)?,
            Part::Shards => shards::run(scale, &mut results)?,
        }
        // What was measured is not lost when a later part fails.
        results.write()?;
    }
    println!("written to {}", results.folder().display());
    Ok(())
}

/// Prints the counts of the benches whose name contains the filter.
pub(crate) fn count(filter: Option<&str>) -> Result<()> {
    run_counts(&["instructions", "media"], filter)
}

/// Runs the instruction counts of these benches whose name contains the filter.
fn run_counts(benches: &[&str], filter: Option<&str>) -> Result<()> {
    for (tool, remedy) in [
        ("valgrind", "install the package `valgrind`".to_owned()),
        (
            "gungraun-runner",
            format!("cargo install gungraun-runner --version {RUNNER_VERSION} --locked"),
        ),
    ] {
        if !exists(tool) {
            bail!("`{tool}` is not on PATH: {remedy}");
        }
    }
    for bench in benches {
        let mut command = cargo_bench(bench);
        if let Some(filter) = filter {
            command.arg("--").arg(format!("*{filter}*"));
        }
        run(&mut command)?;
    }
    Ok(())
}

/// Bytes per idle call, by what they are.
fn idle() -> Result<serde_json::Value> {
    let text = printed(&mut cargo_bench("idle"))?;
    print!("{text}");
    let mut found = serde_json::Map::new();
    for line in text
        .lines()
        .filter_map(|line| line.strip_prefix("idle/100k"))
    {
        if let Some((what, bytes)) = line.trim().rsplit_once(' ') {
            let bytes: u64 = bytes
                .parse()
                .with_context(|| format!("no figure: {line}"))?;
            found.insert(what.trim().to_owned(), bytes.into());
        }
    }
    if found.is_empty() {
        bail!("no figures in:\n{text}");
    }
    Ok(found.into())
}

/// What the datagrams of a call cost by themselves.
fn floor() -> Result<serde_json::Value> {
    let text = printed(&mut cargo_bench("floor"))?;
    let mut floor = serde_json::Map::new();
    let mut paced = serde_json::Map::new();
    println!("The loopback interface alone, without SIP:");
    for line in text.lines().filter(|line| line.starts_with("floor")) {
        let (label, figures) = line.split_once(": ").with_context(|| line.to_owned())?;
        let words: Vec<&str> = figures.split_ascii_whitespace().collect();
        let mut found = serde_json::Map::new();
        for pair in words.chunks_exact(2) {
            let figure: f64 = pair[1].parse().with_context(|| line.to_owned())?;
            found.insert(pair[0].to_owned(), figure.into());
        }
        println!("  {line}");
        match label.strip_prefix("floor at ") {
            Some(rate) => drop(paced.insert(rate.to_owned(), found.into())),
            None => floor = found,
        }
    }
    println!();
    anyhow::ensure!(!floor.is_empty(), "no figures in:\n{text}");
    floor.insert("paced".to_owned(), paced.into());
    Ok(floor.into())
}

fn cargo_bench(name: &str) -> Command {
    let mut command = cargo();
    command.args(["bench", "-p", "gossipper-benches", "--bench", name]);
    command
}

/// The cargo that runs this task, in the root.
fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root());
    command
}

/// Where builds go.
fn target() -> Result<PathBuf> {
    let text = printed(cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text)?;
    let target = metadata["target_directory"].as_str();
    Ok(target
        .context("cargo metadata names no target folder")?
        .into())
}

fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{} cannot be started", command.get_program().display()))?;
    if !status.success() {
        bail!("{}: {status}", command.get_program().display());
    }
    Ok(())
}

/// What a program prints; its errors go where ours go.
fn printed(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("{} cannot be started", command.get_program().display()))?;
    if !output.status.success() {
        bail!("{}: {}", command.get_program().display(), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program of this name can be started.
fn exists(tool: &str) -> bool {
    Command::new(tool)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}
