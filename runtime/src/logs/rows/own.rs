// SPDX-License-Identifier: AGPL-3.0-only
//! The columns of gossipper's own statistics file. Their names and order are a promise to whoever reads them.
//!
//! Figures without a prefix count since the start, `delta_` and `interval_` since the row before. The columns of media
//! stay zero as long as no media is sent.

use gossipper_bytecode::FailReason;

use super::{Cells, Row};
use crate::config::TableConfig;
use crate::stats::{Counters, Sums};

/// Classes of failures, in the order of their columns.
const CLASSES: [&str; 6] = [
    "timeout",
    "unexpected_sip",
    "transport_error",
    "parse_error",
    "scenario_error",
    "cancelled",
];

const MEDIA: [&str; 5] = [
    "rtp_packets_sent",
    "rtp_packets_received",
    "rtcp_sender_reports",
    "rtcp_receiver_reports",
    "rtcp_packets_received",
];

fn of_class(counters: &Counters, class: &str) -> u64 {
    FailReason::ALL
        .iter()
        .filter(|reason| reason.class() == class)
        .map(|reason| counters.failed[reason.index()])
        .sum()
}

fn rate(count: u64, us: u64) -> String {
    let rate = if us == 0 {
        0.0
    } else {
        count as f64 * 1e6 / us as f64
    };
    format!("{rate:.6}")
}

fn ratio(part: u64, of: u64) -> String {
    let ratio = if of == 0 {
        0.0
    } else {
        part as f64 / of as f64
    };
    format!("{ratio:.6}")
}

fn times(cells: &mut Cells<'_>, mean: &str, deviation: &str, times: &Sums) {
    cells.cell(mean, format_args!("{:.3}", times.mean() / 1e3));
    cells.cell(deviation, format_args!("{:.3}", times.deviation() / 1e3));
}

pub(super) fn statistics(cells: &mut Cells<'_>, row: &Row<'_>, _: &TableConfig) {
    let count = |figure: fn(&Counters) -> u64| row.both(|figures| figure(&figures.counters));
    let created = count(Counters::created);
    let succeeded = count(Counters::succeeded);
    let failed = count(Counters::failed);
    let repeated = count(|counters| counters.messages.retransmitted);
    let timeouts = count(|counters| counters.messages.timeouts);
    let classes = CLASSES.map(|class| row.both(|figures| of_class(&figures.counters, class)));
    let interval_us = row.at.since(row.before_at).0;

    cells.time("timestamp", row.at);
    cells.cell("elapsed_ms", row.at.as_ms());
    cells.cell("total_calls", created.1);
    cells.cell("success_calls", succeeded.1);
    cells.cell("failed_calls", failed.1);
    cells.cell("active_calls", row.now.figures.counters.current());
    cells.cell("success_ratio", ratio(succeeded.1, succeeded.1 + failed.1));
    cells.cell("calls_per_second", rate(created.1, row.at.0));
    cells.cell("retransmits", repeated.1);
    cells.cell("timeouts", timeouts.1);
    let figures = &row.now.figures;
    times(
        cells,
        "avg_call_ms",
        "call_stddev_ms",
        &figures.call_length_us,
    );
    times(
        cells,
        "avg_invite_ms",
        "invite_stddev_ms",
        &figures.invite_us,
    );
    for name in MEDIA {
        cells.cell(name, 0);
    }
    for (class, count) in CLASSES.iter().zip(&classes) {
        cells.cell(format_args!("failure_{class}"), count.1);
    }
    cells.cell("interval_ms", interval_us / 1000);
    cells.cell("interval_calls_per_second", rate(created.0, interval_us));
    cells.cell("delta_total_calls", created.0);
    cells.cell("delta_success_calls", succeeded.0);
    cells.cell("delta_failed_calls", failed.0);
    cells.cell("delta_retransmits", repeated.0);
    cells.cell("delta_timeouts", timeouts.0);
    for name in MEDIA {
        cells.cell(format_args!("delta_{name}"), 0);
    }
    for (class, count) in CLASSES.iter().zip(&classes) {
        cells.cell(format_args!("delta_failure_{class}"), count.0);
    }
}
