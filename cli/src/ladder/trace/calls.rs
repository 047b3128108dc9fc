// SPDX-License-Identifier: AGPL-3.0-only
//! The messages of each call, and calls that went alike.
//!
//! Two calls went alike when the same messages went the same ways in the same order; repetitions, times and headers are
//! not looked at.

use super::super::{Event, Ladder, Row};
use super::read::{Message, Way};
use std::collections::HashMap;

/// Messages that are kept of all calls.
const MOST_MESSAGES: usize = 2_000_000;

/// Messages that are drawn of one call.
const MOST_ROWS: usize = 500;

/// Who is who in a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Party {
    Twin,
    /// Who wrote the trace, or the client where both did.
    First,
    Second,
}

/// What is drawn of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Drawn {
    at_us: Option<i64>,
    from: Party,
    to: Party,
    label: String,
    notes: Vec<String>,
    /// It was there before, or did not get away.
    faint: bool,
    repeated: bool,
}

/// A call.
#[derive(Debug, Default)]
pub(super) struct Call {
    pub(super) call_id: String,
    pub(super) number: u64,
    messages: Vec<Message>,
}

/// The calls of a trace, in the order of their first messages.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) calls: Vec<Call>,
    index: HashMap<String, usize>,
    messages: usize,
    /// There were more messages than are kept.
    pub(super) cut: bool,
}

impl Calls {
    /// Takes a message in; false when no more are kept.
    pub(super) fn take(&mut self, message: Message) -> bool {
        if self.messages == MOST_MESSAGES {
            self.cut = true;
            return false;
        }
        self.messages += 1;
        let place = match self.index.get(&message.call_id) {
            Some(place) => *place,
            None => {
                let place = self.calls.len();
                self.index.insert(message.call_id.clone(), place);
                self.calls.push(Call {
                    call_id: message.call_id.clone(),
                    ..Call::default()
                });
                place
            }
        };
        let call = &mut self.calls[place];
        if call.number == 0 {
            call.number = message.number;
        }
        call.messages.push(message);
        true
    }

    /// The call that was meant: by its Call-ID, its number, or the one whose Call-ID has this in it.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub(super) fn find(&self, wanted: &str) -> Result<&Call, String> {
        let by_id = self.index.get(wanted).map(|place| &self.calls[*place]);
        let number = wanted.parse::<u64>().ok().filter(|number| *number > 0);
        let by_number = || self.calls.iter().find(|call| Some(call.number) == number);
        if let Some(call) = by_id.or_else(by_number) {
            return Ok(call);
        }
        let mut like = self
            .calls
            .iter()
            .filter(|call| call.call_id.contains(wanted));
        match (like.next(), like.count()) {
            (Some(call), 0) => Ok(call),
            (Some(call), others) => Err(format!(
                "`{wanted}` is part of {} Call-IDs, of `{}` for one; say more of it",
                others + 1,
                call.call_id
            )),
            (None, _) => Err(format!("no call `{wanted}` is in the trace")),
        }
    }

    /// Calls that went alike: how many, and the first of them; the most frequent come first.
    pub(super) fn shapes(&self) -> Vec<(usize, &Call)> {
        let mut shapes: Vec<(usize, &Call)> = Vec::new();
        let mut index: HashMap<Vec<(Party, Party, String)>, usize> = HashMap::new();
        for call in &self.calls {
            let shape = call.drawn().into_iter().filter(|drawn| !drawn.repeated);
            let shape = shape.map(|drawn| (drawn.from, drawn.to, drawn.label));
            match index.entry(shape.collect()) {
                std::collections::hash_map::Entry::Occupied(known) => shapes[*known.get()].0 += 1,
                std::collections::hash_map::Entry::Vacant(new) => {
                    new.insert(shapes.len());
                    shapes.push((1, call));
                }
            }
        }
        shapes.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        shapes
    }
}

impl Call {
    /// Which received messages are the other end of one that was sent, and when that was; `None` if the trace is one party's.
    fn both_sides(&self) -> Option<HashMap<usize, usize>> {
        let mut open: HashMap<u64, std::collections::VecDeque<usize>> = HashMap::new();
        let mut received = HashMap::new();
        for (place, message) in self.messages.iter().enumerate() {
            match message.way {
                Way::Sent if !message.command => {
                    open.entry(message.hash).or_default().push_back(place);
                }
                Way::Received if !message.command => {
                    let sent = open.get_mut(&message.hash)?.pop_front()?;
                    received.insert(sent, place);
                }
                Way::Sent | Way::Received | Way::Failed => {}
            }
        }
        (!received.is_empty()).then_some(received)
    }

