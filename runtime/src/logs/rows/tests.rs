// SPDX-License-Identifier: AGPL-3.0-only
//! Rows of made-up figures.

use super::layout::{StepLayout, TimerLayout};
use super::*;
use crate::config::LogFileConfig;
use gossipper_bytecode::{CounterId, FailReason, RtdId, StepKind};
use gossipper_vm::{CallEnd, StatEvent};
use jiff::tz::TimeZone;
use std::path::Path;

fn layout() -> Layout {
    let step = |kind, name: &str, repeats| StepLayout {
        kind,
        name: name.to_owned(),
        hidden: false,
        repeats,
    };
    Layout {
        steps: vec![
            step(StepKind::Send, "INVITE", true),
            step(StepKind::Recv, "200", false),
            step(StepKind::Nop, "", false),
            step(StepKind::Send, "ACK", false),
            step(StepKind::Pause, "", false),
            StepLayout {
                hidden: true,
                ..step(StepKind::Recv, "BYE", false)
            },
        ],
        timers: vec![
            TimerLayout {
                name: "1".to_owned(),
                borders_ms: vec![10, 20],
            },
            TimerLayout {
                name: "media".to_owned(),
                borders_ms: Vec::new(),
            },
        ],
        call_borders_ms: vec![100],
        counters: vec!["2".to_owned(), "mine".to_owned()],
        loses: false,
    }
}

fn apply(state: &mut State, events: &[StatEvent]) {
    for event in events {
        state.figures.counters.apply(Micros(0), event);
        let (timer, took) = match *event {
            StatEvent::Rtd { rtd, took, .. } => (&mut state.figures.rtds[rtd.index()], took),
            StatEvent::Ended { length, .. } => {
                state.figures.call_length_us.record(length.0);
                (&mut state.figures.call_length, length)
            }
            _ => continue,
        };
        timer.ms.record(took.as_ms());
        let borders: &[u64] = match *event {
            StatEvent::Rtd { .. } => &[10, 20],
            _ => &[100],
        };
        if !timer.cells.is_empty() {
            timer.cells[borders.partition_point(|border| *border <= took.as_ms())] += 1;
        }
    }
}

fn created() -> StatEvent {
    StatEvent::Created {
        incoming: false,
        late: Micros(0),
    }
}

fn rtd(id: u16, ms: u64) -> StatEvent {
    StatEvent::Rtd {
        rtd: RtdId(id),
        took: Micros::from_ms(ms),
        late: Micros(0),
    }
}

fn ended(end: CallEnd, ms: u64) -> StatEvent {
    StatEvent::Ended {
        end,
        length: Micros::from_ms(ms),
    }
}

fn sample(index: u64, at_ms: u64, last: bool, state: &State) -> Sample {
    Sample {
        shard: 0,
        index,
        at: Micros::from_ms(at_ms),
        last,
        state: state.clone(),
    }
}

fn config(folder: &Path, form: LogForm) -> LogConfig {
    let file = |name: &str| Some(LogFileConfig::new(folder.join(name)));
    LogConfig {
        form,
        statistics: file("stat"),
        step_counts: file("counts"),
        response_times: file("rtt"),
        error_codes: file("codes"),
        ..LogConfig::default()
    }
}

/// Two periods with three calls; gives the folder.
fn written(form: LogForm, change: impl FnOnce(&mut LogConfig)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(folder.path(), form);
    change(&mut config);
    let mut stamps = Stamps::new(TimeZone::UTC);
    let base = 1_700_000_000_000_000;
    let mut tables = Tables::open(&config, layout(), 1, base, &mut stamps).expect("the files open");
    let mut state = layout().nothing();
    state.rate = 10.0;
    tables.sample(&mut stamps, sample(0, 0, false, &state));
    let step = StepId(0);
    apply(
        &mut state,
        &[
            created(),
            created(),
            StatEvent::Sent { step },
            StatEvent::Retransmitted { step },
            StatEvent::Received {
                step: StepId(1),
                answers_invite: false,
            },
            rtd(0, 12),
            rtd(0, 31),
            rtd(1, 5),
            StatEvent::Counter {
                counter: CounterId(1),
            },
            ended(CallEnd::Success, 250),
        ],
    );
    if let Some(rtt) = &mut tables.rtt {
        let took = Micros(12_345);
        rtt.add(&mut stamps, base + 99, (1, RtdId(0)), took, Micros(99));
        rtt.add(
            &mut stamps,
            base + 99,
            (2, RtdId(1)),
            took,
            Micros(1_234_567_890),
        );
    }
    let busy = b"SIP/2.0 486 Busy Here\r\nCall-ID: a@b\r\n\r\n";
    tables.code(&mut stamps, base + 1, (2, 486, StepId(1)), busy);
    tables.code(&mut stamps, base + 2, (3, 503, StepId(1)), b"");
    tables.sample(&mut stamps, sample(1, 1000, false, &state));
    apply(
        &mut state,
        &[
            created(),
            StatEvent::Unexpected {
                step: StepId(1),
                code: 486,
            },
            ended(CallEnd::Failure(FailReason::UnexpectedMessage), 40),
            ended(CallEnd::Success, 60),
            rtd(0, 2),
        ],
    );
    tables.sample(&mut stamps, sample(1, 1500, true, &state));
    tables.flush(&Lost::default(), true);
    let mut counts = LogCounts::default();
    tables.tally(&mut counts);
    assert_eq!((counts.lost, counts.error), (0, None));
    folder
}

