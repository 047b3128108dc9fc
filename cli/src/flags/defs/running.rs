// SPDX-License-Identifier: AGPL-3.0-only
//! How a run is watched and steered from outside.

use crate::flags::{Arg, Default, Flag, Unit, value};

/// Why the knobs of SIPp's main loop do nothing here.
const NO_LOOP: &str = "there is no loop of passes whose work it could bound";

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["cp"],
        arg: Arg::Int {
            metavar: "PORT",
            range: (0, 65_535),
            set: |low, n| low.running.control_port = u16::try_from(n).ok(),
        },
        default: Default::Differs("the first free one of 8888 to 8947", "no control socket"),
        short: "Take keys and commands from datagrams to this port.",
        long: "The first byte of a datagram is a key; of `c` the rest is a command: \
               `echo cset rate 100 >/dev/udp/127.0.0.1/8888`. Commands are `set rate X`, `set rate-scale X`, \
               `set users N`, `set limit N`, `set display main|ooc|answerer`, `set hide true|false`, \
               `dump tasks|variables` and `reset stats`; `trace ... on|off` and the display `rx` are \
               understood and refused with a warning. Nothing is answered; what is not understood is a warning. A port that is named and in use is an \
               error. Under `gossipper sipp` a socket is opened without the flag, as SIPp does.",
    },
    Flag {
        names: &["ci"],
        arg: Arg::Text {
            metavar: "IP",
            set: |low, text| {
                low.running.control_ip = Some(text);
                Ok(())
            },
        },
        default: Default::Same("any"),
        short: "Local address of the control socket.",
        long: "Whoever reaches it can steer and end the run: name 127.0.0.1 on machines that others reach.",
    },
    Flag {
        names: &["bg"],
        arg: Arg::Switch(|low, on| low.running.background = on),
        default: Default::None,
        short: "Go on in the background, without a terminal.",
        long: "Prints `Background mode - PID=[n]` once the run has begun, and ends with 99 (with 0 outside \
               `gossipper sipp`); what keeps it from beginning is reported instead. Ended by SIGUSR1 or through the \
               control socket; -trace_screen writes its last screens.",
    },
    Flag {
        names: &["sleep"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Seconds,
            set: |low, time| low.running.sleep = Some(time),
        },
        default: Default::Same("0"),
        short: "Wait before the run begins.",
        long: "",
    },
    Flag {
        names: &["trace_screen"],
        arg: Arg::Switch(|low, on| low.running.trace_screen = on),
        default: Default::None,
        short: "Write the screens to a file at the end of the run, or a table of their figures.",
        long: "With -compat sipp, and under the name sipp, the screens to `<scenario>_<pid>_screen.log` in the current \
               directory, or the file of -screen_file, at the end and at the key s. Otherwise a table to \
               `gossipper_<pid>_screen.log` with a row every -fd, one at the end, and one whenever the key s or SIGUSR1 asks \
               for it; SIGUSR1 then does not end the run. SIGUSR2 writes the screens at once, without this flag too.",
    },
    Flag {
        names: &["screen_file"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.running.screen_file = Some(path),
        },
        default: Default::None,
        short: "File of -trace_screen.",
        long: "With -compat sipp, and under the name sipp, it does not switch the trace on; otherwise it does.",
    },
    Flag {
        names: &["screen_overwrite"],
        arg: Arg::Text {
            metavar: "true|false",
            set: |low, text| {
                low.running.screen_overwrite = Some(value::boolean(&text)?);
                Ok(())
            },
        },
        default: Default::Same("true"),
        short: "Replace what an earlier run left in the file of -trace_screen.",
        long: "With `false` the new screens follow the old ones.",
    },
    Flag {
        names: &["stat_period"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Seconds,
            set: |low, time| low.running.line_period = Some(time),
        },
        default: Default::Same("0"),
        short: "Print the last line of the run every so often, on standard error; 0 is never.",
        long: "Words with `=` between name and figure, for scripts.",
    },
    Flag {
        names: &["watchdog_interval"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Millis,
            set: |low, time| low.running.watchdog.interval = Some(time),
        },
        default: Default::Differs("400 ms", "no watchdog"),
        short: "How often the watchdog looks; 0 is never.",
        long: "It notices that the thread which runs the calls was held up: by a machine with too much to do, or a \
               program that was stopped. Each time is a warning, and too many end the run with 255. Naming any flag of \
               the watchdog switches it on, with SIPp's values for the others.",
    },
    Flag {
        names: &["watchdog_minor_threshold"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Millis,
            set: |low, time| low.running.watchdog.minor_threshold = Some(time),
        },
        default: Default::Same("500 ms"),
        short: "Time between two looks that makes a minor trip.",
        long: "",
    },
    Flag {
        names: &["watchdog_major_threshold"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Millis,
            set: |low, time| low.running.watchdog.major_threshold = Some(time),
        },
        default: Default::Same("3000 ms"),
        short: "Time between two looks that makes a major trip.",
        long: "",
    },
    Flag {
        names: &["watchdog_minor_maxtriggers"],
        arg: Arg::Int {
            metavar: "N",
            range: (-1, 1 << 31),
            set: |low, n| low.running.watchdog.minor_max = i64::try_from(n).ok(),
        },
        default: Default::Same("120"),
        short: "Minor trips that are survived; -1 is any number.",
        long: "",
    },
    Flag {
        names: &["watchdog_major_maxtriggers"],
        arg: Arg::Int {
            metavar: "N",
            range: (-1, 1 << 31),
            set: |low, n| low.running.watchdog.major_max = i64::try_from(n).ok(),
        },
        default: Default::Same("10"),
        short: "Major trips that are survived; -1 is any number.",
        long: "",
    },
    Flag {
        names: &["watchdog_reset"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Millis,
            set: |low, time| low.running.watchdog.reset = Some(time),
        },
        default: Default::Same("600000 ms"),
        short: "Time without a trip after which trips are counted anew.",
        long: "",
    },
    Flag {
        names: &["timer_resol"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Millis,
            set: |low, _| {
                low.running.without_effect.push((
                    "-timer_resol",
                    "timers fire when they are due, not at ticks",
                ));
            },
        },
        default: Default::None,
        short: "Taken for SIPp's sake, without effect.",
        long: "",
    },
    Flag {
        names: &["max_recv_loops"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, 1 << 31),
            set: |low, _| {
                low.running
                    .without_effect
                    .push(("-max_recv_loops", NO_LOOP))
            },
        },
        default: Default::None,
        short: "Taken for SIPp's sake, without effect.",
        long: "",
    },
    Flag {
        names: &["max_sched_loops"],
        arg: Arg::Int {
            metavar: "N",
            range: (0, 1 << 31),
            set: |low, _| {
                low.running
                    .without_effect
                    .push(("-max_sched_loops", NO_LOOP))
            },
        },
        default: Default::None,
        short: "Taken for SIPp's sake, without effect.",
        long: "",
    },
    Flag {
        names: &["sendbuffer_warn"],
        arg: Arg::Text {
            metavar: "true|false",
            set: |low, text| {
                value::boolean(&text)?;
                let why = "a full socket is waited for, and what cannot be sent fails its call";
                low.running.without_effect.push(("-sendbuffer_warn", why));
                Ok(())
            },
        },
        default: Default::None,
        short: "Taken for SIPp's sake, without effect.",
        long: "",
    },
];
