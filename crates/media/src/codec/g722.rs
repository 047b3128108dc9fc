// SPDX-License-Identifier: AGPL-3.0-only
//! G.722 at 64 kbit/s: 16 kHz in one byte for two samples.
//!
//! The one place that names the crate behind it, which is young: another one fits in here.

use audio_codec::g722::{Bitrate, G722Decoder, G722Encoder};
use audio_codec::{Decoder as _, Encoder as _};

/// Codes samples of 16 kHz. What it makes of a sample depends on those before.
pub struct Encoder(G722Encoder);

impl core::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

impl Default for Encoder {
    fn default() -> Self {
        Self(G722Encoder::with_options(
            Bitrate::Mode1_64000,
            false,
            false,
        ))
    }
}

impl Encoder {
    /// Appends the code of samples; an odd one at the end is left out.
    pub fn append(&mut self, samples: &[i16], out: &mut Vec<u8>) {
        let samples = &samples[..samples.len() & !1];
        out.extend_from_slice(&self.0.encode(samples));
    }
}

/// Decodes to samples of 16 kHz.
pub struct Decoder(G722Decoder);

impl core::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self(G722Decoder::with_options(
            Bitrate::Mode1_64000,
            false,
            false,
        ))
    }
}

impl Decoder {
    /// Appends samples, two for each byte.
    pub fn append(&mut self, code: &[u8], out: &mut Vec<i16>) {
        out.extend_from_slice(&self.0.decode(code));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{Tone, power_at};

    #[test]
    fn a_tone_survives() {
        for hz in [300.0, 1000.0, 3000.0, 6000.0] {
            let tone: Vec<i16> = Tone::new(hz, 0.35).samples(16_000).take(16_000).collect();
            let mut code = Vec::new();
            Encoder::default().append(&tone, &mut code);
            assert_eq!(code.len(), 8000);
            let mut decoded = Vec::new();
            Decoder::default().append(&code, &mut decoded);
            assert_eq!(decoded.len(), 16_000);
            let (whole, at) = power_at(&decoded[4000..12_000], hz, 16_000);
            assert!(at / whole > 0.95, "{hz}: {at} of {whole}");
        }
    }

    #[test]
    fn any_code_decodes() {
        let mut rng = fastrand::Rng::with_seed(1);
        let code: Vec<u8> = (0..10_000).map(|_| rng.u8(..)).collect();
        let mut decoder = Decoder::default();
        for part in code.chunks(13) {
            let mut out = Vec::new();
            decoder.append(part, &mut out);
            assert_eq!(out.len(), 2 * part.len());
        }
    }
}
