// SPDX-License-Identifier: AGPL-3.0-only
//! What is measured, and on what.

use super::printed;
use anyhow::{Context as _, Result, bail};
use gossipper_testkit::sipp::Tool;
use serde_json::{Value, json};
use std::fmt;
use std::process::Command;

/// A machine and the versions that were measured on it: figures of two that differ do not belong in one result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Machine {
    cpu: String,
    cpus: usize,
    kernel: String,
    rustc: String,
    /// As it introduces itself; empty where there is none.
    sipp: String,
    /// The limit of receive buffers, which bounds the clean rate.
    receive_buffer: u64,
}

impl Machine {
    /// This one.
    pub(super) fn here() -> Result<Self> {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").context("/proc/cpuinfo")?;
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        if cpus <= super::pair::SERVER_CPU {
            bail!("client and server need a CPU each, and there is one");
        }
        let limit = std::fs::read_to_string("/proc/sys/net/core/rmem_max").unwrap_or_default();
        Ok(Self {
            cpu: model(&cpuinfo).to_owned(),
            cpus,
            kernel: first_line("uname", &["-sr"])?,
            rustc: first_line("rustc", &["--version"])?,
            sipp: Tool::sipp().map_or_else(String::new, |sipp| {
                // It ends a sentence of its own.
                sipp.version.trim_end_matches('.').to_owned()
            }),
            receive_buffer: limit.trim().parse().unwrap_or(0),
        })
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "cpu": self.cpu,
            "cpus": self.cpus,
            "kernel": self.kernel,
            "rustc": self.rustc,
            "sipp": self.sipp,
            "net.core.rmem_max": self.receive_buffer,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            cpu,
            cpus,
            kernel,
            rustc,
            ..
        } = self;
        write!(f, "{cpus} × {cpu}; {kernel}; {rustc}")?;
        if !self.sipp.is_empty() {
            write!(f, "; {}", self.sipp)?;
        }
        Ok(())
    }
}

fn model(cpuinfo: &str) -> &str {
    let line = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    line.and_then(|rest| rest.split_once(':'))
        .map_or("unknown CPU", |(_, name)| name.trim())
}

/// The commit that is measured; marked when files differ from it.
pub(super) fn commit() -> String {
    let git = |arguments: &[&str]| {
        printed(
            Command::new("git")
                .current_dir(crate::root())
                .args(arguments),
        )
    };
    let (Ok(id), Ok(changed)) = (
        git(&["rev-parse", "--short=12", "HEAD"]),
        git(&["status", "--porcelain", "--untracked-files=no"]),
    ) else {
        return "unknown".to_owned();
    };
    let mark = if changed.trim().is_empty() {
        ""
    } else {
        ", with changes"
    };
    format!("{}{mark}", id.trim())
}

/// Day and time, in UTC.
pub(super) fn now() -> Result<String> {
    first_line("date", &["-u", "+%Y-%m-%d %H:%M UTC"])
}

fn first_line(program: &str, arguments: &[&str]) -> Result<String> {
    let text = printed(Command::new(program).args(arguments))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_the_first_that_has_a_name() {
        let text = "processor\t: 0\nmodel name\t: A 1\nmodel name\t: A 2\n";
        assert_eq!(model(text), "A 1");
        assert_eq!(model("processor\t: 0\n"), "unknown CPU");
    }

    #[test]
    fn a_machine_names_what_was_measured_on_it() {
        let mut machine = Machine {
            cpu: "A 1".to_owned(),
            cpus: 2,
            kernel: "Linux 6".to_owned(),
            rustc: "rustc 1".to_owned(),
            sipp: String::new(),
            receive_buffer: 7,
        };
        assert_eq!(machine.to_string(), "2 × A 1; Linux 6; rustc 1");
        assert_eq!(machine.to_json()["net.core.rmem_max"], 7);
        machine.sipp = "SIPp v3".to_owned();
        assert_eq!(machine.to_string(), "2 × A 1; Linux 6; rustc 1; SIPp v3");
    }
}
