// SPDX-License-Identifier: AGPL-3.0-only
//! Message traces of SIPp runs, made comparable.
//!
//! SIPp's `-trace_msg` log (and ours, which has the same form) is read back into messages; what differs from run to
//! run (ports, process ids, clocks) is replaced by names; the rest is grouped by call, since messages of different
//! calls interleave freely.
//!
//! Not for judging: which differences are meant is for the caller (see [`crate::sipp_cases`]).
//!
//! Invariants: a message is taken by its byte count, so a body that looks like a log line does no harm; whatever is
//! neither "sent" nor "received" (unexpected or dead-call notices repeat a message that is already there) is skipped.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Which way a traced message went, as its writer saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Written to the socket.
    Sent,
    /// Read from the socket.
    Received,
}

/// One message of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// Which way it went.
    pub direction: Direction,
    /// The bytes on the wire.
    pub bytes: Vec<u8>,
}

/// The separator that starts each event of the log: 47 dashes, a space, then the time.
const SEPARATOR: &[u8] = b"----------------------------------------------- ";

/// Reads a `-trace_msg` log. Events that are cut off at the end of the file are dropped.
#[must_use]
pub fn parse_trace(log: &[u8]) -> Vec<Traced> {
    let mut messages = Vec::new();
    let mut rest = log;
    while let Some(at) = find(rest, SEPARATOR) {
        rest = after_line(&rest[at..]);
        let title_end = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
        let Some((direction, count)) = parse_title(&rest[..title_end]) else {
            continue;
        };
        // The title line is followed by one empty line, then by the bytes.
        let start = title_end + 2;
        let Some(bytes) = rest.get(start..start + count) else {
            break;
        };
        messages.push(Traced {
            direction,
            bytes: bytes.to_vec(),
        });
        rest = &rest[start + count..];
    }
    messages
}

/// `UDP message sent [511] bytes:`; SIPp 3.6 writes `sent (511 bytes):` and `received [309] bytes :`.
fn parse_title(line: &[u8]) -> Option<(Direction, usize)> {
    let line = std::str::from_utf8(line).ok()?;
    let (_, tail) = line.split_once(" message ")?;
    let direction = if tail.starts_with("sent ") {
        Direction::Sent
    } else if tail.starts_with("received ") {
        Direction::Received
    } else {
        return None;
    };
    let digits: String = tail
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(char::is_ascii_digit)
        .collect();
    Some((direction, digits.parse().ok()?))
}

/// Numbers less than this above a port are taken for that port with an offset.
pub(crate) const MAX_PORT_OFFSET: u32 = 10;

/// What a run's texts contain only because of when and where it ran.
#[derive(Debug, Clone, Copy)]
pub struct Identities {
    /// Process id of the calling side.
    pub client_pid: u32,
    /// Process id of the answering side.
    pub server_pid: u32,
    /// SIP port of the calling side.
    pub client_port: u16,
    /// SIP port of the answering side.
    pub server_port: u16,
}

impl Identities {
    /// The message with line ends made visible where they are not CRLF, ports and process ids replaced by names, the
    /// media port dropped, and every digit of a header whose name starts with `X-Volatile` hidden. So are the random
    /// nonce of an answer to a challenge and the hash that covers it.
    #[must_use]
    pub fn normalise(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes);
        let mut out = String::with_capacity(text.len() + 64);
        for piece in text.split_inclusive('\n') {
            let (line, end) = match piece.strip_suffix("\r\n") {
                Some(line) => (line, "\n"),
                None => match piece.strip_suffix('\n') {
                    Some(line) => (line, "<bare LF>\n"),
                    None => (piece, "<no line end>"),
                },
            };
            if line.starts_with("X-Volatile") {
                hide_digits(line, &mut out);
            } else if line.contains("uthorization: Digest ") {
                self.digest(line, &mut out);
            } else if line.starts_with("m=") {
                hide_media_port(line, &mut out);
            } else {
                self.name_numbers(line, &mut out);
            }
            out.push_str(end);
        }
        out
    }

    /// An answer to a challenge. Its hash is hexadecimal digits, among which no port is to be looked for.
    fn digest(&self, line: &str, out: &mut String) {
        let random = line.contains("cnonce=\"");
        for (index, field) in line.split(',').enumerate() {
            if index > 0 {
                out.push(',');
            }
            let name = field.split('=').next().unwrap_or_default();
            match name {
                "cnonce" | "response" if random => {
                    out.push_str(name);
                    out.push_str("=\"<random>\"");
                }
                "response" | "nonce" => out.push_str(field),
                _ => self.name_numbers(field, out),
            }
        }
    }

    /// Replaces ports anywhere, and process ids where the generated Call-ID, branch and tag put them.
    fn name_numbers(&self, line: &str, out: &mut String) {
        let bytes = line.as_bytes();
        let mut copied = 0;
        let mut at = 0;
        while at < bytes.len() {
            if !bytes[at].is_ascii_digit() {
                at += 1;
                continue;
            }
            let start = at;
            while at < bytes.len() && bytes[at].is_ascii_digit() {
                at += 1;
            }
            if let Some(name) = self.name_of(&line[..start], &line[start..at], &line[at..]) {
                out.push_str(&line[copied..start]);
                out.push_str(&name);
                copied = at;
            }
        }
        out.push_str(&line[copied..]);
    }

    fn name_of(&self, before: &str, digits: &str, after: &str) -> Option<String> {
        let number: u32 = digits.parse().ok()?;
        let id_place = after.starts_with("SIPpTag")
            || before.ends_with("z9hG4bK-")
            || (before.ends_with('-') && after.starts_with('@'));
        if id_place && number == self.client_pid {
            return Some("<client pid>".to_owned());
        }
        if id_place && number == self.server_pid {
            return Some("<server pid>".to_owned());
        }
        let ports = [(self.client_port, "client"), (self.server_port, "server")];
        for (port, name) in ports {
            if number == u32::from(port) {
                return Some(format!("<{name} port>"));
            }
        }
        // `[local_port+1]` and the like.
        for (port, name) in ports {
            if let Some(offset @ 1..MAX_PORT_OFFSET) = number.checked_sub(u32::from(port)) {
                return Some(format!("<{name} port+{offset}>"));
            }
        }
        None
    }
}

