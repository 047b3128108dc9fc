// SPDX-License-Identifier: AGPL-3.0-only
//! Made-up runs, the same every time.

use gossipper_control::MessageCounts;
use gossipper_control::shapes::Way;
use gossipper_results::Summary;
use gossipper_results::latency::{Latency, Timing};
use gossipper_results::series::{Quantiles, Series};
use gossipper_results::shapes::{Example, FailureShapes, Message, Shape, WorstCall, WorstCalls};
use gossipper_results::summary::{
    Beside, Health, Heard, Media, Response, Run, SCHEMA, Step, ThresholdResult,
};
use std::collections::BTreeMap;

/// Where cells begin, in ns: eight per power of two.
fn cell(place: u64) -> u64 {
    ((8 + place % 8) << (place / 8 - 1)) * 1000
}

/// A bell of so many samples around a cell.
fn bell(middle: u64, count: u64) -> Vec<(u64, u64)> {
    let part = |away: u64| count * [38, 20, 8, 2, 1][away as usize] / 100;
    let cells = (middle - 4..=middle + 4).map(|place| (cell(place), part(place.abs_diff(middle))));
    cells.filter(|(_, count)| *count > 0).collect()
}

fn timing(middle: u64, count: u64) -> Timing {
    Timing {
        count,
        average: cell(middle) + 7000,
        min: cell(middle - 4),
        max: cell(middle + 30),
        last: cell(middle),
        stddev: cell(middle) / 3,
        p50: cell(middle),
        p75: cell(middle + 1),
        p90: cell(middle + 2),
        p95: cell(middle + 3),
        p98: cell(middle + 4),
        p99: cell(middle + 6),
        p995: cell(middle + 10),
        p999: cell(middle + 20),
        p9999: cell(middle + 28),
        cells: bell(middle, count),
        ..Timing::default()
    }
}

fn latency(middle: u64, count: u64) -> Latency {
    Latency {
        sent: timing(middle, count),
        due: Some(timing(middle + 2, count)),
    }
}

/// A slow call; the last of them failed, and its answer is among what is left out.
fn worst(place: u64) -> WorstCall {
    let due = 412_000_000 - place * 9_000_000;
    let rows = [
        (0, Way::Sent, "INVITE", 0),
        (2, Way::Received, "100 Trying", 0),
        (due / 1_000_000, Way::Received, "200 OK", 1),
        (due / 1_000_000, Way::Sent, "ACK", 1),
    ];
    let rows = rows.map(|(ms, way, label, repeated)| Message {
        at: ms * 1_000_000,
        way,
        label: label.to_owned(),
        repeated,
        last: ms * 1_000_000,
    });
    WorstCall {
        due,
        sent: due - place * 1_000_000,
        answer: (place < 2).then_some(2),
        reason: (place == 2).then(|| "timeout_on_recv".to_owned()),
        call: Example {
            call_number: 700 + place,
            call_id: format!("{}-7@192.0.2.10", 700 + place),
            peer: Some("192.0.2.7:5060".to_owned()),
            began: 7_000_000_000,
            duration: 1_500_000_000,
            messages: rows.into(),
            ..Example::default()
        },
    }
}

