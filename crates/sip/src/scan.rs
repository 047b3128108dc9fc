// SPDX-License-Identifier: AGPL-3.0-only
//! One pass over a received message: start line, header fields, body.
//!
//! A [`Message`] is a borrowed view: the bytes, the offsets of every header field, and the few values that are asked
//! for with every message (Call-ID, CSeq) found already. Whoever reads many messages hands the memory of one to the
//! next ([`Message::parse_with`]), and then nothing is allocated. Not here: framing ([`crate::frame`]), and whether the message is any good, which
//! is a matter for the scenario.
//!
//! Accepted, because SIPp accepts it and load tests meet it: line ends of LF alone, lines that are no header, a missing
//! blank line, leading empty lines, blanks before the colon, folded values, several messages in one datagram (the
//! second is then part of the body), NUL bytes.
//!
//! Invariants: every stored offset lies inside the bytes, `name <= value <= end` for every field, fields are in message
//! order and do not overlap.
//!
//! Rules: RFC 3261 §7 and §25.1; tested with the messages of RFC 4475 and RFC 5118.

use core::ops::Range;
use std::fmt;

use crate::fields::{FieldAt, FieldScanner, Fields};
use crate::find::{contains, find, find_in_line, find_near, lowest_blank};
use crate::headers::{HeaderName, StatusCode};
use crate::uri;
use memchr::memmem;

/// Offsets are 32 bits wide. No transport delivers a message this long; if one did, the rest would be ignored.
const MAX_BYTES: usize = u32::MAX as usize;

const SIP_VERSION: &[u8] = b"SIP/2.0";

/// What the first line says (RFC 3261 §7.1 and §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// `METHOD uri SIP/2.0`
    Request {
        /// The text up to the first space; never empty.
        method: &'a [u8],
        /// The text between method and version, trimmed; empty when the line was cut short.
        uri: &'a [u8],
    },
    /// `SIP/2.0 code reason`
    Status {
        /// Exactly three digits in the message.
        code: StatusCode,
        /// The rest of the line, possibly empty.
        reason: &'a [u8],
    },
}

/// Why bytes are not a SIP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Nothing, only line ends, or four NUL bytes: sent to keep a path open (RFC 5626 §3.5.1), to be ignored silently.
    KeepAlive,
    /// The text `SIP/2.0` occurs nowhere.
    NoSipVersion,
    /// `SIP/2.0` occurs, but the first line is neither a request line nor a status line with a three-digit code.
    NoStartLine,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeepAlive => "keep-alive, not a message",
            Self::NoSipVersion => "`SIP/2.0` does not occur",
            Self::NoStartLine => "the first line is neither a request line nor a status line",
        })
    }
}

impl std::error::Error for ParseError {}

/// The CSeq header (RFC 3261 §20.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// The sequence number.
    pub number: u32,
    /// The method; empty when the header was cut short.
    pub method: &'a [u8],
}

/// What [`Message::append_values`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// No header of that name.
    Absent,
    /// At least one header of that name, and nothing in it.
    Empty,
    /// Something was appended.
    Present,
}

/// One header field as it stands in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Which header it is.
    pub name: HeaderName,
    /// The name as the sender wrote it.
    pub raw_name: &'a [u8],
    /// The value without surrounding white space; folding inside is kept as sent.
    pub value: &'a [u8],
}

/// Memory for the header fields of a message, to be used for one message after the other.
#[derive(Clone, Debug, Default)]
pub struct FieldBuffer(Option<Box<Fields>>);

/// A received message, borrowed from the receive buffer.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    start: StartLine<'a>,
    body: Option<&'a [u8]>,
    call_id: Option<&'a [u8]>,
    cseq: Option<CSeq<'a>>,
    // Apart, since it is filled byte by byte: copied along with the message right after that, each of the wide reads would
    // wait for the narrow writes.
    fields: Box<Fields>,
}

