// SPDX-License-Identifier: AGPL-3.0-only
//! Response times: tables of percentiles, and histograms.

use super::super::axis::Axis;
use super::super::document::{Block, Cell, Chart, Ink, Mark, Section, Stroke, Table, Tone};
use super::super::units;
use crate::latency::{Latency, Timing};
use crate::summary::Summary;

/// Histograms that are drawn.
const HISTOGRAMS: usize = 8;

/// The section, if there is a time at all.
pub(super) fn section(run: &Summary) -> Option<Section> {
    let named = named(run);
    let mut blocks = Vec::new();
    let times: Vec<_> = (named.iter())
        .flat_map(|(name, latency)| rows(name, latency))
        .collect();
    if !times.is_empty() {
        blocks.push(Block::Table(table("", times)));
    }
    let histograms = named.iter().filter(|(name, _)| name != "Lateness of calls");
    let histograms: Vec<_> = histograms
        .filter_map(|(name, latency)| histogram(name, latency))
        .take(HISTOGRAMS)
        .collect();
    if !histograms.is_empty() {
        blocks.push(Block::Charts(histograms));
    }
    let responses = run.responses.iter().flat_map(|response| {
        let name = if response.code == 0 {
            format!("{}, all the rest", response.method)
        } else {
            format!("{} to {}", response.code, response.method)
        };
        rows(&name, &response.latency)
    });
    let responses: Vec<_> = responses.collect();
    if !responses.is_empty() {
        blocks.push(Block::Table(table(
            "Responses, by code and method",
            responses,
        )));
    }
    (!blocks.is_empty()).then(|| Section {
        title: "Response times",
        note: "From sending is the peer's part. From due counts from when the request should have gone out, \
               and so has the generator's own delay in it: what a caller would have seen."
            .to_owned(),
        blocks,
    })
}

/// The times of a run with their names, those with samples.
pub(super) fn named(run: &Summary) -> Vec<(String, &Latency)> {
    let mut named = vec![
        ("Any answer".to_owned(), &run.answer),
        ("INVITE to final answer".to_owned(), &run.invite_rtt),
    ];
    let timers = run.rtd.iter();
    named.extend(timers.map(|(name, latency)| (format!("Timer {name}"), latency)));
    named.push(("Call length".to_owned(), &run.call_length));
    named.push(("Lateness of calls".to_owned(), &run.lateness));
    named.retain(|(_, latency)| latency.sent.count > 0);
    named
}

fn table(caption: &str, rows: Vec<Vec<Cell>>) -> Table {
    Table {
        caption: caption.to_owned(),
        columns: vec![
            "", "", "count", "mean", "median", "p90", "p95", "p99", "p99.9", "p99.99", "max",
        ],
        texts: 2,
        rows,
        folded: false,
    }
}

fn rows(name: &str, latency: &Latency) -> Vec<Vec<Cell>> {
    let Some(due) = &latency.due else {
        return vec![row(name, "", &latency.sent)];
    };
    vec![
        row(name, "from sending", &latency.sent),
        row("", "from due", due),
    ]
}

fn row(name: &str, from: &str, timing: &Timing) -> Vec<Cell> {
    let mut cells = vec![
        Cell::from(name),
        Cell::toned(from, Tone::Faint),
        Cell::from(units::count(timing.count)),
    ];
    let times = [
        timing.average,
        timing.p50,
        timing.p90,
        timing.p95,
        timing.p99,
        timing.p999,
        timing.p9999,
        timing.max,
    ];
    cells.extend(times.map(|ns| Cell::from(units::time(ns))));
    cells
}

/// Where a cell ends: an eighth above where its octave begins, as the cells are made.
fn cell_ends(begins: u64) -> u64 {
    let us = begins / 1000;
    let octave = 63 - us.max(8).leading_zeros().min(60);
    begins.saturating_add(1000 << octave.saturating_sub(3).min(50))
}

/// How many took how long.
fn histogram(name: &str, latency: &Latency) -> Option<Chart> {
    let due = latency.due.as_ref().filter(|due| !due.cells.is_empty());
    let sent = &latency.sent;
    if sent.cells.len() < 2 && due.is_none_or(|due| due.cells.len() < 2) {
        return None;
    }
    let all = || {
        sent.cells
            .iter()
            .chain(due.iter().flat_map(|due| &due.cells))
    };
    let least = all().map(|(begins, _)| *begins).min()?.max(1000);
    let most = all().map(|(begins, _)| cell_ends(*begins)).max()?;
    let x = Axis::log(least as f64, most as f64, |ns| units::time(ns as u64));
    let greatest = all().map(|(_, count)| *count).max()?;
    // Above the bars there is space for words.
    let y = Axis::linear(greatest as f64 * 1.2, units::digits, true);
    let mut chart = Chart {
        title: name.to_owned(),
        note: "samples by how long they took; logarithmic".to_owned(),
        ..Chart::default()
    };
    let bars = sent.cells.iter().map(|(begins, count)| {
        let (left, right) = (x.place(*begins as f64), x.place(cell_ends(*begins) as f64));
        [left, right, 0.0, y.place(*count as f64)]
    });
    chart.marks.push(Mark::Bars(Ink::Blue, bars.collect()));
    if let Some(due) = due.filter(|due| due.cells != sent.cells) {
        let mut outline: Vec<Vec<(f64, f64)>> = Vec::new();
        let mut ended = None;
        for (begins, count) in &due.cells {
            let (left, right) = (x.place(*begins as f64), x.place(cell_ends(*begins) as f64));
            let top = y.place(*count as f64);
            if ended != Some(*begins) {
                if let (Some(line), Some(before)) = (outline.last_mut(), ended) {
                    line.push((x.place(before as f64), 0.0));
                }
                outline.push(vec![(left, 0.0)]);
            }
            if let Some(line) = outline.last_mut() {
                line.extend([(left, top), (right, top)]);
            }
            ended = Some(cell_ends(*begins));
        }
        if let (Some(line), Some(before)) = (outline.last_mut(), ended) {
            line.push((x.place(before as f64), 0.0));
        }
        chart
            .marks
            .push(Mark::Line(Ink::Orange, Stroke::Solid, outline));
        chart.legend = vec![
            (Ink::Blue, Stroke::Fill, "from sending".to_owned()),
            (Ink::Orange, Stroke::Solid, "from due".to_owned()),
        ];
    }
    let shown = due.unwrap_or(sent);
    for (name, ns) in [("median", shown.p50), ("p99", shown.p99)] {
        chart.marks.push(Mark::Rule(
            x.place(ns as f64),
            format!("{name} {}", units::time(ns)),
        ));
    }
    chart.x = x.ticks;
    chart.y = y.ticks;
    Some(chart)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gossipper_control::measures::cell_begins;

    #[test]
    fn a_cell_ends_where_the_next_begins() {
        for cell in 0..240 {
            let (begins, next) = (cell_begins(cell) * 1000, cell_begins(cell + 1) * 1000);
            assert_eq!(cell_ends(begins), next, "{cell}");
        }
        // Whatever a file says.
        for begins in [0, 1, u64::MAX] {
            assert!(cell_ends(begins) > 0);
        }
    }
}
