// SPDX-License-Identifier: AGPL-3.0-only
//! What a run leaves for pipelines: reports are written, thresholds watched, and the exit code follows the gates.
//!
//! The reports themselves are made in `gossipper-results`. A file that cannot be written never stops a run; it is said at
//! the beginning, when there is time to do something about it, and makes the exit code that of a fault.

use crate::exit::ExitCode;
use crate::flags::results::Results;
use crate::stdio;
use crate::version::VERSION;
use gossipper_bytecode::Program;
use gossipper_control::{Measures, Snapshot};
use gossipper_results::{Facts, Summary, junit, page};
use gossipper_runtime::media::sender::SenderView;
use gossipper_runtime::{Ending, RunReport, Viewer};
use jiff::Timestamp;
use metrics::Metrics;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior, interval};

mod metrics;
mod verdict;

/// Where figures come from while something goes on.
pub(crate) trait Figures: Clone + Send + Sync + 'static {
    /// What was counted so far.
    fn snapshot(&self) -> Snapshot;
    /// What was measured of calls, if there are any.
    fn measures(&self) -> Option<Measures>;
}

impl Figures for Viewer {
    fn snapshot(&self) -> Snapshot {
        self.snapshot()
    }

    fn measures(&self) -> Option<Measures> {
        self.measures()
    }
}

impl Figures for SenderView {
    fn snapshot(&self) -> Snapshot {
        self.snapshot()
    }

    fn measures(&self) -> Option<Measures> {
        None
    }
}

/// How often thresholds are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Checks that thresholds speak of what the scenario has.
///
/// # Errors
/// Says what it does not have.
pub(crate) fn check(results: &Results, program: &Program) -> Result<(), String> {
    let timers: Vec<_> = program
        .rtds
        .iter()
        .map(|rtd| program.display(rtd.name))
        .collect();
    let counters: Vec<_> = program
        .counters
        .iter()
        .map(|name| program.display(*name))
        .collect();
    for threshold in &results.gates.thresholds {
        threshold.check(
            timers.iter().map(String::as_str),
            counters.iter().map(String::as_str),
            program.steps.len(),
        )?;
    }
    Ok(())
}

/// What is made of a run for pipelines, while it lasts and when it is over.
pub(crate) struct Reports<'a> {
    results: &'a Results,
    transport: &'static str,
    looks: Option<Interval>,
    /// Where metrics will be served.
    metrics: Option<Metrics>,
    /// The threshold that ended the run.
    lost: Option<String>,
}

impl<'a> Reports<'a> {
    /// To be called within a reactor.
    pub(crate) fn new(results: &'a Results, transport: &'static str) -> Self {
        for (what, path) in [
            ("summary", &results.summary_json),
            ("JUnit report", &results.summary_junit),
            ("report", &results.summary_html),
        ] {
            let Some(path) = path else { continue };
            // It is written when the run is over; whether it can be is found out now.
            if let Err(error) = try_writing(path) {
                say_unwritable(what, path, &error);
            }
        }
        let looks = results.threshold_abort && !results.gates.thresholds.is_empty();
        let looks = looks.then(|| {
            let mut looks = interval(LOOK);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            looks
        });
        Self {
            results,
            transport,
            looks,
            metrics: None,
            lost: None,
        }
    }

    /// Waits until thresholds are to be looked at; never comes when nobody wants that, or one is lost.
    pub(crate) async fn due(&mut self) {
        match &mut self.looks {
            Some(looks) if self.lost.is_none() => {
                looks.tick().await;
            }
            _ => std::future::pending().await,
        }
    }

    /// Looks at the thresholds; true if the run is to end because one is lost.
    pub(crate) fn look(&mut self, viewer: &impl Figures) -> bool {
        let measures = viewer.measures();
        let summary = self.summary(&viewer.snapshot(), measures.as_ref(), "running");
        let lost = self.results.gates.lost(&summary);
        self.lost = lost.map(|threshold| threshold.expression().to_owned());
        self.lost.is_some()
    }

    fn summary(&self, snapshot: &Snapshot, measures: Option<&Measures>, ending: &str) -> Summary {
        let facts = Facts {
            started_at: time(snapshot.started_at_us),
            finished_at: time(snapshot.started_at_us.saturating_add(snapshot.elapsed_us)),
            ending: ending.to_owned(),
            ..self.facts()
        };
        Summary::of(&facts, snapshot, measures)
    }

