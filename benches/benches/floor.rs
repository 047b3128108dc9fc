// SPDX-License-Identifier: AGPL-3.0-only
//! What a call costs before any SIP is done: its datagrams over the loopback interface, and nothing else.
//!
//! Two processes on a CPU each exchange the messages of `uac` and `uas` in their order and with their sizes, through the
//! runtime's own batched calls, equal lengths side by side. The client keeps a number of calls in flight; a message is
//! told by its first byte and otherwise not looked at. What our programs take beyond this is what can still be saved.
//!
//! Once as fast as it goes, and then at the rates of the comparison, where each side sleeps through the rest of a
//! millisecond and makes what is due together, as the runtime does: what waking costs is part of the floor there.
//!
//! Then what this machine takes for waking alone: a thread that sleeps for a millisecond at a time and does nothing, and what it
//! costs to touch memory again after such a sleep; both also while a program of the idle class keeps the CPU from halting,
//! which is what a wakeup costs most for on a virtual machine.
//!
//! `cargo xtask bench --floor` runs all of it, `--vs-sipp` single measurements (`one RATE SECONDS`, 0 for as fast as it goes) in turn
//! with the programs it compares. Each process ends by itself: a side that hears nothing, a spinner whose starter has gone.
#![expect(clippy::print_stdout, reason = "prints its figures")]

use gossipper_benches::{peer, script};
use gossipper_runtime::config::{LocalConfig, SocketConfig};
use gossipper_runtime::sys::{Backend, BatchReceiver, BatchSender, Outgoing, Poller};
use gossipper_runtime::transport::udp;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Calls in flight, as many as the saturated client of the comparison keeps open.
const IN_FLIGHT: usize = 2000;

/// How long calls are made, in seconds.
const SECONDS: u64 = 3;

/// Longer than any answer takes; messages that did not come by then were lost.
const SILENCE: Duration = Duration::from_millis(200);

/// Silences after which a side that is called takes its caller for gone.
const SILENCES: u32 = 25;

/// How long it waits for the first datagram.
const FIRST: Duration = Duration::from_secs(10);

/// Datagrams that make a batch full, as in the runtime.
const FLUSH_AT: usize = 256;

/// Rates at which calls are made besides, per second.
const RATES: [u32; 3] = [1_000, 6_000, 30_000];

/// How long a side sleeps at these rates.
const TICK: Duration = Duration::from_millis(1);

/// Sleeps of each measurement of waking.
const WAKES: u32 = 500;

/// Memory that is touched after a sleep: what the second cache of a core holds, about.
const TOUCHED: usize = 256 << 10;

/// Bytes that the caches hold together.
const CACHE_LINE: usize = 64;

/// Longer than what is measured beside a spinner.
const SPIN_SECONDS: &str = "30";

/// CPUs of client and server.
const CLIENT_CPU: &str = "0";
const SERVER_CPU: &str = "1";

/// The messages of a call; their first bytes are their kinds.
struct Messages {
    invite: Vec<u8>,
    ringing: Vec<u8>,
    ok: Vec<u8>,
    ack: Vec<u8>,
    bye: Vec<u8>,
    bye_ok: Vec<u8>,
}

impl Messages {
    fn new() -> Self {
        let requests = script::requests(1).remove(0);
        let marked = |mut bytes: Vec<u8>, kind: u8| {
            bytes[0] = kind;
            bytes
        };
        let find = |method: &[u8]| {
            let found = requests.iter().find(|bytes| bytes.starts_with(method));
            found.expect("uac sends it").clone()
        };
        let (invite, bye) = (find(b"INVITE "), find(b"BYE "));
        Self {
            ringing: marked(peer::answer(&invite, 180, "Ringing"), b'1'),
            ok: marked(peer::answer(&invite, 200, "OK"), b'2'),
            bye_ok: marked(peer::answer(&bye, 200, "OK"), b'3'),
            invite: marked(invite, b'I'),
            ack: marked(find(b"ACK "), b'A'),
            bye: marked(bye, b'B'),
        }
    }
}

/// A socket as the runtime would have it.
fn bind() -> (UdpSocket, SocketAddr) {
    let local = LocalConfig {
        ip: Some(Ipv4Addr::LOCALHOST.into()),
        port: Some(0),
        bind_local: true,
    };
    let bound = udp::bind(&local, &SocketConfig::default(), None).expect("a free port");
    (bound.socket.expect("a datagram socket"), bound.address)
}

struct Side {
    socket: UdpSocket,
    sender: BatchSender,
    receiver: BatchReceiver,
    poller: Poller,
    arena: Vec<u8>,
    items: Vec<Outgoing>,
}

impl Side {
    fn new(socket: UdpSocket) -> Self {
        Self {
            sender: BatchSender::new(Backend::Auto),
            receiver: BatchReceiver::new(Backend::Auto, &socket),
            poller: Poller::new().expect("descriptors").expect("Linux"),
            socket,
            arena: Vec::new(),
            items: Vec::new(),
        }
    }

