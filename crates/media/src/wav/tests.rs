// SPDX-License-Identifier: AGPL-3.0-only
//! Files of the other implementation, our own, and broken ones.

use super::*;
use proptest::prelude::*;
use std::io::Cursor;

fn of_hound<S: hound::Sample + Copy>(
    channels: u16,
    bits: u16,
    format: hound::SampleFormat,
    samples: &[S],
) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels,
        sample_rate: 44_100,
        bits_per_sample: bits,
        sample_format: format,
    };
    let mut out = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut out, spec).unwrap();
    for sample in samples {
        writer.write_sample(*sample).unwrap();
    }
    writer.finalize().unwrap();
    out.into_inner()
}

fn written(channels: u16, rate: u32, samples: &[i16]) -> Vec<u8> {
    let mut writer = WavWriter::new(channels, rate);
    let mut out = writer.header().to_vec();
    for part in samples.chunks(7) {
        assert!(writer.append(part, &mut out));
    }
    for (at, length) in writer.lengths() {
        out[at as usize..at as usize + 4].copy_from_slice(&length);
    }
    out
}

#[test]
fn every_width_is_read() {
    let int = hound::SampleFormat::Int;
    let samples = |bytes: &[u8]| read(bytes).unwrap().samples;
    assert_eq!(
        samples(&of_hound(1, 8, int, &[-128i8, 0, 127])),
        [-32_768, 0, 32_512]
    );
    assert_eq!(samples(&of_hound(1, 16, int, &[-5i16, 7])), [-5, 7]);
    assert_eq!(
        samples(&of_hound(1, 24, int, &[-0x80_0000i32, 0x12_3456])),
        [-32_768, 0x1234]
    );
    assert_eq!(
        samples(&of_hound(1, 32, int, &[0x1234_5678i32, -0x8000_0000])),
        [0x1234, -32_768]
    );
    let float = hound::SampleFormat::Float;
    let found = samples(&of_hound(1, 32, float, &[0.5f32, -1.0, 9.0, f32::NAN]));
    assert_eq!(found, [16_384, -32_767, 32_767, 0]);
    assert_eq!(read(&of_hound(1, 16, int, &[1i16])).unwrap().rate, 44_100);
}

#[test]
fn channels_are_mixed() {
    let bytes = of_hound(
        2,
        16,
        hound::SampleFormat::Int,
        &[100i16, 300, -32_768, -32_768],
    );
    assert_eq!(read(&bytes).unwrap().samples, [200, -32_768]);
}

/// A file of a coding of one byte a sample.
fn bytes_of(coding: u16, data: &[u8]) -> Vec<u8> {
    let mut out = WavWriter::new(1, 8000).header().to_vec();
    out[20..22].copy_from_slice(&coding.to_le_bytes());
    out[34..36].copy_from_slice(&8u16.to_le_bytes());
    out[40..44].copy_from_slice(&(data.len() as u32).to_le_bytes());
    out.extend_from_slice(data);
    out
}

#[test]
fn telephone_codings_are_read() {
    assert_eq!(
        read(&bytes_of(7, &[0x80, 0xff])).unwrap().samples,
        [32_124, 0]
    );
    assert_eq!(
        read(&bytes_of(6, &[0xaa, 0xd5])).unwrap().samples,
        [32_256, 8]
    );
    assert_eq!(read(&bytes_of(49, &[0])), Err(WavError::Coding(49)));
}

#[test]
fn a_file_that_was_never_finished_is_read_as_far_as_it_goes() {
    let mut writer = WavWriter::new(1, 8000);
    let mut bytes = writer.header().to_vec();
    writer.append(&[1, 2, 3], &mut bytes);
    assert_eq!(read(&bytes).unwrap().samples, [1, 2, 3]);
    bytes[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    bytes.push(9);
    assert_eq!(read(&bytes).unwrap().samples, [1, 2, 3]);
    assert_eq!(data(&bytes), Some(44..51));
}

#[test]
fn unknown_chunks_are_passed_over() {
    let mut bytes = written(1, 8000, &[4, 5]);
    let odd = b"LIST\x03\0\0\0abc\0".iter().copied();
    bytes.splice(36..36, odd);
    assert_eq!(read(&bytes).unwrap().samples, [4, 5]);
    assert_eq!(data(&bytes), Some(56..60));
}

#[test]
fn what_cannot_be_played_is_refused_with_the_reason() {
    assert_eq!(read(b""), Err(WavError::NotWav));
    assert_eq!(read(b"RIFF____WAVX"), Err(WavError::NotWav));
    assert_eq!(read(b"RIFF____WAVE"), Err(WavError::Format));
    let good = written(1, 8000, &[1, 2]);
    assert_eq!(read(&good[..44]), Err(WavError::NoData));
    assert_eq!(read(&good[..40]), Err(WavError::NoData));
    let with = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        read(&file).unwrap_err()
    };
    assert_eq!(with(22, &[0, 0]), WavError::Format);
    assert_eq!(with(22, &[255, 255]), WavError::Format);
    assert_eq!(with(24, &1u32.to_le_bytes()), WavError::Rate(1));
    assert_eq!(with(24, &u32::MAX.to_le_bytes()), WavError::Rate(u32::MAX));
    assert_eq!(with(34, &[0, 0]), WavError::Format);
    // No format before the data.
    assert_eq!(with(12, b"junk"), WavError::Format);
    let mut long = written(1, 1000, &[]);
    long.resize(44 + 2 * 1000 * 7200, 0);
    assert_eq!(read(&long), Err(WavError::TooLong));
}

proptest! {
    #[test]
    fn the_other_implementation_reads_what_we_write(
        channels in 1u16..3, rate in 1000u32..100_000,
        samples in proptest::collection::vec(any::<i16>(), 2..300),
    ) {
        let whole = samples.len() / usize::from(channels) * usize::from(channels);
        let bytes = written(channels, rate, &samples[..whole]);
        let mut reader = hound::WavReader::new(Cursor::new(&bytes)).unwrap();
        let spec = reader.spec();
        prop_assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (channels, rate, 16));
        let read_back: Vec<i16> = reader.samples().map(Result::unwrap).collect();
        prop_assert_eq!(&read_back[..], &samples[..whole]);
        if channels == 1 {
            prop_assert_eq!(read(&bytes).unwrap(), Audio { rate, samples });
        }
    }

    #[test]
    fn any_bytes_behind_a_header_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let mut file = b"RIFF____WAVEfmt \x10\0\0\0".to_vec();
        file.extend_from_slice(&bytes);
        crate::fuzz::wav(&file);
    }
}
