// SPDX-License-Identifier: AGPL-3.0-only
//! Where there is no ALSA, no microphone is recorded.

use std::path::PathBuf;

const WHY: &str =
    "microphones are recorded by `arecord` on Linux, and nowhere else: play a file or `synthetic`";

/// Says that there is no recorder.
///
/// # Errors
/// Always.
pub(in super::super) fn find() -> Result<PathBuf, String> {
    Err(WHY.to_owned())
}

/// Records nothing.
///
/// # Errors
/// Always.
pub(super) fn run(
    _input: Option<&str>,
    _wanted: impl Fn() -> bool,
    _heard: impl FnMut(&[i16]),
) -> Result<(), String> {
    Err(WHY.to_owned())
}
