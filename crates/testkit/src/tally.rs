// SPDX-License-Identifier: AGPL-3.0-only
//! Counters of a simulated run, added up from the statistics events of an engine.

use gossipper_bytecode::{FailReason, RtdId};
use gossipper_vm::{CallEnd, Micros, StatEvent};
use std::collections::BTreeMap;

/// What a node has counted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Calls that began.
    pub created: u64,
    /// Calls that ended well.
    pub succeeded: u64,
    /// Calls that failed, by reason.
    pub failed: BTreeMap<FailReason, u64>,
    /// Messages sent for the first time, by step.
    pub sent: BTreeMap<u16, u64>,
    /// Messages accepted, by step.
    pub received: BTreeMap<u16, u64>,
    /// Messages repeated.
    pub retransmitted: u64,
    /// Repetitions received.
    pub received_again: u64,
    /// Messages dropped on purpose.
    pub lost: u64,
    /// Timeouts.
    pub timed_out: u64,
    /// Unexpected messages.
    pub unexpected: u64,
    /// Messages that belong to no call.
    pub out_of_call: u64,
    /// Messages for calls that had ended.
    pub dead_call: u64,
    /// Requests answered without the scenario.
    pub auto_answered: u64,
    /// Packets that are no SIP message.
    pub discarded: u64,
    /// Media actions passed over.
    pub media_skipped: u64,
    /// Steps that show a text, by how often they ran.
    pub shown: BTreeMap<u16, u64>,
    /// User counters.
    pub counters: BTreeMap<u16, u64>,
    /// Response times in the order they were recorded.
    pub rtds: Vec<(RtdId, Micros)>,
}

impl Tally {
    /// Counts one event.
    pub fn add(&mut self, event: StatEvent) {
        match event {
            StatEvent::Created { .. } => self.created += 1,
            StatEvent::Sent { step } => *self.sent.entry(step.0).or_default() += 1,
            StatEvent::Received { step, .. } => *self.received.entry(step.0).or_default() += 1,
            StatEvent::Retransmitted { .. } => self.retransmitted += 1,
            StatEvent::ReceivedAgain { .. } => self.received_again += 1,
            StatEvent::Lost { .. } => self.lost += 1,
            StatEvent::TimedOut { .. } => self.timed_out += 1,
            StatEvent::Unexpected { .. } => self.unexpected += 1,
            StatEvent::Paused { .. } | StatEvent::KeepAlive => {}
            StatEvent::Shown { step } => *self.shown.entry(step.0).or_default() += 1,
            StatEvent::Rtd { rtd, took, .. } => self.rtds.push((rtd, took)),
            StatEvent::Counter { counter } => {
                *self.counters.entry(counter.0).or_default() += 1;
            }
            StatEvent::Ended { end, .. } => match end {
                CallEnd::Success => self.succeeded += 1,
                CallEnd::Failure(reason) => *self.failed.entry(reason).or_default() += 1,
            },
            StatEvent::MediaSkipped => self.media_skipped += 1,
            StatEvent::OutOfCall => self.out_of_call += 1,
            StatEvent::DeadCall => self.dead_call += 1,
            StatEvent::AutoAnswered => self.auto_answered += 1,
            StatEvent::Discarded => self.discarded += 1,
        }
    }

    /// Calls that failed, for any reason.
    #[must_use]
    pub fn failed_calls(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Calls that have ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.succeeded + self.failed_calls()
    }
}
