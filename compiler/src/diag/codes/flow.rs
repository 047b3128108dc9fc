// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of the flow of steps (G05xx): 501 to 519 are what the parser finds, later numbers what later phases find.

use super::codes;

codes! {
    AFTER_TIMEWAIT = 501 {
        title: "a step follows `<timewait>`",
        explanation: "The call ends there, so it must be the last step.",
        remedy: "Move `<timewait>` to the end, or make it a `<pause>`.",
        sipp: "stops with `<timewait> can only be the last message in a scenario!`",
        bad: r#"<scenario><recv request="OPTIONS"/><timewait milliseconds="10"/><«nop»/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/><nop/><timewait milliseconds="10"/></scenario>"#,
    }
    TIMEWAIT_BRANCHES = 502 {
        title: "`<timewait>` cannot branch",
        explanation: "The call ends there, so `next` and `ontimeout` have nowhere to go from.",
        remedy: "Remove the attribute, or make it a `<pause>`.",
        sipp: "stops with `next labels are not allowed in <timewait> elements.`",
        bad: r#"<scenario><label id="1"/><recv request="OPTIONS"/><timewait «next»="1"/></scenario>"#,
        good: r#"<scenario><label id="1"/><recv request="OPTIONS" next="1"/><timewait/></scenario>"#,
    }
    OPTIONAL_BEFORE_STEP = 503 {
        title: "an optional step is not followed by a mandatory one",
        explanation: "Optional steps wait together with the mandatory `recv` behind them: the call could never go on \
            without it. Make the last of them mandatory, or add a mandatory `recv`.",
        remedy: "Add a mandatory `<recv>` behind it, or make the last optional one mandatory.",
        sipp: "stops with `sequence without a mandatory message`",
        bad: r#"<scenario><«recv» request="OPTIONS" optional="true"/><pause/></scenario>"#,
        good: r#"<scenario><recv request="INFO" optional="true"/><recv request="OPTIONS"/><pause/></scenario>"#,
    }
    ADVANCE_ON_MANDATORY = 504 {
        title: "`advance_state=\"false\"` on a mandatory `<recv>`",
        explanation: "The call could never get past it. Only an optional `recv` may leave the state where it is.",
        remedy: "Add `optional=\"true\"`, or remove `advance_state`.",
        sipp: "stops with `advance_state is allowed only for optional messages`",
        bad: r#"<scenario><recv request="OPTIONS" «advance_state="false»"/></scenario>"#,
        good: r#"<scenario><recv request="INFO" optional="true" advance_state="false"/><recv request="OPTIONS"/></scenario>"#,
    }
    MATCHES_NOTHING = 505 {
        title: "the `<recv>` can never match",
        explanation: "It names neither a `request` nor a `response`, or a `response` outside 100 to 699, so no message \
            will ever satisfy it.",
        remedy: "Add `request` or `response`.",
        sipp: "loads the scenario and stops, or crashes, when it shows the step on screen",
        bad: r#"<scenario><«recv»/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/></scenario>"#,
    }
    PARTIAL_STATUS_CODE = 506 {
        title: "only the digits of `response` are compared",
        explanation: "SIPp reads the number in front and ignores the rest. For a pattern add `regexp_match=\"true\"`.",
        remedy: "Write the digits only.",
        sipp: "3.6.1 stops with `is not a valid integer!`; later versions read the digits in front",
        bad: "<scenario><send><![CDATA[OPTIONS sip:a SIP/2.0]]></send><recv response=\"«200 OK»\"/></scenario>",
        good: "<scenario><send><![CDATA[OPTIONS sip:a SIP/2.0]]></send><recv response=\"200\"/></scenario>",
    }
    OPTIONAL_COMMAND_ALONE = 507 {
        title: "an optional `<recvCmd>` that nothing else ends",
        explanation: "No receive stands behind it, so the call goes on when its `timeout` is over, or 250 ms where it has \
            none, as in Gossipper. A command that comes later finds the call elsewhere.",
        remedy: "Make it mandatory, or add a mandatory `<recv>` behind it.",
        sipp: "stops with `sequence without a mandatory message`",
        bad: r#"<scenario><«recvCmd» optional="true"/><send><![CDATA[OPTIONS sip:a SIP/2.0
            ...

            ]]></send></scenario>"#,
        good: r#"<scenario><recvCmd/><send><![CDATA[OPTIONS sip:a SIP/2.0
            ...

            ]]></send></scenario>"#,
    }
    NO_MODE = 520 {
        title: "the scenario neither sends nor receives",
        explanation: "The first `<send>` or `<recv>` decides whether calls are opened by the tool or by incoming \
            messages.",
        remedy: "Add a `<send>` or a `<recv>`.",
        sipp: "stops with `Unable to determine creation mode of the tool (server, client)`",
        bad: r#"<«scenario»><pause milliseconds="5"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/>
<pause milliseconds="5"/></scenario>"#,
    }
    UNREACHABLE = 521 {
        title: "the step cannot be reached",
        explanation: "No path from the first step leads here: every step before it goes elsewhere with `next`, and no \
            label names this place.",
        remedy: "Remove the step, or add a label that leads to it.",
        sipp: "says nothing",
        bad: r#"<scenario><recv request="OPTIONS" next="end"/>
<«pause» milliseconds="5"/>
<label id="end"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/>
<pause milliseconds="5"/></scenario>"#,
    }
    NEVER_MATCHES = 522 {
        title: "the response can never match",
        explanation: "A response belongs to a request that the scenario has sent: its CSeq method must be that of a \
            `<send>` above. Above this `<recv>` no request is sent.",
        remedy: "Remove the step, or send the request above it.",
        sipp: "says nothing; the call waits for ever, or fails when a response comes",
        bad: r#"<scenario><recv request="OPTIONS"/>
<«recv» response="200"/></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0

]]></send>
<recv response="200"/></scenario>"#,
    }
    PAUSE_TOO_LONG = 523 {
        title: "the pause is longer than 24 days",
        explanation: "One pause in a hundred would be longer than 2^31 - 1 milliseconds. If that is meant, add \
            `sanity_check=\"false\"`.",
        remedy: "Write the pause in milliseconds, or add `sanity_check=\"false\"`.",
        sipp: "stops because the 99th percentile is larger than INT_MAX",
        bad: r#"<scenario><recv request="OPTIONS"/>
<pause milliseconds="«1e10»"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/>
<pause milliseconds="1e10" sanity_check="false"/></scenario>"#,
    }
    DISTRIBUTION = 524 {
        title: "the distribution's parameters make no sense",
        explanation: "For instance a negative deviation, a probability above 1, or a lower end above the upper one.",
        remedy: "Correct the parameter that the message names.",
        sipp: "stops for some and loads others, then with values that mean nothing",
        bad: r#"<scenario><recv request="OPTIONS"/>
<pause distribution="«normal»" mean="10" stdev="-1"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/>
<pause distribution="normal" mean="10" stdev="1"/></scenario>"#,
    }
    TOO_LARGE = 525 {
        title: "the scenario is too large",
        explanation: "A program addresses up to 65535 entries of a kind: steps, messages, variables, expressions, \
            numbers.",
        remedy: "Split the scenario.",
        sipp: "has no such limit",
    }
    WRONG_DEFAULT_MESSAGE = 526 {
        title: "the default message is of the wrong kind",
        explanation: "`ack`, `bye` and `cancel` replace requests, `200` replaces a response.",
        remedy: "Write a request for `ack`, `bye` and `cancel`, a response for `200`.",
        sipp: "says nothing and sends what is written",
        bad: r#"<scenario><DefaultMessage id="«200»"><![CDATA[
BYE sip:a SIP/2.0

]]></DefaultMessage>
<recv request="OPTIONS"/></scenario>"#,
        good: r#"<scenario><DefaultMessage id="200"><![CDATA[
