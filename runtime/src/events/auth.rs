// SPDX-License-Identifier: AGPL-3.0-only
//! Credentials in requests, and what becomes of them.

use memchr::{memchr, memchr_iter};

/// Header lines looked at before the search is given up.
const LINES: usize = 128;

/// What is looked for in a message that is sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Noted<'a> {
    pub(super) call_id: &'a [u8],
    pub(super) cseq: &'a [u8],
    /// The status code that asked for them, and the credentials.
    pub(super) credentials: Option<(u16, &'a [u8])>,
}

/// Looks through the headers once.
pub(super) fn note(message: &[u8]) -> Noted<'_> {
    let mut noted = Noted::default();
    let mut begin = 0;
    for end in memchr_iter(b'\n', message).take(LINES) {
        let line = &message[begin..end];
        begin = end + 1;
        let Some(first) = line.first() else {
            break;
        };
        // By the first letter, since most headers are none of these.
        if !matches!(first | 0x20, b'c' | b'i' | b'a' | b'p') {
            if line == b"\r" {
                break;
            }
            continue;
        }
        let Some(colon) = memchr(b':', line) else {
            continue;
        };
        let name = line[..colon].trim_ascii();
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        let value = || line[colon + 1..].trim_ascii();
        if is("Call-ID") || is("i") {
            noted.call_id = value();
        } else if is("CSeq") {
            noted.cseq = value();
        } else if is("Authorization") {
            noted.credentials = Some((401, value()));
        } else if is("Proxy-Authorization") {
            noted.credentials = Some((407, value()));
        }
    }
    noted
}

/// Number and method of a CSeq.
pub(super) fn cseq(value: &[u8]) -> Option<(u32, &[u8])> {
    let text = str::from_utf8(value).ok()?;
    let (number, method) = text.split_once([' ', '\t'])?;
    Some((number.parse().ok()?, method.trim().as_bytes()))
}

/// A parameter of credentials, without its quotes; `None` without one.
pub(super) fn parameter<'a>(credentials: &'a [u8], name: &str) -> Option<&'a [u8]> {
    // Behind the scheme.
    let begin = memchr(b' ', credentials)?;
    let mut rest = &credentials[begin..];
    loop {
        rest = rest.trim_ascii_start();
        let equals = memchr(b'=', rest)?;
        let key = rest[..equals].trim_ascii();
        rest = rest[equals + 1..].trim_ascii_start();
        let value;
        if let Some(quoted) = rest.strip_prefix(b"\"") {
            let mut escaped = false;
            let end = quoted.iter().position(|byte| {
                let ends = *byte == b'"' && !escaped;
                escaped = *byte == b'\\' && !escaped;
                ends
            });
            let end = end?;
            value = &quoted[..end];
            rest = &quoted[end + 1..];
        } else {
            let end = memchr(b',', rest).unwrap_or(rest.len());
            value = rest[..end].trim_ascii();
            rest = &rest[end..];
        }
        if key.eq_ignore_ascii_case(name.as_bytes()) {
            return Some(value);
        }
        let comma = memchr(b',', rest)?;
        rest = &rest[comma + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_found_in_the_headers_alone() {
        let message =
            b"INVITE sip:b SIP/2.0\r\nCall-Info: x\r\nI: a@b\r\nContact: y\r\ncseq : 7 INVITE\r\n\
            Proxy-Authorization: Digest username=\"u\"\r\n\r\nCall-ID: body\r\n";
        let noted = note(message);
        assert_eq!(noted.call_id, b"a@b");
        assert_eq!(cseq(noted.cseq), Some((7, &b"INVITE"[..])));
        assert_eq!(
            noted.credentials,
            Some((407, &b"Digest username=\"u\""[..]))
        );
        assert_eq!(note(b""), Noted::default());
        assert_eq!(note(b"\n\nCall-ID: x\n"), Noted::default());
        assert_eq!(cseq(b"99999999999 INVITE"), None);
    }

    #[test]
    fn parameters_are_read_with_and_without_quotes() {
        let credentials =
            b"Digest username=\"al\\\"ice, x\", realm = \"r\",algorithm=MD5 , qop=auth, nonce=\"a=b\"";
        let get = |name| parameter(credentials, name);
        assert_eq!(get("username"), Some(&b"al\\\"ice, x"[..]));
        assert_eq!(get("REALM"), Some(&b"r"[..]));
        assert_eq!(get("algorithm"), Some(&b"MD5"[..]));
        assert_eq!(get("qop"), Some(&b"auth"[..]));
        assert_eq!(get("nonce"), Some(&b"a=b"[..]));
        assert_eq!(get("opaque"), None);
        for broken in [
            "",
            "Digest",
            "Digest ",
            "Digest x=\"",
            "Digest =",
            "Digest x=\"\\",
        ] {
            assert_eq!(parameter(broken.as_bytes(), "realm"), None, "{broken}");
        }
    }
}
