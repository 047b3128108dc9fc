// SPDX-License-Identifier: AGPL-3.0-only
//! One sitting: the processes of a habit, from their start to what they left behind.
//!
//! Every process has a folder of its own, free ports of the loopback, and a time limit; what this module starts it ends
//! by its id, in the background too.

use gossipper_testkit::habits::{Habit, Step, words};
use gossipper_testkit::sipp::{free_tcp_port, free_udp_port};
use gossipper_testkit::sipp_stat::Counters;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// No habit lasts as long on a machine that has time.
const LIMIT: Duration = Duration::from_secs(14);

/// How often something that has to come is looked for.
const LOOK: Duration = Duration::from_millis(10);

/// The statistics of a line that asks for none: for the counters, and no file of the habit.
const COUNTERS: &str = "counters-of-the-test.csv";

/// The counters that both tools have to agree on; warnings and messages of ended calls depend on how long a process
/// stays.
const COMPARED: &[&str] = &[
    "SuccessfulCall",
    "FailedCall",
    "FailedCannotSendMessage",
    "FailedMaxUDPRetrans",
    "FailedUnexpectedMessage",
    "FailedCallRejected",
    "FailedRegexpDoesntMatch",
    "FailedTimeoutOnRecv",
    "FailedTimeoutOnSend",
    "FailedTCPConnect",
    "FailedTCPClosed",
    "Retransmissions",
    "AutoAnswered",
];

/// How a row of titles begins.
const TITLES: [&str; 3] = ["StartTime", "CurrentTime", "Date_ms"];

/// Which tool a process is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Who {
    Sipp,
    Ours,
}

/// Is this fact a counter?
pub(crate) fn is_counter(fact: &str) -> bool {
    COMPARED.contains(&fact)
}

/// What can be compared of a process, by name.
#[derive(Debug)]
pub(crate) struct Facts {
    facts: BTreeMap<String, String>,
    /// What it printed, for the reader of a failure.
    pub(crate) output: String,
}

impl Facts {
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.facts.keys().map(String::as_str)
    }

    /// A fact; empty when there is none of this name.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.facts.get(name).map_or("", String::as_str)
    }
}

/// The ports that one process may use.
struct Ports {
    sip: u16,
    control: u16,
    twin: u16,
}

/// One process.
struct Party {
    child: Child,
    /// Where it runs.
    folder: TempDir,
    /// Where its streams go.
    streams: TempDir,
    code: Option<i32>,
}

impl Drop for Party {
    fn drop(&mut self) {
        // Both fail for a process that has ended, which is the ordinary case.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(pid) = self.in_background().filter(|pid| runs(*pid)) {
            let _ = signal(pid, "KILL");
        }
    }
}

/// A habit under way.
pub(crate) struct Sitting<'a> {
    habit: &'a Habit,
    ports: Vec<Ports>,
    parties: Vec<Party>,
    until: Instant,
}

impl<'a> Sitting<'a> {
    /// Runs a habit with these tools, and reports what came of each process.
    pub(crate) fn run(
        habit: &'a Habit,
        cast: &[Who],
        workspace: &Path,
    ) -> Result<Vec<Facts>, String> {
        let ports = || -> std::io::Result<Ports> {
            Ok(Ports {
                sip: free_udp_port(IP)?,
                control: free_udp_port(IP)?,
                twin: free_tcp_port(IP)?,
            })
        };
        let ports = (0..habit.lines.len())
            .map(|_| ports())
            .collect::<Result<_, _>>();
        let mut sitting = Self {
            habit,
            ports: ports.map_err(said)?,
            parties: Vec::new(),
            until: Instant::now() + LIMIT,
        };
        for (party, who) in cast.iter().enumerate() {
            sitting.start(party, *who, workspace)?;
        }
        for step in &habit.steps {
            sitting.step(step)?;
        }
        for party in 0..cast.len() {
            sitting.wait(party)?;
        }
        (sitting.parties.iter().enumerate())
            .map(|(index, party)| party.facts(habit, index))
            .collect()
    }

