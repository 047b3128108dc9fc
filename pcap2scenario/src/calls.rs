// SPDX-License-Identifier: AGPL-3.0-only
//! From messages to calls: what belongs together, who called, what was sent twice.
//!
//! A call is a Call-ID between two parties. A capture beside a proxy shows the same Call-ID on several hops; each is a call
//! of its own here, a *leg*. A B2BUA changes the Call-ID and makes separate calls anyway. What two parties say to each
//! other directly after a proxy has left the path belongs to every leg that has one of them.
//!
//! Repetitions are folded into the first of their kind. What is not in the capture and has to be is added by `missing`.

use crate::message::{Msg, Start};
use crate::missing;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use gossipper_capture::{Carrier, SipMessage};
use gossipper_sip::HeaderName;
use std::collections::HashMap;

/// Most messages of a call that are turned into steps: a capture of years of REGISTERs under one Call-ID is no scenario.
const MOST_MESSAGES: usize = 2000;

/// One message of a call, with its repetitions.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// Whether the caller sent it.
    pub(crate) from_caller: bool,
    /// The message as it was first seen.
    pub(crate) msg: Msg,
    /// Frames that hold it again.
    pub(crate) repeats: Vec<u64>,
    /// Why it is here although it was not captured.
    pub(crate) made_up: Option<&'static str>,
}

/// A call: what two parties said to each other under one Call-ID.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Its Call-ID.
    pub(crate) call_id: Vec<u8>,
    /// Which of the legs with this Call-ID it is, from 1.
    pub(crate) leg: usize,
    /// How many legs have it.
    pub(crate) legs: usize,
    /// Who began.
    pub(crate) caller: SocketAddr,
    /// Who was asked first.
    pub(crate) callee: SocketAddr,
    /// What carried the first message.
    pub(crate) carrier: Carrier,
    /// What was said, in order.
    pub(crate) events: Vec<Event>,
    /// What a user should know about it.
    pub(crate) notes: Vec<String>,
}

impl Call {
    /// When it began.
    pub(crate) fn start(&self) -> Duration {
        self.events
            .first()
            .map_or(Duration::ZERO, |event| event.msg.time)
    }

    /// When its last message came.
    pub(crate) fn end(&self) -> Duration {
        self.events
            .last()
            .map_or(Duration::ZERO, |event| event.msg.time)
    }

    /// The user of the first request's URI.
    pub(crate) fn service(&self) -> Option<String> {
        match &self.events.first()?.msg.start {
            Start::Request { uri, .. } => {
                let user = gossipper_sip::SipUri::parse(uri)?.user?;
                Some(String::from_utf8_lossy(user).into_owned())
            }
            Start::Status { .. } => None,
        }
    }

    /// Who the caller says it is when it is challenged.
    pub(crate) fn credentials_user(&self) -> Option<String> {
        let mut sent = self.events.iter().filter(|event| event.from_caller);
        sent.find_map(|event| {
            let value = event
                .msg
                .header(HeaderName::Authorization)
                .or_else(|| event.msg.header(HeaderName::ProxyAuthorization))?;
            let at = memchr::memmem::find(value, b"username=\"")? + 10;
            let end = memchr::memchr(b'"', &value[at..])?;
            Some(String::from_utf8_lossy(&value[at..at + end]).into_owned())
        })
    }

    /// The request that a response answers: the latest one before it.
    pub(crate) fn request_of(&self, response: usize) -> Option<usize> {
        let answer = &self.events[response];
        (0..response).rev().find(|at| {
            let event = &self.events[*at];
            event.from_caller != answer.from_caller && answer.msg.answers(&event.msg)
        })
    }
}

/// Takes the messages of a capture apart into calls, in the order in which they began. Also gives how many messages could
/// not be read.
pub(crate) fn find(messages: &[SipMessage]) -> (Vec<Call>, usize) {
    let mut read: Vec<Msg> = messages.iter().filter_map(Msg::read).collect();
    let mut unreadable = messages.len() - read.len();
    // Captures that were put together of several need not be in order.
    read.sort_by_key(|msg| msg.time);
    unreadable += crate::torn::mend(&mut read);
    let mut by_id: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut groups: Vec<Vec<Msg>> = Vec::new();
    for msg in read {
        let group = *by_id.entry(msg.call_id.clone()).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(msg);
    }
    let mut calls: Vec<Call> = groups.into_iter().flat_map(calls_of).collect();
    calls.sort_by_key(Call::start);
    (calls, unreadable)
}

