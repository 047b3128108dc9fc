// SPDX-License-Identifier: AGPL-3.0-only
//! Templates -> bytes.
//!
//! Appends to the caller's buffer, copies what is known and formats the rest without allocating. `[len]` is printed
//! as five blanks and filled in when the message is complete; nothing is shifted. An empty `[last_*]`, `[$var]` or
//! `[routes]` at the start of a line takes the rest of that line with it.

use crate::auth::{Given, PLACEHOLDER, Pending};
use crate::call::Call;
use crate::call::last::append;
use crate::call::regs::Value;
use crate::inject::{FieldError, Injection, NO_LINE};
use crate::input::Micros;
use crate::inserted::{self, KEYWORD};
use crate::link::Image;
use crate::vars::Vars;
use gossipper_bytecode::{AuthId, CaptureId, FieldId, Segment, Slot, TemplateId, VarId};
use gossipper_sip::Message;
use memchr::memmem;
use smallvec::SmallVec;

/// Largest text a template may become. A datagram holds 65 507 bytes; streams may take more.
pub(crate) const MAX_RENDERED: usize = 1 << 20;

/// The rendered text would be larger than [`MAX_RENDERED`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooLarge;

/// Which message `[last_*]` looks at.
#[derive(Clone, Copy)]
pub(crate) enum LastView<'a> {
    /// What the call has kept of the last accepted one.
    Kept,
    /// One that is at hand as a whole.
    Whole(&'a Message<'a>),
}

/// Something that the author must hear of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// The text is rendered without it.
    Warning(String),
    /// The text cannot be used, and its call fails.
    Call(String),
    /// SIPp ends the process for it.
    Fatal(String),
}

/// Everything a template may print.
pub(crate) struct Scene<'a> {
    pub(crate) image: &'a Image,
    /// `None` for answers that belong to no call.
    pub(crate) call: Option<&'a Call>,
    pub(crate) last: LastView<'a>,
    pub(crate) vars: &'a Vars,
    /// `[users]`.
    pub(crate) users: Option<u32>,
    pub(crate) dynamic: &'a mut DynamicId,
    pub(crate) injection: &'a Injection,
    /// The answer to a challenge that is to be put in once the text is rendered.
    pub(crate) pending: Option<Pending>,
    /// Where the text begins in what it is rendered to.
    pub(crate) start: usize,
    /// Whether the text is a request, in which a field may hold `[authentication]`.
    pub(crate) is_request: bool,
    /// What is to be said about the text once it is rendered.
    pub(crate) troubles: Vec<Trouble>,
    pub(crate) now: Micros,
    /// `[msg_index]`: the step being sent, −1 in actions and automatic messages.
    pub(crate) msg_index: i64,
    /// Base of `[branch]`: the step being sent; elsewhere the current one less 1.
    pub(crate) branch_index: i64,
}

/// The counter behind `[dynamic_id]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DynamicId {
    start: u32,
    max: u32,
    step: u32,
    next: u32,
}

impl DynamicId {
    pub(crate) fn new((start, max, step): (u32, u32, u32)) -> Self {
        Self {
            start,
            max,
            step,
            next: start,
        }
    }

    fn take(&mut self) -> u32 {
        let value = self.next;
        self.next = value.saturating_add(self.step);
        if self.next > self.max {
            self.next = self.start;
        }
        value
    }
}

/// Width of `[len]`.
const LEN_WIDTH: usize = 5;

/// Renders a template to the end of `out`.
///
/// # Errors
/// [`TooLarge`]; what was appended so far stays for the caller to drop.
pub(crate) fn render(
    scene: &mut Scene<'_>,
    template: TemplateId,
    out: &mut Vec<u8>,
) -> Result<(), TooLarge> {
    let image = scene.image;
    let start = out.len();
    let mut lens: SmallVec<[(usize, i32); 1]> = SmallVec::new();
    let mut suppress = false;
    for segment in &image.segments[image.templates[template.index()].range()] {
        match segment {
            Segment::Literal(text) => {
                let mut bytes = &image.text[text.range()];
                if core::mem::take(&mut suppress) {
                    bytes = skip_line_end(bytes);
                }
                out.extend_from_slice(bytes);
            }
            Segment::Slot(Slot::Len(offset)) => {
                lens.push((out.len(), *offset));
                out.extend_from_slice(&[b' '; LEN_WIDTH]);
            }
            Segment::Slot(slot) => {
                scene.print(*slot, out);
                if slot.suppresses_line() && out.len() > start && out.last() == Some(&b'\n') {
                    suppress = true;
                }
            }
        }
        if out.len() - start > MAX_RENDERED {
            return Err(TooLarge);
        }
    }
    if !lens.is_empty() {
        let body = memmem::find(&out[start..], b"\r\n\r\n")
            .map_or(0, |separator| out.len() - start - separator - 4);
        let answer = scene.pending.as_mut().map(|pending| &mut pending.at);
        fill_lengths(&lens, body, start, answer, out);
    }
    Ok(())
}

