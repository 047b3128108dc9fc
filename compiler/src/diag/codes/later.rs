// SPDX-License-Identifier: AGPL-3.0-only
//! Codes of what belongs to a later version (G08xx).

use super::codes;

codes! {
    KEYWORD = 803 {
        title: "the keyword belongs to a later version",
        explanation: "It is understood and not done yet: `[audio_pt]` needs media.",
        remedy: "Write the value as text, or wait for that version.",
        sipp: "has no `[audio_pt]`",
        bad: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
X: «[audio_pt]»

]]></send></scenario>"#,
        good: r#"<scenario><send><![CDATA[
OPTIONS sip:[service]@[remote_ip] SIP/2.0
X: [service]

]]></send></scenario>"#,
    }
    MEDIA = 810 {
        title: "the scenario uses media, which this version does not play",
        explanation: "It compiles, with every argument checked. A run is refused, because its calls would lack what the \
            scenario asks for, unless `-no_media` says that only the signalling is wanted: then media actions are passed \
            over and counted.",
        remedy: "Run the signalling alone with `-no_media`, or wait for that version.",
        sipp: "plays it",
        bad: r#"<scenario><recv request="INVITE"/>
<nop><action><exec play_pcap_audio="«a.pcap»"/></action></nop></scenario>"#,
        good: r#"<scenario><recv request="INVITE"/>
<pause milliseconds="2000"/></scenario>"#,
    }
}
