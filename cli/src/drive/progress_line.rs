// SPDX-License-Identifier: AGPL-3.0-only
//! The progress line on standard error, where there are no screens.

use crate::report::progress;
use crate::stdio;
use gossipper_control::Snapshot;
use std::io::IsTerminal;
use std::time::Duration;

/// Least time between two progress lines in a file or pipe: a log is read later, and whole.
const LOG_PERIOD: Duration = Duration::from_secs(10);
/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 80;

/// The progress line on standard error.
pub(super) struct ProgressLine {
    terminal: bool,
    escapes: bool,
    drawn: usize,
}

impl ProgressLine {
    pub(super) fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            escapes: std::env::var_os("TERM").is_some_and(|term| term != "dumb"),
            drawn: 0,
        }
    }

    /// How often it is shown, when `refresh` is asked for.
    pub(super) fn period(&self, refresh: Duration) -> Duration {
        if self.terminal {
            refresh
        } else {
            refresh.max(LOG_PERIOD)
        }
    }

    pub(super) fn show(&mut self, snapshot: &Snapshot) {
        if !self.terminal {
            if let Some(line) = progress::line(snapshot, usize::MAX) {
                stdio::err(&format!("{line}\n"));
            }
            return;
        }
        let columns = rustix::termios::tcgetwinsize(std::io::stderr())
            .ok()
            .map(|size| usize::from(size.ws_col))
            .filter(|columns| *columns > 0)
            .unwrap_or(COLUMNS);
        // The last column stays free: a line that fills it makes some terminals scroll.
        if let Some(line) = progress::line(snapshot, columns - 1) {
            self.replace(&line);
        }
    }

    /// Removes the line, so that what follows begins on a clean one.
    pub(super) fn clear(&mut self) {
        if self.drawn > 0 {
            self.replace("");
            stdio::err("\r");
            self.drawn = 0;
        }
    }

    fn replace(&mut self, line: &str) {
        let rest = if self.escapes {
            "\x1b[K".to_owned()
        } else {
            " ".repeat(self.drawn.saturating_sub(line.len()))
        };
        stdio::err(&format!("\r{line}{rest}"));
        self.drawn = line.len();
    }
}
