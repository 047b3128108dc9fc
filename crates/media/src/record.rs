// SPDX-License-Identifier: AGPL-3.0-only
//! What was heard, as a WAV file that grows while the call lasts.
//!
//! Samples lie where their timestamps say, so that loss is silence and reordering does no harm as long as a packet comes
//! within [`WINDOW_MS`]. A timestamp that contradicts the time that has passed by more than two seconds is not believed:
//! the packet then lies where it came. So a file is never longer than the call, whatever a peer sends.

use crate::codec::{Codec, g711, g722};
use crate::time::Micros;
use crate::wav::WavWriter;

/// How late a packet may be.
pub const WINDOW_MS: u32 = 400;
/// Seconds that a timestamp may differ from the time that passed.
const BELIEVED_SECONDS: i64 = 2;

/// Which side of a recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// What is received: the only channel, or the right one.
    Received,
    /// What is sent: the left channel of a recording of both.
    Sent,
}

#[derive(Clone, Copy, Debug)]
struct Anchor {
    timestamp: u32,
    frame: i64,
}

/// A recording.
#[derive(Debug)]
pub struct Recorder {
    wav: WavWriter,
    rate: u32,
    channels: usize,
    start: Micros,
    /// Samples from frame `flushed` on.
    window: Vec<i16>,
    flushed: i64,
    /// Behind the last frame that has a sample.
    end: i64,
    anchors: [Option<Anchor>; 2],
    decoders: [Option<Box<g722::Decoder>>; 2],
    samples: Vec<i16>,
}

impl Recorder {
    /// Begins; appends the header of the file. G.722 makes a file of 16 kHz, everything else one of 8 kHz.
    #[must_use]
    pub fn new(now: Micros, codec: Codec, duplex: bool, out: &mut Vec<u8>) -> Self {
        let rate = match codec {
            Codec::G722 => 16_000,
            _ => 8000,
        };
        let channels = if duplex { 2 } else { 1 };
        let wav = WavWriter::new(channels, rate);
        out.extend_from_slice(&wav.header());
        let frames = (rate * WINDOW_MS / 1000) as usize;
        let channels = usize::from(channels);
        Self {
            wav,
            rate,
            channels,
            start: now,
            window: vec![0; frames * channels],
            flushed: 0,
            end: 0,
            anchors: [None; 2],
            decoders: [None, None],
            samples: Vec::new(),
        }
    }

    /// Whether a side has a channel.
    #[must_use]
    pub fn takes(&self, side: Side) -> bool {
        match side {
            Side::Received => true,
            Side::Sent => self.channels == 2,
        }
    }

    /// A packet; appends what of the file is certain by now.
    pub fn on_packet(
        &mut self,
        now: Micros,
        side: Side,
        codec: Codec,
        timestamp: u32,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) {
        if !self.takes(side) || !self.decode(side, codec, payload) {
            return;
        }
        let elapsed = self.elapsed(now);
        let rate = i64::from(self.rate);
        let anchor = &mut self.anchors[side as usize];
        let per_timestamp = rate / i64::from(codec.params().clock_rate.max(1));
        let believed = anchor.map(|anchor| {
            let since = timestamp.wrapping_sub(anchor.timestamp).cast_signed();
            anchor.frame + i64::from(since) * per_timestamp
        });
        let frame = match believed {
            Some(frame) if (frame - elapsed).abs() <= BELIEVED_SECONDS * rate => frame,
            _ => elapsed,
        };
        *anchor = Some(Anchor { timestamp, frame });
        let window = (self.window.len() / self.channels) as i64;
        let end = frame + self.samples.len() as i64;
        // What is older than the window is certain; so is what has to make room.
        self.flush((elapsed - window).max(end - window), out);
        let channel = match side {
            Side::Received => self.channels - 1,
            Side::Sent => 0,
        };
        for (index, sample) in self.samples.iter().enumerate() {
            // Late ones lie before the window.
            let place = usize::try_from(frame + index as i64 - self.flushed);
            let place = place.map(|place| place * self.channels + channel);
            if let Some(slot) = place.ok().and_then(|place| self.window.get_mut(place)) {
                *slot = *sample;
            }
        }
        self.end = self.end.max(end);
    }

    /// Ends; appends the rest of the file. What has to be written over its beginning comes back.
    pub fn finish(mut self, out: &mut Vec<u8>) -> [(u64, [u8; 4]); 2] {
        self.flush(self.end, out);
        self.wav.lengths()
    }

    fn elapsed(&self, now: Micros) -> i64 {
        let us = now.since(self.start).0.min(i64::MAX as u64 / 16_000);
        // Bounded just above.
        (us * u64::from(self.rate) / 1_000_000).cast_signed()
    }

    /// Samples of the file's rate; `false` if the codec is not one of ours.
    fn decode(&mut self, side: Side, codec: Codec, payload: &[u8]) -> bool {
        self.samples.clear();
        let wide = self.rate == 16_000;
        let twice = if wide { 2 } else { 1 };
        match codec {
            Codec::Pcmu => {
                let samples = payload.iter().map(|code| g711::decode_mu(*code));
                self.samples
                    .extend(samples.flat_map(|sample| core::iter::repeat_n(sample, twice)));
            }
            Codec::Pcma => {
                let samples = payload.iter().map(|code| g711::decode_a(*code));
                self.samples
                    .extend(samples.flat_map(|sample| core::iter::repeat_n(sample, twice)));
            }
            Codec::G722 => {
                let decoder = self.decoders[side as usize].get_or_insert_default();
                decoder.append(payload, &mut self.samples);
                if !wide {
                    // The mean of two is a sample of half the rate.
                    let half = self.samples.len() / 2;
                    for index in 0..half {
                        let sum = i32::from(self.samples[2 * index])
                            + i32::from(self.samples[2 * index + 1]);
                        self.samples[index] = (sum / 2) as i16;
                    }
                    self.samples.truncate(half);
                }
            }
            Codec::G729 | Codec::Noise | Codec::Ilbc | Codec::Opus | Codec::H264 => return false,
        }
        true
    }

