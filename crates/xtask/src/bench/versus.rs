// SPDX-License-Identifier: AGPL-3.0-only
//! `cargo xtask bench --vs-sipp`: whole programs beside each other and beside the floor, over the loopback interface.
//!
//! Both tools run the built-in `uac` and `uas`, the client on one CPU and the server on another. What counts is CPU time per
//! call, user and kernel together, and resident memory per call that is held open. Both tools and the floor (the same
//! datagrams without SIP, [`super::floor`]) are measured in turn, several times, so that a busy neighbour hits all of them, and the
//! cheapest run of each counts, since nothing makes a run cheaper than it is: trust ratios, not microseconds.
//!
//! Waking a CPU that has halted is dear on a virtual machine and no tool's doing, so one load is repeated while programs of the
//! idle class keep both CPUs from halting.

use super::floor::Floor;
use super::machine::Machine;
use super::pair::{self, Cost, Load, Pair, Run};
use super::result::Results;
use super::{Scale, cargo, run as run_command, target};
use anyhow::{Result, bail};
use gossipper_testkit::sipp::Tool;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

pub(super) use super::pair::{CLIENT_CPU, LOCALHOST, SERVER_CPU, arguments};

/// The names of loads in tables and results.
pub(super) const SLOW: &str = "1,000/s";
pub(super) const FAST: &str = "6,000/s";
pub(super) const NEVER_HALTING: &str = "6,000/s, CPUs never halt";
pub(super) const SATURATED: &str = "saturation";

/// What the floor is called in the place of a tool.
pub(super) const FLOOR: &str = "floor";

/// More than any tool can, so that each goes as fast as it does.
const NEVER_REACHED: u32 = 400_000;

/// A load for both tools and the floor.
#[derive(Clone, Copy)]
struct Comparison {
    sipp: Load,
    ours: Load,
    /// Rate of the floor; as fast as it goes without one.
    floor: Option<u32>,
    /// Is each tool also measured against the other?
    crossed: bool,
    /// May the CPUs halt?
    halts: bool,
}

const COMPARISONS: [Comparison; 4] = [
    paced(SLOW, 1_000, 3_000),
    Comparison {
        crossed: true,
        ..paced(FAST, 6_000, 30_000)
    },
    Comparison {
        halts: false,
        ..paced(NEVER_HALTING, 6_000, 30_000)
    },
    // Each with as many open calls as suit it: SIPp fails calls with more, ours has fuller batches.
    Comparison {
        sipp: saturated(100, 20_000),
        ours: saturated(2_000, 600_000),
        floor: None,
        crossed: false,
        halts: true,
    },
];

const fn paced(name: &'static str, rate: u32, calls: u32) -> Comparison {
    let load = Load {
        name,
        rate,
        calls,
        open: None,
        limit: Duration::from_secs((calls / rate * 2 + 8) as u64),
    };
    Comparison {
        sipp: load,
        ours: load,
        floor: Some(rate),
        crossed: false,
        halts: true,
    }
}

const fn saturated(open: u32, calls: u32) -> Load {
    Load {
        name: SATURATED,
        rate: NEVER_REACHED,
        calls,
        open: Some(open),
        limit: Duration::from_secs(25),
    }
}

/// Runs of each pair.
const RUNS: u32 = 3;
const QUICK_RUNS: u32 = 1;

/// Runs that stood still and are made up for, of each pair.
const MORE: u32 = 2;

/// A run at a given rate that reached less of it stood still.
const REACHED: f64 = 0.7;

/// How long the floor is measured each time.
const FLOOR_SECONDS: u32 = 3;

/// Longer than a comparison takes.
const SPIN: Duration = Duration::from_secs(300);

/// Calls held open for the memory figure, and for the figure it is compared with.
const HELD: u32 = 20_000;
const FEW: u32 = 100;
const HELD_RATE: u32 = 4000;
const HELD_PAUSE_MS: &str = "60000";

/// How long after the last call was opened memory is read: SIPp writes its counters once a second.
const SETTLE_HELD: Duration = Duration::from_millis(1500);

