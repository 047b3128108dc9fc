// SPDX-License-Identifier: AGPL-3.0-only
//! What keywords print of media: ports of streams, keys of SRTP.
//!
//! Where media flows, the ports are those that the driver has bound and handed in ([`crate::Input::Ports`]). Where the run
//! passes over it, nothing is bound and nothing encrypted, and the SDP looks as it would: a port follows from the number
//! of the call alone, so that it is the same at every rendering and needs no room in the record of the call.

use crate::params::RunParams;
use crate::rng;
use core::cell::Cell;
use gossipper_bytecode::media::{CryptoLine, KeyUse, MediaStream};
use gossipper_bytecode::{Program, Segment, Slot};
use gossipper_sip::aka::base64_encode;

/// From the port of the audio to that of the other stream, for keywords that print the one as an offset of the other.
const OTHER_OFFSET: i32 = 2;

/// What a program prints of media.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MediaPlan {
    /// `[media_port]`.
    media_port: u16,
    /// First port: even, at most `last`.
    first: u32,
    /// Last port that may be given out: even.
    last: u32,
    /// Place of the audio and of the other stream among those of a call, in the order the program prints them.
    streams: [Option<u32>; 2],
    has_keys: bool,
    answers: bool,
    plays: bool,
    reads_sdp: bool,
    ports_of_calls: bool,
}

impl MediaPlan {
    pub(crate) fn of(program: &Program, params: &RunParams) -> Self {
        let last = u32::from(params.media_port_end).saturating_sub(1) & !1;
        let plays = !params.skips_media && program.media_use().is_some();
        let mut plan = Self {
            media_port: params.media_port,
            first: (u32::from(params.media_port).next_multiple_of(2)).min(last),
            last,
            streams: [None; 2],
            has_keys: false,
            answers: false,
            plays,
            reads_sdp: plays && program.reads_sdp(),
            ports_of_calls: plays && params.media_port_of_call,
        };
        for template in &program.templates {
            for segment in &program.segments[template.range()] {
                match segment {
                    Segment::Slot(Slot::CryptoKey(..)) => plan.has_keys = true,
                    Segment::Slot(slot) => {
                        plan.answers |= slot.answers_sdp();
                        if let Some((stream, _)) = plan.stream_of(*slot) {
                            plan.add(stream);
                        }
                    }
                    Segment::Literal(_) => {}
                }
            }
        }
        if plays {
            for entry in &program.media {
                match entry.media.stream() {
                    Some(MediaStream::Audio | MediaStream::Image) => plan.add(0),
                    Some(MediaStream::Video) => plan.add(1),
                    None if plan.ports_of_calls && entry.media.needs_sdp() => plan.add(0),
                    None => {}
                }
            }
            // The other one alone would be taken for the audio.
            if plan.streams[1].is_some() {
                plan.add(0);
            }
        }
        plan
    }

    fn add(&mut self, stream: usize) {
        let place = self.count();
        self.streams[stream].get_or_insert(place);
    }

    /// Streams that a call has.
    fn count(&self) -> u32 {
        // At most two.
        self.streams.iter().flatten().count() as u32
    }

    /// Whether calls print keys.
    pub(crate) fn has_keys(&self) -> bool {
        self.has_keys
    }

    /// Whether calls answer descriptions of their peers.
    pub(crate) fn answers(&self) -> bool {
        self.answers
    }

    /// Whether the driver is to be told of calls and their media.
    pub(crate) fn plays(&self) -> bool {
        self.plays
    }

    /// Whether it wants to see descriptions.
    pub(crate) fn reads_sdp(&self) -> bool {
        self.reads_sdp
    }

    /// Whether `[media_port]` is a port of the call.
    pub(crate) fn ports_are_of_calls(&self) -> bool {
        self.ports_of_calls
    }

    /// Ports that a call is given.
    pub(crate) fn ports_per_call(&self) -> usize {
        if self.plays { self.count() as usize } else { 0 }
    }

    /// The stream whose port a keyword prints, and what is added to it.
    fn stream_of(&self, slot: Slot) -> Option<(usize, i32)> {
        match slot {
            Slot::RtpStreamAudioPort(offset) | Slot::AudioSdp(offset) => Some((0, offset)),
            Slot::RtpStreamVideoPort(offset) => Some((1, offset)),
            Slot::MediaPort(offset) | Slot::AutoMediaPort(offset) if self.ports_of_calls => {
                Some(if offset >= OTHER_OFFSET {
                    (1, offset - OTHER_OFFSET)
                } else {
                    (0, offset)
                })
            }
            _ => None,
        }
    }

    /// What a keyword about a port prints, in a call that was given these.
    pub(crate) fn port(&self, slot: Slot, call: u64, given: [u16; 2]) -> i64 {
        let index = call.saturating_sub(1);
        match (self.stream_of(slot), slot) {
            // COMPAT(sipp): an offset below 0 prints 0.
            (Some((_, offset)), _) if offset < 0 => 0,
            (Some((stream, offset)), _) => {
                let port = match given[stream] {
                    0 => self.computed(stream, index),
                    given => u32::from(given),
                };
                i64::from(port) + i64::from(offset)
            }
            (None, Slot::AutoMediaPort(offset)) => {
                let port = u64::from(self.media_port) + index.wrapping_mul(4) % 10_000;
                port as i64 + i64::from(offset)
            }
            (None, Slot::MediaPort(offset)) => i64::from(self.media_port) + i64::from(offset),
            (None, _) => 0,
        }
    }

