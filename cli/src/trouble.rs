// SPDX-License-Identifier: AGPL-3.0-only
//! Says once that a trace cannot be written, when it shows; the summary counts what is missing.

use crate::stdio;
use gossipper_control::Snapshot;

/// Whether it was said.
#[derive(Debug, Default)]
pub(crate) struct TraceTrouble {
    said: bool,
}

impl TraceTrouble {
    /// Says it, after `before` has made room for a line.
    pub(crate) fn say(&mut self, snapshot: &Snapshot, before: impl FnOnce()) {
        if let Some(error) = snapshot.logs.error.as_ref().filter(|_| !self.said) {
            self.said = true;
            before();
            stdio::error(&format!(
                "{error}; the run goes on, and its records are counted as lost"
            ));
        }
    }
}
