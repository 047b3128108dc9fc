// SPDX-License-Identifier: AGPL-3.0-only
//! Charts over time.
//!
//! However long a run was, a chart has at most [`COLUMNS`] columns; periods are put together, rates as their mean, counts as
//! their sum, levels and percentiles as their greatest. Lengths are never trusted: a file may say what it likes.

use super::super::axis::{self, Axis};
use super::super::document::{Chart, Hover, Ink, Mark, SHADES, Shades, Stroke};
use super::super::units;
use crate::summary::Summary;

/// Columns of a chart.
const COLUMNS: usize = 240;

/// Columns of a heat map.
const HEAT_COLUMNS: usize = 150;

/// Rows of a heat map at most.
const HEAT_ROWS: usize = 48;

/// Periods below which a chart over time says nothing.
const LEAST: usize = 3;

/// The colour of a class of failures.
pub(super) fn class_ink(class: &str) -> Ink {
    match class {
        "timeout" => Ink::Orange,
        "unexpected_sip" => Ink::Red,
        "transport_error" => Ink::Purple,
        "parse_error" => Ink::Teal,
        "scenario_error" => Ink::Blue,
        _ => Ink::Grey,
    }
}

/// Periods put together into columns.
struct Columns<'a> {
    run: &'a Summary,
    /// Periods.
    periods: usize,
    /// Seconds of one.
    period: f64,
    /// Periods of a column.
    size: usize,
    /// Columns.
    count: usize,
}

impl<'a> Columns<'a> {
    fn of(run: &'a Summary, most: usize) -> Self {
        let periods = run.series.created.len();
        let size = periods.div_ceil(most).max(1);
        Self {
            run,
            periods,
            period: run.series.period_s.max(1) as f64,
            size,
            count: periods.div_ceil(size),
        }
    }

    /// Seconds of a column.
    fn seconds(&self) -> f64 {
        self.period * self.size as f64
    }

    /// Seconds that a column lasted: the last one ends with the run.
    fn lasted(&self, column: usize) -> f64 {
        let from = self.seconds() * column as f64;
        let end = (self.run.duration as f64 / 1e9).min(self.period * self.periods as f64);
        // What lasted a moment has no rate.
        (end - from).clamp(self.period / 2.0, self.seconds())
    }

    fn values<'v, T: Copy>(&self, values: &'v [T], column: usize) -> impl Iterator<Item = T> + 'v {
        let from = (column * self.size).min(values.len());
        let to = (from + self.size).min(values.len());
        values[from..to].iter().copied()
    }

    fn each(&self, figure: impl Fn(usize) -> f64) -> Vec<f64> {
        (0..self.count).map(figure).collect()
    }

    /// What happened per second.
    fn rate(&self, counts: &[u64]) -> Vec<f64> {
        let sum = |column| self.values(counts, column).map(|n| n as f64).sum::<f64>();
        self.each(|column| sum(column) / self.lasted(column))
    }

    /// What happened.
    fn sum(&self, counts: &[u64]) -> Vec<f64> {
        self.each(|column| self.values(counts, column).map(|n| n as f64).sum())
    }

    /// The greatest.
    fn most(&self, levels: &[u64]) -> Vec<f64> {
        self.each(|column| self.values(levels, column).max().unwrap_or(0) as f64)
    }

    fn mean(&self, values: &[f64]) -> Vec<f64> {
        self.each(|column| {
            let values: Vec<f64> = self.values(values, column).collect();
            values.iter().sum::<f64>() / values.len().max(1) as f64
        })
    }

    /// The middle of a column.
    fn middle(&self, column: usize) -> f64 {
        (column as f64 + 0.5) / self.count.max(1) as f64
    }

    fn points(&self, values: &[f64], y: &Axis) -> Vec<(f64, f64)> {
        let values = values.iter().enumerate();
        values
            .map(|(column, value)| (self.middle(column), y.place(*value)))
            .collect()
    }

    /// Points without those that have no value, as the lines between them.
    fn pieces(&self, values: &[f64], y: &Axis) -> Vec<Vec<(f64, f64)>> {
        let mut pieces = vec![Vec::new()];
        for (column, value) in values.iter().enumerate() {
            if *value > 0.0 {
                if let Some(piece) = pieces.last_mut() {
                    piece.push((self.middle(column), y.place(*value)));
                }
            } else {
                pieces.push(Vec::new());
            }
        }
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }

    fn hover(&self, times: bool, rows: Vec<(&str, &[f64])>) -> Option<Hover> {
        let value = |value: &f64| (!times || *value > 0.0).then_some(*value);
        let rows = rows.into_iter().map(|(name, values)| {
            let values = values.iter().map(value).collect();
            (name.to_owned(), values)
        });
        Some(Hover {
            seconds: self.seconds(),
            times,
            rows: rows.collect(),
        })
    }

    fn chart(&self, title: &str, unit: &str, put: &str) -> Chart {
        let mut note = unit.to_owned();
        if self.size > 1 {
            let seconds = units::time((self.seconds() * 1e9) as u64);
            note = format!("{note}; {put} {seconds}");
        }
        Chart {
            title: title.to_owned(),
            note,
            x: axis::seconds(self.period * self.size as f64 * self.count as f64),
            ..Chart::default()
        }
    }

    fn per(&self) -> String {
        units::time((self.seconds() * 1e9) as u64)
            .trim_start_matches("1\u{a0}")
            .to_owned()
    }
}

