// SPDX-License-Identifier: AGPL-3.0-only
//! Frames to SIP messages and back (RFC 6455 §5).
//!
//! [`Reader`] takes what has come in pieces of any size, undoes masks in place, puts fragments together and says what is to
//! be answered. [`write_message`] and [`write_control`] append a frame to a buffer.
//!
//! Bounds: a message is at most as long as the reader was told, and nothing is kept of a connection between messages.

/// The longest header: two bytes, a length of eight, a mask of four.
pub const MAX_HEADER_BYTES: usize = 14;

/// The longest payload of a control frame (RFC 6455 §5.5).
const MAX_CONTROL_BYTES: usize = 125;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// Which side of a connection somebody is: clients mask what they send (RFC 6455 §5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It opened the connection.
    Client,
    /// It was connected to.
    Server,
}

/// The kind of a control frame that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Ends the conversation.
    Close,
    /// Asks for a pong.
    Ping,
    /// Answers a ping.
    Pong,
}

/// Why a connection closes (RFC 6455 §7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// Nothing is left to do.
    Normal,
    /// The peer breaks the rules of frames.
    ProtocolError,
    /// A message is longer than is taken.
    TooBig,
}

impl CloseCode {
    /// The number on the wire.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::ProtocolError => 1002,
            Self::TooBig => 1009,
        }
    }
}

/// What a peer does that ends its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A client must mask, a server must not.
    #[error("a WebSocket frame is masked where it must not be, or the reverse")]
    Mask,
    /// Bits that mean something to extensions, of which none was agreed.
    #[error("a WebSocket frame has reserved bits set")]
    ReservedBits,
    /// An opcode that RFC 6455 does not have.
    #[error("a WebSocket frame has the unknown opcode {0}")]
    Opcode(u8),
    /// A ping, pong or close that is long or in pieces.
    #[error("a WebSocket control frame is longer than 125 bytes or in fragments")]
    ControlFrame,
    /// A fragment without a beginning, or a beginning within another message.
    #[error("WebSocket fragments are out of order")]
    Fragments,
    /// A message beyond the limit.
    #[error("a WebSocket message is longer than {limit} bytes")]
    TooBig {
        /// The limit.
        limit: usize,
    },
}

