// SPDX-License-Identifier: AGPL-3.0-only
//! The dialogs of a call that has several: one in front, the others parked.
//!
//! The record of a call is the state of one dialog and of the call itself. Whatever handles a call handles the dialog in
//! front and knows of no other; [`bring`] exchanges it. While a call waits, the dialog of its step is in front.
//!
//! Not here: which message belongs to which dialog ([`crate::dialogs`]), and what follows from it
//! ([`crate::receive`]).

use super::lean::Maybe;
use super::{Answered, Call, CallId, Cold, Fingerprint, PeerTag, Repeat};
use crate::auth::Stored;
use crate::call::last::Last;
use crate::dialogs::ListenerKey;
use crate::input::{FlowId, Micros};
use core::net::SocketAddr;
use gossipper_bytecode::{DialogId, RecvId, SendId};
use smallvec::SmallVec;
use std::collections::VecDeque;

/// Whether a dialog has begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Phase {
    /// Not yet.
    #[default]
    Idle,
    /// The peer's request has begun it, and no step has taken that yet.
    Ringing,
    /// It has.
    Open,
    /// It is over, and the call listens for another one in its place.
    Over,
}

/// How far the INVITE of a dialog has come, for ending it when the call is given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Stage {
    /// There is nothing to end.
    #[default]
    Nothing,
    /// No final response yet.
    Inviting,
    /// A final response other than 2xx, and no ACK.
    Refused,
    /// A 2xx, and no ACK.
    Answered,
    /// The ACK of a 2xx.
    Confirmed,
}

impl Stage {
    /// After a request, whoever sent it.
    pub(crate) fn request(self, method: &[u8]) -> Self {
        match (method, self) {
            (b"INVITE", Self::Confirmed) => Self::Confirmed,
            (b"INVITE", _) => Self::Inviting,
            (b"ACK", Self::Answered | Self::Confirmed) => Self::Confirmed,
            (b"ACK" | b"BYE", _) => Self::Nothing,
            _ => self,
        }
    }

    /// After a response to an INVITE, whoever sent it.
    pub(crate) fn response(self, code: u16) -> Self {
        match (code, self) {
            (200..300, Self::Inviting) => Self::Answered,
            (300.., Self::Inviting) => Self::Refused,
            _ => self,
        }
    }
}

/// What the record of a call holds of the dialog in front.
#[derive(Clone, Debug)]
pub(crate) struct Parked {
    pub(crate) call_id: CallId,
    pub(crate) cseq: u32,
    pub(crate) flow: FlowId,
    pub(crate) peer: SocketAddr,
    pub(crate) repeat: Option<Box<Repeat>>,
    pub(crate) last_sent: Maybe<SendId>,
    pub(crate) unanswered: Option<(Fingerprint, RecvId, bool)>,
    pub(crate) answered: Option<Answered>,
    pub(crate) answered_invite: Option<Answered>,
    pub(crate) invite_cseq: u32,
    pub(crate) invited: bool,
    pub(crate) acknowledged: u32,
    pub(crate) acknowledged_by: Maybe<RecvId>,
    pub(crate) established: bool,
    pub(crate) ack_pending: bool,
    pub(crate) last: Last,
    pub(crate) peer_tag: PeerTag,
    pub(crate) routes: Vec<u8>,
    pub(crate) target: Vec<u8>,
    pub(crate) challenges: Vec<Stored>,
}

impl Parked {
    fn blank(flow: FlowId, peer: SocketAddr) -> Self {
        Self {
            call_id: CallId::EMPTY,
            cseq: 0,
            flow,
            peer,
            repeat: None,
            last_sent: Maybe::<SendId>::NONE,
            unanswered: None,
            answered: None,
            answered_invite: None,
            invite_cseq: 0,
            invited: false,
            acknowledged: 0,
            acknowledged_by: Maybe::<RecvId>::NONE,
            established: false,
            ack_pending: false,
            last: Last::default(),
            peer_tag: PeerTag::EMPTY,
            routes: Vec::new(),
            target: Vec::new(),
            challenges: Vec::new(),
        }
    }

