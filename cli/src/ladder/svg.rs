// SPDX-License-Identifier: AGPL-3.0-only
//! A ladder as SVG: scales to any size, follows the reader's light or dark colours, needs no font of its own.

use super::{Event, Ladder, Row, printable, shortened, wrapped};
use core::fmt::Write as _;

const MARGIN: usize = 24;
/// Where the first lifeline stands.
const FIRST: usize = 110;
/// Between two lifelines.
const APART: usize = 300;
/// Width of the column of notes, and the characters that fit.
const NOTES: (usize, usize) = (330, 52);
/// Height of a row, and of each further line of notes.
const ROW: usize = 38;
const LINE: usize = 17;
/// Where rows begin.
const TOP: usize = 104;

// A narrow window shrinks the picture rather than cutting it.
pub(super) const STYLE: &str = "\
:root{max-width:100%;height:auto;--bg:#fff;--ink:#1c2330;--soft:#5b6577;--line:#b4bdca;--box:#eef1f6;--out:#0b57b0;--in:#1a7a45;--mark:#8a4b00}\
@media(prefers-color-scheme:dark){:root{--bg:#14181f;--ink:#e8ecf3;--soft:#9aa6b8;--line:#465061;--box:#232a35;\
--out:#7db7ff;--in:#78d6a0;--mark:#f0b35e}}\
.bg{fill:var(--bg)}text{font:14px ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;\
fill:var(--ink)}.title{font-size:19px;font-weight:600}.head{font-weight:600;text-anchor:middle}\
.box{fill:var(--box);stroke:var(--line)}.life{stroke:var(--line);stroke-width:1.5}\
.msg{text-anchor:middle;font-weight:500;paint-order:stroke;stroke:var(--bg);stroke-width:4px;stroke-linejoin:round}\
.note{font-size:12.5px;fill:var(--soft)}.index{fill:var(--soft);text-anchor:end;font-size:12.5px}\
.arrow{stroke-width:1.8;fill:none}.right{stroke:var(--out)}.left{stroke:var(--in)}.tip{stroke:none}\
.tip.right{fill:var(--out)}.tip.left{fill:var(--in)}.optional{stroke-dasharray:7 5}\
.mark{stroke:var(--mark);stroke-dasharray:2 4}.name{fill:var(--mark);font-weight:600;paint-order:stroke;stroke:var(--bg);stroke-width:4px}";

/// Draws a ladder.
pub(crate) fn svg(ladder: &Ladder) -> String {
    let mut body = String::new();
    let mut y = TOP;
    for row in &ladder.rows {
        y += draw(row, ladder.lifelines.len(), y, &mut body);
    }
    let last = place(ladder.lifelines.len().saturating_sub(1));
    let (width, height) = (last + MARGIN + NOTES.0 + MARGIN, y + 66);
    let title = escaped(&shortened(&ladder.title, 90, "…"));
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"title desc\">\n\
         <title id=\"title\">{title}</title>\n<desc id=\"desc\">{}</desc>\n<style>{STYLE}</style>\n\
         <rect class=\"bg\" width=\"{width}\" height=\"{height}\"/>\n\
         <text class=\"title\" x=\"{MARGIN}\" y=\"36\">{title}</text>",
        escaped(&described(ladder)),
    );
    for (index, name) in ladder.lifelines.iter().enumerate() {
        let (x, end) = (place(index), height - 50);
        let _ = writeln!(out, "<path class=\"life\" d=\"M{x} 86V{end}\"/>");
        for top in [56, end] {
            let _ = writeln!(
                out,
                "<rect class=\"box\" x=\"{}\" y=\"{top}\" width=\"150\" height=\"30\" rx=\"6\"/>\
                 <text class=\"head\" x=\"{x}\" y=\"{}\">{}</text>",
                x - 75,
                top + 20,
                escaped(&shortened(name, 18, "…")),
            );
        }
    }
    out.push_str(&body);
    out.push_str("</svg>\n");
    out
}

/// Where a lifeline stands.
const fn place(index: usize) -> usize {
    FIRST + index * APART
}

/// The picture in words, for who cannot see it.
fn described(ladder: &Ladder) -> String {
    let name = |index: &usize| ladder.lifelines.get(*index).map_or("?", String::as_str);
    let lines: Vec<String> = ladder
        .rows
        .iter()
        .filter_map(|row| match &row.event {
            Event::Message {
                from,
                to,
                label,
                optional,
            } => {
                let may = if *optional { " (optional)" } else { "" };
                Some(format!("{} to {}: {label}{may}", name(from), name(to)))
            }
            Event::Local { at, label } => Some(format!("{}: {label}", name(at))),
            Event::Mark(label) => Some(format!("label {label}")),
            Event::Gap => None,
        })
        .collect();
    lines.join("; ")
}

/// Draws a row at `y` and gives its height.
fn draw(row: &Row, lifelines: usize, y: usize, out: &mut String) -> usize {
    let last = place(lifelines.saturating_sub(1));
    let base = y + 22;
    let mut notes_at = last + MARGIN;
    let _ = match &row.event {
        Event::Message {
            from,
            to,
            label,
            optional,
        } => {
            let (from, to) = (place(*from), place(*to));
            let (side, tip, end) = if to > from {
                ("right", format!("M{to} {base}l-10 -5v10z"), to - 9)
            } else {
                ("left", format!("M{to} {base}l10 -5v10z"), to + 9)
            };
            let dashed = if *optional { " optional" } else { "" };
            let room = from.abs_diff(to) / 8;
            writeln!(
                out,
                "<path class=\"arrow {side}{dashed}\" d=\"M{from} {base}H{end}\"/>\
                 <path class=\"tip {side}\" d=\"{tip}\"/>\
                 <text class=\"msg\" x=\"{}\" y=\"{}\">{}</text>",
                from.midpoint(to),
                base - 6,
                escaped(&shortened(label, room, "…")),
            )
        }
        Event::Local { at, label } => {
            let x = place(*at);
            let label = shortened(label, 34, "…");
            let width = 20 + label.chars().count() * 8;
            notes_at = notes_at.max(x + width + MARGIN);
            writeln!(
                out,
                "<rect class=\"box\" x=\"{}\" y=\"{}\" width=\"{width}\" height=\"26\" rx=\"13\"/>\
                 <text x=\"{}\" y=\"{}\">{}</text>",
                x - 10,
                base - 14,
                x + 2,
                base + 4,
                escaped(&label),
            )
        }
        Event::Mark(name) => writeln!(
            out,
            "<path class=\"mark\" d=\"M{MARGIN} {base}H{}\"/>\
             <text class=\"name\" x=\"{MARGIN}\" y=\"{}\">{}</text>",
            last + MARGIN + NOTES.0,
            base - 6,
            escaped(&shortened(name, 100, "…")),
        ),
        Event::Gap => return ROW / 2,
    };
    let notes = wrapped(&row.notes, NOTES.1);
    let _ = writeln!(
        out,
        "<text class=\"index\" x=\"{}\" y=\"{}\">{}</text>",
        FIRST - 40,
        base + 4,
        escaped(&printable(&row.margin)),
    );
    for (index, note) in notes.iter().enumerate() {
        let _ = writeln!(
            out,
            "<text class=\"note\" x=\"{notes_at}\" y=\"{}\">{}</text>",
            base + 4 + index * LINE,
            escaped(note),
        );
    }
    ROW + notes.len().saturating_sub(1) * LINE
}

/// For text and attributes of XML.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
