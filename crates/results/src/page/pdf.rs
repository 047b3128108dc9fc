// SPDX-License-Identifier: AGPL-3.0-only
//! A document as PDF: laid out here, so that no browser is needed.

use super::document::{
    Block, Card, Cell, Chart, Document, Ladder, Rung, Section, Table, Tone, Verdict, Way,
};
use font::{Face, cut, width, wrapped};
use sheet::{BAD, Color, DIM, EDGE, FAINT, GOOD, INNER, MARGIN, SOFT, Sheets, TEXT};

mod font;
mod plot;
mod sheet;

/// Between things next to each other.
const GAP: f64 = 8.0;
/// The size of letters in tables.
const SMALL: f64 = 7.5;
/// The height of a row of the ladder.
const RUNG: f64 = 15.0;

/// The file.
pub(super) fn file(document: &Document) -> Vec<u8> {
    let mut sheets = Sheets::new();
    head(&mut sheets, document);
    verdict(&mut sheets, &document.verdict);
    for row in document.cards.chunks(4) {
        cards(&mut sheets, row);
    }
    for part in &document.sections {
        section(&mut sheets, part);
    }
    sheets.file(&document.title, &document.footer)
}

fn color(tone: Tone) -> Color {
    match tone {
        Tone::Plain => TEXT,
        Tone::Good => GOOD,
        Tone::Bad => BAD,
        Tone::Faint => FAINT,
    }
}

fn head(sheets: &mut Sheets, document: &Document) {
    sheets.text(
        (MARGIN, sheets.y + 6.0),
        Face::Plain,
        8.0,
        DIM,
        "Load test report",
    );
    sheets.y += 14.0;
    // A title is a line or two, whatever somebody called a scenario.
    for line in wrapped(Face::Bold, 20.0, &document.title, INNER)
        .iter()
        .take(3)
    {
        sheets.text((MARGIN, sheets.y + 18.0), Face::Bold, 20.0, TEXT, line);
        sheets.y += 24.0;
    }
    sheets.y += 4.0;
    let column = INNER / 3.0;
    for row in document.facts.chunks(3) {
        let mut x = MARGIN;
        for (name, value) in row {
            sheets.text((x, sheets.y + 8.0), Face::Plain, 7.0, DIM, name);
            let value = cut(Face::Plain, 9.0, value, column - 6.0);
            sheets.text((x, sheets.y + 18.5), Face::Plain, 9.0, TEXT, &value);
            x += column;
        }
        sheets.y += 25.0;
    }
    sheets.y += 4.0;
}

fn verdict(sheets: &mut Sheets, verdict: &Verdict) {
    let lines: Vec<(Color, String)> = verdict
        .lines
        .iter()
        .flat_map(|(tone, line)| {
            let color = if *tone == Tone::Bad { TEXT } else { DIM };
            let lines = wrapped(Face::Plain, 8.0, line, INNER - 32.0);
            lines.into_iter().map(move |line| (color, line))
        })
        .collect();
    let (paper, edge) = match verdict.tone {
        Tone::Good => ([0.92, 0.97, 0.94], GOOD),
        Tone::Bad => ([0.99, 0.94, 0.94], BAD),
        Tone::Plain | Tone::Faint => (SOFT, DIM),
    };
    // However much there is to say, the box ends with the page.
    let fit = ((sheets.left() - 30.0) / 11.0).max(1.0) as usize;
    let (inside, rest) = lines.split_at(lines.len().min(fit));
    let below = if inside.is_empty() { 0.0 } else { 4.0 };
    let high = 28.0 + inside.len() as f64 * 11.0 + below;
    let top = sheets.y;
    sheets.fill([MARGIN, top, INNER, high], paper);
    sheets.fill([MARGIN, top, 3.0, high], edge);
    let x = MARGIN + 14.0;
    sheets.text(
        (x, top + 18.0),
        Face::Bold,
        11.0,
        color(verdict.tone),
        &verdict.word,
    );
    let after = x + width(Face::Bold, 11.0, &verdict.word) + 10.0;
    sheets.text(
        (after, top + 18.0),
        Face::Plain,
        10.0,
        TEXT,
        &verdict.headline,
    );
    for (row, (color, line)) in inside.iter().enumerate() {
        let y = top + 32.0 + row as f64 * 11.0;
        sheets.text((x, y), Face::Plain, 8.0, *color, line);
    }
    sheets.y += high + GAP;
    for (color, line) in rest {
        sheets.need(11.0);
        sheets.text((x, sheets.y + 8.0), Face::Plain, 8.0, *color, line);
        sheets.y += 11.0;
    }
}

