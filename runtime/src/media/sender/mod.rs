// SPDX-License-Identifier: AGPL-3.0-only
//! RTP without SIP (`-rtp_send`): streams to given addresses, from their own ports, with the engine that calls have.
//!
//! | Module | Idea |
//! | --- | --- |
//! | [`mod@self`] | what is sent, the threads, and what became of it |
//! | `begins` | when each stream begins |
//! | `worker` | the streams of one thread |
//!
//! A thread has every so-manieth stream, its own engine and sockets. What is played is coded once for all of them.
//!
//! Invariants: every stream that begins ends, by its length or by [`RtpSender::stop`], and only then are the figures those of
//! the whole; what the kernel did not take is counted and never counts as sent.

mod begins;
mod worker;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use gossipper_control::{EngineSnapshot, MediaSnapshot, Mode, Phase, Snapshot};
use gossipper_media::codec::PacketShape;
use gossipper_media::tone::{Sound, TONE_AMPLITUDE, Tone};
use gossipper_media::{Clip, Codec};
use tokio::sync::Notify;

use super::plan::locked;
use crate::clock::Clock;
use crate::error::Error;
use crate::transport::resolve::local_ip_towards;
pub use begins::Begins;
use worker::Worker;

/// What is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum SenderSound {
    /// A tone of so many hertz; `None` is that of synthetic audio.
    Tone(Option<u32>),
    /// White noise.
    Noise,
    /// Packets that hold silence.
    Silence,
    /// A file: WAV, or payload. From its beginning again when it is over.
    File(PathBuf),
}

/// What to send, and where to.
#[derive(Debug, Clone)]
pub struct SenderConfig {
    /// Where to; streams take them in turn. All of one family, and at least one.
    pub remotes: Vec<SocketAddr>,
    /// Where from; `None` is the address that leads to the first of them.
    pub local_ip: Option<IpAddr>,
    /// The first port, and that from which on there are none (`-mp`, `-max_rtp_port`).
    pub ports: (u16, u16),
    /// How many streams.
    pub streams: usize,
    /// When they begin.
    pub begins: Begins,
    /// Codec.
    pub codec: Codec,
    /// Its payload type.
    pub payload_type: u8,
    /// Length of a packet; `None` is the codec's.
    pub packet_ms: Option<u32>,
    /// Channels, with the same on each.
    pub channels: u8,
    /// What is heard.
    pub sound: SenderSound,
    /// How long each stream lasts; `None` is until the end.
    pub length: Option<Duration>,
    /// Only sending (`-media_scale`): nothing is received, nothing reported.
    pub scale: bool,
    /// Bytes of the kernel's buffers of each socket.
    pub buffer_bytes: Option<usize>,
    /// Threads.
    pub threads: usize,
    /// What sources, sequence numbers and timestamps follow from.
    pub seed: u64,
}

/// What all threads have in common.
#[derive(Debug)]
struct Common {
    config: SenderConfig,
    local_ip: IpAddr,
    clip: Clip,
    shape: PacketShape,
}

impl Common {
    fn new(config: SenderConfig) -> Result<Self, Error> {
        let wrong = |why: String| Error::RtpSender { why };
        let Some(remote) = config.remotes.first() else {
            return Err(wrong("there is nowhere to send to".to_owned()));
        };
        let local_ip = match config.local_ip {
            Some(ip) => ip,
            None => local_ip_towards(*remote)?,
        };
        if let Some(other) = config
            .remotes
            .iter()
            .find(|remote| remote.is_ipv4() != local_ip.is_ipv4())
        {
            return Err(Error::Family {
                local: local_ip,
                remote: other.ip(),
            });
        }
        let (codec, name) = (config.codec, config.codec.params().name);
        let packet_ms = config.packet_ms.unwrap_or_else(|| codec.params().packet_ms);
        let shape = codec
            .packet_of(packet_ms)
            .ok_or_else(|| wrong(format!("{name} has no packets of {packet_ms} ms")))?;
        let synthetic = |sound| Clip::synthetic(codec, sound, shape.payload_len);
        let clip = match &config.sound {
            SenderSound::Tone(None) => synthetic(Sound::default()),
            SenderSound::Tone(Some(hz)) => {
                synthetic(Sound::Tone(Tone::new(f64::from(*hz), TONE_AMPLITUDE)))
            }
            SenderSound::Noise => synthetic(Sound::noise()),
            SenderSound::Silence => synthetic(Sound::Silence),
            SenderSound::File(path) => {
                let shown = path.display();
                let bytes = std::fs::read(path)
                    .map_err(|error| wrong(format!("cannot read `{shown}`: {error}")))?;
                Clip::file(codec, &bytes).map_err(|error| wrong(format!("`{shown}`: {error}")))?
            }
        };
        let shape = shape
            .with_channels(codec, config.channels)
            .map_err(|error| wrong(error.to_string()))?;
        Ok(Self {
            local_ip,
            clip: clip.on_channels(config.channels),
            shape,
            config,
        })
    }
}

