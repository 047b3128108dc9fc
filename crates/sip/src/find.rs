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
        if within(block, byte) {
            let both = u128::from_le_bytes(*block);
            let low = lowest_equal(both as u64, byte);
            return Some(match low {
                0 => {
                    let high = lowest_equal((both >> 64) as u64, byte);
                    skipped + 8 + (high.trailing_zeros() / 8) as usize
                }
                _ => skipped + (low.trailing_zeros() / 8) as usize,
            });
        }
        skipped += block.len();
    }
    Some(skipped + find_near(rest, byte)?)
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

/// Whether any of these bytes occurs in a text; perhaps also if the text is short.
#[inline(always)]
pub(crate) fn may_contain(text: &[u8], bytes: [u8; 2]) -> bool {
    let Some(last) = text.last_chunk::<16>() else {
        return true;
    };
    let mut any = [false; 16];
    let (blocks, _) = text.as_chunks::<16>();
    for block in blocks.iter().chain([last]) {
        for (any, other) in any.iter_mut().zip(block) {
            *any |= *other == bytes[0] || *other == bytes[1];
        }
    }
    any.contains(&true)
}

/// The high bit of the lowest byte of a word that equals `byte`, and perhaps bits above it; 0 if none does.
#[inline(always)]
pub(crate) fn lowest_equal(word: u64, byte: u8) -> u64 {
    // The lowest byte that became zero has its high bit set, and none below it has.
    let differs = word ^ (ONES * u64::from(byte));
    differs.wrapping_sub(ONES) & !differs & HIGH
}

/// Whether `byte` occurs in `text`.
#[inline(always)]
pub(crate) fn contains(text: &[u8], byte: u8) -> bool {
    let Some(last) = text.last_chunk::<16>() else {
        return find_near(text, byte).is_some();
    };
    // The last block may overlap the one before.
    let (blocks, _) = text.as_chunks::<16>();
    blocks.iter().any(|block| within(block, byte)) || within(last, byte)
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
    for (at, other) in rest.iter().enumerate() {
        if *other == byte {
            return Some(text.len() - rest.len() + at);
        }
    }
    None
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
                for length in 0..70 {
                    let mut text = vec![other; length];
                    assert_eq!(find(&text, byte), None);
                    assert_eq!(find_near(&text, byte), None);
                    assert!(!contains(&text, byte));
                    // From the end to the beginning: those behind the first must not matter.
                    for at in (0..length).rev() {
                        text[at] = byte;
                        assert_eq!(find(&text, byte), Some(at), "{byte} {other} {length}");
                        assert_eq!(find_near(&text, byte), Some(at), "{byte} {other}");
                        assert!(contains(&text, byte));
                    }
                }
            }
        }
    }
}
