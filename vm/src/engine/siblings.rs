// SPDX-License-Identifier: AGPL-3.0-only
//! Several engines that run the calls of one scenario, each those whose Call-ID it owns.
//!
//! A client's calls are numbered by the one schedule of the run, and [`Engine::call_id_of`] says in advance which Call-ID
//! a number leads to, hence who owns it. A server's calls are numbered by whoever opens them; the counter is all
//! that its engines share.
//!
//! Invariant: together the engines give out each number once, and none beyond the limit.

use super::Engine;
use crate::input::Micros;
use crate::link::Image;
use crate::media::CryptoKeys;
use crate::{call_id, rng};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What the engines of one scenario have in common.
#[derive(Debug)]
pub struct Siblings {
    /// The next number of a call that a message opens.
    next: AtomicU64,
    /// Calls that messages may open in all.
    limit: u64,
}

impl Siblings {
    /// For a run whose messages open so many calls in all; `None` as many as come.
    #[must_use]
    pub fn new(limit: Option<u64>) -> Self {
        Self {
            next: AtomicU64::new(1),
            limit: limit.unwrap_or(u64::MAX - 1),
        }
    }

    /// Whether messages open no more calls.
    #[must_use]
    pub fn exhausted(&self) -> bool {
        self.next.load(Ordering::Relaxed) > self.limit
    }

    fn take(&self) -> Option<u64> {
        let next = |number| (number <= self.limit).then_some(number + 1);
        self.next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
            .ok()
    }
}

impl Engine {
    /// One engine of several. They have to be given images of one program and seed.
    #[must_use]
    pub fn one_of(image: Arc<Image>, siblings: Arc<Siblings>) -> Self {
        Self {
            siblings: Some(siblings),
            ..Self::new(image)
        }
    }

    /// The number of the next call that a message opens; false when there shall be no more.
    pub(super) fn take_number(&mut self) -> bool {
        let Some(siblings) = &self.siblings else {
            return true;
        };
        match siblings.take() {
            Some(number) => self.next_number = number,
            None => self.draining = true,
        }
        !self.draining
    }

    /// Whether this engine has the call with this Call-ID, or had it until lately: its messages are for it.
    #[must_use]
    pub fn knows(&self, call_id: &[u8]) -> bool {
        let hash = self.shared.dead.hash(call_id);
        self.find(call_id, hash).is_some() || self.shared.dead.has(hash)
    }

    /// Appends the Call-ID that the call of this number will have when it is opened.
    pub fn call_id_of(&self, number: u64, out: &mut Vec<u8>) {
        let image = &self.image;
        let mut stream = 0;
        if image.call_id.iter().any(call_id::Piece::draws) {
            // What is drawn before, in the same order.
            stream = rng::seed(image.params().seed, number);
            if image.media.has_keys() {
                CryptoKeys::new(&mut stream);
            }
            self.shared.injection.pass_over(&mut stream);
        }
        // None of several engines has Call-IDs that tell the time.
        call_id::print(&image.call_id, number, Micros(0), &mut stream, out);
    }
}
