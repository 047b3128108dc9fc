// SPDX-License-Identifier: AGPL-3.0-only
//! Two runs next to each other.

use super::super::document::{Block, Cell, Section, Table, Tone};
use super::super::units;
use super::times;
use crate::latency::Latency;
use crate::summary::Summary;
use std::collections::BTreeSet;

/// Changes of a time below this part of it are nothing to speak of.
const NOTHING: f64 = 0.05;

/// What a change of a figure means.
#[derive(Clone, Copy)]
enum Wish {
    More,
    Less,
    Neither,
}

/// The section.
pub(super) fn section(run: &Summary, other: &Summary) -> Section {
    let mut rows = Vec::new();
    let ratio = |run: &Summary| {
        if run.finished_calls() == 0 {
            0.0
        } else {
            run.success_ratio
        }
    };
    rows.push(row(
        "Calls",
        units::count,
        other.total_calls,
        run.total_calls,
        Wish::Neither,
    ));
    let (before, now) = (ratio(other), ratio(run));
    rows.push(vec![
        Cell::from("Succeeded"),
        Cell::from(units::percent(before)),
        Cell::from(units::percent(now)),
        points(before, now),
    ]);
    let failed = [other.failed_calls, run.failed_calls];
    rows.push(row(
        "Failed",
        units::count,
        failed[0],
        failed[1],
        Wish::Less,
    ));
    let (before, now) = (other.calls_per_second, run.calls_per_second);
    rows.push(vec![
        Cell::from("Call rate"),
        Cell::from(format!("{}/s", units::digits(before))),
        Cell::from(format!("{}/s", units::digits(now))),
        change(before, now, Wish::More),
    ]);
    let peak = [other.run.peak_calls, run.run.peak_calls];
    rows.push(row(
        "Most calls open",
        units::count,
        peak[0],
        peak[1],
        Wish::Neither,
    ));
    let again = [other.retransmits, run.retransmits];
    rows.push(row(
        "Sent again",
        units::count,
        again[0],
        again[1],
        Wish::Less,
    ));
    rows.push(row(
        "Timeouts",
        units::count,
        other.timeouts,
        run.timeouts,
        Wish::Less,
    ));
    let classes: BTreeSet<_> = other
        .failure_classes
        .keys()
        .chain(run.failure_classes.keys())
        .collect();
    for class in classes {
        let count = |run: &Summary| run.failure_classes.get(class).copied().unwrap_or(0);
        let name = format!("Failed: {}", units::words(class));
        rows.push(row(
            &name,
            units::count,
            count(other),
            count(run),
            Wish::Less,
        ));
    }
    let before = times::named(other);
    for (name, latency) in times::named(run) {
        let Some((_, old)) = before.iter().find(|(other, _)| *other == name) else {
            continue;
        };
        // How long calls last is what the scenario says, not a merit.
        let wish = if name == "Call length" {
            Wish::Neither
        } else {
            Wish::Less
        };
        for (figure, of) in figures() {
            let name = format!("{name}, {figure}");
            rows.push(row(&name, units::time, of(old), of(latency), wish));
        }
    }
    let named = |run: &Summary| format!("{}, {}", run.run.scenario, units::moment(&run.started_at));
    Section {
        title: "Compared with another run",
        note: format!(
            "The other run is {}. Times are from due. In charts over time it is the grey line.",
            named(other)
        ),
        blocks: vec![Block::Table(Table {
            columns: vec!["", "other run", "this run", "change"],
            texts: 1,
            rows,
            ..Table::default()
        })],
    }
}

type Figure = fn(&Latency) -> u64;

fn figures() -> [(&'static str, Figure); 3] {
    fn due(latency: &Latency) -> &crate::latency::Timing {
        latency.due.as_ref().unwrap_or(&latency.sent)
    }
    [
        ("median", |latency| due(latency).p50),
        ("p99", |latency| due(latency).p99),
        ("max", |latency| due(latency).max),
    ]
}

fn row(name: &str, text: fn(u64) -> String, before: u64, now: u64, wish: Wish) -> Vec<Cell> {
    vec![
        Cell::from(name),
        Cell::from(text(before)),
        Cell::from(text(now)),
        change(before as f64, now as f64, wish),
    ]
}

/// Percent of what it was.
fn change(before: f64, now: f64, wish: Wish) -> Cell {
    if before == now {
        return Cell::toned("=", Tone::Faint);
    }
    let text = if before == 0.0 {
        "new".to_owned()
    } else {
        let part = (now - before) / before * 100.0;
        let sign = if part > 0.0 { "+" } else { "" };
        format!(
            "{sign}{}\u{a0}%",
            units::digits((part * 10.0).round() / 10.0)
        )
    };
    let small = before != 0.0 && ((now - before) / before).abs() < NOTHING;
    let tone = match wish {
        _ if small => Tone::Plain,
        Wish::Neither => Tone::Plain,
        Wish::More if now > before => Tone::Good,
        Wish::Less if now < before => Tone::Good,
        _ => Tone::Bad,
    };
    Cell::toned(text, tone)
}

/// The difference of two parts of one.
fn points(before: f64, now: f64) -> Cell {
    if before == now {
        return Cell::toned("=", Tone::Faint);
    }
    let difference = ((now - before) * 10_000.0).round() / 100.0;
    let (sign, tone) = if now > before {
        ("+", Tone::Good)
    } else {
        ("", Tone::Bad)
    };
    Cell::toned(
        format!("{sign}{}\u{a0}points", units::digits(difference)),
        tone,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_good_or_bad_by_what_one_wishes() {
        let said = |before, now, wish| {
            let cell = change(before, now, wish);
            (cell.text.replace('\u{a0}', " "), cell.tone)
        };
        assert_eq!(said(100.0, 150.0, Wish::Less), ("+50 %".into(), Tone::Bad));
        assert_eq!(said(100.0, 50.0, Wish::Less), ("−50 %".into(), Tone::Good));
        assert_eq!(said(100.0, 50.0, Wish::More), ("−50 %".into(), Tone::Bad));
        assert_eq!(said(100.0, 50.0, Wish::Neither).1, Tone::Plain);
        assert_eq!(said(100.0, 101.0, Wish::Less), ("+1 %".into(), Tone::Plain));
        assert_eq!(said(0.0, 3.0, Wish::Less), ("new".into(), Tone::Bad));
        assert_eq!(said(3.0, 3.0, Wish::Less), ("=".into(), Tone::Faint));
        assert_eq!(points(0.5, 0.75).text, "+25\u{a0}points");
    }
}
