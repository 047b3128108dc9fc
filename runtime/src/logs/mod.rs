// SPDX-License-Identifier: AGPL-3.0-only
//! SIPp's trace files, written beside the shards.
//!
//! Shards append raw records to one bounded queue and never wait for the disk: a record that does not fit is dropped
//! and counted, and the file says where records are missing. One thread formats and writes; it holds the queue's lock
//! only to swap buffers. What is queued when the run ends is written before [`LogWriter::close`] returns.
//!
//! Names and forms are those of SIPp.

mod error;
mod file;
mod message;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use gossipper_control::LogCounts;
use jiff::tz::TimeZone;

use crate::config::LogConfig;
use crate::error::Error;
use error::ErrorLog;
use message::MessageLog;

/// Most bytes that wait for the disk.
const MAX_QUEUE_BYTES: usize = 16 << 20;

/// Most records that wait for the disk.
const MAX_QUEUE_RECORDS: usize = 1 << 16;

/// The name SIPp gives a log file: `<scenario>_<pid>_<kind>.log`.
#[must_use]
pub fn default_file_name(scenario: &str, pid: u32, kind: &str) -> String {
    format!("{scenario}_{pid}_{kind}.log")
}

/// What happened to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// It was handed to the kernel.
    Sent,
    /// It came in.
    Received,
    /// The kernel refused it.
    SendFailed,
    /// A command was handed to the connection of its twin.
    CommandSent,
    /// A command came from a twin.
    CommandReceived,
    /// A command could not be handed on.
    CommandFailed,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Message(Traffic),
    Error,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    kind: Kind,
    wall_us: u64,
    len: usize,
}

#[derive(Debug, Default)]
struct Queue {
    records: VecDeque<Record>,
    bytes: Vec<u8>,
    lost_messages: u64,
    lost_errors: u64,
    closing: bool,
    counts: LogCounts,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    messages: bool,
    errors: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // The queue is consistent between any two statements, so a panic elsewhere does not spoil it.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, kind: Kind, wall_us: u64, bytes: &[u8]) {
        let mut queue = self.lock();
        let fits = queue.records.len() < MAX_QUEUE_RECORDS
            && queue.bytes.len() + bytes.len() <= MAX_QUEUE_BYTES;
        if !fits {
            queue.counts.lost += 1;
            *(match kind {
                Kind::Message(_) => &mut queue.lost_messages,
                Kind::Error => &mut queue.lost_errors,
            }) += 1;
            return;
        }
        queue.bytes.extend_from_slice(bytes);
        queue.records.push_back(Record {
            kind,
            wall_us,
            len: bytes.len(),
        });
        let first = queue.records.len() == 1;
        drop(queue);
        if first {
            self.wake.notify_one();
        }
    }
}

/// Appends records; cheap to clone, one per shard.
#[derive(Debug, Clone)]
pub struct LogSender(Arc<Shared>);

impl LogSender {
    /// Whether anybody wants messages.
    #[must_use]
    pub fn wants_messages(&self) -> bool {
        self.0.messages
    }

    /// Notes a message.
    pub fn message(&self, wall_us: u64, traffic: Traffic, bytes: &[u8]) {
        if self.0.messages {
            self.0.push(Kind::Message(traffic), wall_us, bytes);
        }
    }

    /// Notes a warning or an error.
    pub fn error(&self, wall_us: u64, text: &[u8]) {
        if self.0.errors {
            self.0.push(Kind::Error, wall_us, text);
        }
    }

    /// Records written and lost so far.
    #[must_use]
    pub fn counts(&self) -> LogCounts {
        self.0.lock().counts.clone()
    }
}

