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
}
