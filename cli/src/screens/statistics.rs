// SPDX-License-Identifier: AGPL-3.0-only
//! The screen of the statistics: the last period beside the whole run.
// COMPAT(sipp): elapsed time, response times and call length are the same in both columns there; here each is of its period
// (docs/compat.md#periodic-column).

use super::{Frame, Shown};
use gossipper_control::TimeSummary;
use jiff::Timestamp;
use jiff::tz::TimeZone;

const RULE: &str =
    "-------------------------+---------------------------+--------------------------";

fn row(name: &str, period: &str, all: &str) -> String {
    let name: String = name.chars().take(22).collect();
    format!("  {name:<22} | {period:<25} | {all}")
        .trim_end()
        .to_owned()
}

fn counts(name: &str, period: u64, all: u64) -> String {
    row(name, &format!("{period:>8}"), &format!("{all:>8}"))
}

fn wall(us: u64) -> String {
    let time = i64::try_from(us)
        .ok()
        .and_then(|us| Timestamp::from_microsecond(us).ok())
        .unwrap_or(Timestamp::MAX)
        .to_zoned(TimeZone::system());
    format!(
        "{}\t{}.{:06}",
        time.strftime("%Y-%m-%d\t%H:%M:%S.%6f"),
        us / 1_000_000,
        us % 1_000_000
    )
}

/// `HH:MM:SS:uuuuuu` in whole milliseconds.
fn clock(us: u64) -> String {
    let ms = us / 1_000;
    let (hours, rest) = (ms / 3_600_000, ms % 3_600_000);
    format!(
        "{hours:02}:{:02}:{:02}:{:03}000",
        rest / 60_000,
        rest / 1_000 % 60,
        rest % 1_000
    )
}

/// Mean of the samples that came since `before`, in µs.
fn mean_since(now: &TimeSummary, before: Option<&TimeSummary>) -> u64 {
    let zero = TimeSummary::default();
    let before = before.unwrap_or(&zero);
    let Some(count) = now.count.checked_sub(before.count).filter(|n| *n > 0) else {
        return 0;
    };
    let sum = |times: &TimeSummary| times.mean_us * times.count as f64;
    // A float below zero becomes zero.
    ((sum(now) - sum(before)) / count as f64) as u64
}

pub(super) fn lines(frame: &Frame<'_>, shown: &Shown<'_>) -> Vec<String> {
    let (engine, before) = (shown.engine, shown.before);
    let at = |elapsed_us: u64| wall(frame.now.started_at_us.saturating_add(elapsed_us));
    let since = |now: u64, of: fn(&gossipper_control::EngineSnapshot) -> u64| {
        now.saturating_sub(before.map_or(0, of))
    };
    let calls = &engine.calls;
    let period_us = frame.period_us();
    let counted_us = frame.now.elapsed_us.saturating_sub(engine.counted_since_us);
    let new = since(calls.created(), |e| e.calls.created());
    let rate = |count: u64, us: u64| {
        let per_second = if us == 0 {
            0.0
        } else {
            count as f64 * 1e6 / us as f64
        };
        format!("{per_second:>8.3} cps")
    };
    let mut lines = vec![
        format!("  {:<22} | {}", "Start Time", at(engine.counted_since_us)),
        format!(
            "  {:<22} | {}",
            "Last Reset Time",
            at(frame.before.elapsed_us)
        ),
        format!("  {:<22} | {}", "Current Time", at(frame.now.elapsed_us)),
        RULE.to_owned(),
        row("Counter Name", "Periodic value", "Cumulative value"),
        RULE.to_owned(),
        row("Elapsed Time", &clock(period_us), &clock(counted_us)),
        row(
            "Call Rate",
            &rate(new, period_us),
            &rate(calls.created(), counted_us),
        ),
        RULE.to_owned(),
        counts(
            "Incoming calls created",
            since(calls.incoming, |e| e.calls.incoming),
            calls.incoming,
        ),
        counts(
            "Outgoing calls created",
            since(calls.outgoing, |e| e.calls.outgoing),
            calls.outgoing,
        ),
        row(
            "Total Calls created",
            "",
            &format!("{:>8}", calls.created()),
        ),
        row("Current Calls", &format!("{:>8}", calls.current), ""),
    ];
    for (index, counter) in engine.counters.iter().enumerate() {
        let earlier = before
            .and_then(|before| before.counters.get(index))
            .map_or(0, |counter| counter.count);
        lines.push(counts(
            &format!("Counter {}", counter.name),
            counter.count.saturating_sub(earlier),
            counter.count,
        ));
    }
    lines.push(RULE.to_owned());
    lines.push(counts(
        "Successful call",
        since(calls.succeeded, |e| e.calls.succeeded),
        calls.succeeded,
    ));
    lines.push(counts(
        "Failed call",
        since(calls.failed, |e| e.calls.failed),
        calls.failed,
    ));
    lines.push(RULE.to_owned());
    let times = |name: &str, now: &TimeSummary, before: Option<&TimeSummary>| {
        let all = clock(now.mean_us as u64);
        row(name, &clock(mean_since(now, before)), &all)
    };
    for (index, response) in engine.response_times.iter().enumerate() {
        let earlier = before.and_then(|before| before.response_times.get(index));
        lines.push(times(
            &format!("Response Time {}", response.name),
            &response.actual,
            earlier.map(|response| &response.actual),
        ));
    }
    lines.push(times(
        "Call Length",
        &engine.call_length,
        before.map(|before| &before.call_length),
    ));
    lines
}
