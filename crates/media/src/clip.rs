// SPDX-License-Identifier: AGPL-3.0-only
//! What a stream plays: bytes in the form of the wire, made once and shared by every stream that plays them.
//!
//! A clip is a ring. A packet is the next bytes of it, so that sending copies and never computes.
//!
//! COMPAT(sipp): the last packet of a loop is completed with bytes from the beginning, and a file shorter than a packet
//! (of which SIPp says nothing) is repeated within it.

use crate::codec::{Codec, g711, g722};
use crate::resample::resample;
use crate::tone::Sound;
use crate::wav::{self, WavError};
use std::sync::Arc;

/// Bytes of `apattern` and `vpattern`, by their number from 1.
pub const PATTERNS: [u8; 6] = [0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];

/// A frame of Opus that holds 20 ms of silence.
const OPUS_SILENCE: [u8; 3] = [0xf8, 0xff, 0xfe];

/// Why something cannot be played.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ClipError {
    /// There is nothing in it.
    Empty,
    /// The file cannot be read.
    Wav(WavError),
    /// The codec is only passed through: its payload has to come from a file of payload.
    NotCoded(Codec),
    /// Payload in packets of their own sizes, which is not read.
    Ogg,
    /// Frames of 20 ms, where packets have those of 30.
    ShortIlbc,
}

impl core::fmt::Display for ClipError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Empty => f.write_str("an empty file"),
            Self::Wav(error) => error.fmt(f),
            Self::NotCoded(codec) => {
                let name = codec.params().name;
                write!(
                    f,
                    "audio cannot be coded as {name}, only payload passed through"
                )
            }
            Self::Ogg => f.write_str("an Ogg file, of which payload cannot be taken"),
            Self::ShortIlbc => f.write_str("a file of iLBC in frames of 20 ms; they must have 30"),
        }
    }
}

impl core::error::Error for ClipError {}

/// Bytes to play.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Clip {
    codec: Codec,
    bytes: Arc<[u8]>,
}

