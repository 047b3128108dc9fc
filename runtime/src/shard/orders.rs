// SPDX-License-Identifier: AGPL-3.0-only
//! Carries out what the machine has ordered.
//!
//! The five orders that every call gives stand in the loop; all others are in a function of their own, so that the loop
//! stays small. Orders are looked at where they lie and never copied.
// PERF: the machine writes a record of an order field by field; a copy of it would be read in wide pieces that wait until
// all of those are written (2026-11-21).

use std::net::SocketAddr;
use std::ops::ControlFlow;

use gossipper_bytecode::LogLevel;
use gossipper_vm::{ByteRange, CallKey, FlowId, LogKind, Micros, OutBuf, Output, StatEvent};
use slotmap::Key as _;

use super::core::Core;
use super::{Ending, Machine};
use crate::group;
use crate::logs::{Concern, Traffic};

impl<M: Machine> Core<M> {
    /// Carries out orders that follow from what was received, if anything was.
    pub(super) fn carry_out(&mut self, now: Micros, out: &OutBuf, received: &[u8]) {
        let mut within = None;
        for order in out.records() {
            match order {
                Output::About { call } => self.about = *call,
                Output::Stat(event) => self.count(now, event, received),
                Output::Send {
                    call,
                    flow,
                    to,
                    bytes,
                } => self.send(now, (*call, *flow, to), out, *bytes, &mut within),
                Output::Arm {
                    call,
                    at,
                    generation,
                } => self.wheel.arm(call.data().as_ffi(), *generation, *at),
                Output::Disarm { call } => self.wheel.disarm(call.data().as_ffi()),
                Output::Ended { call, user, length } => {
                    if self.media.is_some() || self.ended.is_some() {
                        self.tell_ended(now, *call);
                    }
                    self.wheel.disarm(call.data().as_ffi());
                    if *user != 0
                        && let Some(schedule) = &mut self.schedule
                    {
                        schedule.release(now, *user, *length);
                    }
                }
                rare => {
                    if self.carry_out_rare(now, rare, out, &mut within).is_break() {
                        break;
                    }
                }
            }
        }
        self.about = 0;
        self.of_beside = false;
    }

    /// Counts, and tells whoever wants to know.
    #[inline]
    fn count(&mut self, now: Micros, event: &StatEvent, received: &[u8]) {
        if self.of_beside {
            return self.count_beside(now, event);
        }
        self.stats.apply(now, event);
        if let Some(invites) = &mut self.invites
            && let Some(took) = invites.event(now, self.about, event)
        {
            self.stats.invite_answered(took);
        }
        if self.traced {
            self.trace(now, *event, received);
        }
        if let Some(shapes) = &mut self.shapes {
            shapes.event(now, self.about, event, received);
        }
        if let Some(place) = &self.place {
            group::note(place, &mut self.stats, now, event);
        }
    }

    #[cold]
    fn count_beside(&mut self, now: Micros, event: &StatEvent) {
        if let Some(beside) = &mut self.beside {
            beside.stats.apply(now, event);
        }
        self.trace_beside(now, *event);
    }

    /// Has a message leave with others.
    #[inline]
    fn send(
        &mut self,
        now: Micros,
        (call, flow, to): (Option<CallKey>, FlowId, &SocketAddr),
        out: &OutBuf,
        bytes: ByteRange,
        within: &mut Option<Micros>,
    ) {
        if self.traced {
            self.tell_sent(now, flow, *to, out.bytes(bytes));
        }
        if let Some(shapes) = &mut self.shapes {
            shapes.sends(now, self.about, to, out.bytes(bytes));
        }
        let outbox = match (flow.0 as usize).checked_sub(1) {
            None if !self.main_is_stream => &mut self.outbox,
            side => match side.and_then(|side| self.sides.get_mut(side)) {
                Some(side) => &mut side.outbox,
                None => {
                    let bytes = out.bytes(bytes);
                    return self.push_to_flow(now, flow, call, *to, bytes, within.take());
                }
            },
        };
        outbox.push(call, to, out.all_bytes(), bytes.range(), &mut self.counts);
        self.unsent_in_orders = true;
        if self.tells_sent
            && let Some(watch) = &mut self.watch
        {
            watch.message(now, call, self.about, Traffic::Sent, out.bytes(bytes));
        }
    }

