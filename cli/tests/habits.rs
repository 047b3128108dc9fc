// SPDX-License-Identifier: AGPL-3.0-only
//! SIPp's habits: command lines as its users write them (`testdata/habits`), run with real SIPp and with ours in its
//! place, started under the name `sipp`.
//!
//! Each habit runs with SIPp everywhere, then with ours in the place of each process, then with ours everywhere. Exit
//! codes, the files that were written, their columns, and the final counters have to be the same, apart from the
//! differences that the table lists with a reason. And every flag that SIPp's help lists is in the table, or has a
//! reason not to be.
//!
//! Skipped, loudly, where there is no `sipp` on `PATH`.
#![cfg(target_os = "linux")]
#![expect(
    clippy::print_stderr,
    reason = "a skipped comparison has to be seen in the test log"
)]

#[path = "habits/sitting.rs"]
mod sitting;

use gossipper_testkit::habits::{self, Habit, Habits, words};
use gossipper_testkit::sipp::Tool;
use sitting::{Facts, Sitting, Who, is_counter};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Sittings under way at a time: most of their time is pauses.
const WORKERS: usize = 12;

/// How often a habit that differed among others is run again by itself.
const AGAIN: usize = 1;

/// With names in it, separated by commas, only these habits run: for work on one of them.
const ONLY: &str = "GOSSIPPER_HABITS";

fn workspace() -> PathBuf {
    let cli = Path::new(env!("CARGO_MANIFEST_DIR"));
    cli.parent().expect("cli lies in the workspace").to_owned()
}

fn table() -> Habits {
    habits::load(&workspace()).expect("the table")
}

/// What of a habit is not as it should be, and which of its known differences were met.
#[derive(Default)]
struct Verdict {
    problems: Vec<String>,
    met: BTreeSet<usize>,
}

/// The combinations of tools that a habit runs with, besides SIPp everywhere.
fn casts(parties: usize) -> Vec<Vec<Who>> {
    let mut casts: Vec<Vec<Who>> = (0..parties)
        .map(|ours| {
            let who = |party| if party == ours { Who::Ours } else { Who::Sipp };
            (0..parties).map(who).collect()
        })
        .collect();
    if parties > 1 {
        casts.push(vec![Who::Ours; parties]);
    }
    casts
}

fn judge(habit: &Habit, workspace: &Path) -> Verdict {
    let mut verdict = Verdict::default();
    let sit = |cast: &[Who]| Sitting::run(habit, cast, workspace);
    let reference = match sit(&vec![Who::Sipp; habit.lines.len()]) {
        Ok(facts) => facts,
        Err(error) => {
            (verdict.problems).push(format!("{}: SIPp everywhere: {error}", habit.name));
            return verdict;
        }
    };
    for (party, facts) in reference.iter().enumerate() {
        let (exit, expected) = (facts.get("exit"), habit.exit(party).to_string());
        if exit != expected {
            verdict.problems.push(format!(
                "{}: SIPp everywhere: process {party} ends with {exit}, not {expected}\n{}",
                habit.name, facts.output
            ));
        }
    }
    for cast in casts(habit.lines.len()) {
        match sit(&cast) {
            Ok(facts) => compare(habit, &cast, &reference, &facts, &mut verdict),
            Err(error) => (verdict.problems).push(format!("{} {cast:?}: {error}", habit.name)),
        }
    }
    verdict
}

fn compare(
    habit: &Habit,
    cast: &[Who],
    reference: &[Facts],
    actual: &[Facts],
    verdict: &mut Verdict,
) {
    for (party, (sipp, actual)) in reference.iter().zip(actual).enumerate() {
        for fact in sipp.names().chain(actual.names()).collect::<BTreeSet<_>>() {
            let (expected, got) = (sipp.get(fact), actual.get(fact));
            if expected == got || habit.loose.iter().any(|loose| loose == fact) {
                continue;
            }
            // Who refuses a command line may or may not have begun to count.
            if is_counter(fact)
                && actual.get("exit") != "0"
                && (expected.is_empty() || got.is_empty())
            {
                continue;
            }
            let known = habit.differs.iter().position(|known| {
                known.party == party
                    && cast[known.ours_at.unwrap_or(party)] == Who::Ours
                    && known.fact == fact
                    && known.sipp == expected
                    && known.ours == got
            });
            match known {
                Some(index) => {
                    verdict.met.insert(index);
                }
                None => verdict.problems.push(format!(
                    "{} {cast:?}: {fact} of process {party}: SIPp has `{expected}`, here it is `{got}`\n{}",
                    habit.name, actual.output
                )),
            }
        }
    }
}

