// SPDX-License-Identifier: AGPL-3.0-only
//! A ladder for terminals: at most a hundred columns, with box drawing or in plain ASCII.

use super::{Event, Ladder, Row, printable, shortened, wrapped};

/// Widest line.
const WIDTH: usize = 100;
/// Where the first lifeline stands.
const FIRST: usize = 8;
/// Narrowest column of notes.
const NOTES: usize = 34;
/// Columns between two lifelines, at most and at least.
const APART: (usize, usize) = (38, 12);

/// What lines are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    /// Unicode's box drawing.
    Boxes,
    /// For terminals that know nothing else.
    Ascii,
}

/// The signs of a character set.
struct Signs {
    lifeline: char,
    line: char,
    dashed: [char; 2],
    right: char,
    left: char,
    local: char,
    mark: char,
    more: &'static str,
}

impl Charset {
    const fn signs(self) -> Signs {
        match self {
            Self::Boxes => Signs {
                lifeline: '│',
                line: '─',
                dashed: ['╌', '╌'],
                right: '▶',
                left: '◀',
                local: '●',
                mark: '┄',
                more: "…",
            },
            Self::Ascii => Signs {
                lifeline: '|',
                line: '-',
                dashed: ['-', ' '],
                right: '>',
                left: '<',
                local: '*',
                mark: '~',
                more: "..",
            },
        }
    }
}

/// Draws a ladder; every line ends with LF.
pub(crate) fn text(ladder: &Ladder, charset: Charset) -> String {
    let gaps = ladder.lifelines.len().saturating_sub(1).max(1);
    let apart = ((WIDTH - FIRST - NOTES - 3) / gaps).clamp(APART.1, APART.0);
    let canvas = Canvas {
        places: (0..ladder.lifelines.len())
            .map(|index| FIRST + index * apart)
            .collect(),
        apart,
        signs: charset.signs(),
    };
    let mut out = String::new();
    push(
        &mut out,
        &shortened(&ladder.title, WIDTH, canvas.signs.more),
    );
    out.push('\n');
    push(&mut out, &canvas.heads(&ladder.lifelines));
    for row in &ladder.rows {
        canvas.row(row, &mut out);
    }
    push(&mut out, &canvas.heads(&ladder.lifelines));
    match charset {
        Charset::Boxes => out,
        // What authors wrote may be anything.
        Charset::Ascii => out
            .chars()
            .map(|c| if c.is_ascii() { c } else { '?' })
            .collect(),
    }
}

fn push(out: &mut String, line: &str) {
    out.push_str(line.trim_end());
    out.push('\n');
}

struct Canvas {
    /// Columns of the lifelines.
    places: Vec<usize>,
    apart: usize,
    signs: Signs,
}

impl Canvas {
    /// Overwrites part of a line.
    fn put(line: &mut Vec<char>, at: usize, text: &str) {
        for (index, c) in text.chars().enumerate() {
            let place = at + index;
            if place >= WIDTH {
                break;
            }
            if line.len() <= place {
                line.resize(place + 1, ' ');
            }
            line[place] = c;
        }
    }

    /// The names of the lifelines, each centred on its own.
    fn heads(&self, names: &[String]) -> String {
        let mut line = Vec::new();
        for (place, name) in self.places.iter().zip(names) {
            let name = shortened(
                name,
                self.apart.saturating_sub(2).min(2 * FIRST),
                self.signs.more,
            );
            let start = place.saturating_sub(name.chars().count() / 2);
            Self::put(&mut line, start, &name);
        }
        line.into_iter().collect()
    }

    /// A line with nothing but the lifelines.
    fn empty(&self) -> Vec<char> {
        let mut line = Vec::new();
        for place in &self.places {
            Self::put(&mut line, *place, &self.signs.lifeline.to_string());
        }
        line
    }

    fn row(&self, row: &Row, out: &mut String) {
        let signs = &self.signs;
        let mut line = self.empty();
        let last = self.places.last().copied().unwrap_or(FIRST);
        let mut notes_at = last + 3;
        match &row.event {
            Event::Message {
                from,
                to,
                label,
                optional,
            } => {
                let (Some(from), Some(to)) = (self.places.get(*from), self.places.get(*to)) else {
                    return;
                };
                let (low, high) = (*from.min(to), *from.max(to));
                for (index, place) in line[low + 1..high].iter_mut().enumerate() {
                    *place = if *optional {
                        signs.dashed[(index + 1) % 2]
                    } else {
                        signs.line
                    };
                }
                if to > from {
                    line[high - 1] = signs.right;
                } else {
                    line[low + 1] = signs.left;
                }
                let label = shortened(label, high - low - 9, signs.more);
                let label = format!(" {label} ");
                let width = label.chars().count();
                Self::put(&mut line, low + 1 + (high - low - 1 - width) / 2, &label);
            }
            Event::Local { at, label } => {
                let Some(place) = self.places.get(*at) else {
                    return;
                };
                line[*place] = signs.local;
                let room = if place + self.apart > last && *at + 1 == self.places.len() {
                    NOTES
                } else {
                    self.apart - 3
                };
                let label = shortened(label, room, signs.more);
                Self::put(&mut line, place + 2, &label);
                notes_at = notes_at.max(place + 4 + label.chars().count());
            }
            Event::Mark(name) => {
                for place in &mut line {
                    if *place == ' ' {
                        *place = signs.mark;
                    }
                }
                let name = shortened(name, WIDTH - FIRST, signs.more);
                Self::put(&mut line, 0, &format!("{name}: "));
            }
            Event::Gap => {}
        }
        let margin = printable(&row.margin);
        Self::put(
            &mut line,
            (FIRST - 2).saturating_sub(margin.chars().count()),
            &margin,
        );
        let notes = wrapped(&row.notes, WIDTH.saturating_sub(notes_at).max(16));
        for (index, note) in notes.iter().enumerate() {
            if index > 0 {
                push(out, &line.iter().collect::<String>());
                line = self.empty();
            }
            Self::put(&mut line, notes_at, note);
        }
        push(out, &line.iter().collect::<String>());
    }
}
