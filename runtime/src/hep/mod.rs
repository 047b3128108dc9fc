// SPDX-License-Identifier: AGPL-3.0-only
//! Messages mirrored to a collector of HEP3, beside the shards.
//!
//! | Module | Idea |
//! | --- | --- |
//! | `mirror` | what a shard hands over, at the place where `-trace_msg` takes its messages |
//! | `media` | the same for what is reported of media |
//! | `queue` | how it gets to the exporter |
//! | `collector` | the way to the collector: datagrams or a connection, made again when it breaks |
//!
//! Shards never wait for the collector: what does not fit into the bounded queue is dropped and counted. One thread makes
//! packets and sends them. While the collector is away, what is queued waits; at the end of a run it is given
//! [`GRACE`] to get there.
//!
//! Mirrored is what goes over the network as SIP. Commands between twins are not.

mod collector;
mod media;
mod mirror;
mod queue;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use gossipper_control::HepCounts;
use gossipper_hep::{IpProtocol, Packet, PayloadType, Timestamp};

use crate::error::Error;
use crate::logs::headers;
use crate::transport::resolve::local_ip_towards;
use crate::transport::tls::TlsConfig;
use collector::{Collector, Destination, Packets, Patience, Tally};
pub(crate) use media::MediaMirror;
pub(crate) use mirror::{Locals, Mirror};
use queue::{Batch, Record, Shared, What};

/// How long the end of a run waits for what is queued.
const GRACE: Duration = Duration::from_secs(2);

/// Bytes of packets that are handed to the collector at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Peers whose way is remembered.
const WAYS: usize = 4096;

/// Where messages are mirrored to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HepConfig {
    /// What carries the packets.
    pub transport: HepTransport,
    /// The collector as it was named.
    pub host: String,
    /// What that stands for.
    pub address: SocketAddr,
    /// `-hep_capture_id`.
    pub capture_id: u32,
    /// `-hep_password`.
    pub password: Option<String>,
    /// What is told of media.
    pub media: HepMedia,
}

/// What the collector is told of media.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HepMedia {
    /// RTCP, in one of its forms.
    pub rtcp: Option<HepRtcp>,
    /// Short reports as JSON (`-send_media_report`).
    pub reports: bool,
}

/// In which form RTCP is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HepRtcp {
    /// Packets as they pass, and a sender report of each stream from time to time (`-hep_raw_rtcp`).
    Raw,
    /// JSON in the words of Homer's agents, from time to time (`-hep_homer_lake_rtcp`).
    Json,
}

/// What carries packets to the collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HepTransport {
    /// A packet per datagram.
    Udp,
    /// A connection.
    Tcp,
    /// A connection over TLS.
    Tls(Box<TlsConfig>),
}

/// Tells what has become of the messages so far.
#[derive(Debug, Clone)]
pub(crate) struct HepView(Arc<Shared>);

impl HepView {
    pub(crate) fn counts(&self) -> HepCounts {
        self.0.counts()
    }
}

/// The thread that exports.
#[derive(Debug)]
pub(crate) struct Exporter {
    shared: Arc<Shared>,
    media: HepMedia,
    thread: Option<JoinHandle<()>>,
}

impl Exporter {
    /// Starts the thread; it finds the collector by itself. `streams` says that SIP goes over connections.
    ///
    /// # Errors
    /// When the files of TLS cannot be used, or a thread cannot be had.
    pub(crate) fn start(config: &HepConfig, streams: bool) -> Result<Self, Error> {
        let thread = |source| Error::Thread {
            what: "HEP exporter",
            source,
        };
        let destination = Destination::of(config)?;
        let reactor = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(thread)?;
        let shared = Arc::new(Shared::default());
        let encoder = Encoder {
            protocol: if streams {
                IpProtocol::TCP
            } else {
                IpProtocol::UDP
            },
            capture_id: config.capture_id,
            password: config.password.clone(),
            ways: HashMap::new(),
            packets: Packets::default(),
        };
        let of_thread = Arc::clone(&shared);
        let handle = std::thread::Builder::new()
            .name("hep".into())
            .spawn(move || {
                let collector = Collector::new(destination, reactor);
                export(&of_thread, encoder, collector);
            })
            .map_err(thread)?;
        Ok(Self {
            shared,
            media: config.media,
            thread: Some(handle),
        })
    }