fn cards(sheets: &mut Sheets, row: &[Card]) {
    const HIGH: f64 = 58.0;
    sheets.need(HIGH + GAP);
    let wide = (INNER - 3.0 * GAP) / 4.0;
    for (place, card) in row.iter().enumerate() {
        let (x, y) = (MARGIN + place as f64 * (wide + GAP), sheets.y);
        sheets.frame([x, y, wide, HIGH], EDGE);
        let x = x + 9.0;
        let inner = wide - 18.0;
        sheets.text((x, y + 14.0), Face::Plain, 7.5, DIM, &card.name);
        let tone = if card.tone == Tone::Bad { BAD } else { TEXT };
        // A figure that is too wide for its card is written smaller.
        let mut size = 16.0;
        while width(Face::Bold, size, &card.value) > inner && size > 7.0 {
            size -= 1.0;
        }
        sheets.text((x, y + 33.0), Face::Bold, size, tone, &card.value);
        if let Some(part) = card.part {
            let part = part.clamp(0.0, 1.0);
            sheets.fill([x, y + 38.0, inner, 2.5], [0.92, 0.66, 0.68]);
            sheets.fill(
                [x, y + 38.0, inner * part, 2.5],
                plot::ink(super::document::Ink::Green),
            );
        }
        let aside = cut(Face::Plain, 7.0, &card.aside, inner);
        sheets.text((x, y + 50.0), Face::Plain, 7.0, DIM, &aside);
    }
    sheets.y += HIGH + GAP;
}

fn section(sheets: &mut Sheets, section: &Section) {
    let note = if section.note.is_empty() {
        Vec::new()
    } else {
        wrapped(Face::Plain, 8.0, &section.note, INNER)
    };
    // A heading stays with the beginning of what it is of.
    let first = match section.blocks.first() {
        Some(Block::Charts(_)) => plot::HEIGHT,
        _ => 60.0,
    };
    sheets.need(34.0 + note.len() as f64 * 11.0 + first);
    sheets.y += 14.0;
    sheets.mark(section.title);
    sheets.text(
        (MARGIN, sheets.y + 11.0),
        Face::Bold,
        13.0,
        TEXT,
        section.title,
    );
    sheets.y += 20.0;
    for line in note {
        sheets.text((MARGIN, sheets.y + 6.0), Face::Plain, 8.0, DIM, &line);
        sheets.y += 11.0;
    }
    for block in &section.blocks {
        match block {
            Block::Text(text) => {
                for line in wrapped(Face::Plain, 9.0, text, INNER) {
                    sheets.need(12.0);
                    sheets.text((MARGIN, sheets.y + 8.0), Face::Plain, 9.0, TEXT, &line);
                    sheets.y += 12.0;
                }
            }
            Block::Charts(all) => charts(sheets, all),
            Block::Table(rows) => table(sheets, rows),
            Block::Ladder(steps) => ladder(sheets, steps),
        }
    }
}

/// Two next to each other, wide ones and a last one alone.
fn charts(sheets: &mut Sheets, charts: &[Chart]) {
    let mut rest = charts;
    while let Some((first, others)) = rest.split_first() {
        sheets.need(plot::HEIGHT);
        let top = sheets.y;
        let second = others.first().filter(|second| !first.wide && !second.wide);
        match second {
            Some(second) => {
                let wide = (INNER - GAP) / 2.0;
                plot::chart(sheets, first, (MARGIN, top, wide));
                plot::chart(sheets, second, (MARGIN + wide + GAP, top, wide));
                rest = &others[1..];
            }
            None => {
                plot::chart(sheets, first, (MARGIN, top, INNER));
                rest = others;
            }
        }
        sheets.y += plot::HEIGHT;
    }
}

/// The width of a column's widest field.
fn natural(table: &Table, column: usize, size: f64) -> f64 {
    let heading = table.columns.get(column).copied().unwrap_or_default();
    let cells = table.rows.iter().filter_map(|row| row.get(column));
    let cells = cells.map(|cell| {
        let bar = if cell.part.is_some() { 56.0 } else { 0.0 };
        width(Face::Bold, size, &cell.text) + bar
    });
    cells.fold(width(Face::Plain, size, heading), f64::max) + 9.0
}