    /// Exchanges it with the dialog in front of a call.
    fn exchange(&mut self, call: &mut Call) {
        call.cold_mut();
        let peer = call.peer();
        call.set_peer(self.peer);
        self.peer = peer;
        // Named one by one: a new field of a call belongs to a dialog, or it does not.
        let Call {
            number: _,
            pc: _,
            step: _,
            wait: _,
            cseq,
            created: _,
            late_us: _,
            flow,
            // It was exchanged above.
            peer: _,
            call_id,
            recv_deadline: _,
            recv_step: _,
            pause_until: _,
            repeat,
            last_sent,
            unanswered,
            answered,
            answered_invite,
            invite_cseq,
            invited,
            acknowledged,
            acknowledged_by,
            established,
            ack_pending,
            failure: _,
            jump_to: _,
            last,
            peer_tag,
            rtd: _,
            rng: _,
            armed: _,
            generation: _,
            held_bytes: _,
            dialog: _,
            // Of what is in there, only the port of a path of its own is a dialog's. Calls that have one have no several dialogs:
            // linking sees to it.
            extra: _,
            cold,
        } = call;
        core::mem::swap(&mut self.call_id, call_id);
        core::mem::swap(&mut self.cseq, cseq);
        core::mem::swap(&mut self.flow, flow);
        core::mem::swap(&mut self.repeat, repeat);
        core::mem::swap(&mut self.last_sent, last_sent);
        core::mem::swap(&mut self.unanswered, unanswered);
        core::mem::swap(&mut self.answered, answered);
        core::mem::swap(&mut self.answered_invite, answered_invite);
        core::mem::swap(&mut self.invite_cseq, invite_cseq);
        core::mem::swap(&mut self.invited, invited);
        core::mem::swap(&mut self.acknowledged, acknowledged);
        core::mem::swap(&mut self.acknowledged_by, acknowledged_by);
        core::mem::swap(&mut self.established, established);
        core::mem::swap(&mut self.ack_pending, ack_pending);
        core::mem::swap(&mut self.last, last);
        core::mem::swap(&mut self.peer_tag, peer_tag);
        if let Some(cold) = cold.as_deref_mut() {
            let Cold {
                routes,
                target,
                challenges,
                txns: _,
                queued: _,
                commands: _,
                peers: _,
                unexpected: _,
                dialogs: _,
                crypto: _,
                answer: _,
                ports: _,
                circuit: _,
                seeded: _,
            } = cold;
            core::mem::swap(&mut self.routes, routes);
            core::mem::swap(&mut self.target, target);
            core::mem::swap(&mut self.challenges, challenges);
        }
    }

    fn heap_bytes(&self) -> usize {
        self.call_id.heap_bytes()
            + self.peer_tag.heap_bytes()
            + self
                .repeat
                .as_ref()
                .map_or(0, |repeat| repeat.bytes.capacity())
            + self.last.heap_bytes()
            + self.routes.capacity()
            + self.target.capacity()
    }
}

/// One of a call's dialogs.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    /// Its state, unless it is in front.
    pub(crate) parked: Parked,
    /// Whether it has begun.
    pub(crate) phase: Phase,
    /// Whether we began it.
    pub(crate) ours: bool,
    /// How far its INVITE has come.
    pub(crate) stage: Stage,
}

/// A message that waits for the call to wait for it.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Its dialog.
    pub(crate) dialog: DialogId,
    /// By what a repetition of it is known.
    pub(crate) fingerprint: Fingerprint,
    /// The message.
    pub(crate) bytes: Box<[u8]>,
}

/// A place in the index of those who listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Listening {
    /// The dialog that begins.
    pub(crate) dialog: DialogId,
    /// The receive that waits for it.
    pub(crate) recv: RecvId,
    /// Where it is listed.
    pub(crate) listed: ListenerKey,
}

