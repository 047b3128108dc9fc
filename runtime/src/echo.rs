// SPDX-License-Identifier: AGPL-3.0-only
//! The echo of RTP (`-rtp_echo`): returns each datagram that arrives at the media port, or two ports above it, to its sender.
//!
//! One thread for both sockets, beside the shards: what is echoed costs signalling nothing. Nothing is read into a
//! datagram; what does not fit the buffer is cut off, as SIPp does.
//!
//! Not for: streams of calls, which `gossipper-media` makes and measures.
//!
//! Invariants: an error of a socket is counted and survived; a datagram of our own two sockets is not echoed, since it would
//! go round for ever; nothing waits for a socket that is full.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use gossipper_control::{EchoCounts, EchoSnapshot};
use tokio::sync::Notify;

use crate::error::Error;
use crate::sys::MAX_DATAGRAM;

/// Pairs of ports that are tried.
const PORTS_TRIED: u16 = 100;

/// From the port of the audio to that of the video.
const VIDEO_OFFSET: u16 = 2;

/// Datagrams of one socket that are echoed before the other gets its turn.
const TURN: usize = 64;

/// What to echo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EchoConfig {
    /// First port to try (`-mp`); 0 lets the system choose.
    pub first_port: u16,
    /// The port from which on none is tried (`-max_rtp_port`).
    pub end_port: u16,
    /// Most bytes of a datagram that are returned (`-mb`).
    pub max_bytes: usize,
}

impl Default for EchoConfig {
    fn default() -> Self {
        Self {
            first_port: 6000,
            end_port: u16::MAX,
            max_bytes: 2048,
        }
    }
}

/// The two sockets, bound.
#[derive(Debug)]
pub(crate) struct EchoSockets {
    sockets: [UdpSocket; 2],
    /// Where the first of them is: `[media_ip]` and `[media_port]`.
    address: SocketAddr,
    max_bytes: usize,
}

impl EchoSockets {
    /// Takes the first two ports that are free together.
    pub(crate) fn bind(ip: IpAddr, config: &EchoConfig) -> Result<Self, Error> {
        let mut refused = None;
        for attempt in 0..PORTS_TRIED {
            let port = match config.first_port {
                0 => 0,
                first => match first.checked_add(2 * attempt) {
                    Some(port) if port < config.end_port => port,
                    _ => break,
                },
            };
            match pair(SocketAddr::new(ip, port)) {
                Ok((sockets, address)) => {
                    return Ok(Self {
                        sockets,
                        address,
                        max_bytes: config.max_bytes.clamp(1, MAX_DATAGRAM),
                    });
                }
                Err(source) => refused = Some(source),
            }
        }
        Err(Error::Echo {
            address: SocketAddr::new(ip, config.first_port),
            source: refused.unwrap_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "the range of ports for media is empty",
                )
            }),
        })
    }

    /// Where the audio is echoed.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its sockets, for captures that are played from the same ports.
    pub(crate) fn shared(&self) -> io::Result<Vec<(u16, Arc<UdpSocket>)>> {
        let shared = |socket: &UdpSocket| {
            let port = socket.local_addr()?.port();
            Ok((port, Arc::new(socket.try_clone()?)))
        };
        self.sockets.iter().map(shared).collect()
    }

    /// Begins to echo.
    pub(crate) fn start(self) -> Result<Echo, Error> {
        let failed = |source| Error::Thread {
            what: "thread of the RTP echo",
            source,
        };
        let shared = Arc::new(Shared {
            address: self.address,
            streams: Default::default(),
            silent: AtomicBool::new(false),
            end: Notify::new(),
        });
        let reactor = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(failed)?;
        let at_thread = Arc::clone(&shared);
        let (first, second) = {
            let _entered = reactor.enter();
            let [first, second] = self.sockets.map(tokio::net::UdpSocket::from_std);
            (first.map_err(failed)?, second.map_err(failed)?)
        };
        let max_bytes = self.max_bytes;
        let thread = std::thread::Builder::new()
            .name("rtp echo".to_owned())
            .spawn(move || reactor.block_on(serve(&at_thread, [first, second], max_bytes)))
            .map_err(failed)?;
        Ok(Echo {
            shared,
            thread: Some(thread),
        })
    }
}

