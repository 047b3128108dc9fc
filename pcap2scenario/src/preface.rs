// SPDX-License-Identifier: AGPL-3.0-only
//! What a scenario says about itself at its top: where it comes from, how it is run, what is missing.

use crate::calls::Call;
use crate::list::clock;
use crate::media::{Media, Piece};
use crate::side::Role;
use crate::{CallSummary, Options, Timing};
use gossipper_capture::Carrier;

/// A run takes no message of more than 64 KiB unless it is told to; headers need their share.
const LONG_BODY: usize = 60_000;

/// The lines of the comment.
#[expect(
    clippy::too_many_arguments,
    reason = "everything that is known about a call goes into one text"
)]
pub(crate) fn write(
    summary: &CallSummary,
    call: &Call,
    role: Role,
    name: &str,
    injection: Option<&str>,
    merged: usize,
    media: &Media,
    options: &Options,
) -> Vec<String> {
    let side = match role {
        Role::Uac => "the caller",
        Role::Uas => "who is called",
    };
    let mut lines = vec![
        format!(
            "Made by gossipper pcap2scenario from {}: {side} of call {}.",
            options.source, summary.number
        ),
        format!(
            "Call-ID {}, {} UTC, {:.3} s, {} {} -> {}: {}.",
            summary.call_id,
            clock(summary.start),
            summary.length.as_secs_f64(),
            summary.method,
            summary.caller,
            summary.callee,
            summary.result
        ),
    ];
    if merged > 1 {
        lines.push(format!(
            "{merged} equal calls of the capture are merged into it."
        ));
    }
    if let Some(file) = injection
        && call.credentials_user().is_some()
    {
        lines.push(format!(
            "Before a run write the passwords into {file}, where it has PASSWORD."
        ));
    }
    lines.push(format!(
        "Run: {}",
        command(call, role, name, injection, merged)
    ));
    let timing = match options.timing {
        Timing::Real => None,
        Timing::None => Some("Pauses are left out.".to_owned()),
        Timing::Scaled(factor) => Some(format!("Pauses are {factor} times as long as captured.")),
    };
    lines.extend(timing);
    let plays = |piece: &Piece| piece.from_caller == (role == Role::Uac);
    if options.timing.is_hurried() && media.pieces.iter().any(plays) {
        lines.push(
            "SIPp does not know `rtp_stream` with `stop`: take those steps out for it.".to_owned(),
        );
    }
    for digits in &media.digits {
        if options.dtmf_events && digits.from_caller == (role == Role::Uac) {
            lines.push("SIPp does not know `send_dtmf`.".to_owned());
            break;
        }
    }
    for digits in &media.digits {
        if digits.from_caller == (role == Role::Uac) {
            let how = if options.dtmf_events {
                "sent as telephone events"
            } else {
                "part of the media"
            };
            lines.push(format!("Digits {}: {how}.", digits.digits));
        }
    }
    if call
        .events
        .iter()
        .any(|event| event.msg.carrier != call.carrier)
    {
        lines.push("Its messages went over several transports; a run uses one.".to_owned());
    }
    for note in &summary.notes {
        lines.push(format!("Note: {note}."));
    }
    lines
}

/// The command line that runs it.
fn command(call: &Call, role: Role, name: &str, injection: Option<&str>, merged: usize) -> String {
    let transport = match call.carrier {
        Carrier::Udp | Carrier::Sctp => "",
        Carrier::Tcp => " -t t1",
        Carrier::Tls => " -t l1",
        Carrier::Ws => " -t w1",
        Carrier::Wss => " -t ws1",
    };
    let mut command = format!("gossipper sipp -sf {name}{transport}");
    let longest = call.events.iter().map(|event| event.msg.body.len()).max();
    if longest.is_some_and(|longest| longest > LONG_BODY) {
        command.push_str(" -max_message 1000000");
    }
    if role == Role::Uas {
        return command;
    }
    if let Some(service) = call.service() {
        command.push_str(&format!(" -s {}", quoted(&service)));
    }
    if let Some(file) = injection {
        command.push_str(&format!(" -inf {file}"));
    }
    if let Some(user) = call.credentials_user() {
        command.push_str(&format!(" -au {} -ap PASSWORD", quoted(&user)));
    }
    command.push_str(&format!(" -m {merged} HOST"));
    command
}

/// A word of a command line.
fn quoted(word: &str) -> String {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "+-._@:%".contains(char);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