    /// Text with what stands in braces filled in, as process `party` has it.
    fn filled(&self, party: usize, text: &str) -> String {
        let mut text = text.to_owned();
        let own = &self.ports[party];
        let me = format!("-i {IP} -p {}", own.sip);
        for (name, value) in [
            ("{me}", me),
            ("{port}", own.sip.to_string()),
            ("{cp}", own.control.to_string()),
            ("{listen}", format!("{IP}:{}", own.twin)),
        ] {
            text = text.replace(name, &value);
        }
        for (index, ports) in self.ports.iter().enumerate() {
            text = text
                .replace(&format!("{{{index}}}"), &format!("{IP}:{}", ports.sip))
                .replace(&format!("{{cp{index}}}"), &ports.control.to_string())
                .replace(&format!("{{port{index}}}"), &ports.sip.to_string())
                .replace(
                    &format!("{{listen{index}}}"),
                    &format!("{IP}:{}", ports.twin),
                );
        }
        text
    }

    fn start(&mut self, party: usize, who: Who, workspace: &Path) -> Result<(), String> {
        let (folder, streams) = (
            TempDir::with_prefix("gossipper-habit-").map_err(said)?,
            TempDir::with_prefix("gossipper-habit-").map_err(said)?,
        );
        for name in &self.habit.files {
            let places = [
                "testdata/habits",
                "testdata/scenarios",
                "testdata/scenarios/3pcc",
            ];
            let mut places = places
                .map(|place| workspace.join(place).join(name))
                .into_iter();
            let source = places
                .find(|path| path.exists())
                .ok_or_else(|| format!("no file {name}"))?;
            fs::copy(source, folder.path().join(name)).map_err(said)?;
        }
        for (name, text) in &self.habit.write {
            fs::write(folder.path().join(name), self.filled(party, text)).map_err(said)?;
        }
        let written = &self.habit.lines[party];
        let mut arguments = words(&self.filled(party, written));
        arguments.remove(0);
        let counted = written.contains("{me}") && !written.contains("-trace_stat");
        let mut command = match who {
            Who::Sipp => Command::new("sipp"),
            Who::Ours => Command::new(env!("CARGO_BIN_EXE_gossipper")),
        };
        if counted {
            arguments.extend(["-trace_stat", "-stf", COUNTERS].map(str::to_owned));
        }
        let stream = |name: &str| File::create(streams.path().join(name)).map_err(said);
        let child = command
            .arg0("sipp")
            .args(arguments)
            .current_dir(folder.path())
            .env("XDG_CACHE_HOME", streams.path().join("cache"))
            .env("TERM", "xterm")
            // Held open: SIPp complains of a standard input that it cannot wait for.
            .stdin(Stdio::piped())
            .stdout(stream("stdout")?)
            .stderr(stream("stderr")?)
            .spawn()
            .map_err(said)?;
        self.parties.push(Party {
            child,
            folder,
            streams,
            code: None,
        });
        // Its peers need it, and steps meant for it are lost before.
        let ports = &self.ports[party];
        let mut waited = Vec::new();
        for (mark, port) in [
            ("{me}", ports.sip),
            ("{cp}", ports.control),
            ("{listen}", ports.twin),
        ] {
            if written.contains(mark) {
                waited.push(port);
            }
        }
        self.until(party, || waited.iter().all(|port| is_open(*port)))
    }

