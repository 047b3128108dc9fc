// SPDX-License-Identifier: AGPL-3.0-only
//! Sleeping on one socket, a call of another thread and a point in time, without a reactor.
//!
//! A reactor that serves many sockets asks for every event of each, writability too, rounds times up to milliseconds
//! and calls itself through a descriptor whenever a deadline moves forward. A shard with one socket sleeps with one system
//! call (`ppoll`) for what it waits for and nothing else.
//!
//! Only on Linux; elsewhere [`Poller::new`] gives none and the shard uses its reactor.
// PERF: for 4,400 reads at 1,000 calls/s a client's reactor took 7,500 calls of `epoll_wait` and 1,800 of `write` to call
// itself; one `ppoll` per sleep replaces both (2026-11-21, Linux 6.18).

/// What ended a sleep; nothing when time was up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ready {
    /// The socket can be read, or has an error to tell.
    pub readable: bool,
    /// The socket can be written; only when that was asked for.
    pub writable: bool,
    /// The waker was called.
    pub called: bool,
}

#[cfg(target_os = "linux")]
pub use imp::Poller;

#[cfg(target_os = "linux")]
mod imp {
    use super::Ready;
    use std::io::{self, Read as _, Write as _};
    use std::net::UdpSocket;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Wake, Waker};
    use std::time::Duration;

    /// Sleeps for one thread.
    #[derive(Debug)]
    pub struct Poller {
        bell: Arc<Bell>,
        /// Becomes readable when the bell is rung.
        ear: UnixStream,
    }

    #[derive(Debug)]
    struct Bell {
        /// It was rung since it was last heard: once is enough.
        rung: AtomicBool,
        mouth: UnixStream,
    }

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            if !self.rung.swap(true, Ordering::AcqRel) {
                // A full pipe wakes as well as one byte more would.
                let _ = (&self.mouth).write(&[1]);
            }
        }
    }

    impl Poller {
        /// A poller; `None` where the system has none.
        ///
        /// # Errors
        /// When the process has no descriptor left.
        pub fn new() -> io::Result<Option<Self>> {
            let (mouth, ear) = UnixStream::pair()?;
            mouth.set_nonblocking(true)?;
            ear.set_nonblocking(true)?;
            let rung = AtomicBool::new(false);
            Ok(Some(Self {
                bell: Arc::new(Bell { rung, mouth }),
                ear,
            }))
        }

        /// Ends a sleep, from any thread; one that has not begun yet ends at once.
        #[must_use]
        pub fn waker(&self) -> Waker {
            Waker::from(Arc::clone(&self.bell))
        }

        /// Sleeps until `socket` can be read (with `full`, also until it can be written), until the waker is called, or for
        /// `at_most`. It may end before any of that.
        pub fn wait(&self, socket: Option<&UdpSocket>, full: bool, at_most: Duration) -> Ready {
            let ready = super::super::linux::poll(socket, full, &self.ear, at_most);
            if ready.called {
                let mut rings = [0; 64];
                // What one read leaves ends the next sleep, which is harmless.
                let _ = (&self.ear).read(&mut rings);
                self.bell.rung.store(false, Ordering::Release);
            }
            ready
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::net::Ipv4Addr;

        /// Longer than any test; what ends it is an event.
        const LONG: Duration = Duration::from_secs(60);

        fn poller() -> Poller {
            Poller::new().expect("descriptors").expect("this is Linux")
        }

        #[test]
        fn a_datagram_ends_the_sleep_and_an_empty_socket_does_not() {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
            let poller = poller();
            let brief = Duration::from_micros(100);
            assert_eq!(poller.wait(Some(&socket), false, brief), Ready::default());
            let to = socket.local_addr().expect("bound");
            socket.send_to(b"x", to).expect("it is sent");
            let ready = poller.wait(Some(&socket), false, LONG);
            assert!(
                ready.readable && !ready.writable && !ready.called,
                "{ready:?}"
            );
        }

        #[test]
        fn a_socket_with_room_ends_the_sleep_only_of_who_waits_for_room() {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
            assert!(poller().wait(Some(&socket), true, LONG).writable);
        }

        #[test]
        fn each_call_of_the_waker_ends_one_sleep_whenever_it_comes() {
            let poller = poller();
            let waker = poller.waker();
            for _ in 0..3 {
                // Twice before the sleep is as good as once.
                waker.wake_by_ref();
                waker.wake_by_ref();
                assert!(poller.wait(None, false, LONG).called);
                assert_eq!(poller.wait(None, false, Duration::ZERO), Ready::default());
            }
            let caller = std::thread::spawn(move || waker.wake());
            assert!(poller.wait(None, false, LONG).called);
            caller.join().expect("it only wakes");
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub use none::Poller;

#[cfg(not(target_os = "linux"))]
mod none {
    use super::Ready;
    use std::convert::Infallible;
    use std::io;
    use std::net::UdpSocket;
    use std::task::Waker;
    use std::time::Duration;

    /// Does not exist here.
    #[derive(Debug)]
    pub struct Poller(Infallible);

    impl Poller {
        /// `None`.
        ///
        /// # Errors
        /// Never.
        pub fn new() -> io::Result<Option<Self>> {
            Ok(None)
        }

        /// Cannot be called.
        #[must_use]
        pub fn waker(&self) -> Waker {
            match self.0 {}
        }

        /// Cannot be called.
        pub fn wait(&self, _socket: Option<&UdpSocket>, _full: bool, _at_most: Duration) -> Ready {
            match self.0 {}
        }
    }
}
