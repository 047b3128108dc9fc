// SPDX-License-Identifier: AGPL-3.0-only
//! The shapes of the calls that failed, each with the first such call.

use gossipper_bytecode::FailReason;
use gossipper_control::{FailureShape, FailureShapes};
use gossipper_vm::Micros;

use super::names::Names;
use super::open::Watched;

/// Shapes that are told apart. If there are more, those seen once make room.
pub(super) const MOST_SHAPES: usize = 64;

#[derive(Debug)]
struct Shape {
    count: u64,
    reason: FailReason,
    example: Watched,
    ended: Micros,
}

/// What was counted.
#[derive(Debug, Default)]
pub(super) struct Counted {
    failed: u64,
    watched: u64,
    shapes: Vec<Shape>,
    rarer: u64,
}

impl Counted {
    /// A call has failed.
    pub(super) fn failed(&mut self, now: Micros, reason: FailReason, watched: Option<&Watched>) {
        self.failed += 1;
        let Some(watched) = watched else {
            return;
        };
        self.watched += 1;
        let same = |known: &&mut Shape| known.reason == reason && known.example.is_like(watched);
        if let Some(known) = self.shapes.iter_mut().find(same) {
            known.count += 1;
            return;
        }
        if self.shapes.len() == MOST_SHAPES {
            self.rarer += 1;
            let Some(once) = self.shapes.iter().position(|known| known.count == 1) else {
                return;
            };
            self.shapes.remove(once);
        }
        self.shapes.push(Shape {
            count: 1,
            reason,
            example: watched.clone(),
            ended: now,
        });
    }

    /// All of it in plain data.
    pub(super) fn shapes(&self, names: &Names) -> FailureShapes {
        let shapes = self.shapes.iter().map(|shape| FailureShape {
            count: shape.count,
            reason: shape.reason,
            example: shape.example.told(shape.ended, names),
        });
        FailureShapes {
            failed: self.failed,
            watched: self.watched,
            shapes: shapes.collect(),
            rarer: self.rarer,
        }
    }
}
