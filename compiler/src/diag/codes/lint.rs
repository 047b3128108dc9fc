// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of lints (G06xx): what runs and surprises.

use super::codes;

codes! {
    MISSING_HEADER = 601 {
        title: "a message lacks a header that every message has",
        explanation: "Without Via, From, To, Call-ID and CSeq a peer cannot tell which transaction and which dialog a \
            message belongs to, and drops it.",
        remedy: "Add the header; in a response repeat that of the request, such as `[last_CSeq:]`.",
        sipp: "sends the message as it is",
        bad: r#"<scenario><recv request="OPTIONS"/>
<send><![CDATA[
«SIP/2.0 200 OK»
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_CSeq:]

]]></send></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]

]]></send></scenario>"#,
    }
    MAX_FORWARDS = 602 {
        title: "a request has no Max-Forwards",
        explanation: "The number ends loops between proxies: each lowers it by one. RFC 3261 demands it of every \
            request, but most peers do without.",
        remedy: "Add `Max-Forwards: 70`.",
        sipp: "sends the message as it is",
        also: [627],
        bad: r#"<scenario><send><![CDATA[
«OPTIONS sip:[service]@[remote_ip] SIP/2.0»
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:[service]@[remote_ip]>
Call-ID: [call_id]
CSeq: [cseq] OPTIONS

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:[service]@[remote_ip]>
Call-ID: [call_id]
CSeq: [cseq] OPTIONS
Max-Forwards: 70

]]></send></scenario>"#,
    }
    CSEQ_METHOD = 603 {
        title: "CSeq names another method than the request",
        explanation: "CSeq repeats the method of the request, and responses repeat CSeq. A peer refuses the request, or \
            answers with a CSeq that no `<recv>` of this scenario takes. Mostly the message was copied from another.",
        remedy: "Write the method of the first line into CSeq.",
        sipp: "sends the message as it is, and then takes responses by the first line of its own request",
        bad: r#"<scenario><send><![CDATA[
BYE sip:[service]@[remote_ip] SIP/2.0
CSeq: 2 «INVITE»
...

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
BYE sip:[service]@[remote_ip] SIP/2.0
CSeq: 2 BYE
...

]]></send></scenario>"#,
    }
    CALL_ID = 604 {
        title: "the Call-ID is not that of the call",
        explanation: "Messages find their call by Call-ID. With another one, written down or made of other keywords, \
            every answer is a message without a call.",
        remedy: "Write `Call-ID: [call_id]`; a prefix may stand in front of it as `prefix///[call_id]`.",
        sipp: "sends the message as it is and counts the answers as out of call",
        bad: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
Call-ID: «4711@example.com»
...

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
Call-ID: [call_id]
...

]]></send></scenario>"#,
    }
    NO_CONTENT_LENGTH = 605 {
        title: "a body without Content-Length",
        explanation: "Over a stream the header is what says where the message ends; without it the peer waits for \
            more, or reads the body as the next message. Over UDP the datagram ends it.",
        remedy: "Add `Content-Length: [len]`.",
        sipp: "sends the message as it is; it computes the length only for `[len]`",
        bad: r#"<scenario><send><![CDATA[
«MESSAGE sip:[service]@[remote_ip] SIP/2.0»
Content-Type: text/plain
...

hello

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
MESSAGE sip:[service]@[remote_ip] SIP/2.0
Content-Type: text/plain
Content-Length: [len]
...

hello

]]></send></scenario>"#,
    }
    NO_CONTENT_TYPE = 606 {
        title: "a body without Content-Type",
        explanation: "The header says what the body is. A peer need not look into a body of unknown type, so that an \
            offer of media is not seen.",
        remedy: "Add `Content-Type: application/sdp`, or what the body is.",
        sipp: "sends the message as it is",
        bad: r#"<scenario><send><![CDATA[
«MESSAGE sip:[service]@[remote_ip] SIP/2.0»
Content-Length: [len]
...

hello

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
MESSAGE sip:[service]@[remote_ip] SIP/2.0
Content-Type: text/plain
Content-Length: [len]
...

hello

]]></send></scenario>"#,
    }
    FROM_TAG = 607 {
        title: "the From of a request has no tag",
        explanation: "The tags of From and To and the Call-ID are what names a dialog. RFC 3261 demands the tag of From \
            in every request.",
        remedy: "Add one that differs from call to call: `;tag=[pid]tag[call_number]`.",
        sipp: "sends the message as it is",
        bad: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
From: «<sip:a@[local_ip]>»
...

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
From: <sip:a@[local_ip]>;tag=[pid]tag[call_number]
...

]]></send></scenario>"#,
    }
    NO_CONTACT = 608 {
        title: "an INVITE without Contact",
        explanation: "Contact is the address to which the peer sends its own requests of the dialog, a BYE for one.",
        remedy: "Add `Contact: <sip:[local_ip]:[local_port];transport=[transport]>`.",
        sipp: "sends the message as it is",
        bad: r#"<scenario><send><![CDATA[
«INVITE sip:[service]@[remote_ip] SIP/2.0»
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:a@[local_ip]>;tag=[call_number]
To: <sip:[service]@[remote_ip]>
Call-ID: [call_id]
CSeq: 1 INVITE
Max-Forwards: 70

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
Contact: <sip:[local_ip]:[local_port];transport=[transport]>
...

]]></send></scenario>"#,
    }
    LITERAL_BRANCH = 609 {
        title: "every call sends the same branch",
        explanation: "The branch names the transaction. A peer that sees it again takes the request for a repetition \
            and repeats its response, or none; with two calls at once both are confused.",
        remedy: "Write `branch=[branch]`, which differs from call to call and from step to step.",
        sipp: "sends the message as it is",
        bad: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
Via: «SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK-1»
...

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
...

]]></send></scenario>"#,
    }
    NO_ACK = 610 {
        title: "no ACK follows the final response to an INVITE",
        explanation: "An INVITE is done when its final response, good or bad, has been acknowledged. Without the ACK \
            the peer repeats the response for 32 seconds and then gives the call up. No ACK is sent by itself for a \
            response that a `<recv>` expects.",
        remedy: "Send an ACK behind the `<recv>`, or behind the label to which it goes.",
        sipp: "sends no ACK either, and aborts the call when the response comes again",
        bad: r#"<scenario><send><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<«recv» response="200"/></scenario>"#,
        good: r#"<scenario><send><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<recv response="200"/>
<send><![CDATA[
ACK sip:[service]@[remote_ip] SIP/2.0
...

]]></send></scenario>"#,
    }
    NO_ACK_ON_A_PATH = 611 {
        title: "a path leads to the end without an ACK",
        explanation: "Some `next`, `ontimeout` or `jump` passes the ACK of an INVITE by. That may be what is tested, or a \
            label that stands one step too late.",
        remedy: "Follow the labels from the `<recv>`, and send the ACK before they part.",
        sipp: "goes the same way",
        also: [620, 627],
        bad: r#"<scenario><send><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<«recv» response="200" next="end" chance="0.5"/>
<send><![CDATA[
ACK sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<label id="end"/>
<pause/></scenario>"#,
        good: r#"<scenario><send><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<recv response="200"/>
<send next="end" chance="0.5"><![CDATA[
ACK sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<pause/>
<label id="end"/>
<pause/></scenario>"#,
    }
    REMOTE_TAG = 612 {
        title: "the To of a request in a dialog has no tag",
        explanation: "The peer has added its tag to To in the response. Later requests of the dialog, the ACK too, \
            repeat it: a peer answers 481 to what belongs to none of its dialogs.",
        remedy: "Write `[peer_tag_param]` behind the address of To.",
        sipp: "sends the message as it is",
        bad: r#"<scenario><send><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<recv response="200"/>
<send><![CDATA[
ACK sip:[service]@[remote_ip] SIP/2.0
To: «<sip:[service]@[remote_ip]>»
...

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<recv response="200"/>
<send><![CDATA[
ACK sip:[service]@[remote_ip] SIP/2.0
To: <sip:[service]@[remote_ip]>[peer_tag_param]
...

]]></send></scenario>"#,
    }
    LOCAL_TAG = 613 {
        title: "a response to an INVITE adds no tag to To",
        explanation: "The INVITE that begins a dialog has no tag in To; the side that is called adds its own to every \
            response but 100. Without it the caller has no dialog, and its ACK and BYE belong to none.",
        remedy: "Write `[last_To:];tag=[pid]tag[call_number]`, the same in every response to this INVITE.",
        sipp: "sends the message as it is",
        bad: r#"<scenario><recv request="INVITE"/>
<send><![CDATA[
SIP/2.0 180 Ringing
«[last_To:]»
...

]]></send></scenario>"#,
        good: r#"<scenario><recv request="INVITE"/>
<send><![CDATA[
SIP/2.0 180 Ringing
[last_To:];tag=[pid]tag[call_number]
...

]]></send></scenario>"#,
    }
    CSEQ_NOT_RAISED = 614 {
        title: "the CSeq number is not raised",
        explanation: "Each new request of a dialog, and each further attempt at the same request, has a higher CSeq \
            number than the one before. A peer refuses lower ones with 500 and takes equal ones for repetitions.",
        remedy: "Raise the number, or write `[cseq]`, which counts the requests of the call.",
        sipp: "sends the message as it is",
        bad: r#"<scenario><send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0
CSeq: 1 REGISTER
...

]]></send>
<recv response="401" auth="true"/>
<send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0
CSeq: «1 REGISTER»
...
[authentication]

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0
CSeq: 1 REGISTER
...

]]></send>
<recv response="401" auth="true"/>
<send><![CDATA[
REGISTER sip:[remote_ip] SIP/2.0
CSeq: 2 REGISTER
...
[authentication]

]]></send></scenario>"#,
    }
    CSEQ_OF_INVITE = 615 {
        title: "an ACK or CANCEL has another CSeq number than its INVITE",
        explanation: "Both belong to the INVITE and have its number; only the method in CSeq is their own. With another \
            number the peer finds no INVITE for it.",
        remedy: "Write the number of the INVITE, or `[cseq]` in both: it does not count ACK and CANCEL.",
        sipp: "sends the message as it is; as the called side it aborts the call for such an ACK",
        bad: r#"<scenario><send><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
CSeq: 1 INVITE
...

]]></send>
<recv response="200"/>
<send><![CDATA[
ACK sip:[service]@[remote_ip] SIP/2.0
CSeq: «2 ACK»
...

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
CSeq: 1 INVITE
...

]]></send>
<recv response="200"/>
<send><![CDATA[
ACK sip:[service]@[remote_ip] SIP/2.0
CSeq: 1 ACK
...

]]></send></scenario>"#,
    }
    ACK_BRANCH_NEW = 616 {
        title: "the ACK of a refusal has a branch of its own",
        explanation: "The ACK of a response from 300 to 699 is part of the transaction of the INVITE and has its branch. \
            `[branch]` is another one at every step, so that the peer does not find the transaction and goes on \
            repeating its response.",
        remedy: "Write `branch=[branch-N]`, N being how many steps above the INVITE stands.",
        sipp: "sends the message as it is",
        bad: r#"<scenario><send><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<recv response="486"/>
<send><![CDATA[
ACK sip:[service]@[remote_ip] SIP/2.0
Via: «SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]»
...

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<recv response="486"/>
<send><![CDATA[
ACK sip:[service]@[remote_ip] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-2]
...

]]></send></scenario>"#,
    }
    ACK_BRANCH_SAME = 617 {
        title: "the ACK of a success has the branch of its INVITE",
        explanation: "The ACK of a 2xx is a transaction of its own and has a branch of its own. With that of the INVITE a \
            proxy takes it for the ACK of a refusal and does not pass it on.",
        remedy: "Write `branch=[branch]`.",
        sipp: "sends the message as it is",
        bad: r#"<scenario><send><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<recv response="200"/>
<send><![CDATA[
ACK sip:[service]@[remote_ip] SIP/2.0
Via: «SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-2]»
...

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<recv response="200"/>
<send><![CDATA[
ACK sip:[service]@[remote_ip] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
...

]]></send></scenario>"#,
    }
    LOOP_BRANCH = 618 {
        title: "a loop sends a request again with the same branch",
        explanation: "`[branch]` is made of process, call and step. When a loop comes back to the step, the branch is the \
            same, and a peer takes the request for a repetition whatever else has changed: it repeats its last \
            response and does nothing.",
        remedy: "Add what changes: `branch=[branch]-[cseq]`.",
        sipp: "sends the same branch again as well",
        bad: r#"<scenario><label id="again"/>
<send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
Via: «SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]»
...

]]></send>
<recv response="200" next="again" chance="0.9"/></scenario>"#,
        good: r#"<scenario><label id="again"/>
