// SPDX-License-Identifier: AGPL-3.0-only
//! R-factor and mean opinion score by the E-model (ITU-T G.107) from what was measured of a stream.
//!
//! What is not measured has the default of G.107: room noise, loudness, echo. The impairment of a codec and how well it
//! stands loss come from G.113 appendix I; a receiver that conceals lost packets is assumed, as every phone is one. The
//! model is the one for telephone bandwidth: a wide-band codec is rated as if it were heard on a telephone, so that
//! figures of different calls can be compared.

use crate::codec::Codec;

/// What the model is told.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct QualityInput {
    /// How the audio is coded.
    pub codec: Codec,
    /// Lost packets, in percent.
    pub loss_percent: f64,
    /// How much longer losses run than by chance; 1 at least.
    pub burst_ratio: f64,
    /// From mouth to ear without the jitter buffer, in ms: half a round trip where one was measured, else 0.
    pub delay_ms: f64,
    /// Jitter in ms. A buffer of twice this is assumed, so that hardly a packet comes too late for it.
    pub jitter_ms: f64,
}

/// How a call sounds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Quality {
    /// 0 to 93.2.
    pub r_factor: f64,
    /// 1 to 4.5.
    pub mos: f64,
}

/// Equipment impairment and robustness of a codec.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Impairment {
    /// `Ie`: what the codec costs without loss.
    pub ie: f64,
    /// `Bpl`: the higher, the better it stands loss.
    pub bpl: f64,
    /// Look-ahead and packets, in ms.
    pub delay_ms: f64,
}

/// R with all parameters at their defaults, no delay and no loss (G.107 table 2).
const R_DEFAULT: f64 = 93.2;
/// Signal-to-noise ratio with all parameters at their defaults (G.107 equation 7-2).
const RO: f64 = 94.77;
/// Talker echo loudness rating, default.
const TELR: f64 = 65.0;
/// Weighted echo path loss, default.
const WEPL: f64 = 110.0;

impl Codec {
    /// Its impairment; `None` where the model says nothing, as of video.
    #[must_use]
    pub const fn impairment(self) -> Option<Impairment> {
        let (ie, bpl, delay_ms) = match self {
            Self::Pcmu | Self::Pcma | Self::G722 => (0.0, 25.1, 20.0),
            Self::G729 => (11.0, 19.0, 25.0),
            Self::Ilbc => (11.0, 32.0, 40.0),
            // Not in G.113. Above 24 kbit/s its loss concealment is taken for that of G.711.
            Self::Opus => (0.0, 25.1, 26.5),
            Self::Noise | Self::H264 => return None,
        };
        Some(Impairment { ie, bpl, delay_ms })
    }
}

impl Quality {
    /// Rates a stream; `None` where the model says nothing of its codec.
    #[must_use]
    pub fn of(input: &QualityInput) -> Option<Self> {
        let impairment = input.codec.impairment()?;
        let delay = input.delay_ms.max(0.0) + 2.0 * input.jitter_ms.max(0.0) + impairment.delay_ms;
        let loss = input.loss_percent.clamp(0.0, 100.0);
        let effective = effective_impairment(&impairment, loss, input.burst_ratio.max(1.0));
        let r_factor = (R_DEFAULT - delay_impairment(delay) - effective).clamp(0.0, 100.0);
        Some(Self {
            r_factor,
            mos: mos(r_factor),
        })
    }
}

/// `Ie,eff` (G.107 equation 7-29).
fn effective_impairment(impairment: &Impairment, loss: f64, burst_ratio: f64) -> f64 {
    let Impairment { ie, bpl, .. } = *impairment;
    ie + (95.0 - ie) * loss / (loss / burst_ratio + bpl)
}

