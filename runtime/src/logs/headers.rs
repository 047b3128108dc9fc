// SPDX-License-Identifier: AGPL-3.0-only
//! The little that traces read of a message: start line, Call-ID, CSeq.
//!
//! Not a parser: the message may be anything a peer has sent.

/// Header lines looked at before the search is given up.
const LINES: usize = 256;

/// The start line.
pub(crate) fn start_line(message: &[u8]) -> &[u8] {
    message
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default()
        .trim_ascii_end()
}

/// The reason phrase of a response.
pub(super) fn reason(message: &[u8]) -> &[u8] {
    let mut words = start_line(message).splitn(3, |byte| *byte == b' ');
    words.nth(2).unwrap_or_default()
}

/// The value of the first header of this name (or this short one); empty without one.
pub(super) fn value<'a>(message: &'a [u8], name: &str, short: &str) -> &'a [u8] {
    let lines = message.split(|byte| *byte == b'\n').skip(1).take(LINES);
    for line in lines {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            break;
        }
        let Some(at) = colon(line) else {
            continue;
        };
        let (field, value) = line.split_at(at);
        let field = field.trim_ascii();
        if field.eq_ignore_ascii_case(name.as_bytes())
            || (!short.is_empty() && field.eq_ignore_ascii_case(short.as_bytes()))
        {
            return value[1..].trim_ascii();
        }
    }
    b""
}

fn colon(line: &[u8]) -> Option<usize> {
    line.iter().position(|byte| *byte == b':')
}

/// The Call-ID.
pub(crate) fn call_id(message: &[u8]) -> &[u8] {
    value(message, "Call-ID", "i")
}

/// The method of a message's transaction.
pub(crate) fn cseq_method(message: &[u8]) -> &[u8] {
    let cseq = value(message, "CSeq", "");
    cseq.rsplit(u8::is_ascii_whitespace)
        .next()
        .unwrap_or_default()
}

/// Appends a field of a table with commas, in quotes if it needs them (RFC 4180).
pub(super) fn csv(out: &mut Vec<u8>, field: &[u8]) {
    let quoted = |byte: &u8| matches!(byte, b',' | b'"' | b'\n' | b'\r');
    if !field.iter().any(quoted) {
        out.extend_from_slice(field);
        return;
    }
    out.push(b'"');
    for byte in field {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] =
        b"SIP/2.0 486 Busy Here\r\nVia: x\r\ni : a@b\r\nCSeq: 1 INVITE\r\n\r\nCall-ID: body\r\n";

    #[test]
    fn headers_are_found_by_both_names_and_not_in_the_body() {
        assert_eq!(start_line(MESSAGE), b"SIP/2.0 486 Busy Here");
        assert_eq!(reason(MESSAGE), b"Busy Here");
        assert_eq!(call_id(MESSAGE), b"a@b");
        assert_eq!(cseq_method(MESSAGE), b"INVITE");
        assert_eq!(cseq_method(b""), b"");
        assert_eq!(value(b"x\r\n\r\nCall-ID: 1", "Call-ID", "i"), b"");
        assert_eq!(value(b"", "Call-ID", "i"), b"");
        assert_eq!(reason(b"SIP/2.0 200"), b"");
    }

    #[test]
    fn fields_of_a_table_are_quoted_when_they_must_be() {
        let mut out = Vec::new();
        for field in ["plain", "a,b", "say \"x\""] {
            csv(&mut out, field.as_bytes());
            out.push(b' ');
        }
        assert_eq!(out, b"plain \"a,b\" \"say \"\"x\"\"\" ");
    }
}
