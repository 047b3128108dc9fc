// SPDX-License-Identifier: AGPL-3.0-only
//! One run of a client against a server, each tied to a CPU of its own, and what it cost.
//!
//! Every run has a limit; both processes end with the [`Pair`], whatever happens.

use super::process::Process;
use anyhow::{Context as _, Result, bail};
use gossipper_testkit::sipp::{Exit, Outcome, Running, Tool, free_udp_port};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

pub(super) const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// CPUs that client and server are tied to.
pub(super) const CLIENT_CPU: usize = 0;
pub(super) const SERVER_CPU: usize = 1;

/// How long the last datagrams may take to be worked through.
const SETTLE: Duration = Duration::from_millis(500);

/// How long a client may take to end its open calls when it is interrupted.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a client is to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Load {
    pub(super) name: &'static str,
    /// Calls per second.
    pub(super) rate: u32,
    pub(super) calls: u32,
    /// Calls open at a time (`-l`), where that is what bounds the rate.
    pub(super) open: Option<u32>,
    /// When the client is ended at the latest.
    pub(super) limit: Duration,
}

/// What a run of a pair cost.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Cost {
    pub(super) client_us: f64,
    pub(super) server_us: f64,
    pub(super) failed: u64,
    pub(super) retransmitted: u64,
    /// From the start of the client to its end.
    pub(super) seconds: f64,
    pub(super) calls_per_second: f64,
}

impl Cost {
    /// The lower times of two runs, and all that went wrong in them.
    pub(super) fn cheaper(&self, other: &Self) -> Self {
        Self {
            client_us: self.client_us.min(other.client_us),
            server_us: self.server_us.min(other.server_us),
            failed: self.failed + other.failed,
            retransmitted: self.retransmitted + other.retransmitted,
            seconds: self.seconds.min(other.seconds),
            calls_per_second: self.calls_per_second.max(other.calls_per_second),
        }
    }

    pub(super) fn to_json(self) -> Value {
        json!({
            "client_us": self.client_us,
            "server_us": self.server_us,
            "failed": self.failed,
            "retransmitted": self.retransmitted,
            "calls_per_second": self.calls_per_second,
        })
    }
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Run {
    /// All calls came to an end.
    Done(Cost),
    /// The client was ended at the limit of the load.
    Late {
        /// What it had used of its CPU until then, from 0 to 1.
        busy: f64,
    },
}

/// Runs a load.
pub(super) fn run(client: &Tool, server: &Tool, load: Load) -> Result<Run> {
    let Load { rate, calls, .. } = load;
    let open = load.open.map(|open| open.to_string());
    let flags: Vec<&str> = open.iter().flat_map(|open| ["-l", open]).collect();
    let mut pair = Pair::start(client, server, rate, calls, &flags)?;
    let started = Instant::now();
    let Some(client_time) = pair.client_process().wait(load.limit)? else {
        let used = pair.client_process().cpu_time()?;
        let busy = used.as_secs_f64() / started.elapsed().as_secs_f64();
        return Ok(Run::Late { busy });
    };
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
    Ok(Run::Done(Cost {
        client_us: per_call(client_time),
        server_us: per_call(server_time),
        failed: counted("FailedCall")?,
        retransmitted: counted("Retransmissions")?,
        seconds,
        calls_per_second: f64::from(calls) / seconds,
    }))
}

/// What a tool counted.
pub(super) fn count(outcome: &Outcome, name: &str) -> Result<u64> {
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
        if client.name != "sipp" {
            // It has one CPU, whatever the rate.
            words.extend(["-shards", "1"].map(str::to_owned));
        }
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
    pub(super) fn stop(&mut self) -> Result<Outcome> {
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