/// A run of so many seconds at 100 calls a second, of which some fail.
pub(crate) fn long(seconds: u64) -> Summary {
    let column = |figure: &dyn Fn(u64) -> u64| (0..seconds).map(figure).collect::<Vec<_>>();
    // A swing of a few percent without any randomness.
    let swing = |second: u64, by: u64| second * 7919 % (by + 1);
    let slow = |second: u64| (seconds / 2..seconds / 2 + seconds / 12).contains(&second);
    let middle = |second: u64| 80 + if slow(second) { 40 } else { 0 } + swing(second, 3);
    let calls = seconds * 100;
    let failed: BTreeMap<String, Vec<u64>> = [
        (
            "timeout",
            column(&|second| {
                if slow(second) {
                    9 + swing(second, 6)
                } else {
                    0
                }
            }),
        ),
        (
            "unexpected_sip",
            column(&|second| u64::from(second % 17 == 3)),
        ),
    ]
    .map(|(class, counts)| (class.to_owned(), counts))
    .into();
    let classes: BTreeMap<String, u64> = failed
        .iter()
        .map(|(class, counts)| (class.clone(), counts.iter().sum()))
        .collect();
    let lost: u64 = classes.values().sum();
    let quantiles = |more: u64| Quantiles {
        p50: column(&|second| cell(middle(second) + more)),
        p90: column(&|second| cell(middle(second) + 4 + more)),
        p99: column(&|second| cell(middle(second) + 9 + more)),
    };
    let step = |index: usize, kind: &str, name: &str, messages: u64| Step {
        index,
        kind: kind.to_owned(),
        name: name.to_owned(),
        line: 10 * index as u32 + 4,
        messages,
        retransmissions: if kind == "send" && index == 0 { 412 } else { 0 },
        timeouts: if name == "200" { lost / 2 } else { 0 },
        unexpected: if name == "180" { lost / 3 } else { 0 },
        lost: 0,
        latency: (kind == "recv").then(|| latency(86, messages)),
    };
    Summary {
        schema_version: SCHEMA.to_owned(),
        tool_version: "Gossipper 1.0".to_owned(),
        started_at: "2026-11-21T14:26:36.5Z".to_owned(),
        finished_at: "2026-11-21T14:43:16.5Z".to_owned(),
        duration: seconds * 1_000_000_000,
        total_calls: calls,
        success_calls: calls - lost - 12,
        failed_calls: lost,
        active_calls: 12,
        success_ratio: (calls - lost - 12) as f64 / (calls - 12) as f64,
        calls_per_second: 99.97,
        retransmits: 412,
        timeouts: lost / 2,
        call_length: Latency {
            sent: timing(150, calls - lost),
            due: None,
        },
        invite_rtt: latency(86, calls - lost),
        answer: latency(84, calls * 2),
        lateness: Latency {
            sent: timing(24, calls),
            due: None,
        },
        media: Media {
            rtp_packets_sent: calls * 500,
            rtp_packets_received: calls * 499,
            heard: Some(Heard {
                streams: calls,
                lost: calls / 9,
                jitter_ms_avg: 1.24,
                jitter_ms_max: 20.5,
                mos_avg: Some(4.321),
                ..Heard::default()
            }),
            rtcp_max_fraction_lost: Some(0.015),
            ..Media::default()
        },
        rtd: [("setup".to_owned(), latency(88, calls - lost))].into(),
        counters: [("retries".to_owned(), 77)].into(),
        failure_reasons: [
            ("max_udp_retrans".to_owned(), classes["timeout"]),
            ("unexpected_message".to_owned(), classes["unexpected_sip"]),
        ]
        .into(),
        failure_classes: classes,
        health: Health {
            active: true,
            pass: false,
            reasons: vec!["threshold `invite.p99 < 20ms` not held: 24.6ms".to_owned()],
        },
        thresholds: vec![
            ThresholdResult {
                expression: "invite.p99 < 20ms".to_owned(),
                pass: false,
                found: "24.6ms".to_owned(),
                aborted: false,
            },
            ThresholdResult {
                expression: "failed_ratio < 5%".to_owned(),
                pass: true,
                found: "0.9%".to_owned(),
                aborted: false,
            },
        ],
        findings: vec![
            "Health check: FAIL — threshold `invite.p99 < 20ms` not held: 24.6ms".to_owned(),
            "The generator was limited by the processor for 1.50 s.".to_owned(),
        ],
        run: Run {
            scenario: "Basic call with authentication".to_owned(),
            mode: "client".to_owned(),
            transport: "UDP".to_owned(),
            local: "192.0.2.10:5060".to_owned(),
            remote: Some("192.0.2.7:5060".to_owned()),
            ending: "completed".to_owned(),
            rate_asked: 100.0,
            call_limit: Some(calls),
            peak_calls: 431,
            peak_at: 501_000_000_000,
            ..Run::default()
        },
        failure_shapes: Some(FailureShapes {
            shapes: vec![Shape {
                count: lost,
                reason: "max_udp_retrans".to_owned(),
                class: "timeout".to_owned(),
                example: Example {
                    call_number: 5001,
                    call_id: "5001-7@192.0.2.10".to_owned(),
                    peer: Some("192.0.2.7:5060".to_owned()),
                    duration: 31_500_000_000,
                    messages: [(Way::Sent, "INVITE", 6), (Way::Received, "100 Trying", 0)]
                        .map(|(way, label, repeated)| Message {
                            at: 2_000_000,
                            way,
                            label: label.to_owned(),
                            repeated,
                            last: 31_500_000_000,
                        })
                        .into(),
                    left_out: 4,
                    left_out_after: 1,
                    ..Example::default()
                },
            }],
            ..FailureShapes::default()
        }),
        worst_calls: Some(WorstCalls {
            ended: calls,
            watched: 900,
            calls: (0..3).map(worst).collect(),
        }),
        messages: MessageCounts {
            sent: calls * 3,
            received: calls * 4,
            unexpected: lost / 3,
            ..MessageCounts::default()
        },
        sipp: [
            ("TotalCallCreated".to_owned(), calls),
            ("FatalErrors".to_owned(), 0),
        ]
        .into(),
        limited: [("cpu".to_owned(), 1_500_000_000)].into(),
        steps: vec![
            step(0, "send", "INVITE", calls),
            step(1, "recv", "100", calls - 40),
            step(2, "recv", "180", calls - lost / 3),
            step(3, "recv", "200", calls - lost),
            step(4, "send", "ACK", calls - lost),
            step(5, "pause", "", calls - lost),
            step(6, "send", "BYE", calls - lost),
            step(7, "recv", "200", calls - lost - 12),
        ],
        responses: vec![Response {
            method: "INVITE".to_owned(),
            code: 200,
            latency: latency(86, calls - lost),
        }],
        series: Series {
            period_s: 1,
            rate_asked: vec![100.0; seconds as usize],
            created: column(&|second| 97 + swing(second, 6)),
            succeeded: column(&|second| 96 + swing(second, 6)),
            failed,
            open: column(&|second| 210 + swing(second, 20) + if slow(second) { 190 } else { 0 }),
            sent: column(&|second| 300 + swing(second, 17)),
            received: column(&|second| 396 + swing(second, 31)),
            retransmitted: column(&|second| if slow(second) { 5 } else { 0 }),
            timeouts: column(&|second| if slow(second) { 4 } else { 0 }),
            unexpected: column(&|second| u64::from(second % 17 == 3)),
            answer: quantiles(0),
            answer_due: quantiles(2),
            answer_due_cells: (0..seconds)
                .map(|second| bell(middle(second) + 2, 200))
                .collect(),
        },
        answerer: Some(Beside {
            scenario: "Answers".to_owned(),
            total_calls: calls,
            success_calls: calls,
            ..Beside::default()
        }),
        ..Summary::default()
    }
}
