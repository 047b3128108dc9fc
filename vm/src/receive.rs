// SPDX-License-Identifier: AGPL-3.0-only
//! A message for an open call: repetition, match, dialog bookkeeping.

use crate::answer::AudioAnswer;
use crate::call::Fingerprint;
use crate::call::dialogs::{Phase, bring};
use crate::call::lean::{Deadline, Maybe};
use crate::call::{Answered, Call, Wait};
use crate::engine::{Verdict, is_invite};
use crate::exec::{Current, Cx, run_block, send};
use crate::matching::{self, GaveUpAt, Match};
use crate::output::{Output, SdpOf, StatEvent};
use crate::params::DuplicateCheck;
use crate::render::LastView;
use crate::unexpected::ToHandler;
use crate::{auth, dialog, kept, rng, txn, unexpected};
use gossipper_bytecode::{DialogId, FailReason, Optional, Pc, Recv, RecvId, TemplateKind};
use gossipper_sip::{HeaderName, Message, StatusCode};

/// How a message comes to a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Arrival {
    /// From the network.
    Live,
    /// It was kept until the call waited for its dialog.
    Kept,
    /// It has led to the scenario's handler already, which does not take it either.
    Handled,
}

/// Gives a message of one of its dialogs to a call that waits.
pub(crate) fn deliver(
    cx: &mut Cx<'_>,
    call: &mut Call,
    dialog: DialogId,
    msg: &Message<'_>,
    arrival: Arrival,
) -> Verdict {
    if cx.image.program.dialogs.is_empty() {
        return receive(cx, call, msg, arrival, true);
    }
    let front = call.dialog;
    let awaited = arrival != Arrival::Live || kept::is_awaited(cx, call, dialog);
    bring(call, dialog);
    let verdict = receive(cx, call, msg, arrival, awaited);
    bring(call, front);
    verdict
}

/// Gives a message of the dialog in front to a call that waits, or keeps it if nothing there is `awaited`.
fn receive(
    cx: &mut Cx<'_>,
    call: &mut Call,
    msg: &Message<'_>,
    arrival: Arrival,
    awaited: bool,
) -> Verdict {
    let params = cx.image.params();
    if params.ignore_in_pause && call.wait == Wait::Pause {
        return Verdict::Wait;
    }
    if params.behaviors.cseq && ack_of_another_invite(call, msg) {
        let mut text = b"ACK with a CSeq number that is not that of the INVITE, Call-Id '".to_vec();
        text.extend_from_slice(&call.call_id);
        text.push(b'\'');
        cx.warn(&text);
        return Verdict::Drop(FailReason::AckCseqMismatch);
    }
    if !msg.has(HeaderName::To) {
        return unexpected::unexpected(cx, call, msg);
    }
    let fingerprint = match params.duplicates {
        DuplicateCheck::Full => matching::fingerprint_full(msg),
        DuplicateCheck::Loose => matching::fingerprint_loose(msg),
    };
    if params.unreliable && params.retransmit && repeated(cx, call, msg, fingerprint) {
        return Verdict::Wait;
    }
    if call.cold.is_some() && arrival == Arrival::Live {
        match too_early(cx, call, msg, fingerprint, awaited) {
            TooEarly::No => {}
            TooEarly::Over => return over(cx, call, msg),
            TooEarly::Known => return Verdict::Wait,
            TooEarly::Yes => {
                kept::keep(cx, call, msg, fingerprint);
                return Verdict::Wait;
            }
        }
    }
    note(cx, call, msg);
    let gave_up = GaveUpAt::default();
    let found = matching::find(cx.image, call, msg, fingerprint, &gave_up);
    if let Some(regex) = gave_up.get() {
        cx.gave_up(regex);
    }
    match found {
        Match::Accepted(id) => accepted(cx, call, id, msg, fingerprint),
        Match::AckAgain(recv, ack) => {
            received_again(cx, recv);
            send::send_again(cx, call, ack, LastView::Whole(msg));
            Verdict::Wait
        }
        Match::Ignored(recv) => {
            received_again(cx, recv);
            Verdict::Wait
        }
        Match::Unexpected => match acknowledged_before(cx, call, msg) {
            Some(recv) => {
                received_again(cx, recv);
                Verdict::Wait
            }
            None if arrival == Arrival::Handled => unexpected::refuse(cx, call, msg),
            None => match unexpected::to_handler(cx, call, msg) {
                ToHandler::NoHandler => unexpected::unexpected(cx, call, msg),
                ToHandler::Inside => unexpected::refuse(cx, call, msg),
                ToHandler::Entered => Verdict::Run,
            },
        },
    }
}

