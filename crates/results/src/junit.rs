// SPDX-License-Identifier: AGPL-3.0-only
//! The form for CI: JUnit's XML, as Jenkins, GitLab and others read it.
//!
//! A suite per run. Its tests are how the run ended, its calls, and each gate and threshold; its properties are the
//! totals. The commonest ways in which calls failed stand where those failures are told, or else in the output. What gates allow is no failure: the same rule as that of the exit code.

use crate::gates::Gates;
use crate::summary::Summary;
use gossipper_control::shapes::Way;
use std::fmt::Write as _;

/// Shapes of failures that are drawn.
const SHAPES: usize = 3;

/// A test of the suite.
struct Case {
    group: &'static str,
    name: String,
    /// `failure` or `error`, and why.
    fault: Option<(&'static str, String)>,
    /// More about that.
    details: String,
}

/// The report of a summary that the gates have judged.
#[must_use]
pub fn report(summary: &Summary, gates: &Gates) -> String {
    let cases = cases(summary, gates);
    let count = |kind: &str| {
        let faults = cases.iter().filter_map(|case| case.fault.as_ref());
        faults.filter(|(known, _)| *known == kind).count()
    };
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\" time=\"{:.3}\"",
        cases.len(),
        count("failure"),
        count("error"),
        summary.duration as f64 / 1e9
    );
    let scenario = escaped(&summary.run.scenario);
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to memory cannot fail, here and below.
    let _ = writeln!(out, "<testsuites name=\"gossipper\" {counts}>");
    let _ = writeln!(
        out,
        "  <testsuite name=\"{scenario}\" {counts} timestamp=\"{}\">",
        escaped(&summary.started_at)
    );
    out.push_str("    <properties>\n");
    for (name, value) in properties(summary) {
        let _ = writeln!(
            out,
            "      <property name=\"{}\" value=\"{}\"/>",
            escaped(&name),
            escaped(&value)
        );
    }
    out.push_str("    </properties>\n");
    for case in &cases {
        let _ = write!(
            out,
            "    <testcase classname=\"gossipper.{scenario}.{}\" name=\"{}\" time=\"0\"",
            case.group,
            escaped(&case.name)
        );
        let _ = match &case.fault {
            None => writeln!(out, "/>"),
            Some((kind, why)) => {
                let why = escaped(why);
                let details = escaped(&case.details);
                writeln!(
                    out,
                    ">\n      <{kind} type=\"{}\" message=\"{why}\">{why}{details}</{kind}>\n    </testcase>",
                    case.group
                )
            }
        };
    }
    let mut findings = summary.findings.join("\n");
    // Where failed calls are no fault, their shapes are told all the same.
    if !cases.iter().any(|case| !case.details.is_empty()) {
        findings.push_str(&shapes(summary));
    }
    let _ = writeln!(
        out,
        "    <system-out>{}</system-out>\n  </testsuite>\n</testsuites>",
        escaped(&findings)
    );
    out
}

fn cases(summary: &Summary, gates: &Gates) -> Vec<Case> {
    let ending = &summary.run.ending;
    let ended_badly = matches!(ending.as_str(), "timeout_error" | "stop_now" | "fatal");
    let mut cases = vec![Case {
        group: "run",
        name: "the run comes to its end".to_owned(),
        fault: ended_badly.then(|| ("error", format!("it ended by {ending}"))),
        details: String::new(),
    }];
    // Where there are gates, they say what is good enough.
    let failed = summary.failed_calls > 0 && !summary.health.active;
    cases.push(Case {
        group: "calls",
        name: "calls succeed".to_owned(),
        fault: failed.then(|| {
            let mut why = format!(
                "{} of {} calls failed",
                summary.failed_calls, summary.total_calls
            );
            for (reason, count) in &summary.failure_reasons {
                let _ = write!(why, ", {reason}={count}");
            }
            ("failure", why)
        }),
        details: if failed {
            shapes(summary)
        } else {
            String::new()
        },
    });
    // The reasons of the three gates come before those of thresholds, and begin with what they are about.
    let gate = |name: &str| {
        let mut reasons = summary.health.reasons.iter();
        let other = match name {
            "per_call_min_rtp_packets_received" => "per-call RTP recv gate",
            name => name,
        };
        let reason = reasons.find(|reason| reason.starts_with(name) || reason.starts_with(other));
        Case {
            group: "health",
            name: name.to_owned(),
            fault: reason.map(|reason| ("failure", reason.clone())),
            details: String::new(),
        }
    };
    cases.extend(gates.min_success_ratio.map(|_| gate("success_ratio")));
    cases.extend(gates.max_failed_calls.map(|_| gate("failed_calls")));
    cases.extend(gates.max_timeouts.map(|_| gate("timeouts")));
    cases.extend(
        gates
            .max_fraction_lost
            .map(|_| gate("rtcp_max_fraction_lost")),
    );
    cases.extend(gates.max_jitter_ts.map(|_| gate("rtcp_max_jitter_ts")));
    cases.extend(gates.min_rtp_received.map(|_| gate("rtp_packets_received")));
    // It has two ways to fail.
    cases.extend(
        gates
            .min_rtp_received_per_call
            .map(|_| gate("per_call_min_rtp_packets_received")),
    );
    cases.extend(summary.thresholds.iter().map(|threshold| Case {
        group: "threshold",
        name: threshold.expression.clone(),
        fault: (!threshold.pass).then(|| {
            let ended = if threshold.aborted {
                ", which ended the run"
            } else {
                ""
            };
            ("failure", format!("{}{ended}", threshold.found))
        }),
        details: String::new(),
    }));
    cases
}

