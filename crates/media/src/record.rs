// SPDX-License-Identifier: AGPL-3.0-only
//! What was heard, as a WAV file that grows while the call lasts.
//!
//! Samples lie where their timestamps say, so that loss is silence and reordering does no harm as long as a packet comes
//! within [`WINDOW_MS`]. A timestamp that contradicts the time that has passed by more than two seconds is not believed:
//! the packet then lies where it came. So a file is never longer than the call, whatever a peer sends.
//!
//! The first packet that is understood says the rate of the file: 16 kHz for G.722, 8 kHz for everything else. Where the
//! codec changes in mid-call, or both sides have different ones, the rest is resampled to it. Of several channels of a side
//! the mean is kept.

use crate::codec::{Codec, MAX_CHANNELS, g711, g722};
use crate::resample::Resampler;
use crate::time::Micros;
use crate::wav::WavWriter;

/// How late a packet may be.
pub const WINDOW_MS: u32 = 400;
/// Seconds that a timestamp may differ from the time that passed.
const BELIEVED_SECONDS: i64 = 2;
/// The rate of a file in which there is nothing.
const EMPTY_RATE: u32 = 8000;

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

/// One side on its way into the file.
#[derive(Debug, Default)]
struct Track {
    anchor: Option<Anchor>,
    /// By channel.
    decoders: Vec<g722::Decoder>,
    /// While its codec has another rate than the file.
    resampler: Option<Box<Resampler>>,
    /// The frame behind the packet before.
    next: i64,
}

/// What is written.
#[derive(Debug)]
struct File {
    wav: WavWriter,
    rate: u32,
    channels: usize,
    /// Samples from frame `flushed` on.
    window: Vec<i16>,
    flushed: i64,
    /// Behind the last frame that has a sample.
    end: i64,
}

/// A recording.
#[derive(Debug)]
pub struct Recorder {
    duplex: bool,
    start: Micros,
    /// From the first packet on.
    file: Option<File>,
    tracks: [Track; 2],
    samples: Vec<i16>,
    resampled: Vec<i16>,
}

impl Recorder {
    /// Begins; what is sent is recorded too, if `duplex`.
    #[must_use]
    pub fn new(now: Micros, duplex: bool) -> Self {
        Self {
            duplex,
            start: now,
            file: None,
            tracks: Default::default(),
            samples: Vec::new(),
            resampled: Vec::new(),
        }
    }

    /// Whether a side has a channel.
    #[must_use]
    pub fn takes(&self, side: Side) -> bool {
        match side {
            Side::Received => true,
            Side::Sent => self.duplex,
        }
    }

    /// A packet, with its codec and how many channels it has; appends what of the file is certain by now.
    pub fn on_packet(
        &mut self,
        now: Micros,
        side: Side,
        (codec, channels): (Codec, u8),
        timestamp: u32,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) {
        let coded_rate = codec.params().sample_rate;
        if !self.takes(side) || coded_rate == 0 {
            return;
        }
        let track = &mut self.tracks[side as usize];
        let channels = usize::from(channels.clamp(1, MAX_CHANNELS));
        track.decode(codec, channels, payload, &mut self.samples);
        let duplex = self.duplex;
        let file = self
            .file
            .get_or_insert_with(|| File::new(coded_rate, duplex, out));
        let elapsed = file.frames_of(now.since(self.start));
        let rate = i64::from(file.rate);
        let per_timestamp = rate / i64::from(codec.params().clock_rate.max(1));
        let believed = track.anchor.map(|anchor| {
            let since = timestamp.wrapping_sub(anchor.timestamp).cast_signed();
            anchor.frame + i64::from(since) * per_timestamp
        });
        let frame = match believed {
            Some(frame) if (frame - elapsed).abs() <= BELIEVED_SECONDS * rate => frame,
            _ => elapsed,
        };
        track.anchor = Some(Anchor { timestamp, frame });
        let len = self.samples.len() as i64 * rate / i64::from(coded_rate);
        let end = frame + len;
        // What is older than the window is certain; so is what has to make room.
        let window = file.window_len();
        file.flush((elapsed - window).max(end - window), out);
        let channel = file.channel_of(side);
        let resamples = coded_rate != file.rate;
        if !resamples || frame != track.next {
            track.finish(file, channel, &mut self.resampled);
        }
        if resamples {
            let resampler = track
                .resampler
                .get_or_insert_with(|| Box::new(Resampler::new(coded_rate, file.rate)));
            self.resampled.clear();
            resampler.append(&self.samples, &mut self.resampled);
            file.put(channel, frame - resampler.delay() as i64, &self.resampled);
        } else {
            file.put(channel, frame, &self.samples);
        }
        track.next = end;
        file.end = file.end.max(end);
    }

    /// Ends; appends the rest of the file. What has to be written over its beginning comes back.
    pub fn finish(mut self, out: &mut Vec<u8>) -> [(u64, [u8; 4]); 2] {
        let mut file = self
            .file
            .unwrap_or_else(|| File::new(EMPTY_RATE, self.duplex, out));
        for side in [Side::Received, Side::Sent] {
            let channel = file.channel_of(side);
            self.tracks[side as usize].finish(&mut file, channel, &mut self.resampled);
        }
        file.flush(file.end, out);
        file.wav.lengths()
    }
}