fn greatest<'a>(columns: impl IntoIterator<Item = &'a Vec<f64>>) -> f64 {
    let values = columns.into_iter().flatten().copied();
    values.filter(|value| value.is_finite()).fold(0.0, f64::max)
}

/// The charts, or nothing of a run that was too short for any. `other` is a run to compare with.
pub(super) fn charts(run: &Summary, other: Option<&Summary>) -> Vec<Chart> {
    let columns = Columns::of(run, COLUMNS);
    if columns.periods < LEAST {
        return Vec::new();
    }
    // Columns of the other run stand for the same seconds, so that they can be laid over these.
    let other = other.map(|other| {
        let mut there = Columns::of(other, COLUMNS);
        there.size = ((columns.seconds() / there.period).round() as usize).max(1);
        there.count = there.periods.div_ceil(there.size).min(columns.count);
        there
    });
    let other = other.as_ref();
    let mut charts = vec![rate(&columns, other), open(&columns, other)];
    charts.extend(percentiles(&columns, other));
    charts.extend(failures(&columns));
    charts.push(messages(&columns));
    charts.extend(repairs(&columns));
    charts.extend(heat(&Columns::of(run, HEAT_COLUMNS)));
    charts
}

fn rate(columns: &Columns<'_>, other: Option<&Columns<'_>>) -> Chart {
    let series = &columns.run.series;
    let asked = columns.mean(&series.rate_asked);
    let reached = columns.rate(&series.created);
    let before = other.map(|other| other.rate(&other.run.series.created));
    let with_asked = columns.run.run.users.is_none() && greatest([&asked]) > 0.0;
    let mut all = vec![&reached];
    all.extend(with_asked.then_some(&asked));
    all.extend(&before);
    let y = Axis::linear(greatest(all), units::digits, false);
    let mut chart = columns.chart("Call rate", "calls per second", "mean of");
    let points = columns.points(&reached, &y);
    chart.marks.push(Mark::Area(Ink::Blue, points.clone()));
    let mut rows = vec![("reached", &reached[..])];
    if let Some(before) = &before {
        let there = vec![columns.points(before, &y)];
        chart.line(Ink::Grey, Stroke::Solid, "other run", there);
        rows.push(("other run", before));
    }
    chart.line(Ink::Blue, Stroke::Solid, "reached", vec![points]);
    if with_asked {
        let line = vec![columns.points(&asked, &y)];
        chart.line(Ink::Orange, Stroke::Dashed, "asked", line);
        rows.insert(0, ("asked", &asked));
    }
    chart.hover = columns.hover(false, rows);
    chart.y = y.ticks;
    chart
}

fn open(columns: &Columns<'_>, other: Option<&Columns<'_>>) -> Chart {
    let open = columns.most(&columns.run.series.open);
    let before = other.map(|other| other.most(&other.run.series.open));
    let y = Axis::linear(
        greatest(std::iter::once(&open).chain(&before)),
        units::digits,
        true,
    );
    let mut chart = columns.chart("Open calls", "calls at the end of each period", "most in");
    let points = columns.points(&open, &y);
    chart.marks.push(Mark::Area(Ink::Teal, points.clone()));
    let mut rows = vec![("open", &open[..])];
    if let Some(before) = &before {
        let there = vec![columns.points(before, &y)];
        chart.line(Ink::Grey, Stroke::Solid, "other run", there);
        rows.push(("other run", before));
    }
    chart.line(Ink::Teal, Stroke::Solid, "open", vec![points]);
    chart.hover = columns.hover(false, rows);
    chart.y = y.ticks;
    chart
}

