// SPDX-License-Identifier: AGPL-3.0-only
//! The media of a call for a terminal: a line of cells for each stream, and the messages with their times.

use super::super::Charset;
use super::super::printable;
use super::{Timeline, seconds};
use core::fmt::Write as _;

/// Cells of a line.
const CELLS: usize = 92;

/// Draws it.
pub(in super::super) fn text(timeline: &Timeline, charset: Charset) -> String {
    let ascii = charset == Charset::Ascii;
    let (sound, lost, arrow) = match ascii {
        true => ('=', '!', "->"),
        false => ('━', '╳', "→"),
    };
    let cell = |at_us: u64| {
        let at = at_us.min(timeline.span_us) as f64 / timeline.span_us.max(1) as f64;
        ((at * CELLS as f64) as usize).min(CELLS - 1)
    };
    let mut out = format!("{}\n\n", printable(&timeline.title));
    // Writing to a String cannot fail.
    for mark in &timeline.messages {
        let at = cell(mark.at_us);
        let stroke = if ascii { '|' } else { '▏' };
        let name = format!("{} {}", printable(&mark.label), seconds(mark.at_us));
        let len = name.chars().count();
        // Near the end it stands in front of its stroke.
        let _ = match at + 1 + len <= CELLS || at < len {
            true => writeln!(out, "  {:at$}{stroke}{name}", ""),
            false => writeln!(out, "  {:width$}{name}{stroke}", "", width = at - len),
        };
    }
    for lane in &timeline.lanes {
        let mut line = vec![if ascii { '.' } else { '·' }; CELLS];
        for bar in &lane.bars {
            let digit = bar.label.chars().next().filter(|_| bar.event);
            for place in &mut line[cell(bar.from_us)..=cell(bar.to_us)] {
                *place = digit.unwrap_or(sound);
            }
        }
        for at in &lane.lost_us {
            line[cell(*at)] = lost;
        }
        let line: String = line.into_iter().collect();
        let mut codecs: Vec<&str> = Vec::new();
        for bar in lane.bars.iter().filter(|bar| !bar.event) {
            if !codecs.contains(&&*bar.label) {
                codecs.push(&bar.label);
            }
        }
        let _ = write!(
            out,
            "\n  {}  {}\n  {line}\n  {}, {} reports\n",
            lane.name.replace('→', arrow),
            printable(&codecs.join(", ")),
            lane.figures,
            lane.reports_us.len()
        );
    }
    let end = seconds(timeline.span_us);
    let _ = writeln!(out, "\n  0{end:>width$} s", width = CELLS - 3);
    out
}
