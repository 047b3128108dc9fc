// SPDX-License-Identifier: AGPL-3.0-only
//! A relay for the datagrams of one call that exchanges the bodies of messages, as a proxy does that steers a media relay.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Gives a message another body: the message, and whether the caller sent it.
pub(crate) type Exchange = Box<dyn FnMut(&[u8], bool) -> Option<Vec<u8>> + Send>;

/// Ends with the test.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Between whoever sends to it and the callee.
    pub(crate) fn start(callee: SocketAddr, mut exchange: Exchange) -> Self {
        let socket = UdpSocket::bind((callee.ip(), 0)).expect("a port");
        let address = socket.local_addr().expect("its own");
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .expect("a time");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut caller = None;
            let mut buffer = vec![0; 65_536];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((len, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let by_caller = from != callee;
                if by_caller {
                    caller = Some(from);
                }
                let to = if by_caller { Some(callee) } else { caller };
                let message = &buffer[..len];
                let new = body(message).and_then(|body| exchange(body, by_caller));
                let message = match new {
                    Some(new) => with_body(message, &new),
                    None => message.to_vec(),
                };
                if let Some(to) = to {
                    // A datagram that is lost is sent again.
                    let _ = socket.send_to(&message, to);
                }
            }
        });
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Its panic is a message that both sides missed: the call has failed as well.
            let _ = thread.join();
        }
    }
}

fn end_of_headers(message: &[u8]) -> Option<usize> {
    let at = message.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(at + 4)
}

fn body(message: &[u8]) -> Option<&[u8]> {
    let body = &message[end_of_headers(message)?..];
    (!body.is_empty()).then_some(body)
}

fn with_body(message: &[u8], body: &[u8]) -> Vec<u8> {
    let end = end_of_headers(message).expect("it has a body");
    let head = String::from_utf8_lossy(&message[..end - 2]);
    let lines: String = head
        .split_inclusive("\r\n")
        .filter(|line| !line.to_ascii_lowercase().starts_with("content-length"))
        .collect();
    let mut out = format!("{lines}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    out.extend_from_slice(body);
    out
}
