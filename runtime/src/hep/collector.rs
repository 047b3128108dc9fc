// SPDX-License-Identifier: AGPL-3.0-only
//! The way to the collector: datagrams, or a connection that is made again when it breaks.
//!
//! A packet that was written in part when its connection broke is written again from its beginning to the next one. What the
//! kernel had taken by then may be lost with the connection: HEP has no receipts.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::queue::Shared;
use super::{HepConfig, HepTransport};
use crate::error::Error;
use crate::sys::{Backend, BatchSender, Outgoing};
use crate::transport::resolve::any_address;
use crate::transport::tls::{TlsClient, explain};

/// How long a connection may take to be made, its handshake included.
const CONNECT: Duration = Duration::from_secs(3);

/// Time between two looks whether the run ends, while the collector does not read.
const SLICE: Duration = Duration::from_millis(100);

/// How long to see whether the collector has closed its connection: what is written after that is lost.
const GLANCE: Duration = Duration::from_millis(1);

/// Bytes that the kernel may hold for a collector that does not read.
const SEND_BUFFER_BYTES: usize = 256 << 10;

/// The first pause before the collector is tried again, doubled each time up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// What became of the packets.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: u64,
    pub(super) lost: u64,
    pub(super) connections: u64,
    /// The first thing that went wrong.
    pub(super) error: Option<String>,
}

impl Tally {
    pub(super) fn lose(&mut self, packets: u64, why: &str) {
        self.lost += packets;
        self.trouble(why);
    }

    fn trouble(&mut self, why: &str) {
        if self.error.is_none() {
            self.error = Some(why.to_owned());
        }
    }
}

/// For how long the collector is waited for: as long as the run goes on, and a while beyond its end.
pub(super) struct Patience<'a> {
    shared: &'a Shared,
    grace: Duration,
    /// When it is over, once the end is near.
    until: Option<Instant>,
}

impl<'a> Patience<'a> {
    pub(super) const fn new(shared: &'a Shared, grace: Duration) -> Self {
        Self {
            shared,
            grace,
            until: None,
        }
    }

    /// Whether it is over.
    fn is_over(&mut self) -> bool {
        if self.until.is_none() && self.shared.is_closing() {
            self.until = Some(Instant::now() + self.grace);
        }
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// Waits until then, or until patience is over; true when it is. The end of the run is no reason to wait longer, and so
    /// ends a pause.
    fn wait_until(&mut self, then: Instant) -> bool {
        match self.until {
            None => {
                self.shared.wait_until(then);
            }
            Some(until) => {
                let then = until.min(then);
                std::thread::sleep(then.saturating_duration_since(Instant::now()));
            }
        }
        self.is_over()
    }
}

/// Packets, one after the other.
#[derive(Debug, Default)]
pub(super) struct Packets {
    pub(super) bytes: Vec<u8>,
    /// Where each of them ends.
    pub(super) ends: Vec<usize>,
}

impl Packets {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Where the packet of this number begins.
    fn start(&self, index: usize) -> usize {
        match index.checked_sub(1) {
            None => 0,
            Some(before) => self.ends[before],
        }
    }
}

/// When to try again.
#[derive(Debug)]
struct Retry {
    at: Instant,
    pause: Duration,
}

impl Retry {
    fn new() -> Self {
        Self {
            at: Instant::now(),
            pause: FIRST_PAUSE,
        }
    }

    fn failed(&mut self) {
        self.at = Instant::now() + self.pause;
        self.pause = (self.pause * 2).min(LAST_PAUSE);
    }

