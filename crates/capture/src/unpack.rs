// SPDX-License-Identifier: AGPL-3.0-only
//! Compressed captures and payloads, each up to a bound: a few bytes may unpack to very many.

#[cfg(test)]
mod tests;

use crate::{CaptureError, ReadOptions};
use std::borrow::Cow;
use std::io::Read;

/// Longest payload of a capture agent's packet.
const MAX_PAYLOAD: usize = 256 * 1024;

/// The bytes of a capture file.
#[derive(Debug)]
pub(crate) struct Unpacked<'a> {
    pub(crate) bytes: Cow<'a, [u8]>,
    /// Why there are no more.
    pub(crate) loss: Option<String>,
}

/// Unpacks a file, if it is compressed.
pub(crate) fn file<'a>(
    bytes: &'a [u8],
    options: &ReadOptions,
) -> Result<Unpacked<'a>, CaptureError> {
    let most = options.max_unpacked;
    let mut unpacked = match bytes {
        [0x1f, 0x8b, ..] => all(flate2::bufread::MultiGzDecoder::new(bytes), most),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => frames(bytes, most, zstd),
        [0x04, 0x22, 0x4d, 0x18, ..] => frames(bytes, most, lz4),
        _ => match unsupported(bytes) {
            Some(name) => return Err(CaptureError::Unsupported(name)),
            None => Unpacked {
                bytes: Cow::Borrowed(bytes),
                loss: None,
            },
        },
    };
    if unpacked.bytes.is_empty() && !bytes.is_empty() && unpacked.loss.is_none() {
        unpacked.loss = Some("the file is compressed, and damaged: it ends at once".to_owned());
    }
    Ok(unpacked)
}

/// What a file is that people take for a capture, and that we do not read.
fn unsupported(bytes: &[u8]) -> Option<&'static str> {
    const NAMES: [(&[u8], &str); 9] = [
        (b"BZh", "bzip2"),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], "xz"),
        (&[b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c], "7-Zip"),
        (b"PK\x03\x04", "ZIP"),
        (b"snoop\0\0\0", "snoop"),
        (b"GMBU", "Network Monitor"),
        (b"RTSS", "Network Monitor"),
        (b"XCP\0", "NetXRay"),
        (b"TRSNIFF", "Sniffer"),
    ];
    let found = NAMES.iter().find(|(magic, _)| bytes.starts_with(magic));
    found.map(|(_, name)| *name)
}

/// The payload of a packet, compressed in any of the ways in which agents do it. All payloads of a file together
/// have `room`, which shrinks.
pub(crate) fn payload(bytes: &[u8], room: &mut usize) -> Option<Vec<u8>> {
    let most = MAX_PAYLOAD.min(*room);
    let unpacked = match bytes {
        [0x1f, 0x8b, ..] => all(flate2::bufread::GzDecoder::new(bytes), most),
        _ => all(flate2::bufread::ZlibDecoder::new(bytes), most),
    };
    *room -= unpacked.bytes.len();
    unpacked.loss.is_none().then(|| unpacked.bytes.into_owned())
}

/// One frame behind the other, until there is none or one is damaged.
fn frames(
    mut bytes: &[u8],
    most: usize,
    append: impl Fn(&mut &[u8], usize, &mut Vec<u8>) -> Option<String>,
) -> Unpacked<'static> {
    let mut out = Vec::new();
    let mut loss = None;
    while !bytes.is_empty() && loss.is_none() {
        let before = bytes.len();
        loss = append(&mut bytes, most, &mut out);
        if bytes.len() == before {
            break;
        }
    }
    Unpacked {
        bytes: out.into(),
        loss,
    }
}

fn zstd(bytes: &mut &[u8], most: usize, out: &mut Vec<u8>) -> Option<String> {
    match ruzstd::decoding::StreamingDecoder::new(bytes) {
        Ok(decoder) => append(decoder, most, out),
        Err(error) => Some(format!("the file is compressed, and damaged: {error}")),
    }
}

fn lz4(bytes: &mut &[u8], most: usize, out: &mut Vec<u8>) -> Option<String> {
    append(lz4_flex::frame::FrameDecoder::new(bytes), most, out)
}

fn all(from: impl Read, most: usize) -> Unpacked<'static> {
    let mut out = Vec::new();
    let loss = append(from, most, &mut out);
    Unpacked {
        bytes: out.into(),
        loss,
    }
}

/// Appends all that can be read, up to `most` bytes altogether; why there is no more.
fn append(mut from: impl Read, most: usize, out: &mut Vec<u8>) -> Option<String> {
    let room = most.saturating_sub(out.len()) as u64;
    match from.by_ref().take(room).read_to_end(out) {
        Err(error) => Some(format!("the file is compressed, and damaged: {error}")),
        Ok(_) if out.len() < most => None,
        // Whether that was all.
        Ok(_) => match from.read(&mut [0]) {
            Ok(0) => None,
            _ => Some(format!(
                "the file unpacks to more than {most} bytes; the rest was not read"
            )),
        },
    }
}
