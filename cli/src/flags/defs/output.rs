// SPDX-License-Identifier: AGPL-3.0-only
//! What is written while it runs.

use crate::flags::{Arg, Default, Flag, Unit, value};

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["trace_msg"],
        arg: Arg::Switch(|low, on| low.trace_msg = on),
        default: Default::None,
        short: "Write every SIP message to a file.",
        long: "`<scenario>_<pid>_messages.log` in the current directory, or the file of -message_file, in \
               SIPp's form.",
    },
    Flag {
        names: &["message_file"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.message_file = Some(path),
        },
        default: Default::None,
        short: "File of -trace_msg.",
        long: "With SIPp's defaults it does not switch the trace on; otherwise it does.",
    },
    Flag {
        names: &["message_overwrite"],
        arg: Arg::Text {
            metavar: "true|false",
            set: |low, text| {
                low.message_overwrite = Some(value::boolean(&text)?);
                Ok(())
            },
        },
        default: Default::Same("true"),
        short: "Replace what an earlier run left in the file of -trace_msg.",
        long: "With `false` the new records follow the old ones.",
    },
    Flag {
        names: &["trace_err"],
        arg: Arg::Switch(|low, on| low.trace_err = on),
        default: Default::None,
        short: "Write warnings and errors to a file.",
        long: "`<scenario>_<pid>_errors.log` in the current directory, or the file of -error_file. The \
               file is made at the first event.",
    },
    Flag {
        names: &["error_file"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.error_file = Some(path),
        },
        default: Default::None,
        short: "File of -trace_err.",
        long: "With SIPp's defaults it does not switch the trace on; otherwise it does.",
    },
    Flag {
        names: &["error_overwrite"],
        arg: Arg::Text {
            metavar: "true|false",
            set: |low, text| {
                low.error_overwrite = Some(value::boolean(&text)?);
                Ok(())
            },
        },
        default: Default::Same("true"),
        short: "Replace what an earlier run left in the file of -trace_err.",
        long: "With `false` the new records follow the old ones.",
    },
    Flag {
        names: &["f"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Seconds,
            set: |low, time| low.refresh = Some(time),
        },
        default: Default::Same("1 s"),
        short: "How often the screens are drawn; 0 is never.",
        long: "On a terminal the run shows SIPp's screens; the keys 1 to 9 choose one, the cursor keys move what does not \
               fit, and NO_COLOR in the environment leaves the colours out. Where standard output is no terminal, one \
               line on standard error says how the run does: again and again if that is a terminal, else a whole \
               line at most every ten seconds.",
    },
    Flag {
        names: &["nostdin"],
        arg: Arg::Switch(|low, on| low.no_stdin = on),
        default: Default::None,
        short: "Do not read keys from standard input.",
        long: "Keys are only read from a terminal, and only in its foreground: q ends softly (again: at once), Q at once, \
               + - * / change the rate, p pauses and goes on, 1 to 9 choose a screen, s writes the screens to the \
               file of -trace_screen, c begins a command as the control socket (-cp) takes it.",
    },
];
