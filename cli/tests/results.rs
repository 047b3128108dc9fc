// SPDX-License-Identifier: AGPL-3.0-only
//! What a run leaves for pipelines: the same totals everywhere, exit codes of gates, files that cannot be written.

mod place;

use place::{BINARY, Place, Ran, metrics_at};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufReader, Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::process::Stdio;

/// Six kinds of calls in turn; five of them fail, each in its own way.
const KINDS: &str = "SEQUENTIAL\ngood\nbusy\nsilent\npicky\nhuge\nlong\n";

/// A place with the scenarios of such a run.
fn every() -> Place {
    let place = Place::new();
    let client = include_str!("results/every_client.xml");
    // Longer than a datagram can be.
    place.write("c.xml", client.replace("HUGE", &"x".repeat(66_000)));
    place.write("s.xml", include_str!("results/every_server.xml"));
    place.write("kinds.csv", KINDS);
    place
}

const EVERY: &str = "sipp -sf c.xml -inf kinds.csv -loopback -loopback_sf s.xml -m 12 -r 200 \
                     -timeout_global 3 -summary_json s.json -summary_junit junit.xml -call_records_jsonl calls.jsonl";

fn json(place: &Place, name: &str) -> Value {
    let text = std::fs::read_to_string(place.path(name)).expect(name);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}: {text}"))
}

