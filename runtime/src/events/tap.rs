// SPDX-License-Identifier: AGPL-3.0-only
//! Where the events of a shard come from.
//!
//! Exists only in a run that tells events; the machine then says which call its orders are about. Of an open call it keeps
//! the Call-ID, the CSeq of its last request and the credentials that wait for an answer.
//!
//! A message counts as sent when the call orders it: what the network then refuses is an event of its own.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;
use gossipper_otlp::Severity;
use gossipper_vm::{FlowId, StatEvent};

use super::auth;
use super::record::{AuthResult, Batch, What};
use super::ring::Shared;
use crate::hep::Locals;
use crate::logs::headers;

/// Events and bytes that a shard collects at most before it hands them over.
const BATCH_EVENTS: usize = 1024;
const BATCH_BYTES: usize = 256 << 10;

/// Bytes of a start line, and of other texts that are kept of a message.
const MOST_LINE: usize = 512;

/// Our ends of the flows of a shard.
#[derive(Debug)]
pub(super) struct Ends {
    own: Vec<SocketAddr>,
    locals: Option<Locals>,
    bound: SocketAddr,
}

impl Ends {
    pub(super) fn new(own: Vec<SocketAddr>, locals: Option<Locals>, bound: SocketAddr) -> Self {
        Self { own, locals, bound }
    }

    fn of(&self, flow: FlowId) -> SocketAddr {
        let own = self.own.get(flow.0 as usize).copied();
        own.or_else(|| self.locals.as_ref()?.get(flow))
            .unwrap_or(self.bound)
    }
}

/// The last request of a call.
#[derive(Debug)]
struct Request {
    cseq: u32,
    method: Box<[u8]>,
}

/// A call that is open.
#[derive(Debug, Default)]
struct Open {
    call_id: Box<[u8]>,
    /// It has been told that it began.
    told: bool,
    began_us: u64,
    request: Option<Request>,
    credentials: Option<(u16, Box<[u8]>)>,
}

/// Tells what happens in one shard.
#[derive(Debug)]
pub(crate) struct Tap {
    shared: Arc<Shared>,
    level: Severity,
    ends: Ends,
    batch: Batch,
    /// Its numbers are ours: no peer chooses them.
    open: HashMap<u64, Open, FixedState>,
}

fn cut(text: &[u8]) -> &[u8] {
    &text[..text.len().min(MOST_LINE)]
}

/// The status code of a response.
fn status(line: &[u8]) -> Option<u16> {
    let code = line.strip_prefix(b"SIP/2.0 ")?.get(..3)?;
    str::from_utf8(code).ok()?.parse().ok()
}

impl Tap {
    pub(super) fn new(shared: Arc<Shared>, level: Severity, ends: Ends) -> Self {
        Self {
            shared,
            level,
            ends,
            batch: Batch::default(),
            open: HashMap::default(),
        }
    }

    fn tells(&self, level: Severity) -> bool {
        level >= self.level
    }

    fn push(&mut self, what: What, wall_us: u64, call: u64, text: &[u8]) {
        if !self.tells(what.level()) {
            return;
        }
        let id = self.open.get(&call).map_or(&b""[..], |open| &open.call_id);
        self.batch.push(what, wall_us, call, id, text);
        self.full();
    }

    fn full(&mut self) {
        if self.batch.len() >= BATCH_EVENTS || self.batch.bytes() >= BATCH_BYTES {
            self.shared.hand_over(&mut self.batch);
        }
    }

    /// Hands what was collected over. To be called once per turn.
    pub(crate) fn hand_over(&mut self) {
        if !self.batch.is_empty() {
            self.shared.hand_over(&mut self.batch);
        }
    }

    fn begin(&mut self, wall_us: u64, call: u64) {
        self.open.entry(call).or_insert_with(|| Open {
            began_us: wall_us,
            ..Open::default()
        });
    }

    /// Tells that a call has begun, with its first message.
    fn announce(&mut self, call: u64, call_id: &[u8], local: SocketAddr, remote: SocketAddr) {
        let Some(open) = self.open.get_mut(&call) else {
            return;
        };
        if !open.told {
            open.told = true;
            open.call_id = cut(call_id).into();
            let at = open.began_us;
            self.push(What::CallStarted { local, remote }, at, call, b"");
        }
    }

    fn message(
        &mut self,
        wall_us: u64,
        call: u64,
        sent: bool,
        (local, remote): (SocketAddr, SocketAddr),
        message: &[u8],
        call_id: &[u8],
    ) {
        let whole = self.tells(Severity::Debug);
        let what = What::Message {
            sent,
            whole,
            local,
            remote,
        };
        if !self.tells(what.level()) {
            return;
        }
        let text = if whole {
            message
        } else {
            cut(headers::start_line(message))
        };
        self.batch.push(what, wall_us, call, call_id, text);
        self.full();
    }

