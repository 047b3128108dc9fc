// SPDX-License-Identifier: AGPL-3.0-only
//! Counters of each step, in both forms.

use gossipper_bytecode::StepKind;

use super::{Cells, Row, long_clock};
use crate::config::TableConfig;
use crate::stats::StepCounters;

fn counters(row: &Row<'_>, index: usize) -> StepCounters {
    let steps = &row.now.figures.counters.steps;
    steps.get(index).copied().unwrap_or_default()
}

/// SIPp's columns; hidden steps have none.
// COMPAT(sipp): commands and `nop` have the columns of a pause, which count nothing but unexpected messages
// (docs/compat.md#tables).
pub(super) fn sipp(cells: &mut Cells<'_>, row: &Row<'_>, _: &TableConfig) {
    cells.time("CurrentTime", row.at);
    cells.cell("ElapsedTime", long_clock(row.at.as_ms()));
    for (index, step) in row.layout.steps.iter().enumerate() {
        if step.hidden {
            continue;
        }
        let counts = counters(row, index);
        let name = &step.name;
        match step.kind {
            StepKind::Send => {
                cells.cell(format_args!("{index}_{name}_Sent"), counts.messages);
                cells.cell(
                    format_args!("{index}_{name}_Retrans"),
                    counts.retransmissions,
                );
                if step.repeats {
                    cells.cell(format_args!("{index}_{name}_Timeout"), counts.timeouts);
                }
            }
            StepKind::Recv => {
                cells.cell(format_args!("{index}_{name}_Recv"), counts.messages);
                cells.cell(
                    format_args!("{index}_{name}_Retrans"),
                    counts.retransmissions,
                );
                cells.cell(format_args!("{index}_{name}_Timeout"), counts.timeouts);
                cells.cell(format_args!("{index}_{name}_Unexp"), counts.unexpected);
            }
            StepKind::Pause
            | StepKind::Timewait
            | StepKind::Nop
            | StepKind::SendCmd
            | StepKind::RecvCmd => {
                let pauses = matches!(step.kind, StepKind::Pause | StepKind::Timewait);
                let sessions = if pauses { counts.messages } else { 0 };
                cells.cell(format_args!("{index}_Pause_Sessions"), sessions);
                cells.cell(format_args!("{index}_Pause_Unexp"), counts.unexpected);
            }
        }
        if row.layout.loses && matches!(step.kind, StepKind::Send | StepKind::Recv) {
            cells.cell(format_args!("{index}_{name}_Lost"), counts.lost);
        }
    }
}

/// gossipper's columns: three for each step that sends or receives SIP.
pub(super) fn own(cells: &mut Cells<'_>, row: &Row<'_>, _: &TableConfig) {
    cells.time("timestamp", row.at);
    for (index, step) in row.layout.steps.iter().enumerate() {
        let counts = counters(row, index);
        let (sent, received) = match step.kind {
            StepKind::Send => (counts.messages, 0),
            StepKind::Recv => (0, counts.messages),
            StepKind::Pause
            | StepKind::Timewait
            | StepKind::Nop
            | StepKind::SendCmd
            | StepKind::RecvCmd => continue,
        };
        let label = label(&step.name);
        cells.cell(format_args!("{index}_{label}_sent"), sent);
        cells.cell(format_args!("{index}_{label}_recv"), received);
        cells.cell(format_args!("{index}_{label}_unexp"), counts.unexpected);
    }
}

/// A method as it is, `RESP_` and a code, of anything else the letters and digits.
fn label(name: &str) -> String {
    if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("RESP_{name}");
    }
    let plain = |char: char| {
        if char.is_ascii_alphanumeric() {
            char
        } else {
            '_'
        }
    };
    name.chars().map(plain).collect()
}
