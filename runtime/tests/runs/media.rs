// SPDX-License-Identifier: AGPL-3.0-only
//! Media of calls in whole runs: both sides in one process, packets through sockets.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gossipper_bytecode::FailReason;
use gossipper_control::{EngineSnapshot, MediaSnapshot};
use gossipper_media::tone::power_at;
use gossipper_media::wav;
use gossipper_runtime::config::{
    EngineConfig, LocalConfig, LogConfig, MediaConfig, MediaRules, PacingConfig, RecordConfig,
    RunConfig, SrtpPolicy, TimeLimits,
};
use gossipper_runtime::pacing::Rate;
use gossipper_runtime::{Run, RunReport};
use gossipper_vm::RunParams;

/// One side of the calls of a test.
#[derive(Clone)]
pub(crate) struct Side {
    /// Lines of its description behind the one with its address.
    pub(crate) sdp: String,
    /// Actions when it has the other's description.
    pub(crate) first: String,
    /// Steps while the call lasts.
    pub(crate) then: String,
    pub(crate) media: MediaConfig,
    pub(crate) ip: IpAddr,
}

impl Side {
    pub(crate) fn new(first: &str) -> Self {
        Self {
            sdp: "m=audio [rtpstream_audio_port] RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000"
                .to_owned(),
            first: first.to_owned(),
            then: String::new(),
            media: MediaConfig {
                rules: MediaRules::Own,
                ..MediaConfig::default()
            },
            ip: IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }

    pub(crate) fn as_sipp(first: &str) -> Self {
        let mut side = Self::new(first);
        side.media.rules = MediaRules::Sipp;
        side
    }

    pub(crate) fn with_sdp(mut self, sdp: &str) -> Self {
        self.sdp = sdp.to_owned();
        self
    }

    pub(crate) fn then(mut self, steps: &str) -> Self {
        self.then = steps.to_owned();
        self
    }

    fn config(&self, xml: &str) -> EngineConfig {
        let options = gossipper_compiler::Options::default();
        let compiled = gossipper_compiler::compile("test.xml", xml.as_bytes(), &options);
        let diagnostics = &compiled.diagnostics;
        let program = compiled.program.as_ref();
        let program = program.unwrap_or_else(|| panic!("{diagnostics:?}\n{xml}"));
        let params = RunParams {
            media_port_of_call: self.media.rules == MediaRules::Own,
            ..RunParams::default()
        };
        let mut config = EngineConfig::new(Arc::new(program.clone()), params);
        config.local = LocalConfig {
            ip: Some(self.ip),
            port: Some(0),
            bind_local: true,
        };
        config.media = self.media.clone();
        config
    }
}

pub(crate) fn sdp(lines: &str) -> String {
    format!(
        "v=0\no=- 1 1 IN IP[media_ip_type] [media_ip]\ns=-\nc=IN IP[media_ip_type] [media_ip]\nt=0 0\n{lines}\n"
    )
}

pub(crate) fn request(method: &str, cseq: u32, body: &str) -> String {
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\n"
    };
    format!(
        "<send><![CDATA[\n{method} sip:a@[remote_ip]:[remote_port] SIP/2.0\n\
         Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n\
         From: <sip:b@[local_ip]>;tag=[call_number]\nTo: <sip:a@[remote_ip]>[peer_tag_param]\n\
         Call-ID: [call_id]\nCSeq: {cseq} {method}\nContact: <sip:b@[local_ip]:[local_port]>\n\
         {kind}Content-Length: [len]\n\n{body}]]></send>"
    )
}

pub(crate) fn response(body: &str) -> String {
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\n"
    };
    format!(
        "<send><![CDATA[\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:];tag=u[call_number]\n[last_Call-ID:]\n\
         [last_CSeq:]\nContact: <sip:a@[local_ip]:[local_port]>\n{kind}Content-Length: [len]\n\n{body}]]></send>"
    )
}

