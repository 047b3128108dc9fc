// SPDX-License-Identifier: AGPL-3.0-only
//! The messages of a trace: whole or a line each, in SIPp's form or in gossipper's.
//!
//! Traces may be large, cut at either end by rotation, and hold whatever peers have sent; nothing here is kept longer than
//! one message, and a message that is longer than [`MOST_BYTES`] is cut. What is not recognised is skipped and counted.

use std::io::{self, BufRead, Read as _};

/// Bytes of a message that are looked at.
const MOST_BYTES: usize = 256 << 10;

/// Lines that are looked at for the first thing that tells what a trace is.
const LINES_TO_KNOW: usize = 10_000;

/// The least number of dashes in front of a time.
const DASHES: usize = 20;

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Sent,
    Received,
    /// It was to be sent, and was not.
    Failed,
}

/// A message of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// When, in microseconds of the wall clock, if the trace tells.
    pub(super) at_us: Option<i64>,
    pub(super) way: Way,
    /// A command between twins.
    pub(super) command: bool,
    /// The number of its call, if the trace tells.
    pub(super) number: u64,
    pub(super) call_id: String,
    /// Method, or code and reason.
    pub(super) label: String,
    /// Number and method of its transaction.
    pub(super) cseq: String,
    /// Who began the transaction, as the topmost Via names it; empty in short traces.
    pub(super) sent_by: String,
    /// The same for messages with the same bytes.
    pub(super) hash: u64,
    /// It has a body that describes a session.
    pub(super) sdp: bool,
}

/// What a line begins.
enum Begins {
    /// A message of SIPp's form: dashes and a time.
    Sipps(Option<i64>),
    /// A message of gossipper's form.
    Own(Way, u64),
    Nothing,
}

/// The four forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Sipp,
    Own,
    SippShort,
    OwnShort,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) messages: u64,
    pub(super) skipped: u64,
}

/// Reads a trace and hands its messages on, for as long as `take` wants more.
///
/// # Errors
/// When it cannot be read, or is no trace of messages.
pub(super) fn read(
    input: &mut impl BufRead,
    mut take: impl FnMut(Message) -> bool,
) -> Result<Count, String> {
    let mut lines = Lines::new(input);
    let mut seen = 0;
    let form = loop {
        if seen == LINES_TO_KNOW || !lines.next()? {
            return Err(
                "this is no trace of messages (-trace_msg or -trace_shortmsg) of gossipper or SIPp"
                    .to_owned(),
            );
        }
        seen += 1;
        match begins(&lines.line) {
            Begins::Sipps(_) => break Form::Sipp,
            Begins::Own(..) => break Form::Own,
            Begins::Nothing => {}
        }
        if lines.line.starts_with(b"timestamp,direction,call,") {
            break Form::OwnShort;
        }
        if short_sipp(&lines.line).is_some() {
            break Form::SippShort;
        }
    };
    let mut count = Count::default();
    match form {
        Form::Sipp | Form::Own => blocks(&mut lines, &mut count, &mut take)?,
        Form::SippShort => loop {
            let message = short_sipp(&lines.line);
            if !count.hand_on(message, &mut take) || !lines.next()? {
                break;
            }
        },
        Form::OwnShort => {
            while lines.next()? {
                if lines.line.starts_with(b"timestamp,") {
                    // A trace that was appended to.
                    continue;
                }
                if !count.hand_on(short_own(&lines.line), &mut take) {
                    break;
                }
            }
        }
    }
    Ok(count)
}

impl Count {
    /// Whether more is wanted.
    fn hand_on(
        &mut self,
        message: Option<Message>,
        take: &mut impl FnMut(Message) -> bool,
    ) -> bool {
        match message {
            Some(message) => {
                self.messages += 1;
                take(message)
            }
            None => {
                self.skipped += 1;
                true
            }
        }
    }
}

/// Lines of a file, each cut where it is too long for a message.
struct Lines<'a, R> {
    input: &'a mut R,
    /// The line, its end included.
    line: Vec<u8>,
}

impl<'a, R: BufRead> Lines<'a, R> {
    fn new(input: &'a mut R) -> Self {
        Self {
            input,
            line: Vec::new(),
        }
    }

