// SPDX-License-Identifier: AGPL-3.0-only
//! `cargo xtask bench --vs-sipp`: whole programs beside each other, over the loopback interface.
//!
//! Both tools run the built-in `uac` and `uas`, in all pairings, the client on one CPU and the server on another. What
//! counts is CPU time per call, user and kernel together, and resident memory per call that is held open. All pairings
//! run within a minute on the same machine, so a busy neighbour hits both: trust ratios, not milliseconds.

use super::process::Process;
use super::{cargo, run as run_command};
use anyhow::{Context as _, Result, bail};
use gossipper_testkit::sipp::{Exit, Outcome, Running, Tool, free_udp_port};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// CPUs that client and server are tied to.
const CLIENT_CPU: usize = 0;
const SERVER_CPU: usize = 1;

/// A load: calls per second, and how many calls.
const SLOW: (u32, u32) = (1000, 3000);
const FAST: (u32, u32) = (6000, 30_000);

/// Runs of each pair; the cheapest counts, since nothing makes a run cheaper than it is.
const RUNS: u32 = 2;

/// Calls held open for the memory figure, and for the figure it is compared with.
const HELD: u32 = 20_000;
const FEW: u32 = 100;
const HELD_RATE: u32 = 4000;
const HELD_PAUSE_MS: &str = "60000";

/// What a run may take beyond its calls.
const SLACK: Duration = Duration::from_secs(40);

/// How long the last datagrams may take to be worked through.
const SETTLE: Duration = Duration::from_millis(500);

/// How long a client may take to end its open calls when it is interrupted.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long after the last call was opened memory is read: SIPp writes its counters once a second.
const SETTLE_HELD: Duration = Duration::from_millis(1500);

/// Compares and prints tables in Markdown.
pub(crate) fn run() -> Result<()> {
    let (sipp, ours) = tools()?;
    println!("{}\n", machine(&sipp)?);
    println!("CPU time per call in µs (user and kernel), `-sn uac` against `-sn uas`:\n");
    println!("| Calls/s | Client | Server | Client µs | Server µs | Failed | Retransmitted |");
    println!("| ---: | --- | --- | ---: | ---: | ---: | ---: |");
    let mut of_fast = Vec::new();
    for (load, pairs) in [
        (SLOW, &[(&sipp, &sipp), (&ours, &ours)][..]),
        (
            FAST,
            &[
                (&sipp, &sipp),
                (&ours, &ours),
                (&ours, &sipp),
                (&sipp, &ours),
            ],
        ),
    ] {
        for (client, server) in pairs {
            let mut cost = cpu(client, server, load)?;
            for _ in 1..RUNS {
                cost = cost.cheaper(&cpu(client, server, load)?);
            }
            println!(
                "| {} | {} | {} | {:.1} | {:.1} | {} | {} |",
                load.0,
                client.name,
                server.name,
                cost.client_us,
                cost.server_us,
                cost.failed,
                cost.retransmitted
            );
            if load == FAST {
                of_fast.push(cost);
            }
        }
    }
    if let [theirs, own, ..] = of_fast[..] {
        println!(
            "\nSIPp's CPU time over ours at {} calls/s: client {:.2}, server {:.2}\n",
            FAST.0,
            theirs.client_us / own.client_us,
            theirs.server_us / own.server_us
        );
    }
    println!("Resident memory per call held open ({HELD} calls less {FEW}), in bytes:\n");
    println!("| Tool | Client | Server |\n| --- | ---: | ---: |");
    let mut held = Vec::new();
    for tool in [&sipp, &ours] {
        let (client, server) = memory_per_call(tool)?;
        println!("| {} | {client} | {server} |", tool.name);
        held.push((client as f64, server as f64));
    }
    if let [theirs, own] = held[..] {
        println!(
            "\nSIPp's memory over ours: client {:.2}, server {:.2}",
            theirs.0 / own.0,
            theirs.1 / own.1
        );
    }
    Ok(())
}

/// SIPp, and ours as users build it.
pub(super) fn tools() -> Result<(Tool, Tool)> {
    let sipp = Tool::sipp().context("SIPp is not on PATH: install Debian's sip-tester")?;
    Ok((sipp, Tool::gossipper(build()?)))
}

/// Builds the binary that users run and says where it is.
fn build() -> Result<PathBuf> {
    run_command(cargo().args(["build", "--release", "-p", "gossipper-cli"]))?;
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .output()
        .context("cargo metadata")?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let target = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target folder")?;
    Ok([target, "release", "gossipper"].iter().collect())
}

/// What was measured, on what.
pub(super) fn machine(sipp: &Tool) -> Result<String> {
    let mut text = String::new();
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").context("/proc/cpuinfo")?;
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .and_then(|rest| rest.split_once(':'))
        .map_or("unknown CPU", |(_, name)| name.trim());
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    if cpus <= SERVER_CPU {
        bail!("client and server need a CPU each, and there is one");
    }
    let kernel = first_line("uname", &["-sr"])?;
    let rustc = first_line("rustc", &["--version"])?;
    let _ = write!(
        text,
        "{cpus} × {model}; {kernel}; {rustc}; {}",
        sipp.version
    );
    Ok(text)
}

fn first_line(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| program.to_owned())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// What a run of a pair cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) client_us: f64,
    pub(super) server_us: f64,
    pub(super) failed: u64,
    pub(super) retransmitted: u64,
    /// From the start of the client to its end.
    pub(super) seconds: f64,
}

