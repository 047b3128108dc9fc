// SPDX-License-Identifier: AGPL-3.0-only
//! XML text in; a verified program and all diagnostics out.
//!
//! Map of the front end, in the order a scenario passes through it:
//!
//! | Module | Takes | Gives |
//! | --- | --- | --- |
//! | [`source`] | the bytes of a file | [`source::SourceFile`]: encoding, line index, spans |
//! | [`xml`] | a source file | an element tree, with a warning for each repaired fault |
//! | [`schema`] | – | the table of elements, attributes, values and keywords that checks and docs read |
//! | [`parse`] | the tree | [`ast::Scenario`]: what the author wrote, spans kept, nothing resolved |
//! | [`diag`] | any phase | [`diag::Diagnostics`]: all findings at once, as text or JSON |
#![forbid(unsafe_code)]

pub mod ast;
pub mod diag;
pub mod grammar;
pub mod parse;
pub mod schema;
pub mod source;
pub mod xml;
