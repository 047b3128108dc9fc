// SPDX-License-Identifier: AGPL-3.0-only
//! `sendmmsg` with `UDP_SEGMENT`, `recvmmsg` with `UDP_GRO`.
//!
//! The kernel's per-datagram path costs more than the system call around it, so equal-length neighbours that go to
//! one peer travel as one segmented send (GSO), and several such sends share one `sendmmsg`. Segmentation is dropped
//! for a socket for good at the first `EIO` (no checksum offload on the way) or `EINVAL`. Where a batched call itself is
//! not to be had (`ENOSYS`: an old kernel, a sandbox), one call per datagram does the same.
//!
//! The kernel is asked for the time each datagram arrived, so that response times do not depend on when it is read.
//!
//! Memory: every header, vector, address and control buffer is allocated once per socket; the pointers between them
//! are written anew before each call, so that no pointer outlives the call that uses it.

mod control;
mod limits;
mod poll;
mod port;
mod program;
#[cfg(test)]
mod refusals;

pub(super) use self::poll::poll;

use std::io;
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) use self::limits::raise_open_files;
pub(super) use self::port::choose_port_late;

use self::control::{CONTROL_BYTES, Control, Told, write_segment_size};
pub(crate) use self::program::{GroupSignal, readable, signal_group};
use super::{BATCH, Entry, Held, MAX_DATAGRAM, Outgoing, RecvOutcome, SendOutcome, is_icmp};

/// Segments per segmented send: what every kernel with `UDP_SEGMENT` takes (`UDP_MAX_SEGMENTS` was 64 at first).
const MAX_SEGMENTS: usize = 64;

/// A segmented send as a whole must still be a legal UDP datagram.
const MAX_SEGMENTED_BYTES: usize = 65_507;

/// Longer messages go alone: the kernel refuses segments above the path MTU, and this fits IPv6 on Ethernet.
const MAX_SEGMENT_BYTES: usize = 1_452;

/// Messages given to one `sendmmsg`.
const MAX_HEADERS: usize = 16;

/// Datagram buffers given to one `recvmmsg`; with receive offload each may hold many datagrams.
const RECV_BUFFERS: usize = 16;

/// Those given when few came the last time. Each takes a few cache lines to prepare.
const FEW_BUFFERS: usize = 4;

/// Bytes that one call is to bring at most, judged by what the last one brought: they are to stay in the caches until they
/// were handled.
const BATCH_BYTES: usize = 128 << 10;

/// Longer than a datagram lies in a socket that somebody reads: the system's clock was set meanwhile.
const WAITED_AT_MOST: Duration = Duration::from_secs(10);

/// One group of items that leaves as one `msghdr`.
#[derive(Debug, Clone, Copy)]
struct Group {
    first_item: usize,
    items: usize,
    first_iovec: usize,
    iovecs: usize,
    /// Length of each segment, or 0 for a single datagram.
    segment: u16,
}

pub(super) struct Sender {
    gso: bool,
    /// Whether there is `sendmmsg`.
    batched: bool,
    groups: Vec<Group>,
    iovecs: Vec<libc::iovec>,
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    headers: Vec<libc::mmsghdr>,
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender")
            .field("gso", &self.gso)
            .finish_non_exhaustive()
    }
}

impl Sender {
    pub(super) fn new(gso: bool) -> Self {
        Self {
            gso,
            batched: true,
            groups: Vec::with_capacity(MAX_HEADERS),
            iovecs: Vec::with_capacity(MAX_HEADERS * MAX_SEGMENTS),
            names: vec![zeroed_storage(); MAX_HEADERS],
            controls: vec![Control([0; CONTROL_BYTES]); MAX_HEADERS],
            headers: vec![zeroed_header(); MAX_HEADERS],
        }
    }

    pub(super) fn gso(&self) -> bool {
        self.gso
    }