/// Whether a message has to wait for the call to come to its dialog.
enum TooEarly {
    /// It has not.
    No,
    /// The dialog is over.
    Over,
    /// It is the repetition of one that waits already.
    Known,
    /// It has.
    Yes,
}

fn too_early(
    cx: &Cx<'_>,
    call: &Call,
    msg: &Message<'_>,
    fingerprint: Fingerprint,
    awaited: bool,
) -> TooEarly {
    if call.dialogs().is_none() {
        return TooEarly::No;
    }
    if call.phase() == Phase::Over {
        return TooEarly::Over;
    }
    let (others, same) = kept::among(call, call.dialog, fingerprint);
    let params = cx.image.params();
    if same && params.unreliable && params.retransmit {
        return TooEarly::Known;
    }
    let matched = || matching::find(cx.image, call, msg, fingerprint, &GaveUpAt::default());
    let known_ack = || acknowledged_before(cx, call, msg).is_some();
    if others || (!awaited && matched() == Match::Unexpected && !known_ack()) {
        TooEarly::Yes
    } else {
        TooEarly::No
    }
}

/// A message of a dialog that is over, and no repetition of one that was answered.
fn over(cx: &mut Cx<'_>, call: &mut Call, msg: &Message<'_>) -> Verdict {
    match acknowledged_before(cx, call, msg) {
        Some(recv) => received_again(cx, recv),
        None => {
            cx.stat(StatEvent::DeadCall);
            let mut text = b"Message for a dialog that is over, Call-Id '".to_vec();
            text.extend_from_slice(&call.call_id);
            text.extend_from_slice(b"', received '");
            text.extend_from_slice(msg.bytes());
            text.push(b'\'');
            cx.warn(&text);
        }
    }
    Verdict::Wait
}

/// The receive that has accepted the ACK of the same INVITE, if repetitions are looked for at all.
// COMPAT(sipp): SIPp knows a repeated ACK only directly behind the first and aborts the call later, say in its
// closing `timewait`; here it is counted and absorbed (docs/compat.md#duplicates).
fn acknowledged_before(cx: &Cx<'_>, call: &Call, msg: &Message<'_>) -> Option<RecvId> {
    let params = cx.image.params();
    if !(params.unreliable && params.retransmit) || msg.method() != Some(b"ACK") {
        return None;
    }
    let recv = call.acknowledged_by.get()?;
    let number = call.acknowledged;
    msg.cseq()
        .is_some_and(|cseq| cseq.number == number)
        .then_some(recv)
}

fn ack_of_another_invite(call: &Call, msg: &Message<'_>) -> bool {
    msg.method() == Some(b"ACK")
        && call.invited
        && msg
            .cseq()
            .is_some_and(|cseq| cseq.number != call.invite_cseq)
}

/// Whether the peer repeated a message that was accepted before; if it was answered, it gets the answer again.
fn repeated(cx: &mut Cx<'_>, call: &mut Call, msg: &Message<'_>, fingerprint: Fingerprint) -> bool {
    if let Some((unanswered, recv, _)) = call.unanswered
        && unanswered == fingerprint
    {
        received_again(cx, recv);
        return true;
    }
    let same = |answered: &&Answered| answered.fingerprint == fingerprint;
    let invite = call.answered_invite.as_ref();
    let answered = call.answered.as_ref().filter(same);
    let Some(&Answered { recv, send, .. }) = answered.or_else(|| invite.filter(same)) else {
        return false;
    };
    if msg.method() == Some(b"ACK") {
        // Nothing answers an ACK. Where the scenario waits for another one, this is it.
        if matching::expects(cx.image, call, msg) {
            return false;
        }
        received_again(cx, recv);
        return true;
    }
    // A scenario that sends an INVITE twice by hand waits for its 200 a second time.
    if last_sent_method(cx, call)
        .is_some_and(|method| msg.cseq().is_some_and(|cseq| cseq.method == method))
        && matching::expects(cx.image, call, msg)
    {
        return false;
    }
    let lost = send::loss(cx, cx.image.program.recvs[recv.index()].lost);
    if rng::percent(&mut call.rng, lost) {
        let step = cx.image.program.recvs[recv.index()].step;
        cx.stat(StatEvent::Lost { step });
        return true;
    }
    received_again(cx, recv);
    // The repetition is the message that was answered, so the answer is rendered from it.
    send::send_again(cx, call, send, LastView::Whole(msg));
    true
}

/// The method of the message that was sent last, if it was a request and the peer has a response to repeat for it.
fn last_sent_method<'a>(cx: &Cx<'a>, call: &Call) -> Option<&'a [u8]> {
    let program = &cx.image.program;
    let template = program.sends[call.last_sent.get()?.index()].template;
    match program.templates[template.index()].kind {
        TemplateKind::Request { method } => Some(program.bytes(method)),
        TemplateKind::Response { .. } | TemplateKind::Text => None,
    }
}

