// SPDX-License-Identifier: AGPL-3.0-only
//! `-call_records_jsonl`: a line of JSON for each call of the main scenario, in the order in which they end.
//!
//! The schema is `gossipper_call_record_v1`. A call that was still open when the program was left has none.

use gossipper_vm::{CallEnd, Micros};
use serde::Serialize;

use super::Voice;
use super::file::LogFile;
use super::stamp::TimeForm;
use crate::media::CallFigures;

/// The name of the form.
const SCHEMA: &str = "gossipper_call_record_v1";

#[derive(Serialize)]
struct Line<'a> {
    schema_version: &'a str,
    call_id: &'a str,
    call_number: u64,
    success: bool,
    duration_ms: f64,
    ended_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<gossipper_bytecode::FailReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_class: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    sip_unexpected: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<&'a CallFigures>,
}

/// Writes the line of a call.
pub(super) fn line(
    file: &mut LogFile,
    voice: &mut Voice,
    wall_us: u64,
    call: u64,
    (end, length): (CallEnd, Micros),
    media: Option<&CallFigures>,
    (call_id, unexpected): (&[u8], &[u8]),
) {
    let mut at = Vec::new();
    voice.stamps.push(&mut at, wall_us, TimeForm::Nanos);
    let reason = match end {
        CallEnd::Success => None,
        CallEnd::Failure(reason) => Some(reason),
    };
    let record = Line {
        schema_version: SCHEMA,
        call_id: &String::from_utf8_lossy(call_id),
        call_number: call,
        success: reason.is_none(),
        duration_ms: length.0 as f64 / 1e3,
        ended_at: &String::from_utf8_lossy(&at),
        error: reason.map(gossipper_bytecode::FailReason::text),
        reason,
        failure_class: reason.map(gossipper_bytecode::FailReason::class),
        sip_unexpected: &String::from_utf8_lossy(unexpected),
        media,
    };
    let out = &mut voice.line;
    out.clear();
    // Texts and numbers are all that is in it, and memory takes what it is given.
    let written = serde_json::to_writer(&mut *out, &record);
    debug_assert!(written.is_ok());
    out.push(b'\n');
    file.record(wall_us, &[out]);
}
