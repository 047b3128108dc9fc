// SPDX-License-Identifier: AGPL-3.0-only
//! What the terminal shows while it runs.

use crate::flags::{Arg, Default, Flag, Unit};

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
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
