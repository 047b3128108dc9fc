// SPDX-License-Identifier: AGPL-3.0-only
//! The init section: what runs once, before the first call.
//!
//! It is a call of its own that no message finds and no counter counts. Mostly it ends at once; one that exchanges
//! commands with twins waits for them, and then nothing else begins: messages are turned away, and commands for calls
//! are kept.

use super::{Engine, UNSPECIFIED, births, discard, split};
use crate::call::lean::Deadline;
use crate::call::{Call, Wait};
use crate::deadlines::rearm;
use crate::engine::Verdict;
use crate::exec::{Outcome, run, twin};
use crate::input::{CallControl, CallKey, FlowId, Input, Micros};
use crate::output::{OutBuf, Output, StatEvent};
use gossipper_bytecode::{FailReason, Op};
use gossipper_sip::strip_call_id_prefix;

/// Ops that the section may take at a time, in budgets of [`crate::exec::STEP_BUDGET`] turns.
const TURNS: u32 = 4096;

/// Its Call-ID in front of which stands `///`, as in SIPp: the same in every process, so that commands find it.
const CALL_ID: &[u8] = b"main-init";

/// Commands for calls that may wait for the end of the section.
const COMMANDS: usize = 4096;

/// Bytes of those.
const COMMAND_BYTES: usize = 4 << 20;

const NOT_SENT: &[u8] = b"a command of the init section cannot be sent";

/// The init section, until it has ended.
#[derive(Debug, Default)]
pub(super) struct Starting {
    /// Its call; null before it begins.
    call: CallKey,
    /// Commands that came for calls.
    commands: Vec<Box<[u8]>>,
    bytes: usize,
}

impl Engine {
    /// Runs the `init` section, if the scenario has one. Call once, before the first input.
    ///
    /// While [`Self::is_starting`] holds afterwards no call is to be opened.
    /// A section that does not end is reported as [`Output::Fatal`].
    pub fn start(&mut self, now: Micros, out: &mut OutBuf) {
        self.start_beside(now, out);
        let Some(entry) = self.image.program.init else {
            return;
        };
        // COMPAT(sipp): the pseudo call of init takes call number 1.
        let key = self.new_call(now, now, FlowId::MAIN, UNSPECIFIED);
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        call.pc = entry;
        call.call_id.set(&[b"///", CALL_ID].concat());
        if !births::take_lines(&mut self.shared, self.siblings.is_some(), call, out) {
            self.starting = None;
            return self.take_back(key);
        }
        births::take_circuit(&mut self.shared, call);
        if let Some(starting) = &mut self.starting {
            starting.call = key;
        }
        self.run_init(now, out);
    }

    /// Whether the init section has not ended: it waits for commands of a twin.
    #[must_use]
    pub fn is_starting(&self) -> bool {
        self.starting.is_some()
    }

    /// Whether the section has begun and waits.
    pub(super) fn init_waits(&self) -> bool {
        let starting = self.starting.as_ref();
        starting.is_some_and(|starting| self.calls.contains_key(starting.call))
    }

    pub(super) fn handle_starting(&mut self, now: Micros, input: Input<'_>, out: &mut OutBuf) {
        match input {
            Input::Message { bytes, .. } => {
                out.push(Output::Stat(StatEvent::OutOfCall));
                discard(
                    out,
                    b"Discarding a message: the init section has not ended",
                    bytes,
                );
            }
            Input::Twin { bytes } => self.init_command(now, bytes, out),
            Input::TwinFailed { .. } => {
                fatal(out, NOT_SENT);
                self.end_init(now, out);
            }
            Input::Timer { call, generation } => self.init_timer(now, call, generation, out),
            Input::Control(CallControl::Drain) => self.draining = true,
            Input::Control(CallControl::Users(users)) => self.shared.users = Some(users),
            Input::Control(CallControl::AbortAll) => {
                self.draining = true;
                self.end_init(now, out);
            }
            Input::Ports { ports } => self.take_in_ports(ports),
            // There are no calls, and the driver opens none.
            Input::Spawn { .. }
            | Input::Open { .. }
            | Input::Resume { .. }
            | Input::Opened { .. }
            | Input::Unsent { .. }
            | Input::Media { .. }
            | Input::Flow { .. } => {}
        }
    }

