// SPDX-License-Identifier: AGPL-3.0-only
//! `[call_id dialog=NAME]`, `[last_From: dialog=NAME]` and their kin: keywords that speak of another dialog than the
//! step they stand in.

use super::keywords::{self, Keys, Kind, Read};
use super::params;
use crate::ast::Name;
use crate::diag::codes::template as codes;
use crate::diag::{Diagnostic, Diagnostics, quote};
use crate::source::{Span, Text};
use core::ops::Range;

/// What a dialog has and a keyword prints; every `last_…` too.
const OF_DIALOGS: &[&[u8]] = &[
    b"call_id",
    b"cseq",
    b"peer_tag_param",
    b"next_url",
    b"routes",
];

/// Reads a keyword that names a dialog; `None` when it names none.
pub(super) fn read<'a>(
    text: &Text,
    range: Range<usize>,
    span: Span,
    keys: &Keys<'a>,
    diagnostics: &mut Diagnostics,
) -> Option<Read<'a>> {
    let word = &text.bytes()[range.clone()];
    let blank = word.iter().position(u8::is_ascii_whitespace)?;
    let (name, _) = keywords::split_offset(&word[..blank]);
    if !OF_DIALOGS.contains(&name) && !name.starts_with(b"last_") {
        return None;
    }
    let rest = range.start + blank..range.end;
    if !text.bytes()[rest.clone()]
        .trim_ascii_start()
        .starts_with(b"dialog=")
    {
        return None;
    }
    let params = params::read(text, rest.clone(), diagnostics);
    let Some(params) = params else {
        return Some(Read::Poisoned);
    };
    let value = params
        .iter()
        .find(|param| param.name == b"dialog")
        .map(|param| param.value)?;
    let place = value.range().map_or(span, |range| {
        text.slice_span(rest.start + range.start..rest.start + range.end)
    });
    let bytes = value.bytes();
    if !keywords::is_name(&bytes) {
        let message = format!("`{}` is no name of a dialog", quote(&bytes));
        diagnostics.push(Diagnostic::error(codes::BAD_PARAMETER, place, message));
        return Some(Read::Poisoned);
    }
    let dialog = Name { bytes, span: place };
    let inner = range.start..range.start + blank;
    Some(match keywords::read(text, inner, keys, diagnostics) {
        Read::Keyword(what) if what != Kind::Poisoned => Read::Keyword(Kind::Elsewhere {
            dialog,
            what: Box::new(what),
        }),
        _ => Read::Poisoned,
    })
}
