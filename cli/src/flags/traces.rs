// SPDX-License-Identifier: AGPL-3.0-only
//! The flags of traces and tables, from what was said to the files that are written.
//!
//! Two forms: SIPp's, under the name `sipp` and with `-compat sipp`; gossipper's own otherwise, `gossipper sipp`
//! included (docs/adr/0009-dialects.md). The form decides the names of files, what implies what, and the period.

use gossipper_runtime::config::{LogConfig, LogFileConfig, LogForm, Ring, TableConfig};
use gossipper_runtime::logs::{default_file_name, default_table_name, own_file_name};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `-fd` in SIPp's form.
const SIPP_PERIOD: Duration = Duration::from_secs(60);

/// `-fd` in gossipper's.
const OWN_PERIOD: Duration = Duration::from_secs(1);

/// One kind of log: whether, where, and whether over an earlier one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LowTrace {
    /// `-trace_X`.
    pub(crate) on: bool,
    /// `-X_file`.
    pub(crate) file: Option<PathBuf>,
    /// `-X_overwrite`.
    pub(crate) overwrite: Option<bool>,
}

/// What the command line said.
#[derive(Clone, Debug, Default)]
pub(crate) struct LowTraces {
    /// SIPp's form, or gossipper's; otherwise what the entrance to the program says.
    pub(crate) form: Option<LogForm>,
    /// `-trace_msg`, `-message_*`.
    pub(crate) messages: LowTrace,
    /// `-trace_shortmsg`, `-shortmessage_*`.
    pub(crate) short_messages: LowTrace,
    /// `-trace_err`, `-error_*`.
    pub(crate) errors: LowTrace,
    /// `-trace_logs`, `-log_*`.
    pub(crate) actions: LowTrace,
    /// `-trace_calldebug`, `-calldebug_*`.
    pub(crate) call_debug: LowTrace,
    /// `-trace_stat`.
    pub(crate) statistics: bool,
    /// `-stf`.
    pub(crate) statistics_file: Option<PathBuf>,
    /// `-trace_counts`.
    pub(crate) counts: bool,
    /// `-trace_rtt`.
    pub(crate) rtt: bool,
    /// `-trace_error_codes`.
    pub(crate) error_codes: bool,
    /// `-fd`.
    pub(crate) period: Option<Duration>,
    /// `-rtt_freq`.
    pub(crate) rtt_block: Option<u64>,
    /// `-stat_delimiter`.
    pub(crate) delimiter: Option<String>,
    /// `-rfc3339`.
    pub(crate) rfc3339: bool,
    /// `-periodic_rtd`.
    pub(crate) periodic_rtd: bool,
    /// `-ringbuffer_size`.
    pub(crate) ring_bytes: Option<u64>,
    /// `-ringbuffer_files`.
    pub(crate) ring_files: Option<usize>,
    /// `-max_log_size`.
    pub(crate) max_bytes: Option<u64>,
}

/// What is written, the names that depend on the scenario left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Traces {
    form: LogForm,
    messages: LowTrace,
    short_messages: LowTrace,
    errors: LowTrace,
    actions: LowTrace,
    call_debug: LowTrace,
    statistics: Option<Option<PathBuf>>,
    counts: bool,
    rtt: bool,
    error_codes: bool,
    tables: TableConfig,
    ring: Option<Ring>,
    max_bytes: Option<u64>,
}

impl LowTraces {
    /// Whose form the files have.
    pub(crate) fn form(&self) -> LogForm {
        self.form.unwrap_or(LogForm::Gossipper)
    }

