// SPDX-License-Identifier: AGPL-3.0-only
//! Screens of one run, as lines and on terminals.

use super::layout::{Layout, StepLayout};
use super::terminal::tests::{coloured, drawn};
use super::*;
use crate::report::sample;
use gossipper_control::{
    Cell, CounterSnapshot, EchoCounts, EchoSnapshot, MediaSnapshot, Repartition, StepKind,
    StepSnapshot,
};

fn step(kind: StepKind, name: &str, messages: u64) -> StepSnapshot {
    StepSnapshot {
        kind,
        name: name.to_owned(),
        line: 1,
        hidden: false,
        messages,
        retransmissions: 0,
        timeouts: 0,
        unexpected: 0,
        lost: 0,
    }
}

fn steps() -> Vec<StepSnapshot> {
    let mut steps = vec![
        step(StepKind::Send, "INVITE", 1000),
        step(StepKind::Recv, "100", 0),
        step(StepKind::Recv, "180", 998),
        step(StepKind::Recv, "200", 998),
        step(StepKind::Send, "ACK", 998),
        step(StepKind::Nop, "", 0),
        step(StepKind::Pause, "", 998),
        step(StepKind::Send, "BYE", 998),
        step(StepKind::Recv, "200", 997),
    ];
    steps[0].retransmissions = 12;
    steps[0].timeouts = 2;
    steps[3].unexpected = 1;
    steps[5].hidden = true;
    steps
}

fn cells(counts: [u64; 3]) -> Option<Repartition> {
    let below = [Some(10), Some(200), None];
    let cells = below.into_iter().zip(counts);
    Some(Repartition {
        cells: cells
            .map(|(below_ms, count)| Cell { below_ms, count })
            .collect(),
    })
}

fn layout() -> Layout {
    let mut steps = vec![StepLayout::default(); 9];
    steps[0].repeats = true;
    steps[7].repeats = true;
    steps[0].timers = "B-RTD1".to_owned();
    steps[3].timers = "E-RTD1".to_owned();
    steps[4].blank_after = true;
    Layout {
        transport: "UDP",
        steps,
        actions: vec![
            (3, "ereg x0 in msg = $1  check".to_owned()),
            (3, "log $1".to_owned()),
            (5, "assign $2 = 1".to_owned()),
        ],
        variables: vec!["$1 (Call)".to_owned()],
        default_pause_ms: 250,
        duration_ms: 250,
        period_ms: 1000,
        circuits_in_row: 4,
    }
}

fn now() -> Snapshot {
    let mut now = sample::client();
    let engine = &mut now.engines[0];
    engine.steps = steps();
    engine.phase = Phase::Running;
    engine.calls.current = 14;
    engine.calls.outgoing += 14;
    engine.response_times[0].repartition = cells([990, 8, 0]);
    engine.call_length_repartition = cells([0, 990, 10]);
    engine.counters = vec![CounterSnapshot {
        name: "redirects".to_owned(),
        count: 7,
    }];
    engine.circuits = vec![
        true, false, true, true, false, false, false, false, true, true,
    ];
    now
}

/// A second earlier.
fn before() -> Snapshot {
    let mut before = now();
    before.elapsed_us -= 1_000_000;
    let engine = &mut before.engines[0];
    engine.calls.outgoing -= 500;
    engine.calls.succeeded -= 498;
    engine.calls.failed = 1;
    engine.counters[0].count = 3;
    engine.response_times[0].actual.count = 500;
    engine.call_length.count = 400;
    engine.call_length.mean_us = 200.0;
    before
}