/// The commonest ways in which calls failed, each with the messages of one call, from a line of its own on.
fn shapes(summary: &Summary) -> String {
    let mut out = String::new();
    let Some(shapes) = &summary.failure_shapes else {
        return out;
    };
    for shape in shapes.shapes.iter().take(SHAPES) {
        let example = &shape.example;
        let _ = write!(
            out,
            "\n\n{} of {} watched failures: {}. Call {}, {}",
            shape.count, shapes.watched, shape.reason, example.call_number, example.call_id
        );
        if let Some(peer) = &example.peer {
            let _ = write!(out, ", with {peer}");
        }
        let seconds = |ns: u64| ns as f64 / 1e9;
        for (place, message) in example.messages.iter().enumerate() {
            if example.left_out > 0 && place as u64 == example.left_out_after {
                let _ = write!(out, "\n           ... {} more", example.left_out);
            }
            let way = match message.way {
                Way::Sent => "-->",
                Way::Received => "<--",
                Way::CommandSent => "==> twin:",
                Way::CommandReceived => "<== twin:",
            };
            let _ = write!(
                out,
                "\n{:>10.3} {way} {}",
                seconds(message.at),
                message.label
            );
            if message.repeated > 0 {
                let last = seconds(message.last);
                let _ = write!(
                    out,
                    " (again {} times, last at {last:.3})",
                    message.repeated
                );
            }
        }
        let ended = seconds(example.duration);
        let _ = write!(out, "\n{ended:>10.3} {}", shape.reason);
    }
    out
}