    /// What is drawn of its messages.
    fn drawn(&self) -> Vec<Drawn> {
        let both = self.both_sides();
        let first = self.messages.iter().find(|message| !message.command);
        let client = first.map_or("", |message| message.sent_by.as_str());
        let began = first.map(|message| message.hash);
        let mut seen = HashMap::new();
        let mut all = Vec::new();
        for (place, message) in self.messages.iter().enumerate() {
            let mut notes = Vec::new();
            let (from, to) = if message.command {
                match message.way {
                    Way::Received => (Party::Twin, Party::First),
                    Way::Sent | Way::Failed => (Party::First, Party::Twin),
                }
            } else {
                match (message.way, &both) {
                    // Drawn where it was sent.
                    (Way::Received, Some(_)) => continue,
                    (Way::Received, None) => (Party::Second, Party::First),
                    (Way::Sent | Way::Failed, None) => (Party::First, Party::Second),
                    (Way::Sent | Way::Failed, Some(received)) => {
                        match received.get(&place) {
                            Some(other) => {
                                let then = self.messages[*other].at_us;
                                let took = then.zip(message.at_us).map(|(then, at)| then - at);
                                notes.extend(took.map(|us| format!("there after {}", span(us))));
                            }
                            None => notes.push("did not arrive".to_owned()),
                        }
                        // Short traces do not say who began a transaction; then who began the call is its client.
                        let is_request = !message.label.starts_with(|c: char| c.is_ascii_digit());
                        let by_client = if client.is_empty() {
                            is_request
                        } else {
                            (message.sent_by == client) == is_request
                        };
                        if by_client || began == Some(message.hash) {
                            (Party::First, Party::Second)
                        } else {
                            (Party::Second, Party::First)
                        }
                    }
                }
            };
            let again = seen.insert((from, message.hash), ()).is_some();
            if !message.cseq.is_empty() {
                notes.insert(0, format!("CSeq {}", message.cseq));
            }
            if again {
                notes.push("again".to_owned());
            }
            if message.way == Way::Failed {
                notes.push("not sent: refused by the system".to_owned());
            }
            let sdp = if message.sdp { " (SDP)" } else { "" };
            all.push(Drawn {
                at_us: message.at_us,
                from,
                to,
                label: format!("{}{sdp}", message.label),
                notes,
                faint: again || message.way == Way::Failed,
                repeated: again,
            });
        }
        all
    }

    /// The picture of the call.
    pub(super) fn ladder(&self, title: String) -> Ladder {
        let drawn = self.drawn();
        let twin = drawn
            .iter()
            .any(|drawn| [drawn.from, drawn.to].contains(&Party::Twin));
        let place = |party| match party {
            Party::Twin => 0,
            Party::First => usize::from(twin),
            Party::Second => usize::from(twin) + 1,
        };
        let names = if self.both_sides().is_some() {
            ["client", "server"]
        } else {
            ["this side", "peer"]
        };
        let twins = twin.then_some("twin");
        let began = drawn.iter().find_map(|drawn| drawn.at_us);
        let left_out = drawn.len().saturating_sub(MOST_ROWS);
        let mut rows: Vec<Row> = drawn
            .into_iter()
            .take(MOST_ROWS)
            .map(|drawn| Row {
                margin: drawn
                    .at_us
                    .zip(began)
                    .map_or_else(String::new, |(at, began)| seconds(at - began)),
                event: Event::Message {
                    from: place(drawn.from),
                    to: place(drawn.to),
                    label: drawn.label,
                    optional: drawn.faint,
                },
                notes: (!drawn.notes.is_empty())
                    .then(|| drawn.notes.join(", "))
                    .into_iter()
                    .collect(),
            })
            .collect();
        if left_out > 0 {
            rows.push(Row {
                margin: String::new(),
                event: Event::Mark(format!("{left_out} more messages")),
                notes: Vec::new(),
            });
        }
        Ladder {
            title,
            lifelines: twins.into_iter().chain(names).map(str::to_owned).collect(),
            rows,
        }
    }
}

/// A time since the call began, in seconds, six columns wide at most for a quarter of an hour.
fn seconds(us: i64) -> String {
    let s = us as f64 / 1e6;
    if s.abs() < 100.0 {
        format!("{s:.3}")
    } else {
        format!("{s:.1}")
    }
}

/// How long something took.
fn span(us: i64) -> String {
    if us.abs() < 1000 {
        format!("{us} µs")
    } else {
        format!("{:.1} ms", us as f64 / 1e3)
    }
}
