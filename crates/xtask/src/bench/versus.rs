// SPDX-License-Identifier: AGPL-3.0-only
//! `cargo xtask bench --vs-sipp`: whole programs beside each other, over the loopback interface.
//!
//! Both tools run the built-in `uac` and `uas`, in all pairings, the client on one CPU and the server on another. What
//! counts is CPU time per call, user and kernel together, and resident memory per call that is held open. All pairings
//! run within a minute on the same machine, so a busy neighbour hits both: trust ratios, not milliseconds.

use super::process::Process;
use super::result::Results;
use super::{Scale, cargo, run as run_command, target};
use anyhow::{Context as _, Result, bail};
use gossipper_testkit::sipp::{Exit, Outcome, Running, Tool, free_udp_port};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::{Duration, Instant};

pub(super) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// CPUs that client and server are tied to.
pub(super) const CLIENT_CPU: usize = 0;
pub(super) const SERVER_CPU: usize = 1;

/// What a client is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Load {
    pub(super) name: &'static str,
    /// Calls per second.
    pub(super) rate: u32,
    pub(super) calls: u32,
    /// Calls open at a time (`-l`), where that is what bounds the rate.
    pub(super) open: Option<u32>,
}

const SLOW: Load = load("1000/s", 1000, 3000);
const FAST: Load = load("6000/s", 6000, 30_000);

/// More than any tool can, so that each goes as fast as it does; each with as many open calls as suit it: SIPp fails
/// calls with more, ours has fuller batches.
const SATURATED: &str = "all it can";
const NEVER_REACHED: u32 = 400_000;
const SIPP_SATURATED: Load = Load {
    open: Some(100),
    ..load(SATURATED, NEVER_REACHED, 40_000)
};
const OURS_SATURATED: Load = Load {
    open: Some(2000),
    ..load(SATURATED, NEVER_REACHED, 300_000)
};

const fn load(name: &'static str, rate: u32, calls: u32) -> Load {
    Load {
        name,
        rate,
        calls,
        open: None,
    }
}

/// Runs of each pair; the cheapest counts, since nothing makes a run cheaper than it is.
const RUNS: u32 = 3;
const QUICK_RUNS: u32 = 1;

/// Calls held open for the memory figure, and for the figure it is compared with.
const HELD: u32 = 20_000;
const FEW: u32 = 100;
const HELD_RATE: u32 = 4000;
const HELD_PAUSE_MS: &str = "60000";

/// What a run may take beyond its calls.
const SLACK: Duration = Duration::from_secs(120);

/// How long the last datagrams may take to be worked through.
const SETTLE: Duration = Duration::from_millis(500);

/// How long a client may take to end its open calls when it is interrupted.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long after the last call was opened memory is read: SIPp writes its counters once a second.
const SETTLE_HELD: Duration = Duration::from_millis(1500);

