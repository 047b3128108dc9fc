// SPDX-License-Identifier: AGPL-3.0-only
//! Command lines as users of SIPp write them: `testdata/habits/*.toml`.
//!
//! A habit is what is typed in one sitting: one line for each process, in the order in which they are started, and what
//! is done to them while they run. Not for running them; `cli/tests/habits.rs` does.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::sipp_cases::read_toml;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    habit: Vec<Habit>,
    #[serde(default)]
    elsewhere: Vec<Elsewhere>,
}

/// Every habit, and the flags that none of them has.
#[derive(Debug, Default)]
pub struct Habits {
    /// In file order, files by name.
    pub habits: Vec<Habit>,
    /// Flags that no line uses, with the reason.
    pub elsewhere: Vec<Elsewhere>,
}

/// One sitting.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Habit {
    /// What the test calls it.
    pub name: String,
    /// The lines, `sipp` in front. In braces: `me` is an address and a free port as flags, `port` that port (`port0` that of the first process), `0` the
    /// address of the first process, `cp` a free control port (`cp0` that of the first process), `listen` an address
    /// on which this process is going to wait for its twin, `listen0` that of the first.
    pub lines: Vec<String>,
    /// The exit code of each; 0 for those that are left out.
    #[serde(default)]
    pub exits: Vec<i32>,
    /// Files of `testdata/scenarios` or `testdata/habits` that lie in the folder of each process.
    #[serde(default)]
    pub files: Vec<String>,
    /// Files that lie there as well, by name; braces as in lines.
    #[serde(default)]
    pub write: BTreeMap<String, String>,
    /// What is done to the processes, in this order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What the processes have to say on their standard output.
    #[serde(default)]
    pub says: Vec<Says>,
    /// Facts that may differ from run to run, so that they are not compared.
    #[serde(default)]
    pub loose: Vec<String>,
    /// Differences between SIPp and ours that are meant.
    #[serde(default)]
    pub differs: Vec<Difference>,
}

impl Habit {
    /// The exit code that a process has with SIPp everywhere.
    #[must_use]
    pub fn exit(&self, party: usize) -> i32 {
        self.exits.get(party).copied().unwrap_or(0)
    }
}

/// One thing that is done while the processes run.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// To which process.
    pub party: usize,
    /// Not before this process has ended.
    pub after: Option<usize>,
    /// Not before a file whose name holds this text is there and is not empty.
    pub once: Option<String>,
    /// A datagram for its control socket.
    pub tell: Option<String>,
    /// A signal, by its short name.
    pub signal: Option<String>,
}

/// Something that both tools print.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Says {
    /// Which process.
    pub party: usize,
    /// What its standard output holds.
    pub text: String,
}

/// One fact that is another with ours.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// The process it is about.
    pub party: usize,
    /// The process that is ours when it shows; that which it is about, when it is left out.
    pub ours_at: Option<usize>,
    /// The name of the fact: `exit`, `file NAME`, `columns NAME`, or a counter.
    pub fact: String,
    /// With SIPp everywhere; nothing where there is no such fact.
    #[serde(default)]
    pub sipp: String,
    /// With ours.
    #[serde(default)]
    pub ours: String,
    /// Why, in a few words.
    pub reason: String,
    /// The heading of `docs/compat.md` that says more, as its anchor.
    pub anchor: Option<String>,
}

/// Flags that stand in no line.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elsewhere {
    /// Their names, without a dash.
    pub flags: Vec<String>,
    /// Why, and what holds them instead.
    pub reason: String,
}

/// Reads the table.
///
/// # Errors
/// What is missing or malformed, with the file's name.
pub fn load(workspace: &Path) -> Result<Habits, String> {
    let folder = workspace.join("testdata/habits");
    let listing = std::fs::read_dir(&folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = listing.iter().map(std::fs::DirEntry::path).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    let mut all = Habits::default();
    for path in paths {
        let file: File = read_toml(&path)?;
        all.habits.extend(file.habit);
        all.elsewhere.extend(file.elsewhere);
    }
    Ok(all)
}

/// The words of a line as a shell sees them: blanks divide, quotes of both kinds join.
#[must_use]
pub fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sipp_cases::anchors;

    fn all() -> Habits {
        load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).expect("the table")
    }

    #[test]
    fn words_are_those_of_a_shell() {
        assert_eq!(words("a  'b c' \"\" d'e'"), ["a", "b c", "", "de"]);
        assert!(words("  ").is_empty());
    }

    #[test]
    fn there_are_many_and_each_has_a_name_and_lines_of_sipp() {
        let all = all();
        for (index, habit) in all.habits.iter().enumerate() {
            let name = &habit.name;
            let first = all.habits.iter().position(|other| other.name == *name);
            assert_eq!(first, Some(index), "{name} is there twice");
            assert!(!habit.lines.is_empty(), "{name}");
            for line in &habit.lines {
                assert_eq!(words(line)[0], "sipp", "{name}: {line}");
            }
            assert!(habit.exits.len() <= habit.lines.len(), "{name}");
            for step in &habit.steps {
                assert!(step.party < habit.lines.len(), "{name}");
                assert!(step.tell.is_some() != step.signal.is_some(), "{name}");
            }
        }
    }

    #[test]
    fn every_difference_has_a_reason_where_users_find_it() {
        let anchors = anchors();
        for habit in all().habits {
            for known in &habit.differs {
                assert_ne!(known.sipp, known.ours, "{}", habit.name);
                assert!(!known.reason.is_empty(), "{}", habit.name);
                if let Some(anchor) = &known.anchor {
                    assert!(anchors.contains(anchor), "{}: no {anchor}", habit.name);
                }
            }
        }
    }
}