SIP/2.0 200 OK

]]></DefaultMessage>
<recv request="OPTIONS"/></scenario>"#,
    }
    NEVER_SENT = 527 {
        title: "the default message is never sent",
        explanation: "`ack2` is known to SIPp and never used by it.",
        remedy: "Remove it, or replace `ack`.",
        sipp: "takes it without a word and never sends it",
        bad: r#"<scenario><DefaultMessage id="«ack2»"><![CDATA[
ACK sip:a SIP/2.0

]]></DefaultMessage>
<recv request="OPTIONS"/></scenario>"#,
        good: r#"<scenario><DefaultMessage id="ack"><![CDATA[
ACK sip:a SIP/2.0

]]></DefaultMessage>
<recv request="OPTIONS"/></scenario>"#,
    }
    REFUSED_PROGRAM = 528 {
        title: "the verifier refuses the compiled program",
        explanation: "This is a fault of the compiler, not of the scenario. Please report it with the scenario file.",
        remedy: "Report it, with the scenario file.",
        sipp: "has no such step",
    }
    AUTH_WITHOUT_EFFECT = 529 {
        title: "`auth` has no effect",
        explanation: "`auth=\"true\"` stores the challenge of a 401 or a 407. Nothing else brings one, and so a `<recv>` \
            of anything else is no different with it.",
        remedy: "Move `auth=\"true\"` to the `<recv>` of the 401 or 407.",
        sipp: "stores nothing without a word",
        bad: r#"<scenario><send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0

]]></send>
<«recv» response="403" auth="true"/></scenario>"#,
        good: r#"<scenario><send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0

]]></send>
<recv response="401" auth="true"/></scenario>"#,
    }
    DIALOG_NOT_NAMED = 550 {
        title: "a dialog that begins has no name",
        explanation: "`accept` and `new_dialog` begin a dialog beside the main one, which the call has from its birth to \
            its end. Say which with `dialog`.",
        remedy: "Add `dialog=\"name\"`.",
        sipp: "has one dialog per call and ignores the attributes",
        bad: r#"<scenario><send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0

]]></send>
<recv response="200"/><recv request="INVITE" accept="«bob»"/></scenario>"#,
        good: r#"<scenario><send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0

]]></send>
<recv response="200"/><recv request="INVITE" dialog="in" accept="bob"/></scenario>"#,
    }
    ACCEPT_WITHOUT_REQUEST = 551 {
        title: "`accept` on a receive of no request",
        explanation: "A dialog of the peer begins with a request of its own. A response belongs to a request of ours.",
        remedy: "Put `accept` on a `<recv>` with `request`.",
        sipp: "has one dialog per call and ignores the attribute",
        bad: r#"<scenario><send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0

]]></send>
<recv response="200" dialog="in" accept="«bob»"/></scenario>"#,
        good: r#"<scenario><send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0

]]></send>
<recv response="200"/><recv request="INVITE" dialog="in" accept="bob"/></scenario>"#,
    }
    ACCEPT_OF_URI = 552 {
        title: "`accept` holds more than a user",
        explanation: "`accept` is compared with the user part of the request URI: what stands between `sip:` and `@`. \
            With more in it no request matches.",
        remedy: "Write the user alone, or leave the value empty for any user.",
        sipp: "has one dialog per call and ignores the attribute",
        bad: r#"<scenario><send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0

]]></send>
<recv response="200"/><recv request="INVITE" dialog="in" accept="«sip:bob@[local_ip]»"/></scenario>"#,
        good: r#"<scenario><send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0

]]></send>
<recv response="200"/><recv request="INVITE" dialog="in" accept="bob"/></scenario>"#,
    }
    CANNOT_BEGIN = 553 {
        title: "`new_dialog` on a message that begins no dialog",
        explanation: "A dialog begins with a request that is neither ACK nor CANCEL.",
        remedy: "Put `new_dialog` on the request that begins the dialog.",
        sipp: "has one dialog per call and ignores the attribute",
        bad: r#"<scenario><send dialog="out"><![CDATA[
OPTIONS sip:[remote_ip] SIP/2.0

]]></send>
<recv request="OPTIONS" dialog="out"/>
<send dialog="out" «new_dialog»="true"><![CDATA[
SIP/2.0 200 OK

]]></send></scenario>"#,
        good: r#"<scenario><send dialog="out"><![CDATA[
