// SPDX-License-Identifier: AGPL-3.0-only
//! Runs that tell events: what a collector and a file get is what the run counts, whatever the transport, and neither a
//! full disk nor a collector that is away harms the run.

#[expect(dead_code, reason = "what the tests of its own crate need besides")]
#[path = "../../crates/otlp/tests/collector/mod.rs"]
mod collector;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use collector::{Collector, Speaks, pairs};
use gossipper_bytecode::Program;
use gossipper_control::{EventCounts, Snapshot};
use gossipper_runtime::config::{
    EngineConfig, EventConfig, EventLevel, LogConfig, OtlpConfig, OtlpProtocol, PacingConfig,
    RunConfig, StreamKind, TimeLimits, TransportConfig,
};
use gossipper_runtime::pacing::Rate;
use gossipper_runtime::{Ending, Run};
use gossipper_vm::RunParams;
use serde_json::Value;

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn compiled(name: &str, xml: &str) -> Arc<Program> {
    let options = gossipper_compiler::Options {
        name: name.to_owned(),
        ..Default::default()
    };
    let compiled = gossipper_compiler::compile(name, xml.as_bytes(), &options);
    Arc::new(compiled.program.expect("it compiles"))
}

fn builtin(name: &str) -> Arc<Program> {
    compiled(
        name,
        gossipper_stdlib_scenarios::find(name)
            .expect("a built-in")
            .xml,
    )
}

fn otlp(speaks: Speaks, port: u16) -> OtlpConfig {
    OtlpConfig {
        protocol: match speaks {
            Speaks::Grpc => OtlpProtocol::Grpc,
            Speaks::Http => OtlpProtocol::Http,
        },
        host: "127.0.0.1".to_owned(),
        port,
        path: "/v1/logs".to_owned(),
        headers: Vec::new(),
        timeout: Duration::from_secs(30),
        tls: None,
    }
}

fn events(file: Option<&Path>, otlp: Option<OtlpConfig>) -> EventConfig {
    EventConfig {
        text: false,
        file: file.map(Path::to_owned),
        otlp,
        attributes: vec![("self_tag".to_owned(), "NYC02".to_owned())],
        version: "9".to_owned(),
        buffer: 1 << 20,
        level: EventLevel::Info,
    }
}

/// Both sides of so many calls on loopback.
fn pair(
    client: Arc<Program>,
    transport: TransportConfig,
    calls: u64,
    events: EventConfig,
) -> RunConfig {
    let engine = |program| {
        let mut engine = EngineConfig::new(program, RunParams::default());
        engine.transport = transport.clone();
        engine.local.ip = Some(HOST);
        engine
    };
    RunConfig {
        main: engine(client),
        answerer: Some(engine(builtin("uas"))),
        pacing: PacingConfig {
            rate: Rate::new(2_000.0, 1_000),
            total: Some(calls),
            ..PacingConfig::default()
        },
        limits: TimeLimits {
            timeout: Some(Duration::from_secs(60)),
            ..TimeLimits::default()
        },
        watchdog: None,
        measures: false,
        logs: LogConfig {
            events: Some(events),
            ..LogConfig::default()
        },
    }
}

