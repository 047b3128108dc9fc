// SPDX-License-Identifier: AGPL-3.0-only
//! `[file name="…"]`: the content of a file, as it is.
//!
//! A path that holds nothing but text and what `-key` defines is known before the run, and the file is read then. Any
//! other is a text of its own, which is printed to find the file (docs/compat.md#included-files).

use super::keywords::{Keys, Keyword, Kind, Read};
use super::params;
use super::segments::{self, Piece};
use crate::diag::codes::template as codes;
use crate::diag::{Diagnostic, Diagnostics};
use crate::source::{OffsetMap, Span, Text};
use core::ops::Range;

/// Reads what stands behind `file`.
pub(super) fn read<'a>(
    text: &Text,
    rest: Range<usize>,
    span: Span,
    keys: &Keys<'_>,
    diagnostics: &mut Diagnostics,
) -> Read<'a> {
    let Some(params) = params::read(text, rest.clone(), diagnostics) else {
        return Read::Poisoned;
    };
    let mut named = params.iter().filter(|param| param.name == b"name");
    let Some(value) = named.next().map(|param| param.value) else {
        diagnostics.push(
            Diagnostic::error(codes::BAD_PARAMETER, span, "`[file]` without `name=`")
                .help("write `[file name=\"path\"]`"),
        );
        return Read::Poisoned;
    };
    let place = value.range().map_or(span, |range| {
        text.slice_span(rest.start + range.start..rest.start + range.end)
    });
    let mut map = OffsetMap::default();
    map.push(0, place.start as usize);
    let name = Text::new(value.bytes(), place, map);
    let pieces = segments::split(&name, keys, diagnostics);
    let mut path = Vec::new();
    let mut depends = false;
    for piece in &pieces {
        match piece {
            Piece::Literal(bytes) => path.extend_from_slice(bytes),
            Piece::Keyword(Keyword {
                kind: Kind::Key(name),
                ..
            }) => path.extend_from_slice(name),
            Piece::Keyword(Keyword {
                kind: Kind::Poisoned,
                ..
            }) => return Read::Poisoned,
            Piece::Keyword(Keyword {
                kind: Kind::FileAt(_),
                span,
            }) => {
                let message = "a keyword with a text inside another such text";
                diagnostics.push(Diagnostic::error(codes::BAD_PARAMETER, *span, message));
                return Read::Poisoned;
            }
            Piece::Keyword(_) => depends = true,
        }
    }
    if depends {
        return Read::Keyword(Kind::FileAt(pieces));
    }
    if path.is_empty() {
        let message = "`[file]` with an empty path";
        diagnostics.push(Diagnostic::error(codes::BAD_PARAMETER, place, message));
        return Read::Poisoned;
    }
    Read::Keyword(Kind::File(path))
}
