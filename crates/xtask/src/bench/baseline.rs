// SPDX-License-Identifier: AGPL-3.0-only
//! `cargo xtask bench --check` and `--bless`: instruction counts against the committed ones.
//!
//! Counts are those of callgrind, the same on every machine for one compiler (`rust-toolchain.toml` pins it), so a change of
//! the code shows and nothing else does. One that grows by more than [`TOLERANCE_PERCENT`] fails, unless the change renews
//! the baseline, where its reviewer sees it.

use super::{run_counts, target};
use crate::root;
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The committed counts, below the root.
const FILE: &str = "docs/bench/instructions.json";

/// The bench whose counts are held to it: signalling, which every call pays for.
const BENCH: &str = "instructions";

/// What a count may grow by.
const TOLERANCE_PERCENT: u64 = 5;

/// Instructions per bench, by its name (`group/case`).
pub(super) type Counts = BTreeMap<String, u64>;

/// Counts and compares.
pub(crate) fn check() -> Result<()> {
    let path = root().join(FILE);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let committed: Counts =
        serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    let verdict = compare(&committed, &counted()?);
    println!("{}", verdict.table);
    if !verdict.wrong.is_empty() {
        bail!(
            "{}\nIf that is meant, `cargo xtask bench --bless` renews {FILE}; say in the commit why it is worth it.",
            verdict.wrong.join("\n")
        );
    }
    Ok(())
}

/// Counts and writes the baseline.
pub(crate) fn bless() -> Result<()> {
    let counts = counted()?;
    let text = serde_json::to_string_pretty(&counts)? + "\n";
    fs::write(root().join(FILE), text).context(FILE)?;
    println!("{} counts written to {FILE}", counts.len());
    Ok(())
}

/// Runs the benches and reads what they counted.
pub(super) fn counted() -> Result<Counts> {
    let folder = target()?.join("gungraun/gossipper-benches").join(BENCH);
    if folder.exists() {
        // What is not counted now must not be taken for it.
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    run_counts(&[BENCH], None)?;
    let mut counts = Counts::new();
    read_folder(&folder, &mut counts)?;
    if counts.is_empty() {
        bail!("no counts below {}", folder.display());
    }
    Ok(counts)
}

/// The counts below a folder; a file `callgrind.GROUP.CASE.out` holds those of `GROUP/CASE`.
fn read_folder(folder: &Path, counts: &mut Counts) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }
    for path in paths {
        if path.is_dir() {
            read_folder(&path, counts)?;
            continue;
        }
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.and_then(bench_name) else {
            continue;
        };
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let count = total(&text).with_context(|| format!("no total in {}", path.display()))?;
        counts.insert(name, count);
    }
    Ok(())
}

fn bench_name(file: &str) -> Option<String> {
    let name = file.strip_prefix("callgrind.")?.strip_suffix(".out")?;
    let (group, case) = name.split_once('.')?;
    Some(format!("{group}/{case}"))
}

/// The instructions in all, of a callgrind file: the first figure of its totals.
fn total(callgrind: &str) -> Option<u64> {
    let figure = |key| {
        let line = callgrind.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    figure("totals:").or_else(|| figure("summary:"))
}

struct Verdict {
    table: String,
    /// One line per count that fails the check.
    wrong: Vec<String>,
}

fn compare(committed: &Counts, counted: &Counts) -> Verdict {
    let mut table =
        String::from("| Bench | Committed | Counted | Change |\n| --- | ---: | ---: | ---: |\n");
    let mut wrong = Vec::new();
    for (name, count) in counted {
        let Some(before) = committed.get(name) else {
            wrong.push(format!("{name} is not in {FILE}"));
            continue;
        };
        let change = (*count as f64 / *before as f64 - 1.0) * 100.0;
        let _ = writeln!(table, "| `{name}` | {before} | {count} | {change:+.2} % |");
        if count * 100 > before * (100 + TOLERANCE_PERCENT) {
            wrong.push(format!(
                "{name} takes {count} instructions, {change:.1} % more than the {before} of {FILE}"
            ));
        }
    }
    for name in committed.keys().filter(|name| !counted.contains_key(*name)) {
        wrong.push(format!("{name} of {FILE} was not counted"));
    }
    Verdict { table, wrong }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> Counts {
        of.iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    }

    #[test]
    fn growth_within_the_tolerance_passes_and_beyond_it_names_the_bench() {
        let committed = counts(&[("vm/a", 1000), ("vm/b", 1000), ("vm/c", 1000)]);
        let verdict = compare(
            &committed,
            &counts(&[("vm/a", 1050), ("vm/b", 1051), ("vm/c", 10)]),
        );
        assert_eq!(
            verdict.wrong,
            [
                "vm/b takes 1051 instructions, 5.1 % more than the 1000 of docs/bench/instructions.json"
            ]
        );
        assert!(verdict.table.contains("| `vm/a` | 1000 | 1050 | +5.00 % |"));
    }

    #[test]
    fn a_bench_without_a_baseline_and_one_that_is_gone_fail() {
        let verdict = compare(&counts(&[("vm/gone", 1)]), &counts(&[("vm/new", 1)]));
        assert_eq!(
            verdict.wrong,
            [
                "vm/new is not in docs/bench/instructions.json",
                "vm/gone of docs/bench/instructions.json was not counted"
            ]
        );
    }

    #[test]
    fn a_count_is_the_first_figure_of_the_totals() {
        let text = "version: 1\nevents: Ir Dr\nfn=(1) x\n16 400 3\nsummary: 1 2\ntotals: 27061 9\n";
        assert_eq!(total(text), Some(27061));
        assert_eq!(total("events: Ir\nsummary: 12\n"), Some(12));
        assert_eq!(total("events: Ir\n"), None);
        assert_eq!(
            bench_name("callgrind.vm.call_uac.out").as_deref(),
            Some("vm/call_uac")
        );
        assert_eq!(bench_name("callgrind.vm.call_uac.out.old"), None);
    }

    #[test]
    fn the_committed_baseline_can_be_read() {
        let text = fs::read_to_string(root().join(FILE)).expect(FILE);
        let counts: Counts = serde_json::from_str(&text).expect("names and counts");
        assert!(counts.contains_key("vm/call_uac"));
        assert!(counts.values().all(|count| *count > 0));
    }
}