/// The thread that writes.
#[derive(Debug)]
pub struct LogWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl LogWriter {
    /// Opens the files and starts the thread; without files there is none.
    ///
    /// # Errors
    /// When the message file cannot be opened. The error file is opened at the first event, as SIPp does, and a failure
    /// then shows in [`LogCounts::error`].
    pub fn start(config: &LogConfig) -> Result<Self, Error> {
        let messages = config
            .messages
            .as_ref()
            .map(|file| MessageLog::open(file, config.transport.unwrap_or("UDP")))
            .transpose()?;
        let errors = config.errors.clone().map(ErrorLog::new);
        let wanted = messages.is_some() || errors.is_some();
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            messages: messages.is_some(),
            errors: errors.is_some(),
        });
        let thread = wanted
            .then(|| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new()
                    .name("logs".into())
                    .spawn(move || write_until_closed(&shared, messages, errors))
                    .map_err(|source| Error::Thread {
                        what: "log writer",
                        source,
                    })
            })
            .transpose()?;
        Ok(Self { shared, thread })
    }

    /// A handle for a shard.
    #[must_use]
    pub fn sender(&self) -> LogSender {
        LogSender(Arc::clone(&self.shared))
    }

    /// Writes what is queued and ends the thread.
    pub fn close(mut self) -> LogCounts {
        self.finish();
        self.shared.lock().counts.clone()
    }

    fn finish(&mut self) {
        self.shared.lock().closing = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the writer is a bug, but the run's result matters more than its logs.
            if thread.join().is_err() {
                self.shared.lock().counts.error = Some("the log writer panicked".into());
            }
        }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.finish();
    }
}