    fn worked(&mut self) {
        self.pause = FIRST_PAUSE;
    }
}

/// What packets are written to.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A socket that datagrams leave through.
struct Door {
    socket: UdpSocket,
    readiness: tokio::net::UdpSocket,
    sender: BatchSender,
}

/// How the collector is reached.
enum Way {
    Datagrams(Option<Door>),
    Connection(Option<TlsClient>, Option<Box<dyn Stream>>),
}

/// The collector.
pub(super) struct Collector {
    address: SocketAddr,
    way: Way,
    retry: Retry,
    reactor: Runtime,
}

/// Where packets go, before there is a thread to send them.
pub(super) struct Destination {
    address: SocketAddr,
    carrier: Carrier,
}

/// What they go by.
enum Carrier {
    Udp,
    Tcp,
    Tls(TlsClient),
}

impl Destination {
    /// Reads the files of TLS.
    ///
    /// # Errors
    /// When one cannot be used.
    pub(super) fn of(config: &HepConfig) -> Result<Self, Error> {
        let address = config.address;
        let carrier = match &config.transport {
            HepTransport::Udp => Carrier::Udp,
            HepTransport::Tcp => Carrier::Tcp,
            HepTransport::Tls(tls) => {
                Carrier::Tls(TlsClient::new(tls, &config.host, address.ip())?)
            }
        };
        Ok(Self { address, carrier })
    }
}

impl Collector {
    /// Connects to nobody yet.
    pub(super) fn new(destination: Destination, reactor: Runtime) -> Self {
        Self {
            address: destination.address,
            way: match destination.carrier {
                Carrier::Udp => Way::Datagrams(None),
                Carrier::Tcp => Way::Connection(None, None),
                Carrier::Tls(client) => Way::Connection(Some(client), None),
            },
            retry: Retry::new(),
            reactor,
        }
    }

    /// Delivers packets; gives up what is left when patience is over.
    pub(super) fn deliver(
        &mut self,
        packets: &Packets,
        tally: &mut Tally,
        patience: &mut Patience<'_>,
    ) {
        let mut done = 0;
        while done < packets.ends.len() {
            let result = match &mut self.way {
                Way::Datagrams(door) => {
                    let to = self.address;
                    let going = datagrams(door, to, packets, &mut done, tally, patience);
                    self.reactor.block_on(going)
                }
                Way::Connection(tls, stream) => {
                    let to = (self.address, tls.as_ref());
                    let going = connection(stream, to, packets, &mut done, tally, patience);
                    self.reactor.block_on(going)
                }
            };
            let over = match result {
                Ok(()) => {
                    self.retry.worked();
                    patience.is_over()
                }
                Err(error) => {
                    tally.trouble(&format!("{}: {error}", self.address));
                    // It may be long until all is delivered.
                    patience.shared.publish(tally);
                    match &mut self.way {
                        Way::Datagrams(door) => *door = None,
                        Way::Connection(_, stream) => *stream = None,
                    }
                    self.retry.failed();
                    patience.wait_until(self.retry.at)
                }
            };
            let left = packets.ends.len() - done;
            if over && left > 0 {
                tally.lose(left as u64, &format!("{} does not take them", self.address));
                return;
            }
        }
    }

