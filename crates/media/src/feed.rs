// SPDX-License-Identifier: AGPL-3.0-only
//! Sound that comes while it is played, as from a microphone: coded once for each codec, however many streams play it.
//!
//! Samples come as they are recorded, packets leave by the clock of their streams. What joins the two is a ring of the
//! latest second, in which each stream has its own place. A stream that has come to the end of what there is sends silence
//! and stays where it is, so that it falls behind by as much as the recorder hands over at a time, and then has enough. One
//! that has fallen behind further than [`MAX_LAG`] goes on nearer to the end.
//!
//! Invariant: a sample of [`RATE`] is a byte of each codec, so that a place is the same in all of them.

use crate::codec::{Codec, g711, g722};
use crate::resample::Resampler;
use std::collections::VecDeque;
use std::sync::Arc;

/// Samples a second.
pub const RATE: u32 = 8000;

/// Samples that are kept.
const KEPT: usize = RATE as usize;

/// Samples that a stream may be behind.
pub const MAX_LAG: u64 = RATE as u64 / 2;

/// Where a stream begins that comes later, or has fallen behind: an eighth of a second is what recorders hand over at a time.
const START_LAG: u64 = RATE as u64 / 8;

/// Bytes of silence of G.722: its code goes on alternating.
const G722_SILENCE: usize = 160;

/// How samples become bytes.
#[derive(Debug)]
enum Coder {
    Mu,
    A,
    G722(Box<Wide>),
}

/// G.722 has twice the rate.
#[derive(Debug)]
struct Wide {
    resampler: Resampler,
    encoder: g722::Encoder,
    samples: Vec<i16>,
    code: Vec<u8>,
}

/// The sound in one codec.
#[derive(Debug)]
struct Coded {
    codec: Codec,
    coder: Coder,
    /// The latest bytes; the last one is that before the end of the feed.
    bytes: VecDeque<u8>,
    silence: Box<[u8]>,
}

impl Coded {
    /// `None` for a codec that is only passed through.
    fn new(codec: Codec) -> Option<Self> {
        let (coder, silence) = match codec {
            Codec::Pcmu => (Coder::Mu, vec![g711::encode_mu(0)]),
            Codec::Pcma => (Coder::A, vec![g711::encode_a(0)]),
            Codec::G722 => {
                let mut silence = Vec::new();
                g722::Encoder::default().append(&[0; 2 * G722_SILENCE], &mut silence);
                let wide = Wide {
                    resampler: Resampler::new(RATE, codec.params().sample_rate),
                    encoder: g722::Encoder::default(),
                    samples: Vec::new(),
                    code: Vec::new(),
                };
                (Coder::G722(Box::new(wide)), silence)
            }
            Codec::G729 | Codec::Noise | Codec::Ilbc | Codec::Opus | Codec::H264 => return None,
        };
        Some(Self {
            codec,
            coder,
            bytes: VecDeque::new(),
            silence: silence.into(),
        })
    }

    fn push(&mut self, samples: &[i16]) {
        match &mut self.coder {
            Coder::Mu => {
                let coded = samples.iter().copied().map(g711::encode_mu);
                self.bytes.extend(coded);
            }
            Coder::A => self
                .bytes
                .extend(samples.iter().copied().map(g711::encode_a)),
            Coder::G722(wide) => {
                wide.samples.clear();
                wide.code.clear();
                wide.resampler.append(samples, &mut wide.samples);
                wide.encoder.append(&wide.samples, &mut wide.code);
                self.bytes.extend(&wide.code);
            }
        }
        let surplus = self.bytes.len().saturating_sub(KEPT);
        self.bytes.drain(..surplus);
    }
}

/// Sound that comes while it is played.
#[derive(Debug, Default)]
pub struct Feed {
    /// Samples that have come.
    end: u64,
    coded: Vec<Coded>,
    /// Shared by those that play it.
    listeners: Arc<()>,
}

/// The place of a stream in a feed. As long as there is one, somebody listens.
#[derive(Debug)]
pub struct Place {
    at: u64,
    codec: Codec,
    _listener: Arc<()>,
}

impl Feed {
    /// Somebody plays it from now on; `None` if it cannot be coded so.
    pub fn join(&mut self, codec: Codec) -> Option<Place> {
        let known = self.coded.iter().find(|coded| coded.codec == codec);
        let there = match known {
            Some(coded) => coded.bytes.len() as u64,
            None => {
                self.coded.push(Coded::new(codec)?);
                0
            }
        };
        Some(Place {
            at: self.end - there.min(START_LAG),
            codec,
            _listener: Arc::clone(&self.listeners),
        })
    }

    /// How many play it.
    #[must_use]
    pub fn listeners(&self) -> usize {
        Arc::strong_count(&self.listeners) - 1
    }

