// SPDX-License-Identifier: AGPL-3.0-only
//! Trace files and tables, written beside the shards.
//!
//! | Module | Idea |
//! | --- | --- |
//! | `queue` | what shards hand over, and how |
//! | `file` | a file with bounds, rotation and failures |
//! | `stamp`, `headers` | times; the little that is read of messages |
//! | `message`, `lines` | the forms of logs |
//! | `records` | a line of JSON per call |
//! | `rows` | tables with a row per period |
//!
//! Shards append raw records to one bounded queue and never wait for the disk: a record that does not fit is dropped
//! and counted, and the file says where records are missing. One thread formats and writes; it holds the queue's lock
//! only to swap buffers. What is queued when the run ends is written before [`LogWriter::close`] returns.
//!
//! Names and forms are SIPp's or gossipper's own ([`crate::config::LogForm`]).

pub(crate) mod file;
pub(crate) mod headers;
mod lines;
mod message;
mod queue;
mod records;
pub(crate) mod rows;
pub(crate) mod stamp;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gossipper_control::{LogCounts, Trace};
use jiff::tz::TimeZone;

use crate::config::{LogConfig, LogFileConfig, LogForm};
use crate::error::Error;
use file::{Bounds, LogFile};
use queue::{Batch, Kind, Lost, Shared, Writer};
pub use queue::{Concern, LogSender, Traffic};
use rows::{Layout, Tables};
use stamp::{Stamps, TimeForm};

/// The name SIPp gives a log file: `<scenario>_<pid>_<kind>.log`.
#[must_use]
pub fn default_file_name(scenario: &str, pid: u32, kind: &str) -> String {
    format!("{scenario}_{pid}_{kind}.log")
}

/// The name SIPp gives a table: `<scenario>_<pid>_<kind>.csv`; that of the statistics has no kind.
#[must_use]
pub fn default_table_name(scenario: &str, pid: u32, kind: &str) -> String {
    format!("{scenario}_{pid}_{kind}.csv")
}

/// The name gossipper gives a trace: what is before the extension of the message file, or `gossipper_<pid>`, and the
/// kind.
#[must_use]
pub fn own_file_name(message_file: Option<&Path>, pid: u32, kind: &str) -> std::path::PathBuf {
    let stem = message_file.map_or_else(
        || format!("gossipper_{pid}").into(),
        |path| path.with_extension(""),
    );
    let mut name = stem.into_os_string();
    name.push(format!("_{kind}.log"));
    name.into()
}

/// What shards are to hand over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a file that is written or not"
)]
pub struct Wanted {
    /// Messages.
    pub messages: bool,
    /// Warnings and errors.
    pub errors: bool,
    /// Lines of `log` actions.
    pub actions: bool,
    /// Histories of calls that failed.
    pub call_debug: bool,
    /// Unexpected responses.
    pub codes: bool,
    /// Response times.
    pub rtts: bool,
    /// Figures, once per period.
    pub samples: bool,
    /// Times from INVITE to its final answer.
    pub invites: bool,
    /// Calls that have ended.
    pub call_records: bool,
}

impl Wanted {
    fn of(config: &LogConfig) -> Self {
        let own = config.form == LogForm::Gossipper;
        let rows = [&config.statistics, &config.step_counts, &config.error_codes];
        Self {
            messages: config.messages.is_some() || config.short_messages.is_some(),
            // SIPp's log of messages quotes those that did not fit.
            errors: config.errors.is_some() || (!own && config.messages.is_some()),
            actions: config.actions.is_some(),
            call_debug: config.call_debug.is_some(),
            codes: config.error_codes.is_some(),
            rtts: config.response_times.is_some(),
            samples: rows.into_iter().any(Option::is_some),
            invites: config.invites || (own && config.statistics.is_some()),
            call_records: config.call_records.is_some(),
        }
    }

