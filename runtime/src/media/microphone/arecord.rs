// SPDX-License-Identifier: AGPL-3.0-only
//! ALSA's recorder as a program beside us: its start, its samples, its end.
//!
//! One thread does all of it and never waits longer than [`LOOK`], so that it sees when nobody listens any more. It takes no
//! more than time has passed, and a little: a device that is no clock (`null`, a file) is played as fast as it sounds, and a
//! program that floods waits at its pipe. The recorder is the leader of a group of its own, as a key that interrupts us is
//! not meant for it; the whole group is ended, first gently, and its leader is always reaped.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use gossipper_media::feed::RATE;

use crate::sys::{GroupSignal, readable, signal_group};

/// The program.
const RECORDER: &str = "arecord";

/// The longest wait.
const LOOK: Duration = Duration::from_millis(50);

/// How long it may take to end when it is told to.
const PATIENCE: Duration = Duration::from_secs(1);

/// From one look for its end to the next.
const REAP: Duration = Duration::from_millis(5);

/// Bytes that are read at a time.
const PART: usize = 4096;

/// Bytes of what it says that are kept: its last words.
const LAST_WORDS: usize = 1024;

/// Most letters of its last line that are repeated.
const LINE: usize = 200;

/// Samples that may come at once: what recorders hand over at a time, twice.
const AT_ONCE: u64 = RATE as u64 / 4;

/// The recorder of `PATH`.
///
/// # Errors
/// There is none; says what to do about it.
pub(in super::super) fn find() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let runs = |file: &PathBuf| {
        let found = std::fs::metadata(file);
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(RECORDER));
    files.find(runs).ok_or_else(|| {
        format!(
            "a microphone is recorded by `{RECORDER}`, and there is none on PATH: install the package alsa-utils, or play a \
             file or `synthetic`"
        )
    })
}

/// Records an input until nobody wants it any more, handing over the samples.
///
/// # Errors
/// It cannot be recorded, or no longer; says why.
pub(super) fn run(
    input: Option<&str>,
    wanted: impl Fn() -> bool,
    heard: impl FnMut(&[i16]),
) -> Result<(), String> {
    if !wanted() {
        return Ok(());
    }
    let program = find()?;
    let mut command = Command::new(&program);
    command.args(["-q", "-t", "raw", "-f", "S16_LE", "-r"]);
    command.arg(RATE.to_string()).args(["-c", "1"]);
    if let Some(input) = input {
        command.args(["-D", input]);
    }
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    let mut child =
        child.map_err(|error| format!("cannot start `{}`: {error}", program.display()))?;
    let (Some(sound), Some(words)) = (child.stdout.take(), child.stderr.take()) else {
        // Both were asked for.
        end(&mut child);
        return Err(format!("`{RECORDER}` has no output"));
    };
    let mut words = Words {
        pipe: Some(words),
        last: Vec::new(),
    };
    let unwanted = pump(sound, &mut words, &wanted, heard);
    let status = end(&mut child);
    if unwanted {
        return Ok(());
    }
    words.read_rest();
    Err(failure(input, status, &words.last))
}

/// Hands over samples; true when nobody wants them any more, false when there are no more.
fn pump(
    mut sound: ChildStdout,
    words: &mut Words,
    wanted: &impl Fn() -> bool,
    mut heard: impl FnMut(&[i16]),
) -> bool {
    let started = Instant::now();
    let mut words_at = started;
    let mut taken = 0;
    let mut bytes = [0; PART];
    // An odd byte waits for its other half.
    let mut odd = 0;
    let mut samples = Vec::with_capacity(PART / 2);
    while wanted() {
        // Said now and then, so that a flood of words costs as little as one of sound.
        if words_at.elapsed() >= LOOK {
            words_at = Instant::now();
            words.read();
        }
        if taken > allowed(started.elapsed()) {
            std::thread::sleep(REAP);
            continue;
        }
        if !readable(&sound, LOOK) {
            continue;
        }
        let len = match sound.read(&mut bytes[odd..]) {
            Ok(0) => return false,
            Ok(len) => odd + len,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => return false,
        };
        let whole = len & !1;
        samples.clear();
        let pairs = bytes[..whole].chunks_exact(2);
        samples.extend(pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
        odd = len - whole;
        bytes[0] = bytes[len - 1];
        taken += samples.len() as u64;
        heard(&samples);
    }
    true
}

/// Samples that may have come by now. Clocks of sound cards differ from ours, by far less than one in five hundred.
fn allowed(passed: Duration) -> u64 {
    let rate = u64::from(RATE) + u64::from(RATE) / 500;
    let us = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX);
    us.saturating_mul(rate) / 1_000_000 + AT_ONCE
}

