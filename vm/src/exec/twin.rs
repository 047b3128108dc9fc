// SPDX-License-Identifier: AGPL-3.0-only
//! `sendCmd` and `recvCmd`: commands from and to the twin of a 3PCC pair.
//!
//! A command is text with a `Call-ID:` line, and that line says which call it is for; nothing else of it has a meaning
//! but `From:` (who sends it, among several peers) and `internal-cmd: abort_call`. The last message of a call is not
//! replaced by a command. Not for: connections, and the byte that ends a command on the wire.

use super::{Current, Cx, run_block};
use crate::call::Call;
use crate::call::lean::Deadline;
use crate::engine::Verdict;
use crate::output::{ByteRange, Output, StatEvent};
use crate::params::TwinMode;
use crate::render::LastView;
use gossipper_bytecode::program::TwinRecv;
use gossipper_bytecode::{FailReason, PeerId, StepId, TwinSendId};

/// Ends a command on the wire, so it cannot be part of one.
const END_OF_COMMAND: u8 = 0x1B;

/// `[msg_index]` and what `[branch]` counts from, in a command.
// COMPAT(sipp): commands are rendered as if they belonged to no step.
const NO_INDEX: i64 = -1;

/// Renders a step's command and hands it on. The error is the reason that the call ends for.
pub(super) fn send(
    cx: &mut Cx<'_>,
    call: &mut Call,
    id: TwinSendId,
) -> Result<ByteRange, FailReason> {
    let send = cx.image.program.twin_sends[id.index()];
    let rendered = cx.render(
        Some(call),
        send.template,
        LastView::Kept,
        NO_INDEX,
        NO_INDEX,
    );
    let Ok(bytes) = rendered else {
        return Err(cx.too_large(call));
    };
    if memchr::memchr(END_OF_COMMAND, cx.out.bytes(bytes)).is_some() {
        // What a peer has written may stand in a command; it must not become a second one.
        warn(
            cx,
            call,
            "a command contains the byte 0x1B, which ends commands",
        );
        return Err(FailReason::CmdNotSent);
    }
    if let Some(peer) = send.peer {
        know(cx, call, peer);
    }
    cx.out.push(Output::Twin {
        call: Some(cx.key),
        peer: send.peer,
        bytes,
    });
    if let Some(step) = send.step {
        cx.stat(StatEvent::Sent { step });
    }
    Ok(bytes)
}

/// Gives a command to a call that waits.
pub(crate) fn receive(cx: &mut Cx<'_>, call: &mut Call, command: &[u8]) -> Verdict {
    if is_abort(command) {
        return Verdict::Abort(FailReason::Aborted);
    }
    let program = &cx.image.program;
    let Some(id) = program.steps[call.step.index()].command else {
        warn(
            cx,
            call,
            "a command came that the scenario does not expect here",
        );
        return Verdict::Drop(FailReason::CallRejected);
    };
    let recv = program.twin_recvs[id.index()];
    if !is_from(cx, &recv, command) {
        warn(cx, call, "a command came from another peer than `src` says");
        return Verdict::Drop(FailReason::CallRejected);
    }
    if let Some(peer) = recv.peer {
        know(cx, call, peer);
    }
    take(cx, call, &recv, command)
}

/// Whether the peer that `src` names, if peers have names, has sent this command.
pub(crate) fn is_from(cx: &Cx<'_>, recv: &TwinRecv, command: &[u8]) -> bool {
    let program = &cx.image.program;
    match (cx.image.params().twin, recv.peer) {
        (Some(TwinMode::Named), Some(peer)) => {
            let wanted = program.bytes(program.peers[peer.index()]);
            header(command, b"From") == Some(wanted)
        }
        _ => true,
    }
}

/// Runs the block of a command that has been matched.
pub(crate) fn take(cx: &mut Cx<'_>, call: &mut Call, recv: &TwinRecv, command: &[u8]) -> Verdict {
    if let Some(step) = recv.step {
        cx.stat(StatEvent::Received {
            step,
            answers_invite: false,
        });
    }
    let text = Current::Command(without_line_ends(command));
    match run_block(cx, call, recv.entry, text) {
        Ok(after) => {
            call.pause_until = Deadline::NONE;
            call.recv_deadline = Deadline::NONE;
            call.step = recv.step.unwrap_or(call.step);
            call.pc = after;
            Verdict::Run
        }
        Err(reason) => Verdict::Drop(reason),
    }
}

