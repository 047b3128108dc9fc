// SPDX-License-Identifier: AGPL-3.0-only
//! A text that a regular expression finds something in.

use gossipper_compiler::ere::translate;
use regex::bytes::Regex;
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Most bytes of an example.
const MAX_LENGTH: usize = 512;

/// Bytes to take from a set, the likeliest to make sense first.
const PREFERRED: &[u8] = b"1a0bA2.- ";

/// A line of text that the expression matches; `1` for an expression that has none.
#[must_use]
pub(super) fn text(ere: &[u8]) -> String {
    let example = || {
        let pattern = translate(ere).ok()?.pattern;
        let hir = ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .parse(&pattern)
            .ok()?;
        let mut bytes = Vec::new();
        write(&hir, &mut bytes);
        let regex = Regex::new(&pattern).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let fits = !text.contains(['\r', '\n', '[', ']']) && regex.is_match(text.as_bytes());
        (fits && !text.is_empty()).then_some(text)
    };
    example().unwrap_or_else(|| "1".to_owned())
}

fn write(hir: &Hir, out: &mut Vec<u8>) {
    if out.len() > MAX_LENGTH {
        return;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.extend_from_slice(&literal.0),
        HirKind::Class(Class::Bytes(class)) => {
            let has = |byte: u8| class.iter().any(|r| (r.start()..=r.end()).contains(&byte));
            let byte = PREFERRED.iter().copied().find(|byte| has(*byte));
            out.extend(byte.or_else(|| (b' '..=b'~').find(|byte| has(*byte))));
        }
        HirKind::Class(Class::Unicode(_)) => {}
        HirKind::Repetition(repetition) => {
            let times = if repetition.max == Some(0) {
                0
            } else {
                repetition.min.max(1)
            };
            for _ in 0..times.min(64) {
                write(&repetition.sub, out);
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, out),
        HirKind::Concat(parts) => parts.iter().for_each(|part| write(part, out)),
        HirKind::Alternation(parts) => write(&parts[0], out),
    }
}

fn matches(ere: &[u8], text: &str) -> bool {
    translate(ere)
        .ok()
        .and_then(|translated| Regex::new(&translated.pattern).ok())
        .is_some_and(|regex| regex.is_match(text.as_bytes()))
}

/// A status code that an expression finds something in.
#[must_use]
pub(super) fn status_code(ere: &[u8]) -> u16 {
    [200, 180, 183, 100]
        .into_iter()
        .chain(101..700)
        .find(|code: &u16| matches(ere, &code.to_string()))
        .unwrap_or(200)
}

/// A method that an expression finds something in.
#[must_use]
pub(super) fn method(ere: &[u8]) -> String {
    [
        "INVITE",
        "REGISTER",
        "OPTIONS",
        "MESSAGE",
        "BYE",
        "ACK",
        "CANCEL",
        "INFO",
        "NOTIFY",
        "SUBSCRIBE",
        "PUBLISH",
        "UPDATE",
        "PRACK",
        "REFER",
    ]
    .into_iter()
    .find(|method| matches(ere, method))
    .unwrap_or("OPTIONS")
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_found_by_its_expression() {
        for (ere, expected) in [
            ("sip:(.*)@.*", "sip:1@1"),
            ("(INFO|INFORMATION)", "INFO"),
            ("^[0-9]{3}-?[a-f]+$", "111-a"),
            ("", "1"),
        ] {
            assert_eq!(text(ere.as_bytes()), expected, "{ere}");
        }
    }

    #[test]
    fn codes_and_methods_are_the_likeliest_that_fit() {
        assert_eq!(status_code(b"^(404|486)$"), 404);
        assert_eq!(status_code(b"[12]"), 200);
        assert_eq!(method(b".*"), "INVITE");
        assert_eq!(method(b"^(NOTIFY|BYE)$"), "BYE");
    }
}
