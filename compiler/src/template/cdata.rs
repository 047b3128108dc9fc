// SPDX-License-Identifier: AGPL-3.0-only
//! From the text of a CDATA section to the text that is compiled.
//!
//! Indentation and trailing blanks go from every line, body included, and a message without an empty line gets one at
//! its end. Line ends stay LF here; [`super::segments`] makes them CRLF, since `\x0A` must stay what it is.

use crate::source::{OffsetMap, Text};
use core::ops::Range;

/// Why a text cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Empty;

fn is_trimmed(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n')
}

/// What is left of a line.
fn without_indentation(bytes: &[u8], line: Range<usize>) -> Range<usize> {
    let Range { mut start, mut end } = line;
    while start < end && is_trimmed(bytes[start]) {
        start += 1;
    }
    while start < end && is_trimmed(bytes[end - 1]) {
        end -= 1;
    }
    start..end
}

/// Normalises a text. With `keeps_last_line_end` (a `send`) a line end before `]]>` survives as one.
///
/// # Errors
/// [`Empty`] when a single character is left, or nothing.
pub(super) fn normalise(text: &Text, keeps_last_line_end: bool) -> Result<Text, Empty> {
    let bytes = text.bytes();
    let start = bytes
        .iter()
        .position(|b| !is_trimmed(*b))
        .unwrap_or(bytes.len());
    let end = bytes
        .iter()
        .rposition(|b| !is_trimmed(*b))
        .map_or(start, |last| last + 1);
    let cut_line_end = bytes[end..].contains(&b'\n');
    if end - start < 2 {
        return Err(Empty);
    }
    let mut out = Vec::with_capacity(end - start + 4);
    let mut map = OffsetMap::default();
    let origin = |at: usize| text.slice_span(at..at + 1).start as usize;
    let mut at = start;
    while at < end {
        let line_end = bytes[at..end]
            .iter()
            .position(|b| *b == b'\n')
            .map_or(end, |length| at + length);
        let kept = without_indentation(bytes, at..line_end);
        // The source is only ever stretched at line ends (CRLF became LF) and where blanks were dropped.
        if !kept.is_empty() {
            map.push(out.len(), origin(kept.start));
            out.extend_from_slice(&bytes[kept]);
        }
        if line_end < end {
            map.push(out.len(), origin(line_end));
            out.push(b'\n');
        }
        at = line_end + 1;
    }
    // What is added below stands right behind the last byte.
    map.push(out.len(), origin(end - 1) + 1);
    if !out.windows(2).any(|pair| pair == b"\n\n") {
        out.extend_from_slice(b"\n\n");
    }
    if keeps_last_line_end && cut_line_end && out.last() != Some(&b'\n') {
        out.push(b'\n');
    }
    Ok(Text::new(out, text.span(), map))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        let text = Text::verbatim(text.as_bytes(), 100);
        let done = normalise(&text, true).expect("not empty");
        String::from_utf8(done.bytes().to_vec()).expect("ASCII")
    }

    #[test]
    fn headers_only_end_with_one_empty_line() {
        for tail in ["", "\n", "\n\n\n", "\n   \n\t"] {
            assert_eq!(
                normal(&format!("\n  A: 1  \n  B: 2{tail}")),
                "A: 1\nB: 2\n\n"
            );
        }
    }

    #[test]
    fn a_body_ends_with_one_line_end_or_with_none_as_written() {
        assert_eq!(normal("A: 1\n\nbody\n\n\n  "), "A: 1\n\nbody\n");
        assert_eq!(normal("A: 1\n\nbody\n"), "A: 1\n\nbody\n");
        assert_eq!(normal("A: 1\n\nbody"), "A: 1\n\nbody");
        assert_eq!(normal("A: 1\n\nbody   "), "A: 1\n\nbody");
    }

    #[test]
    fn indentation_goes_in_the_body_too_but_blanks_inside_a_line_stay() {
        assert_eq!(
            normal("A:  1 2\t\n \t \n  b  c\n    d"),
            "A:  1 2\n\nb  c\nd"
        );
    }

    #[test]
    fn other_texts_get_no_line_end_back() {
        let text = Text::verbatim(b"A: 1\n\nbody\n", 0);
        assert_eq!(
            normalise(&text, false).expect("not empty").bytes(),
            b"A: 1\n\nbody"
        );
    }

    #[test]
    fn one_character_or_none_is_empty() {
        for text in ["", " \n ", "x", "\n x \n"] {
            assert_eq!(
                normalise(&Text::verbatim(text.as_bytes(), 0), true),
                Err(Empty)
            );
        }
    }

    #[test]
    fn places_lead_back_to_the_file() {
        let source = b"\n   INVITE x\n     To: y  \n\n  body\n";
        let text = Text::verbatim(source, 50);
        let done = normalise(&text, true).expect("not empty");
        for word in ["INVITE", "To:", "y", "body", "x\n"] {
            let find = |hay: &[u8]| {
                hay.windows(word.len())
                    .position(|w| w == word.as_bytes())
                    .expect("there")
            };
            let at = find(done.bytes());
            let span = done.slice_span(at..at + word.len());
            assert_eq!(span.start as usize, 50 + find(source), "{word}");
        }
    }
}