<send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]-[cseq]
...

]]></send>
<recv response="200" next="again" chance="0.9"/></scenario>"#,
    }
    SILENT_PAUSE = 619 {
        title: "a pause before the first response to an INVITE",
        explanation: "A caller that has heard nothing after half a second sends its INVITE again, and again after a \
            second, two, four. The repetitions are ignored here, but they load the path and appear in statistics.",
        remedy: "Send `100 Trying` or `180 Ringing` before the pause.",
        sipp: "ignores the repetitions as well, and counts them",
        also: [620],
        bad: r#"<scenario><recv request="INVITE"/>
<pause milliseconds="«2000»"/>
<send><![CDATA[
SIP/2.0 200 OK
...

]]></send></scenario>"#,
        good: r#"<scenario><recv request="INVITE"/>
<send><![CDATA[
SIP/2.0 180 Ringing
...

]]></send>
<pause milliseconds="2000"/>
<send><![CDATA[
SIP/2.0 200 OK
...

]]></send></scenario>"#,
    }
    ENDLESS_WAIT = 620 {
        title: "a mandatory receive without a time limit",
        explanation: "When the message does not come, the call stays for ever, and with enough of them the run does not \
            end. One finding stands for all such steps.",
        remedy: "Add `timeout=\"ms\"`, or run with `-recv_timeout ms`.",
        sipp: "waits for ever as well; with optional steps in front it does not even arm the timeout of the mandatory one",
        bad: r#"<scenario><«recv» request="OPTIONS"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" timeout="5000"/></scenario>"#,
    }
    MANDATORY_PROVISIONAL = 621 {
        title: "a provisional response is mandatory",
        explanation: "A peer may answer an INVITE at once. When it does, this step is not satisfied, the final response \
            is unexpected, and the call fails.",
        remedy: "Add `optional=\"true\"`, unless the response itself is what is tested.",
        sipp: "fails the call as well",
        also: [620, 627],
        bad: r#"<scenario><send><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<recv response="«180»"/>
<recv response="200"/>
<send><![CDATA[
ACK sip:[service]@[remote_ip] SIP/2.0
...

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<recv response="180" optional="true"/>
<recv response="200"/>
<send><![CDATA[
ACK sip:[service]@[remote_ip] SIP/2.0
...

]]></send></scenario>"#,
    }
    UNANCHORED = 622 {
        title: "a pattern matches more codes or methods than it seems to",
        explanation: "With `regexp_match` the expression is searched for anywhere: `18` is in 180 and 183, and in 418 \
            and 518 too; `ACK` is in PRACK.",
        remedy: "Begin the expression with `^`; end it with `$` when it is the whole code or method.",
        sipp: "searches anywhere as well",
        bad: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<recv response="«20»" regexp_match="true"/></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<recv response="^20" regexp_match="true"/></scenario>"#,
    }
    SHADOWED = 623 {
        title: "another receive takes every message of this one",
        explanation: "Receives that wait together are asked in their order. One above waits for the same message and \
            leads elsewhere, so this one is never asked.",
        remedy: "Remove one of the two, or tell them apart.",
        sipp: "asks them in the same order",
        bad: r#"<scenario><recv request="INFO" optional="true" next="end"/>
<«recv» request="INFO" optional="true"/>
<recv request="OPTIONS"/>
<label id="end"/>
<pause/></scenario>"#,
        good: r#"<scenario><recv request="INFO" optional="true" next="end"/>
<recv request="OPTIONS"/>
<label id="end"/>
<pause/></scenario>"#,
    }
    TIMEOUT_NEVER = 624 {
        title: "`ontimeout` of a step without a time limit",
        explanation: "A `<recv>` times out after its `timeout` or that of `-recv_timeout`; a `<send>` when the \
            repetitions of `retrans` are used up. Without either nobody ever goes to the label.",
        remedy: "Add `timeout=\"ms\"` to the `<recv>`, `retrans=\"500\"` to the `<send>`.",
        sipp: "never goes to the label either",
        bad: r#"<scenario><send ontimeout="«end»"><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<recv response="200"/>
<label id="end"/>
<pause/></scenario>"#,
        good: r#"<scenario><send retrans="500" ontimeout="end"><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<recv response="200"/>
<label id="end"/>
<pause/></scenario>"#,
    }
    CHECK_OF_OPTIONAL = 625 {
        title: "a check inside an optional receive",
        explanation: "The check runs when the message comes and fails the call if it does not hold. When the message \
            does not come, nothing is checked, and the call succeeds.",
        remedy: "Make the step mandatory, or check later what it must have left in a variable.",
        sipp: "does the same",
        also: [620],
        bad: r#"<scenario><recv request="INFO" optional="true"><action>
<«ereg» regexp="x" assign_to="_" check_it="true"/>
</action></recv>
<recv request="OPTIONS"/></scenario>"#,
        good: r#"<scenario><recv request="INFO"><action>
<ereg regexp="x" assign_to="_" check_it="true"/>
</action></recv>
<recv request="OPTIONS"/></scenario>"#,
    }
    REPEATED_WITHOUT_END = 626 {
        title: "`retrans` on a message that nothing answers",
        explanation: "Repetitions end when an answer comes. Nothing answers an ACK, a provisional response, or a \
            response to anything but an INVITE: the message is repeated, the next `<send>` waits, and in the end the \
            call fails.",
        remedy: "Leave `retrans` out. A repeated request or response gets the answer again without it.",
        sipp: "repeats the message as well, and fails the call when the repetitions are used up",
        bad: r#"<scenario><send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<recv response="200"/>
<send retrans="«500»"><![CDATA[
ACK sip:[service]@[remote_ip] SIP/2.0
...

]]></send></scenario>"#,
        good: r#"<scenario><send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip] SIP/2.0
...

]]></send>
<recv response="200"/>
<send><![CDATA[
ACK sip:[service]@[remote_ip] SIP/2.0
...

]]></send></scenario>"#,
    }
    NOT_REPEATED = 627 {
        title: "a request without `retrans`",
        explanation: "Over UDP a datagram may be lost. Without `retrans` the request is sent once, and one lost datagram \
            fails the call.",
        remedy: "Add `retrans=\"500\"`, the interval of RFC 3261.",
        sipp: "sends it once as well",
        bad: r#"<scenario><«send»><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
...

]]></send></scenario>"#,
        good: r#"<scenario><send retrans="500"><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
