// SPDX-License-Identifier: AGPL-3.0-only
//! What the machine takes for sending, without any work of ours: a thread that sends and does nothing else.
//!
//! Without a pause ([`unpaced`]): with the address in each call, from sockets that are connected, and from a single one, for
//! which nothing has to be looked up. And at the pace of streams ([`paced`]): each millisecond those that are due.

use super::watch::{Spacing, Watch};
use super::{PACKET_BYTES, PACKETS_PER_SECOND, Seen, Stage, WATCHED};
use crate::bench::process::Process;
use crate::bench::versus::{CLIENT_CPU, LOCALHOST};
use anyhow::{Context as _, Result, ensure};
use std::net::UdpSocket;
use std::process::Command;
use std::time::{Duration, Instant};

/// Sockets of the floor without pauses: as many as streams of the comparison with SIPp.
const SOCKETS: usize = 1000;

/// How it sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Floor {
    Addressed,
    Connected,
    One,
}

impl Floor {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Addressed => "`send_to` from 1000 sockets",
            Self::Connected => "`send` from 1000 connected sockets",
            Self::One => "`send` from one connected socket",
        }
    }
}

fn bound(count: usize) -> Result<Vec<UdpSocket>> {
    let sockets = (0..count).map(|_| UdpSocket::bind((LOCALHOST, 0)));
    sockets
        .collect::<std::io::Result<_>>()
        .context("a socket for each stream")
}

/// Does something in a thread of its own on the client's CPU.
fn on_client_cpu<T: Send + 'static>(
    body: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let thread = std::thread::spawn(|| {
        pin_thread(CLIENT_CPU)?;
        body()
    });
    let outcome = thread.join();
    outcome.map_err(|_| anyhow::anyhow!("the floor panicked"))?
}

/// CPU per packet in µs, and packets per second.
pub(super) fn unpaced(kind: Floor, sink: &UdpSocket, span: Duration) -> Result<(f64, f64)> {
    let to = sink.local_addr()?;
    let sockets = bound(match kind {
        Floor::Addressed | Floor::Connected => SOCKETS,
        Floor::One => 1,
    })?;
    if kind != Floor::Addressed {
        sockets.iter().try_for_each(|socket| socket.connect(to))?;
    }
    let (sent, time, used) = on_client_cpu(move || {
        let packet = [0x80; PACKET_BYTES];
        let (begun, used) = (Instant::now(), own_time()?);
        let mut sent = 0;
        while begun.elapsed() < span {
            for index in 0..SOCKETS {
                let socket = &sockets[index % sockets.len()];
                match kind {
                    Floor::Addressed => socket.send_to(&packet, to)?,
                    Floor::Connected | Floor::One => socket.send(&packet)?,
                };
            }
            sent += SOCKETS as u64;
        }
        Ok((sent, begun.elapsed(), own_time()? - used))
    })?;
    Ok((
        used.as_secs_f64() * 1e6 / sent as f64,
        sent as f64 / time.as_secs_f64(),
    ))
}

/// Each millisecond the streams that are due then, evenly over the interval.
pub(super) fn paced(stage: &Stage, streams: u32, span: Duration) -> Result<Seen> {
    gossipper_runtime::sys::raise_open_files()?;
    let sockets = bound(streams as usize)?;
    let (sink, watched) = (stage.sink.local_addr()?, stage.watched.local_addr()?);
    for (index, socket) in sockets.iter().enumerate() {
        socket.connect(match index % WATCHED {
            0 => watched,
            _ => sink,
        })?;
    }
    let watch = Watch::start(stage.watched.try_clone()?);
    let (sent, time, used) = on_client_cpu(move || {
        let packet = [0x80; PACKET_BYTES];
        let lists = (1000.0 / PACKETS_PER_SECOND) as usize;
        // Each list has as many in a row, as streams that begin one after the other have.
        let lists: Vec<&[UdpSocket]> = sockets.chunks(sockets.len().div_ceil(lists)).collect();
        let (begun, used) = (Instant::now(), own_time()?);
        let mut sent = 0;
        for (list, ms) in lists.iter().cycle().zip(1..) {
            let rest = Duration::from_millis(ms).saturating_sub(begun.elapsed());
            if !rest.is_zero() {
                std::thread::sleep(rest);
            }
            if begun.elapsed() >= span {
                break;
            }
            for socket in *list {
                socket.send(&packet)?;
            }
            sent += list.len();
        }
        Ok((sent as f64, begun.elapsed(), own_time()? - used))
    })?;
    Ok(Seen {
        us_per_packet: used.as_secs_f64() * 1e6 / sent,
        packets_per_second: sent / time.as_secs_f64(),
        resident: Process(std::process::id()).resident()?,
        spacing: Spacing::of(watch.stop()?),
    })
}

/// Ties this thread to a CPU.
pub(super) fn pin_thread(cpu: usize) -> Result<()> {
    let link = std::fs::read_link("/proc/thread-self")?;
    let id = link.file_name().context("a thread")?.to_owned();
    let pinned = Command::new("taskset")
        .args(["-c", "-p", &cpu.to_string()])
        .arg(id)
        .output()?;
    ensure!(pinned.status.success(), "taskset: {pinned:?}");
    Ok(())
}

/// CPU time of this thread.
fn own_time() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text.split_ascii_whitespace().next();
    let nanoseconds = first.and_then(|first| first.parse().ok());
    Ok(Duration::from_nanos(nanoseconds.context(text)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_knows_what_it_used() {
        let before = own_time().expect("a thread");
        let mut sum = 0u64;
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(20) {
            sum = sum.wrapping_add(1);
        }
        assert!(own_time().expect("a thread") > before, "{sum}");
    }
}
