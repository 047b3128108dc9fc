// SPDX-License-Identifier: AGPL-3.0-only
//! Metrics of how calls failed.

use super::{Kind, Page};
use crate::make::reason_name;
use gossipper_control::{FailureShape, Snapshot, Way};

/// The commonest ways in which calls failed: at most ten, each of which only ever grows.
pub(super) fn commonest(page: &mut Page, snapshot: &Snapshot) {
    let Some(shapes) = &snapshot.failure_shapes else {
        return;
    };
    page.count(
        "gossipper_failures_watched",
        "Failed calls whose messages were watched.",
        shapes.watched,
    );
    page.head(
        "gossipper_failure_shape_calls",
        Kind::Counter,
        "",
        "Watched calls that failed alike, by their messages and why they ended.",
    );
    for shape in &shapes.shapes {
        let labels = [
            ("messages", &*messages_of(shape)),
            ("reason", &*reason_name(shape.reason)),
        ];
        page.sample("gossipper_failure_shape_calls_total", &labels, shape.count);
    }
}

/// The messages of a shape in a word each: `>INVITE+ <486 >ACK`; what was repeated has a plus.
fn messages_of(shape: &FailureShape) -> String {
    let example = &shape.example;
    let mut words: Vec<String> = (example.messages.iter())
        .map(|message| {
            let way = match message.way {
                Way::Sent | Way::CommandSent => '>',
                Way::Received | Way::CommandReceived => '<',
            };
            let again = if message.repeated > 0 { "+" } else { "" };
            format!("{way}{}{again}", message.kind())
        })
        .collect();
    if example.left_out > 0 {
        words.insert(example.left_out_after.min(words.len()), "...".to_owned());
    }
    words.join(" ")
}
