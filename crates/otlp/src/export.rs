// SPDX-License-Identifier: AGPL-3.0-only
//! A bounded queue of requests, and the thread that delivers them.
//!
//! A request that the collector does not take now is tried again after pauses that double, for [`TRIED_FOR`]. What comes
//! meanwhile waits; beyond [`QUEUE_BYTES`] the oldest that waits is dropped. What is dropped or refused is counted, with the
//! first reason. At the end the collector is given a while for what is left.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::answer::Outcome;
use crate::client::Client;
use crate::encode::Request;

/// Bytes of requests that wait.
pub const QUEUE_BYTES: usize = 32 << 20;

/// For how long a request is tried.
pub const TRIED_FOR: Duration = Duration::from_secs(60);

/// The first pause before it is tried again, doubled each time up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(5);

/// What HTTP and gRPC are spoken over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A stream in the making.
pub type Wrapping<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send + 'a>>;

/// Puts TLS over a connection.
pub trait Wrap: Send + Sync {
    /// Shakes hands.
    fn wrap(&self, stream: TcpStream) -> Wrapping<'_>;
}

/// What is spoken with a collector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// gRPC over HTTP/2.
    Grpc,
    /// Protocol buffers over HTTP/1.1.
    Http,
}

/// A collector.
pub struct Collector {
    /// What is spoken.
    pub protocol: Protocol,
    /// Its name, looked up for each connection, or its address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The path of the resource, over HTTP.
    pub path: String,
    /// Further headers.
    pub headers: Vec<(String, String)>,
    /// How long it may take to answer, the connection included.
    pub timeout: Duration,
    /// TLS; plain otherwise.
    pub wrap: Option<Box<dyn Wrap>>,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may be secrets.
        f.debug_struct("Collector")
            .field("protocol", &self.protocol)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// What became of records.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Taken by the collector.
    pub delivered: u64,
    /// Refused by it, or dropped.
    pub lost: u64,
    /// Attempts that were made again.
    pub retries: u64,
    /// The first thing that went wrong.
    pub error: Option<String>,
}

impl Counts {
    fn lose(&mut self, records: u64, why: &str) {
        self.lost += records;
        self.trouble(why);
    }

    fn trouble(&mut self, why: &str) {
        if self.error.is_none() {
            self.error = Some(why.to_owned());
        }
    }
}

#[derive(Debug, Default)]
struct Queue {
    requests: VecDeque<Request>,
    bytes: usize,
    /// The end is near, and until when there is time.
    until: Option<Instant>,
    counts: Counts,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Notify,
    most_bytes: usize,
    /// How it is named in what is said about it.
    name: String,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Consistent between any two statements, so a panic elsewhere does not spoil it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands requests over.
#[derive(Debug, Clone)]
pub struct Sender(Arc<Shared>);

impl Sender {
    /// Hands a request over; does not wait.
    pub fn send(&self, request: Request) {
        let mut queue = self.0.lock();
        queue.bytes += request.bytes.len();
        queue.requests.push_back(request);
        while queue.bytes > self.0.most_bytes
            && let Some(oldest) = queue.requests.pop_front()
        {
            queue.bytes -= oldest.bytes.len();
            let why = format!("{} does not keep up", self.0.name);
            queue.counts.lose(oldest.records, &why);
        }
        drop(queue);
        self.0.wake.notify_one();
    }

    /// What has become of the records so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.lock().counts.clone()
    }
}

/// The thread that delivers.
#[derive(Debug)]
pub struct Exporter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Exporter {
    /// Starts the thread. Nobody is connected to before there is something to deliver.
    ///
    /// # Errors
    /// When a header or the path of the collector cannot stand in a request, or the system has no thread.
    pub fn start(collector: Collector) -> io::Result<Self> {
        Self::start_bounded(collector, QUEUE_BYTES)
    }

