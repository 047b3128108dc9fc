// SPDX-License-Identifier: AGPL-3.0-only
//! External programs: `<exec command="…">` runs a shell command that nobody waits for.
//!
//! A thread of its own starts and reaps them, so that a shard never forks. The queue and the number of programs that
//! run at a time are bounded; commands beyond that are refused and counted.
//!
//! The command's text comes from the scenario, with keywords expanded: as in SIPp, an author who puts received text
//! into it gives the peer a shell.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Commands that may wait to be started.
const MAX_WAITING: usize = 256;

/// Programs that may run at a time.
const MAX_RUNNING: usize = 256;

/// How often ended programs are looked for while some run.
const REAP_PERIOD: Duration = Duration::from_millis(100);

/// Starts shell commands; the thread comes with the first one.
#[derive(Debug, Default)]
pub struct Executor {
    started: Option<(SyncSender<Vec<u8>>, JoinHandle<()>)>,
    closing: Arc<AtomicBool>,
}

impl Executor {
    /// Queues a command; false when it is refused.
    #[must_use]
    pub fn run(&mut self, command: &[u8]) -> bool {
        if self.started.is_none() {
            let (sender, receiver) = sync_channel(MAX_WAITING);
            let closing = Arc::clone(&self.closing);
            let thread = std::thread::Builder::new()
                .name("exec".into())
                .spawn(move || start_and_reap(&receiver, &closing));
            self.started = thread.ok().map(|thread| (sender, thread));
        }
        self.started
            .as_ref()
            .is_some_and(|(queue, _)| queue.try_send(command.to_vec()).is_ok())
    }
}

impl Drop for Executor {
    /// Starts what is queued; programs outlive the run, as in SIPp.
    fn drop(&mut self) {
        if let Some((queue, thread)) = self.started.take() {
            self.closing.store(true, Ordering::Relaxed);
            drop(queue);
            // A panic there is a bug, but nothing of the run depends on it any more.
            let _ = thread.join();
        }
    }
}

fn start_and_reap(queue: &Receiver<Vec<u8>>, closing: &AtomicBool) {
    let mut running: Vec<Child> = Vec::new();
    loop {
        // An error of waiting means that the child is not ours any more.
        running.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        if running.len() >= MAX_RUNNING {
            if closing.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(REAP_PERIOD);
            continue;
        }
        let wait = if running.is_empty() {
            Duration::MAX
        } else {
            REAP_PERIOD
        };
        match queue.recv_timeout(wait) {
            Ok(command) => running.extend(start(&command)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn start(command: &[u8]) -> Option<Child> {
    #[cfg(unix)]
    let text: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(command);
    #[cfg(not(unix))]
    let text = String::from_utf8_lossy(command).into_owned();
    let (shell, flag) = if cfg!(windows) {
        ("cmd", "/C")
    } else {
        ("sh", "-c")
    };
    Command::new(shell)
        .arg(flag)
        .arg(text)
        .stdin(Stdio::null())
        .spawn()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_command_runs_through_the_shell() {
        // A fifo lets the test wait for the program without polling.
        let folder = tempfile::tempdir().expect("a folder");
        let fifo = folder.path().join("fifo");
        let made = Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .expect("mkfifo runs");
        assert!(made.success());
        let mut executor = Executor::default();
        assert!(executor.run(format!("echo $((40 + 2)) > '{}'", fifo.display()).as_bytes()));
        assert_eq!(
            std::fs::read_to_string(&fifo).expect("the program wrote"),
            "42\n"
        );
    }
}
