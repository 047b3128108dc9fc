// SPDX-License-Identifier: AGPL-3.0-only
//! `-trace_error_codes`: the status codes of unexpected responses.
//!
//! SIPp's form has a row per period with all codes of the period, newest first, and no first line; gossipper's has a
//! row per response.

use std::collections::VecDeque;

use gossipper_vm::Micros;

use super::long_clock;
use crate::config::LogFileConfig;
use crate::error::Error;
use crate::logs::file::{Bounds, LogFile};
use crate::logs::headers;
use crate::logs::stamp::{Stamps, TimeForm};

/// Codes of one period that are kept; of more, the newest.
const MOST: usize = 1 << 20;

#[derive(Debug)]
pub(in crate::logs) struct Codes {
    pub(super) file: LogFile,
    own: bool,
    form: TimeForm,
    /// Newest last.
    codes: VecDeque<u16>,
    line: Vec<u8>,
}

impl Codes {
    pub(super) fn open(
        config: &LogFileConfig,
        own: bool,
        form: TimeForm,
        wall_us: u64,
    ) -> Result<Self, Error> {
        let head = if own {
            "timestamp,call,code,reason,call_id,expected\n"
        } else {
            ""
        };
        let file = LogFile::lazy(config.clone(), Bounds::default()).with_head(head, true);
        Ok(Self {
            file: file.made(wall_us)?,
            own,
            form,
            codes: VecDeque::new(),
            line: Vec::new(),
        })
    }

    pub(super) fn add(
        &mut self,
        stamps: &mut Stamps,
        wall_us: u64,
        call: u64,
        code: u16,
        expected: &str,
        message: &[u8],
    ) {
        if !self.own {
            if self.codes.len() == MOST {
                self.codes.pop_front();
                self.file.lose(1);
            }
            self.codes.push_back(code);
            return;
        }
        self.line.clear();
        let line = &mut self.line;
        stamps.push(line, wall_us, self.form);
        line.extend_from_slice(format!(",{call},{code},").as_bytes());
        headers::csv(line, headers::reason(message));
        line.push(b',');
        headers::csv(line, headers::call_id(message));
        line.push(b',');
        headers::csv(line, expected.as_bytes());
        line.push(b'\n');
        self.file.record(wall_us, &[line]);
    }

    /// A period is over.
    pub(super) fn row(&mut self, stamps: &mut Stamps, wall_us: u64, at: Micros, delimiter: &str) {
        if self.own {
            return;
        }
        self.line.clear();
        let line = &mut self.line;
        stamps.push(line, wall_us, self.form);
        line.extend_from_slice(delimiter.as_bytes());
        line.extend_from_slice(long_clock(at.as_ms()).as_bytes());
        line.extend_from_slice(delimiter.as_bytes());
        for code in self.codes.drain(..).rev() {
            line.extend_from_slice(format!("{code},").as_bytes());
        }
        line.push(b'\n');
        self.file.record(wall_us, &[line]);
    }
}
