// SPDX-License-Identifier: AGPL-3.0-only
//! The screens that are tables: repartitions, actions, circuits.

use super::{Shown, WIDTH};
use gossipper_control::Repartition;
use std::fmt::Write as _;

/// The cells of a timer, and with the first one those of the lengths of calls.
pub(super) fn repartition(shown: &Shown<'_>, nth: usize) -> Vec<String> {
    let engine = shown.engine;
    let mut lines = Vec::new();
    let response = engine.response_times.get(nth - 1);
    let name = response.map_or_else(|| nth.to_string(), |response| response.name.clone());
    cells(
        &mut lines,
        &format!("Average Response Time Repartition {name}"),
        response.and_then(|response| response.repartition.as_ref()),
    );
    if nth == 1 {
        cells(
            &mut lines,
            "Average Call Length Repartition",
            engine.call_length_repartition.as_ref(),
        );
    }
    lines
}

fn cells(lines: &mut Vec<String>, title: &str, repartition: Option<&Repartition>) {
    lines.push(format!("  {title}"));
    let Some(repartition) = repartition else {
        lines.push("    (the scenario has no cells for it)".to_owned());
        return;
    };
    let mut from = 0;
    for cell in &repartition.cells {
        lines.push(match cell.below_ms {
            Some(below) => {
                format!(
                    "    {from:>10} ms <= n < {below:>10} ms : {:>10}",
                    cell.count
                )
            }
            None => format!("{:19}n >= {from:>10} ms : {:>10}", "", cell.count),
        });
        from = cell.below_ms.unwrap_or(from);
    }
}

/// What the steps do.
pub(super) fn actions(shown: &Shown<'_>) -> Vec<String> {
    let layout = shown.layout;
    let mut lines = vec!["Action defined Per Message :".to_owned()];
    let mut last = None;
    for (step, action) in &layout.actions {
        if last != Some(*step) {
            let name = shown.engine.steps.get(*step).map_or("", |step| &step.name);
            lines.push(format!(" => Message[{step}] {name}"));
            last = Some(*step);
        }
        let text: String = action
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(WIDTH - 8)
            .collect();
        lines.push(format!("     - {text}"));
    }
    if layout.actions.is_empty() {
        lines.push(" => the messages have no actions".to_owned());
    }
    lines
}

/// Which circuits are taken.
pub(super) fn circuits(shown: &Shown<'_>) -> Vec<String> {
    let circuits = &shown.engine.circuits;
    if circuits.is_empty() {
        return vec!["  There is no map of circuits (-tdmmap)".to_owned()];
    }
    let mut lines = vec!["TDM Circuits in use:".to_owned()];
    let row = shown.layout.circuits_in_row.clamp(1, WIDTH - 2);
    lines.extend(circuits.chunks(row).map(|row| {
        let marks = row.iter().map(|taken| if *taken { '*' } else { '.' });
        marks.collect::<String>()
    }));
    let taken = circuits.iter().filter(|taken| **taken).count();
    let mut sum = String::new();
    let _ = write!(
        sum,
        "{taken}/{} circuits ({}%) in use",
        circuits.len(),
        taken * 100 / circuits.len()
    );
    lines.push(String::new());
    lines.push(sum);
    lines
}
