// SPDX-License-Identifier: AGPL-3.0-only
//! Answers to challenges: those of the capture are worthless in a run, which has its own.

use crate::message::{Msg, contains_ignoring_case};
use crate::side::Side;
use gossipper_sip::HeaderName;

/// What becomes of Authorization and Proxy-Authorization.
pub(crate) enum Credentials {
    /// They are computed from a challenge of this run.
    Computed(String),
    /// They are left out: nothing may challenge this request.
    Left,
    /// No challenge was captured; they stay.
    Captured,
}

/// What becomes of the credentials of a request; the challenges they answer are stored.
pub(crate) fn credentials(side: &mut Side<'_>, at: usize) -> Credentials {
    let msg = &side.call.events[at].msg;
    let both = msg.has(HeaderName::Authorization) && msg.has(HeaderName::ProxyAuthorization);
    if !both && !msg.has(HeaderName::Authorization) && !msg.has(HeaderName::ProxyAuthorization) {
        return Credentials::Left;
    }
    if msg.method == "ACK" || msg.method == "CANCEL" {
        return Credentials::Left;
    }
    let challenges: Vec<usize> = side
        .received_before(at)
        .filter(|(_, event)| is_answerable(&event.msg))
        .map(|(at, _)| at)
        .collect();
    let Some(latest) = challenges.first() else {
        return Credentials::Captured;
    };
    if both {
        // A proxy's challenge and the server's behind it are both answered.
        for challenge in &challenges {
            side.store_challenge(*challenge);
        }
        return Credentials::Computed("[authentication all=true]".to_owned());
    }
    side.store_challenge(*latest);
    Credentials::Computed("[authentication]".to_owned())
}

/// Whether a message asks for a digest that can be given with a user name and a password.
fn is_answerable(msg: &Msg) -> bool {
    if !matches!(msg.code(), Some(401 | 407)) {
        return false;
    }
    let challenge = msg
        .header(HeaderName::WwwAuthenticate)
        .or_else(|| msg.header(HeaderName::ProxyAuthenticate))
        .unwrap_or_default();
    let is_digest = challenge
        .get(..6)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"digest"));
    is_digest
        && contains_ignoring_case(challenge, b"nonce")
        && contains_ignoring_case(challenge, b"realm")
        && !contains_ignoring_case(challenge, b"akav")
}