/// The caller, and who answers.
pub(crate) fn scenarios(uac: &Side, uas: &Side) -> [String; 2] {
    let caller = [
        request("INVITE", 1, &sdp(&uac.sdp)),
        format!(
            r#"<recv response="200"><action>{}</action></recv>"#,
            uac.first
        ),
        request("ACK", 1, ""),
        uac.then.clone(),
        request("BYE", 2, ""),
        r#"<recv response="200"/>"#.to_owned(),
    ];
    let answerer = [
        r#"<recv request="INVITE"/>"#.to_owned(),
        response(&sdp(&uas.sdp)),
        format!(
            r#"<recv request="ACK"><action>{}</action></recv>"#,
            uas.first
        ),
        uas.then.clone(),
        r#"<recv request="BYE"/>"#.to_owned(),
        response(""),
    ];
    [caller, answerer].map(|steps| {
        let steps = steps.join("\n").replace("<action></action>", "");
        format!("<scenario>{steps}</scenario>")
    })
}

/// Runs so many calls of it.
pub(crate) fn run(uac: &Side, uas: &Side, calls: u64) -> RunReport {
    let [caller, answerer] = scenarios(uac, uas);
    let report = Run::start(RunConfig {
        main: uac.config(&caller),
        answerer: Some(uas.config(&answerer)),
        pacing: PacingConfig {
            rate: Rate::new(50.0, 1000),
            total: Some(calls),
            ..PacingConfig::default()
        },
        limits: TimeLimits {
            timeout: Some(Duration::from_secs(60)),
            timeout_is_error: true,
            ..TimeLimits::default()
        },
        watchdog: None,
        logs: LogConfig::default(),
        measures: false,
    })
    .expect("it starts")
    .finish()
    .expect("a report");
    let main = main_of(&report);
    assert_eq!(main.calls.created(), calls, "{:?}", main.last_warning);
    report
}

pub(crate) fn main_of(report: &RunReport) -> &EngineSnapshot {
    report.snapshot.main().expect("an engine")
}

/// Media of the caller and of who answers.
pub(crate) fn media(report: &RunReport) -> [&MediaSnapshot; 2] {
    let answerer = report.snapshot.answerer().expect("an answerer");
    [main_of(report), answerer].map(|engine| engine.media.as_deref().expect("media"))
}