    /// The port of a stream of a call, counted from 0, where nothing is bound.
    ///
    /// COMPAT(sipp): even ports from the first one up, a new one for each stream of each call, and again from the
    /// first behind the last.
    fn computed(&self, stream: usize, call: u64) -> u32 {
        let place = self.streams[stream].unwrap_or(0);
        let ports = self.last.saturating_sub(self.first) / 2 + 1;
        let index = call
            .wrapping_mul(u64::from(self.count()))
            .wrapping_add(u64::from(place));
        // Below the number of ports.
        let index = (index % u64::from(ports)) as u32;
        self.first.saturating_add(2 * index)
    }
}

/// A master key of 16 bytes and a salt of 14 (RFC 3711 §3.2.1).
type Key = [u8; 30];

/// The keys of a call, changed while its texts are rendered.
#[derive(Clone, Debug)]
pub(crate) struct CryptoKeys {
    rng: Cell<u64>,
    keys: Cell<[Key; CryptoLine::COUNT]>,
}

impl CryptoKeys {
    /// Keys of a new call, each drawn already: what is printed again before it was printed is a key too.
    pub(crate) fn new(call_rng: &mut u64) -> Self {
        let state = rng::draw(call_rng, |rng| rng.u64(..));
        let keys = Self {
            rng: Cell::new(state),
            keys: Cell::new([[0; 30]; CryptoLine::COUNT]),
        };
        for index in 0..CryptoLine::COUNT {
            keys.draw(index);
        }
        keys
    }

    fn draw(&self, index: usize) {
        let mut state = self.rng.get();
        let mut keys = self.keys.get();
        rng::draw(&mut state, |rng| rng.fill(&mut keys[index]));
        self.rng.set(state);
        self.keys.set(keys);
    }

    /// Prints a key in base64: 40 characters.
    pub(crate) fn print(&self, line: CryptoLine, key: KeyUse, out: &mut Vec<u8>) {
        let index = line.index();
        match key {
            KeyUse::Fresh => self.draw(index),
            KeyUse::Again => {}
        }
        out.extend_from_slice(&base64_encode(&self.keys.get()[index]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(first: u32, last: u32, streams: [Option<u32>; 2]) -> MediaPlan {
        MediaPlan {
            media_port: 6000,
            first,
            last,
            streams,
            has_keys: false,
            answers: false,
            plays: false,
            reads_sdp: false,
            ports_of_calls: false,
        }
    }

    #[test]
    fn ports_are_even_differ_and_wrap() {
        let two = plan(6000, 65_534, [Some(1), Some(0)]);
        let ports = |call| {
            [
                two.port(Slot::RtpStreamAudioPort(0), call, [0; 2]),
                two.port(Slot::RtpStreamVideoPort(0), call, [0; 2]),
            ]
        };
        assert_eq!([ports(1), ports(2)], [[6002, 6000], [6006, 6004]]);
        assert_eq!(two.port(Slot::RtpStreamAudioPort(1), 1, [0; 2]), 6003);
        assert_eq!(two.port(Slot::RtpStreamAudioPort(-1), 1, [0; 2]), 0);
        for port in [20_000, u64::MAX].into_iter().flat_map(ports) {
            assert!((6000..=65_534).contains(&port) && port % 2 == 0, "{port}");
        }
        let few = plan(7000, 7002, [Some(0), None]);
        assert_eq!(
            [1, 2, 3].map(|call| few.port(Slot::RtpStreamAudioPort(0), call, [0; 2])),
            [7000, 7002, 7000]
        );
    }

    #[test]
    fn ports_that_were_given_are_printed_and_media_ports_are_among_them_in_our_language() {
        let mut plan = plan(6000, 65_534, [Some(0), Some(1)]);
        let given = [4100, 4102];
        assert_eq!(plan.port(Slot::RtpStreamAudioPort(1), 7, given), 4101);
        assert_eq!(plan.port(Slot::RtpStreamVideoPort(0), 7, given), 4102);
        assert_eq!(plan.port(Slot::MediaPort(2), 7, given), 6002);
        assert_eq!(plan.port(Slot::AutoMediaPort(0), 7, given), 6024);
        plan.ports_of_calls = true;
        for (slot, port) in [
            (Slot::MediaPort(0), 4100),
            (Slot::AutoMediaPort(1), 4101),
            (Slot::MediaPort(2), 4102),
            (Slot::MediaPort(3), 4103),
        ] {
            assert_eq!(plan.port(slot, 7, given), port);
        }
    }

    #[test]
    fn a_fresh_key_differs_and_is_printed_again() {
        let keys = CryptoKeys::new(&mut 7);
        let line = CryptoLine {
            secondary: false,
            video: true,
        };
        let print = |key| {
            let mut out = Vec::new();
            keys.print(line, key, &mut out);
            String::from_utf8(out).expect("base64")
        };
        let (first, second) = (print(KeyUse::Fresh), print(KeyUse::Fresh));
        assert_eq!((first.len(), second.len()), (40, 40));
        assert_ne!(first, second);
        assert_eq!(print(KeyUse::Again), second);
    }
}
