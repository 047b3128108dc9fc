// SPDX-License-Identifier: AGPL-3.0-only
//! Debug files: what became of each pattern (`-rtpcheck_debug`) and of each encrypted stream (`-srtpcheck_debug`).
//!
//! A line for each stream, in the current folder, under SIPp's names. Not for keys, which logs must not hold.
//!
//! COMPAT(sipp): what SIPp writes has no fixed form; its names are kept so that what collects them finds them.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

use gossipper_media::engine::{Keys, StreamReport};

use super::plan::locked;
use crate::error::Error;

/// A file for the audio, and one for the other stream.
type Pair = [Option<Mutex<File>>; 2];

/// The files, as far as somebody wants them.
#[derive(Debug, Default)]
pub(super) struct DebugFiles {
    checks: Pair,
    local: Pair,
    remote: Pair,
    contexts: Option<Mutex<File>>,
}

/// Letters of the two streams in names.
const LETTERS: [&str; 2] = ["a", "v"];

fn create(name: String) -> Result<Option<Mutex<File>>, Error> {
    let path = PathBuf::from(name);
    // A client and its answerer (`-loopback`) write to the same ones: whole lines, one after the other.
    let opened = OpenOptions::new().create(true).append(true).open(&path);
    match opened.and_then(|file| file.set_len(0).map(|()| file)) {
        Ok(file) => Ok(Some(Mutex::new(file))),
        Err(source) => Err(Error::LogFile {
            path,
            table: false,
            source,
        }),
    }
}

fn write(file: Option<&Mutex<File>>, line: &str) {
    if let Some(file) = file {
        // What cannot be written must not change the run that is looked into.
        let _ = locked(file).write_all(line.as_bytes());
    }
}

impl DebugFiles {
    /// Opens what is wanted; `role` is `uac` or `uas`.
    pub(super) fn open(checks: bool, srtp: bool, role: &str) -> Result<Self, Error> {
        let mut files = Self::default();
        for (index, letter) in LETTERS.into_iter().enumerate() {
            if checks {
                files.checks[index] = create(format!("debug{letter}file"))?;
            }
            if srtp {
                files.local[index] = create(format!("debuglsrtp{letter}file_{role}"))?;
                files.remote[index] = create(format!("debugrsrtp{letter}file_{role}"))?;
            }
        }
        if srtp {
            files.contexts = create(format!("srtpctxdebugfile_{role}"))?;
        }
        Ok(files)
    }

    /// A stream was closed.
    pub(super) fn closed(&self, index: usize, port: u16, report: &StreamReport, tolerance: f64) {
        if let Some(pattern) = report.pattern {
            let verdict = if pattern.has_failed(tolerance) {
                "failed"
            } else {
                "passed"
            };
            let line = format!(
                "port {port} ssrc {:#010x}: {} packets, {} without their echo, tolerance {tolerance}: {verdict}\n",
                report.ssrc, pattern.packets, pattern.errors
            );
            write(self.checks[index].as_ref(), &line);
        }
        let line = format!(
            "port {port} ssrc {:#010x}: {} packets sealed or sent in clear, {} not sealed\n",
            report.ssrc, report.sent_packets, report.errors.unsent
        );
        write(self.local[index].as_ref(), &line);
        let (received, errors) = (&report.received, &report.errors);
        let line = format!(
            "port {port} ssrc {}: {} packets taken, {} with a wrong tag, {} replayed, {} too old, {} malformed\n",
            report
                .peer_ssrc
                .map_or_else(|| "none".to_owned(), |ssrc| format!("{ssrc:#010x}")),
            received.packets,
            errors.authentication,
            errors.replayed,
            errors.too_old,
            errors.malformed
        );
        write(self.remote[index].as_ref(), &line);
    }

    /// Both sides have agreed upon keys, or upon none.
    pub(super) fn agreed(&self, call: u64, index: usize, keys: Option<&Keys>) {
        let Some(file) = &self.contexts else {
            return;
        };
        let stream = ["audio", "video"][index.min(1)];
        let line = match keys {
            Some(keys) => format!(
                "call {call} {stream}: sends with {}, receives with {}\n",
                keys.send.suite().name(),
                keys.receive.suite().name()
            ),
            None => format!("call {call} {stream}: in clear\n"),
        };
        write(Some(file), &line);
    }
}
