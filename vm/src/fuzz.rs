// SPDX-License-Identifier: AGPL-3.0-only
//! Bodies of the fuzz targets, so that they compile and run with the ordinary tests.
//!
//! Arbitrary bytes become a sequence of inputs to an engine. Whatever they are: no panic, one deadline per open call,
//! counters that balance, and the same orders when the sequence is replayed. Behind the feature `internal-fuzz`.

use crate::inject::{Injection, InjectionFile};
use crate::{
    CallControl, CallKey, Engine, FlowEvent, FlowId, Image, Input, Micros, OutBuf, Output,
    RunParams, StatEvent, TwinMode, Unsent,
};
use gossipper_bytecode::Program;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

/// Inputs taken from one fuzz case.
const MAX_INPUTS: usize = 200;

/// Target `draft_verify`: what the verifier accepts links or is refused with an error, and runs without a panic.
pub fn draft_verify(bytes: &[u8]) {
    let split = bytes.len().min(64);
    let (inputs, file) = bytes.split_at(split);
    if let Ok(program) = Program::from_gsc_bytes(&gossipper_bytecode::fuzz::seal(file)) {
        vm_inputs(&Arc::new(program), inputs);
    }
}

/// Target `vm_inputs`: a sequence of inputs over a program.
pub fn vm_inputs(program: &Arc<Program>, bytes: &[u8]) {
    let first = drive(program, bytes);
    let second = drive(program, bytes);
    assert_eq!(first, second, "the same inputs give the same orders");
}

/// Runs the inputs and returns everything that was ordered.
fn drive(program: &Arc<Program>, bytes: &[u8]) -> Option<String> {
    let address: SocketAddr = "192.0.2.9:5060".parse().expect("an address");
    let first = bytes.first().copied().unwrap_or(0);
    let params = RunParams {
        destination: Some(address),
        remote: Some(address),
        recv_timeout_ms: 8000,
        twin: Some(if first & 0x80 != 0 {
            TwinMode::Named
        } else {
            TwinMode::One
        }),
        skips_media: true,
        unreliable: first & 0x40 == 0,
        per_call: first & 0x20 != 0,
        ..RunParams::default()
    };
    let image = Image::link(Arc::clone(program), params).ok()?;
    let mut engine = Engine::new(Arc::new(image));
    let mut world = Harness::default();
    let mut out = OutBuf::new();
    engine.start(Micros(0), &mut out);
    world.take(&out);
    let mut data = bytes.iter().copied();
    for _ in 0..MAX_INPUTS {
        let Some(op) = data.next() else {
            break;
        };
        out.clear();
        world.input(&mut engine, op, &mut data, address, &mut out);
        world.take(&out);
        assert_eq!(
            world.created,
            world.ended + engine.open_calls() as u64,
            "created = ended + open"
        );
        // The init section has one of its own while it waits.
        assert!(
            world.armed.len() <= engine.open_calls() + usize::from(engine.is_starting()),
            "at most one deadline per open call"
        );
    }
    Some(world.log)
}

/// The driver's side: deadlines, yields and the messages seen.
#[derive(Default)]
struct Harness {
    now: Micros,
    armed: HashMap<CallKey, (Micros, u32)>,
    yielded: Vec<CallKey>,
    /// Calls that wait for a path.
    opening: Vec<CallKey>,
    flows: u32,
    sent: Vec<Vec<u8>>,
    commands: Vec<Vec<u8>>,
    created: u64,
    ended: u64,
    log: String,
}

