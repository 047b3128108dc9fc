// SPDX-License-Identifier: AGPL-3.0-only
//! What the machine has to do with media: ports, orders, descriptions and verdicts; what cannot be had is refused when
//! linking, and all of it passed over and counted where the run says so.

use crate::stage::{
    Stage, from_peer, from_peer_with, header, nop, reply, request, response, scenario, send_then,
};
use gossipper_bytecode::FailReason;
use gossipper_testkit::pair;
use gossipper_vm::{CallEnd, Image, LinkError, MediaVerdict, RunParams};

const PLAY: &str = r#"<exec play_pcap_audio="a.pcap"/>"#;

fn link_error(parts: &[&str]) -> String {
    let program = pair::program("test", &scenario(parts));
    match Image::link(program, pair::client_params()) {
        Err(error @ LinkError::Media { .. }) => error.to_string(),
        other => panic!("{:?}", other.map(|_| ())),
    }
}

/// `<send>` of an OPTIONS with this line.
fn options(line: &str) -> String {
    format!(
        "<send><![CDATA[
        OPTIONS sip:bob@[remote_ip] SIP/2.0
        Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
        From: <sip:alice@[local_ip]>;tag=a[call_number]
        To: <sip:bob@[remote_ip]>
        Call-ID: [call_id]
        CSeq: [cseq] OPTIONS
        {line}
        Content-Length: 0

        ]]></send>"
    )
}

fn skipping(params: &mut RunParams) {
    params.skips_media = true;
}

#[test]
fn media_that_cannot_be_had_is_refused_with_the_place() {
    let init = format!("<init>{}</init>", nop("", PLAY));
    let error = link_error(&[&init, &options("X: 1")]);
    assert!(error.contains("`<init>`: `play_pcap_audio`"), "{error}");
    assert!(error.contains("-no_media"), "{error}");
}

/// An answer with a description of media.
const ANSWER: &str =
    "Content-Type: application/sdp;charset=utf-8\r\nContent-Length: 5\r\n\r\nv=0\r\n";

/// `<send>` of an INVITE whose body is this.
fn invite(body: &str) -> String {
    format!(
        "<send><![CDATA[
        INVITE sip:bob@[remote_ip] SIP/2.0
        Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
        From: <sip:alice@[local_ip]>;tag=a[call_number]
        To: <sip:bob@[remote_ip]>
        Call-ID: [call_id]
        CSeq: [cseq] INVITE
        Content-Type: application/sdp
        Content-Length: [len]

        {body}
        ]]></send>"
    )
}

#[test]
fn a_call_gets_ports_and_shows_its_media_in_the_order_of_the_scenario() {
    let parts = [
        invite("m=audio [rtpstream_audio_port] m=video [rtpstream_video_port+1]"),
        r#"<recv response="200"><action><exec rtp_stream="apattern,2"/>
           <exec rtp_stream="[call_number].wav,-1"/></action></recv>"#
            .to_owned(),
        r#"<recv response="200" ignoresdp="true"/>"#.to_owned(),
    ];
    let mut stage = Stage::client(&parts);
    stage.give_ports(&[4000, 4002]);
    stage.give_ports(&[4004, 4006]);
    for _ in 0..2 {
        stage.spawn();
    }
    stage.respond_with(200, "INVITE", ANSWER);
    let sdp =
        "Peer { declared: true, may_move_play: true } answers v=0\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        stage.media,
        [
            "call 1 4000 4002",
            "Us offers m=audio 4000 m=video 4003\r\n",
            "call 2 4004 4006",
            "Us offers m=audio 4004 m=video 4007\r\n",
            sdp,
            "action 0",
            "action 1 2.wav,-1",
        ]
    );
    // The same once more, where it is not looked at.
    stage.respond_with(200, "INVITE", &format!("X: 2\r\n{ANSWER}"));
    assert_eq!(stage.media.len(), 7);
    assert_eq!(stage.ends, [CallEnd::Success]);
}

