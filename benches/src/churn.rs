// SPDX-License-Identifier: AGPL-3.0-only
//! Many calls one after the other, without work of the bench between them: nothing is allocated, recorded or parsed here.
//!
//! The messages of one call are taken down once; those of another call differ in the number that their Call-ID begins
//! with. A call goes through two stages, so that any number of calls can be left open in between.

use crate::peer;
use crate::script::requests;
use gossipper_vm::{CallEnd, CallKey, Engine, FlowId, Input, Micros, OutBuf, Output, StatEvent};
use std::collections::VecDeque;

/// A message of any call.
#[derive(Debug)]
struct Text {
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Text {
    /// Splits a message of call 1 around that number in its Call-ID.
    fn new(message: &[u8]) -> Self {
        const NAME: &[u8] = b"Call-ID: ";
        let at = message.windows(NAME.len()).position(|part| part == NAME);
        let (before, rest) = message.split_at(at.expect("a Call-ID") + NAME.len());
        let after = rest.strip_prefix(b"1").expect("a message of call 1");
        Self {
            before: before.to_vec(),
            after: after.to_vec(),
        }
    }

    fn write(&self, call: u64, out: &mut Vec<u8>) {
        use std::io::Write as _;
        out.clear();
        out.extend_from_slice(&self.before);
        write!(out, "{call}").expect("memory takes all");
        out.extend_from_slice(&self.after);
    }
}

/// When, of which call, of which generation.
type Deadline = (Micros, CallKey, u32);

/// Pause of a client's calls, in which they are left open.
const PAUSE_MS: u32 = 1000;

/// Time between the beginnings of two calls: the ended ones that an engine remembers are few thousand then.
const STEP: Micros = Micros::from_ms(10);

/// An engine, and the messages that its calls get.
#[derive(Debug)]
pub struct Churn {
    engine: Engine,
    out: OutBuf,
    message: Vec<u8>,
    spawns: bool,
    /// What opens a call and brings it to where it is left open.
    opening: Vec<Text>,
    /// What ends it.
    ending: Vec<Text>,
    armed: Option<Deadline>,
    /// Deadlines of the open calls, oldest call first.
    waiting: VecDeque<Option<Deadline>>,
    now: Micros,
    succeeded: u64,
}

impl Churn {
    /// Calls of the built-in `uac`, left open in their pause.
    #[must_use]
    pub fn client() -> Self {
        let requests = &requests(1)[0];
        let answers = |at: usize| peer::answers(&requests[at]);
        Self::new("uac", true, &answers(0), &answers(2))
    }

    /// Calls of the built-in `uas`, left open once they are acknowledged.
    #[must_use]
    pub fn server() -> Self {
        let requests = &requests(1)[0];
        Self::new("uas", false, &requests[..2], &requests[2..])
    }

    fn new(name: &str, spawns: bool, opening: &[Vec<u8>], ending: &[Vec<u8>]) -> Self {
        let texts = |messages: &[Vec<u8>]| messages.iter().map(|text| Text::new(text)).collect();
        Self {
            engine: crate::engine(name, crate::builtin(name), PAUSE_MS),
            out: OutBuf::new(),
            message: Vec::new(),
            spawns,
            opening: texts(opening),
            ending: texts(ending),
            armed: None,
            waiting: VecDeque::new(),
            now: Micros(0),
            succeeded: 0,
        }
    }

    /// Opens a call; they have to be numbered from 1 in the order they are opened.
    pub fn open(&mut self, call: u64) {
        self.now = self.now.plus(STEP);
        if self.spawns {
            self.out.clear();
            let spawn = Input::Spawn {
                user: 0,
                due: self.now,
            };
            self.engine.handle(self.now, spawn, &mut self.out);
            self.look();
        }
        for at in 0..self.opening.len() {
            self.opening[at].write(call, &mut self.message);
            self.feed();
        }
        self.waiting.push_back(self.armed.take());
    }

    /// Ends the oldest call, and lets the time that it still waits pass.
    ///
    /// # Panics
    /// When it does not succeed.
    pub fn end(&mut self, call: u64) {
        let before = self.succeeded;
        self.armed = self.waiting.pop_front().flatten();
        self.fire();
        for at in 0..self.ending.len() {
            self.ending[at].write(call, &mut self.message);
            self.feed();
        }
        self.fire();
        assert_eq!(self.succeeded, before + 1, "call {call} did not succeed");
    }

    /// Calls that are open.
    #[must_use]
    pub fn open_calls(&self) -> usize {
        self.engine.open_calls()
    }

    fn fire(&mut self) {
        if let Some((at, call, generation)) = self.armed.take() {
            self.now = self.now.max(at);
            self.out.clear();
            let timer = Input::Timer { call, generation };
            self.engine.handle(self.now, timer, &mut self.out);
            self.look();
        }
    }

    fn feed(&mut self) {
        self.out.clear();
        let input = Input::Message {
            flow: FlowId(0),
            src: crate::remote(),
            bytes: &self.message,
        };
        self.engine.handle(self.now, input, &mut self.out);
        self.look();
    }

    fn look(&mut self) {
        for output in self.out.records() {
            match *output {
                Output::Arm {
                    call,
                    at,
                    generation,
                } => self.armed = Some((at, call, generation)),
                Output::Disarm { .. } | Output::Ended { .. } => self.armed = None,
                Output::Stat(StatEvent::Ended { end, .. }) => {
                    self.succeeded += u64::from(end == CallEnd::Success);
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_left_open_and_end_in_the_order_they_began() {
        for mut churn in [Churn::client(), Churn::server()] {
            (1..=50).for_each(|call| churn.open(call));
            assert_eq!(churn.open_calls(), 50);
            (1..=50).for_each(|call| churn.end(call));
            assert_eq!(churn.open_calls(), 0);
        }
    }
}
