// SPDX-License-Identifier: AGPL-3.0-only
//! RTCP (RFC 3550 §6): compound packets read, reports, names and goodbyes written.
//!
//! A compound packet is checked as a whole before anything of it is used: versions, lengths, padding only in its last
//! part (RFC 3550 A.2). Parts of kinds that nobody here asks for are handed on as they are. Reading borrows.

mod write;

pub use write::{append_goodbye, append_name, append_receiver_report, append_sender_report};

/// Sender report.
pub const SENDER_REPORT: u8 = 200;
/// Receiver report.
pub const RECEIVER_REPORT: u8 = 201;
/// Source description.
pub const SOURCE_DESCRIPTION: u8 = 202;
/// Goodbye.
pub const GOODBYE: u8 = 203;

/// Most report blocks of a report: a field of five bits counts them.
pub const MAX_BLOCKS: usize = 31;

const HEADER_LEN: usize = 4;
const BLOCK_LEN: usize = 24;
const SENDER_INFO_LEN: usize = 20;

/// Seconds between 1900, where the clock of NTP begins, and 1970.
const NTP_UNIX_SECONDS: u64 = 2_208_988_800;

/// A wall-clock time as in a sender report: 32 bits of seconds since 1900, 32 bits of fraction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// From microseconds since 1970. Wraps in 2036, as NTP does.
    #[must_use]
    pub const fn from_unix_us(us: u64) -> Self {
        let seconds = us / 1_000_000 + NTP_UNIX_SECONDS;
        let fraction = ((us % 1_000_000) << 32) / 1_000_000;
        Self(seconds << 32 | fraction)
    }

    /// The middle 32 bits, in 1/65536 s: what reports refer to.
    #[must_use]
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// What a sender says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SenderInfo {
    /// When the report was sent.
    pub ntp: NtpTime,
    /// The same moment in its RTP timestamps.
    pub rtp_timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Bytes of payload in them.
    pub octets: u32,
}

/// What a receiver says of one source.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// Lost since the report before, in 1/256.
    pub fraction_lost: u8,
    /// Lost since the beginning; 24 bits, negative where duplicates outnumber losses.
    pub cumulative_lost: i32,
    /// Highest sequence number, with the number of its cycles above.
    pub highest_sequence: u32,
    /// Jitter in timestamps.
    pub jitter: u32,
    /// [`NtpTime::middle`] of the last sender report that came; 0 if none did.
    pub last_report: u32,
    /// Since then, in 1/65536 s.
    pub delay: u32,
}

impl ReportBlock {
    /// The round trip that a block tells its source, in microseconds (RFC 3550 §6.4.1); `None` if no report of ours had
    /// reached the receiver, or its clock makes no sense.
    #[must_use]
    pub fn round_trip_us(&self, now: NtpTime) -> Option<u64> {
        if self.last_report == 0 {
            return None;
        }
        let taken = now
            .middle()
            .wrapping_sub(self.last_report)
            .wrapping_sub(self.delay);
        // A delay longer than what passed since wraps to more than nine hours.
        i32::try_from(taken).ok()?;
        Some((u64::from(taken) * 1_000_000) >> 16)
    }
}

/// Why bytes are no compound packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RtcpError {
    /// Fewer bytes than a part says, or none.
    Short,
    /// A part of a version other than 2.
    Version,
    /// Padding in a part that is not the last, or more than there is.
    Padding,
    /// A part too short for its count.
    Count,
    /// The first part is no packet of RTCP.
    Kind,
}

impl core::fmt::Display for RtcpError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Short => "shorter than it says",
            Self::Version => "not RTCP version 2",
            Self::Padding => "padding where none may be",
            Self::Count => "fewer entries than counted",
            Self::Kind => "not a packet of RTCP",
        })
    }
}

impl core::error::Error for RtcpError {}

/// One part of a compound packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RtcpPacket<'a> {
    /// Of somebody who sends.
    SenderReport {
        /// Who.
        ssrc: u32,
        /// What it says of itself.
        info: SenderInfo,
        /// And of others.
        blocks: Blocks<'a>,
    },
    /// Of somebody who only receives.
    ReceiverReport {
        /// Who.
        ssrc: u32,
        /// What it says of others.
        blocks: Blocks<'a>,
    },
    /// Names.
    SourceDescription(&'a [u8]),
    /// Sources that leave, four bytes each.
    Goodbye(&'a [u8]),
    /// Anything else: feedback, extended reports, applications.
    Other {
        /// The packet type.
        kind: u8,
        /// The part behind its header.
        body: &'a [u8],
    },
}

/// Report blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Blocks<'a>(&'a [u8]);

impl Iterator for Blocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.0.split_first_chunk::<BLOCK_LEN>()?;
        self.0 = rest;
        let lost = word(block, 4);
        Some(ReportBlock {
            ssrc: word(block, 0),
            fraction_lost: block[4],
            // The sign of 24 bits.
            cumulative_lost: (lost << 8).cast_signed() >> 8,
            highest_sequence: word(block, 8),
            jitter: word(block, 12),
            last_report: word(block, 16),
            delay: word(block, 20),
        })
    }
}