fn finish(config: RunConfig) -> (Snapshot, EventCounts) {
    let report = Run::start(config)
        .expect("it starts")
        .finish()
        .expect("shards come up");
    assert_eq!(report.ending, Ending::Completed);
    let counts = report.snapshot.events.clone().expect("it tells");
    (report.snapshot, counts)
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("a file");
    text.lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

fn by_kind(lines: &[Value]) -> BTreeMap<&str, Vec<&Value>> {
    let mut kinds: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for line in lines {
        kinds
            .entry(line["kind"].as_str().expect("a kind"))
            .or_default()
            .push(line);
    }
    kinds
}

/// The same of a collector's records, as far as lines have it.
fn as_lines(collector: &Collector) -> Vec<Value> {
    let value = |text: &String| match text.strip_prefix('#') {
        Some(number) => Value::from(number.parse::<i64>().expect("a number")),
        None => Value::from(text.clone()),
    };
    let line = |record: opentelemetry_proto::tonic::logs::v1::LogRecord| {
        let attributes = pairs(&record.attributes);
        assert_eq!(
            attributes[0],
            ("event.name".to_owned(), record.event_name.clone())
        );
        let members = attributes[1..]
            .iter()
            .map(|(key, text)| (key.clone(), value(text)));
        serde_json::json!({
            "kind": record.event_name,
            "level": record.severity_text.to_lowercase(),
            "attributes": members.collect::<serde_json::Map<_, _>>(),
        })
    };
    collector.records().into_iter().map(line).collect()
}

#[test]
fn a_collector_and_a_file_get_what_the_run_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    for speaks in [Speaks::Grpc, Speaks::Http] {
        let path = folder.path().join("events.jsonl");
        let collector = Collector::start(speaks, []);
        let config = events(Some(&path), Some(otlp(speaks, collector.address.port())));
        let (snapshot, counts) =
            finish(pair(builtin("uac"), TransportConfig::default(), 40, config));
        assert_eq!(
            (counts.overwritten, counts.lost(), &counts.error),
            (0, 0, &None)
        );
        let seen = lines(&path);
        assert_eq!(counts.recorded, seen.len() as u64);
        assert_eq!(
            (counts.file.written, counts.otlp.written),
            (counts.recorded, counts.recorded)
        );
        let kinds = by_kind(&seen);
        let main = snapshot.main().expect("a main engine");
        let count = |kind: &str| kinds.get(kind).map_or(0, Vec::len) as u64;
        assert_eq!((count("call.started"), count("call.ended")), (40, 40));
        assert_eq!(main.calls.succeeded, 40);
        // INVITE, ACK, BYE; 180 and 200, 200.
        assert_eq!((count("sip.send"), count("sip.recv")), (120, 120));
        assert_eq!((count("engine.started"), count("engine.stopped")), (1, 1));
        let last = &seen[seen.len() - 1];
        let stopped = serde_json::json!({"dropped_logs": 0, "failed": 0, "successful": 40, "total_calls": 40});
        assert_eq!(
            (&last["kind"], &last["attributes"]),
            (&"engine.stopped".into(), &stopped)
        );
        assert_eq!(last["resource"], serde_json::json!({"self_tag": "NYC02"}));

        // Calls tell one story, with real ends.
        let port = |text: &str| -> u64 {
            text.rsplit(':')
                .next()
                .and_then(|p| p.parse().ok())
                .expect(text)
        };
        let (own, peer) = (
            port(&main.local),
            port(main.remote.as_deref().expect("a remote")),
        );
        for started in &kinds["call.started"] {
            let told = &started["attributes"];
            assert_eq!(
                (&told["local_ip"], &told["remote_ip"]),
                (&"127.0.0.1".into(), &"127.0.0.1".into())
            );
            assert_eq!(
                (told["local_port"].as_u64(), told["remote_port"].as_u64()),
                (Some(own), Some(peer))
            );
            assert_eq!(told["transport"], "UDP");
            let of_call = |line: &&Value| line["attributes"]["call_num"] == told["call_num"];
            let story: Vec<&Value> = seen.iter().filter(of_call).collect();
            let names: Vec<String> = story
                .iter()
                .map(|line| {
                    let a = &line["attributes"];
                    format!(
                        "{} {}{}",
                        line["kind"].as_str().expect("text"),
                        a["sip.method"].as_str().unwrap_or_default(),
                        a["sip.status"]
                            .as_u64()
                            .map_or(String::new(), |s| s.to_string())
                    )
                })
                .collect();
            let names: Vec<&str> = names.iter().map(|name| name.trim()).collect();
            assert_eq!(
                names,
                [
                    "call.started",
                    "sip.send INVITE",
                    "sip.recv 180",
                    "sip.recv 200",
                    "sip.send ACK",
                    "sip.send BYE",
                    "sip.recv 200",
                    "call.ended"
                ]
            );
            assert!(
                story
                    .iter()
                    .all(|line| line["attributes"]["call_id"] == told["call_id"])
            );
            let sent = &story[1]["attributes"];
            assert_eq!(
                (sent["src_port"].as_u64(), sent["dst_port"].as_u64()),
                (Some(own), Some(peer))
            );
            let got = &story[2]["attributes"];
            assert_eq!(
                (got["src_port"].as_u64(), got["dst_port"].as_u64()),
                (Some(peer), Some(own))
            );
            assert_eq!(got["sip.reason"], "Ringing");
        }

        // The collector's are the same.
        let told = as_lines(&collector);
        assert_eq!(told.len(), seen.len());
        for (told, line) in told.iter().zip(&seen) {
            for member in ["kind", "level", "attributes"] {
                assert_eq!(told[member], line[member]);
            }
        }
        let resource = &collector.taken()[0].request.resource_logs[0].resource;
        let resource = pairs(&resource.as_ref().expect("a resource").attributes);
        let resource: Vec<_> = resource.iter().map(|(k, v)| (&**k, &**v)).collect();
        assert_eq!(
            resource,
            [
                ("service.name", "gossipper"),
                ("service.version", "9"),
                ("gossipper.role", "client"),
                ("self_tag", "NYC02")
            ]
        );
    }
}