/// Fills in `[len]`, last first, since a number above 99 999 needs more room than was left. The place of an answer,
/// counted from `start`, moves with the text.
fn fill_lengths(
    lens: &[(usize, i32)],
    body: usize,
    start: usize,
    mut answer: Option<&mut usize>,
    out: &mut Vec<u8>,
) {
    for (at, offset) in lens.iter().rev() {
        let mut digits = SmallVec::<[u8; 24]>::new();
        push_number(body as i64 + i64::from(*offset), &mut |byte| {
            digits.push(byte)
        });
        if digits.len() <= LEN_WIDTH {
            let from = at + LEN_WIDTH - digits.len();
            out[from..at + LEN_WIDTH].copy_from_slice(&digits);
        } else {
            if let Some(answer) = &mut answer
                && start + **answer > *at
            {
                **answer += digits.len() - LEN_WIDTH;
            }
            out.splice(*at..at + LEN_WIDTH, digits);
        }
    }
}

/// Drops blanks and one line end.
// COMPAT(sipp): SIPp drops all leading white space of the next literal, and with it the empty line before a body
// when the last header vanishes; we drop exactly one line end (docs/compat.md#line-suppression).
pub(crate) fn skip_line_end(bytes: &[u8]) -> &[u8] {
    let blanks = bytes
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let rest = &bytes[blanks..];
    rest.strip_prefix(b"\r\n")
        .or_else(|| rest.strip_prefix(b"\n"))
        .unwrap_or(rest)
}

