// SPDX-License-Identifier: AGPL-3.0-only
//! Which receive step accepts a message.
//!
//! Pure questions about a call and a message; what follows from the answer is done by [`crate::engine`].

use crate::call::Fingerprint;
use crate::call::dialogs::Phase;
use crate::call::{Call, TxnState};
use crate::link::Image;
use crate::posix::GaveUp;
use core::cell::Cell;
use gossipper_bytecode::{Optional, Recv, RecvId, RecvMatch, RegexId, SendId, StepId, TxnId};
use gossipper_sip::{HeaderName, Message};
use std::hash::{BuildHasher as _, Hasher as _};

/// What a message is to a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Match {
    /// This receive accepts it.
    Accepted(RecvId),
    /// A late final response whose ACK is to be sent again.
    AckAgain(RecvId, SendId),
    /// A late provisional or repeated final response of an old transaction; nothing to do.
    Ignored(RecvId),
    /// Nothing in the scenario takes it.
    Unexpected,
}

/// The expression whose search gave up, if one did; it took nothing.
pub(crate) type GaveUpAt = Cell<Option<RegexId>>;

/// Finds what the message is to the call.
pub(crate) fn find(
    image: &Image,
    call: &Call,
    msg: &Message<'_>,
    fingerprint: Fingerprint,
    gave_up: &GaveUpAt,
) -> Match {
    let program = &image.program;
    let set = &program.steps[call.step.index()].set;
    let status = msg.status().map(|code| code.0);
    for id in set.forward() {
        let recv = &program.recvs[id.index()];
        // Mostly it is one of several responses, of which the code says which.
        if matches!(recv.accepts, RecvMatch::Status(wanted) if status != Some(wanted)) {
            continue;
        }
        if accepts(image, call, recv, msg, gave_up) {
            return Match::Accepted(id);
        }
    }
    for (id, contiguous) in set.backward() {
        let recv = &program.recvs[id.index()];
        if !accepts(image, call, recv, msg, gave_up) {
            continue;
        }
        if contiguous || recv.optional == Optional::Global {
            return Match::Accepted(id);
        }
        if let Some(late) = late(image, call, id, recv, msg, fingerprint) {
            return late;
        }
    }
    Match::Unexpected
}

/// Whether the call waits for this kind of message.
pub(crate) fn expects(image: &Image, call: &Call, msg: &Message<'_>) -> bool {
    let gave_up = GaveUpAt::default();
    let program = &image.program;
    program.steps[call.step.index()]
        .set
        .forward()
        .any(|id| accepts(image, call, &program.recvs[id.index()], msg, &gave_up))
}

/// A match that is neither adjacent nor global: a late answer to an old transaction?
fn late(
    image: &Image,
    call: &Call,
    id: RecvId,
    recv: &Recv,
    msg: &Message<'_>,
    fingerprint: Fingerprint,
) -> Option<Match> {
    let code = msg.status()?;
    if let Some(txn) = recv.txn {
        if code.is_provisional() {
            return Some(Match::Ignored(id));
        }
        if let Some(ack) = image.program.txns[txn.index()].ack {
            return Some(Match::AckAgain(id, ack));
        }
        let known = txn_state(call, txn).is_some_and(|txn| txn.final_response == Some(fingerprint));
        if known {
            return Some(Match::Ignored(id));
        }
        return None;
    }
    let to_invite = msg.cseq().is_some_and(|cseq| cseq.method == b"INVITE");
    match recv.ack {
        Some(ack) if to_invite => Some(Match::AckAgain(id, ack)),
        _ => None,
    }
}

/// The state of a transaction, if it was ever started.
pub(crate) fn txn_state(call: &Call, txn: TxnId) -> Option<&TxnState> {
    call.cold.as_deref()?.txns.get(txn.index())
}

/// Whether the receive takes this kind of message, regardless of the place of the call.
fn accepts(image: &Image, call: &Call, recv: &Recv, msg: &Message<'_>, gave_up: &GaveUpAt) -> bool {
    if recv.dialog != call.dialog {
        return false;
    }
    if recv.accept.is_some() && (call.phase() != Phase::Ringing || !may_begin(msg)) {
        return false;
    }
    takes(image, call, recv, msg, gave_up)
}