    pub(super) fn send(
        &mut self,
        socket: &UdpSocket,
        arena: &[u8],
        items: &[Outgoing],
        failed: &mut dyn FnMut(usize, io::Error),
    ) -> SendOutcome {
        let mut outcome = SendOutcome::default();
        let mut retried_item = usize::MAX;
        while outcome.done < items.len() {
            if !self.batched {
                let rest = outcome.done..items.len();
                Self::send_singly(socket, arena, items, rest, failed, &mut outcome);
                return outcome;
            }
            self.group(arena, items, outcome.done);
            outcome.calls += 1;
            match self.call(socket, items) {
                Ok(sent) => {
                    // The kernel reports at least one message, or an error.
                    outcome.done += self.groups[..sent.min(self.groups.len())]
                        .iter()
                        .map(|g| g.items)
                        .sum::<usize>();
                }
                Err(error) => {
                    let first = self.groups[0];
                    match error.kind() {
                        io::ErrorKind::Interrupted => {}
                        io::ErrorKind::WouldBlock => return outcome,
                        _ if is_missing(&error) => (self.batched, self.gso) = (false, false),
                        // Left behind by an earlier datagram; reading it has cleared it.
                        _ if is_icmp(&error) && retried_item != first.first_item => {
                            retried_item = first.first_item;
                            outcome.icmp_errors += 1;
                        }
                        _ if first.segment != 0 => {
                            // EIO and EINVAL mean that this path does not segment; for any other error the retry
                            // finds out which datagram it belongs to.
                            self.gso = false;
                            if !matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL)) {
                                let its = first.first_item..first.first_item + first.items;
                                let end = its.end;
                                Self::send_singly(socket, arena, items, its, failed, &mut outcome);
                                self.gso = true;
                                if outcome.done < end {
                                    return outcome;
                                }
                            }
                        }
                        _ => {
                            failed(first.first_item, error);
                            outcome.done += 1;
                        }
                    }
                }
            }
        }
        outcome
    }

    /// Sends some of the items one by one, so that an error finds its datagram.
    fn send_singly(
        socket: &UdpSocket,
        arena: &[u8],
        items: &[Outgoing],
        which: Range<usize>,
        failed: &mut dyn FnMut(usize, io::Error),
        outcome: &mut SendOutcome,
    ) {
        let base = which.start;
        let part = &items[which];
        let single = super::fallback::send(socket, arena, part, &mut |index, error| {
            failed(base + index, error)
        });
        outcome.done += single.done;
        outcome.calls += single.calls;
        outcome.icmp_errors += single.icmp_errors;
    }

    /// Collects the groups of the next call, from item `start` on.
    fn group(&mut self, arena: &[u8], items: &[Outgoing], start: usize) {
        self.groups.clear();
        self.iovecs.clear();
        let mut next = start;
        while next < items.len() && self.groups.len() < MAX_HEADERS {
            let count = if self.gso {
                run_length(&items[next..])
            } else {
                1
            };
            let first_iovec = self.iovecs.len();
            for item in &items[next..next + count] {
                let (bytes, behind) = (item.bytes(arena), arena.get(item.off..));
                let begins = behind.unwrap_or_default().as_ptr();
                match self.iovecs[first_iovec..].last_mut() {
                    // One that lies right behind the last is the same piece of memory to the kernel.
                    Some(last) if last.iov_base as usize + last.iov_len == begins as usize => {
                        last.iov_len += bytes.len();
                    }
                    _ => self.iovecs.push(libc::iovec {
                        iov_base: begins.cast_mut().cast(),
                        iov_len: bytes.len(),
                    }),
                }
            }
            let segment = if count > 1 {
                u16::try_from(items[next].len).unwrap_or(0)
            } else {
                0
            };
            let iovecs = self.iovecs.len() - first_iovec;
            self.groups.push(Group {
                first_item: next,
                items: count,
                first_iovec,
                iovecs,
                segment,
            });
            next += count;
        }
    }

    fn call(&mut self, socket: &UdpSocket, items: &[Outgoing]) -> io::Result<usize> {
        for (slot, group) in self.groups.iter().enumerate() {
            let name_len = write_address(&mut self.names[slot], items[group.first_item].to);
            let header = &mut self.headers[slot].msg_hdr;
            *header = zeroed_header().msg_hdr;
            header.msg_name = (&raw mut self.names[slot]).cast();
            header.msg_namelen = name_len;
            header.msg_iov = self.iovecs[group.first_iovec..].as_mut_ptr();
            header.msg_iovlen = group.iovecs as _;
            if group.segment != 0 {
                let control = &mut self.controls[slot];
                header.msg_control = control.0.as_mut_ptr().cast();
                header.msg_controllen = write_segment_size(control, group.segment) as _;
            }
        }
        // SAFETY: `headers` holds at least `groups.len()` headers (`group` makes at most MAX_HEADERS, the length of
        // `headers`, `names` and `controls`). Each was written just above with pointers into `names`, `iovecs` and
        // `controls`, none of which is touched before the call returns, and the iovecs point into the caller's arena,
        // which is borrowed by `send` across this call and only read by the kernel. Lengths are those of the buffers.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                self.groups.len() as libc::c_uint,
                libc::MSG_DONTWAIT,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// How many items from the front may travel as one segmented send: one peer, equal lengths, the last may be shorter.
fn run_length(items: &[Outgoing]) -> usize {
    let Some(first) = items.first() else { return 0 };
    if first.len == 0 || first.len > MAX_SEGMENT_BYTES {
        return 1;
    }
    let most = MAX_SEGMENTS.min(MAX_SEGMENTED_BYTES / first.len);
    let mut count = 1;
    for item in &items[1..] {
        if count == most || item.to != first.to || item.len > first.len || item.len == 0 {
            break;
        }
        count += 1;
        if item.len < first.len {
            break;
        }
    }
    count
}

/// Whether the system does not have, or does not let us have, a call at all.
fn is_missing(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOSYS)
}

