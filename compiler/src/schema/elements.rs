// SPDX-License-Identifier: AGPL-3.0-only
//! `<scenario>` and its children.

use super::Value::{
    Boolean, Double, Integer, Integers, Name, Names, OneOf, Presence, Template, Text,
};
use super::{Attribute, Content, DEFAULT_MESSAGES, DISTRIBUTION_NAMES, Element, OPTIONAL};

const fn a(name: &'static str, value: super::Value, doc: &'static str) -> Attribute {
    Attribute::new(name, value, doc)
}

/// The root element.
pub const ROOT: Element = Element::new(
    "scenario",
    &[a(
        "name",
        Text,
        "Shown in messages; log files are named after the file, not after this.",
    )],
    "A whole scenario.",
)
.content(Content::Steps);

/// Attributes that every step may have.
pub const COMMON: &[Attribute] = &[
    a(
        "start_rtd",
        Name,
        "Starts the response timer of that name; `true` is timer `1`.",
    ),
    a(
        "rtd",
        Name,
        "Stops the response timer of that name and records the duration, once per call.",
    ),
    a("repeat_rtd", Boolean, "Records the duration at every pass."),
    a("counter", Name, "Adds 1 to the user counter of that name."),
    a(
        "lost",
        Double,
        "Percentage of messages dropped here, on send and on receive.",
    ),
    a(
        "crlf",
        Presence,
        "Blank line after this row on the scenario screen.",
    ),
    a(
        "ignoresdp",
        Boolean,
        "SDP that arrives here does not change the remote media address.",
    ),
    a(
        "hide",
        Boolean,
        "Leaves this row out of the scenario screen and the counts file.",
    ),
    a("hiderest", Boolean, "Default of `hide` from this step on."),
    a("display", Text, "Text shown for a `nop`."),
    a("condexec", Name, "Executes only if the variable is set."),
    a(
        "condexec_inverse",
        Boolean,
        "Executes only if the variable of `condexec` is not set.",
    ),
    a("next", Name, "Label to go to after this step."),
    a("test", Name, "Takes `next` only if the variable is set."),
    a(
        "chance",
        Double,
        "Takes `next` with this probability, 0 to 1.",
    ),
    a(
        "ontimeout",
        Name,
        "Label to go to when waiting or retransmitting ends without an answer.",
    ),
    a(
        "dialog",
        Name,
        "Dialog that the element belongs to, `main` by default; its keywords and actions speak of that dialog.",
    ),
];

const PAUSE: &[Attribute] = &[
    a("milliseconds", Double, "Length."),
    a("variable", Name, "Variable that holds the length."),
    a(
        "distribution",
        OneOf(DISTRIBUTION_NAMES),
        "Distribution that the length is drawn from.",
    ),
    a(
        "sanity_check",
        Boolean,
        "Refuses a length whose 99th percentile exceeds 2147483647 ms.",
    ),
    a("normal", Presence, "Old form of `distribution=\"normal\"`."),
    a(
        "lognormal",
        Presence,
        "Old form of `distribution=\"lognormal\"`.",
    ),
    a(
        "exponential",
        Presence,
        "Old form of `distribution=\"exponential\"`.",
    ),
    a(
        "weibull",
        Presence,
        "Old form of `distribution=\"weibull\"`.",
    ),
    a("pareto", Presence, "Old form of `distribution=\"pareto\"`."),
    a("gamma", Presence, "Old form of `distribution=\"gamma\"`."),
    a("value", Double, "Of `fixed`."),
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
];

const VARIABLES: &[Attribute] = &[a(
    "variables",
    Names,
    "Names, separated by commas and nothing else.",
)
.again()];

const BORDERS: &[Attribute] = &[a(
    "value",
    Integers,
    "Borders in milliseconds, separated by commas.",
)
.again()];

