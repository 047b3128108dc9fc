// SPDX-License-Identifier: AGPL-3.0-only
//! The page of a code: what it is, why, what to do, what SIPp does, and both examples.
//!
//! `gossipper explain` prints it as text, `docs/diagnostics.md` is made of the same parts.

use super::Entry;
use crate::diag::Severity;
use crate::{Options, compile};
use std::fmt::Write as _;

/// What stands for headers, said where it is used.
const DOTS: &str = "`...` stands for the other headers of the message.";

impl Entry {
    /// How the code is reported: as the bad example gives it, an error without one.
    pub fn severity(&self) -> Severity {
        let Some(example) = self.example else {
            return Severity::Error;
        };
        let options = Options {
            advise: true,
            name: "example".to_owned(),
            ..Options::default()
        };
        let compiled = compile("example.xml", example.bad().text.as_bytes(), &options);
        let found = compiled.diagnostics.iter().find(|d| d.code == self.code);
        found.map_or(Severity::Error, |found| found.severity)
    }

    /// The page for a terminal.
    pub fn page(&self) -> String {
        let mut page = format!(
            "{} ({}): {}\n\n{}\n\nWhat to do: {}\n\nSIPp {}.\n",
            self.code,
            self.severity().word(),
            self.title,
            self.explanation,
            self.remedy,
            self.sipp
        );
        let Some(example) = self.example else {
            return page;
        };
        let bad = example.bad_as_printed();
        page.push_str("\nThis has the fault:\n\n");
        let mut start = 0;
        for line in bad.text.lines() {
            indented(&mut page, line);
            let end = start + line.len();
            if let Some(place) = bad
                .place
                .clone()
                .filter(|at| (start..=end).contains(&at.start))
            {
                let before = bad.text[start..place.start].chars().count();
                let inside = bad.text[place.start..place.end.min(end)].chars().count();
                indented(
                    &mut page,
                    &format!("{}{}", " ".repeat(before), "^".repeat(inside.max(1))),
                );
            }
            start = end + 1;
        }
        page.push_str("\nThis has not:\n\n");
        for line in example.good_as_printed().lines() {
            indented(&mut page, line);
        }
        if example.is_shortened() {
            let _ = write!(page, "\n{DOTS}\n");
        }
        page
    }

    /// The page as Markdown, its heading of the third level.
    pub fn markdown(&self) -> String {
        let mut page = format!(
            "### {}: {}\n\n*{}.* {}\n\n**What to do:** {}\n\n**SIPp** {}.\n",
            self.code,
            self.title,
            self.severity().title(),
            self.explanation,
            self.remedy,
            self.sipp
        );
        if let Some(example) = self.example {
            let bad = example.bad_as_printed().text;
            let good = example.good_as_printed();
            let _ = write!(
                page,
                "\n```xml\n<!-- has the fault -->\n{}\n```\n\n```xml\n<!-- has not -->\n{}\n```\n",
                bad.trim_matches('\n'),
                good.trim_matches('\n')
            );
        }
        page
    }
}

fn indented(page: &mut String, line: &str) {
    if !line.is_empty() {
        page.push_str("    ");
        page.push_str(line);
    }
    page.push('\n');
}
