// SPDX-License-Identifier: AGPL-3.0-only
//! The messages of a call that is watched.
//!
//! A message with the same bytes that goes the same way is a repetition, and is counted with the first.

use std::hash::BuildHasher as _;
use std::net::SocketAddr;

use foldhash::fast::FixedState;
use gossipper_control::shapes::Way;
use gossipper_control::{WatchedCall, WatchedMessage};
use gossipper_vm::Micros;

use super::names::{self, COMMAND, Name, Names};
use crate::logs::headers;

/// Messages of a call; of more, the first and the last are kept.
pub(super) const MOST_ROWS: usize = 16;

/// Of those, the first.
pub(super) const FIRST_ROWS: usize = MOST_ROWS / 2;

/// Bytes of a message by which it is known again.
const MOST_HASHED: usize = 4 << 10;

/// Bytes of a Call-ID.
const MOST_CALL_ID: usize = 128;

/// A message and its repetitions.
#[derive(Debug, Clone)]
pub(super) struct Row {
    at: Micros,
    last: Micros,
    hash: u64,
    way: Way,
    name: Name,
    repeated: u32,
}

impl Row {
    fn is_like(&self, other: &Self) -> bool {
        self.way == other.way
            && self.name == other.name
            && (self.repeated > 0) == (other.repeated > 0)
    }
}

/// An answer to a request of ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    took: Micros,
    late: Micros,
    row: Option<usize>,
}

impl Answer {
    /// It took so long since the request was sent, and that was so much later than due.
    pub(super) fn new(took: Micros, late: Micros) -> Self {
        Self {
            took,
            late,
            row: None,
        }
    }

    pub(super) fn sent(&self) -> Micros {
        self.took
    }

    pub(super) fn due(&self) -> Micros {
        self.took.plus(self.late)
    }

    /// Where it is among the messages that are kept.
    pub(super) fn row(&self) -> Option<usize> {
        self.row
    }
}

/// A call that is watched, or a place for one. What it holds is used again for the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Watched {
    /// Its number; 0 if the place is free.
    call: u64,
    began: Micros,
    call_id: Vec<u8>,
    peer: Option<SocketAddr>,
    rows: Vec<Row>,
    left_out: u64,
    slowest: Option<Answer>,
}

impl Watched {
    pub(super) fn begin(&mut self, call: u64, now: Micros) {
        self.forget();
        self.call = call;
        self.began = now;
        // All that it may need: the place is used again and again.
        self.rows.reserve_exact(MOST_ROWS);
    }

    pub(super) fn forget(&mut self) {
        self.call = 0;
        self.call_id.clear();
        self.peer = None;
        self.rows.clear();
        self.left_out = 0;
        self.slowest = None;
    }

    /// The slowest answer so far.
    pub(super) fn slowest(&self) -> Option<Answer> {
        self.slowest
    }

    /// What was received last is an answer.
    pub(super) fn answered(&mut self, answer: Answer) {
        if self
            .slowest
            .is_none_or(|slowest| answer.due() > slowest.due())
        {
            let row = self.rows.iter().rposition(|row| row.way == Way::Received);
            self.slowest = Some(Answer { row, ..answer });
        }
    }

    pub(super) fn message(
        &mut self,
        now: Micros,
        way: Way,
        peer: Option<SocketAddr>,
        message: &[u8],
        names: &mut Names,
    ) {
        if self.call_id.is_empty() {
            let id = headers::call_id(message);
            self.call_id
                .extend_from_slice(&id[..id.len().min(MOST_CALL_ID)]);
        }
        self.peer = self.peer.or(peer);
        let head = &message[..message.len().min(MOST_HASHED)];
        let hash = FixedState::default().hash_one((head, message.len()));
        let mut rows = self.rows.iter_mut();
        if let Some(row) = rows.find(|row| row.hash == hash && row.way == way) {
            row.repeated = row.repeated.saturating_add(1);
            row.last = now;
            return;
        }
        if self.rows.len() == MOST_ROWS {
            self.rows.remove(FIRST_ROWS);
            self.left_out += 1;
            if let Some(answer) = &mut self.slowest {
                answer.row = match answer.row {
                    Some(FIRST_ROWS) => None,
                    Some(row) if row > FIRST_ROWS => Some(row - 1),
                    row => row,
                };
            }
        }
        let name = match way {
            Way::Sent | Way::Received => names.of(message),
            Way::CommandSent | Way::CommandReceived => COMMAND,
        };
        self.rows.push(Row {
            at: now,
            last: now,
            hash,
            way,
            name,
            repeated: 0,
        });
    }

    /// Whether the same went to and fro in another call.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let mut rows = self.rows.iter().zip(&other.rows);
        self.rows.len() == other.rows.len()
            && (self.left_out > 0) == (other.left_out > 0)
            && rows.all(|(one, two)| one.is_like(two))
    }

    /// What is told of it, once it has ended.
    pub(super) fn told(&self, ended: Micros, names: &Names) -> WatchedCall {
        let since = |at: Micros| at.since(self.began).0;
        let messages = self.rows.iter().map(|row| WatchedMessage {
            at_us: since(row.at),
            way: row.way,
            label: names.text(row.name).to_owned(),
            repeated: row.repeated.into(),
            last_us: since(row.last),
        });
        WatchedCall {
            call: self.call,
            call_id: names::plain(&self.call_id, MOST_CALL_ID),
            peer: self.peer.map(|peer| peer.to_string()),
            began_us: self.began.0,
            length_us: since(ended),
            messages: messages.collect(),
            left_out: self.left_out,
            left_out_after: if self.left_out > 0 { FIRST_ROWS } else { 0 },
        }
    }
}