...

]]></send></scenario>"#,
    }
    ROUTES_NOT_STORED = 628 {
        title: "`[routes]` or `[next_url]` without a stored route set",
        explanation: "Both print what a `<recv>` with `rrs=\"true\"` has taken from Record-Route and Contact. Without \
            one they print nothing, and a request line with an empty `[next_url]` is malformed.",
        remedy: "Write `rrs=\"true\"` into the `<recv>` of the message that brings Record-Route and Contact.",
        sipp: "prints nothing either",
        bad: r#"<scenario><send><![CDATA[
OPTIONS «[next_url]» SIP/2.0
...

]]></send></scenario>"#,
        good: r#"<scenario><recv request="INFO" rrs="true"/>
<send><![CDATA[
OPTIONS [next_url] SIP/2.0
...

]]></send></scenario>"#,
    }
    ROUTES_NOT_USED = 629 {
        title: "a route set is stored and not used",
        explanation: "`rrs=\"true\"` stores Record-Route and Contact of the message. Requests follow them only where \
            `[routes]` and `[next_url]` are written.",
        remedy: "Write `[next_url]` as the request URI and `[routes]` as a line of its own in later requests.",
        sipp: "does not use it by itself either",
        also: [620],
        bad: r#"<scenario><«recv» request="OPTIONS" rrs="true"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS" rrs="true"/>
<send><![CDATA[
INFO [next_url] SIP/2.0
[routes]
...

]]></send></scenario>"#,
    }
    UNUSED_LABEL = 630 {
        title: "no step goes to the label",
        explanation: "A label without a `next` or `ontimeout` that names it does nothing. Often it is the name that is \
            wrong, or the step that was to go there has been removed.",
        remedy: "Name the label where it was meant, or remove it.",
        sipp: "says nothing",
        also: [620],
        bad: r#"<scenario><label id="«start»"/>
<recv request="OPTIONS"/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/></scenario>"#,
    }
    RTD_NOT_STARTED = 631 {
        title: "a response timer is stopped and never started",
        explanation: "It then counts from the beginning of the call. For the first exchange of a client that is what is \
            wanted; elsewhere pauses and earlier exchanges are counted in.",
        remedy: "Add `start_rtd` to the step from which the time counts.",
        sipp: "counts from the beginning of the call as well",
        also: [620],
        bad: r#"<scenario><recv request="OPTIONS" rtd="«1»"/></scenario>"#,
        good: r#"<scenario><recv request="INFO" start_rtd="1"/>
<recv request="OPTIONS" rtd="1"/></scenario>"#,
    }
    NEVER_READ = 632 {
        title: "a variable is written and never read",
        explanation: "It is assigned in several places, or counted, and nobody looks at it. Variables of a check, of \
            `gettimeofday` and of a `<Reference>` are left out.",
        remedy: "Use `_` for a value that nobody needs.",
        sipp: "says nothing: it counts mentions, and there are two",
        also: [620],
        bad: r#"<scenario><recv request="OPTIONS"><action>
<assign assign_to="«n»" value="1"/>
<add assign_to="n" value="1"/>
</action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action>
<assign assign_to="n" value="1"/>
<log message="[$n]"/>
</action></recv></scenario>"#,
    }
    NEVER_WRITTEN = 633 {
        title: "a variable is read and never written",
        explanation: "It is mentioned twice, so it is not refused, but both only read it: it is empty in every call, a \
            `test` of it never holds, and a keyword prints nothing. Mostly its name is misspelled where it is written.",
        remedy: "Assign it in an action, or declare it with `<Global>` and give it a value with `-set`.",
        sipp: "says nothing: it counts mentions, and there are two",
        bad: r#"<scenario><recv request="OPTIONS"><action>
<log message="[$«n»]"/>
<warning message="[$n]"/>
</action></recv></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"><action>
<ereg regexp="a" assign_to="n"/>
<log message="[$n]"/>
</action></recv></scenario>"#,
    }
}
