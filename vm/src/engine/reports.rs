// SPDX-License-Identifier: AGPL-3.0-only
//! What is said about messages that belong to no open call.

use crate::dead::Death;
use crate::output::{LogKind, OutBuf, Output, StatEvent};

/// Counts and reports bytes that cannot be used.
pub(super) fn discard(out: &mut OutBuf, what: &[u8], bytes: &[u8]) {
    out.push(Output::Stat(StatEvent::Discarded));
    let start = out.arena().len();
    let arena = out.arena();
    arena.extend_from_slice(what);
    arena.extend_from_slice(b": ");
    arena.extend_from_slice(bytes);
    let text = out.range_from(start);
    out.push(Output::Log {
        kind: LogKind::Warning,
        text,
    });
}

pub(super) fn warn_dead(out: &mut OutBuf, id: &[u8], death: Death, bytes: &[u8]) {
    let reason = match death {
        Death::Completed => "successful".to_owned(),
        Death::Aborted(step) => format!("aborted at index {step}"),
    };
    let mut text = b"Dead call ".to_vec();
    text.extend_from_slice(id);
    text.extend_from_slice(format!(" ({reason}), received '").as_bytes());
    text.extend_from_slice(bytes);
    text.push(b'\'');
    warn(out, &text);
}

pub(super) fn warn(out: &mut OutBuf, text: &[u8]) {
    let text = out.store(text);
    out.push(Output::Log {
        kind: LogKind::Warning,
        text,
    });
}
