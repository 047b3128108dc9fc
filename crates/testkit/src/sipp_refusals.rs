// SPDX-License-Identifier: AGPL-3.0-only
//! The scenarios that SIPp refuses to load, and some that it takes: `testdata/differential/refused.toml`.
//!
//! Not for running them; `cli/tests/refusals.rs` does.

use std::path::Path;

use serde::Deserialize;

use crate::sipp_cases::read_toml;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    scenario: Vec<Entry>,
}

/// One small scenario and how a tool that is given it ends.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What it shows.
    pub name: String,
    /// The elements; a request in braces stands for a whole `<send>`.
    pub body: String,
    /// Further flags.
    #[serde(default)]
    pub flags: Vec<String>,
    /// The exit code.
    #[serde(default = "one")]
    pub exit: i32,
    /// That of the SIPp which runs here, where it is another.
    pub sipp: Option<i32>,
    /// Why it is another.
    pub reason: Option<String>,
    /// The heading of `docs/compat.md` that says more, as its anchor.
    pub anchor: Option<String>,
}

fn one() -> i32 {
    1
}

/// Every entry, in file order.
///
/// # Errors
/// What is missing or malformed, with the file's name.
pub fn load(workspace: &Path) -> Result<Vec<Entry>, String> {
    let file: File = read_toml(&workspace.join("testdata/differential/refused.toml"))?;
    Ok(file.scenario)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sipp_cases::anchors;

    #[test]
    fn every_entry_has_its_own_name_and_a_reason_where_sipp_differs() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let entries = load(&root).expect("the entries of this workspace");
        let anchors = anchors();
        for (index, entry) in entries.iter().enumerate() {
            let name = &entry.name;
            let first = entries.iter().position(|other| other.name == *name);
            assert_eq!(first, Some(index), "{name} is there twice");
            assert_eq!(entry.sipp.is_some(), entry.reason.is_some(), "{name}");
            assert_eq!(entry.sipp.is_some(), entry.anchor.is_some(), "{name}");
            if let Some(anchor) = &entry.anchor {
                assert!(anchors.contains(anchor), "{name}: no {anchor}");
            }
        }
    }
}