/// Column by column: the name, and the value in every row.
fn columns(folder: &Path, name: &str, delimiter: char) -> String {
    let text = std::fs::read_to_string(folder.join(name)).expect("a file");
    let lines: Vec<Vec<&str>> = text.lines().map(|l| l.split(delimiter).collect()).collect();
    let mut out = String::new();
    for (at, title) in lines[0].iter().enumerate() {
        let values: Vec<&str> = lines[1..].iter().map(|line| line[at]).collect();
        out.push_str(&format!("{title} | {}\n", values.join(" | ")));
    }
    out.replace('\t', " ")
}

#[test]
fn sipps_statistics_have_its_columns_periods_and_cumulation() {
    let folder = written(LogForm::Sipp, |_| {});
    insta::assert_snapshot!(columns(folder.path(), "stat", ';'));
}

#[test]
fn sipps_counts_rtts_and_codes() {
    let folder = written(LogForm::Sipp, |_| {});
    let read = |name| std::fs::read_to_string(folder.path().join(name)).expect("a file");
    insta::assert_snapshot!(columns(folder.path(), "counts", ';'));
    insta::assert_snapshot!(read("rtt"));
    insta::assert_snapshot!(read("codes"));
}

#[test]
fn periodic_rtd_begins_the_repartitions_anew_and_leaves_the_means() {
    let folder = written(LogForm::Sipp, |config| {
        config.tables.periodic_rtd = true;
        config.tables.delimiter = ",".to_owned();
        config.tables.rfc3339 = true;
    });
    let all = columns(folder.path(), "stat", ',');
    let some: Vec<&str> = all
        .lines()
        .filter(|line| {
            line.contains("Repartition") || line.starts_with("Cur") || line.contains("Time1(")
        })
        .collect();
    insta::assert_snapshot!(some.join("\n"));
}

#[test]
fn our_own_statistics_keep_their_promised_columns() {
    let folder = written(LogForm::Gossipper, |_| {});
    insta::assert_snapshot!(columns(folder.path(), "stat", ','));
}

#[test]
fn our_own_counts_rtts_and_codes() {
    let folder = written(LogForm::Gossipper, |_| {});
    let read = |name| std::fs::read_to_string(folder.path().join(name)).expect("a file");
    insta::assert_snapshot!(read("counts"));
    insta::assert_snapshot!(read("rtt"));
    insta::assert_snapshot!(read("codes"));
}

#[test]
fn the_order_of_our_own_columns_is_the_one_that_was_promised() {
    let folder = written(LogForm::Gossipper, |_| {});
    let text = std::fs::read_to_string(folder.path().join("stat")).expect("a file");
    let promised = "timestamp,elapsed_ms,total_calls,success_calls,failed_calls,active_calls,\
        success_ratio,calls_per_second,retransmits,timeouts,avg_call_ms,call_stddev_ms,\
        avg_invite_ms,invite_stddev_ms,rtp_packets_sent,rtp_packets_received,\
        rtcp_sender_reports,rtcp_receiver_reports,rtcp_packets_received,failure_timeout,\
        failure_unexpected_sip,failure_transport_error,failure_parse_error,\
        failure_scenario_error,failure_cancelled,interval_ms,interval_calls_per_second,\
        delta_total_calls,delta_success_calls,delta_failed_calls,delta_retransmits,\
        delta_timeouts,delta_rtp_packets_sent,delta_rtp_packets_received,\
        delta_rtcp_sender_reports,delta_rtcp_receiver_reports,delta_rtcp_packets_received,\
        delta_failure_timeout,delta_failure_unexpected_sip,delta_failure_transport_error,\
        delta_failure_parse_error,delta_failure_scenario_error,delta_failure_cancelled";
    assert_eq!(text.lines().next(), Some(promised));
}

#[test]
fn a_row_waits_for_all_shards_and_adds_them_up() {
    let mut state = layout().nothing();
    apply(&mut state, &[created()]);
    let of = |shard, index, last| Sample {
        shard,
        ..sample(index, index * 1000 + shard as u64, last, &state)
    };
    let mut merger = Merger::new(2);
    merger.add(of(0, 0, false));
    assert!(
        merger.next_row().is_none(),
        "the other shard has said nothing"
    );
    merger.add(of(1, 0, false));
    let (at, row) = merger.next_row().expect("a row");
    assert_eq!(
        (at, row.figures.counters.created()),
        (Micros::from_ms(1), 2)
    );
    // One runs ahead: its later figures wait.
    merger.add(of(0, 1, false));
    merger.add(of(0, 2, false));
    merger.add(of(1, 1, false));
    let (at, _) = merger.next_row().expect("a row");
    assert_eq!(at, Micros::from_ms(1001));
    assert!(merger.next_row().is_none());
    // One ends: its last figures stand for what follows.
    merger.add(of(1, 1, true));
    let (at, _) = merger.next_row().expect("the row of the second instant");
    assert_eq!(at, Micros::from_ms(2000));
    merger.add(of(0, 2, true));
    assert!(merger.next_row().is_some(), "the last row");
    assert!(merger.next_row().is_none(), "and no other");
}
