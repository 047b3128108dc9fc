// SPDX-License-Identifier: AGPL-3.0-only
//! What became of the packets of a peer: loss, order, duplicates, jitter (RFC 3550 §6.4.1, A.1, A.3, A.8).
//!
//! A source counts from its first packet: there is no probation of two packets in a row, because a load tool that hides
//! the first packet of every call counts wrong. A jump of the sequence by more than [`MAX_DROPOUT`] is believed at its
//! second packet, as in RFC 3550 A.1; it then begins a new stretch, its first packet counts as well, and what went before
//! stays counted.
//!
//! Jitter is kept as a fraction and from arrival times in microseconds. RFC 3550 A.8 shows whole timestamps, which at
//! 8 kHz would round each arrival by up to 125 µs. The mean and the highest leave out what begins after a silence (packets
//! with the marker, comfort noise and what follows it), as tshark does: how long a silence was says nothing of the network.
//!
//! Invariants: a stream holds at most [`MAX_SOURCES`] sources; the one unheard for longest makes room.

use crate::rtcp::{NtpTime, ReportBlock};
use crate::rtp::Header;
use crate::time::Micros;
use smallvec::SmallVec;

/// A larger step ahead is a new beginning (RFC 3550 A.1).
pub const MAX_DROPOUT: u16 = 3000;
/// A larger step back is a new beginning (RFC 3550 A.1).
pub const MAX_MISORDER: u16 = 100;
/// Sources that one stream tells apart at a time.
pub const MAX_SOURCES: usize = 4;
const _: () = assert!(
    MAX_MISORDER < u128::BITS as u16,
    "`Source::seen` has a bit for each"
);

/// What was counted.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct ReceiveCounts {
    /// Packets, duplicates included.
    pub packets: u64,
    /// Bytes of payload in them.
    pub octets: u64,
    /// Packets that sequence numbers say were sent.
    pub expected: u64,
    /// Came a second time.
    pub duplicates: u64,
    /// Came after a later one.
    pub reordered: u64,
    /// Gaps in the sequence, of whatever length.
    pub gaps: u64,
    /// New beginnings of a sequence without a new source.
    pub restarts: u64,
}

impl ReceiveCounts {
    /// Packets that never came; negative where duplicates outnumber them (RFC 3550 §6.4.1).
    #[must_use]
    pub const fn lost(&self) -> i64 {
        self.expected.cast_signed() - self.packets.cast_signed()
    }

    /// The same in percent of what was expected, never below zero.
    #[must_use]
    pub fn loss_percent(&self) -> f64 {
        if self.expected == 0 {
            return 0.0;
        }
        100.0 * self.lost().max(0) as f64 / self.expected as f64
    }

    /// How much longer losses run than if each packet were lost by chance alone; 1 at least (G.107 `BurstR`).
    #[must_use]
    pub fn burst_ratio(&self) -> f64 {
        let lost = self.lost().max(0) as f64;
        if lost == 0.0 || self.gaps == 0 || self.expected == 0 {
            return 1.0;
        }
        let mean_run = (lost / self.gaps as f64).max(1.0);
        (mean_run * (1.0 - lost / self.expected as f64)).max(1.0)
    }

    fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.octets += other.octets;
        self.expected += other.expected;
        self.duplicates += other.duplicates;
        self.reordered += other.reordered;
        self.gaps += other.gaps;
        self.restarts += other.restarts;
    }
}

/// Whether a packet takes part in the jitter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Timing {
    /// Its timestamp is the time its payload was sampled.
    Sampled,
    /// So it is, in a silence: comfort noise.
    Silent,
    /// Its timestamp is the beginning of an event: telephone events.
    Held,
}

/// What a packet turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// The next one, or later by `0` and more missing packets.
    Ahead {
        /// Missing in front of it.
        missing: u16,
    },
    /// Belated.
    Late,
    /// Seen before.
    Duplicate,
    /// The first of its source, or of a new beginning.
    First,
    /// A jump that is not believed yet.
    Jump,
}

/// One source.
#[derive(Clone, Debug)]
struct Source {
    ssrc: u32,
    /// Where the sequence began; below zero if its first packets came after a wrap.
    base: i64,
    highest: u16,
    /// What to add to `highest`.
    cycles: i64,
    /// The sequence number that would prove a jump; above 16 bits when there is none.
    bad: u32,
    /// Bytes of payload of the packet that jumped.
    bad_octets: u32,
    /// Bit n: the packet `highest - n` came.
    seen: u128,
    counts: ReceiveCounts,
    /// `expected` of stretches before a new beginning.
    expected_before: u64,
    last_arrival: Micros,
    last_timestamp: u32,
    timed: bool,
    /// Its last packet was comfort noise.
    silent: bool,
    /// Of its timestamps.
    clock_rate: u32,
    jitter: f64,
    /// Drift in timestamps: now, and the farthest.
    skew: f32,
    skew_max: f32,
    expected_reported: u64,
    packets_reported: u64,
    report: NtpTime,
    report_at: Micros,
}

