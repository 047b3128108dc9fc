// SPDX-License-Identifier: AGPL-3.0-only
//! dumpcap watches a call of ours on the loopback interface, and tshark says what it saw.

use crate::stage::{
    HOST, Packets, Part, Place, Runner, STREAM, TONE_PACKETS, answerer, assert_exits, call, caller,
    exec, is_there, pause, port, skipped, summary_line,
};
use gossipper_testkit::sipp::{Exit, Running, Tool};
use std::net::UdpSocket;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Watches these UDP ports until it is told to stop.
pub(crate) struct Watch(Running);

impl Watch {
    /// Nothing if there is no dumpcap, or it may not watch.
    pub(crate) fn start(file: &Path, from: u16) -> Option<Self> {
        if !is_there("dumpcap", "--version") || !is_there("tshark", "--version") {
            return None;
        }
        // A packet of our own tells when it watches.
        let probe = UdpSocket::bind((HOST, 0)).expect("a port");
        let mark = probe.local_addr().expect("its own").port();
        let filter = format!("udp portrange {from}-{} or udp port {mark}", from + 40);
        let file = file.display().to_string();
        let arguments = ["-q", "-i", "lo", "-f", &filter, "-w", &file];
        let mut running = Running::start(
            &Tool::program("dumpcap", "dumpcap"),
            arguments.map(str::to_owned).to_vec(),
        )
        .expect("it starts");
        let give_up = Instant::now() + Duration::from_secs(20);
        probe
            .set_read_timeout(Some(Duration::from_millis(20)))
            .expect("a time");
        let mut seen = 0;
        while seen < 400 {
            probe.send_to(b"mark", (HOST, mark)).expect("sent");
            // The wait for its own packet gives dumpcap time.
            let _ = probe.recv(&mut [0; 16]);
            let _ = probe.recv(&mut [0; 16]);
            seen = std::fs::metadata(&file).map_or(0, |file| file.len());
            if running.has_ended().expect("a child of ours") {
                let ended = running.finish(give_up, 0).expect("it ends");
                skipped(&format!("dumpcap may not watch: {}", ended.stderr));
                return None;
            }
            assert!(Instant::now() < give_up, "dumpcap sees nothing");
        }
        Some(Self(running))
    }

    /// What was written is whole afterwards.
    pub(crate) fn stop(self) {
        let ended = self.0.interrupt().expect("it ends");
        assert_eq!(ended.exit, Exit::Code(0), "{}", ended.stderr);
    }
}

pub(crate) fn tshark(file: &Path, arguments: &[&str]) -> String {
    let output = Command::new("tshark")
        .args(["-n", "-o", "rtp.heuristic_rtp:TRUE", "-r"])
        .arg(file)
        .args(arguments)
        .output()
        .expect("it was there before");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_we_say_of_a_stream_is_what_tshark_says_of_it() {
    let place = Place::new();
    let (calling, taking) = (port() & !1, port() & !1);
    let file = place.path("seen.pcapng");
    let Some(watch) = Watch::start(&file, taking) else {
        return;
    };
    let tone = place.tone(6);
    let action = exec("rtp_stream", "pause");
    let listens = Part {
        sdp: STREAM,
        first: &action,
        then: "",
    };
    let wait = pause(3400);
    let calls = caller(Part {
        first: &tone,
        then: &wait,
        ..listens
    });
    let calls = place.write("calls.xml", calls);
    let takes = place.write("takes.xml", answerer(listens));
    let ours = Runner::ours();
    let outcomes = call(
        (&ours, &calls, &format!("-mp {calling}")),
        (&ours, &takes, &format!("-mp {taking}")),
    );
    watch.stop();
    assert_exits(&outcomes, [0, 0]);
    let heard = summary_line(&outcomes[1], "Heard");
    let text = tshark(&file, &["-q", "-z", "rtp,streams"]);
    let line = text.lines().find(|line| line.contains("g711A"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    let (_, behind) = line.split_once("g711A").expect("it is there");
    let numbers: Vec<f64> = behind
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    // Packets, lost; three of the distance; three of the jitter.
    let [count, lost, .., mean, max] = numbers[..] else {
        panic!("{line}");
    };
    let [sent, heard_of] = [&outcomes[0], &outcomes[1]].map(Packets::of);
    assert_eq!(sent.sent + sent.not_sent, 6 * TONE_PACKETS);
    assert_eq!(
        (count, lost),
        (heard_of.received as f64, heard_of.lost as f64),
        "{line}"
    );
    assert_eq!(heard_of.received, sent.sent, "{line}");
    // "jitter 0.50 ms (highest 1.39)"
    let words: Vec<&str> = heard.split_whitespace().collect();
    for (word, theirs) in [(4, mean), (7, max)] {
        let ours: f64 = words[word]
            .trim_end_matches(')')
            .parse()
            .unwrap_or_else(|_| panic!("{heard}"));
        // Two digits of ours, three of theirs; and a busy machine stamps a packet for the capture later than for its socket.
        assert!(
            (ours - theirs).abs() <= 0.05 * theirs + 0.02,
            "{heard}\n{line}"
        );
    }
}

#[test]
fn tshark_reads_the_digits_of_a_call() {
    let place = Place::new();
    let (calling, taking) = (port() & !1, port() & !1);
    let file = place.path("digits.pcapng");
    let Some(watch) = Watch::start(&file, taking) else {
        return;
    };
    let with_events =
        "m=audio [rtpstream_audio_port] RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000";
    let digits = exec("send_dtmf", "19*#D");
    let wait = pause(1600);
    let part = Part {
        sdp: with_events,
        first: &digits,
        then: &wait,
    };
    let calls = place.write("calls.xml", caller(part));
    let action = exec("rtp_stream", "pause");
    let listens = Part {
        first: &action,
        then: "",
        ..part
    };
    let takes = place.write("takes.xml", answerer(listens));
    let own = Runner::own();
    let outcomes = call(
        (&own, &calls, &format!("-mp {calling}")),
        (&own, &takes, &format!("-mp {taking}")),
    );
    watch.stop();
    assert_exits(&outcomes, [0, 0]);
    let mut arguments = vec!["-o", "rtpevent.event_payload_type_value:101"];
    arguments.extend(["-Y", "rtpevent", "-T", "fields", "-e", "rtp.marker"]);
    arguments.extend(["-e", "rtpevent.event_id", "-e", "rtpevent.end_of_event"]);
    let text = tshark(&file, &arguments);
    let yes = |word: &str| word == "1" || word == "True";
    let mut begun = Vec::new();
    let mut ends = 0;
    for line in text.lines() {
        let words: Vec<&str> = line.split('\t').collect();
        if yes(words[0]) {
            begun.push(words[1].to_owned());
        }
        ends += usize::from(yes(words[2]));
    }
    assert_eq!(begun, ["1", "9", "10", "11", "15"], "{text}");
    assert_eq!(ends, 3 * begun.len(), "{text}");
}