    /// Waits until something has come about, or a process has ended.
    fn until(&mut self, party: usize, come: impl Fn() -> bool) -> Result<(), String> {
        while !come() {
            if self.parties[party].has_ended()? {
                return Ok(());
            }
            if Instant::now() > self.until {
                return Err(format!(
                    "process {party} does not do what is waited for\n{}",
                    self.parties[party].output()
                ));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Waits for the end of a process, in the background too.
    fn wait(&mut self, party: usize) -> Result<(), String> {
        self.until(party, || false)?;
        while let Some(pid) = self.parties[party].in_background().filter(|pid| runs(*pid)) {
            if Instant::now() > self.until {
                let output = self.parties[party].output();
                return Err(format!(
                    "process {party} goes on in the background as {pid}\n{output}"
                ));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        if let Some(after) = step.after {
            self.wait(after)?;
        }
        if let Some(once) = &step.once {
            let folder = self.parties[step.party].folder.path().to_owned();
            self.until(step.party, || {
                let mut files = fs::read_dir(&folder).into_iter().flatten().flatten();
                files.any(|file| {
                    file.file_name().to_string_lossy().contains(once.as_str())
                        && file.metadata().is_ok_and(|about| about.len() > 0)
                })
            })?;
        }
        if let Some(text) = &step.tell {
            let socket = UdpSocket::bind((IP, 0)).map_err(said)?;
            let port = self.ports[step.party].control;
            socket.send_to(text.as_bytes(), (IP, port)).map_err(said)?;
        }
        let party = &self.parties[step.party];
        if let Some(name) = &step.signal {
            let pid = party.in_background().unwrap_or_else(|| party.child.id());
            signal(pid, name)?;
        }
        Ok(())
    }
}

impl Party {
    fn has_ended(&mut self) -> Result<bool, String> {
        if self.code.is_none()
            && let Some(status) = self.child.try_wait().map_err(said)?
        {
            // A signal that killed it is no exit code.
            self.code = Some(status.code().unwrap_or(-1));
        }
        Ok(self.code.is_some())
    }

    fn stream(&self, name: &str) -> String {
        let bytes = fs::read(self.streams.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn output(&self) -> String {
        self.stream("stdout") + &self.stream("stderr")
    }

    /// The process that goes on in the background, when it has said so.
    fn in_background(&self) -> Option<u32> {
        let said = self.stream("stdout");
        let (_, rest) = said.split_once("Background mode - PID=[")?;
        rest.split_once(']')?.0.parse().ok()
    }

    fn facts(&self, habit: &Habit, index: usize) -> Result<Facts, String> {
        let mut facts = BTreeMap::new();
        let mut counters = None;
        for file in fs::read_dir(self.folder.path()).map_err(said)? {
            let file = file.map_err(said)?;
            let name = file.file_name().to_string_lossy().into_owned();
            if habit.files.contains(&name) || habit.write.contains_key(&name) {
                continue;
            }
            let bytes = fs::read(file.path()).map_err(said)?;
            let text = String::from_utf8_lossy(&bytes);
            if text.starts_with("StartTime") {
                counters = counters.or_else(|| Counters::from_csv(&text));
            }
            if name == COUNTERS {
                continue;
            }
            let name = without_numbers(&name);
            let columns = text.lines().next().unwrap_or_default();
            // The rows of some tables have no titles.
            if TITLES.iter().any(|title| columns.starts_with(title)) {
                facts.insert(format!("columns {name}"), columns.to_owned());
            }
            let state = if bytes.is_empty() { "empty" } else { "written" };
            facts.insert(format!("file {name}"), state.to_owned());
        }
        facts.insert("exit".to_owned(), self.code.unwrap_or(-1).to_string());
        let stdout = self.stream("stdout");
        for says in habit.says.iter().filter(|says| says.party == index) {
            let there = [&stdout, &self.stream("stderr")]
                .iter()
                .any(|said| said.contains(&says.text));
            facts.insert(format!("says {}", says.text), there.to_string());
        }
        if let Some(counters) = counters.or_else(|| Counters::from_summary(&stdout)) {
            for name in COMPARED {
                facts.insert((*name).to_owned(), counters.value(name).to_string());
            }
        }
        let output = self.output();
        Ok(Facts { facts, output })
    }
}

/// A file name without what differs from run to run: the process id, and the time at which a file was put aside.
fn without_numbers(name: &str) -> String {
    let mut parts: Vec<&str> = name.split('_').collect();
    for part in &mut parts {
        let digits = part.trim_start_matches(|c: char| c.is_ascii_digit());
        if digits.len() < part.len() && (digits.is_empty() || digits.starts_with('.')) {
            *part = if digits.is_empty() { "N" } else { "N.log" };
        }
    }
    parts.join("_")
}

fn said(error: std::io::Error) -> String {
    error.to_string()
}

/// Whether a process is there and has not ended.
fn runs(pid: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    let state = state.and_then(|text| text.rsplit_once(") ")?.1.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

fn signal(pid: u32, name: &str) -> Result<(), String> {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    match status.map_err(said)?.success() {
        true => Ok(()),
        false => Err(format!("cannot signal process {pid}")),
    }
}

/// Whether a socket waits on this port, as the kernel's tables say.
fn is_open(port: u16) -> bool {
    let wanted = format!(":{port:04X}");
    let tables = [
        ("udp", None),
        ("udp6", None),
        ("tcp", Some("0A")),
        ("tcp6", Some("0A")),
    ];
    tables.into_iter().any(|(table, state)| {
        // Without IPv6 there is none of its tables.
        let text = fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        text.lines().skip(1).any(|line| {
            let mut columns = line.split_whitespace().skip(1);
            let (local, is) = (columns.next(), columns.nth(1));
            local.is_some_and(|local| local.ends_with(&wanted)) && (state.is_none() || is == state)
        })
    })
}
