// SPDX-License-Identifier: AGPL-3.0-only
//! The small languages inside attribute values: numbers as C reads them, booleans, lists; and the pairs that some
//! actions hold as text.
//!
//! Each is a logos lexer and an LALRPOP grammar over its tokens. Not here: keywords inside message texts (see the
//! template compiler), and what a value may be beyond its form (see [`crate::parse`]).

mod list;
mod number;
mod parameters;

pub use list::{integers, names};
pub use number::{boolean, double, integer};
pub use parameters::{Parameter, Piece, parameters};

/// A value that does not have its form; the byte where it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Offset in the value.
    pub at: usize,
}

/// Where a parser gave up, in a text of `length` bytes.
fn malformed<T, E>(error: &lalrpop_util::ParseError<usize, T, E>, length: usize) -> Malformed {
    use lalrpop_util::ParseError as P;
    let at = match error {
        P::InvalidToken { location } | P::UnrecognizedEof { location, .. } => *location,
        P::UnrecognizedToken { token, .. } | P::ExtraToken { token } => token.0,
        P::User { .. } => 0,
    };
    Malformed { at: at.min(length) }
}

/// A lexer's output in the form LALRPOP takes.
type Spanned<T> = Result<(usize, T, usize), Malformed>;
