// SPDX-License-Identifier: AGPL-3.0-only
//! Thresholds are read, checked and judged.

use super::*;
use crate::summary::{Response, Step};

fn ms(count: u64, ms: u64) -> Timing {
    let ns = ms * 1_000_000;
    Timing {
        count,
        average: ns,
        max: ns * 3,
        p50: ns,
        p99: ns * 2,
        p999: ns * 2,
        ..Timing::default()
    }
}

fn latency(count: u64, sent: u64, due: u64) -> Latency {
    Latency {
        sent: ms(count, sent),
        due: Some(ms(count, due)),
    }
}

fn summary() -> Summary {
    let mut summary = Summary {
        total_calls: 1010,
        success_calls: 995,
        failed_calls: 5,
        active_calls: 10,
        calls_per_second: 99.5,
        retransmits: 30,
        invite_rtt: latency(1000, 40, 80),
        lateness: Latency {
            sent: ms(1000, 3),
            due: None,
        },
        steps: vec![Step {
            index: 2,
            kind: "recv".to_owned(),
            name: "200".to_owned(),
            line: 1,
            messages: 0,
            retransmissions: 0,
            timeouts: 0,
            unexpected: 0,
            lost: 0,
            latency: Some(latency(9, 1, 1)),
        }],
        responses: vec![Response {
            method: "BYE".to_owned(),
            code: 200,
            latency: latency(50, 7, 7),
        }],
        ..Summary::default()
    };
    summary.messages.sent = 3000;
    summary.rtd.insert("a.b".to_owned(), latency(1000, 10, 20));
    summary.counters.insert("dials".to_owned(), 12);
    summary.failure_classes.insert("timeout".to_owned(), 5);
    summary
        .failure_reasons
        .insert("max_udp_retrans".to_owned(), 4);
    summary
}

fn judge(text: &str) -> (bool, String) {
    let threshold = Threshold::parse(text).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(threshold.expression(), text.trim());
    threshold.judge(&summary())
}

#[test]
fn every_metric_finds_its_figure() {
    for (text, found) in [
        ("calls >= 1010", "1010"),
        ("success > 994", "995"),
        ("failed_calls<6", "5"),
        ("active_calls == 10", "10"),
        ("failed_ratio <= 0.5%", "0.5000%"),
        ("failed_ratio < 0.0051", "0.5000%"),
        ("success_ratio >= 99.5%", "99.5000%"),
        ("retransmit_ratio < 2%", "1.0000%"),
        ("cps > 99", "99.50"),
        ("class.timeout != 6", "5"),
        ("class.cancelled = 0", "0"),
        ("reason.max_udp_retrans < 5", "4"),
        ("counter.dials == 12", "12"),
        ("rtd.a.b.p99 < 41ms", "40.000ms"),
        ("rtd.a.b.sent.p99 < 21ms", "20.000ms"),
        ("rtd.a.b.due.p99.9 < 0.041s", "40.000ms"),
        ("rtd.a.b.p999 < 41ms", "40.000ms"),
        ("rtd.a.b.count == 1000", "1000"),
        // No timer has this name.
        ("rtd.invite.p50 <= 80000us", "80.000ms"),
        ("invite.sent.avg < 50ms", "40.000ms"),
        ("lateness.max < 10ms", "9.000ms"),
        ("step.2.median < 2ms", "1.000ms"),
        ("response.BYE.200.max < 30ms", "21.000ms"),
        (" response.BYE.200.count > 0 ", "50"),
    ] {
        assert_eq!(judge(text), (true, found.to_owned()), "{text}");
    }
    assert_eq!(judge("rtd.a.b.p99 < 40ms"), (false, "40.000ms".to_owned()));
    assert!(!judge("failed_calls == 0").0);
}

#[test]
fn a_time_without_samples_holds_nothing() {
    for text in [
        "answer.p99 < 1s",
        "step.7.p50 > 0ms",
        "response.INVITE.200.avg > 0ms",
    ] {
        assert_eq!(judge(text), (false, "no samples".to_owned()), "{text}");
    }
    assert!(judge("response.INVITE.503.count == 0").0);
    let failed = Threshold::parse("failed_ratio < 1%").expect("read");
    assert!(!failed.judge(&Summary::default()).0, "no call has ended");
}

#[test]
fn what_cannot_be_read_is_told_with_what_there_is() {
    let faults: Vec<_> = [
        "failed_ratio",
        "failed_ratio ! 3",
        "faild < 3",
        "rtd.p99 < 3ms",
        "rtd.invite.p97 < 3ms",
        "answer < 3ms",
        "rtd.my.timer < 3ms",
        "rtd.invite.p99 < 250",
        "rtd.invite.p99 < fast",
        "rtd.invite.p99 < -3ms",
        "failed_ratio < 2",
        "failed_ratio < NaN",
        "calls > 1.5",
        "class.bad_luck < 1",
        "reason.bad_luck < 1",
        "step.x.p99 < 1s",
        "response.INVITE.p99 < 1s",
        "response.INVITE.999.p99 < 1s",
        "counter. < 1",
        "",
    ]
    .iter()
    .map(|text| match Threshold::parse(text) {
        Ok(read) => panic!("{text} was read as {read:?}"),
        Err(fault) => fault,
    })
    .collect();
    insta::assert_snapshot!(faults.join("\n"));
}

#[test]
fn names_are_checked_against_the_scenario() {
    let check = |text: &str| {
        let threshold = Threshold::parse(text).expect("read");
        threshold.check(["1", "setup"], [], 3).err()
    };
    assert_eq!(check("rtd.setup.p99 < 1s"), None);
    assert_eq!(check("rtd.invite.p99 < 1s"), None);
    assert_eq!(check("step.2.p99 < 1s"), None);
    let faults = ["rtd.2.p99 < 1s", "counter.x < 1", "step.3.p99 < 1s"].map(check);
    assert_eq!(
        faults.map(Option::unwrap_or_default),
        [
            "threshold `rtd.2.p99 < 1s`: the scenario has no response-time timer `2`; it has 1, setup",
            "threshold `counter.x < 1`: the scenario has no counter `x`; it has no counter",
            "threshold `step.3.p99 < 1s`: the scenario has 3 steps, counted from 0",
        ]
    );
}

#[test]
fn a_run_is_only_given_up_for_what_cannot_be_mended_or_rests_on_enough() {
    let lost = |text: &str| Threshold::parse(text).expect("read").is_lost(&summary());
    for text in [
        "failed_calls < 5",
        "failed_calls == 4",
        "failed_ratio < 0.1%",
        "rtd.a.b.p99 < 10ms",
    ] {
        assert!(lost(text), "{text}");
    }
    for text in [
        // It holds.
        "failed_calls < 6",
        // More may come.
        "calls > 100000",
        "failed_calls == 6",
        // It may fall again.
        "active_calls < 3",
        // It rests on nine, and on nothing.
        "step.2.p99 < 1us",
        "answer.p99 < 1us",
        "cps > 1000",
    ] {
        assert!(!lost(text), "{text}");
    }
}
