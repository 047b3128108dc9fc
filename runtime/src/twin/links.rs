// SPDX-License-Identifier: AGPL-3.0-only
//! The connections of a running shard.
//!
//! A task per connection reads and another writes, both on the shard's own thread; they meet the shard in queues, so
//! that a slow twin holds nobody up. What is read waits in a bounded queue, and then in the kernel and with the twin;
//! what cannot be written waits up to [`QUEUED_BYTES`], and then its call fails.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gossipper_bytecode::PeerId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, UnboundedSender};
use tokio::sync::mpsc::{channel, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::frame::{END_OF_COMMAND, Framer};
use super::{Bond, CONNECT_TIMEOUT, Opened, TwinPeer};

/// Commands that wait for the shard.
const EVENTS: usize = 256;

/// Bytes that wait for one twin.
const QUEUED_BYTES: usize = 4 << 20;

/// How long the side that commands waits at the end for the others to close first.
const LINGER: Duration = Duration::from_millis(300);

/// Bytes read at once.
const READ_BYTES: usize = 16 << 10;

/// Bytes written at once, about.
const WRITE_BYTES: usize = 64 << 10;

/// What happens on the connections.
#[derive(Debug)]
pub(crate) enum Event {
    /// A command came.
    Command(Vec<u8>),
    /// Somebody connected.
    Accepted(TcpStream),
    /// A peer with a name was connected to.
    Connected(PeerId, TcpStream),
    /// A peer could not be connected to, for the reason in words.
    Unreachable(String),
    /// A connection was closed, by the twin or for the reason in words.
    Closed(Option<String>),
}

/// The connections of a shard.
#[derive(Debug)]
pub(crate) struct Links {
    events: Receiver<Event>,
    sender: Sender<Event>,
    writers: Vec<(Option<PeerId>, Writer)>,
    /// Tasks that still have something to write at the end.
    writing: Vec<JoinHandle<()>>,
    /// The halves of accepted connections that nothing is written to: closing them would look like an end.
    silent: Vec<OwnedWriteHalf>,
    /// Peers to connect to when somebody connects.
    later: Vec<TwinPeer>,
    /// Connections that are being made.
    connecting: usize,
    /// Accepted connections that are not read from before all connections are made.
    waiting: VecDeque<TcpStream>,
    named: bool,
    /// Commands cannot be sent before somebody has connected.
    expects: bool,
    bond: Bond,
    lingers: bool,
    /// Connections that are read from.
    open: usize,
}

/// The way to one twin.
#[derive(Debug)]
struct Writer {
    queue: UnboundedSender<Vec<u8>>,
    queued_bytes: Arc<AtomicUsize>,
}

impl Links {
    /// Takes the sockets into the thread's reactor; to be called within its context.
    pub(crate) fn new(opened: Opened) -> io::Result<Self> {
        let (sender, events) = channel(EVENTS);
        let expects = if opened.named {
            !opened.later.is_empty()
        } else {
            opened.listener.is_some()
        };
        let mut links = Self {
            events,
            sender,
            writers: Vec::new(),
            writing: Vec::new(),
            silent: Vec::new(),
            later: opened.later,
            connecting: 0,
            waiting: VecDeque::new(),
            named: opened.named,
            expects,
            bond: opened.bond,
            lingers: opened.lingers,
            open: 0,
        };
        for (peer, stream) in opened.connected {
            links.talk(peer, TcpStream::from_std(stream)?);
        }
        if let Some(listener) = opened.listener {
            let listener = TcpListener::from_std(listener)?;
            tokio::spawn(accept(listener, opened.accepts, links.sender.clone()));
        }
        Ok(links)
    }

    /// What ends when a connection does.
    pub(crate) fn bond(&self) -> Bond {
        self.bond
    }

    /// What has happened and was not looked at.
    pub(crate) fn try_next(&mut self) -> Option<Event> {
        let event = self.events.try_recv().ok()?;
        self.note(&event);
        Some(event)
    }

    /// Waits until something happens.
    pub(crate) async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Some(event) => {
                self.note(&event);
                event
            }
            // We hold a sender ourselves.
            None => std::future::pending().await,
        }
    }

    fn note(&mut self, event: &Event) {
        if let Event::Closed(_) = event {
            self.open = self.open.saturating_sub(1);
        }
    }

    /// Hands a command to a twin; false when there is no way to it, or too much waits for it already.
    pub(crate) fn send(&self, peer: Option<PeerId>, command: &[u8]) -> bool {
        let mut writers = self.writers.iter();
        // With one twin it is not asked for whom a command is.
        let Some((_, writer)) = writers.find(|(to, _)| !self.named || *to == peer) else {
            return false;
        };
        let size = command.len() + 1;
        if writer.queued_bytes.load(Ordering::Relaxed) + size > QUEUED_BYTES {
            return false;
        }
        writer.queued_bytes.fetch_add(size, Ordering::Relaxed);
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(command);
        bytes.push(END_OF_COMMAND);
        writer.queue.send(bytes).is_ok()
    }

    /// Whether commands can be sent wherever the scenario sends them.
    pub(crate) fn ready(&self) -> bool {
        !self.expects && self.connecting == 0
    }

    /// Somebody connected.
    pub(crate) fn accepted(&mut self, stream: TcpStream) {
        self.expects = false;
        if !self.named {
            self.talk(None, stream);
            return;
        }
        for peer in std::mem::take(&mut self.later) {
            self.connecting += 1;
            tokio::spawn(connect(peer, self.sender.clone()));
        }
        self.waiting.push_back(stream);
        self.listen_when_ready();
    }

    /// A peer was connected to.
    pub(crate) fn connected(&mut self, peer: PeerId, stream: TcpStream) {
        self.connecting = self.connecting.saturating_sub(1);
        self.talk(Some(peer), stream);
        self.listen_when_ready();
    }

    /// Reads from whoever connected, once commands can be answered.
    fn listen_when_ready(&mut self) {
        if self.connecting > 0 {
            return;
        }
        for stream in std::mem::take(&mut self.waiting) {
            let (read, write) = stream.into_split();
            self.silent.push(write);
            self.open += 1;
            tokio::spawn(receive(read, self.sender.clone()));
        }
    }

    /// Reads from a connection and writes to it.
    fn talk(&mut self, peer: Option<PeerId>, stream: TcpStream) {
        // Commands are short, and calls wait for them. Without it they come late, and that is all.
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        let (queue, queued) = unbounded_channel();
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let writer = Writer {
            queue,
            queued_bytes: Arc::clone(&queued_bytes),
        };
        self.writers.push((peer, writer));
        self.open += 1;
        self.writing
            .push(tokio::spawn(transmit(write, queued, queued_bytes)));
        tokio::spawn(receive(read, self.sender.clone()));
    }

    /// Writes what waits, for at most this long, and closes the connections.
    ///
    /// The end of a connection makes the other side abort its calls, so those that end together with ours get a moment.
    /// SIPp 3.6.1 even breaks down if two of its connections end at once.
    pub(crate) async fn close(mut self, at_most: Duration) {
        if self.lingers {
            let others = async {
                while self.open > 0 {
                    self.next().await;
                }
            };
            let _ = timeout(LINGER, others).await;
        }
        self.writers.clear();
        let rest = async {
            for task in self.writing.drain(..) {
                // A task that failed has nothing to write any more.
                let _ = task.await;
            }
        };
        let _ = timeout(at_most, rest).await;
    }
}

