// SPDX-License-Identifier: AGPL-3.0-only
//! Tells the program what it was built from, for `-version`.
//!
//! Nothing here may fail the build, and two builds of one commit give the same answer: the date is that of the commit
//! (or `SOURCE_DATE_EPOCH`), never of the build.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // A debug build may name an older commit; rebuilding it after each commit would not be worth that.
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release")
        && let Some(log) = run("git", &["rev-parse", "--git-path", "logs/HEAD"])
    {
        println!("cargo::rerun-if-changed={log}");
    }
    let unknown = || "unknown".to_owned();
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let commit = run("git", &["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(unknown);
    let epoch = std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .or_else(|| run("git", &["show", "-s", "--format=%ct", "HEAD"]))
        .and_then(|text| text.trim().parse::<i64>().ok())
        .unwrap_or(0);
    println!("cargo::rustc-env=GOSSIPPER_COMMIT={commit}");
    println!("cargo::rustc-env=GOSSIPPER_EPOCH={epoch}");
    println!(
        "cargo::rustc-env=GOSSIPPER_RUSTC={}",
        run(&rustc, &["--version"]).unwrap_or_else(unknown)
    );
}

/// The first line that a program prints, if it can be run and is content.
fn run(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| line.to_owned())
}
