// SPDX-License-Identifier: AGPL-3.0-only
//! Runs SIPp, and our own binary in its place, for tests that compare the two.
//!
//! A [`Tool`] is a program that takes SIPp's flags; a [`Pair`] is one run of a client against a server, each of them
//! any tool. Every process gets a fresh folder, a free loopback port and a time limit, and ends with its handle:
//! nothing is ever looked for by name.
//!
//! Not for judging the outcome, and not for anything but loopback.
//!
//! Invariants: no run outlives its [`Pair::limit`]; no fixed port is used; the folder goes with the [`Outcome`].

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::sipp_stat::Counters;
use crate::sipp_trace::{Identities, MAX_PORT_OFFSET, Traced, parse_trace};

/// The SIPp release that the recorded expectations were taken from.
pub const PINNED_VERSION: &str = "v3.6.1";

/// How long a server may take to open its socket.
const START_LIMIT: Duration = Duration::from_secs(10);

/// How long an answer to a probe may take before silence counts as "somebody has the port".
const PROBE_WAIT: Duration = Duration::from_millis(20);

/// A program that understands SIPp's command line.
#[derive(Debug, Clone)]
pub struct Tool {
    /// What the test calls it.
    pub name: &'static str,
    /// The line by which it introduces itself.
    pub version: String,
    program: PathBuf,
    /// Is it told that its name is `sipp`?
    as_sipp: bool,
    /// Does it write `-trace_stat` files?
    writes_statistics: bool,
}

impl Tool {
    /// Real SIPp from `PATH`; `None`, said aloud on stderr, when there is none.
    #[must_use]
    pub fn sipp() -> Option<Self> {
        static FOUND: LazyLock<Option<Tool>> = LazyLock::new(find_sipp);
        FOUND.clone()
    }

    /// Our binary, started under SIPp's name, so that its files are SIPp's too.
    pub fn gossipper(program: impl Into<PathBuf>) -> Self {
        Self {
            name: "gossipper",
            version: "gossipper".to_owned(),
            program: program.into(),
            as_sipp: true,
            writes_statistics: true,
        }
    }

    /// A program with a command line of its own: our binary in its own dialect, or a peer that is not a load tool.
    pub fn program(name: &'static str, program: impl Into<PathBuf>) -> Self {
        Self {
            name,
            version: name.to_owned(),
            program: program.into(),
            as_sipp: false,
            writes_statistics: false,
        }
    }

    /// A command of this tool in a folder, its streams piped, nothing to read.
    #[must_use]
    pub fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        if self.as_sipp {
            command.arg0("sipp");
        }
        command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a skipped comparison has to be seen in the test log"
)]
fn find_sipp() -> Option<Tool> {
    let output = match Command::new("sipp").arg("-v").output() {
        Ok(output) => output,
        Err(error) => {
            eprintln!(
                "SKIPPED: no `sipp` on PATH ({error}); install Debian's sip-tester to compare"
            );
            return None;
        }
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let version = text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("SIPp v"))
        .unwrap_or("SIPp of an unknown version")
        .to_owned();
    eprintln!("comparing with {version}");
    if !version.contains(PINNED_VERSION) {
        eprintln!(
            "note: the known differences were recorded with {PINNED_VERSION}; expect a few more"
        );
    }
    Some(Tool {
        name: "sipp",
        version,
        program: "sipp".into(),
        as_sipp: false,
        writes_statistics: true,
    })
}

/// Where a side's scenario comes from.
#[derive(Debug, Clone, Copy)]
pub enum Scenario<'a> {
    /// `-sn NAME`: the tool's own.
    Builtin(&'a str),
    /// `-sf FILE`; the path must be absolute, since each process runs in its own folder.
    File(&'a Path),
}

/// One of the two processes of a [`Pair`].
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// What runs.
    pub tool: &'a Tool,
    /// What it plays.
    pub scenario: Scenario<'a>,
    /// Flags besides addresses, call count, rate and traces.
    pub flags: &'a [String],
}

