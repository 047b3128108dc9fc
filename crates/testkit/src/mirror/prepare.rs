// SPDX-License-Identifier: AGPL-3.0-only
//! Bounds what would make the run of a scenario long or noisy, the same for both tools: long pauses become short ones,
//! loss by chance does not happen, and actions that play media are taken out. Nothing else of the file changes.

use gossipper_compiler::ast::{Action, ActionKind, Exec, PauseLength, Scenario, StepKind};

/// The longest fixed pause of a prepared scenario.
pub const SHORT_MS: u64 = 200;

/// A scenario file fit to be run many times.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The file.
    pub bytes: Vec<u8>,
    /// How many actions that play media were taken out.
    pub media_actions: usize,
}

/// Prepares a file that was read as `scenario`.
#[must_use]
pub fn prepare(bytes: &[u8], scenario: &Scenario) -> Prepared {
    let mut edits: Vec<(usize, usize, Vec<u8>)> = Vec::new();
    let mut media_actions = 0;
    for step in scenario.steps() {
        if let StepKind::Pause(pause) | StepKind::Timewait(pause) = &step.kind
            && let PauseLength::Milliseconds(length) = &pause.length
            && length.value > SHORT_MS as f64
        {
            let (start, end) = (length.span.start as usize, length.span.end as usize);
            // What cannot be found as a plain number in the file stays as it is.
            if bytes
                .get(start..end)
                .is_some_and(|b| b.iter().all(u8::is_ascii_digit))
            {
                edits.push((start, end, SHORT_MS.to_string().into_bytes()));
            }
        }
        if let Some(lost) = &step.common.lost
            && lost.value > 0.0
            && lost.value < 100.0
        {
            edits.push((
                lost.span.start as usize,
                lost.span.end as usize,
                b"0".to_vec(),
            ));
        }
        for action in step.actions.iter().flat_map(|actions| &actions.list) {
            if let Some((start, end)) = media_action(bytes, action) {
                media_actions += 1;
                edits.push((start, end, vec![b' '; end - start]));
            }
        }
    }
    edits.sort_by_key(|(start, ..)| *start);
    let mut out = Vec::with_capacity(bytes.len());
    let mut copied = 0;
    for (start, end, text) in edits {
        if start < copied {
            continue;
        }
        out.extend_from_slice(&bytes[copied..start]);
        out.extend_from_slice(&text);
        copied = end;
    }
    out.extend_from_slice(&bytes[copied..]);
    Prepared {
        bytes: out,
        media_actions,
    }
}

/// Where an action that plays media stands, from its `<` to its end.
fn media_action(bytes: &[u8], action: &Action) -> Option<(usize, usize)> {
    let value_end = match &action.kind {
        ActionKind::Exec(Exec::Media(_, text)) => text.span().end as usize,
        ActionKind::RtpEcho(_) => action.span.end as usize,
        _ => return None,
    };
    let start = (action.span.start as usize).checked_sub(1)?;
    let close = value_end + bytes.get(value_end..)?.iter().position(|b| *b == b'>')?;
    if bytes[close - 1] == b'/' {
        return Some((start, close + 1));
    }
    let end = close + bytes[close..].windows(2).position(|w| w == b"</")?;
    let end = end + bytes[end..].iter().position(|b| *b == b'>')? + 1;
    Some((start, end))
}