    fn push(&mut self, bytes: &[u8], count: usize, to: SocketAddr) {
        for _ in 0..count {
            self.items.push(Outgoing {
                off: self.arena.len(),
                len: bytes.len(),
                to,
            });
            self.arena.extend_from_slice(bytes);
            if self.items.len() == FLUSH_AT {
                self.flush();
            }
        }
    }

    fn flush(&mut self) {
        // What does not fit is lost, and made up for after a silence.
        let _ = self
            .sender
            .send(&self.socket, &self.arena, &self.items, &mut |_, error| {
                panic!("a datagram is refused: {error}")
            });
        self.items.clear();
        self.arena.clear();
    }

    /// Counts what there is by kind; false after a silence.
    fn receive(&mut self, kinds: &mut [usize; 256]) -> bool {
        if !self
            .poller
            .wait(Some(&self.socket), false, SILENCE)
            .readable
        {
            return false;
        }
        self.drain(kinds);
        true
    }

    fn drain(&mut self, kinds: &mut [usize; 256]) {
        while let Ok(outcome) = self.receiver.recv(&self.socket) {
            for datagram in self.receiver.datagrams() {
                kinds[usize::from(datagram.bytes[0])] += 1;
            }
            if outcome.drained {
                break;
            }
        }
    }
}

/// Sleeps to the end of a tick that began then.
fn rest(began: Instant) {
    std::thread::sleep(TICK.saturating_sub(began.elapsed()));
}

fn serve(paced: bool) {
    let (socket, address) = bind();
    println!("{}", address.port());
    let messages = Messages::new();
    // The first datagram says who calls.
    socket.set_nonblocking(false).expect("it blocks");
    socket.set_read_timeout(Some(FIRST)).expect("it has a time");
    let (_, to) = socket.recv_from(&mut [0; 1]).expect("a first datagram");
    socket.set_nonblocking(true).expect("it does not");
    let mut side = Side::new(socket);
    let mut silences = 0;
    loop {
        let mut kinds = [0; 256];
        let began = Instant::now();
        silences = if side.receive(&mut kinds) {
            0
        } else {
            silences + 1
        };
        if paced {
            rest(began);
            side.drain(&mut kinds);
        }
        let calls = kinds[usize::from(b'I')];
        side.push(&messages.ringing, calls, to);
        side.push(&messages.ok, calls, to);
        side.push(&messages.bye_ok, kinds[usize::from(b'B')], to);
        side.flush();
        if kinds[usize::from(b'Q')] > 0 || silences == SILENCES {
            println!("{}", cpu_time().as_nanos());
            return;
        }
    }
}

/// Calls made, CPU time and time; as many at once as there may be, or `rate` a second.
fn call(port: u16, rate: Option<u32>, time: Duration) -> (usize, Duration, Duration) {
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let messages = Messages::new();
    let mut side = Side::new(bind().0);
    side.push(b"H", 1, to);
    side.flush();
    let (started, before) = (Instant::now(), cpu_time());
    if rate.is_none() {
        side.push(&messages.invite, IN_FLIGHT, to);
        side.flush();
    }
    let (mut done, mut begun) = (0, 0);
    while started.elapsed() < time {
        let mut kinds = [0; 256];
        if rate.is_some() {
            rest(Instant::now());
            side.drain(&mut kinds);
        } else if !side.receive(&mut kinds) {
            // All that was in flight is lost.
            side.push(&messages.invite, IN_FLIGHT, to);
            side.flush();
            continue;
        }
        let answered = kinds[usize::from(b'2')];
        let ended = kinds[usize::from(b'3')];
        side.push(&messages.ack, answered, to);
        side.push(&messages.bye, answered, to);
        let due = match rate {
            Some(rate) => (started.elapsed().as_secs_f64() * f64::from(rate)) as usize - begun,
            None => ended,
        };
        side.push(&messages.invite, due, to);
        side.flush();
        begun += due;
        done += ended;
    }
    let (spent, elapsed) = (cpu_time() - before, started.elapsed());
    // More than one, since a full buffer may take some.
    for _ in 0..20 {
        side.push(b"Q", 1, to);
        side.flush();
        std::thread::sleep(Duration::from_millis(20));
    }
    (done, spent, elapsed)
}

/// CPU time of this thread, the only one.
fn cpu_time() -> Duration {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("schedstat");
    let nanos = text
        .split_ascii_whitespace()
        .next()
        .and_then(|n| n.parse().ok());
    Duration::from_nanos(nanos.expect("nanoseconds"))
}