    fn without_tables(self) -> Self {
        Self {
            codes: false,
            rtts: false,
            samples: false,
            invites: false,
            call_records: false,
            ..self
        }
    }
}

/// How lines are written.
#[derive(Debug)]
struct Voice {
    stamps: Stamps,
    /// gossipper's form.
    own: bool,
    /// Times of SIPp's logs, those of messages excepted.
    time: TimeForm,
    transport: &'static str,
    /// A line in the making.
    line: Vec<u8>,
}

/// Everything that is written.
#[derive(Debug)]
struct Files {
    voice: Voice,
    messages: Option<LogFile>,
    short_messages: Option<LogFile>,
    errors: Option<LogFile>,
    actions: Option<LogFile>,
    call_debug: Option<LogFile>,
    records: Option<LogFile>,
    tables: Tables,
}

impl Files {
    fn open(config: &LogConfig, scene: Scene) -> Result<Self, Error> {
        let own = config.form == LogForm::Gossipper;
        let bounds = Bounds {
            ring: config.ring,
            max_bytes: config.max_bytes,
        };
        let lazy = |file: &LogFileConfig| LogFile::lazy(file.clone(), bounds);
        // One that is not wanted is there all the same where it may be switched on.
        let log = |file: &Option<LogFileConfig>, trace: Trace, head: &str, is_table: bool| {
            let later = config.switchable.as_ref().map(|files| {
                let file = lazy(&files[trace as usize]);
                file.with_head(head, is_table).off()
            });
            let now = file
                .as_ref()
                .map(|file| lazy(file).with_head(head, is_table));
            now.or(later)
        };
        let made = |file: Option<LogFile>| {
            let make = |file: LogFile| match file.is_on() {
                true => file.made(scene.wall_base_us),
                false => Ok(file),
            };
            file.map(make).transpose()
        };
        let short_head = if own { message::SHORT_HEAD } else { "" };
        let errors_head = if own { "" } else { lines::ERRORS_HEAD };
        let messages = log(&config.messages, Trace::Messages, "", false);
        let short_messages = &config.short_messages;
        let short_messages = log(short_messages, Trace::ShortMessages, short_head, own);
        let errors = log(&config.errors, Trace::Error, errors_head, false);
        let actions = log(&config.actions, Trace::Logs, "", false);
        let call_debug = config.call_debug.as_ref().map(lazy);
        let mut stamps = Stamps::new(TimeZone::system());
        let Scene {
            layout,
            shards,
            wall_base_us,
            transport,
        } = scene;
        Ok(Self {
            messages: made(messages)?,
            short_messages: made(short_messages)?,
            // Made at the first event, as in SIPp.
            errors,
            actions: made(actions)?,
            call_debug: made(call_debug)?,
            // A run does not fail for want of them: what cannot be written is counted and said. A table has no notes
            // between its lines.
            records: config
                .call_records
                .as_ref()
                .map(|file| LogFile::lazy(file.clone(), Bounds::default()).with_head("", true)),
            tables: Tables::open(config, layout, shards, wall_base_us, &mut stamps)?,
            voice: Voice {
                stamps,
                own,
                time: match (own, config.tables.rfc3339) {
                    (true, _) => TimeForm::Nanos,
                    (false, true) => TimeForm::Rfc3339,
                    (false, false) => TimeForm::Tabbed,
                },
                transport,
                line: Vec::new(),
            },
        })
    }