OPTIONS sip:[remote_ip] SIP/2.0

]]></send>
<recv response="200" dialog="out"/>
<send dialog="out" new_dialog="true"><![CDATA[
OPTIONS sip:[remote_ip] SIP/2.0

]]></send></scenario>"#,
    }
    FIRST_OF_ANOTHER = 554 {
        title: "the first message of a server belongs to another dialog",
        explanation: "A server's call is born of a message, whose dialog is the main one of the call. So the `<recv>` that \
            gets it names no dialog.",
        remedy: "Remove `dialog` and `accept` from the first `<recv>`.",
        sipp: "has one dialog per call and ignores the attributes",
        bad: r#"<scenario><recv request="OPTIONS" dialog="«in»" accept=""/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/></scenario>"#,
    }
    NEVER_BEGUN = 555 {
        title: "a dialog never begins",
        explanation: "A dialog begins with the first request that a `<send>` of it sends, or with the one that a `<recv>` \
            of it accepts (`accept`). Without either it has no Call-ID, and no message belongs to it.",
        remedy: "Add `accept` to the `<recv>` that begins the dialog, or a `<send>` of a request before it.",
        sipp: "has one dialog per call and ignores the attribute",
        bad: r#"<scenario><send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0

]]></send>
<recv response="200"/><recv request="INVITE" dialog="«in»"/></scenario>"#,
        good: r#"<scenario><send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0

]]></send>
<recv response="200"/><recv request="INVITE" dialog="in" accept=""/></scenario>"#,
    }
}
