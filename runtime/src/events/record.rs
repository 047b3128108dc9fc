// SPDX-License-Identifier: AGPL-3.0-only
//! An event as a shard leaves it: what it is, and the bytes that go with it, one event's after the other's.

use std::net::SocketAddr;

use gossipper_bytecode::StepId;
use gossipper_otlp::Severity;
use gossipper_vm::{CallEnd, Micros};

use super::Totals;

/// Bytes of a Call-ID that are kept.
const MOST_ID: usize = 256;

/// Bytes of any other text, the longest being a message at the lowest level.
const MOST_TEXT: usize = 4096;

/// What happened.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    /// The run begins.
    EngineStarted { total: Option<u64>, rate: f64 },
    /// The run is over.
    EngineStopped { totals: Totals, dropped: u64 },
    /// A call begins; the text is empty.
    CallStarted {
        local: SocketAddr,
        remote: SocketAddr,
    },
    /// A call that never sent or received anything.
    CallStartedSilent,
    /// A call ends.
    CallEnded { end: CallEnd, length: Micros },
    /// A message; the text is its start line, or all of it at the lowest level.
    Message {
        sent: bool,
        whole: bool,
        local: SocketAddr,
        remote: SocketAddr,
    },
    /// A message that does not fit; the text is its start line.
    Unexpected { step: StepId },
    /// Credentials; the text is the header's value.
    Auth { status: u16, result: AuthResult },
    /// A time is over.
    TimedOut { step: StepId },
    /// A line of a `log` action, or of a `warning` one.
    Action { warning: bool },
    /// Something went wrong.
    Error { kind: &'static str },
    /// A shard has no room for a message of its call.
    Mailbox,
    /// A response to another request than the last; the text is its CSeq and the method of the last request.
    CseqMismatch {
        code: u16,
        expected: u32,
        cseq_len: u16,
    },
}

/// What becomes of credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AuthResult {
    Sent,
    Accepted,
    Rejected,
}

impl AuthResult {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }
}

impl What {
    pub(super) const fn level(&self) -> Severity {
        match self {
            Self::EngineStarted { .. }
            | Self::EngineStopped { .. }
            | Self::CallStarted { .. }
            | Self::CallStartedSilent
            | Self::CallEnded {
                end: CallEnd::Success,
                ..
            }
            | Self::Message { .. }
            | Self::Auth { .. }
            | Self::Action { warning: false } => Severity::Info,
            Self::CallEnded {
                end: CallEnd::Failure(_),
                ..
            }
            | Self::Unexpected { .. }
            | Self::TimedOut { .. }
            | Self::Mailbox
            | Self::CseqMismatch { .. }
            | Self::Action { warning: true } => Severity::Warn,
            Self::Error { .. } => Severity::Error,
        }
    }
}

#[derive(Debug)]
pub(super) struct Record {
    pub(super) what: What,
    pub(super) wall_us: u64,
    /// The number of the call; 0 without one.
    pub(super) call: u64,
    at: usize,
    id_len: usize,
    text_len: usize,
}

/// Events and their bytes.
#[derive(Debug, Default)]
pub(super) struct Batch {
    records: Vec<Record>,
    bytes: Vec<u8>,
    /// So many at the front have been overwritten.
    gone: usize,
}

impl Batch {
    pub(super) fn push(&mut self, what: What, wall_us: u64, call: u64, id: &[u8], text: &[u8]) {
        self.push_two(what, wall_us, call, id, (text, b""));
    }

    pub(super) fn push_two(
        &mut self,
        what: What,
        wall_us: u64,
        call: u64,
        id: &[u8],
        (text, more): (&[u8], &[u8]),
    ) {
        let at = self.bytes.len();
        let id = &id[..id.len().min(MOST_ID)];
        let text = &text[..text.len().min(MOST_TEXT)];
        let more = &more[..more.len().min(MOST_TEXT)];
        self.bytes.extend_from_slice(id);
        self.bytes.extend_from_slice(text);
        self.bytes.extend_from_slice(more);
        self.records.push(Record {
            what,
            wall_us,
            call,
            at,
            id_len: id.len(),
            text_len: text.len() + more.len(),
        });
    }

    /// Events that are still there.
    pub(super) fn len(&self) -> usize {
        self.records.len() - self.gone
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Overwrites so many at the front.
    pub(super) fn forget(&mut self, events: usize) {
        self.gone = (self.gone + events).min(self.records.len());
    }

    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.bytes.clear();
        self.gone = 0;
    }

    /// An event with its Call-ID and its text.
    pub(super) fn get(&self, index: usize) -> (&Record, &[u8], &[u8]) {
        let record = &self.records[self.gone + index];
        let bytes = &self.bytes[record.at..record.at + record.id_len + record.text_len];
        let (id, text) = bytes.split_at(record.id_len);
        (record, id, text)
    }
}
