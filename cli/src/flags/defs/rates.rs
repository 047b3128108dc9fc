// SPDX-License-Identifier: AGPL-3.0-only
//! Rates that change by themselves, and what a rate counts.

use crate::flags::rates::{RateUnit, parse_profile};
use crate::flags::value::BareTime;
use crate::flags::{Arg, Default, Flag};

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["rate_increase"],
        arg: Arg::Number {
            metavar: "CALLS",
            set: |low, x| low.rates.increase = Some(x),
        },
        default: Default::Same("0"),
        short: "Raise the rate by CALLS every -rate_interval.",
        long: "Under `gossipper sipp` CALLS are calls per rate period (-rp), otherwise calls per second. A negative \
               number lowers the rate. Each step begins the schedule anew; the keys and `set rate` still work, and \
               the next step starts from what they left.",
    },
    Flag {
        names: &["rate_interval"],
        arg: Arg::Text {
            metavar: "TIME",
            set: |low, text| {
                low.rates.interval = Some(BareTime::parse(&text)?);
                Ok(())
            },
        },
        default: Default::Differs("that of -fd, 60 s", "1000 ms"),
        short: "Time between two steps of -rate_increase.",
        long: "A number without a unit is seconds under `gossipper sipp`, otherwise milliseconds.",
    },
    Flag {
        names: &["rate_max"],
        arg: Arg::Double {
            metavar: "CALLS",
            set: |low, x| low.rates.max = Some(x),
        },
        default: Default::Same("none"),
        short: "Where -rate_increase stops; 0 is nowhere.",
        long: "In the units of -rate_increase. Under `gossipper sipp` the step that would go beyond it ends the run as \
               the key q does, unless -no_rate_quit says otherwise; elsewhere the rate stays there.",
    },
    Flag {
        names: &["no_rate_quit"],
        arg: Arg::Switch(|low, on| low.rates.no_quit = on),
        default: Default::None,
        short: "Go on at -rate_max.",
        long: "",
    },
    Flag {
        names: &["rate_profile"],
        arg: Arg::Text {
            metavar: "TIME:CALLS,...",
            set: |low, text| {
                low.rates.profile = Some(parse_profile(&text)?);
                Ok(())
            },
        },
        default: Default::None,
        short: "Let the rate follow straight lines between points.",
        long: "`0:10,60:500,300:500,330:0` climbs from 10 to 500 calls per rate period in a minute, stays there for \
               four, and comes down in thirty seconds. Times are seconds, or have a unit (`5m:100`); the first is 0, \
               and two points at one time are a step. Calls are begun where the area under the line reaches the next \
               whole number, so that none is lost or made twice. The last rate stays; if it is 0, the run ends with \
               the last call. Takes the place of -r. A pause (key p) stops its clock; a key or command that changes \
               the rate ends it, from the rate of that moment on. Calls that -l holds back are not made up.",
    },
    Flag {
        names: &["rate_unit"],
        arg: Arg::Text {
            metavar: "calls|requests",
            set: |low, text| {
                low.rates.unit = RateUnit::parse(&text)?;
                Ok(())
            },
        },
        default: Default::Same("calls"),
        short: "What rates count: calls, or SIP requests sent.",
        long: "With `requests`, every rate of the command line, of the keys and of the control socket is one of \
               requests. A call counts for as many as the scenario has `send` elements of a request, ACK included, \
               whatever branches a call takes: with five of them, `-r 100` begins 20 calls. Retransmissions are not \
               counted, and the screens show calls.",
    },
];
