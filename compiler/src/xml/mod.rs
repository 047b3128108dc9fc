// SPDX-License-Identifier: AGPL-3.0-only
//! Reads what SIPp users call XML.
//!
//! About one scenario in ten found in the wild is not well formed, and each of SIPp's two parsers takes faults that
//! the other refuses. The reader takes the union, in two stages:
//!
//! 1. `repair` walks the bytes of the file once, reports each fault with its place, and writes well-formed XML with
//!    a map back to the original offsets. Declarations, DOCTYPE, comments and text outside CDATA are left out: none
//!    of them means anything in a scenario, but for the text of a few actions.
//! 2. `tree` reads the result with quick-xml and builds elements whose names and values carry spans of the
//!    original file.
//!
//! Not done here: what the elements mean (see [`crate::parse`]). Invariants: linear in the size of the file; depth,
//! number of elements and of attributes are bounded; no entity but the predefined and numeric ones is expanded and
//! nothing outside the file is ever read.

mod attributes;
mod decode;
mod repair;
mod tree;

pub use decode::decode_again;
pub(crate) use repair::ignored_text;
pub use tree::{Attribute, Element, read};

/// Deepest nesting of elements; a scenario needs four.
pub(crate) const MAX_DEPTH: usize = 64;
/// Most attributes of one element; a scenario needs about fifteen.
pub(crate) const MAX_ATTRIBUTES: usize = 256;
/// Most elements of one file.
pub(crate) const MAX_ELEMENTS: usize = 100_000;