    /// Applies the defaults of the form.
    pub(crate) fn resolve(self, notes: &mut Vec<String>, faults: &mut Vec<String>) -> Traces {
        let form = self.form();
        let own = form == LogForm::Gossipper;
        // COMPAT(sipp): the name of a file alone switches nothing on.
        let implied = |trace: LowTrace| LowTrace {
            on: trace.on || (own && trace.file.is_some()),
            ..trace
        };
        if own {
            let useless = [
                (
                    self.delimiter.is_some(),
                    "-stat_delimiter",
                    "have commas between their columns",
                ),
                (self.rfc3339, "-rfc3339", "have such times anyway"),
                (self.periodic_rtd, "-periodic_rtd", "have no repartitions"),
            ];
            for (_, flag, why) in useless.iter().filter(|(given, ..)| *given) {
                notes.push(format!(
                    "{flag} has no effect: gossipper's tables {why}; -compat sipp writes SIPp's"
                ));
            }
            if self.period == Some(Duration::ZERO) {
                faults.push("-fd must be greater than zero".to_owned());
            }
            if self.rtt_block == Some(0) {
                faults.push("-rtt_freq must be greater than zero".to_owned());
            }
        }
        let positive = |bytes: &u64| *bytes > 0;
        let (ring_bytes, max_bytes) = (
            self.ring_bytes.filter(positive),
            self.max_bytes.filter(positive),
        );
        if ring_bytes.is_some() && max_bytes.is_some() {
            faults.push("-max_log_size and -ringbuffer_size exclude each other".to_owned());
        }
        if self.ring_files.is_some() && ring_bytes.is_none() {
            notes.push("-ringbuffer_files has no effect without -ringbuffer_size".to_owned());
        }
        let statistics = self.statistics || (own && self.period.is_some());
        Traces {
            form,
            messages: implied(self.messages),
            short_messages: implied(self.short_messages),
            errors: implied(self.errors),
            actions: implied(self.actions),
            call_debug: implied(self.call_debug),
            statistics: statistics.then_some(self.statistics_file),
            counts: self.counts,
            rtt: self.rtt || (own && self.rtt_block.is_some()),
            error_codes: self.error_codes,
            tables: TableConfig {
                period: self
                    .period
                    .unwrap_or(if own { OWN_PERIOD } else { SIPP_PERIOD }),
                delimiter: self.delimiter.unwrap_or_else(|| ";".to_owned()),
                rfc3339: self.rfc3339,
                periodic_rtd: self.periodic_rtd,
                rtt_block: self.rtt_block.unwrap_or(200),
            },
            ring: ring_bytes.map(|bytes| Ring {
                bytes,
                files: self.ring_files.unwrap_or(0),
            }),
            max_bytes,
        }
    }
}

impl Traces {
    /// Whose files are written.
    pub(crate) const fn form(&self) -> LogForm {
        self.form
    }

    /// The table of the screen in gossipper's own form.
    pub(crate) fn screen_table(&self, pid: u32) -> Option<PathBuf> {
        let named = self.messages.file.as_deref();
        let own = self.form == LogForm::Gossipper;
        own.then(|| own_file_name(named, pid, "screen"))
    }