fn write_until_closed(
    shared: &Shared,
    mut messages: Option<MessageLog>,
    mut errors: Option<ErrorLog>,
) {
    let zone = TimeZone::system();
    let (mut records, mut bytes) = (VecDeque::new(), Vec::new());
    loop {
        let (lost_messages, lost_errors, closing);
        {
            let mut queue = shared.lock();
            while queue.records.is_empty() && !queue.closing {
                queue = shared
                    .wake
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            std::mem::swap(&mut queue.records, &mut records);
            std::mem::swap(&mut queue.bytes, &mut bytes);
            lost_messages = std::mem::take(&mut queue.lost_messages);
            lost_errors = std::mem::take(&mut queue.lost_errors);
            closing = queue.closing;
        }
        let taken = records.len() as u64;
        let mut at = 0;
        for record in records.drain(..) {
            let text = &bytes[at..at + record.len];
            at += record.len;
            match (record.kind, &mut messages, &mut errors) {
                (Kind::Message(traffic), Some(log), _) => {
                    log.write(&zone, record.wall_us, traffic, text)
                }
                (Kind::Error, _, Some(log)) => log.write(&zone, record.wall_us, text),
                // Nobody queues what nobody wants.
                (Kind::Message(_), None, _) | (Kind::Error, _, None) => {}
            }
        }
        bytes.clear();
        // Both are settled, whichever of them failed first.
        let failures = [
            messages.as_mut().and_then(|log| log.settle(lost_messages)),
            errors.as_mut().and_then(|log| log.settle(lost_errors)),
        ];
        let failure = failures.into_iter().flatten().next();
        let mut queue = shared.lock();
        match failure {
            None => queue.counts.written += taken,
            Some(error) => {
                queue.counts.lost += taken;
                queue.counts.error.get_or_insert(error);
            }
        }
        if closing && queue.records.is_empty() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogFileConfig;
    use std::path::Path;

    fn config(folder: &Path) -> LogConfig {
        let file = |kind| {
            Some(LogFileConfig {
                path: folder.join(default_file_name("uac", 7, kind)),
                overwrite: true,
            })
        };
        LogConfig {
            messages: file("messages"),
            errors: file("errors"),
            transport: None,
        }
    }

    #[test]
    fn a_message_is_framed_as_sipp_frames_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let writer = LogWriter::start(&config(folder.path())).expect("files open");
        let sender = writer.sender();
        assert!(sender.wants_messages());
        sender.message(
            1_700_000_000_123_456,
            Traffic::Sent,
            b"OPTIONS sip:a SIP/2.0\r\n\r\n",
        );
        sender.message(
            1_700_000_000_123_457,
            Traffic::Received,
            b"SIP/2.0 200 OK\r\n\r\n",
        );
        assert_eq!(
            writer.close(),
            LogCounts {
                written: 2,
                lost: 0,
                error: None
            }
        );
        let text = std::fs::read_to_string(folder.path().join("uac_7_messages.log"))
            .expect("it was written");
        let mut lines = text.split('\n');
        let dashes = "-".repeat(47);
        let time = lines
            .next()
            .and_then(|l| l.strip_prefix(&format!("{dashes} ")))
            .expect("a header")
            .to_owned();
        assert_eq!(
            (&time[4..5], &time[10..11], &time[16..26]),
            ("-", "T", ":20.123456")
        );
        assert_eq!(lines.next(), Some("UDP message sent [25] bytes:"));
        assert_eq!(lines.next(), Some(""));
        assert_eq!(lines.next(), Some("OPTIONS sip:a SIP/2.0\r"));
        assert_eq!(
            (lines.next(), lines.next()),
            (Some("\r"), Some("")),
            "its bytes, then a line end"
        );
        assert!(lines.next().is_some_and(|l| l.starts_with(&dashes)));
        assert_eq!(lines.next(), Some("UDP message received [18] bytes:"));
        assert!(
            !folder.path().join("uac_7_errors.log").exists(),
            "no event, no file"
        );
    }

    #[test]
    fn the_error_file_begins_at_the_first_event() {
        let folder = tempfile::tempdir().expect("a folder");
        let writer = LogWriter::start(&config(folder.path())).expect("files open");
        writer
            .sender()
            .error(1_700_000_000_000_001, b"something happened");
        writer.sender().error(1_700_000_000_000_002, b"and again");
        writer.close();
        let text = std::fs::read_to_string(folder.path().join("uac_7_errors.log"))
            .expect("it was written");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "The following events occurred:");
        assert!(
            lines[1].ends_with("\t1700000000.000001: something happened"),
            "{}",
            lines[1]
        );
        assert!(lines[2].ends_with(": and again"), "{}", lines[2]);
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn records_beyond_the_bound_are_counted_and_the_file_says_so() {
        let folder = tempfile::tempdir().expect("a folder");
        // No thread: the queue fills up.
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            messages: true,
            errors: true,
        });
        let sender = LogSender(Arc::clone(&shared));
        let big = vec![b'x'; MAX_QUEUE_BYTES / 4];
        for _ in 0..6 {
            sender.message(0, Traffic::Sent, &big);
        }
        assert_eq!(sender.counts().lost, 2);
        let log = MessageLog::open(&config(folder.path()).messages.expect("set"), "UDP")
            .expect("it opens");
        shared.lock().closing = true;
        write_until_closed(&shared, Some(log), None);
        assert_eq!(sender.counts().written, 4);
        let text = std::fs::read_to_string(folder.path().join("uac_7_messages.log"))
            .expect("it was written");
        assert!(text.ends_with("2 records lost: the disk did not keep up\n"));
    }

    #[test]
    fn an_error_file_that_cannot_be_opened_is_reported_and_does_not_stop_the_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("no/such/folder/errors.log");
        let errors = Some(LogFileConfig {
            path: path.clone(),
            overwrite: true,
        });
        let writer = LogWriter::start(&LogConfig {
            messages: None,
            errors,
            transport: None,
        })
        .expect("it starts");
        writer.sender().error(0, b"text");
        let counts = writer.close();
        assert_eq!((counts.written, counts.lost), (0, 1));
        assert!(counts.error.is_some_and(|e| e.contains("errors.log")));
        let messages = Some(LogFileConfig {
            path,
            overwrite: true,
        });
        let refused = LogWriter::start(&LogConfig {
            messages,
            errors: None,
            transport: None,
        });
        assert!(matches!(refused, Err(Error::LogFile { .. })));
    }
}
