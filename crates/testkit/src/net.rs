// SPDX-License-Identifier: AGPL-3.0-only
//! A network that loses, delays, duplicates and reorders datagrams, as a seed says.

use gossipper_vm::Micros;

/// What the network does to datagrams. All probabilities are between 0 and 1.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Net {
    /// Probability that a datagram is lost.
    pub loss: f64,
    /// Probability that a datagram arrives twice.
    pub duplication: f64,
    /// Shortest time on the way, in µs.
    pub delay_min_us: u64,
    /// Longest time on the way, in µs; datagrams overtake each other within the difference.
    pub delay_max_us: u64,
}

impl Net {
    /// Loses nothing and keeps the order; every datagram takes 1 ms.
    pub const PERFECT: Self = Self {
        loss: 0.0,
        duplication: 0.0,
        delay_min_us: 1000,
        delay_max_us: 1000,
    };

    /// 5 % loss, 2 % duplication, and enough jitter that neighbours are often reordered.
    pub const ROUGH: Self = Self {
        loss: 0.05,
        duplication: 0.02,
        delay_min_us: 500,
        delay_max_us: 30_000,
    };

    /// When the copies of a datagram sent at `now` arrive: none, one or two times.
    pub fn arrivals(
        &self,
        now: Micros,
        rng: &mut fastrand::Rng,
    ) -> impl Iterator<Item = Micros> + use<> {
        // Always the same number of draws, so that one probability does not change what another one hits.
        let mut delay = || now.plus(Micros(rng.u64(self.delay_min_us..=self.delay_max_us)));
        let (first, second) = (delay(), delay());
        let arrives = rng.f64() >= self.loss;
        let twice = rng.f64() < self.duplication;
        let first = arrives.then_some(first);
        let second = twice.then_some(second);
        first.into_iter().chain(second)
    }
}