pub(crate) fn pause(ms: u32) -> String {
    format!(r#"<pause milliseconds="{ms}"/>"#)
}

pub(crate) fn play(value: &str) -> String {
    format!(r#"<exec rtp_stream="{value}"/>"#)
}

#[test]
fn both_sides_hear_each_other_and_report_to_each_other() {
    let stream = play("synthetic,-1,8,PCMA/8000,20,300");
    // The reports come twice a second.
    let uac = Side::new(&stream).then(&pause(1500));
    let uas = Side::new(&stream);
    let report = run(&uac, &uas, 3);
    assert_eq!(main_of(&report).calls.succeeded, 3);
    for (own, peer) in [(0, 1), (1, 0)].map(|(a, b)| (media(&report)[a], media(&report)[b])) {
        // 300 ms of packets of 20 ms in each call.
        assert_eq!(own.packets_sent, 45);
        assert_eq!(own.closed.octets_sent, 45 * 160);
        assert_eq!((own.unsent, own.useless), (0, 0));
        assert_eq!(peer.packets_received, 45);
        assert_eq!((peer.closed.lost, peer.closed.received), (0, 3));
        assert_eq!(peer.closed.min_packets_received, 15);
        assert!(own.sender_reports >= 3, "{own:?}");
        assert!(peer.reports_received >= own.sender_reports, "{peer:?}");
        assert!(
            own.closed.reported == 3 && own.closed.min_mos > 3.0,
            "{own:?}"
        );
        // 93.2 at most; the way there and back is the loopback.
        let r_factors = own.closed.min_r_factor..=93.2;
        assert!(
            r_factors.contains(&(own.closed.r_factor_sum / 3.0)),
            "{own:?}"
        );
        let longest = own.closed.max_round_trip_ms;
        assert!(own.closed.round_trips > 0 && longest < 1000.0, "{own:?}");
    }
}

#[test]
fn a_pattern_that_comes_back_is_met_and_one_that_does_not_has_failed() {
    let uac = Side::as_sipp(&play("apattern,3")).then(&pause(400));
    let report = run(&uac, &Side::as_sipp(&play("echo")), 2);
    let [caller, answerer] = media(&report);
    let audio = caller.patterns[0];
    assert_eq!((audio.streams, audio.failed), (2, 0), "{caller:?}");
    assert!(
        audio.packets >= 20 && audio.errors < audio.packets,
        "{audio:?}"
    );
    // But for what came before its scenario turned the echo on.
    assert!(
        (answerer.packets_received - 4..=answerer.packets_received)
            .contains(&answerer.packets_sent),
        "{answerer:?}"
    );
    // SIPp has no reports.
    assert_eq!(caller.sender_reports + answerer.sender_reports, 0);
    // Nobody sends it back: each packet is an error.
    let report = run(&uac, &Side::as_sipp(&play("pause")), 2);
    let audio = media(&report)[0].patterns[0];
    assert_eq!((audio.streams, audio.failed), (2, 2));
    assert_eq!(audio.errors, audio.packets);
    assert_eq!(main_of(&report).calls.succeeded, 2, "no call fails by it");
}

#[test]
fn a_check_is_met_when_packets_flow_and_fails_the_call_when_none_do() {
    let check = r#"<nop><action><exec rtpcheck="min_packets=5,timeout_ms=400,direction=recv"/></action></nop>"#;
    let talks = Side::new(&play("synthetic"));
    let report = run(&Side::new("").then(check), &talks, 2);
    assert_eq!(main_of(&report).calls.succeeded, 2);
    let silent = Side::new("").with_sdp("m=audio [rtpstream_audio_port] RTP/AVP 8");
    let report = run(&Side::new("").then(check), &silent, 2);
    let main = main_of(&report);
    let failed: Vec<_> = main.failures.iter().map(|f| (f.reason, f.count)).collect();
    assert_eq!(failed, [(FailReason::Media, 2)]);
    let warning = main.last_warning.as_deref().expect("it says why");
    assert!(
        warning.contains("rtpcheck timeout: mode=recv sent=0 received=0 min_packets=5"),
        "{warning}"
    );
}

#[test]
fn digits_arrive_as_they_were_sent() {
    // Descriptions are read where the scenario does something with media.
    let listens = Side::new(&play("stop"));
    let uac = Side::new(r#"<exec send_dtmf="12#A"/>"#).then(&pause(1200));
    let report = run(&uac, &listens, 2);
    assert_eq!(media(&report)[1].digits_heard, 8, "{:?}", media(&report));
    // SIPp's are of payload type 96, whatever the description says, behind a lead-in of 400 ms.
    let events = "m=audio [rtpstream_audio_port] RTP/AVP 8 96\na=rtpmap:96 telephone-event/8000";
    let uac = Side::as_sipp(r#"<exec play_dtmf="5[call_number],60"/>"#).then(&pause(1200));
    let report = run(&uac, &listens.with_sdp(events), 2);
    assert_eq!(media(&report)[1].digits_heard, 4);
    assert_eq!(main_of(&report).calls.succeeded, 2);
}

#[test]
fn nothing_is_sent_to_a_peer_that_holds() {
    let held = Side::new("").with_sdp("m=audio [rtpstream_audio_port] RTP/AVP 8\na=inactive");
    let uac = Side::new(&play("synthetic")).then(&pause(200));
    let report = run(&uac, &held, 1);
    assert_eq!(media(&report)[0].packets_sent, 0);
}

#[test]
fn pausing_stopping_and_playing_another_codec_are_obeyed() {
    let step = |actions: &str| format!("<nop><action>{actions}</action></nop>");
    let uac = Side::new(&play("synthetic,-1,8,PCMA/8000")).then(
        &[
            pause(110),
            step(&play("pause")),
            pause(200),
            step(&play("resume")),
            pause(110),
            step(&play("synthetic,-1,0,PCMU/8000")),
            pause(110),
            step(&play("stop")),
            pause(200),
        ]
        .concat(),
    );
    let report = run(&uac, &Side::new(""), 1);
    let [caller, answerer] = media(&report);
    // Three times 110 ms; a machine that comes late may be a packet off each time.
    assert!((12..=21).contains(&caller.packets_sent), "{caller:?}");
    assert_eq!(answerer.packets_received, caller.packets_sent);
    assert_eq!((answerer.closed.lost, answerer.closed.received), (0, 1));
}

#[test]
fn by_sipps_rules_what_is_played_while_paused_waits_for_resume() {
    let step = |actions: &str| format!("<nop><action>{actions}</action></nop>");
    let actions = [play("pause"), play("synthetic,-1,8,PCMA/8000,20,100")].concat();
    let steps = |resume: &str| [pause(60), resume.to_owned(), pause(200)].concat();
    for (uac, packets) in [
        (Side::as_sipp(&actions).then(&steps("")), 0),
        (
            Side::as_sipp(&actions).then(&steps(&step(&play("resume")))),
            5,
        ),
        (Side::new(&actions).then(&steps("")), 5),
    ] {
        let report = run(&uac, &Side::new(""), 1);
        assert_eq!(media(&report)[0].packets_sent, packets);
    }
}

#[test]
fn a_file_of_video_goes_to_the_video_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    // Two packets and a half.
    std::fs::write(folder.path().join("a.264"), [0x65; 3200]).expect("written");
    let both = "m=audio [rtpstream_audio_port] RTP/AVP 8\nm=video [rtpstream_video_port] RTP/AVP 96\na=rtpmap:96 H264/90000";
    for rules in [MediaRules::Sipp, MediaRules::Own] {
        let plays = play("a.264,1,96,H264/90000");
        let mut uac = Side::new(&plays).with_sdp(both).then(&pause(700));
        uac.media.rules = rules;
        uac.media.folder = Some(folder.path().to_path_buf());
        let report = run(&uac, &Side::new("").with_sdp(both), 1);
        let [caller, answerer] = media(&report);
        assert_eq!(
            (caller.packets_sent, caller.closed.octets_sent),
            (3, 3840),
            "{rules:?}"
        );
        assert_eq!(
            (answerer.packets_received, answerer.closed.received),
            (3, 1),
            "{rules:?}"
        );
    }
    // Where nobody describes a video there is nowhere to send it to.
    let mut uac = Side::new(&play("a.264,1,96,H264/90000")).then(&pause(300));
    uac.media.folder = Some(folder.path().to_path_buf());
    let report = run(&uac, &Side::new(""), 1);
    assert_eq!(media(&report)[0].packets_sent, 0);
}

/// A crypto line of a suite, with a key of the call.
pub(crate) fn crypto(tag: u32, suite: &str) -> String {
    format!("a=crypto:{tag} {suite} inline:[cryptokeyparams1audio]")
}

#[test]
fn streams_with_keys_on_both_sides_are_encrypted() {
    let with = |suites: &[&str]| {
        let lines: Vec<_> = (1..)
            .zip(suites)
            .map(|(tag, suite)| crypto(tag, suite))
            .collect();
        let lines = lines.join("\n");
        let mut side = Side::new(&play("synthetic,-1,8,PCMA/8000,20,200"))
            .with_sdp(&format!(
                "m=audio [rtpstream_audio_port] RTP/SAVP 8\n{lines}"
            ))
            .then(&pause(400));
        side.media.srtp = SrtpPolicy::Use;
        side
    };
    for suite in [
        "AES_CM_128_HMAC_SHA1_80",
        "AES_CM_128_HMAC_SHA1_32",
        "NULL_HMAC_SHA1_80",
    ] {
        let mut answers = with(&[suite]);
        answers.then = String::new();
        let report = run(&with(&[suite]), &answers, 2);
        for media in media(&report) {
            assert_eq!((media.useless, media.packets_received), (0, 20), "{suite}");
            // A tag of ten bytes, or of four.
            let tag = if suite.ends_with("_32") { 4 } else { 10 };
            assert_eq!(media.bytes_sent, 20 * (172 + tag), "{suite}");
        }
    }
}

#[test]
fn a_stream_to_a_peer_that_asks_for_keys_is_refused_unless_they_are_used() {
    let asks = Side::new("").with_sdp(&format!(
        "m=audio [rtpstream_audio_port] RTP/SAVP 8\n{}",
        crypto(1, "AES_CM_128_HMAC_SHA1_80")
    ));
    let uac = |policy| {
        let mut side = Side::new(&play("synthetic")).then(&pause(200));
        side.media.srtp = policy;
        side
    };
    for (policy, says) in [
        (
            SrtpPolicy::Unsaid,
            "remote SDP suggests SRTP; use -media_srtp",
        ),
        (SrtpPolicy::Reject, "-media_reject_srtp"),
        (SrtpPolicy::Use, "no `a=crypto` line of this scenario"),
    ] {
        let report = run(&uac(policy), &asks, 1);
        let main = main_of(&report);
        assert_eq!(main.failures[0].reason, FailReason::Media, "{policy:?}");
        let warning = main.last_warning.as_deref().unwrap_or_default();
        assert!(warning.contains(says), "{warning}");
        assert_eq!(media(&report)[0].packets_sent, 0);
    }
    // By SIPp's rules too, where nothing else asks for the flag.
    for (policy, failed) in [(SrtpPolicy::Unsaid, 0), (SrtpPolicy::Reject, 1)] {
        let mut side = Side::as_sipp(&play("synthetic")).then(&pause(200));
        side.media.srtp = policy;
        let report = run(&side, &asks, 1);
        assert_eq!(main_of(&report).calls.failed, failed, "{policy:?}");
    }
    // Whose keys are of no use is not said to want DTLS.
    let asks = Side::new("").with_sdp(
        "m=audio [rtpstream_audio_port] RTP/SAVP 8\na=crypto:1 F8_128_HMAC_SHA1_80 inline:AAAA",
    );
    let report = run(&uac(SrtpPolicy::Use), &asks, 1);
    let warning = main_of(&report).last_warning.clone().unwrap_or_default();
    assert!(warning.contains("no `a=crypto` line"), "{warning}");
}

pub(crate) fn powers(path: &Path) -> Vec<f64> {
    let bytes = std::fs::read(path).expect("a recording");
    let audio = wav::read(&bytes).expect("a WAV file");
    [425.0, 600.0]
        .map(|hz| power_at(&audio.samples, hz, audio.rate).1)
        .to_vec()
}

#[test]
fn what_a_call_hears_is_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("Heard.WAV");
    let start = format!(r#"<exec rtp_record="start,{}"/>"#, path.display());
    let uac = Side::new(&start).then(
        &[
            pause(500),
            r#"<nop><action><exec rtp_record="stop"/></action></nop>"#.to_owned(),
        ]
        .concat(),
    );
    let mut uas = Side::new(&play("synthetic,-1,8,PCMA/8000,20,300"));
    let all = folder.path().join("all");
    uas.media.record = Some(RecordConfig {
        folder: all.clone(),
        duplex: false,
    });
    let report = run(&uac, &uas, 1);
    assert_eq!(media(&report)[0].recordings_lost, 0);
    let found = powers(&path);
    // The tone that was sent, and hardly anything else.
    assert!(found[0] > 100.0 * found[1], "{found:?}");
    // The other side heard nothing.
    assert_eq!(std::fs::read_dir(&all).expect("a folder").count(), 0);
}

/// A capture of UDP packets over Ethernet, 20 ms apart, to a port and the one above in turn.
fn capture(packets: u16) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(0xa1b2_c3d4_u32.to_le_bytes());
    out.extend([2, 0, 4, 0]);
    out.extend([0; 8]);
    out.extend(65_535_u32.to_le_bytes());
    out.extend(1_u32.to_le_bytes());
    for index in 0..packets {
        let mut payload = vec![0x80, 8];
        payload.extend(index.to_be_bytes());
        payload.extend((u32::from(index) * 160).to_be_bytes());
        payload.extend([0, 0, 0, 7]);
        payload.extend([0x55; 160]);
        let mut frame = vec![0; 12];
        frame.extend([8, 0]);
        let udp = 8 + payload.len() as u16;
        frame.extend([0x45, 0]);
        frame.extend((20 + udp).to_be_bytes());
        frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2]);
        frame.extend(4000_u16.to_be_bytes());
        frame.extend(5000_u16.to_be_bytes());
        frame.extend(udp.to_be_bytes());
        frame.extend([0, 0]);
        frame.extend(payload);
        out.extend(0_u32.to_le_bytes());
        out.extend((u32::from(index) * 20_000).to_le_bytes());
        out.extend((frame.len() as u32).to_le_bytes());
        out.extend((frame.len() as u32).to_le_bytes());
        out.extend(frame);
    }
    out
}

