// SPDX-License-Identifier: AGPL-3.0-only
//! Circuits of a trunk (`-tdmmap`): every call has one to itself as long as it lasts.
//!
//! A map `{a-b}{h}{c-d}{e-f}` has as many circuits as there are choices of a number from each of the three ranges. The
//! search for a free one begins at a random place, as in SIPp.

use std::io::Write as _;

/// Most circuits; a map of them takes a bit each.
pub const CIRCUITS_MAX: u32 = 1 << 20;

/// A range of numbers, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Range {
    first: u32,
    count: u32,
}

/// A map of circuits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CircuitMap {
    trunks: Range,
    fixed: u32,
    groups: Range,
    slots: Range,
}

/// Why a text is no map of circuits.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadMap {
    /// It has another form.
    #[error("`{0}` is not of the form {{a-b}}{{h}}{{c-d}}{{e-f}} with whole numbers")]
    Form(String),
    /// A range ends before it begins.
    #[error("the range `{0}-{1}` ends before it begins")]
    Backwards(u32, u32),
    /// There are too many circuits.
    #[error("more than {CIRCUITS_MAX} circuits")]
    TooMany,
}

impl CircuitMap {
    /// Reads `{a-b}{h}{c-d}{e-f}`.
    ///
    /// # Errors
    /// See [`BadMap`].
    pub fn parse(text: &str) -> Result<Self, BadMap> {
        let form = || BadMap::Form(text.to_owned());
        let inner = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'));
        let parts: Vec<&str> = inner.ok_or_else(form)?.split("}{").collect();
        let [trunks, fixed, groups, slots] = parts[..] else {
            return Err(form());
        };
        let number = |text: &str| -> Result<u32, BadMap> {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.then(|| text.parse().ok()).flatten();
            number.ok_or_else(form)
        };
        let range = |text: &str| {
            let (first, last) = text.split_once('-').ok_or_else(form)?;
            let (first, last) = (number(first)?, number(last)?);
            match last.checked_sub(first) {
                Some(more) => Ok(Range {
                    first,
                    count: more.checked_add(1).ok_or(BadMap::TooMany)?,
                }),
                None => Err(BadMap::Backwards(first, last)),
            }
        };
        let map = Self {
            trunks: range(trunks)?,
            fixed: number(fixed)?,
            groups: range(groups)?,
            slots: range(slots)?,
        };
        let ranges = [map.trunks, map.groups, map.slots];
        ranges
            .iter()
            .try_fold(1_u32, |all, range| all.checked_mul(range.count))
            .filter(|all| *all <= CIRCUITS_MAX)
            .ok_or(BadMap::TooMany)?;
        Ok(map)
    }

    /// Number of circuits.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.trunks.count * self.groups.count * self.slots.count
    }

    /// Slots of a group: as many circuits stand in a row of a map.
    #[must_use]
    pub fn slots(&self) -> u32 {
        self.slots.count
    }

    /// Prints the name of a circuit: `x.h.y/z`.
    pub(crate) fn print(&self, circuit: u32, out: &mut Vec<u8>) {
        // COMPAT(sipp): circuits count from 1 there, so that the last one of the map has the first name.
        let k = circuit + 1;
        let of = |range: Range, index: u32| range.first + index % range.count;
        let trunk = of(self.trunks, k / (self.groups.count * self.slots.count));
        let group = of(self.groups, k / self.slots.count);
        let slot = of(self.slots, k);
        // Writing to a Vec cannot fail.
        let _ = write!(out, "{trunk}.{}.{group}/{slot}", self.fixed);
    }
}

/// Which circuits are taken.
#[derive(Clone, Debug)]
pub(crate) struct Circuits {
    taken: Vec<u64>,
    count: u32,
    free: u32,
}

const BITS: u32 = u64::BITS;

impl Circuits {
    pub(crate) fn new(map: &CircuitMap) -> Self {
        let count = map.count();
        let mut taken = vec![0; count.div_ceil(BITS) as usize];
        // What the last word has too many is never free.
        if let (Some(last), rest @ 1..) = (taken.last_mut(), count % BITS) {
            *last = !0 << rest;
        }
        Self {
            taken,
            count,
            free: count,
        }
    }