/// `Id`: talker echo, listener echo and delay as such (G.107 §7.4), with one delay for all three paths.
fn delay_impairment(delay: f64) -> f64 {
    // Talker echo: nobody hears it below a millisecond.
    let terv = TELR - 40.0 * ((1.0 + delay / 10.0) / (1.0 + delay / 150.0)).log10()
        + 6.0 * (-0.3 * delay * delay).exp();
    let talker = soft(RO - (80.0 + 2.5 * (terv - 14.0)), 100.0) - 1.0;
    let talker = talker * (1.0 - (-delay).exp());
    // Listener echo comes after a round trip.
    let listener = soft(
        RO - 10.5 * (WEPL + 7.0) * (2.0 * delay + 1.0).powf(-0.25),
        169.0,
    );
    let absolute = if delay <= 100.0 {
        0.0
    } else {
        let x = (delay / 100.0).log2();
        let sixth = |x: f64| (1.0 + x.powi(6)).powf(1.0 / 6.0);
        25.0 * (sixth(x) - 3.0 * sixth(x / 3.0) + 2.0)
    };
    // The default R holds the listener echo of no delay already.
    let listener_default = soft(RO - 10.5 * (WEPL + 7.0), 169.0);
    talker.max(0.0) + (listener - listener_default).max(0.0) + absolute
}

/// The curve with which G.107 §7.4 lets an impairment set in.
fn soft(difference: f64, sharpness: f64) -> f64 {
    difference / 2.0 + (difference * difference / 4.0 + sharpness).sqrt()
}

/// The mean opinion score of an R-factor (G.107 annex B).
#[must_use]
pub fn mos(r_factor: f64) -> f64 {
    let r = r_factor;
    if r <= 0.0 {
        1.0
    } else if r >= 100.0 {
        4.5
    } else {
        (1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(codec: Codec, loss_percent: f64, delay_ms: f64) -> Quality {
        let input = QualityInput {
            codec,
            loss_percent,
            burst_ratio: 1.0,
            delay_ms,
            jitter_ms: 0.0,
        };
        Quality::of(&input).expect("the model knows the codec")
    }

    #[test]
    fn the_scores_of_annex_b() {
        // G.107 table B.1: R and MOS-CQE at the bounds of user satisfaction.
        for (r, expected) in [
            (90.0, 4.34),
            (80.0, 4.03),
            (70.0, 3.60),
            (60.0, 3.10),
            (50.0, 2.58),
        ] {
            assert!((mos(r) - expected).abs() < 0.01, "{r}: {}", mos(r));
        }
        assert_eq!((mos(-1.0), mos(100.0)), (1.0, 4.5));
    }

    #[test]
    fn a_perfect_call_is_near_the_default() {
        let perfect = rate(Codec::Pcmu, 0.0, 0.0);
        assert!((92.0..=93.2).contains(&perfect.r_factor), "{perfect:?}");
        assert!((4.37..=4.42).contains(&perfect.mos), "{perfect:?}");
    }

    #[test]
    fn codecs_cost_their_impairment() {
        let difference =
            rate(Codec::Pcma, 0.0, 5.0).r_factor - rate(Codec::G729, 0.0, 0.0).r_factor;
        // The same delay in sum.
        assert!((difference - 11.0).abs() < 1e-9, "{difference}");
        assert_eq!(Codec::H264.impairment(), None);
    }

    #[test]
    fn loss_costs_more_where_it_comes_in_bursts() {
        // G.711 with concealment at 5 %: 95 * 5 / 30.1 = 15.8.
        let lost = rate(Codec::Pcmu, 0.0, 0.0).r_factor - rate(Codec::Pcmu, 5.0, 0.0).r_factor;
        assert!((lost - 15.78).abs() < 0.01, "{lost}");
        let burst = effective_impairment(&Codec::Pcmu.impairment().unwrap(), 5.0, 3.0);
        assert!(burst > 17.0, "{burst}");
    }

    #[test]
    fn delay_hardly_counts_below_150_ms_and_then_does() {
        let r = |delay| rate(Codec::Pcmu, 0.0, delay).r_factor;
        assert!(r(0.0) - r(80.0) < 3.0, "{} {}", r(0.0), r(80.0));
        // G.114: at 400 ms most users are dissatisfied.
        assert!((50.0..75.0).contains(&r(380.0)), "{}", r(380.0));
        let mut before = r(0.0);
        for delay in 1..1000 {
            let after = r(f64::from(delay));
            assert!(after <= before + 1e-9, "{delay}");
            before = after;
        }
    }
}
