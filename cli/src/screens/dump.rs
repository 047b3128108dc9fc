// SPDX-License-Identifier: AGPL-3.0-only
//! The screens written to a file: at the end of a run (`-trace_screen`), by the key `s` and by SIGUSR2.

use super::{Frame, Screen, View, text};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file, opened when something is first written.
#[derive(Debug)]
pub(crate) struct Dump {
    path: PathBuf,
    overwrite: bool,
    file: Option<File>,
}

impl Dump {
    /// Where the screens go.
    pub(crate) fn new(path: PathBuf, overwrite: bool) -> Self {
        Self {
            path,
            overwrite,
            file: None,
        }
    }

    /// Whether something was written before.
    pub(crate) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Writes all screens that have something to show.
    ///
    /// # Errors
    /// In words, with the name of the file.
    pub(crate) fn write(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        let text = all(frame);
        let written = self.open().and_then(|file| {
            file.write_all(text.as_bytes())?;
            file.flush()
        });
        written.map_err(|error| format!("cannot write `{}`: {error}", self.path.display()))
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file, if it is not open.
    ///
    /// # Errors
    /// When that cannot be done.
    pub(crate) fn open(&mut self) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => OpenOptions::new()
                .create(true)
                .write(true)
                .append(!self.overwrite)
                .truncate(self.overwrite)
                .open(&self.path)?,
        };
        Ok(self.file.insert(file))
    }
}

fn all(frame: &Frame<'_>) -> String {
    let main = frame.now.main();
    let timers = main.map_or(0, |engine| engine.response_times.len());
    let mut screens = vec![Screen::Scenario, Screen::Statistics];
    screens.extend((1..=timers.clamp(1, 5)).map(Screen::Repartition));
    if main.is_some_and(|engine| !engine.circuits.is_empty()) {
        screens.push(Screen::Circuits);
    }
    let of = |screen| {
        text(&Frame {
            view: View {
                screen,
                scroll: 0,
                ..frame.view
            },
            ..*frame
        })
    };
    screens.into_iter().map(of).collect()
}
