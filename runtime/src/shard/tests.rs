// SPDX-License-Identifier: AGPL-3.0-only
//! Shards driven by a script in place of the engine, over real sockets on ports the system chooses.
//!
//! A script answers at once, so the tests decide what happens; nothing here asserts how long anything takes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gossipper_bytecode::{FailReason, StepId};
use gossipper_control::{ControlCommand, EngineSnapshot, Phase};
use gossipper_vm::{
    CallControl, CallEnd, CallKey, FlowId, Input, LogKind, Micros, OutBuf, Output, StatEvent,
};
use slotmap::{Key, KeyData, SlotMap};
use tokio::sync::mpsc::{Sender, channel};

use super::*;
use crate::config::{LocalConfig, LogConfig, SocketConfig};
use crate::logs::{LogWriter, Scene};
use crate::pacing::{Pacer, Rate};
use crate::transport::udp;
use crate::users::Users;

/// A client that sends a line per call and ends it with the first answer, and a server that echoes.
struct Script {
    /// Calls with their users.
    calls: SlotMap<CallKey, u32>,
    to: Option<SocketAddr>,
    /// A deadline for each call of a client.
    timer: Option<Micros>,
    /// Each call of a client yields this often before it sends.
    yields: u32,
    /// What the first input orders besides.
    at_start: Vec<Output>,
    /// What it warns of then.
    warning: Vec<u8>,
    /// The user of each call.
    users_seen: Vec<u32>,
    /// What it was told of the number of users.
    counts_seen: Vec<u32>,
    /// Messages that it was shown and has not got yet: it is to get them in their order, and no others.
    shown: RefCell<VecDeque<Vec<u8>>>,
}

impl Script {
    fn client(to: SocketAddr) -> Self {
        Self {
            calls: SlotMap::with_key(),
            to: Some(to),
            timer: None,
            yields: 0,
            at_start: Vec::new(),
            warning: Vec::new(),
            users_seen: Vec::new(),
            counts_seen: Vec::new(),
            shown: RefCell::default(),
        }
    }

    fn server() -> Self {
        Self {
            calls: SlotMap::with_key(),
            to: None,
            timer: None,
            yields: 0,
            at_start: Vec::new(),
            warning: Vec::new(),
            users_seen: Vec::new(),
            counts_seen: Vec::new(),
            shown: RefCell::default(),
        }
    }

    fn send(&self, call: CallKey, out: &mut OutBuf) {
        let bytes = out.store(format!("call {}", call.data().as_ffi()).as_bytes());
        let to = self.to.expect("a client has a destination");
        out.push(Output::Send {
            call: Some(call),
            flow: FlowId(0),
            to,
            bytes,
        });
        out.push(Output::Stat(StatEvent::Sent { step: StepId(0) }));
        if let Some(after) = self.timer {
            out.push(Output::Arm {
                call,
                at: after,
                generation: 1,
            });
        }
    }

    fn end(&mut self, call: CallKey, end: CallEnd, out: &mut OutBuf) {
        if let Some(user) = self.calls.remove(call) {
            out.push(Output::Stat(StatEvent::Ended {
                end,
                length: Micros(1),
            }));
            out.push(Output::Ended {
                call,
                user,
                length: Micros(1),
            });
        }
    }
}

impl Machine for Script {
    fn start(&mut self, _now: Micros, out: &mut OutBuf) {
        if !self.warning.is_empty() {
            let text = out.store(&self.warning);
            out.push(Output::Log {
                kind: LogKind::Warning,
                text,
            });
        }
        for output in std::mem::take(&mut self.at_start) {
            out.push(output);
        }
    }

    fn starts_with_twins(&self) -> bool {
        false
    }

    fn is_starting(&self) -> bool {
        false
    }

    fn look_ahead(&self, messages: &mut dyn Iterator<Item = &[u8]>) {
        let shown = messages.take(AHEAD).map(<[u8]>::to_vec);
        self.shown.borrow_mut().extend(shown);
    }

    fn look_ahead_of_timers(&self, _calls: &mut dyn Iterator<Item = CallKey>) {}

    fn knows(&self, _call_id: &[u8]) -> bool {
        false
    }

    fn call_id_of(&self, _number: u64, _out: &mut Vec<u8>) {}