impl<'a> Message<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// [`ParseError`] says what the bytes are instead; only these three cases are refused.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ParseError> {
        Self::parse_with(bytes, &mut FieldBuffer::default())
    }

    /// Reads a message into memory that was used before; [`Self::into_buffer`] gives it back.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_with(bytes: &'a [u8], buffer: &mut FieldBuffer) -> Result<Self, ParseError> {
        let bytes = bytes.get(..MAX_BYTES).unwrap_or(bytes);
        let (start, fields_at) = match plain_start(bytes) {
            Some(plain) => plain,
            None => any_start(bytes)?,
        };
        let mut fields = buffer.0.take().unwrap_or_default();
        fields.clear();
        let body = fields.fill(bytes, fields_at);
        let call_id = fields.first(HeaderName::CallId);
        let cseq = fields.first(HeaderName::CSeq);
        Ok(Self {
            bytes,
            start,
            body: body.and_then(|at| bytes.get(at..)),
            call_id: call_id.map(|field| field.value(bytes)),
            cseq: cseq.and_then(|field| cseq_of(bytes, field)),
            fields,
        })
    }

    /// Gives the memory of its header fields back.
    #[inline]
    pub fn into_buffer(self) -> FieldBuffer {
        FieldBuffer(Some(self.fields))
    }

    /// The message as received.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The first line.
    #[inline]
    pub fn start(&self) -> StartLine<'a> {
        self.start
    }

    /// Whether the first line is a request line.
    #[inline]
    pub fn is_request(&self) -> bool {
        matches!(self.start, StartLine::Request { .. })
    }

    /// The method of a request; `None` for a response.
    #[inline]
    pub fn method(&self) -> Option<&'a [u8]> {
        match self.start {
            StartLine::Request { method, .. } => Some(method),
            StartLine::Status { .. } => None,
        }
    }

    /// The status code of a response; `None` for a request.
    #[inline]
    pub fn status(&self) -> Option<StatusCode> {
        match self.start {
            StartLine::Request { .. } => None,
            StartLine::Status { code, .. } => Some(code),
        }
    }

    /// Everything after the blank line, whatever Content-Length says; `None` when there is no blank line.
    #[inline]
    pub fn body(&self) -> Option<&'a [u8]> {
        self.body
    }

    /// The first value of a header, without surrounding white space; folding inside is kept as sent.
    #[inline]
    pub fn header(&self, name: HeaderName) -> Option<&'a [u8]> {
        self.fields.first(name).map(|field| field.value(self.bytes))
    }

    /// All values of a header, in message order, one item a header line.
    pub fn values(&self, name: HeaderName) -> impl Iterator<Item = &'a [u8]> + '_ {
        let bytes = self.bytes;
        self.fields
            .all
            .iter()
            .filter(move |field| field.name() == name)
            .map(move |field| field.value(bytes))
    }

    /// All header fields in message order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + '_ {
        let bytes = self.bytes;
        self.fields.all.iter().map(move |field| Field {
            name: field.name(),
            raw_name: field.raw_name(bytes),
            value: field.value(bytes),
        })
    }

    /// Whether a header is there, even if it is empty.
    #[inline]
    pub fn has(&self, name: HeaderName) -> bool {
        self.fields.first(name).is_some()
    }

    /// The value of the first Call-ID header, as sent (see [`strip_call_id_prefix`]).
    #[inline]
    pub fn call_id(&self) -> Option<&'a [u8]> {
        self.call_id
    }

    /// The first CSeq header; `None` when it is missing or its number does not fit 32 bits (RFC 3261 §8.1.1.5).
    #[inline]
    pub fn cseq(&self) -> Option<CSeq<'a>> {
        self.cseq
    }

    /// The `branch` parameter of the topmost Via.
    pub fn top_via_branch(&self) -> Option<&'a [u8]> {
        uri::header_param(self.header(HeaderName::Via)?, b"branch")
    }

    /// The `tag` parameter of the To header.
    pub fn to_tag(&self) -> Option<&'a [u8]> {
        uri::header_param(self.header(HeaderName::To)?, b"tag")
    }

    /// The `tag` parameter of the From header.
    pub fn from_tag(&self) -> Option<&'a [u8]> {
        uri::header_param(self.header(HeaderName::From)?, b"tag")
    }

    /// Appends what `[last_NAME]` prints after the name: the values of all headers of that name, joined by `, `.
    ///
    /// `name` may end with a colon, as scenarios write it. It is compared without regard to case with the name on the
    /// wire, and for the eight long names SIPp knows also with the compact form; a compact `name` finds only itself.
    /// A folded value keeps LF and white space and loses the CR; blanks at the end are removed.
    // COMPAT(sipp): several headers become one comma-separated value, so that `[last_Via:]` is a single line.
    pub fn append_values(&self, name: &[u8], out: &mut Vec<u8>) -> Presence {
        self.append_wanted(name, Wanted::new(name), out)
    }

    /// [`Self::append_values`] for a name that was looked at before.
    #[inline]
    pub fn append_wanted(&self, name: &[u8], wanted: Wanted, out: &mut Vec<u8>) -> Presence {
        if let Wanted::Known(known) = wanted
            && let Ok(only) = self.fields.only(known)
        {
            let Some(field) = only else {
                return Presence::Absent;
            };
            if !field.folded() {
                let value = field.value(self.bytes);
                out.extend_from_slice(value);
                return if value.is_empty() {
                    Presence::Empty
                } else {
                    Presence::Present
                };
            }
        }
        self.join_values(name, wanted, out)
    }

    /// Where in the message the value stands that [`Self::append_wanted`] appends; `None` without such a header. An
    /// error if the value is put together of several lines.
    #[inline]
    pub fn place_of(&self, wanted: Wanted) -> Result<Option<Range<usize>>, Joined> {
        match wanted {
            Wanted::Known(known) => match self.fields.only(known) {
                Ok(Some(field)) if field.folded() => Err(Joined),
                Ok(field) => Ok(field.map(|field| field.place(self.bytes))),
                Err(()) => Err(Joined),
            },
            Wanted::Text => Err(Joined),
        }
    }

    fn join_values(&self, name: &[u8], wanted: Wanted, out: &mut Vec<u8>) -> Presence {
        let name = without_colon(name);
        let before = out.len();
        let mut found = false;
        for field in &self.fields.all {
            let same = match wanted {
                Wanted::Known(known) => field.name() == known,
                Wanted::Text => field.raw_name(self.bytes).eq_ignore_ascii_case(name),
            };
            if !same {
                continue;
            }
            if found {
                out.extend_from_slice(b", ");
            }
            found = true;
            append_without_cr(field, self.bytes, out);
        }
        let kept = trim_end(out.get(before..).unwrap_or(&[])).len();
        out.truncate(before + kept);
        match (found, kept) {
            (false, _) => Presence::Absent,
            (true, 0) => Presence::Empty,
            (true, _) => Presence::Present,
        }
    }
}

