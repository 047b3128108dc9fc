// SPDX-License-Identifier: AGPL-3.0-only
//! The first place of a byte in a short text.
//!
//! Header lines are short: by the time a search made for long texts has chosen its strategy, the line has ended.

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES << 7;

/// Where `byte` first occurs in `text`.
#[inline(always)]
pub(crate) fn find(text: &[u8], byte: u8) -> Option<usize> {
    let (blocks, rest) = text.as_chunks::<16>();
    let mut skipped = 0;
    for block in blocks {
        if let Some(at) = find_in(block, byte) {
            return Some(skipped + at);
        }
        skipped += block.len();
    }
    match text.last_chunk() {
        // It is not in what this one has in common with the one before.
        Some(last) => Some(text.len() - last.len() + find_in(last, byte)?),
        None => find_near(rest, byte),
    }
}

/// Within how many bytes most lines end.
const LINE: usize = 80;

/// Longer than any text: where what is not there stands.
pub(crate) const NOWHERE: usize = usize::MAX;

/// [`find`] where it is expected as near as the end of a line; [`NOWHERE`] if it does not occur, which no text has a place
/// for.
#[inline(always)]
pub(crate) fn find_in_line(text: &[u8], byte: u8) -> usize {
    // Without a loop: a known number of blocks needs neither counting nor bounds.
    if let Some(front) = text.first_chunk::<LINE>() {
        let (blocks, _) = front.as_chunks::<16>();
        for (index, block) in blocks.iter().enumerate() {
            if let Some(at) = find_in(block, byte) {
                return 16 * index + at;
            }
        }
        return find_from(text, LINE, byte);
    }
    find_from(text, 0, byte)
}

#[inline(never)]
fn find_from(text: &[u8], from: usize, byte: u8) -> usize {
    let found = find(text.get(from..).unwrap_or(&[]), byte);
    found.map_or(NOWHERE, |at| from + at)
}

/// [`find`] in a block.
#[inline(always)]
pub(crate) fn find_in(block: &[u8; 16], byte: u8) -> Option<usize> {
    if !within(block, byte) {
        return None;
    }
    let both = u128::from_le_bytes(*block);
    Some(match lowest_equal(both as u64, byte) {
        0 => {
            let high = lowest_equal((both >> 64) as u64, byte);
            8 + (high.trailing_zeros() / 8) as usize
        }
        low => (low.trailing_zeros() / 8) as usize,
    })
}

/// Whether a byte occurs in a block.
#[inline(always)]
fn within(block: &[u8; 16], byte: u8) -> bool {
    // Without a way out of the loop this is one comparison of a vector.
    let mut any = false;
    for other in block {
        any |= *other == byte;
    }
    any
}

/// Whether any of these bytes occurs in a block.
#[inline(always)]
pub(crate) fn any_of<const N: usize>(block: &[u8; 16], bytes: [u8; N]) -> bool {
    let mut any = false;
    for byte in bytes {
        any |= within(block, byte);
    }
    any
}

/// Whether any of these bytes occurs in a text; perhaps also if the text is short.
#[inline(always)]
pub(crate) fn may_contain<const N: usize>(text: &[u8], bytes: [u8; N]) -> bool {
    let Some(last) = text.last_chunk::<16>() else {
        return true;
    };
    // The last block may overlap the one before.
    let (blocks, _) = text.as_chunks::<16>();
    for block in blocks {
        if any_of(block, bytes) {
            return true;
        }
    }
    any_of(last, bytes)
}

/// The high bit of the lowest byte of a word that equals `byte`, and perhaps bits above it; 0 if none does.
#[inline(always)]
pub(crate) fn lowest_equal(word: u64, byte: u8) -> u64 {
    // The lowest byte that became zero has its high bit set, and none below it has.
    let differs = word ^ (ONES * u64::from(byte));
    differs.wrapping_sub(ONES) & !differs & HIGH
}

/// Where the lowest byte of a word stands that is a blank or a control character, if one does.
#[inline(always)]
pub(crate) fn lowest_blank(word: u64) -> Option<usize> {
    // As with `lowest_equal`: what a lower byte borrows is of no matter for the lowest.
    let blanks = word.wrapping_sub(ONES * 0x21) & !word & HIGH;
    (blanks != 0).then_some((blanks.trailing_zeros() / 8) as usize)
}

/// Whether `byte` occurs in `text`.
#[inline(always)]
pub(crate) fn contains(text: &[u8], byte: u8) -> bool {
    if text.len() < 16 {
        return find_near(text, byte).is_some();
    }
    may_contain(text, [byte])
}

/// [`find`] where it is expected within the first eight bytes or so.
#[inline(always)]
pub(crate) fn find_near(text: &[u8], byte: u8) -> Option<usize> {
    let mut rest = text;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        let equal = lowest_equal(u64::from_le_bytes(*word), byte);
        if equal != 0 {
            return Some(text.len() - rest.len() + (equal.trailing_zeros() / 8) as usize);
        }
        rest = behind;
    }
    // What it has in common with the word before was looked at.
    if let Some(last) = text.last_chunk::<8>() {
        let equal = lowest_equal(u64::from_le_bytes(*last), byte);
        let at = text.len() - last.len() + (equal.trailing_zeros() / 8) as usize;
        return (equal != 0).then_some(at);
    }
    rest.iter().position(|other| *other == byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_is_found_wherever_it_is() {
        for byte in [0, 1, b'\n', b':', 0x7f, 0x80, 0xff] {
            for other in [0, 1, b'\n' ^ 1, 0x7e, 0x80, 0x81, 0xfe] {
                if other == byte {
                    continue;
                }
                for length in 0..100 {
                    let mut text = vec![other; length];
                    assert_eq!(find(&text, byte), None);
                    assert_eq!(find_in_line(&text, byte), NOWHERE);
                    assert_eq!(find_near(&text, byte), None);
                    assert!(!contains(&text, byte));
                    // From the end to the beginning: those behind the first must not matter.
                    for at in (0..length).rev() {
                        text[at] = byte;
                        assert_eq!(find(&text, byte), Some(at), "{byte} {other} {length}");
                        assert_eq!(find_in_line(&text, byte), at, "{byte} {other}");
                        assert_eq!(find_near(&text, byte), Some(at), "{byte} {other}");
                        assert!(contains(&text, byte));
                    }
                }
            }
        }
    }

    #[test]
    fn the_lowest_blank_of_a_word_is_found() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                for other in [0x21, b'A', 0x7f, 0x80, 0xa0, 0xff] {
                    let mut word = [other; 8];
                    word[at] = byte;
                    let found = lowest_blank(u64::from_le_bytes(word));
                    assert_eq!(found, (byte <= b' ').then_some(at), "{byte} {at} {other}");
                }
            }
        }
    }
}
