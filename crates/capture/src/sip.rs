// SPDX-License-Identifier: AGPL-3.0-only
//! What SIP looks like, for whoever has bytes without a label.

/// Longest first line that is waited for.
const MAX_LINE: usize = 8 * 1024;

/// Whether something is so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Yes,
    No,
    /// More bytes are needed to tell.
    More,
}

/// Whether a SIP message begins here: a status line, or a request line of three parts whose last one is a version of SIP.
/// What the parts say is not looked at; broken messages are worth a test as well.
pub(crate) fn starts(bytes: &[u8]) -> Verdict {
    const STATUS: &[u8] = b"SIP/";
    if bytes.len() < STATUS.len() && STATUS.starts_with(bytes) {
        return Verdict::More;
    }
    let method = bytes
        .iter()
        .take(MAX_METHOD + 1)
        .take_while(|byte| is_token(**byte))
        .count();
    // A status line begins with `SIP/`: a slash ends a token.
    let is_status = bytes.starts_with(STATUS);
    if !is_status {
        match bytes.get(method) {
            None if method <= MAX_METHOD => return Verdict::More,
            Some(b' ' | b'\t') if method > 0 => {}
            _ => return Verdict::No,
        }
    }
    let line = &bytes[..bytes.len().min(MAX_LINE)];
    let Some(end) = memchr::memchr(b'\n', line) else {
        let more = bytes.len() < MAX_LINE && !line.contains(&0);
        return if more { Verdict::More } else { Verdict::No };
    };
    let line = line[..end].trim_ascii_end();
    let yes = if is_status {
        let (version, rest) = line.split_at(
            line.iter()
                .position(u8::is_ascii_whitespace)
                .unwrap_or(line.len()),
        );
        is_version(version)
            && rest
                .trim_ascii_start()
                .first()
                .is_some_and(u8::is_ascii_digit)
    } else {
        let version = line
            .iter()
            .rposition(u8::is_ascii_whitespace)
            .map_or(0, |at| at + 1);
        is_version(&line[version..]) && version > method + 2
    };
    if yes { Verdict::Yes } else { Verdict::No }
}

/// Longest method that is recognised.
const MAX_METHOD: usize = 64;

/// Whether a whole datagram, or as much of it as was captured, is SIP by its looks.
pub(crate) fn is_message(bytes: &[u8]) -> bool {
    let bytes = without_blank(bytes);
    match starts(bytes) {
        Verdict::Yes => true,
        Verdict::No => false,
        // A line that nobody ended, or that was cut: enough of it must be there to tell.
        Verdict::More => bytes.starts_with(b"SIP/2.0 ") || is_cut_request(bytes),
    }
}

/// Whether a datagram on the port of SIP is a message that does not begin like one: text that names the version within
/// its first lines.
pub(crate) fn is_odd_message(bytes: &[u8]) -> bool {
    let near = &bytes[..bytes.len().min(512)];
    is_text(bytes) && near.windows(7).any(|word| word == b"SIP/2.0")
}

/// The methods of RFC 3261 and its extensions.
pub const METHODS: [&[u8]; 14] = [
    b"INVITE",
    b"ACK",
    b"BYE",
    b"CANCEL",
    b"OPTIONS",
    b"REGISTER",
    b"PRACK",
    b"SUBSCRIBE",
    b"NOTIFY",
    b"PUBLISH",
    b"INFO",
    b"REFER",
    b"MESSAGE",
    b"UPDATE",
];

/// Whether a line begins with the end of a known method: a stream joined within it, not a method of its own.
pub(crate) fn is_rest_of_method(bytes: &[u8]) -> bool {
    let near = &bytes[..bytes.len().min(10)];
    let Some(space) = near.iter().position(|byte| *byte == b' ') else {
        return false;
    };
    let word = &near[..space];
    METHODS
        .iter()
        .any(|method| method.len() > word.len() && method.ends_with(word))
        && !METHODS.contains(&word)
}

/// A method in capitals and a URI of SIP behind it.
fn is_cut_request(bytes: &[u8]) -> bool {
    let Some(space) = bytes.iter().position(|byte| *byte == b' ') else {
        return false;
    };
    let (method, uri) = bytes.split_at(space);
    let uri = uri.trim_ascii_start();
    method.len() >= 3
        && method.iter().all(u8::is_ascii_uppercase)
        && [&b"sip:"[..], b"sips:", b"tel:"].iter().any(|scheme| {
            uri.get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        })
}

/// Whether a datagram of the port that SIP is on can be SIP: text, not the binary of RTP or STUN, and not just the empty
/// lines that keep a path open.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let bytes = without_blank(bytes);
    bytes.len() > 4
        && bytes
            .iter()
            .take(16)
            .all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
}

/// The bytes behind leading line ends and the like, which keep paths open.
pub(crate) fn without_blank(bytes: &[u8]) -> &[u8] {
    let blank = bytes.iter().take_while(|byte| is_blank(**byte)).count();
    &bytes[blank..]
}

/// What may stand between messages.
pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n' | 0)
}

fn is_version(word: &[u8]) -> bool {
    let Some((name, version)) = word.split_at_checked(4) else {
        return false;
    };
    let mut digits = version.split(|byte| *byte == b'.');
    let mut number = || {
        digits
            .next()
            .is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
    };
    name.eq_ignore_ascii_case(b"SIP/") && number() && number() && digits.next().is_none()
}

/// RFC 3261 §25.1.
pub(crate) const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
        )
}
