// SPDX-License-Identifier: AGPL-3.0-only
//! The packets of a row of digits.
//!
//! A packet leaves every packet length while a digit lasts, each saying how long it has lasted by the end of its own
//! interval; the one that reaches the end says so, and is sent three times (RFC 4733 §2.5.1.4). The timestamp is that of
//! the beginning of the digit. An event of more than 65,535 timestamps goes on as a second segment, whose timestamp is
//! where the first one ended (RFC 4733 §2.5.1.3).

use super::{Event, event_of};

/// How often the end is told.
const ENDS: u32 = 3;
/// Most that one segment may last.
const SEGMENT: u32 = u16::MAX as u32;
/// Most digits of one action.
const MAX_DIGITS: usize = 4096;

/// How digits are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DtmfParams {
    /// As the peer's description has it.
    pub payload_type: u8,
    /// Of the stream's timestamps.
    pub clock_rate: u32,
    /// From one packet to the next.
    pub packet_ms: u32,
    /// Of each digit.
    pub digit_ms: u32,
    /// From one digit to the next.
    pub gap_ms: u32,
    /// dBm0 below zero.
    pub volume: u8,
}

impl Default for DtmfParams {
    fn default() -> Self {
        Self {
            payload_type: 101,
            clock_rate: 8000,
            packet_ms: 20,
            digit_ms: 100,
            gap_ms: 100,
            volume: 10,
        }
    }
}

/// Why digits cannot be sent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DtmfError {
    /// There is none among them.
    NoDigit,
    /// More than 4096.
    TooMany,
    /// A length is 0, or longer than a minute.
    Length,
}

impl core::fmt::Display for DtmfError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NoDigit => "no digit to send",
            Self::TooMany => "more than 4096 digits",
            Self::Length => "a digit or packet of no length, or of more than a minute",
        })
    }
}

impl core::error::Error for DtmfError {}

/// A packet of a digit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DtmfPacket {
    /// When it leaves, in ms after the first digit began.
    pub at_ms: u64,
    /// Its timestamp, in timestamps after the first digit began.
    pub timestamp: u32,
    /// It begins a digit.
    pub marker: bool,
    /// Its payload.
    pub event: Event,
}

/// Digits on their way.
#[derive(Clone, Debug)]
pub struct DtmfSender {
    params: DtmfParams,
    events: Box<[u8]>,
    /// The digit.
    index: usize,
    /// When it began.
    begin_ms: u64,
    /// Its packets so far.
    sent: u32,
    segment: u32,
}

impl DtmfSender {
    /// Digits in order; what is none is passed over.
    ///
    /// # Errors
    /// They cannot be sent.
    pub fn new(digits: &[u8], params: DtmfParams) -> Result<Self, DtmfError> {
        const MINUTE: u32 = 60_000;
        let lengths = [params.packet_ms, params.digit_ms];
        if lengths.iter().any(|ms| *ms == 0 || *ms > MINUTE) || params.gap_ms > MINUTE {
            return Err(DtmfError::Length);
        }
        if digits.len() > MAX_DIGITS {
            return Err(DtmfError::TooMany);
        }
        let events: Box<[u8]> = digits.iter().copied().filter_map(event_of).collect();
        if events.is_empty() {
            return Err(DtmfError::NoDigit);
        }
        Ok(Self {
            params,
            events,
            index: 0,
            begin_ms: 0,
            sent: 0,
            segment: 0,
        })
    }

    /// How they are sent.
    #[must_use]
    pub fn params(&self) -> &DtmfParams {
        &self.params
    }

    /// How long each digit lasts, in timestamps.
    #[must_use]
    pub fn duration(&self) -> u32 {
        let units = u64::from(self.params.digit_ms) * u64::from(self.params.clock_rate) / 1000;
        u32::try_from(units).unwrap_or(u32::MAX)
    }

    /// When the next packet leaves, in ms after the first digit began; `None` if there is none.
    #[must_use]
    pub fn next_at_ms(&self) -> Option<u64> {
        if self.index == self.events.len() {
            return None;
        }
        Some(self.begin_ms + u64::from(self.sent) * u64::from(self.params.packet_ms))
    }

    /// When the last digit is over, in ms after the first began, once all packets have left.
    #[must_use]
    pub fn over_at_ms(&self) -> u64 {
        self.begin_ms
    }

    /// The next packet.
    pub fn next_packet(&mut self) -> Option<DtmfPacket> {
        let at_ms = self.next_at_ms()?;
        let DtmfParams {
            packet_ms,
            digit_ms,
            clock_rate,
            ..
        } = self.params;
        let units = |ms: u64| ms * u64::from(clock_rate) / 1000;
        // Packets until the one that reaches the end.
        let whole = digit_ms.div_ceil(packet_ms);
        let lasted_ms = ((self.sent + 1) * packet_ms).min(digit_ms);
        // A minute at 2^32 Hz would not fit; at any clock of RTP it does.
        let lasted = u32::try_from(units(u64::from(lasted_ms))).unwrap_or(u32::MAX);
        // The end of a segment belongs to it.
        let segment = lasted.saturating_sub(1) / SEGMENT;
        let mut packet = DtmfPacket {
            at_ms,
            timestamp: self.timestamp(units(self.begin_ms), self.segment),
            marker: self.sent == 0 && self.segment == 0,
            event: Event {
                event: self.events[self.index],
                end: false,
                volume: self.params.volume,
                duration: u16::MAX,
            },
        };
        if segment > self.segment {
            // The segment is told to be full first; the packet itself follows at once.
            self.segment += 1;
            return Some(packet);
        }
        packet.event.duration = (lasted - segment * SEGMENT) as u16;
        packet.event.end = self.sent + 1 >= whole;
        self.sent += 1;
        if self.sent == whole + ENDS - 1 {
            let end_ms = self.begin_ms + u64::from(digit_ms) + u64::from(self.params.gap_ms);
            // Not before the last packet of this digit.
            self.begin_ms = end_ms.max(at_ms + u64::from(packet_ms));
            self.index += 1;
            self.sent = 0;
            self.segment = 0;
        }
        Some(packet)
    }

    fn timestamp(&self, begin: u64, segment: u32) -> u32 {
        // Timestamps wrap.
        (begin as u32).wrapping_add(segment.wrapping_mul(SEGMENT))
    }
}
