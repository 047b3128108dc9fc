// SPDX-License-Identifier: AGPL-3.0-only
//! What a run of a scenario needs besides the file: injection files, keywords of `-key`, a twin, files to play.
//!
//! A scenario on its own is not wrong because the command line of its run is not there. So it may be compiled with
//! [`Missing::Warn`], for checking it; a run, and a program that is written to a file, take [`Missing::Refuse`].

use crate::ast::{Step, StepKind};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What to do about what only the command line can give.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Missing {
    /// It is an error.
    #[default]
    Refuse,
    /// It is a warning, and noted; the program can be listed and not be run. A keyword that is near to one there is
    /// remains an error, and so does an injection file that is missing while others are given.
    Warn,
}

/// A file that a media action plays.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MediaFile {
    /// Its name, as written.
    pub name: String,
    /// Where it is named.
    pub span: Span,
}

/// What a run needs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Needs {
    /// Fields of injection files by file; the empty name is the first file of the run.
    pub injection: BTreeMap<String, BTreeSet<u32>>,
    /// Keywords that `-key` defines.
    pub keys: BTreeSet<String>,
    /// Steps send to a twin or wait for it.
    pub twin: bool,
    /// Files that media actions play, in the order they are named.
    pub media_files: Vec<MediaFile>,
}

impl Needs {
    /// Notes a field of an injection file.
    pub(crate) fn field(&mut self, file: Option<String>, index: u32) {
        self.injection
            .entry(file.unwrap_or_default())
            .or_default()
            .insert(index);
    }

    /// Whether something of the injection file is noted.
    pub(crate) fn has_file(&self, file: Option<&str>) -> bool {
        self.injection.contains_key(file.unwrap_or_default())
    }

    /// Notes an injection file that is named for something else than its fields.
    pub(crate) fn file(&mut self, name: String) {
        self.injection.entry(name).or_default();
    }

    /// Notes what the kinds of steps say.
    pub(crate) fn of_steps(&mut self, steps: &[&Step]) {
        self.twin = steps
            .iter()
            .any(|step| matches!(step.kind, StepKind::SendCmd(_) | StepKind::RecvCmd(_)));
    }

    /// Whether a run needs no flag for it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.injection.is_empty() && self.keys.is_empty() && !self.twin
    }

    /// Whether the program depends on values that were not given: it must then not be run.
    #[must_use]
    pub fn are_met_by(&self, keys: &[(String, Vec<u8>)], injection: &[String]) -> bool {
        self.keys
            .iter()
            .all(|key| keys.iter().any(|(name, _)| name == key))
            && self.injection.keys().all(|name| {
                if name.is_empty() {
                    !injection.is_empty()
                } else {
                    injection.contains(name)
                }
            })
    }
}

/// The flags of a run, with commas between them.
impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut items = Vec::new();
        for (name, fields) in &self.injection {
            let name = if name.is_empty() { "FILE" } else { name };
            items.push(match ranges(fields) {
                None => format!("-inf {name}"),
                Some(one) if fields.len() == 1 => format!("-inf {name} (field {one})"),
                Some(all) => format!("-inf {name} (fields {all})"),
            });
        }
        items.extend(self.keys.iter().map(|key| format!("-key {key}")));
        if self.twin {
            items.push("-3pcc".to_owned());
        }
        f.write_str(&items.join(", "))
    }
}

/// `0-3, 7`
fn ranges(fields: &BTreeSet<u32>) -> Option<String> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for field in fields {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*field) => *last = *field,
            Some(_) | None => runs.push((*field, *field)),
        }
    }
    let shown: Vec<String> = runs
        .iter()
        .map(|(first, last)| {
            if first == last {
                first.to_string()
            } else {
                format!("{first}-{last}")
            }
        })
        .collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_read_like_flags() {
        let mut needs = Needs::default();
        assert!(needs.is_empty());
        for field in [0, 1, 2, 5] {
            needs.field(None, field);
        }
        needs.field(Some("b.csv".to_owned()), 3);
        needs.file("c.csv".to_owned());
        needs.keys.insert("domain".to_owned());
        needs.twin = true;
        assert_eq!(
            needs.to_string(),
            "-inf FILE (fields 0-2, 5), -inf b.csv (field 3), -inf c.csv, -key domain, -3pcc"
        );
        let keys = [("domain".to_owned(), Vec::new())];
        let files = ["b.csv", "c.csv"].map(str::to_owned);
        assert!(needs.are_met_by(&keys, &files));
        assert!(!needs.are_met_by(&[], &files));
        assert!(!needs.are_met_by(&keys, &files[..1]));
    }
}
