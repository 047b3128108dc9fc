// SPDX-License-Identifier: AGPL-3.0-only
//! `trim`, `urlencode` and `urldecode`: changes of one text in place.
//!
//! Works on bytes; what is no text counts as an empty one, as everywhere.

use gossipper_bytecode::TextOp;

/// Appends what the action makes of `text`.
pub(super) fn change(op: TextOp, text: &[u8], out: &mut Vec<u8>) {
    match op {
        TextOp::Trim => out.extend_from_slice(trim(text)),
        TextOp::UrlEncode => encode(text, out),
        TextOp::UrlDecode => decode(text, out),
    }
}

/// White space as C's `isspace` sees it: unlike Rust's, with the vertical tab.
fn is_space(byte: &u8) -> bool {
    byte.is_ascii_whitespace() || *byte == 0x0b
}

fn trim(text: &[u8]) -> &[u8] {
    let from = text.iter().take_while(|byte| is_space(byte)).count();
    let rest = &text[from..];
    let blanks = rest.iter().rev().take_while(|byte| is_space(byte)).count();
    &rest[..rest.len() - blanks]
}

fn encode(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(byte);
        } else {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            out.extend_from_slice(&[b'%', HEX[high], HEX[low]]);
        }
    }
}

fn decode(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                _ => out.push(b'%'),
            },
            _ => out.push(byte),
        }
    }
}

fn hex(digit: u8) -> Option<u8> {
    // At most 15.
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(op: TextOp, text: &str) -> String {
        let mut out = Vec::new();
        change(op, text.as_bytes(), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn trim_takes_white_space_at_both_ends_only() {
        assert_eq!(changed(TextOp::Trim, " \t\x0b\r\na b \n"), "a b");
        assert_eq!(changed(TextOp::Trim, " \r\n "), "");
        assert_eq!(changed(TextOp::Trim, ""), "");
    }

    #[test]
    fn url_encoding_keeps_the_unreserved_characters() {
        assert_eq!(
            changed(TextOp::UrlEncode, "aZ09-_.~ /+%\u{e4}"),
            "aZ09-_.~%20%2F%2B%25%C3%A4"
        );
    }

    #[test]
    fn url_decoding_undoes_it_and_leaves_broken_escapes() {
        assert_eq!(changed(TextOp::UrlDecode, "a+b%2fc%C3%A4"), "a b/c\u{e4}");
        assert_eq!(changed(TextOp::UrlDecode, "%zz %4 %"), "%zz %4 %");
    }
}
