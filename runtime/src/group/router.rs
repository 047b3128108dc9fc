// SPDX-License-Identifier: AGPL-3.0-only
//! Which shard owns a call: a pure function of its Call-ID.
//!
//! The leading shard reads the socket for all, so it owns fewer calls than the others; how many fewer follows from what
//! reading costs beside everything else ([`READING`]).

use std::hash::BuildHasher as _;

use gossipper_sip::{call_id_of, strip_call_id_prefix};

/// What reading and handing over a call's messages costs the leader, as a part of what running the call costs its owner:
/// as measured at the highest rates, where alone it matters.
const READING: f64 = 0.25;

/// Another seed than that of the machine's index, whose tables would otherwise fill unevenly.
const SEED: u64 = 0x736d_6172_7368_616c;

/// Tells owners.
#[derive(Debug, Clone)]
pub(crate) struct Router {
    hasher: foldhash::fast::FixedState,
    shards: usize,
    /// Upper 32 bits of a hash below which the leader owns the call.
    leaders: u32,
    ignore_slashes: bool,
}

impl Router {
    /// For so many shards; `ignore_slashes` is `-callid_slash_ign`.
    pub(crate) fn new(shards: usize, ignore_slashes: bool) -> Self {
        Self {
            hasher: foldhash::fast::FixedState::with_seed(SEED),
            shards,
            leaders: (leaders_part(shards) * f64::from(u32::MAX)) as u32,
            ignore_slashes,
        }
    }

    /// Who owns the call with this Call-ID, as the machine knows it.
    pub(crate) fn owner_of_call(&self, call_id: &[u8]) -> usize {
        let hash = (self.hasher.hash_one(call_id) >> 32) as u32;
        if hash < self.leaders || self.shards == 1 {
            return 0;
        }
        let others = self.shards as u64 - 1;
        let (at, all) = (hash - self.leaders, u32::MAX - self.leaders);
        // The product has less than 64 bits; the quotient is below `others`.
        1 + (u64::from(at) * others / (u64::from(all) + 1)) as usize
    }

    /// Who is to read a message; the leader when it belongs to no call.
    pub(crate) fn owner(&self, message: &[u8]) -> usize {
        let Some(id) = call_id_of(message) else {
            return 0;
        };
        self.owner_of_call(if self.ignore_slashes {
            id
        } else {
            strip_call_id_prefix(id)
        })
    }
}

/// The part of the calls that makes the leader as busy as each other shard.
fn leaders_part(shards: usize) -> f64 {
    let shards = shards as f64;
    ((1.0 - READING * (shards - 1.0)) / shards).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_leader_has_less_and_the_others_share_evenly() {
        for shards in [1, 2, 3, 8] {
            let router = Router::new(shards, false);
            let mut counts = vec![0_u32; shards];
            for n in 0..60_000 {
                counts[router.owner_of_call(format!("{n}-4711@127.0.0.1").as_bytes())] += 1;
            }
            let leader = f64::from(counts[0]) / 60_000.0;
            assert!((leader - leaders_part(shards)).abs() < 0.01, "{counts:?}");
            let (least, most) = (counts[1..].iter().min(), counts[1..].iter().max());
            if let (Some(least), Some(most)) = (least, most) {
                assert!(most - least < most / 10, "{counts:?}");
                assert!(*least > counts[0], "{counts:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_message_goes_to_the_owner_of_the_call_that_the_machine_would_find(
            id in "[a-z0-9/]{1,12}(///)?[a-z0-9@.]{0,12}",
            name in "(Call-ID|call-id|CALL-ID|i|I) {0,2}",
            before in "(Via: x\r\n|To: <sip:a@b>\r\n y\r\n|nonsense\n|Call-IDs: no\r\n){0,3}",
            empty in "(\r\n){0,2}",
            slashes in any::<bool>(),
        ) {
            let text = format!("{empty}BYE sip:a SIP/2.0\r\n{before}{name}:  {id}\r\nCall-ID: two\r\n\r\ni: body\r\n");
            let router = Router::new(5, slashes);
            let message = gossipper_sip::Message::parse(text.as_bytes()).expect("a message");
            let found = message.call_id().expect("it has one");
            let known = if slashes { found } else { strip_call_id_prefix(found) };
            prop_assert_eq!(router.owner(text.as_bytes()), router.owner_of_call(known));
        }
    }
}
