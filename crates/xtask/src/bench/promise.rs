// SPDX-License-Identifier: AGPL-3.0-only
//! What was promised against what was measured, as a table in Markdown: the first of `docs/performance.md`.

use super::versus::{FAST, FLOOR, NEVER_HALTING, SATURATED, figure};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// How many times cheaper than SIPp a call is to be.
const TIMES: f64 = 10.0;

/// Calls per second to be held.
const RATE: f64 = 100_000.0;

/// Bytes of a call that is held open.
const BYTES: f64 = 1_000.0;

/// Bytes of a million of them.
const MILLION_BYTES: f64 = 1.2e9;

/// Times that a call may get dearer with all of them open.
const GROWTH: f64 = 1.3;

/// Calls per second of two shards against one.
const SHARDS: f64 = 1.8;

/// The figures of a part of a result.
pub(super) fn figures<'a>(parts: &'a Map<String, Value>, part: &str) -> &'a Value {
    parts
        .get(part)
        .map_or(&Value::Null, |part| &part["figures"])
}

/// The row of a tool against itself at a load.
pub(super) fn cpu<'a>(parts: &'a Map<String, Value>, load: &str, tool: &str) -> Option<&'a Value> {
    let mut rows = figures(parts, "cpu").as_array()?.iter();
    rows.find(|row| row["load"] == load && row["client"] == tool && row["server"] == tool)
}

/// The row of a tool in a part that has one for each.
pub(super) fn of_tool<'a>(
    parts: &'a Map<String, Value>,
    part: &str,
    tool: &str,
) -> Option<&'a Value> {
    let mut rows = figures(parts, part).as_array()?.iter();
    rows.find(|row| row["tool"] == tool)
}

struct Row {
    name: String,
    sipp: Option<f64>,
    ours: Option<f64>,
    floor: Option<f64>,
    wanted: String,
    reached: bool,
    more_is_better: bool,
    shown: fn(f64) -> String,
}

impl Row {
    fn markdown(&self) -> String {
        let shown = |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), self.shown);
        let ratio = |over: Option<f64>, under: Option<f64>| match (over, under) {
            (Some(over), Some(under)) if under > 0.0 => format!("{:.1}", over / under),
            _ => "-".to_owned(),
        };
        let state = match (self.ours, self.reached) {
            (None, _) => "not measured",
            (_, true) => "reached",
            (_, false) => "not reached",
        };
        // More calls per second are better, and less of everything else.
        let of_sipp = match self.more_is_better {
            true => ratio(self.ours, self.sipp),
            false => ratio(self.sipp, self.ours),
        };
        format!(
            "| {} | {} | {} | {} | {of_sipp} | {} | {} | {state} |",
            self.name,
            shown(self.sipp),
            self.wanted,
            shown(self.ours),
            shown(self.floor),
            ratio(self.ours, self.floor),
        )
    }
}

/// The table; what was not measured says so.
pub(super) fn table(parts: &Map<String, Value>) -> String {
    let mut out = String::from(
        "| Figure | SIPp | Wanted | Measured | Better than SIPp, times | Floor | of the floor | State |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n",
    );
    for row in rows(parts) {
        let _ = writeln!(out, "{}", row.markdown());
    }
    out
}

fn rows(parts: &Map<String, Value>) -> Vec<Row> {
    let mut rows = Vec::new();
    for (load, words) in [
        (FAST, "at 6,000 calls/s"),
        (NEVER_HALTING, "the same, CPUs kept from halting"),
        (SATURATED, "at saturation"),
    ] {
        for (key, side) in [("client_us", "UAC"), ("server_us", "UAS")] {
            let of = |tool| cpu(parts, load, tool)?[key].as_f64();
            let (sipp, ours) = (of("sipp"), of("gossipper"));
            rows.push(Row {
                name: format!("CPU per {side} call {words}, µs"),
                sipp,
                ours,
                floor: of(FLOOR),
                wanted: format!("1/{TIMES:.0}"),
                reached: matches!((sipp, ours), (Some(sipp), Some(ours)) if sipp >= TIMES * ours),
                more_is_better: false,
                shown: figure,
            });
        }
    }
    let rate = |tool| of_tool(parts, "clean_rate", tool)?["rate"].as_f64();
    let seconds = of_tool(parts, "clean_rate", "gossipper").and_then(|row| row["seconds"].as_u64());
    let ours = rate("gossipper");
    rows.push(Row {
        name: format!(
            "highest rate, {} s, no call failed, nothing repeated",
            seconds.unwrap_or(10)
        ),
        sipp: rate("sipp"),
        ours,
        floor: cpu(parts, SATURATED, FLOOR).and_then(|row| row["calls_per_second"].as_f64()),
        wanted: whole(RATE),
        reached: ours >= Some(RATE),
        more_is_better: true,
        shown: whole,
    });
    for (key, side) in [("client_bytes", "UAC"), ("server_bytes", "UAS")] {
        let bytes = |tool| of_tool(parts, "memory", tool)?[key].as_f64();
        let ours = bytes("gossipper");
        rows.push(Row {
            name: format!("bytes per held call, {side}"),
            sipp: bytes("sipp"),
            ours,
            floor: None,
            wanted: whole(BYTES),
            reached: ours.is_some_and(|ours| ours <= BYTES),
            more_is_better: false,
            shown: whole,
        });
    }
    let held = figures(parts, "held");
    let calls = held["calls"].as_f64().unwrap_or(1e6);
    let sides = held["sides"].as_array().map_or(&[][..], Vec::as_slice);
    for side in ["client", "server"] {
        let of = sides.iter().find(|row| row["side"] == side);
        let bytes = of.and_then(|row| row["resident_bytes"].as_f64());
        let growth = of.and_then(|row| Some(row["last_us"].as_f64()? / row["first_us"].as_f64()?));
        let most = MILLION_BYTES * calls / 1e6;
        rows.push(Row {
            name: format!("{} calls held open, {side}, MB", whole(calls)),
            sipp: None,
            ours: bytes.map(|bytes| bytes / 1e6),
            floor: None,
            wanted: whole(most / 1e6),
            reached: bytes.is_some_and(|bytes| bytes <= most),
            more_is_better: false,
            shown: whole,
        });
        rows.push(Row {
            name: format!("CPU per call, all of them open against few, {side}"),
            sipp: None,
            ours: growth,
            floor: None,
            wanted: GROWTH.to_string(),
            reached: growth.is_some_and(|growth| growth <= GROWTH),
            more_is_better: false,
            shown: |growth| format!("{growth:.2}"),
        });
    }
    let relations = figures(parts, "shards")["two_against_one"].as_array();
    let mut relations = relations.map_or(&[][..], Vec::as_slice).iter();
    let sending = relations.find(|row| row["load"] == "send only");
    let shards = sending.and_then(|row| row["calls_per_second"].as_f64());
    rows.push(Row {
        name: "two shards against one, calls/s, send only".to_owned(),
        sipp: None,
        ours: shards,
        floor: None,
        wanted: SHARDS.to_string(),
        reached: shards >= Some(SHARDS),
        more_is_better: true,
        shown: |times| format!("{times:.2}"),
    });
    rows
}

