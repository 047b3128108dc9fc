// SPDX-License-Identifier: AGPL-3.0-only
//! What shards hand to the writer: raw records in one bounded queue.
//!
//! A shard collects records and hands them over once per turn, so the lock is taken once per turn too; the writer holds
//! it only to swap buffers. What does not fit is dropped and counted.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use gossipper_bytecode::{RtdId, StepId};
use gossipper_control::{LogCounts, Trace};
use gossipper_vm::{CallEnd, Micros};

use super::rows::Sample;
use super::{Files, Wanted};
use crate::measure::Record as CallRecord;
use crate::media::CallFigures;

/// Most bytes that wait for the disk.
pub(super) const MAX_QUEUE_BYTES: usize = 64 << 20;

/// Most records that wait for the disk.
const MAX_QUEUE_RECORDS: usize = 1 << 18;

/// Bytes that a shard collects at most before it hands them over.
const BATCH_BYTES: usize = 256 << 10;

/// How long the writer lets records gather before it takes them: it is woken, and the shards are disturbed, at most so
/// often.
const GATHER: Duration = Duration::from_millis(5);

/// What happened to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// It was handed to the kernel.
    Sent,
    /// It came in.
    Received,
    /// The kernel refused it.
    SendFailed,
    /// A command was handed to the connection of its twin.
    CommandSent,
    /// A command came from a twin.
    CommandReceived,
    /// A command could not be handed on.
    CommandFailed,
}

/// Where a line of the error log comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// The machine or the driver.
    Warning,
    /// A `warning` action.
    Action,
    /// What ends the run.
    Fatal,
}

/// What a record is.
#[derive(Debug)]
pub(super) enum Kind {
    /// A message, with the number of its call.
    Message { traffic: Traffic, call: u64 },
    /// A line of the error log.
    Error { concern: Concern, call: u64 },
    /// A line of a `log` action.
    Action,
    /// The history of a call.
    CallDebug,
    /// An unexpected response; the bytes are the message, if it is at hand.
    Code { call: u64, code: u16, step: StepId },
    /// A response time, and when it ended.
    Rtt {
        call: u64,
        rtd: RtdId,
        took: Micros,
        at: Micros,
    },
    /// A call that has ended; the bytes are its Call-ID and the start line of what did not fit.
    CallRecord {
        call: u64,
        end: CallEnd,
        length: Micros,
        call_id_bytes: usize,
        /// What its media came to, if it had any.
        media: Option<Box<CallFigures>>,
    },
    /// Figures for the next row of the tables.
    Sample(Box<Sample>),
    /// A trace is switched.
    Switch { trace: Trace, on: bool },
}

/// Kinds that are counted apart when they are lost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lost {
    pub(super) messages: u64,
    pub(super) errors: u64,
    pub(super) actions: u64,
    pub(super) call_debug: u64,
    pub(super) codes: u64,
    pub(super) rtts: u64,
    pub(super) call_records: u64,
}

impl Lost {
    fn any(&self) -> bool {
        let all = [
            self.messages,
            self.errors,
            self.actions,
            self.call_debug,
            self.codes,
            self.rtts,
            self.call_records,
        ];
        all.iter().any(|lost| *lost > 0)
    }

    fn count(&mut self, kind: &Kind) {
        *(match kind {
            Kind::Message { .. } => &mut self.messages,
            Kind::Error { .. } => &mut self.errors,
            Kind::Action => &mut self.actions,
            Kind::CallDebug => &mut self.call_debug,
            Kind::Code { .. } => &mut self.codes,
            Kind::Rtt { .. } => &mut self.rtts,
            Kind::CallRecord { .. } => &mut self.call_records,
            // Always taken: there are few.
            Kind::Sample(_) | Kind::Switch { .. } => return,
        }) += 1;
    }
}

#[derive(Debug)]
pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) wall_us: u64,
    /// Where its bytes begin.
    at: usize,
    len: usize,
}

/// Records and their bytes, one after the other.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) records: Vec<Record>,
    pub(super) bytes: Vec<u8>,
}

impl Batch {
    fn push(&mut self, kind: Kind, wall_us: u64, bytes: &[u8]) {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.records.push(Record {
            kind,
            wall_us,
            at,
            len: bytes.len(),
        });
    }

    fn push_two(&mut self, kind: Kind, wall_us: u64, first: &[u8], second: &[u8]) {
        self.push(kind, wall_us, first);
        self.bytes.extend_from_slice(second);
        if let Some(record) = self.records.last_mut() {
            record.len += second.len();
        }
    }

    /// Gives the records with their bytes away.
    pub(super) fn drain(&mut self, mut each: impl FnMut(Record, &[u8])) {
        for record in self.records.drain(..) {
            let bytes = &self.bytes[record.at..record.at + record.len];
            each(record, bytes);
        }
        self.bytes.clear();
    }

    /// Puts what several shards have handed over into the order of time.
    pub(super) fn sort(&mut self) {
        if !self.records.is_sorted_by_key(|record| record.wall_us) {
            self.records.sort_by_key(|record| record.wall_us);
        }
    }

