// SPDX-License-Identifier: AGPL-3.0-only
//! What is in one direction of a connection: SIP, WebSocket, packets of a capture agent, or something else.
//!
//! A stream may be joined anywhere and may have gaps. Where it is not known what comes, its bytes are searched for
//! something that begins; how they were cut into pieces changes nothing.

mod framing;
#[cfg(test)]
mod tests;
mod websocket;

use crate::losses::Kind;
use crate::reader::{Findings, Seen};
use crate::sip::{self, Verdict};
use crate::{Carrier, SipMessage, hep};
use core::net::SocketAddr;
pub(crate) use framing::message_len;
use framing::{Body, Framed, Lines, Opening, body_len, head_len, next_message, opening};
use std::collections::VecDeque;
use websocket::WebSocket;

/// From where to where.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Path {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
}

/// What is read next.
#[derive(Default, Debug)]
enum Mode {
    /// Something begins somewhere behind.
    #[default]
    Looking,
    /// A message of SIP.
    Sip,
    /// Frames of WebSocket.
    WebSocket(WebSocket),
    /// Packets of a capture agent.
    Hep,
    /// Nothing of ours.
    Other,
}

/// Whether there is more to do with the bytes at hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Progress {
    Again,
    Wait,
}

/// One direction of a connection.
#[derive(Default, Debug)]
pub(crate) struct Stream {
    mode: Mode,
    buffer: Vec<u8>,
    /// Where in the buffer reading goes on.
    start: usize,
    /// Up to where behind it a search came to nothing.
    searched: usize,
    /// How the message is framed that begins there, once its header section is there.
    framed: Option<Framed>,
    /// Where in the buffer the bytes of which frame begin.
    marks: VecDeque<(usize, Seen)>,
    /// The last frame that brought bytes.
    latest: Option<Seen>,
    /// Something of ours was found in it before.
    known: bool,
    /// It has been read or searched since it began, or since the last gap.
    entered: bool,
    /// Bytes passed over since the last thing of ours.
    passed: u64,
}

impl Stream {
    /// Takes the bytes that come next.
    pub(crate) fn push(&mut self, seen: Seen, bytes: &[u8], path: Path, found: &mut Findings<'_>) {
        if matches!(self.mode, Mode::Other) {
            return;
        }
        self.marks.push_back((self.buffer.len(), seen));
        self.latest = Some(seen);
        self.buffer.extend_from_slice(bytes);
        self.run(path, found, false);
        self.forget();
    }

    /// Bytes are missing here; those behind are of the frame that was seen.
    pub(crate) fn gap(&mut self, seen: Seen, lost: u64, path: Path, found: &mut Findings<'_>) {
        let known = self.known;
        self.stop(path, found);
        if known {
            let Path {
                source,
                destination,
            } = path;
            found.losses.note(Kind::Gap, seen.frame, || {
                format!("{lost} bytes before frame {} are missing in the stream from {source} to {destination}", seen.frame)
            });
        }
        self.known = known;
    }

    /// Nothing comes any more.
    pub(crate) fn end(&mut self, path: Path, found: &mut Findings<'_>) {
        self.stop(path, found);
    }

    fn stop(&mut self, path: Path, found: &mut Findings<'_>) {
        loop {
            self.run(path, found, true);
            if self.partial(path, found) == Progress::Wait {
                break;
            }
        }
        self.report_passed(path, found);
        *self = Self::default();
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// The frame that brought the byte at which reading goes on.
    fn seen(&self) -> Seen {
        let brought = self
            .marks
            .iter()
            .take_while(|(at, _)| *at <= self.start)
            .last();
        brought
            .or_else(|| self.marks.front())
            .map(|(_, seen)| *seen)
            .or(self.latest)
            .unwrap_or(Seen::NONE)
    }

    fn advance(&mut self, bytes: usize) {
        self.start += bytes;
        self.searched = 0;
        self.framed = None;
        while self.marks.get(1).is_some_and(|(at, _)| *at <= self.start) {
            self.marks.pop_front();
        }
    }

    /// Lets go of what was read, once that is worth moving the rest.
    fn forget(&mut self) {
        if self.start >= self.buffer.len() {
            self.buffer.clear();
            self.marks.clear();
        } else if self.start > 4096 && self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            for (at, _) in &mut self.marks {
                *at = at.saturating_sub(self.start);
            }
        } else {
            return;
        }
        self.start = 0;
    }