/// What threads tell.
#[derive(Debug)]
struct Shared {
    clock: Clock,
    /// By thread.
    figures: Vec<Mutex<MediaSnapshot>>,
    running: AtomicUsize,
    /// Streams that send now.
    sending: AtomicUsize,
    ended: Notify,
    stop: AtomicBool,
    stopped: Vec<Notify>,
}

/// Shows the figures of streams on their way, from any thread and after their end.
#[derive(Debug, Clone)]
pub struct SenderView {
    shared: Arc<Shared>,
    local: SocketAddr,
    remotes: Arc<str>,
}

/// Streams on their way.
#[derive(Debug)]
pub struct RtpSender {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    view: SenderView,
    payload_len: usize,
    packet_ms: u64,
}

impl RtpSender {
    /// Binds the ports and begins to send.
    ///
    /// # Errors
    /// A file or the shape of the packets is wrong, there are not enough ports, or no thread can be started.
    pub fn start(config: SenderConfig) -> Result<Self, Error> {
        let common = Arc::new(Common::new(config)?);
        let config = &common.config;
        let count = config.streams.max(1);
        let threads = config.threads.clamp(1, count);
        // One socket for each stream, and one for its reports.
        let needed = count * if config.scale { 1 } else { 2 };
        let room = crate::run::room();
        if needed > room {
            return Err(Error::RtpSender {
                why: format!("{needed} sockets are needed and {room} may be open (ulimit -n)"),
            });
        }
        let mut waiting = Waiting::default();
        let (told, tells) = mpsc::channel();
        for stripe in 0..threads {
            waiting.spawn(&common, stripe, threads, told.clone())?;
        }
        // Whoever ends without a word is missed.
        drop(told);
        let mut port = 0;
        for _ in 0..threads {
            let bound = tells.recv().unwrap_or_else(|_| {
                Err(Error::RtpSender {
                    why: "a thread ended before it began".to_owned(),
                })
            });
            let (stripe, first_port) = bound?;
            if stripe == 0 {
                port = first_port;
            }
        }
        let shared = Arc::new(Shared {
            clock: Clock::start(),
            figures: (0..threads).map(|_| Mutex::default()).collect(),
            running: AtomicUsize::new(threads),
            sending: AtomicUsize::new(0),
            ended: Notify::new(),
            stop: AtomicBool::new(false),
            stopped: (0..threads).map(|_| Notify::new()).collect(),
        });
        let remotes: Vec<String> = config.remotes.iter().map(ToString::to_string).collect();
        Ok(Self {
            threads: waiting.go(&shared),
            view: SenderView {
                shared: Arc::clone(&shared),
                local: SocketAddr::new(common.local_ip, port),
                remotes: remotes.join(",").into(),
            },
            shared,
            payload_len: common.shape.payload_len,
            packet_ms: common.shape.period.0 / 1000,
        })
    }

