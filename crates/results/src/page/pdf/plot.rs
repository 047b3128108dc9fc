// SPDX-License-Identifier: AGPL-3.0-only
//! A chart on paper.

use super::super::document::{Chart, Ink, Mark, SHADES, Stroke};
use super::font::{Face, cut, width};
use super::sheet::{Color, DIM, EDGE, Sheets, TEXT};

/// The height of a chart.
pub(super) const HEIGHT: f64 = 158.0;

pub(super) fn ink(ink: Ink) -> Color {
    match ink {
        Ink::Blue => [0.18, 0.44, 0.87],
        Ink::Orange => [0.82, 0.42, 0.04],
        Ink::Green => [0.09, 0.57, 0.35],
        Ink::Red => [0.82, 0.20, 0.25],
        Ink::Purple => [0.51, 0.31, 0.87],
        Ink::Teal => [0.04, 0.53, 0.57],
        Ink::Grey => [0.55, 0.58, 0.63],
    }
}

/// From the lightest to the darkest.
const SHADE: [Color; SHADES] = [
    [0.87, 0.92, 0.97],
    [0.74, 0.84, 0.94],
    [0.58, 0.73, 0.90],
    [0.41, 0.62, 0.84],
    [0.27, 0.49, 0.78],
    [0.18, 0.37, 0.68],
    [0.14, 0.27, 0.55],
    [0.09, 0.17, 0.39],
];

/// As on white paper, thinned.
fn thinned(color: Color) -> Color {
    color.map(|part| 1.0 - (1.0 - part) * 0.14)
}

/// Draws a chart into a space: left, top, width.
pub(super) fn chart(sheets: &mut Sheets, chart: &Chart, (left, top, wide): (f64, f64, f64)) {
    sheets.frame([left, top, wide, HEIGHT - 8.0], EDGE);
    let inner = wide - 16.0;
    let title = cut(Face::Bold, 8.5, &chart.title, inner);
    sheets.text((left + 8.0, top + 13.0), Face::Bold, 8.5, TEXT, &title);
    let note = cut(Face::Plain, 6.5, &chart.note, inner);
    sheets.text((left + 8.0, top + 22.0), Face::Plain, 6.5, DIM, &note);
    let mut x = left + 8.0;
    for (color, stroke, name) in &chart.legend {
        let needed = 14.0 + width(Face::Plain, 6.5, name) + 8.0;
        if x + needed > left + wide {
            break;
        }
        let y = top + 30.0;
        match stroke {
            Stroke::Fill => sheets.fill([x, y - 4.0, 8.0, 5.0], ink(*color)),
            _ => {
                let dashed = *stroke == Stroke::Dashed;
                sheets.line(
                    &[(x, y - 1.8), (x + 10.0, y - 1.8)],
                    1.3,
                    dashed,
                    ink(*color),
                );
            }
        }
        sheets.text((x + 13.0, y), Face::Plain, 6.5, DIM, name);
        x += needed;
    }
    for mark in &chart.marks {
        let Mark::Shades(shades) = mark else { continue };
        for (level, end) in &shades.scale {
            let y = top + 30.0;
            sheets.fill([x, y - 5.0, 8.0, 6.0], SHADE[*level]);
            sheets.text((x + 11.0, y), Face::Plain, 6.5, DIM, end);
            x += 11.0 + width(Face::Plain, 6.5, end) + 8.0;
        }
    }
    let labels = chart
        .y
        .iter()
        .map(|tick| width(Face::Plain, 6.5, &tick.label));
    let labels = labels.fold(14.0, f64::max);
    let space = Space {
        left: left + 12.0 + labels,
        top: top + 38.0,
        wide: wide - 28.0 - labels,
        high: HEIGHT - 8.0 - 38.0 - 18.0,
    };
    for tick in &chart.y {
        let y = space.y(tick.at);
        let ends = [(space.left, y), (space.left + space.wide, y)];
        sheets.line(&ends, 0.5, false, EDGE);
        sheets.text_before(
            (space.left - 4.0, y + 2.2),
            Face::Plain,
            6.5,
            DIM,
            &tick.label,
        );
    }
    let mut rules = 0.0;
    for mark in &chart.marks {
        if matches!(mark, Mark::Rule(..)) {
            rules += 1.0;
        }
        draw(sheets, mark, &space, rules);
    }
    let mut free = f64::NEG_INFINITY;
    for tick in &chart.x {
        let half = width(Face::Plain, 6.5, &tick.label) / 2.0;
        let x = space.x(tick.at);
        // Marks that are too near to each other lose their words.
        if x - half < free {
            continue;
        }
        free = x + half + 5.0;
        let y = space.top + space.high + 9.0;
        sheets.text_around((x, y), Face::Plain, 6.5, DIM, &tick.label);
    }
}

struct Space {
    left: f64,
    top: f64,
    wide: f64,
    high: f64,
}

impl Space {
    fn x(&self, at: f64) -> f64 {
        self.left + self.wide * at
    }

    fn y(&self, at: f64) -> f64 {
        self.top + self.high * (1.0 - at)
    }

    fn points(&self, points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let points = points.iter();
        points.map(|(x, y)| (self.x(*x), self.y(*y))).collect()
    }
}

fn draw(sheets: &mut Sheets, mark: &Mark, space: &Space, rule: f64) {
    match mark {
        Mark::Area(color, points) => {
            let mut points = space.points(points);
            if let (Some(first), Some(last)) = (points.first().copied(), points.last().copied()) {
                points.extend([(last.0, space.y(0.0)), (first.0, space.y(0.0))]);
                sheets.polygon(&points, thinned(ink(*color)));
            }
        }
        Mark::Line(color, stroke, pieces) => {
            for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
                let points = space.points(piece);
                sheets.line(&points, 1.0, *stroke == Stroke::Dashed, ink(*color));
            }
        }
        Mark::Bars(color, bars) => {
            for [left, right, bottom, top] in bars {
                let (x, y) = (space.x(*left), space.y(*top));
                let high = (space.y(*bottom) - y).max(0.5);
                let wide = (space.x(*right) - x).max(0.3);
                sheets.fill([x, y, wide, high], ink(*color));
            }
        }
        Mark::Shades(shades) => {
            let (columns, rows) = (shades.columns.max(1) as f64, shades.rows.max(1) as f64);
            let high = space.high / rows;
            for (level, runs) in shades.runs.iter().enumerate() {
                for (column, row, length) in runs {
                    let x = space.x(*column as f64 / columns);
                    let y = space.y((*row + 1) as f64 / rows);
                    let wide = space.wide * *length as f64 / columns;
                    sheets.fill([x, y, wide, high], SHADE[level]);
                }
            }
        }
        Mark::Rule(at, name) => {
            let x = space.x(*at);
            sheets.line(&[(x, space.top), (x, space.y(0.0))], 0.5, true, DIM);
            let y = space.top - 2.0 + rule * 7.0;
            if *at > 0.6 {
                sheets.text_before((x - 3.0, y), Face::Plain, 6.5, DIM, name);
            } else {
                sheets.text((x + 3.0, y), Face::Plain, 6.5, DIM, name);
            }
        }
    }
}