fn table(sheets: &mut Sheets, table: &Table) {
    let columns = table.columns.len();
    if !table.caption.is_empty() {
        sheets.need(48.0);
        sheets.y += 6.0;
        sheets.text(
            (MARGIN, sheets.y + 8.0),
            Face::Bold,
            9.0,
            TEXT,
            &table.caption,
        );
        sheets.y += 14.0;
    }
    // Figures have the space that they need, texts share the rest; smaller letters if that is too little.
    let mut size = SMALL;
    let mut widths: Vec<f64>;
    loop {
        widths = (0..columns)
            .map(|column| natural(table, column, size))
            .collect();
        let figures: f64 = widths.iter().skip(table.texts).sum();
        let texts: f64 = widths.iter().take(table.texts).sum();
        let space = INNER - figures;
        if texts > space {
            if size > 5.6 && space < 60.0 * table.texts as f64 {
                size -= 0.4;
                continue;
            }
            let space = space.max(40.0 * table.texts as f64);
            // What is narrow keeps its width.
            let fair = space / table.texts.max(1) as f64;
            let narrow = widths
                .iter()
                .take(table.texts)
                .filter(|wide| **wide <= fair);
            let (count, kept) = narrow.fold((0, 0.0), |(count, sum), wide| (count + 1, sum + wide));
            let share = (space - kept) / (table.texts - count).max(1) as f64;
            for wide in widths
                .iter_mut()
                .take(table.texts)
                .filter(|wide| **wide > fair)
            {
                *wide = share;
            }
        }
        break;
    }
    let total: f64 = widths.iter().sum();
    // A table of few columns does not tear its rows apart.
    if let Some(first) = widths.first_mut() {
        let most = if columns <= 3 { INNER * 0.6 } else { INNER };
        *first += (most - total).max(0.0);
    }
    let heading = |sheets: &mut Sheets| {
        let mut x = MARGIN;
        for (column, name) in table.columns.iter().enumerate() {
            let at = |x: f64| (x, sheets.y + 8.0);
            if column < table.texts {
                sheets.text(at(x), Face::Plain, size, DIM, name);
            } else {
                sheets.text_before(at(x + widths[column]), Face::Plain, size, DIM, name);
            }
            x += widths[column];
        }
        sheets.line(
            &[(MARGIN, sheets.y + 12.0), (x, sheets.y + 12.0)],
            0.75,
            false,
            EDGE,
        );
        sheets.y += 13.0;
    };
    let headed = table.columns.iter().any(|column| !column.is_empty());
    if headed {
        heading(sheets);
    }
    for row in &table.rows {
        let texts: Vec<Vec<String>> = (row.iter().zip(&widths).take(table.texts))
            .map(|(cell, wide)| wrapped(Face::Plain, size, &cell.text, wide - 8.0))
            .collect();
        let most = texts.iter().map(Vec::len).max().unwrap_or(1).max(1);
        // A field as long as a page is cut.
        let lines = most.min(40);
        let high = 4.0 + lines as f64 * (size + 2.0);
        if sheets.need(high) && headed {
            heading(sheets);
        }
        let mut x = MARGIN;
        for (column, cell) in row.iter().enumerate().take(columns) {
            let y = sheets.y + size + 1.5;
            if let Some(text) = texts.get(column) {
                for (line, text) in text.iter().take(lines).enumerate() {
                    let y = y + line as f64 * (size + 2.0);
                    sheets.text((x, y), Face::Plain, size, color(cell.tone), text);
                }
            } else {
                field(sheets, cell, (x + widths[column], y), size);
            }
            x += widths[column];
        }
        sheets.y += high;
        sheets.line(&[(MARGIN, sheets.y), (x, sheets.y)], 0.4, false, SOFT);
    }
    sheets.y += GAP;
}

fn field(sheets: &mut Sheets, cell: &Cell, at: (f64, f64), size: f64) {
    let face = if matches!(cell.tone, Tone::Good | Tone::Bad) {
        Face::Bold
    } else {
        Face::Plain
    };
    sheets.text_before(at, face, size, color(cell.tone), &cell.text);
    if let Some(part) = cell.part {
        let x = at.0 - width(face, size, &cell.text) - 52.0;
        sheets.fill([x, at.1 - 4.0, 46.0, 3.0], SOFT);
        let red = plot::ink(super::document::Ink::Red);
        sheets.fill([x, at.1 - 4.0, 46.0 * part.clamp(0.0, 1.0), 3.0], red);
    }
}

/// Where the parts of the ladder are, from the left.
struct Lanes {
    /// Lifelines.
    lines: Vec<f64>,
    /// Right ends of the count and of the figures.
    ends: Vec<f64>,
}

