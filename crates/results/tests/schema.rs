// SPDX-License-Identifier: AGPL-3.0-only
//! The schema file in docs/ and what is written hold each other: nothing is written that it does not name, and it names
//! nothing that is never written.

use gossipper_control::measures::{
    Cells, Distribution, Measures, Point, ResponseTimes, Series, StepTimes, TimerTimes, Times,
};
use gossipper_control::shapes::Way;
use gossipper_control::{
    CounterSnapshot, EngineSnapshot, FailCount, FailReason, FailureShape, FailureShapes, LogCounts,
    MediaSnapshot, Mode, SlowCall, SlowCalls, Snapshot, StepKind, StepSnapshot, WatchedCall,
    WatchedMessage,
};
use gossipper_results::{Facts, Gates, Summary, Threshold};
use serde_json::Value;
use std::collections::BTreeSet;

/// The parts of JSON Schema that our file uses.
struct Schema {
    root: Value,
    /// Properties by the path of their schema that were met.
    met: BTreeSet<String>,
}

impl Schema {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test compares with a file of the documentation"
    )]
    fn read() -> Self {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../docs/summary.schema.json"
        );
        let text = std::fs::read_to_string(path).expect("the schema");
        Self {
            root: serde_json::from_str(&text).expect("the schema is JSON"),
            met: BTreeSet::new(),
        }
    }

    fn check(&mut self, at: &str, value: &Value) -> Result<(), String> {
        let schema = self.root.pointer(at).cloned().unwrap_or_default();
        let fields = schema
            .as_object()
            .ok_or_else(|| format!("{at} is no schema"))?;
        for (keyword, wanted) in fields {
            let fits = match keyword.as_str() {
                "$schema" | "$id" | "title" | "description" | "$defs" | "format" => true,
                "$ref" => {
                    let target = wanted.as_str().unwrap_or_default().trim_start_matches('#');
                    self.check(target, value)?;
                    true
                }
                "const" => value == wanted,
                "enum" => wanted.as_array().is_some_and(|all| all.contains(value)),
                "minimum" => value.as_f64() >= wanted.as_f64(),
                "maximum" => value.as_f64() <= wanted.as_f64(),
                "minItems" => value.as_array().map(|a| a.len() as u64) >= wanted.as_u64(),
                "maxItems" => value.as_array().map(|a| a.len() as u64) <= wanted.as_u64(),
                "type" => match wanted.as_str() {
                    Some("string") => value.is_string(),
                    Some("integer") => value.is_u64(),
                    Some("number") => value.is_number(),
                    Some("boolean") => value.is_boolean(),
                    Some("array") => value.is_array(),
                    Some("object") => value.is_object(),
                    _ => return Err(format!("{at}: type {wanted}")),
                },
                "required" => wanted
                    .as_array()
                    .into_iter()
                    .flatten()
                    .all(|name| name.as_str().is_some_and(|name| value.get(name).is_some())),
                "items" => {
                    for item in value.as_array().into_iter().flatten() {
                        self.check(&format!("{at}/items"), item)?;
                    }
                    true
                }
                "properties" => {
                    for name in wanted
                        .as_object()
                        .into_iter()
                        .flatten()
                        .map(|(name, _)| name)
                    {
                        if let Some(value) = value.get(name) {
                            let at = format!("{at}/properties/{name}");
                            self.check(&at, value)?;
                            self.met.insert(at);
                        }
                    }
                    true
                }
                "additionalProperties" => {
                    let known = schema.get("properties");
                    for (name, value) in value.as_object().into_iter().flatten() {
                        if known.is_some_and(|known| known.get(name).is_some()) {
                            continue;
                        }
                        if *wanted == Value::Bool(false) {
                            return Err(format!("{at} does not have `{name}`"));
                        }
                        self.check(&format!("{at}/additionalProperties"), value)?;
                    }
                    true
                }
                other => return Err(format!("{at}: this test does not know `{other}`")),
            };
            if !fits {
                return Err(format!("{at}: {keyword} {wanted} does not hold of {value}"));
            }
        }
        Ok(())
    }

    /// Properties that were never met.
    fn unmet(&self) -> Vec<String> {
        fn properties(value: &Value, at: &str, out: &mut Vec<String>) {
            let Some(fields) = value.as_object() else {
                return;
            };
            for (name, value) in fields {
                let at = format!("{at}/{name}");
                if name == "properties" {
                    let names = value.as_object().into_iter().flatten();
                    out.extend(names.map(|(name, _)| format!("{at}/{name}")));
                }
                properties(value, &at, out);
            }
        }
        let mut all = Vec::new();
        properties(&self.root, "", &mut all);
        all.retain(|at| !self.met.contains(at));
        all
    }
}

