// SPDX-License-Identifier: AGPL-3.0-only
//! The children of `<action>`.

use super::Value::{Boolean, Double, Integer, Name, Names, OneOf, Template, Text};
use super::{
    Attribute, COMPARE, Content, DISTRIBUTION_NAMES, Element, INT_CMD, POSITION, SEARCH_IN,
};

const fn a(name: &'static str, value: super::Value, doc: &'static str) -> Attribute {
    Attribute::new(name, value, doc)
}

const TO: Attribute = a("assign_to", Name, "Variable that gets the result.");
const NUMBER: Attribute = a("value", Double, "Number; excludes `variable`.").again();
const VARIABLE: Attribute = a("variable", Name, "Variable to use instead of `value`.");
const CHECK: Attribute = a("check_it", Boolean, "Fails the call unless it holds.");
const CHECK_INVERSE: Attribute = a("check_it_inverse", Boolean, "Fails the call if it holds.");
const MESSAGE: &[Attribute] = &[a("message", Template, "Text of the line.").again()];
const ARITHMETIC: &[Attribute] = &[TO, NUMBER, VARIABLE];
const FILE: Attribute = a("file", Template, "Injection file.").again();

/// The text of `sample` in Gossipper's form.
const SAMPLE_TEXT: &[Attribute] = &[
    a("min", Integer, "Lowest number; mandatory."),
    a("max", Integer, "None is above this; mandatory."),
    a("step", Integer, "Distance of neighbours (1)."),
    a(
        "seed",
        Integer,
        "The draws depend on this and the number of the call alone, not on `-seed`.",
    ),
];

const EDIT_LINE: Attribute = a("line", Template, "Number of the line, from 0; mandatory.");
const EDIT_FIELD: Attribute = a("field", Integer, "Number of the field, from 0; mandatory.");

/// The text of `insert` in Gossipper's form.
const INSERT_TEXT: &[Attribute] = &[
    EDIT_LINE,
    EDIT_FIELD,
    a("text", Template, "What is put into the field; mandatory."),
    a(
        "position",
        OneOf(POSITION),
        "In front of what the field holds (`prefix`) or behind it (`suffix`).",
    ),
];

/// The text of `replace` in Gossipper's form.
const REPLACE_TEXT: &[Attribute] = &[
    EDIT_LINE,
    EDIT_FIELD,
    a("text", Template, "New text of the field; mandatory."),
];

