// SPDX-License-Identifier: AGPL-3.0-only
//! What kind of message each `send` sends.

use gossipper_bytecode::{Program, TemplateKind};

/// Kinds of messages, as far as a call that sends them differs by it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// A response.
    Response,
    /// An INVITE.
    Invite,
    /// An ACK: nothing answers it, and it has the CSeq number of its INVITE.
    Ack,
    /// A CANCEL, which has the CSeq number of its INVITE, too.
    Cancel,
    /// Any other request.
    Request,
}

/// The role of what each entry of the send table sends.
pub(super) fn of(program: &Program) -> Vec<Role> {
    let kinds = program.sends.iter();
    let kinds = kinds.map(|send| program.templates[send.template.index()].kind);
    kinds
        .map(|kind| match kind {
            TemplateKind::Response { .. } | TemplateKind::Text => Role::Response,
            TemplateKind::Request { method } => match program.bytes(method) {
                // What has no method is no request to anybody.
                b"" => Role::Response,
                b"INVITE" => Role::Invite,
                b"ACK" => Role::Ack,
                b"CANCEL" => Role::Cancel,
                _ => Role::Request,
            },
        })
        .collect()
}
