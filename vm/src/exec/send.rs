// SPDX-License-Identifier: AGPL-3.0-only
//! `send`: render, hand to the transport, and remember what may have to be repeated.

use super::Cx;
use crate::call::{Answered, Call};
use crate::link::{EMPTY_LINE, Role, Sources};
use crate::output::{ByteRange, Output, SdpOf, SdpPlace, StatEvent};
use crate::render::LastView;
use crate::{rng, txn};
use core::net::SocketAddr;
use gossipper_bytecode::program::Send;
use gossipper_bytecode::{FailReason, Program, RecvMatch, SendId, TemplateKind};
use gossipper_sip::Message;

/// Renders and sends a step's message. The error is the reason that the call ends for.
pub(super) fn send(cx: &mut Cx<'_>, call: &mut Call, id: SendId) -> Result<ByteRange, FailReason> {
    let program = &cx.image.program;
    let send = &program.sends[id.index()];
    let role = cx.image.roles[id.index()];
    if matches!(role, Role::Invite | Role::Request) {
        call.cseq = call.cseq.wrapping_add(1);
    }
    let index = i64::from(send.step.0);
    let bytes = cx.render_message(call, send.template, LastView::Kept, index, index)?;
    let lost = loss(cx, send.lost);
    if rng::percent(&mut call.rng, lost) {
        cx.stat(StatEvent::Lost { step: send.step });
    } else {
        if send.timeout_ms > 0 && !cx.image.params.unreliable && call.flow.is_some() {
            cx.out.push(Output::Within {
                ms: send.timeout_ms,
            });
        }
        transmit(cx, call, bytes);
    }
    if cx.image.media.reads_sdp() {
        describe(cx, bytes, sdp_place(method_of(program, send)));
    }
    if let Some(txn) = send.starts {
        let branch = branch_of(cx.out.bytes(bytes));
        let txns = cx.image.program.txns.len();
        let cold = call.cold_mut();
        cold.txns.resize_with(txns, Default::default);
        let state = &mut cold.txns[txn.index()];
        state.branch.clear();
        state.branch.extend_from_slice(branch);
        state.final_response = None;
    }
    if let Some(front) = call.front_mut() {
        front.stage = match program.templates[send.template.index()].kind {
            TemplateKind::Response { code } if answers_invite(cx.out.bytes(bytes)) => {
                front.stage.response(code)
            }
            TemplateKind::Response { .. } | TemplateKind::Text => front.stage,
            TemplateKind::Request { .. } => front.stage.request(method_of(program, send)),
        };
    }
    if role == Role::Ack {
        call.established = true;
        call.ack_pending = false;
    }
    pair(cx, call, id, role == Role::Response);
    call.last_sent = id.into();
    let params = &cx.image.params;
    let t1 = if params.unreliable && params.retransmit {
        send.retrans_ms
    } else {
        0
    };
    // To make it again in the rare case that it is repeated costs less than to keep each message for that.
    let message = match cx.image.texts.sources(send.template) {
        Some(_) => &[],
        None => cx.out.bytes(bytes),
    };
    txn::sent(call, id, t1, message, cx.now, &mut cx.shared.buffers);
    Ok(bytes)
}

/// The method of what a step sends; empty for a response.
fn method_of<'a>(program: &'a Program, send: &Send) -> &'a [u8] {
    match program.templates[send.template.index()].kind {
        TemplateKind::Request { method } => program.bytes(method),
        TemplateKind::Response { .. } | TemplateKind::Text => b"",
    }
}

/// What a description in a message of this method, empty for a response, may be.
pub(crate) fn sdp_place(method: &[u8]) -> SdpPlace {
    match method {
        b"" => SdpPlace::Response,
        b"ACK" | b"PRACK" => SdpPlace::Acknowledgement,
        _ => SdpPlace::Request,
    }
}

/// Shows the driver the body of a message of ours.
#[cold]
fn describe(cx: &mut Cx<'_>, message: ByteRange, place: SdpPlace) {
    let bytes = cx.out.bytes(message);
    let Some(at) = memchr::memmem::find(bytes, EMPTY_LINE) else {
        return;
    };
    // Within the message, whose length fits.
    let start = message.start + (at + EMPTY_LINE.len()) as u32;
    if start < message.end {
        let end = message.end;
        let parsed = Message::parse(bytes).ok();
        let cseq = parsed.as_ref().and_then(Message::cseq);
        let cseq = cseq.map_or(0, |cseq| cseq.number);
        cx.out.push(Output::Sdp {
            call: cx.key,
            of: SdpOf::Us,
            place,
            cseq,
            body: ByteRange { start, end },
        });
    }
}

/// Whether a response of ours is one to an INVITE.
fn answers_invite(response: &[u8]) -> bool {
    let parsed = Message::parse(response).ok();
    let cseq = parsed.as_ref().and_then(Message::cseq);
    cseq.is_some_and(|cseq| cseq.method == b"INVITE")
}

/// Loss in percent of a step.
pub(crate) fn loss(cx: &Cx<'_>, own: Option<gossipper_bytecode::NumId>) -> f64 {
    own.map_or(cx.image.params.lost_percent, |num| {
        cx.image.program.numbers[num.index()]
    })
}

/// Asks for a path to the call's peer.
pub(crate) fn open(cx: &mut Cx<'_>, call: &Call) {
    cx.out.push(Output::Open {
        call: cx.key,
        to: call.peer(),
    });
}