    fn edited_files(&self) -> EditedFiles {
        EditedFiles::new()
    }

    fn circuits(&self, _out: &mut Vec<bool>) {}

    fn handle(&mut self, now: Micros, input: Input<'_>, out: &mut OutBuf) {
        if let Input::Message { bytes, .. } = input {
            assert_eq!(self.shown.get_mut().pop_front().as_deref(), Some(bytes));
        }
        match input {
            Input::Open { .. } => unreachable!("a shard alone numbers its own calls"),
            Input::Spawn { user, due } => {
                let call = self.calls.insert(user);
                self.users_seen.push(user);
                out.push(Output::Stat(StatEvent::Created {
                    incoming: false,
                    late: now.since(due),
                }));
                if self.yields > 0 {
                    self.yields -= 1;
                    out.push(Output::Yield { call });
                } else {
                    self.send(call, out);
                }
            }
            Input::Resume { call } if self.yields > 0 => {
                self.yields -= 1;
                out.push(Output::Yield { call });
            }
            Input::Resume { call } => self.send(call, out),
            Input::Message { flow, src, bytes } if self.to.is_none() => {
                out.push(Output::Stat(StatEvent::Created {
                    incoming: true,
                    late: Micros(0),
                }));
                let call = self.calls.insert(0);
                let bytes = out.store(bytes);
                out.push(Output::Send {
                    call: Some(call),
                    flow,
                    to: src,
                    bytes,
                });
                self.end(call, CallEnd::Success, out);
            }
            Input::Message { bytes, .. } => {
                let number = std::str::from_utf8(bytes)
                    .ok()
                    .and_then(|t| t.strip_prefix("call ")?.parse().ok());
                let Some(number) = number else {
                    out.push(Output::Stat(StatEvent::Discarded));
                    return;
                };
                self.end(KeyData::from_ffi(number).into(), CallEnd::Success, out);
            }
            Input::Timer { call, generation } => {
                assert_eq!(generation, 1);
                self.end(call, CallEnd::Failure(FailReason::TimeoutOnRecv), out);
            }
            Input::Unsent { call, why: _ } => {
                self.end(call, CallEnd::Failure(FailReason::CannotSendMessage), out);
            }
            Input::Opened { .. } | Input::Flow { .. } => panic!("it asks for no paths"),
            // A command is sent back.
            Input::Twin { bytes } => {
                let bytes = out.store(bytes);
                out.push(Output::Twin {
                    call: None,
                    peer: None,
                    bytes,
                });
            }
            Input::TwinFailed { call } => {
                self.end(call, CallEnd::Failure(FailReason::CmdNotSent), out);
            }
            Input::Ports { .. } | Input::Media { .. } => {}
            Input::Control(CallControl::Drain) => {}
            Input::Control(CallControl::Users(count)) => self.counts_seen.push(count),
            Input::Control(CallControl::AbortAll) => {
                // A few at a time, as the engine does.
                let some: Vec<_> = self.calls.keys().take(3).collect();
                for call in some {
                    self.end(call, CallEnd::Failure(FailReason::Aborted), out);
                }
            }
        }
    }
}

/// Everything around a shard in a test.
struct Bench {
    setup: Setup<Script>,
    commands: Sender<ShardCommand>,
    slot: Arc<Mutex<EngineSnapshot>>,
    address: SocketAddr,
}

fn bench(machine: Script) -> Bench {
    let clock = Clock::start();
    let local = LocalConfig {
        ip: Some(Ipv4Addr::LOCALHOST.into()),
        port: Some(0),
        bind_local: true,
    };
    let bound = udp::bind(&local, &SocketConfig::default(), None).expect("loopback binds");
    let address = bound.address;
    let logs = LogWriter::start(&LogConfig::default(), Scene::default())
        .expect("nothing to open")
        .sender();
    let (commands, inbox) = channel(16);
    let slot = Arc::new(Mutex::new(EngineSnapshot::default()));
    let program = gossipper_vm::doc_program();
    let setup = Setup {
        beside: None,
        remote: machine.to,
        machine,
        stats: Stats::new(&program),
        schedule: None,
        total: None,
        bound,
        flows: None,
        role: Role::Alone,
        post: None,
        twin: None,
        backend: Backend::Auto,
        coalesce: Micros(500),
        clock,
        logs,
        mirror: None,
        tap: None,
        watch: None,
        invites: None,
        measure: None,
        shapes: None,
        sampling: None,
        deadlines: Deadlines::default(),
        watchdog: None,
        keep_edits: false,
        media: None,
        echo: None,
        slot: Arc::clone(&slot),
        inbox,
    };
    Bench {
        setup,
        commands,
        slot,
        address,
    }
}

