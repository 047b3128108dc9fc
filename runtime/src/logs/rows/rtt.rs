// SPDX-License-Identifier: AGPL-3.0-only
//! `-trace_rtt`: every response time that was measured.
//!
//! SIPp prints both times with six significant digits, so that a long run loses the milliseconds; here they have
//! microseconds always. The file is made with the first block, as in SIPp.

use std::io::Write as _;

use gossipper_bytecode::RtdId;
use gossipper_vm::Micros;

use crate::config::{LogFileConfig, TableConfig};
use crate::error::Error;
use crate::logs::file::{Bounds, LogFile};
use crate::logs::headers;
use crate::logs::stamp::{Stamps, TimeForm};

#[derive(Debug)]
pub(in crate::logs) struct Rtt {
    pub(super) file: LogFile,
    own: bool,
    delimiter: String,
    names: Vec<String>,
    block: u64,
    rows: u64,
    line: Vec<u8>,
}

impl Rtt {
    pub(super) fn open(
        config: &LogFileConfig,
        own: bool,
        tables: &TableConfig,
        delimiter: &str,
        names: Vec<String>,
        wall_us: u64,
    ) -> Result<Self, Error> {
        let head = if own {
            "timestamp,call,name,value_ms\n".to_owned()
        } else {
            ["Date_ms", "response_time_ms", "rtd_no\n"].join(delimiter)
        };
        let file = LogFile::lazy(config.clone(), Bounds::default()).with_head(head, true);
        Ok(Self {
            file: if own { file.made(wall_us)? } else { file },
            own,
            delimiter: delimiter.to_owned(),
            names,
            block: tables.rtt_block.max(1),
            rows: 0,
            line: Vec::new(),
        })
    }

    pub(in crate::logs) fn add(
        &mut self,
        stamps: &mut Stamps,
        wall_us: u64,
        (call, rtd): (u64, RtdId),
        took: Micros,
        at: Micros,
    ) {
        self.line.clear();
        let (line, delimiter) = (&mut self.line, &self.delimiter);
        let name = self.names.get(rtd.index()).map_or("", String::as_str);
        let ms = |time: Micros| format!("{}.{:03}", time.0 / 1000, time.0 % 1000);
        if self.own {
            stamps.push(line, wall_us, TimeForm::Nanos);
            line.extend_from_slice(format!(",{call},").as_bytes());
            headers::csv(line, name.as_bytes());
            line.extend_from_slice(format!(",{}\n", ms(took)).as_bytes());
        } else {
            // Writing to memory cannot fail.
            let _ = writeln!(line, "{}{delimiter}{}{delimiter}{name}", ms(at), ms(took));
        }
        self.file.record(wall_us, &[line]);
        self.rows += 1;
        if self.rows.is_multiple_of(self.block) {
            self.file.flush();
        }
    }
}
