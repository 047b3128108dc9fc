// SPDX-License-Identifier: AGPL-3.0-only
//! What went to and fro in calls, as far as they were watched: how they failed, and those that waited longest.

use gossipper_bytecode::FailReason;
use serde::{Deserialize, Serialize};

/// The commonest ways in which the calls of a scenario failed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FailureShapes {
    /// Calls that failed.
    pub failed: u64,
    /// Those among them whose messages were watched: all as long as calls are few, a sample where they are many.
    pub watched: u64,
    /// The shapes of those, the commonest first.
    pub shapes: Vec<FailureShape>,
    /// Calls that were watched and whose shape is not among these.
    pub rarer: u64,
}

/// Calls that failed alike: the same messages went the same ways in the same order, the same of them were repeated, and
/// they ended for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureShape {
    /// How many.
    pub count: u64,
    /// Why they failed.
    pub reason: FailReason,
    /// The first of them.
    pub example: WatchedCall,
}

/// The calls that waited longest for an answer, of those that were watched.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SlowCalls {
    /// Calls that have ended.
    pub ended: u64,
    /// Those among them that were watched and had an answer.
    pub watched: u64,
    /// The slowest first.
    pub calls: Vec<SlowCall>,
}

/// A call, and its slowest answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlowCall {
    /// From when its request was due to the answer.
    pub due_us: u64,
    /// From when it was sent.
    pub sent_us: u64,
    /// Which of the messages the answer is; `None` if it is left out.
    pub answer: Option<usize>,
    /// Why the call failed, if it did.
    pub failed: Option<FailReason>,
    /// It.
    pub call: WatchedCall,
}

/// A call that was watched.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WatchedCall {
    /// Its number.
    pub call: u64,
    /// Its Call-ID; empty if there was no message.
    pub call_id: String,
    /// With whom the first message was exchanged.
    pub peer: Option<String>,
    /// When it began, since the run began.
    pub began_us: u64,
    /// From its beginning to its end.
    pub length_us: u64,
    /// Its messages, of a long call the first and the last.
    pub messages: Vec<WatchedMessage>,
    /// Messages left out in the middle.
    pub left_out: u64,
    /// Where they were: so many of [`Self::messages`] came before.
    pub left_out_after: usize,
}

/// A message of such a call, with its repetitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedMessage {
    /// When it first went, since the call began.
    pub at_us: u64,
    /// Whither.
    pub way: Way,
    /// Method, or status code and reason.
    pub label: String,
    /// How often it was repeated.
    pub repeated: u64,
    /// When it last went, since the call began.
    pub last_us: u64,
}

impl WatchedMessage {
    /// What tells messages apart: a method, or a status code without what a peer says of it.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.label.split(' ').next().unwrap_or_default()
    }
}

/// Whither a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// To the peer.
    Sent,
    /// From the peer.
    Received,
    /// A command, to a twin.
    CommandSent,
    /// A command, from a twin.
    CommandReceived,
}

impl FailureShape {
    /// Whether calls of the other shape failed as calls of this one did.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.example, &other.example);
        let same = |(one, two): (&WatchedMessage, &WatchedMessage)| {
            one.way == two.way
                && one.kind() == two.kind()
                && (one.repeated > 0) == (two.repeated > 0)
        };
        self.reason == other.reason
            && (ours.left_out > 0) == (theirs.left_out > 0)
            && ours.messages.len() == theirs.messages.len()
            && ours.messages.iter().zip(&theirs.messages).all(same)
    }
}

impl FailureShapes {
    /// Adds what another part of the run has seen.
    pub fn add(&mut self, other: &Self) {
        self.failed += other.failed;
        self.watched += other.watched;
        self.rarer += other.rarer;
        for shape in &other.shapes {
            match self.shapes.iter_mut().find(|known| known.is_like(shape)) {
                Some(known) => known.count += shape.count,
                None => self.shapes.push(shape.clone()),
            }
        }
    }

    /// Keeps the commonest, in order.
    pub fn keep(&mut self, most: usize) {
        self.shapes
            .sort_by_key(|shape| std::cmp::Reverse(shape.count));
        let rarer = self.shapes.drain(most.min(self.shapes.len())..);
        self.rarer += rarer.map(|shape| shape.count).sum::<u64>();
    }
}

impl SlowCalls {
    /// Adds what another part of the run has seen.
    pub fn add(&mut self, other: &Self) {
        self.ended += other.ended;
        self.watched += other.watched;
        self.calls.extend_from_slice(&other.calls);
    }

    /// Keeps the slowest, in order; of two that waited as long, the one that began first.
    pub fn keep(&mut self, most: usize) {
        self.calls
            .sort_by_key(|slow| (std::cmp::Reverse(slow.due_us), slow.call.began_us));
        self.calls.truncate(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(count: u64, label: &str, repeated: u64) -> FailureShape {
        FailureShape {
            count,
            reason: FailReason::UnexpectedMessage,
            example: WatchedCall {
                messages: vec![WatchedMessage {
                    at_us: count,
                    way: Way::Received,
                    label: label.to_owned(),
                    repeated,
                    last_us: count,
                }],
                ..WatchedCall::default()
            },
        }
    }

    #[test]
    fn the_slowest_of_all_parts_are_kept_in_order() {
        let part = |waited: &[u64]| SlowCalls {
            ended: 10,
            watched: waited.len() as u64,
            calls: (waited.iter())
                .map(|due_us| SlowCall {
                    due_us: *due_us,
                    sent_us: 0,
                    answer: None,
                    failed: None,
                    call: WatchedCall::default(),
                })
                .collect(),
        };
        let mut whole = part(&[7, 3]);
        whole.add(&part(&[5, 9, 1]));
        whole.keep(3);
        assert_eq!((whole.ended, whole.watched), (20, 5));
        let kept: Vec<u64> = whole.calls.iter().map(|slow| slow.due_us).collect();
        assert_eq!(kept, [9, 7, 5]);
    }

    #[test]
    fn parts_are_added_up_by_shape_and_what_is_not_kept_is_counted() {
        let part = |shapes: Vec<FailureShape>| FailureShapes {
            failed: 10,
            watched: shapes.iter().map(|shape| shape.count).sum(),
            shapes,
            rarer: 0,
        };
        let mut whole = part(vec![shape(2, "486 Busy", 0), shape(3, "503 x", 0)]);
        whole.add(&part(vec![
            shape(4, "486 Not now", 0),
            shape(1, "486 Busy", 3),
        ]));
        whole.keep(2);
        assert_eq!((whole.failed, whole.watched, whole.rarer), (20, 10, 1));
        let kept = whole.shapes.iter();
        let kept: Vec<_> = kept
            .map(|shape| (shape.count, shape.example.messages[0].label.as_str()))
            .collect();
        assert_eq!(kept, [(6, "486 Busy"), (3, "503 x")]);
    }
}
