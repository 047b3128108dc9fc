// SPDX-License-Identifier: AGPL-3.0-only
//! Templates -> bytes.
//!
//! Appends to the caller's buffer, copies what is known and formats the rest without allocating. `[len]` is printed
//! as five blanks and filled in when the message is complete; nothing is shifted. An empty `[last_*]`, `[$var]` or
//! `[routes]` at the start of a line takes the rest of that line with it.

mod numbers;
mod slots;

use crate::auth::Pending;
use crate::call::Call;
use crate::inject::Injection;
use crate::input::Micros;
use crate::link::{EMPTY_LINE, Image, Keyword};
use crate::vars::Vars;
use gossipper_bytecode::TemplateId;
use gossipper_sip::Message;
use memchr::memmem;
use numbers::right_aligned;
pub(crate) use numbers::{fill, line_number, number, variable};
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
    pub(crate) pending: Option<Box<Pending>>,
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

/// How long a piece of text may be that [`append_piece`] copies by itself.
pub(crate) const PIECE: usize = 64;

/// Appends the bytes of `text` from `start` on. What is short is copied together with what stands behind it, which is
/// then cut off: to copy a fixed number of bytes takes less than to call what copies any number.
#[inline(always)]
pub(crate) fn append_piece(text: &[u8], start: usize, length: usize, out: &mut Vec<u8>) {
    match text.get(start..start + PIECE) {
        Some(piece) if length <= PIECE => {
            let end = out.len() + length;
            out.extend_from_slice(piece);
            out.truncate(end);
        }
        _ => out.extend_from_slice(&text[start..start + length]),
    }
}

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
    let texts = &image.texts;
    let literals = texts.bytes();
    let start = out.len();
    let mut lens: SmallVec<[(usize, i32); 1]> = SmallVec::new();
    let mut body = Body {
        start,
        // Who prints no length need not know where the body begins.
        at: (!texts.counts(template)).then_some(start),
        looks: texts.may_break(template),
    };
    let kept = scene.kept();
    let mut suppress = false;
    for part in texts.parts(template) {
        let (mut first, mut length) = part.place();
        if (suppress || body.looks) && length > 0 {
            let literal = texts.literal(&part.literal);
            let suppress = core::mem::take(&mut suppress);
            body.append_literal(literal, part.empty_line, suppress, out);
            (first, length) = (first + length, 0);
        } else if let Some(at) = part.empty_line
            && body.at.is_none()
        {
            body.at = Some(out.len() + at as usize + EMPTY_LINE.len());
        }
        if let Keyword::Header { id, name } = part.keyword {
            if let Some((values, value)) = kept.and_then(|last| last.header(id)) {
                // As in SIPp, a header that is there but empty prints `Name:`.
                let named = length + name as usize - usize::from(value.is_empty());
                append_piece(literals, first, named, out);
                append_piece(values, value.start, value.len(), out);
                continue;
            }
            append_piece(literals, first, length, out);
            let name = &literals[first + length..][..name as usize - 1];
            let printed = kept.is_none() && scene.header(id, name, out);
            suppress |= !printed && out.len() > start && out.last() == Some(&b'\n');
            continue;
        }
        append_piece(literals, first, length, out);
        match part.keyword {
            Keyword::None | Keyword::Header { .. } => {}
            Keyword::Len(offset) => {
                lens.push((out.len(), offset));
                out.extend_from_slice(&[b' '; LEN_WIDTH]);
            }
            Keyword::CallNumber => scene.call_number(out),
            Keyword::CallId => scene.call_id(out),
            Keyword::PeerTagParam => scene.peer_tag_param(out),
            Keyword::BranchEnd(offset) => scene.branch_end(offset, out),
            Keyword::Slot {
                slot,
                suppresses,
                lines,
            } => {
                let from = out.len();
                scene.print(slot, out);
                if lines {
                    body.after_slot(out, from);
                }
                if suppresses && out.len() > start && out.last() == Some(&b'\n') {
                    suppress = true;
                }
                // Literals are as long as the scenario, and what is kept of a message as a message.
                if out.len() - start > MAX_RENDERED {
                    return Err(TooLarge);
                }
            }
        }
    }
    if out.len() - start > MAX_RENDERED {
        return Err(TooLarge);
    }
    if !lens.is_empty() {
        let empty_line = || memmem::find(&out[start..], EMPTY_LINE);
        debug_assert_eq!(
            body.at,
            empty_line().map(|at| start + at + EMPTY_LINE.len())
        );
        let body = body.at.map_or(0, |at| out.len() - at);
        let answer = scene.pending.as_mut().map(|pending| &mut pending.at);
        fill_lengths(&lens, body, start, answer, out);
    }
    Ok(())
}