impl Bench {
    fn paced(mut self, rate: f64, total: Option<u64>, open_limit: u64) -> Self {
        let now = self.setup.clock.now();
        self.setup.schedule = Some(Schedule::Rate(Pacer::new(
            now,
            Rate::new(rate, 1000),
            total,
            Some(open_limit),
            0,
            0,
        )));
        self.setup.total = total;
        self
    }

    fn run(self) -> (Ending, EngineSnapshot) {
        let ending = run(self.setup).expect("the reactor starts").ending;
        let snapshot = self.slot.lock().expect("not poisoned").clone();
        (ending, snapshot)
    }
}

/// An echo server on a thread of its own; ends with the value.
struct Server {
    address: SocketAddr,
    commands: Sender<ShardCommand>,
    thread: Option<std::thread::JoinHandle<(Ending, EngineSnapshot)>>,
}

impl Server {
    fn start(backend: Backend) -> Self {
        let mut bench = bench(Script::server());
        bench.setup.backend = backend;
        let (address, commands) = (bench.address, bench.commands.clone());
        let thread = Some(std::thread::spawn(move || bench.run()));
        Self {
            address,
            commands,
            thread,
        }
    }

    fn end(mut self) -> (Ending, EngineSnapshot) {
        self.commands
            .try_send(ShardCommand::Control(ControlCommand::Drain))
            .expect("it listens");
        self.thread
            .take()
            .expect("running")
            .join()
            .expect("no panic")
    }
}

#[test]
fn calls_go_out_and_come_back_on_every_backend() {
    for backend in [Backend::Auto, Backend::NoOffload, Backend::Portable] {
        let server = Server::start(backend);
        let mut bench = bench(Script::client(server.address)).paced(20_000.0, Some(300), 1_000);
        bench.setup.backend = backend;
        let (ending, client) = bench.run();
        assert_eq!(ending, Ending::Completed, "{backend:?}");
        assert_eq!(
            (
                client.calls.outgoing,
                client.calls.succeeded,
                client.calls.current
            ),
            (300, 300, 0)
        );
        assert_eq!(
            (client.transport.sent, client.transport.received),
            (300, 300)
        );
        assert_eq!((client.phase, client.lateness.count), (Phase::Ended, 300));
        assert!(client.transport.recv_buffer_bytes > 0 && client.rate.mean > 0.0);
        let (ending, answers) = server.end();
        assert_eq!(ending, Ending::Drained);
        assert_eq!(
            (answers.calls.incoming, answers.calls.succeeded),
            (300, 300)
        );
    }
}

/// A shard whose calls belong to users, with the clock under the test's control as far as a turn allows.
fn of_users(to: SocketAddr, users: u32, total: Option<u64>) -> Bench {
    let mut bench = bench(Script::client(to));
    let now = bench.setup.clock.now();
    bench.setup.schedule = Some(Schedule::Users(Users::new(now, users, total)));
    bench.setup.total = total;
    bench
}

#[test]
fn users_keep_their_calls_open_until_the_total() {
    let server = Server::start(Backend::Auto);
    let (ending, client) = of_users(server.address, 3, Some(40)).run();
    assert_eq!(ending, Ending::Completed);
    assert_eq!((client.calls.outgoing, client.calls.succeeded), (40, 40));
    assert_eq!((client.calls.peak, client.calls.open_limit), (3, 3));
    assert_eq!((client.rate.users, client.rate.target), (Some(3), 0.0));
    server.end();
}

/// Turns of a shard that never waits, so that nothing depends on how long anything takes.
fn with_shard(bench: Bench, test: impl FnOnce(&mut run::Shard<Script>)) {
    let reactor = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .expect("a reactor");
    let _inside = reactor.enter();
    test(&mut run::Shard::new(bench.setup).expect("a shard"));
}

