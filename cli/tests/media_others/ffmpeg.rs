// SPDX-License-Identifier: AGPL-3.0-only
//! FFmpeg opens what we seal, with the key that the description tells, and writes the tone to a file.

use crate::stage::{
    HOST, Packets, Part, Place, Runner, answerer, assert_exits, base64, call, caller, finish,
    is_there, media_ports, pause, port, tone_in,
};
use gossipper_testkit::sipp::{Exit, Running, Tool};
use std::net::SocketAddr;

/// What it knows, and whether it opens our reports as well: of the second one it expects tags of four bytes in them, where
/// RFC 4568 §6.2 has ten.
const SUITES: [(&str, bool); 2] = [
    ("AES_CM_128_HMAC_SHA1_80", true),
    ("AES_CM_128_HMAC_SHA1_32", false),
];

#[test]
fn ffmpeg_plays_the_tone_out_of_packets_that_we_encrypt() {
    if !is_there("ffmpeg", "-version") {
        return;
    }
    for (suite, reports) in SUITES {
        let place = Place::new();
        let listen = port() & !1;
        let line = format!("a=crypto:1 {suite} inline:{}", base64(30));
        let heard = place.write(
            "heard.sdp",
            format!(
                "v=0\no=- 1 1 IN IP4 {HOST}\ns=-\nc=IN IP4 {HOST}\nt=0 0\nm=audio {listen} RTP/SAVP 8\n\
                 a=rtpmap:8 PCMA/8000\n{line}\n"
            ),
        );
        let wav = place.path("heard.wav");
        let arguments = format!(
            "-hide_banner -nostdin -loglevel warning -protocol_whitelist file,udp,rtp,srtp -i {heard} -t 1 {}",
            wav.display()
        );
        let ffmpeg = Running::start(
            &Tool::program("ffmpeg", "ffmpeg"),
            arguments.split_whitespace().map(str::to_owned).collect(),
        );
        let mut ffmpeg = ffmpeg.expect("it starts");
        ffmpeg
            .wait_for_port(SocketAddr::new(HOST, listen))
            .expect("it listens");
        let secure =
            |port: &str| format!("m=audio {port} RTP/SAVP 8\na=rtpmap:8 PCMA/8000\n{line}");
        let calls = caller(Part {
            sdp: &secure("[rtpstream_audio_port]"),
            first: &place.tone(5),
            then: &pause(2600),
        });
        let calls = place.write("calls.xml", calls);
        let takes = answerer(Part {
            sdp: &secure(&listen.to_string()),
            first: "",
            then: "",
        });
        let takes = place.write("takes.xml", takes);
        let own = Runner::own();
        let flags = format!("{} -media_srtp", media_ports());
        let outcomes = call((&own, &calls, &flags), (&own, &takes, ""));
        let ffmpeg = finish(ffmpeg);
        assert_exits(&outcomes, [0, 0]);
        let Packets { sent, not_sent, .. } = Packets::of(&outcomes[0]);
        assert_eq!(sent + not_sent, 125, "{suite}");
        assert_eq!(ffmpeg.exit, Exit::Code(0), "{suite}: {}", ffmpeg.stderr);
        // Every packet that it refuses it speaks of.
        assert!(
            !reports || !ffmpeg.stderr.contains("mismatch"),
            "{suite}: {}",
            ffmpeg.stderr
        );
        let share = tone_in(&wav);
        assert!(share > 0.98, "{suite}: {share}");
    }
}