impl Clip {
    /// Payload as it is.
    ///
    /// # Errors
    /// There is none.
    pub fn payload(codec: Codec, bytes: impl Into<Arc<[u8]>>) -> Result<Self, ClipError> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Err(ClipError::Empty);
        }
        Ok(Self { codec, bytes })
    }

    /// A file as SIPp plays it: payload, behind the header of a WAV file if it has one.
    ///
    /// # Errors
    /// It is empty.
    pub fn sipp_file(codec: Codec, file: &[u8]) -> Result<Self, ClipError> {
        let bytes = match wav::data(file) {
            Some(data) => &file[data],
            None => file,
        };
        Self::payload(codec, bytes)
    }

    /// A file as we play it: a WAV file is coded, anything else is payload. The first line of a file of iLBC (RFC 3952
    /// §5) is none.
    ///
    /// # Errors
    /// It is empty, a WAV file that cannot be read or coded, or one of another kind that is no payload.
    pub fn file(codec: Codec, file: &[u8]) -> Result<Self, ClipError> {
        match wav::read(file) {
            Ok(audio) => {
                let rate = codec.params().sample_rate;
                Self::coded(codec, &resample(&audio.samples, audio.rate, rate))
            }
            Err(WavError::NotWav) if file.starts_with(b"OggS") => Err(ClipError::Ogg),
            Err(WavError::NotWav) if codec == Codec::Ilbc => {
                if file.starts_with(b"#!iLBC20\n") {
                    return Err(ClipError::ShortIlbc);
                }
                Self::payload(codec, file.strip_prefix(b"#!iLBC30\n").unwrap_or(file))
            }
            Err(WavError::NotWav) => Self::payload(codec, file),
            Err(error) => Err(ClipError::Wav(error)),
        }
    }

    /// Samples of the codec's rate.
    ///
    /// # Errors
    /// There are none, or the codec is not one of ours.
    pub fn coded(codec: Codec, samples: &[i16]) -> Result<Self, ClipError> {
        let bytes = match codec {
            Codec::Pcmu => samples.iter().copied().map(g711::encode_mu).collect(),
            Codec::Pcma => samples.iter().copied().map(g711::encode_a).collect(),
            Codec::G722 => {
                let mut out = Vec::new();
                g722::Encoder::default().append(samples, &mut out);
                out
            }
            Codec::G729 | Codec::Noise | Codec::Ilbc | Codec::Opus | Codec::H264 => {
                return Err(ClipError::NotCoded(codec));
            }
        };
        Self::payload(codec, bytes)
    }

    /// Computed audio that may be repeated without a click, cut for packets of this payload. Codecs that are passed
    /// through get frames of silence, or zeros where we know none.
    #[must_use]
    pub fn synthetic(codec: Codec, sound: Sound, payload_len: usize) -> Self {
        let params = codec.params();
        let bytes = match codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => {
                // Samples of a packet: one byte each, or two samples a byte.
                let packet = payload_len * (params.sample_rate / 8000) as usize;
                let period = sound.period(params.sample_rate, packet);
                let samples = sound.samples(params.sample_rate);
                let warm_up = match codec {
                    // Its predictors have to swing in, so that the end fits the beginning.
                    Codec::G722 => period.max(16_000).next_multiple_of(period),
                    _ => 0,
                };
                let samples: Vec<i16> = samples.take(warm_up + period).collect();
                let clip = Self::coded(codec, &samples);
                let skip = warm_up / 2;
                return match clip {
                    Ok(clip) if skip > 0 => Self {
                        codec,
                        bytes: clip.bytes[skip..].into(),
                    },
                    Ok(clip) => clip,
                    Err(_) => unreachable!("there are samples, and the codec is one of ours"),
                };
            }
            Codec::Opus => OPUS_SILENCE.to_vec(),
            Codec::G729 | Codec::Noise | Codec::Ilbc | Codec::H264 => vec![0],
        };
        Self {
            codec,
            bytes: bytes.into(),
        }
    }

    /// The same on each of so many channels, whose samples stand side by side.
    #[must_use]
    pub fn on_channels(self, channels: u8) -> Self {
        if channels <= 1 {
            return self;
        }
        let each = |byte: &u8| core::iter::repeat_n(*byte, usize::from(channels));
        Self {
            bytes: self.bytes.iter().flat_map(each).collect(),
            ..self
        }
    }

    /// A pattern of SIPp; `None` for a number that is none.
    #[must_use]
    pub fn pattern(codec: Codec, number: u8) -> Option<Self> {
        let byte = *PATTERNS.get(usize::from(number).checked_sub(1)?)?;
        Some(Self {
            codec,
            bytes: [byte].into(),
        })
    }

    /// What its bytes are.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// How many bytes there are; never none.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Packets of a payload of `len` bytes in so many loops: the last one is completed.
    #[must_use]
    pub fn packets(&self, loops: u32, len: usize) -> u64 {
        (self.bytes.len() as u64 * u64::from(loops)).div_ceil(len.max(1) as u64)
    }

    /// Appends the `len` bytes from `at` on, around the ring; says where the next ones begin.
    #[inline]
    pub fn append(&self, at: usize, len: usize, out: &mut Vec<u8>) -> usize {
        let mut at = at % self.bytes.len();
        let mut missing = len;
        while missing > 0 {
            let part = &self.bytes[at..(at + missing).min(self.bytes.len())];
            out.extend_from_slice(part);
            missing -= part.len();
            at += part.len();
            if at == self.bytes.len() {
                at = 0;
            }
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{Tone, power_at};

    fn packets(clip: &Clip, count: usize, len: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = 0;
        for _ in 0..count {
            at = clip.append(at, len, &mut out);
        }
        out
    }

    fn decode(codec: Codec, bytes: &[u8]) -> Vec<i16> {
        match codec {
            Codec::Pcmu => bytes.iter().map(|byte| g711::decode_mu(*byte)).collect(),
            Codec::Pcma => bytes.iter().map(|byte| g711::decode_a(*byte)).collect(),
            _ => {
                let mut out = Vec::new();
                g722::Decoder::default().append(bytes, &mut out);
                out
            }
        }
    }

    #[test]
    fn a_clip_is_a_ring() {
        let clip = Clip::payload(Codec::Pcma, *b"abcde").unwrap();
        assert_eq!(packets(&clip, 4, 3), b"abcdeabcdeab");
        assert_eq!(
            (clip.packets(1, 3), clip.packets(2, 3), clip.packets(3, 5)),
            (2, 4, 3)
        );
        // Shorter than a packet.
        assert_eq!(packets(&clip, 1, 12), b"abcdeabcdeab");
        assert_eq!(Clip::payload(Codec::Pcma, *b""), Err(ClipError::Empty));
    }

    #[test]
    fn synthetic_audio_is_the_tone_without_clicks() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
            let clip = Clip::synthetic(codec, Sound::default(), 160);
            assert!(clip.size() <= 16_000, "{}", clip.size());
            let rate = codec.params().sample_rate;
            let samples = decode(codec, &packets(&clip, 100, 160));
            let (whole, at) = power_at(&samples[rate as usize..], 425.0, rate);
            assert!(at / whole > 0.99, "{codec:?}: {at} of {whole}");
            let expected = (0.35 * 32_767.0f64).powi(2) / 2.0;
            assert!((whole / expected - 1.0).abs() < 0.05, "{codec:?}: {whole}");
        }
        assert_eq!(
            packets(&Clip::synthetic(Codec::Opus, Sound::Silence, 3), 2, 3),
            b"\xf8\xff\xfe\xf8\xff\xfe"
        );
        assert_eq!(
            packets(&Clip::synthetic(Codec::Noise, Sound::Silence, 1), 1, 1),
            [0]
        );
    }

    #[test]
    fn every_channel_has_the_same_samples() {
        let clip = Clip::payload(Codec::Pcma, *b"abc").unwrap();
        assert_eq!(packets(&clip.clone().on_channels(2), 1, 6), b"aabbcc");
        assert_eq!(clip.clone().on_channels(1), clip);
    }

    #[test]
    fn a_wav_file_of_another_rate_sounds_the_same() {
        let tone: Vec<i16> = Tone::new(1000.0, 0.3)
            .samples(44_100)
            .take(44_100)
            .collect();
        let mut writer = wav::WavWriter::new(1, 44_100);
        let mut file = writer.header().to_vec();
        writer.append(&tone, &mut file);
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
            let clip = Clip::file(codec, &file).unwrap();
            assert_eq!(clip.size(), 8000);
            let rate = codec.params().sample_rate;
            let samples = decode(codec, &packets(&clip, 50, 160));
            let (whole, at) = power_at(&samples[2000..rate as usize - 2000], 1000.0, rate);
            assert!(at / whole > 0.99, "{codec:?}: {at} of {whole}");
        }
        assert_eq!(
            Clip::file(Codec::Ilbc, &file),
            Err(ClipError::NotCoded(Codec::Ilbc))
        );
        // SIPp takes the bytes as they are.
        assert_eq!(
            Clip::sipp_file(Codec::Ilbc, &file).unwrap().size(),
            2 * 44_100
        );
        assert_eq!(Clip::file(Codec::Pcma, b"raw bytes").unwrap().size(), 9);
        assert!(matches!(
            Clip::file(Codec::Pcma, b"RIFF____WAVE"),
            Err(ClipError::Wav(_))
        ));
    }

    #[test]
    fn payload_is_told_from_what_it_comes_in() {
        let frames = |file: &[u8]| Clip::file(Codec::Ilbc, file).map(|clip| packets(&clip, 1, 3));
        assert_eq!(frames(b"#!iLBC30\nabc"), Ok(b"abc".to_vec()));
        assert_eq!(frames(b"abc"), Ok(b"abc".to_vec()));
        assert_eq!(frames(b"#!iLBC20\nabc"), Err(ClipError::ShortIlbc));
        assert_eq!(frames(b"#!iLBC30\n"), Err(ClipError::Empty));
        assert_eq!(Clip::file(Codec::Opus, b"OggS\0"), Err(ClipError::Ogg));
        // SIPp takes the bytes as they are.
        assert_eq!(
            Clip::sipp_file(Codec::Ilbc, b"#!iLBC30\n").unwrap().size(),
            9
        );
    }

    #[test]
    fn patterns_have_their_byte() {
        assert_eq!(
            packets(&Clip::pattern(Codec::Pcma, 3).unwrap(), 1, 4),
            [0xcc; 4]
        );
        assert_eq!(
            (Clip::pattern(Codec::Pcma, 0), Clip::pattern(Codec::Pcma, 7)),
            (None, None)
        );
    }
}
