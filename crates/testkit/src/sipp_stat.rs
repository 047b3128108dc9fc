// SPDX-License-Identifier: AGPL-3.0-only
//! Counters at the end of a run, from SIPp's statistics file or from a summary line.
//!
//! Names are SIPp's CSV columns without their `(C)` suffix (`SuccessfulCall`, `FailedUnexpectedMessage`), whatever
//! the source, so that two tools can be compared by one table.

use std::collections::BTreeMap;

/// Cumulative counters by SIPp's column name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters(BTreeMap<String, u64>);

impl Counters {
    /// Reads a `-trace_stat` file: the last complete row, its cumulative whole-number columns.
    #[must_use]
    pub fn from_csv(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let titles: Vec<_> = lines.next()?.split(';').collect();
        let row: Vec<_> = lines
            .rfind(|line| line.split(';').count() == titles.len())?
            .split(';')
            .collect();
        let counters = titles.iter().zip(row).filter_map(|(title, value)| {
            let name = title.strip_suffix("(C)")?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Some(Self(counters.collect()))
    }

    /// Makes counters from pairs.
    pub fn from_pairs<N: Into<String>>(pairs: impl IntoIterator<Item = (N, u64)>) -> Self {
        Self(pairs.into_iter().map(|(n, v)| (n.into(), v)).collect())
    }

    /// The counter of this name; 0 when there is none.
    #[must_use]
    pub fn value(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Is there a counter of this name?
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Every counter that is not zero, by name.
    pub fn non_zero(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0
            .iter()
            .filter(|(_, value)| **value != 0)
            .map(|(name, value)| (name.as_str(), *value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_complete_row_counts_and_times_are_left_out() {
        let csv = "A(P);SuccessfulCall(P);SuccessfulCall(C);FailedCall(C);CallLength(C);\n\
                   x;1;1;0;00:00:00:001000;\nx;2;3;1;00:00:00:002000;\nx;9;9\n";
        let counters = Counters::from_csv(csv).expect("a row");
        assert_eq!(counters.value("SuccessfulCall"), 3);
        assert_eq!(counters.value("FailedCall"), 1);
        assert!(!counters.has("CallLength"));
        assert_eq!(
            counters.non_zero().collect::<Vec<_>>(),
            [("FailedCall", 1), ("SuccessfulCall", 3)]
        );
    }

    #[test]
    fn a_file_without_a_row_has_no_counters() {
        assert_eq!(Counters::from_csv("SuccessfulCall(C);\n"), None);
        assert_eq!(Counters::from_csv(""), None);
    }
}
