// SPDX-License-Identifier: AGPL-3.0-only
//! Captures that are sent again: which bytes, when, and to which port.
//!
//! A plan refers to the bytes of the file and copies nothing; all calls that play a file share it. The capture's own
//! timing is kept, to the microsecond; time that runs backwards in it stands still.
//!
//! COMPAT(sipp): every UDP packet is replayed, whatever it holds. The lowest captured destination port stands for the
//! port of the stream, the others lie as far above it as they did in the capture.

#[cfg(test)]
mod tests;

pub use gossipper_capture::link::{LinkType, Skip};

use crate::rtp::Packet;
use crate::time::Micros;
use gossipper_capture::file::Frames;
use std::sync::Arc;

/// Most packets of a plan.
pub const MAX_PACKETS: usize = 4_000_000;
/// Most bytes of a file.
pub const MAX_BYTES: usize = u32::MAX as usize;

/// A packet to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReplayPacket {
    /// After the first one.
    pub at: Micros,
    start: u32,
    len: u16,
    /// What to add to the port of the stream, ours as well as the peer's.
    pub port_offset: u16,
}

/// Which packets are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keep {
    /// All of UDP, as SIPp does.
    All,
    /// Those that are RTP.
    Rtp,
}

/// What of a capture is not replayed.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Skipped {
    /// Not IP, or not UDP, or not of the kind wanted.
    pub other: u32,
    /// Fragments, which are not put together.
    pub fragments: u32,
    /// Captured in part only, or broken.
    pub truncated: u32,
    /// Places where the file breaks off or makes no sense.
    pub damaged: u32,
}

impl Skipped {
    /// Whether something is missing that might have been sent.
    #[must_use]
    pub const fn is_missing_any(self) -> bool {
        self.fragments != 0 || self.truncated != 0 || self.damaged != 0
    }
}

/// What might have been sent.
impl core::fmt::Display for Skipped {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self {
            fragments,
            truncated,
            damaged,
            ..
        } = self;
        write!(f, "{fragments} fragments, {truncated} cut off")?;
        match damaged {
            0 => Ok(()),
            1 => f.write_str(", the file damaged at 1 place"),
            _ => write!(f, ", the file damaged at {damaged} places"),
        }
    }
}

/// Why a capture cannot be replayed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReplayError {
    /// Neither pcap nor pcapng.
    NotCapture,
    /// Frames of a kind that we cannot read; the number is the link type.
    Link(i32),
    /// More packets or bytes than a plan may have.
    TooLarge,
    /// No packet is left to send.
    Empty(Skipped),
}

impl core::fmt::Display for ReplayError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotCapture => f.write_str("not a capture file"),
            Self::Link(number) => write!(f, "a capture of the unknown link type {number}"),
            Self::TooLarge => {
                f.write_str("a capture of more than four million packets or four gigabytes")
            }
            Self::Empty(skipped) => {
                write!(
                    f,
                    "a capture without a packet to send ({} of another kind, {skipped})",
                    skipped.other
                )
            }
        }
    }
}

impl core::error::Error for ReplayError {}

/// A capture, ready to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replay {
    bytes: Arc<[u8]>,
    packets: Arc<[ReplayPacket]>,
    skipped: Skipped,
}

impl Replay {
    /// Reads a capture: pcap in either byte order, with micro- or nanoseconds, or pcapng. `link` says what its frames
    /// are where it does not, or does wrongly.
    ///
    /// # Errors
    /// It cannot be replayed.
    pub fn parse(
        bytes: Arc<[u8]>,
        keep: Keep,
        link: Option<LinkType>,
    ) -> Result<Self, ReplayError> {
        if bytes.len() > MAX_BYTES {
            return Err(ReplayError::TooLarge);
        }
        let mut plan = Planner {
            bytes: &bytes,
            keep,
            link,
            frames: Vec::new(),
            last: 0,
            skipped: Skipped::default(),
        };
        plan.file()?;
        let Planner {
            frames, skipped, ..
        } = plan;
        let lowest = frames.iter().map(|frame| frame.port).min();
        let first = frames.first().map_or(0, |frame| frame.at);
        let Some(lowest) = lowest else {
            return Err(ReplayError::Empty(skipped));
        };
        let packets = frames.iter().map(|frame| ReplayPacket {
            at: Micros(frame.at - first),
            start: frame.start,
            len: frame.len,
            port_offset: frame.port - lowest,
        });
        Ok(Self {
            packets: packets.collect(),
            skipped,
            bytes,
        })
    }

