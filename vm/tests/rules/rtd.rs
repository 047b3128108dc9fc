// SPDX-License-Identifier: AGPL-3.0-only
//! Response-time timers and user counters.

use crate::stage::{Stage, log, nop, response, send};
use gossipper_vm::{Micros, StatEvent};

/// Timer, time and late part of every recorded response time, times in ms.
fn recorded(stage: &Stage) -> Vec<(u16, u64, u64)> {
    let rtds = stage.events.iter().filter_map(|event| match event {
        StatEvent::Rtd { rtd, took, late } => Some((rtd.0, took.as_ms(), late.as_ms())),
        _ => None,
    });
    rtds.collect()
}

#[test]
fn a_timer_measures_from_its_start_to_its_stop() {
    let mut stage = Stage::client(&[
        "<pause milliseconds='30'/>".to_owned(),
        send("OPTIONS", "start_rtd='answer'"),
        response(200, "rtd='answer'"),
    ]);
    stage.spawn();
    stage.advance(30);
    stage.advance(25);
    stage.respond(200, "OPTIONS");
    assert_eq!(recorded(&stage), [(0, 25, 0)]);
}

#[test]
fn a_timer_without_start_measures_from_creation() {
    let mut stage = Stage::client(&[
        "<pause milliseconds='30'/>".to_owned(),
        send("OPTIONS", ""),
        response(200, "rtd='true'"),
    ]);
    stage.spawn();
    stage.advance(50);
    stage.respond(200, "OPTIONS");
    assert_eq!(recorded(&stage), [(0, 50, 0)]);
}

#[test]
fn a_time_from_creation_carries_the_lateness_of_the_call_apart() {
    let mut stage = Stage::client(&[
        send("OPTIONS", "start_rtd='own'"),
        response(200, "rtd='true'"),
        nop("rtd='own'", ""),
    ]);
    stage.advance(100);
    stage.spawn_due(Micros::from_ms(60));
    stage.advance(10);
    stage.respond(200, "OPTIONS");
    let mut times: Vec<_> = recorded(&stage)
        .into_iter()
        .map(|(_, took, late)| (took, late))
        .collect();
    times.sort_unstable();
    assert_eq!(times, [(10, 0), (10, 40)]);
    assert!(stage.events.contains(&StatEvent::Created {
        incoming: false,
        late: Micros::from_ms(40)
    }));
}

#[test]
fn true_is_another_name_of_timer_1() {
    let mut stage = Stage::client(&[
        "<pause milliseconds='30'/>".to_owned(),
        send("OPTIONS", "start_rtd='1'"),
        response(200, "rtd='true'"),
    ]);
    stage.spawn();
    stage.advance(37);
    stage.respond(200, "OPTIONS");
    assert_eq!(recorded(&stage), [(0, 7, 0)]);
}

#[test]
fn a_time_is_recorded_once_per_call_unless_it_repeats() {
    let flow = |attributes: &str| {
        [
            "<label id='again'/>".to_owned(),
            send("OPTIONS", "start_rtd='1'"),
            response(200, &format!("rtd='1' {attributes}")),
            "<nop next='again'/>".to_owned(),
        ]
    };
    let times = |attributes: &str| {
        let mut stage = Stage::client(&flow(attributes));
        stage.spawn();
        for wait in [10, 20, 30] {
            stage.advance(wait);
            stage.respond(200, "OPTIONS");
        }
        recorded(&stage)
    };
    assert_eq!(times(""), [(0, 10, 0)]);
    assert_eq!(
        times("repeat_rtd='true'"),
        [(0, 10, 0), (0, 20, 0), (0, 30, 0)]
    );
}

#[test]
fn a_counter_counts_each_time_its_element_runs() {
    let mut stage = Stage::client(&[
        "<label id='again'/>".to_owned(),
        send("OPTIONS", "counter='asked'"),
        response(100, "optional='true' counter='tried'"),
        response(200, "counter='answered'"),
        log("again"),
        "<nop next='again'/>".to_owned(),
    ]);
    stage.spawn();
    stage.respond(100, "OPTIONS");
    stage.respond(200, "OPTIONS");
    stage.respond(200, "OPTIONS");
    let mut counts: Vec<_> = stage.tally.counters.values().copied().collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2, 3]);
}

#[test]
fn a_nop_with_a_text_is_counted_when_it_has_run_and_no_other_is() {
    let mut stage = Stage::client(&[
        "<label id='again'/>".to_owned(),
        "<nop display='asking'/>".to_owned(),
        send("OPTIONS", ""),
        response(100, "optional='true' next='again'"),
        response(200, ""),
        "<nop display='rejecting'><action><exec int_cmd='stop_call'/></action></nop>".to_owned(),
    ]);
    stage.spawn();
    stage.respond(100, "OPTIONS");
    stage.respond(200, "OPTIONS");
    assert_eq!(stage.tally.shown, [(0, 2)].into());
    assert_eq!(stage.tally.failed.len(), 1);
}

#[test]
fn the_length_of_a_call_is_measured_from_creation_to_end() {
    let mut stage = Stage::client(&[send("OPTIONS", ""), "<pause milliseconds='70'/>".to_owned()]);
    stage.spawn();
    stage.advance(200);
    let lengths: Vec<_> = stage
        .events
        .iter()
        .filter_map(|event| match event {
            StatEvent::Ended { length, .. } => Some(length.as_ms()),
            _ => None,
        })
        .collect();
    assert_eq!(lengths, [70]);
}
