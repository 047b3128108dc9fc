// SPDX-License-Identifier: AGPL-3.0-only
//! Random streams of calls, derived from the run's seed and the call number alone, so that neither the order of
//! events nor the number of shards changes what a call draws.

/// First state of a call's stream.
pub(crate) fn seed(run: u64, call_number: u64) -> u64 {
    // Weyl step, then two rounds of xor-shift-multiply: neighbouring numbers get unrelated states.
    let mut x = run ^ call_number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// Draws with the stream's state and stores the next one.
pub(crate) fn draw<T>(state: &mut u64, with: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
    let mut rng = fastrand::Rng::with_seed(*state);
    let value = with(&mut rng);
    *state = rng.get_seed();
    value
}

/// Whether an event of so many percent happens. Draws nothing for 0.
pub(crate) fn percent(state: &mut u64, percent: f64) -> bool {
    percent > 0.0 && draw(state, |rng| rng.f64()) * 100.0 < percent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_continues_where_it_was_left() {
        let mut whole = fastrand::Rng::with_seed(seed(1, 2));
        let expected = [whole.u64(..), whole.u64(..)];
        let mut state = seed(1, 2);
        let got = [
            draw(&mut state, |rng| rng.u64(..)),
            draw(&mut state, |rng| rng.u64(..)),
        ];
        assert_eq!(got, expected);
    }

    #[test]
    fn zero_percent_never_happens_and_hundred_always() {
        let mut state = seed(3, 4);
        assert!((0..100).all(|_| !percent(&mut state, 0.0)));
        assert!((0..100).all(|_| percent(&mut state, 100.0)));
    }
}
