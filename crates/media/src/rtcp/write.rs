// SPDX-License-Identifier: AGPL-3.0-only
//! Parts of compound packets, appended one after the other.

use super::{
    BLOCK_LEN, GOODBYE, MAX_BLOCKS, RECEIVER_REPORT, ReportBlock, SENDER_REPORT,
    SOURCE_DESCRIPTION, SenderInfo,
};

/// Writes a header with the length of what was appended since `start`.
fn seal(out: &mut [u8], start: usize, count: usize, kind: u8) {
    // A part of ours has a few hundred bytes; its length is in words without the first.
    let words = (out.len() - start) / 4 - 1;
    out[start] = 0x80 | count as u8;
    out[start + 1] = kind;
    out[start + 2..start + 4].copy_from_slice(&(words as u16).to_be_bytes());
}

fn open(ssrc: u32, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&ssrc.to_be_bytes());
    start
}

fn append_blocks(blocks: &[ReportBlock], out: &mut Vec<u8>) -> usize {
    let blocks = &blocks[..blocks.len().min(MAX_BLOCKS)];
    out.reserve(blocks.len() * BLOCK_LEN);
    for block in blocks {
        // The bounds of 24 bits with a sign.
        let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff);
        let lost = lost.cast_unsigned() & 0xff_ffff | u32::from(block.fraction_lost) << 24;
        for word in [
            block.ssrc,
            lost,
            block.highest_sequence,
            block.jitter,
            block.last_report,
            block.delay,
        ] {
            out.extend_from_slice(&word.to_be_bytes());
        }
    }
    blocks.len()
}

/// Appends a sender report; blocks above [`MAX_BLOCKS`] are left out.
pub fn append_sender_report(
    ssrc: u32,
    info: &SenderInfo,
    blocks: &[ReportBlock],
    out: &mut Vec<u8>,
) {
    let start = open(ssrc, out);
    out.extend_from_slice(&info.ntp.0.to_be_bytes());
    for word in [info.rtp_timestamp, info.packets, info.octets] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    let count = append_blocks(blocks, out);
    seal(out, start, count, SENDER_REPORT);
}

/// Appends a receiver report; blocks above [`MAX_BLOCKS`] are left out.
pub fn append_receiver_report(ssrc: u32, blocks: &[ReportBlock], out: &mut Vec<u8>) {
    let start = open(ssrc, out);
    let count = append_blocks(blocks, out);
    seal(out, start, count, RECEIVER_REPORT);
}

/// Appends a source description with a canonical name, of which 255 bytes count. Every compound packet has one.
pub fn append_name(ssrc: u32, name: &[u8], out: &mut Vec<u8>) {
    const CNAME: u8 = 1;
    let start = open(ssrc, out);
    let name = &name[..name.len().min(usize::from(u8::MAX))];
    out.extend_from_slice(&[CNAME, name.len() as u8]);
    out.extend_from_slice(name);
    // At least one zero ends the items, then up to a whole word.
    out.push(0);
    while !(out.len() - start).is_multiple_of(4) {
        out.push(0);
    }
    seal(out, start, 1, SOURCE_DESCRIPTION);
}

/// Appends a goodbye.
pub fn append_goodbye(ssrc: u32, out: &mut Vec<u8>) {
    let start = open(ssrc, out);
    seal(out, start, 1, GOODBYE);
}
