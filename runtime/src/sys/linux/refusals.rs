// SPDX-License-Identifier: AGPL-3.0-only
//! What happens where the kernel, a socket or a device refuses what makes batches fast. Each refusal is forced: by an option
//! of the socket, or by a filter that makes the kernel refuse a system call of this one thread.

use super::super::{Backend, BatchReceiver, BatchSender, Datagram, Outgoing};
use super::turn_on;
use crate::transport::udp::Outbox;
use gossipper_control::TransportCounts;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

/// Of equal length, so that they would travel as one segmented send.
const COUNT: usize = 32;
const LEN: usize = 300;

/// Where a filter finds the number of a system call, and its third argument (the number of messages of `sendmmsg`).
const NUMBER_AT: u32 = 0;
#[cfg(target_endian = "little")]
const THIRD_ARGUMENT_AT: u32 = 16 + 2 * 8;
#[cfg(target_endian = "big")]
const THIRD_ARGUMENT_AT: u32 = 16 + 2 * 8 + 4;

/// When a system call is refused.
#[derive(Clone, Copy)]
enum When {
    Always,
    /// Its third argument is this.
    Third(u32),
}

fn statement(code: u32, k: u32) -> libc::sock_filter {
    jump(code, k, 0, 0)
}

fn jump(code: u32, k: u32, jt: u8, jf: u8) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

/// Makes the kernel refuse a system call of this thread, with this error, for as long as the thread lives.
fn refuse(call: libc::c_long, error: libc::c_int, when: When) {
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    let number = u32::try_from(call).expect("the number of a system call");
    let refused = statement(RETURN, libc::SECCOMP_RET_ERRNO | error as u32);
    let allowed = statement(RETURN, libc::SECCOMP_RET_ALLOW);
    let mut filter = match when {
        When::Always => vec![
            statement(LOAD, NUMBER_AT),
            jump(EQUAL, number, 0, 1),
            refused,
            allowed,
        ],
        When::Third(argument) => vec![
            statement(LOAD, NUMBER_AT),
            jump(EQUAL, number, 0, 3),
            statement(LOAD, THIRD_ARGUMENT_AT),
            jump(EQUAL, argument, 0, 1),
            refused,
            allowed,
        ],
    };
    let program = libc::sock_fprog {
        len: filter.len() as libc::c_ushort,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: neither call keeps a pointer: the kernel copies the program, whose length is that of the vector it points into.
    let done = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            ) == 0
    };
    assert!(done, "{}", io::Error::last_os_error());
}

/// Runs a test in a thread of its own, so that what the kernel refuses it is refused to nobody else.
fn alone(test: impl FnOnce() + Send + 'static) {
    if let Err(panic) = std::thread::spawn(test).join() {
        std::panic::resume_unwind(panic);
    }
}

fn pair() -> (UdpSocket, UdpSocket) {
    let bind = || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
        socket.set_nonblocking(true).expect("nonblocking");
        socket
    };
    (bind(), bind())
}

/// Sends a batch; how many system calls that took.
fn send(sender: &mut BatchSender, from: &UdpSocket, to: &UdpSocket) -> u32 {
    let arena: Vec<u8> = (0..COUNT).flat_map(|n| [n as u8; LEN]).collect();
    let items: Vec<Outgoing> = (0..COUNT)
        .map(|n| Outgoing {
            off: n * LEN,
            len: LEN,
            to: to.local_addr().expect("bound"),
        })
        .collect();
    let outcome = sender.send(from, &arena, &items, &mut |item, error| {
        panic!("datagram {item}: {error}")
    });
    assert_eq!(outcome.done, COUNT);
    outcome.calls
}

/// Receives a batch whole and in order; in how many portions it came.
fn receive(receiver: &mut BatchReceiver, socket: &UdpSocket) -> usize {
    let give_up = Instant::now() + Duration::from_secs(30);
    let (mut came, mut portions) = (0, 0);
    while came < COUNT {
        assert!(Instant::now() < give_up, "{came} of {COUNT} came");
        match receiver.recv(socket) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                std::thread::yield_now();
                continue;
            }
            Err(error) => panic!("{error}"),
        }
        portions += 1;
        for Datagram { bytes, .. } in receiver.datagrams() {
            assert_eq!(bytes, [came as u8; LEN]);
            came += 1;
        }
    }
    portions
}