impl FrameError {
    /// What the peer is told.
    #[must_use]
    pub fn close_code(self) -> CloseCode {
        match self {
            Self::TooBig { .. } => CloseCode::TooBig,
            _ => CloseCode::ProtocolError,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opcode {
    Continuation,
    /// Text or binary: to SIP there is no difference.
    Data,
    Close,
    Ping,
    Pong,
}

#[derive(Debug, Clone, Copy)]
struct Header {
    fin: bool,
    opcode: Opcode,
    mask: Option<[u8; 4]>,
    header_bytes: usize,
    payload_bytes: u64,
}

/// Reads a header; `None` when more bytes are needed.
fn header(bytes: &[u8], side: Side) -> Result<Option<Header>, FrameError> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    if first & 0x70 != 0 {
        return Err(FrameError::ReservedBits);
    }
    let fin = first & FIN != 0;
    let opcode = match first & 0x0f {
        0 => Opcode::Continuation,
        1 | 2 => Opcode::Data,
        8 => Opcode::Close,
        9 => Opcode::Ping,
        10 => Opcode::Pong,
        other => return Err(FrameError::Opcode(other)),
    };
    let masked = second & MASKED != 0;
    if masked != (side == Side::Server) {
        return Err(FrameError::Mask);
    }
    let short = second & 0x7f;
    let is_control = matches!(opcode, Opcode::Close | Opcode::Ping | Opcode::Pong);
    if is_control && (!fin || usize::from(short) > MAX_CONTROL_BYTES) {
        return Err(FrameError::ControlFrame);
    }
    let (payload_bytes, rest) = match short {
        126 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Ok(None),
        },
        short => (u64::from(short), rest),
    };
    let (mask, rest) = match (masked, rest.split_first_chunk()) {
        (false, _) => (None, rest),
        (true, Some((mask, rest))) => (Some(*mask), rest),
        (true, None) => return Ok(None),
    };
    Ok(Some(Header {
        fin,
        opcode,
        mask,
        header_bytes: bytes.len() - rest.len(),
        payload_bytes,
    }))
}

fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let (chunks, rest) = bytes.as_chunks_mut::<4>();
    for chunk in chunks {
        *chunk = (u32::from_ne_bytes(*chunk) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

/// What a peer has said.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole message.
    Message(&'a [u8]),
    /// To be answered with a pong of the same bytes.
    Ping(&'a [u8]),
    /// It wants to end the conversation; to be answered with a close of the same bytes, if none was sent.
    Close(&'a [u8]),
}

/// Reads the frames of one connection.
#[derive(Debug)]
pub struct Reader {
    side: Side,
    max_message_bytes: usize,
    /// The fragments of a message that has begun; without memory between messages.
    fragments: Option<Vec<u8>>,
    fresh: bool,
}

impl Reader {
    /// For the given side of a new connection.
    #[must_use]
    pub fn new(side: Side, max_message_bytes: usize) -> Self {
        Self {
            side,
            max_message_bytes,
            fragments: None,
            fresh: true,
        }
    }

    /// Takes the first frame of `bytes`, which must begin where the last one taken ended: tells `event` what it means, if
    /// anything, and returns its length; `None` when it is not all there.
    ///
    /// # Errors
    /// When the peer breaks the rules; nothing can be read after that.
    pub fn take(
        &mut self,
        bytes: &mut [u8],
        event: impl FnOnce(Event<'_>),
    ) -> Result<Option<usize>, FrameError> {
        self.fresh = false;
        let Some(header) = header(bytes, self.side)? else {
            return Ok(None);
        };
        let begun = self.fragment_bytes();
        let is_data = matches!(header.opcode, Opcode::Data | Opcode::Continuation);
        // Before waiting for it: whoever announces too much is not waited for.
        let fits = usize::try_from(header.payload_bytes).ok().filter(|length| {
            !is_data
                || begun
                    .checked_add(*length)
                    .is_some_and(|whole| whole <= self.max_message_bytes)
        });
        let Some(length) = fits else {
            return Err(FrameError::TooBig {
                limit: self.max_message_bytes,
            });
        };
        let end = header.header_bytes + length;
        let Some(payload) = bytes.get_mut(header.header_bytes..end) else {
            return Ok(None);
        };
        if let Some(mask) = header.mask {
            unmask(payload, mask);
        }
        match (header.opcode, header.fin) {
            (Opcode::Ping, _) => event(Event::Ping(payload)),
            (Opcode::Pong, _) => {}
            (Opcode::Close, _) => event(Event::Close(payload)),
            (Opcode::Data, _) if self.fragments.is_some() => return Err(FrameError::Fragments),
            (Opcode::Data, true) => event(Event::Message(payload)),
            (Opcode::Data, false) => self.fragments = Some(payload.to_vec()),
            (Opcode::Continuation, fin) => {
                let Some(fragments) = &mut self.fragments else {
                    return Err(FrameError::Fragments);
                };
                fragments.extend_from_slice(payload);
                if fin {
                    let whole = self.fragments.take().unwrap_or_default();
                    event(Event::Message(&whole));
                }
            }
        }
        Ok(Some(end))
    }

    /// Bytes of a message that has begun and of which fragments are missing.
    #[must_use]
    pub fn fragment_bytes(&self) -> usize {
        self.fragments.as_ref().map_or(0, Vec::len)
    }

    /// Whether no frame was looked for yet.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }
}

/// A header for `length` bytes of payload, and how much of the array it takes.
fn header_for(first: u8, length: usize, mask: Option<[u8; 4]>) -> ([u8; MAX_HEADER_BYTES], usize) {
    let mut header = [0; MAX_HEADER_BYTES];
    header[0] = first;
    let bit = if mask.is_some() { MASKED } else { 0 };
    let mut end = 2;
    if let Ok(length) = u8::try_from(length)
        && usize::from(length) <= MAX_CONTROL_BYTES
    {
        header[1] = bit | length;
    } else if let Ok(length) = u16::try_from(length) {
        header[1] = bit | 126;
        header[2..4].copy_from_slice(&length.to_be_bytes());
        end = 4;
    } else {
        header[1] = bit | 127;
        header[2..10].copy_from_slice(&(length as u64).to_be_bytes());
        end = 10;
    }
    if let Some(mask) = mask {
        header[end..end + 4].copy_from_slice(&mask);
        end += 4;
    }
    (header, end)
}

fn write(first: u8, payload: &[u8], mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    let (header, end) = header_for(first, payload.len(), mask);
    out.extend_from_slice(&header[..end]);
    let start = out.len();
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        // The same operation both ways.
        unmask(&mut out[start..], mask);
    }
}

/// Appends a message as one frame: as text where it is UTF-8, which a text must be, and as binary otherwise (RFC 7118 §4.2).
/// A client gives a mask.
pub fn write_message(message: &[u8], mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    let text = std::str::from_utf8(message).is_ok();
    write(FIN | if text { 1 } else { 2 }, message, mask, out);
}

/// Appends a control frame; a payload beyond what such a frame may have is cut.
pub fn write_control(kind: Control, payload: &[u8], mask: Option<[u8; 4]>, out: &mut Vec<u8>) {
    let opcode = match kind {
        Control::Close => 8,
        Control::Ping => 9,
        Control::Pong => 10,
    };
    let payload = &payload[..payload.len().min(MAX_CONTROL_BYTES)];
    write(FIN | opcode, payload, mask, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads `wire` in pieces that end at the given places; what was said, and the error if any.
    fn read(
        side: Side,
        limit: usize,
        wire: &[u8],
        cuts: &[usize],
    ) -> (Vec<String>, Option<FrameError>) {
        let mut reader = Reader::new(side, limit);
        let (mut said, mut buffer) = (Vec::new(), Vec::new());
        let mut from = 0;
        for to in cuts.iter().copied().chain([wire.len()]) {
            let to = to.clamp(from, wire.len());
            buffer.extend_from_slice(&wire[from..to]);
            from = to;
            loop {
                let taken = reader.take(&mut buffer, |event| {
                    said.push(match event {
                        Event::Message(bytes) => format!("message {}", bytes.escape_ascii()),
                        Event::Ping(bytes) => format!("ping {}", bytes.escape_ascii()),
                        Event::Close(bytes) => format!("close {}", bytes.escape_ascii()),
                    });
                });
                match taken {
                    Ok(Some(length)) => drop(buffer.drain(..length)),
                    Ok(None) => break,
                    Err(error) => return (said, Some(error)),
                }
            }
        }
        (said, None)
    }

    fn server(wire: &[u8]) -> (Vec<String>, Option<FrameError>) {
        read(Side::Server, 1_000, wire, &[])
    }

    fn client(wire: &[u8]) -> (Vec<String>, Option<FrameError>) {
        read(Side::Client, 1_000, wire, &[])
    }

    // RFC 6455 §5.7 has these.
    #[test]
    fn the_examples_of_the_rfc_are_read() {
        let masked = [
            0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
        ];
        assert_eq!(server(&masked), (vec!["message Hello".into()], None));
        let plain = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
        assert_eq!(client(&plain), (vec!["message Hello".into()], None));
        let fragments = [0x01, 0x03, 0x48, 0x65, 0x6c, 0x80, 0x02, 0x6c, 0x6f];
        assert_eq!(client(&fragments), (vec!["message Hello".into()], None));
        let ping = [0x89, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];
        assert_eq!(client(&ping), (vec!["ping Hello".into()], None));
        let pong = [
            0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
        ];
        assert_eq!(server(&pong), (vec![], None));
    }

    #[test]
    fn a_ping_may_come_between_fragments() {
        let mut wire = vec![0x01, 0x01, b'a'];
        write_control(Control::Ping, b"p", None, &mut wire);
        wire.extend([0x80, 0x01, b'b']);
        assert_eq!(
            client(&wire),
            (vec!["ping p".into(), "message ab".into()], None)
        );
    }

    #[test]
    fn offences_are_told_apart() {
        assert_eq!(server(&[0x81, 0x01, b'a']).1, Some(FrameError::Mask));
        assert_eq!(
            client(&[0x81, 0x81, 0, 0, 0, 0, 0]).1,
            Some(FrameError::Mask)
        );
        assert_eq!(client(&[0xc1, 0x00]).1, Some(FrameError::ReservedBits));
        assert_eq!(client(&[0x83, 0x00]).1, Some(FrameError::Opcode(3)));
        assert_eq!(client(&[0x09, 0x00]).1, Some(FrameError::ControlFrame));
        assert_eq!(
            client(&[0x89, 126, 0, 126]).1,
            Some(FrameError::ControlFrame)
        );
        assert_eq!(client(&[0x80, 0x00]).1, Some(FrameError::Fragments));
        assert_eq!(
            client(&[0x01, 0x00, 0x01, 0x00]).1,
            Some(FrameError::Fragments)
        );
    }

    #[test]
    fn too_much_is_refused_before_it_is_there_whole_or_in_pieces() {
        let limit = Some(FrameError::TooBig { limit: 1_000 });
        assert_eq!(client(&[0x82, 126, 0x03, 0xe9]).1, limit);
        let mut most = vec![0x82, 127];
        most.extend(u64::MAX.to_be_bytes());
        assert_eq!(client(&most).1, limit);
        let mut wire: Vec<u8> = vec![0x02, 126, 0x03, 0xe8];
        wire.extend([b'a'; 1_000]);
        // A control frame is no part of the message.
        write_control(Control::Ping, b"p", None, &mut wire);
        assert_eq!(client(&wire), (vec!["ping p".into()], None));
        wire.extend([0x80, 0x01]);
        assert_eq!(client(&wire).1, limit);
        assert_eq!(FrameError::TooBig { limit: 1 }.close_code().number(), 1009);
    }

    #[test]
    fn a_control_frame_is_never_too_long_to_send() {
        let mut wire = Vec::new();
        write_control(Control::Pong, &[7; 200], None, &mut wire);
        assert_eq!(wire.len(), 2 + 125);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_messages(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..6),
            mask in any::<[u8; 4]>(),
            masked in any::<bool>(),
            mut cuts in prop::collection::vec(0_usize..2_000, 0..12),
        ) {
            let (side, mask) = if masked { (Side::Server, Some(mask)) } else { (Side::Client, None) };
            let mut wire = Vec::new();
            for message in &messages {
                write_message(message, mask, &mut wire);
            }
            cuts.sort_unstable();
            let (said, error) = read(side, 1_000, &wire, &cuts);
            prop_assert_eq!(error, None);
            let sent: Vec<_> = messages
                .iter()
                .map(|message| format!("message {}", message.escape_ascii()))
                .collect();
            prop_assert_eq!(said, sent);
        }

        #[test]
        fn lengths_of_every_notation_come_back(length in prop::sample::select(vec![0_usize, 125, 126, 65_535, 65_536, 70_000])) {
            let message = vec![b'x'; length];
            let mut wire = Vec::new();
            write_message(&message, Some([1, 2, 3, 4]), &mut wire);
            let mut got = None;
            let mut reader = Reader::new(Side::Server, 100_000);
            let taken = reader.take(&mut wire, |event| if let Event::Message(bytes) = event { got = Some(bytes.to_vec()) });
            prop_assert_eq!(taken, Ok(Some(wire.len())));
            prop_assert_eq!(got, Some(message));
        }

        #[test]
        fn whatever_comes_is_survived(wire in prop::collection::vec(any::<u8>(), 0..300), masked in any::<bool>()) {
            let side = if masked { Side::Server } else { Side::Client };
            let _ = read(side, 200, &wire, &[]);
        }
    }
}