    /// Takes everything over from another.
    fn append(&mut self, other: &mut Self) {
        let at = self.bytes.len();
        for record in &mut other.records {
            record.at += at;
        }
        self.records.append(&mut other.records);
        self.bytes.append(&mut other.bytes);
    }
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    batch: Batch,
    lost: Lost,
    closing: bool,
    /// The writer waits for a first record.
    idle: bool,
    pub(super) counts: LogCounts,
    /// Which traces are written, in the order of [`Trace`].
    on: [bool; 4],
    /// Some may be switched on.
    switchable: bool,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    /// [`Switched`] as bits, for shards.
    switched: AtomicU8,
    /// The thread that writes, once there is something to write.
    pub(super) writer: Mutex<Writer>,
}

/// Who writes.
#[derive(Debug, Default)]
pub(super) enum Writer {
    /// Nobody, and nothing is to be written.
    #[default]
    None,
    /// Nobody yet.
    Ready(Box<Files>),
    /// This thread.
    Thread(JoinHandle<()>),
}

/// Which of the kinds that can be switched shards hand over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Switched(u8);

impl Switched {
    const MESSAGES: u8 = 1;
    const ERRORS: u8 = 2;
    const ACTIONS: u8 = 4;

    fn of(on: [bool; 4]) -> Self {
        let [messages, short_messages, errors, actions] = on;
        let bit = |on: bool, bit: u8| if on { bit } else { 0 };
        Self(
            bit(messages || short_messages, Self::MESSAGES)
                | bit(errors, Self::ERRORS)
                | bit(actions, Self::ACTIONS),
        )
    }

    fn put_into(self, wanted: &mut Wanted) {
        wanted.messages = self.0 & Self::MESSAGES != 0;
        wanted.errors = self.0 & Self::ERRORS != 0;
        wanted.actions = self.0 & Self::ACTIONS != 0;
    }
}

/// What the writer has taken.
pub(super) struct Taken {
    pub(super) lost: Lost,
    pub(super) closing: bool,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Queue> {
        // The queue is consistent between any two statements, so a panic elsewhere does not spoil it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a batch over and leaves it empty.
    fn hand_over(&self, batch: &mut Batch) {
        let mut queue = self.lock();
        let before = queue.batch.bytes.len();
        let fits = queue.batch.records.len() + batch.records.len() <= MAX_QUEUE_RECORDS
            && before + batch.bytes.len() <= MAX_QUEUE_BYTES;
        if fits {
            queue.batch.append(batch);
        } else {
            batch.drain(|record, bytes| {
                let fits = queue.batch.records.len() < MAX_QUEUE_RECORDS
                    && queue.batch.bytes.len() + bytes.len() <= MAX_QUEUE_BYTES;
                if fits || matches!(record.kind, Kind::Sample(_) | Kind::Switch { .. }) {
                    queue.batch.push(record.kind, record.wall_us, bytes);
                } else {
                    queue.lost.count(&record.kind);
                }
            });
        }
        let half = MAX_QUEUE_BYTES / 2;
        let crossed = before < half && queue.batch.bytes.len() >= half;
        let wake = std::mem::take(&mut queue.idle) || crossed;
        drop(queue);
        if wake {
            self.wake.notify_one();
        }
    }

    /// Waits until there is something to write, lets more gather, and takes all of it.
    pub(super) fn take(&self, batch: &mut Batch) -> Taken {
        let mut queue = self.lock();
        while queue.batch.records.is_empty() && !queue.closing {
            queue.idle = true;
            queue = self
                .wake
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        queue.idle = false;
        let full =
            |queue: &mut Queue| !queue.closing && queue.batch.bytes.len() < MAX_QUEUE_BYTES / 2;
        let mut queue = self
            .wake
            .wait_timeout_while(queue, GATHER, full)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        std::mem::swap(&mut queue.batch, batch);
        Taken {
            lost: std::mem::take(&mut queue.lost),
            closing: queue.closing,
        }
    }

    /// What is written from the beginning, and whether more may be.
    pub(super) fn begin(&self, on: [bool; 4], switchable: bool) {
        let mut queue = self.lock();
        queue.on = on;
        queue.switchable = switchable;
        self.switched.store(Switched::of(on).0, Ordering::Relaxed);
    }

    /// Switches a trace; false when this run cannot.
    fn switch(self: &Arc<Self>, wall_us: u64, trace: Trace, on: bool) -> bool {
        let mut queue = self.lock();
        if !queue.switchable {
            return false;
        }
        queue.on[trace as usize] = on;
        let switched = Switched::of(queue.on);
        drop(queue);
        let mut batch = Batch::default();
        batch.push(Kind::Switch { trace, on }, wall_us, b"");
        self.hand_over(&mut batch);
        // Behind the switch, so that nothing comes before it.
        self.switched.store(switched.0, Ordering::Relaxed);
        super::begin_writing(self);
        true
    }

    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.wake.notify_one();
    }

    /// Whether the end is near and nothing waits.
    pub(super) fn is_done(&self) -> bool {
        let queue = self.lock();
        queue.closing && queue.batch.records.is_empty() && !queue.lost.any()
    }
}

/// Collects the records of one shard.
#[derive(Debug)]
pub struct LogSender {
    shared: Arc<Shared>,
    wanted: Wanted,
    switched: Switched,
    batch: Batch,
}

impl LogSender {
    pub(super) fn new(shared: Arc<Shared>, wanted: Wanted) -> Self {
        let switched = Switched(shared.switched.load(Ordering::Relaxed));
        Self {
            shared,
            wanted,
            switched,
            batch: Batch::default(),
        }
    }

