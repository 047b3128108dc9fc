// SPDX-License-Identifier: AGPL-3.0-only
//! A chart as inline SVG.
//!
//! Marks are drawn in a space of a thousand by a thousand that is stretched to whatever width there is, with lines that do not
//! grow with it; words stand beside the picture as text of the page. So a chart on a phone has the letters of a chart on a wall.

use super::super::document::{Chart, Hover, Ink, Mark, Stroke, Tick};
use super::{escaped, number};
use std::fmt::Write as _;

const SIDE: f64 = 1000.0;

fn ink(ink: Ink) -> &'static str {
    match ink {
        Ink::Blue => "blue",
        Ink::Orange => "orange",
        Ink::Green => "green",
        Ink::Red => "red",
        Ink::Purple => "purple",
        Ink::Teal => "teal",
        Ink::Grey => "grey",
    }
}

fn stroke(stroke: Stroke) -> &'static str {
    match stroke {
        Stroke::Solid => "solid",
        Stroke::Dashed => "dashed",
        Stroke::Fill => "fill",
    }
}

/// A place in the picture: whole numbers are fine enough for any screen.
fn at(value: f64) -> i64 {
    (value * SIDE).round() as i64
}

fn from_top(value: f64) -> i64 {
    at(1.0 - value)
}

fn percent(value: f64) -> String {
    number(value * 100.0)
}

/// A picture with its title, its legend and its axes.
pub(super) fn figure(out: &mut String, chart: &Chart) {
    let wide = if chart.wide { " wide" } else { "" };
    let (title, note) = (escaped(&chart.title), escaped(&chart.note));
    // Writing to memory cannot fail, here and below.
    let _ = write!(
        out,
        "<figure class=\"chart{wide}\">\n<figcaption><b>{title}</b> <span>{note}</span></figcaption>\n"
    );
    if !chart.legend.is_empty() {
        out.push_str("<p class=\"legend\">");
        for (color, line, name) in &chart.legend {
            let _ = write!(
                out,
                "<span class=\"{} {}\">{}</span>",
                ink(*color),
                stroke(*line),
                escaped(name)
            );
        }
        out.push_str("</p>\n");
    }
    for mark in &chart.marks {
        if let Mark::Shades(shades) = mark {
            out.push_str("<p class=\"legend\">");
            for (level, end) in &shades.scale {
                let _ = write!(
                    out,
                    "<span class=\"shade s{level}\">{}</span>",
                    escaped(end)
                );
            }
            out.push_str("</p>\n");
        }
    }
    out.push_str("<div class=\"plot\"");
    if let Some(hover) = &chart.hover {
        let _ = write!(out, " data-hover=\"{}\"", escaped(&json(hover)));
    }
    let _ = write!(
        out,
        ">\n<svg viewBox=\"0 0 1000 1000\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{title}: {note}\">\n"
    );
    out.push_str("<path class=\"lines\" d=\"");
    for tick in &chart.y {
        let _ = write!(out, "M0 {}H1000", from_top(tick.at));
    }
    out.push_str("\"/>\n");
    for drawn in &chart.marks {
        mark(out, drawn);
    }
    out.push_str("</svg>\n");
    ticks(out, "y", "bottom", &chart.y);
    ticks(out, "x", "left", &chart.x);
    let rules = chart.marks.iter().filter_map(|mark| match mark {
        Mark::Rule(place, name) => Some((*place, name)),
        _ => None,
    });
    for (row, (place, name)) in rules.enumerate() {
        let side = if place > 0.6 { " before" } else { "" };
        let _ = write!(
            out,
            "<span class=\"rule{side}\" style=\"left:{}%;top:{}em\">{}</span>",
            percent(place),
            number(row as f64 * 1.5),
            escaped(name)
        );
    }
    out.push_str("</div>\n</figure>\n");
}

fn ticks(out: &mut String, class: &str, side: &str, ticks: &[Tick]) {
    let _ = write!(out, "<div class=\"{class}\" aria-hidden=\"true\">");
    for tick in ticks {
        let _ = write!(
            out,
            "<span style=\"{side}:{}%\">{}</span>",
            percent(tick.at),
            escaped(&tick.label)
        );
    }
    out.push_str("</div>\n");
}

fn line(out: &mut String, points: &[(f64, f64)]) {
    for (place, (x, y)) in points.iter().enumerate() {
        let letter = if place == 0 { 'M' } else { 'L' };
        let _ = write!(out, "{letter}{} {}", at(*x), from_top(*y));
    }
    // A point between two gaps is a dot.
    if points.len() == 1 {
        out.push_str("h0");
    }
}

fn mark(out: &mut String, mark: &Mark) {
    match mark {
        Mark::Area(color, points) => {
            let (Some(first), Some(last)) = (points.first(), points.last()) else {
                return;
            };
            let _ = write!(out, "<path class=\"area {}\" d=\"", ink(*color));
            line(out, points);
            let _ = writeln!(out, "V1000H{}Z\"/>", at(first.0));
            debug_assert!(last.0 >= first.0);
        }
        Mark::Line(color, how, pieces) => {
            let _ = write!(
                out,
                "<path class=\"line {} {}\" d=\"",
                ink(*color),
                stroke(*how)
            );
            for piece in pieces {
                line(out, piece);
            }
            out.push_str("\"/>\n");
        }
        Mark::Bars(color, bars) => {
            let _ = write!(out, "<path class=\"bars {}\" d=\"", ink(*color));
            for [left, right, bottom, top] in bars {
                // What there is is seen, however little.
                let (top, bottom) = (from_top(*top), from_top(*bottom));
                let height = (bottom - top).max(4);
                let _ = write!(
                    out,
                    "M{} {}H{}v-{height}H{}z",
                    number(left * SIDE),
                    bottom,
                    number(right * SIDE),
                    number(left * SIDE)
                );
            }
            out.push_str("\"/>\n");
        }
        Mark::Shades(shades) => {
            // Columns and rows are the units here.
            let scale = |all: usize| number(SIDE / all.max(1) as f64 * 1000.0);
            let (x, y) = (scale(shades.columns), scale(shades.rows));
            let _ = writeln!(
                out,
                "<g class=\"shades\" transform=\"scale(.001) scale({x} {y})\">"
            );
            for (level, runs) in shades.runs.iter().enumerate() {
                if runs.is_empty() {
                    continue;
                }
                let _ = write!(out, "<path class=\"s{level}\" d=\"");
                for (column, row, length) in runs {
                    let top = shades.rows - row - 1;
                    let _ = write!(out, "M{column} {top}h{length}v1h-{length}z");
                }
                out.push_str("\"/>\n");
            }
            out.push_str("</g>\n");
        }
        Mark::Rule(place, _) => {
            let _ = writeln!(out, "<path class=\"mark\" d=\"M{} 0V1000\"/>", at(*place));
        }
    }
}

/// What the script of the page reads: seconds per column, whether values are times (then in µs), names and values.
fn json(hover: &Hover) -> String {
    let rows = hover.rows.iter().map(|(name, values)| {
        let values = values.iter().map(|value| match value {
            None => "null".to_owned(),
            Some(value) if hover.times => number((value / 1000.0).round()),
            Some(value) => number(*value),
        });
        let name = serde_json::Value::String(name.clone());
        format!("[{name},[{}]]", values.collect::<Vec<_>>().join(","))
    });
    format!(
        "{{\"s\":{},\"t\":{},\"r\":[{}]}}",
        number(hover.seconds),
        hover.times,
        rows.collect::<Vec<_>>().join(",")
    )
}
