// SPDX-License-Identifier: AGPL-3.0-only
//! What Linux says about a process: CPU time, memory, whether it has ended.
//!
//! Reads `/proc` and nothing else. CPU time is that of the scheduler, in nanoseconds, added up over the threads; a process
//! that has ended and was not waited for still tells its total, though only in steps of 10 ms.

use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often a process is looked at: seldom, since looking wakes a CPU that is measured.
const LOOK: Duration = Duration::from_millis(20);

/// Ticks per second of the times in `/proc/PID/stat`, fixed by Linux for programs.
const TICKS_PER_SECOND: u64 = 100;

/// A process by its id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process(pub(super) u32);

/// The fields of `/proc/PID/stat` that matter here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Stat {
    ended: bool,
    ticks: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name stands in parentheses and may hold anything, even a parenthesis: what follows the last one counts.
        let (_, rest) = text.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?;
        // State is field 3; user and system time are fields 14 and 15.
        let user: u64 = fields.nth(10)?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        Some(Self {
            ended: state == "Z" || state == "X",
            ticks: user + system,
        })
    }
}

impl Process {
    /// Ties the process and its threads to one CPU.
    pub(super) fn pin(self, cpu: usize) -> Result<()> {
        let output = Command::new("taskset")
            .args(["-a", "-c", "-p", &cpu.to_string(), &self.0.to_string()])
            .output()
            .context("`taskset` cannot be started: install util-linux")?;
        if !output.status.success() {
            bail!("taskset: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    fn stat(self) -> Result<Stat> {
        let text = self.read("stat")?;
        Stat::parse(&text).with_context(|| format!("/proc/{}/stat: {text}", self.0))
    }

    /// CPU time of all threads that it has now, in the kernel too.
    pub(super) fn cpu_time(self) -> Result<Duration> {
        let tasks = format!("/proc/{}/task", self.0);
        let mut nanoseconds = 0;
        for task in fs::read_dir(&tasks).context(tasks)? {
            // A thread may end meanwhile.
            let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
            nanoseconds += scheduled(&text).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Adds the threads that it has now: name and CPU time by id. Of one that has ended meanwhile, what was seen last stays.
    fn see_threads(self, seen: &mut BTreeMap<u32, (String, Duration)>) -> Result<()> {
        let tasks = format!("/proc/{}/task", self.0);
        for task in fs::read_dir(&tasks).context(tasks)? {
            let task = task?;
            let id = task.file_name().to_string_lossy().parse();
            let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
            if let (Ok(id), Some(time)) = (id, scheduled(&read("schedstat"))) {
                let name = read("comm").trim_end().to_owned();
                seen.insert(id, (name, Duration::from_nanos(time)));
            }
        }
        Ok(())
    }

    /// Waits like [`Self::wait`], and sees what each thread takes.
    pub(super) fn wait_with_threads(
        self,
        limit: Duration,
        seen: &mut BTreeMap<u32, (String, Duration)>,
    ) -> Result<Duration> {
        let end = Instant::now() + limit;
        loop {
            let stat = self.stat()?;
            if stat.ended {
                let total = Duration::from_millis(stat.ticks * 1000 / TICKS_PER_SECOND);
                let of_threads = seen.values().map(|(_, time)| *time).sum();
                return Ok(total.max(of_threads));
            }
            self.see_threads(seen)?;
            if Instant::now() >= end {
                bail!("process {} did not end within {limit:?}", self.0);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Resident memory, in bytes.
    pub(super) fn resident(self) -> Result<u64> {
        let text = self.read("status")?;
        resident(&text).with_context(|| format!("/proc/{}/status has no VmRSS", self.0))
    }

    /// Waits until it has ended, and gives the CPU time it took; `None` if it still runs after this time. Its parent has still to
    /// wait for it.
    pub(super) fn wait(self, limit: Duration) -> Result<Option<Duration>> {
        let end = Instant::now() + limit;
        let mut seen = Duration::ZERO;
        loop {
            let stat = self.stat()?;
            if stat.ended {
                let total = Duration::from_millis(stat.ticks * 1000 / TICKS_PER_SECOND);
                return Ok(Some(total.max(seen)));
            }
            seen = seen.max(self.cpu_time()?);
            if Instant::now() >= end {
                return Ok(None);
            }
            std::thread::sleep(LOOK);
        }
    }

    fn read(self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.0);
        fs::read_to_string(&path).context(path)
    }
}

/// A child that ends with its handle.
#[derive(Debug)]
pub(super) struct Bound(pub(super) Child);

impl Drop for Bound {
    fn drop(&mut self) {
        // Both fail for a process that has ended, which is the ordinary case.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a program prints, if it ends well within the limit; its errors go where ours go. What it prints has to fit a pipe.
pub(super) fn printed_within(command: &mut Command, limit: Duration) -> Result<String> {
    let name = command.get_program().display().to_string();
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = Bound(child.with_context(|| format!("{name} cannot be started"))?);
    let end = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.0.try_wait()? {
            break status;
        }
        if Instant::now() >= end {
            bail!("{name} did not end within {limit:?}");
        }
        std::thread::sleep(LOOK);
    };
    if !status.success() {
        bail!("{name}: {status}");
    }
    let mut text = String::new();
    if let Some(mut stream) = child.0.stdout.take() {
        stream.read_to_string(&mut text)?;
    }
    Ok(text)
}

/// The first field of a `schedstat` file: time on a CPU, in nanoseconds.
fn scheduled(schedstat: &str) -> Option<u64> {
    schedstat.split_ascii_whitespace().next()?.parse().ok()
}

fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let text = "7 (a) b (c)) Z 1 7 7 0 -1 4 0 0 0 0 12 30 0 0 20 0 1 0 5 0 0\n";
        assert_eq!(
            Stat::parse(text),
            Some(Stat {
                ended: true,
                ticks: 42
            })
        );
        assert_eq!(Stat::parse("7 (a) S 1 2"), None);
    }

    #[test]
    fn resident_memory_is_given_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t  200 kB\nVmRSS:\t    12 kB\n";
        assert_eq!(resident(status), Some(12 * 1024));
        assert_eq!(resident("Name:\tx\n"), None);
    }

    #[test]
    fn scheduled_time_is_the_first_field() {
        assert_eq!(scheduled("16213449 8716677 7\n"), Some(16_213_449));
        assert_eq!(scheduled(""), None);
    }

    #[test]
    fn a_program_is_heard_or_ended_at_its_limit() {
        let long = Duration::from_secs(60);
        let text = printed_within(Command::new("echo").arg("a b"), long).expect("echo");
        assert_eq!(text, "a b\n");
        assert!(printed_within(&mut Command::new("false"), long).is_err());
        let error = printed_within(Command::new("sleep").arg("600"), Duration::ZERO);
        let error = error.expect_err("it sleeps").to_string();
        assert!(error.contains("did not end within"), "{error}");
    }

    #[test]
    fn waiting_for_a_process_has_a_limit() {
        let mut child = Bound(Command::new("sleep").arg("600").spawn().expect("sleep"));
        let process = Process(child.0.id());
        assert_eq!(process.wait(Duration::ZERO).expect("its state"), None);
        child.0.kill().expect("it runs");
        let ended = process.wait(Duration::from_secs(60)).expect("its state");
        assert!(ended.is_some(), "{ended:?}");
    }

    #[test]
    fn threads_are_seen_by_name() {
        let mut seen = BTreeMap::new();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("shard 7".to_owned());
        let thread = thread.spawn(move || wait.recv()).expect("a thread");
        // A thread names itself once it runs.
        while !seen.values().any(|(name, _)| name == "shard 7") {
            let own = Process(std::process::id());
            own.see_threads(&mut seen).expect("own threads");
        }
        drop(go);
        assert!(thread.join().expect("no panic").is_err());
    }

    #[test]
    fn this_process_runs_and_has_memory() {
        let own = Process(std::process::id());
        assert!(!own.stat().expect("own stat").ended);
        assert!(own.cpu_time().expect("own threads") > Duration::ZERO);
        assert!(own.resident().expect("own status") > 100_000);
    }
}
