// SPDX-License-Identifier: AGPL-3.0-only
//! What a shard tells its traces, and of which call.
//!
//! Messages, lines of logs and histories are those of all calls; tables, events and records are about the main scenario
//! alone, and know nothing of the calls of a scenario beside it.

use gossipper_vm::{Micros, OutBuf, Output, StatEvent};

use super::Machine;
use super::core::Core;
use crate::logs::Traffic;

impl<M: Machine> Core<M> {
    /// Tells the traces of a message of the call at hand that was handed on.
    pub(super) fn note_sent(&mut self, now: Micros, traffic: Traffic, bytes: &[u8]) {
        let call = self.about;
        self.logs
            .message(self.clock.wall_us(now), traffic, call, bytes);
        if let Some(watch) = &mut self.watch {
            watch.message(now, None, call, traffic, bytes);
        }
    }

    /// Tells the traces of a message that the machine has taken in. Its orders say whose it is.
    #[inline]
    pub(super) fn note_received(
        &mut self,
        now: Micros,
        out: &OutBuf,
        traffic: Traffic,
        bytes: &[u8],
    ) {
        let wanted = self.logs.wanted();
        if wanted.messages || wanted.call_debug {
            self.trace_received(now, first_named(out).call, traffic, bytes);
        }
    }

    #[cold]
    fn trace_received(&mut self, now: Micros, call: u64, traffic: Traffic, bytes: &[u8]) {
        // Without anybody who tells calls apart they have no numbers.
        let call = self.watch.as_ref().map_or(0, |_| call);
        self.logs
            .message(self.clock.wall_us(now), traffic, call, bytes);
        if let Some(watch) = &mut self.watch {
            watch.message(now, None, call, traffic, bytes);
        }
    }

    /// Tells the histories of calls what has happened to one of the scenario beside. What else is traced is about the main
    /// scenario.
    pub(super) fn trace_beside(&mut self, now: Micros, event: StatEvent) {
        if let Some(watch) = &mut self.watch
            && let Some(history) = watch.event_beside(now, self.about, event)
        {
            self.logs.call_debug(self.clock.wall_us(now), &history);
        }
    }

    /// The call of the main scenario that the order at hand is about; 0 if it is about none.
    pub(super) fn about_main(&self) -> u64 {
        if self.of_beside { 0 } else { self.about }
    }

    /// Hands over what was collected for the traces. To be called once per turn, and when one was switched.
    pub(super) fn hand_over_logs(&mut self) {
        self.logs.hand_over();
        if let Some(watch) = &mut self.watch {
            watch.tell_numbers(self.logs.wanted().messages);
            self.tells_sent = watch.wants_sent();
        }
    }

    /// Finds out whether anybody is to be told what happens to calls, and what they send. To be called once all that may want to is there.
    pub(super) fn begin_traces(&mut self) {
        let wanted = self.logs.wanted();
        self.tells_sent = self.watch.as_ref().is_some_and(|watch| watch.wants_sent());
        // What a run can switch while it goes on is not among them.
        self.traced = wanted.codes
            || wanted.rtts
            || self
                .watch
                .as_ref()
                .is_some_and(|watch| watch.wants_events())
            || self.measure.is_some()
            || self.tap.is_some();
    }

    /// Tells the traces what has happened.
    #[cold]
    pub(super) fn trace(&mut self, now: Micros, event: StatEvent, received: &[u8]) {
        let (wall_us, call) = (self.clock.wall_us(now), self.about);
        match event {
            StatEvent::Unexpected { step, code } if code > 0 => {
                self.logs.code(wall_us, call, code, step, received);
            }
            StatEvent::Rtd { rtd, took, .. } => self.logs.rtt(wall_us, call, rtd, took, now),
            _ => {}
        }
        if let Some(watch) = &mut self.watch
            && let Some(history) = watch.event(now, call, event)
        {
            self.logs.call_debug(wall_us, &history);
        }
        if let Some(tap) = &mut self.tap {
            tap.event(wall_us, call, event, received);
        }
        if let Some(measure) = &mut self.measure {
            let (answer, record) = measure.event(now, call, event, received);
            if let (Some((took, late)), Some(shapes)) = (answer, &mut self.shapes) {
                shapes.answered(call, took, late);
            }
            if let Some(record) = record {
                // Its end is followed by what its media came to.
                self.ended = Some((wall_us, record));
            }
        }
    }
}

/// Whom orders are about.
#[derive(Clone, Copy)]
pub(super) struct Named {
    /// The number of the call; 0 if there is none.
    pub(super) call: u64,
    /// It is one of the scenario beside.
    pub(super) beside: bool,
}

/// The first call that orders are about.
#[inline]
pub(super) fn first_named(out: &OutBuf) -> Named {
    let mut beside = false;
    for order in out.records() {
        match *order {
            Output::About { call } => return Named { call, beside },
            Output::Beside { begins } => beside = begins,
            _ => {}
        }
    }
    Named { call: 0, beside }
}
