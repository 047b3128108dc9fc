// SPDX-License-Identifier: AGPL-3.0-only
//! Captures of other people are sent again by whole calls, each datagram at its time.
//!
//! `GOSSIPPER_CORPUS` names a folder with a folder `captures`; without it the test skips, and says so. What waits longest
//! in a capture decides how long its call takes, so only the shorter ones are played.

use crate::stage::{
    HOST, Packets, Part, Place, Runner, STREAM, answerer, assert_exits, call, caller, exec,
    media_ports, pause, skipped,
};
use gossipper_media::replay::{Keep, Replay};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Longest capture that is played.
const LONGEST: Duration = Duration::from_secs(5);

/// How far a datagram may be from its time: the machine does other things as well, and the capture's own shape is
/// coarser than that. That no time is lost on the way shows at the end.
const NEAR: Duration = Duration::from_millis(100);

fn captures() -> Vec<PathBuf> {
    let root = std::env::var_os("GOSSIPPER_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus"),
        PathBuf::from,
    );
    let mut found = Vec::new();
    let mut todo = vec![root.join("captures")];
    while let Some(folder) = todo.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            skipped(&format!("there are no captures in {}", folder.display()));
            continue;
        };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            let name = path.to_string_lossy();
            if path.is_dir() {
                todo.push(path);
            } else if name.ends_with(".pcap") || name.ends_with(".pcapng") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Plays one; false if there is nothing in it that can be watched.
fn play(file: &Path) -> bool {
    let bytes = std::fs::read(file).expect("a readable file");
    let Ok(replay) = Replay::parse(bytes.into(), Keep::All, None) else {
        return false;
    };
    let all = replay.packets();
    let last = all.last().map_or(0, |packet| packet.at.0);
    // Others go to ports that this test does not have.
    let wanted: Vec<(u64, &[u8])> = all
        .iter()
        .filter(|packet| packet.port_offset == 0)
        .map(|packet| (packet.at.0, replay.bytes(packet)))
        .collect();
    if wanted.len() < 2 || Duration::from_micros(last) > LONGEST {
        return false;
    }
    let socket = UdpSocket::bind((HOST, 0)).expect("a port");
    let port = socket.local_addr().expect("its own").port();
    let (report, came) = channel();
    let count = wanted.len();
    let watch = std::thread::spawn(move || {
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a time");
        let mut buffer = vec![0; 65_536];
        for _ in 0..count {
            let Ok((len, _)) = socket.recv_from(&mut buffer) else {
                return;
            };
            // The test waits for nothing else.
            let _ = report.send((Instant::now(), buffer[..len].to_vec()));
        }
    });
    let place = Place::new();
    let action = exec("play_pcap_audio", &file.display().to_string());
    let wait = pause(last.div_ceil(1000) as u32 + 500);
    let calls = caller(Part {
        sdp: STREAM,
        first: &action,
        then: &wait,
    });
    let calls = place.write("calls.xml", calls);
    let takes = answerer(Part {
        sdp: &format!("m=audio {port} RTP/AVP 8"),
        first: "",
        then: "",
    });
    let takes = place.write("takes.xml", takes);
    let own = Runner::own();
    let outcomes = call((&own, &calls, &media_ports()), (&own, &takes, ""));
    assert_exits(&outcomes, [0, 0]);
    let name = file.display();
    // A port beyond the last one is nowhere.
    let there = |offset: u16| port.checked_add(offset).is_some();
    let sendable = all.iter().filter(|packet| there(packet.port_offset));
    assert_eq!(
        Packets::of(&outcomes[0]).sent,
        sendable.count() as u64,
        "{name}: {}",
        outcomes[0].stdout
    );
    watch.join().expect("it only reads");
    let came: Vec<(Instant, Vec<u8>)> = came.try_iter().collect();
    assert_eq!(came.len(), count, "{name}");
    let (begun, first) = (came[0].0, wanted[0].0);
    for ((at, bytes), (due, payload)) in came.iter().zip(&wanted) {
        assert_eq!(bytes, payload, "{name}");
        let (at, due) = (at.duration_since(begun), Duration::from_micros(due - first));
        assert!(
            at.abs_diff(due) < NEAR,
            "{name}: due at {due:?}, came at {at:?}"
        );
    }
    true
}

#[test]
#[expect(clippy::print_stderr, reason = "says how much was compared")]
fn captures_of_others_are_sent_again_in_their_time() {
    let files = captures();
    let played = files.iter().filter(|file| play(file)).count();
    assert!(
        files.is_empty() || played > 0,
        "none of {} can be played",
        files.len()
    );
    eprintln!("{played} of {} captures played", files.len());
}
