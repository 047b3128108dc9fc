// SPDX-License-Identifier: AGPL-3.0-only
//! The columns of SIPp's statistics file.
//!
//! `(P)` is what came since the row before, `(C)` since the start. SIPp writes two rows at the end, the second one with
//! empty periods; here there is one. Where there is only one sample, SIPp prints an accidental number for the
//! deviation; here it is zero.

use gossipper_bytecode::FailReason;

use super::{Cells, Row, clock, long_clock};
use crate::config::TableConfig;
use crate::stats::{Counters, TimerFigures};

pub(super) fn statistics(cells: &mut Cells<'_>, row: &Row<'_>, config: &TableConfig) {
    calls(cells, row);
    outcomes(cells, row);
    timers(cells, row);
    for (index, name) in row.layout.counters.iter().enumerate() {
        let count = row.both(|figures| figures.counters.user.get(index).copied().unwrap_or(0));
        let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = if plain { "GenericCounter" } else { "" };
        pair(cells, &format!("{prefix}{name}"), count);
    }
    for (index, timer) in row.layout.timers.iter().enumerate() {
        repartition(
            cells,
            &format!("ResponseTimeRepartition{}", timer.name),
            &timer.borders_ms,
            &row.now.figures.rtds[index],
            config
                .periodic_rtd
                .then_some(&row.before.figures.rtds[index]),
        );
    }
    repartition(
        cells,
        "CallLengthRepartition",
        &row.layout.call_borders_ms,
        &row.now.figures.call_length,
        config
            .periodic_rtd
            .then_some(&row.before.figures.call_length),
    );
}

fn pair(cells: &mut Cells<'_>, name: &str, (period, all): (u64, u64)) {
    cells.cell(format_args!("{name}(P)"), period);
    cells.cell(format_args!("{name}(C)"), all);
}

fn per_second(count: u64, us: u64) -> String {
    let rate = if us == 0 {
        0.0
    } else {
        count as f64 * 1e6 / us as f64
    };
    format!("{rate:.3}")
}

fn calls(cells: &mut Cells<'_>, row: &Row<'_>) {
    let (period, all) = (row.at.since(row.before_at).0, row.at.0);
    cells.time("StartTime", gossipper_vm::Micros(0));
    cells.time("LastResetTime", row.before_at);
    cells.time("CurrentTime", row.at);
    cells.cell("ElapsedTime(P)", clock(period / 1_000_000));
    cells.cell("ElapsedTime(C)", clock(all / 1_000_000));
    match row.now.users {
        Some(users) => cells.cell("TargetRate", users),
        None => cells.cell("TargetRate", format_args!("{:.3}", row.now.rate)),
    }
    let created = row.both(|figures| figures.counters.created());
    cells.cell("CallRate(P)", per_second(created.0, period));
    cells.cell("CallRate(C)", per_second(created.1, all));
    pair(
        cells,
        "IncomingCall",
        row.both(|figures| figures.counters.incoming),
    );
    pair(
        cells,
        "OutgoingCall",
        row.both(|figures| figures.counters.outgoing),
    );
    cells.cell("TotalCallCreated", created.1);
    // A level, not a count.
    cells.cell("CurrentCall", row.now.figures.counters.current());
}

fn outcomes(cells: &mut Cells<'_>, row: &Row<'_>) {
    let count = |figure: fn(&Counters) -> u64| row.both(|figures| figure(&figures.counters));
    pair(cells, "SuccessfulCall", count(Counters::succeeded));
    pair(cells, "FailedCall", count(Counters::failed));
    // Those without a column of their own are in FailedCall alone.
    for reason in FailReason::ALL {
        if reason.csv_name() != "FailedCall" {
            let failed = row.both(|figures| figures.counters.failed[reason.index()]);
            pair(cells, reason.csv_name(), failed);
        }
    }
    pair(cells, "OutOfCallMsgs", count(|c| c.messages.out_of_call));
    pair(cells, "DeadCallMsgs", count(|c| c.messages.dead_call));
    pair(
        cells,
        "Retransmissions",
        count(|c| c.messages.retransmitted),
    );
    pair(cells, "AutoAnswered", count(|c| c.messages.auto_answered));
    pair(cells, "Warnings", count(|c| c.messages.warnings));
    let (fatal, before) = (row.now.fatal, row.before.fatal);
    pair(
        cells,
        "FatalErrors",
        (u64::from(fatal && !before), u64::from(fatal)),
    );
    pair(cells, "WatchdogMajor", count(|c| c.messages.watchdog_major));
    pair(cells, "WatchdogMinor", count(|c| c.messages.watchdog_minor));
}

fn timers(cells: &mut Cells<'_>, row: &Row<'_>) {
    let (now, before) = (&row.now.figures, &row.before.figures);
    for (index, timer) in row.layout.timers.iter().enumerate() {
        let name = format!("ResponseTime{}", timer.name);
        times(cells, &name, &now.rtds[index], &before.rtds[index]);
    }
    times(cells, "CallLength", &now.call_length, &before.call_length);
}

fn times(cells: &mut Cells<'_>, name: &str, now: &TimerFigures, before: &TimerFigures) {
    let period = now.ms.since(&before.ms);
    cells.cell(format_args!("{name}(P)"), long_clock(period.mean() as u64));
    cells.cell(format_args!("{name}(C)"), long_clock(now.ms.mean() as u64));
    let name = format!("{name}StDev");
    cells.cell(
        format_args!("{name}(P)"),
        long_clock(period.deviation() as u64),
    );
    cells.cell(
        format_args!("{name}(C)"),
        long_clock(now.ms.deviation() as u64),
    );
}

fn repartition(
    cells: &mut Cells<'_>,
    name: &str,
    borders: &[u32],
    now: &TimerFigures,
    since: Option<&TimerFigures>,
) {
    let Some(last) = borders.last() else {
        return;
    };
    cells.cell(name, "");
    let value = |cell: usize| {
        let before = since.map_or(0, |since| since.cells[cell]);
        now.cells[cell].saturating_sub(before)
    };
    for (cell, border) in borders.iter().enumerate() {
        cells.cell(format_args!("{name}_<{border}"), value(cell));
    }
    cells.cell(format_args!("{name}_>={last}"), value(borders.len()));
}
