// SPDX-License-Identifier: AGPL-3.0-only
//! The floor: what the datagrams of a call cost without SIP, and what this machine takes for waking.
//!
//! The bench `floor` of `gossipper-benches` does the work; here it is built once and run, as a whole or one measurement at a time in turn
//! with the programs it is compared with.

use super::pair::{CLIENT_CPU, Cost, SERVER_CPU};
use super::process::{Bound, printed_within};
use super::{cargo_bench, printed};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What a measurement may take beyond its time.
const SLACK: Duration = Duration::from_secs(20);

/// All measurements together take a fourth of it.
const ALL_LIMIT: Duration = Duration::from_secs(90);

/// The program.
pub(super) struct Floor {
    program: PathBuf,
}

impl Floor {
    pub(super) fn build() -> Result<Self> {
        let mut command = cargo_bench("floor");
        command.args(["--no-run", "--message-format=json-render-diagnostics"]);
        let program = executable(&printed(&mut command)?).context("cargo built no floor")?;
        Ok(Self { program })
    }

    /// Calls at a rate, or as many as there can be.
    pub(super) fn cost(&self, rate: Option<u32>, seconds: u32) -> Result<Cost> {
        let words = ["one", &rate.unwrap_or(0).to_string(), &seconds.to_string()];
        let limit = Duration::from_secs(seconds.into()) + SLACK;
        let text = printed_within(Command::new(&self.program).args(words), limit)?;
        cost(&text).with_context(|| format!("no floor in: {text}"))
    }

    /// Everything, printed.
    pub(super) fn all(&self) -> Result<Value> {
        let text = printed_within(&mut Command::new(&self.program), ALL_LIMIT)?;
        println!("The loopback interface alone, without SIP, and what waking takes:");
        for line in text.lines() {
            println!("  {line}");
        }
        println!();
        Ok(figures(&text)?.into())
    }

    /// Keeps the CPUs of client and server from halting until the value is dropped, or this time has passed.
    pub(super) fn spinners(&self, limit: Duration) -> Result<Vec<Bound>> {
        let spin = |cpu: usize| -> Result<Bound> {
            // Of the idle class: it gives way to whatever else wants the CPU.
            let child = Command::new("chrt")
                .args(["--idle", "0", "taskset", "-c", &cpu.to_string()])
                .arg(&self.program)
                .args(["spin", &limit.as_secs().to_string()])
                // It ends when this is closed, so also when we are killed.
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .context("`chrt` cannot be started: install util-linux")?;
            let mut child = Bound(child);
            let said = child.0.stdout.take().context("piped")?;
            if BufReader::new(said).lines().next().is_none() {
                bail!("the spinner on CPU {cpu} ended: {}", child.0.wait()?);
            }
            Ok(child)
        };
        [CLIENT_CPU, SERVER_CPU].into_iter().map(spin).collect()
    }
}

/// The program that cargo says it built.
fn executable(messages: &str) -> Option<PathBuf> {
    messages.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let built = message["target"]["name"] == "floor";
        Some(message["executable"].as_str().filter(|_| built)?.into())
    })
}

/// A line of it: what was measured, and its figures by name.
fn parse(line: &str) -> Option<(&str, Map<String, Value>)> {
    let (label, figures) = line.split_once(": ")?;
    let words: Vec<&str> = figures.split_ascii_whitespace().collect();
    let mut found = Map::new();
    for pair in words.chunks(2) {
        let [name, figure] = pair else {
            return None;
        };
        let figure: f64 = figure
            .parse()
            .ok()
            .filter(|figure: &f64| figure.is_finite())?;
        found.insert((*name).to_owned(), figure.into());
    }
    Some((label, found))
}

/// The cost in the line of a single measurement.
fn cost(text: &str) -> Option<Cost> {
    let (_, found) = text.lines().find_map(parse)?;
    let figure = |name: &str| found.get(name)?.as_f64();
    Some(Cost {
        client_us: figure("client_us")?,
        server_us: figure("server_us")?,
        failed: 0,
        retransmitted: 0,
        seconds: 0.0,
        calls_per_second: figure("calls/s")?,
    })
}

/// All figures: those of calls as fast as they go, `paced` by rate, `wake` with and without halts.
fn figures(text: &str) -> Result<Map<String, Value>> {
    let (mut floor, mut paced) = (Map::new(), Map::new());
    let mut waking = Vec::new();
    for line in text.lines() {
        let (label, found) = parse(line).with_context(|| format!("not a figure: {line}"))?;
        match label.strip_prefix("floor at ") {
            Some(rate) => drop(paced.insert(rate.to_owned(), found.into())),
            None if label == "wake" => waking.push(("wake", found)),
            None if label.starts_with("wake, ") => waking.push(("wake_never_halting", found)),
            None => floor = found,
        }
    }
    ensure!(
        floor.contains_key("client_us") && !paced.is_empty() && waking.len() == 2,
        "figures are missing:\n{text}"
    );
    floor.insert("paced".to_owned(), paced.into());
    for (name, found) in waking {
        floor.insert(name.to_owned(), found.into());
    }
    Ok(floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "floor at 1000/s: calls/s 999 client_us 40.8 server_us 41.1\n\
        floor: calls/s 525000 client_us 0.46 server_us 0.45\n\
        wake: cpu_us 30.5 touch_us 20 warm_us 3\n\
        wake, CPU never halts: cpu_us 4 touch_us 5 warm_us 3\n";

    #[test]
    fn figures_stand_by_what_was_measured() {
        let found = figures(TEXT).expect("figures");
        assert_eq!(found["client_us"], 0.46);
        assert_eq!(found["paced"]["1000/s"]["server_us"], 41.1);
        assert_eq!(found["wake"]["cpu_us"], 30.5);
        assert_eq!(found["wake_never_halting"]["touch_us"], 5.0);
    }

    #[test]
    fn what_is_missing_or_no_figure_is_said() {
        let without_waking = TEXT.lines().take(2).collect::<Vec<_>>().join("\n");
        let error = figures(&without_waking).expect_err("no waking").to_string();
        assert!(error.contains("missing"), "{error}");
        let error = figures("floor: calls/s many").expect_err("no figure");
        assert!(error.to_string().contains("not a figure"), "{error}");
        assert!(parse("floor: calls/s 1 client_us").is_none());
        assert!(parse("floor: client_us NaN").is_none());
    }

    #[test]
    fn a_single_measurement_is_a_cost() {
        let cost = cost(TEXT).expect("a cost");
        assert_eq!((cost.client_us, cost.calls_per_second), (40.8, 999.0));
        assert!(super::cost("wake: cpu_us 1\n").is_none());
    }

    #[test]
    fn the_program_is_the_one_that_cargo_names() {
        let messages = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"other\"},\"executable\":\"/o\"}\n\
            not json\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"floor\"},\"executable\":null}\n\
            {\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"floor\"},\"executable\":\"/f\"}\n";
        assert_eq!(executable(messages), Some("/f".into()));
        assert_eq!(executable(""), None);
    }
}