#[test]
fn the_last_description_is_answered_until_another_one_comes() {
    let print = "X: [audio_pt] [audio_codec]|[ice_ufrag]\r\n[audio_fmtp]\r\nY: 1";
    let parts = [
        options(print),
        response(200, ""),
        options(print),
        response(200, ""),
        options(print),
        response(200, ""),
    ];
    let mut stage = Stage::client(&parts);
    stage.spawn();
    let offer = "Content-Type: application/sdp\r\nContent-Length: 84\r\n\r\n\
                 v=0\r\nm=audio 5000 RTP/AVP 18 96\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 stereo=1;maxptime=40\r\n";
    stage.respond_with(200, "OPTIONS", offer);
    stage.respond(200, "OPTIONS");
    let lines = |index: usize| -> Vec<String> {
        let text = &stage.sent[index].text;
        let found = text
            .lines()
            .filter(|line| line.starts_with("X:") || line.starts_with("a="));
        found.map(str::to_owned).collect()
    };
    let fragment = lines(0)[0].rsplit('|').next().expect("a word").to_owned();
    assert_eq!(fragment.len(), 8);
    assert_eq!(lines(0), [format!("X: 0 PCMU/8000|{fragment}")]);
    let answered = [
        format!("X: 96 opus/48000|{fragment}"),
        "a=fmtp:96 stereo=1;maxptime=40".to_owned(),
    ];
    assert_eq!(lines(1), answered);
    assert_eq!(lines(2), answered);
}

#[test]
fn a_hold_is_answered_in_responses_and_not_in_offers() {
    let mut stage = Stage::server(&[
        request("INVITE", ""),
        reply(200, "").replace("Content-Length: 0", "X: 1\n[audio_sdp]"),
        request("ACK", ""),
        options("X: 2\n[audio_sdp]"),
        response(200, ""),
    ]);
    let offer = "Content-Type: application/sdp\r\nContent-Length: 44\r\n\r\n\
                 v=0\r\nm=audio 5000 RTP/AVP 8\r\na=sendonly\r\n";
    stage.give_ports(&[4000]);
    stage.deliver(&from_peer_with("INVITE", "c1", 1, offer));
    stage.deliver(&from_peer("ACK", "c1", 1));
    let lines = |index: usize| -> Vec<String> {
        let lines = stage.sent[index].text.lines();
        let found = lines.filter(|line| ["m=", "a="].iter().any(|name| line.starts_with(name)));
        found.map(str::to_owned).collect()
    };
    let plain = ["m=audio 4000 RTP/AVP 8", "a=rtpmap:8 PCMA/8000"];
    assert_eq!(lines(0), [&plain[..], &["a=recvonly"]].concat());
    assert_eq!(lines(1), plain);
}

#[test]
fn without_a_port_there_is_no_call() {
    let parts = [invite("m=audio [rtpstream_audio_port]")];
    let mut stage = Stage::client(&parts);
    stage.spawn();
    assert_eq!(
        stage.ends,
        [CallEnd::Failure(FailReason::OutboundCongestion)]
    );
    assert!(stage.sent.is_empty() && stage.media.is_empty());
    assert!(stage.warnings[0].contains("port"), "{:?}", stage.warnings);
}