impl Scene<'_> {
    pub(crate) fn print(&mut self, slot: Slot, out: &mut Vec<u8>) {
        let call = self.call;
        let params = &self.image.params;
        match slot {
            Slot::AutoMediaPort(offset) => {
                let index = call.map_or(0, |call| call.number.saturating_sub(1));
                let port = u64::from(params.media_port) + index.wrapping_mul(4) % 10_000;
                number(port as i64 + i64::from(offset), out);
            }
            Slot::RtpStreamAudioPort(offset) | Slot::RtpStreamVideoPort(offset) => {
                let video = matches!(slot, Slot::RtpStreamVideoPort(_));
                let call = call.map_or(1, |call| call.number);
                let port = self.image.media.port(video, call, offset);
                number(i64::from(port), out);
            }
            Slot::CryptoKey(line, key) => {
                if let Some(keys) = call
                    .and_then(|call| call.cold.as_deref())
                    .and_then(|cold| cold.crypto.as_deref())
                {
                    keys.print(line, key, out);
                }
            }
            Slot::CallNumber => number(call.map_or(0, |call| call.number as i64), out),
            Slot::CallId => {
                if let Some(call) = call {
                    out.extend_from_slice(&call.call_id);
                }
            }
            Slot::Cseq(offset) => {
                let cseq = call.map_or(0, |call| i64::from(call.cseq));
                number(cseq + i64::from(offset), out);
            }
            Slot::Branch(offset) => {
                out.extend_from_slice(b"z9hG4bK-");
                number(i64::from(params.pid), out);
                out.push(b'-');
                number(call.map_or(0, |call| call.number as i64), out);
                out.push(b'-');
                number(self.branch_index + i64::from(offset), out);
            }
            Slot::MsgIndex => number(self.msg_index, out),
            Slot::PeerTagParam => {
                if let Some(call) = call
                    && !call.peer_tag.is_empty()
                {
                    out.extend_from_slice(b";tag=");
                    out.extend_from_slice(&call.peer_tag);
                }
            }
            Slot::NextUrl => match call.and_then(|call| call.cold.as_deref()) {
                Some(cold) if !cold.target.is_empty() => out.extend_from_slice(&cold.target),
                // Without rrs: the URI of the last message's To header.
                _ => self.to_uri(out),
            },
            Slot::Routes => {
                if let Some(cold) = call.and_then(|call| call.cold.as_deref())
                    && !cold.routes.is_empty()
                {
                    out.extend_from_slice(b"Route: ");
                    out.extend_from_slice(&cold.routes);
                }
            }
            Slot::LastRequestUri(id) | Slot::LastMessage(id) => {
                self.capture(id, b"", out);
            }
            Slot::LastCseqNumber(offset) => {
                let last = match self.last {
                    LastView::Kept => call.map_or(0, |call| call.last.cseq),
                    LastView::Whole(msg) => msg.cseq().map_or(0, |cseq| cseq.number),
                };
                number(i64::from(last) + i64::from(offset), out);
            }
            Slot::LastHeader(id, name) => {
                let image = self.image;
                self.capture(id, image.program.bytes(name), out);
            }
            Slot::TdmMap => {
                let circuit = call.and_then(|call| call.cold.as_ref()?.circuit);
                if let (Some(map), Some(circuit)) = (&params.circuits, circuit) {
                    map.print(circuit, out);
                }
            }
            Slot::Users => number(self.users.map_or(-1, i64::from), out),
            Slot::UserId => number(call.map_or(0, |call| i64::from(call.user)), out),
            Slot::Timestamp => crate::date::log_time(self.wall_us(), params.utc_offset_s, out),
            Slot::Date => crate::date::rfc1123(self.wall_us(), out),
            Slot::ClockTick => number(self.now.as_ms() as i64, out),
            Slot::DynamicId => number(i64::from(self.dynamic.take()), out),
            Slot::Var(var) => variable(self.value(var), out),
            Slot::Field(id) => self.field(id, out),
            Slot::FileAt(path) => self.included_file(path, out),
            Slot::Authentication(id) => self.authentication(id, out),
            Slot::Elsewhere(id) => {
                if let Some(call) = call {
                    crate::elsewhere::print(self.image, call, id, out);
                }
            }
            Slot::Fill(text, var) => {
                let image = self.image;
                fill(image.program.bytes(text), self.value(var).as_number(), out);
            }
            Slot::ServerIp => {
                let params = &self.image.params;
                let paths = params.paths.as_ref();
                let own = call
                    .and_then(|call| paths?.address(call.flow))
                    .unwrap_or(params.server_ip);
                crate::link::ip(own, false, out);
            }
            Slot::LocalPort(offset) => {
                let port = i64::from(self.local_port()) + i64::from(offset);
                crate::link::number(port, out);
            }
            Slot::TrunkFrom => {
                crate::link::trunk_from(&self.image.params, self.local_port(), out);
            }
            Slot::Service
            | Slot::RemoteIp
            | Slot::RemoteHost
            | Slot::RemotePort(_)
            | Slot::LocalIp
            | Slot::LocalIpType
            | Slot::Transport
            | Slot::SipTransport
            | Slot::TrunkPai
            | Slot::TrunkProvider
            | Slot::TrunkExtra
            | Slot::MediaIp
            | Slot::MediaIpType
            | Slot::MediaPort(_)
            | Slot::CryptoTag(_)
            | Slot::CryptoSuite(..)
            | Slot::CryptoUnencrypted(..)
            | Slot::Pid
            | Slot::SippVersion
            | Slot::File(_)
            | Slot::Len(_) => {
                debug_assert!(false, "folded when linking, or handled by render");
            }
        }
    }

    /// The port of the path that the call sends on.
    fn local_port(&self) -> u16 {
        match self.call {
            Some(call) if call.local_port != 0 => call.local_port,
            _ => self.image.params.local_port,
        }
    }

    /// Prints a field of the call's line, or of the line that a text says.
    fn field(&mut self, id: FieldId, out: &mut Vec<u8>) {
        let image = self.image;
        let field = image.program.fields[id.index()];
        // Linking checked that there is a first file.
        let file = field.file.map_or(0, |file| image.files[file.index()]);
        let line = match field.line {
            None => self
                .call
                .and_then(|call| call.lines.as_ref()?.get(file).copied()),
            Some(template) => {
                // Verified: a text nests no deeper than this one. What is too large is no number.
                let text = self.nested(template);
                match line_number(&text) {
                    Some(line) => line,
                    None => {
                        self.troubles.push(Trouble::Fatal(format!(
                            "[field{}]: `{}` is no number of a line",
                            field.index,
                            String::from_utf8_lossy(&text)
                        )));
                        return;
                    }
                }
            }
        };
        let Some(line) = line.filter(|line| *line != NO_LINE) else {
            return;
        };
        let start = out.len();
        if self.print_field(file, line, field.index, out) {
            self.keyword_in_field(start, out);
        }
    }

    /// Prints a field of a line; false when it cannot, which is then said.
    pub(crate) fn print_field(
        &mut self,
        file: usize,
        line: u32,
        index: u32,
        out: &mut Vec<u8>,
    ) -> bool {
        let start = out.len();
        match self.injection.print(file, line, index, out) {
            Ok(()) => true,
            Err(error) => {
                out.truncate(start);
                let name = self.injection.name(file);
                self.troubles.push(match error {
                    FieldError::Missing => Trouble::Warning(format!(
                        "line {line} of injection file `{name}` has no field {index}"
                    )),
                    FieldError::Conversion => Trouble::Fatal(format!(
                        "injection file `{name}`, field {index}: only `%d` with digits, `.` and `-` \
                         can be printed"
                    )),
                });
                false
            }
        }
    }

    /// Leaves room for the answer to a challenge.
    fn authentication(&mut self, id: AuthId, out: &mut Vec<u8>) {
        let authentication = self.image.program.authentications[id.index()];
        // Verified: the parameters hold no answers. What is too large is cut, and refused by the peer.
        let mut text = |template: Option<TemplateId>| template.map(|id| self.nested(id));
        let given = Given {
            username: text(authentication.username),
            password: text(authentication.password),
            aka_k: text(authentication.aka_k),
            aka_op: text(authentication.aka_op),
            aka_amf: text(authentication.aka_amf),
            all: authentication.all,
        };
        self.answer(given, out);
    }

    /// A text inside another one.
    pub(crate) fn nested(&mut self, template: TemplateId) -> Vec<u8> {
        let mut text = Vec::new();
        let is_request = core::mem::replace(&mut self.is_request, false);
        let _ = render(self, template, &mut text);
        self.is_request = is_request;
        text
    }

    /// A field of a request may hold `[authentication …]`, which is carried out with the keywords in it; others are
    /// text there.
    fn keyword_in_field(&mut self, start: usize, out: &mut Vec<u8>) {
        if !self.is_request {
            return;
        }
        let Some(at) = memmem::find(&out[start..], KEYWORD).map(|at| start + at) else {
            return;
        };
        let rest = &out[at + KEYWORD.len()..];
        let Some(end) = inserted::closing(rest) else {
            return;
        };
        let parameters = rest[..end].to_vec();
        let after = rest[end + 1..].to_vec();
        out.truncate(at);
        let given = Given::parse(&parameters, |text| self.expand(text));
        self.answer(given, out);
        if let Some(pending) = &mut self.pending {
            pending.twice |= memmem::find(&after, KEYWORD).is_some();
        }
        out.extend_from_slice(&after);
    }

    fn answer(&mut self, given: Given, out: &mut Vec<u8>) {
        self.pending = Some(Pending {
            at: out.len() - self.start,
            given,
            twice: self.pending.is_some(),
        });
        out.extend_from_slice(PLACEHOLDER);
    }

    fn wall_us(&self) -> u64 {
        self.image.params.epoch_us.saturating_add(self.now.0)
    }

    pub(crate) fn value(&self, var: VarId) -> Value<'_> {
        match self.call {
            Some(call) => self.vars.value(call, self.image.place(var)),
            None => self.vars.value_without_call(self.image.place(var)),
        }
    }

    /// Prints a capture behind its name (which may be empty); nothing when the message has no such header.
    fn capture(&self, id: CaptureId, name: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(name);
        let named = out.len();
        if !name.is_empty() {
            out.push(b' ');
        }
        let valued = out.len();
        let found = match (self.last, self.call) {
            (LastView::Whole(msg), _) => append(self.image, id, msg, out),
            (LastView::Kept, Some(call)) => match call.last.capture(id) {
                Some(value) => {
                    out.extend_from_slice(value);
                    true
                }
                None => false,
            },
            (LastView::Kept, None) => false,
        };
        if !found {
            out.truncate(start);
        } else if out.len() == valued {
            // As in SIPp, a header that is there but empty prints `Name:`.
            out.truncate(named);
        }
    }

    fn to_uri(&self, out: &mut Vec<u8>) {
        if let Some(id) = self.image.to_uri {
            self.capture(id, b"", out);
        }
    }
}