/// A whole number, its thousands apart.
fn whole(figure: f64) -> String {
    let digits = format!("{figure:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lines(parts: &Value) -> Vec<String> {
        let table = table(parts.as_object().expect("a map"));
        table.lines().map(str::to_owned).collect()
    }

    #[test]
    fn what_is_reached_and_what_is_not_stands_in_the_table() {
        let row = |load: &str, tool: &str, client: f64, server: f64| {
            json!({"load": load, "client": tool, "server": tool, "client_us": client, "server_us": server,
                "calls_per_second": 500_000.0})
        };
        let found = lines(&json!({
            "cpu": {"figures": [
                row(FAST, "sipp", 50.0, 60.0),
                row(FAST, "gossipper", 12.5, 6.0),
                row(FAST, FLOOR, 8.0, 8.0),
                row(SATURATED, FLOOR, 0.5, 0.5),
            ]},
            "clean_rate": {"figures": [
                {"tool": "sipp", "rate": 10_000},
                {"tool": "gossipper", "rate": 120_000, "seconds": 10},
            ]},
            "memory": {"figures": [{"tool": "gossipper", "client_bytes": 1_001, "server_bytes": 700}]},
            "held": {"figures": {"calls": 1_000_000, "sides": [
                {"side": "client", "resident_bytes": 736_000_000, "first_us": 5.0, "last_us": 6.0},
                {"side": "server", "resident_bytes": 1_250_000_000, "first_us": 5.0, "last_us": 7.0},
            ]}},
            "shards": {"figures": {"two_against_one": [
                {"load": "answered", "calls_per_second": 1.0},
                {"load": "send only", "calls_per_second": 1.83},
            ]}},
        }));
        for line in [
            "| CPU per UAC call at 6,000 calls/s, µs | 50.0 | 1/10 | 12.5 | 4.0 | 8.0 | 1.6 | not reached |",
            "| CPU per UAS call at 6,000 calls/s, µs | 60.0 | 1/10 | 6.0 | 10.0 | 8.0 | 0.8 | reached |",
            "| CPU per UAC call at saturation, µs | - | 1/10 | - | - | 0.50 | - | not measured |",
            "| highest rate, 10 s, no call failed, nothing repeated | 10,000 | 100,000 | 120,000 | 12.0 | 500,000 | 0.2 | reached |",
            "| bytes per held call, UAC | - | 1,000 | 1,001 | - | - | - | not reached |",
            "| bytes per held call, UAS | - | 1,000 | 700 | - | - | - | reached |",
            "| 1,000,000 calls held open, client, MB | - | 1,200 | 736 | - | - | - | reached |",
            "| CPU per call, all of them open against few, client | - | 1.3 | 1.20 | - | - | - | reached |",
            "| 1,000,000 calls held open, server, MB | - | 1,200 | 1,250 | - | - | - | not reached |",
            "| CPU per call, all of them open against few, server | - | 1.3 | 1.40 | - | - | - | not reached |",
            "| two shards against one, calls/s, send only | - | 1.8 | 1.83 | - | - | - | reached |",
        ] {
            assert!(found.iter().any(|row| row == line), "{line} in {found:#?}");
        }
    }

    #[test]
    fn nothing_measured_is_nothing_reached() {
        let found = lines(&json!({}));
        assert!(found.len() > 10);
        assert!(
            found[2..]
                .iter()
                .all(|row| row.ends_with("| not measured |")),
            "{found:#?}"
        );
    }

    #[test]
    fn thousands_stand_apart() {
        let found = [0.0, 999.0, 1_000.0, 1_234_567.0].map(whole);
        assert_eq!(found, ["0", "999", "1,000", "1,234,567"]);
    }
}
