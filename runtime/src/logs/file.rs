// SPDX-License-Identifier: AGPL-3.0-only
//! A buffered file that remembers its first failure instead of returning it at every write, and the times in it.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::config::LogFileConfig;
use crate::error::Error;

const BUFFER_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct LogFile {
    writer: BufWriter<File>,
    path: PathBuf,
    failure: Option<io::Error>,
}

impl LogFile {
    pub(super) fn open(config: &LogFileConfig) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        options
            .create(true)
            .write(true)
            .append(!config.overwrite)
            .truncate(config.overwrite);
        let file = options
            .open(&config.path)
            .map_err(|source| Error::LogFile {
                path: config.path.clone(),
                source,
            })?;
        let writer = BufWriter::with_capacity(BUFFER_BYTES, file);
        Ok(Self {
            writer,
            path: config.path.clone(),
            failure: None,
        })
    }

    pub(super) fn write(&mut self, parts: &[&[u8]]) {
        for part in parts {
            if let Err(error) = self.writer.write_all(part) {
                self.failure.get_or_insert(error);
            }
        }
    }

    /// Says how many records are missing here, flushes, and reports a failure.
    pub(super) fn settle(&mut self, lost: u64) -> Option<String> {
        if lost > 0 {
            self.write(&[format!("{lost} records lost: the disk did not keep up\n").as_bytes()]);
        }
        if let Err(error) = self.writer.flush() {
            self.failure.get_or_insert(error);
        }
        self.failure
            .as_ref()
            .map(|error| format!("cannot write `{}`: {error}", self.path.display()))
    }
}

fn local(zone: &TimeZone, wall_us: u64) -> Zoned {
    let us = i64::try_from(wall_us).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(us)
        .unwrap_or(Timestamp::MAX)
        .to_zoned(zone.clone())
}

/// `YYYY-MM-DDTHH:MM:SS.uuuuuu±HH:MM`, or `Z` for UTC.
pub(super) fn rfc3339(zone: &TimeZone, wall_us: u64) -> String {
    let time = local(zone, wall_us);
    let form = if time.offset().is_zero() {
        "%Y-%m-%dT%H:%M:%S.%6fZ"
    } else {
        "%Y-%m-%dT%H:%M:%S.%6f%:z"
    };
    time.strftime(form).to_string()
}

/// `YYYY-MM-DD` TAB `HH:MM:SS.uuuuuu` TAB `epoch.uuuuuu`.
pub(super) fn tabbed(zone: &TimeZone, wall_us: u64) -> String {
    let time = local(zone, wall_us)
        .strftime("%Y-%m-%d\t%H:%M:%S.%6f")
        .to_string();
    format!("{time}\t{}.{:06}", wall_us / 1_000_000, wall_us % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_sipps_two_forms() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(
            rfc3339(&zone, 1_700_000_000_000_042),
            "2023-11-15T00:13:20.000042+02:00"
        );
        assert_eq!(
            rfc3339(&TimeZone::UTC, 1_700_000_000_000_042),
            "2023-11-14T22:13:20.000042Z"
        );
        assert_eq!(
            tabbed(&zone, 1_700_000_000_000_042),
            "2023-11-15\t00:13:20.000042\t1700000000.000042"
        );
        assert!(rfc3339(&TimeZone::UTC, u64::MAX).starts_with("9999-"));
    }
}