fn properties(summary: &Summary) -> Vec<(String, String)> {
    let mut properties: Vec<(String, String)> = [
        ("tool_version", summary.tool_version.clone()),
        ("finished_at", summary.finished_at.clone()),
        ("ending", summary.run.ending.clone()),
        ("transport", summary.run.transport.clone()),
        ("total_calls", summary.total_calls.to_string()),
        ("success_calls", summary.success_calls.to_string()),
        ("failed_calls", summary.failed_calls.to_string()),
        ("active_calls", summary.active_calls.to_string()),
        (
            "calls_per_second",
            format!("{:.2}", summary.calls_per_second),
        ),
        ("retransmits", summary.retransmits.to_string()),
        ("timeouts", summary.timeouts.to_string()),
        ("dropped_logs", summary.dropped_logs.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let counts = [
        ("failure_classes", &summary.failure_classes),
        ("failure_reasons", &summary.failure_reasons),
    ];
    for (group, counts) in counts {
        let counts = counts.iter();
        properties
            .extend(counts.map(|(name, count)| (format!("{group}.{name}"), count.to_string())));
    }
    for (name, latency) in summary
        .rtd
        .iter()
        .map(|(name, latency)| (format!("rtd.{name}"), latency))
        .chain([("invite".to_owned(), &summary.invite_rtt)])
    {
        if let Some(due) = latency.due.as_ref().filter(|due| due.count > 0) {
            for (figure, ns) in [("p50", due.p50), ("p99", due.p99), ("max", due.max)] {
                properties.push((
                    format!("{name}.{figure}_ms"),
                    format!("{:.3}", ns as f64 / 1e6),
                ));
            }
        }
    }
    properties
}

/// Text for XML. Characters that XML does not have, also not as references, become U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' | '\r' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::{Latency, Timing};
    use crate::shapes::{Example, FailureShapes, Message, Shape};
    use crate::threshold::Threshold;

    fn summary() -> Summary {
        let due = Timing {
            count: 9,
            p50: 1_500_000,
            p99: 20_000_000,
            max: 30_000_000,
            ..Timing::default()
        };
        let mut summary = Summary {
            tool_version: "Gossipper 1".to_owned(),
            started_at: "2026-01-01T00:00:00Z".to_owned(),
            finished_at: "2026-01-01T00:00:02Z".to_owned(),
            duration: 2_000_000_000,
            total_calls: 10,
            success_calls: 7,
            failed_calls: 3,
            success_ratio: 0.7,
            timeouts: 2,
            failure_classes: [("timeout".to_owned(), 3)].into(),
            failure_reasons: [("max_udp_retrans".to_owned(), 3)].into(),
            invite_rtt: Latency {
                sent: Timing::default(),
                due: Some(due),
            },
            ..Summary::default()
        };
        summary.run.scenario = "a <b> & \"c\"\u{1}".to_owned();
        summary.run.ending = "completed".to_owned();
        summary.run.transport = "UDP".to_owned();
        summary
    }

    #[test]
    fn failed_calls_fail_where_nothing_else_is_asked() {
        let mut summary = summary();
        let gates = Gates::default();
        gates.judge(&mut summary, None);
        insta::assert_snapshot!(report(&summary, &gates));
    }

    fn shape() -> FailureShapes {
        let message = |at: u64, way, label: &str, repeated| Message {
            at: at * 1_000_000,
            way,
            label: label.to_owned(),
            repeated,
            last: (at + 500 * repeated) * 1_000_000,
        };
        FailureShapes {
            failed: 3,
            watched: 3,
            shapes: vec![Shape {
                count: 2,
                reason: "unexpected_message".to_owned(),
                class: "unexpected_sip".to_owned(),
                example: Example {
                    call_number: 4,
                    call_id: "4-7@<x>".to_owned(),
                    peer: Some("192.0.2.7:5060".to_owned()),
                    duration: 900_000_000,
                    messages: vec![
                        message(0, Way::Sent, "INVITE", 2),
                        message(899, Way::Received, "486 Busy\u{7} Here", 0),
                        message(900, Way::CommandSent, "command", 0),
                    ],
                    left_out: 5,
                    left_out_after: 1,
                    ..Example::default()
                },
            }],
            rarer: 1,
        }
    }

    #[test]
    fn the_shapes_of_failed_calls_stand_with_them_or_in_the_output() {
        let mut summary = summary();
        summary.failure_shapes = Some(shape());
        let gates = Gates::default();
        gates.judge(&mut summary, None);
        let failed = report(&summary, &gates);
        let fault = failed.lines().find(|line| line.contains("<failure"));
        let fault = fault.unwrap_or_default().trim().replace("&#10;", "\n");
        insta::assert_snapshot!(fault);
        assert_eq!(failed.matches("486 Busy").count(), 1);
        // Gates that allow it make it no failure.
        let gates = Gates {
            max_failed_calls: Some(9),
            ..Gates::default()
        };
        gates.judge(&mut summary, None);
        let passed = report(&summary, &gates);
        let (_, output) = passed.split_once("<system-out>").expect("it has output");
        assert!(output.contains("486 Busy"), "{passed}");
    }

    #[test]
    fn gates_and_thresholds_are_tests_and_decide_alone() {
        let mut summary = summary();
        let gates = Gates {
            min_success_ratio: Some(0.5),
            max_failed_calls: Some(2),
            thresholds: ["invite.p99 < 10ms", "calls == 10"]
                .map(|text| Threshold::parse(text).expect("read"))
                .into(),
            ..Gates::default()
        };
        summary.run.ending = "fatal".to_owned();
        gates.judge(&mut summary, Some("invite.p99 < 10ms"));
        let report = report(&summary, &gates);
        let cases = report.lines().filter(|line| !line.contains("<property "));
        insta::assert_snapshot!(cases.collect::<Vec<_>>().join("\n"));
    }
}
