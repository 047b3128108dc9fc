// SPDX-License-Identifier: AGPL-3.0-only
//! `docs/bytecode.md`, from [`Op::REFERENCE`].

use super::{cell, header};
use gossipper_bytecode::Op;
use std::fmt::Write as _;

const INTRODUCTION: &str = "\
# Bytecode

What `gossipper compile` makes of a scenario and what the machine runs: a list of ops of eight bytes each, and tables that
their operands point into. [ADR 0004](adr/0004-fixed-width-ops.md) says why the ops have one width;
`gossipper compile --listing FILE` prints a program.

Ops run in order from the entry of step 0. An op that *suspends* ends the turn of a call when it has to wait; the call goes
on at the same place when a message or a deadline comes. The actions of a `recv` are a block of their own: it runs when the
step accepts a message, and ends with `accept`.

## Operands

| Type | Points to |
| --- | --- |
";

/// What an operand type stands for.
const OPERANDS: &[(&str, &str)] = &[
    ("Pc", "an op"),
    ("StepId", "a step of the scenario: an element with an index"),
    ("SendId", "a `send` step: template, repetition, transaction"),
    (
        "RecvId",
        "a `recv` step: what it accepts, what is kept of the message",
    ),
    ("PauseId", "a `pause` or `timewait`: how long"),
    ("TemplateId", "a text with keywords, split into segments"),
    (
        "VarId",
        "a variable: of the call, of the user or of the run",
    ),
    (
        "DialogId",
        "a dialog of the call; the main one is the first",
    ),
    (
        "MediaId",
        "a media action: what is played, streamed or echoed",
    ),
    (
        "TwinSendId",
        "a `sendCmd` step: the text and whom it is for",
    ),
    ("TwinRecvId", "a `recvCmd` step: whose commands it takes"),
    ("NumId", "a number constant"),
    ("Operand", "a number constant or a variable"),
    ("EregId", "an `ereg` action"),
    ("TestId", "a `test` action"),
    ("StrCmpId", "a `strcmp` action"),
    ("RtdId", "a response-time timer"),
    ("CounterId", "a user counter"),
    ("ArithOp", "`add`, `subtract`, `multiply` or `divide`"),
    ("DistId", "a distribution"),
    ("EditId", "which field of which line changes to what"),
    ("TextOp", "`trim`, `urlencode` or `urldecode`"),
    ("LogLevel", "which log"),
    ("StopKind", "what stops: the call or the run"),
];

pub(super) fn text() -> String {
    let mut text = header("`crates/bytecode/src/op.rs`");
    text.push_str(INTRODUCTION);
    for (name, meaning) in OPERANDS {
        let _ = writeln!(text, "| `{name}` | {meaning} |");
    }
    text.push_str("\n## Ops\n\n| Op | Operands | Suspends | Effect |\n| --- | --- | --- | --- |\n");
    for op in Op::REFERENCE {
        let operands: Vec<String> = op
            .operands
            .iter()
            .map(|(name, kind)| format!("`{name}: {kind}`"))
            .collect();
        let suspends = if op.suspends { "yes" } else { "" };
        let _ = writeln!(
            text,
            "| `{}` | {} | {suspends} | {} |",
            op.mnemonic,
            operands.join(", "),
            cell(op.doc.trim()),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_operand_type_is_explained_and_none_that_does_not_exist() {
        let used: BTreeSet<&str> = Op::REFERENCE
            .iter()
            .flat_map(|op| op.operands.iter().map(|(_, kind)| *kind))
            .collect();
        let explained: BTreeSet<&str> = OPERANDS.iter().map(|(name, _)| *name).collect();
        assert_eq!(used, explained);
    }
}