    /// Says goodbye.
    pub(super) fn close(&mut self, tally: &mut Tally) {
        match &mut self.way {
            Way::Datagrams(Some(door)) => {
                // Of the last datagrams nobody has heard yet.
                if let Ok(Some(error)) = door.socket.take_error() {
                    refused(1, &error.to_string(), self.address, tally);
                }
            }
            Way::Connection(_, Some(stream)) => {
                let shutdown = async { timeout(SLICE, stream.shutdown()).await };
                // It is over either way.
                let _ = self.reactor.block_on(shutdown);
            }
            Way::Datagrams(None) | Way::Connection(_, None) => {}
        }
    }
}

/// Datagrams that were sent, and of which the network has said since that nobody took them.
fn refused(datagrams: u32, why: &str, to: SocketAddr, tally: &mut Tally) {
    let datagrams = u64::from(datagrams).min(tally.sent);
    tally.sent -= datagrams;
    tally.lose(datagrams, &format!("{to}: {why}"));
}

/// Sends what is left as datagrams, unless the socket stays full. Those that cannot be sent are lost.
async fn datagrams(
    door: &mut Option<Door>,
    to: SocketAddr,
    packets: &Packets,
    done: &mut usize,
    tally: &mut Tally,
    patience: &mut Patience<'_>,
) -> io::Result<()> {
    let door = match door {
        Some(door) => door,
        closed @ None => closed.insert(Door::open(to)?),
    };
    let items: Vec<Outgoing> = (*done..packets.ends.len())
        .map(|index| (packets.start(index), packets.ends[index]))
        .map(|(off, end)| Outgoing {
            off,
            len: end - off,
            to,
        })
        .collect();
    let mut items = &items[..];
    while !items.is_empty() {
        let mut failed = 0;
        let mut say = |_: usize, error: io::Error| {
            failed += 1;
            tally.lose(1, &format!("{to}: {error}"));
        };
        let outcome = door
            .sender
            .send(&door.socket, &packets.bytes, items, &mut say);
        tally.sent += (outcome.done - failed) as u64;
        if outcome.icmp_errors > 0 {
            refused(outcome.icmp_errors, "nobody listens there", to, tally);
        }
        *done += outcome.done;
        items = &items[outcome.done..];
        if items.is_empty() || patience.is_over() {
            break;
        }
        let _ = door
            .readiness
            .try_io(Interest::WRITABLE, || -> io::Result<()> {
                Err(io::ErrorKind::WouldBlock.into())
            });
        // Whether it is writable or has been waited for long enough: it is tried.
        let _ = timeout(SLICE, door.readiness.writable()).await;
    }
    Ok(())
}

impl Door {
    /// To be called within the reactor's context.
    fn open(to: SocketAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind((any_address(to.is_ipv6()), 0))?;
        // Only who is connected hears that nobody listens.
        socket.connect(to)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            readiness: tokio::net::UdpSocket::from_std(socket.try_clone()?)?,
            sender: BatchSender::new(Backend::Auto),
            socket,
        })
    }
}

/// Writes what is left to the connection, made before if there is none.
async fn connection(
    stream: &mut Option<Box<dyn Stream>>,
    (to, tls): (SocketAddr, Option<&TlsClient>),
    packets: &Packets,
    done: &mut usize,
    tally: &mut Tally,
    patience: &mut Patience<'_>,
) -> io::Result<()> {
    let stream = match stream {
        Some(stream) => {
            see_whether_it_is_there(stream).await?;
            stream
        }
        closed @ None => {
            let made = timeout(CONNECT, connect(to, tls)).await;
            let made = made.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
            tally.connections += 1;
            closed.insert(made)
        }
    };
    let mut at = packets.start(*done);
    while *done < packets.ends.len() {
        match timeout(SLICE, stream.write(&packets.bytes[at..])).await {
            Ok(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(Ok(written)) => at += written,
            Ok(Err(error)) => return Err(error),
            Err(_) if patience.is_over() => return Ok(()),
            Err(_) => {}
        }
        while packets.ends.get(*done).is_some_and(|end| *end <= at) {
            *done += 1;
            tally.sent += 1;
        }
    }
    // What TLS has kept to itself; a collector that does not read now gets it with what follows, or at the end.
    while !patience.is_over() {
        if let Ok(flushed) = timeout(SLICE, stream.flush()).await {
            return flushed;
        }
    }
    Ok(())
}

async fn connect(to: SocketAddr, tls: Option<&TlsClient>) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    // What waits in the kernel counts as sent: not too much of that.
    let _ = socket2::SockRef::from(&stream).set_send_buffer_size(SEND_BUFFER_BYTES);
    Ok(match tls {
        None => Box::new(stream),
        Some(tls) => Box::new(
            tls.connect(stream)
                .await
                .map_err(|error| io::Error::other(explain(&error)))?,
        ),
    })
}

/// Collectors say nothing, so what can be read is the end of the connection, or nothing that matters.
async fn see_whether_it_is_there(stream: &mut Box<dyn Stream>) -> io::Result<()> {
    let mut some = [0; 512];
    match timeout(GLANCE, stream.read(&mut some)).await {
        Ok(Ok(0)) => Err(io::Error::new(
            io::ErrorKind::ConnectionAborted,
            "the collector closed its connection",
        )),
        Ok(Ok(_)) | Err(_) => Ok(()),
        Ok(Err(error)) => Err(error),
    }
}
