// SPDX-License-Identifier: AGPL-3.0-only
//! One system call per datagram, through the standard library: works everywhere.
//!
//! The reference for what `linux` does faster, and what tests force to compare the two.

use std::io;
use std::net::UdpSocket;

use super::{BATCH, Entry, Held, MAX_DATAGRAM, Outgoing, RecvOutcome, SendOutcome, is_icmp};

/// Bytes one batch may fill: a few of the largest datagrams, many ordinary ones.
const BUFFER_BYTES: usize = 8 * MAX_DATAGRAM;

pub(super) fn send(
    socket: &UdpSocket,
    arena: &[u8],
    items: &[Outgoing],
    failed: &mut dyn FnMut(usize, io::Error),
) -> SendOutcome {
    let mut outcome = SendOutcome::default();
    for (index, item) in items.iter().enumerate() {
        let mut icmp_seen = false;
        loop {
            outcome.calls += 1;
            match socket.send_to(item.bytes(arena), item.to) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return outcome,
                Err(error) if is_icmp(&error) && !icmp_seen => {
                    icmp_seen = true;
                    outcome.icmp_errors += 1;
                    continue;
                }
                Err(error) => failed(index, error),
            }
            break;
        }
        outcome.done += 1;
    }
    outcome
}

#[derive(Debug)]
pub(super) struct Receiver {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

impl Receiver {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; BUFFER_BYTES],
            entries: Vec::with_capacity(BATCH),
        }
    }

    pub(super) fn held(&self) -> Held<'_> {
        Held {
            bytes: &self.bytes,
            entries: &self.entries,
        }
    }

    pub(super) fn recv(&mut self, socket: &UdpSocket) -> io::Result<RecvOutcome> {
        self.entries.clear();
        let mut outcome = RecvOutcome::default();
        let mut off = 0;
        // ICMP errors are as many as the kernel queued, at most one batch of them per call.
        let mut tries = 0;
        while self.entries.len() < BATCH
            && off + MAX_DATAGRAM <= self.bytes.len()
            && tries < 2 * BATCH
        {
            tries += 1;
            match socket.recv_from(&mut self.bytes[off..off + MAX_DATAGRAM]) {
                Ok((len, src)) => {
                    self.entries.push(Entry {
                        off,
                        len,
                        src,
                        waited_us: 0,
                    });
                    off += len;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_icmp(&error) => outcome.icmp_errors += 1,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    outcome.drained = true;
                    if self.entries.is_empty() {
                        return Err(error);
                    }
                    break;
                }
                Err(error) if self.entries.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        outcome.datagrams = self.entries.len();
        Ok(outcome)
    }
}
