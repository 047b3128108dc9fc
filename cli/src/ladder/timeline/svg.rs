// SPDX-License-Identifier: AGPL-3.0-only
//! The media of a call as SVG: time goes to the right, each stream has a lane, messages of SIP are lines through all of them.

use super::super::shortened;
use super::super::svg::{STYLE, escaped};
use super::{Timeline, seconds};
use core::fmt::Write as _;

const WIDTH: usize = 1000;
const MARGIN: usize = 24;
/// Where names of messages begin, and how many lines they may take.
const NAMES: usize = 62;
const NAME_LINES: usize = 5;
const LINE: usize = 17;
/// Height of a lane, and of its bars.
const LANE: usize = 62;
const BAR: usize = 20;
/// Width of a character.
const CHAR: usize = 8;

const MORE: &str = "\
.when{stroke:var(--line);stroke-width:1}.grid{stroke:var(--line);stroke-dasharray:1 5}\
.bar{fill:var(--out);fill-opacity:.75}.digit{fill:var(--in)}.lost{stroke:var(--mark);stroke-width:2}\
.over{paint-order:stroke;stroke:var(--bg);stroke-width:4px;stroke-linejoin:round}.report{fill:var(--soft)}.on{font-size:12px;fill:var(--bg);text-anchor:middle;font-weight:600}.axis{text-anchor:middle;\
font-size:12.5px;fill:var(--soft)}";

/// Draws it.
pub(in super::super) fn svg(timeline: &Timeline) -> String {
    let rows = names(timeline);
    let lines = rows.iter().map(|(_, row)| row + 1).max().unwrap_or(0);
    let top = NAMES + lines * LINE + 8;
    let bottom = top + timeline.lanes.len() * LANE;
    let height = bottom + 62;
    let title = escaped(&shortened(&timeline.title, 90, "…"));
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"title desc\">\n\
         <title id=\"title\">{title}</title>\n<desc id=\"desc\">{}</desc>\n<style>{STYLE}{MORE}</style>\n\
         <rect class=\"bg\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"36\">{title}</text>",
        escaped(&described(timeline)),
    );
    axis(timeline, top, bottom, &mut out);
    // Lines first, so that they cover no name.
    for (message, (_, row)) in timeline.messages.iter().zip(&rows) {
        let at = place(message.at_us, timeline.span_us);
        let y = NAMES + row * LINE + 4;
        let _ = writeln!(out, "<path class=\"when\" d=\"M{at} {y}V{bottom}\"/>");
    }
    for (message, (x, row)) in timeline.messages.iter().zip(&rows) {
        let _ = writeln!(
            out,
            "<text class=\"note over\" x=\"{x}\" y=\"{}\">{}</text>",
            NAMES + row * LINE + 12,
            escaped(&message.label),
        );
    }
    for (index, lane) in timeline.lanes.iter().enumerate() {
        let y = top + index * LANE;
        let bar_at = y + 26;
        let _ = writeln!(
            out,
            "<text class=\"over\" x=\"{MARGIN}\" y=\"{}\"><tspan font-weight=\"600\">{}</tspan><tspan class=\"note\">  {}</tspan></text>",
            y + 18,
            escaped(&lane.name),
            escaped(&lane.figures),
        );
        for bar in &lane.bars {
            let (from, to) = (
                place(bar.from_us, timeline.span_us),
                place(bar.to_us, timeline.span_us),
            );
            let width = to.saturating_sub(from).max(2);
            let class = if bar.event { "bar digit" } else { "bar" };
            let _ = writeln!(
                out,
                "<rect class=\"{class}\" x=\"{from}\" y=\"{bar_at}\" width=\"{width}\" height=\"{BAR}\" rx=\"2\">\
                 <title>{} {} to {} s</title></rect>",
                escaped(&bar.label),
                seconds(bar.from_us),
                seconds(bar.to_us),
            );
            if width >= bar.label.chars().count() * CHAR {
                let _ = writeln!(
                    out,
                    "<text class=\"on\" x=\"{}\" y=\"{}\">{}</text>",
                    from + width / 2,
                    bar_at + 15,
                    escaped(&bar.label),
                );
            }
        }
        for at in &lane.lost_us {
            let x = place(*at, timeline.span_us);
            let _ = writeln!(
                out,
                "<path class=\"lost\" d=\"M{x} {}v{}\"/>",
                bar_at - 4,
                BAR + 8
            );
        }
        for at in &lane.reports_us {
            let x = place(*at, timeline.span_us);
            let y = bar_at + BAR + 3;
            let _ = writeln!(out, "<path class=\"report\" d=\"M{x} {y}l4 7h-8z\"/>");
        }
    }
    let _ = writeln!(
        out,
        "<text class=\"note\" x=\"{MARGIN}\" y=\"{}\">bars: packets without a gap · green: digits · upright strokes: loss or \
         disorder · triangles: RTCP</text>",
        height - 14
    );
    out.push_str("</svg>\n");
    out
}