/// What a call with several dialogs has besides the one in front.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialogs {
    /// By dialog; the place of the one in front holds nothing of it but what [`Side`] adds.
    pub(crate) sides: Vec<Side>,
    /// Messages for which it is too early, in the order they came in.
    pub(crate) kept: VecDeque<Kept>,
    /// Bytes of those.
    pub(crate) kept_bytes: usize,
    /// Where it listens.
    pub(crate) listening: SmallVec<[Listening; 1]>,
    /// Dialogs of ours that have begun, the main one apart.
    pub(crate) begun: u32,
}

impl Dialogs {
    /// Bytes of its own.
    pub(crate) fn heap_bytes(&self) -> usize {
        let parked = self.sides.iter().map(|side| side.parked.heap_bytes());
        self.sides.capacity() * size_of::<Side>() + parked.sum::<usize>() + self.kept_bytes
    }

    /// The paths of all but the one in front.
    pub(crate) fn flows(&self) -> impl Iterator<Item = FlowId> + '_ {
        self.sides.iter().map(|side| side.parked.flow)
    }

    /// When the first of the parked dialogs repeats what it sent.
    pub(crate) fn next_repeat(&self) -> Option<Micros> {
        let parked = self
            .sides
            .iter()
            .filter_map(|side| side.parked.repeat.as_ref());
        parked.map(|repeat| repeat.at).min()
    }
}

/// A dialog of a call, in front or parked.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) call_id: &'a [u8],
    pub(crate) cseq: u32,
    pub(crate) last: Option<&'a Last>,
    pub(crate) peer_tag: &'a [u8],
    pub(crate) routes: &'a [u8],
    pub(crate) target: &'a [u8],
}

impl Call {
    /// Its dialogs; `None` as long as it has had only the main one.
    pub(crate) fn dialogs(&self) -> Option<&Dialogs> {
        self.cold.as_deref()?.dialogs.as_deref()
    }

    /// The same, for changing them.
    pub(crate) fn dialogs_mut(&mut self) -> Option<&mut Dialogs> {
        self.cold.as_deref_mut()?.dialogs.as_deref_mut()
    }

    /// Makes room for as many dialogs. `ours` says whether we began the main one.
    pub(crate) fn ensure_dialogs(&mut self, count: usize, ours: bool) -> &mut Dialogs {
        let (flow, peer) = (self.flow, self.peer());
        let dialogs = self.cold_mut().dialogs.get_or_insert_default();
        if dialogs.sides.is_empty() {
            dialogs.sides.resize_with(count, || Side {
                parked: Parked::blank(flow, peer),
                phase: Phase::Idle,
                ours: false,
                stage: Stage::Nothing,
            });
            if let Some(main) = dialogs.sides.first_mut() {
                main.phase = Phase::Open;
                main.ours = ours;
            }
        }
        dialogs
    }

    /// What is known of a dialog besides its state.
    pub(crate) fn side(&self, dialog: DialogId) -> Option<&Side> {
        self.dialogs()?.sides.get(dialog.index())
    }

    /// The same for the dialog in front, for changing it.
    pub(crate) fn front_mut(&mut self) -> Option<&mut Side> {
        let front = self.dialog.index();
        self.dialogs_mut()?.sides.get_mut(front)
    }

    /// Whether the dialog in front has begun, and how.
    pub(crate) fn phase(&self) -> Phase {
        self.side(self.dialog)
            .map_or(Phase::Open, |side| side.phase)
    }

    /// Call-ID of the main dialog: that of the call.
    pub(crate) fn main_call_id(&self) -> &[u8] {
        self.call_id_of(DialogId::MAIN)
    }

    /// Call-ID of a dialog; empty before it has begun.
    pub(crate) fn call_id_of(&self, dialog: DialogId) -> &[u8] {
        if self.dialog == dialog {
            return &self.call_id;
        }
        self.side(dialog).map_or(b"", |side| &side.parked.call_id)
    }

    /// The dialog that has this Call-ID.
    pub(crate) fn dialog_of(&self, call_id: &[u8]) -> Option<DialogId> {
        if self.call_id[..] == *call_id {
            return Some(self.dialog);
        }
        let mut sides = self.dialogs()?.sides.iter();
        let found = sides.position(|side| side.parked.call_id[..] == *call_id)?;
        DialogId::new(found)
    }