    /// A call, or nobody (0), sends a message.
    pub(crate) fn sent(
        &mut self,
        wall_us: u64,
        call: u64,
        flow: FlowId,
        to: SocketAddr,
        message: &[u8],
    ) {
        if !self.tells(Severity::Warn) {
            return;
        }
        let ends = (self.ends.of(flow), to);
        let noted = auth::note(message);
        self.announce(call, noted.call_id, ends.0, ends.1);
        self.message(wall_us, call, true, ends, message, noted.call_id);
        if message.starts_with(b"SIP/2.0 ") {
            return;
        }
        let Some(open) = self.open.get_mut(&call) else {
            return;
        };
        if let Some((cseq, method)) = auth::cseq(noted.cseq) {
            match &mut open.request {
                Some(last) if *last.method == *method => last.cseq = cseq,
                last => {
                    let method = cut(method).into();
                    *last = Some(Request { cseq, method });
                }
            }
        }
        if let Some((status, credentials)) = noted.credentials {
            open.credentials = Some((status, cut(credentials).into()));
            let result = AuthResult::Sent;
            self.push(
                What::Auth { status, result },
                wall_us,
                call,
                cut(credentials),
            );
        }
    }

    /// A message came in, for a call or for nobody (0).
    pub(crate) fn received(
        &mut self,
        wall_us: u64,
        call: u64,
        flow: FlowId,
        from: SocketAddr,
        message: &[u8],
    ) {
        if !self.tells(Severity::Warn) {
            return;
        }
        let ends = (self.ends.of(flow), from);
        let known = self.open.get(&call).is_some_and(|open| open.told);
        let call_id = if known {
            None
        } else {
            Some(headers::call_id(message))
        };
        if let Some(id) = call_id
            && call != 0
        {
            self.begin(wall_us, call);
            self.announce(call, id, ends.0, ends.1);
        }
        if self.tells(Severity::Info) {
            // Taken out for a moment, as it is read while the batch grows.
            let known = self
                .open
                .get_mut(&call)
                .map(|open| std::mem::take(&mut open.call_id));
            let id = known.as_deref().or(call_id).unwrap_or_default();
            self.message(wall_us, call, false, ends, message, id);
            if let (Some(id), Some(open)) = (known, self.open.get_mut(&call)) {
                open.call_id = id;
            }
        }
        self.answered(wall_us, call, message);
    }

    /// Tells what became of credentials, if the message says so.
    fn answered(&mut self, wall_us: u64, call: u64, message: &[u8]) {
        let Some(open) = self.open.get_mut(&call) else {
            return;
        };
        if open.credentials.is_none() {
            return;
        }
        let Some(code) = status(message).filter(|code| *code >= 200) else {
            return;
        };
        if let Some((status, credentials)) = open.credentials.take() {
            let result = match code {
                401 | 407 => AuthResult::Rejected,
                _ => AuthResult::Accepted,
            };
            self.push(What::Auth { status, result }, wall_us, call, &credentials);
        }
    }

    /// Something has happened to a call.
    pub(crate) fn event(&mut self, wall_us: u64, call: u64, event: StatEvent, received: &[u8]) {
        if call == 0 || !self.tells(Severity::Warn) {
            return;
        }
        match event {
            StatEvent::Created { .. } => self.begin(wall_us, call),
            StatEvent::Ended { end, length } => {
                if let Some(open) = self.open.get(&call)
                    && !open.told
                {
                    let at = open.began_us;
                    self.push(What::CallStartedSilent, at, call, b"");
                }
                self.push(What::CallEnded { end, length }, wall_us, call, b"");
                self.open.remove(&call);
            }
            StatEvent::Unexpected { step, code } => {
                let line = cut(headers::start_line(received));
                self.push(What::Unexpected { step }, wall_us, call, line);
                if code > 0 {
                    self.compare(wall_us, call, code, received);
                }
            }
            StatEvent::TimedOut { step } => self.push(What::TimedOut { step }, wall_us, call, b""),
            StatEvent::Sent { .. }
            | StatEvent::Retransmitted { .. }
            | StatEvent::Received { .. }
            | StatEvent::ReceivedAgain { .. }
            | StatEvent::Lost { .. }
            | StatEvent::Paused { .. }
            | StatEvent::Shown { .. }
            | StatEvent::Rtd { .. }
            | StatEvent::Counter { .. }
            | StatEvent::OutOfCall
            | StatEvent::DeadCall
            | StatEvent::AutoAnswered
            | StatEvent::Discarded
            | StatEvent::MediaSkipped
            | StatEvent::KeepAlive => {}
        }
    }

    /// Compares a response that does not fit with the last request.
    fn compare(&mut self, wall_us: u64, call: u64, code: u16, received: &[u8]) {
        let Some(open) = self.open.get(&call) else {
            return;
        };
        let Some(request) = &open.request else {
            return;
        };
        let value = cut(auth::note(received).cseq);
        if auth::cseq(value) == Some((request.cseq, &request.method)) {
            return;
        }
        let what = What::CseqMismatch {
            code,
            expected: request.cseq,
            cseq_len: u16::try_from(value.len()).unwrap_or(0),
        };
        let texts = (value, &*request.method);
        self.batch
            .push_two(what, wall_us, call, &open.call_id, texts);
        self.full();
    }

    /// A line of an action.
    pub(crate) fn action(&mut self, wall_us: u64, call: u64, warning: bool, text: &[u8]) {
        self.push(What::Action { warning }, wall_us, call, text);
    }

    /// Something went wrong.
    pub(crate) fn error(&mut self, wall_us: u64, call: u64, kind: &'static str, text: &[u8]) {
        self.push(What::Error { kind }, wall_us, call, text);
    }

    /// There was no room for a message.
    pub(crate) fn mailbox(&mut self, wall_us: u64) {
        self.push(What::Mailbox, wall_us, 0, b"");
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.hand_over();
    }
}
