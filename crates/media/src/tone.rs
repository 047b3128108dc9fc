// SPDX-License-Identifier: AGPL-3.0-only
//! Audio that is computed: tones, noise, silence.

use core::f64::consts::TAU;

/// Frequency of the tone of synthetic audio, in Hz.
pub const TONE_HZ: f64 = 425.0;
/// Amplitude of the tone of synthetic audio, of 1.
pub const TONE_AMPLITUDE: f64 = 0.35;

/// Amplitude of noise, of 1.
pub const NOISE_AMPLITUDE: f64 = 0.1;

/// What synthetic audio sounds like.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Sound {
    /// A sine.
    Tone(Tone),
    /// White noise.
    Noise {
        /// Its amplitude, of 1.
        amplitude: f64,
        /// The same noise for the same seed.
        seed: u64,
    },
    /// Nothing.
    Silence,
}

impl Default for Sound {
    fn default() -> Self {
        Self::Tone(Tone::new(TONE_HZ, TONE_AMPLITUDE))
    }
}

impl Sound {
    /// Noise, the same each time.
    #[must_use]
    pub const fn noise() -> Self {
        Self::Noise {
            amplitude: NOISE_AMPLITUDE,
            seed: 1,
        }
    }

    /// Its samples, without end.
    #[must_use]
    pub fn samples(self, rate: u32) -> Box<dyn Iterator<Item = i16>> {
        match self {
            Self::Tone(tone) => Box::new(tone.samples(rate)),
            Self::Noise { amplitude, seed } => {
                let mut rng = fastrand::Rng::with_seed(seed);
                let scale = amplitude.clamp(0.0, 1.0) * f64::from(i16::MAX);
                Box::new(core::iter::repeat_with(move || {
                    // Saturates.
                    ((rng.f64() * 2.0 - 1.0) * scale) as i16
                }))
            }
            Self::Silence => Box::new(core::iter::repeat(0)),
        }
    }

    /// How many samples may be repeated without a click: whole periods of the sound and whole packets.
    #[must_use]
    pub fn period(self, rate: u32, packet: usize) -> usize {
        let packet = packet.max(1);
        let least = match self {
            // In a second there are whole periods of a tone of whole hertz.
            Self::Tone(tone) => {
                let hz = tone.hz.round().max(1.0) as u64;
                (u64::from(rate) / greatest_divisor(u64::from(rate), hz)) as usize
            }
            // Long enough that nobody hears it again.
            Self::Noise { .. } => rate as usize * 4,
            Self::Silence => 1,
        };
        // Some hundreds of thousands at most: `least` and `packet` are below that of a few seconds.
        let divisor = greatest_divisor(least as u64, packet as u64) as usize;
        least / divisor * packet
    }
}

fn greatest_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

/// A sine.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Tone {
    hz: f64,
    amplitude: f64,
}

impl Tone {
    /// A sine of whole hertz; an amplitude of 1 is full scale.
    #[must_use]
    pub fn new(hz: f64, amplitude: f64) -> Self {
        Self {
            hz: hz.round().clamp(1.0, 24_000.0),
            amplitude: amplitude.clamp(0.0, 1.0),
        }
    }

    /// Its samples, without end. Each is computed from its number, so that errors do not add up.
    pub fn samples(self, rate: u32) -> impl Iterator<Item = i16> + 'static {
        let rate = u64::from(rate.max(1));
        let (hz, scale) = (self.hz as u64, self.amplitude * f64::from(i16::MAX));
        (0u64..).map(move |index| {
            let turn = (index % rate * hz % rate) as f64 / rate as f64;
            ((turn * TAU).sin() * scale).round() as i16
        })
    }
}

/// Power of samples, and the power of one frequency in them (Goertzel). Also for whoever checks a recording.
#[must_use]
pub fn power_at(samples: &[i16], hz: f64, rate: u32) -> (f64, f64) {
    let factor = 2.0 * (TAU * hz / f64::from(rate.max(1))).cos();
    let (mut before, mut last, mut whole) = (0.0, 0.0, 0.0);
    for sample in samples {
        let sample = f64::from(*sample);
        whole += sample * sample;
        (before, last) = (last, sample + factor * last - before);
    }
    let count = samples.len().max(1) as f64;
    let at = last * last + before * before - factor * last * before;
    (whole / count, 2.0 * at / (count * count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_has_its_frequency_and_amplitude() {
        let samples: Vec<i16> = Tone::new(425.0, 0.35).samples(8000).take(8000).collect();
        let (whole, at) = power_at(&samples, 425.0, 8000);
        assert!(at / whole > 0.999, "{at} {whole}");
        let highest = samples.iter().max().copied().unwrap();
        assert!((f64::from(highest) / 32_767.0 - 0.35).abs() < 0.001);
        assert!(power_at(&samples, 800.0, 8000).1 / whole < 0.001);
    }

    #[test]
    fn a_period_is_whole_packets_and_repeats() {
        let sound = Sound::default();
        let period = sound.period(8000, 160);
        assert_eq!(period, 320);
        let samples: Vec<i16> = sound.samples(8000).take(2 * period).collect();
        assert_eq!(samples[..period], samples[period..]);
        assert_eq!(Sound::default().period(16_000, 320), 640);
        assert_eq!(Sound::Silence.period(8000, 160), 160);
        let noise = Sound::Noise {
            amplitude: 0.1,
            seed: 1,
        };
        assert_eq!(noise.period(8000, 240) % 240, 0);
        assert!(noise.samples(8000).take(100).any(|sample| sample != 0));
    }
}