    fn facts(&self) -> Facts {
        Facts {
            tool_version: format!("Gossipper {VERSION}"),
            transport: self.transport.to_owned(),
            ..Facts::default()
        }
    }

    /// Binds what metrics are served from, if there is to be anything.
    ///
    /// # Errors
    /// The exit code; what is wrong was said.
    pub(crate) async fn bind(&mut self) -> Result<(), ExitCode> {
        if let Some(address) = self.results.metrics {
            self.metrics = Some(Metrics::open(address).await?);
        }
        Ok(())
    }

    /// Begins to serve metrics of the run.
    pub(crate) fn serve(&mut self, viewer: &impl Figures) {
        if let Some(metrics) = self.metrics.take() {
            tokio::spawn(metrics.serve(viewer.clone(), self.facts()));
        }
    }

    /// Judges the run and writes what is to be written. Gives the exit code that the gates make of the one that the calls
    /// have, and lines for the terminal; `colour` says whether escape sequences are welcome.
    pub(crate) fn finish(
        &self,
        report: &RunReport,
        code: ExitCode,
        colour: bool,
    ) -> (ExitCode, String) {
        let gates = &self.results.gates;
        let wanted = gates.active()
            || self.results.summary_json.is_some()
            || self.results.summary_junit.is_some()
            || self.results.summary_html.is_some();
        if !wanted {
            return (code, String::new());
        }
        let measures = report.measures.as_deref();
        let mut summary = self.summary(&report.snapshot, measures, ending(&report.ending));
        gates.judge(&mut summary, self.lost.as_deref());
        let mut code = match code {
            ExitCode::Good | ExitCode::Failed if gates.active() => {
                if summary.health.pass {
                    ExitCode::Good
                } else {
                    ExitCode::Unhealthy
                }
            }
            code => code,
        };
        let mut written: Vec<&Path> = Vec::new();
        let mut write = |what: &str, path: &'a Path, text: &str| match std::fs::write(path, text) {
            Ok(()) => written.push(path),
            Err(error) => {
                say_unwritable(what, path, &error);
                code = ExitCode::Fatal;
            }
        };
        if let Some(path) = &self.results.summary_json {
            write("summary", path, &summary.to_json());
        }
        if let Some(path) = &self.results.summary_junit {
            write("JUnit report", path, &junit::report(&summary, gates));
        }
        if let Some(path) = &self.results.summary_html {
            write("report", path, &page::html(&summary, None));
        }
        (code, verdict::lines(&summary, &written, colour))
    }
}

/// Whether a file can be written, of which nothing is changed. Of a pipe or a device nobody knows before.
pub(crate) fn try_writing(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    match std::fs::metadata(path) {
        Ok(known) if known.is_file() => options.append(true).open(path).map(drop),
        Ok(known) if known.is_dir() => Err(ErrorKind::IsADirectory.into()),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            options.write(true).create_new(true).open(path)?;
            std::fs::remove_file(path)
        }
        Err(error) => Err(error),
    }
}

fn say_unwritable(what: &str, path: &Path, error: &std::io::Error) {
    stdio::error(&format!(
        "cannot write the {what} `{}`: {error}",
        path.display()
    ));
}

/// Microseconds since the epoch as RFC 3339.
fn time(us: u64) -> String {
    let us = i64::try_from(us).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(us)
        .unwrap_or(Timestamp::MAX)
        .to_string()
}

/// The name of an ending in reports.
fn ending(ending: &Ending) -> &'static str {
    match ending {
        Ending::Completed => "completed",
        Ending::Drained => "drained",
        Ending::Stopped => "stopped",
        Ending::TimedOut => "timed_out",
        Ending::TimeoutError(_) => "timeout_error",
        Ending::TimedOutGlobally => "timed_out_globally",
        Ending::TwinEnded => "twin_ended",
        Ending::StopNow => "stop_now",
        Ending::Fatal(_) => "fatal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trying_to_write_leaves_everything_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let (new, old) = (folder.path().join("new"), folder.path().join("old"));
        std::fs::write(&old, "kept").expect("written");
        assert!(try_writing(&new).is_ok() && !new.exists());
        assert!(try_writing(&old).is_ok());
        assert_eq!(std::fs::read_to_string(&old).ok().as_deref(), Some("kept"));
        assert!(try_writing(folder.path()).is_err());
        assert!(try_writing(&folder.path().join("no/file")).is_err());
    }
}
