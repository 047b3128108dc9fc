// SPDX-License-Identifier: AGPL-3.0-only
//! Digits as telephone events (RFC 4733): sent with the durations they have, and heard once each.

mod receive;
mod send;
mod sipp;
#[cfg(test)]
mod tests;

pub use receive::{DtmfReceiver, Heard};
pub use send::{DtmfError, DtmfPacket, DtmfParams, DtmfSender};
pub use sipp::{SIPP_PAYLOAD_TYPE, sipp_replay};

/// Bytes of an event in a payload.
pub const EVENT_LEN: usize = 4;
/// The loudest of what RFC 4733 lets one say: its field has six bits and counts below 0 dBm0.
pub const MAX_VOLUME: u8 = 63;

const DIGITS: &[u8; 16] = b"0123456789*#ABCD";

/// The event of a digit; lower case is as good as upper case.
#[must_use]
pub fn event_of(digit: u8) -> Option<u8> {
    let digit = digit.to_ascii_uppercase();
    let at = DIGITS.iter().position(|known| *known == digit)?;
    // One of sixteen.
    Some(at as u8)
}

/// The digit of an event.
#[must_use]
pub fn digit_of(event: u8) -> Option<u8> {
    DIGITS.get(usize::from(event)).copied()
}

/// A payload of one event (RFC 4733 §2.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Event {
    /// Which one; 0 to 15 are digits.
    pub event: u8,
    /// It is over.
    pub end: bool,
    /// dBm0 below zero, 0 to 63.
    pub volume: u8,
    /// In timestamps since it began.
    pub duration: u16,
}

impl Event {
    /// As payload.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; EVENT_LEN] {
        let duration = self.duration.to_be_bytes();
        let volume = if self.volume > MAX_VOLUME {
            MAX_VOLUME
        } else {
            self.volume
        };
        let end = if self.end { 0x80 } else { 0 };
        [self.event, end | volume, duration[0], duration[1]]
    }

    /// Of a payload; what lies behind the first event is left alone.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let bytes = payload.first_chunk::<EVENT_LEN>()?;
        Some(Self {
            event: bytes[0],
            end: bytes[1] & 0x80 != 0,
            volume: bytes[1] & MAX_VOLUME,
            duration: u16::from_be_bytes([bytes[2], bytes[3]]),
        })
    }
}
