// SPDX-License-Identifier: AGPL-3.0-only
//! How calls failed, as the summary of a run draws it and as `-summary_json` says it.

mod place;

use place::Place;
use serde_json::Value;

/// Calls of six kinds; those of five fail, each kind in a way of its own.
fn place() -> Place {
    let place = Place::new();
    let client = include_str!("results/every_client.xml");
    // Longer than a datagram can be.
    place.write("c.xml", client.replace("HUGE", &"x".repeat(66_000)));
    place.write("s.xml", include_str!("results/every_server.xml"));
    let kinds = "SEQUENTIAL\nbusy\ngood\nbusy\nsilent\nbusy\n";
    place.write("kinds.csv", kinds);
    place
}

const RUN: &str =
    "sipp -sf c.xml -inf kinds.csv -loopback -loopback_sf s.xml -m 20 -r 200 -summary_json s.json";

#[test]
fn the_commonest_ways_to_fail_are_drawn_and_written() {
    let place = place();
    let ran = place.run(RUN);
    assert_eq!(ran.code, 1, "{}", ran.shown());
    let text = std::fs::read_to_string(place.path("s.json")).expect("a summary");
    let summary: Value = serde_json::from_str(&text).expect("JSON");
    let shapes = &summary["failure_shapes"];
    assert_eq!(shapes["failed"], summary["failed_calls"]);
    assert_eq!(
        (&shapes["failed"], &shapes["watched"]),
        (&16.into(), &16.into())
    );
    let named = shapes["shapes"].as_array().expect("shapes");
    let named: Vec<_> = named
        .iter()
        .map(|shape| (shape["count"].as_u64(), shape["reason"].as_str()))
        .collect();
    let expected = [
        (Some(12), Some("unexpected_message")),
        (Some(4), Some("timeout_on_recv")),
    ];
    assert_eq!(named, expected, "{shapes:#}");
    let busy = &shapes["shapes"][0]["example"];
    let labels = busy["messages"].as_array().expect("messages").iter();
    let labels: Vec<_> = labels
        .map(|message| (message["way"].as_str(), message["label"].as_str()))
        .collect();
    assert_eq!(labels[0], (Some("sent"), Some("INVITE")));
    assert_eq!(labels[1], (Some("received"), Some("486 Busy Here")));

    let shown = &ran.out;
    assert!(
        shown.contains("\nShapes     of 16 failed calls\n"),
        "{shown}"
    );
    let id = busy["call_id"].as_str().expect("a Call-ID");
    for part in ["12  75.0 %: unexpected message\n", " 486 Busy Here ", id] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let lines = shown.lines().filter(|line| !line.starts_with("calls="));
    for line in lines {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn sipps_screens_stay_what_they_are() {
    let place = place();
    let ran = place.run(&format!("{RUN} -compat sipp"));
    assert_eq!(ran.code, 1, "{}", ran.shown());
    assert!(!ran.out.contains("Shapes"), "{}", ran.out);
    assert!(
        ran.err.contains("\nShapes     of 16 failed calls\n"),
        "{}",
        ran.err
    );
}