    /// Runs the section until it waits or has ended.
    fn run_init(&mut self, now: Micros, out: &mut OutBuf) {
        let Some(key) = self.starting.as_ref().map(|starting| starting.call) else {
            return;
        };
        for _ in 0..TURNS {
            let Some((call, mut cx)) = split(
                &self.image,
                &mut self.calls,
                &mut self.shared,
                key,
                now,
                out,
            ) else {
                return;
            };
            match run(&mut cx, call) {
                Outcome::Suspended if call.wait == Wait::Message => {
                    rearm(call, key, cx.out);
                    return;
                }
                // A used-up budget; nobody has to resume it but this loop.
                Outcome::Suspended => out.pop_yield(),
                Outcome::Dropped(FailReason::CmdNotSent) => {
                    fatal(out, NOT_SENT);
                    return self.end_init(now, out);
                }
                Outcome::Completed | Outcome::Dropped(_) => return self.end_init(now, out),
            }
        }
        fatal(out, b"the init section of the scenario does not end");
        self.end_init(now, out);
    }

    fn init_timer(&mut self, now: Micros, key: CallKey, generation: u32, out: &mut OutBuf) {
        let Some(call) = self.calls.get_mut(key) else {
            return;
        };
        if u32::from(call.generation) != generation || !call.recv_deadline.has_come(now) {
            return;
        }
        call.armed = Deadline::NONE;
        call.recv_deadline = Deadline::NONE;
        // What is to be done without the command.
        call.pc = call.pc.next();
        self.run_init(now, out);
    }

    /// A command is for the section if it has its Call-ID, and is expected; others are for calls.
    fn init_command(&mut self, now: Micros, bytes: &[u8], out: &mut OutBuf) {
        let Some(id) = twin::call_id(bytes) else {
            discard(out, b"Discarding a command without Call-ID", bytes);
            return;
        };
        if strip_call_id_prefix(id) != CALL_ID || !self.offer(now, bytes, out) {
            return self.keep_command(bytes, out);
        }
        // Another peer may have been ahead of the one whose turn it was.
        while self.starting.is_some() && self.offer_kept(now, out) {}
    }

    /// Whether the section takes a command that is for it.
    fn offer(&mut self, now: Micros, bytes: &[u8], out: &mut OutBuf) -> bool {
        let Some(key) = self.starting.as_ref().map(|starting| starting.call) else {
            return false;
        };
        let Some((call, mut cx)) = split(
            &self.image,
            &mut self.calls,
            &mut self.shared,
            key,
            now,
            out,
        ) else {
            return false;
        };
        let Op::TwinAwait { command } = cx.image.program.ops[call.pc.index()] else {
            return false;
        };
        let recv = cx.image.program.twin_recvs[command.index()];
        if !twin::is_from(&cx, &recv, bytes) {
            return false;
        }
        match twin::take(&mut cx, call, &recv, bytes) {
            Verdict::Drop(_) => self.end_init(now, out),
            _ => self.run_init(now, out),
        }
        true
    }

    /// Whether the section takes one of the commands that are kept.
    fn offer_kept(&mut self, now: Micros, out: &mut OutBuf) -> bool {
        let count = self
            .starting
            .as_ref()
            .map_or(0, |starting| starting.commands.len());
        for index in 0..count {
            let Some(starting) = &mut self.starting else {
                return false;
            };
            let command = &starting.commands[index];
            if twin::call_id(command).map(strip_call_id_prefix) != Some(CALL_ID) {
                continue;
            }
            let command = starting.commands.remove(index);
            if self.offer(now, &command, out) {
                return true;
            }
            if let Some(starting) = &mut self.starting {
                starting.commands.insert(index, command);
            }
        }
        false
    }

    fn keep_command(&mut self, bytes: &[u8], out: &mut OutBuf) {
        let Some(starting) = &mut self.starting else {
            return;
        };
        let size = starting.bytes + bytes.len();
        if starting.commands.len() >= COMMANDS || size > COMMAND_BYTES {
            out.push(Output::Stat(StatEvent::OutOfCall));
            discard(
                out,
                b"Discarding a command: too many wait for the end of the init section",
                bytes,
            );
            return;
        }
        starting.bytes = size;
        starting.commands.push(bytes.into());
    }

    /// Ends the section; what waited for that begins.
    fn end_init(&mut self, now: Micros, out: &mut OutBuf) {
        let Some(starting) = self.starting.take() else {
            return;
        };
        if let Some(call) = self.calls.end(starting.call) {
            if call.armed.is_some() {
                out.push(Output::Disarm {
                    call: starting.call,
                });
            }
            // The first call shall find it free.
            births::give_back(&mut self.shared, call);
            *call = Call::blank();
        }
        for command in &starting.commands {
            self.command(now, command, out);
        }
    }
}

fn fatal(out: &mut OutBuf, text: &[u8]) {
    let text = out.store(text);
    out.push(Output::Fatal { text });
}