impl Cost {
    /// The lower times of two runs, and all that went wrong in them.
    fn cheaper(&self, other: &Self) -> Self {
        Self {
            client_us: self.client_us.min(other.client_us),
            server_us: self.server_us.min(other.server_us),
            failed: self.failed + other.failed,
            retransmitted: self.retransmitted + other.retransmitted,
            seconds: self.seconds.min(other.seconds),
        }
    }
}

pub(super) fn cpu(client: &Tool, server: &Tool, (rate, calls): (u32, u32)) -> Result<Cost> {
    let mut pair = Pair::start(client, server, rate, calls, &[])?;
    let started = Instant::now();
    let limit = Duration::from_secs(u64::from(calls / rate)) + SLACK;
    let client_time = pair.client_process().wait(limit)?;
    let seconds = started.elapsed().as_secs_f64();
    std::thread::sleep(SETTLE);
    let server_time = pair.server_process().cpu_time()?;
    let outcome = pair.stop()?;
    let counted = |name| count(&outcome, name);
    let done = counted("SuccessfulCall")? + counted("FailedCall")?;
    if done != u64::from(calls) {
        bail!(
            "{} ended {done} of {calls} calls:\n{}{}",
            client.name,
            outcome.stdout,
            outcome.stderr
        );
    }
    let per_call = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(calls);
    Ok(Cost {
        client_us: per_call(client_time),
        server_us: per_call(server_time),
        failed: counted("FailedCall")?,
        retransmitted: counted("Retransmissions")?,
        seconds,
    })
}

/// Resident bytes per held call of client and server.
fn memory_per_call(tool: &Tool) -> Result<(u64, u64)> {
    let few = memory(tool, FEW)?;
    let many = memory(tool, HELD)?;
    let more = u64::from(HELD - FEW);
    let per_call = |many: u64, few: u64| many.saturating_sub(few) / more;
    Ok((per_call(many.0, few.0), per_call(many.1, few.1)))
}

fn memory(tool: &Tool, calls: u32) -> Result<(u64, u64)> {
    let limit = HELD.to_string();
    let mut pair = Pair::start(
        tool,
        tool,
        HELD_RATE,
        calls,
        &["-d", HELD_PAUSE_MS, "-l", &limit],
    )?;
    let opening = Duration::from_secs_f64(f64::from(calls) / f64::from(HELD_RATE));
    std::thread::sleep(opening + SETTLE_HELD);
    let resident = (
        pair.client_process().resident()?,
        pair.server_process().resident()?,
    );
    let outcome = pair.stop()?;
    // SIPp's column, and the name of ours.
    let created = count(&outcome, "OutgoingCall")?.max(count(&outcome, "TotalCallCreated")?);
    if created != u64::from(calls) {
        bail!("{} had opened {created} of {calls} calls", tool.name);
    }
    Ok(resident)
}

fn count(outcome: &Outcome, name: &str) -> Result<u64> {
    let counters = outcome
        .counters
        .as_ref()
        .with_context(|| format!("no counters in:\n{}{}", outcome.stdout, outcome.stderr))?;
    Ok(counters.value(name))
}

/// A server and a client that calls it.
struct Pair {
    client: Option<Running>,
    server: Option<Running>,
    client_id: u32,
    server_id: u32,
    ports: (u16, u16),
}

impl Pair {
    fn start(client: &Tool, server: &Tool, rate: u32, calls: u32, flags: &[&str]) -> Result<Self> {
        let ports = (free_udp_port(LOCALHOST)?, free_udp_port(LOCALHOST)?);
        let address = SocketAddr::new(LOCALHOST, ports.1);
        let mut serving = Running::start(server, arguments(server, "uas", ports.1))?;
        serving.wait_for_port(address)?;
        let server_id = serving.pid();
        Process(server_id).pin(SERVER_CPU)?;
        let mut words = arguments(client, "uac", ports.0);
        for (flag, value) in [("-r", rate), ("-m", calls)] {
            words.extend([flag.to_owned(), value.to_string()]);
        }
        words.extend(flags.iter().map(|flag| (*flag).to_owned()));
        words.push(address.to_string());
        let calling = Running::start(client, words)?;
        let client_id = calling.pid();
        Process(client_id).pin(CLIENT_CPU)?;
        Ok(Self {
            client: Some(calling),
            server: Some(serving),
            client_id,
            server_id,
            ports,
        })
    }

    fn client_process(&self) -> Process {
        Process(self.client_id)
    }

    fn server_process(&self) -> Process {
        Process(self.server_id)
    }

    /// Ends both and gives what the client has to say. A client with open calls is interrupted.
    fn stop(&mut self) -> Result<Outcome> {
        let client = self.client.take().context("the pair was stopped before")?;
        let outcome = client.stop(self.ports.0, PATIENCE)?;
        if outcome.exit == Exit::TimedOut {
            bail!("the client had to be killed");
        }
        if let Some(server) = self.server.take() {
            server.finish(Instant::now(), self.ports.1)?;
        }
        Ok(outcome)
    }
}

fn arguments(tool: &Tool, scenario: &str, port: u16) -> Vec<String> {
    let ip = LOCALHOST.to_string();
    let port = port.to_string();
    let mut words = vec!["-sn", scenario, "-i", &ip, "-p", &port, "-nostdin"];
    if tool.name == "sipp" {
        // Ours prints its counters at the end; SIPp writes them to a file.
        words.extend(["-trace_stat", "-stf", "statistics.csv", "-fd", "1"]);
    }
    words.into_iter().map(str::to_owned).collect()
}
