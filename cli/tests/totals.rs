// SPDX-License-Identifier: AGPL-3.0-only
//! One run whose calls fail in every way that one transport has, and the same totals wherever they are told: summary,
//! records, events, statistics file, JUnit, page, metrics, the line for scripts.

mod place;

use place::{BINARY, Place, Ran, metrics_at};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What calls are, and the reason for which they fail.
const KINDS: [(&str, Option<&str>); 12] = [
    ("good", None),
    ("busy", Some("unexpected_message")),
    ("silent", Some("timeout_on_recv")),
    ("deaf", Some("max_udp_retrans")),
    ("nobye", Some("max_udp_retrans")),
    ("picky", Some("regexp_doesnt_match")),
    ("tested", Some("test_doesnt_match")),
    ("compared", Some("strcmp_doesnt_match")),
    ("rejected", Some("call_rejected")),
    ("unheard", Some("media")),
    ("huge", Some("cannot_send_message")),
    ("long", Some("aborted")),
];

/// Calls of each kind.
const EACH: u64 = 2;

/// Longer than any machine needs for a run of a second.
const PATIENCE: Duration = Duration::from_secs(60);

type Counts = BTreeMap<String, u64>;

/// The files that a run has left, and what it said.
struct Everything {
    place: Place,
    ran: Ran,
    summary: Value,
    /// Samples of the last scrape: all calls had ended but those that the end of the run aborts.
    scraped: BTreeMap<String, f64>,
}

fn scenarios() -> Place {
    let place = Place::new();
    let chosen = KINDS.map(|(kind, _)| {
        format!(
            "<strcmp assign_to=\"not_{kind}\" variable=\"kind\" value=\"{kind}\"/>\n\
             <test assign_to=\"is_{kind}\" variable=\"not_{kind}\" compare=\"equal\" value=\"0\"/>\n"
        )
    });
    // Every variable has to be used twice.
    let unused = ["is_good", "is_busy", "is_silent", "is_nobye"].join(",");
    let client = include_str!("totals/client.xml")
        .replace("KINDS", &chosen.concat())
        .replace("none,other", &format!("none,other,{unused}"))
        // Longer than a datagram can be.
        .replace("HUGE", &"x".repeat(66_000));
    place.write("c.xml", client);
    place.write("s.xml", include_str!("totals/server.xml"));
    let kinds = KINDS.map(|(kind, _)| format!("{kind}\n"));
    place.write("kinds.csv", format!("SEQUENTIAL\n{}", kinds.concat()));
    place
}

fn scrape(address: &str) -> Option<BTreeMap<String, f64>> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.filter_map(|line| line.rsplit_once(' '));
    let samples = samples.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
    Some(samples.collect())
}

/// The sum over all labels.
fn sum(samples: &BTreeMap<String, f64>, name: &str) -> f64 {
    let named = samples
        .iter()
        .filter(|(sample, _)| sample.split('{').next() == Some(name));
    named.map(|(_, value)| value).sum()
}

fn run() -> Everything {
    let place = scenarios();
    let calls = KINDS.len() as u64 * EACH;
    let line = format!(
        "sipp -compat sipp -sf c.xml -inf kinds.csv -loopback -loopback_sf s.xml -m {calls} -r 200 -timeout_global 60 \
         -max_invite_retrans 2 -max_non_invite_retrans 2 -trace_stat -stf stat.csv -summary_json s.json \
         -summary_junit junit.xml -summary_html page.html -call_records_jsonl calls.jsonl \
         -log_file_jsonl events.jsonl -prometheus_addr 127.0.0.1:0"
    );
    let mut run = place
        .command(BINARY, &line)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut notes = BufReader::new(run.stderr.take().expect("piped"));
    let (mut said, address) = metrics_at(&mut notes);
    let begun = Instant::now();
    let scraped = loop {
        let scraped = scrape(&address).expect("the run lasts until it is told to end");
        let ended = sum(&scraped, "gossipper_calls_failed_total")
            + sum(&scraped, "gossipper_calls_succeeded_total");
        if ended == (calls - EACH) as f64
            && scraped.get("gossipper_call_length_seconds_count") == Some(&ended)
        {
            break scraped;
        }
        assert!(begun.elapsed() < PATIENCE, "{scraped:#?}");
    };
    // Nothing more happens: the calls that are left pause for an hour. As all were made, this signal aborts them.
    let told = Command::new("kill")
        .args(["-USR1", &run.id().to_string()])
        .status();
    assert!(told.expect("kill runs").success());
    notes.read_to_string(&mut said).expect("it ends");
    let output = run.wait_with_output().expect("it ends");
    let ran = Ran {
        err: said,
        ..Ran::from(output)
    };
    let text = std::fs::read_to_string(place.path("s.json")).expect("a summary");
    let summary = serde_json::from_str(&text).expect("JSON");
    Everything {
        place,
        ran,
        summary,
        scraped,
    }
}

