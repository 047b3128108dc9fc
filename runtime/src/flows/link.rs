// SPDX-License-Identifier: AGPL-3.0-only
//! A connection as the table sees it: whole messages in, whole messages out.
//!
//! [`Link`] is what TCP, TLS, WebSocket and sockets of single calls have in common. [`StreamLink`] is the one for everything
//! that is a stream of bytes. Not here: how a connection is made ([`super::dial`], [`super::wrap`]), and what its end means.
//!
//! Rules: RFC 3261 §18.3 for framing. Nothing is answered to the double CR LF of RFC 5626 §4.4.1.
// COMPAT(sipp): SIPp does not answer that either.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use gossipper_sip::StreamFramer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UdpSocket;

use super::queue::SendQueue;

/// Ends with a connection that messages can be sent on, after whatever had to be done first.
pub(crate) type Opening = Pin<Box<dyn Future<Output = io::Result<Box<dyn Link>>> + Send>>;

/// Takes a message and its sender.
pub(crate) type Sink<'a> = dyn FnMut(SocketAddr, &[u8]) + 'a;

/// What reading once has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Something was read, and there may be more.
    Some,
    /// The peer sends nothing more.
    End,
}

/// A connection, or a socket, that messages go through.
///
/// Every method does a bounded amount of work, and leaves the waker of `cx` where the readiness it waits for is noticed when
/// it returns [`Poll::Pending`]. After an error, or [`Received::End`], the link is dropped.
pub(crate) trait Link: Send + Debug {
    /// Reads once, into `buffer` if it needs one, and hands on the messages that are whole by now.
    ///
    /// # Errors
    /// When the connection is broken, or what comes cannot be cut into messages.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        take: &mut Sink<'_>,
    ) -> Poll<io::Result<Received>>;

    /// Writes what waits, and returns how many messages were completed; ready when nothing waits any more. To be called
    /// again until then, as `Pending` may come after some messages.
    ///
    /// # Errors
    /// When the connection is broken.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut SendQueue,
        sent: &mut u64,
    ) -> Poll<io::Result<()>>;

    /// Says to the peer that nothing more comes.
    ///
    /// # Errors
    /// When the connection is broken.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Bytes of a message that was begun and is not whole.
    fn cut_bytes(&self) -> usize;
}

/// SIP over a stream of bytes.
#[derive(Debug)]
pub(crate) struct StreamLink<S> {
    stream: S,
    peer: SocketAddr,
    framer: StreamFramer,
}

impl<S> StreamLink<S> {
    /// Over a stream to `peer`, with messages of at most `limit` bytes.
    pub(crate) fn new(stream: S, peer: SocketAddr, limit: usize) -> Self {
        Self {
            stream,
            peer,
            framer: StreamFramer::new(limit),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + Debug> Link for StreamLink<S> {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        take: &mut Sink<'_>,
    ) -> Poll<io::Result<Received>> {
        let mut read = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
        if read.filled().is_empty() {
            return Poll::Ready(Ok(Received::End));
        }
        self.framer.push(read.filled());
        loop {
            match self.framer.next_message() {
                Ok(Some(message)) => take(self.peer, message),
                Ok(None) => return Poll::Ready(Ok(Received::Some)),
                Err(error) => {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
                }
            }
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut SendQueue,
        sent: &mut u64,
    ) -> Poll<io::Result<()>> {
        while !queue.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, queue.unwritten()))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *sent += queue.wrote(count);
        }
        // What a layer above TCP has kept to itself.
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn cut_bytes(&self) -> usize {
        self.framer.pending_bytes()
    }
}

/// The socket of one call, or of some that share it (`-t un`).
#[derive(Debug)]
pub(super) struct DatagramLink(pub(super) UdpSocket);

impl Link for DatagramLink {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        take: &mut Sink<'_>,
    ) -> Poll<io::Result<Received>> {
        let mut read = ReadBuf::new(buffer);
        match ready!(self.0.poll_recv_from(cx, &mut read)) {
            Ok(src) => take(src, read.filled()),
            // Of a datagram that was sent before; the call learns of it by hearing nothing, as over one socket.
            Err(error) if is_passing(&error) => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
        Poll::Ready(Ok(Received::Some))
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        queue: &mut SendQueue,
        sent: &mut u64,
    ) -> Poll<io::Result<()>> {
        while let Some((message, to)) = queue.first() {
            match ready!(self.0.poll_send_to(cx, message, to)) {
                Ok(_) => {
                    *sent += 1;
                    queue.pop_first();
                }
                // What was refused is an earlier one; this one is tried again.
                Err(error) if is_passing(&error) => {}
                Err(error) => queue.refuse_first(error),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn cut_bytes(&self) -> usize {
        0
    }
}

/// An asynchronous error of UDP, which the kernel tells once.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
    )
}
