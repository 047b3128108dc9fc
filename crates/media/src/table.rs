// SPDX-License-Identifier: AGPL-3.0-only
//! Tables that grow piece by piece, for what there is one of per stream.
//!
//! A vector that grows moves into a block of twice the size. On the way to ten thousand streams each table would leave a
//! block of every size behind, and an allocator keeps large blocks in areas by size, so that few tables cost megabytes that
//! hold nothing. The pieces here are small, and stay where they are.

/// Entries of a piece; a power of two.
const PIECE: usize = 64;

/// Entries by number; those that nobody has set have their default.
#[derive(Debug)]
pub struct Table<T> {
    pieces: Vec<Box<[T]>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { pieces: Vec::new() }
    }
}

impl<T: Default> Table<T> {
    /// The entry, if the table reaches that far.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.pieces.get(index / PIECE)?.get(index % PIECE)
    }

    /// The entry, if the table reaches that far.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.pieces.get_mut(index / PIECE)?.get_mut(index % PIECE)
    }

    /// The entry, up to which the table grows if it has to.
    pub fn reach(&mut self, index: usize) -> &mut T {
        while self.pieces.len() <= index / PIECE {
            let piece = core::iter::repeat_with(T::default).take(PIECE);
            self.pieces.push(piece.collect());
        }
        &mut self.pieces[index / PIECE][index % PIECE]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stay_where_they_are_and_those_between_have_their_default() {
        let mut table: Table<u32> = Table::default();
        assert_eq!(table.get(0), None);
        *table.reach(200) = 7;
        let place: *const u32 = table.reach(200);
        for index in 0..1000 {
            *table.reach(index) += 1;
        }
        assert_eq!((table.get(0), table.get(200)), (Some(&1), Some(&8)));
        assert!(core::ptr::eq(place, table.reach(200)));
        // The last piece is whole.
        assert_eq!(table.get(1023), Some(&0));
        assert_eq!(table.get(1024), None);
        assert_eq!(table.get_mut(usize::MAX), None);
    }
}
