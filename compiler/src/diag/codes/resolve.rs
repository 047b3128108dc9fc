// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of resolving names (G03xx).

use super::codes;

codes! {
    UNDEFINED_LABEL = 301 {
        title: "the label is not defined",
        explanation: "`next` and `ontimeout` name a `<label id=\"…\"/>` of the scenario. Inside `<init>` only the \
            labels of `<init>` count.",
        remedy: "Add `<label id=\"…\"/>`, or correct the name.",
        sipp: "stops with `The label 'done' was not defined`",
        bad: r#"<scenario><recv request="OPTIONS" next="«done»"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" next="done"/>
<label id="done"/></scenario>"#,
    }
    DUPLICATE_LABEL = 302 {
        title: "the label is defined twice",
        explanation: "A label names one place.",
        remedy: "Rename one of them, and the steps that go there.",
        sipp: "stops with `The label name '1' is used twice.`",
        bad: r#"<scenario><label id="1"/>
<recv request="OPTIONS" next="1"/>
<label id="«1»"/></scenario>"#,
        good: r#"<scenario><label id="1"/>
<recv request="OPTIONS" next="1"/></scenario>"#,
    }
    VARIABLE_MENTIONED_ONCE = 303 {
        title: "the variable is mentioned only once",
        explanation: "A variable that is only written or only read is almost always misspelled, so SIPp refuses it. \
            Use the variable `_` for a value that nobody needs, or mention the name in a `<Reference \
            variables=\"…\"/>`.",
        remedy: "Correct the name, use `_`, or mention it in a `<Reference>`.",
        sipp: "stops with `Variable $count is referenced 1 times!`",
        bad: r#"<scenario><recv request="OPTIONS"><action><assign assign_to="«count»" value="1"/></action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action><assign assign_to="_" value="1"/></action></recv></scenario>"#,
    }
    UNKNOWN_REFERENCE = 304 {
        title: "`Reference` names a variable that is not there yet",
        explanation: "`<Reference>` adds a mention of a variable that the scenario has declared or used above it.",
        remedy: "Correct the name, or move the `<Reference>` below the first use.",
        sipp: "stops with `Could not reference non-existant variable 'x'`",
        bad: r#"<scenario><Reference variables="«x»"/>
<recv request="OPTIONS"/></scenario>"#,
        good: r#"<scenario><Global variables="x"/>
<Reference variables="x"/>
<recv request="OPTIONS"/></scenario>"#,
    }
    DECLARED_LATE = 305 {
        title: "the variable is declared after its first use",
        explanation: "Every use of a variable before its `<Global>` or `<User>` makes it local to the call, and the \
            declaration below then concerns another variable that nobody can reach.",
        remedy: "Move the declaration to the top of the scenario.",
        sipp: "makes two variables of it, and stops when one of them is mentioned only once",
        bad: r#"<scenario><recv request="OPTIONS"><action><assign assign_to="x" value="1"/></action></recv>
<Global variables="«x»"/></scenario>"#,
        good: r#"<scenario><Global variables="x"/>
<recv request="OPTIONS"><action><assign assign_to="x" value="1"/></action></recv></scenario>"#,
    }
    RTD_NEVER_STOPPED = 306 {
        title: "the response timer is started and never stopped",
        explanation: "`start_rtd` starts a timer that some step must stop with `rtd`.",
        remedy: "Add `rtd=\"…\"` with that name to the step that ends the exchange.",
        sipp: "stops with `You have started Response Time Duration 1, but have never stopped it!`",
        bad: r#"<scenario><send start_rtd="«1»"><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0

]]></send>
<recv response="200"/></scenario>"#,
        good: r#"<scenario><send start_rtd="1"><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0

]]></send>
<recv response="200" rtd="1"/></scenario>"#,
    }
    TXN_MISPLACED = 307 {
        title: "a transaction attribute on a message that cannot have it",
        explanation: "`start_txn` belongs to a request other than ACK, `ack_txn` to an ACK, `response_txn` to a \
            `<recv>` with `response`.",
        remedy: "Move the attribute to the message it belongs to.",
        sipp: "stops, for instance with `Responses can not start a transaction`",
        also: [308],
        bad: r#"<scenario><recv request="OPTIONS"/>
<send start_txn="«t»"><![CDATA[
SIP/2.0 200 OK

]]></send></scenario>"#,
        good: r#"<scenario><send start_txn="t"><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0

]]></send>
<recv response="200" response_txn="t"/></scenario>"#,
    }
    TXN_INCOMPLETE = 308 {
        title: "a transaction lacks one of its parts",
        explanation: "A transaction is started by a request (`start_txn`) and has a response (`response_txn`); that \
            of an INVITE has an ACK (`ack_txn`), any other has none.",
        remedy: "Add the missing attribute, or remove the transaction.",
        sipp: "stops, for instance with `Transaction t has no responses defined!`",
        also: [522],
        bad: r#"<scenario><send start_txn="«t»"><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0

]]></send>
<recv response="200"/></scenario>"#,
        good: r#"<scenario><send start_txn="t"><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0

]]></send>
<recv response="200" response_txn="t"/></scenario>"#,
    }
    UNKNOWN_DIALOG = 350 {
        title: "a keyword speaks of a dialog that no step belongs to",
        explanation: "`[call_id dialog=NAME]`, `[last_From: dialog=NAME]` and their kin print something of another \
            dialog. `NAME` is what the `dialog` of some `<send>` or `<recv>` says, or `main`.",
        remedy: "Write the name that some step has as `dialog`, or `main`.",
        sipp: "knows no dialog in a keyword and stops with `Unsupported keyword`",
        bad: r#"<scenario><send dialog="out"><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0

]]></send>
<recv response="200" dialog="out"><action><log message="[call_id dialog=«ot»]"/></action></recv></scenario>"#,
        good: r#"<scenario><send dialog="out"><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0

]]></send>
<recv response="200" dialog="out"><action><log message="[call_id dialog=main]"/></action></recv></scenario>"#,
    }
}
