// SPDX-License-Identifier: AGPL-3.0-only
//! Names of flows: in the upper bits the shard that has it, below a number of its own.
//!
//! A call may be on a flow of another shard, and the name alone says whom to hand its messages to. On a single shard names
//! are just counted up.

use gossipper_vm::FlowId;

/// Bits of the number; the shard is above.
const NUMBER_BITS: u32 = 26;

/// Shards that names can tell apart.
pub(crate) const MAX_SHARDS: usize = 1 << (u32::BITS - NUMBER_BITS);

/// The largest number. One more, of the last shard, would be [`FlowId::NONE`].
const NUMBER_MAX: u32 = (1 << NUMBER_BITS) - 2;

/// Whose flow it is.
pub(crate) fn shard_of(flow: FlowId) -> usize {
    (flow.0 >> NUMBER_BITS) as usize
}

/// The names of one shard, counted up.
#[derive(Debug)]
pub(super) struct Ids {
    /// The shard, where names have it.
    base: u32,
    last: u32,
}

impl Ids {
    /// Those of this shard.
    pub(super) fn of(shard: usize) -> Self {
        debug_assert!(shard < MAX_SHARDS, "a run with connections has fewer");
        Self {
            base: (shard as u32) << NUMBER_BITS,
            last: 0,
        }
    }

    /// The next one; never [`FlowId::MAIN`], which is the first shard's. After the last the first comes again.
    pub(super) fn next(&mut self) -> FlowId {
        self.last = if self.last >= NUMBER_MAX {
            1
        } else {
            self.last + 1
        };
        FlowId(self.base | self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_flow_it_is_and_is_never_one_of_the_two_with_a_meaning() {
        for shard in [0, 1, MAX_SHARDS - 1] {
            let mut ids = Ids::of(shard);
            let first = ids.next();
            assert_eq!(shard_of(first), shard);
            ids.last = NUMBER_MAX - 1;
            let last = ids.next();
            assert_eq!(shard_of(last), shard);
            assert!(last != FlowId::NONE && first != FlowId::MAIN);
            assert_eq!(ids.next(), first, "they come again");
        }
        assert_eq!(shard_of(FlowId::MAIN), 0);
    }
}
