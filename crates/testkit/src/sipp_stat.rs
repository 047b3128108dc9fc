// SPDX-License-Identifier: AGPL-3.0-only
//! Counters at the end of a run, from SIPp's statistics file or from a summary line.
//!
//! Names are SIPp's CSV columns without their `(C)` suffix (`SuccessfulCall`, `FailedUnexpectedMessage`), whatever
//! the source, so that two tools can be compared by one table.

use std::collections::BTreeMap;

use gossipper_bytecode::FailReason;

/// Where the figures of a summary line begin.
const FIGURES_AT: usize = 11;

/// The words of our summary for the columns of SIPp; the last one has no column there.
const FIGURES: &[(&str, &str)] = &[
    ("created", "TotalCallCreated"),
    ("succeeded", "SuccessfulCall"),
    ("failed", "FailedCall"),
    ("retransmitted", "Retransmissions"),
    ("out of call", "OutOfCallMsgs"),
    ("for ended calls", "DeadCallMsgs"),
    ("answered automatically", "AutoAnswered"),
    ("not SIP", "Discarded"),
];

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

    /// Reads the summary that our binary prints at the end of a run.
    #[must_use]
    pub fn from_summary(text: &str) -> Option<Self> {
        let mut counters = BTreeMap::new();
        let mut lines = text.lines().skip_while(|line| !line.starts_with("Calls "));
        lines.clone().next()?;
        // Figures stand as `12 retransmitted`, separated by two blanks, under a title or under blanks.
        for line in lines
            .by_ref()
            .take_while(|line| !line.starts_with("Failures "))
        {
            let figures = match line.split_at_checked(FIGURES_AT) {
                Some(("Calls      " | "Messages   " | "           ", figures)) => figures,
                _ => continue,
            };
            for figure in figures.split("  ") {
                let Some((count, what)) = figure.split_once(' ') else {
                    continue;
                };
                if let Some((_, name)) = FIGURES.iter().find(|(text, _)| *text == what) {
                    counters.insert((*name).to_owned(), count.parse().ok()?);
                }
            }
        }
        // Under `Failures`: a count, a share and a reason a line, indented.
        for line in lines.take_while(|line| line.starts_with("  ")) {
            let Some((count, rest)) = line.trim_start().split_once("  ") else {
                continue;
            };
            let Some((_, text)) = rest.trim_start().split_once("  ") else {
                continue;
            };
            let reason = FailReason::ALL.iter().find(|reason| reason.text() == text);
            if let Some(reason) = reason.filter(|reason| reason.csv_name() != "FailedCall") {
                counters.insert(reason.csv_name().to_owned(), count.parse().ok()?);
            }
        }
        Some(Self(counters))
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
    fn a_summary_gives_the_same_names() {
        let summary = "Scenario   uac (client)  127.0.0.1:1 -> 127.0.0.1:2  1.0s\n\
                       Calls      10 created  7 succeeded  3 failed  0 open  peak 4 of 30\n\
                       Rate       asked 10/s  reached 9.9/s\n\
                       Messages   40 sent  50 received  2 retransmitted  1 received again\n           \
                       3 unexpected  5 not SIP\n\
                       Failures   30.0 % of the 10 calls that have ended\n         2   66.7 %  receive timeout\n         \
                       1   33.3 %  aborted at the end of the run\n\
                       Warnings   3, the last: x\n";
        let counters = Counters::from_summary(summary).expect("a summary");
        assert_eq!(
            counters.non_zero().collect::<Vec<_>>(),
            [
                ("Discarded", 5),
                ("FailedCall", 3),
                ("FailedTimeoutOnRecv", 2),
                ("Retransmissions", 2),
                ("SuccessfulCall", 7),
                ("TotalCallCreated", 10),
            ]
        );
        assert_eq!(Counters::from_summary("error: no such file\n"), None);
    }

    #[test]
    fn a_file_without_a_row_has_no_counters() {
        assert_eq!(Counters::from_csv("SuccessfulCall(C);\n"), None);
        assert_eq!(Counters::from_csv(""), None);
    }
}