/// Whether a request may begin a dialog.
pub(crate) fn may_begin(msg: &Message<'_>) -> bool {
    msg.to_tag().is_none()
        && msg
            .method()
            .is_some_and(|method| method != b"ACK" && method != b"CANCEL")
}

/// Whether a receive takes requests of this method.
pub(crate) fn takes_request(image: &Image, id: RecvId, msg: &Message<'_>) -> bool {
    let program = &image.program;
    match (program.recvs[id.index()].accepts, msg.method()) {
        (RecvMatch::Request(wanted), Some(method)) => method == program.bytes(wanted),
        (RecvMatch::RequestRegex(id), Some(method)) => {
            image.regexes[id.index()].is_match(method).unwrap_or(false)
        }
        _ => false,
    }
}

/// Whether the receive takes this kind of message, whatever its dialog.
fn takes(image: &Image, call: &Call, recv: &Recv, msg: &Message<'_>, gave_up: &GaveUpAt) -> bool {
    let program = &image.program;
    let matches = |id: RegexId, text: &[u8]| {
        image.regexes[id.index()]
            .is_match(text)
            .unwrap_or_else(|GaveUp| {
                gave_up.set(Some(id));
                false
            })
    };
    match (recv.accepts, msg.method(), msg.status()) {
        (RecvMatch::Request(wanted), Some(method), _) => method == program.bytes(wanted),
        (RecvMatch::RequestRegex(id), Some(method), _) => matches(id, method),
        (RecvMatch::Status(wanted), None, Some(code)) => {
            wanted == code.0 && answers(image, call, recv, msg)
        }
        (RecvMatch::StatusRegex(id), None, Some(code)) => {
            let digits = decimal(code.0);
            matches(id, &digits) && answers(image, call, recv, msg)
        }
        _ => false,
    }
}

/// Whether a response answers a request that the receive waits for: by branch with `response_txn`, else by method.
fn answers(image: &Image, call: &Call, recv: &Recv, msg: &Message<'_>) -> bool {
    if let Some(txn) = recv.txn {
        let branch = msg.top_via_branch().unwrap_or_default();
        return txn_state(call, txn)
            .is_some_and(|txn| !txn.branch.is_empty() && txn.branch.as_slice() == branch);
    }
    if recv.step == StepId(0) {
        return true;
    }
    let method = msg.cseq().map_or(&b""[..], |cseq| cseq.method);
    // COMPAT(sipp): the method is looked for in the concatenation of all methods sent above.
    let methods = image.program.bytes(recv.methods);
    // Mostly it is the first, or the one sent last.
    methods.starts_with(method)
        || methods.ends_with(method)
        || memchr::memmem::find(methods, method).is_some()
}

fn decimal(code: u16) -> [u8; 3] {
    [
        b'0' + (code / 100 % 10) as u8,
        b'0' + (code / 10 % 10) as u8,
        b'0' + (code % 10) as u8,
    ]
}

/// Fixed seed: fingerprints are compared within one run only, and equal runs must behave equally.
const HASH_SEED: u64 = 0x5a5a_1234_9876_f00d;

/// Hash of the whole message (`-rtcheck full`).
pub(crate) fn fingerprint_full(msg: &Message<'_>) -> Fingerprint {
    hash(|state| state.write(msg.bytes()))
}

/// Hash of what a repetition behind other proxies keeps (`-rtcheck loose`).
pub(crate) fn fingerprint_loose(msg: &Message<'_>) -> Fingerprint {
    hash(|state| {
        for name in [
            HeaderName::To,
            HeaderName::From,
            HeaderName::CallId,
            HeaderName::CSeq,
        ] {
            state.write(msg.header(name).unwrap_or_default());
            state.write_u8(0);
        }
        if let Some(code) = msg.status() {
            state.write_u16(code.0);
            state.write(msg.body().unwrap_or_default());
        }
    })
}

fn hash(feed: impl FnOnce(&mut foldhash::fast::FoldHasher<'_>)) -> Fingerprint {
    let mut state = foldhash::fast::FixedState::with_seed(HASH_SEED).build_hasher();
    feed(&mut state);
    Fingerprint::new(state.finish()).unwrap_or(Fingerprint::MIN)
}