#[test]
fn captures_are_played_to_where_the_peer_is_and_kept_in_their_time() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.pcap"), capture(10)).expect("written");
    for rules in [MediaRules::Sipp, MediaRules::Own] {
        let mut uac = Side::new(r#"<exec play_pcap_audio="a.pcap"/>"#).then(&pause(500));
        uac.media.rules = rules;
        uac.media.folder = Some(folder.path().to_path_buf());
        let report = run(&uac, &Side::new(""), 2);
        let [caller, answerer] = media(&report);
        assert_eq!(caller.packets_sent, 20, "{rules:?}");
        assert_eq!(answerer.packets_received, 20, "{rules:?}");
        let closed = &answerer.closed;
        assert_eq!((closed.lost, closed.received), (0, 2), "{rules:?}");
        // Evenly, as they were captured: had they come at once the jitter would be near 20 ms.
        assert!(closed.max_jitter_ms < 10.0, "{closed:?}");
    }
    // Of a recording that was killed what is whole is played, and what is not is told.
    let whole = capture(10);
    let path = folder.path().join("a.pcap");
    std::fs::write(path, &whole[..whole.len() - 1]).expect("written");
    let mut uac = Side::as_sipp(r#"<exec play_pcap_audio="a.pcap"/>"#).then(&pause(400));
    uac.media.folder = Some(folder.path().to_path_buf());
    let report = run(&uac, &Side::new(""), 1);
    assert_eq!(media(&report)[1].packets_received, 9);
    let warning = main_of(&report)
        .last_warning
        .as_deref()
        .expect("it is told");
    assert!(
        warning.ends_with(
            "a.pcap`: 9 packets are played, and not: 0 fragments, 1 cut off, the file damaged at 1 place"
        ),
        "{warning}"
    );
    // A file that is not there ends the run before it calls anybody.
    let uac = Side::new(r#"<exec play_pcap_audio="none.pcap"/>"#);
    let [caller, _] = scenarios(&uac, &uac);
    let mut main = uac.config(&caller);
    main.remote = Some(([127, 0, 0, 1], 9).into());
    let refused = Run::start(RunConfig {
        main,
        answerer: None,
        pacing: PacingConfig::default(),
        limits: TimeLimits::default(),
        watchdog: None,
        logs: LogConfig::default(),
        measures: false,
    });
    let error = refused.expect_err("there is no such file").to_string();
    assert!(
        error.contains("play_pcap_audio") && error.contains("none.pcap"),
        "{error}"
    );
}

#[test]
fn calls_of_several_shards_have_ports_of_their_own() {
    let uac = Side::new(&play("synthetic,-1,8,PCMA/8000,20,100")).then(&pause(250));
    let [caller, answerer] = scenarios(&uac, &Side::new(&play("echo")));
    let mut main = uac.config(&caller);
    main.shards = 2;
    let report = Run::start(RunConfig {
        main,
        answerer: Some(uac.config(&answerer)),
        pacing: PacingConfig {
            rate: Rate::new(100.0, 1000),
            total: Some(20),
            ..PacingConfig::default()
        },
        limits: TimeLimits {
            timeout: Some(Duration::from_secs(60)),
            ..TimeLimits::default()
        },
        watchdog: None,
        logs: LogConfig::default(),
        measures: false,
    })
    .expect("it starts")
    .finish()
    .expect("a report");
    assert_eq!(main_of(&report).calls.succeeded, 20);
    let [caller, answerer] = media(&report);
    assert_eq!((caller.packets_sent, caller.packets_received), (100, 100));
    assert_eq!(
        answerer.closed.min_packets_received, 5,
        "none heard another's"
    );
    assert_eq!(caller.closed.min_packets_received, 5);
}