#[test]
fn a_socket_that_takes_no_segments_goes_on_without_them_for_good() {
    let (from, to) = pair();
    // The kernel segments nothing that is to have no checksum.
    turn_on(&from, libc::SOL_SOCKET, libc::SO_NO_CHECK);
    let mut sender = BatchSender::new(Backend::Auto);
    let mut receiver = BatchReceiver::new(Backend::Auto, &to);
    assert!(sender.offload());
    // Once refused, then two full calls of single datagrams.
    assert_eq!(send(&mut sender, &from, &to), 3);
    assert!(!sender.offload());
    receive(&mut receiver, &to);
    assert_eq!(send(&mut sender, &from, &to), 2);
    receive(&mut receiver, &to);
}

#[test]
fn a_device_that_cannot_segment_is_sent_single_datagrams_for_good() {
    alone(|| {
        let (from, to) = pair();
        // As where no checksum is computed on the way: a segmented send is one message here, single ones are sixteen.
        refuse(libc::SYS_sendmmsg, libc::EIO, When::Third(1));
        let mut sender = BatchSender::new(Backend::Auto);
        assert_eq!(send(&mut sender, &from, &to), 3);
        assert!(!sender.offload());
        receive(&mut BatchReceiver::new(Backend::Auto, &to), &to);
    });
}

#[test]
fn without_sendmmsg_each_datagram_is_sent_by_itself() {
    alone(|| {
        let (from, to) = pair();
        refuse(libc::SYS_sendmmsg, libc::ENOSYS, When::Always);
        let mut sender = BatchSender::new(Backend::Auto);
        assert_eq!(send(&mut sender, &from, &to), 1 + COUNT as u32);
        receive(&mut BatchReceiver::new(Backend::Auto, &to), &to);
        assert_eq!(send(&mut sender, &from, &to), COUNT as u32);
    });
}

#[test]
fn without_recvmmsg_each_buffer_is_read_by_itself() {
    alone(|| {
        let (from, to) = pair();
        refuse(libc::SYS_recvmmsg, libc::ENOSYS, When::Always);
        for backend in [Backend::Auto, Backend::NoOffload] {
            let mut receiver = BatchReceiver::new(backend, &to);
            send(&mut BatchSender::new(backend), &from, &to);
            let portions = receive(&mut receiver, &to);
            assert!(backend == Backend::Auto || portions == COUNT, "{portions}");
            assert_eq!(
                receiver.recv(&to).expect_err("nothing more").kind(),
                io::ErrorKind::WouldBlock
            );
        }
    });
}

#[test]
fn without_receive_offload_or_time_stamps_datagrams_come_as_they_are() {
    alone(|| {
        let (from, to) = pair();
        refuse(libc::SYS_setsockopt, libc::ENOPROTOOPT, When::Always);
        let mut receiver = BatchReceiver::new(Backend::Auto, &to);
        send(&mut BatchSender::new(Backend::Auto), &from, &to);
        receive(&mut receiver, &to);
        assert!(receiver.datagrams().all(|datagram| datagram.waited_us == 0));
    });
}

#[test]
fn what_a_full_socket_leaves_behind_is_kept_whole_and_in_order() {
    alone(|| {
        let (from, to) = pair();
        let address = to.local_addr().expect("bound");
        // Full whenever two are left. None are of a length, and so each is a message, sixteen of them a call.
        refuse(libc::SYS_sendmmsg, libc::EAGAIN, When::Third(2));
        let mut outbox = Outbox::new(Backend::Auto);
        let mut counts = TransportCounts::default();
        let (mut refused, mut pushed, mut came) = (Vec::new(), 0_u8, Vec::new());
        for (push, left) in [(18, 2), (1, 0), (2, 2), (16, 2), (1, 0)] {
            // Where the last ones were made there is something else now.
            let mut made = vec![b'.'; 7];
            for _ in 0..push {
                let begins = made.len();
                made.resize(begins + LEN + usize::from(pushed), pushed);
                outbox.push(None, &address, &made, begins..made.len(), &mut counts);
                pushed += 1;
            }
            outbox.flush(
                &from,
                &made,
                &mut counts,
                &mut refused,
                |bytes, sent, _, _| {
                    assert!(sent);
                    came.push((bytes[0], bytes.len()));
                },
            );
            assert_eq!(outbox.len(), left);
        }
        let expected: Vec<_> = (0..pushed).map(|n| (n, LEN + usize::from(n))).collect();
        assert_eq!(came, expected);
        assert_eq!((counts.congested, counts.sent), (3, u64::from(pushed)));
        assert!(refused.is_empty());
        let mut bytes = [0; 2 * LEN];
        for (byte, len) in expected {
            // On the loopback interface a datagram is there once it is sent.
            assert_eq!(to.recv(&mut bytes).expect("it is there"), len);
            assert_eq!(bytes[..len], vec![byte; len]);
        }
    });
}
