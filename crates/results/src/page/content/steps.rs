// SPDX-License-Identifier: AGPL-3.0-only
//! Ladders: the scenario with what became of each step, and calls with their messages.

use super::super::document::{Block, Cell, Ladder, Rung, Section, Tone, Way};
use super::super::units;
use crate::shapes::{Example, Shape, WorstCall};
use crate::summary::{Step, Summary};
use gossipper_control::shapes::Way as Goes;

/// Shapes that are drawn.
const SHAPES: usize = 3;

/// Slow calls that are drawn.
const WORST: usize = 3;

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
            count: "count",
            figures: &["again", "timeouts", "unexpected", "lost", "median", "p99"],
            twin,
            rungs: rungs.collect(),
            ..Ladder::default()
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
        part: Some(step.messages as f64 / greatest as f64),
        figures,
    }
}

/// How calls failed, each with the messages of one of them.
pub(super) fn shapes(run: &Summary) -> Vec<Block> {
    let shapes = run.failure_shapes.iter().flat_map(|shapes| &shapes.shapes);
    let shapes = shapes
        .take(SHAPES)
        .map(|shape| Block::Ladder(example(shape)));
    shapes.collect()
}

/// The calls that waited longest, each with its messages.
pub(super) fn worst(run: &Summary) -> Option<Section> {
    let worst = run.worst_calls.as_ref()?;
    let calls = worst.calls.iter().take(WORST);
    let blocks: Vec<_> = calls.map(|call| Block::Ladder(slow(call))).collect();
    let of = if worst.watched == worst.ended {
        format!("all {}", units::calls(worst.ended))
    } else {
        format!(
            "the {} that were watched and had an answer, out of {}",
            units::count(worst.watched),
            units::calls(worst.ended)
        )
    };
    (!blocks.is_empty()).then(|| Section {
        title: "Worst calls",
        note: format!(
            "Those that waited longest for an answer, from when its request was due, of {of}. The answer is marked."
        ),
        blocks,
    })
}

fn slow(worst: &WorstCall) -> Ladder {
    let mut ladder = Ladder {
        figures: &["again", "waited"],
        ..messages(&worst.call)
    };
    let mut number = 0;
    for rung in &mut ladder.rungs {
        let is_message = !rung.index.is_empty();
        let is_answer = is_message && worst.answer == Some(number);
        rung.figures.push(if is_answer {
            Cell::toned(units::time(worst.due), Tone::Bad)
        } else {
            Cell::from("")
        });
        number += u64::from(is_message);
    }
    let answer = worst.answer.and_then(|place| usize::try_from(place).ok());
    let answer = answer.and_then(|place| worst.call.messages.get(place));
    let answer = answer.map_or_else(String::new, |answer| format!(" for {}", answer.label));
    let from = if worst.due == worst.sent {
        String::new()
    } else {
        format!(", {} of it from sending", units::time(worst.sent))
    };
    let failed = match &worst.reason {
        Some(reason) => format!("; the call failed: {}", units::words(reason)),
        None => String::new(),
    };
    ladder.caption = format!("{}{answer}{from}{failed}", units::time(worst.due));
    ladder
}

fn example(shape: &Shape) -> Ladder {
    Ladder {
        caption: format!(
            "{}: {}. One of them:",
            units::calls(shape.count),
            units::words(&shape.reason)
        ),
        ..messages(&shape.example)
    }
}

/// A call with its messages.
fn messages(example: &Example) -> Ladder {
    let mut rungs: Vec<Rung> = Vec::new();
    for (place, message) in example.messages.iter().enumerate() {
        if example.left_out > 0 && place as u64 == example.left_out_after {
            rungs.push(left_out(example.left_out));
        }
        let again = if message.repeated > 0 {
            Cell::from(units::count(message.repeated))
        } else {
            Cell::toned("0", Tone::Faint)
        };
        rungs.push(Rung {
            index: (place + 1).to_string(),
            way: match message.way {
                Goes::Sent => Way::ToPeer,
                Goes::Received => Way::FromPeer,
                Goes::CommandSent => Way::ToTwin,
                Goes::CommandReceived => Way::FromTwin,
            },
            label: message.label.clone(),
            count: units::time(message.at),
            part: None,
            figures: vec![again],
        });
    }
    let twin = rungs
        .iter()
        .any(|rung| matches!(rung.way, Way::ToTwin | Way::FromTwin));
    let mut note = format!(
        "Call {}, {}, began {} into the run and lasted {}",
        units::count(example.call_number),
        example.call_id,
        units::time(example.began),
        units::time(example.duration)
    );
    if let Some(peer) = &example.peer {
        note.push_str(&format!("; peer {peer}"));
    }
    Ladder {
        note,
        count: "after",
        figures: &["again"],
        twin,
        rungs,
        ..Ladder::default()
    }
}

fn left_out(messages: u64) -> Rung {
    Rung {
        label: format!("{} messages left out", units::count(messages)),
        figures: vec![Cell::from("")],
        ..Rung::default()
    }
}
