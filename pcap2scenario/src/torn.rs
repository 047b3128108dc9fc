// SPDX-License-Identifier: AGPL-3.0-only
//! Messages that the capture cut within their headers: what was lost of them is taken from those they belong to.
//!
//! A branch is shared by a request and its responses, a Call-ID by a call. Where a snapped message has lost its CSeq, the
//! other half of its transaction has it; where its Call-ID is incomplete, the one call between the same two hosts whose
//! Call-ID begins that way is meant. What more than one call could be stays a call of its own.

use crate::message::Msg;
use core::net::IpAddr;
use gossipper_capture::METHODS;
use gossipper_sip::HeaderName;
use std::collections::{HashMap, HashSet};

/// Gives messages that were cut back what the others know. What remains without a method, a response to nobody knows what,
/// is taken out; gives how many those were. The messages are in order of time.
pub(crate) fn mend(messages: &mut Vec<Msg>) -> usize {
    if messages.iter().all(|msg| !is_torn(msg)) {
        return 0;
    }
    let known = Known::of(messages);
    for msg in messages.iter_mut().filter(|msg| is_torn(msg)) {
        known.complete(msg);
    }
    number(messages);
    let before = messages.len();
    messages.retain(|msg| !msg.method.is_empty());
    before - messages.len()
}

/// Whether the end of the header section is missing.
fn is_torn(msg: &Msg) -> bool {
    msg.truncated && msg.body.is_empty()
}

/// Whether a header is missing from a torn message, or its end is.
fn lacks(msg: &Msg, name: HeaderName) -> bool {
    !msg.has(name) || msg.headers.last().is_some_and(|last| last.name == name)
}

/// Whether CSeq is missing; the name of a method at the end is whole.
fn lacks_cseq(msg: &Msg) -> bool {
    let value = msg.header(HeaderName::CSeq).unwrap_or_default();
    let method = value.rsplit(u8::is_ascii_whitespace).next();
    lacks(msg, HeaderName::CSeq) && !method.is_some_and(|method| METHODS.contains(&method))
}

fn hosts(msg: &Msg) -> [IpAddr; 2] {
    let mut both = [msg.source.ip(), msg.destination.ip()];
    both.sort();
    both
}

type CallId = Vec<u8>;
type Tag = Vec<u8>;
type Branch = Vec<u8>;

/// What a transaction is part of: Call-ID, and number and method of CSeq.
type Transaction = (CallId, u32, String);

/// What whole messages say.
struct Known {
    /// The transactions of two hosts by their branch.
    branches: HashMap<([IpAddr; 2], Branch), Transaction>,
    /// Call-IDs between two hosts, and the tags of their callers.
    calls: HashMap<[IpAddr; 2], Vec<(CallId, Tag)>>,
    /// Tags of From and To in the dialogs of a Call-ID.
    dialogs: HashMap<CallId, HashSet<(Tag, Tag)>>,
}

impl Known {
    fn of(messages: &[Msg]) -> Self {
        let mut known = Self {
            branches: HashMap::new(),
            calls: HashMap::new(),
            dialogs: HashMap::new(),
        };
        let mut seen = HashSet::new();
        for msg in messages {
            let has_call_id = !is_torn(msg) || !lacks(msg, HeaderName::CallId);
            let has_cseq = !is_torn(msg) || !lacks_cseq(msg);
            if !has_call_id || msg.call_id.is_empty() {
                continue;
            }
            let hosts = hosts(msg);
            // ACK has the branch of the INVITE that was refused.
            if has_cseq && !msg.branch.is_empty() && msg.method != "ACK" {
                known
                    .branches
                    .entry((hosts, msg.branch.clone()))
                    .or_insert_with(|| (msg.call_id.clone(), msg.cseq, msg.method.clone()));
            }
            let call = (hosts, msg.call_id.clone(), msg.from_tag.clone());
            if seen.insert(call.clone()) {
                let (hosts, call_id, tag) = call;
                known.calls.entry(hosts).or_default().push((call_id, tag));
            }
            let has_to = !is_torn(msg) || !lacks(msg, HeaderName::To);
            if has_to && !msg.from_tag.is_empty() && !msg.to_tag.is_empty() {
                let dialog = (msg.from_tag.clone(), msg.to_tag.clone());
                let dialogs = known.dialogs.entry(msg.call_id.clone()).or_default();
                dialogs.insert(dialog);
            }
        }
        known
    }

    fn complete(&self, msg: &mut Msg) {
        let hosts = hosts(msg);
        let whole_branch = !lacks(msg, HeaderName::Via) && !msg.branch.is_empty();
        let same = whole_branch
            .then(|| self.branches.get(&(hosts, msg.branch.clone())))
            .flatten();
        if lacks_cseq(msg) {
            msg.cseq = same.map_or(0, |(_, cseq, _)| *cseq);
            if !msg.is_request() {
                msg.method = same.map_or_else(String::new, |(.., method)| method.clone());
            }
        }
        if lacks(msg, HeaderName::CallId) {
            let call_id = match same {
                Some((call_id, ..)) => Some(call_id),
                None => self.call_of(msg, hosts),
            };
            if let Some(call_id) = call_id {
                msg.call_id.clone_from(call_id);
            }
        }
        let is_answer = msg.code().is_some_and(|code| code > 100);
        if is_answer && (lacks(msg, HeaderName::From) || lacks(msg, HeaderName::To)) {
            self.tag(msg);
        }
    }

    /// Gives a response the tags of the one dialog that can be meant: the ACK behind it names it so.
    fn tag(&self, msg: &mut Msg) {
        let knows_from = !lacks(msg, HeaderName::From);
        let knows_to = !lacks(msg, HeaderName::To);
        let Some(dialogs) = self.dialogs.get(&msg.call_id) else {
            return;
        };
        let mut dialogs = dialogs.iter().filter(|(from, to)| {
            (!knows_from || *from == msg.from_tag) && (!knows_to || *to == msg.to_tag)
        });
        if let (Some((from, to)), None) = (dialogs.next(), dialogs.next()) {
            msg.from_tag.clone_from(from);
            msg.to_tag.clone_from(to);
        }
    }

    /// The one call that can be meant.
    fn call_of(&self, msg: &Msg, hosts: [IpAddr; 2]) -> Option<&Vec<u8>> {
        let tagged = !lacks(msg, HeaderName::From) && !msg.from_tag.is_empty();
        let mut calls = self.calls.get(&hosts)?.iter().filter(|(call_id, tag)| {
            call_id.starts_with(&msg.call_id) && (!tagged || *tag == msg.from_tag)
        });
        let (call_id, _) = calls.next()?;
        calls.all(|(other, _)| other == call_id).then_some(call_id)
    }
}

/// Numbers the requests whose CSeq nobody knows, behind those before them.
fn number(messages: &mut [Msg]) {
    // The last number of a sender in a call, and that of its last INVITE.
    let mut numbers: HashMap<(Vec<u8>, core::net::SocketAddr), (u32, u32)> = HashMap::new();
    for msg in messages.iter_mut().filter(|msg| msg.is_request()) {
        let (last, invite) = numbers
            .entry((msg.call_id.clone(), msg.source))
            .or_default();
        if is_torn(msg) && msg.cseq == 0 && lacks_cseq(msg) {
            msg.cseq = match msg.method.as_str() {
                "ACK" | "CANCEL" => *invite,
                _ => last.saturating_add(1),
            };
        }
        *last = (*last).max(msg.cseq);
        if msg.method == "INVITE" {
            *invite = msg.cseq;
        }
    }
}