impl Harness {
    fn input(
        &mut self,
        engine: &mut Engine,
        op: u8,
        data: &mut impl Iterator<Item = u8>,
        src: SocketAddr,
        out: &mut OutBuf,
    ) {
        let mut byte = || data.next().unwrap_or(0);
        let flow = FlowId(0);
        let now = self.now;
        match op % 8 {
            0 => engine.handle(now, Input::Spawn { user: 0, due: now }, out),
            1 | 2 => {
                let answer = self.answer(byte(), byte());
                let bytes = &answer;
                engine.handle(now, Input::Message { flow, src, bytes }, out);
            }
            3 => {
                let request = request(byte(), byte());
                let bytes = &request;
                engine.handle(now, Input::Message { flow, src, bytes }, out);
            }
            4 | 5 => {
                self.now = now.plus(Micros::from_ms(u64::from(byte()) * 50));
                self.fire(engine, out);
            }
            6 => {
                let length = usize::from(byte());
                let raw: Vec<u8> = (0..length).map(|_| byte()).collect();
                let bytes = &raw;
                engine.handle(now, Input::Message { flow, src, bytes }, out);
            }
            _ => match byte() {
                0 => engine.handle(now, Input::Control(CallControl::AbortAll), out),
                2 => {
                    let command = self.command(byte(), byte());
                    engine.handle(now, Input::Twin { bytes: &command }, out);
                }
                3 => {
                    let length = usize::from(byte());
                    let raw: Vec<u8> = (0..length).map(|_| byte()).collect();
                    engine.handle(now, Input::Twin { bytes: &raw }, out);
                }
                4 => {
                    if let Some(call) = self.armed.keys().min().copied() {
                        engine.handle(now, Input::TwinFailed { call }, out);
                    }
                }
                1 => {
                    if let Some(call) = self.armed.keys().min().copied() {
                        engine.handle(
                            now,
                            Input::Unsent {
                                call,
                                why: Unsent::Refused,
                            },
                            out,
                        );
                    }
                }
                5 => {
                    for call in core::mem::take(&mut self.opening) {
                        self.flows += 1;
                        let (flow, port) = (FlowId(self.flows), 6000);
                        engine.handle(now, Input::Opened { call, flow, port }, out);
                    }
                }
                6 => {
                    if let Some(call) = self.opening.pop() {
                        let why = Unsent::NotConnected;
                        engine.handle(now, Input::Unsent { call, why }, out);
                    }
                }
                7 => {
                    let flow = FlowId(u32::from(byte()) % (self.flows + 1));
                    let event = match byte() % 3 {
                        0 => FlowEvent::Failed,
                        1 => FlowEvent::Closed,
                        _ => FlowEvent::Lost,
                    };
                    engine.handle(now, Input::Flow { flow, event }, out);
                }
                _ => {
                    for call in core::mem::take(&mut self.yielded) {
                        engine.handle(now, Input::Resume { call }, out);
                    }
                }
            },
        }
    }

    /// Fires the timers that are due, in order.
    fn fire(&mut self, engine: &mut Engine, out: &mut OutBuf) {
        let mut due: Vec<_> = self
            .armed
            .iter()
            .filter(|(_, (at, _))| *at <= self.now)
            .map(|(call, (at, generation))| (*at, *call, *generation))
            .collect();
        due.sort_unstable();
        for (_, call, generation) in due {
            self.armed.remove(&call);
            engine.handle(self.now, Input::Timer { call, generation }, out);
        }
    }

    fn take(&mut self, out: &OutBuf) {
        for output in out.records() {
            let _ = write!(self.log, "{output:?};");
            match *output {
                Output::Twin { bytes, .. } => {
                    self.commands.push(out.bytes(bytes).to_vec());
                }
                Output::Send { bytes, .. } => {
                    let bytes = out.bytes(bytes).to_vec();
                    self.log.push_str(&String::from_utf8_lossy(&bytes));
                    self.sent.push(bytes);
                    if self.sent.len() > 64 {
                        self.sent.remove(0);
                    }
                }
                Output::Open { call, .. } => self.opening.push(call),
                Output::Close { .. } | Output::Unfinished { .. } => {}
                Output::Arm {
                    call,
                    at,
                    generation,
                } => {
                    self.armed.insert(call, (at, generation));
                }
                Output::Disarm { call } => {
                    self.armed.remove(&call);
                }
                Output::Ended { call, .. } => {
                    self.armed.remove(&call);
                    self.yielded.retain(|other| *other != call);
                }
                Output::Yield { call } => self.yielded.push(call),
                Output::Stat(StatEvent::Created { .. }) => self.created += 1,
                Output::Stat(StatEvent::Ended { .. }) => self.ended += 1,
                Output::Stat(_)
                | Output::Log { .. }
                | Output::Exec { .. }
                | Output::SwitchEcho { .. }
                | Output::MediaBegan { .. }
                | Output::Media { .. }
                | Output::Sdp { .. }
                | Output::About { .. }
                | Output::Beside { .. }
                | Output::Within { .. }
                | Output::StopGracefully
                | Output::StopNow
                | Output::Fatal { .. } => {}
            }
        }
    }

    /// A command that was sent, come back, or one for a call.
    fn command(&self, which: u8, kind: u8) -> Vec<u8> {
        let sent = self.commands.get(usize::from(which));
        match (sent, kind % 4) {
            (Some(sent), 0 | 1) => sent.clone(),
            (_, 2) => format!("call-id: {}\r\ninternal-cmd: abort_call\r\n\r\n", which % 4).into(),
            (_, 3) if which & 0x80 != 0 => {
                format!("Call-ID: ///main-init\r\nFrom: {}\r\nx\r\n\r\n", which & 1).into()
            }
            (_, 3) if which & 0x40 != 0 => b"Call-ID: ///main-init\r\nFrom: m\r\n\r\n".to_vec(),
            _ => format!("Call-ID: {}\r\nFrom: m\r\nx\r\n\r\n", which % 4).into(),
        }
    }