/// Tells the other side that a call is given up here, if it can know of it.
// COMPAT(sipp): among several peers SIPp tells nobody; here those hear of it that the call has exchanged commands with
// (docs/compat.md#3pcc).
pub(crate) fn abort(cx: &mut Cx<'_>, call: &mut Call, last: LastView<'_>) {
    let (Some(template), Some(mode)) = (cx.image.program.twin_abort, cx.image.params().twin) else {
        return;
    };
    if call.step == StepId(0) {
        return;
    }
    let Ok(bytes) = cx.render(Some(call), template, last, NO_INDEX, NO_INDEX) else {
        return;
    };
    let mut order = |peer| {
        cx.out.push(Output::Twin {
            call: None,
            peer,
            bytes,
        });
    };
    match mode {
        TwinMode::One => order(None),
        TwinMode::Named => {
            for peer in call.cold.iter().flat_map(|cold| &cold.peers) {
                order(Some(*peer));
            }
        }
    }
}

/// Remembers that the call and a peer know of each other.
fn know(cx: &Cx<'_>, call: &mut Call, peer: PeerId) {
    if cx.image.params().twin != Some(TwinMode::Named) {
        return;
    }
    let peers = &mut call.cold_mut().peers;
    if !peers.contains(&peer) {
        peers.push(peer);
    }
}

fn warn(cx: &mut Cx<'_>, call: &Call, what: &str) {
    let mut text = format!("3PCC: {what} (index {}), Call-Id '", call.step).into_bytes();
    text.extend_from_slice(&call.call_id);
    text.push(b'\'');
    cx.warn(&text);
}

/// The Call-ID that a command is for.
pub(crate) fn call_id(command: &[u8]) -> Option<&[u8]> {
    header(command, b"Call-ID").or_else(|| header(command, b"i"))
}

/// Whether a command ends its call.
fn is_abort(command: &[u8]) -> bool {
    header(command, b"internal-cmd").is_some_and(|value| {
        let word = value.split(u8::is_ascii_whitespace).next();
        word == Some(b"abort_call")
    })
}

/// The value of a header line, without blanks around it; the name is looked up without regard to case.
///
/// Lines behind an empty one are what somebody else has written, often a peer of the other call: they decide nothing.
fn header<'c>(command: &'c [u8], name: &[u8]) -> Option<&'c [u8]> {
    let lines = command.split(|byte| *byte == b'\n');
    let mut head = lines.take_while(|line| !matches!(*line, b"" | b"\r"));
    head.find_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        line[..colon]
            .trim_ascii()
            .eq_ignore_ascii_case(name)
            .then(|| line[colon + 1..].trim_ascii())
    })
}

/// The command as actions see it: without CR LF at its end.
fn without_line_ends(mut command: &[u8]) -> &[u8] {
    while let Some(rest) = command.strip_suffix(b"\r\n") {
        command = rest;
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_lines_are_found_by_name_without_regard_to_case() {
        let command = b"call-id: a///b \r\nFrom:s1\r\nX: Call-ID: no\r\n\r\n";
        assert_eq!(call_id(command), Some(&b"a///b"[..]));
        assert_eq!(header(command, b"From"), Some(&b"s1"[..]));
        assert_eq!(header(command, b"To"), None);
        assert_eq!(call_id(b"Note: Call-ID: no"), None);
        assert_eq!(call_id(b"i: x"), Some(&b"x"[..]));
        assert_eq!(call_id(b"X: y\r\n\r\nCall-ID: x"), None);
    }

    #[test]
    fn only_the_whole_word_aborts() {
        assert!(is_abort(b"call-id: x\r\ninternal-cmd: abort_call\r\n\r\n"));
        assert!(is_abort(b"internal-cmd:abort_call"));
        assert!(!is_abort(b"internal-cmd: abort_calls\r\n"));
        assert!(!is_abort(b"note: abort_call"));
        assert!(!is_abort(b"Call-ID: x\r\n\r\ninternal-cmd: abort_call\r\n"));
    }

    #[test]
    fn line_ends_go_in_pairs() {
        assert_eq!(without_line_ends(b"a\r\n\r\n"), b"a");
        assert_eq!(without_line_ends(b"a\n"), b"a\n");
        assert_eq!(without_line_ends(b"\r\n"), b"");
    }
}
