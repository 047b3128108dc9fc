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
        short: "How often the progress line is drawn; 0 is never.",
        long: "On a terminal one line is drawn again and again. Elsewhere a whole line is written, at \
               most every ten seconds.",
    },
    Flag {
        names: &["nostdin"],
        arg: Arg::Switch(|low, on| low.no_stdin = on),
        default: Default::None,
        short: "Do not read keys from standard input.",
        long: "Keys are only read from a terminal: q ends softly (again: at once), Q at once, + - * / \
               change the rate, p pauses and goes on.",
    },
];
