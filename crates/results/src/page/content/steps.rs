// SPDX-License-Identifier: AGPL-3.0-only
//! The scenario as a ladder, with what became of each step.

use super::super::document::{Block, Cell, Ladder, Rung, Section, Tone, Way};
use super::super::units;
use crate::summary::{Step, Summary};

/// The section, if the steps are known.
pub(super) fn section(run: &Summary) -> Option<Section> {
    let greatest = run.steps.iter().map(|step| step.messages).max()?.max(1);
    let rungs = run.steps.iter().map(|step| rung(step, greatest));
    let twin = run
        .steps
        .iter()
        .any(|step| matches!(way(&step.kind), Way::ToTwin | Way::FromTwin));
    Some(Section {
        title: "Steps",
        note: "How often each step of the scenario took place. Again: our repetitions of what we sent, the peer's of what we \
               received. Lost: dropped on purpose. Times are how long the step waited, from due."
            .to_owned(),
        blocks: vec![Block::Ladder(Ladder {
            twin,
            rungs: rungs.collect(),
        })],
    })
}

fn way(kind: &str) -> Way {
    match kind {
        "send" => Way::ToPeer,
        "recv" => Way::FromPeer,
        "sendCmd" => Way::ToTwin,
        "recvCmd" => Way::FromTwin,
        _ => Way::Local,
    }
}

fn rung(step: &Step, greatest: u64) -> Rung {
    let counted = |count: u64, tone: Tone| {
        let tone = if count == 0 { Tone::Faint } else { tone };
        Cell::toned(units::count(count), tone)
    };
    let mut figures = vec![
        counted(step.retransmissions, Tone::Plain),
        counted(step.timeouts, Tone::Bad),
        counted(step.unexpected, Tone::Bad),
        counted(step.lost, Tone::Plain),
    ];
    let timing = step
        .latency
        .as_ref()
        .map(|latency| latency.due.as_ref().unwrap_or(&latency.sent));
    let timing = timing.filter(|timing| timing.count > 0);
    figures.extend(match timing {
        Some(timing) => [timing.p50, timing.p99].map(|ns| Cell::from(units::time(ns))),
        None => [(); 2].map(|()| Cell::toned("", Tone::Faint)),
    });
    let way = way(&step.kind);
    Rung {
        index: step.index.to_string(),
        way,
        label: match way {
            Way::Local if step.name.is_empty() => step.kind.clone(),
            Way::Local => format!("{} {}", step.kind, step.name),
            _ if step.name.is_empty() => step.kind.clone(),
            _ => step.name.clone(),
        },
        count: units::count(step.messages),
        part: step.messages as f64 / greatest as f64,
        figures,
    }
}