/// Where the body of a text begins: behind its first empty line. It is known without a search where literals have it.
struct Body {
    /// Where the text begins.
    start: usize,
    at: Option<usize>,
    /// Whether it has to be looked for where pieces of the text meet.
    looks: bool,
}

impl Body {
    /// Appends a literal where pieces may meet as no literal has them, without a line end that a keyword takes with it.
    #[inline(never)]
    fn append_literal(
        &mut self,
        bytes: &[u8],
        empty_line: Option<u32>,
        without_line_end: bool,
        out: &mut Vec<u8>,
    ) {
        let from = out.len();
        let rest = if without_line_end {
            skip_line_end(bytes)
        } else {
            bytes
        };
        out.extend_from_slice(rest);
        let skipped = bytes.len() - rest.len();
        // What follows stands behind a line end where the literal has none.
        self.looks |= rest.is_empty() && !bytes.ends_with(b"\n");
        self.after_literal(out, from, empty_line.map(|at| at as usize), skipped);
    }

    /// A literal was appended at `from`, without its first `skipped` bytes.
    fn after_literal(
        &mut self,
        out: &[u8],
        from: usize,
        empty_line: Option<usize>,
        skipped: usize,
    ) {
        if self.at.is_some() {
            return;
        }
        let breaks = |byte: Option<&u8>| matches!(byte, Some(b'\r' | b'\n'));
        // It may begin in what stood there before.
        if from > self.start && breaks(out.get(from)) && breaks(out.get(from - 1)) {
            self.search(out, from);
            return;
        }
        match empty_line {
            Some(at) if at >= skipped => self.at = Some(from + at - skipped + EMPTY_LINE.len()),
            Some(_) => self.search(out, from),
            None => {}
        }
    }

    /// What a keyword prints was appended at `from`. An empty line that ends there ends with its LF.
    fn after_slot(&mut self, out: &[u8], from: usize) {
        if self.at.is_none() && memchr::memchr(b'\n', &out[from..]).is_some() {
            self.search(out, from);
        }
    }

    #[cold]
    fn search(&mut self, out: &[u8], from: usize) {
        let from = self.start.max(from.saturating_sub(EMPTY_LINE.len() - 1));
        let found = memmem::find(&out[from..], EMPTY_LINE);
        self.at = found.map(|at| from + at + EMPTY_LINE.len());
    }
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
        let length = body as i64 + i64::from(*offset);
        if let Some(digits) = right_aligned(length)
            && let Some(place) = out.get_mut(*at..at + LEN_WIDTH)
        {
            place.copy_from_slice(&digits);
            continue;
        }
        let mut digits = Vec::new();
        number(length, &mut digits);
        if let Some(answer) = &mut answer
            && start + **answer > *at
        {
            **answer += digits.len().saturating_sub(LEN_WIDTH);
        }
        if let Some(blanks) = LEN_WIDTH.checked_sub(digits.len()) {
            digits.splice(..0, core::iter::repeat_n(b' ', blanks));
        }
        out.splice(*at..at + LEN_WIDTH, digits);
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

#[cfg(test)]
mod tests {
    use super::*;

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
