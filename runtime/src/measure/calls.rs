// SPDX-License-Identifier: AGPL-3.0-only
//! What is known of a call while it is open: when its requests went out, and what its record will say.
//!
//! A call is there from its creation to its end, so there are never more than calls are open.

use std::collections::HashMap;

use foldhash::fast::FixedState;
use gossipper_bytecode::{Program, StepId, StepKind};
use gossipper_vm::{CallEnd, Micros, StatEvent};

use crate::logs::headers;

/// Requests of a call that wait for answers at the same time; of more, the oldest is forgotten.
const MOST_REQUESTS: usize = 4;

/// Bytes of a Call-ID or of a start line that a record keeps.
const MOST_TEXT: usize = 256;

/// Methods told apart. A scenario has a few.
const MOST_METHODS: usize = 32;

/// What a step does to the times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// It sends a request of this method.
    Request(u8),
    /// It sends a response; whether a final one to an INVITE is not asked: only that is followed by an ACK.
    Response,
    /// Anything else.
    Other,
}

/// Something sent.
#[derive(Debug, Clone, Copy)]
struct Sending {
    at: Micros,
    late: Micros,
}

/// An open call.
#[derive(Debug, Default)]
struct Open {
    requests: [Option<(u8, Sending)>; MOST_REQUESTS],
    /// Our last message, if nothing has come since.
    unanswered: Option<Sending>,
    call_id: Box<[u8]>,
    /// The start line of the last message that did not fit.
    unexpected: Box<[u8]>,
}

impl Open {
    fn sent(&mut self, method: u8, sending: Sending) {
        let same = |slot: &Option<(u8, Sending)>| slot.is_none_or(|(known, _)| known == method);
        let place = self.requests.iter().position(same).unwrap_or_else(|| {
            self.requests.rotate_left(1);
            MOST_REQUESTS - 1
        });
        self.requests[place] = Some((method, sending));
    }

    fn request(&self, method: u8) -> Option<Sending> {
        let mut requests = self.requests.iter().flatten();
        requests
            .find(|(known, _)| *known == method)
            .map(|(_, sending)| *sending)
    }
}

/// A time that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measured {
    /// The step that received.
    pub(super) step: StepId,
    /// Method and status code, if it is a response.
    pub(super) response: Option<(u8, u16)>,
    /// A final answer to a request, or an ACK to ours.
    pub(super) is_answer: bool,
    /// The final answer to an INVITE.
    pub(super) is_invite: bool,
    /// Since it was sent.
    pub(super) took: Micros,
    /// How much later than due that was.
    pub(super) late: Micros,
}

/// A call that has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Its number.
    pub(crate) call: u64,
    /// How.
    pub(crate) end: CallEnd,
    /// How long it was there.
    pub(crate) length: Micros,
    /// Its Call-ID.
    pub(crate) call_id: Box<[u8]>,
    /// The start line of what did not fit; empty if all did.
    pub(crate) unexpected: Box<[u8]>,
}

/// All open calls of a shard.
#[derive(Debug)]
pub(super) struct Calls {
    roles: Vec<Role>,
    methods: Vec<String>,
    invite: Option<u8>,
    /// Its numbers are ours: no peer chooses them.
    open: HashMap<u64, Open, FixedState>,
    records: bool,
}

impl Calls {
    pub(super) fn new(program: &Program, records: bool) -> Self {
        let mut methods: Vec<String> = Vec::new();
        let mut role = |step: &gossipper_bytecode::Step| {
            let name = program.display(step.name);
            if step.kind != StepKind::Send {
                return Role::Other;
            }
            if name.starts_with(|first: char| first.is_ascii_digit()) {
                return Role::Response;
            }
            let place = methods.iter().position(|known| *known == name);
            let place = place.or_else(|| {
                let room = methods.len() < MOST_METHODS;
                room.then(|| {
                    methods.push(name);
                    methods.len() - 1
                })
            });
            place
                .and_then(|place| u8::try_from(place).ok())
                .map_or(Role::Other, Role::Request)
        };
        let roles = program.steps.iter().map(&mut role).collect();
        let invite = methods.iter().position(|method| method == "INVITE");
        Self {
            roles,
            invite: invite.and_then(|place| u8::try_from(place).ok()),
            methods,
            open: HashMap::default(),
            records,
        }
    }

    /// The methods that responses are told apart by.
    pub(super) fn methods(&self) -> Vec<String> {
        self.methods.clone()
    }

    /// A message of a call, from which its record takes the Call-ID.
    pub(super) fn message(&mut self, call: u64, message: &[u8]) {
        if self.records
            && let Some(open) = self.open.get_mut(&call)
            && open.call_id.is_empty()
        {
            open.call_id = cut(headers::call_id(message));
        }
    }

    /// Something has happened to a call.
    pub(super) fn event(
        &mut self,
        now: Micros,
        late: Micros,
        call: u64,
        event: StatEvent,
        received: &[u8],
    ) -> (Option<Measured>, Option<Record>) {
        match event {
            StatEvent::Created { .. } if call != 0 => {
                self.open.insert(call, Open::default());
                self.message(call, received);
            }
            StatEvent::Sent { step } => {
                let role = self.roles.get(step.index()).copied();
                if let Some(open) = self.open.get_mut(&call) {
                    let sending = Sending { at: now, late };
                    if let Some(Role::Request(method)) = role {
                        open.sent(method, sending);
                    }
                    open.unanswered = Some(sending);
                }
            }
            StatEvent::Received { step, .. } => {
                return (self.received(now, call, step, received), None);
            }
            StatEvent::Unexpected { .. } if self.records => {
                if let Some(open) = self.open.get_mut(&call) {
                    open.unexpected = cut(headers::start_line(received));
                }
            }
            StatEvent::Ended { end, length } => {
                let open = self.open.remove(&call);
                let record = open.filter(|_| self.records).map(|open| Record {
                    call,
                    end,
                    length,
                    call_id: open.call_id,
                    unexpected: open.unexpected,
                });
                return (None, record);
            }
            _ => {}
        }
        (None, None)
    }

    fn received(
        &mut self,
        now: Micros,
        call: u64,
        step: StepId,
        received: &[u8],
    ) -> Option<Measured> {
        let open = self.open.get_mut(&call)?;
        let unanswered = open.unanswered.take();
        let line = headers::start_line(received);
        let Some(status) = line.strip_prefix(b"SIP/2.0 ") else {
            let sending = unanswered?;
            return Some(Measured {
                step,
                response: None,
                is_answer: line.starts_with(b"ACK "),
                is_invite: false,
                took: now.since(sending.at),
                late: sending.late,
            });
        };
        let code = status.get(..3)?;
        let code: u16 = str::from_utf8(code).ok()?.parse().ok()?;
        let method = headers::cseq_method(received);
        let known = |name: &String| name.as_bytes() == method;
        let method = u8::try_from(self.methods.iter().position(known)?).ok()?;
        let sending = open.request(method)?;
        let is_answer = code >= 200;
        Some(Measured {
            step,
            response: Some((method, code)),
            is_answer,
            is_invite: is_answer && self.invite == Some(method),
            took: now.since(sending.at),
            late: sending.late,
        })
    }
}

fn cut(text: &[u8]) -> Box<[u8]> {
    text[..text.len().min(MOST_TEXT)].into()
}