    /// Ends all streams. Those that wait to begin do not.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Release);
        for stopped in &self.shared.stopped {
            stopped.notify_one();
        }
    }

    /// Waits until all streams are over.
    pub async fn ended(&self) {
        while self.shared.running.load(Ordering::Acquire) > 0 {
            self.shared.ended.notified().await;
        }
    }

    /// Streams that send now.
    #[must_use]
    pub fn sending(&self) -> usize {
        self.shared.sending.load(Ordering::Relaxed)
    }

    /// Payload of a packet, in bytes.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        self.payload_len
    }

    /// Length of a packet.
    #[must_use]
    pub fn packet_ms(&self) -> u64 {
        self.packet_ms
    }

    /// Figures so far.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.view.snapshot()
    }

    /// Shows them to others.
    #[must_use]
    pub fn view(&self) -> SenderView {
        self.view.clone()
    }

    /// Ends what still goes on, and tells what became of it.
    #[must_use]
    pub fn finish(mut self) -> Snapshot {
        self.stop();
        for thread in self.threads.drain(..) {
            // It does nothing that panics; how it ended would change no figure.
            let _ = thread.join();
        }
        self.snapshot()
    }
}

impl SenderView {
    /// Figures so far, in the form of a run: it has no calls.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut media = MediaSnapshot::default();
        for figures in &self.shared.figures {
            media.add(&locked(figures));
        }
        let running = self.shared.running.load(Ordering::Acquire) > 0;
        Snapshot {
            elapsed_us: self.shared.clock.now().0,
            started_at_us: self.shared.clock.wall_base_us(),
            engines: vec![EngineSnapshot {
                scenario: "rtp_sender".to_owned(),
                mode: Some(Mode::Client),
                local: self.local.to_string(),
                remote: Some(self.remotes.to_string()),
                phase: if running {
                    Phase::Running
                } else {
                    Phase::Ended
                },
                media: Some(Box::new(media)),
                ..EngineSnapshot::default()
            }],
            ..Snapshot::default()
        }
    }
}

impl Drop for RtpSender {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Threads that have bound their ports, or will have, and wait for the word to begin. They end when it does not come.
#[derive(Debug, Default)]
struct Waiting {
    threads: Vec<JoinHandle<()>>,
    words: Vec<mpsc::Sender<Arc<Shared>>>,
}

impl Waiting {
    /// The thread tells its number and its first port.
    fn spawn(
        &mut self,
        common: &Arc<Common>,
        stripe: usize,
        stripes: usize,
        told: mpsc::Sender<Result<(usize, u16), Error>>,
    ) -> Result<(), Error> {
        let failed = |source| Error::Thread {
            what: "RTP sender",
            source,
        };
        let common = Arc::clone(common);
        let (word, words) = mpsc::channel::<Arc<Shared>>();
        // Sockets and what sends from them belong to one thread, so they are made there.
        let body = move || {
            let reactor = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .enable_time()
                .build()
                .map_err(failed);
            let made = reactor.and_then(|reactor| {
                let within = reactor.enter();
                let worker = Worker::new(&common, stripe, stripes)?;
                drop(within);
                Ok((reactor, worker))
            });
            let (reactor, worker) = match made {
                Ok(made) => made,
                Err(error) => {
                    // Nobody listens any more if another thread has failed too.
                    let _ = told.send(Err(error));
                    return;
                }
            };
            let _ = told.send(Ok((stripe, worker.first_port())));
            drop(told);
            if let Ok(shared) = words.recv() {
                let _over = Over(Arc::clone(&shared));
                reactor.block_on(worker.run(&shared, stripe));
            }
        };
        let thread = std::thread::Builder::new()
            .name(format!("rtp sender {stripe}"))
            .spawn(body)
            .map_err(failed)?;
        self.threads.push(thread);
        self.words.push(word);
        Ok(())
    }

    /// Lets them begin.
    fn go(self, shared: &Arc<Shared>) -> Vec<JoinHandle<()>> {
        for word in self.words {
            // A thread that is gone has said so.
            let _ = word.send(Arc::clone(shared));
        }
        self.threads
    }
}

/// A thread is over, however it ended.
struct Over(Arc<Shared>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
        self.0.ended.notify_one();
    }
}

#[cfg(test)]
mod tests;
