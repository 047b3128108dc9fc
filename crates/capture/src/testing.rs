// SPDX-License-Identifier: AGPL-3.0-only
//! Captures built for tests: layer by layer, from the payload outwards.

use core::net::SocketAddr;

/// A pcap file with microseconds.
pub(crate) struct PcapFile(Vec<u8>);

impl PcapFile {
    pub(crate) fn new(link: u32) -> Self {
        Self(words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, link]))
    }

    /// Adds a frame of some second.
    pub(crate) fn frame(&mut self, second: u32, data: &[u8]) {
        self.snapped(second, data, data.len());
    }

    /// Adds a frame that was cut: of `len` bytes those are left.
    pub(crate) fn snapped(&mut self, second: u32, data: &[u8], len: usize) {
        self.0
            .extend_from_slice(&words(&[second, 0, data.len() as u32, len as u32]));
        self.0.extend_from_slice(data);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

pub(crate) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A block of pcapng.
pub(crate) fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let len = 12 + body.len().next_multiple_of(4);
    let mut out = words(&[kind, len as u32]);
    out.extend_from_slice(body);
    out.resize(len - 4, 0);
    out.extend_from_slice(&words(&[len as u32]));
    out
}

/// The beginning of a section of pcapng.
pub(crate) fn ng() -> Vec<u8> {
    block(0x0a0d_0d0a, &words(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]))
}

/// A datagram with its header.
pub(crate) fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let len = 8 + payload.len() as u16;
    let mut out = [from, to, len, 0].map(u16::to_be_bytes).concat();
    out.extend_from_slice(payload);
    out
}

/// A packet between the addresses, whose ports do not matter.
pub(crate) fn ip(from: SocketAddr, to: SocketAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            let mut out = vec![0x45, 0];
            out.extend_from_slice(&(20 + payload.len() as u16).to_be_bytes());
            out.extend_from_slice(&[0, 1, 0x40, 0, 64, protocol, 0, 0]);
            out.extend_from_slice(&from.ip().octets());
            out.extend_from_slice(&to.ip().octets());
            out.extend_from_slice(payload);
            out
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            let mut out = vec![0x60, 0, 0, 0];
            out.extend_from_slice(&(payload.len() as u16).to_be_bytes());
            out.extend_from_slice(&[protocol, 64]);
            out.extend_from_slice(&from.ip().octets());
            out.extend_from_slice(&to.ip().octets());
            out.extend_from_slice(payload);
            out
        }
        _ => panic!("one family"),
    }
}

/// A segment; `syn` begins a connection.
pub(crate) fn tcp(from: u16, to: u16, sequence: u32, syn: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = [from, to].map(u16::to_be_bytes).concat();
    out.extend_from_slice(&sequence.to_be_bytes());
    out.extend_from_slice(&[
        0,
        0,
        0,
        0,
        0x50,
        if syn { 0x02 } else { 0x18 },
        1,
        0,
        0,
        0,
        0,
        0,
    ]);
    out.extend_from_slice(payload);
    out
}

/// A frame of WebSocket.
pub(crate) fn websocket(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut out = vec![first];
    match payload.len() {
        len @ 0..=125 => out.push(masked | len as u8),
        len @ 126..=65_535 => {
            out.push(masked | 126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(masked | 127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    let mask = mask
        .inspect(|mask| out.extend_from_slice(mask))
        .unwrap_or_default();
    out.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    out
}

/// A chunk of a packet of HEP.
pub(crate) fn chunk(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut out = [0, kind, 6 + value.len() as u16]
        .map(u16::to_be_bytes)
        .concat();
    out.extend_from_slice(value);
    out
}

/// A packet of HEP 3.
pub(crate) fn hep(chunks: &[Vec<u8>]) -> Vec<u8> {
    let chunks = chunks.concat();
    let len = 6 + chunks.len() as u16;
    [b"HEP3", &len.to_be_bytes()[..], &chunks].concat()
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// A file with one packet of IPv4 in each frame, a second apart.
pub(crate) fn packets(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = PcapFile::new(101);
    for (second, packet) in (1..).zip(packets) {
        file.frame(second, packet);
    }
    file.bytes().to_vec()
}
