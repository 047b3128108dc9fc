// SPDX-License-Identifier: AGPL-3.0-only
//! The form for people: a page for browsers, and the same as PDF.
//!
//! What is said, and in which order, is decided once (`content`), and drawn twice: as HTML with inline SVG, which needs
//! nothing but itself, and as PDF, which needs no browser. Both are pure functions of the summary, and the same bytes for
//! the same one. Everything in a summary may come from outside; nothing of it is taken for markup.

use crate::summary::Summary;

mod axis;
mod content;
mod document;
mod html;
mod pdf;
mod units;

/// A page that stands alone, of a run, compared with another where there is one.
#[must_use]
pub fn html(run: &Summary, other: Option<&Summary>) -> String {
    html::page(&content::document(run, other))
}

/// The same as PDF, on A4.
#[must_use]
pub fn pdf(run: &Summary, other: Option<&Summary>) -> Vec<u8> {
    pdf::file(&content::document(run, other))
}

/// A text of one line, without anything that a terminal or a reader of markup would act on.
fn printable(text: &str) -> String {
    let acts = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{feff}')
    };
    let shown = |c| if acts(c) { '\u{b7}' } else { c };
    text.chars().map(shown).collect()
}
