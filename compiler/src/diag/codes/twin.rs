// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of commands between twins (G07xx).

use super::codes;

codes! {
    NO_CALL_ID = 701 {
        title: "a command without `Call-ID:`",
        explanation: "The twin finds the call that a command is for by its `Call-ID:` line, and discards a command \
            without one.",
        remedy: "Begin the command with `Call-ID: [call_id]`.",
        sipp: "sends it, and its twin discards it with a warning",
        bad: r#"<scenario><recv request="OPTIONS"/>
<«sendCmd»><![CDATA[
Note: [call_id]

]]></sendCmd></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/>
<sendCmd><![CDATA[
Call-ID: [call_id]
Note: here

]]></sendCmd></scenario>"#,
    }
    NO_FROM = 702 {
        title: "a command with `dest` and without `From:`",
        explanation: "Between several peers a `recvCmd` takes only commands whose `From:` line names the peer that its \
            `src` names.",
        remedy: "Add the line with the name of this instance, as in `-master m` or `-slave s1`.",
        sipp: "sends it, and its peer ends the call",
        bad: r#"<scenario><recv request="OPTIONS"/>
<«sendCmd» dest="s1"><![CDATA[
Call-ID: [call_id]

]]></sendCmd></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/>
<sendCmd dest="s1"><![CDATA[
Call-ID: [call_id]
From: m

]]></sendCmd></scenario>"#,
    }
    PEER_MISSING = 703 {
        title: "some commands name their peer and others do not",
        explanation: "`dest` and `src` are for several peers, and then every `sendCmd` needs its `dest` and every \
            `recvCmd` its `src`: the run refuses to start without. With one twin, of `-3pcc`, none is needed.",
        remedy: "Name the peer in all of them or in none.",
        sipp: "stops when it loads the scenario for several peers, and takes it for one twin",
        bad: r#"<scenario><recv request="OPTIONS"/>
<sendCmd dest="s1"><![CDATA[
Call-ID: [call_id]
From: m

]]></sendCmd>
<«recvCmd»/></scenario>"#,
        good: r#"<scenario><recv request="OPTIONS"/>
<sendCmd dest="s1"><![CDATA[
Call-ID: [call_id]
From: m

]]></sendCmd>
<recvCmd src="s1"/></scenario>"#,
    }
}