/// What the recorder says.
struct Words {
    pipe: Option<ChildStderr>,
    last: Vec<u8>,
}

impl Words {
    /// Reads a part, if there is one; says whether there was.
    fn read(&mut self) -> bool {
        let Some(pipe) = self.pipe.as_mut() else {
            return false;
        };
        if !readable(pipe, Duration::ZERO) {
            return false;
        }
        let mut part = [0; PART];
        match pipe.read(&mut part) {
            Ok(0) | Err(_) => {
                self.pipe = None;
                false
            }
            Ok(len) => {
                self.last.extend_from_slice(&part[..len]);
                let surplus = self.last.len().saturating_sub(LAST_WORDS);
                self.last.drain(..surplus);
                true
            }
        }
    }

    /// Reads what it left behind, which is no more than fits a pipe.
    fn read_rest(&mut self) {
        for _ in 0..=(64 << 10) / PART {
            if !self.read() {
                break;
            }
        }
    }
}

/// Ends the recorder if it goes on, and reaps it.
fn end(child: &mut Child) -> Option<ExitStatus> {
    // Nobody else has its number before it is reaped.
    signal_group(child.id(), GroupSignal::Terminate);
    let told = Instant::now();
    while told.elapsed() < PATIENCE {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(REAP),
            Ok(status) => return status,
            Err(_) => break,
        }
    }
    signal_group(child.id(), GroupSignal::Kill);
    child.wait().ok()
}

/// Why there is no more sound.
fn failure(input: Option<&str>, status: Option<ExitStatus>, words: &[u8]) -> String {
    let device = input.map_or_else(String::new, |input| format!(" -D {input}"));
    let status = status.map_or_else(|| "gone".to_owned(), |status| status.to_string());
    let words = String::from_utf8_lossy(words);
    let last = words.lines().map(str::trim).rfind(|line| !line.is_empty());
    let said = match last {
        Some(line) => {
            let shown = line.chars().filter(|letter| !letter.is_control());
            format!(": {}", shown.take(LINE).collect::<String>())
        }
        None => String::new(),
    };
    format!(
        "`{RECORDER}{device}` records no more ({status}){said}; `{RECORDER} -L` lists the inputs that there are"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    #[test]
    fn what_may_come_follows_the_time() {
        assert_eq!(allowed(Duration::ZERO), AT_ONCE);
        assert_eq!(allowed(Duration::from_secs(10)), 80_160 + AT_ONCE);
        // Ages.
        assert!(allowed(Duration::MAX) > 1 << 40);
    }

    #[test]
    fn the_last_line_is_what_counts_and_nothing_of_it_moves_a_terminal() {
        let status = Some(ExitStatus::from_raw(1 << 8));
        assert_eq!(
            failure(
                Some("hw:9"),
                status,
                b"ALSA lib: x\n\narecord: \x1b[2Jno such device\n\n"
            ),
            "`arecord -D hw:9` records no more (exit status: 1): arecord: [2Jno such device; `arecord -L` lists the inputs \
             that there are"
        );
        let long = failure(None, None, &[b'x'; 3000]);
        assert!(long.starts_with("`arecord` records no more (gone): xxx"));
        assert!(long.len() < 400, "{long}");
        assert!(failure(None, status, b"").contains("status: 1); `arecord -L`"));
    }
}