/// The value of the first Call-ID header of what may be a message, without reading what follows it.
///
/// Of bytes that [`Message::parse`] accepts it is [`Message::call_id`]; of others it is anything or nothing.
pub fn call_id_of(bytes: &[u8]) -> Option<&[u8]> {
    let first = bytes
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let (_, fields_at) = line_at(bytes, first);
    FieldScanner::new(bytes, fields_at)
        .find(|field| field.name() == HeaderName::CallId)
        .map(|field| field.value(bytes))
}

/// What a header prints may stand in the message in several pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined;

/// How [`Message::append_values`] finds the fields of a name; the same for every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// By identity, whichever form the sender chose.
    Known(HeaderName),
    /// By the text of the name.
    Text,
}

impl Wanted {
    /// For a name as scenarios write it.
    pub fn new(name: &[u8]) -> Self {
        let name = without_colon(name);
        let known = HeaderName::from_bytes(name);
        // A name that has one form only is found alike both ways.
        let found = known.last_finds_compact() || known.compact().is_none();
        if name.len() > 1 && known != HeaderName::Other && found {
            Self::Known(known)
        } else {
            Self::Text
        }
    }
}

fn without_colon(name: &[u8]) -> &[u8] {
    let name = trim(name);
    trim_end(name.strip_suffix(b":").unwrap_or(name))
}

/// Drops everything through the first `///` of a Call-ID.
///
/// SIPp lets a scenario run its calls under a name of its own by sending `prefix///real-id`; the call is `real-id`.
#[inline]
pub fn strip_call_id_prefix(call_id: &[u8]) -> &[u8] {
    // Few Call-IDs have a slash at all.
    if contains(call_id, b'/') {
        behind_slashes(call_id)
    } else {
        call_id
    }
}

