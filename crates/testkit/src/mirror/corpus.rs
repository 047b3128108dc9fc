// SPDX-License-Identifier: AGPL-3.0-only
//! The corpus of other people's scenarios: which there are, and what each needs on the command line.
//!
//! The corpus is no part of the repository; its folder has a `manifest.jsonl` with one object a line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gossipper_compiler::ast::{ActionKind, Scenario, StepKind};
use serde::Deserialize;

/// Lines of a made-up injection file.
const ROWS: usize = 4;

/// Highest field of a made-up injection file.
const MAX_FIELD: usize = 99;

/// A scenario of the corpus.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    /// Its path below the corpus.
    pub file: String,
    kind: String,
    #[serde(default)]
    accepted_by_sipp: bool,
    #[serde(default)]
    accepted_by_sipp_3_7_7: bool,
    #[serde(default)]
    third_party: bool,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    uses: Vec<String>,
    #[serde(default)]
    flags: Vec<String>,
}

/// The folder of the corpus: `GOSSIPPER_CORPUS`, or `shared/corpus` beside the repository.
#[must_use]
pub fn folder(workspace: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("GOSSIPPER_CORPUS")
        .map_or_else(|| workspace.join("../shared/corpus"), PathBuf::from);
    path.join("manifest.jsonl").is_file().then_some(path)
}

/// Every scenario of a corpus.
///
/// # Errors
/// When the manifest cannot be read.
pub fn scenarios(corpus: &Path) -> Result<Vec<Entry>, String> {
    let path = corpus.join("manifest.jsonl");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut entries = Vec::new();
    for line in text.lines() {
        let entry: Entry =
            serde_json::from_str(line).map_err(|e| format!("{}: {e}", path.display()))?;
        if entry.kind == "scenario" {
            entries.push(entry);
        }
    }
    Ok(entries)
}

impl Entry {
    /// Why this scenario is not run, from what the manifest and the file say.
    #[must_use]
    pub fn obstacle(&self, scenario: &Scenario) -> Option<&'static str> {
        if !self.accepted_by_sipp && !self.accepted_by_sipp_3_7_7 {
            return Some("no SIPp loads it");
        }
        let third_party =
            |kind: &StepKind| matches!(kind, StepKind::SendCmd(_) | StepKind::RecvCmd(_));
        if self.third_party || scenario.steps().any(|step| third_party(&step.kind)) {
            return Some("needs a twin (3PCC)");
        }
        if self.flags.iter().any(|flag| flag.contains("shell command")) {
            return Some("runs a shell command");
        }
        let elsewhere = |kind: &ActionKind| match kind {
            ActionKind::SetDest { host, .. } => {
                let host = host.display();
                !["[local_ip]", "[remote_ip]", "127."]
                    .iter()
                    .any(|known| host.starts_with(known))
            }
            _ => false,
        };
        let actions = scenario.steps().filter_map(|step| step.actions.as_ref());
        if actions
            .flat_map(|actions| &actions.list)
            .any(|action| elsewhere(&action.kind))
        {
            return Some("sends to an address of its own (setdest)");
        }
        None
    }

    /// Does it take its values from an injection file?
    pub(super) fn needs_a_file(&self) -> bool {
        self.needs.iter().any(|need| need.starts_with("-inf"))
    }

    /// Writes the injection files that the scenario needs into `folder`; returns the flags that name them, and the keys.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn flags(
        &self,
        corpus: &Path,
        bytes: &[u8],
        folder: &Path,
    ) -> std::io::Result<Vec<String>> {
        let text = String::from_utf8_lossy(bytes);
        let mut flags = Vec::new();
        for need in &self.needs {
            if let Some(key) = need.strip_prefix("-key ") {
                flags.extend(["-key".to_owned(), key.to_owned(), key_value(key).to_owned()]);
            } else if need == "-inf" || need.starts_with("-inf ") {
                let name = need.strip_prefix("-inf ").unwrap_or("fields.csv");
                let base = name.rsplit('/').next().unwrap_or(name);
                let path = folder.join(base);
                let own = self.uses.iter().find(|used| {
                    used.ends_with(".csv")
                        && (need == "-inf" || used.ends_with(&format!("/{base}")))
                });
                match own {
                    Some(own) => {
                        std::fs::copy(corpus.join(own), &path)?;
                    }
                    None => std::fs::write(&path, made_up_rows(&text))?,
                }
                flags.extend(["-inf".to_owned(), path.display().to_string()]);
            }
        }
        Ok(flags)
    }
}

fn key_value(key: &str) -> &str {
    if key.contains("ip") || key.contains("domain") {
        "127.0.0.1"
    } else {
        key
    }
}

/// An injection file with as many fields as the scenario names. A field that stands alone on its line is an answer to a
/// challenge, as nearly always in the files that go with such scenarios; a message has one at most.
fn made_up_rows(scenario: &str) -> String {
    let mut count = 1;
    let mut answers = BTreeSet::new();
    let mut others = BTreeSet::new();
    let mut answered = false;
    for line in scenario.lines() {
        let line = line.trim();
        answered &= !line.contains("<send");
        for (at, _) in line.match_indices("[field") {
            let tail = &line[at + "[field".len()..];
            let digits: String = tail.chars().take_while(char::is_ascii_digit).collect();
            let Ok(field) = digits.parse::<usize>() else {
                continue;
            };
            let field = field.min(MAX_FIELD);
            count = count.max(field + 1);
            let alone = at == 0 && line.find(']') == Some(line.len() - 1);
            if alone && !answered {
                answers.insert(field);
                answered = true;
            } else {
                others.insert(field);
            }
        }
    }
    let mut out = String::from("SEQUENTIAL\n");
    for row in 1..=ROWS {
        let values: Vec<String> = (0..count)
            .map(|field| {
                if answers.contains(&field) && !others.contains(&field) {
                    "[authentication username=mirror password=mirror]".to_owned()
                } else {
                    format!("f{field}r{row}")
                }
            })
            .collect();
        out.push_str(&values.join(";"));
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_rows_have_every_field_and_one_answer_to_a_challenge_a_message() {
        let scenario = "<send>\nINVITE sip:[field0]@[field3]\n [field1]\n[field2]\n</send>\n<send>\n[field4 file=\"x\"]";
        let rows = made_up_rows(scenario);
        let mut lines = rows.lines();
        assert_eq!(lines.next(), Some("SEQUENTIAL"));
        let answer = "[authentication username=mirror password=mirror]";
        assert_eq!(
            lines.next(),
            Some(format!("f0r1;{answer};f2r1;f3r1;{answer}").as_str())
        );
        assert_eq!(lines.count(), ROWS - 1);
    }
}
