// SPDX-License-Identifier: AGPL-3.0-only
//! Profiles of the program itself: in files at its end, and over HTTP while it runs.
//!
//! What cannot be written or begun is said and never stops a run; at the end it makes the exit code that of a fault.

use crate::exit::ExitCode;
use crate::flags::profiles::ProfileFlags;
use crate::stdio;
use gossipper_runtime::profiling::{CpuProfiler, Profile, heap_profile, sample_heap};
use std::path::Path;
use std::time::Instant;

pub(crate) mod server;

/// The profiles of a run.
pub(crate) struct Profiles<'a> {
    flags: &'a ProfileFlags,
    cpu: Option<CpuProfiler>,
    /// One could not be begun.
    failed: bool,
    /// Since when allocations are sampled.
    began: Instant,
}

impl<'a> Profiles<'a> {
    /// Begins those that are asked for.
    pub(crate) fn start(flags: &'a ProfileFlags) -> Self {
        let began = Instant::now();
        if flags.memory.is_some() || flags.server.is_some() {
            sample_heap();
        }
        let mut failed = false;
        for path in [&flags.cpu, &flags.memory].into_iter().flatten() {
            if let Err(error) = crate::results::try_writing(path) {
                say(path, &error);
            }
        }
        let cpu = flags.cpu.as_ref().and_then(|_| {
            let begun = CpuProfiler::start();
            if let Err(error) = &begun {
                stdio::error(&format!("-cpuprofile: {error}"));
                failed = true;
            }
            begun.ok()
        });
        Self {
            flags,
            cpu,
            failed,
            began,
        }
    }

    /// Ends them and writes what they say; the exit code is that of the run, unless something could not be had.
    pub(crate) fn finish(self, code: ExitCode) -> ExitCode {
        let mut failed = self.failed;
        let cpu = self.cpu.map(CpuProfiler::finish);
        if let (Some(path), Some(profile)) = (&self.flags.cpu, cpu) {
            failed |= !write(path, &profile);
            if profile.lost() > 0 {
                let lost = profile.lost();
                stdio::note(&format!("-cpuprofile: {lost} samples found no room"));
            }
        }
        if let Some(path) = &self.flags.memory {
            failed |= !write(path, &heap_profile(self.began));
        }
        match code {
            ExitCode::Good | ExitCode::Failed | ExitCode::Unhealthy if failed => ExitCode::Fatal,
            code => code,
        }
    }
}

/// Writes a profile in the form that the name of the file asks for; whether that could be done.
fn write(path: &Path, profile: &Profile) -> bool {
    let folded = path.extension().is_some_and(|end| end == "folded");
    let content = match folded {
        true => profile.to_collapsed().into_bytes(),
        false => profile.to_pprof(),
    };
    let written = std::fs::write(path, content);
    if let Err(error) = &written {
        say(path, error);
    }
    written.is_ok()
}

fn say(path: &Path, error: &std::io::Error) {
    let path = path.display();
    stdio::error(&format!("cannot write the profile `{path}`: {error}"));
}