    /// A response to something that was sent, made of its own header lines.
    fn answer(&self, which: u8, code: u8) -> Vec<u8> {
        const CODES: [&str; 8] = [
            "100 Trying",
            "180 Ringing",
            "183 Progress",
            "200 OK",
            "302 Moved",
            "404 Not Found",
            "486 Busy",
            "603 Decline",
        ];
        let Some(sent) = self.sent.get(usize::from(which) % self.sent.len().max(1)) else {
            return request(which, code);
        };
        let mut text =
            format!("SIP/2.0 {}\r\n", CODES[usize::from(code) % CODES.len()]).into_bytes();
        for line in sent.split(|byte| *byte == b'\n') {
            let wanted = [
                &b"Via:"[..],
                b"From:",
                b"To:",
                b"Call-ID:",
                b"CSeq:",
                b"Contact:",
            ];
            if wanted.iter().any(|name| line.starts_with(name)) {
                text.extend_from_slice(line.trim_ascii_end());
                text.extend_from_slice(b"\r\n");
            }
        }
        text.extend_from_slice(b"\r\n");
        text
    }
}

/// A request of one of a few calls.
fn request(which: u8, method: u8) -> Vec<u8> {
    const METHODS: [&str; 10] = [
        "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "INFO", "PRACK", "PING", "MESSAGE",
    ];
    let method = METHODS[usize::from(method) % METHODS.len()];
    let call = which % 4;
    let cseq = 1 + which / 64;
    format!(
        "{method} sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK{which}\r\nFrom: <sip:c>;tag=1\r\n\
         To: <sip:a@b>\r\nCall-ID: {call}\r\nCSeq: {cseq} {method}\r\nContact: <sip:c@d>\r\n\r\n"
    )
    .into_bytes()
}

/// Target `injection_csv`: whatever a file holds, each line is found by its text, what is changed is seen, and what is
/// written back is read as the same lines.
///
/// # Panics
/// When an invariant does not hold.
pub fn injection_csv(bytes: &[u8]) {
    /// Virtual lines may be many; so many are enough.
    const LINES: u32 = 64;
    let Ok(file) = InjectionFile::parse("f.csv", bytes.to_vec()) else {
        return;
    };
    if file.count() > 1 << 16 {
        return;
    }
    let file = Arc::new(file.indexed(0).expect("not so many lines"));
    let mut injection = Injection::new(&[Arc::clone(&file)]);
    let field = |injection: &Injection, line| {
        let mut out = Vec::new();
        let printed = injection.print(0, line, 0, &mut out);
        printed.ok().map(|()| out)
    };
    for line in 0..file.count().min(LINES) {
        // What cannot be printed is found as an empty text.
        let Some(key) = field(&injection, line).filter(|key| !key.is_empty()) else {
            continue;
        };
        let found = injection.lookup(0, &key).expect("indexed");
        let found = found.expect("a line that is there");
        assert!(found >= line, "the last line counts");
        assert_eq!(field(&injection, found), Some(key));
    }
    if injection.insert(0, b"added;1").is_err() {
        return;
    }
    injection.replace(0, 0, b"changed;2").expect("a line");
    assert_eq!(injection.lookup(0, b"changed"), Ok(Some(0)));
    let Some(Ok(edited)) = injection.edited().pop() else {
        unreachable!("both lines can be written");
    };
    let again = InjectionFile::parse("f.csv", edited.bytes).expect("what was written");
    assert_eq!(again.count(), file.count() + 1);
    let again = Injection::new(&[Arc::new(again)]);
    for line in 0..=file.count() {
        assert_eq!(field(&again, line), field(&injection, line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_seeds_are_files_that_hold() {
        injection_csv(include_bytes!("../../fuzz/corpus/injection_csv/users"));
        injection_csv(include_bytes!("../../fuzz/corpus/injection_csv/printf"));
    }

    proptest! {
        #[test]
        fn no_file_can_confuse_its_index_or_its_changes(
            body in proptest::collection::vec(proptest::sample::select(&b"ab;#%d\r\n"[..]), 0..80),
        ) {
            for header in [&b"SEQUENTIAL\n"[..], b"USER\r\n", b"RANDOM,PRINTF=5\n"] {
                injection_csv(&[header, &body].concat());
            }
        }

        #[test]
        fn no_bytes_can_panic_the_machine(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            vm_inputs(&Arc::new(crate::doc_program()), &bytes);
            draft_verify(&bytes);
        }
    }
}