impl Track {
    /// Samples of the codec's rate; the codec is one of ours.
    fn decode(&mut self, codec: Codec, channels: usize, payload: &[u8], samples: &mut Vec<i16>) {
        samples.clear();
        let mean = |sum: i32| (sum / channels as i32) as i16;
        let law = |decode: fn(u8) -> i16, samples: &mut Vec<i16>| {
            let moments = payload.chunks_exact(channels);
            samples.extend(moments.map(|moment| {
                let sum = moment.iter().map(|code| i32::from(decode(*code)));
                mean(sum.sum())
            }));
        };
        match codec {
            Codec::Pcmu => law(g711::decode_mu, samples),
            Codec::Pcma => law(g711::decode_a, samples),
            Codec::G722 => {
                self.decoders.resize_with(channels, Default::default);
                if let [decoder] = &mut self.decoders[..] {
                    decoder.append(payload, samples);
                    return;
                }
                let whole = &payload[..payload.len() / channels * channels];
                let mut sums = vec![0; whole.len() / channels * 2];
                let (mut code, mut one) = (Vec::new(), Vec::new());
                for (channel, decoder) in self.decoders.iter_mut().enumerate() {
                    code.clear();
                    one.clear();
                    code.extend(whole.iter().skip(channel).step_by(channels));
                    decoder.append(&code, &mut one);
                    for (sum, sample) in sums.iter_mut().zip(&one) {
                        *sum += i32::from(*sample);
                    }
                }
                samples.extend(sums.into_iter().map(mean));
            }
            Codec::G729 | Codec::Noise | Codec::Ilbc | Codec::Opus | Codec::H264 => {}
        }
    }

    /// Writes what the resampler still has, behind what it has made.
    fn finish(&mut self, file: &mut File, channel: Option<usize>, samples: &mut Vec<i16>) {
        let Some(mut resampler) = self.resampler.take() else {
            return;
        };
        samples.clear();
        resampler.finish(samples);
        file.put(channel, self.next - resampler.delay() as i64, samples);
    }
}

impl File {
    /// Appends the header.
    fn new(rate: u32, duplex: bool, out: &mut Vec<u8>) -> Self {
        let channels = if duplex { 2 } else { 1 };
        let wav = WavWriter::new(channels, rate);
        out.extend_from_slice(&wav.header());
        let channels = usize::from(channels);
        let frames = (rate * WINDOW_MS / 1000) as usize;
        Self {
            wav,
            rate,
            channels,
            window: vec![0; frames * channels],
            flushed: 0,
            end: 0,
        }
    }

    /// `None` if a side has none.
    fn channel_of(&self, side: Side) -> Option<usize> {
        match side {
            Side::Received => Some(self.channels - 1),
            Side::Sent => (self.channels == 2).then_some(0),
        }
    }

    fn frames_of(&self, time: Micros) -> i64 {
        let us = time.0.min(i64::MAX as u64 / 16_000);
        // Bounded just above.
        (us * u64::from(self.rate) / 1_000_000).cast_signed()
    }

    fn window_len(&self) -> i64 {
        (self.window.len() / self.channels) as i64
    }

    /// Puts samples from a frame on into the window; what lies before it is too late.
    fn put(&mut self, channel: Option<usize>, frame: i64, samples: &[i16]) {
        let Some(channel) = channel else {
            return;
        };
        for (index, sample) in samples.iter().enumerate() {
            let place = usize::try_from(frame + index as i64 - self.flushed);
            let place = place.map(|place| place * self.channels + channel);
            if let Some(slot) = place.ok().and_then(|place| self.window.get_mut(place)) {
                *slot = *sample;
            }
        }
    }

