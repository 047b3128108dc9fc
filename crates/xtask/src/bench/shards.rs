// SPDX-License-Identifier: AGPL-3.0-only
//! `cargo xtask bench --shards`: what two shards of a client do against one.
//!
//! | Load | Shows | Does not show |
//! | --- | --- | --- |
//! | to a socket that nobody reads: an OPTIONS and a pause for each call | records, rendering, pacing, handing over calls, sending; the rate itself, since nothing else takes a processor | answers |
//! | the built-in `uac` against the built-in `uas`, at a rate and as fast as it goes | answers too, which one shard reads for both | the rate: client and server share the processors of a small machine |
//!
//! So with answers the figure is CPU time: where each shard has a processor to itself, the busier one bounds the rate.

use super::Scale;
use super::process::Process;
use super::result::Results;
use super::versus::{self, CLIENT_CPU, LOCALHOST, SERVER_CPU, arguments};
use anyhow::{Context as _, Result, bail};
use gossipper_testkit::sipp::{Exit, Running, Tool, free_udp_port};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A call whose messages nobody answers.
const OPTIONS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<scenario name="options">
  <send>
    <![CDATA[
OPTIONS sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:bench@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 OPTIONS
Contact: <sip:bench@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

    ]]>
  </send>
  <pause milliseconds="5"/>
</scenario>
"#;

/// How a client's threads that run calls are named.
const SHARD: &str = "shard ";

/// What a run may take.
const LIMIT: Duration = Duration::from_secs(120);

/// A client's task.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    rate: u32,
    calls: u32,
    open: u32,
    /// Whom it calls.
    peer: Peer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Peer {
    /// A socket that nobody reads.
    Nobody,
    /// A server that takes the processors it needs.
    Server,
    /// A server with a processor of its own; both shards of the client share the other.
    ServerApart,
}

const SEND_ONLY: Load = Load {
    name: "send only",
    rate: 3_000_000,
    calls: 3_000_000,
    open: 100_000,
    peer: Peer::Nobody,
};
const AT_A_RATE: Load = Load {
    name: "answered, 20,000/s",
    rate: 20_000,
    calls: 80_000,
    open: 10_000,
    peer: Peer::Server,
};
const SATURATED: Load = Load {
    name: "answered, all it can",
    rate: 400_000,
    calls: 600_000,
    open: 2_000,
    peer: Peer::ServerApart,
};

/// What was seen of a run.
#[derive(Clone, Debug)]
struct Seen {
    calls_per_second: f64,
    /// CPU time per call in µs: of the process, and of each shard.
    us: f64,
    shards_us: Vec<f64>,
    failed: u64,
}

impl Seen {
    /// The CPU time that bounds the rate where each shard has a processor.
    fn busiest(&self) -> f64 {
        self.shards_us.iter().copied().fold(0.0, f64::max)
    }
}