/// Where a time lies.
fn place(at_us: u64, span_us: u64) -> usize {
    let room = (WIDTH - 2 * MARGIN) as f64;
    // Within the picture, as the time is within the span.
    MARGIN + (at_us.min(span_us) as f64 / span_us.max(1) as f64 * room).round() as usize
}

/// Where the name of each message stands, and in which line, so that none covers another as long as there is room.
fn names(timeline: &Timeline) -> Vec<(usize, usize)> {
    let mut ends = [0; NAME_LINES];
    let mut found = Vec::new();
    for message in &timeline.messages {
        let width = (message.label.chars().count() + 1) * CHAR;
        let at = place(message.at_us, timeline.span_us);
        let x = (at + 3).min(WIDTH.saturating_sub(width));
        let free = ends.iter().position(|end| *end <= x);
        let row = free.unwrap_or_else(|| {
            let first = ends.iter().enumerate().min_by_key(|(_, end)| **end);
            first.map_or(0, |(row, _)| row)
        });
        ends[row] = x + width;
        found.push((x, row));
    }
    found
}

/// Seconds along the bottom.
fn axis(timeline: &Timeline, top: usize, bottom: usize, out: &mut String) {
    let span = timeline.span_us;
    let steps = [
        1_000,
        2_000,
        5_000,
        10_000,
        20_000,
        50_000,
        100_000,
        200_000,
        500_000,
        1_000_000,
        2_000_000,
        5_000_000,
        10_000_000,
        30_000_000,
        60_000_000,
        300_000_000,
        900_000_000,
        3_600_000_000,
    ];
    let step = steps.into_iter().find(|step| span / step <= 12);
    let step = step.unwrap_or(span / 10).max(1);
    for at in (0..=span / step).map(|index| index * step) {
        let x = place(at, span);
        let _ = writeln!(
            out,
            "<path class=\"grid\" d=\"M{x} {top}V{bottom}\"/><text class=\"axis\" x=\"{x}\" y=\"{}\">{} s</text>",
            bottom + 18,
            at as f64 / 1e6,
        );
    }
}

/// The picture in words, for who cannot see it.
fn described(timeline: &Timeline) -> String {
    let messages = timeline
        .messages
        .iter()
        .map(|mark| format!("{} at {} s", mark.label, seconds(mark.at_us)));
    let lanes = timeline.lanes.iter().map(|lane| {
        let bars = lane.bars.iter().take(20).map(|bar| {
            format!(
                "{} from {} to {} s",
                bar.label,
                seconds(bar.from_us),
                seconds(bar.to_us)
            )
        });
        let bars: Vec<String> = bars.collect();
        format!("{}: {} ({})", lane.name, bars.join(", "), lane.figures)
    });
    let all: Vec<String> = messages.chain(lanes).collect();
    all.join("; ")
}