fn received_again(cx: &mut Cx<'_>, recv: RecvId) {
    let step = cx.image.program.recvs[recv.index()].step;
    cx.stat(StatEvent::ReceivedAgain { step });
}

/// What every message tells about the dialog, expected or not.
fn note(cx: &mut Cx<'_>, call: &mut Call, msg: &Message<'_>) {
    match msg.method() {
        None => {
            if (cx.image.program.reads_peer_tag || cx.image.inserted.peer_tag)
                && !has_known_tag(call, msg)
                && let Some(tag) = msg.to_tag()
            {
                send::keep_repeated(cx, call, |sources| sources.peer_tag);
                call.peer_tag.set(tag);
            }
        }
        Some(b"ACK") => call.established = true,
        Some(b"INVITE") => {
            let cseq = msg.cseq();
            call.invited = cseq.is_some();
            call.invite_cseq = cseq.map_or(0, |cseq| cseq.number);
        }
        Some(_) => {}
    }
}

/// Whether the To header of a message ends with the tag that the call knows already: mostly it does, and to compare the
/// two takes less than to look for it.
fn has_known_tag(call: &Call, msg: &Message<'_>) -> bool {
    let known = &call.peer_tag[..];
    !known.is_empty()
        && msg
            .header(HeaderName::To)
            .and_then(|to| to.strip_suffix(known))
            .is_some_and(|to| to.ends_with(b">;tag="))
}

fn accepted(
    cx: &mut Cx<'_>,
    call: &mut Call,
    id: RecvId,
    msg: &Message<'_>,
    fingerprint: Fingerprint,
) -> Verdict {
    let recv = &cx.image.program.recvs[id.index()];
    let lost = send::loss(cx, recv.lost);
    if rng::percent(&mut call.rng, lost) {
        cx.stat(StatEvent::Lost { step: recv.step });
        return Verdict::Wait;
    }
    if let Some(txn) = recv.txn
        && msg.status().is_some_and(StatusCode::is_final)
        && let Some(state) = call.cold_mut().txns.get_mut(txn.index())
    {
        state.final_response = Some(fingerprint);
    }
    let of_invite = msg.cseq().is_some_and(|cseq| cseq.method == b"INVITE");
    let is_final = msg.status().map(StatusCode::is_final);
    cx.stat(StatEvent::Received {
        step: recv.step,
        answers_invite: of_invite && is_final == Some(true),
    });
    // Before the actions, which play to where it says.
    if cx.image.media.answers() && cx.image.program.steps[recv.step.index()].reads_sdp {
        answered(call, msg);
    }
    if cx.image.media.reads_sdp() && cx.image.program.steps[recv.step.index()].reads_sdp {
        described(cx, msg);
    }
    let after = match run_block(cx, call, recv.entry, Current::Received(msg)) {
        Ok(pc) => pc,
        Err(reason) => return Verdict::Drop(reason),
    };
    let to_invite = of_invite && is_final != Some(false);
    accept(cx, call, (id, recv), msg, (fingerprint, to_invite), after)
}

/// The body of a message, and whether it says that it is a description.
#[cold]
fn description<'a>(msg: &Message<'a>) -> Option<(&'a [u8], bool)> {
    let body = msg.body().filter(|body| !body.is_empty())?;
    // COMPAT(sipp): parameters behind the type change nothing here; SIPp does not know a type with parameters
    // (docs/compat.md#media).
    let declared = msg.header(HeaderName::ContentType).is_some_and(|kind| {
        let end = kind.iter().position(|byte| *byte == b';');
        let name = kind[..end.unwrap_or(kind.len())].trim_ascii();
        let multipart = name.len() >= 10 && name[..10].eq_ignore_ascii_case(b"multipart/");
        name.eq_ignore_ascii_case(b"application/sdp")
            || (multipart && memchr::memmem::find(body, b"application/sdp").is_some())
    });
    Some((body, declared))
}

/// Keeps what `[audio_…]` keywords print of a description of the peer's.
#[cold]
fn answered(call: &mut Call, msg: &Message<'_>) {
    if let Some((body, true)) = description(msg) {
        call.cold_mut().answer = Some(Box::new(AudioAnswer::to(body)));
    }
}