    /// Another one, for a shard that runs the same scenario or (not `main`) another one, whose steps and timers the
    /// tables do not have.
    #[must_use]
    pub fn another(&self, main: bool) -> Self {
        let wanted = if main {
            self.wanted
        } else {
            self.wanted.without_tables()
        };
        Self::new(Arc::clone(&self.shared), wanted)
    }

    /// What is written at all.
    #[must_use]
    #[inline]
    pub fn wanted(&self) -> Wanted {
        self.wanted
    }

    fn push(&mut self, kind: Kind, wall_us: u64, bytes: &[u8]) {
        self.batch.push(kind, wall_us, bytes);
        if self.batch.bytes.len() >= BATCH_BYTES {
            self.hand_over();
        }
    }

    /// Hands what was collected to the writer. To be called once per turn.
    pub fn hand_over(&mut self) {
        if !self.batch.records.is_empty() {
            self.shared.hand_over(&mut self.batch);
        }
        // Another shard may have been told to switch a trace.
        let switched = Switched(self.shared.switched.load(Ordering::Relaxed));
        if switched != self.switched {
            self.switched = switched;
            switched.put_into(&mut self.wanted);
        }
    }

    /// Switches a trace, for all shards; false when this run has no files for that.
    pub(crate) fn switch(&mut self, wall_us: u64, trace: Trace, on: bool) -> bool {
        // What was collected until now comes before.
        self.hand_over();
        let switched = self.shared.switch(wall_us, trace, on);
        self.hand_over();
        switched
    }

    /// Notes a message and the number of its call, 0 if that is unknown or there is none.
    pub fn message(&mut self, wall_us: u64, traffic: Traffic, call: u64, bytes: &[u8]) {
        if self.wanted.messages {
            self.push(Kind::Message { traffic, call }, wall_us, bytes);
        }
    }

    /// Notes a warning or an error.
    pub fn error(&mut self, wall_us: u64, concern: Concern, call: u64, text: &[u8]) {
        if self.wanted.errors || (self.wanted.actions && concern == Concern::Action) {
            self.push(Kind::Error { concern, call }, wall_us, text);
        }
    }

    /// Notes a line of a `log` action.
    pub fn action(&mut self, wall_us: u64, text: &[u8]) {
        if self.wanted.actions {
            self.push(Kind::Action, wall_us, text);
        }
    }

    /// Notes the history of a call that failed.
    pub fn call_debug(&mut self, wall_us: u64, text: &[u8]) {
        if self.wanted.call_debug {
            self.push(Kind::CallDebug, wall_us, text);
        }
    }

    /// Notes an unexpected response.
    pub fn code(&mut self, wall_us: u64, call: u64, code: u16, step: StepId, bytes: &[u8]) {
        if self.wanted.codes {
            self.push(Kind::Code { call, code, step }, wall_us, bytes);
        }
    }

    /// Notes a response time that ended at `at`.
    pub fn rtt(&mut self, wall_us: u64, call: u64, rtd: RtdId, took: Micros, at: Micros) {
        if self.wanted.rtts {
            let kind = Kind::Rtt {
                call,
                rtd,
                took,
                at,
            };
            self.push(kind, wall_us, b"");
        }
    }

    /// Notes a call that has ended.
    pub(crate) fn call_record(
        &mut self,
        wall_us: u64,
        record: &CallRecord,
        media: Option<CallFigures>,
    ) {
        if self.wanted.call_records {
            let kind = Kind::CallRecord {
                call: record.call,
                end: record.end,
                length: record.length,
                call_id_bytes: record.call_id.len(),
                media: media.map(Box::new),
            };
            self.batch
                .push_two(kind, wall_us, &record.call_id, &record.unexpected);
        }
    }

    /// Hands figures over for the next row of the tables.
    pub(crate) fn sample(&mut self, wall_us: u64, sample: Sample) {
        self.push(Kind::Sample(Box::new(sample)), wall_us, b"");
        self.hand_over();
    }
}

impl Drop for LogSender {
    fn drop(&mut self) {
        self.hand_over();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_several_shards_come_in_the_order_of_time() {
        let (mut first, mut second) = (Batch::default(), Batch::default());
        first.push(Kind::Action, 1, b"a");
        second.push(Kind::Action, 2, b"bb");
        second.push(Kind::Action, 2, b"c");
        first.push(Kind::Action, 3, b"ddd");
        let mut all = Batch::default();
        all.append(&mut second);
        all.append(&mut first);
        all.sort();
        let mut texts = Vec::new();
        all.drain(|_, bytes| texts.push(String::from_utf8_lossy(bytes).into_owned()));
        assert_eq!(texts, ["a", "bb", "c", "ddd"]);
    }
}
