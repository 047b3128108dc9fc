// SPDX-License-Identifier: AGPL-3.0-only
//! Frames of WebSocket, of which each message holds one of SIP (RFC 6455, RFC 7118).

use super::Path;
use crate::losses::Kind;
use crate::reader::{Findings, Seen};
use crate::sip::{self, Verdict};
use crate::{Carrier, SipMessage};

/// A message that has come in part.
#[derive(Default, Debug)]
pub(super) struct WebSocket {
    message: Vec<u8>,
    /// Where it began; `None` between messages.
    seen: Option<Seen>,
    /// It is compressed.
    compressed: bool,
}

/// What became of a frame.
pub(super) enum Step {
    /// It took so many bytes.
    Read(usize),
    More,
    /// These are no frames.
    Lost,
}

/// The head of a frame.
struct Head {
    last: bool,
    reserved: u8,
    kind: u8,
    mask: Option<[u8; 4]>,
    /// Bytes of the head itself.
    head: usize,
    len: usize,
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PONG: u8 = 10;
/// The message is compressed.
const COMPRESSED: u8 = 0x40;

impl Head {
    fn of(bytes: &[u8]) -> Option<Self> {
        let [first, second, ..] = *bytes else {
            return None;
        };
        let (len, mut head) = match second & 0x7f {
            126 => {
                let len = bytes.get(2..)?.first_chunk::<2>()?;
                (u64::from(u16::from_be_bytes(*len)), 4)
            }
            127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk::<8>()?), 10),
            len => (u64::from(len), 2),
        };
        let mask = if second & 0x80 == 0 {
            None
        } else {
            let mask = bytes.get(head..)?.first_chunk::<4>()?;
            head += 4;
            Some(*mask)
        };
        Some(Self {
            last: first & 0x80 != 0,
            reserved: first & 0x70,
            kind: first & 0x0f,
            mask,
            head,
            len: usize::try_from(len).unwrap_or(usize::MAX),
        })
    }

    /// As much of the payload as there is.
    fn payload(&self, bytes: &[u8]) -> Vec<u8> {
        let payload = bytes.get(self.head..).unwrap_or_default();
        let payload = &payload[..payload.len().min(self.len)];
        match self.mask {
            None => payload.to_vec(),
            Some(mask) => payload
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, mask)| byte ^ mask)
                .collect(),
        }
    }
}

/// Whether a frame begins here that holds a message of SIP.
pub(super) fn starts(bytes: &[u8]) -> Verdict {
    /// As much of the message as is looked at.
    const LINE: usize = 1024;
    let Some(head) = Head::of(bytes) else {
        return Verdict::More;
    };
    if head.len < 16 || head.len > 16 * 1024 * 1024 {
        return Verdict::No;
    }
    // A few bytes are enough for nearly all that is none.
    for near in [32, LINE] {
        let payload = head.payload(&bytes[..bytes.len().min(head.head + near)]);
        match sip::starts(&payload) {
            Verdict::More if payload.len() == head.len => return Verdict::No,
            Verdict::More if payload.len() == near => {}
            verdict => return verdict,
        }
    }
    Verdict::No
}

impl WebSocket {
    /// Reads the frame that begins here.
    pub(super) fn frame(
        &mut self,
        bytes: &[u8],
        seen: Seen,
        path: Path,
        found: &mut Findings<'_>,
    ) -> Step {
        let Some(head) = Head::of(bytes) else {
            return Step::More;
        };
        let known = matches!(head.kind, CONTINUATION..=BINARY | CLOSE..=PONG);
        let reserved = head.reserved & !COMPRESSED;
        if !known || reserved != 0 || head.len > found.options.max_message {
            *self = Self::default();
            return Step::Lost;
        }
        if bytes.len() < head.head + head.len {
            return Step::More;
        }
        match head.kind {
            TEXT | BINARY => {
                if let Some(seen) = self.seen {
                    found.incomplete(seen, path);
                }
                self.message = head.payload(bytes);
                self.compressed = head.reserved & COMPRESSED != 0;
                self.seen = Some(seen);
            }
            CONTINUATION if self.seen.is_some() => {
                if self.message.len() + head.len <= found.options.max_message {
                    self.message.extend_from_slice(&head.payload(bytes));
                }
            }
            // The end of a message whose beginning is missing, or nothing to do with messages.
            _ => return Step::Read(head.head + head.len),
        }
        if head.last {
            self.give(false, path, found);
        }
        Step::Read(head.head + head.len)
    }

    /// What there is of a message when the stream ends: `rest` is a frame that is not whole.
    pub(super) fn partial(
        &mut self,
        rest: &[u8],
        seen: Seen,
        path: Path,
        found: &mut Findings<'_>,
    ) {
        if let Some(head) = Head::of(rest).filter(|head| head.kind <= BINARY) {
            if self.seen.is_none() && head.kind != CONTINUATION {
                self.seen = Some(seen);
                self.compressed = head.reserved & COMPRESSED != 0;
            }
            self.message.extend_from_slice(&head.payload(rest));
        }
        if let Some(seen) = self.seen
            && sip::is_message(&self.message)
        {
            found.incomplete(seen, path);
            self.give(true, path, found);
        }
    }

    fn give(&mut self, truncated: bool, path: Path, found: &mut Findings<'_>) {
        let Self {
            message,
            seen,
            compressed,
        } = core::mem::take(self);
        let Some(seen) = seen else {
            return;
        };
        if compressed {
            let Path {
                source,
                destination,
            } = path;
            found.losses.note(Kind::Compressed, seen.frame, || {
                format!(
                    "frame {}: a compressed WebSocket message from {source} to {destination}",
                    seen.frame
                )
            });
            return;
        }
        let bytes = sip::without_blank(&message);
        if !sip::is_message(bytes) {
            return;
        }
        found.message(SipMessage {
            frame: seen.frame,
            time: seen.time,
            source: path.source,
            destination: path.destination,
            carrier: Carrier::Ws,
            bytes: bytes.to_vec(),
            truncated,
        });
    }
}