/// Who two parties are: their hosts, or their sockets if both are on one host.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
enum Party {
    Host(IpAddr),
    Socket(SocketAddr),
}

fn parties(msg: &Msg) -> [Party; 2] {
    let (from, to) = (msg.source, msg.destination);
    let mut both = if from.ip() == to.ip() {
        [Party::Socket(from), Party::Socket(to)]
    } else {
        [Party::Host(from.ip()), Party::Host(to.ip())]
    };
    both.sort();
    both
}

/// The calls of one Call-ID.
fn calls_of(messages: Vec<Msg>) -> Vec<Call> {
    let mut hops: Vec<([Party; 2], Vec<Msg>)> = Vec::new();
    // Where a request went by, so that its responses do too, whatever address they come from.
    let mut branches: HashMap<(Vec<u8>, u32, IpAddr), usize> = HashMap::new();
    for msg in messages {
        let key = parties(&msg);
        let known = if msg.is_request() || msg.branch.is_empty() {
            None
        } else {
            branches
                .get(&(msg.branch.clone(), msg.cseq, msg.destination.ip()))
                .copied()
        };
        let hop = known.or_else(|| hops.iter().position(|(other, _)| *other == key));
        let hop = hop.unwrap_or_else(|| {
            hops.push((key, Vec::new()));
            hops.len() - 1
        });
        if msg.is_request() && !msg.branch.is_empty() {
            branches
                .entry((msg.branch.clone(), msg.cseq, msg.source.ip()))
                .or_insert(hop);
        }
        hops[hop].1.push(msg);
    }
    let begins = |messages: &[Msg]| {
        messages
            .first()
            .is_some_and(|msg| msg.is_request() && msg.to_tag.is_empty() && msg.method != "ACK")
    };
    let whole: Vec<bool> = hops.iter().map(|(_, messages)| begins(messages)).collect();
    // What goes on in the middle of a dialog is part of the legs that began it.
    let mut adopted: Vec<Vec<Msg>> = vec![Vec::new(); hops.len()];
    let mut gone = vec![false; hops.len()];
    for at in (0..hops.len()).filter(|at| !whole[*at]) {
        let tags: Vec<&[u8]> = tags_of(&hops[at].1);
        for into in (0..hops.len()).filter(|into| whole[*into]) {
            let shares = hops[into].0.iter().any(|party| hops[at].0.contains(party))
                || same_host(&hops[into].0, &hops[at].0);
            if shares && tags_of(&hops[into].1).iter().any(|tag| tags.contains(tag)) {
                adopted[into].extend(hops[at].1.iter().cloned());
                gone[at] = true;
            }
        }
    }
    let mut calls = Vec::new();
    for (at, (_, mut messages)) in hops.into_iter().enumerate() {
        if gone[at] {
            continue;
        }
        messages.append(&mut adopted[at]);
        messages.sort_by_key(|msg| msg.time);
        calls.extend(call_of(messages));
    }
    let legs = calls.len();
    for (at, call) in calls.iter_mut().enumerate() {
        call.leg = at + 1;
        call.legs = legs;
        if legs > 1 {
            call.notes
                .push(format!("leg {} of {legs} with this Call-ID", at + 1));
        }
    }
    calls
}

