// SPDX-License-Identifier: AGPL-3.0-only
//! What keywords print where the scenario uses media and the run passes over it: ports of streams, keys of SRTP.
//!
//! Nothing is bound and nothing encrypted: the SDP looks as it does when media flows. A port follows from the number of
//! the call alone, so that it is the same at every rendering and needs no room in the record of the call.

use crate::params::RunParams;
use crate::rng;
use core::cell::Cell;
use gossipper_bytecode::media::{CryptoLine, KeyUse};
use gossipper_bytecode::{Program, Segment, Slot};
use gossipper_sip::aka::base64_encode;

/// What a program prints of media.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MediaPlan {
    /// First port: even, at most `last`.
    first: u32,
    /// Last port that may be given out: even.
    last: u32,
    /// Place of the audio and of the video stream among those of a call, in the order the program prints them.
    streams: [Option<u32>; 2],
    has_keys: bool,
}

impl MediaPlan {
    pub(crate) fn of(program: &Program, params: &RunParams) -> Self {
        let last = u32::from(params.media_port_end).saturating_sub(1) & !1;
        let mut plan = Self {
            first: (u32::from(params.media_port).next_multiple_of(2)).min(last),
            last,
            streams: [None; 2],
            has_keys: false,
        };
        for template in &program.templates {
            for segment in &program.segments[template.range()] {
                match segment {
                    Segment::Slot(Slot::RtpStreamAudioPort(_)) => plan.add(0),
                    Segment::Slot(Slot::RtpStreamVideoPort(_)) => plan.add(1),
                    Segment::Slot(Slot::CryptoKey(..)) => plan.has_keys = true,
                    Segment::Slot(_) | Segment::Literal(_) => {}
                }
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

    /// The port of a stream of a call.
    ///
    /// COMPAT(sipp): even ports from the first one up, a new one for each stream of each call, and again from the
    /// first behind the last; an offset below 0 prints 0.
    pub(crate) fn port(&self, video: bool, call: u64, offset: i32) -> u32 {
        let Ok(offset) = u32::try_from(offset) else {
            return 0;
        };
        let place = self.streams[usize::from(video)].unwrap_or(0);
        let ports = self.last.saturating_sub(self.first) / 2 + 1;
        let index = call
            .saturating_sub(1)
            .wrapping_mul(u64::from(self.count()))
            .wrapping_add(u64::from(place));
        // Below the number of ports.
        let index = (index % u64::from(ports)) as u32;
        self.first.saturating_add(2 * index).saturating_add(offset)
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

    #[test]
    fn ports_are_even_differ_and_wrap() {
        let plan = MediaPlan {
            first: 6000,
            last: 65_534,
            streams: [Some(1), Some(0)],
            has_keys: false,
        };
        let ports = |call| [plan.port(false, call, 0), plan.port(true, call, 0)];
        assert_eq!([ports(1), ports(2)], [[6002, 6000], [6006, 6004]]);
        assert_eq!(plan.port(false, 1, 1), 6003);
        assert_eq!(plan.port(false, 1, -1), 0);
        for call in [20_000, u64::MAX] {
            let [audio, video] = ports(call);
            assert!(
                (6000..=65_534).contains(&audio) && audio % 2 == 0,
                "{audio}"
            );
            assert!(
                (6000..=65_534).contains(&video) && video % 2 == 0,
                "{video}"
            );
        }
        let few = MediaPlan {
            first: 7000,
            last: 7002,
            streams: [Some(0), None],
            has_keys: false,
        };
        assert_eq!(
            [1, 2, 3].map(|call| few.port(false, call, 0)),
            [7000, 7002, 7000]
        );
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