#[cold]
#[inline(never)]
fn behind_slashes(call_id: &[u8]) -> &[u8] {
    memmem::find(call_id, b"///")
        .and_then(|at| call_id.get(at + 3..))
        .unwrap_or(call_id)
}

/// The Content-Length of a header section that begins with its start line; `None` when missing or not a number.
/// A number too large for `usize` is `usize::MAX`, so that a limit still catches it.
pub(crate) fn content_length(head: &[u8]) -> Option<usize> {
    let (_, fields_at) = line_at(head, 0);
    let field =
        FieldScanner::new(head, fields_at).find(|f| f.name() == HeaderName::ContentLength)?;
    let digits = field.value(head);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0_usize, |number, digit| {
        number
            .saturating_mul(10)
            .saturating_add(usize::from(digit - b'0'))
    }))
}

/// The line that begins at `from`, without its LF, and where the next one begins.
pub(crate) fn line_at(bytes: &[u8], from: usize) -> (&[u8], usize) {
    let rest = bytes.get(from..).unwrap_or(&[]);
    match find(rest, b'\n') {
        Some(length) => (&rest[..length], from + length + 1),
        None => (rest, bytes.len()),
    }
}

/// The start line, if it is as nearly all are, and where the next one begins; whatever needs a closer look is none.
#[inline(always)]
pub(crate) fn plain_start(bytes: &[u8]) -> Option<(StartLine<'_>, usize)> {
    let front = bytes.first_chunk::<12>()?;
    let end = find_in_line(bytes, b'\n');
    let [line @ .., b'\r'] = bytes.get(..end)? else {
        return None;
    };
    if front.starts_with(SIP_VERSION) {
        let &[
            ..,
            b' ',
            hundreds @ b'1'..=b'9',
            tens @ b'0'..=b'9',
            ones @ b'0'..=b'9',
            b' ',
        ] = front
        else {
            return None;
        };
        let digit = |digit: u8| u16::from(digit - b'0');
        let code = StatusCode(digit(hundreds) * 100 + digit(tens) * 10 + digit(ones));
        let reason = line.get(front.len()..)?;
        begins_and_ends_in_text(reason)?;
        return Some((StartLine::Status { code, reason }, end + 1));
    }
    let (line, version) = line.split_last_chunk()?;
    // Compared as a word.
    if version != b" SIP/2.0" {
        return None;
    }
    let space = find_near(front, b' ')?;
    let (method, uri) = (line.get(..space)?, line.get(space + 1..)?);
    begins_and_ends_in_text(method)?;
    begins_and_ends_in_text(uri)?;
    Some((StartLine::Request { method, uri }, end + 1))
}

/// Whether a text is not empty and has no white space at its ends.
#[inline(always)]
fn begins_and_ends_in_text(text: &[u8]) -> Option<()> {
    (*text.first()? > b' ' && *text.last()? > b' ').then_some(())
}

/// Any start line, whatever stands before it, and where the next one begins.
pub(crate) fn any_start(bytes: &[u8]) -> Result<(StartLine<'_>, usize), ParseError> {
    if bytes == [0; 4] {
        return Err(ParseError::KeepAlive);
    }
    // RFC 3261 §7.5: empty lines before the start line are ignored.
    let first = bytes
        .iter()
        .position(|byte| !matches!(byte, b'\r' | b'\n'))
        .ok_or(ParseError::KeepAlive)?;
    let (line, fields_at) = line_at(bytes, first);
    let line = trim_end(line);
    // The whole text is searched only when the first line does not settle it.
    if !line.starts_with(SIP_VERSION)
        && !line.ends_with(SIP_VERSION)
        && memmem::find(bytes, SIP_VERSION).is_none()
    {
        return Err(ParseError::NoSipVersion);
    }
    let start = start_line(line).ok_or(ParseError::NoStartLine)?;
    Ok((start, fields_at))
}

