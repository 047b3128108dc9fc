// SPDX-License-Identifier: AGPL-3.0-only
//! `-bg`: the run goes on without the terminal it was started from.
//!
//! The program is started a second time, in a session of its own; the first waits until the second has begun to run or
//! has failed to, says which, and ends. So a port in use or a wrong scenario is still reported to whoever waits, and all
//! files carry the process id that is printed.
// COMPAT(sipp): SIPp says that it goes on and then finds out whether it can; its files carry the id of the first process
// (docs/compat.md#background).

use crate::exit::ExitCode;
use crate::flags::low::Dialect;
use crate::stdio;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// Tells the second process that it is one: the id of the first. A program that the scenario starts has another parent.
const MARK: &str = "GOSSIPPER_BACKGROUND_OF";

/// What the second says when it has begun.
const BEGUN: &str = "begun";

/// Whether this process is the one that goes on.
pub(crate) fn is_child() -> bool {
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().to_string());
    std::env::var(MARK)
        .ok()
        .is_some_and(|mark| Some(mark) == parent)
}

/// Starts the one that goes on, and reports how it has begun.
pub(crate) fn start(dialect: Dialect) -> ExitCode {
    match spawn() {
        Ok(Some(pid)) => {
            stdio::out(&format!("Background mode - PID=[{pid}]\n"));
            ExitCode::of_print(dialect)
        }
        // It has said itself what went wrong.
        Ok(None) => ExitCode::Failed,
        Err(Outcome::Ended(code)) => code,
        Err(Outcome::NotStarted(error)) => {
            stdio::error(&format!("cannot go to the background: {error}"));
            ExitCode::Fatal
        }
    }
}

/// Why there is nothing in the background.
enum Outcome {
    /// It has ended before it began to run, and has said why.
    Ended(ExitCode),
    /// It was never started.
    NotStarted(std::io::Error),
}

impl From<std::io::Error> for Outcome {
    fn from(error: std::io::Error) -> Self {
        Self::NotStarted(error)
    }
}

fn spawn() -> Result<Option<u32>, Outcome> {
    let mut argv = std::env::args_os();
    let mut command = Command::new(std::env::current_exe()?);
    // The name decides the dialect.
    if let Some(name) = argv.next() {
        command.arg0(name);
    }
    let mut child = command
        .args(argv)
        .env(MARK, std::process::id().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut said = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut said)?;
    }
    if said.trim_end() == BEGUN {
        return Ok(Some(child.id()));
    }
    // What else it would have printed is part of what went wrong.
    stdio::out(&said);
    let code = child.wait()?.code().and_then(ExitCode::of_number);
    code.map_or(Ok(None), |code| Err(Outcome::Ended(code)))
}

/// Leaves the terminal, and tells the first process that the run has begun.
///
/// # Errors
/// When there is nowhere to write to.
pub(crate) fn begun() -> std::io::Result<()> {
    let nowhere: File = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    // It leads no process group, since it was just started; and if it did, it could stay in its session.
    let _ = rustix::process::setsid();
    stdio::out(&format!("{BEGUN}\n"));
    rustix::stdio::dup2_stdin(&nowhere)?;
    rustix::stdio::dup2_stderr(&nowhere)?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    Ok(())
}