/// Compares and prints tables in Markdown.
pub(super) fn run(scale: Scale, results: &mut Results) -> Result<()> {
    let (sipp, ours, floor) = (sipp(), ours()?, Floor::build()?);
    let runs = match scale {
        Scale::Full => RUNS,
        Scale::Quick => QUICK_RUNS,
    };
    println!("{}\n", Machine::here()?);
    println!(
        "CPU time per call in µs (user and kernel), `-sn uac` against `-sn uas`, the cheapest of {runs} in turn. \
         Ratios are those of the client and of the server.\n"
    );
    println!(
        "| Load | Calls/s | Client | Server | Client µs | Server µs | SIPp over it | of the floor | Failed | Repeated | |"
    );
    println!("| --- | ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |");
    let mut figures = Vec::new();
    for comparison in COMPARISONS {
        let rows = compare(comparison, sipp.as_ref(), &ours, &floor, runs)?;
        for row in &rows {
            println!("{}", row.markdown(&rows));
            figures.push(row.to_json());
        }
    }
    println!();
    results.put("cpu", figures);
    println!("Resident memory per call held open ({HELD} calls less {FEW}), in bytes:\n");
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

/// What was seen of a pair at a load.
struct Row {
    load: &'static str,
    client: &'static str,
    server: &'static str,
    runs: Vec<Cost>,
    /// Runs that stood still.
    stalled: u32,
}

impl Row {
    fn new(load: &'static str, client: &'static str, server: &'static str) -> Self {
        Self {
            load,
            client,
            server,
            runs: Vec::new(),
            stalled: 0,
        }
    }

    /// Takes a run; one that stood still does not count.
    fn take(&mut self, run: Run, rate: Option<u32>) {
        let enough = |cost: &Cost| {
            rate.is_none_or(|rate| cost.calls_per_second >= f64::from(rate) * REACHED)
        };
        match run {
            Run::Done(cost) if enough(&cost) => self.runs.push(cost),
            Run::Done(_) | Run::Late { .. } => self.stalled += 1,
        }
    }

    fn cost(&self) -> Option<Cost> {
        self.runs
            .iter()
            .copied()
            .reduce(|cost, other| cost.cheaper(&other))
    }

    fn is(&self, tool: &str) -> bool {
        self.client == tool && self.server == tool
    }

    fn markdown(&self, all: &[Self]) -> String {
        let mut remarks = String::new();
        if self.stalled > 0 {
            remarks = format!("{} more runs stood still", self.stalled);
        }
        let Some(cost) = self.cost() else {
            return format!(
                "| {} | - | {} | {} | - | - | - | - | - | - | {remarks} |",
                self.load, self.client, self.server
            );
        };
        let of = |tool: &str| all.iter().find(|row| row.is(tool)).and_then(Self::cost);
        let ratios = |over: Cost, under: Cost| {
            format!(
                "{:.1}, {:.1}",
                over.client_us / under.client_us,
                over.server_us / under.server_us
            )
        };
        let none = || "-".to_owned();
        let faults = |count: u64| match self.is(FLOOR) {
            true => none(),
            false => count.to_string(),
        };
        format!(
            "| {} | {:.0} | {} | {} | {} | {} | {} | {} | {} | {} | {remarks} |",
            self.load,
            cost.calls_per_second,
            self.client,
            self.server,
            figure(cost.client_us),
            figure(cost.server_us),
            of("sipp").map_or_else(none, |theirs| ratios(theirs, cost)),
            of(FLOOR).map_or_else(none, |floor| ratios(cost, floor)),
            faults(cost.failed),
            faults(cost.retransmitted),
        )
    }

    fn to_json(&self) -> Value {
        let mut whole = self.cost().map_or_else(|| json!({}), Cost::to_json);
        whole["load"] = self.load.into();
        whole["client"] = self.client.into();
        whole["server"] = self.server.into();
        whole["stalled"] = self.stalled.into();
        whole["runs"] = self.runs.iter().map(|cost| cost.to_json()).collect();
        whole
    }
}

/// Microseconds, as exactly as they are worth.
pub(super) fn figure(us: f64) -> String {
    if us < 1.0 {
        format!("{us:.2}")
    } else {
        format!("{us:.1}")
    }
}

/// Measures all sides of a comparison in turn.
fn compare(
    comparison: Comparison,
    sipp: Option<&Tool>,
    ours: &Tool,
    floor: &Floor,
    runs: u32,
) -> Result<Vec<Row>> {
    let mut pairs: Vec<(&Tool, &Tool, Load)> = Vec::new();
    pairs.extend(sipp.map(|sipp| (sipp, sipp, comparison.sipp)));
    pairs.push((ours, ours, comparison.ours));
    if let Some(sipp) = sipp.filter(|_| comparison.crossed) {
        pairs.push((ours, sipp, comparison.ours));
        pairs.push((sipp, ours, comparison.sipp));
    }
    let name = comparison.ours.name;
    let mut rows: Vec<Row> = pairs
        .iter()
        .map(|(client, server, _)| Row::new(name, client.name, server.name))
        .collect();
    let mut bare = Row::new(name, FLOOR, FLOOR);
    // They end with this function, on every way out of it.
    let spinners = match comparison.halts {
        true => Vec::new(),
        false => floor.spinners(SPIN)?,
    };
    let measure = |row: &mut Row, (client, server, load): (&Tool, &Tool, Load)| -> Result<()> {
        let asked = load.open.is_none().then_some(load.rate);
        row.take(pair::run(client, server, load)?, asked);
        Ok(())
    };
    for _ in 0..runs {
        for (row, pair) in rows.iter_mut().zip(&pairs) {
            measure(row, *pair)?;
        }
        bare.take(
            Run::Done(floor.cost(comparison.floor, FLOOR_SECONDS)?),
            None,
        );
    }
    for (row, pair) in rows.iter_mut().zip(&pairs) {
        for _ in 0..MORE {
            if row.runs.len() < runs as usize {
                measure(row, *pair)?;
            }
        }
    }
    drop(spinners);
    rows.push(bare);
    Ok(rows)
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
    binary().map(Tool::gossipper)
}

/// Where it is.
pub(super) fn binary() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os("GOSSIPPER_BENCH_BINARY") {
        return Ok(program.into());
    }
    run_command(cargo().args(["build", "--release", "-p", "gossipper-cli"]))?;
    Ok(target()?.join("release/gossipper"))
}

