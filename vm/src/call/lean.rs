// SPDX-License-Identifier: AGPL-3.0-only
//! Smaller forms of what the record of a call holds: a million calls that wait hold a million of each.

use crate::input::Micros;
use gossipper_bytecode::{RecvId, SendId, StepId};

/// A point in time in six bytes, which last for nine years.
///
/// Of the eight that a number of microseconds takes the upper two are always zero, and a call holds five such times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(Rust, packed(2))]
pub(crate) struct Moment {
    low: u32,
    high: u16,
}

impl Moment {
    /// The beginning of the run.
    pub(crate) const ZERO: Self = Self { low: 0, high: 0 };

    /// Behind all others.
    const LAST: Self = Self {
        low: u32::MAX,
        high: u16::MAX,
    };

    /// At this time.
    #[inline]
    pub(crate) const fn at(at: Micros) -> Self {
        Self {
            low: at.0 as u32,
            high: (at.0 >> 32) as u16,
        }
    }

    /// When.
    #[inline]
    pub(crate) const fn get(self) -> Micros {
        Micros((self.high as u64) << 32 | self.low as u64)
    }
}

/// A point in time or none, in the room of a point in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Deadline(Moment);

impl Deadline {
    /// None.
    pub(crate) const NONE: Self = Self(Moment::LAST);

    /// At this time. No run comes to what is too late to be told.
    #[inline]
    pub(crate) const fn at(at: Micros) -> Self {
        let last = Moment::LAST.get().0 - 1;
        Self(Moment::at(if at.0 < last { at } else { Micros(last) }))
    }

    /// The one that comes first.
    #[inline]
    pub(crate) fn earlier(self, other: Self) -> Self {
        if other.0.get().0 < self.0.get().0 {
            other
        } else {
            self
        }
    }

    /// When, if ever.
    #[inline]
    pub(crate) const fn get(self) -> Option<Micros> {
        if self.is_some() {
            Some(self.0.get())
        } else {
            None
        }
    }

    /// Whether there is one.
    #[inline]
    pub(crate) const fn is_some(self) -> bool {
        self.0.get().0 != Self::NONE.0.get().0
    }

    /// Whether there is one that has not come yet.
    #[inline]
    pub(crate) const fn is_after(self, now: Micros) -> bool {
        self.is_some() && self.0.get().0 > now.0
    }

    /// Whether there is one that has come.
    #[inline]
    pub(crate) const fn has_come(self, now: Micros) -> bool {
        self.is_some() && self.0.get().0 <= now.0
    }
}

impl From<Option<Micros>> for Deadline {
    fn from(at: Option<Micros>) -> Self {
        at.map_or(Self::NONE, Self::at)
    }
}

/// An index into a table of the program or none, in the room of an index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Maybe<Id>(Id);

/// Makes an index one that [`Maybe`] takes. The last one there could be stands for none: linking refuses programs with so
/// many steps that there is one.
macro_rules! maybe {
    ($($id:ident)*) => {$(
        impl Maybe<$id> {
            /// None.
            pub(crate) const NONE: Self = Self($id(u16::MAX));

            /// The index, if there is one.
            #[inline]
            pub(crate) const fn get(self) -> Option<$id> {
                if self.0.0 == u16::MAX {
                    None
                } else {
                    Some(self.0)
                }
            }
        }

        impl From<$id> for Maybe<$id> {
            #[inline]
            fn from(id: $id) -> Self {
                Self(id)
            }
        }
    )*};
}

maybe! { SendId RecvId StepId }

/// A short text, inline up to `N` bytes.
#[derive(Clone, Debug)]
pub(crate) enum Short<const N: usize> {
    Inline(u8, [u8; N]),
    Heap(Box<[u8]>),
}

impl<const N: usize> Short<N> {
    /// Without text.
    pub(crate) const EMPTY: Self = Self::Inline(0, [0; N]);

