// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of what belongs to a later version (G08xx).

use super::codes;

codes! {
    KEYWORD = 803 {
        title: "the keyword belongs to a later version",
        explanation: "It is understood and not done yet: `[webrtc_offer]` needs DTLS and ICE.",
        remedy: "Write the value as text, or wait for that version.",
        sipp: "has no `[webrtc_offer]`",
        bad: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
X: «[webrtc_offer]»

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
X: [service]

]]></send></scenario>"#,
    }
    MICROPHONE = 810 {
        title: "the scenario takes the sound of a microphone, which this version does not",
        explanation: "It compiles. A run is refused, because its calls would lack what the scenario asks for, unless \
            `-no_media` says that only the signalling is wanted: then media actions are passed over and counted.",
        remedy: "Play a file, or `synthetic`, or run the signalling alone with `-no_media`.",
        sipp: "takes `mic` for the name of a file",
        bad: r#"<scenario><recv request="INVITE"/>
<nop><action><exec rtp_stream="«mic»"/></action></nop></scenario>"#,
        good: r#"<scenario><recv request="INVITE"/>
<nop><action><exec rtp_stream="synthetic"/></action></nop></scenario>"#,
    }
}
