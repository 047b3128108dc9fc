// SPDX-License-Identifier: AGPL-3.0-only
//! The media of one call over time: `gossipper ladder --media CAPTURE`.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`mod@self`] | what is drawn |
//! | `read` | from a capture to that |
//! | `svg`, `text` | the picture |
//!
//! A lane is one source (SSRC) on its way between two addresses. Drawing is pure; what is drawn is bounded however long the
//! capture is.

mod read;
mod svg;
#[cfg(test)]
mod tests;
mod text;

pub(super) use read::timeline;
pub(super) use svg::svg;
pub(super) use text::text;

/// One call's media.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Timeline {
    /// What it shows.
    pub(super) title: String,
    /// How long it is, in µs; never 0.
    pub(super) span_us: u64,
    /// Messages of SIP, in order.
    pub(super) messages: Vec<Mark>,
    /// Streams, in the order they begin.
    pub(super) lanes: Vec<Lane>,
}

/// Something at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// When, in µs since the begin.
    pub(super) at_us: u64,
    /// What.
    pub(super) label: String,
}

/// A stream.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lane {
    /// From where to where, and what.
    pub(super) name: String,
    /// Its figures.
    pub(super) figures: String,
    /// When something was sent.
    pub(super) bars: Vec<Bar>,
    /// Packets that are missing or came late, where that was noticed.
    pub(super) lost_us: Vec<u64>,
    /// Reports of RTCP about it or from it.
    pub(super) reports_us: Vec<u64>,
}

/// A time in which packets flow without a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bar {
    /// The first packet.
    pub(super) from_us: u64,
    /// The last packet, and the time it holds.
    pub(super) to_us: u64,
    /// What is in them.
    pub(super) label: String,
    /// A telephone event.
    pub(super) event: bool,
}

/// A time as people read it beside an axis.
fn seconds(us: u64) -> String {
    format!("{:.3}", us as f64 / 1e6)
}
