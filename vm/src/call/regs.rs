// SPDX-License-Identifier: AGPL-3.0-only
//! The register file: the variables of a call, or the global ones.
//!
//! Structure of arrays: an 8-byte payload and a tag byte per variable. Text is a range into the file's own byte
//! block, so a file without variables owns no memory and a variable that is overwritten by a shorter text reuses
//! its place. Conversions are those of SIPp.

/// Longest text that a variable keeps. Longer ones are cut: no scenario can grow a call without bound.
pub(crate) const MAX_TEXT: usize = 65_536;

/// Unused bytes in the block before it is compacted.
const GARBAGE_MIN: usize = 1024;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Tag {
    #[default]
    Unset,
    Bool,
    Number,
    Text,
}

/// Variables by slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Regs {
    tags: Vec<Tag>,
    payloads: Vec<u64>,
    text: Vec<u8>,
    garbage: usize,
}

/// A variable's value, borrowed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Value<'a> {
    /// Never assigned.
    Unset,
    /// A bool.
    Bool(bool),
    /// A double.
    Number(f64),
    /// A string or a captured match.
    Text(&'a [u8]),
}

impl Value<'_> {
    /// What `test` and `condexec` ask.
    pub(crate) fn is_set(self) -> bool {
        match self {
            Value::Unset => false,
            Value::Bool(b) => b,
            Value::Number(n) => n != 0.0,
            Value::Text(_) => true,
        }
    }

    /// As a double for arithmetic: anything but a double counts as 0.
    pub(crate) fn as_number(self) -> f64 {
        match self {
            Value::Number(n) => n,
            Value::Unset | Value::Bool(_) | Value::Text(_) => 0.0,
        }
    }

    /// What `todouble` makes of it; `None` when it fails.
    pub(crate) fn to_number(self) -> Option<f64> {
        match self {
            Value::Unset => None,
            Value::Bool(b) => Some(f64::from(u8::from(b))),
            Value::Number(n) => Some(n),
            Value::Text([]) => Some(0.0),
            Value::Text(text) => parse_number(text),
        }
    }
}

/// The number that a whole text spells, as `strtod` reads it: leading white space, then decimal or hexadecimal form,
/// both with an exponent.
fn parse_number(text: &[u8]) -> Option<f64> {
    let text = core::str::from_utf8(text).ok()?.trim_ascii_start();
    let (negative, magnitude) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    if let Some(digits) = magnitude
        .strip_prefix("0x")
        .or_else(|| magnitude.strip_prefix("0X"))
    {
        let number = parse_hexadecimal(digits)?;
        return Some(if negative { -number } else { number });
    }
    // Rust also takes words such as "infinity"; strtod does too, so nothing is filtered.
    text.parse().ok()
}

