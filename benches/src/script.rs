// SPDX-License-Identifier: AGPL-3.0-only
//! Calls as recorded inputs, and their replay.

use crate::peer;
use gossipper_vm::{CallEnd, CallKey, Engine, FlowId, Input, Micros, OutBuf, Output, StatEvent};
use std::collections::VecDeque;
use std::net::SocketAddr;

/// An input that owns what it holds.
#[derive(Clone, PartialEq, Debug)]
pub enum Recorded {
    /// Pacing wants a call.
    Spawn,
    /// A datagram.
    Message(Vec<u8>),
    /// A deadline has come.
    Timer(CallKey, u32),
}

/// Inputs with their times.
pub type Script = Vec<(Micros, Recorded)>;

/// The driver of one engine: carries deadlines, answers requests, records what it feeds.
#[derive(Debug)]
pub struct Driver {
    /// What it drives.
    pub engine: Engine,
    /// The time of the next input.
    pub now: Micros,
    out: OutBuf,
    armed: Option<(Micros, CallKey, u32)>,
    /// Messages that the engine has sent and nobody has looked at yet.
    sent: VecDeque<Vec<u8>>,
    recording: Option<Script>,
    succeeded: u64,
    ended: u64,
}

impl Driver {
    /// A driver at time 0.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            now: Micros(0),
            out: OutBuf::new(),
            armed: None,
            sent: VecDeque::new(),
            recording: None,
            succeeded: 0,
            ended: 0,
        }
    }

    /// Keeps the inputs from now on.
    pub fn record(&mut self) {
        self.recording = Some(Script::new());
    }

    /// The inputs since [`Self::record`].
    pub fn recorded(&mut self) -> Script {
        self.recording.take().unwrap_or_default()
    }

    /// Feeds one input and carries out what follows.
    pub fn feed(&mut self, input: Recorded) {
        self.out.clear();
        self.engine
            .handle(self.now, as_input(&input), &mut self.out);
        if let Some(script) = &mut self.recording {
            script.push((self.now, input));
        }
        for output in self.out.records() {
            match *output {
                Output::Send { bytes, .. } => {
                    self.sent.push_back(self.out.bytes(bytes).to_vec());
                }
                Output::Arm {
                    call,
                    at,
                    generation,
                } => self.armed = Some((at, call, generation)),
                Output::Disarm { .. } | Output::Ended { .. } => self.armed = None,
                Output::Stat(StatEvent::Ended { end, .. }) => {
                    self.ended += 1;
                    self.succeeded += u64::from(end == CallEnd::Success);
                }
                Output::Stat(_) => {}
                ref other => panic!("the calls of the benches order nothing else: {other:?}"),
            }
        }
    }

    /// The next message that the engine has sent.
    pub fn take_sent(&mut self) -> Option<Vec<u8>> {
        self.sent.pop_front()
    }

    /// Lets the deadline of the only open call come.
    ///
    /// # Panics
    /// When there is none.
    pub fn fire(&mut self) {
        let (at, call, generation) = self.armed.take().expect("a call that waits");
        self.now = at.max(self.now);
        self.feed(Recorded::Timer(call, generation));
    }

    /// Opens a call and answers what it sends until it waits for time or has ended.
    pub fn open(&mut self) {
        self.feed(Recorded::Spawn);
        self.converse();
    }

    fn converse(&mut self) {
        while let Some(request) = self.take_sent() {
            for answer in peer::answers(&request) {
                self.now = self.now.plus(Micros(500));
                self.feed(Recorded::Message(answer));
            }
        }
    }

    /// Runs one call of a client scenario from its birth to its end.
    ///
    /// # Panics
    /// When the call does not succeed.
    pub fn call(&mut self) {
        let before = self.succeeded;
        self.open();
        while self.engine.open_calls() > 0 {
            self.fire();
            self.converse();
        }
        assert_eq!(self.succeeded, before + 1, "a call did not succeed");
    }

    /// Runs one call of a server scenario with these requests.
    ///
    /// # Panics
    /// When the call does not succeed.
    pub fn answer(&mut self, requests: &[Vec<u8>]) {
        let before = self.succeeded;
        for request in requests {
            self.now = self.now.plus(Micros(500));
            self.feed(Recorded::Message(request.clone()));
        }
        self.sent.clear();
        while self.engine.open_calls() > 0 {
            self.fire();
        }
        assert_eq!(self.succeeded, before + 1, "a call did not succeed");
    }
}

