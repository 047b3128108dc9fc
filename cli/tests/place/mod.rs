// SPDX-License-Identifier: AGPL-3.0-only
//! A folder of its own to run the binary in, and what a run came to. For `mod place;` of a test of the command line.

#![allow(dead_code, reason = "every test file uses a part of this")]

use std::ffi::OsStr;
use std::io::BufRead;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_gossipper");

/// Reads what a run with `-prometheus_addr` says on standard error, up to where its metrics are: all of it, and that address.
pub(crate) fn metrics_at(said: &mut impl BufRead) -> (String, String) {
    let mut all = String::new();
    while !all.contains("metrics are at ") {
        let read = said.read_line(&mut all).expect("it says where");
        assert!(read > 0, "{all}");
    }
    let (_, address) = all.rsplit_once("http://").expect("an address");
    let address = address.trim_end().trim_end_matches("/metrics").to_owned();
    (all, address)
}

/// A folder with a cache, in which the binary is run.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::with_prefix("gossipper-cli-").expect("a folder"),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("written");
        path
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    pub(crate) fn command(&self, program: impl AsRef<OsStr>, line: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(line.split_whitespace())
            .current_dir(self.folder.path())
            .env("XDG_CACHE_HOME", self.cache())
            .env("NO_COLOR", "1")
            .env_remove("GOSSIPPER_NO_CACHE")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, line: &str) -> Ran {
        Ran::from(
            self.command(BINARY, line)
                .output()
                .expect("the binary runs"),
        )
    }

    /// Files in the cache.
    pub(crate) fn cached(&self) -> Vec<PathBuf> {
        let Ok(listing) = std::fs::read_dir(self.cache().join("gossipper")) else {
            return Vec::new();
        };
        listing.map(|file| file.expect("listed").path()).collect()
    }
}

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// Code and both streams, for snapshots.
    pub(crate) fn shown(&self) -> String {
        let mut shown = format!("exit code {}\n", self.code);
        for (title, text) in [("stdout", &self.out), ("stderr", &self.err)] {
            if !text.is_empty() {
                shown.push_str(&format!("--- {title}\n{text}"));
            }
        }
        shown
    }
}

pub(crate) fn run(line: &str) -> Ran {
    Place::new().run(line)
}

/// The text of a built-in scenario.
pub(crate) fn builtin(name: &str) -> String {
    run(&format!("-sd {name}")).out
}