    /// A plan of packets made here: when, and their bytes.
    #[must_use]
    pub fn of_packets<'a>(packets: impl IntoIterator<Item = (Micros, &'a [u8])>) -> Self {
        let mut bytes = Vec::new();
        let packets: Vec<ReplayPacket> = packets
            .into_iter()
            .take(MAX_PACKETS)
            .map(|(at, packet)| {
                let packet = &packet[..packet.len().min(usize::from(u16::MAX))];
                let start = bytes.len() as u32;
                bytes.extend_from_slice(packet);
                ReplayPacket {
                    at,
                    start,
                    len: packet.len() as u16,
                    port_offset: 0,
                }
            })
            .collect();
        Self {
            bytes: bytes.into(),
            packets: packets.into(),
            skipped: Skipped::default(),
        }
    }

    /// Its packets, in order.
    #[must_use]
    pub fn packets(&self) -> &[ReplayPacket] {
        &self.packets
    }

    /// The bytes of one of its packets.
    #[must_use]
    pub fn bytes(&self, packet: &ReplayPacket) -> &[u8] {
        let start = packet.start as usize;
        self.bytes
            .get(start..start + usize::from(packet.len))
            .unwrap_or_default()
    }

    /// From the first packet to the last.
    #[must_use]
    pub fn duration(&self) -> Micros {
        self.packets.last().map_or(Micros(0), |packet| packet.at)
    }

    /// What of the capture is not replayed.
    #[must_use]
    pub fn skipped(&self) -> Skipped {
        self.skipped
    }
}

/// A datagram found in the capture.
struct Frame {
    /// In microseconds of the capture's own clock.
    at: u64,
    start: u32,
    len: u16,
    port: u16,
}

struct Planner<'a> {
    bytes: &'a [u8],
    keep: Keep,
    link: Option<LinkType>,
    frames: Vec<Frame>,
    last: u64,
    skipped: Skipped,
}

impl Planner<'_> {
    fn file(&mut self) -> Result<(), ReplayError> {
        let frames = Frames::of(self.bytes).ok_or(ReplayError::NotCapture)?;
        if let Some(number) = frames.link() {
            self.link_of(number).map_err(ReplayError::Link)?;
        }
        for frame in frames {
            // A recording that was killed ends within a packet: what is whole is played all the same, as SIPp does.
            let Ok(frame) = frame else {
                self.skipped.damaged += 1;
                continue;
            };
            let link = self.link_of(frame.link).map_err(ReplayError::Link)?;
            // What has no time of its own follows at once.
            let at = frame.time.map_or(self.last, |time| {
                u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
            });
            self.frame(link, at, frame.data)?;
        }
        Ok(())
    }

    fn link_of(&self, number: i32) -> Result<LinkType, i32> {
        match self.link {
            Some(link) => Ok(link),
            None => LinkType::of_number(number).ok_or(number),
        }
    }

    fn frame(&mut self, link: LinkType, at: u64, data: &[u8]) -> Result<(), ReplayError> {
        self.last = self.last.max(at);
        let udp = match link.udp(data) {
            Ok(udp) => udp,
            Err(Skip::Other) => {
                self.skipped.other += 1;
                return Ok(());
            }
            Err(Skip::Fragment) => {
                self.skipped.fragments += 1;
                return Ok(());
            }
            Err(Skip::Truncated) => {
                self.skipped.truncated += 1;
                return Ok(());
            }
        };
        let wanted = match self.keep {
            Keep::All => true,
            Keep::Rtp => Packet::parse(udp.payload).is_ok(),
        };
        if !wanted {
            self.skipped.other += 1;
            return Ok(());
        }
        if self.frames.len() == MAX_PACKETS {
            return Err(ReplayError::TooLarge);
        }
        // A view of `bytes`, which has at most 32 bits of length.
        let start = udp.payload.as_ptr().addr() - self.bytes.as_ptr().addr();
        self.frames.push(Frame {
            at: self.last,
            start: start as u32,
            // A datagram has at most 16 bits of length.
            len: udp.payload.len() as u16,
            port: udp.destination_port,
        });
        Ok(())
    }
}
