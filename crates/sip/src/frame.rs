// SPDX-License-Identifier: AGPL-3.0-only
//! Cuts a byte stream (TCP, TLS) into SIP messages.
//!
//! A message is a header section up to its blank line plus as many bytes as Content-Length says; a missing or
//! malformed Content-Length counts as 0, as in SIPp. Empty lines between messages are dropped, which makes RFC 5626
//! keep-alives invisible. Not here: reading from a connection, and deciding what to do with a message.
//!
//! Invariants: how the stream was split into pushes never changes the messages; no byte is searched twice; when the
//! caller drains after each push, no more than one message of `limit` bytes plus one push is held.
//!
//! Rules: RFC 3261 §7.5 and §18.3.
// COMPAT(sipp): SIPp keeps leading line ends in front of the next message, whose method it then misreads.

use std::fmt;

use memchr::memchr;

use crate::scan::content_length;

/// The buffer of an idle connection is not kept above this size.
const IDLE_CAPACITY: usize = 16 * 1024;

/// Nor above this one that of any other.
const BUSY_CAPACITY: usize = 256 * 1024;

/// How many pushes in a row that would fit an idle connection make it one.
const LULL: u16 = 2_000;

/// The peer sends something that cannot be cut into messages; the connection is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A message is longer than the limit the framer was made with.
    TooLong {
        /// That limit in bytes.
        limit: usize,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { limit } => write!(f, "message longer than {limit} bytes"),
        }
    }
}

impl std::error::Error for FrameError {}

/// Framing state of one connection.
///
/// ```
/// # use gossipper_sip::StreamFramer;
/// let mut framer = StreamFramer::new(65_536);
/// framer.push(b"\r\n\r\nOPTIONS sip:a SIP/2.0\r\nl: 2\r\n\r\nh");
/// assert_eq!(framer.next_message(), Ok(None));
/// framer.push(b"iACK");
/// assert_eq!(framer.next_message(), Ok(Some(&b"OPTIONS sip:a SIP/2.0\r\nl: 2\r\n\r\nhi"[..])));
/// assert_eq!(framer.next_message(), Ok(None));
/// ```
#[derive(Debug)]
pub struct StreamFramer {
    buf: Vec<u8>,
    /// Where the unfinished message begins.
    start: usize,
    /// Where its current line begins.
    line: usize,
    /// Up to where that line has been searched for its end.
    searched: usize,
    /// Where the message ends, once its header section is complete.
    end: Option<usize>,
    limit: usize,
    /// Pushes in a row that would have fit the buffer of an idle connection.
    small: u16,
    failed: Option<FrameError>,
}

