// SPDX-License-Identifier: AGPL-3.0-only
//! SIPp at the other end: its files, patterns and captures, and its echo.

use crate::stage::{
    Packets, Part, Place, Runner, STREAM, TONE_PACKETS, answerer, assert_exits, call, caller, exec,
    media_ports, pause, skipped, summary_line,
};

/// The port of `-rtp_echo`, which is not one of a stream.
const ECHO: &str = "m=audio [media_port] RTP/AVP 8\na=rtpmap:8 PCMA/8000";

/// A side that sends nothing by itself.
const SILENT: Part<'_> = Part {
    sdp: STREAM,
    first: "",
    then: "",
};

#[test]
fn a_file_that_sipp_plays_is_heard_whole() {
    let Some(sipp) = Runner::sipp() else { return };
    let place = Place::new();
    let tone = place.tone(1);
    let wait = pause(900);
    let plays = Part {
        first: &tone,
        ..SILENT
    };
    // A stream is there for a scenario with a media action.
    let action = exec("rtp_stream", "pause");
    let listens = Part {
        first: &action,
        ..SILENT
    };
    for sipp_calls in [true, false] {
        let folder = if sipp_calls { "called" } else { "calling" };
        let record = format!(
            "{} -record_wav_dir {}",
            media_ports(),
            place.path(folder).display()
        );
        let [calls, takes] = if sipp_calls {
            [plays, listens]
        } else {
            [listens, plays]
        };
        let calls = place.write(
            "calls.xml",
            caller(Part {
                then: &wait,
                ..calls
            }),
        );
        let takes = place.write("takes.xml", answerer(takes));
        let ours = Runner::ours();
        let outcomes = if sipp_calls {
            call((&sipp, &calls, &media_ports()), (&ours, &takes, &record))
        } else {
            call((&ours, &calls, &record), (&sipp, &takes, &media_ports()))
        };
        assert_exits(&outcomes, [0, 0]);
        let ours = &outcomes[usize::from(sipp_calls)];
        let heard = Packets {
            received: TONE_PACKETS,
            ..Packets::default()
        };
        assert_eq!(Packets::of(ours), heard, "{}", ours.stdout);
        let share = place.tone_in(folder);
        assert!(share > 0.98, "{share} of what {folder} heard is the tone");
    }
}

#[test]
fn sipps_echo_returns_all_that_is_played_to_it() {
    let Some(sipp) = Runner::sipp() else { return };
    let place = Place::new();
    let takes = place.write(
        "takes.xml",
        answerer(Part {
            sdp: ECHO,
            ..SILENT
        }),
    );
    let wait = pause(900);
    for (runner, name) in [(Runner::ours(), "sipps"), (Runner::own(), "own")] {
        let calls = caller(Part {
            first: &place.tone(1),
            then: &wait,
            ..SILENT
        });
        let calls = place.write("calls.xml", calls);
        let record = place.path(name);
        let flags = format!("{} -record_wav_dir {}", media_ports(), record.display());
        let echo = format!("-rtp_echo {}", media_ports());
        let outcomes = call((&runner, &calls, &flags), (&sipp, &takes, &echo));
        assert_exits(&outcomes, [0, 0]);
        let both = Packets {
            sent: TONE_PACKETS,
            received: TONE_PACKETS,
            ..Packets::default()
        };
        assert_eq!(Packets::of(&outcomes[0]), both, "{name}");
        let share = place.tone_in(name);
        assert!(share > 0.98, "{name}: {share}");
    }
}

#[test]
fn a_pattern_is_met_where_sipp_echoes_and_fails_where_it_does_not() {
    let Some(sipp) = Runner::sipp() else { return };
    let place = Place::new();
    let wait = pause(600);
    let pattern = exec("rtp_stream", "apattern,2,8,PCMA/8000");
    let calls = caller(Part {
        first: &pattern,
        then: &wait,
        ..SILENT
    });
    let calls = place.write("calls.xml", calls);
    let ours = Runner::ours();
    let takes = place.write(
        "takes.xml",
        answerer(Part {
            sdp: ECHO,
            ..SILENT
        }),
    );
    for (flag, code) in [("-rtp_echo", 0), ("", 253)] {
        let outcomes = call(
            (&ours, &calls, &media_ports()),
            (&sipp, &takes, &format!("{flag} {}", media_ports())),
        );
        assert_exits(&outcomes, [code, 0]);
    }
}

/// A capture of 20 packets of A-law, 30 ms apart, to two ports in turn.
fn capture() -> Vec<u8> {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        out.extend(word.to_le_bytes());
    }
    for index in 0..20_u16 {
        let mut rtp = vec![0x80, 8];
        rtp.extend(index.to_be_bytes());
        rtp.extend((u32::from(index) * 240).to_be_bytes());
        rtp.extend([0, 0, 0, 7]);
        rtp.extend([0xd5; 240]);
        let udp = 8 + rtp.len() as u16;
        let mut frame = vec![0; 12];
        frame.extend([8, 0, 0x45, 0]);
        frame.extend((20 + udp).to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        for word in [4000, 5000, udp, 0] {
            frame.extend(u16::to_be_bytes(word));
        }
        frame.extend(rtp);
        for word in [
            0,
            u32::from(index) * 30_000,
            frame.len() as u32,
            frame.len() as u32,
        ] {
            out.extend(word.to_le_bytes());
        }
        out.extend(frame);
    }
    out
}

#[test]
fn captures_are_played_to_sipp_and_by_sipp() {
    let Some(sipp) = Runner::sipp() else { return };
    let place = Place::new();
    let play = exec("play_pcap_audio", &place.write("sound.pcap", capture()));
    let wait = pause(1000);
    // Both print the port that captures are sent from.
    let plays = Part {
        sdp: ECHO,
        first: &play,
        then: &wait,
    };
    let calls = place.write("calls.xml", caller(plays));
    let action = exec("rtp_stream", "pause");
    let listens = Part {
        first: &action,
        ..SILENT
    };
    let takes = place.write("takes.xml", answerer(listens));
    let ours = Runner::ours();
    let outcomes = call(
        (&sipp, &calls, &media_ports()),
        (&ours, &takes, &media_ports()),
    );
    if outcomes[0].stderr.contains("raw") || outcomes[0].errors.contains("raw") {
        return skipped("SIPp may not open raw sockets");
    }
    assert_exits(&outcomes, [0, 0]);
    let heard = Packets {
        received: 20,
        ..Packets::default()
    };
    assert_eq!(Packets::of(&outcomes[1]), heard);
    let streams = summary_line(&outcomes[1], "Heard");
    assert!(streams.contains("1 streams"), "{streams}");
    // Ours, and the echo of SIPp: by our own rules a capture leaves from the stream, and hears it.
    let calls = caller(Part {
        sdp: STREAM,
        ..plays
    });
    let calls = place.write("calls.xml", calls);
    let takes = place.write(
        "takes.xml",
        answerer(Part {
            sdp: ECHO,
            ..SILENT
        }),
    );
    let echo = format!("-rtp_echo {}", media_ports());
    let outcomes = call(
        (&Runner::own(), &calls, &media_ports()),
        (&sipp, &takes, &echo),
    );
    assert_exits(&outcomes, [0, 0]);
    assert_eq!(Packets::of(&outcomes[0]), Packets { sent: 20, ..heard });
}