fn percentiles(columns: &Columns<'_>, other: Option<&Columns<'_>>) -> Option<Chart> {
    let series = &columns.run.series;
    let due = [
        &series.answer_due.p50,
        &series.answer_due.p90,
        &series.answer_due.p99,
    ];
    let [p50, p90, p99] = due.map(|values| columns.most(values));
    let sent = columns.most(&series.answer.p99);
    let before = other.map(|other| other.most(&other.run.series.answer_due.p99));
    let most = greatest([&p50, &p90, &p99, &sent].into_iter().chain(&before));
    if most <= 0.0 {
        return None;
    }
    let above = [&p50, &p99, &sent].into_iter().flatten().copied();
    let least = above.filter(|value| *value > 0.0).fold(most, f64::min);
    let label = |ns: f64| units::time(ns as u64);
    let wide = most / least > 20.0;
    let y = if wide {
        Axis::log(least, most, label)
    } else {
        // Marks at whole units.
        Axis::linear(most, label, true)
    };
    let mut chart = columns.chart(
        "Answer times",
        "from when the request was due",
        "greatest in",
    );
    if wide {
        chart.note.push_str("; logarithmic");
    }
    let lines = [
        (Ink::Green, Stroke::Solid, "median", &p50),
        (Ink::Blue, Stroke::Solid, "p90", &p90),
        (Ink::Purple, Stroke::Solid, "p99", &p99),
        (Ink::Orange, Stroke::Dashed, "p99 from sending", &sent),
    ];
    let mut rows = Vec::new();
    if let Some(before) = &before {
        let there = columns.pieces(before, &y);
        chart.line(Ink::Grey, Stroke::Solid, "p99, other run", there);
    }
    for (ink, stroke, name, values) in lines {
        chart.line(ink, stroke, name, columns.pieces(values, &y));
        rows.push((name, &values[..]));
    }
    if let Some(before) = &before {
        rows.push(("p99, other run", before));
    }
    chart.hover = columns.hover(true, rows);
    chart.y = y.ticks;
    Some(chart)
}

/// Stacked bars, class upon class.
fn failures(columns: &Columns<'_>) -> Option<Chart> {
    let classes = columns.run.series.failed.iter();
    let classes: Vec<_> = classes
        .map(|(class, counts)| (class.as_str(), columns.sum(counts)))
        .collect();
    let total = columns.each(|column| classes.iter().map(|(_, counts)| counts[column]).sum());
    if greatest([&total]) <= 0.0 {
        return None;
    }
    let y = Axis::linear(greatest([&total]), units::digits, true);
    let unit = format!("calls per {}", columns.per());
    let mut chart = columns.chart("Failed calls by class", &unit, "sum of");
    let mut below = vec![0.0; columns.count];
    let width = 1.0 / columns.count.max(1) as f64;
    // Bars that are wide enough stand apart.
    let gap = if columns.count <= 80 {
        width * 0.12
    } else {
        0.0
    };
    for (class, counts) in &classes {
        let mut bars = Vec::new();
        for (column, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
            let (left, from) = (width * column as f64, below[column]);
            below[column] = from + count;
            bars.push([
                left + gap,
                left + width - gap,
                y.place(from),
                y.place(from + count),
            ]);
        }
        let ink = class_ink(class);
        chart.marks.push(Mark::Bars(ink, bars));
        chart.legend.push((ink, Stroke::Fill, units::words(class)));
    }
    let names: Vec<_> = classes
        .iter()
        .map(|(class, _)| units::words(class))
        .collect();
    let rows = names.iter().zip(&classes);
    let rows = rows.map(|(name, (_, counts))| (name.as_str(), &counts[..]));
    chart.hover = columns.hover(false, rows.collect());
    chart.y = y.ticks;
    Some(chart)
}

fn messages(columns: &Columns<'_>) -> Chart {
    let series = &columns.run.series;
    let (sent, received) = (columns.rate(&series.sent), columns.rate(&series.received));
    let y = Axis::linear(greatest([&sent, &received]), units::digits, false);
    let mut chart = columns.chart("Messages", "per second, without repetitions", "mean of");
    for (ink, stroke, name, values) in [
        (Ink::Blue, Stroke::Solid, "sent", &sent),
        (Ink::Orange, Stroke::Dashed, "received", &received),
    ] {
        let points = vec![columns.points(values, &y)];
        chart.line(ink, stroke, name, points);
    }
    chart.hover = columns.hover(false, vec![("sent", &sent), ("received", &received)]);
    chart.y = y.ticks;
    chart
}