/// Compares and prints tables in Markdown.
pub(super) fn run(scale: Scale, results: &mut Results) -> Result<()> {
    let (sipp, ours) = (sipp(), ours()?);
    let runs = match scale {
        Scale::Full => RUNS,
        Scale::Quick => QUICK_RUNS,
    };
    println!("{}\n", machine()?);
    println!("CPU time per call in µs (user and kernel), `-sn uac` against `-sn uas`:\n");
    println!(
        "| Load | Calls/s | Client | Server | Client µs | Server µs | Failed | Retransmitted |"
    );
    println!("| --- | ---: | --- | --- | ---: | ---: | ---: | ---: |");
    let mut rows = Vec::new();
    let mut row = |load: Load, client: &Tool, server: &Tool| -> Result<Cost> {
        let mut cost = cpu(client, server, load)?;
        for _ in 1..runs {
            cost = cost.cheaper(&cpu(client, server, load)?);
        }
        let reached = f64::from(load.calls) / cost.seconds;
        println!(
            "| {} | {reached:.0} | {} | {} | {:.1} | {:.1} | {} | {} |",
            load.name,
            client.name,
            server.name,
            cost.client_us,
            cost.server_us,
            cost.failed,
            cost.retransmitted
        );
        rows.push(json!({
            "load": load.name,
            "calls_per_second": reached,
            "client": client.name,
            "server": server.name,
            "client_us": cost.client_us,
            "server_us": cost.server_us,
            "failed": cost.failed,
            "retransmitted": cost.retransmitted,
        }));
        Ok(cost)
    };
    let mut ratios = Vec::new();
    for (of_sipp, of_ours) in [(SLOW, SLOW), (FAST, FAST), (SIPP_SATURATED, OURS_SATURATED)] {
        let theirs = sipp
            .as_ref()
            .map(|sipp| row(of_sipp, sipp, sipp))
            .transpose()?;
        let own = row(of_ours, &ours, &ours)?;
        if let (Some(sipp), FAST) = (&sipp, of_ours) {
            row(FAST, &ours, sipp)?;
            row(FAST, sipp, &ours)?;
        }
        ratios.extend(theirs.map(|theirs| (of_ours.name, theirs, own)));
    }
    println!();
    for (load, theirs, own) in ratios {
        println!(
            "SIPp's CPU time over ours, {load}: client {:.2}, server {:.2}  ",
            theirs.client_us / own.client_us,
            theirs.server_us / own.server_us
        );
    }
    results.put("cpu", rows);
    println!("\nResident memory per call held open ({HELD} calls less {FEW}), in bytes:\n");
    println!("| Tool | Client | Server |\n| --- | ---: | ---: |");
    let mut held = Vec::new();
    for tool in sipp.iter().chain([&ours]) {
        let (client, server) = memory_per_call(tool)?;
        println!("| {} | {client} | {server} |", tool.name);
        held.push(json!({ "tool": tool.name, "client_bytes": client, "server_bytes": server }));
    }
    println!();
    results.put("memory", held);
    Ok(())
}

/// SIPp, where there is one.
#[expect(clippy::print_stderr, reason = "what is left out is said")]
pub(super) fn sipp() -> Option<Tool> {
    let sipp = Tool::sipp();
    if sipp.is_none() {
        eprintln!("SIPp is not on PATH (Debian's sip-tester has it): only ours is measured");
    }
    sipp
}

/// Ours as users build it; another binary can be named to be compared with.
pub(super) fn ours() -> Result<Tool> {
    if let Some(program) = std::env::var_os("GOSSIPPER_BENCH_BINARY") {
        return Ok(Tool::gossipper(program));
    }
    run_command(cargo().args(["build", "--release", "-p", "gossipper-cli"]))?;
    Ok(Tool::gossipper(target()?.join("release/gossipper")))
}

/// What was measured, on what.
pub(super) fn machine() -> Result<String> {
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
    let sipp = Tool::sipp().map_or_else(String::new, |sipp| format!("; {}", sipp.version));
    Ok(format!("{cpus} × {model}; {kernel}; {rustc}{sipp}"))
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

pub(super) fn cpu(client: &Tool, server: &Tool, load: Load) -> Result<Cost> {
    let Load { rate, calls, .. } = load;
    let open = load.open.map(|open| open.to_string());
    let flags: Vec<&str> = open.iter().flat_map(|open| ["-l", open]).collect();
    let mut pair = Pair::start(client, server, rate, calls, &flags)?;
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
pub(super) struct Pair {
    client: Option<Running>,
    server: Option<Running>,
    client_id: u32,
    server_id: u32,
    ports: (u16, u16),
}

impl Pair {
    pub(super) fn start(
        client: &Tool,
        server: &Tool,
        rate: u32,
        calls: u32,
        flags: &[&str],
    ) -> Result<Self> {
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

    pub(super) fn client_process(&self) -> Process {
        Process(self.client_id)
    }

    pub(super) fn server_process(&self) -> Process {
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

pub(super) fn arguments(tool: &Tool, scenario: &str, port: u16) -> Vec<String> {
    let ip = LOCALHOST.to_string();
    let port = port.to_string();
    let mut words = vec!["-sn", scenario, "-i", &ip, "-p", &port, "-nostdin"];
    if tool.name == "sipp" {
        // Ours prints its counters at the end; SIPp writes them to a file.
        words.extend(["-trace_stat", "-stf", "statistics.csv", "-fd", "1"]);
    }
    words.into_iter().map(str::to_owned).collect()
}