/// A client against a server on loopback.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// The answering side; started first.
    pub server: Side<'a>,
    /// The calling side; started when the server has its port.
    pub client: Side<'a>,
    /// A loopback address: decides between IPv4 and IPv6.
    pub ip: IpAddr,
    /// `-m` of both sides.
    pub calls: u32,
    /// `-r` of the client.
    pub rate: u32,
    /// Write and read `-trace_msg` logs? Not for load: they grow with the calls.
    pub trace: bool,
    /// Both processes are killed when this has passed.
    pub limit: Duration,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By a signal that it did not ask for.
    Signal,
    /// Not within the limit: it was killed.
    TimedOut,
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal => f.write_str("a signal"),
            Self::TimedOut => f.write_str("the time limit"),
        }
    }
}

/// What one process left behind.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub exit: Exit,
    /// Its process id, which appears in generated ids.
    pub pid: u32,
    /// The SIP port it was given.
    pub port: u16,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error output.
    pub stderr: String,
    /// Its `-trace_err` file.
    pub errors: String,
    /// Its `-trace_msg` file.
    pub messages: Vec<Traced>,
    /// Its final counters, from its statistics file or its summary.
    pub counters: Option<Counters>,
    /// Its folder, removed with this value.
    pub folder: TempDir,
}

/// What both processes left behind.
#[derive(Debug)]
pub struct PairOutcome {
    /// The calling side.
    pub client: Outcome,
    /// The answering side.
    pub server: Outcome,
}

impl PairOutcome {
    /// What has to be replaced before the messages of two runs can be compared.
    #[must_use]
    pub fn identities(&self) -> Identities {
        Identities {
            client_pid: self.client.pid,
            server_pid: self.server.pid,
            client_port: self.client.port,
            server_port: self.server.port,
        }
    }
}

impl Pair<'_> {
    /// Runs both sides to their end.
    ///
    /// # Errors
    /// When a process cannot be started, a folder cannot be made, or the server opens no socket.
    pub fn run(&self) -> io::Result<PairOutcome> {
        let streams = listens_for_streams(self.server.flags);
        let free_port = || match streams {
            true => free_tcp_port(self.ip),
            false => free_udp_port(self.ip),
        };
        let server_address = SocketAddr::new(self.ip, free_port()?);
        let client_port = free_port()?;
        let deadline = Instant::now() + self.limit;

        let mut server = Running::start(
            self.server.tool,
            self.arguments(&self.server, server_address.port()),
        )?;
        let ready = match streams {
            true => server.wait_for_listener(server_address.port()),
            false => server.wait_for_port(server_address),
        };
        if let Err(error) = ready {
            let outcome = server.finish(Instant::now(), server_address.port())?;
            return Err(io::Error::other(format!(
                "{error}; it ended with {}\n{}{}",
                outcome.exit, outcome.stdout, outcome.stderr
            )));
        }
        let mut arguments = self.arguments(&self.client, client_port);
        arguments.push(server_address.to_string());
        arguments.extend(["-r".to_owned(), self.rate.to_string()]);
        let client = Running::start(self.client.tool, arguments)?;
        let client = client.finish(deadline, client_port)?;
        // A server that waits for more calls than came would wait for ever: it gets what is left, and a little more.
        let server = server.finish(
            deadline.max(Instant::now() + Duration::from_secs(1)),
            server_address.port(),
        )?;
        Ok(PairOutcome { client, server })
    }

    fn arguments(&self, side: &Side<'_>, port: u16) -> Vec<String> {
        let mut arguments: Vec<String> = match side.scenario {
            Scenario::Builtin(name) => vec!["-sn".into(), name.into()],
            Scenario::File(path) => vec!["-sf".into(), path.display().to_string()],
        };
        let ip = self.ip.to_string();
        let (port, calls) = (port.to_string(), self.calls.to_string());
        for (flag, value) in [("-i", &ip), ("-p", &port), ("-m", &calls)] {
            arguments.extend([flag.to_owned(), value.clone()]);
        }
        arguments.push("-nostdin".into());
        arguments.extend(["-trace_err", "-error_file", ERRORS].map(String::from));
        if self.trace {
            arguments.extend(["-trace_msg", "-message_file", MESSAGES].map(String::from));
        }
        if side.tool.writes_statistics {
            arguments.extend(["-trace_stat", "-stf", STATISTICS].map(String::from));
        }
        arguments.extend(side.flags.iter().cloned());
        arguments
    }
}

