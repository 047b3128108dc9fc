// SPDX-License-Identifier: AGPL-3.0-only
//! Differences that are meant, as the runs against mirrors meet them: `testdata/differential/mirror.toml`.
//!
//! An entry speaks of a class of scenarios, never of one file: an expression that finds what they have in common, and
//! one that finds the consequence in the difference.

use std::path::Path;

use regex::Regex;
use serde::Deserialize;

/// A class of differences that is meant.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Finds something in the text of such a scenario.
    scenario: String,
    /// Finds something in the description of the difference.
    difference: String,
    /// Why, in half a sentence.
    pub reason: String,
    /// The heading of `docs/compat.md` that says more, as its anchor.
    pub anchor: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownFile {
    known: Vec<Known>,
}

impl Known {
    /// Reads the file below a workspace root.
    ///
    /// # Errors
    /// What is missing or malformed.
    pub fn load(workspace: &Path) -> Result<Vec<Self>, String> {
        let path = workspace.join("testdata/differential/mirror.toml");
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let file: KnownFile = toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))?;
        for known in &file.known {
            known.expressions().map_err(|e| format!("{}: {e}", path.display()))?;
        }
        Ok(file.known)
    }

    fn expressions(&self) -> Result<[Regex; 2], regex::Error> {
        Ok([Regex::new(&self.scenario)?, Regex::new(&self.difference)?])
    }

    /// Does this entry explain the difference?
    #[must_use]
    pub fn explains(&self, scenario: &str, difference: &str) -> bool {
        self.expressions()
            .is_ok_and(|[first, second]| first.is_match(scenario) && second.is_match(difference))
    }
}