#[test]
fn connections_have_their_own_ends() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let transport = TransportConfig {
        stream: Some(StreamKind::Tcp),
        ..TransportConfig::default()
    };
    let (_, counts) = finish(pair(
        builtin("uac"),
        transport,
        10,
        events(Some(&path), None),
    ));
    assert_eq!((counts.overwritten, counts.lost()), (0, 0));
    let seen = lines(&path);
    let kinds = by_kind(&seen);
    assert_eq!((kinds["sip.send"].len(), kinds["sip.recv"].len()), (30, 30));
    let ports: std::collections::BTreeSet<_> = kinds["sip.recv"]
        .iter()
        .map(|line| line["attributes"]["dst_port"].as_u64())
        .collect();
    assert_eq!(ports.len(), 1, "the port of the one connection: {ports:?}");
    assert!(
        kinds["sip.recv"]
            .iter()
            .all(|line| line["attributes"]["transport"] == "TCP")
    );
}

/// Refuses, times out, challenges and logs.
const TROUBLE: &str = r#"<scenario name="trouble">
  <send><![CDATA[
INVITE sip:x@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:x@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Authorization: Digest username="al", realm="here", algorithm=MD5, qop=auth, response="0"
Content-Length: 0

]]></send>
  <recv response="180" optional="true"><action><log message="ringing"/></action></recv>
  <recv response="486"/>
</scenario>"#;

#[test]
fn calls_that_fail_say_why_and_what_they_expected() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let client = compiled("trouble", TROUBLE);
    let (snapshot, _) = finish(pair(
        client,
        TransportConfig::default(),
        5,
        events(Some(&path), None),
    ));
    let failed = snapshot.main().expect("a main engine").calls.failed;
    assert_eq!(failed, 5);
    let seen = lines(&path);
    let kinds = by_kind(&seen);
    let unexpected = &kinds["sip.unexpected"];
    assert_eq!(unexpected.len(), 5);
    let told = unexpected[0];
    assert_eq!(
        (&told["level"], &told["message"]),
        (&"warn".into(), &"SIP/2.0 200 OK".into())
    );
    assert_eq!(told["attributes"]["expected"], "486");
    assert_eq!(told["attributes"]["sip.status"], 200);
    for ended in &kinds["call.ended"] {
        assert_eq!(
            (&ended["level"], &ended["attributes"]["result"]),
            (&"warn".into(), &"failure".into())
        );
        assert_eq!(ended["attributes"]["error"], "unexpected_sip");
    }
    assert_eq!(kinds["action.log"].len(), 5);
    assert_eq!(kinds["action.log"][0]["message"], "ringing");
    let results: Vec<_> = kinds["auth"]
        .iter()
        .map(|line| &line["attributes"]["result"])
        .collect();
    assert_eq!(
        results.iter().filter(|result| **result == "sent").count(),
        5
    );
    assert_eq!(
        results
            .iter()
            .filter(|result| **result == "accepted")
            .count(),
        5
    );
    let auth = &kinds["auth"][0]["attributes"];
    let wanted = serde_json::json!({"username": "al", "realm": "here", "algorithm": "MD5", "qop": "auth",
        "challenge.status": 401, "result": "sent", "call_num": auth["call_num"], "call_id": auth["call_id"]});
    assert_eq!(auth, &wanted);
}

