// SPDX-License-Identifier: AGPL-3.0-only
//! What a call was, in a line.

use crate::CallSummary;
use crate::calls::Call;
use crate::media::Media;
use core::fmt::Write as _;
use core::time::Duration;
use gossipper_sip::sdp::{MediaKind, Sdp};
use gossipper_sip::{HeaderName, NameAddr, SipUri};

/// The summary of a call.
pub(crate) fn summary(number: usize, call: &Call) -> CallSummary {
    let first = call.events.first().map(|event| &event.msg);
    let who = |name| {
        let value = first.and_then(|msg| msg.header(name)).unwrap_or_default();
        let uri = NameAddr::parse(value).uri;
        let user = SipUri::parse(uri).and_then(|uri| uri.user.or(Some(uri.host)));
        String::from_utf8_lossy(user.unwrap_or(uri)).into_owned()
    };
    let repetitions: usize = call.events.iter().map(|event| event.repeats.len()).sum();
    CallSummary {
        number,
        call_id: String::from_utf8_lossy(&call.call_id).into_owned(),
        method: first.map(|msg| msg.method.clone()).unwrap_or_default(),
        from: who(HeaderName::From),
        to: who(HeaderName::To),
        caller: call.caller,
        callee: call.callee,
        start: call.start(),
        length: call.end().saturating_sub(call.start()),
        result: result(call),
        media: String::new(),
        messages: call.events.len(),
        repetitions,
        ladder: call.events.iter().map(rung).collect(),
        notes: call.notes.clone(),
        files: Vec::new(),
    }
}

/// A message in a ladder: who sends, what, and which media it describes.
fn rung(event: &crate::calls::Event) -> String {
    let arrow = if event.from_caller { '>' } else { '<' };
    rung_of(arrow, &event.msg)
}

pub(crate) fn rung_of(arrow: char, msg: &crate::message::Msg) -> String {
    let mut rung = match msg.code() {
        Some(code) => format!("{arrow}{code}/{}", msg.method),
        None => format!("{arrow}{}", msg.method),
    };
    if msg.has_sdp() {
        let start = memchr::memmem::find(&msg.body, b"v=0").unwrap_or(0);
        for media in Sdp::new(&msg.body[start..]).media().take(8) {
            let kind = match media.kind() {
                MediaKind::Audio => "audio",
                MediaKind::Video => "video",
                MediaKind::Image => "image",
                MediaKind::Other => "other",
            };
            let state = match (media.port(), media.is_held()) {
                (0, _) => "refused",
                (_, true) => "held",
                (_, false) => "on",
            };
            let _ = write!(rung, " {kind}:{state}");
        }
    } else if !msg.body.is_empty() {
        let _ = write!(rung, " body:{}", msg.body.len());
    }
    rung
}

/// The ladder rung of a message on the wire, as in [`CallSummary::ladder`]; `None` if it is no message. For comparing a run
/// with the capture.
#[must_use]
pub fn rung_on_wire(from_caller: bool, bytes: &[u8]) -> Option<String> {
    let any = core::net::SocketAddr::from(([0, 0, 0, 0], 0));
    let msg = crate::message::Msg::read(&gossipper_capture::SipMessage {
        frame: 1,
        time: Duration::ZERO,
        source: any,
        destination: any,
        carrier: gossipper_capture::Carrier::Udp,
        bytes: bytes.to_vec(),
        truncated: false,
    })?;
    Some(rung_of(if from_caller { '>' } else { '<' }, &msg))
}

/// How the first request ended.
fn result(call: &Call) -> String {
    let Some(first) = call.events.first().map(|event| &event.msg) else {
        return String::new();
    };
    let mut answers = call.events.iter().rev().filter(|event| {
        event.msg.code().is_some_and(|code| code >= 200) && event.msg.method == first.method
    });
    // A re-INVITE says nothing about how the call was taken.
    let taken = call.events.iter().find(|event| {
        event.msg.method == first.method
            && event
                .msg
                .code()
                .is_some_and(|code| (200..300).contains(&code))
    });
    if let Some(answer) = taken.or_else(|| answers.next()) {
        return answer.msg.title();
    }
    let provisional = call
        .events
        .iter()
        .rev()
        .find(|event| event.msg.code().is_some() && event.msg.method == first.method);
    match provisional {
        Some(event) => format!("{}, then nothing", event.msg.title()),
        None if first.method == "ACK" => "ACK alone".to_owned(),
        None => "no answer".to_owned(),
    }
}

/// Adds what is known about media.
pub(crate) fn describe_media(summary: &mut CallSummary, media: &Media) {
    let mut parts = Vec::new();
    for (kind, name) in [
        (MediaKind::Audio, "audio"),
        (MediaKind::Video, "video"),
        (MediaKind::Image, "t38"),
    ] {
        let count = |from_caller: bool| -> usize {
            media
                .pieces
                .iter()
                .filter(|piece| piece.kind == kind && piece.from_caller == from_caller)
                .map(|piece| piece.packets.len())
                .sum()
        };
        let (caller, callee) = (count(true), count(false));
        if caller + callee > 0 {
            parts.push(format!("{name} {caller}/{callee}"));
        }
    }
    let digits: Vec<&str> = media
        .digits
        .iter()
        .map(|digits| digits.digits.as_str())
        .collect();
    if !digits.is_empty() {
        parts.push(format!("keys {}", digits.join(" ")));
    }
    if media.asks_for_encryption {
        parts.push(format!("SRTP {}", media.encrypted));
        summary.notes.push(format!(
            "its media is encrypted (SRTP): {} packets are left out, since they could not be decrypted by the peer of a run",
            media.encrypted
        ));
    }
    summary.media = parts.join(", ");
}

/// A time of day, in UTC.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs() % 86_400;
    format!(
        "{:02}:{:02}:{:02}.{:03}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        time.subsec_millis()
    )
}

/// A table of calls, with a line for what each column is.
#[must_use]
pub fn table(calls: &[CallSummary]) -> String {
    let mut rows: Vec<Vec<String>> = vec![
        [
            "#",
            "start (UTC)",
            "length",
            "method",
            "from",
            "to",
            "result",
            "msgs",
            "media",
            "Call-ID",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for call in calls {
        let messages = match call.repetitions {
            0 => call.messages.to_string(),
            again => format!("{}+{again}", call.messages),
        };
        let media = if call.media.is_empty() {
            "-"
        } else {
            &call.media
        };
        rows.push(vec![
            call.number.to_string(),
            clock(call.start),
            format!("{:.1} s", call.length.as_secs_f64()),
            call.method.clone(),
            printable(&call.from),
            printable(&call.to),
            printable(&call.result),
            messages,
            media.to_owned(),
            // The last column is as long as it is: it is what `-call-id` takes.
            call.call_id
                .chars()
                .filter(|char| !char.is_control())
                .collect(),
        ]);
        for cell in rows.last_mut().into_iter().flatten() {
            if cell.is_empty() {
                cell.push('-');
            }
        }
    }
    let columns = rows[0].len();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// At most 40 characters, none of which a terminal acts on.
fn printable(text: &str) -> String {
    let safe = text
        .chars()
        .map(|char| if char.is_control() { '?' } else { char });
    let mut out: String = safe.clone().take(40).collect();
    if safe.count() > 40 {
        out.truncate(out.char_indices().nth(37).map_or(out.len(), |(at, _)| at));
        out.push_str("...");
    }
    out
}