pub(super) struct Receiver {
    /// Whether there is `recvmmsg`.
    batched: bool,
    /// Buffers that the next call gets.
    offered: usize,
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    iovecs: Vec<libc::iovec>,
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    headers: Vec<libc::mmsghdr>,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("held", &self.entries.len())
            .finish_non_exhaustive()
    }
}

impl Receiver {
    pub(super) fn new(socket: &UdpSocket, offload: bool) -> Self {
        prepare(socket, offload);
        Self {
            batched: true,
            offered: RECV_BUFFERS,
            bytes: vec![0; RECV_BUFFERS * MAX_DATAGRAM],
            entries: Vec::with_capacity(BATCH),
            iovecs: vec![
                libc::iovec {
                    iov_base: std::ptr::null_mut(),
                    iov_len: 0
                };
                RECV_BUFFERS
            ],
            names: vec![zeroed_storage(); RECV_BUFFERS],
            controls: vec![Control([0; CONTROL_BYTES]); RECV_BUFFERS],
            headers: vec![zeroed_header(); RECV_BUFFERS],
        }
    }

    pub(super) fn held(&self) -> Held<'_> {
        Held {
            bytes: &self.bytes,
            entries: &self.entries,
        }
    }

    pub(super) fn recv(&mut self, socket: &UdpSocket) -> io::Result<RecvOutcome> {
        self.entries.clear();
        let mut outcome = RecvOutcome::default();
        // ICMP errors wait in front of the datagrams; at most one batch of them per call.
        for _ in 0..=BATCH {
            match self.call(socket) {
                Ok(count) => {
                    let read_at = SystemTime::now()
                        .duration_since(UNIX_EPOCH)
                        .unwrap_or(Duration::ZERO);
                    for slot in 0..count.min(RECV_BUFFERS) {
                        self.take(slot, read_at);
                    }
                    outcome.datagrams = self.entries.len();
                    outcome.drained = self.batched && count < self.offered;
                    self.offered = self.next_offer(count);
                    return Ok(outcome);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_missing(&error) && self.batched => self.batched = false,
                Err(error) if is_icmp(&error) => outcome.icmp_errors += 1,
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock && outcome.icmp_errors > 0 =>
                {
                    outcome.drained = true;
                    return Ok(outcome);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(outcome)
    }

    /// Buffers for the next call, after one that filled so many.
    fn next_offer(&self, count: usize) -> usize {
        let filled = self.headers.iter().take(count);
        let bytes: usize = filled.map(|header| header.msg_len as usize).sum();
        let fit = BATCH_BYTES * count / bytes.max(1);
        // Twice what came, so that a look that finds as much as the last one is the only one.
        (count * 2).min(fit).clamp(FEW_BUFFERS, RECV_BUFFERS)
    }

    fn call(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        let buffers = self.bytes.chunks_exact_mut(MAX_DATAGRAM);
        for (slot, buffer) in buffers.take(self.offered).enumerate() {
            self.iovecs[slot] = libc::iovec {
                iov_base: buffer.as_mut_ptr().cast(),
                iov_len: buffer.len(),
            };
            let header = &mut self.headers[slot];
            *header = zeroed_header();
            header.msg_hdr.msg_name = (&raw mut self.names[slot]).cast();
            header.msg_hdr.msg_namelen =
                mem::size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_hdr.msg_iov = &raw mut self.iovecs[slot];
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = self.controls[slot].0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL_BYTES as _;
        }
        if !self.batched {
            let first = &mut self.headers[0];
            // SAFETY: as below, for the first header alone; nothing else refers to it during the call.
            let len = unsafe {
                libc::recvmsg(socket.as_raw_fd(), &mut first.msg_hdr, libc::MSG_DONTWAIT)
            };
            let len = u32::try_from(len).map_err(|_| io::Error::last_os_error())?;
            first.msg_len = len;
            return Ok(1);
        }
        // SAFETY: `headers`, `iovecs`, `names` and `controls` have RECV_BUFFERS elements each and `bytes` has
        // RECV_BUFFERS buffers of MAX_DATAGRAM bytes. `offered` is no more than that, so the loop above wrote every header
        // that the kernel is told of with pointers to distinct, initialised memory that lives until the call returns and
        // whose true lengths are stated. No timeout is given.
        let got = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                self.offered as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        usize::try_from(got).map_err(|_| io::Error::last_os_error())
    }

    /// Notes the datagrams that lie in buffer `slot`.
    fn take(&mut self, slot: usize, read_at: Duration) {
        let header = &self.headers[slot];
        let Some(src) = read_address(&self.names[slot]) else {
            return;
        };
        let len = (header.msg_len as usize).min(MAX_DATAGRAM);
        let off = slot * MAX_DATAGRAM;
        #[allow(clippy::unnecessary_cast, reason = "with some C libraries it is a u32")]
        let control_len = (header.msg_hdr.msg_controllen as usize).min(CONTROL_BYTES);
        let told = Told::read(&self.controls[slot].0[..control_len]);
        let segment = told.segment.filter(|s| *s > 0).unwrap_or(len);
        // A clock that was set back, or forth, must not make a message old.
        let waited_us = told
            .arrived
            .and_then(|arrived| read_at.checked_sub(arrived))
            .filter(|waited| *waited < WAITED_AT_MOST)
            .map_or(0, |waited| waited.as_micros() as u32);
        if len == 0 {
            self.entries.push(Entry {
                off,
                len,
                src,
                waited_us,
            });
            return;
        }
        let mut at = 0;
        while at < len {
            let part = segment.min(len - at);
            self.entries.push(Entry {
                off: off + at,
                len: part,
                src,
                waited_us,
            });
            at += part;
        }
    }
}

/// What [`super::dropped`] says.
pub(super) fn dropped(socket: &UdpSocket) -> Option<u32> {
    /// Counters of `SO_MEMINFO`, and which of them counts drops (`SK_MEMINFO_DROPS`).
    const COUNTERS: usize = 9;
    const DROPS: usize = 8;
    let mut counters = [0_u32; COUNTERS];
    let mut len = mem::size_of_val(&counters) as libc::socklen_t;
    // SAFETY: the buffer is live and its true length is given; the kernel writes at most that much and tells how much.
    // The descriptor is open while `socket` is borrowed.
    let failed = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            counters.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    let told = len as usize / mem::size_of::<u32>();
    (failed == 0 && told > DROPS).then(|| counters[DROPS])
}

/// Asks for what a receiver reads beside datagrams.
pub(super) fn prepare(socket: &UdpSocket, offload: bool) {
    // A kernel that does not know one of them leaves the socket as it was.
    turn_on(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS);
    if offload {
        turn_on(socket, libc::SOL_UDP, libc::UDP_GRO);
    }
}

/// Turns a socket option on, where the kernel has it.
fn turn_on(socket: &UdpSocket, level: libc::c_int, option: libc::c_int) {
    let on: libc::c_int = 1;
    // SAFETY: the option value is a live c_int and its size is given; the descriptor is open while `socket` is
    // borrowed.
    let _ = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            mem::size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
}

fn zeroed_storage() -> libc::sockaddr_storage {
    // SAFETY: sockaddr_storage is plain bytes; all zeroes is the valid "no address".
    unsafe { mem::zeroed() }
}

fn zeroed_header() -> libc::mmsghdr {
    // SAFETY: mmsghdr is made of integers and raw pointers, for all of which zero (null) is a valid value.
    unsafe { mem::zeroed() }
}

/// Writes `address` in the kernel's form; returns its length.
fn write_address(storage: &mut libc::sockaddr_storage, address: SocketAddr) -> libc::socklen_t {
    *storage = zeroed_storage();
    match address {
        SocketAddr::V4(v4) => {
            // SAFETY: sockaddr_in is made of integers.
            let mut raw: libc::sockaddr_in = unsafe { mem::zeroed() };
            raw.sin_family = libc::AF_INET as libc::sa_family_t;
            raw.sin_port = v4.port().to_be();
            raw.sin_addr.s_addr = u32::from_ne_bytes(v4.ip().octets());
            // SAFETY: sockaddr_storage is larger than and at least as aligned as every socket address, by definition.
            unsafe { (&raw mut *storage).cast::<libc::sockaddr_in>().write(raw) };
            mem::size_of::<libc::sockaddr_in>() as libc::socklen_t
        }
        SocketAddr::V6(v6) => {
            // SAFETY: sockaddr_in6 is made of integers.
            let mut raw: libc::sockaddr_in6 = unsafe { mem::zeroed() };
            raw.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            raw.sin6_port = v6.port().to_be();
            raw.sin6_flowinfo = v6.flowinfo();
            raw.sin6_addr.s6_addr = v6.ip().octets();
            raw.sin6_scope_id = v6.scope_id();
            // SAFETY: as above, sockaddr_storage holds any socket address.
            unsafe { (&raw mut *storage).cast::<libc::sockaddr_in6>().write(raw) };
            mem::size_of::<libc::sockaddr_in6>() as libc::socklen_t
        }
    }
}

/// Reads the address the kernel wrote.
fn read_address(storage: &libc::sockaddr_storage) -> Option<SocketAddr> {
    match libc::c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: the family says sockaddr_in, storage is large and aligned enough for it, and it is all integers.
            let raw = unsafe { (&raw const *storage).cast::<libc::sockaddr_in>().read() };
            let ip = Ipv4Addr::from(raw.sin_addr.s_addr.to_ne_bytes());
            Some(SocketAddrV4::new(ip, u16::from_be(raw.sin_port)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: the family says sockaddr_in6; otherwise as above.
            let raw = unsafe { (&raw const *storage).cast::<libc::sockaddr_in6>().read() };
            let ip = Ipv6Addr::from(raw.sin6_addr.s6_addr);
            Some(
                SocketAddrV6::new(
                    ip,
                    u16::from_be(raw.sin6_port),
                    raw.sin6_flowinfo,
                    raw.sin6_scope_id,
                )
                .into(),
            )
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(lens: &[usize], ports: &[u16]) -> Vec<Outgoing> {
        lens.iter()
            .zip(ports)
            .map(|(&len, &port)| Outgoing {
                off: 0,
                len,
                to: ([127, 0, 0, 1], port).into(),
            })
            .collect()
    }

    #[test]
    fn a_run_ends_at_another_peer_a_longer_or_after_a_shorter_datagram() {
        assert_eq!(run_length(&items(&[5, 5, 5], &[1, 1, 1])), 3);
        assert_eq!(run_length(&items(&[5, 5, 5], &[1, 1, 2])), 2);
        assert_eq!(run_length(&items(&[5, 6, 5], &[1, 1, 1])), 1);
        assert_eq!(run_length(&items(&[5, 4, 4], &[1, 1, 1])), 2);
        assert_eq!(run_length(&items(&[5, 0], &[1, 1])), 1);
        assert_eq!(run_length(&items(&[2000, 2000], &[1, 1])), 1);
        assert_eq!(
            run_length(&items(&[1400; 100], &[1; 100])),
            MAX_SEGMENTED_BYTES / 1400
        );
        assert_eq!(run_length(&items(&[100; 100], &[1; 100])), MAX_SEGMENTS);
    }

    #[test]
    fn addresses_survive_the_kernels_form() {
        for text in [
            "127.0.0.1:5060",
            "0.0.0.0:0",
            "[::1]:65535",
            "[2001:db8::9%7]:5061",
        ] {
            let address: SocketAddr = text.parse().expect(text);
            let mut storage = zeroed_storage();
            assert!(write_address(&mut storage, address) > 0);
            assert_eq!(read_address(&storage), Some(address));
        }
        assert_eq!(read_address(&zeroed_storage()), None);
    }
}
