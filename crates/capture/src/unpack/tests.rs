// SPDX-License-Identifier: AGPL-3.0-only
//! Files that are compressed, whole, broken off, or very much smaller than what they unpack to.

use crate::testing::{PcapFile, address, ip, udp};
use crate::{Capture, CaptureError, ReadOptions, read};
use flate2::Compression;
use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
use std::io::Write;

/// A capture of so many messages.
fn messages(count: u32) -> Vec<u8> {
    let [from, to] = ["192.0.2.1:4000", "192.0.2.2:5060"].map(address);
    let mut file = PcapFile::new(101);
    for second in 0..count {
        let message = format!("OPTIONS sip:{second} SIP/2.0\r\n\r\n");
        file.frame(
            second,
            &ip(from, to, 17, &udp(4000, 5060, message.as_bytes())),
        );
    }
    file.bytes().to_vec()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let blocks = FrameInfo::new().block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(blocks, Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn whole(bytes: &[u8]) -> Capture {
    read(bytes, &ReadOptions::default()).expect("a capture")
}

#[test]
fn compressed_files_are_read_like_others() {
    let file = messages(2000);
    let plain = whole(&file);
    assert_eq!(plain.messages.len(), 2000);
    for compress in [gzip, lz4, zstd] {
        let packed = compress(&file);
        assert!(packed.len() < file.len() / 2);
        assert!(whole(&packed) == plain);
        // In two parts, one behind the other.
        let (first, second) = file.split_at(5000);
        assert!(whole(&[compress(first), compress(second)].concat()) == plain);
    }
}

#[test]
fn of_a_compressed_file_that_breaks_off_the_beginning_is_read() {
    // Hard to compress, so that the end is not in the last bytes.
    let file = messages(20_000);
    for compress in [gzip, lz4, zstd] {
        let mut packed = compress(&file);
        packed.truncate(packed.len() / 2);
        let capture = whole(&packed);
        assert!(capture.messages.len() > 1000, "{}", capture.messages.len());
        assert!(
            capture
                .losses
                .iter()
                .any(|loss| loss.what.contains("compressed, and damaged"))
        );
    }
}

#[test]
fn a_file_unpacks_to_no_more_than_is_allowed() {
    let file = messages(1000);
    let options = ReadOptions {
        max_unpacked: file.len() / 2,
        ..ReadOptions::default()
    };
    for compress in [gzip, lz4, zstd] {
        let capture = read(&compress(&file), &options).unwrap();
        assert!((400..501).contains(&capture.messages.len()));
        assert!(
            capture
                .losses
                .iter()
                .any(|loss| loss.what.contains("unpacks to more than"))
        );
        // Just enough is enough.
        let options = ReadOptions {
            max_unpacked: file.len(),
            ..ReadOptions::default()
        };
        assert_eq!(read(&compress(&file), &options).unwrap().losses, []);
    }
}

#[test]
fn other_files_are_refused_by_name() {
    for (bytes, name) in [
        (&b"BZh91AY"[..], "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"snoop\0\0\0\0", "snoop"),
    ] {
        assert_eq!(
            read(bytes, &ReadOptions::default()),
            Err(CaptureError::Unsupported(name))
        );
    }
}

#[test]
fn of_a_compressed_file_that_ends_at_once_the_reason_is_told() {
    for compress in [gzip, lz4, zstd] {
        let packed = compress(&messages(9));
        let error = read(&packed[..8], &ReadOptions::default()).unwrap_err();
        assert!(
            error.to_string().contains("compressed, and damaged"),
            "{error}"
        );
    }
}