    /// Reads the next line; false at the end.
    fn next(&mut self) -> Result<bool, String> {
        self.line.clear();
        let mut part = self.input.by_ref().take(MOST_BYTES as u64);
        let read = part.read_until(b'\n', &mut self.line);
        read.map(|count| count > 0)
            .map_err(|error: io::Error| error.to_string())
    }
}

/// Reads messages that are there as a whole. The line at hand begins one.
fn blocks<R: BufRead>(
    lines: &mut Lines<'_, R>,
    count: &mut Count,
    take: &mut impl FnMut(Message) -> bool,
) -> Result<(), String> {
    let mut bytes = Vec::new();
    let mut more = true;
    while more {
        bytes.clear();
        let mut at = None;
        // How many bytes the message has, as the trace says: what looks like another one within is none.
        let mut stated = 0;
        let mut title = None;
        match begins(&lines.line) {
            Begins::Sipps(at_us) => {
                at = at_us;
                more = lines.next()?;
                if let Some((kind, len)) = titled(&lines.line) {
                    title = Some((kind, 0));
                    stated = len;
                }
                // The empty line behind the title.
                more = more && lines.next()?;
            }
            Begins::Own(way, number) => title = Some(((way, false), number)),
            Begins::Nothing => {}
        }
        let mut passed = 0;
        more = more && lines.next()?;
        while more && (passed < stated || matches!(begins(&lines.line), Begins::Nothing)) {
            passed += lines.line.len();
            let room = MOST_BYTES - bytes.len();
            bytes.extend_from_slice(&lines.line[..lines.line.len().min(room)]);
            more = lines.next()?;
        }
        // The trace ends each message with a line end of its own.
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        let message = title.map(|((way, command), number)| {
            let mut message = whole(&bytes);
            if command {
                message.label = "command".to_owned();
            }
            Message {
                at_us: at,
                way,
                command,
                number,
                ..message
            }
        });
        if !count.hand_on(message, take) {
            return Ok(());
        }
    }
    Ok(())
}

/// What a line begins.
fn begins(line: &[u8]) -> Begins {
    let line = line.trim_ascii_end();
    if line.starts_with(b"-") {
        let dashes = line.iter().take_while(|byte| **byte == b'-').count();
        let rest = &line[dashes..];
        if dashes >= DASHES && rest.first() == Some(&b' ') {
            return Begins::Sipps(time(&String::from_utf8_lossy(rest)));
        }
        return Begins::Nothing;
    }
    let ways = [
        (&b"sent["[..], Way::Sent),
        (b"received[", Way::Received),
        (b"failed[", Way::Failed),
    ];
    for (word, way) in ways {
        let number = line
            .strip_prefix(word)
            .and_then(|rest| rest.strip_suffix(b"]"))
            .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        if let Some(number) = number {
            return Begins::Own(way, number);
        }
    }
    Begins::Nothing
}

/// What SIPp's form says of a message: what became of it, whether it is a command, and its bytes.
fn titled(line: &[u8]) -> Option<((Way, bool), usize)> {
    let text = String::from_utf8_lossy(line);
    let way = if text.starts_with("Error sending ") {
        Way::Failed
    } else if text.contains(" message sent") {
        Way::Sent
    } else if text.contains(" message received") {
        Way::Received
    } else {
        return None;
    };
    let digits = text
        .split_once(['[', '('])
        .map_or("", |(_, rest)| rest)
        .split(|c: char| !c.is_ascii_digit())
        .next()
        .unwrap_or("");
    Some((
        (way, text.contains(" control ")),
        digits.parse().unwrap_or(0),
    ))
}

/// A date and a time, in microseconds since 1970. Where no offset is named it is taken for UTC: only differences matter.
fn time(text: &str) -> Option<i64> {
    let text = text.trim().replace('\t', " ");
    if !text.contains(':') {
        // A date alone.
        return None;
    }
    if let Ok(at) = text.parse::<jiff::Timestamp>() {
        return Some(at.as_microsecond());
    }
    let civil: jiff::civil::DateTime = text.parse().ok()?;
    let at = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(at.timestamp().as_microsecond())
}