/// What was measured, on what.
pub(super) fn machine() -> Result<String> {
    Ok(Machine::here()?.to_string())
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
    let created =
        pair::count(&outcome, "OutgoingCall")?.max(pair::count(&outcome, "TotalCallCreated")?);
    if created != u64::from(calls) {
        bail!("{} had opened {created} of {calls} calls", tool.name);
    }
    Ok(resident)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(client_us: f64, server_us: f64, calls_per_second: f64) -> Run {
        Run::Done(Cost {
            client_us,
            server_us,
            failed: 1,
            retransmitted: 2,
            seconds: 5.0,
            calls_per_second,
        })
    }

    fn rows() -> Vec<Row> {
        let mut rows = ["sipp", "gossipper", FLOOR].map(|name| Row::new(FAST, name, name));
        rows[0].take(done(60.0, 50.0, 5_900.0), Some(6_000));
        rows[0].take(done(50.0, 60.0, 5_950.0), Some(6_000));
        rows[0].take(done(90.0, 90.0, 1_300.0), Some(6_000));
        rows[0].take(Run::Late { busy: 0.1 }, Some(6_000));
        rows[1].take(done(10.0, 20.0, 5_990.0), Some(6_000));
        rows[2].take(done(8.0, 0.5, 6_000.0), None);
        rows.into()
    }

    #[test]
    fn the_cheapest_run_counts_and_one_that_stood_still_does_not() {
        let rows = rows();
        assert_eq!(
            rows[0].markdown(&rows),
            "| 6,000/s | 5950 | sipp | sipp | 50.0 | 50.0 | 1.0, 1.0 | 6.2, 100.0 | 2 | 4 | 2 more runs stood still |"
        );
        assert_eq!(
            rows[1].markdown(&rows),
            "| 6,000/s | 5990 | gossipper | gossipper | 10.0 | 20.0 | 5.0, 2.5 | 1.2, 40.0 | 1 | 2 |  |"
        );
        assert_eq!(
            rows[2].markdown(&rows),
            "| 6,000/s | 6000 | floor | floor | 8.0 | 0.50 | 6.2, 100.0 | 1.0, 1.0 | - | - |  |"
        );
    }

    #[test]
    fn a_pair_that_never_got_through_has_no_figures() {
        let mut row = Row::new(FAST, "sipp", "sipp");
        row.take(Run::Late { busy: 0.0 }, None);
        let rows = [row];
        let text = rows[0].markdown(&rows);
        assert!(
            text.ends_with("| - | - | 1 more runs stood still |"),
            "{text}"
        );
        assert_eq!(rows[0].to_json()["client_us"], Value::Null);
    }

    #[test]
    fn a_row_keeps_each_of_its_runs() {
        let json = rows()[0].to_json();
        assert_eq!(json["client_us"], 50.0);
        assert_eq!(json["runs"][0]["client_us"], 60.0);
        assert_eq!((&json["stalled"], &json["load"]), (&2.into(), &FAST.into()));
    }

    #[test]
    fn all_comparisons_end_in_time_even_if_every_run_stands_still() {
        let mut longest = 0;
        for comparison in COMPARISONS {
            let pairs = if comparison.crossed { 4 } else { 2 };
            let limit = comparison.sipp.limit.max(comparison.ours.limit);
            let total = limit.as_secs() * pairs * u64::from(RUNS + MORE);
            // The spinners outlast what they are for.
            assert!(comparison.halts || total < SPIN.as_secs(), "{total}");
            longest += total;
        }
        assert!(longest < 20 * 60, "{longest} s");
    }
}
