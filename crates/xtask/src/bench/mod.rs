// SPDX-License-Identifier: AGPL-3.0-only
//! `cargo xtask bench`: what a run costs, in figures that can be repeated.
//!
//! Instruction counts come from callgrind and are the same on every run of the same build; they decide whether a change
//! made something cheaper. CPU time beside SIPp ([`versus`]) tells how much that matters in a whole program.

pub(crate) mod clean_rate;
mod process;
pub(crate) mod versus;

use crate::root;
use anyhow::{Context as _, Result, bail};
use std::process::{Command, Stdio};

/// The runner has to be of the version that `benches/Cargo.toml` names.
const RUNNER_VERSION: &str = "0.20.0";

/// Runs the instruction counts whose name contains the filter, then, without a filter, the bytes per idle call and what a
/// call costs among many.
pub(crate) fn count(filter: Option<&str>) -> Result<()> {
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
    cargo_bench("instructions", filter)?;
    cargo_bench("media", filter)?;
    if filter.is_none() {
        cargo_bench("idle", None)?;
        cargo_bench("growth", None)?;
    }
    Ok(())
}

fn cargo_bench(name: &str, filter: Option<&str>) -> Result<()> {
    let mut command = cargo();
    command.args(["bench", "-p", "gossipper-benches", "--bench", name]);
    if let Some(filter) = filter {
        command.arg("--").arg(format!("*{filter}*"));
    }
    run(&mut command)
}

/// The cargo that runs this task, in the root.
fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root());
    command
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