fn shown(screen: Screen, then: impl FnOnce(&Frame<'_>) -> String) -> String {
    changed(screen, |_| {}, then)
}

fn changed(
    screen: Screen,
    change: impl FnOnce(&mut Snapshot),
    then: impl FnOnce(&Frame<'_>) -> String,
) -> String {
    let (mut now, before, layouts) = (now(), before(), [layout()]);
    change(&mut now);
    then(&Frame {
        now: &now,
        before: &before,
        layouts: &layouts,
        view: View {
            screen,
            ..View::default()
        },
    })
}

fn on_terminal(frame: &Frame<'_>) -> String {
    drawn(frame, 80, 24, None)
}

/// Without the times of the clock on the wall.
fn without_clock(screen: &str) -> String {
    let is_clock = |line: &&str| !line.contains("Time  ") || line.contains("Elapsed");
    let lines: Vec<_> = screen.lines().filter(is_clock).collect();
    lines.join("\n")
}

#[test]
fn the_scenario_shows_each_step_and_how_the_run_does() {
    insta::assert_snapshot!(shown(Screen::Scenario, on_terminal));
}

#[test]
fn a_server_turns_its_arrows_around() {
    let server = |now: &mut Snapshot| {
        now.engines[0].mode = Some(Mode::Server);
        now.engines[0].remote = None;
    };
    insta::assert_snapshot!(changed(Screen::Scenario, server, on_terminal));
}

#[test]
fn statistics_show_the_period_beside_the_run() {
    insta::assert_snapshot!(without_clock(&shown(Screen::Statistics, on_terminal)));
}

#[test]
fn repartitions_show_their_cells() {
    insta::assert_snapshot!(shown(Screen::Repartition(1), on_terminal));
    let second = shown(Screen::Repartition(2), on_terminal);
    assert!(second.contains("Repartition 2 Screen"), "{second}");
    assert!(second.contains("no cells for it"), "{second}");
}

#[test]
fn actions_and_circuits_have_screens() {
    insta::assert_snapshot!(shown(Screen::Variables, on_terminal));
    insta::assert_snapshot!(shown(Screen::Circuits, on_terminal));
}

#[test]
fn hidden_steps_are_shown_on_demand_and_lost_messages_have_a_column() {
    let text = changed(
        Screen::Scenario,
        |now| now.engines[0].steps[2].lost = 3,
        |frame| {
            let view = View {
                hide: false,
                ..frame.view
            };
            text(&Frame { view, ..*frame })
        },
    );
    assert!(text.contains("5 :             [ NOP ]"), "{text}");
    assert!(text.contains("Unexpected-Msg  Lost"), "{text}");
    let shown = shown(Screen::Scenario, super::text);
    assert!(
        !shown.contains("[ NOP ]") && !shown.contains("Lost"),
        "{shown}"
    );
}

#[test]
fn lines_that_tools_read_are_where_they_look_for_them() {
    let scenario = shown(Screen::Scenario, text);
    let lines = [
        "0 :      INVITE ---------->  B-RTD1 1000      12        2",
        "3 :         200 <----------  E-RTD1 998       0         0         1",
        "6 :       Pause [    250ms]         998                           0",
    ];
    for line in lines {
        assert!(
            scenario.lines().any(|found| found == line),
            "{line}\n{scenario}"
        );
    }
    let statistics = shown(Screen::Statistics, text);
    let line = "  Successful call        |      498                  |      997";
    assert!(
        statistics.lines().any(|found| found == line),
        "{statistics}"
    );
    for screen in ["1234569"].iter().flat_map(|keys| keys.bytes()) {
        let screen = Screen::of_key(screen).expect("a screen");
        for line in shown(screen, text).lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}

#[test]
fn what_is_echoed_has_a_line_for_each_stream() {
    let counts = |packets| EchoCounts {
        packets,
        bytes: packets * 172,
        dropped: 0,
    };
    let echo = |packets| {
        Some(EchoSnapshot {
            address: "127.0.0.1:6000".to_owned(),
            streams: [counts(packets), counts(0)],
        })
    };
    let (mut now, mut before) = (now(), before());
    (before.rtp_echo, now.rtp_echo) = (echo(100), echo(200));
    let layouts = [layout()];
    let frame = Frame {
        now: &now,
        before: &before,
        layouts: &layouts,
        view: View::default(),
    };
    let seconds = frame.period_us() as f64 / 1e6;
    let rate = 17.2 / seconds;
    let shown = text(&frame);
    for line in [
        format!(
            "  {:<40}{rate:.3} last period RTP rate (kB/s)",
            "200 Total echo RTP pckts 1st stream"
        ),
        format!(
            "  {:<40}0.000 last period RTP rate (kB/s)",
            "0 Total echo RTP pckts 2nd stream"
        ),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
}

#[test]
fn rtp_of_calls_has_a_line_with_what_was_sent() {
    let media = |packets: u64| {
        Some(Box::new(MediaSnapshot {
            packets_sent: packets,
            bytes_sent: packets * 172,
            ..MediaSnapshot::default()
        }))
    };
    let (mut now, mut before) = (now(), before());
    before.engines[0].media = media(100);
    now.engines[0].media = media(200);
    let layouts = [layout()];
    let frame = Frame {
        now: &now,
        before: &before,
        layouts: &layouts,
        view: View::default(),
    };
    let rate = 17.2 / (frame.period_us() as f64 / 1e6);
    let line = format!(
        "  {:<40}{rate:.3} last period RTP rate (kB/s)",
        "200 Total RTP pckts sent"
    );
    let shown = text(&frame);
    assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
}

#[test]
fn the_bottom_says_what_state_the_run_is_in() {
    let says = |change: fn(&mut EngineSnapshot)| {
        changed(Screen::Scenario, |now| change(&mut now.engines[0]), bottom)
    };
    for (text, change) in [
        ("Adjust rate", (|_| {}) as fn(&mut EngineSnapshot)),
        ("Adjust users", |engine| engine.rate.users = Some(3)),
        ("Traffic Paused", |engine| engine.rate.paused = true),
        ("Waiting for active calls to end", |engine| {
            engine.phase = Phase::Draining;
        }),
        ("Forcing quit", |engine| engine.phase = Phase::Aborting),
        ("Test Terminated", |engine| engine.phase = Phase::Ended),
        ("CPU CONGESTED", |engine| {
            engine.limits.now = Some(Limit::Cpu);
        }),
        ("OUTBOUND CONGESTION", |engine| {
            engine.transport.congested = 1;
        }),
    ] {
        let line = says(change);
        assert!(line.contains(text), "{line}");
        assert_eq!(line.chars().count(), WIDTH - 1);
    }
}

#[test]
fn what_does_not_fit_is_said_and_can_be_reached() {
    let many = |now: &mut Snapshot| {
        let steps = (0..40).map(|n| step(StepKind::Recv, &format!("{}", 200 + n), n));
        now.engines[0].steps = steps.collect();
        now.engines[0].last_warning = Some(format!("a warning\x1b[2J {}", "x".repeat(90)));
    };
    let first = changed(Screen::Scenario, many, |frame| {
        drawn(frame, 80, 24, Some("set rate 1"))
    });
    insta::assert_snapshot!(first);
    let last = changed(Screen::Scenario, many, |frame| {
        let view = View {
            scroll: 1000,
            ..frame.view
        };
        drawn(&Frame { view, ..*frame }, 80, 24, None)
    });
    assert!(last.contains("39:"), "{last}");
    assert!(last.contains(", 0 below"), "{last}");
    // A terminal without room shows what it can.
    for (columns, rows) in [(1, 1), (20, 3), (200, 60)] {
        changed(Screen::Scenario, many, |frame| {
            drawn(frame, columns, rows, None)
        });
    }
}

#[test]
fn colours_are_left_out_where_they_are_not_welcome() {
    shown(Screen::Statistics, |frame| {
        assert!(coloured(frame, true) && !coloured(frame, false));
        String::new()
    });
}

#[test]
fn nothing_is_shown_of_a_run_without_figures() {
    let frame = Frame {
        now: &Snapshot::default(),
        before: &Snapshot::default(),
        layouts: &[],
        view: View::default(),
    };
    assert!(text(&frame).contains("No figures yet"));
}
