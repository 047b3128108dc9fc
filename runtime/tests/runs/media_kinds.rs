// SPDX-License-Identifier: AGPL-3.0-only
//! Kinds of media in whole runs: suites of SRTP with their SRTCP, SIPp's echo of encrypted streams, G.722, IPv6, checks of
//! how well something was heard.

use std::net::{IpAddr, Ipv6Addr, UdpSocket};

use gossipper_bytecode::FailReason;
use gossipper_runtime::config::{RecordConfig, SrtpPolicy};

use crate::media::{Side, crypto, main_of, media, pause, play, powers, run};

/// A crypto line with a key of so many bytes.
fn line(suite: &str, bytes: usize) -> String {
    let key: Vec<u8> = (0..bytes).map(|byte| byte as u8).collect();
    let key = gossipper_sip::aka::base64_encode(&key);
    let key = String::from_utf8(key).expect("base64");
    format!("a=crypto:1 {suite} inline:{key}")
}

#[test]
fn long_keys_and_gcm_encrypt_packets_and_reports() {
    for (suite, key, tag) in [
        ("AES_256_CM_HMAC_SHA1_80", 46, 10),
        ("AES_256_CM_HMAC_SHA1_32", 46, 4),
        ("AEAD_AES_128_GCM", 28, 16),
        ("AEAD_AES_256_GCM", 44, 16),
    ] {
        let mut uac = Side::new(&play("synthetic,-1,8,PCMA/8000,20,200"));
        uac = uac.with_sdp(&format!(
            "m=audio [rtpstream_audio_port] RTP/SAVP 8\n{}",
            line(suite, key)
        ));
        uac.media.srtp = SrtpPolicy::Use;
        let uas = uac.clone();
        // A first report leaves within half a second, a last one at the end.
        let report = run(&uac.then(&pause(800)), &uas, 2);
        assert_eq!(main_of(&report).calls.succeeded, 2, "{suite}");
        for media in media(&report) {
            assert_eq!((media.useless, media.packets_received), (0, 20), "{suite}");
            assert_eq!(media.bytes_sent, 20 * (172 + tag), "{suite}");
            assert!(media.sender_reports >= 2, "{suite} {media:?}");
            // Whoever could not open them would have counted them as useless, and heard nothing of the peer.
            assert_eq!(media.closed.reported, 2, "{suite} {media:?}");
        }
    }
}

#[test]
fn an_encrypted_pattern_comes_back_from_sipps_echo_until_that_is_stopped() {
    let sdp = format!(
        "m=audio [rtpstream_audio_port] RTP/SAVP 8\n{}",
        crypto(1, "AES_CM_128_HMAC_SHA1_80")
    );
    let uac = Side::as_sipp(&play("apattern,4,8,PCMA/8000"))
        .with_sdp(&sdp)
        .then(&pause(500));
    let echo = |value: &str| format!(r#"<exec rtp_echo="{value},8,PCMA/8000"/>"#);
    let uas = Side::as_sipp(&echo("startaudio")).with_sdp(&sdp);
    let report = run(&uac, &uas, 2);
    let [caller, answerer] = media(&report);
    let audio = caller.patterns[0];
    assert_eq!((audio.streams, audio.failed), (2, 0), "{caller:?}");
    assert!(audio.errors < audio.packets, "{audio:?}");
    assert!(caller.packets_received > 10, "{caller:?}");
    assert_eq!((caller.useless, answerer.useless), (0, 0));
    // Tags of ten bytes, both ways.
    assert_eq!(caller.bytes_sent, caller.packets_sent * 182);
    assert_eq!(answerer.bytes_sent, answerer.packets_sent * 182);
    // Turned off again at once: nothing comes back, and each packet is an error.
    let both = [echo("startaudio"), echo("stopaudio")].concat();
    let report = run(&uac, &Side::as_sipp(&both).with_sdp(&sdp), 2);
    let [caller, answerer] = media(&report);
    assert_eq!((answerer.packets_sent, caller.packets_received), (0, 0));
    assert!(answerer.packets_received > 10, "{answerer:?}");
    let audio = caller.patterns[0];
    assert_eq!((audio.errors, audio.failed), (audio.packets, 2));
}

#[test]
fn g722_is_sent_heard_and_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    let sdp = "m=audio [rtpstream_audio_port] RTP/AVP 9";
    let uac = Side::new(&play("synthetic,-1,9,G722/8000,20,400"))
        .with_sdp(sdp)
        .then(&pause(600));
    let mut uas = Side::new(&play("pause")).with_sdp(sdp);
    uas.media.record = Some(RecordConfig {
        folder: folder.path().to_path_buf(),
        duplex: false,
    });
    let report = run(&uac, &uas, 1);
    let [caller, answerer] = media(&report);
    assert_eq!(
        (caller.packets_sent, caller.bytes_sent),
        (20, 20 * 172),
        "64 kbit/s"
    );
    assert_eq!((answerer.packets_received, answerer.closed.lost), (20, 0));
    // Timestamps count 8000 a second though 16,000 samples are meant: else the jitter would be 20 ms.
    assert!(answerer.closed.max_jitter_ms < 15.0, "{answerer:?}");
    let found: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    assert_eq!(found.len(), 1, "{found:?}");
    let found = powers(&found[0]);
    assert!(found[0] > 100.0 * found[1], "{found:?}");
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn streams_over_ipv6_flow_both_ways_with_reports() {
    if UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        eprintln!("SKIPPED: there is no IPv6 on this machine");
        return;
    }
    let mut uac = Side::new(&play("synthetic,-1,8,PCMA/8000,20,200"));
    uac.ip = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let uas = uac.clone();
    let report = run(&uac.then(&pause(800)), &uas, 2);
    assert_eq!(main_of(&report).calls.succeeded, 2);
    for media in media(&report) {
        assert_eq!((media.packets_sent, media.packets_received), (20, 20));
        assert_eq!((media.unsent, media.useless, media.closed.lost), (0, 0, 0));
        assert!(media.sender_reports >= 2, "{media:?}");
        assert_eq!(media.closed.reported, 2, "{media:?}");
    }
}

#[test]
fn a_check_of_quality_fails_the_call_with_its_reason() {
    let check = |value: &str| {
        let action = format!(r#"<exec rtpcheck="{value}"/>"#);
        Side::new("").then(&format!("<nop><action>{action}</action></nop>"))
    };
    let talks = Side::new(&play("synthetic"));
    let good = "min_packets=20,timeout_ms=10000,direction=recv,max_loss_percent=5,max_jitter_ms=200,min_mos=1.5";
    let report = run(&check(good), &talks, 2);
    assert_eq!(main_of(&report).calls.succeeded, 2);
    // Speaks for 100 ms and then never again.
    let stops = Side::new(&play("synthetic,-1,8,PCMA/8000,20,100"));
    let mos = "min_packets=2,timeout_ms=300,direction=recv,min_mos=4.5";
    for (value, peer, says) in [
        (mos, &talks, "rtpcheck: MOS of"),
        (
            "timeout_ms=5000,max_silence_ms=300",
            &stops,
            "rtpcheck: nothing received for",
        ),
    ] {
        let report = run(&check(value), peer, 2);
        let main = main_of(&report);
        let failed: Vec<_> = main.failures.iter().map(|f| (f.reason, f.count)).collect();
        assert_eq!(failed, [(FailReason::Media, 2)], "{value}");
        let warning = main.last_warning.as_deref().expect("it says why");
        assert!(warning.contains(says), "{warning}");
    }
}
