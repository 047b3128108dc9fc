// SPDX-License-Identifier: AGPL-3.0-only
//! What traces know of single calls: whose message is being sent, what has happened to it.
//!
//! Exists only if a trace asks for it, and the machine then says which call its orders are about. A call has a bounded
//! history; of more, the oldest is forgotten, and the trace says so.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;

use foldhash::fast::FixedState;
use gossipper_bytecode::{Program, StepId};
use gossipper_vm::{CallEnd, CallKey, Micros, StatEvent};
use jiff::tz::TimeZone;

use crate::config::{LogConfig, LogForm};
use crate::logs::headers;
use crate::logs::stamp::{Stamps, TimeForm};
use crate::logs::{Traffic, Wanted};

/// Entries in the history of a call.
const MOST_ENTRIES: usize = 64;

/// Bytes of messages and texts in the history of a call.
const MOST_BYTES: usize = 8 << 10;

/// Bytes of one text.
const MOST_TEXT: usize = 2 << 10;

/// What has happened to a call.
#[derive(Debug, Clone, Copy)]
enum What {
    Traffic(Traffic),
    Event(StatEvent),
    Warning,
}

#[derive(Debug)]
struct Entry {
    at: Micros,
    what: What,
    text: Box<[u8]>,
}

#[derive(Debug, Default)]
struct History {
    call_id: Box<[u8]>,
    entries: VecDeque<Entry>,
    bytes: usize,
    forgotten: u64,
}

impl History {
    fn add(&mut self, at: Micros, what: What, text: &[u8]) {
        let text = &text[..text.len().min(MOST_TEXT)];
        self.bytes += text.len();
        let text = text.into();
        self.entries.push_back(Entry { at, what, text });
        while self.entries.len() > MOST_ENTRIES || self.bytes > MOST_BYTES {
            if let Some(entry) = self.entries.pop_front() {
                self.bytes -= entry.text.len();
            }
            self.forgotten += 1;
        }
    }
}

#[derive(Debug)]
struct Histories {
    /// Its numbers are ours: no peer chooses them.
    calls: HashMap<u64, History, FixedState>,
    steps: Vec<String>,
    /// Those of the scenario beside.
    steps_beside: Vec<String>,
    stamps: Stamps,
    form: TimeForm,
    transport: &'static str,
    wall_base_us: u64,
}

/// What a shard remembers of calls for its traces.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Whose messages wait to be sent.
    sending: HashMap<CallKey, u64, FixedState>,
    /// Messages are traced in a form that has numbers, or may come to be.
    has_numbers: bool,
    /// They are, at the moment.
    numbers: bool,
    histories: Option<Histories>,
}

impl Watch {
    /// For a scenario; `None` if nobody wants to know.
    pub(crate) fn new(
        config: &LogConfig,
        wanted: Wanted,
        program: &Program,
        steps_beside: Option<Vec<String>>,
        (transport, wall_base_us): (&'static str, u64),
    ) -> Option<Box<Self>> {
        let own = config.form == LogForm::Gossipper;
        let has_numbers = own && (wanted.messages || config.switchable.is_some());
        let names = || program.steps.iter().map(|step| program.display(step.name));
        if !(has_numbers || wanted.call_debug) {
            return None;
        }
        let histories = wanted.call_debug.then(|| Histories {
            calls: HashMap::default(),
            steps: names().collect(),
            steps_beside: steps_beside.unwrap_or_default(),
            stamps: Stamps::new(TimeZone::system()),
            form: match (own, config.tables.rfc3339) {
                (true, _) => TimeForm::Nanos,
                (false, true) => TimeForm::Rfc3339,
                (false, false) => TimeForm::Tabbed,
            },
            transport,
            wall_base_us,
        });
        Some(Box::new(Self {
            sending: HashMap::default(),
            has_numbers,
            numbers: has_numbers && wanted.messages,
            histories,
        }))
    }

    /// The number of the call whose message is sent; 0 if it has none.
    pub(super) fn number(&self, call: Option<CallKey>) -> u64 {
        call.and_then(|call| self.sending.get(&call).copied())
            .unwrap_or(0)
    }

    /// Messages are traced from now on, or no more.
    pub(super) fn tell_numbers(&mut self, messages: bool) {
        self.numbers = self.has_numbers && messages;
    }

    /// Whether it wants to know of messages that are sent.
    pub(super) fn wants_sent(&self) -> bool {
        self.numbers || self.histories.is_some()
    }

    /// Whether it wants to know what happens to calls.
    pub(super) fn wants_events(&self) -> bool {
        self.histories.is_some()
    }

    /// Nothing waits to be sent any more.
    pub(super) fn all_sent(&mut self) {
        self.sending.clear();
    }

    /// A call hands a message over, or gets one.
    pub(super) fn message(
        &mut self,
        now: Micros,
        key: Option<CallKey>,
        call: u64,
        traffic: Traffic,
        bytes: &[u8],
    ) {
        if call == 0 {
            return;
        }
        if self.numbers
            && let Some(key) = key
        {
            self.sending.insert(key, call);
        }
        if let Some(histories) = &mut self.histories {
            let history = histories.calls.entry(call).or_default();
            if history.call_id.is_empty() {
                let id = headers::call_id(bytes);
                history.call_id = id[..id.len().min(MOST_TEXT)].into();
            }
            history.add(now, What::Traffic(traffic), bytes);
        }
    }

    /// Something was said about a call.
    pub(super) fn warning(&mut self, now: Micros, call: u64, text: &[u8]) {
        if let Some(histories) = &mut self.histories
            && let Some(history) = histories.calls.get_mut(&call)
        {
            // What follows is the message, which is there already.
            let line = headers::start_line(text);
            history.add(now, What::Warning, line);
        }
    }

    /// Something has happened to a call. Gives its history if it has failed.
    pub(super) fn event(&mut self, now: Micros, call: u64, event: StatEvent) -> Option<Vec<u8>> {
        if call == 0 {
            return None;
        }
        self.histories.as_mut()?.event(now, call, event, false)
    }

    /// The same for a call of the scenario beside.
    pub(super) fn event_beside(
        &mut self,
        now: Micros,
        call: u64,
        event: StatEvent,
    ) -> Option<Vec<u8>> {
        if call == 0 {
            return None;
        }
        self.histories.as_mut()?.event(now, call, event, true)
    }
}

impl Histories {
    fn event(&mut self, now: Micros, call: u64, event: StatEvent, beside: bool) -> Option<Vec<u8>> {
        match event {
            StatEvent::Ended { end, .. } => {
                let mut history = self.calls.remove(&call)?;
                history.add(now, What::Event(event), b"");
                matches!(end, CallEnd::Failure(_)).then(|| self.print(call, history, beside))
            }
            // Seen as messages.
            StatEvent::Counter { .. } => None,
            other => {
                let history = self.calls.entry(call).or_default();
                history.add(now, What::Event(other), b"");
                None
            }
        }
    }