    /// Samples of [`RATE`] have come.
    pub fn push(&mut self, samples: &[i16]) {
        // What would not be kept is not coded either.
        let kept = &samples[samples.len().saturating_sub(KEPT)..];
        for coded in &mut self.coded {
            coded.push(kept);
        }
        self.end += samples.len() as u64;
    }

    /// Appends the next `len` bytes at a place, or as many of silence; says whether it was sound.
    pub fn take(&self, place: &mut Place, len: usize, out: &mut Vec<u8>) -> bool {
        let Some(coded) = (self.coded.iter()).find(|coded| coded.codec == place.codec) else {
            return false;
        };
        if self.end - place.at > MAX_LAG {
            place.at = self.end - START_LAG;
        }
        let start = self.end - coded.bytes.len() as u64;
        place.at = place.at.max(start);
        if self.end - place.at < len as u64 {
            out.extend(coded.silence.iter().cycle().take(len));
            return false;
        }
        // Within what is kept.
        let from = (place.at - start) as usize;
        out.extend(coded.bytes.range(from..from + len));
        place.at += len as u64;
        true
    }

    /// Passes over sound that something else takes the place of.
    pub fn skip(&self, place: &mut Place, len: usize) {
        place.at = (place.at + len as u64).min(self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{Tone, power_at};

    fn decode(codec: Codec, bytes: &[u8]) -> Vec<i16> {
        let mut out = Vec::new();
        match codec {
            Codec::Pcmu => out.extend(bytes.iter().map(|byte| g711::decode_mu(*byte))),
            Codec::Pcma => out.extend(bytes.iter().map(|byte| g711::decode_a(*byte))),
            _ => g722::Decoder::default().append(bytes, &mut out),
        }
        out
    }

    #[test]
    fn every_codec_has_the_tone_that_comes_in_whatever_parts() {
        let tone: Vec<i16> = Tone::new(1000.0, 0.4).samples(RATE).take(24_000).collect();
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
            let mut feed = Feed::default();
            let mut place = feed.join(codec).expect("we code it");
            let (mut out, mut silent) = (Vec::new(), 0);
            let mut parts = tone.chunks(1001);
            for packet in 0..150 {
                // Some 125 ms at a time, as a recorder does.
                if packet * 160 % 1000 < 160 {
                    feed.push(parts.next().unwrap_or_default());
                }
                silent += usize::from(!feed.take(&mut place, 160, &mut out));
            }
            assert_eq!(out.len(), 150 * 160);
            // It waits until it has enough, once.
            assert!(silent <= 2, "{codec:?}: {silent}");
            let rate = codec.params().sample_rate;
            let samples = decode(codec, &out);
            let last = &samples[samples.len() - rate as usize..];
            let (whole, at) = power_at(last, 1000.0, rate);
            assert!(at / whole > 0.97, "{codec:?}: {at} of {whole}");
        }
        assert!(Feed::default().join(Codec::Opus).is_none());
    }

    #[test]
    fn what_nobody_recorded_is_silence() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
            let mut feed = Feed::default();
            let mut place = feed.join(codec).expect("we code it");
            let mut out = Vec::new();
            assert!(!feed.take(&mut place, 320, &mut out));
            let loudest = decode(codec, &out).into_iter().map(i16::unsigned_abs).max();
            assert!(loudest.is_some_and(|loudest| loudest < 128), "{loudest:?}");
        }
    }

    #[test]
    fn a_flood_is_heard_from_its_end_and_takes_no_memory() {
        let mut feed = Feed::default();
        let mut place = feed.join(Codec::Pcma).expect("we code it");
        for value in 0..200i16 {
            feed.push(&vec![value * 100; 1700]);
        }
        assert_eq!(feed.coded[0].bytes.len(), KEPT);
        let mut out = Vec::new();
        assert!(feed.take(&mut place, 160, &mut out));
        assert_eq!(out, [g711::encode_a(19_900); 160]);
        feed.push(&[0; 100_000]);
        assert_eq!(feed.coded[0].bytes.len(), KEPT);
        // Who is passed over never gets ahead of what has come.
        feed.skip(&mut place, 1_000_000);
        out.clear();
        assert!(!feed.take(&mut place, 160, &mut out));
    }

    #[test]
    fn whoever_comes_later_hears_what_comes_from_now_on() {
        let mut feed = Feed::default();
        let first = feed.join(Codec::Pcmu).expect("we code it");
        feed.push(&[1000; 4000]);
        let mut second = feed.join(Codec::Pcmu).expect("we code it");
        let mut third = feed.join(Codec::Pcma).expect("we code it");
        let mut out = Vec::new();
        assert!(feed.take(&mut second, 1000, &mut out));
        assert!(!feed.take(&mut second, 160, &mut out));
        // Nothing was coded for it before.
        assert!(!feed.take(&mut third, 160, &mut out));
        assert_eq!(feed.listeners(), 3);
        drop((first, second));
        assert_eq!(feed.listeners(), 1);
        drop(third);
        assert_eq!(feed.listeners(), 0);
    }
}
