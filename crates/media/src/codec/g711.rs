// SPDX-License-Identifier: AGPL-3.0-only
//! G.711: eight bits a sample, by µ-law or A-law.
//!
//! Decoding is the formula of the recommendation. Encoding finds the segment, then the step within it; a test looks at
//! every one of the 65,536 samples.

/// The decision value of µ-law lies this far below zero of its first segment.
const BIAS: i32 = 0x84;
/// The largest magnitude of µ-law.
const CLIP: i32 = 32_635;

/// A sample as µ-law.
#[must_use]
pub fn encode_mu(sample: i16) -> u8 {
    let sample = i32::from(sample);
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = sample.abs().min(CLIP) + BIAS;
    // 0x84 to 0x7fff: the highest bit is 7 to 14.
    let segment = (24 - magnitude.leading_zeros() as i32).max(0);
    let step = magnitude >> (segment + 3) & 0x0f;
    !(sign | segment << 4 | step) as u8
}

/// A sample of µ-law.
#[must_use]
pub const fn decode_mu(code: u8) -> i16 {
    let code = !code;
    let segment = code >> 4 & 7;
    let magnitude = (((code as i32 & 0x0f) << 3) + BIAS) << segment;
    let magnitude = magnitude - BIAS;
    if code & 0x80 != 0 {
        -magnitude as i16
    } else {
        magnitude as i16
    }
}

/// A sample as A-law.
#[must_use]
pub fn encode_a(sample: i16) -> u8 {
    // Negative samples mirror the positive ones below zero: -1 is the partner of 0.
    let sign = if sample >= 0 { 0x80 } else { 0 };
    let magnitude = i32::from(if sample >= 0 { sample } else { !sample });
    // Twelve bits and the sign; segments 0 and 1 have the same step.
    let segment = (24 - magnitude.leading_zeros() as i32).max(0);
    let shift = if segment == 0 { 4 } else { segment + 3 };
    let step = magnitude >> shift & 0x0f;
    ((sign | segment << 4 | step) as u8) ^ 0x55
}

/// A sample of A-law.
#[must_use]
pub const fn decode_a(code: u8) -> i16 {
    let code = code ^ 0x55;
    let segment = code >> 4 & 7;
    let step = (code as i32 & 0x0f) << 4;
    let magnitude = match segment {
        0 => step + 8,
        _ => (step + 0x108) << (segment - 1),
    };
    if code & 0x80 != 0 {
        magnitude as i16
    } else {
        -magnitude as i16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use audio_codec::{Decoder as _, Encoder as _};

    #[test]
    fn every_sample_is_coded_as_near_as_the_law_can() {
        // The laws decide at the bounds of segments, where the next value may be nearer: half a step is their promise.
        for sample in i16::MIN..=i16::MAX {
            let distance =
                |decoded: i16, sample: i16| (i32::from(decoded) - i32::from(sample)).abs();
            let code = encode_mu(sample);
            let half_step = 4 << (!code >> 4 & 7);
            let clipped = sample.clamp(-CLIP as i16, CLIP as i16);
            assert!(
                distance(decode_mu(code), clipped) <= half_step,
                "µ {sample}"
            );
            assert!(
                decode_mu(code) == 0 || (decode_mu(code) < 0) == (sample < 0),
                "µ {sample}"
            );

            let code = encode_a(sample);
            let half_step = match (code ^ 0x55) >> 4 & 7 {
                0 | 1 => 8,
                segment => 8 << (segment - 1),
            };
            assert!(distance(decode_a(code), sample) <= half_step, "A {sample}");
            assert_eq!(decode_a(code) < 0, sample < 0, "A {sample}");
        }
    }

    #[test]
    fn every_code_comes_back() {
        for code in 0..=255 {
            // µ-law has two zeros.
            let expected = if code == 0x7f { 0xff } else { code };
            assert_eq!(encode_mu(decode_mu(code)), expected);
            assert_eq!(encode_a(decode_a(code)), code);
        }
    }

    #[test]
    fn the_ends_and_the_middle_are_those_of_the_recommendation() {
        assert_eq!((decode_mu(0x80), decode_mu(0x00)), (32_124, -32_124));
        assert_eq!((decode_mu(0xff), decode_mu(0x7f)), (0, 0));
        assert_eq!((decode_a(0xaa), decode_a(0x2a)), (32_256, -32_256));
        assert_eq!((decode_a(0xd5), decode_a(0x55)), (8, -8));
        assert_eq!((encode_mu(0), encode_a(0)), (0xff, 0xd5));
    }

    #[test]
    fn the_other_implementation_decodes_alike() {
        let all: Vec<u8> = (0..=255).collect();
        let mu: Vec<i16> = all.iter().map(|code| decode_mu(*code)).collect();
        let a: Vec<i16> = all.iter().map(|code| decode_a(*code)).collect();
        assert_eq!(audio_codec::pcmu::PcmuDecoder::new().decode(&all), mu);
        assert_eq!(audio_codec::pcma::PcmaDecoder::new().decode(&all), a);
        let samples: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let theirs = audio_codec::pcmu::PcmuEncoder::new().encode(&samples);
        let differ = samples
            .iter()
            .zip(theirs)
            .filter(|(sample, theirs)| {
                let ours = i32::from(decode_mu(encode_mu(**sample)));
                let theirs = i32::from(decode_mu(*theirs));
                let sample = i32::from(**sample);
                // Only where both are equally near.
                (ours - sample).abs() != (theirs - sample).abs()
            })
            .count();
        assert_eq!(differ, 0);
    }
}