async fn accept(listener: TcpListener, connections: usize, events: Sender<Event>) {
    let mut left = connections;
    while left > 0 {
        // A connection that was gone before it was accepted is none; a lack of descriptors may pass.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        left -= 1;
        if events.send(Event::Accepted(stream)).await.is_err() {
            return;
        }
    }
}

async fn connect(peer: TwinPeer, events: Sender<Event>) {
    let failed = |reason: &dyn std::fmt::Display| {
        Event::Unreachable(format!(
            "cannot connect to the peer `{}` at {}: {reason}",
            peer.name, peer.address
        ))
    };
    let event = match timeout(CONNECT_TIMEOUT, TcpStream::connect(peer.address)).await {
        Ok(Ok(stream)) => Event::Connected(peer.id, stream),
        Ok(Err(error)) => failed(&error),
        Err(error) => failed(&error),
    };
    // If nobody waits, the run is over.
    let _ = events.send(event).await;
}

/// Reads commands until the end of the connection.
async fn receive(mut stream: OwnedReadHalf, events: Sender<Event>) {
    let mut framer = Framer::default();
    let mut buffer = vec![0; READ_BYTES];
    let mut commands = Vec::new();
    let why = loop {
        let count = match stream.read(&mut buffer).await {
            Ok(0) if framer.is_amid() => break Some("it ended amid a command".to_owned()),
            Ok(0) => break None,
            Ok(count) => count,
            Err(error) => break Some(error.to_string()),
        };
        let pushed = framer.push(&buffer[..count], |command| commands.push(command));
        for command in commands.drain(..) {
            if events.send(Event::Command(command)).await.is_err() {
                return;
            }
        }
        if let Err(error) = pushed {
            break Some(error.to_string());
        }
    };
    let _ = events.send(Event::Closed(why)).await;
}

/// Writes what is queued until the queue is closed. A connection that fails is noticed by its reader.
async fn transmit(
    mut stream: OwnedWriteHalf,
    mut queue: UnboundedReceiver<Vec<u8>>,
    queued_bytes: Arc<AtomicUsize>,
) {
    let mut batch = Vec::new();
    while let Some(first) = queue.recv().await {
        batch.clear();
        batch.extend_from_slice(&first);
        while batch.len() < WRITE_BYTES
            && let Ok(more) = queue.try_recv()
        {
            batch.extend_from_slice(&more);
        }
        if stream.write_all(&batch).await.is_err() {
            return;
        }
        queued_bytes.fetch_sub(batch.len(), Ordering::Relaxed);
    }
    let _ = stream.shutdown().await;
}
