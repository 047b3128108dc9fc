// SPDX-License-Identifier: AGPL-3.0-only
//! Both forms hold what their descriptions demand; `promtool` agrees where it is installed.

use super::*;

use gossipper_control::measures::{BORDERS_MS, Distribution, ResponseTimes, TimerTimes};
use gossipper_control::{
    CounterSnapshot, FailCount, FailureShape, FailureShapes, MediaSnapshot, Mode, StepKind,
    StepSnapshot, WatchedCall, WatchedMessage, Way,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

fn distribution() -> Distribution {
    let mut borders = [0; BORDERS_MS.len() + 1];
    (borders[0], borders[5], borders[13]) = (3, 2, 1);
    Distribution {
        count: 6,
        mean_us: 2_000_000.0,
        borders,
        ..Distribution::default()
    }
}

fn page(form: Form) -> String {
    let times = Times {
        actual: distribution(),
        due: distribution(),
    };
    let mut engine = EngineSnapshot {
        scenario: "a \"b\" \\ c\nd".to_owned(),
        mode: Some(Mode::Client),
        failures: vec![FailCount {
            reason: FailReason::TimeoutOnRecv,
            count: 4,
        }],
        steps: vec![StepSnapshot {
            kind: StepKind::SendCmd,
            name: "INVITE".to_owned(),
            line: 1,
            hidden: false,
            messages: 7,
            retransmissions: 1,
            timeouts: 0,
            unexpected: 0,
            lost: 0,
        }],
        counters: vec![CounterSnapshot {
            name: "dials".to_owned(),
            count: 3,
        }],
        ..EngineSnapshot::default()
    };
    (engine.calls.outgoing, engine.calls.failed) = (10, 4);
    (engine.calls.succeeded, engine.calls.current) = (5, 1);
    engine.media = Some(Box::new(MediaSnapshot {
        packets_sent: 250,
        ..MediaSnapshot::default()
    }));
    engine.rate.target = 12.5;
    let sent = |label: &str, repeated| WatchedMessage {
        at_us: 0,
        way: Way::Sent,
        label: label.to_owned(),
        repeated,
        last_us: 0,
    };
    let busy = WatchedMessage {
        way: Way::Received,
        ..sent("486 Busy \"here\"", 0)
    };
    let shapes = FailureShapes {
        failed: 4,
        watched: 4,
        shapes: vec![FailureShape {
            count: 3,
            reason: FailReason::UnexpectedMessage,
            example: WatchedCall {
                messages: vec![sent("INVITE", 2), busy, sent("ACK", 0)],
                left_out: 5,
                left_out_after: 2,
                ..WatchedCall::default()
            },
        }],
        rarer: 1,
    };
    let snapshot = Snapshot {
        failure_shapes: Some(Box::new(shapes)),
        elapsed_us: 1_500_000,
        engines: vec![engine.clone(), engine],
        ..Snapshot::default()
    };
    let measures = Measures {
        call_length: distribution(),
        invite: times.clone(),
        timers: vec![TimerTimes {
            name: "1".to_owned(),
            times: times.clone(),
        }],
        responses: vec![ResponseTimes {
            method: "INVITE".to_owned(),
            code: 200,
            times,
        }],
        ..Measures::default()
    };
    let facts = Facts {
        tool_version: "Gossipper 1".to_owned(),
        transport: "UDP".to_owned(),
        ..Facts::default()
    };
    let page = exposition(&facts, &snapshot, Some(&measures), form);
    String::from_utf8(page).expect("text")
}

/// The samples by name with labels; what is wrong with the page is a panic.
fn read(page: &str, form: Form) -> BTreeMap<String, f64> {
    let open = form == Form::OpenMetrics;
    let mut families = BTreeSet::new();
    let mut family = (String::new(), String::new());
    let mut samples = BTreeMap::new();
    let mut lines = page.lines();
    if open {
        assert_eq!(lines.next_back(), Some("# EOF"));
    }
    for line in lines {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (what, name) = (words.next(), words.next().expect(line));
            let rest = words.next().expect(line);
            match what {
                Some("HELP") => assert!(rest.ends_with('.'), "{line}"),
                Some("TYPE") => {
                    assert!(families.insert(name.to_owned()), "{name} is there twice");
                    family = (name.to_owned(), rest.to_owned());
                }
                Some("UNIT") => assert!(name.ends_with(&format!("_{rest}")) && open, "{line}"),
                other => panic!("{other:?}"),
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').expect(line);
        let value: f64 = value.parse().expect(line);
        assert!(value.is_finite() && value >= 0.0, "{line}");
        let plain = name.split('{').next().expect(line);
        let rest = plain.strip_prefix(family.0.as_str()).expect(line);
        let known: &[&str] = match (family.1.as_str(), open) {
            ("counter", true) => &["_total"],
            ("info", true) => &["_info"],
            ("histogram", _) => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        assert!(known.contains(&rest), "{line} is not of {family:?}");
        assert!(
            samples.insert(name.to_owned(), value).is_none(),
            "{line} twice"
        );
    }
    samples
}

#[test]
fn every_sample_belongs_to_its_family_and_has_the_figure_of_the_run() {
    for form in [Form::Text, Form::OpenMetrics] {
        let page = page(form);
        let samples = read(&page, form);
        let failed = "gossipper_calls_failed_total{class=\"timeout\",reason=\"timeout_on_recv\"}";
        for (name, value) in [
            (
                "gossipper_calls_created_total{direction=\"outgoing\"}",
                10.0,
            ),
            ("gossipper_calls_succeeded_total", 5.0),
            (failed, 4.0),
            ("gossipper_rtp_sent_total", 250.0),
            ("gossipper_calls_open", 1.0),
            ("gossipper_calls_asked_per_second", 12.5),
            ("gossipper_run_elapsed_seconds", 1.5),
            (
                "gossipper_step_messages_total{step=\"0\",kind=\"sendCmd\",name=\"INVITE\"}",
                7.0,
            ),
            ("gossipper_scenario_counts_total{name=\"dials\"}", 3.0),
            (
                "gossipper_beside_calls_failed_total{role=\"answerer\",scenario=\"a \\\"b\\\" \\\\ c\\nd\"}",
                4.0,
            ),
            ("gossipper_failures_watched_total", 4.0),
            (
                "gossipper_failure_shape_calls_total{messages=\">INVITE+ <486 ... >ACK\",reason=\"unexpected_message\"}",
                3.0,
            ),
            ("gossipper_call_length_seconds_count", 6.0),
            ("gossipper_call_length_seconds_sum", 12.0),
            (
                "gossipper_rtd_seconds_bucket{timer=\"1\",from=\"due\",le=\"0.05\"}",
                5.0,
            ),
            (
                "gossipper_response_seconds_count{method=\"INVITE\",code=\"200\",from=\"sent\"}",
                6.0,
            ),
        ] {
            assert_eq!(samples.get(name), Some(&value), "{name} in\n{page}");
        }
        let all: f64 = samples
            .iter()
            .filter(|(name, _)| name.starts_with("gossipper_calls_failed_total"))
            .map(|(_, value)| value)
            .sum();
        assert_eq!(all, 4.0);
    }
}

#[test]
fn buckets_add_up_to_the_count() {
    let page = page(Form::OpenMetrics);
    let prefix = "gossipper_call_length_seconds_bucket";
    let buckets = page.lines().filter(|line| line.starts_with(prefix));
    let buckets: Vec<_> = buckets
        .map(|line| line.trim_start_matches(prefix))
        .collect();
    assert_eq!(buckets[0], "{le=\"0.001\"} 3");
    assert_eq!(buckets[12], "{le=\"10.0\"} 5");
    assert_eq!(buckets[13], "{le=\"+Inf\"} 6");
}

#[test]
fn who_asks_for_openmetrics_gets_it() {
    let prometheus =
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
    assert_eq!(Form::of_accept(prometheus), Form::OpenMetrics);
    assert_eq!(Form::of_accept("*/*"), Form::Text);
    let family = "proto=io.prometheus.client.MetricFamily;encoding=delimited";
    let native = format!("application/vnd.google.protobuf;{family};q=0.7,{prometheus}");
    assert_eq!(Form::of_accept(&native), Form::Protobuf);
    let last = format!("{prometheus},application/vnd.google.protobuf;{family};q=0.1");
    assert_eq!(Form::of_accept(&last), Form::OpenMetrics);
    // Without lengths it is not what we have.
    let text =
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text";
    assert_eq!(Form::of_accept(text), Form::Text);
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "a check that is skipped is to be noticed"
)]
#[expect(
    clippy::disallowed_methods,
    reason = "the other opinion is a program's"
)]
fn promtool_finds_nothing_to_say() {
    let started = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = started else {
        eprintln!("SKIPPED: promtool (Debian's package prometheus) is not installed");
        return;
    };
    let mut input = promtool.stdin.take().expect("piped");
    input
        .write_all(page(Form::Text).as_bytes())
        .expect("it reads");
    drop(input);
    let output = promtool.wait_with_output().expect("it ends");
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success() && said.is_empty(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}