/// Whether flags ask for a transport with connections.
fn listens_for_streams(flags: &[String]) -> bool {
    let mut pairs = flags.windows(2);
    pairs.any(|pair| pair[0] == "-t" && !pair[1].starts_with('u'))
}

const MESSAGES: &str = "messages.log";
const ERRORS: &str = "errors.log";
const STATISTICS: &str = "statistics.csv";

/// A process under way, its output read as it comes.
///
/// Dropping it kills the process, so that a failing test leaves nothing behind.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Taken by [`Running::finish`] and nowhere else.
    folder: Option<TempDir>,
    /// Reports the end of the process: its standard output was closed.
    ended: Receiver<()>,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    /// Starts a tool in a fresh folder.
    ///
    /// # Errors
    /// When the folder or the process cannot be made.
    pub fn start(tool: &Tool, arguments: Vec<String>) -> io::Result<Self> {
        let folder = TempDir::with_prefix("gossipper-test-")?;
        let mut child = tool.command(folder.path()).args(arguments).spawn()?;
        let (report, ended) = channel();
        let stdout = child.stdout.take().map(|mut stream| {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                // An unreadable stream counts as its end.
                let _ = stream.read_to_end(&mut bytes);
                let _ = report.send(());
                bytes
            })
        });
        let stderr = child.stderr.take().map(|mut stream| {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let _ = stream.read_to_end(&mut bytes);
                bytes
            })
        });
        Ok(Self {
            child,
            folder: Some(folder),
            ended,
            stdout,
            stderr,
        })
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Has the process ended?
    ///
    /// # Errors
    /// When the system cannot say.
    pub fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits until something owns this UDP port: probes with the keep-alive that SIP endpoints ignore (RFC 5626
    /// §3.5.1) for as long as the kernel answers that nobody is there.
    ///
    /// # Errors
    /// When the process ends first or takes longer than ten seconds.
    pub fn wait_for_port(&mut self, address: SocketAddr) -> io::Result<()> {
        let probe = UdpSocket::bind(SocketAddr::new(address.ip(), 0))?;
        probe.connect(address)?;
        probe.set_read_timeout(Some(PROBE_WAIT))?;
        let limit = Instant::now() + START_LIMIT;
        while Instant::now() < limit {
            let refused = probe.send(b"\r\n\r\n").is_err()
                || probe
                    .recv(&mut [0; 16])
                    .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
            if !refused {
                return Ok(());
            }
            // Gives the process time and notices its end at once.
            match self.ended.recv_timeout(PROBE_WAIT) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("the server ended before it had its port"));
                }
            }
        }
        Err(io::Error::other("the server opened no socket"))
    }

    /// Waits until something listens on this TCP port, without connecting: some listeners take one connection.
    ///
    /// # Errors
    /// When the process ends first or takes longer than ten seconds, or the system does not say who listens.
    pub fn wait_for_listener(&mut self, port: u16) -> io::Result<()> {
        let limit = Instant::now() + START_LIMIT;
        while Instant::now() < limit {
            if listens(port)? {
                return Ok(());
            }
            match self.ended.recv_timeout(PROBE_WAIT) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("the process ended before it listened"));
                }
            }
        }
        Err(io::Error::other("the process listens nowhere"))
    }

    /// Waits for the end, at most until `deadline`, and collects what is there.
    ///
    /// # Errors
    /// When the system cannot say how the process ended.
    pub fn finish(mut self, deadline: Instant, port: u16) -> io::Result<Outcome> {
        let left = deadline.saturating_duration_since(Instant::now());
        let timed_out = matches!(
            self.ended.recv_timeout(left),
            Err(RecvTimeoutError::Timeout)
        ) && self.child.try_wait()?.is_none();
        if timed_out {
            self.child.kill()?;
        }
        let status = self.child.wait()?;
        let exit = if timed_out {
            Exit::TimedOut
        } else {
            exit_of(status)
        };
        let folder = self.folder.take().ok_or(io::ErrorKind::NotFound)?;
        // A trace that nobody asked for, or that had nothing to say, is no file.
        let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap_or_default();
        let (messages, errors, statistics) = (read(MESSAGES), read(ERRORS), read(STATISTICS));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let joined = |stream: Option<JoinHandle<Vec<u8>>>| {
            text(&stream.and_then(|s| s.join().ok()).unwrap_or_default())
        };
        let stdout = joined(self.stdout.take());
        let stderr = joined(self.stderr.take());
        Ok(Outcome {
            exit,
            pid: self.child.id(),
            port,
            errors: text(&errors),
            messages: parse_trace(&messages),
            counters: Counters::from_csv(&text(&statistics))
                .or_else(|| Counters::from_summary(&stdout))
                .or_else(|| Counters::from_summary(&stderr)),
            stdout,
            stderr,
            folder,
        })
    }
}