impl Everything {
    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.place.path(name)).expect(name)
    }

    fn lines(&self, name: &str) -> Vec<Value> {
        let text = self.text(name);
        let lines = text.lines();
        lines
            .map(|line| serde_json::from_str(line).expect(line))
            .collect()
    }

    fn counts(&self, name: &str) -> Counts {
        serde_json::from_value(self.summary[name].clone()).expect(name)
    }

    fn number(&self, name: &str) -> u64 {
        self.summary[name].as_u64().expect(name)
    }

    /// Calls, successes and failures, as the summary has them.
    fn totals(&self) -> [u64; 3] {
        ["total_calls", "success_calls", "failed_calls"].map(|name| self.number(name))
    }
}

fn by<'a>(values: impl Iterator<Item = &'a Value>, field: &str) -> Counts {
    let mut counts = Counts::new();
    for value in values {
        let name = value.pointer(field).and_then(Value::as_str);
        *counts.entry(name.expect(field).to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn totals_of_a_run_with_failures_of_every_kind_are_equal_everywhere() {
    let all = run();
    let shown = all.ran.shown();
    assert_eq!(all.ran.code, 1, "{shown}");
    let mut reasons = Counts::new();
    for reason in KINDS.iter().filter_map(|(_, reason)| *reason) {
        *reasons.entry(reason.to_owned()).or_default() += EACH;
    }
    assert_eq!(all.counts("failure_reasons"), reasons, "{shown}");
    let calls = KINDS.len() as u64 * EACH;
    assert_eq!(all.totals(), [calls, EACH, calls - EACH]);
    assert_eq!(all.number("active_calls"), 0);
    let classes = all.counts("failure_classes");
    let expected = [
        ("cancelled", EACH),
        ("scenario_error", 5 * EACH),
        ("timeout", 3 * EACH),
        ("transport_error", EACH),
        ("unexpected_sip", EACH),
    ];
    let expected = expected.map(|(class, count)| (class.to_owned(), count));
    assert_eq!(classes, expected.into());
    // A check that fails lets its call go on to its end, and counts there.
    let displays = [
        ("choosing".to_owned(), calls),
        ("over".to_owned(), 4 * EACH),
    ];
    let displays: Counts = displays.into();
    assert_eq!(all.counts("displays"), displays);

    records(&all, &reasons);
    events(&all, &classes, &reasons);
    sipps_file(&all);
    junit(&all, &classes, &reasons);
    page(&all, &classes, &reasons);
    metrics(&all, &reasons);
    script_line(&all);
    series(&all, &classes);
}

fn records(all: &Everything, reasons: &Counts) {
    let records = all.lines("calls.jsonl");
    let failed = || records.iter().filter(|record| record["success"] == false);
    assert_eq!(by(failed(), "/reason"), *reasons);
    assert_eq!(
        by(failed(), "/failure_class"),
        all.counts("failure_classes")
    );
    for record in failed() {
        assert_eq!(
            record.get("sip_unexpected").is_some(),
            record["reason"] == "unexpected_message",
            "{record}"
        );
    }
    assert_eq!(records.len() as u64, all.number("total_calls"));
    let mut ids: Vec<_> = records.iter().map(|r| r["call_id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), records.len(), "each has its own");
    assert_eq!(all.summary["logs"]["call_records"], records.len());
}

fn events(all: &Everything, classes: &Counts, reasons: &Counts) {
    let events = all.lines("events.jsonl");
    let of = |kind: &'static str| events.iter().filter(move |event| event["kind"] == kind);
    let stopped = of("engine.stopped")
        .next()
        .expect("it says what it came to");
    let told = ["total_calls", "successful", "failed"].map(|n| stopped["attributes"][n].as_u64());
    assert_eq!(told, all.totals().map(Some));
    assert_eq!(stopped["attributes"]["dropped_logs"], 0);
    assert_eq!(of("call.started").count() as u64, all.number("total_calls"));
    let ended = |result: &'static str| {
        of("call.ended").filter(move |event| event["attributes"]["result"] == result)
    };
    assert_eq!(ended("success").count() as u64, all.number("success_calls"));
    assert_eq!(by(ended("failure"), "/attributes/error"), *classes);
    // In words, of which each reason has its own.
    let words = by(ended("failure"), "/attributes/error.detail");
    let counts = |counts: &Counts| {
        let mut counts: Vec<_> = counts.values().copied().collect();
        counts.sort_unstable();
        counts
    };
    assert_eq!(counts(&words), counts(reasons), "{words:?}");
    assert_eq!(of("timeout").count() as u64, all.number("timeouts"));
    let messages = &all.summary["messages"];
    assert_eq!(of("sip.unexpected").count() as u64, messages["unexpected"]);
}

/// The last row of a table of SIPp's, against all of its counters in the summary.
fn sipps_file(all: &Everything) {
    let text = all.text("stat.csv");
    let mut lines = text.lines();
    let names = lines.next().unwrap_or_default().split(';');
    let values = lines.next_back().unwrap_or_default().split(';');
    let csv: BTreeMap<_, _> = names.zip(values).collect();
    for (name, count) in all.counts("sipp") {
        let column = match name.as_str() {
            "TotalCallCreated" | "CurrentCall" => name,
            _ => format!("{name}(C)"),
        };
        let count = count.to_string();
        assert_eq!(csv.get(&*column), Some(&&*count), "{column}");
    }
}

fn junit(all: &Everything, classes: &Counts, reasons: &Counts) {
    let junit = all.text("junit.xml");
    let has = |name: &str, count: u64| {
        let property = format!("<property name=\"{name}\" value=\"{count}\"/>");
        assert!(junit.contains(&property), "{property} in {junit}");
    };
    for name in [
        "total_calls",
        "success_calls",
        "failed_calls",
        "retransmits",
        "timeouts",
    ] {
        has(name, all.number(name));
    }
    for (class, count) in classes {
        has(&format!("failure_classes.{class}"), *count);
    }
    for (reason, count) in reasons {
        has(&format!("failure_reasons.{reason}"), *count);
    }
    let [total, _, failed] = all.totals();
    let message = format!("message=\"{failed} of {total} calls failed, aborted={EACH}, ");
    assert!(junit.contains(&message), "{junit}");
    assert!(
        junit.contains("<testsuites name=\"gossipper\" tests=\"2\" failures=\"1\" errors=\"0\"")
    );
    // The commonest ways to fail are drawn.
    assert!(junit.contains("watched failures: "), "{junit}");
}

fn page(all: &Everything, classes: &Counts, reasons: &Counts) {
    let page = all.text("page.html");
    let [total, _, failed] = all.totals();
    let cards = [
        ("Calls", total),
        ("Failed", failed),
        ("Sent again", all.number("retransmits")),
        ("Timeouts", all.number("timeouts")),
    ];
    for (name, count) in cards {
        let card = format!("<h3>{name}</h3><p class=\"value\">{count}</p>");
        assert!(page.contains(&card), "{card}");
    }
    for (name, count) in classes.iter().chain(reasons) {
        let name = name.replace('_', " ");
        let row = format!("<th class=\"t\">{name}</th><td>{count}</td>");
        assert!(page.contains(&row), "{row}");
    }
}

fn metrics(all: &Everything, reasons: &Counts) {
    let scraped = &all.scraped;
    let [total, success, failed] = all.totals().map(|count| count as f64);
    let sum = |name: &str| sum(scraped, name);
    assert_eq!(sum("gossipper_calls_created_total"), total);
    assert_eq!(sum("gossipper_calls_succeeded_total"), success);
    // Those that the end aborted were open still.
    let open = sum("gossipper_calls_open");
    assert_eq!(open, reasons["aborted"] as f64);
    assert_eq!(sum("gossipper_calls_failed_total") + open, failed);
    for (reason, count) in reasons.iter().filter(|(reason, _)| *reason != "aborted") {
        let label = format!("reason=\"{reason}\"");
        let mut named = scraped.iter().filter(|(name, _)| {
            name.starts_with("gossipper_calls_failed_total") && name.contains(&label)
        });
        let found = named.next().map(|(_, value)| *value);
        assert_eq!(found, Some(*count as f64), "{reason}");
    }
    for (metric, name) in [
        ("gossipper_timeouts_total", "timeouts"),
        ("gossipper_messages_retransmitted_total", "retransmits"),
    ] {
        assert_eq!(sum(metric), all.number(name) as f64, "{metric}");
    }
}

/// It is on standard error, where SIPp's own output is on the other.
fn script_line(all: &Everything) {
    let line = all.ran.err.lines().last().unwrap_or_default();
    let [total, success, failed] = all.totals();
    let begins = format!("calls={total} success={success} failed={failed} cps=");
    assert!(line.starts_with(&begins), "{line}");
    for name in ["retransmits", "timeouts"] {
        let pair = format!(" {name}={} ", all.number(name));
        assert!(line.contains(&pair), "{pair} in {line}");
    }
}

fn series(all: &Everything, classes: &Counts) {
    let series = &all.summary["series"];
    let sum = |column: &Value| -> u64 {
        let column = column.as_array().expect("a column");
        column.iter().filter_map(Value::as_u64).sum()
    };
    let [total, success, _] = all.totals();
    assert_eq!(sum(&series["created"]), total);
    assert_eq!(sum(&series["succeeded"]), success);
    for (class, count) in classes {
        assert_eq!(sum(&series["failed"][class]), *count, "{class}");
    }
    assert_eq!(sum(&series["retransmitted"]), all.number("retransmits"));
    assert_eq!(sum(&series["timeouts"]), all.number("timeouts"));
    // All that are answered with 200: those that are not huge, busy, silent or deaf.
    let answered = (KINDS.len() as u64 - 4) * EACH;
    assert_eq!(all.summary["rtd"]["setup"]["count"], answered);
    assert_eq!(all.summary["rtd"]["setup"]["due"]["count"], answered);
    assert_eq!(all.summary["counters"]["dials"], answered + 2 * EACH);
    let worst = &all.summary["worst_calls"];
    assert_eq!(worst["ended"], total);
    assert_eq!(worst["watched"], answered, "the others had no answer");
}
