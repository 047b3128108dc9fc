// SPDX-License-Identifier: AGPL-3.0-only
//! `-trace_err`: warnings and errors with their time. The file is created at the first event.

use jiff::tz::TimeZone;

use super::file::{LogFile, tabbed};
use crate::config::LogFileConfig;

#[derive(Debug)]
pub(super) struct ErrorLog {
    config: LogFileConfig,
    file: Option<LogFile>,
    failure: Option<String>,
}

impl ErrorLog {
    pub(super) fn new(config: LogFileConfig) -> Self {
        Self {
            config,
            file: None,
            failure: None,
        }
    }

    pub(super) fn write(&mut self, zone: &TimeZone, wall_us: u64, text: &[u8]) {
        if self.file.is_none() && self.failure.is_none() {
            match LogFile::open(&self.config) {
                Ok(mut file) => {
                    file.write(&[b"The following events occurred:\n"]);
                    self.file = Some(file);
                }
                Err(error) => self.failure = Some(error.to_string()),
            }
        }
        if let Some(file) = &mut self.file {
            let end: &[u8] = if text.ends_with(b"\n") { b"" } else { b"\n" };
            file.write(&[tabbed(zone, wall_us).as_bytes(), b": ", text, end]);
        }
    }

    pub(super) fn settle(&mut self, lost: u64) -> Option<String> {
        match &mut self.file {
            Some(file) => file.settle(lost),
            None => self.failure.clone(),
        }
    }
}