#[test]
fn wishes_change_the_number_of_users_and_the_calls_follow() {
    // Nobody answers there, so calls end only when they are ended.
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let to = silent.local_addr().expect("bound");
    with_shard(of_users(to, 2, None), |shard| {
        let wish = |shard: &mut run::Shard<Script>, command| {
            let now = shard.core.clock.now();
            shard.obey(now, ShardCommand::Control(command));
            while shard.turn() {}
        };
        wish(shard, ControlCommand::AddRate { calls: 2.0 });
        assert_eq!(shard.core.machine.users_seen, [4, 3, 2, 1]);
        wish(shard, ControlCommand::AddRate { calls: -10.0 });
        wish(shard, ControlCommand::SetUsers { users: 5 });
        assert_eq!(shard.core.machine.users_seen, [4, 3, 2, 1, 5]);
        assert_eq!(shard.core.machine.counts_seen, [4, 0, 5]);
        wish(
            shard,
            ControlCommand::SetRate {
                calls: 1e6,
                period_ms: None,
            },
        );
        wish(shard, ControlCommand::SetOpenLimit { calls: 100 });
        assert_eq!(shard.core.stats.open(), 5, "users have neither");
        wish(shard, ControlCommand::TogglePause);
        wish(shard, ControlCommand::SetUsers { users: 6 });
        assert_eq!(shard.core.stats.open(), 5);
        wish(shard, ControlCommand::TogglePause);
        assert_eq!(shard.core.stats.open(), 6);
    });
}

#[test]
fn a_server_drains_after_its_total() {
    let mut bench = bench(Script::server());
    bench.setup.total = Some(2);
    let (address, slot) = (bench.address, Arc::clone(&bench.slot));
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    peer.set_read_timeout(Some(Duration::from_secs(10)))
        .expect("timeout");
    for _ in 0..2 {
        peer.send_to(b"hello", address).expect("send");
    }
    let ending = run(bench.setup).expect("the reactor starts");
    assert_eq!(
        (
            ending.ending,
            slot.lock().expect("not poisoned").calls.incoming
        ),
        (Ending::Completed, 2)
    );
    let mut answer = [0; 16];
    assert_eq!(
        peer.recv(&mut answer)
            .expect("what was collected is sent before the end"),
        5
    );
}

#[test]
fn timers_end_calls_that_nobody_answers() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let mut script = Script::client(silent.local_addr().expect("bound"));
    script.timer = Some(Micros(30_000));
    let (ending, snapshot) = bench(script).paced(1_000.0, Some(5), 100).run();
    assert_eq!((ending, snapshot.calls.failed), (Ending::Completed, 5));
    assert_eq!(
        snapshot
            .failures
            .iter()
            .map(|f| (f.reason, f.count))
            .collect::<Vec<_>>(),
        [(FailReason::TimeoutOnRecv, 5)]
    );
}

#[test]
fn a_call_that_yields_goes_on_in_a_later_turn() {
    let server = Server::start(Backend::Auto);
    let mut script = Script::client(server.address);
    script.yields = 50;
    let (ending, snapshot) = bench(script).paced(1_000.0, Some(1), 10).run();
    assert_eq!((ending, snapshot.calls.succeeded), (Ending::Completed, 1));
    server.end();
}

#[test]
fn a_message_that_cannot_be_sent_fails_its_call() {
    let (ending, snapshot) = bench(Script::client("[::1]:9".parse().expect("address")))
        .paced(1_000.0, Some(3), 10)
        .run();
    assert_eq!(ending, Ending::Completed);
    assert_eq!(
        (snapshot.calls.failed, snapshot.transport.send_errors),
        (3, 3)
    );
    assert_eq!(snapshot.failures[0].reason, FailReason::CannotSendMessage);
    assert!(snapshot.last_warning.is_some_and(|w| w.contains("[::1]:9")));
}