/// Every action.
pub const ACTIONS: &[Element] = &[
    Element::new(
        "ereg",
        &[
            a("regexp", Text, "POSIX extended regular expression.").again(),
            a(
                "assign_to",
                Names,
                "Variables for the whole match and the groups, separated by commas.",
            ),
            a(
                "search_in",
                OneOf(SEARCH_IN),
                "Where to search: `msg`, `hdr`, `body` or `var`.",
            ),
            a(
                "header",
                Text,
                "With `hdr`: text after which to search, such as `From:`.",
            ),
            a(
                "occurrence",
                Integer,
                "With `hdr`: which hit to take, from 1.",
            ),
            a("occurence", Integer, "Old spelling of `occurrence`."),
            a(
                "start_line",
                Boolean,
                "With `hdr`: only at the start of a line.",
            ),
            a("case_indep", Boolean, "With `hdr`: ignoring case."),
            CHECK,
            CHECK_INVERSE,
            a("variable", Name, "With `var`: variable to search."),
        ],
        "Searches a regular expression.",
    ),
    Element::new("log", MESSAGE, "Writes a line to the log file."),
    Element::new("warning", MESSAGE, "Reports a warning."),
    Element::new("error", MESSAGE, "Ends the run with an error."),
    Element::new("assign", ARITHMETIC, "Assigns a number."),
    Element::new(
        "assignstr",
        &[TO, a("value", Template, "Text to assign.").again()],
        "Assigns a text.",
    ),
    Element::new(
        "gettimeofday",
        &[a(
            "assign_to",
            Names,
            "Two variables: seconds of the epoch, microseconds.",
        )],
        "Reads the wall clock.",
    ),
    Element::new("index", &[TO], "Assigns the index of the current step."),
    Element::new(
        "jump",
        &[NUMBER, VARIABLE],
        "Goes to the step of that index.",
    ),
    Element::new(
        "pauserestore",
        &[NUMBER, VARIABLE],
        "Restores the end of an interrupted pause.",
    ),
    Element::new("add", ARITHMETIC, "Adds to a variable."),
    Element::new("subtract", ARITHMETIC, "Subtracts from a variable."),
    Element::new("multiply", ARITHMETIC, "Multiplies a variable."),
    Element::new("divide", ARITHMETIC, "Divides a variable."),
    Element::new(
        "sample",
        &[
            TO,
            a(
                "distribution",
                OneOf(DISTRIBUTION_NAMES),
                "Distribution to draw from.",
            ),
            a("value", Double, "Of `fixed`.").again(),
            a("min", Double, "Lowest value of `uniform`."),
            a("max", Double, "Highest value of `uniform`."),
            a("mean", Double, "Of `normal`, `lognormal`, `exponential`."),
            a("stdev", Double, "Of `normal` and `lognormal`."),
            a("lambda", Double, "Scale of `weibull`."),
            a("k", Double, "Shape of `weibull`, `pareto`, `gamma`."),
            a("x_m", Double, "Scale of `pareto`."),
            a("theta", Double, "Scale of `gamma`."),
            a("shape", Double, "Of `gpareto`."),
            a("scale", Double, "Of `gpareto`."),
            a("location", Double, "Of `gpareto`."),
            a("n", Double, "Successes of `negbin`."),
            a("p", Double, "Probability of `negbin`."),
        ],
        "Assigns a random number.",
    )
    .content(Content::Pairs {
        keys: SAMPLE_TEXT,
        doc: "a number drawn from whole ones, at most 1000000 of them, each as likely as any other",
    }),
    Element::new(
        "todouble",
        &[TO, a("variable", Name, "Variable to convert.")],
        "Converts a text to a number.",
    ),
    Element::new(
        "test",
        &[
            a("variable", Name, "Left side."),
            NUMBER,
            a(
                "variable2",
                Name,
                "Variable to compare with instead of `value`.",
            ),
            a(
                "compare",
                OneOf(COMPARE),
                "How to compare; short: `eq`, `ne`, `gt`, `ge` or `gte`, `lt`, `le` or `lte`.",
            )
            .again(),
            TO,
            CHECK,
            CHECK_INVERSE,
        ],
        "Compares numbers.",
    ),
    Element::new(
        "strcmp",
        &[
            a("variable", Name, "Left side."),
            a("value", Text, "Text to compare with.").again(),
            a(
                "variable2",
                Name,
                "Variable to compare with instead of `value`.",
            ),
            TO,
            CHECK,
            CHECK_INVERSE,
        ],
        "Compares texts.",
    ),
    Element::new(
        "trim",
        &[TO],
        "Strips white space at both ends of a variable.",
    ),
    Element::new(
        "urlencode",
        &[a("variable", Name, "Variable changed in place.")],
        "Percent-encodes.",
    ),
    Element::new(
        "urldecode",
        &[a("variable", Name, "Variable changed in place.")],
        "Percent-decodes.",
    ),
    Element::new(
        "verifyauth",
        &[
            TO,
            a("username", Template, "Expected user.").again(),
            a("password", Template, "Expected password.").again(),
        ],
        "Assigns whether the message's `Authorization` is that of this user and password.",
    ),
    Element::new(
        "lookup",
        &[TO, FILE, a("key", Template, "Key to find.").again()],
        "Finds a line of an indexed injection file.",
    ),
    Element::new(
        "insert",
        &[FILE, a("value", Template, "Line to append.").again()],
        "Appends a line to an injection file in memory.",
    )
    .content(Content::Pairs {
        keys: INSERT_TEXT,
        doc: "a field of a line gets a text in addition",
    }),
    Element::new(
        "replace",
        &[
            FILE,
            a("line", Template, "Number of the line.").again(),
            a("value", Template, "New text of the line.").again(),
        ],
        "Replaces a line of an injection file in memory.",
    )
    .content(Content::Pairs {
        keys: REPLACE_TEXT,
        doc: "a field of a line gets another text",
    }),
    Element::new(
        "setdest",
        &[
            a("host", Template, "New host.").again(),
            a("port", Template, "New port.").again(),
            a("protocol", Template, "The transport in use.").again(),
        ],
        "Changes where this call sends to.",
    ),
    Element::new(
        "closecon",
        &[],
        "Closes this call's connection; over UDP there is none.",
    ),
    Element::new(
        "exec",
        &[
            a(
                "command",
                Template,
                "Command for the shell; its result is ignored.",
            ),
            a("int_cmd", OneOf(INT_CMD), "Ends the run or this call."),
            a(
                "play_pcap_audio",
                Text,
                "Plays a capture file as audio. A whole `[NAME]` is the value of that `-key`.",
            ),
            a("play_pcap_image", Text, "Plays a capture file as image."),
            a("play_pcap_video", Text, "Plays a capture file as video."),
            a(
                "play_dtmf",
                Template,
                "`DIGITS[,LENGTH]`: plays digits, each as long as so many ms (200).",
            ),
            a(
                "send_dtmf",
                Template,
                "Sends digits as the peer's SDP asks for them.",
            ),
            a(
                "rtp_stream",
                Template,
                "`FILE[,LOOP[,PT[,NAME]]]`, `apattern[,ID[,PT[,NAME]]]`, `vpattern…`, `synthetic…`, `silence…`, `mic[,INPUT]`, \
                 `echo`, `stop`, `pause`, `resume`, `pauseapattern`…: starts or steers an RTP stream.",
            ),
            a(
                "rtp_echo",
                Text,
                "`startaudio`, `updateaudio`, `stopaudio` or `…video`, with `,PT,NAME`: steers an SRTP echo.",
            ),
            a(
                "rtp_record",
                Template,
                "`start,FILE.wav[,duplex]` or `stop`: records what is received.",
            ),
            a(
                "rtpcheck",
                Text,
                "`min_packets=N,timeout_ms=N,direction=any|send|recv|both`, and `max_loss_percent=`, `max_jitter_ms=`, `min_mos=`, \
                 `max_silence_ms=`: fails the call unless packets flow, and well enough.",
            ),
        ],
        "Runs a command, or steers the run or media.",
    ),
    Element::new(
        "rtp_echo",
        &[NUMBER, VARIABLE],
        "Turns the RTP echo of the process on or off.",
    ),
];
