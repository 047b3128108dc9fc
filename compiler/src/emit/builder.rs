// SPDX-License-Identifier: AGPL-3.0-only
//! The op list while it grows: jumps name labels, which get their places when the code they name is written.

use super::peephole;
use gossipper_bytecode::{Op, Pc};

/// A place in the op list, possibly not yet known. While ops are collected their targets hold label numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label(u32);

impl Label {
    /// As the target of an op that is given to [`Builder::op`].
    pub(crate) fn pc(self) -> Pc {
        Pc(self.0)
    }
}

/// Collects ops.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    ops: Vec<Op>,
    places: Vec<Option<usize>>,
}

/// Finished ops, and where labels ended up.
#[derive(Debug)]
pub(crate) struct Code {
    /// The ops.
    pub(crate) ops: Vec<Op>,
    places: Vec<Pc>,
}

impl Code {
    /// Where a label stands.
    pub(crate) fn place(&self, label: Label) -> Pc {
        self.places[label.0 as usize]
    }
}

impl Builder {
    /// A label without a place.
    pub(crate) fn label(&mut self) -> Label {
        let index = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.places.push(None);
        Label(index)
    }

    /// Gives a label its place: before the next op.
    pub(crate) fn place(&mut self, label: Label) {
        let place = &mut self.places[label.0 as usize];
        debug_assert!(place.is_none(), "a label has one place");
        *place = Some(self.ops.len());
    }

    /// Adds an op. Its target, if any, comes from [`Label::pc`].
    pub(crate) fn op(&mut self, op: Op) {
        self.ops.push(op);
    }

    /// Resolves the labels. One that never got a place (nothing refers to it) is at the start.
    pub(crate) fn finish(self) -> Code {
        let mut places: Vec<usize> = self.places.iter().map(|place| place.unwrap_or(0)).collect();
        let mut ops = self.ops;
        for op in &mut ops {
            if let Some(to) = op.target_mut() {
                to.0 = u32::try_from(places[to.index()]).unwrap_or(u32::MAX);
            }
        }
        peephole::thread_jumps(&mut ops, &mut places);
        peephole::drop_jumps_to_next(&mut ops, &mut places);
        let pc = |place: &usize| Pc(u32::try_from(*place).unwrap_or(u32::MAX));
        Code {
            places: places.iter().map(pc).collect(),
            ops,
        }
    }
}