    /// Writes up to a frame.
    fn flush(&mut self, up_to: i64, out: &mut Vec<u8>) {
        let window = self.window_len();
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
    use crate::clip::Clip;
    use crate::tone::{Tone, power_at};
    use crate::wav::{Audio, read};
    use proptest::prelude::*;

    struct File {
        recorder: Recorder,
        bytes: Vec<u8>,
    }

    impl File {
        fn new(duplex: bool) -> Self {
            Self {
                recorder: Recorder::new(Micros(0), duplex),
                bytes: Vec::new(),
            }
        }

        fn packet(&mut self, ms: u64, side: Side, codec: Codec, timestamp: u32, payload: &[u8]) {
            self.wide_packet(ms, side, (codec, 1), timestamp, payload);
        }

        fn wide_packet(
            &mut self,
            ms: u64,
            side: Side,
            codec: (Codec, u8),
            timestamp: u32,
            payload: &[u8],
        ) {
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
        let mut file = File::new(false);
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
        let mut file = File::new(true);
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
        let mut file = File::new(false);
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
        let mut file = File::new(false);
        file.packet(0, Side::Received, Codec::Opus, 0, &[1; 100]);
        file.packet(0, Side::Sent, Codec::Pcmu, 0, &[1; 100]);
        assert!(file.recorder.file.is_none());
        assert_eq!(file.finish().len(), 44);
    }

    /// A second of a tone, in packets of 20 ms.
    fn coded(codec: Codec, hz: f64) -> Vec<Vec<u8>> {
        let rate = codec.params().sample_rate;
        let samples: Vec<i16> = Tone::new(hz, 0.4)
            .samples(rate)
            .take(rate as usize)
            .collect();
        let clip = Clip::coded(codec, &samples).expect("we code it");
        let mut bytes = Vec::new();
        clip.append(0, clip.size(), &mut bytes);
        bytes.chunks(160).map(<[u8]>::to_vec).collect()
    }

    fn read_all(bytes: &[u8]) -> (hound::WavSpec, Vec<i16>) {
        let mut reader = hound::WavReader::new(std::io::Cursor::new(bytes)).unwrap();
        let samples = reader.samples().map(Result::unwrap).collect();
        (reader.spec(), samples)
    }

    #[test]
    fn codecs_that_change_in_mid_call_keep_their_sound_in_one_file() {
        let all = [Codec::Pcmu, Codec::Pcma, Codec::G722];
        for first in 0..3 {
            let order = [all[first], all[(first + 1) % 3], all[(first + 2) % 3]];
            let mut file = File::new(true);
            for (second, codec) in order.into_iter().enumerate() {
                // Both sides, each with its own tone; the sides change one after the other.
                let other = order[second.saturating_sub(1)];
                let (heard, said) = (coded(codec, 1000.0), coded(other, 440.0));
                for (n, (heard, said)) in heard.iter().zip(&said).enumerate() {
                    let ms = second as u64 * 1000 + n as u64 * 20;
                    let timestamp = ms as u32 * 8;
                    file.packet(ms, Side::Received, codec, timestamp, heard);
                    file.packet(ms, Side::Sent, other, 77 + timestamp, said);
                }
            }
            let (spec, samples) = read_all(&file.finish());
            let rate = if first == 2 { 16_000 } else { 8000 };
            assert_eq!((spec.sample_rate, spec.channels), (rate, 2));
            assert_eq!(samples.len(), 3 * 2 * rate as usize);
            for (channel, hz) in [(1, 1000.0), (0, 440.0)] {
                let one: Vec<i16> = samples.iter().copied().skip(channel).step_by(2).collect();
                for (second, part) in one.chunks(rate as usize).enumerate() {
                    // Behind where a decoder swings in.
                    let (whole, at) = power_at(&part[rate as usize / 4..], hz, rate);
                    assert!(
                        at / whole > 0.97,
                        "{order:?} {second} {hz}: {at} of {whole}"
                    );
                    assert!(whole > 5e7, "{order:?} {second} {hz}: {whole}");
                }
                // No side is silent anywhere, at the seams neither.
                let longest = one.split(|sample| sample.unsigned_abs() > 200);
                let longest = longest.map(<[i16]>::len).max().unwrap_or(0);
                assert!(
                    longest < rate as usize / 100,
                    "{order:?} {channel}: {longest}"
                );
            }
        }
    }

    #[test]
    fn of_several_channels_the_mean_is_recorded() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
            for channels in [2u8, 6] {
                let mut file = File::new(false);
                for (n, payload) in coded(codec, 1000.0).iter().enumerate() {
                    let each = |code: &u8| core::iter::repeat_n(*code, usize::from(channels));
                    let wide: Vec<u8> = payload.iter().flat_map(each).collect();
                    let ms = n as u64 * 20;
                    let side = Side::Received;
                    file.wide_packet(ms, side, (codec, channels), ms as u32 * 8, &wide);
                }
                let Audio { rate, samples } = read(&file.finish()).unwrap();
                assert_eq!(samples.len(), rate as usize, "{codec:?} {channels}");
                let (whole, at) = power_at(&samples[rate as usize / 4..], 1000.0, rate);
                assert!(at / whole > 0.97, "{codec:?} {channels}: {at} of {whole}");
            }
        }
        // Samples that stand side by side and differ; the last moment is not whole.
        let mut file = File::new(false);
        let moment = [g711::encode_a(4000), g711::encode_a(-2000)];
        let mut payload = moment.repeat(160);
        payload.pop();
        file.wide_packet(0, Side::Received, (Codec::Pcma, 2), 0, &payload);
        let samples = read(&file.finish()).unwrap().samples;
        let expected =
            (i32::from(g711::decode_a(moment[0])) + i32::from(g711::decode_a(moment[1]))) / 2;
        assert_eq!(samples.len(), 159);
        assert!(samples.iter().all(|sample| i32::from(*sample) == expected));
    }

    proptest! {
        #[test]
        fn no_timestamp_makes_a_file_longer_than_the_call(
            packets in proptest::collection::vec(any::<(u8, u32, bool)>(), 1..60),
        ) {
            let mut file = File::new(true);
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