    fn run(&mut self, path: Path, found: &mut Findings<'_>, last: bool) {
        loop {
            let blank = self
                .rest()
                .iter()
                .take_while(|byte| sip::is_blank(**byte))
                .count();
            if matches!(self.mode, Mode::Looking | Mode::Sip) && blank > 0 && self.searched == 0 {
                self.advance(blank);
            }
            if self.rest().is_empty() {
                return;
            }
            let progress = match self.mode {
                Mode::Looking => self.look(path, found, last),
                Mode::Sip => self.message(path, found, last),
                Mode::WebSocket(_) => self.websocket(path, found),
                Mode::Hep => self.packet(path, found),
                Mode::Other => {
                    self.advance(self.rest().len());
                    return;
                }
            };
            if progress == Progress::Wait {
                return;
            }
        }
    }

    /// Something of ours begins here.
    fn enter(&mut self, mode: Mode, path: Path, found: &mut Findings<'_>) -> Progress {
        self.report_passed(path, found);
        self.mode = mode;
        self.known = true;
        self.entered = true;
        Progress::Again
    }

    fn report_passed(&mut self, path: Path, found: &mut Findings<'_>) {
        let passed = core::mem::take(&mut self.passed);
        if passed > 0 && self.known {
            let frame = self.seen().frame;
            let Path {
                source,
                destination,
            } = path;
            found.losses.note(Kind::Garbage, frame, || {
                format!("{passed} bytes of the stream from {source} to {destination} are not SIP (frame {frame})")
            });
        }
    }

    /// Looks for something that begins: here, or else behind.
    fn look(&mut self, path: Path, found: &mut Findings<'_>, last: bool) -> Progress {
        let rest = self.rest();
        if !self.entered {
            match opening(rest, last) {
                Opening::More => return Progress::Wait,
                Opening::Hep => return self.enter(Mode::Hep, path, found),
                Opening::WebSocket(handshake) => {
                    self.advance(handshake);
                    return self.enter(Mode::WebSocket(WebSocket::default()), path, found);
                }
                Opening::Tls => {
                    found.encrypted(self.seen(), path);
                    self.mode = Mode::Other;
                    return Progress::Again;
                }
                Opening::Http => {
                    self.mode = Mode::Other;
                    return Progress::Again;
                }
                Opening::Unknown => self.entered = true,
            }
        }
        let rest = self.rest();
        let at_line = self.searched == 0;
        let verdict = if matches!(rest[0], 0x81 | 0x82) {
            websocket::starts(rest)
        } else if at_line && !sip::is_rest_of_method(rest) {
            sip::starts(rest)
        } else {
            Verdict::No
        };
        match verdict {
            Verdict::Yes if matches!(rest[0], 0x81 | 0x82) => {
                self.enter(Mode::WebSocket(WebSocket::default()), path, found)
            }
            Verdict::Yes => self.enter(Mode::Sip, path, found),
            Verdict::More if !last => Progress::Wait,
            Verdict::More if at_line && sip::is_message(rest) => self.enter(Mode::Sip, path, found),
            _ => {
                // Where the next one could begin: behind the end of a line, or at the head of a frame.
                let next = memchr::memchr3(b'\n', 0x81, 0x82, &rest[1..]).map(|at| at + 1);
                let (skip, at_line) = match next {
                    Some(at) if rest[at] == b'\n' => (at + 1, true),
                    Some(at) => (at, false),
                    None => (rest.len(), false),
                };
                let first_is_end = rest[0] == b'\n';
                let (skip, at_line) = if first_is_end {
                    (1, true)
                } else {
                    (skip, at_line)
                };
                self.passed += skip as u64;
                self.advance(skip);
                self.searched = usize::from(!at_line);
                Progress::Again
            }
        }
    }

