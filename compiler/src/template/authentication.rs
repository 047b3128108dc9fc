// SPDX-License-Identifier: AGPL-3.0-only
//! `[authentication username="…" password="…" aka_K=… aka_OP=… aka_AMF=… all=true]`: the answer to a challenge.
//!
//! Each parameter is a text with keywords; one in hexadecimal digits is bytes. The keyword stands once in a request,
//! among its headers: where SIPp ends the process when it comes to such a message, the scenario is refused here.

use super::keywords::{Keys, Keyword, Kind, Read};
use super::message::Head;
use super::params::{self, Value};
use super::segments::{self, Piece};
use crate::diag::codes::template as codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::source::{OffsetMap, Span, Text};
use core::ops::Range;

/// The parameters of the keyword.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// The parts of all texts.
    pub(crate) pieces: Vec<Piece>,
    /// Which parts each one has, in the order of [`NAMES`].
    pub(crate) ranges: [Option<Range<usize>>; NAMES.len()],
    /// `all=true`
    pub(crate) all: bool,
}

/// The parameters that are texts.
const NAMES: [&str; 5] = ["username", "password", "aka_K", "aka_OP", "aka_AMF"];

impl Parameters {
    /// The parts of each text that is given, in the order of the names in the module's documentation.
    pub(crate) fn texts(&self) -> [Option<&[Piece]>; NAMES.len()] {
        self.ranges
            .each_ref()
            .map(|range| range.clone().map(|range| &self.pieces[range]))
    }
}

/// Reads what stands behind `authentication`.
pub(super) fn read<'a>(
    text: &Text,
    rest: Range<usize>,
    span: Span,
    keys: &Keys<'a>,
    diagnostics: &mut Diagnostics,
) -> Read<'a> {
    let Some(given) = params::read(text, rest.clone(), diagnostics) else {
        return Read::Poisoned;
    };
    let find = |name: &str| {
        let mut named = given.iter().filter(|param| param.name == name.as_bytes());
        named.next().map(|param| param.value)
    };
    let mut parameters = Parameters {
        all: find("all").is_some_and(|value| value.bytes() == b"true"),
        ..Parameters::default()
    };
    for (name, range) in NAMES.iter().zip(&mut parameters.ranges) {
        let Some(value) = find(name) else {
            continue;
        };
        let start = parameters.pieces.len();
        match value {
            Value::Hex(_) => parameters.pieces.push(Piece::Literal(value.bytes())),
            Value::Quoted { .. } | Value::Word { .. } => {
                let place = value.range().map_or(span, |range| {
                    text.slice_span(rest.start + range.start..rest.start + range.end)
                });
                let mut map = OffsetMap::default();
                map.push(0, place.start as usize);
                let inner = Text::new(value.bytes(), place, map);
                parameters
                    .pieces
                    .extend(segments::split(&inner, keys, diagnostics));
            }
        }
        *range = Some(start..parameters.pieces.len());
    }
    Read::Keyword(Kind::Authentication(parameters))
}

/// Reports the keyword where it cannot stand.
pub(super) fn check(head: &Head, pieces: &[Piece], diagnostics: &mut Diagnostics) {
    let mut first: Option<Span> = None;
    let mut in_body = false;
    for piece in pieces {
        let keyword = match piece {
            Piece::Literal(literal) => {
                in_body |= memchr::memmem::find(literal, b"\r\n\r\n").is_some();
                continue;
            }
            Piece::Keyword(keyword) => keyword,
        };
        check_nested(keyword, diagnostics);
        if !matches!(keyword.kind, Kind::Authentication(_)) {
            continue;
        }
        let misplaced = match head {
            Head::Response(_) => Some("a response has no method to authenticate"),
            Head::Text => Some("this text is no message"),
            Head::Request(_) if in_body => Some("the answer is a header, and this is the body"),
            Head::Request(_) | Head::Poisoned => None,
        };
        if let Some(reason) = misplaced {
            diagnostics.push(
                Diagnostic::error(
                    codes::AUTHENTICATION_PLACE,
                    keyword.span,
                    "`[authentication]` has no place here",
                )
                .label(reason),
            );
        } else if let Some(first) = first {
            diagnostics.push(
                Diagnostic::error(
                    codes::SEVERAL_AUTHENTICATION,
                    keyword.span,
                    "`[authentication]` for the second time",
                )
                .with(first, "the first one")
                .help("for answers to a 401 and a 407 in one message write `all=true`"),
            );
        } else {
            first = Some(keyword.span);
        }
    }
}

fn check_nested(keyword: &Keyword, diagnostics: &mut Diagnostics) {
    for piece in keyword.kind.nested() {
        let Piece::Keyword(inner) = piece else {
            continue;
        };
        if matches!(inner.kind, Kind::Authentication(_)) {
            diagnostics.push(
                Diagnostic::error(
                    codes::AUTHENTICATION_PLACE,
                    inner.span,
                    "`[authentication]` has no place here",
                )
                .label("it stands inside another keyword"),
            );
        }
        check_nested(inner, diagnostics);
    }
}
