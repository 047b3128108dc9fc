// SPDX-License-Identifier: AGPL-3.0-only
//! What begins in a stream, and where a message in it ends.

use crate::sip::{self, Verdict};

/// Longest header section of HTTP that is waited for.
const MAX_HANDSHAKE: usize = 16 * 1024;

/// What a stream opens with.
pub(super) enum Opening {
    More,
    Hep,
    /// After a handshake of so many bytes.
    WebSocket(usize),
    Tls,
    Http,
    Unknown,
}

pub(super) fn opening(rest: &[u8], last: bool) -> Opening {
    const HEP: &[u8] = b"HEP3";
    const HTTP: [&[u8]; 2] = [b"GET ", b"HTTP/1."];
    let begins = |words: &[u8]| rest.len() < words.len() && words.starts_with(rest) && !last;
    if rest.starts_with(HEP) {
        return Opening::Hep;
    }
    if begins(HEP) || HTTP.iter().any(|words| begins(words)) {
        return Opening::More;
    }
    if HTTP.iter().any(|words| rest.starts_with(words)) {
        // A request line of SIP may begin in the same way.
        if sip::starts(rest) == Verdict::Yes {
            return Opening::Unknown;
        }
        return match head_len(rest, 0) {
            Some(head) if is_upgrade(&rest[..head]) => Opening::WebSocket(head),
            None if rest.len() < MAX_HANDSHAKE && !last => Opening::More,
            _ => Opening::Http,
        };
    }
    // A handshake of TLS 1.x.
    match rest {
        [0x16, 3, 0..=4, ..] => Opening::Tls,
        [0x16] | [0x16, 3] if !last => Opening::More,
        _ => Opening::Unknown,
    }
}

/// Whether a header section of HTTP changes to WebSocket.
fn is_upgrade(head: &[u8]) -> bool {
    fields(head).any(|(name, value)| {
        name.eq_ignore_ascii_case(b"upgrade") && value.eq_ignore_ascii_case(b"websocket")
    })
}

/// Bytes up to behind the empty line that ends a header section; the first `searched` ones hold no end.
pub(super) fn head_len(bytes: &[u8], searched: usize) -> Option<usize> {
    let ends = memchr::memchr_iter(b'\n', bytes.get(searched..)?);
    for end in ends {
        match bytes.get(searched + end + 1..) {
            Some([b'\n', ..]) => return Some(searched + end + 2),
            Some([b'\r', b'\n', ..]) => return Some(searched + end + 3),
            _ => {}
        }
    }
    None
}

/// Where the next message begins behind the first header section; one with a Call-ID, for bodies may hold the first
/// lines of messages.
pub(super) fn next_message(bytes: &[u8]) -> Option<usize> {
    /// As many lines are looked at, and as much of what follows them.
    const LINES: usize = 64;
    const NEAR: usize = 2048;
    let head = head_len(bytes, 0)?;
    let mut lines = Lines {
        line: Some(head),
        searched: head,
    };
    for _ in 0..LINES {
        let start = lines.next_start(bytes)?;
        let behind = bytes.get(start..).unwrap_or_default();
        let near = &behind[..behind.len().min(NEAR)];
        let head = head_len(near, 0).unwrap_or(near.len());
        let is_call_id = |name: &[u8]| name.eq_ignore_ascii_case(b"call-id") || name == b"i";
        if fields(&near[..head]).any(|(name, _)| is_call_id(name)) {
            return Some(start);
        }
        lines.line = None;
    }
    None
}

/// The length of the message with which a datagram begins, if that can be told.
pub(crate) fn message_len(bytes: &[u8]) -> Option<usize> {
    let head = head_len(bytes, 0)?;
    match body_len(&bytes[..head]) {
        Body::None => Some(head),
        Body::Bytes(body) => head.checked_add(body),
        Body::Open => None,
    }
}

/// How long a body is.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Body {
    None,
    Bytes(usize),
    /// There is one, and nothing says how long it is.
    Open,
}

pub(super) fn body_len(head: &[u8]) -> Body {
    let mut typed = false;
    for (name, value) in fields(head) {
        if name.eq_ignore_ascii_case(b"content-length") || name.eq_ignore_ascii_case(b"l") {
            let number = core::str::from_utf8(value)
                .ok()
                .and_then(|value| value.parse().ok());
            return match number {
                Some(0) => Body::None,
                Some(bytes) => Body::Bytes(bytes),
                // A number beyond all bounds is told from what is none.
                None if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                    Body::Bytes(usize::MAX)
                }
                None => Body::Open,
            };
        }
        typed |= name.eq_ignore_ascii_case(b"content-type") || name.eq_ignore_ascii_case(b"c");
    }
    if typed { Body::Open } else { Body::None }
}

/// The header fields of a section: names and values without space around them.
fn fields(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    head.split(|byte| *byte == b'\n')
        .skip(1)
        .filter_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            Some((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii()))
        })
}

/// Where a message ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Framed {
    /// Behind so many bytes.
    Whole(usize),
    /// Where the next one begins.
    Open(Lines),
}

/// The search for a line with which a message begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines {
    /// A line that could be it.
    pub(super) line: Option<usize>,
    /// No other line begins before this byte.
    pub(super) searched: usize,
}

impl Lines {
    pub(super) fn next_start(&mut self, bytes: &[u8]) -> Option<usize> {
        loop {
            if let Some(line) = self.line {
                match sip::starts(bytes.get(line..).unwrap_or_default()) {
                    Verdict::Yes => return Some(line),
                    Verdict::More => return None,
                    Verdict::No => self.line = None,
                }
            }
            let rest = bytes.get(self.searched..).unwrap_or_default();
            let Some(end) = memchr::memchr(b'\n', rest) else {
                self.searched = bytes.len();
                return None;
            };
            self.searched += end + 1;
            self.line = Some(self.searched);
        }
    }
}
