// SPDX-License-Identifier: AGPL-3.0-only
//! Small clean-ups of finished ops: jumps to jumps go straight, jumps to the next op go away.

use gossipper_bytecode::Op;

/// Longest chain of jumps that is followed: a loop of nothing but jumps has no end.
const MAX_CHAIN: usize = 16;

/// Makes jumps to jumps go where those go. Only the branching ops are threaded: a guard stays inside the action
/// block it guards.
pub(super) fn thread_jumps(ops: &mut [Op], places: &mut [usize]) {
    let end_of = |ops: &[Op], mut at: usize| {
        for _ in 0..MAX_CHAIN {
            match ops.get(at) {
                Some(Op::Jump { to }) => at = to.index(),
                _ => break,
            }
        }
        at
    };
    for index in 0..ops.len() {
        let guard = matches!(ops[index], Op::GuardKeep { .. } | Op::GuardDrop { .. });
        let mut op = ops[index];
        if let Some(to) = op.target_mut().filter(|_| !guard) {
            to.0 = u32::try_from(end_of(ops, to.index())).unwrap_or(to.0);
            ops[index] = op;
        }
    }
    for place in places {
        *place = end_of(ops, *place);
    }
}

/// Whether an op does nothing but lead there. A jump by chance draws a number, so it is not looked at.
fn leads_to(op: Op, next: usize) -> bool {
    match op {
        Op::Jump { to } | Op::JumpIfSet { to, .. } | Op::JumpIfUnset { to, .. } => {
            to.index() == next
        }
        _ => false,
    }
}

/// Removes jumps to the op behind them.
pub(super) fn drop_jumps_to_next(ops: &mut Vec<Op>, places: &mut [usize]) {
    let mut moved = Vec::with_capacity(ops.len() + 1);
    let mut kept = 0;
    for (index, op) in ops.iter().enumerate() {
        moved.push(kept);
        kept += usize::from(!leads_to(*op, index + 1));
    }
    moved.push(kept);
    let mut index = 0;
    ops.retain(|op| {
        index += 1;
        !leads_to(*op, index)
    });
    for op in ops.iter_mut() {
        if let Some(to) = op.target_mut() {
            to.0 = u32::try_from(moved[to.index()]).unwrap_or(u32::MAX);
        }
    }
    for place in places {
        *place = moved[*place];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::Builder;
    use gossipper_bytecode::{NumId, Pc, VarId};

    #[test]
    fn jumps_to_jumps_go_straight_and_those_to_the_next_op_go_away() {
        let mut builder = Builder::default();
        let (far, near, middle) = (builder.label(), builder.label(), builder.label());
        builder.op(Op::JumpIfSet {
            var: VarId(0),
            to: middle.pc(),
        });
        builder.op(Op::Jump { to: near.pc() });
        builder.place(near);
        builder.op(Op::Await {});
        builder.place(middle);
        builder.op(Op::Jump { to: far.pc() });
        builder.op(Op::JumpByChance {
            chance: NumId(0),
            to: near.pc(),
        });
        builder.place(far);
        builder.op(Op::End {});
        let code = builder.finish();
        assert_eq!(
            code.ops,
            [
                Op::JumpIfSet {
                    var: VarId(0),
                    to: Pc(4)
                },
                Op::Await {},
                Op::Jump { to: Pc(4) },
                Op::JumpByChance {
                    chance: NumId(0),
                    to: Pc(1)
                },
                Op::End {},
            ]
        );
        assert_eq!(code.place(near), Pc(1));
        assert_eq!(code.place(middle), Pc(4));
    }

    #[test]
    fn a_loop_of_jumps_stays_one() {
        let mut builder = Builder::default();
        let (one, two) = (builder.label(), builder.label());
        builder.place(one);
        builder.op(Op::Jump { to: two.pc() });
        builder.op(Op::Await {});
        builder.place(two);
        builder.op(Op::Jump { to: one.pc() });
        let code = builder.finish();
        assert_eq!(code.ops.len(), 3);
    }
}
