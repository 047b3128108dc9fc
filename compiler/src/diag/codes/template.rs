// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of templates and keywords (G02xx).

use super::codes;

codes! {
    EMPTY_TEXT = 201 {
        title: "the message is empty",
        explanation: "Leading and trailing blanks and line ends are removed first; what is left must be more than one \
            character.",
        remedy: "Write the message, or remove the step.",
        sipp: "stops with a message about keywords and the method",
        bad: r#"<scenario><send><![CDATA[«

»]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0

]]></send></scenario>"#,
    }
    NO_START_LINE = 202 {
        title: "the message does not begin with a method or `SIP/2.0`",
        explanation: "The first line of a message is `METHOD uri SIP/2.0` or `SIP/2.0 code reason`. Its first word \
            must be plain text, not a keyword: which method or code a step sends is known before the run.",
        remedy: "Write the method or `SIP/2.0` as plain text in front of the first line.",
        sipp: "stops with `You can not use a keyword for the METHOD`",
        bad: r#"<scenario><send><![CDATA[
«[service]» sip:[remote_ip] SIP/2.0

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0

]]></send></scenario>"#,
    }
    STATUS_CODE = 203 {
        title: "the status code of a response is missing or out of range",
        explanation: "A response begins with `SIP/2.0`, a blank and a code from 100 to 699, written as a number.",
        remedy: "Write a number from 100 to 699 behind `SIP/2.0`.",
        sipp: "stops with `Response codes must be in the range of 100-700`",
        bad: r#"<scenario><recv request="OPTIONS"/>
<send><![CDATA[
SIP/2.0 «99» OK

]]></send></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/>
<send><![CDATA[
SIP/2.0 200 OK

]]></send></scenario>"#,
    }
    EMPTY_KEYWORD = 204 {
        title: "a pair of brackets without a keyword",
        explanation: "A `[` always begins a keyword. Write `\\x5b` for a literal bracket.",
        remedy: "Write the name of the keyword, or `\\x5b` for a bracket.",
        sipp: "stops with `Syntax error or invalid [keyword] in scenario`",
        bad: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
X: «[]»

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
X: \x5b]

]]></send></scenario>"#,
    }
    UNCLOSED = 205 {
        title: "a keyword without `]`",
        explanation: "A `[` always begins a keyword, which ends with `]` on the same line. Write `\\x5b` for a \
            literal bracket.",
        remedy: "Add the `]`, or write `\\x5b` for a bracket.",
        sipp: "stops with `Syntax error or invalid [keyword] in scenario`",
        bad: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
X: «[service»

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
X: [service]

]]></send></scenario>"#,
    }
    BAD_PARAMETER = 206 {
        title: "a keyword's name or parameter cannot be read",
        explanation: "`[$name]` needs the name of a variable, `[last_Name:]` that of a header, `[fill]` a \
            `variable=`. Parameters are written `name=\"value\"`.",
        remedy: "Write the name or the parameter that the message asks for.",
        sipp: "stops, or reads something else: `[fill]` without a variable ends with `Transaction names may not be empty`",
        bad: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
X: «[fill text="ab"]»

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
X: [fill text="ab" variable=_]

]]></send></scenario>"#,
    }
    SHORT_ESCAPE = 207 {
        title: "`\\x` without two hexadecimal digits",
        explanation: "`\\xHH` is the byte with that number. With one digit or none SIPp drops the character behind \
            it.",
        remedy: "Write two hexadecimal digits.",
        sipp: "drops the character behind the `\\x` without a word",
        bad: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
...
X: a«\x2z»

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
...
X: a\x20z

]]></send></scenario>"#,
    }
    SEVERAL_LEN = 208 {
        title: "`[len]` stands twice in a message",
        explanation: "SIPp fills in only the last `[len]` of a message. Here each one prints the length.",
        remedy: "Remove one of the two.",
        sipp: "fills in the last one only and sends the other as blanks",
        bad: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
...
X: [len]
Content-Length: «[len]»

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
...
Content-Length: [len]

]]></send></scenario>"#,
    }
    DOUBLE_BRACKET = 209 {
        title: "`[[` prints a bracket in front of the value",
        explanation: "SIPp prints the value, a bracket and arbitrary bytes here. This version prints the value \
            between brackets; `\\x5b` says so plainly.",
        remedy: "Write `\\x5b` for the bracket.",
        sipp: "prints the value, a bracket and bytes of its own memory",
        bad: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
...
X: «[»[service]]

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
...
X: \x5b[service]]

]]></send></scenario>"#,
    }
    WRONG_LENGTH = 210 {
        title: "Content-Length differs from the length of the body",
        explanation: "The number is sent as it is written. The peer reads as many bytes as it says, so over a stream \
            the next message begins in the wrong place. Line ends count two bytes.",
        remedy: "Write `Content-Length: [len]`.",
        sipp: "sends the number as it is written",
        bad: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
...
Content-Type: text/plain
Content-Length: «3»

body

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
...
Content-Type: text/plain
Content-Length: [len]

body

]]></send></scenario>"#,
    }
    NO_OFFSET = 211 {
        title: "the keyword takes no offset",
        explanation: "A number behind a sign changes the value of keywords that are numbers, such as `[cseq+1]`. \
            Elsewhere it is ignored, here as in SIPp.",
        remedy: "Remove the offset.",
        sipp: "ignores it without a word",
        bad: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
...
X: «[service+1]»

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
...
X: [cseq+1]

]]></send></scenario>"#,
    }
    UNKNOWN_KEYWORD = 213 {
        title: "the keyword is unknown",
        explanation: "Keywords are case-sensitive, have no blank behind the bracket, and may also be defined with \
            `-key NAME VALUE`. Write `\\x5b` for a literal bracket.",
        remedy: "Correct the name, define it with `-key`, or write `\\x5b` for a bracket.",
        sipp: "stops with `Unsupported keyword` and its name, at the first one",
        bad: r#"<scenario><send><![CDATA[
OPTIONS sip:[remote_ip]:«[remote_prot]» SIP/2.0

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[remote_ip]:[remote_port] SIP/2.0

]]></send></scenario>"#,
    }
    INJECTION_FILE = 214 {
        title: "the injection file is not there",
        explanation: "`[fieldN]` prints a field of the first injection file, `[fieldN file=\"f.csv\"]` one of `f.csv`. \
            Name each file with `-inf`, when the scenario runs and when it is compiled. A scenario knows a file by its \
            name without the folder.",
        remedy: "Name the file with `-inf`.",
        sipp: "stops with `Invalid injection file`",
        bad: r#"<scenario><send><![CDATA[
OPTIONS sip:[field0 file="«users.csv»"]@[remote_ip] SIP/2.0

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0

]]></send></scenario>"#,
    }
    AUTHENTICATION_PLACE = 215 {
        title: "`[authentication]` has no place here",
        explanation: "It prints a whole header with the answer to a challenge, so it stands on a line of its own among \
            the headers of a request. A response, a body and the text of an action have no use for it; SIPp ends the \
            run when it comes there.",
        remedy: "Move it to a line of its own among the headers of a request.",
        sipp: "loads the scenario and ends the whole run when it comes there",
        bad: r#"<scenario><recv request="REGISTER"/>
<send><![CDATA[
SIP/2.0 200 OK
«[authentication]»

]]></send></scenario>"#,
        good: r#"<scenario><recv request="REGISTER"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]

]]></send></scenario>"#,
    }
    SEVERAL_AUTHENTICATION = 216 {
        title: "`[authentication]` more than once in a message",
        explanation: "One keyword answers whatever the last 401 or 407 has asked for. To answer one of each kind that \
            came one after the other, write `[authentication all=true]`.",
        remedy: "Keep one of them.",
        sipp: "loads the scenario and ends the run when it comes to the message",
        bad: r#"<scenario><send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0

]]></send>
<recv response="401" auth="true"/>
<send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0
[authentication username=joe]
«[authentication username=jim]»

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0

]]></send>
<recv response="401" auth="true"/>
<send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0
[authentication username=joe]

]]></send></scenario>"#,
    }
    NO_CHALLENGE = 217 {
        title: "`[authentication]` without a challenge",
        explanation: "The keyword answers the challenge that a `<recv>` with `auth=\"true\"` has stored. Without one \
            the call fails when it comes to this message.",
        remedy: "Write `auth=\"true\"` into the `<recv>` of the 401 or 407.",
        sipp: "loads the scenario and ends the whole run when it comes to the message",
        bad: r#"<scenario><send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0

]]></send>
<recv response="401"/>
<send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0
«[authentication username=joe password=secret]»

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0

]]></send>
<recv response="401" auth="true"/>
<send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0
[authentication username=joe password=secret]

]]></send></scenario>"#,
    }
}
