// SPDX-License-Identifier: AGPL-3.0-only
//! Diagnostics as text for people and as JSON for tools; both show the same findings in the same order.

mod json;
mod text;

pub use json::{json, needs, page as json_page};
pub use text::text;

/// Whether text output may use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Letters only.
    #[default]
    Plain,
    /// ANSI colours.
    Colour,
}

#[cfg(test)]
mod tests;