impl Source {
    fn new(header: &Header, now: Micros, clock_rate: u32) -> Self {
        Self {
            ssrc: header.ssrc,
            base: i64::from(header.sequence),
            highest: header.sequence,
            cycles: 0,
            bad: u32::MAX,
            bad_octets: 0,
            seen: 1,
            counts: ReceiveCounts::default(),
            expected_before: 0,
            last_arrival: now,
            last_timestamp: header.timestamp,
            timed: false,
            silent: false,
            clock_rate,
            jitter: 0.0,
            skew: 0.0,
            skew_max: 0.0,
            expected_reported: 0,
            packets_reported: 0,
            report: NtpTime(0),
            report_at: Micros(0),
        }
    }

    /// Goes on in the timestamps of another codec, of which the first says nothing yet.
    fn set_clock_rate(&mut self, clock_rate: u32) {
        if clock_rate != self.clock_rate {
            let ratio = f64::from(clock_rate) / f64::from(self.clock_rate);
            self.jitter *= ratio;
            self.skew *= ratio as f32;
            self.skew_max *= ratio as f32;
            self.clock_rate = clock_rate;
            self.timed = false;
        }
    }

    fn extended(&self) -> i64 {
        self.cycles + i64::from(self.highest)
    }

    /// As reports have it.
    fn extended_word(&self) -> u32 {
        // The low 32 bits.
        self.extended().cast_unsigned() as u32
    }

    fn expected(&self) -> u64 {
        // Never below zero: what comes before the base becomes the base.
        let stretch = (self.extended() - self.base).cast_unsigned();
        self.expected_before + stretch + 1
    }

    fn order(&mut self, sequence: u16) -> Order {
        let ahead = sequence.wrapping_sub(self.highest);
        if ahead == 0 {
            return Order::Duplicate;
        }
        if ahead < MAX_DROPOUT {
            if sequence < self.highest {
                self.cycles += 1 << 16;
            }
            self.highest = sequence;
            self.seen = self.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
            self.bad = u32::MAX;
            return Order::Ahead { missing: ahead - 1 };
        }
        let behind = self.highest.wrapping_sub(sequence);
        if behind <= MAX_MISORDER {
            let bit = 1u128 << behind;
            if self.seen & bit != 0 {
                return Order::Duplicate;
            }
            self.seen |= bit;
            // One from before the first that came: the sequence began there.
            self.base = self.base.min(self.extended() - i64::from(behind));
            return Order::Late;
        }
        if u32::from(sequence) == self.bad {
            self.expected_before = self.expected();
            // It began with the packet that jumped.
            self.base = i64::from(sequence) - 1;
            self.highest = sequence;
            self.cycles = 0;
            self.seen = 0b11;
            self.bad = u32::MAX;
            self.timed = false;
            return Order::First;
        }
        self.bad = u32::from(sequence.wrapping_add(1));
        Order::Jump
    }

    /// A block of what came since the report before.
    fn block(&mut self, now: Micros) -> ReportBlock {
        let block = self.block_since(now, self.expected_reported, self.packets_reported);
        self.expected_reported = self.expected();
        self.packets_reported = self.counts.packets;
        block
    }

    fn block_since(&self, now: Micros, expected_then: u64, packets_then: u64) -> ReportBlock {
        let expected = self.expected();
        let expected_since = expected.saturating_sub(expected_then);
        let packets_since = self.counts.packets.saturating_sub(packets_then);
        let lost_since = expected_since.saturating_sub(packets_since);
        // Below 256: less is lost than was expected, or all of it, which counts as 255/256.
        let fraction = (lost_since << 8).checked_div(expected_since).unwrap_or(0);
        let lost = expected.cast_signed() - self.counts.packets.cast_signed();
        let delay = match self.report.0 {
            0 => 0,
            _ => (u128::from(now.since(self.report_at).0) << 16) / 1_000_000,
        };
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: fraction.min(255) as u8,
            cumulative_lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: self.extended_word(),
            jitter: self.jitter as u32,
            last_report: self.report.middle(),
            delay: u32::try_from(delay).unwrap_or(u32::MAX),
        }
    }
}

