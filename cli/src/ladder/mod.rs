// SPDX-License-Identifier: AGPL-3.0-only
//! Ladders: who sends what to whom, from top to bottom, as text or as SVG.
//!
//! The model here knows lifelines, rows and notes and nothing of where they come from: a scenario
//! ([`scenario::ladder`]), a trace of messages ([`trace`]), or anything else that happens between parties. Drawing is pure: a model in, a text out.

pub(crate) mod scenario;
mod svg;
mod text;
mod timeline;
pub(crate) mod trace;

pub(crate) use svg::svg;
pub(crate) use text::{Charset, text};

/// A picture to be drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ladder {
    /// What it shows.
    pub(crate) title: String,
    /// The parties, from left to right: two or more.
    pub(crate) lifelines: Vec<String>,
    /// From top to bottom.
    pub(crate) rows: Vec<Row>,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// What stands in the margin: an index, a time.
    pub(crate) margin: String,
    /// What happens.
    pub(crate) event: Event,
    /// What is to be said about it, each a line of its own.
    pub(crate) notes: Vec<String>,
}

/// What happens in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A message between two different lifelines.
    Message {
        /// Index of who sends.
        from: usize,
        /// Index of who receives.
        to: usize,
        /// Its name.
        label: String,
        /// It may be left out.
        optional: bool,
    },
    /// Something that one party does by itself.
    Local {
        /// Index of the lifeline.
        at: usize,
        /// What it does.
        label: String,
    },
    /// A name for this place.
    Mark(String),
    /// Some space.
    Gap,
}

/// A text for a picture: one line, without anything that a terminal or a reader of XML would act on.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            let acts = c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
                || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{feff}');
            if acts { '\u{b7}' } else { c }
        })
        .collect()
}

/// At most `width` characters, with a sign where something was left out.
fn shortened(text: &str, width: usize, sign: &str) -> String {
    let text = printable(text);
    if text.chars().count() <= width {
        return text;
    }
    let kept = width.saturating_sub(sign.chars().count());
    text.chars().take(kept).chain(sign.chars()).collect()
}

/// Notes as lines of at most `width` characters, broken between words where there are any.
pub(crate) fn wrapped(notes: &[String], width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for note in notes {
        let mut line = String::new();
        for word in printable(note).split(' ') {
            let mut word: Vec<char> = word.chars().collect();
            let used = line.chars().count();
            if used > 0 && used + 1 + word.len() > width {
                lines.push(core::mem::take(&mut line));
            }
            while word.len() > width {
                let rest = word.split_off(width);
                lines.push(word.into_iter().collect());
                word = rest;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.extend(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests;
