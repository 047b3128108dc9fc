// SPDX-License-Identifier: AGPL-3.0-only
//! Says that a trace could not be written; the summary counts what is missing.

use crate::stdio;
use gossipper_control::Snapshot;

/// Says it once, at the end of the run.
pub(crate) fn say(snapshot: &Snapshot) {
    if let Some(error) = &snapshot.logs.error {
        stdio::error(&format!(
            "{error}; the run went on, and its records are counted as lost"
        ));
    }
}
