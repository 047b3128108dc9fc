// SPDX-License-Identifier: AGPL-3.0-only
//! Packets on their way in: how far those of a stream lie apart.
//!
//! Nobody waits at the socket, since whoever sends to a socket that is waited at wakes the waiting, on its own time. It is
//! looked at now and then, on the other CPU, and the kernel tells when each packet came.

use crate::bench::versus::SERVER_CPU;
use anyhow::Result;
use gossipper_runtime::sys::{Backend, BatchReceiver};
use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// From one look to the next: what comes meanwhile has to fit the socket.
const LOOK: Duration = Duration::from_millis(5);

/// How far packets lie apart.
pub(super) struct Spacing {
    /// p99 of what distances are away from an interval.
    pub(super) off_p99_ms: f64,
    /// How many distances.
    pub(super) packets: usize,
}

impl Spacing {
    /// `None` without any.
    pub(super) fn of(distances: Vec<Duration>) -> Option<Self> {
        let interval = 1000.0 / super::PACKETS_PER_SECOND;
        let off = |distance: Duration| (distance.as_secs_f64() * 1e3 - interval).abs();
        let mut off: Vec<f64> = distances.into_iter().map(off).collect();
        off.sort_by(f64::total_cmp);
        Some(Self {
            off_p99_ms: *off.get(off.len() * 99 / 100)?,
            packets: off.len(),
        })
    }
}

/// Reads packets and notes the distance to the one before of the same stream.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Result<Vec<Duration>>>,
}

impl Watch {
    pub(super) fn start(socket: UdpSocket) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            super::floor::pin_thread(SERVER_CPU)?;
            socket.set_nonblocking(true)?;
            let mut receiver = BatchReceiver::new(Backend::NoOffload, &socket);
            // What waits there came before.
            while receiver.recv(&socket).is_ok() {}
            let mut last: HashMap<SocketAddr, Instant> = HashMap::new();
            let mut distances = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
                while receiver.recv(&socket).is_ok() {
                    let now = Instant::now();
                    for datagram in receiver.datagrams() {
                        let waited = Duration::from_micros(datagram.waited_us);
                        let came = now.checked_sub(waited).unwrap_or(now);
                        if let Some(before) = last.insert(*datagram.src, came) {
                            distances.push(came.saturating_duration_since(before));
                        }
                    }
                }
            }
            Ok(distances)
        });
        Self { stop, thread }
    }

    pub(super) fn stop(self) -> Result<Vec<Duration>> {
        self.stop.store(true, Ordering::Relaxed);
        let joined = self.thread.join();
        joined.map_err(|_| anyhow::anyhow!("the watch panicked"))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spacing_is_that_of_nearly_all_packets() {
        let mut distances = vec![Duration::from_millis(20); 98];
        distances.extend([Duration::from_millis(23), Duration::from_millis(50)]);
        let spacing = Spacing::of(distances).expect("distances");
        assert!(
            (spacing.off_p99_ms - 30.0).abs() < 1e-9,
            "{}",
            spacing.off_p99_ms
        );
        assert_eq!(spacing.packets, 100);
        assert!(Spacing::of(Vec::new()).is_none());
    }
}
