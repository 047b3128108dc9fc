// SPDX-License-Identifier: AGPL-3.0-only
//! Repetition by timer, as far as a load generator needs it.
//!
//! Decides when a sent message goes out again and when that ends. Does not match messages to steps (see
//! [`crate::matching`]) and never builds bytes: what is repeated are the stored bytes, or what rendering makes anew of
//! what the message was made of ([`crate::exec::send`]).
//!
//! Invariants: at most one repetition per call; none on a reliable transport or with `-nr`.
//! Rules: RFC 3261 §17.1.1.2 and §17.1.2.2, with SIPp's limits.

use crate::call::{Call, Repeat};
use crate::input::Micros;
use crate::params::RunParams;
use gossipper_bytecode::SendId;

/// What an expired repetition timer asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expired {
    /// Send the stored bytes again.
    Again,
    /// The limit is reached: the call has timed out.
    Exhausted,
}

/// Buffers between two uses.
///
/// Only calls that wait for an answer hold one: a call that is merely open, which most calls are, owns no bytes of what
/// it has sent.
#[derive(Debug, Default)]
pub(crate) struct Buffers(
    #[expect(
        clippy::vec_box,
        reason = "the boxes are what is lent: a call holds one in the room of a pointer"
    )]
    Vec<Box<Repeat>>,
);

impl Buffers {
    /// Most buffers kept.
    const MAX: usize = 1024;
    /// Largest buffer kept: what most datagrams fit into.
    const MAX_BYTES: usize = 4096;

    /// Puts the start of a repetition into memory that another one has left.
    fn fill(&mut self, start: Repeat, bytes: &[u8]) -> Box<Repeat> {
        let mut repeat = match self.0.pop() {
            Some(mut spare) => {
                spare.send = start.send;
                spare.at = start.at;
                spare.interval_ms = start.interval_ms;
                spare.count = start.count;
                spare
            }
            None => Box::new(start),
        };
        repeat.bytes.extend_from_slice(bytes);
        repeat
    }

    fn give(&mut self, mut repeat: Box<Repeat>) {
        if self.0.len() < Self::MAX && repeat.bytes.capacity() <= Self::MAX_BYTES {
            repeat.bytes.clear();
            self.0.push(repeat);
        }
    }
}

/// Stops repeating and gives the bytes back.
pub(crate) fn stop(call: &mut Call, buffers: &mut Buffers) {
    if let Some(repeat) = call.repeat.take() {
        buffers.give(repeat);
    }
}

/// Starts repeating what was just sent, or stops repeating what was sent before. There are no bytes where they can be made
/// again.
pub(crate) fn sent(
    call: &mut Call,
    send: SendId,
    t1_ms: u32,
    bytes: &[u8],
    now: Micros,
    buffers: &mut Buffers,
) {
    stop(call, buffers);
    if t1_ms > 0 {
        let start = Repeat {
            send,
            at: now.plus(Micros::from_ms(u64::from(t1_ms))),
            interval_ms: t1_ms,
            count: 0,
            bytes: Vec::new(),
        };
        call.repeat = Some(buffers.fill(start, bytes));
    }
}

/// The interval has passed: counts, and sets the next one.
pub(crate) fn expired(repeat: &mut Repeat, is_invite: bool, params: &RunParams) -> Expired {
    let limit = params.max_retrans.min(if is_invite {
        params.max_invite_retrans
    } else {
        params.max_non_invite_retrans
    });
    if repeat.count >= limit {
        return Expired::Exhausted;
    }
    repeat.count += 1;
    repeat.interval_ms = repeat.interval_ms.saturating_mul(2);
    if !is_invite {
        repeat.interval_ms = repeat.interval_ms.min(params.t2_ms.max(1));
    }
    repeat.at = repeat
        .at
        .plus(Micros::from_ms(u64::from(repeat.interval_ms)));
    Expired::Again
}

/// A provisional response to another request than INVITE: the next repetition comes after T2
/// (RFC 3261 §17.1.2.2).
pub(crate) fn provisional(repeat: &mut Repeat, params: &RunParams, now: Micros) {
    repeat.interval_ms = params.t2_ms;
    repeat.at = now.plus(Micros::from_ms(u64::from(params.t2_ms)));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times in ms at which a message sent at 0 is repeated, and when it is given up.
    fn schedule(is_invite: bool) -> (Vec<u64>, u64) {
        let params = RunParams::default();
        let mut repeat = Repeat {
            send: SendId(0),
            at: Micros::from_ms(500),
            interval_ms: 500,
            count: 0,
            bytes: Vec::new(),
        };
        let mut times = Vec::new();
        loop {
            let at = repeat.at;
            match expired(&mut repeat, is_invite, &params) {
                Expired::Again => times.push(at.as_ms()),
                Expired::Exhausted => return (times, at.as_ms()),
            }
        }
    }

    #[test]
    fn a_call_owns_bytes_only_while_it_repeats_them() {
        let mut call = crate::testing::call();
        let mut buffers = Buffers::default();
        let t1 = 500;
        sent(&mut call, SendId(0), t1, b"INVITE", Micros(0), &mut buffers);
        let first = call.repeat.as_ref().expect("it is repeated");
        assert_eq!(first.bytes, b"INVITE");
        let buffer = first.bytes.as_ptr();
        stop(&mut call, &mut buffers);
        assert_eq!((call.repeat.as_ref(), call.heap_bytes()), (None, 0));
        // The next one uses the same buffer.
        sent(&mut call, SendId(1), t1, b"BYE", Micros(0), &mut buffers);
        let second = call.repeat.as_ref().expect("it is repeated");
        assert_eq!((second.send, &second.bytes[..]), (SendId(1), &b"BYE"[..]));
        assert_eq!(second.bytes.as_ptr(), buffer);
    }

    #[test]
    fn the_spare_buffers_are_bounded_in_number_and_size() {
        let mut buffers = Buffers::default();
        let repeat = |bytes: usize| {
            Box::new(Repeat {
                send: SendId(0),
                at: Micros(0),
                interval_ms: 0,
                count: 0,
                bytes: Vec::with_capacity(bytes),
            })
        };
        buffers.give(repeat(Buffers::MAX_BYTES + 1));
        assert!(buffers.0.is_empty());
        for _ in 0..Buffers::MAX + 5 {
            buffers.give(repeat(8));
        }
        assert_eq!(buffers.0.len(), Buffers::MAX);
    }

    #[test]
    fn an_invite_is_repeated_with_doubling_gaps_until_timer_b() {
        assert_eq!(
            schedule(true),
            (vec![500, 1500, 3500, 7500, 15_500], 31_500)
        );
    }

    #[test]
    fn other_requests_are_repeated_at_most_every_t2() {
        assert_eq!(
            schedule(false),
            (
                vec![
                    500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500
                ],
                31_500
            )
        );
    }

    #[test]
    fn a_provisional_response_slows_other_requests_to_t2() {
        let mut repeat = Repeat {
            send: SendId(0),
            at: Micros::from_ms(500),
            interval_ms: 500,
            count: 0,
            bytes: Vec::new(),
        };
        provisional(&mut repeat, &RunParams::default(), Micros::from_ms(100));
        assert_eq!(repeat.at, Micros::from_ms(4100));
    }
}
