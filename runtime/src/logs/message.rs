// SPDX-License-Identifier: AGPL-3.0-only
//! `-trace_msg` and `-trace_shortmsg`: messages that went out or came in, whole or in a line.

use super::Voice;
use super::file::LogFile;
use super::headers;
use super::queue::Traffic;
use super::stamp::TimeForm;

/// What SIPp puts before each time.
const DASHES: &[u8] = b"-----------------------------------------------";

/// The first line of gossipper's short form.
pub(super) const SHORT_HEAD: &str = "timestamp,direction,call,proto,summary,call_id\n";

impl Traffic {
    const fn is_command(self) -> bool {
        matches!(
            self,
            Self::CommandSent | Self::CommandReceived | Self::CommandFailed
        )
    }

    /// The protocol that carried it; commands of twins go over TCP always.
    const fn protocol(self, transport: &'static str) -> &'static str {
        if self.is_command() { "TCP" } else { transport }
    }

    const fn direction(self) -> &'static str {
        match self {
            Self::Sent | Self::CommandSent => "sent",
            Self::Received | Self::CommandReceived => "received",
            Self::SendFailed | Self::CommandFailed => "failed",
        }
    }
}

/// Writes the whole message.
pub(super) fn whole(
    file: &mut LogFile,
    voice: &mut Voice,
    wall_us: u64,
    traffic: Traffic,
    call: u64,
    bytes: &[u8],
) {
    let Voice {
        stamps,
        own,
        transport,
        line,
        ..
    } = voice;
    line.clear();
    if *own {
        line.extend_from_slice(format!("{}[{call}]\n", traffic.direction()).as_bytes());
    } else {
        line.extend_from_slice(DASHES);
        line.push(b' ');
        stamps.push(line, wall_us, TimeForm::Rfc3339);
        let (protocol, length) = (traffic.protocol(transport), bytes.len());
        let control = if traffic.is_command() { " control" } else { "" };
        let title = match traffic {
            Traffic::Sent | Traffic::CommandSent => {
                format!("\n{protocol}{control} message sent [{length}] bytes:\n\n")
            }
            Traffic::Received | Traffic::CommandReceived => {
                format!("\n{protocol}{control} message received [{length}] bytes:\n\n")
            }
            Traffic::SendFailed | Traffic::CommandFailed => {
                format!("\nError sending {protocol}{control} message:\n\n")
            }
        };
        line.extend_from_slice(title.as_bytes());
    }
    file.record(wall_us, &[line, bytes, b"\n"]);
}

/// Quotes a message that did not fit, or came for a call that has ended, as SIPp does beside the line of the error log.
pub(super) fn misfit(file: &mut LogFile, voice: &mut Voice, wall_us: u64, warning: &[u8]) {
    const RECEIVED: &str = "received '";
    let find = |text: &[u8], what: &str| memchr::memmem::find(text, what.as_bytes());
    let whose = if warning.starts_with(b"Dead call ") {
        let end = find(warning, " (").unwrap_or(warning.len());
        Some(&warning[..end])
    } else if find(
        &warning[..warning.len().min(48)],
        " call on unexpected message",
    )
    .is_some()
    {
        None
    } else {
        return;
    };
    let Some(at) = find(warning, RECEIVED) else {
        return;
    };
    let quoted = &warning[at + RECEIVED.len()..];
    let message = quoted.strip_suffix(b"'").unwrap_or(quoted);
    let Voice {
        transport, line, ..
    } = voice;
    line.clear();
    line.extend_from_slice(DASHES);
    match whose {
        Some(whose) => {
            line.push(b'\n');
            line.extend_from_slice(whose);
            line.extend_from_slice(format!(" received a {transport} message:\n\n").as_bytes());
        }
        None => line.extend_from_slice(
            format!("\nUnexpected {transport} message received:\n\n").as_bytes(),
        ),
    }
    file.record(wall_us, &[line, message, b"\n"]);
}

/// Writes a line about the message. Commands of twins and what the kernel refused have none in SIPp's form.
pub(super) fn short(
    file: &mut LogFile,
    voice: &mut Voice,
    wall_us: u64,
    traffic: Traffic,
    call: u64,
    bytes: &[u8],
) {
    let call_id = headers::call_id(bytes);
    let start = headers::start_line(bytes);
    let Voice {
        stamps,
        own,
        transport,
        line,
        time,
    } = voice;
    line.clear();
    if *own {
        stamps.push(line, wall_us, TimeForm::Nanos);
        let (direction, protocol) = (traffic.direction(), traffic.protocol(transport));
        line.extend_from_slice(format!(",{direction},{call},{protocol},").as_bytes());
        headers::csv(line, start);
        line.push(b',');
        headers::csv(line, call_id);
        line.push(b'\n');
        return file.record(wall_us, &[line]);
    }
    let letter = match traffic {
        Traffic::Sent => b"\tS\t",
        Traffic::Received => b"\tR\t",
        Traffic::SendFailed
        | Traffic::CommandSent
        | Traffic::CommandReceived
        | Traffic::CommandFailed => return,
    };
    stamps.push(line, wall_us, *time);
    let cseq = headers::value(bytes, "CSeq", "");
    let parts: [&[u8]; 7] = [letter, call_id, b"\tCSeq:", cseq, b"\t", start, b"\n"];
    for part in parts {
        line.extend_from_slice(part);
    }
    file.record(wall_us, &[line]);
}
