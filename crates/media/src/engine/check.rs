// SPDX-License-Identifier: AGPL-3.0-only
//! What `rtpcheck` waits for: packets within a time, and how good they have to be.

use super::report::StreamReport;
use crate::time::Micros;

/// Which packets count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckDirection {
    /// Sent or received, together.
    Any,
    /// Sent.
    Sent,
    /// Received.
    Received,
    /// As many of each.
    Both,
}

impl CheckDirection {
    /// As in a scenario.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Sent => "send",
            Self::Received => "recv",
            Self::Both => "both",
        }
    }
}

/// A check.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CheckParams {
    /// As many packets.
    pub min_packets: u64,
    /// Within this time.
    pub timeout: Micros,
    /// Of these.
    pub direction: CheckDirection,
    /// And no more of them lost, in percent.
    pub max_loss_percent: Option<f64>,
    /// Jitter not above this, in ms.
    pub max_jitter_ms: Option<f64>,
    /// Not below this score.
    pub min_mos: Option<f64>,
    /// Never so long without a packet from the peer while the check lasts. It then lasts until its time is up.
    pub max_silence: Option<Micros>,
}

impl Default for CheckParams {
    fn default() -> Self {
        Self {
            min_packets: 1,
            timeout: Micros::from_ms(1000),
            direction: CheckDirection::Any,
            max_loss_percent: None,
            max_jitter_ms: None,
            min_mos: None,
            max_silence: None,
        }
    }
}

/// What was wrong when the time was up.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum CheckFailure {
    /// Too few packets.
    Packets {
        /// Which were counted.
        direction: CheckDirection,
        /// Sent.
        sent: u64,
        /// Received.
        received: u64,
        /// Wanted.
        min: u64,
    },
    /// Too many lost, in percent.
    Loss(f64),
    /// Too much jitter, in ms.
    Jitter(f64),
    /// Too low a score.
    Mos(f64),
    /// A score was asked for, and the E-model knows nothing of the codec.
    NotRated,
    /// The peer was silent for too long.
    Silence(Micros),
}

impl core::fmt::Display for CheckFailure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Packets {
                direction,
                sent,
                received,
                min,
            } => write!(
                f,
                "rtpcheck timeout: mode={} sent={sent} received={received} min_packets={min}",
                direction.name()
            ),
            Self::Loss(percent) => write!(f, "rtpcheck: {percent:.2} % of the packets lost"),
            Self::Jitter(ms) => write!(f, "rtpcheck: jitter of {ms:.2} ms"),
            Self::Mos(mos) => write!(f, "rtpcheck: MOS of {mos:.2}"),
            Self::NotRated => f.write_str("rtpcheck: there is no MOS for this codec"),
            Self::Silence(time) => write!(f, "rtpcheck: nothing received for {} ms", time.0 / 1000),
        }
    }
}

impl CheckParams {
    /// Whether there are enough packets. Cheap: asked at each packet.
    pub(super) fn has_packets(&self, sent: u64, received: u64) -> bool {
        let count = match self.direction {
            CheckDirection::Any => sent + received,
            CheckDirection::Sent => sent,
            CheckDirection::Received => received,
            CheckDirection::Both => sent.min(received),
        };
        count >= self.min_packets
    }

    /// Whether it is about what was heard.
    fn rates(&self) -> bool {
        self.max_loss_percent.is_some() || self.max_jitter_ms.is_some() || self.min_mos.is_some()
    }

    /// Whether it is passed, but for silence.
    pub(super) fn verdict(&self, report: &StreamReport) -> Result<(), CheckFailure> {
        let received = report.received.packets;
        let too_few = |direction, min| CheckFailure::Packets {
            direction,
            sent: report.sent_packets,
            received,
            min,
        };
        if !self.has_packets(report.sent_packets, received) {
            return Err(too_few(self.direction, self.min_packets));
        }
        if self.rates() && received == 0 {
            // Nothing lost of nothing is no quality.
            return Err(too_few(CheckDirection::Received, 1));
        }
        let loss = report.received.loss_percent();
        if self.max_loss_percent.is_some_and(|max| loss > max) {
            return Err(CheckFailure::Loss(loss));
        }
        let jitter = report.jitter.last;
        if self.max_jitter_ms.is_some_and(|max| jitter > max) {
            return Err(CheckFailure::Jitter(jitter));
        }
        match (self.min_mos, report.quality) {
            (Some(_), None) => Err(CheckFailure::NotRated),
            (Some(min), Some(quality)) if quality.mos < min => Err(CheckFailure::Mos(quality.mos)),
            _ => Ok(()),
        }
    }
}

/// SIPp's check of a pattern: what came last has to be what was sent.
///
/// COMPAT(sipp): after each packet sent, the last one received since the one before is compared with it; none is an
/// error too. A stream has failed if errors make up the tolerance or more of what was sent.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PatternCount {
    /// Packets sent.
    pub packets: u64,
    /// Of which no echo came, or another one.
    pub errors: u64,
}

impl PatternCount {
    /// Whether it failed; a stream that sent nothing did not.
    #[must_use]
    pub fn has_failed(&self, tolerance: f64) -> bool {
        self.packets != 0 && self.errors as f64 / self.packets as f64 >= tolerance
    }
}