    /// Writes up to a frame.
    fn flush(&mut self, up_to: i64, out: &mut Vec<u8>) {
        let window = (self.window.len() / self.channels) as i64;
        while self.flushed < up_to {
            // Never below zero, never more than the window.
            let frames = (up_to - self.flushed).min(window);
            let len = frames.cast_unsigned() as usize * self.channels;
            self.wav.append(&self.window[..len], out);
            self.window.copy_within(len.., 0);
            let kept = self.window.len() - len;
            self.window[kept..].fill(0);
            self.flushed += frames;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wav::{Audio, read};
    use proptest::prelude::*;

    struct File {
        recorder: Recorder,
        bytes: Vec<u8>,
    }

    impl File {
        fn new(codec: Codec, duplex: bool) -> Self {
            let mut bytes = Vec::new();
            let recorder = Recorder::new(Micros(0), codec, duplex, &mut bytes);
            Self { recorder, bytes }
        }

        fn packet(&mut self, ms: u64, side: Side, codec: Codec, timestamp: u32, payload: &[u8]) {
            let now = Micros::from_ms(ms);
            self.recorder
                .on_packet(now, side, codec, timestamp, payload, &mut self.bytes);
        }

        fn finish(mut self) -> Vec<u8> {
            for (at, length) in self.recorder.finish(&mut self.bytes) {
                self.bytes[at as usize..at as usize + 4].copy_from_slice(&length);
            }
            self.bytes
        }
    }

    fn payload(sample: i16) -> Vec<u8> {
        vec![g711::encode_a(sample); 160]
    }

    #[test]
    fn packets_lie_where_their_timestamps_say() {
        let mut file = File::new(Codec::Pcma, false);
        // 1, 2, then 4 before 3; 5 is lost.
        for (ms, number) in [(0u64, 1u32), (20, 2), (61, 4), (62, 3), (100, 6)] {
            let sample = 1000 * number as i16;
            file.packet(
                ms,
                Side::Received,
                Codec::Pcma,
                7000 + number * 160,
                &payload(sample),
            );
        }
        let Audio { rate, samples } = read(&file.finish()).unwrap();
        assert_eq!((rate, samples.len()), (8000, 6 * 160));
        for (index, part) in samples.chunks(160).enumerate() {
            let expected = match index {
                4 => 0,
                index => g711::decode_a(g711::encode_a(1000 * (index as i16 + 1))),
            };
            assert!(part.iter().all(|sample| *sample == expected), "{index}");
        }
    }

    #[test]
    fn both_sides_have_their_channel() {
        let mut file = File::new(Codec::Pcmu, true);
        for n in 0..50u32 {
            let ms = u64::from(n) * 20;
            file.packet(
                ms,
                Side::Sent,
                Codec::Pcmu,
                n * 160,
                &[g711::encode_mu(8000); 160],
            );
            file.packet(
                ms + 3,
                Side::Received,
                Codec::Pcmu,
                99 + n * 160,
                &[g711::encode_mu(-8000); 160],
            );
        }
        let bytes = file.finish();
        let mut reader = hound::WavReader::new(std::io::Cursor::new(&bytes)).unwrap();
        assert_eq!(reader.spec().channels, 2);
        let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        let middle = &samples[1000..1100];
        assert!(
            middle
                .chunks(2)
                .all(|pair| pair[0] > 7000 && pair[1] < -7000)
        );
    }

    #[test]
    fn a_file_is_written_while_the_call_lasts() {
        let mut file = File::new(Codec::G722, false);
        for n in 0..100u32 {
            file.packet(
                u64::from(n) * 20,
                Side::Received,
                Codec::G722,
                n * 160,
                &[0xfa; 160],
            );
        }
        // All but the window.
        let written = (file.bytes.len() - 44) / 2;
        assert!((24_000..32_000).contains(&written), "{written}");
        assert_eq!(read(&file.finish()).unwrap().samples.len(), 32_000);
    }

    #[test]
    fn what_cannot_be_decoded_leaves_nothing() {
        let mut file = File::new(Codec::Opus, false);
        file.packet(0, Side::Received, Codec::Opus, 0, &[1; 100]);
        file.packet(0, Side::Sent, Codec::Pcmu, 0, &[1; 100]);
        assert!(file.recorder.wav.is_empty());
        assert_eq!(file.finish().len(), 44);
    }

    proptest! {
        #[test]
        fn no_timestamp_makes_a_file_longer_than_the_call(
            packets in proptest::collection::vec(any::<(u8, u32, bool)>(), 1..60),
        ) {
            let mut file = File::new(Codec::Pcmu, true);
            let mut ms = 0;
            for (step, timestamp, sent) in packets {
                ms += u64::from(step);
                let side = if sent { Side::Sent } else { Side::Received };
                file.packet(ms, side, Codec::Pcmu, timestamp, &[0; 160]);
            }
            let bytes = file.finish();
            let frames = (bytes.len() - 44) / 4;
            prop_assert!(frames as u64 <= ms * 8 + 2 * 8000 + 160, "{frames} in {ms} ms");
        }
    }
}