/// Shows the driver a body of the peer's.
#[cold]
fn described(cx: &mut Cx<'_>, msg: &Message<'_>) {
    let Some((body, declared)) = description(msg) else {
        return;
    };
    let may_move_play = matches!(msg.method(), None | Some(b"INVITE" | b"ACK" | b"PRACK"));
    let body = cx.out.store(body);
    cx.out.push(Output::Sdp {
        call: cx.key,
        of: SdpOf::Peer {
            declared,
            may_move_play,
        },
        place: send::sdp_place(msg.method().unwrap_or_default()),
        cseq: msg.cseq().map_or(0, |cseq| cseq.number),
        body,
    });
}

/// The bookkeeping of `accept`, in SIPp's order.
fn accept(
    cx: &mut Cx<'_>,
    call: &mut Call,
    (id, recv): (RecvId, &Recv),
    msg: &Message<'_>,
    (fingerprint, to_invite): (Fingerprint, bool),
    after: Pc,
) -> Verdict {
    if msg.is_request()
        && let Some(cseq) = msg.cseq()
        && cseq.number > call.cseq
    {
        send::keep_repeated(cx, call, |sources| sources.cseq);
        call.cseq = cseq.number;
    }
    if msg.method() == Some(b"ACK") {
        call.acknowledged = msg.cseq().map_or(0, |cseq| cseq.number);
        call.acknowledged_by = match msg.cseq() {
            Some(_) => id.into(),
            None => Maybe::<RecvId>::NONE,
        };
    }
    if let Some(front) = call.front_mut() {
        front.stage = match (msg.method(), msg.status(), msg.cseq()) {
            (Some(method), ..) => front.stage.request(method),
            (None, Some(code), Some(cseq)) if cseq.method == b"INVITE" => {
                front.stage.response(code.0)
            }
            _ => front.stage,
        };
        if recv.accept.is_some() {
            front.phase = Phase::Open;
        }
        // Of a dialog that the peer began, target and routes are always known.
        if !front.ours && matching::may_begin(msg) {
            dialog::store_routes(call, msg);
        }
    }
    quiet(cx, call, recv, msg);
    if msg.status().is_some_and(|code| code.0 == 200) {
        call.ack_pending = true;
    }
    if recv.rrs && !dialog::store_routes(call, msg) {
        let mut text = b"Cannot record route set if there is no Contact, Call-Id '".to_vec();
        text.extend_from_slice(&call.call_id);
        text.push(b'\'');
        cx.warn(&text);
    }
    if recv.auth && auth::store(call, msg).is_err() {
        let mut text = b"auth: the message has no challenge, Call-Id '".to_vec();
        text.extend_from_slice(&call.call_id);
        text.push(b'\'');
        cx.warn(&text);
        return Verdict::Drop(FailReason::ScenarioFault);
    }
    if !recv.advance {
        return stay(call);
    }
    send::keep_repeated(cx, call, |sources| sources.last);
    call.last.keep(cx.image, id, msg, &mut cx.shared.draft);
    call.unanswered = Some((fingerprint, id, to_invite));
    // Of the message kept so far only its answer is repeated on request; a new one replaces it when it is answered.
    let leaves = recv.optional == Optional::No
        || recv
            .stay_unless
            .is_none_or(|var| cx.value(call, var).is_set());
    if !leaves {
        return stay(call);
    }
    call.pause_until = Deadline::NONE;
    call.recv_deadline = Deadline::NONE;
    call.step = recv.step;
    call.pc = after;
    Verdict::Run
}

/// The call keeps waiting where it is, unless what it waited for was the end of a repetition.
fn stay(call: &Call) -> Verdict {
    if call.wait == Wait::Gate && call.repeat.is_none() {
        Verdict::Run
    } else {
        Verdict::Wait
    }
}

/// Stops or slows the repetition of what was sent last.
fn quiet(cx: &mut Cx<'_>, call: &mut Call, recv: &Recv, msg: &Message<'_>) {
    // What is repeated is what was sent last; the record of the repetition itself is far away.
    let (true, Some(sent)) = (call.repeat.is_some(), call.last_sent.get()) else {
        return;
    };
    let answers = match (msg.status(), msg.method()) {
        (Some(_), _) => true,
        (None, Some(method)) => {
            matches!(method, b"ACK" | b"CANCEL" | b"BYE" | b"PRACK")
        }
        (None, None) => false,
    };
    let sent_step = cx.image.program.sends[sent.index()].step;
    if !answers || recv.step <= sent_step {
        return;
    }
    let provisional = msg.status().is_some_and(StatusCode::is_provisional);
    if provisional && !is_invite(cx.image, sent) {
        if let Some(repeat) = &mut call.repeat {
            txn::provisional(repeat, cx.image.params(), cx.now);
        }
    } else {
        txn::stop(call, &mut cx.shared.buffers);
    }
}
