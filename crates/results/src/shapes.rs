// SPDX-License-Identifier: AGPL-3.0-only
//! The commonest ways in which calls failed, each with a call as an example, and the calls that waited longest.

use crate::make::{ns, reason_name};
use gossipper_control::shapes::{self as seen, Way};
use serde::{Deserialize, Serialize};

/// The commonest ways in which calls of the main scenario failed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FailureShapes {
    /// Calls that failed.
    pub failed: u64,
    /// Those among them whose messages were watched; the figures below are of these.
    pub watched: u64,
    /// The commonest first.
    pub shapes: Vec<Shape>,
    /// Calls that failed in yet other ways.
    pub rarer: u64,
}

/// Calls that failed for the same reason, after the same messages had gone the same ways in the same order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// How many.
    pub count: u64,
    /// Why, by the name that it has in the summary's failure reasons.
    pub reason: String,
    /// The class of the reason.
    pub class: String,
    /// The first of them.
    pub example: Example,
}

/// The calls of the main scenario that waited longest for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WorstCalls {
    /// Calls that have ended.
    pub ended: u64,
    /// Those among them that were watched and had an answer; the worst of these are given.
    pub watched: u64,
    /// The slowest first.
    pub calls: Vec<WorstCall>,
}

/// A call, and its slowest answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorstCall {
    /// From when its request was due to the answer.
    pub due: u64,
    /// From when it was sent.
    pub sent: u64,
    /// Which of the messages the answer is, from 0; absent if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<u64>,
    /// Why the call failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// It.
    pub call: Example,
}

/// A call with its messages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Example {
    /// Its number.
    pub call_number: u64,
    /// Its Call-ID.
    pub call_id: String,
    /// With whom its first message was exchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// When it began, since the run began.
    pub began: u64,
    /// How long it was there.
    pub duration: u64,
    /// Its messages.
    pub messages: Vec<Message>,
    /// Messages in the middle that are left out.
    pub left_out: u64,
    /// How many of the messages came before those.
    pub left_out_after: u64,
}

/// A message, with its repetitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// When, since the call began.
    pub at: u64,
    /// Whither: `sent`, `received`, or `command_sent`, `command_received` of a twin.
    pub way: Way,
    /// Method, or status code and reason.
    pub label: String,
    /// How often it was repeated.
    pub repeated: u64,
    /// When it last went.
    pub last: u64,
}

impl From<&seen::FailureShapes> for FailureShapes {
    fn from(seen: &seen::FailureShapes) -> Self {
        let shapes = seen.shapes.iter().map(|shape| Shape {
            count: shape.count,
            reason: reason_name(shape.reason),
            class: shape.reason.class().to_owned(),
            example: (&shape.example).into(),
        });
        Self {
            failed: seen.failed,
            watched: seen.watched,
            shapes: shapes.collect(),
            rarer: seen.rarer,
        }
    }
}

impl From<&seen::SlowCalls> for WorstCalls {
    fn from(seen: &seen::SlowCalls) -> Self {
        let calls = seen.calls.iter().map(|slow| WorstCall {
            due: ns(slow.due_us),
            sent: ns(slow.sent_us),
            answer: slow.answer.map(|place| place as u64),
            reason: slow.failed.map(reason_name),
            call: (&slow.call).into(),
        });
        Self {
            ended: seen.ended,
            watched: seen.watched,
            calls: calls.collect(),
        }
    }
}

impl From<&seen::WatchedCall> for Example {
    fn from(call: &seen::WatchedCall) -> Self {
        let messages = call.messages.iter().map(|message| Message {
            at: ns(message.at_us),
            way: message.way,
            label: message.label.clone(),
            repeated: message.repeated,
            last: ns(message.last_us),
        });
        Self {
            call_number: call.call,
            call_id: call.call_id.clone(),
            peer: call.peer.clone(),
            began: ns(call.began_us),
            duration: ns(call.length_us),
            messages: messages.collect(),
            left_out: call.left_out,
            left_out_after: call.left_out_after as u64,
        }
    }
}