impl Running {
    /// Has a load tool open no more calls (SIGUSR1), and interrupts it as Ctrl-C does if it still waits for open ones
    /// when `patience` has passed; kills it after ten seconds.
    ///
    /// # Errors
    /// When there is no `kill` command, or the system cannot say how the process ended.
    pub fn stop(self, port: u16, patience: Duration) -> io::Result<Outcome> {
        self.signal(&["-USR1", "-INT"], port, patience)
    }

    /// Interrupts a program that is no load tool as Ctrl-C does; kills it after ten seconds.
    ///
    /// # Errors
    /// When there is no `kill` command, or the system cannot say how the process ended.
    pub fn interrupt(self) -> io::Result<Outcome> {
        self.signal(&["-INT"], 0, START_LIMIT)
    }

    fn signal(mut self, signals: &[&str], port: u16, patience: Duration) -> io::Result<Outcome> {
        for signal in signals {
            if self.has_ended()? {
                break;
            }
            // The child is not yet waited for, so its id cannot belong to another process.
            Command::new("kill")
                .args([signal, self.pid().to_string().as_str()])
                .status()?;
            match self.ended.recv_timeout(patience) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.finish(Instant::now() + START_LIMIT, port)
    }
}

/// Whether a TCP socket listens on this port, as the kernel's table of sockets says.
fn listens(port: u16) -> io::Result<bool> {
    let wanted = format!(":{port:04X}");
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(text) = std::fs::read_to_string(table) else {
            // Without IPv6 there is no second table.
            continue;
        };
        let found = text.lines().skip(1).any(|line| {
            let mut columns = line.split_whitespace().skip(1);
            let (local, state) = (columns.next(), columns.nth(1));
            local.is_some_and(|local| local.ends_with(&wanted)) && state == Some("0A")
        });
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A TCP port of this address that nobody has, with the distance to others that [`free_udp_port`] keeps.
///
/// # Errors
/// When the address cannot be bound at all.
pub fn free_tcp_port(ip: IpAddr) -> io::Result<u16> {
    far_from_others(|| Ok(TcpListener::bind((ip, 0))?.local_addr()?.port()))
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail for a process that has ended, which is the ordinary case.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    status.code().map_or(Exit::Signal, Exit::Code)
}

/// How many ports [`free_udp_port`] remembers: more than are in use at a time, few enough to leave others.
const REMEMBERED_PORTS: usize = 256;

/// A UDP port of this address that nobody has, and never near one that this process got shortly before: ports with an
/// offset (`[local_port+1]`) stay recognisable.
///
/// # Errors
/// When the address cannot be bound at all.
pub fn free_udp_port(ip: IpAddr) -> io::Result<u16> {
    far_from_others(|| {
        Ok(UdpSocket::bind(SocketAddr::new(ip, 0))?
            .local_addr()?
            .port())
    })
}

fn far_from_others(free_port: impl Fn() -> io::Result<u16>) -> io::Result<u16> {
    static GIVEN: LazyLock<Mutex<VecDeque<u16>>> = LazyLock::new(Mutex::default);
    loop {
        let port = free_port()?;
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        if given
            .iter()
            .all(|other| u32::from(port.abs_diff(*other)) >= MAX_PORT_OFFSET)
        {
            given.push_back(port);
            if given.len() > REMEMBERED_PORTS {
                given.pop_front();
            }
            return Ok(port);
        }
    }
}
