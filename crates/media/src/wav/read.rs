// SPDX-License-Identifier: AGPL-3.0-only
//! WAV files as people have them: PCM of 8 to 32 bits, floating point, A-law, µ-law, any rate and number of channels.
//!
//! Files that were cut off, or whose header was never mended because their writer died, are read as far as they go.

use crate::codec::g711;
use crate::resample::{MAX_RATE, MIN_RATE};
use core::ops::Range;

/// Longest file that is taken: two hours.
const MAX_SECONDS: usize = 2 * 60 * 60;
/// Most channels that are mixed.
const MAX_CHANNELS: u16 = 64;

const PCM: u16 = 1;
const FLOAT: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const EXTENSIBLE: u16 = 0xfffe;

/// Audio, with one channel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Audio {
    /// Samples per second.
    pub rate: u32,
    /// The samples.
    pub samples: Vec<i16>,
}

/// Why a file cannot be played.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WavError {
    /// It does not begin as a WAV file.
    NotWav,
    /// The description of its format is missing or makes no sense.
    Format,
    /// It has no audio.
    NoData,
    /// A coding that we do not know; the number is its format tag.
    Coding(u16),
    /// A rate outside what is taken.
    Rate(u32),
    /// Longer than two hours.
    TooLong,
}

impl core::fmt::Display for WavError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotWav => f.write_str("not a WAV file"),
            Self::Format => f.write_str("a WAV file without a usable format"),
            Self::NoData => f.write_str("a WAV file without audio"),
            Self::Coding(tag) => write!(f, "a WAV file of the unknown coding {tag}"),
            Self::Rate(rate) => write!(f, "a WAV file of {rate} samples a second"),
            Self::TooLong => f.write_str("a WAV file of more than two hours"),
        }
    }
}

impl core::error::Error for WavError {}

/// Reads a sample of a width.
type ReadSample = fn(&[u8]) -> i16;

/// What a file holds, as far as it says.
#[derive(Default)]
struct Chunks<'a> {
    format: Option<&'a [u8]>,
    data: Option<Range<usize>>,
}

struct Format {
    coding: u16,
    channels: u16,
    rate: u32,
    bits: u16,
}

impl Format {
    fn parse(chunk: &[u8]) -> Result<Self, WavError> {
        let half = |at: usize| {
            let bytes = chunk.get(at..at + 2).ok_or(WavError::Format)?;
            Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
        };
        let rate = u32::from(half(4)?) | u32::from(half(6)?) << 16;
        let coding = match half(0)? {
            // The first two bytes of the subformat are a format tag again.
            EXTENSIBLE => half(24)?,
            coding => coding,
        };
        let format = Self {
            coding,
            channels: half(2)?,
            rate,
            bits: half(14)?,
        };
        if format.channels == 0 || format.channels > MAX_CHANNELS {
            return Err(WavError::Format);
        }
        if !(MIN_RATE..=MAX_RATE).contains(&rate) {
            return Err(WavError::Rate(rate));
        }
        Ok(format)
    }

    /// How a sample is read, and of how many bytes.
    fn sample(&self) -> Result<(usize, ReadSample), WavError> {
        let top = |bytes: &[u8]| {
            let len = bytes.len();
            i16::from_le_bytes([bytes[len - 2], bytes[len - 1]])
        };
        Ok(match (self.coding, self.bits) {
            // Eight bits have no sign.
            (PCM, 1..=8) => (1, |bytes| (i16::from(bytes[0]) - 128) << 8),
            // Wider samples are cut to their upper half; narrower ones lie in the upper bits.
            (PCM, 9..=16) => (2, top),
            (PCM, 17..=24) => (3, top),
            (PCM, 25..=32) => (4, top),
            (FLOAT, 32) => (4, |bytes| {
                full_scale(f64::from(f32::from_le_bytes([
                    bytes[0], bytes[1], bytes[2], bytes[3],
                ])))
            }),
            (FLOAT, 64) => (8, |bytes| {
                let mut whole = [0; 8];
                whole.copy_from_slice(bytes);
                full_scale(f64::from_le_bytes(whole))
            }),
            (A_LAW, 8) => (1, |bytes| g711::decode_a(bytes[0])),
            (MU_LAW, 8) => (1, |bytes| g711::decode_mu(bytes[0])),
            (PCM | FLOAT | A_LAW | MU_LAW, _) => return Err(WavError::Format),
            (coding, _) => return Err(WavError::Coding(coding)),
        })
    }
}

/// Saturates; what is no number is silence.
fn full_scale(value: f64) -> i16 {
    (value * 32_767.0).round() as i16
}

/// Reads a file; channels are mixed into one.
///
/// # Errors
/// It cannot be played.
pub fn read(bytes: &[u8]) -> Result<Audio, WavError> {
    let Chunks { format, data } = chunks(bytes)?;
    let format = Format::parse(format.ok_or(WavError::Format)?)?;
    let data = &bytes[data.ok_or(WavError::NoData)?];
    let (len, sample) = format.sample()?;
    let channels = usize::from(format.channels);
    let frames = data.len() / (len * channels);
    if frames == 0 {
        return Err(WavError::NoData);
    }
    if frames / format.rate as usize >= MAX_SECONDS {
        return Err(WavError::TooLong);
    }
    let samples = data.chunks_exact(len * channels).map(|frame| {
        let sum: i32 = frame
            .chunks_exact(len)
            .map(|bytes| i32::from(sample(bytes)))
            .sum();
        // The mean of samples is a sample.
        (sum / i32::from(format.channels)) as i16
    });
    Ok(Audio {
        rate: format.rate,
        samples: samples.collect(),
    })
}

/// Where the data chunk lies, in a file that begins as a WAV file.
///
/// COMPAT(sipp): `rtp_stream` plays the bytes of that chunk whatever their format says.
#[must_use]
pub fn data(bytes: &[u8]) -> Option<Range<usize>> {
    chunks(bytes).ok()?.data
}

/// The chunks up to the data.
fn chunks(bytes: &[u8]) -> Result<Chunks<'_>, WavError> {
    let head = bytes.first_chunk::<12>().ok_or(WavError::NotWav)?;
    if &head[..4] != b"RIFF" || &head[8..] != b"WAVE" {
        return Err(WavError::NotWav);
    }
    let mut at = head.len();
    let mut found = Chunks::default();
    while let Some(head) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let start = at + head.len();
        let said = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let rest = bytes.len() - start;
        if &head[..4] == b"data" {
            // 0 and all ones stand in files whose writer did not come back to mend the header.
            let len = match said {
                0 => rest,
                said => said.min(rest),
            };
            found.data = Some(start..start + len);
            return Ok(found);
        }
        if &head[..4] == b"fmt " {
            found.format = bytes.get(start..start + said.min(rest));
        }
        // Chunks have an even length; the filler is not counted. What is cut off ends the walk.
        at = start + said.min(rest);
        at += at % 2;
    }
    Ok(found)
}