impl StreamFramer {
    /// A framer for messages of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            buf: Vec::new(),
            start: 0,
            line: 0,
            searched: 0,
            end: None,
            limit,
            small: 0,
            failed: None,
        }
    }

    /// Takes over bytes read from the connection. Call [`Self::next_message`] until it has no more.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        self.discard_consumed();
        self.buf.extend_from_slice(bytes);
    }

    /// The next whole message, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// [`FrameError`] when the stream cannot be cut any further; every later call then returns it again.
    pub fn next_message(&mut self) -> Result<Option<&[u8]>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let end = match self.end {
            Some(end) => end,
            None => {
                self.skip_line_ends();
                match self.find_end() {
                    Ok(Some(end)) => end,
                    Ok(None) => return Ok(None),
                    Err(error) => {
                        self.failed = Some(error);
                        self.buf = Vec::new();
                        return Err(error);
                    }
                }
            }
        };
        if self.buf.len() < end {
            self.end = Some(end);
            return Ok(None);
        }
        let start = self.start;
        self.begin_message_at(end);
        Ok(self.buf.get(start..end))
    }

    /// Bytes received that belong to no finished message yet; what is lost when the connection closes now.
    pub fn pending_bytes(&self) -> usize {
        self.buf.len().saturating_sub(self.start)
    }

    fn begin_message_at(&mut self, at: usize) {
        self.start = at;
        self.line = at;
        self.searched = at;
        self.end = None;
    }

    fn discard_consumed(&mut self) {
        if self.start == 0 {
            return;
        }
        let small = self.buf.len() <= IDLE_CAPACITY;
        self.small = if small {
            self.small.saturating_add(1)
        } else {
            0
        };
        self.buf.drain(..self.start);
        self.line -= self.start;
        self.searched -= self.start;
        self.end = self.end.map(|end| end - self.start);
        self.start = 0;
        let most = match self.small < LULL {
            true => BUSY_CAPACITY,
            false => IDLE_CAPACITY,
        };
        if self.buf.is_empty() && self.buf.capacity() > most {
            self.buf = Vec::new();
        }
    }

    fn skip_line_ends(&mut self) {
        // Inside a message the first byte is not a line end, so this only ever moves between messages.
        let ends = self.buf[self.start..]
            .iter()
            .take_while(|byte| matches!(byte, b'\r' | b'\n'))
            .count();
        if ends > 0 {
            self.begin_message_at(self.start + ends);
        }
    }

    /// Goes on looking for the blank line; returns where the message ends.
    fn find_end(&mut self) -> Result<Option<usize>, FrameError> {
        let too_long = FrameError::TooLong { limit: self.limit };
        while let Some(length) = memchr(b'\n', &self.buf[self.searched..]) {
            let line_end = self.searched + length;
            let line = &self.buf[self.line..line_end];
            let is_blank = line.is_empty() || line == b"\r";
            self.line = line_end + 1;
            self.searched = self.line;
            if is_blank {
                let head = &self.buf[self.start..self.line];
                // COMPAT(sipp): missing or malformed counts as 0.
                let body = content_length(head).unwrap_or(0);
                let total = head.len().saturating_add(body);
                if total > self.limit {
                    return Err(too_long);
                }
                return Ok(Some(self.start + total));
            }
        }
        self.searched = self.buf.len();
        if self.pending_bytes() > self.limit {
            return Err(too_long);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::frame;
    use proptest::prelude::*;

    #[test]
    fn content_length_is_read_in_every_spelling() {
        for header in [
            "Content-Length: 3",
            "content-length:3",
            "l: 3",
            "L :3",
            "l:\r\n 3",
            "X: 9\r\nCONTENT-LENGTH: 003",
        ] {
            let first = format!("A b SIP/2.0\r\n{header}\r\n\r\nabc");
            let stream = format!("{first}SECOND");
            let (messages, error) = frame(&[stream.as_bytes()], 1000);
            assert_eq!(
                (messages, error),
                (vec![first.into_bytes()], None),
                "{header}"
            );
        }
    }

    #[test]
    fn missing_or_malformed_length_is_zero() {
        for header in ["X: 1", "l:", "l: -3", "l: 3x", "Content-Length: three"] {
            let first = format!("A b SIP/2.0\r\n{header}\r\n\r\n");
            let stream = format!("{first}abc");
            let (messages, error) = frame(&[stream.as_bytes()], 1000);
            assert_eq!(
                (messages, error),
                (vec![first.into_bytes()], None),
                "{header}"
            );
        }
    }

    #[test]
    fn the_body_is_never_searched_for_headers() {
        let stream = b"A b SIP/2.0\r\nl: 12\r\n\r\nl: 9\r\n\r\nabcdC d SIP/2.0\n\n";
        let (messages, error) = frame(&[stream], 1000);
        assert_eq!(error, None);
        assert_eq!(messages.len(), 2);
        assert!(messages[0].ends_with(b"abcd"));
        assert_eq!(messages[1], b"C d SIP/2.0\n\n");
    }

    #[test]
    fn too_long_is_an_error_that_stays_and_frees_the_buffer() {
        let too_long = FrameError::TooLong { limit: 40 };
        for stream in [
            &b"A b SIP/2.0\r\nl: 999999999999999999999999\r\n\r\n"[..],
            b"A b SIP/2.0\r\nl: 40\r\n\r\n",
            &[b'x'; 41],
        ] {
            let mut framer = StreamFramer::new(40);
            framer.push(stream);
            assert_eq!(framer.next_message(), Err(too_long));
            framer.push(&[b'y'; 1000]);
            assert_eq!(framer.next_message(), Err(too_long));
            assert_eq!(framer.pending_bytes(), 0);
        }
        let (messages, error) = frame(&[b"A b SIP/2.0\r\nl: 17\r\n\r\n12345678901234567"], 40);
        assert_eq!((messages.len(), error), (1, None));
    }

    #[test]
    fn keep_alives_are_invisible() {
        let (messages, error) = frame(
            &[b"\r", b"\n\r\n", b"\r\n\r\nA b SIP/2.0\r\n\r\n\r\n\r\n"],
            100,
        );
        assert_eq!(
            (messages, error),
            (vec![b"A b SIP/2.0\r\n\r\n".to_vec()], None)
        );
    }

    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            Just(b"\r\n".to_vec()),
            Just(b"\n".to_vec()),
            Just(b"\r".to_vec()),
            Just(b"\r\n\r\n".to_vec()),
            Just(b" ".to_vec()),
            Just(b"INVITE sip:a SIP/2.0\r\n".to_vec()),
            Just(b"Content-Length: 7\r\n".to_vec()),
            Just(b"l:3\n".to_vec()),
            Just(b"l: 4000\r\n".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..6),
        ]
    }

    proptest! {
        #[test]
        fn any_split_frames_the_same_messages(
            pieces in proptest::collection::vec(piece(), 0..30),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let stream = pieces.concat();
            let whole = frame(&[&stream], 120);
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            at.extend([0, stream.len()]);
            at.sort_unstable();
            let parts: Vec<&[u8]> = at.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            prop_assert_eq!(&frame(&parts, 120), &whole);
            let single: Vec<&[u8]> = stream.chunks(1).collect();
            prop_assert_eq!(&frame(&single, 120), &whole);
        }
    }
}
