// SPDX-License-Identifier: AGPL-3.0-only
//! Copies a shard's statistics into the plain data that reports read.

use gossipper_bytecode::{FailReason, Program};
use gossipper_control::{
    CallCounts, CounterSnapshot, EngineSnapshot, FailCount, MeanTime, ResponseTime, StepSnapshot,
};

use super::{RepartitionTable, Stats};

/// The parts of a snapshot that never change: names, steps, mode.
pub(super) fn layout(program: &Program) -> EngineSnapshot {
    EngineSnapshot {
        scenario: program.name.clone(),
        mode: Some(program.mode()),
        response_times: program
            .rtds
            .iter()
            .map(|rtd| ResponseTime {
                name: program.display(rtd.name),
                ..ResponseTime::default()
            })
            .collect(),
        steps: program
            .steps
            .iter()
            .map(|step| StepSnapshot {
                kind: step.kind,
                name: program.display(step.name),
                line: step.line,
                hidden: step.hidden,
                messages: 0,
                retransmissions: 0,
                timeouts: 0,
                unexpected: 0,
                lost: 0,
            })
            .collect(),
        counters: program
            .counters
            .iter()
            .map(|name| CounterSnapshot {
                name: program.display(*name),
                count: 0,
            })
            .collect(),
        ..EngineSnapshot::default()
    }
}

impl Stats {
    /// A copy of everything counted; addresses, rates, limits and transport are the shard's to add.
    #[must_use]
    pub fn snapshot(&self) -> EngineSnapshot {
        let mut snapshot = self.layout.clone();
        let counters = &self.counters;
        snapshot.calls = CallCounts {
            outgoing: counters.outgoing,
            incoming: counters.incoming,
            succeeded: counters.succeeded,
            failed: counters.failed(),
            current: counters.current(),
            peak: counters.peak,
            peak_at_us: counters.peak_at.0,
            ..CallCounts::default()
        };
        snapshot.failures = FailReason::ALL
            .iter()
            .map(|&reason| FailCount {
                reason,
                count: counters.failed[reason.index()],
            })
            .filter(|failed| failed.count > 0)
            .collect();
        snapshot.messages = counters.messages;
        for (into, rtd) in snapshot.response_times.iter_mut().zip(&self.rtds) {
            rtd.fill(into);
        }
        snapshot.call_length = self.call_length.summary();
        snapshot.call_length_repartition = self
            .call_length_cells
            .as_ref()
            .map(RepartitionTable::snapshot);
        let invite = self.invite_us.since(&self.invite_us_before);
        snapshot.invite = MeanTime {
            count: invite.count,
            mean_us: invite.mean(),
            stdev_us: invite.deviation(),
        };
        snapshot.lateness = self.lateness.summary();
        for (into, step) in snapshot.steps.iter_mut().zip(&counters.steps) {
            into.messages = step.messages;
            into.retransmissions = step.retransmissions;
            into.timeouts = step.timeouts;
            into.unexpected = step.unexpected;
            into.lost = step.lost;
        }
        for (into, &count) in snapshot.counters.iter_mut().zip(&counters.user) {
            into.count = count;
        }
        snapshot
    }
}
