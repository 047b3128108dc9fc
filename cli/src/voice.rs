// SPDX-License-Identifier: AGPL-3.0-only
//! How faults are said in the place of SIPp: with the time in front, on standard error and, before the run has begun,
//! in the file of `-trace_err`, where scripts look for them.
//!
//! Once a run has begun its log writer has the file. Under any other name nothing of this is in force.
// COMPAT(sipp): SIPp says each fatal error twice; here it is said once, with what we know beside it.

use crate::flags::low::LowArgs;
use gossipper_control::Snapshot;
use gossipper_runtime::logs::default_file_name;
use jiff::{Timestamp, tz::TimeZone};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// The first line of the file.
const HEAD: &str = "The following events occurred:\n";

static VOICE: OnceLock<Voice> = OnceLock::new();

#[derive(Debug)]
struct Voice {
    rfc3339: bool,
    /// Where `-trace_err` writes.
    trace: Option<PathBuf>,
    /// The same until the run begins.
    file: Mutex<Option<ErrorFile>>,
}

#[derive(Debug)]
struct ErrorFile {
    path: PathBuf,
    /// What is in it stays.
    append: bool,
}

/// Faults are said as SIPp says them from now on.
pub(crate) fn begin(low: &LowArgs) {
    let trace = &low.traces.errors;
    let path = trace.on.then(|| {
        let usual = || default_file_name(&scenario(low), std::process::id(), "errors").into();
        trace.file.clone().unwrap_or_else(usual)
    });
    // Only the first command line of a process counts; there is no other.
    let _ = VOICE.set(Voice {
        rfc3339: low.traces.rfc3339,
        file: Mutex::new(path.clone().map(|path| ErrorFile {
            path,
            append: trace.overwrite == Some(false),
        })),
        trace: path,
    });
}

/// The run has begun: its log has the file.
pub(crate) fn run_begun() {
    if let Some(voice) = VOICE.get() {
        let mut file = voice.file.lock().unwrap_or_else(PoisonError::into_inner);
        *file = None;
    }
}

/// Says it, unless this is not in SIPp's place.
pub(crate) fn say(text: &str) -> bool {
    let Some(voice) = VOICE.get() else {
        return false;
    };
    let line = format!("{}: {}\n", voice.time(Timestamp::now()), text.trim_end());
    let mut file = voice.file.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(file) = &mut *file {
        file.add(&line);
    }
    crate::stdio::err(&line);
    true
}

/// Says the last warning of a run that has ended, and where the others are, as SIPp does when it leaves its screen.
pub(crate) fn last_warning(snapshot: &Snapshot) {
    let (Some(voice), Some(engine)) = (VOICE.get(), snapshot.main()) else {
        return;
    };
    let Some(warning) = &engine.last_warning else {
        return;
    };
    let at = i64::try_from(engine.last_warning_at_us).unwrap_or(i64::MAX);
    let at = Timestamp::from_microsecond(at).unwrap_or_else(|_| Timestamp::now());
    let mut text = format!("{}: {}\n", voice.time(at), warning.trim_end());
    if engine.messages.warnings > 1 {
        text.push_str(&match &voice.trace {
            Some(path) => format!("There were more errors, see '{}' file\n", path.display()),
            None => "There were more errors, enable -trace_err to log them.\n".to_owned(),
        });
    }
    crate::stdio::err(&text);
}

/// The scenario as names of files have it.
fn scenario(low: &LowArgs) -> String {
    let name = match (&low.scenario_file, &low.scenario_name) {
        (Some(path), _) => path.file_name().unwrap_or_default().to_string_lossy(),
        (None, Some(name)) => name.as_str().into(),
        (None, None) => gossipper_stdlib_scenarios::DEFAULT.into(),
    };
    let bare = (name.strip_suffix(".xml")).or_else(|| name.strip_suffix(".gsc"));
    bare.unwrap_or(&name).to_owned()
}

impl Voice {
    fn time(&self, at: Timestamp) -> String {
        let zoned = at.to_zoned(TimeZone::system());
        if self.rfc3339 {
            let offset = zoned.offset().seconds();
            let form = if offset == 0 {
                "%Y-%m-%dT%H:%M:%S%.6fZ"
            } else {
                "%Y-%m-%dT%H:%M:%S%.6f%:z"
            };
            return zoned.strftime(form).to_string();
        }
        let micros = at.as_microsecond();
        let (second, micro) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        format!(
            "{}\t{second}.{micro:06}",
            zoned.strftime("%Y-%m-%d\t%H:%M:%S%.6f")
        )
    }
}

impl ErrorFile {
    fn add(&mut self, line: &str) {
        let new = !self.append || !Path::exists(&self.path);
        let mut options = OpenOptions::new();
        options.write(true).create(true);
        let opened = if self.append {
            options.append(true).open(&self.path)
        } else {
            options.truncate(true).open(&self.path)
        };
        // What follows comes behind it. That it cannot be written is no news beside what was to be written.
        self.append = true;
        if let Ok(mut file) = opened {
            let head = if new { HEAD } else { "" };
            let _ = file.write_all(format!("{head}{line}").as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_begins_with_its_head_and_is_replaced_unless_it_is_to_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("e.log");
        std::fs::write(&path, "of an earlier run\n").expect("write");
        let file = |append| ErrorFile {
            path: path.clone(),
            append,
        };
        file(true).add("one\n");
        let read = || std::fs::read_to_string(&path).expect("read");
        assert_eq!(read(), "of an earlier run\none\n");
        let mut replacing = file(false);
        replacing.add("two\n");
        replacing.add("three\n");
        assert_eq!(read(), format!("{HEAD}two\nthree\n"));
    }

    #[test]
    fn times_have_both_of_sipps_forms() {
        let voice = |rfc3339| Voice {
            rfc3339,
            trace: None,
            file: Mutex::default(),
        };
        let at = Timestamp::from_microsecond(1_700_000_000_000_042).expect("a time");
        let tabbed = voice(false).time(at);
        assert!(tabbed.ends_with(".000042\t1700000000.000042"), "{tabbed}");
        assert_eq!(tabbed.matches('\t').count(), 2);
        assert!(
            voice(true).time(at).contains("T"),
            "{}",
            voice(true).time(at)
        );
    }
}