/// The line that a text names: none for one that no file has, no answer for what is no number.
///
/// As in SIPp a text is read as a double and cut; an empty one, which is how a variable that is 0 prints, is 0.
pub(crate) fn line_number(text: &[u8]) -> Option<Option<u32>> {
    let number = Value::Text(text).to_number().filter(|n| !n.is_nan())?;
    let line = number.trunc();
    let there = (0.0..f64::from(NO_LINE)).contains(&line);
    Some(there.then_some(line as u32))
}

/// Prints a variable.
pub(crate) fn variable(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Unset => {}
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Text(text) => out.extend_from_slice(text),
        // COMPAT(sipp): a double that is 0 prints nothing; scenarios rely on it.
        Value::Number(0.0) => {}
        Value::Number(n) if n.is_finite() => {
            use std::io::Write as _;
            // Writing to a Vec cannot fail.
            let _ = write!(out, "{n:.6}");
        }
        // As C's %f.
        Value::Number(n) if n.is_nan() => out.extend_from_slice(b"nan"),
        Value::Number(n) if n > 0.0 => out.extend_from_slice(b"inf"),
        Value::Number(_) => out.extend_from_slice(b"-inf"),
    }
}

/// Repeats or cuts `text` to ⌊n⌋ bytes; more than a message can hold is cut by the caller's limit.
pub(crate) fn fill(text: &[u8], n: f64, out: &mut Vec<u8>) {
    if text.is_empty() || n.is_nan() || n < 1.0 {
        return;
    }
    let wanted = if n >= MAX_RENDERED as f64 {
        MAX_RENDERED + 1
    } else {
        n as usize
    };
    let end = out.len() + wanted;
    while out.len() < end {
        let take = text.len().min(end - out.len());
        out.extend_from_slice(&text[..take]);
    }
}