/// Measures and prints a table in Markdown.
pub(super) fn run(scale: Scale, results: &mut Results) -> Result<()> {
    let ours = versus::ours()?;
    let scenario = results.folder().join("options.xml");
    std::fs::write(&scenario, OPTIONS).with_context(|| scenario.display().to_string())?;
    let runs = match scale {
        // Single pairs have differed by half.
        Scale::Full => 5,
        Scale::Quick => 1,
    };
    println!("{}\n", versus::machine()?);
    println!("One shard of a client against two; CPU time per call in µs:\n");
    println!("| Load | Shards | Calls/s | Process | Each shard | Failed |");
    println!("| --- | ---: | ---: | ---: | --- | ---: |");
    let mut rows = Vec::new();
    let mut relations = Vec::new();
    for load in [SEND_ONLY, AT_A_RATE, SATURATED] {
        let mut of_load = Vec::new();
        // In turn, so that a neighbour's burst hits both.
        for _ in 0..runs {
            let pair = [1, 2].map(|shards| measure(&ours, &scenario, load, shards));
            let [one, two] = pair;
            let (one, two) = (one?, two?);
            for (shards, seen) in [(1, &one), (2, &two)] {
                let each: Vec<String> =
                    seen.shards_us.iter().map(|us| format!("{us:.2}")).collect();
                println!(
                    "| {} | {shards} | {:.0} | {:.2} | {} | {} |",
                    load.name,
                    seen.calls_per_second,
                    seen.us,
                    each.join(" + "),
                    seen.failed
                );
                rows.push(json!({
                    "load": load.name,
                    "shards": shards,
                    "calls_per_second": seen.calls_per_second,
                    "us": seen.us,
                    "shards_us": seen.shards_us,
                    "failed": seen.failed,
                }));
            }
            of_load.push((one, two));
        }
        relations.push((load, of_load));
    }
    println!(
        "\n| Two against one, median | Calls/s | CPU time of the process | CPU time of one over that of the busier shard |"
    );
    println!("| --- | ---: | ---: | ---: |");
    let mut summary = Vec::new();
    for (load, pairs) in relations {
        let relation = |of: fn(&Seen, &Seen) -> f64| {
            let mut all: Vec<f64> = pairs.iter().map(|(one, two)| of(one, two)).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        let calls = relation(|one, two| two.calls_per_second / one.calls_per_second);
        let cpu = relation(|one, two| two.us / one.us);
        let bound = relation(|one, two| one.busiest() / two.busiest());
        println!("| {} | {calls:.2} | {cpu:.2} | {bound:.2} |", load.name);
        summary.push(json!({
            "load": load.name,
            "calls_per_second": calls,
            "cpu": cpu,
            "one_over_busier": bound,
        }));
    }
    println!();
    results.put(
        "shards",
        json!({ "runs": rows, "two_against_one": summary }),
    );
    Ok(())
}

fn measure(ours: &Tool, scenario: &Path, load: Load, shards: u32) -> Result<Seen> {
    // Whoever nobody reads has to exist, so that nothing comes back.
    let silent = UdpSocket::bind(SocketAddr::new(LOCALHOST, 0))?;
    let mut server = None;
    let (to, mut words) = match load.peer {
        Peer::Nobody => (silent.local_addr()?, with_file(scenario)?),
        Peer::Server | Peer::ServerApart => {
            let port = free_udp_port(LOCALHOST)?;
            let address = SocketAddr::new(LOCALHOST, port);
            let mut serving = Running::start(ours, arguments(ours, "uas", port))?;
            serving.wait_for_port(address)?;
            if load.peer == Peer::ServerApart {
                Process(serving.pid()).pin(SERVER_CPU)?;
            }
            server = Some((serving, port));
            (address, arguments(ours, "uac", free_udp_port(LOCALHOST)?))
        }
    };
    for (flag, value) in [
        ("-r", load.rate),
        ("-m", load.calls),
        ("-l", load.open),
        ("-shards", shards),
    ] {
        words.extend([flag.to_owned(), value.to_string()]);
    }
    words.push(to.to_string());
    let started = Instant::now();
    let client = Running::start(ours, words)?;
    let process = Process(client.pid());
    if load.peer == Peer::ServerApart {
        process.pin(CLIENT_CPU)?;
    }
    let mut threads = BTreeMap::new();
    let time = process.wait_with_threads(LIMIT, &mut threads)?;
    let seconds = started.elapsed().as_secs_f64();
    let outcome = client.finish(Instant::now() + LIMIT, to.port())?;
    if let Some((serving, port)) = server {
        serving.finish(Instant::now(), port)?;
    }
    if !matches!(outcome.exit, Exit::Code(_)) {
        bail!(
            "the client ended with {:?}:\n{}",
            outcome.exit,
            outcome.stderr
        );
    }
    let counters = outcome
        .counters
        .with_context(|| format!("no counters in:\n{}{}", outcome.stdout, outcome.stderr))?;
    let (done, failed) = (
        counters.value("SuccessfulCall"),
        counters.value("FailedCall"),
    );
    if done + failed != u64::from(load.calls) {
        bail!("{} of {} calls were made", done + failed, load.calls);
    }
    let per_call = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(load.calls);
    let shards_us: Vec<f64> = threads
        .into_values()
        .filter(|(name, _)| name.starts_with(SHARD))
        .map(|(_, time)| per_call(time))
        .collect();
    if shards_us.len() != shards as usize {
        bail!("{} of {shards} shards were seen", shards_us.len());
    }
    Ok(Seen {
        calls_per_second: f64::from(load.calls) / seconds,
        us: per_call(time),
        shards_us,
        failed,
    })
}

fn with_file(scenario: &Path) -> Result<Vec<String>> {
    let scenario: PathBuf = std::path::absolute(scenario)?;
    let (ip, port) = (LOCALHOST.to_string(), free_udp_port(LOCALHOST)?.to_string());
    let words = [
        "-sf",
        &scenario.display().to_string(),
        "-i",
        &ip,
        "-p",
        &port,
        "-nostdin",
    ]
    .map(str::to_owned);
    Ok(words.to_vec())
}