/// Jitter over a stream, in milliseconds.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct JitterMs {
    /// As of the last packet.
    pub last: f64,
    /// Over all packets.
    pub mean: f64,
    /// The highest there was.
    pub max: f64,
    /// The same, in units of RTP's timestamps.
    pub max_ts: f64,
}

/// How far packets have drifted from their timestamps, in milliseconds: late is above zero.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct SkewMs {
    /// As of the last packet.
    pub last: f64,
    /// The farthest there was, whichever way.
    pub max: f64,
}

/// The packets of a peer on one stream.
#[derive(Clone, Debug)]
pub struct Receiver {
    clock_rate: u32,
    /// Outside the stream: many send and hear nothing.
    sources: Vec<Source>,
    /// Of sources that made room.
    gone: ReceiveCounts,
    source_changes: u32,
    current: u32,
    first_arrival: Micros,
    last_arrival: Micros,
    longest_gap: Micros,
    /// In milliseconds.
    jitter_sum: f64,
    jitter_count: u64,
    /// In milliseconds, and in timestamps.
    jitter_max: f64,
    jitter_max_ts: f64,
}

impl Receiver {
    /// Nothing came yet.
    #[must_use]
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: clock_rate.max(1),
            sources: Vec::new(),
            gone: ReceiveCounts::default(),
            source_changes: 0,
            current: 0,
            first_arrival: Micros(0),
            last_arrival: Micros(0),
            longest_gap: Micros(0),
            jitter_sum: 0.0,
            jitter_count: 0,
            jitter_max: 0.0,
            jitter_max_ts: 0.0,
        }
    }

    /// Packets from now on have the timestamps of another codec. Jitter goes on in them.
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        self.clock_rate = clock_rate.max(1);
    }

    /// A packet came.
    pub fn on_packet(
        &mut self,
        now: Micros,
        header: &Header,
        payload_len: usize,
        timing: Timing,
    ) -> Order {
        let heard_before = !self.sources.is_empty();
        if heard_before {
            self.longest_gap = self.longest_gap.max(now.since(self.last_arrival));
            self.source_changes += u32::from(self.current != header.ssrc);
        } else {
            self.first_arrival = now;
        }
        self.current = header.ssrc;
        self.last_arrival = now;
        let known = self
            .sources
            .iter()
            .position(|source| source.ssrc == header.ssrc);
        let (index, order) = match known {
            Some(index) => (index, self.sources[index].order(header.sequence)),
            None => (self.add(header, now), Order::First),
        };
        let source = &mut self.sources[index];
        let counts = &mut source.counts;
        counts.packets += 1;
        counts.octets += payload_len as u64;
        match order {
            Order::Ahead { missing } => counts.gaps += u64::from(missing != 0),
            Order::Late => counts.reordered += 1,
            Order::Duplicate => counts.duplicates += 1,
            Order::First if known.is_some() => {
                counts.restarts += 1;
                counts.packets += 1;
                counts.octets += u64::from(source.bad_octets);
            }
            Order::First => {}
            // RFC 3550 A.1 does not count it; if the next packet proves it, it is counted with that.
            Order::Jump => {
                counts.packets -= 1;
                counts.octets -= payload_len as u64;
                source.bad_octets = payload_len as u32;
                return order;
            }
        }
        let silent = match timing {
            Timing::Sampled => false,
            Timing::Silent => true,
            Timing::Held => return order,
        };
        source.set_clock_rate(self.clock_rate);
        let follows_silence = core::mem::replace(&mut source.silent, silent);
        if source.timed {
            let arrived = now.0.wrapping_sub(source.last_arrival.0).cast_signed() as f64;
            let arrived = arrived * f64::from(source.clock_rate) / 1e6;
            let sampled = header.timestamp.wrapping_sub(source.last_timestamp);
            let drift = arrived - f64::from(sampled.cast_signed());
            // To a millionth of what it is.
            source.skew += drift as f32;
            source.skew_max = source.skew_max.max(source.skew.abs());
            let difference = drift.abs();
            source.jitter += (difference - source.jitter) / 16.0;
            if header.marker || silent || follows_silence {
                // As if it were the mean.
                self.jitter_sum += self.jitter_sum / self.jitter_count.max(1) as f64;
            } else {
                let ms = source.jitter * 1000.0 / f64::from(source.clock_rate);
                self.jitter_sum += ms;
                self.jitter_max = self.jitter_max.max(ms);
                self.jitter_max_ts = self.jitter_max_ts.max(source.jitter);
            }
            self.jitter_count += 1;
        }
        source.timed = true;
        source.last_arrival = now;
        source.last_timestamp = header.timestamp;
        order
    }

    fn add(&mut self, header: &Header, now: Micros) -> usize {
        let source = Source::new(header, now, self.clock_rate);
        if self.sources.len() < MAX_SOURCES {
            self.sources.reserve_exact(1);
            self.sources.push(source);
            return self.sources.len() - 1;
        }
        let oldest = self
            .sources
            .iter()
            .enumerate()
            .min_by_key(|(_, source)| source.last_arrival)
            .map_or(0, |(index, _)| index);
        let gone = core::mem::replace(&mut self.sources[oldest], source);
        self.gone.add(&ReceiveCounts {
            expected: gone.expected(),
            ..gone.counts
        });
        oldest
    }

    /// A sender report came.
    pub fn on_sender_report(&mut self, now: Micros, ssrc: u32, ntp: NtpTime) {
        if let Some(source) = self.sources.iter_mut().find(|source| source.ssrc == ssrc) {
            source.report = ntp;
            source.report_at = now;
        }
    }

    /// Blocks for our next report, one for each source; the fraction lost begins anew.
    pub fn report_blocks(&mut self, now: Micros) -> SmallVec<[ReportBlock; MAX_SOURCES]> {
        let sources = self.sources.iter_mut();
        sources.map(|source| source.block(now)).collect()
    }

    /// What a report would say of the source heard last, with the share lost since the beginning. Asking changes nothing.
    #[must_use]
    pub fn block_of_last(&self, now: Micros) -> Option<ReportBlock> {
        let mut sources = self.sources.iter();
        let source = sources.find(|source| source.ssrc == self.current)?;
        Some(source.block_since(now, 0, 0))
    }

    /// What was counted, over all sources.
    #[must_use]
    pub fn counts(&self) -> ReceiveCounts {
        let mut counts = self.gone;
        for source in &self.sources {
            counts.add(&ReceiveCounts {
                expected: source.expected(),
                ..source.counts
            });
        }
        counts
    }

    /// How often another source was heard than before.
    #[must_use]
    pub fn source_changes(&self) -> u32 {
        self.source_changes
    }

    /// The highest sequence number of the source heard last, with its cycles above.
    #[must_use]
    pub fn highest_sequence(&self) -> Option<u32> {
        let mut sources = self.sources.iter();
        let source = sources.find(|source| source.ssrc == self.current)?;
        Some(source.extended_word())
    }

    /// The source heard last.
    #[must_use]
    pub fn ssrc(&self) -> Option<u32> {
        (!self.sources.is_empty()).then_some(self.current)
    }

    /// Jitter.
    #[must_use]
    pub fn jitter(&self) -> JitterMs {
        let mut sources = self.sources.iter();
        let last = sources.find(|source| source.ssrc == self.current);
        let (last, last_ts) = last.map_or((0.0, 0.0), |source| {
            let ms = source.jitter * 1000.0 / f64::from(source.clock_rate);
            (ms, source.jitter)
        });
        JitterMs {
            last,
            mean: if self.jitter_sum > 0.0 {
                self.jitter_sum / self.jitter_count.max(1) as f64
            } else {
                // Nothing but beginnings: some mark every packet.
                last
            },
            // Of nothing but beginnings too.
            max: if self.jitter_sum > 0.0 {
                self.jitter_max
            } else {
                last
            },
            max_ts: if self.jitter_sum > 0.0 {
                self.jitter_max_ts
            } else {
                last_ts
            },
        }
    }

    /// Drift of the source heard last.
    #[must_use]
    pub fn skew(&self) -> SkewMs {
        let mut sources = self.sources.iter();
        let last = sources.find(|source| source.ssrc == self.current);
        last.map_or_else(SkewMs::default, |source| {
            let ms = 1000.0 / f64::from(source.clock_rate);
            SkewMs {
                last: f64::from(source.skew) * ms,
                max: f64::from(source.skew_max) * ms,
            }
        })
    }

    /// When the first packet came.
    #[must_use]
    pub fn first_arrival(&self) -> Option<Micros> {
        (!self.sources.is_empty()).then_some(self.first_arrival)
    }

    /// When the last one came.
    #[must_use]
    pub fn last_arrival(&self) -> Option<Micros> {
        (!self.sources.is_empty()).then_some(self.last_arrival)
    }

    /// The longest time without a packet between two of them.
    #[must_use]
    pub fn longest_gap(&self) -> Micros {
        self.longest_gap
    }
}

#[cfg(test)]
mod tests;