fn tags_of(messages: &[Msg]) -> Vec<&[u8]> {
    let tags = messages
        .iter()
        .flat_map(|msg| [&msg.from_tag[..], &msg.to_tag[..]]);
    let mut tags: Vec<&[u8]> = tags.filter(|tag| !tag.is_empty()).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// Whether all sockets of two hops are on one host, as in a test on loopback.
fn same_host(one: &[Party; 2], other: &[Party; 2]) -> bool {
    match (one[0], other[0]) {
        (Party::Socket(one), Party::Socket(other)) => one.ip() == other.ip(),
        _ => false,
    }
}

/// One call: directions, repetitions, what is missing.
fn call_of(messages: Vec<Msg>) -> Option<Call> {
    let first = messages.first()?;
    // A response comes from who was called, unless it answers a request that was captured.
    let (caller, callee) = if first.is_request() {
        (first.source, first.destination)
    } else {
        (first.destination, first.source)
    };
    let mut call = Call {
        call_id: first.call_id.clone(),
        leg: 1,
        legs: 1,
        caller,
        callee,
        carrier: first.carrier,
        events: Vec::new(),
        notes: Vec::new(),
    };
    let caller_tag = first.from_tag.clone();
    let mut left_out = 0;
    for msg in messages {
        let from_caller = is_from_caller(&msg, caller, callee, &caller_tag);
        if msg.truncated {
            call.notes.push(format!(
                "frame {}: the end of this {} was not captured",
                msg.frame,
                msg.title()
            ));
        }
        match repeated(&call, &msg, from_caller) {
            Some(at) => call.events[at].repeats.push(msg.frame),
            None if call.events.len() >= MOST_MESSAGES => left_out += 1,
            None => call.events.push(Event {
                from_caller,
                msg,
                repeats: Vec::new(),
                made_up: None,
            }),
        }
    }
    if left_out > 0 {
        call.notes.push(format!(
            "it has {left_out} messages more than the {MOST_MESSAGES} that are turned into steps"
        ));
    }
    missing::complete(&mut call);
    Some(call)
}

fn is_from_caller(msg: &Msg, caller: SocketAddr, callee: SocketAddr, caller_tag: &[u8]) -> bool {
    let is = |here: SocketAddr, there: SocketAddr| {
        if caller.ip() == callee.ip() {
            here == there
        } else {
            here.ip() == there.ip()
        }
    };
    match (
        is(msg.source, caller) || is(msg.destination, callee),
        is(msg.source, callee) || is(msg.destination, caller),
    ) {
        (true, false) => return true,
        (false, true) => return false,
        (true, true) | (false, false) => {}
    }
    let tagged = !caller_tag.is_empty() && msg.from_tag == caller_tag;
    tagged == msg.is_request()
}

/// Whether a request is another one in all but its branch: proxies without state give each repetition a new one.
fn is_sent_anew(first: &Msg, msg: &Msg) -> bool {
    let said = |msg: &Msg| {
        let on_the_way = [HeaderName::Via, HeaderName::MaxForwards];
        let kept = msg.headers.iter();
        let kept = kept.filter(|header| !on_the_way.contains(&header.name));
        kept.map(|header| (header.name, header.value.clone()))
            .collect::<Vec<_>>()
    };
    first.start == msg.start
        && first.cseq == msg.cseq
        && !msg.call_id.is_empty()
        && first.from_tag == msg.from_tag
        && first.to_tag == msg.to_tag
        && first.body == msg.body
        && !msg.from_tag.is_empty()
        && said(first) == said(msg)
}

/// The event that a message repeats.
fn repeated(call: &Call, msg: &Msg, from_caller: bool) -> Option<usize> {
    let same = |event: &Event| {
        let other = &event.msg;
        other.cseq == msg.cseq
            && event.from_caller == from_caller
            && other.method == msg.method
            && other.branch == msg.branch
            && other.to_tag == msg.to_tag
            && other.from_tag == msg.from_tag
    };
    let mut events = call.events.iter().enumerate().rev();
    match &msg.start {
        Start::Request { .. } => events.find_map(|(at, event)| {
            let is_request = event.msg.is_request() && same(event);
            // Without a branch only the text tells a repetition.
            let is = is_request && (!msg.branch.is_empty() || event.msg.body == msg.body)
                || event.from_caller == from_caller && is_sent_anew(&event.msg, msg);
            is.then_some(at)
        }),
        Start::Status { code, .. } if *code >= 200 => events
            .find_map(|(at, event)| (event.msg.code() == Some(*code) && same(event)).then_some(at)),
        // A provisional response may well come again later, with something new in it.
        Start::Status { code, .. } => {
            let (at, last) = events.find(|(_, event)| {
                event.msg.code().is_some()
                    && event.from_caller == from_caller
                    && event.msg.cseq == msg.cseq
                    && event.msg.method == msg.method
            })?;
            let equal = last.msg.code() == Some(*code)
                && same(last)
                && last.msg.body == msg.body
                && last.msg.header(HeaderName::RSeq) == msg.header(HeaderName::RSeq);
            equal.then_some(at)
        }
    }
}
