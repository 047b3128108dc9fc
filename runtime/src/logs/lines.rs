// SPDX-License-Identifier: AGPL-3.0-only
//! `-trace_err`, `-trace_logs` and `-trace_calldebug`: lines of text.

use super::Voice;
use super::file::LogFile;
use super::queue::Concern;
use super::stamp::TimeForm;

/// The first line of SIPp's error file.
pub(super) const ERRORS_HEAD: &str = "The following events occurred:\n";

/// What parts the histories of calls.
const DASHES: &[u8] =
    b"-------------------------------------------------------------------------------\n";

fn end(text: &[u8]) -> &'static [u8] {
    if text.ends_with(b"\n") { b"" } else { b"\n" }
}

/// A warning or an error.
pub(super) fn error(
    file: &mut LogFile,
    voice: &mut Voice,
    wall_us: u64,
    concern: Concern,
    call: u64,
    text: &[u8],
) {
    let Voice {
        stamps,
        own,
        line,
        time,
        ..
    } = voice;
    line.clear();
    stamps.push(line, wall_us, *time);
    if *own {
        let kind = match concern {
            Concern::Warning => "warning",
            Concern::Action => "action-warning",
            Concern::Fatal => "fatal",
        };
        line.extend_from_slice(format!(" {kind}[{call}] ").as_bytes());
    } else {
        line.extend_from_slice(b": ");
    }
    file.record(wall_us, &[line, text, end(text)]);
}

/// A line of a `log` action, or in gossipper's form of a `warning` action too.
pub(super) fn action(file: &mut LogFile, voice: &mut Voice, wall_us: u64, kind: &str, text: &[u8]) {
    let Voice {
        stamps, own, line, ..
    } = voice;
    line.clear();
    if *own {
        stamps.push(line, wall_us, TimeForm::Nanos);
        line.extend_from_slice(format!(" {kind} ").as_bytes());
    }
    file.record(wall_us, &[line, text, b"\n"]);
}

/// The history of a call that failed.
pub(super) fn history(file: &mut LogFile, wall_us: u64, text: &[u8]) {
    file.record(wall_us, &[DASHES, text, end(text)]);
}
