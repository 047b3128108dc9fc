// SPDX-License-Identifier: AGPL-3.0-only
//! Captures that are written: datagrams as a classic pcap file of Ethernet frames, which every tool reads.

use crate::Datagram;
use core::net::{IpAddr, SocketAddr};

/// Why a datagram cannot be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteError {
    /// Its addresses are of two families.
    Families,
    /// It is longer than a datagram of its family can be.
    TooLong,
}

impl core::fmt::Display for WriteError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Families => "a datagram from one family of addresses to the other",
            Self::TooLong => "a datagram that is too long",
        })
    }
}

impl core::error::Error for WriteError {}

/// A capture file that grows: pcap with microseconds, Ethernet, IPv4 or IPv6, UDP.
///
/// Frames carry made-up hardware addresses and no fragments, whatever they were before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

/// What captures are said to be cut at: nothing that is written here reaches it.
const SNAP_LEN: u32 = 262_144;
/// Sender and receiver on the wire: addresses of local administration.
const HARDWARE: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

impl Writer {
    /// A file without frames.
    #[must_use]
    pub fn new() -> Self {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&0xa1b2_c3d4_u32.to_le_bytes());
        bytes.extend_from_slice(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend_from_slice(&SNAP_LEN.to_le_bytes());
        bytes.extend_from_slice(&1_u32.to_le_bytes());
        Self { bytes }
    }

    /// Adds a frame with a datagram.
    ///
    /// # Errors
    /// It fits in no frame; the file is as before.
    pub fn datagram(&mut self, datagram: &Datagram) -> Result<(), WriteError> {
        let Datagram {
            time,
            source,
            destination,
            payload,
            ..
        } = datagram;
        let udp_len = u16::try_from(8 + payload.len()).map_err(|_| WriteError::TooLong)?;
        let mut packet: Vec<u8> = Vec::with_capacity(62 + payload.len());
        packet.extend_from_slice(&HARDWARE);
        let mut sum = Checksum::default();
        match (source.ip(), destination.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let total = udp_len.checked_add(20).ok_or(WriteError::TooLong)?;
                packet.extend_from_slice(&[8, 0]);
                let mut header = [0; 20];
                header[0] = 0x45;
                header[2..4].copy_from_slice(&total.to_be_bytes());
                header[6] = 0x40;
                header[8] = 64;
                header[9] = 17;
                header[12..16].copy_from_slice(&from.octets());
                header[16..].copy_from_slice(&to.octets());
                let mut of_header = Checksum::default();
                of_header.add(&header);
                header[10..12].copy_from_slice(&of_header.finish().to_be_bytes());
                sum.add(&header[12..]);
                packet.extend_from_slice(&header);
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                packet.extend_from_slice(&[0x86, 0xdd, 0x60, 0, 0, 0]);
                packet.extend_from_slice(&udp_len.to_be_bytes());
                packet.extend_from_slice(&[17, 64]);
                packet.extend_from_slice(&from.octets());
                packet.extend_from_slice(&to.octets());
                sum.add(&from.octets());
                sum.add(&to.octets());
            }
            _ => return Err(WriteError::Families),
        }
        let ports = [source, destination].map(|address| SocketAddr::port(address).to_be_bytes());
        let header = [ports[0], ports[1], udp_len.to_be_bytes(), [0, 0]].concat();
        sum.add(&[0, 17]);
        sum.add(&udp_len.to_be_bytes());
        sum.add(&header);
        sum.add(payload);
        packet.extend_from_slice(&header[..6]);
        // A sum of 0 would say that there is none.
        let sum = match sum.finish() {
            0 => u16::MAX,
            sum => sum,
        };
        packet.extend_from_slice(&sum.to_be_bytes());
        packet.extend_from_slice(payload);

        let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let len = packet.len() as u32;
        for word in [seconds, time.subsec_micros(), len, len] {
            self.bytes.extend_from_slice(&word.to_le_bytes());
        }
        self.bytes.extend_from_slice(&packet);
        Ok(())
    }

    /// The file.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The checksum of the Internet protocols.
#[derive(Default)]
struct Checksum(u64);

impl Checksum {
    /// Adds a part; all but the last have an even length.
    fn add(&mut self, bytes: &[u8]) {
        for pair in bytes.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            self.0 += u64::from(u16::from_be_bytes([pair[0], low]));
        }
    }

    fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        !(sum as u16)
    }
}
