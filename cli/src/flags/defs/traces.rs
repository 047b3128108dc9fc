// SPDX-License-Identifier: AGPL-3.0-only
//! Logs and tables.

use crate::flags::low::LowArgs;
use crate::flags::traces::LowTrace;
use crate::flags::{Arg, Default, Flag, Unit, value};

const NAME_ALONE: &str = "With -compat sipp, and under the name sipp, it does not switch the trace on; otherwise it does.";

const OVERWRITE: &str = "With `false` the new records follow the old ones.";

/// `-trace_X`.
macro_rules! switch {
    ($field:ident, $on:literal, $short:literal, $long:literal) => {
        Flag {
            names: &[$on],
            arg: Arg::Switch(|low, on| low.traces.$field.on = on),
            default: Default::None,
            short: $short,
            long: $long,
        }
    };
}

/// `-X_file`.
macro_rules! file {
    ($field:ident, $on:literal, $file:literal) => {
        Flag {
            names: &[$file],
            arg: Arg::Path {
                metavar: "FILE",
                set: |low, path| low.traces.$field.file = Some(path),
            },
            default: Default::None,
            short: concat!("File of -", $on, "."),
            long: NAME_ALONE,
        }
    };
}

/// `-X_overwrite`.
macro_rules! replace {
    ($field:ident, $on:literal, $overwrite:literal) => {
        Flag {
            names: &[$overwrite],
            arg: Arg::Text {
                metavar: "true|false",
                set: |low, text| overwrite(low, |low| &mut low.traces.$field, &text),
            },
            default: Default::Same("true"),
            short: concat!(
                "Replace what an earlier run left in the file of -",
                $on,
                "."
            ),
            long: OVERWRITE,
        }
    };
}

