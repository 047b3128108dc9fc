// SPDX-License-Identifier: AGPL-3.0-only
//! Differences that are meant, as the runs against mirrors meet them: `testdata/differential/mirror.toml`.
//!
//! An entry speaks of a class of scenarios, never of one file: an expression finds what they have in common. Its
//! `mask` finds in the messages what may differ, so that everything around it is still compared; where the conversations
//! part altogether, `difference` finds the consequence in the description of what differs.

use std::path::Path;

use regex::Regex;
use serde::Deserialize;

use crate::sipp_trace::Conversation;

/// A class of differences that is meant.
#[derive(Debug, Clone)]
pub struct Known {
    scenario: Regex,
    how: How,
    /// Why, in half a sentence.
    pub reason: String,
    /// The heading of `docs/compat.md` that says more, as its anchor.
    pub anchor: String,
}

#[derive(Debug, Clone)]
enum How {
    /// This text of messages may differ.
    Mask(Regex),
    /// A difference with this description is meant.
    Difference(Regex),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    scenario: String,
    mask: Option<String>,
    difference: Option<String>,
    reason: String,
    anchor: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownFile {
    known: Vec<Entry>,
}

impl Known {
    /// Reads the file below a workspace root.
    ///
    /// # Errors
    /// What is missing or malformed.
    pub fn load(workspace: &Path) -> Result<Vec<Self>, String> {
        let path = workspace.join("testdata/differential/mirror.toml");
        let text =
            std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let file: KnownFile =
            toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        file.known.into_iter().map(Self::of).collect()
    }

    fn of(entry: Entry) -> Result<Self, String> {
        let regex = |text: &str| Regex::new(text).map_err(|error| error.to_string());
        let how = match (&entry.mask, &entry.difference) {
            (Some(mask), None) => How::Mask(regex(mask)?),
            (None, Some(difference)) => How::Difference(regex(difference)?),
            _ => return Err(format!("either mask or difference: {}", entry.reason)),
        };
        Ok(Self {
            scenario: regex(&entry.scenario)?,
            how,
            reason: entry.reason,
            anchor: entry.anchor,
        })
    }

    /// Does this entry speak of the scenario?
    #[must_use]
    pub fn concerns(&self, scenario: &str) -> bool {
        self.scenario.is_match(scenario)
    }

    /// Is this difference meant?
    #[must_use]
    pub fn explains(&self, difference: &str) -> bool {
        matches!(&self.how, How::Difference(regex) if regex.is_match(difference))
    }

    /// Hides what may differ; is there anything of the kind?
    pub fn mask(&self, messages: &mut Conversation) -> bool {
        let How::Mask(regex) = &self.how else {
            return false;
        };
        let mut met = false;
        for text in messages.values_mut().flatten() {
            if regex.is_match(text) {
                met = true;
                *text = regex.replace_all(text, "").into_owned();
            }
        }
        met
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_hides_its_text_and_nothing_else() {
        let known = Known::of(Entry {
            scenario: "BYE".to_owned(),
            mask: Some("(?m)^Via: .*$".to_owned()),
            difference: None,
            reason: String::new(),
            anchor: String::new(),
        })
        .expect("an entry");
        assert!(known.concerns("a BYE") && !known.concerns("an ACK") && !known.explains("Via: x"));
        let mut messages =
            Conversation::from([("1".to_owned(), vec!["sent\nVia: x\nTo: y".to_owned()])]);
        assert!(known.mask(&mut messages));
        assert_eq!(messages["1"], ["sent\n\nTo: y"]);
        assert!(!known.mask(&mut messages));
    }

    #[test]
    fn every_entry_of_this_workspace_says_why_and_where() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let document =
            std::fs::read_to_string(root.join("docs/compat.md")).expect("docs/compat.md");
        for known in Known::load(&root).expect("the entries") {
            assert!(known.reason.len() > 20, "{known:?}");
            let words = known.anchor.replace('-', " ");
            let there = document.lines().filter_map(|line| line.strip_prefix('#'));
            assert!(
                there
                    .map(|line| line.trim_start_matches('#').trim().to_lowercase())
                    .any(|title| title == words),
                "no heading for {}",
                known.anchor
            );
        }
    }
}
