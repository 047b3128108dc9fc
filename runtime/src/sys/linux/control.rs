// SPDX-License-Identifier: AGPL-3.0-only
//! Control messages: what travels beside a datagram, to the kernel and back.
//!
//! They are built and read as bytes. What the kernel writes is bounded by the buffer it was given; what is cut short or
//! not asked for is passed over.

use std::mem;
use std::time::Duration;

/// Room for the control messages we send or ask for: 24 bytes of `UDP_GRO` and 32 of a time stamp.
pub(super) const CONTROL_BYTES: usize = 64;

/// A control buffer, aligned as `cmsghdr` wants it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Control(pub(super) [u8; CONTROL_BYTES]);

/// Writes the one control message `UDP_SEGMENT = size`; returns the length of the control data.
pub(super) fn write_segment_size(control: &mut Control, size: u16) -> usize {
    let header_len = mem::size_of::<libc::cmsghdr>();
    // SAFETY: CMSG_LEN and CMSG_SPACE only compute sizes from their argument.
    let (len, space) = unsafe {
        (
            libc::CMSG_LEN(mem::size_of::<u16>() as u32),
            libc::CMSG_SPACE(mem::size_of::<u16>() as u32),
        )
    };
    let mut header = zeroed_cmsg();
    header.cmsg_len = len as _;
    header.cmsg_level = libc::SOL_UDP;
    header.cmsg_type = libc::UDP_SEGMENT;
    control.0 = [0; CONTROL_BYTES];
    // SAFETY: `Control` is 64 bytes, aligned to 8, which is enough for a `cmsghdr` (16 bytes on 64-bit systems, 12 on
    // 32-bit ones) at its start; the data follows at CMSG_LEN(0), inside the buffer, and is copied as bytes.
    unsafe { control.0.as_mut_ptr().cast::<libc::cmsghdr>().write(header) };
    let data_at = len as usize - mem::size_of::<u16>();
    debug_assert!(data_at >= header_len && space as usize <= CONTROL_BYTES);
    control.0[data_at..data_at + mem::size_of::<u16>()].copy_from_slice(&size.to_ne_bytes());
    space as usize
}

/// What the kernel tells beside a buffer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Length of each datagram, if it joined several (`UDP_GRO`).
    pub(super) segment: Option<usize>,
    /// When the first of them arrived, since the epoch (`SO_TIMESTAMPNS`).
    pub(super) arrived: Option<Duration>,
}

impl Told {
    /// Reads control messages, as bytes.
    pub(super) fn read(control: &[u8]) -> Self {
        let mut told = Self::default();
        let mut rest = control;
        while let Some((level, kind, data, next)) = control_message(rest) {
            match (level, kind) {
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    told.segment = data
                        .first_chunk()
                        .and_then(|size| usize::try_from(i32::from_ne_bytes(*size)).ok());
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => told.arrived = time_of(data),
                _ => {}
            }
            rest = next;
        }
        told
    }
}

/// Splits off the first control message: its level, its kind, its data, and what follows it.
fn control_message(control: &[u8]) -> Option<(i32, i32, &[u8], &[u8])> {
    let word = |at: usize| -> Option<i32> {
        Some(i32::from_ne_bytes(
            control.get(at..at + 4)?.try_into().ok()?,
        ))
    };
    let level = word(mem::offset_of!(libc::cmsghdr, cmsg_level))?;
    let kind = word(mem::offset_of!(libc::cmsghdr, cmsg_type))?;
    // The length is as wide as a `size_t` with some C libraries, with others half of that; it is a small number.
    let len = usize::try_from(word(mem::offset_of!(libc::cmsghdr, cmsg_len) + LOW_HALF)?).ok()?;
    // SAFETY: CMSG_LEN only computes a size.
    let data_at = unsafe { libc::CMSG_LEN(0) } as usize;
    let data = control.get(data_at..len)?;
    let next = len.next_multiple_of(mem::size_of::<usize>());
    Some((level, kind, data, control.get(next..).unwrap_or_default()))
}

/// Where the low four bytes of a `size_t` are.
const LOW_HALF: usize = if cfg!(target_endian = "big") {
    mem::size_of::<usize>() - 4
} else {
    0
};

/// A `timespec`, read as bytes.
fn time_of(data: &[u8]) -> Option<Duration> {
    let (seconds, nanos) = data.split_at_checked(mem::size_of::<libc::timespec>() / 2)?;
    let number = |bytes: &[u8]| -> Option<u64> {
        match bytes.len() {
            8 => u64::try_from(i64::from_ne_bytes(bytes.try_into().ok()?)).ok(),
            4 => u64::try_from(i32::from_ne_bytes(bytes.try_into().ok()?)).ok(),
            _ => None,
        }
    };
    let nanos = u32::try_from(number(nanos)?).ok()?;
    Some(Duration::new(number(seconds)?, nanos))
}

fn zeroed_cmsg() -> libc::cmsghdr {
    // SAFETY: cmsghdr is made of integers.
    unsafe { mem::zeroed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a control message behind what is there.
    fn write(control: &mut Vec<u8>, level: libc::c_int, kind: libc::c_int, data: &[u8]) {
        // SAFETY: CMSG_LEN only computes a size.
        let len = unsafe { libc::CMSG_LEN(data.len() as u32) } as usize;
        let mut header = [0; mem::size_of::<libc::cmsghdr>()];
        header[..mem::size_of::<usize>()].copy_from_slice(&len.to_ne_bytes());
        let mut put = |at: usize, value: libc::c_int| {
            header[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        };
        put(mem::offset_of!(libc::cmsghdr, cmsg_level), level);
        put(mem::offset_of!(libc::cmsghdr, cmsg_type), kind);
        control.extend_from_slice(&header);
        control.resize(control.len() + len - data.len() - header.len(), 0);
        control.extend_from_slice(data);
        control.resize(control.len().next_multiple_of(mem::size_of::<usize>()), 0);
    }

    #[test]
    fn what_the_kernel_tells_is_read_whatever_comes_first() {
        let mut control = Control([0; CONTROL_BYTES]);
        let len = write_segment_size(&mut control, 500);
        // UDP_SEGMENT is what we send, not what the kernel answers.
        assert_eq!(Told::read(&control.0[..len]), Told::default());
        assert_eq!(Told::read(&[]), Told::default());

        let time: Vec<u8> = [7_i64, 8]
            .iter()
            .flat_map(|part| part.to_ne_bytes())
            .collect();
        let mut messages = Vec::new();
        write(
            &mut messages,
            libc::SOL_SOCKET,
            libc::SCM_TIMESTAMPNS,
            &time,
        );
        write(
            &mut messages,
            libc::SOL_UDP,
            libc::UDP_GRO,
            &777_i32.to_ne_bytes(),
        );
        assert!(messages.len() <= CONTROL_BYTES);
        let both = Told {
            segment: Some(777),
            arrived: Some(Duration::new(7, 8)),
        };
        assert_eq!(Told::read(&messages), both);
        for cut in 0..messages.len() {
            let told = Told::read(&messages[..cut]);
            assert!(told.segment.is_none() || told == both, "{cut}: {told:?}");
        }
    }
}