fn overwrite(
    low: &mut LowArgs,
    trace: fn(&mut LowArgs) -> &mut LowTrace,
    text: &str,
) -> Result<(), String> {
    trace(low).overwrite = Some(value::boolean(text)?);
    Ok(())
}

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    switch!(
        messages,
        "trace_msg",
        "Write every SIP message to a file.",
        "`<scenario>_<pid>_messages.log` in the current directory, or the file of -message_file, in \
     SIPp's form; `gossipper_<pid>_messages.log` in gossipper's. All forms: docs/traces.md."
    ),
    file!(messages, "trace_msg", "message_file"),
    replace!(messages, "trace_msg", "message_overwrite"),
    switch!(
        short_messages,
        "trace_shortmsg",
        "Write a line for every SIP message to a file.",
        "Time, direction, Call-ID, CSeq and start line in SIPp's form; a table with commas in gossipper's."
    ),
    file!(short_messages, "trace_shortmsg", "shortmessage_file"),
    replace!(short_messages, "trace_shortmsg", "shortmessage_overwrite"),
    switch!(
        errors,
        "trace_err",
        "Write warnings and errors to a file.",
        "`<scenario>_<pid>_errors.log` in the current directory, or the file of -error_file. The \
     file is made at the first event."
    ),
    file!(errors, "trace_err", "error_file"),
    replace!(errors, "trace_err", "error_overwrite"),
    switch!(
        actions,
        "trace_logs",
        "Write the lines of `log` actions to a file.",
        "Without it they are dropped. In gossipper's form the lines of `warning` actions are there too."
    ),
    file!(actions, "trace_logs", "log_file"),
    replace!(actions, "trace_logs", "log_overwrite"),
    switch!(
        call_debug,
        "trace_calldebug",
        "Write what has happened to each call that failed.",
        "The last 64 events of the call and up to 8 KiB of its messages, printed when it fails."
    ),
    file!(call_debug, "trace_calldebug", "calldebug_file"),
    replace!(call_debug, "trace_calldebug", "calldebug_overwrite"),
    Flag {
        names: &["trace_stat"],
        arg: Arg::Switch(|low, on| low.traces.statistics = on),
        default: Default::None,
        short: "Write the statistics to a table, a row every -fd.",
        long: "`<scenario>_<pid>_.csv` with SIPp's columns, `gossipper_<pid>_stats.log` with gossipper's. \
               The first row is written at the start, the last one at the end.",
    },
    Flag {
        names: &["stf"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.traces.statistics_file = Some(path),
        },
        default: Default::None,
        short: "File of -trace_stat.",
        long: "It does not switch the table on.",
    },
    Flag {
        names: &["fd"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Seconds,
            set: |low, time| low.traces.period = Some(time),
        },
        default: Default::Same("1 s, 60 s in SIPp's form"),
        short: "Time between two rows of -trace_stat, -trace_counts and -trace_error_codes.",
        long: "Rows are taken at multiples of it since the start, on all shards at once. With 0, in SIPp's form, \
               there are only the first and the last. In gossipper's form it switches -trace_stat on.",
    },
    Flag {
        names: &["trace_counts"],
        arg: Arg::Switch(|low, on| low.traces.counts = on),
        default: Default::None,
        short: "Write the counters of every step to a table, a row every -fd.",
        long: "`<scenario>_<pid>_counts.csv`, or `gossipper_<pid>_counts.log`. Figures count since the start.",
    },
    Flag {
        names: &["trace_rtt"],
        arg: Arg::Switch(|low, on| low.traces.rtt = on),
        default: Default::None,
        short: "Write every response time to a table.",
        long: "`<scenario>_<pid>_rtt.csv`, made with the first block, or `gossipper_<pid>_rtt.log`.",
    },
    Flag {
        names: &["rtt_freq"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, u32::MAX as i128),
            set: |low, n| low.traces.rtt_block = u64::try_from(n).ok(),
        },
        default: Default::Same("200"),
        short: "Rows of -trace_rtt that are collected before they are written.",
        long: "In gossipper's form it switches -trace_rtt on.",
    },
    Flag {
        names: &["trace_error_codes"],
        arg: Arg::Switch(|low, on| low.traces.error_codes = on),
        default: Default::None,
        short: "Write the status codes of unexpected responses to a table.",
        long: "`<scenario>_<pid>_error_codes.csv` with a row every -fd, or `gossipper_<pid>_error_codes.log` \
               with a row per response.",
    },
    Flag {
        names: &["stat_delimiter"],
        arg: Arg::Text {
            metavar: "TEXT",
            set: |low, text| {
                if text.is_empty() {
                    return Err("something has to stand between two columns".to_owned());
                }
                low.traces.delimiter = Some(text);
                Ok(())
            },
        },
        default: Default::Same(";"),
        short: "What stands between the columns of SIPp's tables.",
        long: "gossipper's own have commas.",
    },
    Flag {
        names: &["rfc3339"],
        arg: Arg::Switch(|low, on| low.traces.rfc3339 = on),
        default: Default::None,
        short: "Write times in SIPp's files as RFC 3339 has them.",
        long: "Instead of date, time and seconds since the epoch with tabs between. gossipper's own files \
               always have them.",
    },
    Flag {
        names: &["periodic_rtd"],
        arg: Arg::Switch(|low, on| low.traces.periodic_rtd = on),
        default: Default::None,
        short: "Begin the repartitions of SIPp's statistics anew with each row.",
        long: "",
    },
    Flag {
        names: &["max_log_size"],
        arg: Arg::Int {
            metavar: "BYTES",
            range: (0, i64::MAX as i128),
            set: |low, n| low.traces.max_bytes = u64::try_from(n).ok(),
        },
        default: Default::Same("0, no limit"),
        short: "Stop writing a log after so many bytes.",
        long: "Tables are not limited. Not together with -ringbuffer_size.",
    },
    Flag {
        names: &["ringbuffer_size"],
        arg: Arg::Int {
            metavar: "BYTES",
            range: (0, i64::MAX as i128),
            set: |low, n| low.traces.ring_bytes = u64::try_from(n).ok(),
        },
        default: Default::Same("0, no rotation"),
        short: "Put a log aside after so many bytes and begin another.",
        long: "The old one gets the time at which it was begun, in seconds since the epoch, into its name: \
               `<scenario>_<pid>_messages_<time>.log`. Tables are not rotated.",
    },
    Flag {
        names: &["ringbuffer_files"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, 1_000_000),
            set: |low, n| low.traces.ring_files = usize::try_from(n).ok(),
        },
        default: Default::Same("0"),
        short: "Logs put aside that are kept, of each kind.",
        long: "",
    },
];
