// SPDX-License-Identifier: AGPL-3.0-only
//! Keys pressed while a run lasts, read one by one from the terminal.
//!
//! Keys are only read when standard input is a terminal and this program is in its foreground: a program in the
//! background that touches its terminal is stopped by the system. Ctrl-C stays a signal.

use gossipper_control::ControlCommand;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};
use std::io::{IsTerminal, Read};
use tokio::sync::mpsc;

/// Keys that may wait to be handled; whoever holds one down loses the rest.
const WAITING_MAX: usize = 64;

/// What a key asks for.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Key {
    /// `q`: end softly, at the second time at once.
    Quit,
    /// `Q`: end at once.
    Stop,
    /// `+ - * /` and `p`: something the run obeys as it is.
    Command(ControlCommand),
}

/// The meaning of a key; `rate_scale` is the step of the rate keys.
pub(crate) fn meaning(byte: u8, rate_scale: f64) -> Option<Key> {
    let rate = |steps: f64| {
        Some(Key::Command(ControlCommand::AddRate {
            calls: steps * rate_scale,
        }))
    };
    match byte {
        b'q' => Some(Key::Quit),
        b'Q' => Some(Key::Stop),
        b'+' => rate(1.0),
        b'-' => rate(-1.0),
        b'*' => rate(10.0),
        b'/' => rate(-10.0),
        b'p' => Some(Key::Command(ControlCommand::TogglePause)),
        _ => None,
    }
}

/// The terminal in the state in which each key arrives at once and is not shown; dropping it restores the terminal.
#[derive(Debug)]
pub(crate) struct Keyboard {
    before: Termios,
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
        let keyboard = Self { before, keys };
        started.is_ok().then_some(keyboard)
    }

    /// The next key; `None` when the terminal was closed.
    pub(crate) async fn next(&mut self) -> Option<u8> {
        self.keys.recv().await
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        // There is nobody to tell when it fails.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_keys_scale_and_the_rest_is_ignored() {
        let added = |byte| match meaning(byte, 2.5) {
            Some(Key::Command(ControlCommand::AddRate { calls })) => calls,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            [b'+', b'-', b'*', b'/'].map(added),
            [2.5, -2.5, 25.0, -25.0]
        );
        assert_eq!(meaning(b'q', 1.0), Some(Key::Quit));
        assert_eq!(meaning(b'Q', 1.0), Some(Key::Stop));
        assert_eq!(
            meaning(b'p', 1.0),
            Some(Key::Command(ControlCommand::TogglePause))
        );
        assert!(
            (0..=255)
                .filter(|byte| meaning(*byte, 1.0).is_some())
                .count()
                == 7
        );
    }
}