#[test]
fn stop_aborts_every_open_call_and_ends() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let bench =
        bench(Script::client(silent.local_addr().expect("bound"))).paced(10_000.0, None, 20);
    let (commands, slot) = (bench.commands.clone(), Arc::clone(&bench.slot));
    let thread = std::thread::spawn(move || bench.run());
    while slot.lock().expect("not poisoned").calls.current < 20 {
        std::thread::yield_now();
    }
    commands
        .try_send(ShardCommand::Control(ControlCommand::Stop))
        .expect("it listens");
    let (ending, snapshot) = thread.join().expect("no panic");
    assert_eq!(ending, Ending::Stopped);
    assert_eq!(
        (
            snapshot.calls.outgoing,
            snapshot.calls.failed,
            snapshot.calls.current
        ),
        (20, 20, 0)
    );
    assert!(
        snapshot.calls.held_back > 0,
        "the limit held calls back: {:?}",
        snapshot.calls
    );
}

#[test]
fn the_timeout_aborts_and_says_which_one_it_was() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let to = silent.local_addr().expect("bound");
    let at = Some(Micros(20_000));
    for (deadlines, expected) in [
        (
            Deadlines {
                timeout: at,
                ..Deadlines::default()
            },
            Ending::TimedOut,
        ),
        (
            Deadlines {
                timeout: at,
                timeout_is_error: true,
                ..Deadlines::default()
            },
            Ending::TimeoutError(String::new()),
        ),
        (
            Deadlines {
                timeout_global: at,
                ..Deadlines::default()
            },
            Ending::TimedOutGlobally,
        ),
    ] {
        let mut bench = bench(Script::client(to)).paced(10_000.0, None, 5);
        bench.setup.deadlines = deadlines;
        let (mut ending, snapshot) = bench.run();
        if let Ending::TimeoutError(text) = &mut ending {
            assert!(text.contains(" timed out after '0.0"), "{text}");
            text.clear();
        }
        assert_eq!(ending, expected);
        assert_eq!((snapshot.calls.failed, snapshot.calls.current), (5, 0));
    }
}

#[test]
fn who_leaves_leaves_the_calls_as_they_are() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let bench = bench(Script::client(silent.local_addr().expect("bound"))).paced(10_000.0, None, 5);
    bench
        .commands
        .try_send(ShardCommand::Control(ControlCommand::Leave))
        .expect("room");
    let (ending, snapshot) = bench.run();
    assert_eq!((ending, snapshot.calls.failed), (Ending::Stopped, 0));
}

#[test]
fn a_scenario_can_end_the_run() {
    let mut script = Script::server();
    script.at_start = vec![Output::StopNow];
    assert_eq!(bench(script).run().0, Ending::StopNow);
    let mut script = Script::server();
    script.at_start = vec![Output::StopGracefully];
    assert_eq!(bench(script).run().0, Ending::Completed);
    let mut script = Script::server();
    script.at_start = vec![Output::Fatal {
        text: Default::default(),
    }];
    assert_eq!(bench(script).run().0, Ending::Fatal(String::new()));
}

#[test]
fn rate_commands_reach_the_schedule() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let bench = bench(Script::client(silent.local_addr().expect("bound"))).paced(10.0, None, 7);
    for command in [
        ControlCommand::SetRate {
            calls: 30.0,
            period_ms: Some(2_000),
        },
        ControlCommand::AddRate { calls: -10.0 },
        ControlCommand::SetOpenLimit { calls: 9 },
        ControlCommand::TogglePause,
        ControlCommand::SetPaused { paused: true },
    ] {
        bench
            .commands
            .try_send(ShardCommand::Control(command))
            .expect("room");
    }
    bench.commands.try_send(ShardCommand::End).expect("room");
    let (ending, snapshot) = bench.run();
    assert_eq!(ending, Ending::Completed);
    assert_eq!(
        (
            snapshot.rate.target,
            snapshot.rate.paused,
            snapshot.calls.open_limit
        ),
        (10.0, true, 9)
    );
    assert_eq!(snapshot.calls.outgoing, 0);
}

#[test]
fn warnings_are_counted_and_the_last_one_is_kept_short() {
    let mut script = Script::server();
    script.warning = vec![b'w'; 10_000];
    script.at_start = vec![Output::StopNow];
    let (_, snapshot) = bench(script).run();
    assert_eq!(snapshot.messages.warnings, 1);
    assert_eq!(snapshot.last_warning, Some("w".repeat(4096)));
}
