// SPDX-License-Identifier: AGPL-3.0-only
//! Which scenario runs, and with which values.

use crate::flags::low::Special;
use crate::flags::{Arg, Default, Flag};

/// The flags of this section, in the order of the help.
pub(super) static FLAGS: &[Flag] = &[
    Flag {
        names: &["sf"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.scenario_file = Some(path),
        },
        default: Default::None,
        short: "Scenario from a file: SIPp XML, or a .gsc program made by `gossipper compile`.",
        long: "The file is compiled before anything is sent; errors are shown all at once, with their \
               place. The compiled form is kept in the cache and used again while the file stays the \
               same. A .gsc file is checked by the verifier before it runs. Either -sf or -sn, not \
               both; without SIPp's defaults, -sf wins.",
    },
    Flag {
        names: &["sn"],
        arg: Arg::Text {
            metavar: "NAME",
            set: |low, text| {
                low.scenario_name = Some(text);
                Ok(())
            },
        },
        default: Default::Same("uac"),
        short: "Built-in scenario.",
        long: "`-sd NAME` prints its XML. An unknown name is an error that lists the names there are.",
    },
    Flag {
        names: &["oocsf"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.out_of_call_file = Some(path),
        },
        default: Default::None,
        short: "Scenario for requests that belong to no call, from a file.",
        long: "Beside a client's scenario: each request whose Call-ID no call has begins a call of this server \
               scenario, before -aa is asked. Those calls are counted by themselves (`set display ooc` shows \
               them), take no lines of injection files, have variables of their own, and the run does not \
               wait for them. A run with it has one shard. Where there is a receiving scenario (-rxsf), \
               nothing is left for it.",
    },
    Flag {
        names: &["oocsn"],
        arg: Arg::Text {
            metavar: "NAME",
            set: |low, text| {
                low.out_of_call_name = Some(text);
                Ok(())
            },
        },
        default: Default::None,
        short: "The same, built in.",
        long: "`ooc_default` answers any request with 200.",
    },
    Flag {
        names: &["rxsf"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.receiver_file = Some(path),
        },
        default: Default::None,
        short: "Scenario for calls that come in beside a client's, from a file.",
        long: "Whatever has a Call-ID that no call has begins a call of this server scenario, to the end of the run. \
               Its calls are counted by themselves (`set display rx` shows them) and not among those of -m; the run \
               does not wait for them. They share numbers, lines of injection files, circuits and global \
               variables with the client's. A run with it has one shard.",
    },
    Flag {
        names: &["rxsn", "rxrn"],
        arg: Arg::Text {
            metavar: "NAME",
            set: |low, text| {
                low.receiver_name = Some(text);
                Ok(())
            },
        },
        default: Default::None,
        short: "The same, built in.",
        long: "SIPp lists it as -rxrn.",
    },
    Flag {
        names: &["sd"],
        arg: Arg::Text {
            metavar: "NAME",
            set: |low, name| {
                low.special = Some(Special::Dump(name));
                Ok(())
            },
        },
        default: Default::None,
        short: "Print a built-in scenario and stop.",
        long: "The XML goes to standard output, to be saved, changed and given to -sf.",
    },
    Flag {
        names: &["key"],
        arg: Arg::Pair {
            metavars: ("NAME", "VALUE"),
            joined: false,
            set: |low, name, value| {
                if name.is_empty() {
                    return Err("the name must not be empty".to_owned());
                }
                low.keys.push((name, value));
                Ok(())
            },
        },
        default: Default::None,
        short: "Define the keyword [NAME]; may be repeated.",
        long: "The value is put into the messages as it is, without looking for keywords in it. Built-in \
               keywords win over a name given here. Of two values for one name, the last counts.",
    },
    Flag {
        names: &["set"],
        arg: Arg::Pair {
            metavars: ("NAME", "VALUE"),
            joined: false,
            set: |low, name, value| {
                if name.is_empty() {
                    return Err("the name must not be empty".to_owned());
                }
                low.globals.push((name, value));
                Ok(())
            },
        },
        default: Default::None,
        short: "Set a Global variable of the scenario before it starts; may be repeated.",
        long: "The variable must be declared with <Global> in the scenario; the value is text.",
    },
    Flag {
        names: &["inf"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.injection.push(path),
        },
        default: Default::None,
        short: "Injection file: a line of it for every call; may be repeated.",
        long: "The first line says in which order calls get the lines: SEQUENTIAL, RANDOM or USER. \
               [field0] prints the first field of the call's line of the first file, \
               [field0 file=\"b.csv\"] one of another file. Fields end with `;`, lines that begin with # are \
               comments, and the first empty line ends the file. With PRINTF=N in the first line the \
               file stands for N lines in which %d and the like print a number. \
               With -compat gossipper the first line may be missing, blank lines are passed over, and fields end \
               with `,` when there are more of them in the first 64 KiB.",
    },
    Flag {
        names: &["rxinf"],
        arg: Arg::Path {
            metavar: "FILE",
            set: |low, path| low.receiver_injection.push(path),
        },
        default: Default::None,
        short: "Injection file for a receiving scenario; may be repeated.",
        long: "A file like those of -inf, for either scenario, but it is never the one that [fieldN] without `file` \
               means.",
    },
    Flag {
        names: &["infindex"],
        arg: Arg::Pair {
            metavars: ("FILE", "FIELD"),
            joined: true,
            set: |low, file, field| {
                low.injection_indexes.push((file, field));
                Ok(())
            },
        },
        default: Default::None,
        short: "Let <lookup> find lines of an injection file by this field.",
        long: "FILE is the name of a file of -inf, FIELD counts from 0. Of lines with the same text the \
               last one is found. A file has one index; of two, the last counts. \
               Without -inf, a scenario and a remote host the flag writes the index as JSON to \
               FILE.gossipper.idx.FIELD.json and that is all.",
    },
    Flag {
        names: &["inf_write_back"],
        arg: Arg::Switch(|low, on| low.injection_write_back = on),
        default: Default::None,
        short: "Write injection files that the scenario has changed back at the end.",
        long: "What <insert> and <replace> do is otherwise forgotten with the run. A file is written beside \
               the old one and takes its place at once; comments and all other lines stay as they are.",
    },
    Flag {
        names: &["strict"],
        arg: Arg::Switch(|low, on| low.strict = on),
        default: Default::None,
        short: "Treat every warning about the scenario as an error.",
        long: "SIPp accepts, and gossipper repairs with a warning, much that is not XML; -strict \
               refuses it.",
    },
    Flag {
        names: &["no_cache"],
        arg: Arg::Switch(|low, on| low.no_cache = on),
        default: Default::None,
        short: "Compile the scenario anew, and do not keep the result.",
        long: "The environment variable GOSSIPPER_NO_CACHE does the same. The cache is in \
               $XDG_CACHE_HOME/gossipper or ~/.cache/gossipper; it may be deleted at any time.",
    },
];
