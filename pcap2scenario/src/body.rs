// SPDX-License-Identifier: AGPL-3.0-only
//! Bodies as the text of a message: session descriptions with our addresses and ports, everything else byte for byte.

use crate::message::{Msg, contains_ignoring_case};
use crate::text::{INDENT, Rules, append, append_plain, line};
use core::net::IpAddr;
use gossipper_sip::HeaderName;
use gossipper_sip::uri::param;

/// Ports that a side has offered, in the order of their first appearance; each gets a port of its own in a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ports(Vec<u16>);

impl Ports {
    /// The keyword for a port.
    fn keyword(&mut self, port: u16) -> String {
        let known = self.0.iter().position(|known| *known == port);
        let index = known.unwrap_or_else(|| {
            self.0.push(port);
            self.0.len() - 1
        });
        match index {
            0 => "[media_port]".to_owned(),
            index => format!("[media_port+{}]", index * 2),
        }
    }
}

/// A line of a body and what ends it.
struct Line<'a> {
    text: &'a [u8],
    end: &'a [u8],
}

fn lines(body: &[u8]) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let whole = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        let (first, behind) = rest.split_at(whole);
        let text = first.strip_suffix(b"\n").unwrap_or(first);
        let text = match text.strip_suffix(b"\r") {
            Some(text) if first.len() > text.len() + 1 => text,
            _ => text,
        };
        lines.push(Line {
            text,
            end: &first[text.len()..],
        });
        rest = behind;
    }
    lines
}

/// The body of a message as text: lines with their indentation, without a line end behind the last one unless the body
/// has one.
pub(crate) fn write(msg: &Msg, rules: &Rules, ports: &mut Ports) -> String {
    let kind = msg.header(HeaderName::ContentType).unwrap_or_default();
    let mut pieces: Vec<(String, &[u8])> = Vec::new();
    if msg.body.starts_with(b"v=0") || is_sdp(kind) {
        session(&msg.body, rules, ports, &mut pieces);
    } else if contains_ignoring_case(kind, b"multipart/") {
        multipart(&msg.body, kind, rules, ports, &mut pieces);
    } else {
        verbatim(&msg.body, &mut pieces);
    }
    joined(&pieces)
}

fn is_sdp(kind: &[u8]) -> bool {
    let end = kind.iter().position(|byte| *byte == b';');
    let kind = &kind[..end.unwrap_or(kind.len())];
    kind.trim_ascii().eq_ignore_ascii_case(b"application/sdp")
}

/// Puts lines together: a CRLF is a line end of the file, anything else is written out.
fn joined(pieces: &[(String, &[u8])]) -> String {
    // Line ends at the end of a text are dropped but for one.
    let solid = pieces
        .iter()
        .rposition(|(text, _)| !text.is_empty())
        .map_or(0, |at| at + 1);
    let mut out = String::new();
    let mut fresh = true;
    for (index, (text, end)) in pieces.iter().enumerate() {
        if fresh && !text.is_empty() {
            out.push_str(INDENT);
        }
        // Blanks matter only at the ends of a line of the file.
        out.push_str(&line(text));
        let is_break = *end == b"\r\n"
            && (index + 1 < solid || index + 1 == pieces.len() && index + 1 == solid);
        if is_break {
            out.push('\n');
        } else {
            append_plain(&mut out, end);
        }
        fresh = is_break;
    }
    out
}

fn verbatim<'a>(body: &'a [u8], pieces: &mut Vec<(String, &'a [u8])>) {
    for part in lines(body) {
        let mut text = String::new();
        append_plain(&mut text, part.text);
        pieces.push((text, part.end));
    }
}

/// The parts of a multipart body; sessions among them get our addresses.
fn multipart<'a>(
    body: &'a [u8],
    kind: &[u8],
    rules: &Rules,
    ports: &mut Ports,
    pieces: &mut Vec<(String, &'a [u8])>,
) {
    let params = memchr::memchr(b';', kind).map_or(&b""[..], |at| &kind[at + 1..]);
    let boundary = param(params, b"boundary").unwrap_or_default();
    let boundary = boundary.strip_prefix(b"\"").unwrap_or(boundary);
    let boundary = boundary.strip_suffix(b"\"").unwrap_or(boundary);
    let delimiter = [b"--", boundary].concat();
    if boundary.is_empty() {
        return verbatim(body, pieces);
    }
    let (mut in_head, mut sdp) = (true, false);
    for part in lines(body) {
        if part.text.starts_with(&delimiter) {
            (in_head, sdp) = (true, false);
        } else if in_head && part.text.is_empty() {
            in_head = false;
        } else if in_head {
            sdp |= contains_ignoring_case(part.text, b"application/sdp");
        } else if sdp {
            session_line(&part, rules, ports, pieces);
            continue;
        }
        let mut text = String::new();
        append_plain(&mut text, part.text);
        pieces.push((text, part.end));
    }
}

