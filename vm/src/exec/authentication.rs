// SPDX-License-Identifier: AGPL-3.0-only
//! `verifyauth`: whether the message at hand carries the digest of a user and a password.
//!
//! As in SIPp only `Authorization` is looked at, never `Proxy-Authorization`.

use super::{Current, Cx, Next, action};
use crate::call::Call;
use gossipper_bytecode::{TemplateId, VarId};
use gossipper_sip::digest::{self, Verdict};
use gossipper_sip::{HeaderName, Message};

/// Sets a variable to whether the digest verifies.
pub(super) fn verify(
    cx: &mut Cx<'_>,
    call: &mut Call,
    var: VarId,
    username: TemplateId,
    password: TemplateId,
    current: Current<'_>,
) -> Next {
    let rendered = cx
        .render_action(call, username)
        .and_then(|username| Ok((username, cx.render_action(call, password)?)));
    let (username, password) = match rendered {
        Ok(rendered) => rendered,
        Err(reason) => return Next::Drop(reason),
    };
    let parsed;
    let message = match current {
        Current::None | Current::Command(_) => None,
        Current::Received(message) => Some(message),
        Current::Sent(range) => {
            parsed = Message::parse(cx.out.bytes(range));
            parsed.as_ref().ok()
        }
    };
    let header =
        message.and_then(|message| Some((message, message.header(HeaderName::Authorization)?)));
    let verdict = header.map(|(message, header)| {
        digest::verify(
            header,
            message.method().unwrap_or_default(),
            message.body().unwrap_or_default(),
            cx.out.bytes(username),
            cx.out.bytes(password),
        )
    });
    let complaint = match verdict {
        Some(Verdict::Right | Verdict::Wrong) => None,
        Some(Verdict::NotDigest) => Some("authentication must be digest is something else"),
        Some(Verdict::Unsupported) => {
            Some("the algorithm of the Authorization header is not supported")
        }
        None => Some("authentication must be digest is absent"),
    };
    if let Some(complaint) = complaint {
        let text = format!(
            "verifyAuthHeader: {complaint}, Call-Id: {}, step {}",
            String::from_utf8_lossy(&call.call_id),
            call.step
        );
        cx.warn(text.as_bytes());
    }
    action::set_bool(cx, call, var, verdict == Some(Verdict::Right));
    Next::Fall
}