    /// The files, now that the name of the scenario is known.
    pub(crate) fn config(&self, scenario: &str, pid: u32) -> LogConfig {
        let own = self.form == LogForm::Gossipper;
        let named = self.messages.file.as_deref();
        let log = |trace: &LowTrace, kind: &str| {
            let name: PathBuf = if own {
                own_file_name(named, pid, kind)
            } else {
                default_file_name(scenario, pid, kind).into()
            };
            LogFileConfig {
                path: trace.file.clone().unwrap_or_else(|| name.clone()),
                overwrite: trace.overwrite.unwrap_or(true),
                part_stem: name.with_extension(""),
            }
        };
        let [messages, short_messages, errors, actions] = [
            log(&self.messages, "messages"),
            log(&self.short_messages, "shortmessages"),
            log(&self.errors, "errors"),
            log(&self.actions, "logs"),
        ];
        let call_debug = log(&self.call_debug, "calldebug");
        let given = |trace: &LowTrace, file: &LogFileConfig| trace.on.then(|| file.clone());
        let table = |on: bool, given: Option<&Path>, kind: &str, own_kind: &str| {
            let name = || -> PathBuf {
                if own {
                    own_file_name(named, pid, own_kind)
                } else {
                    default_table_name(scenario, pid, kind).into()
                }
            };
            on.then(|| LogFileConfig::new(given.map_or_else(name, Path::to_owned)))
        };
        let stf = self.statistics.as_ref().and_then(Option::as_deref);
        LogConfig {
            form: self.form,
            messages: given(&self.messages, &messages),
            short_messages: given(&self.short_messages, &short_messages),
            errors: given(&self.errors, &errors),
            actions: given(&self.actions, &actions),
            call_debug: given(&self.call_debug, &call_debug),
            switchable: Some(Box::new([messages, short_messages, errors, actions])),
            statistics: table(self.statistics.is_some(), stf, "", "stats"),
            step_counts: table(self.counts, None, "counts", "counts"),
            response_times: table(self.rtt, None, "rtt", "rtt"),
            error_codes: table(self.error_codes, None, "error_codes", "error_codes"),
            call_records: None,
            // Its table of the screen and its last line show it.
            invites: own,
            tables: self.tables.clone(),
            ring: self.ring,
            max_bytes: self.max_bytes,
            hep: None,
            events: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::argv;
    use crate::flags::low::Dialect;
    use std::ffi::OsString;

    fn resolve(line: &str) -> (LogConfig, Vec<String>, Vec<String>) {
        let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let parsed = argv::parse(Dialect::Sipp, &args);
        assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
        let (mut notes, mut faults) = (Vec::new(), Vec::new());
        let traces = parsed.low.traces.resolve(&mut notes, &mut faults);
        (traces.config("uac", 7), notes, faults)
    }

    fn config(line: &str) -> LogConfig {
        let (config, notes, faults) = resolve(line);
        assert!(
            faults.is_empty() && notes.is_empty(),
            "{faults:?} {notes:?}"
        );
        config
    }

    fn path(file: &Option<LogFileConfig>) -> &str {
        let path = file.as_ref().map(|file| file.path.to_str());
        path.flatten().unwrap_or("-")
    }

    fn names(config: &LogConfig) -> [&str; 9] {
        [
            path(&config.messages),
            path(&config.short_messages),
            path(&config.errors),
            path(&config.actions),
            path(&config.call_debug),
            path(&config.statistics),
            path(&config.step_counts),
            path(&config.response_times),
            path(&config.error_codes),
        ]
    }

    const ALL: &str = "-trace_msg -trace_shortmsg -trace_err -trace_logs -trace_calldebug -trace_stat \
                       -trace_counts -trace_rtt -trace_error_codes";

    #[test]
    fn files_are_named_by_their_form() {
        let sipps = config(&format!("-compat sipp {ALL}"));
        assert_eq!(
            names(&sipps),
            [
                "uac_7_messages.log",
                "uac_7_shortmessages.log",
                "uac_7_errors.log",
                "uac_7_logs.log",
                "uac_7_calldebug.log",
                "uac_7_.csv",
                "uac_7_counts.csv",
                "uac_7_rtt.csv",
                "uac_7_error_codes.csv",
            ]
        );
        let own = config(&format!("{ALL} -message_file a/m.txt -stf s.csv"));
        assert_eq!(
            names(&own),
            [
                "a/m.txt",
                "a/m_shortmessages.log",
                "a/m_errors.log",
                "a/m_logs.log",
                "a/m_calldebug.log",
                "s.csv",
                "a/m_counts.log",
                "a/m_rtt.log",
                "a/m_error_codes.log",
            ]
        );
        assert_eq!(
            path(&config("-trace_stat").statistics),
            "gossipper_7_stats.log"
        );
    }

    #[test]
    fn a_name_or_a_period_implies_the_trace_only_in_our_own_form() {
        let flags = "-error_file e.log -fd 2 -rtt_freq 5";
        let own = config(flags);
        assert_eq!(path(&own.errors), "e.log");
        assert!(own.statistics.is_some() && own.response_times.is_some());
        assert_eq!(own.tables.period, Duration::from_secs(2));
        let sipps = config(&format!("-compat sipp {flags}"));
        assert_eq!(names(&sipps), ["-"; 9]);
        assert_eq!(config("-trace_stat").tables.period, Duration::from_secs(1));
        let sipps = config("-compat sipp -trace_stat");
        assert_eq!(sipps.tables.period, Duration::from_secs(60));
    }

    #[test]
    fn a_renamed_log_is_put_aside_under_the_usual_name() {
        let config = config(
            "-compat sipp -trace_msg -message_file m.log -message_overwrite false \
             -ringbuffer_size 4096 -ringbuffer_files 3",
        );
        let file = config.messages.expect("a file");
        assert_eq!((file.path, file.overwrite), ("m.log".into(), false));
        assert_eq!(file.part_stem, Path::new("uac_7_messages"));
        let ring = Ring {
            bytes: 4096,
            files: 3,
        };
        assert_eq!(config.ring, Some(ring));
    }

    #[test]
    fn what_makes_no_sense_is_refused_or_said() {
        let (_, _, faults) = resolve("-max_log_size 5 -ringbuffer_size 5");
        assert_eq!(faults.len(), 1);
        let (_, _, faults) = resolve("-fd 0 -rtt_freq 0");
        assert_eq!(faults.len(), 2);
        let (_, notes, _) = resolve("-rfc3339 -periodic_rtd -stat_delimiter , -ringbuffer_files 2");
        assert_eq!(notes.len(), 4, "{notes:?}");
        config("-compat sipp -rfc3339 -periodic_rtd -stat_delimiter , -fd 0");
    }
}