/// Hands bytes of the arena to the call's flow. Without one nothing is sent: the scenario has closed it.
pub(crate) fn transmit(cx: &mut Cx<'_>, call: &Call, bytes: ByteRange) {
    if !call.flow.is_some() {
        return;
    }
    let send = |to| Output::Send {
        call: Some(cx.key),
        flow: call.flow,
        to,
        bytes,
    };
    // One order for each family, so that it is written where it belongs at once: an address that was put together
    // before would be copied from where it was written in other pieces, for which the copy waits.
    match call.peer_v4() {
        Some(addr) => cx.out.push(send(SocketAddr::V4(addr))),
        None => cx.out.push(send(call.peer())),
    }
}

/// Notes which received message this one answers, so that its repetition gets the same answer.
// COMPAT(sipp): SIPp pairs the first message sent after a receive only, and takes a repeated INVITE behind `180` and
// `200` for an unexpected one; here the last response sent is repeated (docs/compat.md#duplicates).
fn pair(cx: &Cx<'_>, call: &mut Call, send: SendId, is_response: bool) {
    let recvs = &cx.image.program.recvs;
    if let Some((fingerprint, recv, to_invite)) = call.unanswered.take() {
        let answered = Answered {
            fingerprint,
            recv,
            send,
        };
        call.answered = Some(answered);
        if to_invite {
            call.answered_invite = Some(answered);
        }
    } else if is_response
        && let Some(answered) = &mut call.answered
        && matches!(
            recvs[answered.recv.index()].accepts,
            RecvMatch::Request(_) | RecvMatch::RequestRegex(_)
        )
    {
        answered.send = send;
        if let Some(invite) = &mut call.answered_invite
            && invite.fingerprint == answered.fingerprint
        {
            invite.send = send;
        }
    }
}

/// Renders a step's message once more, for a peer that repeats what it answers. No counter moves but the
/// retransmission's.
pub(crate) fn send_again(cx: &mut Cx<'_>, call: &mut Call, id: SendId, last: LastView<'_>) {
    let send = cx.image.program.sends[id.index()];
    let index = i64::from(send.step.0);
    let rendered = cx.render_message(call, send.template, last, index, index);
    if let Ok(bytes) = rendered {
        let lost = loss(cx, send.lost);
        if rng::percent(&mut call.rng, lost) {
            cx.stat(StatEvent::Lost { step: send.step });
        } else {
            transmit(cx, call, bytes);
        }
        cx.stat(StatEvent::Retransmitted { step: send.step });
    }
}

/// Keeps the bytes of what is being repeated, before the call changes what they are made of.
pub(crate) fn keep_repeated(cx: &mut Cx<'_>, call: &mut Call, change: fn(Sources) -> bool) {
    let Some(repeat) = &call.repeat else {
        return;
    };
    let id = repeat.send;
    let sources = cx
        .image
        .texts
        .sources(cx.image.program.sends[id.index()].template);
    if !repeat.bytes.is_empty() || !sources.is_some_and(change) {
        return;
    }
    if let Some(bytes) = repeated(cx, call, id) {
        if let Some(repeat) = &mut call.repeat {
            repeat.bytes.extend_from_slice(cx.out.bytes(bytes));
        }
        // It was made for this alone.
        cx.out.arena().truncate(bytes.start as usize);
    }
}

/// What is being repeated, at the end of the arena: the bytes that were kept, or made again.
fn repeated(cx: &mut Cx<'_>, call: &mut Call, id: SendId) -> Option<ByteRange> {
    if let Some(repeat) = &call.repeat
        && !repeat.bytes.is_empty()
    {
        return Some(cx.out.store(&repeat.bytes));
    }
    let send = &cx.image.program.sends[id.index()];
    let index = i64::from(send.step.0);
    // It could be made before.
    cx.render_message(call, send.template, LastView::Kept, index, index)
        .ok()
}

/// Sends a message again that was not answered in time.
pub(crate) fn repeat(cx: &mut Cx<'_>, call: &mut Call, id: SendId) {
    let send = cx.image.program.sends[id.index()];
    let lost = loss(cx, send.lost);
    if rng::percent(&mut call.rng, lost) {
        cx.stat(StatEvent::Lost { step: send.step });
    } else {
        if !call.flow.is_some() {
            // The next repetition finds one.
            open(cx, call);
        }
        if let Some(bytes) = repeated(cx, call, id) {
            transmit(cx, call, bytes);
        }
    }
    cx.stat(StatEvent::Retransmitted { step: send.step });
}

/// The branch parameter of the first Via: from `;branch=` to `;`, `,` or white space.
fn branch_of(message: &[u8]) -> &[u8] {
    const PARAM: &[u8] = b";branch=";
    let Some(at) = memchr::memmem::find(message, PARAM) else {
        return b"";
    };
    let rest = &message[at + PARAM.len()..];
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b';' | b',') || byte.is_ascii_whitespace())
        .unwrap_or(rest.len());
    &rest[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_branch_ends_at_a_separator() {
        assert_eq!(
            branch_of(b"INVITE x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9-1;rport\r\n"),
            b"z9-1"
        );
        assert_eq!(branch_of(b"ACK x SIP/2.0\r\n\r\n"), b"");
    }
}
