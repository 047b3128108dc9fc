// SPDX-License-Identifier: AGPL-3.0-only
//! gossipper's own form of `-trace_screen`: a table with a row per period, one whenever somebody asks for it (SIGUSR1, the key
//! `s`), and a last one at the end.
//!
//! Names and order of the columns are a promise to whoever reads them. Figures without `interval_` count since the start.

use gossipper_bytecode::FailReason;
use gossipper_control::{EngineSnapshot, Snapshot};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;

const HEAD: &str = "timestamp,total_calls,success_calls,failed_calls,active_calls,success_ratio,calls_per_second,\
                    interval_ms,interval_calls_per_second,avg_call_ms,avg_invite_ms,retransmits,timeouts,\
                    failure_timeout,failure_unexpected_sip\n";

/// The table.
#[derive(Debug)]
pub(crate) struct Rows {
    path: PathBuf,
    file: File,
    /// Time and calls of the row before.
    before: (u64, u64),
}

impl Rows {
    /// Makes the file, with its first line.
    ///
    /// # Errors
    /// In words, with the name of the file.
    pub(crate) fn open(path: PathBuf, overwrite: bool) -> Result<Self, String> {
        let opened = || {
            let mut file = OpenOptions::new()
                .create(true)
                .write(true)
                .append(!overwrite)
                .truncate(overwrite)
                .open(&path)?;
            file.write_all(HEAD.as_bytes())?;
            io::Result::Ok(file)
        };
        match opened() {
            Ok(file) => Ok(Self {
                path,
                file,
                before: (0, 0),
            }),
            Err(error) => Err(format!("cannot write `{}`: {error}", path.display())),
        }
    }

    /// Adds a row.
    ///
    /// # Errors
    /// In words, with the name of the file.
    pub(crate) fn add(&mut self, now: &Snapshot) -> Result<(), String> {
        let Some(engine) = now.main() else {
            return Ok(());
        };
        let row = row(now, engine, self.before);
        self.before = (now.elapsed_us, engine.calls.created());
        let written = self.file.write_all(row.as_bytes());
        written.map_err(|error| format!("cannot write `{}`: {error}", self.path.display()))
    }
}

fn row(now: &Snapshot, engine: &EngineSnapshot, (since_us, before): (u64, u64)) -> String {
    let calls = &engine.calls;
    let ended = calls.succeeded + calls.failed;
    let interval_us = now.elapsed_us.saturating_sub(since_us);
    // Cleared statistics begin anew.
    let lately = calls.created().saturating_sub(before);
    let failures = |class: &str| -> u64 {
        let of_class = |reason: FailReason| reason.class() == class;
        let failures = engine.failures.iter();
        failures
            .filter(|failure| of_class(failure.reason))
            .map(|failure| failure.count)
            .sum()
    };
    let mut row = time(now.started_at_us.saturating_add(now.elapsed_us));
    // Writing to a string does not fail.
    let _ = writeln!(
        row,
        ",{},{},{},{},{:.6},{:.6},{},{:.6},{:.3},{:.3},{},{},{},{}",
        calls.created(),
        calls.succeeded,
        calls.failed,
        calls.current,
        ratio(calls.succeeded as f64, ended as f64),
        ratio(calls.created() as f64 * 1e6, now.elapsed_us as f64),
        interval_us / 1000,
        ratio(lately as f64 * 1e6, interval_us as f64),
        engine.call_length.mean_us / 1e3,
        engine.invite.mean_us / 1e3,
        engine.messages.retransmitted,
        engine.messages.timeouts,
        failures("timeout"),
        failures("unexpected_sip"),
    );
    row
}

fn ratio(part: f64, of: f64) -> f64 {
    if of == 0.0 { 0.0 } else { part / of }
}

/// RFC 3339 with nanoseconds, as in the other tables.
fn time(wall_us: u64) -> String {
    let time = i64::try_from(wall_us).ok();
    let time = time.and_then(|us| Timestamp::from_microsecond(us).ok());
    let time = time.unwrap_or(Timestamp::MAX).to_zoned(TimeZone::system());
    if time.offset().is_zero() {
        time.strftime("%Y-%m-%dT%H:%M:%S%.9fZ").to_string()
    } else {
        time.strftime("%Y-%m-%dT%H:%M:%S%.9f%:z").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_row_has_a_figure_for_each_column_and_intervals_begin_at_the_row_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("screen.log");
        let mut rows = Rows::open(path.clone(), true).expect("opened");
        let mut now = sample::client();
        let created = now.engines[0].calls.created();
        rows.add(&now).expect("written");
        now.elapsed_us += 2_000_000;
        now.engines[0].calls.outgoing += 7;
        rows.add(&now).expect("written");
        let text = std::fs::read_to_string(path).expect("text");
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.len() == 15), "{text}");
        assert_eq!(lines[1][1], created.to_string());
        assert_eq!(lines[2][1], (created + 7).to_string());
        assert_eq!(&lines[2][7..9], ["2000", "3.500000"]);
        let invite = now.engines[0].invite.mean_us / 1e3;
        assert_eq!(lines[1][10], format!("{invite:.3}"));
        let timestamp = lines[1][0];
        assert!(timestamp.parse::<Timestamp>().is_ok(), "{timestamp}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = Rows::open("/nowhere/at/all".into(), true).expect_err("no folder");
        assert!(error.contains("`/nowhere/at/all`"), "{error}");
    }
}