/// The requests of successive calls of the built-in `uac`.
///
/// # Panics
/// When a call does not succeed.
#[must_use]
pub fn requests(calls: usize) -> Vec<Vec<Vec<u8>>> {
    let mut driver = Driver::new(crate::engine("uac", crate::builtin("uac"), 0));
    let mut all = Vec::new();
    for _ in 0..calls {
        let mut requests = Vec::new();
        driver.feed(Recorded::Spawn);
        while let Some(request) = driver.take_sent() {
            for answer in peer::answers(&request) {
                driver.feed(Recorded::Message(answer));
            }
            requests.push(request);
        }
        assert_eq!(driver.engine.open_calls(), 0, "a call did not end");
        all.push(requests);
    }
    all
}

/// What is measured: an engine and the inputs that it gets.
#[derive(Debug)]
pub struct Replay {
    engine: Engine,
    out: OutBuf,
    script: Script,
}

impl Replay {
    /// Inputs for an engine in the state in which they were recorded.
    #[must_use]
    pub fn new(driver: Driver, script: Script) -> Self {
        Self {
            engine: driver.engine,
            out: driver.out,
            script,
        }
    }

    /// Keeps the first inputs only.
    #[must_use]
    pub fn first(mut self, count: usize) -> Self {
        self.script.truncate(count);
        self
    }

    /// Feeds the first inputs, so that the rest is what [`Self::run`] measures.
    #[must_use]
    pub fn after(mut self, count: usize) -> Self {
        for (now, input) in self.script.drain(..count) {
            self.out.clear();
            self.engine.handle(now, as_input(&input), &mut self.out);
        }
        self
    }

    /// Feeds the inputs; returns how many orders the engine gave.
    pub fn run(&mut self) -> usize {
        let mut orders = 0;
        for (now, input) in &self.script {
            self.out.clear();
            self.engine.handle(*now, as_input(input), &mut self.out);
            orders += self.out.records().len();
        }
        orders
    }

    /// Calls that are open.
    #[must_use]
    pub fn open_calls(&self) -> usize {
        self.engine.open_calls()
    }
}

/// The address that datagrams come from.
fn source() -> SocketAddr {
    crate::remote()
}

fn as_input(input: &Recorded) -> Input<'_> {
    match input {
        Recorded::Spawn => Input::Spawn {
            user: 0,
            due: Micros(0),
        },
        Recorded::Message(bytes) => Input::Message {
            flow: FlowId(0),
            src: source(),
            bytes,
        },
        Recorded::Timer(call, generation) => Input::Timer {
            call: *call,
            generation: *generation,
        },
    }
}

/// Calls before the one that is measured, so that buffers and tables have their size; not near a power of two, where
/// tables grow.
const WARM: usize = 100;

/// One whole call of a client scenario on a warm engine.
///
/// # Panics
/// When a call does not succeed.
#[must_use]
pub fn client_call(name: &str, xml: &str) -> Replay {
    let warm = || {
        let mut driver = Driver::new(crate::engine(name, xml, 0));
        (0..WARM).for_each(|_| driver.call());
        driver
    };
    let mut recorder = warm();
    recorder.record();
    recorder.call();
    Replay::new(warm(), recorder.recorded())
}

/// One whole call of the built-in `uas` on a warm engine.
///
/// # Panics
/// When a call does not succeed.
#[must_use]
pub fn server_call() -> Replay {
    let calls = requests(WARM + 1);
    let warm = || {
        let mut driver = Driver::new(crate::engine("uas", crate::builtin("uas"), 0));
        for requests in &calls[..WARM] {
            driver.answer(requests);
        }
        driver
    };
    let mut recorder = warm();
    recorder.record();
    recorder.answer(&calls[WARM]);
    Replay::new(warm(), recorder.recorded())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replayed_client_call_sends_receives_and_ends() {
        let mut replay = client_call("uac", crate::builtin("uac"));
        // Spawn, three answers to the INVITE, one to the BYE.
        assert_eq!(replay.script.len(), 5);
        assert!(replay.run() > 10);
        assert_eq!(replay.open_calls(), 0);
    }

    #[test]
    fn a_replayed_server_call_ends_too() {
        let mut replay = server_call();
        assert!(replay.run() > 8);
        assert_eq!(replay.open_calls(), 0);
    }

    #[test]
    fn a_replay_can_stop_in_the_middle() {
        let mut replay = client_call("uac", crate::builtin("uac")).after(1).first(2);
        assert!(replay.run() > 0);
        assert_eq!(replay.open_calls(), 1);
    }

    #[test]
    fn the_chain_of_optional_answers_is_walked_to_its_end() {
        let mut replay = client_call("optional_chain", crate::OPTIONAL_CHAIN);
        assert_eq!(replay.script.len(), 4);
        replay.run();
        assert_eq!(replay.open_calls(), 0);
    }
}
