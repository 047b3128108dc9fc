// SPDX-License-Identifier: AGPL-3.0-only
//! Writing to standard output and standard error.
//!
//! `print!` panics when the reader of a pipe has gone (`gossipper sipp -h | head`); here a failed write is dropped,
//! since there is nobody left to tell.

use crate::voice;
use gossipper_compiler::diag::render::Style;
use std::io::{IsTerminal, Write};

/// Writes to standard output and flushes.
pub(crate) fn out(text: &str) {
    out_bytes(text.as_bytes());
}

/// Writes bytes to standard output and flushes.
pub(crate) fn out_bytes(bytes: &[u8]) {
    let mut stdout = std::io::stdout().lock();
    drop(stdout.write_all(bytes).and_then(|()| stdout.flush()));
}

/// Writes to standard error.
pub(crate) fn err(text: &str) {
    drop(std::io::stderr().lock().write_all(text.as_bytes()));
}

/// Writes `error: …` to standard error, on a line of its own; in SIPp's place as SIPp does.
pub(crate) fn error(text: &str) {
    if !voice::say(text) {
        err(&format!("error: {text}\n"));
    }
}

/// The same, with SIPp's words for it in front where they are in place.
pub(crate) fn error_as(sipps: &str, text: &str) {
    voice::say(sipps);
    err(&format!("error: {text}\n"));
}

/// Writes `note: …` to standard error, on a line of its own.
pub(crate) fn note(text: &str) {
    err(&format!("note: {text}\n"));
}

/// Whether what is said goes to a terminal.
pub(crate) fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// How findings are rendered for standard error: in colour where that is welcome (<https://no-color.org>).
pub(crate) fn stderr_style() -> Style {
    if std::io::stderr().is_terminal() && colour_wanted() {
        Style::Colour
    } else {
        Style::Plain
    }
}

/// Whether escape sequences may be written to standard output.
pub(crate) fn stdout_takes_colour() -> bool {
    std::io::stdout().is_terminal() && colour_wanted()
}

fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Whether the locale says that the terminal reads UTF-8: the first that is set of `LC_ALL`, `LC_CTYPE` and `LANG`.
pub(crate) fn locale_is_utf8() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    set.is_some_and(|value| {
        let value = value.to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}
