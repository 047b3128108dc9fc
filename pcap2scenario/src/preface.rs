// SPDX-License-Identifier: AGPL-3.0-only
//! What a scenario says about itself at its top: where it comes from, how it is run, what is missing.

use crate::calls::Call;
use crate::list::clock;
use crate::media::Media;
use crate::side::Role;
use crate::{CallSummary, Options, Timing};
use gossipper_capture::Carrier;
use gossipper_sip::{HeaderName, SipUri};

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
    lines.push(format!("Run: {}", command(call, role, name, injection)));
    let timing = match options.timing {
        Timing::Real => None,
        Timing::None => Some("Pauses are left out.".to_owned()),
        Timing::Scaled(factor) => Some(format!("Pauses are {factor} times as long as captured.")),
    };
    lines.extend(timing);
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
fn command(call: &Call, role: Role, name: &str, injection: Option<&str>) -> String {
    let transport = match call.carrier {
        Carrier::Udp | Carrier::Sctp => "",
        Carrier::Tcp => " -t t1",
        Carrier::Tls => " -t l1",
        Carrier::Ws => " -t w1",
        Carrier::Wss => " -t wss",
    };
    let transport = match (call.carrier, role) {
        (Carrier::Wss, _) => " -t ws",
        _ => transport,
    };
    let mut command = format!("gossipper sipp -sf {name}{transport}");
    if role == Role::Uas {
        return command;
    }
    let invite = call.events.first().map(|event| &event.msg.start);
    let service = match invite {
        Some(crate::message::Start::Request { uri, .. }) => {
            SipUri::parse(uri).and_then(|uri| uri.user.map(<[u8]>::to_vec))
        }
        _ => None,
    };
    if let Some(service) = service.filter(|user| user.iter().all(u8::is_ascii_graphic)) {
        command.push_str(&format!(" -s {}", String::from_utf8_lossy(&service)));
    }
    if let Some(file) = injection {
        command.push_str(&format!(" -inf {file}"));
    }
    let user = call
        .events
        .iter()
        .filter(|event| event.from_caller)
        .find_map(|event| {
            let value = event
                .msg
                .header(HeaderName::Authorization)
                .or_else(|| event.msg.header(HeaderName::ProxyAuthorization))?;
            let at = memchr::memmem::find(value, b"username=\"")? + 10;
            let end = memchr::memchr(b'"', &value[at..])?;
            Some(String::from_utf8_lossy(&value[at..at + end]).into_owned())
        });
    if let Some(user) = user {
        command.push_str(&format!(" -au {user} -ap PASSWORD"));
    }
    command.push_str(" -m 1 HOST");
    command
}