fn hide_digits(line: &str, out: &mut String) {
    let mut in_number = false;
    for c in line.chars() {
        if c.is_ascii_digit() {
            if !in_number {
                out.push('#');
            }
            in_number = true;
        } else {
            out.push(c);
            in_number = false;
        }
    }
}

/// SIPp's media port is the first free one from 6000 on, so parallel runs differ in it.
fn hide_media_port(line: &str, out: &mut String) {
    let mut words = line.splitn(3, ' ');
    let kind = words.next().unwrap_or_default();
    match (words.next(), words.next()) {
        (Some(port), Some(tail)) if port.parse::<u16>().is_ok() => {
            let _ = write!(out, "{kind} <media port> {tail}");
        }
        _ => out.push_str(line),
    }
}

/// The messages of one run by call: normalised Call-ID to the messages in the order in which the writer saw them.
pub type Conversation = BTreeMap<String, Vec<String>>;

/// Groups a trace by call. Each text starts with a line that says `sent` or `received`.
#[must_use]
pub fn conversation(messages: &[Traced], identities: &Identities) -> Conversation {
    let mut calls = Conversation::new();
    for message in messages {
        let text = identities.normalise(&message.bytes);
        let Some(call_id) = call_id(&text) else {
            // Keep-alives, by which the runner finds out whether a server is up.
            continue;
        };
        let direction = match message.direction {
            Direction::Sent => "sent",
            Direction::Received => "received",
        };
        calls
            .entry(call_id.to_owned())
            .or_default()
            .push(format!("{direction}\n{text}"));
    }
    calls
}

fn call_id(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.eq_ignore_ascii_case("call-id") || name.eq_ignore_ascii_case("i"))
            .then(|| value.trim())
    })
}

/// Where two conversations part, as text for a failing test; `None` when they are equal.
#[must_use]
pub fn first_difference(expected: &Conversation, actual: &Conversation) -> Option<String> {
    let ids = |c: &Conversation| c.keys().cloned().collect::<Vec<_>>();
    if ids(expected) != ids(actual) {
        return Some(format!(
            "calls differ\n  expected {:?}\n  actual   {:?}",
            ids(expected),
            ids(actual)
        ));
    }
    for (call, expected) in expected {
        let actual = &actual[call];
        for index in 0..expected.len().max(actual.len()) {
            match (expected.get(index), actual.get(index)) {
                (Some(e), Some(a)) if e == a => {}
                (e, a) => {
                    let none = "(nothing)".to_owned();
                    return Some(format!(
                        "call {call}, message {index}\n{}",
                        line_difference(e.unwrap_or(&none), a.unwrap_or(&none))
                    ));
                }
            }
        }
    }
    None
}