/// Children of `<scenario>`.
pub const ELEMENTS: &[Element] = &[
    Element::new(
        "send",
        &[
            a(
                "retrans",
                Integer,
                "First UDP retransmission interval in milliseconds; it doubles.",
            ),
            a(
                "timeout",
                Integer,
                "Milliseconds to wait on a congested socket.",
            ),
            a(
                "start_txn",
                Name,
                "Names the transaction that this request starts.",
            ),
            a("ack_txn", Name, "Names the transaction that this ACK ends."),
            a(
                "new_dialog",
                Boolean,
                "The dialog begins anew with this request, under another Call-ID.",
            ),
            a(
                "response_txn",
                Name,
                "Not allowed here: a transaction's response is received.",
            ),
        ],
        "Sends the message in its CDATA.",
    )
    .step()
    .content(Content::Cdata),
    Element::new(
        "recv",
        &[
            a("response", Text, "Status code to wait for."),
            a("request", Text, "Method to wait for."),
            a(
                "response_txn",
                Name,
                "Takes only responses of the transaction of that name.",
            ),
            a(
                "optional",
                OneOf(OPTIONAL),
                "`true`: may be passed over; `global`: may match at any later time.",
            ),
            a(
                "advance_state",
                Boolean,
                "`false`: an optional match leaves the call where it is.",
            ),
            a(
                "regexp_match",
                Text,
                "Exactly `true`: `response` or `request` is a regular expression.",
            ),
            a("timeout", Integer, "Milliseconds to wait."),
            a(
                "accept",
                Template,
                "The request that matches begins the dialog: the user part that its URI must have; empty for any.",
            ),
            a(
                "rrs",
                Boolean,
                "Stores route set and remote target of this message.",
            ),
            a("auth", Boolean, "Stores the challenge of a 401 or 407."),
        ],
        "Waits for a message.",
    )
    .step(),
    Element::new("pause", PAUSE, "Waits.").step(),
    Element::new(
        "timewait",
        PAUSE,
        "Waits for late messages; must be the last step.",
    )
    .step(),
    Element::new("nop", &[], "Executes its actions.").step(),
    Element::new(
        "sendCmd",
        &[a(
            "dest",
            Text,
            "Name of the peer to send to, in extended 3PCC.",
        )],
        "Sends its CDATA to the twin.",
    )
    .step()
    .content(Content::Cdata),
    Element::new(
        "recvCmd",
        &[
            a(
                "src",
                Text,
                "Name of the peer to receive from, in extended 3PCC: the `From:` of its commands.",
            ),
            a(
                "optional",
                OneOf(OPTIONAL),
                "`true`: may be passed over; `global`: may match at any later time.",
            ),
            a("timeout", Integer, "Milliseconds to wait."),
        ],
        "Waits for a command of the twin.",
    )
    .step(),
    Element::new(
        "label",
        &[a("id", Name, "Name that `next` and `ontimeout` refer to.").again()],
        "Names the next step.",
    ),
    Element::new(
        "init",
        &[],
        "Steps (`nop`, `label`, and Gossipper's `sendCmd` and `recvCmd`) that run once before traffic.",
    )
    .content(Content::Steps),
    Element::new(
        "Global",
        VARIABLES,
        "Declares variables shared by all calls.",
    ),
    Element::new("User", VARIABLES, "Declares variables kept per user."),
    Element::new(
        "Reference",
        VARIABLES,
        "Counts each variable as used once more.",
    ),
    Element::new(
        "ResponseTimeRepartition",
        BORDERS,
        "Histogram borders of the response timers named above it.",
    ),
    Element::new(
        "CallLengthRepartition",
        BORDERS,
        "Histogram borders of call lengths.",
    ),
    Element::new(
        "DefaultMessage",
        &[a("id", OneOf(DEFAULT_MESSAGES), "Which message it replaces.").again()],
        "Replaces a message that is sent automatically.",
    )
    .content(Content::Cdata),
];

/// Children of `<init>`.
pub const INIT_ELEMENTS: &[&str] = &["nop", "label", "sendCmd", "recvCmd"];
