// SPDX-License-Identifier: AGPL-3.0-only
//! What traces need to know: which call an order is about, and which response was not expected.

use crate::stage::{Stage, response, send};
use gossipper_vm::{CallControl, RunParams, StatEvent};

fn stage(names_calls: bool) -> Stage {
    let steps = [send("OPTIONS", ""), response(200, "")];
    Stage::client_with(&steps, |params: &mut RunParams| {
        params.names_calls = names_calls;
    })
}

#[test]
fn orders_say_which_call_they_are_about_if_that_is_asked_for() {
    let mut stage = stage(true);
    stage.spawn();
    stage.spawn();
    assert_eq!(stage.about.first(), Some(&1));
    assert_eq!(stage.about.last(), Some(&2));
    stage.about.clear();
    stage.respond(200, "OPTIONS");
    assert!(!stage.about.is_empty() && stage.about.iter().all(|call| *call == 2));
    stage.about.clear();
    stage.control(CallControl::AbortAll);
    assert_eq!(stage.about, [1], "the other one has ended");
}

#[test]
fn nobody_pays_for_names_that_nobody_asked_for() {
    let mut stage = stage(false);
    stage.spawn();
    stage.respond(200, "OPTIONS");
    assert!(stage.about.is_empty());
}

#[test]
fn an_unexpected_response_is_counted_with_its_code() {
    let mut stage = stage(false);
    stage.spawn();
    stage.respond(486, "OPTIONS");
    let codes: Vec<u16> = stage
        .events
        .iter()
        .filter_map(|event| match event {
            StatEvent::Unexpected { code, .. } => Some(*code),
            _ => None,
        })
        .collect();
    assert_eq!(codes, [486]);
}
