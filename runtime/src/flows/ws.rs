// SPDX-License-Identifier: AGPL-3.0-only
//! SIP over WebSocket as a link: a frame per message.
//!
//! Frames are read where they lie in the table's buffer; only what a read has cut is kept. What is written is framed a batch at
//! a time, answers to pings in between.
//!
//! Rules: RFC 7118 §4.2 and §6, RFC 6455 §5. A message of line ends alone is a keep-alive and means nothing.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::link::{Link, Received, Sink};
use super::queue::SendQueue;
use crate::transport::ws::frame::{
    CloseCode, Control, Event, Reader, Side, write_control, write_message,
};

/// Bytes of messages that are framed at once.
const BATCH_BYTES: usize = 16 << 10;

/// Capacity kept by a connection that has nothing to write.
const IDLE_CAPACITY: usize = 2_048;

/// Answers to pings that may wait for a peer that does not read; it gets no more.
const MAX_ANSWER_BYTES: usize = 16 << 10;

/// SIP over WebSocket over a stream of bytes.
#[derive(Debug)]
pub(crate) struct WsLink<S> {
    stream: S,
    peer: SocketAddr,
    reader: Reader,
    /// What was read and is not a whole frame.
    cut: Vec<u8>,
    /// Frames on their way out.
    out: Vec<u8>,
    /// How much of them is written.
    written: usize,
    /// Messages among them, all from the front of the queue.
    framed: usize,
    /// Where masks come from, for the side that has them.
    masks: Option<fastrand::Rng>,
    /// We have said that nothing more comes.
    closed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WsLink<S> {
    /// After the handshake, with what came behind it.
    pub(crate) fn new(
        stream: S,
        peer: SocketAddr,
        side: Side,
        rest: Vec<u8>,
        limit: usize,
        seed: u64,
    ) -> Self {
        Self {
            stream,
            peer,
            reader: Reader::new(side, limit),
            cut: rest,
            out: Vec::new(),
            written: 0,
            framed: 0,
            masks: (side == Side::Client).then(|| fastrand::Rng::with_seed(seed)),
            closed: false,
        }
    }

    fn mask(&mut self) -> Option<[u8; 4]> {
        self.masks.as_mut().map(|masks| masks.u32(..).to_ne_bytes())
    }

    /// Takes the whole frames of `bytes`; returns how much that is, and whether the peer has closed.
    fn take_frames(&mut self, bytes: &mut [u8], take: &mut Sink<'_>) -> io::Result<(usize, bool)> {
        let (mut at, mut ended) = (0, false);
        while !ended {
            let (peer, mask) = (self.peer, self.mask());
            let (out, closed) = (&mut self.out, self.closed);
            let taken = self.reader.take(&mut bytes[at..], |event| match event {
                Event::Message(message) => {
                    if message.iter().any(|byte| !matches!(byte, b'\r' | b'\n')) {
                        take(peer, message);
                    }
                }
                Event::Ping(payload) => {
                    if out.len() <= MAX_ANSWER_BYTES && !closed {
                        write_control(Control::Pong, payload, mask, out);
                    }
                }
                Event::Close(payload) => {
                    ended = true;
                    if !closed {
                        write_control(Control::Close, payload, mask, out);
                    }
                }
            });
            match taken {
                Ok(Some(length)) => at += length,
                Ok(None) => break,
                Err(error) => {
                    self.say_close(error.close_code());
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
        }
        self.closed |= ended;
        Ok((at, ended))
    }

    fn say_close(&mut self, code: CloseCode) {
        if !self.closed {
            self.closed = true;
            let mask = self.mask();
            write_control(
                Control::Close,
                &code.number().to_be_bytes(),
                mask,
                &mut self.out,
            );
        }
    }

    /// Writes the frames that are ready.
    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.out.len() {
            let rest = &self.out[self.written..];
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += count;
        }
        self.out.clear();
        self.out.shrink_to(IDLE_CAPACITY);
        self.written = 0;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// What was read, if the whole frames are to be taken from what was cut before.
    fn take_joined(&mut self, read: &[u8], take: &mut Sink<'_>) -> io::Result<bool> {
        let mut cut = std::mem::take(&mut self.cut);
        cut.extend_from_slice(read);
        let (used, ended) = self.take_frames(&mut cut, take)?;
        cut.drain(..used);
        if !cut.is_empty() {
            self.cut = cut;
        }
        Ok(ended)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug> Link for WsLink<S> {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        take: &mut Sink<'_>,
    ) -> Poll<io::Result<Received>> {
        // The handshake may have brought whole frames along, for which nobody will ring.
        let ended = if !self.cut.is_empty() && self.reader.is_fresh() {
            self.take_joined(&[], take)
        } else {
            let mut read = ReadBuf::new(buffer);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            let bytes = read.filled_mut();
            if bytes.is_empty() {
                return Poll::Ready(Ok(Received::End));
            }
            if self.cut.is_empty() {
                self.take_frames(bytes, take).map(|(used, ended)| {
                    self.cut.extend_from_slice(&bytes[used..]);
                    ended
                })
            } else {
                self.take_joined(bytes, take)
            }
        };
        // Answers do not wait for a message to go with them. What finds no room goes later, or never after a farewell.
        let answered = match self.poll_out(cx) {
            Poll::Ready(Err(error)) => Err(error),
            Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
        };
        match ended {
            Err(error) => Poll::Ready(Err(error)),
            Ok(true) => Poll::Ready(Ok(Received::End)),
            Ok(false) => Poll::Ready(answered.map(|()| Received::Some)),
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut SendQueue,
        sent: &mut u64,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_out(cx))?;
            for _ in 0..std::mem::take(&mut self.framed) {
                queue.pop_first();
                *sent += 1;
            }
            if queue.is_empty() {
                return Poll::Ready(Ok(()));
            }
            if self.closed {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            for message in queue.messages() {
                if self.framed > 0 && self.out.len() + message.len() > BATCH_BYTES {
                    break;
                }
                let mask = self.masks.as_mut().map(|masks| masks.u32(..).to_ne_bytes());
                write_message(message, mask, &mut self.out);
                self.framed += 1;
            }
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.say_close(CloseCode::Normal);
        ready!(self.poll_out(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn cut_bytes(&self) -> usize {
        self.cut.len() + self.reader.fragment_bytes()
    }
}