    /// Takes another text, where there was one in the heap in its memory if that has its length.
    #[inline]
    pub(crate) fn set(&mut self, text: &[u8]) {
        const { assert!(N <= u8::MAX as usize) };
        match self {
            Self::Inline(len, bytes) if text.len() <= N => {
                *len = text.len() as u8;
                bytes[..text.len()].copy_from_slice(text);
            }
            this => this.set_elsewhere(text),
        }
    }

    #[cold]
    fn set_elsewhere(&mut self, text: &[u8]) {
        if text.len() <= N {
            *self = Self::EMPTY;
            return self.set(text);
        }
        match self {
            Self::Heap(bytes) if bytes.len() == text.len() => bytes.copy_from_slice(text),
            _ => *self = Self::Heap(text.into()),
        }
    }

    /// Takes the text away.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.set(b"");
    }

    /// Prints the text.
    #[inline]
    pub(crate) fn print(&self, out: &mut Vec<u8>) {
        match self {
            Self::Inline(len, bytes) => {
                // As many bytes every time, which takes less than to call what copies any number.
                let end = out.len() + usize::from(*len).min(N);
                out.extend_from_slice(bytes);
                out.truncate(end);
            }
            Self::Heap(bytes) => out.extend_from_slice(bytes),
        }
    }

    /// Bytes in the heap.
    #[inline]
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Self::Inline(..) => 0,
            Self::Heap(bytes) => bytes.len(),
        }
    }
}

impl<const N: usize> core::ops::Deref for Short<N> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            // Never longer.
            Self::Inline(len, bytes) => &bytes[..usize::from(*len).min(N)],
            Self::Heap(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_comes_once_its_time_has() {
        assert_eq!(Deadline::NONE.get(), None);
        assert_eq!(Deadline::from(None), Deadline::NONE);
        let at = Deadline::from(Some(Micros(7)));
        assert_eq!(at.earlier(Deadline::NONE), at);
        assert_eq!(at.earlier(Deadline::at(Micros(3))).get(), Some(Micros(3)));
        assert_eq!(at.get(), Some(Micros(7)));
        assert!(at.is_after(Micros(6)) && !at.has_come(Micros(6)));
        assert!(!at.is_after(Micros(7)) && at.has_come(Micros(7)));
        assert!(!Deadline::NONE.is_after(Micros(0)) && !Deadline::NONE.has_come(Micros(u64::MAX)));
    }

    #[test]
    fn times_of_more_than_32_bits_come_back_and_those_beyond_48_are_the_last_there_is() {
        for at in [
            0,
            u64::from(u32::MAX),
            1 << 32,
            (3 << 40) + 5,
            (1 << 48) - 2,
        ] {
            assert_eq!(Moment::at(Micros(at)).get(), Micros(at));
            assert_eq!(Deadline::at(Micros(at)).get(), Some(Micros(at)));
        }
        let last = Deadline::at(Micros((1 << 48) - 2));
        for at in [(1 << 48) - 1, 1 << 48, u64::MAX] {
            assert_eq!(Deadline::at(Micros(at)), last);
        }
        assert!(last.is_some() && last.earlier(Deadline::NONE) == last);
        assert_eq!((size_of::<Deadline>(), align_of::<Deadline>()), (6, 2));
    }

    #[test]
    fn an_index_is_there_or_not() {
        assert_eq!(Maybe::<StepId>::NONE.get(), None);
        assert_eq!(Maybe::from(StepId(0)).get(), Some(StepId(0)));
        assert_eq!(Maybe::from(SendId(65_534)).get(), Some(SendId(65_534)));
        assert_eq!(size_of::<Maybe<RecvId>>(), 2);
    }

    #[test]
    fn a_text_is_what_was_set_last_whatever_its_length() {
        let mut text = Short::<22>::EMPTY;
        for length in [0, 5, 22, 23, 40, 40, 3, 23, 0, 22] {
            let bytes = vec![b'a' + length as u8; length];
            text.set(&bytes);
            assert_eq!(text[..], bytes[..]);
            assert_eq!(text.heap_bytes(), if length > 22 { length } else { 0 });
        }
        text.clear();
        assert!(text.is_empty());
        assert_eq!((size_of::<Short<22>>(), size_of::<Short<38>>()), (24, 40));
    }
}