/// CPU time of a wakeup, time to touch memory after one, and when it is warm.
fn wake() -> (Duration, Duration, Duration) {
    let before = cpu_time();
    for _ in 0..WAKES {
        std::thread::sleep(TICK);
    }
    let waking = (cpu_time() - before) / WAKES;
    let memory = vec![1_u8; TOUCHED];
    let touched = |sleeps: bool| {
        let mut times: Vec<Duration> = (0..WAKES)
            .map(|_| {
                if sleeps {
                    std::thread::sleep(TICK);
                }
                let began = Instant::now();
                let lines = std::hint::black_box(&memory).iter().step_by(CACHE_LINE);
                std::hint::black_box(lines.fold(0_u8, |sum, byte| sum.wrapping_add(*byte)));
                began.elapsed()
            })
            .collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    (waking, touched(true), touched(false))
}

/// Keeps a CPU from halting, until its starter has gone or this time has passed.
fn spin(time: Duration) {
    use std::io::Read as _;
    std::thread::spawn(|| {
        // Nothing is ever written there: it ends with the starter.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    println!("spinning");
    let began = Instant::now();
    while began.elapsed() < time {
        for _ in 0..10_000 {
            std::hint::spin_loop();
        }
    }
}

/// Ends with its handle.
struct Spinner(Child);

impl Spinner {
    /// One of the idle class, which gives way to whatever else wants the CPU.
    fn start(cpu: &str) -> Self {
        use std::io::{BufRead as _, BufReader};
        let mut child = Command::new("chrt")
            .args(["--idle", "0", "taskset", "-c", cpu])
            .arg(std::env::current_exe().expect("this program"))
            .args(["spin", SPIN_SECONDS])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("chrt of util-linux");
        let said = BufReader::new(child.stdout.take().expect("piped"))
            .lines()
            .next();
        let spinner = Self(child);
        said.expect("it spins").expect("text");
        spinner
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts this program in another role.
fn start(cpu: &str, role: &[&str]) -> Child {
    let program = std::env::current_exe().expect("this program");
    Command::new("taskset")
        .args(["-c", cpu])
        .arg(program)
        .args(role)
        .stdout(Stdio::piped())
        .spawn()
        .expect("taskset of util-linux")
}

/// The figures that it printed.
fn figures(child: Child) -> Vec<f64> {
    let output = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_whitespace()
        .map(|figure| figure.parse().expect("a number"))
        .collect()
}

fn measure_waking() {
    for (label, never_halts) in [("wake", false), ("wake, CPU never halts", true)] {
        let spinner = never_halts.then(|| Spinner::start(CLIENT_CPU));
        let found = figures(start(CLIENT_CPU, &["wake"]));
        drop(spinner);
        let [waking, touched, warm] = found[..] else {
            panic!("three figures: {found:?}");
        };
        println!("{label}: cpu_us {waking:.2} touch_us {touched:.2} warm_us {warm:.2}");
    }
}

fn measure(rate: Option<u32>, seconds: u64) {
    use std::io::{BufRead as _, BufReader};
    let paced = rate.map_or_else(|| "0".to_owned(), |rate| rate.to_string());
    let mut server = start(SERVER_CPU, &["serve", &paced]);
    let mut served = BufReader::new(server.stdout.take().expect("piped")).lines();
    let mut line = || served.next().expect("a line").expect("text");
    let port = line();
    let said = figures(start(
        CLIENT_CPU,
        &["call", &port, &paced, &seconds.to_string()],
    ));
    let [calls, spent, elapsed] = said[..] else {
        panic!("three figures: {said:?}");
    };
    let served_ns: f64 = line().parse().expect("nanoseconds");
    server.wait().expect("the server ends");
    let label = rate.map_or_else(|| "floor".to_owned(), |rate| format!("floor at {rate}/s"));
    println!(
        "{label}: calls/s {:.0} client_us {:.3} server_us {:.3}",
        calls * 1e9 / elapsed,
        spent / 1e3 / calls,
        served_ns / 1e3 / calls
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    match words[..] {
        ["serve", rate] => serve(rate != "0"),
        ["call", port, rate, seconds] => {
            let time = Duration::from_secs(seconds.parse().expect("seconds"));
            let (calls, spent, elapsed) = call(port.parse().expect("a port"), paced(rate), time);
            println!("{calls} {} {}", spent.as_nanos(), elapsed.as_nanos());
        }
        ["wake"] => {
            let (waking, touched, warm) = wake();
            let us = |time: Duration| time.as_secs_f64() * 1e6;
            println!("{} {} {}", us(waking), us(touched), us(warm));
        }
        ["spin", seconds] => spin(Duration::from_secs(seconds.parse().expect("seconds"))),
        ["one", rate, seconds] => measure(paced(rate), seconds.parse().expect("seconds")),
        // What cargo adds to the arguments of a bench.
        _ => {
            for rate in RATES {
                measure(Some(rate), SECONDS);
            }
            measure(None, SECONDS);
            measure_waking();
        }
    }
}

/// The rate that is asked for; 0 for as fast as it goes.
fn paced(rate: &str) -> Option<u32> {
    Some(rate.parse().expect("a rate")).filter(|rate| *rate > 0)
}