    /// Cuts the message that begins here.
    fn message(&mut self, path: Path, found: &mut Findings<'_>, last: bool) -> Progress {
        let rest = self.rest();
        let framed = match self.framed {
            Some(framed) => framed,
            None => {
                if self.searched == 0 {
                    match sip::starts(rest) {
                        Verdict::Yes => {}
                        Verdict::More => return Progress::Wait,
                        Verdict::No => {
                            self.mode = Mode::Looking;
                            return Progress::Again;
                        }
                    }
                }
                let Some(head) = head_len(rest, self.searched) else {
                    if rest.len() > found.options.max_message {
                        return self.too_long(path, found);
                    }
                    // The end may have come in part.
                    self.searched = rest.len().saturating_sub(3).max(1);
                    return Progress::Wait;
                };
                if head > found.options.max_message {
                    return self.too_long(path, found);
                }
                match body_len(&rest[..head]) {
                    Body::None => Framed::Whole(head),
                    Body::Bytes(bytes) if bytes <= found.options.max_message => {
                        Framed::Whole(head + bytes)
                    }
                    Body::Bytes(_) => return self.too_long(path, found),
                    Body::Open => Framed::Open(Lines {
                        line: Some(head),
                        searched: head,
                    }),
                }
            }
        };
        self.framed = Some(framed);
        let rest = self.rest();
        let len = match framed {
            Framed::Whole(len) => Some(len),
            Framed::Open(mut lines) => {
                let start = lines.next_start(rest);
                // The body reaches at least up to the line of which more has to be seen.
                let least = start.or(lines.line).unwrap_or(rest.len());
                let too_long = least > found.options.max_message;
                let all = last.then_some(rest.len());
                self.framed = Some(Framed::Open(lines));
                if too_long {
                    return self.too_long(path, found);
                }
                start.or(all)
            }
        };
        match len.filter(|len| *len <= self.rest().len()) {
            Some(len) => {
                self.give(len, false, path, found);
                Progress::Again
            }
            None => Progress::Wait,
        }
    }

    /// What is here claims more than a message can have: the line is passed, and what begins behind looked for.
    fn too_long(&mut self, path: Path, found: &mut Findings<'_>) -> Progress {
        let seen = self.seen();
        let Path {
            source,
            destination,
        } = path;
        found.losses.note(Kind::TooLong, seen.frame, || {
            format!(
                "a message from {source} to {destination} is too long (frame {})",
                seen.frame
            )
        });
        let line = memchr::memchr(b'\n', self.rest()).map_or(1, |at| at + 1);
        self.advance(line);
        self.mode = Mode::Looking;
        Progress::Again
    }

    /// Hands on the message of `len` bytes that begins here.
    fn give(&mut self, len: usize, truncated: bool, path: Path, found: &mut Findings<'_>) {
        let seen = self.seen();
        let bytes = self.rest()[..len].to_vec();
        self.advance(len);
        found.message(SipMessage {
            frame: seen.frame,
            time: seen.time,
            source: path.source,
            destination: path.destination,
            carrier: Carrier::Tcp,
            bytes,
            truncated,
        });
    }

    /// Hands on what there is of a message that does not go on; whether there is something behind it.
    fn partial(&mut self, path: Path, found: &mut Findings<'_>) -> Progress {
        let seen = self.seen();
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        match &mut self.mode {
            Mode::WebSocket(websocket) => websocket.partial(rest, seen, path, found),
            Mode::Sip if sip::is_message(rest) => {
                // One that said that it is longer than it was has the next ones in what seemed to be its body.
                let next = next_message(rest);
                let len = next.unwrap_or(rest.len());
                found.incomplete(seen, path);
                self.give(len, true, path, found);
                if next.is_some() {
                    return Progress::Again;
                }
            }
            Mode::Sip => self.passed += rest.len() as u64,
            Mode::Hep if !rest.is_empty() => found.incomplete(seen, path),
            _ => {}
        }
        Progress::Wait
    }

    fn websocket(&mut self, path: Path, found: &mut Findings<'_>) -> Progress {
        let seen = self.seen();
        let Mode::WebSocket(websocket) = &mut self.mode else {
            return Progress::Again;
        };
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        match websocket.frame(rest, seen, path, found) {
            websocket::Step::Read(bytes) => self.advance(bytes),
            websocket::Step::More => return Progress::Wait,
            websocket::Step::Lost => {
                self.passed += 1;
                self.advance(1);
                self.searched = 1;
                self.mode = Mode::Looking;
            }
        }
        Progress::Again
    }

    /// A packet of a capture agent, with its length in front.
    fn packet(&mut self, path: Path, found: &mut Findings<'_>) -> Progress {
        let rest = self.rest();
        let Some(len) = hep::len(rest) else {
            if rest.len() < gossipper_hep::chunk::HEAD_LEN {
                return Progress::Wait;
            }
            self.mode = Mode::Looking;
            return Progress::Again;
        };
        let Some(packet) = rest.get(..len) else {
            return Progress::Wait;
        };
        let packet = packet.to_vec();
        let seen = self.seen();
        self.advance(len);
        if !found.reported(seen, &packet) {
            found.unreadable(seen, path);
        }
        Progress::Again
    }
}