fn session<'a>(
    body: &'a [u8],
    rules: &Rules,
    ports: &mut Ports,
    pieces: &mut Vec<(String, &'a [u8])>,
) {
    for part in lines(body) {
        session_line(&part, rules, ports, pieces);
    }
}

fn session_line<'a>(
    part: &Line<'a>,
    rules: &Rules,
    ports: &mut Ports,
    pieces: &mut Vec<(String, &'a [u8])>,
) {
    let mut text = String::new();
    let words: Vec<&[u8]> = part.text.split(|byte| *byte == b' ').collect();
    match part.text.get(..2) {
        Some(b"o=") if words.len() >= 6 => {
            for word in &words[..3] {
                append_plain(&mut text, word);
                text.push(' ');
            }
            text.push_str("IN IP[media_ip_type] [media_ip]");
        }
        Some(b"c=") if words.len() >= 3 && is_ours(words[2]) => {
            text.push_str("c=IN IP[media_ip_type] [media_ip]");
        }
        Some(b"m=") if words.len() >= 3 => {
            append_plain(&mut text, words[0]);
            text.push(' ');
            let port = core::str::from_utf8(words[1])
                .ok()
                .and_then(|word| word.parse::<u16>().ok());
            match port {
                Some(port) if port != 0 && port != 9 => text.push_str(&ports.keyword(port)),
                _ => append_plain(&mut text, words[1]),
            }
            for word in &words[2..] {
                text.push(' ');
                append_plain(&mut text, word);
            }
        }
        Some(b"a=") if part.text.starts_with(b"a=rtcp:") => {
            // Its port follows that of the media, which is another one in a run.
            return;
        }
        _ => append(&mut text, part.text, rules),
    }
    pieces.push((text, part.end));
}

/// Whether a connection address is that of a host, which a run replaces: not that of a hold, of a group, or a name.
fn is_ours(word: &[u8]) -> bool {
    let Some(ip) = core::str::from_utf8(word)
        .ok()
        .and_then(|word| word.parse::<IpAddr>().ok())
    else {
        return false;
    };
    !ip.is_unspecified() && !ip.is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verbatim_text(body: &[u8]) -> String {
        let mut pieces = Vec::new();
        verbatim(body, &mut pieces);
        joined(&pieces)
    }

    #[test]
    fn line_ends_and_blanks_of_a_body_survive() {
        assert_eq!(verbatim_text(b"a\r\nb\r\n"), "      a\n      b\n");
        assert_eq!(verbatim_text(b"a\r\nb"), "      a\n      b");
        assert_eq!(verbatim_text(b"a\nb\n"), "      a\\x0ab\\x0a");
        assert_eq!(
            verbatim_text(b" a \r\n\r\nb"),
            "      \\x20a\\x20\n\n      b"
        );
        assert_eq!(verbatim_text(b"a\r\n\r\n"), "      a\\x0d\\x0a\\x0d\\x0a");
        assert_eq!(verbatim_text(b"\r\n"), "\\x0d\\x0a");
        assert_eq!(verbatim_text(b"a\r\r\n\x00"), "      a\\x0d\n      \\x00");
    }

    #[test]
    fn a_description_gets_the_addresses_and_ports_of_the_run() {
        let body = b"v=0\r\no=a 1 2 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
            m=audio 4000 RTP/AVP 0 101\r\na=rtcp:4001\r\nm=video 4002 RTP/AVP 96\r\nm=image 0 udptl t38\r\n";
        let mut pieces = Vec::new();
        session(body, &Rules::default(), &mut Ports::default(), &mut pieces);
        let text = joined(&pieces).replace("      ", "");
        assert_eq!(
            text,
            "v=0\no=a 1 2 IN IP[media_ip_type] [media_ip]\ns=-\nc=IN IP[media_ip_type] [media_ip]\nt=0 0\n\
             m=audio [media_port] RTP/AVP 0 101\nm=video [media_port+2] RTP/AVP 96\nm=image 0 udptl t38\n"
        );
        let mut pieces = Vec::new();
        let held = b"c=IN IP4 0.0.0.0\r\n";
        session(held, &Rules::default(), &mut Ports::default(), &mut pieces);
        assert_eq!(joined(&pieces), "      c=IN IP4 0.0.0.0\n");
    }
}
