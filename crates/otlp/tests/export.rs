// SPDX-License-Identifier: AGPL-3.0-only
//! Records on their way to a collector that is there, slow, away, or says no: over both protocols.

mod collector;

use std::time::Duration;

use collector::{Collector, Reply, Speaks, pairs};
use gossipper_otlp::{Counts, Encoder, Exporter, Protocol, Request, Severity, Value};

const BOTH: [Speaks; 2] = [Speaks::Grpc, Speaks::Http];

/// Time enough for a machine that does other things too.
const LONG: Duration = Duration::from_secs(30);

fn exporter(speaks: Speaks, port: u16, most_bytes: usize) -> Exporter {
    let collector = gossipper_otlp::Collector {
        protocol: match speaks {
            Speaks::Grpc => Protocol::Grpc,
            Speaks::Http => Protocol::Http,
        },
        host: "127.0.0.1".to_owned(),
        port,
        path: "/v1/logs".to_owned(),
        headers: vec![("x-test".to_owned(), "secret".to_owned())],
        timeout: LONG,
        wrap: None,
    };
    Exporter::start_bounded(collector, most_bytes).expect("a thread")
}

fn request(bodies: &[&str]) -> Request {
    let resource = [("service.name".to_owned(), "test".to_owned())];
    let mut encoder = Encoder::new(&resource, "scope", "1");
    for body in bodies {
        encoder.record(7, Severity::Info, "kind", body.as_bytes(), |out| {
            out.put("n", Value::Int(3));
        });
    }
    encoder.take()
}

fn bodies(collector: &Collector) -> Vec<String> {
    let body = |record: opentelemetry_proto::tonic::logs::v1::LogRecord| match record
        .body
        .and_then(|any| any.value)
    {
        Some(opentelemetry_proto::tonic::common::v1::any_value::Value::StringValue(text)) => text,
        other => panic!("{other:?}"),
    };
    collector.records().into_iter().map(body).collect()
}

fn counted(delivered: u64, lost: u64) -> Counts {
    Counts {
        delivered,
        lost,
        ..Counts::default()
    }
}

#[test]
fn a_collector_gets_what_was_told_with_headers_and_resource() {
    for speaks in BOTH {
        let collector = Collector::start(speaks, []);
        let exporter = exporter(speaks, collector.address.port(), 1 << 20);
        exporter.sender().send(request(&["a", "b"]));
        collector.wait_for(1);
        // Over the connection that is there.
        exporter.sender().send(request(&["c"]));
        assert_eq!(exporter.close(LONG), counted(3, 0), "{speaks:?}");
        assert_eq!(bodies(&collector), ["a", "b", "c"]);
        let taken = collector.taken();
        assert!(
            taken
                .iter()
                .all(|taken| taken.header.as_deref() == Some("secret"))
        );
        let logs = &taken[0].request.resource_logs[0];
        let resource = logs.resource.as_ref().expect("a resource");
        assert_eq!(
            pairs(&resource.attributes),
            [("service.name".into(), "test".into())]
        );
        assert_eq!(logs.scope_logs[0].log_records[0].event_name, "kind");
    }
}

#[test]
fn what_is_not_taken_now_is_tried_again_and_what_never_will_be_is_lost() {
    // UNAVAILABLE and INVALID_ARGUMENT; 503 and 400.
    for (speaks, later, never) in [(Speaks::Grpc, 14, 3), (Speaks::Http, 503, 400)] {
        let script = [
            Reply::Status(later),
            Reply::Status(later),
            Reply::Partial(1),
            Reply::Status(never),
        ];
        let collector = Collector::start(speaks, script);
        let exporter = exporter(speaks, collector.address.port(), 1 << 20);
        exporter.sender().send(request(&["a", "b"]));
        collector.wait_for(3);
        exporter.sender().send(request(&["c"]));
        collector.wait_for(4);
        exporter.sender().send(request(&["d"]));
        let counts = exporter.close(LONG);
        assert_eq!(
            (counts.delivered, counts.lost, counts.retries),
            (2, 2, 2),
            "{speaks:?}"
        );
        let why = counts.error.expect("it is said");
        assert!(why.contains("status 14") || why.contains("503"), "{why}");
        // The collector says which it has refused; here it is the last to know.
        assert_eq!(bodies(&collector), ["a", "b", "d"]);
    }
}

#[test]
fn a_collector_that_comes_late_gets_what_waits() {
    for speaks in BOTH {
        // A port that nobody else has, for a moment.
        let address = Collector::start(speaks, []).address;
        let exporter = exporter(speaks, address.port(), 1 << 20);
        let sender = exporter.sender();
        sender.send(request(&["a"]));
        let begun = std::time::Instant::now();
        while sender.counts().retries == 0 {
            assert!(begun.elapsed() < LONG);
            std::thread::yield_now();
        }
        sender.send(request(&["b"]));
        let collector = Collector::at(speaks, address, []);
        let counts = exporter.close(LONG);
        assert_eq!(
            (counts.delivered, counts.lost),
            (2, 0),
            "{speaks:?}: {counts:?}"
        );
        assert!(
            counts.retries > 0
                && counts
                    .error
                    .is_some_and(|why| why.contains(&address.to_string()))
        );
        assert_eq!(bodies(&collector), ["a", "b"]);
    }
}

#[test]
fn a_collector_that_does_not_answer_costs_the_oldest_and_no_time() {
    for speaks in BOTH {
        let collector = Collector::start(speaks, [Reply::Never]);
        let one = request(&["x"]);
        let exporter = exporter(speaks, collector.address.port(), one.bytes.len() * 2);
        let sender = exporter.sender();
        sender.send(one.clone());
        collector.wait_for(1);
        // Two fit beside the one that hangs.
        for _ in 0..5 {
            sender.send(one.clone());
        }
        assert_eq!(sender.counts().lost, 3, "{speaks:?}");
        let begun = std::time::Instant::now();
        let counts = exporter.close(Duration::from_millis(50));
        assert!(
            begun.elapsed() < LONG / 2,
            "the end waits no longer than it is told"
        );
        assert_eq!(counts.delivered + counts.lost, 6);
        assert!(
            counts
                .error
                .is_some_and(|why| why.contains("does not keep up"))
        );
    }
}

#[test]
fn nobody_at_the_end_is_said_within_the_time_that_is_left() {
    for speaks in BOTH {
        let port = Collector::start(speaks, []).address.port();
        let exporter = exporter(speaks, port, 1 << 20);
        exporter.sender().send(request(&["a", "b"]));
        let counts = exporter.close(Duration::from_millis(300));
        assert_eq!((counts.delivered, counts.lost), (0, 2));
        assert!(
            counts.error.is_some_and(|why| why.contains("127.0.0.1")),
            "{speaks:?}"
        );
    }
}

#[test]
fn what_cannot_stand_in_a_request_is_refused_at_the_start() {
    let collector = |path: &str, header: &str| gossipper_otlp::Collector {
        protocol: Protocol::Http,
        host: "localhost".to_owned(),
        port: 1,
        path: path.to_owned(),
        headers: vec![("x".to_owned(), header.to_owned())],
        timeout: LONG,
        wrap: None,
    };
    for (path, header) in [("/a b", "x"), ("/", "line\nbreak")] {
        let error = Exporter::start(collector(path, header)).expect_err("refused");
        assert_eq!(
            error.kind(),
            std::io::ErrorKind::InvalidInput,
            "{path} {header}"
        );
    }
}