/// Prints a decimal number.
pub(crate) fn number(value: i64, out: &mut Vec<u8>) {
    push_number(value, &mut |byte| out.push(byte));
}

fn push_number(value: i64, push: &mut dyn FnMut(u8)) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        push(b'-');
    }
    for digit in &digits[at..] {
        push(*digit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_print_as_percent_f_and_zero_prints_nothing() {
        let print = |value| {
            let mut out = Vec::new();
            variable(value, &mut out);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(print(Value::Number(3.0)), "3.000000");
        assert_eq!(print(Value::Number(-0.5)), "-0.500000");
        assert_eq!(print(Value::Number(0.0)), "");
        assert_eq!(print(Value::Bool(false)), "false");
        assert_eq!(print(Value::Unset), "");
    }

    #[test]
    fn fill_repeats_and_cuts() {
        let print = |n| {
            let mut out = Vec::new();
            fill(b"abc", n, &mut out);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(print(7.9), "abcabca");
        assert_eq!(print(2.0), "ab");
        assert_eq!(print(-1.0), "");
    }

    #[test]
    fn numbers_print_like_the_standard_library() {
        for value in [0, 1, -1, 10, 99_999, i64::MIN, i64::MAX] {
            let mut out = Vec::new();
            number(value, &mut out);
            assert_eq!(out, value.to_string().as_bytes());
        }
    }

    #[test]
    fn suppression_takes_one_line_end_only() {
        assert_eq!(skip_line_end(b"\r\n\r\nv=0"), b"\r\nv=0");
        assert_eq!(skip_line_end(b" \t\r\nA: b"), b"A: b");
        assert_eq!(skip_line_end(b";tag=1\r\n"), b";tag=1\r\n");
    }

    #[test]
    fn a_length_of_six_digits_makes_room() {
        let mut out = b"L:     \r\nM:     .".to_vec();
        let mut answer = 9;
        fill_lengths(&[(2, 0), (11, 1)], 100_000, 0, Some(&mut answer), &mut out);
        assert_eq!(answer, 10, "only the first one stands before it");
        assert_eq!(out, b"L:100000\r\nM:100001.");
    }

    #[test]
    fn dynamic_id_wraps_to_its_start() {
        let mut id = DynamicId::new((10, 14, 4));
        assert_eq!([id.take(), id.take(), id.take()], [10, 14, 10]);
    }
}