    fn print(&mut self, call: u64, history: History, beside: bool) -> Vec<u8> {
        let mut out = b"Call debugging information for call ".to_vec();
        if history.call_id.is_empty() {
            out.extend_from_slice(format!("number {call}").as_bytes());
        } else {
            out.extend_from_slice(&history.call_id);
        }
        out.extend_from_slice(b":\n");
        if history.forgotten > 0 {
            let note = format!("({} earlier entries are forgotten)\n", history.forgotten);
            out.extend_from_slice(note.as_bytes());
        }
        for entry in history.entries {
            let wall_us = self.wall_base_us.saturating_add(entry.at.0);
            self.stamps.push(&mut out, wall_us, self.form);
            out.push(b' ');
            let mut line = String::new();
            self.describe(&mut line, &entry, beside);
            out.extend_from_slice(line.as_bytes());
            match entry.what {
                What::Warning => out.extend_from_slice(&entry.text),
                What::Traffic(_) => {
                    out.push(b'\n');
                    out.extend_from_slice(&entry.text);
                    out.push(b'\n');
                }
                What::Event(_) => {}
            }
            out.push(b'\n');
        }
        out
    }

    fn describe(&self, out: &mut String, entry: &Entry, beside: bool) {
        let steps = if beside {
            &self.steps_beside
        } else {
            &self.steps
        };
        let step = |step: StepId| {
            let name = steps.get(step.index()).map_or("", String::as_str);
            format!("step {step} ({name})")
        };
        let bytes = entry.text.len();
        let transport = self.transport;
        // Writing to memory cannot fail.
        let _ = match entry.what {
            What::Warning => write!(out, "Warning: "),
            What::Traffic(Traffic::Sent | Traffic::SendFailed) => {
                write!(out, "Sending {transport} message [{bytes}] bytes:")
            }
            What::Traffic(Traffic::Received) => {
                write!(out, "Received {transport} message [{bytes}] bytes:")
            }
            What::Traffic(Traffic::CommandSent | Traffic::CommandFailed) => {
                write!(out, "Sending command [{bytes}] bytes:")
            }
            What::Traffic(Traffic::CommandReceived) => {
                write!(out, "Received command [{bytes}] bytes:")
            }
            What::Event(event) => match event {
                StatEvent::Created { incoming, late } => {
                    let whose = if incoming { "incoming" } else { "outgoing" };
                    write!(out, "Starting call, {whose}, {} us late", late.0)
                }
                StatEvent::Sent { step: at } => write!(out, "Sent at {}", step(at)),
                StatEvent::Retransmitted { step: at } => write!(out, "Repeated at {}", step(at)),
                StatEvent::Received { step: at, .. } => write!(out, "Accepted at {}", step(at)),
                StatEvent::ReceivedAgain { step: at } => {
                    write!(out, "Repetition of what was accepted at {}", step(at))
                }
                StatEvent::Lost { step: at } => write!(out, "Lost on purpose at {}", step(at)),
                StatEvent::TimedOut { step: at } => write!(out, "Timeout at {}", step(at)),
                StatEvent::Unexpected { step: at, code: _ } => {
                    write!(out, "Unexpected message at {}", step(at))
                }
                StatEvent::Paused { step: at } => write!(out, "Pausing at {}", step(at)),
                StatEvent::Shown { step: at } => write!(out, "Shown at {}", step(at)),
                StatEvent::Rtd { took, .. } => write!(out, "Response time {} us", took.0),
                StatEvent::Ended { end, length } => match end {
                    CallEnd::Success => write!(out, "Ended well after {} ms", length.as_ms()),
                    CallEnd::Failure(reason) => {
                        write!(
                            out,
                            "Aborting call after {} ms: {}",
                            length.as_ms(),
                            reason.text()
                        )
                    }
                },
                other => write!(out, "{other:?}"),
            },
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_bounded_and_says_what_it_has_forgotten() {
        let mut history = History::default();
        let event = StatEvent::Paused { step: StepId(1) };
        for at in 0..100 {
            history.add(Micros(at), What::Event(event), b"");
        }
        assert_eq!((history.entries.len(), history.forgotten), (64, 36));
        assert_eq!(history.entries.front().map(|e| e.at), Some(Micros(36)));
        for _ in 0..9 {
            history.add(Micros(0), What::Traffic(Traffic::Sent), &[b'x'; 9000]);
        }
        assert!(history.bytes <= MOST_BYTES);
        assert_eq!(history.entries.len(), 4, "each is cut to 2 KiB");
    }
}