/// Two sockets, the second two ports above the first.
fn pair(address: SocketAddr) -> io::Result<([UdpSocket; 2], SocketAddr)> {
    let audio = UdpSocket::bind(address)?;
    let address = audio.local_addr()?;
    let port = address
        .port()
        .checked_add(VIDEO_OFFSET)
        .ok_or(io::ErrorKind::AddrNotAvailable)?;
    let video = UdpSocket::bind(SocketAddr::new(address.ip(), port))?;
    for socket in [&audio, &video] {
        socket.set_nonblocking(true)?;
    }
    Ok(([audio, video], address))
}

/// A running echo; it ends when this is let go.
#[derive(Debug)]
pub(crate) struct Echo {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Echo {
    /// Its figures so far, for whoever outlives it too.
    pub(crate) fn view(&self) -> EchoView {
        EchoView(Arc::clone(&self.shared))
    }

    /// For the actions of scenarios.
    pub(crate) fn switch(&self) -> EchoSwitch {
        EchoSwitch(Arc::clone(&self.shared))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // Kept until the thread looks, so it is not missed when it comes between two waits.
        self.shared.end.notify_one();
        if let Some(thread) = self.thread.take() {
            // It does nothing that panics, and how it ended would change nothing.
            let _ = thread.join();
        }
    }
}

/// Turns an echo on and off.
#[derive(Debug, Clone)]
pub(crate) struct EchoSwitch(Arc<Shared>);

impl EchoSwitch {
    pub(crate) fn set(&self, on: bool) {
        self.0.silent.store(!on, Ordering::Relaxed);
    }
}

/// Where the figures of an echo are found.
#[derive(Debug)]
pub(crate) struct EchoView(Arc<Shared>);

impl EchoView {
    pub(crate) fn snapshot(&self) -> EchoSnapshot {
        EchoSnapshot {
            address: self.0.address.to_string(),
            streams: self.0.streams.each_ref().map(Counters::counts),
        }
    }
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    streams: [Counters; 2],
    /// What arrives is thrown away.
    silent: AtomicBool,
    end: Notify,
}

impl Shared {
    /// Whether a datagram comes from one of our own sockets.
    fn is_own(&self, from: SocketAddr) -> bool {
        let ours = self.address;
        // On any address, only what comes from this machine can be ours; peers may well have our port.
        let here = match ours.ip().is_unspecified() {
            true => from.ip().is_loopback(),
            false => from.ip() == ours.ip(),
        };
        here && (from.port() == ours.port()
            || Some(from.port()) == ours.port().checked_add(VIDEO_OFFSET))
    }
}

#[derive(Debug, Default)]
struct Counters {
    packets: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
}

impl Counters {
    fn counts(&self) -> EchoCounts {
        EchoCounts {
            packets: self.packets.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }
}

async fn serve(shared: &Shared, sockets: [tokio::net::UdpSocket; 2], max_bytes: usize) {
    let mut buffer = vec![0; max_bytes];
    let [audio, video] = &sockets;
    loop {
        // An error of waiting shows again when the socket is read, and is counted there.
        let stream = tokio::select! {
            () = shared.end.notified() => return,
            _ = audio.readable() => 0,
            _ = video.readable() => 1,
        };
        turn(shared, stream, &sockets[stream], &mut buffer);
        // A peer that never stops sending must not keep the other stream, or the end, waiting.
        tokio::task::yield_now().await;
    }
}

/// Echoes what waits in a socket, up to a bound.
fn turn(shared: &Shared, stream: usize, socket: &tokio::net::UdpSocket, buffer: &mut [u8]) {
    let counters = &shared.streams[stream];
    for _ in 0..TURN {
        let returned = match socket.try_recv_from(buffer) {
            Ok(_) if shared.silent.load(Ordering::Relaxed) => None,
            Ok((_, from)) if shared.is_own(from) => None,
            Ok((len, from)) => socket.try_send_to(&buffer[..len], from).ok(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            // What the network says about an earlier datagram.
            Err(_) => None,
        };
        match returned {
            Some(len) => {
                counters.packets.fetch_add(1, Ordering::Relaxed);
                counters.bytes.fetch_add(len as u64, Ordering::Relaxed);
            }
            None => {
                counters.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::time::Duration;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn anywhere() -> EchoConfig {
        EchoConfig {
            first_port: 0,
            ..EchoConfig::default()
        }
    }

    fn caller() -> UdpSocket {
        let socket = UdpSocket::bind((LOCAL, 0)).expect("a port");
        // Longer than any test; what ends the wait is an answer.
        let limit = Some(Duration::from_secs(30));
        socket.set_read_timeout(limit).expect("a limit");
        socket
    }

    fn video(address: SocketAddr) -> SocketAddr {
        SocketAddr::new(address.ip(), address.port() + VIDEO_OFFSET)
    }

    #[test]
    fn datagrams_return_to_whoever_sent_them_cut_to_the_buffer_and_are_counted() {
        let config = EchoConfig {
            max_bytes: 100,
            ..anywhere()
        };
        let sockets = EchoSockets::bind(LOCAL, &config).expect("ports");
        let address = sockets.address();
        let echo = sockets.start().expect("a thread");
        let callers = [caller(), caller()];
        let mut buffer = [0; 4096];
        for (len, to) in [
            (12, address),
            (172, address),
            (0, address),
            (60, video(address)),
        ] {
            for (index, caller) in callers.iter().enumerate() {
                let sent = vec![b'a' + index as u8; len];
                caller.send_to(&sent, to).expect("sent");
                let (got, from) = caller.recv_from(&mut buffer).expect("echoed");
                assert_eq!((got, from), (len.min(100), to));
                assert_eq!(buffer[..got], sent[..got]);
            }
        }
        let view = echo.view();
        drop(echo);
        let figures = view.snapshot();
        assert_eq!(figures.address, address.to_string());
        let counts = |packets, bytes| EchoCounts {
            packets,
            bytes,
            dropped: 0,
        };
        assert_eq!(figures.streams, [counts(6, 224), counts(2, 120)]);
        // The ports are free again.
        pair(address).expect("the echo has ended");
    }

    #[test]
    fn what_comes_while_it_is_switched_off_is_never_returned() {
        let sockets = EchoSockets::bind(LOCAL, &anywhere()).expect("ports");
        let address = sockets.address();
        let echo = sockets.start().expect("a thread");
        let (switch, view, caller) = (echo.switch(), echo.view(), caller());
        switch.set(false);
        caller.send_to(b"lost", address).expect("sent");
        while view.snapshot().streams[0].dropped == 0 {
            std::thread::yield_now();
        }
        switch.set(true);
        caller.send_to(b"kept", address).expect("sent");
        let mut buffer = [0; 16];
        let (len, _) = caller.recv_from(&mut buffer).expect("echoed");
        assert_eq!(&buffer[..len], b"kept");
    }

    #[test]
    fn our_own_datagrams_do_not_go_round() {
        let sockets = EchoSockets::bind(LOCAL, &anywhere()).expect("ports");
        let (address, ours) = (
            sockets.address(),
            sockets.sockets[1].try_clone().expect("a descriptor"),
        );
        let echo = sockets.start().expect("a thread");
        ours.send_to(b"round", address).expect("sent");
        // The answer to what came later says that the first was dealt with.
        let caller = caller();
        caller.send_to(b"x", address).expect("sent");
        caller.recv_from(&mut [0; 8]).expect("echoed");
        let view = echo.view();
        drop(echo);
        let [audio, video] = view.snapshot().streams;
        assert_eq!((audio.packets, audio.dropped), (1, 1));
        assert_eq!((video.packets, video.dropped), (0, 0));
    }

    #[test]
    fn the_first_ports_that_are_free_together_are_taken_and_none_beyond_the_range() {
        // A run of ports that are ours to take and leave, where nobody else takes any if the system has such a place.
        let ip = match cfg!(target_os = "linux") {
            true => IpAddr::V4(Ipv4Addr::new(127, 91, 7, 3)),
            false => LOCAL,
        };
        let (held, base) = (0..100)
            .find_map(|_| {
                let first = UdpSocket::bind((ip, 0)).ok()?;
                let base = first.local_addr().ok()?.port();
                let rest = [2, 4, 6].map(|more| {
                    base.checked_add(more)
                        .and_then(|port| UdpSocket::bind((ip, port)).ok())
                });
                let [Some(second), third, fourth] = rest else {
                    return None;
                };
                third.and(fourth)?;
                Some(([first, second], base))
            })
            .expect("four ports in a row of even distances");
        let config = EchoConfig {
            first_port: base,
            ..EchoConfig::default()
        };
        let within = |end_port| {
            let config = EchoConfig { end_port, ..config };
            EchoSockets::bind(ip, &config)
        };
        let error = within(base + 4).expect_err("both are held");
        assert!(error.is_address_in_use(), "{error}");
        assert!(within(base).is_err(), "no port is below the first");
        let [first, second] = held;
        drop(second);
        let sockets = within(base + 3).expect("the second pair is free");
        assert_eq!(sockets.address().port(), base + 2);
        drop((first, sockets));
    }
}
