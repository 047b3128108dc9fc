// SPDX-License-Identifier: AGPL-3.0-only
//! `[fieldN file="…" line="…"]`: a field of an injection file.
//!
//! COMPAT(sipp): what follows `field` up to the parameters is read as SIPp reads numbers, so `[fieldX]` is field 0. The
//! name of the file is plain text; the line is a text with keywords.

use super::keywords::{Keys, Kind, Read};
use super::params::{self, Value};
use super::segments::{self, Piece};
use crate::diag::codes::template as codes;
use crate::diag::{Diagnostic, Diagnostics, Severity, quote, suggest};
use crate::needs::Missing;
use crate::source::{OffsetMap, Span, Text};
use core::ops::Range;

/// Reads what stands behind `field`.
pub(super) fn read<'a>(
    text: &Text,
    rest: Range<usize>,
    span: Span,
    keys: &Keys<'a>,
    diagnostics: &mut Diagnostics,
) -> Read<'a> {
    let bytes = &text.bytes()[rest.clone()];
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit());
    let index = digits.fold(0u32, |n, digit| {
        n.saturating_mul(10).saturating_add(u32::from(digit - b'0'))
    });
    let Some(params) = params::read(text, rest.clone(), diagnostics) else {
        return Read::Poisoned;
    };
    let find = |name: &str| -> Option<(Value<'_>, Span)> {
        let mut named = params.iter().filter(|param| param.name == name.as_bytes());
        let value = named.next()?.value;
        let place = value.range().map_or(span, |range| {
            text.slice_span(rest.start + range.start..rest.start + range.end)
        });
        Some((value, place))
    };
    let file = find("file").map(|(value, place)| (value.bytes(), place));
    let shown = file
        .as_ref()
        .map(|(name, _)| String::from_utf8_lossy(name).into_owned());
    if let Some(missing) = missing(
        file.as_ref()
            .map(|(name, place)| (&name[..], *place))
            .ok_or(span),
        keys.files(),
        keys.missing(),
    ) {
        // What a run needs is said once, and so is what is not there; the names in its line are names all the same.
        let mut is_known = false;
        keys.note(|needs| is_known = needs.has_file(shown.as_deref()));
        if missing.severity == Severity::Error || !is_known {
            diagnostics.push_once(missing);
        }
    }
    keys.note(|needs| needs.field(shown, index));
    let line = match find("line") {
        None => None,
        Some((value, place)) => {
            let mut map = OffsetMap::default();
            map.push(0, place.start as usize);
            let line = Text::new(value.bytes(), place, map);
            let pieces = segments::split(&line, keys, diagnostics);
            if let Some(piece) = pieces.iter().find(|piece| is_nested(piece)) {
                let place = match piece {
                    Piece::Keyword(keyword) => keyword.span,
                    Piece::Literal(_) => place,
                };
                diagnostics.push(Diagnostic::error(
                    codes::BAD_PARAMETER,
                    place,
                    "a keyword with a text inside another such text",
                ));
                return Read::Poisoned;
            }
            Some(pieces)
        }
    };
    Read::Keyword(Kind::Field {
        file: file.map(|(name, _)| name),
        index,
        line,
    })
}

fn is_nested(piece: &Piece) -> bool {
    match piece {
        Piece::Keyword(keyword) => !keyword.kind.nested().is_empty(),
        Piece::Literal(_) => false,
    }
}

/// What is wrong when an injection file is not there: the one of this name, or for a keyword without one any at all.
/// Without any file it may be left to the run.
pub(crate) fn missing(
    file: Result<(&[u8], Span), Span>,
    files: &[String],
    missing: Missing,
) -> Option<Diagnostic> {
    let wants = |place: Span, message: String, left: String| {
        Some(if files.is_empty() && missing == Missing::Warn {
            Diagnostic::warning(codes::INJECTION_FILE, place, left)
        } else {
            Diagnostic::error(codes::INJECTION_FILE, place, message)
        })
    };
    let (name, place) = match file {
        Ok(named) => named,
        Err(_) if !files.is_empty() => return None,
        Err(place) => {
            let message = "there is no injection file to take the field from".to_owned();
            let left = "a run needs an injection file to take the field from".to_owned();
            let found = wants(place, message, left)?;
            return Some(found.help("name one with `-inf FILE`"));
        }
    };
    if files.iter().any(|file| file.as_bytes() == name) {
        return None;
    }
    let shown = quote(name);
    let message = format!("there is no injection file `{shown}`");
    let left = format!("a run needs the injection file `{shown}`");
    let found = wants(place, message, left)?;
    let typed = String::from_utf8_lossy(name);
    let near = suggest::nearest(&typed, files.iter().map(String::as_str));
    Some(match near {
        Some(near) => found.did_you_mean(Some(near)),
        None => found.help("name it with `-inf FILE`"),
    })
}