    /// The same with another bound for what waits.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_bounded(collector: Collector, most_bytes: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Notify::new(),
            most_bytes,
            name: format!("{}:{}", collector.host, collector.port),
        });
        let patience = collector.timeout;
        let client = Client::new(Arc::new(collector))
            .map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
        let reactor = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("otlp".into())
            .spawn(move || {
                reactor.block_on(export(&of_thread, client, patience));
                // A name that is still being looked up is nobody's concern any more.
                reactor.shutdown_background();
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Who hands requests over.
    #[must_use]
    pub fn sender(&self) -> Sender {
        Sender(Arc::clone(&self.shared))
    }

    /// Delivers what waits, for so long at most, and ends the thread.
    pub fn close(mut self, grace: Duration) -> Counts {
        self.finish(grace);
        self.shared.lock().counts.clone()
    }

    fn finish(&mut self, grace: Duration) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        self.shared.lock().until = Some(Instant::now() + grace);
        self.shared.wake.notify_one();
        if thread.join().is_err() {
            // A bug, but the run's result matters more than its events.
            self.shared
                .lock()
                .counts
                .trouble("the OTLP exporter panicked");
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.finish(Duration::ZERO);
    }
}

async fn export(shared: &Shared, mut client: Client, patience: Duration) {
    while let Some(request) = next(shared).await {
        let message = Bytes::from(request.bytes);
        let result = persist(shared, &mut client, &message, patience).await;
        let mut queue = shared.lock();
        let counts = &mut queue.counts;
        match result {
            Ok((rejected, why)) => {
                let rejected = rejected.min(request.records);
                counts.delivered += request.records - rejected;
                if rejected > 0 || !why.is_empty() {
                    counts.lose(rejected, &format!("{} says: {why}", shared.name));
                }
            }
            Err(why) => counts.lose(request.records, &format!("{}: {why}", shared.name)),
        }
    }
}

/// Waits for a request; `None` is the end.
async fn next(shared: &Shared) -> Option<Request> {
    loop {
        {
            let mut queue = shared.lock();
            if let Some(request) = queue.requests.pop_front() {
                queue.bytes -= request.bytes.len();
                return Some(request);
            }
            if queue.until.is_some() {
                return None;
            }
        }
        shared.wake.notified().await;
    }
}

/// Tries a request until it is taken or refused, or there is no more time. Gives how many records were refused, and the
/// collector's words; or why all are lost.
async fn persist(
    shared: &Shared,
    client: &mut Client,
    message: &Bytes,
    patience: Duration,
) -> Result<(u64, String), String> {
    let given_up = Instant::now() + TRIED_FOR;
    let mut pause = FIRST_PAUSE;
    loop {
        let answered = answer(shared, client, message, Instant::now() + patience, given_up);
        let outcome = match answered.await {
            Some(outcome) => outcome,
            None => {
                client.disconnect();
                Outcome::Later(None, "no answer in time".to_owned())
            }
        };
        let (asked, why) = match outcome {
            Outcome::Taken(rejected, why) => return Ok((rejected, why)),
            Outcome::Refused(why) => return Err(why),
            Outcome::Later(asked, why) => (asked, why),
        };
        {
            let mut queue = shared.lock();
            queue.counts.retries += 1;
            // It is said while it lasts.
            queue.counts.trouble(&format!("{}: {why}", shared.name));
        }
        let again = Instant::now() + asked.unwrap_or(pause).max(pause);
        pause = (pause * 2).min(LAST_PAUSE);
        if !wait(shared, again, given_up).await {
            return Err(why);
        }
    }
}

/// Delivers a request once; `None` if there is no answer by then, or before there is no more time.
async fn answer(
    shared: &Shared,
    client: &mut Client,
    message: &Bytes,
    then: Instant,
    given_up: Instant,
) -> Option<Outcome> {
    let mut attempt = pin!(client.deliver(message));
    loop {
        let until = deadline(shared, given_up).min(then);
        tokio::select! {
            biased;
            outcome = &mut attempt => return Some(outcome),
            () = sleep_until(until) => return None,
            // The end may have come nearer.
            () = shared.wake.notified() => {}
        }
    }
}

/// When there is no more time.
fn deadline(shared: &Shared, given_up: Instant) -> Instant {
    let until = shared.lock().until;
    until.map_or(given_up, |until| until.min(given_up))
}

/// Waits until then; false if there is no more time before. The beginning of the end wakes it: the collector gets a last
/// chance at once rather than none.
async fn wait(shared: &Shared, again: Instant, given_up: Instant) -> bool {
    let was_open = shared.lock().until.is_none();
    loop {
        let end = deadline(shared, given_up);
        if Instant::now() >= end {
            return false;
        }
        let Ok(()) = timeout_at(again.min(end), shared.wake.notified()).await else {
            return again < end;
        };
        if was_open && shared.lock().until.is_some() {
            return Instant::now() < deadline(shared, given_up);
        }
    }
}