    /// Number of circuits.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Takes the first free circuit from `start` on, round the end.
    pub(crate) fn take(&mut self, start: u32) -> Option<u32> {
        if self.free == 0 {
            return None;
        }
        let start = start % self.count;
        let (word, bit) = ((start / BITS) as usize, start % BITS);
        let words = self.taken.len();
        // The first word is looked at twice: from the start on, and at the end what is in front of it.
        for step in 0..=words {
            let at = (word + step) % words;
            let mask = match step {
                0 => !0 << bit,
                _ => !0,
            };
            let free = !self.taken[at] & mask;
            if free != 0 {
                let bit = free.trailing_zeros();
                self.taken[at] |= 1 << bit;
                self.free -= 1;
                return Some(at as u32 * BITS + bit);
            }
        }
        None
    }

    /// Each circuit, true if it is taken.
    pub(crate) fn taken(&self) -> impl Iterator<Item = bool> {
        (0..self.count).map(|at| self.taken[(at / BITS) as usize] >> (at % BITS) & 1 == 1)
    }

    /// Gives a circuit back.
    pub(crate) fn give_back(&mut self, circuit: u32) {
        let bit = 1 << (circuit % BITS);
        let word = &mut self.taken[(circuit / BITS) as usize];
        self.free += u32::from(*word & bit != 0);
        *word &= !bit;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn names(text: &str) -> Vec<String> {
        let map = CircuitMap::parse(text).expect(text);
        let name = |circuit| {
            let mut out = Vec::new();
            map.print(circuit, &mut out);
            String::from_utf8(out).expect("ASCII")
        };
        (0..map.count()).map(name).collect()
    }

    #[test]
    fn names_begin_with_the_second_circuit_and_each_is_there_once() {
        assert_eq!(
            names("{0-1}{99}{5-6}{1-2}"),
            [
                "0.99.5/2", "0.99.6/1", "0.99.6/2", "1.99.5/1", "1.99.5/2", "1.99.6/1", "1.99.6/2",
                "0.99.5/1"
            ]
        );
        let many = names("{0-3}{99}{5-8}{1-31}");
        assert_eq!(many.iter().collect::<BTreeSet<_>>().len(), 4 * 4 * 31);
    }

    #[test]
    fn a_map_says_what_is_wrong_with_it() {
        let fault = |text: &str| CircuitMap::parse(text).expect_err(text).to_string();
        for text in [
            "",
            "{0-3}",
            "{0-3}{9}{1-2}",
            "{0-3}{9}{1-2}{1-2}x",
            "0-3{9}{1-2}{1-2}",
            "{0-3}{9-9}{1-2}{1-2}",
            "{0-3}{9}{1-2}{1}",
            "{0-x}{9}{1-2}{1-2}",
            "{0-+3}{9}{1-2}{1-2}",
            "{-3}{9}{1-2}{1-2}",
            "{0-99999999999}{9}{1-2}{1-2}",
        ] {
            assert!(
                fault(text).contains("is not of the form {a-b}{h}{c-d}{e-f}"),
                "{text}"
            );
        }
        assert_eq!(
            fault("{3-0}{9}{1-2}{1-2}"),
            "the range `3-0` ends before it begins"
        );
        for text in ["{0-1023}{9}{0-1023}{0-1}", "{0-4294967295}{9}{0-1}{0-1}"] {
            assert_eq!(fault(text), "more than 1048576 circuits");
        }
    }

    #[test]
    fn every_circuit_is_taken_once_until_it_is_given_back() {
        for text in [
            "{0-0}{9}{0-0}{0-0}",
            "{0-1}{9}{0-3}{0-7}",
            "{0-4}{9}{0-4}{0-4}",
        ] {
            let map = CircuitMap::parse(text).expect(text);
            let mut circuits = Circuits::new(&map);
            let start = map.count() * 2 / 3;
            let taken: Vec<u32> = std::iter::from_fn(|| circuits.take(start)).collect();
            assert_eq!(taken[0], start);
            let all: BTreeSet<u32> = taken.iter().copied().collect();
            assert_eq!(all, (0..map.count()).collect::<BTreeSet<_>>(), "{text}");
            assert_eq!(taken.len(), all.len());
            circuits.give_back(0);
            assert_eq!((circuits.take(start), circuits.take(0)), (Some(0), None));
        }
    }
}