#[test]
fn command_lines_of_sipps_users_do_what_they_did() {
    if Tool::sipp().is_none() {
        return;
    }
    let (table, workspace) = (table(), workspace());
    let only = std::env::var(ONLY).ok();
    let chosen = |habit: &&Habit| {
        let mut names = only.iter().flat_map(|names| names.split(','));
        only.is_none() || names.any(|name| name == habit.name)
    };
    let habits: Vec<&Habit> = table.habits.iter().filter(chosen).collect();
    assert!(!habits.is_empty(), "no habit is called {only:?}");
    let next = AtomicUsize::new(0);
    let unlike = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(habit) = habits.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = judge(habit, &workspace);
                    if !verdict.problems.is_empty() || verdict.met.len() < habit.differs.len() {
                        unlike
                            .lock()
                            .expect("nobody panicked")
                            .push((*habit, verdict));
                    }
                }
            });
        }
    });
    // What is compared is partly a race of timers, and a machine that is busy with other things loses some. So a habit
    // that differs runs again by itself, and counts when it differs each time.
    let mut problems = Vec::new();
    for (habit, mut verdict) in unlike.into_inner().expect("nobody panicked") {
        for _ in 0..AGAIN {
            let met = std::mem::take(&mut verdict.met);
            verdict = judge(habit, &workspace);
            verdict.met.extend(met);
            if verdict.problems.is_empty() {
                eprintln!("note: {} differed among others, not by itself", habit.name);
                break;
            }
        }
        problems.append(&mut verdict.problems);
        for (index, known) in habit.differs.iter().enumerate() {
            if !verdict.met.contains(&index) {
                problems.push(format!(
                    "{}: the difference in {} of process {} ({}) is met no more",
                    habit.name, known.fact, known.party, known.reason
                ));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

/// The flags that the help of this SIPp lists.
fn flags_of_sipp() -> BTreeSet<String> {
    let help = Command::new("sipp")
        .arg("-h")
        .output()
        .expect("it ran before");
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    // A flag stands behind three blanks, its text behind a colon.
    let flags = help.lines().filter_map(|line| {
        let name = line.strip_prefix("   -")?.split_once(':')?.0.trim_end();
        (!name.is_empty() && !name.contains(' ') && !name.starts_with(|c: char| c.is_ascii_digit()))
            .then(|| name.to_owned())
    });
    flags.collect()
}

#[test]
fn every_flag_of_sipp_is_in_the_table_or_has_a_reason() {
    if Tool::sipp().is_none() {
        return;
    }
    let (table, flags) = (table(), flags_of_sipp());
    assert!(flags.len() > 100, "{flags:?}");
    let used: BTreeSet<String> = (table.habits.iter().flat_map(|habit| &habit.lines))
        .flat_map(|line| words(line))
        .filter_map(|word| Some(word.strip_prefix('-')?.trim_start_matches('-').to_owned()))
        // What stands for an address and a port.
        .chain(["i", "p"].map(str::to_owned))
        .collect();
    let excused: BTreeSet<String> = (table.elsewhere.iter())
        .flat_map(|elsewhere| elsewhere.flags.iter().cloned())
        .collect();
    let missing: Vec<_> = flags.difference(&(&used | &excused)).cloned().collect();
    assert!(
        missing.is_empty(),
        "in no line and without a reason: {missing:?}"
    );
    let idle: Vec<_> = excused.intersection(&used).collect();
    assert!(idle.is_empty(), "in a line and excused: {idle:?}");
}
