// SPDX-License-Identifier: AGPL-3.0-only
//! Keys pressed while a run lasts, read one by one from the terminal.
//!
//! Keys are only read when standard input is a terminal and this program is in its foreground: a program in the
//! background that touches its terminal is stopped by the system. Ctrl-C stays a signal.

use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};
use std::io::{IsTerminal, Read};
use tokio::sync::mpsc;

/// Keys that may wait to be handled; whoever holds one down loses the rest.
const WAITING_MAX: usize = 64;

/// The terminal in the state in which each key arrives at once and is not shown; dropping it restores the terminal.
#[derive(Debug)]
pub(crate) struct Keyboard {
    before: Termios,
    raw: Termios,
    keys: mpsc::Receiver<u8>,
}

impl Keyboard {
    /// Starts reading, if there is a terminal to read from.
    pub(crate) fn open() -> Option<Self> {
        let stdin = std::io::stdin();
        if !stdin.is_terminal() || tcgetpgrp(&stdin).ok()? != rustix::process::getpgrp() {
            return None;
        }
        let before = tcgetattr(&stdin).ok()?;
        let mut raw = before.clone();
        raw.local_modes
            .remove(LocalModes::ICANON | LocalModes::ECHO);
        raw.special_codes[SpecialCodeIndex::VMIN] = 1;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&stdin, OptionalActions::Now, &raw).ok()?;
        let (send, keys) = mpsc::channel(WAITING_MAX);
        // The thread ends with the program, or when the terminal is closed.
        let reader = std::thread::Builder::new().name("keys".to_owned());
        let started = reader.spawn(move || {
            let mut byte = [0];
            while let Ok(1) = std::io::stdin().lock().read(&mut byte) {
                if let Err(mpsc::error::TrySendError::Closed(_)) = send.try_send(byte[0]) {
                    break;
                }
            }
        });
        let keyboard = Self { before, raw, keys };
        started.is_ok().then_some(keyboard)
    }

    /// Gives the terminal back for a while.
    pub(crate) fn leave(&self) {
        // There is nobody to tell when it fails.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }

    /// Takes it again.
    pub(crate) fn come_back(&self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.raw);
    }

    /// The next key; `None` when the terminal was closed.
    pub(crate) async fn next(&mut self) -> Option<u8> {
        self.keys.recv().await
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.leave();
    }
}