/// What is wanted of a whole message.
fn whole(bytes: &[u8]) -> Message {
    let start = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let sdp = value(bytes, "Content-Type", "c").starts_with("application/sdp");
    let via = value(bytes, "Via", "v");
    let sent_by = via
        .split_once(char::is_whitespace)
        .map_or("", |(_, rest)| rest)
        .split([';', ','])
        .next()
        .unwrap_or("");
    Message {
        at_us: None,
        way: Way::Sent,
        command: false,
        number: 0,
        call_id: value(bytes, "Call-ID", "i"),
        label: label(&String::from_utf8_lossy(start)),
        cseq: value(bytes, "CSeq", "CSeq"),
        sent_by: sent_by.trim().to_owned(),
        hash: hash(bytes),
        sdp,
    }
}

/// The method of a request, or code and reason of a response.
fn label(start: &str) -> String {
    let start = start.trim();
    match start.strip_prefix("SIP/2.0 ") {
        Some(status) => status.trim().to_owned(),
        None => start
            .split_whitespace()
            .next()
            .unwrap_or("(empty)")
            .to_owned(),
    }
}

/// The value of the first header of this name, or this short one.
fn value(bytes: &[u8], name: &str, short: &str) -> String {
    // Commands of twins have no start line, and a start line looks like no header.
    let lines = bytes.split(|byte| *byte == b'\n');
    for line in lines {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            break;
        }
        let Some(at) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let field = line[..at].trim_ascii();
        let is = |name: &str| field.eq_ignore_ascii_case(name.as_bytes());
        if is(name) || is(short) {
            return String::from_utf8_lossy(line[at + 1..].trim_ascii()).into_owned();
        }
    }
    String::new()
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// A line of SIPp's short form: date, time, seconds, `S` or `R`, Call-ID, CSeq, start line.
fn short_sipp(line: &[u8]) -> Option<Message> {
    let text = String::from_utf8_lossy(line);
    let columns: Vec<&str> = text.trim_end().split('\t').collect();
    // With RFC 3339 times, date and time are one.
    let letter = columns
        .iter()
        .take(4)
        .position(|column| matches!(*column, "S" | "R"))?;
    let [call_id, cseq, start] = columns.get(letter + 1..letter + 4)? else {
        return None;
    };
    let at = columns[..letter].iter().find_map(|column| time(column));
    let at = at.or_else(|| time(&columns[..letter.min(2)].join(" ")));
    let way = if columns[letter] == "S" {
        Way::Sent
    } else {
        Way::Received
    };
    Some(Message {
        at_us: at,
        way,
        call_id: (*call_id).to_owned(),
        label: label(start),
        cseq: cseq.trim_start_matches("CSeq:").trim().to_owned(),
        sent_by: String::new(),
        hash: hash(format!("{call_id}\t{cseq}\t{start}").as_bytes()),
        command: false,
        number: 0,
        sdp: false,
    })
}

/// A line of gossipper's short form: timestamp, direction, call, protocol, summary, Call-ID.
fn short_own(line: &[u8]) -> Option<Message> {
    let text = String::from_utf8_lossy(line);
    let columns = comma_separated(text.trim_end());
    let [at, way, number, _, start, call_id] = &columns[..] else {
        return None;
    };
    let way = match way.as_str() {
        "sent" => Way::Sent,
        "received" => Way::Received,
        "failed" => Way::Failed,
        _ => return None,
    };
    Some(Message {
        at_us: time(at),
        way,
        number: number.parse().ok()?,
        call_id: call_id.clone(),
        label: label(start),
        cseq: String::new(),
        sent_by: String::new(),
        hash: hash(format!("{call_id}\t{start}").as_bytes()),
        command: false,
        sdp: false,
    })
}

/// Columns between commas, in quotes where they need them (RFC 4180).
fn comma_separated(line: &str) -> Vec<String> {
    let mut columns = vec![String::new()];
    let (mut quoted, mut before) = (false, ' ');
    for c in line.chars() {
        match c {
            '"' => {
                // Two of them within quotes are one.
                if !quoted && before == '"' {
                    columns
                        .last_mut()
                        .into_iter()
                        .for_each(|last| last.push('"'));
                }
                quoted = !quoted;
            }
            ',' if !quoted => columns.push(String::new()),
            c => columns.last_mut().into_iter().for_each(|last| last.push(c)),
        }
        before = if c == '"' && !quoted { '"' } else { ' ' };
    }
    columns
}