/// What stands behind `0x`: digits, a point among them, and perhaps `p` with a power of two.
fn parse_hexadecimal(text: &str) -> Option<f64> {
    let (digits, power) = match text.split_once(['p', 'P']) {
        Some((digits, power)) => (digits, power.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut number = 0.0;
    for digit in whole.chars() {
        number = number * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let mut unit = 1.0;
    for digit in fraction.chars() {
        unit /= 16.0;
        number += unit * f64::from(digit.to_digit(16)?);
    }
    Some(number * 2_f64.powi(power))
}

impl Regs {
    /// A file of `count` unset variables.
    pub(crate) fn new(count: usize) -> Self {
        Self {
            tags: vec![Tag::Unset; count],
            payloads: vec![0; count],
            text: Vec::new(),
            garbage: 0,
        }
    }

    /// Forgets all values, keeps the memory.
    pub(crate) fn reset(&mut self, count: usize) {
        self.tags.clear();
        self.tags.resize(count, Tag::Unset);
        self.payloads.clear();
        self.payloads.resize(count, 0);
        self.text.clear();
        self.garbage = 0;
    }

    /// Bytes it holds, apart from what the number of variables decides.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.text.capacity()
    }

    /// The value in a slot.
    pub(crate) fn value(&self, slot: usize) -> Value<'_> {
        let payload = self.payloads[slot];
        match self.tags[slot] {
            Tag::Unset => Value::Unset,
            Tag::Bool => Value::Bool(payload != 0),
            Tag::Number => Value::Number(f64::from_bits(payload)),
            Tag::Text => {
                let (start, len) = unpack(payload);
                Value::Text(&self.text[start..start + len])
            }
        }
    }

    /// Sets a bool.
    pub(crate) fn set_bool(&mut self, slot: usize, value: bool) {
        self.drop_text(slot);
        self.tags[slot] = Tag::Bool;
        self.payloads[slot] = u64::from(value);
    }

    /// Sets a double.
    pub(crate) fn set_number(&mut self, slot: usize, value: f64) {
        self.drop_text(slot);
        self.tags[slot] = Tag::Number;
        self.payloads[slot] = value.to_bits();
    }

    /// Sets a text, cut to [`MAX_TEXT`].
    pub(crate) fn set_text(&mut self, slot: usize, value: &[u8]) {
        let value = &value[..value.len().min(MAX_TEXT)];
        if self.tags[slot] == Tag::Text {
            let (start, len) = unpack(self.payloads[slot]);
            if value.len() <= len {
                self.text[start..start + value.len()].copy_from_slice(value);
                self.garbage += len - value.len();
                self.payloads[slot] = pack(start, value.len());
                return;
            }
            self.garbage += len;
            self.tags[slot] = Tag::Unset;
        }
        if self.garbage > GARBAGE_MIN && self.garbage > self.text.len() / 2 {
            self.compact();
        }
        let start = self.text.len();
        self.text.extend_from_slice(value);
        self.tags[slot] = Tag::Text;
        self.payloads[slot] = pack(start, value.len());
    }

    fn drop_text(&mut self, slot: usize) {
        if self.tags[slot] == Tag::Text {
            self.garbage += unpack(self.payloads[slot]).1;
        }
    }

    fn compact(&mut self) {
        let mut text = Vec::with_capacity(self.text.len() - self.garbage.min(self.text.len()));
        for (tag, payload) in self.tags.iter().zip(&mut self.payloads) {
            if *tag == Tag::Text {
                let (start, len) = unpack(*payload);
                *payload = pack(text.len(), len);
                text.extend_from_slice(&self.text[start..start + len]);
            }
        }
        self.text = text;
        self.garbage = 0;
    }
}

/// Texts are at most [`MAX_TEXT`] and variables at most 65 536, and compaction keeps garbage below half: offsets
/// stay far below 2^40.
const LEN_BITS: u32 = 24;

const fn pack(start: usize, len: usize) -> u64 {
    (start as u64) << LEN_BITS | len as u64
}

const fn unpack(payload: u64) -> (usize, usize) {
    (
        (payload >> LEN_BITS) as usize,
        (payload & ((1 << LEN_BITS) - 1)) as usize,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overwriting_a_text_many_times_does_not_grow_the_block() {
        let mut regs = Regs::new(2);
        regs.set_text(0, b"kept");
        for round in 0..10_000usize {
            regs.set_text(1, &vec![b'x'; round % 300]);
        }
        assert_eq!(regs.value(0), Value::Text(b"kept"));
        assert!(regs.text.len() < 8192, "{}", regs.text.len());
    }

    #[test]
    fn set_follows_the_type() {
        let mut regs = Regs::new(1);
        assert!(!regs.value(0).is_set());
        regs.set_text(0, b"");
        assert!(regs.value(0).is_set());
        assert_eq!(regs.value(0).to_number(), Some(0.0));
        regs.set_number(0, 0.0);
        assert!(!regs.value(0).is_set());
        regs.set_bool(0, true);
        assert!(regs.value(0).is_set());
        assert_eq!(regs.value(0).as_number(), 0.0);
        assert_eq!(regs.value(0).to_number(), Some(1.0));
    }

    #[test]
    fn texts_convert_as_a_whole() {
        assert_eq!(Value::Text(b" 12.5").to_number(), Some(12.5));
        assert_eq!(Value::Text(b"12x").to_number(), None);
        assert_eq!(Value::Text(b"0x1F").to_number(), Some(31.0));
        assert_eq!(Value::Text(b" -0Xa.8p1").to_number(), Some(-21.0));
        for no_number in ["0x", "0x.", "0xg", "0x1p", "0x1 ", "+-1", "0x1p+-1", "0x+1"] {
            assert_eq!(
                Value::Text(no_number.as_bytes()).to_number(),
                None,
                "{no_number}"
            );
        }
        assert_eq!(Value::Unset.to_number(), None);
    }

    #[test]
    fn overlong_texts_are_cut() {
        let mut regs = Regs::new(1);
        regs.set_text(0, &vec![b'a'; MAX_TEXT + 10]);
        assert_eq!(regs.value(0), Value::Text(&vec![b'a'; MAX_TEXT][..]));
    }
}