    fn write(&mut self, kind: Kind, wall_us: u64, bytes: &[u8]) {
        let voice = &mut self.voice;
        match kind {
            Kind::Message { traffic, call } => {
                if let Some(file) = on(&mut self.messages) {
                    message::whole(file, voice, wall_us, traffic, call, bytes);
                }
                if let Some(file) = on(&mut self.short_messages) {
                    message::short(file, voice, wall_us, traffic, call, bytes);
                }
            }
            Kind::Error { concern, call } => {
                if let Some(file) = on(&mut self.errors) {
                    lines::error(file, voice, wall_us, concern, call, bytes);
                }
                if let Some(file) = on(&mut self.messages)
                    && !voice.own
                {
                    message::misfit(file, voice, wall_us, bytes);
                }
                if let Some(file) = on(&mut self.actions)
                    && voice.own
                    && concern == Concern::Action
                {
                    lines::action(file, voice, wall_us, "action-warning", bytes);
                }
            }
            Kind::Action => {
                if let Some(file) = on(&mut self.actions) {
                    lines::action(file, voice, wall_us, "action-log", bytes);
                }
            }
            Kind::CallDebug => {
                if let Some(file) = &mut self.call_debug {
                    lines::history(file, wall_us, bytes);
                }
            }
            Kind::Code { call, code, step } => {
                let response = (call, code, step);
                self.tables
                    .code(&mut voice.stamps, wall_us, response, bytes);
            }
            Kind::Rtt {
                call,
                rtd,
                took,
                at,
            } => {
                if let Some(rtt) = &mut self.tables.rtt {
                    rtt.add(&mut voice.stamps, wall_us, (call, rtd), took, at);
                }
            }
            Kind::CallRecord {
                call,
                end,
                length,
                call_id_bytes,
                media,
            } => {
                if let Some(file) = &mut self.records {
                    let texts = bytes.split_at(call_id_bytes.min(bytes.len()));
                    let media = media.as_deref();
                    records::line(file, voice, wall_us, call, (end, length), media, texts);
                }
            }
            Kind::Sample(sample) => self.tables.sample(&mut voice.stamps, *sample),
            Kind::Switch { trace, on } => {
                let file = match trace {
                    Trace::Messages => &mut self.messages,
                    Trace::ShortMessages => &mut self.short_messages,
                    Trace::Error => &mut self.errors,
                    Trace::Logs => &mut self.actions,
                };
                if let Some(file) = file {
                    file.switch(on, wall_us);
                }
            }
        }
    }

    fn logs(&mut self) -> [&mut Option<LogFile>; 5] {
        [
            &mut self.messages,
            &mut self.short_messages,
            &mut self.errors,
            &mut self.actions,
            &mut self.call_debug,
        ]
    }

    /// Writes what has been collected, and says where records are missing.
    fn flush(&mut self, lost: &Lost, end: bool) {
        let missing = [
            lost.messages,
            lost.messages,
            lost.errors,
            lost.actions,
            lost.call_debug,
        ];
        for (file, missing) in self.logs().into_iter().zip(missing) {
            if let Some(file) = file {
                file.lose(missing);
                file.flush();
            }
        }
        if let Some(file) = &mut self.records {
            file.lose(lost.call_records);
            file.flush();
        }
        self.tables.flush(lost, end);
    }

    /// Adds up what has become of all records.
    fn tally(&mut self) -> LogCounts {
        let mut counts = LogCounts::default();
        for file in self.logs().into_iter().flatten() {
            add_up(&mut counts, file);
        }
        if let Some(file) = &self.records {
            add_up(&mut counts, file);
            let tally = file.state().0;
            (counts.call_records, counts.call_records_lost) = (tally.written, tally.lost);
        }
        self.tables.tally(&mut counts);
        counts
    }
}

/// A file that takes records.
fn on(file: &mut Option<LogFile>) -> Option<&mut LogFile> {
    file.as_mut().filter(|file| file.is_on())
}

/// Adds what has become of the records of a file.
fn add_up(counts: &mut LogCounts, file: &LogFile) {
    let (tally, failure) = file.state();
    counts.written += tally.written;
    counts.lost += tally.lost;
    if let Some(failure) = failure {
        counts.error.get_or_insert_with(|| failure.to_owned());
    }
}

/// What the tables need to know of the run.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    pub(crate) layout: Layout,
    /// Shards of the main scenario.
    pub(crate) shards: usize,
    /// The wall clock when the run began.
    pub(crate) wall_base_us: u64,
    /// The name of its transport.
    pub(crate) transport: &'static str,
}