    /// Tells reports and events of a message that is about to be sent.
    #[cold]
    fn tell_sent(&mut self, now: Micros, flow: FlowId, to: SocketAddr, bytes: &[u8]) {
        if let Some(measure) = &mut self.measure {
            measure.sends(self.about, bytes);
        }
        if let Some(tap) = &mut self.tap {
            let wall_us = self.clock.wall_us(now);
            let call = if self.of_beside { 0 } else { self.about };
            tap.sent(wall_us, call, flow, to, bytes);
        }
    }

    /// Tells media and reports that a call is gone.
    #[cold]
    fn tell_ended(&mut self, now: Micros, call: CallKey) {
        let media = self.media.as_mut();
        let figures = media.map(|media| media.ended(now, call));
        if let Some((wall_us, record)) = self.ended.take() {
            self.logs.call_record(wall_us, &record, figures);
        }
    }

    /// Carries out an order that most calls never give; says whether those behind it count.
    #[inline(never)]
    fn carry_out_rare(
        &mut self,
        now: Micros,
        order: &Output,
        out: &OutBuf,
        within: &mut Option<Micros>,
    ) -> ControlFlow<()> {
        match *order {
            // Carried out by the caller.
            Output::About { .. }
            | Output::Stat(_)
            | Output::Send { .. }
            | Output::Arm { .. }
            | Output::Disarm { .. }
            | Output::Ended { .. } => {}
            Output::Within { ms } => *within = Some(Micros::from_ms(u64::from(ms))),
            Output::Beside { begins } => {
                self.of_beside = begins;
                self.about = 0;
            }
            Output::Open { call, to } => self.open_flow(now, call, to),
            Output::Close { flow } => self.close_flow(flow),
            Output::Unfinished { flow, event } => self.unfinished.push_back((flow, event)),
            Output::Twin { call, peer, bytes } => {
                if let Some(shapes) = &mut self.shapes {
                    shapes.commands(now, self.about, out.bytes(bytes));
                }
                if !self.send_command(now, peer, out.bytes(bytes)) {
                    self.trouble(now, "cannot hand a command to the twin");
                    self.uncommanded.extend(call);
                }
            }
            Output::MediaBegan { .. } | Output::Media { .. } | Output::Sdp { .. } => {
                self.order_media(now, order, out);
            }
            Output::Log { kind, text } => self.log(now, kind, out.bytes(text)),
            Output::Exec { command } => {
                if !self.exec.run(out.bytes(command)) {
                    self.trouble(
                        now,
                        "cannot start an external command: too many are waiting",
                    );
                }
            }
            // COMPAT(sipp): without `-rtp_echo` there is nothing to switch.
            Output::SwitchEcho { on } => {
                if let Some(echo) = &self.echo {
                    echo.set(on);
                }
            }
            Output::Yield { call } => self.resumes.push_back(call),
            Output::StopGracefully => self.draining = true,
            // Nothing that the call did after it counts any more.
            Output::StopNow => {
                self.ending.get_or_insert(Ending::StopNow);
                return ControlFlow::Break(());
            }
            Output::Fatal { text } => {
                self.say(now, Concern::Fatal, out.bytes(text));
                let text = String::from_utf8_lossy(out.bytes(text)).into_owned();
                self.ending.get_or_insert(Ending::Fatal(text));
            }
        }
        ControlFlow::Continue(())
    }

    /// Writes a line that the machine wants written.
    fn log(&mut self, now: Micros, kind: LogKind, text: &[u8]) {
        match kind {
            LogKind::Warning => self.warn(now, text),
            LogKind::Action(LogLevel::Warning) => self.say(now, Concern::Action, text),
            // Without `-trace_logs` they are dropped, as in SIPp.
            LogKind::Action(LogLevel::Log) => {
                let wall_us = self.clock.wall_us(now);
                self.logs.action(wall_us, text);
                let call = self.about_main();
                if let Some(tap) = &mut self.tap {
                    tap.action(wall_us, call, false, text);
                }
            }
        }
    }
}
