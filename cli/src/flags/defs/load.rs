// SPDX-License-Identifier: AGPL-3.0-only
//! How many calls, how fast, for how long.

use crate::flags::shards::Shards;
use crate::flags::{Arg, Default, Flag, Unit};
use gossipper_runtime::users::USERS_MAX;

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["r"],
        arg: Arg::Double {
            metavar: "CALLS",
            set: |low, x| low.rate = Some(x),
        },
        default: Default::Differs("10", "1"),
        short: "Calls started in each rate period.",
        long: "Fractions are allowed. Starts are spread evenly, computed from the integral of the rate, \
               so that a late start does not move the next one. SIPp's defaults allow 0, which starts \
               none until the rate is raised.",
    },
    Flag {
        names: &["rp"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Millis,
            set: |low, time| low.rate_period = Some(time),
        },
        default: Default::Same("1000 ms"),
        short: "Rate period.",
        long: "`-r 1 -rp 30s` starts a call every thirty seconds.",
    },
    Flag {
        names: &["rate_scale"],
        arg: Arg::Double {
            metavar: "STEP",
            set: |low, x| low.rate_scale = Some(x),
        },
        default: Default::Same("1"),
        short: "Step of the keys + - * / that change the rate.",
        long: "+ and - change the rate by STEP, * and / by ten times STEP.",
    },
    Flag {
        names: &["l"],
        arg: Arg::Int {
            metavar: "CALLS",
            range: (1, 1 << 31),
            set: |low, n| {
                low.limit = u64::try_from(n).ok();
                low.limit_after_users = low.users.is_some();
            },
        },
        default: Default::Differs("3 x rate x max(scenario duration, -d, 1 s) / period", "1"),
        short: "Most calls open at a time.",
        long: "Calls that were not started because of this limit are not made up later.",
    },
    Flag {
        names: &["shards"],
        arg: Arg::Text {
            metavar: "N",
            set: |low, text| {
                low.shards = Some(Shards::parse(&text)?);
                Ok(())
            },
        },
        default: Default::Same(
            "1; of a client beyond 100000 calls per second one for each 100000, for half of the processors at most",
        ),
        short: "Threads that run the calls; `auto` takes as many as there are processors.",
        long: "For loads that one core cannot make. Calls are numbered, paced and counted as on one thread; the first \
               thread also reads the socket and keeps the schedule, so it runs fewer calls than the others. Below \
               what one core can do, more threads only cost. A scenario whose calls share what they change \
               (global variables, insert and replace, [dynamic_id], -users, -tdmmap, an init section, twins, several \
               dialogs) runs on one, and a note says so. The answerer of -loopback always does.",
    },
    Flag {
        names: &["users"],
        arg: Arg::Int {
            metavar: "USERS",
            range: (0, USERS_MAX as i128),
            set: |low, n| low.users = u32::try_from(n).ok(),
        },
        default: Default::None,
        short: "Keep so many calls open, in place of a rate.",
        long: "Each is of a user of its own. Users have the numbers 1 to USERS ([userid]); a user's next call begins when the one before \
               has ended, at most one per millisecond. User variables and injection files of the kind USER \
               follow the user. -r and -rp have no effect, -l is refused behind -users. The keys + - * / \
               change the number of users.",
    },
    Flag {
        names: &["m"],
        arg: Arg::Int {
            metavar: "CALLS",
            range: (0, 1 << 62),
            set: |low, n| low.calls = u64::try_from(n).ok(),
        },
        default: Default::Differs("unlimited", "1; 10000000 for a server scenario"),
        short: "Stop after this many calls were started; 0 is unlimited.",
        long: "The run ends when the open calls have ended. In a server scenario incoming calls are \
               counted.",
    },
    Flag {
        names: &["timeout"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Seconds,
            set: |low, time| low.timeout = Some(time),
        },
        default: Default::Same("none"),
        short: "Stop the run after this time.",
        long: "Open calls are aborted and count as failed, but for those in their closing timewait. If there was no call \
               at all, the exit code is 97.",
    },
    Flag {
        names: &["timeout_global"],
        arg: Arg::Time {
            metavar: "TIME",
            unit: Unit::Seconds,
            set: |low, time| low.timeout_global = Some(time),
        },
        default: Default::Same("none"),
        short: "Stop the run after this time, as a normal end.",
        long: "Open calls are aborted; the exit code only says whether calls failed before.",
    },
    Flag {
        names: &["timeout_error"],
        arg: Arg::Switch(|low, on| low.timeout_error = on),
        default: Default::None,
        short: "Running into -timeout is an error: exit code 255.",
        long: "Without -timeout it has no effect.",
    },
];