/// Tells what has become of the records so far.
#[derive(Debug, Clone)]
pub(crate) struct LogView(Arc<Shared>);

impl LogView {
    pub(crate) fn counts(&self) -> LogCounts {
        self.0.lock().counts.clone()
    }
}

/// The thread that writes.
#[derive(Debug)]
pub struct LogWriter {
    shared: Arc<Shared>,
    wanted: Wanted,
}

impl LogWriter {
    /// Opens the files and starts the thread; without files there is none.
    ///
    /// # Errors
    /// When a file cannot be opened. The error file is opened at the first event, as SIPp does, and a failure
    /// then shows in [`LogCounts::error`].
    pub(crate) fn start(config: &LogConfig, scene: Scene) -> Result<Self, Error> {
        let wanted = Wanted::of(config);
        let shared = Arc::new(Shared::default());
        let begun = [
            &config.messages,
            &config.short_messages,
            &config.errors,
            &config.actions,
        ];
        shared.begin(begun.map(Option::is_some), config.switchable.is_some());
        let idle = wanted == Wanted::default();
        if !idle || config.switchable.is_some() {
            let files = Box::new(Files::open(config, scene)?);
            *lock(&shared.writer) = Writer::Ready(files);
        }
        if !idle {
            spawn_writer(&shared).map_err(|source| Error::Thread {
                what: "log writer",
                source,
            })?;
        }
        Ok(Self { shared, wanted })
    }

    /// What shards hand over.
    #[must_use]
    pub fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// A handle for a shard of the main scenario; see [`LogSender::another`].
    #[must_use]
    pub fn sender(&self) -> LogSender {
        LogSender::new(Arc::clone(&self.shared), self.wanted)
    }

    /// Who tells what has become of the records.
    pub(crate) fn view(&self) -> LogView {
        LogView(Arc::clone(&self.shared))
    }

    /// Writes what is queued and ends the thread. The senders should be gone by then: what they hold is not queued.
    pub fn close(mut self) -> LogCounts {
        self.finish();
        self.shared.lock().counts.clone()
    }

    fn finish(&mut self) {
        self.shared.close();
        let writer = std::mem::take(&mut *lock(&self.shared.writer));
        // A panic of the writer is a bug, but the run's result matters more than its logs.
        if let Writer::Thread(thread) = writer
            && thread.join().is_err()
        {
            self.shared.lock().counts.error = Some("the log writer panicked".into());
        }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.finish();
    }
}

fn lock(writer: &Mutex<Writer>) -> MutexGuard<'_, Writer> {
    writer.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread that writes, if it does not run.
fn spawn_writer(shared: &Arc<Shared>) -> std::io::Result<()> {
    let mut writer = lock(&shared.writer);
    *writer = match std::mem::take(&mut *writer) {
        Writer::Ready(files) => {
            let shared = Arc::clone(shared);
            let thread = std::thread::Builder::new().name("logs".into());
            Writer::Thread(thread.spawn(move || write_until_closed(&shared, *files))?)
        }
        other => other,
    };
    Ok(())
}

/// Starts it in the middle of a run; that it cannot be had is a failure of the logs.
fn begin_writing(shared: &Arc<Shared>) {
    if let Err(error) = spawn_writer(shared) {
        shared.lock().counts.error = Some(format!("cannot start the log writer: {error}"));
    }
}

fn write_until_closed(shared: &Shared, mut files: Files) {
    let mut batch = Batch::default();
    loop {
        let taken = shared.take(&mut batch);
        batch.sort();
        batch.drain(|record, bytes| files.write(record.kind, record.wall_us, bytes));
        let end = taken.closing && shared.is_done();
        files.flush(&taken.lost, end);
        shared.lock().counts = files.tally();
        if end {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
