// SPDX-License-Identifier: AGPL-3.0-only
//! `cargo xtask bench`: what a run costs, in figures that can be repeated.
//!
//! Instruction counts come from callgrind and are the same on every run of the same build; they decide whether a change
//! made something cheaper ([`baseline`]). CPU time beside SIPp and the floor below both ([`versus`], [`floor`]), the rate that is held ([`clean_rate`]), calls held
//! open ([`held`]), packets of audio ([`media`]) and two shards against one ([`shards`]) tell how much that matters in a whole program. What was measured is
//! printed as Markdown, at the end against what was promised ([`promise`]), and written as JSON and as a chart ([`result`]).

pub(crate) mod baseline;
mod bisection;
mod chart;
mod clean_rate;
mod floor;
mod held;
mod machine;
mod media;
mod pair;
mod process;
mod promise;
mod result;
mod shards;
mod versus;

use crate::root;
use anyhow::{Context as _, Result, bail};
use result::Results;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The runner has to be of the version that `benches/Cargo.toml` names.
const RUNNER_VERSION: &str = "0.20.0";

/// How much time a measurement may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scale {
    /// Less than twenty minutes in all.
    Full,
    /// A few minutes in all: shorter runs, fewer of them.
    Quick,
}

/// A part of the bench.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// Instructions, and bytes per idle call.
    Counts,
    /// The loopback interface without SIP, and what waking takes.
    Floor,
    /// CPU time beside SIPp and the floor, and memory beside SIPp.
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

    /// How it is called on the command line.
    pub(crate) const fn flag(self) -> &'static str {
        match self {
            Self::Counts => "--counts",
            Self::Floor => "--floor",
            Self::Versus => "--vs-sipp",
            Self::CleanRate => "--clean-rate",
            Self::Held => "--held",
            Self::Media => "--media",
            Self::Shards => "--shards",
        }
    }
}

/// What a whole result has.
const FIGURES: &[&str] = &[
    "instructions",
    "idle",
    "floor",
    "cpu",
    "memory",
    "clean_rate",
    "held",
    "media",
    "shards",
];

/// Measures the parts, prints them and what was promised, and leaves a result and a chart in `target/bench`; in `docs/bench` too when
/// they are to be published.
///
/// A part that fails does not keep the others from being measured.
pub(crate) fn measure(parts: &[Part], scale: Scale, publish: bool) -> Result<()> {
    let begun = Instant::now();
    let mut results = Results::new(scale)?;
    // What is built while something else is measured would be measured too.
    built(parts)?;
    let mut times = vec![("builds", begun.elapsed())];
    let mut failed = Vec::new();
    for part in parts {
        let begun = Instant::now();
        println!("== {}\n", part.flag());
        if let Err(error) = measured(*part, scale, &mut results) {
            println!("{} failed: {error:#}\n", part.flag());
            failed.push(part.flag());
        }
        // What was measured is not lost when a later part fails.
        results.write()?;
        times.push((part.flag(), begun.elapsed()));
    }
    println!("== what was promised, on {}\n", results.machine());
    println!("{}", promise::table(results.parts()));
    for (name, time) in times {
        println!("{name}: {:.0} s", time.as_secs_f64());
    }
    println!("all: {:.0} s", begun.elapsed().as_secs_f64());
    println!("written to {}", results.folder().display());
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    if publish {
        results.publish()?;
    }
    Ok(())
}

fn measured(part: Part, scale: Scale, results: &mut Results) -> Result<()> {
    match part {
        Part::Counts => {
            let counts = baseline::counted()?;
            results.put("instructions", serde_json::to_value(counts)?);
            results.put("idle", idle()?);
        }
        Part::Floor => results.put("floor", floor::Floor::build()?.all()?),
        Part::Versus => versus::run(scale, results)?,
        Part::CleanRate => clean_rate::run(scale, results)?,
        Part::Held => held::run(scale, results)?,
        Part::Media => media::run(scale, results)?,
        Part::Shards => shards::run(scale, results)?,
    }
    Ok(())
}

/// Builds what the parts measure.
fn built(parts: &[Part]) -> Result<()> {
    let mut benches = Vec::new();
    let mut programs = false;
    for part in parts {
        match part {
            Part::Counts => benches.extend(["instructions", "idle"]),
            Part::Floor => benches.push("floor"),
            Part::Versus => {
                benches.push("floor");
                programs = true;
            }
            Part::CleanRate | Part::Held | Part::Media | Part::Shards => programs = true,
        }
    }
    if programs {
        versus::ours()?;
    }
    for bench in benches {
        run(cargo_bench(bench).arg("--no-run"))?;
    }
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
