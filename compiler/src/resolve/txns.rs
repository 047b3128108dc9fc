// SPDX-License-Identifier: AGPL-3.0-only
//! Transactions that a scenario names.

use crate::ast::{Expect, Name, Recv, Send};
use crate::diag::codes::resolve as codes;
use crate::diag::{Diagnostic, Diagnostics, quote};
use crate::source::Span;
use crate::template::Head;
use gossipper_bytecode::TxnId;
use std::collections::HashMap;

/// A transaction.
#[derive(Debug)]
pub(crate) struct Txn {
    /// Its name.
    pub(crate) name: Vec<u8>,
    first: Span,
    started: Option<Span>,
    is_invite: bool,
    /// A request that starts it could not be read: what depends on its method stays quiet.
    poisoned: bool,
    answered: bool,
    acked: Option<Span>,
}

/// All transactions, in order of first mention.
#[derive(Debug, Default)]
pub(crate) struct Txns {
    list: Vec<Txn>,
    by_name: HashMap<Vec<u8>, usize>,
}

impl Txns {
    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Txn> {
        self.list.iter()
    }

    /// The id of a transaction; `None` when there are more than ids.
    pub(crate) fn id(&self, name: &Name) -> Option<TxnId> {
        self.by_name
            .get(&name.bytes)
            .and_then(|index| TxnId::new(*index))
    }

    fn entry(&mut self, name: &Name) -> &mut Txn {
        let next = self.list.len();
        let index = *self.by_name.entry(name.bytes.clone()).or_insert(next);
        if index == next {
            self.list.push(Txn {
                name: name.bytes.clone(),
                first: name.span,
                started: None,
                is_invite: false,
                poisoned: false,
                answered: false,
                acked: None,
            });
        }
        &mut self.list[index]
    }

    /// The transaction attributes of a `send`.
    pub(super) fn send(&mut self, send: &Send, head: Option<&Head>, diagnostics: &mut Diagnostics) {
        let mut misplaced = |name: &Name, message: &str| {
            diagnostics.push(Diagnostic::error(codes::TXN_MISPLACED, name.span, message));
        };
        if let Some(name) = &send.response_txn {
            misplaced(name, "`response_txn` on a `<send>`");
        }
        let known = match head {
            Some(Head::Request(method)) => Some(Some(&method[..])),
            Some(Head::Response(_)) => Some(None),
            Some(Head::Text | Head::Poisoned) | None => None,
        };
        if let Some(name) = &send.start_txn {
            match known {
                Some(None) => misplaced(name, "`start_txn` on a response"),
                Some(Some(b"ACK")) => misplaced(name, "`start_txn` on an ACK"),
                Some(Some(_)) | None => {}
            }
            let txn = self.entry(name);
            txn.started = txn.started.or(Some(name.span));
            match known {
                Some(method) => txn.is_invite |= method == Some(b"INVITE"),
                None => txn.poisoned = true,
            }
        }
        if let Some(name) = &send.ack_txn {
            match known {
                Some(None) => misplaced(name, "`ack_txn` on a response"),
                Some(Some(b"ACK")) | None => {}
                Some(Some(_)) => misplaced(name, "`ack_txn` on a request that is no ACK"),
            }
            let txn = self.entry(name);
            txn.acked = txn.acked.or(Some(name.span));
        }
    }

    /// The transaction attribute of a `recv`.
    pub(super) fn recv(&mut self, recv: &Recv, diagnostics: &mut Diagnostics) {
        let Some(name) = &recv.response_txn else {
            return;
        };
        match recv.expect {
            Expect::Request(_) | Expect::RequestRegex(_) => {
                diagnostics.push(Diagnostic::error(
                    codes::TXN_MISPLACED,
                    name.span,
                    "`response_txn` on a `<recv>` of a request",
                ));
            }
            Expect::Response(_) | Expect::ResponseRegex(_) | Expect::Nothing => {}
        }
        self.entry(name).answered = true;
    }

    /// Reports transactions that lack a part.
    pub(super) fn check(&self, diagnostics: &mut Diagnostics) {
        for txn in &self.list {
            let name = quote(&txn.name);
            let mut incomplete = |span: Span, message: String| {
                diagnostics.push(Diagnostic::error(codes::TXN_INCOMPLETE, span, message));
            };
            let Some(started) = txn.started else {
                incomplete(txn.first, format!("transaction `{name}` is never started"));
                continue;
            };
            if !txn.answered {
                incomplete(
                    started,
                    format!("no `<recv>` expects a response of transaction `{name}`"),
                );
            }
            if txn.poisoned {
                continue;
            }
            match txn.acked {
                None if txn.is_invite => incomplete(
                    started,
                    format!("INVITE transaction `{name}` has no ACK with `ack_txn`"),
                ),
                Some(acked) if !txn.is_invite => diagnostics.push(
                    Diagnostic::error(
                        codes::TXN_INCOMPLETE,
                        acked,
                        format!("transaction `{name}` is not that of an INVITE and takes no ACK"),
                    )
                    .with(started, "started here"),
                ),
                Some(_) | None => {}
            }
        }
    }
}
