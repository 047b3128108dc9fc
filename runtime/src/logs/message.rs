// SPDX-License-Identifier: AGPL-3.0-only
//! `-trace_msg`: every message that went out or came in, whole.

use jiff::tz::TimeZone;

use super::Traffic;
use super::file::{LogFile, rfc3339};
use crate::config::LogFileConfig;
use crate::error::Error;

/// What SIPp puts before each time.
const DASHES: &str = "-----------------------------------------------";

#[derive(Debug)]
pub(super) struct MessageLog {
    file: LogFile,
    /// As SIPp names it.
    transport: &'static str,
}

impl MessageLog {
    pub(super) fn open(config: &LogFileConfig, transport: &'static str) -> Result<Self, Error> {
        let file = LogFile::open(config)?;
        Ok(Self { file, transport })
    }

    pub(super) fn write(&mut self, zone: &TimeZone, wall_us: u64, traffic: Traffic, bytes: &[u8]) {
        let transport = self.transport;
        let title = match traffic {
            Traffic::Sent => format!("{transport} message sent [{}] bytes:", bytes.len()),
            Traffic::Received => format!("{transport} message received [{}] bytes:", bytes.len()),
            Traffic::CommandSent => format!("TCP control message sent [{}] bytes:", bytes.len()),
            Traffic::CommandReceived => {
                format!("TCP control message received [{}] bytes:", bytes.len())
            }
            Traffic::CommandFailed => "Error sending TCP control message:".to_owned(),
            Traffic::SendFailed => format!("Error sending {transport} message:"),
        };
        let header = format!("{DASHES} {}\n{title}\n\n", rfc3339(zone, wall_us));
        self.file.write(&[header.as_bytes(), bytes, b"\n"]);
    }

    pub(super) fn settle(&mut self, lost: u64) -> Option<String> {
        self.file.settle(lost)
    }
}
