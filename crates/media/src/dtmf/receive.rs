// SPDX-License-Identifier: AGPL-3.0-only
//! Digits heard: each once, however many of its packets come, repeat, or get lost.

use super::{Event, digit_of};
use crate::rtp::Header;

/// A digit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Heard {
    /// Which one, as a character; `None` for events that are no digits, as tones of fax.
    pub digit: Option<u8>,
    /// Its event.
    pub event: u8,
    /// dBm0 below zero.
    pub volume: u8,
    /// In timestamps, over all segments.
    pub duration: u32,
    /// Its end came; otherwise another one began, or nothing came any more.
    pub ended: bool,
}

/// The event that lasts.
#[derive(Clone, Copy, Debug)]
struct Current {
    ssrc: u32,
    timestamp: u32,
    event: u8,
    volume: u8,
    /// Of segments before this one.
    before: u32,
    duration: u16,
}

impl Current {
    fn heard(self, ended: bool) -> Heard {
        Heard {
            digit: digit_of(self.event),
            event: self.event,
            volume: self.volume,
            duration: self.before.saturating_add(u32::from(self.duration)),
            ended,
        }
    }
}

/// The events of a stream.
#[derive(Clone, Debug, Default)]
pub struct DtmfReceiver {
    current: Option<Current>,
    /// The last event that was told: its packets may come again.
    told: Option<(u32, u32)>,
}

impl DtmfReceiver {
    /// A packet of telephone events came. A digit is told when it is over; one whose end was lost when the next begins,
    /// and then the next one may be over already.
    pub fn on_packet(&mut self, header: &Header, payload: &[u8]) -> [Option<Heard>; 2] {
        let Some(event) = Event::parse(payload) else {
            return [None; 2];
        };
        let key = (header.ssrc, header.timestamp);
        if let Some((ssrc, timestamp)) = self.told {
            // The same once more, or one from before it.
            let ahead = header.timestamp.wrapping_sub(timestamp).cast_signed();
            if ssrc == header.ssrc && ahead <= 0 {
                return [None; 2];
            }
        }
        let mut lost = None;
        let mut current = match self.current.take() {
            Some(current) if (current.ssrc, current.timestamp) == key => current,
            Some(current) if current.ssrc == header.ssrc => {
                let ahead = header.timestamp.wrapping_sub(current.timestamp);
                if ahead.cast_signed() < 0 {
                    // Belated, of a digit before the one that lasts.
                    self.current = Some(current);
                    return [None; 2];
                }
                if ahead == u32::from(u16::MAX) && current.event == event.event {
                    // The next segment of the same one.
                    Current {
                        timestamp: header.timestamp,
                        before: current.before.saturating_add(ahead),
                        duration: 0,
                        ..current
                    }
                } else {
                    lost = Some(current.heard(false));
                    Self::begin(header, event)
                }
            }
            Some(current) => {
                lost = Some(current.heard(false));
                Self::begin(header, event)
            }
            None => Self::begin(header, event),
        };
        current.duration = current.duration.max(event.duration);
        if event.end {
            self.told = Some(key);
            return [lost, Some(current.heard(true))];
        }
        self.current = Some(current);
        [lost, None]
    }

    /// Nothing will come any more: tells the digit whose end did not come.
    pub fn finish(&mut self) -> Option<Heard> {
        let current = self.current.take()?;
        self.told = Some((current.ssrc, current.timestamp));
        Some(current.heard(false))
    }

    fn begin(header: &Header, event: Event) -> Current {
        Current {
            ssrc: header.ssrc,
            timestamp: header.timestamp,
            event: event.event,
            volume: event.volume,
            before: 0,
            duration: event.duration,
        }
    }
}
