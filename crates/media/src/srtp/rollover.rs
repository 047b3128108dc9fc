// SPDX-License-Identifier: AGPL-3.0-only
//! Rollovers of sequence numbers and the replay window (RFC 3711 §3.3.1 and §3.3.2).

use super::SrtpError;
use smallvec::SmallVec;

/// Packets behind the highest one that are still accepted, once each. RFC 3711 §3.3.2 asks for 64 at least.
const WINDOW: u64 = u128::BITS as u64;
/// Sources that one context keeps apart. Whoever has more loses the state of the one it used first.
const MAX_SOURCES: usize = 8;
/// Packets that one key may protect (RFC 3711 §9.2).
const LAST_INDEX: u64 = (1 << 48) - 1;

/// The highest packet of a source and the ones before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    highest: u64,
    /// Bit n: `highest - n` was accepted.
    seen: u128,
}

impl Window {
    pub(super) const fn first(index: u64) -> Self {
        Self {
            highest: index,
            seen: 1,
        }
    }

    /// Whether a packet may be accepted.
    pub(super) fn check(&self, index: u64) -> Result<(), SrtpError> {
        match self.highest.checked_sub(index) {
            None => Ok(()),
            Some(behind) if behind >= WINDOW => Err(SrtpError::TooOld),
            Some(behind) if self.seen >> behind & 1 != 0 => Err(SrtpError::Replayed),
            Some(_) => Ok(()),
        }
    }

    /// Notes a packet that was accepted.
    pub(super) fn accept(&mut self, index: u64) {
        match self.highest.checked_sub(index) {
            Some(behind) if behind >= WINDOW => {}
            Some(behind) => self.seen |= 1 << behind,
            None => {
                let ahead = u32::try_from(index - self.highest).unwrap_or(u32::MAX);
                self.seen = self.seen.checked_shl(ahead).unwrap_or(0) | 1;
                self.highest = index;
            }
        }
    }

    /// The 48-bit index of a sequence number, next to the highest one (RFC 3711 appendix A).
    fn index(&self, sequence: u16) -> Result<u64, SrtpError> {
        let (rollovers, last) = (self.highest >> 16, (self.highest & 0xffff) as u16);
        let rollovers = if last < 0x8000 {
            if sequence.wrapping_sub(last) > 0x8000 && sequence > last {
                // From before the first packet there is.
                rollovers.checked_sub(1).ok_or(SrtpError::TooOld)?
            } else {
                rollovers
            }
        } else if last - 0x8000 > sequence {
            rollovers + 1
        } else {
            rollovers
        };
        let index = rollovers << 16 | u64::from(sequence);
        if index > LAST_INDEX {
            return Err(SrtpError::Exhausted);
        }
        Ok(index)
    }
}

/// The sources of one direction.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources {
    known: SmallVec<[(u32, Window); 1]>,
}

impl Sources {
    /// The index of a packet, and whether it may be accepted.
    pub(super) fn index(&self, ssrc: u32, sequence: u16) -> Result<u64, SrtpError> {
        match self.find(ssrc) {
            Some(window) => window.index(sequence),
            None => Ok(u64::from(sequence)),
        }
    }

    pub(super) fn check(&self, ssrc: u32, index: u64) -> Result<(), SrtpError> {
        self.find(ssrc).map_or(Ok(()), |window| window.check(index))
    }

    /// Notes a packet whose tag was right, or that was sealed.
    pub(super) fn accept(&mut self, ssrc: u32, index: u64) {
        if let Some((_, window)) = self.known.iter_mut().find(|(known, _)| *known == ssrc) {
            window.accept(index);
            return;
        }
        if self.known.len() == MAX_SOURCES {
            self.known.remove(0);
        }
        self.known.push((ssrc, Window::first(index)));
    }

    fn find(&self, ssrc: u32) -> Option<&Window> {
        let found = self.known.iter().find(|(known, _)| *known == ssrc)?;
        Some(&found.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rollover_next_to_the_highest_packet_is_taken() {
        let at = |highest: u64, sequence: u16| Window::first(highest).index(sequence);
        assert_eq!(at(5, 6), Ok(6));
        assert_eq!(at(0xffff, 0), Ok(0x1_0000));
        assert_eq!(at(0x1_0000, 0xffff), Ok(0xffff));
        assert_eq!(at(3, 0xffff), Err(SrtpError::TooOld));
        assert_eq!(at(0x7_8000, 0x7000), Ok(0x7_7000));
        assert_eq!(at(0x7_7fff, 0x9000), Ok(0x7_9000));
        assert_eq!(at(LAST_INDEX, 0), Err(SrtpError::Exhausted));
    }

    #[test]
    fn a_packet_is_accepted_once_and_only_while_it_is_young() {
        let mut window = Window::first(1000);
        assert_eq!(window.check(1000), Err(SrtpError::Replayed));
        window.accept(1010);
        for index in 1001..1010 {
            assert_eq!(window.check(index), Ok(()), "{index}");
            window.accept(index);
            assert_eq!(window.check(index), Err(SrtpError::Replayed), "{index}");
        }
        assert_eq!(window.check(1010 - WINDOW + 1), Ok(()));
        assert_eq!(window.check(1010 - WINDOW), Err(SrtpError::TooOld));
        window.accept(5000);
        assert_eq!(window.check(4999), Ok(()));
        assert_eq!(window.check(1010), Err(SrtpError::TooOld));
        window.accept(u64::MAX);
        assert_eq!(window.check(u64::MAX - 1), Ok(()));
    }

    #[test]
    fn sources_are_bounded() {
        let mut sources = Sources::default();
        for ssrc in 0..100 {
            sources.accept(ssrc, 7);
        }
        assert_eq!(sources.known.len(), MAX_SOURCES);
        assert_eq!(sources.check(99, 7), Err(SrtpError::Replayed));
        assert_eq!(sources.check(0, 7), Ok(()));
    }
}