    /// A dialog, to print something of it.
    pub(crate) fn view(&self, dialog: DialogId) -> View<'_> {
        if self.dialog == dialog {
            let cold = self.cold.as_deref();
            return View {
                call_id: &self.call_id,
                cseq: self.cseq,
                last: Some(&self.last),
                peer_tag: &self.peer_tag,
                routes: cold.map_or(b"", |cold| &cold.routes),
                target: cold.map_or(b"", |cold| &cold.target),
            };
        }
        match self.side(dialog) {
            Some(Side { parked, .. }) => View {
                call_id: &parked.call_id,
                cseq: parked.cseq,
                last: Some(&parked.last),
                peer_tag: &parked.peer_tag,
                routes: &parked.routes,
                target: &parked.target,
            },
            None => View {
                call_id: b"",
                cseq: 0,
                last: None,
                peer_tag: b"",
                routes: b"",
                target: b"",
            },
        }
    }
}

/// Brings a dialog to the front. The call has room for it, or has had only the main one and this is it.
pub(crate) fn bring(call: &mut Call, dialog: DialogId) {
    if call.dialog == dialog {
        return;
    }
    let front = call.dialog;
    let Some(mut dialogs) = call
        .cold
        .as_deref_mut()
        .and_then(|cold| cold.dialogs.take())
    else {
        return;
    };
    if front.index() < dialogs.sides.len() && dialog.index() < dialogs.sides.len() {
        dialogs.sides[front.index()].parked.exchange(call);
        dialogs.sides[dialog.index()].parked.exchange(call);
        call.dialog = dialog;
    }
    call.cold_mut().dialogs = Some(dialogs);
}

/// Puts a new dialog in place of the one in front. What that one still repeats, the caller has stopped.
pub(crate) fn renew(call: &mut Call, flow: FlowId, peer: SocketAddr, cseq: u32) {
    let mut blank = Parked::blank(flow, peer);
    blank.cseq = cseq;
    blank.exchange(call);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::call;

    #[test]
    fn what_is_parked_comes_back_and_the_call_keeps_what_is_its_own() {
        let mut call = call();
        call.call_id.set(b"main");
        (call.cseq, call.number) = (7, 3);
        call.cold_mut().routes = b"<sip:a>".to_vec();
        call.ensure_dialogs(3, true);
        bring(&mut call, DialogId(2));
        assert_eq!(
            (&call.call_id[..], call.cseq, call.number),
            (&b""[..], 0, 3)
        );
        call.call_id.set(b"other");
        assert_eq!(call.main_call_id(), b"main");
        assert_eq!(call.dialog_of(b"other"), Some(DialogId(2)));
        assert_eq!(call.view(DialogId::MAIN).routes, b"<sip:a>");
        bring(&mut call, DialogId::MAIN);
        assert_eq!((&call.call_id[..], call.cseq), (&b"main"[..], 7));
        assert_eq!(call.cold.as_ref().expect("cold").routes, b"<sip:a>");
        assert_eq!(call.call_id_of(DialogId(2)), b"other");
        assert_eq!(call.dialog_of(b"third"), None);
    }

    #[test]
    fn stages_follow_the_invite_to_its_end() {
        let invited = Stage::Nothing.request(b"REGISTER").request(b"INVITE");
        assert_eq!(invited, Stage::Inviting);
        assert_eq!(invited.response(180), Stage::Inviting);
        let refused = invited.response(407);
        assert_eq!(refused, Stage::Refused);
        assert_eq!(refused.request(b"ACK"), Stage::Nothing);
        let answered = invited.response(200);
        assert_eq!(answered, Stage::Answered);
        let confirmed = answered.request(b"ACK");
        assert_eq!(confirmed, Stage::Confirmed);
        assert_eq!(confirmed.request(b"INVITE").response(488), confirmed);
        assert_eq!(confirmed.request(b"BYE"), Stage::Nothing);
    }
}