#[test]
fn a_check_waits_for_its_verdict_and_decides_about_the_call() {
    let parts = [
        options("X: [media_port]"),
        response(200, ""),
        nop("", r#"<exec rtpcheck="min_packets=3"/>"#),
        options("X: 2"),
        response(200, ""),
    ];
    let mut stage = Stage::client_with(&parts, |params| params.media_port_of_call = true);
    stage.give_ports(&[4000, 4002]);
    stage.spawn();
    assert_eq!(header(&stage.sent[0].text, "X"), Some("4000"));
    stage.respond(200, "OPTIONS");
    assert_eq!(stage.media, ["call 1 4000 0", "action 0"]);
    assert_eq!(stage.sent.len(), 1, "it waits");
    stage.media_verdict(MediaVerdict::Passed);
    assert_eq!(stage.sent.len(), 2);
    // Nothing waits for this one.
    stage.media_verdict(MediaVerdict::Passed);
    stage.respond(200, "OPTIONS");
    stage.spawn();
    stage.respond(200, "OPTIONS");
    stage.media_verdict(MediaVerdict::Failed);
    assert_eq!(
        stage.ends,
        [CallEnd::Success, CallEnd::Failure(FailReason::Media)]
    );
}

#[test]
fn ports_in_sdp_are_no_media() {
    let program = pair::program(
        "test",
        &scenario(&[options("X: [media_port] [auto_media_port] [media_ip]")]),
    );
    assert!(Image::link(program, pair::client_params()).is_ok());
}

#[test]
fn the_echo_of_the_process_is_switched_by_a_number_or_a_variable() {
    let parts = [
        nop(
            "",
            r#"<rtp_echo value="0"/><rtp_echo value="1"/>
               <assign assign_to="x" value="0"/><rtp_echo variable="x"/>
               <assign assign_to="x" value="2"/><rtp_echo variable="x"/>"#,
        ),
        options("X: 1"),
    ];
    let mut stage = Stage::client(&parts);
    stage.spawn();
    assert_eq!(stage.echo, [false, true, false, true]);
    assert_eq!(stage.tally.media_skipped, 0);
}

#[test]
fn actions_that_are_passed_over_are_counted_and_change_nothing() {
    let parts = [
        send_then("OPTIONS", "", PLAY),
        "<recv response=\"200\"><action><exec rtp_stream=\"a.wav\"/></action></recv>".to_owned(),
        nop(
            "",
            r#"<exec rtpcheck="min_packets=1"/><exec play_dtmf="[call_number],50"/><rtp_echo value="1"/>"#,
        ),
    ];
    let mut stage = Stage::client_with(&parts, skipping);
    for call in 1..=2 {
        stage.spawn();
        stage.respond(200, "OPTIONS");
        assert_eq!(stage.tally.media_skipped, 5 * call);
    }
    assert_eq!(stage.ends, [CallEnd::Success, CallEnd::Success]);
    assert!(stage.warnings.is_empty(), "{:?}", stage.warnings);
}

#[test]
fn ports_of_streams_differ_from_call_to_call_and_stay_within_one() {
    let line = "X: [rtpstream_audio_port] [rtpstream_audio_port+1] [rtpstream_video_port] [rtpstream_audio_port-1]";
    let parts = [options(line), response(200, ""), options(line)];
    let mut stage = Stage::client_with(&parts, |params| {
        skipping(params);
        params.media_port = 7001;
    });
    for _ in 0..2 {
        stage.spawn();
        stage.respond(200, "OPTIONS");
    }
    let printed: Vec<_> = stage
        .sent
        .iter()
        .map(|sent| header(&sent.text, "X").expect("printed"))
        .collect();
    let (first, second) = ("7002 7003 7004 0", "7006 7007 7008 0");
    assert_eq!(printed, [first, first, second, second]);
}

#[test]
fn crypto_lines_have_a_fresh_key_in_each_message_and_the_same_one_on_request() {
    let line = "X: [cryptotag2video] [cryptosuitenullsha1322video] [ueaescm128sha1801audio] \
                [cryptokeyparams1audio] [cryptokeyparams1audio-1] [cryptokeyparams2video]";
    let parts = [
        options(line),
        response(200, ""),
        options("X: [cryptokeyparams1audio-1]"),
    ];
    let run = |seed| {
        let mut stage = Stage::client_with(&parts, |params| {
            skipping(params);
            params.seed = seed;
        });
        for _ in 0..2 {
            stage.spawn();
            stage.respond(200, "OPTIONS");
        }
        let printed: Vec<Vec<String>> = stage
            .sent
            .iter()
            .map(|sent| {
                let line = header(&sent.text, "X").expect("printed");
                line.split(' ').map(str::to_owned).collect()
            })
            .collect();
        printed
    };
    let [first, again, second, _] = &run(1)[..] else {
        panic!("two calls of two messages");
    };
    assert_eq!(first[..3], ["2", "NULL_HMAC_SHA1_32", "UNENCRYPTED_SRTP"]);
    assert_eq!(first[3], first[4], "the one before again");
    assert_eq!(again[0], first[3], "in a later message too");
    assert_eq!(first[3].len(), 40);
    assert_ne!(first[3], first[5], "each line has its own");
    assert_ne!(first[3], second[3], "each call has its own");
    assert_eq!(run(1), run(1), "the seed decides");
    assert_ne!(run(1), run(2));
}