/// What went wrong on the way, whether or not a call failed of it.
fn repairs(columns: &Columns<'_>) -> Option<Chart> {
    let series = &columns.run.series;
    let kinds = [
        (Ink::Orange, "sent again", &series.retransmitted),
        (Ink::Purple, "timeouts", &series.timeouts),
        (Ink::Red, "unexpected", &series.unexpected),
    ];
    let kinds = kinds.map(|(ink, name, counts)| (ink, name, columns.sum(counts)));
    let most = greatest(kinds.iter().map(|(_, _, counts)| counts));
    if most <= 0.0 {
        return None;
    }
    let y = Axis::linear(most, units::digits, true);
    let unit = format!("messages per {}", columns.per());
    let mut chart = columns.chart("Retransmissions and trouble", &unit, "sum of");
    let mut rows = Vec::new();
    for (ink, name, counts) in kinds
        .iter()
        .filter(|(_, _, counts)| greatest([counts]) > 0.0)
    {
        let points = columns.points(counts, &y);
        chart.marks.push(Mark::Area(*ink, points.clone()));
        chart.line(*ink, Stroke::Solid, name, vec![points]);
        rows.push((*name, &counts[..]));
    }
    chart.hover = columns.hover(false, rows);
    chart.y = y.ticks;
    Some(chart)
}

/// How many answers took how long, when.
fn heat(columns: &Columns<'_>) -> Option<Chart> {
    let cells = &columns.run.series.answer_due_cells;
    let all = cells.iter().flatten().filter(|(_, count)| *count > 0);
    // Below a microsecond nothing is told apart.
    let begins = all.map(|(begins, _)| (*begins).max(1000) as f64);
    let (least, most) = begins.fold((f64::INFINITY, 0.0), |(least, most), begins| {
        (f64::min(least, begins), f64::max(most, begins))
    });
    if !least.is_finite() {
        return None;
    }
    let label = |ns: f64| units::time(ns as u64);
    // A cell ends at most an eighth above its beginning.
    let y = Axis::log(least, most * 1.125, label);
    let (low, high) = y.ends();
    let octaves = (high / low).log2();
    // Rows are no finer than cells, which would leave stripes.
    let rows = ((octaves * 4.0).ceil() as usize).clamp(1, HEAT_ROWS);
    let mut grid = vec![0.0f64; columns.count * rows];
    for column in 0..columns.count {
        let from = (column * columns.size).min(cells.len());
        let to = (from + columns.size).min(cells.len());
        for (begins, count) in cells[from..to].iter().flatten() {
            let row = (y.place(*begins as f64 * 1.06) * rows as f64) as usize;
            grid[column * rows + row.min(rows - 1)] += *count as f64;
        }
    }
    let greatest = grid.iter().copied().fold(0.0, f64::max);
    // Of counts that far apart the small ones are what one looks for.
    let shade = |count: f64| {
        let part = (1.0 + count).ln() / (1.0 + greatest).ln();
        ((part * SHADES as f64).ceil() as usize).clamp(1, SHADES) - 1
    };
    let mut shades = Shades {
        columns: columns.count,
        rows,
        scale: scale(greatest),
        ..Shades::default()
    };
    for row in 0..rows {
        let mut column = 0;
        while column < columns.count {
            let count = grid[column * rows + row];
            if count <= 0.0 {
                column += 1;
                continue;
            }
            let (from, level) = (column, shade(count));
            while column < columns.count
                && grid[column * rows + row] > 0.0
                && shade(grid[column * rows + row]) == level
            {
                column += 1;
            }
            shades.runs[level].push((from, row, column - from));
        }
    }
    let mut chart = columns.chart(
        "Answer times, each answer",
        "from when the request was due, logarithmic; colours are answers per field, at most",
        "columns of",
    );
    chart.wide = true;
    chart.marks.push(Mark::Shades(shades));
    chart.y = y.ticks;
    Some(chart)
}

/// The greatest whole count of each shade, of those that have one of their own.
fn scale(greatest: f64) -> Vec<(usize, String)> {
    let mut before = 0;
    let ends = (0..SHADES).filter_map(|level| {
        let part = (level + 1) as f64 / SHADES as f64;
        // The last is the greatest count itself, whatever rounding makes of it.
        let end = (((1.0 + greatest).ln() * part).exp() - 1.0 + 1e-6).floor() as u64;
        let new = end > before;
        before = end;
        new.then(|| (level, units::count(end)))
    });
    ends.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_of_a_heat_map_ends_at_the_greatest_count() {
        let said = |greatest| {
            let scale = scale(greatest).into_iter();
            let scale: Vec<_> = scale.map(|(level, end)| format!("{level}:{end}")).collect();
            scale.join(" ")
        };
        assert_eq!(said(1.0), "7:1");
        assert_eq!(said(161.0), "1:2 2:5 3:11 4:23 5:44 6:84 7:161");
        assert_eq!(said(0.0), "");
    }
}