fn ladder(sheets: &mut Sheets, ladder: &Ladder) {
    const FIGURE: f64 = 41.0;
    let figures = ladder.figures.len();
    let right = MARGIN + INNER;
    let ends = (0..=figures).map(|place| right - (figures - place) as f64 * FIGURE);
    let (from, to) = (MARGIN + 34.0, right - figures as f64 * FIGURE - 86.0);
    let lines = if ladder.twin {
        vec![from, (from + to) / 2.0, to]
    } else {
        vec![from, to]
    };
    let lanes = Lanes {
        lines,
        ends: ends.collect(),
    };
    let heading = |sheets: &mut Sheets| {
        let y = sheets.y + 9.0;
        let names: &[&str] = if ladder.twin {
            &["twin", "gossipper", "peer"]
        } else {
            &["gossipper", "peer"]
        };
        for (x, name) in lanes.lines.iter().zip(names) {
            sheets.text_around((*x, y), Face::Bold, 7.5, TEXT, name);
        }
        for (x, name) in lanes
            .ends
            .iter()
            .zip(std::iter::once(&ladder.count).chain(ladder.figures))
        {
            sheets.text_before((*x, y), Face::Plain, 7.0, DIM, name);
        }
        sheets.y += 14.0;
    };
    let note = if ladder.note.is_empty() {
        Vec::new()
    } else {
        wrapped(Face::Plain, 8.0, &ladder.note, INNER)
    };
    let first = if ladder.caption.is_empty() { 0.0 } else { 16.0 };
    sheets.need(first + note.len() as f64 * 11.0 + 14.0 + 2.0 * RUNG);
    if !ladder.caption.is_empty() {
        let caption = cut(Face::Bold, 9.0, &ladder.caption, INNER);
        sheets.text((MARGIN, sheets.y + 10.0), Face::Bold, 9.0, TEXT, &caption);
        sheets.y += 16.0;
    }
    for line in note {
        sheets.text((MARGIN, sheets.y + 6.0), Face::Plain, 8.0, DIM, &line);
        sheets.y += 11.0;
    }
    heading(sheets);
    for step in &ladder.rungs {
        if sheets.need(RUNG) {
            heading(sheets);
        }
        rung(sheets, step, &lanes);
    }
    sheets.y += GAP;
}

fn rung(sheets: &mut Sheets, rung: &Rung, lanes: &Lanes) {
    let (top, middle) = (sheets.y, sheets.y + RUNG / 2.0);
    let ground = middle + 2.6;
    sheets.text((MARGIN, ground), Face::Plain, 7.0, FAINT, &rung.index);
    for x in &lanes.lines {
        sheets.line(&[(*x, top), (*x, top + RUNG)], 0.8, false, FAINT);
    }
    let last = lanes.lines.len() - 1;
    let us = lanes.lines[last - 1];
    let ends = match rung.way {
        Way::ToPeer => Some((us, lanes.lines[last], plot::ink(super::document::Ink::Blue))),
        Way::FromPeer => Some((lanes.lines[last], us, plot::ink(super::document::Ink::Teal))),
        Way::ToTwin => Some((us, lanes.lines[0], plot::ink(super::document::Ink::Blue))),
        Way::FromTwin => Some((lanes.lines[0], us, plot::ink(super::document::Ink::Teal))),
        Way::Local => None,
    };
    if let Some((from, to, color)) = ends {
        let toward = if to > from { 1.0 } else { -1.0 };
        let label = cut(Face::Plain, 7.5, &rung.label, (to - from).abs() - 24.0);
        let half = width(Face::Plain, 7.5, &label) / 2.0 + 3.0;
        let center = (from + to) / 2.0;
        sheets.line(
            &[
                (from + 2.0 * toward, middle),
                (center - half * toward, middle),
            ],
            0.9,
            false,
            color,
        );
        sheets.line(
            &[
                (center + half * toward, middle),
                (to - 5.0 * toward, middle),
            ],
            0.9,
            false,
            color,
        );
        let back = to - 7.0 * toward;
        sheets.polygon(
            &[
                (to - 1.0 * toward, middle),
                (back, middle - 2.6),
                (back, middle + 2.6),
            ],
            color,
        );
        sheets.text_around((center, ground), Face::Plain, 7.5, TEXT, &label);
    } else {
        sheets.fill([us - 2.0, middle - 2.0, 4.0, 4.0], DIM);
        let label = cut(Face::Plain, 7.5, &rung.label, lanes.lines[last] - us - 16.0);
        sheets.text((us + 8.0, ground), Face::Plain, 7.5, DIM, &label);
    }
    let count = lanes.ends[0];
    sheets.text_before((count, ground), Face::Plain, 7.5, TEXT, &rung.count);
    if let Some(part) = rung.part {
        let [x, y, wide, high] = [lanes.lines[last] + 14.0, middle - 1.5, 30.0, 3.0];
        sheets.fill([x, y, wide, high], SOFT);
        let part = wide * part.clamp(0.0, 1.0);
        sheets.fill([x, y, part, high], plot::ink(super::document::Ink::Blue));
    }
    for (x, cell) in lanes.ends.iter().skip(1).zip(&rung.figures) {
        field(sheets, cell, (*x, ground), 7.0);
    }
    sheets.y += RUNG;
}