fn start_line(line: &[u8]) -> Option<StartLine<'_>> {
    if let Some(rest) = line.strip_prefix(SIP_VERSION) {
        let rest = rest.strip_prefix(b" ").map(trim_start)?;
        let (digits, reason) = rest.split_at_checked(3)?;
        if !digits.iter().all(u8::is_ascii_digit) || digits[0] == b'0' {
            return None;
        }
        if !matches!(reason.first(), None | Some(b' ' | b'\t')) {
            return None;
        }
        let code = digits
            .iter()
            .fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        return Some(StartLine::Status {
            code: StatusCode(code),
            reason: trim_start(reason),
        });
    }
    let space = find_near(line, b' ')?;
    let (method, rest) = line.split_at(space);
    if method.is_empty() {
        return None;
    }
    let rest = trim(rest);
    let uri = match rest.iter().rposition(|byte| is_blank(*byte)) {
        Some(blank) if rest[blank + 1..].starts_with(b"SIP/") => trim_end(&rest[..blank]),
        None if rest.starts_with(b"SIP/") => &[],
        _ => rest,
    };
    Some(StartLine::Request { method, uri })
}

/// What a CSeq field says.
#[inline]
pub(crate) fn cseq_of<'a>(bytes: &'a [u8], field: &FieldAt) -> Option<CSeq<'a>> {
    plain_cseq(bytes, field).or_else(|| any_cseq(field.value(bytes)))
}

/// What it says if it is as nearly all are: few digits, a blank and a method of less than eight letters with a line end
/// behind it. Whatever needs a closer look is none.
#[inline(always)]
fn plain_cseq<'a>(bytes: &'a [u8], field: &FieldAt) -> Option<CSeq<'a>> {
    let value = field.value(bytes);
    let (mut number, mut rest) = (0_u32, value);
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        number = number
            .wrapping_mul(10)
            .wrapping_add(u32::from(digit - b'0'));
        rest = behind;
    }
    let [b' ', method @ ..] = rest else {
        return None;
    };
    let digits = value.len() - rest.len();
    let method_at = field.end().checked_sub(method.len())?;
    let word = u64::from_le_bytes(*bytes.get(method_at..)?.first_chunk()?);
    (matches!(digits, 1..=9) && lowest_blank(word) == Some(method.len()))
        .then_some(CSeq { number, method })
}

/// What any CSeq says.
#[inline(never)]
pub(crate) fn any_cseq(value: &[u8]) -> Option<CSeq<'_>> {
    let mut number = None;
    let mut rest = value;
    while let [digit @ b'0'..=b'9', behind @ ..] = rest {
        let before: u32 = number.unwrap_or(0);
        number = Some(
            before
                .checked_mul(10)?
                .checked_add(u32::from(digit - b'0'))?,
        );
        rest = behind;
    }
    let rest = trim(rest);
    let end = rest
        .iter()
        .position(|byte| is_space(*byte))
        .unwrap_or(rest.len());
    Some(CSeq {
        number: number?,
        method: &rest[..end],
    })
}

fn append_without_cr(field: &FieldAt, bytes: &[u8], out: &mut Vec<u8>) {
    let value = field.value(bytes);
    // A value of one line has no line end in it.
    if !field.folded() {
        out.extend_from_slice(value);
        return;
    }
    for (index, piece) in value.split(|byte| *byte == b'\r').enumerate() {
        // Only a CR that belongs to a line end is dropped; one in the middle of a line is the sender's own text.
        if index > 0 && piece.first() != Some(&b'\n') {
            out.push(b'\r');
        }
        out.extend_from_slice(piece);
    }
}

/// RFC 3261 §25.1 `token`.
pub(crate) fn is_token(text: &[u8]) -> bool {
    const TOKEN: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            table[byte] = (byte as u8).is_ascii_alphanumeric()
                || matches!(
                    byte as u8,
                    b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
                );
            byte += 1;
        }
        table
    };
    !text.is_empty() && text.iter().all(|byte| TOKEN[usize::from(*byte)])
}

pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[inline]
pub(crate) fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    text
}

#[inline]
pub(crate) fn trim_end(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., last] = text
        && is_space(*last)
    {
        text = rest;
    }
    text
}

pub(crate) fn trim(text: &[u8]) -> &[u8] {
    trim_start(trim_end(text))
}
