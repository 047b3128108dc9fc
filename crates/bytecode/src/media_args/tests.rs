// SPDX-License-Identifier: AGPL-3.0-only
//! Every form of every argument, and a fault of each kind with its place.

use super::check::CHECK_WORDS;
use super::*;
use crate::media::{Direction, RtpCheck};

fn stream(text: &str) -> RtpStream<String> {
    rtp_stream(text.as_bytes())
        .unwrap_or_else(|error| panic!("{text}: {error:?}"))
        .map(|text| String::from_utf8_lossy(text).into_owned())
}

const fn form(number: u8, codec: Codec) -> Option<Payload> {
    Some(Payload { number, codec })
}

#[test]
fn a_file_with_its_fields() {
    let file = |loops, payload| RtpStream::File {
        file: "a.wav".to_owned(),
        loops,
        payload,
    };
    assert_eq!(stream("a.wav"), file(Loops::Times(1), None));
    assert_eq!(stream("a.wav,-1"), file(Loops::Endless, None));
    assert_eq!(
        stream("a.wav,3,0"),
        file(Loops::Times(3), form(0, Codec::Pcmu))
    );
    // Every negative number is without end, and blanks around fields do no harm, as in SIPp.
    assert_eq!(stream("a.wav,-2"), file(Loops::Endless, None));
    assert_eq!(
        stream("a.wav, -1 , 8, PCMA/8000"),
        file(Loops::Endless, form(8, Codec::Pcma))
    );
    assert_eq!(
        stream("a.wav,,8,pcma/8000"),
        file(Loops::Times(1), form(8, Codec::Pcma))
    );
    assert_eq!(
        stream("a.wav,1,97,iLBC/8000"),
        file(Loops::Times(1), form(97, Codec::Ilbc))
    );
    assert_eq!(
        stream("a.wav,1,111,OPUS/48000"),
        file(Loops::Times(1), form(111, Codec::Opus))
    );
    let video = stream("a.264,-1,96,H264/90000");
    let wanted = RtpStream::File {
        file: "a.264".to_owned(),
        loops: Loops::Endless,
        payload: form(96, Codec::H264),
    };
    assert_eq!((video.stream(), video), (MediaStream::Video, wanted));
    assert_eq!(
        stream("a.wav,1,13,anything"),
        file(Loops::Times(1), form(13, Codec::Noise))
    );
}

#[test]
fn patterns_and_words() {
    assert_eq!(
        stream("apattern"),
        RtpStream::Pattern {
            stream: MediaStream::Audio,
            id: 1,
            payload: None
        }
    );
    assert_eq!(
        stream("vpattern,6,99,H264/90000"),
        RtpStream::Pattern {
            stream: MediaStream::Video,
            id: 6,
            payload: form(99, Codec::H264)
        }
    );
    for word in STREAM_WORDS {
        let read = stream(word);
        assert!(!matches!(read, RtpStream::File { .. }), "{word}");
    }
    assert_eq!(
        stream("mic,hw:0"),
        RtpStream::Microphone {
            input: Some("hw:0".to_owned())
        }
    );
    assert_eq!(
        stream("synthetic,-1,0,PCMU,30,5000,2"),
        RtpStream::Synthetic {
            sound: Sound::Tone(None),
            payload: form(0, Codec::Pcmu),
            packet_ms: Some(30),
            duration_ms: 5000,
            channels: 2
        }
    );
    for (word, sound) in [
        ("tone", Sound::Tone(None)),
        ("tone=1004", Sound::Tone(Some(1004))),
        ("noise", Sound::Noise),
        ("silence", Sound::Silence),
    ] {
        assert_eq!(
            stream(&format!("synthetic,,,,,,,{word}")),
            RtpStream::Synthetic {
                sound,
                payload: None,
                packet_ms: None,
                duration_ms: 0,
                channels: 1
            }
        );
    }
    assert_eq!(
        stream("silence"),
        RtpStream::Synthetic {
            sound: Sound::Silence,
            payload: None,
            packet_ms: None,
            duration_ms: 0,
            channels: 1
        }
    );
}

#[test]
fn faults_have_their_place() {
    for (text, at, part) in [
        ("", 0..0, "names no file"),
        ("synthetic,,,,,,,hum", 16..19, "`hum` is no sound"),
        ("synthetic,,,,,,,tone=0", 21..22, "`0` is no frequency"),
        ("a.wav,x", 6..7, "number of times"),
        ("a.wav,99999999999", 6..17, "number of times"),
        ("a.wav,1,8,PCMU/8000", 10..19, "is not `PCMU/8000`"),
        ("a.wav,1,97", 8..10, "needs the name"),
        ("a.wav,1,33", 8..10, "cannot be sent"),
        ("a.wav,1,300", 8..11, "no payload type"),
        ("a.wav,1,,PCMU", 9..13, "without a payload type"),
        ("apattern,1,99,H264/90000", 14..24, "an audio stream"),
        ("a.wav,1,0,PCMU,z", 15..16, "one field too many"),
        ("apattern,7", 9..10, "no pattern"),
        ("vpattern,1,0", 11..12, "is audio"),
        ("vpattern,1,99,iLBC/8000", 14..23, "a video stream"),
        ("pause,1", 6..7, "too many"),
        ("synthetic,1,0,PCMU,0", 19..20, "length of a packet"),
    ] {
        let error = rtp_stream(text.as_bytes()).expect_err(text);
        assert_eq!(error.at, at, "{text}: {}", error.message);
        assert!(error.message.contains(part), "{text}: {}", error.message);
        assert!(!error.help.is_empty(), "{text}");
    }
}