#[test]
fn a_level_leaves_out_what_is_below_and_the_lowest_shows_messages_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let of_level = |level| EventConfig {
        level,
        ..events(Some(&path), None)
    };
    let run = |level| {
        let _ = std::fs::remove_file(&path);
        let client = compiled("trouble", TROUBLE);
        finish(pair(client, TransportConfig::default(), 3, of_level(level)));
        if path.exists() {
            lines(&path)
        } else {
            Vec::new()
        }
    };
    let warn = run(EventLevel::Warn);
    let kinds = by_kind(&warn);
    let names: Vec<&str> = kinds.keys().copied().collect();
    assert_eq!(names, ["call.ended", "sip.unexpected"]);
    // Whose it was is known all the same.
    assert!(warn.iter().all(|line| {
        line["attributes"]["call_id"]
            .as_str()
            .is_some_and(|id| !id.is_empty())
    }));
    assert!(run(EventLevel::Error).is_empty());
    let debug = run(EventLevel::Debug);
    let kinds = by_kind(&debug);
    let message = kinds["sip.send"][0]["attributes"]["sip.message"]
        .as_str()
        .expect("a message");
    assert!(
        message.starts_with("INVITE ") && message.ends_with("Content-Length: 0\r\n\r\n"),
        "{message}"
    );
    assert_eq!(kinds["sip.send"][0]["attributes"]["sip.method"], "INVITE");
}

#[test]
fn a_full_disk_and_a_collector_that_is_away_are_said_and_survived() {
    // A port that nobody has any more.
    let port = Collector::start(Speaks::Grpc, []).address.port();
    let config = events(Some(Path::new("/dev/full")), Some(otlp(Speaks::Grpc, port)));
    if !Path::new("/dev/full").exists() {
        #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
        {
            eprintln!("skipped: no /dev/full");
        }
        return;
    }
    let (snapshot, counts) = finish(pair(builtin("uac"), TransportConfig::default(), 20, config));
    assert_eq!(snapshot.main().expect("a main engine").calls.succeeded, 20);
    assert_eq!(
        (counts.file.written, counts.file.lost),
        (0, counts.recorded)
    );
    assert_eq!(
        (counts.otlp.written, counts.otlp.lost),
        (0, counts.recorded)
    );
    assert!(counts.retries > 0);
    assert!(counts.error.is_some_and(|why| why.contains("/dev/full")));
}

#[test]
fn what_does_not_fit_is_overwritten_and_counted_in_the_last_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.jsonl");
    let config = EventConfig {
        buffer: 1,
        ..events(Some(&path), None)
    };
    let (_, counts) = finish(pair(builtin("uac"), TransportConfig::default(), 50, config));
    let seen = lines(&path);
    assert_eq!(counts.recorded, counts.overwritten + seen.len() as u64);
    assert!(
        counts.overwritten > 0,
        "an INVITE comes with the beginning of its call"
    );
    let last = seen.last().expect("the last is never overwritten");
    assert_eq!(last["kind"], "engine.stopped");
    let dropped = last["attributes"]["dropped_logs"]
        .as_u64()
        .expect("a number");
    assert!(
        dropped > 0 && dropped <= counts.overwritten,
        "{dropped} of {}",
        counts.overwritten
    );
}