fn records(place: &Place, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(place.path(name)).expect(name);
    text.lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

/// The figures of the line for scripts, which is on standard error where SIPp's own output is on the other.
fn last_line(ran: &Ran) -> BTreeMap<String, String> {
    let line = ran.err.lines().last().unwrap_or_default();
    line.split(' ')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The last row of a table of SIPp's.
fn table(place: &Place, name: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(place.path(name)).expect(name);
    let mut lines = text.lines();
    let names = lines.next().unwrap_or_default().split(';');
    let values = lines.next_back().unwrap_or_default().split(';');
    names
        .zip(values)
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn totals_of_a_run_with_failures_of_every_class_are_equal_everywhere() {
    let place = every();
    let ran = place.run(&format!("{EVERY} -compat sipp -trace_stat -stf stat.csv"));
    assert_eq!(ran.code, 1, "{}", ran.shown());
    let summary = json(&place, "s.json");
    let classes = [
        "cancelled",
        "scenario_error",
        "timeout",
        "transport_error",
        "unexpected_sip",
    ];
    let expected: BTreeMap<_, _> = classes
        .iter()
        .map(|class| ((*class).to_owned(), 2))
        .collect();
    let counts = |value: &Value| -> BTreeMap<String, u64> {
        serde_json::from_value(value.clone()).expect("counts")
    };
    assert_eq!(counts(&summary["failure_classes"]), expected);
    let totals = [
        "total_calls",
        "success_calls",
        "failed_calls",
        "active_calls",
    ];
    let totals = totals.map(|name| summary[name].as_u64());
    assert_eq!(totals, [Some(12), Some(2), Some(10), Some(0)]);

    let records = records(&place, "calls.jsonl");
    let mut by_reason = BTreeMap::new();
    for record in records.iter().filter(|record| record["success"] == false) {
        let reason = record["reason"].as_str().expect("a reason").to_owned();
        *by_reason.entry(reason).or_default() += 1;
        assert_eq!(
            record.get("sip_unexpected").is_some(),
            record["reason"] == "unexpected_message",
            "{record}"
        );
    }
    assert_eq!(records.len(), 12);
    assert_eq!(by_reason, counts(&summary["failure_reasons"]));
    let mut ids: Vec<_> = records.iter().map(|r| r["call_id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 12, "each has its own");
    assert_eq!(summary["logs"]["call_records"], 12);

    let junit = std::fs::read_to_string(place.path("junit.xml")).expect("junit.xml");
    for (name, count) in counts(&summary["failure_reasons"])
        .iter()
        .map(|(reason, count)| (format!("failure_reasons.{reason}"), *count))
        .chain([
            ("total_calls".to_owned(), 12),
            ("success_calls".to_owned(), 2),
            ("failed_calls".to_owned(), 10),
        ])
    {
        let property = format!("<property name=\"{name}\" value=\"{count}\"/>");
        assert!(junit.contains(&property), "{property} in {junit}");
    }
    assert!(
        junit.contains("<testsuites name=\"gossipper\" tests=\"2\" failures=\"1\" errors=\"0\"")
    );
    assert!(
        junit.contains("message=\"10 of 12 calls failed, aborted=2, "),
        "{junit}"
    );

    let csv = table(&place, "stat.csv");
    for (name, count) in counts(&summary["sipp"]) {
        let column = if name == "TotalCallCreated" || name == "CurrentCall" {
            name
        } else {
            format!("{name}(C)")
        };
        assert_eq!(csv.get(&column), Some(&count.to_string()), "{column}");
    }
    let line = last_line(&ran);
    assert_eq!(
        ["calls", "success", "failed", "timeouts"].map(|name| line[name].as_str()),
        ["12", "2", "10", "2"]
    );
    let series = &summary["series"];
    let sum = |column: &Value| -> u64 {
        let column = column.as_array().expect("a column");
        column.iter().filter_map(Value::as_u64).sum()
    };
    assert_eq!(sum(&series["created"]), 12);
    assert_eq!(sum(&series["succeeded"]), 2);
    for class in classes {
        assert_eq!(sum(&series["failed"][class]), 2, "{class}");
    }
    // The good, the picky and the long ones were answered with 200, the busy ones with 486; BYEs by the good ones.
    let responses: Vec<_> = summary["responses"]
        .as_array()
        .expect("responses")
        .iter()
        .map(|r| {
            (
                r["method"].as_str(),
                r["code"].as_u64(),
                r["latency"]["count"].as_u64(),
            )
        })
        .collect();
    assert_eq!(
        responses,
        [
            (Some("BYE"), Some(200), Some(2)),
            (Some("INVITE"), Some(200), Some(6))
        ],
        "what was not expected is no answer"
    );
    assert_eq!(summary["rtd"]["setup"]["count"], 6);
    assert_eq!(summary["rtd"]["setup"]["due"]["count"], 6);
    assert_eq!(summary["counters"]["dials"], 10);
    assert_eq!(summary["run"]["ending"], "timed_out_globally");
}

#[test]
fn gates_decide_the_exit_code_and_say_why() {
    let place = every();
    for (gates, code, said) in [
        ("-health_max_failed_calls 10", 0, "Health     PASS\n"),
        (
            "-health_max_failed_calls 9 -health_max_timeouts 1 -health_min_success_ratio 0.5",
            2,
            "Health     FAIL: success_ratio 0.1667 below minimum 0.5000\n                 failed_calls 10 exceeds \
             maximum 9\n                 timeouts 2 exceeds maximum 1\n",
        ),
        ("-threshold class.timeout<=2", 0, "Health     PASS\n"),
        (
            "-threshold rtd.setup.count==7",
            2,
            "Health     FAIL: threshold `rtd.setup.count==7` not held: 6\n",
        ),
    ] {
        let ran = place.run(&format!("{EVERY} {gates}"));
        assert_eq!(ran.code, code, "{gates}: {}", ran.shown());
        assert!(ran.out.contains(said), "{gates}: {}", ran.out);
        let summary = json(&place, "s.json");
        assert_eq!(summary["health"]["active"], true);
        assert_eq!(summary["health"]["pass"], code == 0);
        let junit = std::fs::read_to_string(place.path("junit.xml")).expect("junit.xml");
        assert_eq!(
            junit.contains(" failures=\"0\" errors=\"0\""),
            code == 0,
            "{junit}"
        );
        let first = summary["findings"][0].as_str().unwrap_or_default();
        assert!(first.starts_with("Health check: "), "{first}");
    }
}

#[test]
fn a_lost_threshold_ends_the_run_if_that_is_asked_for() {
    let place = Place::new();
    // Nobody is there: calls fail after a tenth of a second, and there would be a hundred thousand of them.
    let args = "sipp -sn options 127.0.0.1:9 -nr -recv_timeout 100 -r 400 -m 100000 -summary_json s.json -threshold_abort";
    let mut command = place.command(BINARY, args);
    command.args([
        "-threshold",
        "failed_ratio < 10%",
        "-threshold",
        "calls < 100000",
    ]);
    let ran = Ran::from(command.output().expect("the binary runs"));
    assert_eq!(ran.code, 2, "{}", ran.shown());
    let summary = json(&place, "s.json");
    assert_eq!(summary["run"]["ending"], "stopped");
    assert!(summary["total_calls"].as_u64() < Some(100_000));
    let [lost, kept] = [0, 1].map(|place| &summary["thresholds"][place]);
    assert_eq!(
        (&lost["aborted"], &lost["pass"]),
        (&true.into(), &false.into())
    );
    assert_eq!(
        (&kept["aborted"], &kept["pass"]),
        (&false.into(), &true.into())
    );
    assert!(ran.out.contains("%, which ended the run\n"), "{}", ran.out);
}

#[test]
fn a_threshold_that_cannot_be_meant_is_refused_before_the_run() {
    for (threshold, said) in [
        (
            "rtd.setup.p99 < 1s",
            "no response-time timer `setup`; it has 1",
        ),
        ("rtd.1.p99 < 20", "`20` is no time with a unit"),
        ("step.99.max < 1s", "steps, counted from 0"),
        ("fail < 3", "`fail` is no metric"),
    ] {
        let place = Place::new();
        let mut command = place.command(BINARY, "sipp -sn uac -loopback -m 1 -summary_json s.json");
        command.args(["-threshold", threshold]);
        let ran = Ran::from(command.output().expect("the binary runs"));
        assert_eq!(ran.code, 1, "{}", ran.shown());
        assert!(ran.err.contains(said), "{}", ran.err);
        assert!(!place.path("s.json").exists(), "no run, no report");
    }
}

#[test]
fn what_cannot_be_written_is_said_and_the_run_goes_on() {
    let place = Place::new();
    let ran = place.run(
        "sipp -sn uac -loopback -m 20 -r 1000 -summary_json no/s.json -call_records_jsonl no/c.jsonl \
         -health_max_failed_calls 0",
    );
    assert_eq!(ran.code, 255, "{}", ran.shown());
    assert!(ran.out.contains("20 created  20 succeeded"), "{}", ran.out);
    assert!(ran.out.contains("Health     PASS"), "{}", ran.out);
    let said = ran
        .err
        .matches("cannot write the summary `no/s.json`")
        .count();
    assert_eq!(said, 2, "at the beginning and at the end: {}", ran.err);
    assert!(ran.err.contains("cannot open `no/c.jsonl`"), "{}", ran.err);
    assert!(ran.out.contains("20 records of 20 lost"), "{}", ran.out);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_the_report_that_is_on_it_and_no_other() {
    let place = Place::new();
    let line = "sipp -sn uac -loopback -m 20 -r 1000 -summary_json";
    let ran = place.run(&format!("{line} /dev/full -call_records_jsonl c.jsonl"));
    assert_eq!(ran.code, 255, "{}", ran.shown());
    assert!(
        ran.err
            .contains("cannot write the summary `/dev/full`: No space left"),
        "{}",
        ran.err
    );
    assert_eq!(records(&place, "c.jsonl").len(), 20);
    let ran = place.run(&format!("{line} s.json -call_records_jsonl /dev/full"));
    assert_eq!(ran.code, 0, "the calls were good: {}", ran.shown());
    assert!(
        ran.err.contains("cannot write `/dev/full`: No space left"),
        "{}",
        ran.err
    );
    let summary = json(&place, "s.json");
    assert_eq!(summary["logs"]["call_records_lost"], 20);
    assert_eq!(summary["dropped_logs"], 20);
    assert!(summary["logs"]["error"].is_string());
}

#[test]
fn shards_report_what_one_would() {
    let place = Place::new();
    let ran = place.run(
        "sipp -sn uac -loopback -m 300 -r 1000 -shards 2 -summary_json s.json -call_records_jsonl c.jsonl",
    );
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let summary = json(&place, "s.json");
    assert_eq!(summary["success_calls"], 300);
    for time in ["call_length", "invite_rtt", "lateness"] {
        assert_eq!(summary[time]["count"], 300, "{time}");
    }
    assert_eq!(summary["answer"]["count"], 600);
    let mut numbers: Vec<_> = records(&place, "c.jsonl")
        .iter()
        .map(|record| record["call_number"].as_u64())
        .collect();
    numbers.sort_unstable();
    let expected: Vec<_> = (1..=300).map(Some).collect();
    assert_eq!(numbers, expected);
}

#[test]
fn media_is_reported_and_can_be_asked_for() {
    let place = Place::new();
    place.write("media.xml", include_str!("results/media.xml"));
    let line = "sipp -sf media.xml -loopback -loopback_sn uas -rtp_echo -m 2 -r 20 -summary_json s.json \
                -health_min_rtp_packets_recv_per_call 2 -health_min_rtp_packets_recv";
    let ran = place.run(&format!("{line} 4"));
    assert_eq!(ran.code, 0, "{}", ran.shown());
    let media = &json(&place, "s.json")["media"];
    for (name, column) in [
        ("rtp_packets_sent", "rtp_sent"),
        ("rtp_packets_received", "rtp_recv"),
    ] {
        let told = ran.out.lines().last().unwrap_or_default();
        let told = told
            .split(' ')
            .find_map(|pair| pair.strip_prefix(&format!("{column}=")));
        assert_eq!(told, Some(media[name].to_string().as_str()), "{}", ran.out);
    }
    assert_eq!(media["heard"]["streams"], 2);
    assert!(media["per_call_min_rtp_packets_received"].as_u64() >= Some(2));
    let ran = place.run(&format!("{line} 1000000"));
    assert_eq!(ran.code, 2, "{}", ran.shown());
    assert!(ran.out.contains("below minimum 1000000"), "{}", ran.out);
}

/// The value of a header of a message.
fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let prefix = format!("{name}: ");
    let mut lines = message.lines();
    let line = lines.find_map(|line| line.strip_prefix(&prefix));
    line.unwrap_or_default()
}

#[test]
fn a_peer_that_stalls_shows_in_the_times_and_not_in_the_pace() {
    let place = Place::new();
    let peer = UdpSocket::bind("127.0.0.1:0").expect("loopback binds");
    let address = peer.local_addr().expect("an address");
    let run = place
        .command(
            BINARY,
            &format!(
                "sipp -sn options {address} -nr -r 200 -m 300 -l 1000 -summary_json s.json \
                 -threshold answer.p99<500ms -threshold answer.p50<500ms"
            ),
        )
        .stdout(Stdio::null())
        .spawn();
    let mut run = run.expect("the binary runs");
    let mut bytes = [0; 4096];
    let mut held = Vec::new();
    let answer = |message: &str, to| {
        let headers = ["Via", "From", "To", "Call-ID", "CSeq"];
        let headers = headers.map(|name| format!("{name}: {}\r\n", header(message, name)));
        let response = format!(
            "SIP/2.0 200 OK\r\n{}Content-Length: 0\r\n\r\n",
            headers.concat()
        );
        peer.send_to(response.as_bytes(), to).expect("sent");
    };
    for number in 0..300 {
        let (length, from) = peer.recv_from(&mut bytes).expect("requests come");
        let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
        // From the hundredth on it hears and says nothing, for as long as 140 requests take: they come all the same.
        match number {
            0..100 | 240.. => answer(&message, from),
            _ => held.push((message, from)),
        }
        if number == 239 {
            for (message, from) in held.drain(..) {
                answer(&message, from);
            }
        }
    }
    assert_eq!(run.wait().expect("it ends").code(), Some(2));
    let summary = json(&place, "s.json");
    let (sent, due) = (&summary["answer"], &summary["answer"]["due"]);
    assert_eq!((&sent["count"], &due["count"]), (&300.into(), &300.into()));
    // 140 requests at 200 a second are 700 ms; the generator may be late, and is never early.
    assert!(due["max"].as_u64() >= Some(690_000_000), "{due}");
    assert_eq!(
        summary["calls_per_second"]
            .as_f64()
            .map(|rate| rate < 201.0),
        Some(true)
    );
    // So many were open because none waited for the peer.
    assert!(summary["run"]["peak_calls"].as_u64() >= Some(140));
    let held = &summary["thresholds"][0];
    assert_eq!(
        (&held["pass"], &summary["thresholds"][1]["pass"]),
        (&false.into(), &true.into())
    );
}

/// One request; what comes back.
fn request(address: &str, head: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(head.as_bytes()).ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    Some(response)
}

/// The samples of a page by name with labels.
fn samples(page: &str) -> BTreeMap<String, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}

#[test]
fn metrics_scraped_during_a_run_are_what_the_summary_says_of_the_calls_that_had_ended() {
    let place = every();
    let mut run = place
        .command(BINARY, &format!("{EVERY} -prometheus_addr 127.0.0.1:0"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut notes = BufReader::new(run.stderr.take().expect("piped"));
    let (_, address) = metrics_at(&mut notes);
    let address = address.as_str();
    let sum = |samples: &BTreeMap<String, f64>, name: &str| -> f64 {
        let named = samples
            .iter()
            .filter(|(sample, _)| sample.split('{').next() == Some(name));
        named.map(|(_, value)| value).sum()
    };
    // Somebody who does not know what is asked here, and somebody who hangs up.
    assert!(request(address, "SSH-2.0-x\r\n\r\n").is_some_and(|r| r.starts_with("HTTP/1.1 405")));
    drop(TcpStream::connect(address));
    // Each scrape takes its time; those of three seconds are not too many.
    let scraped = loop {
        let head =
            "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text\r\n\r\n";
        let response = request(address, head).expect("the run lasts");
        let (head, page) = response.split_once("\r\n\r\n").expect("a head");
        assert!(
            head.contains("openmetrics-text") && page.ends_with("# EOF\n"),
            "{head}"
        );
        let scraped = samples(page);
        if sum(&scraped, "gossipper_calls_failed_total") == 8.0
            && scraped["gossipper_calls_open"] == 2.0
            && scraped.get("gossipper_call_length_seconds_count") == Some(&10.0)
        {
            break scraped;
        }
    };
    assert!(run.wait().expect("it ends").code() == Some(1));
    let summary = json(&place, "s.json");
    assert_eq!(sum(&scraped, "gossipper_calls_created_total"), 12.0);
    assert_eq!(
        Some(scraped["gossipper_calls_succeeded_total"]),
        summary["success_calls"].as_f64()
    );
    for (reason, count) in summary["failure_reasons"].as_object().expect("reasons") {
        let label = format!("reason=\"{reason}\"");
        let found = scraped
            .iter()
            .find(|(name, _)| {
                name.starts_with("gossipper_calls_failed_total") && name.contains(&label)
            })
            .map(|(_, value)| *value);
        // Those were open still.
        let expected = if reason == "aborted" {
            Some(0.0)
        } else {
            count.as_f64()
        };
        assert_eq!(found, expected, "{reason}");
    }
    for from in ["sent", "due"] {
        let name = format!("gossipper_rtd_seconds_count{{timer=\"setup\",from=\"{from}\"}}");
        assert_eq!(scraped.get(&name), Some(&6.0), "{name}");
    }
}

#[test]
fn an_address_of_metrics_that_is_taken_is_said_before_the_run() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback binds");
    let address = taken.local_addr().expect("an address");
    let ran = place::run(&format!(
        "sipp -sn uac -loopback -m 1 -prometheus_addr {address}"
    ));
    assert_eq!(ran.code, 254, "{}", ran.shown());
    assert!(
        ran.err.contains(&format!(
            "cannot serve metrics at {address} (-prometheus_addr): "
        )),
        "{}",
        ran.err
    );
}