#[test]
fn digits_and_their_length() {
    let read = |text: &'static str| {
        let (dtmf, remarks) = play_dtmf(text.as_bytes());
        let remarks: Vec<_> = remarks
            .into_iter()
            .map(|remark| (remark.at.start, remark.at.end))
            .collect();
        (dtmf.digits, dtmf.length_ms, remarks)
    };
    assert_eq!(read("012#,50"), (&b"012#"[..], 50, vec![]));
    assert_eq!(read("9A*"), (&b"9A*"[..], 200, vec![]));
    assert_eq!(read("1x2,49"), (&b"1x2"[..], 200, vec![(1, 2), (4, 6)]));
    assert_eq!(read(""), (&b""[..], 200, vec![(0, 0)]));
    assert_eq!(read("1,50,2"), (&b"1"[..], 50, vec![(5, 6)]));
    assert_eq!(send_dtmf(b"12").1, []);
    assert_eq!(send_dtmf(b"12 ").1.len(), 1);
    // Letters of either case are sent, while `play_dtmf` takes those of one, as SIPp does.
    assert_eq!(send_dtmf(b"aD").1, []);
    assert_eq!(play_dtmf(b"aD").1.len(), 1);
    assert_eq!(play_dtmf(b"1, 100").0.length_ms, 100);
}

#[test]
fn echo_record_and_check() {
    assert_eq!(
        srtp_echo(b"updatevideo,99,H264/90000"),
        Ok(SrtpEcho {
            change: EchoChange::Update,
            stream: MediaStream::Video,
            payload: form(99, Codec::H264)
        })
    );
    let error = srtp_echo(b"startaudoi,0").expect_err("misspelt");
    assert_eq!((error.at, error.words), (0..10, ECHO_WORDS));
    assert_eq!(rtp_record(b"stop"), Ok(Record::Stop));
    assert_eq!(
        rtp_record(b"start,/tmp/a.wav,duplex"),
        Ok(Record::Start {
            file: &b"/tmp/a.wav"[..],
            duplex: true
        })
    );
    for wrong in ["start", "begin,a", "start,a,both", "stop,a", ""] {
        assert!(rtp_record(wrong.as_bytes()).is_err(), "{wrong}");
    }
    assert_eq!(
        rtpcheck(b"min_packets=5, timeout_ms=300,direction=both"),
        Ok(RtpCheck {
            min_packets: 5,
            timeout_ms: 300,
            direction: Direction::Both,
            ..RtpCheck::default()
        })
    );
    assert_eq!(rtpcheck(b"7").map(|check| check.min_packets), Ok(7));
    assert_eq!(
        rtpcheck(b"bidirectional=true").map(|c| c.direction),
        Ok(Direction::Both)
    );
    assert_eq!(rtpcheck(b"min=x").expect_err("no number").at, 4..5);
    assert_eq!(rtpcheck(b"mn=1").expect_err("unknown").words, CHECK_WORDS);
}

#[test]
fn thresholds_of_a_check_have_places_behind_the_point() {
    assert_eq!(
        rtpcheck(b"max_loss_percent=1.5,max_jitter_ms=20,min_mos=3.75,max_silence_ms=400"),
        Ok(RtpCheck {
            max_loss: Some(150),
            max_jitter_us: Some(20_000),
            min_mos: Some(375),
            max_silence_ms: Some(400),
            ..RtpCheck::default()
        })
    );
    let loss = |text: &str| {
        let read = rtpcheck(format!("max_loss_percent={text}").as_bytes());
        read.map(|check| check.max_loss)
    };
    assert_eq!(loss("0"), Ok(Some(0)));
    assert_eq!(loss("100.00"), Ok(Some(10_000)));
    for wrong in [
        "",
        ".5",
        "1.",
        "1.234",
        "-1",
        "100.01",
        "1e2",
        "nan",
        "4294967296",
        "1.5%",
    ] {
        assert_eq!(loss(wrong).expect_err(wrong).at, 17..17 + wrong.len());
    }
    for wrong in [
        "min_mos=0.9",
        "min_mos=4.6",
        "max_silence_ms=0",
        "max_jitter_ms=4294968",
    ] {
        assert!(rtpcheck(wrong.as_bytes()).is_err(), "{wrong}");
    }
}
