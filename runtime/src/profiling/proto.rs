// SPDX-License-Identifier: AGPL-3.0-only
//! The form of `pprof`: a message of `profile.proto`, compressed.
//!
//! A dozen fields by hand; tests read them with a decoder of another crate.

use std::collections::HashMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::symbols::{Frame, Names};
use super::{Column, Profile};

/// Kinds of fields on the wire.
const VARINT: u64 = 0;
const BYTES: u64 = 2;

/// Fields of `Profile`.
mod field {
    pub(super) const SAMPLE_TYPE: u64 = 1;
    pub(super) const SAMPLE: u64 = 2;
    pub(super) const MAPPING: u64 = 3;
    pub(super) const LOCATION: u64 = 4;
    pub(super) const FUNCTION: u64 = 5;
    pub(super) const STRING_TABLE: u64 = 6;
    pub(super) const TIME_NANOS: u64 = 9;
    pub(super) const DURATION_NANOS: u64 = 10;
    pub(super) const PERIOD_TYPE: u64 = 11;
    pub(super) const PERIOD: u64 = 12;
    pub(super) const DEFAULT_SAMPLE_TYPE: u64 = 14;
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3 | VARINT);
    varint(out, value);
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | BYTES);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// A list of numbers, packed.
fn numbers(out: &mut Vec<u8>, field: u64, values: impl IntoIterator<Item = u64>) {
    let mut packed = Vec::new();
    for value in values {
        varint(&mut packed, value);
    }
    bytes(out, field, &packed);
}

/// Every text once; the first is the empty one.
#[derive(Default)]
struct Texts {
    places: HashMap<String, u64>,
    all: Vec<String>,
}

impl Texts {
    fn place(&mut self, text: &str) -> u64 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.all.len() as u64;
        self.all.push(text.to_owned());
        self.places.insert(text.to_owned(), place);
        place
    }

    fn column(&mut self, (kind, unit): Column) -> Vec<u8> {
        let mut out = Vec::new();
        number(&mut out, 1, self.place(kind));
        number(&mut out, 2, self.place(unit));
        out
    }
}

/// Functions that were met, with their numbers, from 1.
#[derive(Default)]
struct Functions {
    numbers: HashMap<(String, String), u64>,
    out: Vec<u8>,
}

impl Functions {
    fn number(&mut self, frame: &Frame, texts: &mut Texts) -> u64 {
        let key = (frame.name.clone(), frame.file.clone());
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        let id = self.numbers.len() as u64 + 1;
        self.numbers.insert(key, id);
        let mut function = Vec::new();
        number(&mut function, 1, id);
        number(&mut function, 2, texts.place(&frame.name));
        number(&mut function, 3, texts.place(&frame.name));
        number(&mut function, 4, texts.place(&frame.file));
        bytes(&mut self.out, field::FUNCTION, &function);
        id
    }
}

/// See [`Profile::to_pprof`].
pub(super) fn encode(profile: &Profile) -> Vec<u8> {
    let (mut out, mut texts) = (Vec::new(), Texts::default());
    texts.place("");
    for column in &profile.columns {
        let column = texts.column(*column);
        bytes(&mut out, field::SAMPLE_TYPE, &column);
    }
    let (mut names, mut functions) = (Names::default(), Functions::default());
    let mut locations: HashMap<usize, u64> = HashMap::new();
    let mut of_locations = Vec::new();
    for (stack, figures) in &profile.samples {
        for ip in stack {
            if locations.contains_key(ip) {
                continue;
            }
            let id = locations.len() as u64 + 1;
            locations.insert(*ip, id);
            let mut location = Vec::new();
            number(&mut location, 1, id);
            number(&mut location, 2, 1);
            number(&mut location, 3, *ip as u64);
            for frame in names.of(*ip) {
                let mut line = Vec::new();
                number(&mut line, 1, functions.number(frame, &mut texts));
                number(&mut line, 2, frame.line.into());
                bytes(&mut location, 4, &line);
            }
            bytes(&mut of_locations, field::LOCATION, &location);
        }
        let mut sample = Vec::new();
        let places = stack.iter().filter_map(|ip| locations.get(ip).copied());
        numbers(&mut sample, 1, places);
        numbers(
            &mut sample,
            2,
            figures.iter().map(|figure| figure.cast_unsigned()),
        );
        bytes(&mut out, field::SAMPLE, &sample);
    }
    bytes(&mut out, field::MAPPING, &mapping(&mut texts));
    out.extend_from_slice(&of_locations);
    out.extend_from_slice(&functions.out);
    let (of_period, period) = profile.period;
    let of_period = texts.column(of_period);
    let default = profile.columns.get(profile.default);
    let default = default.map_or(0, |(kind, _)| texts.place(kind));
    for text in &texts.all {
        bytes(&mut out, field::STRING_TABLE, text.as_bytes());
    }
    number(&mut out, field::TIME_NANOS, profile.began_unix_ns);
    let lasted = u64::try_from(profile.lasted.as_nanos()).unwrap_or(u64::MAX);
    number(&mut out, field::DURATION_NANOS, lasted);
    bytes(&mut out, field::PERIOD_TYPE, &of_period);
    number(&mut out, field::PERIOD, period.cast_unsigned());
    number(&mut out, field::DEFAULT_SAMPLE_TYPE, default);
    compressed(&out)
}

/// The program, as one mapping of everything: names are looked up here, not by who reads it.
fn mapping(texts: &mut Texts) -> Vec<u8> {
    let mut out = Vec::new();
    number(&mut out, 1, 1);
    number(&mut out, 3, i64::MAX.cast_unsigned());
    let program = std::env::current_exe().unwrap_or_default();
    number(&mut out, 5, texts.place(&program.display().to_string()));
    // It has functions, files and lines.
    for known in 7..=9 {
        number(&mut out, known, 1);
    }
    out
}

fn compressed(message: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Memory takes what it is given.
    let written = encoder.write_all(message).and_then(|()| encoder.finish());
    debug_assert!(written.is_ok());
    written.unwrap_or_default()
}