/// A word within a block; the caller knows that it is there.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..]
        .first_chunk::<4>()
        .map_or(0, |word| u32::from_be_bytes(*word))
}

/// A compound packet whose parts have been checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Compound<'a> {
    bytes: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Checks a packet. Parts of reduced size (RFC 5506) need no report in front.
    ///
    /// # Errors
    /// The bytes are not one.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RtcpError> {
        let mut rest = bytes;
        let mut first = true;
        while first || !rest.is_empty() {
            let (part, behind) = Part::split(rest)?;
            if first && !(192..=223).contains(&part.kind) {
                return Err(RtcpError::Kind);
            }
            if part.padding != 0 && !behind.is_empty() {
                return Err(RtcpError::Padding);
            }
            part.read()?;
            first = false;
            rest = behind;
        }
        Ok(Self { bytes })
    }

    /// Its parts, in order.
    pub fn packets(self) -> impl Iterator<Item = RtcpPacket<'a>> {
        let mut rest = self.bytes;
        core::iter::from_fn(move || {
            // Checked before; an error would end the walk.
            let (part, behind) = Part::split(rest).ok()?;
            rest = behind;
            part.read().ok()
        })
    }
}

struct Part<'a> {
    count: u8,
    kind: u8,
    padding: u8,
    body: &'a [u8],
}

impl<'a> Part<'a> {
    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), RtcpError> {
        let head = bytes.first_chunk::<HEADER_LEN>().ok_or(RtcpError::Short)?;
        if head[0] >> 6 != 2 {
            return Err(RtcpError::Version);
        }
        let len = HEADER_LEN + usize::from(u16::from_be_bytes([head[2], head[3]])) * 4;
        let (part, behind) = bytes.split_at_checked(len).ok_or(RtcpError::Short)?;
        let mut body = &part[HEADER_LEN..];
        let mut padding = 0;
        if head[0] & 0x20 != 0 {
            padding = *body.last().ok_or(RtcpError::Padding)?;
            let kept = body.len().checked_sub(usize::from(padding));
            let kept = kept.filter(|_| padding != 0).ok_or(RtcpError::Padding)?;
            body = &body[..kept];
        }
        let part = Self {
            count: head[0] & 0x1f,
            kind: head[1],
            padding,
            body,
        };
        Ok((part, behind))
    }

    fn read(&self) -> Result<RtcpPacket<'a>, RtcpError> {
        let count = usize::from(self.count);
        // What lies behind the blocks is a profile's own, and allowed.
        let blocks = |at: usize| {
            let blocks = self.body.get(at..at + count * BLOCK_LEN);
            blocks.map(Blocks).ok_or(RtcpError::Count)
        };
        Ok(match self.kind {
            SENDER_REPORT => {
                let blocks = blocks(4 + SENDER_INFO_LEN)?;
                let ntp = u64::from(word(self.body, 4)) << 32 | u64::from(word(self.body, 8));
                RtcpPacket::SenderReport {
                    ssrc: word(self.body, 0),
                    info: SenderInfo {
                        ntp: NtpTime(ntp),
                        rtp_timestamp: word(self.body, 12),
                        packets: word(self.body, 16),
                        octets: word(self.body, 20),
                    },
                    blocks,
                }
            }
            RECEIVER_REPORT => RtcpPacket::ReceiverReport {
                blocks: blocks(4)?,
                ssrc: word(self.body, 0),
            },
            SOURCE_DESCRIPTION => RtcpPacket::SourceDescription(self.body),
            GOODBYE => {
                let sources = self.body.get(..count * 4).ok_or(RtcpError::Count)?;
                RtcpPacket::Goodbye(sources)
            }
            kind => RtcpPacket::Other {
                kind,
                body: self.body,
            },
        })
    }
}

/// The canonical name (item 1) in a source description, if its first chunk has one.
#[must_use]
pub fn canonical_name(body: &[u8]) -> Option<&[u8]> {
    const CNAME: u8 = 1;
    let mut items = body.get(4..)?;
    loop {
        match items {
            [0, ..] | [] | [_] => return None,
            [kind, len, rest @ ..] => {
                let (text, behind) = rest.split_at_checked(usize::from(*len))?;
                if *kind == CNAME {
                    return Some(text);
                }
                items = behind;
            }
        }
    }
}

#[cfg(test)]
mod tests;
