// SPDX-License-Identifier: AGPL-3.0-only
//! The result of a bench: `target/bench/result.json`, and `chart.svg` beside it.
//!
//! A part that was measured again replaces what was there; the others stay, with the machine they were measured on.

use super::chart::{self, Bar};
use super::{target, versus};
use anyhow::{Context as _, Result};
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};

pub(super) struct Results {
    folder: PathBuf,
    machine: String,
    parts: Map<String, Value>,
}

impl Results {
    /// What is there from before.
    pub(super) fn new() -> Result<Self> {
        let folder = target()?.join("bench");
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let before = fs::read_to_string(folder.join("result.json")).unwrap_or_default();
        Ok(Self {
            folder,
            machine: versus::machine()?,
            // A file of another form is replaced.
            parts: serde_json::from_str(&before).unwrap_or_default(),
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn put(&mut self, part: &str, figures: impl Into<Value>) {
        let mut whole = Map::new();
        whole.insert("machine".to_owned(), self.machine.clone().into());
        whole.insert("figures".to_owned(), figures.into());
        self.parts.insert(part.to_owned(), whole.into());
    }

    pub(super) fn write(&self) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.parts)? + "\n";
        fs::write(self.folder.join("result.json"), text)?;
        let bars = bars(&self.parts);
        if !bars.is_empty() {
            let svg = chart::svg("How many times better than SIPp (right is better)", &bars);
            fs::write(self.folder.join("chart.svg"), svg)?;
        }
        Ok(())
    }
}

/// A bar for each figure that both tools have.
fn bars(parts: &Map<String, Value>) -> Vec<Bar> {
    let mut bars = Vec::new();
    let empty = Vec::new();
    let rows = |part: &str| {
        let figures = parts.get(part).map(|part| &part["figures"]);
        figures.and_then(Value::as_array).unwrap_or(&empty).clone()
    };
    // Rows of one load stand together; each tool against itself.
    let cpu = rows("cpu");
    for ours in cpu
        .iter()
        .filter(|row| row["client"] == "gossipper" && row["server"] == "gossipper")
    {
        let theirs = cpu.iter().find(|row| {
            row["client"] == "sipp" && row["server"] == "sipp" && row["load"] == ours["load"]
        });
        let load = ours["load"].as_str().unwrap_or_default();
        for (key, side) in [("client_us", "client"), ("server_us", "server")] {
            bars.extend(bar(
                &format!("CPU per call, {side}, {load}"),
                theirs.map(|row| &row[key]),
                &ours[key],
                Better::Less,
            ));
        }
    }
    for (part, key, name, better) in [
        ("clean_rate", "rate", "calls/s held clean", Better::More),
        (
            "memory",
            "client_bytes",
            "bytes per held call, client",
            Better::Less,
        ),
        (
            "memory",
            "server_bytes",
            "bytes per held call, server",
            Better::Less,
        ),
    ] {
        let rows = rows(part);
        let of = |tool: &str| {
            rows.iter()
                .find(|row| row["tool"] == tool)
                .map(|row| &row[key])
        };
        if let Some(ours) = of("gossipper") {
            bars.extend(bar(name, of("sipp"), ours, better));
        }
    }
    bars
}

#[derive(Clone, Copy)]
enum Better {
    Less,
    More,
}

fn bar(name: &str, theirs: Option<&Value>, ours: &Value, better: Better) -> Option<Bar> {
    let (theirs, ours) = (theirs?.as_f64()?, ours.as_f64()?);
    let ratio = match better {
        Better::Less => theirs / ours,
        Better::More => ours / theirs,
    };
    let shown = |figure: f64| {
        if figure < 1000.0 {
            format!("{figure:.1}")
        } else {
            format!("{figure:.0}")
        }
    };
    (ratio.is_finite() && ratio > 0.0).then(|| Bar {
        name: name.to_owned(),
        ratio,
        text: format!("{} : {}", shown(theirs), shown(ours)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_bar_says_how_many_times_better_whichever_way_is_better() {
        let parts = json!({
            "cpu": {"figures": [
                {"load": "6000/s", "client": "sipp", "server": "sipp", "client_us": 50.0, "server_us": 40.0},
                {"load": "6000/s", "client": "gossipper", "server": "sipp", "client_us": 1.0, "server_us": 1.0},
                {"load": "6000/s", "client": "gossipper", "server": "gossipper", "client_us": 10.0, "server_us": 20.0},
            ]},
            "clean_rate": {"figures": [{"tool": "sipp", "rate": 10_000}, {"tool": "gossipper", "rate": 60_000}]},
            "memory": {"figures": [{"tool": "gossipper", "client_bytes": 700}]},
        });
        let bars = bars(parts.as_object().expect("a map"));
        let short: Vec<_> = bars
            .iter()
            .map(|bar| (bar.ratio, bar.text.as_str()))
            .collect();
        // Memory of SIPp is not known, so it has no bar.
        assert_eq!(
            short,
            [
                (5.0, "50.0 : 10.0"),
                (2.0, "40.0 : 20.0"),
                (6.0, "10000 : 60000")
            ]
        );
    }
}