    /// What a shard mirrors with; `own` are the addresses of its UDP sockets, by flow, and `locals` those of its other
    /// flows.
    pub(crate) fn mirror(&self, own: Vec<SocketAddr>, locals: Option<Locals>) -> Box<Mirror> {
        Box::new(Mirror::new(Arc::clone(&self.shared), own, locals))
    }

    /// What a shard tells of media with, if it is to.
    pub(crate) fn media(&self) -> Option<MediaMirror> {
        let wanted = self.media != HepMedia::default();
        wanted.then(|| MediaMirror::new(Arc::clone(&self.shared), self.media))
    }

    /// Who tells what has become of the messages.
    pub(crate) fn view(&self) -> HepView {
        HepView(Arc::clone(&self.shared))
    }

    /// Sends what is queued, as far as the collector takes it, and ends the thread. The mirrors should be gone by then.
    pub(crate) fn close(mut self) -> HepCounts {
        self.finish();
        self.shared.counts()
    }

    fn finish(&mut self) {
        self.shared.close();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            // A bug, but the run's result matters more than its mirror.
            self.shared.publish(&Tally {
                error: Some("the HEP exporter panicked".into()),
                ..Tally::default()
            });
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Packets in the making.
struct Encoder {
    protocol: IpProtocol,
    capture_id: u32,
    password: Option<String>,
    /// Our address towards a peer, for sockets that are bound to none.
    ways: HashMap<IpAddr, IpAddr>,
    packets: Packets,
}

impl Encoder {
    /// Adds a packet; false when the message is too long for one.
    fn add(&mut self, record: &Record, message: &[u8]) -> bool {
        let [mut source, mut destination] = [record.source, record.destination];
        if source.ip().is_unspecified() {
            source.set_ip(self.towards(destination));
        } else if destination.ip().is_unspecified() {
            destination.set_ip(self.towards(source));
        }
        let (protocol, payload_type, call_id, message) = match record.what {
            What::Sip => {
                let call_id = headers::call_id(message);
                (self.protocol, PayloadType::SIP, call_id, message)
            }
            What::Media(payload_type, call_id_bytes) => {
                let (call_id, payload) = message.split_at(call_id_bytes.min(message.len()));
                (IpProtocol::UDP, payload_type, call_id, payload)
            }
        };
        let packet = Packet {
            capture_id: self.capture_id,
            auth_key: self.password.as_deref().map(str::as_bytes),
            correlation_id: (!call_id.is_empty()).then_some(call_id),
            ..Packet::new(
                protocol,
                source,
                destination,
                Timestamp::from_micros(record.wall_us),
                payload_type,
                message,
            )
        };
        let packets = &mut self.packets;
        let fits = packet.encode(&mut packets.bytes).is_ok();
        if fits {
            packets.ends.push(packets.bytes.len());
        }
        fits
    }

    /// Our address as the peer sees it: the one the system would send from.
    fn towards(&mut self, peer: SocketAddr) -> IpAddr {
        if let Some(own) = self.ways.get(&peer.ip()) {
            return *own;
        }
        let unknown = crate::transport::resolve::any_address(peer.is_ipv6());
        let own = local_ip_towards(peer).unwrap_or(unknown);
        if self.ways.len() < WAYS {
            self.ways.insert(peer.ip(), own);
        }
        own
    }
}

fn export(shared: &Shared, mut encoder: Encoder, mut collector: Collector) {
    let mut batch = Batch::default();
    let mut tally = Tally::default();
    let mut patience = Patience::new(shared, GRACE);
    loop {
        let closing = shared.take(&mut batch);
        batch.sort();
        let count = batch.records().len();
        for index in 0..count {
            let (record, message) = batch.get(index);
            if !encoder.add(record, message) {
                tally.lose(1, "a message is too long for a packet of HEP");
            }
            if encoder.packets.bytes.len() >= CHUNK_BYTES || index + 1 == count {
                collector.deliver(&encoder.packets, &mut tally, &mut patience);
                encoder.packets.clear();
                shared.publish(&tally);
            }
        }
        batch.clear();
        if closing && shared.is_done() {
            collector.close(&mut tally);
            shared.publish(&tally);
            return;
        }
    }
}