/// Both texts side by side in time: common lines once, the others marked `-` (expected) and `+` (actual).
fn line_difference(expected: &str, actual: &str) -> String {
    let expected: Vec<_> = expected.lines().collect();
    let actual: Vec<_> = actual.lines().collect();
    let head = expected
        .iter()
        .zip(&actual)
        .take_while(|(e, a)| e == a)
        .count();
    let tail = expected[head..]
        .iter()
        .rev()
        .zip(actual[head..].iter().rev())
        .take_while(|(e, a)| e == a)
        .count();
    let mut out = String::new();
    for line in &expected[..head] {
        let _ = writeln!(out, "    {line}");
    }
    for line in &expected[head..expected.len() - tail] {
        let _ = writeln!(out, "  - {line}");
    }
    for line in &actual[head..actual.len() - tail] {
        let _ = writeln!(out, "  + {line}");
    }
    for line in &expected[expected.len() - tail..] {
        let _ = writeln!(out, "    {line}");
    }
    out
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

fn after_line(bytes: &[u8]) -> &[u8] {
    match bytes.iter().position(|&b| b == b'\n') {
        Some(at) => &bytes[at + 1..],
        None => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: Identities = Identities {
        client_pid: 77,
        server_pid: 78,
        client_port: 40001,
        server_port: 50002,
    };

    fn log() -> Vec<u8> {
        let sent = "OPTIONS sip:a@h:50002 SIP/2.0\r\nCall-ID: 1-77@h\r\n\r\n";
        let got = "SIP/2.0 200 OK\r\ni: 1-77@h\r\n\r\n----------------------------------------------- x\r\n";
        format!(
            "----------------------------------------------- 2026-01-02 03:04:05.000000\n\
             UDP message sent ({} bytes):\n\n{sent}\n\
             ----------------------------------------------- 2026-01-02T03:04:05.1+00:00\n\
             UDP message received [{}] bytes :\n\n{got}\n\
             Unexpected UDP message received:\n\n{got}\n\
             ----------------------------------------------- 2026-01-02T03:04:05.2+00:00\n\
             UDP message sent [99999] bytes:\n\ncut",
            sent.len(),
            got.len()
        )
        .into_bytes()
    }

    #[test]
    fn answers_to_challenges_lose_what_is_random() {
        let ids = Identities {
            client_pid: 1,
            server_pid: 2,
            client_port: 40001,
            server_port: 50002,
        };
        let with = "Authorization: Digest username=\"u\",realm=\"r\",cnonce=\"40001\",nc=00000001,qop=auth,\
            uri=\"sip:h:50002\",nonce=\"n\",response=\"ab40001cd\",algorithm=MD5\r\n";
        assert_eq!(
            ids.normalise(with.as_bytes()),
            "Authorization: Digest username=\"u\",realm=\"r\",cnonce=\"<random>\",nc=00000001,qop=auth,\
             uri=\"sip:h:<server port>\",nonce=\"n\",response=\"<random>\",algorithm=MD5\n"
        );
        let without =
            "Proxy-Authorization: Digest username=\"u\",nonce=\"n\",response=\"ab40001cd\"\r\n";
        assert_eq!(
            ids.normalise(without.as_bytes()),
            without.replace("\r\n", "\n"),
            "the hash is the same in every run"
        );
    }

    #[test]
    fn both_spellings_of_the_title_are_read_and_a_cut_event_is_dropped() {
        let messages = parse_trace(&log());
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert_eq!(messages[0].direction, Direction::Sent);
        assert_eq!(messages[1].direction, Direction::Received);
        assert!(messages[1].bytes.ends_with(b" x\r\n"));
    }

    #[test]
    fn messages_are_grouped_by_call_under_either_name_of_the_header() {
        let calls = conversation(&parse_trace(&log()), &IDS);
        assert_eq!(calls.len(), 1, "{calls:?}");
        assert_eq!(calls["1-<client pid>@h"].len(), 2);
        assert!(calls["1-<client pid>@h"][0].starts_with("sent\nOPTIONS sip:a@h:<server port> "));
    }

    #[test]
    fn ports_pids_media_ports_and_volatile_headers_get_names() {
        let text = "Via: SIP/2.0/UDP h:40001;branch=z9hG4bK-77-3-12\r\nFrom: <sip:h:50002>;tag=78SIPpTag013\r\n\
                    X-Next: 40003\r\nX-Plain: 77 78\r\nX-Volatile-Time: 12:34:56.789\r\nm=audio 6004 RTP/AVP 0\r\nbare\nend";
        assert_eq!(
            IDS.normalise(text.as_bytes()),
            "Via: SIP/2.0/UDP h:<client port>;branch=z9hG4bK-<client pid>-3-12\n\
             From: <sip:h:<server port>>;tag=<server pid>SIPpTag013\n\
             X-Next: <client port+2>\nX-Plain: 77 78\nX-Volatile-Time: #:#:#.#\n\
             m=audio <media port> RTP/AVP 0\nbare<bare LF>\nend<no line end>"
        );
    }

    #[test]
    fn a_difference_names_call_message_and_line() {
        let one = conversation(&parse_trace(&log()), &IDS);
        let mut two = one.clone();
        assert_eq!(first_difference(&one, &two), None);
        two.values_mut().next().expect("one call")[1] = "received\nSIP/2.0 500 Bad\n".to_owned();
        let difference = first_difference(&one, &two).expect("a difference");
        assert!(difference.contains("message 1"), "{difference}");
        assert!(difference.contains("- SIP/2.0 200 OK"), "{difference}");
        assert!(difference.contains("+ SIP/2.0 500 Bad"), "{difference}");
    }
}
