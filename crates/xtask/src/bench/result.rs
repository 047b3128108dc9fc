// SPDX-License-Identifier: AGPL-3.0-only
//! The result of a bench: `target/bench/result.json`, and `chart.svg` beside it; `--publish` copies both to `docs/bench`, and
//! writes the table of what was promised into `docs/performance.md`.
//!
//! A part that was measured again replaces what was there; the others stay if the machine and the versions are still the same.

use super::chart::{self, Bar};
use super::machine::{self, Machine};
use super::promise::{self, cpu, of_tool};
use super::versus::{FAST, FLOOR, NEVER_HALTING, SATURATED};
use super::{Scale, target};
use crate::root;
use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Where the committed result is, below the root.
const PUBLISHED: &str = "docs/bench";

/// Its files.
const RESULT: &str = "result.json";
const CHART: &str = "chart.svg";

/// The document that has the table of what was promised, between two lines.
const DOCUMENT: &str = "docs/performance.md";
const BEGIN: &str = "<!-- bench:begin -->\n";
const END: &str = "<!-- bench:end -->\n";

pub(super) struct Results {
    folder: PathBuf,
    machine: Machine,
    commit: String,
    scale: Scale,
    parts: Map<String, Value>,
}

impl Results {
    /// What is there from before, of the same machine.
    pub(super) fn new(scale: Scale) -> Result<Self> {
        let folder = target()?.join("bench");
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let machine = Machine::here()?;
        let before = fs::read_to_string(folder.join(RESULT)).unwrap_or_default();
        Ok(Self {
            parts: kept(&before, &machine.to_json()),
            folder,
            machine,
            commit: machine::commit(),
            scale,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn parts(&self) -> &Map<String, Value> {
        &self.parts
    }

    pub(super) fn machine(&self) -> &Machine {
        &self.machine
    }

    pub(super) fn put(&mut self, part: &str, figures: impl Into<Value>) {
        let whole = json!({
            "commit": self.commit,
            "date": machine::now().unwrap_or_default(),
            "scale": match self.scale {
                Scale::Full => "full",
                Scale::Quick => "quick",
            },
            "figures": figures.into(),
        });
        self.parts.insert(part.to_owned(), whole);
    }

    pub(super) fn write(&self) -> Result<()> {
        let whole = json!({ "machine": self.machine.to_json(), "parts": self.parts });
        let text = serde_json::to_string_pretty(&whole)? + "\n";
        fs::write(self.folder.join(RESULT), text)?;
        let bars = bars(&self.parts);
        if !bars.is_empty() {
            let title = "How many times better than SIPp (right is better)";
            fs::write(self.folder.join(CHART), chart::svg(title, &bars))?;
        }
        Ok(())
    }

    /// When, on what and how long it was measured.
    fn heading(&self) -> String {
        let dates = self.parts.values().filter_map(|part| part["date"].as_str());
        let quick = self.parts.values().any(|part| part["scale"] == "quick");
        let (first, last) = (dates.clone().min(), dates.max());
        format!(
            "{} to {}, {}.{}",
            first.unwrap_or_default(),
            last.unwrap_or_default(),
            self.machine,
            if quick { " With short runs." } else { "" }
        )
    }

    /// Copies result and chart to where they are committed, and renews the table.
    pub(super) fn publish(&self) -> Result<()> {
        let missing: Vec<&str> = (super::FIGURES.iter().copied())
            .filter(|part| !self.parts.contains_key(*part))
            .collect();
        ensure!(
            missing.is_empty(),
            "not published, since these are not measured yet: {}",
            missing.join(", ")
        );
        let folder = root().join(PUBLISHED);
        for file in [RESULT, CHART] {
            fs::copy(self.folder.join(file), folder.join(file))
                .with_context(|| folder.join(file).display().to_string())?;
        }
        let path = root().join(DOCUMENT);
        let text = fs::read_to_string(&path).context(DOCUMENT)?;
        let table = format!("{}\n\n{}", self.heading(), promise::table(&self.parts));
        let text = renewed(&text, &table).with_context(|| format!("{DOCUMENT} has no {BEGIN}"))?;
        fs::write(path, text).context(DOCUMENT)?;
        println!("{PUBLISHED}/{RESULT}, {PUBLISHED}/{CHART} and the table of {DOCUMENT} are new");
        Ok(())
    }
}

/// The document with this between its two lines.
fn renewed(document: &str, table: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{table}{END}{after}"))
}

/// The parts of a result of this machine; one of another, or of another form, is replaced.
fn kept(text: &str, machine: &Value) -> Map<String, Value> {
    let mut whole: Value = serde_json::from_str(text).unwrap_or_default();
    match whole.get_mut("parts").map(Value::take) {
        Some(Value::Object(parts)) if whole["machine"] == *machine => parts,
        _ => Map::new(),
    }
}

/// A bar for each figure that both tools have.
fn bars(parts: &Map<String, Value>) -> Vec<Bar> {
    let mut bars = Vec::new();
    for load in [FAST, NEVER_HALTING, SATURATED] {
        for (key, side) in [("client_us", "client"), ("server_us", "server")] {
            let of = |tool| cpu(parts, load, tool).map(|row| &row[key]);
            bars.extend(bar(
                &format!("CPU µs per call, {side}, {load}"),
                of("sipp"),
                of("gossipper"),
                of(FLOOR),
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
        let of = |tool| of_tool(parts, part, tool).map(|row| &row[key]);
        bars.extend(bar(name, of("sipp"), of("gossipper"), None, better));
    }
    bars
}

#[derive(Clone, Copy)]
enum Better {
    Less,
    More,
}

fn bar(
    name: &str,
    theirs: Option<&Value>,
    ours: Option<&Value>,
    floor: Option<&Value>,
    better: Better,
) -> Option<Bar> {
    let (theirs, ours) = (theirs?.as_f64()?, ours?.as_f64()?);
    let times = |figure: f64| {
        let ratio = match better {
            Better::Less => theirs / figure,
            Better::More => figure / theirs,
        };
        (ratio.is_finite() && ratio > 0.0).then_some(ratio)
    };
    let shown = |figure: f64| {
        if figure < 1.0 {
            format!("{figure:.2}")
        } else if figure < 1000.0 {
            format!("{figure:.1}")
        } else {
            format!("{figure:.0}")
        }
    };
    let floor = floor.and_then(Value::as_f64);
    let mut text = format!("{} : {}", shown(theirs), shown(ours));
    if let Some(floor) = floor {
        text += &format!(" (floor {})", shown(floor));
    }
    Some(Bar {
        name: name.to_owned(),
        ratio: times(ours)?,
        floor: floor.and_then(times),
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_bar_says_how_many_times_better_whichever_way_is_better() {
        let row = |load: &str, client: &str, server: &str, client_us: f64, server_us: f64| json!({"load": load, "client": client, "server": server, "client_us": client_us, "server_us": server_us});
        let parts = json!({
            "cpu": {"figures": [
                row(FAST, "sipp", "sipp", 50.0, 40.0),
                row(FAST, "gossipper", "sipp", 1.0, 1.0),
                row(FAST, "gossipper", "gossipper", 10.0, 20.0),
                row(FAST, FLOOR, FLOOR, 0.5, 8.0),
                row(SATURATED, "gossipper", "gossipper", 4.0, 4.0),
            ]},
            "clean_rate": {"figures": [{"tool": "sipp", "rate": 10_000}, {"tool": "gossipper", "rate": 60_000}]},
            "memory": {"figures": [{"tool": "gossipper", "client_bytes": 700}]},
        });
        let bars = bars(parts.as_object().expect("a map"));
        let short: Vec<_> = bars
            .iter()
            .map(|bar| (bar.ratio, bar.floor, bar.text.as_str()))
            .collect();
        // Memory of SIPp is not known, nor its saturation, so they have no bar.
        assert_eq!(
            short,
            [
                (5.0, Some(100.0), "50.0 : 10.0 (floor 0.50)"),
                (2.0, Some(5.0), "40.0 : 20.0 (floor 8.0)"),
                (6.0, None, "10000 : 60000")
            ]
        );
    }

    #[test]
    fn the_table_of_the_document_is_renewed_and_nothing_else() {
        let old = format!("a\n{BEGIN}old\n{END}b\n");
        let new = format!("a\n{BEGIN}new\n{END}b\n");
        assert_eq!(renewed(&old, "new\n"), Some(new));
        assert_eq!(renewed("a\n", "new\n"), None);
        let text = fs::read_to_string(root().join(DOCUMENT)).expect(DOCUMENT);
        assert!(renewed(&text, "").is_some_and(|without| without.len() < text.len()));
    }

    #[test]
    fn parts_of_this_machine_are_kept_and_others_are_not() {
        let text = r#"{"machine": {"cpu": "A"}, "parts": {"idle": {"figures": 1}}}"#;
        let here = kept(text, &json!({"cpu": "A"}));
        assert_eq!(here["idle"]["figures"], 1);
        assert!(kept(text, &json!({"cpu": "B"})).is_empty());
        for other in ["", "{}", r#"{"idle": {"machine": "A", "figures": 1}}"#] {
            assert!(kept(other, &Value::Null).is_empty(), "{other}");
        }
    }

    #[test]
    fn the_committed_result_is_whole_and_its_chart_is_drawn_from_it() {
        let folder = root().join(PUBLISHED);
        let Ok(text) = fs::read_to_string(folder.join(RESULT)) else {
            // Nothing was published yet.
            return;
        };
        let whole: Value = serde_json::from_str(&text).expect("JSON");
        let parts = whole["parts"].as_object().expect("parts");
        for part in super::super::FIGURES {
            assert!(parts[*part]["date"].is_string(), "{part}");
        }
        let chart = fs::read_to_string(folder.join(CHART)).expect(CHART);
        for bar in bars(parts) {
            assert!(chart.contains(&bar.text), "{}", bar.text);
        }
    }
}
