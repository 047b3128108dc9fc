// SPDX-License-Identifier: AGPL-3.0-only
//! Which shard owns a call: a function of its Call-ID ([`Router::owner_of_call`]), or, where the leader is free to keep any
//! call, which of the others owns one that it has not kept ([`Router::home_of_call`]).
//!
//! The leading shard reads the socket for all, so by the function it owns fewer calls than the others; how many fewer follows
//! from what reading costs beside everything else.

use std::hash::BuildHasher as _;

use gossipper_sip::{call_id_of, strip_call_id_prefix};

use memchr::memchr;

use super::share::{READING, part_of_leader};

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
            leaders: (part_of_leader(shards, READING) * f64::from(u32::MAX)) as u32,
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

    /// Which of the others owns the call with this Call-ID, if the leader does not; so `id` is only asked for where there
    /// are several.
    pub(crate) fn home_of_call<'a>(&self, id: impl FnOnce() -> &'a [u8]) -> usize {
        let others = self.shards as u64 - 1;
        if others <= 1 {
            return 1;
        }
        let hash = self.hasher.hash_one(id()) >> 32;
        // Below `others`.
        1 + ((hash * others) >> 32) as usize
    }

    /// The Call-ID of a message, as the machine knows it.
    pub(crate) fn call_id<'a>(&self, message: &'a [u8]) -> Option<&'a [u8]> {
        let id = plain_call_id(message).or_else(|| call_id_of(message))?;
        Some(if self.ignore_slashes {
            id
        } else {
            strip_call_id_prefix(id)
        })
    }

    /// Who is to read a message; the leader when it belongs to no call.
    pub(crate) fn owner(&self, message: &[u8]) -> usize {
        self.call_id(message).map_or(0, |id| self.owner_of_call(id))
    }
}

/// The Call-ID of a message that is as nearly all are; whatever needs a closer look is none. No name but this one is read.
fn plain_call_id(message: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"Call-ID: ";
    if matches!(message, [b'\r' | b'\n', ..]) {
        return None;
    }
    let mut rest = message;
    loop {
        rest = rest.get(memchr(b'\n', rest)? + 1..)?;
        match rest {
            [b'C' | b'c', b'A' | b'a', ..] => break,
            // The compact form, or the end of the header fields.
            [] | [b'i' | b'I' | b'\r' | b'\n', ..] => return None,
            _ => {}
        }
    }
    let value = rest.strip_prefix(NAME)?;
    let end = memchr(b'\n', value)?;
    // A field may go on in the next line.
    let folded = matches!(value.get(end + 1), Some(b' ' | b'\t'));
    let value = value[..end].strip_suffix(b"\r")?;
    let plain = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    (!folded && plain(value.first()) && plain(value.last())).then_some(value)
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
            let part = part_of_leader(shards, READING);
            assert!((leader - part).abs() < 0.01, "{counts:?}");
            let (least, most) = (counts[1..].iter().min(), counts[1..].iter().max());
            if let (Some(least), Some(most)) = (least, most) {
                assert!(most - least < most / 10, "{counts:?}");
                assert!(*least > counts[0], "{counts:?}");
            }
        }
    }

    #[test]
    fn what_the_leader_has_not_kept_is_shared_evenly_by_the_others() {
        for shards in [2, 3, 8] {
            let router = Router::new(shards, false);
            let mut counts = vec![0_u32; shards];
            for n in 0..60_000 {
                let id = format!("{n}-4711@127.0.0.1");
                counts[router.home_of_call(|| id.as_bytes())] += 1;
            }
            let (least, most) = (counts[1..].iter().min(), counts[1..].iter().max());
            assert_eq!(counts[0], 0);
            assert!(
                most.zip(least)
                    .is_some_and(|(most, least)| most - least <= most / 10)
            );
        }
    }

    #[test]
    fn a_call_id_that_needs_a_closer_look_is_not_found_at_once() {
        let of = |fields: &str| {
            let text = format!("BYE sip:a SIP/2.0\r\nVia: x\r\nCSeq: 1 BYE\r\n{fields}\r\n");
            plain_call_id(text.as_bytes()).map(<[u8]>::to_vec)
        };
        assert_eq!(of("Call-ID: 1@h\r\n"), Some(b"1@h".to_vec()));
        for odd in [
            "i: 2\r\nCall-ID: 1\r\n",
            "call-id: 2\r\nCall-ID: 1\r\n",
            "Call-ID : 2\r\nCall-ID: 1\r\n",
            "Call-ID: 1\n",
            "Call-ID: 1\r\n 2\r\n",
            "Call-ID: 1 \r\n",
            "Call-ID: \r\n",
            "\r\nCall-ID: 1\r\n",
            "",
        ] {
            assert_eq!(of(odd), None, "{odd:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_found_at_once_is_what_a_closer_look_finds(
            lines in "((Call-ID|CALL-ID|i|Via|Cat|\r|\n)? ?:? {0,2}[a-z@\t ]{0,6}\r?\n){0,5}",
        ) {
            let text = format!("BYE sip:a SIP/2.0\r\n{lines}");
            if let Some(found) = plain_call_id(text.as_bytes()) {
                prop_assert_eq!(Some(found), call_id_of(text.as_bytes()));
            }
        }

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