/// A run in which everything that can be there is.
fn run() -> Summary {
    let distribution = Distribution {
        count: 2,
        mean_us: 1.5,
        cells: Cells(vec![(1, 1), (2, 1)]),
        ..Distribution::default()
    };
    let times = Times {
        actual: distribution.clone(),
        due: distribution.clone(),
    };
    let mut series = Series::default();
    series.push(
        0,
        &Point {
            failed: [1, 0, 0, 0, 0, 0],
            due: Cells(vec![(9, 2)]),
            ..Point::default()
        },
    );
    let measures = Measures {
        call_length: distribution,
        answer: times.clone(),
        timers: vec![TimerTimes {
            name: "1".to_owned(),
            times: times.clone(),
        }],
        steps: vec![StepTimes {
            step: 0,
            times: times.clone(),
        }],
        responses: vec![ResponseTimes {
            method: "INVITE".to_owned(),
            code: 200,
            times,
        }],
        series,
        ..Measures::default()
    };
    let mut engine = EngineSnapshot {
        scenario: "uac".to_owned(),
        mode: Some(Mode::Client),
        remote: Some("127.0.0.1:5060".to_owned()),
        failures: vec![FailCount {
            reason: FailReason::MaxUdpRetrans,
            count: 1,
        }],
        steps: vec![StepSnapshot {
            kind: StepKind::Recv,
            name: "200".to_owned(),
            line: 3,
            hidden: false,
            messages: 1,
            retransmissions: 0,
            timeouts: 0,
            unexpected: 0,
            lost: 0,
        }],
        counters: vec![CounterSnapshot {
            name: "c".to_owned(),
            count: 3,
        }],
        last_warning: Some("a warning".to_owned()),
        ..EngineSnapshot::default()
    };
    let mut media = MediaSnapshot::default();
    (media.closed.received, media.closed.rated) = (1, 1);
    (media.closed.reported, media.closed.max_lost) = (1, 3);
    media.closed.round_trips = 1;
    (media.calls_heard, media.closed.report_blocks) = (1, 1);
    engine.media = Some(Box::new(media));
    engine.rate.users = Some(3);
    engine.calls.total_limit = Some(10);
    engine.calls.failed = 1;
    let shapes = FailureShapes {
        failed: 1,
        watched: 1,
        shapes: vec![FailureShape {
            count: 1,
            reason: FailReason::MaxUdpRetrans,
            example: WatchedCall {
                peer: Some("127.0.0.1:5060".to_owned()),
                messages: vec![WatchedMessage {
                    at_us: 3,
                    way: Way::CommandReceived,
                    label: "INVITE".to_owned(),
                    repeated: 7,
                    last_us: 9,
                }],
                ..WatchedCall::default()
            },
        }],
        rarer: 0,
    };
    let slow = SlowCalls {
        ended: 9,
        watched: 3,
        calls: vec![SlowCall {
            due_us: 5,
            sent_us: 4,
            answer: Some(0),
            failed: Some(FailReason::MaxUdpRetrans),
            call: shapes.shapes[0].example.clone(),
        }],
    };
    let snapshot = Snapshot {
        failure_shapes: Some(Box::new(shapes)),
        slow_calls: Some(Box::new(slow)),
        engines: vec![engine.clone(), engine.clone()],
        out_of_call: Some(Box::new(engine.clone())),
        receiver: Some(Box::new(engine)),
        logs: LogCounts {
            error: Some("disk full".to_owned()),
            ..LogCounts::default()
        },
        ..Snapshot::default()
    };
    let facts = Facts {
        ending: "completed".to_owned(),
        ..Facts::default()
    };
    let mut summary = Summary::of(&facts, &snapshot, Some(&measures));
    let gates = Gates {
        thresholds: vec![Threshold::parse("calls > 3").expect("read")],
        ..Gates::default()
    };
    gates.judge(&mut summary, None);
    summary
}

#[test]
fn what_is_written_is_what_the_schema_says_and_all_of_it() {
    let summary = run();
    let value: Value = serde_json::from_str(&summary.to_json()).expect("JSON");
    let mut schema = Schema::read();
    if let Err(fault) = schema.check("", &value) {
        panic!("{fault}");
    }
    assert_eq!(schema.unmet(), [""; 0], "named and never written");
}

#[test]
fn a_run_of_which_nothing_is_known_fits_the_schema_too() {
    let facts = Facts {
        ending: "running".to_owned(),
        ..Facts::default()
    };
    let summary = Summary::of(&facts, &Snapshot::default(), None);
    let value: Value = serde_json::from_str(&summary.to_json()).expect("JSON");
    Schema::read().check("", &value).expect("it fits");
}

#[test]
fn a_field_that_the_schema_does_not_have_is_found() {
    let mut value = serde_json::to_value(run()).expect("JSON");
    let check = |value: &Value| Schema::read().check("", value);
    assert_eq!(check(&value), Ok(()));
    value["health"]["mood"] = "good".into();
    assert!(check(&value).is_err_and(|fault| fault.contains("`mood`")));
    value["health"] = Value::Null;
    assert!(check(&value).is_err());
}

#[test]
fn a_summary_that_was_read_is_the_one_that_was_written() {
    let summary = run();
    assert_eq!(Summary::from_json(&summary.to_json()), Ok(summary));
}

#[test]
fn a_summary_of_another_tool_with_the_fields_of_the_first_version_is_read() {
    let latency = r#"{"count":1,"average":5,"min":5,"max":5,"last":5,"stddev":0}"#;
    let text = format!(
        r#"{{"schema_version":"gossipper_summary_v1","tool_version":"x","started_at":"","finished_at":"",
        "duration":1,"total_calls":1,"success_calls":1,"failed_calls":0,"active_calls":0,"success_ratio":1,
        "calls_per_second":1,"retransmits":0,"timeouts":0,"average_call_latency":5,"average_invite_rtt":5,
        "call_length":{latency},"invite_rtt":{latency},"media":{{"rtp_packets_sent":0,"rtp_octets_sent":0,
        "rtp_packets_received":0,"rtcp_sender_reports":0,"rtcp_receiver_reports":0,"rtcp_packets_received":0,
        "rtcp_reception_reports":4}},"calls":[]}}"#
    );
    let summary = Summary::from_json(&text).expect("read");
    assert_eq!((summary.total_calls, summary.call_length.sent.max), (1, 5));
    let other = text.replace("summary_v1", "summary_v9");
    assert!(Summary::from_json(&other).is_err_and(|fault| fault.contains("v9")));
    assert!(Summary::from_json("{").is_err());
}
