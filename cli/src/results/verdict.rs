// SPDX-License-Identifier: AGPL-3.0-only
//! What the terminal says of gates and thresholds when a run is over, and where its reports are.

use crate::report::cut;
use gossipper_results::Summary;
use std::fmt::Write as _;
use std::path::Path;

/// Columns of the screen.
const WIDTH: usize = 80;
/// Columns before what is said.
const INDENT: usize = 11;

/// The lines; nothing where nothing was asked of the run and nothing written.
pub(super) fn lines(summary: &Summary, written: &[&Path], colour: bool) -> String {
    let mut out = String::new();
    health(&mut out, summary, colour);
    thresholds(&mut out, summary, colour);
    reports(&mut out, written);
    out
}

fn paint(text: &str, good: bool, colour: bool) -> String {
    match (colour, good) {
        (false, _) => text.to_owned(),
        (true, true) => format!("\x1b[32m{text}\x1b[0m"),
        (true, false) => format!("\x1b[31m{text}\x1b[0m"),
    }
}

/// Each reason on a line of its own, whole: it is what somebody looks for.
fn health(out: &mut String, summary: &Summary, colour: bool) {
    let health = &summary.health;
    if !health.active {
        return;
    }
    // Writing to memory cannot fail, here and below.
    if health.pass {
        let _ = writeln!(out, "Health     {}", paint("PASS", true, colour));
        return;
    }
    for (place, reason) in health.reasons.iter().enumerate() {
        let _ = match place {
            0 => writeln!(out, "Health     {}: {reason}", paint("FAIL", false, colour)),
            _ => writeln!(out, "                 {reason}"),
        };
    }
}

/// What was asked, and what was found.
fn thresholds(out: &mut String, summary: &Summary, colour: bool) {
    let widest = summary.thresholds.iter();
    let widest = widest.map(|threshold| threshold.expression.chars().count());
    let widest = widest.max().unwrap_or(0).min(WIDTH / 2);
    for (place, threshold) in summary.thresholds.iter().enumerate() {
        let title = if place == 0 { "Thresholds" } else { "" };
        let word = if threshold.pass { "kept" } else { "lost" };
        let room = WIDTH - INDENT - 6;
        let said = format!("{:<widest$}  {}", threshold.expression, threshold.found);
        let _ = writeln!(
            out,
            "{title:<INDENT$}{}  {}",
            paint(word, threshold.pass, colour),
            cut(&said, room)
        );
    }
}

/// As many names on a line as fit.
fn reports(out: &mut String, written: &[&Path]) {
    let mut title = "Reports";
    let mut line = String::new();
    for path in written {
        let name = path.display().to_string();
        if !line.is_empty() && INDENT + line.len() + 2 + name.len() > WIDTH {
            let _ = writeln!(out, "{title:<INDENT$}{line}");
            (title, line) = ("", String::new());
        }
        if !line.is_empty() {
            line.push_str("  ");
        }
        line.push_str(&name);
    }
    if !line.is_empty() {
        let _ = writeln!(out, "{title:<INDENT$}{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gossipper_results::summary::ThresholdResult;

    fn summary(pass: bool) -> Summary {
        let mut summary = Summary::default();
        summary.health.active = true;
        summary.health.pass = pass;
        let asked = [
            ("rtd.invite.p99 < 250ms", true, "12.4 ms"),
            ("failed_ratio < 0.1%", pass, "0.3 %, which ended the run"),
        ];
        let asked = asked.map(|(expression, pass, found)| ThresholdResult {
            expression: expression.to_owned(),
            pass,
            found: found.to_owned(),
            aborted: false,
        });
        summary.thresholds = asked.into();
        if !pass {
            summary.health.reasons = vec![
                "failed_calls 3 exceeds maximum 2".to_owned(),
                "threshold `failed_ratio < 0.1%` not held: 0.3 %, which ended the run".to_owned(),
            ];
        }
        summary
    }

    #[test]
    fn a_run_that_keeps_everything_reads_like_this() {
        let written = ["summary.json", "junit.xml", "page.html"].map(Path::new);
        insta::assert_snapshot!(lines(&summary(true), &written, false), @r"
        Health     PASS
        Thresholds kept  rtd.invite.p99 < 250ms  12.4 ms
                   kept  failed_ratio < 0.1%     0.3 %, which ended the run
        Reports    summary.json  junit.xml  page.html
        ");
    }

    #[test]
    fn a_run_that_does_not_says_what_it_lost() {
        let long = "a/folder/with/a/name/that/takes/nearly/a/whole/line/summary.json";
        let written = [long, "another/report.html"].map(Path::new);
        insta::assert_snapshot!(lines(&summary(false), &written, false), @r"
        Health     FAIL: failed_calls 3 exceeds maximum 2
                         threshold `failed_ratio < 0.1%` not held: 0.3 %, which ended the run
        Thresholds kept  rtd.invite.p99 < 250ms  12.4 ms
                   lost  failed_ratio < 0.1%     0.3 %, which ended the run
        Reports    a/folder/with/a/name/that/takes/nearly/a/whole/line/summary.json
                   another/report.html
        ");
    }

    #[test]
    fn colours_are_for_the_words_and_only_where_welcome() {
        let shown = lines(&summary(false), &[], true);
        assert!(shown.contains("\x1b[31mFAIL\x1b[0m: failed"), "{shown}");
        assert!(shown.contains("\x1b[32mkept\x1b[0m  rtd"), "{shown}");
        assert!(!lines(&summary(false), &[], false).contains('\x1b'));
        assert_eq!(lines(&Summary::default(), &[], true), "");
    }
}
