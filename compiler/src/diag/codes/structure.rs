// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of structure, elements and attributes (G01xx).

use super::codes;

codes! {
    NOT_A_SCENARIO = 101 {
        title: "the root element is not `scenario`",
        explanation: "A scenario file is one `<scenario>` element with the steps inside it.",
        remedy: "Put all steps into one `<scenario>` element.",
        sipp: "stops with `No 'scenario' section in xml scenario file`",
        bad: r#"<«scenarios»><recv request="OPTIONS"/></scenarios>"#,
        good: r#"<scenario><recv request="OPTIONS"/></scenario>"#,
    }
    UNKNOWN_ELEMENT = 102 {
        title: "the element is unknown",
        explanation: "Under `<scenario>` stand steps (`send recv pause timewait nop sendCmd recvCmd`), `label`, `init` \
            and the declarations. Names are case-sensitive.",
        remedy: "Correct the name; `docs/scenario-reference.md` lists the elements.",
        sipp: "stops with `Unknown element` and the name, at the first one",
        bad: r#"<scenario><«receive» request="OPTIONS"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/></scenario>"#,
    }
    UNKNOWN_ATTRIBUTE = 103 {
        title: "the attribute is unknown",
        explanation: "No element of this name has such an attribute. SIPp ignores it without a word, which hides \
            spelling mistakes.",
        remedy: "Correct its name, or remove it; `docs/scenario-reference.md` lists the attributes.",
        sipp: "ignores it without a word",
        bad: r#"<scenario><recv request="OPTIONS" «option»="true"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" rrs="true"/></scenario>"#,
    }
    MISSING_ATTRIBUTE = 104 {
        title: "an attribute is missing",
        explanation: "The element means nothing without it, and there is no default that could be assumed.",
        remedy: "Add the attribute that the message names.",
        sipp: "stops, naming the element and the attribute",
        bad: r#"<scenario><«label»/><recv request="OPTIONS"/></scenario>"#,
        good: r#"<scenario><label id="1"/><recv request="OPTIONS" next="1"/></scenario>"#,
    }
    BAD_INTEGER = 105 {
        title: "the value is not an integer",
        explanation: "Integers are written as in C: decimal, hexadecimal after `0x`, octal after a leading 0, so `08` \
            is none. Nothing may follow the number, no unit either: all times are milliseconds.",
        remedy: "Write a whole number, times in milliseconds.",
        sipp: "stops with `\"5s\" is not a valid integer!`",
        bad: r#"<scenario><recv request="OPTIONS" timeout="«5s»"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" timeout="5000"/></scenario>"#,
    }
    BAD_NUMBER = 106 {
        title: "the value is not a number",
        explanation: "Numbers are written as in C, such as `2`, `0.5` or `1e3`, with a point and not a comma. Nothing \
            may follow, no unit either: all times are milliseconds.",
        remedy: "Write a number with a point, times in milliseconds.",
        sipp: "stops with `\"5 s\" is not a floating point number!`",
        bad: r#"<scenario><recv request="OPTIONS"/><pause milliseconds="«5 s»"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/><pause milliseconds="5000"/></scenario>"#,
    }
    BAD_BOOLEAN = 107 {
        title: "the value is neither true nor false",
        explanation: "Write `true` or `false`, `yes` or `no`, in any case, or an integer of which only 0 is false.",
        remedy: "Write `true` or `false`.",
        sipp: "stops with `\"on\" is not a valid boolean!`, and with `yes` and `no` too",
        bad: r#"<scenario><recv request="OPTIONS" rrs="«on»"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" rrs="true"/></scenario>"#,
    }
    BAD_CHOICE = 108 {
        title: "the value is not one of those allowed",
        explanation: "The attribute takes one of a few words, spelled exactly as listed.",
        remedy: "Write one of the words that the message lists.",
        sipp: "stops with `Could not understand optional value` and the word",
        bad: r#"<scenario><recv request="OPTIONS" optional="«yes»"/><recv request="INFO"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" optional="true"/><recv request="INFO"/></scenario>"#,
    }
    BAD_NAME = 109 {
        title: "the name is not allowed",
        explanation: "Names of variables, timers, counters and transactions are not empty and hold neither `$` nor a \
            comma. The `$` belongs to the keyword `[$name]` only, not to the name.",
        remedy: "Choose a name without `$` and commas.",
        sipp: "stops with `names may not contain $ or ,`",
        bad: r#"<scenario><recv request="OPTIONS" counter="«$n»"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" counter="n"/></scenario>"#,
    }
    BLANK_IN_NAME = 110 {
        title: "a name begins or ends with a blank",
        explanation: "Lists of names are split at the commas and nothing is trimmed: `\"a, b\"` names `a` and ` b`, and \
            the second is another variable than `b`.",
        remedy: "Remove the blank.",
        sipp: "takes the blank for part of the name, and then mostly stops because that name is used once",
        also: [303],
        bad: r#"<scenario><Global variables="_,« _»"/><recv request="OPTIONS"/></scenario>"#,
        good: r#"<scenario><Global variables="_,_"/><recv request="OPTIONS"/></scenario>"#,
    }
    BAD_LIST = 111 {
        title: "the value is not a list of integers",
        explanation: "Histogram borders are integers with commas between them, in milliseconds.",
        remedy: "Write whole numbers with commas between them.",
        sipp: "stops with `Could not create table`",
        bad: r#"<scenario><recv request="OPTIONS"/><CallLengthRepartition value="«10;20»"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/><CallLengthRepartition value="10, 20"/></scenario>"#,
    }
    MISSING_CDATA = 112 {
        title: "the message is missing",
        explanation: "The text of the message stands in a CDATA section inside the element.",
        remedy: "Put the message into `<![CDATA[` … `]]>` inside the element.",
        sipp: "stops with `No CDATA in 'send' section of xml scenario file`",
        bad: r#"<scenario><«send»/></scenario>"#,
        good: "<scenario><send><![CDATA[\nOPTIONS sip:[remote_ip] SIP/2.0\n\n]]></send></scenario>",
    }
    SEVERAL_CDATA = 113 {
        title: "only the first CDATA section is used",
        explanation: "An element holds one message. SIPp takes the first CDATA section and ignores the others.",
        remedy: "Make a step of each message.",
        sipp: "takes the first one and ignores the others without a word",
        bad: "<scenario><send><![CDATA[OPTIONS sip:a SIP/2.0]]><![CDATA[«Via: x»]]></send></scenario>",
        good: "<scenario><send><![CDATA[OPTIONS sip:a SIP/2.0]]></send></scenario>",
    }
    CDATA_IGNORED = 114 {
        title: "CDATA has no meaning in this element",
        explanation: "Only `send`, `sendCmd` and `DefaultMessage` hold a message.",
        remedy: "Remove it, or move it into a `<send>`.",
        sipp: "ignores it without a word",
        bad: r#"<scenario><recv request="OPTIONS">«<![CDATA[»x]]></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"></recv></scenario>"#,
    }
    ACTION_NOT_FIRST = 115 {
        title: "the `<action>` block is not the first child and is ignored",
        explanation: "SIPp looks at the first child element only. Comments and CDATA may stand before the block.",
        remedy: "Move the block to the front of the step.",
        sipp: "ignores the block, with all its actions, without a word",
        also: [117],
        bad: r#"<scenario><recv request="OPTIONS"><note/><«action»><log message="x"/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><log message="x"/></action></recv></scenario>"#,
    }
    DUPLICATE_ACTION = 116 {
        title: "the step has two `<action>` blocks",
        explanation: "A step has one block; put all its actions there.",
        remedy: "Put all actions into one block.",
        sipp: "runs the first block only, without a word",
        bad: r#"<scenario><recv request="OPTIONS"><action/><«action»/></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action/></recv></scenario>"#,
    }
    CHILD_IGNORED = 117 {
        title: "the element has no meaning here and is ignored",
        explanation: "A step holds one `<action>` block, and only that block holds actions.",
        remedy: "Move actions into the `<action>` block; remove what else it is.",
        sipp: "ignores it without a word",
        bad: r#"<scenario><recv request="OPTIONS"><«log» message="x"/></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><log message="x"/></action></recv></scenario>"#,
    }
    NO_STEPS = 118 {
        title: "the scenario has no steps",
        explanation: "At least one message must be sent or received.",
        remedy: "Add at least one `<send>` or `<recv>`.",
        sipp: "stops with `Did not find any messages inside of scenario!`",
        bad: r#"<«scenario»><Global variables="_"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/></scenario>"#,
    }
    NOT_IN_INIT = 119 {
        title: "the element is not allowed in `<init>`",
        explanation: "The section runs once, before the first call, so no message can be sent or received in it. It takes \
            `nop` and `label`, and commands of twins (`sendCmd` and `recvCmd`).",
        remedy: "Move the step out of `<init>`.",
        sipp: "stops with `Invalid element in an init stanza`, at commands too",
        bad: r#"<scenario><init><«pause»/></init><recv request="OPTIONS"/></scenario>"#,
        good: r#"<scenario><init><nop/></init><recv request="OPTIONS"/></scenario>"#,
    }
    EMPTY_VALUE = 120 {
        title: "the value is empty and counts as 0",
        explanation: "SIPp reads an empty number as 0. Leave the attribute out to get its default.",
        remedy: "Leave the attribute out to get its default, or write 0.",
        sipp: "reads it as 0 without a word",
        bad: r#"<scenario><recv request="OPTIONS" «timeout="»"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/></scenario>"#,
    }
    NO_EFFECT = 121 {
        title: "the attribute has no effect here",
        explanation: "The attribute is known but means nothing in this combination, for example `test` without \
            `next`, or `header` when not searching in a header.",
        remedy: "Remove it, or add what it belongs to.",
        sipp: "ignores it without a word",
        bad: r#"<scenario><recv request="OPTIONS" «chance»="0.5"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/></scenario>"#,
    }
    OUT_OF_RANGE = 122 {
        title: "the value is out of range",
        explanation: "A `chance` lies between 0 and 1, a `lost` percentage between 0 and 100, and times are not \
            negative.",
        remedy: "Write a value inside the range that the message names.",
        sipp: "stops with `not in range` for a `chance`; other values it takes as they are",
        bad: r#"<scenario><label id="1"/><recv request="OPTIONS" next="1" chance="«50»"/></scenario>"#,
        good: r#"<scenario><label id="1"/><recv request="OPTIONS" next="1" chance="0.5"/></scenario>"#,
    }
    REPEAT_WITHOUT_RTD = 123 {
        title: "`repeat_rtd` without `rtd`",
        explanation: "It says whether the timer that `rtd` stops is recorded at every pass, so it needs one.",
        remedy: "Add `rtd`, or remove `repeat_rtd`.",
        sipp: "stops with `There is a repeat_rtd element without an rtd element`",
        bad: r#"<scenario><recv request="OPTIONS" «repeat_rtd»="true"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" start_rtd="1"/><recv request="BYE" rtd="1" repeat_rtd="true"/></scenario>"#,
    }
}
